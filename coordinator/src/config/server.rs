//! How the settings of the server, its limits, the metrics page and the database are spelled, and what they become.
//!
//! Only `config.rs` uses the spelling; `api` and `db` use the types. What must stay true: the API is never spoken in
//! clear over a network with real money behind it; a secret file is read once, bounded, and never shown.

use super::mistake::{Mistakes, refused};
use super::{
    Allowance, DatabaseConfig, ForwardedHeader, LimitsConfig, MetricsConfig, SecretUrl, ServerConfig,
    TlsConfig,
};
use crate::db::Pools;
use airlock_shared::Profile;
use ipnet::IpNet;
use serde::Deserialize;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest time-out that makes sense: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Largest file that holds a secret, in bytes.
const SECRET_FILE_MAX: u64 = 65_536;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    listen: SocketAddr,
    trusted_proxies: Vec<String>,
    forwarded_header: String,
    body_limit_bytes: usize,
    header_limit_bytes: usize,
    request_timeout_ms: u64,
    header_timeout_ms: u64,
    write_timeout_ms: u64,
    slow_request_ms: u64,
    connections_max: usize,
    connections_per_address_max: usize,
    tls: Tls,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    handshake_timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    address_per_minute: u32,
    address_burst: u32,
    key_per_minute: u32,
    key_burst: u32,
    person_per_minute: u32,
    person_burst: u32,
    login_per_minute: u32,
    login_burst: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    url: String,
    url_file: PathBuf,
    migrate: bool,
    wait_s: u64,
    readers_max: u32,
    acquire_timeout_ms: u64,
    statement_timeout_ms: u64,
    busy_timeout_ms: u64,
    slow_statement_ms: u64,
}

fn millis(key: &str, found: u64, mistakes: &mut Mistakes) -> Duration {
    Duration::from_millis(mistakes.within(key, found, 1..=LONGEST_MS))
}

pub(super) fn server(file: &Server, profile: Option<Profile>, mistakes: &mut Mistakes) -> ServerConfig {
    let trusted_proxies = networks("server.trusted_proxies", &file.trusted_proxies, mistakes);
    let tls = tls(&file.tls, mistakes);
    let open = !file.listen.ip().is_loopback() && file.tls.certificate_file.as_os_str().is_empty();
    if open && profile == Some(Profile::Main) && file.trusted_proxies.is_empty() {
        let expected = "a loopback address, or [server.tls], or server.trusted_proxies that name the proxy \
                        which speaks TLS";
        mistakes.refuse("server.listen", file.listen, expected);
    }
    ServerConfig {
        listen: file.listen,
        trusted_proxies,
        forwarded_header: forwarded_header(&file.forwarded_header, mistakes),
        // hyper refuses buffers below 8 KiB; above a megabyte headers are an attack.
        header_limit_bytes: mistakes.within(
            "server.header_limit_bytes",
            file.header_limit_bytes,
            8192..=1_048_576,
        ),
        body_limit_bytes: mistakes.within(
            "server.body_limit_bytes",
            file.body_limit_bytes,
            1024..=1_073_741_824,
        ),
        request_timeout: millis("server.request_timeout_ms", file.request_timeout_ms, mistakes),
        header_timeout: millis("server.header_timeout_ms", file.header_timeout_ms, mistakes),
        write_timeout: millis("server.write_timeout_ms", file.write_timeout_ms, mistakes),
        slow_request: millis("server.slow_request_ms", file.slow_request_ms, mistakes),
        connections_max: mistakes.within("server.connections_max", file.connections_max, 1..=1_000_000),
        connections_per_address_max: mistakes.within(
            "server.connections_per_address_max",
            file.connections_per_address_max,
            1..=1_000_000,
        ),
        tls,
    }
}

fn forwarded_header(name: &str, mistakes: &mut Mistakes) -> ForwardedHeader {
    match name {
        "x-forwarded-for" => ForwardedHeader::XForwardedFor,
        "forwarded" => ForwardedHeader::Forwarded,
        other => {
            mistakes.refuse("server.forwarded_header", other, "x-forwarded-for or forwarded");
            ForwardedHeader::XForwardedFor
        }
    }
}

