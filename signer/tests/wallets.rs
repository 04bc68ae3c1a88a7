//! Imported keys, labels and retirement from outside (K4).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod desk;

use airlock_shared::Digest;
use airlock_shared::approval::SeenHead;
use airlock_signer::home::Home;
use airlock_signer::secret::Passphrase;
use airlock_signer::vault::{Lock, Vault};
use desk::{Desk, answer, error};

const NILE: &str = "tron:0xcd8690dc";
const SHASTA: &str = "tron:0x94a9059e";
const KEY: &str = "05a4d3eb46c742cb8850440145ce70cbc80b59f891cf5f50fd3e9c280b50c4e4";
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

fn import(network: &str) -> String {
    format!("wallet import --network {network} --label 'Old hot wallet' --key-fd 3 3<key")
}

#[test]
fn a_key_comes_in_is_listed_named_and_put_on_record_and_survives_a_change_of_passphrase() {
    let desk = Desk::with_vault("test");
    desk.private("key", KEY);
    let told = answer(&desk.run(&import(NILE)));
    assert_eq!(
        (told["imported"][0]["slot"].as_u64(), &told["imported"][0]["label"]),
        (Some(0), &"Old hot wallet".into())
    );
    let address = told["imported"][0]["address"].as_str().unwrap().to_owned();
    assert_eq!(desk.addresses("home", NILE, "imported", 1).first(), Some(&address));
    assert!(desk.addresses("home", SHASTA, "imported", 1).is_empty());
    let (kind, detail) = desk.ceremonies().pop().unwrap();
    assert_eq!((kind.as_str(), detail), ("key_imported", format!("imported/0 {NILE} {address}")));
    desk.private("new", "another passphrase for tests");
    answer(&desk.run("passphrase change --new-passphrase-file new"));
    desk.private("pass", "another passphrase for tests");
    assert_eq!(desk.addresses("home", NILE, "imported", 1).first(), Some(&address));
    assert_eq!(desk.ceremonies().pop().unwrap().0, "passphrase_changed");
    let named = format!("wallet label --network {NILE} --address {address} --label 'Sleeping'");
    assert_eq!(answer(&desk.run(&named))["labels"][0]["label"], "Sleeping");
    let unnamed = format!("wallet label --network {NILE} --address {address} --remove");
    assert!(answer(&desk.run(&unnamed))["labels"].as_array().unwrap().is_empty());
    let hidden = format!(
        "wallet label --network {NILE} --address {address} --label \"$(printf 'a\\342\\200\\256b')\""
    );
    assert_eq!(error(&desk.run(&hidden)).0, 2);
    // The words of the seed hold nothing of it.
    let drill = answer(&desk.run("backup verify --words-fd 3 3<words"));
    assert_eq!(drill["restores"], true);
}

#[test]
fn a_tron_key_never_signs_on_two_networks_and_an_evm_key_does() {
    let desk = Desk::with_vault("test");
    desk.private("key", KEY);
    answer(&desk.run(&import(NILE)));
    let (exit, code, message) = error(&desk.run(&import(SHASTA)));
    assert_eq!((exit, code.as_str()), (3, "key"));
    assert!(message.contains("name no network"), "{message}");
    assert!(error(&desk.run(&import(NILE))).2.contains("already"));
    answer(&desk.run(&import("eip155:80002")));
    assert!(error(&desk.run(&import("eip155:11155111"))).2.contains("imported/1 already"));
    let of = |network| desk.addresses("home", network, "imported", 1);
    assert_eq!(of("eip155:80002"), of("eip155:11155111"));
    // Another profile's network is not this vault's.
    assert_eq!(error(&desk.run(&import("eip155:1"))).0, 2);
    assert_eq!(answer(&desk.run("wallet list"))["imported"].as_array().unwrap().len(), 2);
}

#[test]
fn numbers_that_are_no_keys_are_refused_and_the_largest_key_is_not() {
    let desk = Desk::with_vault("test");
    let above = format!("{}2", &ORDER[..63]);
    for no_key in
        [&"0".repeat(64), ORDER, &above, &"f".repeat(64), "12", "", &"zz".repeat(32), &"1".repeat(66)]
    {
        desk.private("key", no_key);
        let (exit, code, message) = error(&desk.run(&import(NILE)));
        assert!(code == "key" || message.contains("too long"), "{no_key}: {message}");
        assert!(exit == 3 || exit == 4);
        assert!(no_key.len() < 60 || !message.contains(no_key));
    }
    assert!(answer(&desk.run("wallet list"))["imported"].as_array().unwrap().is_empty());
    for key in [format!("{}0", &ORDER[..63]), format!("0x{}1\n", "0".repeat(63))] {
        desk.private("key", &key);
        answer(&desk.run(&import(NILE)));
    }
}

