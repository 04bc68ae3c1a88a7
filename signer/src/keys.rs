//! The keyring: from what the spending compartment holds to accounts, keys and addresses.
//!
//! Derived keys are at `m/44'/coin'/account'/0/index`, the hardened account separate per role and, on TRON, per
//! network (`airlock_shared::wallet`, `airlock_shared::hd`); imported keys have slots. Called by the commands
//! that show addresses and by `sign`, which see no difference between the two. What must stay true: an extended
//! public key leaves for deposit accounts only, because with one child key it would give the account key; an
//! imported key answers only for networks that it was imported for; private keys stay inside this module and
//! `sign`; nothing here can be printed.

use crate::memory::Secret;
use crate::vault::{Imported, ImportedKey, MAX_IMPORTED, Reach, Root, Spending};
use airlock_shared::chain::signature;
use airlock_shared::hd::{AccountKey, AccountPath, AccountSecret, HdError, MasterKey};
use airlock_shared::wallet::{Role, account_number};
use airlock_shared::{Address, Digest, Network};
use bip32::XPrv;
use k256::ecdsa::SigningKey;
use zeroize::Zeroizing;

/// Why there is no such key.
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
    /// No key was imported into this slot.
    #[error("there is no imported key {slot}")]
    NoSlot {
        /// The slot.
        slot: u32,
    },
    /// The key was imported for another network.
    #[error("imported key {slot} is not for {network}")]
    NotForNetwork {
        /// Its slot.
        slot: u32,
        /// The network that was asked for.
        network: Network,
    },
    /// Hardware wallets keep their keys to themselves.
    #[error("a hardware wallet signs for itself; this vault has no key of one")]
    Hardware,
    /// Zero, or not below the order of the curve.
    #[error("not a private key: it must be between 1 and the order of secp256k1 less one")]
    NotAKey,
}

/// Every spending key of a vault.
pub struct Keyring {
    key: Secret<MasterKey>,
    fingerprint: [u8; 4],
    seed_digest: Digest,
    imported: Vec<Slot>,
}

/// An imported key, ready to sign.
struct Slot {
    reach: Reach,
    payload: [u8; 20],
    key: Secret<SigningKey>,
}

/// The keys of one role on one network: derived from an account, or imported.
pub enum Wallets<'a> {
    /// An account of the seed.
    Derived(Box<Account>),
    /// Imported keys.
    Imported(ImportedWallets<'a>),
}

/// The imported keys, seen from one network.
pub struct ImportedWallets<'a> {
    network: Network,
    slots: &'a [Slot],
}

/// One hardened account: a role on a network (or on all EVM networks of a profile).
pub struct Account {
    network: Network,
    role: Role,
    path: AccountPath,
    secret: Secret<AccountSecret>,
    public: AccountKey,
}

impl Keyring {
    /// Derives the root and reads the imported keys.
    pub fn open(spending: &Spending) -> Result<Self, KeyError> {
        let mut keyring = Self::of_root(spending.root())?;
        for one in spending.imported() {
            let key = imported_key(one)?;
            let payload = payload_of(&key);
            keyring.imported.push(Slot { reach: one.reach(), payload, key: Secret::new(key) });
        }
        Ok(keyring)
    }

    /// The keyring of a root (BIP-39 and BIP-32) without imported keys.
    pub fn of_root(root: &Root) -> Result<Self, KeyError> {
        match root {
            Root::Mnemonic { entropy, passphrase } => {
                let mnemonic =
                    bip39::Mnemonic::from_entropy(entropy.as_bytes()).map_err(|_| HdError::Derivation)?;
                Self::of_seed(&*Zeroizing::new(mnemonic.to_seed_normalized(passphrase.as_str())))
            }
            Root::Slip39 { secret } => Self::of_seed(secret.as_bytes()),
        }
    }

    fn of_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let root = XPrv::new(seed).map_err(|_| HdError::Derivation)?;
        Ok(Self {
            key: Secret::new(MasterKey::from_seed(seed)?),
            fingerprint: root.public_key().fingerprint(),
            seed_digest: Digest::of("airlock:seed:1", seed),
            imported: Vec::with_capacity(MAX_IMPORTED),
        })
    }

    /// BIP-32 fingerprint of the master key: names the seed, reveals nothing about it.
    pub const fn fingerprint(&self) -> [u8; 4] {
        self.fingerprint
    }

    /// All 256 bits of a commitment to the seed, where a drill compares.
    pub const fn seed_digest(&self) -> Digest {
        self.seed_digest
    }

    /// Does the public list of imported keys say what is here?
    pub fn matches(&self, public: &[Imported]) -> bool {
        let alike =
            |(here, there): (&Slot, &Imported)| (here.reach, here.payload) == (there.reach, there.payload);
        self.imported.len() == public.len() && self.imported.iter().zip(public).all(alike)
    }

    /// The account of a derived `role` on `network`.
    pub fn account(&self, network: Network, role: Role) -> Result<Account, KeyError> {
        let number = account_number(network, role).ok_or(KeyError::NoAccount { network })?;
        let path = AccountPath::on(network, number)?;
        let secret = Secret::new(self.key.account(path)?);
        let public = secret.public();
        Ok(Account { network, role, path, secret, public })
    }

    /// All keys of `role` on `network`. Ask once and take many keys from it: an account is derived here.
    pub fn wallets(&self, network: Network, role: Role) -> Result<Wallets<'_>, KeyError> {
        match role {
            Role::Imported => Ok(Wallets::Imported(ImportedWallets { network, slots: &self.imported })),
            Role::Hardware => Err(KeyError::Hardware),
            Role::Deposit | Role::Hot | Role::Cold | Role::Energy => {
                self.account(network, role).map(|account| Wallets::Derived(Box::new(account)))
            }
        }
    }

    /// The address of one wallet.
    pub fn address(&self, network: Network, role: Role, index: u32) -> Result<Address, KeyError> {
        self.wallets(network, role)?.address(index)
    }
}