fn tls(file: &Tls, mistakes: &mut Mistakes) -> Option<TlsConfig> {
    let handshake_timeout = millis("server.tls.handshake_timeout_ms", file.handshake_timeout_ms, mistakes);
    let named = |path: &Path| !path.as_os_str().is_empty();
    match (named(&file.certificate_file), named(&file.key_file)) {
        (false, false) => None,
        (true, true) => Some(TlsConfig {
            certificate_file: file.certificate_file.clone(),
            key_file: file.key_file.clone(),
            handshake_timeout,
        }),
        (true, false) => {
            mistakes.refuse("server.tls.key_file", "", "the file of the certificate's private key");
            None
        }
        (false, true) => {
            mistakes.refuse("server.tls.certificate_file", "", "the file of the certificate and its chain");
            None
        }
    }
}

pub(super) fn limits(file: &Limits, mistakes: &mut Mistakes) -> LimitsConfig {
    let mut allowance = |name: &str, per_minute: u32, burst: u32| {
        if per_minute > 0 {
            mistakes.within(format!("limits.{name}_burst"), burst, 1..=1_000_000);
        }
        Allowance { per_minute, burst }
    };
    LimitsConfig {
        address: allowance("address", file.address_per_minute, file.address_burst),
        key: allowance("key", file.key_per_minute, file.key_burst),
        person: allowance("person", file.person_per_minute, file.person_burst),
        login: allowance("login", file.login_per_minute, file.login_burst),
    }
}

pub(super) fn metrics(file: &Metrics, mistakes: &mut Mistakes) -> MetricsConfig {
    MetricsConfig { allow: networks("metrics.allow", &file.allow, mistakes) }
}

pub(super) fn database(
    file: &Database,
    url_set: bool,
    mistakes: &mut Mistakes,
) -> (SecretUrl, DatabaseConfig) {
    let url = match secret_file("database.url_file", &file.url_file, mistakes) {
        Some(_) if url_set => {
            mistakes.refuse("database.url_file", file.url_file.display(), "either url or url_file, not both");
            file.url.clone()
        }
        Some(text) => text.trim().to_owned(),
        None => file.url.clone(),
    };
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        // It may hold a password and is not repeated.
        mistakes.refuse(
            "database.url",
            "another scheme",
            "sqlite:PATH or postgres://user:password@host/database",
        );
    }
    let pools = Pools {
        readers_max: mistakes.within("database.readers_max", file.readers_max, 1..=1000),
        acquire_timeout: millis("database.acquire_timeout_ms", file.acquire_timeout_ms, mistakes),
        statement_timeout: millis("database.statement_timeout_ms", file.statement_timeout_ms, mistakes),
        busy_timeout: millis("database.busy_timeout_ms", file.busy_timeout_ms, mistakes),
        slow_statement: millis("database.slow_statement_ms", file.slow_statement_ms, mistakes),
    };
    let wait = Duration::from_secs(mistakes.within("database.wait_s", file.wait_s, 0..=86_400));
    let settings = DatabaseConfig { migrate: file.migrate, wait, pools };
    (SecretUrl(url), settings)
}

/// Networks as `10.0.0.0/8`, or single addresses.
fn networks(key: &str, texts: &[String], mistakes: &mut Mistakes) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        let parsed =
            text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| IpNet::from(address)));
        let expected = "an address or a network such as 10.0.0.0/8";
        networks
            .extend(mistakes.note(parsed.map_err(|_| refused(format!("{key}[{position}]"), text, expected))));
    }
    networks
}

/// The text of a file that holds a secret, if one is named; an empty name is none.
pub(super) fn secret_file(key: &str, path: &Path, mistakes: &mut Mistakes) -> Option<String> {
    if path.as_os_str().is_empty() {
        return None;
    }
    let mut text = String::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(SECRET_FILE_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 <= SECRET_FILE_MAX && !text.trim().is_empty() => Some(text),
        Ok(_) => {
            mistakes.refuse(
                key,
                path.display(),
                format!("a file with a text of at most {SECRET_FILE_MAX} bytes"),
            );
            None
        }
        Err(error) => {
            mistakes.refuse(key, path.display(), format!("a file that can be read: {error}"));
            None
        }
    }
}
