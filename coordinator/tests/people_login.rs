//! Signing up, passwords, lock-out, and that nobody learns whether an e-mail exists (P1, case 89). On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::people::create;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use stage::{Answer, MOMENT, Served, Stage, answer, on_each_database};

const PASSWORD: &str = "a gap of air and eight words";

/// A stage whose coordinator takes sign-ups in this way.
async fn served(mut stage: Stage, sign_up: &str, more: &str) -> Served {
    let config = stage::config(&stage.url, &format!("[auth]\nsign_up = {sign_up:?}\n{more}"));
    stage.app = App::open(config, Clock::set_at(MOMENT)).await.unwrap();
    Served::open(stage).await
}

async fn sign_up(served: &Served, email: &str) -> Answer {
    served.knock("/v1/auth/sign-up", json!({ "email": email, "password": PASSWORD })).await
}

async fn log_in(served: &Served, email: &str, password: &str) -> Answer {
    served.knock("/v1/auth/login", json!({ "email": email, "password": password })).await
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

async fn with(served: &Served, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    answer(served.http.request(method, format!("{}{path}", served.url)).bearer_auth(token).json(&body)).await
}

#[test]
fn who_signs_up_is_let_in_by_a_person_and_then_logs_in() {
    on_each_database(|stage| async move {
        let served = served(stage, "house", "").await;
        assert_eq!(sign_up(&served, "Una@Example.com").await.0, 202);
        assert_eq!(code(&log_in(&served, "una@example.com", PASSWORD).await), (401, "bad_credentials"));
        let (_, waiting) = served.get(&served.operator, "/v1/sign-ups").await;
        let user = waiting["sign_ups"][0]["user"].as_str().unwrap().to_owned();
        assert_eq!(served.get(&served.ann, "/v1/sign-ups").await.0, 403);
        let of_partner =
            served.person("acme", "paula", &stage::every_role().into_iter().collect::<Vec<_>>()).await;
        let accept = format!("/v1/sign-ups/{user}/accept");
        assert_eq!(
            served.post(&of_partner, &accept, json!({})).await.0,
            403,
            "the house's users are the house's"
        );
        assert_eq!(served.post(&served.operator, &accept, json!({})).await.0, 200);
        assert_eq!(served.post(&served.operator, &accept, json!({})).await.0, 404, "once");
        let (status, entered) = log_in(&served, "UNA@example.COM", PASSWORD).await;
        assert_eq!((status, entered["next"].as_str()), (200, Some("open")), "{entered}");
        let token = entered["tokens"]["access_token"].as_str().unwrap();
        let (_, me) = with(&served, token, "GET", "/v1/me", json!({})).await;
        assert_eq!((me["kind"].as_str(), me["partner"].as_str()), (Some("user"), Some("house")), "{me}");
        assert_eq!(with(&served, token, "GET", "/v1/balances", json!({})).await.0, 200);
        assert_eq!(with(&served, token, "GET", "/v1/people", json!({})).await.0, 403);
    });
}

#[test]
fn nobody_signs_up_where_it_is_off() {
    on_each_database(|stage| async move {
        let served = served(stage, "off", "").await;
        assert_eq!(code(&sign_up(&served, "una@example.com").await), (403, "sign_up_off"));
    });
}

#[test]
fn an_e_mail_that_exists_is_answered_like_one_that_does_not() {
    on_each_database(|stage| async move {
        let served = served(stage, "house", "").await;
        // The body of a refusal without its request id, which is random.
        let bare = |(status, mut body): Answer| {
            if let Some(error) = body.get_mut("error") {
                error["request_id"] = json!("");
            }
            (status, body)
        };
        let fresh = bare(sign_up(&served, "una@example.com").await);
        assert_eq!(bare(sign_up(&served, "una@example.com").await), fresh, "taken, and not told");
        assert_eq!(bare(sign_up(&served, "UNA@EXAMPLE.COM").await), fresh);
        let (_, waiting) = served.get(&served.operator, "/v1/sign-ups").await;
        assert_eq!(waiting["sign_ups"].as_array().unwrap().len(), 1);
        let user = waiting["sign_ups"][0]["user"].as_str().unwrap();
        served.post(&served.operator, &format!("/v1/sign-ups/{user}/accept"), json!({})).await;
        let wrong = bare(log_in(&served, "una@example.com", "not the password at all").await);
        assert_eq!(code(&wrong), (401, "bad_credentials"));
        for unknown in ["nobody@example.com", "not an address", "", &"x".repeat(10_000)] {
            assert_eq!(
                bare(log_in(&served, unknown, "not the password at all").await),
                wrong,
                "{unknown:.40}"
            );
        }
        assert_eq!(bare(log_in(&served, "una@example.com", &"x".repeat(5_000)).await), wrong);
    });
}

#[test]
fn an_e_mail_that_exists_takes_as_long_as_one_that_does_not() {
    // On one database and with room for noise: what would tell is a hash that is not computed, 20 ms of 20.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let served =
            served(Stage::open(None).await, "open", "failures_free = 10\nfailures_max = 100\n").await;
        served.stage.app.access.ready().await.unwrap();
        sign_up(&served, "una@example.com").await;
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..10 {
            // The delays of earlier failures would tell as well; the clock passes them by.
            served.stage.app.clock.advance(1_000_000);
            for (index, email) in ["una@example.com", "nobody@example.com"].into_iter().enumerate() {
                let began = std::time::Instant::now();
                assert_eq!(log_in(&served, email, &format!("wrong password {round}")).await.0, 401);
                took[index].push(began.elapsed());
            }
        }
        // The least of each is free of what other programs did meanwhile.
        let [known, unknown] = took.map(|times| times.into_iter().min().unwrap());
        let (less, more) = (known.min(unknown), known.max(unknown));
        assert!(more < less * 2, "known {known:?}, unknown {unknown:?}");
        assert!(less.as_millis() >= 5, "both are hashed: {less:?}");
    });
}

