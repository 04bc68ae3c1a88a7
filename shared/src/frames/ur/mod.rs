//! Uniform Resources: how one transfer crosses to a hardware wallet that signs by QR code (S12).
//!
//! ```text
//! HardwareRequest --> Message --> Ur --Parts--> QR texts --> the device
//! HardwareRequest <-- Message <-- Ur <-Decoder- QR texts <-- the device
//! ```
//! An [`Ur`] is a type and a CBOR item (BCR-2020-005); its text is `UR:TYPE/LETTERS`, or one of several parts
//! `UR:TYPE/NUMBER-TOTAL/LETTERS` (BCR-2024-001). [`Message`] is what Airlock says in it: `eth-sign-request` and
//! `eth-signature` of ERC-4527, `tron-sign-request` and `tron-signature` as Keystone's registry has them.
//! What must stay true: limits come before memory; a text that is not ours changes nothing; a message equals its
//! own re-encoding; nothing here is trusted but a signature from which the paying address was recovered.

mod bytewords;
mod cbor;
mod exchange;
mod keypath;
mod mixture;
mod parts;
mod sign_request;
mod signature;

pub use cbor::CborError;
pub use exchange::{HardwareRequest, ReplyError, RequestError};
pub use keypath::{Keypath, Step};
pub use parts::{Decoder, Parts, Progress};
pub use sign_request::{DataType, SignRequest};
pub use signature::DeviceSignature;

use crate::digest::Digest;
use std::fmt;

/// The longest CBOR item of a Uniform Resource; a request for one transfer has about 300 bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// The most parts that one message may be cut into.
pub const MAX_PARTS: usize = 256;
/// The longest name of a type.
pub const MAX_TYPE_CHARACTERS: usize = 32;
/// The longest text of a Uniform Resource in one piece.
pub const MAX_TEXT_CHARACTERS: usize =
    SCHEME.len() + MAX_TYPE_CHARACTERS + 1 + bytewords::letters(MAX_MESSAGE_BYTES);

const SCHEME: &str = "UR:";

/// Why a text is no Uniform Resource of ours, or a message cannot be cut into parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrError {
    /// It does not begin with `ur:`, a type and a slash.
    #[error("not a Uniform Resource: it has to begin with ur:TYPE/")]
    NotUr,
    /// The text is longer than any of ours.
    #[error("a text of {found} characters is longer than {limit}")]
    TextTooLong {
        /// Characters.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The message is empty or too long.
    #[error("a message of {found} bytes is not between 1 and {limit}")]
    MessageLength {
        /// Bytes, as given or as claimed.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The type's name is not 1 to 32 of `a-z 0-9 -`.
    #[error("the type's name is not 1 to {MAX_TYPE_CHARACTERS} of a-z, 0-9 and -")]
    TypeName,
    /// Two letters are no byteword.
    #[error("the letters at {at} are no byteword")]
    Letters {
        /// Their place among the letters.
        at: usize,
    },
    /// The letters do not match their checksum.
    #[error("the checksum does not match: the text was read or typed wrongly")]
    Checksum,
    /// A part where the whole was expected.
    #[error("this is one of several parts; all of them are needed")]
    OnePartOnly,
    /// The part's number and total are malformed, out of range, or differ from those inside it.
    #[error(
        "the numbers of this part are not NUMBER-TOTAL with a total up to {MAX_PARTS}, or differ from those inside it"
    )]
    PartNumbers,
    /// The part's inside is not the array of five that it has to be, or its lengths do not fit together.
    #[error("the inside of this part is malformed")]
    PartMalformed,
    /// The part contradicts those that came before; they were kept.
    #[error("part {number} contradicts the parts before it; they were kept")]
    Contradiction {
        /// The part's number.
        number: u32,
    },
    /// All parts fit together, but not to the message's checksum. That message starts again.
    #[error("the message put together from its parts is damaged; it starts again")]
    Damaged,
    /// The QR code asked for has no room for a part of this message.
    #[error("a QR code of {room} characters is too small for parts of this message")]
    QrTooSmall {
        /// Characters that fit.
        room: usize,
    },
}

