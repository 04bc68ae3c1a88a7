//! Folders of files that a real signer signed: what is missing, added, doubled or changed, with and without pins (X1 to X3).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::Content;
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Envelope, Replies, SignedBatch};
use airlock_shared::identity::Identity;
use airlock_shared::ledger::{
    Account, Asset, Attempt, Batch, Book, DecimalId, Entry, FORMAT, Header, Hex, Item, JournalEntry, Line,
    NetworkAsset, NetworkAssets, ProfileName, Side, SignedTransaction, Transfer, VERSION, chain_id_of,
};
use airlock_shared::roles::auditor::{Pins, RosterFile, audit as audit_file};
use airlock_shared::{BaseUnits, BatchId, ItemId, Network, Profile, form};
use airlock_signer::audit::{Anchors, Asked, audit, intake};
use airlock_signer::report::{Report, Verdict, page, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use world::{NOW, World, key, units};

/// Three batches of two withdrawals, as files, and what an auditor pins.
struct Kept {
    folder: TempDir,
    anchors: Anchors,
    files: Vec<SignedBatch>,
}

impl Kept {
    fn new() -> Self {
        Self::with(|_, _| ())
    }

    /// `alter(number, content)` before a batch is approved and signed.
    fn with(alter: impl Fn(usize, &mut Content)) -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn audit(&self) -> Report {
        audit_with(self.folder.path(), &self.anchors, None)
    }

    /// Everything that is wrong, in one text.
    fn findings(&self) -> String {
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

fn audit_with(path: &Path, anchors: &Anchors, ledger: Option<&Path>) -> Report {
    let listed = intake::list(&[path.to_owned()]).unwrap();
    audit(&Asked { listed: &listed, anchors, ledger })
}

fn all_findings(report: &Report) -> String {
    let of_files =
        report.files.iter().flat_map(|file| file.findings.iter().map(|f| format!("{}: {f}", file.file)));
    report.findings.iter().cloned().chain(of_files).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_whole_folder_is_one_unbroken_journal_with_every_rule_replayed() {
    let kept = Kept::new();
    let report = kept.audit();
    assert_eq!((report.verdict, all_findings(&report)), (Verdict::Passed, String::new()));
    assert_eq!((report.passed, report.journals.len(), report.journals[0].gaps.len()), (3, 1, 0));
    let total = &report.totals[0];
    assert_eq!((total.batches, total.items, total.amount.as_str()), (3, 6, "60"));
    assert!(!report.not_checked.iter().any(|note| note.contains("whole past")), "{:?}", report.not_checked);
}

#[test]
fn a_file_that_was_taken_out_leaves_a_gap_with_its_numbers() {
    let kept = Kept::new();
    let entry = kept.files[1].replies[0].receipt.entry.sequence;
    std::fs::remove_file(kept.path("1.json")).unwrap();
    let findings = kept.findings();
    let gap = format!("journal entries {} to {entry} of signer", entry - 1);
    assert!(findings.contains(&gap) && findings.contains("0.json and"), "{findings}");
}

#[test]
fn the_first_file_is_missed_too() {
    let kept = Kept::new();
    std::fs::remove_file(kept.path("0.json")).unwrap();
    assert!(kept.findings().contains("journal entries 1 to "), "{}", kept.findings());
}

#[test]
fn a_file_that_stands_twice_is_named_beside_the_first_one() {
    let kept = Kept::new();
    std::fs::write(kept.path("again.bin"), kept.files[1].to_binary()).unwrap();
    let findings = kept.findings();
    assert!(findings.contains("again.bin: the same batch as") && findings.contains("1.json"), "{findings}");
}

#[test]
fn a_file_that_was_put_in_is_named() {
    let kept = Kept::new();
    std::fs::write(kept.path("notes.json"), "{}\n").unwrap();
    std::fs::write(kept.path("other.bin"), b"AIRL\x06\x01").unwrap();
    std::fs::write(kept.path("read me.txt"), "hello").unwrap();
    let report = kept.audit();
    let findings = all_findings(&report);
    assert!(findings.contains("notes.json: ") && findings.contains("other.bin: "), "{findings}");
    assert!(report.not_checked.iter().any(|note| note.contains("read me.txt")), "{:?}", report.not_checked);
}

#[test]
fn files_of_another_signer_do_not_belong() {
    let (kept, other) = (Kept::new(), Kept::new());
    std::fs::write(kept.path("other.json"), other.files[0].to_json()).unwrap();
    let findings = kept.findings();
    assert!(findings.contains("other.json: roster: its digest is"), "{findings}");
}

#[test]
fn without_pins_it_says_unanchored_even_when_all_else_is_right() {
    let kept = Kept::new();
    let report = audit_with(kept.folder.path(), &Anchors::default(), None);
    assert_eq!((report.verdict, report.sound, report.passed), (Verdict::Unanchored, true, 3));
    assert!(text(&report).contains("U N A N C H O R E D"));
    assert!(page(&report, NOW).contains("<h1>UNANCHORED</h1>"));
    let half = Anchors { coordinators: Vec::new(), ..kept.anchors.clone() };
    assert_eq!(audit_with(kept.folder.path(), &half, None).verdict, Verdict::Unanchored);
}

#[test]
fn a_receipt_that_stands_alone_fills_the_gap_but_the_batch_is_still_missed() {
    let kept = Kept::new();
    std::fs::remove_file(kept.path("1.json")).unwrap();
    let replies = Replies { replies: kept.files[1].replies.clone() };
    std::fs::write(kept.path("reply.bin"), replies.to_binary()).unwrap();
    let report = kept.audit();
    assert_eq!(report.journals[0].gaps.len(), 0, "{:?}", report.journals[0].gaps);
    let content = kept.files[1].envelope.content.digest();
    assert!(all_findings(&report).contains(&format!("signs batch content {content}, whose file is missing")));
}

#[test]
fn what_stands_in_a_file_stays_text_on_the_page() {
    let kept = Kept::with(|_, content| content.items[0].label = "<script>alert(1)</script>".to_owned());
    std::fs::write(kept.path("<img onerror=x>.json"), "{}\n").unwrap();
    let page = page(&kept.audit(), NOW);
    assert!(!page.contains("<script") && !page.contains("<img"), "escaped");
    assert!(page.contains("&lt;img onerror=x&gt;.json"));
    for outside in ["http://", "https://", "url(", "@import", " src=", "<link"] {
        assert!(!page.contains(outside), "{outside} would load something");
    }
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none'"));
}

/// The books that an honest coordinator would export for these files.
fn books(kept: &Kept, alter: impl Fn(&mut Line)) -> Vec<u8> {
    let mut book = Book::default();
    let mut bytes = Vec::new();
    for mut line in lines(kept) {
        alter(&mut line);
        bytes.extend(book.line(&line));
    }
    bytes.extend(book.end(&key(9)));
    bytes
}

fn lines(kept: &Kept) -> Vec<Line> {
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
        Line::Transfer(Transfer { id, kind, reference, made_at_ms: NOW * 1_000, entries })
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

fn matched(kept: &Kept, books: &[u8]) -> Report {
    let path = kept.path("ledger.jsonl");
    std::fs::write(&path, books).unwrap();
    audit_with(kept.folder.path(), &kept.anchors, Some(&path))
}

#[test]
fn honest_books_match_item_by_item() {
    let kept = Kept::new();
    let report = matched(&kept, &books(&kept, |_| ()));
    assert_eq!((report.verdict, all_findings(&report)), (Verdict::Passed, String::new()));
    let counts = report.ledger.unwrap().counts;
    assert_eq!((counts.items, counts.attempts, counts.batches), (6, 6, 3));
}

#[test]
fn each_mismatch_is_named_by_line_and_item() {
    type Alter = fn(&mut Line);
    fn at_1003(line: &mut Line, change: impl Fn(&mut Item)) {
        if let Line::Item(item) = line
            && item.item.0 == 1_003
        {
            change(item);
        }
    }
    let alterations: &[(&str, Alter)] = &[
        ("item 1003: amount_base is 7 in the ledger and 10000000", |line| {
            at_1003(line, |item| item.amount_base = BaseUnits::from(7u64));
        }),
        ("item 1003: destination is", |line| {
            at_1003(line, |item| item.destination = "0x0000000000000000000000000000000000000001".to_owned());
        }),
        ("chain id 1 is not that of eip155:31337", |line| at_1003(line, |item| item.chain_id = 1)),
        ("item 1003: network is eip155:1 in the ledger", |line| {
            at_1003(line, |item| (item.network, item.chain_id) = (Network::ETHEREUM, 1));
        }),
        ("item 1003: has no attempt in batch", |line| at_1003(line, |item| item.attempts.clear())),
        ("item 1003: transaction", |line| {
            at_1003(line, |item| item.attempts[0].transactions[0].tx_id = Hex([9; 32]));
        }),
        ("item 1003: is completed, and no transfer settles it", |line| {
            at_1003(line, |item| item.state = "completed".to_owned());
        }),
        ("item 1005: was signed, and is in no line of the ledger", |line| {
            if let Line::Item(item) = line
                && item.item.0 == 1_005
            {
                item.item = DecimalId(2_005);
            }
        }),
        ("settles w77, which is no completed item", |line| {
            if let Line::Transfer(transfer) = line {
                transfer.reference = transfer.reference.replace("w1000", "w77");
            }
        }),
        ("account 2 does not have the sum of its entries", |line| {
            if let Line::Account(account) = line {
                account.balance = account.balance.replace("990", "991");
            }
        }),
    ];
    let kept = Kept::new();
    for (expected, alter) in alterations {
        let report = matched(&kept, &books(&kept, alter));
        let findings = all_findings(&report);
        assert_eq!(report.verdict, Verdict::Failed, "{expected}");
        assert!(findings.contains(expected) && findings.contains("ledger"), "{expected:?} in {findings}");
    }
}

#[test]
fn the_books_name_a_last_file_that_was_taken_out() {
    let kept = Kept::new();
    let honest = books(&kept, |_| ());
    std::fs::remove_file(kept.path("2.json")).unwrap();
    let content = kept.files[2].envelope.content.digest();
    let findings = all_findings(&matched(&kept, &honest));
    assert!(
        findings.contains(&format!("batch content {content} was signed, and its file is missing")),
        "{findings}"
    );
    assert!(findings.contains("item 1004: transaction"), "{findings}");
    // Without the books nobody could know, and the report says so.
    std::fs::remove_file(kept.path("ledger.jsonl")).unwrap();
    let report = kept.audit();
    assert_eq!(report.verdict, Verdict::Passed);
    assert!(
        report
            .not_checked
            .iter()
            .any(|note| note.contains("whether anything was signed after journal entry"))
    );
}

#[test]
fn any_changed_byte_of_the_books_is_found() {
    let kept = Kept::new();
    let honest = books(&kept, |_| ());
    for place in (0..honest.len()).step_by(97) {
        let mut altered = honest.clone();
        altered[place] ^= 1;
        let report = matched(&kept, &altered);
        assert_ne!(report.verdict, Verdict::Passed, "byte {place} of {}", honest.len());
        assert!(all_findings(&report).contains("ledger"), "byte {place}: {}", all_findings(&report));
    }
}

fn signer(desk: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_airlock-signer"))
        .args(arguments)
        .current_dir(desk)
        .env("HOME", desk)
        .env_remove("XDG_DATA_HOME")
        .output()
        .unwrap()
}

#[test]
fn a_machine_without_a_home_audits_with_pins_from_files() {
    let kept = Kept::new();
    let desk = tempfile::tempdir().unwrap();
    let roster = RosterFile { roster: kept.anchors.roster.clone().unwrap() };
    std::fs::write(desk.path().join("roster.json"), roster.to_json()).unwrap();
    let folder = kept.folder.path().to_str().unwrap();
    let coordinator = kept.anchors.coordinators[0].to_string();
    let pinned =
        ["audit", folder, "--roster", "roster.json", "--coordinator", &coordinator, "--html", "audit.html"];
    let passed = signer(desk.path(), &pinned);
    assert_eq!(passed.status.code(), Some(0), "{passed:?}");
    assert!(String::from_utf8_lossy(&passed.stdout).starts_with("PASSED"));
    let page = std::fs::read_to_string(desk.path().join("audit.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>Passed</h1>"));
    let unpinned = signer(desk.path(), &["audit", folder]);
    assert_eq!(unpinned.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&unpinned.stdout).contains("U N A N C H O R E D"));
    let wrong =
        signer(desk.path(), &["audit", folder, "--roster", "roster.json", "--coordinator", &"0".repeat(64)]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&wrong.stdout).contains("is not pinned"));
}
