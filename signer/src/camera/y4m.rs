//! Y4M, the plain form in which `ffmpeg -f yuv4mpegpipe` and others write pictures.
//!
//! ```text
//! YUV4MPEG2 W1920 H1080 F30:1 Ip A1:1 C420jpeg\n
//! FRAME\n  W*H bytes of brightness, then the colours, which are passed over
//! FRAME\n  ...
//! ```
//! What must stay true: lines and sizes are bounded before anything is kept; only eight bits a sample are
//! read; a last picture that breaks off is the end.

use super::{CameraError, Look, Pictures, STREAM_PIXELS_MAX};
use airlock_shared::frames::Luma;
use std::io::{BufRead, ErrorKind, Read as _};
use std::path::PathBuf;

/// How every such stream begins.
pub const MAGIC: &[u8] = b"YUV4MPEG2 ";
/// The longest line.
const LINE_MAX_BYTES: u64 = 256;
/// The longest side.
const SIDE_MAX: u64 = 8192;

/// A stream whose header has been read.
pub struct Y4m<R> {
    name: PathBuf,
    bytes: R,
    width: u32,
    height: u32,
    colour_bytes: u64,
}

impl<R: BufRead> Y4m<R> {
    /// Reads the header.
    pub fn open(name: PathBuf, mut bytes: R) -> Result<Self, CameraError> {
        let line = line(&mut bytes).map_err(|source| io(&name, source))?;
        let wrong = |why: String| CameraError::Header { name: name.display().to_string(), why };
        let text = line.ok_or_else(|| wrong("a first line longer than 256 characters".to_owned()))?;
        let Some(fields) = text.strip_prefix("YUV4MPEG2 ") else {
            return Err(wrong("the first line is not that of Y4M".to_owned()));
        };
        let (mut width, mut height, mut colours) = (0, 0, "420");
        for field in fields.split(' ') {
            match field.split_at_checked(1) {
                Some(("W", number)) => {
                    width = side(number).ok_or_else(|| wrong(format!("a width of {number}")))?
                }
                Some(("H", number)) => {
                    height = side(number).ok_or_else(|| wrong(format!("a height of {number}")))?;
                }
                Some(("C", name)) => colours = name,
                _ => {}
            }
        }
        if width == 0 || height == 0 || width * height > STREAM_PIXELS_MAX {
            return Err(wrong(format!("pictures of {width} by {height} pixels are not read")));
        }
        let colour_bytes = colour_bytes(colours, width, height)
            .ok_or_else(|| wrong(format!("colours {colours} are not read; ask for yuv420p or gray")))?;
        Ok(Self { name, bytes, width: width as u32, height: height as u32, colour_bytes })
    }

    /// The brightness of the next picture; `None` at the end, and where the stream breaks off.
    fn brightness(&mut self) -> Result<Option<Vec<u8>>, CameraError> {
        let line = line(&mut self.bytes).map_err(|source| io(&self.name, source))?;
        match line.as_deref() {
            Some("") => return Ok(None),
            Some(line) if line == "FRAME" || line.starts_with("FRAME ") => {}
            _ => {
                let why = "a picture does not begin with FRAME".to_owned();
                return Err(CameraError::Header { name: self.name.display().to_string(), why });
            }
        }
        let mut pixels = vec![0; self.width as usize * self.height as usize];
        match self.bytes.read_exact(&mut pixels) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(io(&self.name, error)),
        }
        let mut colours = self.bytes.by_ref().take(self.colour_bytes);
        std::io::copy(&mut colours, &mut std::io::sink()).map_err(|source| io(&self.name, source))?;
        Ok(Some(pixels))
    }
}

impl<R: BufRead> Pictures for Y4m<R> {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        let Some(pixels) = self.brightness()? else { return Ok(None) };
        Ok(Some(match Luma::new(self.width, self.height, pixels) {
            Ok(picture) => Look::Picture(picture),
            Err(why) => Look::Damaged { name: self.name.clone(), why },
        }))
    }
}

fn io(name: &std::path::Path, source: std::io::Error) -> CameraError {
    CameraError::Io { name: name.display().to_string(), source }
}

/// A line without its end, empty at the stream's end; `None` if it is too long.
fn line(bytes: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    bytes.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(Some(String::new())),
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
        // The stream ended within the line, or the line is too long.
        Some(_) => Ok(None),
    }
}

fn side(number: &str) -> Option<u64> {
    number.parse().ok().filter(|side| (1..=SIDE_MAX).contains(side))
}

/// How many bytes of colour follow the brightness; `None` for layouts that are not read.
fn colour_bytes(colours: &str, width: u64, height: u64) -> Option<u64> {
    Some(match colours {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => 2 * width.div_ceil(2) * height.div_ceil(2),
        "411" => 2 * width.div_ceil(4) * height,
        "422" => 2 * width.div_ceil(2) * height,
        "444" => 2 * width * height,
        "444alpha" => 3 * width * height,
        "mono" => 0,
        _ => return None,
    })
}
