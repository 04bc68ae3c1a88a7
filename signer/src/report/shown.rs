//! The parts of a report: one file, one journal, the sums, the books.

use crate::audit::Anchors;
use crate::failure::plain;
use crate::review::utc;
use airlock_shared::BaseUnits;
use airlock_shared::envelope::SignedBatch;
use airlock_shared::journal::Event;
use airlock_shared::ledger::Counts;
use airlock_shared::roles::auditor::{Books, Chained, Folder, Origin, Report as Proven, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What was compared with.
#[derive(Clone, Debug, Serialize)]
pub struct PinsShown {
    /// Are both kinds of pins there?
    pub complete: bool,
    /// Digest of the pinned roster.
    pub roster: Option<String>,
    /// The custodians' names.
    pub custodians: Vec<String>,
    /// How many of them decide.
    pub threshold: Option<u64>,
    /// The pinned coordinators.
    pub coordinators: Vec<String>,
}

impl PinsShown {
    pub(super) fn of(anchors: &Anchors) -> Self {
        let roster = anchors.roster.as_ref();
        let names = roster.into_iter().flat_map(|roster| &roster.custodians);
        Self {
            complete: anchors.are_complete(),
            roster: roster.map(|roster| roster.digest().to_string()),
            custodians: names.map(|custodian| custodian.name.to_string()).collect(),
            threshold: roster.map(|roster| roster.threshold),
            coordinators: anchors.coordinators.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// Its name.
    pub file: String,
    /// What it is: a signed batch, a refused batch, receipts, custodians' terms; nothing if it did not pass.
    pub document: Option<&'static str>,
    /// Is it right?
    pub passed: bool,
    /// The first thing that is wrong.
    pub finding: Option<String>,
    /// Everything that is wrong.
    pub findings: Vec<String>,
    /// Digest of the content.
    pub content: Option<String>,
    /// The batch's id.
    pub batch: Option<String>,
    /// What it does.
    pub kind: Option<&'static str>,
    /// CAIP-2 name of the network.
    pub network: Option<String>,
    /// When it counts as signed, UTC seconds of journal time.
    pub signed_at: u64,
    /// How many items.
    pub items: usize,
    /// Sum with its symbol.
    pub total: Option<String>,
    /// How many signatures were recovered.
    pub signatures: usize,
    /// Who approved.
    pub approvers: Vec<String>,
    /// How many of them on a device that decoded the batch.
    pub by_device: usize,
    /// How many with a passkey.
    pub by_passkey: usize,
    /// Who signed.
    pub signers: Vec<String>,
    /// The policy's name and version.
    pub policy: Option<String>,
    /// Ids of every transaction that may be on the chain.
    pub transactions: Vec<String>,
    #[serde(skip)]
    sum: Option<Sum>,
}

#[derive(Clone, Debug)]
struct Sum {
    symbol: String,
    contract: Option<String>,
    decimals: u8,
    amount: BaseUnits,
    again: BaseUnits,
}

impl Audited {
    pub(super) fn refused(file: String, finding: String) -> Self {
        Self {
            file,
            document: None,
            passed: false,
            finding: Some(finding.clone()),
            findings: vec![finding],
            content: None,
            batch: None,
            kind: None,
            network: None,
            signed_at: 0,
            items: 0,
            total: None,
            signatures: 0,
            approvers: Vec::new(),
            by_device: 0,
            by_passkey: 0,
            signers: Vec::new(),
            policy: None,
            transactions: Vec::new(),
            sum: None,
        }
    }

    /// A document that is no batch.
    pub fn document(file: String, document: &'static str, findings: Vec<String>) -> Self {
        let nothing = Self::refused(file, String::new());
        let (passed, finding) = (findings.is_empty(), findings.first().cloned());
        Self { document: Some(document), passed, finding, findings, ..nothing }
    }

    /// A batch that passed by itself; `findings` are what it showed together with others.
    pub fn batch(file: String, signed: &SignedBatch, proven: &Proven, findings: Vec<String>) -> Self {
        let (content, policy) = (&signed.envelope.content, &signed.policy.policy);
        let (amount, asset) = (proven.totals.amount, &content.asset);
        let again = content.items.iter().filter(|item| item.reissue.is_some()).map(|item| item.amount);
        let sum = Sum {
            symbol: asset.symbol.clone(),
            contract: asset.contract.map(|contract| contract.to_string()),
            decimals: asset.decimals,
            amount,
            again: BaseUnits::checked_sum(again).unwrap_or(BaseUnits::MAX),
        };
        let was_signed = proven.verdict == Verdict::Signed;
        Self {
            document: Some(if was_signed { "signed batch" } else { "refused batch" }),
            passed: findings.is_empty(),
            finding: findings.first().cloned(),
            findings,
            content: Some(proven.content.to_string()),
            batch: Some(content.batch_id.to_string()),
            kind: Some(content.kind.word()),
            network: Some(content.network.to_string()),
            signed_at: proven.signed_at,
            items: content.items.len(),
            total: Some(format!("{} {}", amount.to_decimal(asset.decimals), plain(&asset.symbol))),
            signatures: proven.signatures,
            approvers: proven.approvers.clone(),
            by_device: proven.methods.0,
            by_passkey: proven.methods.1,
            signers: proven.signers.iter().map(ToString::to_string).chain(hardware(proven)).collect(),
            policy: Some(plain(&format!("{} {}", policy.name, policy.version))),
            transactions: proven.transactions.iter().map(|one| hex::encode(one.tx_id)).collect(),
            sum: Some(sum).filter(|_| was_signed),
            file,
        }
    }
}

/// A hardware wallet in the place of a signer.
fn hardware(proven: &Proven) -> Option<String> {
    let (key, _) = proven.hardware.as_ref()?;
    let (fingerprint, path) = (hex::encode(key.fingerprint), plain(&key.path));
    Some(format!("hardware wallet {fingerprint} at {path}; no journal stands behind it"))
}

/// What was signed of one asset on one day.
#[derive(Clone, Debug, Serialize)]
pub struct Total {
    /// The day, UTC, by journal time.
    pub day: String,
    /// CAIP-2 name of the network.
    pub network: String,
    /// Symbol of the asset.
    pub asset: String,
    /// Its contract; nothing for the native coin.
    pub contract: Option<String>,
    /// Batches.
    pub batches: u64,
    /// Items.
    pub items: u64,
    /// Sum, decimal text.
    pub amount: String,
    /// What of it was signed again for an item that was signed before.
    pub signed_again: String,
}

type Place = (String, String, Option<String>, String, u8);

/// Sums by day, network and asset. Files with findings count too: they were signed.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(BTreeMap<Place, (u64, u64, BaseUnits, BaseUnits)>);

impl Sums {
    pub(super) fn add(&mut self, file: &Audited) {
        let (Some(sum), Some(network)) = (&file.sum, &file.network) else { return };
        let day = utc(file.signed_at).chars().take(10).collect();
        let place = (day, network.clone(), sum.contract.clone(), sum.symbol.clone(), sum.decimals);
        let known = self.0.entry(place).or_insert((0, 0, BaseUnits::ZERO, BaseUnits::ZERO));
        known.0 += 1;
        known.1 += file.items as u64;
        known.2 = known.2.checked_add(sum.amount).unwrap_or(BaseUnits::MAX);
        known.3 = known.3.checked_add(sum.again).unwrap_or(BaseUnits::MAX);
    }

    pub(super) fn totals(self) -> Vec<Total> {
        let total = |((day, network, contract, symbol, decimals), (batches, items, amount, again)): (
            Place,
            (u64, u64, BaseUnits, BaseUnits),
        )| Total {
            day,
            network,
            asset: plain(&symbol),
            contract,
            batches,
            items,
            amount: amount.to_decimal(decimals),
            signed_again: again.to_decimal(decimals),
        };
        self.0.into_iter().map(total).collect()
    }
}

/// One signer's journal as the files show it.
#[derive(Clone, Debug, Serialize)]
pub struct JournalShown {
    /// Whose.
    pub signer: String,
    /// The newest entry that is known.
    pub newest: u64,
    /// Its head.
    pub head: String,
    /// Its time, UTC seconds.
    pub newest_time: u64,
    /// The entries that are known, oldest first.
    pub entries: Vec<EntryShown>,
    /// The numbers that nobody brought.
    pub gaps: Vec<GapShown>,
}

/// One journal entry.
#[derive(Clone, Debug, Serialize)]
pub struct EntryShown {
    /// Its number.
    pub sequence: u64,
    /// Its time, UTC seconds.
    pub time: u64,
    /// What happened, one word.
    pub event: &'static str,
    /// To what.
    pub what: String,
    /// The file that brought it; nothing for a ledger export.
    pub file: Option<String>,
}

/// Journal entries that nobody brought.
#[derive(Clone, Debug, Serialize)]
pub struct GapShown {
    /// Whose journal.
    pub signer: String,
    /// The first missing number.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// The file before.
    pub before: Option<String>,
    /// The file after.
    pub after: Option<String>,
}

impl GapShown {
    /// The gap in words.
    pub fn sentence(&self) -> String {
        let entries = match self.to - self.from {
            0 => format!("journal entry {} of signer {} is", self.from, self.signer),
            _ => format!("journal entries {} to {} of signer {} are", self.from, self.to, self.signer),
        };
        let place = match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!(", between {before} and {after}"),
            (None, Some(after)) => format!(", before {after}"),
            (Some(before), None) => format!(", after {before}"),
            (None, None) => String::new(),
        };
        format!("{entries} in no file: a file is missing{place}")
    }
}

impl JournalShown {
    pub(super) fn all(folder: &Folder, name: impl Fn(Origin) -> Option<String>) -> Vec<Self> {
        let journals = folder.journals();
        let mut all: Vec<Self> = journals
            .signers()
            .map(|signer| Self::of(signer.to_string(), journals.entries(&signer), &name))
            .collect();
        for gap in journals.gaps() {
            let signer = gap.signer.to_string();
            let (before, after) = (name(gap.before), name(gap.after));
            let shown = GapShown { signer: signer.clone(), from: gap.from, to: gap.to, before, after };
            if let Some(journal) = all.iter_mut().find(|journal| journal.signer == signer) {
                journal.gaps.push(shown);
            }
        }
        all
    }

    fn of<'a>(
        signer: String,
        entries: impl Iterator<Item = &'a Chained>,
        name: impl Fn(Origin) -> Option<String>,
    ) -> Self {
        let nothing = String::new();
        let mut journal =
            Self { signer, newest: 0, head: nothing, newest_time: 0, entries: Vec::new(), gaps: Vec::new() };
        for one in entries {
            (journal.newest, journal.newest_time) = (one.entry.sequence, one.entry.time);
            journal.head = one.head.to_string();
            journal.entries.push(EntryShown {
                sequence: one.entry.sequence,
                time: one.entry.time,
                event: one.entry.event.word(),
                what: what(&one.entry.event),
                file: name(one.origin),
            });
        }
        journal
    }
}

fn what(event: &Event) -> String {
    match event {
        Event::Genesis { roster, terms: None, .. } => format!("a new vault under roster {roster}"),
        Event::Genesis { roster, terms: Some(terms), .. } => {
            format!("a restored vault under roster {roster}, by the custodians' terms {terms}")
        }
        Event::Paired { coordinator } => format!("coordinator {coordinator}"),
        Event::PolicyInstalled { version, digest } => format!("policy version {version}, {digest}"),
        Event::Intent { content, .. } => format!("batch content {content} counts as signed from here"),
        Event::Signed { content, .. } => format!("batch content {content}"),
        Event::Refused { content, code, .. } => format!("batch content {content}: {}", plain(code)),
        Event::Reanchored { terms } => format!("continued by the custodians' terms {terms}"),
        Event::Ceremony { kind, detail } => format!("{}: {}", kind.word(), plain(detail)),
    }
}

/// The coordinator's books.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerShown {
    /// The export.
    pub file: String,
    /// Whose.
    pub coordinator: Option<String>,
    /// When the snapshot was taken, UTC seconds.
    pub made_at: u64,
    /// How much is in it.
    pub counts: Counts,
}

impl LedgerShown {
    pub(super) fn of(file: String, books: &Books, counts: Counts) -> Self {
        let coordinator = books.coordinator().map(|identity| identity.to_string());
        Self { file, coordinator, made_at: books.made_at_ms() / 1_000, counts }
    }
}

/// Everybody who approved anything, with how often.
pub(super) fn approvers(files: &[Audited]) -> Vec<(String, usize)> {
    let mut people: BTreeMap<&str, usize> = BTreeMap::new();
    for name in files.iter().flat_map(|file| file.approvers.iter().collect::<BTreeSet<_>>()) {
        *people.entry(name).or_default() += 1;
    }
    people.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
