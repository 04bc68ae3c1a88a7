//! An order: a plain command of which there are many, handed to the writer as data instead of as a closure.
//!
//! Given to [`super::Writer::submit`] by whatever moves money at a high rate. The writer carries out all orders of a
//! group at once, as sets of rows, with the same checks as `Unit::post`. What must stay true: an order that
//! is refused leaves nothing behind, its idempotency record included, so that the same request may be tried again.

use super::posting::Posting;
use super::{AssetError, LedgerError};
use crate::audit;
use crate::clock::UnixMillis;
use std::fmt;

/// One posting and the rows that commit with it. Accounts that count base units or belong to a network
/// (reserve, in transit, network fees, energy cost) are refused here; they go through `Writer::commit`.
#[derive(Debug)]
pub struct Order {
    /// What moves.
    pub posting: Posting,
    /// The idempotency record, if the caller has a key.
    pub once: Option<OnceRow>,
    /// Who ordered it, for the audit log.
    pub audit: Option<audit::Row>,
}

impl Order {
    /// An order that nobody repeats by a key; its posting's (kind, reference) is still carried out once.
    pub const fn new(posting: Posting) -> Self {
        Self { posting, once: None, audit: None }
    }

    /// An order that is carried out once per owner and key.
    pub const fn once(posting: Posting, once: OnceRow) -> Self {
        Self { posting, once: Some(once), audit: None }
    }

    /// The same, with a row in the audit log, written if the order is carried out.
    #[must_use]
    pub fn audited(mut self, row: audit::Row) -> Self {
        self.audit = Some(row);
        self
    }
}

/// The idempotency record of an order, kept for ever.
pub struct OnceRow {
    /// Whose key: `Caller::idempotency_owner()`.
    pub owner: String,
    /// The key.
    pub key: String,
    /// Digest of the whole request, lower-case hex: what tells a repeat from another request.
    pub request_digest: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Makes the answer's body from the moment at which the order is carried out. Called once, on the writer's task:
    /// it must be quick.
    pub body: AnswerBody,
}

/// Makes an answer's body.
pub type AnswerBody = Box<dyn FnOnce(UnixMillis) -> String + Send>;

impl fmt::Debug for OnceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceRow")
            .field("owner", &self.owner)
            .field("key", &self.key)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An answer as it is stored beside its idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// What an order came to, told after the commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// Carried out now.
    Done {
        /// When, as the transfer's row has it.
        made_at: UnixMillis,
        /// The answer that was stored, if the order had a key.
        answer: Option<Answer>,
    },
    /// The same request was carried out before; this is the answer that was given then.
    Before(Answer),
}

impl Receipt {
    /// The answer, given now or before; `None` for an order without a key.
    pub fn into_answer(self) -> Option<Answer> {
        match self {
            Self::Done { answer, .. } => answer,
            Self::Before(answer) => Some(answer),
        }
    }
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The ledger refused it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its idempotency key belongs to another request.
    #[error("this idempotency key was used for another request")]
    OtherRequest,
}

impl From<AssetError> for OrderError {
    fn from(error: AssetError) -> Self {
        Self::Ledger(error.into())
    }
}
