//! Transfers, payments and rewards over HTTP (L3, L4): what moves, what is refused, what a repeat answers. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::people::{Directory, Scope};
use futures::future::join_all;
use serde_json::{Value, json};
use stage::{Served, Stage, Who, on_each_database};
use std::time::Duration;

const PATH: &str = "/v1/transfers";
const TO: &str = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb";

fn transfer(to: &Who, amount: &str) -> Value {
    json!({ "kind": "transfer", "to": to.id, "asset": "USDT", "amount": amount })
}

async fn rich(stage: Stage) -> Served {
    let served = Served::open(stage).await;
    served.stage.give(&served.ann.id, "USDT", 10_000_000).await;
    served
}

/// Closes a user as another coordinator on the same database would: this one is not told.
async fn deactivate(served: &Served, user: &str) {
    let user = user.to_owned();
    served
        .stage
        .app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let closed = sqlx::query("update users set active = 0 where id = $1").bind(user);
                closed.execute(unit.db()).await?;
                Ok::<_, airlock_coordinator::ledger::LedgerError>(())
            })
        })
        .await
        .unwrap();
}

#[test]
fn money_moves_between_users_to_their_partner_and_back() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
        let mut body = transfer(bob, "2.5");
        body["note"] = json!("for \"lunch\", =1+1 é");
        let (status, made) = served.post_once(ann, PATH, "k1", body).await;
        assert_eq!(status, 201, "{made}");
        for (field, value) in [
            ("kind", json!("transfer")),
            ("from", json!(ann.id)),
            ("to", json!(bob.id)),
            ("asset", json!("USDT")),
            ("amount", json!("2.5")),
            ("note", json!("for \"lunch\", =1+1 é")),
            ("made_at", json!("2026-01-01T00:00:00Z")),
        ] {
            assert_eq!(made[field], value, "{made}");
        }
        let by_key = json!({ "kind": "transfer", "from": bob.id, "to_external_id": "ann", "asset": "USDT", "amount": "1" });
        let (status, second) = served.post_once(acme, PATH, "k1", by_key).await;
        assert_eq!((status, &second["to"]), (201, &json!(ann.id)), "{second}");
        let payment = json!({ "kind": "payment", "asset": "USDT", "amount": "3" });
        let (status, paid) = served.post_once(ann, PATH, "k2", payment).await;
        assert_eq!((status, &paid["to"]), (201, &json!(acme.id)), "{paid}");
        let reward = json!({ "kind": "reward", "to": bob.id, "asset": "USDT", "amount": "0.000001" });
        let (status, rewarded) = served.post_once(acme, PATH, "k2", reward.clone()).await;
        assert_eq!((status, &rewarded["from"]), (201, &json!(acme.id)), "{rewarded}");
        assert_eq!(served.stage.balance(&ann.id, "USDT").await, (5_500_000, 0));
        assert_eq!(served.stage.balance(&bob.id, "USDT").await, (1_500_001, 0));
        for who in [ann, bob, acme, &served.operator] {
            assert_eq!(
                served.get(who, &format!("{PATH}/{}", made["id"].as_str().unwrap())).await,
                (200, made.clone())
            );
        }
        assert_eq!(served.get(bob, &format!("{PATH}/{}", paid["id"].as_str().unwrap())).await.0, 404);
        served.stage.prove().await;
    });
}

