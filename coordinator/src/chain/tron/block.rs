//! From a TRON block and its transaction infos to transfers, or to the reason why something is missing.
//!
//! Pure; called by the TRON client for whole blocks and for one transaction. What must stay true: every transaction of the block
//! has exactly one info of this block and the other way round; an id is the SHA-256 of the bytes that come with it; a transfer counts only when block and info both call it a success;
//! logs count by the token's bytes (they come without the prefix 41) and never by calldata or return value, since the genuine
//! USDT returns false on success.

use super::rpc::{TronBlock, TronInfo, TronTransaction, TronTransfer, address_of, text_of_hex};
use crate::chain::{
    Block, Coin, Header, NATIVE_ORDINAL, OddLog, RawLog, Settings, Transfer, TxId, bytes_of,
    read_transfer_log,
};
use airlock_shared::BaseUnits;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The block with all its transfers; the error says what does not fit.
pub(super) fn assemble(
    settings: &Settings,
    header: Header,
    block: &TronBlock,
    infos: &[TronInfo],
) -> Result<Block, String> {
    if infos.len() != block.transactions.len() {
        return Err(format!("{} infos for {} transactions", infos.len(), block.transactions.len()));
    }
    let by_id: HashMap<&str, &TronInfo> = infos.iter().map(|info| (info.id.as_str(), info)).collect();
    if by_id.len() != infos.len() {
        return Err("two infos of one transaction".to_owned());
    }
    let mut whole = Block { header, transfers: Vec::new(), odd: Vec::new() };
    for transaction in &block.transactions {
        let info = by_id.get(transaction.tx_id.as_str());
        let info = info.ok_or_else(|| format!("no info of transaction {}", short(&transaction.tx_id)))?;
        if info.block_number != header.height {
            return Err(format!("an info of block {}", info.block_number));
        }
        let (transfers, odd) = transfers_of(settings, transaction, info)?;
        whole.transfers.extend(transfers);
        whole.odd.extend(odd);
    }
    Ok(whole)
}

/// Did the transaction do what it was signed for? `Err` carries the chain's reason.
pub(super) fn outcome(transaction: &TronTransaction, info: &TronInfo) -> Result<(), String> {
    let message = || match text_of_hex(&info.res_message) {
        text if text.is_empty() => "FAILED".to_owned(),
        text => short(&text),
    };
    // java-tron prints the enum's zero as `SUCESS` where a gateway does not omit it.
    if !matches!(info.result.as_str(), "" | "SUCESS" | "SUCCESS") {
        return Err(message());
    }
    let calls_contract =
        transaction.raw_data.contract.iter().any(|contract| contract.kind == "TriggerSmartContract");
    if (calls_contract || !info.receipt.result.is_empty()) && info.receipt.result != "SUCCESS" {
        return Err(format!("receipt {:?}", short(&info.receipt.result)));
    }
    match transaction.ret.first() {
        Some(ret) if ret.contract_ret == "SUCCESS" => Ok(()),
        Some(ret) => Err(format!("contractRet {:?}", short(&ret.contract_ret))),
        None => Err("no contractRet".to_owned()),
    }
}

/// What one transaction moved: TRX by a TransferContract, and the transfer logs of configured tokens.
pub(super) fn transfers_of(
    settings: &Settings,
    transaction: &TronTransaction,
    info: &TronInfo,
) -> Result<(Vec<Transfer>, Vec<OddLog>), String> {
    let tx_id = TxId::parse(&transaction.tx_id);
    let tx_id = tx_id.ok_or_else(|| format!("txID {:?}", short(&transaction.tx_id)))?;
    let raw_data = hex::decode(&transaction.raw_data_hex).map_err(|_| format!("raw_data_hex of {tx_id}"))?;
    if <[u8; 32]>::from(Sha256::digest(&raw_data)) != tx_id.0 {
        return Err(format!("{tx_id} is not the id of its raw_data_hex"));
    }
    let (mut transfers, mut odd) = (Vec::new(), Vec::new());
    if let Err(reason) = outcome(transaction, info) {
        // A failure has no logs; one that has them is neither, and must be read again.
        return if info.log.is_empty() {
            Ok((transfers, odd))
        } else {
            Err(format!("logs although {reason}"))
        };
    }
    transfers.extend(native_transfer(settings, tx_id, transaction)?);
    for (ordinal, log) in (0_i64..).zip(&info.log) {
        let contract = address_of(settings.network, &log.address);
        let contract = contract.ok_or_else(|| format!("log address {:?}", short(&log.address)))?;
        if !settings.knows(contract) {
            continue;
        }
        let topics: Option<Vec<[u8; 32]>> = log.topics.iter().map(|topic| bytes_of(topic)).collect();
        let (Some(topics), Ok(data)) = (topics, hex::decode(&log.data)) else {
            return Err(format!("topics or data of log {ordinal} of {tx_id}"));
        };
        match read_transfer_log(&RawLog { tx_id, ordinal, contract, topics: &topics, data: &data }) {
            Some(Ok(transfer)) => transfers.push(transfer),
            Some(Err(log)) => odd.push(log),
            None => {}
        }
    }
    Ok((transfers, odd))
}

