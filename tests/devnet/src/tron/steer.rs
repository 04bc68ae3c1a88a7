//! The control routes' hands on the TRON chain.
//!
//! Amendments (fund, deploy, stake) reach every kept state at once, as if they had always been there, so that reorgs and solid views
//! agree with them. Transfers and calls are ordinary signed transactions of the deployer.

use revm::primitives::{Address, U256};
use serde_json::Value;

use super::address;
use super::broadcast;
use super::chain::{Block, TronChain};
use super::ledger::{ContractMeta, Ledger, Resource};
use super::message::{Operation, Raw, Transaction, TransferContract, TriggerSmartContract, transaction_id};
use super::tvm::{self, Call, Ran, Verdict};
use crate::chain::{Chain, ControlError, Head, ReorgTransactions};
use crate::clock::Clock;
use crate::contracts;

/// Enough for any call the deployer makes.
const DEPLOYER_FEE_LIMIT_SUN: i64 = 15_000_000_000;
const DEPLOYER_LIFE_MS: i64 = 3_600_000;
/// Energy nobody counts: simulations and deployments by control.
pub(crate) const PLENTY: u64 = 100_000_000;
/// Where the nonces of deployments by control begin.
const DEPLOY_NONCES: u64 = 1 << 40;

impl TronChain {
    fn parse(text: &str) -> Result<Address, ControlError> {
        address::parse(text).ok_or_else(|| ControlError::Address(text.to_owned()))
    }

    /// Runs a call against a state without leaving a trace.
    pub(crate) fn simulate(&self, block: &Block, ledger: &Ledger, mut call: Call) -> Ran {
        call.block_number = block.number();
        call.timestamp = u64::try_from(block.header.timestamp / 1000).unwrap_or(0);
        call.dynamic_factor = self.params.dynamic_energy_factor;
        tvm::run(&ledger.world, &call)
    }

    fn token_balance(&self, block: &Block, token: Address, holder: &Address) -> U256 {
        let ran = self.simulate(
            block,
            &block.ledger,
            simulation(*holder, Some(token), contracts::balance_of(holder)),
        );
        U256::try_from_be_slice(&ran.output).unwrap_or(U256::ZERO)
    }

    fn send(&mut self, operation: &Operation) -> Result<String, ControlError> {
        let reference = self.block(self.solid).unwrap_or_else(|| self.head());
        let id = reference.id;
        let head_ms = self.head().header.timestamp;
        self.serial += 1;
        let is_call = matches!(operation, Operation::Trigger(_));
        let raw = Raw {
            ref_block_bytes: id[6..8].to_vec(),
            ref_block_hash: id[8..16].to_vec(),
            expiration: head_ms + DEPLOYER_LIFE_MS,
            contract: vec![operation.pack()],
            timestamp: head_ms + self.serial,
            fee_limit: if is_call { DEPLOYER_FEE_LIMIT_SUN } else { 0 },
            ..Raw::default()
        };
        let (r_and_s, recovery) = self.deployer.sign(&transaction_id(&raw));
        let mut signature = r_and_s.to_vec();
        signature.push(recovery);
        let transaction = Transaction { raw_data: Some(raw), signature: vec![signature], ret: Vec::new() };
        broadcast::broadcast(self, transaction)
            .map(hex::encode)
            .map_err(|refusal| ControlError::Refused(refusal.message))
    }
}

/// A call with plenty of energy and no value.
pub(crate) fn simulation(caller: Address, to: Option<Address>, data: Vec<u8>) -> Call {
    Call {
        caller,
        to,
        value: 0,
        data,
        energy_limit: PLENTY,
        dynamic_factor: 0,
        block_number: 0,
        timestamp: 0,
    }
}

fn sun(amount: U256) -> Result<i64, ControlError> {
    i64::try_from(amount).map_err(|_| ControlError::Amount(amount.to_string()))
}

