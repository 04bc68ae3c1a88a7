//! What the spending compartment holds, and its bytes: the root of all derived keys, and imported keys.
//!
//! Called by the vault (to seal and open), by `keys` (to derive) and by the commands that make, restore and
//! import. What must stay true: nothing here can be printed, compared or cloned; everything is overwritten when
//! dropped; buffers are made large enough at once, because growing would leave copies behind; the compartment
//! says by itself where each imported key may sign, so that the identity compartment cannot widen it.

use super::{MAX_IMPORTED, Reach};
use crate::secret::{Bip39Passphrase, Entropy};
use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};
use std::convert::Infallible;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// Room for the longest passphrase and every imported key.
const CAPACITY: usize = 8 * 1024;

/// Everything that can spend.
pub struct Spending {
    root: Root,
    imported: Vec<ImportedKey>,
}

/// Where derived keys come from.
pub enum Root {
    /// A mnemonic of BIP-39. Every vault that is made here has one.
    Mnemonic {
        /// The bits behind its words.
        entropy: Entropy,
        /// BIP-39's passphrase, the "25th word"; empty where none was set.
        passphrase: Bip39Passphrase,
    },
    /// The master secret of a hardware wallet's SLIP-39 backup: the BIP-32 seed itself, 128 or 256 bits, with no
    /// mnemonic behind it.
    Slip39 {
        /// What the shares gave under their passphrase.
        secret: Entropy,
    },
}

impl Root {
    /// A mnemonic's.
    pub const fn mnemonic(entropy: Entropy, passphrase: Bip39Passphrase) -> Self {
        Self::Mnemonic { entropy, passphrase }
    }

    /// What a backup holds: the entropy or the master secret.
    pub const fn secret(&self) -> &Entropy {
        match self {
            Self::Mnemonic { entropy, .. } => entropy,
            Self::Slip39 { secret } => secret,
        }
    }
}

/// An imported private key and where it may sign. Whether it is a key at all was checked by `keys`.
pub struct ImportedKey {
    reach: Reach,
    bytes: Zeroizing<[u8; 32]>,
}

impl ImportedKey {
    /// A key for the networks that `reach` covers.
    pub const fn new(reach: Reach, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { reach, bytes }
    }

    /// Where it may sign.
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// The private key, for `keys` alone.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl Spending {
    /// A root without imported keys.
    pub fn new(root: Root) -> Self {
        Self { root, imported: Vec::with_capacity(MAX_IMPORTED) }
    }

    /// Where derived keys come from.
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Imported keys by slot.
    pub fn imported(&self) -> &[ImportedKey] {
        &self.imported
    }

    /// Puts a key into the next slot; `None` when all are taken.
    pub fn import(&mut self, key: ImportedKey) -> Option<u32> {
        let slot = self.imported.len();
        if slot >= MAX_IMPORTED {
            return None;
        }
        self.imported.push(key);
        u32::try_from(slot).ok()
    }

    /// Its bytes, to be sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
        // Writing into a Vec cannot fail: its error type is Infallible.
        let _ = self.write(&mut Encoder::new(&mut *bytes));
        bytes
    }

    fn write(&self, to: &mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>> {
        to.array(3)?.u8(VERSION)?;
        match &self.root {
            Root::Mnemonic { entropy, passphrase } => {
                to.array(3)?.u8(0)?.bytes(entropy.as_bytes())?.str(passphrase.as_str())?
            }
            Root::Slip39 { secret } => to.array(2)?.u8(1)?.bytes(secret.as_bytes())?,
        };
        to.array(self.imported.len() as u64)?;
        for key in &self.imported {
            to.array(2)?;
            match key.reach {
                Reach::Evm => drop(to.null()?),
                Reach::Tron { chain_id } => drop(to.u32(chain_id)?),
            }
            to.bytes(&key.bytes[..])?;
        }
        Ok(())
    }

    /// Reads what [`Self::encode`] wrote. The bytes were authenticated already; a failure here means another
    /// version of this program wrote them. Nothing of them is quoted.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut from = Decoder::new(bytes);
        let fields = from.array()?;
        if from.u8()? != VERSION {
            return Err(CborError::message("unknown version of the spending compartment"));
        }
        if fields != Some(3) {
            return Err(CborError::message("not a spending compartment"));
        }
        let mut spending = Self::new(root(&mut from)?);
        let count = from.array()?.unwrap_or(u64::MAX);
        for _ in 0..count {
            if spending.import(imported(&mut from)?).is_none() {
                return Err(CborError::message("too many imported keys"));
            }
        }
        if from.position() != bytes.len() || spending.encode()[..] != *bytes {
            return Err(CborError::message("not the one spelling of a spending compartment"));
        }
        Ok(spending)
    }
}

