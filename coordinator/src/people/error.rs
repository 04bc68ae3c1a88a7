//! Why somebody was not let in, or a change of people was not made.
//!
//! Returned by every step of this folder; `http.rs` knows what each says to the outside. What must stay true: what a
//! stranger can provoke tells nothing of whether an e-mail, an account or an invitation exists.

use super::password::PasswordError;
use crate::api::ApiError;
use crate::home::HomeError;
use crate::ledger::LedgerError;

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Unknown e-mail, wrong password, or an account that may not log in: nobody is told which.
    #[error("e-mail or password is wrong")]
    Credentials,
    /// The code is wrong, was used before, or belongs to nobody.
    #[error("the code is wrong or was used before")]
    Code,
    /// Too many failures; the same again later.
    #[error("too many attempts; again in {wait_ms} ms")]
    TooMany {
        /// For how long nothing is tried.
        wait_ms: i64,
    },
    /// The challenge or refresh token is unknown, used, or its session has ended.
    #[error("the session has ended")]
    Session,
    /// The new password is refused.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Not an e-mail address.
    #[error("not an e-mail address of at most 254 bytes")]
    Email,
    /// A name that cannot be used.
    #[error("{what} {found:?} cannot be used: {expected}")]
    Name {
        /// Which name.
        what: &'static str,
        /// What was there.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// It exists already.
    #[error("{what} {name} exists already")]
    Exists {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// No such thing, or a foreign one.
    #[error("no such {what}")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// The invitation is unknown, used, expired or cannot be used any more.
    #[error("the invitation is unknown, used or expired")]
    Invitation,
    /// Signing up is switched off.
    #[error("signing up is switched off here")]
    SignUpOff,
    /// A second factor is needed first.
    #[error("no second factor is in force")]
    NoFactor,
    /// The second factor must be given again first.
    #[error("give the second factor again for this")]
    StepUp,
    /// No second factor was begun.
    #[error("no second factor was begun")]
    NoneBegun,
    /// One may not decide on one's own.
    #[error("{0}")]
    Own(&'static str),
    /// It was decided, has expired, or its ground has gone.
    #[error("{0}")]
    Stale(&'static str),
    /// A role that does not exist.
    #[error("no role {found:?}")]
    Role {
        /// What was there.
        found: String,
    },
    /// A passkey that was not accepted.
    #[error("passkey: {why}")]
    Passkey {
        /// What is wrong with it.
        why: String,
    },
    /// Every place for hashing is taken.
    #[error("too many passwords are being hashed")]
    Busy,
    /// Something that cannot happen did.
    #[error("{what}")]
    Fault {
        /// What.
        what: String,
    },
    /// A secret of the home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The rim refuses: the role, the form.
    #[error(transparent)]
    Rim(#[from] ApiError),
    /// The ledger's writer or the database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for AccessError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<getrandom::Error> for AccessError {
    fn from(error: getrandom::Error) -> Self {
        Self::Home(error.into())
    }
}
