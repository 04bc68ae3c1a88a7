//! Journal entries: what a signer has done, in one hash chain signed by its identity.
//!
//! ```text
//! head(0) = 0, head(n) = SHA-256("airlock:journal:1\n" || CBOR(entry n without its signature))
//! entry n carries sequence n, previous = head(n-1), and the signer's Ed25519 signature over head(n)
//! ```
//! What happened is the [`Event`]; what an intent covers item by item is a [`Record`], kept beside the entry
//! and bound by its digest. Where custodians re-anchor a journal, the entry continues the head that they
//! signed. Refusals form a chain of their own with another domain, so that a hostile QR code cannot move the
//! head (S7, S8).

mod event;
mod record;

use crate::approval::SeenHead;
use crate::digest::Digest;
use crate::form::{self, Form, FormError, Reader, Writer};
use crate::identity::{Identity, IdentitySignature};
use ed25519_dalek::SigningKey;
pub use event::{Ceremony, Event, EventKind};
pub use record::{FirstSeen, Record, RecordItem, Terms};

/// Which of a signer's two chains an entry belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// What was decided and signed.
    Journal,
    /// What was refused.
    Refusals,
}

impl Chain {
    const fn domain(self) -> &'static str {
        match self {
            Self::Journal => "airlock:journal:1",
            Self::Refusals => "airlock:refusals:1",
        }
    }
}

/// One entry of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// 1 for the first.
    pub sequence: u64,
    /// Head before this entry.
    pub previous: Digest,
    /// When, UTC seconds; never before the entry before it.
    pub time: u64,
    /// Whose chain it is.
    pub signer: Identity,
    /// What happened.
    pub event: Event,
    /// The signer's signature over the head that this entry makes.
    pub signature: IdentitySignature,
}

impl Entry {
    /// Makes and signs the entry after `previous`.
    pub fn next(chain: Chain, previous: Option<&Self>, time: u64, event: Event, key: &SigningKey) -> Self {
        Self::after(chain, Place::of(chain, previous), time, event, key)
    }

    /// Makes and signs the journal entry that continues the head which custodians have signed for, not the
    /// newest one of this journal.
    pub fn reanchored(
        continues: &SeenHead,
        newest: Option<&Self>,
        time: u64,
        event: Event,
        key: &SigningKey,
    ) -> Self {
        Self::after(Chain::Journal, Place::at(continues, newest), time, event, key)
    }

    fn after(chain: Chain, place: Place, time: u64, event: Event, key: &SigningKey) -> Self {
        let mut entry = Self {
            sequence: place.sequence.saturating_add(1),
            previous: place.head,
            time: place.time.max(time),
            signer: Identity::of(key),
            event,
            signature: IdentitySignature::from_bytes([0; 64]),
        };
        entry.signature = IdentitySignature::by(key, &entry.head(chain));
        entry
    }

    /// The head that this entry makes.
    pub fn head(&self, chain: Chain) -> Digest {
        Digest::of(chain.domain(), &form::to_cbor(&Unsigned(self)))
    }

    /// Does this entry rightly follow `previous`, and did its signer sign it?
    pub fn follows(&self, chain: Chain, previous: Option<&Self>) -> Result<(), ChainError> {
        self.stands_after(chain, Place::of(chain, previous))
    }

    /// Does this entry rightly continue the head that custodians have signed for, after the newest entry of
    /// this journal in time?
    pub fn reanchors(&self, continues: &SeenHead, newest: Option<&Self>) -> Result<(), ChainError> {
        self.stands_after(Chain::Journal, Place::at(continues, newest))
    }

    fn stands_after(&self, chain: Chain, place: Place) -> Result<(), ChainError> {
        // Nothing follows the last number there is; an honest journal never gets there.
        let sequence = place
            .sequence
            .checked_add(1)
            .ok_or(ChainError::Sequence { expected: u64::MAX, found: self.sequence })?;
        if self.sequence != sequence {
            return Err(ChainError::Sequence { expected: sequence, found: self.sequence });
        }
        if self.previous != place.head {
            return Err(ChainError::Previous { sequence, expected: place.head, found: self.previous });
        }
        if self.time < place.time {
            return Err(ChainError::Time { sequence });
        }
        if place.signer.is_some_and(|signer| signer != self.signer) {
            return Err(ChainError::Signer { sequence });
        }
        if !self.signer.verifies(&self.head(chain), &self.signature) {
            return Err(ChainError::Signature { sequence });
        }
        Ok(())
    }
}

/// Where an entry is put: behind this number and head, not before this time.
struct Place {
    sequence: u64,
    head: Digest,
    time: u64,
    signer: Option<Identity>,
}

impl Place {
    fn of(chain: Chain, previous: Option<&Entry>) -> Self {
        match previous {
            Some(entry) => Self {
                sequence: entry.sequence,
                head: entry.head(chain),
                time: entry.time,
                signer: Some(entry.signer),
            },
            None => Self { sequence: 0, head: Digest::ZERO, time: 0, signer: None },
        }
    }

    fn at(continues: &SeenHead, newest: Option<&Entry>) -> Self {
        let SeenHead { signer, sequence, head } = *continues;
        Self { sequence, head, time: newest.map_or(0, |entry| entry.time), signer: Some(signer) }
    }
}

/// Where a chain of entries breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// An entry is missing or stands twice.
    #[error("journal entry {found} where {expected} belongs")]
    Sequence {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// An entry does not continue the one before it.
    #[error("journal entry {sequence} continues {found}, not {expected}")]
    Previous {
        /// The entry.
        sequence: u64,
        /// Head of the entry before it.
        expected: Digest,
        /// What it says.
        found: Digest,
    },
    /// Time runs backwards.
    #[error("journal entry {sequence} is older than the one before it")]
    Time {
        /// The entry.
        sequence: u64,
    },
    /// Another signer's entry.
    #[error("journal entry {sequence} is by another signer")]
    Signer {
        /// The entry.
        sequence: u64,
    },
    /// A signature that does not fit.
    #[error("signature of journal entry {sequence} does not fit")]
    Signature {
        /// The entry.
        sequence: u64,
    },
}

/// The entry as its head covers it.
struct Unsigned<'a>(&'a Entry);

impl Form for Unsigned<'_> {
    fn write(&self, to: &mut Writer) {
        let Self(entry) = self;
        to.uint(0, "sequence", entry.sequence);
        to.digest(1, "previous", &entry.previous);
        to.uint(2, "time", entry.time);
        to.bytes(3, "signer", entry.signer.as_bytes());
        to.part(4, "event", &entry.event);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Err(from.refused("entry", "an unsigned entry is never read"))
    }
}

impl Form for Entry {
    fn write(&self, to: &mut Writer) {
        Unsigned(self).write(to);
        to.bytes(5, "signature", self.signature.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            sequence: from.uint(0, "sequence")?,
            previous: from.digest(1, "previous")?,
            time: from.uint(2, "time")?,
            signer: Identity::from_bytes(from.exact(3, "signer")?),
            event: from.part(4, "event")?,
            signature: IdentitySignature::from_bytes(from.exact(5, "signature")?),
        })
    }
}
