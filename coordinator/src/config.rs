//! Settings: the documented default file, overridden by a file, the environment and flags, then checked.
//!
//! `config.example.toml` is compiled in and is the default; `--config FILE` and `AIRLOCK_SECTION__KEY` go over it.
//! `merge` puts the sources together, `file`, `server` and `auth` are how the text is spelled; this module turns it into
//! types once, so nobody downstream parses an address or an amount again. What must stay true: unknown keys and bad values
//! are refused, all at once, with the name, the value and what was expected; provider and database URLs (they may hold
//! credentials) are never printed.

pub mod auth;
mod file;
mod merge;
mod mistake;
mod server;
#[cfg(test)]
mod tests;

pub use mistake::{ConfigError, Mistake};

use crate::chain::{self, Coin};
use crate::db::Pools;
use crate::ledger::{AssetCode, Assets};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, MinorUnits, Network, PersonId, Profile, Scale};
use ipnet::IpNet;
use merge::Merged;
use mistake::Mistakes;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The documented default file.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// A URL that may hold credentials: shown as its host only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole URL. Never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Scheme and host, for logs and errors.
    pub fn host(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host())
    }
}

/// Everything the coordinator is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `main`, `test` or `dev`; every network must belong to it.
    pub profile: Profile,
    /// Directory for the identity key and exported files.
    pub home: PathBuf,
    /// The coordinator's person id, named as creator in every batch.
    pub creator: PersonId,
    /// The HTTP server.
    pub server: ServerConfig,
    /// `sqlite:` or `postgres:` URL.
    pub database_url: SecretUrl,
    /// Its pools and time-outs.
    pub database: DatabaseConfig,
    /// How much one address, key or person may ask.
    pub limits: LimitsConfig,
    /// Who may read the metrics.
    pub metrics: MetricsConfig,
    /// The ledger's writer.
    pub writer: crate::ledger::WriterLimits,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// A filter in `tracing`'s syntax.
    pub log_filter: String,
    /// Assets and their scales, from `[[asset]]` and the networks.
    pub assets: Arc<Assets>,
    /// The networks, in the order of the file.
    pub networks: Vec<Arc<NetworkConfig>>,
    /// Batches.
    pub batch: BatchConfig,
    /// Sessions, passwords, lock-out.
    pub auth: auth::AuthConfig,
    /// Requests that partners' systems sign.
    pub signed_requests: crate::keys::SignedRequests,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Proxies whose word on a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say it.
    pub forwarded_header: ForwardedHeader,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// Largest head of a request (its line and headers), in bytes; 8192 or more.
    pub header_limit_bytes: usize,
    /// A request that takes longer is answered 504.
    pub request_timeout: Duration,
    /// How long a connection may be idle or take over the head of a request.
    pub header_timeout: Duration,
    /// How long a client may take none of its answer.
    pub write_timeout: Duration,
    /// A request that takes longer is logged as slow.
    pub slow_request: Duration,
    /// Open connections in all; beyond that new ones wait.
    pub connections_max: usize,
    /// Open connections of one address (a proxy that is trusted is exempt).
    pub connections_per_address_max: usize,
    /// TLS by this program, or `None` when a proxy does it.
    pub tls: Option<TlsConfig>,
}

/// The header in which trusted proxies name the client. The other one passes through them as a stranger wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, what most proxies write.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// TLS by rustls.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// PEM: the certificate and its chain.
    pub certificate_file: PathBuf,
    /// PEM: its private key.
    pub key_file: PathBuf,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

/// How often something may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// Requests a minute in the long run; 0: no limit.
    pub per_minute: u32,
    /// How many at once after a pause.
    pub burst: u32,
}

/// Rate limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitsConfig {
    /// Of one client address (IPv6: one /64).
    pub address: Allowance,
    /// Of one partner's API key.
    pub key: Allowance,
    /// Of one person or end user.
    pub person: Allowance,
    /// Of one address on the routes of log-in and sign-up.
    pub login: Allowance,
}

/// Who may read `GET /metrics` and the details of `GET /health`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetricsConfig {
    /// Networks of the readers.
    pub allow: Vec<IpNet>,
}

/// Pools and time-outs of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatabaseConfig {
    /// Does `serve` bring the database up to date by itself?
    pub migrate: bool,
    /// How long the start waits for a database that is not there yet.
    pub wait: Duration,
    /// Connections and time-outs.
    pub pools: Pools,
}

/// How log lines are written, on standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How batches are made.
#[derive(Clone, Copy, Debug)]
pub struct BatchConfig {
    /// Withdrawals in one batch.
    pub items_max: usize,
    /// How long a batch may wait for its signatures, from creation.
    pub lifetime: Duration,
    /// QR version of exported frames, 1 to 40.
    pub frame_version: u8,
    /// Frames a second in an exported animation.
    pub frames_per_second: u8,
    /// Extra frames beyond those needed, in percent.
    pub frame_surplus_percent: u16,
}

