//! Withdrawals from request to settlement, without a chain: what is refused, what is held, who may do what.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::withdrawals::attempts::{self, Attempt, Bound};
use airlock_coordinator::withdrawals::{AttemptState, Event, WithdrawalError, queue, store, transition};
use airlock_shared::{Address, BaseUnits, Digest, Network};
use futures::future::join_all;
use serde_json::{Value, json};
use stage::{MOMENT, Served, Stage, on_each_database};

const TRON: &str = "tron:0xa1710c4b";
const EVM: &str = "eip155:31337";
const TO: &str = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb";
const HOT: &str = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8";

fn asked(amount: &str) -> Value {
    json!({ "network": TRON, "asset": "USDT", "to": TO, "amount": amount })
}

async fn request(served: &Served, key: &str, amount: &str) -> Value {
    let (status, body) = served.post_once(&served.ann, "/v1/withdrawals", key, asked(amount)).await;
    assert_eq!(status, 201, "{body}");
    body
}

async fn drive(stage: &Stage, id: &str, events: Vec<Event>) -> Result<(), WithdrawalError> {
    let id = id.to_owned();
    stage
        .app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                for event in events {
                    transition(unit, &id, event, "system", "test").await?;
                }
                Ok(())
            })
        })
        .await
}

#[test]
fn what_cannot_be_paid_is_refused_by_name() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 10_000_000).await;
        let cases = [
            ("network", json!("tron:0x2b6653dc"), "unknown_network"),
            ("network", json!("TRON"), "unknown_network"),
            ("asset", json!("usdt"), "unknown_asset"),
            ("asset", json!("TRX"), "unknown_asset"),
            ("to", json!("0xdAC17F958D2ee523a2206206994597C13D831ec7"), "bad_address"),
            ("to", json!("TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwc"), "bad_address"),
            ("to", json!("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"), "reserved_address"),
            ("to", json!("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"), "token_contract"),
            ("to", json!(HOT), "own_address"),
            ("amount", json!("0"), "below_minimum"),
            ("amount", json!("1.999999"), "below_minimum"),
            ("amount", json!("1000.000001"), "above_maximum"),
            ("amount", json!("5.0000001"), "bad_amount"),
            ("amount", json!("1e3"), "bad_amount"),
            ("amount", json!("1,000"), "bad_amount"),
            ("amount", json!("-5"), "bad_amount"),
            ("amount", json!("5 "), "bad_amount"),
            ("amount", json!("NaN"), "bad_amount"),
            ("amount", json!("9.5"), "insufficient_funds"),
            ("amount", json!(5), "bad_json"),
            ("memo", json!(""), "bad_memo"),
            ("memo", json!("x".repeat(256)), "bad_memo"),
            ("surprise", json!(1), "bad_json"),
        ];
        for (field, value, code) in cases {
            let mut body = asked("5");
            body[field] = value.clone();
            let (_, refused) = served.post_once(&served.ann, "/v1/withdrawals", "k", body).await;
            assert_eq!(refused["error"]["code"], code, "{field} = {value}: {refused}");
        }
        let mut evm = json!({ "network": EVM, "asset": "USDT", "amount": "5", "to": TO });
        for (to, code) in [
            (TO, "bad_address"),
            ("0xdAC17F958D2ee523a2206206994597C13D831eC7", "bad_address"),
            ("0x000000000000000000000000000000000000dEaD", "reserved_address"),
            ("0x0000000000000000000000000000000000000001", "reserved_address"),
        ] {
            evm["to"] = json!(to);
            let (_, refused) = served.post_once(&served.ann, "/v1/withdrawals", "k", evm.clone()).await;
            assert_eq!(refused["error"]["code"], code, "{to}: {refused}");
        }
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await, (10_000_000, 0));
    });
}

#[test]
fn of_a_hundred_requests_for_the_last_balance_exactly_one_is_held() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 6_000_000).await;
        let served = &served;
        let answers = join_all((0..100).map(|n| async move {
            served.post_once(&served.ann, "/v1/withdrawals", &format!("k{n}"), asked("5")).await.0
        }))
        .await;
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
        assert_eq!(answers.iter().filter(|status| **status == 422).count(), 99);
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await, (0, 6_000_000));
        served.stage.prove().await;
    });
}

