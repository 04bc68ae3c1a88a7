//! Transfers per second inside one process: spread, through one hot account, one transaction each, and the limit.

use super::load::{Between, rate};
use super::{Asked, Place, bulk, median, print};

/// Enough that the next group has gathered while one is at the disk.
pub const CALLERS: u64 = 8192;
const ROUNDS: usize = 3;

pub async fn measure(asked: &Asked, server: Option<&str>) {
    let place = Place::open(server).await;
    let suffix = place.suffix();
    let callers = std::env::var("CALLERS").ok().and_then(|text| text.parse().ok()).unwrap_or(CALLERS);
    rate(&place.writer, callers, Between::Hot, asked.window / 4).await;
    let (mut spread, mut hot, mut single, mut limit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // In turn, so that a busy machine disturbs all of them alike.
    for _ in 0..ROUNDS {
        spread.push(rate(&place.writer, callers, Between::Spread, asked.window).await);
        hot.push(rate(&place.writer, callers, Between::Hot, asked.window).await);
        limit.push(bulk::limit(&place, asked.window).await);
    }
    let without_groups = place.writer_without_groups();
    for _ in 0..ROUNDS {
        single.push(rate(&without_groups, 64, Between::Spread, asked.window / 4).await);
    }
    let (spread, hot, limit) = (median(spread), median(hot), median(limit));
    print(&format!("ledger_inprocess_{suffix}"), spread, "transfers/s", limit);
    print(&format!("ledger_hot_over_spread_{suffix}"), hot * 1000 / spread.max(1), "of 1", 900);
    print(&format!("ledger_one_transaction_each_{suffix}"), median(single), "transfers/s", limit);
}
