//! Pairing: which signers we know, what they have shown of their journals, and what came from them: policies, wallets.
//!
//! `identity` is our own key; `head` judges receipts; `store` is the SQL; `http` the routes; the command line calls
//! [`pair`], [`import_policy`] and [`import_wallets`] too. What must stay true: a signer is paired only after a person has
//! typed the eight words that both screens show; a policy only under its roster's signatures; a wallet belongs to a paired
//! signer; a signer whose journal does not extend what we know is suspended and stays so until a person decides.

pub mod head;
pub mod http;
pub mod identity;
pub mod store;

pub use identity::{CoordinatorKey, IdentityError};
pub use store::{Signer, WalletRow};

use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::Db;
use crate::ledger::LedgerError;
use crate::people::{self, Reach};
use airlock_shared::document;
use airlock_shared::envelope::{Introduction, pairing_digest};
use airlock_shared::form::FormError;
use airlock_shared::identity::Identity;
use airlock_shared::policy::{PolicyError, SignedPolicy};
use airlock_shared::wallet::{Role, key_path};
use airlock_shared::{Address, Network, words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why a pairing or an import was refused.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// Not such a document.
    #[error("not a document of that kind: {0}")]
    Document(#[from] FormError),
    /// The words were not typed, or not these.
    #[error("confirm with the eight words that both screens show: {words}")]
    Words {
        /// The words.
        words: String,
    },
    /// For another kind of money.
    #[error("it is for profile {found}, this coordinator is for {expected}")]
    OtherProfile {
        /// Ours.
        expected: &'static str,
        /// Theirs.
        found: &'static str,
    },
    /// A coordinator's introduction, or a signer's without custodians.
    #[error("the introduction names no custodians: it is not a signer's")]
    NoRoster,
    /// Not paired.
    #[error("signer {signer} is not paired")]
    NotPaired {
        /// Its identity or vault fingerprint.
        signer: String,
    },
    /// No custodians of a paired signer signed it.
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    /// No paired signer has a roster that signed this policy.
    #[error("no paired signer's custodians signed this policy: {last}")]
    PolicyOfNobody {
        /// What the last one checked said.
        last: String,
    },
    /// No such partner, a closed one, or a foreign one.
    #[error("no active partner {partner}")]
    NoPartner {
        /// Its id or name.
        partner: String,
    },
    /// Another one stands in its place.
    #[error("{what} is known already, with other content")]
    Taken {
        /// What.
        what: String,
    },
    /// The wallets' file cannot be used.
    #[error("wallets file: {field} is {found}, expected {expected}")]
    Wallets {
        /// Which field.
        field: String,
        /// What was there.
        found: String,
        /// What must be.
        expected: String,
    },
    /// Our own identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database or the writer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for PairingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// What a pairing or import came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Paired {
    /// The signer's identity.
    pub signer: String,
    /// Its name.
    pub name: String,
    /// How batches name its vault, 8 hex digits.
    pub fingerprint: String,
    /// The eight words that both screens show.
    pub words: String,
}

/// The introduction that a signer is shown, JSON. Makes the identity at its first use.
pub fn introduction(app: &App) -> Result<Introduction, PairingError> {
    let key = CoordinatorKey::open(&app.config.home)?;
    Ok(key.introduction(app.config.creator.clone(), app.config.profile))
}

/// Pairs the signer that `file` introduces for `partner` (its id or name) alone, once `confirm` are the eight words of the
/// pairing. Pairing the same signer again changes nothing; a signer never changes its partner.
pub async fn pair(
    app: &App,
    file: &[u8],
    confirm: &str,
    partner: &str,
    by: &By,
) -> Result<Paired, PairingError> {
    let signer: Introduction = document::read(file)?;
    if signer.profile != app.config.profile {
        let (expected, found) = (app.config.profile.name(), signer.profile.name());
        return Err(PairingError::OtherProfile { expected, found });
    }
    if signer.roster.is_none() {
        return Err(PairingError::NoRoster);
    }
    let ours = CoordinatorKey::open(&app.config.home)?.identity();
    let digest = pairing_digest(&ours, &signer.identity);
    if !words::confirms(confirm, &digest) {
        return Err(PairingError::Words { words: words::words(&digest) });
    }
    let paired = Paired {
        signer: signer.identity.to_string(),
        name: signer.name.to_string(),
        fingerprint: hex::encode(signer.identity.fingerprint()),
        words: words::words(&digest),
    };
    let (by, named) = (by.clone(), partner.to_owned());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let partner = active_partner(unit.db(), &named).await?;
                if store::insert_signer(unit.db(), &signer, &partner, &by.who, now).await? {
                    let (subject, after) =
                        (signer.identity.to_string(), json!({ "name": signer.name.to_string() }));
                    return Ok(
                        audit::record(unit, &by, Action::SignerPair, &subject, Value::Null, after).await?
                    );
                }
                let known = store::signer(unit.db(), &signer.identity).await?;
                match known.filter(|known| known.introduction == signer && known.partner == partner) {
                    Some(_) => Ok(()),
                    None => Err(PairingError::Taken { what: format!("signer {}", signer.identity) }),
                }
            })
        })
        .await?;
    Ok(paired)
}

