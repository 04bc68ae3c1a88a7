//! The ledger export (L10): one still picture of the books, written while postings go on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod stage;

use airlock_coordinator::export::export;
use airlock_coordinator::ledger::{Account, Order, Posting};
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_shared::ledger::{Line, Reader, Summary};
use stage::{Stage, asset, config, minor, on_each_database};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn order(number: u64) -> Order {
    let usdt = asset("USDT");
    let user = |number: u64| Account::available(&format!("user{}", number % 50), &usdt);
    let posting =
        Posting::new("transfer", format!("t{number}")).minor(user(number), user(number + 1), minor(1));
    Order::new(posting.note(format!("invoice {number}")))
}

/// Reads a whole export as an auditor does.
fn read(file: &Path) -> (Summary, Vec<Line>) {
    let (bytes, mut reader) = (std::fs::read(file).unwrap(), Reader::default());
    let lines = bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
    let lines: Vec<Line> = lines.map(|line| reader.take(line).unwrap()).collect();
    (reader.finish().unwrap(), lines)
}

#[test]
fn an_export_is_one_still_picture_although_postings_go_on() {
    on_each_database(async |stage: Stage| {
        for user in 0..50 {
            stage.give(&format!("user{user}"), "USDT", 1_000_000).await;
        }
        let (done, app) = (Arc::new(AtomicBool::new(false)), stage.app.clone());
        let posting = tokio::spawn({
            let done = done.clone();
            async move {
                let mut number = 0;
                while !done.load(Ordering::SeqCst) {
                    let group = (number..number + 100).map(|number| app.writer.submit(order(number)));
                    for receipt in futures::future::join_all(group).await {
                        receipt.unwrap();
                    }
                    number += 100;
                }
                number
            }
        });
        let home = tempfile::tempdir().unwrap();
        let key = CoordinatorKey::open(home.path()).unwrap();
        let settings = config(&stage.url, "");
        let mut seen = Vec::new();
        for picture in 0..5 {
            let file = home.path().join(format!("books{picture}.jsonl"));
            export(&stage.app.db, &settings, &key, stage.app.clock.now(), &file).await.unwrap();
            let (summary, lines) = read(&file);
            // The reader compared each balance with the sum of its account's entries, and debits with credits.
            assert_eq!(summary.faults, vec![], "picture {picture}");
            let transfers = lines.iter().filter(|line| matches!(line, Line::Transfer(_))).count();
            assert_eq!(summary.counts.transfers, transfers as u64);
            let noted = |line: &Line| match line {
                Line::Transfer(transfer) if transfer.kind == "transfer" => {
                    transfer.note == Some(transfer.reference.replace('t', "invoice "))
                }
                Line::Transfer(transfer) => transfer.note.is_none(),
                _ => true,
            };
            assert!(lines.iter().all(noted), "a transfer without its own words");
            seen.push(transfers);
        }
        done.store(true, Ordering::SeqCst);
        let made = posting.await.unwrap();
        assert!(seen.is_sorted() && seen.last() > seen.first(), "postings went on meanwhile: {seen:?}");
        assert!(made > 0);
        stage.prove().await;
    });
}

#[test]
fn nothing_is_overwritten_and_nothing_half_stands_under_the_name() {
    on_each_database(async |stage: Stage| {
        let home = tempfile::tempdir().unwrap();
        let key = CoordinatorKey::open(home.path()).unwrap();
        let file = home.path().join("books.jsonl");
        std::fs::write(&file, "mine").unwrap();
        let settings = config(&stage.url, "");
        assert!(export(&stage.app.db, &settings, &key, 7, &file).await.is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    });
}
