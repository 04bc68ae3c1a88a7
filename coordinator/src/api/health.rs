//! Is it alive, and can it do its work? For people, load balancers and scripts; no credential needed.
//!
//! `live` answers as long as the process runs; `ready` needs the database, its migrations and the writer.

use super::ApiError;
use super::texts::NetworkName;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/health`, `/health/live`, `/health/ready`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(health)).routes(routes!(live)).routes(routes!(ready))
}

/// How the coordinator stands.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok` or `failing`.
    status: &'static str,
    /// Is the database there, with every migration?
    database: bool,
    /// Does the ledger's writer run?
    writer: bool,
    /// Commits so far.
    groups: u64,
    /// Commands in them.
    commands: u64,
    /// The configured networks.
    #[schema(value_type = Vec<NetworkName>)]
    networks: Vec<String>,
    /// Of the program.
    version: &'static str,
}

/// One word on how it stands.
#[derive(Debug, Serialize, ToSchema)]
struct Standing {
    /// `live` or `ready`.
    status: &'static str,
}

/// How the parts stand
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, description = "How the parts stand", body = Health)),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn health(State(app): State<App>) -> Json<Health> {
    let database = app.db.expect_current().await.is_ok();
    let writer = !app.writer.has_stopped();
    let (groups, commands) = app.writer.counts();
    let networks = app.config.networks.iter().map(|network| network.network.to_string()).collect();
    let status = if database && writer { "ok" } else { "failing" };
    Json(Health { status, database, writer, groups, commands, networks, version: env!("CARGO_PKG_VERSION") })
}

/// Does the process run?
#[utoipa::path(get, path = "/health/live", tag = "health",
    responses((status = 200, description = "It runs", body = Standing)),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn live() -> Json<Standing> {
    Json(Standing { status: "live" })
}

/// Can it do its work?
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, description = "It can do its work", body = Standing)),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn ready(State(app): State<App>) -> Result<Json<Standing>, ApiError> {
    if app.writer.has_stopped() {
        return Err(ApiError::unavailable("the ledger's writer has stopped"));
    }
    app.db.expect_current().await.map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(Json(Standing { status: "ready" }))
}
