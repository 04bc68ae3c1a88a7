//! Idempotency keys: the same key and request give the same answer for ever, another request is refused.
//!
//! A money-moving handler takes [`Once`] and answers through [`once`], which stores the answer in the same commit as
//! the effect. What must stay true: a hundred parallel repeats have one effect; a refusal had no effect and is not
//! stored, so the same request may be tried again with the same key.

use super::{ApiError, Code, json_bytes, parse};
use crate::app::App;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::order::AnswerBody;
use crate::ledger::{Answer, LedgerError, OnceRow, Unit};
use crate::people::Caller;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

/// The header.
pub const HEADER: &str = "idempotency-key";

/// The header, for a handler's description: `params(IdempotencyKey)`.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// Names this request for ever: the same key with the same request gives the stored answer.
    #[param(rename = "idempotency-key", pattern = "^[!-~]{1,128}$", example = "order-4711")]
    pub key: String,
}

/// A JSON body with its idempotency key and the digest of the whole request.
#[derive(Clone, Debug)]
pub struct Once<T> {
    /// The body.
    pub body: T,
    /// Key and digest, for [`once`].
    pub ticket: Ticket,
}

/// What tells a repeat from another request.
#[derive(Clone, Debug)]
pub struct Ticket {
    key: String,
    digest: String,
}

impl<T: DeserializeOwned> FromRequest<App> for Once<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let key = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !(1..=128).contains(&key.len()) || !key.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(ApiError::new(Code::IdempotencyKeyNeeded, "1 to 128 printable ASCII characters"));
        }
        let key = key.to_owned();
        let line = format!("{} {}\n", request.method(), request.uri());
        let bytes = json_bytes(request, app).await?;
        let digest = Sha256::new().chain_update(line).chain_update(&bytes).finalize();
        Ok(Self { body: parse(&bytes)?, ticket: Ticket { key, digest: hex::encode(digest) } })
    }
}

impl Ticket {
    /// The record that an order commits with its posting; `body` makes the answer.
    pub fn record(self, caller: &Caller, status: StatusCode, body: AnswerBody) -> OnceRow {
        let owner = caller.idempotency_owner();
        OnceRow { owner, key: self.key, request_digest: self.digest, status: status.as_u16(), body }
    }
}

/// The answer that this very request got before, if any; a handler that must refuse without entering the writer asks here first.
pub async fn before(app: &App, caller: &Caller, ticket: &Ticket) -> Result<Option<Response>, ApiError> {
    let mut db = app.db.reader().await?;
    match find(&mut db, &caller.idempotency_owner(), &ticket.key).await? {
        None => Ok(None),
        Some((digest, _)) if digest != ticket.digest => Err(other_request()),
        Some((_, Stored { status, body })) => answered(Answer { status, body }).map(Some),
    }
}

/// A stored answer as a response.
pub fn answered(answer: Answer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response())
}

/// An answer that was given before, or is given now.
struct Stored {
    status: u16,
    body: String,
}

/// Runs `work` in the writer's commit unless this caller's key was used before, and answers `status` with its result
/// as JSON. The answer is stored in the same commit.
pub async fn once<T, F>(
    app: &App,
    caller: &Caller,
    ticket: Ticket,
    status: StatusCode,
    work: F,
) -> Result<Response, ApiError>
where
    F: for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<T, ApiError>> + Send + 'static,
    T: Serialize + Send + 'static,
{
    let owner = caller.idempotency_owner();
    let stored = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                if let Some((digest, stored)) = find(unit.db(), &owner, &ticket.key).await? {
                    return if digest == ticket.digest { Ok(stored) } else { Err(other_request()) };
                }
                let body = serde_json::to_string(&work(unit).await?).map_err(ApiError::internal)?;
                let stored = Stored { status: status.as_u16(), body };
                let now = unit.now();
                insert(unit.db(), &owner, &ticket, &stored, now).await?;
                Ok::<_, ApiError>(stored)
            })
        })
        .await?;
    let status = StatusCode::from_u16(stored.status).map_err(ApiError::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], stored.body).into_response())
}

/// The same key, another request.
pub fn other_request() -> ApiError {
    ApiError::new(Code::IdempotencyKeyReused, "")
}

async fn find(db: &mut Db, owner: &str, key: &str) -> Result<Option<(String, Stored)>, LedgerError> {
    let row: Option<(String, i64, String)> = sqlx::query_as(
        "select request_digest, status, body from idempotency_keys where owner = $1 and idempotency_key = $2",
    )
    .bind(owner)
    .bind(key)
    .fetch_optional(db)
    .await?;
    let Some((digest, status, body)) = row else { return Ok(None) };
    let status = u16::try_from(status)
        .map_err(|_| LedgerError::Corrupt { what: format!("stored status {status}") })?;
    Ok(Some((digest, Stored { status, body })))
}

async fn insert(
    db: &mut Db,
    owner: &str,
    ticket: &Ticket,
    stored: &Stored,
    now: UnixMillis,
) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(owner)
    .bind(&ticket.key)
    .bind(&ticket.digest)
    .bind(i64::from(stored.status))
    .bind(&stored.body)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}
