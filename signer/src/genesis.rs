//! Genesis ceremonies: on which terms a journal begins again after a restore or a rollback (K2, S8).
//!
//! Called by the commands `genesis propose`, `sign` and `install`. [`Gathered`] collects from journals and
//! signed-batch files what counts as signed; [`install`] puts the custodians' terms in force. What must stay
//! true: nothing is installed without k of n signatures of the pinned roster; a journal never goes on from a
//! place behind its own newest entry, nor on terms that were drawn up before it; installing twice changes
//! nothing; a crash in between leaves a signer that signs nothing until the same terms are installed again.

use crate::home::{Home, Lock};
use crate::journal::{Journal, JournalError};
use crate::records::Access;
use crate::vault::{Device, PolicyPin, Vault, VaultError};
use airlock_shared::approval::SeenHead;
use airlock_shared::batch::ReissueReason;
use airlock_shared::envelope::{Outcome, Receipt, SignedBatch};
use airlock_shared::genesis::{
    AccountNonce, Genesis, GenesisError, PolicyVersion, Reason, SignedGenesis, Spent,
};
use airlock_shared::identity::{CustodianSignature, Identity, IdentitySignature};
use airlock_shared::journal::{Chain, Entry, Record};
use airlock_shared::roles::creator;
use airlock_shared::{Address, BaseUnits, Network};
use std::collections::BTreeMap;

/// The rolling window whose sums go along, seconds.
const DAY_SECONDS: u64 = 86_400;
/// A head further ahead of what is known is nobody's: no file of records holds as many entries. A journal that
/// went on from the last numbers there are could never be continued again.
const AHEAD_MAX: u64 = 1 << 32;

/// Why custodians' terms do not come into force, or cannot be drawn up.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// They are not for this signer, or too few custodians signed.
    #[error(transparent)]
    Terms(#[from] GenesisError),
    /// This device has pinned no custodians.
    #[error("this device has no roster of custodians")]
    NoRoster,
    /// This device is nobody in the roster.
    #[error("this device is not one of the custodians")]
    NotACustodian,
    /// The journal has begun; it may be re-anchored, never begun again.
    #[error("the journal has begun (entry {found}); it can be re-anchored, not begun again")]
    HasBegun {
        /// Its newest entry.
        found: u64,
    },
    /// The terms continue a head behind what this signer knows itself.
    #[error("the terms continue entry {found}, this signer knows entry {newest} and never goes back")]
    GoesBack {
        /// The entry that would be continued.
        found: u64,
        /// The newest that this signer knows.
        newest: u64,
    },
    /// The terms continue a head that no journal can have got to.
    #[error("the terms continue entry {found}, this signer knows entry {newest}: no journal is that long")]
    TooFarAhead {
        /// The entry that would be continued.
        found: u64,
        /// The newest that this signer knows.
        newest: u64,
    },
    /// The journal went on, or the signer was locked, after the terms were drawn up: they do not know of it.
    #[error("the terms were made at {made_at}, and something happened here at {newest}; propose new ones")]
    Stale {
        /// When they were made.
        made_at: u64,
        /// When the journal's newest entry was written, or the signer was locked.
        newest: u64,
    },
    /// The terms are from the future.
    #[error("the terms were made at {made_at}, this clock says {now}; set the clock")]
    Clock {
        /// When they were made.
        made_at: u64,
        /// This clock.
        now: u64,
    },
    /// Terms that came into force before do not undo what was found since.
    #[error(
        "these terms came into force with entry {entry}, and the signer was locked since; propose new ones"
    )]
    Before {
        /// The entry that brought them into force.
        entry: u64,
    },
    /// The sums of a day are above 256 bits.
    #[error("the sums of a day are above 2^256-1")]
    Overflow,
    /// A signed-batch file whose batch does not build or is not authentic.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// By network, contract and time.
type Sums = BTreeMap<(Network, Option<Address>, u64), BaseUnits>;

/// What counts as signed, gathered from every source there is.
#[derive(Debug, Default)]
pub struct Gathered {
    highest_item: u64,
    nonces: BTreeMap<Address, u64>,
    spent: Sums,
    /// What earlier terms state; they count the batches that were known then, which may be known here too.
    stated: Sums,
    heads: BTreeMap<Identity, SeenHead>,
    newest_time: u64,
    policy: Option<PolicyVersion>,
    batches: std::collections::BTreeSet<airlock_shared::Digest>,
}

impl Gathered {
    /// Takes in a whole journal: intents, and the terms on which it may have begun.
    pub fn journal(&mut self, journal: &Journal) -> Result<(), CeremonyError> {
        journal.terms().for_each(|terms| self.terms(terms));
        for (intent, record) in journal.signed() {
            if self.batches.insert(intent.content) {
                self.record(record)?;
            }
        }
        if let Some(PolicyPin { version, digest }) = journal.newest_policy() {
            self.policy(PolicyVersion { version, digest });
        }
        if let Some(entry) = journal.entries().last() {
            self.entry(entry);
        }
        Ok(())
    }

