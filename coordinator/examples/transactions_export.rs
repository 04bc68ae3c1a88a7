//! How much memory an export of the history takes, and how fast it is (L5, case 88).
//!
//! `transactions_export [TRANSFERS] [POSTGRES DATABASE URL]` (default 1,000,000 on a fresh SQLite): fills a ledger, streams the
//! CSV of everybody's transactions while postings go on, and prints one line of JSON: rows per second, the heap's peak
//! during the export above what stood before, and how many postings were made meanwhile. The rows are counted: one
//! still picture, whatever was posted.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]
#![allow(clippy::float_arithmetic, reason = "seconds and rates, no money")]

use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::Database;
use airlock_coordinator::ledger::{Account, LedgerError, Order, Posting};
use airlock_coordinator::transactions::export::{Format, stream};
use airlock_coordinator::transactions::{Filter, Scope};
use airlock_shared::MinorUnits;
use futures::StreamExt as _;
use futures::future::join_all;
use peak_alloc::PeakAlloc;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let transfers: u64 = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let home = tempfile::tempdir_in(".").unwrap();
    let url = arguments.next();
    let url = url.unwrap_or_else(|| format!("sqlite:{}", home.path().join("books.db").display()));
    let config = Config::from_toml(&format!("{SETTINGS}\n[database]\nurl = {url:?}\n")).unwrap();
    Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
    let app = App::open(config, Clock::System).await.unwrap();
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
        post(&app, first, (first + GROUP).min(transfers)).await;
    }
    let exported = Arc::new(AtomicBool::new(false));
    let permit = app.exports.clone().acquire_owned().await.unwrap();
    HEAP.reset_peak_usage();
    let (before, began) = (HEAP.current_usage(), Instant::now());
    let body = stream(app.clone(), Scope::All, Filter::default(), Format::Csv, permit);
    let mut pieces = body.into_data_stream();
    let (mut lines, mut bytes, mut going_on) = (0_u64, 0, None);
    while let Some(piece) = pieces.next().await {
        let piece = piece.unwrap();
        lines += u64::try_from(piece.iter().filter(|byte| **byte == b'\n').count()).unwrap();
        bytes += piece.len();
        // The picture was taken with the first piece: from here on postings go on beside it.
        going_on.get_or_insert_with(|| {
            let (app, exported) = (app.clone(), exported.clone());
            tokio::spawn(async move {
                let mut next = transfers;
                while !exported.load(Ordering::Relaxed) {
                    post(&app, next, next + 50).await;
                    next += 50;
                }
                next - transfers
            })
        });
    }
    let (seconds, peak) = (began.elapsed().as_secs_f64(), HEAP.peak_usage().saturating_sub(before));
    exported.store(true, Ordering::Relaxed);
    let meanwhile = going_on.unwrap().await.unwrap();
    assert_eq!(lines, 1 + transfers + USERS, "not one still picture");
    println!(
        "{}",
        json!({
            "figure": "transactions_export_heap_kib", "value": peak / 1024, "unit": "KiB", "rows": lines - 1,
            "rows_per_second": (lines as f64 / seconds).round(), "bytes": bytes, "posted_meanwhile": meanwhile,
        })
    );
}
