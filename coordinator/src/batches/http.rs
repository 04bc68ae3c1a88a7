//! The routes of batches, bundles, replies and alerts, for operators.
//!
//! Thin: each reads its request, calls one step of this folder and shows the result. Pictures are drawn and scanned off the async
//! threads. What must stay true: amounts are texts, moments RFC 3339; nothing here changes a state by itself.

use super::accept::{self, Verdict};
use super::create::{self, Request as CreateRequest};
use super::exchange::{self, Frames};
use super::intake::{self, IntakeError};
use super::store::{self, Batch, SealedBundle, Transition};
use super::{BatchError, LeftOut, approve, close, file, hardware, passkey};
use crate::alerts;
use crate::api::{ApiError, Body, Query, moment, Code};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::Db;
use crate::ledger::AssetCode;
use crate::people::{Caller, Permission};
use crate::withdrawals::{self, attempts, queue};
use airlock_shared::approval::Approval;
use airlock_shared::document::Document;
use airlock_shared::envelope::{ApprovalReply, Replies};
use airlock_shared::frames::{FrameSize, Level, QrImage};
use airlock_shared::words;
use airlock_shared::{Address, Network};
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many frames a loop shows, beside every frame.
const FRAMES_COUNT: HeaderName = HeaderName::from_static("x-frames-count");
/// The most rows of a list.
const LIST_MAX: i64 = 200;
/// The longest reason an operator may give, in bytes.
const WHY_MAX_BYTES: usize = 500;

/// Every route of this capability.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v1/batches", post(make).get(list))
        .route("/v1/batches/{id}", get(show))
        .route("/v1/batches/{id}/abandon", post(abandon))
        .route("/v1/batches/{id}/approval-request.json", get(approval_request))
        .route("/v1/batches/{id}/approval-request.gif", get(approval_request_gif))
        .route("/v1/batches/{id}/approval-request/frames/{file}", get(approval_request_frame))
        .route("/v1/batches/{id}/approvals", post(approve_batch))
        .route("/v1/batches/{id}/passkey-options", get(passkey_options))
        .route("/v1/batches/{id}/passkey-approvals", post(approve_by_passkey))
        .route("/v1/batches/{id}/signed-batch.json", get(signed_batch))
        .route("/v1/batches/{id}/hardware", get(hardware_requests).post(hardware_replies))
        .route("/v1/batches/{id}/hardware/{item}/{file}", get(hardware_picture))
        .route("/v1/bundles", post(seal))
        .route("/v1/bundles/{id}", get(show_bundle))
        .route("/v1/bundles/{id}/export.json", get(export_json))
        .route("/v1/bundles/{id}/export.bin", get(export_binary))
        .route("/v1/bundles/{id}/export.gif", get(export_gif))
        .route("/v1/bundles/{id}/frames/{file}", get(export_frame))
        .route("/v1/replies", post(replies))
        .route("/v1/alerts", get(list_alerts))
        .route("/v1/alerts/{id}/close", post(close_alert))
}

/// The raw parts of an upload: the body, or the files of a multipart form.
pub struct Parts(pub Vec<Vec<u8>>);

impl FromRequest<App> for Parts {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            let bytes = axum::body::Bytes::from_request(request, app).await.map_err(ApiError::from_bytes)?;
            return Ok(Self(vec![bytes.to_vec()]));
        }
        let bad = |error: String| ApiError::new(Code::BadMultipart, error);
        let mut form = Multipart::from_request(request, app).await.map_err(|error| bad(error.body_text()))?;
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(|error| bad(error.body_text()))? {
            parts.push(field.bytes().await.map_err(|error| bad(error.body_text()))?.to_vec());
            if parts.len() > intake::PARTS_MAX {
                return Err(bad(format!("more than {} files", intake::PARTS_MAX)));
            }
        }
        Ok(Self(parts))
    }
}

