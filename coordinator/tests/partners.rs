//! Partners, their end users, keys and watched wallets over HTTP (P4, P5, P8, case 87). On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::audit::By;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::people::{Reach, Role, Scope};
use serde_json::{Value, json};
use stage::{Answer, Served, Who, answer, on_each_database};

const TRON: &str = "tron:0xa1710c4b";
const ADDRESS: &str = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8";

/// Two partners beside each other: `acme` of the stage, and `beta` with staff, a key and a user of its own.
struct Two {
    served: Served,
    beta: String,
    beta_admin: Who,
    beta_key: Who,
    beta_user: Who,
    acme_admin: Who,
}

impl Two {
    async fn open(stage: stage::Stage) -> Self {
        let served = Served::open(stage).await;
        let made = served.post(&served.operator, "/v1/partners", json!({ "name": "beta" })).await;
        assert_eq!(made.0, 201, "{}", made.1);
        let beta = text(&made.1, "id");
        let admin = [Role::Administrator, Role::Operator, Role::Auditor, Role::Approver];
        Self {
            beta_admin: served.person(&beta, "boris", &admin).await,
            beta_key: served.key(&beta, &Scope::ALL).await,
            beta_user: served.user(&beta, "ulla").await,
            acme_admin: served.person(&served.partner.id, "anna", &admin).await,
            beta,
            served,
        }
    }

    async fn patch(&self, who: &Who, path: &str, body: Value) -> Answer {
        answer(self.served.request(who, "PATCH", path, Some(&body), None).await).await
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[test]
fn a_partner_is_made_renamed_and_shown_and_its_people_see_it_alone() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let (served, beta) = (&two.served, &two.beta);
        let again = served.post(&served.operator, "/v1/partners", json!({ "name": "beta" })).await;
        assert_eq!(code(&again), (409, "taken"));
        let bad = served.post(&served.operator, "/v1/partners", json!({ "name": " beta" })).await;
        assert_eq!(code(&bad), (422, "bad_name"));
        let all = served.get(&served.operator, "/v1/partners?limit=2").await.1;
        assert_eq!(all["partners"].as_array().unwrap().len(), 2);
        let next = text(&all, "next");
        let rest = served.get(&served.operator, &format!("/v1/partners?limit=2&before={next}")).await.1;
        assert_eq!((rest["partners"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
        let own = served.get(&two.beta_admin, "/v1/partners").await.1;
        assert_eq!(own["partners"].as_array().unwrap().len(), 1);
        assert_eq!(own["partners"][0]["id"], beta.as_str());
        let path = format!("/v1/partners/{beta}");
        assert_eq!(two.patch(&served.operator, &path, json!({ "name": "gamma" })).await.1["name"], "gamma");
        assert_eq!(
            code(&two.patch(&served.operator, &path, json!({ "name": "acme" })).await),
            (409, "taken")
        );
        // A partner's own administrators do not rename or close it; foreign ones do not find it.
        let closing = json!({ "active": false });
        assert_eq!(two.patch(&two.beta_admin, &path, closing.clone()).await.0, 403);
        assert_eq!(two.patch(&two.acme_admin, &path, closing.clone()).await.0, 404);
        let house = two.patch(&served.operator, "/v1/partners/house", closing).await;
        assert_eq!(code(&house), (422, "bad_setting"));
        assert_eq!(served.get(&two.acme_admin, &path).await.0, 404);
        assert_eq!(served.get(&two.beta_key, "/v1/partners").await.0, 403);
    });
}

#[test]
fn closing_a_partner_ends_its_keys_people_and_users_at_once_and_opening_lets_them_in() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        let balances = format!("/v1/balances?user={}", two.beta_user.id);
        let path = format!("/v1/partners/{}", two.beta);
        for active in [true, false, true] {
            assert_eq!(two.patch(&served.operator, &path, json!({ "active": active })).await.0, 200);
            let expected = if active { (200, 200, 200) } else { (401, 401, 401) };
            let found = (
                served.get(&two.beta_key, &balances).await,
                served.get(&two.beta_admin, "/v1/partners").await,
                served.get(&two.beta_user, "/v1/balances").await,
            );
            assert_eq!((found.0.0, found.1.0, found.2.0), expected, "{active} {found:?}");
            if !active {
                assert_eq!(code(&found.0), (401, "partner_inactive"));
                // Nothing new is made for it either.
                let wanted = json!({ "partner": two.beta, "external_id": "new" });
                assert_eq!(
                    code(&served.post(&served.operator, "/v1/users", wanted).await),
                    (409, "wrong_state")
                );
                let wanted = json!({ "partner": two.beta, "label": "new", "scopes": ["read"] });
                assert_eq!(
                    code(&served.post(&served.operator, "/v1/keys", wanted).await),
                    (409, "wrong_state")
                );
            }
        }
        // The other partner noticed nothing.
        let ann = format!("/v1/balances?user={}", served.ann.id);
        assert_eq!(served.get(&served.partner, &ann).await.0, 200);
    });
}

