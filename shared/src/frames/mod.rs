//! How bytes cross the gap: a payload becomes QR codes, and pictures of them become the payload again.
//!
//! ```text
//! payload --Encoder--> frame texts --QrImage--> PNG, GIF, SVG, terminal
//! payload <--Decoder-- frame texts <--Scanner-- pictures
//! ```
//!
//! A frame is these bytes, big-endian, written in base45 (RFC 9285) so that QR's alphanumeric mode
//! carries it:
//!
//! ```text
//!  0   2  magic           41 4c, "AL"
//!  2   1  version         1
//!  3   1  kind            what the payload is; opaque here, bound by the transfer's digest
//!  4   8  transfer id     the first 8 bytes of the transfer's digest
//! 12   4  payload length  bytes, 1 to 1,048,576
//! 16   3  symbol number   the encoding symbol id of RFC 6330: source symbols first, then repair
//! 19   T  symbol          the same T in every frame of a transfer
//! 19+T 4  checksum        the first 4 bytes of SHA-256("airlock:frame:1\n", all bytes before)
//! ```
//!
//! The transfer's digest is SHA-256("airlock:transfer:1\n", kind, payload). What the symbols carry is
//! the payload and then the whole digest, padded with zeros to K symbols of T bytes: one source block
//! of RaptorQ (RFC 6330), one sub-block, alignment 1. K = ceil((payload length + 32) / T) is computed,
//! never read. If K is 1, T is exactly payload length + 32, and the transfer is that one frame.
//!
//! What must stay true: every limit is checked before memory is taken; a frame that is not ours changes
//! nothing; no damage and no mixture of frames ever yields a payload that was not sent. A digest in the
//! same hands as the payload authenticates nothing: documents carry their own signatures.

mod fountain;
mod gather;
mod luma;
mod picture;
mod readers;
mod scan;
mod size;
mod svg;
pub mod ur;

pub use fountain::{Decoder, Encoder, Payload, Progress};
pub use gather::{Gathered, Missing, Taken, Transfers, UnderWay, WhenFull, gather};
pub use luma::Luma;
pub use picture::{PictureError, QrImage, animation};
pub use readers::{QrScanner, Scanner};
pub use scan::{PictureFile, ScanError, frames_of_picture, is_picture, scan_picture};
pub use size::{FrameSize, Level};
pub use svg::svg_animation;

use crate::Digest;
use std::fmt;

/// The longest payload of a transfer: 1 MiB, some forty times a batch of 1,000 withdrawals. At ten
/// frames a second and version 25 it takes a minute and a half, and no one holds a camera for longer.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;
/// The most source symbols of a transfer. It bounds the equations that a hostile frame can make us solve.
pub const MAX_SOURCE_SYMBOLS: usize = 4096;
/// Symbol numbers are below this, although RFC 6330 allows 2^24: at ten frames a second it lasts a day.
pub const MAX_SYMBOL_NUMBER: u32 = 1 << 20;
/// The longest text that a frame can have: what version 40 at level L holds.
pub const MAX_FRAME_CHARACTERS: usize = 4296;
/// What a frame holds besides its symbol.
pub const FRAME_OVERHEAD_BYTES: usize = HEADER_BYTES + CHECKSUM_BYTES;

const MAGIC: [u8; 2] = *b"AL";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 19;
const CHECKSUM_BYTES: usize = 4;
const DIGEST_BYTES: usize = 32;
const SYMBOL_MIN_BYTES: usize = DIGEST_BYTES + 1;
const SYMBOL_MAX_BYTES: usize = MAX_FRAME_CHARACTERS / 3 * 2 - FRAME_OVERHEAD_BYTES;

