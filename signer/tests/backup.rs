//! Backups from outside: shares leave through descriptors only, and the drill tells good paper from bad.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Desk(TempDir);

impl Desk {
    /// A vault whose mnemonic is in the file `words`.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.private("pass", "a passphrase for tests");
        let made = desk.shell(
            "init --name a --profile dev --kdf-memory-kib 47104 --kdf-passes 1 --mnemonic-fd 3 3>words",
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        desk.private("words", &desk.text("words"));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn private(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A command line with redirections of descriptors.
    fn shell(&self, line: &str) -> Output {
        Command::new("sh")
            .args(["-c", &format!("exec \"$0\" --home home --json --passphrase-file pass --accept-network 'I ACCEPT A NETWORKED MACHINE' {line} </dev/null")])
            .arg(env!("CARGO_BIN_EXE_airlock-signer"))
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn shares(&self) {
        let line = "backup shares --threshold 2 --of 3 --share-fd 3 --share-fd 4 --share-fd 5 3>s1 4>s2 5>s3";
        let made = self.shell(line);
        let answer = answer(&made);
        assert_eq!((answer["threshold"].as_u64(), answer["shares"].as_u64()), (Some(2), Some(3)));
        for name in ["s1", "s2", "s3"] {
            let text = self.text(name);
            assert_eq!(text.split_whitespace().count(), 33, "{name}");
            self.private(name, &text);
            self.shows_nothing_of(&made, &text);
        }
    }

    /// No four words in a row of a secret text stand in what a command printed.
    fn shows_nothing_of(&self, output: &Output, secret: &str) {
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
        let words: Vec<_> = secret.split_whitespace().collect();
        // The first two words of a share name its set, like a title.
        assert!(words.windows(2).skip(2).all(|pair| !said.contains(&pair.join(" "))));
    }
}

fn answer(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap();
    (output.status.code(), value["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn the_mnemonic_and_any_two_of_three_shares_restore_this_vault() {
    let desk = Desk::new();
    desk.shares();
    let drill = desk.shell("backup verify --words-file words");
    assert_eq!(answer(&drill)["kind"], "mnemonic");
    desk.shows_nothing_of(&drill, &desk.text("words"));
    for two in [
        "--words-file s1 --words-file s2",
        "--words-fd 7 --words-fd 8 7<s3 8<s1",
        "--words-file s2 --words-fd 3 3<s3",
    ] {
        let drill = desk.shell(&format!("backup verify {two}"));
        let told = answer(&drill);
        assert_eq!((told["kind"].as_str(), told["restores"].as_bool()), (Some("shares"), Some(true)));
        desk.shows_nothing_of(&drill, &desk.text("s1"));
    }
    let all = answer(&desk.shell("backup verify --words-file s1 --words-file s2 --words-file s3"));
    assert_eq!((all["given"].as_u64(), all["needed"].as_u64()), (Some(3), Some(2)));
    // A copy of a share is not a third one.
    let copied = desk.shell("backup verify --words-file s1 --words-file s2 --words-file s1");
    assert_eq!(error(&copied), (Some(4), "backup".to_owned()));
}

#[test]
fn a_drill_with_bad_paper_fails_and_quotes_no_word() {
    let desk = Desk::new();
    desk.shares();
    let other = Desk::new();
    let foreign = other.text("words");
    desk.private("foreign", &foreign);
    let told = desk.shell("backup verify --words-file foreign");
    assert_eq!(error(&told), (Some(4), "backup_of_another_vault".to_owned()));
    desk.shows_nothing_of(&told, &foreign);
    assert_eq!(error(&desk.shell("backup verify --words-file s1")), (Some(4), "backup".to_owned()));
    assert_eq!(error(&desk.shell("backup verify --words-file s1 --words-file s1")).0, Some(4));
    desk.private("typo", &desk.text("s2").replacen(' ', " xylophone ", 1));
    let told = desk.shell("backup verify --words-file s1 --words-file typo");
    assert_eq!(error(&told), (Some(4), "backup".to_owned()));
    assert!(!String::from_utf8_lossy(&told.stderr).contains("xylophone"));
    desk.private("long", &"abandon ".repeat(500));
    assert_eq!(error(&desk.shell("backup verify --words-file long")).0, Some(4));
    std::fs::set_permissions(desk.path("s1"), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(error(&desk.shell("backup verify --words-file s1 --words-file s2")).0, Some(4));
}

#[test]
fn shares_without_a_place_for_each_are_refused_before_any_key_is_opened() {
    let desk = Desk::new();
    for line in [
        "backup shares --threshold 2 --of 3",
        "backup shares --threshold 2 --of 3 --share-fd 3 3>s1",
        "backup shares --threshold 4 --of 3 --share-fd 3 3>s1",
        "backup shares --threshold 1 --of 3",
    ] {
        assert_eq!(error(&desk.shell(line)), (Some(2), "usage".to_owned()), "{line}");
    }
    let alone = "--home device --json --passphrase-file pass";
    let made = Command::new("sh")
        .args(["-c", &format!("\"$0\" {alone} init --name b --profile dev --identity-only --kdf-memory-kib 47104 --kdf-passes 1 && exec \"$0\" {alone} backup verify --words-file words")])
        .arg(env!("CARGO_BIN_EXE_airlock-signer"))
        .current_dir(desk.0.path())
        .output()
        .unwrap();
    assert_eq!(error(&made), (Some(4), "no_spending_keys".to_owned()));
}

#[test]
fn words_never_go_to_a_number_that_nobody_redirected() {
    let desk = Desk::new();
    desk.private("s1", "");
    let empty = |home: &str| std::fs::read(desk.path(home).join("lock")).unwrap_or_default().is_empty();
    // Left alone, 3 would be the number of this program's own lock file, 4 that of the first share again.
    let init = "--home new init --name a --profile dev --kdf-memory-kib 47104 --kdf-passes 1 --mnemonic-fd 3";
    for line in [
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 4",
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 4 3>s1",
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 4 4>s1",
    ] {
        assert_eq!(error(&desk.shell(line)), (Some(6), "mnemonic".to_owned()), "{line}");
        assert!(empty("home") && desk.text("s1").is_empty(), "{line}");
    }
    let made = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" --json --passphrase-file pass --accept-network 'I ACCEPT A NETWORKED MACHINE' {init} </dev/null")])
        .arg(env!("CARGO_BIN_EXE_airlock-signer"))
        .current_dir(desk.0.path())
        .output()
        .unwrap();
    assert_eq!(error(&made), (Some(6), "mnemonic".to_owned()));
    assert!(empty("new") && !desk.path("new/vault.airlock").exists());
}

#[test]
fn two_shares_never_go_to_one_place_nor_any_to_the_standard_streams() {
    let desk = Desk::new();
    for line in [
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 3 3>s1",
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 4 3>s1 4>>s1",
        "backup shares --threshold 2 --of 2 --share-fd 1 --share-fd 3 3>s1",
        "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 2 3>s1",
    ] {
        assert_eq!(error(&desk.shell(line)), (Some(2), "usage".to_owned()), "{line}");
        assert!(desk.text("s1").is_empty(), "{line}");
    }
}

#[test]
fn words_go_through_pipes_and_a_full_disk_is_an_error() {
    let desk = Desk::new();
    let piped = Command::new("sh")
        .args(["-c", "{ \"$0\" --home piped --passphrase-file pass --accept-network 'I ACCEPT A NETWORKED MACHINE' init --name p --profile dev --kdf-memory-kib 47104 --kdf-passes 1 --mnemonic-fd 3 3>&1 >&2; } | wc -w"])
        .arg(env!("CARGO_BIN_EXE_airlock-signer"))
        .current_dir(desk.0.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&piped.stdout).trim(), "24");
    let line = "backup shares --threshold 2 --of 2 --share-fd 3 --share-fd 4 3>s1 4>/dev/full";
    let full = desk.shell(line);
    assert_eq!(error(&full), (Some(6), "mnemonic".to_owned()));
    assert!(String::from_utf8_lossy(&full.stderr).contains("destroy them"));
    desk.shows_nothing_of(&full, &desk.text("s1"));
}
