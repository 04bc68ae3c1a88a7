//! Ethereum JSON-RPC, single requests and batches.
//!
//! Called by `serve.rs` for every POST to an EVM provider, under the chain's mutex. Names, codes and texts are geth's; the few
//! `anvil_*` and `evm_*` names steer the chain, so that the same test drives a real anvil.

use revm::primitives::{Address, B256, U256};
use serde_json::{Value, json};

use super::block::Block;
use super::chain::EvmChain;
use super::json::{self as print, data, quantity, wide};
use super::logs::Filter;
use super::steer::parse_address;
use crate::chain::{BLOCKS_MAX, Chain, ReorgTransactions};
use crate::faults::Faults;

/// Requests one batch may hold.
const BATCH_MAX: usize = 1_000;
const TIP_WEI: u64 = 1_000_000_000;
/// Blocks one log query may span.
const LOG_RANGE_MAX: u64 = 10_000;
const METHODS_EMPTY: [&str; 6] = [
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getBlockReceipts",
    "eth_getLogs",
];

/// A JSON-RPC error.
pub(super) struct Failure {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

pub(super) type Outcome = Result<Value, Failure>;

pub(super) fn fail(code: i64, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into(), data: None }
}

pub(super) fn invalid(what: &str) -> Failure {
    fail(-32602, format!("invalid argument: {what}"))
}

/// Answers a body: one request or a batch.
pub(crate) fn answer(chain: &mut EvmChain, faults: &Faults, body: &Value) -> Value {
    match body {
        Value::Array(requests) if requests.is_empty() || requests.len() > BATCH_MAX => {
            print_reply(&Value::Null, Err(fail(-32600, "batch too large")))
        }
        Value::Array(requests) => requests.iter().map(|request| one(chain, faults, request)).collect(),
        request => one(chain, faults, request),
    }
}

fn one(chain: &mut EvmChain, faults: &Faults, request: &Value) -> Value {
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let Some(method) = request.get("method").and_then(Value::as_str) else {
        return print_reply(&id, Err(fail(-32600, "invalid request")));
    };
    let none = Vec::new();
    let params = request.get("params").and_then(Value::as_array).unwrap_or(&none);
    print_reply(&id, dispatch(chain, faults, method, params))
}

fn print_reply(id: &Value, outcome: Outcome) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(failure) => {
            let mut error = json!({ "code": failure.code, "message": failure.message });
            if let (Some(data), Some(object)) = (failure.data, error.as_object_mut()) {
                object.insert("data".to_owned(), data);
            }
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    }
}

fn dispatch(chain: &mut EvmChain, faults: &Faults, method: &str, params: &[Value]) -> Outcome {
    if faults.rate_limited {
        return Err(fail(-32005, "rate limit exceeded"));
    }
    if faults.empty && METHODS_EMPTY.contains(&method) {
        return Ok(if method == "eth_getLogs" { json!([]) } else { Value::Null });
    }
    if method == "eth_sendRawTransaction" {
        return send(chain, faults, params);
    }
    if let Some(outcome) = steer(chain, method, params) {
        return outcome;
    }
    let view = View::new(chain, faults);
    view.chain_facts(method, params)
        .or_else(|| view.blocks(method, params))
        .or_else(|| view.state(method, params))
        .unwrap_or_else(|| Err(fail(-32601, format!("the method {method} does not exist/is not available"))))
}

fn send(chain: &mut EvmChain, faults: &Faults, params: &[Value]) -> Outcome {
    let raw = bytes(params.first()).ok_or_else(|| invalid("raw transaction"))?;
    if faults.server_busy {
        return Err(fail(-32000, "txpool is full"));
    }
    if faults.dup {
        return Err(fail(-32000, "already known"));
    }
    chain.send(&raw).map(|hash| json!(hash)).map_err(|text| fail(-32000, text))
}

