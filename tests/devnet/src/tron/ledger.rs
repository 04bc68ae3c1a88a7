//! TRON's state after a block: accounts with permissions, stake and resource windows, over the engine's world.
//!
//! Changed by `execute.rs` only (and by the control routes); every kept block holds one. Resource rules follow java-tron's
//! `BandwidthProcessor` and `EnergyProcessor`: usage decays linearly over 24 hours, limits are the stake's share of the network's.

use std::collections::HashMap;
use std::sync::Arc;

use revm::primitives::{Address, U256};
use serde_json::Value;

use super::message::{Key, Permission};
use super::params::Params;
use crate::world::World;

/// Usage recovers over this window.
const WINDOW_MS: i64 = 86_400_000;
/// One TRX.
pub(crate) const TRX: i64 = 1_000_000;
/// Stake of everybody else, in TRX: what makes one staked TRX worth about nine energy, as on mainnet.
const OTHERS_ENERGY_WEIGHT: i64 = 19_000_000_000;
const OTHERS_NET_WEIGHT: i64 = 27_000_000_000;
/// The contract types a default active permission allows (Nile, 2026).
pub(crate) const DEFAULT_OPERATIONS: [u8; 8] = [0x7f, 0xff, 0x1f, 0xc0, 0x03, 0x3e, 0xfb, 0x0f];

/// BANDWIDTH or ENERGY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    /// Bytes of transactions.
    Bandwidth,
    /// Computation.
    Energy,
}

impl Resource {
    /// From the protobuf enum; TRON_POWER (2) and unknown numbers are `None`.
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Bandwidth),
            1 => Some(Self::Energy),
            _ => None,
        }
    }
}

/// An amount used at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    amount: i64,
    at_ms: i64,
}

impl Usage {
    /// What is left of the usage at that time.
    pub(crate) fn at(self, now_ms: i64) -> i64 {
        let elapsed = now_ms.saturating_sub(self.at_ms).clamp(0, WINDOW_MS);
        let left = i128::from(self.amount) * i128::from(WINDOW_MS - elapsed) / i128::from(WINDOW_MS);
        i64::try_from(left).unwrap_or(i64::MAX)
    }

    /// Adds a use.
    pub(crate) fn add(&mut self, amount: i64, now_ms: i64) {
        self.amount = self.at(now_ms).saturating_add(amount);
        self.at_ms = now_ms;
    }
}

/// An account's stake in one resource, in sun, and its use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stake {
    /// Own stake not lent out.
    pub(crate) frozen: i64,
    /// Own stake lent out.
    pub(crate) delegated: i64,
    /// Others' stake lent to this account.
    pub(crate) acquired: i64,
    /// Resource used.
    pub(crate) used: Usage,
}

/// A TRON account beyond its balance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Block time of its creation, ms.
    pub(crate) created_ms: i64,
    /// Whether it is a contract.
    pub(crate) is_contract: bool,
    /// Owner permission, if it was ever changed.
    pub(crate) owner: Option<Permission>,
    /// Active permissions, if they were ever changed.
    pub(crate) actives: Vec<Permission>,
    /// Bandwidth stake.
    pub(crate) bandwidth: Stake,
    /// Energy stake.
    pub(crate) energy: Stake,
    /// Free bandwidth used.
    pub(crate) free_used: Usage,
    /// Unfreezing stake: resource, sun, ms at which it may be withdrawn.
    pub(crate) unfreezing: Vec<(Resource, i64, i64)>,
}

impl Account {
    /// The stake in one resource.
    pub(crate) fn stake(&self, resource: Resource) -> &Stake {
        match resource {
            Resource::Bandwidth => &self.bandwidth,
            Resource::Energy => &self.energy,
        }
    }

    /// The stake in one resource, for changing.
    pub(crate) fn stake_mut(&mut self, resource: Resource) -> &mut Stake {
        match resource {
            Resource::Bandwidth => &mut self.bandwidth,
            Resource::Energy => &mut self.energy,
        }
    }
}

/// What the chain knows of a contract beyond its code.
#[derive(Debug, Clone)]
pub(crate) struct ContractMeta {
    /// Name given at deployment.
    pub(crate) name: String,
    /// ABI entries, as compiled.
    pub(crate) abi: Value,
    /// Who deployed it.
    pub(crate) origin: Address,
}

/// One loan of staked resource.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Delegation {
    /// sun lent.
    pub(crate) amount: i64,
    /// Part of `amount` that cannot be taken back before `locked_until_ms`.
    pub(crate) locked: i64,
    /// See `locked`.
    pub(crate) locked_until_ms: i64,
}

/// The whole state after a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Balances, code and storage.
    pub(crate) world: World,
    accounts: HashMap<Address, Arc<Account>>,
    contracts: HashMap<Address, Arc<ContractMeta>>,
    /// Loans by lender, borrower and resource.
    pub(crate) delegations: HashMap<(Address, Address, Resource), Delegation>,
    energy_staked: i64,
    bandwidth_staked: i64,
}

