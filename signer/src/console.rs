//! The person at the terminal, or the script in their place.
//!
//! Called by the commands for passphrases, words and answers. What must stay true: passphrases are never
//! echoed, not even by a terminal that is fast, and come from nowhere but the terminal, a private file or a descriptor; without a terminal a
//! question that has no scripted answer is an error, never a guess; results go to standard output and
//! everything else to standard error, so that `--json` output is one document.

use crate::args::Options;
use crate::failure::{Exit, Failure};
use crate::home::open_private;
use crate::secret::Passphrase;
use crate::terminal::lines::{Echo, Lines};
use crate::vault::shares::MAX_TEXT_BYTES;
use airlock_shared::{Digest, words};
use rustix::fs::OFlags;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a passphrase comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Source {
    Terminal,
    File(PathBuf),
    Descriptor(u32),
}

/// How this run talks.
pub struct Console {
    json: bool,
    identity: Source,
    spending: Option<Source>,
}

/// How often a person may type the eight words.
const WORD_TRIES: usize = 3;
/// Asks for a hidden answer again.
const ONCE_MORE: &str = "Once more: ";

fn no_terminal(what: &str) -> Failure {
    Failure::usage(format!("there is no terminal to ask for {what}; --help names the option that gives it"))
}

/// The terminal, its echo off.
fn hidden(what: &str) -> Result<Lines, Failure> {
    Lines::hidden().map_err(|_| no_terminal(what))
}

fn differ() -> Failure {
    Failure::new(Exit::Vault, "passphrase", "the two passphrases differ")
}

impl Console {
    /// From the options of the command line.
    pub fn new(options: &Options) -> Self {
        let source = |file: &Option<PathBuf>, descriptor: Option<u32>| match (file, descriptor) {
            (Some(path), _) => Some(Source::File(path.clone())),
            (None, Some(number)) => Some(Source::Descriptor(number)),
            (None, None) => None,
        };
        let identity = source(&options.passphrase_file, options.passphrase_fd);
        let spending = source(&options.spending_passphrase_file, options.spending_passphrase_fd);
        Self { json: options.json, identity: identity.unwrap_or(Source::Terminal), spending }
    }

