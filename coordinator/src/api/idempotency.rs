//! Idempotency keys: the same key and request give the same answer for ever, another request is refused.
//!
//! A money-moving handler takes [`Once`] and answers through [`once`], which stores the answer in the same commit as
//! the effect. What must stay true: a hundred parallel repeats have one effect; a refusal had no effect and is not
//! stored, so the same request may be tried again with the same key.

use super::{ApiError, Code, json_bytes, parse};
use crate::app::App;
use crate::ledger::order::AnswerBody;
use crate::ledger::store::{self, OnceLine};
use crate::ledger::{Answer, OnceRow, Unit};
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
        // Two of them could be read in two ways.
        let mut values = request.headers().get_all(HEADER).iter();
        let (first, second) = (values.next(), values.next());
        let key =
            first.filter(|_| second.is_none()).and_then(|value| value.to_str().ok()).unwrap_or_default();
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
    match store::once(&mut db, &caller.idempotency_owner(), &ticket.key).await? {
        None => Ok(None),
        Some(stored) if stored.request_digest != ticket.digest => Err(other_request()),
        Some(stored) => answered(stored.answer).map(Some),
    }
}

/// A stored answer as a response.
pub fn answered(answer: Answer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response())
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
    let answer = app.writer.commit(move |unit| {
        Box::pin(async move {
            if let Some(stored) = store::once(unit.db(), &owner, &ticket.key).await? {
                let same = stored.request_digest == ticket.digest;
                return if same { Ok(stored.answer) } else { Err(other_request()) };
            }
            let body = serde_json::to_string(&work(unit).await?).map_err(ApiError::internal)?;
            let (key, request_digest) = (ticket.key.as_str(), ticket.digest.as_str());
            let status = status.as_u16();
            let now = unit.now();
            let row = OnceLine { owner: &owner, key, request_digest, status, body: &body };
            store::insert_once(unit.db(), &row, now).await?;
            Ok::<_, ApiError>(Answer { status, body })
        })
    });
    answered(answer.await?)
}

/// The same key, another request.
pub fn other_request() -> ApiError {
    ApiError::new(Code::IdempotencyKeyReused, "")
}