/// What makes a block final.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finality {
    /// TRON: the solid block, read from `walletsolidity`.
    Solidified,
    /// EVM: the block tagged `finalized`.
    Finalized,
    /// EVM networks without that tag: so many blocks below the head.
    Depth(u64),
}

/// One network.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Its CAIP-2 id.
    pub network: Network,
    /// Base URLs of providers, preferred first; at least two, or credits and dead-declarations wait.
    pub providers: Vec<SecretUrl>,
    /// How long one call to a provider may take.
    pub provider_timeout: Duration,
    /// What makes a block final.
    pub finality: Finality,
    /// How often the follower asks for new blocks.
    pub poll_interval: Duration,
    /// First block to read; `None` starts at the final block of the first start.
    pub start_block: Option<u64>,
    /// The native coin's asset and decimals.
    pub native: TokenConfig,
    /// The tokens we accept and pay.
    pub tokens: Vec<TokenConfig>,
    /// Our own wallets by role (deposit addresses are in the database).
    pub wallets: Vec<WalletConfig>,
    /// Fee settings of its family.
    pub fees: FeeConfig,
}

impl NetworkConfig {
    /// The token or native coin of `asset` here.
    pub fn token(&self, asset: &AssetCode) -> Option<&TokenConfig> {
        std::iter::once(&self.native).chain(&self.tokens).find(|token| token.asset == *asset)
    }

    /// The token with this contract, or the native coin.
    pub fn token_of(&self, coin: Coin) -> Option<&TokenConfig> {
        let contract = match coin {
            Coin::Native => None,
            Coin::Token(contract) => Some(contract),
        };
        std::iter::once(&self.native).chain(&self.tokens).find(|token| token.contract == contract)
    }

    /// What the chain clients need of this.
    pub fn chain_settings(&self) -> chain::Settings {
        let token = |token: &TokenConfig| {
            let decimals = token.scale.base_decimals();
            token.contract.map(|contract| chain::Token { contract, decimals })
        };
        chain::Settings {
            network: self.network,
            providers: self.providers.iter().map(|url| url.reveal().to_owned()).collect(),
            tokens: self.tokens.iter().filter_map(token).collect(),
            final_depth: match self.finality {
                Finality::Depth(depth) => Some(depth),
                Finality::Solidified | Finality::Finalized => None,
            },
            timeout: self.provider_timeout,
        }
    }

    /// The first wallet of a role.
    pub fn wallet(&self, role: Role) -> Option<&WalletConfig> {
        self.wallets.iter().find(|wallet| wallet.role == role)
    }
}

/// A token on one network, or its native coin.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The ledger's asset.
    pub asset: AssetCode,
    /// The contract; `None` for the native coin.
    pub contract: Option<Address>,
    /// Decimals of contract and ledger.
    pub scale: Scale,
    /// Withdrawals of it; `None` when they are switched off.
    pub withdrawal: Option<WithdrawalConfig>,
}

/// Terms of withdrawing one asset on one network, in the asset's ledger units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WithdrawalConfig {
    /// Flat fee, charged on top of the amount.
    pub fee: MinorUnits,
    /// Least amount.
    pub amount_min: MinorUnits,
    /// Greatest amount of one withdrawal.
    pub amount_max: MinorUnits,
}

/// One of our wallets.
#[derive(Clone, Debug)]
pub struct WalletConfig {
    /// hot, cold, energy or hardware.
    pub role: Role,
    /// Its address.
    pub address: Address,
    /// Derivation path as the signer prints it.
    pub path: String,
    /// The vault's fingerprint as the signer prints it.
    pub fingerprint: String,
}

/// Fee settings by family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeeConfig {
    /// EIP-1559 networks.
    Evm {
        /// Upper limit of `maxFeePerGas`, wei.
        fee_cap_wei: BaseUnits,
        /// Least `maxPriorityFeePerGas`, wei.
        tip_min_wei: BaseUnits,
        /// Percent added to a gas estimate.
        gas_margin_percent: u16,
        /// Upper limit of the gas limit of one item.
        gas_limit_cap: u64,
        /// Signed versions of each payment at rising fees, 1 to 8.
        fee_levels: u8,
    },
    /// TRON.
    Tron {
        /// Fee limit of one token transfer, sun.
        fee_limit_sun: u64,
        /// How long after the head's time a transaction stays valid (below 24 h).
        expiration: Duration,
    },
}

impl Config {
    /// Reads the defaults, `path` if given, the environment (`AIRLOCK_SERVER__LISTEN=…`) and `flags`
    /// (TOML text made from flags), in this order.
    pub fn load(path: Option<&Path>, flags: &str) -> Result<Self, ConfigError> {
        Self::check(merged(path, flags)?)
    }

    /// The settings that [`Self::load`] would read, as TOML, with credentials masked. They need not be valid.
    pub fn shown(path: Option<&Path>, flags: &str) -> Result<String, ConfigError> {
        merged(path, flags)?.shown()
    }

