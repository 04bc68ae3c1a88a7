//! `backup shares` and `backup verify`: the spending keys on paper, and the drill that proves the paper.
//!
//! What must stay true: nothing in the home changes; no word is printed by `verify`, nor by `shares` anywhere
//! but on the terminal that was asked or the descriptors that were named; the sandbox is entered before a key
//! is opened or a word read back.

use super::{Place, open_entropy, words};
use crate::args::BackupAction;
use crate::failure::{Exit, Failure};
use crate::keys::Master;
use crate::vault::VaultError;
use crate::vault::shares::{self, BackupError, Words};
use serde::Serialize;
use std::path::PathBuf;
use zeroize::Zeroizing;

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
        BackupAction::Shares { threshold, of, share_fd } => split(place, *threshold, *of, share_fd),
        BackupAction::Verify { words_file, words_fd } => verify(place, words_file, words_fd),
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
    let (vault, answer) = place.locked_spending_vault(&home, &lock)?;
    place.enter_sandbox(&home, None)?;
    let (entropy, master) = open_entropy(&vault, answer)?;
    let made = shares::split(&entropy, threshold, count)?;
    let mut files = files.into_iter();
    for (number, share) in (1..).zip(&made) {
        let text = share.words();
        let mut list: Vec<&str> = text.split(' ').collect();
        let heading = format!(
            "Share {number} of {count}. Any {threshold} of them give the keys back. It is for one person alone; shown once."
        );
        let handed = match files.next() {
            Some(file) => words::write_to(file, &list),
            None => words::show_and_ask(&place.console, &heading, &list),
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
        identifier: made.first().map_or(0, |share| share.header().identifier),
        fingerprint: hex::encode(master.fingerprint()),
    };
    let text = format!(
        "{count} shares made of the keys {}; any {threshold} give them back. Prove it: `backup verify`.\n\
         Shares of an earlier splitting do not mix with these, but still give the keys among themselves.",
        answer.fingerprint
    );
    place.console.answer(&answer, text)
}

fn verify(place: &Place, files: &[PathBuf], descriptors: &[u32]) -> Result<(), Failure> {
    let home = place.home()?;
    let vault = place.vault(&home)?;
    let expected = vault.device().fingerprint.ok_or(VaultError::NoSpending)?;
    let mut texts = Vec::new();
    for path in files {
        texts.push(place.console.words_from_file(path)?);
    }
    for number in descriptors {
        texts.push(place.console.words_from_descriptor(*number)?);
    }
    place.enter_sandbox(&home, None)?;
    if texts.is_empty() {
        texts = typed(place)?;
    }
    let (entropy, kind) = shares::restore(&texts)?;
    let found = Master::from_entropy(&entropy)?.fingerprint();
    if found != expected {
        let (found, expected) = (hex::encode(found), hex::encode(expected));
        let why =
            format!("these words are whole, but give the keys {found}, and this vault holds {expected}");
        return Err(Failure::new(Exit::Vault, "backup_of_another_vault", why));
    }
    let (kind, given, needed) = match kind {
        Words::Mnemonic => ("mnemonic", 1, 1),
        Words::Shares { given, needed } => ("shares", given, usize::from(needed)),
    };
    let fingerprint = hex::encode(found);
    let text = match kind {
        "mnemonic" => format!("These 24 words give back the keys of this vault ({fingerprint})."),
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

/// Asks for a mnemonic, or for a share and then as many more as it says; each may be mistyped twice.
fn typed(place: &Place) -> Result<Vec<Zeroizing<String>>, Failure> {
    let mut texts = Vec::new();
    let mut needed = 1;
    while texts.len() < needed {
        let prompt = match texts.len() {
            0 => "The 24 words, or one share (not shown): ".to_owned(),
            given => format!("Share {} of {needed} (not shown): ", given + 1),
        };
        let mut tries_left = 3;
        let (text, kind) = loop {
            let text = place.console.hidden_words(&prompt)?;
            tries_left -= 1;
            match shares::recognise(&text) {
                Ok(kind) => break (text, kind),
                Err(error) if tries_left == 0 => return Err(error.into()),
                Err(error) => place.console.note(format_args!("{error}; once more")),
            }
        };
        if let (Words::Shares { needed: all, .. }, true) = (kind, texts.is_empty()) {
            needed = usize::from(all);
        }
        texts.push(text);
    }
    Ok(texts)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let code = if matches!(error, BackupError::Random(_)) { "random_source" } else { "backup" };
        Self::new(Exit::Vault, code, error)
    }
}
