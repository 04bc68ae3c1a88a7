#!/usr/bin/env bash
# Runs every test on real parts: SQLite and PostgreSQL, a real anvil, foreign clients, strace. What is missing is
# installed (PostgreSQL and strace from the system's packages, the rest into tests/foreign and .tools). Needs Rust,
# Node, Python 3 and a package mirror. The last line is `N passed, N failed, N skipped`; the exit code is
# 0 only if nothing failed. Arguments go to `cargo test`: `scripts/test.sh -p airlock-shared`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly limit_seconds="${TEST_LIMIT_SECONDS:-1500}" # for running; building is not counted
scratch="$(mktemp -d)"
server_bin=""

finish() {
    if [ -f "$scratch/data/postmaster.pid" ]; then
        as_server "$server_bin/pg_ctl" -D "$scratch/data" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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

# Tests watch the real signer call by call, and end it at each of them.
find_strace() {
    if ! command -v strace >/dev/null; then
        echo "installing strace" >&2
        install_packages strace
    fi
}

# A server of our own: data, socket and password in the scratch directory, a free port on 127.0.0.1.
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
        -o "-c listen_addresses=127.0.0.1 -p $port -k $scratch -c max_connections=300 -c fsync=off" start >/dev/null; then
        cat "$scratch/log" >&2
        exit 1
    fi
    export AIRLOCK_TEST_POSTGRES="postgres://airlock:$password@127.0.0.1:$port/postgres"
    export AIRLOCK_REQUIRE_POSTGRES=1
}

# anvil, ethers and tronweb for Node, tronpy for Python: other people's code that must agree with ours.
install_foreign_clients() {
    local lock=tests/foreign/package-lock.json marker=tests/foreign/node_modules/.package-lock.json
    if [ ! -f "$marker" ] || [ "$lock" -nt "$marker" ]; then
        npm ci --prefix tests/foreign --loglevel error --no-fund --no-audit --ignore-scripts >&2
        touch "$marker"
    fi
    local wanted=tests/foreign/requirements.txt installed=.tools/python/requirements.txt
    if ! cmp -s "$wanted" "$installed"; then
        if ! python3 -m venv .tools/python 2>/dev/null; then
            install_packages python3-venv
            python3 -m venv --clear .tools/python
        fi
        .tools/python/bin/pip install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$installed"
    fi
    # This package is for Linux on x86-64; elsewhere set AIRLOCK_ANVIL to one of your own.
    local anvil="$PWD/tests/foreign/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    if [ -x "$anvil" ]; then export AIRLOCK_ANVIL="$anvil"; fi
    export AIRLOCK_REQUIRE_FOREIGN=1
    export AIRLOCK_FOREIGN_DIR="$PWD/tests/foreign"
    export AIRLOCK_PYTHON="$PWD/.tools/python/bin/python"
}

# Adds up the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` of all suites.
count() {
    awk '/^test result:/ { for (i = 1; i < NF; i++) {
            if ($(i + 1) ~ /^passed/) passed += $i
            if ($(i + 1) ~ /^failed/) failed += $i
            if ($(i + 1) ~ /^ignored/) skipped += $i } }
        END { printf "%d %d %d\n", passed, failed, skipped }' "$1"
}

find_postgres
start_postgres
find_strace
install_foreign_clients

what=("$@")
if [ "${#what[@]}" = 0 ]; then what=(--workspace); fi
cargo test --locked --no-run --quiet "${what[@]}"
code=0
timeout --kill-after=30 "$limit_seconds" cargo test --locked --no-fail-fast "${what[@]}" 2>&1 |
    tee "$scratch/output" || code=$?
if [ "$code" = 124 ]; then echo "stopped after $limit_seconds seconds"; fi

read -r passed failed skipped <<<"$(count "$scratch/output")"
if [ "$code" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi # a suite that never reported counts as one
echo "$passed passed, $failed failed, $skipped skipped"
[ "$code" = 0 ] && [ "$failed" = 0 ]
