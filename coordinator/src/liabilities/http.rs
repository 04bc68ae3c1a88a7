//! The newest statement, and each creditor's own proof.
//!
//! The statement is for everybody who has a credential; a proof is for the creditor alone (a partner's key and staff get those of
//! its own users). Both are the documents of `airlock_shared::liabilities`, which `liabilities verify` and any other program check.

use super::{ProveError, proof_of, store};
use crate::api::{ApiError, Query};
use crate::app::App;
use crate::people::{Caller, Permission, Reach};
use airlock_shared::document::Document as _;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/liabilities/latest` and `/v1/liabilities/proof`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(latest)).routes(routes!(proof))
}

/// The newest statement
///
/// What all users and partners are owed together, and what lies on the chains, signed by the coordinator.
#[utoipa::path(get, path = "/v1/liabilities/latest", tag = "liabilities",
    responses((status = 200, description = "The signed document: `airlock liabilities`", body = Object)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn latest(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.may(Permission::SeeMoney)?;
    let mut db = app.db.reader().await?;
    let row = store::latest(&mut db).await?.ok_or_else(|| ApiError::not_found("statement"))?;
    Ok(Json(serde_json::from_str(&row.document).map_err(ApiError::internal)?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Whose {
    /// For partners and staff: which user. A user asks for its own; a partner that names none asks for the partner's own account.
    user: Option<String>,
}

/// A proof with the statement that it belongs to.
#[derive(serde::Serialize, ToSchema)]
struct Proven {
    /// The signed document: `airlock liabilities`.
    #[schema(value_type = Object)]
    statement: Value,
    /// The proof: `airlock inclusion proof`.
    #[schema(value_type = Object)]
    proof: Value,
}

/// One's own proof
///
/// Shows that one's balance is in the newest statement's total. Check it with `airlock-coordinator liabilities verify`.
#[utoipa::path(get, path = "/v1/liabilities/proof", tag = "liabilities", params(Whose),
    responses((status = 200, description = "Statement and proof", body = Proven)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn proof(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<Whose>,
) -> Result<Json<Proven>, ApiError> {
    let reach = caller.may(Permission::SeeMoney)?;
    let owner = match (&reach, &query.user) {
        (Reach::Partner(partner), None) => format!("partner:{partner}"),
        (_, named) => format!("user:{}", app.directory.named(&reach, named.clone()).await?.0),
    };
    let mut db = app.db.begin_read().await?;
    let found = proof_of(&mut db, &owner).await?.ok_or_else(|| ApiError::not_found("proof"))?;
    let document = |json: String| serde_json::from_str(&json).map_err(ApiError::internal);
    Ok(Json(Proven { statement: document(found.0.to_json())?, proof: document(found.1.to_json())? }))
}

impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Ledger(error) => error.into(),
            ProveError::Reconcile(error) => error.into(),
            ProveError::Database(error) => error.into(),
            error => Self::internal(error),
        }
    }
}
