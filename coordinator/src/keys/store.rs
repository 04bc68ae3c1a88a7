//! SQL of API keys. Only `keys` names the table.
//!
//! Functions take the open connection; those that write run inside the writer's commit. What must stay true: a key's end
//! only ever comes nearer, and its secret leaves this file sealed.

use super::ApiKey;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use crate::people::Scope;
use sqlx::Row as _;
use sqlx::any::AnyRow;

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select k.id, k.partner_id, k.label, k.scopes, k.networks, k.replaces, k.made_by, k.made_at, \
             k.expires_at, k.ends_at, k.last_used_at, k.sealed_secret from api_keys k ",
            $rest
        )
    };
}

/// A key as the ring needs it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The key.
    pub key: ApiKey,
    /// Its secret, sealed.
    pub sealed_secret: String,
}

/// How many of a partner's keys have not come to their end.
pub async fn in_force(db: &mut Db, partner: &str, now: UnixMillis) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from api_keys where partner_id = $1 and (ends_at is null or ends_at > $2) \
         and (expires_at is null or expires_at > $2)",
    )
    .bind(partner)
    .bind(now)
    .fetch_one(db)
    .await
}

/// Writes a new key.
pub async fn insert(db: &mut Db, key: &ApiKey, sealed_secret: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into api_keys (id, partner_id, label, sealed_secret, scopes, networks, replaces, made_by, made_at, \
         expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&key.id)
    .bind(&key.partner)
    .bind(&key.label)
    .bind(sealed_secret)
    .bind(joined(key.scopes.iter().map(|scope| scope.name())))
    .bind(joined(key.networks.iter()))
    .bind(&key.replaces)
    .bind(&key.made_by)
    .bind(key.made_at)
    .bind(key.expires_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// Sets a key's end; false if it has one that is past, was rotated, or is not there.
pub async fn end(
    db: &mut Db,
    id: &str,
    ends_at: UnixMillis,
    by: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    // A key in its overlap may be ended sooner; it is not rotated again.
    let done = sqlx::query(
        "update api_keys set ends_at = $2, ended_by = $3 where id = $1 \
         and (ends_at is null or (ends_at > $4 and ends_at > $2)) and (expires_at is null or expires_at > $4)",
    )
    .bind(id)
    .bind(ends_at)
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes when keys were used; a later moment stays.
pub async fn note_used(db: &mut Db, id: &str, at: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)",
    )
    .bind(id)
    .bind(at)
    .execute(db)
    .await
    .map(|_| ())
}

/// One key.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<ApiKey>, LedgerError> {
    Ok(stored(db, id).await?.map(|stored| stored.key))
}

/// One key with its sealed secret.
pub async fn stored(db: &mut Db, id: &str) -> Result<Option<Stored>, LedgerError> {
    let row = sqlx::query(columns!("where k.id = $1")).bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// A partner's keys (empty: everybody's) before a place, newest first.
pub async fn page(
    db: &mut Db,
    partner: &str,
    before: (UnixMillis, &str),
    limit: i64,
) -> Result<Vec<ApiKey>, LedgerError> {
    let rows = sqlx::query(columns!(
        "where ($1 = '' or k.partner_id = $1) and (k.made_at < $2 or (k.made_at = $2 and k.id < $3)) \
         order by k.made_at desc, k.id desc limit $4"
    ))
    .bind(partner)
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(|row| Ok(read(row)?.key)).collect()
}

fn joined<T: ToString>(parts: impl Iterator<Item = T>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(",")
}

fn read(row: &AnyRow) -> Result<Stored, LedgerError> {
    let id: String = row.try_get("id")?;
    let (scopes, networks): (String, String) = (row.try_get("scopes")?, row.try_get("networks")?);
    let corrupt = |what: &str| LedgerError::Corrupt { what: format!("{what} of API key {id}") };
    let scopes = scopes.split(',').map(Scope::from_name).collect::<Option<_>>();
    let networks =
        networks.split(',').filter(|one| !one.is_empty()).map(str::parse).collect::<Result<_, _>>();
    let key = ApiKey {
        scopes: scopes.ok_or_else(|| corrupt("scopes"))?,
        networks: networks.map_err(|_| corrupt("networks"))?,
        partner: row.try_get("partner_id")?,
        label: row.try_get("label")?,
        replaces: row.try_get("replaces")?,
        made_by: row.try_get("made_by")?,
        made_at: row.try_get("made_at")?,
        expires_at: row.try_get("expires_at")?,
        ends_at: row.try_get("ends_at")?,
        last_used_at: row.try_get("last_used_at")?,
        id,
    };
    Ok(Stored { key, sealed_secret: row.try_get("sealed_secret")? })
}
