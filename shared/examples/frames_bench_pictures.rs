//! Measures how many pictures of frames are read, and how long one takes, under what a camera does to them.
//!
//! `cargo run --release -p airlock-shared --example frames_bench_pictures` prints one line of JSON per
//! figure: `{"figure","value","unit","limit","ratio"}`. Every picture is drawn from a seed: a full frame of
//! random bytes, 4 to 8 pixels a module, turned by up to 7 degrees, its corners pulled by up to 3 % of its
//! side, blurred by up to 1.2 pixels (standard deviation), noisy, and of less than full contrast. The
//! `_worst` figures stand at the far end of every range at once. One thread; the time is that of reading
//! alone, the fastest of three.

#![allow(clippy::float_arithmetic, reason = "pictures are drawn by geometry; nothing here is money")]

use airlock_shared::frames::{Encoder, FrameSize, Level, Luma, QrImage, QrScanner, Scanner};
use std::process::ExitCode;
use std::time::Instant;

/// Pictures a figure; several hundred, so that one more or less is a fraction of a percent.
const PICTURES: u64 = 400;
/// Of the far end of every range a rate is enough.
const PICTURES_WORST: u64 = 100;
const SUCCESS_MIN: f64 = 0.95;
const P95_MAX_MS: f64 = 20.0;

