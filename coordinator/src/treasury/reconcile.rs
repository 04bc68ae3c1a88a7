//! Reconciliation: every reserve account against its wallet's balance at a final block, native coins included.
//!
//! `GET /v1/reconciliation` and tests call [`reconcile`]. Checked are all reserve accounts that ever moved and all configured
//! wallets, each in every coin of its network. The chain is asked at one final block per network, whose height is in the report
//! beside how far the follower has read: what lies between the two explains a difference. Nothing is changed here.

use crate::api::texts::{AddressText, AmountBase, AssetName, Moment, NetworkName, Whole};
use crate::api::{ApiError, moment};
use crate::app::App;
use crate::chain::{ChainError, Coin, Header};
use crate::config::NetworkConfig;
use crate::deposits;
use crate::ledger::reconcile::{SignedBase, difference, reserve_base};
use crate::ledger::store::{self, ReserveBalance};
use crate::ledger::{AssetCode, LedgerError};
use crate::people::{Caller, Permission};
use airlock_shared::{Address, BaseUnits, Network};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The providers.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// One network's comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkReport {
    /// The network.
    pub network: Network,
    /// The final block at which the chain was asked.
    pub at: Header,
    /// How far the follower had read then; `None` before its first start.
    pub read_through: Option<u64>,
    /// One line per wallet and asset.
    pub lines: Vec<Line>,
}

/// One wallet and asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The wallet.
    pub wallet: Address,
    /// The asset.
    pub asset: AssetCode,
    /// What the ledger says, in base units.
    pub ledger_base: SignedBase,
    /// What the chain says.
    pub chain_base: BaseUnits,
    /// Chain less ledger.
    pub difference_base: SignedBase,
}

impl NetworkReport {
    /// Do all lines agree to the last base unit?
    pub fn agrees(&self) -> bool {
        self.lines.iter().all(|line| line.difference_base.is_zero())
    }
}

/// `/v1/reconciliation`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(report))
}

/// The books beside the chains.
#[derive(Serialize, ToSchema)]
struct Reconciliation {
    /// Do all networks agree to the last base unit?
    agrees: bool,
    networks: Vec<NetworkReconciled>,
}

/// One network's books beside its chain.
#[derive(Serialize, ToSchema)]
struct NetworkReconciled {
    #[schema(value_type = NetworkName)]
    network: Network,
    /// Of the final block at which the chain was asked.
    height: u64,
    block_id: String,
    #[schema(value_type = Moment)]
    block_time: String,
    /// How far the follower had read then.
    read_through: Option<u64>,
    agrees: bool,
    wallets: Vec<WalletReconciled>,
}

/// One wallet and asset.
#[derive(Serialize, ToSchema)]
struct WalletReconciled {
    #[schema(value_type = AddressText)]
    wallet: String,
    #[schema(value_type = AssetName)]
    asset: AssetCode,
    #[schema(value_type = Whole)]
    ledger_base: String,
    #[schema(value_type = AmountBase)]
    chain_base: BaseUnits,
    /// Chain less ledger.
    #[schema(value_type = Whole)]
    difference_base: String,
}

/// Every reserve in the books beside its wallet at a final block
#[utoipa::path(get, path = "/v1/reconciliation", tag = "operations",
    responses((status = 200, description = "Per network, wallet and asset", body = Reconciliation)),
    extensions(("x-airlock-permission" = json!("see_operations"))))]
async fn report(State(app): State<App>, caller: Caller) -> Result<Json<Reconciliation>, ApiError> {
    caller.house(Permission::SeeOperations)?;
    let reports = reconcile(&app).await?;
    let agrees = reports.iter().all(NetworkReport::agrees);
    Ok(Json(Reconciliation { agrees, networks: reports.iter().map(shown).collect() }))
}

