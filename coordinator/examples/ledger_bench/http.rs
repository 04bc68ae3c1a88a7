//! Transfers over HTTP: the real program, signed requests with idempotency keys, 1,000 keep-alive connections (L3, P4).
//!
//! The load is a small HTTP/1.1 client of our own on the same machine: requests are signed before the clock runs, answers
//! are read to their end, and only 201 counts. At a fixed rate a latency is counted from the moment at which the request
//! was due, so that a stall is not hidden by the requests that it kept from being sent.

use super::load::Dice;
use super::place::{fresh, usdt};
use super::{Asked, median, print};
use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{Database, random_id};
use airlock_coordinator::keys::sign::Credential;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::ledger::{Account, Order, Posting};
use airlock_coordinator::people::{Reach, Scope, create};
use airlock_shared::MinorUnits;
use futures::future::{join_all, try_join_all};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

const CONNECTIONS: usize = 1_000;
const USERS: usize = 10_000;
/// Requests per second of the fixed rate.
const FIXED: u64 = 2_000;
/// More than a second of saturation takes on this kind of machine.
const SIGNED_PER_SECOND: u64 = 20_000;
const ROUNDS: usize = 3;

const SETTINGS: &str = r#"
[limits]
address_per_minute = 0
key_per_minute = 0
[[network]]
id = "eip155:31337"
providers = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
[network.native]
asset = "ETH"
decimals = 18
[[network.token]]
asset = "USDT"
contract = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
decimals = 18
"#;

pub async fn measure(asked: &Asked, server: Option<&str>) {
    let running = Running::start(server).await;
    let suffix = if server.is_some() { "postgres" } else { "sqlite" };
    let seconds = asked.window.as_secs().max(1);
    let mut rates = Vec::new();
    let mut saturated = Vec::new();
    running.load(SIGNED_PER_SECOND, Pace::Full(Duration::from_secs(1))).await;
    for _ in 0..ROUNDS {
        let (rate, latencies) =
            running.load(SIGNED_PER_SECOND * seconds, Pace::Full(Duration::from_secs(seconds))).await;
        rates.push(rate);
        saturated.extend(latencies);
    }
    print(&format!("ledger_http_{suffix}"), median(rates), "transfers/s", 15_000_000);
    percentiles(&format!("at_saturation_{suffix}"), saturated);
    let (_, latencies) = running.load(FIXED * seconds * 3, Pace::Fixed(FIXED)).await;
    // The figure of production is the plain name.
    percentiles(if server.is_some() { "at_2000" } else { "at_2000_sqlite" }, latencies);
}

fn percentiles(name: &str, mut micros: Vec<u64>) {
    micros.sort_unstable();
    for percent in [50, 95, 99] {
        let place = (micros.len() * percent / 100).min(micros.len() - 1);
        print(&format!("ledger_http_p{percent}_ms_{name}"), micros[place], "ms", 20_000);
    }
}

/// The program at work, its users and a key.
struct Running {
    process: Child,
    address: String,
    users: Vec<String>,
    credential: Credential,
    _dir: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Clone, Copy)]
enum Pace {
    /// As fast as answers come, for so long.
    Full(Duration),
    /// So many a second, spread evenly.
    Fixed(u64),
}