#[test]
fn an_approval_names_the_revision_and_never_comes_from_the_initiator() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let mut body = asked("5");
        body["user"] = json!(served.ann.id);
        let (status, made) = served.post_once(&served.operator, "/v1/withdrawals", "k", body).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/v1/withdrawals/{}/approve", made["id"].as_str().unwrap());
        assert_eq!(served.post(&served.operator, &path, json!({ "revision": 1 })).await.0, 403);
        assert_eq!(served.post(&served.ann, &path, json!({ "revision": 1 })).await.0, 403);
        let (status, body) = served.post(&served.second_operator, &path, json!({ "revision": 2 })).await;
        assert_eq!((status, body["error"]["code"].as_str()), (409, Some("wrong_revision")));
        let (status, body) = served.post(&served.second_operator, &path, json!({ "revision": 1 })).await;
        assert_eq!((status, body["state"].as_str()), (200, Some("queued")), "{body}");
        let events: Vec<_> =
            body["history"].as_array().unwrap().iter().map(|step| step["event"].clone()).collect();
        assert_eq!(events, ["request", "approve", "queue"]);
        // The same approval again changes nothing.
        let (status, again) = served.post(&served.second_operator, &path, json!({ "revision": 1 })).await;
        assert_eq!((status, &again["history"]), (200, &body["history"]));
    });
}

#[test]
fn users_see_neither_the_sequence_of_items_nor_who_works_here() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let made = request(&served, "k", "5").await;
        let path = format!("/v1/withdrawals/{}", made["id"].as_str().unwrap());
        served.post(&served.operator, &format!("{path}/approve"), json!({ "revision": 1 })).await;
        let (_, hers) = served.get(&served.ann, &path).await;
        let (_, listed) = served.get(&served.ann, "/v1/withdrawals").await;
        for seen in [&made, &hers, &listed["withdrawals"][0]] {
            assert!(seen.get("item_id").is_none() && seen.get("batch_id").is_none(), "{seen}");
        }
        assert_eq!(hers["history"][1]["who"], "operator");
        assert!(hers["history"][1].get("why").is_none());
        let (_, ours) = served.get(&served.operator, &path).await;
        assert_eq!(ours["item_id"], "1");
        assert_ne!(ours["history"][1]["who"], "operator");
    });
}

#[test]
fn a_hundred_operators_pressing_approve_approve_once() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let made = request(&served, "k", "5").await;
        let path = format!("/v1/withdrawals/{}/approve", made["id"].as_str().unwrap());
        let (served, path) = (&served, &path);
        let answers = join_all((0..100usize).map(|n| async move {
            let who = if n % 2 == 0 { &served.operator } else { &served.second_operator };
            served.post(who, path, json!({ "revision": 1 })).await
        }))
        .await;
        assert!(answers.iter().all(|(status, _)| *status == 200 || *status == 409));
        let shown =
            served.get(&served.ann, &format!("/v1/withdrawals/{}", made["id"].as_str().unwrap())).await.1;
        assert_eq!(shown["history"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn cancelling_releases_the_hold_once_and_foreigners_see_nothing() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 6_000_000).await;
        let made = request(&served, "k", "5").await;
        let path = format!("/v1/withdrawals/{}", made["id"].as_str().unwrap());
        assert_eq!(served.get(&served.bob, &path).await.0, 404);
        assert_eq!(served.post(&served.bob, &format!("{path}/cancel"), json!({})).await.0, 404);
        for _ in 0..2 {
            let (status, body) = served.post(&served.ann, &format!("{path}/cancel"), json!({})).await;
            assert_eq!((status, body["state"].as_str()), (200, Some("cancelled")), "{body}");
        }
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await, (6_000_000, 0));
        let (status, _) =
            served.post(&served.operator, &format!("{path}/approve"), json!({ "revision": 1 })).await;
        assert_eq!(status, 409);
        served.stage.prove().await;
    });
}

#[test]
fn lists_are_paged_and_filtered() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        for n in 0..5 {
            request(&served, &format!("k{n}"), "5").await;
        }
        let mut seen = Vec::new();
        let mut path = "/v1/withdrawals?limit=2".to_owned();
        loop {
            let (_, page) = served.get(&served.ann, &path).await;
            seen.extend(page["withdrawals"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/withdrawals?limit=2&before={next}");
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5);
        let count = |answer: stage::Answer| answer.1["withdrawals"].as_array().unwrap().len();
        assert_eq!(count(served.get(&served.bob, "/v1/withdrawals").await), 0);
        let foreign = format!("/v1/withdrawals?user={}", served.ann.id);
        assert_eq!(served.get(&served.bob, &foreign).await.0, 404, "a foreign user is a missing one");
        assert_eq!(count(served.get(&served.partner, "/v1/withdrawals?state=pending").await), 5);
        assert_eq!(count(served.get(&served.operator, "/v1/withdrawals?state=queued").await), 0);
    });
}

