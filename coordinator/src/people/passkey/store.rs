//! SQL of passkeys and their challenges.

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::people::Subject;

/// A passkey as it is kept.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// The credential's id, base64url.
    pub credential: String,
    /// SEC1, uncompressed, hex.
    pub public_key: String,
    /// The highest counter seen.
    pub counter: i64,
    /// What its owner calls it.
    pub label: String,
    /// When it was registered.
    pub made_at: UnixMillis,
    /// When it was last used.
    pub used_at: Option<UnixMillis>,
}

/// Remembers a challenge, and forgets those whose time has passed.
pub async fn insert_challenge(
    db: &mut Db,
    challenge: &str,
    session: &str,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from passkey_challenges where expires_at <= $1").bind(now).execute(&mut *db).await?;
    sqlx::query("insert into passkey_challenges (challenge, session_id, expires_at) values ($1, $2, $3)")
        .bind(challenge)
        .bind(session)
        .bind(expires_at)
        .execute(db)
        .await
        .map(|_| ())
}

/// Spends a challenge; false if it is not of this session, was spent, or its time has passed.
pub async fn spend_challenge(
    db: &mut Db,
    challenge: &str,
    session: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from passkey_challenges where challenge = $1 and session_id = $2 and expires_at > $3",
    )
    .bind(challenge)
    .bind(session)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False if the credential is registered already, whoever's it is.
pub async fn insert(
    db: &mut Db,
    subject: &Subject,
    digest: &str,
    passkey: &Passkey,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into passkeys (credential_digest, kind, owner, credential, public_key, counter, label, made_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (credential_digest) do nothing",
    )
    .bind(digest)
    .bind(subject.kind())
    .bind(subject.id())
    .bind(&passkey.credential)
    .bind(&passkey.public_key)
    .bind(passkey.counter)
    .bind(&passkey.label)
    .bind(passkey.made_at)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Somebody's passkeys, the oldest first.
pub async fn of(db: &mut Db, subject: &Subject) -> Result<Vec<Passkey>, sqlx::Error> {
    let rows: Vec<(String, String, i64, String, i64, Option<i64>)> = sqlx::query_as(
        "select credential, public_key, counter, label, made_at, used_at from passkeys \
         where kind = $1 and owner = $2 order by made_at, credential_digest",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .fetch_all(db)
    .await?;
    let passkey = |(credential, public_key, counter, label, made_at, used_at)| Passkey {
        credential,
        public_key,
        counter,
        label,
        made_at,
        used_at,
    };
    Ok(rows.into_iter().map(passkey).collect())
}

/// Takes one away; false if they have no such.
pub async fn remove(db: &mut Db, subject: &Subject, credential: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("delete from passkeys where kind = $1 and owner = $2 and credential = $3")
        .bind(subject.kind())
        .bind(subject.id())
        .bind(credential)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes all of somebody's passkeys away.
pub async fn remove_all(db: &mut Db, subject: &Subject) -> Result<(), sqlx::Error> {
    sqlx::query("delete from passkeys where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .execute(db)
        .await
        .map(|_| ())
}
