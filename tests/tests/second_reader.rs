//! `docs/batch-format.md` suffices for a second implementation: a reader written from it alone, in another language, reads every valid
//! document, comes to the same digests and refuses what is not the one spelling.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::process::Command;

#[test]
fn a_reader_written_from_the_document_alone_agrees() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var("AIRLOCK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .arg(root.join("foreign/batch_reader.py"))
        .arg(root.join("../fixtures/batch"))
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.ends_with(b"OK\n"), "{complained}");
}
