//! Signed requests of partners' systems (P4, cases 85 and 86): what is taken, what is refused and why. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::keys::{self, Credential, MadeKey, Wanted};
use airlock_coordinator::people::{Reach, Scope};
use futures::future::join_all;
use serde_json::{Value, json};
use stage::{Answer, MOMENT, Served, answer, on_each_database};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const NOW: i64 = MOMENT / 1000;

/// A coordinator served with the addresses of its clients, and a partner's keys.
struct World {
    served: Served,
    app: App,
    url: String,
    home: TempDir,
    next: AtomicU64,
}

/// One request, ready to be altered and sent.
#[derive(Clone)]
struct Asked {
    method: &'static str,
    target: String,
    body: String,
    idempotency_key: Option<String>,
    authorization: String,
}

impl World {
    async fn open(stage: stage::Stage) -> Self {
        let served = Served::open(stage).await;
        let home = TempDir::new().unwrap();
        let (app, url) = serve(&served, &home, "", MOMENT).await;
        Self { served, app, url, home, next: AtomicU64::new(1) }
    }

    async fn key(&self, scopes: impl IntoIterator<Item = Scope>) -> MadeKey {
        let wanted = Wanted::new(&self.served.partner.id, "test", scopes);
        keys::create(&self.app, wanted, &Reach::All, &By::command_line()).await.unwrap()
    }

    fn nonce(&self) -> String {
        format!("{:032x}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    fn asked(
        &self,
        key: &MadeKey,
        method: &'static str,
        target: &str,
        body: &str,
        once: Option<&str>,
    ) -> Asked {
        self.asked_at(&key.credential().unwrap(), method, target, body, once, NOW)
    }

    fn asked_at(
        &self,
        key: &Credential,
        method: &'static str,
        target: &str,
        body: &str,
        once: Option<&str>,
        timestamp: i64,
    ) -> Asked {
        let authorization =
            key.authorization(method, target, body.as_bytes(), once, timestamp, &self.nonce());
        Asked {
            method,
            target: target.to_owned(),
            body: body.to_owned(),
            idempotency_key: once.map(str::to_owned),
            authorization,
        }
    }

    fn balances(&self, key: &MadeKey) -> Asked {
        self.asked(key, "GET", &format!("/v1/balances?user={}", self.served.ann.id), "", None)
    }

    fn transfer(&self, key: &MadeKey, once: &str) -> Asked {
        let body = json!({ "kind": "transfer", "from": self.served.ann.id, "to": self.served.bob.id,
            "asset": "USDT", "amount": "0.5" });
        self.asked(key, "POST", "/v1/transfers", &body.to_string(), Some(once))
    }

    fn request(&self, url: &str, asked: &Asked) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(asked.method.as_bytes()).unwrap();
        let mut request = self.served.http.request(method, format!("{url}{}", asked.target));
        if let Some(key) = &asked.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if !asked.body.is_empty() {
            request = request.header("Content-Type", "application/json");
        }
        request.header("Authorization", &asked.authorization).body(asked.body.clone())
    }

    async fn send(&self, asked: &Asked) -> Answer {
        answer(self.request(&self.url, asked)).await
    }

    async fn expect(&self, name: &str, asked: &Asked, status: u16, code: &str) -> Value {
        let (found, body) = self.send(asked).await;
        assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{name}: {body}");
        body
    }
}

/// Another run of the coordinator on the same database and home.
async fn serve(served: &Served, home: &TempDir, settings: &str, moment: i64) -> (App, String) {
    let config = format!("{}\n[database]\nurl = {:?}\n{settings}", stage::NETWORKS, served.stage.url);
    let mut config = airlock_coordinator::config::Config::from_toml(&config).unwrap();
    config.home = home.path().to_owned();
    let app = App::open(config, Clock::set_at(moment)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = airlock_coordinator::api::router(app.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    (app, url)
}

fn altered(asked: &Asked, change: impl FnOnce(&mut Asked)) -> Asked {
    let mut asked = asked.clone();
    change(&mut asked);
    asked
}

/// The value of one field of the header.
fn field<'a>(header: &'a str, name: &str) -> &'a str {
    let rest = header.split_once(&format!("{name}=")).unwrap().1;
    rest.split(',').next().unwrap()
}

