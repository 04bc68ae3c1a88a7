//! An Ethereum-style chain: blocks, pool, clock, base fee, finality.
//!
//! Owned by a mutex in `devnet.rs`; read by `rpc.rs`, steered by `steer.rs`. Every block keeps the world it ended in.

use std::collections::HashMap;
use std::sync::Arc;

use revm::primitives::{Address, B256, U256, keccak256};

use super::block::{Block, Bloom, EMPTY_ROOT, Header, Receipt};
use super::execute;
use super::pool::Pool;
use super::transaction::{self, SignedTx};
use crate::clock::Clock;
use crate::config::EvmConfig;
use crate::keys::DevKey;
use crate::world::World;

/// Coin of the deployer at genesis: a billion whole coins, in wei.
const DEPLOYER_COINS: u64 = 1_000_000_000;
/// wei in a whole coin.
const COIN: u64 = 1_000_000_000_000_000_000;

/// The chain.
pub(crate) struct EvmChain {
    pub(super) chain_id: u64,
    pub(super) blocks: Vec<Block>,
    hashes: HashMap<B256, u64>,
    /// Transaction hash → block number and position.
    included: HashMap<B256, (u64, usize)>,
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) finality_depth: u64,
    pub(super) final_number: u64,
    pub(super) deployer: DevKey,
    pub(super) tokens: Vec<(String, Address)>,
    pub(super) deployments: u64,
    pub(super) next_base_fee: Option<u64>,
    pub(super) fork: u64,
    block_gas_limit: u64,
}

impl EvmChain {
    /// A chain with only its genesis.
    pub(crate) fn new(config: &EvmConfig) -> anyhow::Result<Self> {
        let deployer = DevKey::from_label("airlock devnet deployer")?;
        let clock = Clock::default();
        let mut world = World::default();
        world.account_mut(deployer.address).balance =
            U256::from(DEPLOYER_COINS).saturating_mul(U256::from(COIN));
        let header = Header {
            parent: B256::ZERO,
            beneficiary: Address::ZERO,
            state_root: keccak256(config.chain_id.to_be_bytes()),
            transactions_root: EMPTY_ROOT,
            receipts_root: EMPTY_ROOT,
            bloom: Bloom::ZERO,
            number: 0,
            gas_limit: config.block_gas_limit,
            gas_used: 0,
            timestamp: seconds(&clock).saturating_sub(1),
            mix: B256::ZERO,
            base_fee: config.base_fee_wei,
        };
        let genesis = Block::seal(header, Vec::new(), Arc::new(world));
        Ok(Self {
            chain_id: config.chain_id,
            hashes: HashMap::from([(genesis.hash, 0)]),
            blocks: vec![genesis],
            included: HashMap::new(),
            pool: Pool::default(),
            clock,
            finality_depth: config.finality_depth,
            final_number: 0,
            deployer,
            tokens: Vec::new(),
            deployments: 0,
            next_base_fee: None,
            fork: 0,
            block_gas_limit: config.block_gas_limit,
        })
    }

    /// The last block; there always is one, the genesis.
    pub(crate) fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// The block of that number.
    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// The block with that hash, if it is on this fork.
    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Block> {
        self.block(*self.hashes.get(hash)?)
    }

    /// Where an included transaction is: its block and position.
    pub(crate) fn find(&self, hash: &B256) -> Option<(&Block, usize)> {
        let (number, position) = self.included.get(hash)?;
        Some((self.block(*number)?, *position))
    }

    /// Checks raw bytes and puts the transaction into the pool.
    pub(crate) fn send(&mut self, raw: &[u8]) -> Result<B256, String> {
        let tx = transaction::decode(raw, self.chain_id)?;
        let hash = tx.hash;
        let world = Arc::clone(&self.head().world);
        self.pool.add(&world, self.block_gas_limit, tx)?;
        Ok(hash)
    }

    /// Base fee of the block after the head (EIP-1559), unless one was set by hand.
    pub(crate) fn base_fee(&self) -> u64 {
        if let Some(set) = self.next_base_fee {
            return set;
        }
        let head = &self.head().header;
        let target = (head.gas_limit / 2).max(1);
        let base = u128::from(head.base_fee);
        let moved = |difference: u64| base * u128::from(difference) / u128::from(target) / 8;
        let next = if head.gas_used > target {
            base + moved(head.gas_used - target).max(1)
        } else {
            base - moved(target - head.gas_used)
        };
        u64::try_from(next).unwrap_or(u64::MAX)
    }

