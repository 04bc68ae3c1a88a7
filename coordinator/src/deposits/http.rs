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
use crate::api::page::{Cursor, Limit, cut};
use crate::api::texts::{AddressText, Amount, AmountBase, AssetName, Moment, NetworkName};
use crate::api::{ApiError, Body, Code, Query, moment};
use crate::app::App;
use crate::audit::http::money_read;
use crate::audit::{self, Action, By};
use crate::batches::http::Parts;
use crate::clock::UnixMillis;
use crate::people::{Caller, Permission};
use airlock_shared::attestation::{AddressRange, Attestation};
use airlock_shared::document::Document as _;
use airlock_shared::{Network, words};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Attested ranges in one answer, and waiting deposits that are counted.
const LIST_MAX: i64 = 500;

/// Above every id: they are lower-case hex.
const ABOVE_IDS: &str = "g";

/// `/v1/deposit-addresses`, `/v1/deposits`, `/v1/xpubs`, `/v1/attestations`, `/v1/chains`, `/v1/chains/resume`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_addresses, give_address))
        .routes(routes!(list_deposits))
        .routes(routes!(import_xpub))
        .routes(routes!(list_attestations, import_attestation))
        .routes(routes!(attestation_words))
        .routes(routes!(chains))
        .routes(routes!(resume))
}

/// Where an address is wanted, and for whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DepositAddressWanted {
    #[schema(value_type = NetworkName)]
    network: Network,
    /// For keys and operators: whose. A user gets its own.
    user: Option<String>,
}

/// A deposit address.
#[derive(Debug, Serialize, ToSchema)]
struct DepositAddress {
    /// Whose deposits it takes.
    user: String,
    #[schema(value_type = NetworkName)]
    network: String,
    #[schema(value_type = AddressText)]
    address: String,
    /// Its derivation path.
    path: String,
    #[schema(value_type = Moment)]
    made_at: String,
    /// The signer's word that the address is its own; null where it has attested none.
    #[schema(value_type = Option<Object>)]
    proof: Option<Value>,
}

/// Open a deposit address
///
/// The same one for ever: asking again changes nothing.
#[utoipa::path(post, path = "/v1/deposit-addresses", tag = "deposits", request_body = DepositAddressWanted,
    responses((status = 200, description = "The address", body = DepositAddress)),
    extensions(("x-airlock-permission" = json!("open_address"))))]
async fn give_address(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<DepositAddressWanted>,
) -> Result<Json<DepositAddress>, ApiError> {
    let (user, _) = app.directory.named(&caller.may(Permission::OpenAddress)?, wanted.user).await?;
    let row = address::give(&app, wanted.network, &user, &by).await?;
    Ok(Json(shown_address(&app, &row).await?))
}

/// Whose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DepositAddressesQuery {
    /// For keys and staff: of this user. A user sees its own.
    user: Option<String>,
}

/// Every deposit address of a user: at most one on each network.
#[derive(Debug, Serialize, ToSchema)]
struct DepositAddresses {
    deposit_addresses: Vec<DepositAddress>,
}

/// Deposit addresses
#[utoipa::path(get, path = "/v1/deposit-addresses", tag = "deposits", params(DepositAddressesQuery),
    responses((status = 200, description = "All of them", body = DepositAddresses)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn list_addresses(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<DepositAddressesQuery>,
) -> Result<Json<DepositAddresses>, ApiError> {
    let (user, _) = app.directory.named(&caller.may(Permission::SeeMoney)?, query.user).await?;
    let rows = addresses::addresses_of_user(&mut *app.db.reader().await?, &user).await?;
    let mut deposit_addresses = Vec::with_capacity(rows.len());
    for row in rows {
        deposit_addresses.push(shown_address(&app, &row).await?);
    }
    money_read(&app, &caller, &by, &user, json!({ "read": "deposit addresses" })).await?;
    Ok(Json(DepositAddresses { deposit_addresses }))
}

/// An address with its proof; one that is not what it was when it was given out is shown to nobody.
async fn shown_address(app: &App, row: &AddressRow) -> Result<DepositAddress, ApiError> {
    let proof = attestation::vouched(app, row).await?.map(|proof| proof.to_json());
    let proof: Option<Value> =
        proof.map(|json| serde_json::from_str(&json)).transpose().map_err(ApiError::internal)?;
    Ok(DepositAddress {
        user: row.user_id.clone(),
        network: row.address.network().to_string(),
        address: row.address.to_string(),
        path: row.path.clone(),
        made_at: moment(row.made_at),
        proof,
    })
}

/// Whose deposits, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DepositsQuery {
    /// For keys and staff: of this user. A user sees its own.
    user: Option<String>,
    /// Rows of a page.
    #[serde(default)]
    limit: Limit,
    /// A page's `next`, for the page behind it.
    before: Option<Cursor>,
}

