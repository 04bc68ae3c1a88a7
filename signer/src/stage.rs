//! The screen on which secret words stand: another screen of the terminal that is gone afterwards.
//!
//! Called by `init`, `restore` and `backup` for words that are shown, asked back, or typed by a person who has to
//! see them. What must stay true: leaving by any way (done, Ctrl-C, an error) clears that screen, leaves nothing in
//! the scroll-back and restores the terminal; Ctrl-C reaches this program as a key and not as a signal, so that it
//! cannot end the process with the words still standing; what is typed never grows a buffer.

use crate::failure::{Exit, Failure};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::fs::File;
use std::io::{Read as _, Write as _};
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
    terminal: File,
    before: Termios,
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
    /// Takes the terminal of this process, whatever its standard streams are.
    pub fn enter() -> Result<Self, Failure> {
        let options = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty");
        let terminal = options.map_err(|_| {
            Failure::usage("there is no terminal to show words on or to type them at: name a descriptor")
        })?;
        let before = tcgetattr(&terminal).map_err(|error| broken(error.into()))?;
        let stage = Self { terminal, before };
        stage.mode(Echo::Seen)?;
        stage.write(ENTER)?;
        Ok(stage)
    }

    /// Lines stay lines, but the keys that would send a signal end a line instead.
    fn mode(&self, echo: Echo) -> Result<(), Failure> {
        let mut mode = self.before.clone();
        mode.local_modes.remove(LocalModes::ISIG | LocalModes::IEXTEN);
        mode.local_modes.insert(LocalModes::ICANON);
        mode.local_modes.set(LocalModes::ECHO, echo == Echo::Seen);
        mode.special_codes[SpecialCodeIndex::VEOL] = GIVE_UP[0];
        mode.special_codes[SpecialCodeIndex::VEOL2] = GIVE_UP[1];
        // What was typed before was not typed for this screen.
        tcsetattr(&self.terminal, OptionalActions::Flush, &mode).map_err(|error| broken(error.into()))
    }

    /// Columns of the terminal; 80 where it does not say.
    pub fn columns(&self) -> usize {
        match tcgetwinsize(&self.terminal) {
            Ok(size) if size.ws_col > 0 => size.ws_col.into(),
            _ => 80,
        }
    }

    /// Writes where the cursor is.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let mut terminal = &self.terminal;
        terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()).map_err(broken)
    }

    /// Empties the screen.
    pub fn clear(&self) -> Result<(), Failure> {
        self.write(CLEAR)
    }

    /// A line from the person, without its end. Ctrl-C, Ctrl-\ and a terminal that is gone give up everything.
    pub fn ask(&self, question: &str, echo: Echo) -> Result<Zeroizing<String>, Failure> {
        self.mode(echo)?;
        self.write(question)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES + 1));
        let mut byte = Zeroizing::new([0; 1]);
        loop {
            match (&self.terminal).read(&mut byte[..]) {
                Ok(0) => return Err(given_up()),
                Ok(_) if GIVE_UP.contains(&byte[0]) => return Err(given_up()),
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) if bytes.len() == MAX_LINE_BYTES => return Err(Failure::usage("a line without end")),
                Ok(_) => bytes.push(byte[0]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
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

impl Drop for Stage {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not take this.
        let _gone = self.write(LEAVE);
        let _gone = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Exit::Transfer, "terminal", error)
}

fn given_up() -> Failure {
    Failure::new(Exit::Refused, "given_up", "given up at the terminal; nothing was kept")
}
