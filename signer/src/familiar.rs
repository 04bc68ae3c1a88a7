//! What this signer remembers of addresses and amounts: the warnings that only a memory can give (S3).
//!
//! Called by `sign` and `inspect`, beside the review of each batch. What must stay true: a warning never
//! permits and never refuses, which is the policy's; it names the item and shows addresses whole; what was
//! paid is taken from the journal and what is listed from the policy in force, never from the batch.

use crate::journal::Journal;
use crate::review::{ends, grouped};
use airlock_shared::batch::Content;
use airlock_shared::policy::Policy;
use airlock_shared::{Address, BaseUnits};
use std::collections::{BTreeMap, BTreeSet};

/// So many times the median is out of the ordinary.
const OUTLIER_TIMES: u64 = 10;
/// Of fewer amounts there is no ordinary.
const OUTLIER_SAMPLES_MIN: usize = 8;
/// Lines of one kind of warning; the rest is counted.
const LINES_MAX: usize = 10;

/// The memory, as far as it concerns one batch.
pub struct Familiar {
    addresses: BTreeSet<Address>,
    amounts: Vec<BaseUnits>,
}

impl Familiar {
    /// Addresses of the batch's network that were paid before or stand in the policy, and what was paid of
    /// its asset. The batch itself does not count, if it was signed before.
    pub fn of(journal: &Journal, policy: &Policy, content: &Content) -> Self {
        let digest = content.digest();
        let mut addresses = BTreeSet::new();
        let mut amounts = Vec::new();
        let before = journal.intents().iter().filter(|intent| intent.content != digest);
        for record in before.map(|intent| &intent.record).filter(|record| record.network == content.network) {
            addresses.extend(record.items.iter().map(|item| item.destination));
            if record.contract == content.asset.contract {
                amounts.extend(record.items.iter().map(|item| item.amount));
            }
        }
        if let Some(listed) = policy.network(content.network) {
            addresses.extend(listed.wallets.iter().map(|wallet| wallet.address));
            addresses.extend(listed.destinations.iter().flat_map(|entry| &entry.addresses));
        }
        Self { addresses, amounts }
    }

    /// What deserves a second look, as sentences.
    pub fn warnings(&self, content: &Content) -> Vec<String> {
        [self.first_seen(content), self.look_alikes(content), self.outliers(content)].concat()
    }

    fn first_seen(&self, content: &Content) -> Vec<String> {
        let new = |item: &airlock_shared::batch::Item| !self.addresses.contains(&item.destination);
        let numbers: Vec<_> = (0..).zip(&content.items).filter(|(_, item)| new(item)).collect();
        if numbers.is_empty() {
            return Vec::new();
        }
        let shown: Vec<_> =
            numbers.iter().take(2 * LINES_MAX).map(|(number, _)| number.to_string()).collect();
        let more = numbers.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        vec![format!(
            "{} of {} items pay an address for the first time: {}{more}",
            numbers.len(),
            content.items.len(),
            shown.join(", ")
        )]
    }

    fn look_alikes(&self, content: &Content) -> Vec<String> {
        let known: BTreeMap<_, _> = self.addresses.iter().map(|address| (ends(address), address)).collect();
        let alike = |(number, item): (usize, &airlock_shared::batch::Item)| {
            let address = item.destination;
            let other = known.get(&ends(&address)).filter(|_| !self.addresses.contains(&address))?;
            let (new, other) = (grouped(&address), grouped(other));
            Some(format!("item {number} pays {new}, which only looks like the known {other}"))
        };
        cut(content.items.iter().enumerate().filter_map(alike).collect())
    }

    fn outliers(&self, content: &Content) -> Vec<String> {
        let of_batch = content.items.iter().map(|item| item.amount);
        let mut all: Vec<_> = self.amounts.iter().copied().chain(of_batch).collect();
        all.sort_unstable();
        let usual = all.get(all.len() / 2).copied().filter(|_| all.len() >= OUTLIER_SAMPLES_MIN);
        let Some(usual) = usual else { return Vec::new() };
        // Ten times a median that 256 bits do not hold is above every amount.
        let bound = usual.checked_mul(BaseUnits::from(OUTLIER_TIMES)).unwrap_or(BaseUnits::MAX);
        let shown = |base: BaseUnits| base.to_decimal(content.asset.decimals);
        let outlier = |(number, item): (usize, &airlock_shared::batch::Item)| {
            let (paid, usual) = (shown(item.amount), shown(usual));
            (item.amount > bound).then(|| {
                format!("item {number} pays {paid}, more than {OUTLIER_TIMES} times the usual {usual}")
            })
        };
        cut(content.items.iter().enumerate().filter_map(outlier).collect())
    }
}

fn cut(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} more of that kind"));
    }
    lines
}
