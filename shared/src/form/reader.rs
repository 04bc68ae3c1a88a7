//! Reading: a part of a document takes its fields out of a [`Reader`], whichever spelling they came in.
//!
//! Called from every [`Form::read`]. What must stay true: each error carries the path of its field; a field that
//! nobody took is an error; every length has a limit that the caller names.

use super::{Fault, Form, FormError, Listed, Name, Node, Spelling};
use crate::amount::BaseUnits;
use crate::digest::Digest;

/// Hands out the fields of one map, and names what nobody asked for.
pub struct Reader {
    spelling: Spelling,
    at: String,
    fields: Vec<(u64, Name, Node)>,
}

impl Reader {
    fn new(spelling: Spelling, at: String, node: Node) -> Result<Self, FormError> {
        match node {
            Node::Map(fields) => Ok(Self { spelling, at, fields }),
            _ => Err(FormError::new(at, Fault::WrongType { expected: "a map" })),
        }
    }

    /// Reads one part from its node, and refuses fields that it did not take.
    pub fn part_of<F: Form>(spelling: Spelling, at: &str, node: Node) -> Result<F, FormError> {
        let mut reader = Self::new(spelling, at.to_owned(), node)?;
        let part = F::read(&mut reader)?;
        match reader.fields.first() {
            None => Ok(part),
            Some((key, name, _)) => {
                // A name is foreign text and ends on a screen.
                let plain = || name.chars().take(64).flat_map(char::escape_debug).collect();
                let name = if name.is_empty() { key.to_string() } else { plain() };
                Err(FormError::new(at, Fault::Unknown { name }))
            }
        }
    }

    /// The spelling being read.
    pub const fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// The path of a field of this map.
    pub fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    /// An error about a rule of this part, at `name`.
    pub fn refused(&self, name: &str, why: impl ToString) -> FormError {
        FormError::refused(self.at(name), why)
    }

    fn wrong(&self, name: &str, expected: &'static str) -> FormError {
        FormError::new(self.at(name), Fault::WrongType { expected })
    }

    /// The field's node, if it is there.
    pub fn take(&mut self, key: u64, name: &str) -> Option<Node> {
        let found = self.fields.iter().position(|(number, text, _)| match self.spelling {
            Spelling::Cbor => *number == key,
            Spelling::Json => text == name,
        })?;
        Some(self.fields.remove(found).2)
    }

    /// The field's node.
    pub fn need(&mut self, key: u64, name: &str) -> Result<Node, FormError> {
        self.take(key, name).ok_or_else(|| FormError::new(self.at(name), Fault::Missing))
    }

    /// Is the field there?
    pub fn has(&self, key: u64, name: &str) -> bool {
        self.fields.iter().any(|(number, text, _)| match self.spelling {
            Spelling::Cbor => *number == key,
            Spelling::Json => text == name,
        })
    }

    /// An unsigned integer.
    pub fn uint(&mut self, key: u64, name: &str) -> Result<u64, FormError> {
        match self.need(key, name)? {
            Node::Uint(value) => Ok(value),
            _ => Err(self.wrong(name, "an unsigned integer")),
        }
    }

    /// An unsigned integer that fits one byte.
    pub fn byte(&mut self, key: u64, name: &str) -> Result<u8, FormError> {
        let value = self.uint(key, name)?;
        u8::try_from(value).map_err(|_| {
            let found = usize::try_from(value).unwrap_or(usize::MAX);
            FormError::new(self.at(name), Fault::TooLarge { limit: 255, found })
        })
    }

    /// A 64-bit identifier or fee.
    pub fn wide(&mut self, key: u64, name: &str) -> Result<u64, FormError> {
        let node = self.need(key, name)?;
        self.wide_from(name, node)
    }

    /// A 64-bit identifier or fee from its node.
    pub fn wide_from(&self, name: &str, node: Node) -> Result<u64, FormError> {
        match (self.spelling, node) {
            (Spelling::Cbor, Node::Uint(value)) => Ok(value),
            (Spelling::Json, Node::Text(text)) => {
                text.parse().map_err(|_| self.wrong(name, "a decimal string below 2^64"))
            }
            _ => Err(self.wrong(name, "a 64-bit number")),
        }
    }

    /// An amount.
    pub fn amount(&mut self, key: u64, name: &str) -> Result<BaseUnits, FormError> {
        let node = self.need(key, name)?;
        self.amount_from(name, node)
    }

    /// An amount from its node.
    pub fn amount_from(&self, name: &str, node: Node) -> Result<BaseUnits, FormError> {
        match (self.spelling, node) {
            (Spelling::Cbor, Node::Bytes(bytes)) => {
                BaseUnits::from_be_slice(&bytes).ok_or_else(|| self.wrong(name, "at most 32 bytes"))
            }
            (Spelling::Json, Node::Text(text)) => {
                text.parse().map_err(|error| FormError::refused(self.at(name), error))
            }
            _ => Err(self.wrong(name, "an amount")),
        }
    }

