//! `passphrase change`: the vault sealed again under new passphrases, a dearer key derivation, or both.
//!
//! What must stay true: the old passphrases open first; guessing never becomes cheaper; the new bytes are
//! opened before they replace the old ones, in one atomic step; nothing of roster, pairings, policy or
//! journal changes. A scripted change never merges two passphrases into one unasked.

use super::{Place, cost_asked};
use crate::args::{PassphraseAction, PassphraseChange};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::home::{Home, Lock};
use crate::secret::Passphrase;
use crate::vault::{KdfCost, Vault, VaultError};
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
    let vault = Vault::load(&home, &identity)?;
    let spending = args.compartment != crate::args::Compartments::Identity && vault.can_spend();
    if !args.compartment.identity() && !spending {
        return Err(VaultError::NoSpending.into());
    }
    let old_spending = if spending { Some(spending_now(&place.console, &identity)?) } else { None };
    let new = if args.keep {
        New { identity: None, spending: None }
    } else {
        asked(&place.console, args, spending, &identity)?
    };
    // Measured before the sandbox, which hides how much memory is free.
    let cost = cost_from_now_on(place, args, &vault, spending)?;
    place.enter_sandbox(&home, None)?;
    let change = Change { home, vault, identity, _lock: lock };
    let answer = change.carry_out(args, cost, old_spending, &new)?;
    let line = |(name, sealing): (&str, &Option<Sealing>)| {
        let Sealing { memory_kib, passes } = sealing.as_ref()?;
        Some(format!("{name} compartment sealed again: {memory_kib} KiB in {passes} passes\n"))
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
    spending: bool,
    old: &Passphrase,
) -> Result<New, Failure> {
    let (file, descriptor) = (args.new_passphrase_file.as_deref(), args.new_passphrase_fd);
    let (own_file, own_descriptor) =
        (args.new_spending_passphrase_file.as_deref(), args.new_spending_passphrase_fd);
    let scripted = file.is_some() || descriptor.is_some();
    let own = own_file.is_some() || own_descriptor.is_some();
    if own && !spending {
        return Err(Failure::usage("a new spending passphrase, but the spending compartment stays"));
    }
    if scripted && spending && console.has_spending_source() && !own {
        return Err(Failure::usage(
            "the spending compartment has a passphrase of its own: give --new-spending-passphrase-file or -fd, or --compartment identity",
        ));
    }
    if !args.compartment.identity() {
        if scripted {
            return Err(Failure::usage("--compartment spending takes --new-spending-passphrase-file or -fd"));
        }
        let chosen = console.replacement(own_file, own_descriptor, "New spending passphrase: ")?;
        return Ok(New { identity: None, spending: Some(chosen) });
    }
    let identity = console.replacement(file, descriptor, "New passphrase: ")?;
    if identity.matches(old) {
        let why = "the new passphrase is the old one; --keep changes the key derivation alone";
        return Err(Failure::new(Exit::Vault, "passphrase", why));
    }
    let separate =
        own || (spending && !scripted && console.yes("Give the spending keys a passphrase of their own?")?);
    let spending = match (spending, separate) {
        (false, _) => None,
        (true, true) => Some(console.replacement(own_file, own_descriptor, "New spending passphrase: ")?),
        (true, false) => Some(identity.again()),
    };
    Ok(New { identity: Some(identity), spending })
}

impl Change {
    fn carry_out(
        mut self,
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
    let usual = present.reduce(|a, b| if b.is_weaker_than(a) { a } else { b }).unwrap_or(KdfCost::DEFAULT);
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