/// Imports a policy that the custodians of a paired signer have signed. Its name and version are returned.
pub async fn import_policy(
    app: &App,
    file: &[u8],
    reach: &Reach,
    by: &By,
) -> Result<SignedPolicy, PairingError> {
    let policy: SignedPolicy = document::read(file)?;
    let (row, reach, by) = (policy.clone(), reach.clone(), by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let mut signers = store::signers(unit.db()).await?;
                signers.retain(|signer| reach.covers_partner(&signer.partner));
                let signer = signer_of_policy(&signers, &row)?;
                let before = store::newest_policy(unit.db(), &signer).await?;
                if store::insert_policy(unit.db(), &signer, &row, &by.who, now).await? {
                    let subject = row.policy.digest().to_string();
                    let before = before.map_or(Value::Null, |known| shown_policy(&known));
                    let after = shown_policy(&row);
                    return Ok(audit::record(unit, &by, Action::PolicyImport, &subject, before, after).await?);
                }
                match store::policy(unit.db(), &row.policy.digest()).await? {
                    Some(_) => Ok(()),
                    None => {
                        let what = format!("version {} of policy {}", row.policy.version, row.policy.name);
                        Err(PairingError::Taken { what })
                    }
                }
            })
        })
        .await?;
    Ok(policy)
}

/// The id of an active partner, by its id or name.
async fn active_partner(db: &mut Db, named: &str) -> Result<String, PairingError> {
    let missing = || PairingError::NoPartner { partner: named.chars().take(64).collect() };
    let partner = people::store::partner_named(db, named).await?.ok_or_else(missing)?;
    let active = people::store::partner_is_active(db, &partner).await?;
    if active { Ok(partner) } else { Err(missing()) }
}

fn signer_of_policy(signers: &[Signer], policy: &SignedPolicy) -> Result<Identity, PairingError> {
    let mut last = "no signer is paired".to_owned();
    for signer in signers {
        match policy.check(signer.roster()?, signer.introduction.profile) {
            Ok(()) => return Ok(signer.identity),
            Err(error) => last = error.to_string(),
        }
    }
    Err(PairingError::PolicyOfNobody { last })
}

/// What `airlock-signer addresses --json` writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WalletsFile {
    format: String,
    version: u8,
    profile: String,
    identity: String,
    wallets: Vec<WalletsFileEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WalletsFileEntry {
    network: Network,
    role: String,
    index: u32,
    path: String,
    address: String,
}

/// The longest wallets file, in bytes.
pub const WALLETS_BYTES_MAX: usize = 1 << 20;

/// Imports the hot, cold and energy wallets of a paired signer on configured networks; deposit addresses are derived from
/// xpubs and skipped. Returns how many are known now.
pub async fn import_wallets(
    app: &App,
    file: &[u8],
    reach: &Reach,
    by: &By,
) -> Result<Vec<WalletRow>, PairingError> {
    let (signer, wallets) = read_wallets(app, file)?;
    let (rows, reach, by) = (wallets.clone(), reach.clone(), by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let known = store::signer(unit.db(), &signer).await?;
                if !known.is_some_and(|known| reach.covers_partner(&known.partner)) {
                    return Err(PairingError::NotPaired { signer: signer.to_string() });
                }
                for row in &rows {
                    if store::insert_wallet(unit.db(), row, &by.who, now).await? {
                        let subject = format!("{} {}", row.address.network(), row.address);
                        let after = json!({ "role": row.role.name(), "index": row.index });
                        audit::record(unit, &by, Action::WalletImport, &subject, Value::Null, after).await?;
                        continue;
                    }
                    let known = store::wallets(unit.db(), row.address.network(), row.role).await?;
                    if !known.contains(row) {
                        return Err(PairingError::Taken { what: format!("wallet {}", row.address) });
                    }
                }
                Ok(())
            })
        })
        .await?;
    Ok(wallets)
}

fn read_wallets(app: &App, file: &[u8]) -> Result<(Identity, Vec<WalletRow>), PairingError> {
    let wrong = |field: &str, found: &dyn ToString, expected: &str| PairingError::Wallets {
        field: field.to_owned(),
        found: found.to_string().chars().take(100).collect(),
        expected: expected.to_owned(),
    };
    if file.len() > WALLETS_BYTES_MAX {
        return Err(wrong("length", &file.len(), "at most 1 MiB"));
    }
    let parsed: WalletsFile = serde_json::from_slice(file)
        .map_err(|error| wrong("file", &error, "what `addresses --json` writes"))?;
    if parsed.format != "airlock addresses" || parsed.version != 1 {
        let found = format!("{} {}", parsed.format, parsed.version);
        return Err(wrong("format", &found, "airlock addresses, version 1"));
    }
    if parsed.profile != app.config.profile.name() {
        return Err(wrong("profile", &parsed.profile, app.config.profile.name()));
    }
    let signer = Identity::from_hex(&parsed.identity)
        .ok_or_else(|| wrong("identity", &parsed.identity, "64 lower-case hex digits"))?;
    let mut rows = Vec::new();
    for (place, entry) in parsed.wallets.iter().enumerate() {
        let field = |name: &str| format!("wallets[{place}].{name}");
        let role = Role::from_name(&entry.role)
            .ok_or_else(|| wrong(&field("role"), &entry.role, "deposit, hot, cold or energy"))?;
        // A hardware wallet is marked by the policy, not by this file; imported keys pay no batch as yet.
        let pays = Role::DERIVED.contains(&role) && role != Role::Deposit;
        if !pays || app.config.network(entry.network).is_none() {
            continue;
        }
        let path =
            key_path(entry.network, role, entry.index).map(|path| path.to_string()).unwrap_or_default();
        if path != entry.path {
            return Err(wrong(&field("path"), &entry.path, &path));
        }
        let address = Address::parse(entry.network, &entry.address)
            .map_err(|error| wrong(&field("address"), &entry.address, &error.to_string()))?;
        rows.push(WalletRow { address, role, index: entry.index, signer });
    }
    Ok((signer, rows))
}

fn shown_policy(policy: &SignedPolicy) -> Value {
    json!({ "name": policy.policy.name.to_string(), "version": policy.policy.version })
}
