//! The terminal as a screen: raw keys in, whole frames out, and everything as it was when we leave.
//!
//! Used by the review and by the display of QR frames. Plain escape sequences and `rustix`, no terminal
//! crate: what we draw is lines of ASCII, and a crate for widgets would bring some forty others into the tree
//! that holds the keys. It works inside the sandbox, because it asks for nothing but reads, writes, polls
//! and ioctls on descriptors that are open already; the size is asked for at each turn. What must stay true:
//! leaving by any way (a key, an error, a panic, a request to end) restores the terminal; keys typed before the screen was there, or after it, count for nothing.

pub mod ending;
mod keys;
pub mod lines;
pub mod show;

pub use keys::Key;

use crate::review::Tone;
use ending::Watch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

/// Another screen, no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// No colours, the cursor, the screen that was there.
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// Columns and rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Characters on a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// A piece of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Printable characters, each one column wide.
    pub text: String,
    /// How it is set off.
    pub tone: Tone,
}

/// One line of the screen.
pub type Line = Vec<Span>;

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// The terminal while we draw on it. Dropping it restores what was there.
pub struct Terminal {
    saved: Termios,
    colour: bool,
    drawn: Vec<String>,
    size: Size,
    pending: VecDeque<u8>,
    hook: Arc<Hook>,
    /// Dropped after the terminal has been restored.
    watch: Watch,
}

impl Terminal {
    /// Can this terminal be drawn on at all?
    pub fn is_able() -> bool {
        std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
    }

    /// Takes the terminal over. Standard input and standard error must be one.
    pub fn open() -> io::Result<Self> {
        let saved = tcgetattr(io::stdin())?;
        let watch = Watch::begin()?;
        let mut raw = saved.clone();
        raw.make_raw();
        // Whatever was typed before the screen is there was not typed about it.
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        let hook: Arc<Hook> = std::panic::take_hook().into();
        let (previous, at_panic) = (Arc::clone(&hook), saved.clone());
        std::panic::set_hook(Box::new(move |info| {
            restore(&at_panic);
            previous(info);
        }));
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let size = Size { columns: 0, rows: 0 };
        let mut terminal =
            Self { saved, colour, drawn: Vec::new(), size, pending: VecDeque::new(), hook, watch };
        terminal.write(ENTER)?;
        Ok(terminal)
    }

    /// Its size now; 80 by 24 where it does not say.
    pub fn size(&self) -> Size {
        match tcgetwinsize(io::stderr()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
            }
            _ => Size { columns: 80, rows: 24 },
        }
    }

    /// Draws lines of text; only those that changed are sent.
    pub fn draw(&mut self, lines: &[Line], size: Size) -> io::Result<()> {
        let colour = self.colour;
        self.draw_raw(lines.iter().map(|line| ansi(line, colour)).collect(), size)
    }

    /// The same for lines that hold their own escape sequences.
    pub fn draw_raw(&mut self, lines: Vec<String>, size: Size) -> io::Result<()> {
        let mut sent = String::new();
        if self.size != size {
            (self.size, self.drawn) = (size, Vec::new());
            sent.push_str("\x1b[0m\x1b[2J");
        }
        for (number, line) in lines.iter().enumerate().take(size.rows) {
            if self.drawn.get(number) != Some(line) {
                sent += &format!("\x1b[{};1H{line}\x1b[0m\x1b[K", number + 1);
            }
        }
        if lines.len() < self.drawn.len() {
            sent += &format!("\x1b[{};1H\x1b[J", lines.len() + 1);
        }
        self.drawn = lines;
        if sent.is_empty() { Ok(()) } else { self.write(&sent) }
    }

    /// Forgets what was drawn, so that everything is drawn again.
    pub fn redraw(&mut self) {
        self.size = Size { columns: 0, rows: 0 };
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stderr().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// The next key, or none within `wait`. A terminal that is gone is [`Key::Gone`], and so is a request to end.
    pub fn key(&mut self, wait: Duration) -> io::Result<Option<Key>> {
        if self.watch.is_asked() {
            return Ok(Some(Key::Gone));
        }
        if let Some(key) = keys::next(&mut self.pending) {
            return Ok(Some(key));
        }
        let stdin = io::stdin();
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        match poll(&mut watched, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 256];
        match rustix::io::read(&stdin, &mut bytes) {
            Ok(0) | Err(rustix::io::Errno::IO) => Ok(Some(Key::Gone)),
            Ok(read) => {
                self.pending.extend(bytes.iter().take(read));
                Ok(keys::next(&mut self.pending))
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // the hook has restored it, and hooks may not be changed now
        }
        restore(&self.saved);
        drop(std::panic::take_hook());
        let hook = Arc::clone(&self.hook);
        std::panic::set_hook(Box::new(move |info| hook(info)));
    }
}

/// Nothing can be done about a terminal that does not take this.
fn restore(saved: &Termios) {
    let mut out = io::stderr().lock();
    let _gone = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, saved);
}

/// A line with the sequences of its tones. Marks carry their own background, so that they are legible on a
/// dark and on a light theme; without colour, weight and reversal remain.
fn ansi(line: &Line, colour: bool) -> String {
    let mut text = String::new();
    for span in line {
        let code = match (span.tone, colour) {
            (Tone::Plain, _) => "",
            (Tone::Strong, _) => "1",
            (Tone::Faint, _) => "2",
            (Tone::Good, true) => "1;32",
            (Tone::Good, false) => "1",
            (Tone::Look, true) => "1;30;43",
            (Tone::Stop, true) => "1;97;41",
            (Tone::Look | Tone::Stop, false) => "1;7",
            (Tone::Bar, _) => "7",
        };
        if code.is_empty() {
            text.push_str(&span.text);
        } else {
            text += &format!("\x1b[{code}m{}\x1b[0m", span.text);
        }
    }
    text
}
