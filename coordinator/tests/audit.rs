//! The audit log over the API: every action leaves its row, refusals and sensitive reads too, no secret ever, and everybody sees
//! what they may (P6, case 90). On both databases.

// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::alerts;
use airlock_coordinator::app::App;
use airlock_coordinator::audit::chain::Entry;
use airlock_coordinator::audit::{Action, store};
use airlock_coordinator::clock::Clock;
use airlock_coordinator::people::{Role, Scope};
use serde_json::{Value, json};
use stage::{MOMENT, Served, Stage, Who, on_each_database};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use totp_rs::Totp;

const TRON: &str = "tron:0xa1710c4b";
const TO: &str = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb";
const HOT: &str = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8";
const PASSWORD: &str = "a long and quiet river 7";

/// Routes that change something and need signers, chains or batches: the end-to-end stories go through them. Their rows are
/// looked for in `tests/tests/batch.rs` and `tests/tests/deposit.rs`.
const ELSEWHERE: &[&str] = &[
    "POST /v1/deposit-addresses",
    "POST /v1/xpubs",
    "POST /v1/attestations",
    "POST /v1/signers",
    "POST /v1/policies",
    "POST /v1/wallets",
    "POST /v1/batches",
    "POST /v1/batches/{id}/abandon",
    "POST /v1/batches/{id}/approvals",
    "POST /v1/batches/{id}/passkey-approvals",
    "POST /v1/batches/{id}/hardware",
    "POST /v1/bundles",
    "POST /v1/replies",
    // These two need an authenticator: `people_factor.rs`.
    "POST /v1/me/passkeys",
    "DELETE /v1/me/passkeys/{credential}",
];

/// A question that is a POST: it hands out a challenge and changes nothing that anybody sees.
const NO_ACTION: &str = "POST /v1/me/passkeys/options";

/// Everything that a story has done and seen.
struct Story {
    served: Served,
    /// Route and request id of every successful change.
    done: Mutex<Vec<(String, String)>>,
    /// What must be in no row.
    secrets: Mutex<BTreeSet<String>>,
}

/// Names of fields whose values are secrets.
const SECRET_FIELDS: [&str; 12] = [
    "access_token",
    "refresh_token",
    "secret",
    "uri",
    "invitation",
    "challenge",
    "recovery_codes",
    "password",
    "present",
    "new",
    "code",
    "recovery_code",
];

fn secrets_in(value: &Value, into: &mut BTreeSet<String>, inside: bool) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                secrets_in(value, into, inside || SECRET_FIELDS.contains(&name.as_str()));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| secrets_in(item, into, inside)),
        Value::String(text) if inside => drop(into.insert(text.clone())),
        _ => {}
    }
}

impl Story {
    async fn open(mut stage: Stage) -> Self {
        let config = stage::config(&stage.url, "[auth]\nsign_up = \"house\"");
        stage.app = App::open(config, Clock::set_at(MOMENT)).await.unwrap();
        Self { served: Served::open(stage).await, done: Mutex::default(), secrets: Mutex::default() }
    }

    /// A change by somebody of the stage. `route` is the path as the API's description spells it.
    async fn by(&self, who: &Who, route: &str, path: &str, body: Option<Value>) -> Value {
        let once = matches!(
            route,
            "POST /v1/transfers" | "POST /v1/withdrawals" | "POST /v1/treasury/opening-capital"
        )
        .then(|| airlock_coordinator::db::random_id().unwrap());
        let method = route.split(' ').next().unwrap();
        let request = self.served.request(who, method, path, body.as_ref(), once.as_deref()).await;
        self.send(route, request, body).await
    }

