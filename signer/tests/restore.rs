//! `restore` from outside: the same addresses, an empty journal, nothing signed, no word in any error (K2).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod desk;

use desk::{Desk, FLOOR, answer, error, shows_nothing_of};

fn restore(words: &str) -> String {
    format!("restore --name alice --profile dev {FLOOR} {words}")
}

const DEV: [&str; 2] = ["tron:0xa1710c4b", "eip155:31337"];

#[test]
fn a_restored_vault_has_the_addresses_of_the_original_another_identity_and_no_journal() {
    let desk = Desk::with_vault("dev");
    let made = desk.run_in("again", &restore("--mnemonic-fd 3 3<words --transcript page.txt"));
    let told = answer(&made);
    shows_nothing_of(&made, &desk.text("words"));
    assert_eq!(told["restored_from"], "mnemonic");
    assert!(!desk.path("again/journal.airlock").exists());
    assert_eq!(told["next"].as_array().unwrap().len(), 5);
    for network in DEV {
        for role in ["deposit", "hot", "cold", "energy"] {
            let of = |home: &str| desk.addresses(home, network, role, 3);
            assert_eq!(of("home"), of("again"), "{network} {role}");
        }
    }
    let identity = |home: &str| answer(&desk.run_in(home, "identity"))["key"].clone();
    assert_ne!(identity("home"), identity("again"));
    let refused = desk.run_in("again", "wallet retire --network eip155:31337 --role hot --index 0 --yes");
    assert_eq!(error(&refused).1, "journal_empty");
    let drill = desk.run_in("again", "backup verify --words-fd 3 3<words");
    assert_eq!(answer(&drill)["restores"], true);
}

#[test]
fn shares_restore_and_too_few_say_how_many_more() {
    let desk = Desk::with_vault("dev");
    let line = "backup shares --threshold 3 --of 4 --share-fd 3 --share-fd 4 --share-fd 5 --share-fd 6 3>s1 4>s2 5>s3 6>s4";
    answer(&desk.run(line));
    let told =
        answer(&desk.run_in("again", &restore("--share-fd 3 --share-fd 4 --share-fd 5 3<s4 4<s1 5<s2")));
    assert_eq!(told["restored_from"], "shares");
    let of = |home: &str| desk.addresses(home, DEV[0], "hot", 2);
    assert_eq!(of("home"), of("again"));
    let few = desk.run_in("few", &restore("--share-fd 3 3<s4"));
    let (exit, code, message) = error(&few);
    assert_eq!((exit, code.as_str()), (4, "backup"));
    assert!(message.contains("2 more shares"), "{message}");
    shows_nothing_of(&few, &desk.text("s4"));
    assert!(!desk.path("few/vault.airlock").exists());
    let (kind, detail) = desk.ceremonies().pop().unwrap();
    assert_eq!(kind, "backup_made");
    assert!(detail.starts_with("4 shares, any 3 of them, set "), "{detail}");
}

#[test]
fn bad_words_are_named_by_rule_and_place_and_leave_no_vault() {
    let desk = Desk::with_vault("dev");
    let words = desk.text("words");
    let list: Vec<&str> = words.split_whitespace().collect();
    let swapped = {
        let mut list = list.clone();
        // Two unlike neighbours; with one mnemonic in 256 the checksum would fit by chance, so three tries.
        let place = (0..23).find(|place| list[*place] != list[place + 1]).unwrap();
        list.swap(place, place + 1);
        list.join(" ")
    };
    let unknown = words.replacen(list[6], "xylophone", 1);
    let short = list[..23].join(" ");
    for (name, text, expected) in [
        ("unknown", &unknown, "not in the list of BIP-39"),
        ("short", &short, "23 words"),
        ("swapped", &swapped, "checksum"),
    ] {
        desk.private(name, text);
        let told = desk.run_in("again", &restore(&format!("--mnemonic-fd 3 3<{name}")));
        if name == "swapped" && told.status.success() {
            continue;
        }
        let (exit, code, message) = error(&told);
        assert_eq!((exit, code.as_str()), (4, "backup"), "{name}");
        assert!(message.contains(expected), "{name}: {message}");
        assert!(!message.contains("xylophone"));
        shows_nothing_of(&told, text);
        assert!(!desk.path("again/vault.airlock").exists(), "{name}");
    }
    assert_eq!(error(&desk.run_in("again", &restore(""))).0, 2);
}

