//! The vault: one file with two sealed compartments.
//!
//! ```text
//! magic "AIRLOCKV" | version u8 = 1 | kind u8 | vault id 16 | identity record | spending record (kind 1 only)
//! ```
//! Kind 0 is a device with an identity only (approver, further custodian), kind 1 holds a spending seed.
//! The identity compartment is opened at the start of every command and written again whenever a pairing,
//! the policy or the journal moves on; the spending compartment is opened after review and written again by
//! `passphrase change` and `wallet import` only. The header is readable in clear and authenticated: flipping any byte means nothing opens.

mod device;
pub mod keystore;
mod reseal;
mod seal;
pub mod shares;
mod spending;

pub use device::{
    Anchor, Coordinator, Device, Imported, Label, Labelled, Lock, MAX_COORDINATORS, MAX_IMPORTED, MAX_LABELS,
    MAX_PASSKEYS, MAX_RETIRED, MAX_SEEN, PasskeyCounter, PolicyPin, Reach, WalletRef, is_sound,
};
pub use reseal::Opened;
pub use seal::{Compartment, KdfCost};
pub use spending::{ImportedKey, Root, Spending};

use crate::home::{Home, HomeError, read_private, replace_private};
use crate::machine;
use crate::secret::{Passphrase, RandomError, fill_random};
use seal::{MAX_SEALED_BYTES, RECORD_BYTES, Sealed, SealingKey};
use std::path::Path;

const MAGIC: &[u8; 8] = b"AIRLOCKV";
const VERSION: u8 = 1;
const PREAMBLE_BYTES: usize = 26;
const MAX_FILE_BYTES: u64 = (PREAMBLE_BYTES + 2 * (RECORD_BYTES + MAX_SEALED_BYTES)) as u64;

/// Why a vault does not open or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Another kind of file.
    #[error("not an Airlock vault")]
    NotAVault,
    /// Made by another version of this program.
    #[error("vault version {found}; this program reads version {VERSION}")]
    UnknownVersion {
        /// Its version.
        found: u8,
    },
    /// Neither identity-only nor with a spending compartment.
    #[error("vault of unknown kind {found}")]
    UnknownKind {
        /// Its kind.
        found: u8,
    },
    /// The file ends too early.
    #[error("the vault file is cut short")]
    Truncated,
    /// The file goes on after its last compartment.
    #[error("the vault file has {found} bytes too many")]
    TrailingBytes {
        /// How many.
        found: usize,
    },
    /// A record where another belongs.
    #[error("expected the {expected} compartment, found one tagged {found}")]
    WrongCompartment {
        /// The one that belongs there.
        expected: &'static str,
        /// The tag that was there.
        found: u8,
    },
    /// A compartment longer than any that this program writes.
    #[error("the {compartment} compartment has {found} bytes, at most {MAX_SEALED_BYTES} are allowed")]
    TooLong {
        /// Which.
        compartment: &'static str,
        /// How long it says it is.
        found: usize,
    },
    /// Key derivation weaker than the floor.
    #[error(
        "weak key derivation refused: {memory_kib} KiB in {passes} passes; at least {} KiB in 1 pass",
        KdfCost::MIN_MEMORY_KIB
    )]
    WeakKdf {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
    },
    /// Key derivation more expensive than the ceiling.
    #[error(
        "excessive key derivation refused: {memory_kib} KiB in {passes} passes; at most {} KiB in {} passes",
        KdfCost::MAX_MEMORY_KIB,
        KdfCost::MAX_PASSES
    )]
    ExcessiveKdf {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
    },
    /// Key derivation that would make guessing cheaper than it is now.
    #[error("weaker key derivation refused: the {compartment} compartment has {before}, asked for {after}")]
    WeakerKdf {
        /// Which.
        compartment: &'static str,
        /// What it has.
        before: KdfCost,
        /// What was asked for.
        after: KdfCost,
    },
    /// More than one lane.
    #[error("key derivation with {found} lanes; this program uses one")]
    UnknownLanes {
        /// How many.
        found: u8,
    },
    /// This machine cannot give the memory that the key derivation needs.
    #[error(
        "opening needs {needed_kib} KiB of memory{}; end other programs, or open it on a machine with more",
        available_kib.map_or(", which this machine does not give".to_owned(), |kib| format!(", and this machine has {kib} KiB free"))
    )]
    TooLittleMemory {
        /// How much, in KiB.
        needed_kib: u32,
        /// What is free, where that is known.
        available_kib: Option<u64>,
    },
    /// Wrong passphrase, or the file was changed. The two cannot be told apart.
    #[error("the {compartment} compartment does not open: wrong passphrase, or the file was changed")]
    DoesNotOpen {
        /// Which.
        compartment: &'static str,
    },
    /// Opened, but its content is not what this program writes.
    #[error("the identity compartment opened but does not decode: {0}")]
    Identity(minicbor::decode::Error),
    /// Opened, but its content is not what this program writes.
    #[error("the spending compartment opened but does not decode: {0}")]
    Spending(minicbor::decode::Error),
    /// As many keys as it holds were imported already.
    #[error("no more than {MAX_IMPORTED} keys can be imported")]
    NoSlotLeft,
    /// This device has an identity only.
    #[error("this device holds no spending keys")]
    NoSpending,
    /// The operating system's random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] HomeError),
}

/// An open vault: the identity is readable, the spending compartment still sealed.
pub struct Vault {
    preamble: [u8; PREAMBLE_BYTES],
    device: Device,
    sealing: SealingKey,
    spending: Option<Sealed>,
}