#[test]
fn what_cannot_be_moved_is_refused_by_name() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
        let other =
            airlock_coordinator::people::create::partner(&served.stage.app.writer, "rival").await.unwrap();
        let cat = served.user("rival", "cat").await;
        let dan = served.user("acme", "dan").await;
        deactivate(&served, &dan.id).await;
        let base = || transfer(bob, "1");
        let with = |field: &str, value: Value| {
            let mut body = base();
            body[field] = value;
            body
        };
        let reward = json!({ "kind": "reward", "to": bob.id, "asset": "USDT", "amount": "1" });
        let cases: Vec<(&Who, Value, u16, &str)> = vec![
            (ann, with("to", json!(ann.id)), 422, "to_oneself"),
            (ann, with("to", json!(cat.id)), 404, "not_found"),
            (ann, with("to", json!("nobody")), 404, "not_found"),
            (ann, with("to", json!(dan.id)), 422, "user_inactive"),
            (ann, with("from", json!(bob.id)), 404, "not_found"),
            (ann, with("to_external_id", json!("bob")), 422, "bad_parties"),
            (ann, json!({ "kind": "transfer", "asset": "USDT", "amount": "1" }), 422, "bad_parties"),
            (ann, with("kind", json!("payment")), 422, "bad_parties"),
            (ann, with("kind", json!("gift")), 400, "bad_json"),
            (ann, with("asset", json!("DOGE")), 422, "unknown_asset"),
            (ann, with("asset", json!("usdt")), 422, "unknown_asset"),
            (ann, with("asset", json!("TRX")), 422, "insufficient_funds"),
            (ann, with("amount", json!("10.000001")), 422, "insufficient_funds"),
            (ann, with("amount", json!("9223372036854.775807")), 422, "insufficient_funds"),
            (ann, with("note", json!("")), 422, "bad_note"),
            (ann, with("note", json!("x".repeat(141))), 422, "bad_note"),
            (ann, with("note", json!("a\nb")), 422, "bad_note"),
            (ann, with("note", json!("a\u{0}b")), 422, "bad_note"),
            (ann, with("surprise", json!(1)), 400, "bad_json"),
            (ann, reward.clone(), 403, "forbidden"),
            (acme, reward.clone(), 422, "insufficient_funds"),
            (acme, base(), 422, "user_needed"),
            (acme, with("from", json!(cat.id)), 404, "not_found"),
            (acme, with("from", json!(dan.id)), 422, "user_inactive"),
            (
                acme,
                json!({ "kind": "reward", "from": other.id, "to": bob.id, "asset": "USDT", "amount": "1" }),
                422,
                "bad_parties",
            ),
            (&served.operator, with("from", json!(ann.id)), 403, "forbidden"),
        ];
        for (who, body, status, code) in cases {
            let (found, refused) = served.post_once(who, PATH, "k", body.clone()).await;
            assert_eq!((found, refused["error"]["code"].as_str()), (status, Some(code)), "{body}: {refused}");
        }
        let reader = served.key(&acme.id, &[Scope::Read]).await;
        assert_eq!(served.post_once(&reader, PATH, "k", with("from", json!(ann.id))).await.0, 403);
        assert_eq!(served.post(ann, PATH, base()).await.1["error"]["code"], "idempotency_key_needed");
        assert_eq!(served.stage.balance(&ann.id, "USDT").await, (10_000_000, 0));
        // None of the refusals used the key up.
        assert_eq!(served.post_once(ann, PATH, "k", base()).await.0, 201);
        served.stage.prove().await;
    });
}

#[test]
fn a_hundred_repeats_are_one_transfer_and_one_answer() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let served = &served;
        let answers = join_all(
            (0..100).map(|_| served.post_once(&served.ann, PATH, "once", transfer(&served.bob, "2"))),
        )
        .await;
        assert_eq!(answers[0].0, 201, "{}", answers[0].1);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let (status, other) = served.post_once(&served.ann, PATH, "once", transfer(&served.bob, "3")).await;
        assert_eq!((status, other["error"]["code"].as_str()), (409, Some("idempotency_key_reused")));
        // Another owner's key of the same name is another key.
        served.stage.give(&served.bob.id, "USDT", 1_000_000).await;
        assert_eq!(served.post_once(&served.bob, PATH, "once", transfer(&served.ann, "1")).await.0, 201);
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await, (9_000_000, 0));
        served.stage.prove().await;
    });
}

#[test]
fn of_a_hundred_transfers_of_the_last_money_exactly_one_is_made() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let served = &served;
        let answers = join_all((0..100).map(|n| async move {
            served.post_once(&served.ann, PATH, &format!("k{n}"), transfer(&served.bob, "7")).await.0
        }))
        .await;
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
        assert_eq!(answers.iter().filter(|status| **status == 422).count(), 99);
        served.stage.prove().await;
    });
}

#[test]
fn a_repeat_gets_its_answer_although_it_would_be_refused_today() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let (ann, bob) = (&served.ann, &served.bob);
        let first = served.post_once(ann, PATH, "k", transfer(bob, "1")).await;
        assert_eq!(first.0, 201, "{}", first.1);
        deactivate(&served, &bob.id).await;
        // Until it is told, or its memory is old, this coordinator goes on; then it refuses.
        served.stage.app.directory.forget(&bob.id);
        let (_, refused) = served.post_once(ann, PATH, "k2", transfer(bob, "1")).await;
        assert_eq!(refused["error"]["code"], "user_inactive");
        assert_eq!(served.post_once(ann, PATH, "k", transfer(bob, "1")).await, first);
        let (status, other) = served.post_once(ann, PATH, "k", transfer(bob, "2")).await;
        assert_eq!((status, other["error"]["code"].as_str()), (409, Some("idempotency_key_reused")));
    });
}

