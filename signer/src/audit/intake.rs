//! The files of an audit: which there are, what each says it is, and in which order they are judged.
//!
//! Called by `audit`. Two passes: the first reads every file and keeps only its place in the signer's journal;
//! the second, in that order, decodes and judges a few at a time, so that memory does not grow with the folder.
//! What must stay true: the first pass believes nothing, a place that is not the verified one is a finding of
//! the second, also in a file that changed between the two; lengths are bounded before anything is read.

use crate::qr::QrError;
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most files of one audit.
pub const MAX_FILES: usize = 200_000;
/// The longest file: a document's limit and room to say that it is too long.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// What there is to be audited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listed {
    /// Files to be read, each once, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Was a folder among the paths? Then a missing file is a finding.
    pub folder: bool,
    /// Files of the folders that are not read, because their names do not end in .json or .bin.
    pub left_out: Vec<PathBuf>,
}

/// Lists files, and the `.json` and `.bin` files of folders and of the folders in them.
pub fn list(paths: &[PathBuf]) -> Result<Listed, QrError> {
    let mut listed = Listed::default();
    for path in paths {
        if std::fs::metadata(path).map_err(io(path))?.is_dir() {
            listed.folder = true;
            list_folder(path, &mut listed, MAX_DEPTH)?;
        } else {
            listed.files.push(path.clone());
        }
        let found = listed.files.len() as u64;
        if found > MAX_FILES as u64 {
            return Err(QrError::TooMuch { what: "files", found, limit: MAX_FILES as u64 });
        }
    }
    listed.files.sort();
    listed.files.dedup();
    listed.left_out.sort();
    Ok(listed)
}

/// How deep folders are followed.
const MAX_DEPTH: usize = 8;

fn list_folder(folder: &Path, listed: &mut Listed, depth: usize) -> Result<(), QrError> {
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let entry = entry.map_err(io(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(io(folder))?);
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        if kind.is_dir() && depth > 0 {
            list_folder(&path, listed, depth - 1)?;
        } else if kind.is_file() && matches!(extension, "json" | "bin") {
            listed.files.push(path);
        } else {
            listed.left_out.push(path);
        }
        if listed.files.len() > MAX_FILES || listed.left_out.len() > MAX_FILES {
            let (found, limit) = (listed.files.len().max(listed.left_out.len()) as u64, MAX_FILES as u64);
            return Err(QrError::TooMuch { what: "files", found, limit });
        }
    }
    Ok(())
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> QrError + '_ {
    move |source| QrError::Io { path: path.into(), source }
}

/// What a file says it is, and where it belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Indexed {
    /// Its place in [`Listed::files`].
    pub place: usize,
    /// How many bytes.
    pub bytes: u64,
    /// Whose journal and which entry of it, as the file says; nothing for what is no signed batch.
    pub order: (Vec<u8>, u64),
}

/// Reads one file whole.
pub fn read(path: &Path) -> Result<Vec<u8>, QrError> {
    let file = File::open(path).map_err(io(path))?;
    let known = file.metadata().map_or(0, |found| found.len()).min(MAX_FILE_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(known).unwrap_or(0) + 1);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io(path))?;
    let found = bytes.len() as u64;
    if found > MAX_FILE_BYTES {
        return Err(QrError::TooMuch { what: "bytes of a file", found, limit: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

/// Indexes every file, on all cores, and puts them in the order in which they are judged. Files that cannot
/// be read come back with the reason.
pub fn index(files: &[PathBuf]) -> (Vec<Indexed>, Vec<(usize, QrError)>) {
    let places: Vec<usize> = (0..files.len()).collect();
    let each: Vec<_> = places.par_iter().map(|place| (*place, index_one(*place, &files[*place]))).collect();
    let (mut indexed, mut unread) = (Vec::with_capacity(each.len()), Vec::new());
    for (place, result) in each {
        match result {
            Ok(one) => indexed.push(one),
            Err(error) => unread.push((place, error)),
        }
    }
    indexed.sort_by(|a, b| (&a.order, a.place).cmp(&(&b.order, b.place)));
    (indexed, unread)
}

fn index_one(place: usize, path: &Path) -> Result<Indexed, QrError> {
    let bytes = read(path)?;
    let order = if bytes.starts_with(b"AIRL") { order_in_binary(&bytes) } else { order_in_json(&bytes) };
    Ok(Indexed { place, bytes: bytes.len() as u64, order: order.unwrap_or_default() })
}

#[derive(Deserialize)]
struct ReplyHead<'a> {
    #[serde(borrow)]
    receipt: ReceiptHead<'a>,
}

#[derive(Deserialize)]
struct ReceiptHead<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    entry: EntryHead<'a>,
    #[serde(borrow)]
    unacknowledged: Vec<EntryHead<'a>>,
}

#[derive(Deserialize)]
struct EntryHead<'a> {
    sequence: u64,
    #[serde(borrow)]
    signer: Cow<'a, str>,
    #[serde(borrow)]
    event: EventHead<'a>,
}

