//! Digests of our own documents: SHA-256 over a domain-separation prefix and the canonical bytes.
//!
//! Every signature and every chain of entries in Airlock is over one of these. The prefix names what
//! the bytes are and their version, so a digest of one kind of document can never be mistaken for
//! another's. Chain-specific hashes (keccak-256, TRON's plain SHA-256) live in `chain`.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A 32-byte SHA-256 digest of one of our own documents. Shown and spelled in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// SHA-256 of `domain`, one newline byte, and `bytes`. `domain` is printable ASCII without a
    /// newline, such as `airlock:content:1`, which makes the separation unambiguous.
    pub fn of(domain: &str, bytes: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(domain.as_bytes());
        hasher.update(b"\n");
        hasher.update(bytes);
        Self(hasher.finalize().into())
    }

    /// The digest whose bytes are already known, for instance read from a document.
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

    /// All zeros: the `previous` of a chain's first entry.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `N` bytes from exactly `2 N` lower-case hex digits; any other text is `None`.
pub fn bytes_from_lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || text.bytes().any(|c| c.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
