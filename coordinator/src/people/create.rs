//! Making partners, users and people from the command line and in tests; nothing here gives anybody a secret.
//!
//! Whoever has a shell on the host is the root of trust. People come in by an invitation (`invitation.rs`); [`person`] makes
//! one without, for tests that stand where a log-in has already happened.

use super::login::record;
use super::{AccessError, Roles, store};
use crate::audit::{Action, By};
use crate::db::{self, Database};
use crate::ledger::Writer;
use airlock_shared::PersonId;
use serde::Serialize;
use serde_json::json;

/// Answer to a creation: printed as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Created {
    /// The new id.
    pub id: String,
}

/// A name that can be shown: 1 to 64 characters, no control characters, no outer spaces.
pub fn plain(what: &'static str, text: &str) -> Result<String, AccessError> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits && text.trim() == text {
        return Ok(text.to_owned());
    }
    let expected = "1 to 64 characters, no control characters, no outer spaces";
    Err(AccessError::Name { what, found: text.chars().take(64).collect(), expected })
}

/// The id of a partner by its id or name.
pub async fn partner_id(db: &Database, named: &str) -> Result<String, AccessError> {
    let found = store::partner_named(&mut *db.reader().await?, named).await?;
    found.ok_or(AccessError::NotFound { what: "partner" })
}

/// Makes a partner with a name of its own.
pub async fn partner(writer: &Writer, name: &str) -> Result<Created, AccessError> {
    let (name, id) = (plain("partner", name)?, db::random_id()?);
    let row = id.clone();
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if store::partner_named(unit.db(), &name).await?.is_some()
                    || !store::insert_partner(unit.db(), &row, &name, now).await?
                {
                    return Err(AccessError::Exists { what: "partner", name });
                }
                record(unit, &By::command_line(), Action::PartnerCreate, &row, json!({ "name": name })).await
            })
        })
        .await?;
    Ok(Created { id })
}

/// Makes a user of `partner` (id or name), known to the partner as `external_id`.
pub async fn user(writer: &Writer, partner: &str, external_id: &str) -> Result<Created, AccessError> {
    let (external_id, id) = (plain("user", external_id)?, db::random_id()?);
    let (row, partner) = (id.clone(), partner.to_owned());
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let Some(partner) = store::partner_named(unit.db(), &partner).await? else {
                    return Err(AccessError::NotFound { what: "partner" });
                };
                if !store::insert_user(unit.db(), &row, &partner, Some(&external_id), now).await? {
                    return Err(AccessError::Exists { what: "user", name: external_id });
                }
                let after = json!({ "partner": partner, "external_id": external_id });
                record(unit, &By::command_line(), Action::UserCreate, &row, after).await
            })
        })
        .await?;
    Ok(Created { id })
}

/// Makes a person of `partner` (id or name) with these roles and no way to log in: for tests.
pub async fn person(
    writer: &Writer,
    partner: &str,
    name: &str,
    roles: &Roles,
) -> Result<Created, AccessError> {
    let id = PersonId::new(name).map(|id| id.to_string()).ok_or_else(|| AccessError::Name {
        what: "person",
        found: name.chars().take(64).collect(),
        expected: "1 to 64 of a-z 0-9 . _ @ -",
    })?;
    let (row, partner, roles) = (id.clone(), partner.to_owned(), roles.clone());
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let Some(partner) = store::partner_named(unit.db(), &partner).await? else {
                    return Err(AccessError::NotFound { what: "partner" });
                };
                if store::person(unit.db(), &row).await?.is_some() {
                    return Err(AccessError::Exists { what: "person", name: row });
                }
                store::insert_person(unit.db(), &row, &partner, now).await?;
                Ok(store::set_roles(unit.db(), &row, &roles).await?)
            })
        })
        .await?;
    Ok(Created { id })
}
