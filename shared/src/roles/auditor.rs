//! The auditor trusts nobody: one file, two pinned fingerprints, every signature checked again (X1, X3).
//!
//! What is proven for a file: the content is the one that the coordinator sealed; the policy in it is signed by
//! enough custodians of the pinned roster and every rule passes (the rolling day needs the other files and is
//! judged over a folder); enough distinct people approved on their own devices; every signer's receipt is
//! authentic and records these signatures; the journal entries in it are one chain; every signature is by the
//! wallet that pays; transactions that travel along equal what the fields build. The signers are custodians of
//! the pinned roster and hold the vault that the batch names. [`Sequence`] looks across files: nothing was
//! signed twice, and no signer has two journals.

use super::{creator, extractor, finalizer};
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::approval;
use crate::batch::Totals;
use crate::chain::BuildError;
use crate::digest::Digest;
use crate::envelope::{Receipt, SignedBatch};
use crate::id::ItemId;
use crate::identity::Identity;
use crate::journal::{Chain, ChainError};
use crate::policy::{Facts, PolicyError, Refusal, judge};
use std::collections::HashMap;
use std::hash::Hash;

/// What an auditor pins on the first day and compares everything with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pins {
    /// Digest of the roster.
    pub roster: Digest,
    /// The coordinator's identity.
    pub coordinator: Identity,
}

/// What a good file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Digest of the content.
    pub content: Digest,
    /// Sums of the batch.
    pub totals: Totals,
    /// People who approved, as they stand in the file.
    pub approvers: Vec<String>,
    /// Signers that signed.
    pub signers: Vec<Identity>,
    /// Ids of every transaction that may be on the chain.
    pub tx_ids: Vec<[u8; 32]>,
    /// How many signatures were recovered and found right.
    pub signatures: usize,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The roster is not the pinned one.
    #[error("roster: its digest is {found}, pinned is {pinned}")]
    Roster {
        /// What the auditor pinned.
        pinned: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The coordinator is not the pinned one.
    #[error("envelope.coordinator: {found}, pinned is {pinned}")]
    Coordinator {
        /// What the auditor pinned.
        pinned: Identity,
        /// What the file has.
        found: Identity,
    },
    /// The coordinator's seal does not fit: content, approvals or heads were changed.
    #[error("envelope.signature: does not fit the envelope; content, approvals or heads were changed")]
    Seal,
    /// The policy is not signed by enough custodians.
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    /// A rule is broken.
    #[error("envelope.content: {0}")]
    Rule(#[from] Refusal),
    /// There is no reply.
    #[error("replies: there is none")]
    NoReply,
    /// A reply is by somebody who is no custodian of the roster.
    #[error("replies[{reply}]: {signer} is not in the roster")]
    Stranger {
        /// Which reply.
        reply: usize,
        /// Who.
        signer: Identity,
    },
    /// A reply is wrong.
    #[error("replies[{reply}]: {error}")]
    Reply {
        /// Which reply.
        reply: usize,
        /// What is wrong.
        error: finalizer::FinalizeError,
    },
    /// A reply is by another vault than the one the batch names.
    #[error("replies[{reply}]: {signer} does not hold vault {}, which the batch names", hex::encode(vault))]
    OtherVault {
        /// Which reply.
        reply: usize,
        /// Who.
        signer: Identity,
        /// The vault of the batch.
        vault: [u8; 4],
    },
    /// The journal entries of a receipt are no chain.
    #[error("replies[{reply}].receipt.unacknowledged: {error}")]
    Journal {
        /// Which reply.
        reply: usize,
        /// Where it breaks.
        error: ChainError,
    },
    /// A receipt says that the signer saw other approvals.
    #[error("replies[{reply}].receipt.approvals: the signer saw other approvals than the file has")]
    Approvals {
        /// Which reply.
        reply: usize,
    },
    /// A transaction that travels along is not what the fields build.
    #[error("transactions[{index}]: is not what the fields build")]
    Transaction {
        /// Which transaction.
        index: usize,
    },
    /// An item makes no transaction.
    #[error("envelope.content: {0}")]
    Build(#[from] BuildError),
}

/// Checks one signed-batch file.
pub fn audit(file: &SignedBatch, pins: &Pins) -> Result<Report, Finding> {
    check_origin(file, pins)?;
    let content = &file.envelope.content;
    let digest = content.digest();
    check_transactions(file)?;
    let mut report = Report {
        content: digest,
        totals: content.totals().map_err(|error| BuildError { item: 0, why: error.to_string() })?,
        approvers: file.envelope.approvals.iter().map(|approval| approval.person.to_string()).collect(),
        signers: Vec::new(),
        tx_ids: Vec::new(),
        signatures: 0,
    };
    for (index, reply) in file.replies.iter().enumerate() {
        let signer = reply.receipt.signer();
        if !file.roster.custodians.iter().any(|custodian| custodian.identity == signer) {
            return Err(Finding::Stranger { reply: index, signer });
        }
        if signer.fingerprint() != content.vault {
            return Err(Finding::OtherVault { reply: index, signer, vault: content.vault });
        }
        check_journal(&reply.receipt).map_err(|error| Finding::Journal { reply: index, error })?;
        let signed =
            finalizer::finalize(content, reply).map_err(|error| Finding::Reply { reply: index, error })?;
        if reply.receipt.approvals != approval::digest_of(&file.envelope.approvals) {
            return Err(Finding::Approvals { reply: index });
        }
        judge(&Facts {
            content,
            digest,
            approvals: &file.envelope.approvals,
            bundle_len: 1,
            policy: &file.policy.policy,
            now: reply.receipt.time,
            spent_in_a_day: BaseUnits::ZERO,
        })?;
        let extracted = extractor::extract(content, &signed);
        report.tx_ids.extend(extracted.iter().map(|transaction| transaction.tx_id));
        report.signatures += reply.signatures.len();
        report.signers.push(signer);
    }
    if report.signers.is_empty() { Err(Finding::NoReply) } else { Ok(report) }
}

fn check_origin(file: &SignedBatch, pins: &Pins) -> Result<(), Finding> {
    let found = file.roster.digest();
    if found != pins.roster {
        return Err(Finding::Roster { pinned: pins.roster, found });
    }
    if file.envelope.coordinator != pins.coordinator {
        let found = file.envelope.coordinator;
        return Err(Finding::Coordinator { pinned: pins.coordinator, found });
    }
    if !file.envelope.is_authentic() {
        return Err(Finding::Seal);
    }
    file.policy.check(&file.roster, file.envelope.content.profile)?;
    Ok(())
}

/// The entries before the receipt's own lead to it, each signed, none missing.
fn check_journal(receipt: &Receipt) -> Result<(), ChainError> {
    let mut entries = receipt.unacknowledged.iter().chain([&receipt.entry]);
    let Some(mut before) = entries.next() else { return Ok(()) };
    if !before.signer.verifies(&before.head(Chain::Journal), &before.signature) {
        return Err(ChainError::Signature { sequence: before.sequence });
    }
    for entry in entries {
        entry.follows(Chain::Journal, Some(before))?;
        before = entry;
    }
    Ok(())
}

/// S4 for auditors: transactions that travel along must equal what the fields build, byte for byte.
fn check_transactions(file: &SignedBatch) -> Result<(), Finding> {
    if file.transactions.is_empty() {
        return Ok(());
    }
    let built: Vec<_> =
        creator::transactions(&file.envelope.content)?.into_iter().flatten().map(|t| t.bytes()).collect();
    let longest = built.len().max(file.transactions.len());
    match (0..longest).find(|index| built.get(*index) != file.transactions.get(*index)) {
        Some(index) => Err(Finding::Transaction { index }),
        None => Ok(()),
    }
}

/// What good files have shown so far, to find what only two files together can show.
#[derive(Default)]
pub struct Sequence {
    items: HashMap<ItemId, Digest>,
    account_nonces: HashMap<(Address, u64), Digest>,
    tx_ids: HashMap<[u8; 32], Digest>,
    heads: HashMap<(Identity, u64), Digest>,
}

/// What two files show together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// One item was signed in two batches.
    #[error("envelope.content.items: {item:?} was signed in batch content {other} too")]
    Item {
        /// The item.
        item: ItemId,
        /// The other content.
        other: Digest,
    },
    /// One account nonce was signed in two batches.
    #[error(
        "envelope.content.items: account nonce {nonce} of {account} was signed in batch content {other} too"
    )]
    AccountNonce {
        /// The paying account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// The other content.
        other: Digest,
    },
    /// One transaction stands in two batches.
    #[error("transaction {} was signed in batch content {other} too", hex::encode(tx_id))]
    Transaction {
        /// Its id.
        tx_id: [u8; 32],
        /// The other content.
        other: Digest,
    },
    /// Two journals of one signer: it was cloned or rolled back.
    #[error(
        "replies: signer {signer} shows another journal entry {sequence} in another file; its journal forked"
    )]
    Fork {
        /// The signer.
        signer: Identity,
        /// The entry that differs.
        sequence: u64,
    },
}

