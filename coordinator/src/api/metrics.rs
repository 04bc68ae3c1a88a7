//! Figures for Prometheus: `GET /metrics`, to the networks in `metrics.allow` only.
//!
//! The rim reports each answer with `answered`; capabilities count with `metrics::counter!`; what lies in the database or in
//! queues is read when the page is asked for. `docs/runbook.md` lists every name, and a test compares. What must stay true:
//! no label holds anything that a caller chose (routes are templates, unknown ones are `none`), a secret, or an id of money
//! or people, so the number of series is bounded by the program and its settings.

use super::address;
use super::{ApiError, Peer};
use crate::app::App;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};
use metrics::{Counter, Histogram, Label, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Upper ends of the buckets of latencies, in seconds.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// How often figures gathered since are put into their buckets, page or no page.
const UPKEEP: Duration = Duration::from_secs(5);

/// Every figure with its kind, labels and meaning; the runbook's table is made of this.
pub const FIGURES: &[(&str, &str, &str, &str)] = &[
    ("airlock_http_requests_total", "counter", "method, route, status", "Answers."),
    (
        "airlock_http_request_seconds",
        "histogram",
        "method, route",
        "Time from a request's head to its answer's head.",
    ),
    ("airlock_http_connections", "gauge", "", "Open connections."),
    (
        "airlock_http_connections_refused_total",
        "counter",
        "why",
        "Connections closed at once: `address` (too many of one), `handshake`.",
    ),
    (
        "airlock_rate_limited_total",
        "counter",
        "limit",
        "Requests answered 429, by `address`, `login`, `key`, `person`.",
    ),
    ("airlock_rate_limit_slots", "gauge", "", "Slots of rate limits in use."),
    (
        "airlock_signed_requests_total",
        "counter",
        "outcome",
        "Signed requests, `taken` or the code of their refusal.",
    ),
    ("airlock_writer_groups_total", "counter", "", "Commits of the ledger's writer."),
    ("airlock_writer_commands_total", "counter", "", "Commands in them."),
    ("airlock_writer_waiting", "gauge", "", "Commands that wait for the writer."),
    (
        "airlock_writer_group_seconds",
        "histogram",
        "",
        "From the begin of a group's transaction to its commit.",
    ),
    (
        "airlock_writer_stopped",
        "gauge",
        "",
        "1 once a commit has failed: restart after checking the database.",
    ),
    (
        "airlock_db_up",
        "gauge",
        "",
        "1 if the database answered for this page; else what it would tell is that of an earlier page.",
    ),
    ("airlock_db_readers", "gauge", "state", "Read connections, `busy` and `idle`."),
    ("airlock_outbox_tasks", "gauge", "topic, state", "Effects `waiting` or `dead`."),
    ("airlock_outbox_age_seconds", "gauge", "topic", "Since when the oldest waiting effect is due."),
    ("airlock_withdrawals", "gauge", "state", "Withdrawals that are not at their end."),
    (
        "airlock_deposits",
        "gauge",
        "network, state",
        "Deposits that are not at their end, and those in suspense.",
    ),
    ("airlock_alerts_open", "gauge", "kind", "Open alerts."),
    ("airlock_chain_final_height", "gauge", "network", "How far the final chain has been read."),
    ("airlock_chain_head_age_seconds", "gauge", "network", "Since when nothing new has been read."),
    (
        "airlock_chain_halted",
        "gauge",
        "network",
        "1 while reading is halted for a reason that needs a person.",
    ),
    ("airlock_provider_up", "gauge", "network, provider", "1 if the provider answered when last asked."),
    ("airlock_provider_failures", "gauge", "network, provider", "Failures in a row."),
    ("airlock_audit_unlinked_rows", "gauge", "", "Audit rows that no signed link covers yet."),
    ("airlock_transfers_total", "counter", "kind", "Transfers inside the ledger."),
    ("airlock_login_steps_total", "counter", "step, outcome", "Steps of logging in, and how they ended."),
    ("airlock_audit_refusals_total", "counter", "action", "Refusals that left an audit row."),
    ("airlock_audit_links_total", "counter", "", "Signed links over audit rows."),
    ("airlock_books_sound", "gauge", "", "0 once the books disagree: what leaves is frozen."),
    ("airlock_build_info", "gauge", "version", "Always 1."),
];

/// `/metrics`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(page))
}

