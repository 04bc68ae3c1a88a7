//! The TVM: the EVM engine with TRON's energy table.
//!
//! Called by `execute.rs` for contract calls and by the simulation routes. Energy follows java-tron's `EnergyCost.java`: the Frontier
//! table for static costs, SSTORE 20 000 from empty to non-zero and 5 000 otherwise, no refunds, no warm or cold access, no intrinsic
//! cost and no price on calldata. The dynamic factor of the called contract scales the whole bill (the real node scales per opcode and
//! per contract, which differs by rounding only when one contract is involved).

use revm::bytecode::opcode::{OpCode, SSTORE};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::cfg::gas_params::{GasId, GasParams};
use revm::context_interface::result::{ExecutionResult, HaltReason, Output};
use revm::interpreter::instructions::{gas_table, host::sstore_with_gas_accounting};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::Jumps;
use revm::interpreter::{
    Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult, Interpreter,
    InterpreterTypes,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, Bytes, Log, TxKind, U256};
use revm::state::EvmState;
use revm::{InspectEvm, Inspector, MainBuilder};

use crate::world::{World, WorldDb};

/// Written to empty: what java-tron's SSTORE costs beyond its reset price.
const SSTORE_SET_SURPLUS: u64 = 15_000;
const SSTORE_RESET: u64 = 5_000;
/// The dynamic factor's denominator: 34 000 means 3.4.
pub(crate) const FACTOR_DECIMAL: u64 = 10_000;

/// The contractResult of a call; numbers are the protobuf enum's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Verdict {
    Success = 1,
    Revert = 2,
    BadJumpDestination = 3,
    StackTooSmall = 6,
    IllegalOperation = 8,
    StackOverflow = 9,
    OutOfEnergy = 10,
    Unknown = 13,
    TransferFailed = 14,
}

impl Verdict {
    /// The enum name as JSON prints it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Revert => "REVERT",
            Self::BadJumpDestination => "BAD_JUMP_DESTINATION",
            Self::StackTooSmall => "STACK_TOO_SMALL",
            Self::IllegalOperation => "ILLEGAL_OPERATION",
            Self::StackOverflow => "STACK_OVERFLOW",
            Self::OutOfEnergy => "OUT_OF_ENERGY",
            Self::Unknown => "UNKNOWN",
            Self::TransferFailed => "TRANSFER_FAILED",
        }
    }
}

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Who calls.
    pub(crate) caller: Address,
    /// The contract; `None` creates one from `data`.
    pub(crate) to: Option<Address>,
    /// sun sent along.
    pub(crate) value: u64,
    /// Calldata or creation code.
    pub(crate) data: Vec<u8>,
    /// Everything the caller can spend, penalty included.
    pub(crate) energy_limit: u64,
    /// Dynamic factor in ten-thousandths above 1.
    pub(crate) dynamic_factor: u64,
    /// Block number and time (seconds) the contract sees.
    pub(crate) block_number: u64,
    /// See `block_number`.
    pub(crate) timestamp: u64,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// contractResult.
    pub(crate) verdict: Verdict,
    /// Energy to charge, penalty included: what was used, or the whole limit for any failure but REVERT.
    pub(crate) energy_used: u64,
    /// The part of `energy_used` that the dynamic factor added.
    pub(crate) energy_penalty: u64,
    /// Return data, or revert data.
    pub(crate) output: Bytes,
    /// Empty unless it succeeded.
    pub(crate) logs: Vec<Log>,
    /// The node's text for a failure, empty for success.
    pub(crate) message: String,
    /// State changes; empty unless it succeeded.
    pub(crate) changes: EvmState,
    /// The created contract, if one was.
    pub(crate) created: Option<Address>,
}

/// Runs a call against a world without changing it.
pub(crate) fn run(world: &World, call: &Call) -> Ran {
    let base_limit = scale_down(call.energy_limit, call.dynamic_factor);
    let mut evm = Context::<BlockEnv, TxEnv, CfgEnv, WorldDb<'_>>::new(WorldDb(world), SpecId::OSAKA)
        .with_cfg(cfg())
        .with_block(block(call))
        .build_mainnet_with_inspector(LastOpcode::default());
    *evm.instruction.gas_table_mut() = gas_table();
    evm.instruction.insert_instruction(SSTORE, Instruction::new(tvm_sstore), 0);
    let tx = TxEnv {
        caller: call.caller,
        gas_limit: base_limit,
        gas_price: 0,
        kind: call.to.map_or(TxKind::Create, TxKind::Call),
        value: U256::from(call.value),
        data: Bytes::from(call.data.clone()),
        nonce: world.nonce(&call.caller),
        chain_id: None,
        ..TxEnv::default()
    };
    let outcome = evm.inspect_tx(tx);
    let last_opcode = evm.inspector.0;
    match outcome {
        Ok(done) => judge(call, done.result, done.state, last_opcode),
        Err(error) => Ran {
            verdict: Verdict::Unknown,
            energy_used: call.energy_limit,
            energy_penalty: 0,
            output: Bytes::new(),
            logs: Vec::new(),
            message: error.to_string(),
            changes: EvmState::default(),
            created: None,
        },
    }
}

