//! Approving a batch: what approvers are asked, and their answers from devices and passkeys.
//!
//! An approval counts by its own proof; who brings it here is only recorded. Thin: the step is `approve.rs` of the folder above.

use super::pictures::{Size, frame, gif, json_document};
use super::upload::{Parts, Upload, UploadForm};
use crate::api::{ApiError, Body, Query};
use crate::app::App;
use crate::audit::By;
use crate::batches::passkey::PasskeyApproval;
use crate::batches::{approve, passkey, store};
use crate::people::{Caller, Permission};
use airlock_shared::approval::Approval;
use airlock_shared::document::Document;
use airlock_shared::envelope::ApprovalReply;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Asking approvers and taking their answers.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(approval_request))
        .routes(routes!(approval_request_gif))
        .routes(routes!(approval_request_frame))
        .routes(routes!(approve_batch))
        .routes(routes!(passkey_options))
        .routes(routes!(approve_by_passkey))
}

async fn request_of(app: &App, caller: &Caller, id: &str) -> Result<impl Document + use<>, ApiError> {
    let reach = caller.may(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let batch = store::within(&mut db, &reach, id).await?;
    Ok(approve::request(&mut db, &batch).await?)
}

/// What approvers are asked, as a document
#[utoipa::path(get, path = "/v1/batches/{id}/approval-request.json", tag = "batches",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json")),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn approval_request(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json_document(&request_of(&app, &caller, &id).await?))
}

/// What approvers are asked, as a loop of QR codes
#[utoipa::path(get, path = "/v1/batches/{id}/approval-request.gif", tag = "batches",
    params(Size),
    responses((status = 200, description = "The loop; `x-frames-count` says how many frames", content_type = "image/gif", body = [u8])),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn approval_request_gif(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    gif(&app, request_of(&app, &caller, &id).await?, &size).await
}

/// What approvers are asked, as one QR code of the loop
#[utoipa::path(get, path = "/v1/batches/{id}/approval-request/frames/{file}", tag = "batches",
    params(Size),
    responses((status = 200, description = "The frame; `file` is its number from 0 and `.png`", content_type = "image/png", body = [u8])),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn approval_request_frame(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    Query(size): Query<Size>,
) -> Result<Response, ApiError> {
    frame(&app, request_of(&app, &caller, &id).await?, &size, &file).await
}

/// Takes approvals from devices
///
/// Documents, pictures of frames, or texts of them.
#[utoipa::path(post, path = "/v1/batches/{id}/approvals", tag = "batches",
    request_body(content((Upload = "application/octet-stream"), (UploadForm = "multipart/form-data"))),
    responses((status = 200, description = "Taken", body = BatchApproved)),
    extensions(("x-airlock-permission" = json!("approve_withdrawal"))))]
async fn approve_batch(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Json<BatchApproved>, ApiError> {
    let reach = caller.may(Permission::ApproveWithdrawal)?;
    store::within(&mut *app.db.reader().await?, &reach, &id).await?;
    let documents = parts.documents(ApprovalReply::KIND).await?;
    let approvals = approve::accept(&app, &id, documents, &by).await?;
    Ok(Json(approved(&app, &id, &approvals).await?))
}

/// Where a batch's approvals stand.
#[derive(Serialize, ToSchema)]
struct BatchApproved {
    batch: String,
    /// Who has approved.
    approvals: Vec<String>,
    /// How: person to `device` or `passkey`.
    methods: BTreeMap<String, &'static str>,
    approvals_required: u64,
    /// As many as the policy asks for?
    enough: bool,
}

async fn approved(app: &App, id: &str, approvals: &[Approval]) -> Result<BatchApproved, ApiError> {
    let people: Vec<_> = approvals.iter().map(|approval| approval.person.to_string()).collect();
    let mut db = app.db.reader().await?;
    let batch = store::get(&mut db, id).await?;
    let required = approve::policy(&mut db, &batch).await?.policy.approvals.required;
    let enough = people.len() as u64 >= required;
    let methods = methods(approvals);
    Ok(BatchApproved {
        batch: id.to_owned(),
        approvals: people,
        methods,
        approvals_required: required,
        enough,
    })
}

/// Person to `device` or `passkey`.
pub(super) fn methods(approvals: &[Approval]) -> BTreeMap<String, &'static str> {
    approvals.iter().map(|one| (one.person.to_string(), one.proof.method())).collect()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfPerson {
    /// The approver.
    person: String,
}

/// What a page asks the browser for
///
/// `PublicKeyCredentialRequestOptionsJSON`, with the content digest as its challenge.
#[utoipa::path(get, path = "/v1/batches/{id}/passkey-options", tag = "batches",
    params(OfPerson),
    responses((status = 200, description = "For `PublicKeyCredential.parseRequestOptionsFromJSON`", body = serde_json::Value)),
    extensions(("x-airlock-permission" = json!("approve_withdrawal"))))]
async fn passkey_options(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<OfPerson>,
) -> Result<Json<Value>, ApiError> {
    let reach = caller.may(Permission::ApproveWithdrawal)?;
    let mut db = app.db.reader().await?;
    let batch = store::within(&mut db, &reach, &id).await?;
    let options = passkey::options(&mut db, &batch, &query.person).await?;
    Ok(Json(options.ok_or_else(|| ApiError::not_found("passkey of this person in the batch's policy"))?))
}

/// Takes an approval by passkey
#[utoipa::path(post, path = "/v1/batches/{id}/passkey-approvals", tag = "batches",
    request_body = PasskeyApproval,
    responses((status = 200, description = "Taken", body = BatchApproved)),
    extensions(("x-airlock-permission" = json!("approve_withdrawal"))))]
async fn approve_by_passkey(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<PasskeyApproval>,
) -> Result<Json<BatchApproved>, ApiError> {
    let reach = caller.may(Permission::ApproveWithdrawal)?;
    let batch = store::within(&mut *app.db.reader().await?, &reach, &id).await?;
    let replies = vec![body.reply(&batch)?];
    let approvals = approve::accept_replies(&app, &id, replies, &by).await?;
    Ok(Json(approved(&app, &id, &approvals).await?))
}
