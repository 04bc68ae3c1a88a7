//! Settings: the documented default file, overridden by a file, the environment and flags, then checked.
//!
//! `config.example.toml` is compiled in and is the default; `--config FILE` and `AIRLOCK_SECTION__KEY` go over it.
//! `file` is how the text is spelled; this module turns it into types once, so nobody downstream parses an
//! address or an amount again. What must stay true: an unknown key or a bad value is refused with its name, the
//! value and what was expected; provider and database URLs (they may hold credentials) are never printed.

pub mod auth;
pub mod file;

use crate::chain::{self, Coin};
use crate::ledger::{AssetCode, Assets};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, MinorUnits, Network, PersonId, Profile, Scale};
use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The documented default file.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Unknown key, wrong type, unreadable file.
    #[error("settings: {0}")]
    Read(Box<figment::Error>),
    /// A value of the right type that cannot be used.
    #[error("settings: {key}: found {found:?}, expected {expected}")]
    Value {
        /// Which setting.
        key: String,
        /// What was there.
        found: String,
        /// What would do.
        expected: String,
    },
}

fn refused(key: impl Into<String>, found: impl ToString, expected: impl ToString) -> ConfigError {
    ConfigError::Value { key: key.into(), found: found.to_string(), expected: expected.to_string() }
}

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
    /// Read connections.
    pub database_readers_max: u32,
    /// The ledger's writer.
    pub writer: crate::ledger::WriterLimits,
    /// `text` or `json` log lines.
    pub log_json: bool,
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
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// A request that takes longer is answered 503.
    pub request_timeout: Duration,
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
    /// Reads the defaults, `path` if given, the environment (`AIRLOCK_SERVER__LISTEN=…`) and `overrides`
    /// (TOML text made from flags), in this order.
    pub fn load(path: Option<&Path>, overrides: &str) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(EXAMPLE));
        if let Some(path) = path {
            figment = figment.merge(Toml::file_exact(path));
        }
        let figment = figment.merge(Env::prefixed("AIRLOCK_").split("__").ignore(&[
            "test_postgres",
            "require_postgres",
            "anvil",
            "foreign_dir",
            "python",
            "require_foreign",
        ]));
        let file: file::File = figment
            .merge(Toml::string(overrides))
            .extract()
            .map_err(|error| ConfigError::Read(Box::new(error)))?;
        Self::check(file)
    }

    /// The settings in `text` over the defaults, without the environment.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file = Figment::from(Toml::string(EXAMPLE))
            .merge(Toml::string(text))
            .extract()
            .map_err(|error| ConfigError::Read(Box::new(error)))?;
        Self::check(file)
    }

    /// The settings of one network, if it is configured.
    pub fn network(&self, network: Network) -> Option<&Arc<NetworkConfig>> {
        self.networks.iter().find(|configured| configured.network == network)
    }

    fn check(file: file::File) -> Result<Self, ConfigError> {
        let profile = Profile::from_name(&file.profile)
            .ok_or_else(|| refused("profile", &file.profile, "main, test or dev"))?;
        let creator = PersonId::new(&file.creator)
            .ok_or_else(|| refused("creator", &file.creator, "1 to 64 of a-z 0-9 . _ @ -"))?;
        let assets = file::assets(&file)?;
        let mut networks: Vec<Arc<NetworkConfig>> = Vec::new();
        for (position, network) in file.network.iter().enumerate() {
            let key = format!("network[{position}]");
            let checked = file::network(&key, network, &assets)?;
            if checked.network.profile() != profile {
                let expected = format!("a network of profile {}", profile.name());
                return Err(refused(format!("{key}.id"), checked.network, expected));
            }
            if networks.iter().any(|other| other.network == checked.network) {
                return Err(refused(format!("{key}.id"), checked.network, "each network once"));
            }
            networks.push(Arc::new(checked));
        }
        Ok(Self {
            profile,
            home: file.home.clone(),
            creator,
            server: ServerConfig {
                listen: file.server.listen,
                body_limit_bytes: file.server.body_limit_bytes,
                request_timeout: Duration::from_millis(file.server.request_timeout_ms),
            },
            database_url: SecretUrl(file.database.url),
            database_readers_max: file.database.readers_max.max(1),
            writer: crate::ledger::WriterLimits {
                group_max: file.writer.group_max,
                queue_max: file.writer.queue_max,
            },
            log_json: match file.log.format.as_str() {
                "json" => true,
                "text" => false,
                other => return Err(refused("log.format", other, "text or json")),
            },
            log_filter: file.log.filter,
            assets: Arc::new(assets),
            networks,
            batch: file::batch(&file.batch)?,
            auth: file.auth.checked()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = r#"
        [[network]]
        id = "tron:0xa1710c4b"
        providers = ["http://user:secret@127.0.0.1:1/", "http://127.0.0.1:2"]
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
    "#;

    #[test]
    fn the_documented_default_is_valid_and_lists_no_network() {
        let config = Config::from_toml("").unwrap();
        assert!(config.networks.is_empty());
        assert!(config.server.listen.ip().is_loopback());
    }

    #[test]
    fn a_network_is_read_into_types() {
        let config = Config::from_toml(NETWORK).unwrap();
        let network = &config.networks[0];
        let usdt = network.token(&"USDT".parse().unwrap()).unwrap();
        assert_eq!(usdt.withdrawal.unwrap().fee.get(), 1_000_000);
        assert_eq!(network.finality, Finality::Solidified);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = Config::from_toml("[server]\nlisten_adress = \"x\"").unwrap_err().to_string();
        assert!(error.contains("listen_adress"), "{error}");
    }

    #[test]
    fn a_bad_value_is_refused_with_key_value_and_expectation() {
        let error = Config::from_toml(&NETWORK.replace("jLj6t", "jLj6u")).unwrap_err().to_string();
        assert!(error.contains("network[0].token[0].contract") && error.contains("jLj6u"), "{error}");
    }

    #[test]
    fn a_main_network_is_refused_in_the_dev_profile() {
        let main = NETWORK.replace("tron:0xa1710c4b", "tron:0x2b6653dc");
        assert!(matches!(Config::from_toml(&main), Err(ConfigError::Value { .. })));
    }

    #[test]
    fn a_depth_is_no_finality_for_real_money_and_none_is_none_anywhere() {
        let evm = |profile: &str, id: &str, finality: &str| {
            Config::from_toml(&format!(
                "profile = \"{profile}\"\n[[network]]\nid = \"{id}\"\nproviders = [\"http://127.0.0.1:1\"]\n\
                 finality = {finality}\n[network.native]\nasset = \"ETH\"\ndecimals = 18\n"
            ))
        };
        assert!(evm("dev", "eip155:31337", "12").is_ok());
        assert!(evm("main", "eip155:1", "\"finalized\"").is_ok());
        for (profile, id, depth) in [("dev", "eip155:31337", "0"), ("main", "eip155:1", "200")] {
            let error = evm(profile, id, depth).unwrap_err().to_string();
            assert!(error.contains("network[0].finality") && error.contains("finalized"), "{error}");
        }
    }

    #[test]
    fn credentials_in_urls_are_never_shown() {
        let config = Config::from_toml(NETWORK).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
