//! The ledger's conformance suite: the same stories on SQLite and on PostgreSQL.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::ledger::{Account, Hold, LedgerError, Posting};
use airlock_shared::BaseUnits;
use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use stage::{Stage, asset, evm_wallet, minor, on_each_database};

async fn pay(stage: &Stage, reference: String, from: &str, to: &str, amount: i64) -> Result<(), LedgerError> {
    let (from, to) = (Account::available(from, &asset("USDT")), Account::available(to, &asset("USDT")));
    let posting = Posting::new("payment", reference).minor(from, to, minor(amount));
    stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await
}

async fn hold(stage: &Stage, id: &str, user: &str, amount: i64) -> Result<(), LedgerError> {
    let hold = Hold { id: id.into(), user: user.into(), asset: asset("USDT"), amount: minor(amount) };
    stage.app.writer.commit(move |unit| Box::pin(async move { unit.hold(&hold).await })).await
}

#[test]
fn a_payment_moves_money_and_the_books_balance() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        pay(&stage, "1".into(), "ann", "bob", 30).await.unwrap();
        assert_eq!(stage.balance("ann", "USDT").await, (70, 0));
        assert_eq!(stage.balance("bob", "USDT").await, (30, 0));
        stage.prove().await;
    });
}

#[test]
fn a_command_that_fails_leaves_no_trace_and_its_neighbours_stand() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let results = join_all((0..50).map(|n| async move {
            let amount = if n % 2 == 0 { 1 } else { 1_000 };
            pay(stage, n.to_string(), "ann", &format!("to{n}"), amount).await
        }))
        .await;
        for (n, result) in results.iter().enumerate() {
            let refused = matches!(result, Err(LedgerError::Insufficient { .. }));
            assert_eq!(refused, n % 2 == 1, "{n}: {result:?}");
        }
        assert_eq!(stage.balance("ann", "USDT").await, (75, 0));
        stage.prove().await;
    });
}

#[test]
fn a_command_that_panics_is_undone_and_the_writer_goes_on() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let work = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let (from, to) =
                    (Account::available("ann", &asset("USDT")), Account::Suspense(asset("USDT")));
                unit.post(Posting::new("lost", "1").minor(from, to, minor(5))).await?;
                panic!("on purpose");
                #[allow(unreachable_code)]
                Ok::<(), LedgerError>(())
            })
        });
        assert!(matches!(work.await, Err(LedgerError::Unavailable)));
        assert_eq!(stage.balance("ann", "USDT").await, (100, 0));
        pay(&stage, "1".into(), "ann", "bob", 1).await.unwrap();
        stage.prove().await;
    });
}

#[test]
fn a_failed_statement_undoes_its_command_only() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let broken = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                sqlx::query("insert into holds (id) values ('x')").execute(unit.db()).await?;
                Ok::<(), LedgerError>(())
            })
        });
        let (broken, fine) = tokio::join!(broken, pay(&stage, "1".into(), "ann", "bob", 1));
        assert!(matches!(broken, Err(LedgerError::Database(_))), "{broken:?}");
        fine.unwrap();
        stage.prove().await;
    });
}

#[test]
fn the_same_event_is_posted_once() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let results = join_all((0..20).map(|_| pay(stage, "same".into(), "ann", "bob", 7))).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(LedgerError::Repeated { .. }))));
        assert_eq!(stage.balance("bob", "USDT").await, (7, 0));
        stage.prove().await;
    });
}

#[test]
fn of_a_hundred_holds_on_the_last_balance_exactly_one_succeeds() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let results =
            join_all((0..100).map(|n| async move { hold(stage, &format!("h{n}"), "ann", 100).await })).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(stage.balance("ann", "USDT").await, (0, 100));
        stage.prove().await;
    });
}

#[test]
fn a_hold_is_settled_or_released_once() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        hold(&stage, "w1", "ann", 40).await.unwrap();
        hold(&stage, "w2", "ann", 60).await.unwrap();
        let reserve = Account::reserve(evm_wallet(1), &asset("USDT"));
        let settle = |hold: &'static str, amount: i64| {
            let parts = [(reserve.clone(), minor(amount)), (Account::FeesEarned(asset("USDT")), minor(1))];
            stage.app.writer.commit(move |unit| Box::pin(async move { unit.settle(hold, &parts).await }))
        };
        let release = |hold: &'static str| {
            stage.app.writer.commit(move |unit| Box::pin(async move { unit.release(hold).await }))
        };
        assert!(matches!(settle("w1", 38).await, Err(LedgerError::HoldMismatch { .. })));
        settle("w1", 39).await.unwrap();
        assert!(matches!(settle("w1", 39).await, Err(LedgerError::HoldEnded { .. })));
        assert!(matches!(release("w1").await, Err(LedgerError::HoldEnded { .. })));
        release("w2").await.unwrap();
        assert!(matches!(settle("w2", 59).await, Err(LedgerError::HoldEnded { .. })));
        assert!(matches!(release("w3").await, Err(LedgerError::NoHold { .. })));
        assert_eq!(stage.balance("ann", "USDT").await, (60, 0));
        stage.prove().await;
    });
}