#[derive(Deserialize)]
struct EventHead<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

/// The signer and the entry that counts the batch as signed: its intent, else the receipt's own entry.
fn order_in_json(bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    // In the one canonical spelling this line opens the replies and stands nowhere else.
    const REPLIES: &str = "\n  \"replies\": ";
    let text = std::str::from_utf8(bytes).ok()?;
    let replies = &text[text.find(REPLIES)? + REPLIES.len()..];
    let mut json = serde_json::Deserializer::from_str(replies);
    let replies = Vec::<ReplyHead<'_>>::deserialize(&mut json).ok()?;
    let Some(ReplyHead { receipt }) = replies.into_iter().next() else { return hardware_in_json(text) };
    let intent = receipt.unacknowledged.iter().find(|entry| {
        entry.event.event == "intent" && entry.event.content.as_deref() == Some(&*receipt.content)
    });
    let sequence = intent.map_or(receipt.entry.sequence, |entry| entry.sequence);
    Some((hex::decode(&*receipt.entry.signer).ok()?, sequence))
}

/// A hardware wallet's batch: the coordinator that let it, and when.
fn hardware_in_json(text: &str) -> Option<(Vec<u8>, u64)> {
    #[derive(Deserialize)]
    struct Head {
        exported_at: u64,
    }
    fn field<'a, T: Deserialize<'a>>(text: &'a str, opening: &str) -> Option<T> {
        let from = &text[text.find(opening)? + opening.len()..];
        T::deserialize(&mut serde_json::Deserializer::from_str(from)).ok()
    }
    let coordinator: Cow<'_, str> = field(text, "\n    \"coordinator\": ")?;
    let head: Head = field(text, "\n  \"hardware\": ")?;
    Some((hex::decode(&*coordinator).ok()?, head.exported_at))
}

/// The same in CBOR, where fields have numbers: replies 3 of a signed batch or 0 of a reply document, receipt 0,
/// content 0, entry 5, unacknowledged 9; sequence 0, signer 3, event 4; in an event its kind 0 and content 6. Of a hardware
/// wallet: hardware 5 with the time at 0, envelope 0 with the coordinator at 3.
fn order_in_binary(bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (kind, body) = (*bytes.get(4)?, bytes.get(6..)?);
    let replies = if kind == 2 { 0 } else { 3 };
    if let Some(hardware) = field(body, 5).filter(|_| kind != 2) {
        let exported_at = minicbor::Decoder::new(field(hardware, 0)?).u64().ok()?;
        let coordinator = minicbor::Decoder::new(field(field(body, 0)?, 3)?).bytes().ok()?;
        return Some((coordinator.to_vec(), exported_at));
    }
    let receipt = field(first(field(body, replies)?)?, 0)?;
    let content = minicbor::Decoder::new(field(receipt, 0)?).bytes().ok()?;
    let entry = field(receipt, 5)?;
    let sequence = |entry: &[u8]| minicbor::Decoder::new(field(entry, 0)?).u64().ok();
    let mut found = sequence(entry)?;
    let earlier = field(receipt, 9).unwrap_or_default();
    let mut decoder = minicbor::Decoder::new(earlier);
    for _ in 0..decoder.array().ok().flatten().unwrap_or(0).min(64) {
        let start = decoder.position();
        decoder.skip().ok()?;
        let one = earlier.get(start..decoder.position())?;
        let event = field(one, 4)?;
        let is_intent = minicbor::Decoder::new(field(event, 0)?).u64().ok()? == 3;
        if is_intent && minicbor::Decoder::new(field(event, 6)?).bytes().ok()? == content {
            found = sequence(one)?;
        }
    }
    Some((minicbor::Decoder::new(field(entry, 3)?).bytes().ok()?.to_vec(), found))
}

/// The bytes of one field of a map.
fn field(map: &[u8], key: u64) -> Option<&[u8]> {
    let mut decoder = minicbor::Decoder::new(map);
    for _ in 0..decoder.map().ok()??.min(64) {
        let found = decoder.u64().ok()?;
        let start = decoder.position();
        decoder.skip().ok()?;
        if found == key {
            return map.get(start..decoder.position());
        }
    }
    None
}

/// The first element of a list.
fn first(list: &[u8]) -> Option<&[u8]> {
    let mut decoder = minicbor::Decoder::new(list);
    decoder.array().ok()??.checked_sub(1)?;
    list.get(decoder.position()..)
}
