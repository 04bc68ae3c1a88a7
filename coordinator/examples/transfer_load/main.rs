//! Transfers over HTTP as partners make them: signed, with an idempotency key, on keep-alive connections (N1).
//!
//! `transfer_load [--postgres URL] [--connections N] [--seconds N] [--rate N]`: serves a coordinator of its own on a fresh database
//! and prints one line of JSON: transfers acknowledged per second and their latencies. With `--rate` it asks so often
//! and no oftener. Server and clients have threads of their own, so that a profiler tells them apart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on should stop")]

use airlock_coordinator::api;
use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{self, Database};
use airlock_coordinator::keys::{self, Credential, Wanted};
use airlock_coordinator::ledger::{Account, Order, Posting};
use airlock_coordinator::people::{Reach, Scope, create};
use airlock_shared::MinorUnits;
use futures::future::join_all;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// How many users money moves between.
const USERS: usize = 10_000;

const SETTINGS: &str = r#"
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
[limits]
address_per_minute = 0
key_per_minute = 0
[log]
filter = "warn"
"#;

struct Asked {
    postgres: Option<String>,
    connections: usize,
    window: Duration,
    rate: Option<u64>,
}

impl Asked {
    fn read() -> Self {
        let mut asked =
            Self { postgres: None, connections: 1_000, window: Duration::from_secs(8), rate: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().unwrap();
            match argument.as_str() {
                "--postgres" => asked.postgres = Some(value),
                "--connections" => asked.connections = value.parse().unwrap(),
                "--seconds" => asked.window = Duration::from_secs(value.parse().unwrap()),
                "--rate" => asked.rate = Some(value.parse().unwrap()),
                other => panic!("unknown argument {other}"),
            }
        }
        asked
    }
}

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().thread_name(name).worker_threads(2).enable_all().build().unwrap()
}

fn main() {
    let asked = Asked::read();
    let (server, clients) = (runtime("server"), runtime("clients"));
    let dir = tempfile::TempDir::new_in(".").unwrap();
    let place = server.block_on(Place::open(&asked, dir.path()));
    let (stop, stopped) = watch::channel(false);
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = api::router(place.app.clone());
    let served = server.spawn(api::serve::serve(listener, place.app.clone(), router, None, stopped));
    let users = Arc::new(place.users);
    let mut took = clients.block_on(load(&asked, address, &place.credential, &users));
    stop.send(true).unwrap();
    drop(clients);
    server.block_on(async { tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap() });
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_micros();
    let seconds = u64::try_from(asked.window.as_micros()).unwrap();
    let rate = u64::try_from(took.len()).unwrap() * 1_000_000 / seconds;
    println!(
        "{}",
        serde_json::json!({ "transfers_per_second": rate, "connections": asked.connections,
            "p50_us": at(50) as u64, "p95_us": at(95) as u64, "p99_us": at(99) as u64,
            "groups": place.app.writer.counts().0, "commands": place.app.writer.counts().1 })
    );
}

struct Place {
    app: App,
    credential: Arc<Credential>,
    users: Vec<String>,
}

