//! What has been signed, as far as a later refusal depends on it.
//!
//! The signer's journal fills one of these entry by entry, the auditor from files, so both judge alike. What
//! must stay true: an intent counts as signed for every rule and sum, whether or not its signatures left; a
//! `stuck` reissue counts in no sum again, because at most one of the two can be mined; every lookup takes
//! constant or logarithmic time; sums that 256 bits do not hold are the largest there is, never smaller.

mod past;
mod repeats;

use crate::address::Address;
use crate::amount::BaseUnits;
use crate::batch::{Kind, ReissueReason};
use crate::genesis::Genesis;
use crate::id::ItemId;
use crate::journal::{Record, RecordItem, Terms};
use crate::network::Network;
pub use past::Past;
pub use repeats::{Repeat, RepeatCode, check_repeats};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Everything that was signed before.
#[derive(Clone, Default, Debug)]
pub struct Memory {
    records: Vec<Record>,
    /// Where each item was signed last, and where before that, oldest first.
    items: HashMap<ItemId, Place>,
    items_before: HashMap<ItemId, Vec<Place>>,
    nonces: HashMap<(Address, u64), AtNonce>,
    nonces_highest: HashMap<Address, u64>,
    tx_ids: HashSet<[u8; 32]>,
    /// By epoch, the high 16 bits.
    items_highest: BTreeMap<u16, u64>,
    spent: HashMap<Money, Series>,
    reissued: HashMap<Money, Series>,
    first_seen: HashMap<Address, u64>,
    paid: HashMap<(Option<Address>, Address), BaseUnits>,
    item_watermark: Option<ItemId>,
    nonce_watermarks: HashMap<Address, u64>,
    time: u64,
}

/// A network and a token of it; `None` is the native coin.
type Money = (Network, Option<Address>);

/// Which record, and which item of it.
#[derive(Clone, Copy, Debug)]
struct Place {
    record: usize,
    item: usize,
}

/// One signing of one item.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The record it is part of.
    pub record: &'a Record,
    /// The item.
    pub item: &'a RecordItem,
    /// Which record, counted from 0 in the order in which they were taken in.
    pub place: usize,
}

/// What was signed at one account nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AtNonce {
    /// The item that used it first.
    pub item: ItemId,
    /// The item that a cancel was signed with, or for.
    pub cancel: Option<ItemId>,
}

impl Memory {
    /// An intent was journalled. In journal order.
    pub fn take_in(&mut self, record: &Record) {
        let number = self.records.len();
        for (item, signed) in record.items.iter().enumerate() {
            if let Some(before) = self.items.insert(signed.id, Place { record: number, item }) {
                self.items_before.entry(signed.id).or_default().push(before);
            }
            self.take_in_numbers(record, signed);
        }
        self.take_in_sums(record);
        self.entered(record.time);
        self.records.push(record.clone());
    }

    fn take_in_numbers(&mut self, record: &Record, item: &RecordItem) {
        self.raise_item(item.id);
        self.tx_ids.extend(&item.tx_ids);
        let Some(nonce) = item.account_nonce else { return };
        let cancels = record.kind == Kind::Cancel || matches!(record.terms, Terms::Evm { cancels: true, .. });
        let known =
            self.nonces.entry((item.source, nonce)).or_insert(AtNonce { item: item.id, cancel: None });
        if cancels {
            known.cancel.get_or_insert(item.id);
        }
        self.raise_nonce(item.source, nonce);
    }

