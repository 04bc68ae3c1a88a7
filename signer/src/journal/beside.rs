//! What stands beside an entry of a chain in its file, and the bytes of both.
//!
//! ```text
//! record: u32 length of entry | entry (CBOR) | rest: empty, or one CBOR document by the entry's event:
//!         Record (intent), Receipt (signed), FirstSeen (refused for that alone), SignedGenesis (terms)
//! ```
//! Part of `journal`. What must stay true: the entry says whether something stands beside it, and binds it by
//! its digest or, for a receipt, stands in it.

use super::JournalError;
use airlock_shared::envelope::Receipt;
use airlock_shared::form::{from_cbor, to_cbor};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::journal::{Entry, Event, FirstSeen, Record};

/// What an entry needs beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// What an intent covers.
    Record(Record),
    /// What is released with the signatures.
    Receipt(Box<Receipt>),
    /// The destinations whose delay began with a refusal.
    FirstSeen(FirstSeen),
    /// The terms on which custodians let the journal begin or go on.
    Genesis(Box<SignedGenesis>),
}

/// Does something stand beside such an entry?
pub(super) const fn is_needed(event: &Event) -> bool {
    matches!(
        event,
        Event::Intent { .. }
            | Event::Signed { .. }
            | Event::Refused { first_seen: Some(_), .. }
            | Event::Genesis { terms: Some(_), .. }
            | Event::Reanchored { .. }
    )
}

pub(super) fn encode(entry: &Entry, beside: &Beside) -> Vec<u8> {
    let head = to_cbor(entry);
    let rest = match beside {
        Beside::Nothing => Vec::new(),
        Beside::Record(record) => to_cbor(record),
        Beside::Receipt(receipt) => to_cbor(&**receipt),
        Beside::FirstSeen(first_seen) => to_cbor(first_seen),
        Beside::Genesis(signed) => to_cbor(&**signed),
    };
    [&(head.len() as u32).to_be_bytes()[..], &head, &rest].concat()
}

pub(super) fn decode(number: usize, bytes: &[u8]) -> Result<(Entry, Beside), JournalError> {
    let parts = || JournalError::Parts { number };
    let form = |source| JournalError::Form { number, source };
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(parts)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (head, rest) = rest.split_at_checked(length).ok_or_else(parts)?;
    let entry: Entry = from_cbor("entry", head).map_err(form)?;
    let beside = match &entry.event {
        Event::Intent { .. } => Beside::Record(from_cbor("record", rest).map_err(form)?),
        Event::Signed { .. } => Beside::Receipt(Box::new(from_cbor("receipt", rest).map_err(form)?)),
        Event::Refused { .. } if is_needed(&entry.event) => {
            Beside::FirstSeen(from_cbor("first_seen", rest).map_err(form)?)
        }
        Event::Genesis { .. } | Event::Reanchored { .. } if is_needed(&entry.event) => {
            Beside::Genesis(Box::new(from_cbor("genesis", rest).map_err(form)?))
        }
        _ if rest.is_empty() => Beside::Nothing,
        _ => return Err(parts()),
    };
    Ok((entry, beside))
}
