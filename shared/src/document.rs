//! Documents: everything that is stored or carried says first what it is and which version.
//!
//! ```text
//! binary   "AIRL" | kind (1 byte) | version (1 byte) | deterministic CBOR of the fields
//! JSON     {"format": NAME, "version": VERSION, ...fields}
//! ```
//! [`read`] takes either spelling and refuses what is not exactly the kind it was asked for.

use crate::form::{self, Fault, Form, FormError};

/// The four bytes that open every binary document.
pub const MAGIC: [u8; 4] = *b"AIRL";

/// Every kind of document by number and name, those of the signer's own files included: no number and no name
/// stands for two. A test compares the list with the sources.
pub const KINDS: [(u8, &str); 14] = [
    (1, "airlock bundle"),
    (2, "airlock reply"),
    (3, "airlock approval request"),
    (4, "airlock approval"),
    (5, "airlock introduction"),
    (6, "airlock signed batch"),
    (7, "airlock policy"),
    (8, "airlock genesis"),
    (9, "airlock attestation"),
    (10, "airlock address proof"),
    (11, "airlock roster"),
    (12, "airlock state backup"),
    (13, "airlock liabilities"),
    (14, "airlock inclusion proof"),
];

/// A document that may stand alone in a file or a QR transfer.
pub trait Document: Form {
    /// Its number in the binary head and in frames.
    const KIND: u8;
    /// Its name in JSON and in errors.
    const NAME: &'static str;
    /// The only version this program writes and reads.
    const VERSION: u8 = 1;

    /// Its binary spelling.
    fn to_binary(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([Self::KIND, Self::VERSION]);
        bytes.extend(form::to_cbor(self));
        bytes
    }

    /// Its JSON spelling.
    fn to_json(&self) -> String {
        form::to_json(Self::NAME, u64::from(Self::VERSION), self)
    }
}

/// The kind byte of a binary document, if it is one.
pub fn kind_of(bytes: &[u8]) -> Option<u8> {
    bytes.strip_prefix(&MAGIC)?.first().copied()
}

/// Reads a document from either spelling: binary if it opens with the magic, else JSON.
pub fn read<D: Document>(bytes: &[u8]) -> Result<D, FormError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return form::from_json(D::NAME, u64::from(D::VERSION), bytes);
    };
    match rest {
        [kind, ..] if *kind != D::KIND => {
            let found = format!("binary document kind {kind}");
            Err(FormError::new(D::NAME, Fault::OtherDocument { expected: D::NAME, found }))
        }
        [_, version, ..] if *version != D::VERSION => {
            Err(FormError::new(D::NAME, Fault::UnknownVersion { found: u64::from(*version) }))
        }
        [_, _, cbor @ ..] => form::from_cbor(D::NAME, cbor),
        _ => Err(FormError::new(D::NAME, Fault::Malformed { why: "ends in its head".to_owned() })),
    }
}
