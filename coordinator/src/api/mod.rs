//! The HTTP rim: routes merged from the capabilities, request ids, limits, and one error shape everywhere.
//!
//! `main.rs` serves [`router`]. A capability offers `fn router() -> OpenApiRouter<App>` with its routes under `/v1`; its
//! handlers take [`Caller`](crate::people::Caller), [`Body`] or [`Once`] and answer `Result<_, ApiError>`. What
//! must stay true: every answer carries `x-request-id`, and every refusal has the shape of `error.rs`, unknown routes,
//! wrong methods, oversized bodies, time-outs and panics included.

pub mod auth;
pub mod codes;
pub mod error;
pub mod health;
pub mod idempotency;
pub mod ledger;
pub mod messages;
pub mod openapi;
pub mod signed;
pub mod texts;

pub use codes::Code;
pub use error::ApiError;
pub use idempotency::Once;

use self::messages::Language;
use crate::app::App;
use crate::db::random_id;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderValue, header};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use serde::de::DeserializeOwned;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use utoipa_axum::router::OpenApiRouter;

/// Every capability's routes with their description. A plain `Router` joins with `.into()`, undescribed.
pub fn capabilities() -> Vec<OpenApiRouter<App>> {
    vec![
        health::router(),
        ledger::router(),
        crate::transfers::http::router(),
        crate::withdrawals::http::router().into(),
        crate::fees::http::router(),
        crate::liabilities::http::router(),
        crate::keys::http::router(),
        crate::treasury::http::router(),
        crate::treasury::reconcile::router().into(),
        crate::deposits::http::router().into(),
        crate::pairing::http::router().into(),
        crate::batches::http::router().into(),
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
    with_rim(routes.merge(openapi::router(&document)), app)
}

/// Puts the rim around routes: fallbacks, limits, request ids, the error shape.
pub fn with_rim(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(async || ApiError::no_such_route())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), signed::check))
        .layer(DefaultBodyLimit::max(app.config.server.body_limit_bytes))
        .layer(from_fn_with_state(app.clone(), rim))
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

/// The address of whoever asks, if the server knows it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map(|ConnectInfo(address)| address.ip())))
    }
}

/// Around every route: request id, time limit, panics, error shape, one log line.
async fn rim(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = random_id().unwrap_or_else(|_| "unknown".to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let language = Language::asked(request.headers());
    let started = std::time::Instant::now();
    let answered = tokio::time::timeout(
        app.config.server.request_timeout,
        AssertUnwindSafe(next.run(request)).catch_unwind(),
    )
    .await;
    let response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::internal("a handler panicked").into_response(),
        Err(_) => ApiError::timed_out().into_response(),
    };
    let mut response = error::shape(response, &id, language);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    tracing::info!(request_id = id, %method, path, status = response.status().as_u16(), took_ms = started.elapsed().as_millis() as u64, "request");
    response
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

/// JSON into a type; the refusal says where and what.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::new(Code::BadJson, error.to_string()))
}

/// A moment as the API writes it: RFC 3339, UTC.
pub fn moment(ms: crate::clock::UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|moment| moment.to_string()).unwrap_or_default()
}
