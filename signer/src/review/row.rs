//! A page of the review as rows, before it is known how wide the screen is.
//!
//! Made by [`super::pages`] and [`super::items`]; printed one row a line by [`super::plain`], folded to a
//! width by [`super::screen`], so both say the same. What must stay true: rows hold printable ASCII only, and
//! a tone never says what the words do not.

use crate::failure::plain;

/// How a piece of text is set off where colours and weights exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Not at all.
    Plain,
    /// What the eye should find first.
    Strong,
    /// What is there for completeness.
    Faint,
    /// A check that passed.
    Good,
    /// Worth a look.
    Look,
    /// Do not go on before it is explained.
    Stop,
    /// A bar across the screen.
    Bar,
}

/// A text that stays together on a line, unless it is words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// How it is set off.
    pub tone: Tone,
    /// May it be folded at its spaces?
    pub folds: bool,
}

/// One fact, on as many lines as the screen needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What stands in the left column.
    pub lead: String,
    /// How that is set off.
    pub tone: Tone,
    /// How wide the left column is.
    pub indent: usize,
    /// What stands right of it.
    pub pieces: Vec<Piece>,
}

/// The left column of facts.
pub const LABEL_COLUMNS: usize = 12;

impl Row {
    /// Nothing but space.
    pub const fn blank() -> Self {
        Self { lead: String::new(), tone: Tone::Plain, indent: 0, pieces: Vec::new() }
    }

    /// A row with a label in the left column, or none to go on with the fact above.
    pub fn fact(label: &str) -> Self {
        Self { lead: label.to_owned(), tone: Tone::Faint, indent: LABEL_COLUMNS, pieces: Vec::new() }
    }

    /// A row with a left column of its own width and tone.
    pub fn led(lead: impl Into<String>, tone: Tone, indent: usize) -> Self {
        Self { lead: lead.into(), tone, indent, pieces: Vec::new() }
    }

    /// A sentence across the page.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self::led("", Tone::Plain, 0).words(text)
    }

    /// And a text that stays together.
    #[must_use]
    pub fn piece(self, text: impl Into<String>) -> Self {
        self.toned(text, Tone::Plain)
    }

    /// And a text that stays together, set off.
    #[must_use]
    pub fn toned(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.pieces.push(Piece { text: printable(text.into()), tone, folds: false });
        self
    }

    /// And words that may be folded.
    #[must_use]
    pub fn words(mut self, text: impl Into<String>) -> Self {
        self.pieces.push(Piece { text: printable(text.into()), tone: Tone::Plain, folds: true });
        self
    }

    /// The whole row on one line.
    pub fn line(&self) -> String {
        let pieces: Vec<_> = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        let line = format!("{:<width$}{}", self.lead, pieces.join("  "), width = self.indent);
        line.trim_end().to_owned()
    }
}

/// The last place where anything but printable ASCII is stopped; foreign text was escaped long before, and
/// an error that quotes some is caught here.
fn printable(text: String) -> String {
    if text.bytes().all(|c| c == b' ' || c.is_ascii_graphic()) { text } else { plain(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_printable_ascii_comes_into_a_row() {
        let row = Row::fact("x").piece("a\u{1b}[2J").words("b\u{202e}\n").toned("\u{9b}", Tone::Stop);
        assert_eq!(row.line(), "x           a\\u{1b}[2J  b\\u{202e}\\u{a}  \\u{9b}");
    }
}
