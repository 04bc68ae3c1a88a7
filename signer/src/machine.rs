//! What this machine says about itself, read from `/proc` and `/sys`.
//!
//! Called by `doctor`, by the commands that warn of interfaces, and where memory for the key derivation is
//! chosen. What must stay true: only files are read, never a socket or a program; what cannot be read is
//! `None`, which is not the same as being in order.

use std::path::Path;

/// Network interfaces other than loopback that are up.
pub fn interfaces_up() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else { return Vec::new() };
    let is_up =
        |path: &Path| std::fs::read_to_string(path.join("operstate")).is_ok_and(|state| state.trim() == "up");
    let up = entries.flatten().filter(|entry| is_up(&entry.path()));
    up.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != "lo").collect()
}

/// Memory that a program could get without swapping, in KiB.
pub fn memory_available_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
