//! Sending what is signed, and sending it again until the chain has it.
//!
//! [`step`] is one round for one network; `mod.rs` loops around it. What must stay true: bytes and ids were stored before the
//! first send, so the very same bytes go out after any crash and the chain counts them once; a batch waits until the earlier ones
//! of its bundle are out; on EVM at most [`WINDOW`] nonces beyond the mined one are sent, lowest first; every answer is a
//! hint that is noted and shown, and decides nothing but whether `broadcasted` is recorded.

use super::BatchError;
use super::accept::CANCEL_LEVEL;
use super::state::{Event, State};
use super::store::{self, Batch};
use crate::alerts;
use crate::app::App;
use crate::chain::{AnswerClass, BroadcastAnswer, Providers, View};
use crate::clock::UnixMillis;
use crate::energy;
use crate::freeze;
use crate::withdrawals::attempts::{self, Attempt, Bound};
use crate::withdrawals::{self, AttemptState};
use airlock_shared::{Address, Family, Network};
use std::collections::BTreeMap;

/// Nonces beyond the mined one that a sender may have in pools: what geth and reth guarantee (facts: 16 executable).
pub const WINDOW: u64 = 16;
/// The same bytes are sent again after this long without being in a block: a TRON node drops them after 60 s.
pub const RESEND_AFTER_MS: UnixMillis = 15_000;
/// A transaction that is in no block after this long is sent at its next signed fee level, if it has one.
const CLIMB_AFTER_MS: UnixMillis = 180_000;
/// Transactions sent in one round, so that confirming is never far behind.
const SENDS_PER_STEP: usize = 500;

/// Sends what is due on `network`; how many transactions.
pub async fn step(app: &App, network: Network) -> Result<usize, BatchError> {
    let providers = app.chains.of(network).ok_or(BatchError::Network(network))?;
    let (batches, frozen) = {
        let mut db = app.db.reader().await?;
        (store::under_way(&mut db, network).await?, alerts::any_open(&mut db, freeze::KIND).await?)
    };
    let mut mined = Mined { providers, next: BTreeMap::new() };
    let mut sent = 0;
    for batch in batches {
        // What has begun goes on, because the rest of it may be out already; while the books are in doubt nothing begins.
        let waits = frozen && batch.state == State::Signed;
        if waits || !earlier_are_out(app, &batch).await? {
            continue;
        }
        let batch = if batch.state == State::Signed { begin(app, batch).await? } else { batch };
        for attempt in due(app, &batch).await? {
            if sent >= SENDS_PER_STEP {
                return Ok(sent);
            }
            if !mined.window_reaches(&attempt).await? {
                // Nonces rise through the batch: nothing behind this one may go either.
                break;
            }
            send(app, providers, &attempt).await?;
            sent += 1;
        }
    }
    Ok(sent)
}

/// Is every transaction of the bundle's earlier batches sent, or their end decided?
async fn earlier_are_out(app: &App, batch: &Batch) -> Result<bool, BatchError> {
    let Some((bundle, place)) = &batch.bundle else { return Ok(true) };
    let mut db = app.db.reader().await?;
    for earlier in store::of_bundle(&mut db, bundle).await? {
        if earlier.bundle.as_ref().is_some_and(|(_, at)| at >= place) || earlier.state.is_terminal() {
            continue;
        }
        if earlier.state != State::Broadcasting {
            return Ok(false);
        }
        let unsent = |attempt: &Attempt| attempt.state == AttemptState::Signed;
        if attempts::of_batch(&mut db, &earlier.id).await?.iter().any(unsent) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Energy first, then broadcasting: recorded for the batch and each of its withdrawals in one commit.
async fn begin(app: &App, batch: Batch) -> Result<Batch, BatchError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                freeze::ensure_none(unit.db()).await?;
                let plan = energy::plan(batch.network);
                let begun =
                    store::transition(unit, &batch, Event::Broadcast, "system", "sending begins").await?;
                for attempt in attempts::of_batch(unit.db(), &batch.id).await? {
                    let steps = [
                        (withdrawals::Event::RequestEnergy, plan.requested()),
                        (withdrawals::Event::ReceiveEnergy, plan.received()),
                        (withdrawals::Event::Broadcast, "sending begins"),
                    ];
                    for (event, why) in steps {
                        withdrawals::transition(unit, &attempt.withdrawal_id, event, "system", why).await?;
                    }
                }
                Ok(begun)
            })
        })
        .await
}

/// What was never sent, and what was sent a while ago and is in no block yet, in the order of the batch.
async fn due(app: &App, batch: &Batch) -> Result<Vec<Attempt>, BatchError> {
    let mut db = app.db.reader().await?;
    let sends = store::sends(&mut db, &batch.id).await?;
    let last_sent: BTreeMap<_, _> = sends.into_iter().map(|(id, _, at, _)| (id, at)).collect();
    let now = app.clock.now();
    let is_due = |attempt: &Attempt| match attempt.state {
        AttemptState::Signed => true,
        AttemptState::Sent => {
            last_sent.get(&attempt.id).is_none_or(|at| now.saturating_sub(*at) >= RESEND_AFTER_MS)
        }
        _ => false,
    };
    let mut due = attempts::of_batch(&mut db, &batch.id).await?;
    due.retain(is_due);
    Ok(due)
}