impl Parts {
    /// The documents of `kind` in them; scanning runs off the async threads.
    pub async fn documents(self, kind: u8) -> Result<Vec<Vec<u8>>, ApiError> {
        let found = tokio::task::spawn_blocking(move || intake::documents(self.0, kind)).await;
        Ok(found.map_err(ApiError::internal)?.map_err(BatchError::from)?)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    network: Network,
    asset: Option<AssetCode>,
    kind: Option<String>,
    max_items: Option<usize>,
    hardware: Option<String>,
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<Make>,
) -> Result<Response, ApiError> {
    let operator = caller.house(Permission::RunBatches)?;
    if body.kind.as_deref().is_some_and(|kind| kind != "withdrawal") {
        return Err(ApiError::new(Code::UnknownKind, "only withdrawal batches are made here"));
    }
    let asset = match body.asset {
        Some(asset) => asset,
        None => oldest_asset(&app, body.network).await?,
    };
    let address = body.hardware.map(|text| Address::parse(body.network, &text)).transpose();
    let hardware = address.map_err(|error| ApiError::new(Code::BadAddress, format!("hardware: {error}")))?;
    let request = CreateRequest { network: body.network, asset, items_max: body.max_items, hardware };
    let made = create::create(&app, &request, operator, &by).await?;
    let mut db = app.db.reader().await?;
    let mut batch = shown(&app, &mut db, &made.batch).await?;
    batch["left_out"] = json!(made.left_out);
    Ok((StatusCode::CREATED, Json(batch)).into_response())
}

/// The asset that has waited longest on a network.
async fn oldest_asset(app: &App, network: Network) -> Result<AssetCode, ApiError> {
    let oldest = queue::due(&mut *app.db.reader().await?, network, 1).await?;
    let nothing = || BatchError::NothingDue { left_out: Vec::<LeftOut>::new() };
    Ok(oldest.into_iter().next().ok_or_else(nothing)?.asset)
}

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
    if !state.is_empty() && super::State::from_name(&state).is_none() {
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

fn summary(app: &App, batch: &Batch) -> Result<Value, ApiError> {
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
async fn shown(app: &App, db: &mut Db, batch: &Batch) -> Result<Value, ApiError> {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    why: String,
}

impl Why {
    fn check(&self) -> Result<(), ApiError> {
        let fits = (1..=WHY_MAX_BYTES).contains(&self.why.len()) && !self.why.chars().any(char::is_control);
        if fits {
            return Ok(());
        }
        Err(ApiError::new(Code::WhyNeeded, "say why, in 1 to 500 bytes without control characters"))
    }
}

async fn abandon(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    body.check()?;
    let batch = close::abandon(&app, &id, &by, &body.why).await?;
    Ok(Json(summary(&app, &batch)?))
}

async fn request_of(app: &App, caller: &Caller, id: &str) -> Result<impl Document + use<>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, id).await?;
    Ok(approve::request(&mut db, &batch).await?)
}

async fn approval_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json_document(&request_of(&app, &caller, &id).await?))
}

async fn approval_request_gif(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    gif(&app, request_of(&app, &caller, &id).await?, &size).await
}

async fn approval_request_frame(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    frame(&app, request_of(&app, &caller, &id).await?, &size, &file).await
}

async fn approve_batch(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ApproveWithdrawal)?;
    let documents = parts.documents(ApprovalReply::KIND).await?;
    let approvals = approve::accept(&app, &id, documents, &by).await?;
    Ok(Json(approved(&app, &id, &approvals).await?))
}

async fn approved(app: &App, id: &str, approvals: &[Approval]) -> Result<Value, ApiError> {
    let people: Vec<_> = approvals.iter().map(|approval| approval.person.to_string()).collect();
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, id).await?;
    let policy = approve::policy(&mut db, &batch).await?;
    let required = policy.policy.approvals.required;
    Ok(json!({
        "batch": id, "approvals": people, "methods": methods(approvals), "approvals_required": required,
        "enough": people.len() as u64 >= required,
    }))
}

/// Person to `device` or `passkey`.
fn methods(approvals: &[Approval]) -> Value {
    approvals.iter().map(|one| (one.person.to_string(), json!(one.proof.method()))).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPerson {
    person: String,
}

async fn passkey_options(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<OfPerson>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ApproveWithdrawal)?;
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, &id).await?;
    let options = passkey::options(&mut db, &batch, &query.person).await?;
    Ok(Json(options.ok_or_else(|| ApiError::not_found("passkey of this person in the batch's policy"))?))
}

async fn approve_by_passkey(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<passkey::Asserted>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ApproveWithdrawal)?;
    let batch = store::get(&mut *app.db.reader().await?, &id).await?;
    let replies = vec![body.reply(&batch)?];
    let approvals = approve::accept_replies(&app, &id, replies, &by).await?;
    Ok(Json(approved(&app, &id, &approvals).await?))
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

/// The QR size asked for; by default the configured version at level L, four pixels a module.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Size {
    version: Option<u8>,
    level: Option<String>,
    pixels: Option<u32>,
}

/// Pixels a module that may be asked for: below four cameras fail, above twelve no screen shows a code whole.
const PIXELS: std::ops::RangeInclusive<u32> = QrImage::PIXELS_PER_MODULE..=12;

impl Size {
    fn parse(&self, app: &App) -> Result<FrameSize, ApiError> {
        let level = match self.level.as_deref() {
            None | Some("L") => Level::L,
            Some("M") => Level::M,
            Some("Q") => Level::Q,
            Some("H") => Level::H,
            Some(_) => return Err(ApiError::new(Code::BadFrameSize, "level is L, M, Q or H")),
        };
        FrameSize::new(self.version.unwrap_or(app.config.batch.frame_version), level)
            .map_err(|error| ApiError::new(Code::BadFrameSize, error.to_string()))
    }

    fn pixels(&self) -> Result<u32, ApiError> {
        let pixels = self.pixels.unwrap_or(QrImage::PIXELS_PER_MODULE);
        let known = PIXELS.contains(&pixels).then_some(pixels);
        known.ok_or_else(|| ApiError::new(Code::BadFrameSize, "pixels is 4 to 12".to_owned()))
    }
}

fn json_document<D: Document>(document: &D) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.to_json()).into_response()
}

