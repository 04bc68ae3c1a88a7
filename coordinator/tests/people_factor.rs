//! The second factor (P2, case 89): each step once, recovery codes once, guessing stopped. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::people::invitation::{self, Grant, Invited};
use airlock_shared::approval::passkey::base64url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stage::{Answer, Served, answer, every_role, on_each_database};
use totp_rs::{Builder, Secret, Totp};

const PASSWORD: &str = "eight or more";
const EMAIL: &str = "ines@airlock.example";

/// Somebody of the house with an authenticator.
struct Ines {
    served: Served,
    totp: Totp,
    recovery_codes: Vec<String>,
    token: String,
}

fn code_of(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

fn authenticator(secret: &str) -> Totp {
    Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap()
}

async fn invited(served: &Served) -> String {
    let invited = Invited {
        name: "ines".to_owned(),
        email: EMAIL.to_owned(),
        partner: "house".to_owned(),
        roles: every_role(),
    };
    let made = invitation::invite(&served.stage.app, By::command_line(), invited, Grant::Direct).await;
    let body = json!({ "invitation": made.unwrap().invitation, "password": PASSWORD });
    let (status, tokens) = served.knock("/v1/invitations/accept", body).await;
    assert_eq!(status, 200, "{tokens}");
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn post(served: &Served, token: &str, path: &str, body: Value) -> Answer {
    answer(served.http.post(format!("{}{path}", served.url)).bearer_auth(token).json(&body)).await
}

async fn get(served: &Served, token: &str, path: &str) -> Answer {
    answer(served.http.get(format!("{}{path}", served.url)).bearer_auth(token)).await
}

impl Ines {
    async fn enrolled(stage: stage::Stage) -> Self {
        let served = Served::open(stage).await;
        let limited = invited(&served).await;
        let (_, begun) = post(&served, &limited, "/v1/me/second-factor", json!({})).await;
        let totp = authenticator(begun["secret"].as_str().unwrap());
        let code = totp.generate(now(&served)).to_string();
        let (status, force) =
            post(&served, &limited, "/v1/me/second-factor/confirm", json!({ "code": code })).await;
        assert_eq!(status, 200, "{force}");
        let codes = force["recovery_codes"].as_array().unwrap();
        let recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        let token = force["tokens"]["access_token"].as_str().unwrap().to_owned();
        served.stage.app.clock.advance(30_000);
        Self { served, totp, recovery_codes, token }
    }

    /// The code of so many steps from now.
    fn code(&self, steps: i64) -> String {
        self.totp.generate((now(&self.served) as i64 + 30 * steps) as u64).to_string()
    }

    async fn challenge(&self) -> String {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let (status, entered) = self.served.knock("/v1/auth/login", body).await;
        assert_eq!((status, entered["next"].as_str()), (200, Some("second_factor")), "{entered}");
        assert!(entered["tokens"].is_null(), "no token before the code: {entered}");
        entered["challenge"].as_str().unwrap().to_owned()
    }

    async fn second(&self, challenge: &str, given: Value) -> Answer {
        let mut body = given;
        body["challenge"] = json!(challenge);
        self.served.knock("/v1/auth/second-factor", body).await
    }

    fn pass(&self, ms: i64) {
        self.served.stage.app.clock.advance(ms);
    }
}

fn now(served: &Served) -> u64 {
    u64::try_from(served.stage.app.clock.now() / 1000).unwrap()
}

#[test]
fn without_a_second_factor_a_person_reaches_their_own_account_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let limited = invited(&served).await;
        let (_, me) = get(&served, &limited, "/v1/me").await;
        assert_eq!(
            (me["limited"].as_bool(), me["second_factor"].as_bool()),
            (Some(true), Some(false)),
            "{me}"
        );
        for path in ["/v1/people", "/v1/withdrawals", "/v1/batches", "/v1/balances?user=x", "/v1/audit"] {
            assert_eq!(get(&served, &limited, path).await.0, 403, "{path}");
        }
        let (_, entered) =
            served.knock("/v1/auth/login", json!({ "email": EMAIL, "password": PASSWORD })).await;
        assert_eq!(entered["next"], "limited", "{entered}");
        let step_up = post(&served, &limited, "/v1/auth/step-up", json!({ "code": "000000" })).await;
        assert_eq!(code_of(&step_up), (409, "second_factor_missing"));
        let confirm =
            post(&served, &limited, "/v1/me/second-factor/confirm", json!({ "code": "000000" })).await;
        assert_eq!(code_of(&confirm), (409, "second_factor_missing"), "none was begun");
    });
}

