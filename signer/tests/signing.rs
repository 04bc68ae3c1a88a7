//! What is signed, for each shape of batch: every signature is by the wallet that pays, in the order that
//! the coordinator's finalizer expects, and own wallets are proven before anything is journalled.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::batch::{Asset, CancelTerms, Content, Context, FeeLevel, Item, Kind, Wallet};
use airlock_shared::envelope::Replies;
use airlock_shared::policy::{AssetPolicy, KindDestinations};
use airlock_shared::roles::extractor::{Level, extract};
use airlock_shared::roles::finalizer::finalize;
use airlock_shared::wallet::Role;
use airlock_shared::{BaseUnits, BatchId, ItemId, Network};
use world::{World, bundle, units};

fn level(gwei: u64) -> FeeLevel {
    FeeLevel { max_fee_per_gas_wei: gwei * 1_000_000_000, max_priority_fee_per_gas_wei: gwei * 10_000_000 }
}

fn deposit(world: &World, network: Network, index: u32) -> Wallet {
    let address = world.keyring.account(network, Role::Deposit).ok().unwrap().address(index).unwrap();
    Wallet { role: Role::Deposit, index, address }
}

/// A sweep of three deposit addresses to the hot wallet, with a policy that allows it.
fn sweep(network: Network) -> (World, Content) {
    let mut world = World::new();
    world.with_policy(|policy| {
        for on in &mut policy.networks {
            on.kinds.push(Kind::Sweep);
        }
    });
    let mut content = world.content(network, 3);
    (content.kind, content.source) = (Kind::Sweep, None);
    let hot = world.hot(network).address;
    for (index, item) in (0..).zip(&mut content.items) {
        item.source = Some(deposit(&world, network, index));
        (item.destination, item.own) = (hot, Some((Role::Hot, 0)));
        item.account_nonce = item.account_nonce.map(|_| 0);
    }
    (world, content)
}

#[test]
fn each_item_of_a_sweep_is_signed_by_its_own_deposit_address() {
    for network in [Network::TRON_DEV, Network::EVM_DEV] {
        let (world, content) = sweep(network);
        let replies = world.sign(&world.bundle(content.clone())).unwrap();
        assert_eq!(finalize(&content, &replies.replies[0]).unwrap().len(), 3);
    }
}

#[test]
fn a_destination_that_is_not_the_own_wallet_it_claims_to_be_is_refused() {
    let (world, mut content) = sweep(Network::TRON_DEV);
    content.items[1].own = Some((Role::Cold, 0));
    assert_eq!(world.sign(&world.bundle(content.clone())).unwrap_err(), "own.not_ours");
    content.items[1].own = Some((Role::Hot, 0));
    content.items[2].source = Some(Wallet { index: 9, ..deposit(&world, Network::TRON_DEV, 2) });
    assert_eq!(world.sign(&world.bundle(content)).unwrap_err(), "source.not_ours");
}

#[test]
fn fee_levels_and_the_cancel_are_signed_in_order_at_one_nonce() {
    let world = World::new();
    let mut content = world.content(Network::EVM_DEV, 2);
    if let Context::Evm(evm) = &mut content.context {
        evm.levels = vec![level(20), level(40), level(80)];
        evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: level(90) });
    }
    let replies = world.sign(&world.bundle(content.clone())).unwrap();
    assert_eq!(replies.replies[0].signatures.len(), 8);
    let signed = finalize(&content, &replies.replies[0]).unwrap();
    let levels: Vec<_> =
        extract(&content, &signed).into_iter().map(|one| (one.item.number(), one.level)).collect();
    let of =
        |id| [0, 1, 2].map(|number| (id, Level::Payment(number))).into_iter().chain([(id, Level::Cancel)]);
    assert_eq!(levels, of(1_000).chain(of(1_001)).collect::<Vec<_>>());
}

#[test]
fn native_coins_with_a_memo_are_signed() {
    let mut world = World::new();
    let asset = Asset { contract: None, decimals: 6, symbol: "TRX".to_owned() };
    let listed = asset.clone();
    world.with_policy(|policy| {
        let limits = AssetPolicy {
            asset: listed,
            per_item_max: units(10),
            per_batch_max: units(100),
            per_day_max: units(100),
            passkeys_alone_max: BaseUnits::ZERO,
            first_seen_max: units(100),
            reissue_per_item_max: BaseUnits::ZERO,
            reissue_per_day_max: BaseUnits::ZERO,
        };
        policy.networks[1].assets.push(limits);
    });
    let mut content = world.content(Network::TRON_DEV, 2);
    content.asset = asset;
    if let Context::Tron(tron) = &mut content.context {
        tron.fee_limit_sun = 0;
    }
    for item in &mut content.items {
        (item.amount, item.memo) = (BaseUnits::from(5u64), b"invoice 7".to_vec());
    }
    let replies = world.sign(&world.bundle(content.clone())).unwrap();
    finalize(&content, &replies.replies[0]).unwrap();
}

#[test]
fn a_bundle_is_answered_batch_by_batch_with_receipts_that_continue_each_other() {
    let mut world = World::new();
    let hot = |network| world.hot(network).address;
    let listed = KindDestinations { kind: Kind::ColdToHot, addresses: vec![hot(Network::EVM_DEV)] };
    world.with_policy(|policy| policy.networks[0].destinations = vec![listed]);
    let mut funding = world.content(Network::EVM_DEV, 1);
    (funding.kind, funding.batch_id) = (Kind::ColdToHot, BatchId::from_bytes([1; 16]));
    funding.source = Some(world::wallet(&world.keyring, Network::EVM_DEV, Role::Cold));
    funding.items[0] = Item {
        id: ItemId::new(1),
        destination: world.hot(Network::EVM_DEV).address,
        ..funding.items[0].clone()
    };
    let (evm, mut tron) = (world.content(Network::EVM_DEV, 2), world.content(Network::TRON_DEV, 2));
    tron.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 10));
    let contents = [funding, evm, tron];
    let before = world.head();
    let bytes = bundle(contents.iter().map(|content| world.envelope(content.clone())).collect());
    let Replies { replies } = world.sign(&bytes).unwrap();
    for (content, reply) in contents.iter().zip(&replies) {
        finalize(content, reply).unwrap();
    }
    let sequences: Vec<_> =
        replies.iter().map(|reply| reply.receipt.entry.sequence - before.sequence).collect();
    assert_eq!(sequences, [4, 5, 6]);
    // The coordinator knows the head before the bundle: three intents and the receipts before are news.
    let news: Vec<_> = replies.iter().map(|reply| reply.receipt.unacknowledged.len()).collect();
    assert_eq!(news, [3, 4, 5]);
    assert_eq!(replies[1].receipt.highest_nonce, 71);
    assert_eq!(replies[2].receipt.highest_item, 1_011);
    assert_eq!(replies[2].receipt.head(), world.head());
}
