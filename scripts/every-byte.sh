#!/usr/bin/env bash
# X3 in full: every byte of a small signed file, in JSON and in binary, is flipped bit by bit, removed, and has bytes
# put before it; each time the audit must find it and name the place. A debug build of the tests samples the places;
# this looks at all of them in a release build, about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
AIRLOCK_EVERY_BYTE=1 cargo test --release --locked -p airlock-shared --test auditor -- any_changed_added_or_removed_byte
