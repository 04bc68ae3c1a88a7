//! The journals behind many files: for each signer one unbroken chain, or named gaps, breaks and forks.
//!
//! Every receipt shows the entries that the coordinator had not acknowledged, envelopes and approvals name heads
//! that somebody saw, and a ledger export may bring the rest. Entries are signed by the signer, so it does not
//! matter who brings them. What must stay true: two different entries under one number are a fork, whoever
//! shows the second; what stands between two known entries and is not known is a gap with its numbers.

use crate::approval::SeenHead;
use crate::digest::Digest;
use crate::genesis::{PolicyVersion, Reason, SignedGenesis};
use crate::identity::Identity;
use crate::journal::{Chain, Entry, Event};
use std::collections::{BTreeMap, BTreeSet};

/// Custodians' terms by their digest, checked to be theirs.
pub type Terms = BTreeMap<Digest, SignedGenesis>;

/// Which file brought something: its place in the caller's list; `None` for a ledger export.
pub type Origin = Option<usize>;

/// What a chain is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chained {
    /// The entry.
    pub entry: Entry,
    /// The head that it makes.
    pub head: Digest,
    /// Who brought it first.
    pub origin: Origin,
}

/// Entries that nobody brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Whose journal.
    pub signer: Identity,
    /// The first number that is missing.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Who brought the entry before them.
    pub before: Origin,
    /// Who brought the entry after them.
    pub after: Origin,
}

/// Where a journal is not one chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Two entries under one number: the signer was cloned or rolled back.
    #[error("signer {signer} shows another journal entry {sequence} in another file; its journal forked")]
    Fork {
        /// The signer.
        signer: Identity,
        /// The entry that differs.
        sequence: u64,
    },
    /// An entry continues another head than the one before it makes.
    #[error("journal entry {sequence} of signer {signer} does not continue entry {}", sequence - 1)]
    Previous {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
    },
    /// Time runs backwards.
    #[error("journal entry {sequence} of signer {signer} is older than the one before it")]
    Time {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
    },
    /// The first entry is no genesis under the pinned roster.
    #[error("journal entry 1 of signer {signer} is no genesis under the pinned roster")]
    Genesis {
        /// The signer.
        signer: Identity,
    },
    /// A journal begins with entry 1, which continues nothing, and only there.
    #[error(
        "journal entry {sequence} of signer {signer} begins the journal anew, or stands before its beginning"
    )]
    Beginning {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
    },
    /// A policy came into force whose version does not rise.
    #[error(
        "journal entry {sequence} of signer {signer} puts policy version {found} in force after {before}"
    )]
    PolicyVersion {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// The version before.
        before: u64,
        /// The version that followed.
        found: u64,
    },
    /// Custodians are said to have begun or continued the journal, and their terms are not among the files.
    #[error(
        "journal entry {sequence} of signer {signer} rests on custodians' terms {terms}, which are not among the files"
    )]
    NoTerms {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the terms.
        terms: Digest,
    },
    /// The custodians' terms are for another signer, or for another place in the journal.
    #[error(
        "journal entry {sequence} of signer {signer} rests on custodians' terms {terms}, which are not for it"
    )]
    OtherTerms {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the terms.
        terms: Digest,
    },
    /// Signatures without an intent: nothing says what they count against.
    #[error(
        "journal entry {sequence} of signer {signer} signs batch content {content} without an intent before it"
    )]
    NoIntent {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the content.
        content: Digest,
    },
    /// A batch counts as signed once.
    #[error("journal entry {sequence} of signer {signer} is a second intent for batch content {content}")]
    SecondIntent {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the content.
        content: Digest,
    },
    /// An intent counts as signed. Nobody can say that its signatures did not leave.
    #[error(
        "journal entry {sequence} of signer {signer} is an intent for batch content {content}, which no file shows; \
         its signatures may exist"
    )]
    Unfinished {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the content.
        content: Digest,
    },
    /// A batch was signed and its file is not there.
    #[error(
        "journal entry {sequence} of signer {signer} signs batch content {content}, whose file is missing"
    )]
    MissingFile {
        /// The signer.
        signer: Identity,
        /// The entry.
        sequence: u64,
        /// Digest of the content.
        content: Digest,
    },
}

/// One signer's entries, the unbroken runs of numbers among them, and the policies that came into force.
#[derive(Default)]
struct Known {
    entries: BTreeMap<u64, Chained>,
    /// First number of each run to its last.
    runs: BTreeMap<u64, u64>,
    policies: BTreeMap<u64, (u64, Digest)>,
}

impl Known {
    fn insert(&mut self, chained: Chained) {
        let sequence = chained.entry.sequence;
        if self.entries.contains_key(&sequence) {
            return;
        }
        if let Event::PolicyInstalled { version, digest } = chained.entry.event {
            self.policies.insert(sequence, (version, digest));
        }
        self.entries.insert(sequence, chained);
        let before = self.runs.range(..sequence).next_back().map(|(first, last)| (*first, *last));
        let first = before.filter(|(_, last)| last + 1 == sequence).map_or(sequence, |(first, _)| first);
        let behind = sequence.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, behind.unwrap_or(sequence));
    }
}

