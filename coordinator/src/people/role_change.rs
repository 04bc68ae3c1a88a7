//! Changing what a person may do: one proposes, another decides.
//!
//! ```text
//! proposed --another administrator--> approved (roles change, their sessions end) | rejected
//! ```
//! `http.rs` calls [`propose`] and [`decide`]; accepting an invitation proposes as well. What must stay true: neither the
//! proposer nor the person concerned decides; a proposer who is no active administrator any more does not count; roles
//! that changed meanwhile make a proposal void.

use super::login::record;
use super::store::{self, RoleChange};
use super::{AccessError, Reach, Role, Roles, Subject, invitation, role_words, session};
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db;
use crate::ledger::Unit;
use serde_json::json;

/// A proposal that nobody decided is void after a week.
const LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// What is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The roles change.
    Approve,
    /// They stay.
    Reject,
}

/// Proposes other roles for a person within reach; answers the proposal's id.
pub async fn propose(
    app: &App,
    by: By,
    reach: Reach,
    person: String,
    roles: Roles,
) -> Result<String, AccessError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let found = store::person(unit.db(), &person).await?;
                let found = found.filter(|found| reach.covers_partner(&found.partner));
                let found = found.ok_or(AccessError::NotFound { what: "person" })?;
                if found.roles == roles {
                    return Err(AccessError::Stale("these are the person's roles already"));
                }
                if !found.active {
                    return Err(AccessError::Stale("the person is deactivated"));
                }
                let id = insert_proposal(unit, &person, &found.roles, &roles, &by.who).await?;
                let words = json!({ "roles": role_words(&roles), "change": id });
                record(unit, &by, Action::RolesPropose, &person, words).await?;
                Ok(id)
            })
        })
        .await
}

/// Writes a proposal.
pub async fn insert_proposal(
    unit: &mut Unit,
    person: &str,
    before: &Roles,
    after: &Roles,
    proposed_by: &str,
) -> Result<String, AccessError> {
    let now = unit.now();
    let change = RoleChange {
        id: db::random_id()?,
        person: person.to_owned(),
        before: before.clone(),
        after: after.clone(),
        state: "proposed".to_owned(),
        proposed_by: proposed_by.to_owned(),
        proposed_at: now,
        expires_at: now + LIFE_MS,
        decided_by: None,
    };
    store::insert_role_change(unit.db(), &change).await?;
    Ok(change.id)
}

/// Decides on somebody else's proposal; an approval changes the roles and ends the person's sessions.
pub async fn decide(
    app: &App,
    by: By,
    reach: Reach,
    id: String,
    decision: Decision,
) -> Result<RoleChange, AccessError> {
    app.writer
        .commit(move |unit| Box::pin(async move { decide_in(unit, &by, &reach, &id, decision).await }))
        .await
}

async fn decide_in(
    unit: &mut Unit,
    by: &By,
    reach: &Reach,
    id: &str,
    decision: Decision,
) -> Result<RoleChange, AccessError> {
    const MISSING: AccessError = AccessError::NotFound { what: "role change" };
    let now = unit.now();
    let change = store::role_change(unit.db(), id).await?.ok_or(MISSING)?;
    let person = store::person(unit.db(), &change.person).await?.ok_or(MISSING)?;
    if !reach.covers_partner(&person.partner) {
        return Err(MISSING);
    }
    if change.state != "proposed" || change.expires_at <= now {
        return Err(AccessError::Stale("the proposal was decided or has expired"));
    }
    let (state, action) = match decision {
        Decision::Approve => ("approved", Action::RolesApprove),
        Decision::Reject => ("rejected", Action::RolesReject),
    };
    if change.proposed_by == by.who {
        return Err(AccessError::Own("another person than the proposer decides"));
    }
    if decision == Decision::Approve {
        if by.who == format!("person:{}", change.person) {
            return Err(AccessError::Own("nobody approves roles of their own"));
        }
        if person.roles != change.before {
            return Err(AccessError::Stale("the person's roles have changed since the proposal"));
        }
        if !proposer_counts(unit, &change, &person.partner).await? {
            return Err(AccessError::Stale("whoever proposed it may not propose any more"));
        }
        store::set_roles(unit.db(), &change.person, &change.after).await?;
        session::end_all(unit, &Subject::Person(change.person.clone()), None, "the roles changed").await?;
    }
    if !store::decide_role_change(unit.db(), id, state, &by.who, now).await? {
        return Err(AccessError::Stale("the proposal was decided or has expired"));
    }
    let (before, after) = (role_words(&change.before), role_words(&change.after));
    let after = json!({ "roles": after, "change": id, "proposed_by": change.proposed_by });
    audit::record(unit, by, action, &change.person, json!({ "roles": before }), after).await?;
    Ok(RoleChange { state: state.to_owned(), decided_by: Some(by.who.clone()), ..change })
}

/// Is the proposer still an active administrator of the house or of the person's tenant?
async fn proposer_counts(unit: &mut Unit, change: &RoleChange, partner: &str) -> Result<bool, AccessError> {
    let Some(id) = change.proposed_by.strip_prefix("person:") else { return Ok(false) };
    let proposer = store::person(unit.db(), id).await?;
    Ok(proposer.is_some_and(|proposer| {
        let tenant = proposer.partner == super::HOUSE || proposer.partner == partner;
        proposer.active && tenant && proposer.roles.contains(&Role::Administrator)
    }))
}

/// Closes a person's way in at once.
pub async fn deactivate(app: &App, by: By, reach: Reach, person: String) -> Result<(), AccessError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let found = store::person(unit.db(), &person).await?;
                let found = found.filter(|found| reach.covers_partner(&found.partner));
                let found = found.ok_or(AccessError::NotFound { what: "person" })?;
                if by.who == format!("person:{person}") {
                    return Err(AccessError::Own("nobody deactivates themselves"));
                }
                store::set_person_active(unit.db(), &person, false).await?;
                // An invitation anew that nobody has accepted yet would bring them back.
                let now = unit.now();
                invitation::store::expire_others(unit.db(), &found.partner, &person, now).await?;
                let subject = Subject::Person(person.clone());
                let ended = session::end_all(unit, &subject, None, "deactivated").await?;
                let before = json!({ "active": found.active, "roles": role_words(&found.roles) });
                let after = json!({ "active": false, "sessions_ended": ended });
                Ok(audit::record(unit, &by, Action::PersonDeactivate, &person, before, after).await?)
            })
        })
        .await
}
