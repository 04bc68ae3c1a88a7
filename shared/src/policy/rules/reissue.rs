//! A second signature for the same item: only with a reason, and the reason must fit what was signed before.
//!
//! `stuck` needs no trust: same nonce and intent at higher fees, so at most one of the two can be mined. The
//! other three rest on claims about a chain that cannot be checked offline. They name the dead transactions, need
//! approvals of their own on independent devices, stay below caps of their own, and count again in the day.

use super::limits::{asset_of, at_most, shown};
use super::{DAY_SECONDS, Facts, Refusal, Rule, approvals};
use crate::amount::BaseUnits;
use crate::batch::{Context, Item, Reissue, ReissueReason};
use crate::journal::Terms;
use crate::memory::Signing;
use crate::network::Family;
use std::collections::BTreeSet;

/// TRON nodes drop a transaction once its expiration has passed; an hour covers clocks and the block that
/// holds it being solidified.
const EXPIRED_FOR_SECONDS: u64 = 3_600;

/// What people are told of a reissue that does not fit: found, and what would have been allowed.
type Misfit = (String, String);

fn misfit(found: impl ToString, allowed: impl ToString) -> Result<(), Misfit> {
    Err((found.to_string(), allowed.to_string()))
}

/// Do the facts of the reason hold?
pub(super) fn reissue_reason(facts: &Facts<'_>) -> Result<(), Refusal> {
    if !facts.past.is_known() {
        return Ok(());
    }
    for (place, item) in facts.content.items.iter().enumerate() {
        let Some(reissue) = &item.reissue else { continue };
        reason_fits(facts, place, item, reissue)
            .map_err(|(found, allowed)| Refusal::of(Rule::ReissueReason, found, allowed).at(place))?;
    }
    Ok(())
}

fn reason_fits(facts: &Facts<'_>, place: usize, item: &Item, reissue: &Reissue) -> Result<(), Misfit> {
    let signings: Vec<_> = facts.past.signings_of(item.id).collect();
    let Some(newest) = signings.last() else {
        return misfit(format!("{:?}, never signed here", item.id), "items that were signed before");
    };
    same_payment(facts, item, newest)?;
    match reissue.reason {
        ReissueReason::Stuck => stuck(facts, place, item, newest),
        ReissueReason::Expired => expired(facts, reissue, &signings),
        ReissueReason::FailedOnChain if facts.content.network.family() == Family::Tron => {
            failed_on_tron(reissue, newest, &signings)
        }
        ReissueReason::FailedOnChain => another_nonce(facts, place, item, &signings),
        ReissueReason::Cancelled => {
            another_nonce(facts, place, item, &signings)?;
            cancelled(facts, reissue, newest)
        }
    }
}

/// The same money to the same place: nothing else is the same item.
fn same_payment(facts: &Facts<'_>, item: &Item, before: &Signing<'_>) -> Result<(), Misfit> {
    let (content, record) = (facts.content, before.record);
    let same = content.network == record.network
        && content.kind == record.kind
        && content.asset.contract == record.contract
        && item.destination == before.item.destination
        && item.amount == before.item.amount;
    if same {
        return Ok(());
    }
    let found = format!("{} of {} to {}", item.amount, content.asset.symbol, item.destination);
    misfit(found, format!("{} to {}, as before", before.item.amount, before.item.destination))
}

fn stuck(facts: &Facts<'_>, place: usize, item: &Item, newest: &Signing<'_>) -> Result<(), Misfit> {
    let source = facts.content.source_of(place).map(|wallet| wallet.address);
    if item.account_nonce != newest.item.account_nonce || source != Some(newest.item.source) {
        let found = format!("stuck, at account nonce {:?}", item.account_nonce);
        return misfit(found, "the account and nonce that were signed last");
    }
    match (&facts.content.context, &newest.record.terms) {
        (Context::Evm(evm), Terms::Evm { highest, .. })
            if evm.levels.first().is_some_and(|lowest| lowest.replaces(highest)) =>
        {
            Ok(())
        }
        _ => misfit(
            "stuck, with fees that replace nothing",
            "fees at least 10 % above the highest that were signed, in both fields",
        ),
    }
}

