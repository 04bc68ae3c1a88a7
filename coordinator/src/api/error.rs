//! The one error shape, and the only place that knows status codes.
//!
//! ```json
//! {"error":{"code":"insufficient_funds","message":"…","retryable":false,"request_id":"…"}}
//! ```
//!
//! `retryable` says whether the very same request (with the same idempotency key) may succeed later. What must stay
//! true: an internal error's cause goes to the log, never into the answer; a foreign object is a missing one.

use crate::ledger::LedgerError;
use crate::withdrawals::{Refusal, WithdrawalError};
use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal on its way out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retryable: bool,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retryable: false }
    }

    const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: no credential, or one that is not known or not active.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid bearer token is needed")
    }

    /// 401: a credential that does not count, for a reason with a name.
    pub fn unauthenticated(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: a key that is good elsewhere, but not from this address.
    pub fn address_not_allowed(address: Option<std::net::IpAddr>) -> Self {
        let from = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        Self::new(StatusCode::FORBIDDEN, "address_not_allowed", format!("this key may not be used from {from}"))
    }

    /// 403: known, but not in this role.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403: allowed, once the second factor has been given again.
    pub fn step_up_needed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "step_up_needed", "give the second factor again for this")
    }

    /// 404: no such object, or not the caller's.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {what}"))
    }

    /// 404 for a path that no route has.
    pub fn no_such_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_route", "no such route")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route knows other methods")
    }

    /// 409: stands against the present state.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 422: understood and refused.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 503: a dependency is away; nothing was changed.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retryable()
    }

    /// 504: what was asked may still happen; repeating with the same idempotency key is safe.
    pub fn timed_out() -> Self {
        let message =
            "the request took too long; it may still take effect, repeat it with the same idempotency key";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", message).retryable()
    }

    /// 500: our fault. The cause is logged here, once, and not told.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error; it has been logged")
    }

    /// The body could not be read: too large, or the connection broke.
    pub fn from_bytes(error: BytesRejection) -> Self {
        let status = error.status();
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "body_too_large" } else { "bad_body" };
        Self::new(status, code, error.body_text())
    }

    /// Its machine-readable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for ApiError {
    /// Carries the error to `shape`, which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The one shape of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorShape {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What a refusal says.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// From the closed list: what programs decide by.
    pub code: String,
    /// What people read.
    pub message: String,
    /// May the very same request (with the same idempotency key) succeed later?
    pub retryable: bool,
    /// Of this request: the same as in the header `x-request-id`.
    pub request_id: String,
}

/// Gives every refusal the one shape, those that axum makes itself included.
pub(super) fn shape(response: Response, request_id: &str) -> Response {
    let status = response.status();
    let error = match response.extensions().get::<ApiError>() {
        Some(error) => error.clone(),
        None if status.is_client_error() => {
            ApiError::new(status, "bad_request", status.canonical_reason().unwrap_or("refused"))
        }
        None if status.is_server_error() => ApiError::internal(status),
        None => return response,
    };
    let body = ErrorBody {
        code: error.code.to_owned(),
        message: error.message,
        retryable: error.retryable,
        request_id: request_id.to_owned(),
    };
    let mut shaped = (error.status, Json(ErrorShape { error: body })).into_response();
    if error.status == StatusCode::UNAUTHORIZED {
        shaped.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Airlock-HMAC-SHA256"));
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        shaped.headers_mut().insert(header::ALLOW, allow.clone());
    }
    shaped
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Insufficient { asset, .. } => {
                Self::refused("insufficient_funds", format!("not enough {asset} available"))
            }
            LedgerError::Overflow { .. } | LedgerError::Asset(_) => {
                Self::refused("amount_out_of_range", error.to_string())
            }
            LedgerError::Repeated { .. } => Self::conflict("repeated", error.to_string()),
            LedgerError::HoldEnded { .. } => Self::conflict("hold_ended", error.to_string()),
            LedgerError::Unavailable | LedgerError::Stopped => Self::unavailable(error.to_string()),
            LedgerError::CommitFailed => {
                tracing::error!("a commit failed");
                Self::timed_out()
            }
            LedgerError::Database(error) => error.into(),
            LedgerError::Malformed { .. }
            | LedgerError::NoHold { .. }
            | LedgerError::HoldMismatch { .. }
            | LedgerError::Corrupt { .. } => Self::internal(error),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
                tracing::error!(%error, "the database is away");
                Self::unavailable("the database is not available")
            }
            // PostgreSQL's `character_not_in_repertoire`: a text with a NUL in it, which it cannot hold.
            sqlx::Error::Database(error) if error.code().as_deref() == Some("22021") => {
                Self::bad_request("bad_text", "a text holds a character that cannot be stored")
            }
            error => Self::internal(error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Network { .. } => "unknown_network",
            Refusal::Asset { .. } => "unknown_asset",
            Refusal::Address(_) => "bad_address",
            Refusal::Reserved { .. } => "reserved_address",
            Refusal::TokenContract { .. } => "token_contract",
            Refusal::Own { .. } => "own_address",
            Refusal::Amount(_) => "bad_amount",
            Refusal::BelowMinimum { .. } => "below_minimum",
            Refusal::AboveMaximum { .. } => "above_maximum",
            Refusal::Memo { .. } => "bad_memo",
        };
        Self::refused(code, refusal.to_string())
    }
}

impl From<WithdrawalError> for ApiError {
    fn from(error: WithdrawalError) -> Self {
        match error {
            WithdrawalError::NotFound { .. } => Self::not_found("withdrawal"),
            WithdrawalError::Refused(refusal) => refusal.into(),
            WithdrawalError::Illegal(_) | WithdrawalError::IllegalAttempt(_) => {
                Self::conflict("wrong_state", error.to_string())
            }
            WithdrawalError::Revision { .. } => Self::conflict("wrong_revision", error.to_string()),
            WithdrawalError::Raced { .. } => Self::conflict("wrong_state", error.to_string()),
            WithdrawalError::MayBeSigned { .. } => Self::conflict("may_be_signed", error.to_string()),
            WithdrawalError::LiveAttempt { .. } => Self::conflict("live_attempt", error.to_string()),
            WithdrawalError::OwnRequest { .. } => Self::forbidden("the initiator cannot approve"),
            WithdrawalError::Ledger(error) => error.into(),
        }
    }
}
