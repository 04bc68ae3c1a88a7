//! Making a batch of what is due, and abandoning one.
//!
//! Operators of the house only. Thin: the steps are `create.rs` and `close.rs`.

use super::show::{BatchShown, BatchSummary, shown, summary};
use crate::api::texts::{AddressText, AssetName, NetworkName};
use crate::api::{ApiError, Body, Code};
use crate::app::App;
use crate::audit::By;
use crate::batches::create::{self, Request as CreateRequest};
use crate::batches::{BatchError, LeftOut, close, store};
use crate::ledger::AssetCode;
use crate::people::{Caller, HOUSE, Permission, Reach};
use airlock_shared::{Address, Network};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Making and abandoning.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(make)).routes(routes!(abandon))
}

/// What a batch is to be made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchWanted {
    #[schema(value_type = NetworkName)]
    network: Network,
    /// By default the asset that has waited longest.
    #[schema(value_type = Option<AssetName>)]
    asset: Option<AssetCode>,
    /// Only `withdrawal` is made here.
    kind: Option<String>,
    /// Besides the configured and the policy's limit.
    max_items: Option<usize>,
    /// The hardware wallet that pays; by default the hot wallet does.
    #[schema(value_type = Option<AddressText>)]
    hardware: Option<String>,
    /// Whose wallets pay, and with them whose withdrawals are paid. A partner's people mean their own; by default the house.
    partner: Option<String>,
}

/// A batch, and what was due but left out of it.
#[derive(Serialize, ToSchema)]
struct BatchMade {
    #[serde(flatten)]
    batch: BatchShown,
    left_out: Vec<LeftOut>,
}

/// Makes a batch of what is due
#[utoipa::path(post, path = "/v1/batches", tag = "batches",
    request_body = BatchWanted,
    responses((status = 201, description = "Made, awaiting approvals", body = BatchMade)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]

async fn make(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<BatchWanted>,
) -> Result<Response, ApiError> {
    let partner = match (caller.may(Permission::RunBatches)?, body.partner) {
        (Reach::Partner(own), None) => own,
        (Reach::All, named) => named.unwrap_or_else(|| HOUSE.to_owned()),
        (reach, Some(named)) if reach.covers_partner(&named) => named,
        _ => return Err(ApiError::not_found("partner")),
    };
    if body.kind.as_deref().is_some_and(|kind| kind != "withdrawal") {
        return Err(ApiError::new(Code::UnknownKind, "only withdrawal batches are made here"));
    }
    let asset = match body.asset {
        Some(asset) => asset,
        None => oldest_asset(&app, body.network, &partner).await?,
    };
    let address = body.hardware.map(|text| Address::parse(body.network, &text)).transpose();
    let hardware = address.map_err(|error| ApiError::new(Code::BadAddress, format!("hardware: {error}")))?;
    let (network, items_max) = (body.network, body.max_items);
    let request = CreateRequest { network, asset, items_max, partner, hardware };
    let made = match create::create(&app, &request, caller.id(), &by).await {
        // A partner is not told whose a foreign wallet is.
        Err(BatchError::ForeignWallet { wallet, .. }) if !caller.is_house() => {
            Err(BatchError::NoHardware { wallet })
        }
        made => made,
    }?;
    let mut db = app.db.reader().await?;
    let batch = shown(&app, &mut db, &made.batch).await?;
    Ok((StatusCode::CREATED, Json(BatchMade { batch, left_out: made.left_out })).into_response())
}

/// The asset that has waited longest on a network.
async fn oldest_asset(app: &App, network: Network, partner: &str) -> Result<AssetCode, ApiError> {
    let oldest = create::oldest_due(&mut *app.db.reader().await?, network, partner).await?;
    let nothing = || BatchError::NothingDue { left_out: Vec::<LeftOut>::new() };
    Ok(oldest.into_iter().next().ok_or_else(nothing)?.asset)
}

/// The longest reason an operator may give, in bytes.
const WHY_MAX_BYTES: usize = 500;

/// Why somebody does it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// 1 to 500 bytes without control characters.
    #[schema(min_length = 1, max_length = 500)]
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

/// Abandons a batch that has not left
///
/// Its withdrawals are queued again.
#[utoipa::path(post, path = "/v1/batches/{id}/abandon", tag = "batches",
    request_body = Why,
    responses((status = 200, description = "Abandoned", body = BatchSummary)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn abandon(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Why>,
) -> Result<Json<BatchSummary>, ApiError> {
    let reach = caller.may(Permission::RunBatches)?;
    body.check()?;
    store::within(&mut *app.db.reader().await?, &reach, &id).await?;
    let batch = close::abandon(&app, &id, &by, &body.why).await?;
    Ok(Json(summary(&app, &batch)?))
}
