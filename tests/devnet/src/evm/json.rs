//! Printing: Ethereum's JSON, quantities as minimal hex.
//!
//! Used by `rpc.rs` and `logs.rs`.

use revm::primitives::{B256, U256, keccak256};
use serde_json::{Value, json};

use super::block::{Block, EMPTY_ROOT, Header, NO_REQUESTS, NO_UNCLES};
use super::transaction::SignedTx;

/// A quantity.
pub(crate) fn quantity(value: impl Into<u128>) -> Value {
    Value::from(format!("0x{:x}", value.into()))
}

/// A quantity of up to 256 bits.
pub(crate) fn wide(value: U256) -> Value {
    Value::from(format!("0x{value:x}"))
}

/// Bytes.
pub(crate) fn data(bytes: &[u8]) -> Value {
    Value::from(format!("0x{}", hex::encode(bytes)))
}

/// A block with whole transactions or their hashes.
pub(crate) fn block(block: &Block, whole: bool) -> Value {
    let transactions: Vec<Value> = block
        .transactions
        .iter()
        .enumerate()
        .map(
            |(position, (tx, _))| {
                if whole { transaction(tx, Some((block, position))) } else { json!(tx.hash) }
            },
        )
        .collect();
    header(&block.header, Some(block.hash), transactions)
}

/// A header with these transactions; without a hash it is the pending block's.
pub(crate) fn header(header: &Header, hash: Option<B256>, transactions: Vec<Value>) -> Value {
    json!({
        "number": quantity(header.number),
        "hash": hash,
        "parentHash": header.parent,
        "nonce": "0x0000000000000000",
        "sha3Uncles": NO_UNCLES,
        "logsBloom": data(header.bloom.as_bytes()),
        "transactionsRoot": header.transactions_root,
        "stateRoot": header.state_root,
        "receiptsRoot": header.receipts_root,
        "miner": header.beneficiary,
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "size": quantity(header.encode().len() as u64),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "mixHash": header.mix,
        "baseFeePerGas": quantity(header.base_fee),
        "withdrawalsRoot": EMPTY_ROOT,
        "withdrawals": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": B256::ZERO,
        "requestsHash": NO_REQUESTS,
        "uncles": [],
        "transactions": transactions,
    })
}

/// A transaction, mined (block and position) or waiting.
pub(crate) fn transaction(tx: &SignedTx, mined: Option<(&Block, usize)>) -> Value {
    let gas_price = mined.map_or(tx.max_fee, |(block, _)| tx.prices(block.header.base_fee).0);
    let mut value = json!({
        "blockHash": mined.map(|(block, _)| block.hash),
        "blockNumber": mined.map(|(block, _)| quantity(block.header.number)),
        "transactionIndex": mined.map(|(_, position)| quantity(position as u64)),
        "hash": tx.hash,
        "type": quantity(tx.kind),
        "nonce": quantity(tx.nonce),
        "from": tx.from,
        "to": tx.to,
        "value": wide(tx.value),
        "gas": quantity(tx.gas_limit),
        "gasPrice": quantity(gas_price),
        "input": data(&tx.data),
        "v": quantity(tx.v),
        "r": wide(tx.r),
        "s": wide(tx.s),
    });
    if let Some(object) = value.as_object_mut() {
        object.insert("chainId".to_owned(), quantity(tx.chain_id));
        if tx.kind > 0 {
            let list: Vec<Value> = tx
                .access_list
                .iter()
                .map(|(address, keys)| json!({ "address": address, "storageKeys": keys }))
                .collect();
            object.insert("accessList".to_owned(), Value::Array(list));
            object.insert("yParity".to_owned(), quantity(tx.v));
        }
        if tx.kind == 2 {
            object.insert("maxFeePerGas".to_owned(), quantity(tx.max_fee));
            object.insert("maxPriorityFeePerGas".to_owned(), quantity(tx.max_priority_fee));
        }
    }
    value
}

/// The receipt at a position of a block.
pub(crate) fn receipt(block: &Block, position: usize) -> Value {
    let Some((tx, receipt)) = block.transactions.get(position) else {
        return Value::Null;
    };
    json!({
        "transactionHash": tx.hash,
        "transactionIndex": quantity(position as u64),
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "from": tx.from,
        "to": tx.to,
        "cumulativeGasUsed": quantity(receipt.cumulative_gas_used),
        "gasUsed": quantity(receipt.gas_used),
        "effectiveGasPrice": quantity(receipt.effective_gas_price),
        "contractAddress": receipt.created,
        "logs": logs_of(block, position),
        "logsBloom": data(receipt.bloom().as_bytes()),
        "type": quantity(tx.kind),
        "status": quantity(u8::from(receipt.success)),
    })
}

/// The logs of one transaction.
pub(crate) fn logs_of(block: &Block, position: usize) -> Vec<Value> {
    let Some((tx, receipt)) = block.transactions.get(position) else {
        return Vec::new();
    };
    receipt
        .logs
        .iter()
        .zip(receipt.first_log..)
        .map(|(log, index)| {
            json!({
                "address": log.address,
                "topics": log.data.topics(),
                "data": data(&log.data.data),
                "blockNumber": quantity(block.header.number),
                "blockHash": block.hash,
                "blockTimestamp": quantity(block.header.timestamp),
                "transactionHash": tx.hash,
                "transactionIndex": quantity(position as u64),
                "logIndex": quantity(index),
                "removed": false,
            })
        })
        .collect()
}

/// keccak-256 as `web3_sha3` answers it.
pub(crate) fn sha3(bytes: &[u8]) -> Value {
    json!(keccak256(bytes))
}
