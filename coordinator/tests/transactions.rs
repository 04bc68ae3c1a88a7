//! The history of money over HTTP (L5, case 88): both sides, filters, cursors, exports, tenancy. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::chain::{BlockId, Coin, Header, Transfer, TxId};
use airlock_coordinator::db::random_id;
use airlock_coordinator::deposits::state::State as DepositState;
use airlock_coordinator::deposits::store::{self as deposits, Sighting};
use airlock_coordinator::ledger::{Account, LedgerError, Order, Posting};
use airlock_coordinator::people::{Role, Scope};
use airlock_shared::BaseUnits;
use serde_json::{Value, json};
use stage::{Served, Stage, Who, asset, evm_wallet, minor, on_each_database};

const PATH: &str = "/v1/transactions";
const TO: &str = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb";

async fn rich(stage: Stage) -> Served {
    let served = Served::open(stage).await;
    served.stage.give(&served.ann.id, "USDT", 100_000_000).await;
    served.stage.give(&served.bob.id, "TRX", 7_000_000).await;
    served
}

/// The next moment.
fn later(served: &Served) {
    served.stage.app.clock.advance(1_000);
}

async fn moved(served: &Served, who: &Who, body: Value) -> String {
    later(served);
    let key = random_id().unwrap();
    let (status, made) = served.post_once(who, "/v1/transfers", &key, body).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn deposited(served: &Served, user: &str, amount: i64) -> String {
    later(served);
    let id = random_id().unwrap();
    let tx_id = TxId::parse(&format!("{id}{id}")).unwrap();
    let seen = Sighting {
        id: id.clone(),
        transfer: Transfer {
            tx_id,
            ordinal: 0,
            coin: Coin::Native,
            from: evm_wallet(7),
            to: evm_wallet(8),
            amount: BaseUnits::from(u64::try_from(amount).unwrap()),
        },
        user_id: user.to_owned(),
        asset: asset("ETH"),
        amount: Some(minor(amount)),
        header: Header { height: 5, id: BlockId([1; 32]), parent: BlockId([0; 32]), time_ms: 0 },
        told_by: "test".to_owned(),
    };
    served
        .stage
        .app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                deposits::insert(unit.db(), &seen, DepositState::Seen, None, now).await?;
                Ok::<_, LedgerError>(())
            })
        })
        .await
        .unwrap();
    id
}

async fn withdrawn(served: &Served, who: &Who, amount: &str) -> String {
    later(served);
    let body =
        json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "to": TO, "amount": amount, "memo": "@m" });
    let (status, made) = served.post_once(who, "/v1/withdrawals", &random_id().unwrap(), body).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn adjusted(served: &Served, account: (&str, &str), amount: i64, reason: &str) -> String {
    later(served);
    let id = random_id().unwrap();
    let to = match account {
        ("user", user) => Account::available(user, &asset("USDT")),
        (_, partner) => Account::Partner { partner: partner.to_owned(), asset: asset("USDT") },
    };
    let posting = Posting::new("adjustment", id.clone())
        .minor(Account::Capital(asset("USDT")), to, minor(amount))
        .note(reason);
    served
        .stage
        .app
        .writer
        .commit(move |unit| Box::pin(async move { unit.post(posting).await }))
        .await
        .unwrap();
    id
}

/// One of every kind, oldest first.
async fn everything(served: &Served) -> Vec<String> {
    let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
    vec![
        moved(
            served,
            ann,
            json!({ "kind": "transfer", "to": bob.id, "asset": "USDT", "amount": "5", "note": "=1+1" }),
        )
        .await,
        moved(served, ann, json!({ "kind": "payment", "asset": "USDT", "amount": "20" })).await,
        moved(served, acme, json!({ "kind": "reward", "to": bob.id, "asset": "USDT", "amount": "2.5" }))
            .await,
        deposited(served, &ann.id, 1_500_000_000).await,
        withdrawn(served, ann, "10").await,
        adjusted(served, ("user", &ann.id), 250_000, "counted again").await,
        moved(served, bob, json!({ "kind": "transfer", "to": ann.id, "asset": "TRX", "amount": "1" })).await,
        adjusted(served, ("partner", &acme.id), 1_000_000, "welcome").await,
    ]
}

