//! May the spending keys be unsealed on this machine as it is?
//!
//! The policy says whether network interfaces may be up and whether part of a sandbox will do. Before there is
//! a policy a person says it, by typing a sentence that nobody types by habit, and the journal keeps that it was
//! said. Called by every command that opens the spending compartment or makes one. What must stay true:
//! what cannot be looked at counts as up; nothing is asked twice; with a policy in force no sentence helps.

use super::{Place, ceremony, now};
use crate::console::SpendingAnswer;
use crate::failure::{Exit, Failure};
use crate::home::{Home, Lock};
use crate::journal::Beside;
use crate::machine;
use crate::policy::{self, StoreError};
use crate::sandbox::Enforced;
use crate::secret::Passphrase;
use crate::vault::{Vault, VaultError};
use airlock_shared::journal::{Ceremony, Event};
use airlock_shared::policy::{Allowance, Machine};
use std::path::Path;

/// What has to be typed, or given with `--accept-network`.
pub const SENTENCE: &str = "I ACCEPT A NETWORKED MACHINE";

impl Place {
    /// The vault, and how its spending compartment will be opened, for commands that may come before a policy.
    pub fn spending_vault(&self, home: &Home) -> Result<(Vault, SpendingAnswer), Failure> {
        self.spending_vault_with(home, None)
    }

    /// The same for commands that hold the lock already.
    pub fn locked_spending_vault(
        &self,
        home: &Home,
        lock: &Lock,
    ) -> Result<(Vault, SpendingAnswer), Failure> {
        self.spending_vault_with(home, Some(lock))
    }

    fn spending_vault_with(
        &self,
        home: &Home,
        held: Option<&Lock>,
    ) -> Result<(Vault, SpendingAnswer), Failure> {
        let passphrase = self.console.passphrase()?;
        let vault = self.permitted_vault(home, &passphrase, held)?;
        let answer = self.console.spending_answer(passphrase)?;
        Ok((vault, answer))
    }

    /// The vault, before words of its keys are read back: they are the keys, though nothing is unsealed.
    pub fn drilled_vault(&self, home: &Home) -> Result<Vault, Failure> {
        self.permitted_vault(home, &self.console.passphrase()?, None)
    }

    fn permitted_vault(
        &self,
        home: &Home,
        passphrase: &Passphrase,
        held: Option<&Lock>,
    ) -> Result<Vault, Failure> {
        let mut vault = Vault::load(home, passphrase)?;
        if !vault.can_spend() {
            return Err(VaultError::NoSpending.into());
        }
        match held {
            Some(lock) => self.may_unseal(home, &mut vault, lock)?,
            None if vault.device().policy.is_some() => self.follow_policy(home, &vault)?,
            None => {
                if let Some(interfaces) = self.accept_network()? {
                    // A vault that changes is read under the lock.
                    let _lock = home.lock()?;
                    vault = Vault::load(home, passphrase)?;
                    journal_override(home, &mut vault, &interfaces)?;
                    vault.store(home)?;
                }
            }
        }
        Ok(vault)
    }

    /// May this vault's keys be unsealed here, by a command that holds the lock?
    pub fn may_unseal(&self, home: &Home, vault: &mut Vault, _lock: &Lock) -> Result<(), Failure> {
        if vault.device().policy.is_some() {
            return self.follow_policy(home, vault);
        }
        if let Some(interfaces) = self.accept_network()? {
            journal_override(home, vault, &interfaces)?;
            vault.store(home)?;
        }
        Ok(())
    }

    /// The vault for signing, which nothing but a policy allows.
    pub fn signing_vault(&self, home: &Home) -> Result<(Vault, SpendingAnswer), Failure> {
        let passphrase = self.console.passphrase()?;
        let vault = Vault::load(home, &passphrase)?;
        if !vault.can_spend() {
            return Err(VaultError::NoSpending.into());
        }
        if vault.device().policy.is_none() {
            return Err(StoreError::None.into());
        }
        self.follow_policy(home, &vault)?;
        let answer = self.console.spending_answer(passphrase)?;
        Ok((vault, answer))
    }

    /// Where keys are made or changed before there is a policy: the interfaces that a person has accepted, to be
    /// journalled; `None` where there is nothing to accept.
    pub fn accept_network(&self) -> Result<Option<String>, Failure> {
        let Some(interfaces) = up(Path::new("/")) else { return Ok(None) };
        if let Some(given) = &self.accept_network {
            return accepted(given, interfaces).map(Some);
        }
        if !self.console.is_interactive() {
            let advice = format!("or give --accept-network {SENTENCE:?}, which is journalled");
            return Err(refused(&interfaces, &advice));
        }
        self.console.note(format_args!(
            "ATTENTION: network interfaces are up on this machine: {interfaces}\n\
             Keys that were once unsealed on a networked machine are no longer cold."
        ));
        let typed = self.console.line(&format!("To go on all the same, type {SENTENCE}: "))?;
        accepted(typed.trim(), interfaces).map(Some)
    }

