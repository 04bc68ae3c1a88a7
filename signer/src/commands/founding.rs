//! What `init` and `restore` have in common: an empty home, a device with its roster, passphrases, and a vault
//! that is stored once it has been opened again.
//!
//! What must stay true: nothing is overwritten; everything outside the home is read before the sandbox is
//! entered; the vault is the last thing that is written, so a failure anywhere leaves none behind.

use super::transcript::Facts;
use super::{Place, cost_of_a_new_vault, now};
use crate::args::Founding;
use crate::failure::Failure;
use crate::home::{Home, HomeError, Lock, temporary_of};
use crate::keys::{KeyError, Keyring};
use crate::secret::Passphrase;
use crate::vault::{Device, KdfCost, Spending, Vault, is_sound};
use airlock_shared::identity::{Custodian, Identity, Roster};
use airlock_shared::wallet::Role;
use airlock_shared::{Network, PersonId, Profile};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A device that is about to get its vault.
pub struct Founded {
    /// Its home, with no vault in it.
    pub home: Home,
    /// What the identity compartment will hold.
    pub device: Device,
    /// What this machine and program are, for the transcript.
    pub facts: Facts,
    /// Network interfaces that a person has accepted.
    pub interfaces: Option<String>,
    /// Opens the identity compartment.
    pub passphrase: Passphrase,
    /// Opens the spending compartment; `None` for the same, or where there is none.
    pub own: Option<Passphrase>,
    /// What opening costs.
    pub cost: KdfCost,
    transcript: Option<PathBuf>,
    _lock: Lock,
}

/// Does a device hold spending keys?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// An approver's or a further custodian's device.
    IdentityOnly,
    /// The signer.
    SpendingKeys,
}

