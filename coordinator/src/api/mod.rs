//! The HTTP rim: routes merged from the capabilities, request ids, limits, and one error shape everywhere.
//!
//! `main.rs` serves [`router`]. A capability offers `fn router() -> OpenApiRouter<App>` with its routes under `/v1`; its
//! handlers take [`Caller`](crate::people::Caller), [`Body`] or [`Once`] and answer `Result<_, ApiError>`. What
//! must stay true: every answer carries `x-request-id`, and every refusal has the shape of `error.rs`, unknown routes,
//! wrong methods, oversized bodies, time-outs and panics included.

pub mod address;
pub mod auth;
pub mod codes;
pub mod docs;
pub mod error;
mod figures;
pub mod health;
pub mod idempotency;
pub mod ledger;
pub mod limits;
pub mod messages;
pub mod metrics;
pub mod openapi;
pub mod page;
mod rim;
pub mod serve;
pub mod signed;
pub mod texts;
pub mod tls;

pub use address::Peer;
pub use codes::Code;
pub use error::ApiError;
pub use idempotency::Once;

use crate::app::App;
use crate::audit;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;

/// Every capability's routes with their description. A plain `Router` joins with `.into()`, undescribed.
pub fn capabilities() -> Vec<OpenApiRouter<App>> {
    vec![
        health::router(),
        metrics::router(),
        ledger::router(),
        crate::people::http::router(),
        crate::transfers::http::router(),
        crate::transactions::http::router(),
        crate::withdrawals::http::router(),
        crate::adjustments::http::router(),
        crate::fees::http::router(),
        crate::liabilities::http::router(),
        crate::keys::http::router(),
        crate::partners::http::router(),
        audit::http::router(),
        crate::treasury::http::router(),
        crate::treasury::reconcile::router(),
        crate::deposits::http::router(),
        crate::pairing::http::router(),
        crate::batches::http::router(),
    ]
}

/// Every route of the coordinator, and the document of all of them.
pub fn described() -> (Router<App>, serde_json::Value) {
    let all = capabilities().into_iter().fold(OpenApiRouter::default(), OpenApiRouter::merge);
    let (routes, collected) = all.split_for_parts();
    (routes, openapi::document(collected))
}

/// Every route of the coordinator, its own description included.
pub fn router(app: App) -> Router {
    let (routes, document) = described();
    with_rim(routes.merge(openapi::router(&document)).merge(docs::router(&document)), app)
}

/// Puts the rim around routes: fallbacks, limits, request ids, the error shape.
pub fn with_rim(routes: Router<App>, app: App) -> Router {
    metrics::start();
    routes
        .fallback(async || ApiError::no_such_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), signed::check))
        .layer(from_fn_with_state(audit::http::Watch::new(app.clone()), audit::http::watch))
        .layer(DefaultBodyLimit::max(app.config.server.body_limit_bytes))
        .layer(from_fn_with_state(app.clone(), rim::around))
        .with_state(app)
}

/// The id of a request, in the answer's `x-request-id`, in errors, logs and audit rows.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // `rim` puts it there for every request.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("request id missing"))
    }
}

/// A JSON body read strictly: unknown fields, wrong types and trailing data are refused in the one shape.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        Ok(Self(parse(&json_bytes(request, app).await?)?))
    }
}

/// The bytes of a body that says it is JSON. Nothing else is read as JSON: what a page of another site can send without being
/// asked (a form, a text) never is.
pub async fn json_bytes(request: Request, app: &App) -> Result<axum::body::Bytes, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::new(Code::UnsupportedMediaType, "application/json"));
    }
    axum::body::Bytes::from_request(request, app).await.map_err(ApiError::from_bytes)
}

/// A query string read strictly.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::new(Code::BadQuery, error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// JSON into a type; the refusal says where and what. A body is an object: what reads objects by their fields' names would
/// take a list of values in their order too, which nothing describes.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ApiError::new(Code::BadJson, "expected an object at line 1 column 1"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::new(Code::BadJson, error.to_string()))
}

/// A moment as the API writes it: RFC 3339, UTC.
pub fn moment(ms: crate::clock::UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|moment| moment.to_string()).unwrap_or_default()
}
