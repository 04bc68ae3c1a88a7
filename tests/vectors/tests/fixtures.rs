//! Every file of `fixtures/vectors` runs without a failure, and only kinds that Airlock does not build are skipped.
//!
//! The runner itself is tested here too: an altered case, an unknown format and a broken file are failures.

use airlock_vectors::{Report, run};
use std::path::PathBuf;

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors").join(name);
    std::fs::read_to_string(path).expect("the fixture is in the repository")
}

fn all_pass(name: &str, skipped: &[&str]) {
    let report = run(&fixture(name));
    assert_eq!(report.first_failure, None, "{name}");
    assert!(report.passed > 0, "{name}");
    let kinds: Vec<&str> = report.skipped_kinds.keys().map(String::as_str).collect();
    assert_eq!(kinds, skipped, "{name}");
}

#[test]
fn keys_and_addresses_equal_those_of_other_libraries() {
    for name in ["tron-keys.json", "evm-keys.json", "tron-hd.json", "bip39.json"] {
        all_pass(name, &[]);
    }
    for name in ["tron-address-text.json", "evm-addresses.json", "tron-signature-variants.json"] {
        all_pass(name, &[]);
    }
}

#[test]
fn tron_transactions_equal_those_of_other_libraries_and_nodes() {
    let permission = "contract type AccountPermissionUpdateContract (46)";
    let freeze = "contract type FreezeBalanceV2Contract (54)";
    all_pass("tron-transactions.json", &[permission, freeze]);
    let create = "contract type AccountCreateContract (0)";
    all_pass("tron-node-samples.json", &[create, permission, freeze]);
}

#[test]
fn evm_transactions_equal_those_of_other_libraries() {
    let legacy = "legacy transaction (EIP-155)";
    all_pass("evm-tx.json", &[legacy]);
    all_pass(
        "evm-foreign-transactions.json",
        &[
            "access-list transaction (EIP-2930)",
            "contract creation",
            legacy,
            "legacy transaction without a chain id",
        ],
    );
    all_pass("evm-invalid-rlp.json", &[]);
}

#[test]
fn shares_of_another_implementation_are_combined_and_invalid_sets_refused() {
    all_pass("slip39.json", &[]);
    let text = fixture("slip39.json");
    assert_eq!(run(&text).passed, 45);
    let altered = run(&text.replacen("bb54aac4", "bb54aac5", 1));
    assert_eq!((altered.passed, altered.failed), (44, 1));
}

#[test]
fn key_files_of_other_wallets_open_under_their_password() {
    all_pass("keystore-v3.json", &[]);
    let files: serde_json::Value = serde_json::from_str(&fixture("keystore-v3.json")).unwrap();
    let one = serde_json::json!({ "mycrypto": files["mycrypto"] }).to_string();
    let altered = run(&one.replacen("foobartest121", "foobartest120", 1));
    assert_eq!((altered.passed, altered.failed), (0, 1));
}

#[test]
fn messages_of_hardware_wallets_are_written_again_byte_for_byte() {
    all_pass("ur-hardware.json", &[]);
    let text = fixture("ur-hardware.json");
    let altered = run(&text.replacen("a201d825509b", "a201d826509b", 1));
    assert_eq!((altered.passed, altered.failed), (4, 1));
    let doubled = run(&text.replacen("a201d825509b", "a201d82550009b", 1));
    assert_eq!((doubled.passed, doubled.failed), (4, 1));
}

#[test]
fn an_altered_expectation_is_the_first_failure() {
    let text = fixture("tron-transactions.json").replacen("\"amount\": \"1\"", "\"amount\": \"2\"", 1);
    let report = run(&text);
    let failure = report.first_failure.unwrap();
    assert_eq!((report.failed, failure.id.as_str()), (1, "trc20-00"));
    assert!(failure.field.contains("calldata_hex"), "{}", failure.field);
    assert_ne!(failure.expected, failure.found);
}

#[test]
fn unknown_and_broken_files_count_as_failed() {
    for text in ["", "{", "[]", "{}", "null", "7", r#"{"cases": [{"surprise": 1}]}"#, r#"{"vectors": 3}"#] {
        let report = run(text);
        assert_eq!((report.passed, report.failed, report.skipped()), (0, 1, 0), "{text:?}");
    }
    let missing = run(r#"{"cases": [{"id": "a", "unsigned_rlp": "0x", "signed_raw": 5}]}"#);
    assert_eq!(missing.failed, 1);
}

#[test]
fn formats_of_later_features_are_skipped_by_name() {
    let report = run(r#"{"cases": [{"venue": "x", "operation": "balance"}]}"#);
    assert_eq!((report.failed, report.skipped()), (0, 1));
    assert!(report.to_string().contains("exchange venue signing"));
}

#[test]
fn reports_add_up() {
    let mut total = Report::default();
    total.add(&run(&fixture("evm-keys.json")));
    total.add(&run("{}"));
    assert!(total.passed > 1);
    assert_eq!(total.failed, 1);
}
