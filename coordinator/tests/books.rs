//! Company money: what withdrawals cost, quotes that hold, adjustments that take two people.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod stage;

use airlock_coordinator::people::Role;
use serde_json::{Value, json};
use stage::{Served, Stage, Who, on_each_database};

const USER_FUNDS: i64 = 500_000_000;

async fn served(stage: Stage) -> Served {
    let served = Served::open(stage).await;
    served.stage.give(&served.ann.id, "USDT", USER_FUNDS).await;
    served
}

fn withdrawal(amount: &str, quote: Option<&str>) -> Value {
    let mut body = json!({
        "network": "tron:0xa1710c4b", "asset": "USDT", "to": "TQhqRHgEonKEYqudomS8243o3bejg8dt1d", "amount": amount,
    });
    if let Some(quote) = quote {
        body["quote"] = json!(quote);
    }
    body
}

fn quoted(amount: &str) -> Value {
    json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "amount": amount })
}

async fn set_fees(served: &Served, basis_points: u16, least: &str, most: Option<&str>) -> (u16, Value) {
    let body = json!({
        "network": "tron:0xa1710c4b", "asset": "USDT", "flat": "0.5", "basis_points": basis_points, "least": least, "most": most,
    });
    let path = format!("/v1/partners/{}/fees", served.partner.id);
    stage::answer(served.request(&served.operator, "PUT", &path, Some(&body), None).await).await
}

#[test]
fn without_a_schedule_the_flat_fee_of_the_settings_holds() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let (status, quote) = served.post(&served.ann, "/v1/withdrawals/quote", quoted("100")).await;
        assert_eq!((status, &quote["fee"], &quote["total"]), (201, &json!("1"), &json!("101")), "{quote}");
        let (status, made) =
            served.post_once(&served.ann, "/v1/withdrawals", "k1", withdrawal("100", None)).await;
        assert_eq!((status, &made["fee"]), (201, &json!("1")), "{made}");
    });
}

#[test]
fn a_partners_schedule_is_charged_and_the_recipient_gets_the_amount_asked() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let (status, set) = set_fees(&served, 100, "0.75", Some("3")).await;
        assert_eq!((status, &set["version"]), (200, &json!(1)), "{set}");
        for (amount, fee) in [("10", "0.75"), ("100", "1.5"), ("300", "3")] {
            let (_, quote) = served.post(&served.ann, "/v1/withdrawals/quote", quoted(amount)).await;
            assert_eq!(quote["fee"], fee, "{quote}");
        }
        let (_, made) = served.post_once(&served.ann, "/v1/withdrawals", "k1", withdrawal("100", None)).await;
        assert_eq!((&made["amount"], &made["fee"]), (&json!("100"), &json!("1.5")), "{made}");
        assert_eq!(
            served.stage.balance(&served.ann.id, "USDT").await,
            (USER_FUNDS - 101_500_000, 101_500_000)
        );
        served.stage.prove().await;
    });
}

#[test]
fn a_quote_holds_although_the_fees_rise_until_it_expires() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let (_, quote) = served.post(&served.ann, "/v1/withdrawals/quote", quoted("100")).await;
        set_fees(&served, 1_000, "0", None).await;
        let id = quote["quote"].as_str().unwrap();
        let body = withdrawal("100", Some(id));
        let (status, made) = served.post_once(&served.ann, "/v1/withdrawals", "k1", body.clone()).await;
        assert_eq!((status, &made["fee"]), (201, &json!("1")), "{made}");
        served.stage.app.clock.advance(airlock_coordinator::fees::QUOTE_LIFETIME_MS);
        let (status, refused) = served.post_once(&served.ann, "/v1/withdrawals", "k2", body.clone()).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("quote_expired")), "{refused}");
        let (status, again) = served.post_once(&served.ann, "/v1/withdrawals", "k1", body).await;
        assert_eq!((status, &again["id"]), (201, &made["id"]), "a repeat gets its first answer");
    });
}

#[test]
fn a_quote_for_another_amount_or_of_another_user_is_refused() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        served.stage.give(&served.bob.id, "USDT", USER_FUNDS).await;
        let (_, quote) = served.post(&served.ann, "/v1/withdrawals/quote", quoted("100")).await;
        let id = quote["quote"].as_str().unwrap();
        let refused = async |who: &Who, key: &str, body: Value| {
            let (status, refused) = served.post_once(who, "/v1/withdrawals", key, body).await;
            (status, refused["error"]["code"].as_str().unwrap().to_owned())
        };
        let (ann, bob) = (&served.ann, &served.bob);
        assert_eq!(refused(ann, "k1", withdrawal("101", Some(id))).await, (409, "quote_differs".to_owned()));
        assert_eq!(refused(bob, "k2", withdrawal("100", Some(id))).await, (422, "unknown_quote".to_owned()));
        assert_eq!(
            refused(ann, "k3", withdrawal("100", Some("none"))).await,
            (422, "unknown_quote".to_owned())
        );
        assert_eq!(served.stage.balance(&ann.id, "USDT").await, (USER_FUNDS, 0));
    });
}

