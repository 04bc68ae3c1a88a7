//! Folders of files that a real signer signed: what is missing, added, doubled or changed, with and without pins (X1 to X3).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod kept;
mod world;

use airlock_shared::document::Document as _;
use airlock_shared::envelope::Replies;
use airlock_shared::ledger::{DecimalId, Hex, Item, Line};
use airlock_shared::roles::auditor::RosterFile;
use airlock_shared::{BaseUnits, Network};
use airlock_signer::audit::Anchors;
use airlock_signer::report::{Verdict, page, text};
use kept::{Kept, all_findings, audit_with, lines, matched, signed};
use std::path::Path;
use std::process::{Command, Output};
use world::NOW;

/// The books of these files, every line altered.
fn books(kept: &Kept, alter: impl Fn(&mut Line)) -> Vec<u8> {
    let mut lines = lines(kept);
    lines.iter_mut().for_each(alter);
    signed(&lines)
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