#[test]
fn dust_is_kept_to_the_last_base_unit() {
    on_each_database(|stage| async move {
        let deposit = |reference: &'static str, amount: &'static str| {
            let amount: BaseUnits = amount.parse().unwrap();
            let (reserve, user) =
                (Account::reserve(evm_wallet(1), &asset("USDT")), Account::available("ann", &asset("USDT")));
            let posting = Posting::new("deposit", reference).base(reserve, user, amount);
            stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await }))
        };
        // One minor unit is 10^12 base units here.
        deposit("1", "1999999999999").await.unwrap();
        deposit("2", "1").await.unwrap();
        deposit("3", "1500000000000").await.unwrap();
        // 2 whole units for the user; the dust of the first two made one, which is rounding's.
        assert_eq!(stage.balance("ann", "USDT").await, (2, 0));
        let mut db = stage.app.db.reader().await.unwrap();
        let reserves = airlock_coordinator::ledger::store::reserves(&mut db).await.unwrap();
        assert_eq!(
            (reserves[0].balance_minor, reserves[0].dust_base.to_string().as_str()),
            (3, "500000000000")
        );
        stage.prove().await;
    });
}

#[test]
fn a_network_fee_of_odd_wei_leaves_reserve_and_cost_exact() {
    on_each_database(|stage| async move {
        let move_base = |kind: &'static str, debit: Account, credit: Account, amount: &'static str| {
            let posting = Posting::new(kind, "1").base(debit, credit, amount.parse().unwrap());
            stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await }))
        };
        let reserve = Account::reserve(evm_wallet(1), &asset("ETH"));
        let cost = Account::NetworkFees { network: airlock_shared::Network::EVM_DEV, asset: asset("ETH") };
        move_base("opening_capital", reserve.clone(), Account::Capital(asset("ETH")), "1000000000000000000")
            .await
            .unwrap();
        move_base("network_fee", cost, reserve, "21000000000001").await.unwrap();
        let mut db = stage.app.db.reader().await.unwrap();
        let reserves = airlock_coordinator::ledger::store::reserves(&mut db).await.unwrap();
        // 10^18 - 21000000000001 = 999979 * 10^12 - 1, in minor units of 10^9 and dust.
        assert_eq!(reserves[0].balance_minor, 999_978_999);
        assert_eq!(reserves[0].dust_base.to_string(), "999999999");
        stage.prove().await;
    });
}

#[test]
fn postings_that_make_no_sense_are_refused() {
    on_each_database(|stage| async move {
        let (usdt, trx) = (asset("USDT"), asset("TRX"));
        let (ann, bob) = (Account::available("ann", &usdt), Account::available("bob", &usdt));
        let cases = [
            Posting::new("x", "none"),
            Posting::new("x", "zero").minor(ann.clone(), bob.clone(), minor(0)),
            Posting::new("x", "negative").minor(ann.clone(), bob.clone(), minor(-1)),
            Posting::new("x", "least").minor(ann.clone(), bob.clone(), minor(i64::MIN)),
            Posting::new("x", "assets").minor(ann.clone(), Account::available("bob", &trx), minor(1)),
            Posting::new("x", "itself").minor(ann.clone(), ann.clone(), minor(1)),
            Posting::new("x", "network").base(ann.clone(), bob, BaseUnits::from(1u64)),
        ];
        for posting in cases {
            let shown = posting.reference.clone();
            let result: Result<(), LedgerError> =
                stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await;
            assert!(matches!(result, Err(LedgerError::Malformed { .. })), "{shown}: {result:?}");
        }
    });
}

#[test]
fn an_overflowing_balance_is_refused_and_nothing_moves() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", i64::MAX - 1).await;
        let second = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let (capital, ann) =
                    (Account::Suspense(asset("USDT")), Account::available("ann", &asset("USDT")));
                unit.post(Posting::new("gift", "more").minor(capital, ann, minor(2))).await
            })
        });
        assert!(matches!(second.await, Err(LedgerError::Overflow { .. })));
        assert_eq!(stage.balance("ann", "USDT").await, (i64::MAX - 1, 0));
    });
}

#[test]
fn an_entry_of_no_transfer_or_no_account_is_refused_and_neither_can_go() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let mut db = sqlx::AnyConnection::connect(&stage.url).await.unwrap();
        let entry = "insert into entries (transfer_id, line, account_id, side, amount_minor)";
        for sql in [
            format!("{entry} select 999999, 0, min(id), 'debit', 1 from accounts"),
            format!("{entry} select min(id), 9, 999999, 'debit', 1 from transfers"),
            "delete from accounts".to_owned(),
            "update accounts set id = id + 1000".to_owned(),
        ] {
            let refused = db.execute(AssertSqlSafe(sql.clone())).await;
            assert!(refused.is_err(), "{sql} on {}", stage.name);
        }
        stage.prove().await;
    });
}