#[test]
fn a_passphrase_of_bip39_is_part_of_the_seed() {
    let desk = Desk::empty();
    desk.private(
        "words",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    );
    desk.private("extra", "TREZOR\n");
    let with = "--mnemonic-fd 3 --bip39-passphrase-fd 4 3<words 4<extra";
    let one = answer(&desk.run_in("one", &restore(with)));
    // BIP-39's first vector: m of c55257c3...
    assert_eq!(one["fingerprint"], "b4e3f5ed");
    let two = answer(&desk.run_in("two", &restore("--mnemonic-fd 3 3<words")));
    assert_eq!(two["fingerprint"], "73c5da0a");
    let drill = "backup verify --words-fd 3 3<words";
    let (exit, code, message) = error(&desk.run_in("one", drill));
    assert_eq!((exit, code.as_str()), (4, "backup_of_another_vault"));
    assert!(message.contains("--bip39-passphrase"));
    let drill = "backup verify --words-fd 3 --bip39-passphrase-fd 4 3<words 4<extra";
    assert_eq!(answer(&desk.run_in("one", drill))["restores"], true);
}

#[test]
fn shares_of_a_hardware_wallet_give_its_own_seed() {
    let desk = Desk::empty();
    // python-shamir-mnemonic's fourth vector: 2 of 3, 128 bits, passphrase TREZOR.
    let vectors =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/slip39.json"));
    let vectors: serde_json::Value = serde_json::from_str(&vectors.unwrap()).unwrap();
    let set = vectors.as_array().unwrap().iter().find(|set| {
        set[0].as_str().unwrap().contains("Basic sharing 2-of-3 (128 bits)")
            && !set[2].as_str().unwrap().is_empty()
    });
    let set = set.unwrap();
    for (name, text) in ["s1", "s2"].into_iter().zip(set[1].as_array().unwrap()) {
        desk.private(name, text.as_str().unwrap());
    }
    desk.private("extra", "TREZOR");
    let line = "--share-fd 3 --share-fd 4 --slip39-passphrase-fd 5 --slip39-seed 3<s1 4<s2 5<extra";
    let told = answer(&desk.run_in("one", &restore(line)));
    let xprv: bip32::XPrv = set[3].as_str().unwrap().parse().unwrap();
    assert_eq!(told["fingerprint"], hex::encode(xprv.public_key().fingerprint()));
    let drill =
        "backup verify --words-fd 3 --words-fd 4 --slip39-passphrase-fd 5 --slip39-seed 3<s1 4<s2 5<extra";
    assert_eq!(answer(&desk.run_in("one", drill))["restores"], true);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let desk = Desk::with_vault("dev");
    let vault = std::fs::read(desk.path("home/vault.airlock")).unwrap();
    let refused = desk.run(&restore("--mnemonic-fd 3 3<words"));
    assert_eq!((error(&refused).0, std::fs::read(desk.path("home/vault.airlock")).unwrap()), (5, vault));
    desk.private("page.txt", "mine");
    let refused = desk.run_in("again", &restore("--mnemonic-fd 3 3<words --transcript page.txt"));
    assert_eq!((error(&refused).0, desk.text("page.txt").as_str()), (5, "mine"));
    // A link is as good as a file, wherever it leads.
    std::fs::create_dir(desk.path("linked")).unwrap();
    std::fs::set_permissions(desk.path("linked"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", desk.path("linked/vault.airlock")).unwrap();
    assert_eq!(error(&desk.run_in("linked", &restore("--mnemonic-fd 3 3<words"))).0, 5);
}

#[test]
fn an_old_journal_beside_a_restored_vault_is_another_signers() {
    let desk = Desk::with_vault("dev");
    answer(&desk.run_in("again", &restore("--mnemonic-fd 3 3<words")));
    let attest = "attest --network eip155:31337 --first 0 --count 1 --out out --confirm x";
    let retire = "wallet retire --network eip155:31337 --role hot --index 0 --yes";
    for line in [attest, retire] {
        assert_eq!(error(&desk.run_in("again", line)).1, "journal_empty", "{line}");
    }
    for file in ["journal.airlock", "refusals.airlock"] {
        std::fs::copy(desk.path(&format!("home/{file}")), desk.path(&format!("again/{file}"))).unwrap();
    }
    for line in [attest, retire, "journal verify", "backup state --out state"] {
        let (exit, code, message) = error(&desk.run_in("again", line));
        assert_eq!((exit, code.as_str()), (5, "journal_broken"), "{line}");
        assert!(message.contains("the journal is of signer"), "{message}");
    }
    // Nor does a vault come back into a home whose journal outlived it.
    std::fs::remove_file(desk.path("home/vault.airlock")).unwrap();
    let init = format!("init --name alice --profile dev {FLOOR} --no-mnemonic-display");
    for line in [restore("--mnemonic-fd 3 3<words"), init] {
        let (exit, _, message) = error(&desk.run(&line));
        assert!(exit == 5 && message.contains("journal.airlock: exists already"), "{message}");
    }
    assert!(!desk.path("home/vault.airlock").exists());
}
