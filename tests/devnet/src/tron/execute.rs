//! One transaction against a ledger: bandwidth, fees, then its operation. java-tron's `Manager.processTransaction`.
//!
//! Called at broadcast (against the pool's state) and again at inclusion. On an error the caller throws the ledger away, so a
//! refused transaction changes nothing; a failed contract call is not an error, it is charged and recorded.

use prost::Message;
use revm::primitives::{Address, Log};

use super::actuator;
use super::address;
use super::ledger::{Ledger, Resource};
use super::message::{Operation, Transaction, TriggerSmartContract, transaction_id};
use super::params::Params;
use super::refusal::{Code, Refusal};
use super::tvm::{self, Call, Verdict};

/// `MAX_RESULT_SIZE_IN_TX`: added to the size for bandwidth.
const RESULT_BYTES: i64 = 64;

/// The block a transaction is executed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockContext {
    /// Its number.
    pub(crate) number: u64,
    /// Its time, ms.
    pub(crate) timestamp_ms: i64,
}

/// `TransactionInfo`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    /// txID.
    pub(crate) id: [u8; 32],
    /// Everything burned, sun.
    pub(crate) fee: i64,
    /// Return data of a call.
    pub(crate) output: Vec<u8>,
    /// The called contract.
    pub(crate) contract: Option<Address>,
    /// Bytes paid by stake or the free allowance.
    pub(crate) net_usage: i64,
    /// Bytes (or the flat creation fee) paid in sun.
    pub(crate) net_fee: i64,
    /// Energy paid by stake.
    pub(crate) energy_usage: i64,
    /// Energy paid in sun.
    pub(crate) energy_fee: i64,
    /// All energy.
    pub(crate) energy_total: i64,
    /// The dynamic factor's part.
    pub(crate) energy_penalty: i64,
    /// contractResult of a call; `None` for a system contract.
    pub(crate) verdict: Option<Verdict>,
    /// Failure text.
    pub(crate) message: String,
    /// Logs, none on failure.
    pub(crate) logs: Vec<Log>,
}

/// Size for bandwidth: with signatures, without `ret`, plus 64.
pub(crate) fn bandwidth_bytes(transaction: &Transaction) -> i64 {
    let bare = Transaction { ret: Vec::new(), ..transaction.clone() };
    i64::try_from(bare.encoded_len()).unwrap_or(i64::MAX - RESULT_BYTES) + RESULT_BYTES
}

