//! A payload as an endless row of frames, and back from any of them that suffice (RaptorQ, RFC 6330).
//!
//! The side that shows codes holds an [`Encoder`], the side with the camera a [`Decoder`]. Frames may
//! be lost, repeated and shuffled: about as many as there are source symbols are enough, whichever they
//! are. What must stay true: the decoder's memory is bounded by the limits of `mod.rs`, its equations
//! are solved a bounded number of times, and only a payload whose digest matches leaves it.

use super::{DIGEST_BYTES, Frame, FrameError, FrameSize, MAX_SYMBOL_NUMBER, Shape, Transfer, TransferId};
use raptorq::{
    EncodingPacket, ObjectTransmissionInformation, PayloadId, SourceBlockDecoder, SourceBlockEncoder,
    SourceBlockEncodingPlan,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a transfer delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The kind of document; opaque here.
    pub kind: u8,
    /// The document's bytes, exactly as they were given to the encoder.
    pub bytes: Vec<u8>,
}

/// Turns one payload into frames, as many as anyone wants to look at.
pub struct Encoder {
    transfer: Transfer,
    size: FrameSize,
    /// Payload, digest and zeros up to a whole number of symbols.
    object: Vec<u8>,
    /// `None` if the message is one frame.
    repair: Option<SourceBlockEncoder>,
}

impl Encoder {
    /// Prepares the frames of `payload`, none of which needs a QR code larger than `size`.
    pub fn new(payload: &[u8], kind: u8, size: FrameSize) -> Result<Self, FrameError> {
        let shape = Shape::fitting(payload.len(), size.symbol_bytes())?;
        let digest = super::transfer_digest(kind, payload);
        let mut object = Vec::with_capacity(shape.padded_bytes());
        object.extend_from_slice(payload);
        object.extend_from_slice(digest.as_bytes());
        object.resize(shape.padded_bytes(), 0);
        let repair = (shape.source_symbols > 1).then(|| {
            let plan = SourceBlockEncodingPlan::generate(shape.source_symbols as u16);
            SourceBlockEncoder::with_encoding_plan(0, &parameters(shape), &object, &plan)
        });
        let transfer = Transfer { id: TransferId::of(&digest), kind, shape };
        Ok(Self { transfer, size, object, repair })
    }

    /// The text of frame `n`: the source symbols first, then repair symbols without end (numbers start
    /// again after 2^20). A short message has one frame only, which every `n` gives.
    pub fn frame(&self, n: u32) -> String {
        let Shape { symbol_bytes, source_symbols, .. } = self.transfer.shape;
        let number = n % self.transfer.shape.symbol_numbers();
        let source = self.object.chunks_exact(symbol_bytes).nth(number as usize);
        match (source, &self.repair) {
            (Some(symbol), _) => Frame::text(&self.transfer, number, symbol),
            (None, Some(repair)) => repair
                .repair_packets(number - source_symbols as u32, 1)
                .first()
                .map_or_else(String::new, |packet| Frame::text(&self.transfer, number, packet.data())),
            (None, None) => String::new(), // a single frame has number 0 and was found above
        }
    }

    /// How many frames suffice if none is lost.
    pub fn source_frames(&self) -> u32 {
        self.transfer.shape.source_symbols as u32
    }

    /// How many different frames a loop should show, so that a pass with three in ten lost suffices.
    pub fn suggested_frames(&self) -> u32 {
        match self.source_frames() {
            1 => 1,
            source => (source + source / 2 + 4).min(MAX_SYMBOL_NUMBER),
        }
    }

    /// The texts of the loop: frames 0 to [`Self::suggested_frames`].
    pub fn frames(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.suggested_frames()).map(|n| self.frame(n))
    }

    /// The QR code's size that the frames were made for.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// The transfer's name, the same on both sides.
    pub fn transfer_id(&self) -> TransferId {
        self.transfer.id
    }
}

fn parameters(shape: Shape) -> ObjectTransmissionInformation {
    // Both lengths are within the limits that Shape::new checks, far below what the crate asserts.
    ObjectTransmissionInformation::new(shape.padded_bytes() as u64, shape.symbol_bytes as u16, 1, 1, 1)
}

/// What a text given to the decoder did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The text is no frame of Airlock. Nothing changed.
    Foreign,
    /// The frame belongs to another transfer than the one under way, which goes on. `seen` of them came
    /// since the last frame of the current one; if it grows, offer a [`Decoder::reset`].
    OtherTransfer {
        /// Frames of other transfers in a row.
        seen: u32,
    },
    /// The frame was received before. Nothing changed.
    Repeated,
    /// The frame is new.
    Received {
        /// Frames received.
        have: usize,
        /// Frames that suffice nearly always; now and then it takes one or two more.
        need: usize,
    },
    /// The transfer is complete and its digest matches.
    Complete(Payload),
}