fn judge(call: &Call, result: ExecutionResult, changes: EvmState, last_opcode: u8) -> Ran {
    let used_base = result.tx_gas_used();
    let used = scale_up(used_base, call.dynamic_factor).min(call.energy_limit);
    let mut ran = Ran {
        verdict: Verdict::Success,
        energy_used: used,
        energy_penalty: used.saturating_sub(used_base),
        output: Bytes::new(),
        logs: Vec::new(),
        message: String::new(),
        changes: EvmState::default(),
        created: None,
    };
    match result {
        ExecutionResult::Success { logs, output, .. } => {
            ran.logs = logs;
            ran.changes = changes;
            match output {
                Output::Call(data) => ran.output = data,
                Output::Create(code, address) => {
                    ran.output = code;
                    ran.created = address;
                }
            }
        }
        ExecutionResult::Revert { output, .. } => {
            ran.verdict = Verdict::Revert;
            ran.output = output;
            ran.message = "REVERT opcode executed".to_owned();
        }
        ExecutionResult::Halt { reason, .. } => {
            let name = OpCode::new(last_opcode).map_or("UNKNOWN", |op| op.as_str());
            (ran.verdict, ran.message) = halt(&reason, name, call.energy_limit);
            ran.energy_used = call.energy_limit;
            ran.energy_penalty =
                call.energy_limit.saturating_sub(scale_down(call.energy_limit, call.dynamic_factor));
        }
    }
    ran
}

/// java-tron's enum value and text for a failure; texts from `Program.java`, class `Program.Exception`.
fn halt(reason: &HaltReason, opcode: &str, limit: u64) -> (Verdict, String) {
    match reason {
        HaltReason::OutOfGas(_) => (
            Verdict::OutOfEnergy,
            format!(
                "Not enough energy for '{opcode}' operation executing: curInvokeEnergyLimit[{limit}], curOpEnergy[0], usedEnergy[{limit}]"
            ),
        ),
        HaltReason::InvalidJump => {
            (Verdict::BadJumpDestination, "Operation with pc isn't 'JUMPDEST': PC[0];".to_owned())
        }
        HaltReason::StackUnderflow => {
            (Verdict::StackTooSmall, "Expected stack size 1 but actual 0;".to_owned())
        }
        HaltReason::StackOverflow => {
            (Verdict::StackOverflow, "Expected: overflow 1024 elements stack limit".to_owned())
        }
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => {
            (Verdict::IllegalOperation, "Invalid operation code: opcode[fe];".to_owned())
        }
        HaltReason::OutOfFunds => (
            Verdict::TransferFailed,
            "transfer trx failed: Validate InternalTransfer error, balance is not sufficient.".to_owned(),
        ),
        other => (Verdict::Unknown, format!("Unknown Exception: {other}")),
    }
}

fn cfg() -> CfgEnv {
    let mut params = GasParams::new_spec(SpecId::OSAKA);
    params.override_gas([
        (GasId::tx_base_stipend(), 0),
        (GasId::tx_token_cost(), 0),
        (GasId::tx_create_cost(), 0),
        (GasId::tx_initcode_cost(), 0),
        (GasId::tx_floor_cost_per_token(), 0),
        (GasId::tx_floor_cost_base_gas(), 0),
        (GasId::initcode_per_word(), 0),
        (GasId::exp_byte_gas(), 10),
        (GasId::cold_account_additional_cost(), 0),
        (GasId::cold_storage_additional_cost(), 0),
        (GasId::cold_storage_cost(), 0),
        (GasId::warm_storage_read_cost(), 0),
        (GasId::sstore_static(), 0),
        (GasId::new_account_cost_for_selfdestruct(), 0),
    ]);
    let mut cfg = CfgEnv::new_with_spec_and_gas_params(SpecId::OSAKA, params);
    cfg.chain_id = super::EVM_CHAIN_ID;
    cfg.tx_chain_id_check = false;
    cfg.disable_nonce_check = true;
    cfg.disable_eip3607 = true;
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    cfg
}

fn block(call: &Call) -> BlockEnv {
    BlockEnv {
        number: U256::from(call.block_number),
        timestamp: U256::from(call.timestamp),
        gas_limit: u64::MAX,
        basefee: 0,
        prevrandao: Some(B256::ZERO),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
        ..BlockEnv::default()
    }
}

/// SSTORE as the TVM prices it: by the present value alone, whatever happened earlier in the transaction.
fn tvm_sstore<IT: InterpreterTypes, H: Host + ?Sized>(
    context: InstructionContext<'_, H, IT>,
) -> InstructionExecResult {
    sstore_with_gas_accounting(context, |context, _, load| {
        let surplus =
            if load.data.is_present_zero() && !load.data.is_new_zero() { SSTORE_SET_SURPLUS } else { 0 };
        if context.interpreter.gas.record_regular_cost(SSTORE_RESET + surplus) {
            Ok(())
        } else {
            Err(InstructionResult::OutOfGas)
        }
    })
}

/// Remembers the operation a call died at: the error text names it.
#[derive(Debug, Default)]
struct LastOpcode(u8);

impl<CTX> Inspector<CTX, EthInterpreter> for LastOpcode {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _context: &mut CTX) {
        self.0 = interpreter.bytecode.opcode();
    }
}

fn scale_down(energy: u64, factor: u64) -> u64 {
    let scaled =
        u128::from(energy) * u128::from(FACTOR_DECIMAL) / u128::from(FACTOR_DECIMAL.saturating_add(factor));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn scale_up(energy: u64, factor: u64) -> u64 {
    let scaled =
        u128::from(energy) * u128::from(FACTOR_DECIMAL.saturating_add(factor)) / u128::from(FACTOR_DECIMAL);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
