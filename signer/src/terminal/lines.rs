//! Lines that a person types at the terminal, shown or hidden.
//!
//! Used by `console` for passphrases, keys and words that nobody may see, and by `Stage`, which shows them. What must stay
//! true: the echo is off before a hidden question stands there, so that what is pasted at its sight is hidden too; leaving
//! by any way (a line, Ctrl-C, an error, a request to end) gives the terminal back as it was; what was typed for something
//! else, or beyond the line, is thrown away, and is no command for the shell; what is typed never grows a buffer.

use super::ending::Watch;
use crate::failure::{Exit, Failure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use zeroize::Zeroizing;

/// Ctrl-C and Ctrl-\ as bytes.
const GIVE_UP: [u8; 2] = [0x03, 0x1c];
/// The kernel hands over no longer line than this.
const MAX_LINE_BYTES: usize = 4_096;

/// The terminal while lines are asked for. Dropping it restores what was there. One at a time.
pub struct Lines {
    typed: File,
    shown: File,
    before: Termios,
    echo: Cell<Echo>,
    /// Dropped after the terminal has been restored.
    watch: Watch,
}

/// What is typed: seen or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// Where it is typed.
    Seen,
    /// Nowhere.
    Hidden,
}

impl Lines {
    /// The terminal of this session, wherever standard input and output lead; the echo is off at once. An error means
    /// that there is none.
    pub fn hidden() -> io::Result<Self> {
        let typed = File::options().read(true).write(true).open("/dev/tty")?;
        let shown = typed.try_clone()?;
        Self::take(typed, shown, Echo::Hidden)
    }

    /// Standard input and standard error, which must be a terminal; the echo stays on.
    pub fn standard() -> io::Result<Self> {
        let typed = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let shown = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::take(typed, shown, Echo::Seen)
    }

    fn take(typed: File, shown: File, echo: Echo) -> io::Result<Self> {
        let before = tcgetattr(&typed)?;
        let watch = Watch::begin()?;
        let lines = Self { typed, shown, before, echo: Cell::new(echo), watch };
        lines.mode(echo)?;
        Ok(lines)
    }

    /// Lines stay lines, but the keys that would send a signal end a line instead.
    fn mode(&self, echo: Echo) -> io::Result<()> {
        let mut mode = self.before.clone();
        mode.local_modes.remove(LocalModes::ISIG);
        // The second of the keys below ends a line only with the extensions.
        mode.local_modes.insert(LocalModes::ICANON | LocalModes::IEXTEN);
        mode.local_modes.set(LocalModes::ECHO, echo == Echo::Seen);
        // Else the line's end is shown, in whatever mode.
        mode.local_modes.remove(LocalModes::ECHONL);
        mode.special_codes[SpecialCodeIndex::VEOL] = GIVE_UP[0];
        mode.special_codes[SpecialCodeIndex::VEOL2] = GIVE_UP[1];
        self.echo.set(echo);
        // What was typed before was not typed for this.
        Ok(tcsetattr(&self.typed, OptionalActions::Flush, &mode)?)
    }

    /// Writes where the cursor is.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        (&self.shown).write_all(text.as_bytes()).map_err(broken)
    }

    /// A line from the person, without its end. Ctrl-C, Ctrl-\, a request to end and a terminal
    /// that is gone give up everything.
    pub fn ask(&self, question: &str, echo: Echo) -> Result<Zeroizing<String>, Failure> {
        // Several lines may be pasted at once, so only a change throws away what is waiting.
        if self.echo.get() != echo {
            self.mode(echo).map_err(broken)?;
        }
        self.write(question)?;
        let bytes = self.line()?;
        if echo == Echo::Hidden {
            self.write("\n")?;
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage("what was typed is not text"))?;
        let mut line = Zeroizing::new(String::with_capacity(bytes.len()));
        line.push_str(text);
        Ok(line)
    }

    fn line(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES + 1));
        let mut byte = Zeroizing::new([0; 1]);
        loop {
            self.wait()?;
            // Past the standard library's buffer, which would keep what was typed.
            match rustix::io::read(&self.typed, &mut byte[..]) {
                Ok(0) | Err(rustix::io::Errno::IO) => return Err(self.given_up()),
                Ok(_) if GIVE_UP.contains(&byte[0]) => return Err(self.given_up()),
                Ok(_) if byte[0] == b'\n' => return Ok(bytes),
                Ok(_) if bytes.len() == MAX_LINE_BYTES => return Err(Failure::usage("a line without end")),
                Ok(_) => bytes.push(byte[0]),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(broken(error.into())),
            }
        }
    }

    /// Until something was typed; a request to end gives up.
    fn wait(&self) -> Result<(), Failure> {
        let mut typed = [PollFd::new(&self.typed, PollFlags::IN)];
        let turn = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        while !self.watch.is_asked() {
            match poll(&mut typed, Some(&turn)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(broken(error.into())),
            }
        }
        Err(self.given_up())
    }

    /// What is said next begins a line of its own, if the terminal is still there.
    fn given_up(&self) -> Failure {
        let _gone = self.write("\n");
        Failure::new(Exit::Refused, "given_up", "given up at the terminal; nothing was kept")
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not take this.
        let _gone = tcsetattr(&self.typed, OptionalActions::Flush, &self.before);
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Exit::Transfer, "terminal", error)
}
