//! Many files as one sequence: replayed in the order of the journal, as the signer saw them.
//!
//! Callers hand in files that passed by themselves, in the order of their intents. Each is judged by every rule
//! of its policy, with the memory that the signer had at that moment, because this is the same [`Memory`] over
//! the same records. What must stay true: a record is believed only if the journal's intent binds its digest;
//! what one signer's memory cannot show (an item paid by two signers) is found across them; what could not be
//! judged for want of a file is a [`Note`], never a pass in silence.

use super::Pins;
use super::file::{JUDGED_ALONE, Report, intent_of};
use super::journals::{Break, Chained, Journals, Origin, Terms};
use crate::address::Address;
use crate::digest::Digest;
use crate::envelope::{Outcome, Receipt, SignedBatch};
use crate::genesis::{GenesisError, SignedGenesis};
use crate::id::ItemId;
use crate::identity::{Identity, Roster};
use crate::journal::{Entry, Event, Record};
use crate::memory::{Memory, Past, Repeat, check_repeats};
use crate::network::Family;
use crate::policy::rules::{RULES, first_seen_of};
use crate::policy::{Facts, Refusal, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What files show only together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The same batch stands in the folder twice.
    #[error("is the same batch as another file")]
    Duplicate {
        /// The caller's place of the first file.
        first: usize,
    },
    /// Two signers signed the same item.
    #[error("envelope.content.items[{place}]: item {} was signed by {other} too", item.number())]
    Item {
        /// Its place in the batch.
        place: usize,
        /// The item.
        item: ItemId,
        /// The other signer.
        other: Identity,
        /// The caller's place of the first file.
        first: usize,
    },
    /// Two signers signed at the same account nonce.
    #[error("envelope.content.items[{place}]: account nonce {nonce} of {account} was signed by {other} too")]
    Nonce {
        /// The item's place in the batch.
        place: usize,
        /// The paying account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// The other signer.
        other: Identity,
        /// The caller's place of the first file.
        first: usize,
    },
    /// The intent in the journal covers something else than the file has.
    #[error("replies: the intent at journal entry {sequence} covers another record, or other approvals")]
    Record {
        /// The intent.
        sequence: u64,
    },
    /// A batch that was refused for ever was signed.
    #[error("envelope.content: batch content {content} was refused by {signer} and signed all the same")]
    Refused {
        /// Digest of the content.
        content: Digest,
        /// Who refused it.
        signer: Identity,
    },
    /// A rule was broken at the moment of signing.
    #[error("envelope.content: {0}")]
    Rule(#[from] Refusal),
    /// An item, an account nonce or a transaction was signed before.
    #[error("envelope.content: {0}")]
    Repeat(#[from] Repeat),
    /// Another policy was in force than the file has.
    #[error("policy: version {found} was not in force at journal entry {sequence}; version {in_force} was")]
    Policy {
        /// The file's version.
        found: u64,
        /// The version that was installed.
        in_force: u64,
        /// The intent.
        sequence: u64,
    },
    /// A receipt by somebody who is no custodian of the roster.
    #[error("signer {signer} of a receipt or journal entry is not in the roster")]
    Stranger {
        /// Who.
        signer: Identity,
    },
    /// A journal is not one chain.
    #[error("replies: {0}")]
    Break(#[from] Break),
}

/// What could not be judged, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The journal entries around an intent are not all there.
    #[error(
        "which policy was in force at journal entry {sequence} of {signer}: entries before it are missing"
    )]
    PolicyUnknown {
        /// The signer.
        signer: Identity,
        /// The intent.
        sequence: u64,
    },
    /// The intent is in none of the files, so when it was made is taken from the receipt.
    #[error("the intent of batch content {content}: no file shows its journal entry")]
    NoIntent {
        /// The batch.
        content: Digest,
    },
    /// A hardware wallet signed it.
    #[error(
        "the journal behind batch content {content}: there is none; hardware wallet {} signed it, and that the policy was \
         asked at {exported_at}, and that no such file is missing, is the coordinator's word alone",
        hex::encode(fingerprint)
    )]
    Hardware {
        /// The batch.
        content: Digest,
        /// The device's master key.
        fingerprint: [u8; 4],
        /// When its requests left, UTC seconds.
        exported_at: u64,
    },
    /// Files of what was signed before are missing, so the rules that need the whole past were not asked.
    #[error(
        "the rules that need the whole past ({}): what was signed before is not all here",
        words(NEED_ALL)
    )]
    PastUnknown,
}

