//! Batches as operators see them: the list, one with its items and history, its signed file.
//!
//! What must stay true: amounts are texts, moments RFC 3339; nothing is changed here.

use super::approve::methods;
use super::pictures::json_document;
use crate::api::{ApiError, Code, Query, moment};
use crate::app::App;
use crate::batches::store::{self, Batch, Transition};
use crate::batches::{self, approve, file};
use crate::db::Db;
use crate::people::{Caller, Permission};
use crate::withdrawals::attempts;
use airlock_shared::words;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Looking at batches.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/batches", get(list))
        .route("/v1/batches/{id}", get(show))
        .route("/v1/batches/{id}/signed-batch.json", get(signed_batch))
}

/// The most rows of a list.
pub(super) const LIST_MAX: i64 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    state: Option<String>,
    limit: Option<i64>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<Listed>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadQuery, "limit: 1 to 200"));
    }
    let state = query.state.unwrap_or_default();
    if !state.is_empty() && batches::State::from_name(&state).is_none() {
        return Err(ApiError::new(Code::BadQuery, "state: no such state"));
    }
    let rows = store::list(&mut db, &state, limit).await?;
    let mut batches = Vec::with_capacity(rows.len());
    for row in rows {
        batches.push(summary(&app, &row)?);
    }
    Ok(Json(json!({ "batches": batches })))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, &id).await?;
    Ok(Json(shown(&app, &mut db, &batch).await?))
}

pub(super) fn summary(app: &App, batch: &Batch) -> Result<Value, ApiError> {
    let scale = app.config.assets.scale(&batch.asset, batch.network).map_err(ApiError::internal)?;
    Ok(json!({
        "id": batch.id, "kind": batch.kind.word(), "network": batch.network, "asset": batch.asset,
        "source": batch.source.to_string(), "signer": batch.signer.to_string(), "state": batch.state.name(),
        "why": batch.why, "content_digest": batch.content_digest.to_string(),
        "words": words::words(&batch.content_digest), "item_count": batch.item_count,
        "amount": batch.amount_base.to_decimal(scale.base_decimals()),
        "amount_base": batch.amount_base, "expires_at": moment(batch.expires_at_ms),
        "bundle": batch.bundle.as_ref().map(|(id, _)| id), "made_by": batch.made_by,
        "made_at": moment(batch.made_at), "changed_at": moment(batch.changed_at),
    }))
}

/// A batch with its items, approvals and history.
pub(super) async fn shown(app: &App, db: &mut Db, batch: &Batch) -> Result<Value, ApiError> {
    let mut value = summary(app, batch)?;
    let approvals = store::approvals(db, &batch.id).await?;
    let policy = approve::policy(db, batch).await?;
    let people: Vec<_> = approvals.iter().map(|approval| approval.person.to_string()).collect();
    value["policy"] = json!({
        "name": policy.policy.name.to_string(), "version": policy.policy.version,
        "digest": batch.policy.to_string(),
    });
    value["approvals"] = json!(people);
    value["methods"] = methods(&approvals);
    value["approvals_required"] = json!(policy.policy.approvals.required);
    value["items"] = items(db, batch).await?;
    value["history"] = store::history(db, &batch.id).await?.iter().map(shown_transition).collect();
    Ok(value)
}

fn shown_transition(transition: &Transition) -> Value {
    let Transition { number, from, to, event, who, why, at_ms } = transition;
    json!({
        "number": number, "from": from, "to": to, "event": event, "who": who, "why": why, "at": moment(*at_ms),
    })
}

async fn items(db: &mut Db, batch: &Batch) -> Result<Value, ApiError> {
    let content = store::content(db, &batch.id).await?;
    let sends = store::sends(db, &batch.id).await?;
    let mut items = Vec::with_capacity(content.items.len());
    for attempt in attempts::of_batch(db, &batch.id).await? {
        let index = usize::try_from(attempt.item_index).unwrap_or(usize::MAX);
        let Some(item) = content.items.get(index) else { continue };
        let send = sends.iter().find(|(id, ..)| *id == attempt.id);
        items.push(json!({
            "item_id": item.id.number().to_string(), "withdrawal": attempt.withdrawal_id,
            "destination": item.destination.to_string(), "amount_base": item.amount,
            "account_nonce": item.account_nonce.map(|nonce| nonce.to_string()),
            "attempt": attempt.id, "state": attempt.state.name(), "tx_id": attempt.shown_tx_id(),
            "height": attempt.included_height, "fee_base": attempt.fee_base,
            "sends": send.map_or(0, |(_, sends, ..)| *sends),
            "last_answer": send.map(|(.., answer)| answer),
        }));
    }
    Ok(json!(items))
}

async fn signed_batch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, &id).await?;
    Ok(json_document(&file::signed_batch(&mut db, &batch).await?))
}
