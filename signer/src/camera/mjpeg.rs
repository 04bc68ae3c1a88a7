//! MJPEG: JPEG pictures one after the other, as `ffmpeg -f mjpeg` and most cameras write them.
//!
//! A picture is cut out by its own markers: segments are passed over by their length, coded data up to the
//! next marker. What must stay true: one picture has at most [`PICTURE_MAX_BYTES`] and is then given up; after
//! anything that makes no sense the next start of a picture is looked for. Cameras leave the usual Huffman
//! tables out; the picture is marked so that the decoder puts them in.

use super::{CameraError, Look, Pictures, STREAM_PIXELS_MAX};
use airlock_shared::frames::{Luma, PictureFile, ScanError};
use std::io::{BufRead, Read as _};
use std::path::PathBuf;

/// The longest coded picture: a camera's of full size has about one megabyte.
pub const PICTURE_MAX_BYTES: usize = 8 << 20;

/// A stream of pictures.
pub struct Mjpeg<R> {
    name: PathBuf,
    bytes: R,
    /// The start of the next picture has been read, where the last one broke off.
    started: bool,
}

/// Where a picture's bytes led.
enum Cut {
    Whole(Vec<u8>),
    Broken(&'static str),
    End,
}

impl<R: BufRead> Mjpeg<R> {
    /// Nothing is read yet.
    pub const fn open(name: PathBuf, bytes: R) -> Self {
        Self { name, bytes, started: false }
    }

    fn byte(&mut self) -> std::io::Result<Option<u8>> {
        let next = self.bytes.fill_buf()?.first().copied();
        self.bytes.consume(usize::from(next.is_some()));
        Ok(next)
    }

    /// Passes over everything up to the start of a picture.
    fn seek_start(&mut self) -> std::io::Result<bool> {
        if std::mem::take(&mut self.started) {
            return Ok(true);
        }
        loop {
            let ahead = self.bytes.fill_buf()?;
            if ahead.is_empty() {
                return Ok(false);
            }
            let ones = ahead.iter().position(|byte| *byte == 0xff);
            let passed = ones.map_or(ahead.len(), |at| at + 1);
            self.bytes.consume(passed);
            if ones.is_some() && self.after_ff(&mut Vec::new())? == Some(marker::START) {
                return Ok(true);
            }
        }
    }

    /// The bytes of one picture, from its start, which has been read, to its end.
    fn cut(&mut self) -> std::io::Result<Cut> {
        let mut picture = vec![0xff, marker::START];
        let mut next = self.marker(&mut picture)?;
        loop {
            if picture.len() > PICTURE_MAX_BYTES {
                return Ok(Cut::Broken("longer than eight megabytes"));
            }
            match next {
                None => return Ok(Cut::End),
                Some(marker::NONE) => return Ok(Cut::Broken("no segment where one should begin")),
                Some(marker::START) => {
                    self.started = true;
                    return Ok(Cut::Broken("a picture begins within a picture"));
                }
                Some(marker::END) => return Ok(Cut::Whole(picture)),
                Some(marker) => {
                    if !self.segment(&mut picture)? {
                        return Ok(Cut::End);
                    }
                    let coded = marker == marker::SCAN;
                    next = if coded { self.coded(&mut picture)? } else { self.marker(&mut picture)? };
                }
            }
        }
    }

    /// The marker that must come now; `None` where the stream ends.
    fn marker(&mut self, picture: &mut Vec<u8>) -> std::io::Result<Option<u8>> {
        if self.byte()?.is_some_and(|byte| byte != 0xff) {
            return Ok(Some(marker::NONE));
        }
        self.after_ff(picture)
    }

    /// What follows a byte of all ones, of which there may be several.
    fn after_ff(&mut self, picture: &mut Vec<u8>) -> std::io::Result<Option<u8>> {
        loop {
            match self.byte()? {
                Some(0xff) => {}
                Some(byte) => {
                    picture.extend([0xff, byte]);
                    return Ok(Some(byte));
                }
                None => return Ok(None),
            }
        }
    }

    /// A segment's length and what it holds; false where the stream ends.
    fn segment(&mut self, picture: &mut Vec<u8>) -> std::io::Result<bool> {
        let (Some(high), Some(low)) = (self.byte()?, self.byte()?) else { return Ok(false) };
        picture.extend([high, low]);
        let rest = u64::from(u16::from_be_bytes([high, low])).saturating_sub(2);
        Ok(self.bytes.by_ref().take(rest).read_to_end(picture)? as u64 == rest)
    }

    /// Coded data and the marker that follows it; `None` where the stream ends.
    fn coded(&mut self, picture: &mut Vec<u8>) -> std::io::Result<Option<u8>> {
        while picture.len() <= PICTURE_MAX_BYTES {
            let ahead = self.bytes.fill_buf()?;
            if ahead.is_empty() {
                return Ok(None);
            }
            let plain = ahead.iter().position(|byte| *byte == 0xff);
            let taken = plain.unwrap_or(ahead.len());
            picture.extend_from_slice(&ahead[..taken]);
            self.bytes.consume(taken + usize::from(plain.is_some()));
            if plain.is_some() {
                match self.after_ff(picture)? {
                    Some(0 | marker::RESTART_FIRST..=marker::RESTART_LAST) => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Some(marker::NONE))
    }
}

impl<R: BufRead> Pictures for Mjpeg<R> {
    fn next(&mut self) -> Result<Option<Look>, CameraError> {
        let cut = match self.seek_start() {
            Ok(true) => self.cut(),
            Ok(false) => Ok(Cut::End),
            Err(error) => Err(error),
        };
        let failed = |source| CameraError::Io { name: self.name.display().to_string(), source };
        let picture = match cut.map_err(failed)? {
            Cut::End => return Ok(None),
            Cut::Broken(why) => Err(ScanError::Damaged { reason: why.to_owned() }),
            Cut::Whole(bytes) => picture_of_jpeg(&bytes),
        };
        Ok(Some(match picture {
            Ok(picture) => Look::Picture(picture),
            Err(why) => Look::Damaged { name: self.name.clone(), why },
        }))
    }
}

/// One picture of a camera.
pub fn picture_of_jpeg(bytes: &[u8]) -> Result<Luma, ScanError> {
    let Some(rest) = bytes.strip_prefix(&[0xff, marker::START]) else { return Err(ScanError::UnknownFormat) };
    let marked = [&[0xff, marker::START], MOTION_JPEG, rest].concat();
    let mut pictures = PictureFile::open_within(marked, STREAM_PIXELS_MAX)?;
    pictures.next().unwrap_or(Err(ScanError::UnknownFormat))
}

/// The segment by which decoders know pictures whose Huffman tables are the usual ones, and left out.
const MOTION_JPEG: &[u8] = b"\xff\xe0\x00\x07AVI1\x00";

/// The second bytes of markers; ITU-T T.81, table B.1.
mod marker {
    /// SOI.
    pub const START: u8 = 0xd8;
    /// EOI.
    pub const END: u8 = 0xd9;
    /// SOS: coded data follows the segment.
    pub const SCAN: u8 = 0xda;
    /// RST0 to RST7 are part of coded data.
    pub const RESTART_FIRST: u8 = 0xd0;
    /// The last of them.
    pub const RESTART_LAST: u8 = 0xd7;
    /// No marker: its second byte is never zero.
    pub const NONE: u8 = 0;
}
