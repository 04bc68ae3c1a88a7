#!/usr/bin/env bash
# Everything that must hold before a change is merged, in the order in which mistakes are cheap to find:
# formatting, lints, documentation, generated files, licences and sources (if cargo-deny is installed),
# tests. With --coverage the line coverage of the shared crate is measured too, and with --fuzz the decoders get
# fifty times as many inputs and the signer's memory is searched for secrets, both optimised as in a release, where
# values lie in other places; all before the tests, so that the last line stays the count of the tests. With
# AIRLOCK_KILL_EVERY=1 in the environment the tests kill the signer before every system call of a session, not only
# before all that change files and a choice of the others.
set -euo pipefail
cd "$(dirname "$0")/.."

coverage=no
fuzz=no
for option in "$@"; do
    case "$option" in
    --coverage) coverage=yes ;;
    --fuzz) fuzz=yes ;;
    *)
        echo "usage: [AIRLOCK_KILL_EVERY=1] scripts/check.sh [--coverage] [--fuzz]" >&2
        exit 2
        ;;
    esac
done

step() {
    echo "== $1"
}

# tarpaulin counts the lines that the tests of shared reach; its build stays apart from the others.
measure_coverage() {
    if ! command -v cargo-tarpaulin >/dev/null; then
        cargo install --quiet --locked cargo-tarpaulin --version 0.37.5
    fi
    timeout 1500 cargo tarpaulin --locked -p airlock-shared --engine ptrace --skip-clean --out Stdout \
        --target-dir target/coverage --include-files 'shared/src/*' --timeout 600 2>&1 | tail -n 60
}

step "formatting"
cargo fmt --all --check
step "lints"
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
step "generated files and the signer's dependency tree"
scripts/fixtures.sh verify
if command -v cargo-deny >/dev/null; then
    step "licences, sources and duplicates"
    cargo deny --locked check --hide-inclusion-graph bans licenses sources
fi
if [ "$coverage" = yes ]; then
    step "coverage of shared"
    measure_coverage
fi
if [ "$fuzz" = yes ]; then
    step "decoders, for longer"
    AIRLOCK_FUZZ_ROUNDS="${AIRLOCK_FUZZ_ROUNDS:-100000}" AIRLOCK_FUZZ_SEED="${AIRLOCK_FUZZ_SEED:-$RANDOM}" \
        cargo test --locked --release -p airlock-shared -p airlock-signer --test fuzz -- --nocapture --test-threads=1
    step "secrets in memory, optimised"
    cargo test --locked --release -p airlock-signer --test memory
fi
step "tests"
scripts/test.sh
