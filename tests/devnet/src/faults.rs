//! What can be wrong with one provider.
//!
//! Set through the control route `faults` or [`crate::ChainHandle::set_faults`]; read by the two faces before they answer.
//! A fault never touches the chain itself: another provider of the same chain stays honest.

use serde::{Deserialize, Serialize};

/// Everything that can be wrong with a provider; the default is a healthy one. JSON fields are all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Answers every request with HTTP 500 and no JSON.
    pub down: bool,
    /// Sees the chain as it was this many blocks ago, and no pool.
    pub lag_blocks: u64,
    /// Answers reads of blocks, transactions and logs as if it had nothing: `{}`, `[]`, `null`.
    pub empty: bool,
    /// Takes a broadcast transaction and then answers HTTP 500.
    pub lose_broadcast_answers: bool,
    /// Lies plausibly: leaves token logs out of infos, receipts and `eth_getLogs`, and transactions that carry native coin out
    /// of blocks together with their infos and receipts, and adapts counts and bloom filters, so that each answer looks whole.
    pub hide_transfers: bool,
    /// Answers every request with the rate-limit error of its kind of node.
    pub rate_limited: bool,
    /// TRON: answers history queries with the bare text of a lite full node.
    pub lite: bool,
    /// TRON: has no `estimateenergy`, as most real nodes.
    pub no_estimate_energy: bool,
    /// TRON: refuses every broadcast with `SERVER_BUSY`; EVM: with `txpool is full`.
    pub server_busy: bool,
    /// TRON: answers every broadcast with `DUP_TRANSACTION_ERROR`, EVM: `already known`, without taking it.
    pub dup: bool,
    /// Waits this long before each answer, at most 60 000 ms.
    pub delay_ms: u64,
    /// Only the next so many requests (of any kind) are affected, then the provider heals; absent: until changed.
    pub for_requests: Option<u64>,
}