impl Ledger {
    /// The account, if it is activated.
    pub(crate) fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.get(address).map(Arc::as_ref)
    }

    /// The account for changing; `None` if it is not activated.
    pub(crate) fn account_mut(&mut self, address: &Address) -> Option<&mut Account> {
        self.accounts.get_mut(address).map(Arc::make_mut)
    }

    /// Activates an account unless it is active.
    pub(crate) fn activate(&mut self, address: Address, now_ms: i64) -> &mut Account {
        let account = self
            .accounts
            .entry(address)
            .or_insert_with(|| Arc::new(Account { created_ms: now_ms, ..Account::default() }));
        Arc::make_mut(account)
    }

    /// Deployed contract's description.
    pub(crate) fn contract(&self, address: &Address) -> Option<&ContractMeta> {
        self.contracts.get(address).map(Arc::as_ref)
    }

    /// Records a deployed contract.
    pub(crate) fn add_contract(&mut self, address: Address, meta: ContractMeta, now_ms: i64) {
        self.activate(address, now_ms).is_contract = true;
        self.contracts.insert(address, Arc::new(meta));
    }

    /// Balance in sun.
    pub(crate) fn balance_sun(&self, address: &Address) -> i64 {
        i64::try_from(self.world.balance(address)).unwrap_or(i64::MAX)
    }

    /// Adds sun (the account must be active to be visible).
    pub(crate) fn credit(&mut self, address: Address, sun: i64) {
        let account = self.world.account_mut(address);
        account.balance = account.balance.saturating_add(U256::from(u64::try_from(sun).unwrap_or(0)));
    }

    /// Takes sun away; false, and nothing changed, if there is not enough or the amount is negative.
    #[must_use]
    pub(crate) fn debit(&mut self, address: Address, sun: i64) -> bool {
        let Ok(sun) = u64::try_from(sun) else {
            return false;
        };
        let Some(left) = self.world.balance(&address).checked_sub(U256::from(sun)) else {
            return false;
        };
        if sun > 0 {
            self.world.account_mut(address).balance = left;
        }
        true
    }

    /// Changes own stake and the network's total by `sun`, which may be negative.
    pub(crate) fn change_stake(&mut self, address: &Address, resource: Resource, sun: i64) {
        if let Some(account) = self.account_mut(address) {
            let stake = account.stake_mut(resource);
            stake.frozen = stake.frozen.saturating_add(sun);
        }
        let total = match resource {
            Resource::Bandwidth => &mut self.bandwidth_staked,
            Resource::Energy => &mut self.energy_staked,
        };
        *total = total.saturating_add(sun);
    }

    /// All stake in a resource, in TRX.
    pub(crate) fn total_weight(&self, resource: Resource) -> i64 {
        match resource {
            Resource::Bandwidth => OTHERS_NET_WEIGHT + self.bandwidth_staked / TRX,
            Resource::Energy => OTHERS_ENERGY_WEIGHT + self.energy_staked / TRX,
        }
    }

    /// What the stake of an account (own and lent to it) is worth: its share of the network's limit.
    pub(crate) fn limit(&self, address: &Address, resource: Resource, params: &Params) -> i64 {
        let Some(account) = self.account(address) else {
            return 0;
        };
        let stake = account.stake(resource);
        let total_limit = match resource {
            Resource::Bandwidth => params.value("getTotalNetLimit"),
            Resource::Energy => params.value("getTotalEnergyCurrentLimit"),
        };
        let sun = i128::from(stake.frozen.saturating_add(stake.acquired));
        let share = sun * i128::from(total_limit)
            / (i128::from(TRX) * i128::from(self.total_weight(resource).max(1)));
        i64::try_from(share).unwrap_or(i64::MAX)
    }

    /// What is left of that limit now.
    pub(crate) fn left(&self, address: &Address, resource: Resource, params: &Params, now_ms: i64) -> i64 {
        let used = self.account(address).map_or(0, |a| a.stake(resource).used.at(now_ms));
        self.limit(address, resource, params).saturating_sub(used).max(0)
    }

    /// The permission with that id; accounts that do not exist have the defaults 0 and 2.
    pub(crate) fn permission(&self, address: &Address, id: i32) -> Option<Permission> {
        let account = self.account(address);
        match id {
            0 => Some(account.and_then(|a| a.owner.clone()).unwrap_or_else(|| default_owner(address))),
            _ => self.active_permissions(address).into_iter().find(|p| p.id == id),
        }
    }

    /// The active permissions, in order.
    pub(crate) fn active_permissions(&self, address: &Address) -> Vec<Permission> {
        match self.account(address) {
            Some(account) if account.owner.is_some() => account.actives.clone(),
            _ => vec![default_active(address)],
        }
    }
}

fn default_owner(address: &Address) -> Permission {
    Permission {
        r#type: 0,
        permission_name: "owner".to_owned(),
        threshold: 1,
        keys: vec![Key { address: super::address::to_bytes(address), weight: 1 }],
        ..Permission::default()
    }
}

fn default_active(address: &Address) -> Permission {
    let mut operations = DEFAULT_OPERATIONS.to_vec();
    operations.resize(32, 0);
    Permission {
        r#type: 2,
        id: 2,
        permission_name: "active".to_owned(),
        operations,
        ..default_owner(address)
    }
}
