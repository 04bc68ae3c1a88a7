//! Runs a decoder over many inputs and measures: no panic, no hang, no more than 256 MiB.
//!
//! Used by the fuzz tests of `shared` and of the signer. `AIRLOCK_FUZZ_ROUNDS` says how many inputs each
//! decoder gets, `AIRLOCK_FUZZ_SEED` which; what is printed at the end names the slowest. What must stay
//! true: a failure prints the input itself; a hang ends the process instead of a build.

use super::mutation::{Random, mutant};
use peak_alloc::PeakAlloc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a decoder may take of memory, with all that the tests themselves hold.
const MEMORY_MAX_BYTES: usize = 256 << 20;
/// A second is the promise, which a release build keeps; on a busy machine in a debug build only ten prove a hang.
const HANG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Gives `decode` mutants of `good`, and `good` itself first. `share` divides the number of rounds, for
/// decoders that are slow by nature.
pub fn fuzz(name: &str, good: &[Vec<u8>], share: u64, decode: impl Fn(&[u8])) {
    let rounds = number("AIRLOCK_FUZZ_ROUNDS", 2_000) / share;
    let seed = number("AIRLOCK_FUZZ_SEED", 20_261_120);
    let mut random =
        Random::new(seed ^ name.bytes().fold(0, |sum, byte| sum << 7 ^ sum >> 57 ^ u64::from(byte)));
    let mut inputs = good.to_vec();
    measured(name, |run| {
        inputs.drain(..).for_each(|input| run(&input, &decode));
        for _ in 0..rounds {
            run(&mutant(&mut random, good), &decode);
        }
    });
}

/// Gives `decode` these inputs, and says how long the slowest took.
pub fn try_each(name: &str, inputs: impl IntoIterator<Item = Vec<u8>>, decode: impl Fn(&[u8])) {
    measured(name, |run| inputs.into_iter().for_each(|input| run(&input, &decode)));
}

fn measured(name: &str, work: impl FnOnce(&mut dyn FnMut(&[u8], &dyn Fn(&[u8])))) {
    let (begun, watched) = channel::<Option<Vec<u8>>>();
    let label = name.to_owned();
    // Told of the beginning and the end of each input; silence in between for too long is a hang.
    let watch = std::thread::spawn(move || {
        while let Ok(Some(input)) = watched.recv() {
            match watched.recv_timeout(HANG) {
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("{label} hangs on {}", shown(&input));
                    std::process::abort();
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => {}
            }
        }
    });
    let (mut slowest, mut count) = (Duration::ZERO, 0_u64);
    let failed = AtomicBool::new(false);
    work(&mut |input, decode| {
        // What is sent is cut: the watcher's copy must not be what memory is spent on.
        let _ = begun.send(Some(input[..input.len().min(4_096)].to_vec()));
        let start = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| decode(input))).is_err() {
            failed.store(true, Ordering::Relaxed);
            eprintln!("{name} panics on {}", shown(input));
        }
        slowest = slowest.max(start.elapsed());
        count += 1;
        let _ = begun.send(None);
    });
    drop(begun);
    watch.join().unwrap();
    println!(
        "{name}: {count} inputs, the slowest {slowest:?}, peak of all so far {} KiB",
        HEAP.peak_usage() >> 10
    );
    assert!(!failed.into_inner(), "{name} panics: see above");
    assert!(HEAP.peak_usage() <= MEMORY_MAX_BYTES, "{name}: {} bytes at once", HEAP.peak_usage());
}

fn shown(input: &[u8]) -> String {
    let cut = &input[..input.len().min(2_048)];
    format!("{} bytes: {}", input.len(), cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
