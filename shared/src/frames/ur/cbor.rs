//! Strict CBOR of hardware wallets' messages: maps with small integer keys, in one spelling only.
//!
//! `sign_request`, `signature`, `keypath` and `parts` read and write through this. What must stay true: nothing
//! is allocated for a length that is only claimed; an unknown or missing key is named; indefinite lengths, long
//! heads, doubled or unsorted keys and trailing bytes are refused, because what was read is written again and
//! compared (RFC 8949, section 4.2).

use super::{MAX_MESSAGE_BYTES, RequestId};
use minicbor::data::Tag;
use minicbor::decode::{Decoder, Error};

/// The tag of a UUID.
const UUID_TAG: u64 = 37;

/// What is wrong with a message, and at which key of its map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// A type that Airlock has no use for.
    #[error("a Uniform Resource of type {found:?} is no request or signature of a hardware wallet")]
    UnknownType {
        /// Its name.
        found: String,
    },
    /// Longer than any message.
    #[error("{what}: {found} bytes are more than {limit}")]
    TooLong {
        /// The message.
        what: &'static str,
        /// Bytes.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Not well-formed, or of another type than it has to be.
    #[error("{what}: {why}")]
    Malformed {
        /// The message or its part.
        what: &'static str,
        /// What the reader met.
        why: String,
    },
    /// A key that the message does not have.
    #[error("{what}: unknown key {key}")]
    UnknownKey {
        /// The message.
        what: &'static str,
        /// The key.
        key: u64,
    },
    /// A key that has to be there.
    #[error("{what}: key {key} is missing")]
    Missing {
        /// The message.
        what: &'static str,
        /// The key.
        key: u64,
    },
    /// A value out of its range.
    #[error("{what}: key {key}: {why}")]
    Value {
        /// The message.
        what: &'static str,
        /// The key.
        key: u64,
        /// The rule, and what was seen.
        why: String,
    },
    /// The same message in another spelling.
    #[error(
        "{what}: not in its one spelling (shortest heads, definite lengths, ascending keys, nothing after)"
    )]
    OtherSpelling {
        /// The message.
        what: &'static str,
    },
}

/// Reads one message with `read` and compares it with what `write` makes of it.
pub(super) fn strict<T>(
    what: &'static str,
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, CborError>,
    write: impl FnOnce(&T) -> Vec<u8>,
) -> Result<T, CborError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(CborError::TooLong { what, found: bytes.len(), limit: MAX_MESSAGE_BYTES });
    }
    let message = read(&mut Reader { what, from: Decoder::new(bytes) })?;
    if write(&message) == bytes { Ok(message) } else { Err(CborError::OtherSpelling { what }) }
}

/// Where the reading of a message stands.
pub(super) struct Reader<'b> {
    pub(super) what: &'static str,
    from: Decoder<'b>,
}

impl<'b> Reader<'b> {
    /// The number of entries of a map; at most `limit`.
    pub(super) fn map(&mut self, limit: u64) -> Result<u64, CborError> {
        let length = self.from.map();
        self.length(length, limit)
    }

    /// The number of elements of an array; at most `limit`.
    pub(super) fn array(&mut self, limit: u64) -> Result<u64, CborError> {
        let length = self.from.array();
        self.length(length, limit)
    }

    fn length(&self, length: Result<Option<u64>, Error>, limit: u64) -> Result<u64, CborError> {
        match length {
            Ok(Some(length)) if length <= limit => Ok(length),
            Ok(Some(length)) => Err(self.malformed(format!("{length} entries are more than {limit}"))),
            Ok(None) => Err(CborError::OtherSpelling { what: self.what }),
            Err(error) => Err(self.malformed(error)),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, CborError> {
        self.from.u64().map_err(|error| malformed(self.what, error))
    }

    pub(super) fn flag(&mut self) -> Result<bool, CborError> {
        self.from.bool().map_err(|error| malformed(self.what, error))
    }

    pub(super) fn bytes(&mut self) -> Result<&'b [u8], CborError> {
        self.from.bytes().map_err(|error| malformed(self.what, error))
    }

    /// The text at `key`, at most `limit` bytes.
    pub(super) fn text(&mut self, key: u64, limit: usize) -> Result<String, CborError> {
        let text = self.from.str().map_err(|error| malformed(self.what, error))?;
        if text.len() > limit {
            return Err(self.value(key, format!("a text of {} bytes is longer than {limit}", text.len())));
        }
        Ok(text.to_owned())
    }

    /// Exactly this tag.
    pub(super) fn tag(&mut self, expected: u64) -> Result<(), CborError> {
        let found = self.from.tag().map_err(|error| malformed(self.what, error))?;
        let wrong = || self.malformed(format!("tag {} instead of {expected}", found.as_u64()));
        if found == Tag::new(expected) { Ok(()) } else { Err(wrong()) }
    }

    /// A request id under its tag, at `key`.
    pub(super) fn request_id(&mut self, key: u64) -> Result<RequestId, CborError> {
        self.tag(UUID_TAG)?;
        let bytes = self.bytes()?;
        let id = <[u8; 16]>::try_from(bytes).map_err(|_| self.value(key, wrong_length(16, bytes)))?;
        Ok(RequestId::from_bytes(id))
    }

    pub(super) fn value(&self, key: u64, why: impl ToString) -> CborError {
        CborError::Value { what: self.what, key, why: why.to_string() }
    }

    pub(super) fn malformed(&self, why: impl ToString) -> CborError {
        malformed(self.what, why)
    }

    pub(super) fn unknown<T>(&self, key: u64) -> Result<T, CborError> {
        Err(CborError::UnknownKey { what: self.what, key })
    }

    /// The value that has to be at `key`.
    pub(super) fn needed<T>(&self, key: u64, value: Option<T>) -> Result<T, CborError> {
        value.ok_or(CborError::Missing { what: self.what, key })
    }
}

fn malformed(what: &'static str, why: impl ToString) -> CborError {
    CborError::Malformed { what, why: why.to_string() }
}

/// The complaint about bytes of another length.
pub(super) fn wrong_length(expected: usize, found: &[u8]) -> String {
    format!("{} bytes instead of {expected}", found.len())
}

/// Writes the one spelling.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn map(&mut self, entries: usize) {
        self.head(5, entries as u64);
    }

    pub(super) fn array(&mut self, elements: usize) {
        self.head(4, elements as u64);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.head(0, number);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push(0xf4 | u8::from(flag));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.head(2, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn tag(&mut self, tag: u64) {
        self.head(6, tag);
    }

    pub(super) fn request_id(&mut self, id: &RequestId) {
        self.tag(UUID_TAG);
        self.bytes(id.as_bytes());
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }

    /// A major type and its argument in the fewest bytes.
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..24 => self.0.push(major | bytes[7]),
            24..0x100 => self.0.extend([major | 24, bytes[7]]),
            0x100..0x1_0000 => {
                self.0.push(major | 25);
                self.0.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..0x1_0000_0000 => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&bytes);
            }
        }
    }
}