/// The 20 bytes that an imported private key has as its address, in both families.
pub fn payload_of_import(key: &ImportedKey) -> Result<[u8; 20], KeyError> {
    imported_key(key).map(|key| payload_of(&key))
}

fn imported_key(key: &ImportedKey) -> Result<SigningKey, KeyError> {
    SigningKey::from_slice(key.bytes()).map_err(|_| KeyError::NotAKey)
}

fn payload_of(key: &SigningKey) -> [u8; 20] {
    *Address::from_public_key(Network::ETHEREUM, &signature::public_key(key)).payload()
}

impl Wallets<'_> {
    /// The address of the key with this index or in this slot.
    pub fn address(&self, index: u32) -> Result<Address, KeyError> {
        match self {
            Self::Derived(account) => account.address(index),
            Self::Imported(keys) => keys.slot(index).map(|slot| Address::new(keys.network, slot.payload)),
        }
    }

    /// Where it is: a path such as `m/44'/195'/24'/0/7`, or `imported/0`.
    pub fn path(&self, index: u32) -> String {
        match self {
            Self::Derived(account) => account.key_path(index),
            Self::Imported(_) => format!("imported/{index}"),
        }
    }

    /// The private key. For `sign` alone.
    pub(crate) fn key(&self, index: u32) -> Result<SigningKey, KeyError> {
        match self {
            Self::Derived(account) => account.key(index),
            Self::Imported(keys) => keys.slot(index).map(|slot| SigningKey::clone(&slot.key)),
        }
    }
}

impl ImportedWallets<'_> {
    fn slot(&self, slot: u32) -> Result<&Slot, KeyError> {
        let found = usize::try_from(slot).ok().and_then(|place| self.slots.get(place));
        let found = found.ok_or(KeyError::NoSlot { slot })?;
        if found.reach.covers(self.network) {
            Ok(found)
        } else {
            Err(KeyError::NotForNetwork { slot, network: self.network })
        }
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
    use crate::secret::{Bip39Passphrase, Entropy};

    /// The seed of 32 zero bytes: "abandon" 23 times and "art".
    fn root() -> Root {
        Root::mnemonic(Entropy::from_slice(&[0; 32]).unwrap(), Bip39Passphrase::none())
    }

    fn master() -> Keyring {
        Keyring::of_root(&root()).ok().unwrap()
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

    #[test]
    fn an_imported_key_answers_for_its_own_networks_only() {
        let mut spending = Spending::new(root());
        let key = |reach, byte| ImportedKey::new(reach, Zeroizing::new([byte; 32]));
        spending.import(key(Reach::of(Network::NILE), 1));
        spending.import(key(Reach::of(Network::ETHEREUM), 2));
        let keyring = Keyring::open(&spending).ok().unwrap();
        let address = |network, slot| keyring.address(network, Role::Imported, slot);
        assert!(address(Network::NILE, 0).is_ok() && address(Network::BSC, 1).is_ok());
        let refused = KeyError::NotForNetwork { slot: 0, network: Network::TRON };
        assert_eq!(address(Network::TRON, 0).err(), Some(refused));
        let refused = KeyError::NotForNetwork { slot: 1, network: Network::NILE };
        assert_eq!(address(Network::NILE, 1).err(), Some(refused));
        assert_eq!(address(Network::NILE, 2).err(), Some(KeyError::NoSlot { slot: 2 }));
        let hardware = keyring.address(Network::TRON, Role::Hardware, 0);
        assert_eq!(hardware.err(), Some(KeyError::Hardware));
    }

    #[test]
    fn zero_and_the_order_of_the_curve_and_what_is_above_are_no_keys() {
        let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
        let with_last = |last: u8| {
            let mut bytes = Zeroizing::new([0; 32]);
            bytes.copy_from_slice(&order);
            bytes[31] = last;
            payload_of_import(&ImportedKey::new(Reach::Evm, bytes))
        };
        assert!(with_last(0x40).is_ok());
        assert_eq!(with_last(0x41).err(), Some(KeyError::NotAKey));
        assert_eq!(with_last(0x42).err(), Some(KeyError::NotAKey));
        let zero = ImportedKey::new(Reach::Evm, Zeroizing::new([0; 32]));
        assert_eq!(payload_of_import(&zero).err(), Some(KeyError::NotAKey));
    }
}
