//! Staff (P3, case 50): invitations, roles by two people, deactivation, and that tenants do not meet. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::audit::By;
use airlock_coordinator::people::Role::{Administrator, Approver, Auditor, Operator};
use airlock_coordinator::people::invitation::{self, Grant, Invited};
use serde_json::{Value, json};
use stage::{Answer, Served, Who, answer, every_role, on_each_database};

const PASSWORD: &str = "eight or more";

fn code(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

fn whom(name: &str, roles: Value) -> Value {
    json!({ "name": name, "email": format!("{name}@example.com"), "roles": roles })
}

async fn invite(served: &Served, by: &Who, body: Value) -> Answer {
    served.post(by, "/v1/invitations", body).await
}

async fn accept(served: &Served, invitation: &Value) -> Answer {
    let body = json!({ "invitation": invitation, "password": PASSWORD });
    served.knock("/v1/invitations/accept", body).await
}

/// The roles of a person as a colleague sees them.
async fn roles(served: &Served, person: &str) -> Value {
    let (_, page) = served.get(&served.operator, "/v1/people").await;
    let people = page["people"].as_array().unwrap();
    people.iter().find(|shown| shown["id"] == person).unwrap()["roles"].clone()
}

async fn decide(served: &Served, by: &Who, change: &Value, decision: &str) -> Answer {
    let path = format!("/v1/role-changes/{}/{decision}", change["id"].as_str().unwrap());
    served.post(by, &path, json!({})).await
}

#[test]
fn whoever_is_invited_over_the_api_has_no_roles_until_another_administrator_agrees() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let (status, made) = invite(&served, &served.operator, whom("nora", json!(["administrator"]))).await;
        assert_eq!(status, 201, "{made}");
        let (status, tokens) = accept(&served, &made["invitation"]).await;
        assert_eq!((status, tokens["state"].as_str()), (200, Some("limited")), "{tokens}");
        assert_eq!(roles(&served, "nora").await, json!([]));
        let (_, waiting) = served.get(&served.operator, "/v1/role-changes").await;
        let change = &waiting["role_changes"][0];
        assert_eq!(
            (change["person"].as_str(), change["proposed_by"].as_str()),
            (Some("nora"), Some("person:alice"))
        );
        let own = decide(&served, &served.operator, change, "approve").await;
        assert_eq!(code(&own), (403, "own_proposal"), "nobody makes an accomplice alone");
        assert_eq!(decide(&served, &served.second_operator, change, "approve").await.0, 200);
        assert_eq!(roles(&served, "nora").await, json!(["administrator"]));
    });
}

#[test]
fn an_invitation_is_good_once_and_in_its_time() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let (_, made) = invite(&served, &served.operator, whom("nora", json!([]))).await;
        assert_eq!(code(&accept(&served, &json!("ali_00")).await), (422, "bad_invitation"));
        let weak = json!({ "invitation": made["invitation"], "password": "password1" });
        assert_eq!(code(&served.knock("/v1/invitations/accept", weak).await), (422, "weak_password"));
        let both = (0..10).map(|_| accept(&served, &made["invitation"]));
        let both: Vec<u16> = futures::future::join_all(both).await.iter().map(|answer| answer.0).collect();
        assert_eq!(both.iter().filter(|status| **status == 200).count(), 1, "{both:?}");
        let again = accept(&served, &made["invitation"]).await;
        assert_eq!(code(&again), (422, "bad_invitation"), "used");
        let (_, made) = invite(&served, &served.operator, whom("late", json!([]))).await;
        served.stage.app.clock.advance(259_200_000);
        assert_eq!(code(&accept(&served, &made["invitation"]).await), (422, "bad_invitation"), "expired");
        // Of two invitations the later counts, and a person who is there is not invited over.
        let (_, first) = invite(&served, &served.operator, whom("twice", json!([]))).await;
        served.stage.app.clock.advance(1_000);
        let (_, second) = invite(&served, &served.operator, whom("twice", json!([]))).await;
        assert_eq!(accept(&served, &first["invitation"]).await.0, 422);
        assert_eq!(accept(&served, &second["invitation"]).await.0, 200);
        assert_eq!(code(&invite(&served, &served.operator, whom("nora", json!([]))).await), (409, "taken"));
        assert_eq!(
            code(&invite(&served, &served.operator, whom("Nora N", json!([]))).await),
            (422, "bad_name")
        );
    });
}

#[test]
fn one_e_mail_is_one_account() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let body = json!({ "name": "one", "email": "same@example.com", "roles": [] });
        let (_, first) = invite(&served, &served.operator, body).await;
        let body = json!({ "name": "other", "email": "SAME@example.com", "roles": [] });
        let (_, second) = invite(&served, &served.operator, body).await;
        assert_eq!(accept(&served, &first["invitation"]).await.0, 200);
        assert_eq!(code(&accept(&served, &second["invitation"]).await), (422, "bad_invitation"));
    });
}

