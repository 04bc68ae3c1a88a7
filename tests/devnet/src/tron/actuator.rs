//! System contracts: coin transfers, stake, delegation, permissions. java-tron's `actuator/*Actuator.java`.
//!
//! `validate` answers the fee the operation burns or the node's text; `execute` runs only after it, on the same ledger.

use revm::primitives::Address;

use super::address;
use super::execute::BlockContext;
use super::ledger::{Ledger, Resource, TRX};
use super::message::{
    AccountPermissionUpdateContract, DelegateResourceContract, FreezeBalanceV2Contract, Operation,
    Permission, TransferContract, UnDelegateResourceContract, UnfreezeBalanceV2Contract,
};
use super::params::Params;
use super::refusal::Refusal;

/// Lock period a zero stands for: three days of three-second blocks.
const DEFAULT_LOCK_BLOCKS: i64 = 86_400;
const BLOCK_MS: i64 = 3_000;
const DAY_MS: i64 = 86_400_000;
/// Pending unfreezes an account may have.
const UNFREEZES_MAX: usize = 32;

/// Checks an operation and answers the fee it burns, in sun.
pub(crate) fn validate(
    ledger: &Ledger,
    params: &Params,
    block: BlockContext,
    operation: &Operation,
) -> Result<i64, Refusal> {
    match operation {
        Operation::Transfer(m) => validate_transfer(ledger, params, m),
        Operation::Freeze(m) => validate_freeze(ledger, m),
        Operation::Unfreeze(m) => validate_unfreeze(ledger, m),
        Operation::Delegate(m) => validate_delegate(ledger, params, block, m),
        Operation::UnDelegate(m) => validate_undelegate(ledger, block, m),
        Operation::PermissionUpdate(m) => validate_permissions(ledger, params, m),
        Operation::Trigger(_) => Ok(0),
    }
}

/// Carries an operation out.
pub(crate) fn execute(
    ledger: &mut Ledger,
    params: &Params,
    block: BlockContext,
    operation: &Operation,
) -> Result<(), Refusal> {
    match operation {
        Operation::Transfer(m) => execute_transfer(ledger, block, m),
        Operation::Freeze(m) => execute_freeze(ledger, m),
        Operation::Unfreeze(m) => execute_unfreeze(ledger, params, block, m),
        Operation::Delegate(m) => execute_delegate(ledger, block, m),
        Operation::UnDelegate(m) => execute_undelegate(ledger, block, m),
        Operation::PermissionUpdate(m) => execute_permissions(ledger, m),
        Operation::Trigger(_) => Ok(()),
    }
}

fn owner(bytes: &[u8]) -> Result<Address, Refusal> {
    address::from_bytes(bytes).ok_or_else(|| Refusal::validate("Invalid ownerAddress!"))
}

fn resource(code: i32) -> Result<Resource, Refusal> {
    Resource::from_code(code)
        .ok_or_else(|| Refusal::validate("ResourceCode error, valid ResourceCode[BANDWIDTH、ENERGY]"))
}

fn validate_transfer(ledger: &Ledger, params: &Params, m: &TransferContract) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    let to = address::from_bytes(&m.to_address).ok_or_else(|| Refusal::validate("Invalid toAddress!"))?;
    if from == to {
        return Err(Refusal::validate("Cannot transfer TRX to yourself."));
    }
    if ledger.account(&from).is_none() {
        return Err(Refusal::validate("Validate TransferContract error, no OwnerAccount."));
    }
    if m.amount <= 0 {
        return Err(Refusal::validate("Amount must be greater than 0."));
    }
    let mut fee = 0;
    match ledger.account(&to) {
        None => fee = params.value("getCreateNewAccountFeeInSystemContract"),
        Some(account) if account.is_contract => {
            return Err(Refusal::validate("Cannot transfer TRX to a smartContract."));
        }
        Some(_) => {}
    }
    if ledger.balance_sun(&from) < m.amount.saturating_add(fee) {
        return Err(Refusal::validate("Validate TransferContract error, balance is not sufficient."));
    }
    Ok(fee)
}

