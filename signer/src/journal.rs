//! The journal: everything this signer ever decided, and the memory behind every refusal of a repeat.
//!
//! Called by the session and by the commands that pair, install and show. What must stay true: an entry is
//! on the disk before anything it permits happens; the chain verifies from its genesis, and jumps only where
//! custodians have re-anchored it; the vault's anchor is in it; an intent counts as signed for every rule and
//! sum, whether or not its signatures left. What rules see of it is its [`Memory`].

mod beside;

use crate::home::Home;
use crate::records::{Access, Chain as File, Records, RecordsError};
use crate::vault::{Anchor, Device, PolicyPin};
use airlock_shared::Digest;
use airlock_shared::approval::SeenHead;
use airlock_shared::envelope::{Outcome, Receipt};
use airlock_shared::form::FormError;
use airlock_shared::genesis::{Genesis, Reason, SignedGenesis};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Chain, ChainError, Entry, Event, FirstSeen, Record};
use airlock_shared::memory::Memory;
pub use beside::Beside;
use beside::{decode, encode};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] RecordsError),
    /// A record that is not an entry with what belongs to it.
    #[error("journal record {number} does not decode: {source}")]
    Form {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: FormError,
    },
    /// A record without the parts that its entry needs, or with others.
    #[error("journal record {number} does not hold what its entry says")]
    Parts {
        /// Which, from 1.
        number: usize,
    },
    /// The chain breaks.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Another device's journal.
    #[error("the journal is of signer {found}, this one is {expected}")]
    Foreign {
        /// This device.
        expected: Identity,
        /// Whose it is.
        found: Identity,
    },
    /// The journal ends before the place that the vault remembers, or is another one.
    #[error(
        "the journal was rolled back: the vault has seen entry {expected}, the journal ends at {found} or differs"
    )]
    RolledBack {
        /// Number of the entry the vault remembers.
        expected: u64,
        /// Number of the journal's last entry.
        found: u64,
    },
    /// A copy is read, never written.
    #[error("this is a copy of a journal; nothing is added to it")]
    Copy,
    /// A vault beside an empty journal signs nothing until custodians sign a genesis.
    #[error("the journal is empty; nothing is signed until the custodians sign a genesis")]
    Empty,
}

/// One batch that counts as signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Digest of the content.
    pub content: Digest,
    /// Digest of the approvals that were seen.
    pub approvals: Digest,
    /// What it covers.
    pub record: Record,
    /// The receipt, once the signatures exist.
    pub receipt: Option<Receipt>,
}

/// An open chain of entries with everything it remembers.
pub struct Journal {
    chain: Chain,
    /// `None` for a copy, which is only read.
    records: Option<Records>,
    entries: Vec<Entry>,
    heads: Vec<Digest>,
    intents: Vec<Intent>,
    by_content: HashMap<Digest, usize>,
    memory: Memory,
    refused: HashSet<Digest>,
    first_seen: Vec<(FirstSeen, u64)>,
    terms: Vec<(Anchor, Genesis)>,
    /// Bytes of a torn end that opening cut off.
    pub torn_bytes: u64,
}

impl Journal {
    /// Opens the journal of intents and signatures and checks it against the vault's anchor.
    pub fn open(home: &Home, device: &Device, access: Access) -> Result<Self, JournalError> {
        let journal = Self::read(Chain::Journal, home, device, access)?;
        journal.check_anchor(&device.journal)?;
        if journal.entries.is_empty() {
            return Err(JournalError::Empty);
        }
        Ok(journal)
    }

    /// Opens the refusals.
    pub fn open_refusals(home: &Home, device: &Device, access: Access) -> Result<Self, JournalError> {
        let refusals = Self::read(Chain::Refusals, home, device, access)?;
        refusals.check_anchor(&device.refusals)?;
        Ok(refusals)
    }

    /// The journal as it is, for custodians who re-anchor it: empty, locked or behind the vault.
    pub fn open_unanchored(home: &Home, device: &Device, access: Access) -> Result<Self, JournalError> {
        Self::read(Chain::Journal, home, device, access)
    }

    /// The same for the refusals.
    pub fn open_refusals_unanchored(
        home: &Home,
        device: &Device,
        access: Access,
    ) -> Result<Self, JournalError> {
        Self::read(Chain::Refusals, home, device, access)
    }

    /// The bytes of a journal's copy, whosever it is; it can be read only.
    pub fn of_copy(bytes: &[u8]) -> Result<Self, JournalError> {
        let (entries, torn) = Records::parse(bytes, File::Journal)?;
        let mut journal = Self::empty(Chain::Journal, None, torn as u64);
        journal.replay(&entries, None)?;
        Ok(journal)
    }