    /// Does the policy allow this machine as it is? What it says of the sandbox is kept until that is entered.
    fn follow_policy(&self, home: &Home, vault: &Vault) -> Result<(), Failure> {
        let rules = policy::load(home, vault.device())?.policy.machine;
        self.rules.set(Some(rules));
        let Some(interfaces) = up(Path::new("/")) else { return Ok(()) };
        match rules.network_interfaces {
            Allowance::Allowed => {
                let allowed = "the policy allows that";
                self.console.note(format_args!(
                    "ATTENTION: network interfaces are up on this machine: {interfaces}; {allowed}"
                ));
                Ok(())
            }
            Allowance::Refused => Err(refused(&interfaces, "the policy in force allows no other way")),
        }
    }

    /// Is what the kernel enforces enough for the policy in force?
    pub(super) fn check_sandbox(&self, enforced: Enforced) -> Result<(), Failure> {
        match self.rules.get() {
            Some(rules) => sandbox_suffices(rules, enforced),
            None => Ok(()),
        }
    }
}

fn sandbox_suffices(rules: Machine, enforced: Enforced) -> Result<(), Failure> {
    if !enforced.is_partial() || rules.partial_sandbox == Allowance::Allowed {
        return Ok(());
    }
    let why = format!(
        "this kernel enforces a part of the sandbox only ({enforced}); take a newer kernel, or a policy \
         whose machine.partial_sandbox is allowed"
    );
    Err(Failure::new(Exit::State, "machine.partial_sandbox", why))
}

/// Puts on record that a person has accepted these interfaces. Nothing is recorded in a restored vault, whose
/// journal does not begin before its custodians say where; the caller stores the vault.
pub fn journal_override(home: &Home, vault: &mut Vault, interfaces: &str) -> Result<(), Failure> {
    if !ceremony::has_begun(home, vault.device())? {
        return Ok(());
    }
    let now = now()?;
    let mut journal = ceremony::open(home, vault.device(), now)?;
    let detail = interfaces.chars().take(MAX_DETAIL).collect();
    let event = Event::Ceremony { kind: Ceremony::NetworkOverride, detail };
    journal.append(now, event, Beside::Nothing, vault.device())?;
    vault.device_mut().journal = journal.anchor();
    Ok(())
}

/// Names of interfaces are ASCII and at most 15 characters; a machine with more than this many has said enough.
const MAX_DETAIL: usize = 128;

/// The interfaces that are up, or what cannot be known about them.
fn up(root: &Path) -> Option<String> {
    let Some(interfaces) = machine::interfaces(root) else {
        return Some("unknown, they cannot be read".to_owned());
    };
    let names: Vec<_> = interfaces.into_iter().filter(|one| one.up).map(|one| one.name).collect();
    if names.is_empty() { None } else { Some(names.join(", ")) }
}

fn accepted(sentence: &str, interfaces: String) -> Result<String, Failure> {
    if sentence == SENTENCE {
        return Ok(interfaces);
    }
    let why = format!("the sentence is {SENTENCE:?}, word for word");
    Err(Failure::new(Exit::Refused, "confirmation", why))
}

fn refused(interfaces: &str, otherwise: &str) -> Failure {
    let why = format!(
        "network interfaces are up on this machine: {interfaces}; no key is unsealed. Take them down \
         (ip link set NAME down); {otherwise}"
    );
    Failure::new(Exit::State, "machine.network_interfaces", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Files;

    #[test]
    fn part_of_a_sandbox_does_only_where_the_policy_says_so() {
        let rules = |partial_sandbox| Machine { network_interfaces: Allowance::Refused, partial_sandbox };
        let enforced = |files| Enforced { files, tcp: false };
        for files in [Files::Partly, Files::NotAtAll] {
            let failure = sandbox_suffices(rules(Allowance::Refused), enforced(files)).unwrap_err();
            assert_eq!((failure.exit, failure.code.as_str()), (Exit::State, "machine.partial_sandbox"));
            assert!(failure.message.contains("newer kernel"));
            sandbox_suffices(rules(Allowance::Allowed), enforced(files)).unwrap();
        }
        sandbox_suffices(rules(Allowance::Refused), enforced(Files::Fully)).unwrap();
    }

    #[test]
    fn interfaces_that_cannot_be_read_count_as_up_and_loopback_does_not() {
        let root = tempfile::tempdir().unwrap();
        assert!(up(root.path()).unwrap().contains("unknown"));
        std::fs::create_dir_all(root.path().join("sys/class/net/lo")).unwrap();
        std::fs::write(root.path().join("sys/class/net/lo/flags"), "0x9\n").unwrap();
        assert_eq!(up(root.path()), None);
        std::fs::create_dir_all(root.path().join("sys/class/net/eth0")).unwrap();
        std::fs::write(root.path().join("sys/class/net/eth0/flags"), "0x1003\n").unwrap();
        assert_eq!(up(root.path()).unwrap(), "eth0");
    }

    #[test]
    fn the_sentence_is_taken_word_for_word() {
        assert!(accepted(SENTENCE, "eth0".to_owned()).is_ok());
        for other in ["", "yes", "i accept a networked machine", "I ACCEPT A NETWORKED MACHINE."] {
            assert_eq!(accepted(other, "eth0".to_owned()).unwrap_err().code, "confirmation");
        }
    }
}
