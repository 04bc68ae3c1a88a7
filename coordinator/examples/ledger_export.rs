//! How much memory an export of the books takes, and how fast it is (L10).
//!
//! `ledger_export [TRANSFERS]` (default 500,000: a million entries): fills a fresh SQLite ledger, exports it while postings go
//! on, and prints one line of JSON: lines per second, and the heap's peak during the export above what stood before.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]
#![allow(clippy::float_arithmetic, reason = "seconds and rates, no money")]

use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::Database;
use airlock_coordinator::export::export;
use airlock_coordinator::ledger::{Account, LedgerError, Order, Posting};
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_shared::MinorUnits;
use futures::future::join_all;
use peak_alloc::PeakAlloc;
use serde_json::json;
use std::time::Instant;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Orders in flight at once.
const GROUP: u64 = 2_000;
/// Users between whom money moves.
const USERS: u64 = 10_000;

fn order(number: u64) -> Order {
    let usdt = "USDT".parse().unwrap();
    let user = |number: u64| Account::available(&format!("user{}", number % USERS), &usdt);
    let posting = Posting::new("transfer", format!("{number:032x}"));
    Order::new(posting.minor(user(number), user(number * 7 + 1), MinorUnits::new(1)))
}

async fn fill(app: &App, from: u64, to: u64) {
    for first in (from..to).step_by(usize::try_from(GROUP).unwrap()) {
        for receipt in
            join_all((first..(first + GROUP).min(to)).map(|number| app.writer.submit(order(number)))).await
        {
            receipt.unwrap();
        }
    }
}

#[tokio::main]
async fn main() {
    let transfers: u64 = std::env::args().nth(1).map_or(500_000, |text| text.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", home.path().join("books.db").display());
    let config = Config::from_toml(&format!("[database]\nurl = {url:?}\n")).unwrap();
    Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
    let app = App::open(config.clone(), Clock::System).await.unwrap();
    let given = app.writer.commit(move |unit| {
        Box::pin(async move {
            let usdt = "USDT".parse().unwrap();
            for user in 0..USERS {
                let to = Account::available(&format!("user{user}"), &usdt);
                let posting = Posting::new("gift", format!("g{user}"));
                unit.post(posting.minor(Account::Capital(usdt.clone()), to, MinorUnits::new(1_000_000)))
                    .await?;
            }
            Ok::<_, LedgerError>(())
        })
    });
    given.await.unwrap();
    fill(&app, 0, transfers).await;
    let going_on = tokio::spawn({
        let app = app.clone();
        async move { fill(&app, transfers, transfers + transfers / 20).await }
    });
    let key = CoordinatorKey::open(home.path()).unwrap();
    HEAP.reset_peak_usage();
    let (before, began) = (HEAP.current_usage(), Instant::now());
    let counts = export(&app.db, &config, &key, 0, &home.path().join("books.jsonl")).await.unwrap();
    let (seconds, peak) = (began.elapsed().as_secs_f64(), HEAP.peak_usage().saturating_sub(before));
    going_on.await.unwrap();
    println!(
        "{}",
        json!({
            "figure": "ledger_export_heap_kib", "value": peak / 1024, "unit": "KiB", "transfers": counts.transfers,
            "transfers_per_second": (counts.transfers as f64 / seconds).round(),
        })
    );
}