/// Another last digit.
fn other(text: &str) -> String {
    let last = if text.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &text[..text.len() - 1])
}

#[test]
fn a_signed_request_is_taken_in_the_partners_name() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key([Scope::Read, Scope::Transfer]).await;
        let (status, body) = world.send(&world.balances(&key)).await;
        assert_eq!(status, 200, "{body}");
        world.served.stage.give(&world.served.ann.id, "USDT", 1_000_000).await;
        let first = world.send(&world.transfer(&key, "t-1")).await;
        assert_eq!(first.0, 201, "{}", first.1);
        // A repeat is signed anew, with a nonce of its own, and is the same request all the same.
        assert_eq!(world.send(&world.transfer(&key, "t-1")).await, first);
        assert_eq!(world.served.stage.balance(&world.served.ann.id, "USDT").await.0, 500_000);
    });
}

#[test]
fn a_request_altered_anywhere_is_refused() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let (key, second) = (world.key(Scope::ALL).await, world.key(Scope::ALL).await);
        let good = world.transfer(&key, "t-1");
        let header = good.authorization.clone();
        let swap = |name: &str, value: &str| header.replace(field(&header, name), value);
        let signature_of_another = {
            let by = second.credential().unwrap();
            let (body, nonce) = (good.body.as_bytes(), field(&header, "nonce"));
            let made = by.authorization("POST", "/v1/transfers", body, Some("t-1"), NOW, nonce);
            field(&made, "signature").to_owned()
        };
        let cases: Vec<(&str, Asked)> = vec![
            ("another method", altered(&good, |asked| asked.method = "PUT")),
            ("another path", altered(&good, |asked| asked.target = "/v1/withdrawals".to_owned())),
            (
                "the path spelled otherwise",
                altered(&good, |asked| asked.target = "/v1/%74ransfers".to_owned()),
            ),
            ("a query added", altered(&good, |asked| asked.target = "/v1/transfers?a=b".to_owned())),
            (
                "one digit of the amount",
                altered(&good, |asked| asked.body = asked.body.replace("0.5", "0.6")),
            ),
            ("a space in the body", altered(&good, |asked| asked.body.push(' '))),
            ("no body", altered(&good, |asked| asked.body.clear())),
            (
                "another idempotency key",
                altered(&good, |asked| asked.idempotency_key = Some("t-2".to_owned())),
            ),
            ("no idempotency key", altered(&good, |asked| asked.idempotency_key = None)),
            (
                "another second",
                altered(&good, |asked| asked.authorization = swap("timestamp", &(NOW - 1).to_string())),
            ),
            (
                "another nonce",
                altered(&good, |asked| asked.authorization = swap("nonce", &other(field(&header, "nonce")))),
            ),
            (
                "another signature",
                altered(&good, |asked| {
                    asked.authorization = swap("signature", &other(field(&header, "signature")))
                }),
            ),
            ("an unknown key", altered(&good, |asked| asked.authorization = swap("key", "ak_0"))),
            (
                "another key of the partner",
                altered(&good, |asked| asked.authorization = swap("key", &second.key.id)),
            ),
            (
                "another key's secret",
                altered(&good, |asked| asked.authorization = swap("signature", &signature_of_another)),
            ),
        ];
        for (name, asked) in &cases {
            world.expect(name, asked, 401, "signature_wrong").await;
        }
        let read = world.balances(&key);
        let bob = altered(&read, |asked| {
            asked.target = asked.target.replace(&world.served.ann.id, &world.served.bob.id)
        });
        world.expect("another user in the query", &bob, 401, "signature_wrong").await;
        let bare = altered(&read, |asked| asked.target = "/v1/balances".to_owned());
        world.expect("the query left out", &bare, 401, "signature_wrong").await;
        // Nothing of all that used the nonce up.
        world.served.stage.give(&world.served.ann.id, "USDT", 1_000_000).await;
        assert_eq!(world.send(&good).await.0, 201);
    });
}

