//! The readers of QR codes, behind one trait: rxing, and rqrr for a second opinion.
//!
//! `scan.rs` and the signer's camera call them. Pictures are hostile: ones full of finder patterns make
//! either reader try every combination (measured on one megapixel of them: twelve seconds, and more
//! than three minutes), so candidates are counted first and combinations are capped. What must stay
//! true: a reader's panic is a picture without codes, and pictures of that kind cost seconds at most. The gate
//! counts what rxing would take for a pattern, so a picture drawn for rqrr alone may still be slow, and
//! there is no clock here: who scans does so where a person can stop it, or on a thread with a deadline.

use super::Luma;
use rxing::common::{BitMatrix, DetectorRXingResult as _, HybridBinarizer};
use rxing::qrcode::cpp_port::{decoder, detector};
use rxing::{Binarizer as _, Luma8LuminanceSource};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Finds and reads the QR codes of a picture.
pub trait Scanner {
    /// The texts of all codes that were found and read; none is no error.
    fn scan(&self, picture: &Luma) -> Vec<String>;
}

/// The reader that copes best with camera pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rxing;

/// A second opinion, good at screenshots and files, which is what it is asked about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rqrr;

/// What Airlock uses: [`Rxing`] first, and [`Rqrr`] where that finds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct QrScanner;

impl Scanner for Rxing {
    fn scan(&self, picture: &Luma) -> Vec<String> {
        guarded(|| read_with_rxing(&black_and_white(picture)?))
    }
}

impl Scanner for Rqrr {
    fn scan(&self, picture: &Luma) -> Vec<String> {
        guarded(|| read_with_rqrr(&black_and_white(picture)?))
    }
}

impl Scanner for QrScanner {
    fn scan(&self, picture: &Luma) -> Vec<String> {
        guarded(|| {
            let bits = black_and_white(picture)?;
            read_with_rxing(&bits).or_else(|| read_with_rqrr(&bits))
        })
    }
}

fn guarded(read: impl FnOnce() -> Option<Vec<String>>) -> Vec<String> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten().unwrap_or_default()
}

/// The smallest QR code has 21 modules, and the readers do not expect less.
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

/// Candidates that rxing may look at. A code has three finder patterns, and each row of its modules
/// some three places that look like one: a full version 20 has about 300 in all, a full version 40
/// about 1,000.
const RXING_CANDIDATES_MAX: usize = 20_000;
/// Finder patterns that are combined, and combinations that are tried, the most plausible first.
const RXING_PATTERNS_MAX: usize = 256;
const RXING_COMBINATIONS_MAX: usize = 1000;

/// The same steps as rxing's own reader of several codes, with an end to each.
fn read_with_rxing(bits: &BitMatrix) -> Option<Vec<String>> {
    if candidates(bits, RXING_CANDIDATES_MAX) == RXING_CANDIDATES_MAX {
        return None;
    }
    let mut patterns = detector::FindFinderPatterns(bits, true, 0);
    patterns.truncate(RXING_PATTERNS_MAX);
    let mut used = Vec::new();
    let mut texts = Vec::new();
    for set in detector::GenerateFinderPatternSets(&mut patterns).iter().take(RXING_COMBINATIONS_MAX) {
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

/// rqrr compares every pattern with every other and copies the picture for each pair (measured: half a
/// second for a hundred patterns, five seconds for four hundred), so it gets little to look at: no more
/// than a large screenshot with a few codes has.
const RQRR_PATTERNS_MAX: usize = 48;
const RQRR_CANDIDATES_MAX: usize = 1500;
const RQRR_PIXELS_MAX: u64 = 1 << 22;

fn read_with_rqrr(bits: &BitMatrix) -> Option<Vec<String>> {
    let (width, height) = (bits.width(), bits.height());
    let pixels = u64::from(width) * u64::from(height);
    if pixels > RQRR_PIXELS_MAX || candidates(bits, RQRR_CANDIDATES_MAX) == RQRR_CANDIDATES_MAX {
        return None;
    }
    if detector::FindFinderPatterns(bits, true, 0).len() > RQRR_PATTERNS_MAX {
        return None;
    }
    let is_black = |x: usize, y: usize| bits.get(x as u32, y as u32);
    let mut picture = rqrr::PreparedImage::prepare_from_bitmap(width as usize, height as usize, is_black);
    let codes = picture.detect_grids();
    Some(codes.iter().filter_map(|code| code.decode().ok()).map(|(_, text)| text).collect())
}

/// How many places have dark and light runs of about 1:1:3:1:1 in a row, as finder patterns have, and
/// not also in the row above; counting stops at `limit`. The tolerance is wider than either reader's,
/// so that neither finds more patterns than are counted here.
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
            assert_eq!(read_with_rqrr(&bits), None);
            assert_eq!(read_with_rxing(&bits), None);
        }
    }
}
