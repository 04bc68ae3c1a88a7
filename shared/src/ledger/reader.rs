//! Reading an export strictly, line by line, in bounded memory.
//!
//! Called by auditors. What must stay true: a line is refused unless it equals its own canonical spelling and
//! stands where its kind and key belong; the books must balance in every transfer; the end must have the right
//! counts, hash and signature; nothing may follow it. An error names the line.

use super::writer::bytes_of;
use super::{
    Account, Counts, End, FORMAT, Header, Line, MAX_LINE_BYTES, Side, Transfer, VERSION, chain_id_of,
    export_digest,
};
use crate::amount::{BaseUnits, MinorUnits};
use crate::identity::{Identity, IdentitySignature};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// What is wrong with an export, and in which line (counted from 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ledger line {line}: {what}")]
pub struct LineError {
    /// The line.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// What a whole export says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The first line.
    pub header: Header,
    /// How many of each.
    pub counts: Counts,
    /// SHA-256 of every byte before the last line.
    pub sha256: [u8; 32],
    /// Accounts whose balance is not the sum of their entries, and the like; empty when the books are sound.
    pub faults: Vec<LineError>,
}

/// Where a kind of line stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Section {
    #[default]
    Start,
    Accounts,
    Transfers,
    Batches,
    Items,
    Journal,
    Ended,
}

/// The sum of an account's entries.
struct Running {
    line: u64,
    account: Account,
    minor: i128,
    base: [BaseUnits; 2],
}

/// A strict reader.
#[derive(Default)]
pub struct Reader {
    line: u64,
    section: Section,
    last_key: Vec<u8>,
    hasher: Sha256,
    counts: Counts,
    header: Option<Header>,
    decimals: BTreeMap<String, u8>,
    accounts: HashMap<u64, Running>,
    end: Option<End>,
    faults: Vec<LineError>,
}