#[test]
fn a_header_that_is_not_exactly_so_is_refused() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let good = world.balances(&key);
        let header = good.authorization.clone();
        let without = |name: &str| {
            let field = format!("{name}={}", field(&header, name));
            header.replace(&format!("{field}, "), "").replace(&format!(", {field}"), "")
        };
        let swap = |name: &str, value: &str| header.replace(field(&header, name), value);
        let mut cases: Vec<(String, String)> = Vec::new();
        for name in ["key", "timestamp", "nonce", "signature"] {
            cases.push((format!("{name} missing"), without(name)));
            cases.push((format!("{name} twice"), format!("{header}, {name}={}", field(&header, name))));
            cases.push((format!("{name} empty"), swap(name, "")));
        }
        for (name, value) in [
            ("nonce in capitals", swap("nonce", &"A".repeat(32))),
            ("nonce too short", swap("nonce", &"a".repeat(15))),
            ("nonce too long", swap("nonce", &"a".repeat(65))),
            ("nonce not hex", swap("nonce", &"g".repeat(32))),
            ("signature in capitals", swap("signature", &field(&header, "signature").to_uppercase())),
            ("signature cut", swap("signature", &field(&header, "signature")[..62])),
            ("timestamp with a sign", swap("timestamp", &format!("+{NOW}"))),
            ("timestamp with a zero before", swap("timestamp", &format!("0{NOW}"))),
            ("timestamp with a fraction", swap("timestamp", &format!("{NOW}.0"))),
            ("timestamp beyond all", swap("timestamp", &"9".repeat(40))),
            ("a field more", format!("{header}, algorithm=none")),
            ("a comma at the end", format!("{header},")),
            ("the scheme in small letters", header.replace("Airlock-HMAC", "airlock-hmac")),
            ("the scheme alone", "Airlock-HMAC-SHA256".to_owned()),
            ("another version of the scheme", header.replace("SHA256 ", "SHA2560 ")),
            ("too long", format!("{header}, x={}", "y".repeat(600))),
        ] {
            cases.push((name.to_owned(), value));
        }
        for (name, authorization) in &cases {
            let asked = altered(&good, |asked| authorization.clone_into(&mut asked.authorization));
            world.expect(name, &asked, 401, "signature_malformed").await;
        }
        for (name, header, value) in [
            ("a second authorization", "Authorization", good.authorization.as_str()),
            ("a bearer token beside it", "Authorization", "Bearer x"),
        ] {
            let (status, body) = answer(world.request(&world.url, &good).header(header, value)).await;
            assert_eq!(
                (status, body["error"]["code"].as_str()),
                (401, Some("signature_malformed")),
                "{name}"
            );
        }
        let transfer = world.transfer(&key, "t-1");
        let doubled = world.request(&world.url, &transfer).header("Idempotency-Key", "t-2");
        let (status, body) = answer(doubled).await;
        assert_eq!((status, body["error"]["code"].as_str()), (401, Some("signature_malformed")), "{body}");
        // Fields may come in any order.
        let turned = format!(
            "Airlock-HMAC-SHA256 signature={},nonce={},timestamp={},key={}",
            field(&header, "signature"),
            field(&header, "nonce"),
            field(&header, "timestamp"),
            field(&header, "key")
        );
        assert_eq!(world.send(&altered(&good, |asked| asked.authorization = turned)).await.0, 200);
    });
}

