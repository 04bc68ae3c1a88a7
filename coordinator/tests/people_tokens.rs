//! Access and refresh tokens (P1): every way of being wrong is refused, and an ended session ends them. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::people::session::{self, Origin, Standing};
use airlock_coordinator::people::token::{TokenError, TokenKey};
use airlock_coordinator::people::{Role, Subject};
use airlock_shared::approval::passkey::base64url;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use stage::{MOMENT, Served, answer, on_each_database};
use std::time::Duration;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;
const NOW_S: i64 = MOMENT / 1000;

fn key() -> TokenKey {
    TokenKey::of(&[7; 32], "airlock", Duration::from_secs(900))
}

fn claims(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = json!({ "iss": "airlock", "aud": "airlock", "sub": "user:1", "sid": "s", "iat": NOW_S, "exp": NOW_S + 900 });
    change(&mut claims);
    claims.to_string()
}

#[test]
fn a_token_of_ours_is_read_and_says_who() {
    let token = key().mint(&Subject::Person("alice".to_owned()), "s1", MOMENT);
    let read = key().read(&token, MOMENT + 899_000).unwrap();
    assert_eq!((read.sub.as_str(), read.sid.as_str(), read.exp - read.iat), ("person:alice", "s1", 900));
    assert_eq!(key().read(&token, MOMENT + 900_000), Err(TokenError::Expired));
}

