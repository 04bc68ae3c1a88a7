//! The one error shape, and the only place that knows status codes.
//!
//! ```json
//! {"error":{"code":"insufficient_funds","message":"…","retryable":false,"request_id":"…"}}
//! ```
//!
//! `retryable` says whether the very same request (with the same idempotency key) may succeed later. What must stay
//! true: an internal error's cause goes to the log, never into the answer; a foreign object is a missing one.

use super::codes::Code;
use super::messages::{Language, message};
use crate::freeze::FreezeError;
use crate::ledger::LedgerError;
use crate::withdrawals::{Refusal, WithdrawalError};
use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal on its way out: a code of the closed list, and what its place has to add in English.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {detail}", code.name())]
pub struct ApiError {
    code: Code,
    detail: String,
}

impl ApiError {
    /// A refusal with the code's status; `detail` says what the code's own text does not, or is empty.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// 401: no credential, or one that is not known or not active.
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "")
    }

    /// 403: a key that is good elsewhere, but not from this address.
    pub fn address_not_allowed(address: Option<std::net::IpAddr>) -> Self {
        Self::new(Code::AddressNotAllowed, address.map_or_else(String::new, |address| address.to_string()))
    }

    /// 403: known, but not in this role.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// 403: allowed, once the second factor has been given again.
    pub fn step_up_needed() -> Self {
        Self::new(Code::StepUpNeeded, "")
    }

    /// 404: no such object, or not the caller's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, what)
    }

    /// 404 for a path that no route has.
    pub fn no_such_route() -> Self {
        Self::new(Code::NoSuchRoute, "")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(Code::MethodNotAllowed, "")
    }

    /// 503: a dependency is away; nothing was changed.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, detail)
    }

    /// 504: what was asked may still happen; repeating with the same idempotency key is safe.
    pub fn timed_out() -> Self {
        Self::new(Code::TimedOut, "")
    }

    /// 500: our fault. The cause is logged here, once, and not told.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Code::Internal, "")
    }

    /// The body could not be read: too large, or the connection broke.
    pub fn from_bytes(error: BytesRejection) -> Self {
        let too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(if too_large { Code::BodyTooLarge } else { Code::BadBody }, "")
    }

    /// Its machine-readable code.
    pub const fn code(&self) -> &'static str {
        self.code.name()
    }
}

impl IntoResponse for ApiError {
    /// Carries the error to `shape`, which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
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
    pub code: &'static str,
    /// What people read.
    pub message: String,
    /// May the very same request (with the same idempotency key) succeed later?
    pub retryable: bool,
    /// Of this request: the same as in the header `x-request-id`.
    pub request_id: String,
}

/// Gives every refusal the one shape in the caller's language, those that axum makes itself included.
pub(super) fn shape(response: Response, request_id: &str, language: Language) -> Response {
    let status = response.status();
    let error = match response.extensions().get::<ApiError>() {
        Some(error) => error.clone(),
        None if status.is_client_error() => ApiError::new(Code::of_status(status), ""),
        None if status.is_server_error() => ApiError::internal(status),
        None => return response,
    };
    let body = ErrorBody {
        code: error.code.name(),
        message: message(error.code, &error.detail, language),
        retryable: error.code.retryable(),
        request_id: request_id.to_owned(),
    };
    let mut shaped = (error.code.status(), Json(ErrorShape { error: body })).into_response();
    let headers = shaped.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    if error.code.status() == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Airlock-HMAC-SHA256"));
    }
    for kept in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&kept) {
            headers.insert(kept, value.clone());
        }
    }
    shaped
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Insufficient { asset, .. } => Self::new(Code::InsufficientFunds, asset.to_string()),
            LedgerError::Overflow { .. } | LedgerError::Asset(_) => {
                Self::new(Code::AmountOutOfRange, error.to_string())
            }
            LedgerError::Repeated { .. } => Self::new(Code::Repeated, error.to_string()),
            LedgerError::HoldEnded { .. } => Self::new(Code::HoldEnded, error.to_string()),
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
                Self::new(Code::BadText, "")
            }
            error => Self::internal(error),
        }
    }
}

impl From<FreezeError> for ApiError {
    fn from(error: FreezeError) -> Self {
        match error {
            FreezeError::Frozen => Self::new(Code::Frozen, ""),
            FreezeError::Ledger(error) => error.into(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Network { .. } => Code::UnknownNetwork,
            Refusal::Asset { .. } => Code::UnknownAsset,
            Refusal::Address(_) => Code::BadAddress,
            Refusal::Reserved { .. } => Code::ReservedAddress,
            Refusal::TokenContract { .. } => Code::TokenContract,
            Refusal::Own { .. } => Code::OwnAddress,
            Refusal::Amount(_) => Code::BadAmount,
            Refusal::BelowMinimum { .. } => Code::BelowMinimum,
            Refusal::AboveMaximum { .. } => Code::AboveMaximum,
            Refusal::Memo { .. } => Code::BadMemo,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<WithdrawalError> for ApiError {
    fn from(error: WithdrawalError) -> Self {
        match error {
            WithdrawalError::NotFound { .. } => Self::not_found("withdrawal"),
            WithdrawalError::Refused(refusal) => refusal.into(),
            WithdrawalError::Fee(error) => error.into(),
            WithdrawalError::Freeze(error) => error.into(),
            WithdrawalError::Illegal(_) | WithdrawalError::IllegalAttempt(_) => {
                Self::new(Code::WrongState, error.to_string())
            }
            WithdrawalError::Revision { .. } => Self::new(Code::WrongRevision, error.to_string()),
            WithdrawalError::Raced { .. } => Self::new(Code::WrongState, error.to_string()),
            WithdrawalError::MayBeSigned { .. } => Self::new(Code::MayBeSigned, error.to_string()),
            WithdrawalError::LiveAttempt { .. } => Self::new(Code::LiveAttempt, error.to_string()),
            WithdrawalError::OwnRequest { .. } => Self::forbidden("the initiator cannot approve"),
            WithdrawalError::Ledger(error) => error.into(),
        }
    }
}
