//! Attested deposit addresses: the signer's word for each address, taken from it once and handed out with every answer (K9).
//!
//! `http` calls [`import`] for operators and [`vouched`] before any address leaves. What must stay true: a range is taken only
//! from a paired signer and only if every address in it is the one derived here; an address leaves only if it is still what its
//! path derives and, where ranges are attested, with the proof that leads to the signer's signature. A row that somebody
//! altered therefore reaches nobody: the request is refused and an alert stays open.

pub mod store;

use super::address::store::{self as addresses, AddressRow};
use super::address::{AddressError, derive};
use crate::alerts;
use crate::app::App;
use crate::audit::{self, Action, By};
use crate::db::Db;
use crate::pairing;
use airlock_shared::attestation::{AddressProof, AddressRange, Attestation, AttestationError, MAX_COUNT};
use airlock_shared::document;
use airlock_shared::hd::{AccountKey, KeyPath};
use airlock_shared::identity::Identity;
use airlock_shared::{Address, Digest, Network};
use serde_json::{Value, json};

/// Takes a range for its network. The same one again changes nothing.
pub async fn import(app: &App, bytes: &[u8], by: &By) -> Result<Attestation, AddressError> {
    let attestation: Attestation =
        document::read(bytes).map_err(|error| AddressError::Attestation(error.to_string()))?;
    let network = attestation.range.network;
    if app.config.network(network).is_none() {
        return Err(AddressError::NotConfigured(network));
    }
    let mut db = app.db.reader().await?;
    let account = addresses::xpub(&mut db, network).await?.ok_or(AddressError::NoXpub(network))?;
    check_signer(&mut db, &attestation, &account.signer).await?;
    drop(db);
    let derived = attestation.clone();
    let leaves = tokio::task::spawn_blocking(move || derived_leaves(&derived, &account.xpub))
        .await
        .map_err(|error| AddressError::Attestation(format!("deriving the addresses: {error}")))??;
    let (stored, by) = (attestation.clone(), by.clone());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if store::insert(unit.db(), &stored, &leaves, &by.who, now).await? {
                    let (subject, range) = (stored.range.digest().to_string(), &stored.range);
                    let after =
                        json!({ "network": range.network, "first": range.first, "count": range.count });
                    audit::record(unit, &by, Action::AttestationImport, &subject, Value::Null, after).await?;
                }
                Ok::<_, AddressError>(stored)
            })
        })
        .await
}

/// The range as it is derived here, not signed by anybody: its words must be on the signer's screen too.
pub async fn expected(
    app: &App,
    network: Network,
    first: u32,
    count: u32,
) -> Result<AddressRange, AddressError> {
    let account = addresses::xpub(&mut *app.db.reader().await?, network).await?;
    let account = account.ok_or(AddressError::NoXpub(network))?;
    let derived = move || derive_range(&account.xpub, network, first, count, 0);
    let derived = tokio::task::spawn_blocking(derived).await;
    Ok(derived.map_err(|error| AddressError::Attestation(error.to_string()))??.0)
}

fn derive_range(
    xpub: &str,
    network: Network,
    first: u32,
    count: u32,
    made_at: u64,
) -> Result<(AddressRange, Vec<Digest>), AddressError> {
    let unusable = |error: AttestationError| AddressError::Attestation(error.to_string());
    if count > MAX_COUNT {
        return Err(unusable(AttestationError::Range { first, count: u64::from(count) }));
    }
    let key: AccountKey = xpub.parse()?;
    let addresses = key.addresses(network, first..first.saturating_add(count))?;
    AddressRange::over(network, first, &addresses, made_at).map_err(unusable)
}

