//! `passphrase change`: the vault sealed again under new passphrases, a dearer key derivation, or both.
//!
//! What must stay true: the old passphrases open first; guessing never becomes cheaper; the new bytes are
//! opened before they replace the old ones, in one atomic step; nothing of roster, pairings, policy or
//! journal changes. A scripted change never merges two passphrases into one unasked.

use super::ceremony::{BeforeGenesis, record};
use super::{Place, cost_asked};
use crate::args::{PassphraseAction, PassphraseChange};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::{Home, Lock};
use crate::secret::Passphrase;
use crate::vault::{KdfCost, Vault, VaultError};
use airlock_shared::journal::Ceremony;
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Sealing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spending: Option<Sealing>,
}

#[derive(Serialize)]
struct Sealing {
    memory_kib: u32,
    passes: u32,
}

/// The passphrases that replace the present ones; `None` where one stays.
struct New {
    identity: Option<Passphrase>,
    spending: Option<Passphrase>,
}

/// A vault under change, and what opens it now.
struct Change {
    home: Home,
    vault: Vault,
    identity: Passphrase,
    _lock: Lock,
}

/// Carries it out.
pub fn run(place: &Place, action: &PassphraseAction) -> Result<(), Failure> {
    let PassphraseAction::Change(args) = action;
    let (home, lock) = place.locked_home()?;
    let identity = place.console.passphrase()?;
    let mut vault = Vault::load(&home, &identity)?;
    let spending = args.compartment != crate::args::Compartments::Identity && vault.can_spend();
    if !args.compartment.identity() && !spending {
        return Err(VaultError::NoSpending.into());
    }
    if spending {
        place.may_unseal(&home, &mut vault, &lock)?;
    }
    let old_spending = if spending { Some(spending_now(&place.console, &identity)?) } else { None };
    let new = if args.keep {
        New { identity: None, spending: None }
    } else {
        asked(&place.console, args, &identity, old_spending.as_ref())?
    };
    // Measured before the sandbox, which hides how much memory is free.
    let cost = cost_from_now_on(place, args, &vault, spending)?;
    place.enter_sandbox(&home, None)?;
    let change = Change { home, vault, identity, _lock: lock };
    let answer = change.carry_out(place, args, cost, old_spending, &new)?;
    let line = |(name, sealing): (&str, &Option<Sealing>)| {
        let Sealing { memory_kib, passes } = sealing.as_ref()?;
        let work = if *passes == 1 { "pass" } else { "passes" };
        Some(format!("{name} compartment sealed again: {memory_kib} KiB in {passes} {work}\n"))
    };
    let lines: String = [("identity", &answer.identity), ("spending", &answer.spending)]
        .into_iter()
        .filter_map(line)
        .collect();
    let text = lines + "Copies of the old vault file still open with the old passphrases: destroy them.";
    place.console.answer(&answer, text)
}

/// What opens the spending compartment now. A person may answer that it is the passphrase just typed.
fn spending_now(console: &Console, identity: &Passphrase) -> Result<Passphrase, Failure> {
    console.spending_answer(identity.again())?.passphrase()
}

/// Reads the replacements while files and descriptors are still open to this process.
fn asked(
    console: &Console,
    args: &PassphraseChange,
    old: &Passphrase,
    old_spending: Option<&Passphrase>,
) -> Result<New, Failure> {
    let spending = old_spending.is_some();
    let (file, descriptor) = (args.new_passphrase_file.as_deref(), args.new_passphrase_fd);
    let (own_file, own_descriptor) =
        (args.new_spending_passphrase_file.as_deref(), args.new_spending_passphrase_fd);
    let scripted = file.is_some() || descriptor.is_some();
    let own = own_file.is_some() || own_descriptor.is_some();
    if own && !spending {
        return Err(Failure::usage("a new spending passphrase, but the spending compartment stays"));
    }
    // A person may have typed the two old ones where a script gives the new one.
    let separate_now = console.has_spending_source() || old_spending.is_some_and(|own| !own.matches(old));
    if scripted && spending && separate_now && !own {
        return Err(Failure::usage(
            "the spending compartment has a passphrase of its own: give --new-spending-passphrase-file or -fd, or --compartment identity",
        ));
    }
    if !args.compartment.identity() {
        if scripted {
            return Err(Failure::usage("--compartment spending takes --new-spending-passphrase-file or -fd"));
        }
        let chosen = console.replacement(own_file, own_descriptor, "New spending passphrase: ")?;
        refuse_unchanged(&chosen, old_spending)?;
        return Ok(New { identity: None, spending: Some(chosen) });
    }
    let identity = console.replacement(file, descriptor, "New passphrase: ")?;
    refuse_unchanged(&identity, Some(old))?;
    let separate =
        own || (spending && !scripted && console.yes("Give the spending keys a passphrase of their own?")?);
    let spending = match (spending, separate) {
        (false, _) => None,
        (true, true) => {
            let chosen = console.replacement(own_file, own_descriptor, "New spending passphrase: ")?;
            refuse_unchanged(&chosen, old_spending)?;
            Some(chosen)
        }
        (true, false) => Some(identity.again()),
    };
    Ok(New { identity: Some(identity), spending })
}

