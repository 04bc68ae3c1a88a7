//! Back over the gap: replies are judged one by one, and what is right is stored before anything is sent.
//!
//! `http.rs` calls [`accept`]. Judged in this order: do we know the batch; is the signer its own, paired and not suspended; is the
//! receipt authentic; is it a repeat; does it extend the journal that we know; refusal or signatures; every signature against
//! the stored content. What must stay true: accepting is idempotent; one bad reply does not hurt its neighbours; bytes and
//! ids of every transaction are stored in the commit that makes the batch signed; a forked journal suspends its signer.

use super::state::{Event, State};
use super::store::{self, Batch};
use super::{BatchError, close, hardware};
use crate::alerts;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::chain::TxId;
use crate::db::Db;
use crate::ledger::Unit;
use crate::pairing::{self, head};
use crate::people::Reach;
use crate::withdrawals::{self, AttemptState, attempts, queue};
use airlock_shared::approval;
use airlock_shared::batch::Content;
use airlock_shared::document;
use airlock_shared::envelope::{Outcome, Receipt, Replies, Reply};
use airlock_shared::roles::combiner;
use airlock_shared::roles::extractor::{self, Extracted, Level};
use airlock_shared::roles::finalizer;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What became of one reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its signatures are verified and stored.
    Signed,
    /// It was here before; nothing changed.
    Repeated,
    /// The signer refused the batch; its withdrawals are queued again.
    RefusedBySigner,
    /// It was not accepted; nothing changed.
    Rejected,
    /// It shows a forked journal: the signer is suspended.
    SignerSuspended,
}

/// The judgement of one reply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Judged {
    /// Digest of the content that it answers.
    pub content: String,
    /// Our batch with that content, if there is one.
    pub batch: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// A sentence.
    pub why: String,
}

