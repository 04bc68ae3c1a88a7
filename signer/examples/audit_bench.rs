//! Measures how fast 100,000 signed items are audited.
//!
//! `scripts/bench.sh audit` runs it: one line of JSON per figure, `{"figure","value","unit","limit","ratio"}`, in items
//! per second. A real signer signs 100 batches of 1,000, half TRON and half EVM; their files are written as the
//! coordinator gives them, unsigned transactions included, and audited from the folder: read, decoded, every
//! signature of every kind checked, every rule replayed in the order of the journal, the report filled. The limit,
//! measured beside it, is a bare loop of 100,000 k256 recoveries on the same cores. Medians of three runs. The figure
//! itself is over the JSON files, which auditors get; the binary ones, which take less decoding, stand beside it.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

#[path = "measure/mod.rs"]
mod measure;
#[path = "../tests/world/mod.rs"]
mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::Context;
use airlock_shared::chain::signature::sign;
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Envelope, SignedBatch};
use airlock_shared::identity::Identity;
use airlock_shared::roles::creator;
use airlock_shared::words::words;
use airlock_shared::{BatchId, ItemId, Network};
use airlock_signer::audit::{Anchors, Asked, audit, intake};
use airlock_signer::report::Verdict;
use k256::ecdsa::SigningKey;
use rayon::prelude::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use world::{World, units};

const BATCHES: usize = 100;
const ITEMS: usize = 1_000;
const COUNT: usize = BATCHES * ITEMS;
const RUNS: usize = 3;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (json, binary) = (folder.path().join("json"), folder.path().join("binary"));
    std::fs::create_dir_all(&json).unwrap();
    std::fs::create_dir_all(&binary).unwrap();
    let anchors = sign_all(&json, &binary);
    for (figure, path) in [("audit_100000", &json), ("audit_100000_binary", &binary)] {
        let (mut audited, mut bare, mut peak_kib) = (Vec::new(), Vec::new(), 0);
        let (mut audited_ticks, mut bare_ticks) = (0, 0);
        for _ in 0..RUNS {
            let before_kib = measure::forget_peak();
            let begun = measure::processor_time();
            audited.push(audit_all(path, &anchors));
            audited_ticks += measure::processor_time() - begun;
            peak_kib = measure::peak_kib().saturating_sub(before_kib).max(peak_kib);
            let (micros, ticks) = recover_bare();
            bare.push(micros);
            bare_ticks += ticks;
        }
        measure::print(
            figure,
            measure::per_second(COUNT, audited),
            "items/s",
            measure::per_second(COUNT, bare),
        );
        // The same by processor time, which other programs on the machine do not change.
        let by_processor = |ticks: u128| (COUNT * RUNS * 100) as u128 / ticks.max(1);
        let (value, limit) = (by_processor(audited_ticks), by_processor(bare_ticks));
        measure::print(&format!("{figure}_processor"), value, "items/processor-s", limit);
        let bytes: u64 =
            std::fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        measure::print(&format!("{figure}_memory"), peak_kib, "KiB", u128::from(bytes / 1_024));
    }
}

/// Signs every batch and writes its file in both spellings.
fn sign_all(json: &Path, binary: &Path) -> Anchors {
    let mut world = World::new();
    world.with_policy(|policy| {
        for asset in policy.networks.iter_mut().flat_map(|network| &mut network.assets) {
            asset.per_batch_max = units(1_000_000_000);
            asset.per_day_max = units(1_000_000_000);
            asset.first_seen_max = units(1_000_000_000);
        }
    });
    let vault = world.vault();
    let roster = vault.device().roster.clone().unwrap();
    let policy = airlock_signer::policy::load(&world.home, vault.device()).unwrap();
    // An honest coordinator knows nothing of the journal at first, so the first file shows it from its genesis.
    let mut head = None;
    let mut signer = world.signer();
    for number in 0..BATCHES {
        let envelope = envelope(&world, number, head);
        let accountable = signer.examine(&world::bundle(vec![envelope.clone()]), world.now).ok().unwrap();
        let typed = words(&accountable.words_digest());
        let replies = signer.sign(accountable.confirm(&typed).unwrap(), &world.keyring, world.now).unwrap();
        head = Some(SeenHead::of(&replies.replies[0].receipt.entry));
        let transactions = creator::transactions(&envelope.content).unwrap();
        let transactions = transactions.into_iter().flatten().map(|unsigned| unsigned.bytes()).collect();
        let (roster, policy, replies) = (roster.clone(), policy.clone(), replies.replies);
        let file = SignedBatch { envelope, roster, policy, replies, transactions, hardware: None };
        std::fs::write(json.join(format!("{number:03}.json")), file.to_json()).unwrap();
        std::fs::write(binary.join(format!("{number:03}.bin")), file.to_binary()).unwrap();
    }
    Anchors { roster: Some(roster), coordinators: vec![Identity::of(&world::key(9))] }
}

fn envelope(world: &World, number: usize, head: Option<SeenHead>) -> Envelope {
    let network = if number.is_multiple_of(2) { Network::TRON_DEV } else { Network::EVM_DEV };
    let mut content = world.content(network, ITEMS);
    content.batch_id = BatchId::from_bytes([number as u8; 16]);
    for item in &mut content.items {
        item.id = ItemId::new(item.id.number() + (number * ITEMS) as u64);
        item.account_nonce = item.account_nonce.map(|nonce| nonce + (number / 2 * ITEMS) as u64);
    }
    if let Context::Tron(tron) = &mut content.context {
        tron.timestamp_ms += (number * ITEMS) as u64;
    }
    let approvals = world::approvals(&content);
    Envelope::seal(content, approvals, head.into_iter().collect(), &world::key(9))
}

/// Microseconds from the folder's name to the filled report.
fn audit_all(folder: &Path, anchors: &Anchors) -> u128 {
    let start = Instant::now();
    let listed = intake::list(&[folder.to_owned()]).unwrap();
    let report = audit(&Asked { listed: &listed, anchors, ledger: None });
    let micros = start.elapsed().as_micros();
    let first = report.files.iter().find_map(|file| file.finding.as_ref());
    assert!(report.verdict == Verdict::Passed, "{first:?}, {:?}", report.findings);
    assert_eq!(report.files.iter().map(|file| file.signatures).sum::<usize>(), COUNT);
    micros
}

/// Microseconds for as many bare recoveries on all cores, and the processor time that they took.
fn recover_bare() -> (u128, u128) {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let signed = |number: u64| {
        let mut hash = [3; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        (hash, sign(&key, &hash).unwrap())
    };
    let signatures: Vec<_> = (0..COUNT as u64).into_par_iter().map(signed).collect();
    let (start, begun) = (Instant::now(), measure::processor_time());
    let recovered: Vec<_> =
        signatures.par_iter().map(|(hash, signature)| signature.recover(hash).unwrap()).collect();
    let measured = (start.elapsed().as_micros(), measure::processor_time() - begun);
    black_box(recovered);
    measured
}
