//! Orders: the fast door of the writer gives the answers that its slow door would give, on both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::ledger::{
    Account, Answer, LedgerError, OnceRow, Order, OrderError, Posting, Receipt,
};
use airlock_shared::{BaseUnits, Network};
use futures::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stage::{Stage, asset, evm_wallet, minor, on_each_database};

fn payment(reference: impl Into<String>, from: &str, to: &str, amount: i64) -> Posting {
    let (from, to) = (Account::available(from, &asset("USDT")), Account::available(to, &asset("USDT")));
    Posting::new("transfer", reference).minor(from, to, minor(amount))
}

fn once(key: &str, request: &str) -> OnceRow {
    let answer = format!(r#"{{"key":"{key}"}}"#);
    OnceRow {
        owner: "partner:acme".into(),
        key: key.into(),
        request_digest: request.into(),
        status: 201,
        body: Box::new(move |_| answer),
    }
}

async fn pay(
    stage: &Stage,
    reference: &str,
    from: &str,
    to: &str,
    amount: i64,
) -> Result<Receipt, OrderError> {
    stage.app.writer.submit(Order::new(payment(reference, from, to, amount))).await
}

async fn pay_once(
    stage: &Stage,
    reference: &str,
    key: &str,
    request: &str,
    amount: i64,
) -> Result<Receipt, OrderError> {
    let posting = payment(reference, "ann", "bob", amount);
    stage.app.writer.submit(Order::once(posting, once(key, request))).await
}

fn answer(key: &str) -> Answer {
    Answer { status: 201, body: format!(r#"{{"key":"{key}"}}"#) }
}

/// Puts all orders into one group: the writer is held by a closure until they wait behind it.
async fn in_one_group<T>(stage: &Stage, orders: impl Future<Output = T>) -> T {
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let held = stage.app.writer.commit(|_| {
        Box::pin(async move {
            let _ = gate.await;
            Ok::<(), LedgerError>(())
        })
    });
    let waiting = async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let _ = open.send(());
    };
    let (held, (), answers) = tokio::join!(held, waiting, orders);
    held.unwrap();
    answers
}

#[test]
fn an_order_moves_money_and_keeps_its_note() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let note = r#"thank you, "bob" \ 감사 {,}"#;
        let posting = payment("t1", "ann", "bob", 30).note(note).made_by("user:ann");
        let receipt = stage.app.writer.submit(Order::new(posting)).await.unwrap();
        assert_eq!(receipt, Receipt::Done { made_at: stage::MOMENT, answer: None });
        assert_eq!(stage.balance("ann", "USDT").await, (70, 0));
        assert_eq!(stage.balance("bob", "USDT").await, (30, 0));
        let mut db = stage.app.db.reader().await.unwrap();
        let row: (String, String) =
            sqlx::query_as("select note, made_by from transfers where reference = 't1'")
                .fetch_one(&mut *db)
                .await
                .unwrap();
        assert_eq!(row, (note.to_owned(), "user:ann".to_owned()));
        stage.prove().await;
    });
}

#[test]
fn an_order_that_is_refused_leaves_its_neighbours_standing() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let orders = join_all((0..300).map(|n| async move {
            let amount = if n % 3 == 0 { 1 } else { 1_000 };
            let (reference, to) = (format!("r{n}"), format!("to{n}"));
            match n % 3 {
                2 => pay(stage, &reference, &to, &to, 1).await,
                _ => pay(stage, &reference, "ann", &to, amount).await,
            }
        }));
        for (n, result) in in_one_group(stage, orders).await.into_iter().enumerate() {
            match (n % 3, &result) {
                (0, Ok(_))
                | (1, Err(OrderError::Ledger(LedgerError::Insufficient { .. })))
                | (2, Err(OrderError::Ledger(LedgerError::Malformed { .. }))) => {}
                _ => panic!("{n}: {result:?}"),
            }
        }
        assert_eq!(stage.balance("ann", "USDT").await, (0, 0));
        // Accounts that only refused orders named were never opened.
        let mut db = stage.app.db.reader().await.unwrap();
        let opened: i64 = sqlx::query_scalar("select count(*) from accounts where owner like 'to%'")
            .fetch_one(&mut *db)
            .await
            .unwrap();
        assert_eq!(opened, 100);
        stage.prove().await;
    });
}

