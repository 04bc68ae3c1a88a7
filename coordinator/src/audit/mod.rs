//! Who did what: one row per action, in the same commit as the action, never changed.
//!
//! Capabilities call [`record`] with what they know; this module knows none of them. What must stay true: no
//! secret and no credential ever goes into `detail`.

use crate::clock::UnixMillis;
use crate::db::{self, Db};
use crate::ledger::LedgerError;

/// One action.
#[derive(Clone, Debug)]
pub struct Action<'a> {
    /// `person:alice`, `system` …
    pub who: &'a str,
    /// `withdrawal.approve` …
    pub action: &'static str,
    /// The id of what it was done to.
    pub subject: &'a str,
    /// Id of the request that asked for it, or empty.
    pub request_id: &'a str,
    /// A few words or a small JSON text.
    pub detail: &'a str,
}

/// Writes the row.
pub async fn record(db: &mut Db, action: &Action<'_>, now: UnixMillis) -> Result<(), LedgerError> {
    let id =
        db::random_id().map_err(|error| LedgerError::Corrupt { what: format!("randomness: {error}") })?;
    sqlx::query(
        "insert into audit_rows (id, made_at, who, action, subject, request_id, detail) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(now)
    .bind(action.who)
    .bind(action.action)
    .bind(action.subject)
    .bind(action.request_id)
    .bind(action.detail)
    .execute(db)
    .await?;
    Ok(())
}
