//! Adjustments over HTTP: propose, list, show, approve, reject.
//!
//! What must stay true: proposing and deciding each need a fresh second factor; a partner's people reach their own partner's only, and
//! may only move between its users and its own account.

use super::store::{self, Adjustment, State as Stands};
use super::{AdjustmentError, Against, Direction, Proposal, is_the_houses};
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::{Amount, AssetName, Moment};
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::ledger::{AssetCode, Assets};
use crate::people::{Caller, Permission, Reach};
use airlock_shared::MinorUnits;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// `/v1/adjustments` and below.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(propose, list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// What shall be corrected, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdjustmentWanted {
    /// The user it is about; or else name the partner.
    user: Option<String>,
    /// The partner whose own account it is about.
    partner: Option<String>,
    /// In what.
    #[schema(value_type = AssetName)]
    asset: String,
    /// How much, above zero.
    #[schema(value_type = Amount)]
    amount: String,
    /// Do they get it, or is it taken from them?
    direction: Direction,
    /// What stands on the other side. A partner's own people may only name `partner`.
    against: Against,
    /// Why: 1 to 500 characters, which the user or partner reads in the statement.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// An adjustment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Adjustment)]
struct Shown {
    id: String,
    /// Where it stands.
    state: Stands,
    /// Whose, or whose user's.
    partner: String,
    /// The user, unless it is about the partner itself.
    user: Option<String>,
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = Amount)]
    amount: String,
    direction: Direction,
    against: Against,
    reason: String,
    proposed_by: String,
    #[schema(value_type = Moment)]
    made_at: String,
    decided_by: Option<String>,
    #[schema(value_type = Option<Moment>)]
    decided_at: Option<String>,
    /// The words of whoever decided.
    decision: Option<String>,
}

/// Propose an adjustment
///
/// Nothing is booked before another person approves it.
#[utoipa::path(post, path = "/v1/adjustments", tag = "adjustments", request_body = AdjustmentWanted,
    responses((status = 201, description = "It waits for another person", body = Shown)),
    extensions(("x-airlock-permission" = json!("propose_adjustment"))))]
async fn propose(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<AdjustmentWanted>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let reach = caller.may(Permission::ProposeAdjustment)?;
    let proposal = read(&app, &reach, wanted).await?;
    let work =
        app.writer.commit(move |unit| Box::pin(async move { super::propose(unit, &by, proposal).await }));
    Ok((StatusCode::CREATED, Json(shown(&app.config.assets, work.await?)?)))
}

async fn read(app: &App, reach: &Reach, wanted: AdjustmentWanted) -> Result<Proposal, ApiError> {
    let AdjustmentWanted { user, partner, asset, amount, direction, against, reason } = wanted;
    if *reach != Reach::All && is_the_houses(against) {
        return Err(ApiError::forbidden("a partner's people adjust against the partner's own account only"));
    }
    let asset: AssetCode =
        asset.parse().map_err(|_| ApiError::new(Code::UnknownAsset, format!("unknown asset {asset:?}")))?;
    let decimals = app
        .config
        .assets
        .decimals(&asset)
        .map_err(|error| ApiError::new(Code::UnknownAsset, error.to_string()))?;
    let amount = MinorUnits::from_decimal(&amount, decimals)
        .map_err(|error| ApiError::new(Code::BadAmount, format!("amount: {error}")))?;
    if !amount.is_positive() {
        return Err(ApiError::new(Code::BadAmount, "amount: above zero"));
    }
    let length = reason.chars().count();
    if !(1..=REASON_MAX).contains(&length) || reason.chars().any(char::is_control) || reason.trim() != reason
    {
        return Err(ApiError::new(
            Code::BadReason,
            "reason: 1 to 500 characters, no control characters, no outer spaces",
        ));
    }
    let (partner, user) = match (user, partner) {
        (Some(user), None) => {
            let (user, partner) = app.directory.named(reach, Some(user)).await?;
            (partner, Some(user))
        }
        (None, Some(partner)) if against != Against::Partner => {
            let mut db = app.db.reader().await?;
            let known = crate::people::store::partner_named(&mut db, &partner).await?;
            let known = known.filter(|known| *known == partner && reach.covers_partner(known));
            (known.ok_or_else(|| ApiError::not_found("partner"))?, None)
        }
        (None, Some(_)) => {
            return Err(ApiError::new(Code::BadParties, "a partner cannot stand against itself"));
        }
        _ => return Err(ApiError::new(Code::BadParties, "name one of user and partner")),
    };
    Ok(Proposal { partner, user, asset, direction, against, amount, reason })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Only those in this state.
    state: Option<Stands>,
    /// How many.
    #[serde(default)]
    limit: Limit,
    /// The `next` of the page before.
    #[serde(default)]
    before: Option<Cursor>,
}

/// A page of adjustments.
#[derive(Debug, Serialize, ToSchema)]
struct AdjustmentPage {
    /// The newest first.
    adjustments: Vec<Shown>,
    /// Give it as `before` for the page behind; null at the end.
    next: Option<Cursor>,
}

