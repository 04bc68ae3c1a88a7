# A PostgreSQL server of our own, for scripts/test.sh and scripts/bench.sh, which source this file. They set `scratch`
# to a directory of theirs and call `stop_postgres` when they end.

server_bin=""

# PostgreSQL refuses to run as root; the packages bring a user of their own.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
    else
        "$@"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

newest_server_bin() {
    find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname
}

install_packages() {
    as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Some images build PostgreSQL elsewhere; pg_config and the PATH are asked before anything is installed.
find_postgres() {
    server_bin="$(newest_server_bin)"
    if [ -z "$server_bin" ] && command -v initdb >/dev/null; then
        server_bin="$(dirname "$(readlink -f "$(command -v initdb)")")"
    fi
    if [ -z "$server_bin" ]; then
        echo "installing PostgreSQL" >&2
        install_packages postgresql
        server_bin="$(newest_server_bin)"
    fi
    if [ -z "$server_bin" ]; then
        echo "no PostgreSQL server found after installing it" >&2
        exit 1
    fi
    if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
        useradd --system --no-create-home postgres
    fi
}

# Data, socket and password in the scratch directory, a free port on 127.0.0.1. Arguments are settings of the server.
start_postgres() {
    local port password
    port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    password="$(python3 -c 'import secrets; print(secrets.token_hex(16))')"
    printf '%s' "$password" >"$scratch/password"
    chmod 0755 "$scratch"
    if [ "$(id -u)" = 0 ]; then chown postgres "$scratch" "$scratch/password"; fi
    as_server "$server_bin/initdb" -D "$scratch/data" -U airlock -A scram-sha-256 --pwfile="$scratch/password" \
        -E UTF8 --no-locale >/dev/null
    if ! as_server "$server_bin/pg_ctl" -D "$scratch/data" -l "$scratch/log" -w -t 60 \
        -o "-c listen_addresses=127.0.0.1 -p $port -k $scratch -c max_connections=300 $*" start >/dev/null; then
        cat "$scratch/log" >&2
        exit 1
    fi
    export AIRLOCK_TEST_POSTGRES="postgres://airlock:$password@127.0.0.1:$port/postgres"
    export AIRLOCK_REQUIRE_POSTGRES=1
}

stop_postgres() {
    if [ -f "$scratch/data/postmaster.pid" ]; then
        as_server "$server_bin/pg_ctl" -D "$scratch/data" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    fi
}
