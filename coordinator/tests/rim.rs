//! The server's edge: limits, addresses, slow clients, headers, figures, health, an end in order (P4, A2, A4).
//!
//! The real server over real sockets, on SQLite: nothing here depends on the database. Each test makes the few routes it
//! needs beside the program's own and puts the program's rim around them.
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::api::{self, Peer};
use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::Database;
use airlock_coordinator::people::Caller;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::{any, get};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A server on a port of its own.
struct Edge {
    app: App,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
    _dir: TempDir,
}

/// An answer as it came over the wire.
struct Answer {
    status: u16,
    head: String,
    body: Value,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name)))?;
        Some(line.split_once(':').unwrap().1.trim())
    }

    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Edge {
    async fn open(settings: &str) -> Self {
        Self::with(settings, Router::new()).await
    }

    async fn with(settings: &str, more: Router<App>) -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite:{}", dir.path().join("airlock.db").display());
        Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
        let text = format!("home = {:?}\n{settings}\n[database]\nurl = {url:?}\n", dir.path().join("home"));
        let app = App::open(Config::from_toml(&text).unwrap(), Clock::System).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = api::with_rim(api::described().0.merge(more), app.clone());
        let served = tokio::spawn(api::serve::serve(listener, app.clone(), router, None, stopped));
        Self { app, address, stop, served, _dir: dir }
    }

    /// One request on a connection of its own, from 127.0.0.1 with this last number.
    async fn ask_from(&self, last: u8, request: &str) -> Answer {
        let mut stream = connect(self.address, last).await.unwrap();
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
        answer(&mut stream).await
    }

    async fn ask(&self, request: &str) -> Answer {
        self.ask_from(1, request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\nhost: x\nconnection: close\n\n")).await
    }
}

async fn connect(to: SocketAddr, last: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
    socket.connect(to).await
}

/// Reads to the end of the connection.
async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // An end by reset is an end as well.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    // Chunked bodies are read for their JSON only.
    let json = rest.find('{').and_then(|from| rest.rfind('}').map(|to| &rest[from..=to]));
    let body = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    Answer { status, head: head.to_owned(), body, text: rest.to_owned() }
}

