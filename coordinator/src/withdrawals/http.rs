//! Withdrawals over HTTP: request, list, show, approve, cancel.
//!
//! Each handler parses, finds what the caller may see (a foreign withdrawal is a missing one) and calls the step;
//! changes happen in the writer's commit, requests under an idempotency key.

use super::approval;
use super::attempts::{self, Attempt};
use super::request::{self, Asked, Requester};
use super::state::State as Stands;
use super::store::{self, Transition, Whose, Withdrawal};
use crate::api::idempotency::{IdempotencyKey, once};
use crate::api::page::{Cursor, Limit, cut};
use crate::api::texts::{AddressText, Amount, AmountBase, AssetName, Moment, NetworkName, Whole, one_of};
use crate::api::{ApiError, Body, Code, Once, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::audit::http::money_read;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::Assets;
use crate::people::store::is_active;
use crate::people::{Caller, Permission, Reach, Subject};
use airlock_shared::Network;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Above every id: they are lower-case hex.
const ABOVE_IDS: &str = "g";

/// `/v1/withdrawals` and below.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(cancel))
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WithdrawalWanted {
    /// For keys and operators: whose money. A user spends its own.
    user: Option<String>,
    /// Where it is paid.
    #[schema(value_type = NetworkName)]
    network: String,
    /// In what.
    #[schema(value_type = AssetName)]
    asset: String,
    /// To whom.
    #[schema(value_type = AddressText)]
    to: String,
    /// What the recipient gets; the fee comes on top.
    #[schema(value_type = Amount)]
    amount: String,
    /// Public words on the chain, TRON only: 1 to 255 bytes without control characters.
    #[schema(min_length = 1, max_length = 255)]
    memo: Option<String>,
    /// A quote whose fee shall hold.
    quote: Option<String>,
}

/// Ask for a withdrawal
///
/// Amount and fee are held at once; it is paid after people have approved it.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "withdrawals", params(IdempotencyKey),
    request_body = WithdrawalWanted,
    responses((status = 201, description = "The money is held", body = WithdrawalShown)),
    extensions(("x-airlock-permission" = json!("request_withdrawal"))))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    by: By,
    once_body: Once<WithdrawalWanted>,
) -> Result<Response, ApiError> {
    let Once { body, ticket } = once_body;
    let reach = caller.may(Permission::RequestWithdrawal)?;
    let WithdrawalWanted { user, network, asset, to, amount, memo, quote } = body;
    let (user, partner) = app.directory.named(&reach, user).await?;
    let asked = Asked { network, asset, to, amount, memo, quote };
    let requester = Requester { partner, user, by };
    let audience = Audience::of(&caller);
    let settings = app.clone();
    once(&app, &caller, ticket, StatusCode::CREATED, move |unit| {
        Box::pin(async move {
            // Inside, so that a repeat gets the first answer although the settings have changed since.
            if !is_active(unit.db(), &Subject::User(requester.user.clone())).await? {
                return Err(ApiError::new(Code::UserInactive, "whoever was deactivated asks for nothing"));
            }
            let terms = request::check(&settings.config, &asked)?;
            let row = request::request(unit, &requester, terms).await?;
            shown(&settings.config.assets, &row, audience)
        })
    })
    .await
}

/// Which withdrawals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct WithdrawalsQuery {
    /// For partners and staff: of this user.
    user: Option<String>,
    /// In this state.
    #[param(schema_with = state_names)]
    state: Option<String>,
    /// On this network.
    #[param(value_type = Option<NetworkName>)]
    network: Option<String>,
    /// Rows of a page.
    #[serde(default)]
    limit: Limit,
    /// A page's `next`, for the page behind it.
    before: Option<Cursor>,
}

fn state_names() -> utoipa::openapi::schema::Object {
    one_of(Stands::ALL.into_iter().map(Stands::name))
}

/// A page of withdrawals, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Withdrawals {
    withdrawals: Vec<WithdrawalShown>,
    /// Give it as `before` for the page behind this one; null at the end.
    next: Option<Cursor>,
}

