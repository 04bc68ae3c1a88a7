//! From a request's credential to a [`Caller`], and which user a request is about.
//!
//! Handlers take `Caller` as an argument; without a valid token they are never entered. The token is compared by its
//! digest in the database, so no comparison runs over secret bytes.

use super::ApiError;
use crate::app::App;
use crate::people::create::token_digest;
use crate::people::store;
use crate::people::{Caller, Reach};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

/// A token is `alk_` and 64 hex digits; anything longer is not looked up.
const TOKEN_MAX_BYTES: usize = 128;

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // A handler that takes `By` too asks twice; the credential is looked up once.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .filter(|token| token.len() <= TOKEN_MAX_BYTES)
            .ok_or_else(ApiError::unauthorized)?;
        let mut db = app.db.reader().await?;
        let caller = store::caller_of(&mut db, &token_digest(token)).await?;
        let caller = caller.ok_or_else(ApiError::unauthorized)?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// The user that a request is about: a user's own self, or the one that a partner or the house names.
/// Answers the user's id and partner; a foreign user is a missing one.
pub async fn user_named(app: &App, reach: &Reach, named: Option<&str>) -> Result<(String, String), ApiError> {
    let user = match (reach, named) {
        (Reach::User { id, partner }, None) => return Ok((id.clone(), partner.clone())),
        (_, Some(named)) => named,
        (_, None) => return Err(ApiError::bad_request("user_needed", "name the user")),
    };
    let mut db = app.db.reader().await?;
    match store::partner_of(&mut db, user).await? {
        Some(partner) if reach.covers(user, &partner) => Ok((user.to_owned(), partner)),
        _ => Err(ApiError::not_found("user")),
    }
}
