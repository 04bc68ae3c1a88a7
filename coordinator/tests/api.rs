//! The HTTP rim: error shape, credentials, idempotency keys, treasury. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::people::create::{self, Created};
use airlock_coordinator::people::{AccessError, Scope};
use futures::future::join_all;
use serde_json::json;
use stage::{Served, answer, on_each_database};

const TRON: &str = "tron:0xa1710c4b";
const HOT: &str = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8";

#[test]
fn every_refusal_has_the_one_shape() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let url = |path: &str| format!("{}{path}", served.url);
        let token = &served.token(&served.operator).await;
        let http = &served.http;
        let big = vec![b'x'; served.stage.app.config.server.body_limit_bytes + 1];
        let approve = url("/v1/withdrawals/x/approve");
        let cases = [
            (404, "no_such_route", http.get(url("/nowhere"))),
            (405, "method_not_allowed", http.delete(url("/v1/balances"))),
            (401, "unauthorized", http.get(url("/v1/balances"))),
            (401, "unauthorized", http.get(url("/v1/balances")).bearer_auth("alk_00")),
            (
                400,
                "bad_json",
                http.post(&approve).bearer_auth(token).header("Content-Type", "application/json").body("{"),
            ),
            (
                400,
                "bad_json",
                http.post(&approve)
                    .bearer_auth(token)
                    .header("Content-Type", "application/json")
                    .body("{\"revision\":1,\"x\":2}"),
            ),
            (
                400,
                "bad_json",
                http.post(&approve)
                    .bearer_auth(token)
                    .header("Content-Type", "application/json")
                    .body("{\"revision\":1}{}"),
            ),
            (
                400,
                "bad_json",
                http.post(&approve)
                    .bearer_auth(token)
                    .header("Content-Type", "application/json")
                    .body("{\"revision\":1,\"revision\":1}"),
            ),
            (400, "bad_query", http.get(url("/v1/withdrawals?limit=501")).bearer_auth(token)),
            (400, "bad_query", http.get(url("/v1/withdrawals?colour=red")).bearer_auth(token)),
            (422, "user_needed", http.get(url("/v1/balances")).bearer_auth(token)),
            (404, "not_found", http.get(url("/v1/balances?user=nobody")).bearer_auth(token)),
            (404, "not_found", http.get(url("/v1/withdrawals/nothing")).bearer_auth(token)),
            (400, "bad_query", http.get(url("/v1/batches?limit=0")).bearer_auth(token)),
            (400, "bad_query", http.get(url("/v1/batches?state=done")).bearer_auth(token)),
            (
                422,
                "why_needed",
                http.post(url("/v1/alerts/x/close"))
                    .bearer_auth(token)
                    .header("Content-Type", "application/json")
                    .body("{\"why\":\"\"}"),
            ),
            (
                422,
                "why_needed",
                http.post(url("/v1/batches/x/abandon"))
                    .bearer_auth(token)
                    .header("Content-Type", "application/json")
                    .body("{\"why\":\"a\\u0000\"}"),
            ),
            (
                413,
                "body_too_large",
                http.post(&approve).bearer_auth(token).header("Content-Type", "application/json").body(big),
            ),
        ];
        for (status, code, request) in cases {
            let (found, body) = answer(request).await;
            assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{body}");
        }
    });
}

#[test]
fn only_an_object_that_says_it_is_json_is_read_and_a_refusal_says_where() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let token = &served.token(&served.operator).await;
        let approve = format!("{}/v1/withdrawals/x/approve", served.url);
        let good = "{\"revision\":1}";
        for (kind, text, status, code, told) in [
            (Some("text/plain"), good, 415, "unsupported_media_type", "application/json"),
            (
                Some("application/x-www-form-urlencoded"),
                good,
                415,
                "unsupported_media_type",
                "application/json",
            ),
            (Some("application/jsonx"), good, 415, "unsupported_media_type", "application/json"),
            (None, good, 415, "unsupported_media_type", "application/json"),
            (Some("application/json; charset=utf-8"), good, 404, "not_found", "withdrawal"),
            (Some("APPLICATION/JSON"), good, 404, "not_found", "withdrawal"),
            (Some("application/json"), "", 400, "bad_json", "line 1"),
            (Some("application/json"), "[1]", 400, "bad_json", "object at line 1 column 1"),
            (Some("application/json"), "null", 400, "bad_json", "object at line 1 column 1"),
            (Some("application/json"), "{\n \"revision\": \"1\"}", 400, "bad_json", "line 2 column 16"),
            (Some("application/json"), "{\"revision\":1.5}", 400, "bad_json", "expected i64"),
            (Some("application/json"), "{\"revision\":1,\"x\":2}", 400, "bad_json", "unknown field `x`"),
            (Some("application/json"), "{}", 400, "bad_json", "missing field `revision`"),
        ] {
            let mut request = served.http.post(&approve).bearer_auth(token).body(text.to_owned());
            if let Some(kind) = kind {
                request = request.header("Content-Type", kind);
            }
            let (found, body) = answer(request).await;
            assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{text} {body}");
            assert!(body["error"]["message"].as_str().unwrap().contains(told), "{text} {body}");
        }
    });
}

