//! Approving a batch: what approvers are asked, and their answers from devices and passkeys.
//!
//! An approval counts by its own proof; who brings it here is only recorded. Thin: the step is `approve.rs` of the folder above.

use super::pictures::{Size, frame, gif, json_document};
use super::upload::Parts;
use crate::api::{ApiError, Body, Query};
use crate::app::App;
use crate::audit::By;
use crate::batches::{approve, passkey, store};
use crate::people::{Caller, Permission};
use airlock_shared::approval::Approval;
use airlock_shared::document::Document;
use airlock_shared::envelope::ApprovalReply;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Asking approvers and taking their answers.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/batches/{id}/approval-request.json", get(approval_request))
        .route("/v1/batches/{id}/approval-request.gif", get(approval_request_gif))
        .route("/v1/batches/{id}/approval-request/frames/{file}", get(approval_request_frame))
        .route("/v1/batches/{id}/approvals", post(approve_batch))
        .route("/v1/batches/{id}/passkey-options", get(passkey_options))
        .route("/v1/batches/{id}/passkey-approvals", post(approve_by_passkey))
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
pub(super) fn methods(approvals: &[Approval]) -> Value {
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