/// The journals of every signer that a folder shows.
#[derive(Default)]
pub struct Journals {
    signers: BTreeMap<Identity, Known>,
    seen: BTreeMap<(Identity, u64), (Digest, Origin)>,
}

impl Journals {
    /// Adds an entry whose signature is known to be right. Another entry under its number is a fork.
    pub fn add(&mut self, entry: &Entry, origin: Origin) -> Result<(), Break> {
        let (signer, sequence) = (entry.signer, entry.sequence);
        let head = entry.head(Chain::Journal);
        // An entry names the head before it too, so one missing file between two hides no fork beside it.
        if sequence > 1 && !self.agrees(signer, sequence - 1, entry.previous) {
            return Err(Break::Fork { signer, sequence: sequence - 1 });
        }
        if !self.agrees(signer, sequence, head) {
            return Err(Break::Fork { signer, sequence });
        }
        let chained = Chained { entry: entry.clone(), head, origin };
        self.signers.entry(signer).or_default().insert(chained);
        if sequence > 1 {
            self.seen.entry((signer, sequence - 1)).or_insert((entry.previous, origin));
        }
        Ok(())
    }

    /// Adds a head that somebody saw.
    pub fn saw(&mut self, head: &SeenHead, origin: Origin) -> Result<(), Break> {
        let SeenHead { signer, sequence, head } = *head;
        if !self.agrees(signer, sequence, head) {
            return Err(Break::Fork { signer, sequence });
        }
        self.seen.entry((signer, sequence)).or_insert((head, origin));
        Ok(())
    }

    fn agrees(&self, signer: Identity, sequence: u64, head: Digest) -> bool {
        let known = self.signers.get(&signer).and_then(|known| known.entries.get(&sequence));
        let known = known.map(|one| one.head);
        let seen = self.seen.get(&(signer, sequence)).map(|(head, _)| *head);
        known.or(seen).is_none_or(|known| known == head)
    }

    /// The signers that are known.
    pub fn signers(&self) -> impl Iterator<Item = Identity> + '_ {
        self.signers.keys().copied()
    }

    /// The entries of one signer, oldest first.
    pub fn entries(&self, signer: &Identity) -> impl Iterator<Item = &Chained> {
        self.signers.get(signer).into_iter().flat_map(|known| known.entries.values())
    }

    /// The entries of one signer from one number up to another, which is left out.
    pub fn entries_between(&self, signer: &Identity, from: u64, to: u64) -> impl Iterator<Item = &Chained> {
        let known = self.signers.get(signer).filter(|_| from < to);
        known.into_iter().flat_map(move |known| known.entries.range(from..to)).map(|(_, one)| one)
    }

    /// Is every entry known from the first one to this one?
    pub fn is_whole_to(&self, signer: &Identity, sequence: u64) -> bool {
        let first = self.signers.get(signer).and_then(|known| known.runs.first_key_value());
        first.is_some_and(|(first, last)| *first == 1 && sequence <= *last)
    }

    /// The policy in force at an entry, if every entry since it came into force is known.
    pub fn policy_at(&self, signer: &Identity, sequence: u64) -> Option<(u64, Digest)> {
        let known = self.signers.get(signer)?;
        let (first, last) = known.runs.range(..=sequence).next_back()?;
        let (installed, policy) = known.policies.range(..=sequence).next_back()?;
        (sequence <= *last && installed >= first).then_some(*policy)
    }

    /// Entries that nobody brought, signer by signer.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (signer, known) in &self.signers {
            let origin = |sequence: u64| known.entries.get(&sequence).and_then(|one| one.origin);
            let mut expected = 1;
            for (first, last) in &known.runs {
                if *first > expected {
                    let (from, to) = (expected, first - 1);
                    let (before, after) = (origin(from - 1), origin(*first));
                    gaps.push(Gap { signer: *signer, from, to, before, after });
                }
                expected = last.saturating_add(1);
            }
            // Somebody saw a head that no file leads to.
            let newest = self.seen.range((*signer, expected)..=(*signer, u64::MAX)).next_back();
            if let Some(((_, seen), (_, after))) = newest {
                let (from, to, before) = (expected, *seen, origin(expected - 1));
                gaps.push(Gap { signer: *signer, from, to, before, after: *after });
            }
        }
        gaps
    }

    /// Every place where a journal is not one chain, with the file that shows it.
    pub fn breaks(&self, roster: Digest, terms: &Terms) -> Vec<(Origin, Break)> {
        let mut breaks = Vec::new();
        for (signer, known) in &self.signers {
            let mut before: Option<&Chained> = None;
            let mut walk =
                Walk { signer: *signer, roster, terms, version: None, floor: None, intents: BTreeSet::new() };
            let whole_to = known.runs.get(&1).copied().unwrap_or(0);
            for (sequence, chained) in &known.entries {
                let mut found = Vec::new();
                let adjacent = before.filter(|one| one.entry.sequence.checked_add(1) == Some(*sequence));
                found.extend(check(*signer, adjacent, chained));
                found.extend(walk.check_beginning(&chained.entry));
                found.extend(walk.check_terms(&chained.entry));
                found.extend(walk.check_event(&chained.entry, *sequence <= whole_to));
                breaks.extend(found.into_iter().map(|found| (chained.origin, found)));
                before = Some(chained);
            }
        }
        breaks
    }

    /// Signed batches whose content is not among `files`, with the entry that signs them, and intents that
    /// nothing followed.
    pub fn missing(&self, has: impl Fn(&Digest) -> bool) -> Vec<Break> {
        let mut missing = Vec::new();
        for (signer, known) in &self.signers {
            let signed = |chained: &Chained| match chained.entry.event {
                Event::Signed { content, .. } => Some(content),
                _ => None,
            };
            let signed: BTreeSet<Digest> = known.entries.values().filter_map(signed).collect();
            for (sequence, chained) in &known.entries {
                let (signer, sequence) = (*signer, *sequence);
                match chained.entry.event {
                    Event::Signed { content, .. } if !has(&content) => {
                        missing.push(Break::MissingFile { signer, sequence, content });
                    }
                    Event::Intent { content, .. } if !has(&content) && !signed.contains(&content) => {
                        missing.push(Break::Unfinished { signer, sequence, content });
                    }
                    _ => {}
                }
            }
        }
        missing
    }
}

