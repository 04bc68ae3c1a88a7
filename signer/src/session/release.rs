//! After review: unlock, journal, sign, journal, release; and what a refusal leaves behind.
//!
//! Called by the command `sign`. What must stay true: an intent is on the disk, and anchored in the vault,
//! before a key is used; a reply is returned only once its entry is on the disk; a batch that was signed
//! before gives the same bytes and no second entry; a refusal moves the refusals' chain, never the
//! journal's head.

use super::checks::{CLOCK_BEHIND, check_lock, record, standing};
use super::{Accountable, Batch, Examined, Fresh, Known, Refusal, Reviewed, Signer, Standing};
use crate::home::HomeError;
use crate::journal::{Beside, HEAD_UNKNOWN, JournalError, is_final};
use crate::keys::{KeyError, Keyring, Wallets};
use crate::passkeys;
use crate::sign::{self, SignError};
use crate::vault::{Lock, VaultError};
use airlock_shared::approval::{SeenHead, digest_of};
use airlock_shared::batch::Wallet;
use airlock_shared::chain::Signature;
use airlock_shared::envelope::{MAX_UNACKNOWLEDGED, Outcome, Receipt, Replies, Reply, signatures_digest};
use airlock_shared::identity::IdentitySignature;
use airlock_shared::journal::{Entry, Event, FirstSeen};
use airlock_shared::wallet::Role;
use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeSet, HashMap};

/// How signing ended without signatures.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A check was not passed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The journal could not be written; nothing more is done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The vault could not be written.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The home could not be written.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A key could not be derived.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signature could not be made, or was not by the right key.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Signing again gave other bytes than the journal recorded.
    #[error("the signatures of content {content} differ from those that the journal recorded")]
    NotTheSame {
        /// Digest of the content.
        content: airlock_shared::Digest,
    },
}

/// A refusal on record, and the receipts that say so.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What was not passed.
    pub refusal: Refusal,
    /// One reply per batch; none for a stranger's bundle.
    pub replies: Option<Replies>,
}

/// A reviewed bundle whose every wallet was proven to be ours.
pub struct Unlocked(Vec<Batch>);

/// A bundle whose intents are on the disk. The only thing that `sign` signs.
pub struct Intended(Vec<Batch>);

impl Intended {
    pub(crate) fn batches(&self) -> &[Batch] {
        &self.0
    }
}

impl Reviewed {
    /// Proves every own wallet by deriving it, and repeats the checks that depend on time and on the journal,
    /// which may have gone on since the bundle was examined.
    fn unlock(mut self, signer: &Signer, keyring: &Keyring, now: u64) -> Result<Unlocked, Ended> {
        check_lock(signer)?;
        for (number, batch) in self.0.iter_mut().enumerate() {
            prove_wallets(number, batch, keyring)?;
            batch.standing = standing(signer, number, batch)?;
        }
        let permitted = Fresh(self.0).judge(signer, now).map_err(|broken| broken.refusal)?;
        let Accountable(batches) = permitted.check_journal(signer, now)?;
        Ok(Unlocked(batches))
    }
}

/// The key at every source's path must have the source's address; so must every destination that is said
/// to be our own.
fn prove_wallets(number: usize, batch: &Batch, keyring: &Keyring) -> Result<(), Ended> {
    let content = &batch.envelope.content;
    let mut known: HashMap<Role, Wallets<'_>> = HashMap::new();
    let mut proven = BTreeSet::new();
    for (place, item) in content.items.iter().enumerate() {
        let own = item.own.map(|(role, index)| Wallet { role, index, address: item.destination });
        let claims = [(content.source_of(place), "source"), (own, "own")];
        for (wallet, which) in claims.into_iter().filter_map(|(wallet, which)| Some((wallet?, which))) {
            if proven.contains(&wallet) {
                continue;
            }
            let refuse =
                |why| Refusal::of(&format!("{which}.not_ours"), number, wallet.address, why).at(place);
            let Wallet { role, index, address } = wallet;
            let name = format!("{} wallet {index}", role.name());
            let wallets = match known.entry(role) {
                Place::Occupied(known) => known.into_mut(),
                Place::Vacant(new) => new.insert(keyring.wallets(content.network, role)?),
            };
            match wallets.address(index) {
                Ok(derived) if derived == address => proven.insert(wallet),
                Ok(derived) => {
                    let why = format!("{name} of this vault is {derived}, not {address}");
                    return Err(refuse(why).into());
                }
                Err(error @ (KeyError::NoSlot { .. } | KeyError::NotForNetwork { .. })) => {
                    return Err(refuse(error.to_string()).into());
                }
                Err(error) => return Err(error.into()),
            };
        }
    }
    Ok(())
}

