//! TLS by the program itself: certificates of `tests/tls`, handshakes that stall, reloading while serving (P4).
// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::api;
use airlock_coordinator::api::tls::Tls;
use airlock_coordinator::app::App;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::Database;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

struct Secure {
    tls: Arc<Tls>,
    address: SocketAddr,
    dir: TempDir,
    _stop: watch::Sender<bool>,
}

impl Secure {
    /// Serves with the certificate `first`, handshakes limited to half a second.
    async fn open() -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite:{}", dir.path().join("airlock.db").display());
        Database::open(&url, 1).await.unwrap().migrate(0).await.unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        put(dir.path(), "first");
        let text = format!(
            "home = {:?}\n[server]\nconnections_max = 20\n[server.tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n\
             handshake_timeout_ms = 500\n[database]\nurl = {url:?}\n",
            dir.path().join("home")
        );
        let app = App::open(Config::from_toml(&text).unwrap(), Clock::System).await.unwrap();
        let tls = Arc::new(Tls::open(app.config.server.tls.as_ref().unwrap()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = api::router(app.clone());
        tokio::spawn(api::serve::serve(listener, app, router, Some(tls.clone()), stopped));
        Self { tls, address, dir, _stop: stop }
    }

    /// One request over TLS; answers the certificate shown and the text.
    async fn ask(&self) -> std::io::Result<(Vec<u8>, String)> {
        let authority = CertificateDer::from_pem_file(fixture("ca.pem")).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok((shown, text))
    }
}

fn put(dir: &Path, name: &str) {
    std::fs::copy(fixture(&format!("{name}.pem")), dir.join("cert.pem")).unwrap();
    std::fs::copy(fixture(&format!("{name}.key")), dir.join("key.pem")).unwrap();
}

fn certificate(name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_spoken_over_tls_and_says_that_it_always_will_be() {
    let secure = Secure::open().await;
    let (shown, text) = secure.ask().await.unwrap();
    assert_eq!(shown, certificate("first"));
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("strict-transport-security: max-age=31536000"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_stall_or_are_none_hold_nobody_up() {
    let secure = Secure::open().await;
    let mut stalled = Vec::new();
    for number in 0..15 {
        let mut stream = TcpStream::connect(secure.address).await.unwrap();
        // The first bytes of a record that never ends, nothing at all, or plain HTTP.
        let bytes: &[u8] = [&b"\x16\x03\x01\x02\x00\x01"[..], b"", b"GET / HTTP/1.1\r\n\r\n"][number % 3];
        stream.write_all(bytes).await.unwrap();
        stalled.push(stream);
    }
    let asked = Instant::now();
    assert!(secure.ask().await.unwrap().1.starts_with("HTTP/1.1 200"));
    assert!(asked.elapsed() < Duration::from_millis(450), "{:?}", asked.elapsed());
    for mut stream in stalled {
        let mut rest = Vec::new();
        // Each is closed when its time is up.
        let ended = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_after_a_reload_and_a_broken_one_changes_nothing() {
    let secure = Secure::open().await;
    assert_eq!(secure.ask().await.unwrap().0, certificate("first"));
    put(secure.dir.path(), "second");
    assert_eq!(secure.ask().await.unwrap().0, certificate("first"));
    secure.tls.reload().unwrap();
    assert_eq!(secure.ask().await.unwrap().0, certificate("second"));
    for (file, text, told) in [
        ("cert.pem", "no certificate", "cert.pem: expected certificates in PEM"),
        ("key.pem", "hunter2", "key.pem: expected a private key"),
        (
            "key.pem",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
            "cert.pem and its key",
        ),
    ] {
        put(secure.dir.path(), "second");
        std::fs::write(secure.dir.path().join(file), text).unwrap();
        let error = secure.tls.reload().unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    }
    // A key of another certificate.
    put(secure.dir.path(), "second");
    std::fs::copy(fixture("first.key"), secure.dir.path().join("key.pem")).unwrap();
    assert!(secure.tls.reload().unwrap_err().to_string().contains("and its key"));
    std::fs::remove_file(secure.dir.path().join("key.pem")).unwrap();
    assert!(secure.tls.reload().unwrap_err().to_string().contains("key.pem"));
    assert_eq!(secure.ask().await.unwrap().0, certificate("second"));
}
