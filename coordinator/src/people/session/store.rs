//! SQL of sessions and spent refresh tokens.

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::people::{Role, Roles, Subject};

/// A session as it is kept.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Whose.
    pub subject: Subject,
    /// `pending`, `limited`, `open`, `ended`.
    pub state: String,
    /// When it began.
    pub made_at: UnixMillis,
    /// When it was last renewed.
    pub used_at: UnixMillis,
    /// When it ends by itself.
    pub expires_at: UnixMillis,
    /// When a second factor was last given.
    pub stepped_up_at: Option<UnixMillis>,
    /// Wrong codes while pending.
    pub failures: i64,
    /// Where from.
    pub address: String,
    /// With what.
    pub agent: String,
}

/// Whose a living session is, and what they may do.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose.
    pub subject: Subject,
    /// `limited` or `open`.
    pub state: String,
    /// When a second factor was last given.
    pub stepped_up_at: Option<UnixMillis>,
    /// The tenant's partner row.
    pub partner: String,
    /// A person's roles.
    pub roles: Roles,
}

/// Kind, owner, state, when stepped up, partner; one row a role.
type Standing = (String, String, String, Option<i64>, String, Option<String>);

/// The session, if it lives and its owner and their partner are active. One statement: it runs at every request.
pub async fn standing_of(db: &mut Db, id: &str, now: UnixMillis) -> Result<Option<Found>, sqlx::Error> {
    let rows: Vec<Standing> = sqlx::query_as(
        "select s.kind, s.owner, s.state, s.stepped_up_at, t.id, r.role from sessions s \
         left join users u on s.kind = 'user' and u.id = s.owner \
         left join people h on s.kind = 'person' and h.id = s.owner \
         join partners t on t.id = coalesce(u.partner_id, h.partner_id) \
         left join person_roles r on s.kind = 'person' and r.person_id = s.owner \
         where s.id = $1 and s.state in ('limited', 'open') and s.expires_at > $2 \
         and t.active = 1 and coalesce(u.active, h.active) = 1",
    )
    .bind(id)
    .bind(now)
    .fetch_all(db)
    .await?;
    let roles = rows.iter().filter_map(|row| Role::from_name(row.5.as_deref()?)).collect();
    Ok(rows.into_iter().next().and_then(|(kind, owner, state, stepped_up_at, partner, _)| {
        Some(Found { subject: Subject::of(&kind, owner)?, state, stepped_up_at, partner, roles })
    }))
}

/// Adds a session.
pub async fn insert(db: &mut Db, row: &Row, secret_digest: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sessions (id, kind, owner, state, secret_digest, made_at, used_at, expires_at, stepped_up_at, \
         failures, address, agent) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&row.id)
    .bind(row.subject.kind())
    .bind(row.subject.id())
    .bind(&row.state)
    .bind(secret_digest)
    .bind(row.made_at)
    .bind(row.used_at)
    .bind(row.expires_at)
    .bind(row.stepped_up_at)
    .bind(row.failures)
    .bind(&row.address)
    .bind(&row.agent)
    .execute(db)
    .await
    .map(|_| ())
}

type Columns = (String, String, String, String, i64, i64, i64, Option<i64>, i64, String, String);

fn row(columns: Columns) -> Option<Row> {
    let (id, kind, owner, state, made_at, used_at, expires_at, stepped_up_at, failures, address, agent) =
        columns;
    let subject = Subject::of(&kind, owner)?;
    Some(Row { id, subject, state, made_at, used_at, expires_at, stepped_up_at, failures, address, agent })
}

/// The session whose current challenge or refresh token has this digest.
pub async fn by_secret(db: &mut Db, secret_digest: &str) -> Result<Option<Row>, sqlx::Error> {
    let found: Option<Columns> = sqlx::query_as(
        "select id, kind, owner, state, made_at, used_at, expires_at, stepped_up_at, failures, address, agent \
         from sessions where secret_digest = $1",
    )
    .bind(secret_digest)
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(row))
}

/// A session by its id, living or not.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Row>, sqlx::Error> {
    let found: Option<Columns> = sqlx::query_as(
        "select id, kind, owner, state, made_at, used_at, expires_at, stepped_up_at, failures, address, agent \
         from sessions where id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(row))
}

/// The living sessions of somebody, the newest first.
pub async fn of_subject(db: &mut Db, subject: &Subject, now: UnixMillis) -> Result<Vec<Row>, sqlx::Error> {
    let found: Vec<Columns> = sqlx::query_as(
        "select id, kind, owner, state, made_at, used_at, expires_at, stepped_up_at, failures, address, agent \
         from sessions where kind = $1 and owner = $2 and state in ('limited', 'open') and expires_at > $3 \
         order by made_at desc, id limit 500",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .bind(now)
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().filter_map(row).collect())
}

/// The session that a spent refresh token belonged to.
pub async fn session_of_spent(db: &mut Db, digest: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select session_id from spent_refresh_tokens where digest = $1")
        .bind(digest)
        .fetch_optional(db)
        .await
}

/// Remembers a spent refresh token.
pub async fn insert_spent(
    db: &mut Db,
    digest: &str,
    session: &str,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into spent_refresh_tokens (digest, session_id, spent_at) values ($1, $2, $3)")
        .bind(digest)
        .bind(session)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Gives a living session its next refresh token.
pub async fn renew(
    db: &mut Db,
    id: &str,
    secret_digest: &str,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sessions set secret_digest = $2, used_at = $3, expires_at = $4 \
         where id = $1 and state in ('limited', 'open')",
    )
    .bind(id)
    .bind(secret_digest)
    .bind(now)
    .bind(expires_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// False if the session is neither pending nor limited, or its time has passed.
pub async fn complete(
    db: &mut Db,
    id: &str,
    secret_digest: &str,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update sessions set state = 'open', secret_digest = $2, used_at = $3, stepped_up_at = $3, expires_at = $4 \
         where id = $1 and state in ('pending', 'limited') and expires_at > $3",
    )
    .bind(id)
    .bind(secret_digest)
    .bind(now)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A second factor was given again.
pub async fn set_stepped_up(db: &mut Db, id: &str, now: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query("update sessions set stepped_up_at = $2 where id = $1 and state = 'open'")
        .bind(id)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// One wrong code more in a session.
pub async fn count_failure(db: &mut Db, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update sessions set failures = failures + 1 where id = $1")
        .bind(id)
        .execute(db)
        .await
        .map(|_| ())
}

/// Ends a session that has not ended.
pub async fn end(db: &mut Db, id: &str, now: UnixMillis, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sessions set state = 'ended', ended_at = $2, ended_why = $3 where id = $1 and state <> 'ended'",
    )
    .bind(id)
    .bind(now)
    .bind(why)
    .execute(db)
    .await
    .map(|_| ())
}

/// Ends all of somebody's sessions but `except`; answers how many.
pub async fn end_all(
    db: &mut Db,
    subject: &Subject,
    except: &str,
    now: UnixMillis,
    why: &str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update sessions set state = 'ended', ended_at = $4, ended_why = $5 \
         where kind = $1 and owner = $2 and id <> $3 and state <> 'ended'",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .bind(except)
    .bind(now)
    .bind(why)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