impl Signer {
    /// From a reviewed bundle to replies that may leave. `now` is asked again after the unlock.
    pub fn sign(&mut self, reviewed: Reviewed, keyring: &Keyring, now: u64) -> Result<Replies, Ended> {
        let unlocked = reviewed.unlock(self, keyring, now)?;
        let intended = self.intend(unlocked, now)?;
        let signatures = sign::sign(&intended, keyring)?;
        self.release(intended, signatures, now)
    }

    fn intend(&mut self, unlocked: Unlocked, now: u64) -> Result<Intended, Ended> {
        let time = now.max(self.journal.time());
        for (number, batch) in unlocked.0.iter().enumerate().filter(|(_, one)| one.standing == Standing::New)
        {
            let record = record(number, batch, time)?;
            let approvals = digest_of(&batch.envelope.approvals);
            let event = Event::Intent { content: batch.digest, approvals, record: record.digest() };
            self.journal.append(time, event, Beside::Record(record), self.vault.device())?;
        }
        // Of an interrupted batch too: what was remembered may have been lost with the vault's last writing.
        for batch in unlocked.0.iter().filter(|one| !matches!(one.standing, Standing::Signed(_))) {
            let (content, approvals) = (&batch.envelope.content, &batch.envelope.approvals);
            let (device, policy) = (self.vault.device_mut(), &self.policy.policy);
            passkeys::remember(device, policy, content, &batch.digest, approvals);
        }
        self.anchor()?;
        Ok(Intended(unlocked.0))
    }

    /// The vault remembers where both chains stand.
    fn anchor(&mut self) -> Result<(), Ended> {
        let (journal, refusals) = (self.journal.anchor(), self.refusals.anchor());
        let device = self.vault.device_mut();
        if (device.journal, device.refusals) != (journal, refusals) {
            (device.journal, device.refusals) = (journal, refusals);
            self.vault.store(&self.home)?;
        }
        Ok(())
    }

    fn release(
        &mut self,
        intended: Intended,
        signatures: Vec<Vec<Signature>>,
        now: u64,
    ) -> Result<Replies, Ended> {
        let mut replies = Vec::with_capacity(signatures.len());
        for (batch, signatures) in intended.0.iter().zip(signatures) {
            let made = signatures_digest(&signatures);
            let receipt = match &batch.standing {
                Standing::Signed(receipt) if receipt.outcome == (Outcome::Signed { signatures: made }) => {
                    (**receipt).clone()
                }
                Standing::Signed(_) => return Err(Ended::NotTheSame { content: batch.digest }),
                Standing::New | Standing::Interrupted => self.record(batch, made, now)?,
            };
            replies.push(Reply { receipt, signatures });
        }
        self.anchor()?;
        Ok(Replies { replies })
    }

    /// Journals the signatures and makes their receipt, which the journal keeps beside the entry.
    fn record(
        &mut self,
        batch: &Batch,
        signatures: airlock_shared::Digest,
        now: u64,
    ) -> Result<Receipt, Ended> {
        let event = Event::Signed { content: batch.digest, signatures };
        let entry = self.journal.next_entry(now, event, self.vault.device());
        let content = &batch.envelope.content;
        let memory = self.journal.memory();
        let nonce_of = |wallet: Wallet| memory.highest_nonce(&wallet.address).unwrap_or(0);
        let known = self.known_of(std::slice::from_ref(batch))[0];
        let receipt = Receipt {
            highest_nonce: content.source.map_or(0, nonce_of),
            ..self.receipt(known, Outcome::Signed { signatures }, entry.clone(), now)
        };
        let receipt = receipt.sign(&self.vault.device().key);
        self.journal.append_entry(entry, Beside::Receipt(Box::new(receipt.clone())))?;
        Ok(receipt)
    }

