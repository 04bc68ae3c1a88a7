//! The batch: what people approve, what the signer signs, what auditors re-read.
//!
//! A [`Content`] is frozen when the creator makes it. It carries fields, never transactions: both sides
//! build the transactions from these fields with the code in `chain`. [`Content::check`] holds every rule
//! that needs nothing but the batch itself, and both decoders and the creator go through it, so a
//! `Content` that exists is consistent. Its bytes are in `columns` and `spelling`, explained for a second
//! implementation in `docs/batch-format.md`.

pub mod columns;
mod spelling;

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::digest::Digest;
use crate::form::{self, closed_list};
use crate::id::{BatchId, ItemId, PersonId};
use crate::network::{Family, Network, Profile};
use crate::wallet::Role;
use std::collections::{BTreeMap, BTreeSet};

/// The most items one batch may carry; policy sets a lower bound.
pub const MAX_ITEMS: usize = 5_000;
/// The most fee levels per EVM item (S11).
pub const MAX_LEVELS: usize = 8;
/// The longest memo, in bytes (TRON only; it is public and costs a fee).
pub const MAX_MEMO_BYTES: usize = 255;
/// The longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 64;
/// The most dead transaction ids a reissue may name.
pub const MAX_DEAD: usize = 8;
/// The most extensions, and the longest one in bytes.
pub const MAX_EXTENSIONS: (usize, usize) = (16, 1_024);
/// Later than this (the year 36812) no time is believed, so that sums of times cannot overflow.
pub const MAX_TIME: u64 = 1 << 40;

pub(crate) use spelling::{put_address, read_address, read_network};

closed_list! {
    /// What a batch does.
    Kind {
        /// Pays people out of a hot wallet.
        Withdrawal = 1 "withdrawal",
        /// Feeds a hot wallet from a cold one.
        ColdToHot = 2 "cold_to_hot",
        /// Brings a surplus back to a cold wallet.
        HotToCold = 3 "hot_to_cold",
        /// Brings deposits home; every item has its own source.
        Sweep = 4 "sweep",
        /// Feeds native coin to deposit addresses so that they can be swept.
        GasTopUp = 5 "gas_top_up",
        /// Pays an energy provider (TRON).
        EnergyPayment = 6 "energy_payment",
        /// Delegates staked energy (TRON).
        Delegate = 7 "delegate",
        /// Takes delegated energy back (TRON).
        Undelegate = 8 "undelegate",
        /// A treasury payment, for instance to an exchange venue.
        TreasurySend = 9 "treasury_send",
        /// Kills account nonces by sending nothing to oneself (EVM).
        Cancel = 10 "cancel",
    }
}

closed_list! {
    /// Why an item id is signed again.
    ReissueReason {
        /// Not mined: same nonce and intent, higher fees (EVM).
        Stuck = 1 "stuck",
        /// Expired unmined (TRON).
        Expired = 2 "expired",
        /// Mined but failed.
        FailedOnChain = 3 "failed_on_chain",
        /// Its nonce was cancelled (EVM).
        Cancelled = 4 "cancelled",
    }
}

/// Everything about a batch that its digest covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// What kind of money this is.
    pub profile: Profile,
    /// Its name.
    pub batch_id: BatchId,
    /// What it does.
    pub kind: Kind,
    /// Where it happens.
    pub network: Network,
    /// When it was made, UTC seconds.
    pub created_at: u64,
    /// After this nothing is signed and every TRON transaction in it is dead, UTC seconds.
    pub expires_at: u64,
    /// Who made it; never counted among its approvers.
    pub creator: PersonId,
    /// First four bytes of the SHA-256 of the vault's identity: which vault is meant.
    pub vault: [u8; 4],
    /// The paying wallet; `None` for sweeps, whose items have their own.
    pub source: Option<Wallet>,
    /// What moves.
    pub asset: Asset,
    /// What the chain needs besides the items.
    pub context: Context,
    /// The movements, in the order in which they are signed and sent.
    pub items: Vec<Item>,
    /// The policy that the creator believes to be in force.
    pub policy: PolicyRef,
    /// Later additions: odd keys may be ignored, even keys must be understood.
    pub extensions: BTreeMap<u64, Vec<u8>>,
}

