//! Properties of the ledger under random stories, and what a failed commit does. On both databases.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::ledger::{Account, Hold, LedgerError, Order, OrderError, Posting};
use airlock_shared::{BaseUnits, Network, Scale};
use futures::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::Connection as _;
use stage::{Stage, asset, evm_wallet, minor, on_each_database};
use std::collections::BTreeMap;

/// One step of a story about four users and two wallets.
#[derive(Clone, Debug)]
enum Step {
    Deposit { user: u8, wallet: u8, base: u64 },
    Pay { from: u8, to: u8, minor: i64 },
    Hold { user: u8, minor: i64 },
    Settle { hold: usize, wallet: u8 },
    Release { hold: usize },
    Fee { wallet: u8, base: u64 },
    Sweep { base: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    // Amounts around one minor unit (10^12 base units) make dust, carries and refusals frequent.
    let base = 1..5_000_000_000_000u64;
    prop_oneof![
        (0..4u8, 0..2u8, base.clone()).prop_map(|(user, wallet, base)| Step::Deposit { user, wallet, base }),
        (0..4u8, 0..4u8, -1..4i64).prop_map(|(from, to, minor)| Step::Pay { from, to, minor }),
        (0..4u8, 0..4i64).prop_map(|(user, minor)| Step::Hold { user, minor }),
        (0..8usize, 0..2u8).prop_map(|(hold, wallet)| Step::Settle { hold, wallet }),
        (0..8usize).prop_map(|hold| Step::Release { hold }),
        (0..2u8, base.clone()).prop_map(|(wallet, base)| Step::Fee { wallet, base }),
        base.prop_map(|base| Step::Sweep { base }),
    ]
}

/// What the ledger should say, kept in the plainest way.
#[derive(Default)]
struct Model {
    available: BTreeMap<String, i64>,
    holds: Vec<(String, String, i64, bool)>,
    reserve: [i128; 2],
    in_transit: i128,
}

/// One story told to the ledger and to the model, in names of its own.
struct Story<'a> {
    stage: &'a Stage,
    name: String,
    model: Model,
}

