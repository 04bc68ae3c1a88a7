//! The interactive review: pages, keys, and the eight words at the end.
//!
//! Called through [`super::ask`] where a person sits at a terminal. `state` decides what a key does and
//! `draw` what is seen, both without a terminal, so tests capture pages as they are; here is only the loop.
//! What must stay true: the words can be typed only after the bundle's page and every batch's summary and
//! exceptions have been on the screen to their last line; the time that is left goes on while one reads.

mod draw;
mod layout;
mod state;

pub use state::{Screen, Step};

use crate::terminal::{Key, Terminal};
use std::io;
use std::time::Duration;

/// How often the time that is left and the window's size are looked at.
const TURN: Duration = Duration::from_millis(250);

/// What the person decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// These words were typed.
    Words(String),
    /// They left without signing.
    Declined,
}

/// Shows the pages until the person decides. `now` tells UTC seconds.
pub fn read(screen: &mut Screen<'_>, now: impl Fn() -> u64) -> io::Result<Decision> {
    let mut terminal = Terminal::open()?;
    loop {
        let size = terminal.size();
        screen.resize(size);
        let lines = screen.show(now());
        terminal.draw(&lines, size)?;
        match terminal.key(TURN)? {
            None => {}
            Some(Key::Redraw) => terminal.redraw(),
            Some(key) => match screen.press(key) {
                Step::Stay => {}
                Step::Words(typed) => return Ok(Decision::Words(typed)),
                Step::Declined => return Ok(Decision::Declined),
            },
        }
    }
}
