//! The bank: people pay each other over HTTP while the real program is killed again and again, on both databases.
//!
//! What must hold at every moment is the total; after the last start: every acknowledged transfer is there once, those
//! that nobody acknowledged are whole or absent, and repeating them by their idempotency keys doubles nothing (case 42).
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{Database, random_id};
use airlock_coordinator::keys::sign::Credential;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::ledger::{Account, Order, Posting, verify};
use airlock_coordinator::people::{Reach, Scope, create};
use futures::future::join_all;
use serde_json::{Value, json};
use stage::{NETWORKS, asset, fresh_postgres, minor, postgres_server};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const USERS: usize = 40;
const CLIENTS: usize = 24;
const KILLS: usize = 4;
/// 1,000 USDT each.
const EACH: i64 = 1_000_000_000;

/// A payment that somebody asked for, under its own idempotency key.
#[derive(Clone, Debug)]
struct Payment {
    key: String,
    from: usize,
    to: usize,
    /// Minor units.
    amount: i64,
}

/// The accounts, the key, and where the program stands.
struct Bank {
    users: Vec<String>,
    credential: Credential,
    url: String,
    settings: PathBuf,
    http: reqwest::Client,
    _dir: TempDir,
}

/// The program at work.
struct Running {
    process: Child,
    address: String,
}

impl Drop for Running {
    /// `kill -9`.
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}

impl Bank {
    async fn open(server: Option<&str>) -> Self {
        let dir = TempDir::new().unwrap();
        let url = match server {
            None => format!("sqlite:{}", dir.path().join("airlock.db").display()),
            Some(server) => fresh_postgres(server).await,
        };
        let (home, limits) =
            (dir.path().join("home"), "[limits]\naddress_per_minute = 0\nkey_per_minute = 0\n");
        let text = format!("home = {home:?}\n[database]\nurl = {url:?}\n{limits}\n{NETWORKS}");
        let settings = dir.path().join("settings.toml");
        std::fs::write(&settings, &text).unwrap();
        Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
        let app = App::open(Config::from_toml(&text).unwrap(), Clock::System).await.unwrap();
        let partner = create::partner(&app.writer, "bank").await.unwrap().id;
        let mut users = Vec::new();
        for number in 0..USERS {
            let user = create::user(&app.writer, &partner, &format!("user {number}")).await.unwrap().id;
            let (capital, account) =
                (Account::Capital(asset("USDT")), Account::available(&user, &asset("USDT")));
            let gift = Posting::new("gift", number.to_string()).minor(capital, account, minor(EACH));
            app.writer.submit(Order::new(gift)).await.unwrap();
            users.push(user);
        }
        let wanted = Wanted::new(&partner, "bank", [Scope::Transfer]);
        let made = keys::create(&app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { users, credential: made.credential().unwrap(), url, settings, http, _dir: dir }
    }

    async fn start(&self) -> Running {
        self.start_under(&[]).await
    }

    /// Starts the program through a command that sets its limits.
    async fn start_under(&self, limits: &[&str]) -> Running {
        let log = std::fs::File::create(self.settings.with_extension("log")).unwrap();
        let program = env!("CARGO_BIN_EXE_airlock-coordinator");
        let mut words = limits.iter().chain([&program]);
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&self.settings)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {}", log_of(&self.settings)));
        let address = told["listening"].as_str().unwrap().to_owned();
        // What was stamped before the program began is refused: the next second is the first that counts.
        let into_second = u64::try_from(Clock::System.now().rem_euclid(1000)).unwrap();
        tokio::time::sleep(Duration::from_millis(1100 - into_second)).await;
        Running { process, address }
    }