    /// Takes in a signed-batch file: what its receipts say, each under its signer's own signature.
    pub fn batch(&mut self, file: &str, signed: &SignedBatch) -> Result<(), CeremonyError> {
        let broken = |why: &dyn ToString| CeremonyError::File { file: file.to_owned(), why: why.to_string() };
        let content = &signed.envelope.content;
        let digest = content.digest();
        for receipt in signed.replies.iter().map(|reply| &reply.receipt) {
            if receipt.content != digest || !receipt.is_authentic() {
                return Err(broken(&"a receipt that is not authentic"));
            }
            self.receipt(receipt);
            let highest = (content.source, receipt.highest_nonce);
            if let (Some(source), nonce @ 1..) = highest {
                self.nonce(source.address, nonce);
            }
            if matches!(receipt.outcome, Outcome::Signed { .. }) && self.batches.insert(digest) {
                self.policy(PolicyVersion { version: content.policy.version, digest: content.policy.digest });
                let transactions = creator::transactions(content).map_err(|error| broken(&error))?;
                let tx_ids =
                    |item: usize| transactions[item].iter().filter_map(|unsigned| unsigned.tx_id()).collect();
                let record = Record::of(content, receipt.entry.time, tx_ids);
                self.record(&record.ok_or_else(|| broken(&"an item has no source"))?)?;
            }
        }
        Ok(())
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.highest_item = self.highest_item.max(receipt.highest_item);
        for entry in receipt.unacknowledged.iter().chain([&receipt.entry]) {
            let authentic = entry.signer.verifies(&entry.head(Chain::Journal), &entry.signature);
            if authentic && entry.signer == receipt.signer() {
                self.entry(entry);
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.newest_time = self.newest_time.max(entry.time);
        self.head(SeenHead::of(entry));
    }

    /// Takes in the head that the signer was locked for: the one to continue, unless a higher one is known. It
    /// rests on the coordinator's word alone; one that no journal can have got to is left out, and `false`.
    pub fn claimed(&mut self, head: SeenHead) -> bool {
        let known = self.heads.get(&head.signer).map_or(0, |known| known.sequence);
        let possible = head.sequence <= known.saturating_add(AHEAD_MAX);
        if possible && head.sequence >= known {
            self.heads.insert(head.signer, head);
        }
        possible
    }

    /// Takes in a policy that was in force; the highest version counts.
    pub fn policy(&mut self, policy: PolicyVersion) {
        if self.policy.is_none_or(|known| policy.version > known.version) {
            self.policy = Some(policy);
        }
    }

    /// Takes in a head that somebody holds; the highest of each signer counts.
    pub fn head(&mut self, head: SeenHead) {
        let known = self.heads.entry(head.signer).or_insert(head);
        if head.sequence > known.sequence {
            *known = head;
        }
    }

    /// Everything up to this item counts as signed, whatever the sources say.
    pub fn raise_item(&mut self, number: u64) {
        self.highest_item = self.highest_item.max(number);
    }

    fn nonce(&mut self, account: Address, nonce: u64) {
        let highest = self.nonces.entry(account).or_insert(nonce);
        *highest = nonce.max(*highest);
    }

    fn record(&mut self, record: &Record) -> Result<(), CeremonyError> {
        self.newest_time = self.newest_time.max(record.time);
        for item in &record.items {
            self.raise_item(item.id.number());
            if let Some(nonce) = item.account_nonce {
                self.nonce(item.source, nonce);
            }
            // The same money at the same nonce: it was counted when it was first signed.
            if item.reissue != Some(ReissueReason::Stuck) {
                self.sum(record.network, record.contract, record.time, item.amount)?;
            }
        }
        Ok(())
    }

    fn sum(
        &mut self,
        network: Network,
        contract: Option<Address>,
        time: u64,
        amount: BaseUnits,
    ) -> Result<(), CeremonyError> {
        let sum = self.spent.entry((network, contract, time)).or_insert(BaseUnits::ZERO);
        *sum = sum.checked_add(amount).ok_or(CeremonyError::Overflow)?;
        Ok(())
    }

    fn terms(&mut self, genesis: &Genesis) {
        self.raise_item(genesis.highest_item);
        self.newest_time = self.newest_time.max(genesis.made_at);
        for entry in &genesis.nonces {
            self.nonce(entry.account, entry.highest);
        }
        for Spent { network, contract, time, amount } in &genesis.spent {
            let known = self.stated.entry((*network, *contract, *time)).or_insert(*amount);
            *known = (*known).max(*amount);
        }
    }

    /// The terms that follow for this device: a journal of which somebody holds a head is re-anchored at the
    /// newest, any other begins.
    pub fn propose(mut self, device: &Device, now: u64) -> Result<Genesis, CeremonyError> {
        if let Some(PolicyPin { version, digest }) = device.policy {
            self.policy(PolicyVersion { version, digest });
        }
        let roster = device.roster.as_ref().ok_or(CeremonyError::NoRoster)?;
        let own = self.heads.get(&device.identity()).copied();
        let others = self.heads.values().filter(|head| head.signer != device.identity());
        let (reason, continues) = match own {
            Some(own) => (Reason::Reanchored, Some(own)),
            None => (Reason::Restored, others.max_by_key(|head| head.sequence).copied()),
        };
        for (place, amount) in std::mem::take(&mut self.stated) {
            let known = self.spent.entry(place).or_insert(amount);
            *known = (*known).max(amount);
        }
        let of_profile = |network: Network| network.profile() == device.profile;
        let made_at = now.max(self.newest_time);
        let recent = made_at.saturating_sub(DAY_SECONDS);
        let spent = |((network, contract, time), amount)| Spent { network, contract, time, amount };
        let nonces = self.nonces.into_iter().filter(|(account, _)| of_profile(account.network()));
        Ok(Genesis {
            profile: device.profile,
            signer: device.identity(),
            roster: roster.digest(),
            reason,
            continues,
            highest_item: self.highest_item,
            nonces: nonces.map(|(account, highest)| AccountNonce { account, highest }).collect(),
            spent: self
                .spent
                .into_iter()
                .map(spent)
                .filter(|spent| spent.time >= recent && of_profile(spent.network))
                .collect(),
            made_at,
            policy: self.policy,
        })
    }
}

/// Adds this custodian's signature.
pub fn sign(device: &Device, signed: &mut SignedGenesis) -> Result<(), CeremonyError> {
    let (custodian, genesis) = (device.identity(), &signed.genesis);
    if genesis.profile != device.profile {
        let (expected, found) = (device.profile.name(), genesis.profile.name());
        return Err(GenesisError::OtherProfile { expected, found }.into());
    }
    if let Some(roster) = &device.roster {
        if genesis.roster != roster.digest() {
            let (expected, found) = (roster.digest(), genesis.roster);
            return Err(GenesisError::OtherRoster { expected, found }.into());
        }
        if roster.custodians.iter().all(|member| member.identity != custodian) {
            return Err(CeremonyError::NotACustodian);
        }
    }
    let signature = IdentitySignature::by(&device.key, &genesis.digest());
    signed.add(CustodianSignature { custodian, signature });
    Ok(())
}

/// Puts the custodians' terms in force and unlocks the signer. Says whether anything changed.
pub fn install(
    home: &Home,
    _lock: &Lock,
    vault: &mut Vault,
    signed: SignedGenesis,
    now: u64,
) -> Result<bool, CeremonyError> {
    let device = vault.device();
    let roster = device.roster.as_ref().ok_or(CeremonyError::NoRoster)?;
    signed.check(roster, device.profile, device.identity())?;
    let (made_at, terms) = (signed.genesis.made_at, signed.genesis.digest());
    let mut journal = Journal::open_unanchored(home, device, Access::Append)?;
    let refusals = Journal::open_refusals_unanchored(home, device, Access::Append)?;
    match journal.place_of_terms(&terms) {
        None => {
            if made_at > now {
                return Err(CeremonyError::Clock { made_at, now });
            }
            check_continues(&journal, device, &signed.genesis)?;
            // They state what this journal held then, and the sums of it: what came later they would hide.
            let newest = journal.time().max(device.lock.as_ref().map_or(0, |lock| lock.at));
            if made_at < newest {
                return Err(CeremonyError::Stale { made_at, newest });
            }
            journal.anchor_anew(now, signed, device)?;
        }
        // A crash came between the journal and the vault.
        Some(place) if place == journal.anchor() && device.journal != place => {}
        Some(_) if device.lock.is_none() => return Ok(false),
        Some(place) => return Err(CeremonyError::Before { entry: place.sequence }),
    }
    let (journal, refusals) = (journal.anchor(), refusals.anchor());
    let device = vault.device_mut();
    (device.journal, device.refusals, device.lock) = (journal, refusals, None);
    vault.store(home)?;
    Ok(true)
}

/// A journal begins once, and never goes back behind what it or the vault knows.
fn check_continues(journal: &Journal, device: &Device, genesis: &Genesis) -> Result<(), CeremonyError> {
    let newest =
        if journal.anchor().sequence < device.journal.sequence { device.journal } else { journal.anchor() };
    match &genesis.continues {
        Some(head) if genesis.reason == Reason::Reanchored => {
            let (found, newest) = (head.sequence, newest.sequence);
            match found.checked_sub(newest) {
                Some(0..=AHEAD_MAX) => Ok(()),
                Some(_) => Err(CeremonyError::TooFarAhead { found, newest }),
                None => Err(CeremonyError::GoesBack { found, newest }),
            }
        }
        _ if newest.sequence == 0 => Ok(()),
        _ => Err(CeremonyError::HasBegun { found: newest.sequence }),
    }
}
