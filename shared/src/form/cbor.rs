//! Deterministic CBOR (RFC 8949 section 4.2): nodes to bytes and strictly back.
//!
//! minicbor reads and writes the heads; what is allowed here, how deep and how long, is decided in this file. A
//! declared count is believed only as far as there are bytes left for it.

use super::{Fault, Form, FormError, MAX_CBOR_BYTES, MAX_DEPTH, Name, Node, Reader, Spelling, Writer, same};
use minicbor::data::Type;

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
                Ok((key, Name::Borrowed(""), read_cbor(from, depth - 1)?))
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
