//! The answer's frames in the terminal, for whoever has no printer and no second screen.
//!
//! Called by `sign` and `approve` with `--terminal`, after the files are written. What must stay true: that
//! there is a terminal is checked before anything is signed; the frames run until the person ends them, and
//! the terminal is left as it was.

use super::Place;
use crate::failure::{Exit, Failure};
use crate::terminal::show::Show;
use crate::terminal::{Key, Terminal};
use airlock_shared::frames::FrameSize;
use std::time::Instant;

/// May frames be shown, if they are wanted?
pub fn check(place: &Place, wanted: bool) -> Result<(), Failure> {
    if wanted && !(place.console.is_interactive() && Terminal::is_able()) {
        return Err(Failure::usage("--terminal needs a terminal"));
    }
    Ok(())
}

/// Shows the frames of one document, over and over, until the person ends it. `size` is the largest code;
/// a smaller window shows smaller ones.
pub fn run(name: &str, binary: &[u8], kind: u8, size: FrameSize) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::new(Exit::Transfer, "terminal", error);
    let mut terminal = Terminal::open().map_err(broken)?;
    let mut show = Show::new(name, binary, kind, size.version(), terminal.size());
    loop {
        let window = terminal.size();
        show.resize(window);
        terminal.draw_raw(show.lines(), window).map_err(broken)?;
        if show.is_pending() {
            show.prepare();
            terminal.draw_raw(show.lines(), window).map_err(broken)?;
        }
        let until = Instant::now() + show.pace();
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            match terminal.key(left).map_err(broken)? {
                None => break,
                Some(Key::Redraw) => terminal.redraw(),
                Some(key) if !show.press(key) => return Ok(()),
                // At once, or a key would seem to do nothing.
                Some(_) => terminal.draw_raw(show.lines(), window).map_err(broken)?,
            }
        }
        show.turn();
    }
}