/// What one signer's entries have said so far, oldest first.
struct Walk<'a> {
    signer: Identity,
    roster: Digest,
    terms: &'a Terms,
    version: Option<u64>,
    /// The newest policy that custodians' terms state: an older one does not come back.
    floor: Option<PolicyVersion>,
    intents: BTreeSet<Digest>,
}

impl Walk<'_> {
    /// Entry 1 is a genesis under the pinned roster that continues nothing; no other entry is one.
    fn check_beginning(&self, entry: &Entry) -> Option<Break> {
        let (signer, sequence) = (self.signer, entry.sequence);
        let is_genesis = matches!(entry.event, Event::Genesis { .. });
        let continues_nothing = entry.previous == Digest::ZERO;
        match (sequence, &entry.event) {
            (1, Event::Genesis { roster, .. }) if *roster == self.roster && continues_nothing => None,
            (1, _) if continues_nothing => Some(Break::Genesis { signer }),
            (0 | 1, _) => Some(Break::Beginning { signer, sequence }),
            _ => is_genesis.then_some(Break::Beginning { signer, sequence }),
        }
    }

    /// Custodians' terms are there, and for this signer and this place.
    fn check_terms(&mut self, entry: &Entry) -> Option<Break> {
        let (signer, sequence) = (self.signer, entry.sequence);
        let terms = terms_of(&entry.event)?;
        let Some(signed) = self.terms.get(&terms) else {
            return Some(Break::NoTerms { signer, sequence, terms });
        };
        let (genesis, continues) = (&signed.genesis, signed.genesis.continues);
        let is_here = match &entry.event {
            Event::Genesis { profile, .. } => {
                genesis.reason == Reason::Restored && genesis.profile == *profile
            }
            _ => continues.is_some_and(|head| {
                (head.sequence.checked_add(1), head.head) == (Some(sequence), entry.previous)
            }),
        };
        let is_for_it = genesis.signer == signer && is_here;
        let stated = [self.floor, genesis.policy].into_iter().flatten();
        self.floor = stated.max_by_key(|policy| policy.version);
        (!is_for_it).then_some(Break::OtherTerms { signer, sequence, terms })
    }

    /// Versions rise; a batch has one intent, which comes before its signatures.
    fn check_event(&mut self, entry: &Entry, is_whole: bool) -> Option<Break> {
        let (signer, sequence) = (self.signer, entry.sequence);
        match entry.event {
            Event::PolicyInstalled { version: found, digest } => {
                let known = self.version.replace(found).filter(|before| found <= *before);
                let stated = self.floor.filter(|floor| found < floor.version);
                let other = self.floor.filter(|floor| found == floor.version && digest != floor.digest);
                let before = known.or(stated.or(other).map(|floor| floor.version))?;
                Some(Break::PolicyVersion { signer, sequence, before, found })
            }
            Event::Intent { content, .. } => {
                let is_first = self.intents.insert(content);
                (!is_first).then_some(Break::SecondIntent { signer, sequence, content })
            }
            Event::Signed { content, .. } if is_whole && !self.intents.contains(&content) => {
                Some(Break::NoIntent { signer, sequence, content })
            }
            _ => None,
        }
    }
}

fn check(signer: Identity, before: Option<&Chained>, chained: &Chained) -> Option<Break> {
    let (before, sequence) = (before?, chained.entry.sequence);
    if chained.entry.previous != before.head {
        return Some(Break::Previous { signer, sequence });
    }
    (chained.entry.time < before.entry.time).then_some(Break::Time { signer, sequence })
}

/// The custodians' terms on which an entry rests.
fn terms_of(event: &Event) -> Option<Digest> {
    match event {
        Event::Genesis { terms, .. } => *terms,
        Event::Reanchored { terms } => Some(*terms),
        _ => None,
    }
}