fn expired(facts: &Facts<'_>, reissue: &Reissue, signings: &[Signing<'_>]) -> Result<(), Misfit> {
    let signed: BTreeSet<_> = signings.iter().flat_map(|signing| &signing.item.tx_ids).collect();
    if reissue.dead.len() != signed.len() || !reissue.dead.iter().all(|id| signed.contains(id)) {
        let ids: Vec<_> = signed.iter().map(hex::encode).collect();
        return misfit(shown_ids(reissue), format!("exactly the transactions signed: {}", ids.join(", ")));
    }
    let dead_after = |signing: &Signing<'_>| match signing.record.terms {
        Terms::Tron { dead_after } => dead_after,
        Terms::Evm { .. } => u64::MAX,
    };
    let dead_after = signings.iter().map(dead_after).max().unwrap_or(u64::MAX);
    let from = dead_after.saturating_add(EXPIRED_FOR_SECONDS);
    if facts.now >= from {
        return Ok(());
    }
    misfit(format!("expired at {dead_after}, now {}", facts.now), format!("not before {from}"))
}

/// Only what was signed here can have failed, and whatever was signed last must have, or it is still alive.
fn failed_on_tron(reissue: &Reissue, newest: &Signing<'_>, signings: &[Signing<'_>]) -> Result<(), Misfit> {
    let signed: BTreeSet<_> = signings.iter().flat_map(|signing| &signing.item.tx_ids).collect();
    let ours = reissue.dead.iter().all(|id| signed.contains(id));
    if ours && newest.item.tx_ids.iter().all(|id| reissue.dead.contains(id)) {
        return Ok(());
    }
    let ids: Vec<_> = newest.item.tx_ids.iter().map(hex::encode).collect();
    misfit(shown_ids(reissue), format!("transactions signed for this item, {} among them", ids.join(", ")))
}

fn another_nonce(
    facts: &Facts<'_>,
    place: usize,
    item: &Item,
    signings: &[Signing<'_>],
) -> Result<(), Misfit> {
    let source = facts.content.source_of(place).map(|wallet| wallet.address);
    let used = |signing: &Signing<'_>| {
        signing.item.account_nonce == item.account_nonce && Some(signing.item.source) == source
    };
    if signings.iter().any(used) {
        let found = format!("account nonce {} again", item.account_nonce.unwrap_or(0));
        return misfit(found, "another account nonce, because that one is used up");
    }
    Ok(())
}

fn cancelled(facts: &Facts<'_>, reissue: &Reissue, newest: &Signing<'_>) -> Result<(), Misfit> {
    let nonce = newest.item.account_nonce;
    let at_nonce = nonce.and_then(|nonce| facts.past.at_nonce(&newest.item.source, nonce));
    if !reissue.dead.is_empty() || at_nonce.is_some_and(|known| known.cancel.is_some()) {
        return Ok(());
    }
    let found = format!("cancelled, but no cancel was signed at account nonce {}", nonce.unwrap_or(0));
    misfit(found, "a cancel signed here, or the dead transaction")
}

fn shown_ids(reissue: &Reissue) -> String {
    let ids: Vec<_> = reissue.dead.iter().map(hex::encode).collect();
    format!("{} of {}", reissue.reason, if ids.is_empty() { "none".to_owned() } else { ids.join(", ") })
}

/// Enough people on independent devices for what rests on claims.
pub(super) fn reissue_approvals(facts: &Facts<'_>) -> Result<(), Refusal> {
    if !facts.content.items.iter().any(Item::is_reissued_on_a_claim) {
        return Ok(());
    }
    let people = approvals::independent_people(facts);
    approvals::enough(Rule::ReissueApprovals, &people, facts.policy.approvals.reissue_independent)
}

/// Per item and per rolling day.
pub(super) fn reissue_limit(facts: &Facts<'_>) -> Result<(), Refusal> {
    let items = facts.content.items.iter().enumerate();
    let claimed: Vec<_> = items.filter(|(_, item)| item.is_reissued_on_a_claim()).collect();
    if claimed.is_empty() {
        return Ok(());
    }
    let asset = asset_of(facts, Rule::ReissueLimit)?;
    if let Some((place, item)) = claimed.iter().find(|(_, item)| item.amount > asset.reissue_per_item_max) {
        let found = format!("{} again", shown(asset, item.amount));
        let allowed = at_most(asset, asset.reissue_per_item_max);
        return Err(Refusal::of(Rule::ReissueLimit, found, allowed).at(*place));
    }
    let content = facts.content;
    let since = facts.now.saturating_sub(DAY_SECONDS);
    let before = facts.past.reissued_since(content.network, content.asset.contract, since);
    let day = BaseUnits::checked_sum(claimed.iter().map(|(_, item)| item.amount).chain([before]));
    match day {
        Some(day) if day <= asset.reissue_per_day_max => Ok(()),
        day => {
            let found = format!("{} again in 24 hours", shown(asset, day.unwrap_or(BaseUnits::MAX)));
            Err(Refusal::of(Rule::ReissueLimit, found, at_most(asset, asset.reissue_per_day_max)))
        }
    }
}
