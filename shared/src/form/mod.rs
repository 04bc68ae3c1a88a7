//! One definition, two spellings: how every document of ours becomes deterministic CBOR and JSON.
//!
//! A document describes its fields once ([`Form::write`], [`Form::read`]), each with an integer key (CBOR)
//! and a name (JSON). CBOR is RFC 8949 section 4.2: shortest heads, definite lengths, ascending integer
//! keys. JSON is two-space indented, fields in ascending key order, byte strings as lower-case hex, ids and
//! amounts as decimal strings, one newline at the end. Decoders are strict: limits come first, unknown fields
//! are named, and the document must equal its own re-encoding, so no second spelling of anything exists.

mod cbor;
mod json;
mod listed;
mod parse;
mod reader;
mod writer;

pub use cbor::{from_cbor, to_cbor};
pub use json::{from_foreign_json, from_json, to_json};
pub use listed::Listed;
pub(crate) use listed::closed_list;
pub use reader::Reader;
pub use writer::Writer;

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
    Map(Vec<(u64, Name, Node)>),
}

/// The name of a field: our own, or what stood in a document.
pub type Name = std::borrow::Cow<'static, str>;

/// The document must equal its own re-encoding; the first byte that differs is named.
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