    /// A change with this token, or none.
    async fn with(&self, token: Option<&str>, route: &str, path: &str, body: Option<Value>) -> Value {
        let (method, url) = (route.split(' ').next().unwrap(), format!("{}{path}", self.served.url));
        let mut request = self.served.http.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            self.secrets.lock().unwrap().insert(token.to_owned());
            request = request.bearer_auth(token);
        }
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        self.send(route, request, body).await
    }

    async fn send(&self, route: &str, request: reqwest::RequestBuilder, body: Option<Value>) -> Value {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let credential =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let response = client.execute(request).await.unwrap();
        let status = response.status();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let answer: Value = response.json().await.unwrap_or_default();
        assert!(status.is_success(), "{route}: {status} {answer}");
        let mut secrets = self.secrets.lock().unwrap();
        secrets_in(&body.unwrap_or_default(), &mut secrets, false);
        secrets_in(&answer, &mut secrets, false);
        secrets.extend(credential.and_then(|text| text.rsplit([' ', '=']).next().map(str::to_owned)));
        self.done.lock().unwrap().push((route.to_owned(), id));
        answer
    }

    async fn rows(&self) -> Vec<Entry> {
        let app = &self.served.stage.app;
        store::rows_after(&mut app.db.reader().await.unwrap(), 0, 100_000).await.unwrap()
    }

    async fn money_and_partners(&self) {
        let (served, alice, oscar) = (&self.served, &self.served.operator, &self.served.second_operator);
        let made = self.by(alice, "POST /v1/partners", "/v1/partners", Some(json!({ "name": "zeta" }))).await;
        let partner = format!("/v1/partners/{}", made["id"].as_str().unwrap());
        self.by(alice, "PATCH /v1/partners/{id}", &partner, Some(json!({ "name": "zeta two" }))).await;
        let wallet = json!({ "network": TRON, "address": TO, "role": "hot", "label": "till" });
        let wallets = format!("{partner}/wallets");
        let made = self.by(alice, "POST /v1/partners/{id}/wallets", &wallets, Some(wallet)).await;
        let wallet = format!("{wallets}/{}", made["id"].as_str().unwrap());
        self.by(
            alice,
            "PATCH /v1/partners/{id}/wallets/{wallet}",
            &wallet,
            Some(json!({ "label": "old till" })),
        )
        .await;
        let fees =
            json!({ "network": TRON, "asset": "USDT", "flat": "0.5", "basis_points": 0, "least": "0" });
        self.by(alice, "PUT /v1/partners/{id}/fees", &format!("{partner}/fees"), Some(fees)).await;
        let user = json!({ "external_id": "carol" });
        let user = self.by(&served.partner, "POST /v1/users", "/v1/users", Some(user)).await;
        let user = format!("/v1/users/{}", user["id"].as_str().unwrap());
        self.by(&served.partner, "POST /v1/users/{id}/deactivate", &format!("{user}/deactivate"), None).await;
        self.by(&served.partner, "POST /v1/users/{id}/activate", &format!("{user}/activate"), None).await;
        let key = json!({ "partner": served.partner.id, "label": "till", "scopes": ["read"] });
        let key = self.by(alice, "POST /v1/keys", "/v1/keys", Some(key)).await;
        let path = format!("/v1/keys/{}", key["id"].as_str().unwrap());
        let next = self
            .by(
                alice,
                "POST /v1/keys/{id}/rotate",
                &format!("{path}/rotate"),
                Some(json!({ "overlap_s": 60 })),
            )
            .await;
        let path = format!("/v1/keys/{}", next["id"].as_str().unwrap());
        self.by(alice, "DELETE /v1/keys/{id}", &path, None).await;

        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let transfer = json!({ "kind": "transfer", "to": served.bob.id, "asset": "USDT", "amount": "1.5", "note": "lunch" });
        self.by(&served.ann, "POST /v1/transfers", "/v1/transfers", Some(transfer)).await;
        let quoted = json!({ "network": TRON, "asset": "USDT", "amount": "10" });
        self.by(&served.ann, "POST /v1/withdrawals/quote", "/v1/withdrawals/quote", Some(quoted)).await;
        for last in ["approve", "cancel"] {
            let asked = json!({ "network": TRON, "asset": "USDT", "to": TO, "amount": "10" });
            let made = self.by(&served.ann, "POST /v1/withdrawals", "/v1/withdrawals", Some(asked)).await;
            let path = format!("/v1/withdrawals/{}/{last}", made["id"].as_str().unwrap());
            let (who, body) = match last {
                "approve" => (alice, Some(json!({ "revision": 1 }))),
                _ => (&served.ann, None),
            };
            self.by(who, &format!("POST /v1/withdrawals/{{id}}/{last}"), &path, body).await;
        }
        for last in ["approve", "reject"] {
            let asked = json!({
                "user": served.ann.id, "asset": "USDT", "amount": "2", "direction": "credit", "against": "capital",
                "reason": "a mistake of ours",
            });
            let made = self.by(alice, "POST /v1/adjustments", "/v1/adjustments", Some(asked)).await;
            let path = format!("/v1/adjustments/{}/{last}", made["id"].as_str().unwrap());
            let words = Some(json!({ "words": "looked at" }));
            self.by(oscar, &format!("POST /v1/adjustments/{{id}}/{last}"), &path, words).await;
        }
        let opening = json!({ "network": TRON, "wallet": HOT, "asset": "USDT", "amount_base": "1000000" });
        self.by(alice, "POST /v1/treasury/opening-capital", "/v1/treasury/opening-capital", Some(opening))
            .await;
        self.by(alice, "POST /v1/chains/resume", "/v1/chains/resume", Some(json!({ "network": TRON }))).await;
        let app = &served.stage.app;
        let raised = app.writer.commit(|unit| {
            Box::pin(async move { alerts::raise(unit.db(), "test.alert", "x", "look at this", MOMENT).await })
        });
        raised.await.unwrap();
        let open = alerts::open_of(&mut app.db.reader().await.unwrap(), "", None, 1).await.unwrap();
        let path = format!("/v1/alerts/{}/close", open[0].id);
        self.by(alice, "POST /v1/alerts/{id}/close", &path, Some(json!({ "why": "looked at" }))).await;
    }

    /// Somebody comes: invited, accepting, logging in, with a second factor, and leaving in every way.
    async fn people(&self) {
        let (alice, oscar, app) =
            (&self.served.operator, &self.served.second_operator, &self.served.stage.app);
        let asked = json!({
            "name": "vera", "email": "vera@example.org", "roles": ["auditor"], "partner": self.served.partner.id,
        });
        let invited = self.by(alice, "POST /v1/invitations", "/v1/invitations", Some(asked)).await;
        let accepted = json!({ "invitation": invited["invitation"], "password": PASSWORD });
        self.with(None, "POST /v1/invitations/accept", "/v1/invitations/accept", Some(accepted)).await;
        let credentials = json!({ "email": "vera@example.org", "password": PASSWORD });
        let log_in = async || {
            self.with(None, "POST /v1/auth/login", "/v1/auth/login", Some(credentials.clone())).await
        };
        let limited = log_in().await;
        let token = limited["tokens"]["access_token"].as_str().unwrap().to_owned();
        let begun = self.with(Some(&token), "POST /v1/me/second-factor", "/v1/me/second-factor", None).await;
        let totp = Totp::from_url(begun["uri"].as_str().unwrap()).unwrap();
        let code = || {
            // Each step is taken once.
            app.clock.advance(60_000);
            totp.generate(u64::try_from(app.clock.now() / 1000).unwrap()).to_string()
        };
        let confirm = "/v1/me/second-factor/confirm";
        self.with(
            Some(&token),
            "POST /v1/me/second-factor/confirm",
            confirm,
            Some(json!({ "code": code() })),
        )
        .await;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            let challenge = log_in().await["challenge"].clone();
            let given = json!({ "challenge": challenge, "code": code() });
            let tokens =
                self.with(None, "POST /v1/auth/second-factor", "/v1/auth/second-factor", Some(given)).await;
            let tokens = if tokens["tokens"].is_object() { tokens["tokens"].clone() } else { tokens };
            sessions.push(tokens);
        }
        let refreshed = json!({ "refresh_token": sessions[0]["refresh_token"] });
        self.with(None, "POST /v1/auth/refresh", "/v1/auth/refresh", Some(refreshed)).await;
        let token = sessions[2]["access_token"].as_str().unwrap().to_owned();
        self.with(Some(&token), "POST /v1/auth/step-up", "/v1/auth/step-up", Some(json!({ "code": code() })))
            .await;
        self.with(Some(&token), "POST /v1/me/recovery-codes", "/v1/me/recovery-codes", None).await;
        let first = sessions[1]["access_token"].as_str().unwrap();
        self.with(Some(first), "POST /v1/auth/logout", "/v1/auth/logout", None).await;
        let (_, shown) = stage::answer(
            self.served.http.get(format!("{}/v1/me/sessions", self.served.url)).bearer_auth(&token),
        )
        .await;
        let other = shown["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["current"] == false && one["state"] != "ended");
        if let Some(other) = other {
            let path = format!("/v1/me/sessions/{}", other["id"].as_str().unwrap());
            self.with(Some(&token), "DELETE /v1/me/sessions/{id}", &path, None).await;
        }
        let changed = json!({ "present": PASSWORD, "new": format!("{PASSWORD} again") });
        self.with(Some(&token), "POST /v1/me/password", "/v1/me/password", Some(changed)).await;
        self.with(Some(&token), "POST /v1/auth/logout-everywhere", "/v1/auth/logout-everywhere", None).await;
        for last in ["approve", "reject"] {
            let roles = Some(
                json!({ "roles": if last == "approve" { json!(["operator"]) } else { json!(["auditor"]) } }),
            );
            let change = self.by(alice, "POST /v1/people/{id}/roles", "/v1/people/vera/roles", roles).await;
            let path = format!("/v1/role-changes/{}/{last}", change["id"].as_str().unwrap());
            self.by(oscar, &format!("POST /v1/role-changes/{{id}}/{last}"), &path, None).await;
        }
        self.by(alice, "POST /v1/people/{id}/deactivate", "/v1/people/vera/deactivate", None).await;
        let sign_up = json!({ "email": "dora@example.org", "password": PASSWORD });
        self.with(None, "POST /v1/auth/sign-up", "/v1/auth/sign-up", Some(sign_up)).await;
        let (_, waiting) = self.served.get(alice, "/v1/sign-ups").await;
        let path = format!("/v1/sign-ups/{}/accept", waiting["sign_ups"][0]["user"].as_str().unwrap());
        self.by(alice, "POST /v1/sign-ups/{user}/accept", &path, None).await;
    }
}

