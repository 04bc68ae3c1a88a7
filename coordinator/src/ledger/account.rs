//! The chart of accounts: which accounts exist, which side they grow on, which may never go below zero.
//!
//! | account | side | what its balance says |
//! |---|---|---|
//! | user available, user held, partner | credit, never negative | what we owe them |
//! | capital, fees earned, rounding | credit | what is ours |
//! | suspense | credit | arrived, owner unknown |
//! | reserve (wallet), in transit (network) | debit, exact to the base unit | what lies on chain |
//! | network fees, energy cost | debit | what was spent |
//!
//! Exact accounts keep `dust_base` beside the minor units: base units = minor × 10^k + dust, 0 <= dust < 10^k.

use super::asset::AssetCode;
use airlock_shared::{Address, Network};

/// The side on which an account's balance grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Assets and costs.
    Debit,
    /// Claims, equity and income.
    Credit,
}

impl Side {
    /// As the tables spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// One account of one asset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Account {
    /// What a user may use now.
    UserAvailable {
        /// The user's id.
        user: String,
        /// The asset.
        asset: AssetCode,
    },
    /// What a user has bound by holds.
    UserHeld {
        /// The user's id.
        user: String,
        /// The asset.
        asset: AssetCode,
    },
    /// A partner's own money.
    Partner {
        /// The partner's id.
        partner: String,
        /// The asset.
        asset: AssetCode,
    },
    /// The company's capital.
    Capital(AssetCode),
    /// Withdrawal fees earned.
    FeesEarned(AssetCode),
    /// Arrived on chain, owner not known.
    Suspense(AssetCode),
    /// Remainders below one minor unit that added up to a whole one.
    Rounding(AssetCode),
    /// What one of our addresses holds on its network: hot, cold or deposit.
    Reserve {
        /// Our address, with its network.
        wallet: Address,
        /// The asset.
        asset: AssetCode,
    },
    /// Left one of our addresses, not yet arrived at another.
    InTransit {
        /// Where it travels.
        network: Network,
        /// The asset.
        asset: AssetCode,
    },
    /// Fees paid to a network.
    NetworkFees {
        /// To which.
        network: Network,
        /// In which asset.
        asset: AssetCode,
    },
    /// Paid for energy on TRON, or its rent.
    EnergyCost {
        /// On which network.
        network: Network,
        /// In which asset.
        asset: AssetCode,
    },
}

impl Account {
    /// Shorthand for [`Account::UserAvailable`].
    pub fn available(user: &str, asset: &AssetCode) -> Self {
        Self::UserAvailable { user: user.to_owned(), asset: asset.clone() }
    }

    /// Shorthand for [`Account::UserHeld`].
    pub fn held(user: &str, asset: &AssetCode) -> Self {
        Self::UserHeld { user: user.to_owned(), asset: asset.clone() }
    }

    /// Shorthand for [`Account::Reserve`].
    pub fn reserve(wallet: Address, asset: &AssetCode) -> Self {
        Self::Reserve { wallet, asset: asset.clone() }
    }

    /// The account's asset.
    pub const fn asset(&self) -> &AssetCode {
        match self {
            Self::UserAvailable { asset, .. }
            | Self::UserHeld { asset, .. }
            | Self::Partner { asset, .. }
            | Self::Capital(asset)
            | Self::FeesEarned(asset)
            | Self::Suspense(asset)
            | Self::Rounding(asset)
            | Self::Reserve { asset, .. }
            | Self::InTransit { asset, .. }
            | Self::NetworkFees { asset, .. }
            | Self::EnergyCost { asset, .. } => asset,
        }
    }

    /// Its kind, as the tables spell it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UserAvailable { .. } => "user_available",
            Self::UserHeld { .. } => "user_held",
            Self::Partner { .. } => "partner",
            Self::Capital(_) => "capital",
            Self::FeesEarned(_) => "fees_earned",
            Self::Suspense(_) => "suspense",
            Self::Rounding(_) => "rounding",
            Self::Reserve { .. } => "reserve",
            Self::InTransit { .. } => "in_transit",
            Self::NetworkFees { .. } => "network_fees",
            Self::EnergyCost { .. } => "energy_cost",
        }
    }

    /// Owner's id, or empty.
    pub fn owner(&self) -> &str {
        match self {
            Self::UserAvailable { user, .. } | Self::UserHeld { user, .. } => user,
            Self::Partner { partner, .. } => partner,
            _ => "",
        }
    }

    /// Its network, where it has one.
    pub const fn network(&self) -> Option<Network> {
        match self {
            Self::Reserve { wallet, .. } => Some(wallet.network()),
            Self::InTransit { network, .. }
            | Self::NetworkFees { network, .. }
            | Self::EnergyCost { network, .. } => Some(*network),
            _ => None,
        }
    }

    /// The wallet's address, where it has one.
    pub const fn wallet(&self) -> Option<Address> {
        match self {
            Self::Reserve { wallet, .. } => Some(*wallet),
            _ => None,
        }
    }

    /// The side on which it grows.
    pub const fn side(&self) -> Side {
        match self {
            Self::Reserve { .. }
            | Self::InTransit { .. }
            | Self::NetworkFees { .. }
            | Self::EnergyCost { .. } => Side::Debit,
            _ => Side::Credit,
        }
    }

    /// Does it count base units exactly, with dust?
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Reserve { .. } | Self::InTransit { .. })
    }

    /// May its balance go below zero? People's accounts never; the others record facts that have
    /// happened already and must not be refused.
    pub const fn may_be_negative(&self) -> bool {
        !matches!(self, Self::UserAvailable { .. } | Self::UserHeld { .. } | Self::Partner { .. })
    }
}
