//! Child processes that are bounded in time and never outlive the test that started them.
//!
//! Used by `device` and `coordinator`. What must stay true: a process is ended by its own handle, never by
//! name; its environment is empty but for what is given, so a developer's settings do not leak into tests.

use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The longest any one command may take, key stretching on a busy machine included.
const LIMIT: Duration = Duration::from_secs(120);

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
}

impl Finished {
    /// What it printed, if it exited with 0.
    ///
    /// # Errors
    /// Any other exit, with what it said.
    pub fn success(self) -> anyhow::Result<Self> {
        if self.code != Some(0) {
            bail!("exit {:?}\n{}{}", self.code, self.stdout, self.stderr);
        }
        Ok(self)
    }

    /// What it printed, as JSON.
    ///
    /// # Errors
    /// Another exit than 0, or no JSON.
    pub fn json(self) -> anyhow::Result<serde_json::Value> {
        let done = self.success()?;
        serde_json::from_str(&done.stdout).with_context(|| format!("not JSON: {}", done.stdout))
    }

    /// The error object that `--json` prints on standard error.
    ///
    /// # Errors
    /// There is none.
    pub fn error(&self) -> anyhow::Result<serde_json::Value> {
        let line = self
            .stderr
            .lines()
            .rev()
            .find(|line| line.starts_with("{\"error\""))
            .context("no error object")?;
        let object: serde_json::Value = serde_json::from_str(line)?;
        Ok(object["error"].clone())
    }
}

/// A command with an empty environment.
pub fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("LANG", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a program to its end.
///
/// # Errors
/// It does not start, or does not end in two minutes.
pub async fn run<A: AsRef<OsStr>>(program: &Path, home: &Path, arguments: &[A]) -> anyhow::Result<Finished> {
    let mut command = command(program, home);
    command.args(arguments);
    let shown = || {
        let words: Vec<_> =
            arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
        format!("{} {}", program.display(), words.join(" "))
    };
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .with_context(|| format!("still running after {LIMIT:?}: {}", shown()))?
        .with_context(|| format!("starting {}", shown()))?;
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
