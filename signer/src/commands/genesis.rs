//! `genesis propose`, `sign` and `install`: custodians let a journal begin or go on (K2, S8).
//!
//! What must stay true: whoever signs has read in words what will count as signed; foreign files are read
//! before the sandbox is entered and decoded inside it; only `install` changes the home.

use super::policy::replace;
use super::{Place, now};
use crate::args::GenesisAction;
use crate::failure::{Exit, Failure};
use crate::genesis::{self, CeremonyError, Gathered};
use crate::home::{Home, HomeError};
use crate::journal::{Journal, JournalError};
use crate::qr::{Document as File, Inputs};
use crate::records::{Access, RecordsError};
use crate::review::{eight_words, utc};
use crate::state::Copy;
use crate::vault::{Device, Vault};
use airlock_shared::approval::SeenHead;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::SignedBatch;
use airlock_shared::form::MAX_JSON_BYTES;
use airlock_shared::genesis::{Genesis, Reason, SignedGenesis, Spent};
use airlock_shared::words;
use serde::Serialize;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    reason: &'static str,
    signer: String,
    continues: Option<u64>,
    highest_item: u64,
    digest: String,
    words: String,
    signatures: Vec<String>,
    changed: bool,
}

/// Carries out one of the three.
pub fn run(place: &Place, action: &GenesisAction) -> Result<(), Failure> {
    match action {
        GenesisAction::Propose { state, batches, highest_item, out } => {
            propose(place, state, batches, *highest_item, out)
        }
        GenesisAction::Sign { file, out, confirm } => {
            sign(place, file, out.as_deref().unwrap_or(file), confirm.as_deref())
        }
        GenesisAction::Install { file } => install(place, file),
    }
}

