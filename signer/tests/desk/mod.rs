//! A folder and a shell, for tests that use the program as a script would: files, descriptors, exit codes.

#![allow(dead_code, clippy::unwrap_used, reason = "a test may, and not every test uses all of it")]

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// The cheapest key derivation that is allowed.
pub const FLOOR: &str = "--kdf-memory-kib 47104 --kdf-passes 1";

pub struct Desk(TempDir);

impl Desk {
    /// A folder with a passphrase in it and no vault.
    pub fn empty() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.private("pass", "a passphrase for tests");
        desk
    }

    /// A vault of alice in `home`, whose mnemonic is in the file `words`.
    pub fn with_vault(profile: &str) -> Self {
        let desk = Self::empty();
        answer(&desk.run(&format!("init --name alice --profile {profile} {FLOOR} --mnemonic-fd 3 3>words")));
        desk.private("words", &desk.text("words"));
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn private(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A command line with redirections of descriptors, on `home`, answering in JSON.
    pub fn run(&self, line: &str) -> Output {
        self.run_in("home", line)
    }

    /// The same with so many KiB of address space.
    pub fn run_limited(&self, kib: u32, line: &str) -> Output {
        self.shell("home", &format!("ulimit -v {kib}; "), line)
    }

    /// The same in another home.
    pub fn run_in(&self, home: &str, line: &str) -> Output {
        self.shell(home, "", line)
    }

    fn shell(&self, home: &str, before: &str, line: &str) -> Output {
        let sentence = airlock_signer::commands::unsealing::SENTENCE;
        let options = format!("--home {home} --json --passphrase-file pass --accept-network '{sentence}'");
        Command::new("sh")
            .args(["-c", &format!("{before}exec \"$0\" {options} {line} </dev/null")])
            .arg(env!("CARGO_BIN_EXE_airlock-signer"))
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// The addresses of one role on one network, in order.
    pub fn addresses(&self, home: &str, network: &str, role: &str, count: u32) -> Vec<String> {
        let line = format!("addresses --network {network} --role {role} --count {count}");
        let told = answer(&self.run_in(home, &line));
        let wallets = told["wallets"].as_array().unwrap().iter();
        wallets.map(|wallet| wallet["address"].as_str().unwrap().to_owned()).collect()
    }

    /// Kind and detail of every ceremony in the journal, but for accepted networks.
    pub fn ceremonies(&self) -> Vec<(String, String)> {
        self.all_ceremonies().into_iter().filter(|(kind, _)| kind != "network_override").collect()
    }

    /// The same with accepted networks.
    pub fn all_ceremonies(&self) -> Vec<(String, String)> {
        let told = answer(&self.run("journal show"));
        let entries = told["journal"].as_array().unwrap().iter();
        entries
            .filter(|entry| entry["event"] == "ceremony")
            .map(|entry| entry["detail"].as_str().unwrap().split_once(": ").unwrap())
            .map(|(kind, detail)| (kind.to_owned(), detail.to_owned()))
            .collect()
    }
}

/// The answer of a command that did what it was asked.
pub fn answer(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code, code word and message of one that did not.
pub fn error(output: &Output) -> (i32, String, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|_| {
        unreachable!("no error in JSON: {:?} {said}", output.status);
    });
    let text = |field: &str| value["error"][field].as_str().unwrap().to_owned();
    (output.status.code().unwrap(), text("code"), text("message"))
}

/// No two words in a row of a secret text stand in what a command printed.
pub fn shows_nothing_of(output: &Output, secret: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
    let words: Vec<_> = secret.split_whitespace().collect();
    assert!(words.windows(2).all(|pair| !said.contains(&pair.join(" "))));
}
