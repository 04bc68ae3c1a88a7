//! Rows folded to the width of a screen.
//!
//! Called by [`super::state`] for the page in view. What must stay true: no character of a row is ever lost;
//! an address stays on one line wherever a line can hold it, and is folded between its groups where not.

use crate::review::row::{Row, Tone};
use crate::terminal::{Line, Span};

/// A line of the page in view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folded {
    /// The number of its row.
    pub row: usize,
    /// Is it that row's last?
    pub last: bool,
    /// What stands on it.
    pub line: Line,
}

/// Between two pieces that stay together.
const GAP: usize = 2;
/// Less room than this right of the left column, and the left column gives way.
const ROOM_MIN: usize = 24;

/// All rows at this width.
pub fn fold_all(rows: &[Row], columns: usize) -> Vec<Folded> {
    let mut all = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let lines = fold(row, columns);
        let last = lines.len() - 1;
        all.extend(lines.into_iter().enumerate().map(|(at, line)| Folded {
            row: number,
            last: at == last,
            line,
        }));
    }
    all
}

/// One row on at least one line.
pub fn fold(row: &Row, columns: usize) -> Vec<Line> {
    let columns = columns.max(1);
    let indent = if row.indent + ROOM_MIN > columns { columns.min(2) } else { row.indent };
    let mut paper = Paper { columns, indent, lines: Vec::new(), line: Vec::new(), used: 0 };
    if !row.lead.is_empty() {
        paper.line.push(Span { text: row.lead.clone(), tone: row.tone });
        paper.used = row.lead.len();
    }
    for (number, piece) in row.pieces.iter().enumerate() {
        let gap = if number == 0 { 0 } else { GAP };
        if !piece.folds && (piece.text.len() <= columns - indent || !piece.text.contains(' ')) {
            paper.put(&piece.text, piece.tone, gap);
            continue;
        }
        for (number, word) in piece.text.split(' ').enumerate() {
            paper.put(word, piece.tone, if number == 0 { gap } else { 1 });
        }
    }
    paper.lines.push(paper.line);
    paper.lines
}

struct Paper {
    columns: usize,
    indent: usize,
    lines: Vec<Line>,
    line: Line,
    used: usize,
}

impl Paper {
    /// Puts a text that stays together, on the next line if this one has no room.
    fn put(&mut self, text: &str, tone: Tone, gap: usize) {
        let start = if self.used < self.indent { self.indent } else { self.used + gap };
        let fresh = self.used <= self.indent;
        if !fresh && start + text.len() > self.columns {
            self.turn();
            return self.put(text, tone, 0);
        }
        self.pad(start);
        let room = self.columns.saturating_sub(self.used).max(1);
        let (here, rest) = text.split_at(text.len().min(room));
        self.line.push(Span { text: here.to_owned(), tone });
        self.used += here.len();
        if !rest.is_empty() {
            self.turn();
            self.put(rest, tone, 0);
        }
    }

    fn turn(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.used = 0;
    }

    fn pad(&mut self, to: usize) {
        if to > self.used {
            self.line.push(Span { text: " ".repeat(to - self.used), tone: Tone::Plain });
            self.used = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|span| span.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_piece_that_stays_together_goes_to_the_next_line_whole() {
        let row = Row::fact("pays").piece("hot wallet 0").piece("0x dAC1 7F95 8D2e");
        assert_eq!(text(&fold(&row, 60)), ["pays        hot wallet 0  0x dAC1 7F95 8D2e"]);
        assert_eq!(text(&fold(&row, 40)), ["pays        hot wallet 0", "            0x dAC1 7F95 8D2e"]);
    }

    #[test]
    fn nothing_is_lost_at_any_width() {
        let row = Row::fact("memo")
            .piece("x".repeat(90))
            .words("and some words to fold")
            .piece("0x aaaa bbbb cccc");
        let dense = |text: &str| text.replace(' ', "");
        for columns in 1..120 {
            let lines = text(&fold(&row, columns));
            assert!(lines.iter().all(|line| line.len() <= columns.max(5)), "{columns}: {lines:?}");
            assert_eq!(dense(&lines.concat()), dense(&row.line()), "{columns}");
        }
    }
}
