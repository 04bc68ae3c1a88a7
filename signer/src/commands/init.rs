//! `init`: a new device. Entropy from the operating system, tested, with dice or coins mixed in where people throw
//! them; mnemonic shown once and words of it asked back; roster pinned; journal and refusals begun.
//!
//! What must stay true: nothing is overwritten; a failure anywhere leaves no vault behind; the mnemonic
//! goes to the terminal, to a descriptor, or (said loudly) to nobody; keys are made inside the sandbox.

use super::founding::{self, Answer, Founded, Holds, first_addresses};
use super::transcript::{self, Ceremony};
use super::unsealing::journal_override;
use super::words::{self, Heading};
use super::{Place, now};
use crate::args::Init;
use crate::entropy::{self, Kind, SAMPLE_BYTES, Throws, ThrowsError};
use crate::failure::{Exit, Failure};
use crate::journal::Journal;
use crate::keys::Keyring;
use crate::secret::Bip39Passphrase;
use crate::stage::{Echo, Stage};
use crate::vault::{Root, Spending, Vault};
use std::fs::File;
use zeroize::Zeroizing;

/// What went into the keys, and who has their words.
struct Born {
    spending: Spending,
    sources: Vec<String>,
    handed: &'static str,
}

/// Makes the device.
pub fn run(place: &Place, args: &Init) -> Result<(), Failure> {
    // Before anything else is opened, so that every number is the caller's.
    let handed_to = words::descriptors(args.mnemonic_fd.as_slice())?.pop();
    let given = given_throws(place, args)?;
    let holds = if args.identity_only { Holds::IdentityOnly } else { Holds::SpendingKeys };
    let shown = holds == Holds::SpendingKeys && handed_to.is_none() && !args.no_mnemonic_display;
    if shown || args.dice || args.coins {
        words::need_a_terminal(place)?;
    }
    let mut founded = founding::begin(place, &args.founding, holds)?;
    let born = match holds {
        Holds::IdentityOnly => None,
        Holds::SpendingKeys => Some(birth(place, args, given, handed_to)?),
    };
    let mut vault = founded.seal(born.as_ref().map(|born| &born.spending))?;
    founded.or_nothing(write(&founded, &mut vault))?;
    put_on_paper(&founded, &vault, born)?;
    let answer = Answer::of(vault.device());
    let text = answer.text();
    place.console.answer(&answer, text)
}

/// Journal first, vault last. After a crash between them the journal's file is there and init refuses to run: it
/// cannot know whether a vault belongs to it, so a person takes it away.
fn write(founded: &Founded, vault: &mut Vault) -> Result<(), Failure> {
    vault.device_mut().journal = Journal::begin(&founded.home, vault.device())?;
    if let Some(interfaces) = &founded.interfaces {
        journal_override(&founded.home, vault, interfaces)?;
    }
    founded.store(vault)
}

/// Thrice as many characters as throws are read.
const MAX_THROWS_BYTES: usize = 6_144;

/// Throws from a descriptor, read while descriptors are still there.
fn given_throws(place: &Place, args: &Init) -> Result<Option<Throws>, Failure> {
    let (kind, number) = match (args.dice_fd, args.coins_fd) {
        (Some(number), _) => (Kind::Dice, number),
        (None, Some(number)) => (Kind::Coins, number),
        (None, None) => return Ok(None),
    };
    let text = place.console.secret_from_descriptor(number, MAX_THROWS_BYTES)?;
    Ok(Some(Throws::read(kind, &text)?))
}

fn birth(
    place: &Place,
    args: &Init,
    given: Option<Throws>,
    handed_to: Option<File>,
) -> Result<Born, Failure> {
    let thrown = match (given, args.dice, args.coins) {
        (Some(given), ..) => Some(given),
        (None, true, _) => Some(typed_throws(Kind::Dice)?),
        (None, _, true) => Some(typed_throws(Kind::Coins)?),
        (None, false, false) => None,
    };
    let entropy = entropy::birth(&mut entropy::operating_system, thrown.as_ref())?;
    let mut sources = vec![format!(
        "operating system (getrandom); {SAMPLE_BYTES} bytes of it passed the health tests of NIST SP 800-90B \
         4.4 (repetition count, adaptive proportion), and no 16 bytes came twice"
    )];
    if let Some(thrown) = &thrown {
        let (count, kind) = (thrown.count(), thrown.kind().name());
        sources
            .push(format!("{count} throws of {kind}, mixed in by HKDF-SHA256; either source alone suffices"));
    }
    let root = Root::mnemonic(entropy, Bip39Passphrase::none());
    let handed = hand_over(place, args, handed_to, &root)?;
    Ok(Born { spending: Spending::new(root), sources, handed })
}