impl Vault {
    /// Seals a new vault. With `spending`, the keys get a compartment and a passphrase of its own.
    pub fn create(
        device: Device,
        passphrase: &Passphrase,
        spending: Option<(&Spending, &Passphrase)>,
        cost: KdfCost,
    ) -> Result<Self, VaultError> {
        let mut preamble = [0; PREAMBLE_BYTES];
        preamble[..8].copy_from_slice(MAGIC);
        preamble[8] = VERSION;
        preamble[9] = u8::from(spending.is_some());
        fill_random(&mut preamble[10..])?;
        let sealed_seed = match spending {
            Some((keys, own)) => {
                let record =
                    SealingKey::new(own, cost)?.seal(Compartment::Spending, &preamble, &keys.encode())?;
                Some(Sealed::take(Compartment::Spending, &mut &record[..])?)
            }
            None => None,
        };
        Ok(Self { preamble, device, sealing: SealingKey::new(passphrase, cost)?, spending: sealed_seed })
    }

    /// Opens the identity compartment of a vault's bytes.
    pub fn open(bytes: &[u8], passphrase: &Passphrase) -> Result<Self, VaultError> {
        let (preamble, sealed_identity, spending) = read(bytes)?;
        let (plain, sealing) = sealed_identity.open(&preamble, passphrase)?;
        let device = Device::decode(&plain).map_err(VaultError::Identity)?;
        Ok(Self { preamble, device, sealing, spending })
    }

    /// Reads and opens the vault of `home`.
    pub fn load(home: &Home, passphrase: &Passphrase) -> Result<Self, VaultError> {
        let bytes = read_private(&home.vault(), MAX_FILE_BYTES)?;
        // The kernel promises memory that it does not have and then ends programs; so this is asked first, for
        // both compartments, while `/proc` can still be read.
        check_memory(&costs(&bytes)?, machine::memory_available_kib(Path::new("/")))?;
        Self::open(&bytes, passphrase)
    }

    /// Its bytes, the identity sealed with a fresh nonce.
    pub fn seal(&self) -> Result<Vec<u8>, VaultError> {
        let sealed = self.sealing.seal(Compartment::Identity, &self.preamble, &self.device.encode())?;
        let spending = self.spending.as_ref().map_or(&[][..], Sealed::as_bytes);
        Ok([&self.preamble[..], &sealed, spending].concat())
    }

    /// Writes it to `home`, atomically.
    pub fn store(&self, home: &Home) -> Result<(), VaultError> {
        Ok(replace_private(&home.vault(), &self.seal()?)?)
    }

    /// What the identity compartment holds.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The same, to be changed and then stored.
    pub const fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// The vault's own random name.
    pub fn id(&self) -> &[u8] {
        &self.preamble[10..]
    }

    /// Does it hold spending keys?
    pub const fn can_spend(&self) -> bool {
        self.spending.is_some()
    }

    /// Opens the spending compartment. Only after review.
    pub fn open_spending(&self, passphrase: &Passphrase) -> Result<Spending, VaultError> {
        self.open_to_change(passphrase).map(|opened| opened.spending)
    }
}

/// What opening the compartments of `home`'s vault costs, readable without a passphrase.
pub fn costs_of(home: &Home) -> Result<Vec<KdfCost>, VaultError> {
    costs(&read_private(&home.vault(), MAX_FILE_BYTES)?)
}

fn costs(bytes: &[u8]) -> Result<Vec<KdfCost>, VaultError> {
    let (_, sealed_identity, spending) = read(bytes)?;
    Ok(std::iter::once(sealed_identity.cost()).chain(spending.map(|sealed| sealed.cost())).collect())
}

fn check_memory(costs: &[KdfCost], available_kib: Option<u64>) -> Result<(), VaultError> {
    let needed_kib = costs.iter().map(|cost| cost.memory_kib()).max().unwrap_or(0);
    match available_kib {
        Some(available) if available < u64::from(needed_kib) => {
            Err(VaultError::TooLittleMemory { needed_kib, available_kib })
        }
        _ => Ok(()),
    }
}

type Parts = ([u8; PREAMBLE_BYTES], Sealed, Option<Sealed>);

fn read(bytes: &[u8]) -> Result<Parts, VaultError> {
    if !bytes.starts_with(MAGIC) {
        return Err(VaultError::NotAVault);
    }
    let preamble: [u8; PREAMBLE_BYTES] = *bytes.first_chunk().ok_or(VaultError::Truncated)?;
    if preamble[8] != VERSION {
        return Err(VaultError::UnknownVersion { found: preamble[8] });
    }
    let mut rest = &bytes[PREAMBLE_BYTES..];
    let sealed_identity = Sealed::take(Compartment::Identity, &mut rest)?;
    let spending = match preamble[9] {
        0 => None,
        1 => Some(Sealed::take(Compartment::Spending, &mut rest)?),
        found => return Err(VaultError::UnknownKind { found }),
    };
    if rest.is_empty() {
        Ok((preamble, sealed_identity, spending))
    } else {
        Err(VaultError::TrailingBytes { found: rest.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_less_memory_is_told_how_much_it_takes() {
        let costs = [KdfCost::new(65_536, 1), KdfCost::new(KdfCost::MAX_MEMORY_KIB, 1)].map(Result::unwrap);
        assert!(check_memory(&costs, None).is_ok());
        assert!(check_memory(&costs, Some(1_048_576)).is_ok());
        let told = check_memory(&costs, Some(900_000)).unwrap_err().to_string();
        assert!(told.contains("1048576 KiB") && told.contains("900000 KiB free"), "{told}");
    }
}
