//! Batches that a hardware wallet signs (S12): the same content and approvals, but no signer of ours in between.
//!
//! ```text
//! create (source: a wallet the policy marks) -> approve -> seal, alone: every rule, with a memory -> requests
//!        -> device -> signatures, one request at a time -> whole: attempts signed -> broadcast, as any other
//! ```
//! `exchange` calls [`judge`] when such a batch is sealed, `http` the rest. What must stay true: nothing leaves before the
//! quorum and every rule of the newest policy are met, with what left before counted as signed; a signature counts only for
//! its request and if the paying address is recovered from it; bytes are stored before the first send. Whoever owns
//! this machine owns the judgement too, so the limits of such wallets must be low.

mod accept;
mod requests;
mod store;

pub use accept::{Came, Given, accept};
pub use requests::{HardwareAsked, Kind as PictureKind, Request, pictures, requests};
pub use store::{exported_at, insert_export, reply};

use super::store::Batch;
use super::{BatchError, approve};
use crate::app::App;
use crate::db::Db;
use crate::pairing;
use airlock_shared::approval::Approval;
use airlock_shared::batch::Content;
use airlock_shared::chain::{BuildError, Unsigned};
use airlock_shared::journal::Record;
use airlock_shared::memory::{Memory, Past, check_repeats};
use airlock_shared::policy::{Facts, Rule, judge as judge_policy, rules};
use airlock_shared::roles::creator::{self, CreateError};
use airlock_shared::wallet::Role;

/// Does a hardware wallet pay?
pub fn pays(content: &Content) -> bool {
    content.source.is_some_and(|source| source.role == Role::Hardware)
}

/// Everything that the signer would ask before it signs, asked here: the newest policy with every rule, and that no item,
/// account nonce or transaction id left before. `now` is UTC seconds.
pub async fn judge(
    db: &mut Db,
    batch: &Batch,
    content: &Content,
    approvals: &[Approval],
    bundle_len: usize,
    now: u64,
) -> Result<(), BatchError> {
    if bundle_len != 1 {
        let why = "a batch of a hardware wallet leaves alone: no signer reads its bundle".to_owned();
        return Err(BatchError::Bundle { why });
    }
    let policy = pairing::store::newest_policy(db, &batch.signer)
        .await?
        .ok_or_else(|| BatchError::NoPolicy { signer: batch.signer.to_string() })?;
    let mut memory = memory(db).await?;
    // The database is the journal here: a clock that jumped since its last word about this batch is seen.
    memory.entered(u64::try_from(batch.changed_at).unwrap_or(0) / 1_000);
    judge_policy(&Facts {
        content,
        digest: batch.content_digest,
        approvals,
        bundle_len,
        policy: &policy.policy,
        now: now.max(memory.time()),
        past: Past::of(&memory),
    })?;
    let transactions = creator::transactions(content).map_err(CreateError::from)?;
    check_repeats(Past::of(&memory), content, |item| tx_ids(&transactions, item))
        .map_err(|repeat| BatchError::Hardware { why: repeat.to_string() })
}

/// A refusal for nothing but first-seen destinations begins their delay, as the signer's does.
pub async fn remember_refusal(app: &App, batch: &str) -> Result<(), BatchError> {
    let batch = batch.to_owned();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::insert_refusal(unit.db(), &batch, now).await
            })
        })
        .await
}

/// What has left for hardware wallets, all of it counted as signed, in the order in which it left.
async fn memory(db: &mut Db) -> Result<Memory, BatchError> {
    let mut memory = Memory::default();
    for (id, exported, at) in store::past(db).await? {
        let content = super::store::content(db, &id).await?;
        let time = u64::try_from(at).unwrap_or(0) / 1_000;
        if exported == 1 {
            let transactions = creator::transactions(&content).map_err(CreateError::from)?;
            let record = Record::of(&content, time, |item| tx_ids(&transactions, item));
            memory.take_in(&record.ok_or_else(|| no_record(&id))?);
            continue;
        }
        let batch = super::store::get(db, &id).await?;
        let policy = approve::policy(db, &batch).await?;
        let seen = rules::first_seen_of(&Facts {
            content: &content,
            digest: batch.content_digest,
            approvals: &[],
            bundle_len: 1,
            policy: &policy.policy,
            now: time,
            past: Past::of(&memory),
        });
        memory.first_seen_refused(seen.network, &seen.destinations, time);
    }
    Ok(memory)
}

fn tx_ids(transactions: &[Vec<Unsigned>], item: usize) -> Vec<[u8; 32]> {
    transactions.get(item).into_iter().flatten().filter_map(Unsigned::tx_id).collect()
}

fn no_record(batch: &str) -> BatchError {
    CreateError::from(BuildError { item: 0, why: format!("batch {batch} has no source") }).into()
}

/// Was a seal refused for nothing but first-seen destinations? Only a known past asks that rule, so it was a
/// hardware wallet's.
pub fn is_first_seen<T>(sealed: &Result<T, BatchError>) -> bool {
    matches!(sealed, Err(BatchError::Policy(refusal)) if refusal.rule == Rule::FirstSeen)
}
