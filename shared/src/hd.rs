//! Hierarchical keys: BIP-32 derivation along BIP-44 paths, and the account xpub that may leave the signer.
//!
//! The signer derives signing keys from its seed through [`MasterKey`]; the coordinator derives deposit addresses
//! from an [`AccountKey`] alone. Paths always have five levels `m/44'/coin'/account'/change/index`, coin 195 on
//! TRON and 60 on EVM networks (SLIP-44). Secret types here have no `Debug`, and their private keys are
//! wiped when dropped.

use crate::address::Address;
use crate::chain::signature::uncompressed;
use crate::network::{Family, Network};
use bip32::{ChildNumber, Prefix, XPrv, XPub};
use k256::ecdsa::SigningKey;
use std::fmt;
use std::str::FromStr;

/// BIP-44's purpose.
const PURPOSE: u32 = 44;
/// Levels of an account path: purpose, coin, account.
const ACCOUNT_DEPTH: u8 = 3;

/// Why a path, an extended key or a derivation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HdError {
    /// The text is not the one spelling of a path.
    #[error("not a path of the form m/44'/coin'/account'/change/index: {found:?}")]
    Path {
        /// What was there, cut to 64 characters.
        found: String,
    },
    /// A number of 2^31 or more, which BIP-32 keeps for hardened levels.
    #[error("path number {found} is above 2^31-1")]
    PathNumber {
        /// The number found.
        found: u32,
    },
    /// The text is not an extended public key in its one spelling (`xpub…`).
    #[error("not an extended public key")]
    ExtendedKey,
    /// An extended public key that is not one of an account (`m/44'/coin'/account'`).
    #[error("extended key is not an account's: depth {depth}")]
    NotAccount {
        /// Its depth.
        depth: u8,
    },
    /// The seed is not 16, 32 or 64 bytes long, or a derived number was no valid key (once in 2^127).
    #[error("no key can be derived")]
    Derivation,
}

/// SLIP-44's coin type of a family.
pub const fn coin_type(family: Family) -> u32 {
    match family {
        Family::Tron => 195,
        Family::Evm => 60,
    }
}

fn plain(number: u32) -> Result<ChildNumber, HdError> {
    ChildNumber::new(number, false).map_err(|_| HdError::PathNumber { found: number })
}

fn hardened(number: u32) -> Result<ChildNumber, HdError> {
    ChildNumber::new(number, true).map_err(|_| HdError::PathNumber { found: number })
}

/// The path of an account, `m/44'/coin'/account'`. Numbers are below 2^31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountPath {
    coin: u32,
    account: u32,
}

impl AccountPath {
    /// Checks the numbers.
    pub fn new(coin: u32, account: u32) -> Result<Self, HdError> {
        hardened(coin)?;
        hardened(account)?;
        Ok(Self { coin, account })
    }

    /// The account with this number on a network's family.
    pub fn on(network: Network, account: u32) -> Result<Self, HdError> {
        Self::new(coin_type(network.family()), account)
    }

    /// SLIP-44 coin type.
    pub const fn coin(&self) -> u32 {
        self.coin
    }

    /// Account number.
    pub const fn account(&self) -> u32 {
        self.account
    }

    /// The path of one key of this account.
    pub fn key(self, change: u32, index: u32) -> Result<KeyPath, HdError> {
        plain(change)?;
        plain(index)?;
        Ok(KeyPath { account: self, change, index })
    }
}

impl fmt::Display for AccountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m/{PURPOSE}'/{}'/{}'", self.coin, self.account)
    }
}

impl fmt::Debug for AccountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountPath {
    type Err = HdError;

    fn from_str(text: &str) -> Result<Self, HdError> {
        let refused = || HdError::Path { found: text.chars().take(64).collect() };
        let [coin, account] = numbers(text, ["'", "'"]).ok_or_else(refused)?;
        Self::new(coin, account).ok().filter(|path| path.to_string() == text).ok_or_else(refused)
    }
}