/// Gathers frames, in any order, until a payload is complete. One decoder serves one transfer after
/// the other; while one is under way, it keeps to that one.
#[derive(Default)]
pub struct Decoder {
    current: Option<Gathering>,
    completed: Option<Transfer>,
    others: u32,
}

/// One transfer's symbols, until they suffice.
pub(super) struct Gathering {
    pub(super) transfer: Transfer,
    symbols: BTreeMap<u32, Vec<u8>>,
    attempts: u32,
    attempt_at: usize,
}

/// An honest transfer fails its first attempt once in 256 times and its third once in ten million. The
/// distance between attempts doubles, so the last comes with 63 symbols too many.
const MAX_ATTEMPTS: u32 = 7;

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the text of one QR code. After an error that ends a transfer (its digest does not match,
    /// or it has no solution) the decoder has forgotten it, and its frames start it again; after every
    /// other error nothing has changed.
    pub fn receive(&mut self, text: &str) -> Result<Progress, FrameError> {
        let Some(frame) = Frame::read(text)? else { return Ok(Progress::Foreign) };
        if self.completed == Some(frame.transfer) {
            return Ok(Progress::Repeated);
        }
        if self.current.as_ref().is_some_and(|current| current.transfer != frame.transfer) {
            self.others = self.others.saturating_add(1);
            return Ok(Progress::OtherTransfer { seen: self.others });
        }
        self.others = 0;
        let gathering = self.current.get_or_insert_with(|| Gathering::new(frame.transfer));
        match gathering.receive(frame) {
            Ok(Progress::Complete(payload)) => {
                self.completed = self.current.take().map(|current| current.transfer);
                Ok(Progress::Complete(payload))
            }
            Err(error @ (FrameError::DigestMismatch { .. } | FrameError::Unsolvable { .. })) => {
                self.current = None;
                Err(error)
            }
            other => other,
        }
    }

    /// Forgets everything, the transfer under way and the completed one.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The transfer under way.
    pub fn transfer_id(&self) -> Option<TransferId> {
        self.current.as_ref().map(|current| current.transfer.id)
    }
}

impl Gathering {
    pub(super) fn new(transfer: Transfer) -> Self {
        let attempt_at = transfer.shape.source_symbols;
        Self { transfer, symbols: BTreeMap::new(), attempts: 0, attempt_at }
    }

    /// Different frames received, and how many suffice nearly always.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.symbols.len(), self.transfer.shape.source_symbols)
    }

    pub(super) fn receive(&mut self, frame: Frame) -> Result<Progress, FrameError> {
        match self.symbols.get(&frame.number) {
            Some(known) if *known == frame.symbol => return Ok(Progress::Repeated),
            Some(_) => return Err(FrameError::ConflictingSymbol { number: frame.number }),
            None => self.symbols.insert(frame.number, frame.symbol),
        };
        let (have, need) = (self.symbols.len(), self.transfer.shape.source_symbols);
        if have < self.attempt_at {
            return Ok(Progress::Received { have, need });
        }
        if let Some(object) = solve(self.transfer.shape, &self.symbols) {
            return self.verified(object).map(Progress::Complete);
        }
        self.attempts += 1;
        if self.attempts == MAX_ATTEMPTS {
            return Err(FrameError::Unsolvable { transfer: self.transfer.id, symbols: have });
        }
        self.attempt_at = have + (1 << (self.attempts - 1));
        Ok(Progress::Received { have, need })
    }

    fn verified(&self, mut object: Vec<u8>) -> Result<Payload, FrameError> {
        let Transfer { id, kind, shape } = self.transfer;
        let carried = object.get(shape.payload_bytes..shape.payload_bytes + DIGEST_BYTES).map(<[u8]>::to_vec);
        object.truncate(shape.payload_bytes);
        let digest = super::transfer_digest(kind, &object);
        if carried.as_deref() != Some(digest.as_bytes()) || TransferId::of(&digest) != id {
            return Err(FrameError::DigestMismatch { transfer: id });
        }
        Ok(Payload { kind, bytes: object })
    }
}

/// Solves for the source symbols. The numbers are distinct and small and the lengths equal, which is
/// all that the crate asserts; a panic that we have not foreseen counts as no solution.
fn solve(shape: Shape, symbols: &BTreeMap<u32, Vec<u8>>) -> Option<Vec<u8>> {
    if shape.source_symbols == 1 {
        return symbols.get(&0).cloned();
    }
    let packets = symbols
        .iter()
        .map(|(number, symbol)| EncodingPacket::new(PayloadId::new(0, *number), symbol.clone()));
    catch_unwind(AssertUnwindSafe(|| {
        SourceBlockDecoder::new(0, &parameters(shape), shape.padded_bytes() as u64).decode(packets)
    }))
    .ok()
    .flatten()
}