    /// Begins both chains of a new device and returns where the journal stands.
    pub fn begin(home: &Home, device: &Device) -> Result<Anchor, JournalError> {
        let mut journal = Self::read(Chain::Journal, home, device, Access::Append)?;
        let roster = device.roster.as_ref().map_or(Digest::ZERO, |roster| roster.digest());
        let event = Event::Genesis { profile: device.profile, roster, terms: None };
        journal.append(device.created_at, event, Beside::Nothing, device)?;
        Self::read(Chain::Refusals, home, device, Access::Append)?;
        Ok(journal.anchor())
    }

    fn read(chain: Chain, home: &Home, device: &Device, access: Access) -> Result<Self, JournalError> {
        let (path, file, anchor) = match chain {
            Chain::Journal => (home.journal(), File::Journal, &device.journal),
            Chain::Refusals => (home.refusals(), File::Refusals, &device.refusals),
        };
        // The vault is written after the journal and before anything leaves.
        let holds = |records: &[Vec<u8>]| {
            let last = records.last().and_then(|bytes| decode(records.len(), bytes).ok());
            last.map_or(0, |(entry, _)| entry.sequence) >= anchor.sequence
        };
        let opened = Records::open(&path, file, access, holds)?;
        let mut journal = Self::empty(chain, Some(opened.records), opened.torn_bytes);
        journal.replay(&opened.entries, Some(device.identity()))?;
        Ok(journal)
    }

    fn empty(chain: Chain, records: Option<Records>, torn_bytes: u64) -> Self {
        Self {
            chain,
            records,
            entries: Vec::new(),
            heads: Vec::new(),
            intents: Vec::new(),
            by_content: HashMap::new(),
            memory: Memory::default(),
            refused: HashSet::new(),
            first_seen: Vec::new(),
            terms: Vec::new(),
            torn_bytes,
        }
    }

