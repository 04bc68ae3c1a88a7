//! Deposit addresses: the signer's xpub export, and one address per user and network derived from it.
//!
//! The coordinator derives addresses and can spend from none of them. `http` and the command line call this.
//! What must stay true: an export is taken only if its own first address, path and fingerprint agree with its key; the role is
//! deposit (no other account's xpub may be here); an index is never given to two users, and a user has the same address on every
//! network that shares an xpub, so that money sent on the wrong one is still theirs.

use super::attestation;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::Db;
use crate::ledger::{LedgerError, Unit};
use airlock_shared::hd::{AccountKey, coin_type};
use airlock_shared::wallet::{Role, account_number};
use airlock_shared::{Address, Network};
use serde::Deserialize;
use serde_json::{Value, json};
use store::AddressRow;

pub mod store;

/// The longest export that is read, in bytes.
pub const EXPORT_BYTES_MAX: usize = 4096;

/// What `airlock-signer xpub` writes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XpubExport {
    /// `airlock xpub`.
    pub format: String,
    /// 1.
    pub version: u8,
    /// `main`, `test` or `dev`.
    pub profile: String,
    /// The network whose deposit account it is.
    pub network: Network,
    /// `m/44'/coin'/account'`.
    pub path: String,
    /// The account's extended public key.
    pub xpub: String,
    /// Fingerprint of the vault's master key, 8 hex digits: tells vaults apart.
    pub fingerprint: String,
    /// The address with index 0, which the importer derives again.
    pub first_address: String,
    /// The signer's identity key, 64 hex digits.
    pub identity: String,
}

/// Why an address could not be given out, or an export not taken.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not an export at all.
    #[error("not an xpub export: {0}")]
    Unreadable(String),
    /// A field that does not fit the others or the settings.
    #[error("xpub export: {field} is {found}, expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What was there.
        found: String,
        /// What must be.
        expected: String,
    },
    /// The network is not configured.
    #[error("network {0} is not configured")]
    NotConfigured(Network),
    /// The network has another xpub already; changing it needs a decision of its own.
    #[error("network {0} has another deposit account already")]
    Taken(Network),
    /// The network has no xpub yet.
    #[error("network {0} has no deposit account yet: import the signer's xpub export first")]
    NoXpub(Network),
    /// The signer attested ranges of the network's addresses, and this index is in none.
    #[error("index {index} of {network} is not attested: import the signer's attestation of a further range")]
    NotAttested {
        /// Which.
        network: Network,
        /// The index.
        index: i64,
    },
    /// An attestation that is not taken.
    #[error("attestation: {0}")]
    Attestation(String),
    /// The row of an address, or what proves it, is not what it was when it was given out.
    #[error("deposit address {address} is not handed out: {why}")]
    Altered {
        /// The address in the row.
        address: Address,
        /// What differs.
        why: String,
    },
    /// What is known of signers.
    #[error(transparent)]
    Pairing(Box<crate::pairing::PairingError>),
    /// The xpub cannot be used.
    #[error("deriving an address: {0}")]
    Derivation(#[from] airlock_shared::hd::HdError),
    /// The ledger's writer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl XpubExport {
    /// Reads and checks an export against itself.
    pub fn read(json: &[u8]) -> Result<Self, AddressError> {
        if json.len() > EXPORT_BYTES_MAX {
            return Err(AddressError::Unreadable(format!(
                "{} bytes, at most {EXPORT_BYTES_MAX}",
                json.len()
            )));
        }
        let export: Self =
            serde_json::from_slice(json).map_err(|error| AddressError::Unreadable(error.to_string()))?;
        export.check()?;
        Ok(export)
    }

    fn check(&self) -> Result<(), AddressError> {
        let network = self.network;
        expect("format", &self.format, "airlock xpub")?;
        expect("version", &self.version.to_string(), "1")?;
        expect("profile", &self.profile, network.profile().name())?;
        let number = account_number(network, Role::Deposit).ok_or(AddressError::NotConfigured(network))?;
        expect("path", &self.path, &format!("m/44'/{}'/{number}'", coin_type(network.family())))?;
        let key: AccountKey = self.xpub.parse()?;
        // The key itself says which hardened child it is; the path only repeats it.
        expect("xpub account", &key.account().to_string(), &number.to_string())?;
        expect("first_address", &self.first_address, &key.address(network, 0, 0)?.to_string())?;
        hex_digits("fingerprint", &self.fingerprint, 8)?;
        hex_digits("identity", &self.identity, 64)
    }
}

fn expect(field: &'static str, found: &str, expected: &str) -> Result<(), AddressError> {
    if found == expected {
        return Ok(());
    }
    let found = found.chars().take(128).collect();
    Err(AddressError::Field { field, found, expected: expected.to_owned() })
}

fn hex_digits(field: &'static str, found: &str, digits: usize) -> Result<(), AddressError> {
    let plain = found.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
    if plain && found.len() == digits {
        return Ok(());
    }
    let found = found.chars().take(128).collect();
    Err(AddressError::Field { field, found, expected: format!("{digits} lower-case hex digits") })
}