#[test]
fn a_refusal_speaks_the_callers_language_and_names_it() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        for (asked, tag, text) in [
            (None, "en", "There is no such route"),
            (Some("de"), "en", "There is no such route"),
            (Some("zh-CN, en;q=0.8"), "zh", "路径不存在"),
            (Some("en;q=0.3, ko-KR;q=0.9"), "ko", "해당 경로가 없습니다"),
        ] {
            let mut request = served.http.get(format!("{}/nowhere", served.url));
            if let Some(asked) = asked {
                request = request.header("Accept-Language", asked);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["content-language"], tag);
            assert_eq!(response.headers()["vary"], "accept-language");
            let body: serde_json::Value = response.json().await.unwrap();
            assert_eq!(body["error"]["message"], text);
        }
    });
}

#[test]
fn the_description_and_its_page_are_served_to_everybody_and_to_no_script() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let document: serde_json::Value = served
            .http
            .get(format!("{}/openapi.json", served.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(document, airlock_coordinator::api::described().1);
        for (path, kind) in
            [("/docs", "text/html; charset=utf-8"), ("/docs/style.css", "text/css; charset=utf-8")]
        {
            let response = served.http.get(format!("{}{path}", served.url)).send().await.unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["content-type"]),
                (200, &kind.parse().unwrap())
            );
            let policy = response.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
        }
    });
}

#[test]
fn a_handler_that_panics_or_hangs_is_answered_in_the_one_shape() {
    async fn panics() {
        panic!("on purpose");
    }
    on_each_database(|stage| async move {
        let config = stage::config(&stage.url, "[server]\nrequest_timeout_ms = 50");
        let app = airlock_coordinator::app::App::open(config, stage.app.clock.clone()).await.unwrap();
        let routes = axum::Router::new()
            .route("/panic", axum::routing::get(panics))
            .route("/hang", axum::routing::get(std::future::pending::<()>));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = airlock_coordinator::api::with_rim(routes, app);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let served = Served::open(stage).await;
        let panicked = answer(served.http.get(format!("{base}/panic"))).await;
        assert_eq!((panicked.0, panicked.1["error"]["code"].as_str()), (500, Some("internal")));
        let hung = answer(served.http.get(format!("{base}/hang"))).await;
        assert_eq!((hung.0, hung.1["error"]["retryable"].as_bool()), (504, Some(true)));
    });
}

#[test]
fn health_needs_no_credential() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        for path in ["/health", "/health/live", "/health/ready"] {
            let (status, body) = answer(served.http.get(format!("{}{path}", served.url))).await;
            assert_eq!(status, 200, "{path} {body}");
        }
    });
}

#[test]
fn opening_capital_is_booked_once_and_by_operators_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let path = "/v1/treasury/opening-capital";
        let body = json!({ "network": TRON, "wallet": HOT, "asset": "USDT", "amount_base": "5000000000" });
        assert_eq!(served.post_once(&served.partner, path, "k1", body.clone()).await.0, 403);
        assert_eq!(served.post(&served.operator, path, body.clone()).await.0, 400);
        let first = served.post_once(&served.operator, path, "k1", body.clone()).await;
        assert_eq!(first.0, 201, "{}", first.1);
        assert_eq!(served.post_once(&served.operator, path, "k1", body).await, first);
        for (field, value, code) in [
            ("network", "tron:0x2b6653dc", "unknown_network"),
            ("wallet", "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "not_our_wallet"),
            ("asset", "BNB", "unknown_asset"),
            ("amount_base", "0", "bad_amount"),
            ("amount_base", "1.5", "bad_amount"),
        ] {
            let mut body =
                json!({ "network": TRON, "wallet": HOT, "asset": "USDT", "amount_base": "5000000000" });
            body[field] = json!(value);
            let (status, body) = served.post_once(&served.operator, path, "k2", body).await;
            assert_eq!((status, body["error"]["code"].as_str()), (422, Some(code)), "{body}");
        }
        let (_, trial) = served.get(&served.operator, "/v1/ledger/trial-balance").await;
        assert_eq!(trial["balanced"], true);
        assert_eq!(trial["assets"][0]["debit"], "5000");
        assert_eq!(served.get(&served.ann, "/v1/ledger/trial-balance").await.0, 403);
        served.stage.prove().await;
    });
}

