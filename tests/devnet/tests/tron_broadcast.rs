//! Java-tron's broadcast table, line by line: codes, texts, and which check comes first (its `Wallet.broadcastTransaction`).
//!
//! Every case is a well-formed transfer with one thing wrong, or with two things wrong to show the order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod wire;

use airlock_devnet::{ChainHandle, Devnet};
use wire::{Draft, Key, accept, broadcast, token_transfer, trx_transfer};

struct Setting {
    devnet: Devnet,
    from: Key,
    to: Key,
}

impl Setting {
    async fn new() -> Self {
        let devnet = wire::tron().await;
        let (from, to) = (Key::new("payer"), Key::new("payee"));
        for key in [&from, &to] {
            devnet.tron().fund(&key.text(), "100000000").unwrap();
        }
        devnet.tron().mine(3).unwrap();
        Self { devnet, from, to }
    }

    fn chain(&self) -> &ChainHandle {
        self.devnet.tron()
    }

    fn draft(&self) -> Draft {
        Draft::new(self.chain(), trx_transfer(&self.from, &self.to, 1_000_000))
    }

    fn refused(&self, transaction: &str, code: &str, message: &str) {
        let seen = broadcast(self.chain(), transaction);
        assert_eq!((seen.0.as_str(), seen.1.as_str()), (code, message));
    }
}

