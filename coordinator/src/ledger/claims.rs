//! What others are owed, and what is ours: every claim on us, for the proof of liabilities; the company's own accounts.
//!
//! `liabilities` reads the claims within one still picture of the database, `api/ledger.rs` the company's money. What must stay true: available and held money of a user
//! are one claim; what nobody owns yet is owed too, to nobody named.

use super::LedgerError;
use crate::db::Db;

/// What one user or partner is owed in one asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// `user:ID` or `partner:ID`.
    pub owner: String,
    /// The asset's code.
    pub asset: String,
    /// Minor units, never below zero.
    pub balance_minor: i64,
}

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

/// What arrived and has no owner yet, per asset.
pub async fn suspense(db: &mut Db) -> Result<Vec<(String, i64)>, LedgerError> {
    Ok(sqlx::query_as(
        "select asset, balance_minor from accounts where kind = 'suspense' and balance_minor <> 0 order by asset",
    )
    .fetch_all(db)
    .await?)
}

/// One of the company's own accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompanyAccount {
    /// `capital`, `fees_earned`, `network_fees`, `energy_cost`, `rounding`, `suspense`, `in_transit`.
    pub kind: String,
    /// CAIP-2 name, or empty.
    pub network: String,
    /// The asset's code.
    pub asset: String,
    /// On the side on which the account grows: income and capital, or costs.
    pub balance_minor: i64,
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
    super::store::last_transfer(db).await
}
