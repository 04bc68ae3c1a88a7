//! The policy in force: one file, pinned in the vault by version and digest.
//!
//! Called by the session and by the `policy` commands. What must stay true: a policy is in force only with
//! enough custodians' signatures and with the digest that the vault has pinned; versions rise; another
//! content under the same version is refused; nothing is permitted without a policy.

pub mod diff;
pub mod template;

use crate::home::{Home, HomeError, read_private, replace_private};
use crate::vault::{Device, PolicyPin};
use airlock_shared::Digest;
use airlock_shared::document::{self, Document as _};
use airlock_shared::form::{FormError, MAX_JSON_BYTES};
use airlock_shared::identity::{CustodianSignature, IdentitySignature};
use airlock_shared::policy::{PolicyError, SignedPolicy};

/// Why there is no policy to judge by, or why one was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// None was ever installed.
    #[error("no policy is installed; nothing is permitted")]
    None,
    /// This device has pinned no custodians who could sign one.
    #[error("this device has no roster of custodians, so it accepts no policy")]
    NoRoster,
    /// The file is not the one that was installed.
    #[error("the policy file has digest {found}, the vault has pinned {expected}")]
    NotThePinned {
        /// The vault's.
        expected: Digest,
        /// The file's.
        found: Digest,
    },
    /// The same version with another content.
    #[error("policy version {version} is installed with another content ({installed}, offered {found})")]
    SameVersion {
        /// The version.
        version: u64,
        /// Digest in force.
        installed: Digest,
        /// Digest offered.
        found: Digest,
    },
    /// The journal knows of a newer policy than the vault: the vault is an old copy, or a crash came
    /// between the two.
    #[error("the vault has {}, the journal says version {newest} came into force; install that one again", version_of(.pinned.as_ref()))]
    BehindJournal {
        /// What the vault has pinned.
        pinned: Option<PolicyPin>,
        /// The newest version in the journal.
        newest: u64,
    },
    /// Another policy's successor.
    #[error("policy {found:?} does not succeed policy {installed:?}")]
    OtherName {
        /// The name in force.
        installed: String,
        /// The name offered.
        found: String,
    },
    /// This device is nobody in the roster.
    #[error("this device is not one of the custodians")]
    NotACustodian,
    /// Signatures, version or profile.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The file does not decode.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] HomeError),
}

/// The policy in force, every signature checked again.
pub fn load(home: &Home, device: &Device) -> Result<SignedPolicy, StoreError> {
    let pin = device.policy.ok_or(StoreError::None)?;
    let bytes = read_private(&home.policy(), MAX_JSON_BYTES as u64)?;
    let signed: SignedPolicy = document::read(&bytes)?;
    let found = signed.policy.digest();
    if found != pin.digest {
        return Err(StoreError::NotThePinned { expected: pin.digest, found });
    }
    signed.check(device.roster.as_ref().ok_or(StoreError::NoRoster)?, device.profile)?;
    Ok(signed)
}

fn version_of(pinned: Option<&PolicyPin>) -> String {
    pinned.map_or("no policy".to_owned(), |pin| format!("policy version {}", pin.version))
}

/// Is the vault's policy the newest that the journal knows? An old copy of the vault would bring an old
/// policy back.
pub fn check_newest(newest: Option<PolicyPin>, device: &Device) -> Result<(), StoreError> {
    match newest {
        Some(newest) if device.policy != Some(newest) => {
            Err(StoreError::BehindJournal { pinned: device.policy, newest: newest.version })
        }
        _ => Ok(()),
    }
}

/// Does `pin` rise above the newest policy that the journal knows, or repeat it?
pub fn check_rises(newest: Option<PolicyPin>, pin: &PolicyPin) -> Result<(), StoreError> {
    match newest {
        Some(newest) if newest.version > pin.version => {
            let (installed, found) = (newest.version, pin.version);
            Err(PolicyError::VersionDoesNotRise { installed, found }.into())
        }
        Some(newest) if newest.version == pin.version && newest.digest != pin.digest => {
            let (version, installed, found) = (pin.version, newest.digest, pin.digest);
            Err(StoreError::SameVersion { version, installed, found })
        }
        _ => Ok(()),
    }
}

/// May `offered` come into force? Returns its pin; the caller journals, pins and then stores it.
pub fn accept(home: &Home, device: &Device, offered: &SignedPolicy) -> Result<PolicyPin, StoreError> {
    offered.check(device.roster.as_ref().ok_or(StoreError::NoRoster)?, device.profile)?;
    let pin = PolicyPin { version: offered.policy.version, digest: offered.policy.digest() };
    match device.policy {
        Some(installed) if installed == pin => Ok(pin),
        Some(installed) if installed.version == pin.version => Err(StoreError::SameVersion {
            version: pin.version,
            installed: installed.digest,
            found: pin.digest,
        }),
        Some(installed) if installed.version > pin.version => {
            Err(PolicyError::VersionDoesNotRise { installed: installed.version, found: pin.version }.into())
        }
        Some(_) => {
            let (installed, found) = (load(home, device)?.policy.name, &offered.policy.name);
            if installed == *found {
                return Ok(pin);
            }
            Err(StoreError::OtherName { installed: installed.to_string(), found: found.to_string() })
        }
        None => Ok(pin),
    }
}

/// Writes the policy whose pin is in the vault.
pub fn store(home: &Home, signed: &SignedPolicy) -> Result<(), StoreError> {
    Ok(replace_private(&home.policy(), signed.to_json().as_bytes())?)
}

/// Adds this device's signature. A device with a roster must be in it.
pub fn sign(device: &Device, signed: &mut SignedPolicy) -> Result<(), StoreError> {
    let custodian = device.identity();
    let stranger = |roster: &airlock_shared::identity::Roster| {
        roster.custodians.iter().all(|member| member.identity != custodian)
    };
    if device.roster.as_ref().is_some_and(stranger) {
        return Err(StoreError::NotACustodian);
    }
    if signed.policy.profile != device.profile {
        let (expected, found) = (device.profile.name(), signed.policy.profile.name());
        return Err(PolicyError::OtherProfile { expected, found }.into());
    }
    let signature = IdentitySignature::by(&device.key, &signed.policy.digest());
    signed.add(CustodianSignature { custodian, signature });
    Ok(())
}