#[test]
fn a_request_is_good_for_its_window_alone_and_the_refusal_tells_the_time() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let by = key.credential().unwrap();
        let target = format!("/v1/balances?user={}", world.served.ann.id);
        let at = |timestamp| world.asked_at(&by, "GET", &target, "", None, timestamp);
        for (name, timestamp) in
            [("too old", NOW - 301), ("too far ahead", NOW + 6), ("far ahead", NOW + 86_400)]
        {
            let body = world.expect(name, &at(timestamp), 401, "timestamp_outside_window").await;
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(&NOW.to_string()), "{message}");
        }
        assert_eq!(world.send(&at(NOW - 300)).await.0, 200);
        // A clock that is a little fast costs the wait, no refusal.
        let started = std::time::Instant::now();
        assert_eq!(world.send(&at(NOW + 1)).await.0, 200);
        assert!(started.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn a_request_is_taken_once_though_twenty_arrive_at_once() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let good = world.balances(&key);
        let answers = join_all((0..20).map(|_| world.send(&good))).await;
        let taken = answers.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!(taken, 1, "{answers:?}");
        let used = |(_, body): &&Answer| body["error"]["code"] == "nonce_used";
        assert_eq!(answers.iter().filter(used).count(), 19, "{answers:?}");
        // Within the window it stays used, after it the stamp is too old.
        world.app.clock.advance(300_000);
        world.expect("at the window's end", &good, 401, "nonce_used").await;
        world.app.clock.advance(1_000);
        world.expect("after the window", &good, 401, "timestamp_outside_window").await;
    });
}

#[test]
fn a_restart_takes_nothing_that_was_stamped_before_it() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let by = key.credential().unwrap();
        let good = world.balances(&key);
        assert_eq!(world.send(&good).await.0, 200);
        let (again, url) = serve(&world.served, &world.home, "", MOMENT + 2_500).await;
        let target = good.target.clone();
        let at = |timestamp| world.asked_at(&by, "GET", &target, "", None, timestamp);
        for (name, asked) in [("the same", &good), ("the second of the start", &at(NOW + 2))] {
            let (status, body) = answer(world.request(&url, asked)).await;
            let found = (status, body["error"]["code"].as_str());
            assert_eq!(found, (401, Some("stamped_before_start")), "{name}: {body}");
        }
        again.clock.advance(500);
        assert_eq!(answer(world.request(&url, &at(NOW + 3))).await.0, 200);
    });
}

#[test]
fn a_full_memory_of_nonces_refuses_and_forgets_nothing() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let (small, url) =
            serve(&world.served, &world.home, "[signed_requests]\nnonces_max = 3\n", MOMENT).await;
        let first = world.balances(&key);
        for asked in [&first, &world.balances(&key), &world.balances(&key)] {
            assert_eq!(answer(world.request(&url, asked)).await.0, 200);
        }
        let (status, body) = answer(world.request(&url, &world.balances(&key))).await;
        assert_eq!((status, body["error"]["retryable"].as_bool()), (503, Some(true)), "{body}");
        let (status, body) = answer(world.request(&url, &first)).await;
        assert_eq!((status, body["error"]["code"].as_str()), (401, Some("nonce_used")), "{body}");
        small.clock.advance(301_000);
        let later = world.asked_at(&key.credential().unwrap(), "GET", &first.target, "", None, NOW + 301);
        assert_eq!(answer(world.request(&url, &later)).await.0, 200);
    });
}

#[test]
fn an_ended_or_expired_key_takes_nothing_from_the_next_request_on() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        assert_eq!(world.send(&world.balances(&key)).await.0, 200);
        keys::end(&world.app, &key.key.id, &Reach::All, &By::command_line()).await.unwrap();
        world.expect("ended", &world.balances(&key), 401, "key_ended").await;
        let mut wanted = Wanted::new(&world.served.partner.id, "short", [Scope::Read]);
        wanted.expires_at = Some(MOMENT + 10_000);
        let short = keys::create(&world.app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        assert_eq!(world.send(&world.balances(&short)).await.0, 200);
        world.app.clock.advance(10_000);
        world.expect("expired", &world.balances(&short), 401, "key_ended").await;
        // Who does not hold the secret is not told that the key was there.
        let forged = altered(&world.balances(&key), |asked| {
            asked.authorization =
                asked.authorization.replace(field(&asked.authorization, "signature"), &"0".repeat(64));
        });
        world.expect("forged", &forged, 401, "signature_wrong").await;
    });
}