/// A change that changes nothing is not called one: whoever fears for a passphrase must be rid of it.
fn refuse_unchanged(new: &Passphrase, old: Option<&Passphrase>) -> Result<(), Failure> {
    if old.is_some_and(|old| new.matches(old)) {
        let why = "the new passphrase is the old one; --keep changes the key derivation alone";
        return Err(Failure::new(Exit::Vault, "passphrase", why));
    }
    Ok(())
}

impl Change {
    fn carry_out(
        mut self,
        place: &Place,
        args: &PassphraseChange,
        cost: KdfCost,
        old_spending: Option<Passphrase>,
        new: &New,
    ) -> Result<Answer, Failure> {
        let identity = new.identity.as_ref().unwrap_or(&self.identity);
        let mut answer = Answer { format: "airlock vault", version: 1, identity: None, spending: None };
        let spending = old_spending.as_ref().map(|old| (old, new.spending.as_ref().unwrap_or(old)));
        if let Some((old, chosen)) = spending {
            self.vault.reseal_spending(old, chosen, cost)?;
            answer.spending = Some(Sealing::from(cost));
        }
        if args.compartment.identity() {
            self.vault.reseal_identity(identity, cost)?;
            answer.identity = Some(Sealing::from(cost));
        }
        let which = match (answer.identity.is_some(), answer.spending.is_some()) {
            (true, true) => "both compartments",
            (true, false) => "identity compartment",
            (false, _) => "spending compartment",
        };
        let what = if args.keep { "key derivation" } else { "passphrase" };
        let entry = (Ceremony::PassphraseChanged, format!("{what} of {which}, {cost}"));
        record(place, &self.home, &mut self.vault, entry, BeforeGenesis::Allow)?;
        self.vault.store_opened(&self.home, identity, spending.map(|(_, chosen)| chosen))?;
        Ok(answer)
    }
}

/// What opening costs from now on, the same for all that changes. What is asked for by number is refused later
/// where it is weaker; a measurement never makes anything weaker.
fn cost_from_now_on(
    place: &Place,
    args: &PassphraseChange,
    vault: &Vault,
    spending: bool,
) -> Result<KdfCost, Failure> {
    let own = args.compartment.identity().then(|| vault.identity_cost());
    let present = own.into_iter().chain(vault.spending_cost().filter(|_| spending));
    let usual = present.reduce(KdfCost::joined).unwrap_or(KdfCost::DEFAULT);
    let cost = cost_asked(place, &args.kdf, usual)?;
    if args.kdf.kdf_target_ms.is_some() && cost.is_weaker_than(usual) {
        place.console.note(format_args!("The vault has {usual} already, which is kept."));
        return Ok(usual);
    }
    Ok(cost)
}

impl From<KdfCost> for Sealing {
    fn from(cost: KdfCost) -> Self {
        Self { memory_kib: cost.memory_kib(), passes: cost.passes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, CommandLine};
    use clap::Parser as _;
    use std::os::unix::fs::PermissionsExt;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned()).ok().unwrap()
    }

    /// What is asked for when a person typed the old passphrases and files give the new ones.
    fn typed_and_scripted(options: &[&str], old: [&str; 2]) -> Result<New, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let mut line = vec!["airlock-signer".to_owned(), "passphrase".to_owned(), "change".to_owned()];
        for pair in options.chunks(2) {
            let path = folder.path().join(&pair[0][2..]);
            std::fs::write(&path, pair[1]).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            line.extend([pair[0].to_owned(), path.display().to_string()]);
        }
        let line = CommandLine::try_parse_from(line).unwrap();
        let Command::Passphrase { action: PassphraseAction::Change(args) } = line.command else {
            unreachable!("that is the command above")
        };
        asked(&Console::new(&line.options), &args, &passphrase(old[0]), Some(&passphrase(old[1])))
    }

    #[test]
    fn two_passphrases_typed_apart_are_not_merged_by_one_file() {
        let new = ["--new-passphrase-file", "the new passphrase"];
        let own = ["--new-spending-passphrase-file", "the new spending one"];
        let apart = ["the old passphrase", "the old spending one"];
        assert_eq!(typed_and_scripted(&new, apart).err().unwrap().exit, Exit::Usage);
        let both = typed_and_scripted(&[new, own].concat(), apart).ok().unwrap();
        assert!(both.spending.unwrap().matches(&passphrase(own[1])));
        let one = typed_and_scripted(&new, [apart[0], apart[0]]).ok().unwrap();
        assert!(one.spending.unwrap().matches(&passphrase(new[1])));
    }

    #[test]
    fn an_old_spending_passphrase_is_not_taken_for_a_new_one() {
        let new = ["--new-passphrase-file", "the new passphrase"];
        let own = ["--new-spending-passphrase-file", "the old spending one"];
        let refused = typed_and_scripted(&[new, own].concat(), ["the old passphrase", own[1]]).err().unwrap();
        assert_eq!((refused.exit, refused.code), (Exit::Vault, "passphrase".into()));
    }
}
