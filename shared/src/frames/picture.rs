//! Frame texts as pictures: PNG and animated GIF for files and screens, SVG for pages, half blocks for
//! a terminal.
//!
//! Whoever shows frames encodes each text once into a [`QrImage`] and keeps it. What must stay true:
//! the code is one alphanumeric segment, so the capacities of [`FrameSize`] are exact; four modules of
//! white surround every picture, whatever the theme behind it, because readers get lost without them.

use super::{FrameSize, Level, Luma};
use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use qrcode::{Color, EcLevel, QrCode, Version, bits::Bits};

/// White modules on each side; ISO/IEC 18004 asks for four.
const QUIET_MODULES: usize = 4;
const WHITE: u8 = 0xff;
const BLACK: u8 = 0;
/// Larger modules only make larger files; 32 pixels are 8 cm for version 20 on a common screen.
const PIXELS_PER_MODULE_MAX: u32 = 64;

/// Why a text has no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The text has a character outside QR's alphanumeric alphabet.
    #[error("character {found:?} at {at} is not in the QR alphanumeric alphabet")]
    Character {
        /// The character.
        found: char,
        /// Its place in the text, in bytes.
        at: usize,
    },
    /// The text does not fit into the QR code asked for.
    #[error("{found} characters are more than the {limit} of the QR code asked for")]
    TooLong {
        /// Characters of the text.
        found: usize,
        /// Characters that fit.
        limit: usize,
    },
    /// Modules of that many pixels are not drawn.
    #[error("{found} pixels per module is not between 1 and {PIXELS_PER_MODULE_MAX}")]
    PixelsPerModule {
        /// The pixels asked for.
        found: u32,
    },
    /// An animation has between 1 and 50 pictures a second.
    #[error("{found} frames a second is not between 1 and 50")]
    FramesPerSecond {
        /// The rate asked for.
        found: u16,
    },
    /// All pictures of an animation have one size, and there is at least one.
    #[error("an animation needs pictures, all of one size")]
    Sizes,
    /// The encoder of the format failed.
    #[error("the picture could not be encoded: {reason}")]
    Encoding {
        /// What it said.
        reason: String,
    },
}

/// The modules of one QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrImage {
    modules: usize,
    dark: Vec<bool>,
}

impl QrImage {
    /// The default number of pixels per module: below four, cameras begin to fail.
    pub const PIXELS_PER_MODULE: u32 = 4;

