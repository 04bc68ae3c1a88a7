//! The routes of API keys, for administrators with a fresh second factor: make, list, rotate, end.
//!
//! What must stay true: a secret stands in the answer that makes it and in no other; a foreign key is a missing one.

use super::{ApiKey, KeyError, MadeKey, Wanted, create, end, rotate, store};
use crate::api::page::{self, Cursor, Limit};
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::people::{Caller, Permission, Reach, Scope};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/keys`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(make, list)).routes(routes!(rotate_key)).routes(routes!(end_key))
}

/// What a key may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ScopeName {
    Read,
    Transfer,
    Withdraw,
    Deposit,
    ManageUsers,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Transfer => Self::Transfer,
            ScopeName::Withdraw => Self::Withdraw,
            ScopeName::Deposit => Self::Deposit,
            ScopeName::ManageUsers => Self::ManageUsers,
        }
    }
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Transfer => Self::Transfer,
            Scope::Withdraw => Self::Withdraw,
            Scope::Deposit => Self::Deposit,
            Scope::ManageUsers => Self::ManageUsers,
        }
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct KeyShown {
    /// `ak_` and 32 hex digits.
    id: String,
    /// The partner's id.
    partner: String,
    label: String,
    scopes: Vec<ScopeName>,
    /// CIDR networks from which it may be used; empty: from anywhere.
    networks: Vec<String>,
    /// `active`, `ending` (rotated, still taken until `ends_at`), `expired` or `ended`.
    state: &'static str,
    /// The key whose place it took.
    replaces: Option<String>,
    made_by: String,
    made_at: String,
    expires_at: Option<String>,
    ends_at: Option<String>,
    /// To the minute.
    last_used_at: Option<String>,
}

fn shown(key: &ApiKey, now: i64) -> KeyShown {
    let state = match (key.ends_at, key.expires_at) {
        (Some(at), _) if at <= now => "ended",
        (_, Some(at)) if at <= now => "expired",
        (Some(_), _) => "ending",
        (None, _) => "active",
    };
    KeyShown {
        id: key.id.clone(),
        partner: key.partner.clone(),
        label: key.label.clone(),
        scopes: key.scopes.iter().map(|scope| (*scope).into()).collect(),
        networks: key.networks.iter().map(ToString::to_string).collect(),
        state,
        replaces: key.replaces.clone(),
        made_by: key.made_by.clone(),
        made_at: moment(key.made_at),
        expires_at: key.expires_at.map(moment),
        ends_at: key.ends_at.map(moment),
        last_used_at: key.last_used_at.map(moment),
    }
}

/// What the audit log says of a key.
pub(super) fn shown_in_audit(key: &ApiKey) -> Value {
    json!({
        "partner": key.partner, "label": key.label,
        "scopes": key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        "networks": key.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "replaces": key.replaces, "expires_at": key.expires_at.map(moment), "ends_at": key.ends_at.map(moment),
    })
}

/// A new key. Its secret is in this answer and nowhere else.
#[derive(Serialize, ToSchema)]
struct KeyMade {
    #[serde(flatten)]
    key: KeyShown,
    /// 64 lower-case hex digits: the 32 bytes that requests are signed with. Keep it now; it is not shown again.
    secret: String,
}

fn made(app: &App, made: &MadeKey) -> Response {
    let answer = KeyMade { key: shown(&made.key, app.clock.now()), secret: made.secret.to_string() };
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// A key that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyWanted {
    /// The partner's id; a partner's own administrators may leave it out.
    partner: Option<String>,
    /// 1 to 64 characters.
    label: String,
    scopes: Vec<ScopeName>,
    /// CIDR networks or single addresses from which it may be used; needed with the scope `withdraw`.
    #[serde(default)]
    networks: Vec<String>,
    /// Seconds until it expires; without it, it does not.
    lifetime_s: Option<u32>,
}

/// The partner that a caller means.
fn partner_named(reach: &Reach, named: Option<&str>) -> Result<String, ApiError> {
    match (reach, named) {
        (_, Some(named)) => Ok(named.to_owned()),
        (Reach::Partner(own), None) => Ok(own.clone()),
        _ => Err(ApiError::new(Code::PartnerNeeded, "name the partner")),
    }
}

/// Networks as people write them: CIDR without host bits, or one address.
pub fn networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    let one = |text: &String| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) if network.trunc() == network => Ok(network),
            Ok(network) => Err(format!("{text} has bits behind its length; {} is meant?", network.trunc())),
            Err(_) => {
                let found: String = text.chars().take(64).collect();
                Err(format!("{found:?} is no CIDR network such as 192.0.2.0/24 or 2001:db8::/32"))
            }
        }
    };
    texts.iter().map(one).collect()
}

/// Makes an API key.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys",
    request_body = KeyWanted,
    responses((status = 201, description = "Made; the secret is shown this once.", body = KeyMade)),
    extensions(("x-airlock-permission" = json!("manage_keys"))),
)]
async fn make(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<KeyWanted>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManageKeys)?;
    let lifetime_ms = body.lifetime_s.map(|lifetime| i64::from(lifetime).saturating_mul(1000));
    let wanted = Wanted {
        partner: partner_named(&reach, body.partner.as_deref())?,
        label: body.label,
        scopes: body.scopes.into_iter().map(Scope::from).collect(),
        networks: networks(&body.networks).map_err(|why| ApiError::new(Code::BadNetwork, why))?,
        expires_at: lifetime_ms.map(|lifetime| app.clock.now().saturating_add(lifetime)),
    };
    Ok(made(&app, &create(&app, wanted, &reach, &by).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only this partner's.
    partner: Option<String>,
    /// The `next` of the page before.
    before: Option<Cursor>,
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
}

/// A page of keys, newest first.
#[derive(Serialize, ToSchema)]
struct Keys {
    keys: Vec<KeyShown>,
    /// What leads to the next page; null at the end.
    next: Option<Cursor>,
}

/// Lists API keys, without their secrets.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys",
    params(Asked),
    responses((status = 200, description = "Newest first.", body = Keys)),
    extensions(("x-airlock-permission" = json!("manage_keys"))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(asked): Query<Asked>,
) -> Result<Json<Keys>, ApiError> {
    let partner = match (caller.may(Permission::ManageKeys)?, asked.partner) {
        (Reach::All, partner) => partner.unwrap_or_default(),
        (reach, Some(named)) if !reach.covers_partner(&named) => return Err(ApiError::not_found("partner")),
        (Reach::Partner(own), _) => own,
        (Reach::User { .. }, _) => return Err(ApiError::not_found("partner")),
    };
    audit::read(&app, &by, Action::KeysRead, &partner, Value::Null).await?;
    let before = asked.before.as_ref().map_or((i64::MAX, ""), Cursor::key);
    let mut keys = {
        let mut db = app.db.reader().await?;
        store::page(&mut db, &partner, before, asked.limit.and_one()).await?
    };
    let next = page::cut(&mut keys, asked.limit, |key| (key.made_at, key.id.as_str()));
    let now = app.clock.now();
    Ok(Json(Keys { keys: keys.iter().map(|key| shown(key, now)).collect(), next }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// Seconds for which the old key is taken beside the new one, at most 30 days. 0 ends it at once.
    #[schema(maximum = 2_592_000)]
    overlap_s: u32,
}

/// Gives a key a successor with the same rights and a secret of its own.
#[utoipa::path(
    post, path = "/v1/keys/{id}/rotate", tag = "keys",
    params(("id" = String, Path, description = "The old key's id.")),
    request_body = Rotation,
    responses((status = 201, description = "The new key; its secret is shown this once.", body = KeyMade)),
    extensions(("x-airlock-permission" = json!("manage_keys"))),
)]
async fn rotate_key(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Rotation>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManageKeys)?;
    let overlap = Duration::from_secs(body.overlap_s.into());
    Ok(made(&app, &rotate(&app, &id, overlap, &reach, &by).await?))
}

/// Ends a key at once.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, description = "Ended.", body = KeyShown)),
    extensions(("x-airlock-permission" = json!("manage_keys"))),
)]
async fn end_key(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<KeyShown>, ApiError> {
    let reach = caller.may(Permission::ManageKeys)?;
    let key = end(&app, &id, &reach, &by).await?;
    Ok(Json(shown(&key, app.clock.now())))
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let text = error.to_string();
        match error {
            KeyError::NoPartner { .. } => Self::not_found("partner"),
            KeyError::NotFound { .. } => Self::not_found("key"),
            KeyError::House => Self::new(Code::HouseHasNoKeys, text),
            KeyError::InactivePartner { .. } => Self::new(Code::WrongState, text),
            KeyError::Ended { .. } => Self::new(Code::WrongState, text),
            KeyError::TooMany => Self::new(Code::TooManyKeys, text),
            KeyError::NoScopes => Self::new(Code::ScopeNeeded, text),
            KeyError::Label => Self::new(Code::BadLabel, text),
            KeyError::Networks => Self::new(Code::BadNetwork, text),
            KeyError::WithdrawFromAnywhere => Self::new(Code::NetworksNeeded, text),
            KeyError::Expiry | KeyError::Overlap => Self::new(Code::BadLifetime, text),
            KeyError::Seal(_) => Self::internal(text),
            KeyError::Ledger(error) => error.into(),
        }
    }
}