/// A wallet of ours: its role, index under the role's account, and the address that key must have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Wallet {
    /// What it is for.
    pub role: Role,
    /// The last step of its path, `m/44'/coin'/account'/0/index`.
    pub index: u32,
    /// Its address; the signer derives the key and proves it.
    pub address: Address,
}

/// What moves: a token by its contract, or the native coin. Decimals and symbol are claims: they are
/// compared with policy and shown, never used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asset {
    /// The token contract; `None` for the native coin.
    pub contract: Option<Address>,
    /// Decimal places of its base unit.
    pub decimals: u8,
    /// 1 to 16 bytes of printable ASCII.
    pub symbol: String,
}

/// What one family's transactions need besides the items.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Context {
    /// TRON.
    Tron(TronContext),
    /// EVM networks.
    Evm(EvmContext),
}

/// TRON: reference block, times and fee limit of every transaction of the batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TronContext {
    /// Low 16 bits of the number of a solidified block.
    pub ref_block_bytes: [u8; 2],
    /// Bytes 8..16 of that block's id.
    pub ref_block_hash: [u8; 8],
    /// When every transaction dies, milliseconds.
    pub expiration_ms: u64,
    /// Item `i` carries the timestamp `timestamp_ms + i`: a range that belongs to this batch alone, so that
    /// equal payments never get equal transaction ids.
    pub timestamp_ms: u64,
    /// Most that one transaction may burn for energy, sun; 0 for system contracts.
    pub fee_limit_sun: u64,
    /// The permission that signs: 0 owner, 2 and up active.
    pub permission_id: u8,
    /// For `delegate`: how many 3-second blocks the delegation is locked; else 0.
    pub lock_blocks: u64,
}

/// EVM: gas and fee levels of every transaction of the batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvmContext {
    /// Gas limit of each payment.
    pub gas_limit: u64,
    /// 1 to 8 levels, each at least 10 % above the one before it in both fields.
    pub levels: Vec<FeeLevel>,
    /// A cancel (nothing to oneself) at each nonce, when wanted.
    pub cancel: Option<CancelTerms>,
}

/// What one EVM transaction may cost per gas (EIP-1559), in wei. 64 bits hold 18 whole coins per gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeLevel {
    /// `max_fee_per_gas`.
    pub max_fee_per_gas_wei: u64,
    /// `max_priority_fee_per_gas`, at most the former.
    pub max_priority_fee_per_gas_wei: u64,
}

/// The terms of the cancel transactions of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelTerms {
    /// Gas limit of a cancel.
    pub gas_limit: u64,
    /// Its fees.
    pub fee: FeeLevel,
}

/// One movement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Unique for ever.
    pub id: ItemId,
    /// Who gets it (for delegations: who gets the energy).
    pub destination: Address,
    /// Our own wallet behind the destination, when it is one of this vault: the signer proves it.
    pub own: Option<(Role, u32)>,
    /// How much, base units (for delegations: staked sun).
    pub amount: BaseUnits,
    /// EVM: the source's account nonce. TRON has none.
    pub account_nonce: Option<u64>,
    /// Sweeps: the deposit wallet that pays.
    pub source: Option<Wallet>,
    /// TRON: `raw_data.data`; empty for none.
    pub memo: Vec<u8>,
    /// For people; never on chain; empty for none.
    pub label: String,
    /// Why this id is signed again.
    pub reissue: Option<Reissue>,
}

impl Item {
    /// Is it the same transaction again at higher fees, of which one at most can be mined?
    pub fn is_stuck(&self) -> bool {
        self.reissue.as_ref().is_some_and(|reissue| reissue.reason == ReissueReason::Stuck)
    }

    /// Is it signed again because of something that cannot be checked offline?
    pub fn is_reissued_on_a_claim(&self) -> bool {
        self.reissue.is_some() && !self.is_stuck()
    }
}

/// A second signature for an item, and the transactions that are claimed to be dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reissue {
    /// Why.
    pub reason: ReissueReason,
    /// The transaction ids it replaces.
    pub dead: Vec<[u8; 32]>,
}

/// A policy by name, version and digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRef {
    /// The policy's name.
    pub name: PersonId,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Sums over a batch. Written into it, checked by every reader, trusted by none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Number of items.
    pub count: u64,
    /// Sum of the amounts.
    pub amount: BaseUnits,
    /// The most that the whole batch can cost in fees, native base units: the dearest level of every item.
    pub fee_cap: BaseUnits,
}