    /// Encodes a text of QR's alphanumeric alphabet into the smallest code that holds it, at the level
    /// of `size` and never larger than `size`. All frames of a transfer get the same version.
    pub fn encode(text: &str, size: FrameSize) -> Result<Self, PictureError> {
        const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        if let Some((at, found)) = text.char_indices().find(|(_, c)| !ALPHABET.contains(*c)) {
            return Err(PictureError::Character { found, at });
        }
        let size = size
            .fitting(text.len())
            .ok_or(PictureError::TooLong { found: text.len(), limit: size.characters() })?;
        let code =
            segment(text, size).map_err(|error| PictureError::Encoding { reason: error.to_string() })?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { modules: code.width(), dark })
    }

    /// Modules per side, the quiet zone included.
    pub fn side_modules(&self) -> usize {
        self.modules + 2 * QUIET_MODULES
    }

    /// The picture in black and white, `pixels_per_module` (1 to 64) for the side of a module.
    pub fn luma(&self, pixels_per_module: u32) -> Result<Luma, PictureError> {
        if !(1..=PIXELS_PER_MODULE_MAX).contains(&pixels_per_module) {
            return Err(PictureError::PixelsPerModule { found: pixels_per_module });
        }
        let scale = pixels_per_module as usize;
        let side = self.side_modules() * scale;
        let mut pixels = Vec::with_capacity(side * side);
        for y in 0..self.side_modules() {
            let row_at = pixels.len();
            for x in 0..self.side_modules() {
                let pixel = if self.is_dark(x, y) { BLACK } else { WHITE };
                pixels.extend(std::iter::repeat_n(pixel, scale));
            }
            for _ in 1..scale {
                pixels.extend_from_within(row_at..row_at + side);
            }
        }
        let side = side as u32;
        Luma::new(side, side, pixels).map_err(|error| PictureError::Encoding { reason: error.to_string() })
    }

    /// The picture as a PNG file.
    pub fn png(&self, pixels_per_module: u32) -> Result<Vec<u8>, PictureError> {
        let luma = self.luma(pixels_per_module)?;
        let mut file = Vec::new();
        // Rows repeat themselves: this is a sixth of what the fastest compression leaves, for a millisecond.
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::NoFilter)
            .write_image(luma.pixels(), luma.width(), luma.height(), image::ExtendedColorType::L8)
            .map_err(|error| PictureError::Encoding { reason: error.to_string() })?;
        Ok(file)
    }

    /// The picture for a terminal: two modules a character, black on white by escape sequences, so that
    /// a dark theme does not invert it. Every line ends with a reset and a line feed.
    pub fn terminal(&self) -> String {
        let side = self.side_modules();
        let mut text = String::new();
        for y in (0..side).step_by(2) {
            text.push_str("\x1b[38;5;16;48;5;231m");
            for x in 0..side {
                text.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            text.push_str("\x1b[0m\n");
        }
        text
    }

    /// Whether the module at a place of the picture is dark; the quiet zone and beyond are not.
    pub(super) fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = QUIET_MODULES..QUIET_MODULES + self.modules;
        inside.contains(&x)
            && inside.contains(&y)
            && self.dark[(y - QUIET_MODULES) * self.modules + (x - QUIET_MODULES)]
    }
}

/// One alphanumeric segment: the crate's own segmentation sometimes overflows a full code.
fn segment(text: &str, size: FrameSize) -> qrcode::QrResult<QrCode> {
    let level = match size.level() {
        Level::L => EcLevel::L,
        Level::M => EcLevel::M,
        Level::Q => EcLevel::Q,
        Level::H => EcLevel::H,
    };
    let mut bits = Bits::new(Version::Normal(size.version().into()));
    bits.push_alphanumeric_data(text.as_bytes())?;
    bits.push_terminator(level)?;
    QrCode::with_bits(bits, level)
}

/// An animated GIF that shows the pictures in order and loops for ever; ten a second is what most
/// cameras follow.
pub fn animation(
    images: &[QrImage],
    pixels_per_module: u32,
    frames_per_second: u16,
) -> Result<Vec<u8>, PictureError> {
    if !(1..=50).contains(&frames_per_second) {
        return Err(PictureError::FramesPerSecond { found: frames_per_second });
    }
    let first = images.first().ok_or(PictureError::Sizes)?;
    if images.iter().any(|image| image.modules != first.modules) {
        return Err(PictureError::Sizes);
    }
    let encoding = |error: gif::EncodingError| PictureError::Encoding { reason: error.to_string() };
    let side = u16::try_from(first.luma(pixels_per_module)?.width()).map_err(|_| PictureError::Sizes)?;
    let palette = [BLACK, BLACK, BLACK, WHITE, WHITE, WHITE];
    let mut encoder = gif::Encoder::new(Vec::new(), side, side, &palette).map_err(encoding)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(encoding)?;
    for image in images {
        let luma = image.luma(pixels_per_module)?;
        let indices: Vec<u8> = luma.pixels().iter().map(|pixel| u8::from(*pixel == WHITE)).collect();
        let mut frame = gif::Frame::from_indexed_pixels(side, side, indices, None);
        frame.delay = 100 / frames_per_second; // in hundredths of a second
        encoder.write_frame(&frame).map_err(encoding)?;
    }
    encoder.into_inner().map_err(|error| PictureError::Encoding { reason: error.to_string() })
}
