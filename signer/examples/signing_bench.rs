//! Measures how fast requests of 1,000 and of 10,000 withdrawals become verified, signed replies.
//!
//! `scripts/bench.sh signing` runs it: one line of JSON per figure, `{"figure","value","unit","limit","ratio"}`,
//! in items per second. Measured is everything between the request's bytes and the reply's: decoding, every check
//! and rule, the intent on the disk, signing on all cores, recovering the address from each signature, the entry
//! on the disk, with the program's own heap, which overwrites. Stretching the passphrase is left out. The limit,
//! measured beside it in the same run, is a bare loop of k256 signatures and recoveries over as many hashes on the
//! same cores. Medians of several runs. 10,000 withdrawals are two batches in one request. Memory is the most that
//! a run adds at its peak, beside the bytes that cross the gap.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use airlock_shared::chain::signature::sign;
use airlock_shared::document::Document as _;
use airlock_shared::words::words;
use airlock_shared::{BatchId, ItemId, Network};
use airlock_signer::memory::Overwriting;
use k256::ecdsa::SigningKey;
use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};
use std::hint::black_box;
use std::time::Instant;
use world::{World, units};

#[path = "measure/mod.rs"]
mod measure;

/// As in the program.
#[global_allocator]
static HEAP: Overwriting = Overwriting;

/// A request: how many batches of how many items, and how often it is measured.
#[derive(Clone, Copy)]
struct Request {
    batches: usize,
    items: usize,
    runs: u8,
}

impl Request {
    const fn count(self) -> usize {
        self.batches * self.items
    }
}

fn main() {
    let thousand = Request { batches: 1, items: 1_000, runs: 9 };
    figures("sign_1000", thousand);
    figures("sign_10000", Request { batches: 2, items: 5_000, runs: 5 });
}

/// One figure for each family, and the slower one's under the name itself.
fn figures(name: &str, request: Request) {
    let mut slowest: Option<(u128, u128)> = None;
    for (family, network) in [("tron", Network::TRON_DEV), ("evm", Network::EVM_DEV)] {
        let world = world();
        let (mut signed, mut bare, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..request.runs {
            let (micros, peak_kib, crossed_kib) = sign_a_bundle(&world, network, request, run);
            signed.push(micros);
            peaks.push((peak_kib, crossed_kib));
            bare.push(sign_bare(request.count(), run));
        }
        let (value, limit) =
            (measure::per_second(request.count(), signed), measure::per_second(request.count(), bare));
        measure::print(&format!("{name}_{family}"), value, "items/s", limit);
        let most = peaks.iter().map(|(peak, _)| *peak).max().unwrap_or(0);
        measure::print(&format!("{name}_{family}_memory"), most, "KiB", peaks[0].1);
        if slowest.is_none_or(|(other, of)| value * of < other * limit) {
            slowest = Some((value, limit));
        }
    }
    if let Some((value, limit)) = slowest {
        measure::print(name, value, "items/s", limit);
    }
}

/// A signer whose policy has room for every run.
fn world() -> World {
    let mut world = World::new();
    world.with_policy(|policy| {
        policy.bounds.items_max = 5_000;
        for asset in policy.networks.iter_mut().flat_map(|network| &mut network.assets) {
            asset.per_batch_max = units(1_000_000_000);
            asset.per_day_max = units(1_000_000_000);
            asset.first_seen_max = units(1_000_000_000);
        }
    });
    world
}

/// Microseconds from the request's bytes to the reply's, the KiB that it took at its peak, and those that crossed.
fn sign_a_bundle(world: &World, network: Network, request: Request, run: u8) -> (u128, u128, u128) {
    let content = |batch: usize| {
        let mut content = world.content(network, request.items);
        let number = usize::from(run) * request.batches + batch;
        content.batch_id = BatchId::from_bytes([number as u8; 16]);
        let offset = (number * request.items) as u64;
        for item in &mut content.items {
            item.id = ItemId::new(item.id.number() + offset);
            item.account_nonce = item.account_nonce.map(|nonce| nonce + offset);
        }
        if let airlock_shared::batch::Context::Tron(tron) = &mut content.context {
            tron.timestamp_ms += offset;
        }
        content
    };
    let request = world::bundle((0..request.batches).map(|batch| world.envelope(content(batch))).collect());
    let mut signer = world.signer();
    let before_kib = measure::forget_peak();
    let start = Instant::now();
    let accountable = signer.examine(&request, world.now).ok().unwrap();
    let typed = words(&accountable.words_digest());
    let replies = signer.sign(accountable.confirm(&typed).unwrap(), &world.keyring, world.now).unwrap();
    let reply = black_box(replies.to_binary());
    let crossed = (request.len() + reply.len()) as u128 / 1_024;
    (start.elapsed().as_micros(), measure::peak_kib().saturating_sub(before_kib), crossed)
}

/// Microseconds for as many bare signatures and recoveries on all cores.
fn sign_bare(count: usize, run: u8) -> u128 {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let start = Instant::now();
    let recovered: Vec<_> = (0..count as u64)
        .into_par_iter()
        .map(|number| {
            let mut hash = [run; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            sign(&key, &hash).unwrap().recover(&hash).unwrap()
        })
        .collect();
    black_box(recovered);
    start.elapsed().as_micros()
}
