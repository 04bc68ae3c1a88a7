//! Measures how fast a request of 1,000 withdrawals becomes a verified, signed reply.
//!
//! `scripts/bench.sh signing` runs it: one line of JSON per figure, `{"figure","value","unit","limit","ratio"}`,
//! in items per second. Measured is everything between the request's bytes and the reply's: decoding, every check
//! and rule, the intent on the disk, signing on all cores, recovering the address from each signature, the entry
//! on the disk. Stretching the passphrase is left out. The limit, measured beside it in the same run, is a bare
//! loop of k256 signatures and recoveries over as many hashes on the same cores. Medians of several runs.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use airlock_shared::chain::signature::sign;
use airlock_shared::document::Document as _;
use airlock_shared::words::words;
use airlock_shared::{BatchId, ItemId, Network};
use k256::ecdsa::SigningKey;
use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};
use std::hint::black_box;
use std::time::Instant;
use world::{World, units};

const ITEMS: usize = 1_000;
const RUNS: u8 = 9;

fn main() {
    for (figure, network) in [("sign_1000_tron", Network::TRON_DEV), ("sign_1000_evm", Network::EVM_DEV)] {
        let world = world();
        let (mut signed, mut bare) = (Vec::new(), Vec::new());
        for run in 0..RUNS {
            signed.push(sign_a_batch(&world, network, run));
            bare.push(sign_bare(run));
        }
        let (value, limit) = (per_second(signed), per_second(bare));
        let percent = value * 100 / limit;
        println!(
            "{{\"figure\":\"{figure}\",\"value\":{value},\"unit\":\"items/s\",\"limit\":{limit},\"ratio\":{}.{:02}}}",
            percent / 100,
            percent % 100
        );
    }
}

/// A signer whose policy has room for every run.
fn world() -> World {
    let mut world = World::new();
    world.with_policy(|policy| {
        for asset in policy.networks.iter_mut().flat_map(|network| &mut network.assets) {
            asset.per_batch_max = units(1_000_000_000);
            asset.per_day_max = units(1_000_000_000);
        }
    });
    world
}

/// Microseconds from the request's bytes to the reply's.
fn sign_a_batch(world: &World, network: Network, run: u8) -> u128 {
    let mut content = world.content(network, ITEMS);
    content.batch_id = BatchId::from_bytes([run; 16]);
    let offset = u64::from(run) * ITEMS as u64;
    for item in &mut content.items {
        item.id = ItemId::new(item.id.number() + offset);
        item.account_nonce = item.account_nonce.map(|nonce| nonce + offset);
    }
    if let airlock_shared::batch::Context::Tron(tron) = &mut content.context {
        tron.timestamp_ms += offset;
    }
    let request = world.bundle(content);
    let mut signer = world.signer();
    let start = Instant::now();
    let accountable = signer.examine(&request, world.now).ok().unwrap();
    let typed = words(&accountable.words_digest());
    let replies = signer.sign(accountable.confirm(&typed).unwrap(), &world.keyring, world.now).unwrap();
    black_box(replies.to_binary());
    start.elapsed().as_micros()
}

/// Microseconds for as many bare signatures and recoveries on all cores.
fn sign_bare(run: u8) -> u128 {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let start = Instant::now();
    let recovered: Vec<_> = (0..ITEMS as u64)
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

/// Items per second in the median run.
fn per_second(mut micros: Vec<u128>) -> u128 {
    micros.sort_unstable();
    ITEMS as u128 * 1_000_000 / micros[micros.len() / 2].max(1)
}
