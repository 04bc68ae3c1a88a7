//! Wallets that a partner watches: hot and cold, by address alone (P5). Airlock holds no key of theirs through this list.
//!
//! `http` makes and changes them, `watch` reads what they hold from final blocks, `store` is the SQL. The switches say what is wanted of a wallet: sweep what
//! is above a threshold, provide energy when less is left. What must stay true: a balance is shown with the time of the
//! block it was read at; thresholds are exact amounts.

pub mod http;
pub mod store;
pub mod watch;

use super::PartnerError;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::clock::UnixMillis;
use crate::db;
use crate::ledger::AssetCode;
use crate::people::{self, Reach};
use airlock_shared::{Address, MinorUnits, Network};
use serde_json::{Value, json};

/// Wallets that one partner may watch.
pub const WALLETS_MAX: i64 = 200;
/// The asset in which sweep thresholds are counted where nothing else is said (P5).
pub const SWEEP_ASSET: &str = "USDT";
/// Sweep what is above so many whole units, where nothing else is said (P5).
pub const SWEEP_THRESHOLD: &str = "1000";
/// Provide energy when fewer units are left, where nothing else is said (P5).
pub const ENERGY_THRESHOLD: u32 = 100_000;

/// What a wallet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(as = WalletRole)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Pays day by day.
    Hot,
    /// Keeps the rest.
    Cold,
}

impl Role {
    /// As tables spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

/// What is wanted of a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Switches {
    /// Sweep what is above the threshold.
    pub sweep: bool,
    /// Of which asset.
    pub sweep_asset: AssetCode,
    /// Above how much.
    pub sweep_threshold: MinorUnits,
    /// Provide energy.
    pub energy: bool,
    /// When fewer units are left.
    pub energy_threshold: u32,
}

/// A watched wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// Its id.
    pub id: String,
    /// Whose.
    pub partner: String,
    /// Where.
    pub address: Address,
    /// What it is for.
    pub role: Role,
    /// What the partner calls it.
    pub label: String,
    /// Is it looked after?
    pub active: bool,
    /// What is wanted of it.
    pub switches: Switches,
    /// When it was added.
    pub made_at: UnixMillis,
    /// When it was last changed.
    pub changed_at: UnixMillis,
}

/// What was last read of a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// An asset's code, or `energy`.
    pub what: String,
    /// Base units of the asset, or units of energy.
    pub amount: String,
    /// The time of the block that it was read at.
    pub at_ms: UnixMillis,
}

/// What may change of a wallet.
#[derive(Clone, Default, Debug)]
pub struct Change {
    /// Another label.
    pub label: Option<String>,
    /// Looked after or not.
    pub active: Option<bool>,
    /// Sweep or not.
    pub sweep: Option<bool>,
    /// Above how much, in whole units of the sweep asset.
    pub sweep_threshold: Option<String>,
    /// Provide energy or not.
    pub energy: Option<bool>,
    /// When fewer units are left.
    pub energy_threshold: Option<u32>,
}

fn refused(field: &'static str, found: &str, expected: impl Into<String>) -> PartnerError {
    PartnerError::Setting { field, found: found.chars().take(64).collect(), expected: expected.into() }
}

fn label(text: &str) -> Result<String, PartnerError> {
    people::create::plain("label", text).map_err(PartnerError::Name)
}

impl Switches {
    /// Both off, with the thresholds of P5.
    fn default_of(app: &App) -> Result<Self, PartnerError> {
        let sweep_asset: AssetCode = SWEEP_ASSET.parse().map_err(|error| {
            refused("sweep_asset", SWEEP_ASSET, format!("an asset of the settings ({error})"))
        })?;
        let sweep_threshold = threshold(app, &sweep_asset, SWEEP_THRESHOLD)?;
        Ok(Self {
            sweep: false,
            sweep_asset,
            sweep_threshold,
            energy: false,
            energy_threshold: ENERGY_THRESHOLD,
        })
    }
}

fn threshold(app: &App, asset: &AssetCode, text: &str) -> Result<MinorUnits, PartnerError> {
    let decimals = app.config.assets.decimals(asset).map_err(|error| {
        refused("sweep_asset", asset.as_str(), format!("an asset of the settings ({error})"))
    })?;
    let amount = MinorUnits::from_decimal(text, decimals).ok().filter(|amount| amount.get() >= 0);
    amount
        .ok_or_else(|| refused("sweep_threshold", text, format!("a decimal with at most {decimals} places")))
}

