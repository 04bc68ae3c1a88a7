//! Approving and cancelling: what people do to a withdrawal before it is in a batch.
//!
//! Called by `http.rs` inside the writer's commit. What must stay true: an approval names the revision it was given to;
//! the initiator never approves; repeating the same approval or cancellation changes nothing and is no error.

use super::state::{Event, State};
use super::store::{self, Withdrawal};
use super::{WithdrawalError, attempts, transition};
use crate::audit::{self, Action, By};
use crate::ledger::Unit;
use serde_json::json;

/// An approver approves `revision`; the withdrawal is queued in the same commit.
pub async fn approve(
    unit: &mut Unit,
    found: &Withdrawal,
    revision: i64,
    approver: &str,
    by: &By,
) -> Result<(), WithdrawalError> {
    let who = format!("person:{approver}");
    if found.requested_by == who {
        return Err(WithdrawalError::OwnRequest { id: found.id.clone(), who });
    }
    if found.revision != revision {
        let (id, present) = (found.id.clone(), found.revision);
        return Err(WithdrawalError::Revision { id, revision: present, named: revision });
    }
    let now = unit.now();
    if !store::insert_approval(unit.db(), &found.id, approver, revision, now).await? {
        return Ok(());
    }
    let why = format!("revision {revision} approved");
    transition(unit, &found.id, Event::Approve, &who, &why).await?;
    let state = transition(unit, &found.id, Event::Queue, "system", "approved").await?;
    let before = json!({ "state": found.state.name() });
    let after = json!({ "state": state.name(), "revision": revision });
    Ok(audit::record(unit, by, Action::WithdrawalApprove, &found.id, before, after).await?)
}

/// The requester's side or an operator cancels; the hold is released in the same commit. Refused while a batch that was
/// dropped unanswered may have been signed: whoever has those signatures could pay what was given back.
pub async fn cancel(unit: &mut Unit, found: &Withdrawal, by: &By) -> Result<(), WithdrawalError> {
    if found.state == State::Cancelled {
        return Ok(());
    }
    if let Some(batch) = attempts::unanswered(unit.db(), &found.id).await? {
        return Err(WithdrawalError::MayBeSigned { id: found.id.clone(), batch });
    }
    let state = transition(unit, &found.id, Event::Cancel, &by.who, "cancelled on request").await?;
    let (before, after) = (json!({ "state": found.state.name() }), json!({ "state": state.name() }));
    Ok(audit::record(unit, by, Action::WithdrawalCancel, &found.id, before, after).await?)
}
