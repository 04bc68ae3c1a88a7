//! `fixtures/batch` holds what a second implementation has to read and has to refuse; these tests hold it to
//! the code.
//!
//! `valid/NAME.json` and `valid/NAME.hex` are two spellings of one document; `valid/digests.json` tells the
//! digests and words that follow from them. `invalid/NAME.json` or `.hex` is wrong in exactly one way, and
//! `invalid/cases.json` says as which document it is read and how it is refused. With
//! `AIRLOCK_WRITE_FIXTURES=1` the files are written instead of compared (`scripts/fixtures.sh --write`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod invalid;
#[path = "../sample/mod.rs"]
mod sample;
mod valid;

use airlock_shared::document::{self, Document};
use airlock_shared::envelope::{ApprovalReply, ApprovalRequest, Bundle, Introduction, Replies, SignedBatch};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::policy::SignedPolicy;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/batch").join(name)
}

/// Compares a file with what the code makes, or writes it.
fn same_as_file(path: &Path, made: &str) {
    if std::env::var("AIRLOCK_WRITE_FIXTURES").is_ok_and(|value| value == "1") {
        std::fs::write(path, made).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == made, "{} is not what the code makes", path.display());
}

/// The names in a folder are exactly these.
fn nothing_else_lies_in(folder: &Path, expected: BTreeSet<String>) {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let found: BTreeSet<String> = std::fs::read_dir(folder).unwrap().map(entry).collect();
    assert_eq!(found, expected, "{}", folder.display());
}

/// Reads bytes as the document with this name; the error as people see it.
fn read_as(name: &str, bytes: &[u8]) -> Result<(), String> {
    fn read<D: Document>(bytes: &[u8]) -> Result<(), String> {
        document::read::<D>(bytes).map(drop).map_err(|error| error.to_string())
    }
    match name {
        Bundle::NAME => read::<Bundle>(bytes),
        Replies::NAME => read::<Replies>(bytes),
        ApprovalRequest::NAME => read::<ApprovalRequest>(bytes),
        ApprovalReply::NAME => read::<ApprovalReply>(bytes),
        Introduction::NAME => read::<Introduction>(bytes),
        SignedBatch::NAME => read::<SignedBatch>(bytes),
        SignedPolicy::NAME => read::<SignedPolicy>(bytes),
        SignedGenesis::NAME => read::<SignedGenesis>(bytes),
        other => panic!("no document is called {other}"),
    }
}

#[test]
fn valid_documents_are_stored_in_both_spellings() {
    let folder = folder("valid");
    let mut names = BTreeSet::from(["digests.json".to_owned()]);
    let mut digests = Map::new();
    for example in valid::examples() {
        let (json, hex) = (format!("{}.json", example.name), format!("{}.hex", example.name));
        same_as_file(&folder.join(&json), &example.json);
        same_as_file(&folder.join(&hex), &format!("{}\n", hex::encode(&example.binary)));
        assert_eq!(read_as(example.document, example.json.as_bytes()), Ok(()), "{json}");
        assert_eq!(read_as(example.document, &example.binary), Ok(()), "{hex}");
        names.extend([json, hex]);
        digests.insert(example.name.to_owned(), example.digests);
    }
    let digests = format!("{}\n", serde_json::to_string_pretty(&Value::Object(digests)).unwrap());
    same_as_file(&folder.join("digests.json"), &digests);
    nothing_else_lies_in(&folder, names);
}

#[test]
fn every_way_of_being_wrong_is_refused_and_named() {
    let folder = folder("invalid");
    let mut names = BTreeSet::from(["cases.json".to_owned()]);
    let (mut cases, mut others) = (Vec::new(), Vec::new());
    for case in invalid::cases() {
        let (file, text) = match std::str::from_utf8(&case.bytes) {
            Ok(text) if !case.bytes.starts_with(b"AIRL") => (format!("{}.json", case.name), text.to_owned()),
            _ => (format!("{}.hex", case.name), format!("{}\n", hex::encode(&case.bytes))),
        };
        let error = read_as(case.document, &case.bytes).expect_err(&file);
        if !error.contains(case.says) {
            others.push(format!("{file} should say {:?}: {error}", case.says));
        }
        same_as_file(&folder.join(&file), &text);
        cases.push(json!({ "file": file, "document": case.document, "error": error }));
        assert!(names.insert(file), "{} stands twice", case.name);
    }
    assert_eq!(others, Vec::<String>::new());
    let cases = format!("{}\n", serde_json::to_string_pretty(&cases).unwrap());
    same_as_file(&folder.join("cases.json"), &cases);
    nothing_else_lies_in(&folder, names);
}
