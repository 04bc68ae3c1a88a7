//! Picture files to grey pictures, one after the other, and to frame texts.
//!
//! The signer's camera makes [`Luma`] pictures itself or from JPEG; files of PNG, GIF and JPEG go through
//! [`PictureFile`] or, all in one, [`frames_of_picture`]. All come from outside, so sizes are checked before
//! pixels are decoded, and the formats' decoders run with limits and inside `catch_unwind`. What must stay
//! true: a picture can be refused or show nothing, and that is all it can do.

use super::Luma;
use super::{QrScanner, Scanner};
use image::codecs::{gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageError, Limits};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest file that is looked at.
const FILE_MAX_BYTES: usize = 64 << 20;
/// The most pixels of one picture: a phone's camera has twelve million.
const PIXELS_MAX: u64 = 1 << 24;
/// The longest side of a picture.
const SIDE_MAX_PIXELS: u32 = 8192;
/// The most pixels of an animation's screen, which its decoder keeps twice in colour.
const SCREEN_PIXELS_MAX: u64 = 1 << 23;
/// The most pictures of an animation, and their pixels together: more than the longest transfer needs.
const ANIMATION_FRAMES_MAX: usize = 8192;
const ANIMATION_PIXELS_MAX: u64 = 1 << 31;
/// What a decoder of a file format may allocate: the largest picture in colour, and half of it again.
const DECODER_ALLOCATION_MAX_BYTES: u64 = 6 * PIXELS_MAX;

