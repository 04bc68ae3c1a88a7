//! What the signer, the coordinator and the auditor must agree on, and nothing else.
//!
//! Amounts, addresses, networks, transaction encodings, the batch and its roles, policy, approvals,
//! journal entries, frames and the audit of signed-batch files live here, so that both sides of the
//! air gap compute the same bytes from the same fields with the same code. Everything is pure: there
//! is no I/O, no clock, no randomness and no async in this crate; whoever needs a time or an entropy
//! source passes it in. What belongs to one side only (vaults, databases, providers) never comes here.

pub mod address;
pub mod amount;
pub mod approval;
pub mod attestation;
pub mod batch;
pub mod chain;
pub mod digest;
pub mod document;
pub mod envelope;
pub mod form;
pub mod frames;
pub mod genesis;
pub mod hd;
pub mod id;
pub mod identity;
pub mod journal;
pub mod ledger;
pub mod liabilities;
pub mod memory;
pub mod network;
pub mod policy;
pub mod roles;
pub mod slip39;
pub mod unpayable;
pub mod wallet;
pub mod words;

pub use address::{Address, AddressError, UncheckedAddress};
pub use amount::{AmountError, BaseUnits, MinorUnits, Scale};
pub use digest::Digest;
pub use id::{BatchId, ItemId, PersonId};
pub use network::{Family, Network, Profile};