/// The names that steer a development node.
fn steer(chain: &mut EvmChain, method: &str, params: &[Value]) -> Option<Outcome> {
    Some(match method {
        "evm_mine" => {
            chain.mine_block();
            Ok(json!("0x0"))
        }
        "anvil_mine" => number(params.first().unwrap_or(&json!("0x1")))
            .filter(|blocks| *blocks <= BLOCKS_MAX)
            .ok_or_else(|| invalid("number of blocks"))
            .map(|blocks| {
                for _ in 0..blocks {
                    chain.mine_block();
                }
                Value::Null
            }),
        "anvil_setBalance" => match (address(params.first()), word(params.get(1))) {
            (Some(address), Some(wei)) => {
                chain.set_balance(address, wei);
                Ok(Value::Null)
            }
            _ => Err(invalid("address or balance")),
        },
        "evm_increaseTime" => {
            params.first().and_then(number).ok_or_else(|| invalid("seconds")).map(|seconds| {
                let ms = i64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
                chain.clock().add(ms);
                quantity(seconds)
            })
        }
        "anvil_reorg" => params
            .first()
            .and_then(number)
            .ok_or_else(|| invalid("depth"))
            .and_then(|depth| {
                chain
                    .reorg(depth, depth, ReorgTransactions::Drop)
                    .map_err(|error| fail(-32602, error.to_string()))
            })
            .map(|()| Value::Null),
        "anvil_dropTransaction" => {
            let id = params.first().and_then(Value::as_str);
            Ok(if id.is_some() && chain.forget(id) > 0 { json!(id) } else { Value::Null })
        }
        "anvil_dropAllTransactions" => {
            let _dropped = chain.forget(None);
            Ok(Value::Null)
        }
        "anvil_setNextBlockBaseFeePerGas" => {
            params.first().and_then(number).ok_or_else(|| invalid("base fee")).map(|wei| {
                chain.next_base_fee = Some(wei);
                Value::Null
            })
        }
        _ => return None,
    })
}

/// The chain as one provider sees it.
pub(super) struct View<'a> {
    pub(super) chain: &'a EvmChain,
    head: &'a Block,
    final_number: u64,
    sees_pool: bool,
    hides_transfers: bool,
}

type Read = Option<Outcome>;

impl<'a> View<'a> {
    fn new(chain: &'a EvmChain, faults: &Faults) -> Self {
        let top = chain.head().header.number.saturating_sub(faults.lag_blocks);
        Self {
            chain,
            head: chain.block(top).unwrap_or_else(|| chain.head()),
            final_number: chain.final_number.saturating_sub(faults.lag_blocks).min(top),
            sees_pool: faults.lag_blocks == 0,
            hides_transfers: faults.hide_transfers,
        }
    }

    fn top(&self) -> u64 {
        self.head.header.number
    }

