//! Making a batch of what is due, and abandoning one.
//!
//! Operators of the house only. Thin: the steps are `create.rs` and `close.rs`.

use super::show::{shown, summary};
use crate::api::{ApiError, Body, Code};
use crate::app::App;
use crate::audit::By;
use crate::batches::create::{self, Request as CreateRequest};
use crate::batches::{BatchError, LeftOut, close};
use crate::ledger::AssetCode;
use crate::people::{Caller, Permission};
use crate::withdrawals::queue;
use airlock_shared::{Address, Network};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Making and abandoning.
pub(super) fn router() -> Router<App> {
    Router::new().route("/v1/batches", post(make)).route("/v1/batches/{id}/abandon", post(abandon))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    network: Network,
    asset: Option<AssetCode>,
    kind: Option<String>,
    max_items: Option<usize>,
    hardware: Option<String>,
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<Make>,
) -> Result<Response, ApiError> {
    let operator = caller.house(Permission::RunBatches)?;
    if body.kind.as_deref().is_some_and(|kind| kind != "withdrawal") {
        return Err(ApiError::new(Code::UnknownKind, "only withdrawal batches are made here"));
    }
    let asset = match body.asset {
        Some(asset) => asset,
        None => oldest_asset(&app, body.network).await?,
    };
    let address = body.hardware.map(|text| Address::parse(body.network, &text)).transpose();
    let hardware = address.map_err(|error| ApiError::new(Code::BadAddress, format!("hardware: {error}")))?;
    let request = CreateRequest { network: body.network, asset, items_max: body.max_items, hardware };
    let made = create::create(&app, &request, operator, &by).await?;
    let mut db = app.db.reader().await?;
    let mut batch = shown(&app, &mut db, &made.batch).await?;
    batch["left_out"] = json!(made.left_out);
    Ok((StatusCode::CREATED, Json(batch)).into_response())
}

/// The asset that has waited longest on a network.
async fn oldest_asset(app: &App, network: Network) -> Result<AssetCode, ApiError> {
    let oldest = queue::due(&mut *app.db.reader().await?, network, 1).await?;
    let nothing = || BatchError::NothingDue { left_out: Vec::<LeftOut>::new() };
    Ok(oldest.into_iter().next().ok_or_else(nothing)?.asset)
}

/// The longest reason an operator may give, in bytes.
const WHY_MAX_BYTES: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    pub(super) why: String,
}

impl Why {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let fits = (1..=WHY_MAX_BYTES).contains(&self.why.len()) && !self.why.chars().any(char::is_control);
        if fits {
            return Ok(());
        }
        Err(ApiError::new(Code::WhyNeeded, "say why, in 1 to 500 bytes without control characters"))
    }
}

async fn abandon(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    body.check()?;
    let batch = close::abandon(&app, &id, &by, &body.why).await?;
    Ok(Json(summary(&app, &batch)?))
}
