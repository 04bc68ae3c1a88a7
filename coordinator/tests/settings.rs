//! Settings on the command line: what `config`, `config check` and `config show` say, and how a start is refused (A3).
//!
//! Runs the real binary in an empty directory; nothing is opened and nothing is left behind.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Output};
use tempfile::TempDir;

struct Desk(TempDir);

impl Desk {
    fn with(settings: &str) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("airlock.toml"), settings).unwrap();
        Self(dir)
    }

    fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock-coordinator"));
        command.args(["--config", "airlock.toml"]).args(arguments).current_dir(self.0.path());
        let Output { status, stdout, stderr } = command.envs(environment.iter().copied()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

#[test]
fn config_prints_the_documented_defaults_and_they_are_valid_settings() {
    let desk = Desk::with("");
    let (code, defaults, _) = desk.run(&[], &["config"]);
    assert_eq!(code, Some(0));
    assert!(defaults.contains("# Where the API listens") && defaults.contains("request_timeout_ms = 30000"));
    let same = Desk::with(&defaults);
    assert_eq!(same.run(&[], &["config", "check"]), (Some(0), "{\"valid\":true}\n".into(), String::new()));
}

#[test]
fn config_check_tells_all_mistakes_one_line_each_with_their_place_and_exits_1() {
    let desk = Desk::with("profile = \"prod\"\n[server]\nlisten = 8380\ncolour = \"red\"\n");
    let environment = [("AIRLOCK_DATABASE__READERS_MAX", "many"), ("AIRLOCK_TYPO__URL", "x")];
    let (code, out, told) = desk.run(&environment, &["config", "check"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    for line in [
        "settings: profile: found \"prod\", expected main, test or dev",
        "settings: server.listen: found 8380, expected an address and port such as 127.0.0.1:8380 (in airlock.toml)",
        "settings: server.colour: found the unknown key \"colour\", expected one of: ",
        "settings: database.readers_max: found \"many\", expected a whole number, 0 to 4294967295 \
         (in the environment: AIRLOCK_DATABASE__READERS_MAX)",
        "settings: typo: found the unknown key \"typo\", expected one of: ",
    ] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line} is missing in\n{told}");
    }
}

#[test]
fn flags_go_over_the_environment_and_that_over_the_file() {
    let desk = Desk::with("[server]\nlisten = \"127.0.0.1:1\"\n[database]\nurl_file = \"/nowhere\"\n");
    let listens = |environment: &[(&str, &str)], flags: &[&str]| {
        let (code, out, told) = desk.run(environment, &[flags, &["config", "show"]].concat());
        assert_eq!(code, Some(0), "{told}");
        out.lines().find(|line| line.starts_with("listen = ")).unwrap().to_owned()
    };
    let environment = [("AIRLOCK_SERVER__LISTEN", "127.0.0.1:2")];
    assert_eq!(listens(&[], &[]), "listen = \"127.0.0.1:1\"");
    assert_eq!(listens(&environment, &[]), "listen = \"127.0.0.1:2\"");
    assert_eq!(listens(&environment, &["--listen", "127.0.0.1:3"]), "listen = \"127.0.0.1:3\"");
    // A URL on the command line goes over a file that the settings name.
    let (code, _, told) = desk.run(&[], &["--database-url", "sqlite:x.db", "config", "check"]);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn credentials_are_printed_by_no_command_and_in_no_refusal() {
    let secret = "postgres://airlock:hunter2@127.0.0.1:1/airlock?sslmode=disable";
    let network = "[[network]]\nid = \"tron:0xa1710c4b\"\nproviders = [\"http://127.0.0.1:1/hunter2\"]\n\
                   [network.native]\nasset = \"TRX\"\ndecimals = 6\n";
    let quick = "[database]\nwait_s = 0\nacquire_timeout_ms = 200\n";
    let desk = Desk::with(&format!("{quick}url = {secret:?}\n{network}"));
    for arguments in [
        &["config", "show"][..],
        &["config", "check"],
        &["serve"],
        &["migrate"],
        &["--listen", "nonsense", "config", "check"],
        &["--database-url", "hunter2://x", "config", "check"],
    ] {
        let (_, out, told) = desk.run(&[("AIRLOCK_LOG__FILTER", "debug")], arguments);
        let told = told.replace("hunter2://x", "");
        assert!(!out.contains("hunter2") && !told.contains("hunter2"), "{arguments:?}: {out}{told}");
    }
    let (code, _, told) = Desk::with(quick).run(&[("AIRLOCK_DATABASE__URL", secret)], &["serve"]);
    assert!(code == Some(1) && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused_without_quoting_it() {
    let desk = Desk::with("profile = \"dev\"\nurl = \"postgres://airlock:hunter2@db\n");
    let (code, _, told) = desk.run(&[], &["serve"]);
    assert!(code == Some(1) && told.contains("line 2") && !told.contains("hunter2"), "{told}");
    let (code, _, told) = desk.run(&[], &["--config", "missing.toml", "config", "check"]);
    assert!(code == Some(1) || code == Some(2), "{told}");
}

#[test]
fn a_start_with_wrong_settings_is_refused_like_a_check() {
    let desk = Desk::with("profile = \"main\"\n[server]\nlisten = \"0.0.0.0:0\"\n");
    let (code, _, told) = desk.run(&[], &["serve"]);
    assert!(code == Some(1) && told.starts_with("settings: server.listen: found \"0.0.0.0:0\""), "{told}");
}
