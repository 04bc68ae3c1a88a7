//! Running transactions and calls on the engine with Ethereum's rules (Osaka).
//!
//! `chain.rs` runs transactions at inclusion; `rpc.rs` runs calls and estimates. Nothing here changes a world: the caller commits.

use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction, Output};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, U256};
use revm::state::EvmState;
use revm::{ExecuteEvm, MainBuilder};
use std::convert::Infallible;

use super::block::Header;
use super::transaction::SignedTx;
use crate::world::{World, WorldDb};

/// A call without signature: `eth_call`, `eth_estimateGas`, deployments by control.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// Who calls.
    pub(crate) from: Address,
    /// `None` creates a contract.
    pub(crate) to: Option<Address>,
    /// wei.
    pub(crate) value: U256,
    /// Calldata or creation code.
    pub(crate) data: Vec<u8>,
    /// Gas limit.
    pub(crate) gas_limit: u64,
}

/// Outcome and changes of a run.
pub(crate) type Ran = (ExecutionResult, EvmState);

/// Runs a transaction in a block.
pub(crate) fn transaction(
    world: &World,
    header: &Header,
    chain_id: u64,
    tx: &SignedTx,
) -> Result<Ran, EVMError<Infallible, InvalidTransaction>> {
    let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
    cfg.chain_id = chain_id;
    run(world, header, cfg, tx.env())
}

/// Runs a call on a state, without fees and nonces.
pub(crate) fn call(
    world: &World,
    header: &Header,
    chain_id: u64,
    call: &Call,
) -> Result<Ran, EVMError<Infallible, InvalidTransaction>> {
    let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
    cfg.chain_id = chain_id;
    cfg.disable_nonce_check = true;
    cfg.disable_base_fee = true;
    cfg.disable_eip3607 = true;
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    let tx = TxEnv {
        caller: call.from,
        gas_limit: call.gas_limit,
        gas_price: 0,
        kind: call.to.map_or(TxKind::Create, TxKind::Call),
        value: call.value,
        data: Bytes::from(call.data.clone()),
        nonce: world.nonce(&call.from),
        chain_id: Some(chain_id),
        ..TxEnv::default()
    };
    run(world, header, cfg, tx)
}

fn run(
    world: &World,
    header: &Header,
    cfg: CfgEnv,
    tx: TxEnv,
) -> Result<Ran, EVMError<Infallible, InvalidTransaction>> {
    let block = BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee,
        prevrandao: Some(header.mix),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
        ..BlockEnv::default()
    };
    let mut evm = Context::<BlockEnv, TxEnv, CfgEnv, WorldDb<'_>>::new(WorldDb(world), SpecId::OSAKA)
        .with_cfg(cfg)
        .with_block(block)
        .build_mainnet();
    let done = evm.transact(tx)?;
    Ok((done.result, done.state))
}

/// The created contract, if one was.
pub(crate) fn created(result: &ExecutionResult) -> Option<Address> {
    match result {
        ExecutionResult::Success { output: Output::Create(_, address), .. } => *address,
        _ => None,
    }
}

/// Gas every transaction pays before its first operation, or the calldata floor of EIP-7623 if that is higher.
pub(crate) fn intrinsic_gas(tx: &SignedTx) -> (u64, u64) {
    let zeros = tx.data.iter().filter(|byte| **byte == 0).count() as u64;
    let others = tx.data.len() as u64 - zeros;
    let tokens = zeros + others * 4;
    let mut gas = 21_000 + tokens * 4;
    if tx.to.is_none() {
        gas += 32_000 + 2 * (tx.data.len() as u64).div_ceil(32);
    }
    for (_, keys) in &tx.access_list {
        gas += 2_400 + 1_900 * keys.len() as u64;
    }
    (gas, 21_000 + tokens * 10)
}
