//! Numbers that never were: item ids and account nonces come from sequences, and a hole in one says that
//! something is missing here, or that somebody counts who should not.
//!
//! A batch's own numbers are taken in ascending order, each as if it had been signed before the next. An item
//! that names a reason for a reissue is not new and not asked here. What came before is judged by the journal's
//! own checks (`memory::check_repeats`).

use super::{Facts, Refusal, Rule};
use crate::address::Address;
use crate::id::ItemId;
use std::collections::BTreeMap;

/// The newest epoch in which a journal may begin.
const FIRST_EPOCH_MAX: u16 = u16::MAX / 2;

/// A coordinator that was restored from a backup begins a new epoch; ids of an older one may still come, but
/// not from far below the highest that was signed of it.
pub(super) fn item_behind(facts: &Facts<'_>) -> Result<(), Refusal> {
    let allowed = facts.policy.bounds.item_behind_max;
    for (place, id) in new_items(facts) {
        let highest = match facts.past.highest_item_of(id.epoch()) {
            Some(highest) => highest,
            None if facts.past.newest_epoch().is_some_and(|newest| id.epoch() < newest) => u64::MAX,
            None => continue,
        };
        if highest.saturating_sub(id.number()) > allowed {
            let found = format!("{id:?} of epoch {}", id.epoch());
            let allowed = format!("at most {allowed} below the highest signed id of its epoch");
            return Err(Refusal::of(Rule::ItemBehind, found, allowed).at(place));
        }
    }
    Ok(())
}

/// The first id of all is taken as it comes, because a journal that begins knows of none; but not from the upper
/// half of the epochs, or one batch could use up every id that may ever follow.
pub(super) fn item_ahead(facts: &Facts<'_>) -> Result<(), Refusal> {
    let allowed = facts.policy.bounds.item_ahead_max;
    let newest = facts.past.newest_epoch();
    let mut last: BTreeMap<u16, Option<u64>> = BTreeMap::new();
    for (place, id) in new_items(facts) {
        let epoch = id.epoch();
        let begins = newest.is_some_and(|newest| newest.checked_add(1) == Some(epoch));
        let start = if begins { Some(u64::from(epoch) << 48) } else { None };
        let last = last.entry(epoch).or_insert_with(|| facts.past.highest_item_of(epoch).or(start));
        let skips = last.is_none() && newest.is_some_and(|newest| epoch > newest);
        let too_late = newest.is_none() && epoch > FIRST_EPOCH_MAX;
        if skips || too_late || last.is_some_and(|last| id.number().saturating_sub(last) > allowed) {
            let found = format!("{id:?} of epoch {epoch}");
            let allowed = format!("at most {allowed} above the id before it, in this epoch or the next");
            return Err(Refusal::of(Rule::ItemAhead, found, allowed).at(place));
        }
        *last = Some(last.map_or(id.number(), |last| last.max(id.number())));
    }
    Ok(())
}

/// A nonce far above the last leaves transactions that can never be mined until somebody fills the hole. The
/// first nonce of an account is taken as it comes.
pub(super) fn nonce_gap(facts: &Facts<'_>) -> Result<(), Refusal> {
    let allowed = facts.policy.bounds.nonce_ahead_max;
    let mut last: BTreeMap<Address, Option<u64>> = BTreeMap::new();
    for (place, account, nonce) in nonces(facts) {
        let last = last.entry(account).or_insert_with(|| facts.past.highest_nonce(&account));
        let left_out = last.map_or(0, |last| nonce.saturating_sub(last).saturating_sub(1));
        if left_out > allowed {
            let found = format!("account nonce {nonce}, which leaves out {left_out}");
            return Err(Refusal::of(Rule::NonceGap, found, format!("at most {allowed} left out")).at(place));
        }
        *last = Some(last.map_or(nonce, |last| last.max(nonce)));
    }
    Ok(())
}

/// The items that were never signed by their own word, with their places, in ascending order.
fn new_items(facts: &Facts<'_>) -> Vec<(usize, ItemId)> {
    if !facts.past.is_known() {
        return Vec::new();
    }
    let items = facts.content.items.iter().enumerate().filter(|(_, item)| item.reissue.is_none());
    let mut items: Vec<_> = items.map(|(place, item)| (place, item.id)).collect();
    items.sort_unstable_by_key(|(_, id)| *id);
    items
}

/// The account nonces with their places, in ascending order.
fn nonces(facts: &Facts<'_>) -> Vec<(usize, Address, u64)> {
    if !facts.past.is_known() {
        return Vec::new();
    }
    let nonce = |(place, item): (usize, &crate::batch::Item)| {
        Some((place, facts.content.source_of(place)?.address, item.account_nonce?))
    };
    let mut nonces: Vec<_> = facts.content.items.iter().enumerate().filter_map(nonce).collect();
    nonces.sort_unstable_by_key(|(_, account, nonce)| (*account, *nonce));
    nonces
}