/// Why a payload cannot be sent, or a frame of ours cannot be used. Texts that are not ours at all are
/// no error but [`Progress::Foreign`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// There is nothing to send.
    #[error("the payload is empty")]
    EmptyPayload,
    /// The payload is longer than [`MAX_PAYLOAD_BYTES`], or a frame says so.
    #[error("a payload of {found} bytes is longer than {limit}")]
    PayloadTooLong {
        /// Bytes, as given or as claimed.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The payload would need more than [`MAX_SOURCE_SYMBOLS`] symbols of this length.
    #[error("{symbols} symbols are more than {limit}; larger QR codes would take fewer")]
    TooManySymbols {
        /// Symbols needed.
        symbols: usize,
        /// The limit.
        limit: usize,
    },
    /// There is no such QR version.
    #[error("QR version {found} is not between 1 and 40")]
    QrVersion {
        /// The version asked for.
        found: u8,
    },
    /// The QR code is too small to carry anything beside a frame's own header.
    #[error("a QR code of {room} bytes is too small, {needed} are needed")]
    QrTooSmall {
        /// Bytes that fit.
        room: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// The frame was made by a version of Airlock that this one does not understand.
    #[error("frame version {found} is not {VERSION}")]
    UnknownVersion {
        /// The version in the frame.
        found: u8,
    },
    /// The frame's checksum does not match its bytes: it was read wrongly.
    #[error("the frame's checksum does not match its bytes")]
    Checksum,
    /// The frame's symbol has a length that no frame of such a payload has.
    #[error("a symbol of {found} bytes does not belong to a payload of {payload} bytes")]
    SymbolLength {
        /// Bytes of the symbol.
        found: usize,
        /// Bytes of the payload, as claimed.
        payload: usize,
    },
    /// The symbol number is beyond the last one a transfer uses.
    #[error("symbol number {found} is not below {limit}")]
    SymbolNumber {
        /// The number in the frame.
        found: u32,
        /// The limit.
        limit: u32,
    },
    /// Two frames give the same symbol with different bytes; the first was kept.
    #[error("symbol {number} came twice with different bytes")]
    ConflictingSymbol {
        /// The symbol's number.
        number: u32,
    },
    /// All symbols fit together, but not to the transfer's digest. The transfer starts again.
    #[error("transfer {transfer} was damaged: its digest does not match; it starts again")]
    DigestMismatch {
        /// The transfer.
        transfer: TransferId,
    },
    /// More transfers lie together than the reader allows.
    #[error("frames of {found} transfers, at most {most} are read")]
    TooManyTransfers {
        /// Transfers found.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// The complete transfers together are longer than the reader allows.
    #[error("transfers of {found} bytes in all, at most {most} are kept")]
    TooManyBytes {
        /// Bytes of all complete transfers.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// More symbols than any honest transfer needs, and still no solution. The transfer starts again.
    #[error("transfer {transfer} has no solution after {symbols} symbols; it starts again")]
    Unsolvable {
        /// The transfer.
        transfer: TransferId,
        /// Symbols received.
        symbols: usize,
    },
}

/// Names a transfer: the first eight bytes of its digest. Shown in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransferId([u8; 8]);

impl TransferId {
    /// Is this what a person calls it: its hex, or the beginning of that?
    pub fn is_called(self, name: &str) -> bool {
        !name.is_empty() && hex::encode(self.0).starts_with(&name.to_lowercase())
    }

    fn of(digest: &Digest) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&digest.as_bytes()[..8]);
        Self(id)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digest of a transfer, which binds its kind to its payload.
fn transfer_digest(kind: u8, payload: &[u8]) -> Digest {
    Digest::of("airlock:transfer:1", &[&[kind], payload].concat())
}

/// The code's parameters, which follow from two lengths and are within every limit once this exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    payload_bytes: usize,
    symbol_bytes: usize,
    source_symbols: usize,
}

impl Shape {
    fn new(payload_bytes: usize, symbol_bytes: usize) -> Result<Self, FrameError> {
        if payload_bytes == 0 {
            return Err(FrameError::EmptyPayload);
        }
        if payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(FrameError::PayloadTooLong { found: payload_bytes, limit: MAX_PAYLOAD_BYTES });
        }
        let object_bytes = payload_bytes + DIGEST_BYTES;
        if symbol_bytes < SYMBOL_MIN_BYTES || symbol_bytes > SYMBOL_MAX_BYTES.min(object_bytes) {
            return Err(FrameError::SymbolLength { found: symbol_bytes, payload: payload_bytes });
        }
        let source_symbols = object_bytes.div_ceil(symbol_bytes);
        if source_symbols > MAX_SOURCE_SYMBOLS {
            return Err(FrameError::TooManySymbols { symbols: source_symbols, limit: MAX_SOURCE_SYMBOLS });
        }
        Ok(Self { payload_bytes, symbol_bytes, source_symbols })
    }

    /// The shape that needs the fewest frames of at most `room` symbol bytes, all about equally full.
    fn fitting(payload_bytes: usize, room: usize) -> Result<Self, FrameError> {
        let object_bytes = payload_bytes.saturating_add(DIGEST_BYTES);
        let symbols = object_bytes.div_ceil(room);
        Self::new(payload_bytes, object_bytes.div_ceil(symbols))
    }

    const fn padded_bytes(self) -> usize {
        self.source_symbols * self.symbol_bytes
    }

    /// A short message is one frame, so nothing follows its only symbol.
    const fn symbol_numbers(self) -> u32 {
        if self.source_symbols == 1 { 1 } else { MAX_SYMBOL_NUMBER }
    }
}

/// What all frames of a transfer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transfer {
    id: TransferId,
    kind: u8,
    shape: Shape,
}

