//! What the OWASP API Security Top 10 (2023) asks beyond what the capabilities' own tests show: real requests, on SQLite.
//!
//! `docs/owasp.md` lists three tests for each risk, these among them, and `proofs.rs` checks that every one exists.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod stage;

use access::askers::{Answer, told};
use access::{Asker, Askers, Kind, Objects, Owner, ROUTES, Route, Whose};
use airlock_coordinator::api;
use serde_json::{Value, json};
use stage::{Served, Stage};
use std::collections::BTreeSet;
use std::future::Future;

struct Field {
    served: Served,
    objects: Objects,
    askers: Askers,
}

fn on_sqlite<F: Future<Output = ()>>(story: impl FnOnce(Field) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let served = Served::open(Stage::open(None).await).await;
        let objects = Objects::make(&served).await;
        let askers = Askers::open(&served.stage, &served.url, &served.partner.id, &served.ann.id).await;
        story(Field { served, objects, askers }).await;
    });
}

impl Field {
    /// The one of that name.
    fn asker(&self, name: &str) -> &Asker {
        self.askers.all.iter().find(|asker| asker.name == name).unwrap_or_else(|| panic!("{name}: nobody"))
    }

    fn fill(&self, text: &str, owner: Owner) -> Option<String> {
        Some(self.objects.fill(text, owner)?.replace("$fresh", &self.askers.fresh()))
    }
}

/// An answer without what differs between any two: ids of requests.
fn bare(answer: &Answer) -> (u16, Value) {
    let mut body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if let Some(error) = body.get_mut("error") {
        error["request_id"] = Value::Null;
    }
    (answer.status, body)
}

/// Everybody who has the route's permission, with a fresh factor, and is not of the house.
fn may(route: &Route, asker: &Asker) -> bool {
    let (_, who, _) =
        access::table::PERMISSIONS.iter().find(|row| row.0 == route.permission).unwrap_or(&("", "", false));
    let has = |word: &str| who.split(' ').any(|one| one == word);
    match &asker.kind {
        Kind::User => has("user"),
        Kind::Key(scope) => has(&format!("key:{}", scope.name())),
        Kind::Staff { house: false, roles, stepped_up: true } => roles.iter().any(|role| has(role.name())),
        _ => false,
    }
}

/// Every schema of a JSON body that is read, with its route.
fn bodies(document: &Value) -> Vec<(String, &Value)> {
    let mut bodies = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if let Some(target) = schema["$ref"].as_str() {
                bodies.push((
                    format!("{method} {path}"),
                    document.pointer(target.trim_start_matches('#')).unwrap(),
                ));
            }
        }
    }
    bodies
}

/// API1: whoever tries ids learns nothing: a foreign object and a missing one are answered in the same words.
#[test]
fn a_foreign_object_is_answered_in_the_words_of_a_missing_one() {
    on_sqlite(async |field| {
        let mut compared = 0;
        for route in ROUTES.iter().filter(|route| route.whose == Whose::Tenant) {
            for ask in route.asks.iter().filter(|ask| ask.url.contains('$') || ask.body.contains("$user")) {
                for asker in field.askers.all.iter().filter(|asker| may(route, asker)) {
                    let mut answers = Vec::new();
                    for owner in [Owner::Nobody, Owner::Gina, Owner::Hugo] {
                        let (Some(url), Some(body)) =
                            (field.fill(ask.url, owner), field.fill(ask.body, owner))
                        else {
                            continue;
                        };
                        answers.push(bare(&field.askers.ask(asker, route.method, &url, &body).await));
                    }
                    assert!(
                        answers.windows(2).all(|two| two[0] == two[1]),
                        "{} {} by {}: {answers:?}",
                        route.method,
                        ask.url,
                        asker.name
                    );
                    compared += answers.len();
                }
            }
        }
        assert!(compared > 300, "{compared}");
    });
}

/// API3: what only we set cannot be set by naming it.
#[test]
fn fields_that_only_we_set_are_refused_in_every_body() {
    on_sqlite(async |field| {
        let ours = [
            "id",
            "state",
            "partner_id",
            "roles",
            "fee",
            "fee_minor",
            "approved",
            "balance",
            "is_admin",
            "made_by",
            "stepped_up",
        ];
        let document = api::described().1;
        let readable: BTreeSet<String> = bodies(&document).into_iter().map(|(name, _)| name).collect();
        let mut tried = 0;
        for route in
            ROUTES.iter().filter(|route| readable.contains(&format!("{} {}", route.method, route.path)))
        {
            let Some(asker) =
                field.askers.all.iter().find(|asker| may(route, asker) || route.whose == Whose::Public)
            else {
                continue;
            };
            let (url, body) = (
                field.fill(route.asks[0].url, Owner::Ann).unwrap(),
                field.fill(route.asks[0].body, Owner::Ann).unwrap(),
            );
            let valid: Value = serde_json::from_str(&body).unwrap();
            for name in ours.into_iter().filter(|name| valid.get(name).is_none()) {
                let mut more = valid.clone();
                more[name] = json!("1");
                let answer = field.askers.ask(asker, route.method, &url, &more.to_string()).await;
                // Where it is a field after all, its type is wrong.
                assert_eq!(
                    (answer.status, answer.code.as_str()),
                    (400, "bad_json"),
                    "{} {url} {name}: {}",
                    route.method,
                    answer.text
                );
                tried += 1;
            }
        }
        assert!(tried > 200, "{tried}");
    });
}