#[test]
fn fees_are_set_by_the_houses_administrators_only_and_every_version_stays() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        set_fees(&served, 10, "0", None).await;
        set_fees(&served, 20, "0", None).await;
        let path = format!("/v1/partners/{}/fees", served.partner.id);
        let own = served.person(&served.partner.id, "paula", &[Role::Administrator]).await;
        let (status, listed) = served.get(&own, &path).await;
        let versions: Vec<_> =
            listed["schedules"].as_array().unwrap().iter().map(|s| &s["version"]).collect();
        assert_eq!((status, versions), (200, vec![&json!(2), &json!(1)]));
        let body = json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "flat": "0", "basis_points": 0, "least": "0" });
        let put = async |who: &Who, body: &Value| {
            stage::answer(served.request(who, "PUT", &path, Some(body), None).await).await
        };
        assert_eq!(put(&own, &body).await.0, 403, "a partner does not set its own fees");
        let auditor = served.person("house", "aude", &[Role::Auditor]).await;
        assert_eq!(put(&auditor, &body).await.0, 403);
        assert_eq!(served.get(&own, "/v1/partners/house/fees").await.0, 404);
        let mut bad = body.clone();
        bad["basis_points"] = json!(10_001);
        assert_eq!(put(&served.operator, &bad).await.1["error"]["code"], "bad_fees");
        let mut bad = body;
        (bad["least"], bad["most"]) = (json!("2"), json!("1"));
        assert_eq!(put(&served.operator, &bad).await.1["error"]["code"], "bad_fees");
    });
}

fn credit(user: &str, amount: &str) -> Value {
    json!({
        "user": user, "asset": "USDT", "amount": amount, "direction": "credit", "against": "capital",
        "reason": "compensation for ticket 4711",
    })
}

#[test]
fn an_adjustment_is_booked_once_and_only_after_another_person_approved_it() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let ann = served.ann.id.clone();
        let (status, made) = served.post(&served.operator, "/v1/adjustments", credit(&ann, "25")).await;
        assert_eq!((status, &made["state"]), (201, &json!("proposed")), "{made}");
        assert_eq!(served.stage.balance(&ann, "USDT").await.0, USER_FUNDS);
        let approve = format!("/v1/adjustments/{}/approve", made["id"].as_str().unwrap());
        let (status, refused) = served.post(&served.operator, &approve, json!({})).await;
        assert_eq!(status, 403, "the proposer: {refused}");
        for _ in 0..2 {
            let (status, done) =
                served.post(&served.second_operator, &approve, json!({ "words": "seen" })).await;
            assert_eq!((status, &done["state"]), (200, &json!("approved")), "{done}");
            assert_eq!(served.stage.balance(&ann, "USDT").await.0, USER_FUNDS + 25_000_000);
        }
        let reject = approve.replace("approve", "reject");
        assert_eq!(served.post(&served.second_operator, &reject, json!({})).await.0, 409);
        let (_, history) = served.get(&served.ann, "/v1/transactions?type=adjustment").await;
        let seen = &history["transactions"][0];
        assert_eq!(
            (&seen["amount"], &seen["note"]),
            (&json!("25"), &json!("compensation for ticket 4711")),
            "{history}"
        );
        served.stage.prove().await;
    });
}

#[test]
fn a_rejected_adjustment_is_never_booked() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let (_, made) = served.post(&served.operator, "/v1/adjustments", credit(&served.ann.id, "25")).await;
        let path = format!("/v1/adjustments/{}", made["id"].as_str().unwrap());
        let (status, _) =
            served.post(&served.second_operator, &format!("{path}/reject"), json!({ "words": "no" })).await;
        assert_eq!(status, 200);
        assert_eq!(served.post(&served.second_operator, &format!("{path}/approve"), json!({})).await.0, 409);
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await.0, USER_FUNDS);
        assert_eq!(served.get(&served.operator, &path).await.1["decision"], "no");
    });
}

