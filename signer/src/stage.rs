//! The screen on which secret words stand: another screen of the terminal that is gone afterwards.
//!
//! Called by `init`, `restore` and `backup` for words that are shown, asked back, or typed by a person who has to
//! see them. What must stay true: leaving by any way (done, Ctrl-C, an error, a request to end) clears that screen, leaves nothing in
//! the scroll-back and restores the terminal; Ctrl-C reaches this program as a key and not as a signal, so that it
//! cannot end the process with the words still standing; what is typed never grows a buffer.

use crate::failure::{Exit, Failure};
use crate::terminal::ending::Watch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::cell::Cell;
use std::io::{self, Write as _};
use zeroize::Zeroizing;

/// The other screen, empty.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";
/// Empty again, then the screen that was there.
const LEAVE: &str = "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l";
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";
/// Ctrl-C and Ctrl-\ as bytes.
const GIVE_UP: [u8; 2] = [0x03, 0x1c];
/// The kernel hands over no longer line than this.
const MAX_LINE_BYTES: usize = 4_096;

/// The screen, until it is dropped.
pub struct Stage {
    before: Termios,
    echo: Cell<Echo>,
    /// Dropped after the terminal has been restored.
    watch: Watch,
}

/// What is typed: seen or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// On this screen, which is cleared.
    Seen,
    /// Nowhere.
    Hidden,
}

impl Stage {
    /// Takes the terminal over. Standard input and standard error must be one.
    pub fn enter() -> Result<Self, Failure> {
        let before = tcgetattr(io::stdin()).map_err(|_| {
            Failure::usage("there is no terminal to show words on or to type them at: name a descriptor")
        })?;
        let watch = Watch::begin().map_err(broken)?;
        let stage = Self { before, echo: Cell::new(Echo::Seen), watch };
        stage.mode(Echo::Seen)?;
        stage.write(ENTER)?;
        Ok(stage)
    }

    /// Lines stay lines, but the keys that would send a signal end a line instead.
    fn mode(&self, echo: Echo) -> Result<(), Failure> {
        let mut mode = self.before.clone();
        mode.local_modes.remove(LocalModes::ISIG);
        // The second of the keys below ends a line only with the extensions.
        mode.local_modes.insert(LocalModes::ICANON | LocalModes::IEXTEN);
        mode.local_modes.set(LocalModes::ECHO, echo == Echo::Seen);
        mode.special_codes[SpecialCodeIndex::VEOL] = GIVE_UP[0];
        mode.special_codes[SpecialCodeIndex::VEOL2] = GIVE_UP[1];
        self.echo.set(echo);
        // What was typed before was not typed for this.
        tcsetattr(io::stdin(), OptionalActions::Flush, &mode).map_err(|error| broken(error.into()))
    }

    /// Writes where the cursor is.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stderr().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(broken)
    }

    /// Empties the screen.
    pub fn clear(&self) -> Result<(), Failure> {
        self.write(CLEAR)
    }

    /// A line from the person, without its end. Ctrl-C, Ctrl-\, a request to end and a terminal
    /// that is gone give up everything.
    pub fn ask(&self, question: &str, echo: Echo) -> Result<Zeroizing<String>, Failure> {
        // Several lines may be pasted at once, so only a change throws away what is waiting.
        if self.echo.get() != echo {
            self.mode(echo)?;
        }
        self.write(question)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES + 1));
        let mut byte = Zeroizing::new([0; 1]);
        loop {
            self.wait()?;
            // Past the standard library's buffer, which would keep what was typed.
            match rustix::io::read(io::stdin(), &mut byte[..]) {
                Ok(0) | Err(rustix::io::Errno::IO) => return Err(given_up()),
                Ok(_) if GIVE_UP.contains(&byte[0]) => return Err(given_up()),
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) if bytes.len() == MAX_LINE_BYTES => return Err(Failure::usage("a line without end")),
                Ok(_) => bytes.push(byte[0]),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(broken(error.into())),
            }
        }
        if echo == Echo::Hidden {
            self.write("\n")?;
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage("what was typed is not text"))?;
        let mut line = Zeroizing::new(String::with_capacity(bytes.len()));
        line.push_str(text);
        Ok(line)
    }
}

impl Stage {
    /// Until something was typed; a request to end gives up.
    fn wait(&self) -> Result<(), Failure> {
        let stdin = io::stdin();
        let mut typed = [PollFd::new(&stdin, PollFlags::IN)];
        let turn = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        while !self.watch.is_asked() {
            match poll(&mut typed, Some(&turn)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(broken(error.into())),
            }
        }
        Err(given_up())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not take this.
        let _gone = self.write(LEAVE);
        let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Exit::Transfer, "terminal", error)
}

fn given_up() -> Failure {
    Failure::new(Exit::Refused, "given_up", "given up at the terminal; nothing was kept")
}
