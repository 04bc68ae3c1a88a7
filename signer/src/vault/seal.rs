//! One sealed compartment: Argon2id turns the passphrase into a key, AES-256-GCM seals with it.
//!
//! ```text
//! tag u8 | memory_kib u32 | passes u32 | lanes u8 | salt 16 | seal_nonce 12 | length u32 | ciphertext (length)
//! ```
//! Integers are big-endian. Everything before the ciphertext, and the vault's preamble before it, is
//! additional authenticated data. Called by the vault only. What must stay true: parameters below the
//! floor or above the ceiling are refused before a byte is derived; a seal nonce is random and fresh for
//! every sealing; a changed byte anywhere means that nothing opens.

use crate::memory::Secret;
use crate::secret::{Passphrase, fill_random};
use crate::vault::VaultError;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Bytes of a record before its ciphertext.
pub const RECORD_BYTES: usize = 42;
/// The longest ciphertext of one compartment.
pub const MAX_SEALED_BYTES: usize = 1 << 20;

/// Which compartment a record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compartment {
    /// Identity key, roster, pairings, policy pin and journal anchor; opened at start.
    Identity,
    /// The entropy of every spending key; opened after review only.
    Spending,
}

impl Compartment {
    const fn tag(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::Spending => 2,
        }
    }

    /// As errors name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Spending => "spending",
        }
    }
}

/// The steps of memory that calibration tries above the floor.
const CALIBRATED_MEMORY_KIB: [u32; 6] = [65_536, 131_072, 262_144, 524_288, 786_432, 1_048_576];

/// Argon2id's cost. One lane always: more give nothing without threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
}

impl KdfCost {
    /// OWASP's strongest single-pass setting; anything weaker is refused.
    pub const MIN_MEMORY_KIB: u32 = 47_104;
    /// 1 GiB: a header may not demand more than a small machine can give.
    pub const MAX_MEMORY_KIB: u32 = 1_048_576;
    /// A header may not demand hours of work.
    pub const MAX_PASSES: u32 = 16;
    /// 256 MiB, three passes: about 0.7 s on the machine where it was measured.
    pub const DEFAULT: Self = Self { memory_kib: 262_144, passes: 3 };

    /// Checks floor and ceiling.
    pub fn new(memory_kib: u32, passes: u32) -> Result<Self, VaultError> {
        if memory_kib < Self::MIN_MEMORY_KIB || passes < 1 {
            return Err(VaultError::WeakKdf { memory_kib, passes });
        }
        if memory_kib > Self::MAX_MEMORY_KIB || passes > Self::MAX_PASSES {
            return Err(VaultError::ExcessiveKdf { memory_kib, passes });
        }
        Ok(Self { memory_kib, passes })
    }

    /// The dearest cost that takes about `target` on this machine: as much memory as one pass may fill in
    /// that time, then passes. Memory stays within 1 GiB and within `memory_limit_kib`.
    pub fn calibrate(target: Duration, memory_limit_kib: u32) -> Result<Self, VaultError> {
        let mut cost = Self::new(Self::MIN_MEMORY_KIB, 1)?;
        let mut once = cost.time()?;
        for memory_kib in CALIBRATED_MEMORY_KIB {
            // Time grows with memory; nothing is tried that would clearly take longer than the target.
            let expected = once.saturating_mul(memory_kib) / cost.memory_kib;
            if memory_kib > memory_limit_kib || expected > target {
                break;
            }
            cost = Self::new(memory_kib, 1)?;
            once = cost.time()?;
        }
        // The first pass also pays for the memory itself, so another pass is cheaper than the first.
        let twice = Self::new(cost.memory_kib, 2)?.time()?;
        let another = twice.saturating_sub(once).max(once / 4).max(Duration::from_millis(1));
        let spare = target.saturating_sub(once);
        let more = spare.as_millis() / another.as_millis().max(1);
        Self::new(
            cost.memory_kib,
            u32::try_from(more + 1).map_or(Self::MAX_PASSES, |n| n.min(Self::MAX_PASSES)),
        )
    }

    /// How long one derivation takes on this machine.
    pub fn time(self) -> Result<Duration, VaultError> {
        let trial = Passphrase::new("a trial passphrase".to_owned()).map_err(|_| VaultError::Truncated)?;
        let begun = Instant::now();
        self.derive(&trial, &[0; 16])?;
        Ok(begun.elapsed())
    }

    /// Is guessing cheaper than with `other`: less memory, or less work in all?
    pub const fn is_weaker_than(self, other: Self) -> bool {
        self.memory_kib < other.memory_kib || self.work_kib() < other.work_kib()
    }

    /// The cheapest cost that is weaker than neither.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let memory_kib = self.memory_kib.max(other.memory_kib);
        let work_kib = self.work_kib().max(other.work_kib());
        // The larger memory never needs more passes than the one of the two that works more has.
        let passes = u32::try_from(work_kib.div_ceil(memory_kib.into())).unwrap_or(Self::MAX_PASSES);
        Self { memory_kib, passes: passes.min(Self::MAX_PASSES) }
    }

    const fn work_kib(self) -> u64 {
        self.memory_kib as u64 * self.passes as u64
    }

    /// Memory that opening needs, in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over that memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    fn derive(self, passphrase: &Passphrase, salt: &[u8; 16]) -> Result<Secret<[u8; 32]>, VaultError> {
        let no_memory = |_| VaultError::TooLittleMemory { needed_kib: self.memory_kib, available_kib: None };
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(no_memory)?;
        let mut key = Secret::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, &mut key[..])
            .map_err(no_memory)?;
        Ok(key)
    }
}

