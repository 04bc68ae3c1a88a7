//! SQL of the audit log and its links.
//!
//! Rows are written in the writer's transaction, which lets nobody else write; so the next number is the highest plus
//! one and there is never a gap. What must stay true: rows and links are inserted and read, never anything else.

use super::Row;
use crate::clock::UnixMillis;
use crate::db::rows::{Cell, Kind, Rows};
use crate::db::{Db, Dialect};
use crate::ledger::LedgerError;

/// Writes one row under the next number.
pub(super) async fn insert(db: &mut Db, row: &Row, now: UnixMillis) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into audit_rows (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 from audit_rows",
    )
    .bind(now)
    .bind(&row.by.who)
    .bind(&row.by.tenant)
    .bind(&row.by.address)
    .bind(&row.by.request_id)
    .bind(row.action.name())
    .bind(&row.subject)
    .bind(&row.before)
    .bind(&row.after)
    .execute(db)
    .await?;
    Ok(())
}

const COLUMNS: &[(&str, Kind)] = &[
    ("number", Kind::Int),
    ("made_at", Kind::Int),
    ("who", Kind::Text),
    ("tenant", Kind::Text),
    ("address", Kind::Text),
    ("request_id", Kind::Text),
    ("action", Kind::Text),
    ("subject", Kind::Text),
    ("before", Kind::Text),
    ("after", Kind::Text),
];

/// Writes rows in their order under the next numbers, as a set: for orders, of which a group has many.
pub async fn write(
    db: &mut Db,
    dialect: Dialect,
    rows: &[&Row],
    now: UnixMillis,
) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    let last: i64 =
        sqlx::query_scalar("select coalesce(max(number), 0) from audit_rows").fetch_one(&mut *db).await?;
    let mut set = Rows::new(dialect, COLUMNS);
    for (number, row) in (last.saturating_add(1)..).zip(rows) {
        set.push(&[
            Cell::Int(number),
            Cell::Int(now),
            Cell::Text(&row.by.who),
            Cell::Text(&row.by.tenant),
            Cell::Text(&row.by.address),
            Cell::Text(&row.by.request_id),
            Cell::Text(row.action.name()),
            Cell::Text(&row.subject),
            Cell::Text(&row.before),
            Cell::Text(&row.after),
        ]);
    }
    let sql = "insert into audit_rows \
               (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
               select v.number, v.made_at, v.who, v.tenant, v.address, v.request_id, v.action, v.subject, v.before, v.after \
               from {rows}";
    let (wanted, written) = (set.len(), set.execute(db, sql).await?);
    if u64::try_from(wanted) == Ok(written) {
        return Ok(());
    }
    Err(LedgerError::Corrupt { what: format!("{written} of {wanted} audit rows were written") })
}
