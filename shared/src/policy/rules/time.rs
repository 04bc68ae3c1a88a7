//! When: a batch lives as long as the policy allows, has not expired, and is not from the future.

use super::{Facts, Refusal, Rule};

pub(super) fn lifetime(facts: &Facts<'_>) -> Result<(), Refusal> {
    let found = facts.content.expires_at - facts.content.created_at.min(facts.content.expires_at);
    let allowed = facts.policy.bounds.lifetime_max_seconds;
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::of(Rule::Lifetime, format!("{found} seconds"), format!("at most {allowed} seconds")))
}

pub(super) fn expired(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.now < facts.content.expires_at {
        return Ok(());
    }
    let found = format!("expired at {}, now {}", facts.content.expires_at, facts.now);
    Err(Refusal::of(Rule::Expired, found, "batches that have not expired"))
}

pub(super) fn clock(facts: &Facts<'_>) -> Result<(), Refusal> {
    let ahead = facts.content.created_at.saturating_sub(facts.now);
    let allowed = facts.policy.bounds.clock_ahead_max_seconds;
    if ahead <= allowed {
        return Ok(());
    }
    let found = format!("made {ahead} seconds in the future");
    Err(Refusal::of(Rule::Clock, found, format!("at most {allowed} seconds; check this clock")))
}
