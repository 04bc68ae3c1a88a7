//! Books in which something stands twice, or is paid otherwise than it was signed: each is named (L10, X2).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod kept;
mod world;

use airlock_shared::BaseUnits;
use airlock_shared::ledger::{Account, Attempt, Entry, Header, Hex, Item, Line, Side, Transfer};
use airlock_signer::report::Verdict;
use kept::{Kept, all_findings, lines, matched, signed};

const ELSEWHERE: &str = "0x0000000000000000000000000000000000000009";

/// What an audit finds in honest books after this alteration.
fn found(alter: impl FnOnce(&mut Vec<Line>)) -> String {
    let kept = Kept::new();
    let mut lines = lines(&kept);
    alter(&mut lines);
    let report = matched(&kept, &signed(&lines));
    assert_eq!(report.verdict, Verdict::Failed);
    all_findings(&report)
}

fn at<T>(lines: &mut [Line], pick: impl Fn(&mut Line) -> Option<&mut T>) -> &mut T {
    lines.iter_mut().find_map(pick).unwrap()
}

fn header(lines: &mut [Line]) -> &mut Header {
    at(lines, |line| if let Line::Header(header) = line { Some(header) } else { None })
}

fn account(lines: &mut [Line], id: u64) -> &mut Account {
    at(lines, |line| match line {
        Line::Account(account) if account.id == id => Some(account),
        _ => None,
    })
}

fn item(lines: &mut [Line], number: u64) -> &mut Item {
    at(lines, |line| match line {
        Line::Item(item) if item.item.0 == number => Some(item),
        _ => None,
    })
}

/// The transfer that settles the first item, 10 USDT from reserve 2.
fn settling(lines: &mut [Line]) -> (usize, Transfer) {
    let settles = |line: &Line| matches!(line, Line::Transfer(transfer) if transfer.kind == "settle");
    let place = lines.iter().position(settles).unwrap();
    let Line::Transfer(transfer) = lines[place].clone() else { panic!("a transfer") };
    (place, transfer)
}

/// Another reserve, at another address, which holds so much.
fn add_reserve(lines: &mut Vec<Line>, balance: &str) {
    let mut other = account(lines, 2).clone();
    (other.id, other.wallet, other.balance) = (4, Some(ELSEWHERE.to_owned()), balance.to_owned());
    let last = lines.iter().rposition(|line| matches!(line, Line::Account(_))).unwrap();
    lines.insert(last + 1, Line::Account(other));
}

#[test]
fn a_withdrawal_that_the_books_settle_twice_is_named_with_both_lines() {
    let findings = found(|lines| {
        let (place, mut again) = settling(lines);
        again.id += 1;
        lines.insert(place + 1, Line::Transfer(again));
        account(lines, 2).balance = "980".to_owned();
        account(lines, 3).balance = "-20".to_owned();
    });
    assert_eq!(findings, "ledger line 7: settles w1000 again, after line 6");
}

#[test]
fn a_settlement_out_of_two_wallets_is_named() {
    let findings = found(|lines| {
        let (place, mut transfer) = settling(lines);
        let half = |account| Entry {
            account,
            side: Side::Credit,
            amount: "5".to_owned(),
            amount_base: Some(BaseUnits::from(5_000_000u64)),
        };
        transfer.entries.truncate(1);
        transfer.entries.extend([half(2), half(4)]);
        lines[place] = Line::Transfer(transfer);
        account(lines, 2).balance = "995".to_owned();
        add_reserve(lines, "-5");
    });
    assert!(findings.contains("ledger line 7: settles w1000 from more than one wallet"), "{findings}");
}

#[test]
fn a_settlement_out_of_another_wallet_than_the_final_attempt_names_both() {
    let findings = found(|lines| {
        let (place, mut transfer) = settling(lines);
        transfer.entries[1].account = 4;
        lines[place] = Line::Transfer(transfer);
        account(lines, 2).balance = "1000".to_owned();
        add_reserve(lines, "-10");
    });
    assert!(findings.contains("item 1000: line 7 settles it from another wallet than 0x"), "{findings}");
    assert_eq!(findings.lines().count(), 1, "{findings}");
}

#[test]
fn an_attempt_from_another_wallet_than_was_signed_names_both() {
    let findings = found(|lines| item(lines, 1_003).attempts[0].source = ELSEWHERE.to_owned());
    let named = format!("item 1003: is paid from {ELSEWHERE} in the ledger and from 0x");
    assert!(findings.contains(&named), "{findings}");
    assert_eq!(findings.lines().count(), 1, "{findings}");
}

#[test]
fn a_final_attempt_that_no_signed_file_has_is_named() {
    let batch = Hex([0x77; 16]);
    let findings = found(|lines| {
        // The books say that the first item was paid by a batch that nobody was shown.
        let paid = item(lines, 1_000);
        paid.attempts[0].state = "failed".to_owned();
        let hidden = Attempt {
            batch,
            state: "final".to_owned(),
            transactions: Vec::new(),
            ..paid.attempts[0].clone()
        };
        paid.attempts.push(hidden);
    });
    let named =
        format!("item 1000: its attempt in batch {} is final, and no signed file has it", "77".repeat(16));
    assert!(findings.contains(&named), "{findings}");
    assert_eq!(findings.lines().count(), 1, "{findings}");
}

#[test]
fn an_item_with_two_final_attempts_was_paid_twice() {
    let findings = found(|lines| {
        let paid = item(lines, 1_000);
        paid.attempts.push(Attempt { batch: Hex([0x77; 16]), ..paid.attempts[0].clone() });
    });
    assert!(findings.contains("item 1000: 2 attempts are final: it was paid more than once"), "{findings}");
}

#[test]
fn one_content_in_two_batches_is_named_with_both_lines() {
    let findings = found(|lines| {
        let last = lines.iter().rposition(|line| matches!(line, Line::Batch(_))).unwrap();
        let Line::Batch(mut again) = lines[last].clone() else { panic!("a batch") };
        again.id = Hex([0x77; 16]);
        lines.insert(last + 1, Line::Batch(again));
    });
    assert!(findings.contains("ledger line 10: has the content of the batch in line 9"), "{findings}");
}

#[test]
fn an_asset_or_a_network_that_stands_twice_in_the_header_is_refused() {
    let doublings: [fn(&mut Header); 3] = [
        |header| header.assets.push(header.assets[0].clone()),
        |header| header.networks.push(header.networks[0].clone()),
        |header| {
            let assets = &mut header.networks[0].assets;
            assets.push(assets[0].clone());
        },
    ];
    for double in doublings {
        let findings = found(|lines| double(header(lines)));
        let named = "ledger line 1: assets and networks must be sorted by name, each once";
        assert!(findings.contains(named), "{findings}");
    }
}