/// Adjustments
#[utoipa::path(get, path = "/v1/adjustments", tag = "adjustments", params(Wanted),
    responses((status = 200, description = "A page", body = AdjustmentPage)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<Wanted>,
) -> Result<Json<AdjustmentPage>, ApiError> {
    let partner = match caller.may(Permission::SeeOperations)? {
        Reach::All => String::new(),
        Reach::Partner(partner) | Reach::User { partner, .. } => partner,
    };
    let state = query.state.map(Stands::name).unwrap_or_default();
    let mut db = app.db.reader().await?;
    let before = query.before.as_ref().map(Cursor::key);
    let mut rows = store::page(&mut db, &partner, state, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at, &row.id));
    let adjustments = rows.into_iter().map(|row| shown(&app.config.assets, row)).collect::<Result<_, _>>()?;
    Ok(Json(AdjustmentPage { adjustments, next }))
}

/// One adjustment
#[utoipa::path(get, path = "/v1/adjustments/{id}", tag = "adjustments",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The adjustment", body = Shown)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    let reach = caller.may(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let found = store::find(&mut db, &id).await?.filter(|row| reach.covers_partner(&row.proposal.partner));
    Ok(Json(shown(&app.config.assets, found.ok_or_else(|| ApiError::not_found("adjustment"))?)?))
}

/// What whoever decides says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    /// A few words, up to 500 characters.
    #[schema(max_length = 500)]
    #[serde(default)]
    words: String,
}

/// Approve an adjustment
///
/// By another person than its proposer; it is booked at once.
#[utoipa::path(post, path = "/v1/adjustments/{id}/approve", tag = "adjustments",
    params(("id" = String, Path, description = "Its id")), request_body = Decision,
    responses((status = 200, description = "Booked", body = Shown)),
    extensions(("x-airlock-permission" = json!("approve_adjustment"))))]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<Shown>, ApiError> {
    decide(&app, &caller, by, id, decision, Stands::Approved).await
}

/// Reject an adjustment
///
/// By another person than its proposer; it is never booked.
#[utoipa::path(post, path = "/v1/adjustments/{id}/reject", tag = "adjustments",
    params(("id" = String, Path, description = "Its id")), request_body = Decision,
    responses((status = 200, description = "Rejected", body = Shown)),
    extensions(("x-airlock-permission" = json!("approve_adjustment"))))]
async fn reject(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<Shown>, ApiError> {
    decide(&app, &caller, by, id, decision, Stands::Rejected).await
}

async fn decide(
    app: &App,
    caller: &Caller,
    by: By,
    id: String,
    decision: Decision,
    state: Stands,
) -> Result<Json<Shown>, ApiError> {
    let reach = caller.may(Permission::ApproveAdjustment)?;
    if decision.words.chars().count() > REASON_MAX || decision.words.chars().any(char::is_control) {
        return Err(ApiError::new(Code::BadReason, "words: at most 500 characters, no control characters"));
    }
    let work = app.writer.commit(move |unit| {
        Box::pin(async move {
            let found = store::find(unit.db(), &id).await?;
            let found = found.filter(|row| reach.covers_partner(&row.proposal.partner));
            let found = found.ok_or(AdjustmentError::NotFound { id })?;
            if reach != Reach::All && is_the_houses(found.proposal.against) {
                return Err(AdjustmentError::NotTheirs);
            }
            super::decide(unit, &by, found, state, &decision.words).await
        })
    });
    Ok(Json(shown(&app.config.assets, work.await?)?))
}

fn shown(assets: &Assets, row: Adjustment) -> Result<Shown, ApiError> {
    let Proposal { partner, user, asset, direction, against, amount, reason } = row.proposal;
    let decimals = assets.decimals(&asset).map_err(ApiError::internal)?;
    let decided = row.decided;
    Ok(Shown {
        id: row.id,
        state: row.state,
        partner,
        user,
        asset: asset.to_string(),
        amount: amount.to_decimal(decimals),
        direction,
        against,
        reason,
        proposed_by: row.proposed_by,
        made_at: moment(row.made_at),
        decided_by: decided.as_ref().map(|decided| decided.by.clone()),
        decided_at: decided.as_ref().map(|decided| moment(decided.at)),
        decision: decided.map(|decided| decided.words),
    })
}

impl From<AdjustmentError> for ApiError {
    fn from(error: AdjustmentError) -> Self {
        match error {
            AdjustmentError::NotFound { .. } => Self::not_found("adjustment"),
            AdjustmentError::NotTheirs => Self::forbidden(error.to_string()),
            AdjustmentError::OwnProposal => Self::forbidden("whoever proposed it does not decide it"),
            AdjustmentError::Decided { .. } => Self::new(Code::WrongState, error.to_string()),
            AdjustmentError::Ledger(error) => error.into(),
            AdjustmentError::Database(error) => error.into(),
        }
    }
}
