#!/usr/bin/env bash
# Runs every test on real parts: SQLite and PostgreSQL, a real anvil, foreign clients, strace. What is missing is
# installed (PostgreSQL and strace from the system's packages, the rest into tests/foreign and .tools). Needs Rust,
# Node, Python 3 and a package mirror. The last line is `N passed, N failed, N skipped`; the exit code is
# 0 only if nothing failed. Arguments go to `cargo test`: `scripts/test.sh -p airlock-shared`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly limit_seconds="${TEST_LIMIT_SECONDS:-1500}" # for running; building is not counted
scratch="$(mktemp -d)"
# shellcheck source=scripts/postgres.sh
source scripts/postgres.sh

finish() {
    stop_postgres
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Tests watch the real signer call by call, and end it at each of them.
find_strace() {
    if ! command -v strace >/dev/null; then
        echo "installing strace" >&2
        install_packages strace
    fi
}

# anvil, ethers and tronweb for Node, tronpy and schemathesis for Python: other people's code that must agree with ours.
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
start_postgres -c fsync=off
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
