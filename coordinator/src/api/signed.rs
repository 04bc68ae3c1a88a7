//! Signed requests: the credential of partners' systems, verified before any handler sees the body (P4, case 85).
//!
//! `mod.rs` puts `check` around every route. A request with the scheme `Airlock-HMAC-SHA256` is verified over its method,
//! path, query, timestamp, nonce, body and idempotency key, and enters as `Caller::Key`; all others pass untouched. What must stay true: nothing is taken twice
//! by a process; a header that could be read in two ways is refused; no comparison with a secret depends on where it
//! differs; before the signature is good, an answer tells nothing of a key but that something is wrong.
//!
//! ```text
//! Authorization: Airlock-HMAC-SHA256 key=ID, timestamp=UNIX SECONDS, nonce=16 to 64 HEX, signature=64 HEX
//! ```

use super::{ApiError, Code, Peer};
use crate::app::App;
use crate::keys::nonces::NotTaken;
use crate::keys::ring::{Known, Untaken};
use crate::keys::sign::{Parts, SCHEME, string_to_sign};
use airlock_shared::digest::bytes_from_lower_hex;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::IpAddr;
use std::time::Duration;

/// The longest body of a signed request, in bytes; `server.body_limit_bytes` may be lower.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// A request stamped so far ahead waits until its moment has come; beyond, it is refused. Waiting is what lets a restarted
/// program know that everything taken before has a stamp from before its start.
pub const AHEAD_MAX: Duration = Duration::from_secs(5);
/// The longest `Authorization` header that is read.
const HEADER_BYTES_MAX: usize = 512;
const IDEMPOTENCY: HeaderName = HeaderName::from_static(super::idempotency::HEADER);

/// The header's four fields.
#[derive(Clone, Copy, Debug)]
struct Fields<'a> {
    key: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
    signature: [u8; 32],
}

/// Around every route: verifies signed requests.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    if !is_signed(request.headers()) {
        return next.run(request).await;
    }
    let verified = verify(&app, request).await;
    let outcome = verified.as_ref().map_or_else(|error| error.code(), |_| "taken");
    metrics::counter!("airlock_signed_requests_total", "outcome" => outcome).increment(1);
    match verified {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Does any of its credentials use our scheme?
fn is_signed(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().get(..SCHEME.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()))
    })
}

/// The request with its caller, its body read and put back.
async fn verify(app: &App, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    let authorization = only(&parts.headers, &AUTHORIZATION)?.unwrap_or_default().to_owned();
    let idempotency_key = only(&parts.headers, &IDEMPOTENCY)?.unwrap_or_default().to_owned();
    let fields = Fields::read(&authorization)?;
    let timestamp: i64 = fields.timestamp.parse().map_err(|_| malformed("timestamp is no number"))?;
    in_window(app, timestamp)?;
    let known = app.keys.key(fields.key).await?.ok_or_else(wrong)?;
    let Peer(address) = Peer::from_request_parts(&mut parts, app).await?;
    let body = read_body(app, body).await?;
    let text = string_to_sign(&Parts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        timestamp: fields.timestamp,
        nonce: fields.nonce,
        body: &body,
        idempotency_key: &idempotency_key,
    });
    if !known.verifies(&text, &fields.signature) {
        return Err(wrong());
    }
    crate::audit::http::seen(&parts, &known.caller);
    admits(&known, address, app.clock.now())?;
    wait_for(app, timestamp).await;
    // Before it is remembered: all keys share the memory of nonces, and no one of them may fill it beyond its own limit.
    app.limits.caller(&known.caller, &parts.extensions)?;
    take(app, &known, fields.nonce, timestamp)?;
    parts.extensions.insert(known.caller.clone());
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// The value of a header that stands there at most once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(malformed(format!("the header {name} stands there twice")));
    }
    let text = first.map(|value| value.to_str()).transpose();
    text.map_err(|_| malformed(format!("the header {name} is not printable ASCII")))
}

