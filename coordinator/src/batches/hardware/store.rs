//! SQL of hardware wallets' batches: exports, refusals, signatures, and the coordinator's word about a finished one.
//!
//! Only `hardware` names these tables, and all of them are append-only. Those that write run inside the writer's commit.

use super::super::BatchError;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use airlock_shared::chain::Signature;
use airlock_shared::envelope::HardwareReply;
use airlock_shared::form;

/// One signature that is here: item, transaction within it, and the 65 bytes.
pub type Signed = (usize, usize, Signature);

fn corrupt(what: String) -> BatchError {
    LedgerError::Corrupt { what }.into()
}

/// From now on the batch counts as signed.
pub async fn insert_export(db: &mut Db, batch: &str, now: UnixMillis) -> Result<(), BatchError> {
    sqlx::query("insert into hardware_exports (batch_id, made_at) values ($1, $2)")
        .bind(batch)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// The policy refused it for first-seen destinations and nothing else; the first time counts.
pub async fn insert_refusal(db: &mut Db, batch: &str, now: UnixMillis) -> Result<(), BatchError> {
    sqlx::query("insert into hardware_refusals (batch_id, made_at) values ($1, $2) on conflict do nothing")
        .bind(batch)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// When a batch's requests left.
pub async fn exported_at(db: &mut Db, batch: &str) -> Result<Option<UnixMillis>, BatchError> {
    Ok(sqlx::query_scalar("select made_at from hardware_exports where batch_id = $1")
        .bind(batch)
        .fetch_optional(db)
        .await?)
}

/// Every export (1) and first-seen refusal (0) in the order in which they happened: batch, which, when.
pub async fn past(db: &mut Db) -> Result<Vec<(String, i64, UnixMillis)>, BatchError> {
    Ok(sqlx::query_as(
        "select batch_id, 1, made_at from hardware_exports union all \
         select batch_id, 0, made_at from hardware_refusals order by 3, 1, 2",
    )
    .fetch_all(db)
    .await?)
}

/// Keeps a signature; false if the request has one.
pub async fn insert_signature(
    db: &mut Db,
    batch: &str,
    (item, transaction, signature): &Signed,
    request_id: &str,
    by: &str,
    now: UnixMillis,
) -> Result<bool, BatchError> {
    let done = sqlx::query(
        "insert into hardware_signatures (batch_id, item_index, transaction_index, request_id, signature, \
         brought_by, made_at) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(batch)
    .bind(i64::try_from(*item).unwrap_or(i64::MAX))
    .bind(i64::try_from(*transaction).unwrap_or(i64::MAX))
    .bind(request_id)
    .bind(hex::encode(signature.to_bytes()))
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The signatures of a batch that are here, in item and transaction order.
pub async fn signatures(db: &mut Db, batch: &str) -> Result<Vec<Signed>, BatchError> {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select item_index, transaction_index, signature from hardware_signatures where batch_id = $1 \
         order by item_index, transaction_index",
    )
    .bind(batch)
    .fetch_all(db)
    .await?;
    let read = |(item, transaction, stored): (i64, i64, String)| {
        let bytes = hex::decode(stored).ok().and_then(|bytes| <[u8; 65]>::try_from(bytes).ok());
        let signature = bytes.and_then(|bytes| Signature::from_bytes(&bytes).ok());
        let place = usize::try_from(item).ok().zip(usize::try_from(transaction).ok());
        place.zip(signature).map(|((item, transaction), signature)| (item, transaction, signature))
    };
    let bad = || corrupt(format!("hardware signature of batch {batch}"));
    rows.into_iter().map(|row| read(row).ok_or_else(bad)).collect()
}

/// Keeps what auditors get of a batch that is whole.
pub async fn insert_reply(
    db: &mut Db,
    batch: &str,
    reply: &HardwareReply,
    now: UnixMillis,
) -> Result<(), BatchError> {
    sqlx::query("insert into hardware_replies (batch_id, reply, made_at) values ($1, $2, $3)")
        .bind(batch)
        .bind(hex::encode(form::to_cbor(reply)))
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// What auditors get of a batch that is whole.
pub async fn reply(db: &mut Db, batch: &str) -> Result<Option<HardwareReply>, BatchError> {
    let stored: Option<String> = sqlx::query_scalar("select reply from hardware_replies where batch_id = $1")
        .bind(batch)
        .fetch_optional(db)
        .await?;
    let read = |stored: String| {
        let bytes = hex::decode(stored).map_err(|error| error.to_string());
        bytes.and_then(|bytes| form::from_cbor("hardware", &bytes).map_err(|error| error.to_string()))
    };
    let bad = |why| corrupt(format!("hardware reply of batch {batch}: {why}"));
    stored.map(read).transpose().map_err(bad)
}
