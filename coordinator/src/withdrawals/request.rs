//! A request for a withdrawal: parsed, checked against the settings, then held and written in one commit.
//!
//! `http.rs` calls [`check`] (pure) and [`request`] (inside the writer's commit). What must stay true: what passes is a
//! checked address of that very network that is nobody's mistake and not our own, and the hold (amount plus fee) and
//! the row commit together or not at all.

use super::WithdrawalError;
use super::state::State;
use super::store::{self, Step, Withdrawal};
use crate::audit::{self, Action, By};
use crate::config::Config;
use crate::db::random_id;
use crate::deposits;
use crate::ledger::store::is_own_wallet;
use crate::ledger::{AssetCode, Hold, LedgerError, Unit};
use crate::pairing;
use crate::{fees, freeze};
use airlock_shared::{
    Address, AddressError, AmountError, BaseUnits, Family, MinorUnits, Network, UncheckedAddress,
};
use serde_json::{Value, json};

/// TRON's memo is a field of the transaction; 255 bytes is what the batch format carries.
const MEMO_MAX_BYTES: usize = 255;

/// What somebody asks for, as texts.
#[derive(Clone, Debug)]
pub struct Asked {
    /// CAIP-2.
    pub network: String,
    /// Asset code.
    pub asset: String,
    /// Destination.
    pub to: String,
    /// Decimal, in the asset.
    pub amount: String,
    /// TRON only.
    pub memo: Option<String>,
    /// A quote whose fee shall hold.
    pub quote: Option<String>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a network we serve.
    #[error("unknown network {found:?}")]
    Network {
        /// What was there.
        found: String,
    },
    /// Not an asset that can be withdrawn there.
    #[error("asset {found:?} cannot be withdrawn on {network}")]
    Asset {
        /// What was there.
        found: String,
        /// Where.
        network: Network,
    },
    /// Not an address of that network.
    #[error("destination: {0}")]
    Address(#[from] AddressError),
    /// The zero address, a burn address or a precompile: money sent there is lost.
    #[error("destination {to} is a reserved address, money sent there is lost")]
    Reserved {
        /// The address.
        to: Address,
    },
    /// A token's own contract.
    #[error("destination {to} is a token contract")]
    TokenContract {
        /// The address.
        to: Address,
    },
    /// One of our own wallets or deposit addresses.
    #[error("destination {to} is one of our own addresses")]
    Own {
        /// The address.
        to: Address,
    },
    /// Not an exact amount.
    #[error("amount: {0}")]
    Amount(#[from] AmountError),
    /// Below the least amount.
    #[error("amount is below the minimum of {least}")]
    BelowMinimum {
        /// In the asset.
        least: String,
    },
    /// Above the greatest amount.
    #[error("amount is above the maximum of {greatest}")]
    AboveMaximum {
        /// In the asset.
        greatest: String,
    },
    /// A memo where there is none, too long, or with control characters.
    #[error("memo: {expected}")]
    Memo {
        /// What would do.
        expected: &'static str,
    },
}

/// A request that passed every check that needs no database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Where.
    pub network: Network,
    /// In what.
    pub asset: AssetCode,
    /// To whom.
    pub destination: Address,
    /// How much the recipient gets.
    pub amount: MinorUnits,
    /// The same in base units.
    pub amount_base: BaseUnits,
    /// What it costs on top by the settings; the partner's schedule or a quote may say otherwise.
    pub fee: MinorUnits,
    /// Memo.
    pub memo: Option<String>,
    /// The quote that was named.
    pub quote: Option<String>,
}

/// An amount that may be withdrawn there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Priced {
    /// Where.
    pub network: Network,
    /// In what.
    pub asset: AssetCode,
    /// How much.
    pub amount: MinorUnits,
    /// The same in base units.
    pub amount_base: BaseUnits,
    /// Decimals of the asset in the ledger.
    pub decimals: u8,
    /// The flat fee of the settings.
    pub fee: MinorUnits,
}

/// Reads network, asset and amount, as withdrawals and quotes name them.
pub fn priced(config: &Config, network: &str, asset: &str, amount: &str) -> Result<Priced, Refusal> {
    let unknown = || Refusal::Network { found: network.chars().take(64).collect() };
    let named: Network = network.parse().map_err(|_| unknown())?;
    let configured = config.network(named).ok_or_else(unknown)?;
    let code = asset.parse::<AssetCode>().ok();
    let (token, terms) = code
        .and_then(|code| configured.token(&code))
        .and_then(|token| Some((token, token.withdrawal?)))
        .ok_or_else(|| Refusal::Asset { found: asset.chars().take(64).collect(), network: named })?;
    let decimals = token.scale.minor_decimals();
    let amount = MinorUnits::from_decimal(amount, decimals)?;
    if !amount.is_positive() || amount < terms.amount_min {
        let least = terms.amount_min.max(MinorUnits::new(1));
        return Err(Refusal::BelowMinimum { least: least.to_decimal(decimals) });
    }
    if amount > terms.amount_max {
        return Err(Refusal::AboveMaximum { greatest: terms.amount_max.to_decimal(decimals) });
    }
    let (asset, amount_base) = (token.asset.clone(), token.scale.to_base(amount)?);
    Ok(Priced { network: named, asset, amount, amount_base, decimals, fee: terms.fee })
}

