//! Which key does what: roles, and the hardened account that each derived role has on each network.
//!
//! Keys are separate per role, and on TRON per network too, because TRON's signed bytes name no network.
//! EVM keys are shared by the networks of one profile, because the chain id is in the signed bytes. Both
//! sides and the documentation take account numbers from here.

use crate::form::Listed;
use crate::hd::{AccountPath, KeyPath};
use crate::network::{Network, Profile};

/// What a wallet is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Receives deposits; swept.
    Deposit,
    /// Pays withdrawals.
    Hot,
    /// Holds reserves; pays only listed hot wallets.
    Cold,
    /// Pays for and delegates TRON energy.
    Energy,
    /// A private key that was brought in; its index is its slot in the vault. It stands for a hot wallet.
    Imported,
    /// A key inside a hardware wallet: listed in the policy, never signed for by this signer.
    Hardware,
}

impl Role {
    /// Every role, in the order of its code.
    pub const ALL: [Self; 6] =
        [Self::Deposit, Self::Hot, Self::Cold, Self::Energy, Self::Imported, Self::Hardware];

    /// The roles whose keys come from the seed, each at an account of its own.
    pub const DERIVED: [Self; 4] = [Self::Deposit, Self::Hot, Self::Cold, Self::Energy];

    /// Its number in canonical bytes and in account numbers.
    pub const fn code(self) -> u8 {
        match self {
            Self::Deposit => 0,
            Self::Hot => 1,
            Self::Cold => 2,
            Self::Energy => 3,
            Self::Imported => 4,
            Self::Hardware => 5,
        }
    }

    /// The role with that number.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| u64::from(role.code()) == code)
    }

    /// `deposit`, `hot`, `cold`, `energy`, `imported` or `hardware`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Energy => "energy",
            Self::Imported => "imported",
            Self::Hardware => "hardware",
        }
    }

    /// The role with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Listed for Role {
    const ALL: &'static [Self] = &Self::ALL;

    fn code(self) -> u64 {
        Self::code(self).into()
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

/// The hardened account number of a role on a network: eight per slot. `None` for a TRON network that has
/// no slot, and for roles whose keys do not come from the seed; EVM networks share the slot of their profile.
pub fn account_number(network: Network, role: Role) -> Option<u32> {
    if !Role::DERIVED.contains(&role) {
        return None;
    }
    let slot = match network {
        Network::TRON => 0,
        Network::NILE => 1,
        Network::SHASTA => 2,
        Network::TRON_DEV => 3,
        Network::Tron { .. } => return None,
        Network::Evm { .. } => match network.profile() {
            Profile::Main => 0,
            Profile::Test => 1,
            Profile::Dev => 2,
        },
    };
    Some(slot * 8 + u32::from(role.code()))
}

/// The account of a role on a network, `m/44'/coin'/account'`.
pub fn account_path(network: Network, role: Role) -> Option<AccountPath> {
    AccountPath::on(network, account_number(network, role)?).ok()
}

/// The key of a wallet, `m/44'/coin'/account'/0/index`.
pub fn key_path(network: Network, role: Role, index: u32) -> Option<KeyPath> {
    account_path(network, role)?.key(0, index).ok()
}
