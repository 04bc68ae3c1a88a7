//! JSON text to nodes, within limits of depth and number.
//!
//! serde_json reads the text and drives this; no tree of its own stands in between, which would take six times
//! the memory. Called by `json` only. What must stay true: a document of the longest length, whatever is in it,
//! takes less than 256 MiB; the first thing that is wrong is the one that is named; fractions, exponents, negative
//! numbers and null are refused, so that no document brings a float.

use super::{Fault, MAX_DEPTH, Name, Node};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cell::{Cell, RefCell};
use std::fmt;

/// The most values in a document. The longest batch, written out, has fewer than 400,000.
const MAX_NODES: usize = 1 << 19;

/// Reads the one value that `bytes` are. Of fields with the same name the last one stays, as a program that
/// reads them into a map would see it; whoever compares with the canonical spelling finds the others.
pub fn parse(bytes: &[u8]) -> Result<Node, Fault> {
    let state = State { nodes_left: Cell::new(MAX_NODES), fault: RefCell::new(None) };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Value { state: &state, depth: MAX_DEPTH }.deserialize(&mut json);
    read.and_then(|node| json.end().map(|()| node))
        .map_err(|error| state.fault.take().unwrap_or_else(|| Fault::Malformed { why: error.to_string() }))
}

/// What all values of a document share.
struct State {
    nodes_left: Cell<usize>,
    fault: RefCell<Option<Fault>>,
}

/// One value to be read, with so many levels below it.
#[derive(Clone, Copy)]
struct Value<'a> {
    state: &'a State,
    depth: usize,
}

impl Value<'_> {
    /// Ends the reading; what serde_json makes of it is not shown.
    fn refuse<E: serde::de::Error>(self, why: String) -> E {
        self.state.fault.replace(Some(Fault::Malformed { why }));
        E::custom("refused")
    }

    fn not_an_integer<E: serde::de::Error>(self, number: Option<serde_json::Number>) -> E {
        let number = number.map_or("a number".to_owned(), |number| number.to_string());
        self.refuse(format!("{number} is not an unsigned integer"))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        if self.depth == 0 {
            return Err(self.refuse(format!("nested deeper than {MAX_DEPTH}")));
        }
        match self.state.nodes_left.get().checked_sub(1) {
            Some(left) => self.state.nodes_left.set(left),
            None => return Err(self.refuse(format!("more than {MAX_NODES} values"))),
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Uint(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Node, E> {
        Err(self.not_an_integer(Some(number.into())))
    }

    /// A float that a document brings ends here: spelled in the refusal, it never becomes a value.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Node, E> {
        Err(self.not_an_integer(serde_json::Number::from_f64(number)))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        Err(self.refuse("null has no place here".to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let below = Self { depth: self.depth - 1, ..self };
        let mut nodes = Vec::new();
        while let Some(node) = from.next_element_seed(below)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let below = Self { depth: self.depth - 1, ..self };
        let mut fields: Vec<(u64, Name, Node)> = Vec::new();
        while let Some(name) = from.next_key::<String>()? {
            fields.push((0, name.into(), from.next_value_seed(below)?));
        }
        // Later ones first among equals, so that they are the ones that stay.
        fields.reverse();
        fields.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
        fields.dedup_by(|(_, later, _), (_, kept, _)| later == kept);
        Ok(Node::Map(fields))
    }
}