#[test]
fn completion_pays_from_the_reserve_and_books_the_fee() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 6_000_000).await;
        let made = request(&served, "k", "5").await;
        let id = made["id"].as_str().unwrap();
        let path = format!("/v1/withdrawals/{id}/approve");
        assert_eq!(served.post(&served.operator, &path, json!({ "revision": 1 })).await.0, 200);
        let wanted = id.to_owned();
        let taken = served.stage.app.writer.commit(move |unit| {
            Box::pin(async move {
                let due = queue::due(unit.db(), Network::TRON_DEV, 10).await?;
                assert_eq!(due.len(), 1);
                assert_eq!(due[0].id, wanted);
                queue::take(unit, &due[0], "b1", "system").await
            })
        });
        taken.await.unwrap();
        let source = Address::parse(Network::TRON_DEV, HOT).unwrap();
        let complete = Event::Complete { source };
        assert!(matches!(drive(&served.stage, id, vec![complete]).await, Err(WithdrawalError::Illegal(_))));
        let rest = [
            Event::Export,
            Event::Sign,
            Event::RequestEnergy,
            Event::ReceiveEnergy,
            Event::Broadcast,
            Event::Accept,
            Event::Include,
            complete,
        ];
        drive(&served.stage, id, rest.to_vec()).await.unwrap();
        assert_eq!(served.stage.balance(&served.ann.id, "USDT").await, (0, 0));
        let mut db = served.stage.app.db.reader().await.unwrap();
        let reserves = airlock_coordinator::ledger::store::reserves(&mut db).await.unwrap();
        assert_eq!(reserves[0].balance_minor, -5_000_000);
        served.stage.prove().await;
    });
}

#[test]
fn nothing_is_paid_to_our_own_wallets_and_deposit_addresses_on_any_network() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let (cold, other) = (stage::evm_wallet(7).to_string(), stage::evm_wallet(8).to_string());
        let user = served.ann.id.clone();
        // A wallet that only an import knows, and an address that Ann has on another EVM network.
        let (wallet, address) = (cold.clone(), other.clone());
        let written: Result<(), WithdrawalError> = served
            .stage
            .app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    for (sql, at, user) in [
                        ("insert into signers (identity, partner_id, fingerprint, name, introduction, state, paired_by, \
                          made_at, changed_at) values ('s', 'house', $1, $2, '', 'active', '', 1, 1)", "f", "n"),
                        ("insert into wallets (network, address, role, wallet_index, signer, imported_by, made_at) \
                          values ('eip155:31337', $1, 'cold', 0, 's', $2, 1)", wallet.as_str(), ""),
                        ("insert into deposit_addresses (number, network, address, user_id, label, xpub, path, \
                          path_index, made_at) values (1, 'eip155:11155111', $1, $2, '', 'x', 'p', 0, 1)",
                          address.as_str(), user.as_str()),
                    ] {
                        sqlx::query(sql).bind(at).bind(user).execute(unit.db()).await?;
                    }
                    Ok(())
                })
            })
            .await;
        written.unwrap();
        for to in [cold, other] {
            let body = json!({ "network": EVM, "asset": "USDT", "to": to, "amount": "5" });
            let (status, body) = served.post_once(&served.ann, "/v1/withdrawals", "k", body).await;
            assert_eq!((status, body["error"]["code"].as_str()), (422, Some("own_address")), "{body}");
        }
    });
}

fn attempt(id: &str, withdrawal: &str, nonce: u64) -> Attempt {
    Attempt {
        id: id.into(),
        withdrawal_id: withdrawal.into(),
        batch_id: "b1".into(),
        request_id: "r1".into(),
        item_index: 0,
        network: Network::EVM_DEV,
        source: stage::evm_wallet(9),
        bound: Bound::AccountNonce(nonce),
        unsigned_digest: Digest::of("test", b"x"),
        state: AttemptState::Built,
        tx_id: None,
        signed_bytes: None,
        included_height: None,
        fee_base: None,
        made_at: MOMENT,
        changed_at: MOMENT,
    }
}

