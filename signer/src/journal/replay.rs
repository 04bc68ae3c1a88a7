//! Reading a journal: every entry in its place, with what it names beside it, into memory.
//!
//! Part of `journal`; `append` goes through the same checks. What must stay true: the chain is unbroken from
//! the first entry on but for the jumps that custodians have signed; one content has one intent and one
//! receipt; what the disk held is taken in exactly as it was when it was written.

use super::beside::{self, decode};
use super::{Beside, Intent, Journal, JournalError, is_final};
use crate::vault::Anchor;
use airlock_shared::Digest;
use airlock_shared::approval::SeenHead;
use airlock_shared::envelope::Outcome;
use airlock_shared::genesis::Reason;
use airlock_shared::identity::Identity;
use airlock_shared::journal::{ChainError, Entry, Event, Record};
use airlock_shared::memory::Memory;

impl Journal {
    pub(super) fn replay(
        &mut self,
        records: &[Vec<u8>],
        signer: Option<Identity>,
    ) -> Result<(), JournalError> {
        for (number, bytes) in (1..).zip(records) {
            let (entry, beside) = decode(number, bytes)?;
            if let Some(expected) = signer.filter(|expected| *expected != entry.signer) {
                return Err(JournalError::Foreign { expected, found: entry.signer });
            }
            self.check_place(&entry, &beside)?;
            self.check_parts(number, &entry, &beside)?;
            self.take_in(entry, beside);
        }
        Ok(())
    }

    /// Does the entry follow the last one, or the head from which custodians have let the journal go on?
    pub(super) fn check_place(&self, entry: &Entry, beside: &Beside) -> Result<(), ChainError> {
        match (&entry.event, beside) {
            (Event::Reanchored { .. }, Beside::Genesis(signed)) => match &signed.genesis.continues {
                Some(head) => entry.reanchors(head, self.entries.last()),
                None => entry.follows(self.chain, self.entries.last()),
            },
            _ => entry.follows(self.chain, self.entries.last()),
        }
    }

    /// A journal goes on from its newest entry, from one ahead of it, or from another one with its number:
    /// then it was forked, and the custodians have decided which fork counts. It never goes back.
    fn may_continue(&self, head: &SeenHead) -> bool {
        head.sequence >= self.anchor().sequence
    }

    /// Does the entry have beside it what it names, and nothing else?
    pub(super) fn check_parts(
        &self,
        number: usize,
        entry: &Entry,
        beside: &Beside,
    ) -> Result<(), JournalError> {
        let fits = match (&entry.event, beside) {
            (Event::Intent { content, record, .. }, Beside::Record(covered)) => {
                *record == covered.digest() && !self.by_content.contains_key(content)
            }
            (Event::Signed { content, signatures }, Beside::Receipt(receipt)) => {
                let unsigned = self.intent(content).is_some_and(|intent| intent.receipt.is_none());
                let outcome = Outcome::Signed { signatures: *signatures };
                unsigned
                    && receipt.entry == *entry
                    && receipt.content == *content
                    && receipt.outcome == outcome
                    && receipt.is_authentic()
            }
            (Event::Refused { first_seen: Some(digest), .. }, Beside::FirstSeen(first_seen)) => {
                *digest == first_seen.digest()
            }
            (Event::Genesis { terms: Some(terms), .. }, Beside::Genesis(signed)) => {
                let restored = signed.genesis.reason == Reason::Restored;
                restored && *terms == signed.genesis.digest() && self.entries.is_empty()
            }
            (Event::Reanchored { terms }, Beside::Genesis(signed)) => {
                let ahead = signed.genesis.continues.is_some_and(|head| self.may_continue(&head));
                ahead && *terms == signed.genesis.digest() && signed.genesis.reason == Reason::Reanchored
            }
            (event, beside) => *beside == Beside::Nothing && !beside::is_needed(event),
        };
        if fits { Ok(()) } else { Err(JournalError::Parts { number }) }
    }

    /// Takes in an entry whose parts were checked.
    pub(super) fn take_in(&mut self, entry: Entry, beside: Beside) {
        match (&entry.event, beside) {
            (Event::Intent { content, approvals, .. }, Beside::Record(record)) => {
                let (content, approvals) = (*content, *approvals);
                self.remember(Intent { content, approvals, receipt: None }, &record);
            }
            (Event::Signed { content, .. }, Beside::Receipt(receipt)) => {
                if let Some(place) = self.by_content.get(content) {
                    self.intents[*place].receipt = Some(*receipt);
                }
            }
            (Event::Refused { content, code, .. }, beside) => {
                if is_final(code) {
                    self.refused.insert(*content);
                }
                if let Beside::FirstSeen(first_seen) = beside {
                    self.first_seen.push((first_seen, entry.time));
                }
            }
            (_, Beside::Genesis(signed)) => {
                self.memory.take_in_genesis(&signed.genesis);
                let place = Anchor { sequence: entry.sequence, head: entry.head(self.chain) };
                self.terms.push((place, signed.genesis));
            }
            _ => {}
        }
        self.memory.entered(entry.time);
        self.heads.push(entry.head(self.chain));
        self.entries.push(entry);
    }

    fn remember(&mut self, intent: Intent, record: &Record) {
        self.memory.take_in(record);
        self.by_content.insert(intent.content, self.intents.len());
        self.intents.push(intent);
    }

    /// What rules saw of it before this content's intent: an interrupted batch is judged as it was. Only
    /// then is the whole journal replayed.
    pub fn memory_without(&self, content: &Digest) -> Memory {
        let mut memory = Memory::default();
        let mut signed = self.signed();
        for entry in &self.entries {
            memory.entered(entry.time);
            match &entry.event {
                Event::Intent { .. } => {
                    let other = signed.next().filter(|(intent, _)| intent.content != *content);
                    other.into_iter().for_each(|(_, record)| memory.take_in(record));
                }
                Event::Genesis { terms: Some(_), .. } | Event::Reanchored { .. } => {
                    let here = self.terms.iter().filter(|(place, _)| place.sequence == entry.sequence);
                    here.for_each(|(_, genesis)| memory.take_in_genesis(genesis));
                }
                _ => {}
            }
        }
        for (first_seen, time) in &self.first_seen {
            memory.first_seen_refused(first_seen.network, &first_seen.destinations, *time);
        }
        memory
    }
}
