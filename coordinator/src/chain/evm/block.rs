//! From a block and its receipts to transfers, or to the reason why something is missing.
//!
//! Pure; called by the EVM client for whole blocks and for one receipt. What must stay true: the receipts are exactly the
//! block's, in order; log indexes run without a gap; and the logs' bloom filter, computed here, equals the header's. So neither a
//! hidden nor an invented log passes unless header and receipts were forged together, and that the second provider sees.

use super::rpc::{RpcBlock, RpcLog, RpcReceipt, RpcTransaction};
use crate::chain::{
    Block, BlockId, Coin, Header, NATIVE_ORDINAL, OddLog, RawLog, Settings, Transfer, TxId, read_transfer_log,
};
use airlock_shared::Address;
use sha3::{Digest as _, Keccak256};

/// The block's place.
pub(super) fn header_of<T>(block: &RpcBlock<T>) -> Header {
    Header {
        height: block.number.0,
        id: BlockId(block.hash.0),
        parent: BlockId(block.parent_hash.0),
        time_ms: block.timestamp.0.saturating_mul(1000),
    }
}

/// The block with all its transfers; the error says what does not fit.
pub(super) fn assemble(
    settings: &Settings,
    block: &RpcBlock<RpcTransaction>,
    receipts: &[RpcReceipt],
) -> Result<Block, String> {
    if receipts.len() != block.transactions.len() {
        return Err(format!("{} receipts for {} transactions", receipts.len(), block.transactions.len()));
    }
    let mut bloom = [0; 256];
    let mut logs_seen = 0;
    let mut whole = Block { header: header_of(block), transfers: Vec::new(), odd: Vec::new() };
    for (transaction, receipt) in block.transactions.iter().zip(receipts) {
        if receipt.block_hash != block.hash || receipt.block_number != block.number {
            return Err("a receipt of another block".to_owned());
        }
        for log in &receipt.logs {
            if log.log_index.0 != logs_seen {
                return Err(format!("log {} where log {logs_seen} must be", log.log_index.0));
            }
            logs_seen += 1;
            add_to_bloom(&mut bloom, log);
        }
        let (transfers, odd) = transfers_of(settings, transaction, receipt)?;
        whole.transfers.extend(transfers);
        whole.odd.extend(odd);
    }
    if bloom != block.logs_bloom.0 {
        return Err("the receipts' logs are not those of the header's bloom filter".to_owned());
    }
    Ok(whole)
}

/// What one transaction moved: its own value, and the transfer logs of configured tokens.
pub(super) fn transfers_of(
    settings: &Settings,
    transaction: &RpcTransaction,
    receipt: &RpcReceipt,
) -> Result<(Vec<Transfer>, Vec<OddLog>), String> {
    if receipt.transaction_hash != transaction.hash {
        return Err("a receipt of another transaction".to_owned());
    }
    let (mut transfers, mut odd) = (Vec::new(), Vec::new());
    if !receipt.succeeded() {
        return if receipt.logs.is_empty() {
            Ok((transfers, odd))
        } else {
            Err("logs of a failure".to_owned())
        };
    }
    let tx_id = TxId(transaction.hash.0);
    if let (Some(to), false) = (transaction.to, transaction.value.0.is_zero()) {
        transfers.push(Transfer {
            tx_id,
            ordinal: NATIVE_ORDINAL,
            coin: Coin::Native,
            from: Address::new(settings.network, transaction.from.0),
            to: Address::new(settings.network, to.0),
            amount: transaction.value.0,
        });
    }
    for (ordinal, log) in (0_i64..).zip(&receipt.logs) {
        if log.removed
            || log.block_hash != receipt.block_hash
            || log.transaction_hash != receipt.transaction_hash
        {
            return Err("a removed log, or one of another block or transaction".to_owned());
        }
        let contract = Address::new(settings.network, log.address.0);
        if !settings.knows(contract) {
            continue;
        }
        let topics: Vec<[u8; 32]> = log.topics.iter().map(|topic| topic.0).collect();
        match read_transfer_log(&RawLog { tx_id, ordinal, contract, topics: &topics, data: &log.data.0 }) {
            Some(Ok(transfer)) => transfers.push(transfer),
            Some(Err(log)) => odd.push(log),
            None => {}
        }
    }
    Ok((transfers, odd))
}

