//! Alerts: something that a person must look at, raised in the same commit as what caused it.
//!
//! Capabilities call [`raise`] with what they saw; this module knows none of them. One alert of a kind and
//! subject is open at a time. What must stay true: no secret ever goes into an alert.

use crate::clock::UnixMillis;
use crate::db::{self, Db};
use crate::ledger::LedgerError;
use crate::people::HOUSE;

/// One alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Random id.
    pub id: String,
    /// Whose people see it beside the house's.
    pub partner: String,
    /// What kind, such as `signer.suspended`.
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// A sentence.
    pub what: String,
    /// `open` or `closed`.
    pub state: String,
    /// When it was raised, Unix milliseconds.
    pub made_at_ms: UnixMillis,
}

/// Raises an alert for the house, unless one of this kind about this subject is open.
pub async fn raise(
    db: &mut Db,
    kind: &'static str,
    subject: &str,
    what: &str,
    now: UnixMillis,
) -> Result<(), LedgerError> {
    raise_for(db, HOUSE, kind, subject, what, now).await
}

/// Raises an alert that a partner's people see too.
pub async fn raise_for(
    db: &mut Db,
    partner: &str,
    kind: &'static str,
    subject: &str,
    what: &str,
    now: UnixMillis,
) -> Result<(), LedgerError> {
    tracing::error!(kind, subject, what, "alert");
    let id =
        db::random_id().map_err(|error| LedgerError::Corrupt { what: format!("randomness: {error}") })?;
    sqlx::query(
        "insert into alerts (id, partner_id, kind, subject, what, state, made_at, changed_at) \
         values ($1, $6, $2, $3, $4, 'open', $5, $5) on conflict do nothing",
    )
    .bind(id)
    .bind(kind)
    .bind(subject)
    .bind(what)
    .bind(now)
    .bind(partner)
    .execute(db)
    .await?;
    Ok(())
}

/// A partner's open alerts (empty: everybody's), newest first, those behind `before`.
pub async fn open_of(
    db: &mut Db,
    partner: &str,
    before: Option<(UnixMillis, &str)>,
    limit: i64,
) -> Result<Vec<Alert>, LedgerError> {
    let (at, id) = before.unwrap_or((UnixMillis::MAX, ""));
    let rows: Vec<(String, String, String, String, String, String, i64)> = sqlx::query_as(
        "select id, partner_id, kind, subject, what, state, made_at from alerts where state = 'open' \
         and ($1 = '' or partner_id = $1) and (made_at < $2 or (made_at = $2 and id < $3)) \
         order by made_at desc, id desc limit $4",
    )
    .bind(partner)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let alert = |(id, partner, kind, subject, what, state, made_at_ms)| Alert {
        id,
        partner,
        kind,
        subject,
        what,
        state,
        made_at_ms,
    };
    Ok(rows.into_iter().map(alert).collect())
}

/// Is an alert of this kind about this subject open?
pub async fn is_open(db: &mut Db, kind: &str, subject: &str) -> Result<bool, LedgerError> {
    let found: Option<i64> =
        sqlx::query_scalar("select made_at from alerts where kind = $1 and subject = $2 and state = 'open'")
            .bind(kind)
            .bind(subject)
            .fetch_optional(db)
            .await?;
    Ok(found.is_some())
}

/// Is any alert of this kind open?
pub async fn any_open(db: &mut Db, kind: &str) -> Result<bool, LedgerError> {
    let found: Option<String> =
        sqlx::query_scalar("select id from alerts where kind = $1 and state = 'open' limit 1")
            .bind(kind)
            .fetch_optional(db)
            .await?;
    Ok(found.is_some())
}

/// How many alerts of each kind are open.
pub async fn open_by_kind(db: &mut Db) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("select kind, count(*) from alerts where state = 'open' group by kind order by kind")
        .fetch_all(db)
        .await
}

/// Closes an alert; false if it is not open.
pub async fn close(db: &mut Db, id: &str, now: UnixMillis) -> Result<bool, LedgerError> {
    close_of(db, "", id, now).await
}

/// Closes an alert of a partner (empty: anybody's); false if it is not open.
pub async fn close_of(db: &mut Db, partner: &str, id: &str, now: UnixMillis) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "update alerts set state = 'closed', changed_at = $2 where id = $1 and state = 'open' \
         and ($3 = '' or partner_id = $3)",
    )
    .bind(id)
    .bind(now)
    .bind(partner)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