#[test]
fn a_second_factor_comes_into_force_by_a_code_of_it_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let limited = invited(&served).await;
        let (_, begun) = post(&served, &limited, "/v1/me/second-factor", json!({})).await;
        let totp = authenticator(begun["secret"].as_str().unwrap());
        assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://totp/"), "{begun}");
        let confirm = async |code: String| {
            post(&served, &limited, "/v1/me/second-factor/confirm", json!({ "code": code })).await
        };
        let wrong = totp.generate(now(&served) + 3_600).to_string();
        assert_eq!(code_of(&confirm(wrong).await), (401, "bad_code"));
        // Begun anew: the earlier secret is void.
        let (_, again) = post(&served, &limited, "/v1/me/second-factor", json!({})).await;
        assert_eq!(code_of(&confirm(totp.generate(now(&served)).to_string()).await), (401, "bad_code"));
        let totp = authenticator(again["secret"].as_str().unwrap());
        let (status, force) = confirm(totp.generate(now(&served)).to_string()).await;
        assert_eq!(status, 200, "{force}");
        let token = force["tokens"]["access_token"].as_str().unwrap();
        let (_, me) = get(&served, token, "/v1/me").await;
        assert_eq!((me["limited"].as_bool(), me["stepped_up"].as_bool()), (Some(false), Some(true)), "{me}");
        assert_eq!(me["recovery_codes_left"], 10);
        assert_eq!(get(&served, token, "/v1/people").await.0, 200);
    });
}

#[test]
fn a_step_is_accepted_once_and_one_step_either_way() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let challenge = ines.challenge().await;
        for far in [-3, -2, 2, 3] {
            let answer = ines.second(&challenge, json!({ "code": ines.code(far) })).await;
            assert_eq!(code_of(&answer), (401, "bad_code"), "{far} steps away");
            // Past the delays of earlier failures, within the challenge's five minutes, and back to the same distance.
            ines.pass(30_000);
        }
        let challenge = ines.challenge().await;
        let code = ines.code(0);
        assert_eq!(ines.second(&challenge, json!({ "code": code })).await.0, 200);
        assert_eq!(code_of(&ines.second(&challenge, json!({ "code": code })).await), (401, "session_ended"));
        let challenge = ines.challenge().await;
        assert_eq!(
            code_of(&ines.second(&challenge, json!({ "code": code })).await),
            (401, "bad_code"),
            "used"
        );
        assert_eq!(
            code_of(&ines.second(&challenge, json!({ "code": ines.code(-1) })).await),
            (401, "bad_code"),
            "before the used one"
        );
        ines.pass(2_000);
        assert_eq!(ines.second(&challenge, json!({ "code": ines.code(1) })).await.0, 200, "the next");
    });
}

