//! The audit log at the rim: who acts in a request, and the rows of what was refused.
//!
//! Handlers take [`By`] beside `Caller`; routes without a credential take [`Stranger`]. What must stay true: a refusal
//! never waits for its row, and nobody can fill the log with refusals faster.

use super::By;
use crate::api::{ApiError, Peer, RequestId};
use crate::app::App;
use crate::people::Caller;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

impl FromRequestParts<App> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Peer(address) = Peer::from_request_parts(parts, app).await?;
        let RequestId(id) = RequestId::from_request_parts(parts, app).await?;
        Ok(Self::caller(&caller, address, &id))
    }
}

/// Whoever makes a request that asks for no credential, such as a log-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranger(pub By);

impl FromRequestParts<App> for Stranger {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Peer(address) = Peer::from_request_parts(parts, app).await?;
        let RequestId(id) = RequestId::from_request_parts(parts, app).await?;
        Ok(Self(By::nobody(address, &id)))
    }
}
