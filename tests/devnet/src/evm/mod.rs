//! Ethereum-style chains: Ethereum's rules over the EVM engine, behind JSON-RPC.
//!
//! `rlp` and `transaction` are its bytes; `pool`, `execute`, `block` and `chain` what happens to a transaction, in that order; `json`,
//! `logs`, `calls` and `rpc` its face; `steer` the control.

mod block;
mod calls;
mod chain;
mod execute;
mod json;
mod logs;
mod pool;
mod rlp;
mod rpc;
mod steer;
mod transaction;

pub(crate) use chain::EvmChain;
pub(crate) use rpc::answer;
