//! The checks before review: authenticity, freshness, policy, journal.
//!
//! Called by [`Signer::examine`], and the ones that depend on time again after the unlock. What must stay
//! true: each looks at every batch and every item; a batch that was signed before is exempt from freshness
//! and policy only because nothing new can come of it (see [`Standing::Signed`]).

use super::{Accountable, Authentic, Batch, Decoded, Fresh, Permitted, Refusal, Signer, Standing};
use crate::journal::{HEAD_UNKNOWN, HEAD_UNKNOWN_TO_APPROVER, Intent, LOCKED};
use crate::vault::WalletRef;
use airlock_shared::approval::{SeenHead, digest_of};
use airlock_shared::batch::Wallet;
use airlock_shared::envelope::MAX_UNACKNOWLEDGED;
use airlock_shared::journal::{FirstSeen, Record};
use airlock_shared::memory::{Memory, Past, check_repeats};
use airlock_shared::policy::rules::first_seen_of;
use airlock_shared::policy::{Facts, Rule, judge};
use airlock_shared::wallet::Role;
use std::collections::HashSet;

impl Decoded {
    /// Sealed by a coordinator that was paired with this signer.
    pub(super) fn authenticate(self, signer: &Signer) -> Result<Authentic, Refusal> {
        let device = signer.vault.device();
        for (number, batch) in self.0.iter().enumerate() {
            let sender = batch.envelope.coordinator;
            if device.coordinator(&sender).is_none() {
                let why = format!("coordinator {sender} is not paired with this signer");
                return Err(Refusal::of("authentic.coordinator", number, sender, why));
            }
            if !batch.envelope.is_authentic() {
                let why = "the coordinator's signature does not fit the envelope";
                return Err(Refusal::of("authentic.signature", number, sender, why));
            }
        }
        Ok(Authentic(self.0))
    }
}

impl Authentic {
    /// For this vault, with a clock that does not run backwards and heads that are ours.
    pub(super) fn check_freshness(mut self, signer: &Signer, now: u64) -> Result<Fresh, Refusal> {
        check_lock(signer)?;
        check_clock(signer, now)?;
        for (number, batch) in self.0.iter_mut().enumerate() {
            check_scope(signer, number, batch)?;
            check_heads(signer, number, batch)?;
            batch.standing = standing(signer, number, batch)?;
            check_sources(signer, number, batch)?;
        }
        check_caught_up(signer, &self.0)?;
        Ok(Fresh(self.0))
    }
}

/// The code of the one refusal that says nothing about the batch.
pub(super) const CLOCK_BEHIND: &str = "clock.behind_journal";

/// After a head that this journal does not know, nothing is signed until the custodians re-anchor it.
pub(super) fn check_lock(signer: &Signer) -> Result<(), Refusal> {
    let Some(lock) = &signer.vault.device().lock else { return Ok(()) };
    let why = format!(
        "this signer is locked ({}): a coordinator held entry {} with head {}, which this journal does not know; \
         the custodians must re-anchor it (`genesis propose`, `sign`, `install`)",
        lock.code, lock.claimed.sequence, lock.claimed.head
    );
    Err(Refusal::of(LOCKED, 0, lock.claimed.head, why))
}

/// Journal time never runs backwards.
fn check_clock(signer: &Signer, now: u64) -> Result<(), Refusal> {
    let last = signer.journal.time();
    if now >= last {
        return Ok(());
    }
    let why = format!("this clock says {now}, the journal was written at {last}; set the clock");
    Err(Refusal::of(CLOCK_BEHIND, 0, now, why))
}

fn check_scope(signer: &Signer, number: usize, batch: &Batch) -> Result<(), Refusal> {
    let (device, content) = (signer.vault.device(), &batch.envelope.content);
    if content.profile != device.profile {
        let (found, own) = (content.profile.name(), device.profile.name());
        let why = format!("a batch of profile {found}, this vault is for {own}");
        return Err(Refusal::of("fresh.profile", number, found, why));
    }
    let own = device.identity().fingerprint();
    if content.vault != own {
        let found = hex::encode(content.vault);
        let why = format!("a batch for vault {found}, this is vault {}", hex::encode(own));
        return Err(Refusal::of("fresh.vault", number, found, why));
    }
    Ok(())
}

