//! What this signer remembers of addresses and amounts: what makes a recipient new and an amount unusual (S3).
//!
//! Made by `sign` and `inspect` for each batch and read by the review. What must stay true: a memory never
//! permits and never refuses, which is the policy's; what was paid is taken from the journal and what is
//! listed from the policy in force, never from the batch.

use crate::journal::Journal;
use crate::review::ends;
use airlock_shared::batch::Content;
use airlock_shared::policy::Policy;
use airlock_shared::{Address, BaseUnits};
use std::collections::{BTreeMap, HashSet};

/// So many of the newest payments say what is usual; older ones no longer do.
const RECENT_MAX: usize = 1_000;

/// Where an address is known from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// The policy in force names it.
    Listed,
    /// It was paid before.
    Paid,
}

/// The memory, as far as it concerns one batch.
#[derive(Clone, Default, Debug)]
pub struct Familiar {
    addresses: HashSet<Address>,
    by_ends: BTreeMap<(String, String), (Address, Origin)>,
    recent: Vec<BaseUnits>,
    young: HashSet<Address>,
    delay_seconds: u64,
}

impl Familiar {
    /// Addresses of the batch's network that were paid before or stand in the policy, and what was paid of
    /// its asset lately. The batch itself does not count, if it was signed before. `now` in UTC seconds.
    pub fn of(journal: &Journal, policy: &Policy, content: &Content, now: u64) -> Self {
        let digest = content.digest();
        let mut familiar = Self::default();
        let near = near(content);
        let know = |familiar: &mut Self, address: Address, origin| {
            if near.contains(&head(&address)) {
                familiar.know(address, origin);
            }
        };
        let before = journal.signed().rev().filter(|(intent, _)| intent.content != digest);
        for record in before.map(|(_, record)| record).filter(|record| record.network == content.network) {
            record.items.iter().for_each(|item| know(&mut familiar, item.destination, Origin::Paid));
            if record.contract == content.asset.contract {
                let room = RECENT_MAX.saturating_sub(familiar.recent.len());
                familiar.recent.extend(record.items.iter().map(|item| item.amount).take(room));
            }
        }
        if let Some(listed) = policy.network(content.network) {
            let wallets = listed.wallets.iter().map(|entry| entry.wallet.address);
            let destinations = listed.destinations.iter().flat_map(|entry| entry.addresses.iter().copied());
            wallets.chain(destinations).for_each(|address| know(&mut familiar, address, Origin::Listed));
            familiar.delay_seconds = listed.first_seen_delay_seconds;
            let listed = listed.listed(content.kind);
            for address in content.items.iter().map(|item| item.destination) {
                let seen = journal.memory().first_seen(&address).filter(|_| !listed.contains(&address));
                if seen.is_some_and(|seen| now.saturating_sub(seen) < familiar.delay_seconds) {
                    familiar.young.insert(address);
                }
            }
        }
        familiar
    }

    /// Takes an address in.
    pub fn know(&mut self, address: Address, origin: Origin) {
        if self.addresses.insert(address) {
            self.by_ends.insert(ends(&address), (address, origin));
        }
    }

    /// Takes a payment in.
    pub fn paid(&mut self, destination: Address, amount: BaseUnits) {
        self.know(destination, Origin::Paid);
        self.recent.push(amount);
    }

    /// Was this address paid before, or is it listed?
    pub fn knows(&self, address: &Address) -> bool {
        self.addresses.contains(address)
    }

    /// Was it first paid, or first asked for, less than the policy's delay ago?
    pub fn is_young(&self, address: &Address) -> bool {
        self.young.contains(address)
    }

    /// How long the policy calls a destination first seen, seconds.
    pub const fn delay_seconds(&self) -> u64 {
        self.delay_seconds
    }

    /// A known address that only looks like this one.
    pub fn alike(&self, address: &Address) -> Option<(Address, Origin)> {
        self.by_ends.get(&ends(address)).copied().filter(|_| !self.knows(address))
    }

    /// Amounts of the asset that were paid lately.
    pub fn recent(&self) -> &[BaseUnits] {
        &self.recent
    }
}

/// The first 16 bits of an address.
fn head(address: &Address) -> u16 {
    let [one, two, ..] = *address.payload();
    u16::from_be_bytes([one, two])
}

/// What a look-alike of one of the batch's recipients can begin with. Spelling an address costs two hashes,
/// and a journal holds millions; four hex digits are these 16 bits, and four base58 characters leave fewer
/// than 2^176 of 2^200 values, so that these bits differ by one at most.
fn near(content: &Content) -> HashSet<u16> {
    let heads = content.items.iter().map(|item| head(&item.destination));
    heads.flat_map(|head| [head.saturating_sub(1), head, head.saturating_add(1)]).collect()
}
