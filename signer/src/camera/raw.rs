//! Pictures as a camera's memory holds them, to grey ones.
//!
//! `v4l2` calls it with the bytes of one buffer. What must stay true: no byte outside the buffer is looked at, and a
//! buffer shorter than its layout says is a damaged picture.

use super::mjpeg::picture_of_jpeg;
use airlock_shared::frames::{Luma, ScanError};

/// How a picture lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// One byte of brightness a pixel (V4L2 `GREY`).
    Grey,
    /// Brightness and colour by turns (V4L2 `YUYV`).
    Yuyv,
    /// A JPEG picture, mostly without Huffman tables (V4L2 `MJPG`, `JPEG`).
    Jpeg,
}

/// What the camera said that its pictures are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw {
    /// Their layout.
    pub layout: Layout,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next; 0 where rows follow each other at once.
    pub row_bytes: u32,
}

impl Raw {
    /// The picture of one buffer.
    pub fn picture(&self, buffer: &[u8]) -> Result<Luma, ScanError> {
        let sample_bytes = match self.layout {
            Layout::Jpeg => return picture_of_jpeg(buffer),
            Layout::Grey => 1,
            Layout::Yuyv => 2,
        };
        let used = self.width as usize * sample_bytes;
        let stride = (self.row_bytes as usize).max(used);
        let mut pixels = Vec::with_capacity((self.width as usize * self.height as usize).min(buffer.len()));
        // The last row may end where its pixels end.
        for row in buffer.chunks(stride.max(1)).take(self.height as usize) {
            pixels.extend(row.iter().take(used).step_by(sample_bytes));
        }
        Luma::new(self.width, self.height, pixels)
    }
}
