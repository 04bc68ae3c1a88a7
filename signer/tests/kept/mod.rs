//! A folder of files that a real signer signed, what an auditor pins, and the books that go with it.
//!
//! Used by the tests of audits. Everything in it is as it should be until a test alters it.

#![allow(dead_code, clippy::unwrap_used, reason = "a test may, and not every test uses all of it")]

use super::world::{self, NOW, World, key, units};
use airlock_shared::approval::SeenHead;
use airlock_shared::batch::Content;
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Envelope, SignedBatch};
use airlock_shared::identity::Identity;
use airlock_shared::ledger::{
    Account, Asset, Attempt, Batch, Book, DecimalId, Entry, FORMAT, Header, Hex, Item, JournalEntry, Line,
    NetworkAsset, NetworkAssets, ProfileName, Side, SignedTransaction, Transfer, VERSION, chain_id_of,
};
use airlock_shared::roles::auditor::{Pins, audit as audit_file};
use airlock_shared::{BaseUnits, BatchId, ItemId, Network, Profile, form};
use airlock_signer::audit::{Anchors, Asked, audit, intake};
use airlock_signer::report::Report;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Three batches of two withdrawals, as files, and what an auditor pins.
pub struct Kept {
    pub folder: TempDir,
    pub anchors: Anchors,
    pub files: Vec<SignedBatch>,
}

impl Kept {
    pub fn new() -> Self {
        Self::with(|_, _| ())
    }

