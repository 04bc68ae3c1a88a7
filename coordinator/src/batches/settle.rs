//! Booking the chain's last word about one attempt, in one commit, and ending its batch with the last of them.
//!
//! Only `confirm.rs` calls this, with proof in hand. What must stay true: withdrawal, attempt, hold, reserve and the network fee
//! change together or not at all; the fee actually paid is booked to the last base unit, for a failed transaction too; a
//! failed or dead attempt ends the attempt, not the hold: the withdrawal goes back in line and waits for a person.

use super::state::{Event, State};
use super::{BatchError, store};
use crate::app::App;
use crate::chain::{Included, TxId};
use crate::config::NetworkConfig;
use crate::ledger::{Account, Posting, Unit};
use crate::withdrawals::attempts::{self, Attempt};
use crate::withdrawals::{self, AttemptState, Withdrawal, queue};
use std::sync::Arc;

/// What a final transaction came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Paid {
    /// It made the transfer that was signed.
    InFull,
    /// It was included and failed.
    Failed {
        /// The chain's reason.
        reason: String,
    },
}

/// Books a final transaction.
pub(super) async fn settle(
    app: &App,
    attempt: &Attempt,
    withdrawal: &Withdrawal,
    tx_id: TxId,
    seen: &Included,
    paid: Paid,
) -> Result<(), BatchError> {
    let network = app.config.network(attempt.network).ok_or(BatchError::Network(attempt.network))?.clone();
    let (attempt, withdrawal, seen) = (attempt.clone(), withdrawal.clone(), seen.clone());
    tracing::info!(
        request_id = attempt.request_id, withdrawal = attempt.withdrawal_id, batch = attempt.batch_id,
        network = %attempt.network, tx_id = tx_id.shown_on(attempt.network), height = seen.height,
        paid = matches!(paid, Paid::InFull), "transaction is final"
    );
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                book(unit, &network, &attempt, &withdrawal, tx_id, &seen, &paid).await?;
                end_batch(unit, &attempt.batch_id).await
            })
        })
        .await
}

async fn book(
    unit: &mut Unit,
    network: &Arc<NetworkConfig>,
    attempt: &Attempt,
    withdrawal: &Withdrawal,
    tx_id: TxId,
    seen: &Included,
    paid: &Paid,
) -> Result<(), BatchError> {
    let (now, id) = (unit.now(), withdrawal.id.as_str());
    let shown = tx_id.shown_on(attempt.network);
    let mut attempt = attempt.clone();
    // What was seen before in another block, or by another fee level, is what the final block says now.
    if attempt.state == AttemptState::Included {
        attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Sent, now).await?;
        attempt.state = AttemptState::Sent;
    } else {
        let why = format!("in block {}", seen.height);
        withdrawals::transition(unit, id, withdrawals::Event::Include, "system", &why).await?;
    }
    let text = tx_id.to_string();
    attempts::set_included(unit.db(), &attempt, &text, seen.height, seen.fee_base, now).await?;
    let (from, to) = match paid {
        Paid::InFull => (AttemptState::Included, AttemptState::Final),
        Paid::Failed { .. } => (AttemptState::Included, AttemptState::FailedOnChain),
    };
    attempts::step(unit.db(), &attempt.id, from, to, now).await?;
    match paid {
        Paid::InFull => {
            let event = withdrawals::Event::Complete { source: attempt.source };
            let why = format!("transaction {shown} is final in block {}", seen.height);
            withdrawals::transition(unit, id, event, "system", &why).await?;
        }
        Paid::Failed { reason } => {
            let why = format!("transaction {shown} failed on chain: {reason}; it waits for a person");
            queue::put_back(unit, id, "system", &why).await?;
        }
    }
    if !seen.fee_base.is_zero() {
        let fees = Account::NetworkFees { network: attempt.network, asset: network.native.asset.clone() };
        let reserve = Account::reserve(attempt.source, &network.native.asset);
        let reference = format!("{}/{tx_id}", attempt.network);
        unit.post(Posting::new("network_fee", reference).base(fees, reserve, seen.fee_base)).await?;
    }
    Ok(())
}

/// Books the proven death of an attempt that was never included.
pub(super) async fn dead(app: &App, attempt: &Attempt, why: &str) -> Result<(), BatchError> {
    let (attempt, why) = (attempt.clone(), format!("{why}; it waits for a person"));
    tracing::warn!(
        request_id = attempt.request_id, withdrawal = attempt.withdrawal_id, batch = attempt.batch_id,
        network = %attempt.network, tx_id = attempt.shown_tx_id(), why, "transaction is dead"
    );
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Dead, now).await?;
                queue::put_back(unit, &attempt.withdrawal_id, "system", &why).await?;
                end_batch(unit, &attempt.batch_id).await
            })
        })
        .await
}

/// Ends the batch once all its attempts have ended.
async fn end_batch(unit: &mut Unit, batch: &str) -> Result<(), BatchError> {
    let batch = store::get(unit.db(), batch).await?;
    if batch.state != State::Broadcasting {
        return Ok(());
    }
    let all = attempts::of_batch(unit.db(), &batch.id).await?;
    if !all.iter().all(|attempt| attempt.state.is_ended()) {
        return Ok(());
    }
    let paid = all.iter().filter(|attempt| attempt.state == AttemptState::Final).count();
    let event = match paid {
        0 => Event::Fail,
        paid if paid == all.len() => Event::Complete,
        _ => Event::CompletePartly,
    };
    let why = format!("{paid} of {} items are paid", all.len());
    store::transition(unit, &batch, event, "system", &why).await?;
    Ok(())
}