#[test]
fn wrong_codes_end_the_challenge_and_are_delayed() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let challenge = ines.challenge().await;
        let mut refused = Vec::new();
        for guess in 0..5 {
            let mut answer = ines.second(&challenge, json!({ "code": format!("{guess:06}") })).await;
            if answer.0 == 429 {
                ines.pass(4_000);
                answer = ines.second(&challenge, json!({ "code": format!("{guess:06}") })).await;
            }
            refused.push(answer.0);
        }
        assert_eq!(refused, [401; 5]);
        ines.pass(60_000);
        let late = ines.second(&challenge, json!({ "code": ines.code(0) })).await;
        assert_eq!(code_of(&late), (401, "session_ended"), "back to the password");
        // The right password does not forget wrong codes.
        for _ in 0..12 {
            let challenge = ines.challenge().await;
            if ines.second(&challenge, json!({ "code": "000000" })).await.0 == 429 {
                let locked = ines.second(&challenge, json!({ "code": ines.code(0) })).await;
                assert_eq!(code_of(&locked), (429, "too_many_attempts"));
                return;
            }
        }
        panic!("codes can be guessed without end");
    });
}

#[test]
fn malformed_codes_and_both_factors_at_once_are_refused() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let challenge = ines.challenge().await;
        for given in [json!({}), json!({ "code": "1", "recovery_code": "2" })] {
            assert_eq!(code_of(&ines.second(&challenge, given).await), (422, "code_needed"));
        }
        let number = ines.second(&challenge, json!({ "code": 123_456 })).await;
        assert_eq!(code_of(&number), (400, "bad_json"));
        for code in ["", "12345", "1234567", "12345a", "\u{0661}23456", " 123456", "-00001"] {
            let answer = ines.second(&ines.challenge().await, json!({ "code": code })).await;
            assert_eq!(code_of(&answer), (401, "bad_code"), "{code:?}");
            ines.pass(130_000);
        }
        let stranger = ines.second("alc_00", json!({ "code": ines.code(0) })).await;
        assert_eq!(code_of(&stranger), (401, "session_ended"));
        ines.pass(300_000);
        let late = ines.second(&challenge, json!({ "code": ines.code(0) })).await;
        assert_eq!(code_of(&late), (401, "session_ended"), "five minutes have passed");
    });
}

#[test]
fn of_one_code_twenty_times_at_once_one_is_accepted() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let mut challenges = Vec::new();
        for _ in 0..20 {
            challenges.push(ines.challenge().await);
        }
        let code = json!({ "code": ines.code(0) });
        let asked = challenges.iter().map(|challenge| ines.second(challenge, code.clone()));
        let answers = futures::future::join_all(asked).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.0).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    });
}

#[test]
fn a_recovery_code_is_accepted_once_however_it_is_copied() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let copied = ines.recovery_codes[3].to_uppercase().replace('-', " ");
        let challenge = ines.challenge().await;
        let (status, tokens) = ines.second(&challenge, json!({ "recovery_code": copied })).await;
        assert_eq!(status, 200, "{tokens}");
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(get(&ines.served, token, "/v1/me").await.1["recovery_codes_left"], 9);
        let challenge = ines.challenge().await;
        let again = ines.second(&challenge, json!({ "recovery_code": ines.recovery_codes[3] })).await;
        assert_eq!(code_of(&again), (401, "bad_code"), "used");
        let asked =
            (0..2).map(|_| ines.second(&challenge, json!({ "recovery_code": ines.recovery_codes[4] })));
        let both: Vec<u16> = futures::future::join_all(asked).await.iter().map(|answer| answer.0).collect();
        assert_eq!(both.iter().filter(|status| **status == 200).count(), 1, "{both:?}");
        // New ones void the old.
        ines.pass(3_000);
        let (status, renewed) = post(&ines.served, token, "/v1/me/recovery-codes", json!({})).await;
        assert_eq!((status, renewed["recovery_codes"].as_array().unwrap().len()), (200, 10));
        let old =
            ines.second(&ines.challenge().await, json!({ "recovery_code": ines.recovery_codes[5] })).await;
        assert_eq!(code_of(&old), (401, "bad_code"));
    });
}

