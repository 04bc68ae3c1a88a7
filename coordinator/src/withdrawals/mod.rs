//! Withdrawals: requested, held, approved, queued; then driven by batches until the chain decides.
//!
//! Files in the order of a withdrawal's life: `request` (parse, refuse, hold), `approval`, `queue`, `state` (the pure
//! machine), `attempt` (one try on chain), `store`, `http`. Everyone changes a state through [`transition`], inside
//! the writer's commit. What must stay true: the hold ends in the commit that records completion,
//! failure or cancellation; every transition says who, when and why; one live attempt per withdrawal.

pub mod approval;
pub mod attempt;
pub mod attempts;
pub mod http;
pub mod queue;
pub mod request;
pub mod state;
pub mod store;

pub use attempt::{AttemptState, IllegalAttempt};
pub use request::Refusal;
pub use state::{Effect, Event, Illegal, State};
pub use store::Withdrawal;

use crate::ledger::{Account, LedgerError, Unit};
use crate::outbox;
use crate::pairing::PairingError;
use airlock_shared::MinorUnits;

/// Why a step of a withdrawal did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawalError {
    /// No such withdrawal, or not the caller's.
    #[error("no withdrawal {id}")]
    NotFound {
        /// Its id.
        id: String,
    },
    /// The request was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The fee cannot be charged: the quote, or beyond range.
    #[error(transparent)]
    Fee(#[from] crate::fees::FeeError),
    /// Nothing leaves now.
    #[error(transparent)]
    Freeze(#[from] crate::freeze::FreezeError),
    /// The state does not know the event.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The attempt cannot take that step.
    #[error(transparent)]
    IllegalAttempt(#[from] IllegalAttempt),
    /// Approved for another revision than the present one.
    #[error("withdrawal {id} is at revision {revision}, the approval names {named}")]
    Revision {
        /// Its id.
        id: String,
        /// The present revision.
        revision: i64,
        /// The revision approved.
        named: i64,
    },
    /// The initiator never approves.
    #[error("{who} requested withdrawal {id} and cannot approve it")]
    OwnRequest {
        /// Its id.
        id: String,
        /// Who.
        who: String,
    },
    /// It may have been signed: giving its money back could pay twice.
    #[error(
        "withdrawal {id} left for the signer in batch {batch}, which was dropped unanswered and may have been signed: \
         bring the signer's answer to that batch first"
    )]
    MayBeSigned {
        /// Its id.
        id: String,
        /// The batch.
        batch: String,
    },
    /// Another step came first.
    #[error("withdrawal {id} is no longer {expected}")]
    Raced {
        /// Its id.
        id: String,
        /// What it was thought to be.
        expected: &'static str,
    },
    /// The withdrawal has a live attempt, the account nonce is taken, or the transaction id is known.
    #[error("another live attempt stands in the way: {what}")]
    LiveAttempt {
        /// Which constraint.
        what: &'static str,
    },
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<PairingError> for WithdrawalError {
    fn from(error: PairingError) -> Self {
        match error {
            PairingError::Ledger(error) => Self::Ledger(error),
            other => Self::Ledger(LedgerError::Corrupt { what: other.to_string() }),
        }
    }
}

impl From<sqlx::Error> for WithdrawalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// Moves a withdrawal through `event`, records who and why, and does the effects, all in the open commit.
pub async fn transition(
    unit: &mut Unit,
    id: &str,
    event: Event,
    who: &str,
    why: &str,
) -> Result<State, WithdrawalError> {
    let now = unit.now();
    let found =
        store::find(unit.db(), id).await?.ok_or_else(|| WithdrawalError::NotFound { id: id.to_owned() })?;
    let (to, effects) = found.state.next(event)?;
    if !store::change_state(unit.db(), id, found.state, to, now).await? {
        return Err(WithdrawalError::Raced { id: id.to_owned(), expected: found.state.name() });
    }
    let step = store::Step { from: found.state.name(), to: to.name(), event: event.name(), who, why };
    let number = store::insert_transition(unit.db(), id, &step, now).await?;
    for effect in effects {
        match effect {
            Effect::Settle { source } => settle(unit, &found, source).await?,
            Effect::Release => unit.release(id).await?,
            Effect::Notify => {
                let body = serde_json::json!({ "withdrawal": id, "number": number, "state": to.name() });
                outbox::put(
                    unit.db(),
                    "withdrawal_changed",
                    &format!("{id}/{number}"),
                    &body.to_string(),
                    &found.request_id,
                    now,
                )
                .await?;
            }
        }
    }
    Ok(to)
}

/// Several events in one commit: steps that do not apply are passed, still recorded.
pub async fn pass_through(
    unit: &mut Unit,
    id: &str,
    events: &[Event],
    who: &str,
    why: &str,
) -> Result<(), WithdrawalError> {
    for event in events {
        transition(unit, id, *event, who, why).await?;
    }
    Ok(())
}

async fn settle(
    unit: &mut Unit,
    paid: &Withdrawal,
    source: airlock_shared::Address,
) -> Result<(), WithdrawalError> {
    let mut parts = vec![(Account::reserve(source, &paid.asset), paid.amount)];
    if paid.fee != MinorUnits::ZERO {
        parts.push((Account::FeesEarned(paid.asset.clone()), paid.fee));
    }
    Ok(unit.settle(&paid.id, &parts).await?)
}
