//! The doctor looks at machines that a test has laid out in a folder, and at homes with one thing wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::Network;
use airlock_shared::envelope::Envelope;
use airlock_signer::doctor::{self, Finding, Verdict};
use airlock_signer::home::temporary_of;
use airlock_signer::machine::Machine;
use airlock_signer::memory::{Locked, Protection};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use world::{NOW, World};

const UNLOCKED: Protection = Protection { locked: Locked::Nothing };

/// A sound machine: no swap, no hibernation, one interface that is down.
fn sound() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let files = [
        ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"),
        ("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:    2000000 kB\n"),
        ("proc/sys/kernel/random/entropy_avail", "256\n"),
        ("proc/sys/kernel/yama/ptrace_scope", "2\n"),
        ("sys/power/state", "freeze mem\n"),
        ("sys/class/net/lo/flags", "0x9\n"),
        ("sys/class/net/wlan0/flags", "0x1002\n"),
        ("sys/class/net/wlan0/operstate", "down\n"),
    ];
    for (path, text) in files {
        write(root.path(), path, text);
    }
    write(root.path(), "sys/class/rtc/rtc0/since_epoch", &NOW.to_string());
    root
}

fn write(root: &Path, path: &str, text: &str) {
    std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
    std::fs::write(root.join(path), text).unwrap();
}

fn of<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    findings.iter().find(|one| one.check == check).unwrap()
}

/// What is said about a machine on which one file differs.
fn with(path: &str, text: &str, check: &str) -> Finding {
    let root = sound();
    write(root.path(), path, text);
    of(&doctor::machine(&Machine::read(root.path()), UNLOCKED, NOW), check).clone()
}

#[test]
fn a_sound_machine_has_nothing_to_mend() {
    let root = sound();
    let findings = doctor::machine(&Machine::read(root.path()), UNLOCKED, NOW);
    assert!(findings.iter().all(|one| one.verdict != Verdict::Mend || one.check == "core_dumps"));
    for check in ["swap", "hibernation", "tracing", "random_source", "hardware_clock"] {
        assert_eq!(of(&findings, check).verdict, Verdict::Fine, "{check}");
    }
    let interfaces = of(&findings, "interfaces");
    assert_eq!((interfaces.verdict, interfaces.found.as_str()), (Verdict::Note, "down: wlan0"));
}

#[test]
fn each_danger_of_a_machine_is_named_with_what_to_do() {
    let swaps = "Filename\tType\n/dev/sda3 partition 99 0 -2\n";
    let swap = with("proc/swaps", swaps, "swap");
    assert_eq!(swap.verdict, Verdict::Mend);
    assert!(swap.found.contains("/dev/sda3") && swap.advice.contains("swapoff"));
    assert_eq!(with("proc/swaps", swaps, "memory_lock").verdict, Verdict::Mend);
    assert_eq!(with("sys/class/net/eth0/flags", "0x1003\n", "interfaces").found, "up: eth0");
    assert_eq!(with("sys/class/net/eth0/flags", "\n", "interfaces").found, "up: eth0");
    assert_eq!(with("sys/class/net/bonding_masters", "\n", "interfaces").found, "down: wlan0");
    assert_eq!(with("sys/class/net/wlan0/operstate", "up\n", "interfaces").verdict, Verdict::Mend);
    assert_eq!(with("proc/sys/kernel/yama/ptrace_scope", "0\n", "tracing").verdict, Verdict::Note);
    assert_eq!(with("proc/sys/kernel/random/entropy_avail", "12\n", "random_source").verdict, Verdict::Note);
    assert_eq!(with("sys/class/rtc/rtc0/since_epoch", "86400\n", "hardware_clock").verdict, Verdict::Note);
}

