//! SQL of partners and end users, as lists and single rows.
//!
//! Functions take the open connection; those that write run inside the writer's commit and say whether they changed a row.

use super::{PartnerRow, UserRow, UsersAsked};
use crate::clock::UnixMillis;
use crate::db::Db;

type PartnerColumns = (String, String, i64, i64);
type UserColumns = (String, String, Option<String>, i64, i64);

fn partner_row((id, name, active, made_at): PartnerColumns) -> PartnerRow {
    PartnerRow { id, name, active: active == 1, made_at }
}

fn user_row((id, partner, external_id, active, made_at): UserColumns) -> UserRow {
    UserRow { id, partner, external_id, active: active == 1, made_at }
}

/// One partner.
pub async fn partner(db: &mut Db, id: &str) -> Result<Option<PartnerRow>, sqlx::Error> {
    let row: Option<PartnerColumns> =
        sqlx::query_as("select id, name, active, made_at from partners where id = $1")
            .bind(id)
            .fetch_optional(db)
            .await?;
    Ok(row.map(partner_row))
}

/// Partners before a place, newest first; `only` narrows them to one, empty does not.
pub async fn partners(
    db: &mut Db,
    only: &str,
    before: (UnixMillis, &str),
    limit: i64,
) -> Result<Vec<PartnerRow>, sqlx::Error> {
    let rows: Vec<PartnerColumns> = sqlx::query_as(
        "select id, name, active, made_at from partners where ($1 = '' or id = $1) \
         and (made_at < $2 or (made_at = $2 and id < $3)) order by made_at desc, id desc limit $4",
    )
    .bind(only)
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(partner_row).collect())
}

/// Another name; the caller has seen that it is free.
pub async fn rename_partner(db: &mut Db, id: &str, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update partners set name = $2 where id = $1")
        .bind(id)
        .bind(name)
        .execute(db)
        .await
        .map(|_| ())
}

/// Opens or closes a partner.
pub async fn set_partner_active(db: &mut Db, id: &str, active: bool) -> Result<(), sqlx::Error> {
    sqlx::query("update partners set active = $2 where id = $1")
        .bind(id)
        .bind(i64::from(active))
        .execute(db)
        .await
        .map(|_| ())
}

/// One user.
pub async fn user(db: &mut Db, id: &str) -> Result<Option<UserRow>, sqlx::Error> {
    let row: Option<UserColumns> =
        sqlx::query_as("select id, partner_id, external_id, active, made_at from users where id = $1")
            .bind(id)
            .fetch_optional(db)
            .await?;
    Ok(row.map(user_row))
}

/// The user that a partner calls so.
pub async fn user_called(
    db: &mut Db,
    partner: &str,
    external_id: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    let row: Option<UserColumns> = sqlx::query_as(
        "select id, partner_id, external_id, active, made_at from users \
         where partner_id = $1 and external_id = $2",
    )
    .bind(partner)
    .bind(external_id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(user_row))
}

/// Users before a place, newest first.
pub async fn users(
    db: &mut Db,
    asked: &UsersAsked,
    before: (UnixMillis, &str),
    limit: i64,
) -> Result<Vec<UserRow>, sqlx::Error> {
    let rows: Vec<UserColumns> = sqlx::query_as(
        "select id, partner_id, external_id, active, made_at from users where ($1 = '' or partner_id = $1) \
         and ($2 = '' or external_id = $2) and ($3 < 0 or active = $3) \
         and (made_at < $4 or (made_at = $4 and id < $5)) order by made_at desc, id desc limit $6",
    )
    .bind(asked.partner.as_deref().unwrap_or_default())
    .bind(asked.external_id.as_deref().unwrap_or_default())
    .bind(asked.active.map_or(-1, i64::from))
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(user_row).collect())
}

/// Opens or closes a user; false if it was so already.
pub async fn set_user_active(db: &mut Db, id: &str, active: bool) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("update users set active = $2 where id = $1 and active <> $2")
        .bind(id)
        .bind(i64::from(active))
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
