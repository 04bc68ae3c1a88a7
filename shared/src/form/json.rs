//! Canonical JSON: nodes to text and strictly back.
//!
//! `parse` reads; the text is written here, because it has exactly one form. The two fields that every document
//! opens with, its name and version, are added and taken off here.

use super::parse::parse;
use super::{Fault, Form, FormError, MAX_JSON_BYTES, Name, Node, Reader, Spelling, Writer, same};
use std::fmt::Write as _;

/// The canonical JSON of a document of the kind `name`, version `version`.
pub fn to_json<F: Form>(name: &str, version: u64, document: &F) -> String {
    let mut text = String::new();
    write_document(&mut text, name, version, document);
    text
}

fn write_document<F: Form>(text: &mut String, name: &str, version: u64, document: &F) {
    let mut fields = vec![
        (0, Name::Borrowed("format"), Node::Text(name.to_owned())),
        (0, Name::Borrowed("version"), Node::Uint(version)),
    ];
    if let Node::Map(own) = Writer::node(document, Spelling::Json) {
        fields.extend(own);
    }
    write_json(text, &Node::Map(fields), 0);
    text.push('\n');
}

/// Writing to a `String` cannot fail.
fn write_json(to: &mut String, node: &Node, indent: usize) {
    let break_line = |to: &mut String, indent: usize| {
        to.push('\n');
        (0..indent).for_each(|_| to.push_str("  "));
    };
    match node {
        Node::Uint(value) => {
            let _infallible = write!(to, "{value}");
        }
        Node::Flag(value) => to.push_str(if *value { "true" } else { "false" }),
        Node::Text(text) => push_json_text(to, text),
        Node::Bytes(bytes) => push_hex(to, bytes),
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

/// Lower-case hex between quotes.
fn push_hex(to: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    to.reserve(2 * bytes.len() + 2);
    to.push('"');
    for byte in bytes {
        to.push(char::from(DIGITS[usize::from(byte >> 4)]));
        to.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    to.push('"');
}

/// Nearly every text is printable ASCII, which is written as it is; the rest has serde_json's escapes.
fn push_json_text(to: &mut String, text: &str) {
    if text.bytes().all(|c| matches!(c, b' '..=b'~') && c != b'"' && c != b'\\') {
        to.push('"');
        to.push_str(text);
        to.push('"');
        return;
    }
    to.push_str(&serde_json::Value::from(text).to_string());
}

/// Reads a document of the kind `name` and version `version` from its canonical JSON.
pub fn from_json<F: Form>(name: &'static str, version: u64, bytes: &[u8]) -> Result<F, FormError> {
    let document = from_foreign_json(name, version, bytes)?;
    let mut canonical = String::with_capacity(bytes.len());
    write_document(&mut canonical, name, version, &document);
    same(name, bytes, canonical.as_bytes())?;
    Ok(document)
}

/// The same from JSON that went through other people's programs, which order and space it as they like. For
/// documents whose every field is under a signature that the caller checks.
pub fn from_foreign_json<F: Form>(name: &'static str, version: u64, bytes: &[u8]) -> Result<F, FormError> {
    if bytes.len() > MAX_JSON_BYTES {
        let fault = Fault::TooLarge { limit: MAX_JSON_BYTES, found: bytes.len() };
        return Err(FormError::new(name, fault));
    }
    let mut node = parse(bytes).map_err(|fault| FormError::new(name, fault))?;
    if let Node::Map(fields) = &mut node {
        check_head(name, version, fields)?;
    }
    Reader::part_of(Spelling::Json, name, node)
}

/// Takes `format` and `version` out of the top-level fields.
fn check_head(
    name: &'static str,
    version: u64,
    fields: &mut Vec<(u64, Name, Node)>,
) -> Result<(), FormError> {
    let mut take = |wanted: &str| {
        let found = fields.iter().position(|(_, field, _)| *field == wanted)?;
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