    /// Asks for a payment; `None` if nobody knows what became of it.
    async fn pay(&self, address: &str, payment: &Payment) -> Option<(u16, Value)> {
        let (whole, cents) = (payment.amount / 1_000_000, payment.amount % 1_000_000);
        let body = json!({
            "kind": "transfer", "from": self.users[payment.from], "to": self.users[payment.to], "asset": "USDT",
            "amount": format!("{whole}.{cents:06}"),
        })
        .to_string();
        let (target, seconds) = ("/v1/transfers", Clock::System.now() / 1000);
        let (once, nonce) = (Some(payment.key.as_str()), random_id().unwrap());
        let signed = self.credential.authorization("POST", target, body.as_bytes(), once, seconds, &nonce);
        let request = self
            .http
            .post(format!("http://{address}{target}"))
            .header("Authorization", signed)
            .header("Idempotency-Key", &payment.key)
            .header("Content-Type", "application/json")
            .timeout(Duration::from_secs(20))
            .body(body);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json().await.ok()?))
    }

    /// What all users have together, in one look.
    async fn total(&self, db: &Database) -> i64 {
        let mut db = db.reader().await.unwrap();
        let sum = "select cast(sum(balance_minor) as bigint) from accounts where kind = 'user_available'";
        sqlx::query_scalar(sum).fetch_one(&mut *db).await.unwrap()
    }
}

fn log_of(settings: &Path) -> String {
    std::fs::read_to_string(settings.with_extension("log")).unwrap_or_default()
}

/// What the clients of one life of the program saw.
#[derive(Default)]
struct Seen {
    acknowledged: Vec<(Payment, String)>,
    unknown: Vec<Payment>,
}

/// Pays until the program is gone.
async fn client(bank: &Bank, address: &str, life: usize, client: usize) -> Seen {
    let (mut seen, mut dice) = (Seen::default(), life * 1_000 + client + 1);
    for number in 0.. {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let from = (dice >> 33) % USERS;
        let to = (from + 1 + (dice >> 17) % (USERS - 1)) % USERS;
        // Up to 400 of 1,000 at once: many are refused.
        let amount = i64::try_from((dice >> 7) % 400_000_000 + 1).unwrap();
        let payment = Payment { key: format!("{life}-{client}-{number}"), from, to, amount };
        match bank.pay(address, &payment).await {
            Some((201, answer)) => {
                seen.acknowledged.push((payment, answer["id"].as_str().unwrap().to_owned()))
            }
            Some((422, answer)) => assert_eq!(answer["error"]["code"], "insufficient_funds", "{answer}"),
            // A writer that has stopped says so until the program has ended.
            Some((status, answer)) if status < 500 => panic!("{status}: {answer}"),
            Some(_) | None => {
                seen.unknown.push(payment);
                break;
            }
        }
    }
    seen
}

