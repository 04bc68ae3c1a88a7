//! Around every route: who asks from where, limits, time, panics, the error shape, headers, figures, log lines.
//!
//! `mod.rs` puts [`around`] around all routes. What must stay true: every answer carries `x-request-id`, made here and never
//! taken from the caller; every log line written while a request is served carries the same id (the span); the rim asks no
//! database and costs microseconds. Ordinary requests are logged at `debug`; slow and failed ones at `warn`.

use super::address::{self, Peer};
use super::limits::{CallerStanding, Standing};
use super::messages::Language;
use super::{ApiError, RequestId, error, metrics};
use crate::app::App;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tracing::{Instrument as _, field};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is remembered of a request for its figures and its log line.
struct Asked {
    method: Method,
    route: Option<MatchedPath>,
    path: String,
    peer: Peer,
    standing: Option<Standing>,
    caller: CallerStanding,
}

/// The rim.
pub(super) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = fresh_id();
    let span = tracing::info_span!("request", request_id = %id, client_request_id = field::Empty);
    if let Some(theirs) = client_request_id(request.headers()) {
        span.record("client_request_id", theirs);
    }
    let language = Language::asked(request.headers());
    let asked = enter(&app, &mut request, &id);
    let refused = asked.standing.as_ref().and_then(Standing::refusal);
    let response = match refused {
        Some(refusal) => refusal.into_response(),
        None => answer(&app, request, next).instrument(span.clone()).await,
    };
    let mut response = error::shape(response, &id, language);
    leave(&app, &asked, &id, response.headers_mut());
    let took = started.elapsed();
    let status = response.status().as_u16();
    metrics::answered(&asked.method, asked.route.as_ref().map(MatchedPath::as_str), status, took);
    span.in_scope(|| log(&app, &asked, status, took));
    response
}

/// Leaves id, address and a place for the caller's standing with the request, and counts it against its address.
fn enter(app: &App, request: &mut Request, id: &str) -> Asked {
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let peer = Peer(connected.map(|ip| address::client(ip, request.headers(), &app.config.server)));
    let path = request.uri().path().to_owned();
    let caller = CallerStanding::default();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let extensions = request.extensions_mut();
    extensions.insert(RequestId(id.to_owned()));
    extensions.insert(peer);
    extensions.insert(caller.clone());
    let standing = peer.0.and_then(|ip| app.limits.address(ip, &path));
    Asked { method: request.method().clone(), route, path, peer, standing, caller }
}

/// The handler's answer, in time and without a panic.
async fn answer(app: &App, request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(app.config.server.request_timeout, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::internal("a handler panicked").into_response(),
        Err(_) => ApiError::timed_out().into_response(),
    }
}

/// 128 random bits as 32 hex digits. Bits are fetched for many ids at once: they are no secret, and a request should not cost
/// a system call for its name.
fn fresh_id() -> String {
    thread_local! {
        static BITS: RefCell<([u8; 2048], usize)> = const { RefCell::new(([0; 2048], 2048)) };
    }
    BITS.with_borrow_mut(|(bits, used)| {
        if *used >= bits.len() {
            if getrandom::fill(bits).is_err() {
                return "unknown".to_owned();
            }
            *used = 0;
        }
        let id = bits.get(*used..*used + 16).map(hex::encode);
        *used += 16;
        id.unwrap_or_default()
    })
}

/// A caller's own id for the request goes into the log beside ours, if it is short and plain.
fn client_request_id(headers: &HeaderMap) -> Option<&str> {
    let theirs = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((8..=64).contains(&theirs.len()) && theirs.bytes().all(plain)).then_some(theirs)
}

/// The headers of every answer. What a handler said of caching or content stands.
fn leave(app: &App, asked: &Asked, id: &str, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(standing) = asked.caller.get().or(asked.standing.as_ref()) {
        standing.tell(headers);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if app.config.server.tls.is_some() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
}

/// One line: at `debug`, or at `warn` if the request was slow or failed through us. Never a query, header or body.
fn log(app: &App, asked: &Asked, status: u16, took: Duration) {
    let Asked { method, path, peer, .. } = asked;
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let address = field::display(peer.0.map_or_else(String::new, |address| address.to_string()));
    if took >= app.config.server.slow_request {
        tracing::warn!(%method, path, status, took_ms, address, slow = true, "slow request");
    } else if status >= 500 {
        tracing::warn!(%method, path, status, took_ms, address, "failed request");
    } else {
        tracing::debug!(%method, path, status, took_ms, "request");
    }
}