/// Judges every reply of every document, in order. A batch out of reach is one that we do not know.
pub async fn accept(
    app: &App,
    documents: Vec<Vec<u8>>,
    reach: &Reach,
    by: &By,
) -> Result<Vec<Judged>, BatchError> {
    // A document that cannot be read refuses the whole upload before anything of it counts.
    let read =
        documents.iter().map(|bytes| document::read::<Replies>(bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut judged = Vec::new();
    for reply in read.into_iter().flat_map(|replies| replies.replies) {
        let one = judge(app, reply, reach, by).await?;
        if matches!(one.verdict, Verdict::Rejected) {
            rejected(app, by, &one).await?;
        }
        judged.push(one);
    }
    Ok(judged)
}

async fn judge(app: &App, reply: Reply, reach: &Reach, by: &By) -> Result<Judged, BatchError> {
    let content = reply.receipt.content.to_string();
    let found = {
        let mut db = app.db.reader().await?;
        store::of_content(&mut db, &reply.receipt.content).await?
    };
    let Some(batch) = found.filter(|batch| reach.covers_partner(&batch.partner)) else {
        let why = "no batch with this content was made here".to_owned();
        return Ok(Judged { content, batch: None, verdict: Verdict::Rejected, why });
    };
    let (id, partner) = (batch.id.clone(), batch.partner.clone());
    let judged = |verdict, why| Judged { content, batch: Some(id), verdict, why };
    let signed = match examine(app, &batch, &reply).await? {
        Examined::Signed(signed) => Some(signed),
        Examined::Refused => None,
        Examined::Ended(verdict, why) => return Ok(judged(verdict, why)),
    };
    let by = by.clone();
    let result = app
        .writer
        .commit(move |unit| Box::pin(async move { write(unit, &batch, &reply, signed, &by).await }))
        .await;
    match result {
        Ok((verdict, why)) => Ok(judged(verdict, why)),
        Err(error @ (BatchError::Illegal(_) | BatchError::Raced { .. })) => {
            Ok(judged(Verdict::Rejected, error.to_string()))
        }
        Err(BatchError::TooLate { batch, why }) => {
            raise(app, &partner, "batch.late_signatures", &batch, &why).await?;
            Ok(judged(Verdict::Rejected, why))
        }
        Err(error) => Err(error),
    }
}

/// What a reply is, before anything is written.
enum Examined {
    /// All signatures are right.
    Signed(Vec<Extracted>),
    /// An authentic refusal.
    Refused,
    /// Nothing is to be written.
    Ended(Verdict, String),
}

async fn examine(app: &App, batch: &Batch, reply: &Reply) -> Result<Examined, BatchError> {
    let rejected = |why: String| Ok(Examined::Ended(Verdict::Rejected, why));
    let receipt = &reply.receipt;
    let (content, known, signer, envelope_approvals) = {
        let mut db = app.db.reader().await?;
        let signer = pairing::store::signer(&mut db, &receipt.signer()).await?;
        let content = store::content(&mut db, &batch.id).await?;
        let approvals = store::approvals(&mut db, &batch.id).await?;
        (content, store::replies(&mut db, &batch.id).await?, signer, approvals)
    };
    // A signer's refusal proves nothing here: the device may have signed all the same.
    if hardware::pays(&content) {
        return rejected("a hardware wallet signs this batch: no signer answers for it".to_owned());
    }
    match signer {
        None => return rejected(format!("signer {} is not paired", receipt.signer())),
        Some(signer) if signer.identity != batch.signer => {
            return rejected(format!("the batch is for signer {}", batch.signer));
        }
        Some(signer) if !signer.active => return rejected("its signer is suspended".to_owned()),
        Some(_) => {}
    }
    if !receipt.is_authentic() {
        return rejected("the receipt is not signed by the signer it names".to_owned());
    }
    if let Some(ended) = compare_with_known(app, batch, &known, reply).await? {
        return Ok(ended);
    }
    if let Outcome::Refused { .. } = receipt.outcome {
        return Ok(Examined::Refused);
    }
    if receipt.approvals != approval::digest_of(&envelope_approvals) {
        return rejected("the signer saw other approvals than this batch left with".to_owned());
    }
    let reply = reply.clone();
    // Recovering thousands of keys takes a while; the server goes on meanwhile.
    let verified = tokio::task::spawn_blocking(move || {
        finalizer::finalize(&content, &reply).map(|signed| extractor::extract(&content, &signed))
    });
    match verified.await? {
        Ok(extracted) => Ok(Examined::Signed(extracted)),
        Err(error) => rejected(error.to_string()),
    }
}

/// A reply that we have is a repeat; a different one by the same signer is a contradiction that people must see.
async fn compare_with_known(
    app: &App,
    batch: &Batch,
    known: &[Reply],
    reply: &Reply,
) -> Result<Option<Examined>, BatchError> {
    let signer = reply.receipt.signer();
    match combiner::combine(known.to_vec(), vec![reply.clone()]) {
        Err(conflict) => {
            let why = conflict.to_string();
            raise(app, &batch.partner, "batch.conflicting_reply", &batch.id, &why).await?;
            Ok(Some(Examined::Ended(Verdict::Rejected, why)))
        }
        Ok(_) if known.iter().any(|one| one.receipt.signer() == signer) => {
            Ok(Some(Examined::Ended(Verdict::Repeated, "it was accepted before".to_owned())))
        }
        Ok(_) => Ok(None),
    }
}

/// A reply that was brought and not taken leaves a row too.
async fn rejected(app: &App, by: &By, judged: &Judged) -> Result<(), BatchError> {
    let (by, subject) = (by.clone(), judged.batch.clone().unwrap_or_else(|| judged.content.clone()));
    let after = json!({ "why": judged.why });
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                Ok(audit::record(unit, &by, Action::ReplyRefuse, &subject, Value::Null, after).await?)
            })
        })
        .await
}

