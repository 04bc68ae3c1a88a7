//! The transaction pool: geth's admission checks, words and replacement rule.
//!
//! Fed by `eth_sendRawTransaction` and the control routes, drained by `chain.rs`. Transactions whose cap is below the base fee wait,
//! and nonces behind a gap are queued, both as in geth (anvil differs).

use std::collections::{BTreeMap, HashMap};

use revm::primitives::{Address, B256, U256};

use super::execute::intrinsic_gas;
use super::transaction::SignedTx;
use crate::world::World;

/// geth's limit on a transaction's size.
const BYTES_MAX: usize = 131_072;
/// EIP-7825.
const GAS_CAP: u64 = 16_777_216;
/// EIP-3860.
const INITCODE_MAX: usize = 49_152;
/// Transactions of one account behind a nonce gap.
const QUEUED_MAX: usize = 64;
/// Replacement needs this many percent of both old prices.
const REPLACE_PERCENT: u128 = 110;

/// Waiting transactions by sender and nonce.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    senders: HashMap<Address, BTreeMap<u64, (u64, SignedTx)>>,
    arrivals: u64,
}

impl Pool {
    /// All transactions, each with its place in the order of arrival.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u64, SignedTx)> {
        self.senders.values().flat_map(BTreeMap::values)
    }

    /// The transaction with that hash.
    pub(crate) fn find(&self, hash: &B256) -> Option<&SignedTx> {
        self.iter().map(|(_, tx)| tx).find(|tx| tx.hash == *hash)
    }

    /// The first nonce after the chain's that no waiting transaction has.
    pub(crate) fn next_nonce(&self, address: &Address, chain_nonce: u64) -> u64 {
        let waiting = self.senders.get(address);
        let mut nonce = chain_nonce;
        while waiting.is_some_and(|txs| txs.contains_key(&nonce)) {
            nonce += 1;
        }
        nonce
    }

    /// The transaction of that sender and nonce, with its arrival.
    pub(crate) fn at(&self, address: &Address, nonce: u64) -> Option<&(u64, SignedTx)> {
        self.senders.get(address)?.get(&nonce)
    }

    /// All senders.
    pub(crate) fn senders(&self) -> Vec<Address> {
        self.senders.keys().copied().collect()
    }

    /// Takes the transaction of that sender and nonce out.
    pub(crate) fn take(&mut self, address: &Address, nonce: u64) {
        if let Some(txs) = self.senders.get_mut(address) {
            txs.remove(&nonce);
            if txs.is_empty() {
                self.senders.remove(address);
            }
        }
    }

    /// Removes what the chain's nonces have passed.
    pub(crate) fn prune(&mut self, world: &World) {
        self.senders.retain(|address, txs| {
            let nonce = world.nonce(address);
            txs.retain(|waiting, _| *waiting >= nonce);
            !txs.is_empty()
        });
    }

    /// Removes one transaction, or all; how many there were.
    pub(crate) fn forget(&mut self, hash: Option<&B256>) -> usize {
        let before = self.iter().count();
        self.senders.retain(|_, txs| {
            txs.retain(|_, (_, tx)| hash.is_some_and(|hash| tx.hash != *hash));
            !txs.is_empty()
        });
        before - self.iter().count()
    }

    /// Puts a transaction of a removed block back without asking for more than its nonce being free.
    pub(crate) fn put_back(&mut self, tx: SignedTx) {
        self.arrivals += 1;
        let txs = self.senders.entry(tx.from).or_default();
        txs.entry(tx.nonce).or_insert((self.arrivals, tx));
    }

    /// geth's checks in geth's order, then in it goes.
    pub(crate) fn add(&mut self, world: &World, block_gas_limit: u64, tx: SignedTx) -> Result<(), String> {
        if self.find(&tx.hash).is_some() {
            return Err("already known".to_owned());
        }
        stateless(block_gas_limit, &tx)?;
        self.stateful(world, &tx)?;
        self.arrivals += 1;
        let txs = self.senders.entry(tx.from).or_default();
        txs.insert(tx.nonce, (self.arrivals, tx));
        Ok(())
    }

    fn stateful(&self, world: &World, tx: &SignedTx) -> Result<(), String> {
        let next = world.nonce(&tx.from);
        if tx.nonce < next {
            return Err(format!("nonce too low: next nonce {next}, tx nonce {}", tx.nonce));
        }
        let balance = world.balance(&tx.from);
        let cost = tx.cost();
        if balance < cost {
            return Err(format!(
                "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}",
                cost - balance
            ));
        }
        let replaced = self.at(&tx.from, tx.nonce).map(|(_, old)| old);
        let queued = self.queued_cost(&tx.from, replaced);
        let sum = queued.saturating_add(cost);
        if balance < sum {
            return Err(format!(
                "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}, overshot {}",
                sum - balance
            ));
        }
        if let Some(old) = replaced {
            return replaces(old, tx);
        }
        let reachable = self.next_nonce(&tx.from, next);
        let behind_gap = self.senders.get(&tx.from).map_or(0, |txs| txs.range(reachable..).count());
        if tx.nonce > reachable && behind_gap >= QUEUED_MAX {
            return Err("account limit exceeded".to_owned());
        }
        Ok(())
    }

    fn queued_cost(&self, address: &Address, but: Option<&SignedTx>) -> U256 {
        self.senders.get(address).map_or(U256::ZERO, |txs| {
            txs.values()
                .filter(|(_, tx)| but.is_none_or(|but| but.hash != tx.hash))
                .fold(U256::ZERO, |sum, (_, tx)| sum.saturating_add(tx.cost()))
        })
    }
}

fn stateless(block_gas_limit: u64, tx: &SignedTx) -> Result<(), String> {
    if tx.raw.len() > BYTES_MAX {
        return Err(format!("oversized data: transaction size {}, limit {BYTES_MAX}", tx.raw.len()));
    }
    if tx.to.is_none() && tx.data.len() > INITCODE_MAX {
        return Err(format!("max initcode size exceeded: code size {}, limit {INITCODE_MAX}", tx.data.len()));
    }
    if tx.gas_limit > GAS_CAP {
        return Err(format!("transaction gas limit too high (cap: {GAS_CAP}, tx: {})", tx.gas_limit));
    }
    if tx.gas_limit > block_gas_limit {
        return Err("exceeds block gas limit".to_owned());
    }
    if tx.max_priority_fee > tx.max_fee {
        return Err("max priority fee per gas higher than max fee per gas".to_owned());
    }
    if tx.nonce == u64::MAX {
        return Err("nonce has max value".to_owned());
    }
    let (intrinsic, floor) = intrinsic_gas(tx);
    if tx.gas_limit < intrinsic {
        return Err(format!("intrinsic gas too low: gas {}, minimum needed {intrinsic}", tx.gas_limit));
    }
    if tx.gas_limit < floor {
        return Err(format!(
            "insufficient gas for floor data gas cost: gas {}, minimum needed {floor}",
            tx.gas_limit
        ));
    }
    Ok(())
}

fn replaces(old: &SignedTx, new: &SignedTx) -> Result<(), String> {
    let enough = |new: u128, old: u128| new > old && new >= old.saturating_mul(REPLACE_PERCENT) / 100;
    if enough(new.max_fee, old.max_fee) && enough(new.max_priority_fee, old.max_priority_fee) {
        Ok(())
    } else {
        Err("replacement transaction underpriced".to_owned())
    }
}
