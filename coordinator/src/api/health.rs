//! Is it alive, and can it do its work? For people, load balancers and scripts; no credential needed.
//!
//! `live` answers as long as the process runs; `ready` needs the database, its migrations and the writer.

use super::ApiError;
use crate::app::App;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// `/health`, `/health/live`, `/health/ready`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(async || Json(json!({ "status": "live" }))))
        .route("/health/ready", get(ready))
}

async fn health(State(app): State<App>) -> Json<Value> {
    let database = app.db.expect_current().await.is_ok();
    let writer = !app.writer.has_stopped();
    let (groups, commands) = app.writer.counts();
    let networks: Vec<String> =
        app.config.networks.iter().map(|network| network.network.to_string()).collect();
    let status = if database && writer { "ok" } else { "failing" };
    Json(json!({
        "status": status, "database": database, "writer": writer, "groups": groups, "commands": commands,
        "networks": networks, "version": env!("CARGO_PKG_VERSION"),
    }))
}

async fn ready(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    if app.writer.has_stopped() {
        return Err(ApiError::unavailable("the ledger's writer has stopped"));
    }
    app.db.expect_current().await.map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(Json(json!({ "status": "ready" })))
}
