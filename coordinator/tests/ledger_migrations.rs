//! Migrations: killed at each statement, and the version before running on what a later one has widened.
//!
//! SQLite: the real program under `strace`, killed at a system call that changes a file; with `AIRLOCK_KILL_EVERY=1`
//! at every one of them. Nothing reaches the file before a commit, so those calls are all there is to interrupt.
//! PostgreSQL: the real server's backend is terminated at each statement, by an event trigger, and at each commit.
//! Whatever that leaves: nothing of a migration is there without its record, and migrating again ends in the same schema.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::db::{self, Database};
use airlock_coordinator::ledger::{Account, Hold, LedgerError, OnceRow, Order, Posting, Receipt};
use airlock_coordinator::migrations::MIGRATIONS;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use stage::{Stage, asset, evm_wallet, minor, on_each_database, postgres_server};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_airlock-coordinator");

#[test]
fn every_migration_says_whether_it_expands_or_contracts() {
    for (name, sql) in MIGRATIONS {
        let first = sql.lines().next();
        assert!(matches!(first, Some("-- expand" | "-- contract")), "{name} begins with {first:?}");
    }
    assert!(MIGRATIONS.is_sorted_by_key(|(name, _)| *name), "they run in the order of their names");
}

/// Runs the program's `migrate`, killed at the `number`th call of this name in a thread (0: not at all).
fn migrate(folder: &Path, call: &str, number: usize) -> Output {
    let mut command = match number {
        0 => Command::new(PROGRAM),
        _ => {
            let mut strace = Command::new("strace");
            let inject = format!("inject={call}:signal=KILL:when={number}");
            strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, PROGRAM]);
            strace
        }
    };
    let url = format!("sqlite:{}", folder.join("airlock.db").display());
    command.args(["--database-url", &url, "migrate"]).current_dir(folder).output().unwrap()
}