impl Place {
    async fn open(asked: &Asked, dir: &std::path::Path) -> Self {
        let url = match &asked.postgres {
            None => format!("sqlite:{}", dir.join("airlock.db").display()),
            Some(server) => fresh(server).await,
        };
        Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
        let mut config = Config::from_toml(&format!("{SETTINGS}\n[database]\nurl = {url:?}\n")).unwrap();
        config.home = dir.to_owned();
        let app = App::open(config, Clock::System).await.unwrap();
        let partner = create::partner(&app.writer, "acme").await.unwrap().id;
        let names: Vec<String> = (0..USERS).map(|number| format!("u{number}")).collect();
        let made = join_all(names.iter().map(|name| create::user(&app.writer, "acme", name))).await;
        let users: Vec<String> = made.into_iter().map(|made| made.unwrap().id).collect();
        let gifts = users.iter().map(|user| {
            let usdt = "USDT".parse().unwrap();
            let to = Account::available(user, &usdt);
            let amount = MinorUnits::new(1_000_000_000);
            app.writer.submit(Order::new(Posting::new("gift", user.as_str()).minor(Account::Capital(usdt), to, amount)))
        });
        for receipt in join_all(gifts).await {
            receipt.unwrap();
        }
        let wanted = Wanted::new(&partner, "load", Scope::ALL);
        let mut wanted = wanted;
        wanted.networks = vec!["127.0.0.0/8".parse().unwrap()];
        let key = keys::create(&app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        app.writer
            .commit(|unit| {
                Box::pin(async move {
                    sqlx::query("analyze").execute(unit.db()).await?;
                    Ok::<(), airlock_coordinator::ledger::LedgerError>(())
                })
            })
            .await
            .unwrap();
        // Nothing stamped before the start is taken.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Self { app, credential: Arc::new(key.credential().unwrap()), users }
    }
}

async fn fresh(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("bench_{}", db::random_id().unwrap());
    let mut admin = AnyConnection::connect(server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// How long each acknowledged transfer took, within the window that begins a second after the first request.
async fn load(
    asked: &Asked,
    address: SocketAddr,
    credential: &Arc<Credential>,
    users: &Arc<Vec<String>>,
) -> Vec<Duration> {
    let begin = Instant::now() + Duration::from_secs(2);
    let end = begin + asked.window;
    let pause = asked.rate.map(|rate| {
        Duration::from_micros(u64::try_from(asked.connections).unwrap() * 1_000_000 / rate)
    });
    let callers = (0..asked.connections).map(|number| {
        let caller = Caller {
            credential: credential.clone(),
            users: users.clone(),
            dice: (u64::try_from(number).unwrap() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        tokio::spawn(caller.call(address, begin, end, pause))
    });
    let took = join_all(callers).await;
    took.into_iter().flat_map(Result::unwrap).collect()
}

struct Caller {
    credential: Arc<Credential>,
    users: Arc<Vec<String>>,
    dice: u64,
}

impl Caller {
    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    async fn call(
        mut self,
        address: SocketAddr,
        begin: Instant,
        end: Instant,
        pause: Option<Duration>,
    ) -> Vec<Duration> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut answer, mut took) = (Vec::with_capacity(2_048), Vec::new());
        let mut due = Instant::now() + pause.map_or(Duration::ZERO, |pause| pause * u32::try_from(self.roll() % 1_000).unwrap() / 1_000);
        loop {
            if let Some(pause) = pause {
                tokio::time::sleep_until(due.into()).await;
                due += pause;
            }
            let request = self.request();
            let asked = Instant::now();
            if asked >= end {
                return took;
            }
            stream.write_all(&request).await.unwrap();
            let status = read_answer(&mut stream, &mut answer).await;
            assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
            let now = Instant::now();
            if asked >= begin && now <= end {
                took.push(now - asked);
            }
        }
    }

    fn request(&mut self) -> Vec<u8> {
        let places = u64::try_from(USERS).unwrap();
        let from = self.roll() % places;
        let to = (from + 1 + self.roll() % (places - 1)) % places;
        let name = |place: u64| &self.users[usize::try_from(place).unwrap()];
        let body = format!(
            r#"{{"kind":"transfer","from":"{}","to":"{}","asset":"USDT","amount":"0.000125","note":"order 4711"}}"#,
            name(from),
            name(to)
        );
        let (once, nonce) = (format!("{:016x}", self.roll()), format!("{:032x}", u128::from(self.roll())));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seconds = i64::try_from(now.as_secs()).unwrap();
        let signed = self.credential.authorization("POST", "/v1/transfers", body.as_bytes(), Some(&once), seconds, &nonce);
        format!(
            "POST /v1/transfers HTTP/1.1\r\nhost: airlock\r\nauthorization: {signed}\r\nidempotency-key: {once}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// Reads one answer whole; its status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> u16 {
    answer.clear();
    loop {
        assert!(stream.read_buf(answer).await.unwrap() > 0, "the server hung up");
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&answer[..head]).unwrap();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if answer.len() >= head + 4 + length.unwrap().parse::<usize>().unwrap() {
            return text[9..12].parse().unwrap();
        }
    }
}
