//! Effects that leave the database: put in the commit that causes them, claimed, done, retried, given up.
//!
//! `put` is called inside the writer's commit; a worker's step calls `claim`, does the effect outside any transaction, and
//! then `done`, `retry` or `give_up`. What must stay true: an effect is done at least once, so it must be idempotent;
//! whoever lost the lease is told so by its fence and must not report.

use crate::clock::UnixMillis;
use crate::db::{self, Db};
use crate::ledger::LedgerError;

/// One effect to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// Its row.
    pub id: String,
    /// What kind of effect.
    pub topic: String,
    /// What it is about, unique within the topic.
    pub subject: String,
    /// What the worker needs, as JSON.
    pub body: String,
    /// Claims so far, this one included.
    pub attempts: i64,
    /// Proof of the lease: raised at every claim.
    pub fence: i64,
    /// The request that caused it, empty if none did.
    pub request_id: String,
}

/// Puts an effect; a subject that is there already stays as it is.
pub async fn put(
    db: &mut Db,
    topic: &str,
    subject: &str,
    body: &str,
    request_id: &str,
    now: UnixMillis,
) -> Result<(), LedgerError> {
    let id =
        db::random_id().map_err(|error| LedgerError::Corrupt { what: format!("randomness: {error}") })?;
    sqlx::query(
        "insert into outbox (id, topic, subject, body, state, attempts, due_at, lease_until, fence, request_id, made_at) \
         values ($1, $2, $3, $4, 'waiting', 0, $6, 0, 0, $5, $6) on conflict (topic, subject) do nothing",
    )
    .bind(id)
    .bind(topic)
    .bind(subject)
    .bind(body)
    .bind(request_id)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// How many effects of a topic are in a state.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct OpenTasks {
    /// What kind of effect.
    pub topic: String,
    /// `waiting` or `dead`.
    pub state: String,
    /// How many.
    pub count: i64,
    /// Since when the oldest is due, Unix milliseconds.
    pub oldest_due_at: UnixMillis,
}

/// What is not done, for health and figures.
pub async fn open_tasks(db: &mut Db) -> Result<Vec<OpenTasks>, sqlx::Error> {
    sqlx::query_as(
        "select topic, state, count(*) as count, min(due_at) as oldest_due_at from outbox \
         where state in ('waiting', 'dead') group by topic, state order by topic, state",
    )
    .fetch_all(db)
    .await
}

/// Claims up to `limit` due effects of a topic for `lease_ms`.
pub async fn claim(
    db: &mut Db,
    topic: &str,
    limit: i64,
    lease_ms: i64,
    now: UnixMillis,
) -> Result<Vec<Task>, LedgerError> {
    let rows: Vec<(String, String, String, i64, i64, String)> = sqlx::query_as(
        "update outbox set attempts = attempts + 1, fence = fence + 1, lease_until = $3 \
         where id in (select id from outbox where state = 'waiting' and topic = $1 and due_at <= $2 \
                      and lease_until <= $2 order by due_at limit $4) \
         returning id, subject, body, attempts, fence, request_id",
    )
    .bind(topic)
    .bind(now)
    .bind(now.saturating_add(lease_ms))
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, subject, body, attempts, fence, request_id)| Task {
            id,
            topic: topic.to_owned(),
            subject,
            body,
            attempts,
            fence,
            request_id,
        })
        .collect())
}

/// The effect was done; false if the lease was lost.
pub async fn done(db: &mut Db, task: &Task) -> Result<bool, LedgerError> {
    end(db, task, "done", None).await
}

/// The effect cannot be done; a person must look. False if the lease was lost.
pub async fn give_up(db: &mut Db, task: &Task, error: &str) -> Result<bool, LedgerError> {
    end(db, task, "dead", Some(error)).await
}

/// The effect is to be tried again at `due_at`; false if the lease was lost.
pub async fn retry(db: &mut Db, task: &Task, error: &str, due_at: UnixMillis) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "update outbox set due_at = $3, lease_until = 0, last_error = $4 \
         where id = $1 and fence = $2 and state = 'waiting'",
    )
    .bind(&task.id)
    .bind(task.fence)
    .bind(due_at)
    .bind(error)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn end(db: &mut Db, task: &Task, state: &str, error: Option<&str>) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "update outbox set state = $3, last_error = $4 where id = $1 and fence = $2 and state = 'waiting'",
    )
    .bind(&task.id)
    .bind(task.fence)
    .bind(state)
    .bind(error)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
