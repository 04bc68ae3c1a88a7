//! Partners, their end users and the wallets they watch (P5, P8).
//!
//! `users` are those for whom a partner opens addresses and asks for withdrawals, `wallets` what it watches; `http` the routes of partners themselves. Their rows
//! that log-in stands on are in `people/tenants`. What must stay true: a foreign object is a missing one; closing a partner ends its keys, its
//! people's and its users' sessions with the commit; the house is never closed.

pub mod http;
pub mod users;
pub mod wallets;

use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db;
use crate::ledger::LedgerError;
use crate::people::tenants::{PartnerRow, store};
use crate::people::{AccessError, HOUSE, create};
use serde_json::{Value, json};

/// Why a partner, user or wallet was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum PartnerError {
    /// No such thing, or a foreign one.
    #[error("no such {what}")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// The name is taken.
    #[error("{what} {name} exists already")]
    Exists {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The name cannot be used.
    #[error(transparent)]
    Name(AccessError),
    /// The house is no partner that could be changed here.
    #[error("the house cannot be renamed or closed")]
    House,
    /// Nothing may be added to a partner that is closed.
    #[error("the partner is closed")]
    Closed,
    /// A wallet's field cannot be used.
    #[error("{field}: {found:?}, expected {expected}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What was there.
        found: String,
        /// What would do.
        expected: String,
    },
    /// Too many of them.
    #[error("a partner has at most {} wallets", wallets::WALLETS_MAX)]
    TooMany,
    /// Nothing was written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for PartnerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<getrandom::Error> for PartnerError {
    fn from(error: getrandom::Error) -> Self {
        Self::Ledger(LedgerError::Corrupt { what: format!("randomness: {error}") })
    }
}

/// What may change of a partner.
#[derive(Clone, Default, Debug)]
pub struct Change {
    /// Another name.
    pub name: Option<String>,
    /// Open or closed.
    pub active: Option<bool>,
}

fn audited(row: &PartnerRow) -> Value {
    json!({ "name": row.name, "active": row.active })
}

/// Makes a partner with a name of its own.
pub async fn make(app: &App, name: &str, by: &By) -> Result<PartnerRow, PartnerError> {
    let name = create::plain("partner", name).map_err(PartnerError::Name)?;
    let (id, by) = (db::random_id()?, by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let known = crate::people::store::partner_named(unit.db(), &name).await?;
                if known.is_some()
                    || !crate::people::store::insert_partner(unit.db(), &id, &name, now).await?
                {
                    return Err(PartnerError::Exists { what: "partner", name });
                }
                let row = PartnerRow { id, name, active: true, made_at: now };
                audit::record(unit, &by, Action::PartnerCreate, &row.id, Value::Null, audited(&row)).await?;
                Ok(row)
            })
        })
        .await
}

/// Renames, closes or opens a partner. From the commit on, nobody of a closed one gets in.
pub async fn change(app: &App, id: &str, change: Change, by: &By) -> Result<PartnerRow, PartnerError> {
    if id == HOUSE {
        return Err(PartnerError::House);
    }
    let named = |name: String| create::plain("partner", &name).map_err(PartnerError::Name);
    let name = change.name.map(named).transpose()?;
    let (id, by) = (id.to_owned(), by.clone());
    let changed = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let missing = PartnerError::NotFound { what: "partner" };
                let before = store::partner(unit.db(), &id).await?.ok_or(missing)?;
                let mut after = before.clone();
                if let Some(name) = name.filter(|name| *name != before.name) {
                    if crate::people::store::partner_named(unit.db(), &name).await?.is_some() {
                        return Err(PartnerError::Exists { what: "partner", name });
                    }
                    store::rename_partner(unit.db(), &id, &name).await?;
                    after.name = name;
                }
                if let Some(active) = change.active.filter(|active| *active != before.active) {
                    store::set_partner_active(unit.db(), &id, active).await?;
                    after.active = active;
                }
                if after != before {
                    let (before, after) = (audited(&before), audited(&after));
                    audit::record(unit, &by, Action::PartnerChange, &id, before, after).await?;
                }
                Ok(after)
            })
        })
        .await;
    // Also after a failed commit: then nothing is lost but a look-up.
    app.keys.forget_all();
    app.directory.forget_all();
    changed
}
