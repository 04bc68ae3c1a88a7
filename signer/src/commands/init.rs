//! `init`: a new device. Entropy from the operating system, mnemonic shown once and words of it asked
//! back, roster pinned, journal and refusals begun.
//!
//! What must stay true: nothing is overwritten; a failure anywhere leaves no vault behind; the mnemonic
//! goes to the terminal, to a descriptor, or (said loudly) to nobody.

use super::{Place, now};
use crate::args::Init;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::{Home, HomeError};
use crate::keys::Master;
use crate::records::{Access, Chain, Records};
use crate::secret::{Entropy, fill_random};
use crate::vault::{Custodian, Identity, KdfCost, PublicKey, Roster, Vault};
use airlock_shared::digest::bytes_from_lower_hex;
use airlock_shared::{PersonId, Profile};
use serde::Serialize;
use std::io::Write as _;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    name: String,
    profile: &'static str,
    identity: String,
    fingerprint: Option<String>,
    threshold: u8,
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
    let cost = KdfCost::new(args.kdf_memory_kib, args.kdf_passes)?;
    let home = Home::create(&place.root)?;
    let _lock = home.lock()?;
    for path in [home.vault(), home.journal(), home.refusals(), home.policy()] {
        if path.exists() {
            return Err(HomeError::Exists { path }.into());
        }
    }
    let mut identity = Identity::generate(name, profile, now()?)?;
    identity.roster = roster(args, &identity)?;
    let passphrase = place.console.new_passphrase()?;
    let vault = if args.identity_only {
        Vault::create(identity, &passphrase, None, cost)?
    } else {
        let own = place.console.new_spending_passphrase()?;
        let entropy = Entropy::generate()?;
        identity.fingerprint = Some(Master::from_entropy(&entropy)?.fingerprint());
        hand_over(&place.console, args, &entropy)?;
        Vault::create(identity, &passphrase, Some((&entropy, own.as_ref().unwrap_or(&passphrase))), cost)?
    };
    // The vault comes last: without it the other files are an empty device's, and init may run again.
    let begun = [(home.journal(), Chain::Journal), (home.refusals(), Chain::Refusals)];
    for (path, chain) in &begun {
        Records::open(path, *chain, Access::Append)?;
    }
    if let Err(error) = vault.store(&home) {
        for (path, _) in &begun {
            let _ = std::fs::remove_file(path);
        }
        return Err(error.into());
    }
    answer(place, vault.identity())
}

fn person(text: &str) -> Result<PersonId, Failure> {
    PersonId::new(text)
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a name: 1 to 64 of a-z 0-9 . _ @ -")))
}

/// The pinned custodians. A device with spending keys is one of them.
fn roster(args: &Init, identity: &Identity) -> Result<Roster, Failure> {
    let mut custodians = Vec::new();
    for text in &args.roster {
        let (name, key) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("roster entry {text:?} is not NAME=HEXKEY")))?;
        let key: PublicKey = bytes_from_lower_hex(key)
            .ok_or_else(|| Failure::usage(format!("the key of {name:?} is not 64 lower-case hex digits")))?;
        custodians.push(Custodian { name: person(name)?, key });
    }
    if !args.identity_only {
        custodians.insert(0, Custodian { name: identity.name.clone(), key: identity.public_key() });
    }
    let threshold = args.threshold.unwrap_or(custodians.len() as u8);
    Ok(Roster::new(custodians, threshold)?)
}

/// Gives the mnemonic to whoever keeps the backup.
fn hand_over(console: &Console, args: &Init, entropy: &Entropy) -> Result<(), Failure> {
    let mnemonic = bip39::Mnemonic::from_entropy(entropy.as_bytes())
        .map_err(|_| Failure::new(Exit::Vault, "mnemonic", "no mnemonic for this entropy"))?;
    if args.no_mnemonic_display {
        console.note("The mnemonic was shown to nobody: these keys die with this vault.");
        return Ok(());
    }
    let mut words: Vec<&str> = mnemonic.words().collect();
    let result = match args.mnemonic_fd {
        Some(number) => write_to(number, &words),
        None => show_and_ask(console, &words),
    };
    words.fill("");
    result
}

fn write_to(number: u32, words: &[&str]) -> Result<(), Failure> {
    let text = Zeroizing::new(words.join(" ") + "\n");
    std::fs::OpenOptions::new()
        .append(true)
        .open(format!("/proc/self/fd/{number}"))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::new(Exit::Transfer, "mnemonic", format!("descriptor {number}: {error}")))
}

fn show_and_ask(console: &Console, words: &[&str]) -> Result<(), Failure> {
    if !console.is_interactive() {
        return Err(Failure::usage(
            "the mnemonic needs a terminal, --mnemonic-fd N, or --no-mnemonic-display",
        ));
    }
    console.note("\nThese 24 words are the keys. Write them down; they are shown once.\n");
    for (row, chunk) in words.chunks(4).enumerate() {
        let numbered: Vec<_> =
            (1..).zip(chunk).map(|(n, word)| format!("{:2} {word:<10}", row * 4 + n)).collect();
        console.note(numbered.join("  "));
    }
    console.line("\nPress Enter when they are written down. ")?;
    // Clears the screen and what was scrolled off it.
    console.note("\x1b[2J\x1b[3J\x1b[H");
    for position in three_positions(words.len())? {
        let typed = Zeroizing::new(console.line(&format!("Word {}: ", position + 1))?);
        if typed.trim() != words[position] {
            return Err(Failure::new(Exit::Vault, "mnemonic", "that is not the word; nothing was made"));
        }
    }
    Ok(())
}

fn three_positions(count: usize) -> Result<Vec<usize>, Failure> {
    let mut positions = Vec::new();
    while positions.len() < 3 {
        let mut bytes = [0; 16];
        fill_random(&mut bytes)?;
        let position = usize::from(bytes[0]) % count;
        if !positions.contains(&position) {
            positions.push(position);
        }
    }
    Ok(positions)
}

fn answer(place: &Place, identity: &Identity) -> Result<(), Failure> {
    let member = |one: &Custodian| Member { name: one.name.to_string(), key: hex::encode(one.key) };
    let answer = Answer {
        format: "airlock device",
        version: 1,
        name: identity.name.to_string(),
        profile: identity.profile.name(),
        identity: hex::encode(identity.public_key()),
        fingerprint: identity.fingerprint.map(hex::encode),
        threshold: identity.roster.threshold(),
        custodians: identity.roster.custodians().iter().map(member).collect(),
    };
    let roster = format!("{} of {} custodians", answer.threshold, answer.custodians.len());
    let text =
        format!("device of {} ({}), {roster}\nidentity {}", answer.name, answer.profile, answer.identity);
    place.console.answer(&answer, text)
}
