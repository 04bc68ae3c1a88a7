//! What comes in: opened before the sandbox, decoded inside it, and told apart by what the command wants.
//!
//! Called by every command that reads documents. Files are read into memory; streams and cameras are only
//! opened. What must stay true: sizes and counts are bounded before anything is decoded; a document of a kind that
//! the command does not read never takes the place of one that it does; where several would do, the person chooses.

use super::live::{self, Found};
use super::progress::{Screen, kind_name};
use super::{
    Folder, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, QrError, bound, contents, io,
};
use crate::args;
use crate::camera::{Files, Source, is_recording};
use crate::console::Console;
use crate::failure::Failure;
use airlock_shared::frames::{Payload, TransferId, is_picture};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One document, as it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Where it came from, for messages.
    pub origin: String,
    /// What the frames said it is; `None` for a file.
    pub kind: Option<u8>,
    /// Its bytes: canonical CBOR or JSON, nothing checked yet.
    pub bytes: Vec<u8>,
}

/// What a command reads.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Kinds of documents; none means any.
    kinds: Vec<u8>,
    /// One only, of which the person may choose.
    one: bool,
    /// The beginning of a transfer's name that the person gave.
    transfer: Option<String>,
}

impl Wanted {
    /// One document of this kind.
    pub fn one(kind: u8) -> Self {
        Self { kinds: vec![kind], one: true, transfer: None }
    }

    /// All documents of this kind.
    pub fn all(kind: u8) -> Self {
        Self { kinds: vec![kind], one: false, transfer: None }
    }

    /// All documents of any kind.
    pub fn any() -> Self {
        Self::default()
    }

    /// Is it this transfer, by its name and the kind that its frames claim?
    pub fn is(&self, id: TransferId, kind: u8) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.transfer.as_ref().is_none_or(|name| id.is_called(name))
    }
}

/// Everything that was opened.
pub struct Inputs {
    documents: Vec<(PathBuf, Vec<u8>)>,
    sources: Vec<Source>,
    files: usize,
    transfer: Option<String>,
}

impl Inputs {
    /// Reads files, and the pictures of directories.
    pub fn open(paths: &[PathBuf]) -> Result<Self, QrError> {
        Self::open_with(paths, Folder::Pictures)
    }

    /// Reads files, and the JSON and binary files of directories.
    pub fn open_files(paths: &[PathBuf]) -> Result<Self, QrError> {
        Self::open_with(paths, Folder::Files)
    }

    /// Reads files, opens a pipe, or starts a camera, as the command line says.
    pub fn open_all(given: &args::Inputs) -> Result<Self, Failure> {
        if given.is_empty() {
            return Err(Failure::usage(
                "nothing to read: give files or folders, --camera DEVICE or --pipe FD",
            ));
        }
        let mut inputs = Self::open(&given.input)?;
        if let Some(descriptor) = given.pipe {
            inputs.sources.push(Source::stream(&descriptor.path()).map_err(QrError::Camera)?);
        }
        if let Some(device) = &given.camera {
            inputs.sources.push(Source::camera(device).map_err(QrError::Camera)?);
        }
        inputs.transfer.clone_from(&given.transfer);
        Ok(inputs)
    }

    /// Something that is open already.
    pub fn of(source: Source) -> Self {
        Self { documents: Vec::new(), sources: vec![source], files: 0, transfer: None }
    }

    fn open_with(paths: &[PathBuf], folder: Folder) -> Result<Self, QrError> {
        let mut names = Vec::new();
        for path in paths {
            if std::fs::metadata(path).map_err(io(path))?.is_dir() {
                names.extend(contents(path, folder)?);
            } else {
                names.push(path.clone());
            }
        }
        bound("files", names.len() as u64, MAX_FILES as u64)?;
        let mut inputs =
            Self { documents: Vec::new(), sources: Vec::new(), files: names.len(), transfer: None };
        let (mut total, mut pictures) = (0, Vec::new());
        for path in names {
            let Some(bytes) = whole(&path)? else {
                inputs.sources.push(Source::stream(&path)?);
                continue;
            };
            total += bytes.len() as u64;
            bound("bytes of all files", total, MAX_TOTAL_BYTES)?;
            let place = if is_picture(&bytes) { &mut pictures } else { &mut inputs.documents };
            place.push((path, bytes));
        }
        if !pictures.is_empty() {
            inputs.sources.insert(0, Source::Files(Files(pictures)));
        }
        Ok(inputs)
    }

    /// Every document: files as they are, frames gathered into transfers. Says nothing on the way.
    pub fn documents(self) -> Result<Vec<Document>, QrError> {
        let wanted = Wanted { transfer: self.transfer.clone(), ..Wanted::any() };
        self.read(&wanted, true)
    }