    /// Text of at most `limit` bytes.
    pub fn text(&mut self, key: u64, name: &str, limit: usize) -> Result<String, FormError> {
        match self.need(key, name)? {
            Node::Text(text) if text.len() <= limit => Ok(text),
            Node::Text(text) => {
                Err(FormError::new(self.at(name), Fault::TooLarge { limit, found: text.len() }))
            }
            _ => Err(self.wrong(name, "text")),
        }
    }

    /// Text that parses, such as a network or a person.
    pub fn parsed<T>(
        &mut self,
        key: u64,
        name: &str,
        limit: usize,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FormError> {
        let text = self.text(key, name, limit)?;
        parse(&text).ok_or_else(|| self.wrong(name, expected))
    }

    /// One of a closed list: its number in CBOR, its word in JSON.
    pub fn choice<T: Listed>(&mut self, key: u64, name: &str) -> Result<T, FormError> {
        let mut all = T::ALL.iter().copied();
        let choice = match (self.spelling, self.need(key, name)?) {
            (Spelling::Cbor, Node::Uint(code)) => all.find(|value| value.code() == code),
            (Spelling::Json, Node::Text(word)) => all.find(|value| value.word() == word),
            _ => None,
        };
        choice.ok_or_else(|| self.wrong(name, "one of the known values"))
    }

    /// Bytes, at most `limit` of them.
    pub fn bytes(&mut self, key: u64, name: &str, limit: usize) -> Result<Vec<u8>, FormError> {
        let node = self.need(key, name)?;
        self.bytes_from(name, node, limit)
    }

    /// Bytes from their node, at most `limit` of them.
    pub fn bytes_from(&self, name: &str, node: Node, limit: usize) -> Result<Vec<u8>, FormError> {
        let too_large = |found| Err(FormError::new(self.at(name), Fault::TooLarge { limit, found }));
        match (self.spelling, node) {
            (Spelling::Cbor, Node::Bytes(bytes)) if bytes.len() <= limit => Ok(bytes),
            (Spelling::Cbor, Node::Bytes(bytes)) => too_large(bytes.len()),
            (Spelling::Json, Node::Text(text)) if text.len() / 2 > limit => too_large(text.len() / 2),
            (Spelling::Json, Node::Text(text)) => {
                let mut bytes = vec![0; text.len() / 2];
                let read = hex::decode_to_slice(&text, &mut bytes);
                read.map(|()| bytes).map_err(|_| self.wrong(name, "lower-case hex"))
            }
            _ => Err(self.wrong(name, "bytes")),
        }
    }

    /// Exactly `N` bytes.
    pub fn exact<const N: usize>(&mut self, key: u64, name: &str) -> Result<[u8; N], FormError> {
        let bytes = self.bytes(key, name, N)?;
        bytes.try_into().map_err(|_| self.wrong(name, "a byte string of fixed length"))
    }

    /// Exactly `N` bytes from their node.
    pub fn exact_from<const N: usize>(&self, name: &str, node: Node) -> Result<[u8; N], FormError> {
        let bytes = self.bytes_from(name, node, N)?;
        bytes.try_into().map_err(|_| self.wrong(name, "a byte string of fixed length"))
    }

    /// A digest.
    pub fn digest(&mut self, key: u64, name: &str) -> Result<Digest, FormError> {
        self.exact(key, name).map(Digest::from_bytes)
    }

    /// True or false.
    pub fn flag(&mut self, key: u64, name: &str) -> Result<bool, FormError> {
        match self.need(key, name)? {
            Node::Flag(value) => Ok(value),
            _ => Err(self.wrong(name, "true or false")),
        }
    }

    /// A list of at most `limit` nodes.
    pub fn list(&mut self, key: u64, name: &str, limit: usize) -> Result<Vec<Node>, FormError> {
        match self.need(key, name)? {
            Node::List(nodes) if nodes.len() <= limit => Ok(nodes),
            Node::List(nodes) => {
                Err(FormError::new(self.at(name), Fault::TooLarge { limit, found: nodes.len() }))
            }
            _ => Err(self.wrong(name, "a list")),
        }
    }

    /// A part with fields of its own.
    pub fn part<F: Form>(&mut self, key: u64, name: &str) -> Result<F, FormError> {
        let node = self.need(key, name)?;
        Self::part_of(self.spelling, &self.at(name), node)
    }

    /// A list of at most `limit` parts.
    pub fn parts<F: Form>(&mut self, key: u64, name: &str, limit: usize) -> Result<Vec<F>, FormError> {
        let nodes = self.list(key, name, limit)?;
        let read = |(i, node)| Self::part_of(self.spelling, &format!("{}[{i}]", self.at(name)), node);
        nodes.into_iter().enumerate().map(read).collect()
    }
}
