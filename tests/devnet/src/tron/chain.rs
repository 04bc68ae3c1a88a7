//! The TRON chain: blocks, pool, clock, solid head.
//!
//! Owned by a mutex in `devnet.rs`; read by the HTTP face, fed by `broadcast.rs`, steered by the control routes (`steer.rs`).
//! Every block keeps the ledger it ended in, so that solid views, lagging providers and reorgs only pick another block.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use prost::Message;
use revm::primitives::{Address, U256};

use super::address;
use super::broadcast;
use super::execute::{self, BlockContext, Info};
use super::ledger::Ledger;
use super::message::{BlockHeaderRaw, Transaction, TransactionResult};
use super::params::Params;
use super::tvm::Verdict;
use crate::clock::Clock;
use crate::config::TronConfig;
use crate::keys::{DevKey, sha256};

/// Genesis block id; its last four bytes are the chain id that CAIP-2 names.
pub(crate) const GENESIS_ID: [u8; 32] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0xd3, 0x5e, 0x1c, 0x0a, 0x9b, 0x47, 0x66, 0x21, 0x8f, 0x02, 0x5d, 0xc4, 0x13,
    0x7a, 0xe9, 0x30, 0xb6, 0x58, 0x4c, 0x91, 0xa1, 0x71, 0x0c, 0x4b,
];
/// Block version of release 4.8.0.
const BLOCK_VERSION: i32 = 32;
/// Bytes of transactions a block may hold.
const BLOCK_BYTES_MAX: usize = 2_000_000;
/// `pendingTransactionTimeout`.
const POOL_LIFE_MS: i64 = 60_000;
/// Coin of the deployer at genesis: ten billion TRX.
const DEPLOYER_SUN: u64 = 10_000_000_000_000_000;

/// A transaction in a block.
#[derive(Debug, Clone)]
pub(crate) struct Included {
    /// With its `ret`.
    pub(crate) transaction: Transaction,
    /// What it did.
    pub(crate) info: Info,
}

/// A block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The hashed part of the header.
    pub(crate) header: BlockHeaderRaw,
    /// blockID.
    pub(crate) id: [u8; 32],
    /// Its transactions in order.
    pub(crate) transactions: Vec<Included>,
    /// State after it.
    pub(crate) ledger: Arc<Ledger>,
}

impl Block {
    /// Block number.
    pub(crate) fn number(&self) -> u64 {
        u64::try_from(self.header.number).unwrap_or(0)
    }
}

/// A transaction waiting for a block.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// txID.
    pub(crate) id: [u8; 32],
    /// As broadcast.
    pub(crate) transaction: Transaction,
    arrived_ms: i64,
}

/// The chain.
pub(crate) struct TronChain {
    pub(super) blocks: Vec<Block>,
    /// txID → block number.
    included: HashMap<[u8; 32], u64>,
    pub(super) pool: Vec<Pending>,
    pooled: HashSet<[u8; 32]>,
    /// Head state with the pool applied: what `wallet/*` shows.
    pub(super) pending: Arc<Ledger>,
    pub(super) clock: Clock,
    pub(super) params: Params,
    pub(super) slot_ms: i64,
    pub(super) finality_depth: u64,
    pub(super) solid: u64,
    pub(super) deployer: DevKey,
    pub(super) tokens: Vec<(String, Address)>,
    /// Counts the deployer's transactions, so that equal payments differ; and forks, so that equal blocks differ.
    pub(super) serial: i64,
    pub(super) deployments: u64,
    pub(super) fork: u64,
}

impl TronChain {
    /// A chain with only its genesis.
    pub(crate) fn new(config: &TronConfig) -> anyhow::Result<Self> {
        let deployer = DevKey::from_label("airlock devnet deployer")?;
        let slot_ms = i64::try_from(config.slot_ms.max(1))?;
        let clock = Clock::default();
        let genesis_ms = clock.now_ms() / slot_ms * slot_ms - slot_ms;
        let mut ledger = Ledger::default();
        ledger.activate(deployer.address, genesis_ms);
        ledger.world.account_mut(deployer.address).balance = U256::from(DEPLOYER_SUN);
        let ledger = Arc::new(ledger);
        let genesis = Block {
            header: BlockHeaderRaw {
                timestamp: genesis_ms,
                tx_trie_root: vec![0; 32],
                parent_hash: vec![0; 32],
                ..BlockHeaderRaw::default()
            },
            id: GENESIS_ID,
            transactions: Vec::new(),
            ledger: Arc::clone(&ledger),
        };
        Ok(Self {
            blocks: vec![genesis],
            included: HashMap::new(),
            pool: Vec::new(),
            pooled: HashSet::new(),
            pending: ledger,
            clock,
            params: Params::default(),
            slot_ms,
            finality_depth: config.finality_depth(),
            solid: 0,
            deployer,
            tokens: Vec::new(),
            serial: 0,
            deployments: 0,
            fork: 0,
        })
    }

