//! A folder with a passphrase file, in which the program is run with a list of arguments and answers in JSON.
//!
//! Used by the tests that look at the program from outside.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may, and not every test uses all of it"
)]

use super::world::PASSPHRASE;
use airlock_signer::commands::unsealing::SENTENCE;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_airlock-signer");

/// Makes a vault of alice at the lowest cost, its words shown to nobody.
pub const INIT: [&str; 10] = [
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

pub struct Desk {
    folder: TempDir,
    always: &'static [&'static str],
}

impl Desk {
    /// Where each run accepts a networked machine.
    pub fn new() -> Self {
        Self::with(&["--accept-network", SENTENCE])
    }

    /// Where no run accepts anything by itself.
    pub fn bare() -> Self {
        Self::with(&[])
    }

    fn with(always: &'static [&'static str]) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), always };
        desk.private("pass", PASSPHRASE);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// By a command that ends where the arguments begin.
    pub fn run_by(&self, mut command: Command, home: &Path, arguments: &[&str]) -> Output {
        command.args(["--json", "--passphrase-file", "pass", "--home"]).arg(home).args(self.always);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    pub fn run_at(&self, home: &Path, arguments: &[&str]) -> Output {
        self.run_by(Command::new(PROGRAM), home, arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_at(&self.path("home"), arguments)
    }

    pub fn init(&self) -> Value {
        answer(&self.run(&INIT))
    }
}

/// What a run that ended well printed.
pub fn answer(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{:?}: {said}{told}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and code word of one that did not.
pub fn error(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("not JSON: {said}"));
    let exit = output.status.code().unwrap();
    assert_eq!(value["error"]["exit"], exit);
    (exit, value["error"]["code"].as_str().unwrap().to_owned())
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
