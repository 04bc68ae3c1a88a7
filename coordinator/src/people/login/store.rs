//! SQL of logins, recovery codes and counted attempts.

use super::Email;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::people::Subject;
use crate::people::password::{CHARACTERS_MIN_ALONE, CHARACTERS_MIN_WITH_FACTOR};

/// How somebody logs in.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub subject: Subject,
    /// Their e-mail as they wrote it.
    pub email: String,
    /// And as it is compared.
    pub email_folded: String,
    /// Argon2id in the PHC format; none until an invitation is accepted.
    pub password_hash: Option<String>,
    /// The second factor in force, sealed.
    pub totp_sealed: Option<String>,
    /// A second factor that was begun, sealed.
    pub totp_offered: Option<String>,
    /// Its last accepted step.
    pub totp_step: i64,
    /// Were they let in?
    pub accepted: bool,
    /// When password or second factor last changed.
    pub changed_at: UnixMillis,
    /// When it was made.
    pub made_at: UnixMillis,
}

impl Login {
    /// A login with a password and no second factor yet.
    pub fn new(subject: Subject, email: &Email, hash: String, accepted: bool, now: UnixMillis) -> Self {
        Self {
            subject,
            email: email.shown.clone(),
            email_folded: email.folded.clone(),
            password_hash: Some(hash),
            totp_sealed: None,
            totp_offered: None,
            totp_step: 0,
            accepted,
            changed_at: now,
            made_at: now,
        }
    }

    /// The shortest password that may be chosen: eight where a second factor is in force or needed, fifteen alone.
    pub fn least_characters(&self) -> usize {
        let with_factor = self.totp_sealed.is_some() || matches!(self.subject, Subject::Person(_));
        if with_factor { CHARACTERS_MIN_WITH_FACTOR } else { CHARACTERS_MIN_ALONE }
    }
}

type Columns =
    (String, String, String, String, Option<String>, Option<String>, Option<String>, i64, i64, i64, i64);

fn login(columns: Columns) -> Option<Login> {
    let (
        kind,
        owner,
        email,
        email_folded,
        password_hash,
        totp_sealed,
        totp_offered,
        totp_step,
        accepted,
        changed_at,
        made_at,
    ) = columns;
    let (subject, accepted) = (Subject::of(&kind, owner)?, accepted == 1);
    Some(Login {
        subject,
        email,
        email_folded,
        password_hash,
        totp_sealed,
        totp_offered,
        totp_step,
        accepted,
        changed_at,
        made_at,
    })
}

/// The login of an e-mail in its folded spelling.
pub async fn by_email(db: &mut Db, folded: &str) -> Result<Option<Login>, sqlx::Error> {
    let found: Option<Columns> = sqlx::query_as(
        "select kind, owner, email, email_folded, password_hash, totp_sealed, totp_offered, totp_step, accepted, \
         changed_at, made_at from logins where email_folded = $1",
    )
    .bind(folded)
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(login))
}

/// The login of somebody.
pub async fn of(db: &mut Db, subject: &Subject) -> Result<Option<Login>, sqlx::Error> {
    let found: Option<Columns> = sqlx::query_as(
        "select kind, owner, email, email_folded, password_hash, totp_sealed, totp_offered, totp_step, accepted, \
         changed_at, made_at from logins where kind = $1 and owner = $2",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(login))
}

/// Those who signed up and were not let in yet: user, e-mail, when.
pub async fn waiting(db: &mut Db) -> Result<Vec<(String, String, UnixMillis)>, sqlx::Error> {
    sqlx::query_as(
        "select owner, email, made_at from logins where kind = 'user' and accepted = 0 order by made_at, owner limit 500",
    )
    .fetch_all(db)
    .await
}

/// Lets in somebody who signed up; false if they are no such.
pub async fn accept(db: &mut Db, user: &str) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("update logins set accepted = 1 where kind = 'user' and owner = $1 and accepted = 0")
            .bind(user)
            .execute(db)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a login; its e-mail must be free.
