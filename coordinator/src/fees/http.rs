//! Fee schedules of partners, for the house; quotes, for whoever may ask for a withdrawal.
//!
//! What must stay true: changing a schedule needs a fresh second factor and leaves what was and what is in the audit log.

use super::store::{self, Quote, Version};
use super::{Charge, FeeError, QUOTE_LIFETIME_MS, Schedule};
use crate::api::texts::{Amount, AssetName, Moment, NetworkName};
use crate::api::{ApiError, Body, Code, moment};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::random_id;
use crate::ledger::{AssetCode, Assets, LedgerError};
use crate::people::{Caller, Permission};
use crate::withdrawals::request::{self, Priced, Refusal};
use airlock_shared::{MinorUnits, Network};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/partners/{id}/fees` and `/v1/withdrawals/quote`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list, set)).routes(routes!(quote))
}

/// How a fee follows from an amount: flat plus a share, within bounds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FeesWanted {
    /// Where.
    #[schema(value_type = NetworkName)]
    network: String,
    /// In what; the fee is in the asset itself.
    #[schema(value_type = AssetName)]
    asset: String,
    /// Charged on every withdrawal.
    #[schema(value_type = Amount)]
    flat: String,
    /// Share of the amount in hundredths of a percent, rounded up.
    #[schema(maximum = 10000)]
    basis_points: u16,
    /// Never less than this.
    #[schema(value_type = Amount)]
    least: String,
    /// Never more than this, if there is a limit.
    #[schema(value_type = Option<Amount>)]
    most: Option<String>,
}

/// One version of a schedule.
#[derive(Debug, Serialize, ToSchema)]
struct FeeSchedule {
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AssetName)]
    asset: String,
    /// 1, 2 … within network and asset; the highest is in force.
    version: i64,
    #[schema(value_type = Amount)]
    flat: String,
    basis_points: u16,
    #[schema(value_type = Amount)]
    least: String,
    #[schema(value_type = Option<Amount>)]
    most: Option<String>,
    /// Who set it.
    made_by: String,
    #[schema(value_type = Moment)]
    made_at: String,
}

/// A partner's schedules, every version.
#[derive(Debug, Serialize, ToSchema)]
struct FeeSchedules {
    /// By network and asset, the newest first. Where there is none, the settings' flat fee holds.
    schedules: Vec<FeeSchedule>,
}

/// A partner's fees
///
/// Every version of every schedule. A partner's own people see their own.
#[utoipa::path(get, path = "/v1/partners/{id}/fees", tag = "partners",
    params(("id" = String, Path, description = "The partner's id")),
    responses((status = 200, description = "The schedules", body = FeeSchedules)),
    extensions(("x-airlock-permission" = json!("see_partners"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(partner): Path<String>,
) -> Result<Json<FeeSchedules>, ApiError> {
    let reach = caller.may(Permission::SeePartners)?;
    let mut db = app.db.reader().await?;
    let known = crate::people::store::partner_named(&mut db, &partner).await?;
    if !reach.covers_partner(&partner) || known.as_deref() != Some(partner.as_str()) {
        return Err(ApiError::not_found("partner"));
    }
    let rows = store::versions(&mut db, &partner).await?;
    let schedules = rows.into_iter().map(|row| shown(&app.config.assets, row)).collect::<Result<_, _>>()?;
    Ok(Json(FeeSchedules { schedules }))
}

/// Change a partner's fees
///
/// Sets the next version for one network and asset; it holds from now on, and quotes that were given keep their fee.
#[utoipa::path(put, path = "/v1/partners/{id}/fees", tag = "partners",
    params(("id" = String, Path, description = "The partner's id")), request_body = FeesWanted,
    responses((status = 200, description = "The version in force now", body = FeeSchedule)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn set(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(partner): Path<String>,
    Body(wanted): Body<FeesWanted>,
) -> Result<Json<FeeSchedule>, ApiError> {
    caller.house(Permission::ManagePartners)?;
    let (network, asset, decimals) = where_and_what(&app, &wanted)?;
    let schedule = schedule(&wanted, decimals)?;
    let row = app.writer.commit(move |unit| {
        Box::pin(async move {
            let known = crate::people::store::partner_named(unit.db(), &partner).await?;
            if known.as_deref() != Some(partner.as_str()) {
                return Err(ApiError::not_found("partner"));
            }
            let before = store::newest(unit.db(), &partner, &network.to_string(), asset.as_str()).await?;
            let row = Version {
                network: network.to_string(),
                asset: asset.to_string(),
                version: before.as_ref().map_or(1, |before| before.version + 1),
                schedule,
                made_by: by.who.clone(),
                made_at: unit.now(),
            };
            store::insert(unit.db(), &partner, &row).await?;
            let was = before.map_or(Value::Null, |before| in_words(&before));
            audit::record(unit, &by, Action::FeesChange, &partner, was, in_words(&row)).await?;
            Ok::<_, ApiError>(row)
        })
    });
    Ok(Json(shown(&app.config.assets, row.await?)?))
}

fn in_words(row: &Version) -> Value {
    let Schedule { flat, basis_points, least, most } = row.schedule;
    json!({
        "network": row.network, "asset": row.asset, "version": row.version, "flat_minor": flat.to_string(),
        "basis_points": basis_points, "least_minor": least.to_string(), "most_minor": most.map(|most| most.to_string()),
    })
}

fn where_and_what(app: &App, wanted: &FeesWanted) -> Result<(Network, AssetCode, u8), ApiError> {
    let unknown = || Refusal::Network { found: wanted.network.chars().take(64).collect() };
    let network: Network = wanted.network.parse().map_err(|_| unknown())?;
    let configured = app.config.network(network).ok_or_else(unknown)?;
    let asset = wanted.asset.parse::<AssetCode>().ok().filter(|asset| configured.token(asset).is_some());
    let found = || wanted.asset.chars().take(64).collect();
    let asset = asset.ok_or_else(|| Refusal::Asset { found: found(), network })?;
    let decimals = app.config.assets.decimals(&asset).map_err(ApiError::internal)?;
    Ok((network, asset, decimals))
}

fn schedule(wanted: &FeesWanted, decimals: u8) -> Result<Schedule, ApiError> {
    let read = |text: &str| MinorUnits::from_decimal(text, decimals).map_err(Refusal::Amount);
    let (flat, least) = (read(&wanted.flat)?, read(&wanted.least)?);
    let most = wanted.most.as_deref().map(read).transpose()?;
    if wanted.basis_points > 10_000 {
        return Err(ApiError::new(Code::BadFees, "basis_points: 0 to 10000"));
    }
    if most.is_some_and(|most| most < least) {
        return Err(ApiError::new(Code::BadFees, "most is below least"));
    }
    Ok(Schedule { flat, basis_points: wanted.basis_points, least, most })
}

fn shown(assets: &Assets, row: Version) -> Result<FeeSchedule, ApiError> {
    let asset: AssetCode = row.asset.parse().map_err(ApiError::internal)?;
    let decimals = assets.decimals(&asset).map_err(ApiError::internal)?;
    let Schedule { flat, basis_points, least, most } = row.schedule;
    Ok(FeeSchedule {
        network: row.network,
        asset: row.asset,
        version: row.version,
        flat: flat.to_decimal(decimals),
        basis_points,
        least: least.to_decimal(decimals),
        most: most.map(|most| most.to_decimal(decimals)),
        made_by: row.made_by,
        made_at: moment(row.made_at),
    })
}

/// What is to be withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuoteWanted {
    /// For partners and operators: whose money.
    user: Option<String>,
    /// Where.
    #[schema(value_type = NetworkName)]
    network: String,
    /// In what.
    #[schema(value_type = AssetName)]
    asset: String,
    /// How much the recipient shall get.
    #[schema(value_type = Amount)]
    amount: String,
}

/// What a withdrawal will cost.
#[derive(Debug, Serialize, ToSchema)]
struct QuoteGiven {
    /// Name it in the withdrawal, and the fee holds.
    quote: String,
    /// What the recipient gets.
    #[schema(value_type = Amount)]
    amount: String,
    /// What it costs on top.
    #[schema(value_type = Amount)]
    fee: String,
    /// What is held.
    #[schema(value_type = Amount)]
    total: String,
    /// Until when it holds.
    #[schema(value_type = Moment)]
    expires_at: String,
}

/// Ask what a withdrawal costs
///
/// The fee holds for two minutes for a withdrawal of this very amount that names the quote.
#[utoipa::path(post, path = "/v1/withdrawals/quote", tag = "withdrawals", request_body = QuoteWanted,
    responses((status = 201, description = "The quote", body = QuoteGiven)),
    extensions(("x-airlock-permission" = json!("request_withdrawal"))))]
async fn quote(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<QuoteWanted>,
) -> Result<(StatusCode, Json<QuoteGiven>), ApiError> {
    let reach = caller.may(Permission::RequestWithdrawal)?;
    let (user, partner) = app.directory.named(&reach, wanted.user).await?;
    let priced = request::priced(&app.config, &wanted.network, &wanted.asset, &wanted.amount)?;
    let Priced { network, asset, amount, decimals, fee: settings, .. } = priced;
    let id = random_id().map_err(ApiError::internal)?;
    let given = app.writer.commit(move |unit| {
        Box::pin(async move {
            let of = Charge { partner: &partner, user: &user, network, asset: &asset, amount, settings };
            let fee = super::in_force(unit.db(), &of).await?;
            let now = unit.now();
            let expires_at = now.saturating_add(QUOTE_LIFETIME_MS);
            let (network, asset) = (network.to_string(), asset.to_string());
            let quote = Quote { id, user, network, asset, amount, fee, expires_at };
            store::insert_quote(unit.db(), &quote, now).await?;
            let after = json!({ "user": quote.user, "amount_minor": amount.to_string(), "fee_minor": fee.to_string() });
            audit::record(unit, &by, Action::WithdrawalQuote, &quote.id, Value::Null, after).await?;
            Ok::<_, ApiError>(quote)
        })
    });
    let given = given.await?;
    let total = amount.checked_add(given.fee).ok_or(FeeError::Overflow)?;
    Ok((
        StatusCode::CREATED,
        Json(QuoteGiven {
            quote: given.id,
            amount: amount.to_decimal(decimals),
            fee: given.fee.to_decimal(decimals),
            total: total.to_decimal(decimals),
            expires_at: moment(given.expires_at),
        }),
    ))
}

impl From<FeeError> for ApiError {
    fn from(error: FeeError) -> Self {
        match error {
            FeeError::NoQuote { .. } => Self::new(Code::UnknownQuote, error.to_string()),
            FeeError::Expired => Self::new(Code::QuoteExpired, error.to_string()),
            FeeError::Differs { .. } => Self::new(Code::QuoteDiffers, error.to_string()),
            FeeError::Overflow => Self::new(Code::AmountOutOfRange, error.to_string()),
            FeeError::Database(error) => LedgerError::from(error).into(),
        }
    }
}
