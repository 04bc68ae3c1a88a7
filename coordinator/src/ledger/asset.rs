//! Assets and their two scales: the ledger's (one per asset, for ever) and each network's.
//!
//! Built once from the configuration, pinned in the database at start (`store::pin_assets`) and asked by
//! every unit of work. What must stay true: a scale that money has moved under never changes.

use airlock_shared::{BaseUnits, MinorUnits, Network, Scale};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// An asset's code in the ledger, such as `USDT`: 1 to 12 of `A-Z 0-9`, letter first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetCode(String);

/// A text that is no asset code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an asset code (1 to 12 of A-Z and 0-9, letter first): {found:?}")]
pub struct AssetCodeError {
    /// What was there, cut to 64 characters.
    pub found: String,
}

impl AssetCode {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AssetCode {
    type Err = AssetCodeError;

    fn from_str(text: &str) -> Result<Self, AssetCodeError> {
        let plain = text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if plain && (1..=12).contains(&text.len()) && text.as_bytes()[0].is_ascii_uppercase() {
            Ok(Self(text.to_owned()))
        } else {
            Err(AssetCodeError { found: text.chars().take(64).collect() })
        }
    }
}

impl fmt::Display for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for AssetCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for AssetCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why an amount of an asset could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// The asset is not configured.
    #[error("unknown asset {asset}")]
    Unknown {
        /// Which.
        asset: AssetCode,
    },
    /// The asset does not exist on that network.
    #[error("asset {asset} is not configured on {network}")]
    NotOnNetwork {
        /// Which.
        asset: AssetCode,
        /// Where.
        network: Network,
    },
    /// The ledger would be finer than the contract, or the same asset was given two scales.
    #[error("asset {asset}: {decimals} decimals do not fit what is configured already")]
    Scale {
        /// Which.
        asset: AssetCode,
        /// The decimals that were refused.
        decimals: u8,
    },
    /// Out of range.
    #[error(transparent)]
    Amount(#[from] airlock_shared::AmountError),
}

/// Every configured asset with the ledger's scale and each network's.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    decimals: BTreeMap<AssetCode, u8>,
    scales: BTreeMap<(AssetCode, Network), Scale>,
}

impl Assets {
    /// Adds an asset with the ledger's decimals (0 to 18).
    pub fn add(&mut self, asset: AssetCode, decimals: u8) -> Result<(), AssetError> {
        let known = *self.decimals.entry(asset.clone()).or_insert(decimals);
        if known == decimals && decimals <= 18 { Ok(()) } else { Err(AssetError::Scale { asset, decimals }) }
    }

    /// Says how many decimals the contract or native coin has on `network`.
    pub fn add_on(
        &mut self,
        asset: AssetCode,
        network: Network,
        base_decimals: u8,
    ) -> Result<(), AssetError> {
        let minor = self.decimals(&asset)?;
        let refused = || AssetError::Scale { asset: asset.clone(), decimals: base_decimals };
        let scale = Scale::new(base_decimals, minor).ok_or_else(refused)?;
        match self.scales.insert((asset.clone(), network), scale) {
            Some(other) if other != scale => Err(refused()),
            _ => Ok(()),
        }
    }

    /// The ledger's decimals of an asset.
    pub fn decimals(&self, asset: &AssetCode) -> Result<u8, AssetError> {
        self.decimals.get(asset).copied().ok_or_else(|| AssetError::Unknown { asset: asset.clone() })
    }

    /// How base units on `network` relate to the ledger's minor units.
    pub fn scale(&self, asset: &AssetCode, network: Network) -> Result<Scale, AssetError> {
        self.scales
            .get(&(asset.clone(), network))
            .copied()
            .ok_or_else(|| AssetError::NotOnNetwork { asset: asset.clone(), network })
    }

    /// Exact base units of an amount of minor units.
    pub fn to_base(
        &self,
        asset: &AssetCode,
        network: Network,
        amount: MinorUnits,
    ) -> Result<BaseUnits, AssetError> {
        Ok(self.scale(asset, network)?.to_base(amount)?)
    }

    /// Assets with the ledger's decimals, in order.
    pub fn codes(&self) -> impl Iterator<Item = (&AssetCode, u8)> {
        self.decimals.iter().map(|(asset, decimals)| (asset, *decimals))
    }

    /// Assets on networks with their scales, in order.
    pub fn on_networks(&self) -> impl Iterator<Item = (&AssetCode, Network, Scale)> {
        self.scales.iter().map(|((asset, network), scale)| (asset, *network, *scale))
    }
}