#[test]
fn failures_are_delayed_then_locked_and_the_lock_ends() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "").await;
        sign_up(&served, "una@example.com").await;
        for email in ["una@example.com", "nobody@example.com"] {
            let tried = |email: &'static str| {
                let url = format!("{}/v1/auth/login", served.url);
                let body = json!({ "email": email, "password": "wrong wrong wrong wrong" });
                let request = served.http.post(url).json(&body);
                async move {
                    let response = request.send().await.unwrap();
                    let wait =
                        response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
                    (response.status().as_u16(), wait)
                }
            };
            let mut waited = Vec::new();
            for _ in 0..10 {
                let mut answered = tried(email).await;
                if answered.0 == 429 {
                    let seconds: i64 = answered.1.unwrap().parse().unwrap();
                    waited.push(seconds);
                    served.stage.app.clock.advance(seconds * 1_000);
                    answered = tried(email).await;
                }
                assert_eq!(answered.0, 401, "{email} after {waited:?}");
            }
            assert_eq!(waited, [1, 2, 4, 8, 16, 32, 64], "{email}");
            let (status, wait) = tried(email).await;
            assert_eq!((status, wait.as_deref()), (429, Some("900")), "{email} is locked");
            // Not even the right password while it is locked; nobody is told more by it.
            if email == "una@example.com" {
                assert_eq!(code(&log_in(&served, email, PASSWORD).await), (429, "too_many_attempts"));
            }
            served.stage.app.clock.advance(900_000);
            assert_eq!(tried(email).await.0, 401, "the lock has ended");
        }
        served.stage.app.clock.advance(900_000);
        assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 200);
        // A success forgets the account's failures: three more are free.
        for _ in 0..3 {
            assert_eq!(log_in(&served, "una@example.com", "wrong wrong wrong wrong").await.0, 401);
        }
    });
}

#[test]
fn a_hundred_guesses_at_once_are_counted_before_they_are_looked_at() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "").await;
        sign_up(&served, "una@example.com").await;
        let guesses = (0..100).map(|guess| {
            let password = format!("guess number {guess} of many");
            let served = &served;
            async move { log_in(served, "una@example.com", &password).await.0 }
        });
        let answers = futures::future::join_all(guesses).await;
        let looked_at = answers.iter().filter(|status| **status == 401).count();
        assert_eq!(looked_at, 3, "the free ones; {answers:?}");
        assert!(answers.iter().all(|status| [401, 429].contains(status)));
    });
}

#[test]
fn one_address_cannot_try_many_accounts() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "address_failures_max = 12\n").await;
        sign_up(&served, "una@example.com").await;
        for account in 0..11 {
            let status =
                log_in(&served, &format!("account{account}@example.com"), "Spring2026 password").await.0;
            assert_eq!(status, 401);
        }
        let locked = log_in(&served, "una@example.com", PASSWORD).await;
        assert_eq!(code(&locked), (429, "too_many_attempts"), "the whole address");
        served.stage.app.clock.advance(900_000);
        assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 200);
    });
}