impl Chain for TronChain {
    fn kind(&self) -> &'static str {
        "tron"
    }

    fn caip2(&self) -> String {
        super::CHAIN_ID.to_owned()
    }

    fn chain_id(&self) -> u64 {
        super::EVM_CHAIN_ID
    }

    fn head(&self) -> Head {
        let head = TronChain::head(self);
        Head {
            number: head.number(),
            id: hex::encode(head.id),
            time_ms: head.header.timestamp,
            final_number: self.solid,
        }
    }

    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    fn mine_one(&mut self) {
        self.mine_block();
    }

    fn mine_none(&mut self) {
        self.mine_empty();
        let waiting = std::mem::take(&mut self.pool);
        self.keep_waiting(waiting);
    }

    fn finality_depth(&self) -> u64 {
        self.finality_depth
    }

    fn set_finality_depth(&mut self, depth: u64) {
        self.finality_depth = depth;
        self.raise_solid();
    }

    fn pool(&self) -> Vec<String> {
        self.pool.iter().map(|p| hex::encode(p.id)).collect()
    }

    fn forget(&mut self, id: Option<&str>) -> usize {
        let before = self.pool.len();
        let kept = match id {
            None => Vec::new(),
            Some(id) => self.pool.iter().filter(|p| hex::encode(p.id) != id).cloned().collect(),
        };
        let dropped = before - kept.len();
        self.refill(kept);
        dropped
    }

    fn deployer(&self) -> String {
        address::to_text(&self.deployer.address)
    }

    fn tokens(&self) -> Vec<(String, String)> {
        self.tokens.iter().map(|(name, at)| (name.clone(), address::to_text(at))).collect()
    }

    fn fund(&mut self, address: &str, amount: U256) -> Result<String, ControlError> {
        let address = Self::parse(address)?;
        let amount = sun(amount)?;
        let created_ms = self.blocks.first().map_or(0, |b| b.header.timestamp);
        self.amend(|ledger| {
            ledger.activate(address, created_ms);
            ledger.credit(address, amount);
        });
        Ok(self.pending.balance_sun(&address).to_string())
    }

    fn deploy(&mut self, contract: &str, supply: U256) -> Result<String, ControlError> {
        let build =
            contracts::build(contract).ok_or_else(|| ControlError::UnknownContract(contract.to_owned()))?;
        let origin = self.deployer.address;
        let call = simulation(origin, None, contracts::creation_code(&build, supply));
        // The engine makes the address from a nonce, which TRON itself never looks at: one nobody else counts keeps it unique.
        let mut state = (*self.pending).clone();
        self.deployments += 1;
        state.world.account_mut(origin).nonce = DEPLOY_NONCES + self.deployments;
        let ran = self.simulate(TronChain::head(self), &state, call);
        let at = match (ran.verdict, ran.created) {
            (Verdict::Success, Some(at)) => at,
            _ => return Err(ControlError::Deployment(ran.message)),
        };
        let mut scratch = crate::world::World::default();
        scratch.commit(ran.changes);
        let deployed = scratch.account(&at).cloned().unwrap_or_default();
        let created_ms = self.blocks.first().map_or(0, |b| b.header.timestamp);
        self.amend(|ledger| {
            ledger.world.adopt(at, &deployed);
            ledger.add_contract(
                at,
                ContractMeta { name: contract.to_owned(), abi: build.abi.clone(), origin },
                created_ms,
            );
        });
        self.tokens.push((contract.to_owned(), at));
        Ok(address::to_text(&at))
    }

    fn transfer(&mut self, token: Option<&str>, to: &str, amount: U256) -> Result<String, ControlError> {
        let to = Self::parse(to)?;
        match token {
            Some(token) => self.call(token, contracts::transfer(&to, amount), U256::ZERO),
            None => self.send(&Operation::Transfer(TransferContract {
                owner_address: address::to_bytes(&self.deployer.address),
                to_address: address::to_bytes(&to),
                amount: sun(amount)?,
            })),
        }
    }

    fn call(&mut self, contract: &str, data: Vec<u8>, value: U256) -> Result<String, ControlError> {
        let contract = Self::parse(contract)?;
        self.send(&Operation::Trigger(TriggerSmartContract {
            owner_address: address::to_bytes(&self.deployer.address),
            contract_address: address::to_bytes(&contract),
            call_value: sun(value)?,
            data,
            ..TriggerSmartContract::default()
        }))
    }

    fn balance(&self, address: &str, token: Option<&str>) -> Result<(String, String), ControlError> {
        let address = Self::parse(address)?;
        let head = TronChain::head(self);
        let solid = self.block(self.solid).unwrap_or(head);
        Ok(match token {
            None => (
                head.ledger.balance_sun(&address).to_string(),
                solid.ledger.balance_sun(&address).to_string(),
            ),
            Some(token) => {
                let token = Self::parse(token)?;
                (
                    self.token_balance(head, token, &address).to_string(),
                    self.token_balance(solid, token, &address).to_string(),
                )
            }
        })
    }

    fn reorg(
        &mut self,
        depth: u64,
        replacement: u64,
        transactions: ReorgTransactions,
    ) -> Result<(), ControlError> {
        if depth == 0 || depth > self.head_number() {
            return Err(ControlError::Blocks(depth));
        }
        let orphans = self.unwind(depth);
        for _ in 0..replacement {
            self.mine_empty();
        }
        self.solid = self.solid.min(self.head_number());
        let mut waiting = match transactions {
            ReorgTransactions::Drop => Vec::new(),
            ReorgTransactions::Pool => orphans,
        };
        waiting.append(&mut self.pool);
        self.refill(waiting);
        Ok(())
    }

    fn change_parameter(&mut self, key: &str, value: &Value) -> Result<(), ControlError> {
        let changed = value.as_i64().is_some_and(|v| self.params.change(key, v));
        changed.then_some(()).ok_or_else(|| ControlError::Parameter(key.to_owned()))
    }

    fn stake(&mut self, address: &str, resource: &str, amount: U256) -> Result<(), ControlError> {
        let address = Self::parse(address)?;
        let kind = match resource {
            "ENERGY" => Resource::Energy,
            "BANDWIDTH" => Resource::Bandwidth,
            other => return Err(ControlError::Parameter(other.to_owned())),
        };
        let amount = sun(amount)?;
        let created_ms = self.blocks.first().map_or(0, |b| b.header.timestamp);
        self.amend(|ledger| {
            ledger.activate(address, created_ms);
            ledger.change_stake(&address, kind, amount);
        });
        Ok(())
    }
}
