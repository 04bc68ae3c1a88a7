//! What a transfer costs when the ledger has grown: at 1 million entries over 10 thousand, and at 10 million.

use super::inprocess::CALLERS;
use super::load::transfers;
use super::{Asked, Place, median, print};

/// Transfers of one measurement.
const MEASURED: u64 = 20_000;
const ROUNDS: usize = 5;
/// Entries of a transfer.
const ENTRIES: u64 = 2;

pub async fn measure(asked: &Asked, server: Option<&str>) {
    let place = Place::open(server).await;
    let suffix = place.suffix();
    // Funding 10,000 accounts left 20,000 entries.
    let small = cost(&place).await;
    let mut grown = vec![("1m", 1_000_000)];
    if asked.full {
        grown.push(("10m", 10_000_000));
    }
    for (name, entries) in grown {
        fill(&place, entries).await;
        let large = cost(&place).await;
        print(&format!("ledger_growth_{name}_{suffix}"), large * 1000 / small.max(1), "times the cost", 1200);
    }
}

/// Nanoseconds per transfer.
async fn cost(place: &Place) -> u64 {
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let took = transfers(&place.writer, CALLERS, MEASURED).await;
        costs.push(u64::try_from(took.as_nanos()).unwrap() / MEASURED);
    }
    median(costs)
}

async fn fill(place: &Place, entries: u64) {
    let mut db = place.db.reader().await.unwrap();
    let there: i64 = sqlx::query_scalar("select max(id) from transfers").fetch_one(&mut *db).await.unwrap();
    let wanted = entries / ENTRIES - u64::try_from(there).unwrap();
    transfers(&place.writer, CALLERS, wanted).await;
    place.analyze().await;
}
