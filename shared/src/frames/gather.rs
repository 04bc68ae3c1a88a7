//! Several transfers at once: what both programs do with scanned texts, live or from a heap.
//!
//! Frames of several transfers may come together, in any order, repeated, among foreign codes and damaged
//! ones. Each transfer is solved by itself, so that a finished one never starts again and a stray frame of
//! another never spoils it. What must stay true: transfers and bytes are bounded, whatever comes in; what is
//! not complete can be seen beside what is.

use super::fountain::Gathering;
use super::{Frame, FrameError, Payload, Progress, Transfer, TransferId};

/// The most bytes of complete transfers that are kept: sixty-four of the longest.
const KEPT_MAX_BYTES: usize = 64 << 20;

/// What happens to frames of one more transfer than are kept at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// They are an error: a heap of files with so many transfers is a mistake.
    Refuse,
    /// The transfer that has not grown for longest is forgotten: a camera sees much in passing.
    Forget,
}

/// What a text did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is no frame of Airlock.
    Foreign,
    /// The frame, or all of its transfer, was received before.
    Repeated,
    /// The frame is new.
    New(TransferId),
    /// With it this transfer is complete.
    Complete(TransferId),
}

/// A transfer of which frames are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnderWay {
    /// Which.
    pub id: TransferId,
    /// The kind of document.
    pub kind: u8,
    /// Different frames received.
    pub have: usize,
    /// Frames that suffice nearly always.
    pub need: usize,
    /// How many new frames of any transfer had come when the last of this one came.
    pub at: u64,
}

/// Transfers under way and complete ones.
pub struct Transfers {
    most: usize,
    when_full: WhenFull,
    under_way: Vec<(u64, Gathering)>,
    complete: Vec<(Transfer, Payload)>,
    kept_bytes: usize,
    new_frames: u64,
}

impl Transfers {
    /// At most `most` under way, and as many complete.
    pub const fn new(most: usize, when_full: WhenFull) -> Self {
        Self { most, when_full, under_way: Vec::new(), complete: Vec::new(), kept_bytes: 0, new_frames: 0 }
    }

    /// Takes the text of one QR code. After an error that ends a transfer (its digest does not match, or it has
    /// no solution) that transfer is forgotten, and its frames start it again; after every other error
    /// nothing has changed.
    pub fn receive(&mut self, text: &str) -> Result<Taken, FrameError> {
        let Some(frame) = Frame::read(text)? else { return Ok(Taken::Foreign) };
        let transfer = frame.transfer;
        if self.complete.iter().any(|(known, _)| *known == transfer) {
            return Ok(Taken::Repeated);
        }
        let place = self.place(transfer)?;
        let (at, gathering) = &mut self.under_way[place];
        match gathering.receive(frame) {
            Ok(Progress::Complete(payload)) => {
                self.under_way.swap_remove(place);
                self.keep(transfer, payload)?;
                Ok(Taken::Complete(transfer.id))
            }
            Ok(Progress::Received { .. }) => {
                self.new_frames += 1;
                *at = self.new_frames;
                Ok(Taken::New(transfer.id))
            }
            Ok(_) => Ok(Taken::Repeated),
            Err(error @ (FrameError::DigestMismatch { .. } | FrameError::Unsolvable { .. })) => {
                self.under_way.swap_remove(place);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Where this transfer is gathered, from now on if it is new.
    fn place(&mut self, transfer: Transfer) -> Result<usize, FrameError> {
        if let Some(place) = self.under_way.iter().position(|(_, known)| known.transfer == transfer) {
            return Ok(place);
        }
        let full = match self.when_full {
            WhenFull::Refuse => self.under_way.len() + self.complete.len() >= self.most,
            WhenFull::Forget => self.under_way.len() >= self.most,
        };
        if full && self.when_full == WhenFull::Refuse {
            return Err(FrameError::TooManyTransfers { found: self.most + 1, most: self.most });
        }
        if full {
            let oldest = (0..self.under_way.len()).min_by_key(|place| self.under_way[*place].0);
            oldest.map(|place| self.under_way.swap_remove(place));
        }
        self.under_way.push((self.new_frames, Gathering::new(transfer)));
        Ok(self.under_way.len() - 1)
    }

    fn keep(&mut self, transfer: Transfer, payload: Payload) -> Result<(), FrameError> {
        let bytes = self.kept_bytes + payload.bytes.len();
        if bytes > KEPT_MAX_BYTES {
            return Err(FrameError::TooManyBytes { found: bytes, most: KEPT_MAX_BYTES });
        }
        if self.complete.len() >= self.most {
            return Err(FrameError::TooManyTransfers { found: self.most + 1, most: self.most });
        }
        self.kept_bytes = bytes;
        self.complete.push((transfer, payload));
        Ok(())
    }

    /// The complete transfers, in the order in which they became so.
    pub fn complete(&self) -> impl Iterator<Item = (TransferId, &Payload)> {
        self.complete.iter().map(|(transfer, payload)| (transfer.id, payload))
    }

    /// Those of which frames are missing.
    pub fn under_way(&self) -> impl Iterator<Item = UnderWay> {
        self.under_way.iter().map(|(at, gathering)| {
            let (have, need) = gathering.progress();
            let Transfer { id, kind, .. } = gathering.transfer;
            UnderWay { id, kind, have, need, at: *at }
        })
    }

    /// New frames of all transfers so far.
    pub const fn new_frames(&self) -> u64 {
        self.new_frames
    }

    /// The complete transfers, to have.
    pub fn into_complete(self) -> Vec<(TransferId, Payload)> {
        self.complete.into_iter().map(|(transfer, payload)| (transfer.id, payload)).collect()
    }
}

/// What a heap of texts held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    /// The complete transfers; equal ones once.
    pub complete: Vec<Payload>,
    /// Transfers of which frames are missing.
    pub incomplete: Vec<Missing>,
}

/// A transfer of which frames are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Different frames found.
    pub have: usize,
    /// Frames needed, or a few more.
    pub need: usize,
}

/// Gathers `texts`. More than `most` transfers, and a transfer whose frames all fit but whose digest does
/// not, are errors; a damaged frame is a lost frame.
pub fn gather(texts: Vec<String>, most: usize) -> Result<Gathered, FrameError> {
    let mut transfers = Transfers::new(most, WhenFull::Refuse);
    for text in texts {
        if let Err(
            error @ (FrameError::DigestMismatch { .. }
            | FrameError::Unsolvable { .. }
            | FrameError::TooManyTransfers { .. }
            | FrameError::TooManyBytes { .. }),
        ) = transfers.receive(&text)
        {
            return Err(error);
        }
    }
    let incomplete = transfers.under_way().map(|one| Missing { have: one.have, need: one.need }).collect();
    let complete = transfers.into_complete().into_iter().map(|(_, payload)| payload).collect();
    Ok(Gathered { complete, incomplete })
}