/// One frame, its checksum and every limit verified.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    transfer: Transfer,
    number: u32,
    symbol: Vec<u8>,
}

impl Frame {
    /// The text of the QR code.
    fn text(transfer: &Transfer, number: u32, symbol: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(FRAME_OVERHEAD_BYTES + symbol.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.push(transfer.kind);
        bytes.extend_from_slice(&transfer.id.0);
        bytes.extend_from_slice(&(transfer.shape.payload_bytes as u32).to_be_bytes());
        bytes.extend_from_slice(&number.to_be_bytes()[1..]);
        bytes.extend_from_slice(symbol);
        bytes.extend_from_slice(&checksum(&bytes));
        base45::encode(bytes)
    }

    /// Is it one of ours, whole, or a part of a Uniform Resource, which hardware wallets show?
    fn is_ours(text: &str) -> bool {
        matches!(Self::read(text), Ok(Some(_)))
            || text.get(..3).is_some_and(|scheme| scheme.eq_ignore_ascii_case("ur:"))
    }

    /// Reads a text; `None` if it is not one of ours.
    fn read(text: &str) -> Result<Option<Self>, FrameError> {
        let Some(bytes) = bytes_of(text) else { return Ok(None) };
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let Some((symbol, sum)) = rest.split_last_chunk::<CHECKSUM_BYTES>() else { return Ok(None) };
        let [m0, m1, version, kind, id @ .., l0, l1, l2, l3, n0, n1, n2] = *header;
        if [m0, m1] != MAGIC {
            return Ok(None);
        }
        if checksum(&bytes[..bytes.len() - CHECKSUM_BYTES]) != *sum {
            return Err(FrameError::Checksum);
        }
        if version != VERSION {
            return Err(FrameError::UnknownVersion { found: version });
        }
        let shape = Shape::new(u32::from_be_bytes([l0, l1, l2, l3]) as usize, symbol.len())?;
        let number = u32::from_be_bytes([0, n0, n1, n2]);
        if number >= shape.symbol_numbers() {
            return Err(FrameError::SymbolNumber { found: number, limit: shape.symbol_numbers() });
        }
        let transfer = Transfer { id: TransferId(id), kind, shape };
        Ok(Some(Self { transfer, number, symbol: symbol.to_vec() }))
    }
}

/// The bytes of a canonical base45 text of bounded length. The crate lets a last pair of characters
/// overflow, so what was read is written again and compared.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_FRAME_CHARACTERS {
        return None;
    }
    let bytes = base45::decode(text).ok()?;
    (base45::encode(&bytes) == text).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = *Digest::of("airlock:frame:1", bytes).as_bytes();
    [a, b, c, d]
}
