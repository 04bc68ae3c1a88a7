//! What the chain must be asked before a batch is built: fees, gas or energy, reference block, account nonce, balances.
//!
//! `create.rs` calls [`ask`] before the writer's commit and checks the result again inside. Everything asked is a hint of one
//! provider: fee settings and policy cap it, and nothing here decides whom to pay. What must stay true: TRON's times come from
//! the chain's clock; a transfer that the chain says would fail is left out, not signed.

use super::BatchError;
use crate::chain::{ChainError, Coin, Node, Providers, View};
use crate::config::{FeeConfig, NetworkConfig, TokenConfig};
use crate::withdrawals::Withdrawal;
use airlock_shared::batch::FeeLevel;
use airlock_shared::chain::erc20;
use airlock_shared::{Address, BaseUnits};
use futures::stream::{self, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;

/// Quotes asked for at the same time.
const QUOTES_AT_ONCE: usize = 16;
/// Bandwidth of one TRON transaction with one signature, rounded up: facts say 345 bytes for a token transfer.
const TRON_BYTES: u64 = 400;
/// The node refuses an expiration of 24 hours after its head or more; two minutes are kept for blocks in between.
const TRON_LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600 - 120);

/// What one batch's transactions need besides the items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Terms {
    /// TRON.
    Tron {
        /// Low 16 bits of the solid block's number.
        ref_block_bytes: [u8; 2],
        /// Bytes 8..16 of its id.
        ref_block_hash: [u8; 8],
        /// The head block's time.
        head_time_ms: u64,
        /// For token transfers; zero for TRX.
        fee_limit_sun: u64,
        /// How long after the head's time they live, at most.
        lifetime: Duration,
    },
    /// EVM.
    Evm {
        /// Gas limit of each.
        gas_limit: u64,
        /// Fee levels.
        levels: Vec<FeeLevel>,
        /// The next account nonce in the newest block: a lower bound.
        next_nonce: u64,
    },
}

/// The terms with what the paying wallet can cover.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The terms.
    pub terms: Terms,
    /// What each withdrawal asked about will cost in native base units at most, or why the chain says that it would fail.
    pub quotes: Vec<Result<BaseUnits, String>>,
    /// Final balance of the asset that moves.
    pub balance: BaseUnits,
    /// Final balance of the native coin.
    pub native_balance: BaseUnits,
}

/// Asks for everything that paying `due` out of `source` needs.
pub async fn ask(
    providers: &Providers,
    network: &NetworkConfig,
    token: &TokenConfig,
    source: Address,
    due: &[Withdrawal],
) -> Result<Asked, BatchError> {
    let coin = token.contract.map_or(Coin::Native, Coin::Token);
    let of = [(source, coin), (source, Coin::Native)];
    let told = providers.ask(|node| async move { node.balances(&of).await }).await?;
    let (balance, native_balance) = match told.answer.1[..] {
        [balance, native] => (balance, native),
        _ => return Err(BatchError::Chain(ChainError::Settings("two balances were asked for".to_owned()))),
    };
    let needed = works(providers, source, token.contract, due).await?;
    let (terms, quotes) = match network.fees {
        FeeConfig::Tron { fee_limit_sun, expiration } => {
            let limits = TronLimits { fee_limit_sun, expiration, contract: token.contract.is_some() };
            let memos = due.iter().map(|withdrawal| withdrawal.memo.as_deref().map_or(0, str::len)).collect();
            tron(providers, limits, needed, memos).await?
        }
        FeeConfig::Evm { fee_cap_wei, tip_min_wei, gas_margin_percent, gas_limit_cap, fee_levels } => {
            let limits =
                EvmLimits { fee_cap_wei, tip_min_wei, gas_margin_percent, gas_limit_cap, fee_levels };
            evm(providers, limits, source, needed).await?
        }
    };
    Ok(Asked { terms, quotes, balance, native_balance })
}

/// Gas or energy that each transfer needs, or the chain's reason why it would fail.
async fn works(
    providers: &Providers,
    source: Address,
    contract: Option<Address>,
    due: &[Withdrawal],
) -> Result<Vec<Result<u64, String>>, BatchError> {
    let asked = due.iter().map(|withdrawal| {
        let (to, amount) = (withdrawal.destination, withdrawal.amount_base);
        async move {
            match providers.ask(|node| work(node, source, contract, to, amount)).await {
                Ok(told) => Ok(Ok(told.answer)),
                // The node ran the call and it failed; every other error is the provider's.
                Err(ChainError::Reported { message, .. }) => Ok(Err(message)),
                Err(error) => Err(BatchError::from(error)),
            }
        }
    });
    let asked: Vec<_> = asked.collect();
    let quoted: Vec<_> = stream::iter(asked).buffered(QUOTES_AT_ONCE).collect().await;
    quoted.into_iter().collect()
}