    /// The same; `alter(number, content)` before a batch is approved and signed.
    pub fn with(alter: impl Fn(usize, &mut Content)) -> Self {
        let world = World::new();
        let vault = world.vault();
        let roster = vault.device().roster.clone().unwrap();
        let policy = airlock_signer::policy::load(&world.home, vault.device()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut head, mut files): (Option<SeenHead>, Vec<SignedBatch>) = (None, Vec::new());
        for number in 0..3 {
            let content = content(&world, number, &alter);
            let approvals = world::approvals(&content);
            let envelope = Envelope::seal(content, approvals, head.into_iter().collect(), &key(9));
            let replies = world.sign(&world::bundle(vec![envelope.clone()])).unwrap().replies;
            head = Some(SeenHead::of(&replies[0].receipt.entry));
            let (roster, policy) = (roster.clone(), policy.clone());
            let file =
                SignedBatch { envelope, roster, policy, replies, transactions: Vec::new(), hardware: None };
            std::fs::write(folder.path().join(format!("{number}.json")), file.to_json()).unwrap();
            files.push(file);
        }
        let anchors = Anchors { roster: Some(roster), coordinators: vec![Identity::of(&key(9))] };
        Self { folder, anchors, files }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn audit(&self) -> Report {
        audit_with(self.folder.path(), &self.anchors, None)
    }

    /// Everything that is wrong, in one text.
    pub fn findings(&self) -> String {
        all_findings(&self.audit())
    }
}

fn content(world: &World, number: usize, alter: &impl Fn(usize, &mut Content)) -> Content {
    let mut content = world.content(Network::EVM_DEV, 2);
    content.batch_id = BatchId::from_bytes([number as u8 + 1; 16]);
    for item in &mut content.items {
        item.id = ItemId::new(item.id.number() + 2 * number as u64);
        item.account_nonce = item.account_nonce.map(|nonce| nonce + 2 * number as u64);
        item.amount = units(10);
    }
    alter(number, &mut content);
    content
}

pub fn audit_with(path: &Path, anchors: &Anchors, ledger: Option<&Path>) -> Report {
    let listed = intake::list(&[path.to_owned()]).unwrap();
    audit(&Asked { listed: &listed, anchors, ledger })
}

pub fn all_findings(report: &Report) -> String {
    let of_files =
        report.files.iter().flat_map(|file| file.findings.iter().map(|f| format!("{}: {f}", file.file)));
    report.findings.iter().cloned().chain(of_files).collect::<Vec<_>>().join("\n")
}

/// Lines as a file, signed by the coordinator.
pub fn signed(lines: &[Line]) -> Vec<u8> {
    let mut book = Book::default();
    let mut bytes: Vec<u8> = lines.iter().flat_map(|line| book.line(line)).collect();
    bytes.extend(book.end(&key(9)));
    bytes
}

/// The books that an honest coordinator would export for these files, but for their end.
pub fn lines(kept: &Kept) -> Vec<Line> {
    let network = Network::EVM_DEV;
    let content = &kept.files[0].envelope.content;
    let wallet = content.source.unwrap().address.to_string();
    let contract = content.asset.contract.map(|contract| contract.to_string());
    let usdt = "USDT".to_owned();
    let account = |id, kind: &str, network: Option<Network>, side, balance: &str| {
        let wallet = network.map(|_| wallet.clone());
        let (kind, asset, balance) = (kind.to_owned(), usdt.clone(), balance.to_owned());
        Line::Account(Account {
            id,
            kind,
            owner: None,
            network,
            wallet,
            asset,
            side,
            balance,
            dust_base: BaseUnits::ZERO,
        })
    };
    let mut lines = vec![
        Line::Header(Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            coordinator: Hex(*Identity::of(&key(9)).as_bytes()),
            profile: ProfileName(Profile::Dev),
            made_at_ms: NOW * 1_000,
            assets: vec![Asset { asset: usdt.clone(), decimals: 6 }],
            networks: vec![NetworkAssets {
                network,
                chain_id: chain_id_of(network),
                assets: vec![NetworkAsset { asset: usdt.clone(), contract, base_decimals: 6 }],
            }],
        }),
        account(1, "capital", None, Side::Credit, "1000"),
        account(2, "reserve", Some(network), Side::Debit, "990"),
        account(3, "user_held", None, Side::Credit, "-10"),
    ];
    let entry = |account, side, amount: &str, base: Option<u64>| {
        let (amount, amount_base) = (amount.to_owned(), base.map(BaseUnits::from));
        Entry { account, side, amount, amount_base }
    };
    let transfer = |id, kind: &str, reference: &str, entries| {
        let (kind, reference) = (kind.to_owned(), reference.to_owned());
        Line::Transfer(Transfer { id, kind, reference, made_at_ms: NOW * 1_000, note: None, entries })
    };
    let capital =
        vec![entry(2, Side::Debit, "1000", Some(1_000_000_000)), entry(1, Side::Credit, "1000", None)];
    let settled = vec![entry(3, Side::Debit, "10", None), entry(2, Side::Credit, "10", Some(10_000_000))];
    lines.push(transfer(1, "opening_capital", "first", capital));
    // The first item of all is paid and booked; the others are on their way.
    lines.push(transfer(2, "settle", "w1000", settled));
    let pins = Pins {
        roster: kept.anchors.roster.as_ref().unwrap().digest(),
        coordinators: kept.anchors.coordinators.clone(),
    };
    let (mut items, mut journal) = (Vec::new(), Vec::new());
    for file in &kept.files {
        let (content, report) = (&file.envelope.content, audit_file(file, &pins).unwrap());
        lines.push(Line::Batch(Batch {
            id: Hex(*content.batch_id.as_bytes()),
            kind: "withdrawal".to_owned(),
            network,
            asset: usdt.clone(),
            source: wallet.clone(),
            signer: Hex(*file.replies[0].receipt.signer().as_bytes()),
            state: "broadcasting".to_owned(),
            content: Hex(*content.digest().as_bytes()),
            items: 2,
            amount_base: report.totals.amount,
            made_at_ms: NOW * 1_000,
        }));
        for (index, item) in content.items.iter().enumerate() {
            let first = item.id.number() == 1_000;
            items.push(Line::Item(Box::new(Item {
                item: DecimalId(item.id.number()),
                kind: "withdrawal".to_owned(),
                reference: format!("w{}", item.id.number()),
                network,
                chain_id: chain_id_of(network),
                asset: usdt.clone(),
                destination: item.destination.to_string(),
                amount: "10".to_owned(),
                amount_base: item.amount,
                fee: "0".to_owned(),
                state: if first { "completed" } else { "broadcasted" }.to_owned(),
                made_at_ms: NOW * 1_000,
                attempts: vec![Attempt {
                    batch: Hex(*content.batch_id.as_bytes()),
                    index: index as u64,
                    source: wallet.clone(),
                    account_nonce: item.account_nonce,
                    state: if first { "final" } else { "sent" }.to_owned(),
                    tx_id: None,
                    height: None,
                    fee_base: None,
                    transactions: vec![SignedTransaction {
                        level: Some(0),
                        tx_id: Hex(report.transactions[index].tx_id),
                    }],
                }],
            })));
        }
        let receipt = &file.replies[0].receipt;
        journal.extend(receipt.unacknowledged.iter().chain([&receipt.entry]).map(|entry| {
            let signer = Hex(*entry.signer.as_bytes());
            Line::Journal(JournalEntry {
                signer,
                sequence: entry.sequence,
                entry: hex::encode(form::to_cbor(entry)),
            })
        }));
    }
    lines.extend(items);
    lines.extend(journal);
    lines
}

/// What an audit of the files says with these books beside them.
pub fn matched(kept: &Kept, books: &[u8]) -> Report {
    let path = kept.path("ledger.jsonl");
    std::fs::write(&path, books).unwrap();
    audit_with(kept.folder.path(), &kept.anchors, Some(&path))
}
