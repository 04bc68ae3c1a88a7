//! The screen on which secret words stand: another screen of the terminal that is gone afterwards.
//!
//! Called by `init`, `restore` and `backup` for words that are shown, asked back, or typed by a person who has to
//! see them. What must stay true: leaving by any way (done, Ctrl-C, an error, a request to end) clears that screen, leaves
//! nothing in the scroll-back and then restores the terminal; Ctrl-C reaches this program as a key and not as a signal, so
//! that it cannot end the process with the words still standing.

use crate::failure::Failure;
use crate::terminal::lines::Lines;
use zeroize::Zeroizing;

pub use crate::terminal::lines::Echo;

/// The other screen, empty.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";
/// Empty again, then the screen that was there.
const LEAVE: &str = "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l";
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// The screen, until it is dropped.
pub struct Stage {
    /// Dropped after the screen has been cleared.
    lines: Lines,
}

impl Stage {
    /// Takes the terminal over. Standard input and standard error must be one.
    pub fn enter() -> Result<Self, Failure> {
        let lines = Lines::standard().map_err(|_| {
            Failure::usage("there is no terminal to show words on or to type them at: name a descriptor")
        })?;
        let stage = Self { lines };
        stage.write(ENTER)?;
        Ok(stage)
    }

    /// Writes where the cursor is.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        self.lines.write(text)
    }

    /// Empties the screen.
    pub fn clear(&self) -> Result<(), Failure> {
        self.write(CLEAR)
    }

    /// A line from the person, as [`Lines::ask`] reads it.
    pub fn ask(&self, question: &str, echo: Echo) -> Result<Zeroizing<String>, Failure> {
        self.lines.ask(question, echo)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not take this.
        let _gone = self.write(LEAVE);
    }
}
