//! The order of work for a bundle, one struct a step; each ends in the next or in a named refusal.
//!
//! ```text
//! Decoded -> Authentic -> Fresh -> Permitted -> Accountable -> Reviewed -> Unlocked -> Intended -> Replies
//! ```
//! decode, authenticity, freshness, policy, journal pre-checks, review, unlock (and the checks that depend
//! on time again), journal intent, sign, journal entry, release. Called by the commands `sign` and `inspect`
//! and by tests, without a terminal. What must stay true: no step can be skipped, because each takes the
//! one before it by value; one bad item refuses everything; nothing is signed before its intent is on the
//! disk; nothing is returned before its entry is.

mod checks;
mod explain;
mod release;

use crate::home::{Home, Lock};
use crate::journal::{HEAD_UNKNOWN, Journal, JournalError};
use crate::passkeys;
use crate::policy::{self, StoreError};
use crate::records::Access;
use crate::vault::{Device, Vault, WalletRef};
use airlock_shared::Digest;
use airlock_shared::approval::proven::FallenCounter;
use airlock_shared::approval::{SeenHead, digest_of};
use airlock_shared::chain::Unsigned;
use airlock_shared::envelope::{Bundle, Envelope, Receipt};
use airlock_shared::form::MAX_CBOR_BYTES;
use airlock_shared::journal::{Ceremony, Event, FirstSeen};
use airlock_shared::policy::rules::explain;
use airlock_shared::policy::{Policy, Rule, SignedPolicy};
use airlock_shared::roles::creator;
use airlock_shared::{document, policy as rules};
pub use explain::Explained;
pub use release::{Ended, Intended, Refused, Unlocked};
use std::collections::BTreeSet;

/// The signer's own state, open and locked for the length of one command.
pub struct Signer {
    home: Home,
    vault: Vault,
    journal: Journal,
    refusals: Journal,
    policy: SignedPolicy,
    retired: BTreeSet<WalletRef>,
    _lock: Option<Lock>,
}

/// What the vault or the journal calls retired. The journal is written first: after a power loss between the two, or
/// beside an older copy of the vault, it alone knows.
fn retired(journal: &Journal, device: &Device) -> BTreeSet<WalletRef> {
    let on_record = journal.entries().iter().filter_map(|entry| match &entry.event {
        Event::Ceremony { kind: Ceremony::WalletRetired, detail } => WalletRef::parse(detail),
        _ => None,
    });
    on_record.chain(device.retired.iter().copied()).collect()
}

/// Why the signer's own state does not open.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The journal or the refusals.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] StoreError),
    /// The refusals say that this signer was locked, the vault does not: it is an old copy.
    #[error(
        "this signer was locked at {at}, which its vault does not know: the vault is an old copy; the custodians \
         must re-anchor the journal (`genesis propose`, `sign`, `install`)"
    )]
    LockUndone {
        /// When, UTC seconds.
        at: u64,
    },
}

impl Signer {
    /// Opens journal, refusals and policy of an open vault. Without the lock nothing may be changed, and
    /// only `inspect` works so.
    pub fn open(home: Home, lock: Option<Lock>, vault: Vault) -> Result<Self, StateError> {
        let access = if lock.is_some() { Access::Append } else { Access::Read };
        let mut journal = Journal::open(&home, vault.device(), access)?;
        let refusals = Journal::open_refusals(&home, vault.device(), access)?;
        for (first_seen, time) in refusals.first_seen() {
            journal.delay_began(first_seen.clone(), *time);
        }
        check_lock_stands(&journal, &refusals, vault.device())?;
        policy::check_newest(journal.newest_policy(), vault.device())?;
        let policy = policy::load(&home, vault.device())?;
        let retired = retired(&journal, vault.device());
        Ok(Self { home, vault, journal, refusals, policy, retired, _lock: lock })
    }

    /// The open vault.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The journal.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The policy in force.
    pub const fn policy(&self) -> &Policy {
        &self.policy.policy
    }

    /// Approvals by passkeys whose counter did not rise since this signer last saw it, for review. A batch that was
    /// journalled before comes with the approvals from which the counters were remembered.
    pub fn fallen_counters(&self, envelope: &Envelope) -> Vec<FallenCounter> {
        let (content, device) = (&envelope.content, self.vault.device());
        let digest = content.digest();
        if self.journal.intent(&digest).is_some() {
            return Vec::new();
        }
        passkeys::fallen(device, self.policy(), content, &digest, &envelope.approvals)
    }

    /// Runs every check that comes before review. Changes nothing.
    pub fn examine(&self, bytes: &[u8], now: u64) -> Result<Accountable, Box<Examined>> {
        let foreign = |refusal| Examined::foreign(bytes, refusal);
        let decoded = Decoded::read(bytes).map_err(foreign)?;
        let batches = self.known_of(&decoded.0);
        let claimed = self.unknown_head(&decoded.0);
        let examined = |refusal, first_seen| {
            Box::new(Examined { refusal, authentic: true, batches: batches.clone(), claimed, first_seen })
        };
        let refuse = |refusal| examined(refusal, None);
        let authentic = decoded.authenticate(self).map_err(foreign)?;
        let fresh = authentic.check_freshness(self, now).map_err(refuse)?;
        let permitted =
            fresh.judge(self, now).map_err(|broken| examined(broken.refusal, broken.first_seen))?;
        permitted.check_journal(self, now).map_err(refuse)
    }