fn root(from: &mut Decoder<'_>) -> Result<Root, CborError> {
    let (fields, kind) = (from.array()?, from.u8()?);
    let secret =
        Entropy::from_slice(from.bytes()?).ok_or_else(|| CborError::message("not a root of keys"))?;
    match (fields, kind) {
        (Some(3), 0) => Bip39Passphrase::of_normalized(from.str()?)
            .map(|passphrase| Root::mnemonic(secret, passphrase))
            .ok_or_else(|| CborError::message("not a passphrase of BIP-39")),
        (Some(2), 1) => Ok(Root::Slip39 { secret }),
        _ => Err(CborError::message("unknown root of keys")),
    }
}

fn imported(from: &mut Decoder<'_>) -> Result<ImportedKey, CborError> {
    if from.array()? != Some(2) {
        return Err(CborError::message("not an imported key"));
    }
    let reach = if from.datatype()? == minicbor::data::Type::Null {
        from.null()?;
        Reach::Evm
    } else {
        Reach::Tron { chain_id: from.u32()? }
    };
    let mut bytes = Zeroizing::new([0; 32]);
    let read = from.bytes()?;
    if read.len() != bytes.len() {
        return Err(CborError::message("not an imported key"));
    }
    bytes.copy_from_slice(read);
    Ok(ImportedKey { reach, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Spending {
        let passphrase = Bip39Passphrase::new(&"x".repeat(Bip39Passphrase::MAX_BYTES)).ok().unwrap();
        let mut spending = Spending::new(Root::mnemonic(Entropy::from_slice(&[7; 32]).unwrap(), passphrase));
        let key = |reach| ImportedKey::new(reach, Zeroizing::new([9; 32]));
        for _ in 0..MAX_IMPORTED {
            assert!(spending.import(key(Reach::Tron { chain_id: u32::MAX })).is_some());
        }
        assert!(spending.import(key(Reach::Evm)).is_none());
        spending
    }

    #[test]
    fn the_fullest_compartment_comes_back_and_never_made_the_buffer_grow() {
        let bytes = full().encode();
        assert!(bytes.len() < CAPACITY && bytes.capacity() == CAPACITY);
        let back = Spending::decode(&bytes).unwrap();
        assert_eq!(back.encode()[..], bytes[..]);
        assert_eq!(back.imported().len(), MAX_IMPORTED);
    }

    #[test]
    fn every_length_of_a_mnemonic_comes_back_and_no_other() {
        for length in [16, 20, 24, 28, 32] {
            let entropy = Entropy::from_slice(&vec![3; length]).unwrap();
            let bytes = Spending::new(Root::mnemonic(entropy, Bip39Passphrase::none())).encode();
            let back = Spending::decode(&bytes).unwrap();
            assert_eq!(back.root().secret().as_bytes(), vec![3; length]);
            let secret = Entropy::from_slice(&vec![3; length]).unwrap();
            let bytes = Spending::new(Root::Slip39 { secret }).encode();
            assert!(matches!(Spending::decode(&bytes).unwrap().root(), Root::Slip39 { .. }));
        }
        for length in [0, 15, 17, 18, 31, 33, 64] {
            assert!(Entropy::from_slice(&vec![3; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn other_versions_cuts_and_loose_spellings_are_refused() {
        let bytes = full().encode();
        let mut other = bytes.clone();
        other[1] = 2;
        assert!(Spending::decode(&other).err().unwrap().to_string().contains("unknown version"));
        for length in 0..200 {
            assert!(Spending::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Spending::decode(&longer).is_err());
        // The entropy's length in two bytes where one is enough.
        let short = Spending::new(Root::Slip39 { secret: Entropy::from_slice(&[1; 16]).unwrap() }).encode();
        assert_eq!(short[..5], [0x83, 1, 0x82, 1, 0x50]);
        let loose = [&[0x83, 1, 0x82, 1, 0x58, 16], &short[5..]].concat();
        assert!(Spending::decode(&loose).is_err());
    }
}
