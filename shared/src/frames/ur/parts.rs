//! A Uniform Resource in several parts (BCR-2024-001): for messages that one QR code does not hold.
//!
//! ```text
//! UR:TYPE/NUMBER-TOTAL/LETTERS     letters: [number, total, message length, CRC-32 of the message, fragment]
//! ```
//! [`Parts`] makes them for whoever shows a request, [`Decoder`] puts a reply together again from whatever a
//! camera reads, in any order. What must stay true: every limit is checked on the text and on the numbers before
//! memory is taken, so a transfer costs at most 32 KiB; foreign, damaged and contradicting parts change nothing;
//! several transfers of one type are kept apart, and only the least advanced ever makes room for another.

use super::cbor::{CborError, Reader, Writer, strict};
use super::mixture::{self, Mask};
use super::{MAX_MESSAGE_BYTES, MAX_PARTS, SCHEME, Ur, UrError, bytewords, split};
use crate::frames::{FrameSize, MAX_FRAME_CHARACTERS};

/// What a part's array takes beside its fragment, at most.
const ARRAY_OVERHEAD_BYTES: usize = 1 + 5 + 3 + 3 + 5 + 3;
/// The longest `NUMBER-TOTAL/`.
const NUMBERS_MAX_CHARACTERS: usize = "4294967295-256/".len();
/// Transfers of one type that are put together at the same time.
const MAX_TRANSFERS: usize = 4;

/// What all parts of a message have in common. Within every limit once it exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    total: usize,
    message_bytes: usize,
    checksum: u32,
    fragment_bytes: usize,
}

impl Shape {
    fn new(total: u64, message: u64, checksum: u64, fragment_bytes: usize) -> Result<Self, UrError> {
        let message_bytes = usize::try_from(message).unwrap_or(usize::MAX);
        if !(1..=MAX_MESSAGE_BYTES).contains(&message_bytes) {
            return Err(UrError::MessageLength { found: message_bytes, limit: MAX_MESSAGE_BYTES });
        }
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        if !(1..=MAX_PARTS).contains(&total) {
            return Err(UrError::PartNumbers);
        }
        let checksum = u32::try_from(checksum).map_err(|_| UrError::PartMalformed)?;
        if fragment_bytes == 0 || message_bytes.div_ceil(fragment_bytes) != total {
            return Err(UrError::PartMalformed);
        }
        Ok(Self { total, message_bytes, checksum, fragment_bytes })
    }
}

/// The texts that carry a message: one, or as many as are wanted.
#[derive(Clone, Debug)]
pub struct Parts {
    ur: Ur,
    shape: Shape,
    padded: Vec<u8>,
}

impl Parts {
    /// Texts that fit into QR codes of this size: the whole message if possible, else the fewest parts.
    pub fn fitting(ur: Ur, size: FrameSize) -> Result<Self, UrError> {
        let room = size.characters();
        let header = SCHEME.len() + ur.ur_type().len() + 1;
        if header + bytewords::letters(ur.cbor().len()) <= room {
            return Self::of_fragments(ur, MAX_MESSAGE_BYTES);
        }
        let overhead = header + NUMBERS_MAX_CHARACTERS + bytewords::letters(ARRAY_OVERHEAD_BYTES);
        let fragment_bytes = room.saturating_sub(overhead) / 2;
        Self::of_fragments(ur, fragment_bytes).map_err(|_| UrError::QrTooSmall { room })
    }

    /// Fragments of about equal length, at most `longest` bytes each.
    pub fn of_fragments(ur: Ur, longest: usize) -> Result<Self, UrError> {
        let bytes = ur.cbor().len();
        if longest == 0 {
            return Err(UrError::PartMalformed);
        }
        let fragment_bytes = bytes.div_ceil(bytes.div_ceil(longest));
        let total = bytes.div_ceil(fragment_bytes);
        let checksum = bytewords::crc32(ur.cbor());
        let shape = Shape::new(total as u64, bytes as u64, checksum.into(), fragment_bytes)?;
        let mut padded = ur.cbor().to_vec();
        padded.resize(total * fragment_bytes, 0);
        Ok(Self { ur, shape, padded })
    }