/// Why a picture was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The file is longer than what is looked at.
    #[error("a picture file of {found} bytes is longer than {limit}")]
    FileTooLong {
        /// Bytes of the file.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The picture is larger than what is looked at.
    #[error("a picture of {width} by {height} pixels is too large")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Pixels and dimensions do not agree.
    #[error("{found} pixels are not {width} by {height}")]
    PixelCount {
        /// Pixels given.
        found: usize,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The animation has more pictures, or more pixels in all, than what is looked at.
    #[error("the animation is too long: stopped after {frames} pictures")]
    AnimationTooLong {
        /// Pictures looked at.
        frames: usize,
    },
    /// The file is none of the formats that are read.
    #[error("the file is neither a PNG, a GIF nor a JPEG picture")]
    UnknownFormat,
    /// The file is damaged, or it wants more memory than it may have.
    #[error("the picture file cannot be decoded: {reason}")]
    Damaged {
        /// What the decoder said.
        reason: String,
    },
}

/// Is a picture of this size looked at?
pub(super) fn check_size(width: u32, height: u32) -> Result<(), ScanError> {
    let pixels = u64::from(width) * u64::from(height);
    if width > SIDE_MAX_PIXELS || height > SIDE_MAX_PIXELS || pixels > PIXELS_MAX {
        return Err(ScanError::TooLarge { width, height });
    }
    Ok(())
}

/// Is it a file of a format that is read, by its first bytes?
pub fn is_picture(file: &[u8]) -> bool {
    Format::of(file).is_some()
}

#[derive(Clone, Copy)]
enum Format {
    Png,
    Gif,
    Jpeg,
}

impl Format {
    fn of(file: &[u8]) -> Option<Self> {
        match file {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// The texts of the QR codes in a PNG, GIF or JPEG file, in the order of an animation's pictures, read by
/// [`QrScanner`].
pub fn frames_of_picture(file: &[u8]) -> Result<Vec<String>, ScanError> {
    scan_picture(file, &QrScanner)
}

/// As [`frames_of_picture`], with a scanner of the caller's choice.
pub fn scan_picture(file: &[u8], scanner: &dyn Scanner) -> Result<Vec<String>, ScanError> {
    let mut texts = Vec::new();
    for picture in PictureFile::open(file)? {
        texts.extend(scanner.scan(&picture?));
    }
    Ok(texts)
}

/// The pictures of one file, decoded one at a time; it ends after the first error.
pub struct PictureFile<'a> {
    still: Option<Luma>,
    animation: Option<Frames<'a>>,
    taken: usize,
    most: usize,
}

impl<'a> PictureFile<'a> {
    /// Decodes a PNG or JPEG file, or the beginning of a GIF file.
    pub fn open(file: impl AsRef<[u8]> + 'a) -> Result<Self, ScanError> {
        Self::open_within(file, PIXELS_MAX)
    }

    /// The same for pictures of at most so many pixels.
    pub fn open_within(file: impl AsRef<[u8]> + 'a, pixels_max: u64) -> Result<Self, ScanError> {
        let found = file.as_ref().len();
        if found > FILE_MAX_BYTES {
            return Err(ScanError::FileTooLong { found, limit: FILE_MAX_BYTES });
        }
        let format = Format::of(file.as_ref()).ok_or(ScanError::UnknownFormat)?;
        let file = Cursor::new(file);
        guarded(move || match format {
            Format::Png => still(PngDecoder::with_limits(file, limits()).map_err(damaged)?, pixels_max),
            Format::Jpeg => still(JpegDecoder::new(file).map_err(damaged)?, pixels_max),
            Format::Gif => {
                let mut decoder = GifDecoder::new(file).map_err(damaged)?;
                let (width, height) = decoder.dimensions();
                let pixels = u64::from(width) * u64::from(height);
                check_size(width, height)?;
                if pixels > SCREEN_PIXELS_MAX.min(pixels_max) {
                    return Err(ScanError::TooLarge { width, height });
                }
                decoder.set_limits(limits()).map_err(damaged)?;
                let most = ANIMATION_FRAMES_MAX.min((ANIMATION_PIXELS_MAX / pixels.max(1)) as usize);
                Ok(Self { still: None, animation: Some(decoder.into_frames()), taken: 0, most })
            }
        })
    }

    fn advance(&mut self) -> Option<Result<Luma, ScanError>> {
        let Some(animation) = &mut self.animation else { return self.still.take().map(Ok) };
        let frame = animation.next()?;
        if self.taken == self.most {
            return Some(Err(ScanError::AnimationTooLong { frames: self.taken }));
        }
        self.taken += 1;
        Some(frame.map_err(damaged).and_then(|frame| Luma::of_rgba(frame.into_buffer())))
    }
}

impl Iterator for PictureFile<'_> {
    type Item = Result<Luma, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let picture = guarded(|| Ok(self.advance())).unwrap_or_else(|error| Some(Err(error)));
        if matches!(picture, Some(Err(_))) {
            self.animation = None;
        }
        picture
    }
}

/// The formats' decoders see foreign bytes.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ScanError>) -> Result<T, ScanError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ScanError::Damaged { reason: "the decoder gave up".to_owned() }))
}

/// One whole picture, in whatever colours it came.
fn still<'a>(mut decoder: impl ImageDecoder, pixels_max: u64) -> Result<PictureFile<'a>, ScanError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    if u64::from(width) * u64::from(height) > pixels_max {
        return Err(ScanError::TooLarge { width, height });
    }
    decoder.set_limits(limits()).map_err(damaged)?;
    if decoder.total_bytes() > DECODER_ALLOCATION_MAX_BYTES {
        return Err(ScanError::TooLarge { width, height });
    }
    let picture = match DynamicImage::from_decoder(decoder).map_err(damaged)? {
        DynamicImage::ImageLuma8(grey) => Luma::new(width, height, grey.into_raw())?,
        DynamicImage::ImageRgb8(colour) => Luma::of_rgb(&colour)?,
        DynamicImage::ImageRgba8(colour) => Luma::of_rgba(colour)?,
        other => Luma::of_rgba(other.into_rgba8())?,
    };
    Ok(PictureFile { still: Some(picture), animation: None, taken: 0, most: 1 })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX_PIXELS);
    limits.max_image_height = Some(SIDE_MAX_PIXELS);
    limits.max_alloc = Some(DECODER_ALLOCATION_MAX_BYTES);
    limits
}

fn damaged(error: ImageError) -> ScanError {
    ScanError::Damaged { reason: error.to_string() }
}