async fn page(served: &Served, who: &Who, query: &str) -> Value {
    let (status, body) = served.get(who, &format!("{PATH}?{query}")).await;
    assert_eq!(status, 200, "{query}: {body}");
    body
}

async fn rows(served: &Served, who: &Who, query: &str) -> Vec<Value> {
    let body = page(served, who, query).await;
    assert_eq!(body["next"], Value::Null);
    body["transactions"].as_array().unwrap().clone()
}

/// Every row through pages of `limit`.
async fn paged(served: &Served, who: &Who, query: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut before) = (Vec::new(), String::new());
    loop {
        let body = page(served, who, &format!("{query}&limit={limit}{before}")).await;
        let found = body["transactions"].as_array().unwrap();
        assert!(found.len() <= limit);
        rows.extend(found.iter().cloned());
        match body["next"].as_str() {
            None => return rows,
            Some(next) => before = format!("&before={next}"),
        }
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn both_sides_see_every_kind_with_the_right_counterparty() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
        let made = everything(&served).await;
        let of_ann = rows(&served, ann, "").await;
        let told: Vec<_> = of_ann
            .iter()
            .map(|row| {
                let text = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
                (text("type"), text("status"), text("direction"), text("amount"), text("counterparty"))
            })
            .collect();
        let is = |kind: &str, status: &str, direction: &str, amount: &str, other: &str| {
            [kind, status, direction, amount, other].map(str::to_owned).into()
        };
        let expected: Vec<(String, String, String, String, String)> = vec![
            is("transfer", "completed", "in", "1", &bob.id),
            is("adjustment", "completed", "in", "0.25", "house"),
            is("withdrawal", "pending", "out", "10", TO),
            is("deposit", "seen", "in", "1.5", &evm_wallet(7).to_string()),
            is("payment", "completed", "out", "20", &acme.id),
            is("transfer", "completed", "out", "5", &bob.id),
            is("other", "completed", "in", "100", "house"),
        ];
        assert_eq!(told, expected);
        assert_eq!(of_ann[2]["fee"], "1");
        assert_eq!(of_ann[2]["note"], "@m");
        assert_eq!(of_ann[1]["note"], "counted again");
        assert_eq!(of_ann[3]["tx_id"].as_str().unwrap().len(), 66);
        let of_bob = rows(&served, bob, "").await;
        let sides: Vec<_> = of_bob
            .iter()
            .map(|row| (row["direction"].as_str().unwrap(), row["counterparty"].as_str().unwrap()))
            .collect();
        assert_eq!(sides, [("out", ann.id.as_str()), ("in", &acme.id), ("in", &ann.id), ("in", "house")]);
        // The partner sees each once, from the payer's side; its own adjustment too.
        let of_acme = rows(&served, acme, "").await;
        let mut expected: Vec<&str> = made.iter().rev().map(String::as_str).collect();
        let others: Vec<_> = ids(&of_acme).into_iter().filter(|id| id.starts_with("gift:")).collect();
        expected.extend(others);
        assert_eq!(ids(&of_acme), expected);
        assert_eq!((&of_acme[0]["user"], &of_acme[0]["partner"]), (&Value::Null, &json!(acme.id)));
        // Asked about bob, it reads bob's side.
        assert_eq!(rows(&served, acme, &format!("user={}", bob.id)).await, of_bob);
        for row in &of_ann {
            let (status, one) = served.get(ann, &format!("{PATH}/{}", row["id"].as_str().unwrap())).await;
            assert_eq!((status, &one), (200, row));
        }
    });
}