impl Story<'_> {
    fn user(&self, number: u8) -> String {
        format!("{}-{number}", self.name)
    }

    fn reserve(&self, wallet: u8) -> Account {
        Account::reserve(evm_wallet(wallet + 1), &asset("USDT"))
    }

    async fn post(&self, posting: Posting) -> Result<(), LedgerError> {
        self.stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await
    }

    /// A payment, through either door of the writer.
    async fn pay(&self, number: usize, posting: Posting) -> Result<(), LedgerError> {
        if number.is_multiple_of(2) {
            return self.post(posting).await;
        }
        match self.stage.app.writer.submit(Order::new(posting)).await {
            Ok(_) => Ok(()),
            Err(OrderError::Ledger(error)) => Err(error),
            Err(OrderError::OtherRequest) => panic!("an order without a key"),
        }
    }

    async fn tell(&mut self, number: usize, step: &Step) {
        let (usdt, reference) = (asset("USDT"), format!("{}/{number}", self.name));
        match *step {
            Step::Deposit { user, wallet, base } => {
                let user = self.user(user);
                let posting = Posting::new("deposit", reference).base(
                    self.reserve(wallet),
                    Account::available(&user, &usdt),
                    BaseUnits::from(base),
                );
                self.post(posting).await.unwrap();
                self.model.reserve[usize::from(wallet)] += i128::from(base);
                *self.model.available.entry(user).or_default() +=
                    i64::try_from(base / 1_000_000_000_000).unwrap();
            }
            Step::Pay { from, to, minor: amount } => {
                let (from, to) = (self.user(from), self.user(to));
                let posting = Posting::new("payment", reference).minor(
                    Account::available(&from, &usdt),
                    Account::available(&to, &usdt),
                    minor(amount),
                );
                let has = self.model.available.get(&from).copied().unwrap_or(0);
                let allowed = amount > 0 && from != to && has >= amount;
                assert_eq!(self.pay(number, posting).await.is_ok(), allowed, "{step:?} with {has}");
                if allowed {
                    *self.model.available.entry(from).or_default() -= amount;
                    *self.model.available.entry(to).or_default() += amount;
                }
            }
            Step::Hold { user, minor: amount } => {
                let user = self.user(user);
                let hold =
                    Hold { id: reference.clone(), user: user.clone(), asset: usdt, amount: minor(amount) };
                let done: Result<(), LedgerError> = self
                    .stage
                    .app
                    .writer
                    .commit(move |unit| Box::pin(async move { unit.hold(&hold).await }))
                    .await;
                let has = self.model.available.get(&user).copied().unwrap_or(0);
                assert_eq!(done.is_ok(), amount > 0 && has >= amount, "{step:?} with {has}");
                if done.is_ok() {
                    *self.model.available.entry(user.clone()).or_default() -= amount;
                    self.model.holds.push((reference, user, amount, true));
                }
            }
            Step::Settle { hold, wallet } => {
                let reserve = self.reserve(wallet);
                let Some((id, _, amount, open)) = self.model.holds.get_mut(hold) else { return };
                let (id, parts) = (id.clone(), [(reserve, minor(*amount))]);
                let done: Result<(), LedgerError> = self
                    .stage
                    .app
                    .writer
                    .commit(move |unit| Box::pin(async move { unit.settle(&id, &parts).await }))
                    .await;
                assert_eq!(done.is_ok(), *open, "{step:?}");
                if std::mem::replace(open, false) {
                    self.model.reserve[usize::from(wallet)] -= i128::from(*amount) * 1_000_000_000_000;
                }
            }
            Step::Release { hold } => {
                let Some((id, user, amount, open)) = self.model.holds.get_mut(hold) else { return };
                let id = id.clone();
                let done: Result<(), LedgerError> = self
                    .stage
                    .app
                    .writer
                    .commit(move |unit| Box::pin(async move { unit.release(&id).await }))
                    .await;
                assert_eq!(done.is_ok(), *open, "{step:?}");
                if std::mem::replace(open, false) {
                    *self.model.available.entry(user.clone()).or_default() += *amount;
                }
            }
            Step::Fee { wallet, base } => {
                let cost = Account::NetworkFees { network: Network::EVM_DEV, asset: usdt };
                let posting = Posting::new("network_fee", reference).base(
                    cost,
                    self.reserve(wallet),
                    BaseUnits::from(base),
                );
                self.post(posting).await.unwrap();
                self.model.reserve[usize::from(wallet)] -= i128::from(base);
            }
            Step::Sweep { base } => {
                let transit = Account::InTransit { network: Network::EVM_DEV, asset: usdt };
                let amount = BaseUnits::from(base);
                let posting = Posting::new("sweep", reference).base(transit, self.reserve(0), amount);
                self.post(posting).await.unwrap();
                self.model.reserve[0] -= i128::from(base);
                self.model.in_transit += i128::from(base);
            }
        }
    }

    /// Compares people's balances; reserves add up over all stories and are compared at the end.
    async fn compare(&self) {
        for (user, available) in &self.model.available {
            let open = self.model.holds.iter().filter(|(_, owner, _, open)| owner == user && *open);
            let held = open.map(|(_, _, amount, _)| amount).sum();
            assert_eq!(self.stage.balance(user, "USDT").await, (*available, held), "{user}");
        }
    }
}

#[test]
fn whatever_happens_the_ledger_says_what_a_plain_sum_says() {
    on_each_database(|stage| async move {
        let cases = if stage.name == "sqlite" { 48 } else { 16 };
        let runtime = tokio::runtime::Handle::current();
        let stage = tokio::task::spawn_blocking(move || {
            let mut reserve = [0i128; 2];
            let mut number = 0;
            let sums = std::cell::RefCell::new((&mut reserve, &mut number));
            let config = Config { cases, failure_persistence: None, ..Config::default() };
            TestRunner::new(config)
                .run(&prop::collection::vec(step(), 1..40), |steps| {
                    let mut sums = sums.borrow_mut();
                    *sums.1 += 1;
                    let mut story =
                        Story { stage: &stage, name: format!("s{}", sums.1), model: Model::default() };
                    runtime.block_on(async {
                        for (number, step) in steps.iter().enumerate() {
                            story.tell(number, step).await;
                        }
                        story.compare().await;
                    });
                    sums.0[0] += story.model.reserve[0];
                    sums.0[1] += story.model.reserve[1];
                    Ok(())
                })
                .unwrap();
            (stage, reserve)
        });
        let (stage, expected) = stage.await.unwrap();
        stage.prove().await;
        let mut db = stage.app.db.reader().await.unwrap();
        let scale = Scale::new(18, 6).unwrap();
        for row in airlock_coordinator::ledger::store::reserves(&mut db).await.unwrap() {
            let wallet = if row.wallet == evm_wallet(1).to_string() { 0 } else { 1 };
            let per_minor = i128::try_from(scale.base_per_minor().to_u128().unwrap()).unwrap();
            let dust = i128::try_from(row.dust_base.to_u128().unwrap()).unwrap();
            assert_eq!(i128::from(row.balance_minor) * per_minor + dust, expected[wallet]);
        }
    });
}