    fn take_in_sums(&mut self, record: &Record) {
        let money = (record.network, record.contract);
        let counted = || record.items.iter().filter(|item| item.reissue != Some(ReissueReason::Stuck));
        let amounts = |items: &mut dyn Iterator<Item = &RecordItem>| {
            BaseUnits::checked_sum(items.map(|item| item.amount)).unwrap_or(BaseUnits::MAX)
        };
        self.spent.entry(money).or_default().push(record.time, amounts(&mut counted()));
        let again = amounts(&mut counted().filter(|item| item.reissue.is_some()));
        if !again.is_zero() {
            self.reissued.entry(money).or_default().push(record.time, again);
        }
        // What delegates energy or cancels a nonce pays nobody.
        if matches!(record.kind, Kind::Cancel | Kind::Delegate | Kind::Undelegate) {
            return;
        }
        for item in counted() {
            self.first_seen.entry(item.destination).or_insert(record.time);
            let paid = self.paid.entry((record.contract, item.destination)).or_insert(BaseUnits::ZERO);
            *paid = paid.checked_add(item.amount).unwrap_or(BaseUnits::MAX);
        }
    }

    /// Custodians' terms came into force. What they state counts as signed; where this memory holds more,
    /// its own counts.
    pub fn take_in_genesis(&mut self, genesis: &Genesis) {
        let watermark = ItemId::new(genesis.highest_item);
        self.item_watermark = self.item_watermark.max(Some(watermark));
        self.raise_item(watermark);
        for stated in &genesis.nonces {
            let known = self.nonce_watermarks.entry(stated.account).or_insert(stated.highest);
            *known = stated.highest.max(*known);
            self.raise_nonce(stated.account, stated.highest);
        }
        for stated in genesis.spent.chunk_by(|a, b| (a.network, a.contract) == (b.network, b.contract)) {
            let own = self.spent.entry((stated[0].network, stated[0].contract)).or_default();
            own.raise(stated.iter().map(|spent| (spent.time, spent.amount)));
        }
        self.entered(genesis.made_at);
    }

    /// These destinations were refused for being first seen, and for nothing else: their delay begins.
    pub fn first_seen_refused(&mut self, network: Network, destinations: &[Address], time: u64) {
        for destination in destinations.iter().filter(|address| address.network() == network) {
            let known = self.first_seen.entry(*destination).or_insert(time);
            *known = time.min(*known);
        }
    }

    /// An entry of any kind was written at that time, UTC seconds.
    pub fn entered(&mut self, time: u64) {
        self.time = self.time.max(time);
    }

    fn raise_item(&mut self, id: ItemId) {
        let highest = self.items_highest.entry(id.epoch()).or_insert(id.number());
        *highest = id.number().max(*highest);
    }

    fn raise_nonce(&mut self, account: Address, nonce: u64) {
        let highest = self.nonces_highest.entry(account).or_insert(nonce);
        *highest = nonce.max(*highest);
    }
}

