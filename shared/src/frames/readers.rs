//! The reader of QR codes: rxing, asked about a picture in the sizes and the smoothness in which it reads best.
//!
//! `scan.rs`, and the signer for its camera, call it. Measured on pictures of version 20 and 25 (see
//! `examples/frames_bench_pictures.rs`): large pictures are read faster and better at half their size, and noisy
//! ones after smoothing; a second library read nothing that this does not. Pictures are hostile: ones full
//! of finder patterns make a reader try every combination, so candidates are counted first and combinations
//! are capped. What must stay true: a panic of the library is a picture without codes, and no picture costs more than
//! a second or so (there is no clock here; the signer reads on threads with a deadline all the same).

use super::{Frame, Luma};
use rxing::common::{BitMatrix, DetectorRXingResult as _, HybridBinarizer};
use rxing::qrcode::cpp_port::{decoder, detector};
use rxing::{Binarizer as _, Luma8LuminanceSource};
use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Finds and reads the QR codes of a picture.
pub trait Scanner {
    /// The texts of all codes that were found and read, each once; none is no error.
    fn scan(&self, picture: &Luma) -> Vec<String>;
}

/// What Airlock uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct QrScanner;

/// Pictures with more pixels are tried at half their size first: a version 20 that fills such a picture has
/// more than six pixels a module, and three are enough.
const SMALL_PIXELS: usize = 700_000;
/// Larger ones are not smoothed as they are, only at half their size and less: it takes time and memory.
const SMOOTHED_PIXELS_MAX: usize = 1 << 22;

impl Scanner for QrScanner {
    /// The smallest size first, then the same again smoothed. It ends with the first look at which a frame
    /// appears: other codes in the picture may be easier to read, and must not hide it.
    fn scan(&self, picture: &Luma) -> Vec<String> {
        let mut halves = Vec::new();
        while halves.last().unwrap_or(picture).pixels().len() > SMALL_PIXELS {
            halves.push(halves.last().unwrap_or(picture).halved());
        }
        let sizes = || halves.iter().rev().chain([picture]);
        let mut texts = Vec::new();
        for size in sizes() {
            if look(size, &mut texts) {
                return texts;
            }
        }
        for size in sizes().filter(|size| size.pixels().len() <= SMOOTHED_PIXELS_MAX) {
            if look(&size.smoothed().smoothed(), &mut texts) {
                break;
            }
        }
        texts
    }
}

/// Adds what is read and not yet known; tells whether a frame is among it.
fn look(picture: &Luma, texts: &mut Vec<String>) -> bool {
    for text in guarded(|| read(&black_and_white(picture)?)) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.iter().any(|text| Frame::is_ours(text))
}

fn guarded(read: impl FnOnce() -> Option<Vec<String>>) -> Vec<String> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten().unwrap_or_default()
}

/// The smallest QR code has 21 modules, and the reader does not expect less.
const SIDE_MIN_PIXELS: u32 = 21;

/// Black is true. The threshold follows the brightness of the neighbourhood.
fn black_and_white(picture: &Luma) -> Option<BitMatrix> {
    let (width, height) = (picture.width(), picture.height());
    if width < SIDE_MIN_PIXELS || height < SIDE_MIN_PIXELS {
        return None;
    }
    let source = Luma8LuminanceSource::new(picture.pixels().to_vec(), width, height).ok()?;
    HybridBinarizer::new(source).get_black_matrix().ok().cloned()
}

/// Candidates that may be looked at. A code has three finder patterns, and each row of its modules
/// some three places that look like one: a full version 20 has about 300 in all, a full version 40
/// about 1,000. A picture with more is noisy, and may have fewer when it is smoothed.
const CANDIDATES_MAX: usize = 6_000;
/// Finder patterns that are combined, and combinations that are tried.
const PATTERNS_MAX: usize = 128;
const COMBINATIONS_MAX: usize = 200;

