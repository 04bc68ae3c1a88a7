//! Blocks and receipts: headers that hash to their block hash, logs bloom, transaction and receipt roots.
//!
//! Made by `chain.rs`, printed by `json.rs`. The state root is a placeholder (a hash chained over the blocks): nobody here serves proofs.

use std::sync::Arc;

use revm::primitives::{Address, B256, Log, U256, b256, keccak256};

use super::rlp::{self, Item};
use super::transaction::SignedTx;
use crate::world::World;

/// keccak-256 of an empty RLP list: no uncles.
pub(crate) const NO_UNCLES: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
/// Root of an empty trie.
pub(crate) const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
/// SHA-256 of nothing: no execution-layer requests (EIP-7685).
pub(crate) const NO_REQUESTS: B256 =
    b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/// What a transaction did.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    /// Whether it succeeded.
    pub(crate) success: bool,
    /// Gas charged.
    pub(crate) gas_used: u64,
    /// Gas charged up to and including it in this block.
    pub(crate) cumulative_gas_used: u64,
    /// wei per gas paid.
    pub(crate) effective_gas_price: u128,
    /// Its logs.
    pub(crate) logs: Vec<Log>,
    /// The created contract.
    pub(crate) created: Option<Address>,
    /// Number of logs before it in the block.
    pub(crate) first_log: u64,
}

impl Receipt {
    /// Bloom of its logs.
    pub(crate) fn bloom(&self) -> Bloom {
        bloom(&self.logs)
    }

    fn encode(&self, kind: u8) -> Vec<u8> {
        let logs = self
            .logs
            .iter()
            .map(|log| {
                Item::List(vec![
                    rlp::bytes(log.address),
                    Item::List(log.data.topics().iter().map(rlp::bytes).collect()),
                    rlp::bytes(&log.data.data),
                ])
            })
            .collect();
        let body = Item::List(vec![
            rlp::integer(U256::from(u8::from(self.success))),
            rlp::integer(U256::from(self.cumulative_gas_used)),
            rlp::bytes(self.bloom().as_bytes()),
            Item::List(logs),
        ]);
        let mut out = if kind == 0 { Vec::new() } else { vec![kind] };
        out.extend(body.encode());
        out
    }
}

/// A logs bloom: three of 2048 bits for each address and topic (yellow paper, section 4.3.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bloom([u8; 256]);

impl Bloom {
    /// No logs.
    pub(crate) const ZERO: Self = Self([0; 256]);

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn add(&mut self, bytes: &[u8]) {
        let hash = keccak256(bytes);
        for pair in hash.chunks(2).take(3) {
            let bit = pair.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)) & 2047;
            self.0[255 - bit / 8] |= 1 << (bit % 8);
        }
    }

    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }
}

/// Bloom of these logs.
pub(crate) fn bloom(logs: &[Log]) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.add(log.address.as_slice());
        for topic in log.data.topics() {
            bloom.add(topic.as_slice());
        }
    }
    bloom
}

/// A header.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// Hash of the parent.
    pub(crate) parent: B256,
    /// Who gets the tips.
    pub(crate) beneficiary: Address,
    /// Placeholder.
    pub(crate) state_root: B256,
    /// Root of the transactions.
    pub(crate) transactions_root: B256,
    /// Root of the receipts.
    pub(crate) receipts_root: B256,
    /// Bloom of all logs.
    pub(crate) bloom: Bloom,
    /// Height.
    pub(crate) number: u64,
    /// Gas limit.
    pub(crate) gas_limit: u64,
    /// Gas used.
    pub(crate) gas_used: u64,
    /// Seconds.
    pub(crate) timestamp: u64,
    /// prevRandao; differs between forks.
    pub(crate) mix: B256,
    /// wei per gas.
    pub(crate) base_fee: u64,
}

