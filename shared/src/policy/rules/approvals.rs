//! Who agreed: M of N distinct people, never the creator, and how many on a device that decodes the batch.
//!
//! A passkey used on a page that the coordinator serves proves presence, not understanding, when the coordinator
//! is the attacker; that is why independent devices are counted separately, and why passkeys alone suffice only up
//! to a limit. The limit is on the rolling day, this batch included: were it on the batch, such a coordinator would
//! cut what it wants into batches below it. What stands behind one approval is judged in `approval::proven`.

use super::limits::{asset_of, spent_in_a_day};
use super::{Facts, Refusal, Rule};
use crate::amount::BaseUnits;
use crate::approval::proven::{Counted, Proven, counted};
use crate::id::PersonId;

pub(super) fn approvals(facts: &Facts<'_>) -> Result<(), Refusal> {
    let people: Vec<_> = counted_of(facts).into_iter().map(|one| one.person).collect();
    enough(Rule::Approvals, &people, facts.policy.approvals.required)
}

pub(super) fn independent(facts: &Facts<'_>) -> Result<(), Refusal> {
    if passkeys_alone_suffice(facts)? {
        return Ok(());
    }
    enough(Rule::IndependentApprovals, &independent_people(facts), facts.policy.approvals.independent)
}

/// Is all that was signed of the asset in the last 24 hours, this batch included, within what passkeys alone may
/// approve?
fn passkeys_alone_suffice(facts: &Facts<'_>) -> Result<bool, Refusal> {
    let rule = Rule::IndependentApprovals;
    let max = asset_of(facts, rule)?.passkeys_alone_max;
    let total = facts.content.totals().map_err(|error| Refusal::of(rule, error, "256 bits"))?.amount;
    // A stuck item does not count in the day again, and a batch of cancels moves nothing: zero means never.
    let within = |sum| sum <= max;
    Ok(max > BaseUnits::ZERO && within(total) && spent_in_a_day(facts).is_some_and(within))
}

/// People who approved on their independent device, for the rules that ask how many of them there are.
pub(super) fn independent_people<'a>(facts: &Facts<'a>) -> Vec<&'a PersonId> {
    let by_device = |one: &Counted<'a>| matches!(one.proven, Proven::ByDevice(_));
    counted_of(facts).into_iter().filter(by_device).map(|one| one.person).collect()
}

fn counted_of<'a>(facts: &Facts<'a>) -> Vec<Counted<'a>> {
    counted(facts.policy, facts.content, &facts.digest, facts.approvals)
}

pub(super) fn enough(rule: Rule, people: &[&PersonId], needed: u64) -> Result<(), Refusal> {
    if people.len() as u64 >= needed {
        return Ok(());
    }
    let names: Vec<_> = people.iter().map(|person| person.as_str()).collect();
    let found = format!("{} valid approvals ({})", names.len(), names.join(", "));
    Err(Refusal::of(rule, found, format!("at least {needed}")))
}
