//! The story of one person and one key: no secret of it stands in a figure or anywhere in the database (P6, case 90).
//!
//! On SQLite, whose whole file is searched, audit rows among the rest. `logs.rs` reads the log of such a story.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::keys::Credential;
use airlock_coordinator::people::invitation::{self, Grant, Invited};
use serde_json::{Value, json};
use stage::{MOMENT, Served, Stage, answer, every_role};
use totp_rs::{Builder, Secret};

/// What was given out in confidence, and by which words it is known here.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, value: &Value) -> String {
        let text = value.as_str().unwrap_or_else(|| panic!("{what}: {value}")).to_owned();
        assert!(text.len() >= 6, "{what}: {text}");
        self.0.push((what, text.clone()));
        text
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        // A code of six digits may stand in any number by chance.
        let told = self.0.iter().filter(|(_, text)| text.len() > 6);
        told.filter(|(_, text)| found(text)).map(|(what, _)| *what).collect()
    }
}

async fn send(served: &Served, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    answer(served.http.request(method, format!("{}{path}", served.url)).bearer_auth(token).json(&body)).await
}

/// Somebody comes in by an invitation, gets a second factor, logs in, makes a key, makes mistakes.
async fn story(served: &Served, secrets: &mut Secrets) {
    let password = secrets.keep("password", &json!("a quiet harbour at dawn"));
    let wrong = secrets.keep("wrong password", &json!("a loud harbour at dusk"));
    let other = secrets.keep("next password", &json!("a third harbour by night"));
    let invited = Invited {
        name: "ines".to_owned(),
        email: "ines@airlock.example".to_owned(),
        partner: "house".to_owned(),
        roles: every_role(),
    };
    let made =
        invitation::invite(&served.stage.app, By::command_line(), invited, Grant::Direct).await.unwrap();
    let invitation = secrets.keep("invitation", &json!(made.invitation));
    let accept = json!({ "invitation": invitation, "password": password });
    let (_, limited) = served.knock("/v1/invitations/accept", accept.clone()).await;
    assert_eq!(served.knock("/v1/invitations/accept", accept).await.0, 422);
    let token = secrets.keep("limited access token", &limited["access_token"]);
    secrets.keep("limited refresh token", &limited["refresh_token"]);
    let (_, begun) = send(served, &token, "POST", "/v1/me/second-factor", json!({})).await;
    let seed = secrets.keep("seed of the second factor", &begun["secret"]);
    let totp = Builder::new().with_secret(Secret::try_from_base32(&seed).unwrap()).build().unwrap();
    let now = || u64::try_from(served.stage.app.clock.now() / 1000).unwrap();
    let confirm = json!({ "code": totp.generate(now()).to_string() });
    let (status, force) = send(served, &token, "POST", "/v1/me/second-factor/confirm", confirm).await;
    assert_eq!(status, 200, "{force}");
    for code in force["recovery_codes"].as_array().unwrap() {
        secrets.keep("recovery code", code);
    }
    let recovery = force["recovery_codes"][0].as_str().unwrap().to_owned();
    served.knock("/v1/auth/login", json!({ "email": "ines@airlock.example", "password": wrong })).await;
    served.stage.app.clock.advance(3_600_000);
    let (_, entered) = served
        .knock("/v1/auth/login", json!({ "email": "ines@airlock.example", "password": password }))
        .await;
    let challenge = secrets.keep("challenge", &entered["challenge"]);
    let second = json!({ "challenge": challenge, "recovery_code": recovery });
    let (status, open) = served.knock("/v1/auth/second-factor", second).await;
    assert_eq!(status, 200, "{open}");
    let open = if open["tokens"].is_null() { open } else { open["tokens"].clone() };
    let token = secrets.keep("access token", &open["access_token"]);
    let refresh = secrets.keep("refresh token", &open["refresh_token"]);
    let (_, renewed) = served.knock("/v1/auth/refresh", json!({ "refresh_token": refresh })).await;
    secrets.keep("renewed access token", &renewed["access_token"]);
    secrets.keep("renewed refresh token", &renewed["refresh_token"]);
    let change = json!({ "present": password, "new": other });
    send(served, &token, "POST", "/v1/me/password", change).await;
    let wanted = json!({ "partner": served.partner.id, "label": "theirs", "scopes": ["read"] });
    let (status, key) = send(served, &token, "POST", "/v1/keys", wanted).await;
    assert_eq!(status, 201, "{key}");
    let secret = secrets.keep("secret of a key", &key["secret"]);
    let credential = Credential::new(key["id"].as_str().unwrap(), &secret).unwrap();
    for path in ["/v1/transactions", "/v1/partners"] {
        let seconds = served.stage.app.clock.now() / 1000;
        let nonce = format!("{:032x}", path.len());
        let signed = credential.authorization("GET", path, b"", None, seconds, &nonce);
        let signature = signed.rsplit('=').next().unwrap().to_owned();
        secrets.keep("signature", &json!(signature));
        answer(served.http.get(format!("{}{path}", served.url)).header("Authorization", signed)).await;
    }
    // A secret where it does not belong: in a path, a query, a header, a malformed body.
    for path in [format!("/v1/{secret}"), format!("/v1/balances?access_token={token}")] {
        answer(served.http.get(format!("{}{path}", served.url)).bearer_auth(&secret)).await;
    }
    let torn = format!("{{\"email\":\"ines@airlock.example\",\"password\":\"{password}\",");
    let request =
        served.http.post(format!("{}/v1/auth/login", served.url)).header("Content-Type", "application/json");
    answer(request.body(torn)).await;
}

#[test]
fn no_secret_stands_in_a_figure_or_anywhere_in_the_database() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut stage = Stage::open(None).await;
        let config = stage::config(&stage.url, "[metrics]\nallow = [\"127.0.0.0/8\"]\n");
        stage.app = App::open(config, Clock::set_at(MOMENT)).await.unwrap();
        let served = Served::open(stage).await;
        let mut secrets = Secrets::default();
        story(&served, &mut secrets).await;
        assert!(secrets.0.len() > 20, "{}", secrets.0.len());
        let page = served.http.get(format!("{}/metrics", served.url)).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 200);
        let page = page.text().await.unwrap();
        assert_eq!(secrets.found_in(page.as_bytes()), Vec::<&str>::new(), "in the figures");
        let file = served.stage.url.trim_start_matches("sqlite:").to_owned();
        let mut searched = 0;
        for name in [file.clone(), format!("{file}-wal")] {
            let bytes = std::fs::read(&name).unwrap_or_default();
            searched += bytes.len();
            assert_eq!(secrets.found_in(&bytes), Vec::<&str>::new(), "in {name}");
        }
        assert!(searched > 100_000, "{searched}");
    });
}