/// Rules that would refuse a good batch if part of the past were missing.
const NEED_ALL: &[Rule] = &[
    Rule::ClockJump,
    Rule::ItemAhead,
    Rule::NonceGap,
    Rule::ReissueReason,
    Rule::ReissueApprovals,
    Rule::ReissueLimit,
    Rule::FirstSeen,
];

fn words(rules: &[Rule]) -> String {
    let words: Vec<_> = rules.iter().map(|rule| rule.word()).collect();
    words.join(", ")
}

/// What a file added to the sequence.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// What is wrong.
    pub findings: Vec<Contradiction>,
    /// What could not be judged.
    pub notes: Vec<Note>,
}

/// What good files have shown so far.
pub struct Folder {
    pins: Pins,
    custodians: BTreeSet<Identity>,
    terms: Terms,
    journals: Journals,
    memories: BTreeMap<Identity, Remembered>,
    contents: HashMap<Digest, usize>,
    refused: HashMap<Digest, Identity>,
    items: HashMap<ItemId, (Identity, usize)>,
    nonces: HashMap<(Address, u64), (Identity, usize)>,
    signed: HashSet<Digest>,
}

/// One signer's memory, and how much of its journal went into it.
#[derive(Default)]
struct Remembered {
    memory: Memory,
    /// Intents and terms that were taken in.
    taken: BTreeSet<u64>,
    /// Up to here every one of them was.
    complete_to: u64,
}

impl Folder {
    /// Nothing yet. `custodians` are those of the pinned roster.
    pub fn new(pins: Pins, custodians: impl IntoIterator<Item = Identity>) -> Self {
        Self {
            pins,
            custodians: custodians.into_iter().collect(),
            terms: Terms::new(),
            journals: Journals::default(),
            memories: BTreeMap::new(),
            contents: HashMap::new(),
            refused: HashMap::new(),
            items: HashMap::new(),
            nonces: HashMap::new(),
            signed: HashSet::new(),
        }
    }

    /// Custodians' terms on which a journal began again. They come before the files.
    pub fn add_terms(&mut self, signed: SignedGenesis, roster: &Roster) -> Result<(), GenesisError> {
        signed.check(roster, signed.genesis.profile, signed.genesis.signer)?;
        self.terms.insert(signed.genesis.digest(), signed);
        Ok(())
    }

    /// Journal entries that a ledger export brought, checked to be their signers'.
    pub fn add_entry(&mut self, entry: &Entry) -> Result<(), Contradiction> {
        if !self.custodians.contains(&entry.signer) {
            return Err(Contradiction::Stranger { signer: entry.signer });
        }
        Ok(self.journals.add(entry, None)?)
    }

    /// A receipt that stands alone: of a refusal, or of a batch whose file is missing.
    pub fn add_receipt(&mut self, place: usize, receipt: &Receipt) -> Vec<Contradiction> {
        let signer = receipt.signer();
        if !self.custodians.contains(&signer) {
            return vec![Contradiction::Stranger { signer }];
        }
        let mut findings = Vec::new();
        for entry in receipt.unacknowledged.iter().chain([&receipt.entry]) {
            findings.extend(self.journals.add(entry, Some(place)).err().map(Contradiction::from));
        }
        if matches!(receipt.outcome, Outcome::Refused { .. }) {
            self.refused.insert(receipt.content, signer);
            if self.signed.contains(&receipt.content) {
                findings.push(Contradiction::Refused { content: receipt.content, signer });
            }
        }
        findings
    }

    /// Adds a file that passed by itself, in the order of the intents. `place` is the caller's number for it.
    pub fn add(&mut self, place: usize, file: &SignedBatch, report: &Report) -> Added {
        let mut added = Added::default();
        if let Some(first) = self.contents.get(&report.content) {
            added.findings.push(Contradiction::Duplicate { first: *first });
            return added;
        }
        self.contents.insert(report.content, place);
        for reply in &file.replies {
            added.findings.extend(self.add_receipt(place, &reply.receipt));
        }
        let seen = file.envelope.approvals.iter().filter_map(|approval| approval.seen.as_ref());
        for head in file.envelope.heads.iter().chain(seen) {
            added.findings.extend(self.journals.saw(head, Some(place)).err().map(Contradiction::from));
        }
        for reply in &file.replies {
            match &reply.receipt.outcome {
                Outcome::Refused { code, .. } => self.remember_refusal(file, report, &reply.receipt, code),
                Outcome::Signed { .. } => self.judge(place, file, report, &reply.receipt, &mut added),
            }
        }
        if let Some((key, coordinator)) = &report.hardware {
            let (content, exported_at) = (report.content, report.signed_at);
            added.notes.push(Note::Hardware { content, fingerprint: key.fingerprint, exported_at });
            self.check_once(*coordinator, place, file, report, &mut added);
            self.replay(*coordinator, None, report.signed_at, (file, report), &mut added);
        }
        added
    }

