//! Proof of liabilities and reserves (L8): takes a still picture of the books, signs it, keeps what each creditor needs.
//!
//! `airlock-coordinator liabilities prove` calls [`prove`]; `http.rs` hands out the newest statement and each creditor's proof. The
//! tree itself is `airlock_shared::liabilities`. What must stay true: creditors are all users and partners that are owed anything, available
//! and held together; the books are read before the chain, so what is booked is final there; a statement is published in one commit after
//! its leaves, so a crash leaves nothing half published.

pub mod check;
pub mod http;
pub mod store;

use crate::app::App;
use crate::audit::{self, Action, By};
use crate::chain::ChainError;
use crate::clock::UnixMillis;
use crate::ledger::{self, LedgerError};
use crate::pairing::CoordinatorKey;
use crate::treasury::reconcile;
use crate::treasury::reconcile::{NetworkReport, ReconcileError};
use airlock_shared::document::Document as _;
use airlock_shared::liabilities::tree::{self, Summed, Sums};
use airlock_shared::liabilities::{
    CountedAsset, Creditor, FinalBalance, InclusionProof, LiabilityError, Reserve, SignedStatement, Statement,
};
use airlock_shared::{BaseUnits, Digest, Network};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Leaves in a row: a power of two, so that a row is a subtree.
pub const CHUNK: usize = 256;

/// Rows of leaves written in one commit, so that postings never wait long.
const ROWS_IN_A_COMMIT: usize = 64;

