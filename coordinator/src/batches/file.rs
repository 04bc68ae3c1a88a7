//! The signed-batch file: everything about one batch, for auditors who trust nobody.
//!
//! `http.rs` serves it. What must stay true: it is made of what was stored when it happened (the sealed envelope, the replies as
//! they came, the policy and roster as imported), and nothing in it is recomputed but the transactions, which every
//! auditor recomputes too.

use super::store::{self, Batch};
use super::{BatchError, approve, hardware};
use crate::db::Db;
use crate::pairing;
use airlock_shared::envelope::SignedBatch;
use airlock_shared::roles::creator;

/// The file of a batch that the signer has answered (signed, or refused, which auditors need to see when a delay began), or
/// whose hardware wallet has signed all of it.
pub async fn signed_batch(db: &mut Db, batch: &Batch) -> Result<SignedBatch, BatchError> {
    let not_signed = || BatchError::NotSigned { batch: batch.id.clone(), state: batch.state };
    let replies = store::replies(db, &batch.id).await?;
    let (bundle, place) = batch.bundle.clone().ok_or_else(not_signed)?;
    let by_hardware = hardware::reply(db, &batch.id).await?;
    if replies.is_empty() && by_hardware.is_none() {
        return Err(not_signed());
    }
    let sealed = store::bundle(db, &bundle).await?.ok_or(BatchError::NoBundle { bundle })?;
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    let envelope = sealed.bundle.envelopes.into_iter().nth(place).ok_or_else(not_signed)?;
    let signer = pairing::store::signer(db, &batch.signer).await?.ok_or_else(not_signed)?;
    let policy = approve::policy(db, batch).await?;
    let transactions = creator::transactions(&envelope.content)
        .map_err(airlock_shared::roles::creator::CreateError::from)?
        .into_iter()
        .flatten()
        .map(|unsigned| unsigned.bytes())
        .collect();
    Ok(SignedBatch {
        envelope,
        roster: signer.roster()?.clone(),
        policy,
        replies,
        transactions,
        hardware: by_hardware,
    })
}
