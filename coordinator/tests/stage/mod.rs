//! Where the conformance tests stand: a migrated, empty coordinator on each database.
//!
//! SQLite always; PostgreSQL when `AIRLOCK_TEST_POSTGRES` is the URL of a server where databases may be
//! created (`scripts/test.sh` starts one and sets `AIRLOCK_REQUIRE_POSTGRES=1`, so nothing is skipped there).
// Each test file uses a part of it; a stage that cannot be set has failed, and says so by a panic.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::{Allowance, Config, LimitsConfig};
use airlock_coordinator::db::{self, Database};
use airlock_coordinator::keys::{self, Credential, Wanted};
use airlock_coordinator::ledger::{Account, AssetCode, LedgerError, Posting};
use airlock_coordinator::people::session::{self, Origin, Standing};
use airlock_coordinator::people::{Reach, Role, Roles, Scope, Subject, create};
use airlock_shared::{Address, MinorUnits, Network};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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
    App::open(config(url, ""), Clock::set_at(MOMENT)).await.unwrap()
}

/// The stage's settings with more on top. Every coordinator of the tests has the same home, and with it the same keys.
pub fn config(url: &str, more: &str) -> Config {
    let mut config = Config::from_toml(&format!("{NETWORKS}\n[database]\nurl = {url:?}\n{more}\n")).unwrap();
    config.home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home");
    // Stories make more requests from one address than people do.
    let unlimited = Allowance { per_minute: 0, burst: 1 };
    config.limits = LimitsConfig { address: unlimited, key: unlimited, person: unlimited, login: unlimited };
    config
}

