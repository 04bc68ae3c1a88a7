//! The checks before review: authenticity, freshness, policy, journal.
//!
//! Called by [`Signer::examine`], and the ones that depend on time again after the unlock. What must stay
//! true: each looks at every batch and every item; a batch that was signed before is exempt from freshness
//! and policy only because nothing new can come of it (see [`Standing::Signed`]).

use super::{Accountable, Authentic, Batch, Decoded, Fresh, Permitted, Refusal, Signer, Standing};
use crate::journal::Intent;
use airlock_shared::approval::{SeenHead, digest_of};
use airlock_shared::envelope::MAX_UNACKNOWLEDGED;
use airlock_shared::policy::{Facts, judge};
use airlock_shared::{BaseUnits, ItemId, Network};
use std::collections::HashSet;

/// The rolling window of the daily limits, seconds of journal time.
const DAY_SECONDS: u64 = 86_400;

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
        check_clock(signer, now)?;
        for (number, batch) in self.0.iter_mut().enumerate() {
            check_scope(signer, number, batch)?;
            check_heads(signer, number, batch)?;
            batch.standing = standing(signer, number, batch)?;
        }
        check_caught_up(signer, &self.0)?;
        Ok(Fresh(self.0))
    }
}

/// The code of the one refusal that says nothing about the batch.
pub(super) const CLOCK_BEHIND: &str = "clock.behind_journal";

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
        if batches[number].standing == Standing::New && missed + added > MAX_UNACKNOWLEDGED as u64 {
            let why = format!(
                "the coordinator has missed {missed} entries of this journal; give it the receipts of this \
                 refusal and the replies that it has not seen, then make a new batch"
            );
            return Err(Refusal::of("head.too_old", number, missed, why));
        }
    }
    Ok(())
}

/// What the coordinator and the approvers' devices saw of our journal must be in it. A head that is not,
/// or that is ahead, means that this journal is an old copy or a clone, and nothing is signed.
fn check_heads(signer: &Signer, number: usize, batch: &Batch) -> Result<(), Refusal> {
    let us = signer.vault.device().identity();
    let stranger = |head: &&SeenHead| head.signer == us && !signer.journal.holds(head.sequence, &head.head);
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
        return refuse("head.unknown", "the coordinator", head);
    }
    let seen = batch.envelope.approvals.iter().filter_map(|approval| approval.seen.as_ref());
    match seen.clone().find(stranger) {
        Some(head) => refuse("head.unknown_to_approver", "an approver's device", head),
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
    /// Every rule of the policy, over every item, with the amounts of the day and of the bundle.
    pub(super) fn judge(self, signer: &Signer, now: u64) -> Result<Permitted, Refusal> {
        judge_all(signer, &self.0, now)?;
        Ok(Permitted(self.0))
    }
}

/// The policy over every batch that is not signed already.
pub(super) fn judge_all(signer: &Signer, batches: &[Batch], now: u64) -> Result<(), Refusal> {
    check_clock(signer, now)?;
    for number in 0..batches.len() {
        if matches!(batches[number].standing, Standing::Signed(_)) {
            continue;
        }
        let spent_in_a_day = spent(signer, batches, number, now)?;
        judge(&facts(signer, batches, number, now, spent_in_a_day))
            .map_err(|refusal| Refusal::by_rule(number, refusal))?;
    }
    Ok(())
}

/// What the rules look at for one batch of the bundle.
pub(super) fn facts<'a>(
    signer: &'a Signer,
    batches: &'a [Batch],
    number: usize,
    now: u64,
    spent_in_a_day: BaseUnits,
) -> Facts<'a> {
    let batch = &batches[number];
    Facts {
        content: &batch.envelope.content,
        digest: batch.digest,
        approvals: &batch.envelope.approvals,
        bundle_len: batches.len(),
        policy: &signer.policy.policy,
        now,
        spent_in_a_day,
    }
}

/// What counts as signed of a batch's asset in the last 24 hours: every intent of the journal but the
/// batch's own, and the batches before it in the bundle.
pub(super) fn spent(
    signer: &Signer,
    batches: &[Batch],
    number: usize,
    now: u64,
) -> Result<BaseUnits, Refusal> {
    let content = &batches[number].envelope.content;
    let day = signer.journal.intents_since(now.saturating_sub(DAY_SECONDS)).filter(|intent| {
        intent.content != batches[number].digest
            && intent.record.network == content.network
            && intent.record.contract == content.asset.contract
    });
    let journalled = day.flat_map(|intent| intent.record.items.iter().map(|item| item.amount));
    let earlier = batches[..number].iter().filter(|batch| {
        let other = &batch.envelope.content;
        batch.standing == Standing::New
            && other.network == content.network
            && other.asset.contract == content.asset.contract
    });
    let bundled = earlier.flat_map(|batch| batch.envelope.content.items.iter().map(|item| item.amount));
    BaseUnits::checked_sum(journalled.chain(bundled)).ok_or_else(|| {
        Refusal::of("policy.per_day_limit", number, "above 2^256-1", "the day's sum is above 256 bits")
    })
}

impl Permitted {
    /// No item id, account nonce or transaction id that the journal, or the bundle itself, knows already.
    pub(super) fn check_journal(self, signer: &Signer) -> Result<Accountable, Refusal> {
        let mut seen = Seen::default();
        for (number, batch) in self.0.iter().enumerate() {
            if batch.standing == Standing::New {
                check_never_refused(signer, number, batch)?;
                check_items(signer, number, batch, &mut seen)?;
            } else {
                seen.add(batch);
            }
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

/// What the batches before this one in the bundle use.
#[derive(Default)]
struct Seen {
    items: HashSet<ItemId>,
    nonces: HashSet<(Network, [u8; 20], u64)>,
    tx_ids: HashSet<[u8; 32]>,
}

impl Seen {
    fn add(&mut self, batch: &Batch) {
        let content = &batch.envelope.content;
        for (place, item) in content.items.iter().enumerate() {
            self.items.insert(item.id);
            if let (Some(source), Some(nonce)) = (content.source_of(place), item.account_nonce) {
                self.nonces.insert((content.network, *source.address.payload(), nonce));
            }
        }
        self.tx_ids.extend(batch.transactions.iter().flatten().filter_map(|unsigned| unsigned.tx_id()));
    }
}

fn check_items(signer: &Signer, number: usize, batch: &Batch, seen: &mut Seen) -> Result<(), Refusal> {
    let (content, journal) = (&batch.envelope.content, &signer.journal);
    for (place, item) in content.items.iter().enumerate() {
        if journal.intent_of_item(item.id).is_some() || !seen.items.insert(item.id) {
            let why = format!("{:?} was signed before and is never signed twice", item.id);
            return Err(Refusal::of("journal.item_repeated", number, item.id, why).at(place));
        }
        if let (Some(source), Some(nonce)) = (content.source_of(place), item.account_nonce) {
            let account = *source.address.payload();
            let known = journal.intent_of_nonce(content.network, account, nonce).is_some();
            if known || !seen.nonces.insert((content.network, account, nonce)) {
                let why = format!("account nonce {nonce} of {} was signed before", source.address);
                return Err(Refusal::of("journal.nonce_repeated", number, nonce, why).at(place));
            }
        }
        for tx_id in batch.transactions[place].iter().filter_map(|unsigned| unsigned.tx_id()) {
            if journal.has_tx_id(&tx_id) || !seen.tx_ids.insert(tx_id) {
                let found = hex::encode(tx_id);
                let why = format!("transaction {found} was signed before");
                return Err(Refusal::of("journal.tx_repeated", number, found, why).at(place));
            }
        }
    }
    Ok(())
}