/// The same steps as rxing's own reader of several codes, with an end to each.
fn read(bits: &BitMatrix) -> Option<Vec<String>> {
    if candidates(bits, CANDIDATES_MAX) == CANDIDATES_MAX {
        return None;
    }
    // Large patterns first: what looks like one within a code or in noise is smaller than its corners.
    let mut patterns = detector::FindFinderPatterns(bits, true, 0);
    patterns.sort_by_key(|pattern| Reverse(pattern.size));
    patterns.truncate(PATTERNS_MAX);
    let mut sets = detector::GenerateFinderPatternSets(&mut patterns);
    sets.sort_by_key(|set| Reverse(set.bl.size + set.tl.size + set.tr.size));
    let mut used = Vec::new();
    let mut texts = Vec::new();
    for set in sets.iter().take(COMBINATIONS_MAX) {
        let corners = [set.bl, set.tl, set.tr];
        if corners.iter().any(|corner| used.contains(corner)) {
            continue;
        }
        let code = detector::SampleQR(bits, set).and_then(|found| decoder::Decode(found.getBits()));
        if let Some(code) = code.ok().filter(|code| code.isValid()) {
            used.extend(corners);
            texts.push(code.text());
        }
    }
    (!texts.is_empty()).then_some(texts)
}

/// How many places have dark and light runs of about 1:1:3:1:1 in a row, as finder patterns have, and
/// not also in the row above; counting stops at `limit`. The tolerance is wider than the reader's,
/// so that it finds no more patterns than are counted here.
fn candidates(bits: &BitMatrix, limit: usize) -> usize {
    let mut count = 0;
    let mut above = Vec::new();
    for y in 0..bits.height() {
        let row = row_candidates(bits, y);
        let is_new = |at: &u32| !above.iter().any(|seen: &u32| seen.abs_diff(*at) <= 1);
        count += row.iter().filter(|at| is_new(at)).count();
        if count >= limit {
            return limit;
        }
        above = row;
    }
    count
}

/// Where in a row the candidates end.
fn row_candidates(bits: &BitMatrix, y: u32) -> Vec<u32> {
    let mut places = Vec::new();
    let mut runs = [0u32; 5]; // the last five, the current one last
    let mut dark = false;
    for x in 0..=bits.width() {
        let now = x < bits.width() && bits.get(x, y);
        if now != dark {
            if dark && is_finder(runs) {
                places.push(x);
            }
            runs.rotate_left(1);
            runs[4] = 0;
            dark = now;
        }
        runs[4] += 1;
    }
    places
}

/// Each run is within its share of the outer runs' mean, give or take that mean and a pixel.
fn is_finder([a, b, centre, c, d]: [u32; 5]) -> bool {
    let mean = (a + b + c + d).div_ceil(4);
    let side = |run: u32| run > 0 && run <= 2 * mean + 1;
    [a, b, c, d].into_iter().all(side) && centre + mean + 1 >= 3 * mean && centre <= 4 * mean + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{FrameSize, Level, QrImage};

    /// Finder patterns without end, `step` pixels apart, at `scale` pixels a module.
    fn wall(side: usize, step: usize, scale: usize) -> Luma {
        const PATTERN: [u8; 7] =
            [0b111_1111, 0b100_0001, 0b101_1101, 0b101_1101, 0b101_1101, 0b100_0001, 0b111_1111];
        let is_dark = |x: usize, y: usize| {
            let (x, y) = (x % step / scale, y % step / scale);
            x < 7 && y < 7 && PATTERN[y] >> x & 1 == 1
        };
        let pixels = (0..side * side).map(|i| if is_dark(i % side, i / side) { 0 } else { 255 });
        Luma::new(side as u32, side as u32, pixels.collect()).unwrap()
    }

    #[test]
    fn a_full_code_has_far_fewer_candidates_than_a_reader_may_see() {
        for (version, expected_max) in [(20, 400), (25, 600), (40, 1300)] {
            let size = FrameSize::new(version, Level::L).unwrap();
            let bytes: Vec<u8> = (0..size.bytes() as u64)
                .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
                .collect();
            let code = QrImage::encode(&base45::encode(bytes), size).unwrap().luma(3).unwrap();
            let found = candidates(&black_and_white(&code).unwrap(), usize::MAX);
            assert!((3..=expected_max).contains(&found), "version {version}: {found}");
        }
    }

    #[test]
    fn walls_of_finder_patterns_are_given_up_early() {
        for (side, step, scale) in [(1024, 8, 1), (1024, 16, 2), (600, 19, 2)] {
            let bits = black_and_white(&wall(side, step, scale)).unwrap();
            let patterns = (side / step) * (side / step);
            assert!(candidates(&bits, usize::MAX) >= patterns, "every pattern is a candidate");
            assert_eq!(read(&bits), None);
        }
    }
}
