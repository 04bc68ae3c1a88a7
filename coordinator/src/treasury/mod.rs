//! The company's own money: opening capital, and the comparison of every reserve with its chain.
//!
//! `reconcile` only reads. What must stay true: whatever changes a reserve goes through the ledger's writer.

pub mod reconcile;
