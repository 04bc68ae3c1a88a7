//! What a hardware wallet is shown, item by item, and what comes back from it.
//!
//! Thin: the steps are in `hardware/` of the folder above.

use super::pictures::Size;
use super::upload::Parts;
use crate::api::{ApiError, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::batches::{hardware, store};
use crate::people::{Caller, Permission};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// A hardware wallet's requests, their pictures, its replies.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/batches/{id}/hardware", get(hardware_requests).post(hardware_replies))
        .route("/v1/batches/{id}/hardware/{item}/{file}", get(hardware_picture))
}

async fn hardware_requests(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, &id).await?;
    let (content, requests) = hardware::requests(&mut db, &batch).await?;
    let shown = requests.iter().map(|one| one.shown(&content)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({
        "batch": batch.id, "state": batch.state.name(), "expires_at": moment(batch.expires_at_ms),
        "requests": shown,
    })))
}

async fn hardware_picture(
    State(app): State<App>,
    caller: Caller,
    Path((id, item, file)): Path<(String, usize, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    caller.house(Permission::RunBatches)?;
    let (number, kind) = match file.rsplit_once('.') {
        Some((number, "png")) => (number, hardware::PictureKind::Png),
        Some((number, "gif")) => (number, hardware::PictureKind::Gif),
        _ => return Err(ApiError::not_found("picture")),
    };
    let number: usize = number.parse().map_err(|_| ApiError::not_found("request"))?;
    let requests = {
        let mut db = app.db.reader().await?;
        let batch = store::get(&mut db, &id).await?;
        hardware::requests(&mut db, &batch).await?.1
    };
    let found = requests.into_iter().find(|one| (one.item, one.transaction) == (item, number));
    let asked = found.ok_or_else(|| ApiError::not_found("request"))?.asked;
    let (size, pixels, speed) = (size.parse(&app)?, size.pixels()?, app.config.batch.frames_per_second);
    let drawn = move || hardware::pictures(&asked, size, kind, pixels, speed);
    let bytes = tokio::task::spawn_blocking(drawn).await.map_err(ApiError::internal)??;
    let content_type = match kind {
        hardware::PictureKind::Png => "image/png",
        hardware::PictureKind::Gif => "image/gif",
    };
    Ok(([(header::CONTENT_TYPE, content_type)], bytes).into_response())
}

async fn hardware_replies(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Parts(parts): Parts,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    let came = hardware::accept(&app, &id, parts, &by).await?;
    Ok(Json(json!(came)))
}