#[test]
fn sensitive_calls_ask_for_the_second_factor_again() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let invite = async || {
            let body = json!({ "name": "newcomer", "email": "new@airlock.example", "roles": ["auditor"] });
            post(&ines.served, &ines.token, "/v1/invitations", body).await
        };
        ines.pass(300_000);
        assert_eq!(code_of(&invite().await), (403, "step_up_needed"));
        let begin = post(&ines.served, &ines.token, "/v1/me/second-factor", json!({})).await;
        assert_eq!(code_of(&begin), (403, "step_up_needed"), "a thief of a token replaces no factor");
        let renew = post(&ines.served, &ines.token, "/v1/me/recovery-codes", json!({})).await;
        assert_eq!(code_of(&renew), (403, "step_up_needed"));
        let step_up = async |code: String| {
            post(&ines.served, &ines.token, "/v1/auth/step-up", json!({ "code": code })).await
        };
        assert_eq!(code_of(&step_up("000000".to_owned()).await), (401, "bad_code"));
        let code = ines.code(0);
        assert_eq!(step_up(code.clone()).await.0, 200);
        assert_eq!(code_of(&step_up(code).await), (401, "bad_code"), "used");
        assert_eq!(invite().await.0, 201);
    });
}

#[test]
fn a_replaced_factor_ends_other_sessions_and_is_remembered_for_cooling_off() {
    on_each_database(|stage| async move {
        let ines = Ines::enrolled(stage).await;
        let (_, elsewhere) = ines.second(&ines.challenge().await, json!({ "code": ines.code(0) })).await;
        let elsewhere = elsewhere["access_token"].as_str().unwrap().to_owned();
        let (_, before) = get(&ines.served, &ines.token, "/v1/me").await;
        ines.pass(60_000);
        let (_, begun) = post(&ines.served, &ines.token, "/v1/me/second-factor", json!({})).await;
        let other = authenticator(begun["secret"].as_str().unwrap());
        let code = other.generate(now(&ines.served)).to_string();
        let (status, force) =
            post(&ines.served, &ines.token, "/v1/me/second-factor/confirm", json!({ "code": code })).await;
        assert_eq!(status, 200, "{force}");
        assert_eq!(get(&ines.served, &elsewhere, "/v1/me").await.0, 401);
        let (_, after) = get(&ines.served, &ines.token, "/v1/me").await;
        assert!(after["changed_at"].as_str() > before["changed_at"].as_str(), "{before} {after}");
        ines.pass(60_000);
        let old = ines.second(&ines.challenge().await, json!({ "code": ines.code(0) })).await;
        assert_eq!(code_of(&old), (401, "bad_code"), "the replaced authenticator");
    });
}

/// What a browser with an authenticator sends for `challenge`; the public key is the base point of P-256.
fn passkey(challenge: &str, credential: &[u8], origin: &str) -> Value {
    let client = json!({ "type": "webauthn.create", "challenge": challenge, "origin": origin });
    let mut data = Sha256::digest(b"airlock.example").to_vec();
    data.extend([0x45, 0, 0, 0, 0]);
    data.extend([0; 16]);
    data.extend(u16::try_from(credential.len()).unwrap().to_be_bytes());
    data.extend_from_slice(credential);
    data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
    data.extend(hex::decode("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296").unwrap());
    data.extend([0x22, 0x58, 32]);
    data.extend(hex::decode("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5").unwrap());
    let response = json!({
        "clientDataJSON": base64url(client.to_string().as_bytes()), "authenticatorData": base64url(&data),
        "transports": ["internal"],
    });
    json!({ "label": "laptop", "credential": { "id": base64url(credential), "type": "public-key", "response": response } })
}

