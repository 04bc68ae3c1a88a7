//! The answer's frames in the terminal, for whoever has no printer and no second screen.
//!
//! Called by `sign` and `approve` with `--terminal`, after the files are written. What must stay true: that
//! there is a terminal is checked before anything is signed; the frames run until the person ends them, and
//! the screen is left clear.

use super::Place;
use crate::failure::Failure;
use crate::qr::images;
use airlock_shared::frames::FrameSize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Ten frames a second, what most cameras follow.
const FRAME_TIME: Duration = Duration::from_millis(100);
/// Clears the screen and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// May frames be shown, if they are wanted?
pub fn check(place: &Place, wanted: bool) -> Result<(), Failure> {
    if wanted && !place.console.is_interactive() {
        return Err(Failure::usage("--terminal needs a terminal"));
    }
    Ok(())
}

/// Shows the frames of one document, over and over, until Enter is pressed.
pub fn run(place: &Place, name: &str, binary: &[u8], kind: u8, size: FrameSize) -> Result<(), Failure> {
    let images = images(binary, kind, size)?;
    let side = images.iter().map(|image| image.side_modules()).max().unwrap_or(0);
    let rows = side.div_ceil(2) + 1;
    place.console.line(&format!(
        "\nThe frames of {name} need {side} columns and {rows} rows (a smaller --qr-version needs less). Enter begins. "
    ))?;
    let stop = AtomicBool::new(false);
    place.console.note(CLEAR);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut line = String::new();
            let _ = std::io::stdin().read_line(&mut line);
            stop.store(true, Ordering::Relaxed);
        });
        for image in images.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // Home, the frame, and a line for people; the frame has its own quiet zone.
            place.console.show(&format!("\x1b[H{}Enter ends.", image.terminal()));
            std::thread::sleep(FRAME_TIME);
        }
    });
    place.console.note(CLEAR);
    Ok(())
}