/// Checks a request against the settings.
pub fn check(config: &Config, asked: &Asked) -> Result<Terms, Refusal> {
    let Priced { network, asset, amount, amount_base, fee, .. } =
        priced(config, &asked.network, &asked.asset, &asked.amount)?;
    // `priced` has found it.
    let unknown = || Refusal::Network { found: asked.network.chars().take(64).collect() };
    let configured = config.network(network).ok_or_else(unknown)?;
    let destination = asked.to.parse::<UncheckedAddress>()?.on(network)?;
    refuse_lost(destination)?;
    let contracts = configured.tokens.iter().filter_map(|token| token.contract);
    if contracts.into_iter().any(|contract| contract == destination) {
        return Err(Refusal::TokenContract { to: destination });
    }
    if configured.wallets.iter().any(|wallet| wallet.address == destination) {
        return Err(Refusal::Own { to: destination });
    }
    let (memo, quote) = (memo(network, asked.memo.as_deref())?, asked.quote.clone());
    Ok(Terms { network, asset, destination, amount, amount_base, fee, memo, quote })
}

/// Zero, precompiles and the customary burn address 0x…dEaD all begin with 18 zero bytes.
fn refuse_lost(to: Address) -> Result<(), Refusal> {
    if to.payload().starts_with(&[0; 18]) { Err(Refusal::Reserved { to }) } else { Ok(()) }
}

fn memo(network: Network, memo: Option<&str>) -> Result<Option<String>, Refusal> {
    match memo {
        None => Ok(None),
        Some(_) if network.family() != Family::Tron => {
            Err(Refusal::Memo { expected: "only TRON transactions carry one" })
        }
        Some(text)
            if text.is_empty() || text.len() > MEMO_MAX_BYTES || text.chars().any(char::is_control) =>
        {
            Err(Refusal::Memo { expected: "1 to 255 bytes without control characters" })
        }
        Some(text) => Ok(Some(text.to_owned())),
    }
}

/// Whose money, and who asks.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The user's partner.
    pub partner: String,
    /// Whose money.
    pub user: String,
    /// Who asks, from where.
    pub by: By,
}

/// Holds amount plus fee and writes the withdrawal, pending.
pub async fn request(unit: &mut Unit, asks: &Requester, terms: Terms) -> Result<Withdrawal, WithdrawalError> {
    freeze::ensure_none(unit.db()).await?;
    let to = terms.destination;
    let ours = deposits::address::store::is_given_out(unit.db(), to).await?
        || is_own_wallet(unit.db(), to).await?
        || pairing::store::is_wallet(unit.db(), to).await?;
    if ours {
        return Err(Refusal::Own { to: terms.destination }.into());
    }
    let id = random_id().map_err(|error| LedgerError::Corrupt { what: format!("randomness: {error}") })?;
    let (now, amount) = (unit.now(), terms.amount);
    let (partner, user, network, settings) = (&asks.partner, &asks.user, terms.network, terms.fee);
    let of = fees::Charge { partner, user, network, asset: &terms.asset, amount, settings };
    let fee = fees::charge(unit.db(), &of, terms.quote.as_deref(), now).await?;
    let total = amount
        .checked_add(fee)
        .ok_or(Refusal::Amount(AmountError::OutOfRange { what: "amount plus fee" }))?;
    let hold = Hold { id: id.clone(), user: asks.user.clone(), asset: terms.asset.clone(), amount: total };
    unit.hold(&hold).await?;
    let row = Withdrawal {
        id,
        item_id: unit.next_item_id().await?,
        partner: asks.partner.clone(),
        user: asks.user.clone(),
        requested_by: asks.by.who.clone(),
        request_id: asks.by.request_id.clone(),
        network: terms.network,
        asset: terms.asset,
        destination: terms.destination,
        amount: terms.amount,
        amount_base: terms.amount_base,
        fee,
        memo: terms.memo,
        state: State::Pending,
        revision: 1,
        batch_id: None,
        made_at: unit.now(),
        changed_at: unit.now(),
    };
    store::insert(unit.db(), &row).await?;
    let now = unit.now();
    let step =
        Step { from: "", to: State::Pending.name(), event: "request", who: &asks.by.who, why: "requested" };
    store::insert_transition(unit.db(), &row.id, &step, now).await?;
    let after = json!({
        "state": row.state.name(), "user": row.user, "network": row.network, "asset": row.asset,
        "to": row.destination.to_string(), "amount_minor": row.amount.get().to_string(),
        "fee_minor": row.fee.get().to_string(),
    });
    audit::record(unit, &asks.by, Action::WithdrawalRequest, &row.id, Value::Null, after).await?;
    Ok(row)
}
