//! The grey picture that the reader works on.
//!
//! Made by `scan.rs` from files and by the signer from camera pictures. What must stay true: a picture that
//! exists is within the limits of size, and has as many pixels as its sides say.

use super::ScanError;
use super::scan::check_size;
use image::{RgbImage, RgbaImage};

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

    /// In colour, without transparency.
    pub(super) fn of_rgb(image: &RgbImage) -> Result<Self, ScanError> {
        let pixels = image.pixels().map(|pixel| grey(pixel.0.map(u32::from)) as u8);
        Self::new(image.width(), image.height(), pixels.collect())
    }

    /// Transparent pixels count as white, as on paper.
    pub(super) fn of_rgba(image: RgbaImage) -> Result<Self, ScanError> {
        let pixels = image.pixels().map(|pixel| {
            let [r, g, b, a] = pixel.0.map(u32::from);
            ((grey([r, g, b]) * a + 255 * (255 - a)) / 255) as u8
        });
        Self::new(image.width(), image.height(), pixels.collect())
    }

    /// Half as wide and half as high, each pixel the mean of four; a last odd row or column is left out.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width as usize / 2, self.height as usize / 2);
        let mut pixels = Vec::with_capacity(width * height);
        let wide = (self.width as usize).max(1);
        for rows in self.pixels.chunks_exact(2 * wide) {
            let (upper, lower) = rows.split_at(wide);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            pixels.extend(pairs.map(|(a, b)| {
                let sum: u16 = a.iter().chain(b).map(|pixel| u16::from(*pixel)).sum();
                (sum / 4) as u8
            }));
        }
        Self { width: width as u32, height: height as u32, pixels }
    }

    /// Each pixel a mean of its neighbourhood, weighted 1-2-1 both ways: noise shrinks, edges stay in place.
    /// Beyond the border the picture goes on as at the border.
    pub(super) fn smoothed(&self) -> Self {
        let (wide, high) = (self.width as usize, self.height as usize);
        let row = |y: usize| &self.pixels[y * wide..(y + 1) * wide];
        let mut pixels = Vec::with_capacity(self.pixels.len());
        let mut sums = Vec::with_capacity(wide + 2);
        for y in 0..high {
            let (above, here, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(high - 1)));
            let columns = above.iter().zip(here).zip(below);
            sums.clear();
            sums.push(0);
            sums.extend(columns.map(|((a, b), c)| u16::from(*a) + 2 * u16::from(*b) + u16::from(*c)));
            sums.push(sums[wide]);
            sums[0] = sums[1];
            pixels.extend(sums.windows(3).map(|near| ((near[0] + 2 * near[1] + near[2]) / 16) as u8));
        }
        Self { width: self.width, height: self.height, pixels }
    }
}

impl std::fmt::Debug for Luma {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Luma({} x {})", self.width, self.height)
    }
}

/// ITU-R BT.601, as every camera's own grey.
const fn grey([r, g, b]: [u32; 3]) -> u32 {
    (299 * r + 587 * g + 114 * b) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, rows: &[&[u8]]) -> Luma {
        Luma::new(width, rows.len() as u32, rows.concat()).unwrap()
    }

    #[test]
    fn half_a_picture_is_the_mean_of_four_and_leaves_an_odd_edge_out() {
        let whole = picture(3, &[&[0, 100, 7], &[200, 100, 7], &[9, 9, 9]]);
        assert_eq!(whole.halved(), picture(1, &[&[100]]));
        assert_eq!(picture(1, &[&[5]]).halved().pixels().len(), 0);
    }

    #[test]
    fn smoothing_spreads_a_speck_and_keeps_the_edge() {
        let speck = picture(3, &[&[0, 0, 0], &[0, 160, 0], &[0, 0, 0]]);
        assert_eq!(speck.smoothed(), picture(3, &[&[10, 20, 10], &[20, 40, 20], &[10, 20, 10]]));
        assert_eq!(picture(2, &[&[0, 160]]).smoothed(), picture(2, &[&[40, 120]]));
        assert_eq!(Luma::new(0, 4, vec![]).unwrap().smoothed().pixels().len(), 0);
    }
}