#[test]
fn entries_cannot_be_changed_or_deleted_by_sql() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let mut db = sqlx::AnyConnection::connect(&stage.url).await.unwrap();
        for sql in [
            "update entries set amount_minor = 1",
            "delete from entries",
            "update transfers set kind = 'x'",
            "delete from transfers",
            "update idempotency_keys set body = ''; delete from transfers",
            "update accounts set balance_minor = -1 where kind = 'user_available'",
        ] {
            assert!(db.execute(AssertSqlSafe(sql)).await.is_err(), "{sql} on {}", stage.name);
        }
        stage.prove().await;
    });
}

#[test]
fn readers_cannot_write() {
    on_each_database(|stage| async move {
        let mut db = stage.app.db.reader().await.unwrap();
        let written = sqlx::query("delete from outbox").execute(&mut *db).await;
        assert!(written.is_err(), "on {}", stage.name);
    });
}

#[test]
fn item_ids_are_never_given_twice() {
    on_each_database(|stage| async move {
        let next = || stage.app.writer.commit(|unit| Box::pin(async move { unit.next_item_id().await }));
        let ids = join_all((0..100).map(|_| next())).await;
        let mut ids: Vec<u64> = ids.into_iter().map(|id| id.unwrap().number()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=100).collect::<Vec<u64>>());
    });
}

#[test]
fn migrating_again_changes_nothing_and_an_altered_migration_is_refused() {
    on_each_database(|stage| async move {
        let stage = &stage;
        let db = airlock_coordinator::db::Database::open(&stage.url, 1).await.unwrap();
        assert_eq!(db.migrate(0).await.unwrap(), Vec::<&str>::new());
        let mut raw = sqlx::AnyConnection::connect(&stage.url).await.unwrap();
        raw.execute("update migrations set digest = 'x' where name = '0001_ledger'").await.unwrap();
        assert!(db.migrate(0).await.unwrap_err().to_string().contains("0001_ledger"));
    });
}

#[test]
fn two_coordinators_on_one_database_keep_one_truth() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 1_000).await;
        let other = stage::open_app(&stage.url).await;
        let apps = [stage.app.clone(), other];
        let results = join_all((0..200usize).map(|n| {
            let app = apps[n % 2].clone();
            async move {
                let (from, to) =
                    (Account::available("ann", &asset("USDT")), Account::available("bob", &asset("USDT")));
                let posting = Posting::new("payment", format!("p{n}")).minor(from, to, minor(10));
                app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await
            }
        }))
        .await;
        let paid = results.iter().filter(|result: &&Result<(), LedgerError>| result.is_ok()).count();
        assert_eq!(paid, 100, "on {}: {:?}", stage.name, results.iter().find(|r| r.is_err()));
        assert_eq!(stage.balance("bob", "USDT").await, (1_000, 0));
        stage.prove().await;
    });
}

#[test]
fn a_command_that_swallows_an_error_is_undone_all_the_same() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let swallowed = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let (ann, bob) =
                    (Account::available("ann", &asset("USDT")), Account::available("bob", &asset("USDT")));
                let posting = Posting::new("half", "1").minor(ann.clone(), bob.clone(), minor(60)).minor(
                    ann,
                    bob,
                    minor(60),
                );
                assert!(matches!(unit.post(posting).await, Err(LedgerError::Insufficient { .. })));
                Ok::<(), LedgerError>(())
            })
        });
        let failed_sql = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let (ann, bob) =
                    (Account::available("ann", &asset("USDT")), Account::available("bob", &asset("USDT")));
                unit.post(Posting::new("whole", "1").minor(ann, bob, minor(1))).await?;
                let _ = sqlx::query("insert into holds (id) values ('x')").execute(unit.db()).await;
                Ok::<(), LedgerError>(())
            })
        });
        let fine = pay(&stage, "1".into(), "ann", "bob", 5);
        let (swallowed, failed_sql, fine) = tokio::join!(swallowed, failed_sql, fine);
        assert!(matches!(swallowed, Err(LedgerError::Unavailable)));
        fine.unwrap();
        // PostgreSQL gives the command up; SQLite undoes the one statement and lets the command stand.
        let stands = i64::from(failed_sql.is_ok());
        assert_eq!(stands == 1, stage.name == "sqlite");
        assert_eq!(stage.balance("bob", "USDT").await, (5 + stands, 0));
        stage.prove().await;
    });
}

#[test]
fn what_is_append_only_is_not_replaced_either() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 5).await;
        let statements = match stage.name {
            "sqlite" => [
                "insert or replace into transfers select id, kind, reference, made_at + 1, note, made_by from transfers",
                "replace into entries select transfer_id, line, account_id, side, amount_minor + 1, amount_base from entries",
            ],
            _ => ["update transfers set made_at = made_at + 1", "truncate entries"],
        };
        for sql in statements {
            let tried = stage.app.writer.commit(move |unit| {
                Box::pin(async move {
                    sqlx::query(sql).execute(unit.db()).await?;
                    Ok::<_, LedgerError>(())
                })
            });
            let refused = tried.await.unwrap_err().to_string();
            assert!(refused.contains("append-only"), "{sql}: {refused}");
        }
        stage.prove().await;
    });
}
