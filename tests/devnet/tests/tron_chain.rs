//! TRON's rules beyond the broadcast table: energy, bandwidth, finality, forks, the pool, providers and their faults.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod wire;

use airlock_devnet::{ChainHandle, Devnet, Faults, ReorgTransactions};
use serde_json::json;
use wire::{Draft, Key, accept, broadcast, info, post, post_raw, token_transfer, trx_transfer};

struct Setting {
    devnet: Devnet,
    from: Key,
    to: Key,
    usdt: String,
}

impl Setting {
    async fn new() -> Self {
        let devnet = wire::tron().await;
        let (from, to) = (Key::new("payer"), Key::new("payee"));
        let chain = devnet.tron();
        chain.fund(&from.text(), "1000000000").unwrap();
        let usdt = chain.deploy("TronUsdt", "1000000000000").unwrap();
        chain.transfer(Some(&usdt), &from.text(), "50000000").unwrap();
        chain.mine(3).unwrap();
        Self { devnet, from, to, usdt }
    }

    fn chain(&self) -> &ChainHandle {
        self.devnet.tron()
    }

    fn payment(&self, amount: u64, fee_limit: i64) -> Draft {
        let contract = token_transfer(&self.from, &self.usdt, &self.to, amount);
        Draft { fee_limit, ..Draft::new(self.chain(), contract) }
    }