async fn gif<D: Document + Send + 'static>(
    app: &App,
    document: D,
    size: &Size,
) -> Result<Response, ApiError> {
    let (size, pixels, speed) = (size.parse(app)?, size.pixels()?, app.config.batch.frames_per_second);
    let drawn = tokio::task::spawn_blocking(move || {
        let frames = Frames::of(&document, size)?;
        Ok::<_, BatchError>((frames.count(), frames.gif(speed, pixels)?))
    });
    let (count, bytes) = drawn.await.map_err(ApiError::internal)??;
    let headers = [(header::CONTENT_TYPE, "image/gif".to_owned()), (FRAMES_COUNT, count.to_string())];
    Ok((headers, bytes).into_response())
}

async fn frame<D: Document + Send + 'static>(
    app: &App,
    document: D,
    size: &Size,
    file: &str,
) -> Result<Response, ApiError> {
    let number = file.strip_suffix(".png").and_then(|number| number.parse::<u32>().ok());
    let number = number.ok_or_else(|| ApiError::not_found("frame"))?;
    let (size, pixels) = (size.parse(app)?, size.pixels()?);
    let drawn = tokio::task::spawn_blocking(move || {
        let frames = Frames::of(&document, size)?;
        Ok::<_, BatchError>((frames.count(), frames.png(number, pixels)?))
    });
    let (count, bytes) = drawn.await.map_err(ApiError::internal)??;
    let headers = [(header::CONTENT_TYPE, "image/png".to_owned()), (FRAMES_COUNT, count.to_string())];
    Ok((headers, bytes).into_response())
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

async fn list_alerts(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let alerts = alerts::open(&mut *app.db.reader().await?, LIST_MAX).await?;
    Ok(Json(json!({ "alerts": alerts })))
}

async fn close_alert(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    body.check()?;
    let alert = id.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !alerts::close(unit.db(), &alert, now).await? {
                    return Err(ApiError::not_found("open alert"));
                }
                let (before, after) = (json!({ "state": "open" }), json!({ "state": "closed", "why": body.why }));
                Ok(audit::record(unit, &by, Action::AlertClose, &alert, before, after).await?)
            })
        })
        .await?;
    Ok(Json(json!({ "id": id, "state": "closed" })))
}

impl From<BatchError> for ApiError {
    fn from(error: BatchError) -> Self {
        let text = error.to_string();
        match error {
            BatchError::NotFound { .. } => Self::not_found("batch"),
            BatchError::NoBundle { .. } => Self::not_found("bundle"),
            BatchError::Network(_) => Self::new(Code::UnknownNetwork, text),
            BatchError::Asset { .. } => Self::new(Code::UnknownAsset, text),
            BatchError::Person { .. } => Self::new(Code::BadPerson, text),
            BatchError::Passkey { .. } => Self::new(Code::BadAssertion, text),
            BatchError::NoWallet { .. } => Self::new(Code::NoWallet, text),
            BatchError::NoHardware { .. } => Self::new(Code::NoHardwareWallet, text),
            BatchError::Hardware { .. } => Self::new(Code::Hardware, text),
            BatchError::Suspended { .. } => Self::new(Code::SignerSuspended, text),
            BatchError::NoPolicy { .. } => Self::new(Code::NoPolicy, text),
            BatchError::NothingDue { left_out } => {
                let why: Vec<_> =
                    left_out.iter().map(|one| format!("{}: {}", one.withdrawal, one.why)).collect();
                Self::new(Code::NothingDue, [vec![text], why].concat().join("; "))
            }
            BatchError::FeeCap { .. } => Self::new(Code::FeeCap, text),
            BatchError::Clock { .. } => Self::new(Code::Clock, text),
            BatchError::Policy(_) => Self::new(Code::Policy, text),
            BatchError::Create(_) => Self::new(Code::Batch, text),
            BatchError::Illegal(_) | BatchError::Raced { .. } => Self::new(Code::WrongState, text),
            BatchError::Approval(_) | BatchError::OtherContent { .. } => Self::new(Code::Approval, text),
            BatchError::Bundle { .. } => Self::new(Code::Bundle, text),
            BatchError::MayBeSigned { .. } => Self::new(Code::MayBeSigned, text),
            BatchError::TooLate { .. } => Self::new(Code::TooLate, text),
            BatchError::NotSigned { .. } => Self::new(Code::NotSigned, text),
            BatchError::Document(_) => Self::new(Code::BadDocument, text),
            BatchError::Intake(IntakeError::Incomplete { .. }) => Self::new(Code::Incomplete, text),
            BatchError::Intake(_) => Self::new(Code::BadUpload, text),
            BatchError::Frames(_) | BatchError::Picture(_) => Self::new(Code::BadFrameSize, text),
            BatchError::Overflow => Self::new(Code::AmountOutOfRange, text),
            BatchError::System(_) => Self::internal(text),
            BatchError::Withdrawal(error) => withdrawals::WithdrawalError::into(error),
            BatchError::Pairing(error) => error.into(),
            BatchError::Chain(_) => Self::unavailable(text),
            BatchError::Ledger(error) => error.into(),
        }
    }
}
