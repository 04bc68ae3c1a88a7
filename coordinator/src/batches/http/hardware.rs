//! What a hardware wallet is shown, item by item, and what comes back from it.
//!
//! Thin: the steps are in `hardware/` of the folder above.

use super::pictures::Size;
use super::upload::{Parts, Upload, UploadForm};
use crate::api::texts::Moment;
use crate::api::{ApiError, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::batches::hardware::{self, Came, HardwareAsked};
use crate::batches::store;
use crate::people::{Caller, Permission};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A hardware wallet's requests, their pictures, its replies.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(hardware_requests, hardware_replies))
        .routes(routes!(hardware_picture))
}

/// What a hardware wallet is asked to sign for a batch.
#[derive(Serialize, ToSchema)]
struct HardwareRequests {
    batch: String,
    state: &'static str,
    #[schema(value_type = Moment)]
    expires_at: String,
    requests: Vec<HardwareAsked>,
}

/// What the hardware wallet is asked to sign
#[utoipa::path(get, path = "/v1/batches/{id}/hardware", tag = "batches",
    responses((status = 200, description = "Every request, in order", body = HardwareRequests)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn hardware_requests(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<HardwareRequests>, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    let mut db = app.db.reader().await?;
    let batch = store::within(&mut db, &reach, &id).await?;
    let (content, requests) = hardware::requests(&mut db, &batch).await?;
    let shown = requests.iter().map(|one| one.shown(&content)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(HardwareRequests {
        state: batch.state.name(),
        expires_at: moment(batch.expires_at_ms),
        requests: shown,
        batch: batch.id,
    }))
}

/// One request as a picture
///
/// `file` is the transaction within the item and `.png` (one code) or `.gif` (a loop of parts).
#[utoipa::path(get, path = "/v1/batches/{id}/hardware/{item}/{file}", tag = "batches",
    params(Size),
    responses((status = 200, description = "The picture", content((Upload = "image/png"), (Upload = "image/gif")))),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn hardware_picture(
    State(app): State<App>,
    caller: Caller,
    Path((id, item, file)): Path<(String, String, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    let (number, kind) = match file.rsplit_once('.') {
        Some((number, "png")) => (number, hardware::PictureKind::Png),
        Some((number, "gif")) => (number, hardware::PictureKind::Gif),
        _ => return Err(ApiError::not_found("picture")),
    };
    let (Ok(item), Ok(number)) = (item.parse::<usize>(), number.parse::<usize>()) else {
        return Err(ApiError::not_found("request"));
    };
    let requests = {
        let mut db = app.db.reader().await?;
        let batch = store::within(&mut db, &reach, &id).await?;
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

/// Takes what came back from the device
///
/// Uniform Resources as text, one or more a part, or pictures of them.
#[utoipa::path(post, path = "/v1/batches/{id}/hardware", tag = "batches",
    request_body(content((Upload = "application/octet-stream"), (UploadForm = "multipart/form-data"))),
    responses((status = 200, description = "What became of each", body = Came)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn hardware_replies(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Parts(parts): Parts,
) -> Result<Json<Came>, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    store::within(&mut *app.db.reader().await?, &reach, &id).await?;
    Ok(Json(hardware::accept(&app, &id, parts, &by).await?))
}
