//! The database: opening it, its migrations, and the few things that SQLite and PostgreSQL say differently.
//!
//! Everything else is one set of SQL over sqlx's `Any`: `$n` placeholders, `bigint` and `text` columns,
//! bytes as lower-case hex, times as Unix milliseconds, base units as decimal text, no `now()`, no
//! sequences, sums cast back (`cast(sum(x) as bigint)`). Why: `docs/decisions/0002`.
//!
//! Two doors: [`Database::readers`] is a pool whose connections refuse every write, for anything that only looks;
//! the writer's single connection belongs to `ledger::Writer`, and every change goes through `writer.commit`.
//! Functions of a `store.rs` take `&mut Db`, so the same function serves both doors.

mod migrate;
pub(crate) mod rows;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, AssertSqlSafe, Transaction};
use std::time::Duration;

/// The open connection, as every store function takes it. Reads: `app.db.reader().await?`; writes: `unit.db()`.
pub type Db = sqlx::AnyConnection;

/// A read connection out of the pool; dereferences to [`Db`].
pub type Reader = sqlx::pool::PoolConnection<Any>;

/// Begins on PostgreSQL, in one message with the lock that serialises the writers of several coordinators. Any constant will
/// do; this one spells "airlock".
const BEGIN_LOCKED: &str = "begin; select pg_advisory_xact_lock(27418586424595307)";

/// Which database is behind the URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// The embedded default.
    Sqlite,
    /// For production and several coordinators.
    Postgres,
}

/// Why the database could not be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("database.url must begin with sqlite: or postgres:")]
    Scheme,
    /// The driver refused.
    #[error("database, {doing}: {source}")]
    Driver {
        /// What was being done.
        doing: String,
        /// The driver's words.
        source: sqlx::Error,
    },
    /// A migration that already ran has other content now.
    #[error("migration {name} was applied with other content; released migrations never change")]
    Changed {
        /// Its name.
        name: String,
    },
    /// The database has seen a contracting migration that this program does not know: something it may need is gone.
    /// (Expanding ones only add, and an older program goes on beside them.)
    #[error("the database was migrated by a newer version: {name} is unknown here and took something away")]
    Newer {
        /// The first unknown migration.
        name: String,
    },
    /// `serve` found migrations that have not run.
    #[error("the database lacks migration {name}; run `airlock-coordinator migrate`")]
    Behind {
        /// The first missing migration.
        name: String,
    },
}

impl DbError {
    /// Is the database not there (yet), so that waiting may help? A refused password or a broken migration is no absence.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Driver { source: sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut, .. } => true,
            // PostgreSQL: cannot_connect_now, too_many_connections.
            Self::Driver { source: sqlx::Error::Database(error), .. } => {
                matches!(error.code().as_deref(), Some("57P03" | "53300"))
            }
            _ => false,
        }
    }
}

fn driver(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> DbError {
    let doing = doing.into();
    move |source| DbError::Driver { doing, source }
}

/// Pools and time-outs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pools {
    /// Read connections; the writer has one of its own.
    pub readers_max: u32,
    /// How long a read waits for a connection.
    pub acquire_timeout: Duration,
    /// PostgreSQL: the longest one reading statement may take; [`Database::begin_read`] is exempt, for exports.
    pub statement_timeout: Duration,
    /// SQLite: how long to wait for the file's lock.
    pub busy_timeout: Duration,
    /// A statement that takes longer is logged as slow, without its values.
    pub slow_statement: Duration,
}

impl Default for Pools {
    fn default() -> Self {
        Self {
            readers_max: 8,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(30),
            busy_timeout: Duration::from_secs(10),
            slow_statement: Duration::from_secs(1),
        }
    }
}

/// An open database: a pool of readers and the writer's one connection.
#[derive(Clone, Debug)]
pub struct Database {
    dialect: Dialect,
    readers: AnyPool,
    writer: AnyPool,
}

impl Database {
    /// Opens `url` (`sqlite:PATH` or `postgres://…`) with at most `readers_max` read connections and default time-outs.
    /// A SQLite file is created if missing. The URL may hold a password: no error repeats it.
    pub async fn open(url: &str, readers_max: u32) -> Result<Self, DbError> {
        Self::open_with(url, Pools { readers_max, ..Pools::default() }).await
    }