    /// Is it a head of this signer that its journal does not know?
    fn is_unknown(&self, head: &SeenHead) -> bool {
        head.signer == self.vault.device().identity() && !self.journal.holds(head.sequence, &head.head)
    }

    /// The first head of our journal that a coordinator claims and we do not know.
    fn unknown_head(&self, batches: &[Batch]) -> Option<SeenHead> {
        let mut claimed = batches.iter().flat_map(|batch| &batch.envelope.heads);
        claimed.find(|head| self.is_unknown(head)).copied()
    }

    /// What a refusal of these batches is recorded against.
    pub fn known_of(&self, batches: &[Batch]) -> Vec<Known> {
        let us = self.vault.device().identity();
        let known = |batch: &Batch| Known {
            content: batch.digest,
            created_at: batch.envelope.content.created_at,
            approvals: digest_of(&batch.envelope.approvals),
            acknowledged: batch
                .envelope
                .heads
                .iter()
                .find(|head| head.signer == us)
                .map_or(0, |head| head.sequence),
        };
        batches.iter().map(known).collect()
    }

    /// Every rule's verdict on one batch of an examined bundle, for review.
    pub fn explain(&self, bundle: &Accountable, number: usize, now: u64) -> Result<Verdicts, Refusal> {
        let earlier = checks::earlier(&bundle.0[..number], now)?;
        Ok(checks::with_facts(self, &bundle.0, number, &earlier, now, explain))
    }
}

/// A signer that has met an unknown head since its custodians last decided is locked, whatever its vault says.
fn check_lock_stands(journal: &Journal, refusals: &Journal, device: &Device) -> Result<(), StateError> {
    let by_terms = |event: &Event| matches!(event, Event::Reanchored { .. } | Event::Genesis { .. });
    let decided = journal.entries().iter().rev().find(|entry| by_terms(&entry.event));
    let unknown = |event: &Event| matches!(event, Event::Refused { code, .. } if code == HEAD_UNKNOWN);
    match refusals.entries().iter().rev().find(|entry| unknown(&entry.event)) {
        Some(entry) if device.lock.is_none() && decided.is_some_and(|terms| terms.time < entry.time) => {
            Err(StateError::LockUndone { at: entry.time })
        }
        _ => Ok(()),
    }
}

/// Every rule with its verdict.
pub type Verdicts = Vec<(Rule, Result<(), rules::Refusal>)>;

/// A check that was not passed. Its code is stable and travels in the receipt.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}{}{}: {why}", batch.map_or(String::new(), |i| format!(", batch {i}")), item.map_or(String::new(), |i| format!(", item {i}")))]
pub struct Refusal {
    /// Which check or rule.
    pub code: String,
    /// Which batch of the bundle, counted from 0.
    pub batch: Option<usize>,
    /// Which item of it, counted from 0.
    pub item: Option<usize>,
    /// The value that was refused.
    pub found: String,
    /// The sentence for people.
    pub why: String,
}

impl Refusal {
    /// A refusal of one batch.
    pub(crate) fn of(code: &str, batch: usize, found: impl ToString, why: impl ToString) -> Self {
        let (found, why) = (found.to_string(), why.to_string());
        Self { code: code.to_owned(), batch: Some(batch), item: None, found, why }
    }

    pub(crate) fn at(mut self, item: usize) -> Self {
        self.item = Some(item);
        self
    }

    pub(crate) fn by_rule(batch: usize, refusal: rules::Refusal) -> Self {
        let why = format!("{} is against {}", refusal.found, refusal.allowed);
        let of = Self::of(refusal.rule.word(), batch, refusal.found, why);
        Self { item: refusal.item, ..of }
    }
}

impl Examined {
    /// A refusal after review, of a bundle that was examined before.
    pub const fn later(refusal: Refusal, batches: Vec<Known>) -> Self {
        Self { refusal, authentic: true, batches, claimed: None, first_seen: None }
    }
}

/// How far an examination came: what a refusal is recorded against.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was not passed.
    pub refusal: Refusal,
    /// Did a paired coordinator send it? Only then is there a receipt.
    pub authentic: bool,
    /// Digest of each content and of its approvals; for what no paired coordinator sent, one of the bytes.
    pub batches: Vec<Known>,
    /// The head that a coordinator claims and this journal does not know: it locks the signer.
    pub claimed: Option<SeenHead>,
    /// The destinations whose delay begins with this refusal, because it is about nothing else.
    pub first_seen: Option<FirstSeen>,
}

/// What is known of a batch when it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Digest of the content.
    pub content: Digest,
    /// Digest of the approvals.
    pub approvals: Digest,
    /// The coordinator's newest entry of our journal, 0 for none.
    pub acknowledged: u64,
    /// When the batch was made, UTC seconds.
    pub created_at: u64,
}