    /// The settings in `text` over the defaults, without the environment.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::check(Merged::read(Some((text, "the file")), false, "")?)
    }

    /// The settings of one network, if it is configured.
    pub fn network(&self, network: Network) -> Option<&Arc<NetworkConfig>> {
        self.networks.iter().find(|configured| configured.network == network)
    }

    fn check(mut merged: Merged) -> Result<Self, ConfigError> {
        let mut mistakes = Mistakes::default();
        let said = [merged.take_array("asset", &mut mistakes), merged.take_array("network", &mut mistakes)];
        let asset = entries::<file::Asset>(&merged, "asset", &said[0], &mut mistakes);
        let network = entries::<file::NetworkFile>(&merged, "network", &said[1], &mut mistakes);
        let asset: Vec<_> = asset.into_iter().map(|(_, asset)| asset).collect();
        let assets = file::assets(&asset, &network, &mut mistakes);
        let Some(file) = merged.rest::<file::File>(&mut mistakes) else { return mistakes.end(None) };
        let profile = Profile::from_name(&file.profile);
        if profile.is_none() {
            mistakes.refuse("profile", &file.profile, "main, test or dev");
        }
        let networks = networks(&network, profile, &assets, &mut mistakes);
        let url_set = merged.is_set(&["database", "url"]);
        let config = Self::of(file, profile, url_set, assets, networks, &mut mistakes);
        mistakes.end(config)
    }

    /// Everything but assets and networks.
    fn of(
        file: file::File,
        profile: Option<Profile>,
        url_set: bool,
        assets: Assets,
        networks: Vec<Arc<NetworkConfig>>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let creator = PersonId::new(&file.creator);
        if creator.is_none() {
            mistakes.refuse("creator", &file.creator, "1 to 64 of a-z 0-9 . _ @ -");
        }
        let server = server::server(&file.server, profile, mistakes);
        let limits = server::limits(&file.limits, mistakes);
        let metrics = server::metrics(&file.metrics, mistakes);
        let (database_url, database) = server::database(&file.database, url_set, mistakes);
        let log_format = log_format(&file.log.format, mistakes);
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&file.log.filter) {
            mistakes.refuse("log.filter", &file.log.filter, error);
        }
        let batch = file::batch(&file.batch, mistakes);
        let auth = mistakes.note(file.auth.checked());
        let signed = file.signed_requests;
        let signed_requests = crate::keys::SignedRequests {
            window_s: mistakes.within("signed_requests.window_s", signed.window_s, 10..=900),
            nonces_max: mistakes.within("signed_requests.nonces_max", signed.nonces_max, 1..=1_000_000_000),
        };
        let writer = crate::ledger::WriterLimits {
            group_max: mistakes.within("writer.group_max", file.writer.group_max, 1..=100_000),
            queue_max: mistakes.within("writer.queue_max", file.writer.queue_max, 1..=1_000_000),
        };
        Some(Self {
            profile: profile?,
            home: file.home,
            creator: creator?,
            server,
            database_url,
            database,
            limits,
            metrics,
            writer,
            log_format: log_format?,
            log_filter: file.log.filter,
            assets: Arc::new(assets),
            networks,
            batch,
            auth: auth?,
            signed_requests,
        })
    }
}

/// All sources put together. A file that is named must be there.
fn merged(path: Option<&Path>, flags: &str) -> Result<Merged, ConfigError> {
    let Some(path) = path else { return Merged::read(None, true, flags) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let expected = format!("a file that can be read: {error}");
        ConfigError { mistakes: vec![mistake::refused("--config", &name, expected)] }
    })?;
    Merged::read(Some((&text, &name)), true, flags)
}

/// Every entry of an array of tables that can be read, with its place.
fn entries<T: serde::de::DeserializeOwned>(
    merged: &Merged,
    name: &str,
    said: &[figment::value::Value],
    mistakes: &mut Mistakes,
) -> Vec<(usize, T)> {
    let entry = |(place, value)| Some((place, merged.entry(&format!("{name}[{place}]"), value, mistakes)?));
    said.iter().enumerate().filter_map(entry).collect()
}

fn networks(
    said: &[(usize, file::NetworkFile)],
    profile: Option<Profile>,
    assets: &Assets,
    mistakes: &mut Mistakes,
) -> Vec<Arc<NetworkConfig>> {
    let mut networks: Vec<Arc<NetworkConfig>> = Vec::new();
    for (position, network) in said {
        let key = format!("network[{position}]");
        let Some(checked) = file::network(&key, network, assets, mistakes) else { continue };
        if let Some(profile) = profile.filter(|profile| checked.network.profile() != *profile) {
            let expected = format!("a network of profile {}", profile.name());
            mistakes.refuse(format!("{key}.id"), checked.network, expected);
        }
        if networks.iter().any(|other| other.network == checked.network) {
            mistakes.refuse(format!("{key}.id"), checked.network, "each network once");
        }
        networks.push(Arc::new(checked));
    }
    networks
}

fn log_format(name: &str, mistakes: &mut Mistakes) -> Option<LogFormat> {
    match name {
        "auto" => Some(LogFormat::Auto),
        "json" => Some(LogFormat::Json),
        "text" => Some(LogFormat::Text),
        other => {
            mistakes.refuse("log.format", other, "auto, text or json");
            None
        }
    }
}