/// A page of deposits, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Deposits {
    deposits: Vec<Deposit>,
    /// Give it as `before` for the page behind this one; null at the end.
    next: Option<Cursor>,
}

/// What arrived at a deposit address.
#[derive(Debug, Serialize, ToSchema)]
struct Deposit {
    id: String,
    user: String,
    #[schema(value_type = NetworkName)]
    network: String,
    /// The transaction on chain.
    tx_id: String,
    /// Which of the transaction's transfers it is; -1 for the native coin.
    ordinal: i64,
    #[schema(value_type = AddressText)]
    address: String,
    #[schema(value_type = AddressText)]
    from: String,
    #[schema(value_type = AssetName)]
    asset: String,
    /// `native`, or the token's contract.
    coin: String,
    /// In whole units; null where it does not fit the ledger.
    #[schema(value_type = Option<Amount>)]
    amount: Option<String>,
    #[schema(value_type = AmountBase)]
    amount_base: String,
    /// Where it stands; see the table of states.
    state: &'static str,
    /// Why it is rejected, or what it waits for.
    reason: String,
    height: u64,
    block_id: String,
    /// Blocks on top and its own; null once it left the chain.
    confirmations: Option<u64>,
    #[schema(value_type = Moment)]
    seen_at: String,
    #[schema(value_type = Option<Moment>)]
    credited_at: Option<String>,
}

/// Deposits
#[utoipa::path(get, path = "/v1/deposits", tag = "deposits", params(DepositsQuery),
    responses((status = 200, description = "A page", body = Deposits)),
    extensions(("x-airlock-permission" = json!("see_money"))))]
async fn list_deposits(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Query(query): Query<DepositsQuery>,
) -> Result<Json<Deposits>, ApiError> {
    let (user, _) = app.directory.named(&caller.may(Permission::SeeMoney)?, query.user).await?;
    let mut db = app.db.reader().await?;
    let mut read_through = HashMap::new();
    for network in &app.config.networks {
        if let Some(height) = store::read_through(&mut db, network.network).await? {
            read_through.insert(network.network, height);
        }
    }
    let place = query.before.as_ref().map_or((UnixMillis::MAX, ABOVE_IDS), Cursor::key);
    let mut rows = store::newest_before(&mut db, Some(&user), place, query.limit.and_one()).await?;
    drop(db);
    let next = cut(&mut rows, query.limit, |row| (row.seen_at, &row.id));
    let deposits: Result<_, ApiError> =
        rows.into_iter().map(|row| shown_deposit(&app, row, &read_through)).collect();
    money_read(&app, &caller, &by, &user, json!({ "read": "deposits" })).await?;
    Ok(Json(Deposits { deposits: deposits?, next }))
}

fn shown_deposit(
    app: &App,
    row: DepositRow,
    read_through: &HashMap<Network, u64>,
) -> Result<Deposit, ApiError> {
    let transfer = row.transfer;
    let network = transfer.to.network();
    let decimals = app.config.assets.decimals(&row.asset).map_err(ApiError::internal)?;
    let in_chain = row.state != DepositState::Orphaned;
    let top = read_through.get(&network).filter(|_| in_chain);
    Ok(Deposit {
        network: network.to_string(),
        tx_id: transfer.tx_id.shown_on(network),
        ordinal: transfer.ordinal,
        address: transfer.to.to_string(),
        from: transfer.from.to_string(),
        coin: transfer.coin.to_string(),
        amount: row.amount.map(|amount| amount.to_decimal(decimals)),
        amount_base: transfer.amount.to_string(),
        state: row.state.name(),
        reason: row.reason,
        height: row.height,
        block_id: row.block_id.shown_on(network),
        confirmations: top.map(|top| (top + 1).saturating_sub(row.height)),
        seen_at: moment(row.seen_at),
        credited_at: row.credited_at.map(moment),
        asset: row.asset.to_string(),
        user: row.user_id,
        id: row.id,
    })
}