/// API4: no list answers more than 500 rows, whoever asks.
#[test]
fn no_page_is_larger_than_five_hundred_rows() {
    on_sqlite(async |field| {
        let document = api::described().1;
        let mut lists = 0;
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method];
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if !parameters.iter().any(|parameter| parameter["name"] == "limit") {
                continue;
            }
            let everything = "house operator";
            let asker =
                if route.permission.starts_with("manage") { "house administrator" } else { everything };
            let asker = if route.permission == "see_audit" { "house auditor" } else { asker };
            let url = field.fill(route.asks.last().unwrap().url, Owner::Ann).unwrap();
            let joint = if url.contains('?') { '&' } else { '?' };
            for limit in ["0", "501", "-1", "18446744073709551616", "1e2", "1,2"] {
                let answer = field
                    .askers
                    .ask(field.asker(asker), "get", &format!("{url}{joint}limit={limit}"), "")
                    .await;
                assert_eq!(
                    (answer.status, answer.code.as_str()),
                    (400, "bad_query"),
                    "{url} {limit}: {}",
                    answer.text
                );
            }
            let answer =
                field.askers.ask(field.asker(asker), "get", &format!("{url}{joint}limit=500"), "").await;
            assert_eq!(answer.status, 200, "{url}: {}", answer.text);
            lists += 1;
        }
        assert!(lists >= 8, "{lists}");
    });
}

