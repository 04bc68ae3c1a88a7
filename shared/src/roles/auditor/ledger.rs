//! The coordinator's books against the signed files: every signed item has its line, and every line that says
//! something was signed has its signed item (X2, L10).
//!
//! An export is taken in line by line, then each signed file is matched, then whatever was not met is named.
//! What must stay true: a mismatch names the line of the export and the item; memory grows with the number of
//! items in the export and with nothing else.

use super::file::Report;
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::digest::Digest;
use crate::envelope::SignedBatch;
use crate::form;
use crate::identity::Identity;
use crate::journal::{Chain, Entry};
use crate::ledger::{self, Counts, Line, LineError, Reader, Side};
use crate::network::Network;
use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeMap, HashMap};

/// Where books and signed files disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line of the export, if it is about one.
    pub line: Option<u64>,
    /// The item, if it is about one.
    pub item: Option<u64>,
    /// The caller's place of the signed file, if it is about one.
    pub file: Option<usize>,
    /// What disagrees.
    pub what: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "ledger line {line}: ")?;
        }
        if let Some(item) = self.item {
            write!(f, "item {item}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// The books of one export.
#[derive(Default)]
pub struct Books {
    reader: Reader,
    /// Contract of each asset on each network; `None` inside for the native coin.
    contracts: BTreeMap<(Network, String), Option<Address>>,
    reserves: HashMap<u64, (Network, String)>,
    settled: HashMap<String, Settled>,
    batches: HashMap<Digest, BatchRow>,
    items: HashMap<u64, Row>,
    mismatches: Vec<Mismatch>,
    coordinator: Option<Identity>,
    made_at_ms: u64,
}

/// What a `settle` transfer took from which reserve.
struct Settled {
    line: u64,
    reserve: Option<(Network, String)>,
    amount: BaseUnits,
}

struct BatchRow {
    line: u64,
    was_signed: bool,
    met: bool,
}

struct Row {
    line: u64,
    kind: String,
    network: Network,
    asset: String,
    destination: String,
    amount: BaseUnits,
    attempts: Vec<Attempt>,
}

struct Attempt {
    batch: [u8; 16],
    index: u64,
    source: String,
    is_final: bool,
    tx_ids: Vec<[u8; 32]>,
    met: bool,
}

/// The state of an attempt that the chain has settled for good, in the words of the export.
const FINAL: &str = "final";

impl Books {
    /// Takes in one line, without its line feed. A journal entry in it is handed back, checked to be its
    /// signer's.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Entry>, LineError> {
        let line = self.reader.take(bytes)?;
        let number = self.reader.lines();
        let wrong = |what: String| LineError { line: number, what };
        match line {
            Line::Header(header) => self.open(&header).map_err(wrong)?,
            Line::Account(account) => {
                if let (Some(network), Some(wallet)) = (account.network, account.wallet) {
                    self.reserves.insert(account.id, (network, wallet));
                }
            }
            Line::Transfer(transfer) if transfer.kind == "settle" => self.settle(number, transfer),
            Line::Batch(batch) => {
                let was_signed = ["signed", "broadcasting", "completed", "partial", "failed"]
                    .contains(&batch.state.as_str());
                let row = BatchRow { line: number, was_signed, met: false };
                let content = Digest::from_bytes(batch.content.0);
                if let Some(first) = self.batches.insert(content, row) {
                    return Err(wrong(format!("has the content of the batch in line {}", first.line)));
                }
            }
            Line::Item(item) => self.add_item(number, *item),
            Line::Journal(journal) => return entry_of(&journal).map(Some).map_err(wrong),
            Line::Transfer(_) | Line::End(_) => {}
        }
        Ok(None)
    }

    /// After the last line: counts, hash, signature and balances must be right, and the coordinator a pinned one.
    pub fn close(&mut self, coordinators: &[Identity]) -> Result<Counts, LineError> {
        let summary = std::mem::take(&mut self.reader).finish()?;
        let found = Identity::from_bytes(summary.header.coordinator.0);
        if !coordinators.contains(&found) {
            return Err(LineError { line: 1, what: format!("coordinator {found} is not pinned") });
        }
        for fault in summary.faults {
            self.mismatches.push(Mismatch {
                line: Some(fault.line),
                item: None,
                file: None,
                what: fault.what,
            });
        }
        let mut left: Vec<_> = std::mem::take(&mut self.settled).into_iter().collect();
        left.sort_by_key(|(_, settled)| settled.line);
        for (reference, settled) in left {
            let what = format!("settles {reference}, which is no completed item");
            self.mismatches.push(Mismatch { line: Some(settled.line), item: None, file: None, what });
        }
        Ok(summary.counts)
    }

    /// Whose books, once the header was read.
    pub const fn coordinator(&self) -> Option<Identity> {
        self.coordinator
    }

    /// When the snapshot was taken, Unix milliseconds.
    pub const fn made_at_ms(&self) -> u64 {
        self.made_at_ms
    }

    fn open(&mut self, header: &ledger::Header) -> Result<(), String> {
        self.coordinator = Some(Identity::from_bytes(header.coordinator.0));
        self.made_at_ms = header.made_at_ms;
        for network in &header.networks {
            for asset in &network.assets {
                let contract = asset.contract.as_deref().map(|text| Address::parse(network.network, text));
                let contract = contract.transpose().map_err(|error| error.to_string())?;
                self.contracts.insert((network.network, asset.asset.clone()), contract);
            }
        }
        Ok(())
    }

    fn settle(&mut self, line: u64, transfer: ledger::Transfer) {
        let mut settled = Settled { line, reserve: None, amount: BaseUnits::ZERO };
        let mut wrong = |what: String| {
            self.mismatches.push(Mismatch { line: Some(line), item: None, file: None, what });
        };
        for entry in transfer.entries.iter().filter(|entry| entry.side == Side::Credit) {
            let (Some(reserve), Some(amount)) = (self.reserves.get(&entry.account), entry.amount_base) else {
                continue;
            };
            if settled.reserve.replace(reserve.clone()).is_some_and(|before| before != *reserve) {
                wrong(format!("settles {} from more than one wallet", transfer.reference));
            }
            settled.amount = settled.amount.checked_add(amount).unwrap_or(BaseUnits::MAX);
        }
        match self.settled.entry(transfer.reference) {
            Place::Vacant(place) => _ = place.insert(settled),
            Place::Occupied(first) => {
                wrong(format!("settles {} again, after line {}", first.key(), first.get().line));
            }
        }
    }

    fn add_item(&mut self, line: u64, item: ledger::Item) {
        let number = item.item.0;
        self.check_settled(line, &item);
        let attempt = |attempt: ledger::Attempt| Attempt {
            batch: attempt.batch.0,
            index: attempt.index,
            source: attempt.source,
            is_final: attempt.state == FINAL,
            tx_ids: attempt.transactions.iter().map(|transaction| transaction.tx_id.0).collect(),
            met: false,
        };
        let row = Row {
            line,
            kind: item.kind,
            network: item.network,
            asset: item.asset,
            destination: item.destination,
            amount: item.amount_base,
            attempts: item.attempts.into_iter().map(attempt).collect(),
        };
        self.items.insert(number, row);
    }

    /// A completed item was paid once, by a final attempt, and left the reserve of the wallet that paid it.
    fn check_settled(&mut self, line: u64, item: &ledger::Item) {
        let settled = self.settled.remove(&item.reference);
        let mut wrong = |what: String| {
            let item = Some(item.item.0);
            self.mismatches.push(Mismatch { line: Some(line), item, file: None, what });
        };
        let paid: Vec<_> = item.attempts.iter().filter(|attempt| attempt.state == FINAL).collect();
        if paid.len() > 1 {
            wrong(format!("{} attempts are final: it was paid more than once", paid.len()));
        }
        let completed = item.state == "completed";
        match (completed, settled, paid.first()) {
            (false, None, None) => {}
            (false, Some(settled), _) => {
                wrong(format!("is {}, and line {} settles it", item.state, settled.line));
            }
            (false, None, Some(_)) => wrong(format!("is {}, and an attempt is final", item.state)),
            (true, None, _) => wrong("is completed, and no transfer settles it".to_owned()),
            (true, Some(_), None) => wrong("is completed, and no attempt is final".to_owned()),
            (true, Some(settled), Some(attempt)) => {
                let reserve = Some((item.network, attempt.source.clone()));
                if settled.reserve != reserve {
                    wrong(format!(
                        "line {} settles it from another wallet than {}",
                        settled.line, attempt.source
                    ));
                }
                if settled.amount != item.amount_base {
                    wrong(format!(
                        "line {} settles {} base units, the item has {}",
                        settled.line, settled.amount, item.amount_base
                    ));
                }
            }
        }
    }

    /// Matches a signed file, which passed by itself, with its lines.
    pub fn match_file(&mut self, place: usize, file: &SignedBatch, report: &Report) {
        let content = &file.envelope.content;
        if let Some(batch) = self.batches.get_mut(&report.content) {
            batch.met = true;
        } else {
            let what = format!("batch content {} is in no line of the ledger", report.content);
            self.mismatches.push(Mismatch { line: None, item: None, file: Some(place), what });
        }
        let mut transactions = report.transactions.iter().peekable();
        for (index, item) in content.items.iter().enumerate() {
            let mut tx_ids = Vec::new();
            while let Some(transaction) = transactions.next_if(|transaction| transaction.item == index) {
                tx_ids.push(transaction.tx_id);
            }
            let number = item.id.number();
            let mut wrong = |line: Option<u64>, what: String| {
                self.mismatches.push(Mismatch { line, item: Some(number), file: Some(place), what });
            };
            let Some(row) = self.items.get_mut(&number) else {
                wrong(None, "was signed, and is in no line of the ledger".to_owned());
                continue;
            };
            let line = Some(row.line);
            let contract = self.contracts.get(&(row.network, row.asset.clone()));
            let same = [
                ("kind", row.kind.clone(), content.kind.word().to_owned()),
                ("network", row.network.to_string(), content.network.to_string()),
                ("contract", named(contract.copied().flatten()), named(content.asset.contract)),
                ("destination", row.destination.clone(), item.destination.to_string()),
                ("amount_base", row.amount.to_string(), item.amount.to_string()),
            ];
            for (field, booked, signed) in same.into_iter().filter(|(_, booked, signed)| booked != signed) {
                wrong(line, format!("{field} is {booked} in the ledger and {signed} in the signed file"));
            }
            let of_batch = |attempt: &&mut Attempt| {
                attempt.batch == *content.batch_id.as_bytes() && attempt.index == index as u64
            };
            let Some(attempt) = row.attempts.iter_mut().find(of_batch) else {
                wrong(line, format!("has no attempt in batch {}", content.batch_id));
                continue;
            };
            attempt.met = true;
            let source = content.source_of(index).map(|wallet| wallet.address.to_string());
            if source.as_ref() != Some(&attempt.source) {
                let signed = source.unwrap_or_default();
                let what = format!(
                    "is paid from {} in the ledger and from {signed} in the signed file",
                    attempt.source
                );
                wrong(line, what);
            }
            if attempt.tx_ids != tx_ids {
                let missing = tx_ids.iter().find(|id| !attempt.tx_ids.contains(*id));
                let strange = attempt.tx_ids.iter().find(|id| !tx_ids.contains(*id));
                let what = match (missing, strange) {
                    (Some(id), _) => {
                        format!("transaction {} was signed, the ledger has it not", hex::encode(id))
                    }
                    (None, Some(id)) => format!("transaction {} is not in the signed file", hex::encode(id)),
                    (None, None) => "its transactions stand in another order".to_owned(),
                };
                wrong(line, what);
            }
        }
    }

    /// What disagrees, after every file was matched.
    pub fn mismatches(mut self) -> Vec<Mismatch> {
        for (content, batch) in self.batches.iter().filter(|(_, batch)| batch.was_signed && !batch.met) {
            let what = format!("batch content {content} was signed, and its file is missing");
            self.mismatches.push(Mismatch { line: Some(batch.line), item: None, file: None, what });
        }
        for (item, row) in &self.items {
            for attempt in row.attempts.iter().filter(|attempt| !attempt.met) {
                let batch = hex::encode(attempt.batch);
                let what = match attempt.tx_ids.first() {
                    Some(id) => {
                        let id = hex::encode(id);
                        format!("transaction {id} of batch {batch} is in no signed file")
                    }
                    None if attempt.is_final => {
                        format!("its attempt in batch {batch} is final, and no signed file has it")
                    }
                    // Never signed: a draft, or a batch that was given up.
                    None => continue,
                };
                let (line, item) = (Some(row.line), Some(*item));
                self.mismatches.push(Mismatch { line, item, file: None, what });
            }
        }
        self.mismatches.sort_by_key(|one| (one.line, one.item, one.file));
        self.mismatches
    }
}

fn named(contract: Option<Address>) -> String {
    contract.map_or_else(|| "the native coin".to_owned(), |contract| contract.to_string())
}

fn entry_of(journal: &ledger::JournalEntry) -> Result<Entry, String> {
    let bytes = hex::decode(&journal.entry).map_err(|error| error.to_string())?;
    let entry: Entry = form::from_cbor("journal entry", &bytes).map_err(|error| error.to_string())?;
    if *entry.signer.as_bytes() != journal.signer.0 || entry.sequence != journal.sequence {
        return Err("the entry is another signer's, or has another number".to_owned());
    }
    if !entry.signer.verifies(&entry.head(Chain::Journal), &entry.signature) {
        return Err(format!("the signature of journal entry {} does not fit", entry.sequence));
    }
    Ok(entry)
}
