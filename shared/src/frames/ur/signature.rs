//! `eth-signature` (ERC-4527) and `tron-signature` (Keystone's registry): what a device answers.
//!
//! ```text
//! eth-signature   1 request id 37(16 bytes)   2 signature   3 origin
//! tron-signature  1 request id 37(16 bytes)   2 signature
//! ```
//! The signature is r ‖ s ‖ v. Devices write v as 0 or 1, as 27 or 28, or after EIP-155 in one byte or more; it is
//! carried as it came, and `exchange` finds the parity by recovery instead of believing it.

use super::RequestId;
use super::cbor::{CborError, Reader, Writer, strict};
use super::sign_request::ORIGIN_MAX_BYTES;
use crate::network::Family;

/// r, s and one byte.
const SIGNATURE_MIN_BYTES: usize = 65;
/// r, s and a v of 64 bits, which no chain id exceeds.
const SIGNATURE_MAX_BYTES: usize = 72;

/// A device's reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceSignature {
    /// Which of the two types it is.
    pub family: Family,
    /// Repeated from the request.
    pub request_id: Option<RequestId>,
    /// r ‖ s ‖ v: 65 bytes, up to 72 on EVM networks.
    pub signature: Vec<u8>,
    /// Which device; never on TRON.
    pub origin: Option<String>,
}

impl DeviceSignature {
    /// The family of a type's name.
    pub(super) fn family_of(ur_type: &str) -> Option<Family> {
        [Family::Evm, Family::Tron].into_iter().find(|family| Self::type_of(*family) == ur_type)
    }

    /// The type in which a device of this family answers.
    pub const fn type_of(family: Family) -> &'static str {
        match family {
            Family::Evm => "eth-signature",
            Family::Tron => "tron-signature",
        }
    }

    /// `eth-signature` or `tron-signature`.
    pub const fn ur_type(&self) -> &'static str {
        Self::type_of(self.family)
    }

    /// Reads one; it must equal its re-encoding.
    pub fn decode(family: Family, cbor: &[u8]) -> Result<Self, CborError> {
        strict(Self::type_of(family), cbor, |from| Self::read(family, from), Self::encode)
    }

    fn read(family: Family, from: &mut Reader<'_>) -> Result<Self, CborError> {
        let (mut request_id, mut signature, mut origin) = (None, None, None);
        for _ in 0..from.map(3)? {
            match from.number()? {
                1 => request_id = Some(from.request_id(1)?),
                2 => signature = Some(read_signature(family, from)?),
                3 if family == Family::Evm => origin = Some(from.text(3, ORIGIN_MAX_BYTES)?),
                key => return from.unknown(key),
            }
        }
        Ok(Self { family, request_id, signature: from.needed(2, signature)?, origin })
    }

    /// Its one spelling. The origin of a TRON reply is left out: its type has no key for it.
    pub fn encode(&self) -> Vec<u8> {
        let origin = self.origin.as_ref().filter(|_| self.family == Family::Evm);
        let mut to = Writer::default();
        to.map(1 + usize::from(self.request_id.is_some()) + usize::from(origin.is_some()));
        if let Some(id) = &self.request_id {
            to.number(1);
            to.request_id(id);
        }
        to.number(2);
        to.bytes(&self.signature);
        if let Some(origin) = origin {
            to.number(3);
            to.text(origin);
        }
        to.done()
    }
}

fn read_signature(family: Family, from: &mut Reader<'_>) -> Result<Vec<u8>, CborError> {
    let longest = if family == Family::Evm { SIGNATURE_MAX_BYTES } else { SIGNATURE_MIN_BYTES };
    let bytes = from.bytes()?;
    if !(SIGNATURE_MIN_BYTES..=longest).contains(&bytes.len()) {
        let why = format!("{} bytes are not between {SIGNATURE_MIN_BYTES} and {longest}", bytes.len());
        return Err(from.value(2, why));
    }
    Ok(bytes.to_vec())
}