/// API4: JSON that is deep, wide or long is refused by its size or its depth, and soon.
#[test]
fn deep_and_long_json_is_refused_soon() {
    on_sqlite(async |field| {
        let begun = std::time::Instant::now();
        let user = field.asker("user");
        for (what, body) in [
            ("deep", "[".repeat(100_000)),
            ("deep in a field", format!(r#"{{"kind":{}"#, r#"{"a":"#.repeat(20_000))),
            (
                "wide",
                format!(
                    r#"{{{}}}"#,
                    (0..20_000).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(",")
                ),
            ),
            ("long", format!(r#"{{"note":"{}"}}"#, "a".repeat(3_000_000))),
            ("a long number", format!(r#"{{"amount":{}}}"#, "9".repeat(500_000))),
        ] {
            let answer = field.askers.ask(user, "post", "/v1/transfers", &body).await;
            let refused = ["bad_json", "body_too_large"].contains(&answer.code.as_str());
            assert!(refused, "{what}: {} {}", answer.status, answer.text);
        }
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    });
}

/// API5: a method that a route lacks is refused to everybody, and no header makes one method another.
#[test]
fn a_method_that_a_route_lacks_is_refused_and_no_header_overrides_it() {
    on_sqlite(async |field| {
        let operator = field.asker("house administrator");
        for route in ROUTES {
            let url = field.fill(route.asks[0].url, Owner::Ann).unwrap();
            let there: Vec<&str> =
                ROUTES.iter().filter(|other| other.path == route.path).map(|other| other.method).collect();
            for method in ["get", "post", "put", "patch", "delete", "trace", "propfind"] {
                if there.contains(&method) || (method == "get" && there.contains(&"head")) {
                    continue;
                }
                let answer = field.askers.ask(operator, method, &url, "").await;
                assert_eq!(
                    (answer.status, answer.code.as_str()),
                    (405, "method_not_allowed"),
                    "{method} {url}: {}",
                    answer.text
                );
            }
        }
        // The key in the path of the DELETE lives on.
        let token = field.served.token(&field.served.operator).await;
        let key = field.fill("$key", Owner::Ann).unwrap();
        for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let url = format!("{}/v1/keys/{key}?_method=DELETE", field.served.url);
            let answer = told(field.served.http.post(url).bearer_auth(&token).header(header, "DELETE")).await;
            assert_eq!(answer.status, 405, "{header}");
        }
        let (_, keys) = field.served.get(&field.served.operator, "/v1/keys").await;
        let found =
            keys["keys"].as_array().unwrap().iter().find(|one| one["id"] == key.as_str()).cloned().unwrap();
        assert_eq!(found["state"], "active");
    });
}

/// API6: the flows that cost money ask for one key each, and a repeat is one effect; without the key nothing is taken.
#[test]
fn money_is_moved_only_under_an_idempotency_key() {
    on_sqlite(async |field| {
        let user = field.served.token(&field.served.ann).await;
        let body = json!({ "kind": "transfer", "to": field.served.bob.id, "asset": "USDT", "amount": "1" });
        let withdrawal = json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "amount": "5", "to": "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb" });
        for (path, body) in [("/v1/transfers", body), ("/v1/withdrawals", withdrawal)] {
            let url = format!("{}{path}", field.served.url);
            let before = field.served.stage.balance(&field.served.ann.id, "USDT").await;
            for key in [None, Some(""), Some("two words"), Some(&*"k".repeat(1_000))] {
                let mut request = field.served.http.post(&url).bearer_auth(&user).json(&body);
                if let Some(key) = key {
                    request = request.header("Idempotency-Key", key);
                }
                let answer = told(request).await;
                assert_eq!(answer.code, "idempotency_key_needed", "{path} {key:?}: {}", answer.text);
            }
            assert_eq!(field.served.stage.balance(&field.served.ann.id, "USDT").await, before);
        }
    });
}

/// API7: nothing that the API reads is meant to be a URL, so there is nothing to fetch.
#[test]
fn no_field_of_the_api_takes_a_url() {
    fn names(value: &Value, found: &mut Vec<String>) {
        if let Some(map) = value.as_object() {
            for (name, value) in map {
                let suspect = ["url", "uri", "callback", "webhook", "redirect", "link", "href"];
                if suspect.iter().any(|word| name.to_lowercase().contains(word)) {
                    found.push(name.clone());
                }
                if name == "format" && (value == "uri" || value == "url") {
                    found.push("format".to_owned());
                }
                names(value, found);
            }
        }
    }
    let document = api::described().1;
    for (route, schema) in bodies(&document) {
        let mut found = Vec::new();
        names(schema, &mut found);
        assert!(
            found.is_empty(),
            "{route}: {found:?}; whatever fetches it must refuse our own networks (case 83)"
        );
    }
}

/// API7: a URL in any text is a text: nobody is called.
#[test]
fn a_url_in_any_text_is_never_fetched() {
    on_sqlite(async |field| {
        let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bait = format!("http://{}/latest/meta-data", trap.local_addr().unwrap());
        for route in ROUTES.iter().filter(|route| !route.asks[0].body.is_empty()) {
            let Some(asker) =
                field.askers.all.iter().find(|asker| may(route, asker) || route.whose == Whose::Public)
            else {
                continue;
            };
            let (url, body) = (
                field.fill(route.asks[0].url, Owner::Ann).unwrap(),
                field.fill(route.asks[0].body, Owner::Ann).unwrap(),
            );
            let valid: Value = serde_json::from_str(&body).unwrap();
            let names: Vec<String> = valid.as_object().unwrap().keys().cloned().collect();
            for name in names {
                let mut baited = valid.clone();
                baited[&name] = json!(bait);
                field.askers.ask(asker, route.method, &url, &baited.to_string()).await;
            }
        }
        let came = tokio::time::timeout(std::time::Duration::from_millis(500), trap.accept()).await;
        assert!(came.is_err(), "somebody fetched {bait}");
    });
}

/// API8 and case 89: another site's page gets no word from us, and cannot make a browser act for somebody: there is no cookie.
#[test]
fn other_origins_are_given_nothing_and_there_is_no_cookie() {
    on_sqlite(async |field| {
        let (http, url) = (&field.served.http, &field.served.url);
        let token = field.served.token(&field.served.operator).await;
        for path in ["/v1/me", "/v1/people", "/health", "/openapi.json", "/v1/none"] {
            let asked =
                http.get(format!("{url}{path}")).header("Origin", "https://evil.example").bearer_auth(&token);
            let answer = asked.send().await.unwrap();
            let named = answer
                .headers()
                .keys()
                .find(|name| name.as_str().starts_with("access-control") || name.as_str() == "set-cookie");
            assert_eq!(named, None, "{path}");
        }
        let before = http.request(reqwest::Method::OPTIONS, format!("{url}/v1/transfers"));
        let before =
            before.header("Origin", "https://evil.example").header("Access-Control-Request-Method", "POST");
        assert_eq!(told(before).await.status, 405);
        // A token in a cookie, a query or a form is none; a form is no JSON.
        let balances = format!("{url}/v1/balances");
        assert_eq!(
            told(
                http.get(&balances).header("Cookie", format!("token={token}; Authorization=Bearer {token}"))
            )
            .await
            .status,
            401
        );
        assert_eq!(told(http.get(format!("{balances}?access_token={token}"))).await.status, 401);
        let form = http
            .post(format!("{url}/v1/auth/login"))
            .header("Content-Type", "application/x-www-form-urlencoded");
        assert_eq!(told(form.body("email=a%40x.org&password=x")).await.code, "unsupported_media_type");
        let text = http.post(format!("{url}/v1/auth/login")).header("Content-Type", "text/plain");
        assert_eq!(
            told(text.body(r#"{"email":"a@x.org","password":"x"}"#)).await.code,
            "unsupported_media_type"
        );
    });
}

/// API8 and case 89: what people write comes back as JSON and never as a page; the API's own page has no script.
#[test]
fn what_people_write_is_never_a_page() {
    on_sqlite(async |field| {
        let script = "<script>alert(1)</script>";
        let body = json!({ "kind": "transfer", "to": field.served.bob.id, "asset": "USDT", "amount": "1", "note": script });
        let (status, made) = field.served.post_once(&field.served.ann, "/v1/transfers", "xss", body).await;
        assert_eq!((status, made["note"].as_str()), (201, Some(script)));
        let (status, partner) =
            field.served.post(&field.served.operator, "/v1/partners", json!({ "name": script })).await;
        assert_eq!(status, 201, "{partner}");
        for (who, path) in [
            (&field.served.bob, "/v1/transactions".to_owned()),
            (&field.served.operator, "/v1/partners".to_owned()),
            (&field.served.operator, "/v1/audit".to_owned()),
            (&field.served.bob, format!("/v1/{script}")),
        ] {
            let answer = field.served.request(who, "GET", &path, None, None).await.send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        }
        let page = field.served.http.get(format!("{}/docs", field.served.url)).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = page.text().await.unwrap().to_lowercase();
        assert!(!text.contains("<script") && !text.contains("onerror="), "the page has a script");
    });
}

/// API8: a refusal tells nothing of what we are made of.
#[test]
fn a_refusal_tells_nothing_of_our_insides() {
    on_sqlite(async |field| {
        let words = [
            "sqlx",
            "sqlite",
            "postgres",
            "select ",
            "insert ",
            "panicked",
            ".rs:",
            "/src/",
            "stack backtrace",
            "airlock_coordinator",
        ];
        for route in ROUTES {
            for asker in
                field.askers.all.iter().filter(|asker| may(route, asker) || asker.kind == Kind::Nobody)
            {
                let url = field.fill(route.asks[0].url, Owner::Nobody).unwrap();
                for body in [
                    field.fill(route.asks[0].body, Owner::Nobody).unwrap(),
                    "{\"a\":".to_owned(),
                    "\u{0}".to_owned(),
                ] {
                    let answer = field.askers.ask(asker, route.method, &url, &body).await;
                    let text = answer.text.to_lowercase();
                    let told = words.iter().find(|word| answer.status >= 400 && text.contains(**word));
                    assert_eq!(told, None, "{} {url} by {}: {text}", route.method, asker.name);
                }
            }
        }
    });
}

/// API9: one version, no forgotten door: what is not described is not served.
#[test]
fn nothing_is_served_that_is_not_described() {
    on_sqlite(async |field| {
        let token = field.served.token(&field.served.operator).await;
        for path in [
            "/",
            "/v0/balances",
            "/v2/balances",
            "/api/v1/balances",
            "/balances",
            "/signup",
            "/login",
            "/me",
            "/admin",
            "/admin/balances",
            "/admin/send",
            "/v1",
            "/v1/",
            "/v1/admin",
            "/v1/debug",
            "/v1/people/../balances/x",
            "/debug/pprof",
            "/actuator/health",
            "/swagger",
            "/graphql",
            "/.env",
            "/.git/config",
            "/v1//balances",
            "/V1/balances",
            "/v1/balances/",
            "/v1/balances;x=1",
            "/v1/credentials",
            "/health/",
            "/server-status",
            "/phpmyadmin",
            "/console",
            "/v1/test",
            "/v1/internal",
        ] {
            let answer =
                told(field.served.http.get(format!("{}{path}", field.served.url)).bearer_auth(&token)).await;
            assert_eq!(
                (answer.status, answer.code.as_str()),
                (404, "no_such_route"),
                "{path}: {}",
                answer.text
            );
        }
        // And beside what is described, the description itself and nothing else.
        for path in ["/openapi.json", "/docs"] {
            let answer = field.served.http.get(format!("{}{path}", field.served.url)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
        }
    });
}