#[test]
fn a_success_takes_back_its_own_attempt_only() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "address_failures_max = 12\n").await;
        sign_up(&served, "una@example.com").await;
        for round in 0..20 {
            assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 200, "{round}");
        }
        for account in 0..11 {
            let status =
                log_in(&served, &format!("account{account}@example.com"), "Spring2026 password").await.0;
            assert_eq!(status, if account < 11 { 401 } else { 429 }, "{account}");
            if account < 10 {
                assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 200, "{account}");
            }
        }
        assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 429);
    });
}

#[test]
fn a_password_is_chosen_by_length_and_by_what_is_common_only() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "").await;
        let choose = async |password: &str| {
            let body = json!({ "email": "una@example.com", "password": password });
            served.knock("/v1/auth/sign-up", body).await
        };
        for weak in ["short", "fourteen chars", "password1", &"x".repeat(129), "una@example.com"] {
            assert_eq!(code(&choose(weak).await), (422, "weak_password"), "{weak:.20}");
        }
        let refused = choose("fourteen chars").await.1.to_string();
        assert!(!refused.contains("fourteen chars"), "a password is never repeated: {refused}");
        assert_eq!(choose(&"\u{1f511}".repeat(128)).await.0, 202, "128 characters of four bytes each");
        let body = json!({ "email": "una@example", "password": PASSWORD, "name": "x" });
        assert_eq!(code(&served.knock("/v1/auth/sign-up", body).await), (400, "bad_json"));
        let body = json!({ "email": "una", "password": PASSWORD });
        assert_eq!(code(&served.knock("/v1/auth/sign-up", body).await), (422, "bad_email"));
    });
}

#[test]
fn a_changed_password_ends_every_other_session_and_is_the_only_one_that_counts() {
    on_each_database(|stage| async move {
        let served = served(stage, "open", "").await;
        sign_up(&served, "una@example.com").await;
        let token = async || {
            let (_, entered) = log_in(&served, "una@example.com", PASSWORD).await;
            entered["tokens"]["access_token"].as_str().unwrap().to_owned()
        };
        let (here, elsewhere) = (token().await, token().await);
        served.stage.app.clock.advance(1_000);
        let change = async |present: &str, new: &str| {
            let body = json!({ "present": present, "new": new });
            with(&served, &here, "POST", "/v1/me/password", body).await
        };
        let new = "another gap of air";
        assert_eq!(code(&change("not the present one", new).await), (401, "bad_credentials"));
        assert_eq!(code(&change(PASSWORD, "too short").await), (422, "weak_password"));
        let me = async |token: &str| with(&served, token, "GET", "/v1/me", json!({})).await;
        let (_, before) = me(&here).await;
        assert_eq!(change(PASSWORD, new).await.0, 200);
        assert_eq!((me(&here).await.0, me(&elsewhere).await.0), (200, 401));
        assert!(
            me(&here).await.1["changed_at"].as_str() > before["changed_at"].as_str(),
            "withdrawals cool off"
        );
        assert_eq!(log_in(&served, "una@example.com", PASSWORD).await.0, 401);
        assert_eq!(log_in(&served, "una@example.com", new).await.0, 200);
    });
}

#[test]
fn a_closed_partner_or_person_has_no_access_from_the_next_request_on() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let roles: Vec<_> = stage::every_role().into_iter().collect();
        let other = create::partner(&served.stage.app.writer, "globex").await.unwrap().id;
        let (paula, petra) =
            (served.person("acme", "paula", &roles).await, served.person("globex", "petra", &roles).await);
        let gail = served.user("globex", "gail").await;
        for who in [&paula, &petra, &gail] {
            assert_eq!(served.get(who, "/v1/me").await.0, 200);
        }
        assert_eq!(served.post(&served.operator, "/v1/people/paula/deactivate", json!({})).await.0, 200);
        assert_eq!(served.get(&paula, "/v1/me").await.0, 401);
        close_partner(&served, &other).await;
        assert_eq!((served.get(&petra, "/v1/me").await.0, served.get(&gail, "/v1/me").await.0), (401, 401));
        assert_eq!(served.get(&served.ann, "/v1/me").await.0, 200, "other partners' users stay");
    });
}

/// As `PATCH /v1/partners/{id}` does it.
async fn close_partner(served: &Served, partner: &str) {
    let (path, body) = (format!("/v1/partners/{partner}"), json!({ "active": false }));
    let request = served.request(&served.operator, "PATCH", &path, Some(&body), None).await;
    let (status, body) = answer(request).await;
    assert_eq!(status, 200, "{body}");
}
