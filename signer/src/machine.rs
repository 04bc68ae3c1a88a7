//! What this machine says about itself, read from `/proc` and `/sys`.
//!
//! Called by `doctor`, by the commands that warn of interfaces, and where memory for the key derivation is
//! chosen. What must stay true: only files are read, never a socket or a program; what cannot be read is
//! `None`, which is not the same as being in order. `root` is `/`, or a tree that a test has made.

use std::path::Path;

/// A network interface other than loopback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Is it switched on, with or without a cable?
    pub up: bool,
}

/// What matters to somebody who types a passphrase here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Files and devices that memory is swapped to.
    pub swaps: Option<Vec<String>>,
    /// Can it write all memory to a disk and sleep?
    pub hibernation: Option<Hibernation>,
    /// Its network interfaces other than loopback.
    pub interfaces: Option<Vec<Interface>>,
    /// Memory that a program could get without swapping, in KiB.
    pub memory_available_kib: Option<u64>,
    /// Bits that the kernel says it has gathered; 256 means that its generator is seeded.
    pub random_bits: Option<u64>,
    /// May a program of the same user look into another one's memory? (`kernel.yama.ptrace_scope`)
    pub ptrace_scope: Option<u64>,
    /// What the battery-backed clock says, UTC seconds.
    pub hardware_clock: Option<u64>,
}

/// How near hibernation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hibernation {
    /// The kernel cannot.
    Impossible,
    /// The kernel can, but no place to write to is set.
    NoPlace,
    /// The kernel can, and has a device to write to.
    Ready,
}

impl Machine {
    /// Reads it all.
    pub fn read(root: &Path) -> Self {
        let number = |path: &str| text(root, path)?.trim().parse().ok();
        Self {
            swaps: swaps(root),
            hibernation: hibernation(root),
            interfaces: interfaces(root),
            memory_available_kib: memory_available_kib(root),
            random_bits: number("proc/sys/kernel/random/entropy_avail"),
            ptrace_scope: number("proc/sys/kernel/yama/ptrace_scope"),
            hardware_clock: number("sys/class/rtc/rtc0/since_epoch"),
        }
    }
}

fn text(root: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(root.join(path)).ok()
}

fn swaps(root: &Path) -> Option<Vec<String>> {
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    Some(text(root, "proc/swaps")?.lines().skip(1).filter_map(first).collect())
}

fn hibernation(root: &Path) -> Option<Hibernation> {
    let states = text(root, "sys/power/state")?;
    if !states.split_whitespace().any(|state| state == "disk") {
        return Some(Hibernation::Impossible);
    }
    if text(root, "sys/power/disk")?.contains("[disabled]") {
        return Some(Hibernation::Impossible);
    }
    let device = text(root, "sys/power/resume").unwrap_or_default();
    Some(if matches!(device.trim(), "" | "0:0") { Hibernation::NoPlace } else { Hibernation::Ready })
}

/// Network interfaces other than loopback.
pub fn interfaces(root: &Path) -> Option<Vec<Interface>> {
    let entries = std::fs::read_dir(root.join("sys/class/net")).ok()?;
    let interface = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        // IFF_UP; some drivers call a working link "unknown", so the flag counts beside the state. Flags that
        // cannot be read are no reason to call it down.
        let flags = read("flags");
        let flags = u64::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(1);
        Interface { name, up: flags & 1 == 1 || read("operstate").trim() == "up" }
    };
    // A file there is the bonding driver's, not an interface.
    let directories = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut found: Vec<_> = directories.map(interface).filter(|one| one.name != "lo").collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

/// Memory that a program could get without swapping, in KiB.
pub fn memory_available_kib(root: &Path) -> Option<u64> {
    let text = text(root, "proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
