//! What the measurements share: medians, peaks of memory, and the one line of JSON per figure.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each measurement uses the part it needs, and stops if it must"
)]

/// One figure.
pub fn print(figure: &str, value: u128, unit: &str, limit: u128) {
    let percent = value * 100 / limit.max(1);
    println!(
        "{{\"figure\":\"{figure}\",\"value\":{value},\"unit\":\"{unit}\",\"limit\":{limit},\"ratio\":{}.{:02}}}",
        percent / 100,
        percent % 100
    );
}

/// Items per second in the median run.
pub fn per_second(count: usize, mut micros: Vec<u128>) -> u128 {
    micros.sort_unstable();
    count as u128 * 1_000_000 / micros[micros.len() / 2].max(1)
}

/// Forgets the highest memory use so far; what is in use now, KiB.
pub fn forget_peak() -> u128 {
    // Linux: 5 resets the high-water mark of resident memory.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// The highest resident memory since then, KiB.
pub fn peak_kib() -> u128 {
    status("VmHWM:")
}

/// Processor time of all threads so far, in hundredths of a second: what a busy machine does not change much.
pub fn processor_time() -> u128 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name in parentheses: utime and stime are fields 14 and 15 of proc(5).
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u128>().unwrap() + fields[12].parse::<u128>().unwrap()
}

fn status(field: &str) -> u128 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