/// The receipt of a new batch must lead from the head that the coordinator holds to the new one.
fn check_caught_up(signer: &Signer, batches: &[Batch]) -> Result<(), Refusal> {
    // Each batch adds an intent and its signatures.
    let added = 2 * batches.len() as u64;
    for (number, known) in signer.known_of(batches).iter().enumerate() {
        let missed = signer.journal.anchor().sequence.saturating_sub(known.acknowledged);
        let newer = signer.journal.entries_after(known.acknowledged, MAX_UNACKNOWLEDGED);
        // After a re-anchoring, entries between may be lost.
        let whole = newer.iter().zip(1..).all(|(entry, step)| entry.sequence == known.acknowledged + step);
        let room = whole && missed + added <= MAX_UNACKNOWLEDGED as u64;
        if batches[number].standing == Standing::New && !room {
            let why = format!(
                "the coordinator has missed {missed} entries of this journal; give it the receipts of this \
                 refusal and the replies that it has not seen, then make a new batch"
            );
            return Err(Refusal::of("head.too_old", number, missed, why));
        }
    }
    Ok(())
}

/// Hardware wallets sign for themselves; what was retired signs no more, and is no place to put money. What
/// left before may leave again.
fn check_sources(signer: &Signer, number: usize, batch: &Batch) -> Result<(), Refusal> {
    let content = &batch.envelope.content;
    if matches!(batch.standing, Standing::Signed(_)) {
        return Ok(());
    }
    for (place, item) in content.items.iter().enumerate() {
        let own = item.own.map(|(role, index)| Wallet { role, index, address: item.destination });
        for (which, wallet) in [("source", content.source_of(place)), ("own", own)] {
            let Some(Wallet { role, index, address }) = wallet else { continue };
            let kind = if role == Role::Hardware {
                "hardware"
            } else if signer.retired.contains(&WalletRef { network: content.network, role, index }) {
                "retired"
            } else {
                continue;
            };
            let name = format!("{} wallet {index} ({address})", role.name());
            let why = match kind {
                "hardware" => format!("{name} signs for itself"),
                _ => format!("{name} was retired"),
            };
            return Err(Refusal::of(&format!("{which}.{kind}"), number, address, why).at(place));
        }
    }
    Ok(())
}

/// What the coordinator and the approvers' devices saw of our journal must be in it. A head that is not,
/// or that is ahead, means that this journal is an old copy or a clone, and nothing is signed.
fn check_heads(signer: &Signer, number: usize, batch: &Batch) -> Result<(), Refusal> {
    let stranger = |head: &&SeenHead| signer.is_unknown(head);
    let refuse = |code: &str, who: &str, head: &SeenHead| {
        let why = format!(
            "{who} saw journal entry {} with head {}, which is not in this journal of {} entries: it was rolled back or cloned",
            head.sequence,
            head.head,
            signer.journal.anchor().sequence
        );
        Err(Refusal::of(code, number, head.head, why))
    };
    if let Some(head) = batch.envelope.heads.iter().find(stranger) {
        return refuse(HEAD_UNKNOWN, "the coordinator", head);
    }
    let seen = batch.envelope.approvals.iter().filter_map(|approval| approval.seen.as_ref());
    match seen.clone().find(stranger) {
        Some(head) => refuse(HEAD_UNKNOWN_TO_APPROVER, "an approver's device", head),
        None => Ok(()),
    }
}

pub(super) fn standing(signer: &Signer, number: usize, batch: &Batch) -> Result<Standing, Refusal> {
    match signer.journal.intent(&batch.digest) {
        None => Ok(Standing::New),
        Some(Intent { receipt: Some(receipt), .. }) => Ok(Standing::Signed(Box::new(receipt.clone()))),
        Some(intent) if intent.approvals == digest_of(&batch.envelope.approvals) => Ok(Standing::Interrupted),
        Some(intent) => {
            let why =
                "its intent was journalled with other approvals; only the identical batch may be completed";
            Err(Refusal::of("journal.approvals_changed", number, intent.approvals, why))
        }
    }
}

impl Fresh {
    /// Every rule of the policy, over every item, with what was signed before and what stands before it.
    pub(super) fn judge(self, signer: &Signer, now: u64) -> Result<Permitted, Box<Broken>> {
        judge_all(signer, &self.0, now)?;
        Ok(Permitted(self.0))
    }
}

/// A bundle that is not permitted.
#[derive(Debug)]
pub(super) struct Broken {
    pub refusal: Refusal,
    /// Destinations whose delay begins with this refusal, because it is about nothing else.
    pub first_seen: Option<FirstSeen>,
}

impl From<Refusal> for Box<Broken> {
    fn from(refusal: Refusal) -> Self {
        Self::new(Broken { refusal, first_seen: None })
    }
}