async fn work(
    node: Arc<Node>,
    source: Address,
    contract: Option<Address>,
    to: Address,
    amount: BaseUnits,
) -> Result<u64, ChainError> {
    let call = erc20::TransferCall { to: *to.payload(), amount }.encode();
    match (node.evm(), node.tron(), contract) {
        (Some(evm), _, Some(contract)) => evm.gas_needed(source, contract, BaseUnits::ZERO, &call).await,
        (Some(evm), _, None) => evm.gas_needed(source, to, amount, &[]).await,
        (_, Some(tron), Some(contract)) => tron.energy_needed(source, contract, &call).await,
        // TRX needs bandwidth only.
        _ => Ok(0),
    }
}

struct TronLimits {
    fee_limit_sun: u64,
    expiration: Duration,
    contract: bool,
}

async fn tron(
    providers: &Providers,
    limits: TronLimits,
    needed: Vec<Result<u64, String>>,
    memos: Vec<usize>,
) -> Result<(Terms, Vec<Result<BaseUnits, String>>), BatchError> {
    let told = providers
        .ask(|node| async move {
            let tron = node.tron().ok_or_else(wrong_family)?;
            Ok((tron.ref_block().await?, tron.parameters().await?))
        })
        .await?;
    let (block, parameters) = told.answer;
    let fee_limit_sun = if limits.contract { limits.fee_limit_sun } else { 0 };
    if fee_limit_sun > parameters.max_fee_limit_sun {
        let allowed = parameters.max_fee_limit_sun.to_string();
        return Err(BatchError::FeeCap { what: "fee_limit_sun", needed: fee_limit_sun.to_string(), allowed });
    }
    let bandwidth = parameters
        .bandwidth_fee_sun
        .saturating_mul(TRON_BYTES)
        .saturating_add(if limits.contract { 0 } else { parameters.create_account_fee_sun });
    let quote = |(energy, memo_bytes): (Result<u64, String>, usize)| {
        let burn = energy?.saturating_mul(parameters.energy_fee_sun);
        if burn > fee_limit_sun {
            return Err(format!("needs {burn} sun of energy, the fee limit is {fee_limit_sun} sun"));
        }
        let memo = match memo_bytes as u64 {
            0 => 0,
            bytes => {
                parameters.memo_fee_sun.saturating_add(parameters.bandwidth_fee_sun.saturating_mul(bytes))
            }
        };
        Ok(BaseUnits::from(burn.saturating_add(bandwidth).saturating_add(memo)))
    };
    let id = block.id.0;
    let [_, _, _, _, _, _, b6, b7, hash @ ..] = id;
    let mut ref_block_hash = [0; 8];
    ref_block_hash.copy_from_slice(&hash[..8]);
    let terms = Terms::Tron {
        ref_block_bytes: [b6, b7],
        ref_block_hash,
        head_time_ms: block.head_time_ms,
        fee_limit_sun,
        lifetime: limits.expiration.min(TRON_LIFETIME_MAX),
    };
    Ok((terms, needed.into_iter().zip(memos).map(quote).collect()))
}

struct EvmLimits {
    fee_cap_wei: BaseUnits,
    tip_min_wei: BaseUnits,
    gas_margin_percent: u16,
    gas_limit_cap: u64,
    fee_levels: u8,
}

