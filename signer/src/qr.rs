//! Documents in and out: files, pictures, and QR frames either way.
//!
//! Called by every command that crosses the gap. Reading has two steps: [`Inputs::open`] takes the bytes
//! of every file before the sandbox is entered; [`Inputs::documents`] decodes pictures inside it. What
//! must stay true: sizes and counts are bounded before anything is decoded; frames come in any order,
//! repeated, mixed with foreign codes and with other transfers; a transfer that is not complete is an
//! error that says how much is missing.

use airlock_shared::frames::{
    Encoder, FrameError, FrameSize, Payload, PictureError, QrImage, ScanError, animation, frames_of_picture,
    gather,
};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most files of one command.
pub const MAX_FILES: usize = 20_000;
/// The longest file.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most bytes of all files together.
pub const MAX_TOTAL_BYTES: u64 = 256 << 20;
/// The most documents of one command: a bundle a file is the usual case.
pub const MAX_DOCUMENTS: usize = 256;
/// Frames shown a second; what most cameras follow.
const FRAMES_PER_SECOND: u16 = 10;

/// Why documents could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// The operating system said no.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too many files, documents, or bytes.
    #[error("{what}: {found}, at most {limit} are read")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there was.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A single picture that cannot be read.
    #[error("{path}: {source}")]
    Picture {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ScanError,
    },
    /// No QR code of Airlock and no document was found.
    #[error("nothing of Airlock was found in {files} files")]
    Nothing {
        /// How many files were read.
        files: usize,
    },
    /// Frames are missing.
    #[error("the transfer is incomplete: {have} frames of about {need}")]
    Incomplete {
        /// How many different frames were read.
        have: usize,
        /// How many suffice nearly always.
        need: usize,
    },
    /// The frames do not fit together, or the payload is too long for frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Drawing(#[from] PictureError),
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> QrError + '_ {
    move |source| QrError::Io { path: path.into(), source }
}

/// The bytes of every input file.
pub struct Inputs {
    files: Vec<(PathBuf, Vec<u8>)>,
}

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

/// What of a directory is read, in the order of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Folder {
    /// Scanned frames.
    Pictures,
    /// Signed-batch files, as the coordinator gives them.
    Files,
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
        let mut total = 0;
        let mut files = Vec::with_capacity(names.len());
        for path in names {
            let mut bytes = Vec::new();
            let file = File::open(&path).map_err(io(&path))?;
            file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io(&path))?;
            bound("bytes of a file", bytes.len() as u64, MAX_FILE_BYTES)?;
            total += bytes.len() as u64;
            bound("bytes of all files", total, MAX_TOTAL_BYTES)?;
            files.push((path, bytes));
        }
        Ok(Self { files })
    }

    /// Every document: files as they are, frames gathered into transfers.
    pub fn documents(self) -> Result<Vec<Document>, QrError> {
        let count = self.files.len();
        let (pictures, plain): (Vec<_>, Vec<_>) =
            self.files.into_iter().partition(|(_, bytes)| is_picture(bytes));
        let mut documents: Vec<_> = plain
            .into_iter()
            .map(|(path, bytes)| Document { origin: path.display().to_string(), kind: None, bytes })
            .collect();
        documents.extend(transfers(texts(&pictures)?)?);
        bound("documents", documents.len() as u64, MAX_DOCUMENTS as u64)?;
        if documents.is_empty() { Err(QrError::Nothing { files: count }) } else { Ok(documents) }
    }
}

fn bound(what: &'static str, found: u64, limit: u64) -> Result<(), QrError> {
    if found > limit { Err(QrError::TooMuch { what, found, limit }) } else { Ok(()) }
}

fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG") || bytes.starts_with(b"GIF8")
}

fn contents(directory: &Path, folder: Folder) -> Result<Vec<PathBuf>, QrError> {
    let wanted: &[&str] = match folder {
        Folder::Pictures => &["png", "gif"],
        Folder::Files => &["json", "bin"],
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io(directory))? {
        let path = entry.map_err(io(directory))?.path();
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_lowercase();
        if wanted.contains(&extension.as_str()) && path.is_file() {
            names.push(path);
            bound("files", names.len() as u64, MAX_FILES as u64)?;
        }
    }
    names.sort();
    Ok(names)
}

/// The texts of all codes. One unreadable picture among many is a lost frame; a lone one is an error.
fn texts(pictures: &[(PathBuf, Vec<u8>)]) -> Result<Vec<String>, QrError> {
    let scanned: Vec<_> = pictures.par_iter().map(|(_, bytes)| frames_of_picture(bytes)).collect();
    let mut texts = Vec::new();
    for ((path, _), found) in pictures.iter().zip(scanned) {
        match found {
            Ok(found) => texts.extend(found),
            Err(source) if pictures.len() == 1 => {
                return Err(QrError::Picture { path: path.clone(), source });
            }
            Err(_) => {}
        }
    }
    Ok(texts)
}

/// The documents of a heap of frames. Stray frames of a transfer that is not complete are no error beside
/// one that is.
fn transfers(texts: Vec<String>) -> Result<Vec<Document>, QrError> {
    let gathered = gather(texts, MAX_DOCUMENTS)?;
    if let (true, Some(missing)) = (gathered.complete.is_empty(), gathered.incomplete.first()) {
        return Err(QrError::Incomplete { have: missing.have, need: missing.need });
    }
    let document = |(number, payload): (usize, Payload)| Document {
        origin: format!("frames, transfer {}", number + 1),
        kind: Some(payload.kind),
        bytes: payload.bytes,
    };
    Ok(gathered.complete.into_iter().enumerate().map(document).collect())
}

