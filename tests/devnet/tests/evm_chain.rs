//! Ethereum's rules: geth's pool words, nonces, replacement, base fee, finality, reorgs, logs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod wire;

use airlock_devnet::{ChainHandle, Devnet, EvmConfig, Faults, ReorgTransactions};
use serde_json::{Value, json};
use wire::{EvmDraft, Key, rpc, rpc_at, send};

struct Setting {
    devnet: Devnet,
    from: Key,
    to: Key,
}

const COIN: u128 = 1_000_000_000_000_000_000;

impl Setting {
    async fn new() -> Self {
        let devnet = wire::evm(EvmConfig::default()).await;
        let (from, to) = (Key::new("payer"), Key::new("payee"));
        devnet.evm(0).fund(&from.hex0x(), &COIN.to_string()).unwrap();
        Self { devnet, from, to }
    }

    fn chain(&self) -> &ChainHandle {
        self.devnet.evm(0)
    }

    fn send(&self, draft: &EvmDraft) -> Result<String, String> {
        send(self.chain(), &draft.signed(&self.from))
    }

    fn receipt(&self, hash: &str) -> Value {
        rpc(self.chain(), "eth_getTransactionReceipt", json!([hash]))
    }

    fn count(&self, tag: &str) -> Value {
        rpc(self.chain(), "eth_getTransactionCount", json!([self.from.hex0x(), tag]))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_gap_waits_until_it_is_filled() {
    let s = Setting::new().await;
    let second = s.send(&EvmDraft::new(1, &s.to, 1)).unwrap();
    s.chain().mine(1).unwrap();
    assert_eq!(s.receipt(&second), Value::Null);
    assert_eq!((s.count("latest"), s.count("pending")), (json!("0x0"), json!("0x0")));
    let first = s.send(&EvmDraft::new(0, &s.to, 1)).unwrap();
    assert_eq!(s.count("pending"), "0x2");
    s.chain().mine(1).unwrap();
    for hash in [&first, &second] {
        assert_eq!(s.receipt(hash)["status"], "0x1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replacement_needs_ten_percent_of_both_prices() {
    let s = Setting::new().await;
    let old = EvmDraft::new(0, &s.to, 1);
    s.send(&old).unwrap();
    assert_eq!(s.send(&old).unwrap_err(), "already known");
    let underpriced = "replacement transaction underpriced";
    let fee_only = EvmDraft { max_fee: old.max_fee * 2, ..old.clone() };
    assert_eq!(s.send(&fee_only).unwrap_err(), underpriced);
    let nine = EvmDraft { max_fee: old.max_fee * 109 / 100, tip: old.tip * 109 / 100, ..old.clone() };
    assert_eq!(s.send(&nine).unwrap_err(), underpriced);
    let ten = EvmDraft { max_fee: old.max_fee * 11 / 10, tip: old.tip * 11 / 10, ..old };
    let hash = s.send(&ten).unwrap();
    s.chain().mine(1).unwrap();
    assert_eq!(s.receipt(&hash)["status"], "0x1");
    assert_eq!(s.send(&ten).unwrap_err(), "nonce too low: next nonce 1, tx nonce 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_speak_geths_words() {
    let s = Setting::new().await;
    let good = EvmDraft::new(0, &s.to, 1);
    let cases = [
        (EvmDraft { gas: 20_999, ..good.clone() }, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        (
            EvmDraft { gas: 16_777_217, ..good.clone() },
            "transaction gas limit too high (cap: 16777216, tx: 16777217)",
        ),
        (
            EvmDraft { tip: good.max_fee + 1, ..good.clone() },
            "max priority fee per gas higher than max fee per gas",
        ),
        (
            EvmDraft { chain_id: 1, ..good.clone() },
            "invalid sender: invalid chain id for signer: have 1 want 31337",
        ),
        (
            EvmDraft { value: COIN, ..good },
            "insufficient funds for gas * price + value: balance 1000000000000000000, \
             tx cost 1002100000000000000, overshot 2100000000000000",
        ),
    ];
    for (draft, text) in cases {
        assert_eq!(s.send(&draft).unwrap_err(), text);
    }
    let send_raw = |raw: &str| send(s.chain(), raw).unwrap_err();
    assert_eq!(send_raw("0x03c0"), "transaction type not supported");
    assert_eq!(send_raw("0x"), "typed transaction too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_counts_what_all_waiting_transactions_may_cost() {
    let s = Setting::new().await;
    let half = COIN / 2;
    s.send(&EvmDraft::new(0, &s.to, half)).unwrap();
    let refused = s.send(&EvmDraft::new(1, &s.to, half)).unwrap_err();
    assert!(refused.contains("queued cost 502100000000000000"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_below_the_base_fee_waits_as_in_geth() {
    let s = Setting::new().await;
    let low = EvmDraft { tip: 1, max_fee: 2_000_000_000, ..EvmDraft::new(0, &s.to, 1) };
    s.chain().set_parameter("base_fee_wei", 5_000_000_000).unwrap();
    let hash = s.send(&low).unwrap();
    s.chain().mine(1).unwrap();
    assert_eq!(s.receipt(&hash), Value::Null);
    s.chain().set_parameter("base_fee_wei", 1_000_000_000).unwrap();
    s.chain().mine(1).unwrap();
    assert_eq!(s.receipt(&hash)["effectiveGasPrice"], format!("0x{:x}", 1_000_000_001));
}

#[tokio::test(flavor = "multi_thread")]
async fn usdt_returns_nothing_and_logs_a_transfer_found_by_range_and_by_hash() {
    let s = Setting::new().await;
    let usdt = s.chain().deploy("UsdtLike", "1000000000000").unwrap();
    let hash = s.chain().transfer(Some(&usdt), &s.to.hex0x(), "2500000").unwrap();
    s.chain().mine(1).unwrap();
    let receipt = s.receipt(&hash);
    assert_eq!(receipt["status"], "0x1");
    let by_hash = json!([{ "blockHash": receipt["blockHash"], "address": usdt }]);
    let topic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    let recipient = format!("0x{}{}", "00".repeat(12), hex::encode(s.to.address));
    let by_range = json!([{
        "fromBlock": "0x0", "toBlock": "latest", "address": [usdt], "topics": [topic, null, [recipient]],
    }]);
    for filter in [by_hash, by_range] {
        assert_eq!(rpc(s.chain(), "eth_getLogs", filter), receipt["logs"]);
    }
    let elsewhere = json!([{ "fromBlock": "0x0", "topics": [topic, recipient] }]);
    assert_eq!(rpc(s.chain(), "eth_getLogs", elsewhere), json!([]));
    let call = json!([{ "from": s.chain().deployer(), "to": usdt,
        "data": format!("0x{}", hex::encode(wire::transfer_data(&s.to.address, 1))) }, "latest"]);
    assert_eq!(rpc(s.chain(), "eth_call", call), "0x");
    assert_eq!(s.chain().balance(&s.to.hex0x(), Some(&usdt)).unwrap(), "2500000");
}

#[tokio::test(flavor = "multi_thread")]
async fn finalized_lags_and_a_reorg_unmakes_blocks_above_it() {
    let s = Setting::new().await;
    let hash = s.send(&EvmDraft::new(0, &s.to, 5)).unwrap();
    s.chain().mine(1).unwrap();
    let block = s.receipt(&hash)["blockHash"].clone();
    let tag = |tag: &str| rpc(s.chain(), "eth_getBlockByNumber", json!([tag, false]))["number"].clone();
    assert_eq!(tag("finalized"), "0x0");
    s.chain().mine(7).unwrap();
    assert_eq!((tag("finalized"), tag("safe"), tag("latest")), (json!("0x0"), json!("0x4"), json!("0x8")));
    s.chain().reorg(8, ReorgTransactions::Drop).unwrap();
    assert_eq!(s.receipt(&hash), Value::Null);
    assert_eq!(s.count("latest"), "0x0");
    assert_eq!(rpc(s.chain(), "eth_getBlockByHash", json!([block, false])), Value::Null);
    let unknown = rpc(s.chain(), "eth_getLogs", json!([{ "blockHash": block }]));
    assert_eq!(unknown["message"], "unknown block");
    let again = s.send(&EvmDraft::new(0, &s.to, 5)).unwrap();
    assert_eq!(again, hash);
    s.chain().mine(9).unwrap();
    assert_eq!(s.receipt(&hash)["blockNumber"], "0x9");
    assert_eq!(tag("finalized"), "0x9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_reorg_returns_transactions_to_the_pool() {
    let s = Setting::new().await;
    let hash = s.send(&EvmDraft::new(0, &s.to, 5)).unwrap();
    s.chain().mine(2).unwrap();
    s.chain().reorg(2, ReorgTransactions::Pool).unwrap();
    assert_eq!(s.chain().pool(), vec![hash.clone()]);
    s.chain().mine(1).unwrap();
    assert_eq!(s.receipt(&hash)["blockNumber"], "0x3");
}

#[tokio::test(flavor = "multi_thread")]
async fn block_hashes_cover_their_headers_and_link_up() {
    let s = Setting::new().await;
    let usdt = s.chain().deploy("UsdtLike", "1000000000000").unwrap();
    for amount in 1..20 {
        s.chain().transfer(Some(&usdt), &s.to.hex0x(), &amount.to_string()).unwrap();
    }
    s.chain().mine(2).unwrap();
    let block = |n: &str| rpc(s.chain(), "eth_getBlockByNumber", json!([n, true]));
    let (one, two) = (block("0x1"), block("0x2"));
    assert_eq!(two["parentHash"], one["hash"]);
    assert_eq!(one["transactions"].as_array().unwrap().len(), 19);
    assert_ne!(one["receiptsRoot"], two["receiptsRoot"]);
    let receipts = rpc(s.chain(), "eth_getBlockReceipts", json!([one["hash"]]));
    let last = &receipts.as_array().unwrap()[18];
    assert_eq!(last["cumulativeGasUsed"], one["gasUsed"]);
    assert_eq!(last["logs"][0]["logIndex"], "0x12");
    assert_eq!(last["logsBloom"], one["logsBloom"], "all logs have the same address and topics");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_provider_sees_the_past_and_an_empty_one_nothing() {
    let s = Setting::new().await;
    s.chain().mine(5).unwrap();
    s.chain().set_faults(1, Faults { lag_blocks: 3, ..Faults::default() }).unwrap();
    assert_eq!(rpc_at(s.chain(), 1, "eth_blockNumber", json!([])), "0x2");
    assert_eq!(rpc_at(s.chain(), 1, "eth_getBlockByNumber", json!(["0x3", false])), Value::Null);
    assert_eq!(rpc(s.chain(), "eth_blockNumber", json!([])), "0x5");
    s.chain().set_faults(1, Faults { empty: true, ..Faults::default() }).unwrap();
    assert_eq!(rpc_at(s.chain(), 1, "eth_getLogs", json!([{}])), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_in_order_and_anvils_names_work() {
    let s = Setting::new().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": 2, "method": "no_such", "params": [] },
    ]);
    let answers = wire::post(s.chain(), "/", batch);
    assert_eq!(answers[0]["result"], "0x7a69");
    assert_eq!(answers[1]["error"]["code"], -32601);
    assert_eq!(rpc(s.chain(), "anvil_mine", json!(["0x3"])), Value::Null);
    assert_eq!(rpc(s.chain(), "anvil_setBalance", json!([s.to.hex0x(), "0x10"])), Value::Null);
    assert_eq!(rpc(s.chain(), "eth_getBalance", json!([s.to.hex0x(), "latest"])), "0x10");
    assert_eq!(s.chain().head(), 3);
}
