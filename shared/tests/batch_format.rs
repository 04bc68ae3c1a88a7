//! `docs/batch-format.md` against the code: its worked example, digests and words are what the code makes.
//!
//! A block that opens with ```` ```hex NAME ```` holds bytes with comments after `#`; together they must be the
//! part of the worked example that NAME says. A block ```` ```digests ```` holds lines `name value` that must
//! stand in `fixtures/batch/valid/digests.json`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use airlock_shared::document::{self, Document};
use airlock_shared::envelope::{Bundle, Replies};
use airlock_shared::form;
use airlock_shared::words::words;
use std::path::Path;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The lines of the block that opens with ```` ``` ```` and this word.
fn block<'a>(doc: &'a str, opening: &str) -> Vec<&'a str> {
    let start = format!("```{opening}");
    let lines: Vec<_> =
        doc.lines().skip_while(|line| *line != start).skip(1).take_while(|line| *line != "```").collect();
    assert!(!lines.is_empty(), "the document has no block {opening}");
    lines
}

fn hex_of(lines: &[&str]) -> Vec<u8> {
    let digits = |line: &&str| line.split('#').next().unwrap_or("").split_whitespace().collect::<String>();
    hex::decode(lines.iter().map(digits).collect::<String>()).unwrap()
}

#[test]
fn the_worked_example_is_what_the_code_makes() {
    let doc = file("docs/batch-format.md");
    let stored = hex::decode(file("fixtures/batch/valid/bundle-worked-example.hex").trim_end()).unwrap();
    let bundle: Bundle = document::read(&stored).unwrap();
    let shown = hex_of(&block(&doc, "hex bundle"));
    let differs = shown.iter().zip(&stored).position(|(a, b)| a != b);
    assert_eq!((differs, shown.len()), (None, stored.len()), "the shown bundle differs from the fixture");
    assert_eq!(bundle.to_binary(), stored);
    assert!(contains(&stored, &form::to_cbor(&bundle.envelopes[0].content)));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_digests_and_words_shown_are_those_of_the_example() {
    let doc = file("docs/batch-format.md");
    let stored = hex::decode(file("fixtures/batch/valid/bundle-worked-example.hex").trim_end()).unwrap();
    let envelope = document::read::<Bundle>(&stored).unwrap().envelopes.remove(0);
    let reply = hex::decode(file("fixtures/batch/valid/reply-to-worked-example.hex").trim_end()).unwrap();
    let receipt = document::read::<Replies>(&reply).unwrap().replies.remove(0).receipt;
    let content = envelope.content.digest();
    let expected = [
        format!("content    {content}"),
        format!("words      {}", words(&content)),
        format!("approvals  {}", airlock_shared::approval::digest_of(&envelope.approvals)),
        format!("envelope   {}", envelope.digest()),
        format!("receipt    {}", receipt.digest()),
        format!("head       {}", receipt.entry.head(airlock_shared::journal::Chain::Journal)),
    ];
    assert_eq!(block(&doc, "digests"), expected);
}