/// The next account nonce of each sender in the newest block, asked once a round.
struct Mined<'a> {
    providers: &'a Providers,
    next: BTreeMap<Address, u64>,
}

impl Mined<'_> {
    async fn window_reaches(&mut self, attempt: &Attempt) -> Result<bool, BatchError> {
        let (Family::Evm, Bound::AccountNonce(nonce)) = (attempt.network.family(), attempt.bound) else {
            return Ok(true);
        };
        let source = attempt.source;
        let next = match self.next.get(&source) {
            Some(next) => *next,
            None => {
                let told = self.providers.ask(|node| async move {
                    let evm = node.evm().ok_or_else(super::terms::wrong_family)?;
                    evm.account_nonce(source, View::Head).await
                });
                let next = told.await?.answer;
                self.next.insert(source, next);
                next
            }
        };
        Ok(nonce < next.saturating_add(WINDOW))
    }
}

/// The bytes to send now: the lowest signed fee level, and a higher one for every while without success. All levels pay the
/// same at the same account nonce, so at most one of them is ever mined.
async fn bytes_of(app: &App, attempt: &Attempt) -> Result<Option<Vec<u8>>, BatchError> {
    let mut levels = attempts::transactions_of(&mut *app.db.reader().await?, &attempt.id).await?;
    levels.retain(|(level, ..)| *level != CANCEL_LEVEL);
    let waited = match attempt.state {
        AttemptState::Sent => app.clock.now().saturating_sub(attempt.changed_at),
        _ => 0,
    };
    let climbed = usize::try_from(waited / CLIMB_AFTER_MS).unwrap_or(0);
    let place = climbed.min(levels.len().saturating_sub(1));
    Ok(levels.into_iter().nth(place).map(|(.., bytes)| bytes))
}

/// Sends one attempt's bytes to every provider and notes what they said.
async fn send(app: &App, providers: &Providers, attempt: &Attempt) -> Result<(), BatchError> {
    let Some(bytes) = bytes_of(app, attempt).await? else { return Ok(()) };
    let told = providers.broadcast(&bytes).await;
    let answers: Vec<_> = told.into_iter().map(|told| told.answer).collect();
    let accepted = answers.contains(&BroadcastAnswer::Accepted);
    let poison = answers.iter().find_map(poison_of);
    let said: Vec<String> = answers.iter().map(hint).collect();
    let (attempt, said) = (attempt.clone(), said.join("; "));
    tracing::info!(
        request_id = attempt.request_id, withdrawal = attempt.withdrawal_id, batch = attempt.batch_id,
        network = %attempt.network, tx_id = attempt.shown_tx_id(), accepted, said, "transaction sent"
    );
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::note_sent(unit.db(), &attempt.id, &said, now).await?;
                // Whatever was answered: from now on it may be out there.
                if attempt.state == AttemptState::Signed {
                    let to = AttemptState::Sent;
                    attempts::step(unit.db(), &attempt.id, attempt.state, to, now).await?;
                }
                if let Some(text) = poison {
                    let partner = store::get(unit.db(), &attempt.batch_id).await?.partner;
                    alerts::raise_for(unit.db(), &partner, "attempt.poison", &attempt.id, &text, now).await?;
                }
                let paid = withdrawals::store::find(unit.db(), &attempt.withdrawal_id).await?;
                let waits = paid.is_some_and(|row| row.state == withdrawals::State::Broadcasting);
                if accepted && waits {
                    let event = withdrawals::Event::Accept;
                    withdrawals::transition(unit, &attempt.withdrawal_id, event, "system", "a node took it")
                        .await?;
                }
                Ok(())
            })
        })
        .await
}

/// An answer that means our mistake or a provider of another network: a person must look.
fn poison_of(answer: &BroadcastAnswer) -> Option<String> {
    match answer {
        BroadcastAnswer::Rejected { class: AnswerClass::Signature | AnswerClass::Encoding, text } => {
            Some(text.clone())
        }
        _ => None,
    }
}

fn hint(answer: &BroadcastAnswer) -> String {
    match answer {
        BroadcastAnswer::Accepted => "accepted".to_owned(),
        BroadcastAnswer::AlreadyKnown => "already known".to_owned(),
        BroadcastAnswer::Retry { class, text } => format!("retry ({}): {text}", class.name()),
        BroadcastAnswer::Rejected { class, text } => format!("rejected ({}): {text}", class.name()),
        BroadcastAnswer::Unknown { text } => format!("unknown: {text}"),
    }
}