#[test]
fn a_history_adds_up_to_the_balance() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        everything(&served).await;
        let decimals = |asset: &str| if asset == "ETH" { 9 } else { 6 };
        for who in [&served.ann, &served.bob] {
            for code in ["USDT", "TRX"] {
                let mut sum = 0;
                for row in rows(&served, who, &format!("asset={code}")).await {
                    let minor = |field: &str| {
                        let text = row[field].as_str().unwrap_or("0");
                        airlock_shared::MinorUnits::from_decimal(text, decimals(code)).unwrap().get()
                    };
                    let sign = if row["direction"] == "in" { 1 } else { -1 };
                    sum += sign * (minor("amount") + minor("fee"));
                }
                assert_eq!(sum, served.stage.balance(&who.id, code).await.0, "{code}");
            }
        }
    });
}

#[test]
fn a_filter_gives_what_filtering_by_hand_gives() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        everything(&served).await;
        let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
        let number = |row: &Value| row["amount"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
        for who in [ann, acme, &served.operator] {
            let all = rows(&served, who, "").await;
            let middle = all[all.len() / 2]["made_at"].as_str().unwrap().to_owned();
            type Rule<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
            let is = |field: &'static str, value: &str| -> Rule<'_> {
                let value = value.to_owned();
                Box::new(move |row: &Value| row[field] == value.as_str())
            };
            let from = middle.clone();
            let to = middle.clone();
            let rules: Vec<(String, Rule<'_>)> = vec![
                ("type=transfer".into(), is("type", "transfer")),
                ("type=withdrawal".into(), is("type", "withdrawal")),
                ("type=deposit".into(), is("type", "deposit")),
                ("type=adjustment".into(), is("type", "adjustment")),
                ("status=pending".into(), is("status", "pending")),
                ("status=seen".into(), is("status", "seen")),
                ("status=completed".into(), is("status", "completed")),
                ("asset=TRX".into(), is("asset", "TRX")),
                (format!("counterparty={}", bob.id), is("counterparty", &bob.id)),
                (format!("counterparty={TO}"), is("counterparty", TO)),
                (
                    format!("from={middle}"),
                    Box::new(move |row| row["made_at"].as_str().unwrap() >= from.as_str()),
                ),
                (format!("to={middle}"), Box::new(move |row| row["made_at"].as_str().unwrap() < to.as_str())),
                ("amount_min=5".into(), Box::new(move |row| number(row) >= 5.into())),
                ("amount_max=5".into(), Box::new(move |row| number(row) <= 5.into())),
                (
                    "amount_min=0.2500000001".into(),
                    Box::new(move |row| number(row) > "0.25".parse().unwrap()),
                ),
            ];
            for (query, rule) in rules {
                let by_hand: Vec<_> = all.iter().filter(|row| rule(row)).cloned().collect();
                assert_eq!(rows(&served, who, &query).await, by_hand, "{query}");
                assert_eq!(paged(&served, who, &query, 1).await, by_hand, "{query}, one by one");
            }
        }
        for query in [
            "type=gift",
            "status=done",
            "asset=usdt",
            "from=yesterday",
            "amount_min=1e3",
            "amount_max=-1",
            "limit=0",
            "limit=501",
            "limit=x",
            "before=x",
            "before=1.2.3.4",
            "colour=red",
            "format=csv",
            "type=transfer&type=payment",
        ] {
            let (status, refused) = served.get(ann, &format!("{PATH}?{query}")).await;
            assert_eq!(
                (status, refused["error"]["code"].as_str()),
                (400, Some("bad_query")),
                "{query}: {refused}"
            );
        }
    });
}