fn execute_transfer(ledger: &mut Ledger, block: BlockContext, m: &TransferContract) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    let to = owner(&m.to_address)?;
    ledger.activate(to, block.timestamp_ms);
    if !ledger.debit(from, m.amount) {
        return Err(Refusal::execution("balance is not sufficient."));
    }
    ledger.credit(to, m.amount);
    Ok(())
}

fn validate_freeze(ledger: &Ledger, m: &FreezeBalanceV2Contract) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    resource(m.resource)?;
    if m.frozen_balance <= 0 {
        return Err(Refusal::validate("frozenBalance must be positive"));
    }
    if m.frozen_balance < TRX {
        return Err(Refusal::validate("frozenBalance must be greater than or equal to 1 TRX"));
    }
    if m.frozen_balance > ledger.balance_sun(&from) {
        return Err(Refusal::validate("frozenBalance must be less than or equal to accountBalance"));
    }
    Ok(0)
}

fn execute_freeze(ledger: &mut Ledger, m: &FreezeBalanceV2Contract) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    if !ledger.debit(from, m.frozen_balance) {
        return Err(Refusal::execution("balance is not sufficient."));
    }
    ledger.change_stake(&from, resource(m.resource)?, m.frozen_balance);
    Ok(())
}

fn validate_unfreeze(ledger: &Ledger, m: &UnfreezeBalanceV2Contract) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    let kind = resource(m.resource)?;
    let frozen = ledger.account(&from).map_or(0, |a| a.stake(kind).frozen);
    if frozen <= 0 {
        return Err(Refusal::validate("no frozenBalance"));
    }
    if m.unfreeze_balance <= 0 || m.unfreeze_balance > frozen {
        return Err(Refusal::validate(format!(
            "Invalid unfreeze_balance, [{}] is error",
            m.unfreeze_balance
        )));
    }
    let pending = ledger.account(&from).map_or(0, |a| a.unfreezing.len());
    if pending >= UNFREEZES_MAX {
        return Err(Refusal::validate("Invalid unfreeze operation, unfreezing times is over limit"));
    }
    Ok(0)
}

fn execute_unfreeze(
    ledger: &mut Ledger,
    params: &Params,
    block: BlockContext,
    m: &UnfreezeBalanceV2Contract,
) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    let kind = resource(m.resource)?;
    let ready_ms =
        block.timestamp_ms.saturating_add(params.value("getUnfreezeDelayDays").saturating_mul(DAY_MS));
    ledger.change_stake(&from, kind, m.unfreeze_balance.saturating_neg());
    if let Some(account) = ledger.account_mut(&from) {
        account.unfreezing.push((kind, m.unfreeze_balance, ready_ms));
    }
    Ok(())
}

/// Own stake that may still be lent: what current usage occupies stays.
pub(crate) fn delegatable(
    ledger: &Ledger,
    params: &Params,
    from: &Address,
    kind: Resource,
    now_ms: i64,
) -> i64 {
    let Some(account) = ledger.account(from) else {
        return 0;
    };
    let stake = account.stake(kind);
    let limit = ledger.limit(from, kind, params).max(1);
    let whole = stake.frozen.saturating_add(stake.acquired);
    let occupied = i128::from(stake.used.at(now_ms)) * i128::from(whole) / i128::from(limit);
    let occupied = i64::try_from(occupied).unwrap_or(i64::MAX).saturating_sub(stake.acquired).max(0);
    stake.frozen.saturating_sub(occupied).max(0)
}

fn validate_delegate(
    ledger: &Ledger,
    params: &Params,
    block: BlockContext,
    m: &DelegateResourceContract,
) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    if m.balance < TRX {
        return Err(Refusal::validate("delegateBalance must be greater than or equal to 1 TRX"));
    }
    let kind = resource(m.resource)?;
    if m.balance > delegatable(ledger, params, &from, kind, block.timestamp_ms) {
        return Err(Refusal::validate(match kind {
            Resource::Bandwidth => {
                "delegateBalance must be less than or equal to available FreezeBandwidthV2 balance"
            }
            Resource::Energy => {
                "delegateBalance must be less than or equal to available FreezeEnergyV2 balance"
            }
        }));
    }
    let to = address::from_bytes(&m.receiver_address)
        .ok_or_else(|| Refusal::validate("Invalid receiverAddress"))?;
    if to == from {
        return Err(Refusal::validate("receiverAddress must not be the same as ownerAddress"));
    }
    let Some(receiver) = ledger.account(&to) else {
        return Err(Refusal::validate(format!("Account[{}] not exists", address::to_text(&to))));
    };
    if m.lock {
        validate_lock(ledger, params, block, m, (from, to, kind))?;
    }
    if receiver.is_contract {
        return Err(Refusal::validate("Do not allow delegate resources to contract addresses"));
    }
    Ok(0)
}

