//! Migrations: applying those that have not run, and refusing a database that this program does not fit.
//!
//! Called by `migrate`, by `serve` at its start and by every command that opens the database. The first line of each
//! file is `-- expand` (adds only: the version before goes on working beside it) or `-- contract` (takes
//! something away). What must stay true: a migration and its record commit together, so a process killed at any
//! statement leaves either all of it or nothing; several coordinators may migrate at once.

use super::{Database, DbError, Dialect, driver};
use crate::clock::UnixMillis;
use crate::migrations::MIGRATIONS;
use airlock_shared::Digest;
use sqlx::{AnyPool, AssertSqlSafe, Executor as _};

const TABLE: &str = "create table if not exists migrations (name text primary key, digest text not null, \
                     kind text not null check (kind in ('expand', 'contract')), applied_at bigint not null)";

impl Database {
    /// Applies every migration that has not run, each in one transaction with its record.
    /// Returns the names of those applied now.
    pub async fn migrate(&self, now: UnixMillis) -> Result<Vec<&'static str>, DbError> {
        let mut db = self.begin_write().await.map_err(driver("migrating"))?;
        db.execute(TABLE).await.map_err(driver("migrating"))?;
        db.commit().await.map_err(driver("migrating"))?;
        let mut applied_now = Vec::new();
        for name in missing(&self.writer).await? {
            if self.apply(name, now).await? {
                applied_now.push(name);
            }
        }
        Ok(applied_now)
    }

    /// Refuses to go on with a database that lacks a migration.
    pub async fn expect_current(&self) -> Result<(), DbError> {
        match missing(&self.readers).await?.first() {
            None => Ok(()),
            Some(name) => Err(DbError::Behind { name: (*name).to_owned() }),
        }
    }

    /// False if another process was faster.
    async fn apply(&self, name: &'static str, now: UnixMillis) -> Result<bool, DbError> {
        let sql = MIGRATIONS.iter().find(|(known, _)| *known == name).map_or("", |(_, sql)| sql);
        let mut db = self.begin_write().await.map_err(driver(name))?;
        // The record comes first: whoever waited for the lock sees it.
        let record = sqlx::query(
            "insert into migrations (name, digest, kind, applied_at) values ($1, $2, $3, $4) \
             on conflict (name) do nothing",
        );
        let record = record.bind(name).bind(digest_of(sql)).bind(kind_of(sql)).bind(now);
        if record.execute(&mut *db).await.map_err(driver(name))?.rows_affected() == 0 {
            return Ok(false);
        }
        let text = in_dialect(self.dialect, sql);
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *db).await.map_err(driver(name))?;
        db.commit().await.map_err(driver(name))?;
        Ok(true)
    }
}

/// The migrations that have not run, in order; checks that those that ran have not changed, and that nothing this
/// program may need was taken away by one that it does not know.
async fn missing(pool: &AnyPool) -> Result<Vec<&'static str>, DbError> {
    let applied: Vec<(String, String, String)> =
        sqlx::query_as("select name, digest, kind from migrations order by name")
            .fetch_all(pool)
            .await
            .map_err(driver("reading migrations (has `migrate` run?)"))?;
    for (name, digest, kind) in &applied {
        match MIGRATIONS.iter().find(|(known, _)| known == name) {
            None if kind == "expand" => {}
            None => return Err(DbError::Newer { name: name.clone() }),
            Some((_, sql)) if digest_of(sql) != *digest => {
                return Err(DbError::Changed { name: name.clone() });
            }
            Some(_) => {}
        }
    }
    let ran = |name: &str| applied.iter().any(|(done, ..)| done == name);
    Ok(MIGRATIONS.iter().map(|(name, _)| *name).filter(|name| !ran(name)).collect())
}

fn digest_of(sql: &str) -> String {
    Digest::of("airlock:migration:1", sql.as_bytes()).to_string()
}

/// What the first line says; a file that says nothing is taken for the kind that an older program refuses.
fn kind_of(sql: &str) -> &'static str {
    if sql.lines().next() == Some("-- expand") { "expand" } else { "contract" }
}

/// A migration's text for one database. Migrations are written in what both speak, plus two conventions:
/// a table ends with `);` alone on its line (SQLite then makes it `strict`, so that a `bigint` column
/// holds integers only), and a line `-- append-only: TABLE` makes triggers that refuse update and delete.
fn in_dialect(dialect: Dialect, sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() * 2);
    for line in sql.lines() {
        match line.strip_prefix("-- append-only: ") {
            Some(table) => text.push_str(&append_only(dialect, table.trim())),
            None if dialect == Dialect::Sqlite && line == ");" => text.push_str(") strict;"),
            None if dialect == Dialect::Sqlite => text.push_str(&line.replace(" bigint", " integer")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn append_only(dialect: Dialect, table: &str) -> String {
    match dialect {
        Dialect::Sqlite => ["update", "delete"]
            .map(|change| {
                format!(
                    "create trigger {table}_no_{change} before {change} on {table} begin \
                     select raise(abort, '{table} is append-only'); end;"
                )
            })
            .join("\n"),
        Dialect::Postgres => format!(
            "create or replace function refuse_change() returns trigger language plpgsql as \
             $$ begin raise exception '% is append-only', tg_table_name; end $$;\n\
             create trigger {table}_no_change before update or delete on {table} \
             for each row execute function refuse_change();\n\
             create trigger {table}_no_truncate before truncate on {table} \
             for each statement execute function refuse_change();"
        ),
    }
}
