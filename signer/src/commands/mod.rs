//! One file a command: arguments in, an answer out, the order of work readable in each.
//!
//! Called by `main`. What must stay true: a command that changes anything takes the single-writer lock
//! before it reads anything; one that opens the spending compartment enters the sandbox first.

mod addresses;
mod identity;
mod init;
mod xpub;

use crate::args::{Command, CommandLine};
use crate::console::{Console, SpendingAnswer};
use crate::failure::{Exit, Failure};
use crate::home::{Home, Lock};
use crate::keys::Master;
use crate::memory::{self, Protection};
use crate::sandbox;
use crate::vault::Vault;
use airlock_shared::{Network, Profile};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Carries out one command.
pub fn run(line: CommandLine) -> Result<(), Failure> {
    let protection = memory::protect()?;
    let console = Console::new(&line.options);
    let root = match line.options.home {
        Some(root) => root,
        None => Home::default_root()?,
    };
    let place = Place { root, console, protection };
    match line.command {
        Command::Init(args) => init::run(&place, &args),
        Command::Identity => identity::run(&place),
        Command::Addresses(args) => addresses::run(&place, &args),
        Command::Xpub(args) => xpub::run(&place, &args),
        _ => Err(Failure::usage("this command is not in this build yet")),
    }
}

/// Where a command works, and with whom it talks.
pub struct Place {
    /// The home directory, perhaps not made yet.
    pub root: PathBuf,
    /// The person or script.
    pub console: Console,
    /// What memory protection was achieved.
    pub protection: Protection,
}

impl Place {
    /// The home, which must be there.
    pub fn home(&self) -> Result<Home, Failure> {
        Ok(Home::open(&self.root)?)
    }

    /// The home and its lock, for commands that change something.
    pub fn locked_home(&self) -> Result<(Home, Lock), Failure> {
        let home = self.home()?;
        let lock = home.lock()?;
        Ok((home, lock))
    }

    /// The vault, its identity compartment open.
    pub fn vault(&self, home: &Home) -> Result<Vault, Failure> {
        Ok(Vault::load(home, &self.console.passphrase()?)?)
    }

    /// The vault, and how its spending compartment will be opened.
    pub fn spending_vault(&self, home: &Home) -> Result<(Vault, SpendingAnswer), Failure> {
        let passphrase = self.console.passphrase()?;
        let vault = Vault::load(home, &passphrase)?;
        let answer = self.console.spending_answer(passphrase)?;
        Ok((vault, answer))
    }

    /// Enters the sandbox and says what is enforced. Every input must have been read.
    pub fn enter_sandbox(&self, home: &Home, out: Option<&Path>) -> Result<(), Failure> {
        let writable: Vec<&Path> = std::iter::once(home.root()).chain(out).collect();
        let enforced = sandbox::enter(&writable)?;
        let version = env!("CARGO_PKG_VERSION");
        self.console.note(format_args!("airlock-signer {version}: {enforced}; {}", self.protection));
        Ok(())
    }
}

/// Opens the spending compartment and checks that it is the seed this vault was made with.
pub fn unlock(vault: &Vault, answer: SpendingAnswer) -> Result<Master, Failure> {
    if !vault.can_spend() {
        return Err(crate::vault::VaultError::NoSpending.into());
    }
    let master = Master::from_entropy(&vault.open_spending(&answer.passphrase()?)?)?;
    if vault.identity().fingerprint == Some(master.fingerprint()) {
        return Ok(master);
    }
    Err(Failure::new(Exit::Vault, "vault", "the spending compartment holds another seed"))
}

/// UTC seconds.
pub fn now() -> Result<u64, Failure> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed
        .map(|elapsed| elapsed.as_secs())
        .map_err(|_| Failure::new(Exit::State, "clock", "the clock is before 1970"))
}

/// A network by its name, of this profile only.
pub fn network_of(text: &str, profile: Profile) -> Result<Network, Failure> {
    let network: Network = text.parse().map_err(Failure::usage)?;
    if network.profile() == profile {
        return Ok(network);
    }
    let (found, own) = (network.profile().name(), profile.name());
    Err(Failure::usage(format!("{network} is a {found} network, this vault is for {own}")))
}