    /// The same with pools and time-outs as configured.
    pub async fn open_with(url: &str, pools: Pools) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let dialect = match url.split(':').next() {
            Some("sqlite") => Dialect::Sqlite,
            Some("postgres" | "postgresql") => Dialect::Postgres,
            _ => return Err(DbError::Scheme),
        };
        let url = match dialect {
            Dialect::Sqlite if !url.contains("mode=") => {
                format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
            }
            _ => url.to_owned(),
        };
        // The writer comes first: it makes the file and switches it to WAL before readers arrive.
        let writer = pool(&url, 1, dialect, Door::Write, pools).await.map_err(driver("opening"))?;
        let readers =
            pool(&url, pools.readers_max, dialect, Door::Read, pools).await.map_err(driver("opening"))?;
        Ok(Self { dialect, readers, writer })
    }

    /// Which database it is.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The pool for reads. Its connections refuse writes.
    pub const fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// One read connection; it never waits for the writer.
    pub async fn reader(&self) -> Result<Reader, sqlx::Error> {
        self.readers.acquire().await
    }

    /// Begins a transaction that sees one still picture of the database.
    pub async fn begin_read(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => self.readers.begin().await,
            Dialect::Postgres => {
                let begin = "begin transaction isolation level repeatable read read only";
                let mut db = self.readers.begin_with(begin).await?;
                sqlx::raw_sql("set local statement_timeout = 0").execute(&mut *db).await?;
                Ok(db)
            }
        }
    }

    /// Begins the writer's transaction and takes the lock that keeps other coordinators' writers out.
    /// Only `ledger::writer` calls this.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.dialect {
            // Immediate: the write lock is taken here, where waiting is fine, and not at the first update.
            Dialect::Sqlite => self.writer.begin_with("begin immediate").await,
            Dialect::Postgres => match self.writer.begin_with(BEGIN_LOCKED).await {
                // The connection is not tried before it is used; one that the server has closed meanwhile is made anew.
                Err(sqlx::Error::Io(_) | sqlx::Error::Database(_)) => {
                    self.writer.begin_with(BEGIN_LOCKED).await
                }
                begun => begun,
            },
        }
    }
}

impl Database {
    /// Has the writer's connection to a server opened anew by whoever asks next, so that its answers wake the runtime of the
    /// ledger's writer, and not one that is busy with requests.
    pub(crate) async fn release_writer(&self) -> Result<(), sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.writer.acquire().await?.close().await,
        }
    }
}

#[derive(Clone, Copy)]
enum Door {
    Read,
    Write,
}

/// What every new connection says first.
fn session_sql(dialect: Dialect, door: Door, pools: Pools) -> String {
    match (dialect, door) {
        // FULL: a commit that was answered survives a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
        // In memory: what a savepoint puts aside. 64 MiB of pages, and a log of 32 MiB before it is copied into the
        // file: indexes over random keys touch many pages again and again.
        // Recursive triggers: else `insert or replace` would delete a row past the trigger that refuses deletions.
        (Dialect::Sqlite, Door::Write) => format!(
            "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
             pragma recursive_triggers = on; \
             pragma temp_store = memory; pragma cache_size = -65536; pragma wal_autocheckpoint = 8192; \
             pragma busy_timeout = {}",
            pools.busy_timeout.as_millis()
        ),
        (Dialect::Sqlite, Door::Read) => {
            format!("pragma busy_timeout = {}; pragma query_only = on", pools.busy_timeout.as_millis())
        }
        // Plans are kept, those of the foreign keys' checks too (planning each anew took half of the server's time); but a
        // plan made while a table was small must not be one that reads the table from end to end.
        (Dialect::Postgres, Door::Write) => {
            "set synchronous_commit = on; set enable_seqscan = off; set client_min_messages = warning"
                .to_owned()
        }
        (Dialect::Postgres, Door::Read) => format!(
            "set default_transaction_read_only = on; set client_min_messages = warning; set statement_timeout = {}",
            pools.statement_timeout.as_millis()
        ),
    }
}

async fn pool(
    url: &str,
    connections_max: u32,
    dialect: Dialect,
    door: Door,
    pools: Pools,
) -> Result<AnyPool, sqlx::Error> {
    let mut options: AnyConnectOptions = url.parse()?;
    options.log_settings.slow_statements_duration = pools.slow_statement;
    let session = session_sql(dialect, door, pools);
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(pools.acquire_timeout)
        // The writer's would cost each group a question and its answer; `begin_write` tries twice instead.
        .test_before_acquire(matches!(door, Door::Read))
        .after_connect(move |db, _| {
            let session = session.clone();
            Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(session)).execute(db).await.map(|_| ()) })
        })
        .connect_with(options)
        .await
}

/// Undoes the writer's open transaction and begins it anew, with its lock. Only the ledger's writer calls this.
pub(crate) async fn begin_again(db: &mut Db, dialect: Dialect) -> Result<(), sqlx::Error> {
    let begin = match dialect {
        Dialect::Sqlite => "begin immediate",
        Dialect::Postgres => BEGIN_LOCKED,
    };
    sqlx::raw_sql(AssertSqlSafe(format!("rollback; {begin}"))).execute(db).await.map(|_| ())
}

/// Did this error come from a unique constraint or primary key? Both drivers can tell.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// An id for rows of which there are very many: 48 bits of the moment and 80 random ones, as 32 lower-case hex digits. New
/// ones stand behind older ones in an index, so that inserting touches its end only (RFC 9562 section 6.11 says the same
/// of version 7). What it tells, its moment, its holder knows anyway.
pub fn ordered_id(now: crate::clock::UnixMillis) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    bytes[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    Ok(hex::encode(bytes))
}

/// 128 random bits as 32 lower-case hex digits: a public id that says nothing about its neighbours.
pub fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