/// Every route of the description that changes something, as `POST /v1/x`.
fn changing_routes() -> BTreeSet<String> {
    let (_, document) = airlock_coordinator::api::described();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        let changing = methods.filter(|method| ["post", "put", "patch", "delete"].contains(&method.as_str()));
        changing.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    routes.collect()
}

#[test]
fn every_route_that_changes_something_leaves_a_row_without_a_secret() {
    on_each_database(|stage| async move {
        let story = Story::open(stage).await;
        story.money_and_partners().await;
        story.people().await;
        let done = story.done.lock().unwrap().clone();
        let rows = story.rows().await;
        for (route, request) in &done {
            let found: Vec<_> = rows.iter().filter(|row| row.request_id == *request).collect();
            assert!(!found.is_empty(), "{route} left no row");
            assert!(found.iter().all(|row| row.address == "127.0.0.1"), "{route}: {found:?}");
            assert!(found.iter().all(|row| Action::from_name(&row.action).is_some()), "{route}: {found:?}");
        }
        // Whose they are is known from the log-in on.
        let of_vera: Vec<_> = rows.iter().filter(|row| row.who == "person:vera").collect();
        assert!(
            of_vera.len() > 10 && of_vera.iter().all(|row| row.tenant == story.served.partner.id),
            "{of_vera:?}"
        );
        // A route is told here or elsewhere; whoever adds one adds it to a story.
        let told: BTreeSet<String> = done.into_iter().map(|(route, _)| route).collect();
        let elsewhere: BTreeSet<String> =
            ELSEWHERE.iter().chain([&NO_ACTION]).map(|route| (*route).to_owned()).collect();
        let untold: Vec<_> = changing_routes()
            .into_iter()
            .filter(|route| !told.contains(route) && !elsewhere.contains(route))
            .collect();
        assert!(untold.is_empty(), "no story goes through {untold:?}");
        // No row says anything that opens something.
        let secrets = story.secrets.lock().unwrap().clone();
        assert!(secrets.len() > 20, "{}", secrets.len());
        for row in &rows {
            let text = format!("{row:?}");
            let told = secrets
                .iter()
                .filter(|secret| secret.len() >= 6)
                .find(|secret| text.contains(secret.as_str()));
            assert!(told.is_none(), "{} tells {told:?}: {text}", row.action);
            assert!(!text.contains("$argon2"), "{text}");
        }
        // What changed is told as it was and as it is.
        let approved = rows.iter().find(|row| row.action == "withdrawal.approve").unwrap();
        assert_eq!(approved.who, "person:alice");
        assert_eq!(serde_json::from_str::<Value>(&approved.before).unwrap()["state"], "pending");
        assert_eq!(serde_json::from_str::<Value>(&approved.after).unwrap()["state"], "queued");
        story.served.stage.prove().await;
    });
}