    pub(super) fn numbered(&self, number: u64) -> Option<&'a Block> {
        (number <= self.top()).then(|| self.chain.block(number)).flatten()
    }

    fn hashed(&self, hash: &B256) -> Option<&'a Block> {
        self.chain.block_by_hash(hash).filter(|block| block.header.number <= self.top())
    }

    /// A tag or number as a block; `None` if there is none yet.
    fn tagged(&self, tag: Option<&Value>) -> Result<Option<&'a Block>, Failure> {
        let Some(tag) = tag.filter(|tag| !tag.is_null()) else {
            return Ok(Some(self.head));
        };
        if let Some(object) = tag.as_object() {
            return match object.get("blockHash") {
                Some(hash) => Ok(hash_of(Some(hash)).and_then(|hash| self.hashed(&hash))),
                None => self.tagged(object.get("blockNumber")),
            };
        }
        Ok(match tag.as_str() {
            Some("latest" | "pending") => Some(self.head),
            Some("earliest") => self.numbered(0),
            Some("finalized") => self.numbered(self.final_number),
            Some("safe") => {
                let safe = self.top().saturating_sub(self.chain.finality_depth / 2);
                self.numbered(safe.max(self.final_number))
            }
            _ => self.numbered(number(tag).ok_or_else(|| invalid("block number"))?),
        })
    }

    pub(super) fn state_at(&self, tag: Option<&Value>) -> Result<&'a Block, Failure> {
        self.tagged(tag)?.ok_or_else(|| fail(-32000, "header not found"))
    }

    fn chain_facts(&self, method: &str, params: &[Value]) -> Read {
        let base_fee = self.chain.base_fee();
        Some(Ok(match method {
            "eth_chainId" => quantity(self.chain.chain_id),
            "net_version" => json!(self.chain.chain_id.to_string()),
            "net_listening" => json!(true),
            "eth_syncing" => json!(false),
            "eth_accounts" => json!([]),
            "web3_clientVersion" => json!("airlock-devnet/0.1.0"),
            "web3_sha3" => print::sha3(&bytes(params.first()).unwrap_or_default()),
            "eth_blockNumber" => quantity(self.top()),
            "eth_gasPrice" => quantity(base_fee.saturating_add(TIP_WEI)),
            "eth_maxPriorityFeePerGas" => quantity(TIP_WEI),
            "eth_feeHistory" => return Some(self.fee_history(params)),
            "txpool_status" => self.pool_status(),
            _ => return None,
        }))
    }

    fn blocks(&self, method: &str, params: &[Value]) -> Read {
        let whole = params.get(1).and_then(Value::as_bool).unwrap_or(false);
        let first = params.first();
        Some(match method {
            "eth_getBlockByNumber" if first.and_then(Value::as_str) == Some("pending") => Ok(self.pending()),
            "eth_getBlockByNumber" => {
                self.tagged(first).map(|block| block.map_or(Value::Null, |block| self.told(block, whole)))
            }
            "eth_getBlockByHash" => hash_of(first)
                .ok_or_else(|| invalid("hash"))
                .map(|hash| self.hashed(&hash))
                .map(|block| block.map_or(Value::Null, |block| self.told(block, whole))),
            "eth_getBlockTransactionCountByNumber" => self
                .tagged(first)
                .map(|block| block.map_or(Value::Null, |b| quantity(b.transactions.len() as u64))),
            "eth_getTransactionByHash" => {
                hash_of(first).ok_or_else(|| invalid("hash")).map(|hash| self.transaction(&hash))
            }
            "eth_getTransactionReceipt" => {
                hash_of(first).ok_or_else(|| invalid("hash")).map(|hash| self.receipt(&hash))
            }
            "eth_getBlockReceipts" => self.block_receipts(first),
            "eth_getLogs" => self.logs(first.unwrap_or(&Value::Null)),
            _ => return None,
        })
    }

    fn state(&self, method: &str, params: &[Value]) -> Read {
        let first = params.first()?;
        let at = |tag: Option<&Value>| -> Result<(Address, &Block), Failure> {
            let address = address(Some(first)).ok_or_else(|| invalid("address"))?;
            Ok((address, self.state_at(tag)?))
        };
        Some(match method {
            "eth_getBalance" => at(params.get(1)).map(|(address, block)| wide(block.world.balance(&address))),
            "eth_getCode" => at(params.get(1)).map(|(address, block)| data(&block.world.code(&address))),
            "eth_getStorageAt" => at(params.get(2)).and_then(|(address, block)| {
                let slot = word(params.get(1)).ok_or_else(|| invalid("slot"))?;
                Ok(json!(B256::from(block.world.storage(&address, &slot))))
            }),
            "eth_getTransactionCount" => {
                let pending = params.get(1).and_then(Value::as_str) == Some("pending");
                at(params.get(1)).map(|(address, block)| {
                    let nonce = block.world.nonce(&address);
                    quantity(if pending && self.sees_pool {
                        self.chain.pool.next_nonce(&address, nonce)
                    } else {
                        nonce
                    })
                })
            }
            "eth_call" => self.call(first, params.get(1)),
            "eth_estimateGas" => self.estimate(first, params.get(1)),
            _ => return None,
        })
    }

    /// A block as this provider tells it.
    fn told(&self, block: &Block, whole: bool) -> Value {
        let mut value = print::block(block, whole);
        if self.hides_transfers {
            let mut shown = (0..block.transactions.len()).map(|position| self.shows(block, position));
            if let Some(listed) = value.get_mut("transactions").and_then(Value::as_array_mut) {
                listed.retain(|_| shown.next().unwrap_or(true));
            }
            value["logsBloom"] = data(&[0; 256]);
        }
        value
    }

    fn shows(&self, block: &Block, position: usize) -> bool {
        let moves_coin = block.transactions.get(position).is_some_and(|(tx, _)| !tx.value.is_zero());
        !(self.hides_transfers && moves_coin)
    }

    /// A receipt as this provider tells it.
    fn told_receipt(&self, block: &Block, position: usize) -> Value {
        let mut value = print::receipt(block, position);
        if self.hides_transfers {
            value["logs"] = json!([]);
            value["logsBloom"] = data(&[0; 256]);
        }
        value
    }

    fn pending(&self) -> Value {
        let mut waiting: Vec<_> = self.chain.pool.iter().collect();
        waiting.sort_by_key(|(arrival, _)| *arrival);
        let hashes = waiting.iter().map(|(_, tx)| json!(tx.hash)).collect();
        print::header(&self.chain.next_header(), None, hashes)
    }

    fn pool_status(&self) -> Value {
        let all = self.chain.pool.iter().count() as u64;
        let world = &self.chain.head().world;
        let ready: u64 = self
            .chain
            .pool
            .senders()
            .iter()
            .map(|sender| {
                let nonce = world.nonce(sender);
                self.chain.pool.next_nonce(sender, nonce) - nonce
            })
            .sum();
        json!({ "pending": quantity(ready), "queued": quantity(all.saturating_sub(ready)) })
    }

    fn mined(&self, hash: &B256) -> Option<(&'a Block, usize)> {
        let found = self.chain.find(hash).filter(|(block, _)| block.header.number <= self.top());
        found.filter(|(block, position)| self.shows(block, *position))
    }

    fn transaction(&self, hash: &B256) -> Value {
        if let Some((block, position)) = self.mined(hash) {
            return block
                .transactions
                .get(position)
                .map_or(Value::Null, |(tx, _)| print::transaction(tx, Some((block, position))));
        }
        self.chain
            .pool
            .find(hash)
            .filter(|_| self.sees_pool)
            .map_or(Value::Null, |tx| print::transaction(tx, None))
    }

    fn receipt(&self, hash: &B256) -> Value {
        self.mined(hash).map_or(Value::Null, |(block, position)| self.told_receipt(block, position))
    }

    fn block_receipts(&self, tag: Option<&Value>) -> Outcome {
        let block = match hash_of(tag) {
            Some(hash) => self.hashed(&hash),
            None => self.tagged(tag)?,
        };
        Ok(block.map_or(Value::Null, |block| {
            let shown = (0..block.transactions.len()).filter(|position| self.shows(block, *position));
            shown.map(|position| self.told_receipt(block, position)).collect()
        }))
    }

    fn logs(&self, request: &Value) -> Outcome {
        let filter = Filter::read(request).ok_or_else(|| invalid("filter"))?;
        if let Some(hash) = request.get("blockHash").filter(|hash| !hash.is_null()) {
            if request.get("fromBlock").is_some() || request.get("toBlock").is_some() {
                return Err(invalid("cannot specify both BlockHash and FromBlock/ToBlock"));
            }
            let block = hash_of(Some(hash))
                .and_then(|hash| self.hashed(&hash))
                .ok_or_else(|| fail(-32000, "unknown block"))?;
            return Ok(Value::Array(if self.hides_transfers { Vec::new() } else { filter.matches(block) }));
        }
        let bound = |key: &str| -> Result<u64, Failure> {
            let tag = request.get(key);
            match tag.and_then(number) {
                Some(number) => Ok(number),
                None => Ok(self.state_at(tag)?.header.number),
            }
        };
        let (from, to) = (bound("fromBlock")?, bound("toBlock")?);
        if from > to {
            return Err(invalid("invalid block range params"));
        }
        if to - from > LOG_RANGE_MAX {
            return Err(fail(-32005, "query exceeds max block range 10000"));
        }
        Ok((from..=to.min(self.top()))
            .filter_map(|number| self.numbered(number).filter(|_| !self.hides_transfers))
            .flat_map(|block| filter.matches(block))
            .collect())
    }
}

pub(super) fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    hex::decode(value?.as_str()?.strip_prefix("0x")?).ok()
}

pub(super) fn address(value: Option<&Value>) -> Option<Address> {
    parse_address(value?.as_str()?)
}

fn hash_of(value: Option<&Value>) -> Option<B256> {
    let bytes = bytes(value)?;
    (bytes.len() == 32).then(|| B256::from_slice(&bytes))
}

pub(super) fn word(value: Option<&Value>) -> Option<U256> {
    let digits = value?.as_str()?.strip_prefix("0x")?;
    U256::from_str_radix(digits, 16).ok()
}

pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => u64::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
        _ => None,
    }
}
