//! Keys and networks: what the program does on this machine as it is, and on one without interfaces.
//!
//! Most machines that run tests are networked, and then everything here is asked. The one without interfaces is
//! a network namespace of its own, where the system lets us make one. What must stay true: no test depends
//! on which of the two it meets without saying so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::policy::Allowance;
use airlock_shared::{Network, words};
use airlock_signer::commands::unsealing::SENTENCE;
use airlock_signer::machine;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use world::{PASSPHRASE, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_airlock-signer");
const INIT: [&str; 10] = [
    "init",
    "--name",
    "alice",
    "--profile",
    "dev",
    "--kdf-memory-kib",
    "47104",
    "--kdf-passes",
    "1",
    "--no-mnemonic-display",
];

fn networked() -> bool {
    machine::interfaces(Path::new("/")).is_none_or(|all| all.iter().any(|one| one.up))
}

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::write(desk.path("pass"), PASSPHRASE).unwrap();
        std::fs::set_permissions(desk.path("pass"), PermissionsExt::from_mode(0o600)).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run_by(&self, mut command: Command, home: &Path, arguments: &[&str]) -> Output {
        command.args(["--json", "--passphrase-file", "pass", "--home"]).arg(home).args(arguments);
        command.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap()
    }

    fn run_at(&self, home: &Path, arguments: &[&str]) -> Output {
        self.run_by(Command::new(PROGRAM), home, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_at(&self.path("home"), arguments)
    }

    /// On a machine of no interfaces but loopback; `None` where the system does not let us make one.
    fn run_offline(&self, arguments: &[&str]) -> Option<Output> {
        let alone = ["--user", "--map-root-user", "--mount", "--net", "sh", "-c"];
        let mount = "mount -t sysfs sysfs /sys && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(alone).args([mount, "sh"]);
        let mut trial = Command::new("unshare");
        trial.args(alone).args([mount, "sh", "true"]).stderr(Stdio::null());
        if !trial.status().is_ok_and(|status| status.success()) {
            return None;
        }
        command.arg(PROGRAM);
        Some(self.run_by(command, &self.path("home"), arguments))
    }

    fn overrides(&self) -> usize {
        let shown = answer(&self.run(&["journal", "show"]));
        let entries = shown["journal"].as_array().unwrap();
        entries.iter().filter(|entry| entry["event"] == "ceremony").count()
    }
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap();
    (output.status.code().unwrap(), value["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn before_a_policy_a_networked_machine_takes_the_sentence_which_is_journalled() {
    let desk = Desk::new();
    if !networked() {
        answer(&desk.run(&INIT));
        assert_eq!(desk.overrides(), 0);
        return;
    }
    let up = (5, "machine.network_interfaces".to_owned());
    assert_eq!(error(&desk.run(&INIT)), up);
    let wrong = [&["--accept-network", "i accept a networked machine"], &INIT[..]].concat();
    assert_eq!(error(&desk.run(&wrong)), (3, "confirmation".to_owned()));
    assert!(!desk.path("home/vault.airlock").exists());
    answer(&desk.run(&[&["--accept-network", SENTENCE], &INIT[..]].concat()));
    assert_eq!(desk.overrides(), 1);
    // What touches no spending key asks for nothing; what does asks again, and says so again.
    answer(&desk.run(&["identity"]));
    for line in [
        &["addresses"][..],
        &["xpub", "--network", "eip155:31337"],
        &["passphrase", "change", "--keep"],
        &["backup", "verify", "--words-file", "words"],
    ] {
        assert_eq!(error(&desk.run(line)), up, "{line:?}");
    }
    assert_eq!(desk.overrides(), 1);
    answer(&desk.run(&["--accept-network", SENTENCE, "addresses"]));
    assert_eq!(desk.overrides(), 2);
    answer(&desk.run(&["journal", "verify"]));
}

#[test]
fn a_machine_without_interfaces_is_asked_nothing() {
    let desk = Desk::new();
    let Some(made) = desk.run_offline(&INIT) else { return };
    answer(&made);
    answer(&desk.run_offline(&["addresses"]).unwrap());
    assert_eq!(desk.overrides(), 0);
}

#[test]
fn under_a_policy_that_refuses_networks_no_sentence_helps() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 5;
    let mut world = World::at(now);
    world.with_policy(|policy| policy.machine.network_interfaces = Allowance::Refused);
    let desk = Desk::new();
    let home = &world.home.root().to_owned();
    let bundle = world.bundle(world.content(Network::TRON_DEV, 2));
    std::fs::write(desk.path("bundle.bin"), &bundle).unwrap();
    let accountable = world.signer().examine(&bundle, now).ok().unwrap();
    let said = words::words(&accountable.words_digest());
    let sign = ["--accept-network", SENTENCE, "sign", "bundle.bin", "--out", "out", "--confirm", &said];
    let ended = desk.run_at(home, &sign);
    if !networked() {
        answer(&ended);
        return;
    }
    assert_eq!(error(&ended), (5, "machine.network_interfaces".to_owned()));
    assert!(!desk.path("out/reply.bin").exists());
    for line in [&["addresses"][..], &["backup", "verify", "--words-file", "words"]] {
        let refused = desk.run_at(home, &[&["--accept-network", SENTENCE], line].concat());
        assert_eq!(error(&refused), (5, "machine.network_interfaces".to_owned()), "{line:?}");
    }
    // Nothing was signed, and nothing refused: a machine's fault is no batch's.
    let journal = answer(&desk.run_at(home, &["journal", "show"]));
    assert_eq!(journal["refusals"].as_array().map_or(0, Vec::len), 0);
    world.with_policy(|policy| policy.machine.network_interfaces = Allowance::Allowed);
    answer(&desk.run_at(home, &["addresses"]));
}