/// How often each call is made in a run that nobody kills, by the thread that makes most of them: `strace` counts by thread.
fn calls(names: &[&'static str]) -> Vec<(&'static str, usize)> {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let url = format!("sqlite:{}", folder.path().join("airlock.db").display());
    let traced = Command::new("strace")
        .args(["-f", "-e", &format!("trace={}", names.join(",")), "-o"])
        .arg(&log)
        .args([PROGRAM, "--database-url", &url, "migrate"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(traced.status.success(), "{traced:?}");
    let log = std::fs::read_to_string(log).unwrap();
    let times = |name: &str| {
        let mut by_thread = BTreeMap::<&str, usize>::new();
        for line in log.lines().filter(|line| line.contains(&format!(" {name}("))) {
            *by_thread.entry(line.split_whitespace().next().unwrap()).or_default() += 1;
        }
        by_thread.into_values().max().unwrap_or(0)
    };
    names.iter().map(|name| (*name, times(name))).collect()
}

/// Everything that makes up a SQLite file's schema, and which migrations it records.
async fn sqlite_schema(folder: &Path) -> Vec<String> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", folder.join("airlock.db").display());
    let mut db = AnyConnection::connect(&url).await.unwrap();
    let sql = "select coalesce(sql, name) from sqlite_master union all select name || ' ' || kind from migrations \
               union all select 'items ' || last_number from item_sequence order by 1";
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    rows.into_iter().map(|(row,)| row).collect()
}

#[test]
fn a_migration_of_sqlite_killed_at_any_change_of_its_file_is_made_up_for() {
    let every = std::env::var("AIRLOCK_KILL_EVERY").is_ok_and(|every| every == "1");
    let clean = TempDir::new().unwrap();
    assert!(migrate(clean.path(), "", 0).status.success());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expected = runtime.block_on(sqlite_schema(clean.path()));
    let mut points = Vec::new();
    for (call, times) in calls(&["pwrite64", "fsync", "ftruncate", "unlink"]) {
        // Most of the writes put one page after the other into the log; of those a sample.
        let step = if every || times < 50 { 1 } else { 11 };
        points.extend((1..=times).step_by(step).map(|number| (call, number)));
    }
    assert!(points.len() > 50, "{points:?}");
    let halves = points.len().div_ceil(2);
    let killed: usize = std::thread::scope(|scope| {
        let hit = |points: &[(&'static str, usize)]| -> Vec<TempDir> {
            let kept = points.iter().filter_map(|(call, number)| {
                let folder = TempDir::new().unwrap();
                let interrupted = migrate(folder.path(), call, *number);
                let again = migrate(folder.path(), "", 0);
                assert!(again.status.success(), "after {call} {number}: {again:?}");
                // Runs differ by a call or two.
                (!interrupted.status.success()).then_some(folder)
            });
            kept.collect()
        };
        let threads: Vec<_> = points.chunks(halves).map(|half| scope.spawn(move || hit(half))).collect();
        let folders: Vec<TempDir> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        for folder in &folders {
            assert_eq!(runtime.block_on(sqlite_schema(folder.path())), expected);
        }
        folders.len()
    });
    assert!(killed * 10 >= points.len() * 9, "{killed} of {} points were hit", points.len());
}

/// What the test tells the server's event trigger: at which statement to end the backend; -1: at the commit of a
/// migration's record.
const KILLER: &str = "create schema killer;
create table killer.at (statement bigint not null);
insert into killer.at values (0);
create sequence killer.met;
create function killer.kill() returns event_trigger language plpgsql as $$ begin
    if nextval('killer.met') = (select statement from killer.at) then
        perform pg_terminate_backend(pg_backend_pid());
    end if; end $$;
create function killer.kill_commit() returns trigger language plpgsql as $$ begin
    if (select statement from killer.at) = -1 then perform pg_terminate_backend(pg_backend_pid()); end if;
    return null; end $$;
create event trigger killer_statements on ddl_command_start execute function killer.kill();";

const COMMITS: &str = "create constraint trigger killer_commits after insert on migrations \
    deferrable initially deferred for each row execute function killer.kill_commit()";

struct Killer {
    admin: AnyConnection,
    url: String,
}

impl Killer {
    async fn open(server: &str) -> Self {
        let url = empty_postgres(server).await;
        let mut admin = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(KILLER).execute(&mut admin).await.unwrap();
        Self { admin, url }
    }

    /// Migrates with the backend ended at a statement; was it?
    async fn migrate(&mut self, at: i64) -> bool {
        sqlx::query("update killer.at set statement = $1").bind(at).execute(&mut self.admin).await.unwrap();
        self.admin.execute("select setval('killer.met', 1, false)").await.unwrap();
        let database = Database::open(&self.url, 1).await.unwrap();
        let killed = database.migrate(0).await.is_err();
        // The writer's connection must be gone before the next look: it may still hold locks.
        database.readers().close().await;
        drop(database);
        self.admin.execute("select pg_advisory_lock(27418586424595307)").await.unwrap();
        self.admin.execute("select pg_advisory_unlock(27418586424595307)").await.unwrap();
        killed
    }

    async fn recorded(&mut self) -> usize {
        let there =
            postgres_lines(&mut self.admin, "select 'x' from pg_tables where tablename = 'migrations'");
        if there.await.is_empty() {
            return 0;
        }
        postgres_lines(&mut self.admin, "select name from migrations").await.len()
    }
}

async fn empty_postgres(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("airlock_{}", db::random_id().unwrap());
    let mut admin = AnyConnection::connect(server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let base = server.split('?').next().unwrap();
    let host = base.rfind('/').filter(|at| *at > base.find("//").unwrap() + 1).unwrap_or(base.len());
    format!("{}/{name}", &base[..host])
}

async fn postgres_lines(db: &mut AnyConnection, sql: &'static str) -> Vec<String> {
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(db).await.unwrap();
    rows.into_iter().map(|(row,)| row).collect()
}

/// Everything that makes up the schema on PostgreSQL, our own trigger left out.
async fn postgres_schema(db: &mut AnyConnection) -> Vec<String> {
    let sql = "select concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default)::text \
               from information_schema.columns where table_schema = 'public' \
               union all select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))::text \
               from pg_constraint where connamespace = 'public'::regnamespace and conname not like 'killer%' \
               union all select concat_ws(' ', 'index', indexdef)::text from pg_indexes where schemaname = 'public' \
               union all select concat_ws(' ', 'trigger', pg_get_triggerdef(oid))::text from pg_trigger \
               where not tgisinternal and tgname not like 'killer%' \
               union all select concat_ws(' ', 'function', proname)::text from pg_proc \
               where pronamespace = 'public'::regnamespace order by 1";
    postgres_lines(db, sql).await
}

#[test]
fn a_migration_of_postgres_whose_backend_ends_at_any_statement_is_made_up_for() {
    let Some(server) = postgres_server() else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let clean = empty_postgres(&server).await;
        Database::open(&clean, 1).await.unwrap().migrate(0).await.unwrap();
        let expected = postgres_schema(&mut AnyConnection::connect(&clean).await.unwrap()).await;

        let mut killer = Killer::open(&server).await;
        // Statement 1 of every run makes the table of migrations, if it is not there.
        assert!(killer.migrate(1).await);
        assert!(killer.migrate(2).await);
        killer.admin.execute(COMMITS).await.unwrap();
        let (mut done, mut at, mut kills) = (0, -1, 2);
        loop {
            let before = postgres_schema(&mut killer.admin).await;
            let killed = killer.migrate(at).await;
            let recorded = killer.recorded().await;
            if !killed {
                break;
            }
            kills += 1;
            if recorded == done {
                assert_eq!(postgres_schema(&mut killer.admin).await, before, "statement {at} of {done}");
                at = if at == -1 { 2 } else { at + 1 };
            } else {
                assert_eq!(recorded, done + 1, "one migration, one commit");
                // Its statements are through; the next migration was ended at one of its own.
                (done, at) = (recorded, -1);
            }
        }
        assert_eq!(killer.recorded().await, MIGRATIONS.len());
        assert!(kills > MIGRATIONS.len() * 3, "{kills}");
        assert_eq!(postgres_schema(&mut killer.admin).await, expected);
    });
}

#[test]
fn a_server_killed_while_it_migrates_postgres_leaves_nothing_half_done() {
    let Some(server) = postgres_server() else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let clean = empty_postgres(&server).await;
        Database::open(&clean, 1).await.unwrap().migrate(0).await.unwrap();
        let expected = postgres_schema(&mut AnyConnection::connect(&clean).await.unwrap()).await;
        let folder = TempDir::new().unwrap();
        let url = empty_postgres(&server).await;
        let settings: PathBuf = folder.path().join("settings.toml");
        std::fs::write(&settings, format!("[database]\nurl = {url:?}\n")).unwrap();
        let run = |number: usize| {
            let inject = format!("inject=sendto:signal=KILL:when={number}");
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-e", "trace=sendto", "-e", &inject, PROGRAM, "--config"]);
            strace.arg(&settings).arg("migrate").current_dir(folder.path()).output().unwrap()
        };
        // Every run is killed a few messages later than the one before it, until one gets to the end.
        let mut killed = 0;
        while !run(3 + killed * 2).status.success() {
            killed += 1;
            assert!(killed < 200);
        }
        assert!(killed > 3, "{killed}");
        assert_eq!(postgres_schema(&mut AnyConnection::connect(&url).await.unwrap()).await, expected);
    });
}

