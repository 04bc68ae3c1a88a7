//! Strangers get little until they have been known for a while.
//!
//! A destination of a withdrawal that is neither listed nor our own is first seen for the policy's delay, counted
//! by journal time from the first intent that paid it or from the first refusal by this rule. The rule is asked
//! last, so such a refusal stood on a custodian's screen with everything else about the batch in order. A large
//! first payment thus starts its delay by being refused once, and is asked for again in a new batch.

use super::limits::{asset_of, at_most, shown};
use super::{Facts, Refusal, Rule};
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::batch::{Item, Kind};
use crate::journal::FirstSeen;
use std::collections::HashMap;

pub(super) fn first_seen(facts: &Facts<'_>) -> Result<(), Refusal> {
    let network = facts.network()?;
    let mut got: HashMap<Address, BaseUnits> = HashMap::new();
    for (place, item) in strangers(facts) {
        let seen = facts.past.first_seen(&item.destination);
        let age = seen.map_or(0, |seen| facts.now.saturating_sub(seen));
        if age >= network.first_seen_delay_seconds {
            continue;
        }
        let asset = asset_of(facts, Rule::FirstSeen)?;
        let paid = || facts.past.paid(asset.asset.contract, &item.destination);
        let got = got.entry(item.destination).or_insert_with(paid);
        // A sum that 256 bits do not hold is above every limit, its own included.
        let sum = got.checked_add(item.amount);
        *got = sum.unwrap_or(BaseUnits::MAX);
        if sum.is_none() || *got > asset.first_seen_max {
            let (destination, delay) = (item.destination, network.first_seen_delay_seconds);
            let found = format!("{} to {destination}, first seen {age} seconds ago", shown(asset, *got));
            let allowed = format!("{} in the first {delay} seconds", at_most(asset, asset.first_seen_max));
            return Err(Refusal::of(Rule::FirstSeen, found, allowed).at(place));
        }
    }
    Ok(())
}

/// The destinations whose delay begins when this batch is refused for being first seen.
pub fn first_seen_of(facts: &Facts<'_>) -> FirstSeen {
    let unknown = |address: &Address| facts.past.first_seen(address).is_none();
    let destinations = strangers(facts).map(|(_, item)| item.destination).filter(unknown).collect();
    FirstSeen::new(facts.content.network, destinations)
}

/// The items that the rule looks at, with their places.
fn strangers<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (usize, &'a Item)> {
    let asked = facts.past.is_known() && facts.content.kind == Kind::Withdrawal;
    let content = facts.content;
    let listed = facts.network().map_or(&[][..], |network| network.listed(content.kind));
    let items = content.items.iter().enumerate().filter(move |_| asked);
    items.filter(|(_, item)| item.own.is_none() && !item.is_stuck() && !listed.contains(&item.destination))
}