    /// The documents that a command wants, with progress on the terminal; the person chooses among several.
    pub fn wanted(self, console: &Console, wanted: Wanted) -> Result<Vec<Document>, Failure> {
        let wanted = Wanted { transfer: self.transfer.clone(), ..wanted };
        let found = self.read(&wanted, console.json())?;
        if wanted.one && found.len() > 1 { choose(console, found) } else { Ok(found) }
    }

    fn read(self, wanted: &Wanted, silent: bool) -> Result<Vec<Document>, QrError> {
        let plain = self.documents.into_iter();
        let mut documents: Vec<Document> = plain
            .map(|(path, bytes)| Document { origin: path.display().to_string(), kind: None, bytes })
            .collect();
        let mut others = Vec::new();
        for source in self.sources {
            let mut screen = Screen::new(silent, source.is_live());
            let is_wanted = |id, kind| wanted.is(id, kind);
            let is_live = source.is_live();
            let found =
                live::read(source, wanted, &mut |status| screen.show(|now| status.line(is_wanted, now)))?;
            screen.end(|now| found.status.line(is_wanted, now));
            let (mine, other) = sort(found, wanted, is_live, self.files)?;
            documents.extend(mine);
            others.extend(other);
        }
        bound("documents", documents.len() as u64, MAX_DOCUMENTS as u64)?;
        match (documents.is_empty(), others.first()) {
            (false, _) => Ok(documents),
            (true, Some(kind)) => Err(QrError::OtherKind { found: kind_name(*kind) }),
            (true, None) => Err(QrError::Nothing { files: self.files }),
        }
    }
}

/// The bytes of a file; `None` for a recording, which is read as a stream.
fn whole(path: &Path) -> Result<Option<Vec<u8>>, QrError> {
    let mut file = File::open(path).map_err(io(path))?;
    let mut bytes = Vec::new();
    file.by_ref().take(16).read_to_end(&mut bytes).map_err(io(path))?;
    if is_recording(path, &bytes) {
        return Ok(None);
    }
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(io(path))?;
    bound("bytes of a file", bytes.len() as u64, MAX_FILE_BYTES)?;
    Ok(Some(bytes))
}

/// The wanted documents of a source, and the kinds of the others. Stray frames of a transfer that is not complete are
/// no error beside one that is.
fn sort(
    found: Found,
    wanted: &Wanted,
    is_live: bool,
    files: usize,
) -> Result<(Vec<Document>, Vec<u8>), QrError> {
    let Found { complete, status, damaged } = found;
    let (mine, others): (Vec<_>, Vec<_>) =
        complete.into_iter().partition(|(id, one)| wanted.is(*id, one.kind));
    let nearest =
        status.under_way.iter().filter(|one| wanted.is(one.id, one.kind)).max_by_key(|one| one.have);
    match (nearest, damaged) {
        _ if !mine.is_empty() => {}
        (Some(one), _) => return Err(QrError::Incomplete { have: one.have, need: one.need }),
        _ if !others.is_empty() => {}
        (None, Some((path, source))) if status.pictures == 1 => {
            return Err(QrError::Picture { path, source });
        }
        (None, _) if is_live => return Err(QrError::NothingSeen { pictures: status.pictures }),
        (None, _) if files == 0 => return Err(QrError::Nothing { files }),
        (None, _) => {}
    }
    let document = |(id, payload): (TransferId, Payload)| Document {
        origin: format!("transfer {id}"),
        kind: Some(payload.kind),
        bytes: payload.bytes,
    };
    Ok((mine.into_iter().map(document).collect(), others.iter().map(|(_, payload)| payload.kind).collect()))
}

/// Asks which of several; without a person it is an error that names them.
fn choose(console: &Console, found: Vec<Document>) -> Result<Vec<Document>, Failure> {
    if !console.is_interactive() {
        let names: Vec<&str> = found.iter().map(|one| one.origin.as_str()).collect();
        return Err(Failure::usage(format!(
            "{} documents would do ({}); give one, or choose by --transfer",
            found.len(),
            names.join(", ")
        )));
    }
    for (number, document) in (1..).zip(&found) {
        let kind = document.kind.map_or("file", kind_name);
        console.note(format_args!("{number}: {kind}, {} bytes, {}", document.bytes.len(), document.origin));
    }
    let typed = console.line(&format!("Which of the {}? ", found.len()))?;
    let chosen = typed.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match chosen.and_then(|place| found.into_iter().nth(place)) {
        Some(document) => Ok(vec![document]),
        None => Err(Failure::usage("none of them was chosen")),
    }
}
