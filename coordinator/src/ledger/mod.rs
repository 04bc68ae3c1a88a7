//! The double-entry ledger: the only way money changes in the coordinator.
//!
//! ```text
//! let id = app.writer.commit(move |unit| Box::pin(async move {
//!     store::insert(unit.db(), &row, unit.now()).await?;            // the caller's own rows ...
//!     unit.post(Posting::new("deposit", key)                        // ... commit with its postings
//!         .base(Account::reserve(address, &usdt), Account::available(&user, &usdt), amount_base)).await?;
//!     Ok::<_, DepositError>(row.id)
//! })).await?;
//! ```
//!
//! [`Writer::commit`] runs the closure inside the next group's database transaction, under a savepoint of its
//! own; an `Err` undoes this command only (and swallowing a ledger error undoes it too); the answer comes after the commit. No network call, no sleep and no
//! other lock inside: every command in the program waits behind it. [`Unit`] gives `db()` (the open connection),
//! `now()`, `post`, `hold`, `settle`, `release`, `next_item_id`. The error type needs `From<LedgerError>`.
//!
//! What many callers ask for alike (a transfer between two people) goes through [`Writer::submit`] as an [`Order`]: the
//! same checks, but all orders of a group are carried out as sets of rows, many times faster.
//!
//! Holds are in two steps: `hold` moves available to held; `settle` spends the whole hold over named accounts;
//! `release` gives it back. Reads (`store::balances_of`, `verify::trial_balance` …) take any [`crate::db::Db`].

pub mod account;
pub mod asset;
pub mod claims;
pub mod order;
pub mod posting;
pub mod reconcile;
mod run;
mod standings;
pub mod statement;
pub mod store;
pub mod unit;
pub mod verify;
pub mod writer;

pub use account::{Account, Side};
pub use asset::{AssetCode, AssetError, Assets};
pub use order::{Answer, OnceRow, Order, OrderError, Receipt};
pub use posting::{Amount, Move, Posting};
pub use unit::{Hold, Unit};
pub use writer::{Writer, WriterLimits};

use airlock_shared::MinorUnits;

/// Why a command was not carried out. Nothing of it remains in the database, except after
/// [`LedgerError::CommitFailed`], where nobody knows until the database is asked again.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The account does not hold enough.
    #[error("{account} of {owner} holds {available:?} of {asset}, {needed:?} needed")]
    Insufficient {
        /// Kind of the account.
        account: &'static str,
        /// Its owner.
        owner: String,
        /// The asset.
        asset: AssetCode,
        /// What is there.
        available: MinorUnits,
        /// What was asked.
        needed: MinorUnits,
    },
    /// A sum would leave 63 bits.
    #[error("{account} balance of {asset} would overflow")]
    Overflow {
        /// Kind of the account.
        account: &'static str,
        /// The asset.
        asset: AssetCode,
    },
    /// The same event was posted before.
    #[error("{kind} {reference} was posted before")]
    Repeated {
        /// The posting's kind.
        kind: &'static str,
        /// The posting's reference.
        reference: String,
    },
    /// A posting that makes no sense: no moves, a zero or negative amount, two assets in one move.
    #[error("posting {kind} {reference}: {what}")]
    Malformed {
        /// The posting's kind.
        kind: &'static str,
        /// The posting's reference.
        reference: String,
        /// What is wrong.
        what: &'static str,
    },
    /// No such hold.
    #[error("no hold {hold}")]
    NoHold {
        /// Its id.
        hold: String,
    },
    /// The hold was settled or released before.
    #[error("hold {hold} is already {state}")]
    HoldEnded {
        /// Its id.
        hold: String,
        /// Its state.
        state: String,
    },
    /// The parts of a settlement do not add up to the hold.
    #[error("settlement of hold {hold}: parts sum to {parts:?}, the hold is {held:?}")]
    HoldMismatch {
        /// Its id.
        hold: String,
        /// Sum of the parts.
        parts: MinorUnits,
        /// The hold's amount.
        held: MinorUnits,
    },
    /// Unknown asset, or amount out of range.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A row that the ledger wrote cannot be read back.
    #[error("ledger row cannot be read: {what}")]
    Corrupt {
        /// Which row.
        what: String,
    },
    /// The database refused a statement.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The command was undone, or never ran: the connection was lost before the commit, or the command
    /// panicked. Safe to ask again.
    #[error("the command was not carried out and nothing was changed")]
    Unavailable,
    /// The commit itself failed: its outcome is unknown and the writer has stopped.
    #[error("the commit failed; its outcome is unknown until the database is checked")]
    CommitFailed,
    /// The writer has stopped after a failed commit, or the program is shutting down.
    #[error("the ledger's writer has stopped")]
    Stopped,
}