/// The policy over every batch that is not signed already.
pub(super) fn judge_all(signer: &Signer, batches: &[Batch], now: u64) -> Result<(), Box<Broken>> {
    check_clock(signer, now)?;
    let mut bundle = Memory::default();
    for (number, batch) in batches.iter().enumerate() {
        if !matches!(batch.standing, Standing::Signed(_)) {
            with_facts(signer, batches, number, &bundle, now, |facts| {
                judge(facts).map_err(|refusal| {
                    let delays = refusal.rule == Rule::FirstSeen;
                    let first_seen = delays.then(|| first_seen_of(facts));
                    Box::new(Broken { refusal: Refusal::by_rule(number, refusal), first_seen })
                })
            })?;
        }
        remember(&mut bundle, number, batch, now)?;
    }
    Ok(())
}

/// The batches of a bundle before one of them, as if they were signed already.
pub(super) fn earlier(batches: &[Batch], now: u64) -> Result<Memory, Refusal> {
    let mut bundle = Memory::default();
    batches.iter().enumerate().try_for_each(|(number, batch)| remember(&mut bundle, number, batch, now))?;
    Ok(bundle)
}

fn remember(bundle: &mut Memory, number: usize, batch: &Batch, now: u64) -> Result<(), Refusal> {
    if batch.standing == Standing::New {
        bundle.take_in(&record(number, batch, now)?);
    }
    Ok(())
}

/// What the journal would hold of a batch.
pub(super) fn record(number: usize, batch: &Batch, time: u64) -> Result<Record, Refusal> {
    Record::of(&batch.envelope.content, time, |place| tx_ids(batch, place)).ok_or_else(|| {
        let why = "an item has no source, or the batch no fees";
        Refusal::of("build", number, batch.envelope.content.batch_id, why)
    })
}

fn tx_ids(batch: &Batch, place: usize) -> Vec<[u8; 32]> {
    batch.tx_ids.get(place).cloned().unwrap_or_default()
}

/// Asks about one batch of the bundle, `bundle` being what stands before it. A batch that was interrupted is
/// seen as it was before its own intent.
pub(super) fn with_facts<T>(
    signer: &Signer,
    batches: &[Batch],
    number: usize,
    bundle: &Memory,
    now: u64,
    ask: impl FnOnce(&Facts<'_>) -> T,
) -> T {
    let batch = &batches[number];
    let journal = signer.journal.intent(&batch.digest).map(|_| signer.journal.memory_without(&batch.digest));
    let past = Past::of(journal.as_ref().unwrap_or(signer.journal.memory())).with_bundle(bundle);
    ask(&Facts {
        content: &batch.envelope.content,
        digest: batch.digest,
        approvals: &batch.envelope.approvals,
        bundle_len: batches.len(),
        policy: &signer.policy.policy,
        now,
        past,
    })
}

impl Permitted {
    /// No item id, account nonce or transaction id that the journal, or the bundle itself, knows already.
    pub(super) fn check_journal(self, signer: &Signer, now: u64) -> Result<Accountable, Refusal> {
        let mut bundle = Memory::default();
        for (number, batch) in self.0.iter().enumerate() {
            if batch.standing != Standing::New {
                continue;
            }
            check_never_refused(signer, number, batch)?;
            check_own_ids(number, batch)?;
            let past = Past::of(signer.journal.memory()).with_bundle(&bundle);
            check_repeats(past, &batch.envelope.content, |place| tx_ids(batch, place)).map_err(|repeat| {
                Refusal::of(repeat.code.word(), number, repeat.found, repeat.why).at(repeat.item)
            })?;
            remember(&mut bundle, number, batch, now)?;
        }
        Ok(Accountable(self.0))
    }
}

/// A signed refusal is a promise: the coordinator may have given the money to another batch since.
fn check_never_refused(signer: &Signer, number: usize, batch: &Batch) -> Result<(), Refusal> {
    if !signer.refusals.has_refused(&batch.digest) {
        return Ok(());
    }
    let why = "this batch was refused before, and a refusal is final; a new batch is needed";
    Err(Refusal::of("journal.refused_before", number, batch.digest, why))
}

/// Equal payments at one timestamp would be one transaction on TRON: it is paid once, and counted twice.
fn check_own_ids(number: usize, batch: &Batch) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for place in 0..batch.transactions.len() {
        if let Some(tx_id) = tx_ids(batch, place).into_iter().find(|tx_id| !seen.insert(*tx_id)) {
            let found = hex::encode(tx_id);
            let why = format!("transaction {found} stands in the batch twice");
            return Err(Refusal::of("journal.tx_repeated", number, found, why).at(place));
        }
    }
    Ok(())
}
