//! Does a receipt extend the journal that we know of a signer? Pure; `batches/accept.rs` asks for every reply.
//!
//! A signer's journal is a chain. Whoever shows another head at a place we have seen, or a chain that does not lead
//! from the newest head we know to the receipt's entry, was rolled back or cloned, and is suspended.
//! What must stay true: a repeated or late reply of the same chain is no fork; the first contact is believed.

use airlock_shared::envelope::Receipt;
use airlock_shared::journal::{Chain, Entry};
use std::collections::BTreeMap;

/// What is known of a signer's journal: heads by sequence; the last is the newest.
pub type KnownHeads = BTreeMap<u64, airlock_shared::Digest>;

/// Why a receipt does not extend the journal that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Another entry stands where one was seen before: the journal was forked.
    #[error("journal entry {sequence} is not the one seen before: the journal was rolled back or cloned")]
    Fork {
        /// The place.
        sequence: u64,
    },
    /// The receipt is from before the oldest head that is known.
    #[error("journal entry {found} is older than entry {oldest}, the oldest one known")]
    Older {
        /// The oldest known.
        oldest: u64,
        /// The receipt's.
        found: u64,
    },
    /// The entries do not lead from the known head to the receipt's.
    #[error("the journal does not lead from entry {known} to entry {found}: {why}")]
    Gap {
        /// The newest known.
        known: u64,
        /// The first that does not fit.
        found: u64,
        /// What does not fit.
        why: String,
    },
}

/// The entries that `receipt` adds to those known, oldest first; empty when it shows nothing new.
pub fn extend(known: &KnownHeads, receipt: &Receipt) -> Result<Vec<Entry>, HeadError> {
    let mut added: Vec<Entry> = Vec::new();
    let mut previous: Option<&Entry> = None;
    for entry in receipt.unacknowledged.iter().chain([&receipt.entry]) {
        let head = entry.head(Chain::Journal);
        let newest = added.last().map(|entry| (entry.sequence, entry.head(Chain::Journal)));
        let newest = newest.or_else(|| known.last_key_value().map(|(sequence, head)| (*sequence, *head)));
        match (known.get(&entry.sequence), newest) {
            (Some(seen), _) if *seen != head => return Err(HeadError::Fork { sequence: entry.sequence }),
            (Some(_), _) => {}
            (None, Some((sequence, _))) if entry.sequence <= sequence => {
                // A refusal names the newest entry, which may already stand among those just added.
                if !added.contains(entry) {
                    let oldest = known.first_key_value().map_or(sequence, |(sequence, _)| *sequence);
                    return Err(HeadError::Older { oldest, found: entry.sequence });
                }
            }
            (None, newest) => {
                follows(newest, previous, entry, receipt)?;
                added.push(entry.clone());
            }
        }
        previous = Some(entry);
    }
    Ok(added)
}

fn follows(
    newest: Option<(u64, airlock_shared::Digest)>,
    previous: Option<&Entry>,
    entry: &Entry,
    receipt: &Receipt,
) -> Result<(), HeadError> {
    let known = newest.map_or(0, |(sequence, _)| sequence);
    let gap = |why: String| HeadError::Gap { known, found: entry.sequence, why };
    if entry.signer != receipt.signer() {
        return Err(gap("an entry is by another signer".to_owned()));
    }
    if let Some((sequence, head)) = newest {
        if sequence.checked_add(1) != Some(entry.sequence) {
            return Err(gap("entries between them are missing".to_owned()));
        }
        if entry.previous != head {
            return Err(gap(format!("it continues {}, not {head}", entry.previous)));
        }
    }
    match previous {
        Some(before) if before.sequence < entry.sequence => {
            entry.follows(Chain::Journal, Some(before)).map_err(|error| gap(error.to_string()))
        }
        _ if entry.signer.verifies(&entry.head(Chain::Journal), &entry.signature) => Ok(()),
        _ => Err(gap("its signature does not fit".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::Digest;
    use airlock_shared::envelope::Outcome;
    use airlock_shared::identity::IdentitySignature;
    use airlock_shared::journal::Event;
    use ed25519_dalek::SigningKey;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    /// A journal of `length` entries; `salt` makes another history.
    fn journal(length: u64, salt: u8) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for version in 0..length {
            let event = Event::PolicyInstalled { version, digest: Digest::from_bytes([salt; 32]) };
            entries.push(Entry::next(Chain::Journal, entries.last(), 100, event, &key()));
        }
        entries
    }

    fn receipt(entry: &Entry, unacknowledged: &[Entry]) -> Receipt {
        Receipt {
            content: Digest::ZERO,
            approvals: Digest::ZERO,
            outcome: Outcome::Refused { code: "x".to_owned(), why: "y".to_owned() },
            entry: entry.clone(),
            highest_item: 0,
            highest_nonce: 0,
            time: 100,
            unacknowledged: unacknowledged.to_vec(),
            signature: IdentitySignature::from_bytes([0; 64]),
        }
        .sign(&key())
    }

    fn known(entries: &[Entry]) -> KnownHeads {
        entries.iter().map(|entry| (entry.sequence, entry.head(Chain::Journal))).collect()
    }

    #[test]
    fn the_first_contact_is_believed_and_later_ones_must_continue_it() {
        let all = journal(6, 0);
        assert_eq!(extend(&KnownHeads::new(), &receipt(&all[3], &all[1..3])).unwrap().len(), 3);
        assert_eq!(extend(&known(&all[..4]), &receipt(&all[5], &all[4..5])).unwrap().len(), 2);
        assert_eq!(extend(&known(&all[..6]), &receipt(&all[5], &[])).unwrap().len(), 0);
    }

    #[test]
    fn a_late_reply_of_the_same_journal_is_no_fork() {
        let all = journal(6, 0);
        assert_eq!(extend(&known(&all), &receipt(&all[3], &all[2..3])).unwrap(), []);
    }

    #[test]
    fn another_history_is_a_fork() {
        let (ours, other) = (journal(6, 0), journal(6, 1));
        let error = extend(&known(&ours), &receipt(&other[5], &other[4..5])).unwrap_err();
        assert_eq!(error, HeadError::Fork { sequence: 5 });
        let error = extend(&known(&ours[..4]), &receipt(&other[5], &other[4..5])).unwrap_err();
        assert!(matches!(error, HeadError::Gap { known: 4, found: 5, .. }), "{error}");
    }

    #[test]
    fn a_missing_entry_is_a_gap_and_a_rollback_is_seen() {
        let all = journal(6, 0);
        let error = extend(&known(&all[..3]), &receipt(&all[5], &all[4..5])).unwrap_err();
        assert!(matches!(error, HeadError::Gap { known: 3, found: 5, .. }), "{error}");
        let error = extend(&known(&all[3..]), &receipt(&all[1], &[])).unwrap_err();
        assert_eq!(error, HeadError::Older { oldest: 4, found: 2 });
    }
}
