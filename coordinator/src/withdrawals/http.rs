//! Withdrawals over HTTP: request, list, show, approve, cancel.
//!
//! Each handler parses, finds what the caller may see (a foreign withdrawal is a missing one) and calls the step;
//! changes happen in the writer's commit, requests under an idempotency key.

use super::approval;
use super::attempts::{self, Attempt};
use super::request::{self, Asked, Requester};
use super::state::State as Stands;
use super::store::{self, Filter, Transition, Withdrawal};
use crate::api::auth::user_named;
use crate::api::idempotency::once;
use crate::api::{ApiError, Body, Once, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::db::Db;
use crate::ledger::Assets;
use crate::people::{Caller, Permission, Reach};
use airlock_shared::Network;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of a page, and the most one may ask for.
const PAGE: (i64, i64) = (100, 500);

/// `/v1/withdrawals` and below.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v1/withdrawals", post(create).get(list))
        .route("/v1/withdrawals/{id}", get(show))
        .route("/v1/withdrawals/{id}/approve", post(approve))
        .route("/v1/withdrawals/{id}/cancel", post(cancel))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    /// For partners and operators: whose money.
    user: Option<String>,
    network: String,
    asset: String,
    to: String,
    amount: String,
    memo: Option<String>,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    by: By,
    once_body: Once<Create>,
) -> Result<Response, ApiError> {
    let Once { body, ticket } = once_body;
    let reach = caller.may(Permission::RequestWithdrawal)?;
    let (user, partner) = user_named(&app, &reach, body.user.as_deref()).await?;
    let asked =
        Asked { network: body.network, asset: body.asset, to: body.to, amount: body.amount, memo: body.memo };
    let requester = Requester { partner, user, by };
    let audience = Audience::of(&caller);
    let settings = app.clone();
    once(&app, &caller, ticket, StatusCode::CREATED, move |unit| {
        Box::pin(async move {
            // Inside, so that a repeat gets the first answer although the settings have changed since.
            let terms = request::check(&settings.config, &asked)?;
            let row = request::request(unit, &requester, terms).await?;
            shown(&settings.config.assets, &row, audience)
        })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    user: Option<String>,
    state: Option<String>,
    network: Option<String>,
    limit: Option<i64>,
    before: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<List>,
) -> Result<Json<Value>, ApiError> {
    let (filter, audience) = (filter(caller.may(Permission::SeeMoney)?, query)?, Audience::of(&caller));
    let mut db = app.db.reader().await?;
    let rows = store::list(&mut db, &filter).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == filter.limit);
    let next = rows.last().filter(|_| full).map(|last| format!("{}.{}", last.made_at, last.id));
    let rows =
        rows.iter().map(|row| shown(&app.config.assets, row, audience)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "withdrawals": rows, "next": next })))
}