#[test]
fn one_live_attempt_per_withdrawal_one_intent_per_nonce_one_transaction_id_ever() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let (first, second) = (request(&served, "1", "5").await, request(&served, "2", "5").await);
        let (first, second) =
            (first["id"].as_str().unwrap().to_owned(), second["id"].as_str().unwrap().to_owned());
        let story = served.stage.app.writer.commit(move |unit| {
            Box::pin(async move {
                let db = unit.db();
                let tx_id = &"aa".repeat(32);
                let live = |result| matches!(result, Err(WithdrawalError::LiveAttempt { .. }));
                let one = attempt("a1", &first, 7);
                attempts::insert(db, &one).await?;
                assert!(live(attempts::insert(db, &attempt("a2", &first, 8)).await));
                assert!(live(attempts::insert(db, &attempt("a3", &second, 7)).await));
                attempts::step(db, "a1", AttemptState::Built, AttemptState::Exported, MOMENT).await?;
                let raced =
                    attempts::step(db, "a1", AttemptState::Built, AttemptState::Exported, MOMENT).await;
                assert!(matches!(raced, Err(WithdrawalError::Raced { .. })));
                attempts::store_signed(db, "a1", tx_id, b"signed", MOMENT).await?;
                attempts::insert_transaction(db, &one, 0, tx_id, b"signed", MOMENT).await?;
                let other = attempt("a4", &second, 8);
                attempts::insert(db, &other).await?;
                assert!(live(attempts::insert_transaction(db, &other, 0, tx_id, b"signed", MOMENT).await));
                attempts::step(db, "a1", AttemptState::Signed, AttemptState::Sent, MOMENT).await?;
                let sent = attempts::find(db, "a1").await?.expect("written above");
                attempts::set_included(db, &sent, tx_id, 12, BaseUnits::from(21_000u64), MOMENT).await?;
                attempts::step(db, "a1", AttemptState::Included, AttemptState::FailedOnChain, MOMENT).await?;
                // Failed on chain: the nonce is used for ever, the withdrawal may be tried again.
                assert!(live(attempts::insert(db, &attempt("a5", &first, 7)).await));
                attempts::insert(db, &attempt("a6", &first, 9)).await?;
                assert_eq!(attempts::highest_nonce(db, stage::evm_wallet(9)).await?, Some(9));
                let rows = attempts::of_withdrawal(db, &first).await?;
                assert_eq!(rows[0].signed_bytes.as_deref(), Some(&b"signed"[..]));
                // Stored bare, shown as explorers of an EVM network spell it.
                assert_eq!(rows[0].tx_id, Some("aa".repeat(32)));
                assert_eq!(rows[0].shown_tx_id(), Some(format!("0x{}", "aa".repeat(32))));
                let on_tron = Attempt { network: Network::TRON_DEV, ..rows[0].clone() };
                assert_eq!(on_tron.shown_tx_id(), rows[0].tx_id);
                assert_eq!(rows[0].fee_base, Some(BaseUnits::from(21_000u64)));
                store::set_batch(db, &first, Some("b1")).await?;
                assert_eq!(store::of_batch(db, "b1").await?.len(), 1);
                Ok::<_, WithdrawalError>(())
            })
        });
        story.await.unwrap();
    });
}

#[test]
fn nobody_withdraws_for_a_user_who_was_deactivated_and_a_repeat_still_gets_its_answer() {
    on_each_database(|stage| async move {
        let served = Served::open(stage).await;
        served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
        let body = json!({
            "user": served.ann.id, "network": TRON, "asset": "USDT", "to": "TQhqRHgEonKEYqudomS8243o3bejg8dt1d", "amount": "5",
        });
        let (status, made) = served.post_once(&served.partner, "/v1/withdrawals", "k1", body.clone()).await;
        assert_eq!(status, 201, "{made}");
        let close = format!("/v1/users/{}/deactivate", served.ann.id);
        assert_eq!(served.post(&served.partner, &close, json!({})).await.0, 200);
        let (status, refused) =
            served.post_once(&served.partner, "/v1/withdrawals", "k2", body.clone()).await;
        assert_eq!((status, refused["error"]["code"].as_str()), (422, Some("user_inactive")), "{refused}");
        assert_eq!(served.post_once(&served.partner, "/v1/withdrawals", "k1", body).await.1, made);
    });
}