/// A rule of the batch itself that is broken. `item` counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}{}: {why}", item.map_or(String::new(), |i| format!(" of item {i}")))]
pub struct ContentError {
    /// The field that breaks it.
    pub field: &'static str,
    /// The item, if it is one item's.
    pub item: Option<usize>,
    /// The rule, and what was seen.
    pub why: String,
}

fn broken<T>(field: &'static str, why: impl ToString) -> Result<T, ContentError> {
    Err(ContentError { field, item: None, why: why.to_string() })
}

impl Content {
    /// What approvers sign and what the words on both screens show.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:content:1", &form::to_cbor(self))
    }

    /// The sums. Fails only above 256 bits.
    pub fn totals(&self) -> Result<Totals, ContentError> {
        let sum = BaseUnits::checked_sum(self.items.iter().map(|item| item.amount));
        let fee_cap =
            BaseUnits::from(self.fee_cap_per_item()).checked_mul(BaseUnits::from(self.items.len() as u64));
        match (sum, fee_cap) {
            (Some(amount), Some(fee_cap)) => Ok(Totals { count: self.items.len() as u64, amount, fee_cap }),
            _ => broken("totals", "sum above 2^256-1"),
        }
    }

    /// The most that one item can cost in fees, native base units. On EVM: gas limit times the dearest of
    /// its levels and its cancel (at most one of them is mined). On TRON: the fee limit; bandwidth, memo and
    /// activation come on top at chain prices that are not in the batch.
    pub fn fee_cap_per_item(&self) -> u128 {
        match &self.context {
            Context::Tron(tron) => u128::from(tron.fee_limit_sun),
            Context::Evm(evm) => {
                let pay = evm.levels.iter().map(|level| (evm.gas_limit, level.max_fee_per_gas_wei));
                let cancel = evm.cancel.iter().map(|c| (c.gas_limit, c.fee.max_fee_per_gas_wei));
                let caps = pay.chain(cancel).map(|(gas, fee)| u128::from(gas) * u128::from(fee));
                caps.max().unwrap_or(0)
            }
        }
    }

    /// Signatures per item: one on TRON; one a fee level and one for the cancel on EVM.
    pub fn signatures_per_item(&self) -> usize {
        match &self.context {
            Context::Tron(_) => 1,
            Context::Evm(evm) => evm.levels.len() + usize::from(evm.cancel.is_some()),
        }
    }

    /// The wallet that pays item `index`.
    pub fn source_of(&self, index: usize) -> Option<Wallet> {
        self.source.or_else(|| self.items.get(index).and_then(|item| item.source))
    }

    /// Holds every rule that needs nothing but the batch itself.
    pub fn check(&self) -> Result<(), ContentError> {
        self.check_header()?;
        self.check_context()?;
        self.items.iter().enumerate().try_for_each(|(i, item)| {
            self.check_item(item).map_err(|(field, why)| ContentError { field, item: Some(i), why })
        })?;
        self.check_uniqueness()?;
        self.totals().map(drop)
    }

    fn check_header(&self) -> Result<(), ContentError> {
        if self.network.profile() != self.profile {
            let (found, expected) = (self.profile.name(), self.network.profile().name());
            return broken("profile", format!("{found}, but {} is a {expected} network", self.network));
        }
        if !(self.created_at < self.expires_at && self.expires_at <= MAX_TIME) {
            return broken("expires_at", format!("{} is not after {}", self.expires_at, self.created_at));
        }
        if !(1..=MAX_ITEMS).contains(&self.items.len()) {
            return broken("items", format!("{} items, allowed are 1 to {MAX_ITEMS}", self.items.len()));
        }
        if self.source.is_none() != (self.kind == Kind::Sweep) {
            return broken("source", "a sweep has a source per item, every other kind has one for all");
        }
        let foreign = |address: &Address| address.network() != self.network;
        if self.source.iter().any(|wallet| foreign(&wallet.address)) {
            return broken("source", "its address is of another network");
        }
        if self.asset.contract.as_ref().is_some_and(foreign) {
            return broken("asset", "its contract is of another network");
        }
        let printable = self.asset.symbol.bytes().all(|c| c.is_ascii_graphic());
        if !(printable && (1..=16).contains(&self.asset.symbol.len()) && self.asset.decimals <= 77) {
            return broken("asset", "symbol must be 1 to 16 printable ASCII bytes, decimals at most 77");
        }
        if self.extensions.len() > MAX_EXTENSIONS.0
            || self.extensions.values().any(|bytes| bytes.len() > MAX_EXTENSIONS.1)
        {
            return broken("extensions", "at most 16 of at most 1024 bytes each");
        }
        match self.extensions.keys().find(|key| *key % 2 == 0) {
            Some(key) => broken("extensions", format!("critical extension {key} is not understood")),
            None => Ok(()),
        }
    }

    fn check_context(&self) -> Result<(), ContentError> {
        let native = self.asset.contract.is_none();
        match (&self.context, self.network.family()) {
            (Context::Tron(tron), Family::Tron) => {
                if self.kind == Kind::Cancel {
                    return broken("kind", "a TRON transaction cannot be cancelled");
                }
                let staking = matches!(self.kind, Kind::Delegate | Kind::Undelegate);
                if staking && !native {
                    return broken("asset", "delegations are of staked TRX");
                }
                tron.check(self, staking)
            }
            (Context::Evm(evm), Family::Evm) => match self.kind {
                Kind::EnergyPayment | Kind::Delegate | Kind::Undelegate => {
                    broken("kind", "energy exists on TRON only")
                }
                Kind::Cancel if !native => broken("asset", "a cancel sends none of the native coin"),
                Kind::Cancel if evm.cancel.is_some() => broken("cancel", "a cancel has none of its own"),
                _ => evm.check(),
            },
            _ => broken("context", format!("is not one for {}", self.network)),
        }
    }

    fn check_item(&self, item: &Item) -> Result<(), (&'static str, String)> {
        let fail = |field: &'static str, why: &str| Err((field, why.to_owned()));
        if item.destination.network() != self.network {
            return fail("destination", "is of another network");
        }
        if item.amount.is_zero() != (self.kind == Kind::Cancel) {
            return fail("amount", "must be above zero, and zero in a cancel");
        }
        let tron = self.network.family() == Family::Tron;
        // TRX and stake are int64 on the wire.
        if tron && self.asset.contract.is_none() && item.amount > BaseUnits::from(i64::MAX as u64) {
            return fail("amount", "is above TRON's 63 bits");
        }
        // EIP-2681 keeps account nonces below 2^64-1.
        if item.account_nonce.is_some() == tron || item.account_nonce == Some(u64::MAX) {
            return fail("account_nonce", "is needed on EVM networks only, and is below 2^64-1");
        }
        if item.source.is_some() != (self.kind == Kind::Sweep) {
            return fail("source", "only sweeps have a source per item");
        }
        let foreign =
            |wallet: &Wallet| wallet.address.network() != self.network || wallet.role != Role::Deposit;
        if item.source.as_ref().is_some_and(foreign) {
            return fail("source", "must be a deposit wallet of this network");
        }
        if item.memo.len() > MAX_MEMO_BYTES || (!tron && !item.memo.is_empty()) {
            return fail("memo", "is allowed on TRON only, at most 255 bytes");
        }
        if item.label.len() > MAX_LABEL_BYTES || item.label.chars().any(char::is_control) {
            return fail("label", "at most 64 bytes, no control characters");
        }
        if self.kind == Kind::Cancel && self.source.is_none_or(|own| own.address != item.destination) {
            return fail("destination", "a cancel goes to oneself");
        }
        match &item.reissue {
            Some(reissue) => reissue.check(tron).map_err(|why| ("reissue", why.to_owned())),
            None => Ok(()),
        }
    }

    fn check_uniqueness(&self) -> Result<(), ContentError> {
        let mut ids = BTreeSet::new();
        let mut nonces = BTreeSet::new();
        for (i, item) in self.items.iter().enumerate() {
            if !ids.insert(item.id) {
                let why = format!("{} stands in the batch twice", item.id);
                return Err(ContentError { field: "id", item: Some(i), why });
            }
            let account = item.source.map(|wallet| wallet.address);
            if item.account_nonce.is_some_and(|nonce| !nonces.insert((account, nonce))) {
                let why = "stands in the batch twice".to_owned();
                return Err(ContentError { field: "account_nonce", item: Some(i), why });
            }
        }
        let own = self.items.iter().filter(|item| item.own.is_some()).count();
        if own != 0 && own != self.items.len() {
            return broken("own", "either every destination is an own wallet or none is marked as one");
        }
        Ok(())
    }
}