    /// The header of the block that would come next, without its contents.
    pub(crate) fn next_header(&self) -> Header {
        let parent = self.head();
        let number = parent.header.number + 1;
        let seed = [number.to_be_bytes(), self.fork.to_be_bytes()].concat();
        Header {
            parent: parent.hash,
            beneficiary: Address::with_last_byte(0xc0),
            state_root: keccak256([parent.header.state_root.as_slice(), &seed].concat()),
            transactions_root: EMPTY_ROOT,
            receipts_root: EMPTY_ROOT,
            bloom: Bloom::ZERO,
            number,
            gas_limit: self.block_gas_limit,
            gas_used: 0,
            timestamp: seconds(&self.clock).max(parent.header.timestamp + 1),
            mix: keccak256(seed),
            base_fee: self.base_fee(),
        }
    }

    /// Makes a block of what the pool holds.
    pub(crate) fn mine_block(&mut self) {
        let mut header = self.next_header();
        let mut world = Arc::clone(&self.head().world);
        let mut transactions: Vec<(SignedTx, Receipt)> = Vec::new();
        let mut logs = 0;
        let mut skipped = Vec::new();
        while let Some(tx) = self.best(&world, header.base_fee, &skipped) {
            if header.gas_used.saturating_add(tx.gas_limit) > header.gas_limit {
                skipped.push(tx.from);
                continue;
            }
            self.pool.take(&tx.from, tx.nonce);
            // What the engine refuses now (a balance gone meanwhile) is dropped, as a real builder drops it.
            let Ok((result, changes)) = execute::transaction(&world, &header, self.chain_id, &tx) else {
                continue;
            };
            let mut next = (*world).clone();
            next.commit(changes);
            world = Arc::new(next);
            header.gas_used += result.tx_gas_used();
            let receipt = Receipt {
                success: result.is_success(),
                gas_used: result.tx_gas_used(),
                cumulative_gas_used: header.gas_used,
                effective_gas_price: tx.prices(header.base_fee).0,
                created: execute::created(&result),
                logs: if result.is_success() { result.into_logs() } else { Vec::new() },
                first_log: logs,
            };
            logs += receipt.logs.len() as u64;
            transactions.push((tx, receipt));
        }
        self.push(Block::seal(header, transactions, world));
    }

    /// An empty block, whatever the pool holds.
    pub(super) fn mine_empty(&mut self) {
        let world = Arc::clone(&self.head().world);
        self.push(Block::seal(self.next_header(), Vec::new(), world));
    }

    /// The next transaction a producer takes: highest tip, then first come; only the lowest open nonce of each sender.
    fn best(&self, world: &World, base_fee: u64, skipped: &[Address]) -> Option<SignedTx> {
        self.pool
            .senders()
            .iter()
            .filter(|sender| !skipped.contains(sender))
            .filter_map(|sender| self.pool.at(sender, world.nonce(sender)))
            .filter(|(_, tx)| tx.max_fee >= u128::from(base_fee))
            .max_by_key(|(arrival, tx)| (tx.prices(base_fee).1, std::cmp::Reverse(*arrival)))
            .map(|(_, tx)| tx.clone())
    }

    fn push(&mut self, block: Block) {
        let number = block.header.number;
        self.hashes.insert(block.hash, number);
        for (position, (tx, _)) in block.transactions.iter().enumerate() {
            self.included.insert(tx.hash, (number, position));
        }
        self.pool.prune(&block.world);
        self.blocks.push(block);
        self.next_base_fee = None;
        self.raise_final();
    }

    /// The final block is head − depth and never goes back.
    pub(super) fn raise_final(&mut self) {
        let reached = self.head().header.number.saturating_sub(self.finality_depth);
        self.final_number = self.final_number.max(reached);
    }

    /// Removes the last blocks and answers their transactions.
    pub(super) fn unwind(&mut self, depth: u64) -> Vec<SignedTx> {
        let keep = self.blocks.len().saturating_sub(usize::try_from(depth).unwrap_or(usize::MAX));
        let mut orphans = Vec::new();
        for block in self.blocks.split_off(keep.max(1)) {
            self.hashes.remove(&block.hash);
            for (tx, _) in block.transactions {
                self.included.remove(&tx.hash);
                orphans.push(tx);
            }
        }
        self.fork += 1;
        orphans
    }

    /// Does the same to the world of every kept block.
    pub(super) fn amend(&mut self, change: impl Fn(&mut World)) {
        let mut done: HashMap<*const World, Arc<World>> = HashMap::new();
        let mut old = Vec::new();
        for block in &mut self.blocks {
            let changed = done.entry(Arc::as_ptr(&block.world)).or_insert_with(|| {
                let mut world = (*block.world).clone();
                change(&mut world);
                Arc::new(world)
            });
            // The old world stays alive until the end: its address is the key that marks it as done.
            old.push(std::mem::replace(&mut block.world, Arc::clone(changed)));
        }
    }
}

fn seconds(clock: &Clock) -> u64 {
    u64::try_from(clock.now_ms() / 1000).unwrap_or(0)
}
