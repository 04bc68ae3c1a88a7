//! The TRON chain: TRON's rules over the EVM engine, behind TRON's HTTP API.
//!
//! `message` and `address` are its bytes; `ledger`, `params` and `tvm` its state and engine; `broadcast`, `permission`, `execute` and
//! `actuator` what happens to a transaction, in that order; `chain` blocks and pool; `json`, `request`, `http` and `builder` its face; `steer` the control.

mod actuator;
pub(crate) mod address;
mod broadcast;
mod builder;
mod chain;
mod execute;
mod http;
mod json;
mod ledger;
mod message;
mod params;
mod permission;
mod refusal;
mod request;
mod steer;
mod tvm;

pub(crate) use chain::TronChain;
pub(crate) use http::{Answer, answer};

/// The chain's CAIP-2 name: the last four bytes of its genesis block id.
pub const CHAIN_ID: &str = "tron:0xa1710c4b";
/// The same as a number, as contracts and EVM-style APIs see it.
pub(crate) const EVM_CHAIN_ID: u64 = 0xa171_0c4b;