impl Reissue {
    fn check(&self, tron: bool) -> Result<(), &'static str> {
        if self.dead.len() > MAX_DEAD {
            return Err("names at most 8 dead transactions");
        }
        match self.reason {
            ReissueReason::Expired if !tron => Err("expired is for TRON, whose transactions expire"),
            ReissueReason::Stuck | ReissueReason::Cancelled if tron => {
                Err("stuck and cancelled are for EVM networks, which have account nonces")
            }
            // The first transaction is alive: at most one of the two can be mined.
            ReissueReason::Stuck if !self.dead.is_empty() => Err("stuck names no dead transaction"),
            ReissueReason::Expired | ReissueReason::FailedOnChain if self.dead.is_empty() => {
                Err("names the dead transactions")
            }
            _ => Ok(()),
        }
    }
}

impl TronContext {
    fn check(&self, content: &Content, staking: bool) -> Result<(), ContentError> {
        if self.expiration_ms > content.expires_at.saturating_mul(1_000) {
            return broken("expiration_ms", "the transactions would outlive the batch");
        }
        if self.expiration_ms < content.created_at.saturating_mul(1_000) {
            return broken("expiration_ms", "is before the batch was made");
        }
        if self.timestamp_ms == 0 || self.timestamp_ms > MAX_TIME * 1_000 {
            return broken("timestamp_ms", "is out of range");
        }
        let contract_call = content.asset.contract.is_some();
        if (self.fee_limit_sun > 0) != contract_call || self.fee_limit_sun > i64::MAX as u64 {
            return broken("fee_limit_sun", "is above zero for token transfers and zero otherwise");
        }
        if self.permission_id == 1 || self.permission_id > 9 {
            return broken("permission_id", "is 0 (owner) or 2 to 9 (active)");
        }
        if self.lock_blocks > 0 && !(staking && content.kind == Kind::Delegate) {
            return broken("lock_blocks", "only a delegation is locked");
        }
        Ok(())
    }
}