const EXPIRED: (&str, &str) = ("TRANSACTION_EXPIRATION_ERROR", "Transaction expired");

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_without_contract_is_refused_first() {
    let s = Setting::new().await;
    let mut draft = s.draft();
    draft.contracts.clear();
    draft.expiration = 0;
    s.refused(&draft.with(&[]), "CONTRACT_VALIDATE_ERROR", "Contract validate error : No contract!");
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_before_the_next_slot_is_refused_before_the_signature_is_looked_at() {
    let s = Setting::new().await;
    let mut draft = s.draft();
    draft.expiration = s.chain().head_time_ms() + 2_999;
    s.refused(&draft.with(&[vec![1, 2, 3]]), EXPIRED.0, EXPIRED.1);
    draft.expiration += 1;
    accept(s.chain(), &draft.signed(&s.from));
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_are_refused_with_the_nodes_words() {
    let s = Setting::new().await;
    let draft = s.draft();
    let good = s.from.sign(&draft.id());
    let foreign = s.to.sign(&draft.id());
    let sig = |text: &str| format!("Validate signature error: {text}");
    let cases = [
        (vec![], sig("miss sig or contract")),
        (vec![good.clone(); 6], sig("too many signatures")),
        (vec![good.clone(); 2], sig("Signature count is 2 more than key counts of permission : 1")),
        (vec![good[..64].to_vec()], sig("Signature size is 64")),
        (
            vec![foreign.clone()],
            sig(&format!(
                "{} is signed by {} but it is not contained of permission.",
                hex::encode(&foreign),
                s.to.text()
            )),
        ),
    ];
    for (signatures, message) in cases {
        s.refused(&draft.with(&signatures), "SIGERROR", &message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_refused_with_the_nodes_words() {
    let s = Setting::new().await;
    let with_permission = |id: i64| {
        let mut draft = s.draft();
        draft.contracts[0].extend(wire::number(5, id));
        draft
    };
    let seven = with_permission(7);
    s.refused(&seven.signed(&s.from), "SIGERROR", "Validate signature error: permission isn't exit");
    let mut update = with_permission(2);
    update.contracts = vec![wire::contract(
        46,
        "AccountPermissionUpdateContract",
        &wire::field(1, &hex::decode(s.from.hex41()).unwrap()),
        2,
    )];
    s.refused(&update.signed(&s.from), "SIGERROR", "Validate signature error: Permission denied");
    accept(s.chain(), &with_permission(2).signed(&s.from));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_header_byte_java_accepts_is_accepted() {
    let s = Setting::new().await;
    for added in [0_u8, 4, 27, 31] {
        let mut draft = s.draft();
        draft.timestamp += i64::from(added);
        let mut signature = s.from.sign(&draft.id());
        signature[64] += added;
        accept(s.chain(), &draft.with(&[signature]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signature_is_checked_before_the_number_of_contracts_and_that_before_the_reference() {
    let s = Setting::new().await;
    let mut draft = s.draft();
    draft.contracts.push(draft.contracts[0].clone());
    draft.ref_block_hash = vec![0; 8];
    let (code, _) = broadcast(s.chain(), &draft.signed(&s.to));
    assert_eq!(code, "SIGERROR");
    s.refused(
        &draft.signed(&s.from),
        "CONTRACT_VALIDATE_ERROR",
        "Contract validate error : act size should be exactly 1, this is extend feature",
    );
    draft.contracts.pop();
    s.refused(&draft.signed(&s.from), "TAPOS_ERROR", "Tapos check error.");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_transaction_is_refused_before_its_far_expiry() {
    let s = Setting::new().await;
    let mut draft = s.draft();
    draft.data = vec![7; 512_000];
    draft.expiration = s.chain().head_time_ms() + 86_400_001;
    let (code, message) = broadcast(s.chain(), &draft.signed(&s.from));
    assert_eq!(code, "TOO_BIG_TRANSACTION_ERROR");
    assert!(message.contains(&hex::encode(draft.id())), "{message}");
    draft.data.clear();
    s.refused(&draft.signed(&s.from), EXPIRED.0, EXPIRED.1);
    draft.expiration -= 1;
    accept(s.chain(), &draft.signed(&s.from));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_refused_in_the_pool_and_after_inclusion() {
    let s = Setting::new().await;
    let signed = s.draft().signed(&s.from);
    accept(s.chain(), &signed);
    s.refused(&signed, "DUP_TRANSACTION_ERROR", "Dup transaction.");
    s.chain().mine(1).unwrap();
    s.refused(&signed, "DUP_TRANSACTION_ERROR", "Dup transaction.");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_does_not_exist_is_named() {
    let s = Setting::new().await;
    let nobody = Key::new("nobody");
    let draft = Draft::new(s.chain(), trx_transfer(&nobody, &s.to, 1));
    s.refused(
        &draft.signed(&nobody),
        "CONTRACT_VALIDATE_ERROR",
        &format!("Contract validate error : account [{}] does not exist", nobody.text()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_that_cannot_be_paid_come_before_validation() {
    let s = Setting::new().await;
    let poor = Key::new("poor");
    s.chain().fund(&poor.text(), "10").unwrap();
    let mut draft = Draft::new(s.chain(), trx_transfer(&poor, &poor, 1));
    draft.data = b"a memo costs one TRX".to_vec();
    s.refused(&draft.signed(&poor), "BANDWITH_ERROR", "Account resource insufficient error.");
    draft.data.clear();
    s.refused(
        &draft.signed(&poor),
        "CONTRACT_VALIDATE_ERROR",
        "Contract validate error : Cannot transfer TRX to yourself.",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn validation_speaks_the_actuators_words() {
    let s = Setting::new().await;
    let usdt = s.chain().deploy("TronUsdt", "1000000").unwrap();
    let refusals = [
        (trx_transfer(&s.from, &s.to, 0), "Amount must be greater than 0."),
        (
            trx_transfer(&s.from, &s.to, 100_000_001),
            "Validate TransferContract error, balance is not sufficient.",
        ),
        (token_transfer(&s.from, &s.to.text(), &s.to, 1), "No contract or not a smart contract"),
    ];
    for (contract, text) in refusals {
        s.refused(
            &Draft::new(s.chain(), contract).signed(&s.from),
            "CONTRACT_VALIDATE_ERROR",
            &format!("Contract validate error : {text}"),
        );
    }
    let mut dear = Draft::new(s.chain(), token_transfer(&s.from, &usdt, &s.to, 1));
    dear.fee_limit = 15_000_000_001;
    s.refused(
        &dear.signed(&s.from),
        "CONTRACT_VALIDATE_ERROR",
        "Contract validate error : feeLimit must be >= 0 and <= 15000000000",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcasttransaction_rebuilds_the_bytes_and_answers_hex_text() {
    let s = Setting::new().await;
    let draft = s.draft();
    accept(s.chain(), &draft.signed(&s.from));
    let id = hex::encode(draft.id());
    let mut json = wire::post(s.chain(), "/wallet/gettransactionbyid", serde_json::json!({ "value": id }));
    json["raw_data_hex"] = "00".into();
    let answer = wire::post(s.chain(), "/wallet/broadcasttransaction", json);
    assert_eq!(answer["code"], "DUP_TRANSACTION_ERROR");
    assert_eq!(answer["txid"], id);
    assert_eq!(answer["message"], hex::encode("Dup transaction."));
    assert!(answer.get("result").is_none());
}
