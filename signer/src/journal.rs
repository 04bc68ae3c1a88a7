//! The journal: everything this signer ever decided, and the memory behind every refusal of a repeat.
//!
//! ```text
//! record: u32 length of entry | entry (CBOR) | rest: empty, or Record (intent), or Receipt (signed)
//! ```
//! Called by the session and by the commands that pair, install and show. What must stay true: an entry is
//! on the disk before anything it permits happens; the chain verifies from its genesis; the vault's anchor
//! is in it; an intent counts as signed for every rule and sum, whether or not its signatures left.

use crate::home::Home;
use crate::records::{Access, Chain as File, Records, RecordsError};
use crate::vault::{Anchor, Device, PolicyPin};
use airlock_shared::approval::SeenHead;
use airlock_shared::envelope::{Outcome, Receipt};
use airlock_shared::form::{FormError, from_cbor, to_cbor};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Chain, ChainError, Entry, Event, Record};
use airlock_shared::{Digest, ItemId, Network};
use std::collections::{HashMap, HashSet};

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
    /// A vault beside an empty journal signs nothing until custodians sign a genesis.
    #[error("the journal is empty; nothing is signed until the custodians sign a genesis")]
    Empty,
}

/// What an entry needs beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// What an intent covers.
    Record(Record),
    /// What is released with the signatures.
    Receipt(Box<Receipt>),
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
    records: Records,
    entries: Vec<Entry>,
    heads: Vec<Digest>,
    intents: Vec<Intent>,
    by_content: HashMap<Digest, usize>,
    items: HashMap<ItemId, usize>,
    nonces: HashMap<(Network, [u8; 20], u64), usize>,
    tx_ids: HashSet<[u8; 32]>,
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

    /// Begins both chains of a new device and returns where the journal stands.
    pub fn begin(home: &Home, device: &Device) -> Result<Anchor, JournalError> {
        let mut journal = Self::read(Chain::Journal, home, device, Access::Append)?;
        let roster = device.roster.as_ref().map_or(Digest::ZERO, |roster| roster.digest());
        let event = Event::Genesis { profile: device.profile, roster };
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
        let opened = Records::open(&path, file, access, anchor.sequence)?;
        let mut journal = Self {
            chain,
            records: opened.records,
            entries: Vec::new(),
            heads: Vec::new(),
            intents: Vec::new(),
            by_content: HashMap::new(),
            items: HashMap::new(),
            nonces: HashMap::new(),
            tx_ids: HashSet::new(),
            torn_bytes: opened.torn_bytes,
        };
        for (number, bytes) in (1..).zip(&opened.entries) {
            let (entry, beside) = decode(number, bytes)?;
            entry.follows(chain, journal.entries.last())?;
            if entry.signer != device.identity() {
                return Err(JournalError::Foreign { expected: device.identity(), found: entry.signer });
            }
            journal.check_parts(number, &entry, &beside)?;
            journal.take_in(entry, beside);
        }
        Ok(journal)
    }

    fn check_anchor(&self, anchor: &Anchor) -> Result<(), JournalError> {
        if self.holds(anchor.sequence, &anchor.head) {
            return Ok(());
        }
        Err(JournalError::RolledBack { expected: anchor.sequence, found: self.entries.len() as u64 })
    }

    /// Is the head after entry `sequence` this one? 0 and zeros are before the first entry.
    pub fn holds(&self, sequence: u64, head: &Digest) -> bool {
        match usize::try_from(sequence) {
            Ok(0) => *head == Digest::ZERO,
            Ok(sequence) => self.heads.get(sequence - 1) == Some(head),
            Err(_) => false,
        }
    }

    /// Where it stands.
    pub fn anchor(&self) -> Anchor {
        let head = self.heads.last().copied().unwrap_or(Digest::ZERO);
        Anchor { sequence: self.entries.len() as u64, head }
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
        let from = usize::try_from(sequence).unwrap_or(usize::MAX).min(self.entries.len());
        let newer = &self.entries[from..];
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

    /// In the refusals' chain: was this content refused?
    pub fn has_refused(&self, content: &Digest) -> bool {
        let refused =
            |entry: &Entry| matches!(&entry.event, Event::Refused { content: of, .. } if of == content);
        self.entries().iter().any(refused)
    }

    /// The intent that covers an item id.
    pub fn intent_of_item(&self, id: ItemId) -> Option<&Intent> {
        self.items.get(&id).map(|place| &self.intents[*place])
    }

    /// The intent that covers an account nonce.
    pub fn intent_of_nonce(&self, network: Network, source: [u8; 20], nonce: u64) -> Option<&Intent> {
        self.nonces.get(&(network, source, nonce)).map(|place| &self.intents[*place])
    }

    /// Was this transaction id covered before?
    pub fn has_tx_id(&self, tx_id: &[u8; 32]) -> bool {
        self.tx_ids.contains(tx_id)
    }

    /// Every intent, oldest first.
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// The intents at or after `time`, newest first, for rolling sums.
    pub fn intents_since(&self, time: u64) -> impl Iterator<Item = &Intent> {
        self.intents.iter().rev().take_while(move |intent| intent.record.time >= time)
    }

    /// The highest item id ever covered; 0 when there is none.
    pub fn highest_item(&self) -> u64 {
        self.items.keys().map(|id| id.number()).max().unwrap_or(0)
    }

    /// The highest account nonce ever covered for an account; 0 when there is none.
    pub fn highest_nonce(&self, network: Network, source: &[u8; 20]) -> u64 {
        let own = self.nonces.keys().filter(|(on, account, _)| *on == network && account == source);
        own.map(|(_, _, nonce)| *nonce).max().unwrap_or(0)
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

    /// The entry that would come next; for receipts, which carry it and are written beside it.
    pub fn next_entry(&self, time: u64, event: Event, device: &Device) -> Entry {
        Entry::next(self.chain, self.entries.last(), time, event, &device.key)
    }

    /// Appends an entry that [`Self::next_entry`] made.
    pub fn append_entry(&mut self, entry: Entry, beside: Beside) -> Result<Entry, JournalError> {
        entry.follows(self.chain, self.entries.last())?;
        // Nothing is written that could not be read again.
        self.check_parts(self.entries.len() + 1, &entry, &beside)?;
        self.records.append(&encode(&entry, &beside))?;
        self.take_in(entry.clone(), beside);
        Ok(entry)
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
            (Event::Intent { .. } | Event::Signed { .. }, _) => false,
            (_, beside) => *beside == Beside::Nothing,
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
            _ => {}
        }
        self.heads.push(entry.head(self.chain));
        self.entries.push(entry);
    }

    fn remember(&mut self, intent: Intent) {
        let place = self.intents.len();
        for item in &intent.record.items {
            self.items.insert(item.id, place);
            if let Some(nonce) = item.account_nonce {
                self.nonces.insert((intent.record.network, *item.source.payload(), nonce), place);
            }
            self.tx_ids.extend(&item.tx_ids);
        }
        self.by_content.insert(intent.content, place);
        self.intents.push(intent);
    }
}

