//! The routes of the wallets that a partner watches.
//!
//! A partner's staff see and its administrators change its own; the house all. What must stay true: a foreign wallet or
//! partner is a missing one; balances are shown with their time.

use super::{Change, Reading, Role, Switches, Wanted, Watched, add, change, store};
use crate::api::page::{self, Cursor, Limit};
use crate::api::texts::{AddressText, Amount, AssetName, Moment, NetworkName};
use crate::api::{ApiError, Body, Query, moment};
use crate::app::App;
use crate::audit::By;
use crate::db::Db;
use crate::people::tenants::store as tenants;
use crate::people::{Caller, Permission, Reach};
use airlock_shared::BaseUnits;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/partners/{id}/wallets` and below.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(add_wallet, list)).routes(routes!(show, change_wallet))
}

/// What a watched wallet held of one asset.
#[derive(Debug, Serialize, ToSchema)]
struct WalletBalance {
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = Amount)]
    amount: String,
    /// The time of the final block that it was read at.
    #[schema(value_type = Moment)]
    at: String,
}

/// The energy that a TRON wallet had left.
#[derive(Debug, Serialize, ToSchema)]
struct EnergyLeft {
    units: u64,
    #[schema(value_type = Moment)]
    at: String,
}

/// Sweep what is above the threshold.
#[derive(Debug, Serialize, ToSchema)]
struct SweepSwitch {
    on: bool,
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = Amount)]
    threshold: String,
}

/// Provide energy when fewer units are left than the threshold.
#[derive(Debug, Serialize, ToSchema)]
struct EnergySwitch {
    on: bool,
    threshold: u32,
}

/// A wallet that a partner watches.
#[derive(Debug, Serialize, ToSchema)]
struct WatchedWallet {
    /// Its id.
    id: String,
    partner: String,
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AddressText)]
    address: String,
    role: Role,
    label: String,
    /// Is it looked after?
    active: bool,
    sweep: SweepSwitch,
    energy: EnergySwitch,
    /// As last read; empty until then.
    balances: Vec<WalletBalance>,
    /// TRON only, as last read.
    energy_left: Option<EnergyLeft>,
    #[schema(value_type = Moment)]
    made_at: String,
    #[schema(value_type = Moment)]
    changed_at: String,
}

async fn shown(app: &App, db: &mut Db, wallet: &Watched) -> Result<WatchedWallet, ApiError> {
    let Switches { sweep, sweep_asset, sweep_threshold, energy, energy_threshold } = &wallet.switches;
    let decimals = app.config.assets.decimals(sweep_asset).map_err(ApiError::internal)?;
    let (mut balances, mut energy_left) = (Vec::new(), None);
    for Reading { what, amount, at_ms } in store::readings(db, &wallet.id).await? {
        if what == "energy" {
            energy_left = amount.parse().ok().map(|units| EnergyLeft { units, at: moment(at_ms) });
            continue;
        }
        // An asset that has left the settings is not shown.
        let scale = what.parse().ok().and_then(|asset| {
            app.config.assets.scale(&asset, wallet.address.network()).ok().map(|scale| (asset, scale))
        });
        if let (Some((asset, scale)), Ok(base)) = (scale, amount.parse::<BaseUnits>()) {
            let asset: crate::ledger::AssetCode = asset;
            let amount = base.to_decimal(scale.base_decimals());
            balances.push(WalletBalance { asset: asset.to_string(), amount, at: moment(at_ms) });
        }
    }
    Ok(WatchedWallet {
        id: wallet.id.clone(),
        partner: wallet.partner.clone(),
        network: wallet.address.network().to_string(),
        address: wallet.address.to_string(),
        role: wallet.role,
        label: wallet.label.clone(),
        active: wallet.active,
        sweep: SweepSwitch {
            on: *sweep,
            asset: sweep_asset.to_string(),
            threshold: sweep_threshold.to_decimal(decimals),
        },
        energy: EnergySwitch { on: *energy, threshold: *energy_threshold },
        balances,
        energy_left,
        made_at: moment(wallet.made_at),
        changed_at: moment(wallet.changed_at),
    })
}

/// The partner of the path, if it is there and within reach.
async fn within(db: &mut Db, reach: &Reach, partner: &str) -> Result<(), ApiError> {
    let found = tenants::partner(db, partner).await?;
    let found = found.filter(|row| reach.covers_partner(&row.id));
    found.map(|_| ()).ok_or_else(|| ApiError::not_found("partner"))
}

/// A wallet that is to be watched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WalletWanted {
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AddressText)]
    address: String,
    role: Role,
    /// What the partner calls it.
    #[schema(min_length = 1, max_length = 64)]
    label: String,
    /// Sweep what is above the threshold; off if not given.
    sweep: Option<bool>,
    /// In USDT; 1000 if not given.
    #[schema(value_type = Option<Amount>)]
    sweep_threshold: Option<String>,
    /// Provide energy; off if not given.
    energy: Option<bool>,
    /// In units of energy; 100000 if not given.
    energy_threshold: Option<u32>,
}

/// Watch a wallet
#[utoipa::path(post, path = "/v1/partners/{id}/wallets", tag = "partners",
    params(("id" = String, Path, description = "The partner's id")),
    request_body = WalletWanted,
    responses((status = 201, description = "It is watched", body = WatchedWallet)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn add_wallet(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(partner): Path<String>,
    Body(body): Body<WalletWanted>,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManagePartners)?;
    within(&mut *app.db.reader().await?, &reach, &partner).await?;
    let WalletWanted { network, address, role, label, sweep, sweep_threshold, energy, energy_threshold } =
        body;
    let change =
        Change { label: Some(label), active: None, sweep, sweep_threshold, energy, energy_threshold };
    let wallet = add(&app, &partner, Wanted { network, address, role, change }, &by).await?;
    let shown = shown(&app, &mut *app.db.reader().await?, &wallet).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WalletsQuery {
    /// The `next` of the page before.
    before: Option<Cursor>,
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
}

/// A page of watched wallets, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct WatchedWallets {
    wallets: Vec<WatchedWallet>,
    /// What leads to the next page; null at the end.
    next: Option<Cursor>,
}

/// The wallets a partner watches
#[utoipa::path(get, path = "/v1/partners/{id}/wallets", tag = "partners",
    params(("id" = String, Path, description = "The partner's id"), WalletsQuery),
    responses((status = 200, description = "Newest first", body = WatchedWallets)),
    extensions(("x-airlock-permission" = json!("see_partners"))))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(partner): Path<String>,
    Query(query): Query<WalletsQuery>,
) -> Result<Json<WatchedWallets>, ApiError> {
    let reach = caller.may(Permission::SeePartners)?;
    let mut db = app.db.reader().await?;
    within(&mut db, &reach, &partner).await?;
    let before = query.before.as_ref().map_or((i64::MAX, ""), Cursor::key);
    let mut rows = store::page(&mut db, &partner, before, query.limit.and_one()).await?;
    let next = page::cut(&mut rows, query.limit, |row| (row.made_at, row.id.as_str()));
    let mut wallets = Vec::with_capacity(rows.len());
    for row in &rows {
        wallets.push(shown(&app, &mut db, row).await?);
    }
    Ok(Json(WatchedWallets { wallets, next }))
}

/// One watched wallet
#[utoipa::path(get, path = "/v1/partners/{id}/wallets/{wallet}", tag = "partners",
    params(("id" = String, Path, description = "The partner's id"),
        ("wallet" = String, Path, description = "The wallet's id")),
    responses((status = 200, description = "The wallet", body = WatchedWallet)),
    extensions(("x-airlock-permission" = json!("see_partners"))))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((partner, id)): Path<(String, String)>,
) -> Result<Json<WatchedWallet>, ApiError> {
    let reach = caller.may(Permission::SeePartners)?;
    let mut db = app.db.reader().await?;
    let found = store::find(&mut db, &id).await?;
    let found = found.filter(|wallet| wallet.partner == partner && reach.covers_partner(&partner));
    let wallet = found.ok_or_else(|| ApiError::not_found("wallet"))?;
    Ok(Json(shown(&app, &mut db, &wallet).await?))
}

/// What changes of a wallet; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WalletChange {
    #[schema(min_length = 1, max_length = 64)]
    label: Option<String>,
    active: Option<bool>,
    sweep: Option<bool>,
    /// In the wallet's sweep asset.
    #[schema(value_type = Option<Amount>)]
    sweep_threshold: Option<String>,
    energy: Option<bool>,
    energy_threshold: Option<u32>,
}

/// Change a watched wallet
#[utoipa::path(patch, path = "/v1/partners/{id}/wallets/{wallet}", tag = "partners",
    params(("id" = String, Path, description = "The partner's id"),
        ("wallet" = String, Path, description = "The wallet's id")),
    request_body = WalletChange,
    responses((status = 200, description = "As it is now", body = WatchedWallet)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn change_wallet(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path((partner, id)): Path<(String, String)>,
    Body(body): Body<WalletChange>,
) -> Result<Json<WatchedWallet>, ApiError> {
    let reach = caller.may(Permission::ManagePartners)?;
    let WalletChange { label, active, sweep, sweep_threshold, energy, energy_threshold } = body;
    let wanted = Change { label, active, sweep, sweep_threshold, energy, energy_threshold };
    let wallet = change(&app, &partner, &id, wanted, &reach, &by).await?;
    Ok(Json(shown(&app, &mut *app.db.reader().await?, &wallet).await?))
}
