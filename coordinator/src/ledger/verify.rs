//! Proofs about the ledger: the trial balance, and the replay of every entry against the balances.
//!
//! Called by `GET /v1/ledger/trial-balance`, by `airlock-coordinator ledger verify` and by tests after every
//! story. What must be true: per asset, debits equal credits; each account's balance is the sum of its
//! entries; an exact account's base units are the sum of its entries' base units; what a user has held is the sum of
//! their open holds.

use super::LedgerError;
use super::asset::AssetCode;
use super::store::{asset_code, base};
use crate::db::{Database, Db};
use airlock_shared::{BaseUnits, Scale};
use futures::TryStreamExt as _;
use std::collections::BTreeMap;

/// One asset's totals over all accounts, minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialBalance {
    /// The asset.
    pub asset: AssetCode,
    /// Sum of the accounts that grow on the debit side.
    pub debit_minor: i64,
    /// Sum of the accounts that grow on the credit side.
    pub credit_minor: i64,
}

impl TrialBalance {
    /// Zero when the books balance.
    pub const fn difference_minor(&self) -> i64 {
        self.debit_minor.saturating_sub(self.credit_minor)
    }
}

/// The trial balance per asset.
pub async fn trial_balance(db: &mut Db) -> Result<Vec<TrialBalance>, LedgerError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select asset, cast(sum(case when side = 'debit' then balance_minor else 0 end) as bigint), \
         cast(sum(case when side = 'credit' then balance_minor else 0 end) as bigint) \
         from accounts group by asset order by asset",
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(asset, debit_minor, credit_minor)| {
            Ok(TrialBalance { asset: asset_code(&asset)?, debit_minor, credit_minor })
        })
        .collect()
}

/// What the replay found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Accounts compared.
    pub accounts: u64,
    /// Entries replayed.
    pub entries: u64,
    /// One sentence per disagreement; empty when all is well.
    pub faults: Vec<String>,
}

#[derive(Default)]
struct Replayed {
    minor: i128,
    base_in: BaseUnits,
    base_out: BaseUnits,
}

/// Replays every entry over one still picture of the database, while postings may go on.
pub async fn snapshot(database: &Database) -> Result<Verified, LedgerError> {
    let mut db = database.begin_read().await?;
    verify(&mut db).await
}

/// Replays every entry as the open connection sees them.
pub async fn verify(db: &mut Db) -> Result<Verified, LedgerError> {
    let mut verified = Verified::default();
    let replayed = replay(db, &mut verified).await?;
    compare(db, &replayed, &mut verified).await?;
    unbalanced_transfers(db, &mut verified).await?;
    uneven_holds(db, &mut verified).await?;
    for total in trial_balance(db).await? {
        if total.difference_minor() != 0 {
            verified.faults.push(format!(
                "{}: debits exceed credits by {}",
                total.asset,
                total.difference_minor()
            ));
        }
    }
    Ok(verified)
}

async fn replay(db: &mut Db, verified: &mut Verified) -> Result<BTreeMap<i64, Replayed>, LedgerError> {
    let mut replayed: BTreeMap<i64, Replayed> = BTreeMap::new();
    let mut rows = sqlx::query_as::<_, (i64, i64, i64, Option<String>)>(
        "select e.account_id, case when e.side = a.side then 1 else -1 end * e.amount_minor, \
         cast(case when e.side = a.side then 1 else -1 end as bigint), e.amount_base \
         from entries e join accounts a on a.id = e.account_id",
    )
    .fetch(&mut *db);
    while let Some((account, minor, direction, exact)) = rows.try_next().await? {
        verified.entries += 1;
        let sums = replayed.entry(account).or_default();
        sums.minor += i128::from(minor);
        let Some(exact) = exact else { continue };
        let exact = base(&exact)?;
        let sum = if direction > 0 { &mut sums.base_in } else { &mut sums.base_out };
        *sum = sum
            .checked_add(exact)
            .ok_or_else(|| LedgerError::Corrupt { what: format!("base units of account {account}") })?;
    }
    Ok(replayed)
}

async fn compare(
    db: &mut Db,
    replayed: &BTreeMap<i64, Replayed>,
    verified: &mut Verified,
) -> Result<(), LedgerError> {
    let rows: Vec<(i64, String, i64, String, Option<i64>, i64)> = sqlx::query_as(
        "select a.id, a.kind, a.balance_minor, a.dust_base, n.base_decimals, s.decimals from accounts a \
         join assets s on s.code = a.asset \
         left join asset_networks n on n.asset = a.asset and n.network = a.network order by a.id",
    )
    .fetch_all(&mut *db)
    .await?;
    let nothing = Replayed::default();
    for (id, kind, balance, dust, base_decimals, decimals) in rows {
        verified.accounts += 1;
        let sums = replayed.get(&id).unwrap_or(&nothing);
        if sums.minor != i128::from(balance) {
            verified.faults.push(format!("account {id} ({kind}): balance {balance}, entries {}", sums.minor));
        }
        if kind == "reserve" || kind == "in_transit" {
            let scale = base_decimals
                .and_then(|base| Scale::new(u8::try_from(base).ok()?, u8::try_from(decimals).ok()?))
                .ok_or_else(|| LedgerError::Corrupt { what: format!("scale of account {id}") })?;
            if !exact_agrees(balance, base(&dust)?, sums, scale) {
                verified.faults.push(format!("account {id} ({kind}): base units differ from its entries"));
            }
        }
    }
    Ok(())
}

/// Is minor × 10^k + dust = in - out, with dust in its range? Written without negative numbers.
fn exact_agrees(balance: i64, dust: BaseUnits, sums: &Replayed, scale: Scale) -> bool {
    let whole = airlock_shared::MinorUnits::new(balance.saturating_abs());
    let Ok(whole) = scale.to_base(whole) else { return false };
    let (left, right) = if balance >= 0 {
        (sums.base_out.checked_add(whole).and_then(|sum| sum.checked_add(dust)), Some(sums.base_in))
    } else {
        (sums.base_out.checked_add(dust), sums.base_in.checked_add(whole))
    };
    dust < scale.base_per_minor() && left.is_some() && left == right
}

async fn unbalanced_transfers(db: &mut Db, verified: &mut Verified) -> Result<(), LedgerError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select e.transfer_id, a.asset from entries e join accounts a on a.id = e.account_id \
         group by e.transfer_id, a.asset \
         having sum(case when e.side = 'debit' then e.amount_minor else -e.amount_minor end) <> 0 \
         order by e.transfer_id limit 100",
    )
    .fetch_all(&mut *db)
    .await?;
    for (transfer, asset) in rows {
        verified.faults.push(format!("transfer {transfer} does not balance in {asset}"));
    }
    Ok(())
}

/// Held money without its hold would stay bound for ever; a hold without its money could not be settled.
async fn uneven_holds(db: &mut Db, verified: &mut Verified) -> Result<(), LedgerError> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select a.id, a.balance_minor, cast(coalesce(h.held, 0) as bigint) from accounts a left join \
         (select owner, asset, sum(amount_minor) as held from holds where state = 'held' group by owner, asset) h \
         on h.owner = a.owner and h.asset = a.asset \
         where a.kind = 'user_held' and a.balance_minor <> coalesce(h.held, 0) order by a.id limit 100",
    )
    .fetch_all(&mut *db)
    .await?;
    for (id, balance, held) in rows {
        verified.faults.push(format!("account {id} (user_held): balance {balance}, open holds {held}"));
    }
    Ok(())
}
