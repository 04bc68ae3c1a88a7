//! Batches that end without a signature: expired, abandoned, refused.
//!
//! The workers call [`expire`] for what never left; an operator calls [`abandon`]; `accept` calls [`end`] for a signed
//! refusal. What must stay true: an exported batch may be dropped only after `expires_at` (nothing is signed any more; if a
//! reply was lost, the signer refuses its item ids in any later batch) or by a signed refusal; every withdrawal goes back
//! to the queue with the reason.

use super::BatchError;
use super::state::{Event, State};
use super::store::{self, Batch};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::ledger::Unit;
use crate::withdrawals::{AttemptState, attempts, queue};
use serde_json::json;

/// Expires what waited for approval too long.
pub async fn expire(app: &App) -> Result<(), BatchError> {
    let overdue = store::overdue(&mut *app.db.reader().await?, app.clock.now()).await?;
    for batch in overdue {
        app.writer
            .commit(move |unit| {
                Box::pin(async move {
                    // Another network's round, another coordinator or an operator may have been faster.
                    let now = store::get(unit.db(), &batch.id).await?;
                    if now.state != batch.state {
                        return Ok(());
                    }
                    end(unit, &now, Event::Expire, "system", "not exported in time").await
                })
            })
            .await?;
    }
    Ok(())
}

/// An operator drops a batch.
pub async fn abandon(app: &App, batch: &str, by: &By, why: &str) -> Result<Batch, BatchError> {
    let (id, by, why) = (batch.to_owned(), by.clone(), why.to_owned());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let batch = store::get(unit.db(), &id).await?;
                if batch.state == State::Exported && unit.now() < batch.expires_at_ms {
                    return Err(BatchError::MayBeSigned { batch: id });
                }
                end(unit, &batch, Event::Abandon, &by.who, &why).await?;
                let (before, after) = (json!({ "state": batch.state.name() }), json!({ "why": why }));
                audit::record(unit, &by, Action::BatchAbandon, &id, before, after).await?;
                store::get(unit.db(), &id).await
            })
        })
        .await
}

/// Ends an unsigned batch: its attempts are dead, its withdrawals are queued again.
pub async fn end(
    unit: &mut Unit,
    batch: &Batch,
    event: Event,
    who: &str,
    why: &str,
) -> Result<(), BatchError> {
    let ended = store::transition(unit, batch, event, who, why).await?;
    let now = unit.now();
    let why = format!("batch {} was {}: {why}", batch.id, ended.state);
    for attempt in attempts::of_batch(unit.db(), &batch.id).await? {
        attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Dead, now).await?;
        queue::put_back(unit, &attempt.withdrawal_id, who, &why).await?;
    }
    if event == Event::Refuse {
        attempts::never_signed(unit.db(), &batch.id).await?;
    }
    Ok(())
}
