//! Documents in and out: files, pictures, cameras, and QR frames either way.
//!
//! Called by every command that crosses the gap. Reading has two steps: [`Inputs`] are opened before the
//! sandbox is entered, and decoded inside it (`live` takes pictures, `readers` read them, `progress` shows
//! how far it is). What must stay true: sizes and counts are bounded before anything is decoded; frames
//! come in any order, repeated, mixed with foreign codes and with other transfers; a transfer that is not
//! complete is an error that says how much is missing.

mod inputs;
mod live;
mod output;
pub mod progress;
mod readers;

pub use inputs::{Document, Inputs, Wanted};
pub use output::{Output, Written, images};

use crate::camera::CameraError;
use airlock_shared::frames::{FrameError, PictureError, ScanError};
use std::path::{Path, PathBuf};

/// The most files of one command.
pub const MAX_FILES: usize = 20_000;
/// The longest file.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most bytes of all files together.
pub const MAX_TOTAL_BYTES: u64 = 256 << 20;
/// The most documents of one command: a bundle a file is the usual case.
pub const MAX_DOCUMENTS: usize = 256;

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
    /// The stream ended, and no QR code of Airlock had been in it.
    #[error("the pictures ended: nothing of Airlock in {pictures} of them")]
    NothingSeen {
        /// How many pictures there were.
        pictures: u64,
    },
    /// Frames are missing.
    #[error("the transfer is incomplete: {have} frames of about {need}")]
    Incomplete {
        /// How many different frames were read.
        have: usize,
        /// How many suffice nearly always.
        need: usize,
    },
    /// Transfers are complete, but none that this command reads.
    #[error("what is complete is of another kind or name than asked for: {found}")]
    OtherKind {
        /// What they carry.
        found: &'static str,
    },
    /// Picture after picture took longer to read than any honest one.
    #[error("{pictures} pictures took longer than {seconds} s each to read, and were given up")]
    TooSlow {
        /// How many.
        pictures: usize,
        /// What one may take.
        seconds: u64,
    },
    /// A thread could not be started.
    #[error("no thread to read pictures with: {0}")]
    Threads(std::io::Error),
    /// The camera or the stream failed.
    #[error(transparent)]
    Camera(#[from] CameraError),
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

fn bound(what: &'static str, found: u64, limit: u64) -> Result<(), QrError> {
    if found > limit { Err(QrError::TooMuch { what, found, limit }) } else { Ok(()) }
}

/// What of a directory is read, in the order of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Folder {
    /// Scanned frames.
    Pictures,
    /// Signed-batch files, as the coordinator gives them.
    Files,
}

fn contents(directory: &Path, folder: Folder) -> Result<Vec<PathBuf>, QrError> {
    let wanted: &[&str] = match folder {
        Folder::Pictures => &["png", "gif", "jpg", "jpeg"],
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

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::frames::{Encoder, FrameSize, Level, QrImage};

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
        let folder = tempfile::tempdir().unwrap();
        let (whole, other) = (payload(1, 3_000), payload(2, 3_000));
        Output::open(folder.path()).unwrap().write("whole", "{}", &whole, 3, size()).unwrap();
        let stray = Encoder::new(&other, 1, size()).unwrap().frame(0);
        let png = QrImage::encode(&stray, size()).unwrap().png(4).unwrap();
        std::fs::write(folder.path().join("frames/a-stray.png"), png).unwrap();
        let found = Inputs::open(&[folder.path().join("frames")]).unwrap().documents().unwrap();
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
