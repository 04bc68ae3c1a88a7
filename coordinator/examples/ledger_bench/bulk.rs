//! The limit: the same rows (transfer, two entries, idempotency record) in bulk by the bare driver, into the same tables
//! with their constraints, durable. The fastest of the forms and group sizes below counts.

use super::load::{Dice, body, per_second};
use super::place::{ACCOUNTS, Place};
use airlock_coordinator::clock::Clock;
use airlock_coordinator::db::{Dialect, ordered_id, random_id};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use std::time::{Duration, Instant};

/// Transfers in one transaction.
const GROUPS: [usize; 3] = [1000, 4000, 8000];
/// Rows in one `values` list of SQLite.
const LIST: usize = 250;

/// One transfer's rows.
struct Row {
    id: i64,
    reference: String,
    accounts: (i64, i64),
    key: String,
    digest: String,
    body: String,
}

const OWNER: &str = "partner:5d0f8a1cbbd4a1e0a1c2b3d4e5f60718";

/// The best rate over all forms and group sizes, in thousandths of transfers per second.
pub async fn limit(place: &Place, window: Duration) -> u64 {
    let mut best = 0;
    for group in GROUPS {
        let rate = match place.db.dialect() {
            Dialect::Sqlite => sqlite(place, group, window / 4).await,
            Dialect::Postgres => {
                let arrays = postgres(place, group, window / 4, Form::Arrays).await;
                arrays.max(postgres(place, group, window / 4, Form::Copy).await)
            }
        };
        best = best.max(rate);
    }
    best
}

/// Rows are made before the clock runs.
fn rows(dice: &mut Dice, first: i64, count: usize) -> Vec<Row> {
    let some = |dice: &mut Dice| i64::try_from(dice.below(ACCOUNTS)).unwrap() + 1;
    (first..)
        .take(count)
        .map(|id| {
            let reference = ordered_id(Clock::System.now()).unwrap();
            let body = body(&reference, &random_id().unwrap(), &random_id().unwrap());
            let (accounts, key) = ((some(dice), some(dice)), random_id().unwrap());
            Row { id, digest: format!("{reference}{key}"), reference, accounts, key, body }
        })
        .collect()
}

async fn next_id(place: &Place) -> i64 {
    let mut db = place.db.reader().await.unwrap();
    let last: i64 = sqlx::query_scalar("select max(id) from transfers").fetch_one(&mut *db).await.unwrap();
    last + 1
}

async fn sqlite(place: &Place, group: usize, window: Duration) -> u64 {
    let mut db = SqliteConnection::connect(&place.url).await.unwrap();
    let session = "pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = 10000; \
                   pragma cache_size = -65536; pragma wal_autocheckpoint = 8192";
    sqlx::raw_sql(session).execute(&mut db).await.unwrap();
    let (mut next, mut dice) = (next_id(place).await, Dice::new(7));
    let (mut done, mut spent) = (0, Duration::ZERO);
    while spent < window {
        let rows = rows(&mut dice, next, group);
        next += i64::try_from(group).unwrap();
        let begun = Instant::now();
        db.execute("begin immediate").await.unwrap();
        for list in rows.chunks(LIST) {
            insert_lists(&mut db, list).await;
        }
        db.execute("commit").await.unwrap();
        spent += begun.elapsed();
        done += u64::try_from(group).unwrap();
    }
    per_second(done, spent)
}