impl<'a> Fields<'a> {
    /// All four fields, each once, in any order, nothing else.
    fn read(header: &'a str) -> Result<Self, ApiError> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(malformed(format!("it is longer than {HEADER_BYTES_MAX} bytes")));
        }
        let Some((SCHEME, rest)) = header.split_once(' ') else {
            return Err(malformed(format!("it does not begin with {SCHEME} and a space")));
        };
        let [mut key, mut timestamp, mut nonce, mut signature] = [None; 4];
        for field in rest.split(',') {
            let (name, value) = field.trim_ascii().split_once('=').unwrap_or_default();
            let place = match name {
                "key" => &mut key,
                "timestamp" => &mut timestamp,
                "nonce" => &mut nonce,
                "signature" => &mut signature,
                _ => return Err(malformed("a field is not key, timestamp, nonce or signature")),
            };
            if place.replace(value).is_some() {
                return Err(malformed(format!("the field {name} stands there twice")));
            }
        }
        let (Some(key), Some(timestamp), Some(nonce), Some(signature)) = (key, timestamp, nonce, signature)
        else {
            return Err(malformed("key, timestamp, nonce and signature are all needed"));
        };
        if !(1..=64).contains(&key.len()) || !key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            return Err(malformed("key is 1 to 64 letters, digits or _"));
        }
        let digits = timestamp.bytes().all(|c| c.is_ascii_digit()) && !timestamp.starts_with('0');
        if !(1..=12).contains(&timestamp.len()) || !digits {
            return Err(malformed("timestamp is Unix seconds in digits, without leading zeros"));
        }
        let lower_hex = |text: &str| text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if !(16..=64).contains(&nonce.len()) || !lower_hex(nonce) {
            return Err(malformed("nonce is 16 to 64 lower-case hex digits"));
        }
        let signature = bytes_from_lower_hex::<32>(signature)
            .ok_or_else(|| malformed("signature is 64 lower-case hex digits"))?;
        Ok(Self { key, timestamp, nonce, signature })
    }
}

/// Is the stamp neither too old nor too far ahead? The answer says our time, so that a client can set its clock.
fn in_window(app: &App, timestamp: i64) -> Result<(), ApiError> {
    let now = app.clock.now();
    let (window_ms, stamp_ms) =
        (i64::from(app.keys.settings.window_s).saturating_mul(1000), timestamp.saturating_mul(1000));
    let ahead_ms = i64::try_from(AHEAD_MAX.as_millis()).unwrap_or(i64::MAX);
    if stamp_ms > now.saturating_add(ahead_ms)
        || now.div_euclid(1000).saturating_sub(timestamp) > window_ms / 1000
    {
        return Err(outside(app));
    }
    Ok(())
}

/// A stamp ahead of our clock is not taken before its moment.
async fn wait_for(app: &App, timestamp: i64) {
    let ahead_ms = timestamp.saturating_mul(1000).saturating_sub(app.clock.now());
    let ahead = Duration::from_millis(u64::try_from(ahead_ms).unwrap_or(0)).min(AHEAD_MAX);
    if !ahead.is_zero() {
        tokio::time::sleep(ahead).await;
    }
}

async fn read_body(app: &App, body: Body) -> Result<Bytes, ApiError> {
    let limit = BODY_BYTES_MAX.min(app.config.server.body_limit_bytes);
    let mut request = Request::new(body);
    axum::extract::DefaultBodyLimit::max(limit).apply(&mut request);
    Bytes::from_request(request, &()).await.map_err(ApiError::from_bytes)
}

/// What only the holder of the secret is told: the key's end, its partner's, its networks.
fn admits(known: &Known, address: Option<IpAddr>, now: i64) -> Result<(), ApiError> {
    if known.key.ends().is_some_and(|at| at <= now) {
        return Err(ApiError::new(Code::KeyEnded, "this key was ended, rotated away or has expired"));
    }
    if !known.partner_active {
        return Err(ApiError::new(Code::PartnerInactive, "the partner of this key is not active"));
    }
    if !known.key.allows(address) {
        return Err(ApiError::address_not_allowed(address));
    }
    Ok(())
}

fn take(app: &App, known: &Known, nonce: &str, timestamp: i64) -> Result<(), ApiError> {
    app.keys.take(&known.key, nonce, timestamp, app.clock.now()).map_err(|why| match why {
        Untaken::BeforeStart => {
            let message =
                "it was stamped before this server started and may have been taken then: sign it again";
            ApiError::new(Code::StampedBeforeStart, message)
        }
        Untaken::Nonce(NotTaken::Used) => {
            ApiError::new(Code::NonceUsed, "this timestamp and nonce were taken before")
        }
        Untaken::Nonce(NotTaken::TooOld) => outside(app),
        Untaken::Nonce(NotTaken::Full) => ApiError::unavailable("too many signed requests are remembered"),
    })
}

fn outside(app: &App) -> ApiError {
    let (now, window) = (app.clock.now().div_euclid(1000), app.keys.settings.window_s);
    let ahead = AHEAD_MAX.as_secs();
    let message = format!(
        "the timestamp must be at most {window} s old and at most {ahead} s ahead; the server's time is {now}"
    );
    ApiError::new(Code::TimestampOutsideWindow, message)
}

fn malformed(what: impl std::fmt::Display) -> ApiError {
    ApiError::new(Code::SignatureMalformed, format!("the Authorization header: {what}"))
}

/// One answer for an unknown key and for a wrong signature.
fn wrong() -> ApiError {
    ApiError::new(Code::SignatureWrong, "no such key, or the signature is not over this request")
}