async fn whence(Peer(address): Peer) -> String {
    address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish_their_request_hold_nobody_up() {
    let settings =
        "[server]\nheader_timeout_ms = 1000\nconnections_per_address_max = 10\nconnections_max = 12";
    let edge = Edge::open(settings).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(edge.address, 1).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: ").await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let request = "GET /health/live HTTP/1.1\nhost: x\nconnection: close\n\n";
    // One more of that address is closed at once; another address is served at once.
    assert_eq!(edge.ask_from(1, request).await.status, 0);
    let asked = Instant::now();
    assert_eq!(edge.ask_from(2, request).await.status, 200);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    // A byte now and then does not prolong the time.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for stream in &mut slow {
            let _ = stream.write_all(b"x").await;
        }
    }
    assert_eq!(edge.ask_from(1, request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_its_body_is_answered_in_time() {
    let edge = Edge::open("[server]\nrequest_timeout_ms = 300").await;
    let mut stream = connect(edge.address, 1).await.unwrap();
    let head = "POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let asked = Instant::now();
    let answer = answer(&mut stream).await;
    assert_eq!((answer.status, answer.code()), (504, "timed_out"), "{}", answer.head);
    assert!(asked.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let flood = get(async || {
        let drops = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 65_536]));
        axum::body::Body::from_stream(drops)
    });
    let edge = Edge::with(
        "[server]\nwrite_timeout_ms = 300\nconnections_max = 1",
        Router::new().route("/flood", flood),
    )
    .await;
    let mut stream = connect(edge.address, 1).await.unwrap();
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The only place comes back, or this would wait for ever.
    let asked = tokio::time::timeout(Duration::from_secs(10), edge.get("/health/live"));
    assert_eq!(asked.await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_its_limit_is_refused() {
    let edge = Edge::open("[server]\nheader_limit_bytes = 8192").await;
    let long = "x".repeat(9000);
    let answer =
        edge.ask(&format!("GET /health/live HTTP/1.1\nhost: x\nconnection: close\nx-long: {long}\n\n")).await;
    assert_eq!(answer.status, 431);
    let many = "a: b\n".repeat(200);
    let answer = edge.ask(&format!("GET /health/live HTTP/1.1\nhost: x\nconnection: close\n{many}\n")).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_beyond_its_limit_is_told_when_to_come_back() {
    let edge = Edge::open("[limits]\naddress_per_minute = 60\naddress_burst = 3").await;
    for left in ["2", "1", "0"] {
        let answer = edge.get("/health/live").await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.header("ratelimit").unwrap().starts_with(&format!("\"address\";r={left};t=")),
            "{}",
            answer.head
        );
        assert_eq!(answer.header("ratelimit-policy"), Some("\"address\";q=3;w=3"));
    }
    let answer = edge.get("/health/live").await;
    assert_eq!((answer.status, answer.code()), (429, "rate_limited"));
    assert_eq!(answer.body["error"]["retryable"], true);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        edge.ask_from(2, "GET /health/live HTTP/1.1\nhost: x\nconnection: close\n\n").await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_of_log_in_have_a_limit_of_their_own() {
    let edge = Edge::open("[limits]\nlogin_per_minute = 1\nlogin_burst = 2").await;
    let login = "POST /v1/auth/login HTTP/1.1\nhost: x\nconnection: close\ncontent-length: 0\n\n";
    assert_ne!(edge.ask(login).await.status, 429);
    assert_ne!(edge.ask(login).await.status, 429);
    let answer = edge.ask(login).await;
    assert_eq!((answer.status, answer.code()), (429, "rate_limited"));
    assert!(answer.header("ratelimit-policy").unwrap().starts_with("\"login\""));
    assert_eq!(edge.get("/health/live").await.status, 200);
}

/// A route that knows its caller by a header, as the credential's check would leave it.
fn known() -> Router<App> {
    let caller = |mut request: Request, next: Next| async move {
        let id = request.headers().get("x-who").map(|who| who.to_str().unwrap().to_owned());
        if let Some(id) = id {
            request.extensions_mut().insert(Caller::User { id, partner: "p".to_owned(), stepped_up: false });
        }
        next.run(request).await
    };
    let route = get(async |caller: Caller| caller.id().to_owned());
    Router::new().route("/who", route).layer(from_fn(caller))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_beyond_their_limit_is_refused_from_every_address_and_others_are_not() {
    let edge = Edge::with("[limits]\nperson_per_minute = 1\nperson_burst = 2", known()).await;
    let who = |name: &str| format!("GET /who HTTP/1.1\nhost: x\nconnection: close\nx-who: {name}\n\n");
    assert_eq!(edge.ask_from(1, &who("ann")).await.status, 200);
    let second = edge.ask_from(2, &who("ann")).await;
    assert_eq!(second.status, 200);
    assert!(second.header("ratelimit").unwrap().starts_with("\"person\";r=0"), "{}", second.head);
    let third = edge.ask_from(3, &who("ann")).await;
    assert_eq!((third.status, third.code()), (429, "rate_limited"));
    assert_eq!(third.header("retry-after"), Some("60"));
    assert_eq!(edge.ask_from(3, &who("bob")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_address_is_believed_from_a_configured_proxy_only() {
    let route = || Router::new().route("/whence", get(whence));
    let request =
        "GET /whence HTTP/1.1\nhost: x\nconnection: close\nx-forwarded-for: 1.1.1.1, 198.51.100.7\n\n";
    let open = Edge::with("", route()).await;
    assert_eq!(open.ask(request).await.text.trim(), "127.0.0.1");
    let behind = Edge::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]", route()).await;
    assert_eq!(behind.ask(request).await.text.trim(), "198.51.100.7");
    assert_eq!(behind.ask_from(2, request).await.text.trim(), "127.0.0.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_behind_a_proxy_count_the_client_and_not_the_proxy() {
    let settings =
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\naddress_per_minute = 1\naddress_burst = 1";
    let edge = Edge::open(settings).await;
    let from = |client: &str| {
        format!("GET /health/live HTTP/1.1\nhost: x\nconnection: close\nx-forwarded-for: {client}\n\n")
    };
    assert_eq!(edge.ask(&from("198.51.100.7")).await.status, 200);
    assert_eq!(edge.ask(&from("198.51.100.7")).await.status, 429);
    assert_eq!(edge.ask(&from("198.51.100.8")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_an_id_of_ours_and_the_headers_that_browsers_need() {
    let edge = Edge::open("").await;
    for path in ["/health/live", "/nowhere", "/v1/balances"] {
        let asked = format!(
            "GET {path} HTTP/1.1\nhost: x\nconnection: close\nx-request-id: chosen-by-the-client\n\n"
        );
        let answer = edge.ask(&asked).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_answers_what_is_in_flight_and_takes_nothing_more() {
    let slow = get(async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        "done"
    });
    let edge = Edge::with("", Router::new().route("/slow", slow)).await;
    let mut idle = connect(edge.address, 1).await.unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).await.unwrap();
    let mut busy = connect(edge.address, 1).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = Instant::now();
    edge.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(connect(edge.address, 1).await.is_err(), "it still accepts");
    let answer = answer(&mut busy).await;
    assert_eq!((answer.status, answer.text.contains("done")), (200, true), "{}", answer.head);
    // An idle connection is closed at once, so the end takes no longer than the request in flight.
    edge.served.await.unwrap();
    assert!(told.elapsed() < Duration::from_millis(1500), "{:?}", told.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_shown_to_the_configured_networks_only() {
    let page = "GET /metrics HTTP/1.1\nhost: x\nconnection: close\n\n";
    let forwarded = "GET /metrics HTTP/1.1\nhost: x\nconnection: close\nx-forwarded-for: 127.0.0.1\n\n";
    let edge = Edge::open("").await;
    assert_eq!(edge.ask(page).await.status, 200);
    // A proxy that nobody configured makes everybody look local.
    assert_eq!(edge.ask(forwarded).await.code(), "forbidden");
    let edge = Edge::open("[metrics]\nallow = [\"127.0.0.2\"]").await;
    assert_eq!(edge.ask(page).await.code(), "forbidden");
    assert_eq!(edge.ask_from(2, page).await.status, 200);
    let edge = Edge::open("[server]\ntrusted_proxies = [\"127.0.0.1\"]").await;
    assert_eq!(edge.ask(forwarded).await.status, 200);
    assert_eq!(edge.ask(&forwarded.replace("127.0.0.1", "198.51.100.7")).await.code(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_caller_chooses_becomes_a_label() {
    let edge = Edge::with("", Router::new().route("/any", any(async || "x"))).await;
    for number in 0..30 {
        for request in [
            format!("GET /nowhere/{number} HTTP/1.1\nhost: x\nconnection: close\n\n"),
            format!("SECRET{number} /any HTTP/1.1\nhost: x\nconnection: close\n\n"),
            format!(
                "GET /v1/withdrawals/hunter2-{number}?token=hunter2-{number} HTTP/1.1\nhost: hunter2\nconnection: close\n\
                     authorization: Bearer hunter2-{number}\nuser-agent: hunter2-{number}\n\n"
            ),
        ] {
            edge.ask(&request).await;
        }
    }
    let page = edge.get("/metrics").await.text;
    assert!(!page.contains("hunter2") && !page.contains("SECRET") && !page.contains("/nowhere"), "{page}");
    assert!(page.contains("route=\"none\"") && page.contains("route=\"/v1/withdrawals/{id}\""), "{page}");
    assert!(page.contains("method=\"other\""), "{page}");
    let series = page.lines().filter(|line| line.starts_with("airlock_http_requests_total")).count();
    assert!(series < 40, "{series} series: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_on_the_page_is_documented_and_every_documented_one_is_known() {
    let edge = Edge::open("").await;
    edge.get("/nowhere").await;
    let page = edge.get("/metrics").await.text;
    let runbook =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbook.md")).unwrap();
    for (name, kind, labels, about) in api::metrics::FIGURES {
        let row = format!("| `{name}` | {kind} | {labels} | {about} |");
        assert!(runbook.contains(&row), "docs/runbook.md lacks the row:\n{row}");
    }
    let known = |name: &str| {
        let bare =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        api::metrics::FIGURES.iter().any(|(figure, ..)| *figure == name || *figure == bare)
    };
    for line in page.lines().filter(|line| line.starts_with("airlock_")) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(known(name), "{name} is not in api::metrics::FIGURES");
    }
    for name in [
        "airlock_writer_groups_total",
        "airlock_db_readers",
        "airlock_http_connections",
        "airlock_build_info",
    ] {
        assert!(page.contains(name), "{name} is missing in {page}");
    }
}

/// The names in calls of `macros` in every file of the program.
fn counted(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            counted(&path, names);
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        for call in ["counter!(", "gauge!(", "histogram!("] {
            let after = code.split(call).skip(1);
            names.extend(
                after
                    .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn every_figure_that_any_part_counts_is_listed() {
    let mut names = Vec::new();
    counted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let listed = api::metrics::FIGURES.iter().any(|(figure, ..)| *figure == name);
        assert!(listed, "{name} is not in api::metrics::FIGURES");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_each_network_and_provider_and_hosts_to_monitors_only() {
    const NETWORK: &str = "[[network]]\nid = \"tron:0xa1710c4b\"\nproviders = [\"http://user:hunter2@127.0.0.1:1/hunter2\"]\n\
                           [network.native]\nasset = \"TRX\"\ndecimals = 6\n";
    let edge = Edge::open(NETWORK).await;
    let health = edge.get("/health").await.body;
    assert_eq!(
        (&health["status"], &health["database"], &health["writer"]),
        (&"ok".into(), &true.into(), &true.into())
    );
    let network = &health["networks"][0];
    assert_eq!(
        (&network["network"], &network["status"]),
        (&"tron:0xa1710c4b".into(), &"starting".into()),
        "{health}"
    );
    assert_eq!(network["providers"][0]["status"], "unproved");
    // Asked once, in vain: nobody listens there.
    let _ = edge.app.chains.prove().await;
    let answer = edge.get("/health/networks").await;
    let network = &answer.body["networks"][0];
    assert_eq!(
        (&network["status"], &network["providers_up"]),
        (&"no_provider".into(), &0.into()),
        "{}",
        answer.body
    );
    assert_eq!(network["providers"][0]["status"], "failing");
    assert!(network["providers"][0]["last_error"].is_string());
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    assert_eq!(edge.get("/health").await.body["status"], "degraded");
    let asked =
        "GET /health/networks HTTP/1.1\nhost: x\nconnection: close\nx-forwarded-for: 198.51.100.7\n\n";
    let public = edge.ask(asked).await.body;
    assert_eq!(public["networks"][0]["status"], "no_provider");
    assert!(public["networks"][0].get("providers").is_none(), "{public}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_it_is_alive_not_ready_and_still_shows_its_figures() {
    let edge = Edge::open("").await;
    assert_eq!(edge.get("/health/ready").await.status, 200);
    edge.app.db.readers().close().await;
    let ready = edge.get("/health/ready").await;
    assert_eq!((ready.status, ready.code()), (503, "unavailable"));
    assert_eq!(edge.get("/health/live").await.status, 200);
    let health = edge.get("/health").await;
    assert_eq!((health.status, &health.body["status"]), (200, &"failing".into()), "{}", health.body);
    let page = edge.get("/metrics").await;
    assert!(page.status == 200 && page.text.contains("airlock_db_up "), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_known_to_handlers_over_the_real_server() {
    let edge = Edge::with("", Router::new().route("/whence", get(whence))).await;
    let told: IpAddr = edge.get("/whence").await.text.trim().parse().unwrap();
    assert_eq!(told, IpAddr::from([127, 0, 0, 1]));
}