/// A type and the CBOR item that it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ur {
    ur_type: String,
    cbor: Vec<u8>,
}

impl Ur {
    /// `ur_type` is lower case; the item has 1 to 16,384 bytes and is opaque here.
    pub fn new(ur_type: &str, cbor: Vec<u8>) -> Result<Self, UrError> {
        let plain = ur_type.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !plain || !(1..=MAX_TYPE_CHARACTERS).contains(&ur_type.len()) {
            return Err(UrError::TypeName);
        }
        if !(1..=MAX_MESSAGE_BYTES).contains(&cbor.len()) {
            return Err(UrError::MessageLength { found: cbor.len(), limit: MAX_MESSAGE_BYTES });
        }
        Ok(Self { ur_type: ur_type.to_owned(), cbor })
    }

    /// Reads a whole one, of either case.
    pub fn parse(text: &str) -> Result<Self, UrError> {
        if text.len() > MAX_TEXT_CHARACTERS {
            return Err(UrError::TextTooLong { found: text.len(), limit: MAX_TEXT_CHARACTERS });
        }
        let (ur_type, rest) = split(text)?;
        if rest.contains('/') {
            return Err(UrError::OnePartOnly);
        }
        Self::new(&ur_type, bytewords::read(rest)?)
    }

    /// The name of its type, in lower case.
    pub fn ur_type(&self) -> &str {
        &self.ur_type
    }

    /// Its CBOR item.
    pub fn cbor(&self) -> &[u8] {
        &self.cbor
    }

    /// Its text in one piece, in capitals for QR's alphanumeric mode.
    pub fn text(&self) -> String {
        format!("{SCHEME}{}/{}", self.ur_type.to_ascii_uppercase(), bytewords::write(&self.cbor))
    }
}

/// The type in lower case, and what follows its slash.
fn split(text: &str) -> Result<(String, &str), UrError> {
    let rest = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
    let rest = rest.and_then(|scheme| text.get(scheme.len()..)).ok_or(UrError::NotUr)?;
    let (ur_type, rest) = rest.split_once('/').ok_or(UrError::NotUr)?;
    if ur_type.len() > MAX_TYPE_CHARACTERS {
        return Err(UrError::TypeName);
    }
    Ok((ur_type.to_ascii_lowercase(), rest))
}

/// Joins a reply to its request: 16 bytes in the form of a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The id of one transaction of a batch. It follows from what is signed, so that no list of open requests has
    /// to be kept: a reply to any other content, item or fee level has another id. Its form is UUID version 8.
    pub fn of(content: &Digest, item: usize, transaction: usize) -> Self {
        let mut bytes = content.as_bytes().to_vec();
        bytes.extend((item as u64).to_be_bytes());
        bytes.extend((transaction as u64).to_be_bytes());
        let digest = Digest::of("airlock:hardware-request:1", &bytes);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }

    /// The id with these bytes, for instance read from a reply.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = hex::encode(self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What crosses to and from a hardware wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// To the device: `eth-sign-request` or `tron-sign-request`.
    SignRequest(SignRequest),
    /// From the device: `eth-signature` or `tron-signature`.
    Signature(DeviceSignature),
}

impl Message {
    /// Reads the message of a type that Airlock knows; it must equal its re-encoding.
    pub fn read(ur: &Ur) -> Result<Self, CborError> {
        if let Some(family) = SignRequest::family_of(ur.ur_type()) {
            return SignRequest::decode(family, ur.cbor()).map(Self::SignRequest);
        }
        if let Some(family) = DeviceSignature::family_of(ur.ur_type()) {
            return DeviceSignature::decode(family, ur.cbor()).map(Self::Signature);
        }
        Err(CborError::UnknownType { found: ur.ur_type().to_owned() })
    }

    /// Its type and CBOR.
    pub fn to_ur(&self) -> Result<Ur, UrError> {
        match self {
            Self::SignRequest(request) => Ur::new(request.ur_type(), request.encode()),
            Self::Signature(signature) => Ur::new(signature.ur_type(), signature.encode()),
        }
    }
}
