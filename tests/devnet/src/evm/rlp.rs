//! RLP, strict: one spelling for every value (yellow paper, appendix B).
//!
//! Written here a second time on purpose: the devnet must not share the product's codec. Used by `transaction.rs` and `block.rs`.

use revm::primitives::U256;

/// Deepest nesting any known transaction needs is 4.
const DEPTH_MAX: usize = 8;

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A byte string.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Item>),
}

impl Item {
    /// The list's items.
    pub(crate) fn list(&self) -> Option<&[Item]> {
        match self {
            Self::List(items) => Some(items),
            Self::Bytes(_) => None,
        }
    }

    /// The string's bytes.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }

    /// An integer without leading zero bytes, of at most 32 bytes.
    pub(crate) fn integer(&self) -> Option<U256> {
        let bytes = self.bytes()?;
        if bytes.len() > 32 || bytes.first() == Some(&0) {
            return None;
        }
        U256::try_from_be_slice(bytes)
    }

    /// The canonical bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => match bytes.as_slice() {
                [one] if *one < 0x80 => vec![*one],
                _ => with_header(0x80, bytes),
            },
            Self::List(items) => {
                let payload: Vec<u8> = items.iter().flat_map(Item::encode).collect();
                with_header(0xc0, &payload)
            }
        }
    }
}

/// An integer as RLP wants it: big endian, no leading zeros.
pub(crate) fn integer(value: U256) -> Item {
    Item::Bytes(value.to_be_bytes_trimmed_vec())
}

/// A string of these bytes.
pub(crate) fn bytes(value: impl AsRef<[u8]>) -> Item {
    Item::Bytes(value.as_ref().to_vec())
}

fn with_header(offset: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut out = Vec::with_capacity(length + 9);
    if length < 56 {
        out.push(offset + u8::try_from(length).unwrap_or(0));
    } else {
        let digits = U256::from(length).to_be_bytes_trimmed_vec();
        out.push(offset + 55 + u8::try_from(digits.len()).unwrap_or(0));
        out.extend_from_slice(&digits);
    }
    out.extend_from_slice(payload);
    out
}

/// Decodes exactly one value; anything else is `None`.
pub(crate) fn decode(input: &[u8]) -> Option<Item> {
    let (item, rest) = item(input, 0)?;
    rest.is_empty().then_some(item)
}

fn item(input: &[u8], depth: usize) -> Option<(Item, &[u8])> {
    let (&first, after) = input.split_first()?;
    if first < 0x80 {
        return Some((Item::Bytes(vec![first]), after));
    }
    let is_list = first >= 0xc0;
    let short = first - if is_list { 0xc0 } else { 0x80 };
    let (length, body) =
        if short < 56 { (usize::from(short), after) } else { long_length(after, usize::from(short - 55))? };
    let (payload, rest) = body.split_at_checked(length)?;
    if !is_list {
        // A single byte below 0x80 stands for itself.
        if matches!(payload, [one] if *one < 0x80) {
            return None;
        }
        return Some((Item::Bytes(payload.to_vec()), rest));
    }
    if depth >= DEPTH_MAX {
        return None;
    }
    let mut items = Vec::new();
    let mut left = payload;
    while !left.is_empty() {
        let (next, after) = item(left, depth + 1)?;
        items.push(next);
        left = after;
    }
    Some((Item::List(items), rest))
}

fn long_length(input: &[u8], digits: usize) -> Option<(usize, &[u8])> {
    let (length, rest) = input.split_at_checked(digits)?;
    if length.first() == Some(&0) || digits > 4 {
        return None;
    }
    let value = length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    (value >= 56).then_some((value, rest))
}
