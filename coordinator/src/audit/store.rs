//! SQL of the audit log and its links.
//!
//! Rows are written in the writer's transaction, which lets nobody else write; so the next number is the highest plus
//! one and there is never a gap. What must stay true: rows and links are inserted and read, never anything else.

use super::Row;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use sqlx::AssertSqlSafe;

/// Rows written by one statement: two lengths, so that prepared statements are found again.
const LENGTHS: [usize; 2] = [64, 1];

/// Writes one row under the next number.
pub(super) async fn insert(db: &mut Db, row: &Row, now: UnixMillis) -> Result<(), LedgerError> {
    write(db, std::slice::from_ref(row), now).await
}

/// Writes rows in their order under the next numbers, as a set: for orders, of which a group has many.
pub async fn write(db: &mut Db, rows: &[Row], now: UnixMillis) -> Result<(), LedgerError> {
    let mut left = rows;
    while !left.is_empty() {
        let length = LENGTHS.into_iter().find(|length| *length <= left.len()).unwrap_or(1);
        let (now_written, rest) = left.split_at(length);
        insert_set(db, now_written, now).await?;
        left = rest;
    }
    Ok(())
}

async fn insert_set(db: &mut Db, rows: &[Row], now: UnixMillis) -> Result<(), LedgerError> {
    let last: i64 =
        sqlx::query_scalar("select coalesce(max(number), 0) from audit_rows").fetch_one(&mut *db).await?;
    let mut query = sqlx::query(AssertSqlSafe(insert_sql(rows.len())));
    for (number, row) in (last.saturating_add(1)..).zip(rows) {
        query = query
            .bind(number)
            .bind(now)
            .bind(&row.by.who)
            .bind(&row.by.tenant)
            .bind(&row.by.address)
            .bind(&row.by.request_id)
            .bind(row.action.name())
            .bind(&row.subject)
            .bind(&row.before)
            .bind(&row.after);
    }
    query.execute(db).await?;
    Ok(())
}

fn insert_sql(rows: usize) -> String {
    let row = |place: usize| {
        let first = place * 10;
        let parameters: Vec<String> = (1..=10).map(|column| format!("${}", first + column)).collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "insert into audit_rows (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
         values {}",
        rows.join(", ")
    )
}