fn propose(
    place: &Place,
    states: &[PathBuf],
    batches: &[PathBuf],
    highest_item: u64,
    out: &Path,
) -> Result<(), Failure> {
    let home = place.home()?;
    let copies = states.iter().map(|folder| Copy::read(folder)).collect::<Result<Vec<_>, _>>()?;
    let files = if batches.is_empty() { None } else { Some(Inputs::open_files(batches)?) };
    let failed = |error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", out.display()));
    let vault = place.vault(&home)?;
    let mut file = new_file(out).map_err(failed)?;
    place.enter_sandbox(&home, None)?;
    let mut gathered = own(place, &home, &vault)?;
    for copy in &copies {
        place.console.note(copy.verify()?);
        gathered.journal(&copy.journal()?)?;
    }
    for file in files.map(Inputs::documents).transpose()?.unwrap_or_default() {
        gathered.batch(&file.origin, &signed_batch(&file)?)?;
    }
    gathered.raise_item(highest_item);
    if let Some(lock) = &vault.device().lock
        && !gathered.claimed(lock.claimed)
    {
        place.console.note(format_args!(
            "ATTENTION    the coordinator's entry {} is left out: no journal is that long. Mistrust that coordinator.",
            lock.claimed.sequence
        ));
    }
    let genesis = gathered.propose(vault.device(), now()?)?;
    let signed = SignedGenesis { genesis, signatures: Vec::new() };
    place.console.note(in_words(&signed.genesis));
    file.write_all(signed.to_json().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    answer(place, &signed, true)
}

/// A new file, or the empty one that an attempt before this one left behind.
fn new_file(out: &Path) -> std::io::Result<std::fs::File> {
    let is_empty = std::fs::symlink_metadata(out).is_ok_and(|found| found.is_file() && found.len() == 0);
    if is_empty { std::fs::File::options().write(true).open(out) } else { std::fs::File::create_new(out) }
}

/// What this home itself still knows.
fn own(place: &Place, home: &Home, vault: &Vault) -> Result<Gathered, Failure> {
    let (mut gathered, device) = (Gathered::default(), vault.device());
    match Journal::open_unanchored(home, device, Access::Read) {
        Ok(journal) => gathered.journal(&journal)?,
        // A restored vault has none yet, and says nothing of it.
        Err(JournalError::File(RecordsError::File(HomeError::Io { source, .. })))
            if device.journal.sequence == 0 && source.kind() == std::io::ErrorKind::NotFound => {}
        Err(JournalError::File(error)) => {
            place.console.note(format_args!("ATTENTION    this home's own journal is left out: {error}"));
        }
        Err(error) => return Err(error.into()),
    }
    let anchor = device.journal;
    if anchor.sequence > 0 {
        let (sequence, head) = (anchor.sequence, anchor.head);
        gathered.head(SeenHead { signer: device.identity(), sequence, head });
    }
    Ok(gathered)
}

fn signed_batch(file: &File) -> Result<SignedBatch, Failure> {
    document::read(&file.bytes)
        .map_err(|error| Failure::new(Exit::Transfer, "document", format!("{}: {error}", file.origin)))
}

fn sign(place: &Place, file: &Path, out: &Path, confirm: Option<&str>) -> Result<(), Failure> {
    let mut signed = read(file)?;
    let vault = place.vault(&place.home()?)?;
    let digest = signed.genesis.digest();
    place.console.note(in_words(&signed.genesis));
    place.console.note(eight_words(&digest));
    place.console.confirm(confirm, &digest)?;
    genesis::sign(vault.device(), &mut signed)?;
    replace(out, signed.to_json().as_bytes())
        .map_err(|error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", out.display())))?;
    answer(place, &signed, true)
}

fn install(place: &Place, file: &Path) -> Result<(), Failure> {
    let (home, lock) = place.locked_home()?;
    let signed = read(file)?;
    let mut vault = place.vault(&home)?;
    place.console.note(in_words(&signed.genesis));
    let changed = genesis::install(&home, &lock, &mut vault, signed.clone(), now()?)?;
    if !has_policy(vault.device()) {
        place.console.note("No policy is in force: nothing is signed until one is installed.");
    }
    answer(place, &signed, changed)
}

const fn has_policy(device: &Device) -> bool {
    device.policy.is_some()
}

fn read(file: &Path) -> Result<SignedGenesis, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Transfer, "input", format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(MAX_JSON_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    document::read(&bytes).map_err(|error| Failure::new(Exit::Transfer, "document", error))
}

/// Everything that the terms say.
fn in_words(genesis: &Genesis) -> String {
    let mut lines = vec![match genesis.reason {
        Reason::Restored => "The journal of a restored signer begins.".to_owned(),
        Reason::Reanchored => "The journal of a signer goes on from a head that it did not hold.".to_owned(),
    }];
    lines.push(format!("signer       {} ({})", genesis.signer, genesis.profile.name()));
    lines.push(format!("made         {}", utc(genesis.made_at)));
    lines.push(match &genesis.continues {
        Some(head) => format!("continues    entry {} of {}, head {}", head.sequence, head.signer, head.head),
        None => "continues    nothing: nobody holds a head of it".to_owned(),
    });
    lines.push(format!("items        all up to {} count as signed", genesis.highest_item));
    let nonce = |of: &airlock_shared::genesis::AccountNonce| {
        format!("nonces       of {} on {}: all up to {}", of.account, of.account.network(), of.highest)
    };
    lines.extend(genesis.nonces.iter().map(nonce));
    lines.push(match &genesis.policy {
        Some(policy) => {
            format!("policy       version {} ({}), or a later one", policy.version, policy.digest)
        }
        None => "policy       nobody knows of any that was in force".to_owned(),
    });
    if genesis.spent.is_empty() {
        lines.push("spent        nothing counts in the rolling day".to_owned());
    }
    lines.extend(genesis.spent.iter().map(spent));
    lines.join("\n")
}

fn spent(spent: &Spent) -> String {
    let asset = spent.contract.map_or("of the native coin".to_owned(), |contract| format!("of {contract}"));
    format!("spent        {} base units {asset} on {}, {}", spent.amount, spent.network, utc(spent.time))
}

fn answer(place: &Place, signed: &SignedGenesis, changed: bool) -> Result<(), Failure> {
    let (genesis, digest) = (&signed.genesis, signed.genesis.digest());
    let answer = Answer {
        format: "airlock genesis state",
        version: 1,
        reason: genesis.reason.word(),
        signer: genesis.signer.to_string(),
        continues: genesis.continues.map(|head| head.sequence),
        highest_item: genesis.highest_item,
        digest: digest.to_string(),
        words: words::words(&digest),
        signatures: signed.signatures.iter().map(|given| given.custodian.to_string()).collect(),
        changed,
    };
    let text = format!(
        "genesis ({}): signatures {}\ndigest {}\n{}",
        answer.reason,
        answer.signatures.len(),
        answer.digest,
        answer.words
    );
    place.console.answer(&answer, text)
}

impl From<CeremonyError> for Failure {
    fn from(error: CeremonyError) -> Self {
        let refused = |code: &str, error: &CeremonyError| Self::new(Exit::Refused, code, error);
        match error {
            CeremonyError::Journal(error) => error.into(),
            CeremonyError::Vault(error) => error.into(),
            CeremonyError::Clock { .. } => Self::new(Exit::State, "clock", error),
            CeremonyError::File { .. } => Self::new(Exit::Transfer, "document", error),
            CeremonyError::Terms(_) => refused("genesis.terms", &error),
            CeremonyError::NoRoster | CeremonyError::NotACustodian => refused("genesis.custodian", &error),
            CeremonyError::HasBegun { .. } => refused("genesis.has_begun", &error),
            CeremonyError::GoesBack { .. } => refused("genesis.goes_back", &error),
            CeremonyError::TooFarAhead { .. } => refused("genesis.too_far_ahead", &error),
            CeremonyError::Stale { .. } => refused("genesis.stale", &error),
            CeremonyError::Before { .. } => refused("genesis.before", &error),
            CeremonyError::Overflow => refused("genesis.overflow", &error),
        }
    }
}
