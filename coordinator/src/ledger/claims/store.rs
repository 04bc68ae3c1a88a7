//! SQL of claims and of the company's accounts: sums over the rows that `ledger/store.rs` keeps.

use super::{Claim, CompanyAccount};
use crate::db::Db;
use crate::ledger::{LedgerError, store};

/// Every claim above zero.
pub async fn claims(db: &mut Db) -> Result<Vec<Claim>, LedgerError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select case when kind = 'partner' then 'partner:' || owner else 'user:' || owner end as creditor, asset, \
         cast(sum(balance_minor) as bigint) from accounts where kind in ('user_available', 'user_held', 'partner') \
         group by creditor, asset having sum(balance_minor) > 0 order by creditor, asset",
    )
    .fetch_all(db)
    .await?;
    let claim = |(owner, asset, balance_minor)| Claim { owner, asset, balance_minor };
    Ok(rows.into_iter().map(claim).collect())
}

/// What arrived and has no owner yet, per asset. Below zero it is a loss that is not explained yet, and owed to nobody.
pub async fn suspense(db: &mut Db) -> Result<Vec<(String, i64)>, LedgerError> {
    Ok(sqlx::query_as(
        "select asset, balance_minor from accounts where kind = 'suspense' and balance_minor > 0 order by asset",
    )
    .fetch_all(db)
    .await?)
}

/// Every account that is nobody else's and no wallet (L11), by kind, network and asset.
pub async fn company(db: &mut Db) -> Result<Vec<CompanyAccount>, LedgerError> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "select kind, network, asset, balance_minor from accounts \
         where kind not in ('user_available', 'user_held', 'partner', 'reserve') order by kind, network, asset",
    )
    .fetch_all(db)
    .await?;
    let account =
        |(kind, network, asset, balance_minor)| CompanyAccount { kind, network, asset, balance_minor };
    Ok(rows.into_iter().map(account).collect())
}

/// The newest transfer's number; 0 before the first.
pub async fn last_transfer(db: &mut Db) -> Result<i64, LedgerError> {
    store::last_transfer(db).await
}
