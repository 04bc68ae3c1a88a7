//! Out, over the gap: batches sealed into a bundle, and the bundle as JSON, frames and an animation.
//!
//! `http.rs` calls [`seal`] once per set of batches and the others as often as anyone likes. What must stay true: the sealed bytes
//! are stored in the commit that exports the batches, so every export of a bundle is the same bytes (a lost USB stick
//! changes nothing); a batch is in one bundle at most; a suspended signer gets nothing.

use super::state::{Event, State};
use super::store::{self, Batch, SealedBundle};
use super::{BatchError, approve, hardware};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::{Db, random_id};
use crate::freeze;
use crate::ledger::Unit;
use crate::pairing::{self, CoordinatorKey};
use crate::withdrawals::{self, AttemptState, attempts};
use airlock_shared::document::Document;
use airlock_shared::envelope::{Bundle, Envelope, MAX_BUNDLE};
use airlock_shared::frames::{Encoder, FrameSize, QrImage, animation};
use airlock_shared::memory::Past;
use airlock_shared::policy::{Facts, Rule, rules};
use airlock_shared::words;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Seals `batches` (ids, in the order in which they will be broadcast) into a bundle for their signer; one of a hardware
/// wallet alone. The same batches in the same order again: the same bundle.
pub async fn seal(app: &App, batches: Vec<String>, by: &By) -> Result<SealedBundle, BatchError> {
    let distinct: BTreeSet<&String> = batches.iter().collect();
    if batches.is_empty() || batches.len() > MAX_BUNDLE || distinct.len() != batches.len() {
        return Err(BatchError::Bundle { why: format!("1 to {MAX_BUNDLE} different batches") });
    }
    let key = CoordinatorKey::open(&app.config.home)?;
    let (id, by, first) = (random_id()?, by.clone(), batches[0].clone());
    let sealed = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                if let Some(known) = sealed_before(unit.db(), &batches).await? {
                    return Ok(known);
                }
                freeze::ensure_none(unit.db()).await?;
                let mut rows = Vec::with_capacity(batches.len());
                let mut envelopes = Vec::with_capacity(batches.len());
                let now = unit.now();
                for batch in &batches {
                    let row = store::get(unit.db(), batch).await?;
                    envelopes.push(envelope(unit.db(), &row, batches.len(), now, &key).await?);
                    rows.push(row);
                }
                if rows.iter().any(|row| row.signer != rows[0].signer) {
                    return Err(BatchError::Bundle { why: "they are for different signers".to_owned() });
                }
                let bundle = Bundle { envelopes };
                let words = words::words(&bundle.words_digest());
                let sealed = SealedBundle { id, bundle, words };
                store::insert_bundle(unit.db(), &sealed, &by.who, now).await?;
                for (place, row) in rows.iter().enumerate() {
                    if sealed.bundle.envelopes.get(place).is_some_and(|one| hardware::pays(&one.content)) {
                        hardware::insert_export(unit.db(), &row.id, now).await?;
                    }
                    let place = i64::try_from(place).unwrap_or(i64::MAX);
                    store::set_bundle(unit.db(), &row.id, &sealed.id, place).await?;
                    export(unit, row, &sealed.id, &by.who).await?;
                }
                let after = json!({ "batches": batches });
                audit::record(unit, &by, Action::BundleSeal, &sealed.id, Value::Null, after).await?;
                Ok(sealed)
            })
        })
        .await;
    if hardware::is_first_seen(&sealed) {
        hardware::remember_refusal(app, &first).await?;
    }
    sealed
}

/// The bundle that already holds exactly these batches in this order.
async fn sealed_before(db: &mut Db, batches: &[String]) -> Result<Option<SealedBundle>, BatchError> {
    let first = store::get(db, &batches[0]).await?;
    let Some((bundle, _)) = first.bundle else { return Ok(None) };
    let inside = store::of_bundle(db, &bundle).await?;
    if inside.iter().map(|batch| &batch.id).eq(batches) {
        return store::bundle(db, &bundle).await;
    }
    Err(BatchError::Bundle { why: format!("batch {} left in bundle {bundle} with others", first.id) })
}