#[test]
fn paging_meets_every_old_row_once_while_new_rows_arrive() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let (ann, bob, acme) = (&served.ann, &served.bob, &served.partner);
        everything(&served).await;
        // Several rows of one moment: the clock stands while they are made.
        for n in 0..7 {
            let body = json!({ "kind": "transfer", "to": bob.id, "asset": "USDT", "amount": format!("0.{}", n + 1) });
            let (status, made) = served.post_once(ann, "/v1/transfers", &format!("s{n}"), body).await;
            assert_eq!(status, 201, "{made}");
        }
        for who in [ann, bob, acme, &served.operator] {
            for limit in [1, 2, 3, 5] {
                let before = paged(&served, who, "", 500).await;
                let mut met = Vec::new();
                let mut cursor = String::new();
                loop {
                    let body = page(&served, who, &format!("limit={limit}{cursor}")).await;
                    met.extend(body["transactions"].as_array().unwrap().iter().cloned());
                    let Some(next) = body["next"].as_str() else { break };
                    cursor = format!("&before={next}");
                    if met.len() < 4 * limit {
                        moved(
                            &served,
                            ann,
                            json!({ "kind": "transfer", "to": bob.id, "asset": "USDT", "amount": "0.01" }),
                        )
                        .await;
                        deposited(&served, &bob.id, 40).await;
                    }
                }
                // What came meanwhile is newer than every page behind the first.
                assert_eq!(met, before, "limit {limit}");
            }
        }
    });
}

async fn export(served: &Served, who: &Who, query: &str) -> String {
    let request = served.request(who, "GET", &format!("{PATH}/export?{query}"), None, None).await;
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    response.text().await.unwrap()
}

#[test]
fn an_export_is_what_the_pages_show() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        everything(&served).await;
        for (who, query) in [
            (&served.ann, ""),
            (&served.partner, ""),
            (&served.operator, ""),
            (&served.ann, "type=transfer&"),
        ] {
            let shown = rows(&served, who, query.trim_end_matches('&')).await;
            let exported: Vec<Value> =
                serde_json::from_str(&export(&served, who, &format!("{query}format=json")).await).unwrap();
            assert_eq!(exported, shown);
            let text = export(&served, who, &format!("{query}format=csv")).await;
            assert!(text.ends_with("\r\n") && !text.contains("\n="));
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let names = reader.headers().unwrap().clone();
            let lines: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            assert_eq!(lines.len(), shown.len());
            for (line, row) in lines.iter().zip(&shown) {
                assert_eq!(names.len(), row.as_object().unwrap().len());
                for (name, cell) in names.iter().zip(line) {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
                    let plain = cell.strip_prefix('\'').unwrap_or(cell);
                    assert_eq!(plain, row[name].as_str().unwrap_or_default(), "{name}");
                }
            }
        }
        for query in ["format=xml", "", "format=csv&limit=5", "format=csv&type=gift"] {
            assert_eq!(served.get(&served.ann, &format!("{PATH}/export?{query}")).await.0, 400, "{query}");
        }
    });
}

#[test]
fn nobody_sees_what_is_not_theirs() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        let made = everything(&served).await;
        airlock_coordinator::people::create::partner(&served.stage.app.writer, "rival").await.unwrap();
        let cat = served.user("rival", "cat").await;
        let rival = {
            let mut db = served.stage.app.db.reader().await.unwrap();
            let directory = &served.stage.app.directory;
            directory.partner_of(&mut db, &cat.id).await.unwrap().unwrap().to_string()
        };
        let (key, staff) =
            (served.key(&rival, &Scope::ALL).await, served.person(&rival, "rita", &[Role::Auditor]).await);
        let (ann, bob) = (&served.ann, &served.bob);
        for who in [&cat, &key, &staff] {
            assert_eq!(rows(&served, who, "").await, Vec::<Value>::new());
            assert_eq!(export(&served, who, "format=json").await.trim(), "[]");
            for id in &made {
                assert_eq!(served.get(who, &format!("{PATH}/{id}")).await.0, 404);
            }
            let foreign = served.get(who, &format!("{PATH}?user={}", ann.id)).await;
            assert_eq!((foreign.0, foreign.1["error"]["code"].as_str()), (404, Some("not_found")));
            assert_eq!(served.get(who, &format!("{PATH}?partner={}", served.partner.id)).await.0, 404);
        }
        // Bob sees of ann what is between them only.
        for (id, status) in made.iter().zip([200, 404, 200, 404, 404, 404, 200, 404]) {
            assert_eq!(served.get(bob, &format!("{PATH}/{id}")).await.0, status);
        }
        assert_eq!(served.get(bob, &format!("{PATH}?user={}", ann.id)).await.0, 404);
        let auditor = served.person(&served.partner.id, "vera", &[Role::Auditor]).await;
        assert_eq!(rows(&served, &auditor, "").await, rows(&served, &served.partner, "").await);
        let of_partner = format!("partner={}", served.partner.id);
        assert_eq!(
            rows(&served, &served.operator, &of_partner).await,
            rows(&served, &served.partner, "").await
        );
        let without_read = served.key(&served.partner.id, &[Scope::Transfer]).await;
        assert_eq!(served.get(&without_read, PATH).await.0, 403);
    });
}

