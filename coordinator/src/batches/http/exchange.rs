//! Across the gap and back: bundles sealed for a signer, their frames and files, and the signers' replies.
//!
//! Thin: the steps are `exchange.rs` and `accept.rs` of the folder above.

use super::pictures::{Size, frame, gif, json_document};
use super::upload::{Parts, Upload, UploadForm};
use crate::api::{ApiError, Body, Query};
use crate::app::App;
use crate::audit::By;
use crate::batches::BatchError;
use crate::batches::accept::{self, Judged, Verdict};
use crate::batches::exchange::{self, Frames};
use crate::batches::store::{self, SealedBundle};
use crate::people::{Caller, Permission};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{MAX_BUNDLE, Replies};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bundles out, replies in.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(seal))
        .routes(routes!(show_bundle))
        .routes(routes!(export_json))
        .routes(routes!(export_binary))
        .routes(routes!(export_gif))
        .routes(routes!(export_frame))
        .routes(routes!(replies))
}

/// What a bundle is to be sealed of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BundleWanted {
    /// Batches with enough approvals, in the order in which they are to be signed; up to 16.
    batches: Vec<String>,
}

/// Seals approved batches for their signer
#[utoipa::path(post, path = "/v1/bundles", tag = "batches",
    request_body = BundleWanted,
    responses((status = 201, description = "Sealed", body = BundleShown)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn seal(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<BundleWanted>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    {
        let mut db = app.db.reader().await?;
        for id in body.batches.iter().take(MAX_BUNDLE) {
            store::within(&mut db, &reach, id).await?;
        }
    }
    let sealed = exchange::seal(&app, body.batches, &by).await?;
    let shown = bundle_shown(&app, &sealed, &Size::default()).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// A bundle: its batches and how many frames it takes
#[utoipa::path(get, path = "/v1/bundles/{id}", tag = "batches",
    params(Size),
    responses((status = 200, description = "The bundle", body = BundleShown)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn show_bundle(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Json<BundleShown>, ApiError> {
    let sealed = bundle_of(&app, &caller, &id).await?;
    Ok(Json(bundle_shown(&app, &sealed, &size).await?))
}

async fn bundle_of(app: &App, caller: &Caller, id: &str) -> Result<SealedBundle, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    let mut db = app.db.reader().await?;
    // All batches of a bundle are for one signer, so of one partner.
    let inside = store::of_bundle(&mut db, id).await?;
    let within = inside.first().is_some_and(|batch| reach.covers_partner(&batch.partner));
    let found = if within { store::bundle(&mut db, id).await? } else { None };
    Ok(found.ok_or_else(|| BatchError::NoBundle { bundle: id.to_owned() })?)
}

/// A sealed bundle.
#[derive(Serialize, ToSchema)]
struct BundleShown {
    id: String,
    batches: Vec<BundledBatch>,
    /// The eight words that both screens show.
    words: String,
    /// Of its binary spelling.
    bytes: usize,
    /// In one loop.
    frames: u32,
    /// How many of them suffice.
    frames_needed: u32,
}

/// A batch in a bundle.
#[derive(Serialize, ToSchema)]
struct BundledBatch {
    id: String,
    state: &'static str,
}

async fn bundle_shown(app: &App, sealed: &SealedBundle, size: &Size) -> Result<BundleShown, ApiError> {
    let batches = exchange::batches_of(&mut *app.db.reader().await?, &sealed.id)
        .await?
        .into_iter()
        .map(|(id, state)| BundledBatch { id, state: state.name() })
        .collect();
    let frames = Frames::of(&sealed.bundle, size.parse(app)?)?;
    Ok(BundleShown {
        id: sealed.id.clone(),
        batches,
        words: sealed.words.clone(),
        bytes: sealed.bundle.to_binary().len(),
        frames: frames.count(),
        frames_needed: frames.needed(),
    })
}

/// A bundle as a document
#[utoipa::path(get, path = "/v1/bundles/{id}/export.json", tag = "batches",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json")),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn export_json(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json_document(&bundle_of(&app, &caller, &id).await?.bundle))
}

/// A bundle in its binary spelling
#[utoipa::path(get, path = "/v1/bundles/{id}/export.bin", tag = "batches",
    responses((status = 200, description = "The document", content_type = "application/octet-stream", body = [u8])),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn export_binary(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let bytes = bundle_of(&app, &caller, &id).await?.bundle.to_binary();
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A bundle as a loop of QR codes
#[utoipa::path(get, path = "/v1/bundles/{id}/export.gif", tag = "batches",
    params(Size),
    responses((status = 200, description = "The loop; `x-frames-count` says how many frames", content_type = "image/gif", body = [u8])),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn export_gif(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    gif(&app, bundle_of(&app, &caller, &id).await?.bundle, &size).await
}

/// A bundle as one QR code of the loop
#[utoipa::path(get, path = "/v1/bundles/{id}/frames/{file}", tag = "batches",
    params(Size),
    responses((status = 200, description = "The frame; `file` is its number from 0 and `.png`", content_type = "image/png", body = [u8])),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn export_frame(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    frame(&app, bundle_of(&app, &caller, &id).await?.bundle, &size, &file).await
}

/// What became of an upload of replies.
#[derive(Serialize, ToSchema)]
struct RepliesJudged {
    /// Was none of them rejected?
    accepted: bool,
    replies: Vec<Judged>,
}

/// Takes signers' replies
///
/// Documents, pictures of frames, or texts of them; a document that cannot be read refuses the whole upload.
#[utoipa::path(post, path = "/v1/replies", tag = "batches",
    request_body(content((Upload = "application/octet-stream"), (UploadForm = "multipart/form-data"))),
    responses((status = 200, description = "What became of each", body = RepliesJudged)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn replies(
    State(app): State<App>,
    caller: Caller,
    by: By,
    parts: Parts,
) -> Result<Json<RepliesJudged>, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    let documents = parts.documents(Replies::KIND).await?;
    let judged = accept::accept(&app, documents, &reach, &by).await?;
    let accepted =
        |verdict| matches!(verdict, Verdict::Signed | Verdict::Repeated | Verdict::RefusedBySigner);
    let all = judged.iter().all(|one| accepted(one.verdict));
    Ok(Json(RepliesJudged { accepted: all, replies: judged }))
}