    fn replay(&mut self, records: &[Vec<u8>], signer: Option<Identity>) -> Result<(), JournalError> {
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

    fn check_anchor(&self, anchor: &Anchor) -> Result<(), JournalError> {
        if self.holds(anchor.sequence, &anchor.head) {
            return Ok(());
        }
        Err(JournalError::RolledBack { expected: anchor.sequence, found: self.anchor().sequence })
    }

    /// Is the head after entry `sequence` this one? 0 and zeros are before the first entry. What a
    /// re-anchored journal continues is known too, though its entry is not here.
    pub fn holds(&self, sequence: u64, head: &Digest) -> bool {
        if sequence == 0 {
            return *head == Digest::ZERO;
        }
        let place = self.entries.partition_point(|entry| entry.sequence < sequence);
        let here = self.entries.get(place).filter(|entry| entry.sequence == sequence);
        let next = self.entries.get(place + usize::from(here.is_some()));
        let continued = next.filter(|entry| entry.sequence.checked_sub(1) == Some(sequence));
        here.is_some() && self.heads[place] == *head || continued.is_some_and(|entry| entry.previous == *head)
    }

    /// Where it stands.
    pub fn anchor(&self) -> Anchor {
        match (self.entries.last(), self.heads.last()) {
            (Some(entry), Some(head)) => Anchor { sequence: entry.sequence, head: *head },
            _ => Anchor::START,
        }
    }

    /// The same, as coordinators and approvers remember it.
    pub fn seen_head(&self, signer: Identity) -> SeenHead {
        let Anchor { sequence, head } = self.anchor();
        SeenHead { signer, sequence, head }
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Time of the last entry, UTC seconds.
    pub fn time(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.time)
    }

    /// The entries after number `sequence`, at most `most`, without a gap.
    pub fn entries_after(&self, sequence: u64, most: usize) -> &[Entry] {
        let newer = &self.entries[self.entries.partition_point(|entry| entry.sequence <= sequence)..];
        &newer[..newer.len().min(most)]
    }

    /// The intent for exactly this content, if there is one.
    pub fn intent(&self, content: &Digest) -> Option<&Intent> {
        self.by_content.get(content).map(|place| &self.intents[*place])
    }

    /// The newest policy that came into force.
    pub fn policy(&self) -> Option<PolicyPin> {
        self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::PolicyInstalled { version, digest } => Some(PolicyPin { version, digest }),
            _ => None,
        })
    }

    /// In the refusals' chain: was this content refused for good?
    pub fn has_refused(&self, content: &Digest) -> bool {
        self.refused.contains(content)
    }

    /// Every intent, oldest first.
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// What rules see of it.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What rules saw of it before this content's intent: an interrupted batch is judged as it was. Only
    /// then is the whole journal replayed.
    pub fn memory_without(&self, content: &Digest) -> Memory {
        let mut memory = Memory::default();
        for entry in &self.entries {
            memory.entered(entry.time);
            match &entry.event {
                Event::Intent { content: of, .. } if of != content => {
                    self.intent(of).into_iter().for_each(|intent| memory.take_in(&intent.record));
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

    /// In the refusals' chain: what was refused for being first seen and for nothing else, and when.
    pub fn first_seen(&self) -> &[(FirstSeen, u64)] {
        &self.first_seen
    }

    /// The delays of these destinations began then: the refusals' chain says so.
    pub fn delay_began(&mut self, first_seen: FirstSeen, time: u64) {
        self.memory.first_seen_refused(first_seen.network, &first_seen.destinations, time);
        self.first_seen.push((first_seen, time));
    }

    /// The custodians' terms on which it began or went on, oldest first.
    pub fn terms(&self) -> impl Iterator<Item = &Genesis> {
        self.terms.iter().map(|(_, genesis)| genesis)
    }

    /// What was made up to then may have been signed in a history that this journal has lost, UTC seconds; 0
    /// if it has lost none.
    pub fn lost_until(&self) -> u64 {
        self.terms().map(|genesis| genesis.made_at).max().unwrap_or(0)
    }

    /// Where custodians' terms with this digest came into force.
    pub fn place_of_terms(&self, digest: &Digest) -> Option<Anchor> {
        self.terms.iter().rev().find(|(_, genesis)| genesis.digest() == *digest).map(|(place, _)| *place)
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

    /// Does the entry follow the last one, or the head from which custodians have let the journal go on?
    fn check_place(&self, entry: &Entry, beside: &Beside) -> Result<(), ChainError> {
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
    fn check_parts(&self, number: usize, entry: &Entry, beside: &Beside) -> Result<(), JournalError> {
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
    fn take_in(&mut self, entry: Entry, beside: Beside) {
        match (&entry.event, beside) {
            (Event::Intent { content, approvals, .. }, Beside::Record(record)) => {
                let (content, approvals) = (*content, *approvals);
                self.remember(Intent { content, approvals, record, receipt: None });
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

    fn remember(&mut self, intent: Intent) {
        self.memory.take_in(&intent.record);
        self.by_content.insert(intent.content, self.intents.len());
        self.intents.push(intent);
    }
}

/// Is a refusal with this code a promise that nothing was and will be signed? A signer that has lost part of
/// its history cannot give one: what it refuses it may have signed.
pub fn is_final(code: &str) -> bool {
    !matches!(code, HEAD_UNKNOWN | HEAD_UNKNOWN_TO_APPROVER | LOCKED)
}

/// The coordinator holds a head that is not in this journal.
pub const HEAD_UNKNOWN: &str = "head.unknown";
/// An approver's device saw one.
pub const HEAD_UNKNOWN_TO_APPROVER: &str = "head.unknown_to_approver";
/// The signer is locked since.
pub const LOCKED: &str = "signer.locked";

/// Time of the last whole entry of `home`'s journal, readable without a passphrase and so not to be
/// trusted; UTC seconds.
pub fn last_time(home: &Home) -> Result<Option<u64>, JournalError> {
    let opened = Records::open(&home.journal(), File::Journal, Access::Read, |_| true)?;
    let number = opened.entries.len();
    let last = opened.entries.last().map(|bytes| decode(number, bytes)).transpose()?;
    Ok(last.map(|(entry, _)| entry.time))
}

/// What both chains say without a passphrase, unverified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Has the journal an entry? Beside an empty one nothing is signed.
    pub begun: bool,
    /// Was a head refused that the journal does not hold, since custodians last decided where it goes on?
    pub unknown_head: bool,
}

/// For the doctor, who asks for no passphrase: only the vault knows whether the signer is locked.
pub fn told(home: &Home) -> Result<Told, JournalError> {
    let entries = |path: &Path, file| -> Result<Vec<Entry>, JournalError> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let opened = Records::open(path, file, Access::Read, |_| true)?;
        (1..)
            .zip(&opened.entries)
            .map(|(number, bytes)| decode(number, bytes).map(|(entry, _)| entry))
            .collect()
    };
    let journal = entries(&home.journal(), File::Journal)?;
    let refusals = entries(&home.refusals(), File::Refusals)?;
    let decided = |event: &Event| matches!(event, Event::Reanchored { .. } | Event::Genesis { .. });
    let decided = journal.iter().rev().find(|entry| decided(&entry.event)).map_or(0, |entry| entry.time);
    let unknown = |event: &Event| matches!(event, Event::Refused { code, .. } if code == HEAD_UNKNOWN);
    let unknown_head = refusals.iter().any(|entry| entry.time >= decided && unknown(&entry.event));
    Ok(Told { begun: !journal.is_empty(), unknown_head })
}
