//! secp256k1 signatures as both chain families use them: making one, checking one, recovering its key.
//!
//! The signer calls [`sign`], both sides and the auditor recover the address from every signature before they
//! trust it. A [`Signature`] is canonical by construction: r and s in 1..n-1, s at most n/2 (EIP-2), parity 0
//! or 1, so one signed hash and key has exactly one spelling in our documents: 65 bytes r ‖ s ‖ 27 + parity.

use crate::address::Address;
use crate::network::Network;
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};
use std::fmt;

/// Why bytes are not a canonical signature, or why no key can be recovered from one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 65 bytes.
    #[error("a signature has 65 bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The last byte, or the parity, is none of the allowed values.
    #[error("recovery byte {found} is not allowed here")]
    RecoveryByte {
        /// The byte found.
        found: u8,
    },
    /// r or s is zero or at least the group order.
    #[error("r or s is not between 1 and the group order")]
    OutOfRange,
    /// s is above half the group order (EIP-2).
    #[error("s is above half the group order")]
    HighS,
    /// No public key fits this hash and signature.
    #[error("no public key can be recovered from this signature")]
    NotRecoverable,
}

/// A canonical recoverable signature: r and s in range, low s, parity of R's y coordinate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature {
    r: [u8; 32],
    s: [u8; 32],
    y_is_odd: bool,
}

impl Signature {
    /// Bytes of the one spelling in our own documents.
    pub const BYTES: usize = 65;

    /// From r and s (big endian) and the parity 0 or 1; every range is checked.
    pub fn from_parts(r: [u8; 32], s: [u8; 32], y_parity: u8) -> Result<Self, SignatureError> {
        let y_is_odd = match y_parity {
            0 => false,
            1 => true,
            found => return Err(SignatureError::RecoveryByte { found }),
        };
        let inner = k256::ecdsa::Signature::from_scalars(r, s).map_err(|_| SignatureError::OutOfRange)?;
        if inner.normalize_s() != inner {
            return Err(SignatureError::HighS);
        }
        Ok(Self { r, s, y_is_odd })
    }

    /// Reads the one spelling of our own documents: r ‖ s ‖ v with v 27 or 28, low s.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let (r, s, v) = split(bytes)?;
        match v {
            27 | 28 => Self::from_parts(r, s, v - 27),
            found => Err(SignatureError::RecoveryByte { found }),
        }
    }

    /// r ‖ s ‖ 27 + parity.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.with_recovery_byte(27 + self.y_parity())
    }

    /// r ‖ s ‖ `last`, for a chain's own spelling.
    pub(crate) fn with_recovery_byte(&self, last: u8) -> [u8; Self::BYTES] {
        let mut bytes = [last; Self::BYTES];
        bytes[..32].copy_from_slice(&self.r);
        bytes[32..64].copy_from_slice(&self.s);
        bytes
    }

    /// r, 32 bytes big endian.
    pub const fn r(&self) -> &[u8; 32] {
        &self.r
    }

    /// s, 32 bytes big endian, at most half the group order.
    pub const fn s(&self) -> &[u8; 32] {
        &self.s
    }

    /// 0 if R's y coordinate is even, else 1.
    pub const fn y_parity(&self) -> u8 {
        self.y_is_odd as u8
    }

    /// The public key, X ‖ Y, that signed `hash`.
    pub fn recover(&self, hash: &[u8; 32]) -> Result<[u8; 64], SignatureError> {
        recover_key(&self.r, &self.s, RecoveryId::new(self.y_is_odd, false), hash)
    }

    /// The account on `network` that signed `hash`.
    pub fn recover_address(&self, network: Network, hash: &[u8; 32]) -> Result<Address, SignatureError> {
        Ok(Address::from_public_key(network, &self.recover(hash)?))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.to_bytes()))
    }
}

/// Signs a 32-byte hash: RFC 6979 nonce over SHA-256, low s. The same key and hash give the same bytes for
/// ever. An error means that R's x coordinate exceeded the group order, which happens once in 2^127.
pub fn sign(key: &SigningKey, hash: &[u8; 32]) -> Result<Signature, SignatureError> {
    let (signature, recovery) = key.sign_prehash_recoverable(hash);
    let (r, s) = signature.split_bytes();
    Signature::from_parts(r.into(), s.into(), recovery.to_byte())
}

/// The public key of a signing key, uncompressed without its leading 0x04: X ‖ Y.
pub fn public_key(key: &SigningKey) -> [u8; 64] {
    uncompressed(key.verifying_key())
}

/// X ‖ Y of a public key.
pub fn uncompressed(key: &VerifyingKey) -> [u8; 64] {
    let point = key.to_sec1_point(false);
    let mut xy = [0; 64];
    // SEC1's uncompressed form is 0x04 ‖ X ‖ Y: always 65 bytes.
    xy.copy_from_slice(&point.as_bytes()[1..]);
    xy
}

/// r, s and the last byte of exactly 65 bytes.
pub(crate) fn split(bytes: &[u8]) -> Result<([u8; 32], [u8; 32], u8), SignatureError> {
    let wrong = || SignatureError::Length { found: bytes.len() };
    let bytes: &[u8; Signature::BYTES] = bytes.try_into().map_err(|_| wrong())?;
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&bytes[..32]);
    s.copy_from_slice(&bytes[32..64]);
    Ok((r, s, bytes[64]))
}

/// Recovers without the low-s rule: chains that do not enforce it need this to read what they accept.
pub(crate) fn recover_key(
    r: &[u8; 32],
    s: &[u8; 32],
    recovery: RecoveryId,
    hash: &[u8; 32],
) -> Result<[u8; 64], SignatureError> {
    let inner = k256::ecdsa::Signature::from_scalars(*r, *s).map_err(|_| SignatureError::OutOfRange)?;
    VerifyingKey::recover_from_prehash(hash, &inner, recovery)
        .map(|key| uncompressed(&key))
        .map_err(|_| SignatureError::NotRecoverable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (SigningKey, [u8; 32], Signature) {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let hash = [9; 32];
        let signature = sign(&key, &hash).unwrap();
        (key, hash, signature)
    }

    #[test]
    fn the_signer_is_recovered_from_its_signature() {
        let (key, hash, signature) = signed();
        assert_eq!(signature.recover(&hash).unwrap(), public_key(&key));
        assert_eq!(Signature::from_bytes(&signature.to_bytes()).unwrap(), signature);
    }

    #[test]
    fn other_spellings_of_a_signature_are_refused() {
        let (_, _, signature) = signed();
        let mut bytes = signature.to_bytes();
        for v in [0, 1, 26, 29, 31, 255] {
            bytes[64] = v;
            assert_eq!(Signature::from_bytes(&bytes), Err(SignatureError::RecoveryByte { found: v }));
        }
        assert_eq!(Signature::from_bytes(&bytes[..64]), Err(SignatureError::Length { found: 64 }));
        assert_eq!(Signature::from_parts([0; 32], *signature.s(), 0), Err(SignatureError::OutOfRange));
        assert_eq!(Signature::from_parts(*signature.r(), [0xff; 32], 0), Err(SignatureError::OutOfRange));
        // Half the group order is 0x7fff…, so this is the first round number above it.
        let mut high = [0; 32];
        high[0] = 0x80;
        assert_eq!(Signature::from_parts(*signature.r(), high, 0), Err(SignatureError::HighS));
    }
}
