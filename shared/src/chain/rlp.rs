//! Recursive length prefix, Ethereum's encoding of byte strings and lists, written and read strictly.
//!
//! The EVM transaction codec is the only caller. One value has one encoding: long forms for short lengths,
//! leading zeros, trailing bytes and lengths beyond the input are errors that say where. Size and depth are
//! bounded before anything is allocated; a decoded [`Item`] borrows the input. Source: Yellow Paper, appendix B.

/// Most bytes read: the size above which nodes refuse a transaction (128 KiB).
pub const MAX_BYTES: usize = 128 * 1024;
/// Deepest nesting read. A type-2 transaction with an access list needs four levels of lists.
pub const MAX_DEPTH: usize = 4;

/// Why bytes are not one strictly encoded RLP item. Offsets count from the start of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RlpError {
    /// More than [`MAX_BYTES`].
    #[error("{found} bytes are more than {MAX_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// A header or its payload goes beyond its list or the input.
    #[error("item at byte {offset} goes beyond the end")]
    Truncated {
        /// Where the item starts.
        offset: usize,
    },
    /// A length or a single byte is not in its shortest form.
    #[error("item at byte {offset} is not in its shortest form")]
    NotShortest {
        /// Where the item starts.
        offset: usize,
    },
    /// Lists nested deeper than [`MAX_DEPTH`].
    #[error("list at byte {offset} is nested deeper than {MAX_DEPTH}")]
    TooDeep {
        /// Where the list starts.
        offset: usize,
    },
    /// Bytes after the item.
    #[error("{found} bytes after the item")]
    Trailing {
        /// How many.
        found: usize,
    },
}

/// One decoded item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A byte string.
    Bytes(&'a [u8]),
    /// A list of items.
    List(Vec<Item<'a>>),
}

/// Reads exactly one item that fills `input`.
pub fn decode(input: &[u8]) -> Result<Item<'_>, RlpError> {
    if input.len() > MAX_BYTES {
        return Err(RlpError::TooLong { found: input.len() });
    }
    let mut reader = Reader { input, at: 0 };
    let item = reader.item(input.len(), 0)?;
    match input.len() - reader.at {
        0 => Ok(item),
        found => Err(RlpError::Trailing { found }),
    }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// One item that ends at `end` or before.
    fn item(&mut self, end: usize, depth: usize) -> Result<Item<'a>, RlpError> {
        let offset = self.at;
        let [first] = *self.take(1, end, offset)? else {
            return Err(RlpError::Truncated { offset });
        };
        match first {
            0x00..0x80 => Ok(Item::Bytes(&self.input[offset..=offset])),
            0x80..0xc0 => {
                let length = self.length(first - 0x80, end, offset)?;
                let bytes = self.take(length, end, offset)?;
                match bytes {
                    [single] if *single < 0x80 => Err(RlpError::NotShortest { offset }),
                    _ => Ok(Item::Bytes(bytes)),
                }
            }
            0xc0.. => {
                if depth == MAX_DEPTH {
                    return Err(RlpError::TooDeep { offset });
                }
                let length = self.length(first - 0xc0, end, offset)?;
                self.list(length, end, depth, offset)
            }
        }
    }

    fn list(&mut self, length: usize, end: usize, depth: usize, offset: usize) -> Result<Item<'a>, RlpError> {
        let list_end =
            self.at.checked_add(length).filter(|e| *e <= end).ok_or(RlpError::Truncated { offset })?;
        let mut items = Vec::new();
        while self.at < list_end {
            items.push(self.item(list_end, depth + 1)?);
        }
        Ok(Item::List(items))
    }

    /// The payload's length from the header's lower part: 0..=55 is the length itself, above is the number of
    /// length bytes plus 55.
    fn length(&mut self, code: u8, end: usize, offset: usize) -> Result<usize, RlpError> {
        if code <= 55 {
            return Ok(usize::from(code));
        }
        let bytes = self.take(usize::from(code - 55), end, offset)?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::NotShortest { offset });
        }
        let length = bytes
            .iter()
            .try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
            .ok_or(RlpError::Truncated { offset })?;
        if length <= 55 { Err(RlpError::NotShortest { offset }) } else { Ok(length) }
    }

    fn take(&mut self, count: usize, end: usize, offset: usize) -> Result<&'a [u8], RlpError> {
        let stop = self.at.checked_add(count).filter(|stop| *stop <= end);
        let bytes =
            stop.and_then(|stop| self.input.get(self.at..stop)).ok_or(RlpError::Truncated { offset })?;
        self.at += count;
        Ok(bytes)
    }
}

/// Collects the items of one list and writes the list when finished.
#[derive(Clone, Debug, Default)]
pub struct ListWriter {
    payload: Vec<u8>,
}

impl ListWriter {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a byte string.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        match bytes {
            [single] if *single < 0x80 => self.payload.push(*single),
            _ => {
                header(&mut self.payload, 0x80, bytes.len());
                self.payload.extend_from_slice(bytes);
            }
        }
        self
    }

    /// Appends an unsigned integer given as big-endian bytes: leading zeros are cut, zero is empty.
    #[must_use]
    pub fn integer(self, be_bytes: &[u8]) -> Self {
        let first = be_bytes.iter().position(|byte| *byte != 0).unwrap_or(be_bytes.len());
        self.bytes(&be_bytes[first..])
    }

    /// Appends an empty list.
    #[must_use]
    pub fn empty_list(mut self) -> Self {
        self.payload.push(0xc0);
        self
    }

    /// The list's encoding, appended to `out`.
    pub fn finish(self, out: &mut Vec<u8>) {
        header(out, 0xc0, self.payload.len());
        out.extend_from_slice(&self.payload);
    }
}

fn header(out: &mut Vec<u8>, base: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short <= 55 => out.push(base + short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = &bytes[zeros..];
            // A usize has at most eight bytes: base + 55 + 8 is at most 0xff.
            out.push(base + 55 + digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_strings_of_every_length_class_round_trip() {
        for length in [0, 1, 2, 55, 56, 255, 256, 65_535, 65_536] {
            let string = vec![0x7f; length];
            let mut encoded = Vec::new();
            ListWriter::new().bytes(&string).integer(&[0, 0, 1, 0]).empty_list().finish(&mut encoded);
            let expected = vec![Item::Bytes(&string), Item::Bytes(&[1, 0]), Item::List(vec![])];
            assert_eq!(decode(&encoded), Ok(Item::List(expected)), "{length}");
        }
    }

    #[test]
    fn every_loose_form_is_refused_by_its_name() {
        let refused: [(&[u8], RlpError); 8] = [
            (&[], RlpError::Truncated { offset: 0 }),
            (&[0x81, 0x05], RlpError::NotShortest { offset: 0 }),
            (&[0xb8, 0x01, 0x80], RlpError::NotShortest { offset: 0 }),
            (&[0xb9, 0x00, 0x40], RlpError::NotShortest { offset: 0 }),
            (&[0xc1, 0x81, 0x80], RlpError::Truncated { offset: 1 }),
            (&[0xc0, 0x00], RlpError::Trailing { found: 1 }),
            (&[0xc5, 0xc4, 0xc3, 0xc2, 0xc1, 0xc0], RlpError::TooDeep { offset: 4 }),
            (
                &[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                RlpError::Truncated { offset: 0 },
            ),
        ];
        for (bytes, error) in refused {
            assert_eq!(decode(bytes), Err(error), "{bytes:02x?}");
        }
        assert_eq!(decode(&vec![0; MAX_BYTES + 1]), Err(RlpError::TooLong { found: MAX_BYTES + 1 }));
    }
}
