//! One case of a file: reading its fields and comparing them, with errors that say which field.
//!
//! Every runner of a format works on a [`Case`]; a missing or malformed field is a failure of that case, never a
//! panic. Integers may be JSON numbers or decimal strings, bytes may have a `0x` or not.

use serde_json::Value;
use std::fmt::Display;

/// How a case ended when it did not fail.
pub(crate) enum Outcome {
    /// Everything is as the file says.
    Passed,
    /// Refused as it must be, because Airlock does not build this kind.
    Skipped(String),
}

/// What differed, without the case's name.
pub(crate) struct Failed {
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Failed {
    pub(crate) fn new(field: impl Into<String>, expected: impl Display, found: impl Display) -> Self {
        Self { field: field.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failed>;

/// One entry of a file.
pub(crate) struct Case<'a> {
    value: &'a Value,
    /// Where this entry is, for failures inside nested entries.
    place: String,
}

impl<'a> Case<'a> {
    pub(crate) fn new(value: &'a Value, place: String) -> Self {
        Self { value, place }
    }

    /// The nested entry called `name`.
    pub(crate) fn nested(&self, name: &str) -> Result<Self> {
        self.optional(name).map(|value| Self::new(value, name.to_owned())).ok_or_else(|| self.missing(name))
    }

    /// The entries of the list called `name`, none if it is absent.
    pub(crate) fn entries(&self, name: &str) -> Vec<Self> {
        let list = crate::list(self.value, name).iter().enumerate();
        list.map(|(index, value)| Self::new(value, format!("{name}[{index}]"))).collect()
    }

    /// The field, unless absent or null.
    pub(crate) fn optional(&self, field: &str) -> Option<&'a Value> {
        self.value.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.optional(field).is_some()
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn text(&self, field: &str) -> Result<&'a str> {
        let value = self.optional(field).ok_or_else(|| self.missing(field))?;
        value.as_str().ok_or_else(|| Failed::new(field, "a text", value))
    }

    pub(crate) fn flag(&self, field: &str) -> Result<bool> {
        let value = self.optional(field).ok_or_else(|| self.missing(field))?;
        value.as_bool().ok_or_else(|| Failed::new(field, "true or false", value))
    }

    /// An integer as a JSON number or a decimal string.
    pub(crate) fn number<T: std::str::FromStr>(&self, field: &str) -> Result<T> {
        let value = self.optional(field).ok_or_else(|| self.missing(field))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.parse().map_err(|_| Failed::new(field, "an integer in range", value))
    }

    /// An integer that may be absent and then is 0.
    pub(crate) fn number_or_zero<T: std::str::FromStr + Default>(&self, field: &str) -> Result<T> {
        if self.has(field) { self.number(field) } else { Ok(T::default()) }
    }

    pub(crate) fn bytes(&self, field: &str) -> Result<Vec<u8>> {
        let text = self.text(field)?;
        decode_hex(text).ok_or_else(|| Failed::new(field, "hex digits", text))
    }

    pub(crate) fn array<const N: usize>(&self, field: &str) -> Result<[u8; N]> {
        let bytes = self.bytes(field)?;
        bytes.try_into().map_err(|_| Failed::new(field, format!("{N} bytes"), self.value[field].clone()))
    }

    /// Compares `found` with the bytes in `field`.
    pub(crate) fn same_bytes(&self, field: &str, found: impl AsRef<[u8]>) -> Result<()> {
        let expected = self.bytes(field)?;
        self.same(field, hex::encode(expected), hex::encode(found))
    }

    /// Compares `found` with the text in `field`.
    pub(crate) fn same_text(&self, field: &str, found: &str) -> Result<()> {
        self.same(field, self.text(field)?.to_owned(), found.to_owned())
    }

    /// Compares two values that belong to `field`.
    pub(crate) fn same<T: PartialEq + Display>(&self, field: &str, expected: T, found: T) -> Result<()> {
        if expected == found { Ok(()) } else { Err(self.fail(field, expected, found)) }
    }

    pub(crate) fn fail(&self, field: &str, expected: impl Display, found: impl Display) -> Failed {
        Failed::new(self.at(field), expected, found)
    }

    fn missing(&self, field: &str) -> Failed {
        Failed::new(self.at(field), "the field", "nothing")
    }

    fn at(&self, field: &str) -> String {
        format!("{} {field}", self.place).trim_start().to_owned()
    }
}

/// Bytes of hex digits of either case, with or without `0x`.
pub(crate) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()
}