#[test]
fn what_the_directory_believes_of_somebody_grows_old() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let db = served.stage.app.db.clone();
        let believing = Directory::with_life(db.clone(), Duration::from_secs(3600));
        let doubting = Directory::with_life(db, Duration::ZERO);
        for directory in [&believing, &doubting] {
            assert!(directory.member(&served.bob.id).await.unwrap().unwrap().active);
            assert_eq!(directory.member("nobody").await.unwrap(), None);
        }
        deactivate(&served, &served.bob.id).await;
        assert!(believing.member(&served.bob.id).await.unwrap().unwrap().active);
        assert!(!doubting.member(&served.bob.id).await.unwrap().unwrap().active);
        believing.forget(&served.bob.id);
        assert!(!believing.member(&served.bob.id).await.unwrap().unwrap().active);
        let found = believing.by_external_id(&served.partner.id, "ann").await.unwrap();
        assert_eq!(found.as_deref(), Some(served.ann.id.as_str()));
        assert_eq!(believing.by_external_id("house", "ann").await.unwrap(), None);
    });
}

/// Texts that look like amounts and are none, case 48.
const NO_AMOUNTS: [&str; 26] = [
    "",
    " ",
    "0",
    "0.0",
    "-1",
    "-0",
    "+1",
    "1e3",
    "1E3",
    "1e-7",
    "1,000",
    "1.000,5",
    "1_000",
    "NaN",
    "Infinity",
    "0x10",
    " 1",
    "1 ",
    "1\t",
    ".5",
    "1.",
    "01",
    "00.5",
    "١",
    "１",
    "1.0000001",
];

#[test]
fn an_amount_is_exact_or_refused_on_every_route_that_takes_one() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let ann = &served.ann;
        let withdrawal = json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "to": TO, "amount": "5" });
        let quote = json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "amount": "5" });
        let adjustment = json!({ "user": ann.id, "asset": "USDT", "amount": "5", "direction": "credit",
            "against": "capital", "reason": "a test of amounts" });
        let opening = json!({ "network": "tron:0xa1710c4b", "wallet": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
            "asset": "USDT", "amount_base": "5" });
        let routes: Vec<(&str, &Who, Value, &str)> = vec![
            (PATH, ann, transfer(&served.bob, "1"), "amount"),
            ("/v1/withdrawals", ann, withdrawal, "amount"),
            ("/v1/withdrawals/quote", ann, quote, "amount"),
            ("/v1/adjustments", &served.operator, adjustment, "amount"),
            ("/v1/treasury/opening-capital", &served.operator, opening, "amount_base"),
        ];
        for (path, who, body, field) in &routes {
            let send = async |value: Value| {
                let mut body = body.clone();
                body[*field] = value;
                served.post_once(who, path, "amounts", body).await
            };
            let too_much = "1".repeat(200);
            for text in NO_AMOUNTS.into_iter().chain([too_much.as_str(), "9223372036854.775808"]) {
                if *field == "amount_base" && text == "9223372036854.775808" {
                    continue;
                }
                let (status, refused) = send(json!(text)).await;
                let code = refused["error"]["code"].as_str().unwrap_or_default();
                assert!(
                    status == 422
                        && ["bad_amount", "below_minimum", "above_maximum", "amount_out_of_range"]
                            .contains(&code),
                    "{path} {text:?}: {status} {refused}"
                );
            }
            for value in [json!(1), json!(0.1), json!(null), json!([]), json!({ "amount": "1" }), json!(true)]
            {
                let (status, refused) = send(value.clone()).await;
                assert_eq!(
                    (status, refused["error"]["code"].as_str()),
                    (400, Some("bad_json")),
                    "{path} {value}"
                );
            }
        }
        assert_eq!(served.stage.balance(&ann.id, "USDT").await, (10_000_000, 0));
        for (text, shown) in [("1", "1"), ("0.000001", "0.000001"), ("1.500000", "1.5"), ("0.10", "0.1")] {
            let (status, made) = served.post_once(ann, PATH, text, transfer(&served.bob, text)).await;
            assert_eq!((status, made["amount"].as_str()), (201, Some(shown)), "{made}");
        }
        served.stage.prove().await;
    });
}
