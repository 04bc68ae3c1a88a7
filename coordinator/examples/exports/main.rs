//! How much memory the two exports take, and how fast they are: the books (L10) and the history of money (L5, case 88).
//!
//! `exports books|history [TRANSFERS] [POSTGRES DATABASE URL]` (default 1,000,000 on a fresh SQLite): fills a ledger, exports it while
//! postings go on, and prints one line of JSON: rows per second, the heap's peak during the export above what stood
//! before, and how many postings were made meanwhile. Of the
//! history the rows are counted: one still picture, whatever was posted since its first piece.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on should stop")]
#![allow(clippy::float_arithmetic, reason = "seconds and rates, no money")]

use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::Database;
use airlock_coordinator::export::export;
use airlock_coordinator::ledger::{Account, LedgerError, Order, Posting};
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_coordinator::transactions::export::{Format, stream};
use airlock_coordinator::transactions::{Filter, Scope};
use airlock_shared::MinorUnits;
use futures::StreamExt as _;
use futures::future::join_all;
use peak_alloc::PeakAlloc;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::oneshot::{self, Sender};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Orders in flight at once.
const GROUP: u64 = 1_000;
/// Users between whom money moves.
const USERS: u64 = 10_000;

const SETTINGS: &str = r#"
[[network]]
id = "tron:0xa1710c4b"
providers = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
[network.native]
asset = "TRX"
decimals = 6
"#;

fn order(number: u64) -> Order {
    let trx = "TRX".parse().unwrap();
    let user = |number: u64| Account::available(&format!("user{}", number % USERS), &trx);
    let posting = Posting::new("transfer", format!("{number:032x}")).note("=1+1");
    Order::new(posting.minor(user(number), user(number * 7 + 1), MinorUnits::new(1)))
}

async fn post(app: &App, from: u64, to: u64) {
    for receipt in join_all((from..to).map(|number| app.writer.submit(order(number)))).await {
        receipt.unwrap();
    }
}

async fn fill(app: &App, transfers: u64) {
    let given = app.writer.commit(move |unit| {
        Box::pin(async move {
            let trx = "TRX".parse().unwrap();
            for user in 0..USERS {
                let to = Account::available(&format!("user{user}"), &trx);
                let posting = Posting::new("gift", format!("g{user}"));
                unit.post(posting.minor(Account::Capital(trx.clone()), to, MinorUnits::new(1_000_000)))
                    .await?;
            }
            Ok::<_, LedgerError>(())
        })
    });
    given.await.unwrap();
    for first in (0..transfers).step_by(usize::try_from(GROUP).unwrap()) {
        post(app, first, (first + GROUP).min(transfers)).await;
    }
}

/// Transfers in an export of the books.
async fn books(app: &App, home: &Path, begun: Sender<()>) -> u64 {
    begun.send(()).unwrap();
    let key = CoordinatorKey::open(home).unwrap();
    export(&app.db, &app.config, &key, 0, &home.join("books.jsonl")).await.unwrap().transfers
}

/// Rows in an export of everybody's history.
async fn history(app: &App, begun: Sender<()>) -> u64 {
    let permit = app.exports.clone().acquire_owned().await.unwrap();
    let body = stream(app.clone(), Scope::All, Filter::default(), Format::Csv, permit);
    let (mut pieces, mut lines) = (body.into_data_stream(), 0_u64);
    let mut begun = Some(begun);
    while let Some(piece) = pieces.next().await {
        // The picture was taken with the first piece: from here on postings go on beside it.
        begun.take().into_iter().for_each(|begun| begun.send(()).unwrap());
        lines += u64::try_from(piece.unwrap().iter().filter(|byte| **byte == b'\n').count()).unwrap();
    }
    lines - 1
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let transfers: u64 = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let home = tempfile::tempdir_in(".").unwrap();
    let url = arguments.next();
    let url = url.unwrap_or_else(|| format!("sqlite:{}", home.path().join("books.db").display()));
    let config = Config::from_toml(&format!("{SETTINGS}\n[database]\nurl = {url:?}\n")).unwrap();
    Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
    let app = App::open(config, Clock::System).await.unwrap();
    fill(&app, transfers).await;
    let exported = Arc::new(AtomicBool::new(false));
    let (begun, begins) = oneshot::channel();
    let going_on = tokio::spawn({
        let (app, exported) = (app.clone(), exported.clone());
        async move {
            begins.await.unwrap();
            let mut next = transfers;
            while !exported.load(Ordering::Relaxed) {
                post(&app, next, next + 50).await;
                next += 50;
            }
            next - transfers
        }
    });
    HEAP.reset_peak_usage();
    let (before, began) = (HEAP.current_usage(), Instant::now());
    let (figure, rows) = match what.as_str() {
        "books" => ("ledger_export_heap_kib", books(&app, home.path(), begun).await),
        "history" => ("transactions_export_heap_kib", history(&app, begun).await),
        other => panic!("books or history, not {other:?}"),
    };
    let (seconds, peak) = (began.elapsed().as_secs_f64(), HEAP.peak_usage().saturating_sub(before));
    exported.store(true, Ordering::Relaxed);
    let meanwhile = going_on.await.unwrap();
    let first = transfers + USERS;
    let latest = if what == "history" { first } else { first + meanwhile };
    assert!((first..=latest).contains(&rows), "not one still picture: {rows} rows of {first}");
    println!(
        "{}",
        json!({
            "figure": figure, "value": peak / 1024, "unit": "KiB", "rows": rows,
            "rows_per_second": (rows as f64 / seconds).round(), "posted_meanwhile": meanwhile,
        })
    );
}
