//! The load: many callers, each waiting for its transfer's acknowledgement before it asks for the next.

use super::place::{ACCOUNTS, account, usdt};
use airlock_coordinator::clock::Clock;
use airlock_coordinator::db::{ordered_id, random_id};
use airlock_coordinator::ledger::{Account, OnceRow, Order, Posting, Writer};
use airlock_shared::MinorUnits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between whom money moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// Any two of the accounts.
    Spread,
    /// Any account and always the same other one, in turn to and from.
    Hot,
}

/// A number that differs from call to call; no secret.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The body that is stored beside an idempotency key: as long as a transfer's answer.
pub fn body(reference: &str, from: &str, to: &str) -> String {
    format!(
        r#"{{"id":"{reference}","kind":"transfer","from":"{from}","to":"{to}","asset":"USDT","amount":"1.25","note":null,"made_at":"2026-01-01T00:00:00.000Z"}}"#
    )
}

/// One transfer as the API would order it.
pub fn order(dice: &mut Dice, between: Between) -> Order {
    let some = dice.below(ACCOUNTS);
    let other = match between {
        Between::Spread => (some + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS,
        Between::Hot => ACCOUNTS,
    };
    let (from, to) = if dice.below(2) == 0 { (some, other) } else { (other, some) };
    let (from, to) = match between {
        Between::Spread => (account(from), account(to)),
        // The hot account is a partner's: it may be poor, so it is paid twice as often as it pays.
        Between::Hot if dice.below(3) > 0 => (account(some), hot()),
        Between::Hot => (hot(), account(some)),
    };
    let reference = ordered_id(Clock::System.now()).unwrap();
    let answer = body(&reference, from.owner(), to.owner());
    let once = OnceRow {
        owner: "partner:5d0f8a1cbbd4a1e0a1c2b3d4e5f60718".to_owned(),
        key: random_id().unwrap(),
        request_digest: format!("{reference}{reference}"),
        status: 201,
        body: Box::new(move |_| answer),
    };
    let made_by = "partner:5d0f8a1cbbd4a1e0a1c2b3d4e5f60718";
    let posting = Posting::new("transfer", reference).minor(from, to, MinorUnits::new(1_250_000));
    Order::once(posting.made_by(made_by), once)
}

fn hot() -> Account {
    Account::Partner { partner: "5d0f8a1cbbd4a1e0a1c2b3d4e5f60718".to_owned(), asset: usdt() }
}

/// Transfers acknowledged per second, in thousandths, by this many callers.
pub async fn rate(writer: &Writer, callers: u64, between: Between, window: Duration) -> u64 {
    let (done, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let callers: Vec<_> = (0..callers)
        .map(|number| {
            let (writer, done) = (writer.clone(), done.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(number + 1);
                while begun.elapsed() < window {
                    // A hot account that is poor at its first payments is a refusal, and not counted.
                    if writer.submit(order(&mut dice, between)).await.is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    per_second(done.load(Ordering::Relaxed), begun.elapsed())
}

/// Exactly this many transfers; how long they took.
pub async fn transfers(writer: &Writer, callers: u64, count: u64) -> Duration {
    let (left, begun) = (Arc::new(AtomicU64::new(count)), Instant::now());
    let callers: Vec<_> = (0..callers)
        .map(|number| {
            let (writer, left) = (writer.clone(), left.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(number + 1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    writer.submit(order(&mut dice, Between::Spread)).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    begun.elapsed()
}

/// In thousandths.
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    let micros = u64::try_from(elapsed.as_micros()).unwrap().max(1);
    count * 1_000_000_000 / micros
}
