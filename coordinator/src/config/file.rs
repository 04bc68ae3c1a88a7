//! How the settings file is spelled, and the step from its texts to types.
//!
//! Only `config.rs` uses this; the server's part is in `server.rs`. Every struct refuses unknown keys; amounts are decimal
//! texts in the asset's own unit, wei and sun are integers in text or number; every mistake names the key, and one does
//! not hide the next.

use super::mistake::{Mistake, Mistakes, refused};
use super::{
    BatchConfig, FeeConfig, Finality, NetworkConfig, SecretUrl, TokenConfig, WalletConfig, WithdrawalConfig,
};
use crate::ledger::{AssetCode, Assets};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, Family, MinorUnits, Network, Profile};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) profile: String,
    pub(super) home: PathBuf,
    pub(super) creator: String,
    pub(super) server: super::server::Server,
    pub(super) limits: super::server::Limits,
    pub(super) metrics: super::server::Metrics,
    pub(super) database: super::server::Database,
    pub(super) writer: Writer,
    pub(super) log: Log,
    pub(super) batch: Batch,
    pub(super) auth: super::auth::Auth,
    pub(super) signed_requests: SignedRequests,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Writer {
    pub(super) group_max: usize,
    pub(super) queue_max: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedRequests {
    pub(super) window_s: u32,
    pub(super) nonces_max: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    items_max: usize,
    lifetime_s: u64,
    frame_version: u8,
    frames_per_second: u8,
    frame_surplus_percent: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asset {
    code: AssetCode,
    decimals: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkFile {
    id: Network,
    #[serde(default)]
    providers: Vec<String>,
    #[serde(default)]
    providers_file: PathBuf,
    #[serde(default = "provider_timeout_ms")]
    provider_timeout_ms: u64,
    /// `solidified`, `finalized`, or a depth in blocks.
    finality: Option<FinalityFile>,
    #[serde(default = "poll_interval_ms")]
    poll_interval_ms: u64,
    start_block: Option<u64>,
    native: TokenFile,
    #[serde(default)]
    token: Vec<TokenFile>,
    #[serde(default)]
    wallet: Vec<WalletFile>,
    #[serde(default)]
    fees: FeesFile,
}

const fn provider_timeout_ms() -> u64 {
    10_000
}

const fn poll_interval_ms() -> u64 {
    1_000
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"solidified\" (TRON), \"finalized\" (EVM) or a number of blocks")]
enum FinalityFile {
    Depth(u64),
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    asset: AssetCode,
    contract: Option<String>,
    decimals: u8,
    withdrawal: Option<WithdrawalFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithdrawalFile {
    fee: String,
    amount_min: String,
    amount_max: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WalletFile {
    role: String,
    address: String,
    path: String,
    fingerprint: String,
}

/// Both families' settings; the defaults fit public networks.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FeesFile {
    fee_cap_wei: Option<BaseUnits>,
    tip_min_wei: Option<BaseUnits>,
    gas_margin_percent: Option<u16>,
    gas_limit_cap: Option<u64>,
    fee_levels: Option<u8>,
    fee_limit_sun: Option<u64>,
    expiration_s: Option<u64>,
}

/// The assets; networks say at how many decimals they carry them.
pub(super) fn assets(asset: &[Asset], networks: &[(usize, NetworkFile)], mistakes: &mut Mistakes) -> Assets {
    let mut assets = Assets::default();
    for (position, asset) in asset.iter().enumerate() {
        if let Err(error) = assets.add(asset.code.clone(), asset.decimals) {
            mistakes.refuse(format!("asset[{position}].decimals"), asset.decimals, error);
        }
    }
    for (position, network) in networks {
        for token in std::iter::once(&network.native).chain(&network.token) {
            if let Err(error) = assets.add_on(token.asset.clone(), network.id, token.decimals) {
                mistakes.refuse(
                    format!("network[{position}] {} decimals", token.asset),
                    token.decimals,
                    error,
                );
            }
        }
    }
    assets
}

pub(super) fn batch(batch: &Batch, mistakes: &mut Mistakes) -> BatchConfig {
    BatchConfig {
        items_max: mistakes.within("batch.items_max", batch.items_max, 1..=10_000),
        lifetime: Duration::from_secs(batch.lifetime_s),
        frame_version: mistakes.within("batch.frame_version", batch.frame_version, 1..=40),
        frames_per_second: mistakes.within("batch.frames_per_second", batch.frames_per_second, 1..=60),
        frame_surplus_percent: batch.frame_surplus_percent,
    }
}

pub(super) fn network(
    key: &str,
    file: &NetworkFile,
    assets: &Assets,
    mistakes: &mut Mistakes,
) -> Option<NetworkConfig> {
    let network = file.id;
    let providers = providers(key, file, mistakes);
    if file.native.contract.is_some() {
        mistakes.refuse(
            format!("{key}.native.contract"),
            "a contract",
            "none: the native coin has no contract",
        );
    }
    let native = token(&format!("{key}.native"), network, &file.native, assets, mistakes);
    let mut tokens = Vec::new();
    for (position, entry) in file.token.iter().enumerate() {
        let key = format!("{key}.token[{position}]");
        if entry.contract.is_none() {
            mistakes.refuse(format!("{key}.contract"), "nothing", "the token's contract address");
        }
        tokens.extend(token(&key, network, entry, assets, mistakes));
    }
    let mut wallets = Vec::new();
    for (position, entry) in file.wallet.iter().enumerate() {
        wallets.extend(mistakes.note(wallet(&format!("{key}.wallet[{position}]"), network, entry)));
    }
    let finality = mistakes.note(finality(key, network, file.finality.as_ref()));
    let fees = mistakes.note(fees(key, network, &file.fees));
    let timeout =
        mistakes.within(format!("{key}.provider_timeout_ms"), file.provider_timeout_ms, 1..=600_000);
    let poll = mistakes.within(format!("{key}.poll_interval_ms"), file.poll_interval_ms, 10..=600_000);
    Some(NetworkConfig {
        network,
        providers,
        provider_timeout: Duration::from_millis(timeout),
        finality: finality?,
        poll_interval: Duration::from_millis(poll),
        start_block: file.start_block,
        native: native?,
        tokens,
        wallets,
        fees: fees?,
    })
}

/// The providers' URLs out of the settings or a file of their own, one a line. They may hold access keys.
fn providers(key: &str, file: &NetworkFile, mistakes: &mut Mistakes) -> Vec<SecretUrl> {
    let told =
        match super::server::secret_file(&format!("{key}.providers_file"), &file.providers_file, mistakes) {
            Some(_) if !file.providers.is_empty() => {
                mistakes.refuse(
                    format!("{key}.providers_file"),
                    "both",
                    "either providers or providers_file",
                );
                return Vec::new();
            }
            Some(text) => {
                text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
            }
            None => file.providers.clone(),
        };
    if told.is_empty() || told.iter().any(|url| !is_http(url)) {
        // The URLs themselves may hold credentials and are not repeated.
        let found = format!("{} entries", told.len());
        mistakes.refuse(format!("{key}.providers"), found, "http:// or https:// URLs, at least one");
    }
    told.iter().map(|url| SecretUrl(url.trim_end_matches('/').to_owned())).collect()
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn finality(key: &str, network: Network, file: Option<&FinalityFile>) -> Result<Finality, Mistake> {
    let key = format!("{key}.finality");
    match (network.family(), file) {
        (Family::Tron, None) => Ok(Finality::Solidified),
        (Family::Evm, None) => Ok(Finality::Finalized),
        // Chains have been reorganised by more than a hundred blocks: a depth is a guess that real money cannot rest on.
        (Family::Evm, Some(FinalityFile::Depth(depth)))
            if *depth == 0 || network.profile() == Profile::Main =>
        {
            Err(refused(key, depth, "\"finalized\"; a depth above 0 serves test and dev networks only"))
        }
        (Family::Evm, Some(FinalityFile::Depth(depth))) => Ok(Finality::Depth(*depth)),
        (Family::Tron, Some(FinalityFile::Name(name))) if name == "solidified" => Ok(Finality::Solidified),
        (Family::Evm, Some(FinalityFile::Name(name))) if name == "finalized" => Ok(Finality::Finalized),
        (Family::Tron, Some(_)) => Err(refused(key, "another value", "\"solidified\"")),
        (Family::Evm, Some(_)) => Err(refused(key, "another value", "\"finalized\" or a number of blocks")),
    }
}

fn token(
    key: &str,
    network: Network,
    file: &TokenFile,
    assets: &Assets,
    mistakes: &mut Mistakes,
) -> Option<TokenConfig> {
    let contract = file.contract.as_ref().map(|text| {
        let parsed = Address::parse(network, text);
        mistakes.note(parsed.map_err(|error| refused(format!("{key}.contract"), text, error)))
    });
    let scale = assets.scale(&file.asset, network);
    let scale = mistakes.note(scale.map_err(|error| refused(format!("{key}.asset"), &file.asset, error)))?;
    let mut amount = |name: &str, text: &str| {
        let parsed = MinorUnits::from_decimal(text, scale.minor_decimals());
        mistakes.note(parsed.map_err(|error| refused(format!("{key}.withdrawal.{name}"), text, error)))
    };
    let withdrawal = file.withdrawal.as_ref().map(|terms| {
        let (fee, least) = (amount("fee", &terms.fee), amount("amount_min", &terms.amount_min));
        let greatest = amount("amount_max", &terms.amount_max);
        Some(WithdrawalConfig { fee: fee?, amount_min: least?, amount_max: greatest? })
    });
    // What is missing here was noted above.
    let contract = match contract {
        Some(contract) => Some(contract?),
        None => None,
    };
    let withdrawal = match withdrawal {
        Some(terms) => Some(terms?),
        None => None,
    };
    Some(TokenConfig { asset: file.asset.clone(), contract, scale, withdrawal })
}

fn wallet(key: &str, network: Network, file: &WalletFile) -> Result<WalletConfig, Mistake> {
    let role = Role::from_name(&file.role)
        .filter(|role| *role != Role::Deposit)
        .ok_or_else(|| refused(format!("{key}.role"), &file.role, "hot, cold, energy or hardware"))?;
    let address = Address::parse(network, &file.address)
        .map_err(|error| refused(format!("{key}.address"), &file.address, error))?;
    Ok(WalletConfig { role, address, path: file.path.clone(), fingerprint: file.fingerprint.clone() })
}

fn fees(key: &str, network: Network, file: &FeesFile) -> Result<FeeConfig, Mistake> {
    match network.family() {
        Family::Evm => {
            let fee_levels = file.fee_levels.unwrap_or(1);
            if !(1..=8).contains(&fee_levels) {
                return Err(refused(format!("{key}.fees.fee_levels"), fee_levels, "1 to 8"));
            }
            Ok(FeeConfig::Evm {
                fee_cap_wei: file.fee_cap_wei.unwrap_or(BaseUnits::from(500_000_000_000u64)),
                tip_min_wei: file.tip_min_wei.unwrap_or(BaseUnits::from(1_000_000_000u64)),
                gas_margin_percent: file.gas_margin_percent.unwrap_or(30),
                gas_limit_cap: file.gas_limit_cap.unwrap_or(300_000),
                fee_levels,
            })
        }
        Family::Tron => {
            let expiration_s = file.expiration_s.unwrap_or(12 * 3600);
            // java-tron refuses an expiration 24 hours or more after the head block.
            if !(60..86_400).contains(&expiration_s) {
                return Err(refused(format!("{key}.fees.expiration_s"), expiration_s, "60 to 86399"));
            }
            Ok(FeeConfig::Tron {
                fee_limit_sun: file.fee_limit_sun.unwrap_or(50_000_000),
                expiration: Duration::from_secs(expiration_s),
            })
        }
    }
}
