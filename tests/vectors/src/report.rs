//! What came of a file: counts, the kinds that were skipped, and the first failing case.
//!
//! [`crate::run`] fills one per file, the binary prints and adds them up.

use crate::case::{Failed, Outcome};
use std::collections::BTreeMap;
use std::fmt;

/// A case that did not give what the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The case's name in the file, empty for the file itself.
    pub id: String,
    /// Which field or step.
    pub field: String,
    /// What the file says.
    pub expected: String,
    /// What came out.
    pub found: String,
}

/// The counts of one file, or of several added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The file's format, empty if unknown.
    pub format: &'static str,
    /// Cases that gave exactly what the file says.
    pub passed: usize,
    /// Cases that did not.
    pub failed: usize,
    /// Cases of kinds that Airlock does not build: refused as they must be, by kind.
    pub skipped_kinds: BTreeMap<String, usize>,
    /// The first case that failed.
    pub first_failure: Option<Failure>,
}

impl Report {
    /// A file that could not be read or understood: one failure.
    pub fn unreadable(reason: String) -> Self {
        let mut report = Self::default();
        report.record(String::new(), Err(Failed::new("file", "a readable file of vectors", reason)));
        report
    }

    /// All skipped cases.
    pub fn skipped(&self) -> usize {
        self.skipped_kinds.values().sum()
    }

    /// Adds another file's counts.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        for (kind, count) in &other.skipped_kinds {
            *self.skipped_kinds.entry(kind.clone()).or_default() += count;
        }
    }

    pub(crate) fn record(&mut self, id: String, outcome: crate::case::Result<Outcome>) {
        match outcome {
            Ok(Outcome::Passed) => self.passed += 1,
            Ok(Outcome::Skipped(kind)) => *self.skipped_kinds.entry(kind).or_default() += 1,
            Err(Failed { field, expected, found }) => {
                self.failed += 1;
                self.first_failure.get_or_insert(Failure { id, field, expected, found });
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.format.is_empty() { "unknown format" } else { self.format };
        write!(f, "  {format}: {} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped())?;
        for (kind, count) in &self.skipped_kinds {
            write!(f, "\n  skipped {count}: {kind}")?;
        }
        if let Some(failure) = &self.first_failure {
            write!(f, "\n  first failure: case {:?}, {}", failure.id, failure.field)?;
            write!(f, "\n    expected {}\n    found    {}", cut(&failure.expected), cut(&failure.found))?;
        }
        Ok(())
    }
}

/// Hostile or huge values must not flood the terminal or control it.
fn cut(text: &str) -> String {
    const SHOWN: usize = 2_000;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
