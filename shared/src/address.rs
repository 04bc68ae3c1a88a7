//! Addresses: parsed is not yet checked, and unchecked cannot be shown or paid.
//!
//! An [`UncheckedAddress`] is a well-formed text of one family. Only [`UncheckedAddress::on`] makes an
//! [`Address`], which knows its network, prints itself in that network's spelling and may be put into a
//! batch. Sources: base58check and prefix 0x41 as java-tron reads them; EIP-55 for mixed-case hex.

use crate::network::{Family, Network};
use sha2::{Digest as _, Sha256};
use sha3::Keccak256;
use std::fmt;
use std::str::FromStr;

/// TRON's address prefix byte on every network in use.
const TRON_PREFIX: u8 = 0x41;

/// Why a text is not an address, or not one that may be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither a TRON base58check text nor `0x` and 40 hex digits.
    #[error("not an address: {found:?}")]
    Malformed {
        /// What was there, cut to 64 characters.
        found: String,
    },
    /// The checksum (base58check or EIP-55) does not fit.
    #[error("address checksum does not fit: {found:?}")]
    Checksum {
        /// What was there.
        found: String,
    },
    /// A good address of another family.
    #[error("address belongs to another kind of network than {network}")]
    WrongNetwork {
        /// The network it was to be used on.
        network: Network,
    },
}

/// A well-formed address text whose network is not settled yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UncheckedAddress {
    family: Family,
    payload: [u8; 20],
    checksummed: bool,
}

impl UncheckedAddress {
    /// Settles the network; another family's address is refused.
    pub fn on(self, network: Network) -> Result<Address, AddressError> {
        if self.family == network.family() {
            Ok(Address { network, payload: self.payload })
        } else {
            Err(AddressError::WrongNetwork { network })
        }
    }

    /// Did the text carry a checksum? TRON always does; all-lower and all-upper hex does not.
    pub const fn checksummed(self) -> bool {
        self.checksummed
    }
}

impl FromStr for UncheckedAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() == 42 && text.starts_with("0x") {
            return parse_evm(text);
        }
        if text.len() == 34 && text.starts_with('T') {
            return parse_tron(text);
        }
        Err(AddressError::Malformed { found: text.chars().take(64).collect() })
    }
}

fn parse_evm(text: &str) -> Result<UncheckedAddress, AddressError> {
    let malformed = || AddressError::Malformed { found: text.chars().take(64).collect() };
    let digits = &text.as_bytes()[2..];
    let mut payload = [0; 20];
    hex::decode_to_slice(digits, &mut payload).map_err(|_| malformed())?;
    let lower = digits.iter().any(u8::is_ascii_lowercase);
    let upper = digits.iter().any(u8::is_ascii_uppercase);
    // Digits only, or letters that all belong in upper case, carry their checksum without looking mixed.
    let checksummed = eip55(&payload) == text;
    if lower && upper && !checksummed {
        return Err(AddressError::Checksum { found: text.to_owned() });
    }
    Ok(UncheckedAddress { family: Family::Evm, payload, checksummed })
}

fn parse_tron(text: &str) -> Result<UncheckedAddress, AddressError> {
    let malformed = || AddressError::Malformed { found: text.chars().take(64).collect() };
    let bytes = bs58::decode(text).into_vec().map_err(|_| malformed())?;
    let bytes: [u8; 25] = bytes.try_into().map_err(|_| malformed())?;
    let (body, checksum) = bytes.split_at(21);
    if Sha256::digest(Sha256::digest(body))[..4] != *checksum {
        return Err(AddressError::Checksum { found: text.to_owned() });
    }
    match *body {
        [TRON_PREFIX, ref payload @ ..] => Ok(UncheckedAddress {
            family: Family::Tron,
            payload: payload.try_into().map_err(|_| malformed())?,
            checksummed: true,
        }),
        _ => Err(malformed()),
    }
}

/// An account or contract on one network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    network: Network,
    payload: [u8; 20],
}

impl Address {
    /// The address with these 20 bytes (without TRON's prefix) on `network`.
    pub const fn new(network: Network, payload: [u8; 20]) -> Self {
        Self { network, payload }
    }

    /// Parses `text` and settles its network in one step.
    pub fn parse(network: Network, text: &str) -> Result<Self, AddressError> {
        text.parse::<UncheckedAddress>()?.on(network)
    }

    /// From an uncompressed public key, 64 bytes X‖Y: the last 20 bytes of its keccak-256.
    pub fn from_public_key(network: Network, xy: &[u8; 64]) -> Self {
        let hash = Keccak256::digest(xy);
        let mut payload = [0; 20];
        payload.copy_from_slice(&hash[12..]);
        Self { network, payload }
    }

    /// Its network.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Its 20 bytes, without TRON's prefix.
    pub const fn payload(&self) -> &[u8; 20] {
        &self.payload
    }

    /// 21 bytes with TRON's prefix 0x41, as TRON's messages carry it.
    pub fn tron_bytes(&self) -> [u8; 21] {
        let mut bytes = [TRON_PREFIX; 21];
        bytes[1..].copy_from_slice(&self.payload);
        bytes
    }
}

impl fmt::Display for Address {
    /// Base58check on TRON, EIP-55 elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network.family() {
            Family::Evm => f.write_str(&eip55(&self.payload)),
            Family::Tron => f.write_str(&base58check(&self.tron_bytes())),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} on {}", self.network)
    }
}

fn base58check(body: &[u8; 21]) -> String {
    let mut bytes = body.to_vec();
    bytes.extend_from_slice(&Sha256::digest(Sha256::digest(body))[..4]);
    bs58::encode(bytes).into_string()
}

/// EIP-55: a letter is upper case when the matching nibble of keccak-256(lower-case digits) is 8 or more.
fn eip55(payload: &[u8; 20]) -> String {
    let nibble =
        |bytes: &[u8], i: usize| if i.is_multiple_of(2) { bytes[i / 2] >> 4 } else { bytes[i / 2] & 0x0f };
    let lower: [u8; 40] = std::array::from_fn(|i| b"0123456789abcdef"[usize::from(nibble(payload, i))]);
    let hash = Keccak256::digest(lower);
    let mut text = String::with_capacity(42);
    text.push_str("0x");
    for (i, digit) in lower.iter().enumerate() {
        text.push(char::from(if nibble(&hash, i) >= 8 { digit.to_ascii_uppercase() } else { *digit }));
    }
    text
}