/// Withdrawals
#[utoipa::path(get, path = "/v1/withdrawals", tag = "withdrawals", params(WithdrawalsQuery),
    responses((status = 200, description = "A page", body = Withdrawals)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<WithdrawalsQuery>,
) -> Result<Json<Withdrawals>, ApiError> {
    let (reach, audience) = (caller.may(Permission::SeeMoney)?, Audience::of(&caller));
    let bad = |what: &str| Err(ApiError::new(Code::BadQuery, what.to_owned()));
    let WithdrawalsQuery { user, state, network, limit, before } = query;
    if state.as_deref().is_some_and(|state| Stands::from_name(state).is_none()) {
        return bad("state: no such state");
    }
    if network.as_deref().is_some_and(|network| network.parse::<Network>().is_err()) {
        return bad("network: expected a CAIP-2 id");
    }
    if let Some(user) = &user
        && app.directory.within(&reach, user).await?.is_none()
    {
        return Err(ApiError::not_found("user"));
    }
    let whose = match (&reach, &user) {
        (_, Some(user)) | (Reach::User { id: user, .. }, None) => Whose::User(user),
        (Reach::Partner(partner), None) => Whose::Partner(partner),
        (Reach::All, None) => Whose::All,
    };
    let which = (state.as_deref().unwrap_or_default(), network.as_deref().unwrap_or_default());
    let place = before.as_ref().map_or((UnixMillis::MAX, ABOVE_IDS), Cursor::key);
    let mut db = app.db.reader().await?;
    let mut rows = store::newest_before(&mut db, whose, which, place, limit.and_one()).await?;
    drop(db);
    let next = cut(&mut rows, limit, |row| (row.made_at, &row.id));
    let subject = user.as_deref().unwrap_or(&by.tenant);
    money_read(
        &app,
        &caller,
        &by,
        subject,
        json!({ "read": "withdrawals", "state": state, "network": network }),
    )
    .await?;
    let shown = rows.iter().map(|row| shown(&app.config.assets, row, audience));
    Ok(Json(Withdrawals { withdrawals: shown.collect::<Result<_, _>>()?, next }))
}

/// One withdrawal
///
/// With every change of its state and every try to pay it.
#[utoipa::path(get, path = "/v1/withdrawals/{id}", tag = "withdrawals",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The withdrawal", body = WithdrawalWithHistory)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<WithdrawalWithHistory>, ApiError> {
    let mut db = app.db.reader().await?;
    let found = visible(&mut db, &caller.may(Permission::SeeMoney)?, &id).await?;
    let whole = with_history(&app, &mut db, &found, Audience::of(&caller)).await?;
    drop(db);
    money_read(&app, &caller, &by, &found.user, json!({ "read": "withdrawal", "id": found.id })).await?;
    Ok(Json(whole))
}

/// Which revision an approver has seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApprovalWanted {
    revision: i64,
}

/// Approve a withdrawal
///
/// Whoever asked for it cannot; a revision that is no longer the present one is refused.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/approve", tag = "withdrawals",
    params(("id" = String, Path, description = "Its id")), request_body = ApprovalWanted,
    responses((status = 200, description = "The withdrawal as it stands now", body = WithdrawalWithHistory)),
    extensions(("x-airlock-permission" = json!("approve_withdrawal"))))]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<ApprovalWanted>,
) -> Result<Json<WithdrawalWithHistory>, ApiError> {
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
    now_stands(&app, &caller, &id).await
}

/// Cancel a withdrawal
///
/// Until it is in a batch; the money is free again at once.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/cancel", tag = "withdrawals",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The withdrawal as it stands now", body = WithdrawalWithHistory)),
    extensions(("x-airlock-permission" = json!("request_withdrawal"))))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<WithdrawalWithHistory>, ApiError> {
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
    now_stands(&app, &caller, &id).await
}

async fn now_stands(app: &App, caller: &Caller, id: &str) -> Result<Json<WithdrawalWithHistory>, ApiError> {
    let mut db = app.db.reader().await?;
    let found = store::find(&mut db, id).await?.ok_or_else(|| ApiError::not_found("withdrawal"))?;
    Ok(Json(with_history(app, &mut db, &found, Audience::of(caller)).await?))
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

/// A withdrawal.
#[derive(Debug, Serialize, ToSchema)]
struct WithdrawalShown {
    id: String,
    /// Where it stands; see the table of states.
    state: &'static str,
    /// Raised when amount, destination or fee change; approvals name it.
    revision: i64,
    /// Whose money.
    user: String,
    /// The user's partner.
    partner: String,
    /// Who asked: `user:…`, `key:…` or `person:…`.
    requested_by: String,
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = AddressText)]
    to: String,
    /// What the recipient gets.
    #[schema(value_type = Amount)]
    amount: String,
    /// Charged on top.
    #[schema(value_type = Amount)]
    fee: String,
    /// What the recipient gets in the contract's units.
    #[schema(value_type = AmountBase)]
    amount_base: String,
    memo: Option<String>,
    #[schema(value_type = Moment)]
    made_at: String,
    #[schema(value_type = Moment)]
    changed_at: String,
    /// For the house: its number in batches and journals.
    #[schema(value_type = Option<Whole>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<String>,
    /// For the house: the batch it is in; null before there is one.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<Option<String>>,
    /// For the house: the request that asked for it; the lines of broadcast and confirmation carry it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// A withdrawal with what happened to it.