/// Signed by the signer whose extended public key the network has, and that one paired by its words.
async fn check_signer(db: &mut Db, attestation: &Attestation, exported_by: &str) -> Result<(), AddressError> {
    let unusable = |why: String| Err(AddressError::Attestation(why));
    let Some(signer) = Identity::from_hex(exported_by) else {
        return unusable("the extended public key names no signer".to_owned());
    };
    if let Err(error) = attestation.check(&signer) {
        return unusable(error.to_string());
    }
    match pairing::store::signer(db, &signer).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => unusable(format!("signer {signer} is not paired")),
        Err(error) => Err(AddressError::Pairing(Box::new(error))),
    }
}

/// The leaves of the range, derived here; an error if they lead to another root.
fn derived_leaves(attestation: &Attestation, xpub: &str) -> Result<Vec<Digest>, AddressError> {
    let range = &attestation.range;
    let (own, leaves) = derive_range(xpub, range.network, range.first, range.count, range.made_at)?;
    if own.root == range.root {
        return Ok(leaves);
    }
    let why = format!("its root is {}, the addresses derived here have {}", range.root, own.root);
    Err(AddressError::Attestation(why))
}

/// The proof of an address that is about to leave: `None` where its network has no attested range. A row that is not what its
/// path derives, or that its proof does not lead to, is refused, and an alert is raised.
pub async fn vouched(app: &App, row: &AddressRow) -> Result<Option<AddressProof>, AddressError> {
    let mut db = app.db.reader().await?;
    let vouched = vouched_in(&mut db, row).await;
    drop(db);
    if let Err(AddressError::Altered { address, why }) = &vouched {
        let (subject, what) = (row.number.to_string(), format!("deposit address {address}: {why}"));
        app.writer
            .commit(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    alerts::raise(unit.db(), "deposit_address.altered", &subject, &what, now).await?;
                    Ok::<_, AddressError>(())
                })
            })
            .await?;
    }
    vouched
}

async fn vouched_in(db: &mut Db, row: &AddressRow) -> Result<Option<AddressProof>, AddressError> {
    let (network, address) = (row.address.network(), row.address);
    let altered = |why: String| AddressError::Altered { address, why };
    let account = addresses::xpub(db, network).await?.ok_or(AddressError::NoXpub(network))?;
    let path: KeyPath = row.path.parse().map_err(|_| altered(format!("its path {:?} is none", row.path)))?;
    if path.account().to_string() != account.path || path.change() != 0 {
        return Err(altered(format!("its path {path} is not of account {}", account.path)));
    }
    let index = path.index();
    let derived = derive(&account.xpub, network, i64::from(index))?;
    if derived != address {
        return Err(altered(format!("path {path} derives {derived}")));
    }
    let Some(attestation) = store::range_of(db, network, index).await? else { return Ok(None) };
    let signer = Identity::from_hex(&account.signer)
        .ok_or_else(|| altered("the extended public key names no signer".to_owned()))?;
    proof(db, attestation, index, address, &signer).await.map(Some)
}

async fn proof(
    db: &mut Db,
    attestation: Attestation,
    index: u32,
    address: Address,
    signer: &Identity,
) -> Result<AddressProof, AddressError> {
    let altered = |why: String| AddressError::Altered { address, why };
    let place = usize::try_from(index - attestation.range.first).unwrap_or(usize::MAX);
    let audit_path = store::audit_path(db, &attestation, place).await?;
    let audit_path = audit_path.ok_or_else(|| altered("leaves of its range are missing".to_owned()))?;
    let proof = AddressProof { attestation, index, address, audit_path };
    proof.check(signer).map_err(|error| altered(error.to_string()))?;
    Ok(proof)
}

/// Where ranges are attested, no address beyond them is given out: a partner who was promised proofs would take an address
/// without one for a forged one.
pub async fn check_attested(db: &mut Db, network: Network, index: i64) -> Result<(), AddressError> {
    let beyond = AddressError::NotAttested { network, index };
    let index = u32::try_from(index).map_err(|_| airlock_shared::hd::HdError::Derivation)?;
    if store::range_of(db, network, index).await?.is_some() || !store::has_any(db, network).await? {
        return Ok(());
    }
    Err(beyond)
}