/// What was imported.
#[derive(Debug, Serialize, ToSchema)]
struct XpubImported {
    #[schema(value_type = NetworkName)]
    network: String,
    /// Of the deposit account.
    path: String,
    /// Its address with index 0.
    #[schema(value_type = AddressText)]
    first_address: String,
}

/// Import the xpub of a network's deposit account
///
/// The file that `airlock-signer xpub` wrote.
#[utoipa::path(post, path = "/v1/xpubs", tag = "signers",
    request_body(content = Object, description = "The signer's file", content_type = "application/json"),
    responses((status = 200, description = "Imported", body = XpubImported)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn import_xpub(
    State(app): State<App>,
    caller: Caller,
    by: By,
    body: axum::body::Bytes,
) -> Result<Json<XpubImported>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let export = XpubExport::read(&body)?;
    let imported = XpubImported {
        network: export.network.to_string(),
        path: export.path.clone(),
        first_address: export.first_address.clone(),
    };
    address::import(&app, export, &by).await?;
    Ok(Json(imported))
}

/// A range of deposit addresses.
#[derive(Debug, Serialize, ToSchema)]
struct AddressRangeShown {
    /// What the signer's screen must show.
    words: String,
    #[schema(value_type = NetworkName)]
    network: String,
    /// Path of the account.
    account: String,
    /// The first index.
    first: u32,
    /// How many.
    count: u32,
    /// Root of the tree over all addresses.
    root: String,
}

/// A range that the signer attested.
#[derive(Debug, Serialize, ToSchema)]
struct AttestedRange {
    #[serde(flatten)]
    range: AddressRangeShown,
    /// Of the range.
    digest: String,
    /// The signer's identity key.
    signer: String,
    #[schema(value_type = Moment)]
    attested_at: String,
    /// In lists: who imported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_by: Option<String>,
    /// In lists: when.
    #[schema(value_type = Option<Moment>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_at: Option<String>,
}

/// Attested ranges, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Attestations {
    attestations: Vec<AttestedRange>,
}

/// Import what the signer attested
#[utoipa::path(post, path = "/v1/attestations", tag = "signers",
    request_body(content = Vec<u8>, description = "A file, or a form with files or pictures of frames",
        content_type = "application/octet-stream"),
    responses((status = 200, description = "Imported", body = Attestations)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn import_attestation(
    State(app): State<App>,
    caller: Caller,
    by: By,
    parts: Parts,
) -> Result<Json<Attestations>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let mut attestations = Vec::new();
    for document in parts.documents(Attestation::KIND).await? {
        let taken = attestation::import(&app, &document, &by).await?;
        attestations.push(shown_range(&taken, None));
    }
    Ok(Json(Attestations { attestations }))
}

/// Attested ranges
#[utoipa::path(get, path = "/v1/attestations", tag = "signers",
    responses((status = 200, description = "The newest 500", body = Attestations)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn list_attestations(State(app): State<App>, caller: Caller) -> Result<Json<Attestations>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let ranges = attestation::store::ranges(&mut *app.db.reader().await?, LIST_MAX).await?;
    let shown = ranges
        .into_iter()
        .map(|range| shown_range(&range.attestation, Some((range.imported_by, range.made_at))));
    Ok(Json(Attestations { attestations: shown.collect() }))
}

fn shown_range(attestation: &Attestation, imported: Option<(String, UnixMillis)>) -> AttestedRange {
    let range = &attestation.range;
    let attested_ms = i64::try_from(range.made_at).unwrap_or(i64::MAX).saturating_mul(1_000);
    let (imported_by, imported_at) = imported.map(|(by, at)| (by, moment(at))).unzip();
    AttestedRange {
        range: shown_addresses(range),
        digest: range.digest().to_string(),
        signer: attestation.signer.to_string(),
        attested_at: moment(attested_ms),
        imported_by,
        imported_at,
    }
}

fn shown_addresses(range: &AddressRange) -> AddressRangeShown {
    AddressRangeShown {
        words: words::words(&range.words_digest()),
        network: range.network.to_string(),
        account: range.account.to_string(),
        first: range.first,
        count: range.count,
        root: range.root.to_string(),
    }
}

