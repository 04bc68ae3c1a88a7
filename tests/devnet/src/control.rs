//! The control routes: JSON in, one call of the [`Chain`] trait, JSON out.
//!
//! Called by `serve.rs` with the chain locked; documented in the crate's opening. Faults and mining intervals belong to the ports, not
//! the chain, and are handled by `devnet.rs`.

use revm::primitives::U256;
use serde_json::{Map, Value, json};

use crate::chain::{BLOCKS_MAX, Chain, ControlError, ReorgTransactions};

/// A decimal amount of base units.
pub(crate) fn amount(text: &str) -> Result<U256, ControlError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ControlError::Amount(text.to_owned()));
    }
    U256::from_str_radix(text, 10).map_err(|_| ControlError::Amount(text.to_owned()))
}

/// Hex with or without `0x`.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, ControlError> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| ControlError::Hex(text.to_owned()))
}

/// What goes into new blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// What the pool holds.
    Pool,
    /// Nothing: no producer takes what waits.
    Nothing,
}

/// Makes that many blocks.
pub(crate) fn mine(chain: &mut dyn Chain, blocks: u64, contents: Contents) -> Result<Value, ControlError> {
    if blocks > BLOCKS_MAX {
        return Err(ControlError::Blocks(blocks));
    }
    for _ in 0..blocks {
        match contents {
            Contents::Pool => chain.mine_one(),
            Contents::Nothing => chain.mine_none(),
        }
    }
    Ok(head(chain))
}

fn head(chain: &dyn Chain) -> Value {
    let head = chain.head();
    json!({ "head": head.number, "head_id": head.id, "final": head.final_number })
}

/// Everything `state` shows that the chain itself knows.
pub(crate) fn state(chain: &mut dyn Chain) -> Map<String, Value> {
    let head = chain.head();
    let now_ms = chain.clock().now_ms();
    let tokens: Vec<Value> = chain
        .tokens()
        .into_iter()
        .map(|(name, address)| json!({ "name": name, "address": address }))
        .collect();
    let value = json!({
        "kind": chain.kind(), "chain": chain.caip2(), "chain_id": chain.chain_id(),
        "head": head.number, "head_id": head.id, "head_time_ms": head.time_ms,
        "final": head.final_number, "now_ms": now_ms, "finality_depth": chain.finality_depth(),
        "pool": chain.pool(), "deployer": chain.deployer(), "tokens": tokens,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Runs a route that concerns the chain alone.
pub(crate) fn run(chain: &mut dyn Chain, route: &str, body: &Value) -> Result<Value, ControlError> {
    let text = |key: &'static str| field(body, key)?.as_str().ok_or_else(|| missing(key));
    let number = |key: &'static str| field(body, key)?.as_u64().ok_or_else(|| missing(key));
    let optional = |key: &str| body.get(key).and_then(Value::as_str);
    Ok(match route {
        "mine" => {
            let empty = body.get("empty").and_then(Value::as_bool) == Some(true);
            let contents = if empty { Contents::Nothing } else { Contents::Pool };
            mine(chain, body.get("blocks").and_then(Value::as_u64).unwrap_or(1), contents)?
        }
        "time" => time(chain, body)?,
        "finality" => {
            chain.set_finality_depth(number("depth")?);
            json!({ "final": chain.head().final_number })
        }
        "fund" => json!({ "balance": chain.fund(text("address")?, amount(text("amount")?)?)? }),
        "deploy" => {
            let supply = amount(optional("supply").unwrap_or("0"))?;
            json!({ "address": chain.deploy(text("contract")?, supply)? })
        }
        "transfer" => {
            let sum = amount(text("amount")?)?;
            json!({ "tx": chain.transfer(optional("token"), text("to")?, sum)? })
        }
        "call" => {
            let value = amount(optional("value").unwrap_or("0"))?;
            json!({ "tx": chain.call(text("contract")?, bytes(text("data")?)?, value)? })
        }
        "balance" => {
            let (latest, last_final) = chain.balance(text("address")?, optional("token"))?;
            json!({ "latest": latest, "final": last_final })
        }
        "reorg" => reorg(chain, number("depth")?, body)?,
        "drop" => json!({ "dropped": chain.forget(optional("tx")) }),
        "params" => {
            let changes = body.as_object().ok_or_else(|| missing("parameters"))?;
            for (key, value) in changes {
                chain.change_parameter(key, value)?;
            }
            json!({})
        }
        "stake" => {
            chain.stake(text("address")?, text("resource")?, amount(text("amount")?)?)?;
            json!({})
        }
        other => return Err(ControlError::Request(format!("no route {other}"))),
    })
}

fn field<'a>(body: &'a Value, key: &str) -> Result<&'a Value, ControlError> {
    body.get(key).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> ControlError {
    ControlError::Request(format!("{key} is missing or of another type"))
}

fn time(chain: &mut dyn Chain, body: &Value) -> Result<Value, ControlError> {
    let clock = chain.clock();
    if let Some(at) = body.get("set_ms").and_then(Value::as_i64) {
        clock.set(at);
    } else if let Some(by) = body.get("add_ms").and_then(Value::as_i64) {
        clock.add(by);
    } else if body.get("real").and_then(Value::as_bool) == Some(true) {
        clock.real();
    } else {
        return Err(missing("set_ms, add_ms or real"));
    }
    Ok(json!({ "now_ms": clock.now_ms() }))
}

fn reorg(chain: &mut dyn Chain, depth: u64, body: &Value) -> Result<Value, ControlError> {
    let replacement = body.get("replacement").and_then(Value::as_u64).unwrap_or(depth);
    if replacement > BLOCKS_MAX {
        return Err(ControlError::Blocks(replacement));
    }
    let transactions = match body.get("transactions").and_then(Value::as_str) {
        None | Some("drop") => ReorgTransactions::Drop,
        Some("pool") => ReorgTransactions::Pool,
        Some(other) => return Err(ControlError::Request(format!("transactions: {other}"))),
    };
    chain.reorg(depth, replacement, transactions)?;
    Ok(head(chain))
}
