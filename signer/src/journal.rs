//! The journal: everything this signer ever decided, and the memory behind every refusal of a repeat.
//!
//! Called by the session and by the commands that pair, install and show. Here is what an open one says;
//! `replay` reads and checks, `append` writes. What must stay true: an entry is on the disk before anything it
//! permits happens; the chain verifies from its genesis, and jumps only where custodians have re-anchored it;
//! the vault's anchor is in it; an intent counts as signed for every rule and sum, whether or not its
//! signatures left. What rules see of it is its [`Memory`].

mod append;
mod beside;
mod replay;
mod told;

use crate::home::Home;
use crate::records::{Access, Chain as File, Records, RecordsError};
use crate::vault::{Anchor, Device, PolicyPin};
use airlock_shared::Digest;
use airlock_shared::approval::SeenHead;
use airlock_shared::envelope::Receipt;
use airlock_shared::form::FormError;
use airlock_shared::genesis::{Genesis, PolicyVersion};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Chain, ChainError, Entry, Event, FirstSeen, Record};
use airlock_shared::memory::Memory;
pub use beside::Beside;
use beside::decode;
use std::collections::{HashMap, HashSet};
pub use told::{Told, last_time, told};

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
    #[error(
        "the journal is empty; nothing is signed until the custodians sign a genesis: genesis propose, sign, install"
    )]
    Empty,
}

/// One batch that counts as signed. What it covers is in the [`Memory`], once: see [`Journal::signed`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Digest of the content.
    pub content: Digest,
    /// Digest of the approvals that were seen.
    pub approvals: Digest,
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

    /// The newest policy that came into force here.
    pub fn policy(&self) -> Option<PolicyPin> {
        self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::PolicyInstalled { version, digest } => Some(PolicyPin { version, digest }),
            _ => None,
        })
    }

    /// The newest policy that is known to have been in force: here, or in a history that was lost, by the
    /// custodians' terms. Where both name one version, the terms are right.
    pub fn newest_policy(&self) -> Option<PolicyPin> {
        let stated = self.terms().filter_map(|genesis| genesis.policy);
        let stated = stated.map(|PolicyVersion { version, digest }| PolicyPin { version, digest });
        self.policy().into_iter().chain(stated).max_by_key(|pin| pin.version)
    }

    /// In the refusals' chain: was this content refused for good?
    pub fn has_refused(&self, content: &Digest) -> bool {
        self.refused.contains(content)
    }

    /// Every intent, oldest first.
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// Every intent with what it covers, oldest first: the memory takes in one record for each.
    pub fn signed(&self) -> impl DoubleEndedIterator<Item = (&Intent, &Record)> + ExactSizeIterator {
        self.intents.iter().zip(self.memory.records())
    }

    /// What rules see of it.
    pub const fn memory(&self) -> &Memory {
        &self.memory
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
