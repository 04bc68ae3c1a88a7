//! From a request's credential to a [`Caller`].
//!
//! Handlers take `Caller` as an argument; without a valid credential they are never entered. A signed request of a partner's
//! key was recognised by `signed.rs` before it came here; everybody else shows an access token, whose session row is read at
//! every request, so that an ended session, other roles or a deactivation count at once. Routes about one's own account
//! take [`Signed`], which a session that still lacks its second factor has as well.

use super::ApiError;
use crate::app::App;
use crate::people::Caller;
use crate::people::session::{self, Signed};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

/// The scheme of access tokens (RFC 6750); schemes are compared without case (RFC 9110 section 11.1).
const SCHEME: &str = "bearer ";

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Put there for a signed request, and after the first look at a token: a handler that takes `By` too asks twice.
        if let Some(caller) = parts.extensions.get::<Self>() {
            crate::audit::http::seen(parts, caller);
            app.limits.caller(caller, &parts.extensions)?;
            return Ok(caller.clone());
        }
        let signed = Signed::from_request_parts(parts, app).await?;
        parts.extensions.insert(signed.caller.clone());
        Ok(signed.caller)
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if let Some(signed) = parts.extensions.get::<Self>() {
            return Ok(signed.clone());
        }
        let token = bearer(parts).ok_or_else(ApiError::unauthorized)?.to_owned();
        let mut db = app.db.reader().await?;
        let signed = session::signed(app, &mut db, &token).await?.ok_or_else(ApiError::unauthorized)?;
        crate::audit::http::seen(parts, &signed.caller);
        app.limits.caller(&signed.caller, &parts.extensions)?;
        parts.extensions.insert(signed.clone());
        Ok(signed)
    }
}

/// The token of the one `Authorization` header; two headers are none.
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}
