//! Identities: the Ed25519 keys of devices, custodians, approvers and coordinators.
//!
//! They sign our own documents (RFC 8032, strict verification), never a chain's transactions. Every
//! signature is over a [`Digest`], whose domain prefix says what was signed.

use crate::digest::Digest;
use crate::form::{Form, FormError, Reader, Writer};
use crate::id::PersonId;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use std::fmt;

/// An Ed25519 public key. Spelled as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 32]);

/// An Ed25519 signature over a digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdentitySignature([u8; 64]);

impl Identity {
    /// The identity of a signing key.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }

    /// From 32 bytes. Whether they are a point of the curve shows when a signature is verified.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads exactly 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::digest::bytes_from_lower_hex(text).map(Self)
    }

    /// Is `signature` this identity's over `digest`? Strict: small-order keys and non-canonical
    /// encodings are refused, so one signature has one form.
    pub fn verifies(&self, digest: &Digest, signature: &IdentitySignature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(digest.as_bytes(), &signature).is_ok())
    }

    /// First four bytes of the SHA-256 of the key: how batches name a vault.
    pub fn fingerprint(&self) -> [u8; 4] {
        let digest = Digest::of("airlock:fingerprint:1", &self.0);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }
}

impl IdentitySignature {
    /// Signs `digest`; deterministic (RFC 8032).
    pub fn by(key: &SigningKey, digest: &Digest) -> Self {
        Self(key.sign(digest.as_bytes()).to_bytes())
    }

    /// From 64 bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for IdentitySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The most custodians a roster may have.
pub const MAX_CUSTODIANS: usize = 16;

/// The custodians of a vault and how many of them decide together. Pinned at `init`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roster {
    /// Who they are; names and keys are distinct, sorted by name.
    pub custodians: Vec<Custodian>,
    /// How many must sign a policy, a pairing or a journal genesis.
    pub threshold: u64,
}

/// One custodian.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Custodian {
    /// Their name.
    pub name: PersonId,
    /// The identity of their device.
    pub identity: Identity,
}

impl Roster {
    /// Sorts and checks: 1 to 16 custodians, distinct names and keys, threshold within their number.
    pub fn new(mut custodians: Vec<Custodian>, threshold: u64) -> Option<Self> {
        custodians.sort();
        let roster = Self { custodians, threshold };
        roster.is_sound().then_some(roster)
    }

    fn is_sound(&self) -> bool {
        let names = self.custodians.windows(2).all(|pair| pair[0].name < pair[1].name);
        let mut keys: Vec<_> = self.custodians.iter().map(|custodian| custodian.identity).collect();
        keys.sort();
        keys.dedup();
        let count = self.custodians.len();
        names
            && keys.len() == count
            && count <= MAX_CUSTODIANS
            && (1..=count as u64).contains(&self.threshold)
    }

    /// What auditors pin: the digest of names, keys and threshold.
    pub fn digest(&self) -> Digest {
        Digest::of("airlock:roster:1", &crate::form::to_cbor(self))
    }

    /// How many distinct custodians signed `digest`; signatures of strangers and bad ones do not count.
    pub fn signers_of(&self, digest: &Digest, signatures: &[CustodianSignature]) -> u64 {
        let signed = |custodian: &&Custodian| {
            signatures.iter().any(|given| {
                given.custodian == custodian.identity && given.custodian.verifies(digest, &given.signature)
            })
        };
        self.custodians.iter().filter(signed).count() as u64
    }
}

impl Form for Roster {
    fn write(&self, to: &mut Writer) {
        to.parts(0, "custodians", &self.custodians);
        to.uint(1, "threshold", self.threshold);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let custodians = from.parts(0, "custodians", MAX_CUSTODIANS)?;
        let roster = Self { custodians, threshold: from.uint(1, "threshold")? };
        if roster.is_sound() {
            Ok(roster)
        } else {
            Err(from.refused("custodians", "distinct, sorted by name, and a threshold within their number"))
        }
    }
}

impl Form for Custodian {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.bytes(1, "identity", self.identity.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let name = from.parsed(0, "name", PersonId::MAX_BYTES, "a person id", PersonId::new)?;
        Ok(Self { name, identity: Identity::from_bytes(from.exact(1, "identity")?) })
    }
}

/// One custodian's signature under a policy or a ceremony.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustodianSignature {
    /// Whose.
    pub custodian: Identity,
    /// The signature.
    pub signature: IdentitySignature,
}

impl Form for CustodianSignature {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "custodian", self.custodian.as_bytes());
        to.bytes(1, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            custodian: Identity::from_bytes(from.exact(0, "custodian")?),
            signature: IdentitySignature::from_bytes(from.exact(1, "signature")?),
        })
    }
}
