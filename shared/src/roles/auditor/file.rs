//! One file: everything that it can prove by itself.
//!
//! The content is the one that a pinned coordinator sealed; the policy in it is signed by enough custodians of
//! the pinned roster; enough distinct people approved; every signer is a custodian of the roster, holds the
//! vault that the batch names, and its receipt is authentic and records these signatures; the journal entries
//! are one chain; every signature is by the wallet that pays; transactions that travel along equal what the
//! fields build. Where a hardware wallet paid, the wallet that the policy lists and the coordinator's word stand
//! in the place of signer, receipt and journal, and the report says so. Files are independent of each other
//! here, so callers may check them in parallel.

use super::Pins;
use crate::approval::{self, Proof};
use crate::batch::{Content, Context, Totals};
use crate::chain::{BuildError, Signed, Unsigned};
use crate::digest::Digest;
use crate::envelope::{Outcome, Receipt, Reply, SignedBatch};
use crate::identity::Identity;
use crate::journal::{Chain, ChainError, Entry, Event, Record};
use crate::memory::Past;
use crate::policy::rules::RULES;
use crate::policy::{Facts, HardwareKey, PolicyError, Refusal, Rule};
use crate::roles::{creator, extractor::Level, finalizer};
use crate::wallet::Role;

/// What a good file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Digest of the content.
    pub content: Digest,
    /// Sums of the batch.
    pub totals: Totals,
    /// People who approved, as they stand in the file.
    pub approvers: Vec<String>,
    /// How many of them with a device that decoded the batch, and how many with a passkey.
    pub methods: (usize, usize),
    /// Signers that answered.
    pub signers: Vec<Identity>,
    /// Whether it was signed or refused.
    pub verdict: Verdict,
    /// Every transaction that may be on the chain: items in order, levels ascending, the cancel last.
    pub transactions: Vec<Transaction>,
    /// How many signatures were recovered and found right.
    pub signatures: usize,
    /// Journal time of the intent, UTC seconds: when the batch counts as signed.
    pub signed_at: u64,
    /// What the intent covers, as the signer's memory keeps it; none of a refusal.
    pub record: Option<Record>,
    /// For each signer in order, the journal entry that counts the batch as signed: its intent, or what the
    /// receipt shows instead.
    pub places: Vec<u64>,
    /// Where a hardware wallet signed: its key as the policy lists it, and the coordinator that let it. No journal
    /// stands behind that.
    pub hardware: Option<(HardwareKey, Identity)>,
}

impl Report {
    /// Where the file belongs in the order of a folder.
    pub fn order(&self) -> Option<(Identity, u64)> {
        if let Some((_, coordinator)) = &self.hardware {
            return Some((*coordinator, self.signed_at));
        }
        self.signers.first().copied().zip(self.places.first().copied())
    }
}

/// The rules that need nothing but the file, and are costly: they are asked here. [`super::Folder`] asks the others.
pub(super) const JUDGED_ALONE: &[Rule] = &[Rule::Approvals, Rule::IndependentApprovals];

/// How the batch ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was signed.
    Signed,
    /// It was refused; nothing of it was signed.
    Refused {
        /// The refusal code.
        code: String,
    },
}

