//! Where a page ended: the place of its last row in the one order of all sources.
//!
//! ```text
//! 1767225600000.2.4711      moment . source . the row there
//! ```
//! Newest first; of one moment the ledger's events come first, then deposits, then withdrawals, each by descending id. New
//! rows are newer than every place behind the first page, so paging meets each row once. What must stay true: a text that is no
//! cursor is refused; to callers it is opaque.

use crate::clock::UnixMillis;
use std::cmp::Ordering;

/// Where rows come from, in ascending order of rank within one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Comes last.
    Withdrawals,
    /// Comes second.
    Deposits,
    /// Comes first.
    Ledger,
}

/// A row's place; the greatest is shown first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its moment.
    pub at: UnixMillis,
    /// Where from.
    pub source: Source,
    /// The ledger's number of the event, else 0.
    pub number: i64,
    /// Id of a deposit or withdrawal, else empty.
    pub id: String,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.source, self.number, &self.id).cmp(&(other.at, other.source, other.number, &other.id))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The last row of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position(pub Key);

impl Position {
    /// Reads a cursor.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (at, source, row) = (next()?, next()?, next()?);
        let source = match source {
            "0" => Source::Withdrawals,
            "1" => Source::Deposits,
            "2" => Source::Ledger,
            _ => return None,
        };
        let (number, id) = match source {
            Source::Ledger => (row.parse().ok()?, String::new()),
            _ if row.len() == 32 && row.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) => {
                (0, row.to_owned())
            }
            _ => return None,
        };
        let position = Self(Key { at: at.parse().ok()?, source, number, id });
        // One spelling: no signs, no leading zeros, nothing behind.
        (position.to_string() == text).then_some(position)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Key { at, source, number, id } = &self.0;
        match source {
            Source::Ledger => write!(f, "{at}.2.{number}"),
            Source::Deposits => write!(f, "{at}.1.{id}"),
            Source::Withdrawals => write!(f, "{at}.0.{id}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cursors_have_one_spelling() {
        let id = "0123456789abcdef0123456789abcdef";
        for text in ["17.2.5", &format!("17.1.{id}"), &format!("17.0.{id}")] {
            assert_eq!(Position::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "17", "17.2", "17.3.5", "+17.2.5", "17.2.05", "17.2.5.6", "17.1.5", "17.1.;--", "a.2.5"]
        {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }

    #[test]
    fn within_a_moment_the_ledger_comes_first() {
        let key = |at, source, number| Key { at, source, number, id: String::new() };
        assert!(key(2, Source::Withdrawals, 0) > key(1, Source::Ledger, 9));
        assert!(key(1, Source::Ledger, 1) > key(1, Source::Deposits, 0));
        assert!(key(1, Source::Ledger, 2) > key(1, Source::Ledger, 1));
    }
}