    /// A refusal for nothing but first-seen destinations begins their delay. Its signer's word is not enough: every
    /// other rule must hold at that time, the quorum included, and the time must fit the journal.
    fn remember_refusal(&mut self, file: &SignedBatch, report: &Report, receipt: &Receipt, code: &str) {
        if code != Rule::FirstSeen.word() || receipt.time < receipt.entry.time {
            return;
        }
        let signer = receipt.signer();
        let remembered = self.memories.entry(signer).or_default();
        let next = receipt.entry.sequence.saturating_add(1);
        let complete = remembered.catch_up(&self.journals, &self.terms, signer, next);
        let facts = facts(file, report, receipt.time, Past::of(&remembered.memory));
        // Batches before it in its bundle were refused with it, so its numbers need not follow the signed ones.
        let left_out = [Rule::FirstSeen, Rule::ItemAhead, Rule::NonceGap];
        let asked = |rule: &Rule| !left_out.contains(rule) && (complete || !NEED_ALL.contains(rule));
        if RULES.iter().any(|(rule, check)| asked(rule) && check(&facts).is_err()) {
            return;
        }
        let seen = first_seen_of(&facts);
        remembered.memory.first_seen_refused(seen.network, &seen.destinations, receipt.time);
    }

    fn judge(
        &mut self,
        place: usize,
        file: &SignedBatch,
        report: &Report,
        receipt: &Receipt,
        added: &mut Added,
    ) {
        let signer = receipt.signer();
        self.check_once(signer, place, file, report, added);
        self.signed.insert(report.content);
        let intent = self.intent(receipt, report, added);
        if let Some(entry) = &intent {
            self.check_policy(signer, entry.sequence, file, added);
        }
        let (sequence, time) = (intent.as_ref().map(|entry| entry.sequence), intent.map(|entry| entry.time));
        self.replay(signer, sequence, time.unwrap_or(report.signed_at), (file, report), added);
    }

    /// The batch was not refused for ever, and no other signer signed an item of it. A hardware wallet stands under
    /// the coordinator that let it.
    fn check_once(
        &mut self,
        signer: Identity,
        place: usize,
        file: &SignedBatch,
        report: &Report,
        added: &mut Added,
    ) {
        if let Some(signer) = self.refused.get(&report.content) {
            let (content, signer) = (report.content, *signer);
            added.findings.push(Contradiction::Refused { content, signer });
        }
        for (item_place, item) in file.envelope.content.items.iter().enumerate() {
            let (other, first) = *self.items.entry(item.id).or_insert((signer, place));
            if other != signer {
                added.findings.push(Contradiction::Item { place: item_place, item: item.id, other, first });
            }
            let source = file.envelope.content.source_of(item_place).map(|wallet| wallet.address);
            let Some((account, nonce)) = source.zip(item.account_nonce) else { continue };
            let (other, first) = *self.nonces.entry((account, nonce)).or_insert((signer, place));
            if other != signer {
                let place = item_place;
                added.findings.push(Contradiction::Nonce { place, account, nonce, other, first });
            }
        }
    }

    /// The intent, which binds the record of the file also where another file shows it.
    fn intent(&self, receipt: &Receipt, report: &Report, added: &mut Added) -> Option<Entry> {
        if let Some(entry) = intent_of(receipt) {
            return Some(entry.clone());
        }
        let of_this = |entry: &Entry| matches!(entry.event, Event::Intent { content, .. } if content == receipt.content);
        let signer = receipt.signer();
        let found = self.journals.entries(&signer).find(|one| of_this(&one.entry));
        let Some(Chained { entry, .. }) = found else {
            added.notes.push(Note::NoIntent { content: receipt.content });
            return None;
        };
        let covered = report.record.clone().map(|record| Record { time: entry.time, ..record }.digest());
        match entry.event {
            Event::Intent { record, approvals, .. }
                if covered == Some(record) && approvals == receipt.approvals => {}
            _ => added.findings.push(Contradiction::Record { sequence: entry.sequence }),
        }
        Some(entry.clone())
    }

