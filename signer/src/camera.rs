//! Pictures from outside, one after the other, whatever brings them: files, a pipe, a camera.
//!
//! `qr` opens a [`Source`] before the sandbox is entered and takes its pictures inside. Every source is hostile:
//! a size is checked before memory is taken for it, one picture is held at a time, and a picture that
//! cannot be read is a picture lost. What must stay true: all sources are read through [`Pictures`], so that what
//! is tested with recorded bytes is what runs with a camera.

mod files;
mod mjpeg;
mod raw;
#[cfg(target_os = "linux")]
mod v4l2;
mod y4m;

pub use files::Files;
pub use mjpeg::{Mjpeg, picture_of_jpeg};
pub use raw::{Layout, Raw};
pub use y4m::Y4m;

use airlock_shared::frames::{Luma, ScanError};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The most pixels of a stream's picture: a screen of 3840 by 2160.
pub const STREAM_PIXELS_MAX: u64 = 3840 * 2160;
/// What is read ahead of a stream.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// Why a source has no more pictures although it has not ended.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The operating system said no.
    #[error("{name}: {source}")]
    Io {
        /// What was read.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stream begins like neither Y4M nor MJPEG.
    #[error("{name} is neither a Y4M nor an MJPEG stream")]
    UnknownStream {
        /// What was read.
        name: String,
    },
    /// The stream's own description does not make sense.
    #[error("{name}: {why}")]
    Header {
        /// What was read.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The camera has no format that is read.
    #[error("{name} offers none of the formats GREY, MJPG, YUYV; it offers {offered}")]
    NoFormat {
        /// The device.
        name: String,
        /// What it offers.
        offered: String,
    },
    /// Cameras are read on Linux only.
    #[error("cameras are read on Linux only; files and --pipe remain")]
    NotLinux,
}

/// What a source gives.
#[derive(Debug)]
pub enum Look {
    /// A picture.
    Picture(Luma),
    /// A picture that could not be decoded, and of which file or device.
    Damaged {
        /// What was read.
        name: PathBuf,
        /// What is wrong with it.
        why: ScanError,
    },
}

/// A row of pictures.
pub trait Pictures {
    /// The next one; `None` at the end. It may wait for as long as a person does.
    fn next(&mut self) -> Result<Option<Look>, CameraError>;
}

/// Something opened, of which nothing was decoded yet.
pub enum Source {
    /// Picture files, already in memory.
    Files(Files),
    /// A pipe, or a recording.
    Stream(PathBuf, File),
    /// A camera that is taking pictures.
    Camera(Box<dyn Pictures + Send>),
}

impl Source {
    /// Opens a camera and starts it.
    #[cfg(target_os = "linux")]
    pub fn camera(device: &Path) -> Result<Self, CameraError> {
        v4l2::Camera::open(device).map(|camera| Self::Camera(Box::new(camera)))
    }

    /// Says that there are no cameras.
    #[cfg(not(target_os = "linux"))]
    pub fn camera(_device: &Path) -> Result<Self, CameraError> {
        Err(CameraError::NotLinux)
    }

    /// Opens a stream by name.
    pub fn stream(path: &Path) -> Result<Self, CameraError> {
        let failed = |source| CameraError::Io { name: path.display().to_string(), source };
        Ok(Self::Stream(path.into(), File::open(path).map_err(failed)?))
    }

    /// Does it go on until somebody ends it, or until all that is wanted was seen?
    pub const fn is_live(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    /// The pictures. What kind of stream it is, its first bytes say.
    pub fn pictures(self) -> Result<Box<dyn Pictures>, CameraError> {
        match self {
            Self::Files(files) => Ok(Box::new(files.pictures())),
            Self::Stream(path, file) => stream(path, BufReader::with_capacity(READ_AHEAD_BYTES, file)),
            Self::Camera(camera) => Ok(camera),
        }
    }
}

/// A stream by its first bytes.
pub fn stream(name: PathBuf, mut bytes: impl BufRead + 'static) -> Result<Box<dyn Pictures>, CameraError> {
    let shown = name.display().to_string();
    let start = bytes.fill_buf().map_err(|source| CameraError::Io { name: shown.clone(), source })?;
    match start {
        [b'Y', ..] => Ok(Box::new(Y4m::open(name, bytes)?)),
        [0xff, ..] => Ok(Box::new(Mjpeg::open(name, bytes))),
        // A pipe that its writer closed at once holds no pictures, which is no error of form.
        [] => Ok(Box::new(Mjpeg::open(name, bytes))),
        _ => Err(CameraError::UnknownStream { name: shown }),
    }
}

/// Do these first bytes begin a recording, which is read as a stream?
pub fn is_recording(path: &Path, start: &[u8]) -> bool {
    let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
    let named = ["mjpeg", "mjpg"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    start.starts_with(y4m::MAGIC) || (named && start.starts_with(b"\xff\xd8"))
}
