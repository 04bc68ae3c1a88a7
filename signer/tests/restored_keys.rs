//! What words give: the same keys as other implementations, for mnemonics and for shares (K2, K3).

#![allow(clippy::unwrap_used, reason = "a test may")]

use airlock_shared::Network;
use airlock_shared::wallet::Role;
use airlock_signer::keys::Keyring;
use airlock_signer::secret::Bip39Passphrase;
use airlock_signer::vault::Root;
use airlock_signer::vault::shares::{BackupError, Gathered, Words, restore};
use bip32::XPrv;
use serde_json::Value;
use zeroize::Zeroizing;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../fixtures/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn of_mnemonic(words: &str, passphrase: &str) -> Keyring {
    let (entropy, kind) = restore(&[Zeroizing::new(words.to_owned())], b"").ok().unwrap();
    assert_eq!(kind, Words::Mnemonic);
    let passphrase = Bip39Passphrase::new(passphrase).ok().unwrap();
    Keyring::of_root(&Root::mnemonic(entropy, passphrase)).ok().unwrap()
}

fn fingerprint_of(xprv: &str) -> [u8; 4] {
    xprv.parse::<XPrv>().unwrap().public_key().fingerprint()
}

#[test]
fn every_mnemonic_of_bip39_gives_the_published_master_key() {
    let vectors = vectors("bip39.json");
    let rows = vectors["english"].as_array().unwrap();
    assert!(rows.len() >= 24);
    for row in rows {
        let column = |index: usize| row[index].as_str().unwrap();
        let keyring = of_mnemonic(column(1), "TREZOR");
        assert_eq!(keyring.fingerprint(), fingerprint_of(column(3)), "{}", column(0));
    }
}

#[test]
fn restored_deposit_addresses_are_those_of_other_wallets() {
    for vector in vectors("tron-hd.json")["vectors"].as_array().unwrap() {
        let text = |field: &str| vector[field].as_str().unwrap();
        let keyring = of_mnemonic(text("mnemonic"), text("passphrase"));
        for (list, network, coin) in [("tron", Network::TRON, 195), ("evm", Network::ETHEREUM, 60)] {
            let rows = vector[list].as_array().unwrap();
            let mut compared = 0;
            for row in rows {
                // Account 0 are the deposits of the main networks, account 1 the hot wallets.
                for (role, account) in [(Role::Deposit, 0), (Role::Hot, 1)] {
                    let path = row["path"].as_str().unwrap();
                    let prefix = format!("m/44'/{coin}'/{account}'/0/");
                    let Some(index) = path.strip_prefix(&prefix) else { continue };
                    let found = keyring.address(network, role, index.parse().unwrap()).ok().unwrap();
                    assert_eq!(found.to_string(), row["address"].as_str().unwrap(), "{path}");
                    compared += 1;
                }
            }
            assert!(compared >= 20, "{list}: {compared}");
        }
    }
}

#[test]
fn every_set_of_slip39_gives_the_published_master_key_or_is_refused() {
    let (mut restored, mut refused) = (0, 0);
    for set in vectors("slip39.json").as_array().unwrap() {
        let name = set[0].as_str().unwrap();
        let texts: Vec<_> = set[1].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let mut gathered = Gathered::default();
        let opened = texts.iter().try_for_each(|text| gathered.add(text));
        let opened = opened.and_then(|()| gathered.open(b"TREZOR"));
        match set[2].as_str().unwrap() {
            "" => {
                assert!(opened.is_err(), "{name}");
                refused += 1;
            }
            secret => {
                let (found, _) = opened.unwrap_or_else(|error| unreachable!("{name}: {error}"));
                assert_eq!(hex::encode(found.as_bytes()), secret, "{name}");
                let keyring = Keyring::of_root(&Root::Slip39 { secret: found }).ok().unwrap();
                assert_eq!(keyring.fingerprint(), fingerprint_of(set[3].as_str().unwrap()), "{name}");
                restored += 1;
            }
        }
    }
    assert!(restored >= 10 && refused >= 30, "{restored} {refused}");
}

#[test]
fn what_is_missing_of_groups_is_said_share_by_share() {
    // Two groups are needed; each says how many of its members.
    let vectors = vectors("slip39.json");
    let named = |part: &str| {
        let found = vectors.as_array().unwrap().iter().find(|set| set[0].as_str().unwrap().contains(part));
        found.unwrap()[1].as_array().unwrap().clone()
    };
    let set = named("members in each group (128 bits, case 1)");
    let mut gathered = Gathered::default();
    let mut said = Vec::new();
    for text in &set {
        gathered.add(text.as_str().unwrap()).unwrap();
        said.extend(gathered.missing().map(|missing| missing.to_string()));
    }
    assert_eq!(gathered.missing(), None);
    assert_eq!(said.len(), set.len() - 1, "{said:?}");
    assert!(said[0].contains("other group"), "{said:?}");
    assert!(said.iter().any(|line| line.contains("more share") && line.contains("of group")), "{said:?}");
    let repeated = gathered.add(set[0].as_str().unwrap());
    assert!(matches!(repeated, Err(BackupError::Shares(_))));
    assert!(matches!(gathered.add(&"abandon ".repeat(12)), Err(BackupError::Mixed)));
}