#[test]
fn orders_of_one_group_see_what_those_before_them_did() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let orders = async {
            tokio::join!(
                pay(&stage, "1", "ann", "bob", 100),
                pay(&stage, "2", "bob", "eve", 100),
                pay(&stage, "3", "bob", "ann", 1),
                pay(&stage, "4", "eve", "ann", 60),
            )
        };
        let (first, second, third, fourth) = in_one_group(&stage, orders).await;
        assert!(first.is_ok() && second.is_ok() && fourth.is_ok());
        let Err(OrderError::Ledger(LedgerError::Insufficient { available, needed, .. })) = third else {
            panic!("{third:?}")
        };
        assert_eq!((available, needed), (minor(0), minor(1)));
        assert_eq!(stage.balance("ann", "USDT").await, (60, 0));
        assert_eq!(stage.balance("eve", "USDT").await, (40, 0));
        stage.prove().await;
    });
}

#[test]
fn the_same_event_is_carried_out_once_within_a_group_and_across_groups() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        for round in 0..2 {
            let orders = join_all((0..20).map(|_| pay(stage, "same", "ann", "bob", 7)));
            let results = in_one_group(stage, orders).await;
            let done = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!(done, usize::from(round == 0));
            for result in results.into_iter().filter(Result::is_err) {
                assert!(
                    matches!(result, Err(OrderError::Ledger(LedgerError::Repeated { .. }))),
                    "{result:?}"
                );
            }
        }
        assert_eq!(stage.balance("bob", "USDT").await, (7, 0));
        stage.prove().await;
    });
}

/// Case 42 of the ninety: same key, same request, a hundred at once.
#[test]
fn a_hundred_parallel_repeats_of_one_key_have_one_effect_and_one_answer() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let results = join_all((0..100).map(|n| async move {
            let reference = format!("r{n}");
            pay_once(stage, &reference, "k", "digest", 5).await
        }))
        .await;
        let mut done = 0;
        for result in results {
            let receipt = result.unwrap();
            done += usize::from(matches!(receipt, Receipt::Done { .. }));
            assert_eq!(receipt.into_answer(), Some(answer("k")));
        }
        assert_eq!(done, 1);
        assert_eq!(stage.balance("bob", "USDT").await, (5, 0));
        stage.prove().await;
    });
}

/// Case 42: another request under the same key, in the same group and later.
#[test]
fn another_request_under_a_used_key_is_refused() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let orders = async {
            tokio::join!(pay_once(&stage, "1", "k", "one", 5), pay_once(&stage, "2", "k", "two", 5))
        };
        let (first, second) = in_one_group(&stage, orders).await;
        assert!(matches!(first, Ok(Receipt::Done { .. })), "{first:?}");
        assert!(matches!(second, Err(OrderError::OtherRequest)), "{second:?}");
        let later = pay_once(&stage, "3", "k", "two", 5).await;
        assert!(matches!(later, Err(OrderError::OtherRequest)), "{later:?}");
        let again = pay_once(&stage, "4", "k", "one", 5).await.unwrap();
        assert_eq!(again, Receipt::Before(answer("k")));
        assert_eq!(stage.balance("bob", "USDT").await, (5, 0));
        stage.prove().await;
    });
}

#[test]
fn a_refused_order_does_not_use_up_its_key() {
    on_each_database(|stage| async move {
        let poor = pay_once(&stage, "1", "k", "one", 5).await;
        assert!(matches!(poor, Err(OrderError::Ledger(LedgerError::Insufficient { .. }))), "{poor:?}");
        stage.give("ann", "USDT", 5).await;
        let paid = pay_once(&stage, "1", "k", "one", 5).await.unwrap();
        assert_eq!(paid, Receipt::Done { made_at: stage::MOMENT, answer: Some(answer("k")) });
        stage.prove().await;
    });
}

