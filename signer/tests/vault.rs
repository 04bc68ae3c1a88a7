//! The vault against wrong passphrases, changed bytes, weakened parameters and open file modes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use airlock_shared::{PersonId, Profile};
use airlock_signer::home::{Home, HomeError, temporary_of};
use airlock_signer::secret::{Bip39Passphrase, Entropy, Passphrase};
use airlock_signer::vault::{Device, KdfCost, Root, Spending, Vault, VaultError};
use std::os::unix::fs::PermissionsExt;

const HEADER_BYTES: usize = 26 + 42;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.into()).ok().unwrap()
}

fn floor() -> KdfCost {
    KdfCost::new(KdfCost::MIN_MEMORY_KIB, 1).unwrap()
}

fn device() -> Device {
    Device::generate(PersonId::new("alice").unwrap(), Profile::Dev, 1_700_000_000).unwrap()
}

fn vault() -> Vault {
    let entropy = Entropy::from_slice(&[7; 32]).unwrap();
    let seed = Spending::new(Root::mnemonic(entropy, Bip39Passphrase::none()));
    let spending = passphrase("the spending passphrase");
    Vault::create(device(), &passphrase("the identity passphrase"), Some((&seed, &spending)), floor())
        .ok()
        .unwrap()
}

#[test]
fn each_compartment_opens_with_its_own_passphrase_only() {
    let sealed = vault().seal().unwrap();
    let wrong = Vault::open(&sealed, &passphrase("the spending passphrase"));
    assert!(matches!(wrong.err(), Some(VaultError::DoesNotOpen { compartment: "identity" })));
    let opened = Vault::open(&sealed, &passphrase("the identity passphrase")).ok().unwrap();
    assert_eq!(opened.device().name.as_str(), "alice");
    let wrong = opened.open_spending(&passphrase("the identity passphrase"));
    assert!(matches!(wrong.err(), Some(VaultError::DoesNotOpen { compartment: "spending" })));
    let seed = opened.open_spending(&passphrase("the spending passphrase")).ok().unwrap();
    assert_eq!(seed.root().secret().as_bytes(), &[7; 32]);
}

#[test]
fn every_flipped_header_byte_fails_closed() {
    let sealed = vault().seal().unwrap();
    let right = passphrase("the identity passphrase");
    for place in 0..HEADER_BYTES {
        for bit in [0x01, 0x80] {
            let mut altered = sealed.clone();
            altered[place] ^= bit;
            // A flip that makes the key derivation dearer is refused by the seal, not by a limit, and
            // costs a second each: one of the two bits is enough there.
            if (27..35).contains(&place) && bit == 0x01 && place % 4 != 2 {
                continue;
            }
            assert!(Vault::open(&altered, &right).is_err(), "byte {place} bit {bit:02x}");
        }
    }
}

#[test]
fn flipped_spending_header_and_ciphertext_bytes_fail_closed() {
    let sealed = vault().seal().unwrap();
    // CBOR of the seed and an empty passphrase, and the tag.
    let spending_at = sealed.len() - 42 - 40 - 16;
    let (first, second) = (passphrase("the identity passphrase"), passphrase("the spending passphrase"));
    for place in [spending_at, spending_at + 10, spending_at + 30, spending_at + 42, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        let opened = Vault::open(&altered, &first).and_then(|vault| vault.open_spending(&second));
        assert!(opened.is_err(), "byte {place}");
    }
}

#[test]
fn cut_and_lengthened_vaults_are_refused() {
    let sealed = vault().seal().unwrap();
    let right = passphrase("the identity passphrase");
    for length in [0, 8, 26, 60, HEADER_BYTES, sealed.len() - 1] {
        assert!(Vault::open(&sealed[..length], &right).is_err(), "cut at {length}");
    }
    let longer = [&sealed[..], b"x"].concat();
    assert!(matches!(Vault::open(&longer, &right).err(), Some(VaultError::TrailingBytes { found: 1 })));
}

#[test]
fn weakened_and_excessive_key_derivation_is_refused_before_any_work() {
    let sealed = vault().seal().unwrap();
    let right = passphrase("the identity passphrase");
    let with = |memory_kib: u32, passes: u32| {
        let mut altered = sealed.clone();
        altered[27..31].copy_from_slice(&memory_kib.to_be_bytes());
        altered[31..35].copy_from_slice(&passes.to_be_bytes());
        Vault::open(&altered, &right).err().unwrap()
    };
    assert!(matches!(with(47_103, 1), VaultError::WeakKdf { memory_kib: 47_103, passes: 1 }));
    assert!(matches!(with(47_104, 0), VaultError::WeakKdf { .. }));
    assert!(matches!(with(1_048_577, 1), VaultError::ExcessiveKdf { .. }));
    assert!(matches!(with(u32::MAX, u32::MAX), VaultError::ExcessiveKdf { .. }));
    assert!(matches!(with(47_104, 17), VaultError::ExcessiveKdf { .. }));
}

#[test]
fn a_vault_that_others_may_read_is_refused_and_a_torn_replacement_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::create(&folder.path().join("home")).unwrap();
    let vault = vault();
    vault.store(&home).unwrap();
    let sealed = std::fs::read(home.vault()).unwrap();
    std::fs::write(temporary_of(&home.vault()), &sealed[..40]).unwrap();
    let right = passphrase("the identity passphrase");
    assert!(Vault::load(&home, &right).is_ok());
    std::fs::set_permissions(home.vault(), PermissionsExt::from_mode(0o644)).unwrap();
    let refused = Vault::load(&home, &right).err();
    assert!(matches!(refused, Some(VaultError::File(HomeError::Mode { found: 0o644, .. }))));
}

#[test]
fn sealing_again_changes_the_nonce_and_keeps_the_spending_compartment() {
    let mut vault = vault();
    let first = vault.seal().unwrap();
    vault.device_mut().journal.sequence = 9;
    let second = vault.seal().unwrap();
    assert_ne!(first[52..64], second[52..64]);
    assert_eq!(first[first.len() - 90..], second[second.len() - 90..]);
    let opened = Vault::open(&second, &passphrase("the identity passphrase")).ok().unwrap();
    assert_eq!(opened.device().journal.sequence, 9);
    assert!(opened.open_spending(&passphrase("the spending passphrase")).is_ok());
}

#[test]
fn an_identity_only_device_has_nothing_to_spend() {
    let right = passphrase("the identity passphrase");
    let vault = Vault::create(device(), &right, None, floor()).ok().unwrap();
    let mut sealed = vault.seal().unwrap();
    let opened = Vault::open(&sealed, &right).ok().unwrap();
    assert!(!opened.can_spend());
    assert!(matches!(opened.open_spending(&right).err(), Some(VaultError::NoSpending)));
    sealed[9] = 1;
    assert!(Vault::open(&sealed, &right).is_err());
}