pub async fn insert(db: &mut Db, login: &Login) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into logins (kind, owner, email, email_folded, password_hash, totp_sealed, totp_offered, totp_step, \
         accepted, changed_at, made_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(login.subject.kind())
    .bind(login.subject.id())
    .bind(&login.email)
    .bind(&login.email_folded)
    .bind(&login.password_hash)
    .bind(&login.totp_sealed)
    .bind(&login.totp_offered)
    .bind(login.totp_step)
    .bind(i64::from(login.accepted))
    .bind(login.changed_at)
    .bind(login.made_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// Takes a login away: an invitation for the same person makes a new one.
pub async fn remove(db: &mut Db, subject: &Subject) -> Result<(), sqlx::Error> {
    sqlx::query("delete from logins where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .execute(db)
        .await
        .map(|_| ())
}

/// Replaces a weak hash of the same password.
pub async fn set_hash(db: &mut Db, subject: &Subject, hash: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update logins set password_hash = $3 where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .bind(hash)
        .execute(db)
        .await
        .map(|_| ())
}

/// Another password; false if it was changed meanwhile.
pub async fn change_hash(
    db: &mut Db,
    subject: &Subject,
    compared: Option<&str>,
    hash: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update logins set password_hash = $4, changed_at = $5 where kind = $1 and owner = $2 and password_hash = $3",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .bind(compared.unwrap_or_default())
    .bind(hash)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Something that counts as a second factor changed: withdrawals cool off from now.
pub async fn touch(db: &mut Db, subject: &Subject, now: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query("update logins set changed_at = $3 where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// When password or second factor of somebody last changed (case 47: withdrawals cool off from then).
pub async fn changed_at(db: &mut Db, subject: &Subject) -> Result<Option<UnixMillis>, sqlx::Error> {
    sqlx::query_scalar("select changed_at from logins where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .fetch_optional(db)
        .await
}

/// Keeps a second factor that was begun.
pub async fn offer_totp(db: &mut Db, subject: &Subject, sealed: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update logins set totp_offered = $3 where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .bind(sealed)
        .execute(db)
        .await
        .map(|_| ())
}

/// The second factor that was begun comes into force, its first step spent; false if another was begun meanwhile.
pub async fn confirm_totp(
    db: &mut Db,
    subject: &Subject,
    offered: &str,
    step: i64,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update logins set totp_sealed = totp_offered, totp_offered = null, totp_step = $4, changed_at = $5 \
         where kind = $1 and owner = $2 and totp_offered = $3",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .bind(offered)
    .bind(step)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Spends a step; false if it, or a later one, was spent before.
pub async fn spend_step(db: &mut Db, subject: &Subject, step: i64) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("update logins set totp_step = $3 where kind = $1 and owner = $2 and totp_step < $3")
            .bind(subject.kind())
            .bind(subject.id())
            .bind(step)
            .execute(db)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces somebody's recovery codes by these digests.
pub async fn replace_recovery_codes(
    db: &mut Db,
    subject: &Subject,
    digests: &[String],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    remove_recovery_codes(db, subject).await?;
    for digest in digests {
        sqlx::query("insert into recovery_codes (digest, kind, owner, made_at) values ($1, $2, $3, $4)")
            .bind(digest)
            .bind(subject.kind())
            .bind(subject.id())
            .bind(now)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Takes somebody's recovery codes away.
pub async fn remove_recovery_codes(db: &mut Db, subject: &Subject) -> Result<(), sqlx::Error> {
    sqlx::query("delete from recovery_codes where kind = $1 and owner = $2")
        .bind(subject.kind())
        .bind(subject.id())
        .execute(db)
        .await
        .map(|_| ())
}

/// Spends a recovery code; false if it is none of theirs or was spent.
pub async fn spend_recovery_code(
    db: &mut Db,
    subject: &Subject,
    digest: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update recovery_codes set used_at = $4 where digest = $1 and kind = $2 and owner = $3 and used_at is null",
    )
    .bind(digest)
    .bind(subject.kind())
    .bind(subject.id())
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many recovery codes somebody has left.
pub async fn recovery_codes_left(db: &mut Db, subject: &Subject) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from recovery_codes where kind = $1 and owner = $2 and used_at is null",
    )
    .bind(subject.kind())
    .bind(subject.id())
    .fetch_one(db)
    .await
}

/// Attempts counted under a key: how many, the last, and when the next may be.
pub async fn failures_of(
    db: &mut Db,
    key: &str,
) -> Result<Option<(i64, UnixMillis, UnixMillis)>, sqlx::Error> {
    sqlx::query_as("select failures, last_at, not_before from login_failures where key = $1")
        .bind(key)
        .fetch_optional(db)
        .await
}

/// Counts an attempt.
pub async fn set_failures(
    db: &mut Db,
    key: &str,
    failures: i64,
    now: UnixMillis,
    not_before: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into login_failures (key, failures, last_at, not_before) values ($1, $2, $3, $4) \
         on conflict (key) do update set failures = $2, last_at = $3, not_before = $4",
    )
    .bind(key)
    .bind(failures)
    .bind(now)
    .bind(not_before)
    .execute(db)
    .await
    .map(|_| ())
}

/// The key starts afresh.
pub async fn forget_failures(db: &mut Db, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from login_failures where key = $1").bind(key).execute(db).await.map(|_| ())
}

/// One attempt less.
pub async fn give_back_failure(db: &mut Db, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update login_failures set failures = failures - 1, not_before = 0 where key = $1 and failures > 0",
    )
    .bind(key)
    .execute(db)
    .await
    .map(|_| ())
}