/// What a later version might add: columns that it alone fills, an index, a table.
const WIDER: &[&str] = &[
    "alter table accounts add column later text",
    "alter table transfers add column later bigint not null default 0",
    "alter table entries add column later text",
    "alter table holds add column later bigint",
    "alter table idempotency_keys add column later text",
    "alter table audit_rows add column later text",
    "alter table outbox add column later bigint not null default 7",
    "create index later_by_note on transfers (note)",
    "create table later (id bigint primary key, account_id bigint not null references accounts (id))",
];

async fn widen(stage: &Stage, kind: &str) {
    let mut db = AnyConnection::connect(&stage.url).await.unwrap();
    for sql in WIDER {
        let sql = if stage.name == "sqlite" { sql.replace(" bigint", " integer") } else { (*sql).to_owned() };
        db.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let record =
        "insert into migrations (name, digest, kind, applied_at) values ('9999_later', 'later', $1, 1)";
    sqlx::query(record).bind(kind).execute(&mut db).await.unwrap();
}

#[test]
fn this_version_tells_a_whole_story_on_a_schema_that_a_later_one_has_widened() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        widen(&stage, "expand").await;
        assert_eq!(
            Database::open(&stage.url, 1).await.unwrap().migrate(0).await.unwrap(),
            Vec::<&str>::new()
        );
        let app = stage::open_app(&stage.url).await;
        let (ann, bob) =
            (Account::available("ann", &asset("USDT")), Account::available("bob", &asset("USDT")));
        let order = || {
            let once = OnceRow {
                owner: "user:ann".into(),
                key: "k".into(),
                request_digest: "d".into(),
                status: 201,
                body: Box::new(|_| "{}".into()),
            };
            let posting = Posting::new("transfer", "t").minor(ann.clone(), bob.clone(), minor(30)).note("hi");
            Order::once(posting, once)
        };
        assert!(matches!(app.writer.submit(order()).await.unwrap(), Receipt::Done { .. }));
        assert!(matches!(app.writer.submit(order()).await.unwrap(), Receipt::Before(_)));
        let held = app.writer.commit(|unit| {
            Box::pin(async move {
                for (id, amount) in [("w1", 20), ("w2", 50)] {
                    let hold = Hold {
                        id: id.into(),
                        user: "ann".into(),
                        asset: asset("USDT"),
                        amount: minor(amount),
                    };
                    unit.hold(&hold).await?;
                }
                let now = unit.now();
                airlock_coordinator::outbox::put(unit.db(), "later", "w1", "{}", "", now).await?;
                unit.settle("w1", &[(Account::reserve(evm_wallet(1), &asset("USDT")), minor(20))]).await?;
                unit.release("w2").await
            })
        });
        Ok::<(), LedgerError>(()).and(held.await).unwrap();
        assert_eq!(stage.balance("ann", "USDT").await, (50, 0));
        assert_eq!(stage.balance("bob", "USDT").await, (30, 0));
        stage.prove().await;
    });
}

#[test]
fn this_version_refuses_a_schema_from_which_a_later_one_took_something_away() {
    on_each_database(|stage| async move {
        let stage = &stage;
        widen(stage, "contract").await;
        let database = Database::open(&stage.url, 1).await.unwrap();
        let refused = database.expect_current().await.unwrap_err().to_string();
        assert!(refused.contains("9999_later"), "{refused}");
        assert!(database.migrate(0).await.is_err());
    });
}