#[test]
fn a_key_of_the_vaults_own_seed_is_not_imported_again() {
    let desk = Desk::empty();
    desk.private(
        "words",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    );
    let line = format!("restore --name alice --profile main {} --mnemonic-fd 3 3<words", desk::FLOOR);
    answer(&desk.run(&line));
    // m/44'/60'/0'/0/0 of that mnemonic.
    desk.private("key", "1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727");
    let (_, code, message) = error(&desk.run(&import("eip155:1")));
    assert_eq!(code, "key");
    assert!(message.contains("this vault's own, m/44'/60'/0'/0/0"), "{message}");
}

#[test]
fn a_key_file_opens_under_its_password_only() {
    let desk = Desk::with_vault("test");
    let vectors =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/keystore-v3.json"));
    let vectors: serde_json::Value = serde_json::from_str(&vectors.unwrap()).unwrap();
    desk.private("file.json", &vectors["mycrypto"]["json"].to_string());
    desk.private("password", "foobartest121\n");
    let line = "wallet import --network eip155:80002 --label old --keystore file.json --keystore-password-fd 3 3<password";
    let told = answer(&desk.run(line));
    assert_eq!(
        told["imported"][0]["address"].as_str().unwrap().to_lowercase(),
        "0x460121576cc7df020759730751f92bd62fd78dd6"
    );
    desk.private("password", "foobartest122");
    assert_eq!(error(&desk.run(line)).1, "wrong_passphrase");
    desk.private("password", "foobartest121");
    let mut file = vectors["mycrypto"]["json"].clone();
    file["address"] = "0000000000000000000000000000000000000000".into();
    desk.private("file.json", &file.to_string());
    assert_eq!(error(&desk.run(line)).1, "keystore");
    file["crypto"]["kdfparams"]["n"] = (1u64 << 40).into();
    desk.private("file.json", &file.to_string());
    assert_eq!(error(&desk.run(line)).1, "keystore");
}

#[test]
fn a_retired_wallet_stays_retired_and_is_on_record() {
    let desk = Desk::with_vault("test");
    let line = format!("wallet retire --network {NILE} --role hot --index 0");
    // Without a person and without --yes nothing happens.
    assert_eq!(error(&desk.run(&line)).0, 2);
    let told = answer(&desk.run(&format!("{line} --yes")));
    assert_eq!((&told["retired"][0]["role"], told["retired"][0]["index"].as_u64()), (&"hot".into(), Some(0)));
    assert_eq!(desk.ceremonies().pop().unwrap(), ("wallet_retired".into(), format!("{NILE} hot/0")));
    assert_eq!(error(&desk.run(&format!("{line} --yes"))).1, "wallet");
    let listed = answer(&desk.run(&format!("addresses --network {NILE} --role hot")));
    assert_eq!(listed["wallets"][0]["retired"], true);
    let none = format!("wallet retire --network {NILE} --role imported --index 0 --yes");
    assert_eq!(error(&desk.run(&none)).1, "wallet");
}

/// Locks the signer of `home`, as a coordinator's unknown head does.
fn lock(desk: &Desk) {
    let home = Home::open(&desk.path("home")).unwrap();
    let passphrase = Passphrase::new(desk.text("pass")).ok().unwrap();
    let mut vault = Vault::load(&home, &passphrase).unwrap();
    let claimed =
        SeenHead { signer: vault.device().identity(), sequence: 9, head: Digest::from_bytes([9; 32]) };
    vault.device_mut().lock = Some(Lock { at: 1, code: "head.unknown".to_owned(), claimed });
    vault.store(&home).unwrap();
}

#[test]
fn a_locked_signer_takes_no_key_in_and_no_wallet_out() {
    let desk = Desk::with_vault("test");
    desk.private("key", KEY);
    lock(&desk);
    let journal = std::fs::read(desk.path("home/journal.airlock")).unwrap();
    let retire = format!("wallet retire --network {NILE} --role hot --index 0 --yes");
    for line in [&retire, &import(NILE)] {
        let (exit, code, _) = error(&desk.run(line));
        assert_eq!((exit, code.as_str()), (3, "signer.locked"), "{line}");
    }
    let told = answer(&desk.run("wallet list"));
    assert!(
        told["imported"].as_array().unwrap().is_empty() && told["retired"].as_array().unwrap().is_empty()
    );
    // An entry would fork the journal from the one that its custodians are about to go on with.
    assert_eq!(std::fs::read(desk.path("home/journal.airlock")).unwrap(), journal);
}
