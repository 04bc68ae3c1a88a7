//! The ledger seen from outside: balances, the trial balance, the reserves.
//!
//! Reads only; amounts are exact decimal texts in the asset.

use super::auth::user_named;
use super::{ApiError, Query};
use crate::app::App;
use crate::ledger::{store, verify};
use crate::people::{Caller, Permission};
use airlock_shared::MinorUnits;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// `/v1/balances`, `/v1/ledger/trial-balance`, `/v1/ledger/reserves`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v1/balances", get(balances))
        .route("/v1/ledger/trial-balance", get(trial_balance))
        .route("/v1/ledger/reserves", get(reserves))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfUser {
    user: Option<String>,
}

async fn balances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OfUser>,
) -> Result<Json<Value>, ApiError> {
    let (user, _) = user_named(&app, &caller.may(Permission::SeeMoney)?, query.user.as_deref()).await?;
    let mut db = app.db.reader().await?;
    let mut shown = Vec::new();
    for balance in store::balances_of(&mut db, &user).await? {
        let decimals = app.config.assets.decimals(&balance.asset).map_err(ApiError::internal)?;
        shown.push(json!({
            "asset": balance.asset, "available": balance.available.to_decimal(decimals),
            "held": balance.held.to_decimal(decimals),
        }));
    }
    Ok(Json(json!({ "user": user, "balances": shown })))
}

async fn trial_balance(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let totals = verify::trial_balance(&mut db).await?;
    let balanced = totals.iter().all(|total| total.difference_minor() == 0);
    let mut shown = Vec::new();
    for total in totals {
        let decimals = app.config.assets.decimals(&total.asset).map_err(ApiError::internal)?;
        let text = |minor| MinorUnits::new(minor).to_decimal(decimals);
        shown.push(json!({
            "asset": total.asset, "debit": text(total.debit_minor), "credit": text(total.credit_minor),
            "difference": text(total.difference_minor()),
        }));
    }
    Ok(Json(json!({ "balanced": balanced, "assets": shown })))
}

async fn reserves(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let shown: Vec<Value> = store::reserves(&mut db)
        .await?
        .into_iter()
        .map(|reserve| {
            json!({
                "network": reserve.network, "wallet": reserve.wallet, "asset": reserve.asset,
                "balance_minor": reserve.balance_minor.to_string(), "dust_base": reserve.dust_base,
            })
        })
        .collect();
    Ok(Json(json!({ "reserves": shown })))
}
