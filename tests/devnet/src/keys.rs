//! Digests, signature recovery and the one key the devnet itself signs with.
//!
//! Both faces recover senders here; the control routes sign the deployer's transactions here. The deployer's key is public by
//! design: it exists only on development chains.

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use revm::primitives::{Address, keccak256};
use sha2::{Digest, Sha256};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The address (last 20 bytes of keccak-256 of the uncompressed key) that signed `digest`; `None` if no key can have.
/// High s is accepted: whether it may be is the caller's rule.
pub(crate) fn recover(digest: &[u8; 32], r_and_s: &[u8], recovery: u8) -> Option<Address> {
    let signature = Signature::from_slice(r_and_s).ok()?;
    let recovery = RecoveryId::from_byte(recovery)?;
    VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok().map(|key| address_of(&key))
}

fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let hash = keccak256(point.as_bytes().get(1..).unwrap_or_default());
    Address::from_slice(&hash[12..])
}

/// A key of the devnet's own.
#[derive(Clone)]
pub(crate) struct DevKey {
    signing: SigningKey,
    /// Its 20-byte address, the same on every chain.
    pub(crate) address: Address,
}

impl DevKey {
    /// The key behind a label; anyone can compute it.
    pub(crate) fn from_label(label: &str) -> anyhow::Result<Self> {
        let signing = SigningKey::from_slice(&sha256(label.as_bytes()))?;
        let address = address_of(signing.verifying_key());
        Ok(Self { signing, address })
    }

    /// r ‖ s (low s, RFC 6979) and the recovery id.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> ([u8; 64], u8) {
        let (signature, recovery) = self.signing.sign_prehash_recoverable(digest);
        (signature.to_bytes().into(), recovery.to_byte())
    }
}