/// The path of one key, `m/44'/coin'/account'/change/index`. Numbers are below 2^31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath {
    account: AccountPath,
    change: u32,
    index: u32,
}

impl KeyPath {
    /// The account it belongs to.
    pub const fn account(&self) -> AccountPath {
        self.account
    }

    /// Change level: 0 unless a wallet splits its keys further.
    pub const fn change(&self) -> u32 {
        self.change
    }

    /// Index of the key.
    pub const fn index(&self) -> u32 {
        self.index
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.change, self.index)
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyPath {
    type Err = HdError;

    fn from_str(text: &str) -> Result<Self, HdError> {
        let refused = || HdError::Path { found: text.chars().take(64).collect() };
        let [coin, account, change, index] = numbers(text, ["'", "'", "", ""]).ok_or_else(refused)?;
        AccountPath::new(coin, account)
            .and_then(|account| account.key(change, index))
            .ok()
            .filter(|path| path.to_string() == text)
            .ok_or_else(refused)
    }
}

/// The numbers after `m/44'`, each followed by its mark; the caller compares the whole spelling.
fn numbers<const N: usize>(text: &str, marks: [&str; N]) -> Option<[u32; N]> {
    let mut parts = text.strip_prefix("m/44'/")?.split('/');
    let mut numbers = [0; N];
    for (number, mark) in numbers.iter_mut().zip(marks) {
        *number = parts.next()?.strip_suffix(mark)?.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// An account's extended public key: derives the addresses of its keys and nothing that can spend.
/// With any one private key below it, it gives away the account's private key: deposit accounts only.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey(XPub);

impl AccountKey {
    fn child(&self, change: u32, index: u32) -> Result<XPub, HdError> {
        let change = plain(change)?;
        let index = plain(index)?;
        let derived = self.0.derive_child(change).and_then(|level| level.derive_child(index));
        derived.map_err(|_| HdError::Derivation)
    }

    /// The public key at change and index, 33 bytes compressed.
    pub fn public_key(&self, change: u32, index: u32) -> Result<[u8; 33], HdError> {
        Ok(self.child(change, index)?.to_bytes())
    }

    /// The address at change and index on `network`. The caller knows that the account is that network's.
    pub fn address(&self, network: Network, change: u32, index: u32) -> Result<Address, HdError> {
        let child = self.child(change, index)?;
        Ok(Address::from_public_key(network, &uncompressed(child.public_key())))
    }

    /// The addresses at change 0 and `indexes`, in order; the change level is derived once.
    pub fn addresses(
        &self,
        network: Network,
        indexes: std::ops::Range<u32>,
    ) -> Result<Vec<Address>, HdError> {
        let level = self.0.derive_child(plain(0)?).map_err(|_| HdError::Derivation)?;
        let address = |index| {
            let child = level.derive_child(plain(index)?).map_err(|_| HdError::Derivation)?;
            Ok(Address::from_public_key(network, &uncompressed(child.public_key())))
        };
        indexes.map(address).collect()
    }

    /// BIP-32 fingerprint: the first four bytes of the key's identifier.
    pub fn fingerprint(&self) -> [u8; 4] {
        self.0.fingerprint()
    }

    /// The account number, from the extended key itself.
    pub fn account(&self) -> u32 {
        self.0.attrs().child_number.index()
    }

    /// Fingerprint of the coin level above.
    pub fn parent_fingerprint(&self) -> [u8; 4] {
        self.0.attrs().parent_fingerprint
    }
}

impl fmt::Display for AccountKey {
    /// `xpub…`, version bytes 0488b21e on every network.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string(Prefix::XPUB))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", hex::encode(self.fingerprint()))
    }
}

impl FromStr for AccountKey {
    type Err = HdError;

    /// Reads the one spelling of an account's extended public key. Private keys are refused, even though they
    /// contain the public one: where they turn up here, a secret has already leaked.
    fn from_str(text: &str) -> Result<Self, HdError> {
        let key: XPub = text.parse().map_err(|_| HdError::ExtendedKey)?;
        if key.to_string(Prefix::XPUB) != text {
            return Err(HdError::ExtendedKey);
        }
        let attrs = key.attrs();
        if attrs.depth != ACCOUNT_DEPTH || !attrs.child_number.is_hardened() {
            return Err(HdError::NotAccount { depth: attrs.depth });
        }
        Ok(Self(key))
    }
}

/// The root of all keys of a seed. Never printed; the private key is wiped when dropped.
pub struct MasterKey(XPrv);

impl MasterKey {
    /// From a BIP-39 seed (64 bytes), or from the master secret of a SLIP-39 backup that a hardware wallet uses as
    /// its seed (16 or 32 bytes).
    pub fn from_seed(seed: &[u8]) -> Result<Self, HdError> {
        XPrv::new(seed).map(Self).map_err(|_| HdError::Derivation)
    }

    /// The private side of an account.
    pub fn account(&self, path: AccountPath) -> Result<AccountSecret, HdError> {
        let levels = [hardened(PURPOSE)?, hardened(path.coin)?, hardened(path.account)?];
        let key = levels
            .into_iter()
            .try_fold(self.0.clone(), |key, level| key.derive_child(level))
            .map_err(|_| HdError::Derivation)?;
        Ok(AccountSecret(key))
    }

    /// The signing key at `path`.
    pub fn signing_key(&self, path: KeyPath) -> Result<SigningKey, HdError> {
        self.account(path.account)?.signing_key(path.change, path.index)
    }
}

/// The private side of one account; derive it once and take many keys from it. The private key is wiped when dropped.
pub struct AccountSecret(XPrv);

impl AccountSecret {
    /// The signing key at change and index.
    pub fn signing_key(&self, change: u32, index: u32) -> Result<SigningKey, HdError> {
        let change = plain(change)?;
        let index = plain(index)?;
        let derived = self.0.derive_child(change).and_then(|level| level.derive_child(index));
        derived.map(|key| key.private_key().clone()).map_err(|_| HdError::Derivation)
    }

    /// What may leave the signer for a deposit account.
    pub fn public(&self) -> AccountKey {
        AccountKey(self.0.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_exactly_one_spelling() {
        for text in ["m/44'/195'/0'/0/0", "m/44'/60'/7'/1/2147483647"] {
            assert_eq!(text.parse::<KeyPath>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "m",
            "m/44'/195'/0'",
            "m/44h/195h/0h/0/0",
            "m/44'/195'/0'/0/0/0",
            "m/44'/195'/0'/0/2147483648",
            "m/44'/195'/0'/0/00",
            "m/44'/195'/0'/0/+1",
            "m/44'/195'/0/0/0",
            "m/49'/195'/0'/0/0",
            "m/44'/195'/0'/0/0'",
        ] {
            assert!(text.parse::<KeyPath>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn the_public_account_gives_the_addresses_of_the_private_one() {
        let master = MasterKey::from_seed(&[5; 64]).unwrap();
        let path = AccountPath::on(Network::TRON, 3).unwrap();
        let secret = master.account(path).unwrap();
        let public: AccountKey = secret.public().to_string().parse().unwrap();
        let key = secret.signing_key(0, 9).unwrap();
        let xy = crate::chain::signature::public_key(&key);
        assert_eq!(public.account(), 3);
        assert_eq!(
            public.address(Network::TRON, 0, 9).unwrap(),
            Address::from_public_key(Network::TRON, &xy)
        );
    }

    #[test]
    fn a_private_or_shallow_extended_key_is_refused() {
        let master = XPrv::new(&[5; 64]).unwrap();
        let private = master.to_string(Prefix::XPRV);
        assert_eq!(private.parse::<AccountKey>(), Err(HdError::ExtendedKey));
        let shallow = master.public_key().to_string(Prefix::XPUB);
        assert_eq!(shallow.parse::<AccountKey>(), Err(HdError::NotAccount { depth: 0 }));
    }
}
