//! What endangers the keys on this machine: one function a danger, each with what was seen and what to do.
//!
//! Called by the `doctor` command. What must stay true: nothing is changed and no passphrase is needed; what
//! cannot be looked at is said so and never passes as being in order.

use crate::home::{Home, HomeError, open_private, temporary_of};
use crate::journal;
use crate::machine::{Hibernation, Machine};
use crate::memory::{Locked, Protection};
use crate::secret::{RandomError, fill_random};
use crate::vault::{KdfCost, costs_of};
use rustix::fs::OFlags;
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use serde::Serialize;
use std::path::Path;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// In order.
    Fine,
    /// Worth knowing, or could not be looked at.
    Note,
    /// To be mended before a passphrase is typed here.
    Mend,
}

/// One danger looked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// A stable word for what was looked at.
    pub check: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

impl Finding {
    fn fine(check: &'static str, found: impl ToString) -> Self {
        Self { check, verdict: Verdict::Fine, found: found.to_string(), advice: String::new() }
    }

    fn note(check: &'static str, found: impl ToString, advice: &str) -> Self {
        Self { check, verdict: Verdict::Note, found: found.to_string(), advice: advice.to_owned() }
    }

    fn mend(check: &'static str, found: impl ToString, advice: &str) -> Self {
        Self { check, verdict: Verdict::Mend, found: found.to_string(), advice: advice.to_owned() }
    }
}

/// Less than this, and the next journal entries may not fit.
const FREE_MIB_MIN: u64 = 64;
/// How far the two clocks may be apart, seconds.
const CLOCKS_APART_MAX: u64 = 120;

/// Looks at the machine; `now` is UTC seconds.
pub fn machine(seen: &Machine, protection: Protection, now: u64) -> Vec<Finding> {
    vec![
        swap(seen, protection),
        hibernation(seen),
        interfaces(seen),
        memory_lock(seen, protection),
        dumps(),
        tracing(seen),
        random(seen),
        hardware_clock(seen, now),
    ]
}

/// Looks at the home at `root`, which need not exist yet.
pub fn home(root: &Path, seen: &Machine, now: u64) -> Vec<Finding> {
    let home = match Home::open(root) {
        Ok(home) => home,
        Err(HomeError::Nobody { .. }) => {
            return vec![Finding::note(
                "home",
                format!("{} is not there yet", root.display()),
                "init makes it",
            )];
        }
        Err(error) => return vec![Finding::mend("home", error, "give the directory to this user alone")],
    };
    let mut findings = vec![Finding::fine("home", format!("{}, private", root.display()))];
    let files = [home.vault(), home.journal(), home.refusals(), home.policy(), root.join("lock")];
    findings.push(private_files(&files));
    findings.push(left_behind(&files));
    findings.push(free_space(root));
    findings.push(journal(&home));
    findings.push(clock(&home, now));
    findings.push(vault_memory(&home, seen));
    findings
}

fn swap(seen: &Machine, protection: Protection) -> Finding {
    let Some(swaps) = &seen.swaps else {
        return Finding::note("swap", "cannot be read", "look at `swapon --show`");
    };
    let found = format!("memory can be swapped to {}", swaps.join(", "));
    match (swaps.is_empty(), protection.locked) {
        (true, _) => Finding::fine("swap", "none"),
        (false, Locked::Everything) => {
            let advice = "this program locks its own memory; switch swap off all the same: swapoff -a";
            Finding::note("swap", found, advice)
        }
        (false, _) => Finding::mend("swap", found, "swapoff -a, and take the entries out of /etc/fstab"),
    }
}

fn hibernation(seen: &Machine) -> Finding {
    let advice = "boot with `nohibernate`, or systemctl mask hibernate.target hybrid-sleep.target";
    match seen.hibernation {
        None => Finding::note("hibernation", "cannot be read", advice),
        Some(Hibernation::Impossible) => Finding::fine("hibernation", "not possible"),
        Some(Hibernation::NoPlace) => {
            Finding::note("hibernation", "the kernel can, but has no device to write to", advice)
        }
        Some(Hibernation::Ready) => {
            Finding::mend("hibernation", "sleeping would write all memory to a disk", advice)
        }
    }
}