/// Where answers go.
pub struct Output {
    directory: PathBuf,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Written {
    /// The JSON document.
    pub json: PathBuf,
    /// The binary document.
    pub binary: PathBuf,
    /// The animation.
    pub animation: PathBuf,
    /// How many QR frames are in `frames/`.
    pub frames: usize,
}

impl Output {
    /// Makes the directory. Before the sandbox is entered.
    pub fn open(directory: &Path) -> Result<Self, QrError> {
        let frames = directory.join("frames");
        std::fs::create_dir_all(&frames).map_err(io(&frames))?;
        Ok(Self { directory: directory.into() })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes one document four ways: `NAME.json`, `NAME.bin`, `frames/NAME-0001.png` …, `NAME.gif`.
    pub fn write(
        &self,
        name: &str,
        json: &str,
        binary: &[u8],
        kind: u8,
        size: FrameSize,
    ) -> Result<Written, QrError> {
        let written = Written {
            json: self.put(&format!("{name}.json"), json.as_bytes())?,
            binary: self.put(&format!("{name}.bin"), binary)?,
            animation: self.directory.join(format!("{name}.gif")),
            frames: 0,
        };
        let images = images(binary, kind, size)?;
        self.remove_old_frames(name)?;
        let pngs: Vec<_> = images.par_iter().map(|image| image.png(QrImage::PIXELS_PER_MODULE)).collect();
        for (number, png) in (1..).zip(pngs) {
            self.put(&format!("frames/{name}-{number:04}.png"), &png?)?;
        }
        let gif = animation(&images, QrImage::PIXELS_PER_MODULE, FRAMES_PER_SECOND)?;
        self.put(&format!("{name}.gif"), &gif)?;
        Ok(Written { frames: images.len(), ..written })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, QrError> {
        let path = self.directory.join(name);
        std::fs::write(&path, bytes).map_err(io(&path))?;
        Ok(path)
    }

    /// Frames of an earlier answer under the same name would be scanned as a second transfer.
    fn remove_old_frames(&self, name: &str) -> Result<(), QrError> {
        let frames = self.directory.join("frames");
        for path in contents(&frames, Folder::Pictures)? {
            let file = path.file_name().and_then(|text| text.to_str()).unwrap_or_default();
            if file.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) {
                std::fs::remove_file(&path).map_err(io(&path))?;
            }
        }
        Ok(())
    }
}

/// The QR codes of a document: enough frames that losing some does not matter.
pub fn images(binary: &[u8], kind: u8, size: FrameSize) -> Result<Vec<QrImage>, QrError> {
    let encoder = Encoder::new(binary, kind, size)?;
    let texts: Vec<_> = (0..encoder.suggested_frames()).map(|number| encoder.frame(number)).collect();
    let drawn: Result<Vec<_>, _> =
        texts.par_iter().map(|text| QrImage::encode(text, encoder.size())).collect();
    Ok(drawn?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::frames::Level;

    fn size() -> FrameSize {
        FrameSize::new(12, Level::L).unwrap()
    }

    fn payload(seed: u8, length: usize) -> Vec<u8> {
        (0..length).map(|place| (place as u8).wrapping_mul(31).wrapping_add(seed)).collect()
    }

    #[test]
    fn two_transfers_shuffled_into_one_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(folder.path()).unwrap();
        let (one, two) = (payload(1, 2_000), payload(2, 1_500));
        output.write("reply", "{}", &one, 3, size()).unwrap();
        output.write("other", "{}", &two, 4, size()).unwrap();
        std::fs::remove_file(folder.path().join("frames/reply-0002.png")).unwrap();
        let documents = Inputs::open(&[folder.path().join("frames")]).unwrap().documents().unwrap();
        let mut found: Vec<_> =
            documents.into_iter().map(|document| (document.kind, document.bytes)).collect();
        found.sort();
        assert_eq!(found, [(Some(3), one), (Some(4), two)]);
    }

    #[test]
    fn the_animation_and_the_binary_file_carry_the_same_document() {
        let folder = tempfile::tempdir().unwrap();
        let written = Output::open(folder.path()).unwrap().write("reply", "{}", &payload(5, 900), 2, size());
        let written = written.unwrap();
        let read = |path| Inputs::open(&[path]).unwrap().documents().unwrap().remove(0).bytes;
        assert_eq!(read(written.animation), payload(5, 900));
        assert_eq!(read(written.binary), payload(5, 900));
    }

    #[test]
    fn a_stray_frame_of_another_transfer_spoils_nothing() {
        let (whole, other) = (payload(1, 3_000), payload(2, 3_000));
        let texts = |bytes: &[u8]| -> Vec<_> { Encoder::new(bytes, 1, size()).unwrap().frames().collect() };
        let mut heap = texts(&other);
        heap.truncate(1);
        heap.extend(texts(&whole));
        heap.extend(texts(&whole));
        let found = transfers(heap).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bytes, whole);
    }

    #[test]
    fn missing_frames_are_counted_and_empty_folders_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(folder.path()).unwrap();
        let nothing = Inputs::open(&[folder.path().join("frames")]).unwrap().documents();
        assert!(matches!(nothing, Err(QrError::Nothing { files: 0 })));
        output.write("reply", "{}", &payload(1, 3_000), 3, size()).unwrap();
        let frames = contents(&folder.path().join("frames"), Folder::Pictures).unwrap();
        let few = Inputs::open(&frames[..2]).unwrap().documents();
        assert!(matches!(few, Err(QrError::Incomplete { have: 2, .. })));
    }
}