#[test]
fn every_altered_token_is_refused() {
    let good = key().sign(HEADER, &claims(|_| {}));
    assert!(key().read(&good, MOMENT).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let joined = |header: &str, payload: &str, signature: &str| format!("{header}.{payload}.{signature}");
    // HS256 keyed with what everybody may know: the classic confusion of algorithms.
    let hs256 = {
        let signed = format!(
            "{}.{}",
            base64url(br#"{"alg":"HS256","typ":"JWT"}"#),
            base64url(claims(|_| {}).as_bytes())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(key().public().as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", base64url(&mac.finalize().into_bytes()))
    };
    let other = TokenKey::of(&[8; 32], "airlock", Duration::from_secs(900)).sign(HEADER, &claims(|_| {}));
    let none = base64url(br#"{"alg":"none","typ":"JWT"}"#);
    let other_payload = base64url(claims(|claims| claims["sub"] = json!("user:2")).as_bytes());
    let set =
        |name: &str, value: serde_json::Value| key().sign(HEADER, &claims(|claims| claims[name] = value));
    let without =
        |name: &str| key().sign(HEADER, &claims(|claims| drop(claims.as_object_mut().unwrap().remove(name))));
    let twice = claims(|_| {}).replacen('{', r#"{"sub":"user:2","#, 1);
    let list = json!(["airlock", "airlock", "user:1", "s", NOW_S, NOW_S + 900]).to_string();
    let cases = [
        ("empty", String::new(), TokenError::Form),
        ("no signature", joined(parts[0], parts[1], ""), TokenError::Form),
        ("two parts", format!("{}.{}", parts[0], parts[1]), TokenError::Form),
        ("four parts", format!("{good}.{}", parts[2]), TokenError::Form),
        ("algorithm none", joined(&none, parts[1], ""), TokenError::Form),
        ("algorithm none, signed", joined(&none, parts[1], parts[2]), TokenError::Form),
        ("HS256 with the public key", hs256, TokenError::Form),
        (
            "header in another order",
            key().sign(r#"{"typ":"JWT","alg":"EdDSA"}"#, &claims(|_| {})),
            TokenError::Form,
        ),
        (
            "a key in the header",
            key().sign(r#"{"alg":"EdDSA","typ":"JWT","jwk":{}}"#, &claims(|_| {})),
            TokenError::Form,
        ),
        ("padding", format!("{good}="), TokenError::Form),
        ("a space in front", format!(" {good}"), TokenError::Form),
        ("another key", other, TokenError::Signature),
        ("another payload", joined(parts[0], &other_payload, parts[2]), TokenError::Signature),
        ("another signature", joined(parts[0], parts[1], &base64url(&[1; 64])), TokenError::Signature),
        ("another issuer", set("iss", json!("mallory")), TokenError::Issuer),
        ("another audience", set("aud", json!("elsewhere")), TokenError::Issuer),
        ("audiences", set("aud", json!(["airlock"])), TokenError::Claims),
        ("a claim too many", set("admin", json!(true)), TokenError::Claims),
        ("a claim twice", key().sign(HEADER, &twice), TokenError::Claims),
        ("a list for claims", key().sign(HEADER, &list), TokenError::Claims),
        ("no JSON", key().sign(HEADER, "sub=user:1"), TokenError::Claims),
        ("trailing data", key().sign(HEADER, &format!("{}{{}}", claims(|_| {}))), TokenError::Claims),
        ("no subject", without("sub"), TokenError::Claims),
        ("no session", without("sid"), TokenError::Claims),
        ("no issuer", without("iss"), TokenError::Claims),
        ("no audience", without("aud"), TokenError::Claims),
        ("no issue time", without("iat"), TokenError::Claims),
        ("no expiry", without("exp"), TokenError::Claims),
        ("expiry as text", set("exp", json!((NOW_S + 900).to_string())), TokenError::Claims),
        ("expiry as float", set("exp", json!(1.5e9)), TokenError::Claims),
        (
            "issued in the future",
            key().mint(&Subject::User("1".to_owned()), "s", MOMENT + 60_000),
            TokenError::Times,
        ),
        ("good for a year", set("exp", json!(NOW_S + 31_536_000)), TokenError::Times),
        ("over before it began", set("exp", json!(NOW_S - 1)), TokenError::Times),
        ("times that overflow", set("iat", json!(i64::MIN)), TokenError::Times),
        ("too long", set("sub", json!("x".repeat(2_000))), TokenError::Form),
        ("a megabyte", "a.".repeat(500_000), TokenError::Form),
    ];
    for (name, token, expected) in cases {
        assert_eq!(key().read(&token, MOMENT), Err(expected), "{name}");
    }
}

#[test]
fn the_api_takes_one_bearer_token_and_nothing_that_resembles_one() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let token = served.token(&served.operator).await;
        let asked = || served.http.get(format!("{}/v1/people", served.url));
        let session = token.split('.').nth(1).unwrap();
        for (status, authorization) in [
            (200, format!("Bearer {token}")),
            (200, format!("bearer {token}")),
            (401, format!("Basic {token}")),
            (401, token.clone()),
            (401, format!("Bearer  {token}")),
            (401, format!("Bearer {session}")),
            (401, "Bearer alr_00".to_owned()),
            (401, "Bearer".to_owned()),
            (401, "Bearer \u{e4}".to_owned()),
        ] {
            let (found, body) = answer(asked().header("Authorization", &authorization)).await;
            assert_eq!(found, status, "{authorization}: {body}");
        }
        let twice = asked().bearer_auth(&token).header("Authorization", format!("Bearer {token}"));
        assert_eq!(answer(twice).await.0, 401, "two headers are none");
    });
}

#[test]
fn a_token_of_another_subject_or_of_no_session_is_refused() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let app = &served.stage.app;
        let ann = Subject::User(served.ann.id.clone());
        let opened =
            session::open(app, &ann, Standing::Open { stepped_up: false }, &Origin::default()).await.unwrap();
        let key = app.access.tokens().unwrap();
        let ask = async |subject: Subject, session: &str| {
            let token = key.mint(&subject, session, app.clock.now());
            answer(served.http.get(format!("{}/v1/me", served.url)).bearer_auth(token)).await.0
        };
        assert_eq!(ask(ann.clone(), &opened.session).await, 200);
        assert_eq!(ask(Subject::User(served.bob.id.clone()), &opened.session).await, 401);
        assert_eq!(ask(Subject::Person("alice".to_owned()), &opened.session).await, 401);
        assert_eq!(ask(ann.clone(), "0").await, 401);
        let pending = session::open(app, &ann, Standing::Pending, &Origin::default()).await.unwrap();
        assert_eq!(ask(ann, &pending.session).await, 401, "a code is awaited");
    });
}

#[test]
fn a_refresh_token_is_good_once_and_a_spent_one_ends_the_session() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let app = &served.stage.app;
        let subject = Subject::Person("alice".to_owned());
        let opened =
            session::open(app, &subject, Standing::Open { stepped_up: true }, &Origin::default()).await;
        let first = opened.unwrap().secret;
        let refresh =
            async |token: &str| served.knock("/v1/auth/refresh", json!({ "refresh_token": token })).await;
        let me = async |pair: &serde_json::Value| {
            let token = pair["access_token"].as_str().unwrap();
            answer(served.http.get(format!("{}/v1/me", served.url)).bearer_auth(token)).await.0
        };
        app.clock.advance(60_000);
        let (status, second) = refresh(&first).await;
        assert_eq!(status, 200, "{second}");
        let (status, third) = refresh(second["refresh_token"].as_str().unwrap()).await;
        assert_eq!((status, me(&third).await), (200, 200));
        assert_eq!(refresh("alr_00").await.1["error"]["code"], "session_ended");
        assert_eq!(me(&third).await, 200, "a stranger's guess ends nobody's session");
        // The first one is two generations old: it was stolen, or the thief was faster.
        assert_eq!(refresh(&first).await.1["error"]["code"], "session_ended");
        assert_eq!(me(&third).await, 401, "the access token ends with the session");
        assert_eq!(refresh(third["refresh_token"].as_str().unwrap()).await.0, 401);
    });
}

