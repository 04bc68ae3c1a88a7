//! Is it alive, and can it do its work? For people, load balancers and scripts; no credential needed.
//!
//! `live` answers as long as the process runs; `ready` needs the database, its migrations and the writer; `/health` and
//! `/health/networks` tell part by part. What must stay true: they ask no provider, only what is known already, so nobody
//! can make us call out; hosts and error texts are shown to the networks in `metrics.allow` only.

use super::texts::NetworkName;
use super::{ApiError, Peer, metrics};
use crate::app::App;
use crate::chain::Providers;
use crate::deposits::store::{self, Head};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A final chain that has not moved for so long is stale. Ethereum's moves every 6.4 minutes when all is well.
const STALE: Duration = Duration::from_secs(20 * 60);
/// The longest that an answer waits for the database.
const DATABASE_MAX: Duration = Duration::from_secs(3);

/// `/health`, `/health/live`, `/health/ready`, `/health/networks`.
pub fn router() -> OpenApiRouter<App> {
    let router = OpenApiRouter::default().routes(routes!(health)).routes(routes!(networks));
    router.routes(routes!(live)).routes(routes!(ready))
}

/// How the coordinator stands.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`; `degraded`: money is safe and the API works, but a network or all its providers are away; `failing`: the
    /// database or the writer is away.
    status: &'static str,
    /// Is the database there, with every migration?
    database: bool,
    /// Does the ledger's writer run?
    writer: bool,
    /// Commands that wait for the writer.
    waiting: usize,
    /// Commits so far.
    groups: u64,
    /// Commands in them.
    commands: u64,
    /// The configured networks.
    networks: Vec<NetworkHealth>,
    /// Of the program.
    version: &'static str,
}

/// How one network stands.
#[derive(Debug, Serialize, ToSchema)]
struct NetworkHealth {
    /// Its CAIP-2 id.
    #[schema(value_type = NetworkName)]
    network: String,
    /// `ok`, `starting` (nothing read yet), `stale` (nothing new for 20 minutes), `halted` (a person must look), or
    /// `no_provider` (none answers).
    status: &'static str,
    /// The last final block that was read.
    final_height: Option<i64>,
    /// Seconds since a final block was read last.
    age_s: Option<i64>,
    /// Why it is halted. To monitoring networks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
    /// Providers that answered when last asked.
    providers_up: usize,
    /// Providers configured.
    providers_configured: usize,
    /// Each provider. To monitoring networks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    providers: Option<Vec<ProviderHealth>>,
}

/// How one provider does.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderHealth {
    /// Its place in the settings and its host.
    provider: String,
    /// `up`, `failing`, `unproved` (not asked yet), or `refused` (another network or token).
    status: &'static str,
    /// Failures since its last answer.
    failures: u32,
    /// Seconds since its last answer.
    answered_before_s: Option<u64>,
    /// Its last error, if it has not answered since.
    last_error: Option<String>,
}

/// How the networks stand.
#[derive(Debug, Serialize, ToSchema)]
struct Networks {
    /// In the order of the settings.
    networks: Vec<NetworkHealth>,
}

/// One word on how it stands.
#[derive(Debug, Serialize, ToSchema)]
struct Standing {
    /// `live` or `ready`.
    status: &'static str,
}

type Connected = Option<Extension<ConnectInfo<SocketAddr>>>;

/// How the parts stand
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, description = "How the parts stand", body = Health)),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn health(
    State(app): State<App>,
    peer: Peer,
    connected: Connected,
    headers: HeaderMap,
) -> Json<Health> {
    let detailed = is_detailed(&app, peer, connected, &headers);
    let database = probe(&app).await.is_ok();
    let writer = !app.writer.has_stopped();
    let (groups, commands) = app.writer.counts();
    let heads = if database { heads(&app).await.unwrap_or_default() } else { Vec::new() };
    let networks = all_networks(&app, &heads, detailed);
    let status = match database && writer {
        false => "failing",
        true if networks.iter().all(|network| ["ok", "starting"].contains(&network.status)) => "ok",
        true => "degraded",
    };
    let (waiting, version) = (app.writer.waiting(), env!("CARGO_PKG_VERSION"));
    Json(Health { status, database, writer, waiting, groups, commands, networks, version })
}

/// How the networks and their providers stand
#[utoipa::path(get, path = "/health/networks", tag = "health",
    responses((status = 200, description = "How the networks stand", body = Networks)),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn networks(
    State(app): State<App>,
    peer: Peer,
    connected: Connected,
    headers: HeaderMap,
) -> Result<Json<Networks>, ApiError> {
    let detailed = is_detailed(&app, peer, connected, &headers);
    let heads = heads(&app).await?;
    Ok(Json(Networks { networks: all_networks(&app, &heads, detailed) }))
}

fn is_detailed(app: &App, peer: Peer, connected: Connected, headers: &HeaderMap) -> bool {
    let connected = connected.map(|Extension(ConnectInfo(address))| address);
    metrics::is_reader(app, peer, connected, headers)
}

/// Is the database there, with every migration? A database that keeps us waiting is not.
async fn probe(app: &App) -> Result<(), ApiError> {
    match tokio::time::timeout(DATABASE_MAX, app.db.expect_current()).await {
        Ok(current) => current.map_err(|error| ApiError::unavailable(error.to_string())),
        Err(_) => Err(ApiError::unavailable("the database does not answer")),
    }
}

async fn heads(app: &App) -> Result<Vec<Head>, ApiError> {
    let mut db = app.db.reader().await?;
    Ok(store::heads(&mut db).await?)
}

fn all_networks(app: &App, heads: &[Head], detailed: bool) -> Vec<NetworkHealth> {
    let now = app.clock.now();
    let of = |providers: &std::sync::Arc<Providers>| {
        let name = providers.network().to_string();
        let head = heads.iter().find(|head| head.network == name);
        network_health(providers, head, now, detailed)
    };
    app.chains.all().iter().map(of).collect()
}

fn network_health(providers: &Providers, head: Option<&Head>, now: i64, detailed: bool) -> NetworkHealth {
    let each: Vec<ProviderHealth> = providers.health().into_iter().map(provider_health).collect();
    let up = each.iter().filter(|provider| provider.status == "up").count();
    let asked = each.iter().any(|provider| provider.status != "unproved");
    let age_s = head.map(|head| now.saturating_sub(head.changed_at).max(0) / 1000);
    let stale = age_s.is_some_and(|age| age.unsigned_abs() > STALE.as_secs());
    let status = match head {
        Some(head) if !head.halted.is_empty() => "halted",
        _ if up == 0 && asked => "no_provider",
        Some(_) if stale => "stale",
        None => "starting",
        Some(_) => "ok",
    };
    NetworkHealth {
        network: providers.network().to_string(),
        status,
        final_height: head.map(|head| head.height),
        age_s,
        halted: head.map(|head| head.halted.clone()).filter(|why| detailed && !why.is_empty()),
        providers_up: up,
        providers_configured: each.len(),
        providers: detailed.then_some(each),
    }
}

fn provider_health(health: crate::chain::Health) -> ProviderHealth {
    let status = match (health.refused, health.failures, health.proved) {
        (true, _, _) => "refused",
        (_, 1.., _) => "failing",
        (_, _, true) => "up",
        (_, _, false) => "unproved",
    };
    ProviderHealth {
        provider: health.label,
        status,
        failures: health.failures,
        answered_before_s: health.answered_before.map(|ago| ago.as_secs()),
        last_error: health.last_error,
    }
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
    probe(&app).await?;
    Ok(Json(Standing { status: "ready" }))
}