    /// The last block; there always is one, the genesis.
    pub(crate) fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// Number of the last block.
    pub(crate) fn head_number(&self) -> u64 {
        self.head().number()
    }

    /// The block of that number.
    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// Where an included transaction is.
    pub(crate) fn find(&self, id: &[u8; 32]) -> Option<(&Block, &Included)> {
        let block = self.block(*self.included.get(id)?)?;
        let included = block.transactions.iter().find(|tx| tx.info.id == *id)?;
        Some((block, included))
    }

    /// Whether the pool or a block has it.
    pub(super) fn knows(&self, id: &[u8; 32]) -> bool {
        self.pooled.contains(id) || self.included.contains_key(id)
    }

    /// Eight hash bytes of the newest block whose number ends in these two bytes, if it is among the last 65 536.
    pub(super) fn reference(&self, low: [u8; 2]) -> Option<[u8; 8]> {
        let head = self.head_number();
        let low = u64::from(u16::from_be_bytes(low));
        let candidate = (head & !0xffff) | low;
        let number = if candidate > head { candidate.checked_sub(0x1_0000)? } else { candidate };
        self.block(number)?.id.get(8..16)?.try_into().ok()
    }

    /// Time of the next slot after the head.
    pub(super) fn next_slot_ms(&self) -> i64 {
        self.head().header.timestamp + self.slot_ms
    }

    /// The context a broadcast transaction is tried in.
    pub(super) fn next_context(&self) -> BlockContext {
        BlockContext { number: self.head_number() + 1, timestamp_ms: self.head().header.timestamp }
    }

    /// Puts a tried transaction into the pool, with the state it leads to.
    pub(super) fn admit(&mut self, id: [u8; 32], transaction: Transaction, ledger: Ledger) {
        self.pending = Arc::new(ledger);
        self.pooled.insert(id);
        self.pool.push(Pending {
            id,
            transaction: Transaction { ret: Vec::new(), ..transaction },
            arrived_ms: self.clock.now_ms(),
        });
    }

    /// Makes a block of the pool and rebuilds the pool on top of it.
    pub(crate) fn mine_block(&mut self) {
        let waiting = std::mem::take(&mut self.pool);
        let left = self.make_block(waiting);
        self.keep_waiting(left);
    }

    /// Rebuilds the pool of what has not waited too long.
    pub(super) fn keep_waiting(&mut self, waiting: Vec<Pending>) {
        let now = self.clock.now_ms();
        let young = waiting.into_iter().filter(|p| now - p.arrived_ms < POOL_LIFE_MS);
        self.refill(young.collect());
    }

    /// One block from these transactions; answers those that did not fit. What no longer validates vanishes silently.
    fn make_block(&mut self, waiting: Vec<Pending>) -> Vec<Pending> {
        let parent = self.head();
        let now = self.clock.now_ms();
        let timestamp = (now / self.slot_ms * self.slot_ms).max(parent.header.timestamp + self.slot_ms);
        let number = parent.header.number + 1;
        let parent_id = parent.id;
        let context = BlockContext { number: u64::try_from(number).unwrap_or(0), timestamp_ms: timestamp };
        let mut ledger = Arc::clone(&parent.ledger);
        let mut transactions = Vec::new();
        let mut left = Vec::new();
        let mut bytes = 0;
        for pending in waiting {
            bytes += pending.transaction.encoded_len();
            if bytes > BLOCK_BYTES_MAX {
                left.push(pending);
                continue;
            }
            if broadcast::still_valid(self, &ledger, &pending.transaction).is_err() {
                continue;
            }
            let mut next = (*ledger).clone();
            if let Ok(info) = execute::apply(&mut next, &self.params, context, &pending.transaction) {
                ledger = Arc::new(next);
                transactions.push(include(pending.transaction, info));
            }
        }
        let header = BlockHeaderRaw {
            timestamp,
            tx_trie_root: merkle_root(&transactions),
            parent_hash: parent_id.to_vec(),
            number,
            witness_address: self.witness(context.number),
            version: BLOCK_VERSION,
        };
        self.push(header, transactions, ledger);
        left
    }

