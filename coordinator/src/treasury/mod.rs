//! The company's own money: what the ledger opens with, and the comparison of every reserve with its chain.
//!
//! An operator states what lies in a wallet on chain at the start; the reserve is debited and capital credited, to the
//! last base unit. `reconcile` only reads. What must stay true: whatever changes a reserve goes through the ledger's
//! writer, the wallet is one of the configured ones, and each statement is booked once.

pub mod http;
pub mod reconcile;

use crate::audit::{self, Action, By};
use crate::config::Config;
use crate::ledger::{Account, AssetCode, LedgerError, Posting, Unit};
use airlock_shared::{Address, AddressError, AmountError, BaseUnits, Network};
use serde_json::{Value, json};

/// Why an opening was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningRefusal {
    /// Not a network we serve.
    #[error("unknown network {found:?}")]
    Network {
        /// What was there.
        found: String,
    },
    /// Not an asset of that network.
    #[error("unknown asset {found:?} on {network}")]
    Asset {
        /// What was there.
        found: String,
        /// Where.
        network: Network,
    },
    /// Not an address of that network.
    #[error("wallet: {0}")]
    Address(#[from] AddressError),
    /// Not one of our configured wallets.
    #[error("{wallet} is not a configured wallet of ours")]
    Foreign {
        /// The address.
        wallet: Address,
    },
    /// Not an amount above zero in base units.
    #[error("amount_base: {0}")]
    Amount(#[from] AmountError),
    /// Nothing to book.
    #[error("amount_base is zero")]
    Zero,
}

/// A checked statement of what lies in a wallet.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Which wallet.
    pub wallet: Address,
    /// Which asset.
    pub asset: AssetCode,
    /// How much.
    pub amount: BaseUnits,
}

/// Checks texts against the settings.
pub fn check(
    config: &Config,
    network: &str,
    wallet: &str,
    asset: &str,
    amount_base: &str,
) -> Result<Opening, OpeningRefusal> {
    let unknown = || OpeningRefusal::Network { found: network.chars().take(64).collect() };
    let network: Network = network.parse().map_err(|_| unknown())?;
    let configured = config.network(network).ok_or_else(unknown)?;
    let code = asset.parse::<AssetCode>().ok();
    let asset = code
        .filter(|code| configured.token(code).is_some())
        .ok_or_else(|| OpeningRefusal::Asset { found: asset.chars().take(64).collect(), network })?;
    let wallet = Address::parse(network, wallet)?;
    if !configured.wallets.iter().any(|ours| ours.address == wallet) {
        return Err(OpeningRefusal::Foreign { wallet });
    }
    let amount: BaseUnits = amount_base.parse()?;
    if amount.is_zero() { Err(OpeningRefusal::Zero) } else { Ok(Opening { wallet, asset, amount }) }
}

/// Books an opening: reserve debit, capital credit. `reference` makes it unique.
pub async fn open(unit: &mut Unit, opening: &Opening, reference: &str, by: &By) -> Result<(), LedgerError> {
    let posting = Posting::new("opening_capital", reference).base(
        Account::reserve(opening.wallet, &opening.asset),
        Account::Capital(opening.asset.clone()),
        opening.amount,
    );
    unit.post(posting).await?;
    let after = json!({
        "network": opening.wallet.network(), "wallet": opening.wallet.to_string(), "asset": opening.asset,
        "amount_base": opening.amount,
    });
    audit::record(unit, by, Action::TreasuryOpening, reference, Value::Null, after).await
}
