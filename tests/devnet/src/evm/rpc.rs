//! Ethereum JSON-RPC, single requests and batches.
//!
//! Called by `serve.rs` for every POST to an EVM provider, under the chain's mutex. Names, codes and texts are geth's; the few
//! `anvil_*` and `evm_*` names steer the chain, so that the same test drives a real anvil.

use revm::context::result::ExecutionResult;
use revm::primitives::{Address, B256, U256};
use serde_json::{Value, json};

use super::block::Block;
use super::chain::EvmChain;
use super::execute::{self, Call};
use super::json::{self as print, data, quantity, wide};
use super::logs::Filter;
use super::steer::parse_address;
use crate::chain::{BLOCKS_MAX, Chain, ReorgTransactions};
use crate::faults::Faults;

/// Requests one batch may hold.
const BATCH_MAX: usize = 1_000;
/// geth's cap on calls without signature.
const CALL_GAS: u64 = 50_000_000;
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
struct Failure {
    code: i64,
    message: String,
    data: Option<Value>,
}

type Outcome = Result<Value, Failure>;

fn fail(code: i64, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into(), data: None }
}

fn invalid(what: &str) -> Failure {
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
struct View<'a> {
    chain: &'a EvmChain,
    head: &'a Block,
    final_number: u64,
    sees_pool: bool,
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
        }
    }

    fn top(&self) -> u64 {
        self.head.header.number
    }

    fn numbered(&self, number: u64) -> Option<&'a Block> {
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

    fn state_at(&self, tag: Option<&Value>) -> Result<&'a Block, Failure> {
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
                self.tagged(first).map(|block| block.map_or(Value::Null, |block| print::block(block, whole)))
            }
            "eth_getBlockByHash" => hash_of(first)
                .ok_or_else(|| invalid("hash"))
                .map(|hash| self.hashed(&hash))
                .map(|block| block.map_or(Value::Null, |block| print::block(block, whole))),
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
        self.chain.find(hash).filter(|(block, _)| block.header.number <= self.top())
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
        self.mined(hash).map_or(Value::Null, |(block, position)| print::receipt(block, position))
    }

    fn block_receipts(&self, tag: Option<&Value>) -> Outcome {
        let block = match hash_of(tag) {
            Some(hash) => self.hashed(&hash),
            None => self.tagged(tag)?,
        };
        Ok(block.map_or(Value::Null, |block| {
            (0..block.transactions.len()).map(|position| print::receipt(block, position)).collect()
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
            return Ok(Value::Array(filter.matches(block)));
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
            .filter_map(|number| self.numbered(number))
            .flat_map(|block| filter.matches(block))
            .collect())
    }

    fn read_call(&self, request: &Value) -> Result<Call, Failure> {
        let field = |key: &str| request.get(key).filter(|value| !value.is_null());
        let input = field("input").or_else(|| field("data"));
        Ok(Call {
            from: address(field("from")).unwrap_or(Address::ZERO),
            to: address(field("to")),
            value: word(field("value")).unwrap_or(U256::ZERO),
            data: match input {
                Some(input) => bytes(Some(input)).ok_or_else(|| invalid("input"))?,
                None => Vec::new(),
            },
            gas_limit: field("gas").and_then(number).unwrap_or(CALL_GAS).min(CALL_GAS),
        })
    }

    fn run(&self, block: &Block, call: &Call) -> Result<ExecutionResult, Failure> {
        execute::call(&block.world, &block.header, self.chain.chain_id, call)
            .map(|(result, _)| result)
            .map_err(|error| fail(-32000, error.to_string()))
    }

    fn call(&self, request: &Value, tag: Option<&Value>) -> Outcome {
        let block = self.state_at(tag)?;
        let result = self.run(block, &self.read_call(request)?)?;
        succeeded(&result)?;
        Ok(data(result.output().map_or(&[], |output| output)))
    }

    /// The smallest gas limit the call succeeds with.
    fn estimate(&self, request: &Value, tag: Option<&Value>) -> Outcome {
        let block = self.state_at(tag)?;
        let mut call = self.read_call(request)?;
        let result = self.run(block, &call)?;
        succeeded(&result)?;
        let mut enough = call.gas_limit;
        let mut too_little = result.tx_gas_used().saturating_sub(1);
        // The first guess is usually right: what was used, and a 64th for what calls hold back.
        call.gas_limit = result.tx_gas_used();
        if self.run(block, &call).is_ok_and(|result| result.is_success()) {
            return Ok(quantity(call.gas_limit));
        }
        while enough - too_little > 1 {
            call.gas_limit = too_little + (enough - too_little) / 2;
            if self.run(block, &call).is_ok_and(|result| result.is_success()) {
                enough = call.gas_limit;
            } else {
                too_little = call.gas_limit;
            }
        }
        Ok(quantity(enough))
    }

    fn fee_history(&self, params: &[Value]) -> Outcome {
        let count = params.first().and_then(number).unwrap_or(1).clamp(1, 1024);
        let newest = self.state_at(params.get(1))?.header.number;
        let percentiles = params.get(2).and_then(Value::as_array);
        let oldest = (newest + 1).saturating_sub(count);
        let mut fees = Vec::new();
        let mut ratios = Vec::new();
        let mut rewards = Vec::new();
        for block in (oldest..=newest).filter_map(|number| self.numbered(number)) {
            fees.push(quantity(block.header.base_fee));
            ratios.push(ratio(block.header.gas_used, block.header.gas_limit));
            rewards.push(tips(block, percentiles.map_or(&[], Vec::as_slice)));
        }
        let next =
            self.numbered(newest + 1).map_or_else(|| self.chain.base_fee(), |block| block.header.base_fee);
        fees.push(quantity(next));
        let mut history = json!({
            "oldestBlock": quantity(oldest), "baseFeePerGas": fees, "gasUsedRatio": ratios,
        });
        if let (Some(_), Some(object)) = (percentiles, history.as_object_mut()) {
            object.insert("reward".to_owned(), Value::Array(rewards));
        }
        Ok(history)
    }
}

/// A fraction as a JSON number, without floating point.
fn ratio(part: u64, whole: u64) -> Value {
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Tips at these percentiles, by transaction count.
fn tips(block: &Block, percentiles: &[Value]) -> Value {
    let mut tips: Vec<u128> =
        block.transactions.iter().map(|(tx, _)| tx.prices(block.header.base_fee).1).collect();
    tips.sort_unstable();
    percentiles
        .iter()
        .map(|percentile| {
            let percent = percentile
                .to_string()
                .split('.')
                .next()
                .and_then(|whole| whole.parse::<usize>().ok())
                .unwrap_or(0);
            let position = (tips.len() * percent / 100).min(tips.len().saturating_sub(1));
            quantity(tips.get(position).copied().unwrap_or(0))
        })
        .collect()
}

fn succeeded(result: &ExecutionResult) -> Result<(), Failure> {
    match result {
        ExecutionResult::Success { .. } => Ok(()),
        ExecutionResult::Revert { output, .. } => Err(Failure {
            code: 3,
            message: match reason(output) {
                Some(reason) => format!("execution reverted: {reason}"),
                None => "execution reverted".to_owned(),
            },
            data: Some(data(output)),
        }),
        ExecutionResult::Halt { reason, .. } => {
            use revm::context::result::HaltReason;
            Err(fail(
                -32000,
                match reason {
                    HaltReason::OutOfGas(_) => "out of gas".to_owned(),
                    HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".to_owned(),
                    other => other.to_string(),
                },
            ))
        }
    }
}

/// The text of `Error(string)`.
fn reason(output: &[u8]) -> Option<String> {
    let body = output.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0])?;
    let length = U256::try_from_be_slice(body.get(32..64)?)?;
    let length = usize::try_from(length).ok()?;
    let text = body.get(64..64_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    hex::decode(value?.as_str()?.strip_prefix("0x")?).ok()
}

fn address(value: Option<&Value>) -> Option<Address> {
    parse_address(value?.as_str()?)
}

fn hash_of(value: Option<&Value>) -> Option<B256> {
    let bytes = bytes(value)?;
    (bytes.len() == 32).then(|| B256::from_slice(&bytes))
}

fn word(value: Option<&Value>) -> Option<U256> {
    let digits = value?.as_str()?.strip_prefix("0x")?;
    U256::from_str_radix(digits, 16).ok()
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => u64::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
        _ => None,
    }
}