    fn mined(&self, draft: &Draft) -> serde_json::Value {
        accept(self.chain(), &draft.signed(&self.from));
        self.chain().mine(1).unwrap();
        info(self.chain(), &draft.id())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usdt_answers_false_on_success_and_a_fresh_holder_costs_fifteen_thousand_more() {
    let s = Setting::new().await;
    let first = s.mined(&s.payment(1_500_000, 30_000_000));
    assert_eq!(first["receipt"]["result"], "SUCCESS");
    assert_eq!(first["contractResult"], json!(["00".repeat(32)]));
    assert!(first.get("result").is_none());
    let log = &first["log"][0];
    assert_eq!(log["topics"][2], format!("{}{}", "00".repeat(12), hex::encode(s.to.address)));
    assert_eq!(log["data"], format!("{:064x}", 1_500_000));
    let second = s.mined(&s.payment(1_500_000, 30_000_000));
    let energy = |info: &serde_json::Value| info["receipt"]["energy_usage_total"].as_i64().unwrap();
    assert_eq!(energy(&first) - energy(&second), 15_000);
    assert_eq!(s.chain().balance(&s.to.text(), Some(&s.usdt)).unwrap(), "3000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_energy_is_accepted_included_and_costs_the_whole_limit() {
    let s = Setting::new().await;
    let info = s.mined(&s.payment(1, 1_000_000));
    assert_eq!(info["result"], "FAILED");
    assert_eq!(info["receipt"]["result"], "OUT_OF_ENERGY");
    assert_eq!(info["receipt"]["energy_usage_total"], 10_000);
    assert_eq!(info["receipt"]["energy_fee"], 1_000_000);
    assert!(info.get("log").is_none());
    let text = hex::decode(info["resMessage"].as_str().unwrap()).unwrap();
    assert!(text.starts_with(b"Not enough energy for '"), "{}", String::from_utf8_lossy(&text));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_costs_what_was_used_and_says_so() {
    let s = Setting::new().await;
    let info = s.mined(&s.payment(60_000_000, 30_000_000));
    assert_eq!(info["receipt"]["result"], "REVERT");
    assert_eq!(info["resMessage"], hex::encode("REVERT opcode executed"));
    let used = info["receipt"]["energy_usage_total"].as_i64().unwrap();
    assert!(used > 0 && used < 10_000, "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fee_limit_caps_staked_energy_too() {
    let s = Setting::new().await;
    s.chain().stake(&s.from.text(), "ENERGY", "100000000000").unwrap();
    let resources = post(s.chain(), "/wallet/getaccountresource", json!({ "address": s.from.hex41() }));
    assert!(resources["EnergyLimit"].as_i64().unwrap() > 900_000, "{resources}");
    let starved = s.mined(&s.payment(1, 0));
    assert_eq!(starved["receipt"]["result"], "OUT_OF_ENERGY");
    let fed = s.mined(&s.payment(1, 30_000_000));
    assert_eq!(fed["receipt"]["result"], "SUCCESS");
    assert_eq!(fed["receipt"]["energy_usage"], fed["receipt"]["energy_usage_total"]);
    assert!(fed["receipt"].get("energy_fee").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dynamic_factor_scales_the_bill_between_estimate_and_inclusion() {
    let s = Setting::new().await;
    let request = json!({
        "owner_address": s.from.hex41(), "contract_address": s.usdt_hex(), "visible": false,
        "data": hex::encode(wire::transfer_data(&s.to.address, 5)),
    });
    let estimate = post(s.chain(), "/wallet/triggerconstantcontract", request);
    let base = estimate["energy_used"].as_i64().unwrap();
    s.chain().set_parameter("dynamicEnergyFactor", 34_000).unwrap();
    let info = s.mined(&s.payment(5, 30_000_000));
    assert_eq!(info["receipt"]["energy_usage_total"], base * 44 / 10);
    assert_eq!(info["receipt"]["energy_penalty_total"], base * 44 / 10 - base);
    let short = s.mined(&s.payment(6, base * 100));
    assert_eq!(short["receipt"]["result"], "OUT_OF_ENERGY");
}

impl Setting {
    fn usdt_hex(&self) -> String {
        hex::encode(&bs58::decode(&self.usdt).into_vec().unwrap()[..21])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn activating_an_account_costs_one_trx_and_a_tenth_and_no_free_bandwidth() {
    let s = Setting::new().await;
    let fresh = Key::new("fresh");
    let draft = Draft::new(s.chain(), trx_transfer(&s.from, &fresh, 2_000_000));
    let info = s.mined(&draft);
    assert_eq!(info["fee"], 1_100_000);
    assert_eq!(info["receipt"]["net_fee"], 100_000);
    assert_eq!(info["contractResult"], json!([""]));
    assert_eq!(s.chain().balance(&fresh.text(), None).unwrap(), "2000000");
    let again = Draft::new(s.chain(), trx_transfer(&s.from, &fresh, 2_000_000));
    let info = s.mined(&again);
    assert!(info.get("fee").is_none(), "the free allowance pays: {info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memo_costs_one_trx_and_its_bytes() {
    let s = Setting::new().await;
    s.chain().set_parameter("getFreeNetLimit", 0).unwrap();
    let mut draft = s.payment(1, 30_000_000);
    draft.data = b"memo".to_vec();
    let info = s.mined(&draft);
    // With the signature, without `ret`, plus 64.
    let bytes = draft.signed(&s.from).len() as i64 / 2 + 64;
    assert_eq!(info["receipt"]["net_fee"], bytes * 1_000);
    let energy_fee = info["receipt"]["energy_fee"].as_i64().unwrap();
    assert_eq!(info["fee"], bytes * 1_000 + energy_fee + 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn solidity_lags_eighteen_blocks_and_hides_what_is_not_solid() {
    let s = Setting::new().await;
    let draft = s.payment(7, 30_000_000);
    s.mined(&draft);
    let at = s.chain().head();
    let solid = |path: &str, body| post(s.chain(), &format!("/walletsolidity/{path}"), body);
    let query = json!({ "value": hex::encode(draft.id()) });
    s.chain().mine(17).unwrap();
    assert_eq!(solid("gettransactioninfobyid", query.clone()), json!({}));
    assert_eq!(solid("getblockbynum", json!({ "num": at })), json!({}));
    s.chain().mine(1).unwrap();
    assert_eq!(s.chain().final_number(), at);
    assert_eq!(solid("gettransactioninfobyid", query)["blockNumber"], at);
    assert_eq!(s.chain().final_balance(&s.to.text(), Some(&s.usdt)).unwrap(), "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_witnesses_make_finality_quick() {
    for (witnesses, depth) in [(27, 18), (3, 2), (1, 0)] {
        let devnet = wire::tron_with(witnesses).await;
        devnet.tron().mine(20).unwrap();
        assert_eq!(devnet.tron().final_number(), 20 - depth);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn block_ids_and_times_follow_the_rules() {
    let s = Setting::new().await;
    s.chain().mine(5).unwrap();
    let range = post(s.chain(), "/wallet/getblockbylimitnext", json!({ "startNum": 0, "endNum": 9 }));
    let blocks = range["block"].as_array().unwrap();
    assert_eq!(blocks.len(), 9);
    assert!(blocks[0]["blockID"].as_str().unwrap().ends_with("a1710c4b"));
    for (parent, block) in blocks.iter().zip(&blocks[1..]) {
        let raw = &block["block_header"]["raw_data"];
        assert_eq!(raw["parentHash"], parent["blockID"]);
        let number = format!("{:016x}", raw["number"].as_u64().unwrap());
        assert!(block["blockID"].as_str().unwrap().starts_with(&number));
        let time = |b: &serde_json::Value| b["block_header"]["raw_data"]["timestamp"].as_i64();
        assert_eq!(time(block).unwrap() % 3000, 0);
        assert!(time(block) > time(parent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_kills_what_refers_to_the_lost_block() {
    let s = Setting::new().await;
    let mut old = s.payment(9, 30_000_000);
    let included = s.payment(11, 30_000_000);
    s.mined(&included);
    s.chain().reorg(3, ReorgTransactions::Drop).unwrap();
    assert_eq!(info(s.chain(), &included.id()), json!({}));
    assert_eq!(s.chain().balance(&s.to.text(), Some(&s.usdt)).unwrap(), "0");
    // Within its life, but its block is gone.
    old.expiration = s.chain().head_time_ms() + 60_000;
    let (code, _) = broadcast(s.chain(), &old.signed(&s.from));
    assert_eq!(code, "TAPOS_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_fork_returns_transactions_to_the_pool() {
    let s = Setting::new().await;
    let draft = s.payment(11, 30_000_000);
    s.mined(&draft);
    s.chain().reorg(1, ReorgTransactions::Pool).unwrap();
    assert_eq!(s.chain().pool(), vec![hex::encode(draft.id())]);
    s.chain().mine(1).unwrap();
    assert_eq!(info(s.chain(), &draft.id())["receipt"]["result"], "SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_seen_on_wallet_only() {
    let s = Setting::new().await;
    let draft = s.payment(1, 30_000_000);
    accept(s.chain(), &draft.signed(&s.from));
    let query = json!({ "value": hex::encode(draft.id()) });
    let seen = post(s.chain(), "/wallet/gettransactionbyid", query.clone());
    assert_eq!(seen["txID"], hex::encode(draft.id()));
    assert!(seen.get("ret").is_none());
    assert_eq!(post(s.chain(), "/walletsolidity/gettransactionbyid", query.clone()), json!({}));
    assert_eq!(post(s.chain(), "/wallet/gettransactioninfobyid", query), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_producer_takes_is_forgotten_after_a_minute_and_may_come_again() {
    let s = Setting::new().await;
    let start_ms = s.chain().head_time_ms();
    s.chain().set_time_ms(start_ms);
    let mut draft = s.payment(1, 30_000_000);
    draft.expiration = start_ms + 3_600_000;
    accept(s.chain(), &draft.signed(&s.from));
    s.chain().set_time_ms(start_ms + 59_000);
    s.chain().mine_empty(1).unwrap();
    assert_eq!(s.chain().pool().len(), 1);
    s.chain().set_time_ms(start_ms + 60_000);
    s.chain().mine_empty(1).unwrap();
    assert!(s.chain().pool().is_empty());
    assert_eq!(s.mined(&draft)["receipt"]["result"], "SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_in_the_pool_never_enters_a_block() {
    let s = Setting::new().await;
    let mut draft = s.payment(1, 30_000_000);
    draft.expiration = s.chain().head_time_ms() + 3_000;
    accept(s.chain(), &draft.signed(&s.from));
    s.chain().mine_empty(1).unwrap();
    assert!(s.chain().pool().is_empty());
    s.chain().mine(1).unwrap();
    assert_eq!(info(s.chain(), &draft.id()), json!({}));
    let expired = ("TRANSACTION_EXPIRATION_ERROR".to_owned(), "Transaction expired".to_owned());
    assert_eq!(broadcast(s.chain(), &draft.signed(&s.from)), expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_provider_does_not_spoil_the_other() {
    let s = Setting::new().await;
    let draft = s.payment(1, 30_000_000);
    let urls = s.chain().urls().to_vec();
    let lost = Faults { lose_broadcast_answers: true, ..Faults::default() };
    s.chain().set_faults(0, lost).unwrap();
    let body = json!({ "transaction": draft.signed(&s.from) });
    assert_eq!(post_raw(&urls[0], "/wallet/broadcasthex", &body).0, 500);
    assert_eq!(s.chain().pool().len(), 1);
    s.chain().mine(1).unwrap();
    s.chain().set_faults(0, Faults { lag_blocks: 2, ..Faults::default() }).unwrap();
    let head = |url: &str| -> i64 {
        let (_, text) = post_raw(url, "/wallet/getnowblock", &json!({}));
        let block: serde_json::Value = serde_json::from_str(&text).unwrap();
        block["block_header"]["raw_data"]["number"].as_i64().unwrap()
    };
    assert_eq!(head(&urls[1]) - head(&urls[0]), 2);
    s.chain().set_faults(0, Faults { lite: true, ..Faults::default() }).unwrap();
    let query = json!({ "num": 1 });
    assert_eq!(
        post_raw(&urls[0], "/wallet/getblockbynum", &query).1,
        "this API is closed because this node is a lite fullnode"
    );
    s.chain().set_faults(0, Faults { rate_limited: true, ..Faults::default() }).unwrap();
    assert_eq!(
        post_raw(&urls[0], "/wallet/getblockbynum", &query).1,
        r#"{"Error":"class java.lang.IllegalAccessException : lack of computing resources"}"#
    );
    let twice = Faults { down: true, for_requests: Some(2), ..Faults::default() };
    s.chain().set_faults(0, twice).unwrap();
    let status = || post_raw(&urls[0], "/wallet/getnowblock", &json!({})).0;
    assert_eq!([status(), status(), status()], [500, 500, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delegated_energy_pays_and_comes_back() {
    let s = Setting::new().await;
    let lender = Key::new("lender");
    s.chain().fund(&lender.text(), "200000000000").unwrap();
    let bytes = |key: &Key| hex::decode(key.hex41()).unwrap();
    let freeze =
        [wire::field(1, &bytes(&lender)), wire::number(2, 100_000_000_000), wire::number(3, 1)].concat();
    let lend = [
        wire::field(1, &bytes(&lender)),
        wire::number(2, 1),
        wire::number(3, 50_000_000_000),
        wire::field(4, &bytes(&s.from)),
    ]
    .concat();
    for (kind, name, message) in [
        (54, "FreezeBalanceV2Contract", &freeze),
        (57, "DelegateResourceContract", &lend),
        (58, "UnDelegateResourceContract", &lend),
    ] {
        let draft = Draft::new(s.chain(), wire::contract(kind, name, message, 0));
        accept(s.chain(), &draft.signed(&lender));
        s.chain().mine(1).unwrap();
        if kind == 57 {
            let paid = s.mined(&s.payment(1, 30_000_000));
            assert!(paid["receipt"].get("energy_fee").is_none(), "{paid}");
        }
    }
    let burned = s.mined(&s.payment(1, 30_000_000));
    assert!(burned["receipt"]["energy_fee"].as_i64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_two_needs_both_signatures_and_the_multisig_fee() {
    let s = Setting::new().await;
    let second = Key::new("second");
    let bytes = |key: &Key| hex::decode(key.hex41()).unwrap();
    let key = |key: &Key| wire::field(7, &[wire::field(1, &bytes(key)), wire::number(2, 1)].concat());
    let owner = [wire::number(4, 2), key(&s.from), key(&second)].concat();
    let mut operations = hex::decode("7fff1fc0033efb0f").unwrap();
    operations.resize(32, 0);
    let active = [
        wire::number(1, 2),
        wire::field(3, b"pay"),
        wire::number(4, 1),
        wire::field(6, &operations),
        key(&second),
    ]
    .concat();
    let update = [wire::field(1, &bytes(&s.from)), wire::field(2, &owner), wire::field(4, &active)].concat();
    let draft = Draft::new(s.chain(), wire::contract(46, "AccountPermissionUpdateContract", &update, 0));
    assert_eq!(s.mined(&draft)["fee"], 100_000_000);
    let payment = s.payment(1, 30_000_000);
    let (one, two) = (s.from.sign(&payment.id()), second.sign(&payment.id()));
    assert_eq!(
        broadcast(s.chain(), &payment.with(std::slice::from_ref(&one))),
        ("SIGERROR".to_owned(), "Validate signature error: sig error".to_owned())
    );
    let twice = format!("Validate signature error: {} has signed twice!", s.from.text());
    assert_eq!(broadcast(s.chain(), &payment.with(&[one.clone(), one.clone()])).1, twice);
    accept(s.chain(), &payment.with(&[two, one]));
    s.chain().mine(1).unwrap();
    let info = info(s.chain(), &payment.id());
    let itemised =
        info["receipt"]["energy_fee"].as_i64().unwrap() + info["receipt"]["net_fee"].as_i64().unwrap_or(0);
    assert_eq!(info["fee"].as_i64().unwrap() - itemised, 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_lives_for_the_last_65_536_blocks() {
    let s = Setting::new().await;
    s.chain().mine(1).unwrap();
    let at = s.chain().head();
    let mut draft = s.payment(1, 30_000_000);
    s.chain().mine(65_535).unwrap();
    assert_eq!(s.chain().head() - at, 65_535);
    draft.expiration = s.chain().head_time_ms() + 60_000;
    accept(s.chain(), &draft.signed(&s.from));
    s.chain().mine(1).unwrap();
    draft.timestamp += 1;
    assert_eq!(broadcast(s.chain(), &draft.signed(&s.from)).0, "TAPOS_ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_say_success_revert_and_unsupported_apart() {
    let s = Setting::new().await;
    let request = |amount: u64| {
        json!({
            "owner_address": s.from.text(), "contract_address": s.usdt, "visible": true,
            "function_selector": "transfer(address,uint256)",
            "parameter": hex::encode(&wire::transfer_data(&s.to.address, amount)[4..]),
        })
    };
    let good = post(s.chain(), "/wallet/triggerconstantcontract", request(1));
    assert_eq!(good["result"], json!({ "result": true }));
    assert_eq!(good["transaction"]["ret"], json!([{}]));
    let bad = post(s.chain(), "/wallet/triggerconstantcontract", request(u64::MAX));
    assert_eq!(bad["result"], json!({ "result": true, "message": "REVERT opcode executed" }));
    assert_eq!(bad["transaction"]["ret"], json!([{ "ret": "FAILED" }]));
    let estimate = post(s.chain(), "/wallet/estimateenergy", request(1));
    assert_eq!(estimate["energy_required"], good["energy_used"]);
    s.chain().set_faults(0, Faults { no_estimate_energy: true, ..Faults::default() }).unwrap();
    let refused = post(s.chain(), "/wallet/estimateenergy", request(1));
    assert_eq!(refused["result"]["message"], "this node does not support estimate energy");
}
