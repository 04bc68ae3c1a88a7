//! How TRON spells signatures: which last bytes occur, and what a node makes of any 65 bytes.
//!
//! Our own transactions carry canonical signatures in one of two spellings, [`RecoveryForm`]. Nodes accept
//! more (high s, other headers, extra bytes); [`recover_as_node`] reads as they do and is for judging what came
//! from the chain, never for our own documents.

use super::Refusal;
use crate::address::Address;
use crate::chain::signature::{Signature, SignatureError, recover_key, split};
use crate::network::Network;
use k256::ecdsa::RecoveryId;

/// The two normal spellings of a signature's last byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RecoveryForm {
    /// 27 + parity, as tronweb writes and as our own documents do.
    #[default]
    Plus27,
    /// The parity itself, as java-tron and tronpy write.
    Plain,
}

impl RecoveryForm {
    /// The signature's 65 bytes in this form.
    pub fn write(self, signature: &Signature) -> [u8; Signature::BYTES] {
        match self {
            Self::Plus27 => signature.to_bytes(),
            Self::Plain => signature.with_recovery_byte(signature.y_parity()),
        }
    }

    /// Reads a canonical signature in either form.
    pub fn read(bytes: &[u8]) -> Result<(Signature, Self), SignatureError> {
        let (r, s, last) = split(bytes)?;
        let (parity, form) = match last {
            0 | 1 => (last, Self::Plain),
            27 | 28 => (last - 27, Self::Plus27),
            found => return Err(SignatureError::RecoveryByte { found }),
        };
        Ok((Signature::from_parts(r, s, parity)?, form))
    }
}

/// Signatures that all have the same form.
pub(super) fn read_all(texts: &[&[u8]]) -> Result<(Vec<Signature>, RecoveryForm), Refusal> {
    let mut signatures = Vec::with_capacity(texts.len());
    let mut forms = Vec::with_capacity(texts.len());
    for bytes in texts {
        let (signature, form) = RecoveryForm::read(bytes)?;
        signatures.push(signature);
        forms.push(form);
    }
    match forms.first() {
        None => Err(Refusal::SignatureCount { found: 0 }),
        Some(form) if forms.iter().all(|other| other == form) => Ok((signatures, *form)),
        Some(_) => Err(Refusal::MixedRecoveryForms),
    }
}

/// The account that a node (java-tron) recovers from `signature`, with all its leniency: bytes after the 65th are
/// ignored, s may be high, the last byte may be 0..=7 or 27..=34 (`ECKey.signatureToKeyBytes`).
pub fn recover_as_node(
    network: Network,
    hash: &[u8; 32],
    signature: &[u8],
) -> Result<Address, SignatureError> {
    let first = signature.get(..Signature::BYTES).unwrap_or(signature);
    let (r, s, last) = split(first)?;
    let header = match last {
        0..=7 => last + 27,
        27..=34 => last,
        found => return Err(SignatureError::RecoveryByte { found }),
    };
    // Headers from 31 up mean a compressed key to Bitcoin; TRON folds them onto 27..=30.
    let id = if header >= 31 { header - 31 } else { header - 27 };
    let recovery = RecoveryId::from_byte(id).ok_or(SignatureError::RecoveryByte { found: last })?;
    Ok(Address::from_public_key(network, &recover_key(&r, &s, recovery, hash)?))
}