fn validate_lock(
    ledger: &Ledger,
    params: &Params,
    block: BlockContext,
    m: &DelegateResourceContract,
    key: (Address, Address, Resource),
) -> Result<(), Refusal> {
    let most = params.value("getMaxDelegateLockPeriod");
    if m.lock_period < 0 || m.lock_period > most {
        return Err(Refusal::validate(format!(
            "The lock period of delegate resource cannot be less than 0 and cannot exceed {most}!"
        )));
    }
    let before = ledger.delegations.get(&key).map_or(0, |loan| loan.locked_until_ms);
    if locked_until(block, m.lock_period) < before {
        return Err(Refusal::validate(
            "The lock period for this time cannot be less than the remaining time of the last lock period",
        ));
    }
    Ok(())
}

fn locked_until(block: BlockContext, lock_period: i64) -> i64 {
    let blocks = if lock_period == 0 { DEFAULT_LOCK_BLOCKS } else { lock_period };
    block.timestamp_ms.saturating_add(blocks.saturating_mul(BLOCK_MS))
}

fn execute_delegate(
    ledger: &mut Ledger,
    block: BlockContext,
    m: &DelegateResourceContract,
) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    let to = owner(&m.receiver_address)?;
    let kind = resource(m.resource)?;
    if let Some(account) = ledger.account_mut(&from) {
        let stake = account.stake_mut(kind);
        stake.frozen = stake.frozen.saturating_sub(m.balance);
        stake.delegated = stake.delegated.saturating_add(m.balance);
    }
    if let Some(account) = ledger.account_mut(&to) {
        let stake = account.stake_mut(kind);
        stake.acquired = stake.acquired.saturating_add(m.balance);
    }
    let loan = ledger.delegations.entry((from, to, kind)).or_default();
    loan.amount = loan.amount.saturating_add(m.balance);
    if m.lock {
        loan.locked = loan.locked.saturating_add(m.balance);
        loan.locked_until_ms = locked_until(block, m.lock_period);
    }
    Ok(())
}

fn validate_undelegate(
    ledger: &Ledger,
    block: BlockContext,
    m: &UnDelegateResourceContract,
) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    let to = address::from_bytes(&m.receiver_address)
        .ok_or_else(|| Refusal::validate("Invalid receiverAddress"))?;
    let kind = resource(m.resource)?;
    let loan = ledger.delegations.get(&(from, to, kind)).copied();
    let Some(loan) = loan.filter(|loan| loan.amount > 0) else {
        return Err(Refusal::validate("delegated Resource does not exist"));
    };
    if m.balance <= 0 {
        return Err(Refusal::validate("unDelegateBalance must be more than 0 TRX"));
    }
    let locked = if loan.locked_until_ms > block.timestamp_ms { loan.locked } else { 0 };
    if m.balance > loan.amount.saturating_sub(locked) {
        return Err(Refusal::validate(match kind {
            Resource::Bandwidth => "insufficient delegatedFrozenBalance(BANDWIDTH), request, unlock_balance",
            Resource::Energy => "insufficient delegateFrozenBalance(ENERGY), request, unlock_balance",
        }));
    }
    Ok(0)
}

