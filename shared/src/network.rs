//! Networks by their CAIP-2 names, and the two families of chains that Airlock speaks.
//!
//! `eip155:1` is Ethereum, `tron:0x2b6653dc` is TRON's main network (the last four bytes of its genesis
//! block id). A new EVM network is configuration: any chain id is a `Network`. TRON's signed bytes name
//! no network, so keys are separate per TRON network and the list of those is closed.

use crate::form::Listed;
use std::fmt;
use std::str::FromStr;

/// A chain family: how addresses, transactions and signatures are encoded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Ethereum and chains that speak its protocol.
    Evm,
    /// TRON.
    Tron,
}

/// What a batch, a key and a policy are for. Nothing signed in one profile is valid in another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Profile {
    /// Real money.
    Main,
    /// Public test networks.
    Test,
    /// Development chains on one machine.
    Dev,
}

impl Profile {
    /// Its number in canonical bytes.
    pub const fn code(self) -> u8 {
        match self {
            Self::Main => 0,
            Self::Test => 1,
            Self::Dev => 2,
        }
    }

    /// The profile with that number.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Main),
            1 => Some(Self::Test),
            2 => Some(Self::Dev),
            _ => None,
        }
    }

    /// `main`, `test` or `dev`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
            Self::Dev => "dev",
        }
    }

    /// The profile with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        <Self as Listed>::ALL.iter().copied().find(|profile| profile.name() == name)
    }
}

impl Listed for Profile {
    const ALL: &'static [Self] = &[Self::Main, Self::Test, Self::Dev];

    fn code(self) -> u64 {
        Self::code(self).into()
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

/// One network. Ordered and hashed by family and chain id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// An EVM network by its EIP-155 chain id (1 to 2^63-1).
    Evm {
        /// EIP-155 chain id.
        chain_id: u64,
    },
    /// A TRON network by the last four bytes of its genesis block id.
    Tron {
        /// What EVM-style calls report as chain id, for example `0x2b6653dc`.
        chain_id: u32,
    },
}

impl Network {
    /// TRON's main network.
    pub const TRON: Self = Self::Tron { chain_id: 0x2b66_53dc };
    /// TRON's Nile test network.
    pub const NILE: Self = Self::Tron { chain_id: 0xcd86_90dc };
    /// TRON's Shasta test network.
    pub const SHASTA: Self = Self::Tron { chain_id: 0x94a9_059e };
    /// The TRON face of the development chain.
    pub const TRON_DEV: Self = Self::Tron { chain_id: 0xa171_0c4b };
    /// Ethereum.
    pub const ETHEREUM: Self = Self::Evm { chain_id: 1 };
    /// BNB Smart Chain.
    pub const BSC: Self = Self::Evm { chain_id: 56 };
    /// Polygon PoS.
    pub const POLYGON: Self = Self::Evm { chain_id: 137 };
    /// Arbitrum One.
    pub const ARBITRUM: Self = Self::Evm { chain_id: 42_161 };
    /// The EVM development chain.
    pub const EVM_DEV: Self = Self::Evm { chain_id: 31_337 };

    /// The family it belongs to.
    pub const fn family(self) -> Family {
        match self {
            Self::Evm { .. } => Family::Evm,
            Self::Tron { .. } => Family::Tron,
        }
    }

    /// The profile in which this network may be used. Unknown EVM chains are main networks: a new
    /// network is real money until the list below says otherwise.
    pub const fn profile(self) -> Profile {
        match self {
            Self::TRON_DEV | Self::EVM_DEV => Profile::Dev,
            Self::NILE | Self::SHASTA => Profile::Test,
            Self::Evm { chain_id: 97 | 80_002 | 421_614 | 11_155_111 } => Profile::Test,
            Self::Evm { .. } | Self::Tron { .. } => Profile::Main,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evm { chain_id } => write!(f, "eip155:{chain_id}"),
            Self::Tron { chain_id } => write!(f, "tron:0x{chain_id:08x}"),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the one spelling of a network's CAIP-2 name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network: expected eip155:<chain id> or tron:0x<8 hex digits>, found {found:?}")]
pub struct NetworkError {
    /// What was there, cut to 64 characters.
    pub found: String,
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parsed = match text.split_once(':') {
            Some(("eip155", id)) => id.parse().ok().map(|chain_id| Self::Evm { chain_id }),
            Some(("tron", id)) => id
                .strip_prefix("0x")
                .and_then(crate::digest::bytes_from_lower_hex)
                .map(|bytes| Self::Tron { chain_id: u32::from_be_bytes(bytes) }),
            _ => None,
        };
        parsed
            .filter(|network| network.to_string() == text)
            .filter(|network| {
                !matches!(network, Self::Evm { chain_id } if *chain_id == 0 || *chain_id > i64::MAX as u64)
            })
            .ok_or_else(|| NetworkError { found: text.chars().take(64).collect() })
    }
}

impl serde::Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_exactly_one_spelling() {
        for text in ["eip155:1", "eip155:31337", "tron:0x2b6653dc", "tron:0xa1710c4b"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "eip155:",
            "eip155:01",
            "eip155:0",
            "eip155:+1",
            "eip155:9223372036854775808",
            "tron:2b6653dc",
            "tron:0x2B6653DC",
            "tron:0x2b6653d",
            "bip122:1",
            "eip155:1 ",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn an_unknown_evm_chain_counts_as_real_money() {
        assert_eq!(Network::Evm { chain_id: 4_242 }.profile(), Profile::Main);
        assert_eq!(Network::NILE.profile(), Profile::Test);
        assert_eq!(Network::EVM_DEV.profile(), Profile::Dev);
    }
}
