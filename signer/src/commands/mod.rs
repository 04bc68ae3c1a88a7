//! One file a command: arguments in, an answer out, the order of work readable in each.
//!
//! Called by `main`. What must stay true: a command that changes anything takes the single-writer lock
//! before it reads anything; one that opens the spending compartment enters the sandbox first.

mod addresses;
mod approve;
mod attest;
mod audit;
mod backup;
mod ceremony;
mod display;
mod doctor;
mod founding;
mod genesis;
mod identity;
mod init;
mod inspect;
mod journal;
mod pair;
mod passphrase;
mod policy;
mod restore;
mod sign;
mod state;
mod transcript;
pub mod unsealing;
mod wallet;
mod words;
mod xpub;

use crate::args::{Command, CommandLine, Kdf};
use crate::console::{Console, SpendingAnswer};
use crate::failure::{Exit, Failure};
use crate::home::{Home, Lock};
use crate::keys::Keyring;
use crate::machine;
use crate::memory::{self, Protection};
use crate::sandbox;
use crate::vault::{KdfCost, Spending, Vault};
use airlock_shared::policy::Machine;
use airlock_shared::{Network, Profile};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Carries out one command, and leaves nothing of it in memory.
pub fn run(line: CommandLine) -> Result<(), Failure> {
    let ended = carry_out(line);
    memory::forget();
    ended
}

/// Never part of its caller's frame, which is not overwritten.
#[inline(never)]
fn carry_out(line: CommandLine) -> Result<(), Failure> {
    let protection = memory::protect()?;
    let console = Console::new(&line.options);
    let root = match line.options.home {
        Some(root) => root,
        None => Home::default_root()?,
    };
    let accept_network = line.options.accept_network;
    let place = Place { root, console, protection, accept_network, rules: Cell::new(None) };
    let ended = match line.command {
        Command::Init(args) => init::run(&place, &args),
        Command::Restore(args) => restore::run(&place, &args),
        Command::Identity => identity::run(&place),
        Command::Addresses(args) => addresses::run(&place, &args),
        Command::Wallet { action } => wallet::run(&place, &action),
        Command::Xpub(args) => xpub::run(&place, &args),
        Command::Attest(args) => attest::run(&place, &args),
        Command::Pair(args) => pair::run(&place, &args),
        Command::Passphrase { action } => passphrase::run(&place, &action),
        Command::Backup { action } => backup::run(&place, &action),
        Command::Policy { action } => policy::run(&place, action),
        Command::Inspect(args) => inspect::run(&place, &args),
        Command::Sign(args) => sign::run(&place, &args),
        Command::Approve(args) => approve::run(&place, &args),
        Command::Journal { action } => journal::run(&place, &action),
        Command::Genesis { action } => genesis::run(&place, &action),
        Command::Doctor => doctor::run(&place),
        Command::Audit(args) => audit::run(&place, &args),
    };
    if let Some(shortfall) = memory::unlocked() {
        place.console.note(shortfall);
    }
    ended
}

/// Where a command works, and with whom it talks.
pub struct Place {
    /// The home directory, perhaps not made yet.
    pub root: PathBuf,
    /// The person or script.
    pub console: Console,
    /// What memory protection was achieved.
    pub protection: Protection,
    /// The sentence that `--accept-network` gave.
    pub accept_network: Option<String>,
    /// What the policy says of this machine, once a command has read it.
    rules: Cell<Option<Machine>>,
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

    /// Enters the sandbox, says what is enforced, and stops where the policy asks for more than this kernel
    /// does. Every input must have been opened.
    pub fn enter_sandbox(&self, home: &Home, out: Option<&Path>) -> Result<(), Failure> {
        let writable: Vec<&Path> = std::iter::once(home.root()).chain(out).collect();
        let enforced = sandbox::enter(&writable)?;
        memory::start_workers();
        let version = env!("CARGO_PKG_VERSION");
        self.console.note(format_args!("airlock-signer {version}: {enforced}; {}", self.protection));
        self.check_sandbox(enforced)
    }
}

/// Opens the spending compartment and checks that it holds the keys which the identity compartment names.
pub fn unlock(vault: &Vault, answer: SpendingAnswer) -> Result<Keyring, Failure> {
    open_spending(vault, answer).map(|(_, keyring)| keyring)
}

/// The same, with what the keys come from; for backups only.
pub fn open_spending(vault: &Vault, answer: SpendingAnswer) -> Result<(Spending, Keyring), Failure> {
    if !vault.can_spend() {
        return Err(crate::vault::VaultError::NoSpending.into());
    }
    let spending = vault.open_spending(&answer.passphrase()?)?;
    let keyring = Keyring::open(&spending)?;
    check_keys(vault, &keyring)?;
    Ok((spending, keyring))
}

/// Do the two compartments speak of the same keys?
fn check_keys(vault: &Vault, keyring: &Keyring) -> Result<(), Failure> {
    let device = vault.device();
    if device.seed_digest != Some(keyring.seed_digest()) {
        return Err(Failure::new(Exit::Vault, "vault", "the spending compartment holds another seed"));
    }
    if !keyring.matches(&device.imported) {
        let why = "the spending compartment holds other imported keys than the identity compartment names";
        return Err(Failure::new(Exit::Vault, "vault", why));
    }
    Ok(())
}

/// What a new vault's key derivation costs: what the options ask for, else about 1.5 seconds on this machine (K5).
pub fn cost_of_a_new_vault(place: &Place, asked: &Kdf) -> Result<KdfCost, Failure> {
    let Kdf { kdf_memory_kib: None, kdf_passes: None, kdf_target_ms: None } = asked else {
        return cost_asked(place, asked, KdfCost::DEFAULT);
    };
    let usual = Kdf { kdf_memory_kib: None, kdf_passes: None, kdf_target_ms: Some(USUAL_TARGET_MS) };
    place.console.note("Measuring this machine, so that one guess at a passphrase costs about 1.5 seconds.");
    cost_asked(place, &usual, KdfCost::DEFAULT)
}

/// What opening a vault takes where nobody asks for anything else.
const USUAL_TARGET_MS: u64 = 1_500;

/// What the options ask the key derivation to cost; `usual` where they say nothing.
pub fn cost_asked(place: &Place, asked: &Kdf, usual: KdfCost) -> Result<KdfCost, Failure> {
    let Some(target_ms) = asked.kdf_target_ms else {
        let memory_kib = asked.kdf_memory_kib.unwrap_or(usual.memory_kib());
        return Ok(KdfCost::new(memory_kib, asked.kdf_passes.unwrap_or(usual.passes()))?);
    };
    // The kernel promises memory that it does not have; filling all of it would end other programs.
    let limit_kib = machine::memory_available_kib(Path::new("/"))
        .map_or(u32::MAX, |kib| u32::try_from(kib / 2).unwrap_or(u32::MAX));
    let cost = KdfCost::calibrate(Duration::from_millis(target_ms), limit_kib)?;
    place.console.note(format_args!("This machine takes {} ms for {cost}.", cost.time()?.as_millis()));
    Ok(cost)
}

/// UTC seconds.
pub fn now() -> Result<u64, Failure> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed
        .map(|elapsed| elapsed.as_secs())
        .map_err(|_| Failure::new(Exit::State, "clock", "the clock is before 1970"))
}

/// The same for a screen that shows how much time is left; a clock before 1970 has none.
pub fn clock() -> u64 {
    now().unwrap_or(u64::MAX)
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