#[test]
fn partners_invite_and_see_their_own_people_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let other =
            airlock_coordinator::people::create::partner(&served.stage.app.writer, "globex").await.unwrap();
        let paula = served.person("acme", "paula", &[Administrator]).await;
        let pete = served.person("acme", "pete", &[Administrator]).await;
        let petra = served.person("globex", "petra", &[Administrator, Operator]).await;
        for foreign in ["house", other.id.as_str(), "nowhere"] {
            let mut body = whom("nora", json!(["operator"]));
            body["partner"] = json!(foreign);
            assert_eq!(invite(&served, &paula, body).await.0, 404, "{foreign}");
            assert_eq!(served.get(&paula, &format!("/v1/people?partner={foreign}")).await.0, 404);
        }
        let (_, made) = invite(&served, &paula, whom("nora", json!(["operator"]))).await;
        assert_eq!(accept(&served, &made["invitation"]).await.0, 200);
        let ids = async |who: &Who| {
            let (_, page) = served.get(who, "/v1/people").await;
            let ids = page["people"]
                .as_array()
                .unwrap()
                .iter()
                .map(|shown| shown["id"].as_str().unwrap().to_owned());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(&paula).await, ["nora", "paula", "pete"]);
        assert_eq!(ids(&petra).await, ["petra"]);
        assert_eq!(ids(&served.operator).await, ["alice", "nora", "oscar", "paula", "pete", "petra"]);
        let (_, waiting) = served.get(&paula, "/v1/role-changes").await;
        let change = &waiting["role_changes"][0];
        assert_eq!(served.get(&petra, "/v1/role-changes").await.1["role_changes"], json!([]));
        for decision in ["approve", "reject"] {
            assert_eq!(decide(&served, &petra, change, decision).await.0, 404);
        }
        for foreign in ["alice", "petra", "nobody"] {
            let path = format!("/v1/people/{foreign}/roles");
            assert_eq!(served.post(&paula, &path, json!({ "roles": [] })).await.0, 404, "{foreign}");
            let path = format!("/v1/people/{foreign}/deactivate");
            assert_eq!(served.post(&paula, &path, json!({})).await.0, 404, "{foreign}");
        }
        assert_eq!(decide(&served, &pete, change, "approve").await.0, 200);
        // Its operator is a partner's operator, and no operator of the house.
        let (_, page) = served.get(&served.operator, "/v1/people?limit=2").await;
        assert_eq!((page["people"].as_array().unwrap().len(), page["next"].as_str()), (2, Some("nora")));
        let (_, rest) = served.get(&served.operator, "/v1/people?after=nora").await;
        assert_eq!(rest["people"][0]["id"], "oscar");
        for bad in ["limit=0", "limit=501", "limit=x", "colour=red"] {
            assert_eq!(served.get(&served.operator, &format!("/v1/people?{bad}")).await.0, 400, "{bad}");
        }
    });
}

#[test]
fn roles_change_by_two_people_and_end_the_sessions_of_the_third() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let nora = served.person("house", "nora", &[Auditor]).await;
        let token = served.token(&nora).await;
        let me =
            async || answer(served.http.get(format!("{}/v1/me", served.url)).bearer_auth(&token)).await.0;
        let propose = async |by: &Who, roles: Value| {
            served.post(by, "/v1/people/nora/roles", json!({ "roles": roles })).await
        };
        let (status, change) = propose(&served.operator, json!(["operator", "approver"])).await;
        assert_eq!((status, change["state"].as_str()), (201, Some("proposed")), "{change}");
        assert_eq!(roles(&served, "nora").await, json!(["auditor"]), "nothing has changed yet");
        assert_eq!(code(&decide(&served, &served.operator, &change, "approve").await), (403, "own_proposal"));
        assert_eq!(code(&decide(&served, &served.operator, &change, "reject").await), (403, "own_proposal"));
        assert_eq!(me().await, 200);
        let (status, approved) = decide(&served, &served.second_operator, &change, "approve").await;
        assert_eq!((status, approved["decided_by"].as_str()), (200, Some("person:oscar")), "{approved}");
        assert_eq!(roles(&served, "nora").await, json!(["operator", "approver"]));
        assert_eq!(me().await, 401, "sessions end with the roles they were opened for");
        assert_eq!(
            code(&decide(&served, &served.second_operator, &change, "approve").await),
            (409, "wrong_state")
        );
        let same = propose(&served.operator, json!(["approver", "operator"])).await;
        assert_eq!(code(&same), (409, "wrong_state"), "they have them already");
        let unknown = propose(&served.operator, json!(["king"])).await;
        assert_eq!(code(&unknown), (400, "bad_json"));
    });
}