    /// How many parts the message was cut into; 1 if one text holds it.
    pub fn total(&self) -> usize {
        self.shape.total
    }

    /// Part `number`, counted from 1, in capitals. Parts beyond the total mix several fragments, so that a camera
    /// that lost one need not wait for it; a message in one piece is the same text for every number.
    pub fn text(&self, number: u32) -> String {
        if self.shape.total == 1 {
            return self.ur.text();
        }
        let number = number.max(1);
        let shape = &self.shape;
        let mask = mixture::fragments(number, shape.total, shape.checksum);
        let mut fragment = vec![0; shape.fragment_bytes];
        for (at, bytes) in self.padded.chunks(shape.fragment_bytes).enumerate() {
            if mixture::has(&mask, at) {
                xor(&mut fragment, bytes);
            }
        }
        let inside = Inside {
            number: number.into(),
            total: shape.total as u64,
            message_bytes: shape.message_bytes as u64,
            checksum: shape.checksum.into(),
            fragment,
        };
        let letters = bytewords::write(&inside.encode());
        format!("{SCHEME}{}/{number}-{}/{letters}", self.ur.ur_type().to_ascii_uppercase(), shape.total)
    }
}

/// One part, its checksum and every limit verified.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    number: u32,
    shape: Shape,
    fragment: Vec<u8>,
}

impl Part {
    /// Reads `NUMBER-TOTAL/LETTERS`. The numbers outside are looked at before anything is decoded.
    fn read(numbers: &str, letters: &str) -> Result<Self, UrError> {
        let (number, total) = numbers.split_once('-').ok_or(UrError::PartNumbers)?;
        let number = decimal(number).filter(|number| *number > 0).ok_or(UrError::PartNumbers)?;
        let total = decimal(total).map(u64::from).ok_or(UrError::PartNumbers)?;
        if !(1..=MAX_PARTS as u64).contains(&total) {
            return Err(UrError::PartNumbers);
        }
        let cbor = bytewords::read(letters)?;
        let inside =
            strict("part", &cbor, Inside::read, Inside::encode).map_err(|_| UrError::PartMalformed)?;
        if (inside.number, inside.total) != (u64::from(number), total) {
            return Err(UrError::PartNumbers);
        }
        let shape = Shape::new(total, inside.message_bytes, inside.checksum, inside.fragment.len())?;
        Ok(Self { number, shape, fragment: inside.fragment })
    }
}

/// The array inside a part, as it was written; nothing in it has been judged yet.
struct Inside {
    number: u64,
    total: u64,
    message_bytes: u64,
    checksum: u64,
    fragment: Vec<u8>,
}

impl Inside {
    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let elements = from.array(5)?;
        if elements != 5 {
            return Err(from.malformed(format!("{elements} elements instead of 5")));
        }
        Ok(Self {
            number: from.number()?,
            total: from.number()?,
            message_bytes: from.number()?,
            checksum: from.number()?,
            fragment: from.bytes()?.to_vec(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.array(5);
        to.number(self.number);
        to.number(self.total);
        to.number(self.message_bytes);
        to.number(self.checksum);
        to.bytes(&self.fragment);
        to.done()
    }
}

/// A decimal number in its one spelling.
fn decimal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn xor(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to ^= from);
}

/// What a text did to the decoder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Not a Uniform Resource, or one of another type. Nothing changed.
    Foreign,
    /// It says nothing that was not known.
    Repeated,
    /// It helped.
    Received {
        /// Independent parts so far.
        received: usize,
        /// Independent parts that are needed.
        needed: usize,
    },
    /// The message is whole.
    Complete(Ur),
}

/// Puts messages of one type together from texts in any order.
#[derive(Clone, Debug)]
pub struct Decoder {
    ur_type: String,
    transfers: Vec<Transfer>,
}

impl Decoder {
    /// Waits for a message of this type (lower case), such as `eth-signature`.
    pub fn new(ur_type: &str) -> Self {
        Self { ur_type: ur_type.to_owned(), transfers: Vec::new() }
    }