#[test]
fn hibernation_counts_when_there_is_a_device_to_write_to() {
    let root = sound();
    let verdict = || of(&doctor::machine(&Machine::read(root.path()), UNLOCKED, NOW), "hibernation").verdict;
    write(root.path(), "sys/power/state", "freeze mem disk\n");
    assert_eq!(verdict(), Verdict::Note, "nothing says that it is disabled");
    write(root.path(), "sys/power/disk", "[disabled]\n");
    assert_eq!(verdict(), Verdict::Fine);
    write(root.path(), "sys/power/disk", "[platform] shutdown\n");
    assert_eq!(verdict(), Verdict::Note);
    write(root.path(), "sys/power/resume", "8:3\n");
    assert_eq!(verdict(), Verdict::Mend);
}

#[test]
fn what_cannot_be_read_is_never_fine() {
    let empty = tempfile::tempdir().unwrap();
    let findings = doctor::machine(&Machine::read(empty.path()), UNLOCKED, NOW);
    for check in ["swap", "hibernation", "interfaces", "memory_lock", "tracing", "hardware_clock"] {
        assert_ne!(of(&findings, check).verdict, Verdict::Fine, "{check}");
    }
}

#[test]
fn each_thing_wrong_with_a_home_is_named() {
    let world = World::new();
    let root = sound();
    let seen = Machine::read(root.path());
    let look = |now| doctor::home(world.home.root(), &seen, now);
    assert!(look(NOW).iter().all(|one| one.verdict == Verdict::Fine), "{:?}", look(NOW));
    assert_eq!(of(&look(NOW - 1), "clock").verdict, Verdict::Mend);
    std::fs::write(temporary_of(&world.home.vault()), "torn").unwrap();
    assert_eq!(of(&look(NOW), "left_behind").verdict, Verdict::Note);
    std::fs::set_permissions(world.home.policy(), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(of(&look(NOW), "files").found.contains("0644"));
    std::fs::rename(world.home.policy(), world.folder.path().join("elsewhere")).unwrap();
    symlink(world.folder.path().join("elsewhere"), world.home.policy()).unwrap();
    assert_eq!(of(&look(NOW), "files").verdict, Verdict::Mend);
    std::fs::rename(world.home.journal(), world.folder.path().join("journal")).unwrap();
    assert_eq!(of(&look(NOW), "journal").verdict, Verdict::Mend);
    assert!(of(&look(NOW), "journal").advice.contains("genesis install"));
    let small = Machine { memory_available_kib: Some(1_000), ..seen.clone() };
    let findings = doctor::home(world.home.root(), &small, NOW);
    assert_eq!(of(&findings, "vault_memory").verdict, Verdict::Mend);
    std::fs::write(world.home.vault(), "not a vault").unwrap();
    assert_eq!(of(&look(NOW), "vault_memory").verdict, Verdict::Mend);
    std::fs::set_permissions(world.home.root(), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(of(&look(NOW), "home").verdict, Verdict::Mend);
    let nowhere = doctor::home(&world.folder.path().join("nowhere"), &seen, NOW);
    assert_eq!(of(&nowhere, "home").verdict, Verdict::Note);
}

#[test]
fn a_signer_that_was_shown_a_foreign_head_may_be_locked_and_is_told_so() {
    let world = World::new();
    let seen = Machine::read(sound().path());
    let look = || of(&doctor::home(world.home.root(), &seen, NOW), "journal").clone();
    assert_eq!(look().verdict, Verdict::Fine);
    let mut envelope = world.envelope(world.content(Network::EVM_DEV, 1));
    envelope.heads[0].head = airlock_shared::Digest::of("airlock:test:1", b"another history");
    let bytes = world::bundle(vec![Envelope::seal(
        envelope.content.clone(),
        envelope.approvals.clone(),
        envelope.heads.clone(),
        &world::key(9),
    )]);
    let mut signer = world.signer();
    let examined = signer.examine(&bytes, NOW).err().unwrap();
    assert_eq!(examined.refusal.code, "head.unknown");
    signer.refuse(*examined, NOW).unwrap();
    drop(signer);
    assert_eq!(look().verdict, Verdict::Mend);
    assert!(look().advice.contains("journal show"));
}