/// The yellow paper's M3:2048 for the emitter and every topic.
fn add_to_bloom(bloom: &mut [u8; 256], log: &RpcLog) {
    let topics = log.topics.iter().map(|topic| &topic.0[..]);
    for input in std::iter::once(&log.address.0[..]).chain(topics) {
        let hash = Keccak256::digest(input);
        for pair in [0, 2, 4] {
            let bit = usize::from(u16::from_be_bytes([hash[pair], hash[pair + 1]]) & 0x07ff);
            bloom[255 - bit / 8] |= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Token;
    use airlock_shared::{BaseUnits, Network};
    use serde_json::{Value, json};
    use std::time::Duration;

    const TOKEN: [u8; 20] = [0xaa; 20];

    fn settings() -> Settings {
        let contract = Address::new(Network::ETHEREUM, TOKEN);
        Settings {
            network: Network::ETHEREUM,
            providers: Vec::new(),
            tokens: vec![Token { contract, decimals: 6 }],
            final_depth: None,
            timeout: Duration::from_secs(1),
        }
    }

    fn h<const N: usize>(byte: u8) -> String {
        format!("0x{}", hex::encode([byte; N]))
    }

    fn padded(byte: u8) -> String {
        format!("0x{}{}", "00".repeat(12), hex::encode([byte; 20]))
    }

    fn log(address: u8, index: u64) -> Value {
        json!({"address": h::<20>(address), "topics":
            ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", padded(1), padded(2)],
            "data": format!("0x{:064x}", 1_500_000), "logIndex": format!("0x{index:x}"),
            "transactionHash": h::<32>(5), "blockHash": h::<32>(9)})
    }

    fn receipt(status: u64, logs: &[Value]) -> Value {
        json!({"transactionHash": h::<32>(5), "blockHash": h::<32>(9), "blockNumber": "0x10", "gasUsed": "0x5208",
            "status": format!("0x{status:x}"), "effectiveGasPrice": "0x7", "logs": logs})
    }

    fn read(value: &str, receipts: Value) -> Result<Block, String> {
        let receipts: Vec<RpcReceipt> = serde_json::from_value(receipts).unwrap();
        let mut bloom = [0; 256];
        receipts.iter().flat_map(|receipt| &receipt.logs).for_each(|log| add_to_bloom(&mut bloom, log));
        read_with_bloom(value, &receipts, bloom)
    }

    fn read_with_bloom(value: &str, receipts: &[RpcReceipt], bloom: [u8; 256]) -> Result<Block, String> {
        let block: RpcBlock<RpcTransaction> =
            serde_json::from_value(json!({"number": "0x10", "hash": h::<32>(9),
            "parentHash": h::<32>(8), "timestamp": "0x65", "logsBloom": format!("0x{}", hex::encode(bloom)),
            "transactions": [{"hash": h::<32>(5), "from": h::<20>(1), "to": h::<20>(2), "value": value}]}))
            .unwrap();
        assemble(&settings(), &block, receipts)
    }

    #[test]
    fn token_and_native_transfers_of_one_transaction_are_both_read() {
        let block = read("0x3", json!([receipt(1, &[log(0xaa, 0), log(0xaa, 1)])])).unwrap();
        let seen: Vec<_> = block.transfers.iter().map(|t| (t.ordinal, t.coin, t.amount)).collect();
        let token = Coin::Token(Address::new(Network::ETHEREUM, TOKEN));
        let amount = BaseUnits::from(1_500_000_u64);
        assert_eq!(
            seen,
            [(-1, Coin::Native, BaseUnits::from(3_u64)), (0, token, amount), (1, token, amount)]
        );
        assert_eq!(block.header.time_ms, 101_000);
    }

    #[test]
    fn a_look_alike_token_is_ignored_and_the_ordinal_still_counts_its_log() {
        let block = read("0x0", json!([receipt(1, &[log(0xbb, 0), log(0xaa, 1)])])).unwrap();
        assert_eq!(block.transfers.len(), 1);
        assert_eq!(block.transfers[0].ordinal, 1);
    }

    #[test]
    fn a_failed_transaction_moved_nothing() {
        assert!(read("0x3", json!([receipt(0, &[])])).unwrap().transfers.is_empty());
        assert!(read("0x3", json!([receipt(0, &[log(0xaa, 0)])])).is_err());
    }

    #[test]
    fn missing_receipts_make_the_block_incomplete() {
        assert!(read("0x0", json!([])).unwrap_err().contains("0 receipts for 1"));
    }

    #[test]
    fn a_hidden_log_shows_in_the_bloom_filter() {
        let whole: Vec<RpcReceipt> = serde_json::from_value(json!([receipt(1, &[log(0xaa, 0)])])).unwrap();
        let mut bloom = [0; 256];
        add_to_bloom(&mut bloom, &whole[0].logs[0]);
        let hidden: Vec<RpcReceipt> = serde_json::from_value(json!([receipt(1, &[])])).unwrap();
        assert!(read_with_bloom("0x0", &hidden, bloom).unwrap_err().contains("bloom"));
        assert!(read_with_bloom("0x0", &whole, [0; 256]).unwrap_err().contains("bloom"));
        assert!(read_with_bloom("0x0", &whole, bloom).is_ok());
    }

    #[test]
    fn a_gap_in_log_indexes_makes_the_block_incomplete() {
        assert!(read("0x0", json!([receipt(1, &[log(0xaa, 1)])])).unwrap_err().contains("log 1"));
    }

    #[test]
    fn a_removed_log_or_one_of_another_block_is_refused() {
        let mut removed = log(0xaa, 0);
        removed["removed"] = json!(true);
        assert!(read("0x0", json!([receipt(1, &[removed])])).is_err());
        let mut foreign = log(0xaa, 0);
        foreign["blockHash"] = json!(h::<32>(7));
        assert!(read("0x0", json!([receipt(1, &[foreign])])).is_err());
    }

    #[test]
    fn a_misshapen_transfer_log_of_the_genuine_token_is_kept_as_odd() {
        let mut short = log(0xaa, 0);
        short["topics"].as_array_mut().unwrap().pop();
        let block = read("0x0", json!([receipt(1, &[short])])).unwrap();
        assert!(block.transfers.is_empty());
        assert_eq!(block.odd.len(), 1);
    }
}