impl EvmContext {
    fn check(&self) -> Result<(), ContentError> {
        if !(1..=MAX_LEVELS).contains(&self.levels.len()) {
            return broken(
                "levels",
                format!("{} fee levels, allowed are 1 to {MAX_LEVELS}", self.levels.len()),
            );
        }
        let cancel_fee = self.cancel.iter().map(|cancel| cancel.fee);
        if self.levels.iter().copied().chain(cancel_fee).any(|fee| !fee.is_consistent()) {
            return broken("levels", "the priority fee is above the maximum fee");
        }
        if self.levels.windows(2).any(|pair| !pair[1].replaces(&pair[0])) {
            return broken("levels", "each level must be more than 10 % above the one before it");
        }
        // Nothing costs less than 12,000 gas under any known rules (a cancel under Glamsterdam).
        let gas_limits = std::iter::once(self.gas_limit).chain(self.cancel.iter().map(|c| c.gas_limit));
        if gas_limits.into_iter().any(|gas| !(12_000..=1 << 50).contains(&gas)) {
            return broken("gas_limit", "is out of range");
        }
        Ok(())
    }
}

impl FeeLevel {
    const fn is_consistent(&self) -> bool {
        self.max_priority_fee_per_gas_wei <= self.max_fee_per_gas_wei
    }

    /// Pools replace a transaction only if both fees rise by 10 % (geth's PriceBump). A zero priority fee
    /// may stay zero where tips are not used.
    pub(crate) fn replaces(&self, lower: &Self) -> bool {
        let above = |new: u64, old: u64| u128::from(new) * 10 >= u128::from(old) * 11 && new > old;
        let tip_unused = self.max_priority_fee_per_gas_wei == 0 && lower.max_priority_fee_per_gas_wei == 0;
        above(self.max_fee_per_gas_wei, lower.max_fee_per_gas_wei)
            && (tip_unused || above(self.max_priority_fee_per_gas_wei, lower.max_priority_fee_per_gas_wei))
    }
}
