//! The control routes' hands on an Ethereum-style chain.
//!
//! As on TRON: amendments reach every kept state at once, transfers and calls are signed transactions of the deployer.

use revm::primitives::{Address, U256};
use serde_json::Value;

use super::block::Block;
use super::chain::EvmChain;
use super::execute::{self, Call};
use super::transaction::{self, Own};
use crate::chain::{Chain, ControlError, Head, ReorgTransactions};
use crate::clock::Clock;
use crate::contracts;

/// Gas of the deployer's transactions and of simulations.
const OWN_GAS: u64 = 3_000_000;
const PLENTY: u64 = 50_000_000;
const GWEI: u128 = 1_000_000_000;
/// Where the nonces of deployments by control begin.
const DEPLOY_NONCES: u64 = 1 << 40;

/// An address as the control routes and JSON-RPC take it: `0x` and 40 digits.
pub(crate) fn parse_address(text: &str) -> Option<Address> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    (bytes.len() == 20).then(|| Address::from_slice(&bytes))
}

fn parse(text: &str) -> Result<Address, ControlError> {
    parse_address(text).ok_or_else(|| ControlError::Address(text.to_owned()))
}

impl EvmChain {
    fn token_balance(&self, block: &Block, token: Address, holder: &Address) -> U256 {
        let call = Call {
            from: *holder,
            to: Some(token),
            data: contracts::balance_of(holder),
            gas_limit: PLENTY,
            ..Call::default()
        };
        execute::call(&block.world, &block.header, self.chain_id, &call)
            .ok()
            .and_then(|(result, _)| U256::try_from_be_slice(result.output()?))
            .unwrap_or(U256::ZERO)
    }

    fn send_own(&mut self, to: Address, value: U256, data: Vec<u8>) -> Result<String, ControlError> {
        let from = self.deployer.address;
        let nonce = self.pool.next_nonce(&from, self.head().world.nonce(&from));
        let own = Own {
            chain_id: self.chain_id,
            nonce,
            max_priority_fee: GWEI,
            max_fee: u128::from(self.base_fee()).saturating_mul(4).saturating_add(GWEI * 10),
            gas_limit: OWN_GAS,
            to,
            value,
            data,
        };
        let raw = transaction::sign(&own, &self.deployer);
        self.send(&raw).map(|hash| hash.to_string()).map_err(ControlError::Refused)
    }

    /// Sets a balance in every kept state.
    pub(super) fn set_balance(&mut self, address: Address, wei: U256) {
        self.amend(|world| world.account_mut(address).balance = wei);
    }
}

impl Chain for EvmChain {
    fn kind(&self) -> &'static str {
        "evm"
    }

    fn caip2(&self) -> String {
        format!("eip155:{}", self.chain_id)
    }

    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    fn head(&self) -> Head {
        let head = EvmChain::head(self);
        Head {
            number: head.header.number,
            id: head.hash.to_string(),
            time_ms: i64::try_from(head.header.timestamp).unwrap_or(0).saturating_mul(1000),
            final_number: self.final_number,
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
    }

    fn finality_depth(&self) -> u64 {
        self.finality_depth
    }

    fn set_finality_depth(&mut self, depth: u64) {
        self.finality_depth = depth;
        self.raise_final();
    }

    fn pool(&self) -> Vec<String> {
        self.pool.iter().map(|(_, tx)| tx.hash.to_string()).collect()
    }

    fn forget(&mut self, id: Option<&str>) -> usize {
        match id {
            None => self.pool.forget(None),
            Some(id) => id.parse().map_or(0, |hash| self.pool.forget(Some(&hash))),
        }
    }

    fn deployer(&self) -> String {
        self.deployer.address.to_string()
    }

    fn tokens(&self) -> Vec<(String, String)> {
        self.tokens.iter().map(|(name, at)| (name.clone(), at.to_string())).collect()
    }

    fn fund(&mut self, address: &str, amount: U256) -> Result<String, ControlError> {
        let address = parse(address)?;
        self.amend(|world| {
            let account = world.account_mut(address);
            account.balance = account.balance.saturating_add(amount);
        });
        Ok(EvmChain::head(self).world.balance(&address).to_string())
    }

    fn deploy(&mut self, contract: &str, supply: U256) -> Result<String, ControlError> {
        let build =
            contracts::build(contract).ok_or_else(|| ControlError::UnknownContract(contract.to_owned()))?;
        let from = self.deployer.address;
        self.deployments += 1;
        let mut world = (*EvmChain::head(self).world).clone();
        // A nonce nobody else counts keeps the address unique, whatever the deployer sends meanwhile.
        world.account_mut(from).nonce = DEPLOY_NONCES + self.deployments;
        let call = Call {
            from,
            data: contracts::creation_code(&build, supply),
            gas_limit: PLENTY,
            ..Call::default()
        };
        let header = self.next_header();
        let (result, changes) = execute::call(&world, &header, self.chain_id, &call)
            .map_err(|error| ControlError::Deployment(error.to_string()))?;
        let at = execute::created(&result).ok_or_else(|| ControlError::Deployment(format!("{result:?}")))?;
        let mut scratch = crate::world::World::default();
        scratch.commit(changes);
        let deployed = scratch.account(&at).cloned().unwrap_or_default();
        self.amend(|world| world.adopt(at, &deployed));
        self.tokens.push((contract.to_owned(), at));
        Ok(at.to_string())
    }

    fn transfer(&mut self, token: Option<&str>, to: &str, amount: U256) -> Result<String, ControlError> {
        let to = parse(to)?;
        match token {
            Some(token) => self.send_own(parse(token)?, U256::ZERO, contracts::transfer(&to, amount)),
            None => self.send_own(to, amount, Vec::new()),
        }
    }

    fn call(&mut self, contract: &str, data: Vec<u8>, value: U256) -> Result<String, ControlError> {
        self.send_own(parse(contract)?, value, data)
    }

    fn balance(&self, address: &str, token: Option<&str>) -> Result<(String, String), ControlError> {
        let address = parse(address)?;
        let token = token.map(parse).transpose()?;
        let head = EvmChain::head(self);
        let last_final = self.block(self.final_number).unwrap_or(head);
        let at = |block: &Block| match token {
            None => block.world.balance(&address),
            Some(token) => self.token_balance(block, token, &address),
        };
        Ok((at(head).to_string(), at(last_final).to_string()))
    }

    fn reorg(
        &mut self,
        depth: u64,
        replacement: u64,
        transactions: ReorgTransactions,
    ) -> Result<(), ControlError> {
        if depth == 0 || depth > EvmChain::head(self).header.number {
            return Err(ControlError::Blocks(depth));
        }
        let orphans = self.unwind(depth);
        for _ in 0..replacement {
            self.mine_empty();
        }
        self.final_number = self.final_number.min(EvmChain::head(self).header.number);
        if transactions == ReorgTransactions::Pool {
            for tx in orphans {
                self.pool.put_back(tx);
            }
        }
        Ok(())
    }

    fn change_parameter(&mut self, key: &str, value: &Value) -> Result<(), ControlError> {
        let number = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        match (key, number) {
            ("base_fee_wei", Some(wei)) => {
                self.next_base_fee = Some(wei);
                Ok(())
            }
            _ => Err(ControlError::Parameter(key.to_owned())),
        }
    }

    fn stake(&mut self, _address: &str, _resource: &str, _amount: U256) -> Result<(), ControlError> {
        Err(ControlError::NotHere("stake"))
    }
}
