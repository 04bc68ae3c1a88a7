//! One provider: a port, its faults, and the way to the chain.
//!
//! Started by `devnet.rs`. Everything is one fallback handler: TRON's paths and Ethereum's single path are told apart by the chain.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::devnet::{Family, Shared};
use crate::faults::Faults;
use crate::{evm, tron};

/// Larger bodies are 413, as on real nodes.
const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;
const DELAY_MAX_MS: u64 = 60_000;

/// Serves a provider until its task is aborted.
pub(crate) async fn provider(listener: TcpListener, shared: Arc<Shared>, number: usize) {
    let router = Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state((shared, number));
    if let Err(error) = axum::serve(listener, router).await {
        eprintln!("provider {number} ended: {error}");
    }
}

async fn handle(
    State((shared, number)): State<(Arc<Shared>, usize)>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let request = read_body(&method, &uri, &body);
    if let Some(route) = uri.path().strip_prefix("/control/") {
        return match shared.control(route, &request) {
            Ok(answer) => as_json(StatusCode::OK, &answer),
            Err(refusal) => as_json(StatusCode::BAD_REQUEST, &json!({ "error": refusal.to_string() })),
        };
    }
    let faults = shared.meet_faults(number);
    if faults.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(faults.delay_ms.min(DELAY_MAX_MS))).await;
    }
    if faults.down {
        return broken();
    }
    let answer = answer(&shared, &faults, uri.path(), &request);
    if faults.lose_broadcast_answers && is_broadcast(uri.path(), &request) {
        return broken();
    }
    answer
}

/// POST carries JSON; GET carries the same fields in its query.
fn read_body(method: &Method, uri: &Uri, body: &Bytes) -> Value {
    if method == Method::GET {
        let fields: Map<String, Value> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect();
        return Value::Object(fields);
    }
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn answer(shared: &Shared, faults: &Faults, path: &str, request: &Value) -> Response {
    match &mut *shared.family() {
        Family::Tron(chain) => match tron::answer(chain, faults, path, request) {
            tron::Answer::Json(value) => as_json(StatusCode::OK, &value),
            tron::Answer::Text(text) => text.into_response(),
            tron::Answer::NotFound => StatusCode::NOT_FOUND.into_response(),
        },
        Family::Evm(chain) => {
            if request.is_null() {
                let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": "parse error" } });
                return as_json(StatusCode::OK, &error);
            }
            as_json(StatusCode::OK, &evm::answer(chain, faults, request))
        }
    }
}

fn is_broadcast(path: &str, request: &Value) -> bool {
    let sends =
        |request: &Value| request.get("method").and_then(Value::as_str) == Some("eth_sendRawTransaction");
    path.starts_with("/wallet/broadcast")
        || sends(request)
        || request.as_array().is_some_and(|batch| batch.iter().any(sends))
}

fn broken() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}

fn as_json(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}