async fn evm(
    providers: &Providers,
    limits: EvmLimits,
    source: Address,
    needed: Vec<Result<u64, String>>,
) -> Result<(Terms, Vec<Result<BaseUnits, String>>), BatchError> {
    let told = providers
        .ask(|node| async move {
            let evm = node.evm().ok_or_else(wrong_family)?;
            Ok((evm.fees().await?, evm.account_nonce(source, View::Head).await?))
        })
        .await?;
    let (fees, next_nonce) = told.answer;
    let tip = fees.tip_wei.max(limits.tip_min_wei.to_u128().unwrap_or(u128::MAX));
    let first = fee_level(fees.base_fee_wei, tip, limits.fee_cap_wei)?;
    let levels = ladder(first, limits.fee_levels, limits.fee_cap_wei);
    let dearest = levels.last().unwrap_or(&first).max_fee_per_gas_wei;
    let gas_limit = needed.iter().flatten().copied().max().unwrap_or(0);
    let gas_limit = with_margin(gas_limit, limits.gas_margin_percent);
    if gas_limit > limits.gas_limit_cap {
        let allowed = limits.gas_limit_cap.to_string();
        return Err(BatchError::FeeCap { what: "gas_limit", needed: gas_limit.to_string(), allowed });
    }
    let cost = BaseUnits::from(u128::from(gas_limit) * u128::from(dearest));
    let terms = Terms::Evm { gas_limit, levels, next_nonce };
    Ok((terms, needed.into_iter().map(|gas| gas.map(|_| cost)).collect()))
}

/// Twice the base fee and the tip: a ceiling that survives hours of rising fees and costs nothing while they are low.
fn fee_level(base_fee_wei: u128, tip_wei: u128, cap_wei: BaseUnits) -> Result<FeeLevel, BatchError> {
    let needed = base_fee_wei.saturating_mul(2).saturating_add(tip_wei);
    let too_high = || BatchError::FeeCap {
        what: "max_fee_per_gas_wei",
        needed: needed.to_string(),
        allowed: cap_wei.to_string(),
    };
    if BaseUnits::from(needed) > cap_wei {
        return Err(too_high());
    }
    Ok(FeeLevel {
        max_fee_per_gas_wei: u64::try_from(needed).map_err(|_| too_high())?,
        max_priority_fee_per_gas_wei: u64::try_from(tip_wei).map_err(|_| too_high())?,
    })
}

/// `count` levels from `first` on: each doubles the ceiling, which costs nothing while fees are low, and raises the tip,
/// which is always paid, only as far as pools demand of a replacement. The ladder ends below the cap.
fn ladder(first: FeeLevel, count: u8, cap_wei: BaseUnits) -> Vec<FeeLevel> {
    let above = |level: &FeeLevel| {
        let tip = level.max_priority_fee_per_gas_wei;
        let next = FeeLevel {
            max_fee_per_gas_wei: level.max_fee_per_gas_wei.checked_mul(2)?,
            max_priority_fee_per_gas_wei: tip.checked_add(tip / 4)?.checked_add(1)?,
        };
        (BaseUnits::from(next.max_fee_per_gas_wei) <= cap_wei).then_some(next)
    };
    std::iter::successors(Some(first), above).take(usize::from(count)).collect()
}

const fn with_margin(gas: u64, percent: u16) -> u64 {
    gas.saturating_add(gas.saturating_mul(percent as u64).div_ceil(100))
}

pub(super) fn wrong_family() -> ChainError {
    ChainError::Settings("the providers are of another chain family than the fee settings".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_ceiling_is_twice_the_base_fee_and_the_tip() {
        let level = fee_level(7, 3, BaseUnits::from(17u64)).unwrap();
        assert_eq!((level.max_fee_per_gas_wei, level.max_priority_fee_per_gas_wei), (17, 3));
    }

    #[test]
    fn a_ceiling_above_the_cap_is_refused_and_not_cut() {
        let error = fee_level(7, 4, BaseUnits::from(17u64)).unwrap_err();
        assert!(matches!(error, BatchError::FeeCap { what: "max_fee_per_gas_wei", .. }), "{error}");
        assert!(fee_level(u128::MAX, 1, BaseUnits::MAX).is_err());
    }

    #[test]
    fn a_ladder_rises_enough_for_every_pool_and_ends_below_the_cap() {
        let first = FeeLevel { max_fee_per_gas_wei: 100, max_priority_fee_per_gas_wei: 10 };
        let levels = ladder(first, 8, BaseUnits::from(500u64));
        let fees = levels.iter().map(|level| (level.max_fee_per_gas_wei, level.max_priority_fee_per_gas_wei));
        assert_eq!(fees.collect::<Vec<_>>(), [(100, 10), (200, 13), (400, 17)]);
        assert_eq!(ladder(first, 1, BaseUnits::MAX), [first]);
    }

    #[test]
    fn the_gas_margin_is_rounded_up() {
        assert_eq!((with_margin(50_001, 30), with_margin(0, 30)), (65_002, 0));
    }
}
