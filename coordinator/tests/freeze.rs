//! Case 80: books that disagree are seen within half a minute, and nothing leaves until a person has looked.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod stage;

use airlock_coordinator::freeze::{self, Look};
use airlock_coordinator::ledger::LedgerError;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stage::{Served, Stage, on_each_database};

/// What somebody with the database's password could do.
async fn tamper(stage: &Stage, sql: &'static str) {
    let work = stage.app.writer.commit(move |unit| {
        Box::pin(async move {
            sqlx::query(AssertSqlSafe(sql)).execute(unit.db()).await?;
            Ok::<_, LedgerError>(())
        })
    });
    work.await.unwrap();
}

async fn asked(served: &Served, key: &str) -> (u16, Value) {
    let body = json!({
        "network": "tron:0xa1710c4b", "asset": "USDT", "to": "TQhqRHgEonKEYqudomS8243o3bejg8dt1d", "amount": "10",
    });
    served.post_once(&served.ann, "/v1/withdrawals", key, body).await
}

#[test]
fn a_balance_changed_behind_the_ledgers_back_freezes_withdrawals_until_a_person_lifts_it() {
    on_each_database(async |stage: Stage| {
        let served = Served::open(stage).await;
        let (app, ann) = (&served.stage.app, &served.ann.id);
        served.stage.give(ann, "USDT", 100_000_000).await;
        assert!(!freeze::step(app, Look::TrialBalance).await.unwrap());
        assert_eq!(asked(&served, "k1").await.0, 201);
        tamper(
            &served.stage,
            "update accounts set balance_minor = balance_minor + 1 where kind = 'user_available'",
        )
        .await;
        assert!(freeze::step(app, Look::TrialBalance).await.unwrap());
        let (status, refused) = asked(&served, "k2").await;
        assert_eq!((status, &refused["error"]["code"]), (503, &json!("frozen")), "{refused}");
        let (_, listed) = served.get(&served.operator, "/v1/alerts").await;
        let alert =
            listed["alerts"].as_array().unwrap().iter().find(|alert| alert["kind"] == freeze::KIND).unwrap();
        let close = format!("/v1/alerts/{}/close", alert["id"].as_str().unwrap());
        // Lifted without mending anything, it comes back with the next look.
        assert_eq!(served.post(&served.operator, &close, json!({ "why": "looked at" })).await.0, 200);
        assert!(freeze::step(app, Look::TrialBalance).await.unwrap());
        assert_eq!(asked(&served, "k2").await.0, 503);
        tamper(
            &served.stage,
            "update accounts set balance_minor = balance_minor - 1 where kind = 'user_available'",
        )
        .await;
        assert!(!freeze::step(app, Look::Replay).await.unwrap());
        assert_eq!(asked(&served, "k2").await.0, 503, "nobody has said yet that it is explained");
        let (_, listed) = served.get(&served.operator, "/v1/alerts").await;
        let alert =
            listed["alerts"].as_array().unwrap().iter().find(|alert| alert["kind"] == freeze::KIND).unwrap();
        let close = format!("/v1/alerts/{}/close", alert["id"].as_str().unwrap());
        assert_eq!(served.post(&served.operator, &close, json!({ "why": "looked at" })).await.0, 200);
        assert_eq!(asked(&served, "k2").await.0, 201);
    });
}

async fn freezes(stage: Stage, changes: &[&'static str], look: Look) {
    let served = Served::open(stage).await;
    served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
    served.stage.give(&served.bob.id, "USDT", 100_000_000).await;
    for sql in changes {
        tamper(&served.stage, sql).await;
    }
    assert!(freeze::step(&served.stage.app, look).await.unwrap());
    assert_eq!(asked(&served, "k1").await.0, 503);
}

#[test]
fn balances_that_cannot_be_added_up_freeze_too() {
    const CHANGES: [&str; 1] =
        ["update accounts set balance_minor = 9223372036854775807 where kind = 'user_available'"];
    on_each_database(async |stage: Stage| freezes(stage, &CHANGES, Look::TrialBalance).await);
}

#[test]
fn rows_that_do_not_read_back_freeze_too() {
    const CHANGES: [&str; 2] = [
        "insert into assets (code, decimals) values ('usd t', 6)",
        "update accounts set asset = 'usd t' where kind = 'user_available'",
    ];
    on_each_database(async |stage: Stage| freezes(stage, &CHANGES, Look::Replay).await);
}

#[test]
fn held_money_without_its_hold_is_found_by_the_replay() {
    on_each_database(async |stage: Stage| {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        assert_eq!(asked(&served, "k1").await.0, 201);
        let app = &served.stage.app;
        assert!(!freeze::step(app, Look::Replay).await.unwrap());
        tamper(&served.stage, "update holds set amount_minor = amount_minor - 1").await;
        assert!(!freeze::step(app, Look::TrialBalance).await.unwrap());
        assert!(freeze::step(app, Look::Replay).await.unwrap());
    });
}

#[test]
fn two_changes_that_hide_each_other_from_the_totals_are_found_by_the_replay() {
    on_each_database(async |stage: Stage| {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        served.stage.give(&served.bob.id, "USDT", 100_000_000).await;
        let moved = format!(
            "update accounts set balance_minor = balance_minor + case owner when '{}' then 5 else -5 end \
             where kind = 'user_available'",
            served.ann.id
        );
        tamper(&served.stage, Box::leak(moved.into_boxed_str())).await;
        let app = &served.stage.app;
        assert!(!freeze::step(app, Look::TrialBalance).await.unwrap());
        assert!(freeze::step(app, Look::Replay).await.unwrap());
        assert_eq!(asked(&served, "k1").await.0, 503);
    });
}
