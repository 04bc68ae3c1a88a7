//! The routes of pairing: our introduction, signers, policies and wallets, for operators.
//!
//! The command line does the same without a server. What must stay true: pairing needs the eight words in the request.

use super::{PairingError, import_policy, import_wallets, introduction, pair, store};
use crate::api::{ApiError, Body, Code};
use crate::app::App;
use crate::audit::By;
use crate::batches::http::Parts;
use crate::batches::intake;
use crate::people::{Caller, Permission};
use airlock_shared::document::Document as _;
use airlock_shared::policy::SignedPolicy;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// `/v1/introduction`, `/v1/signers`, `/v1/policies`, `/v1/wallets`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v1/introduction", get(show_introduction))
        .route("/v1/signers", post(pair_signer).get(signers))
        .route("/v1/policies", post(policy))
        .route("/v1/wallets", post(wallets))
}

async fn show_introduction(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    caller.house(Permission::SeeOperations)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], introduction(&app)?.to_json()).into_response())
}

/// The document travels as text, so that its bytes stay what they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    introduction: String,
    #[serde(default)]
    confirm: String,
}

async fn pair_signer(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<Pair>,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let mut introduction = body.introduction.into_bytes();
    intake::end_line(&mut introduction);
    let paired = pair(&app, &introduction, &body.confirm, &by).await?;
    Ok((StatusCode::CREATED, Json(paired)).into_response())
}

async fn signers(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let mut shown = Vec::new();
    for signer in store::signers(&mut db).await? {
        let head = store::newest_head(&mut db, &signer.identity).await?;
        let policy = store::newest_policy(&mut db, &signer.identity).await?;
        shown.push(json!({
            "identity": signer.identity.to_string(), "name": signer.introduction.name.to_string(),
            "fingerprint": hex::encode(signer.fingerprint),
            "state": if signer.active { "active" } else { "suspended" },
            "head": head.map(|head| json!({ "sequence": head.sequence, "head": head.head.to_string() })),
            "policy": policy.map(|policy| json!({
                "name": policy.policy.name.to_string(), "version": policy.policy.version,
            })),
        }));
    }
    Ok(Json(json!({ "signers": shown })))
}

async fn policy(
    State(app): State<App>,
    caller: Caller,
    by: By,
    parts: Parts,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let mut imported = Vec::new();
    for document in parts.documents(SignedPolicy::KIND).await? {
        let policy = import_policy(&app, &document, &by).await?.policy;
        imported.push(json!({
            "name": policy.name.to_string(), "version": policy.version, "digest": policy.digest().to_string(),
        }));
    }
    Ok((StatusCode::CREATED, Json(json!({ "policies": imported }))).into_response())
}

async fn wallets(
    State(app): State<App>,
    caller: Caller,
    by: By,
    body: axum::body::Bytes,
) -> Result<Response, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let wallets = import_wallets(&app, &body, &by).await?;
    let shown: Vec<Value> = wallets
        .iter()
        .map(|wallet| {
            json!({
                "network": wallet.address.network(), "role": wallet.role.name(), "index": wallet.index,
                "address": wallet.address.to_string(),
            })
        })
        .collect();
    Ok((StatusCode::CREATED, Json(json!({ "wallets": shown }))).into_response())
}

impl From<PairingError> for ApiError {
    fn from(error: PairingError) -> Self {
        let text = error.to_string();
        match error {
            PairingError::Document(_) => Self::new(Code::BadDocument, text),
            PairingError::Words { .. } => Self::new(Code::Words, text),
            PairingError::OtherProfile { .. } => Self::new(Code::OtherProfile, text),
            PairingError::NoRoster => Self::new(Code::NoRoster, text),
            PairingError::NotPaired { .. } => Self::new(Code::NotPaired, text),
            PairingError::Policy(_) | PairingError::PolicyOfNobody { .. } => Self::new(Code::Policy, text),
            PairingError::Taken { .. } => Self::new(Code::Taken, text),
            PairingError::Wallets { .. } => Self::new(Code::BadWallets, text),
            PairingError::Identity(_) => Self::internal(text),
            PairingError::Ledger(error) => error.into(),
        }
    }
}