#[test]
fn concurrent_payments_keep_the_total() {
    on_each_database(|stage| async move {
        for user in 0..10 {
            stage.give(&format!("u{user}"), "USDT", 100).await;
        }
        let stage = &stage;
        join_all((0..500u32).map(|n| async move {
            let (from, to) = (format!("u{}", n % 10), format!("u{}", (n * 7 + 1) % 10));
            if from == to {
                return;
            }
            let (from, to) =
                (Account::available(&from, &asset("USDT")), Account::available(&to, &asset("USDT")));
            let posting =
                Posting::new("payment", n.to_string()).minor(from, to, minor(i64::from(n % 60 + 1)));
            let done =
                stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await;
            assert!(matches!(done, Ok(()) | Err(LedgerError::Insufficient { .. })), "{done:?}");
        }))
        .await;
        let mut total = 0;
        for user in 0..10 {
            total += stage.balance(&format!("u{user}"), "USDT").await.0;
        }
        assert_eq!(total, 1_000);
        stage.prove().await;
    });
}

#[test]
fn a_failed_commit_answers_everyone_and_stops_the_writer() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 100).await;
        let sqlite = stage.name == "sqlite";
        let broken = stage.app.writer.commit(move |unit| {
            Box::pin(async move {
                // A foreign key that is looked at only when the transaction commits, and then fails.
                let later = if sqlite {
                    "pragma defer_foreign_keys = on"
                } else {
                    "alter table users alter constraint users_partner_id_fkey deferrable initially deferred"
                };
                sqlx::query(later).execute(unit.db()).await?;
                let orphan = "insert into users (id, partner_id, external_id, active, made_at) values ('x', 'y', 'z', 1, 1)";
                sqlx::query(orphan).execute(unit.db()).await?;
                Ok::<(), LedgerError>(())
            })
        });
        assert!(matches!(broken.await, Err(LedgerError::CommitFailed)), "on {}", stage.name);
        assert!(stage.app.writer.has_stopped());
        let later: Result<(), LedgerError> =
            stage.app.writer.commit(|_| Box::pin(async move { Ok::<(), LedgerError>(()) })).await;
        assert!(matches!(later, Err(LedgerError::Stopped)));
        assert_eq!(stage.balance("ann", "USDT").await, (100, 0));
        stage.prove().await;
    });
}

/// The server's process ends in the middle of a commit: nobody knows, nobody is told that it is done, nothing goes on.
#[test]
fn a_backend_that_ends_at_the_commit_stops_the_writer() {
    on_each_database(|stage| async move {
        if stage.name == "sqlite" {
            // Its commit fails in `ledger_bank.rs`, where a file cannot grow.
            return;
        }
        stage.give("ann", "USDT", 100).await;
        let mut db = sqlx::AnyConnection::connect(&stage.url).await.unwrap();
        let killer = "create function end_backend() returns trigger language plpgsql as $$ begin \
                      perform pg_terminate_backend(pg_backend_pid()); return null; end $$; \
                      create constraint trigger end_backend after insert on transfers \
                      deferrable initially deferred for each row execute function end_backend()";
        sqlx::raw_sql(killer).execute(&mut db).await.unwrap();
        let pay = |reference: &'static str| {
            let (ann, bob) =
                (Account::available("ann", &asset("USDT")), Account::available("bob", &asset("USDT")));
            stage.app.writer.submit(Order::new(Posting::new("transfer", reference).minor(ann, bob, minor(1))))
        };
        let (first, second) = tokio::join!(pay("1"), pay("2"));
        for told in [first, second] {
            let unknown =
                matches!(told, Err(OrderError::Ledger(LedgerError::CommitFailed | LedgerError::Stopped)));
            assert!(unknown, "{told:?}");
        }
        assert!(stage.app.writer.has_stopped());
        assert!(matches!(pay("3").await, Err(OrderError::Ledger(LedgerError::Stopped))));
        assert_eq!(stage.balance("ann", "USDT").await, (100, 0));
        stage.prove().await;
    });
}
