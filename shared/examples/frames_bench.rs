//! Measures how many frames, and so how much screen time, a request and its reply take across the gap.
//!
//! `cargo run --release -p airlock-shared --example frames_bench -- REQUEST_BYTES REPLY_BYTES` prints
//! one line of JSON per figure: `{"figure","value","unit","limit","ratio"}`. The bytes are those of a
//! batch of 1,000 withdrawals and its reply. A value is the mean of many simulated passes with a random
//! pattern of lost frames; the limit is what the bare QR codes could carry with nothing lost.

use airlock_shared::frames::{Decoder, Encoder, FrameError, FrameSize, Level, Progress};
use std::process::ExitCode;

const FRAMES_PER_SECOND: u64 = 10;
const PASSES: u64 = 50;

fn main() -> ExitCode {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [request_bytes, reply_bytes] = sizes[..] else {
        eprintln!("usage: frames_bench REQUEST_BYTES REPLY_BYTES");
        return ExitCode::from(2);
    };
    match print_all(request_bytes, reply_bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print_all(request_bytes: usize, reply_bytes: usize) -> Result<(), FrameError> {
    for version in [20, 25] {
        let size = FrameSize::new(version, Level::L)?;
        for loss_percent in [0, 10, 30] {
            let suffix = format!("1000_v{version}_loss{loss_percent}");
            let request = Shown::of(request_bytes, size, loss_percent)?;
            let reply = Shown::of(reply_bytes, size, loss_percent)?;
            let both = Shown { frames: request.frames + reply.frames, limit: request.limit + reply.limit };
            for (way, shown) in [("request", request), ("reply", reply), ("round_trip", both)] {
                shown.print(&format!("{way}_frames_{suffix}"), "frames", 1);
                shown.print(&format!("{way}_seconds_{suffix}"), "s", FRAMES_PER_SECOND);
            }
        }
    }
    Ok(())
}

/// Frames shown until the other side had everything, and the frames that bare codes would take; both
/// summed over all passes.
struct Shown {
    frames: u64,
    limit: u64,
}

impl Shown {
    fn of(payload_bytes: usize, size: FrameSize, loss_percent: u64) -> Result<Self, FrameError> {
        let passes: Result<Vec<usize>, FrameError> =
            (0..PASSES).map(|seed| frames_needed(payload_bytes, size, loss_percent, seed)).collect();
        let bare = payload_bytes.div_ceil(size.raw_bytes()) as u64;
        Ok(Self { frames: passes?.iter().sum::<usize>() as u64, limit: bare * PASSES })
    }

    fn print(&self, figure: &str, unit: &str, per_unit: u64) {
        let (value, limit) =
            (hundredths(self.frames, PASSES * per_unit), hundredths(self.limit, PASSES * per_unit));
        let ratio = hundredths(self.frames, self.limit);
        println!(
            "{{\"figure\":\"{figure}\",\"value\":{value},\"unit\":\"{unit}\",\"limit\":{limit},\"ratio\":{ratio}}}"
        );
    }
}

/// A quotient with two decimals, rounded half up, without a float.
fn hundredths(dividend: u64, divisor: u64) -> String {
    let rounded = (dividend * 200 + divisor) / (2 * divisor);
    format!("{}.{:02}", rounded / 100, rounded % 100)
}

/// How many frames are shown, in order and from the first, until a receiver who misses `loss_percent`
/// of them at random has the whole payload. The same seed gives the same answer.
fn frames_needed(
    payload_bytes: usize,
    size: FrameSize,
    loss_percent: u64,
    seed: u64,
) -> Result<usize, FrameError> {
    let mut dice = Dice(seed);
    let payload: Vec<u8> = (0..payload_bytes).map(|_| dice.roll() as u8).collect();
    let encoder = Encoder::new(&payload, 0, size)?;
    let mut decoder = Decoder::new();
    for n in 0.. {
        let seen = dice.roll() % 100 >= loss_percent;
        if seen && matches!(decoder.receive(&encoder.frame(n))?, Progress::Complete(_)) {
            return Ok(n as usize + 1);
        }
    }
    Ok(usize::MAX)
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