/// The lookups.
impl Memory {
    /// Every record, in the order in which they were taken in.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// When the newest entry was written, UTC seconds; 0 for none.
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// Every signing of an item, oldest first.
    pub fn signings_of(&self, id: ItemId) -> impl Iterator<Item = Signing<'_>> {
        let before = self.items_before.get(&id).map_or(&[][..], Vec::as_slice);
        before.iter().chain(self.items.get(&id)).map(|place| {
            let record = &self.records[place.record];
            Signing { record, item: &record.items[place.item], place: place.record }
        })
    }

    /// What was signed at an account nonce.
    pub fn at_nonce(&self, account: &Address, nonce: u64) -> Option<AtNonce> {
        self.nonces.get(&(*account, nonce)).copied()
    }

    /// Was this transaction id signed before?
    pub fn has_tx_id(&self, tx_id: &[u8; 32]) -> bool {
        self.tx_ids.contains(tx_id)
    }

    /// The highest item id that counts as signed; 0 when there is none.
    pub fn highest_item(&self) -> u64 {
        self.items_highest.last_key_value().map_or(0, |(_, highest)| *highest)
    }

    /// The highest item id of one epoch that counts as signed.
    pub fn highest_item_of(&self, epoch: u16) -> Option<u64> {
        self.items_highest.get(&epoch).copied()
    }

    /// The newest epoch of which an item id counts as signed.
    pub fn newest_epoch(&self) -> Option<u16> {
        self.items_highest.last_key_value().map(|(epoch, _)| *epoch)
    }

    /// The highest nonce of an account that counts as signed.
    pub fn highest_nonce(&self, account: &Address) -> Option<u64> {
        self.nonces_highest.get(account).copied()
    }

    /// Every account with the highest nonce that counts as signed, in no order.
    pub fn highest_nonces(&self) -> impl Iterator<Item = (Address, u64)> {
        self.nonces_highest.iter().map(|(account, nonce)| (*account, *nonce))
    }

    /// What was signed of an asset at or after `time`.
    pub fn spent_since(&self, network: Network, contract: Option<Address>, time: u64) -> BaseUnits {
        self.spent.get(&(network, contract)).map_or(BaseUnits::ZERO, |series| series.since(time))
    }

    /// What of that was signed again on a claim.
    pub fn reissued_since(&self, network: Network, contract: Option<Address>, time: u64) -> BaseUnits {
        self.reissued.get(&(network, contract)).map_or(BaseUnits::ZERO, |series| series.since(time))
    }

    /// When a destination was first paid, or first refused for being first seen, UTC seconds.
    pub fn first_seen(&self, destination: &Address) -> Option<u64> {
        self.first_seen.get(destination).copied()
    }

    /// Everything that a destination was ever paid of a token; `None` is the native coin.
    pub fn paid(&self, contract: Option<Address>, destination: &Address) -> BaseUnits {
        self.paid.get(&(contract, *destination)).copied().unwrap_or(BaseUnits::ZERO)
    }

    /// Is the id at or below the watermark of the custodians' terms?
    pub fn is_item_below_watermark(&self, id: ItemId) -> bool {
        self.item_watermark.is_some_and(|watermark| id <= watermark)
    }

    /// Is the account nonce?
    pub fn is_nonce_below_watermark(&self, account: &Address, nonce: u64) -> bool {
        self.nonce_watermarks.get(account).is_some_and(|watermark| nonce <= *watermark)
    }
}

/// Amounts by time as running totals, so that a sum is one subtraction.
#[derive(Clone, Default, Debug)]
struct Series(Vec<(u64, BaseUnits)>);

impl Series {
    fn push(&mut self, time: u64, amount: BaseUnits) {
        let (last, total) = self.0.last().copied().unwrap_or((0, BaseUnits::ZERO));
        // Journal time never falls; were it to, counting longer is the safe way to be wrong.
        self.0.push((time.max(last), total.checked_add(amount).unwrap_or(BaseUnits::MAX)));
    }

    fn since(&self, time: u64) -> BaseUnits {
        let total = self.total_of(self.0.len());
        let before = self.total_of(self.0.partition_point(|(at, _)| *at < time));
        if total == BaseUnits::MAX { total } else { total.checked_sub(before).unwrap_or(BaseUnits::MAX) }
    }

    fn total_of(&self, count: usize) -> BaseUnits {
        count.checked_sub(1).map_or(BaseUnits::ZERO, |last| self.0[last].1)
    }

    /// Puts `stated` (by time) in the place of everything from its first time on; but whatever the window, never
    /// is less counted than before.
    fn raise(&mut self, stated: impl Iterator<Item = (u64, BaseUnits)> + Clone) {
        let Some((first, _)) = stated.clone().next() else { return };
        let mut replaced = self.clone();
        replaced.0.truncate(self.0.partition_point(|(at, _)| *at < first));
        stated.for_each(|(time, amount)| replaced.push(time, amount));
        let mut times: Vec<u64> = self.0.iter().chain(&replaced.0).map(|(at, _)| *at).collect();
        times.sort_unstable();
        times.dedup();
        // Backwards: what is counted from each time on, less what is counted from the next.
        let mut later = BaseUnits::ZERO;
        let mut amounts = Vec::with_capacity(times.len());
        for time in times.into_iter().rev() {
            let from_here = self.since(time).max(replaced.since(time));
            amounts.push((time, from_here.checked_sub(later).unwrap_or(BaseUnits::ZERO)));
            later = from_here;
        }
        let mut raised = Self::default();
        amounts.into_iter().rev().for_each(|(time, amount)| raised.push(time, amount));
        *self = raised;
    }
}