    fn push(&mut self, header: BlockHeaderRaw, transactions: Vec<Included>, ledger: Arc<Ledger>) {
        let mut id = sha256(&header.encode_to_vec());
        let number = u64::try_from(header.number).unwrap_or(0);
        id[..8].copy_from_slice(&number.to_be_bytes());
        for included in &transactions {
            self.included.insert(included.info.id, number);
        }
        self.blocks.push(Block { header, id, transactions, ledger });
        self.raise_solid();
    }

    /// The final block is head − depth and never goes back.
    pub(super) fn raise_solid(&mut self) {
        self.solid = self.solid.max(self.head_number().saturating_sub(self.finality_depth));
    }

    /// Which of the witnesses made a block; another one after each fork, so that equal blocks of two forks differ.
    fn witness(&self, number: u64) -> Vec<u8> {
        let mut seed = b"witness".to_vec();
        seed.extend_from_slice(&(number % 27).to_be_bytes());
        seed.extend_from_slice(&self.fork.to_be_bytes());
        address::to_bytes(&Address::from_slice(&sha256(&seed)[..20]))
    }

    /// Rebuilds the pool and the state it shows from these transactions.
    pub(super) fn refill(&mut self, waiting: Vec<Pending>) {
        self.pending = Arc::clone(&self.head().ledger);
        self.pool.clear();
        self.pooled.clear();
        let context = self.next_context();
        for pending in waiting {
            if self.knows(&pending.id) {
                continue;
            }
            let mut next = (*self.pending).clone();
            if broadcast::still_valid(self, &next, &pending.transaction).is_ok()
                && execute::apply(&mut next, &self.params, context, &pending.transaction).is_ok()
            {
                self.pending = Arc::new(next);
                self.pooled.insert(pending.id);
                self.pool.push(pending);
            }
        }
    }

    /// Removes the last blocks and answers their transactions as pool entries.
    pub(super) fn unwind(&mut self, depth: u64) -> Vec<Pending> {
        let keep = self.blocks.len().saturating_sub(usize::try_from(depth).unwrap_or(usize::MAX));
        let removed = self.blocks.split_off(keep.max(1));
        let arrived_ms = self.clock.now_ms();
        let mut orphans = Vec::new();
        for included in removed.into_iter().flat_map(|block| block.transactions) {
            self.included.remove(&included.info.id);
            orphans.push(Pending {
                id: included.info.id,
                transaction: Transaction { ret: Vec::new(), ..included.transaction },
                arrived_ms,
            });
        }
        self.fork += 1;
        orphans
    }

    /// An empty block, whatever the pool holds.
    pub(super) fn mine_empty(&mut self) {
        let _none_left = self.make_block(Vec::new());
    }

    /// Does the same to the state of every kept block and to the pool's.
    pub(super) fn amend(&mut self, change: impl Fn(&mut Ledger)) {
        // Blocks that share a ledger go on sharing it.
        let mut done: HashMap<*const Ledger, Arc<Ledger>> = HashMap::new();
        let states =
            self.blocks.iter_mut().map(|block| &mut block.ledger).chain(std::iter::once(&mut self.pending));
        let mut old = Vec::new();
        for state in states {
            let changed = done.entry(Arc::as_ptr(state)).or_insert_with(|| {
                let mut ledger = (**state).clone();
                change(&mut ledger);
                Arc::new(ledger)
            });
            // The old state stays alive until the end: its address is the key that marks it as done.
            old.push(std::mem::replace(state, Arc::clone(changed)));
        }
    }
}

fn include(transaction: Transaction, info: Info) -> Included {
    let verdict = info.verdict.unwrap_or(Verdict::Success);
    Included {
        transaction: Transaction {
            ret: vec![TransactionResult { contract_ret: verdict as i32, ..TransactionResult::default() }],
            ..transaction
        },
        info,
    }
}

/// java-tron's Merkle tree: leaves are the hashes of whole transactions, an odd one goes up unchanged.
fn merkle_root(transactions: &[Included]) -> Vec<u8> {
    let mut level: Vec<[u8; 32]> =
        transactions.iter().map(|included| sha256(&included.transaction.encode_to_vec())).collect();
    if level.is_empty() {
        return vec![0; 32];
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => sha256(&[left.as_slice(), right.as_slice()].concat()),
                _ => pair.first().copied().unwrap_or_default(),
            })
            .collect();
    }
    level.concat()
}