/// Executes a transaction whose signatures, reference and expiry were checked. The ledger is spoiled on an error.
pub(crate) fn apply(
    ledger: &mut Ledger,
    params: &Params,
    block: BlockContext,
    transaction: &Transaction,
) -> Result<Info, Refusal> {
    let raw = transaction.raw_data.as_ref().ok_or_else(|| Refusal::validate("No contract!"))?;
    let contract = raw.contract.first().ok_or_else(|| Refusal::validate("No contract!"))?;
    let operation = Operation::unpack(contract).ok_or_else(|| {
        Refusal::validate(format!("contract type {} is not executed here", contract.r#type))
    })?;
    let mut run = Run { ledger, params, block, info: Info { id: transaction_id(raw), ..Info::default() } };
    let owner = address::from_bytes(operation.owner_address())
        .ok_or_else(|| Refusal::validate("Invalid ownerAddress!"))?;
    run.bandwidth(owner, transaction, &operation)?;
    if transaction.signature.len() > 1 {
        run.burn(owner, run.params.value("getMultiSignFee"))?;
    }
    if !raw.data.is_empty() {
        run.burn(owner, run.params.value("getMemoFee"))?;
    }
    match &operation {
        Operation::Trigger(trigger) => run.call(owner, trigger, raw.fee_limit)?,
        system => {
            let fee = actuator::validate(run.ledger, run.params, run.block, system)?;
            if !run.ledger.debit(owner, fee) {
                return Err(Refusal::validate("balance is not sufficient."));
            }
            run.info.fee = run.info.fee.saturating_add(fee);
            actuator::execute(run.ledger, run.params, run.block, system)?;
        }
    }
    Ok(run.info)
}

struct Run<'a> {
    ledger: &'a mut Ledger,
    params: &'a Params,
    block: BlockContext,
    info: Info,
}

impl Run<'_> {
    /// Burns a fee that a missing balance turns into BANDWITH_ERROR.
    fn burn(&mut self, owner: Address, sun: i64) -> Result<(), Refusal> {
        if !self.ledger.debit(owner, sun) {
            return Err(Refusal::resource());
        }
        self.info.fee = self.info.fee.saturating_add(sun);
        Ok(())
    }

    /// All-or-nothing from one source: stake, free allowance, burn; account creation has its own rule.
    fn bandwidth(
        &mut self,
        owner: Address,
        transaction: &Transaction,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        if self.ledger.account(&owner).is_none() {
            return Err(Refusal::validate(format!("account [{}] does not exist", address::to_text(&owner))));
        }
        let bytes = bandwidth_bytes(transaction);
        let creates = self.creates_account(operation);
        if creates {
            self.creation_size(transaction)?;
        }
        let now = self.block.timestamp_ms;
        let rate = if creates { self.params.value("getCreateNewAccountBandwidthRate").max(1) } else { 1 };
        let staked_cost = bytes.saturating_mul(rate);
        let left = self.ledger.left(&owner, Resource::Bandwidth, self.params, now);
        let free_limit = self.params.value("getFreeNetLimit");
        let Some(account) = self.ledger.account_mut(&owner) else {
            return Err(Refusal::resource());
        };
        if staked_cost <= left {
            account.bandwidth.used.add(staked_cost, now);
            self.info.net_usage = staked_cost;
            return Ok(());
        }
        if !creates && bytes <= free_limit.saturating_sub(account.free_used.at(now)) {
            account.free_used.add(bytes, now);
            self.info.net_usage = bytes;
            return Ok(());
        }
        let fee = if creates {
            self.params.value("getCreateAccountFee")
        } else {
            bytes.saturating_mul(self.params.value("getTransactionFee"))
        };
        self.burn(owner, fee)?;
        self.info.net_fee = fee;
        Ok(())
    }

    fn creates_account(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Transfer(transfer) => {
                address::from_bytes(&transfer.to_address).is_some_and(|to| self.ledger.account(&to).is_none())
            }
            _ => false,
        }
    }

    fn creation_size(&self, transaction: &Transaction) -> Result<(), Refusal> {
        let signatures = i64::try_from(transaction.signature.len()).unwrap_or(i64::MAX);
        let size =
            (bandwidth_bytes(transaction) - RESULT_BYTES).saturating_sub(signatures.saturating_mul(65));
        let most = self.params.value("getMaxCreateAccountTxSize");
        if size > most {
            return Err(Refusal::new(
                Code::TooBigTransactionError,
                format!(
                    "Too big new account transaction, TxId {}, the size is {size} bytes, maxTxSize {most}",
                    hex::encode(self.info.id)
                ),
            ));
        }
        Ok(())
    }

    /// A contract call: `VMActuator` and `ReceiptCapsule.payEnergyBill`.
    fn call(
        &mut self,
        owner: Address,
        trigger: &TriggerSmartContract,
        fee_limit_sun: i64,
    ) -> Result<(), Refusal> {
        let contract = address::from_bytes(&trigger.contract_address)
            .filter(|contract| self.ledger.contract(contract).is_some())
            .ok_or_else(|| Refusal::validate("No contract or not a smart contract"))?;
        let most = self.params.value("getMaxFeeLimit");
        if fee_limit_sun < 0 || fee_limit_sun > most {
            return Err(Refusal::validate(format!("feeLimit must be >= 0 and <= {most}")));
        }
        if trigger.token_id != 0 || trigger.call_token_value != 0 {
            return Err(Refusal::validate("No asset !"));
        }
        let balance = self.ledger.balance_sun(&owner);
        let value =
            u64::try_from(trigger.call_value).map_err(|_| Refusal::validate("callValue must be >= 0"))?;
        if balance < trigger.call_value {
            return Err(Refusal::validate("Validate InternalTransfer error, balance is not sufficient."));
        }
        let now = self.block.timestamp_ms;
        let price = self.params.value("getEnergyFee").max(1);
        let staked = self.ledger.left(&owner, Resource::Energy, self.params, now);
        let affordable = staked.saturating_add((balance - trigger.call_value).max(0) / price);
        let limit = affordable.min(fee_limit_sun / price);
        let ran = tvm::run(
            &self.ledger.world,
            &Call {
                caller: owner,
                to: Some(contract),
                value,
                data: trigger.data.clone(),
                energy_limit: u64::try_from(limit).unwrap_or(0),
                dynamic_factor: self.params.dynamic_energy_factor,
                block_number: self.block.number,
                timestamp: u64::try_from(now / 1000).unwrap_or(0),
            },
        );
        self.take_changes(ran.changes);
        self.info.contract = Some(contract);
        self.info.verdict = Some(ran.verdict);
        self.info.message = ran.message;
        self.info.output = ran.output.to_vec();
        self.info.logs = ran.logs;
        self.info.energy_total = i64::try_from(ran.energy_used).unwrap_or(i64::MAX);
        self.info.energy_penalty = i64::try_from(ran.energy_penalty).unwrap_or(i64::MAX);
        self.pay_energy(owner, staked, price)
    }

    /// Contracts that received coin inside the call became accounts; so did plain addresses.
    fn take_changes(&mut self, changes: revm::state::EvmState) {
        let paid: Vec<Address> = changes
            .iter()
            .filter(|(_, account)| account.is_touched() && !account.info.balance.is_zero())
            .map(|(address, _)| *address)
            .collect();
        self.ledger.world.commit(changes);
        for address in paid {
            self.ledger.activate(address, self.block.timestamp_ms);
        }
    }

    /// Stake first, the rest burned.
    fn pay_energy(&mut self, owner: Address, staked: i64, price: i64) -> Result<(), Refusal> {
        let from_stake = staked.min(self.info.energy_total);
        let burned = (self.info.energy_total - from_stake).saturating_mul(price);
        if from_stake > 0
            && let Some(account) = self.ledger.account_mut(&owner)
        {
            account.energy.used.add(from_stake, self.block.timestamp_ms);
        }
        if !self.ledger.debit(owner, burned) {
            return Err(Refusal::execution(format!("{} insufficient balance", address::to_text(&owner))));
        }
        self.info.energy_usage = from_stake;
        self.info.energy_fee = burned;
        self.info.fee = self.info.fee.saturating_add(burned);
        Ok(())
    }
}