#[test]
fn users_are_made_once_by_external_id_and_found_by_their_own_partner_alone() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        let wanted = json!({ "external_id": "customer-7" });
        let first = served.post(&two.beta_key, "/v1/users", wanted.clone()).await;
        let again = served.post(&two.beta_key, "/v1/users", wanted.clone()).await;
        assert_eq!((first.0, again.0, &first.1), (201, 200, &again.1));
        // The same name at another partner is another user.
        let other = served.post(&served.partner, "/v1/users", wanted).await;
        assert_eq!(other.0, 201);
        assert_ne!(other.1["id"], first.1["id"]);
        let path = format!("/v1/users/{}", text(&first.1, "id"));
        assert_eq!(served.get(&two.beta_key, &path).await.1, first.1);
        assert_eq!(served.get(&two.beta_admin, &path).await.0, 200);
        assert_eq!(served.get(&served.operator, &path).await.0, 200);
        let missing = served.get(&served.partner, "/v1/users/nobody").await;
        for who in [&served.partner, &two.acme_admin] {
            let mut foreign = served.get(who, &path).await;
            assert_eq!(code(&foreign), (404, "not_found"));
            // Word for word as if there were none.
            foreign.1["error"]["request_id"] = missing.1["error"]["request_id"].clone();
            assert_eq!(foreign.1, missing.1);
            for verb in ["deactivate", "activate"] {
                let refused = served.post(who, &format!("{path}/{verb}"), json!({})).await;
                assert_eq!(code(&refused), (404, "not_found"), "{verb}");
            }
        }
        let found = served.get(&two.beta_key, "/v1/users?external_id=customer-7").await.1;
        assert_eq!(found["users"], json!([first.1]));
        let foreign = served.get(&served.partner, &format!("/v1/users?partner={}", two.beta)).await;
        assert_eq!(code(&foreign), (404, "not_found"));
        let wanted = json!({ "partner": two.beta, "external_id": "x" });
        assert_eq!(code(&served.post(&served.partner, "/v1/users", wanted).await), (404, "not_found"));
        for bad in ["", " a", "a\u{7}", &"x".repeat(65)] {
            let refused = served.post(&two.beta_key, "/v1/users", json!({ "external_id": bad })).await;
            assert_eq!(code(&refused), (422, "bad_name"), "{bad:?}");
        }
    });
}