    /// Does it answer in JSON?
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Is a person there?
    pub fn is_interactive(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// The passphrase of the identity compartment.
    pub fn passphrase(&self) -> Result<Passphrase, Failure> {
        read(&self.identity, "Passphrase: ")
    }

    /// A new passphrase for the identity compartment, typed twice at a terminal.
    pub fn new_passphrase(&self) -> Result<Passphrase, Failure> {
        read_twice(&self.identity, "New passphrase: ")
    }

    /// A new passphrase for the spending compartment. `None` means the same as for the identity.
    pub fn new_spending_passphrase(&self) -> Result<Option<Passphrase>, Failure> {
        match (&self.spending, &self.identity) {
            (Some(source), _) => read_twice(source, "New spending passphrase: ").map(Some),
            (None, Source::Terminal) => {
                let own = self.yes("Give the spending keys a passphrase of their own?")?;
                if own {
                    read_twice(&Source::Terminal, "New spending passphrase: ").map(Some)
                } else {
                    Ok(None)
                }
            }
            (None, _) => Ok(None),
        }
    }

    /// The passphrase that replaces one: from a file, a descriptor, or typed twice.
    pub fn replacement(
        &self,
        file: Option<&Path>,
        descriptor: Option<u32>,
        prompt: &str,
    ) -> Result<Passphrase, Failure> {
        let source = match (file, descriptor) {
            (Some(path), _) => Source::File(path.into()),
            (None, Some(number)) => Source::Descriptor(number),
            (None, None) => Source::Terminal,
        };
        read_twice(&source, prompt)
    }

    /// Words of a backup that a person types without seeing them.
    pub fn hidden_words(&self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        hidden("the words")?.ask(prompt, Echo::Hidden)
    }

    /// The same of a passphrase that nobody could find again if it were mistyped: both times must be alike.
    pub fn hidden_words_twice(&self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        let lines = hidden("the words")?;
        let first = lines.ask(prompt, Echo::Hidden)?;
        if *first == *lines.ask(ONCE_MORE, Echo::Hidden)? { Ok(first) } else { Err(differ()) }
    }

    /// Words of a backup from a private file.
    pub fn words_from_file(&self, path: &Path) -> Result<Zeroizing<String>, Failure> {
        let failed = |error| Failure::new(Exit::Vault, "backup", error);
        let name = path.display().to_string();
        secret_text(open_private(path, OFlags::RDONLY).map_err(failed)?, &name, MAX_TEXT_BYTES)
    }

    /// Words of a backup from a descriptor.
    pub fn words_from_descriptor(&self, number: u32) -> Result<Zeroizing<String>, Failure> {
        self.secret_from_descriptor(number, MAX_TEXT_BYTES)
    }

    /// Throws, a key or a password from a descriptor: text of at most so many bytes.
    pub fn secret_from_descriptor(&self, number: u32, most: usize) -> Result<Zeroizing<String>, Failure> {
        let name = format!("file descriptor {number}");
        let file = File::open(Path::new("/proc/self/fd").join(number.to_string()))
            .map_err(|error| Failure::new(Exit::Vault, "backup", format!("{name}: {error}")))?;
        secret_text(file, &name, most)
    }

    /// Does a script give the spending compartment a passphrase of its own?
    pub const fn has_spending_source(&self) -> bool {
        self.spending.is_some()
    }

    /// What will open the spending compartment after review. Files and descriptors are read now, before
    /// the sandbox closes them; a person is asked only when it is time.
    pub fn spending_answer(&self, identity: Passphrase) -> Result<SpendingAnswer, Failure> {
        match (&self.spending, &self.identity) {
            (Some(Source::Terminal), _) | (None, Source::Terminal) => Ok(SpendingAnswer::Ask),
            (Some(source), _) => read(source, "").map(SpendingAnswer::Given),
            (None, _) => Ok(SpendingAnswer::Given(identity)),
        }
    }

    /// A yes or no from the person; without one, no question may be asked.
    pub fn yes(&self, question: &str) -> Result<bool, Failure> {
        let answer = self.line(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// A line from the person.
    pub fn line(&self, question: &str) -> Result<String, Failure> {
        if !self.is_interactive() {
            return Err(no_terminal(&format!("an answer to {question:?}")));
        }
        eprint!("{question}");
        let broken = |error: std::io::Error| Failure::new(Exit::Transfer, "terminal", error);
        std::io::stderr().flush().map_err(broken)?;
        let mut line = String::new();
        std::io::stdin().lock().take(4_096).read_line(&mut line).map_err(broken)?;
        Ok(line)
    }

    /// Says something to the person; never part of the result.
    pub fn note(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// The same without a line end, for a screen that is drawn over and over.
    pub fn show(&self, text: &str) {
        eprint!("{text}");
    }

    /// Prints the result: `document` in JSON, else `text`.
    pub fn answer(&self, document: &impl Serialize, text: impl std::fmt::Display) -> Result<(), Failure> {
        if !self.json {
            return self.print(&text.to_string());
        }
        let json = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::new(Exit::Transfer, "output", error))?;
        self.print(&json)
    }

    /// Prints a result that is text already.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(|error| Failure::new(Exit::Transfer, "output", error))
    }

    /// The words that a script gave, or that a person types now, who may mistype twice.
    pub fn typed_words(&self, given: Option<&str>, digest: &Digest) -> Result<String, Failure> {
        if let Some(text) = given {
            return Ok(text.to_owned());
        }
        let ask = || self.line("Type the eight words to go on: ");
        for _ in 1..WORD_TRIES {
            let typed = ask()?;
            if words::confirms(&typed, digest) {
                return Ok(typed);
            }
            self.note("Those are not the words above.");
        }
        ask()
    }

    /// Do the typed or given words name this digest? Case and spacing are free.
    pub fn confirm(&self, given: Option<&str>, digest: &Digest) -> Result<(), Failure> {
        if words::confirms(&self.typed_words(given, digest)?, digest) {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, "confirmation", "the words do not match what is on this screen"))
    }
}

/// How the spending compartment will be opened.
pub enum SpendingAnswer {
    /// By asking.
    Ask,
    /// By this passphrase, which a script gave.
    Given(Passphrase),
}

impl SpendingAnswer {
    /// The passphrase, asked for now if need be.
    pub fn passphrase(self) -> Result<Passphrase, Failure> {
        match self {
            Self::Ask => read(&Source::Terminal, "Spending passphrase: "),
            Self::Given(passphrase) => Ok(passphrase),
        }
    }
}

fn read(source: &Source, prompt: &str) -> Result<Passphrase, Failure> {
    match source {
        Source::Terminal => {
            let mut typed = hidden("the passphrase")?.ask(prompt, Echo::Hidden)?;
            Ok(Passphrase::new(std::mem::take(&mut typed))?)
        }
        Source::File(path) => {
            let failed = |error| Failure::new(Exit::Vault, "passphrase", error);
            let file = open_private(path, OFlags::RDONLY).map_err(failed)?;
            read_from(file, &path.display().to_string())
        }
        Source::Descriptor(number) => {
            let name = format!("file descriptor {number}");
            let file = File::open(Path::new("/proc/self/fd").join(number.to_string()))
                .map_err(|error| Failure::new(Exit::Vault, "passphrase", format!("{name}: {error}")))?;
            read_from(file, &name)
        }
    }
}

/// Reads once, into memory that never has to grow: growing would leave copies behind.
fn read_from(file: File, name: &str) -> Result<Passphrase, Failure> {
    let most = 2 * Passphrase::MAX_BYTES;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * most));
    file.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Exit::Vault, "passphrase", format!("{name}: {error}")))?;
    Ok(Passphrase::from_bytes(std::mem::take(&mut bytes))?)
}

/// Reads at most `most` bytes, into memory that never has to grow.
fn secret_text(file: File, name: &str, most: usize) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::new(Exit::Vault, "backup", format!("{name}: {why}"));
    let mut bytes = Zeroizing::new(Vec::with_capacity(4 * most));
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if read > most {
        return Err(failed(&"too long"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| failed(&"not text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn read_twice(source: &Source, prompt: &str) -> Result<Passphrase, Failure> {
    if *source != Source::Terminal {
        return read(source, prompt);
    }
    let lines = hidden("the passphrase")?;
    let ask = |question| -> Result<Passphrase, Failure> {
        let mut typed = lines.ask(question, Echo::Hidden)?;
        Ok(Passphrase::new(std::mem::take(&mut typed))?)
    };
    let first = ask(prompt)?;
    if first.matches(&ask(ONCE_MORE)?) { Ok(first) } else { Err(differ()) }
}