impl fmt::Display for KdfCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passes = if self.passes == 1 { "pass" } else { "passes" };
        write!(f, "{} KiB in {} {passes}", self.memory_kib, self.passes)
    }
}

/// A derived key with the cost and salt it came from: it seals the same compartment again without
/// asking for the passphrase.
pub struct SealingKey {
    cost: KdfCost,
    salt: [u8; 16],
    key: Secret<[u8; 32]>,
}

impl SealingKey {
    /// A fresh salt and the key that belongs to it.
    pub fn new(passphrase: &Passphrase, cost: KdfCost) -> Result<Self, VaultError> {
        let mut salt = [0; 16];
        fill_random(&mut salt)?;
        Ok(Self { cost, salt, key: cost.derive(passphrase, &salt)? })
    }

    /// What deriving it costs.
    pub const fn cost(&self) -> KdfCost {
        self.cost
    }

    /// Seals `plain`; the record, ready to be written behind `preamble`.
    pub fn seal(&self, what: Compartment, preamble: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut seal_nonce = [0; 12];
        fill_random(&mut seal_nonce)?;
        let length = plain.len() + 16;
        if length > MAX_SEALED_BYTES {
            return Err(VaultError::TooLong { compartment: what.name(), found: length });
        }
        let header = header(what, self.cost, &self.salt, &seal_nonce, length as u32);
        let aad = [preamble, &header[..]].concat();
        let sealed = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.key))
            .encrypt(&Nonce::from(seal_nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| VaultError::TooLong { compartment: what.name(), found: length })?;
        Ok([&header[..], &sealed].concat())
    }
}

fn header(
    what: Compartment,
    cost: KdfCost,
    salt: &[u8; 16],
    nonce: &[u8; 12],
    length: u32,
) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[0] = what.tag();
    bytes[1..5].copy_from_slice(&cost.memory_kib.to_be_bytes());
    bytes[5..9].copy_from_slice(&cost.passes.to_be_bytes());
    bytes[9] = 1;
    bytes[10..26].copy_from_slice(salt);
    bytes[26..38].copy_from_slice(nonce);
    bytes[38..].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// A record as it lies in the file: parameters checked, ciphertext not yet opened.
pub struct Sealed {
    what: Compartment,
    cost: KdfCost,
    salt: [u8; 16],
    seal_nonce: [u8; 12],
    bytes: Vec<u8>,
}

impl Sealed {
    /// Takes one record of the given compartment from the front of `input`.
    pub fn take(what: Compartment, input: &mut &[u8]) -> Result<Self, VaultError> {
        let header: &[u8; RECORD_BYTES] = input.first_chunk().ok_or(VaultError::Truncated)?;
        if header[0] != what.tag() {
            return Err(VaultError::WrongCompartment { expected: what.name(), found: header[0] });
        }
        let cost = KdfCost::new(integer(header, 1), integer(header, 5))?;
        if header[9] != 1 {
            return Err(VaultError::UnknownLanes { found: header[9] });
        }
        let length = integer(header, 38) as usize;
        if length > MAX_SEALED_BYTES {
            return Err(VaultError::TooLong { compartment: what.name(), found: length });
        }
        let bytes = input.get(..RECORD_BYTES + length).ok_or(VaultError::Truncated)?;
        *input = &input[RECORD_BYTES + length..];
        let mut sealed = Self { what, cost, salt: [0; 16], seal_nonce: [0; 12], bytes: bytes.to_vec() };
        sealed.salt.copy_from_slice(&header[10..26]);
        sealed.seal_nonce.copy_from_slice(&header[26..38]);
        Ok(sealed)
    }

    /// The record's bytes, unchanged.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What opening costs.
    pub const fn cost(&self) -> KdfCost {
        self.cost
    }

    /// Derives the key and opens; the key is handed back for sealing again.
    pub fn open(
        &self,
        preamble: &[u8],
        passphrase: &Passphrase,
    ) -> Result<(Zeroizing<Vec<u8>>, SealingKey), VaultError> {
        let key = self.cost.derive(passphrase, &self.salt)?;
        let (header, sealed) = self.bytes.split_at(RECORD_BYTES);
        let aad = [preamble, header].concat();
        let plain = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
            .decrypt(&Nonce::from(self.seal_nonce), Payload { msg: sealed, aad: &aad })
            .map_err(|_| VaultError::DoesNotOpen { compartment: self.what.name() })?;
        Ok((Zeroizing::new(plain), SealingKey { cost: self.cost, salt: self.salt, key }))
    }
}

fn integer(header: &[u8; RECORD_BYTES], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[at..at + 4]);
    u32::from_be_bytes(bytes)
}
