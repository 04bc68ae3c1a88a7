//! What the control routes can do to a chain of either family.
//!
//! Implemented by `tron::TronChain` and `evm::EvmChain`; called by `control.rs` and by the methods of [`crate::ChainHandle`], always
//! under the chain's mutex.

use revm::primitives::U256;
use serde_json::Value;
use std::fmt;

use crate::clock::Clock;

/// Why a control request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlError {
    /// Not an address of this chain.
    Address(String),
    /// Not a decimal amount that fits.
    Amount(String),
    /// Not hex.
    Hex(String),
    /// No contract build of that name.
    UnknownContract(String),
    /// The constructor failed, with the engine's words.
    Deployment(String),
    /// The deployer's transaction was refused, with the node's words.
    Refused(String),
    /// No such parameter, or not a value it can have.
    Parameter(String),
    /// No provider with that number.
    Provider(usize),
    /// More blocks than the chain has, or than one request may make.
    Blocks(u64),
    /// This family of chains has no such operation.
    NotHere(&'static str),
    /// The request is not the JSON the route takes.
    Request(String),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(seen) => write!(f, "not an address of this chain: {seen}"),
            Self::Amount(seen) => write!(f, "not an amount: {seen}"),
            Self::Hex(seen) => write!(f, "not hex: {seen}"),
            Self::UnknownContract(seen) => write!(f, "no contract named {seen}"),
            Self::Deployment(seen) => write!(f, "the constructor failed: {seen}"),
            Self::Refused(seen) => write!(f, "refused: {seen}"),
            Self::Parameter(seen) => write!(f, "no such parameter or value: {seen}"),
            Self::Provider(seen) => write!(f, "no provider {seen}"),
            Self::Blocks(seen) => write!(f, "not that many blocks: {seen}"),
            Self::NotHere(what) => write!(f, "this kind of chain has no {what}"),
            Self::Request(seen) => write!(f, "bad request: {seen}"),
        }
    }
}

impl std::error::Error for ControlError {}

/// What becomes of the transactions of blocks that a reorg removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReorgTransactions {
    /// They vanish, as anvil does it.
    Drop,
    /// They go back into the pool, as honest nodes do it.
    Pool,
}

/// Where a chain stands.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Number of the last block.
    pub(crate) number: u64,
    /// Its id as that family prints it.
    pub(crate) id: String,
    /// Its time in ms.
    pub(crate) time_ms: i64,
    /// Number of the last final block.
    pub(crate) final_number: u64,
}

/// Blocks one request may make.
pub(crate) const BLOCKS_MAX: u64 = 100_000;

/// A chain under control.
pub(crate) trait Chain {
    /// `tron` or `evm`.
    fn kind(&self) -> &'static str;
    /// CAIP-2.
    fn caip2(&self) -> String;
    /// EIP-155 id, or the number TRON's EVM-style APIs report.
    fn chain_id(&self) -> u64;
    /// Where it stands.
    fn head(&self) -> Head;
    /// The clock that stamps new blocks.
    fn clock(&mut self) -> &mut Clock;
    /// Makes one block of what the pool holds.
    fn mine_one(&mut self);
    /// Makes one block without any transaction; the pool goes on waiting.
    fn mine_none(&mut self);
    /// Blocks between head and final.
    fn finality_depth(&self) -> u64;
    /// Changes that; the final block never moves back.
    fn set_finality_depth(&mut self, depth: u64);
    /// Ids of the pool's transactions.
    fn pool(&self) -> Vec<String>;
    /// Forgets one or all pool transactions; how many there were.
    fn forget(&mut self, id: Option<&str>) -> usize;
    /// The devnet's own account.
    fn deployer(&self) -> String;
    /// Name and address of every contract deployed by control.
    fn tokens(&self) -> Vec<(String, String)>;
    /// Adds native coin in every kept state; the new balance.
    fn fund(&mut self, address: &str, amount: U256) -> Result<String, ControlError>;
    /// Deploys a known contract in every kept state; its address.
    fn deploy(&mut self, contract: &str, supply: U256) -> Result<String, ControlError>;
    /// Puts a transfer by the deployer into the pool; its id.
    fn transfer(&mut self, token: Option<&str>, to: &str, amount: U256) -> Result<String, ControlError>;
    /// Puts a call by the deployer into the pool; its id.
    fn call(&mut self, contract: &str, data: Vec<u8>, value: U256) -> Result<String, ControlError>;
    /// Balance at the head and at the final block.
    fn balance(&self, address: &str, token: Option<&str>) -> Result<(String, String), ControlError>;
    /// Replaces the last blocks by empty ones.
    fn reorg(
        &mut self,
        depth: u64,
        replacement: u64,
        transactions: ReorgTransactions,
    ) -> Result<(), ControlError>;
    /// Changes a chain parameter.
    fn change_parameter(&mut self, key: &str, value: &Value) -> Result<(), ControlError>;
    /// Adds stake in every kept state.
    fn stake(&mut self, address: &str, resource: &str, amount: U256) -> Result<(), ControlError>;
}
