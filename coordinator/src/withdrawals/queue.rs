//! The queue: which approved withdrawals are due on a network, in which order, and taking them into a batch.
//!
//! Batches call [`due`] and [`take`] inside the commit that writes the draft batch, so a withdrawal is in one
//! batch at most. What must stay true: order is by age (then by item id, which is given in order of arrival).

use super::state::{Event, State};
use super::store::{self, Withdrawal};
use super::{WithdrawalError, transition};
use crate::db::Db;
use crate::ledger::Unit;
use airlock_shared::Network;

/// Queued withdrawals of a network, oldest first, at most `limit`.
pub async fn due(db: &mut Db, network: Network, limit: i64) -> Result<Vec<Withdrawal>, WithdrawalError> {
    store::queued_on(db, network, limit, 0).await
}

/// The same for those partners alone whose withdrawals are to be paid together; and how many of others stand between them.
pub async fn due_of(
    db: &mut Db,
    network: Network,
    limit: usize,
    mut theirs: impl FnMut(&str) -> bool,
) -> Result<(Vec<Withdrawal>, Vec<Withdrawal>), WithdrawalError> {
    let page = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let (mut found, mut others, mut offset) = (Vec::new(), Vec::new(), 0);
    loop {
        let rows = store::queued_on(db, network, page, offset).await?;
        let last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < page;
        for row in rows {
            if found.len() < limit && theirs(&row.partner) {
                found.push(row);
            } else if others.len() < OTHERS_MAX && !theirs(&row.partner) {
                others.push(row);
            }
        }
        if last || found.len() >= limit {
            return Ok((found, others));
        }
        offset = offset.saturating_add(page);
    }
}

/// Withdrawals of others that are told of.
const OTHERS_MAX: usize = 20;

/// Takes a queued withdrawal into a draft batch: queued and wallet_funded become processing.
pub async fn take(
    unit: &mut Unit,
    found: &Withdrawal,
    batch_id: &str,
    who: &str,
) -> Result<(), WithdrawalError> {
    if found.state == State::Queued {
        transition(unit, &found.id, Event::Fund, who, "the paying wallet covers it").await?;
    }
    transition(unit, &found.id, Event::Take, who, &format!("taken into batch {batch_id}")).await?;
    store::set_batch(unit.db(), &found.id, Some(batch_id)).await
}

/// Puts a withdrawal back in line, out of its batch; the caller has proven that its attempt cannot pay.
pub async fn put_back(unit: &mut Unit, id: &str, who: &str, why: &str) -> Result<(), WithdrawalError> {
    transition(unit, id, Event::Requeue, who, why).await?;
    store::set_batch(unit.db(), id, None).await
}