fn interfaces(seen: &Machine) -> Finding {
    let Some(interfaces) = &seen.interfaces else {
        return Finding::note("interfaces", "cannot be read", "look at `ip link`");
    };
    let named = |up| {
        let some = interfaces.iter().filter(|one| one.up == up).map(|one| one.name.as_str());
        some.collect::<Vec<_>>().join(", ")
    };
    let (up, down) = (named(true), named(false));
    if !up.is_empty() {
        let advice = "pull the cable and `ip link set NAME down`; better, take the hardware out";
        return Finding::mend("interfaces", format!("up: {up}"), advice);
    }
    if down.is_empty() {
        return Finding::fine("interfaces", "loopback only");
    }
    Finding::note(
        "interfaces",
        format!("down: {down}"),
        "take the hardware out, or its driver off the system",
    )
}

fn memory_lock(seen: &Machine, protection: Protection) -> Finding {
    let found = match protection.locked {
        Locked::Everything => {
            return Finding::fine("memory_lock", "this program's memory stays out of swap");
        }
        Locked::Secrets { limit_bytes: Some(limit) } => {
            format!("secrets are locked, the rest of memory is not: the limit is {limit} bytes")
        }
        Locked::Secrets { limit_bytes: None } => {
            "secrets are locked, the rest of memory could not be".to_owned()
        }
        Locked::Nothing => match getrlimit(Resource::Memlock).current {
            Some(limit) => format!("secrets are not locked, the limit is {limit} bytes"),
            None => "memory could not be locked".to_owned(),
        },
    };
    let advice = "`ulimit -l unlimited` (memlock in /etc/security/limits.conf)";
    match &seen.swaps {
        Some(swaps) if swaps.is_empty() => Finding::note("memory_lock", found + "; there is no swap", advice),
        _ => Finding::mend("memory_lock", found, advice),
    }
}

/// What `memory::protect` has just asked for, looked at again.
fn dumps() -> Finding {
    let dumpable = dumpable_behavior() != Ok(DumpableBehavior::NotDumpable);
    let limit = getrlimit(Resource::Core).current;
    if dumpable || limit != Some(0) {
        let found = format!("dumpable: {dumpable}, core limit {limit:?}");
        return Finding::mend("core_dumps", found, "use another kernel; this one does not keep its word");
    }
    Finding::fine("core_dumps", "forbidden to this program")
}

fn tracing(seen: &Machine) -> Finding {
    match seen.ptrace_scope {
        Some(0) => Finding::note(
            "tracing",
            "programs of one user may look into each other; this one has opted out",
            "sysctl kernel.yama.ptrace_scope=2",
        ),
        Some(scope) => Finding::fine("tracing", format!("restricted (ptrace_scope {scope})")),
        None => Finding::note("tracing", "no system-wide restriction; this program has opted out", ""),
    }
}

fn random(seen: &Machine) -> Finding {
    let advice = "make no keys here; find out why before using this machine";
    if let Err(error) = draw_and_test() {
        return Finding::mend("random_source", error, advice);
    }
    match seen.random_bits {
        Some(bits) if bits < 256 => {
            let found = format!("draws look sound; the kernel reports {bits} of 256 bits");
            Finding::note(
                "random_source",
                found,
                "kernels before 5.18 vary here; newer ones: wait, then look again",
            )
        }
        _ => Finding::fine("random_source", "seeded; draws look sound"),
    }
}

/// Not a proof of randomness: it finds a source that is stuck, short, or plainly biased.
fn draw_and_test() -> Result<(), RandomError> {
    let mut drawn = vec![0; 65_536];
    fill_random(&mut drawn)?;
    let ones: u32 = drawn.iter().map(|byte| byte.count_ones()).sum();
    // 524,288 fair bits: 262,144 ones, and a standard deviation of 362; six of them are 2,172.
    let biased = ones.abs_diff(262_144) > 2_172;
    let mut blocks: Vec<&[u8]> = drawn.chunks(16).collect();
    blocks.sort_unstable();
    let repeats = blocks.windows(2).any(|pair| pair[0] == pair[1]);
    if biased || repeats { Err(RandomError::Stuck) } else { Ok(()) }
}