#[test]
fn a_rotated_key_lives_through_its_overlap_beside_its_successor() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let old = world.key([Scope::Read]).await;
        let by = By::command_line();
        let overlap = Duration::from_secs(60);
        let new = keys::rotate(&world.app, &old.key.id, overlap, &Reach::All, &by).await.unwrap();
        assert_eq!(
            (new.key.scopes.clone(), new.key.replaces.as_ref()),
            (old.key.scopes.clone(), Some(&old.key.id))
        );
        assert_ne!(*new.secret, *old.secret);
        assert_eq!(world.send(&world.balances(&old)).await.0, 200);
        assert_eq!(world.send(&world.balances(&new)).await.0, 200);
        let again = keys::rotate(&world.app, &old.key.id, Duration::ZERO, &Reach::All, &by).await;
        assert!(matches!(again, Err(keys::KeyError::Ended { .. })), "{again:?}");
        world.app.clock.advance(59_999);
        assert_eq!(world.send(&world.balances(&old)).await.0, 200);
        world.app.clock.advance(1);
        world.expect("after the overlap", &world.balances(&old), 401, "key_ended").await;
        assert_eq!(world.send(&world.balances(&new)).await.0, 200);
        let newest = keys::rotate(&world.app, &new.key.id, overlap, &Reach::All, &by).await.unwrap();
        keys::end(&world.app, &new.key.id, &Reach::All, &by).await.unwrap();
        world.expect("ended in its overlap", &world.balances(&new), 401, "key_ended").await;
        assert_eq!(world.send(&world.balances(&newest)).await.0, 200);
    });
}

#[test]
fn a_key_is_used_from_its_networks_alone() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = async |networks: &[&str]| {
            let mut wanted = Wanted::new(&world.served.partner.id, "from", [Scope::Read]);
            wanted.networks = networks.iter().map(|network| network.parse().unwrap()).collect();
            keys::create(&world.app, wanted, &Reach::All, &By::command_line()).await.unwrap()
        };
        let here = key(&["192.0.2.0/24", "127.0.0.0/8"]).await;
        assert_eq!(world.send(&world.balances(&here)).await.0, 200);
        let elsewhere = key(&["192.0.2.0/24", "2001:db8::/32"]).await;
        world.expect("elsewhere", &world.balances(&elsewhere), 403, "address_not_allowed").await;
        // What no proxy of ours says is not believed.
        let claimed =
            world.request(&world.url, &world.balances(&elsewhere)).header("X-Forwarded-For", "192.0.2.7");
        let (status, body) = answer(claimed).await;
        assert_eq!((status, body["error"]["code"].as_str()), (403, Some("address_not_allowed")), "{body}");
    });
}

#[test]
fn a_key_does_what_its_scopes_say_and_nothing_else() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        world.served.stage.give(&world.served.ann.id, "USDT", 10_000_000).await;
        let user = &world.served.ann.id;
        let withdrawal = json!({ "user": user, "network": "tron:0xa1710c4b", "asset": "USDT", "amount": "2",
            "to": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8" });
        let calls: Vec<(Scope, &'static str, String, String)> = vec![
            (Scope::Read, "GET", format!("/v1/balances?user={user}"), String::new()),
            (
                Scope::Transfer,
                "POST",
                "/v1/transfers".to_owned(),
                json!({ "kind": "transfer", "from": user, "to": world.served.bob.id, "asset": "USDT",
                    "amount": "1" })
                .to_string(),
            ),
            (Scope::Withdraw, "POST", "/v1/withdrawals".to_owned(), withdrawal.to_string()),
        ];
        for scope in Scope::ALL {
            let key = world.key([scope]).await;
            for (place, (needed, method, target, body)) in calls.iter().enumerate() {
                let once = format!("{}-{place}", scope.name());
                let (status, answer) =
                    world.send(&world.asked(&key, method, target, body, Some(&once))).await;
                let forbidden = status == 403 && answer["error"]["code"] == "forbidden";
                assert_eq!(forbidden, scope != *needed, "{scope:?} {target}: {status} {answer}");
            }
            // No key looks after keys, people or batches, whatever its scopes.
            for target in ["/v1/keys", "/v1/batches", "/v1/signers"] {
                let (status, _) = world.send(&world.asked(&key, "GET", target, "", None)).await;
                assert_eq!(status, 403, "{scope:?} {target}");
            }
        }
    });
}

