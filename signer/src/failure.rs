//! How a command ends when it does not end well: an exit code, a stable code word, and what was seen.
//!
//! Built by `From` from every error of this crate at the rim; printed by `main`. What must stay true: the
//! exit codes and code words are documented and never change their meaning; nothing secret is in the text.

use crate::home::HomeError;
use crate::journal::JournalError;
use crate::keys::KeyError;
use crate::memory::MemoryError;
use crate::policy::StoreError;
use crate::qr::QrError;
use crate::records::RecordsError;
use crate::sandbox::SandboxError;
use crate::secret::{PassphraseError, RandomError};
use crate::session::Refusal;
use crate::vault::VaultError;
use airlock_shared::policy::PolicyError;
use serde::Serialize;

/// The exit codes of `airlock-signer`; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// The command line does not make sense.
    Usage = 2,
    /// Refused by policy or by a check.
    Refused = 3,
    /// The vault does not open, or a passphrase is missing or wrong.
    Vault = 4,
    /// Journal, policy store, lock or another part of the signer's own state.
    State = 5,
    /// A document or picture could not be read or written.
    Transfer = 6,
}

/// A command's end.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// A stable word for programs, such as `wrong_passphrase`.
    pub code: String,
    /// For refusals: the item, counted from 0 as in the batch.
    pub item: Option<usize>,
    /// For refusals: the value that was refused.
    pub value: Option<String>,
    /// For people.
    pub message: String,
}

#[derive(Serialize)]
struct Printed<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    exit: u8,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    message: &'a str,
}

impl Failure {
    /// A failure without item and value.
    pub fn new(exit: Exit, code: &str, message: impl ToString) -> Self {
        Self { exit, code: code.to_owned(), item: None, value: None, message: plain(&message.to_string()) }
    }

    /// The command line does not make sense.
    pub fn usage(message: impl ToString) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// One JSON object, as `--json` prints it on standard error. A refusal's code is its rule.
    pub fn to_json(&self) -> String {
        let refused = self.exit == Exit::Refused;
        let error = Error {
            exit: self.exit as u8,
            code: &self.code,
            rule: refused.then_some(&self.code),
            item: self.item,
            value: self.value.as_deref(),
            message: &self.message,
        };
        // Strings and numbers always serialise.
        serde_json::to_string(&Printed { error }).unwrap_or_default()
    }
}

/// What an error quotes may be foreign: one line of printable ASCII, everything else as an escape, so that
/// no document and no file name moves the cursor or turns a line around.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().take(MAX_SHOWN_CHARACTERS) {
        if c.is_ascii_graphic() || c == ' ' { plain.push(c) } else { plain.extend(c.escape_unicode()) }
    }
    plain
}

/// Longer than any sentence of ours.
const MAX_SHOWN_CHARACTERS: usize = 2_000;

macro_rules! failure_of {
    ($($error:ty => $exit:ident $code:literal,)*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(Exit::$exit, $code, error)
            }
        })*
    };
}

failure_of! {
    PassphraseError => Vault "passphrase",
    RandomError => Vault "random_source",
    MemoryError => Vault "memory_protection",
    SandboxError => Vault "sandbox",
    KeyError => Refused "key",
    RecordsError => State "journal_file",
    QrError => Transfer "transfer",
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let code = match &error {
            JournalError::File(RecordsError::File(_)) => "journal_file",
            JournalError::RolledBack { .. } => "journal_rolled_back",
            JournalError::Empty => "journal_empty",
            _ => "journal_broken",
        };
        Self::new(Exit::State, code, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (exit, code) = match &error {
            StoreError::None => (Exit::State, "policy_missing"),
            StoreError::NotThePinned { .. } => (Exit::State, "policy_not_pinned"),
            StoreError::BehindJournal { .. } => (Exit::State, "policy_rolled_back"),
            StoreError::File(_) => (Exit::State, "policy_file"),
            StoreError::Form(_) => (Exit::Transfer, "document"),
            StoreError::NoRoster | StoreError::NotACustodian => (Exit::Refused, "policy.custodian"),
            StoreError::SameVersion { .. } => (Exit::Refused, "policy.same_version"),
            StoreError::OtherName { .. } => (Exit::Refused, "policy.other_name"),
            StoreError::Policy(PolicyError::TooFewCustodians { .. }) => (Exit::Refused, "policy.custodians"),
            StoreError::Policy(PolicyError::VersionDoesNotRise { .. }) => (Exit::Refused, "policy.version"),
            StoreError::Policy(PolicyError::OtherProfile { .. }) => (Exit::Refused, "policy.profile"),
        };
        Self::new(exit, code, error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            exit: Exit::Refused,
            item: refusal.item,
            value: Some(plain(&refusal.found)),
            message: plain(&refusal.to_string()),
            code: refusal.code,
        }
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let (exit, code) = match &error {
            HomeError::Busy { .. } => (Exit::State, "busy"),
            HomeError::Unknown => (Exit::Usage, "usage"),
            HomeError::Nobody { .. } => (Exit::State, "no_home"),
            HomeError::Mode { .. } | HomeError::Owner { .. } | HomeError::Kind { .. } => {
                (Exit::State, "file_mode")
            }
            _ => (Exit::State, "home"),
        };
        Self::new(exit, code, error)
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let code = match &error {
            VaultError::DoesNotOpen { .. } => "wrong_passphrase",
            VaultError::WeakKdf { .. } => "weak_kdf",
            VaultError::WeakerKdf { .. } => "weaker_kdf",
            VaultError::ExcessiveKdf { .. } => "excessive_kdf",
            VaultError::TooLittleMemory { .. } => "too_little_memory",
            VaultError::NoSpending => "no_spending_keys",
            VaultError::File(HomeError::Mode { .. } | HomeError::Owner { .. } | HomeError::Kind { .. }) => {
                "file_mode"
            }
            _ => "vault",
        };
        Self::new(Exit::Vault, code, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_cannot_move_the_cursor() {
        let failure = Failure::new(Exit::Transfer, "document", "unknown \u{1b}[2J\u{202e}\n\u{9b}field");
        assert_eq!(failure.message, "unknown \\u{1b}[2J\\u{202e}\\u{a}\\u{9b}field");
    }
}
