#!/usr/bin/env bash
# Shows one withdrawal cross the gap, on TRON and on an EVM chain, act by act with real figures. Needs Rust alone, no
# accounts, and no network once the dependencies are there. What it made stays in demo-out/ (or the directory given).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked -p airlock-signer -p airlock-coordinator -p airlock-tests --bin airlock-signer \
    --bin airlock-coordinator --bin demo
# Bounded in time; the demo ends every process it started, whichever way it ends itself.
exec timeout --kill-after=10 300 "${CARGO_TARGET_DIR:-target}/debug/demo" "${1:-demo-out}"
