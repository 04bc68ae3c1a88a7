//! A device: one home of `airlock-signer`, worked through its command line only.
//!
//! Custodians' and approvers' devices are the same program; those without spending keys are identity-only.
//! What must stay true: documents reach a device as files and pictures, never through memory.

use crate::process::{self, Finished};
use crate::stage::Stage;
use airlock_signer::commands::unsealing::SENTENCE;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Memory of the key derivation in KiB: the least that the signer accepts, because a test is no vault.
pub const KDF_MEMORY_KIB: u32 = 47_104;

/// One home of the signer.
#[derive(Clone, Debug)]
pub struct Device {
    /// Whose it is.
    pub name: String,
    /// Its home directory.
    pub home: PathBuf,
    /// Its public identity, in hex.
    pub identity: String,
    program: PathBuf,
    passphrase: PathBuf,
}

/// What `init` makes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Identity alone: an approver, or a custodian without keys. The roster may be empty.
    IdentityOnly {
        /// Custodians, NAME=HEXKEY.
        roster: Vec<String>,
        /// How many it takes.
        threshold: Option<u64>,
    },
    /// A vault with spending keys, whose custodian is one of the roster.
    Vault {
        /// The other custodians, NAME=HEXKEY.
        roster: Vec<String>,
        /// How many it takes.
        threshold: u64,
    },
}

impl Device {
    /// Makes a new device under the stage's directory.
    ///
    /// # Errors
    /// `init` fails.
    pub async fn init(stage: &Stage, name: &str, kind: Kind) -> anyhow::Result<Self> {
        let folder = stage.directory.join("devices").join(name);
        std::fs::create_dir_all(&folder)?;
        let passphrase = folder.join("passphrase");
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passphrase)?;
        write!(file, "correct horse battery staple of {name}")?;
        let home = folder.join("home");
        let program = stage.binaries.signer.clone();
        let mut device = Self { name: name.to_owned(), home, identity: String::new(), program, passphrase };
        let memory = KDF_MEMORY_KIB.to_string();
        let mut arguments: Vec<String> =
            ["init", "--name", name, "--profile", "dev"].map(str::to_owned).to_vec();
        arguments.extend(["--kdf-memory-kib", &memory, "--kdf-passes", "1"].map(str::to_owned));
        let (roster, threshold) = match kind {
            Kind::IdentityOnly { roster, threshold } => {
                arguments.push("--identity-only".to_owned());
                (roster, threshold)
            }
            Kind::Vault { roster, threshold } => {
                arguments.push("--no-mnemonic-display".to_owned());
                (roster, Some(threshold))
            }
        };
        for custodian in roster {
            arguments.extend(["--roster".to_owned(), custodian]);
        }
        if let Some(threshold) = threshold {
            arguments.extend(["--threshold".to_owned(), threshold.to_string()]);
        }
        let made = device.run(&arguments).await?.json().with_context(|| format!("init of {name}"))?;
        device.identity = made["identity"].as_str().context("init prints the identity")?.to_owned();
        ensure!(device.identity.len() == 64, "an identity of 64 hex digits");
        Ok(device)
    }

    /// `NAME=HEXKEY`, as a roster spells it.
    #[must_use]
    pub fn custodian(&self) -> String {
        format!("{}={}", self.name, self.identity)
    }

    /// Runs one command with `--json` to its end, whatever that is.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn run<A: AsRef<str>>(&self, arguments: &[A]) -> anyhow::Result<Finished> {
        process::run(&self.program, &self.home, &self.line(arguments, true)).await
    }

    /// The same without `--json`, as a person runs it.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn run_as_person<A: AsRef<str>>(&self, arguments: &[A]) -> anyhow::Result<Finished> {
        process::run(&self.program, &self.home, &self.line(arguments, false)).await
    }

    fn line<A: AsRef<str>>(&self, arguments: &[A], json: bool) -> Vec<String> {
        let mut line = vec!["--home".to_owned(), self.home.display().to_string()];
        line.extend(["--passphrase-file".to_owned(), self.passphrase.display().to_string()]);
        // A story runs where it can, and before a policy says that it may.
        line.extend(["--accept-network", SENTENCE].map(str::to_owned));
        if json {
            line.push("--json".to_owned());
        }
        line.extend(arguments.iter().map(|word| word.as_ref().to_owned()));
        line
    }

    /// The command line that repeats this in a shell whose directory is `from`.
    #[must_use]
    pub fn shell(&self, from: &Path, arguments: &str) -> String {
        let shown = |path: &Path| path.strip_prefix(from).unwrap_or(path).display().to_string();
        let (program, home, passphrase) = (shown(&self.program), shown(&self.home), shown(&self.passphrase));
        format!("{program} --home {home} --passphrase-file {passphrase} {arguments}")
    }

    /// What `inspect` says of documents or pictures.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn inspect(&self, input: &Path) -> anyhow::Result<Finished> {
        self.run(&["inspect", path(input)?]).await
    }

    /// Signs what the pictures or the document in `input` carry, with the words that the coordinator shows.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn sign(&self, input: &Path, words: &str, out: &Path) -> anyhow::Result<Finished> {
        self.run(&["sign", path(input)?, "--confirm", words, "--out", path(out)?]).await
    }

    /// The same device once more, as a backup of its disk would be. Only a test may do this.
    ///
    /// # Errors
    /// A file cannot be copied.
    pub fn copied_to(&self, home: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home)?;
        for entry in std::fs::read_dir(&self.home)? {
            let entry = entry?;
            // Copying keeps the mode.
            std::fs::copy(entry.path(), home.join(entry.file_name()))?;
        }
        Ok(Self { home: home.to_owned(), ..self.clone() })
    }

    /// Signs while no file may become longer than `limit_bytes`: the system ends the process at the write that
    /// would go beyond.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn sign_with_file_limit(
        &self,
        limit_bytes: u64,
        input: &Path,
        words: &str,
        out: &Path,
    ) -> anyhow::Result<Finished> {
        let mut line =
            vec![format!("--fsize={limit_bytes}"), "--".to_owned(), path(&self.program)?.to_owned()];
        line.extend(self.line(&["sign", path(input)?, "--confirm", words, "--out", path(out)?], true));
        process::run(Path::new("/usr/bin/prlimit"), &self.home, &line).await
    }

    /// Approves what the pictures or the document in `input` carry.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn approve(&self, input: &Path, words: &str, out: &Path) -> anyhow::Result<Finished> {
        self.run(&["approve", path(input)?, "--confirm", words, "--out", path(out)?]).await
    }

    /// Verifies signed-batch files against the keys that this home has pinned.
    ///
    /// # Errors
    /// The program does not start or does not end.
    pub async fn audit(&self, file: &Path) -> anyhow::Result<Finished> {
        self.run(&["audit", path(file)?]).await
    }

    /// Every entry of its journal.
    ///
    /// # Errors
    /// It does not verify.
    pub async fn journal(&self) -> anyhow::Result<Value> {
        self.run(&["journal", "verify"]).await?.success()?;
        self.run(&["journal", "show"]).await?.json()
    }
}

/// A path as an argument.
///
/// # Errors
/// It is not UTF-8.
pub fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