fn hardware_clock(seen: &Machine, now: u64) -> Finding {
    let Some(hardware) = seen.hardware_clock else {
        return Finding::note("hardware_clock", "none can be read", "set the clock after each start");
    };
    let apart = hardware.abs_diff(now);
    if apart > CLOCKS_APART_MAX {
        let found = format!("{apart} s from the system clock");
        return Finding::note(
            "hardware_clock",
            found,
            "compare with a watch, then `hwclock --systohc --utc`",
        );
    }
    Finding::fine("hardware_clock", "agrees with the system clock")
}

fn private_files(files: &[std::path::PathBuf]) -> Finding {
    for path in files {
        match open_private(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(_) => {}
            Err(HomeError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Finding::mend("files", error, "give the file to this user alone, mode 0600, no link");
            }
        }
    }
    Finding::fine("files", "modes, owners and kinds are right")
}

fn left_behind(files: &[std::path::PathBuf]) -> Finding {
    let left: Vec<_> = files.iter().map(|path| temporary_of(path)).filter(|path| path.exists()).collect();
    if left.is_empty() {
        return Finding::fine("left_behind", "nothing");
    }
    let names: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
    Finding::note(
        "left_behind",
        names.join(", "),
        "a crash came between two versions; the old one is in use, and the next change removes this",
    )
}

fn free_space(root: &Path) -> Finding {
    let seen = std::fs::File::open(root)
        .map_err(|error| error.to_string())
        .and_then(|directory| rustix::fs::fstatvfs(&directory).map_err(|error| error.to_string()));
    match seen {
        Err(error) => Finding::note("free_space", error, "look at `df`"),
        Ok(seen) => {
            let free_mib = seen.f_bavail.saturating_mul(seen.f_frsize) >> 20;
            if free_mib < FREE_MIB_MIN {
                let advice = "the journal must be able to grow: make room";
                return Finding::mend("free_space", format!("{free_mib} MiB"), advice);
            }
            Finding::fine("free_space", format!("{free_mib} MiB"))
        }
    }
}

/// Will this signer sign at all? Whether it is locked stands in the vault, which is not opened here.
fn journal(home: &Home) -> Finding {
    if !home.vault().exists() {
        return Finding::note("journal", "no vault", "");
    }
    match journal::told(home) {
        Err(error) => Finding::mend("journal", error, "run `journal verify`"),
        Ok(told) if !told.begun => Finding::mend(
            "journal",
            "empty or not there: nothing is signed",
            "after a restore, `genesis install` what the custodians signed; else bring its newest copy back",
        ),
        Ok(told) if told.unknown_head => Finding::mend(
            "journal",
            "a coordinator has shown a head that is not in it: rolled back, or another signer is at work",
            "`journal show` says whether this signer is locked; custodians unlock it by `genesis install`",
        ),
        Ok(_) => Finding::fine("journal", "begun; every head that was shown is in it"),
    }
}

fn clock(home: &Home, now: u64) -> Finding {
    if !home.journal().exists() {
        return Finding::note("clock", "no journal to compare with", "");
    }
    match journal::last_time(home) {
        Err(error) => Finding::mend("clock", error, "run `journal verify`"),
        Ok(Some(last)) if now < last => Finding::mend(
            "clock",
            format!("{} s behind the journal's last entry", last - now),
            "set the clock; nothing is signed while time runs backwards",
        ),
        Ok(_) => Finding::fine("clock", "not behind the journal"),
    }
}

fn vault_memory(home: &Home, seen: &Machine) -> Finding {
    if !home.vault().exists() {
        return Finding::note("vault_memory", "no vault", "");
    }
    let needed = match costs_of(home) {
        Ok(costs) => costs.into_iter().map(KdfCost::memory_kib).max().unwrap_or(0),
        Err(error) => {
            return Finding::mend("vault_memory", error, "bring back a copy of the vault that is whole");
        }
    };
    match seen.memory_available_kib {
        Some(available) if available < u64::from(needed) => Finding::mend(
            "vault_memory",
            format!("opening the vault needs {needed} KiB, {available} KiB are free"),
            "end other programs, or use a machine with more memory",
        ),
        Some(_) => Finding::fine("vault_memory", format!("enough for the {needed} KiB that opening needs")),
        None => Finding::note("vault_memory", format!("opening needs {needed} KiB"), "look at `free`"),
    }
}
