//! `POST /v1/treasury/opening-capital`, for operators, under an idempotency key.

use super::OpeningRefusal;
use crate::api::idempotency::once;
use crate::api::{ApiError, Once, RequestId};
use crate::app::App;
use crate::people::{Caller, Permission};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

/// The treasury's routes.
pub fn router() -> Router<App> {
    Router::new().route("/v1/treasury/opening-capital", post(opening_capital))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningCapital {
    network: String,
    wallet: String,
    asset: String,
    amount_base: String,
}

async fn opening_capital(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    Once { body, ticket }: Once<OpeningCapital>,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManagePartners)?;
    let (who, settings) = (caller.to_string(), app.clone());
    once(&app, &caller, ticket, StatusCode::CREATED, move |unit| {
        Box::pin(async move {
            let OpeningCapital { network, wallet, asset, amount_base } = body;
            let opening = super::check(&settings.config, &network, &wallet, &asset, &amount_base)?;
            super::open(unit, &opening, &request_id, &who, &request_id).await?;
            Ok(json!({
                "id": request_id, "network": opening.wallet.network(), "wallet": opening.wallet.to_string(),
                "asset": opening.asset, "amount_base": opening.amount,
            }))
        })
    })
    .await
}

impl From<OpeningRefusal> for ApiError {
    fn from(refusal: OpeningRefusal) -> Self {
        let code = match refusal {
            OpeningRefusal::Network { .. } => "unknown_network",
            OpeningRefusal::Asset { .. } => "unknown_asset",
            OpeningRefusal::Address(_) => "bad_address",
            OpeningRefusal::Foreign { .. } => "not_our_wallet",
            OpeningRefusal::Amount(_) | OpeningRefusal::Zero => "bad_amount",
        };
        Self::refused(code, refusal.to_string())
    }
}
