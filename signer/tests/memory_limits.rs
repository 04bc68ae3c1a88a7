//! What the program says of locked memory under limits of several sizes: no more than is true.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod desk;

use desk::{Desk, FLOOR};
use std::process::Command;

/// What `init` says where it may lock so many KiB.
fn said_with_limit(kib: u32) -> String {
    let desk = Desk::empty();
    // Root may lock whatever the limit says, by a capability of its own.
    let without =
        if rustix::process::geteuid().is_root() { "setpriv --bounding-set=-ipc_lock --" } else { "" };
    let sentence = airlock_signer::commands::unsealing::SENTENCE;
    let init = format!(
        "init --name alice --profile dev {FLOOR} --mnemonic-fd 3 --passphrase-file pass --accept-network '{sentence}'"
    );
    let output = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -l {kib}; exec {without} \"$0\" --home home {init} 3>words </dev/null"),
        ])
        .arg(env!("CARGO_BIN_EXE_airlock-signer"))
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn within_the_limit_secrets_are_locked_and_nothing_more_is_said() {
    let said = said_with_limit(1_024);
    assert!(said.contains("; pages of secrets locked, up to 1024 KiB\n"), "{said}");
    assert!(!said.contains("NOT locked"), "{said}");
}

#[test]
fn secrets_beyond_the_limit_are_told_though_the_first_page_was_locked() {
    let said = said_with_limit(8);
    assert!(said.contains("; pages of secrets locked, up to 8 KiB\n"), "{said}");
    assert!(
        said.lines().any(|line| line.starts_with("secrets of this run NOT locked in memory: ")),
        "{said}"
    );
}

#[test]
fn where_nothing_may_be_locked_that_is_said_at_the_start() {
    let said = said_with_limit(0);
    assert!(said.contains("; secrets NOT locked in memory"), "{said}");
}
