//! Writing an export: one line after the other, counted and hashed, so that nothing is held in memory.
//!
//! Called by the coordinator's `ledger export` and by tests. What must stay true: what was hashed is what is
//! returned to be written, byte for byte.

use super::{Counts, End, Hex, Line, export_digest};
use crate::identity::IdentitySignature;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

/// An export in the making.
#[derive(Clone, Default)]
pub struct Book {
    hasher: Sha256,
    counts: Counts,
}

impl Book {
    /// The bytes of the next line, its line feed included.
    pub fn line(&mut self, line: &Line) -> Vec<u8> {
        let bytes = bytes_of(line);
        self.hasher.update(&bytes);
        self.counts.add(line);
        bytes
    }

    /// How much has been written.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The last line, under the coordinator's signature.
    pub fn end(self, key: &SigningKey) -> Vec<u8> {
        let sha256: [u8; 32] = self.hasher.finalize().into();
        let signature = IdentitySignature::by(key, &export_digest(&sha256));
        let signature = Hex(*signature.as_bytes());
        bytes_of(&Line::End(End { counts: self.counts, sha256: Hex(sha256), signature }))
    }
}

/// The one spelling of a line. Strings, numbers and lists always serialise.
pub(super) fn bytes_of(line: &Line) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