#[test]
fn a_closed_user_gets_in_no_more_and_no_money_moves_for_it() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        served.stage.give(&served.ann.id, "USDT", 5_000_000).await;
        let body = json!({ "kind": "transfer", "from": served.ann.id, "to": served.bob.id,
            "asset": "USDT", "amount": "1" });
        let path = format!("/v1/users/{}", served.ann.id);
        assert_eq!(served.get(&served.ann, "/v1/balances").await.0, 200);
        assert_eq!(served.post_once(&served.partner, "/v1/transfers", "t1", body.clone()).await.0, 201);
        let closed = served.post(&served.partner, &format!("{path}/deactivate"), json!({})).await;
        assert_eq!((closed.0, &closed.1["active"]), (200, &json!(false)), "{}", closed.1);
        assert_eq!(served.get(&served.ann, "/v1/balances").await.0, 401);
        let refused = served.post_once(&served.partner, "/v1/transfers", "t2", body.clone()).await;
        assert!((400..500).contains(&refused.0), "{}", refused.1);
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await.0, 4_000_000);
        let opened = served.post(&served.partner, &format!("{path}/activate"), json!({})).await;
        assert_eq!((opened.0, &opened.1["active"]), (200, &json!(true)));
        assert_eq!(served.post_once(&served.partner, "/v1/transfers", "t3", body).await.0, 201);
        // A key without the scope does neither.
        let reader = served.key(&served.partner.id, &[Scope::Read]).await;
        assert_eq!(served.post(&reader, &format!("{path}/deactivate"), json!({})).await.0, 403);
        assert_eq!(served.post(&reader, "/v1/users", json!({ "external_id": "x" })).await.0, 403);
    });
}

#[test]
fn keys_are_made_listed_rotated_and_ended_by_their_own_administrators() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        let wanted =
            json!({ "label": "shop", "scopes": ["read"], "networks": ["127.0.0.1"], "lifetime_s": 60 });
        let made = served.post(&two.beta_admin, "/v1/keys", wanted.clone()).await;
        assert_eq!(made.0, 201, "{}", made.1);
        assert_eq!((&made.1["partner"], &made.1["networks"]), (&json!(two.beta), &json!(["127.0.0.1/32"])));
        assert_eq!(text(&made.1, "secret").len(), 64);
        let id = text(&made.1, "id");
        let listed = served.get(&two.beta_admin, "/v1/keys").await.1;
        assert!(
            !listed.to_string().contains(&text(&made.1, "secret")) && !listed.to_string().contains("secret")
        );
        assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["partner"] == two.beta.as_str()));
        // Foreign keys are missing ones, whatever is tried.
        let rotation = json!({ "overlap_s": 60 });
        for path in [format!("/v1/keys/{id}/rotate"), "/v1/keys/ak_0/rotate".to_owned()] {
            let refused = served.post(&two.acme_admin, &path, rotation.clone()).await;
            assert_eq!(code(&refused), (404, "not_found"), "{path}");
        }
        assert_eq!(served.delete(&two.acme_admin, &format!("/v1/keys/{id}")).await.0, 404);
        let foreign = format!("/v1/keys?partner={}", two.beta);
        assert_eq!(served.get(&two.acme_admin, &foreign).await.0, 404);
        let mut theirs = wanted.clone();
        theirs["partner"] = json!(two.beta);
        assert_eq!(served.post(&two.acme_admin, "/v1/keys", theirs).await.0, 404);
        let rotated = served.post(&two.beta_admin, &format!("/v1/keys/{id}/rotate"), rotation.clone()).await;
        assert_eq!((rotated.0, &rotated.1["replaces"]), (201, &json!(id)), "{}", rotated.1);
        let again = served.post(&two.beta_admin, &format!("/v1/keys/{id}/rotate"), rotation).await;
        assert_eq!(code(&again), (409, "wrong_state"));
        let ended = served.delete(&two.beta_admin, &format!("/v1/keys/{id}")).await;
        assert_eq!((ended.0, &ended.1["state"]), (200, &json!("ended")));
        assert_eq!(served.delete(&two.beta_admin, &format!("/v1/keys/{id}")).await.0, 409);
        for (field, value, expected) in [
            ("scopes", json!([]), (422, "scope_needed")),
            ("scopes", json!(["everything"]), (400, "bad_json")),
            ("label", json!(""), (422, "bad_label")),
            ("networks", json!(["10.0.0.1/8"]), (422, "bad_network")),
            ("networks", json!(["everywhere"]), (422, "bad_network")),
            ("lifetime_s", json!(0), (422, "bad_lifetime")),
            ("partner", json!("house"), (404, "not_found")),
        ] {
            let mut bad = wanted.clone();
            bad[field] = value;
            assert_eq!(code(&served.post(&two.beta_admin, "/v1/keys", bad).await), expected, "{field}");
        }
        let house = json!({ "partner": "house", "label": "ours", "scopes": ["read"] });
        let refused = served.post(&served.operator, "/v1/keys", house).await;
        assert_eq!(code(&refused), (422, "house_has_no_keys"));
        // Only administrators.
        let operator =
            served.person(&two.beta, "otto", &[Role::Operator, Role::Auditor, Role::Approver]).await;
        assert_eq!(served.get(&operator, "/v1/keys").await.0, 403);
        assert_eq!(served.get(&two.beta_user, "/v1/keys").await.0, 403);
    });
}

