//! Writing to a journal: the next entry, or the one from which custodians let it go on.
//!
//! Part of `journal`. What must stay true: an entry is checked as if it were read, then written and fsynced,
//! and only then taken in; nothing is written that could not be read again.

use super::beside::encode;
use super::{Beside, Journal, JournalError};
use crate::home::Home;
use crate::records::Access;
use crate::vault::{Anchor, Device};
use airlock_shared::Digest;
use airlock_shared::genesis::{Reason, SignedGenesis};
use airlock_shared::journal::{Chain, Entry, Event};

impl Journal {
    /// Begins both chains of a new device and returns where the journal stands.
    pub fn begin(home: &Home, device: &Device) -> Result<Anchor, JournalError> {
        let mut journal = Self::read(Chain::Journal, home, device, Access::Append)?;
        let roster = device.roster.as_ref().map_or(Digest::ZERO, |roster| roster.digest());
        let event = Event::Genesis { profile: device.profile, roster, terms: None };
        journal.append(device.created_at, event, Beside::Nothing, device)?;
        Self::read(Chain::Refusals, home, device, Access::Append)?;
        Ok(journal.anchor())
    }

    /// Appends and returns once the entry is on the disk.
    pub fn append(
        &mut self,
        time: u64,
        event: Event,
        beside: Beside,
        device: &Device,
    ) -> Result<Entry, JournalError> {
        let entry = Entry::next(self.chain, self.entries.last(), time, event, &device.key);
        self.append_entry(entry, beside)
    }

    /// Goes on from the custodians' terms: an empty journal begins with them, any other continues the head
    /// that they name. The caller has checked their signatures and that they are for this signer.
    pub fn anchor_anew(
        &mut self,
        time: u64,
        signed: SignedGenesis,
        device: &Device,
    ) -> Result<Entry, JournalError> {
        let genesis = &signed.genesis;
        let terms = genesis.digest();
        let entry = match &genesis.continues {
            Some(head) if genesis.reason == Reason::Reanchored => {
                let event = Event::Reanchored { terms };
                Entry::reanchored(head, self.entries.last(), time, event, &device.key)
            }
            _ => {
                let event =
                    Event::Genesis { profile: genesis.profile, roster: genesis.roster, terms: Some(terms) };
                Entry::next(self.chain, self.entries.last(), time, event, &device.key)
            }
        };
        self.append_entry(entry, Beside::Genesis(Box::new(signed)))
    }

    /// The entry that would come next; for receipts, which carry it and are written beside it.
    pub fn next_entry(&self, time: u64, event: Event, device: &Device) -> Entry {
        Entry::next(self.chain, self.entries.last(), time, event, &device.key)
    }

    /// Appends an entry that [`Self::next_entry`] made.
    pub fn append_entry(&mut self, entry: Entry, beside: Beside) -> Result<Entry, JournalError> {
        self.check_place(&entry, &beside)?;
        // Nothing is written that could not be read again.
        self.check_parts(self.entries.len() + 1, &entry, &beside)?;
        let records = self.records.as_mut().ok_or(JournalError::Copy)?;
        records.append(&encode(&entry, &beside))?;
        self.take_in(entry.clone(), beside);
        Ok(entry)
    }
}
