//! Accounts, code and storage: the state a block ends in, and what the EVM engine reads.
//!
//! Both chain families hold one [`World`] per block. Cloning is cheap (accounts are shared until changed), which is what makes
//! reorgs, solid views and lagging providers possible: every kept block simply keeps its world.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use revm::Database;
use revm::bytecode::Bytecode;
use revm::primitives::{Address, B256, KECCAK_EMPTY, StorageKey, StorageValue, U256, keccak256};
use revm::state::{AccountInfo, EvmState};

/// One account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// wei or sun.
    pub(crate) balance: U256,
    /// EVM account nonce; TRON does not look at it.
    pub(crate) nonce: u64,
    /// `None` for a plain key account.
    pub(crate) code: Option<Bytecode>,
    /// Non-zero slots only.
    pub(crate) storage: HashMap<U256, U256>,
}

/// The state after a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    accounts: HashMap<Address, Arc<Account>>,
}

impl World {
    /// The account, if it was ever touched.
    pub(crate) fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.get(address).map(Arc::as_ref)
    }

    /// The account for changing; created empty if it does not exist.
    pub(crate) fn account_mut(&mut self, address: Address) -> &mut Account {
        Arc::make_mut(self.accounts.entry(address).or_default())
    }

    /// Native coin of an address.
    pub(crate) fn balance(&self, address: &Address) -> U256 {
        self.account(address).map_or(U256::ZERO, |a| a.balance)
    }

    /// EVM account nonce.
    pub(crate) fn nonce(&self, address: &Address) -> u64 {
        self.account(address).map_or(0, |a| a.nonce)
    }

    /// Contract code as deployed, empty for a plain account.
    pub(crate) fn code(&self, address: &Address) -> Vec<u8> {
        self.account(address)
            .and_then(|a| a.code.as_ref())
            .map_or_else(Vec::new, |code| code.original_byte_slice().to_vec())
    }

    /// One storage slot.
    pub(crate) fn storage(&self, address: &Address, slot: &U256) -> U256 {
        self.account(address).and_then(|a| a.storage.get(slot).copied()).unwrap_or(U256::ZERO)
    }

    /// Takes over what the engine changed.
    pub(crate) fn commit(&mut self, changes: EvmState) {
        for (address, change) in changes {
            if !change.is_touched() {
                continue;
            }
            if change.is_selfdestructed() {
                self.accounts.remove(&address);
                continue;
            }
            let created = change.is_created();
            let account = self.account_mut(address);
            if created {
                account.storage.clear();
            }
            account.balance = change.info.balance;
            account.nonce = change.info.nonce;
            if let Some(code) = change.info.code.filter(|code| !code.is_empty()) {
                account.code = Some(code);
            }
            for (slot, value) in change.storage {
                if value.present_value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, value.present_value);
                }
            }
        }
    }

    /// Copies code and storage of one contract from another world: how a contract deployed by control reaches every kept block.
    pub(crate) fn adopt(&mut self, address: Address, from: &Account) {
        let account = self.account_mut(address);
        account.code.clone_from(&from.code);
        account.storage.clone_from(&from.storage);
        account.nonce = account.nonce.max(from.nonce);
    }
}

/// A world as the engine's database. Block hashes are derived, not real: no contract here asks for them.
pub(crate) struct WorldDb<'a>(pub(crate) &'a World);

impl Database for WorldDb<'_> {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.0.account(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code.as_ref().map_or(KECCAK_EMPTY, Bytecode::hash_slow),
            code: account.code.clone().or_else(|| Some(Bytecode::default())),
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, _code_hash: B256) -> Result<Bytecode, Infallible> {
        // Never asked: `basic` always hands the code over.
        Ok(Bytecode::default())
    }

    fn storage(&mut self, address: Address, index: StorageKey) -> Result<StorageValue, Infallible> {
        Ok(self.0.storage(&address, &index))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        Ok(keccak256(number.to_be_bytes()))
    }
}