#[test]
fn a_debit_beyond_the_balance_stays_proposed() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let mut body = credit(&served.ann.id, "500.000001");
        body["direction"] = json!("debit");
        let (_, made) = served.post(&served.operator, "/v1/adjustments", body).await;
        let path = format!("/v1/adjustments/{}", made["id"].as_str().unwrap());
        let (status, refused) =
            served.post(&served.second_operator, &format!("{path}/approve"), json!({})).await;
        assert_eq!((status, &refused["error"]["code"]), (422, &json!("insufficient_funds")), "{refused}");
        assert_eq!(served.get(&served.operator, &path).await.1["state"], "proposed");
        served.stage.prove().await;
    });
}

#[test]
fn a_partners_people_adjust_their_own_users_against_their_own_account_only() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let acme = served.partner.id.clone();
        let proposer = served.person(&acme, "olga", &[Role::Operator]).await;
        let approver = served.person(&acme, "petra", &[Role::Approver]).await;
        let (status, _) = served.post(&proposer, "/v1/adjustments", credit(&served.ann.id, "1")).await;
        assert_eq!(status, 403, "not against the house's capital");
        let mut body = credit(&served.ann.id, "10");
        (body["direction"], body["against"]) = (json!("debit"), json!("partner"));
        let (status, made) = served.post(&proposer, "/v1/adjustments", body.clone()).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/v1/adjustments/{}/approve", made["id"].as_str().unwrap());
        assert_eq!(served.post(&approver, &path, json!({})).await.0, 200);
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await.0, USER_FUNDS - 10_000_000);
        let other =
            airlock_coordinator::people::create::partner(&served.stage.app.writer, "other").await.unwrap();
        let stranger = served.person(&other.id, "sam", &[Role::Operator, Role::Approver]).await;
        assert_eq!(
            served.post(&stranger, "/v1/adjustments", body).await.0,
            404,
            "a foreign user is a missing one"
        );
        assert_eq!(served.post(&stranger, &path, json!({})).await.0, 404);
        assert_eq!(served.get(&stranger, "/v1/adjustments").await.1["adjustments"], json!([]));
    });
}

#[test]
fn what_comes_from_the_houses_accounts_is_not_decided_by_those_who_gain_by_it() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let approver = served.person(&served.partner.id, "petra", &[Role::Approver]).await;
        let (_, made) = served.post(&served.operator, "/v1/adjustments", credit(&served.ann.id, "25")).await;
        let path = format!("/v1/adjustments/{}", made["id"].as_str().unwrap());
        for decision in ["approve", "reject"] {
            let (status, refused) = served.post(&approver, &format!("{path}/{decision}"), json!({})).await;
            assert_eq!((status, &refused["error"]["code"]), (403, &json!("forbidden")), "{refused}");
        }
        assert_eq!(served.get(&served.operator, &path).await.1["state"], "proposed");
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await.0, USER_FUNDS);
    });
}

#[test]
fn an_adjustment_decided_by_many_at_once_is_booked_once() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let (_, made) = served.post(&served.operator, "/v1/adjustments", credit(&served.ann.id, "25")).await;
        let path = format!("/v1/adjustments/{}", made["id"].as_str().unwrap());
        let decide = |number: usize| {
            let (served, path) = (&served, &path);
            let decision = if number.is_multiple_of(2) { "approve" } else { "reject" };
            async move { served.post(&served.second_operator, &format!("{path}/{decision}"), json!({})).await.0 }
        };
        let answers = futures::future::join_all((0..20).map(decide)).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 10, "{answers:?}");
        let state = served.get(&served.operator, &path).await.1["state"].clone();
        let booked = if state == "approved" { 25_000_000 } else { 0 };
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await.0, USER_FUNDS + booked);
        served.stage.prove().await;
    });
}

#[test]
fn an_adjustment_without_a_reason_an_amount_or_a_subject_is_refused() {
    on_each_database(async |stage: Stage| {
        let served = served(stage).await;
        let ann = &served.ann.id;
        let with = |field: &str, value: Value| {
            let mut body = credit(ann, "1");
            body[field] = value;
            body
        };
        let cases = [
            (with("reason", json!("")), "bad_reason"),
            (with("reason", json!(" x")), "bad_reason"),
            (with("reason", json!("x".repeat(501))), "bad_reason"),
            (with("amount", json!("0")), "bad_amount"),
            (with("amount", json!("0.0000001")), "bad_amount"),
            (with("asset", json!("NONE")), "unknown_asset"),
            (with("partner", json!("acme")), "bad_parties"),
            (with("direction", json!("sideways")), "bad_json"),
            (with("extra", json!(1)), "bad_json"),
        ];
        for (body, code) in cases {
            let (status, refused) = served.post(&served.operator, "/v1/adjustments", body.clone()).await;
            assert_eq!(refused["error"]["code"], code, "{status} {body}");
        }
    });
}