/// One life of the program: clients pay, readers look, and in the middle of it comes the end.
async fn live(bank: &Bank, db: &Database, life: usize) -> Seen {
    let running = bank.start().await;
    let address = running.address.clone();
    let over = AtomicBool::new(false);
    let clients = join_all((0..CLIENTS).map(|number| client(bank, &address, life, number)));
    let end = async {
        tokio::time::sleep(Duration::from_millis(500 + 137 * u64::try_from(life).unwrap())).await;
        drop(running);
    };
    let work = async {
        let (seen, ()) = tokio::join!(clients, end);
        over.store(true, Ordering::SeqCst);
        seen
    };
    let readers = join_all((0..2).map(|_| async {
        let mut looks = 0;
        while !over.load(Ordering::SeqCst) {
            assert_eq!(bank.total(db).await, EACH * i64::try_from(USERS).unwrap());
            looks += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        looks
    }));
    let (seen, looks): (Vec<Seen>, Vec<usize>) = tokio::join!(work, readers);
    assert!(looks.iter().sum::<usize>() > 0);
    let mut all = Seen::default();
    for seen in seen {
        all.acknowledged.extend(seen.acknowledged);
        all.unknown.extend(seen.unknown);
    }
    assert!(
        all.acknowledged.len() >= CLIENTS,
        "{} payments:\n{}",
        all.acknowledged.len(),
        log_of(&bank.settings)
    );
    all
}

/// After the last start: what nobody knows is asked again by its key, twice; what was acknowledged is answered as before.
async fn settle(bank: &Bank, seen: &mut Seen) {
    let running = bank.start().await;
    for payment in std::mem::take(&mut seen.unknown) {
        let first = bank.pay(&running.address, &payment).await.unwrap();
        if first.0 == 201 {
            assert_eq!(bank.pay(&running.address, &payment).await.unwrap(), first);
            seen.acknowledged.push((payment, first.1["id"].as_str().unwrap().to_owned()));
        } else {
            assert_eq!(first.1["error"]["code"], "insufficient_funds", "{first:?}");
        }
    }
    for (payment, id) in seen.acknowledged.iter().step_by(7) {
        let (status, answer) = bank.pay(&running.address, payment).await.unwrap();
        assert_eq!((status, answer["id"].as_str()), (201, Some(id.as_str())), "{answer}");
    }
}

async fn story(server: Option<&str>) {
    let bank = Bank::open(server).await;
    let db = Database::open(&bank.url, 4).await.unwrap();
    let mut seen = Seen::default();
    for life in 0..KILLS {
        let life = live(&bank, &db, life).await;
        seen.acknowledged.extend(life.acknowledged);
        seen.unknown.extend(life.unknown);
    }
    settle(&bank, &mut seen).await;
    compare(&bank, &db, &seen).await;
}

/// The ledger says what its clients were told, no more and no less.
async fn compare(bank: &Bank, db: &Database, seen: &Seen) {
    let mut reader = db.reader().await.unwrap();
    let made: Vec<(String,)> =
        sqlx::query_as("select reference from transfers where kind = 'transfer' order by reference")
            .fetch_all(&mut *reader)
            .await
            .unwrap();
    let made: Vec<String> = made.into_iter().map(|(reference,)| reference).collect();
    let mut told: Vec<String> = seen.acknowledged.iter().map(|(_, id)| id.clone()).collect();
    told.sort();
    assert_eq!(made, told, "every transfer was acknowledged once, and every acknowledged one is there");

    let mut balances: BTreeMap<&str, i64> = bank.users.iter().map(|user| (user.as_str(), EACH)).collect();
    for (payment, _) in &seen.acknowledged {
        *balances.get_mut(bank.users[payment.from].as_str()).unwrap() -= payment.amount;
        *balances.get_mut(bank.users[payment.to].as_str()).unwrap() += payment.amount;
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select owner, balance_minor from accounts where kind = 'user_available' order by owner",
    )
    .fetch_all(&mut *reader)
    .await
    .unwrap();
    let rows: BTreeMap<&str, i64> = rows.iter().map(|(owner, balance)| (owner.as_str(), *balance)).collect();
    assert_eq!(rows, balances);
    assert_eq!(verify::verify(&mut reader).await.unwrap().faults, Vec::<String>::new());
}

fn told(server: Option<&str>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(story(server));
}

#[test]
fn a_bank_on_sqlite_keeps_its_total_and_its_word_through_kills() {
    told(None);
}

#[test]
fn a_bank_on_postgres_keeps_its_total_and_its_word_through_kills() {
    if let Some(server) = postgres_server() {
        told(Some(&server));
    }
}

/// A file that cannot grow: the commit fails, the writer stops, the program ends by itself and says why; whatever was
/// acknowledged is there after the next start.
#[test]
fn a_full_disk_stops_the_program_and_takes_nothing_back() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bank = Bank::open(None).await;
        let limits = ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=2500000"];
        let mut running = bank.start_under(&limits).await;
        let clients = (0..CLIENTS).map(|number| client(&bank, &running.address, 0, number));
        let mut seen = Seen::default();
        for life in join_all(clients).await {
            seen.acknowledged.extend(life.acknowledged);
            seen.unknown.extend(life.unknown);
        }
        assert_eq!(seen.unknown.len(), CLIENTS);
        assert!(seen.acknowledged.len() > CLIENTS, "{}", log_of(&bank.settings));
        // The clients' connections are gone; the program ends within its patience.
        let ended = tokio::task::spawn_blocking(move || (running.process.wait().unwrap(), running));
        let (status, _running) = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(1), "{}", log_of(&bank.settings));
        assert!(log_of(&bank.settings).contains("commit failed"), "{}", log_of(&bank.settings));
        settle(&bank, &mut seen).await;
        let db = Database::open(&bank.url, 1).await.unwrap();
        compare(&bank, &db, &seen).await;
    });
}
