//! QR codes as SVG: one picture, or an animation that a browser shows at any size.
//!
//! The signer writes them beside PNG and GIF. What must stay true: black on white with the quiet zone whatever the
//! viewer's theme; no script; a viewer that knows no animation shows the first frame.

use super::{PictureError, QrImage};
use std::fmt::Write as _;

impl QrImage {
    /// The picture as an SVG document, one unit a module, scaled by whoever shows it.
    pub fn svg(&self) -> String {
        let side = self.side_modules();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
             <path d=\"{}\" stroke=\"#000\"/></svg>\n",
            self.strokes()
        )
    }

    /// Each run of dark modules as a stroke along the middle of its row.
    fn strokes(&self) -> String {
        let side = self.side_modules();
        let mut path = String::new();
        for y in 0..side {
            let (mut x, mut pen) = (0, None);
            while x < side {
                let run = (x..side).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    // Writing to a String cannot fail.
                    let _ = match pen {
                        None => write!(path, "M{x} {y}.5h{run}"),
                        Some(pen) => write!(path, "m{} 0h{run}", x - pen),
                    };
                    pen = Some(x + run);
                }
                x += run.max(1);
            }
        }
        path
    }
}

/// The pictures in order, over and over, as one SVG document: all lie on top of each other, and each is
/// visible in its turn.
pub fn svg_animation(images: &[QrImage], frames_per_second: u16) -> Result<String, PictureError> {
    let [first, others @ ..] = images else { return Err(PictureError::Sizes) };
    if !(1..=50).contains(&frames_per_second) {
        return Err(PictureError::FramesPerSecond { found: frames_per_second });
    }
    if images.iter().any(|image| image.side_modules() != first.side_modules()) {
        return Err(PictureError::Sizes);
    }
    if others.is_empty() {
        return Ok(first.svg());
    }
    let (side, frame_ms) = (first.side_modules(), 1000 / u64::from(frames_per_second));
    // The share of the loop for which one picture is visible, in thousandths of a percent.
    let share = 100_000 / images.len();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <style>.f{{visibility:hidden;animation:f {}ms steps(1) infinite}}\
         @keyframes f{{0%{{visibility:visible}}{}.{:03}%{{visibility:hidden}}}}</style>\n",
        frame_ms * images.len() as u64,
        share / 1000,
        share % 1000
    );
    for (number, image) in (0..).zip(images) {
        // The first lies below all others and is always there.
        let turn = match number {
            0 => String::new(),
            number => format!(" class=\"f\" style=\"animation-delay:{}ms\"", frame_ms * number),
        };
        let _ = writeln!(
            text,
            "<g{turn}><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{}\" stroke=\"#000\"/></g>",
            image.strokes()
        );
    }
    text.push_str("</svg>\n");
    Ok(text)
}