/// Which range.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AddressRangeQuery {
    #[param(value_type = NetworkName)]
    network: Network,
    /// The first index; 0 if left out.
    #[serde(default)]
    first: u32,
    /// How many.
    count: u32,
}

/// What the signer's screen must show when it attests this range
#[utoipa::path(get, path = "/v1/attestations/words", tag = "signers", params(AddressRangeQuery),
    responses((status = 200, description = "The range with its words", body = AddressRangeShown)),
    extensions(("x-airlock-permission" = json!("manage_signers"))))]
async fn attestation_words(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<AddressRangeQuery>,
) -> Result<Json<AddressRangeShown>, ApiError> {
    caller.house(Permission::ManageSigners)?;
    let range = attestation::expected(&app, wanted.network, wanted.first, wanted.count).await?;
    Ok(Json(shown_addresses(&range)))
}

/// How every network is doing.
#[derive(Debug, Serialize, ToSchema)]
struct ChainsShown {
    chains: Vec<ChainShown>,
}

/// How a network is doing.
#[derive(Debug, Serialize, ToSchema)]
struct ChainShown {
    #[schema(value_type = NetworkName)]
    network: String,
    /// The last final block that was read; null before the first start.
    final_height: Option<u64>,
    /// Up to here a second provider said the same.
    compared_height: Option<u64>,
    /// The highest block read in any view.
    read_through: Option<u64>,
    /// Why nothing more is read or credited; null while all is well.
    halted: Option<String>,
    /// Deposits that wait for a second provider's word; 500 stands for more.
    waiting_for_second_provider: usize,
    /// Logs that a person must look at.
    quarantined_logs: i64,
    providers: Vec<ProviderShown>,
}

/// How a provider is doing.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderShown {
    /// Place and host.
    provider: String,
    /// Has it proved to be on the configured network?
    proved: bool,
    /// Was it refused for good?
    refused: bool,
    /// Failures since its last answer.
    failures: u32,
    last_error: Option<String>,
}

/// How the chains are doing
#[utoipa::path(get, path = "/v1/chains", tag = "operations",
    responses((status = 200, description = "Every network", body = ChainsShown)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn chains(State(app): State<App>, caller: Caller) -> Result<Json<ChainsShown>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let mut db = app.db.reader().await?;
    let mut chains = Vec::new();
    for providers in app.chains.all() {
        let network = providers.network();
        let cursor = store::cursor(&mut db, network).await?;
        let shown = providers.health().into_iter().map(|health| ProviderShown {
            provider: health.label,
            proved: health.proved,
            refused: health.refused,
            failures: health.failures,
            last_error: health.last_error,
        });
        chains.push(ChainShown {
            network: network.to_string(),
            final_height: cursor.as_ref().map(|cursor| cursor.height),
            compared_height: cursor.as_ref().map(|cursor| cursor.compared_height),
            read_through: store::read_through(&mut db, network).await?,
            halted: cursor.map(|cursor| cursor.halted).filter(|halted| !halted.is_empty()),
            waiting_for_second_provider: store::confirming(&mut db, network, LIST_MAX).await?.len(),
            quarantined_logs: store::quarantined(&mut db, network).await?,
            providers: shown.collect(),
        });
    }
    Ok(Json(ChainsShown { chains }))
}

/// Which network goes on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChainResumeWanted {
    #[schema(value_type = NetworkName)]
    network: Network,
}

/// A network that goes on.
#[derive(Debug, Serialize, ToSchema)]
struct ChainResumed {
    #[schema(value_type = NetworkName)]
    network: String,
    /// Always null.
    halted: Option<String>,
}

/// Let a halted network go on
///
/// Once a person has looked into why it was halted.
#[utoipa::path(post, path = "/v1/chains/resume", tag = "operations", request_body = ChainResumeWanted,
    responses((status = 200, description = "It goes on", body = ChainResumed)),
    extensions(("x-airlock-permission" = json!("run_batches"))))]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    by: By,
    Body(wanted): Body<ChainResumeWanted>,
) -> Result<Json<ChainResumed>, ApiError> {
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
    Ok(Json(ChainResumed { network: network.to_string(), halted: None }))
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