    /// The newest entry that a refusal's receipt can show without a gap: a coordinator that has missed more than
    /// one receipt carries catches up by several.
    fn newest_for(&self, known: Known) -> Option<Entry> {
        let newer = self.journal.entries_after(known.acknowledged, MAX_UNACKNOWLEDGED + 1);
        newer.last().or(self.journal.entries().last()).cloned()
    }

    /// A receipt that is not signed yet.
    fn receipt(&self, known: Known, outcome: Outcome, entry: Entry, now: u64) -> Receipt {
        let newer = self.journal.entries_after(known.acknowledged, MAX_UNACKNOWLEDGED);
        Receipt {
            content: known.content,
            approvals: known.approvals,
            outcome,
            highest_item: self.journal.memory().highest_item(),
            highest_nonce: 0,
            time: now,
            unacknowledged: newer.iter().filter(|one| one.sequence < entry.sequence).cloned().collect(),
            entry,
            signature: IdentitySignature::from_bytes([0; 64]),
        }
    }

    /// Puts a refusal on record. Every batch of the bundle is refused with it, but never one whose intent is
    /// in the journal: its signatures may be out. A paired coordinator gets a signed receipt for each. A
    /// clock that runs behind is this machine's fault and no batch's: nothing is recorded, which would be final.
    /// Nor does a signer promise anything whose journal is not the newest, or of a batch from before its journal
    /// was re-anchored: what it refuses it may have signed.
    pub fn refuse(&mut self, examined: Examined, now: u64) -> Result<Refused, Ended> {
        let Examined { refusal, authentic, batches, claimed, first_seen } = examined;
        if refusal.code == CLOCK_BEHIND {
            return Ok(Refused { refusal, replies: None });
        }
        let certain = is_final(&refusal.code);
        if let Some(claimed) = claimed.filter(|_| refusal.code == HEAD_UNKNOWN && authentic) {
            self.lock(&refusal.code, claimed, now)?;
        }
        let mut replies = Vec::new();
        for (number, known) in batches.into_iter().enumerate() {
            if self.journal.intent(&known.content).is_some() {
                continue;
            }
            let own = refusal.batch.is_none_or(|batch| batch == number) || !certain;
            let code = if own { refusal.code.clone() } else { "bundle.refused".to_owned() };
            let delayed = first_seen.as_ref().filter(|_| refusal.batch == Some(number));
            self.record_refusal(known.content, &code, delayed, now)?;
            let promised = certain && known.created_at > self.journal.lost_until();
            if let Some(entry) = self.newest_for(known).filter(|_| authentic && promised) {
                let outcome = Outcome::Refused { code, why: cut(&refusal.to_string(), 512) };
                let receipt = self.receipt(known, outcome, entry, now).sign(&self.vault.device().key);
                replies.push(Reply { receipt, signatures: Vec::new() });
            }
        }
        self.anchor()?;
        let replies = if replies.is_empty() { None } else { Some(Replies { replies }) };
        Ok(Refused { refusal, replies })
    }

    /// In the chain of its own; with the destinations whose delay begins, which the journal's memory takes in.
    fn record_refusal(
        &mut self,
        content: airlock_shared::Digest,
        code: &str,
        delayed: Option<&FirstSeen>,
        now: u64,
    ) -> Result<(), Ended> {
        let first_seen = delayed.map(FirstSeen::digest);
        let event = Event::Refused { content, code: code.to_owned(), first_seen };
        let beside = delayed.cloned().map_or(Beside::Nothing, Beside::FirstSeen);
        let entry = self.refusals.append(now, event, beside, self.vault.device())?;
        if let Some(first_seen) = delayed {
            self.journal.delay_began(first_seen.clone(), entry.time);
        }
        Ok(())
    }

    /// From now on nothing is signed until the custodians have re-anchored the journal.
    fn lock(&mut self, code: &str, claimed: SeenHead, now: u64) -> Result<(), Ended> {
        let device = self.vault.device_mut();
        if device.lock.is_none() {
            device.lock = Some(Lock { at: now, code: code.to_owned(), claimed });
            self.vault.store(&self.home)?;
        }
        Ok(())
    }
}

/// At most `most` bytes, cut between characters.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}