#[test]
fn a_passkey_is_registered_for_its_own_challenge_once_and_removed_by_its_owner() {
    on_each_database(|mut stage| async move {
        let passkeys =
            "[auth]\npasskey_rp_id = \"airlock.example\"\npasskey_origins = [\"https://airlock.example\"]";
        stage.app =
            App::open(stage::config(&stage.url, passkeys), Clock::set_at(stage::MOMENT)).await.unwrap();
        let ines = Ines::enrolled(stage).await;
        let (served, token) = (&ines.served, &ines.token);
        let options = async || {
            let (status, options) = post(served, token, "/v1/me/passkeys/options", json!({})).await;
            assert_eq!(status, 200, "{options}");
            options["challenge"].as_str().unwrap().to_owned()
        };
        let register = async |body: Value| post(served, token, "/v1/me/passkeys", body).await;
        let ours = "https://airlock.example";
        let challenge = options().await;
        for (name, body) in [
            ("another page", passkey(&challenge, b"one", "https://airlock.evil")),
            ("a challenge of its own", passkey(&base64url(&[1; 32]), b"one", ours)),
        ] {
            assert_eq!(code_of(&register(body).await), (422, "bad_passkey"), "{name}");
        }
        let (_, before) = get(served, token, "/v1/me").await;
        ines.pass(1_000);
        assert_eq!(register(passkey(&challenge, b"one", ours)).await.0, 201);
        let (_, after) = get(served, token, "/v1/me").await;
        assert!(after["changed_at"].as_str() > before["changed_at"].as_str(), "withdrawals cool off");
        let again = register(passkey(&challenge, b"two", ours)).await;
        assert_eq!(code_of(&again), (422, "bad_passkey"), "the challenge was used");
        let taken = register(passkey(&options().await, b"one", ours)).await;
        assert_eq!(code_of(&taken), (422, "bad_passkey"), "one credential is one person's");
        // A challenge of another session, or one that has waited too long.
        let of_alice = served.request(&served.operator, "POST", "/v1/me/passkeys/options", None, None).await;
        let (_, foreign) = answer(of_alice).await;
        let foreign = passkey(foreign["challenge"].as_str().unwrap(), b"two", ours);
        assert_eq!(code_of(&register(foreign).await), (422, "bad_passkey"));
        let (_, listed) = get(served, token, "/v1/me/passkeys").await;
        assert_eq!(
            (listed["passkeys"].as_array().unwrap().len(), listed["passkeys"][0]["label"].as_str()),
            (1, Some("laptop"))
        );
        let path = format!("/v1/me/passkeys/{}", base64url(b"one"));
        assert_eq!(served.delete(&served.operator, &path).await.0, 404, "another's");
        let late = options().await;
        ines.pass(300_000);
        let delete = answer(served.http.delete(format!("{}{path}", served.url)).bearer_auth(token)).await;
        assert_eq!(code_of(&delete), (403, "step_up_needed"));
        let step_up = post(served, token, "/v1/auth/step-up", json!({ "code": ines.code(0) })).await;
        assert_eq!(step_up.0, 200);
        assert_eq!(
            code_of(&register(passkey(&late, b"two", ours)).await),
            (422, "bad_passkey"),
            "five minutes"
        );
        let delete = answer(served.http.delete(format!("{}{path}", served.url)).bearer_auth(token)).await;
        assert_eq!(delete.0, 200);
        assert_eq!(get(served, token, "/v1/me/passkeys").await.1["passkeys"], json!([]));
    });
}

#[test]
fn a_first_second_factor_is_begun_soon_after_a_log_in_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let token = invited(&served).await;
        served.stage.app.clock.advance(600_000);
        let refused = post(&served, &token, "/v1/me/second-factor", json!({})).await;
        assert_eq!(code_of(&refused), (403, "step_up_needed"), "a token that was stolen meanwhile");
        let login = json!({ "email": EMAIL, "password": PASSWORD });
        let (status, again) = served.knock("/v1/auth/login", login).await;
        assert_eq!(status, 200, "{again}");
        let token = again["tokens"]["access_token"].as_str().or(again["access_token"].as_str()).unwrap();
        let (status, begun) = post(&served, token, "/v1/me/second-factor", json!({})).await;
        assert!(status < 300, "{status} {begun}");
    });
}