fn execute_undelegate(
    ledger: &mut Ledger,
    block: BlockContext,
    m: &UnDelegateResourceContract,
) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    let to = owner(&m.receiver_address)?;
    let kind = resource(m.resource)?;
    let now = block.timestamp_ms;
    let mut moved = 0;
    if let Some(account) = ledger.account_mut(&to) {
        let stake = account.stake_mut(kind);
        let whole = stake.frozen.saturating_add(stake.acquired).max(1);
        // The receiver's usage moves back in the proportion the stake does.
        let part = i128::from(stake.used.at(now)) * i128::from(m.balance) / i128::from(whole);
        moved = i64::try_from(part).unwrap_or(0);
        stake.used.add(moved.saturating_neg(), now);
        stake.acquired = stake.acquired.saturating_sub(m.balance);
    }
    if let Some(account) = ledger.account_mut(&from) {
        let stake = account.stake_mut(kind);
        stake.delegated = stake.delegated.saturating_sub(m.balance);
        stake.frozen = stake.frozen.saturating_add(m.balance);
        stake.used.add(moved, now);
    }
    if let Some(loan) = ledger.delegations.get_mut(&(from, to, kind)) {
        loan.amount = loan.amount.saturating_sub(m.balance);
        if loan.locked_until_ms <= now {
            loan.locked = 0;
        }
    }
    Ok(())
}

fn validate_permissions(
    ledger: &Ledger,
    params: &Params,
    m: &AccountPermissionUpdateContract,
) -> Result<i64, Refusal> {
    let from = owner(&m.owner_address)?;
    if ledger.account(&from).is_none() {
        return Err(Refusal::validate("ownerAddress account does not exist"));
    }
    let Some(owner_permission) = &m.owner else {
        return Err(Refusal::validate("owner permission is missed"));
    };
    if m.witness.is_some() {
        return Err(Refusal::validate("account isn't witness can't set witness permission"));
    }
    if m.actives.is_empty() {
        return Err(Refusal::validate("active permission is missed"));
    }
    if m.actives.len() > 8 {
        return Err(Refusal::validate("active permission is too many"));
    }
    if owner_permission.r#type != 0 {
        return Err(Refusal::validate("owner permission type is error"));
    }
    validate_permission(owner_permission)?;
    if !owner_permission.operations.is_empty() {
        return Err(Refusal::validate("Owner permission needn't operations"));
    }
    for active in &m.actives {
        if active.r#type != 2 {
            return Err(Refusal::validate("active permission type is error"));
        }
        validate_permission(active)?;
        if active.operations.len() != 32 {
            return Err(Refusal::validate("operations size must 32"));
        }
    }
    Ok(params.value("getUpdateAccountPermissionFee"))
}

fn validate_permission(permission: &Permission) -> Result<(), Refusal> {
    if permission.keys.len() > 5 {
        return Err(Refusal::validate("number of keys in permission should not be greater than 5"));
    }
    if permission.keys.is_empty() {
        return Err(Refusal::validate("key's count should be greater than 0"));
    }
    if permission.threshold <= 0 {
        return Err(Refusal::validate("permission's threshold should be greater than 0"));
    }
    if permission.permission_name.chars().count() > 32 {
        return Err(Refusal::validate("permission's name is too long"));
    }
    if permission.parent_id != 0 {
        return Err(Refusal::validate("permission's parent should be owner"));
    }
    let mut sum: i64 = 0;
    for (position, key) in permission.keys.iter().enumerate() {
        if permission.keys[..position].iter().any(|other| other.address == key.address) {
            return Err(Refusal::validate("address should be distinct in permission Owner"));
        }
        if address::from_bytes(&key.address).is_none() {
            return Err(Refusal::validate("key is not a validate address"));
        }
        if key.weight <= 0 {
            return Err(Refusal::validate("key's weight should be greater than 0"));
        }
        sum = sum.saturating_add(key.weight);
    }
    if sum < permission.threshold {
        return Err(Refusal::validate(
            "sum of all key's weight should not be less than threshold in permission Owner",
        ));
    }
    Ok(())
}

fn execute_permissions(ledger: &mut Ledger, m: &AccountPermissionUpdateContract) -> Result<(), Refusal> {
    let from = owner(&m.owner_address)?;
    if let Some(account) = ledger.account_mut(&from) {
        account.owner = m.owner.clone().map(|permission| Permission { id: 0, ..permission });
        account.actives = (2..)
            .zip(m.actives.iter().cloned())
            .map(|(id, permission)| Permission { id, ..permission })
            .collect();
    }
    Ok(())
}