/// Ten thousand and more events of somebody else lie above two of ours.
#[test]
fn a_page_looks_at_a_bounded_number_of_rows_and_says_where_to_go_on() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        moved(
            &served,
            &served.ann,
            json!({ "kind": "transfer", "to": served.bob.id, "asset": "USDT", "amount": "1" }),
        )
        .await;
        airlock_coordinator::people::create::partner(&served.stage.app.writer, "rival").await.unwrap();
        let (cat, dog) = (served.user("rival", "cat").await, served.user("rival", "dog").await);
        served.stage.give(&cat.id, "USDT", 100_000).await;
        let writer = &served.stage.app.writer;
        for round in 0..11 {
            let orders = (0..1_000).map(|n| {
                let posting = Posting::new("transfer", format!("{round}-{n}")).minor(
                    Account::available(&cat.id, &asset("USDT")),
                    Account::available(&dog.id, &asset("USDT")),
                    minor(1),
                );
                writer.submit(Order::new(posting))
            });
            for receipt in futures::future::join_all(orders).await {
                receipt.unwrap();
            }
        }
        let first = page(&served, &served.partner, "").await;
        assert_eq!(first["transactions"], json!([]));
        let next = first["next"].as_str().expect("a way on");
        let second = page(&served, &served.partner, &format!("before={next}")).await;
        assert_eq!(second["transactions"].as_array().unwrap().len(), 3);
        assert_eq!(second["next"], Value::Null);
        assert_eq!(rows(&served, &served.ann, "").await.len(), 2);
        let exported = export(&served, &cat, "format=csv").await;
        assert_eq!(exported.lines().count(), 11_002);
    });
}

#[test]
fn a_clock_that_was_set_back_puts_no_event_below_older_ones() {
    on_each_database(|stage| async move {
        let served = rich(stage).await;
        everything(&served).await;
        served.stage.app.clock.advance(300_000);
        let last = moved(
            &served,
            &served.ann,
            json!({ "kind": "transfer", "to": served.bob.id, "asset": "USDT", "amount": "1" }),
        )
        .await;
        // Another coordinator on the same database, whose clock is five minutes behind.
        let behind = stage::open_app(&served.stage.url).await;
        let (bob, usdt) = (served.bob.id.clone(), asset("USDT"));
        let posting = Posting::new("gift", "late").minor(
            Account::Capital(usdt.clone()),
            Account::available(&bob, &usdt),
            minor(1),
        );
        behind.writer.submit(Order::new(posting)).await.unwrap();
        let shown = rows(&served, &served.bob, "").await;
        assert_eq!(ids(&shown)[..2], ["gift:late", last.as_str()]);
        assert_eq!(shown[0]["made_at"], shown[1]["made_at"]);
        assert_eq!(paged(&served, &served.bob, "", 1).await, shown);
        let moment = shown[0]["made_at"].as_str().unwrap();
        assert_eq!(rows(&served, &served.bob, &format!("from={moment}")).await, shown[..2]);
    });
}