fn main() -> ExitCode {
    for version in [20, 25] {
        for (suffix, hardest) in [("", false), ("_worst", true)] {
            match measure(version, hardest) {
                Ok(measured) => measured.print(&format!("v{version}{suffix}")),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

/// What became of many pictures.
struct Measured {
    read: usize,
    /// Milliseconds each, ascending.
    times: Vec<f64>,
}

impl Measured {
    fn print(&self, suffix: &str) {
        let success = self.read as f64 / self.times.len() as f64;
        let p95 = self.times[self.times.len() * 95 / 100];
        let median = self.times[self.times.len() / 2];
        line("frame_read_success", suffix, success, "of 1", SUCCESS_MIN);
        line("frame_read_ms_p95", suffix, p95, "ms", P95_MAX_MS);
        line("frame_read_ms_median", suffix, median, "ms", P95_MAX_MS);
    }
}

fn line(name: &str, suffix: &str, value: f64, unit: &str, limit: f64) {
    println!(
        "{{\"figure\":\"{name}_{suffix}\",\"value\":{value:.3},\"unit\":\"{unit}\",\"limit\":{limit:.2},\"ratio\":{:.2}}}",
        value / limit
    );
}

fn measure(version: u8, hardest: bool) -> Result<Measured, Box<dyn std::error::Error>> {
    let size = FrameSize::new(version, Level::L)?;
    let mut measured = Measured { read: 0, times: Vec::new() };
    for seed in 0..if hardest { PICTURES_WORST } else { PICTURES } {
        let mut dice = Dice(seed);
        let bytes: Vec<u8> = (0..20 * size.symbol_bytes()).map(|_| dice.roll() as u8).collect();
        let text = Encoder::new(&bytes, 0, size)?.frame((seed % 20) as u32);
        let picture = draw(&text, size, Seen::of(&mut dice, hardest), &mut dice)?;
        // The machine is shared: of three readings the fastest says how long it takes.
        let mut fastest = f64::INFINITY;
        let mut read = false;
        for _ in 0..3 {
            let started = Instant::now();
            read = QrScanner.scan(&picture) == [text.as_str()];
            fastest = fastest.min(started.elapsed().as_secs_f64() * 1e3);
        }
        measured.times.push(fastest);
        measured.read += usize::from(read);
    }
    measured.times.sort_by(f64::total_cmp);
    Ok(measured)
}

/// What the camera does to one picture.
#[derive(Clone, Copy)]
struct Seen {
    pixels_per_module: f64,
    turned: f64,
    pulled: [[f64; 2]; 4],
    blur: f64,
    noise: f64,
    dark: f64,
    light: f64,
}

impl Seen {
    fn of(dice: &mut Dice, hardest: bool) -> Self {
        let mut within = |low: f64, high: f64, far: f64| {
            let share = dice.share();
            if hardest { far } else { low + (high - low) * share }
        };
        let pixels_per_module = within(4.0, 8.0, 4.0);
        let turned = within(-7.0, 7.0, 7.0).to_radians();
        let blur = within(0.0, 1.2, 1.2);
        let noise = within(0.0, 20.0, 20.0);
        let (dark, light) = (within(0.0, 70.0, 70.0), within(180.0, 255.0, 180.0));
        let mut sign = |far: f64| within(-0.03, 0.03, far);
        let pulled = [
            [sign(0.03), sign(0.03)],
            [sign(-0.03), sign(0.03)],
            [sign(-0.03), sign(-0.03)],
            [sign(0.0), sign(-0.03)],
        ];
        Self { pixels_per_module, turned, pulled, blur, noise, dark, light }
    }
}

/// The frame as the camera sees it.
fn draw(
    text: &str,
    size: FrameSize,
    seen: Seen,
    dice: &mut Dice,
) -> Result<Luma, Box<dyn std::error::Error>> {
    let code = QrImage::encode(text, size)?.luma(1)?;
    let modules = f64::from(code.width());
    let side = (modules * seen.pixels_per_module * 1.2).ceil() as usize;
    let to_code = inverse_map(seen, modules, side as f64);
    let is_dark = |x: f64, y: f64| {
        let [a, b, c, d, e, f, g, h] = to_code;
        let w = g * x + h * y + 1.0;
        let (u, v) = ((a * x + b * y + c) / w, (d * x + e * y + f) / w);
        let inside = u >= 0.0 && v >= 0.0 && u < modules && v < modules;
        inside && code.pixels()[v as usize * code.width() as usize + u as usize] == 0
    };
    const STEPS: [f64; 4] = [0.125, 0.375, 0.625, 0.875];
    let mut grey = Vec::with_capacity(side * side);
    for at in 0..side * side {
        let (x, y) = ((at % side) as f64, (at / side) as f64);
        let dark = STEPS.iter().flat_map(|dy| STEPS.map(|dx| is_dark(x + dx, y + dy))).filter(|dark| *dark);
        grey.push(seen.light + (seen.dark - seen.light) * dark.count() as f64 / 16.0);
    }
    blur(&mut grey, side, seen.blur);
    let pixels = grey.iter().map(|level| (level + seen.noise * dice.normal()).clamp(0.0, 255.0) as u8);
    Ok(Luma::new(side as u32, side as u32, pixels.collect())?)
}

/// The projective map from the picture to the code's modules, by its eight coefficients.
fn inverse_map(seen: Seen, modules: f64, side: f64) -> [f64; 8] {
    let (sin, cos) = seen.turned.sin_cos();
    let corners = [[0.0, 0.0], [modules, 0.0], [modules, modules], [0.0, modules]];
    let mut equations = [[0.0; 9]; 8];
    for (index, ([u, v], [px, py])) in corners.into_iter().zip(seen.pulled).enumerate() {
        let (dx, dy) = (u - modules / 2.0 + px * modules, v - modules / 2.0 + py * modules);
        let x = side / 2.0 + seen.pixels_per_module * (cos * dx - sin * dy);
        let y = side / 2.0 + seen.pixels_per_module * (sin * dx + cos * dy);
        equations[2 * index] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
        equations[2 * index + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
    }
    solve(equations)
}

/// Gauss and Jordan, with the largest pivot.
fn solve(mut rows: [[f64; 9]; 8]) -> [f64; 8] {
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()));
        rows.swap(column, pivot.unwrap_or(column));
        let leading = rows[column];
        for (index, row) in rows.iter_mut().enumerate() {
            let factor = row[column] / leading[column];
            for (place, value) in row.iter_mut().enumerate() {
                *value = if index == column {
                    leading[place] / leading[column]
                } else {
                    *value - factor * leading[place]
                };
            }
        }
    }
    rows.map(|row| row[8])
}

/// A Gaussian of this standard deviation, rows and then columns.
fn blur(grey: &mut [f64], side: usize, deviation: f64) {
    if deviation < 0.05 {
        return;
    }
    let reach = (3.0 * deviation).ceil() as isize;
    let weights: Vec<f64> =
        (-reach..=reach).map(|d| (-((d * d) as f64) / (2.0 * deviation * deviation)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    for step in [1, side] {
        let before = grey.to_vec();
        for (at, level) in grey.iter_mut().enumerate() {
            let place = if step == 1 { at % side } else { at / side } as isize;
            let start = at as isize - place * step as isize;
            let tap =
                |d: isize| before[(start + (place + d).clamp(0, side as isize - 1) * step as isize) as usize];
            *level = (-reach..=reach).zip(&weights).map(|(d, weight)| tap(d) * weight).sum::<f64>() / sum;
        }
    }
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

    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, with deviation 1: the sum of twelve shares.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}
