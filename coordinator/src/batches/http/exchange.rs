//! Across the gap and back: bundles sealed for a signer, their frames and files, and the signers' replies.
//!
//! Thin: the steps are `exchange.rs` and `accept.rs` of the folder above.

use super::pictures::{Size, frame, gif, json_document};
use super::upload::Parts;
use crate::api::{ApiError, Body, Query};
use crate::app::App;
use crate::audit::By;
use crate::batches::BatchError;
use crate::batches::accept::{self, Verdict};
use crate::batches::exchange::{self, Frames};
use crate::batches::store::{self, SealedBundle};
use crate::people::{Caller, Permission};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::Replies;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bundles out, replies in.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/bundles", post(seal))
        .route("/v1/bundles/{id}", get(show_bundle))
        .route("/v1/bundles/{id}/export.json", get(export_json))
        .route("/v1/bundles/{id}/export.bin", get(export_binary))
        .route("/v1/bundles/{id}/export.gif", get(export_gif))
        .route("/v1/bundles/{id}/frames/{file}", get(export_frame))
        .route("/v1/replies", post(replies))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    batches: Vec<String>,
}

async fn seal(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<Seal>,
) -> Result<Response, ApiError> {
    caller.house(Permission::RunBatches)?;
    let sealed = exchange::seal(&app, body.batches, &by).await?;
    let shown = bundle_shown(&app, &sealed, &Size::default()).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

async fn show_bundle(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Json<Value>, ApiError> {
    let sealed = bundle_of(&app, &caller, &id).await?;
    Ok(Json(bundle_shown(&app, &sealed, &size).await?))
}

async fn bundle_of(app: &App, caller: &Caller, id: &str) -> Result<SealedBundle, ApiError> {
    caller.house(Permission::RunBatches)?;
    let found = store::bundle(&mut *app.db.reader().await?, id).await?;
    Ok(found.ok_or_else(|| BatchError::NoBundle { bundle: id.to_owned() })?)
}

async fn bundle_shown(app: &App, sealed: &SealedBundle, size: &Size) -> Result<Value, ApiError> {
    let batches: Vec<Value> = exchange::batches_of(&mut *app.db.reader().await?, &sealed.id)
        .await?
        .into_iter()
        .map(|(id, state)| json!({ "id": id, "state": state.name() }))
        .collect();
    let frames = Frames::of(&sealed.bundle, size.parse(app)?)?;
    Ok(json!({
        "id": sealed.id, "batches": batches, "words": sealed.words,
        "bytes": sealed.bundle.to_binary().len(), "frames": frames.count(), "frames_needed": frames.needed(),
    }))
}

async fn export_json(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json_document(&bundle_of(&app, &caller, &id).await?.bundle))
}

async fn export_binary(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let bytes = bundle_of(&app, &caller, &id).await?.bundle.to_binary();
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

async fn export_gif(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    gif(&app, bundle_of(&app, &caller, &id).await?.bundle, &size).await
}

async fn export_frame(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    frame(&app, bundle_of(&app, &caller, &id).await?.bundle, &size, &file).await
}

async fn replies(
    State(app): State<App>,
    caller: Caller,
    by: By,
    parts: Parts,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    let documents = parts.documents(Replies::KIND).await?;
    let judged = accept::accept(&app, documents, &by).await?;
    let accepted =
        |verdict| matches!(verdict, Verdict::Signed | Verdict::Repeated | Verdict::RefusedBySigner);
    let all = judged.iter().all(|one| accepted(one.verdict));
    Ok(Json(json!({ "accepted": all, "replies": judged })))
}
