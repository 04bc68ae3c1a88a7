//! When: a batch lives as long as the policy allows, has not expired, is not from the future, and is signed in
//! the hours that the policy opens.

use super::{Facts, Refusal, Rule};
use crate::policy::weekday_and_minute;

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

/// A clock that was set far ahead would empty the rolling day and end every delay.
pub(super) fn clock_jump(facts: &Facts<'_>) -> Result<(), Refusal> {
    let Some(newest) = facts.past.time() else { return Ok(()) };
    let (ahead, allowed) = (facts.now.saturating_sub(newest), facts.policy.bounds.clock_jump_max_seconds);
    if ahead <= allowed {
        return Ok(());
    }
    let found = format!("{ahead} seconds after the journal's newest entry");
    Err(Refusal::of(Rule::ClockJump, found, format!("at most {allowed} seconds; check this clock")))
}

/// Signing hours, UTC. A theft at night waits until somebody is there to see it.
pub(super) fn time_window(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.policy.windows.iter().any(|window| window.holds(facts.now)) {
        return Ok(());
    }
    let (day, minute) = weekday_and_minute(facts.now);
    let found = format!("{} {:02}:{:02} UTC", DAYS[usize::from(day)], minute / 60, minute % 60);
    Err(Refusal::of(Rule::TimeWindow, found, "the signing hours of the policy"))
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
