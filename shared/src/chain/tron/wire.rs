//! Canonical protobuf, the little of it that TRON's transactions need.
//!
//! The TRON codec is the only caller. Written: fields ascending, defaults left out, shortest varints. Read:
//! only what would be written that way; every message says which fields it takes, and what is left over is
//! refused. A general library would drop unknown fields silently, which is why this is by hand.
//! Source: protobuf encoding specification; java-tron's Tron.proto for the field numbers.

use super::Refusal;

/// Wire type of integers, booleans and enums.
const VARINT: u64 = 0;
/// Wire type of bytes, strings and messages.
const LENGTH_DELIMITED: u64 = 2;
/// More fields than any message of ours has; five signatures included.
const MAX_FIELDS: usize = 16;

/// Writes one message.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// An empty message.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An integer field; zero is left out. Negative numbers do not occur in our messages.
    pub(super) fn integer(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
        self
    }

    /// A bytes, string or message field; empty is left out.
    pub(super) fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        if bytes.is_empty() { self } else { self.element(field, bytes) }
    }

    /// One element of a repeated field, or a message, written even when empty.
    pub(super) fn element(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message's bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
}

/// One message read into its fields; they are taken one by one and `finish` refuses the rest.
pub(super) struct Message<'a> {
    name: &'static str,
    fields: Vec<(u64, Value<'a>)>,
}

impl<'a> Message<'a> {
    /// Reads `bytes` as the message called `name` in errors.
    pub(super) fn read(name: &'static str, bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader { name, rest: bytes };
        let mut fields: Vec<(u64, Value<'a>)> = Vec::new();
        while !reader.rest.is_empty() {
            let (field, value) = reader.field()?;
            if fields.last().is_some_and(|(last, _)| *last > field) {
                return Err(Refusal::Order { message: name, field });
            }
            if fields.len() == MAX_FIELDS {
                return Err(Refusal::TooManyFields { message: name });
            }
            fields.push((field, value));
        }
        Ok(Self { name, fields })
    }

    /// The integer in `field`, 0 if absent.
    pub(super) fn integer(&mut self, field: u64) -> Result<u64, Refusal> {
        match self.take_one(field)? {
            None => Ok(0),
            Some(Value::Integer(0)) => Err(Refusal::DefaultWritten { message: self.name, field }),
            Some(Value::Integer(value)) => Ok(value),
            Some(Value::Bytes(_)) => Err(Refusal::WireType { message: self.name, field }),
        }
    }

    /// The bytes in `field`, empty if absent.
    pub(super) fn bytes(&mut self, field: u64) -> Result<&'a [u8], Refusal> {
        match self.take_one(field)? {
            None => Ok(&[]),
            Some(Value::Bytes([])) => Err(Refusal::DefaultWritten { message: self.name, field }),
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(Value::Integer(_)) => Err(Refusal::WireType { message: self.name, field }),
        }
    }

    /// Exactly `N` bytes in `field`.
    pub(super) fn array<const N: usize>(&mut self, field: u64) -> Result<[u8; N], Refusal> {
        let bytes = self.bytes(field)?;
        bytes.try_into().map_err(|_| Refusal::Length {
            message: self.name,
            field,
            expected: N,
            found: bytes.len(),
        })
    }

    /// Every element of the repeated bytes in `field`.
    pub(super) fn elements(&mut self, field: u64) -> Result<Vec<&'a [u8]>, Refusal> {
        let name = self.name;
        self.take_all(field)
            .into_iter()
            .map(|value| match value {
                Value::Bytes(bytes) => Ok(bytes),
                Value::Integer(_) => Err(Refusal::WireType { message: name, field }),
            })
            .collect()
    }

    /// Refuses whatever was not taken.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.fields.first() {
            None => Ok(()),
            Some((field, _)) => Err(Refusal::UnusedField { message: self.name, field: *field }),
        }
    }

    fn take_one(&mut self, field: u64) -> Result<Option<Value<'a>>, Refusal> {
        match *self.take_all(field) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            ref values => Err(Refusal::Repeated { message: self.name, field, found: values.len() }),
        }
    }

    fn take_all(&mut self, field: u64) -> Vec<Value<'a>> {
        self.fields.extract_if(.., |(number, _)| *number == field).map(|(_, value)| value).collect()
    }
}

struct Reader<'a> {
    name: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), Refusal> {
        let key = self.varint()?;
        let field = key >> 3;
        if field == 0 {
            return Err(Refusal::Varint { message: self.name });
        }
        let value = match key & 7 {
            VARINT => Value::Integer(self.varint()?),
            LENGTH_DELIMITED => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.truncated())?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(Refusal::WireType { message: self.name, field }),
        };
        Ok((field, value))
    }

    fn varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or_else(|| self.truncated())?;
            self.rest = rest;
            let low = u64::from(byte & 0x7f);
            // The tenth byte holds one bit; a last byte of zero after the first is padding.
            let overflows = shift == 63 && low > 1;
            let padded = shift > 0 && byte == 0;
            if overflows || padded {
                return Err(Refusal::Varint { message: self.name });
            }
            value |= low << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Refusal::Varint { message: self.name })
    }

    fn truncated(&self) -> Refusal {
        Refusal::Truncated { message: self.name }
    }
}
