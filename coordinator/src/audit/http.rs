//! The audit log at the rim: who acts in a request, the rows of what was refused, and `GET /v1/audit`.
//!
//! Handlers take [`By`] beside `Caller`; routes without a credential take [`Stranger`]. What must stay true: a refusal
//! never waits for its row, and nobody can fill the log with refusals faster than [`Watch`] allows; a partner's people see the
//! rows of their own tenant only.

use super::chain::Entry;
use super::store::{self, Filter};
use super::{Action, By};
use crate::api::texts::{Moment, one_of};
use crate::api::{ApiError, Code, Peer, Query, RequestId, moment};
use crate::app::App;
use crate::clock::UnixMillis;
use crate::people::{Caller, Permission, Reach};
use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl FromRequestParts<App> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Peer(address) = Peer::from_request_parts(parts, app).await?;
        let RequestId(id) = RequestId::from_request_parts(parts, app).await?;
        Ok(Self::caller(&caller, address, &id))
    }
}

/// Whoever makes a request that asks for no credential, such as a log-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranger(pub By);

impl FromRequestParts<App> for Stranger {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Peer(address) = Peer::from_request_parts(parts, app).await?;
        let RequestId(id) = RequestId::from_request_parts(parts, app).await?;
        Ok(Self(By::nobody(address, &id)))
    }
}

/// Writes the row of a look at other people's money, before the answer leaves, if it is one: staff who look at users. A user's
/// own money, and what a partner's system reads about its users, leave none.
pub async fn money_read(
    app: &App,
    caller: &Caller,
    by: &By,
    subject: &str,
    asked: Value,
) -> Result<(), ApiError> {
    if matches!(caller, Caller::Person { .. }) {
        super::read(app, by, Action::MoneyRead, subject, asked).await?;
    }
    Ok(())
}

/// Rows of refusals from one source in a minute, and from all.
const REFUSALS_A_MINUTE: (u32, u32) = (20, 300);

/// A place in a request where the credential's check notes who it found, for the row of a refusal.
#[derive(Clone, Default, Debug)]
struct Seen(Arc<OnceLock<Caller>>);

/// Notes who makes the request. Called where a caller is made of a credential.
pub fn seen(parts: &Parts, caller: &Caller) {
    if let Some(Seen(place)) = parts.extensions.get() {
        // Noted before, of the same request: the same caller.
        let _ = place.set(caller.clone());
    }
}

/// What [`watch`] needs.
#[derive(Clone, Debug)]
pub struct Watch {
    app: App,
    window: Arc<Mutex<Window>>,
}

#[derive(Default, Debug)]
struct Window {
    minute: UnixMillis,
    all: u32,
    by_source: HashMap<String, u32>,
    left_out: u64,
}

impl Watch {
    /// Watches the routes of this program.
    pub fn new(app: App) -> Self {
        Self { app, window: Arc::default() }
    }

    /// May one more refusal of this source be written? Then also how many were left out since the last one.
    fn admits(&self, source: &str) -> Option<u64> {
        let minute = self.app.clock.now().div_euclid(60_000);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.minute != minute {
            *window = Window { minute, left_out: window.left_out, ..Window::default() };
        }
        let (of_one, of_all) = REFUSALS_A_MINUTE;
        let seen = window.by_source.get(source).copied().unwrap_or(0);
        if seen >= of_one || window.all >= of_all {
            window.left_out += 1;
            return None;
        }
        window.all += 1;
        window.by_source.insert(source.to_owned(), seen + 1);
        Some(std::mem::take(&mut window.left_out))
    }
}

/// Around every route, inside the rim: what was forbidden, and credentials that were refused, leave a row.
pub async fn watch(State(watch): State<Watch>, mut request: Request, next: Next) -> Response {
    let seen = Seen::default();
    request.extensions_mut().insert(seen.clone());
    let presented = request.headers().contains_key(AUTHORIZATION);
    let route = format!("{} {}", request.method(), request.uri().path());
    let (mut parts, body) = request.into_parts();
    let address =
        Peer::from_request_parts(&mut parts, &watch.app).await.ok().and_then(|Peer(address)| address);
    let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(Request::from_parts(parts, body)).await;
    let action = match response.status() {
        StatusCode::FORBIDDEN => Action::Forbidden,
        StatusCode::UNAUTHORIZED if presented => Action::CredentialRefused,
        _ => return response,
    };
    let code = response.extensions().get::<ApiError>().map_or("refused", ApiError::code);
    // The console asks for the second factor when it is told to; that is no attempt.
    if code != "step_up_needed" {
        let by = match seen.0.get() {
            Some(caller) => By::caller(caller, address, &id),
            None => By::nobody(address, &id),
        };
        note(watch, by, action, route, code.to_owned());
    }
    response
}

fn note(watch: Watch, by: By, action: Action, route: String, code: String) {
    let source = if by.who == "nobody" { &by.address } else { &by.who };
    let Some(left_out) = watch.admits(source) else { return };
    metrics::counter!("airlock_audit_refusals_total", "action" => action.name()).increment(1);
    tokio::spawn(async move {
        let mut after = json!({ "code": code });
        if left_out > 0 {
            after["refusals_left_out_before"] = json!(left_out);
        }
        if let Err(error) = super::read(&watch.app, &by, action, &route, after).await {
            tracing::error!(%error, "audit: the row of a refusal");
        }
    });
}

