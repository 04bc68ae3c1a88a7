//! The routes of logging in, of one's own account and of staff, and what each refusal says to the outside.
//!
//! `auth.rs` lets people in, `account.rs` is what everybody may do with their own account, `staff.rs` what administrators do
//! with others', `passkeys.rs` registers keys of people's own. What must stay true: a stranger's answers tell nothing of
//! what exists; a secret stands in one answer and in no log, no audit row, no error.

mod account;
mod auth;
mod passkeys;
mod staff;

use super::AccessError;
use super::login::Knock;
use super::second_factor::Given;
use super::session::Origin;
use crate::api::{ApiError, Code, Peer};
use crate::app::App;
use crate::audit::http::Stranger;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

/// Everything about people.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auth::router())
        .merge(account::router())
        .merge(passkeys::router())
        .merge(staff::router())
}

impl FromRequestParts<App> for Knock {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Stranger(by) = Stranger::from_request_parts(parts, app).await?;
        let Peer(address) = Peer::from_request_parts(parts, app).await?;
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or_default().to_owned();
        Ok(Self { address, origin: Origin { address: by.address.clone(), agent }, by })
    }
}

/// A second factor: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FactorGiven {
    /// Six digits of the authenticator, of now or of one step either way.
    code: Option<String>,
    /// One of the recovery codes.
    recovery_code: Option<String>,
}

impl FactorGiven {
    fn read(self) -> Result<Given, AccessError> {
        match (self.code, self.recovery_code) {
            (Some(code), None) => Ok(Given::Code(code)),
            (None, Some(code)) => Ok(Given::Recovery(code)),
            _ => Err(ApiError::new(Code::CodeNeeded, "code or recovery_code, one of them").into()),
        }
    }
}

/// It is done.
#[derive(Serialize, ToSchema)]
struct Done {
    /// Always true.
    done: bool,
}

const DONE: axum::Json<Done> = axum::Json(Done { done: true });

impl IntoResponse for AccessError {
    fn into_response(self) -> Response {
        let wait_ms = if let Self::TooMany { wait_ms } = &self { Some(*wait_ms) } else { None };
        let mut response = ApiError::from(self).into_response();
        if let Some(wait_ms) = wait_ms {
            // Whole seconds, never 0: whoever comes back a moment early is refused again.
            let seconds = wait_ms.max(1).unsigned_abs().div_ceil(1_000);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let text = error.to_string();
        match error {
            AccessError::Credentials => Self::new(Code::BadCredentials, ""),
            AccessError::Code => Self::new(Code::BadCode, ""),
            AccessError::TooMany { .. } => Self::new(Code::TooManyAttempts, ""),
            AccessError::Session => Self::new(Code::SessionEnded, ""),
            AccessError::Password(_) => Self::new(Code::WeakPassword, text),
            AccessError::Email => Self::new(Code::BadEmail, ""),
            AccessError::Name { .. } => Self::new(Code::BadName, text),
            AccessError::Exists { .. } => Self::new(Code::Taken, text),
            AccessError::NotFound { what } => Self::not_found(what),
            AccessError::Invitation => Self::new(Code::BadInvitation, ""),
            AccessError::SignUpOff => Self::new(Code::SignUpOff, ""),
            AccessError::NoFactor | AccessError::NoneBegun => Self::new(Code::SecondFactorMissing, ""),
            AccessError::StepUp => Self::step_up_needed(),
            AccessError::Own(_) => Self::new(Code::OwnProposal, text),
            AccessError::Stale(_) => Self::new(Code::WrongState, text),
            AccessError::Role { .. } => Self::new(Code::BadRole, text),
            AccessError::Passkey { why } => Self::new(Code::BadPasskey, why),
            AccessError::Busy => Self::unavailable(text),
            AccessError::Fault { .. } | AccessError::Home(_) => Self::internal(text),
            AccessError::Rim(error) => error,
            AccessError::Ledger(error) => error.into(),
        }
    }
}