#[test]
fn every_handler_that_changes_something_takes_who_acts() {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut handlers = BTreeMap::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for found in text.split("#[utoipa::path(").skip(1) {
            let method = found.trim_start().split(',').next().unwrap().to_owned();
            if found.contains(&format!("\"{}\"", NO_ACTION.split(' ').nth(1).unwrap())) {
                continue;
            }
            let signature =
                found.split("async fn ").nth(1).and_then(|rest| rest.split("->").next()).unwrap_or_default();
            handlers.insert((path.clone(), signature.to_owned()), method);
        }
    }
    let changing =
        handlers.iter().filter(|(_, method)| ["post", "put", "patch", "delete"].contains(&method.as_str()));
    let mut count = 0;
    for ((path, signature), _) in changing {
        let words: BTreeSet<&str> = signature.split(|c: char| !c.is_alphanumeric()).collect();
        assert!(
            ["By", "Knock", "Stranger"].iter().any(|one| words.contains(one)),
            "{}: {signature}",
            path.display()
        );
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn auditors_see_the_log_partners_auditors_their_own_and_nobody_else_any() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let acme = &served.partner.id;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let asked = json!({ "network": TRON, "asset": "USDT", "to": TO, "amount": "10" });
        let (status, made) = served.post_once(&served.ann, "/v1/withdrawals", "k", asked).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/v1/withdrawals/{}/approve", made["id"].as_str().unwrap());
        assert_eq!(served.post(&served.operator, &path, json!({ "revision": 1 })).await.0, 200);
        let house = served.person("house", "hugo", &[Role::Auditor]).await;
        let own = served.person(acme, "paula", &[Role::Auditor]).await;
        let administrator = served.person(acme, "peter", &[Role::Administrator]).await;
        let operator = served.person(acme, "olaf", &[Role::Operator, Role::Approver]).await;
        let everything = served.get(&house, "/v1/audit").await.1;
        let who = |page: &Value| -> BTreeSet<String> {
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["who"].as_str().unwrap().to_owned())
                .collect()
        };
        assert!(
            who(&everything).contains("person:alice")
                && who(&everything).contains(&format!("user:{}", served.ann.id))
        );
        assert!(everything["rows"][0]["number"].is_string());
        for reader in [&own, &administrator] {
            let page = served.get(reader, "/v1/audit").await.1;
            let rows = page["rows"].as_array().unwrap();
            assert!(
                !rows.is_empty()
                    && rows.iter().all(|row| row["tenant"] == acme.as_str() && row["number"].is_null()),
                "{page}"
            );
            assert!(!who(&page).contains("person:alice"), "{page}");
        }
        for stranger in [&operator, &served.ann, &served.partner] {
            let (status, refused) = served.get(stranger, "/v1/audit").await;
            assert_eq!((status, refused["error"]["code"].as_str()), (403, Some("forbidden")));
        }
        // Looking is a row, there before the answer.
        let looked = served.get(&house, "/v1/audit?action=audit.read&who=person:paula").await.1;
        assert_eq!(looked["rows"].as_array().unwrap().len(), 1, "{looked}");
        served.stage.prove().await;
    });
}