#[test]
fn a_proposal_is_void_when_its_ground_has_gone() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let third = served.person("house", "thea", &[Administrator]).await;
        served.person("house", "nora", &[Auditor]).await;
        let propose = async |by: &Who, roles: Value| {
            served.post(by, "/v1/people/nora/roles", json!({ "roles": roles })).await.1
        };
        // The person concerned does not decide, whoever proposed.
        let (_, own) = served.post(&third, "/v1/people/oscar/roles", json!({ "roles": ["auditor"] })).await;
        assert_eq!(
            code(&decide(&served, &served.second_operator, &own, "approve").await),
            (403, "own_proposal")
        );
        // Two proposals from the same picture: the second finds another.
        let (first, second) = (
            propose(&served.operator, json!(["operator"])).await,
            propose(&served.operator, json!(["approver"])).await,
        );
        assert_eq!(decide(&served, &third, &first, "approve").await.0, 200);
        assert_eq!(code(&decide(&served, &third, &second, "approve").await), (409, "wrong_state"));
        // A proposer who was deactivated since does not count.
        let (of_thea, late) =
            (propose(&third, json!([])).await, propose(&served.operator, json!(["auditor"])).await);
        assert_eq!(served.post(&served.operator, "/v1/people/thea/deactivate", json!({})).await.0, 200);
        assert_eq!(
            code(&decide(&served, &served.second_operator, &of_thea, "approve").await),
            (409, "wrong_state")
        );
        // After a week nobody decides any more.
        served.stage.app.clock.advance(7 * 86_400_000);
        assert_eq!(
            code(&decide(&served, &served.second_operator, &late, "approve").await),
            (409, "wrong_state")
        );
        assert_eq!(roles(&served, "nora").await, json!(["operator"]));
    });
}

#[test]
fn only_administrators_manage_people() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let plain = served.person("house", "nora", &[Operator, Approver, Auditor]).await;
        for (path, body) in [
            ("/v1/invitations", whom("x", json!([]))),
            ("/v1/people/alice/roles", json!({ "roles": [] })),
            ("/v1/people/alice/deactivate", json!({})),
            ("/v1/role-changes/x/approve", json!({})),
            ("/v1/role-changes/x/reject", json!({})),
        ] {
            for who in [&plain, &served.ann, &served.partner] {
                assert_eq!(
                    code(&served.post(who, path, body.clone()).await),
                    (403, "forbidden"),
                    "{path} {}",
                    who.id
                );
            }
            assert_eq!(served.knock(path, body).await.0, 401, "{path}");
        }
        assert_eq!(served.get(&plain, "/v1/people").await.0, 200);
        assert_eq!(
            (
                served.get(&served.ann, "/v1/people").await.0,
                served.get(&served.partner, "/v1/people").await.0
            ),
            (403, 403)
        );
        let own = served.post(&served.operator, "/v1/people/alice/deactivate", json!({})).await;
        assert_eq!(code(&own), (403, "own_proposal"));
    });
}

#[test]
fn who_lost_their_way_in_is_invited_anew_on_the_command_line_only() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let again = async |partner: &str| {
            let invited = Invited {
                name: "alice".to_owned(),
                email: "alice@airlock.example".to_owned(),
                partner: partner.to_owned(),
                roles: [Auditor].into(),
            };
            invitation::invite(&served.stage.app, By::command_line(), invited, Grant::Direct).await
        };
        let token = served.token(&served.operator).await;
        assert!(
            again("nowhere").await.is_err() && again(&served.partner.id).await.is_err(),
            "of another tenant"
        );
        let made = again("house").await.unwrap();
        let me =
            async || answer(served.http.get(format!("{}/v1/me", served.url)).bearer_auth(&token)).await.0;
        assert_eq!(me().await, 200, "an invitation alone changes nothing");
        assert_eq!(accept(&served, &json!(made.invitation)).await.0, 200);
        assert_eq!(me().await, 401);
        let (_, page) = served.get(&served.second_operator, "/v1/people").await;
        assert_eq!(page["people"][0]["roles"], json!(["auditor"]));
        assert_eq!(every_role().len(), 4);
    });
}

#[test]
fn an_open_invitation_does_not_bring_back_who_was_deactivated_meanwhile() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        let invited = Invited {
            name: "alice".to_owned(),
            email: "alice@airlock.example".to_owned(),
            partner: "house".to_owned(),
            roles: [Auditor].into(),
        };
        let made = invitation::invite(&served.stage.app, By::command_line(), invited, Grant::Direct);
        let made = made.await.unwrap();
        let ended = served.post(&served.second_operator, "/v1/people/alice/deactivate", json!({})).await;
        assert_eq!(ended.0, 200);
        assert_eq!(accept(&served, &json!(made.invitation)).await.0, 422);
    });
}