/// What the audit log says of a wallet.
fn audited(wallet: &Watched) -> Value {
    let Switches { sweep, sweep_asset, sweep_threshold, energy, energy_threshold } = &wallet.switches;
    json!({
        "partner": wallet.partner, "network": wallet.address.network(), "address": wallet.address.to_string(),
        "role": wallet.role.name(), "label": wallet.label, "active": wallet.active, "sweep": sweep,
        "sweep_asset": sweep_asset, "sweep_threshold_minor": sweep_threshold.get(), "energy": energy,
        "energy_threshold": energy_threshold,
    })
}

/// A wallet that is to be watched.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its network's CAIP-2 name.
    pub network: String,
    /// Its address as the network writes it.
    pub address: String,
    /// What it is for.
    pub role: Role,
    /// Label and switches.
    pub change: Change,
}

/// Watches a wallet from now on.
pub async fn add(app: &App, partner: &str, wanted: Wanted, by: &By) -> Result<Watched, PartnerError> {
    let network: Network = wanted
        .network
        .parse()
        .ok()
        .filter(|network| app.config.network(*network).is_some())
        .ok_or_else(|| refused("network", &wanted.network, "a network of the settings"))?;
    let address = Address::parse(network, &wanted.address)
        .map_err(|error| refused("address", &wanted.address, format!("an address of {network} ({error})")))?;
    let mut wallet = Watched {
        id: db::random_id()?,
        partner: partner.to_owned(),
        address,
        role: wanted.role,
        label: label(wanted.change.label.as_deref().unwrap_or_default())?,
        active: true,
        switches: Switches::default_of(app)?,
        made_at: 0,
        changed_at: 0,
    };
    apply(app, &mut wallet, &wanted.change)?;
    let by = by.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let row = people::tenants::store::partner(unit.db(), &wallet.partner).await?;
                if !row.ok_or(PartnerError::NotFound { what: "partner" })?.active {
                    return Err(PartnerError::Closed);
                }
                if store::count(unit.db(), &wallet.partner).await? >= WALLETS_MAX {
                    return Err(PartnerError::TooMany);
                }
                (wallet.made_at, wallet.changed_at) = (unit.now(), unit.now());
                if !store::insert(unit.db(), &wallet, &by.who).await? {
                    return Err(PartnerError::Exists { what: "wallet", name: wallet.address.to_string() });
                }
                let after = audited(&wallet);
                audit::record(unit, &by, Action::PartnerWalletAdd, &wallet.id, Value::Null, after).await?;
                Ok(wallet)
            })
        })
        .await
}

/// Changes label, switches or thresholds of a wallet within reach.
pub async fn change(
    app: &App,
    partner: &str,
    id: &str,
    change: Change,
    reach: &Reach,
    by: &By,
) -> Result<Watched, PartnerError> {
    let missing = || PartnerError::NotFound { what: "wallet" };
    let (partner, id, reach, by, inner) =
        (partner.to_owned(), id.to_owned(), reach.clone(), by.clone(), app.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let before = store::find(unit.db(), &id).await?.ok_or_else(missing)?;
                if before.partner != partner || !reach.covers_partner(&partner) {
                    return Err(missing());
                }
                let mut after = before.clone();
                apply(&inner, &mut after, &change)?;
                if after != before {
                    after.changed_at = unit.now();
                    store::update(unit.db(), &after).await?;
                    let rows = (audited(&before), audited(&after));
                    audit::record(unit, &by, Action::PartnerWalletChange, &id, rows.0, rows.1).await?;
                }
                Ok(after)
            })
        })
        .await
}

fn apply(app: &App, wallet: &mut Watched, change: &Change) -> Result<(), PartnerError> {
    if let Some(text) = &change.label {
        wallet.label = label(text)?;
    }
    if let Some(text) = &change.sweep_threshold {
        wallet.switches.sweep_threshold = threshold(app, &wallet.switches.sweep_asset, text)?;
    }
    wallet.active = change.active.unwrap_or(wallet.active);
    wallet.switches.sweep = change.sweep.unwrap_or(wallet.switches.sweep);
    wallet.switches.energy = change.energy.unwrap_or(wallet.switches.energy);
    wallet.switches.energy_threshold = change.energy_threshold.unwrap_or(wallet.switches.energy_threshold);
    Ok(())
}