fn lists(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

async fn insert_lists(db: &mut SqliteConnection, rows: &[Row]) {
    let count = rows.len();
    let sql = "insert into transfers (id, kind, reference, made_at, made_by) values ";
    let text = format!("{sql}{}", lists(5, count));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for row in rows {
        query = query.bind(row.id).bind("transfer").bind(&row.reference).bind(1i64).bind(OWNER);
    }
    query.execute(&mut *db).await.unwrap();
    let sql = "insert into entries (transfer_id, line, account_id, side, amount_minor) values ";
    let text = format!("{sql}{}", lists(5, count * 2));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for row in rows {
        query = query.bind(row.id).bind(0i64).bind(row.accounts.0).bind("debit").bind(1_250_000i64);
        query = query.bind(row.id).bind(1i64).bind(row.accounts.1).bind("credit").bind(1_250_000i64);
    }
    query.execute(&mut *db).await.unwrap();
    let sql = "insert into idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) values ";
    let text = format!("{sql}{}", lists(6, count));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for row in rows {
        query = query.bind(OWNER).bind(&row.key).bind(&row.digest).bind(201i64).bind(&row.body).bind(1i64);
    }
    query.execute(&mut *db).await.unwrap();
}

#[derive(Clone, Copy)]
enum Form {
    Arrays,
    Copy,
}

async fn postgres(place: &Place, group: usize, window: Duration, form: Form) -> u64 {
    let mut db = PgConnection::connect(&place.url).await.unwrap();
    db.execute("set synchronous_commit = on").await.unwrap();
    db.execute("set enable_seqscan = off").await.unwrap();
    let (mut next, mut dice) = (next_id(place).await, Dice::new(7));
    let (mut done, mut spent) = (0, Duration::ZERO);
    while spent < window {
        let rows = rows(&mut dice, next, group);
        next += i64::try_from(group).unwrap();
        let begun = Instant::now();
        let mut transaction = db.begin().await.unwrap();
        match form {
            Form::Arrays => insert_arrays(&mut transaction, &rows).await,
            Form::Copy => insert_copies(&mut transaction, &rows).await,
        }
        transaction.commit().await.unwrap();
        spent += begun.elapsed();
        done += u64::try_from(group).unwrap();
    }
    per_second(done, spent)
}

async fn insert_arrays(db: &mut PgConnection, rows: &[Row]) {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let references: Vec<&str> = rows.iter().map(|row| row.reference.as_str()).collect();
    let sql = "insert into transfers (id, kind, reference, made_at, made_by) \
               select id, 'transfer', reference, 1, $3 from unnest($1::bigint[], $2::text[]) as v (id, reference)";
    sqlx::query(sql).bind(&ids).bind(&references).bind(OWNER).execute(&mut *db).await.unwrap();
    let transfers: Vec<i64> = rows.iter().flat_map(|row| [row.id, row.id]).collect();
    let accounts: Vec<i64> = rows.iter().flat_map(|row| [row.accounts.0, row.accounts.1]).collect();
    let entry_lines: Vec<i64> = rows.iter().flat_map(|_| [0, 1]).collect();
    let sides: Vec<&str> = rows.iter().flat_map(|_| ["debit", "credit"]).collect();
    let sql = "insert into entries (transfer_id, line, account_id, side, amount_minor) select t, l, a, s, 1250000 \
               from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) as v (t, l, a, s)";
    let query = sqlx::query(sql).bind(&transfers).bind(&entry_lines).bind(&accounts).bind(&sides);
    query.execute(&mut *db).await.unwrap();
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let digests: Vec<&str> = rows.iter().map(|row| row.digest.as_str()).collect();
    let bodies: Vec<&str> = rows.iter().map(|row| row.body.as_str()).collect();
    let sql = "insert into idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) \
               select $4, k, d, 201, b, 1 from unnest($1::text[], $2::text[], $3::text[]) as v (k, d, b)";
    sqlx::query(sql).bind(&keys).bind(&digests).bind(&bodies).bind(OWNER).execute(db).await.unwrap();
}

async fn insert_copies(db: &mut PgConnection, rows: &[Row]) {
    let (mut transfers, mut entries, mut keys) = (String::new(), String::new(), String::new());
    for row in rows {
        let Row { id, reference, accounts, key, digest, body } = row;
        transfers += &format!("{id}\ttransfer\t{reference}\t1\t{OWNER}\n");
        entries +=
            &format!("{id}\t0\t{}\tdebit\t1250000\n{id}\t1\t{}\tcredit\t1250000\n", accounts.0, accounts.1);
        keys += &format!("{OWNER}\t{key}\t{digest}\t201\t{body}\t1\n");
    }
    let tables = [
        ("copy transfers (id, kind, reference, made_at, made_by) from stdin", transfers),
        ("copy entries (transfer_id, line, account_id, side, amount_minor) from stdin", entries),
        (
            "copy idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) from stdin",
            keys,
        ),
    ];
    for (sql, text) in tables {
        let mut copy = db.copy_in_raw(sql).await.unwrap();
        copy.send(text.as_bytes()).await.unwrap();
        copy.finish().await.unwrap();
    }
}