/// Time of the last whole entry of `home`'s journal, readable without a passphrase and so not to be
/// trusted; UTC seconds.
pub fn last_time(home: &Home) -> Result<Option<u64>, JournalError> {
    let opened = Records::open(&home.journal(), File::Journal, Access::Read, 0)?;
    let number = opened.entries.len();
    let last = opened.entries.last().map(|bytes| decode(number, bytes)).transpose()?;
    Ok(last.map(|(entry, _)| entry.time))
}

fn encode(entry: &Entry, beside: &Beside) -> Vec<u8> {
    let head = to_cbor(entry);
    let rest = match beside {
        Beside::Nothing => Vec::new(),
        Beside::Record(record) => to_cbor(record),
        Beside::Receipt(receipt) => to_cbor(&**receipt),
    };
    [&(head.len() as u32).to_be_bytes()[..], &head, &rest].concat()
}

fn decode(number: usize, bytes: &[u8]) -> Result<(Entry, Beside), JournalError> {
    let parts = || JournalError::Parts { number };
    let form = |source| JournalError::Form { number, source };
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(parts)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (head, rest) = rest.split_at_checked(length).ok_or_else(parts)?;
    let entry: Entry = from_cbor("entry", head).map_err(form)?;
    let beside = match entry.event {
        Event::Intent { .. } => Beside::Record(from_cbor("record", rest).map_err(form)?),
        Event::Signed { .. } => Beside::Receipt(Box::new(from_cbor("receipt", rest).map_err(form)?)),
        _ if rest.is_empty() => Beside::Nothing,
        _ => return Err(parts()),
    };
    Ok((entry, beside))
}
