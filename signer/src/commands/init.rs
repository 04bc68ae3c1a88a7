//! `init`: a new device. Entropy from the operating system, mnemonic shown once and words of it asked
//! back, roster pinned, journal and refusals begun.
//!
//! What must stay true: nothing is overwritten; a failure anywhere leaves no vault behind; the mnemonic
//! goes to the terminal, to a descriptor, or (said loudly) to nobody.

use super::{Place, cost_asked, now, words};
use crate::args::Init;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::{Home, HomeError};
use crate::journal::Journal;
use crate::keys::Master;
use crate::secret::Entropy;
use crate::vault::{Device, KdfCost, Vault, is_sound};
use airlock_shared::identity::{Custodian, Identity, Roster};
use airlock_shared::{PersonId, Profile};
use serde::Serialize;
use std::fs::File;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    name: String,
    profile: &'static str,
    identity: String,
    vault: String,
    fingerprint: Option<String>,
    threshold: u64,
    roster_digest: Option<String>,
    custodians: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    name: String,
    key: String,
}

/// Makes the device.
pub fn run(place: &Place, args: &Init) -> Result<(), Failure> {
    let name = person(&args.name)?;
    let profile = Profile::from_name(&args.profile)
        .ok_or_else(|| Failure::usage(format!("profile {:?} is not main, test or dev", args.profile)))?;
    let handed_to = words::descriptors(args.mnemonic_fd.as_slice())?.pop();
    let cost = cost_asked(place, &args.kdf, KdfCost::DEFAULT)?;
    let home = Home::create(&place.root)?;
    let _lock = home.lock()?;
    for path in [home.vault(), home.journal(), home.refusals(), home.policy()] {
        if path.exists() {
            return Err(HomeError::Exists { path }.into());
        }
    }
    let mut device = Device::generate(name, profile, now()?)?;
    device.roster = roster(args, &device)?;
    let passphrase = place.console.new_passphrase()?;
    let mut vault = if args.identity_only {
        Vault::create(device, &passphrase, None, cost)?
    } else {
        let own = place.console.new_spending_passphrase()?;
        let entropy = Entropy::generate()?;
        device.fingerprint = Some(Master::from_entropy(&entropy)?.fingerprint());
        hand_over(&place.console, args, handed_to, &entropy)?;
        Vault::create(device, &passphrase, Some((&entropy, own.as_ref().unwrap_or(&passphrase))), cost)?
    };
    // The vault comes last. After a crash before it the journal's file is there and init refuses to run: it
    // cannot know whether a vault belongs to it, so a person takes it away.
    let begun = Journal::begin(&home, vault.device()).map_err(Failure::from).and_then(|anchor| {
        vault.device_mut().journal = anchor;
        vault.store(&home).map_err(Failure::from)
    });
    if let Err(failure) = begun {
        for path in [home.journal(), home.refusals()] {
            let _ = std::fs::remove_file(path);
        }
        return Err(failure);
    }
    answer(place, vault.device())
}

fn person(text: &str) -> Result<PersonId, Failure> {
    PersonId::new(text)
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a name: 1 to 64 of a-z 0-9 . _ @ -")))
}

/// The pinned custodians. A device with spending keys is one of them; an approver's may have none.
fn roster(args: &Init, device: &Device) -> Result<Option<Roster>, Failure> {
    let mut custodians = Vec::new();
    for text in &args.roster {
        let (name, key) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("roster entry {text:?} is not NAME=HEXKEY")))?;
        let identity = Identity::from_hex(key).filter(is_sound).ok_or_else(|| {
            Failure::usage(format!("the key of {name:?} is not an Ed25519 key in lower-case hex"))
        })?;
        custodians.push(Custodian { name: person(name)?, identity });
    }
    if !args.identity_only {
        custodians.push(Custodian { name: device.name.clone(), identity: device.identity() });
    }
    if custodians.is_empty() && args.threshold.is_none() {
        return Ok(None);
    }
    let (count, threshold) = (custodians.len(), args.threshold.unwrap_or(custodians.len() as u64));
    Roster::new(custodians, threshold).map(Some).ok_or_else(|| {
        Failure::usage(format!(
            "{count} custodians with threshold {threshold}: names and keys must be distinct, at most 16, and the threshold within their number"
        ))
    })
}

/// Gives the mnemonic to whoever keeps the backup.
fn hand_over(
    console: &Console,
    args: &Init,
    handed_to: Option<File>,
    entropy: &Entropy,
) -> Result<(), Failure> {
    let mnemonic = bip39::Mnemonic::from_entropy(entropy.as_bytes())
        .map_err(|_| Failure::new(Exit::Vault, "mnemonic", "no mnemonic for this entropy"))?;
    if args.no_mnemonic_display {
        console.note("The mnemonic was shown to nobody: these keys die with this vault.");
        return Ok(());
    }
    let mut list: Vec<&str> = mnemonic.words().collect();
    let handed = match handed_to {
        Some(file) => words::write_to(file, &list),
        None => words::show_and_ask(
            console,
            "These 24 words are the keys. Write them down; they are shown once.",
            &list,
        ),
    };
    // Pointers into the word list are as telling as the words.
    list.fill("");
    handed
}

fn answer(place: &Place, device: &Device) -> Result<(), Failure> {
    let member = |one: &Custodian| Member { name: one.name.to_string(), key: one.identity.to_string() };
    let custodians = device.roster.iter().flat_map(|roster| &roster.custodians).map(member).collect();
    let answer = Answer {
        format: "airlock device",
        version: 1,
        name: device.name.to_string(),
        profile: device.profile.name(),
        identity: device.identity().to_string(),
        vault: hex::encode(device.identity().fingerprint()),
        fingerprint: device.fingerprint.map(hex::encode),
        threshold: device.roster.as_ref().map_or(0, |roster| roster.threshold),
        roster_digest: device.roster.as_ref().map(|roster| roster.digest().to_string()),
        custodians,
    };
    let roster = format!("{} of {} custodians", answer.threshold, answer.custodians.len());
    let text =
        format!("device of {} ({}), {roster}\nidentity {}", answer.name, answer.profile, answer.identity);
    place.console.answer(&answer, text)
}