async fn raise(
    app: &App,
    partner: &str,
    kind: &'static str,
    subject: &str,
    what: &str,
) -> Result<(), BatchError> {
    let (partner, subject, what) = (partner.to_owned(), subject.to_owned(), what.to_owned());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                Ok(alerts::raise_for(unit.db(), &partner, kind, &subject, &what, now).await?)
            })
        })
        .await
}

/// Inside the writer's commit: journal first, then the refusal or the signatures.
async fn write(
    unit: &mut Unit,
    batch: &Batch,
    reply: &Reply,
    signed: Option<Vec<Extracted>>,
    by: &By,
) -> Result<(Verdict, String), BatchError> {
    let (verdict, why) = take(unit, batch, reply, signed, &by.who).await?;
    let action = match verdict {
        Verdict::Signed => Action::BatchSigned,
        Verdict::RefusedBySigner => Action::BatchRefused,
        Verdict::SignerSuspended => Action::ReplyRefuse,
        Verdict::Repeated | Verdict::Rejected => return Ok((verdict, why)),
    };
    let (before, after) = (json!({ "state": batch.state.name() }), json!({ "verdict": verdict, "why": why }));
    audit::record(unit, by, action, &batch.id, before, after).await?;
    Ok((verdict, why))
}

async fn take(
    unit: &mut Unit,
    batch: &Batch,
    reply: &Reply,
    signed: Option<Vec<Extracted>>,
    who: &str,
) -> Result<(Verdict, String), BatchError> {
    let batch = store::get(unit.db(), &batch.id).await?;
    // Another upload may have been faster.
    if store::replies(unit.db(), &batch.id).await?.contains(reply) {
        return Ok((Verdict::Repeated, "it was accepted before".to_owned()));
    }
    let dropped = batch.bundle.is_some() && matches!(batch.state, State::Expired | State::Abandoned);
    match &signed {
        Some(_) if !dropped && batch.state != State::Exported => {
            return Err(late(&batch, format!("the batch is {}", batch.state)));
        }
        Some(_) => {}
        // A refusal of what was dropped is worth having: it proves that nothing was signed.
        None if dropped => {}
        None => drop(batch.state.next(Event::Refuse)?),
    }
    if let Some(error) = extend_journal(unit, &batch.partner, &reply.receipt).await? {
        return Ok((Verdict::SignerSuspended, error.to_string()));
    }
    let now = unit.now();
    store::insert_reply(unit.db(), &batch.id, reply, who, now).await?;
    match signed {
        Some(extracted) => {
            if dropped {
                revive(unit, &batch, who).await?;
            }
            let content = store::content(unit.db(), &batch.id).await?;
            sign(unit, &batch, &content, &extracted, who).await?;
            Ok((Verdict::Signed, format!("{} transactions are verified and stored", extracted.len())))
        }
        None if dropped => {
            attempts::never_signed(unit.db(), &batch.id).await?;
            let why = format!("the batch is {} already: {}", batch.state, refusal_of(&reply.receipt));
            Ok((Verdict::RefusedBySigner, why))
        }
        None => {
            let why = refusal_of(&reply.receipt);
            close::end(unit, &batch, Event::Refuse, who, &why).await?;
            Ok((Verdict::RefusedBySigner, why))
        }
    }
}

/// Good signatures that cannot be taken now: whoever has them can still send them, so people must know.
fn late(batch: &Batch, reason: String) -> BatchError {
    let why = format!("{reason}; these signatures came too late and may be on chain");
    BatchError::TooLate { batch: batch.id.clone(), why }
}