#[test]
fn pages_of_keys_hold_every_key_once() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        for n in 0..5 {
            let wanted = Wanted::new(&two.beta, &format!("key {n}"), [Scope::Read]);
            keys::create(&served.stage.app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        }
        let (mut labels, mut next) = (Vec::new(), String::new());
        loop {
            let page = served.get(&two.beta_admin, &format!("/v1/keys?limit=2{next}")).await.1;
            labels.extend(page["keys"].as_array().unwrap().iter().map(|key| text(key, "label")));
            match page["next"].as_str() {
                Some(before) => next = format!("&before={before}"),
                None => break,
            }
        }
        labels.sort();
        assert_eq!(labels, ["key 0", "key 1", "key 2", "key 3", "key 4", "stage"]);
        assert_eq!(served.get(&two.beta_admin, "/v1/keys?limit=501").await.0, 400);
    });
}

#[test]
fn a_wallet_is_watched_with_switches_and_thresholds_by_its_own_partner() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        let path = format!("/v1/partners/{}/wallets", two.beta);
        let wanted = json!({ "network": TRON, "address": ADDRESS, "role": "hot", "label": "till" });
        let made = served.post(&two.beta_admin, &path, wanted.clone()).await;
        assert_eq!(made.0, 201, "{}", made.1);
        // The thresholds of P5 where nothing else is said.
        assert_eq!(made.1["sweep"], json!({ "on": false, "asset": "USDT", "threshold": "1000" }));
        assert_eq!(made.1["energy"], json!({ "on": false, "threshold": 100_000 }));
        assert_eq!((&made.1["balances"], &made.1["energy_left"]), (&json!([]), &Value::Null));
        let twice = served.post(&two.beta_admin, &path, wanted.clone()).await;
        assert_eq!(code(&twice), (409, "taken"));
        let one = format!("{path}/{}", text(&made.1, "id"));
        let change = json!({ "sweep": true, "sweep_threshold": "250.5", "energy": true, "energy_threshold": 65_000,
            "label": "front till", "active": false });
        let changed = two.patch(&two.beta_admin, &one, change).await;
        assert_eq!(changed.0, 200, "{}", changed.1);
        assert_eq!(changed.1["sweep"], json!({ "on": true, "asset": "USDT", "threshold": "250.5" }));
        assert_eq!(changed.1["energy"], json!({ "on": true, "threshold": 65_000 }));
        assert_eq!((&changed.1["label"], &changed.1["active"]), (&json!("front till"), &json!(false)));
        assert_eq!(served.get(&served.operator, &one).await.1, changed.1);
        assert_eq!(served.get(&two.beta_admin, &path).await.1["wallets"], json!([changed.1]));
        for (field, value, expected) in [
            ("network", json!("tron:0x2b6653dc"), (422, "bad_setting")),
            ("network", json!("x"), (422, "bad_setting")),
            ("address", json!("0x00"), (422, "bad_setting")),
            ("label", json!(""), (422, "bad_name")),
            ("role", json!("energy"), (400, "bad_json")),
            ("sweep_threshold", json!("-1"), (422, "bad_setting")),
            ("sweep_threshold", json!("0.0000001"), (422, "bad_setting")),
            ("energy_threshold", json!(-1), (400, "bad_json")),
        ] {
            let mut bad = wanted.clone();
            bad[field] = value;
            assert_eq!(code(&served.post(&two.beta_admin, &path, bad).await), expected, "{field}");
        }
        // Foreign: missing, whatever is tried; also through the path of one's own partner.
        let own = format!("/v1/partners/{}/wallets/{}", served.partner.id, text(&made.1, "id"));
        assert_eq!(served.get(&two.acme_admin, &path).await.0, 404);
        assert_eq!(served.post(&two.acme_admin, &path, wanted.clone()).await.0, 404);
        for path in [&one, &own] {
            assert_eq!(served.get(&two.acme_admin, path).await.0, 404, "{path}");
            assert_eq!(two.patch(&two.acme_admin, path, json!({ "active": true })).await.0, 404, "{path}");
        }
        // Only administrators change; every one of the staff looks.
        let operator = served.person(&two.beta, "otto", &[Role::Operator]).await;
        assert_eq!(served.get(&operator, &one).await.0, 200);
        assert_eq!(two.patch(&operator, &one, json!({ "active": true })).await.0, 403);
        // The same address may be watched by another partner, too.
        let theirs = format!("/v1/partners/{}/wallets", served.partner.id);
        assert_eq!(served.post(&two.acme_admin, &theirs, wanted).await.0, 201);
    });
}

