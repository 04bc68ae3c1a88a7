#!/usr/bin/env bash
# The generated files of the repository: `scripts/fixtures.sh verify` compares them with what the code makes
# now, `scripts/fixtures.sh --write` makes them again. They are signer/dependencies.txt (the signer's resolved
# tree, reviewed line by line) and fixtures/batch (documents in both spellings, digests, the worked example of
# docs/batch-format.md). A released version's fixtures never change: --write is for a new one.
set -euo pipefail
cd "$(dirname "$0")/.."

signer_tree() {
    cargo tree --locked -p airlock-signer -e normal --target x86_64-unknown-linux-gnu --prefix none |
        awk 'NF { print $1, $2 }' | LC_ALL=C sort -u
}

case "${1:-}" in
verify)
    signer_tree | diff -u signer/dependencies.txt - >&2 || {
        echo "signer/dependencies.txt is not the resolved tree; review the change, then scripts/fixtures.sh --write" >&2
        exit 1
    }
    cargo test --locked --quiet -p airlock-shared --test documents --test batch_format >&2
    echo "fixtures agree with the code"
    ;;
--write)
    signer_tree >signer/dependencies.txt
    AIRLOCK_WRITE_FIXTURES=1 cargo test --locked --quiet -p airlock-shared --test documents --test batch_format >&2
    echo "fixtures written; read the difference before you commit it"
    ;;
*)
    echo "usage: scripts/fixtures.sh verify | --write" >&2
    exit 2
    ;;
esac