#[test]
fn of_twenty_refreshes_at_once_one_wins_and_the_session_ends() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let subject = Subject::User(served.ann.id.clone());
        let opened = session::open(
            &served.stage.app,
            &subject,
            Standing::Open { stepped_up: false },
            &Origin::default(),
        )
        .await
        .unwrap();
        let body = json!({ "refresh_token": opened.secret });
        let asked = (0..20).map(|_| served.knock("/v1/auth/refresh", body.clone()));
        let answers = futures::future::join_all(asked).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
        let pair = &answers.iter().find(|(status, _)| *status == 200).unwrap().1;
        let token = pair["access_token"].as_str().unwrap();
        assert_eq!(answer(served.http.get(format!("{}/v1/me", served.url)).bearer_auth(token)).await.0, 401);
    });
}

#[test]
fn a_refreshed_session_still_ends_at_its_longest_and_an_idle_one_before() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let app = &served.stage.app;
        let subject = Subject::User(served.ann.id.clone());
        let refresh =
            async |token: &str| served.knock("/v1/auth/refresh", json!({ "refresh_token": token })).await;
        let open = async || {
            session::open(app, &subject, Standing::Open { stepped_up: false }, &Origin::default())
                .await
                .unwrap()
        };
        let idle = open().await;
        let mut token = open().await.secret;
        // A week is a refresh token's life, 30 days are the session's.
        for _ in 0..5 {
            app.clock.advance(6 * 86_400_000);
            let (status, pair) = refresh(&token).await;
            if status != 200 {
                break;
            }
            token = pair["refresh_token"].as_str().unwrap().to_owned();
        }
        assert_eq!(refresh(&idle.secret).await.0, 401);
        assert_eq!(refresh(&token).await.0, 401, "30 days have passed");
    });
}

#[test]
fn log_out_ends_this_session_and_log_out_everywhere_ends_all() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let app = &served.stage.app;
        let alice = Subject::Person("alice".to_owned());
        let key = app.access.tokens().unwrap();
        let open = async || {
            let (standing, origin) = (Standing::Open { stepped_up: true }, Origin::default());
            let opened = session::open(app, &alice, standing, &origin).await.unwrap();
            key.mint(&alice, &opened.session, app.clock.now())
        };
        let (first, second, third) = (open().await, open().await, open().await);
        let url = |path: &str| format!("{}{path}", served.url);
        let me = async |token: &str| answer(served.http.get(url("/v1/me")).bearer_auth(token)).await.0;
        let post =
            async |path: &str, token: &str| answer(served.http.post(url(path)).bearer_auth(token)).await.0;
        assert_eq!(post("/v1/auth/logout", &first).await, 200);
        assert_eq!((me(&first).await, me(&second).await), (401, 200));
        assert_eq!(post("/v1/auth/logout", &first).await, 401, "it has ended");
        let (_, listed) = answer(served.http.get(url("/v1/me/sessions")).bearer_auth(&second)).await;
        let sessions = listed["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
        let other =
            sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
        let delete =
            async |path: &str, token: &str| answer(served.http.delete(url(path)).bearer_auth(token)).await.0;
        assert_eq!(delete(&format!("/v1/me/sessions/{other}"), &second).await, 200);
        assert_eq!((me(&second).await, me(&third).await), (200, 401));
        // Somebody else's session looks like none.
        let oscar = served.person("house", "olaf", &[Role::Operator]).await;
        let of_alice = format!("/v1/me/sessions/{}", session_of(&second));
        assert_eq!(served.delete(&oscar, &of_alice).await.0, 404);
        assert_eq!(post("/v1/auth/logout-everywhere", &second).await, 200);
        assert_eq!(me(&second).await, 401);
        assert_eq!(served.get(&oscar, "/v1/me").await.0, 200, "nobody else's");
    });
}

fn session_of(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let bytes = airlock_shared::approval::passkey::from_base64url(payload, 1_024).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}