#[test]
fn a_key_reaches_its_own_partners_users_alone() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let other = World::open(stage::Stage::open(None).await).await;
        let key = world.key(Scope::ALL).await;
        let foreign = format!("/v1/balances?user={}", other.served.ann.id);
        world.expect("foreign", &world.asked(&key, "GET", &foreign, "", None), 404, "not_found").await;
        let missing = world.asked(&key, "GET", "/v1/balances?user=nobody", "", None);
        world.expect("missing", &missing, 404, "not_found").await;
    });
}

#[test]
fn an_oversized_body_is_refused_unread() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let body = "x".repeat(airlock_coordinator::api::signed::BODY_BYTES_MAX + 1);
        let asked = world.asked(&key, "POST", "/v1/transfers", &body, Some("t-1"));
        world.expect("oversized", &asked, 413, "body_too_large").await;
        let just = "x".repeat(airlock_coordinator::api::signed::BODY_BYTES_MAX);
        let asked = world.asked(&key, "POST", "/v1/transfers", &just, Some("t-1"));
        world.expect("as large as may be", &asked, 400, "bad_json").await;
    });
}

#[test]
fn secrets_are_in_no_table_and_in_no_answer_but_the_first() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let key = world.key(Scope::ALL).await;
        let mut db = world.app.db.reader().await.unwrap();
        let stored = keys::store::stored(&mut db, &key.key.id).await.unwrap().unwrap();
        assert!(!format!("{stored:?}").contains(key.secret.as_str()));
        assert!(!format!("{key:?} {:?}", key.credential()).contains(key.secret.as_str()));
    });
}

#[test]
fn a_key_that_cannot_be_used_well_is_not_made() {
    on_each_database(|stage| async move {
        let world = World::open(stage).await;
        let partner = &world.served.partner.id;
        let make = async |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::new(partner, "test", [Scope::Read]);
            change(&mut wanted);
            keys::create(&world.app, wanted, &Reach::All, &By::command_line()).await.unwrap_err().to_string()
        };
        let refusals = [
            make(|wanted| wanted.scopes.clear()).await,
            make(|wanted| wanted.label = " a".to_owned()).await,
            make(|wanted| wanted.label = String::new()).await,
            make(|wanted| wanted.expires_at = Some(MOMENT)).await,
            make(|wanted| wanted.networks = vec!["10.0.0.0/8".parse().unwrap(); 65]).await,
            make(|wanted| wanted.partner = "nobody".to_owned()).await,
            make(|wanted| wanted.partner = "house".to_owned()).await,
        ];
        for (found, expected) in refusals.iter().zip([
            "at least one scope",
            "a label has",
            "a label has",
            "expiry",
            "at most 64 networks",
            "no partner nobody",
            "",
        ]) {
            assert!(found.contains(expected), "{found}");
        }
        let foreign = Reach::Partner("another".to_owned());
        let key = world.key([Scope::Read]).await;
        let by = By::command_line();
        let ended = keys::end(&world.app, &key.key.id, &foreign, &by).await;
        assert!(matches!(ended, Err(keys::KeyError::NotFound { .. })), "{ended:?}");
        let rotated = keys::rotate(&world.app, &key.key.id, Duration::ZERO, &foreign, &by).await;
        assert!(matches!(rotated, Err(keys::KeyError::NotFound { .. })), "{rotated:?}");
    });
}