#[test]
fn the_log_is_filtered_by_who_action_subject_and_time_and_read_in_pages() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 500_000_000).await;
        let mut made = Vec::new();
        for number in 0..5 {
            served.stage.app.clock.advance(60_000);
            let asked = json!({ "network": TRON, "asset": "USDT", "to": TO, "amount": "10" });
            let (_, row) =
                served.post_once(&served.ann, "/v1/withdrawals", &format!("k{number}"), asked).await;
            made.push(row["id"].as_str().unwrap().to_owned());
        }
        let transfer = json!({ "kind": "transfer", "to": served.bob.id, "asset": "USDT", "amount": "1" });
        let (status, paid) = served.post_once(&served.ann, "/v1/transfers", "t", transfer).await;
        assert_eq!(status, 201, "{paid}");
        let subjects = async |query: &str| -> Vec<String> {
            let (status, page) = served.get(&served.operator, &format!("/v1/audit?{query}")).await;
            assert_eq!(status, 200, "{page}");
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["subject"].as_str().unwrap().to_owned())
                .collect()
        };
        let newest_first: Vec<_> = made.iter().rev().cloned().collect();
        assert_eq!(subjects("action=withdrawal.request").await, newest_first);
        assert_eq!(subjects(&format!("who=user:{}", served.ann.id)).await, newest_first);
        assert_eq!(subjects(&format!("subject={}", made[2])).await, [made[2].clone()]);
        // 00:02:00 to 00:03:30 of the stage's day.
        let span = "action=withdrawal.request&from=2026-01-01T00:02:00Z&to=2026-01-01T00:03:30Z";
        assert_eq!(subjects(span).await, [made[2].clone(), made[1].clone()]);
        assert_eq!(subjects("action=transfer.make").await, [paid["id"].as_str().unwrap().to_owned()]);
        let mut pages = Vec::new();
        let mut query = "action=withdrawal.request&limit=2".to_owned();
        loop {
            let (_, page) = served.get(&served.operator, &format!("/v1/audit?{query}")).await;
            pages.extend(
                page["rows"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["subject"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            query = format!("action=withdrawal.request&limit=2&cursor={next}");
        }
        assert_eq!(pages, newest_first);
        for bad in ["limit=0", "limit=501", "action=none", "from=yesterday", "to=1", "cursor=x'", "more=1"] {
            let (status, refused) = served.get(&served.operator, &format!("/v1/audit?{bad}")).await;
            assert_eq!(status, 400, "{bad}: {refused}");
        }
        served.stage.prove().await;
    });
}

