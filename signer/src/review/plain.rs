//! The whole review as plain text: for logs, for screen readers, for output that is no terminal.
//!
//! What must stay true: one fact a line, in the order of the screen's pages; no colour, no cursor movement,
//! nothing but printable ASCII; everything that the screen can show is here.

use super::sheet::Sheet;
use super::summary::summary;
use super::{items, pages, row::Row};

/// One batch: summary, exceptions, every item.
pub fn batch(sheet: &Sheet<'_>) -> String {
    let mut page = text(&summary(sheet));
    page += "\nEXCEPTIONS\n";
    page += &text(&pages::exceptions(sheet));
    page += "\nITEMS\n";
    page + &text(&items::rows(sheet, |_| true))
}

/// A sitting: each batch, then what they are about once more, and the words for all.
pub fn sitting(sheets: &[Sheet<'_>]) -> String {
    let mut page = String::new();
    if sheets.len() > 1 {
        page += &text(&pages::bundle(sheets));
    }
    for (number, sheet) in (1..).zip(sheets) {
        page += &format!("\n--- batch {number} of {} ---\n\n", sheets.len());
        page += &batch(sheet);
    }
    page += "\nWORDS\n";
    page + &text(&pages::closing(sheets))
}

fn text(rows: &[Row]) -> String {
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    let mut text = lines.join("\n");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
