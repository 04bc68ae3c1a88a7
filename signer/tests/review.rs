//! What a person is told beside the batch itself: warnings from memory, and answers that can leave.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{ApprovalRequest, Envelope};
use airlock_shared::form::to_cbor;
use airlock_shared::journal::{Chain, Entry, Event};
use airlock_shared::{Address, Digest, ItemId, Network, Profile};
use airlock_signer::approve::Readable;
use airlock_signer::familiar::Familiar;
use airlock_signer::session::RECEIPT_BYTES_MAX;
use airlock_signer::vault::MAX_SEEN;
use world::{World, approvals, bundle, key, units};

fn warnings(world: &World, content: &Content) -> Vec<String> {
    let signer = world.signer();
    Familiar::of(signer.journal(), signer.policy(), content).warnings(content)
}

#[test]
fn addresses_never_paid_before_and_copies_of_known_ones_are_pointed_out() {
    let world = World::new();
    let first = world.content(Network::TRON_DEV, 3);
    assert_eq!(warnings(&world, &first), ["3 of 3 items pay an address for the first time: 0, 1, 2"]);
    world.sign(&world.bundle(first.clone())).unwrap();
    let mut second = world.content(Network::TRON_DEV, 3);
    for (number, item) in (10..).zip(&mut second.items) {
        item.id = ItemId::new(number);
        item.amount = units(1);
    }
    assert!(warnings(&world, &second).is_empty());
    second.items[1].destination = world.hot(Network::TRON_DEV).address;
    assert!(warnings(&world, &second).is_empty(), "a listed address is known");
    second.items[2].destination = Address::new(Network::TRON_DEV, [0x77; 20]);
    assert_eq!(warnings(&world, &second), ["1 of 3 items pay an address for the first time: 2"]);
}

#[test]
fn an_address_with_the_ends_of_a_known_one_is_called_a_look_alike() {
    let world = World::new();
    let mut content = world.content(Network::EVM_DEV, 2);
    let mut known = [0x11; 20];
    content.items[0].destination = Address::new(Network::EVM_DEV, known);
    world.sign(&world.bundle(content.clone())).unwrap();
    known[7] = 0x99;
    content.items[1].id = ItemId::new(7);
    content.items[1].destination = Address::new(Network::EVM_DEV, known);
    let found = warnings(&world, &content);
    assert!(found.iter().any(|line| line.starts_with("item 1 pays 0x 1111") && line.contains("looks like")));
}

#[test]
fn an_amount_far_above_the_usual_is_pointed_out() {
    let world = World::new();
    let mut content = world.content(Network::TRON_DEV, 9);
    content.items.iter_mut().for_each(|item| item.amount = units(20));
    content.items[4].amount = units(200);
    assert_eq!(warnings(&world, &content).len(), 1);
    content.items[4].amount = units(201);
    let expected = "item 4 pays 201, more than 10 times the usual 20";
    assert_eq!(warnings(&world, &content)[1], expected);
}

#[test]
fn signatures_that_could_not_leave_are_not_made() {
    let world = World::new();
    let mut content = world.content(Network::EVM_DEV, 5_000);
    if let Context::Evm(evm) = &mut content.context {
        let fee = |gwei: u64| FeeLevel {
            max_fee_per_gas_wei: gwei * 1_000_000_000,
            max_priority_fee_per_gas_wei: gwei * 1_000_000,
        };
        evm.levels = vec![fee(10), fee(20), fee(40)];
        evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: fee(80) });
    }
    assert_eq!(world.refusal(&world.bundle(content)).code, "bundle.reply_too_long");
}

#[test]
fn the_longest_receipt_fits_where_it_was_given_room() {
    let mut world = World::new();
    while world.head().sequence < 62 {
        world.with_policy(|_| ());
    }
    let content = world.content(Network::TRON_DEV, 1);
    let unacknowledged = Envelope::seal(content.clone(), approvals(&content), Vec::new(), &key(9));
    let replies = world.sign(&bundle(vec![unacknowledged])).unwrap();
    let receipt = &replies.replies[0].receipt;
    assert_eq!(receipt.unacknowledged.len(), 63);
    // An intent is longer than the entries here by two digests and their keys.
    assert!(to_cbor(receipt).len() + 64 * 70 < RECEIPT_BYTES_MAX);
}

#[test]
fn a_coordinator_that_missed_too_much_catches_up_by_refusals_without_a_gap() {
    let mut world = World::new();
    while world.head().sequence < 100 {
        world.with_policy(|_| ());
    }
    let refused = |heads: Vec<SeenHead>| {
        let content = world.content(Network::TRON_DEV, 1);
        let bytes = bundle(vec![Envelope::seal(content.clone(), approvals(&content), heads, &key(9))]);
        let mut signer = world.signer();
        let examined = signer.examine(&bytes, world.now).err().unwrap();
        assert_eq!(examined.refusal.code, "head.too_old");
        signer.refuse(*examined, world.now).unwrap().replies.unwrap().replies[0].receipt.clone()
    };
    let first = refused(Vec::new());
    assert_eq!((first.unacknowledged.len(), first.entry.sequence), (64, 65));
    let world_is_caught_up_at = first.head();
    let second = world.sign(&bundle(vec![{
        let mut content = world.content(Network::TRON_DEV, 1);
        content.items[0].amount = units(3);
        Envelope::seal(content.clone(), approvals(&content), vec![world_is_caught_up_at], &key(9))
    }]));
    let receipt = second.unwrap().replies[0].receipt.clone();
    assert_eq!(receipt.unacknowledged[0].previous, world_is_caught_up_at.head);
}

#[test]
fn an_approvers_memory_is_not_filled_with_invented_signers() {
    let world = World::new();
    let mut vault = world.vault();
    let device = vault.device_mut();
    let invented = |seed: usize| {
        let event = Event::Genesis { profile: Profile::Dev, roster: Digest::ZERO, terms: None };
        Entry::next(Chain::Journal, None, world.now, event, &key(100 + seed as u8))
    };
    (0..MAX_SEEN).for_each(|seed| device.remember(SeenHead::of(&invented(seed))));
    let read = |heads| {
        let request = ApprovalRequest { content: world.content(Network::TRON_DEV, 1), heads };
        Readable::read(&request.to_binary(), 0, device, world.now).map(drop)
    };
    assert_eq!(read(vec![world.newest_entry()]).unwrap_err().code, "approve.memory_full");
    assert!(read(vec![invented(3)]).is_ok());
}

#[test]
fn an_approvers_device_remembers_no_head_that_the_signer_has_not_signed() {
    let world = World::new();
    let mut vault = world.vault();
    let mut planted = world.newest_entry();
    planted.sequence += 1_000_000;
    let request = ApprovalRequest { content: world.content(Network::TRON_DEV, 1), heads: vec![planted] };
    let refused = Readable::read(&request.to_binary(), 0, vault.device_mut(), world.now);
    assert_eq!(refused.err().unwrap().code, "approve.head_forged");
}
