//! Who agreed: M of N distinct people, never the creator, and how many on a device that decodes the batch.
//!
//! A passkey used on a page that the coordinator serves proves presence, not understanding, when the coordinator
//! is the attacker; that is why independent devices are counted separately. This version verifies devices only.

use super::{Facts, Refusal, Rule};
use crate::id::PersonId;
use std::collections::BTreeSet;

pub(super) fn approvals(facts: &Facts<'_>) -> Result<(), Refusal> {
    enough(Rule::Approvals, independent_people(facts), facts.policy.approvals.required)
}

pub(super) fn independent(facts: &Facts<'_>) -> Result<(), Refusal> {
    enough(Rule::IndependentApprovals, independent_people(facts), facts.policy.approvals.independent)
}

fn enough(rule: Rule, people: BTreeSet<&PersonId>, needed: u64) -> Result<(), Refusal> {
    if people.len() as u64 >= needed {
        return Ok(());
    }
    let names: Vec<_> = people.iter().map(|person| person.as_str()).collect();
    let found = format!("{} valid approvals ({})", names.len(), names.join(", "));
    Err(Refusal::of(rule, found, format!("at least {needed}")))
}

/// People whose listed device signed this content. One person counts once, the creator never, and one
/// device never stands for two people.
fn independent_people<'a>(facts: &Facts<'a>) -> BTreeSet<&'a PersonId> {
    let mut devices = BTreeSet::new();
    facts
        .policy
        .approvers
        .iter()
        .filter(|approver| approver.person != facts.content.creator)
        .filter(|approver| {
            facts.approvals.iter().any(|approval| {
                approval.person == approver.person && approval.is_by_device(&facts.digest, &approver.device)
            })
        })
        .filter(|approver| devices.insert(approver.device))
        .map(|approver| &approver.person)
        .collect()
}
