//! `backup shares` and `backup verify`: the spending keys on paper, and the drill that proves the paper.
//!
//! What must stay true: nothing in the home changes but what goes on record; no word is printed by `verify`, nor by `shares` anywhere
//! but on the terminal that was asked or the descriptors that were named; the sandbox is entered before a key
//! is opened or a word read back.

use super::ceremony::{BeforeGenesis, record};
use super::words::{self, Heading};
use super::{Place, open_spending};
use crate::args::{BackupAction, BesideWords};
use crate::failure::{Exit, Failure};
use crate::keys::Keyring;
use crate::vault::shares::{self, Gathered, Words};
use crate::vault::{Root, Spending, VaultError};
use airlock_shared::journal::Ceremony;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Serialize)]
struct Made {
    format: &'static str,
    version: u8,
    threshold: u8,
    shares: usize,
    identifier: u16,
    fingerprint: String,
}

#[derive(Serialize)]
struct Verified {
    format: &'static str,
    version: u8,
    kind: &'static str,
    given: usize,
    needed: usize,
    restores: bool,
    fingerprint: String,
}

/// Carries out one of the two.
pub fn run(place: &Place, action: &BackupAction) -> Result<(), Failure> {
    match action {
        BackupAction::State { out } => super::state::run(place, out),
        BackupAction::Shares { threshold, of, share_fd } => split(place, *threshold, *of, share_fd),
        BackupAction::Verify { words_file, words_fd, beside } => verify(place, words_file, words_fd, beside),
    }
}

fn split(place: &Place, threshold: u8, count: u8, descriptors: &[u32]) -> Result<(), Failure> {
    if threshold > count {
        return Err(Failure::usage(format!(
            "{threshold} of {count} shares: the threshold is above their number"
        )));
    }
    let scripted = !descriptors.is_empty();
    if scripted && descriptors.len() != usize::from(count) {
        return Err(Failure::usage(format!("{} descriptors for {count} shares", descriptors.len())));
    }
    if !scripted && !place.console.is_interactive() {
        return Err(Failure::usage("there is no terminal to show shares on: give --share-fd for each"));
    }
    let files = words::descriptors(descriptors)?;
    let (home, lock) = place.locked_home()?;
    let (mut vault, answer) = place.locked_spending_vault(&home, &lock)?;
    place.enter_sandbox(&home, None)?;
    let (spending, keyring) = open_spending(&vault, answer)?;
    let made = shares::split(spending.root().secret(), threshold, count)?;
    let identifier = made.first().map_or(0, |share| share.header().identifier);
    // On record before the first share leaves.
    let detail = format!("{count} shares, any {threshold} of them, set {identifier}");
    record(place, &home, &mut vault, (Ceremony::BackupMade, detail), BeforeGenesis::Allow)?;
    vault.store(&home)?;
    let mut files = files.into_iter();
    for (number, share) in (1..).zip(&made) {
        let text = share.words();
        let mut list: Vec<&str> = text.split(' ').collect();
        let title = format!("Share {number} of {count}");
        let any = format!(
            "Any {threshold} of the {count} shares give the keys back; fewer say nothing about them."
        );
        let beside =
            format!("Fingerprint {} (no secret: write it beside them)", hex::encode(keyring.fingerprint()));
        let heading = Heading {
            title: &title,
            advice: &[&any, "This one is for one person alone. Write it by hand; it is shown this once."],
            beside: &beside,
        };
        let handed = match files.next() {
            Some(file) => words::write_to(file, &list),
            None => words::show_and_ask(place, &heading, &list),
        };
        list.fill("");
        if handed.is_err() {
            let why = "The splitting ends here. Shares of it that are written already still count together: destroy them.";
            place.console.note(why);
        }
        handed?;
    }
    let answer = Made {
        format: "airlock shares",
        version: 1,
        threshold,
        shares: made.len(),
        identifier,
        fingerprint: hex::encode(keyring.fingerprint()),
    };
    let mut text = format!(
        "{count} shares made of the keys {}; any {threshold} give them back. Prove it: `backup verify`.\n\
         Shares of an earlier splitting do not mix with these, but still give the keys among themselves.",
        answer.fingerprint
    );
    text += &beyond_the_seed(&spending);
    place.console.answer(&answer, text)
}

/// What shares do not hold.
fn beyond_the_seed(spending: &Spending) -> String {
    let root = match spending.root() {
        Root::Mnemonic { passphrase, .. } if passphrase.is_empty() => "",
        Root::Mnemonic { .. } => {
            "\nThe BIP-39 passphrase is in none of them: without it they give other keys."
        }
        Root::Slip39 { .. } => {
            "\nThey hold a seed without a mnemonic: `restore` takes them with --slip39-seed, else they give other keys."
        }
    };
    let imported = match spending.imported() {
        [] => "",
        _ => "\nImported keys are in none of them: keep their own backups.",
    };
    format!("{root}{imported}")
}

fn verify(
    place: &Place,
    files: &[PathBuf],
    descriptors: &[u32],
    beside: &BesideWords,
) -> Result<(), Failure> {
    let mut gathered = Gathered::default();
    for number in descriptors {
        gathered.add(&place.console.words_from_descriptor(*number)?)?;
    }
    let beside = words::Beside::read(place, beside)?;
    let home = place.home()?;
    let vault = place.drilled_vault(&home)?;
    let expected = vault.device().seed_digest.ok_or(VaultError::NoSpending)?;
    for path in files {
        gathered.add(&place.console.words_from_file(path)?)?;
    }
    place.enter_sandbox(&home, None)?;
    if files.is_empty() && descriptors.is_empty() {
        gathered = words::typed(place)?;
    }
    let plain = !beside.has_bip39() && !beside.is_seed();
    let (root, kind) = beside.open(gathered)?;
    let keyring = Keyring::of_root(&root)?;
    // All 256 bits: a fingerprint of 32 alone could be met on purpose.
    if keyring.seed_digest() != expected {
        let expected = vault.device().fingerprint.map(hex::encode).unwrap_or_default();
        let found = hex::encode(keyring.fingerprint());
        let advice = match kind {
            _ if !plain => "",
            Words::Mnemonic => "; if a passphrase was set beside them, give --bip39-passphrase",
            Words::Shares { .. } => {
                "; if a passphrase was set beside them, give --bip39-passphrase or --slip39-passphrase; if they \
                 hold a seed without a mnemonic, --slip39-seed"
            }
        };
        let why = format!(
            "these words are whole, but give the keys {found}, and this vault holds {expected}{advice}"
        );
        return Err(Failure::new(Exit::Vault, "backup_of_another_vault", why));
    }
    let (kind, given, needed) = match kind {
        Words::Mnemonic => ("mnemonic", 1, 1),
        Words::Shares { given, needed } => ("shares", given, needed),
    };
    let fingerprint = hex::encode(keyring.fingerprint());
    let text = match kind {
        "mnemonic" => format!("These words give back the keys of this vault ({fingerprint})."),
        _ => format!(
            "These {given} shares give back the keys of this vault ({fingerprint}); {needed} are enough."
        ),
    };
    let answer = Verified {
        format: "airlock backup drill",
        version: 1,
        kind,
        given,
        needed,
        restores: true,
        fingerprint,
    };
    place.console.answer(&answer, text)
}