impl Running {
    async fn start(server: Option<&str>) -> Self {
        let dir = TempDir::new_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into())).unwrap();
        let url = match server {
            None => format!("sqlite:{}", dir.path().join("airlock.db").display()),
            Some(server) => fresh(server).await,
        };
        let home = dir.path().join("home");
        let settings = format!("home = {home:?}\n[database]\nurl = {url:?}\n{SETTINGS}");
        Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
        let app = App::open(Config::from_toml(&settings).unwrap(), Clock::System).await.unwrap();
        let partner = create::partner(&app.writer, "bench").await.unwrap().id;
        let users = people(&app, &partner).await;
        let wanted = Wanted::new(&partner, "bench", [Scope::Transfer]);
        let made = keys::create(&app, wanted, &Reach::All, &By::command_line()).await.unwrap();
        let file = dir.path().join("settings.toml");
        std::fs::write(&file, settings).unwrap();
        let program = std::env::current_exe().unwrap().parent().unwrap().join("../airlock-coordinator");
        // The settings are the file alone.
        let mut process = Command::new(program)
            .env_clear()
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let told: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {}", log()));
        let address = told["listening"].as_str().unwrap().to_owned();
        // What was stamped before the program began is refused.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Self { process, address, users, credential: made.credential().unwrap(), _dir: dir }
    }

    /// Sends so many requests at most; transfers per second in thousandths, and latencies in microseconds.
    async fn load(&self, requests: u64, pace: Pace) -> (u64, Vec<u64>) {
        let mut dice = Dice::new(requests);
        let each = usize::try_from(requests).unwrap() / CONNECTIONS;
        let signed: Vec<Vec<Vec<u8>>> =
            (0..CONNECTIONS).map(|_| (0..each).map(|_| self.request(&mut dice)).collect()).collect();
        let connect = (0..CONNECTIONS).map(|_| TcpStream::connect(&self.address));
        let streams = try_join_all(connect).await.unwrap();
        let begun = Instant::now() + Duration::from_millis(100);
        let connections = streams.into_iter().zip(signed).enumerate();
        let tasks: Vec<_> = connections
            .map(|(number, (stream, signed))| tokio::spawn(converse(stream, signed, number, begun, pace)))
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap();
        (u64::try_from(latencies.len()).unwrap() * 1_000_000_000 / micros, latencies)
    }

    fn request(&self, dice: &mut Dice) -> Vec<u8> {
        let users = u64::try_from(self.users.len()).unwrap();
        let from = dice.below(users);
        let to = (from + 1 + dice.below(users - 1)) % users;
        let user = |number: u64| &self.users[usize::try_from(number).unwrap()];
        let body = format!(
            r#"{{"kind":"transfer","from":"{}","to":"{}","asset":"USDT","amount":"1.25"}}"#,
            user(from),
            user(to)
        );
        let (once, nonce) = (random_id().unwrap(), random_id().unwrap());
        let seconds = Clock::System.now() / 1000;
        let target = "/v1/transfers";
        let authorization =
            self.credential.authorization("POST", target, body.as_bytes(), Some(&once), seconds, &nonce);
        format!(
            "POST {target} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\nidempotency-key: {once}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .into_bytes()
    }
}

/// Ten thousand users of a partner, each with a million.
async fn people(app: &App, partner: &str) -> Vec<String> {
    let made = (0..USERS).map(|number| async move {
        let user = create::user(&app.writer, partner, &format!("user {number}")).await.unwrap().id;
        let amount = MinorUnits::new(1_000_000_000_000);
        let account = Account::available(&user, &usdt());
        let posting =
            Posting::new("gift", number.to_string()).minor(Account::Capital(usdt()), account, amount);
        app.writer.submit(Order::new(posting)).await.unwrap();
        user
    });
    let users = join_all(made).await;
    let analyzed = app.writer.commit(|unit| {
        Box::pin(async move {
            sqlx::query("analyze").execute(unit.db()).await?;
            Ok::<(), airlock_coordinator::ledger::LedgerError>(())
        })
    });
    analyzed.await.unwrap();
    users
}

/// One connection: the latencies of its requests that were answered 201.
async fn converse(
    mut stream: TcpStream,
    signed: Vec<Vec<u8>>,
    number: usize,
    begun: Instant,
    pace: Pace,
) -> Vec<u64> {
    stream.set_nodelay(true).unwrap();
    let (mut latencies, mut buffer) = (Vec::with_capacity(signed.len()), Vec::with_capacity(4096));
    for (round, request) in signed.iter().enumerate() {
        let due = match pace {
            Pace::Full(window) => {
                let now = Instant::now();
                if now > begun + window {
                    break;
                }
                now.max(begun)
            }
            Pace::Fixed(rate) => {
                let before = u64::try_from(round * CONNECTIONS + number).unwrap();
                begun + Duration::from_micros(before * 1_000_000 / rate)
            }
        };
        sleep_until(due).await;
        stream.write_all(request).await.unwrap();
        let status = answer(&mut stream, &mut buffer).await;
        assert!(status == 201, "{}", String::from_utf8_lossy(&buffer));
        latencies.push(u64::try_from(due.elapsed().as_micros()).unwrap());
    }
    latencies
}

/// Reads one answer to its end; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the connection ended");
        let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).unwrap();
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if buffer.len() >= head + 4 + length.unwrap() {
            return text[9..12].parse().unwrap();
        }
    }
}
