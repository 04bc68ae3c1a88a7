//! What others are owed, and what is ours: every claim on us, for the proof of liabilities; the company's own accounts.
//!
//! `liabilities` reads the claims within one still picture of the database, `api/ledger.rs` the company's money. What must
//! stay true: available and held money of a user are one claim; what nobody owns yet is owed too, to nobody named.

pub mod store;

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
