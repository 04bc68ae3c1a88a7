#!/usr/bin/env bash
# Measures in a release build and prints one line of JSON per figure: {"figure","value","unit","limit","ratio"}.
# `scripts/bench.sh frames`: bytes per withdrawal, frames and seconds across the gap, pictures read. `scripts/bench.sh signing`:
# items per second through the signer. `scripts/bench.sh audit`: items per second through an audit. Without a name, all.
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

case "${1:-all}" in
frames | signing | audit) "$1" ;;
all)
    frames
    signing
    audit
    ;;
*)
    echo "usage: scripts/bench.sh [frames | signing | audit]" >&2
    exit 2
    ;;
esac
