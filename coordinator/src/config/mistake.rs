//! What is wrong with the settings: every mistake by its key, what was found and what was expected, all at once.
//!
//! `config.rs`, `merge.rs` and `file.rs` collect into [`Mistakes`]; `main.rs` prints the [`ConfigError`], one line a
//! mistake. What must stay true: the value of a setting that may hold a credential is never repeated.

use std::fmt;
use std::ops::RangeInclusive;

/// One setting that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Which setting, as the file spells it: `server.listen`, `network[0].token[1].contract`.
    pub key: String,
    /// What was there; never a secret.
    pub found: String,
    /// What would do.
    pub expected: String,
    /// Where it was said, when that is known: a file, a variable of the environment, a flag.
    pub place: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings: {}: found {}, expected {}", self.key, self.found, self.expected)?;
        match &self.place {
            Some(place) => write!(f, " (in {place})"),
            None => Ok(()),
        }
    }
}

/// Why the settings were refused: all mistakes that could be told at once, one line each.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", lines(.mistakes))]
pub struct ConfigError {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

/// A mistake whose place is not known; the value is shown in quotes.
pub(super) fn refused(key: impl Into<String>, found: impl ToString, expected: impl ToString) -> Mistake {
    let found = format!("{:?}", found.to_string());
    Mistake { key: key.into(), found, expected: expected.to_string(), place: None }
}

/// Gathers mistakes while the checks go on.
#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, mistake: Mistake) {
        if !self.0.contains(&mistake) {
            self.0.push(mistake);
        }
    }

    /// A value of the right type that cannot be used.
    pub(super) fn refuse(&mut self, key: impl Into<String>, found: impl ToString, expected: impl ToString) {
        self.add(refused(key, found, expected));
    }

    /// The value, or its mistake is noted.
    pub(super) fn note<T>(&mut self, result: Result<T, Mistake>) -> Option<T> {
        result.map_err(|mistake| self.add(mistake)).ok()
    }

    /// The number itself; it is noted if it lies outside.
    pub(super) fn within<T>(&mut self, key: impl Into<String>, found: T, range: RangeInclusive<T>) -> T
    where
        T: PartialOrd + fmt::Display + Copy,
    {
        if !range.contains(&found) {
            let expected = format!("{} to {}", range.start(), range.end());
            self.add(Mistake { key: key.into(), found: found.to_string(), expected, place: None });
        }
        found
    }

    /// What was built, if there was no mistake.
    pub(super) fn end<T>(self, built: Option<T>) -> Result<T, ConfigError> {
        match built {
            Some(built) if self.0.is_empty() => Ok(built),
            _ => Err(ConfigError { mistakes: self.0 }),
        }
    }
}