#[derive(Debug, Serialize, ToSchema)]
struct WithdrawalWithHistory {
    #[serde(flatten)]
    withdrawal: WithdrawalShown,
    /// Every change of its state, oldest first.
    history: Vec<WithdrawalStep>,
    /// Every try to pay it on chain, oldest first.
    attempts: Vec<WithdrawalAttempt>,
}

/// One change of state.
#[derive(Debug, Serialize, ToSchema)]
struct WithdrawalStep {
    /// 1, 2, 3 …
    number: i64,
    /// State before; empty for the first.
    from: String,
    /// State after.
    to: String,
    /// What happened.
    event: String,
    #[schema(value_type = Moment)]
    at: String,
    /// Who did it; people of the house are `operator` to others.
    who: String,
    /// For the house: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// One try to pay on chain.
#[derive(Debug, Serialize, ToSchema)]
struct WithdrawalAttempt {
    id: String,
    state: &'static str,
    /// Our wallet that pays.
    #[schema(value_type = AddressText)]
    source: String,
    /// Once it is signed.
    tx_id: Option<String>,
    /// The block that has it.
    included_height: Option<u64>,
    /// What the network took, in the native coin's base units.
    #[schema(value_type = Option<AmountBase>)]
    fee_base: Option<String>,
    #[schema(value_type = Moment)]
    made_at: String,
    #[schema(value_type = Moment)]
    changed_at: String,
    /// For the house: its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
}

async fn with_history(
    app: &App,
    db: &mut Db,
    row: &Withdrawal,
    audience: Audience,
) -> Result<WithdrawalWithHistory, ApiError> {
    let withdrawal = shown(&app.config.assets, row, audience)?;
    let history = store::history(db, &row.id).await?;
    let history = history.into_iter().map(|step| shown_step(step, audience)).collect();
    let attempts = attempts::of_withdrawal(db, &row.id).await?;
    let attempts = attempts.into_iter().map(|attempt| shown_attempt(attempt, audience)).collect();
    Ok(WithdrawalWithHistory { withdrawal, history, attempts })
}

fn shown(assets: &Assets, row: &Withdrawal, audience: Audience) -> Result<WithdrawalShown, ApiError> {
    let decimals = assets.decimals(&row.asset).map_err(ApiError::internal)?;
    let house = audience == Audience::House;
    Ok(WithdrawalShown {
        id: row.id.clone(),
        state: row.state.name(),
        revision: row.revision,
        user: row.user.clone(),
        partner: row.partner.clone(),
        requested_by: row.requested_by.clone(),
        network: row.network.to_string(),
        asset: row.asset.to_string(),
        to: row.destination.to_string(),
        amount: row.amount.to_decimal(decimals),
        fee: row.fee.to_decimal(decimals),
        amount_base: row.amount_base.to_string(),
        memo: row.memo.clone(),
        made_at: moment(row.made_at),
        changed_at: moment(row.changed_at),
        item_id: house.then(|| row.item_id.number().to_string()),
        batch_id: house.then(|| row.batch_id.clone()),
        request_id: house.then(|| row.request_id.clone()),
    })
}

fn shown_step(step: Transition, audience: Audience) -> WithdrawalStep {
    let house = audience == Audience::House;
    let by_operator = step.who.starts_with("person:") && !house;
    WithdrawalStep {
        number: step.number,
        from: step.from,
        to: step.to,
        event: step.event,
        at: moment(step.at_ms),
        who: if by_operator { "operator".to_owned() } else { step.who },
        why: house.then_some(step.why),
    }
}

fn shown_attempt(attempt: Attempt, audience: Audience) -> WithdrawalAttempt {
    WithdrawalAttempt {
        state: attempt.state.name(),
        source: attempt.source.to_string(),
        tx_id: attempt.shown_tx_id(),
        included_height: attempt.included_height,
        fee_base: attempt.fee_base.map(|fee| fee.to_string()),
        made_at: moment(attempt.made_at),
        changed_at: moment(attempt.changed_at),
        batch_id: (audience == Audience::House).then_some(attempt.batch_id),
        id: attempt.id,
    }
}
