#!/usr/bin/env bash
# Measures in a release build and prints one line of JSON per figure: {"figure","value","unit","limit","ratio"}.
# `scripts/bench.sh frames`: bytes per withdrawal, frames and seconds across the gap, pictures read. `scripts/bench.sh signing`:
# items per second through the signer. `scripts/bench.sh audit`: items per second through an audit. `scripts/bench.sh ledger`:
# durable transfers per second on SQLite and on a PostgreSQL of its own; with `--full` also 10 million entries. Without a name, all.
# docs/performance.md explains each figure.
set -euo pipefail
cd "$(dirname "$0")/.."

example() {
    local crate="$1" name="$2"
    shift 2
    cargo run --quiet --locked --release -p "$crate" --example "$name" -- "$@"
}

frames() {
    local request reply
    example airlock-shared batch_bench
    read -r request reply <<<"$(example airlock-shared batch_bench --sizes)"
    example airlock-shared frames_bench "$request" "$reply"
    example airlock-shared frames_bench_pictures
}

signing() {
    example airlock-signer signing_bench
}

audit() {
    example airlock-signer audit_bench
}

# Durable, with a server's usual settings. /var/tmp is on a disk where /tmp may be memory; BENCH_DIR names another.
ledger() {
    scratch="$(mktemp -d "${BENCH_DIR:-/var/tmp}/airlock-bench.XXXXXX")"
    # shellcheck source=scripts/postgres.sh
    source scripts/postgres.sh
    trap 'stop_postgres; rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    find_postgres
    # Sizes as the operator's guide recommends them; durable as by default.
    start_postgres -c fsync=on -c synchronous_commit=on -c shared_buffers=1GB -c max_wal_size=8GB
    cargo build --quiet --locked --release -p airlock-coordinator --bin airlock-coordinator
    BENCH_DIR="$scratch" example airlock-coordinator ledger_bench --postgres "$AIRLOCK_TEST_POSTGRES" "$@"
}

what="${1:-all}"
if [ "$#" -gt 0 ]; then shift; fi
case "$what" in
frames | signing | audit | ledger) "$what" "$@" ;;
all)
    frames
    signing
    audit
    ledger
    ;;
*)
    echo "usage: scripts/bench.sh [frames | signing | audit | ledger [--full]]" >&2
    exit 2
    ;;
esac
