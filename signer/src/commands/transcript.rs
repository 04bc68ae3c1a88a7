//! The transcript of a ceremony: what happened, on what machine, with what program, for two people to sign.
//!
//! Written by `init` and `restore`. What must stay true: no secret is in it (no word, no throw, no passphrase, not
//! even which words were asked back); lines are printable ASCII, so that it reads the same everywhere; the digest
//! covers every line above it and can be recomputed with `sha256sum`; nothing is overwritten.

use super::founding::{FirstAddress, Founded};
use crate::failure::{Exit, Failure, plain};
use crate::machine::Machine;
use crate::review::utc;
use crate::vault::Device;
use airlock_shared::Family;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What this machine and program are, read before the sandbox hides it.
pub struct Facts {
    program_sha256: Option<String>,
    lines: Vec<(&'static str, String)>,
}

impl Facts {
    /// Reads them; what cannot be read is said to be unknown.
    pub fn read(root: &Path) -> Self {
        let text = |path: &str| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let cpu = text("proc/cpuinfo").and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
            line.trim_start().strip_prefix(':').map(|name| name.trim().to_owned())
        });
        let Machine { swaps, interfaces, memory_available_kib, .. } = Machine::read(root);
        let known = |found: Option<String>| found.unwrap_or_else(|| "unknown".to_owned());
        let named = |found: Option<Vec<String>>| match found {
            Some(names) if names.is_empty() => "none".to_owned(),
            Some(names) => names.join(", "),
            None => "unknown".to_owned(),
        };
        let up = interfaces.map(|all| all.into_iter().filter(|one| one.up).map(|one| one.name).collect());
        let lines = vec![
            ("host", known(text("proc/sys/kernel/hostname"))),
            ("kernel", known(text("proc/sys/kernel/osrelease"))),
            ("processor", known(cpu)),
            ("boot", known(text("proc/sys/kernel/random/boot_id"))),
            ("memory", known(memory_available_kib.map(|kib| format!("{kib} KiB available")))),
            ("swap", named(swaps)),
            ("network up", named(up)),
        ];
        let program = std::fs::read(root.join("proc/self/exe")).ok();
        Self { program_sha256: program.map(|bytes| hex::encode(Sha256::digest(&bytes))), lines }
    }
}

/// What a ceremony adds to the facts of its founding.
pub struct Ceremony<'a> {
    /// `init` or `restore`.
    pub command: &'static str,
    /// When it was finished, UTC seconds.
    pub finished_at: u64,
    /// The new device.
    pub device: &'a Device,
    /// Where the entropy came from.
    pub sources: Vec<String>,
    /// What was checked, and how it ended.
    pub checked: Vec<String>,
    /// The first addresses.
    pub addresses: &'a [FirstAddress],
}

/// Writes it, if one was asked for.
pub fn write(founded: &Founded, ceremony: &Ceremony<'_>) -> Result<(), Failure> {
    match founded.transcript() {
        Some(path) => put(path, &text(founded, ceremony)),
        None => Ok(()),
    }
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(
        |error| {
            let why = format!("the vault is made, its transcript is not: {}: {error}", path.display());
            Failure::new(Exit::Transfer, "transcript", why)
        },
    )
}

fn text(founded: &Founded, ceremony: &Ceremony<'_>) -> String {
    let mut page = Page(String::new());
    let device = ceremony.device;
    page.title(&format!("AIRLOCK CEREMONY TRANSCRIPT: {}", ceremony.command.to_uppercase()));
    page.line("This page holds no secret.");
    page.section("When");
    page.field("begun", &utc(device.created_at));
    page.field("finished", &utc(ceremony.finished_at));
    page.section("Device");
    page.field("name", device.name.as_str());
    page.field("profile", device.profile.name());
    page.field("identity", &device.identity().to_string());
    page.field("vault", &hex::encode(device.identity().fingerprint()));
    if let Some(fingerprint) = device.fingerprint {
        page.field("seed", &format!("fingerprint {} (BIP-32)", hex::encode(fingerprint)));
    }
    page.section("Program");
    page.field("version", &format!("airlock-signer {}", env!("CARGO_PKG_VERSION")));
    page.field("SHA-256", founded.facts.program_sha256.as_deref().unwrap_or("could not be read"));
    page.field("passphrase", &format!("Argon2id, {}", founded.cost));
    page.section("Machine");
    for (name, value) in &founded.facts.lines {
        page.field(name, value);
    }
    if let Some(interfaces) = &founded.interfaces {
        page.field("ACCEPTED", &format!("network interfaces up: {interfaces}"));
    }
    page.section("Where the keys come from");
    ceremony.sources.iter().for_each(|source| page.point(source));
    page.section("First addresses");
    if ceremony.addresses.iter().any(|one| one.network.family() == Family::Evm) {
        page.line("The EVM networks of this profile share theirs.");
    }
    for one in ceremony.addresses {
        page.line(&format!("{:<8} {:<22} {}", one.role, one.path, one.network));
        page.line(&format!("         {}", one.address));
    }
    page.section("Custodians");
    if let Some(roster) = &device.roster {
        page.line(&format!("{} of {} must sign policies.", roster.threshold, roster.custodians.len()));
        for one in &roster.custodians {
            page.line(&format!("{:<12} {}", one.name.as_str(), one.identity));
        }
        page.field("digest", &roster.digest().to_string());
    }
    page.section("Checked");
    ceremony.checked.iter().for_each(|check| page.point(check));
    let digest = hex::encode(Sha256::digest(page.0.as_bytes()));
    page.0
        + "\nSHA-256 of every line above this one (the empty one before it not counted):\n  "
        + &digest
        + "\n\nWe were there, and it was as this page says.\n"
        + &SIGNATURE.repeat(2)
}

const SIGNATURE: &str =
    "\n\n  name ____________________  date ____________  signature ____________________\n";

struct Page(String);

impl Page {
    fn title(&mut self, text: &str) {
        self.line(text);
        self.line(&"=".repeat(text.len()));
    }

    fn section(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text);
        self.line(&"-".repeat(text.len()));
    }

    fn field(&mut self, name: &str, value: &str) {
        self.line(&format!("{name:<12} {value}"));
    }

    /// A sentence, in lines of at most 76 characters.
    fn point(&mut self, text: &str) {
        let mut line = "-".to_owned();
        for word in text.split(' ') {
            if line.len() + 1 + word.len() > 76 {
                self.line(&line);
                line = " ".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(&plain(text));
        self.0.push('\n');
    }
}