/// Seals one batch, after asking every rule of the policy that the signer will ask, approvals included.
async fn envelope(
    db: &mut Db,
    batch: &Batch,
    bundle_len: usize,
    now: i64,
    key: &CoordinatorKey,
) -> Result<Envelope, BatchError> {
    batch.state.next(Event::Export)?;
    let signer = pairing::store::signer(db, &batch.signer).await?;
    if !signer.is_some_and(|signer| signer.active) {
        return Err(BatchError::Suspended { signer: batch.signer.to_string() });
    }
    let content = store::content(db, &batch.id).await?;
    let approvals = store::approvals(db, &batch.id).await?;
    if hardware::pays(&content) {
        let now = u64::try_from(now).unwrap_or(0) / 1_000;
        hardware::judge(db, batch, &content, &approvals, bundle_len, now).await?;
        return Ok(Envelope::seal(content, approvals, Vec::new(), key.signing_key()));
    }
    let policy = approve::policy(db, batch).await?;
    let verdicts = rules::explain(&Facts {
        content: &content,
        digest: batch.content_digest,
        approvals: &approvals,
        bundle_len,
        policy: &policy.policy,
        now: u64::try_from(now).unwrap_or(0) / 1_000,
        past: Past::unknown(),
    });
    // The signing hours are the signer's; what is exported now is signed when they come.
    let asked = verdicts.into_iter().filter(|(rule, _)| *rule != Rule::TimeWindow);
    asked.into_iter().try_for_each(|(_, verdict)| verdict)?;
    let heads = pairing::store::newest_head(db, &batch.signer).await?.into_iter().collect();
    Ok(Envelope::seal(content, approvals, heads, key.signing_key()))
}

/// From here on the batch's transactions count as possibly signed.
async fn export(unit: &mut Unit, batch: &Batch, bundle: &str, who: &str) -> Result<(), BatchError> {
    let why = format!("sealed into bundle {bundle}");
    store::transition(unit, batch, Event::Export, who, &why).await?;
    let now = unit.now();
    for attempt in attempts::of_batch(unit.db(), &batch.id).await? {
        attempts::step(unit.db(), &attempt.id, attempt.state, AttemptState::Exported, now).await?;
        withdrawals::transition(unit, &attempt.withdrawal_id, withdrawals::Event::Export, who, &why).await?;
    }
    Ok(())
}

/// A bundle's batches, in order.
pub async fn batches_of(db: &mut Db, bundle: &str) -> Result<Vec<(String, State)>, BatchError> {
    Ok(store::of_bundle(db, bundle).await?.into_iter().map(|batch| (batch.id, batch.state)).collect())
}

/// The frames of any document, for its routes.
pub struct Frames {
    encoder: Encoder,
    size: FrameSize,
}

impl Frames {
    /// Prepares the frames of `document`.
    pub fn of<D: Document>(document: &D, size: FrameSize) -> Result<Self, BatchError> {
        Ok(Self { encoder: Encoder::new(&document.to_binary(), D::KIND, size)?, size })
    }

    /// How many a loop shows.
    pub fn count(&self) -> u32 {
        self.encoder.suggested_frames()
    }

    /// How many suffice if none is lost.
    pub fn needed(&self) -> u32 {
        self.encoder.source_frames()
    }

    /// Frame `n` as a PNG; frames beyond [`Self::count`] go on for ever, for cameras that missed too many.
    pub fn png(&self, n: u32, pixels_per_module: u32) -> Result<Vec<u8>, BatchError> {
        Ok(QrImage::encode(&self.encoder.frame(n), self.size)?.png(pixels_per_module)?)
    }

    /// The loop as a GIF.
    pub fn gif(&self, frames_per_second: u8, pixels_per_module: u32) -> Result<Vec<u8>, BatchError> {
        let images: Vec<QrImage> =
            self.encoder.frames().map(|text| QrImage::encode(&text, self.size)).collect::<Result<_, _>>()?;
        Ok(animation(&images, pixels_per_module, u16::from(frames_per_second))?)
    }
}
