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

/// A migration's text for one database. Migrations are written in what both speak, plus these conventions:
/// a table ends with `);` alone on its line (SQLite then makes it `strict`, so that a `bigint` column
/// holds integers only); a line `-- append-only: TABLE` makes triggers that refuse update and delete;
/// `-- checked as sets: TABLE (COLUMN) OTHER` turns that foreign key into a check of each statement's rows at once, and
/// `-- changed in place: TABLE` leaves room in its pages, both on PostgreSQL only.
fn in_dialect(dialect: Dialect, sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() * 2);
    for line in sql.lines() {
        let said = |convention: &str| line.strip_prefix(convention).map(str::trim);
        match said("-- append-only: ") {
            Some(table) => text.push_str(&append_only(dialect, table)),
            None if dialect == Dialect::Postgres && line.starts_with(AS_SETS) => {
                text.push_str(&checked_as_sets(said(AS_SETS).unwrap_or_default()));
            }
            None if dialect == Dialect::Postgres && line.starts_with(IN_PLACE) => {
                let table = said(IN_PLACE).unwrap_or_default();
                text.push_str(&format!("alter table {table} set (fillfactor = 50);"));
            }
            None if dialect == Dialect::Sqlite && line == ");" => text.push_str(") strict;"),
            None if dialect == Dialect::Sqlite => text.push_str(&line.replace(" bigint", " integer")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

const AS_SETS: &str = "-- checked as sets: ";
const IN_PLACE: &str = "-- changed in place: ";

/// PostgreSQL checks a foreign key by a query for each row, which took a third of the time of a posting. This checks the
/// same for all rows of a statement in one query; `table` never changes its rows, and those of `other` can neither go nor
/// take another id. Nobody else writes meanwhile: the writer's lock sees to it.
fn checked_as_sets(said: &str) -> String {
    let mut words = said.split([' ', '(', ')']).filter(|word| !word.is_empty());
    let [table, column, other] = [words.next(), words.next(), words.next()].map(Option::unwrap_or_default);
    format!(
        "alter table {table} drop constraint {table}_{column}_fkey;\n\
         create function {table}_{column}_is_there() returns trigger language plpgsql as $$ begin \
         if exists (select from added where (select id from {other} where id = added.{column}) is null) then \
         raise foreign_key_violation using message = '{table}.{column} is not in {other}'; end if; \
         return null; end $$;\n\
         create trigger {table}_{column}_is_there after insert on {table} referencing new table as added \
         for each statement execute function {table}_{column}_is_there();\n\
         create or replace function refuse_removal() returns trigger language plpgsql as \
         $$ begin raise foreign_key_violation using message = tg_table_name || ' is referred to'; end $$;\n\
         create trigger {other}_stays_for_{table} before delete or truncate or update of id on {other} \
         for each statement execute function refuse_removal();"
    )
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
