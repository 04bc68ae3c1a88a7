//! The routes of pairing: our introduction, signers, policies and wallets, for operators.
//!
//! The command line does the same without a server. What must stay true: pairing needs the eight words in the request.

use super::{Paired, PairingError, import_policy, import_wallets, introduction, pair, store};
use crate::api::texts::{AddressText, NetworkName};
use crate::api::{ApiError, Body, Code};
use crate::app::App;
use crate::audit::By;
use crate::batches::http::{Parts, Upload, UploadForm};
use crate::batches::intake;
use crate::people::{Caller, HOUSE, Permission, Reach};
use airlock_shared::Network;
use airlock_shared::document::Document as _;
use airlock_shared::policy::SignedPolicy;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// `/v1/introduction`, `/v1/signers`, `/v1/policies`, `/v1/wallets`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(show_introduction))
        .routes(routes!(signers, pair_signer))
        .routes(routes!(policy))
        .routes(routes!(wallets))
}

/// What a signer must be shown to pair with this coordinator
#[utoipa::path(get, path = "/v1/introduction", tag = "signers",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json")),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn show_introduction(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    caller.may(Permission::SeeOperations)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], introduction(&app)?.to_json()).into_response())
}

/// A signer's introduction, and that people compared the words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PairingWanted {
    /// The document as text, so that its bytes stay what they are.
    introduction: String,
    /// The eight words that both screens show; without them the refusal tells them.
    #[serde(default)]
    confirm: String,
    /// The partner for whom alone it is paired; without it, one's own.
    partner: Option<String>,
}

/// Pairs a signer
#[utoipa::path(post, path = "/v1/signers", tag = "signers",
    request_body = PairingWanted,
    responses((status = 201, description = "Paired", body = Paired)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn pair_signer(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(body): Body<PairingWanted>,
) -> Result<Response, ApiError> {
    let partner = match (caller.may(Permission::ManageSigners)?, body.partner) {
        (Reach::Partner(own), None) => own,
        (Reach::All, named) => named.unwrap_or_else(|| HOUSE.to_owned()),
        (reach, Some(named)) if reach.covers_partner(&named) => named,
        _ => return Err(ApiError::not_found("partner")),
    };
    let mut introduction = body.introduction.into_bytes();
    intake::end_line(&mut introduction);
    let paired = pair(&app, &introduction, &body.confirm, &partner, &by).await?;
    Ok((StatusCode::CREATED, Json(paired)).into_response())
}

/// The paired signers.
#[derive(Serialize, ToSchema)]
struct Signers {
    signers: Vec<SignerShown>,
}

/// A paired signer.
#[derive(Serialize, ToSchema)]
struct SignerShown {
    /// Its public key.
    identity: String,
    /// Whose wallets it signs for.
    partner: String,
    name: String,
    /// How batches name its vault, 8 hex digits.
    fingerprint: String,
    /// `active` or `suspended`.
    state: &'static str,
    /// The newest head of its journal that was seen.
    head: Option<JournalHead>,
    policy: Option<SignerPolicy>,
}

/// A place in a signer's journal.
#[derive(Serialize, ToSchema)]
struct JournalHead {
    sequence: u64,
    head: String,
}

/// The policy believed to be in force.
#[derive(Serialize, ToSchema)]
struct SignerPolicy {
    name: String,
    version: u64,
}

/// The paired signers
#[utoipa::path(get, path = "/v1/signers", tag = "signers",
    responses((status = 200, description = "All of them", body = Signers)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn signers(State(app): State<App>, caller: Caller) -> Result<Json<Signers>, ApiError> {
    let reach = caller.may(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let mut signers = Vec::new();
    let known = store::signers(&mut db).await?;
    for signer in known.into_iter().filter(|signer| reach.covers_partner(&signer.partner)) {
        let head = store::newest_head(&mut db, &signer.identity).await?;
        let policy = store::newest_policy(&mut db, &signer.identity).await?;
        signers.push(SignerShown {
            identity: signer.identity.to_string(),
            partner: signer.partner,
            name: signer.introduction.name.to_string(),
            fingerprint: hex::encode(signer.fingerprint),
            state: if signer.active { "active" } else { "suspended" },
            head: head.map(|head| JournalHead { sequence: head.sequence, head: head.head.to_string() }),
            policy: policy.map(|signed| SignerPolicy {
                name: signed.policy.name.to_string(),
                version: signed.policy.version,
            }),
        });
    }
    Ok(Json(Signers { signers }))
}

/// What was imported.
#[derive(Serialize, ToSchema)]
struct PoliciesImported {
    policies: Vec<PolicyImported>,
}

/// An imported policy.
#[derive(Serialize, ToSchema)]
struct PolicyImported {
    name: String,
    version: u64,
    digest: String,
}

/// Imports policies that custodians have signed
#[utoipa::path(post, path = "/v1/policies", tag = "signers",
    request_body(content((Upload = "application/octet-stream"), (UploadForm = "multipart/form-data"))),
    responses((status = 201, description = "Imported", body = PoliciesImported)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn policy(State(app): State<App>, caller: Caller, by: By, parts: Parts) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManageSigners)?;
    let mut policies = Vec::new();
    for document in parts.documents(SignedPolicy::KIND).await? {
        let policy = import_policy(&app, &document, &reach, &by).await?.policy;
        let digest = policy.digest().to_string();
        policies.push(PolicyImported { name: policy.name.to_string(), version: policy.version, digest });
    }
    Ok((StatusCode::CREATED, Json(PoliciesImported { policies })).into_response())
}

/// What was imported.
#[derive(Serialize, ToSchema)]
struct WalletsImported {
    wallets: Vec<WalletImported>,
}

/// An imported wallet of a signer.
#[derive(Serialize, ToSchema)]
struct WalletImported {
    #[schema(value_type = NetworkName)]
    network: Network,
    /// `hot`, `cold` or `energy`.
    role: &'static str,
    index: u32,
    #[schema(value_type = AddressText)]
    address: String,
}

/// Imports the wallets that a signer has exported
#[utoipa::path(post, path = "/v1/wallets", tag = "signers",
    request_body(content = Upload, content_type = "application/octet-stream"),
    responses((status = 201, description = "Imported", body = WalletsImported)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn wallets(
    State(app): State<App>,
    caller: Caller,
    by: By,
    body: axum::body::Bytes,
) -> Result<Response, ApiError> {
    let reach = caller.may(Permission::ManageSigners)?;
    let wallets = import_wallets(&app, &body, &reach, &by).await?;
    let wallets = wallets
        .iter()
        .map(|wallet| WalletImported {
            network: wallet.address.network(),
            role: wallet.role.name(),
            index: wallet.index,
            address: wallet.address.to_string(),
        })
        .collect();
    Ok((StatusCode::CREATED, Json(WalletsImported { wallets })).into_response())
}

impl From<PairingError> for ApiError {
    fn from(error: PairingError) -> Self {
        let text = error.to_string();
        match error {
            PairingError::Document(_) => Self::new(Code::BadDocument, text),
            PairingError::Words { .. } => Self::new(Code::Words, text),
            PairingError::OtherProfile { .. } => Self::new(Code::OtherProfile, text),
            PairingError::NoPartner { .. } => Self::not_found("partner"),
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
