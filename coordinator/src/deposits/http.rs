//! The routes of deposits: addresses, what arrived at them, the signer's xpubs and attestations, and how the chains are doing.
//!
//! Users act for themselves; partners and operators name the user. Amounts are exact decimal texts; whatever comes from a chain
//! carries its block. `POST /v1/deposit-addresses` moves no money and answers the same address for ever, so it needs no
//! idempotency key.

use super::address::store::{self as addresses, AddressRow};
use super::address::{self, AddressError, XpubExport};
use super::attestation;
use super::state::State as DepositState;
use super::store::{self, DepositRow};
use crate::api::auth::user_named;
use crate::api::{ApiError, Body, Query, moment, Code};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::batches::http::Parts;
use crate::people::{Caller, Permission};
use airlock_shared::attestation::{AddressRange, Attestation};
use airlock_shared::document::Document as _;
use airlock_shared::{Network, words};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Deposits in one answer.
const LIST_MAX: i64 = 500;

/// `/v1/deposit-addresses`, `/v1/deposits`, `/v1/xpubs`, `/v1/attestations`, `/v1/chains`, `/v1/chains/resume`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v1/deposit-addresses", get(list_addresses).post(give_address))
        .route("/v1/deposits", get(list_deposits))
        .route("/v1/xpubs", post(import_xpub))
        .route("/v1/attestations", get(list_attestations).post(import_attestation))
        .route("/v1/attestations/words", get(attestation_words))
        .route("/v1/chains", get(chains))
        .route("/v1/chains/resume", post(resume))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedAddress {
    network: Network,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfUser {
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfNetwork {
    network: Network,
}

async fn give_address(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<WantedAddress>,
) -> Result<Json<Value>, ApiError> {
    let (user, _) = user_named(&app, &caller.may(Permission::OpenAddress)?, wanted.user.as_deref()).await?;
    let row = address::give(&app, wanted.network, &user, &by).await?;
    Ok(Json(shown_address(&app, &row).await?))
}

async fn list_addresses(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OfUser>,
) -> Result<Json<Value>, ApiError> {
    let (user, _) = user_named(&app, &caller.may(Permission::SeeMoney)?, query.user.as_deref()).await?;
    let rows = addresses::addresses_of_user(&mut *app.db.reader().await?, &user).await?;
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        shown.push(shown_address(&app, &row).await?);
    }
    Ok(Json(json!({ "deposit_addresses": shown })))
}

/// An address with its proof; one that is not what it was when it was given out is shown to nobody.
async fn shown_address(app: &App, row: &AddressRow) -> Result<Value, ApiError> {
    let proof = attestation::vouched(app, row).await?.map(|proof| proof.to_json());
    let proof: Option<Value> =
        proof.map(|json| serde_json::from_str(&json)).transpose().map_err(ApiError::internal)?;
    Ok(json!({
        "user": row.user_id, "network": row.address.network(), "address": row.address.to_string(), "path": row.path,
        "made_at": moment(row.made_at), "proof": proof,
    }))
}

async fn list_deposits(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OfUser>,
) -> Result<Json<Value>, ApiError> {
    let (user, _) = user_named(&app, &caller.may(Permission::SeeMoney)?, query.user.as_deref()).await?;
    let mut db = app.db.reader().await?;
    let mut read_through = HashMap::new();
    for network in &app.config.networks {
        if let Some(height) = store::read_through(&mut db, network.network).await? {
            read_through.insert(network.network, height);
        }
    }
    let rows = store::of_user(&mut db, &user, LIST_MAX).await?;
    let shown: Result<Vec<Value>, ApiError> =
        rows.iter().map(|row| shown_deposit(&app, row, &read_through)).collect();
    Ok(Json(json!({ "deposits": shown? })))
}

fn shown_deposit(
    app: &App,
    row: &DepositRow,
    read_through: &HashMap<Network, u64>,
) -> Result<Value, ApiError> {
    let transfer = &row.transfer;
    let network = transfer.to.network();
    let decimals = app.config.assets.decimals(&row.asset).map_err(ApiError::internal)?;
    let in_chain = row.state != DepositState::Orphaned;
    let confirmations =
        read_through.get(&network).filter(|_| in_chain).map(|top| (top + 1).saturating_sub(row.height));
    Ok(json!({
        "id": row.id, "user": row.user_id, "network": network, "tx_id": transfer.tx_id.shown_on(network),
        "ordinal": transfer.ordinal, "address": transfer.to.to_string(), "from": transfer.from.to_string(),
        "asset": row.asset, "coin": transfer.coin.to_string(),
        "amount": row.amount.map(|amount| amount.to_decimal(decimals)), "amount_base": transfer.amount,
        "state": row.state.name(), "reason": row.reason, "height": row.height, "block_id": row.block_id.shown_on(network),
        "confirmations": confirmations, "seen_at": moment(row.seen_at), "credited_at": row.credited_at.map(moment),
    }))
}

async fn import_xpub(
    State(app): State<App>,
    caller: Caller,
    by: By,
    body: axum::body::Bytes,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let export = XpubExport::read(&body)?;
    let shown =
        json!({ "network": export.network, "path": export.path, "first_address": export.first_address });
    address::import(&app, export, &by).await?;
    Ok(Json(shown))
}

async fn import_attestation(
    State(app): State<App>,
    caller: Caller,
    by: By,
    parts: Parts,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let mut imported = Vec::new();
    for document in parts.documents(Attestation::KIND).await? {
        let taken = attestation::import(&app, &document, &by).await?;
        imported.push(shown_range(&taken));
    }
    Ok(Json(json!({ "attestations": imported })))
}

async fn list_attestations(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let ranges = attestation::store::ranges(&mut *app.db.reader().await?, LIST_MAX).await?;
    let shown: Vec<Value> = ranges
        .iter()
        .map(|range| {
            let mut shown = shown_range(&range.attestation);
            shown["imported_by"] = json!(range.imported_by);
            shown["imported_at"] = json!(moment(range.made_at));
            shown
        })
        .collect();
    Ok(Json(json!({ "attestations": shown })))
}

fn shown_range(attestation: &Attestation) -> Value {
    let range = &attestation.range;
    let mut shown = shown_addresses(range);
    shown["digest"] = json!(range.digest().to_string());
    shown["signer"] = json!(attestation.signer.to_string());
    shown["attested_at"] =
        json!(moment(i64::try_from(range.made_at).unwrap_or(i64::MAX).saturating_mul(1_000)));
    shown
}

fn shown_addresses(range: &AddressRange) -> Value {
    json!({
        "words": words::words(&range.words_digest()), "network": range.network,
        "account": range.account.to_string(), "first": range.first, "count": range.count,
        "root": range.root.to_string(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRange {
    network: Network,
    #[serde(default)]
    first: u32,
    count: u32,
}

/// What the signer's screen must show when it attests this range.
async fn attestation_words(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<WantedRange>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let range = attestation::expected(&app, wanted.network, wanted.first, wanted.count).await?;
    Ok(Json(shown_addresses(&range)))
}

async fn chains(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let mut shown = Vec::new();
    for providers in app.chains.all() {
        let cursor = store::cursor(&mut db, providers.network()).await?;
        let providers_shown: Vec<Value> = providers
            .health()
            .into_iter()
            .map(|health| {
                json!({
                    "provider": health.label, "proved": health.proved, "refused": health.refused,
                    "failures": health.failures, "last_error": health.last_error,
                })
            })
            .collect();
        shown.push(json!({
            "network": providers.network(), "final_height": cursor.as_ref().map(|cursor| cursor.height),
            "compared_height": cursor.as_ref().map(|cursor| cursor.compared_height),
            "read_through": store::read_through(&mut db, providers.network()).await?,
            "halted": cursor.map(|cursor| cursor.halted).filter(|halted| !halted.is_empty()),
            "waiting_for_second_provider": store::confirming(&mut db, providers.network(), LIST_MAX).await?.len(),
            "quarantined_logs": store::quarantined(&mut db, providers.network()).await?,
            "providers": providers_shown,
        }));
    }
    Ok(Json(json!({ "chains": shown })))
}

/// An operator has looked into why a network was halted and lets it go on.
async fn resume(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<OfNetwork>,
) -> Result<Json<Value>, ApiError> {
    caller.house(Permission::RunBatches)?;
    let network = wanted.network;
    app.config.network(network).ok_or_else(|| ApiError::not_found("network"))?;
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let halted = store::cursor(unit.db(), network).await?.map(|cursor| cursor.halted);
                store::set_halted(unit.db(), network, "", now).await?;
                let (subject, before) = (network.to_string(), json!({ "halted": halted }));
                let after = json!({ "halted": null });
                Ok::<_, ApiError>(
                    audit::record(unit, &by, Action::ChainResume, &subject, before, after).await?,
                )
            })
        })
        .await?;
    Ok(Json(json!({ "network": network, "halted": null })))
}

impl From<AddressError> for ApiError {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Unreadable(_) => Self::new(Code::BadXpubExport, error.to_string()),
            AddressError::Field { .. } | AddressError::Derivation(_) => {
                Self::new(Code::BadXpubExport, error.to_string())
            }
            AddressError::NotConfigured(_) => Self::new(Code::UnknownNetwork, error.to_string()),
            AddressError::Attestation(_) => Self::new(Code::BadAttestation, error.to_string()),
            AddressError::NotAttested { .. } => Self::new(Code::NotAttested, error.to_string()),
            AddressError::Altered { .. } => Self::new(Code::AddressAltered, error.to_string()),
            AddressError::Pairing(error) => (*error).into(),
            AddressError::Taken(_) => Self::new(Code::XpubExists, error.to_string()),
            AddressError::NoXpub(_) => Self::new(Code::NoXpub, error.to_string()),
            AddressError::Ledger(error) => error.into(),
            AddressError::Database(error) => error.into(),
        }
    }
}