/// One signed transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// The item's place in the batch, from 0.
    pub item: usize,
    /// Which of the item's transactions.
    pub level: Level,
    /// Its id on the chain.
    pub tx_id: [u8; 32],
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
    /// The coordinator is not a pinned one.
    #[error("envelope.coordinator: {found} is not pinned")]
    Coordinator {
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
    /// A hardware wallet pays, and the file has no signatures of it, or a signer's reply beside them.
    #[error("hardware: a hardware wallet pays; its signatures must be here, and no signer's reply")]
    NoHardware,
    /// Signatures of a hardware wallet for a source that the policy does not list as one.
    #[error("hardware: the policy lists no hardware wallet as this source")]
    NotHardware,
    /// The coordinator's word does not fit: signatures, approvals or the time were changed.
    #[error("hardware.signature: does not fit; signatures, approvals or the time of the export were changed")]
    HardwareSeal,
    /// A signature of the hardware wallet is wrong.
    #[error("hardware: {0}")]
    Hardware(finalizer::FinalizeError),
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
    /// A refusal that carries signatures, or is not its signer's.
    #[error("replies[{reply}].receipt: the refusal is not its signer's, or carries signatures")]
    Refusal {
        /// Which reply.
        reply: usize,
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
    /// The intent in the journal covers something else than the file has.
    #[error("replies[{reply}].receipt.unacknowledged: the intent at entry {sequence} covers another record")]
    Record {
        /// Which reply.
        reply: usize,
        /// The intent.
        sequence: u64,
    },
    /// A receipt that its signer did not sign.
    #[error("receipt.signature: does not fit")]
    Receipt,
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

/// Checks one signed-batch file by itself. The rules of the policy that need a past, and those alone, are left
/// to [`super::Folder`].
pub fn audit(file: &SignedBatch, pins: &Pins) -> Result<Report, Finding> {
    check_origin(file, pins)?;
    let content = &file.envelope.content;
    let digest = content.digest();
    let transactions = creator::transactions(content)?;
    check_transactions(file, &transactions)?;
    let mut report = Report {
        content: digest,
        totals: content.totals().map_err(|error| BuildError { item: 0, why: error.to_string() })?,
        approvers: file.envelope.approvals.iter().map(|approval| approval.person.to_string()).collect(),
        methods: methods(file),
        signers: Vec::new(),
        verdict: Verdict::Signed,
        transactions: Vec::new(),
        signatures: 0,
        signed_at: 0,
        record: None,
        places: Vec::new(),
        hardware: None,
    };
    let by_hardware = content.source.is_some_and(|source| source.role == Role::Hardware);
    if by_hardware || file.hardware.is_some() {
        check_hardware(file, &transactions, &mut report)?;
        return Ok(report);
    }
    for (index, reply) in file.replies.iter().enumerate() {
        check_signer(file, index, &reply.receipt)?;
        if reply.receipt.approvals != approval::digest_of(&file.envelope.approvals) {
            return Err(Finding::Approvals { reply: index });
        }
        report.signers.push(reply.receipt.signer());
        report.places.push(intent_of(&reply.receipt).unwrap_or(&reply.receipt.entry).sequence);
        if let Outcome::Refused { code, .. } = &reply.receipt.outcome {
            check_refusal(index, reply, &digest)?;
            // Beside a signature, a refusal says nothing about when it was made.
            report.signed_at = if report.signatures > 0 { report.signed_at } else { reply.receipt.time };
            report.verdict = Verdict::Refused { code: code.clone() };
            continue;
        }
        // Journal time: the receipt's own is its signer's choice.
        report.signed_at = intent_of(&reply.receipt).unwrap_or(&reply.receipt.entry).time;
        let signed = finalizer::finalize_built(content, &digest, &transactions, reply)
            .map_err(|error| Finding::Reply { reply: index, error })?;
        report.transactions.extend(ids(content, &signed));
        report.signatures += reply.signatures.len();
        report.record = record(content, index, &reply.receipt, &transactions, report.signed_at)?;
        check_approvals(file, &digest, report.signed_at)?;
    }
    if report.signatures > 0 {
        report.verdict = Verdict::Signed;
    }
    if report.signers.is_empty() { Err(Finding::NoReply) } else { Ok(report) }
}

/// A batch that a hardware wallet signed: the policy lists the wallet, the pinned coordinator says when it let the
/// requests go, and every signature is the wallet's.
fn check_hardware(
    file: &SignedBatch,
    transactions: &[Vec<Unsigned>],
    report: &mut Report,
) -> Result<(), Finding> {
    let content = &file.envelope.content;
    let network = file.policy.policy.network(content.network);
    let listed = content.source.and_then(|source| network?.paying(&source)?.hardware.clone());
    let key = listed.ok_or(Finding::NotHardware)?;
    let reply = file.hardware.as_ref().filter(|_| file.replies.is_empty()).ok_or(Finding::NoHardware)?;
    if !reply.is_authentic(&file.envelope) {
        return Err(Finding::HardwareSeal);
    }
    let signed =
        finalizer::attach_all(content, transactions, &reply.signatures).map_err(Finding::Hardware)?;
    report.transactions = ids(content, &signed);
    report.signatures = reply.signatures.len();
    report.signed_at = reply.exported_at;
    let tx_ids = |item: usize| transactions[item].iter().filter_map(Unsigned::tx_id).collect();
    report.record = Record::of(content, reply.exported_at, tx_ids);
    report.hardware = Some((key, file.envelope.coordinator));
    check_approvals(file, &report.content, reply.exported_at)
}

/// Enough distinct people approved, each with a device or passkey of the policy.
fn check_approvals(file: &SignedBatch, digest: &Digest, now: u64) -> Result<(), Finding> {
    let facts = Facts {
        content: &file.envelope.content,
        digest: *digest,
        approvals: &file.envelope.approvals,
        bundle_len: 1,
        policy: &file.policy.policy,
        now,
        past: Past::unknown(),
    };
    let own = RULES.iter().filter(|(rule, _)| JUDGED_ALONE.contains(rule));
    Ok(own.into_iter().try_for_each(|(_, check)| check(&facts))?)
}

/// What the intent covers: the record that its digest binds, where the receipt shows the intent.
fn record(
    content: &Content,
    reply: usize,
    receipt: &Receipt,
    transactions: &[Vec<Unsigned>],
    signed_at: u64,
) -> Result<Option<Record>, Finding> {
    let tx_ids = |item: usize| transactions[item].iter().filter_map(Unsigned::tx_id).collect();
    let record = Record::of(content, signed_at, tx_ids);
    let Some(entry) = intent_of(receipt) else { return Ok(record) };
    let covers = |bound: Digest| record.as_ref().is_some_and(|record| record.digest() == bound);
    match entry.event {
        Event::Intent { record: bound, approvals, .. } if covers(bound) && approvals == receipt.approvals => {
            Ok(record)
        }
        _ => Err(Finding::Record { reply, sequence: entry.sequence }),
    }
}

/// Checks a receipt that stands alone: its signer's own word, with entries that are a chain.
pub fn check_receipt(receipt: &Receipt) -> Result<(), Finding> {
    if !receipt.is_authentic() {
        return Err(Finding::Receipt);
    }
    check_journal(receipt).map_err(|error| Finding::Journal { reply: 0, error })
}

fn check_origin(file: &SignedBatch, pins: &Pins) -> Result<(), Finding> {
    let found = file.roster.digest();
    if found != pins.roster {
        return Err(Finding::Roster { pinned: pins.roster, found });
    }
    if !pins.coordinators.contains(&file.envelope.coordinator) {
        return Err(Finding::Coordinator { found: file.envelope.coordinator });
    }
    if !file.envelope.is_authentic() {
        return Err(Finding::Seal);
    }
    file.policy.check(&file.roster, file.envelope.content.profile)?;
    Ok(())
}

fn check_signer(file: &SignedBatch, reply: usize, receipt: &Receipt) -> Result<(), Finding> {
    let (signer, vault) = (receipt.signer(), file.envelope.content.vault);
    if !file.roster.custodians.iter().any(|custodian| custodian.identity == signer) {
        return Err(Finding::Stranger { reply, signer });
    }
    if signer.fingerprint() != vault {
        return Err(Finding::OtherVault { reply, signer, vault });
    }
    check_journal(receipt).map_err(|error| Finding::Journal { reply, error })
}

fn methods(file: &SignedBatch) -> (usize, usize) {
    let approvals = &file.envelope.approvals;
    let devices = approvals.iter().filter(|approval| matches!(approval.proof, Proof::Device { .. })).count();
    (devices, approvals.len() - devices)
}

/// The entry that counts the batch as signed, if the receipt still shows it.
pub(super) fn intent_of(receipt: &Receipt) -> Option<&Entry> {
    receipt
        .unacknowledged
        .iter()
        .find(|entry| matches!(entry.event, Event::Intent { content, .. } if content == receipt.content))
}

/// A refusal is its signer's own word, and nothing was signed with it.
fn check_refusal(index: usize, reply: &Reply, content: &Digest) -> Result<(), Finding> {
    let receipt = &reply.receipt;
    if receipt.is_authentic() && receipt.content == *content && reply.signatures.is_empty() {
        return Ok(());
    }
    Err(Finding::Refusal { reply: index })
}

/// The entries before the receipt's own lead to it, each signed, none missing. Where custodians re-anchored
/// the journal, [`super::Journals`] knows more; inside one receipt the chain has no jump.
pub(super) fn check_journal(receipt: &Receipt) -> Result<(), ChainError> {
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
fn check_transactions(file: &SignedBatch, built: &[Vec<Unsigned>]) -> Result<(), Finding> {
    if file.transactions.is_empty() {
        return Ok(());
    }
    let mut built = built.iter().flatten();
    let mut index = 0;
    for found in &file.transactions {
        if built.next().map(|unsigned| unsigned.bytes()).as_ref() != Some(found) {
            return Err(Finding::Transaction { index });
        }
        index += 1;
    }
    if built.next().is_some() { Err(Finding::Transaction { index }) } else { Ok(()) }
}

fn ids(content: &Content, signed: &[Vec<Signed>]) -> Vec<Transaction> {
    let has_cancel = matches!(&content.context, Context::Evm(evm) if evm.cancel.is_some());
    let cancel = content.signatures_per_item().saturating_sub(1);
    let level = |index: usize| match u8::try_from(index) {
        Ok(index) if !(has_cancel && usize::from(index) == cancel) => Level::Payment(index),
        _ => Level::Cancel,
    };
    let mut ids = Vec::with_capacity(signed.len());
    for (item, transactions) in signed.iter().enumerate() {
        for (index, signed) in transactions.iter().enumerate() {
            ids.push(Transaction { item, level: level(index), tx_id: signed.tx_id() });
        }
    }
    ids
}