/// Everything up to the sandbox, which it enters.
pub fn begin(place: &Place, args: &Founding, holds: Holds) -> Result<Founded, Failure> {
    let name = person(&args.name)?;
    let profile = Profile::from_name(&args.profile)
        .ok_or_else(|| Failure::usage(format!("profile {:?} is not main, test or dev", args.profile)))?;
    if let Some(path) = args.transcript.as_ref().filter(|path| path.exists()) {
        return Err(HomeError::Exists { path: path.clone() }.into());
    }
    let home = Home::create(&place.root)?;
    let lock = home.lock()?;
    for path in [home.vault(), home.journal(), home.refusals(), home.policy()] {
        // A link that leads nowhere is there too.
        if path.symlink_metadata().is_ok() {
            return Err(HomeError::Exists { path }.into());
        }
    }
    let mut device = Device::generate(name, profile, now()?)?;
    device.roster = roster(args, &device, holds)?;
    let spends = holds == Holds::SpendingKeys;
    let interfaces = if spends { place.accept_network()? } else { None };
    let passphrase = place.console.new_passphrase()?;
    let own = if spends { place.console.new_spending_passphrase()? } else { None };
    let cost = cost_of_a_new_vault(place, &args.kdf)?;
    let facts = Facts::read(Path::new("/"));
    let transcript = args.transcript.clone();
    place.enter_sandbox(&home, transcript.as_deref().map(folder_of))?;
    Ok(Founded { home, device, facts, interfaces, passphrase, own, cost, transcript, _lock: lock })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A person's name of the command line.
pub fn person(text: &str) -> Result<PersonId, Failure> {
    PersonId::new(text)
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a name: 1 to 64 of a-z 0-9 . _ @ -")))
}

/// The pinned custodians. A device with spending keys is one of them; an approver's may have none.
fn roster(args: &Founding, device: &Device, holds: Holds) -> Result<Option<Roster>, Failure> {
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
    if holds == Holds::SpendingKeys {
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

impl Founded {
    /// Seals the vault; nothing is written yet.
    pub fn seal(&mut self, spending: Option<&Spending>) -> Result<Vault, Failure> {
        if let Some(spending) = spending {
            let keyring = Keyring::open(spending)?;
            self.device.fingerprint = Some(keyring.fingerprint());
            self.device.seed_digest = Some(keyring.seed_digest());
        }
        let name = self.device.name.clone();
        let empty = Device::generate(name, self.device.profile, self.device.created_at)?;
        let device = std::mem::replace(&mut self.device, empty);
        let own = self.own.as_ref().unwrap_or(&self.passphrase);
        Ok(Vault::create(device, &self.passphrase, spending.map(|keys| (keys, own)), self.cost)?)
    }

    /// Writes the vault, once these very bytes have been opened with the passphrases.
    pub fn store(&self, vault: &Vault) -> Result<(), Failure> {
        let own = vault.can_spend().then(|| self.own.as_ref().unwrap_or(&self.passphrase));
        Ok(vault.store_opened(&self.home, &self.passphrase, own)?)
    }

    /// What was done, or else the failure, after which nothing is left in a home that was empty. A vault whose
    /// storing failed may be there all the same; a device that its people believe was never made must not.
    pub fn or_nothing<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        if done.is_err() {
            let vault = self.home.vault();
            for path in [&temporary_of(&vault), &vault, &self.home.journal(), &self.home.refusals()] {
                // What cannot be removed is found and named when they begin again.
                let _ = std::fs::remove_file(path);
            }
        }
        done
    }

    /// Where the transcript goes, if anywhere.
    pub fn transcript(&self) -> Option<&Path> {
        self.transcript.as_deref()
    }
}

/// The first address of each role on each usual network.
#[derive(Serialize)]
pub struct FirstAddress {
    /// Its network.
    pub network: Network,
    /// `deposit`, `hot`, `cold` or `energy`.
    pub role: &'static str,
    /// Where it is in the tree.
    pub path: String,
    /// The address.
    pub address: String,
}

/// The first addresses, by which people know a seed again. The EVM networks of a profile share theirs, so they are
/// there once, under the first of these networks.
pub fn first_addresses(keyring: &Keyring, profile: Profile) -> Result<Vec<FirstAddress>, KeyError> {
    let mut found = Vec::new();
    for network in usual_networks(profile) {
        for role in Role::DERIVED {
            let account = keyring.account(*network, role)?;
            let (address, path) = (account.address(0)?.to_string(), account.key_path(0));
            if found.iter().all(|one: &FirstAddress| one.path != path) {
                found.push(FirstAddress { network: *network, role: role.name(), path, address });
            }
        }
    }
    Ok(found)
}

/// The networks of D1, by profile.
pub fn usual_networks(profile: Profile) -> &'static [Network] {
    match profile {
        Profile::Main => {
            &[Network::TRON, Network::ETHEREUM, Network::POLYGON, Network::BSC, Network::ARBITRUM]
        }
        Profile::Test => &[Network::NILE, Network::SHASTA, Network::Evm { chain_id: 80_002 }],
        Profile::Dev => &[Network::TRON_DEV, Network::EVM_DEV],
    }
}

/// What `init` and `restore` answer.
#[derive(Serialize)]
pub struct Answer {
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<FirstAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<&'static str>,
}

#[derive(Serialize)]
struct Member {
    name: String,
    key: String,
}

impl Answer {
    /// Of a new device.
    pub fn of(device: &Device) -> Self {
        let member = |one: &Custodian| Member { name: one.name.to_string(), key: one.identity.to_string() };
        Self {
            format: "airlock device",
            version: 1,
            name: device.name.to_string(),
            profile: device.profile.name(),
            identity: device.identity().to_string(),
            vault: hex::encode(device.identity().fingerprint()),
            fingerprint: device.fingerprint.map(hex::encode),
            threshold: device.roster.as_ref().map_or(0, |roster| roster.threshold),
            roster_digest: device.roster.as_ref().map(|roster| roster.digest().to_string()),
            custodians: device.roster.iter().flat_map(|roster| &roster.custodians).map(member).collect(),
            addresses: Vec::new(),
            restored_from: None,
            next: Vec::new(),
        }
    }

    /// Of a restored one.
    #[must_use]
    pub fn restored(
        mut self,
        from: &'static str,
        addresses: Vec<FirstAddress>,
        next: Vec<&'static str>,
    ) -> Self {
        (self.restored_from, self.addresses, self.next) = (Some(from), addresses, next);
        self
    }

    /// For people.
    pub fn text(&self) -> String {
        let roster = match self.custodians.len() {
            0 => "no roster pinned".to_owned(),
            all => format!("{} of {all} custodians", self.threshold),
        };
        let keys = self.fingerprint.as_ref().map_or(String::new(), |keys| format!("\nkeys {keys}"));
        format!("device of {} ({}), {roster}\nidentity {}{keys}", self.name, self.profile, self.identity)
    }
}

#[cfg(test)]
impl Founded {
    /// A device without spending keys, about to get its vault in an empty home.
    pub fn in_empty_home(root: &Path) -> Self {
        let home = Home::create(root).unwrap();
        let lock = home.lock().unwrap();
        Self {
            home,
            device: Device::generate(PersonId::new("alice").unwrap(), Profile::Dev, 1).unwrap(),
            facts: Facts::read(Path::new("/")),
            interfaces: None,
            passphrase: Passphrase::new("a passphrase for tests".into()).ok().unwrap(),
            own: None,
            cost: KdfCost::new(KdfCost::MIN_MEMORY_KIB, 1).unwrap(),
            transcript: None,
            _lock: lock,
        }
    }
}
