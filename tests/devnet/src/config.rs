//! What a devnet is started with: which chains, how they mine, how deep finality is.
//!
//! Read once by `devnet.rs`; the control routes can change mining, finality and parameters later.
//! The defaults are the tests': manual mining, two providers, ports chosen by the system.

use std::net::{IpAddr, Ipv4Addr};

/// Everything [`crate::Devnet::start`] needs.
#[derive(Debug, Clone)]
pub struct DevnetConfig {
    /// The address every port is bound to; 127.0.0.1 by default.
    pub host: IpAddr,
    /// The TRON chain; `None` for none.
    pub tron: Option<TronConfig>,
    /// The Ethereum-style chains, each with its own chain id.
    pub evm: Vec<EvmConfig>,
}

impl Default for DevnetConfig {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            tron: Some(TronConfig::default()),
            evm: vec![EvmConfig::default()],
        }
    }
}

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// Only on request.
    Manual,
    /// Every so many milliseconds (at least 10).
    Interval(u64),
}

/// The TRON chain.
#[derive(Debug, Clone)]
pub struct TronConfig {
    /// When blocks are made.
    pub mining: Mining,
    /// Number of provider ports, at least 1.
    pub providers: usize,
    /// First port; 0 lets the system choose (then for every provider).
    pub first_port: u16,
    /// Length of a slot in milliseconds; block times are multiples of it. 3000 on the real chain.
    pub slot_ms: u64,
    /// Active witnesses, which fix the solid block: head − (n − 1 − ⌊0.3 n⌋). 27 on the real chain: head − 18.
    pub witnesses: u32,
}

impl Default for TronConfig {
    fn default() -> Self {
        Self { mining: Mining::Manual, providers: 2, first_port: 0, slot_ms: 3000, witnesses: 27 }
    }
}

impl TronConfig {
    /// How many blocks lie between head and solid head when no slot is missed: the 70 % rule of java-tron's `DposService`.
    #[must_use]
    pub fn finality_depth(&self) -> u64 {
        let witnesses = u64::from(self.witnesses.max(1));
        witnesses - 1 - witnesses * 3 / 10
    }
}

/// One Ethereum-style chain.
#[derive(Debug, Clone)]
pub struct EvmConfig {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// When blocks are made.
    pub mining: Mining,
    /// Number of provider ports, at least 1.
    pub providers: usize,
    /// First port; 0 lets the system choose (then for every provider).
    pub first_port: u16,
    /// `finalized` is latest minus this, `safe` latest minus half of it.
    pub finality_depth: u64,
    /// Base fee of the first block, in wei.
    pub base_fee_wei: u64,
    /// Gas limit of every block.
    pub block_gas_limit: u64,
}

impl Default for EvmConfig {
    fn default() -> Self {
        Self {
            chain_id: 31337,
            mining: Mining::Manual,
            providers: 2,
            first_port: 0,
            finality_depth: 8,
            base_fee_wei: 1_000_000_000,
            block_gas_limit: 100_000_000,
        }
    }
}
