//! Imported and retired wallets under the session: one signs like any other, the other never again (K4).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::Network;
use airlock_shared::batch::Wallet;
use airlock_shared::journal::{Ceremony, Event};
use airlock_shared::wallet::Role;
use airlock_signer::journal::{Beside, Journal};
use airlock_signer::keys::Keyring;
use airlock_signer::records::Access;
use airlock_signer::vault::{Imported, ImportedKey, Label, Reach, WalletRef};
use world::{World, passphrase, paying};
use zeroize::Zeroizing;

/// A world whose vault holds an imported key, which the policy lets pay on `network`.
fn with_imported(network: Network) -> (World, Wallet) {
    let mut world = World::new();
    let mut vault = world.vault();
    let mut opened = vault.open_to_change(&passphrase()).ok().unwrap();
    let reach = Reach::of(network);
    opened.spending.import(ImportedKey::new(reach, Zeroizing::new([9; 32]))).unwrap();
    vault.put_back(&opened).unwrap();
    world.keyring = Keyring::open(&opened.spending).ok().unwrap();
    let address = world.keyring.address(network, Role::Imported, 0).unwrap();
    let label = Label::new("old").unwrap();
    let payload = *address.payload();
    vault.device_mut().imported.push(Imported { reach, payload, label, imported_at: world.now });
    vault.store(&world.home).unwrap();
    let wallet = Wallet { role: Role::Imported, index: 0, address };
    world.with_policy(|policy| {
        let of = policy.networks.iter_mut().find(|one| one.network == network).unwrap();
        of.wallets.push(paying(wallet));
    });
    (world, wallet)
}

#[test]
fn an_imported_key_signs_what_policy_lets_it_pay() {
    for network in [Network::TRON_DEV, Network::EVM_DEV] {
        let (world, wallet) = with_imported(network);
        let mut content = world.content(network, 3);
        content.source = Some(wallet);
        // Every signature was recovered to this address before it was believed.
        world.sign(&world.bundle(content)).unwrap();
    }
}

#[test]
fn a_slot_that_holds_no_key_is_refused_whatever_the_policy_says() {
    let (mut world, wallet) = with_imported(Network::TRON_DEV);
    let other = Wallet { index: 7, ..wallet };
    world.with_policy(|policy| {
        let of = policy.networks.iter_mut().find(|one| one.network == Network::TRON_DEV).unwrap();
        of.wallets.retain(|one| one.wallet != wallet);
        of.wallets.push(paying(other));
    });
    let mut content = world.content(Network::TRON_DEV, 2);
    content.source = Some(other);
    assert_eq!(world.sign(&world.bundle(content)).err().unwrap(), "source.not_ours");
}

#[test]
fn a_retired_wallet_pays_nothing_and_is_not_paid_as_our_own() {
    let world = World::new();
    let mut vault = world.vault();
    let hot = WalletRef { network: Network::TRON_DEV, role: Role::Hot, index: 0 };
    vault.device_mut().retired.push(hot);
    vault.store(&world.home).unwrap();
    let retired = world.content(Network::TRON_DEV, 3);
    assert_eq!(world.sign(&world.bundle(retired)).err().unwrap(), "source.retired");
    // The same role on another network lives on.
    world.sign(&world.bundle(world.content(Network::EVM_DEV, 3))).unwrap();
}

#[test]
fn what_the_journal_calls_retired_is_retired_though_an_older_vault_came_back() {
    let (world, wallet) = with_imported(Network::TRON_DEV);
    let vault = world.vault();
    let mut journal = Journal::open(&world.home, vault.device(), Access::Append).unwrap();
    for name in [format!("{} hot/0", Network::TRON_DEV), format!("{} imported/0", Network::TRON_DEV)] {
        let event = Event::Ceremony { kind: Ceremony::WalletRetired, detail: name };
        journal.append(world.now, event, Beside::Nothing, vault.device()).unwrap();
    }
    // The power went before the vault was written, or somebody put an older one in its place.
    let hot = world.content(Network::TRON_DEV, 3);
    let mut imported = hot.clone();
    imported.source = Some(wallet);
    for content in [hot, imported] {
        assert_eq!(world.sign(&world.bundle(content)).err().unwrap(), "source.retired");
    }
    world.sign(&world.bundle(world.content(Network::EVM_DEV, 3))).unwrap();
}
