//! TRON addresses: 0x41 and 20 bytes, as base58check or hex.
//!
//! The devnet keeps the 20 bytes (the EVM engine's address) and adds the prefix only at its edges.

use revm::primitives::Address;

use crate::keys::sha256;

/// The prefix of every TRON address.
pub(crate) const PREFIX: u8 = 0x41;

/// 21 bytes.
pub(crate) fn to_bytes(address: &Address) -> Vec<u8> {
    let mut bytes = vec![PREFIX];
    bytes.extend_from_slice(address.as_slice());
    bytes
}

/// The 20 bytes of a valid address (21 bytes beginning with 0x41).
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Address> {
    match bytes.split_first() {
        Some((&PREFIX, rest)) if rest.len() == 20 => Some(Address::from_slice(rest)),
        _ => None,
    }
}

/// Base58check of any payload; nodes print whatever bytes they were given.
pub(crate) fn base58(payload: &[u8]) -> String {
    let mut bytes = payload.to_vec();
    let checksum = sha256(&sha256(payload));
    bytes.extend_from_slice(&checksum[..4]);
    bs58::encode(bytes).into_string()
}

/// The text form with `T`.
pub(crate) fn to_text(address: &Address) -> String {
    base58(&to_bytes(address))
}

/// Bytes of a base58check text with a correct checksum.
pub(crate) fn from_base58(text: &str) -> Option<Vec<u8>> {
    if text.len() > 64 {
        return None;
    }
    let bytes = bs58::decode(text).into_vec().ok()?;
    let (payload, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    (sha256(&sha256(payload))[..4] == *checksum).then(|| payload.to_vec())
}

/// An address as the control routes take it: `T…`, `41…` or `0x…` with 20 bytes.
pub(crate) fn parse(text: &str) -> Option<Address> {
    if let Some(plain) = text.strip_prefix("0x") {
        let bytes = hex::decode(plain).ok()?;
        return (bytes.len() == 20).then(|| Address::from_slice(&bytes));
    }
    if text.starts_with('T') {
        return from_bytes(&from_base58(text)?);
    }
    from_bytes(&hex::decode(text).ok()?)
}
