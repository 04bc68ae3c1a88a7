//! Writing: a part of a document puts its fields into a [`Writer`], which knows the spelling of each type.
//!
//! Called from every [`Form::write`]. What must stay true: the order of calls does not matter, since fields are
//! sorted by key; a type's two spellings stand side by side here and nowhere else.

use super::{Form, Listed, Name, Node, Spelling};
use crate::amount::BaseUnits;
use crate::digest::Digest;

/// Collects the fields of one map.
pub struct Writer {
    spelling: Spelling,
    fields: Vec<(u64, Name, Node)>,
}

impl Writer {
    /// The node of a whole part.
    pub fn node<F: Form>(part: &F, spelling: Spelling) -> Node {
        let mut writer = Self { spelling, fields: Vec::new() };
        part.write(&mut writer);
        writer.fields.sort_by_key(|(key, _, _)| *key);
        Node::Map(writer.fields)
    }

    /// The spelling being written.
    pub const fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// A field whose node is already made.
    pub fn put(&mut self, key: u64, name: impl Into<Name>, node: Node) {
        self.fields.push((key, name.into(), node));
    }

    /// An unsigned integer: counters, times, versions (always below 2^53 in practice).
    pub fn uint(&mut self, key: u64, name: &'static str, value: u64) {
        self.put(key, name, Node::Uint(value));
    }

    /// A 64-bit identifier or fee: a decimal string in JSON, whose numbers are doubles elsewhere.
    pub fn wide(&mut self, key: u64, name: &'static str, value: u64) {
        let node = self.wide_node(value);
        self.put(key, name, node);
    }

    /// The node of a 64-bit identifier or fee.
    pub fn wide_node(&self, value: u64) -> Node {
        match self.spelling {
            Spelling::Cbor => Node::Uint(value),
            Spelling::Json => Node::Text(value.to_string()),
        }
    }

    /// An amount: big-endian bytes without leading zeros in CBOR, a decimal string in JSON.
    pub fn amount(&mut self, key: u64, name: &'static str, value: BaseUnits) {
        let node = self.amount_node(value);
        self.put(key, name, node);
    }

    /// The node of an amount.
    pub fn amount_node(&self, value: BaseUnits) -> Node {
        match self.spelling {
            Spelling::Cbor => Node::Bytes(value.to_be_bytes_trimmed()),
            Spelling::Json => Node::Text(value.to_string()),
        }
    }

    /// Text.
    pub fn text(&mut self, key: u64, name: &'static str, value: impl ToString) {
        self.put(key, name, Node::Text(value.to_string()));
    }

    /// Bytes.
    pub fn bytes(&mut self, key: u64, name: &'static str, value: &[u8]) {
        let node = self.bytes_node(value);
        self.put(key, name, node);
    }

    /// The node of bytes, which become hex where JSON is written.
    pub fn bytes_node(&self, value: &[u8]) -> Node {
        Node::Bytes(value.to_vec())
    }

    /// A digest.
    pub fn digest(&mut self, key: u64, name: &'static str, value: &Digest) {
        self.bytes(key, name, value.as_bytes());
    }

    /// True or false.
    pub fn flag(&mut self, key: u64, name: &'static str, value: bool) {
        self.put(key, name, Node::Flag(value));
    }

    /// One of a closed list: its number in CBOR, its word in JSON.
    pub fn choice<T: Listed>(&mut self, key: u64, name: &'static str, value: T) {
        let node = match self.spelling {
            Spelling::Cbor => Node::Uint(value.code()),
            Spelling::Json => Node::Text(value.word().to_owned()),
        };
        self.put(key, name, node);
    }

    /// A part with fields of its own.
    pub fn part<F: Form>(&mut self, key: u64, name: &'static str, part: &F) {
        let node = Self::node(part, self.spelling);
        self.put(key, name, node);
    }

    /// A list of parts.
    pub fn parts<F: Form>(&mut self, key: u64, name: &'static str, parts: &[F]) {
        let nodes = parts.iter().map(|part| Self::node(part, self.spelling)).collect();
        self.put(key, name, Node::List(nodes));
    }
}