fn native_transfer(
    settings: &Settings,
    tx_id: TxId,
    transaction: &TronTransaction,
) -> Result<Option<Transfer>, String> {
    let [contract] = &transaction.raw_data.contract[..] else { return Ok(None) };
    if contract.kind != "TransferContract" {
        return Ok(None);
    }
    let unreadable = || format!("TransferContract of {tx_id}");
    let value: TronTransfer =
        serde::Deserialize::deserialize(&contract.parameter.value).map_err(|_| unreadable())?;
    let from = address_of(settings.network, &value.owner_address).ok_or_else(unreadable)?;
    let to = address_of(settings.network, &value.to_address).ok_or_else(unreadable)?;
    let amount = BaseUnits::from(value.amount);
    Ok(Some(Transfer { tx_id, ordinal: NATIVE_ORDINAL, coin: Coin::Native, from, to, amount }))
}

fn short(text: &str) -> String {
    crate::chain::error::cut(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{BlockId, Token};
    use airlock_shared::{Address, Network};
    use serde_json::{Value, json};
    use std::time::Duration;

    /// SHA-256 of the one byte [`RAW`].
    const TX: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    const RAW: &str = "00";
    const USDT: &str = "a614f803b6fd780986a42c78ec9c7f77e6ded13c";

    fn settings() -> Settings {
        let contract = address_of(Network::TRON, USDT).unwrap();
        Settings {
            network: Network::TRON,
            providers: Vec::new(),
            tokens: vec![Token { contract, decimals: 6 }],
            final_depth: None,
            timeout: Duration::from_secs(1),
        }
    }

    fn call() -> Value {
        json!({"ret": [{"contractRet": "SUCCESS"}], "txID": TX, "raw_data_hex": RAW,
            "raw_data": {"contract": [{"parameter": {"value": {"data": "00"}}, "type": "TriggerSmartContract"}]}})
    }

    fn log() -> Value {
        json!({"address": USDT, "data": format!("{:064x}", 1_500_000), "topics":
            ["ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
             format!("{}{}", "00".repeat(12), "01".repeat(20)), format!("{}{}", "00".repeat(12), "02".repeat(20))]})
    }

    /// The genuine token: false on success.
    fn info() -> Value {
        json!({"id": TX, "fee": 345_000, "blockNumber": 7, "contractResult": ["00".repeat(32)],
            "contract_address": format!("41{USDT}"), "receipt": {"energy_usage_total": 64_285, "result": "SUCCESS"},
            "log": [log()]})
    }

    fn read(transactions: Value, infos: Value) -> Result<Block, String> {
        let header = Header { height: 7, id: BlockId([0; 32]), parent: BlockId([0; 32]), time_ms: 21_000 };
        let transactions: Vec<TronTransaction> = serde_json::from_value(transactions).unwrap();
        let infos: Vec<TronInfo> = serde_json::from_value(infos).unwrap();
        assemble(&settings(), header, &TronBlock { transactions, ..TronBlock::default() }, &infos)
    }

    #[test]
    fn a_genuine_transfer_counts_though_the_token_returned_false() {
        let block = read(json!([call()]), json!([info()])).unwrap();
        assert_eq!(block.transfers.len(), 1);
        assert_eq!(block.transfers[0].amount, BaseUnits::from(1_500_000_u64));
        assert_eq!(block.transfers[0].to, Address::new(Network::TRON, [2; 20]));
    }

    #[test]
    fn two_logs_of_one_transaction_are_two_transfers() {
        let mut info = info();
        info["log"] = json!([log(), log()]);
        let block = read(json!([call()]), json!([info])).unwrap();
        assert_eq!(block.transfers.iter().map(|t| t.ordinal).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn an_empty_info_list_for_a_full_block_is_incomplete() {
        assert!(read(json!([call()]), json!([])).unwrap_err().contains("0 infos for 1"));
        assert!(read(json!([]), json!([info()])).is_err());
        assert!(read(json!([]), json!([])).unwrap().transfers.is_empty());
    }

    #[test]
    fn infos_of_other_transactions_or_blocks_are_refused() {
        let mut other = info();
        other["id"] = json!("22".repeat(32));
        assert!(read(json!([call()]), json!([other])).is_err());
        let mut elsewhere = info();
        elsewhere["blockNumber"] = json!(8);
        assert!(read(json!([call()]), json!([elsewhere])).is_err());
        assert!(read(json!([call(), call()]), json!([info(), info()])).is_err());
    }

    #[test]
    fn an_id_that_is_not_the_hash_of_its_bytes_makes_the_block_incomplete() {
        for raw in [json!("01"), json!(""), json!("0"), Value::Null] {
            let mut forged = call();
            forged["raw_data_hex"] = if raw.is_null() { json!("zz") } else { raw };
            assert!(read(json!([forged]), json!([info()])).unwrap_err().contains("raw_data_hex"));
        }
    }

    #[test]
    fn every_way_of_failing_credits_nothing() {
        for (field, value) in [
            ("result", json!("FAILED")),
            ("receipt", json!({"result": "OUT_OF_ENERGY"})),
            ("receipt", json!({})),
        ] {
            let mut failed = info();
            failed["log"] = json!([]);
            failed[field] = value;
            assert!(read(json!([call()]), json!([failed])).unwrap().transfers.is_empty(), "{field}");
        }
        let mut reverted = call();
        reverted["ret"] = json!([{"contractRet": "REVERT"}]);
        let mut silent = info();
        silent["log"] = json!([]);
        assert!(read(json!([reverted]), json!([silent])).unwrap().transfers.is_empty());
    }

    #[test]
    fn a_failure_that_carries_logs_is_read_again() {
        let mut unsure = info();
        unsure["receipt"] = json!({});
        assert!(read(json!([call()]), json!([unsure])).unwrap_err().contains("logs although"));
    }

    #[test]
    fn a_fake_token_is_ignored_and_a_true_result_without_a_log_is_nothing() {
        let mut fake = info();
        fake["log"][0]["address"] = json!("ff".repeat(20));
        assert!(read(json!([call()]), json!([fake])).unwrap().transfers.is_empty());
        let mut boast = info();
        boast["contractResult"] = json!([format!("{:064x}", 1)]);
        boast["log"] = json!([]);
        assert!(read(json!([call()]), json!([boast])).unwrap().transfers.is_empty());
    }

    #[test]
    fn trx_is_read_from_the_contract_and_token_transfers_of_the_old_kind_are_not() {
        let transfer = |kind: &str| {
            json!({"ret": [{"contractRet": "SUCCESS"}], "txID": TX, "raw_data_hex": RAW, "raw_data": {"contract": [{"type": kind,
                "parameter": {"value": {"owner_address": format!("41{}", "01".repeat(20)), "amount": 5,
                    "to_address": format!("41{}", "02".repeat(20))}}}]}})
        };
        let info =
            json!([{"id": TX, "blockNumber": 7, "contractResult": [""], "receipt": {"net_usage": 267}}]);
        let block = read(json!([transfer("TransferContract")]), info.clone()).unwrap();
        assert_eq!((block.transfers[0].ordinal, block.transfers[0].coin), (NATIVE_ORDINAL, Coin::Native));
        assert!(read(json!([transfer("TransferAssetContract")]), info).unwrap().transfers.is_empty());
    }

    #[test]
    fn a_misshapen_transfer_log_of_the_genuine_token_is_kept_as_odd() {
        let mut odd = info();
        odd["log"][0]["topics"].as_array_mut().unwrap().pop();
        let block = read(json!([call()]), json!([odd])).unwrap();
        assert_eq!((block.transfers.len(), block.odd.len()), (0, 1));
    }

    #[test]
    fn values_above_64_bits_are_read_whole() {
        let mut huge = info();
        huge["log"][0]["data"] = json!("ff".repeat(32));
        assert_eq!(read(json!([call()]), json!([huge])).unwrap().transfers[0].amount, BaseUnits::MAX);
    }
}
