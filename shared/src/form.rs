//! One definition, two spellings: how every document of ours becomes deterministic CBOR and JSON.
//!
//! A document describes its fields once ([`Form::write`], [`Form::read`]), each with an integer key (CBOR)
//! and a name (JSON). CBOR is RFC 8949 section 4.2: shortest heads, definite lengths, ascending integer
//! keys. JSON is two-space indented, fields in ascending key order, byte strings as lower-case hex, ids and
//! amounts as decimal strings, one newline at the end. Decoders are strict: limits come first, unknown fields
//! are named, and the document must equal its own re-encoding, so no second spelling of anything exists.

use crate::amount::BaseUnits;
use crate::digest::Digest;
use minicbor::data::Type;
use std::fmt::Write as _;

/// The longest binary document in bytes. Frames carry no more than this either.
pub const MAX_CBOR_BYTES: usize = 1 << 20;
/// The longest JSON document in bytes; JSON is about six times as long as CBOR.
pub const MAX_JSON_BYTES: usize = 12 << 20;
/// How deep lists and maps may nest. The deepest document, a signed-batch file, needs nine.
const MAX_DEPTH: usize = 12;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {fault}")]
pub struct FormError {
    /// The path of the field, such as `bundle.envelopes[0].content.network`.
    pub at: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The ways in which a document can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A field that must be there is not.
    #[error("missing")]
    Missing,
    /// A field that this version does not know.
    #[error("unknown field {name}")]
    Unknown {
        /// Its integer key or name.
        name: String,
    },
    /// Another type than the field has.
    #[error("expected {expected}")]
    WrongType {
        /// What should be there.
        expected: &'static str,
    },
    /// Longer or larger than its limit.
    #[error("{found} is above the limit {limit}")]
    TooLarge {
        /// The limit, in the field's own unit.
        limit: usize,
        /// What was there.
        found: usize,
    },
    /// Not well-formed CBOR or JSON.
    #[error("malformed: {why}")]
    Malformed {
        /// What the reader met.
        why: String,
    },
    /// Well formed, but not the one canonical spelling; the first byte that differs is named.
    #[error("not the canonical spelling: differs at byte {offset}")]
    NotCanonical {
        /// Offset into the document.
        offset: usize,
    },
    /// The document says it is something else.
    #[error("this is {found:?}, expected {expected:?}")]
    OtherDocument {
        /// What was asked for.
        expected: &'static str,
        /// What the document says.
        found: String,
    },
    /// A version this program does not know.
    #[error("version {found} is not known")]
    UnknownVersion {
        /// What the document says.
        found: u64,
    },
    /// Well formed, but against a rule of the document.
    #[error("{why}")]
    Refused {
        /// The rule, and what was seen.
        why: String,
    },
}

impl FormError {
    /// A fault at `at`.
    pub fn new(at: impl Into<String>, fault: Fault) -> Self {
        Self { at: at.into(), fault }
    }

    /// A rule of the document that is broken at `at`.
    pub fn refused(at: impl Into<String>, why: impl ToString) -> Self {
        Self::new(at, Fault::Refused { why: why.to_string() })
    }
}

/// Which spelling is being written or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spelling {
    /// Deterministic CBOR.
    Cbor,
    /// Canonical JSON.
    Json,
}

/// A document, or a part of one, that has both spellings.
pub trait Form: Sized {
    /// Writes every field.
    fn write(&self, to: &mut Writer);
    /// Reads every field and checks the rules that hold inside this part.
    fn read(from: &mut Reader) -> Result<Self, FormError>;
}

/// A value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An unsigned integer.
    Uint(u64),
    /// UTF-8 text.
    Text(String),
    /// Bytes (hex in JSON).
    Bytes(Vec<u8>),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Node>),
    /// A map; in CBOR the names are empty, in JSON the numbers mean nothing.
    Map(Vec<(u64, String, Node)>),
}

/// Collects the fields of one map.
pub struct Writer {
    spelling: Spelling,
    fields: Vec<(u64, String, Node)>,
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
    pub fn put(&mut self, key: u64, name: &str, node: Node) {
        self.fields.push((key, name.to_owned(), node));
    }

