//! From the seed to accounts, keys and addresses.
//!
//! `m/44'/coin'/account'/0/index`, the hardened account separate per role and, on TRON, per network
//! (`airlock_shared::wallet`, `airlock_shared::hd`). Called by the commands that show addresses and by
//! `sign`. What must stay true: an extended public key leaves for deposit accounts only, because with one
//! child key it would give the account key; private keys stay inside this module and `sign`; nothing here
//! can be printed.

use crate::secret::Entropy;
use airlock_shared::hd::{AccountKey, AccountPath, AccountSecret, HdError, MasterKey};
use airlock_shared::wallet::{Role, account_number};
use airlock_shared::{Address, Network};
use bip32::XPrv;
use k256::ecdsa::SigningKey;
use zeroize::Zeroizing;

/// Why a key could not be derived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A TRON network without an account slot.
    #[error("no account is set aside for {network}")]
    NoAccount {
        /// The network.
        network: Network,
    },
    /// An index of 2^31 or more, or (never seen) a child that does not exist.
    #[error(transparent)]
    Derivation(#[from] HdError),
    /// Only deposit accounts are exported.
    #[error("the extended public key of a {} account is not exported", role.name())]
    NotExported {
        /// The role that was asked for.
        role: Role,
    },
}

/// The root of every spending key.
pub struct Master {
    key: MasterKey,
    fingerprint: [u8; 4],
}

/// One hardened account: a role on a network (or on all EVM networks of a profile).
pub struct Account {
    network: Network,
    role: Role,
    path: AccountPath,
    secret: AccountSecret,
    public: AccountKey,
}

impl Master {
    /// BIP-39 (24 words, no extra passphrase) and BIP-32.
    pub fn from_entropy(entropy: &Entropy) -> Result<Self, KeyError> {
        let mnemonic = bip39::Mnemonic::from_entropy(entropy.as_bytes()).map_err(|_| HdError::Derivation)?;
        let seed = Zeroizing::new(mnemonic.to_seed_normalized(""));
        let root = XPrv::new(&seed[..]).map_err(|_| HdError::Derivation)?;
        Ok(Self { key: MasterKey::from_seed(&seed)?, fingerprint: root.public_key().fingerprint() })
    }

    /// BIP-32 fingerprint of the master key: names the seed, reveals nothing about it.
    pub const fn fingerprint(&self) -> [u8; 4] {
        self.fingerprint
    }

    /// The account of `role` on `network`.
    pub fn account(&self, network: Network, role: Role) -> Result<Account, KeyError> {
        let number = account_number(network, role).ok_or(KeyError::NoAccount { network })?;
        let path = AccountPath::on(network, number)?;
        let secret = self.key.account(path)?;
        let public = secret.public();
        Ok(Account { network, role, path, secret, public })
    }
}

impl Account {
    /// Where it is in the tree, such as `m/44'/195'/24'`.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// Where the key with this index is.
    pub fn key_path(&self, index: u32) -> String {
        format!("{}/0/{index}", self.path)
    }

    /// Its extended public key, for deposit accounts only.
    pub fn xpub(&self) -> Result<&AccountKey, KeyError> {
        match self.role {
            Role::Deposit => Ok(&self.public),
            role => Err(KeyError::NotExported { role }),
        }
    }

    /// The address of the key with this index.
    pub fn address(&self, index: u32) -> Result<Address, KeyError> {
        Ok(self.public.address(self.network, 0, index)?)
    }

    /// The private key with this index. For `sign` alone.
    pub(crate) fn key(&self, index: u32) -> Result<SigningKey, KeyError> {
        Ok(self.secret.signing_key(0, index)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of 32 zero bytes: "abandon" 23 times and "art".
    fn master() -> Master {
        Master::from_entropy(&Entropy::from_slice(&[0; 32]).unwrap()).ok().unwrap()
    }

    #[test]
    fn the_first_ethereum_key_of_a_known_mnemonic_has_its_known_address() {
        let account = master().account(Network::ETHEREUM, Role::Deposit).ok().unwrap();
        assert_eq!(account.key_path(0), "m/44'/60'/0'/0/0");
        let found = account.address(0).unwrap().to_string();
        assert_eq!(found, "0xF278cF59F82eDcf871d630F28EcC8056f25C1cdb");
    }

    #[test]
    fn roles_and_tron_networks_never_share_a_key_and_evm_networks_of_one_profile_do() {
        let master = master();
        let networks = [Network::TRON, Network::NILE, Network::SHASTA, Network::TRON_DEV, Network::ETHEREUM];
        let mut seen = std::collections::BTreeSet::new();
        for network in networks {
            for role in Role::DERIVED {
                let account = master.account(network, role).ok().unwrap();
                assert!(seen.insert(*account.address(0).unwrap().payload()));
            }
        }
        let on = |network| *master.account(network, Role::Hot).ok().unwrap().address(7).unwrap().payload();
        assert_eq!(on(Network::ETHEREUM), on(Network::BSC));
        assert_ne!(on(Network::ETHEREUM), on(Network::EVM_DEV));
    }

    #[test]
    fn only_deposit_accounts_are_exported() {
        let master = master();
        let dev = master.account(Network::TRON_DEV, Role::Deposit).ok().unwrap();
        assert_eq!(dev.path(), "m/44'/195'/24'");
        assert!(dev.xpub().unwrap().to_string().starts_with("xpub"));
        for role in [Role::Hot, Role::Cold, Role::Energy] {
            let refused = master.account(Network::TRON, role).ok().unwrap();
            assert_eq!(refused.xpub(), Err(KeyError::NotExported { role }));
        }
        let unknown = Network::Tron { chain_id: 1 };
        assert_eq!(master.account(unknown, Role::Hot).err(), Some(KeyError::NoAccount { network: unknown }));
    }
}