fn shown(report: &NetworkReport) -> NetworkReconciled {
    let wallets = report.lines.iter().map(|line| WalletReconciled {
        wallet: line.wallet.to_string(),
        asset: line.asset.clone(),
        ledger_base: line.ledger_base.to_string(),
        chain_base: line.chain_base,
        difference_base: line.difference_base.to_string(),
    });
    NetworkReconciled {
        network: report.network,
        height: report.at.height,
        block_id: report.at.id.shown_on(report.network),
        block_time: moment(i64::try_from(report.at.time_ms).unwrap_or(i64::MAX)),
        read_through: report.read_through,
        agrees: report.agrees(),
        wallets: wallets.collect(),
    }
}

impl From<ReconcileError> for ApiError {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Chain(error) => Self::unavailable(error.to_string()),
            ReconcileError::Ledger(error) => error.into(),
            ReconcileError::Database(error) => error.into(),
        }
    }
}

/// Compares every network.
pub async fn reconcile(app: &App) -> Result<Vec<NetworkReport>, ReconcileError> {
    let mut reports = Vec::with_capacity(app.config.networks.len());
    for config in &app.config.networks {
        reports.push(of_network(app, config).await?);
    }
    Ok(reports)
}

/// Compares one network.
pub async fn of_network(app: &App, config: &NetworkConfig) -> Result<NetworkReport, ReconcileError> {
    let network = config.network;
    // The ledger is read before the chain: what is booked by then is final on the chain by then.
    let mut db = app.db.reader().await?;
    let named = network.to_string();
    let mut reserves = store::reserves(&mut db).await?;
    reserves.retain(|row| row.network == named);
    let read_through = deposits::store::cursor(&mut db, network).await?.map(|cursor| cursor.height);
    drop(db);
    let questions = questions(config, &reserves)?;
    let asked: Vec<(Address, Coin)> = questions.iter().map(|(wallet, coin, _)| (*wallet, *coin)).collect();
    let providers = app
        .chains
        .of(network)
        .ok_or_else(|| ChainError::NoProvider { network, last: "not configured".to_owned() })?;
    let told = providers
        .ask(|node| {
            let asked = asked.clone();
            async move { node.balances(&asked).await }
        })
        .await?;
    let (at, balances) = told.answer;
    let mut lines = Vec::with_capacity(balances.len());
    for ((wallet, _, asset), chain_base) in questions.into_iter().zip(balances) {
        lines.push(line(app, &reserves, wallet, asset, chain_base)?);
    }
    Ok(NetworkReport { network, at, read_through, lines })
}

/// Every wallet and coin to ask about, once, in order.
fn questions(
    config: &NetworkConfig,
    reserves: &[ReserveBalance],
) -> Result<BTreeSet<(Address, Coin, AssetCode)>, LedgerError> {
    let mut wallets: BTreeSet<Address> = config.wallets.iter().map(|wallet| wallet.address).collect();
    for row in reserves {
        let wallet = Address::parse(config.network, &row.wallet)
            .map_err(|_| LedgerError::Corrupt { what: format!("reserve wallet {:?}", row.wallet) })?;
        wallets.insert(wallet);
    }
    let tokens: Vec<_> = std::iter::once(&config.native).chain(&config.tokens).collect();
    let coins = |wallet: Address| {
        tokens
            .iter()
            .map(move |token| (wallet, token.contract.map_or(Coin::Native, Coin::Token), token.asset.clone()))
    };
    Ok(wallets.into_iter().flat_map(coins).collect())
}

fn line(
    app: &App,
    reserves: &[ReserveBalance],
    wallet: Address,
    asset: AssetCode,
    chain_base: BaseUnits,
) -> Result<Line, LedgerError> {
    let shown = wallet.to_string();
    let row = reserves.iter().find(|row| row.wallet == shown && row.asset == asset.as_str());
    let ledger_base = match row {
        Some(row) => reserve_base(row, app.config.assets.scale(&asset, wallet.network())?)?,
        None => SignedBase::ZERO,
    };
    let beyond = || LedgerError::Corrupt { what: format!("reserve {shown} {asset} is beyond 256 bits") };
    let difference_base = difference(chain_base, ledger_base).ok_or_else(beyond)?;
    Ok(Line { wallet, asset, ledger_base, chain_base, difference_base })
}