fn filter(reach: Reach, query: List) -> Result<Filter, ApiError> {
    let bad = |what: &str| ApiError::bad_request("bad_query", what.to_owned());
    let (partner, own) = match reach {
        Reach::All => (String::new(), None),
        Reach::Partner(id) => (id, None),
        Reach::User { id, partner } => (partner, Some(id)),
    };
    let state = query.state.unwrap_or_default();
    if !state.is_empty() && Stands::from_name(&state).is_none() {
        return Err(bad("state: no such state"));
    }
    let network = query.network.unwrap_or_default();
    if !network.is_empty() && network.parse::<Network>().is_err() {
        return Err(bad("network: expected a CAIP-2 id"));
    }
    let limit = query.limit.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(bad("limit: 1 to 500"));
    }
    let before = match query.before.as_deref() {
        None => None,
        Some(cursor) => {
            let (at, id) = cursor.split_once('.').ok_or_else(|| bad("before: expected a page's next"))?;
            Some((at.parse().map_err(|_| bad("before: expected a page's next"))?, id.to_owned()))
        }
    };
    Ok(Filter { partner, user: own.or(query.user).unwrap_or_default(), state, network, before, limit })
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let mut db = app.db.reader().await?;
    let found = visible(&mut db, &caller.may(Permission::SeeMoney)?, &id).await?;
    Ok(Json(with_history(&app, &mut db, &found, Audience::of(&caller)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    revision: i64,
}

async fn approve(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Approve>,
) -> Result<Json<Value>, ApiError> {
    let reach = caller.may(Permission::ApproveWithdrawal)?;
    let (approver, wanted) = (caller.id().to_owned(), id.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let found = visible(unit.db(), &reach, &wanted).await?;
                approval::approve(unit, &found, body.revision, &approver, &by).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    show(State(app), caller, Path(id)).await
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let reach = caller.may(Permission::RequestWithdrawal)?;
    let wanted = id.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let found = visible(unit.db(), &reach, &wanted).await?;
                approval::cancel(unit, &found, &by).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    show(State(app), caller, Path(id)).await
}

/// The withdrawal, if it is within reach.
async fn visible(db: &mut Db, reach: &Reach, id: &str) -> Result<Withdrawal, ApiError> {
    let found = store::find(db, id).await?.filter(|row| reach.covers(&row.user, &row.partner));
    found.ok_or_else(|| ApiError::not_found("withdrawal"))
}

/// Who reads an answer. Item ids are a sequence over all partners, and batches and operators are the house's
/// own, so only the house sees them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Audience {
    House,
    Partner,
}

impl Audience {
    const fn of(caller: &Caller) -> Self {
        if caller.is_house() { Self::House } else { Self::Partner }
    }
}

async fn with_history(
    app: &App,
    db: &mut Db,
    row: &Withdrawal,
    audience: Audience,
) -> Result<Value, ApiError> {
    let mut value = shown(&app.config.assets, row, audience)?;
    let history = store::history(db, &row.id).await?;
    let history: Vec<Value> = history.iter().map(|step| shown_transition(step, audience)).collect();
    let attempts = attempts::of_withdrawal(db, &row.id).await?;
    let attempts: Vec<Value> = attempts.iter().map(|attempt| shown_attempt(attempt, audience)).collect();
    value["history"] = json!(history);
    value["attempts"] = json!(attempts);
    Ok(value)
}

fn shown(assets: &Assets, row: &Withdrawal, audience: Audience) -> Result<Value, ApiError> {
    let decimals = assets.decimals(&row.asset).map_err(ApiError::internal)?;
    let mut value = json!({
        "id": row.id, "state": row.state.name(),
        "revision": row.revision, "user": row.user, "partner": row.partner, "requested_by": row.requested_by,
        "network": row.network, "asset": row.asset, "to": row.destination.to_string(),
        "amount": row.amount.to_decimal(decimals), "fee": row.fee.to_decimal(decimals),
        "amount_base": row.amount_base, "memo": row.memo,
        "made_at": moment(row.made_at), "changed_at": moment(row.changed_at),
    });
    if audience == Audience::House {
        value["item_id"] = json!(row.item_id.number().to_string());
        value["batch_id"] = json!(row.batch_id);
    }
    Ok(value)
}

fn shown_transition(step: &Transition, audience: Audience) -> Value {
    let mut value = json!({
        "number": step.number, "from": step.from, "to": step.to, "event": step.event,
        "at": moment(step.at_ms),
    });
    let by_operator = step.who.starts_with("person:");
    match audience {
        Audience::House => {
            value["who"] = json!(step.who);
            value["why"] = json!(step.why);
        }
        Audience::Partner => value["who"] = json!(if by_operator { "operator" } else { &step.who }),
    }
    value
}

fn shown_attempt(attempt: &Attempt, audience: Audience) -> Value {
    let mut value = json!({
        "id": attempt.id, "state": attempt.state.name(),
        "source": attempt.source.to_string(), "tx_id": attempt.shown_tx_id(),
        "included_height": attempt.included_height, "fee_base": attempt.fee_base,
        "made_at": moment(attempt.made_at), "changed_at": moment(attempt.changed_at),
    });
    if audience == Audience::House {
        value["batch_id"] = json!(attempt.batch_id);
    }
    value
}