/// Rows of an action; those of refusals are written behind the answer.
async fn rows_of(served: &Served, action: Action, at_least: usize) -> Vec<Entry> {
    let app = &served.stage.app;
    for _ in 0..200 {
        let rows = store::rows_after(&mut app.db.reader().await.unwrap(), 0, 100_000).await.unwrap();
        let rows: Vec<_> = rows.into_iter().filter(|row| row.action == action.name()).collect();
        if rows.len() >= at_least {
            return rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("fewer than {at_least} rows of {}", action.name());
}

#[test]
fn what_is_forbidden_leaves_rows_at_a_bounded_rate() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        for _ in 0..60 {
            assert_eq!(served.get(&served.ann, "/v1/batches").await.0, 403);
        }
        assert_eq!(served.get(&served.bob, "/v1/audit").await.0, 403);
        let rows = rows_of(&served, Action::Forbidden, 21).await;
        let ann = format!("user:{}", served.ann.id);
        assert_eq!(rows.iter().filter(|row| row.who == ann).count(), 20);
        let bob = rows.iter().find(|row| row.who != ann).unwrap();
        assert_eq!(
            (bob.who.clone(), bob.subject.as_str()),
            (format!("user:{}", served.bob.id), "GET /v1/audit")
        );
        // Nothing is lost silently: the next row says how many were left out.
        assert_eq!(serde_json::from_str::<Value>(&bob.after).unwrap()["refusals_left_out_before"], 40);
        served.stage.app.clock.advance(60_000);
        assert_eq!(served.get(&served.ann, "/v1/batches").await.0, 403);
        rows_of(&served, Action::Forbidden, 22).await;
        // A credential that is none.
        let wrong = served.http.get(format!("{}/v1/me", served.url)).bearer_auth("a.b.c");
        assert_eq!(stage::answer(wrong).await.0, 401);
        let refused = rows_of(&served, Action::CredentialRefused, 1).await;
        assert_eq!((refused[0].who.as_str(), refused[0].subject.as_str()), ("nobody", "GET /v1/me"));
        assert!(!format!("{refused:?}").contains("a.b.c"));
        served.stage.prove().await;
    });
}

#[test]
fn staff_who_look_at_other_peoples_money_leave_a_row_and_owners_leave_none() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let acme = &served.partner.id;
        let clerk = served.person(acme, "carla", &[Role::Operator]).await;
        let key = served.key(acme, &[Scope::Read]).await;
        let ann = &served.ann.id;
        let reads = [
            format!("/v1/balances?user={ann}"),
            format!("/v1/withdrawals?user={ann}"),
            format!("/v1/deposits?user={ann}"),
            format!("/v1/transactions?user={ann}"),
        ];
        for path in &reads {
            let (status, body) = served.get(&clerk, path).await;
            assert_eq!(status, 200, "{path}: {body}");
        }
        let rows = rows_of(&served, Action::MoneyRead, reads.len()).await;
        assert!(rows.iter().all(|row| row.who == "person:carla" && row.tenant == *acme), "{rows:?}");
        for path in ["/v1/balances", "/v1/withdrawals", "/v1/deposits", "/v1/transactions"] {
            assert_eq!(served.get(&served.ann, path).await.0, 200, "{path}");
            let named = format!("{path}?user={ann}");
            assert_eq!(served.get(&key, &named).await.0, 200, "{path}");
        }
        assert_eq!(rows_of(&served, Action::MoneyRead, reads.len()).await.len(), reads.len());
        assert_eq!(served.get(&served.operator, "/v1/admin/balances").await.0, 200);
        assert_eq!(
            rows_of(&served, Action::MoneyRead, reads.len() + 1).await.last().unwrap().who,
            "person:alice"
        );
        served.stage.prove().await;
    });
}
