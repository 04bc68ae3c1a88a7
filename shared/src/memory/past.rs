//! What the rules see of the past: the journal's memory, and the batches before this one in the same bundle.
//!
//! Built by the session for each batch and by the auditor for each file. What must stay true: a batch that
//! crosses with others is judged as if they had been signed before it; rules that need a past ask nothing
//! where it is unknown, which a signer's never is.

use super::{AtNonce, Memory, Signing};
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::id::ItemId;
use crate::network::Network;

/// The past of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    journal: Option<&'a Memory>,
    bundle: Option<&'a Memory>,
}

impl<'a> Past<'a> {
    /// For who has no journal: the coordinator, which asks the policy early, and an auditor of one file.
    pub const fn unknown() -> Self {
        Self { journal: None, bundle: None }
    }

    /// What the journal holds.
    pub const fn of(journal: &'a Memory) -> Self {
        Self { journal: Some(journal), bundle: None }
    }

    /// The same, and the batches before this one in its bundle.
    pub const fn with_bundle(self, bundle: &'a Memory) -> Self {
        Self { bundle: Some(bundle), ..self }
    }

    /// Is there a journal behind it?
    pub const fn is_known(&self) -> bool {
        self.journal.is_some()
    }

    fn layers(&self) -> impl Iterator<Item = &'a Memory> {
        self.journal.into_iter().chain(self.bundle)
    }

    fn sum(&self, of: impl Fn(&Memory) -> BaseUnits) -> BaseUnits {
        BaseUnits::checked_sum(self.layers().map(of)).unwrap_or(BaseUnits::MAX)
    }

    /// When the journal's newest entry was written, UTC seconds.
    pub fn time(&self) -> Option<u64> {
        self.journal.map(Memory::time)
    }

    /// Every signing of an item, oldest first.
    pub fn signings_of(&self, id: ItemId) -> impl Iterator<Item = Signing<'a>> {
        self.layers().flat_map(move |memory| memory.signings_of(id))
    }

    /// What was signed at an account nonce.
    pub fn at_nonce(&self, account: &Address, nonce: u64) -> Option<AtNonce> {
        let both = self.layers().filter_map(|memory| memory.at_nonce(account, nonce));
        both.reduce(|first, then| AtNonce { cancel: first.cancel.or(then.cancel), ..first })
    }

    /// Was this transaction id signed before?
    pub fn has_tx_id(&self, tx_id: &[u8; 32]) -> bool {
        self.layers().any(|memory| memory.has_tx_id(tx_id))
    }

    /// The highest item id of one epoch that counts as signed.
    pub fn highest_item_of(&self, epoch: u16) -> Option<u64> {
        self.layers().filter_map(|memory| memory.highest_item_of(epoch)).max()
    }

    /// The newest epoch of which an item id counts as signed.
    pub fn newest_epoch(&self) -> Option<u16> {
        self.layers().filter_map(Memory::newest_epoch).max()
    }

    /// The highest nonce of an account that counts as signed.
    pub fn highest_nonce(&self, account: &Address) -> Option<u64> {
        self.layers().filter_map(|memory| memory.highest_nonce(account)).max()
    }

    /// What was signed of an asset at or after `time`.
    pub fn spent_since(&self, network: Network, contract: Option<Address>, time: u64) -> BaseUnits {
        self.sum(|memory| memory.spent_since(network, contract, time))
    }

    /// What of that was signed again on a claim.
    pub fn reissued_since(&self, network: Network, contract: Option<Address>, time: u64) -> BaseUnits {
        self.sum(|memory| memory.reissued_since(network, contract, time))
    }

    /// When a destination was first paid, or first refused for being first seen, UTC seconds.
    pub fn first_seen(&self, destination: &Address) -> Option<u64> {
        self.layers().filter_map(|memory| memory.first_seen(destination)).min()
    }

    /// Everything that a destination was ever paid of a token; `None` is the native coin.
    pub fn paid(&self, contract: Option<Address>, destination: &Address) -> BaseUnits {
        self.sum(|memory| memory.paid(contract, destination))
    }

    /// Is the id at or below the watermark of the custodians' terms?
    pub fn is_item_below_watermark(&self, id: ItemId) -> bool {
        self.layers().any(|memory| memory.is_item_below_watermark(id))
    }

    /// Is the account nonce?
    pub fn is_nonce_below_watermark(&self, account: &Address, nonce: u64) -> bool {
        self.layers().any(|memory| memory.is_nonce_below_watermark(account, nonce))
    }
}
