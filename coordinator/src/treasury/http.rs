//! `POST /v1/treasury/opening-capital`, for operators, under an idempotency key.

use super::OpeningRefusal;
use crate::api::idempotency::{IdempotencyKey, once};
use crate::api::texts::{AddressText, AmountBase, AssetName, NetworkName};
use crate::api::{ApiError, Code, Once, RequestId};
use crate::app::App;
use crate::audit::By;
use crate::people::{Caller, Permission};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The treasury's routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(opening_capital))
}

/// What a wallet held when the books were opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpeningCapitalWanted {
    #[schema(value_type = NetworkName)]
    network: String,
    /// One of the configured wallets.
    #[schema(value_type = AddressText)]
    wallet: String,
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = AmountBase)]
    amount_base: String,
}

/// A booked opening.
#[derive(Serialize, ToSchema)]
struct OpeningCapital {
    id: String,
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AddressText)]
    wallet: String,
    #[schema(value_type = AssetName)]
    asset: String,
    #[schema(value_type = AmountBase)]
    amount_base: String,
}

/// Books a wallet's opening capital
#[utoipa::path(post, path = "/v1/treasury/opening-capital", tag = "operations",
    params(IdempotencyKey), request_body = OpeningCapitalWanted,
    responses((status = 201, description = "Booked", body = OpeningCapital)),
    extensions(("x-airlock-permission" = json!("manage_partners"))))]
async fn opening_capital(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    by: By,
    Once { body, ticket }: Once<OpeningCapitalWanted>,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManagePartners)?;
    let settings = app.clone();
    once(&app, &caller, ticket, StatusCode::CREATED, move |unit| {
        Box::pin(async move {
            let OpeningCapitalWanted { network, wallet, asset, amount_base } = body;
            let opening = super::check(&settings.config, &network, &wallet, &asset, &amount_base)?;
            super::open(unit, &opening, &request_id, &by).await?;
            Ok(OpeningCapital {
                id: request_id,
                network: opening.wallet.network().to_string(),
                wallet: opening.wallet.to_string(),
                asset: opening.asset.to_string(),
                amount_base: opening.amount.to_string(),
            })
        })
    })
    .await
}

impl From<OpeningRefusal> for ApiError {
    fn from(refusal: OpeningRefusal) -> Self {
        let code = match refusal {
            OpeningRefusal::Network { .. } => Code::UnknownNetwork,
            OpeningRefusal::Asset { .. } => Code::UnknownAsset,
            OpeningRefusal::Address(_) => Code::BadAddress,
            OpeningRefusal::Foreign { .. } => Code::NotOurWallet,
            OpeningRefusal::Amount(_) | OpeningRefusal::Zero => Code::BadAmount,
        };
        Self::new(code, refusal.to_string())
    }
}