#[test]
fn orders_and_closures_of_one_group_share_one_truth() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let work = join_all((0..200).map(|n| async move {
            let (reference, to) = (format!("m{n}"), format!("mixed{}", n % 7));
            if n % 2 == 0 {
                return pay(stage, &reference, "ann", &to, 1).await.is_ok();
            }
            let posting = payment(reference, "ann", &to, 1);
            let writer = &stage.app.writer;
            let done: Result<(), LedgerError> =
                writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await;
            done.is_ok()
        }));
        let done = in_one_group(stage, work).await.into_iter().filter(|done| *done).count();
        assert_eq!(done, 100);
        assert_eq!(stage.balance("ann", "USDT").await, (0, 0));
        stage.prove().await;
    });
}

/// A zero byte cannot be stored by PostgreSQL: the set fails, and only the order that brought it is refused.
#[test]
fn an_order_that_the_database_refuses_fails_alone() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let stage = &stage;
        let orders = join_all((0..50).map(|n| async move {
            let posting = payment(format!("n{n}"), "ann", "bob", 1);
            let note = if n == 20 { "zero \0 byte" } else { "fine" };
            stage.app.writer.submit(Order::new(posting.note(note))).await
        }));
        let results = in_one_group(stage, orders).await;
        let refused: Vec<usize> = (0..50).filter(|n| results[*n].is_err()).collect();
        let expected = if stage.name == "sqlite" { vec![] } else { vec![20] };
        assert_eq!(refused, expected, "on {}: {:?}", stage.name, results[20]);
        assert_eq!(stage.balance("bob", "USDT").await.0, 50 - i64::try_from(expected.len()).unwrap());
        stage.prove().await;
    });
}

#[test]
fn an_order_whose_answer_panics_is_not_carried_out() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let broken = OnceRow { body: Box::new(|_| panic!("on purpose")), ..once("k", "one") };
        let broken = stage.app.writer.submit(Order::once(payment("1", "ann", "bob", 1), broken));
        let (broken, fine) =
            in_one_group(&stage, async { tokio::join!(broken, pay(&stage, "2", "ann", "bob", 2)) }).await;
        assert!(matches!(broken, Err(OrderError::Ledger(LedgerError::Unavailable))), "{broken:?}");
        fine.unwrap();
        assert_eq!(stage.balance("bob", "USDT").await, (2, 0));
        stage.prove().await;
    });
}

#[test]
fn an_overflowing_order_is_refused_and_nothing_moves() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", i64::MAX - 1).await;
        let ann = Account::available("ann", &asset("USDT"));
        let more = Posting::new("gift", "more").minor(Account::Suspense(asset("USDT")), ann, minor(2));
        let refused = stage.app.writer.submit(Order::new(more)).await;
        assert!(matches!(refused, Err(OrderError::Ledger(LedgerError::Overflow { .. }))), "{refused:?}");
        assert_eq!(stage.balance("ann", "USDT").await, (i64::MAX - 1, 0));
        stage.prove().await;
    });
}

#[test]
fn orders_that_make_no_sense_or_name_a_network_are_refused() {
    on_each_database(|stage| async move {
        let (usdt, trx) = (asset("USDT"), asset("TRX"));
        let (ann, bob) = (Account::available("ann", &usdt), Account::available("bob", &usdt));
        let reserve = Account::reserve(evm_wallet(1), &usdt);
        let fees = Account::NetworkFees { network: Network::EVM_DEV, asset: usdt.clone() };
        let cases = [
            Posting::new("x", "none"),
            Posting::new("x", "zero").minor(ann.clone(), bob.clone(), minor(0)),
            Posting::new("x", "negative").minor(ann.clone(), bob.clone(), minor(-1)),
            Posting::new("x", "least").minor(ann.clone(), bob.clone(), minor(i64::MIN)),
            Posting::new("x", "assets").minor(ann.clone(), Account::available("bob", &trx), minor(1)),
            Posting::new("x", "itself").minor(ann.clone(), ann.clone(), minor(1)),
            Posting::new("x", "base").base(reserve.clone(), ann.clone(), BaseUnits::from(1u64)),
            Posting::new("x", "reserve").minor(reserve, bob, minor(1)),
            Posting::new("x", "fees").minor(fees, ann, minor(1)),
        ];
        for posting in cases {
            let shown = posting.reference.clone();
            let result = stage.app.writer.submit(Order::new(posting)).await;
            let malformed = matches!(result, Err(OrderError::Ledger(LedgerError::Malformed { .. })));
            assert!(malformed, "{shown}: {result:?}");
        }
        let unknown = asset("DOGE");
        let (ann, bob) = (Account::available("ann", &unknown), Account::available("bob", &unknown));
        let result =
            stage.app.writer.submit(Order::new(Posting::new("x", "unknown").minor(ann, bob, minor(1))));
        assert!(matches!(result.await, Err(OrderError::Ledger(LedgerError::Asset(_)))));
    });
}

