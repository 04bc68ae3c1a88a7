//! A camera of Linux (V4L2), by the crate `linuxvideo`, which needs no system library.
//!
//! Opened, configured and started before the sandbox is entered: the format is chosen, two buffers are mapped,
//! and pictures are being taken. Inside, only buffers are taken from the device and given back
//! (`VIDIOC_DQBUF`, `VIDIOC_QBUF`), and at the end it is stopped (`VIDIOC_STREAMOFF`, `munmap`). What must stay true: what the
//! device says is hostile too, so that an impossible size is refused and a panic of the crate is an error.
//! This file has not run with a camera; what a camera's buffers hold is tested in `raw`.

use super::{CameraError, Layout, Look, Pictures, Raw, STREAM_PIXELS_MAX};
use airlock_shared::frames::ScanError;
use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, Device};
use std::io::{Error, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What is asked for; the device answers with the nearest that it has.
const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
/// What is read, the best first: grey needs no work, and JPEG comes at full size and speed where YUYV does not.
const FORMATS: [(PixelFormat, Layout); 4] = [
    (PixelFormat::from_fourcc(*b"GREY"), Layout::Grey),
    (PixelFormat::MJPG, Layout::Jpeg),
    (PixelFormat::JPEG, Layout::Jpeg),
    (PixelFormat::YUYV, Layout::Yuyv),
];

/// A camera that is taking pictures.
pub struct Camera {
    name: PathBuf,
    stream: ReadStream,
    raw: Raw,
}

impl Camera {
    /// Opens the device, chooses a format, and starts.
    pub fn open(device: &Path) -> Result<Self, CameraError> {
        let name = device.display().to_string();
        guarded(&name, || Self::start(device))?
    }

    fn start(path: &Path) -> Result<Self, CameraError> {
        let name = path.display().to_string();
        let failed = |source| CameraError::Io { name: name.clone(), source };
        let device = Device::open(path).map_err(failed)?;
        let offered: Vec<PixelFormat> = device
            .formats(BufType::VIDEO_CAPTURE)
            .filter_map(|format| format.ok().map(|format| format.pixel_format()))
            .collect();
        let Some((format, layout)) = FORMATS.into_iter().find(|(known, _)| offered.contains(known)) else {
            return Err(CameraError::NoFormat { name: name.clone(), offered: format!("{offered:?}") });
        };
        let capture = device.video_capture(PixFormat::new(WIDTH, HEIGHT, format)).map_err(failed)?;
        let given = capture.format();
        let (width, height, row_bytes) = (given.width(), given.height(), given.bytes_per_line());
        let pixels = u64::from(width) * u64::from(height);
        if given.pixel_format() != format || pixels == 0 || pixels > STREAM_PIXELS_MAX {
            let why = format!("the camera gives {width} by {height} in {:?}", given.pixel_format());
            return Err(CameraError::Header { name: name.clone(), why });
        }
        let stream = capture.into_stream().map_err(failed)?;
        Ok(Self { name: path.into(), stream, raw: Raw { layout, width, height, row_bytes } })
    }

    /// The bytes of the next buffer; `None` if the device marked them as damaged.
    fn buffer(&mut self) -> Result<Option<Vec<u8>>, CameraError> {
        let name = self.name.display().to_string();
        let stream = &mut self.stream;
        let taken = guarded(&name, || stream.dequeue(|view| Ok((!view.is_error()).then(|| view.to_vec()))))?;
        taken.map_err(|source| CameraError::Io { name, source })
    }
}

impl Pictures for Camera {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        let picture = match self.buffer()? {
            Some(bytes) => self.raw.picture(&bytes),
            None => Err(ScanError::Damaged { reason: "the camera says so".to_owned() }),
        };
        Ok(Some(match picture {
            Ok(picture) => Look::Picture(picture),
            Err(why) => Look::Damaged { name: self.name.clone(), why },
        }))
    }
}

/// The crate believes the lengths that a device reports, and panics where they are impossible.
fn guarded<T>(name: &str, act: impl FnOnce() -> T) -> Result<T, CameraError> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| CameraError::Io {
        name: name.to_owned(),
        source: Error::new(ErrorKind::InvalidData, "the device reports what cannot be"),
    })
}