/// Throws typed on a screen that is cleared afterwards; several lines, an empty one ends them.
fn typed_throws(kind: Kind) -> Result<Throws, Failure> {
    let stage = Stage::enter()?;
    let (name, needed) = (kind.name(), kind.needed());
    let sides = match kind {
        Kind::Dice => "the digits 1 to 6",
        Kind::Coins => "h for heads and t for tails",
    };
    let mut why = None::<ThrowsError>;
    loop {
        stage.clear()?;
        stage.write(&format!(
            "\x1b[1m  Your {name}\x1b[0m\n\n  At least {needed} throws, typed as {sides}. Spaces and lines are free.\n  \
             An empty line ends. They are mixed with this machine's own randomness.\n\n"
        ))?;
        if let Some(why) = why {
            stage.write(&format!("  Not taken: {why}.\n  Begin again.\n\n"))?;
        }
        // More lines than anyone types are cut off by the judge, never by a growing buffer.
        let mut text = Zeroizing::new(String::with_capacity(64 * 1_024));
        loop {
            let count = text.chars().filter(|c| c.is_ascii_alphanumeric()).count();
            let line = stage.ask(&format!("  {count:>4} > "), Echo::Seen)?;
            if line.trim().is_empty() || text.len() + line.len() + 1 > text.capacity() {
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        match Throws::read(kind, &text) {
            Ok(throws) => return Ok(throws),
            Err(error) => why = Some(error),
        }
    }
}

/// Gives the mnemonic to whoever keeps the backup.
fn hand_over(
    place: &Place,
    args: &Init,
    handed_to: Option<File>,
    root: &Root,
) -> Result<&'static str, Failure> {
    if args.no_mnemonic_display {
        place.console.note("The mnemonic was shown to nobody: these keys die with this vault.");
        return Ok("the mnemonic was shown to NOBODY: these keys die with this vault");
    }
    let mnemonic = bip39::Mnemonic::from_entropy(root.secret().as_bytes())
        .map_err(|_| Failure::new(Exit::Vault, "mnemonic", "no mnemonic for this entropy"))?;
    let mut list: Vec<&str> = mnemonic.words().collect();
    let handed = match handed_to {
        Some(file) => {
            words::write_to(file, &list).map(|()| "the mnemonic was written to a descriptor, not shown")
        }
        None => {
            let fingerprint = Keyring::of_root(root)?.fingerprint();
            let beside =
                format!("Fingerprint {} (no secret: write it beside them)", hex::encode(fingerprint));
            let heading = Heading {
                title: "The 24 words of this vault",
                advice: &[
                    "Write them on paper, by hand, in this order. They are shown this once.",
                    "Whoever reads them has every key: no photo, no printer, no other machine.",
                ],
                beside: &beside,
            };
            words::show_and_ask(place, &heading, &list)
                .map(|()| "the mnemonic was shown once; four of its words, drawn at random, were typed again rightly")
        }
    };
    // Pointers into the word list are as telling as the words.
    list.fill("");
    handed
}

fn put_on_paper(founded: &Founded, vault: &Vault, born: Option<Born>) -> Result<(), Failure> {
    if founded.transcript().is_none() {
        return Ok(());
    }
    let device = vault.device();
    let mut checked = Vec::new();
    let mut addresses = Vec::new();
    let mut sources = vec!["identity key: operating system (getrandom)".to_owned()];
    if let Some(born) = born {
        addresses = first_addresses(&Keyring::open(&born.spending)?, device.profile)?;
        sources.extend(born.sources);
        checked.push(born.handed.to_owned());
    }
    checked.push("the vault was sealed, opened again with its passphrases, and then stored".to_owned());
    checked.push(format!(
        "the journal was begun: entry {}, head {}",
        device.journal.sequence, device.journal.head
    ));
    let finished_at = now()?;
    let command = "init";
    transcript::write(
        founded,
        &Ceremony { command, finished_at, device, sources, checked, addresses: &addresses },
    )
}

impl From<ThrowsError> for Failure {
    fn from(error: ThrowsError) -> Self {
        Self::new(Exit::Refused, "throws", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::power;

    #[test]
    fn an_error_at_any_step_leaves_an_empty_home_and_a_new_beginning_works() {
        let mut cuts = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let mut founded = Founded::in_empty_home(&folder.path().join("home"));
            let mut vault = founded.seal(None).unwrap();
            let done = power::cut_at(cuts, || founded.or_nothing(write(&founded, &mut vault)));
            let left = || std::fs::read_dir(founded.home.root()).unwrap().count();
            if done.is_ok() {
                // Vault, journal, refusals, lock.
                assert_eq!(left(), 4);
                break;
            }
            assert_eq!(left(), 1, "cut at step {cuts}: more than the lock is left");
            write(&founded, &mut vault).unwrap();
            Vault::load(&founded.home, &founded.passphrase).unwrap();
            cuts += 1;
        }
        assert_eq!(cuts, 6);
    }
}
