//! The two questions that the directory asks the tables of users and partners. Only `people/directory.rs` calls this.

use crate::db::Db;

/// A user's partner, and 1 if both are active.
pub(super) async fn member(db: &mut Db, user: &str) -> Result<Option<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select u.partner_id, cast(u.active * p.active as bigint) from users u \
         join partners p on p.id = u.partner_id where u.id = $1",
    )
    .bind(user)
    .fetch_optional(db)
    .await
}

/// The user that a partner knows by this name.
pub(super) async fn by_external_id(
    db: &mut Db,
    partner: &str,
    external_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select id from users where partner_id = $1 and external_id = $2")
        .bind(partner)
        .bind(external_id)
        .fetch_optional(db)
        .await
}