#[test]
fn a_hundred_parallel_repeats_have_one_effect_and_one_answer() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let ann = served.ann.id.clone();
        served.stage.give(&ann, "USDT", 100_000_000).await;
        let body = json!({ "network": TRON, "asset": "USDT", "to": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "amount": "5" });
        // The token's own contract is refused, and a refusal is not stored: the key is still free.
        let refused = served.post_once(&served.ann, "/v1/withdrawals", "k", body.clone()).await;
        assert_eq!(refused.1["error"]["code"], "token_contract");
        let mut good = body.clone();
        good["to"] = json!("TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb");
        let served = &served;
        let answers =
            join_all((0..100).map(|_| served.post_once(&served.ann, "/v1/withdrawals", "k", good.clone())))
                .await;
        assert_eq!(answers[0].0, 201, "{}", answers[0].1);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(served.stage.balance(&ann, "USDT").await, (94_000_000, 6_000_000));
        let mut other = good.clone();
        other["amount"] = json!("6");
        let (status, body) = served.post_once(&served.ann, "/v1/withdrawals", "k", other).await;
        assert_eq!((status, body["error"]["code"].as_str()), (409, Some("idempotency_key_reused")));
        // Another caller's key is another key.
        served.stage.give(&served.bob.id, "USDT", 100_000_000).await;
        assert_eq!(served.post_once(&served.bob, "/v1/withdrawals", "k", good).await.0, 201);
        served.stage.prove().await;
    });
}

#[test]
fn a_repeat_gets_the_first_answer_although_the_settings_changed_since() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let to = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb";
        let body = json!({ "network": TRON, "asset": "USDT", "to": to, "amount": "5" });
        let first = served.post_once(&served.ann, "/v1/withdrawals", "k", body.clone()).await;
        assert_eq!(first.0, 201, "{}", first.1);
        // A coordinator that was started again with a higher minimum.
        let networks = stage::NETWORKS.replace("amount_min = \"2\"", "amount_min = \"50\"");
        let config = format!("{networks}\n[database]\nurl = {:?}\n", served.stage.url);
        let mut config = airlock_coordinator::config::Config::from_toml(&config).unwrap();
        config.home = stage::config(&served.stage.url, "").home;
        let app = airlock_coordinator::app::App::open(config, served.stage.app.clock.clone()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/withdrawals", listener.local_addr().unwrap());
        let router = airlock_coordinator::api::router(app);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let token = served.token(&served.ann).await;
        let ask = |key: &str| {
            let request = served.http.post(&url).bearer_auth(&token).json(&body);
            answer(request.header("Idempotency-Key", key))
        };
        assert_eq!(ask("k").await, first);
        assert_eq!(ask("other").await.1["error"]["code"], "below_minimum");
        served.stage.prove().await;
    });
}

#[test]
fn a_text_that_no_database_can_hold_is_the_callers_mistake() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        for path in ["/v1/balances?user=%00", "/v1/withdrawals/%00", "/v1/batches/%00"] {
            let (status, body) = served.get(&served.operator, path).await;
            assert!(status == 400 || status == 404, "{path}: {body}");
        }
        let body = json!({ "user": "a\u{0}", "network": TRON });
        let (status, body) = served.post(&served.operator, "/v1/deposit-addresses", body).await;
        assert!(status == 400 || status == 404, "{body}");
    });
}

#[test]
fn people_see_their_own_money_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let other =
            airlock_coordinator::people::create::partner(&served.stage.app.writer, "other").await.unwrap();
        let other = served.key(&other.id, &Scope::ALL).await;
        served.stage.give(&served.ann.id, "USDT", 1_500_000).await;
        let of_ann = format!("/v1/balances?user={}", served.ann.id);
        let (_, own) = served.get(&served.ann, "/v1/balances").await;
        assert_eq!(own["balances"][0], json!({ "asset": "USDT", "available": "1.5", "held": "0" }));
        assert_eq!(served.get(&served.partner, &of_ann).await.1, own);
        assert_eq!(served.get(&served.operator, &of_ann).await.1, own);
        assert_eq!(served.get(&served.bob, &of_ann).await.0, 404);
        assert_eq!(served.get(&other, &of_ann).await.0, 404);
    });
}

#[test]
fn a_person_is_made_once_and_bad_names_are_refused() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let writer = &served.stage.app.writer;
        let every = stage::every_role();
        let exists = |made: Result<Created, AccessError>| matches!(made, Err(AccessError::Exists { .. }));
        let named = |made: Result<Created, AccessError>| matches!(made, Err(AccessError::Name { .. }));
        assert!(exists(create::person(writer, "house", "alice", &every).await));
        assert!(named(create::person(writer, "house", "Alice B", &every).await));
        assert!(exists(create::partner(writer, "acme").await));
        assert!(named(create::partner(writer, " acme").await));
        assert!(exists(create::user(writer, "acme", "ann").await));
        let nowhere = create::user(writer, "nobody", "ann").await;
        assert!(matches!(nowhere, Err(AccessError::NotFound { .. })));
    });
}

#[test]
fn an_idempotency_key_that_stands_there_twice_is_refused() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let body = json!({ "kind": "transfer", "to": served.bob.id, "asset": "USDT", "amount": "1" });
        let request = served.request(&served.ann, "POST", "/v1/transfers", Some(&body), Some("k1")).await;
        let (status, refused) = stage::answer(request.header("Idempotency-Key", "k2")).await;
        assert_eq!(
            (status, refused["error"]["code"].as_str()),
            (400, Some("idempotency_key_needed")),
            "{refused}"
        );
        assert_eq!(served.stage.balance(&served.bob.id, "USDT").await, (0, 0));
    });
}
