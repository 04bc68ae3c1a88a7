//! Where the conformance tests stand: a migrated, empty coordinator on each database.
//!
//! SQLite always; PostgreSQL when `AIRLOCK_TEST_POSTGRES` is the URL of a server where databases may be
//! created (`scripts/test.sh` starts one and sets `AIRLOCK_REQUIRE_POSTGRES=1`, so nothing is skipped there).
#![allow(dead_code)]

use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{self, Database};
use airlock_coordinator::ledger::{Account, AssetCode, LedgerError, Posting};
use airlock_coordinator::people::create::{self, Created};
use airlock_shared::{Address, MinorUnits, Network};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::future::Future;
use tempfile::TempDir;

/// The moment at which every stage's clock stands: 2026-01-01 00:00:00 UTC.
pub const MOMENT: i64 = 1_767_225_600_000;

pub const NETWORKS: &str = r#"
[[network]]
id = "tron:0xa1710c4b"
providers = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
[network.native]
asset = "TRX"
decimals = 6
[[network.token]]
asset = "USDT"
contract = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
decimals = 6
[network.token.withdrawal]
fee = "1"
amount_min = "2"
amount_max = "1000"
[[network.wallet]]
role = "hot"
address = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"
path = "m/44'/195'/25'/0/0"
fingerprint = "00000000"

[[network]]
id = "eip155:31337"
providers = ["http://127.0.0.1:3", "http://127.0.0.1:4"]
[network.native]
asset = "ETH"
decimals = 18
[[network.token]]
asset = "USDT"
contract = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
decimals = 18
[network.token.withdrawal]
fee = "0.5"
amount_min = "1"
amount_max = "1000"
"#;

/// One migrated coordinator on one database.
pub struct Stage {
    pub app: App,
    pub name: &'static str,
    pub url: String,
    _dir: TempDir,
}

pub fn asset(code: &str) -> AssetCode {
    code.parse().unwrap()
}

pub fn minor(amount: i64) -> MinorUnits {
    MinorUnits::new(amount)
}

/// Some address on the EVM development chain.
pub fn evm_wallet(last: u8) -> Address {
    Address::new(Network::EVM_DEV, [last; 20])
}

impl Stage {
    /// Opens a fresh database of the kind that `server` names (`None`: SQLite).
    pub async fn open(server: Option<&str>) -> Self {
        let dir = TempDir::new().unwrap();
        let (name, url) = match server {
            None => ("sqlite", format!("sqlite:{}", dir.path().join("airlock.db").display())),
            Some(server) => ("postgres", fresh_postgres(server).await),
        };
        Database::open(&url, 1).await.unwrap().migrate(MOMENT).await.unwrap();
        Self { app: open_app(&url).await, name, url, _dir: dir }
    }

    /// Gives a user money out of capital.
    pub async fn give(&self, user: &str, code: &str, amount: i64) {
        let (user, code) = (user.to_owned(), asset(code));
        let reference = db::random_id().unwrap();
        self.app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let posting = Posting::new("gift", reference).minor(
                        Account::Capital(code.clone()),
                        Account::available(&user, &code),
                        minor(amount),
                    );
                    unit.post(posting).await
                })
            })
            .await
            .unwrap();
    }

    /// Available and held of a user in one asset.
    pub async fn balance(&self, user: &str, code: &str) -> (i64, i64) {
        let mut db = self.app.db.reader().await.unwrap();
        let balances = airlock_coordinator::ledger::store::balances_of(&mut db, user).await.unwrap();
        balances
            .into_iter()
            .find(|balance| balance.asset == asset(code))
            .map_or((0, 0), |balance| (balance.available.get(), balance.held.get()))
    }

    /// Replays the ledger; panics with what disagrees.
    pub async fn prove(&self) {
        let mut db = self.app.db.reader().await.unwrap();
        let verified = airlock_coordinator::ledger::verify::verify(&mut db).await.unwrap();
        assert_eq!(verified.faults, Vec::<String>::new(), "on {}", self.name);
    }
}

/// A second coordinator on the same database.
pub async fn open_app(url: &str) -> App {
    let config = Config::from_toml(&format!("{NETWORKS}\n[database]\nurl = {url:?}\n")).unwrap();
    App::open(config, Clock::set_at(MOMENT)).await.unwrap()
}

async fn fresh_postgres(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("airlock_{}", db::random_id().unwrap());
    let mut admin = AnyConnection::connect(server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let base = server.split('?').next().unwrap();
    let host = base.rfind('/').filter(|at| *at > base.find("//").unwrap() + 1).unwrap_or(base.len());
    format!("{}/{name}", &base[..host])
}

/// The PostgreSQL server for tests, or a refusal to skip it silently.
pub fn postgres_server() -> Option<String> {
    let server = std::env::var("AIRLOCK_TEST_POSTGRES").ok().filter(|url| !url.is_empty());
    let required = std::env::var("AIRLOCK_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(
        server.is_some() || !required,
        "AIRLOCK_REQUIRE_POSTGRES=1 but AIRLOCK_TEST_POSTGRES names no server"
    );
    server
}

/// Tells one story on SQLite and, when there is a server, on PostgreSQL.
pub fn on_each_database<S, F>(story: S)
where
    S: Fn(Stage) -> F,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        story(Stage::open(None).await).await;
        if let Some(server) = postgres_server() {
            story(Stage::open(Some(&server)).await).await;
        }
    });
}

/// A command's refusal, in words.
pub fn told<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
    result.unwrap_err().to_string()
}

/// The API of a stage, served on a port of its own, with an operator, a partner and two of its users.
pub struct Served {
    pub stage: Stage,
    pub url: String,
    pub http: reqwest::Client,
    pub operator: Created,
    pub second_operator: Created,
    pub partner: Created,
    pub ann: Created,
    pub bob: Created,
}

/// An answer: status and JSON body.
pub type Answer = (u16, serde_json::Value);

impl Served {
    pub async fn open(stage: Stage) -> Self {
        // Installed once per process; a second try finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = airlock_coordinator::api::router(stage.app.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let writer = stage.app.writer.clone();
        let partner = create::partner(&writer, "acme").await.unwrap();
        Self {
            url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            operator: create::operator(&writer, "alice").await.unwrap(),
            second_operator: create::operator(&writer, "oscar").await.unwrap(),
            ann: create::user(&writer, "acme", "ann").await.unwrap(),
            bob: create::user(&writer, &partner.id, "bob").await.unwrap(),
            partner,
            stage,
        }
    }

    pub async fn get(&self, who: &Created, path: &str) -> Answer {
        answer(self.http.get(format!("{}{path}", self.url)).bearer_auth(&who.token)).await
    }

    pub async fn post(&self, who: &Created, path: &str, body: serde_json::Value) -> Answer {
        answer(self.http.post(format!("{}{path}", self.url)).bearer_auth(&who.token).json(&body)).await
    }

    pub async fn post_once(&self, who: &Created, path: &str, key: &str, body: serde_json::Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&who.token);
        answer(request.header("Idempotency-Key", key).json(&body)).await
    }
}

/// Sends a request; checks the error shape of every refusal on the way.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: serde_json::Value = response.json().await.unwrap_or_default();
    if status >= 400 {
        let error = &body["error"];
        assert_eq!(error["request_id"], id.as_str(), "{body}");
        assert!(error["code"].is_string() && error["message"].is_string(), "{body}");
        assert!(error["retryable"].is_boolean() && body.as_object().unwrap().len() == 1, "{body}");
    }
    (status, body)
}