#[test]
fn the_house_sees_everybodys_users_and_balances_and_nobody_else_does() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        served.stage.give(&two.beta_user.id, "USDT", 7_500_000).await;
        let users = served.get(&served.operator, "/v1/admin/users").await.1;
        let ids: Vec<_> = users["users"].as_array().unwrap().iter().map(|user| text(user, "id")).collect();
        for id in [&served.ann.id, &served.bob.id, &two.beta_user.id] {
            assert!(ids.contains(id), "{users}");
        }
        let one = format!("/v1/admin/balances?partner={}", two.beta);
        let shown = served.get(&served.operator, &one).await.1;
        assert_eq!(shown["users"].as_array().unwrap().len(), 1);
        assert_eq!(
            shown["users"][0]["balances"],
            json!([{ "asset": "USDT", "available": "7.5", "held": "0" }]),
            "{shown}"
        );
        for who in [&two.beta_admin, &two.beta_key, &two.beta_user] {
            for path in ["/v1/admin/users", "/v1/admin/balances"] {
                assert_eq!(served.get(who, path).await.0, 403, "{} {path}", who.id);
            }
        }
    });
}

#[test]
fn a_partners_people_see_operations_of_their_own_alone() {
    on_each_database(|stage| async move {
        let two = Two::open(stage).await;
        let served = &two.served;
        for (path, field) in
            [("/v1/signers", "signers"), ("/v1/batches", "batches"), ("/v1/alerts", "alerts")]
        {
            let shown = served.get(&two.beta_admin, path).await;
            assert_eq!((shown.0, &shown.1[field]), (200, &json!([])), "{path}");
        }
        for path in
            ["/v1/batches/x", "/v1/bundles/x", "/v1/batches/x/hardware", "/v1/batches/x/signed-batch.json"]
        {
            assert_eq!(served.get(&two.beta_admin, path).await.0, 404, "{path}");
        }
        let wanted = json!({ "network": TRON, "asset": "USDT" });
        // It has no signer of its own, so no wallet that could pay; the house's is not its to use.
        let made = served.post(&two.beta_admin, "/v1/batches", wanted.clone()).await;
        assert_eq!(code(&made), (409, "no_wallet"), "{}", made.1);
        let mut theirs = wanted;
        for partner in ["house", served.partner.id.as_str()] {
            theirs["partner"] = json!(partner);
            assert_eq!(served.post(&two.beta_admin, "/v1/batches", theirs.clone()).await.0, 404);
        }
        let pairing = json!({ "introduction": "{}", "partner": served.partner.id });
        assert_eq!(served.post(&two.beta_admin, "/v1/signers", pairing).await.0, 404);
        // What is the house's alone stays so.
        for path in ["/v1/chains", "/v1/ledger/reserves", "/v1/ledger/trial-balance"] {
            assert_eq!(served.get(&two.beta_admin, path).await.0, 403, "{path}");
        }
        assert_eq!(served.get(&two.beta_key, "/v1/batches").await.0, 403);
    });
}
