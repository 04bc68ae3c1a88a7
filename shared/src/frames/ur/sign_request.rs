//! `eth-sign-request` (ERC-4527) and `tron-sign-request` (Keystone's registry): what a device is asked to sign.
//!
//! ```text
//! eth-sign-request   1 request id 37(16 bytes)   2 sign data   3 data type   4 chain id   5 keypath   6 address   7 origin
//! tron-sign-request  1 request id 37(16 bytes)   2 sign data   3 data type                4 keypath   5 address   6 origin
//! ```
//! One transaction a request, as the bytes whose hash is signed. `exchange` makes them; tests and the second
//! reader decode them. Optional are the request id, the chain id (then 1), the address and the origin.

use super::RequestId;
use super::cbor::{CborError, Reader, Writer, strict, wrong_length};
use super::keypath::Keypath;
use crate::network::Family;

/// The longest bytes to sign; a transfer has about 120 on EVM networks and 220 on TRON.
const SIGN_DATA_MAX_BYTES: usize = 8_192;
/// The longest name of a sender, in bytes.
pub(super) const ORIGIN_MAX_BYTES: usize = 128;
/// TRON's addresses begin with this byte.
const TRON_PREFIX: u8 = 0x41;

/// What the bytes to sign are (ERC-4527); TRON knows only the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataType {
    /// 1: a legacy transaction's preimage, or TRON's raw_data.
    Transaction,
    /// 2: EIP-712 typed data.
    TypedData,
    /// 3: a raw message.
    Message,
    /// 4: an EIP-2718 transaction's preimage, its type byte included.
    TypedTransaction,
}

impl DataType {
    const ALL: [Self; 4] = [Self::Transaction, Self::TypedData, Self::Message, Self::TypedTransaction];

    const fn code(self) -> u64 {
        match self {
            Self::Transaction => 1,
            Self::TypedData => 2,
            Self::Message => 3,
            Self::TypedTransaction => 4,
        }
    }

    fn from_code(family: Family, code: u64) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|data_type| data_type.code() == code);
        known.filter(|data_type| family == Family::Evm || *data_type == Self::Transaction)
    }
}

/// One transaction for a device to sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignRequest {
    /// Which of the two types it is.
    pub family: Family,
    /// What the reply repeats.
    pub request_id: Option<RequestId>,
    /// The bytes whose hash is signed.
    pub sign_data: Vec<u8>,
    /// What those bytes are.
    pub data_type: DataType,
    /// EIP-155; never on TRON.
    pub chain_id: Option<u64>,
    /// Which key.
    pub path: Keypath,
    /// The address that this key must have, 20 bytes without TRON's prefix.
    pub address: Option<[u8; 20]>,
    /// Who asks, for the device's screen.
    pub origin: Option<String>,
}

impl SignRequest {
    /// The family of a type's name.
    pub(super) fn family_of(ur_type: &str) -> Option<Family> {
        [Family::Evm, Family::Tron].into_iter().find(|family| type_of(*family) == ur_type)
    }

    /// `eth-sign-request` or `tron-sign-request`.
    pub const fn ur_type(&self) -> &'static str {
        type_of(self.family)
    }

    /// Reads one; it must equal its re-encoding.
    pub fn decode(family: Family, cbor: &[u8]) -> Result<Self, CborError> {
        strict(type_of(family), cbor, |from| Self::read(family, from), Self::encode)
    }

    fn read(family: Family, from: &mut Reader<'_>) -> Result<Self, CborError> {
        let (mut request_id, mut sign_data, mut data_type, mut chain_id) = (None, None, None, None);
        let (mut path, mut address, mut origin) = (None, None, None);
        let after = keypath_key(family);
        for _ in 0..from.map(after + 2)? {
            match from.number()? {
                1 => request_id = Some(from.request_id(1)?),
                2 => sign_data = Some(read_sign_data(from)?),
                3 => {
                    let code = from.number()?;
                    let known = DataType::from_code(family, code);
                    data_type =
                        Some(known.ok_or_else(|| from.value(3, format!("unknown data type {code}")))?);
                }
                key if key == after => path = Some(Keypath::read(from)?),
                4 => chain_id = Some(from.number()?),
                key if key == after + 1 => address = Some(read_address(family, key, from)?),
                key if key == after + 2 => origin = Some(from.text(key, ORIGIN_MAX_BYTES)?),
                key => return from.unknown(key),
            }
        }
        Ok(Self {
            family,
            request_id,
            sign_data: from.needed(2, sign_data)?,
            data_type: from.needed(3, data_type)?,
            chain_id,
            path: from.needed(after, path)?,
            address,
            origin,
        })
    }

    /// Its one spelling. The chain id of a TRON request is left out: its type has no key for it.
    pub fn encode(&self) -> Vec<u8> {
        let chain_id = self.chain_id.filter(|_| self.family == Family::Evm);
        let optional =
            [self.request_id.is_some(), chain_id.is_some(), self.address.is_some(), self.origin.is_some()];
        let mut to = Writer::default();
        to.map(3 + optional.into_iter().filter(|there| *there).count());
        if let Some(id) = &self.request_id {
            to.number(1);
            to.request_id(id);
        }
        to.number(2);
        to.bytes(&self.sign_data);
        to.number(3);
        to.number(self.data_type.code());
        if let Some(chain_id) = chain_id {
            to.number(4);
            to.number(chain_id);
        }
        let after = keypath_key(self.family);
        to.number(after);
        self.path.write(&mut to);
        if let Some(address) = &self.address {
            to.number(after + 1);
            match self.family {
                Family::Evm => to.bytes(address),
                Family::Tron => to.bytes(&[&[TRON_PREFIX], &address[..]].concat()),
            }
        }
        if let Some(origin) = &self.origin {
            to.number(after + 2);
            to.text(origin);
        }
        to.done()
    }
}

const fn type_of(family: Family) -> &'static str {
    match family {
        Family::Evm => "eth-sign-request",
        Family::Tron => "tron-sign-request",
    }
}

/// The key of the keypath; address and origin follow it.
const fn keypath_key(family: Family) -> u64 {
    match family {
        Family::Evm => 5,
        Family::Tron => 4,
    }
}

fn read_sign_data(from: &mut Reader<'_>) -> Result<Vec<u8>, CborError> {
    let bytes = from.bytes()?;
    if !(1..=SIGN_DATA_MAX_BYTES).contains(&bytes.len()) {
        let why = format!("{} bytes are not between 1 and {SIGN_DATA_MAX_BYTES}", bytes.len());
        return Err(from.value(2, why));
    }
    Ok(bytes.to_vec())
}

fn read_address(family: Family, key: u64, from: &mut Reader<'_>) -> Result<[u8; 20], CborError> {
    let bytes = from.bytes()?;
    let (payload, expected) = match (family, bytes) {
        (Family::Evm, payload) => (payload, 20),
        (Family::Tron, [TRON_PREFIX, payload @ ..]) => (payload, 21),
        (Family::Tron, _) => return Err(from.value(key, "no address with TRON's prefix 41")),
    };
    payload.try_into().map_err(|_| from.value(key, wrong_length(expected, bytes)))
}