impl Reader {
    /// The next line, without its line feed.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Line, LineError> {
        self.line += 1;
        if bytes.len() > MAX_LINE_BYTES {
            return Err(self.wrong(format!("longer than {MAX_LINE_BYTES} bytes")));
        }
        if self.end.is_some() {
            return Err(self.wrong("stands after the end"));
        }
        let line: Line = serde_json::from_slice(bytes).map_err(|error| self.wrong(error))?;
        let canonical = bytes_of(&line);
        let body = &canonical[..canonical.len().saturating_sub(1)];
        if body != bytes {
            let at = body.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(body.len().min(bytes.len()));
            return Err(self.wrong(format!("not the canonical spelling: differs at byte {at}")));
        }
        self.check_place(&line)?;
        self.check(&line)?;
        self.counts.add(&line);
        if !matches!(line, Line::End(_)) {
            self.hasher.update(&canonical);
        }
        Ok(line)
    }

    /// How many lines were read.
    pub const fn lines(&self) -> u64 {
        self.line
    }

    /// After the last line: everything that only the whole file can show.
    pub fn finish(mut self) -> Result<Summary, LineError> {
        let (Some(header), Some(end)) = (self.header.take(), self.end.take()) else {
            self.line += 1;
            return Err(self.wrong("the file ends without its last line"));
        };
        let mut accounts: Vec<_> = std::mem::take(&mut self.accounts).into_values().collect();
        accounts.sort_by_key(|running| running.line);
        for running in &accounts {
            self.check_balance(&header, running);
        }
        Ok(Summary { header, counts: self.counts, sha256: end.sha256.0, faults: self.faults })
    }

    fn wrong(&self, what: impl ToString) -> LineError {
        LineError { line: self.line, what: what.to_string() }
    }

    /// Kinds come in their order, each by its ascending key.
    fn check_place(&mut self, line: &Line) -> Result<(), LineError> {
        let (section, key) = match line {
            Line::Header(_) => (Section::Start, Vec::new()),
            Line::Account(account) => (Section::Accounts, account.id.to_be_bytes().to_vec()),
            Line::Transfer(transfer) => (Section::Transfers, transfer.id.to_be_bytes().to_vec()),
            Line::Batch(batch) => (Section::Batches, batch.id.0.to_vec()),
            Line::Item(item) => (Section::Items, item.item.0.to_be_bytes().to_vec()),
            Line::Journal(entry) => {
                (Section::Journal, [&entry.signer.0[..], &entry.sequence.to_be_bytes()].concat())
            }
            Line::End(_) => (Section::Ended, Vec::new()),
        };
        if (self.line == 1) != matches!(line, Line::Header(_)) {
            return Err(self.wrong("the header is the first line and no other"));
        }
        if section < self.section {
            return Err(self.wrong("out of order: its kind belongs further up"));
        }
        if section == self.section && section > Section::Start && key <= self.last_key {
            return Err(self.wrong("out of order: its key is not above the one before it"));
        }
        (self.section, self.last_key) = (section, key);
        Ok(())
    }

    fn check(&mut self, line: &Line) -> Result<(), LineError> {
        match line {
            Line::Header(header) => self.check_header(header),
            Line::Account(account) => self.add_account(account),
            Line::Transfer(transfer) => self.add_transfer(transfer),
            Line::Item(item) if item.chain_id != chain_id_of(item.network) => {
                Err(self.wrong(format!("chain id {} is not that of {}", item.chain_id, item.network)))
            }
            Line::Item(item) => self.minor_of(&item.asset, &item.amount).map(drop),
            Line::Batch(_) | Line::Journal(_) => Ok(()),
            Line::End(end) => self.check_end(end),
        }
    }

    fn check_header(&mut self, header: &Header) -> Result<(), LineError> {
        if header.format != FORMAT {
            return Err(self.wrong(format!("this is {:?}, expected {FORMAT:?}", shown(&header.format))));
        }
        if header.version != VERSION {
            return Err(self.wrong(format!("version {} is not known", header.version)));
        }
        if let Some(other) = header.networks.iter().find(|one| one.chain_id != chain_id_of(one.network)) {
            return Err(self.wrong(format!("chain id {} is not that of {}", other.chain_id, other.network)));
        }
        let rises = header.assets.is_sorted_by(|a, b| a.asset < b.asset)
            && header.networks.is_sorted_by(|a, b| a.network < b.network)
            && header.networks.iter().all(|one| one.assets.is_sorted_by(|a, b| a.asset < b.asset));
        if !rises {
            return Err(self.wrong("assets and networks must be sorted by name, each once"));
        }
        self.decimals = header.assets.iter().map(|one| (one.asset.clone(), one.decimals)).collect();
        self.header = Some(header.clone());
        Ok(())
    }

    fn add_account(&mut self, account: &Account) -> Result<(), LineError> {
        self.minor_of(&account.asset, magnitude_of(&account.balance))?;
        let base = [BaseUnits::ZERO; 2];
        let running = Running { line: self.line, account: account.clone(), minor: 0, base };
        self.accounts.insert(account.id, running);
        Ok(())
    }

    fn add_transfer(&mut self, transfer: &Transfer) -> Result<(), LineError> {
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        let mut steps = Vec::with_capacity(transfer.entries.len());
        for entry in &transfer.entries {
            let Some(running) = self.accounts.get(&entry.account) else {
                return Err(self.wrong(format!("account {} is not in the file", entry.account)));
            };
            let minor = self.minor_of(&running.account.asset, &entry.amount)?;
            let signed = if entry.side == Side::Debit { minor } else { -minor };
            *sums.entry(&running.account.asset).or_default() += signed;
            let grows = entry.side == running.account.side;
            steps.push((entry.account, if grows { minor } else { -minor }, entry.amount_base, grows));
        }
        if let Some((asset, sum)) = sums.iter().find(|(_, sum)| **sum != 0) {
            return Err(self.wrong(format!("debits exceed credits by {sum} units of {asset}")));
        }
        for (account, minor, base, grows) in steps {
            let Some(running) = self.accounts.get_mut(&account) else { continue };
            running.minor += minor;
            let side = &mut running.base[usize::from(!grows)];
            *side = side.checked_add(base.unwrap_or(BaseUnits::ZERO)).unwrap_or(BaseUnits::MAX);
        }
        Ok(())
    }

    fn check_end(&mut self, end: &End) -> Result<(), LineError> {
        let sha256: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        if end.sha256.0 != sha256 {
            return Err(self.wrong("the SHA-256 of the lines before it is another"));
        }
        if end.counts != self.counts {
            return Err(self.wrong(format!("counts {:?}, found {:?}", end.counts, self.counts)));
        }
        let coordinator = self.header.as_ref().map_or([0; 32], |header| header.coordinator.0);
        let signature = IdentitySignature::from_bytes(end.signature.0);
        if !Identity::from_bytes(coordinator).verifies(&export_digest(&sha256), &signature) {
            return Err(self.wrong("the signature is not the coordinator's of the header"));
        }
        self.end = Some(end.clone());
        Ok(())
    }

    /// A balance is the sum of the account's entries, in ledger units and in base units.
    fn check_balance(&mut self, header: &Header, running: &Running) {
        let account = &running.account;
        let magnitude = self.minor_of(&account.asset, magnitude_of(&account.balance));
        let sign = if account.balance.starts_with('-') { -1 } else { 1 };
        let mut fault = |what: String| self.faults.push(LineError { line: running.line, what });
        if magnitude.map(|minor| sign * minor) != Ok(running.minor) {
            return fault(format!("account {} does not have the sum of its entries", account.id));
        }
        let [came, went] = running.base;
        if came.is_zero() && went.is_zero() && account.dust_base.is_zero() {
            return;
        }
        let decimals = header.networks.iter().find(|one| Some(one.network) == account.network);
        let decimals = decimals.and_then(|one| one.assets.iter().find(|one| one.asset == account.asset));
        let minor_decimals = header.assets.iter().find(|one| one.asset == account.asset);
        let scale = decimals
            .zip(minor_decimals)
            .and_then(|(base, minor)| base.base_decimals.checked_sub(minor.decimals))
            .and_then(BaseUnits::power_of_ten);
        let held = BaseUnits::from(running.minor.unsigned_abs());
        let whole = scale.and_then(|scale| scale.checked_mul(held));
        // came - went = balance x 10^k + dust; a negative balance stands on the other side.
        let (left, right) = if running.minor < 0 {
            (whole.and_then(|whole| came.checked_add(whole)), went.checked_add(account.dust_base))
        } else {
            let right = whole.and_then(|whole| went.checked_add(whole));
            (Some(came), right.and_then(|right| right.checked_add(account.dust_base)))
        };
        if left.is_none() || left != right {
            fault(format!("account {} does not have the base units of its entries", account.id));
        }
    }

    /// A non-negative amount in the ledger's units.
    fn minor_of(&self, asset: &str, text: &str) -> Result<i128, LineError> {
        let Some(decimals) = self.decimals.get(asset) else {
            return Err(self.wrong(format!("asset {:?} is not in the header", shown(asset))));
        };
        let minor = MinorUnits::from_decimal(text, *decimals).map_err(|error| self.wrong(error))?;
        if minor.to_decimal(*decimals) != text {
            return Err(self.wrong(format!("amount {:?} has another spelling", shown(text))));
        }
        Ok(i128::from(minor.get()))
    }
}

/// A balance without its sign, which stands once.
fn magnitude_of(balance: &str) -> &str {
    balance.strip_prefix('-').unwrap_or(balance)
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
