//! The ledger seen from outside: balances, the trial balance, the reserves.
//!
//! Reads only; amounts are exact decimal texts in the asset.

use super::texts::{AddressText, Amount, AmountBase, AssetName, NetworkName, SignedAmount, Whole};
use super::{ApiError, Query};
use crate::app::App;
use crate::audit::By;
use crate::audit::http::money_read;
use crate::ledger::{claims, store, verify};
use crate::people::{Caller, Permission};
use airlock_shared::MinorUnits;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/balances`, `/v1/ledger/trial-balance`, `/v1/ledger/reserves`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(balances))
        .routes(routes!(trial_balance))
        .routes(routes!(reserves))
        .routes(routes!(company))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfUser {
    /// For partners and staff: whose. A user asks for its own.
    user: Option<String>,
}

/// What a user has, over all networks.
#[derive(Serialize, ToSchema)]
struct Balances {
    /// Whose.
    user: String,
    /// One per asset that ever moved.
    balances: Vec<Balance>,
}

/// What a user has of one asset.
#[derive(Serialize, ToSchema)]
struct Balance {
    #[schema(value_type = AssetName)]
    asset: String,
    /// Free to be spent.
    #[schema(value_type = Amount)]
    available: String,
    /// Waiting in withdrawals, fees included.
    #[schema(value_type = Amount)]
    held: String,
}

/// A user's balances
///
/// One balance per asset, over all networks.
#[utoipa::path(get, path = "/v1/balances", tag = "balances",
    params(OfUser),
    responses((status = 200, description = "What the user has", body = Balances)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn balances(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<OfUser>,
) -> Result<Json<Balances>, ApiError> {
    let (user, _) = app.directory.named(&caller.may(Permission::SeeMoney)?, query.user).await?;
    let mut db = app.db.reader().await?;
    let mut balances = Vec::new();
    for balance in store::balances_of(&mut db, &user).await? {
        let decimals = app.config.assets.decimals(&balance.asset).map_err(ApiError::internal)?;
        balances.push(Balance {
            asset: balance.asset.to_string(),
            available: balance.available.to_decimal(decimals),
            held: balance.held.to_decimal(decimals),
        });
    }
    drop(db);
    money_read(&app, &caller, &by, &user, json!({ "read": "balances" })).await?;
    Ok(Json(Balances { user, balances }))
}

/// Do debits and credits agree?
#[derive(Serialize, ToSchema)]
struct TrialBalance {
    /// True when they agree for every asset.
    balanced: bool,
    assets: Vec<AssetTotal>,
}

/// The totals of one asset over all accounts.
#[derive(Serialize, ToSchema)]
struct AssetTotal {
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = Amount)]
    debit: String,
    #[schema(value_type = Amount)]
    credit: String,
    #[schema(value_type = SignedAmount)]
    difference: String,
}

/// The trial balance
#[utoipa::path(get, path = "/v1/ledger/trial-balance", tag = "ledger",
    responses((status = 200, description = "Totals per asset", body = TrialBalance)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn trial_balance(State(app): State<App>, caller: Caller) -> Result<Json<TrialBalance>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let totals = verify::trial_balance(&mut db).await?;
    let balanced = totals.iter().all(|total| total.difference_minor() == 0);
    let mut assets = Vec::new();
    for total in totals {
        let decimals = app.config.assets.decimals(&total.asset).map_err(ApiError::internal)?;
        let text = |minor| MinorUnits::new(minor).to_decimal(decimals);
        assets.push(AssetTotal {
            asset: total.asset.to_string(),
            debit: text(total.debit_minor),
            credit: text(total.credit_minor),
            difference: text(total.difference_minor()),
        });
    }
    Ok(Json(TrialBalance { balanced, assets }))
}

/// What the books say the wallets hold.
#[derive(Serialize, ToSchema)]
struct Reserves {
    reserves: Vec<Reserve>,
}

/// One wallet's reserve of one asset.
#[derive(Serialize, ToSchema)]
struct Reserve {
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AddressText)]
    wallet: String,
    #[schema(value_type = AssetName)]
    asset: String,
    /// In the ledger's minor units.
    #[schema(value_type = Whole)]
    balance_minor: String,
    /// What is left below one minor unit.
    #[schema(value_type = AmountBase)]
    dust_base: String,
}

/// The reserves in the books
#[utoipa::path(get, path = "/v1/ledger/reserves", tag = "ledger",
    responses((status = 200, description = "Per network, wallet and asset", body = Reserves)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn reserves(State(app): State<App>, caller: Caller) -> Result<Json<Reserves>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let found = store::reserves(&mut db).await?;
    let reserves = found
        .into_iter()
        .map(|reserve| Reserve {
            network: reserve.network.to_string(),
            wallet: reserve.wallet.to_string(),
            asset: reserve.asset.to_string(),
            balance_minor: reserve.balance_minor.to_string(),
            dust_base: reserve.dust_base.to_string(),
        })
        .collect();
    Ok(Json(Reserves { reserves }))
}

/// The company's own money.
#[derive(Serialize, ToSchema)]
struct CompanyMoney {
    /// By kind, network and asset.
    accounts: Vec<CompanyBalance>,
}

/// One of the company's own accounts.
#[derive(Serialize, ToSchema)]
struct CompanyBalance {
    /// `capital`, `fees_earned`, `network_fees`, `energy_cost`, `rounding`, `suspense` or `in_transit`.
    kind: String,
    /// Where, for costs and money on its way.
    #[schema(value_type = Option<NetworkName>)]
    network: Option<String>,
    #[schema(value_type = AssetName)]
    asset: String,
    /// What came in or was spent, by the account's kind.
    #[schema(value_type = SignedAmount)]
    balance: String,
}

/// The company's own money
///
/// Capital, fees earned, costs of networks and energy, what has no owner yet.
#[utoipa::path(get, path = "/v1/ledger/company", tag = "ledger",
    responses((status = 200, description = "Its accounts", body = CompanyMoney)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn company(State(app): State<App>, caller: Caller) -> Result<Json<CompanyMoney>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let mut accounts = Vec::new();
    for row in claims::store::company(&mut db).await? {
        let asset = row.asset.parse().map_err(ApiError::internal)?;
        let decimals = app.config.assets.decimals(&asset).map_err(ApiError::internal)?;
        accounts.push(CompanyBalance {
            kind: row.kind,
            network: Some(row.network).filter(|network| !network.is_empty()),
            asset: row.asset,
            balance: MinorUnits::new(row.balance_minor).to_decimal(decimals),
        });
    }
    Ok(Json(CompanyMoney { accounts }))
}