/// `/v1/audit`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list))
}

/// Rows of a page, and the most one may ask for.
const PAGE: (i64, i64) = (100, 500);

#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// By this one, such as `person:alice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    /// Of this kind, such as `withdrawal.approve`. Rows of transfers (`transfer.make`) are listed only if they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(schema_with = action_names)]
    action: Option<String>,
    /// About this, such as a withdrawal's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Made at or after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Moment>)]
    from: Option<String>,
    /// Made before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Moment>)]
    to: Option<String>,
    /// 1 to 500; 100 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// A page's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^(0|[1-9][0-9]{0,17})$")]
    cursor: Option<String>,
}

fn action_names() -> utoipa::openapi::schema::Object {
    one_of(Action::ALL.iter().map(|action| action.name()))
}

/// One page of the audit log, newest first.
#[derive(Serialize, ToSchema)]
struct AuditPage {
    rows: Vec<AuditRow>,
    /// The cursor of the next page, if there may be one.
    next: Option<String>,
}

/// Who did what.
#[derive(Serialize, ToSchema)]
struct AuditRow {
    /// Its number in the log, which has no gap. For the house only: it counts everybody's actions.
    number: Option<String>,
    #[schema(value_type = Moment)]
    made_at: String,
    /// `person:…`, `user:…`, `key:…`, `system:…`, `command line` or `nobody`.
    who: String,
    /// The partner whose they are.
    tenant: String,
    /// From where; empty if over no network.
    address: String,
    /// In which request; empty if in none.
    request_id: String,
    action: String,
    /// The id of what it was done to.
    subject: String,
    /// What it was, as far as it changed.
    before: Option<Value>,
    /// What it is now.
    after: Option<Value>,
}

/// The audit log
///
/// Who did what, from where, in which request, newest first. Looking at it is itself a row. A partner's auditors see what their own
/// people, users and keys did.
#[utoipa::path(get, path = "/v1/audit", tag = "operations", params(Wanted),
    responses((status = 200, description = "A page of rows", body = AuditPage)),
    extensions(("x-airlock-permission" = json!("see_audit"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(wanted): Query<Wanted>,
) -> Result<Json<AuditPage>, ApiError> {
    let reach = caller.may(Permission::SeeAudit)?;
    let filter = wanted.filter(&reach)?;
    let asked = serde_json::to_value(&wanted).map_err(ApiError::internal)?;
    super::read(&app, &by, Action::AuditRead, "", asked).await?;
    let rows = store::list(&mut *app.db.reader().await?, &filter).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == filter.limit);
    let next = rows.last().filter(|_| full).map(|row| row.number.to_string());
    let rows = rows.into_iter().map(|row| shown(row, &reach)).collect();
    Ok(Json(AuditPage { rows, next }))
}

impl Wanted {
    fn filter(&self, reach: &Reach) -> Result<Filter, ApiError> {
        let bad = |what: &str| ApiError::new(Code::BadQuery, what);
        let at = |text: &Option<String>, what: &str| {
            let moment = text.as_deref().map(str::parse::<jiff::Timestamp>).transpose();
            moment.map(|moment| moment.map(jiff::Timestamp::as_millisecond)).map_err(|_| bad(what))
        };
        let action = self
            .action
            .as_deref()
            .map(|name| Action::from_name(name).ok_or_else(|| bad("action: no such action")));
        let limit = self.limit.unwrap_or(PAGE.0);
        if !(1..=PAGE.1).contains(&limit) {
            return Err(bad("limit: 1 to 500"));
        }
        let below = self.cursor.as_deref().map(str::parse::<i64>).transpose();
        let tenant = match reach {
            Reach::All => None,
            Reach::Partner(id) | Reach::User { partner: id, .. } => Some(id.clone()),
        };
        Ok(Filter {
            tenant,
            who: self.who.clone(),
            action: action.transpose()?,
            subject: self.subject.clone(),
            from: at(&self.from, "from: expected an RFC 3339 moment")?,
            to: at(&self.to, "to: expected an RFC 3339 moment")?,
            below: below.map_err(|_| bad("cursor: expected a page's next"))?,
            limit,
        })
    }
}

fn shown(row: Entry, reach: &Reach) -> AuditRow {
    // What is no JSON any more was altered; it is shown as it stands.
    let json = |text: String| match serde_json::from_str(&text) {
        _ if text.is_empty() => None,
        Ok(value) => Some(value),
        Err(_) => Some(Value::String(text)),
    };
    AuditRow {
        number: matches!(reach, Reach::All).then(|| row.number.to_string()),
        made_at: moment(row.made_at),
        who: row.who,
        tenant: row.tenant,
        address: row.address,
        request_id: row.request_id,
        action: row.action,
        subject: row.subject,
        before: json(row.before),
        after: json(row.after),
    }
}