/// Why there is no statement or proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The tree.
    #[error(transparent)]
    Liability(#[from] LiabilityError),
    /// A reserve account is below zero: a payment is booked before its funding, so nothing true can be said of it.
    #[error("reserve {wallet} on {network} is below zero in {asset}: reconcile first")]
    BelowZero {
        /// Where.
        network: String,
        /// Which address.
        wallet: String,
        /// In which asset.
        asset: String,
    },
    /// The providers, or the books beside them.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A row that does not read back.
    #[error("a row of liabilities cannot be read: {what}")]
    Row {
        /// Which, and why.
        what: String,
    },
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Takes the picture, signs it and publishes it in the name of `by`.
pub async fn prove(app: &App, key: &CoordinatorKey, by: &By) -> Result<SignedStatement, ProveError> {
    let books = books(app).await?;
    let mut reserves = Vec::new();
    for config in &app.config.networks {
        let mut own: Vec<_> =
            books.reserves.iter().filter(|row| row.network == config.network).cloned().collect();
        // A network whose providers are away is stated from the books alone, and says so by having no final balance.
        match reconcile::of_network(app, config).await {
            Ok(report) => with_chain(app, &mut own, &report)?,
            Err(ReconcileError::Chain(error)) => unanswered(config.network, &error),
            Err(error) => return Err(error.into()),
        }
        reserves.append(&mut own);
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut())?;
    let creditors = ordered(books.creditors, &secret)?;
    let leaves: Vec<Summed> = creditors.iter().map(Creditor::leaf).collect();
    let count = leaves.len() as u64;
    if leaves.is_empty() {
        return Err(LiabilityError::Empty.into());
    }
    let levels = tree::levels(leaves).ok_or(LiabilityError::Overflow)?;
    let root = levels.last().and_then(|top| top.first()).cloned().ok_or(LiabilityError::Empty)?;
    let statement = Statement {
        profile: app.config.profile,
        taken_at: u64::try_from(books.taken_at / 1000).unwrap_or(0),
        last_transfer: books.last_transfer,
        assets: books.assets,
        creditors: count,
        root,
        unassigned: books.unassigned,
        reserves,
    };
    let signed = statement.sign(key.signing_key());
    publish(app, &signed, &creditors, &levels, &secret, by).await?;
    Ok(signed)
}

fn unanswered(network: Network, error: &ChainError) {
    tracing::warn!(%network, %error, "no final balances: the statement has the books only");
}

/// What the books say at one moment.
struct Books {
    taken_at: UnixMillis,
    last_transfer: u64,
    assets: Vec<CountedAsset>,
    creditors: BTreeMap<String, Sums>,
    unassigned: Sums,
    reserves: Vec<Reserve>,
}

async fn books(app: &App) -> Result<Books, ProveError> {
    let mut db = app.db.begin_read().await?;
    let assets: Vec<CountedAsset> = app
        .config
        .assets
        .codes()
        .map(|(code, decimals)| CountedAsset { code: code.to_string(), decimals })
        .collect();
    let place: BTreeMap<&str, usize> =
        assets.iter().enumerate().map(|(place, asset)| (asset.code.as_str(), place)).collect();
    let add = |sums: &mut Vec<u64>, asset: &str, minor: i64| {
        let unknown = || ProveError::Row { what: format!("asset {asset} is not in the settings") };
        let below = |_| ProveError::Row { what: format!("a claim of {asset} is below zero") };
        let slot = sums.get_mut(*place.get(asset).ok_or_else(unknown)?).ok_or_else(unknown)?;
        *slot = slot.checked_add(u64::try_from(minor).map_err(below)?).ok_or(LiabilityError::Overflow)?;
        Ok::<_, ProveError>(())
    };
    let mut owed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for claim in ledger::claims::store::claims(&mut db).await? {
        let sums = owed.entry(claim.owner).or_insert_with(|| vec![0; assets.len()]);
        add(sums, &claim.asset, claim.balance_minor)?;
    }
    let mut unassigned = vec![0; assets.len()];
    for (asset, minor) in ledger::claims::store::suspense(&mut db).await? {
        add(&mut unassigned, &asset, minor)?;
    }
    let checked = |sums| Sums::new(sums).ok_or(LiabilityError::Overflow);
    let creditors = owed
        .into_iter()
        .map(|(owner, sums)| Ok((owner, checked(sums)?)))
        .collect::<Result<_, LiabilityError>>()?;
    let last = ledger::claims::store::last_transfer(&mut db).await?;
    Ok(Books {
        taken_at: app.clock.now(),
        last_transfer: u64::try_from(last).unwrap_or(0),
        creditors,
        unassigned: checked(unassigned)?,
        reserves: booked(app, &mut db).await?,
        assets,
    })
}

/// Every reserve account, in base units.
async fn booked(app: &App, db: &mut crate::db::Db) -> Result<Vec<Reserve>, ProveError> {
    let mut reserves = Vec::new();
    for row in ledger::store::reserves(db).await? {
        let unknown =
            || ProveError::Row { what: format!("reserve {} {} {}", row.network, row.wallet, row.asset) };
        let network: Network = row.network.parse().map_err(|_| unknown())?;
        let asset = row.asset.parse().map_err(|_| unknown())?;
        let scale = app.config.assets.scale(&asset, network).map_err(LedgerError::from)?;
        let exact = ledger::reconcile::reserve_base(&row, scale)?;
        let (wallet, asset) = (row.wallet.clone(), row.asset.clone());
        let booked = exact.non_negative().ok_or_else(|| ProveError::BelowZero {
            network: row.network.clone(),
            wallet: row.wallet.clone(),
            asset: row.asset.clone(),
        })?;
        reserves.push(Reserve {
            network,
            wallet,
            asset,
            decimals: scale.base_decimals(),
            booked,
            found: None,
        });
    }
    Ok(reserves)
}

/// Puts what the chain said beside the books; a wallet that only the chain knows of comes in too.
fn with_chain(app: &App, own: &mut Vec<Reserve>, report: &NetworkReport) -> Result<(), LedgerError> {
    for line in &report.lines {
        let (wallet, asset) = (line.wallet.to_string(), line.asset.to_string());
        let found = Some(FinalBalance { amount: line.chain_base, block: report.at.height });
        match own.iter_mut().find(|row| row.wallet == wallet && row.asset == asset) {
            Some(row) => row.found = found,
            None if line.chain_base.is_zero() => {}
            None => own.push(Reserve {
                network: report.network,
                wallet,
                asset,
                decimals: app.config.assets.scale(&line.asset, report.network)?.base_decimals(),
                // It had no account when the picture was taken; what was booked since belongs to the next one.
                booked: BaseUnits::ZERO,
                found,
            }),
        }
    }
    Ok(())
}

/// The salt of a creditor in one statement.
fn salt(secret: &[u8; 32], owner: &str) -> Digest {
    let keyed = Hmac::<Sha256>::new_from_slice(secret).map(|mac| mac.chain_update(owner.as_bytes()));
    // HMAC takes keys of every length.
    keyed.map_or(Digest::ZERO, |mac| Digest::from_bytes(mac.finalize().into_bytes().into()))
}

/// The creditors by their salts: the order says nothing of who they are.
fn ordered(owed: BTreeMap<String, Sums>, secret: &[u8; 32]) -> Result<Vec<Creditor>, ProveError> {
    let mut creditors: Vec<Creditor> =
        owed.into_iter().map(|(owner, sums)| Creditor { salt: salt(secret, &owner), owner, sums }).collect();
    creditors.sort_by_key(|creditor| creditor.salt);
    Ok(creditors)
}

async fn publish(
    app: &App,
    signed: &SignedStatement,
    creditors: &[Creditor],
    levels: &[Vec<Summed>],
    secret: &[u8; 32],
    by: &By,
) -> Result<(), ProveError> {
    let roots = levels.get(CHUNK.trailing_zeros() as usize).or(levels.last());
    let rows: Vec<store::LeafRow> = creditors
        .chunks(CHUNK)
        .zip(roots.into_iter().flatten())
        .zip(0_i64..)
        .map(|((chunk, root), number)| store::LeafRow::new(number, chunk, root))
        .collect();
    let mut taken = None;
    for part in rows.chunks(ROWS_IN_A_COMMIT) {
        let (part, known) = (part.to_vec(), taken);
        let written = app.writer.commit(move |unit| {
            Box::pin(async move {
                // The number is taken with its first rows, so two runs at once never share one.
                let id = match known {
                    Some(id) => id,
                    None => store::next_id(unit.db()).await?,
                };
                for row in &part {
                    store::insert_leaves(unit.db(), id, row).await?;
                }
                Ok::<_, LedgerError>(id)
            })
        });
        taken = Some(written.await?);
    }
    let id = taken.ok_or(LiabilityError::Empty)?;
    let row = store::StatementRow {
        id,
        digest: signed.statement.digest().to_string(),
        secret: hex::encode(secret),
        document: signed.to_json(),
        taken_at: i64::try_from(signed.statement.taken_at).unwrap_or(0).saturating_mul(1000),
        made_by: by.who.clone(),
    };
    let (by, creditors) = (by.clone(), signed.statement.creditors);
    let published = app.writer.commit(move |unit| {
        Box::pin(async move {
            store::insert_statement(unit.db(), &row).await?;
            let after = json!({ "statement": row.digest, "creditors": creditors });
            audit::record(unit, &by, Action::LiabilitiesProve, &row.id.to_string(), Value::Null, after).await
        })
    });
    Ok(published.await?)
}

/// The proof of one creditor in the newest statement; `None` if there is none, or nothing was owed to them then.
pub async fn proof_of(
    db: &mut crate::db::Db,
    owner: &str,
) -> Result<Option<(SignedStatement, InclusionProof)>, ProveError> {
    let Some(row) = store::latest(db).await? else { return Ok(None) };
    let unreadable = |what: &str| ProveError::Row { what: format!("statement {}: {what}", row.id) };
    let signed: SignedStatement = airlock_shared::document::read(row.document.as_bytes())
        .map_err(|error| unreadable(&error.to_string()))?;
    let secret: Zeroizing<[u8; 32]> = airlock_shared::digest::bytes_from_lower_hex(&row.secret)
        .map(Zeroizing::new)
        .ok_or_else(|| unreadable("its secret"))?;
    let wanted = salt(&secret, owner);
    let Some((number, chunk)) = store::chunk_of(db, row.id, &wanted.to_string()).await? else {
        return Ok(None);
    };
    let creditors = store::creditors(&chunk).ok_or_else(|| unreadable("a chunk of leaves"))?;
    let Some(place) =
        creditors.iter().position(|creditor| creditor.salt == wanted && creditor.owner == owner)
    else {
        return Ok(None);
    };
    let within = tree::levels(creditors.iter().map(Creditor::leaf).collect())
        .ok_or_else(|| unreadable("an empty chunk"))?;
    let roots = store::roots(db, row.id).await?.ok_or_else(|| unreadable("the roots of its chunks"))?;
    let above = tree::levels(roots).ok_or_else(|| unreadable("no chunks"))?;
    let chunk_place = usize::try_from(number).map_err(|_| unreadable("a chunk's number"))?;
    let path = [tree::path(&within, place), tree::path(&above, chunk_place)].concat();
    let index = (chunk_place * CHUNK + place) as u64;
    let creditor = creditors.into_iter().nth(place).ok_or_else(|| unreadable("a leaf"))?;
    let proof = InclusionProof { statement: signed.statement.digest(), creditor, index, path };
    Ok(Some((signed, proof)))
}