    /// An unsigned integer: counters, times, versions (always below 2^53 in practice).
    pub fn uint(&mut self, key: u64, name: &str, value: u64) {
        self.put(key, name, Node::Uint(value));
    }

    /// A 64-bit identifier or fee: a decimal string in JSON, whose numbers are doubles elsewhere.
    pub fn wide(&mut self, key: u64, name: &str, value: u64) {
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
    pub fn amount(&mut self, key: u64, name: &str, value: BaseUnits) {
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
    pub fn text(&mut self, key: u64, name: &str, value: impl ToString) {
        self.put(key, name, Node::Text(value.to_string()));
    }

    /// Bytes.
    pub fn bytes(&mut self, key: u64, name: &str, value: &[u8]) {
        let node = self.bytes_node(value);
        self.put(key, name, node);
    }

    /// The node of bytes.
    pub fn bytes_node(&self, value: &[u8]) -> Node {
        match self.spelling {
            Spelling::Cbor => Node::Bytes(value.to_vec()),
            Spelling::Json => Node::Text(hex::encode(value)),
        }
    }

    /// A digest.
    pub fn digest(&mut self, key: u64, name: &str, value: &Digest) {
        self.bytes(key, name, value.as_bytes());
    }

    /// True or false.
    pub fn flag(&mut self, key: u64, name: &str, value: bool) {
        self.put(key, name, Node::Flag(value));
    }

    /// One of a closed list: its number in CBOR, its word in JSON.
    pub fn choice(&mut self, key: u64, name: &str, code: u64, word: &str) {
        let node = match self.spelling {
            Spelling::Cbor => Node::Uint(code),
            Spelling::Json => Node::Text(word.to_owned()),
        };
        self.put(key, name, node);
    }

    /// A part with fields of its own.
    pub fn part<F: Form>(&mut self, key: u64, name: &str, part: &F) {
        let node = Self::node(part, self.spelling);
        self.put(key, name, node);
    }

    /// A list of parts.
    pub fn parts<F: Form>(&mut self, key: u64, name: &str, parts: &[F]) {
        let nodes = parts.iter().map(|part| Self::node(part, self.spelling)).collect();
        self.put(key, name, Node::List(nodes));
    }
}

/// Hands out the fields of one map, and names what nobody asked for.
pub struct Reader {
    spelling: Spelling,
    at: String,
    fields: Vec<(u64, String, Node)>,
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
    pub fn choice<T>(
        &mut self,
        key: u64,
        name: &str,
        of_code: impl FnOnce(u64) -> Option<T>,
        of_word: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FormError> {
        let choice = match (self.spelling, self.need(key, name)?) {
            (Spelling::Cbor, Node::Uint(code)) => of_code(code),
            (Spelling::Json, Node::Text(word)) => of_word(&word),
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
                hex::decode(text).map_err(|_| self.wrong(name, "lower-case hex"))
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

/// The deterministic CBOR of a document or part.
pub fn to_cbor<F: Form>(part: &F) -> Vec<u8> {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    write_cbor(&mut encoder, &Writer::node(part, Spelling::Cbor));
    encoder.into_writer()
}

/// Writing to a `Vec` cannot fail (`Infallible`), so the results carry nothing.
fn write_cbor(to: &mut minicbor::Encoder<Vec<u8>>, node: &Node) {
    let _infallible = match node {
        Node::Uint(value) => to.u64(*value).map(drop),
        Node::Text(text) => to.str(text).map(drop),
        Node::Bytes(bytes) => to.bytes(bytes).map(drop),
        Node::Flag(value) => to.bool(*value).map(drop),
        Node::List(nodes) => {
            let head = to.array(nodes.len() as u64).map(drop);
            nodes.iter().for_each(|node| write_cbor(to, node));
            head
        }
        Node::Map(fields) => {
            let head = to.map(fields.len() as u64).map(drop);
            for (key, _, node) in fields {
                let _infallible = to.u64(*key).map(drop);
                write_cbor(to, node);
            }
            head
        }
    };
}

/// Reads a document of the kind `name` from its canonical CBOR.
pub fn from_cbor<F: Form>(name: &str, bytes: &[u8]) -> Result<F, FormError> {
    if bytes.len() > MAX_CBOR_BYTES {
        let fault = Fault::TooLarge { limit: MAX_CBOR_BYTES, found: bytes.len() };
        return Err(FormError::new(name, fault));
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let node = read_cbor(&mut decoder, MAX_DEPTH)
        .map_err(|why| FormError::new(format!("{name}, byte {}", decoder.position()), why))?;
    let part: F = Reader::part_of(Spelling::Cbor, name, node)?;
    same(name, bytes, &to_cbor(&part))?;
    Ok(part)
}

fn read_cbor(from: &mut minicbor::Decoder<'_>, depth: usize) -> Result<Node, Fault> {
    let malformed = |error: minicbor::decode::Error| Fault::Malformed { why: error.to_string() };
    match from.datatype().map_err(malformed)? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => from.u64().map(Node::Uint).map_err(malformed),
        Type::String => from.str().map(|text| Node::Text(text.to_owned())).map_err(malformed),
        Type::Bytes => from.bytes().map(|bytes| Node::Bytes(bytes.to_vec())).map_err(malformed),
        Type::Bool => from.bool().map(Node::Flag).map_err(malformed),
        Type::Array => {
            let count = bounded(from, depth, |from| from.array())?;
            (0..count).map(|_| read_cbor(from, depth - 1)).collect::<Result<_, _>>().map(Node::List)
        }
        Type::Map => {
            let count = bounded(from, depth, |from| from.map())?;
            let entry = |_| {
                let key = from.u64().map_err(malformed)?;
                Ok((key, String::new(), read_cbor(from, depth - 1)?))
            };
            (0..count).map(entry).collect::<Result<_, _>>().map(Node::Map)
        }
        other => Err(Fault::Malformed { why: format!("{other} has no place here") }),
    }
}

/// How many elements follow. The count is believed only as far as there are bytes left for it.
fn bounded<'b>(
    from: &mut minicbor::Decoder<'b>,
    depth: usize,
    head: impl FnOnce(&mut minicbor::Decoder<'b>) -> Result<Option<u64>, minicbor::decode::Error>,
) -> Result<usize, Fault> {
    if depth == 0 {
        return Err(Fault::Malformed { why: format!("nested deeper than {MAX_DEPTH}") });
    }
    let count = head(from).map_err(|error| Fault::Malformed { why: error.to_string() })?;
    let left = from.input().len().saturating_sub(from.position());
    match count.map(usize::try_from) {
        Some(Ok(count)) if count <= left => Ok(count),
        Some(count) => Err(Fault::TooLarge { limit: left, found: count.unwrap_or(usize::MAX) }),
        None => Err(Fault::Malformed { why: "indefinite length".to_owned() }),
    }
}

/// The canonical JSON of a document of the kind `name`, version `version`.
pub fn to_json<F: Form>(name: &str, version: u64, document: &F) -> String {
    let mut text = String::new();
    let mut fields = vec![
        (0, "format".to_owned(), Node::Text(name.to_owned())),
        (0, "version".to_owned(), Node::Uint(version)),
    ];
    if let Node::Map(own) = Writer::node(document, Spelling::Json) {
        fields.extend(own);
    }
    write_json(&mut text, &Node::Map(fields), 0);
    text.push('\n');
    text
}

/// Writing to a `String` cannot fail.
fn write_json(to: &mut String, node: &Node, indent: usize) {
    let break_line = |to: &mut String, indent: usize| {
        let _infallible = write!(to, "\n{:width$}", "", width = 2 * indent);
    };
    match node {
        Node::Uint(value) => to.push_str(&value.to_string()),
        Node::Flag(value) => to.push_str(if *value { "true" } else { "false" }),
        Node::Text(text) => push_json_text(to, text),
        Node::Bytes(bytes) => push_json_text(to, &hex::encode(bytes)),
        Node::List(nodes) if nodes.is_empty() => to.push_str("[]"),
        Node::Map(fields) if fields.is_empty() => to.push_str("{}"),
        Node::List(nodes) => {
            to.push('[');
            for (i, node) in nodes.iter().enumerate() {
                to.push_str(if i == 0 { "" } else { "," });
                break_line(to, indent + 1);
                write_json(to, node, indent + 1);
            }
            break_line(to, indent);
            to.push(']');
        }
        Node::Map(fields) => {
            to.push('{');
            for (i, (_, name, node)) in fields.iter().enumerate() {
                to.push_str(if i == 0 { "" } else { "," });
                break_line(to, indent + 1);
                push_json_text(to, name);
                to.push_str(": ");
                write_json(to, node, indent + 1);
            }
            break_line(to, indent);
            to.push('}');
        }
    }
}

fn push_json_text(to: &mut String, text: &str) {
    to.push_str(&serde_json::Value::from(text).to_string());
}

/// Reads a document of the kind `name` and version `version` from its canonical JSON.
pub fn from_json<F: Form>(name: &'static str, version: u64, bytes: &[u8]) -> Result<F, FormError> {
    if bytes.len() > MAX_JSON_BYTES {
        let fault = Fault::TooLarge { limit: MAX_JSON_BYTES, found: bytes.len() };
        return Err(FormError::new(name, fault));
    }
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| FormError::new(name, Fault::Malformed { why: error.to_string() }))?;
    let mut node = read_json(value, MAX_DEPTH).map_err(|fault| FormError::new(name, fault))?;
    if let Node::Map(fields) = &mut node {
        check_head(name, version, fields)?;
    }
    let document: F = Reader::part_of(Spelling::Json, name, node)?;
    same(name, bytes, to_json(name, version, &document).as_bytes())?;
    Ok(document)
}

/// Takes `format` and `version` out of the top-level fields.
fn check_head(
    name: &'static str,
    version: u64,
    fields: &mut Vec<(u64, String, Node)>,
) -> Result<(), FormError> {
    let mut take = |wanted: &str| {
        let found = fields.iter().position(|(_, field, _)| field == wanted)?;
        Some(fields.remove(found).2)
    };
    match take("format") {
        Some(Node::Text(found)) if found == name => {}
        Some(Node::Text(found)) => {
            let found = found.chars().take(64).collect();
            return Err(FormError::new(name, Fault::OtherDocument { expected: name, found }));
        }
        _ => return Err(FormError::new(format!("{name}.format"), Fault::Missing)),
    }
    match take("version") {
        Some(Node::Uint(found)) if found == version => Ok(()),
        Some(Node::Uint(found)) => Err(FormError::new(name, Fault::UnknownVersion { found })),
        _ => Err(FormError::new(format!("{name}.version"), Fault::Missing)),
    }
}

fn read_json(value: serde_json::Value, depth: usize) -> Result<Node, Fault> {
    use serde_json::Value;
    if depth == 0 {
        return Err(Fault::Malformed { why: format!("nested deeper than {MAX_DEPTH}") });
    }
    match value {
        Value::String(text) => Ok(Node::Text(text)),
        Value::Bool(value) => Ok(Node::Flag(value)),
        Value::Number(number) => number
            .as_u64()
            .map(Node::Uint)
            .ok_or_else(|| Fault::Malformed { why: format!("{number} is not an unsigned integer") }),
        Value::Array(values) => {
            values.into_iter().map(|v| read_json(v, depth - 1)).collect::<Result<_, _>>().map(Node::List)
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| Ok((0, name, read_json(value, depth - 1)?)))
            .collect::<Result<_, _>>()
            .map(Node::Map),
        Value::Null => Err(Fault::Malformed { why: "null has no place here".to_owned() }),
    }
}

fn same(name: &str, found: &[u8], canonical: &[u8]) -> Result<(), FormError> {
    if found == canonical {
        return Ok(());
    }
    let offset = found
        .iter()
        .zip(canonical)
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| found.len().min(canonical.len()));
    Err(FormError::new(name, Fault::NotCanonical { offset }))
}