/// Good signatures for a batch that was dropped unanswered: its withdrawals come back from the queue, so that what the signer
/// has signed is sent and followed. One that is in another batch by now must leave that one first.
async fn revive(unit: &mut Unit, batch: &Batch, who: &str) -> Result<(), BatchError> {
    let now = unit.now();
    let why = format!("batch {} was {}, its signatures came late", batch.id, batch.state);
    for attempt in attempts::of_batch(unit.db(), &batch.id).await? {
        let found = withdrawals::store::find(unit.db(), &attempt.withdrawal_id).await?;
        let Some(found) = found.filter(|found| found.state == withdrawals::State::Queued) else {
            return Err(late(
                batch,
                format!("withdrawal {} is not in the queue any more", attempt.withdrawal_id),
            ));
        };
        if attempts::nonce_is_taken(unit.db(), &attempt).await? {
            return Err(late(batch, format!("another batch uses an account nonce of batch {}", batch.id)));
        }
        attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Exported, now).await?;
        queue::take(unit, &found, &batch.id, who).await?;
        withdrawals::transition(unit, &found.id, withdrawals::Event::Export, who, &why).await?;
    }
    Ok(())
}

fn refusal_of(receipt: &Receipt) -> String {
    match &receipt.outcome {
        Outcome::Refused { code, why } => format!("{code}: {why}"),
        Outcome::Signed { .. } => String::new(),
    }
}

/// Records what the receipt adds to the signer's journal; if it does not extend it, suspends the signer and says why.
async fn extend_journal(
    unit: &mut Unit,
    partner: &str,
    receipt: &Receipt,
) -> Result<Option<head::HeadError>, BatchError> {
    let (signer, now) = (receipt.signer(), unit.now());
    let known = known_heads(unit.db(), receipt).await?;
    match head::extend(&known, receipt) {
        Ok(added) => {
            pairing::store::add_entries(unit.db(), &added, now).await?;
            Ok(None)
        }
        Err(error) => {
            pairing::store::suspend(unit.db(), &signer, now).await?;
            let what = format!("{error}; nothing is exported to it or taken from it any more");
            alerts::raise_for(unit.db(), partner, "signer.suspended", &signer.to_string(), &what, now)
                .await?;
            Ok(Some(error))
        }
    }
}

async fn known_heads(db: &mut Db, receipt: &Receipt) -> Result<head::KnownHeads, BatchError> {
    let entries = receipt.unacknowledged.iter().chain([&receipt.entry]);
    let from = entries.map(|entry| entry.sequence).min().unwrap_or(0);
    Ok(pairing::store::heads_from(db, &receipt.signer(), from).await?)
}

/// Stores every transaction with its id, before anything is sent.
pub(super) async fn sign(
    unit: &mut Unit,
    batch: &Batch,
    content: &Content,
    extracted: &[Extracted],
    who: &str,
) -> Result<(), BatchError> {
    let attempts_of_batch = attempts::of_batch(unit.db(), &batch.id).await?;
    let per_item: Vec<&[Extracted]> = extracted.chunk_by(|a, b| a.item == b.item).collect();
    if attempts_of_batch.len() != per_item.len() || content.items.len() != per_item.len() {
        let what = format!("attempts of batch {}", batch.id);
        return Err(crate::ledger::LedgerError::Corrupt { what }.into());
    }
    let now = unit.now();
    store::transition(unit, batch, Event::Sign, who, "every signature verified").await?;
    for (attempt, transactions) in attempts_of_batch.iter().zip(per_item) {
        for transaction in transactions {
            let id = TxId(transaction.tx_id).to_string();
            let level = match transaction.level {
                Level::Payment(level) => i64::from(level),
                Level::Cancel => CANCEL_LEVEL,
            };
            attempts::insert_transaction(unit.db(), attempt, level, &id, &transaction.bytes, now).await?;
            if level == 0 {
                attempts::store_signed(unit.db(), &attempt.id, &id, &transaction.bytes, now).await?;
            }
        }
        let why = format!("signed in batch {}", batch.id);
        withdrawals::transition(unit, &attempt.withdrawal_id, withdrawals::Event::Sign, who, &why).await?;
    }
    Ok(())
}

/// How a cancel is told from the payment levels, which count from 0.
pub const CANCEL_LEVEL: i64 = -1;