/// The URL of a fresh, empty database on the server.
pub async fn fresh_postgres(server: &str) -> String {
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

/// Somebody who can make requests.
pub struct Who {
    pub id: String,
    credential: Credentials,
}

enum Credentials {
    /// Logged in: a session is opened when it is needed.
    Session(Subject),
    /// A partner's system.
    Key(Credential),
}

/// The API of a stage, served on a port of its own, with two of the house's people, a partner's key and two of its users.
pub struct Served {
    pub stage: Stage,
    pub url: String,
    pub http: reqwest::Client,
    /// One of the house's people, with every role.
    pub operator: Who,
    /// Another.
    pub second_operator: Who,
    /// The partner, by a key with every scope; `id` is the partner's.
    pub partner: Who,
    pub ann: Who,
    pub bob: Who,
    sessions: Mutex<HashMap<String, (String, i64)>>,
    nonces: AtomicU64,
}

/// An answer: status and JSON body.
pub type Answer = (u16, serde_json::Value);

/// All roles together.
pub fn every_role() -> Roles {
    Role::ALL.into_iter().collect()
}

/// Serves a coordinator on a port of its own; answers its URL.
pub async fn serve(app: &App) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = airlock_coordinator::api::router(app.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    url
}

impl Served {
    pub async fn open(stage: Stage) -> Self {
        // Installed once per process; a second try finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = serve(&stage.app).await;
        let writer = stage.app.writer.clone();
        let acme = create::partner(&writer, "acme").await.unwrap().id;
        let user = async |name: &str| {
            let id = create::user(&writer, "acme", name).await.unwrap().id;
            Who { credential: Credentials::Session(Subject::User(id.clone())), id }
        };
        let (ann, bob) = (user("ann").await, user("bob").await);
        let partner = key_of(&stage.app, &acme, Scope::ALL).await;
        Self {
            url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            operator: person_in(&stage.app, "house", "alice", &every_role()).await,
            second_operator: person_in(&stage.app, "house", "oscar", &every_role()).await,
            partner,
            ann,
            bob,
            stage,
            sessions: Mutex::default(),
            nonces: AtomicU64::new(1),
        }
    }

    /// Somebody of a tenant's staff, with these roles.
    pub async fn person(&self, partner: &str, name: &str, roles: &[Role]) -> Who {
        person_in(&self.stage.app, partner, name, &roles.iter().copied().collect()).await
    }

    /// A key of a partner with these scopes; `id` is the partner's.
    pub async fn key(&self, partner: &str, scopes: &[Scope]) -> Who {
        key_of(&self.stage.app, partner, scopes.iter().copied()).await
    }

    /// Another user of a partner.
    pub async fn user(&self, partner: &str, external_id: &str) -> Who {
        let id = create::user(&self.stage.app.writer, partner, external_id).await.unwrap().id;
        Who { credential: Credentials::Session(Subject::User(id.clone())), id }
    }

    /// A request with the credential of `who`; clocks may have been moved since the last.
    pub async fn request(
        &self,
        who: &Who,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
        once: Option<&str>,
    ) -> reqwest::RequestBuilder {
        let text = body.map(ToString::to_string).unwrap_or_default();
        let authorization = match &who.credential {
            Credentials::Session(_) => format!("Bearer {}", self.token(who).await),
            Credentials::Key(key) => {
                let nonce = format!("{:032x}", self.nonces.fetch_add(1, Ordering::SeqCst));
                let seconds = self.stage.app.clock.now() / 1000;
                key.authorization(method, path, text.as_bytes(), once, seconds, &nonce)
            }
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        request = request.header("Authorization", authorization);
        if let Some(key) = once {
            request = request.header("Idempotency-Key", key);
        }
        if body.is_some() {
            request = request.header("Content-Type", "application/json").body(text);
        }
        request
    }

    /// A fresh access token, of a session whose second factor is fresh.
    pub async fn token(&self, who: &Who) -> String {
        let Credentials::Session(subject) = &who.credential else { panic!("{} has a key", who.id) };
        let (app, key) = (&self.stage.app, subject.to_string());
        let now = app.clock.now();
        let known = self.sessions.lock().unwrap().get(&key).cloned();
        let session = match known.filter(|(_, opened_at)| (0..60_000).contains(&(now - opened_at))) {
            Some((session, _)) => session,
            None => {
                let standing = Standing::Open { stepped_up: true };
                let opened = session::open(app, subject, standing, &Origin::default()).await.unwrap();
                self.sessions.lock().unwrap().insert(key, (opened.session.clone(), now));
                opened.session
            }
        };
        app.access.tokens().unwrap().mint(subject, &session, now)
    }

    pub async fn get(&self, who: &Who, path: &str) -> Answer {
        answer(self.request(who, "GET", path, None, None).await).await
    }

    pub async fn delete(&self, who: &Who, path: &str) -> Answer {
        answer(self.request(who, "DELETE", path, None, None).await).await
    }

    pub async fn post(&self, who: &Who, path: &str, body: serde_json::Value) -> Answer {
        answer(self.request(who, "POST", path, Some(&body), None).await).await
    }

    pub async fn post_once(&self, who: &Who, path: &str, key: &str, body: serde_json::Value) -> Answer {
        answer(self.request(who, "POST", path, Some(&body), Some(key)).await).await
    }

    /// A POST without a credential.
    pub async fn knock(&self, path: &str, body: serde_json::Value) -> Answer {
        answer(self.http.post(format!("{}{path}", self.url)).json(&body)).await
    }
}

async fn person_in(app: &App, partner: &str, name: &str, roles: &Roles) -> Who {
    let id = create::person(&app.writer, partner, name, roles).await.unwrap().id;
    Who { credential: Credentials::Session(Subject::Person(id.clone())), id }
}

async fn key_of(app: &App, partner: &str, scopes: impl IntoIterator<Item = Scope>) -> Who {
    let mut wanted = Wanted::new(partner, "stage", scopes);
    wanted.networks = vec!["127.0.0.0/8".parse().unwrap()];
    let made = keys::create(app, wanted, &Reach::All, &By::command_line()).await.unwrap();
    Who { id: partner.to_owned(), credential: Credentials::Key(made.credential().unwrap()) }
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