    /// Takes one text. An error leaves everything as it was, except [`UrError::Damaged`], after which that one
    /// message starts again.
    pub fn receive(&mut self, text: &str) -> Result<Progress, UrError> {
        let rest = match split(text) {
            Ok((ur_type, rest)) if ur_type == self.ur_type => rest,
            _ => return Ok(Progress::Foreign),
        };
        let Some((numbers, letters)) = rest.split_once('/') else {
            return Ur::parse(text).map(Progress::Complete);
        };
        if text.len() > MAX_FRAME_CHARACTERS {
            return Err(UrError::TextTooLong { found: text.len(), limit: MAX_FRAME_CHARACTERS });
        }
        let part = Part::read(numbers, letters)?;
        let at = self.transfer_of(part.shape);
        let transfer = &mut self.transfers[at];
        if !transfer.add(&part)? {
            return Ok(Progress::Repeated);
        }
        let (received, needed) = (transfer.rank, part.shape.total);
        if received < needed {
            return Ok(Progress::Received { received, needed });
        }
        let message = self.transfers.swap_remove(at).message().ok_or(UrError::Damaged)?;
        Ur::new(&self.ur_type, message).map(Progress::Complete)
    }

    /// The place of the transfer of this shape; a new one takes the place of the least advanced when all are taken.
    fn transfer_of(&mut self, shape: Shape) -> usize {
        if let Some(at) = self.transfers.iter().position(|transfer| transfer.shape == shape) {
            return at;
        }
        if self.transfers.len() >= MAX_TRANSFERS {
            let least = (0..self.transfers.len()).min_by_key(|at| self.transfers[*at].rank);
            self.transfers.remove(least.unwrap_or(0));
        }
        self.transfers.push(Transfer { shape, rows: vec![None; shape.total], rank: 0 });
        self.transfers.len() - 1
    }
}

/// The exclusive-or of the fragments in a mask.
#[derive(Clone, Debug)]
struct Row {
    mask: Mask,
    bytes: Vec<u8>,
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.mask.iter_mut().zip(other.mask).for_each(|(to, from)| *to ^= from);
        xor(&mut self.bytes, &other.bytes);
    }
}

/// Equations in echelon form: row `i`, if there is one, has `i` as its lowest fragment.
#[derive(Clone, Debug)]
struct Transfer {
    shape: Shape,
    rows: Vec<Option<Row>>,
    rank: usize,
}

impl Transfer {
    /// Whether the part said something new. One that contradicts the others is refused and forgotten.
    fn add(&mut self, part: &Part) -> Result<bool, UrError> {
        let mask = mixture::fragments(part.number, self.shape.total, self.shape.checksum);
        let mut row = Row { mask, bytes: part.fragment.clone() };
        for (at, place) in self.rows.iter_mut().enumerate() {
            if !mixture::has(&row.mask, at) {
                continue;
            }
            match place {
                Some(known) => row.add(known),
                None => {
                    *place = Some(row);
                    self.rank += 1;
                    return Ok(true);
                }
            }
        }
        if row.bytes.iter().all(|byte| *byte == 0) {
            Ok(false)
        } else {
            Err(UrError::Contradiction { number: part.number })
        }
    }

    /// Solves a complete system from its last row up; `None` if padding or checksum are wrong.
    fn message(self) -> Option<Vec<u8>> {
        let mut solved: Vec<Row> = Vec::with_capacity(self.shape.total);
        for row in self.rows.into_iter().rev() {
            let mut row = row?;
            // `solved` runs backwards: its last entry is the fragment after this one.
            let first = self.shape.total - solved.len();
            for (at, known) in (first..).zip(solved.iter().rev()) {
                if mixture::has(&row.mask, at) {
                    row.add(known);
                }
            }
            solved.push(row);
        }
        let mut message: Vec<u8> = solved.into_iter().rev().flat_map(|row| row.bytes).collect();
        let padding = message.split_off(self.shape.message_bytes);
        let sound =
            padding.iter().all(|byte| *byte == 0) && bytewords::crc32(&message) == self.shape.checksum;
        sound.then_some(message)
    }
}