/// Takes an export for its network. The same export again changes nothing; another one is refused.
pub async fn import(app: &App, export: XpubExport, by: &By) -> Result<(), AddressError> {
    let network = export.network;
    if app.config.network(network).is_none() {
        return Err(AddressError::NotConfigured(network));
    }
    let by = by.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if store::insert_xpub(unit.db(), &export, &by.who, now).await? {
                    let (subject, after) = (network.to_string(), json!({ "path": export.path }));
                    audit::record(unit, &by, Action::XpubImport, &subject, Value::Null, after).await?;
                    return Ok(());
                }
                match store::xpub(unit.db(), network).await? {
                    Some(known) if known.xpub == export.xpub => Ok(()),
                    _ => Err(AddressError::Taken(network)),
                }
            })
        })
        .await
}

/// The user's deposit address on a network; made at the first call, the same for ever after.
pub async fn give(app: &App, network: Network, user: &str, by: &By) -> Result<AddressRow, AddressError> {
    if app.config.network(network).is_none() {
        return Err(AddressError::NotConfigured(network));
    }
    let mut reader = app.db.reader().await?;
    if let Some(known) = store::address_of_user(&mut reader, network, user, LABEL).await? {
        return Ok(known);
    }
    drop(reader);
    let (user, by) = (user.to_owned(), by.clone());
    app.writer.commit(move |unit| Box::pin(async move { give_in(unit, network, &user, &by).await })).await
}

/// The label of a user's only address for now; more than one per user is what labels are for.
const LABEL: &str = "";

async fn give_in(unit: &mut Unit, network: Network, user: &str, by: &By) -> Result<AddressRow, AddressError> {
    let now = unit.now();
    let db: &mut Db = unit.db();
    if let Some(known) = store::address_of_user(db, network, user, LABEL).await? {
        return Ok(known);
    }
    let account = store::xpub(db, network).await?.ok_or(AddressError::NoXpub(network))?;
    let index = match store::index_of_user(db, &account.xpub, user, LABEL).await? {
        Some(index) => index,
        None => store::take_index(db, &account.xpub).await?,
    };
    attestation::check_attested(db, network, index).await?;
    let address = derive(&account.xpub, network, index)?;
    let path = format!("{}/0/{index}", account.path);
    let row = AddressRow { number: 0, address, user_id: user.to_owned(), path, made_at: now };
    store::insert_address(db, &row, &account.xpub, index, LABEL).await?;
    let after = json!({ "user": user, "network": network, "path": row.path });
    audit::record(unit, by, Action::AddressOpen, &address.to_string(), Value::Null, after).await?;
    Ok(row)
}

pub(super) fn derive(xpub: &str, network: Network, index: i64) -> Result<Address, AddressError> {
    let key: AccountKey = xpub.parse()?;
    let index = u32::try_from(index).map_err(|_| airlock_shared::hd::HdError::Derivation)?;
    Ok(key.address(network, 0, index)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::hd::{AccountPath, MasterKey};

    fn export(network: Network, number: u32) -> serde_json::Value {
        let master = MasterKey::from_seed(&[7; 64]).unwrap();
        let key = master.account(AccountPath::on(network, number).unwrap()).unwrap().public();
        serde_json::json!({"format": "airlock xpub", "version": 1, "profile": "dev", "network": network,
            "path": format!("m/44'/{}'/{number}'", coin_type(network.family())), "xpub": key.to_string(),
            "fingerprint": "00112233", "identity": "ab".repeat(32),
            "first_address": key.address(network, 0, 0).unwrap().to_string()})
    }

    #[test]
    fn a_signers_export_is_taken_and_addresses_follow_from_it() {
        let export = XpubExport::read(export(Network::TRON_DEV, 24).to_string().as_bytes()).unwrap();
        let first = derive(&export.xpub, Network::TRON_DEV, 0).unwrap();
        assert_eq!(first.to_string(), export.first_address);
        assert_ne!(derive(&export.xpub, Network::TRON_DEV, 1).unwrap(), first);
    }

    #[test]
    fn an_export_that_contradicts_itself_is_refused_by_field() {
        for (field, value) in [
            ("format", serde_json::json!("other")),
            ("version", serde_json::json!(2)),
            ("profile", serde_json::json!("main")),
            ("path", serde_json::json!("m/44'/195'/25'")),
            ("first_address", serde_json::json!("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")),
            ("fingerprint", serde_json::json!("xyz")),
            ("identity", serde_json::json!("")),
        ] {
            let mut altered = export(Network::TRON_DEV, 24);
            altered[field] = value;
            let refused = XpubExport::read(altered.to_string().as_bytes());
            assert!(
                matches!(&refused, Err(AddressError::Field { field: found, .. }) if *found == field),
                "{field}"
            );
        }
    }

    #[test]
    fn another_accounts_xpub_is_refused() {
        let mut hot = export(Network::TRON_DEV, 25);
        hot["path"] = serde_json::json!("m/44'/195'/24'");
        let refused = XpubExport::read(hot.to_string().as_bytes());
        assert!(matches!(refused, Err(AddressError::Field { field: "xpub account", .. })), "{refused:?}");
    }

    #[test]
    fn unknown_fields_and_long_documents_are_refused() {
        let mut more = export(Network::TRON_DEV, 24);
        more["private"] = serde_json::json!("?");
        assert!(XpubExport::read(more.to_string().as_bytes()).is_err());
        assert!(XpubExport::read(&[b' '; EXPORT_BYTES_MAX + 1]).is_err());
    }
}