/// What one series of answers is counted with.
struct Series {
    count: Counter,
    latency: Histogram,
}

type ByStatus = HashMap<(&'static str, u16), Series>;

/// Handles by route, so that an ordinary answer looks two words up and formats none.
static ANSWERED: LazyLock<RwLock<HashMap<String, ByStatus>>> = LazyLock::new(RwLock::default);

/// The page's source. Made once per process: figures are the process's.
fn source() -> Option<&'static PrometheusHandle> {
    static HANDLE: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS).ok()?;
        // An error means that somebody else has installed one: then this process shows no page.
        let handle = builder.install_recorder().ok()?;
        describe();
        Some(handle)
    });
    HANDLE.as_ref()
}

fn describe() {
    for (name, kind, _, what) in FIGURES {
        match *kind {
            "counter" => metrics::describe_counter!(*name, *what),
            "histogram" => metrics::describe_histogram!(*name, *what),
            _ => metrics::describe_gauge!(*name, *what),
        }
    }
}

/// Starts counting. Called before the first request; a second call does nothing.
pub fn start() {
    if source().is_some() {
        gauge!("airlock_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    }
}

/// Puts figures into their buckets until told to stop, so that memory stays small though nobody reads the page.
pub async fn run(mut stop: tokio::sync::watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(UPKEEP) => if let Some(source) = source() { source.run_upkeep() },
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// Counts one answer.
pub(super) fn answered(method: &Method, route: Option<&str>, status: u16, took: Duration) {
    let (verb, route) = (verb(method), route.unwrap_or("none"));
    let report = |series: &Series| {
        series.count.increment(1);
        series.latency.record(took.as_secs_f64());
    };
    let known = ANSWERED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(series) = known.get(route).and_then(|by_status| by_status.get(&(verb, status))) {
        return report(series);
    }
    drop(known);
    let mut known = ANSWERED.write().unwrap_or_else(PoisonError::into_inner);
    let by_status = known.entry(route.to_owned()).or_default();
    let series = by_status.entry((verb, status)).or_insert_with(|| {
        let asked = vec![Label::new("method", verb), Label::new("route", route.to_owned())];
        let latency = histogram!("airlock_http_request_seconds", asked.clone());
        let answered = [asked, vec![Label::new("status", status.to_string())]].concat();
        Series { count: counter!("airlock_http_requests_total", answered), latency }
    });
    report(series);
}

/// A method's name out of a closed list: callers may send any word.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// May this request see figures and details? Only from `metrics.allow`, and never through a proxy that is not configured:
/// its address would stand for everybody's.
pub(super) fn is_reader(app: &App, peer: Peer, connected: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let (Some(peer), Some(connected)) = (peer.0, connected) else { return false };
    address::within(peer, &app.config.metrics.allow)
        && !address::forwarded_by_a_stranger(connected.ip(), headers, &app.config.server)
}

/// Figures for Prometheus
///
/// Text exposition format. Only to the networks in the setting `metrics.allow`.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "The figures", body = String, content_type = "text/plain")),
    extensions(("x-airlock-permission" = json!("none"))))]
async fn page(
    State(app): State<App>,
    peer: Peer,
    connected: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let connected = connected.map(|axum::Extension(ConnectInfo(address))| address);
    if !is_reader(&app, peer, connected, &headers) {
        return Err(ApiError::forbidden("figures are not shown to this address"));
    }
    let source = source().ok_or_else(|| ApiError::unavailable("another recorder of figures is installed"))?;
    super::figures::gather(&app).await;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, source.render()).into_response())
}