    /// The policy of the file is the one that was installed.
    fn check_policy(&self, signer: Identity, sequence: u64, file: &SignedBatch, added: &mut Added) {
        let policy = &file.policy.policy;
        match self.journals.policy_at(&signer, sequence) {
            None => added.notes.push(Note::PolicyUnknown { signer, sequence }),
            Some((_, digest)) if digest == policy.digest() => {}
            Some((in_force, _)) => {
                let found = policy.version;
                added.findings.push(Contradiction::Policy { found, in_force, sequence });
            }
        }
    }

    /// Every rule, with the memory that the signer had, and then the batch becomes part of that memory.
    fn replay(
        &mut self,
        signer: Identity,
        intent: Option<u64>,
        now: u64,
        (file, report): (&SignedBatch, &Report),
        added: &mut Added,
    ) {
        let remembered = self.memories.entry(signer).or_default();
        let complete =
            intent.is_some_and(|sequence| remembered.catch_up(&self.journals, &self.terms, signer, sequence));
        let content = &file.envelope.content;
        let past = Past::of(&remembered.memory);
        let facts = facts(file, report, now, past);
        let asked = |rule: &Rule| !JUDGED_ALONE.contains(rule) && (complete || !NEED_ALL.contains(rule));
        let broken =
            RULES.iter().filter(|(rule, _)| asked(rule)).filter_map(|(_, check)| check(&facts).err());
        added.findings.extend(broken.map(Contradiction::Rule));
        let is_tron = content.network.family() == Family::Tron;
        let tx_ids = |item: usize| match report.transactions.get(item) {
            // TRON has one transaction an item, and its id is known before it is signed.
            Some(transaction) if is_tron => vec![transaction.tx_id],
            _ => Vec::new(),
        };
        added.findings.extend(check_repeats(past, content, tx_ids).err().map(Contradiction::from));
        if !complete {
            added.notes.push(Note::PastUnknown);
        }
        if let Some(record) = &report.record {
            if record.time == now {
                remembered.memory.take_in(record);
            } else {
                remembered.memory.take_in(&Record { time: now, ..record.clone() });
            }
            remembered.taken.extend(intent);
        }
    }

    /// The journals, once every file was added.
    pub const fn journals(&self) -> &Journals {
        &self.journals
    }

    /// Every place where a journal is not one chain.
    pub fn breaks(&self) -> Vec<(Origin, Break)> {
        self.journals.breaks(self.pins.roster, &self.terms)
    }

    /// Batches that were signed and whose files are not there.
    pub fn missing(&self) -> Vec<Break> {
        self.journals.missing(|content| self.contents.contains_key(content))
    }
}

fn facts<'a>(file: &'a SignedBatch, report: &Report, now: u64, past: Past<'a>) -> Facts<'a> {
    Facts {
        content: &file.envelope.content,
        digest: report.content,
        approvals: &file.envelope.approvals,
        // Which batches crossed together is in no file.
        bundle_len: 1,
        policy: &file.policy.policy,
        now,
        past,
    }
}

impl Remembered {
    /// Takes in the terms before an intent, and says whether everything before it is in this memory.
    fn catch_up(&mut self, journals: &Journals, terms: &Terms, signer: Identity, sequence: u64) -> bool {
        if !journals.is_whole_to(&signer, sequence) {
            return false;
        }
        for one in journals.entries_between(&signer, self.complete_to + 1, sequence) {
            let entry = &one.entry;
            let is_in = match entry.event {
                Event::Intent { .. } => self.taken.contains(&entry.sequence),
                Event::Genesis { terms: Some(digest), .. } | Event::Reanchored { terms: digest } => {
                    let own = terms.get(&digest);
                    if let Some(signed) = own {
                        self.memory.take_in_genesis(&signed.genesis);
                    }
                    own.is_some()
                }
                _ => true,
            };
            if !is_in {
                return false;
            }
            self.memory.entered(entry.time);
            self.complete_to = entry.sequence;
        }
        true
    }
}