impl Sequence {
    /// Adds a file that passed; the same file again changes nothing.
    pub fn add(&mut self, file: &SignedBatch, report: &Report) -> Result<(), Contradiction> {
        let content = &file.envelope.content;
        for (index, item) in content.items.iter().enumerate() {
            note(&mut self.items, item.id, report.content)
                .map_err(|other| Contradiction::Item { item: item.id, other })?;
            let account = content.source_of(index).map(|wallet| wallet.address);
            if let (Some(account), Some(nonce)) = (account, item.account_nonce) {
                note(&mut self.account_nonces, (account, nonce), report.content)
                    .map_err(|other| Contradiction::AccountNonce { account, nonce, other })?;
            }
        }
        for tx_id in &report.tx_ids {
            note(&mut self.tx_ids, *tx_id, report.content)
                .map_err(|other| Contradiction::Transaction { tx_id: *tx_id, other })?;
        }
        let receipts = file.replies.iter().map(|reply| &reply.receipt);
        for entry in receipts.flat_map(|receipt| receipt.unacknowledged.iter().chain([&receipt.entry])) {
            let (signer, sequence) = (entry.signer, entry.sequence);
            // An entry names the head before it too, so one missing file between two hides no fork beside it.
            let before = (sequence.saturating_sub(1), entry.previous);
            for (sequence, head) in [before, (sequence, entry.head(Chain::Journal))] {
                note(&mut self.heads, (signer, sequence), head)
                    .map_err(|_| Contradiction::Fork { signer, sequence })?;
            }
        }
        Ok(())
    }
}

/// Remembers the first value of a key; another one is the error.
fn note<K: Eq + Hash>(known: &mut HashMap<K, Digest>, key: K, value: Digest) -> Result<(), Digest> {
    match *known.entry(key).or_insert(value) {
        first if first == value => Ok(()),
        first => Err(first),
    }
}
