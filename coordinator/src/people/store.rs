//! SQL of partners, users, operators and credentials.
//!
//! Inserts say whether they inserted, so that a repeat is an answer and not a failed statement (PostgreSQL
//! gives up a transaction after one).

use super::{Caller, HOUSE, Role, Scope, Tenant};
use crate::clock::UnixMillis;
use crate::db::Db;

/// Whose token has this digest, if they and their partner are active.
pub async fn caller_of(db: &mut Db, token_digest: &str) -> Result<Option<Caller>, sqlx::Error> {
    let row: Option<(String, String, Option<String>)> = sqlx::query_as(
        "select c.role, c.owner, u.partner_id from credentials c \
         left join operators o on c.role = 'operator' and o.id = c.owner \
         left join users u on c.role = 'user' and u.id = c.owner \
         left join partners p on p.id = case when c.role = 'user' then u.partner_id else c.owner end \
         where c.token_digest = $1 and c.active = 1 \
         and ((c.role = 'operator' and o.active = 1) or (c.role = 'partner' and p.active = 1) \
              or (c.role = 'user' and u.active = 1 and p.active = 1))",
    )
    .bind(token_digest)
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|(role, id, partner)| match (role.as_str(), partner) {
        ("operator", _) => {
            let roles = Role::ALL.into_iter().collect();
            Some(Caller::Person { id, tenant: Tenant::of(HOUSE), roles, stepped_up: true })
        }
        ("partner", _) => {
            let scopes = Scope::ALL.into_iter().collect();
            Some(Caller::Key { id: id.clone(), partner: id, scopes })
        }
        ("user", Some(partner)) => Some(Caller::User { id, partner, stepped_up: true }),
        _ => None,
    }))
}

/// The partner of a user, if the user exists.
pub async fn partner_of(db: &mut Db, user: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select partner_id from users where id = $1").bind(user).fetch_optional(db).await
}

/// A partner's id by its id or name.
pub async fn partner_named(db: &mut Db, name: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select id from partners where id = $1 or name = $1")
        .bind(name)
        .fetch_optional(db)
        .await
}

/// False if the operator exists.
pub async fn insert_operator(db: &mut Db, id: &str, now: UnixMillis) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into operators (id, active, made_at) values ($1, 1, $2) on conflict (id) do nothing",
    )
    .bind(id)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False if the name is taken.
pub async fn insert_partner(db: &mut Db, id: &str, name: &str, now: UnixMillis) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into partners (id, name, active, made_at) values ($1, $2, 1, $3) on conflict (name) do nothing",
    )
    .bind(id)
    .bind(name)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False if the partner has a user of that external id.
pub async fn insert_user(
    db: &mut Db,
    id: &str,
    partner: &str,
    external_id: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into users (id, partner_id, external_id, active, made_at) values ($1, $2, $3, 1, $4) \
         on conflict (partner_id, external_id) do nothing",
    )
    .bind(id)
    .bind(partner)
    .bind(external_id)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a token's digest.
pub async fn insert_credential(
    db: &mut Db,
    token_digest: &str,
    role: &str,
    owner: &str,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into credentials (token_digest, role, owner, active, made_at) values ($1, $2, $3, 1, $4)",
    )
    .bind(token_digest)
    .bind(role)
    .bind(owner)
    .bind(now)
    .execute(db)
    .await
    .map(|_| ())
}
