//! Races for the last balance: a hundred at once, a thousand rounds, exactly one each (case 43 of the ninety).
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::audit::By;
use airlock_coordinator::ledger::LedgerError;
use airlock_coordinator::people::{HOUSE, create};
use airlock_coordinator::withdrawals::WithdrawalError;
use airlock_coordinator::withdrawals::request::{Asked, Requester, check, request};
use futures::future::join_all;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use stage::{Stage, on_each_database, postgres_server};

const ROUNDS: usize = 1_000;
const AT_ONCE: usize = 100;

/// Amount 5 and fee 1 of USDT in minor units.
const TOTAL: i64 = 6_000_000;

async fn withdraw(stage: &Stage, user: &str) -> Result<(), WithdrawalError> {
    let asked = Asked {
        network: "tron:0xa1710c4b".into(),
        asset: "USDT".into(),
        to: "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb".into(),
        amount: "5".into(),
        memo: None,
        quote: None,
    };
    let terms = check(&stage.app.config, &asked).unwrap();
    let by = By { who: format!("user:{user}"), ..By::system("") };
    let asks = Requester { partner: HOUSE.into(), user: user.to_owned(), by };
    let work = stage
        .app
        .writer
        .commit(move |unit| Box::pin(async move { request(unit, &asks, terms).await.map(|_| ()) }));
    work.await
}

/// Both databases at once, because it takes long.
#[test]
fn of_a_hundred_withdrawals_of_the_last_balance_exactly_one_is_held_a_thousand_times() {
    let servers = std::iter::once(None).chain(postgres_server().map(Some));
    let races = servers.map(|server| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async { race(&Stage::open(server.as_deref()).await).await });
        })
    });
    for race in races.collect::<Vec<_>>() {
        race.join().unwrap();
    }
}

async fn race(stage: &Stage) {
    for round in 0..ROUNDS {
        let user = create::user(&stage.app.writer, HOUSE, &format!("user{round}")).await.unwrap().id;
        stage.give(&user, "USDT", TOTAL).await;
        let results = join_all((0..AT_ONCE).map(|_| withdraw(stage, &user))).await;
        let held = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(held, 1, "round {round} on {}", stage.name);
        for refused in results.into_iter().filter_map(Result::err) {
            let poor = matches!(&refused, WithdrawalError::Ledger(LedgerError::Insufficient { .. }));
            assert!(poor, "round {round} on {}: {refused}", stage.name);
        }
    }
    let mut db = stage.app.db.reader().await.unwrap();
    let (users, wrong): (i64, i64) = sqlx::query_as(
        "select count(*), cast(sum(case when kind = 'user_available' and balance_minor = 0 then 0 \
             when kind = 'user_held' and balance_minor = 6000000 then 0 else 1 end) as bigint) \
             from accounts where kind in ('user_available', 'user_held')",
    )
    .fetch_one(&mut *db)
    .await
    .unwrap();
    assert_eq!((users, wrong), (2 * i64::try_from(ROUNDS).unwrap(), 0));
    stage.prove().await;
}

/// Case 43: not only code refuses a balance below zero.
#[test]
fn the_database_itself_refuses_a_balance_below_zero() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let mut db = AnyConnection::connect(&stage.url).await.unwrap();
        for kind in ["user_available", "user_held", "partner"] {
            let made = format!(
                "insert into accounts (id, kind, owner, network, wallet, asset, side, balance_minor, dust_base) \
                 values (1000, '{kind}', 'eve', '', '', 'USDT', 'credit', -1, '0')"
            );
            let refused = db.execute(AssertSqlSafe(made)).await;
            assert!(refused.is_err(), "{kind} on {}", stage.name);
        }
        let taken = "update accounts set balance_minor = balance_minor - 101 where owner = 'ann'";
        assert!(db.execute(taken).await.is_err(), "on {}", stage.name);
        assert_eq!(stage.balance("ann", "USDT").await, (100, 0));
        stage.prove().await;
    });
}

/// Cases 80 and 82: what is posted cannot be changed or deleted by SQL, and what was changed behind the triggers' back
/// is found by replaying.
#[test]
fn a_posting_changed_behind_the_triggers_is_found_by_replaying() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        stage.give("bob", "USDT", 50).await;
        let mut db = AnyConnection::connect(&stage.url).await.unwrap();
        for table in ["entries", "transfers", "idempotency_keys", "audit_rows"] {
            let (update, delete) = match stage.name {
                "sqlite" => ("update", "delete"),
                _ => ("change", "truncate"),
            };
            for trigger in [update, delete] {
                let there = match stage.name {
                    "sqlite" => "select count(*) from sqlite_master where type = 'trigger' and name = $1",
                    _ => "select count(*) from pg_trigger where tgname = $1",
                };
                let name = format!("{table}_no_{trigger}");
                let found: i64 = sqlx::query_scalar(there).bind(&name).fetch_one(&mut db).await.unwrap();
                assert_eq!(found, 1, "{name} on {}", stage.name);
            }
        }
        let off = match stage.name {
            "sqlite" => "drop trigger entries_no_update",
            _ => "alter table entries disable trigger entries_no_change",
        };
        db.execute(off).await.unwrap();
        db.execute("update entries set amount_minor = 99 where amount_minor = 100 and side = 'credit'")
            .await
            .unwrap();
        let mut reader = stage.app.db.reader().await.unwrap();
        let verified = airlock_coordinator::ledger::verify::verify(&mut reader).await.unwrap();
        let faults = verified.faults.join("\n");
        assert!(faults.contains("balance 100, entries 99"), "{faults}");
        assert!(faults.contains("does not balance in USDT"), "{faults}");
    });
}