/// One order of a random run: few users, keys and events, so that they meet.
#[derive(Clone, Debug)]
struct Random {
    from: u8,
    to: u8,
    amount: i64,
    reference: u8,
    key: Option<(u8, u8)>,
}

fn random_order() -> impl Strategy<Value = Random> {
    let key = prop::option::of((0..4u8, 0..2u8));
    let amount = prop_oneof![4 => 1..60i64, 1 => Just(0i64), 1 => Just(i64::MAX)];
    (0..4u8, 0..4u8, amount, 0..12u8, key).prop_map(|(from, to, amount, reference, key)| Random {
        from,
        to,
        amount,
        reference,
        key,
    })
}

impl Random {
    fn order(&self, story: &str) -> Order {
        let user = |number: u8| format!("{story}-{number}");
        let reference = format!("{story}/{}", self.reference);
        let posting = payment(reference, &user(self.from), &user(self.to), self.amount);
        match self.key {
            None => Order::new(posting),
            Some((key, request)) => {
                Order::once(posting, once(&format!("{story}-{key}"), &request.to_string()))
            }
        }
    }
}

/// What an order came to, without the names that differ between the two ways.
fn told(result: Result<Receipt, OrderError>) -> &'static str {
    match result {
        Ok(Receipt::Done { .. }) => "done",
        Ok(Receipt::Before(_)) => "before",
        Err(OrderError::OtherRequest) => "other request",
        Err(OrderError::Ledger(LedgerError::Insufficient { .. })) => "insufficient",
        Err(OrderError::Ledger(LedgerError::Repeated { .. })) => "repeated",
        Err(OrderError::Ledger(LedgerError::Malformed { .. })) => "malformed",
        Err(OrderError::Ledger(LedgerError::Overflow { .. })) => "overflow",
        Err(other) => panic!("{other:?}"),
    }
}

/// The same orders once as one run and once one after the other, in names of their own.
async fn both_ways(stage: &Stage, number: usize, orders: &[Random]) {
    let mut ways = Vec::new();
    for (way, together) in [("run", true), ("each", false)] {
        let story = format!("{way}{number}");
        for user in 0..4 {
            stage.give(&format!("{story}-{user}"), "USDT", 50).await;
        }
        let writer = &stage.app.writer;
        let answers = if together {
            in_one_group(stage, join_all(orders.iter().map(|order| writer.submit(order.order(&story))))).await
        } else {
            let mut answers = Vec::new();
            for order in orders {
                answers.push(writer.submit(order.order(&story)).await);
            }
            answers
        };
        let answers: Vec<&str> = answers.into_iter().map(told).collect();
        let mut balances = Vec::new();
        for user in 0..4 {
            balances.push(stage.balance(&format!("{story}-{user}"), "USDT").await.0);
        }
        assert_eq!(balances.iter().sum::<i64>(), 200);
        ways.push((answers, balances));
    }
    assert_eq!(ways[0], ways[1], "{orders:?}");
}

#[test]
fn a_run_of_orders_comes_to_what_they_would_come_to_one_by_one() {
    on_each_database(|stage| async move {
        let cases = if stage.name == "sqlite" { 60 } else { 20 };
        let runtime = tokio::runtime::Handle::current();
        let stage = tokio::task::spawn_blocking(move || {
            let number = std::cell::Cell::new(0);
            let config = Config { cases, failure_persistence: None, ..Config::default() };
            let stories = prop::collection::vec(random_order(), 1..30);
            let told = TestRunner::new(config).run(&stories, |orders| {
                number.set(number.get() + 1);
                runtime.block_on(both_ways(&stage, number.get(), &orders));
                Ok(())
            });
            told.unwrap();
            stage
        });
        stage.await.unwrap().prove().await;
    });
}
