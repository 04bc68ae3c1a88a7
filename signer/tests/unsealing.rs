//! Keys and networks: what the program does on this machine as it is, and on one without interfaces.
//!
//! Most machines that run tests are networked, and then everything here is asked. The one without interfaces is
//! a network namespace of its own, where the system lets us make one. What must stay true: no test depends
//! on which of the two it meets without saying so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod program;
mod world;

use airlock_shared::policy::Allowance;
use airlock_shared::{Network, words};
use airlock_signer::commands::unsealing::SENTENCE;
use airlock_signer::machine;
use program::{Desk, INIT, PROGRAM, answer, error, now};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use world::World;

fn networked() -> bool {
    machine::interfaces(Path::new("/")).is_none_or(|all| all.iter().any(|one| one.up))
}

/// On a machine of no interfaces but loopback; `None` where the system does not let us make one.
fn run_offline(desk: &Desk, arguments: &[&str]) -> Option<Output> {
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
    Some(desk.run_by(command, &desk.path("home"), arguments))
}

fn overrides(desk: &Desk) -> usize {
    let shown = answer(&desk.run(&["journal", "show"]));
    let entries = shown["journal"].as_array().unwrap();
    entries.iter().filter(|entry| entry["event"] == "ceremony").count()
}

#[test]
fn before_a_policy_a_networked_machine_takes_the_sentence_which_is_journalled() {
    let desk = Desk::bare();
    if !networked() {
        answer(&desk.run(&INIT));
        assert_eq!(overrides(&desk), 0);
        return;
    }
    let up = (5, "machine.network_interfaces".to_owned());
    assert_eq!(error(&desk.run(&INIT)), up);
    let wrong = [&["--accept-network", "i accept a networked machine"], &INIT[..]].concat();
    assert_eq!(error(&desk.run(&wrong)), (3, "confirmation".to_owned()));
    assert!(!desk.path("home/vault.airlock").exists());
    answer(&desk.run(&[&["--accept-network", SENTENCE], &INIT[..]].concat()));
    assert_eq!(overrides(&desk), 1);
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
    assert_eq!(overrides(&desk), 1);
    answer(&desk.run(&["--accept-network", SENTENCE, "addresses"]));
    assert_eq!(overrides(&desk), 2);
    answer(&desk.run(&["journal", "verify"]));
}

#[test]
fn a_machine_without_interfaces_is_asked_nothing() {
    let desk = Desk::bare();
    let Some(made) = run_offline(&desk, &INIT) else { return };
    answer(&made);
    answer(&run_offline(&desk, &["addresses"]).unwrap());
    assert_eq!(overrides(&desk), 0);
}

#[test]
fn under_a_policy_that_refuses_networks_no_sentence_helps() {
    let now = now() - 5;
    let mut world = World::at(now);
    world.with_policy(|policy| policy.machine.network_interfaces = Allowance::Refused);
    let desk = Desk::bare();
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