impl Header {
    fn item(&self) -> Item {
        Item::List(vec![
            rlp::bytes(self.parent),
            rlp::bytes(NO_UNCLES),
            rlp::bytes(self.beneficiary),
            rlp::bytes(self.state_root),
            rlp::bytes(self.transactions_root),
            rlp::bytes(self.receipts_root),
            rlp::bytes(self.bloom.as_bytes()),
            rlp::integer(U256::ZERO),
            rlp::integer(U256::from(self.number)),
            rlp::integer(U256::from(self.gas_limit)),
            rlp::integer(U256::from(self.gas_used)),
            rlp::integer(U256::from(self.timestamp)),
            rlp::bytes([]),
            rlp::bytes(self.mix),
            rlp::bytes([0; 8]),
            rlp::integer(U256::from(self.base_fee)),
            rlp::bytes(EMPTY_ROOT),
            rlp::integer(U256::ZERO),
            rlp::integer(U256::ZERO),
            rlp::bytes(B256::ZERO),
            rlp::bytes(NO_REQUESTS),
        ])
    }

    /// Its RLP, as blocks are sized.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.item().encode()
    }
}

/// A block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Header.
    pub(crate) header: Header,
    /// keccak-256 of the header.
    pub(crate) hash: B256,
    /// Transactions with their receipts.
    pub(crate) transactions: Vec<(SignedTx, Receipt)>,
    /// State after it.
    pub(crate) world: Arc<World>,
}

impl Block {
    /// Fills in roots, bloom and hash.
    pub(crate) fn seal(
        mut header: Header,
        transactions: Vec<(SignedTx, Receipt)>,
        world: Arc<World>,
    ) -> Self {
        let raws: Vec<Vec<u8>> = transactions.iter().map(|(tx, _)| tx.raw.clone()).collect();
        let receipts: Vec<Vec<u8>> =
            transactions.iter().map(|(tx, receipt)| receipt.encode(tx.kind)).collect();
        header.transactions_root = ordered_root(&raws);
        header.receipts_root = ordered_root(&receipts);
        for (_, receipt) in &transactions {
            header.bloom.join(&receipt.bloom());
        }
        let hash = keccak256(header.encode());
        Self { header, hash, transactions, world }
    }
}

/// Root of the trie that maps RLP of the position to each value.
pub(crate) fn ordered_root(values: &[Vec<u8>]) -> B256 {
    if values.is_empty() {
        return EMPTY_ROOT;
    }
    let mut entries: Vec<(Vec<u8>, &[u8])> = values
        .iter()
        .enumerate()
        .map(|(position, value)| {
            let key = rlp::integer(U256::from(position)).encode();
            let nibbles = key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
            (nibbles, value.as_slice())
        })
        .collect();
    entries.sort();
    keccak256(node(&entries, 0).encode())
}

/// The trie node over entries that share their first `depth` nibbles; no key is a prefix of another.
fn node(entries: &[(Vec<u8>, &[u8])], depth: usize) -> Item {
    if let [(key, value)] = entries {
        return Item::List(vec![rlp::bytes(hex_prefix(&key[depth..], true)), rlp::bytes(value)]);
    }
    let shared = shared_nibbles(entries, depth);
    if shared > depth {
        let child = reference(&node(entries, shared));
        let path = entries.first().map_or(&[][..], |(key, _)| &key[depth..shared]);
        return Item::List(vec![rlp::bytes(hex_prefix(path, false)), child]);
    }
    let mut children: Vec<Item> = (0..16_u8)
        .map(|nibble| {
            let below: Vec<_> =
                entries.iter().filter(|(key, _)| key.get(depth) == Some(&nibble)).cloned().collect();
            if below.is_empty() { rlp::bytes([]) } else { reference(&node(&below, depth + 1)) }
        })
        .collect();
    children.push(rlp::bytes([]));
    Item::List(children)
}

fn shared_nibbles(entries: &[(Vec<u8>, &[u8])], depth: usize) -> usize {
    let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else {
        return depth;
    };
    depth + first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count()
}

/// A node of 32 bytes or more is named by its hash, a smaller one stands in place.
fn reference(node: &Item) -> Item {
    let encoded = node.encode();
    if encoded.len() < 32 { node.clone() } else { rlp::bytes(keccak256(encoded)) }
}

fn hex_prefix(nibbles: &[u8], leaf: bool) -> Vec<u8> {
    let flag = if leaf { 2 } else { 0 };
    let (mut out, rest) = match nibbles.split_first() {
        Some((first, rest)) if nibbles.len() % 2 == 1 => (vec![((flag + 1) << 4) | first], rest),
        _ => (vec![flag << 4], nibbles),
    };
    out.extend(rest.chunks(2).map(|pair| match pair {
        [high, low] => (high << 4) | low,
        _ => 0,
    }));
    out
}
