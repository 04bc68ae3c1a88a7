//! End users of partners, made and closed through the API.
//!
//! A partner's system calls them by its own names and may ask for the same one again: it gets the same user. What must stay
//! true: an external id is unique inside its partner; from the commit on, a closed user does not get in and no money moves for it.

pub mod http;

use super::PartnerError;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db;
use crate::people::tenants::{UserRow, store};
use crate::people::{self, Reach, create};
use serde_json::{Value, json};

/// Was the user made now?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// Now.
    Now,
    /// It was there.
    Before,
}

/// The user that `partner` (an id) calls `external_id`; makes it if there is none.
pub async fn make(
    app: &App,
    partner: &str,
    external_id: &str,
    by: &By,
) -> Result<(Made, UserRow), PartnerError> {
    let external_id = create::plain("user", external_id).map_err(PartnerError::Name)?;
    let (id, partner, by) = (db::random_id()?, partner.to_owned(), by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let known = store::partner(unit.db(), &partner).await?;
                let known = known.ok_or(PartnerError::NotFound { what: "partner" })?;
                if let Some(user) = store::user_called(unit.db(), &partner, &external_id).await? {
                    return Ok((Made::Before, user));
                }
                if !known.active {
                    return Err(PartnerError::Closed);
                }
                let now = unit.now();
                if !people::store::insert_user(unit.db(), &id, &partner, Some(&external_id), now).await? {
                    return Err(PartnerError::Exists { what: "user", name: external_id });
                }
                let after = json!({ "partner": partner, "external_id": external_id });
                audit::record(unit, &by, Action::UserCreate, &id, Value::Null, after).await?;
                let user =
                    UserRow { id, partner, external_id: Some(external_id), active: true, made_at: now };
                Ok((Made::Now, user))
            })
        })
        .await
}

/// Opens or closes a user within reach.
pub async fn set_active(
    app: &App,
    id: &str,
    active: bool,
    reach: &Reach,
    by: &By,
) -> Result<UserRow, PartnerError> {
    let (user, reach, by) = (id.to_owned(), reach.clone(), by.clone());
    let changed = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let found = store::user(unit.db(), &user).await?;
                let mut row = found
                    .filter(|row| reach.covers_partner(&row.partner))
                    .ok_or(PartnerError::NotFound { what: "user" })?;
                if store::set_user_active(unit.db(), &user, active).await? {
                    let action = if active { Action::UserActivate } else { Action::UserDeactivate };
                    let (before, after) = (json!({ "active": row.active }), json!({ "active": active }));
                    audit::record(unit, &by, action, &user, before, after).await?;
                    row.active = active;
                }
                Ok(row)
            })
        })
        .await;
    app.directory.forget(id);
    changed
}
