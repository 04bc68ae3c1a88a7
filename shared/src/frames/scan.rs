//! Picture files to frame texts, and the grey picture that every reader works on.
//!
//! The signer's camera gives [`Luma`] pictures to a [`Scanner`]; files go through [`frames_of_picture`].
//! Both come from outside, so sizes are checked before pixels are decoded, and the formats' decoders
//! run with limits and inside `catch_unwind`. What must stay true: a picture can be refused or show
//! nothing, and that is all it can do.

use super::{QrScanner, Scanner};
use image::codecs::{gif::GifDecoder, png::PngDecoder};
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, Limits, RgbaImage};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest file that is looked at.
const FILE_MAX_BYTES: usize = 64 << 20;
/// The most pixels of one picture: a phone's camera has twelve million.
const PIXELS_MAX: u64 = 1 << 24;
/// The longest side of a picture.
const SIDE_MAX_PIXELS: u32 = 8192;
/// The most pictures of an animation, and their pixels together: more than the longest transfer needs.
const ANIMATION_FRAMES_MAX: usize = 8192;
const ANIMATION_PIXELS_MAX: u64 = 1 << 31;
/// What a decoder of a file format may allocate: three times the largest picture in colour.
const DECODER_ALLOCATION_MAX_BYTES: u64 = 3 * 4 * PIXELS_MAX;

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
    /// The file is neither PNG nor GIF.
    #[error("the file is neither a PNG nor a GIF picture")]
    UnknownFormat,
    /// The file is damaged, or it wants more memory than it may have.
    #[error("the picture file cannot be decoded: {reason}")]
    Damaged {
        /// What the decoder said.
        reason: String,
    },
}

/// A picture in grey levels, row by row, 0 black to 255 white; its size is within the limits.
#[derive(Clone, PartialEq, Eq)]
pub struct Luma {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Luma {
    /// `pixels` are `width * height` grey levels, at most 2^24 of them and 8,192 in a row or column.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, ScanError> {
        check_size(width, height)?;
        if pixels.len() as u64 != u64::from(width) * u64::from(height) {
            return Err(ScanError::PixelCount { found: pixels.len(), width, height });
        }
        Ok(Self { width, height, pixels })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The grey levels, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Transparent pixels count as white, as on paper.
    fn of_rgba(image: &RgbaImage) -> Result<Self, ScanError> {
        let pixels = image.pixels().map(|pixel| {
            let [r, g, b, a] = pixel.0.map(u32::from);
            let grey = (299 * r + 587 * g + 114 * b) / 1000;
            ((grey * a + 255 * (255 - a)) / 255) as u8
        });
        Self::new(image.width(), image.height(), pixels.collect())
    }
}

impl std::fmt::Debug for Luma {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Luma({} x {})", self.width, self.height)
    }
}

fn check_size(width: u32, height: u32) -> Result<(), ScanError> {
    let pixels = u64::from(width) * u64::from(height);
    if width > SIDE_MAX_PIXELS || height > SIDE_MAX_PIXELS || pixels > PIXELS_MAX {
        return Err(ScanError::TooLarge { width, height });
    }
    Ok(())
}

/// The texts of the QR codes in a PNG or GIF file, in the order of an animation's pictures, read by
/// [`QrScanner`].
pub fn frames_of_picture(file: &[u8]) -> Result<Vec<String>, ScanError> {
    scan_picture(file, &QrScanner)
}

/// As [`frames_of_picture`], with a scanner of the caller's choice.
pub fn scan_picture(file: &[u8], scanner: &dyn Scanner) -> Result<Vec<String>, ScanError> {
    if file.len() > FILE_MAX_BYTES {
        return Err(ScanError::FileTooLong { found: file.len(), limit: FILE_MAX_BYTES });
    }
    // The formats' decoders see foreign bytes too.
    catch_unwind(AssertUnwindSafe(|| match file {
        [0x89, b'P', b'N', b'G', ..] => scan_png(file, scanner),
        [b'G', b'I', b'F', b'8', ..] => scan_gif(file, scanner),
        _ => Err(ScanError::UnknownFormat),
    }))
    .unwrap_or_else(|_| Err(ScanError::Damaged { reason: "the decoder gave up".to_owned() }))
}

fn scan_png(file: &[u8], scanner: &dyn Scanner) -> Result<Vec<String>, ScanError> {
    let decoder = PngDecoder::with_limits(Cursor::new(file), limits()).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let picture = match DynamicImage::from_decoder(decoder).map_err(damaged)? {
        DynamicImage::ImageLuma8(grey) => Luma::new(width, height, grey.into_raw())?,
        other => Luma::of_rgba(&other.to_rgba8())?,
    };
    Ok(scanner.scan(&picture))
}

fn scan_gif(file: &[u8], scanner: &dyn Scanner) -> Result<Vec<String>, ScanError> {
    let mut decoder = GifDecoder::new(Cursor::new(file)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(damaged)?;
    let pixels = (u64::from(width) * u64::from(height)).max(1);
    let frames_max = ANIMATION_FRAMES_MAX.min((ANIMATION_PIXELS_MAX / pixels) as usize);
    let mut texts = Vec::new();
    for (index, frame) in decoder.into_frames().enumerate() {
        if index == frames_max {
            return Err(ScanError::AnimationTooLong { frames: index });
        }
        let picture = Luma::of_rgba(frame.map_err(damaged)?.buffer())?;
        texts.extend(scanner.scan(&picture));
    }
    Ok(texts)
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