impl Examined {
    /// What no paired coordinator sent is recorded by its bytes, so that a stranger who shows a copy of a
    /// good batch under a bad seal cannot have that batch refused for ever.
    fn foreign(bytes: &[u8], refusal: Refusal) -> Box<Self> {
        let content = Digest::of("airlock:foreign:1", bytes);
        let known = Known { content, approvals: Digest::ZERO, acknowledged: 0, created_at: 0 };
        Box::new(Self { refusal, authentic: false, batches: vec![known], claimed: None, first_seen: None })
    }
}

/// One batch of the bundle with what follows from it.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) envelope: Envelope,
    pub(crate) digest: Digest,
    pub(crate) transactions: Vec<Vec<Unsigned>>,
    /// The ids that are known before signing, item by item; asked for often, so hashed once.
    pub(crate) tx_ids: Vec<Vec<[u8; 32]>>,
    pub(crate) standing: Standing,
}

/// Where a batch stands in the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Never seen.
    New,
    /// Its intent is journalled, its signatures are not: only exactly this batch may be completed.
    Interrupted,
    /// Signed before: the same bytes may leave again.
    Signed(Box<Receipt>),
}

impl Batch {
    /// The envelope.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Digest of its content.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The transactions of one item; none for an item that is not there.
    pub fn transactions_of(&self, item: usize) -> &[Unsigned] {
        self.transactions.get(item).map_or(&[], Vec::as_slice)
    }

    /// Where it stands in the journal.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// A bundle whose bytes are canonical and whose transactions build.
pub struct Decoded(Vec<Batch>);

/// A bundle that a paired coordinator sealed.
pub struct Authentic(Vec<Batch>);

/// A bundle for this vault, at a time and with journal heads that this signer can believe.
pub struct Fresh(Vec<Batch>);

/// A bundle that passes every rule of the policy, item by item.
pub struct Permitted(Vec<Batch>);

/// A bundle that repeats nothing the journal knows.
pub struct Accountable(Vec<Batch>);

/// A bundle whose eight words a person has typed after reading it.
pub struct Reviewed(Vec<Batch>);

impl Decoded {
    /// Reads the canonical bytes of a bundle and builds every transaction from its fields.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let undecodable = |found: String, why: String| Refusal {
            code: "decode".to_owned(),
            batch: None,
            item: None,
            found,
            why,
        };
        let bundle: Bundle =
            document::read(bytes).map_err(|error| undecodable(error.at.clone(), error.to_string()))?;
        let batch = |(number, envelope): (usize, Envelope)| {
            let transactions = creator::transactions(&envelope.content).map_err(|error| {
                Refusal::of("build", number, envelope.content.batch_id, &error).at(error.item)
            })?;
            let digest = envelope.content.digest();
            let ids = |item: &Vec<Unsigned>| item.iter().filter_map(Unsigned::tx_id).collect();
            let tx_ids = transactions.iter().map(ids).collect();
            Ok(Batch { envelope, digest, transactions, tx_ids, standing: Standing::New })
        };
        let batches: Vec<Batch> =
            bundle.envelopes.into_iter().enumerate().map(batch).collect::<Result<_, _>>()?;
        let twice = (1..batches.len())
            .find(|number| batches[..*number].iter().any(|other| other.digest == batches[*number].digest));
        match twice {
            Some(number) => {
                let why = "the same batch stands in the bundle twice";
                Err(Refusal::of("bundle.repeated", number, batches[number].digest, why))
            }
            None => check_reply_fits(&batches).map(|()| Self(batches)),
        }
    }
}

/// What is signed must be able to leave: a reply longer than a transfer would be signed in vain.
fn check_reply_fits(batches: &[Batch]) -> Result<(), Refusal> {
    let mut bytes = 0;
    for (number, batch) in batches.iter().enumerate() {
        bytes += RECEIPT_BYTES_MAX + 65 * batch.transactions.iter().map(Vec::len).sum::<usize>();
        if bytes > MAX_CBOR_BYTES {
            let why =
                format!("its signatures make the reply longer than the {MAX_CBOR_BYTES} bytes that cross");
            return Err(Refusal::of("bundle.reply_too_long", number, bytes, why));
        }
    }
    Ok(())
}

/// A receipt with as many journal entries as it may carry; a test measures one.
pub const RECEIPT_BYTES_MAX: usize = 24 << 10;

impl Accountable {
    /// The batches, for review.
    pub fn batches(&self) -> &[Batch] {
        &self.0
    }

    /// What the eight words stand for.
    pub fn words_digest(&self) -> Digest {
        let digests: Vec<_> = self.0.iter().map(|batch| batch.digest).collect();
        airlock_shared::envelope::words_digest_of(&digests)
    }

    /// A person has read every batch and typed these words.
    pub fn confirm(self, typed: &str) -> Result<Reviewed, Refusal> {
        if airlock_shared::words::confirms(typed, &self.words_digest()) {
            return Ok(Reviewed(self.0));
        }
        Err(Refusal {
            code: "confirmation".to_owned(),
            batch: None,
            item: None,
            found: typed.chars().take(128).collect(),
            why: "the words do not name what is on this screen".to_owned(),
        })
    }
}
