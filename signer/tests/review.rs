//! What a person is told beside the batch itself: warnings from memory, and answers that can leave.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel, Item};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{ApprovalRequest, Envelope};
use airlock_shared::form::to_cbor;
use airlock_shared::journal::{Chain, Entry, Event};
use airlock_shared::roles::approver;
use airlock_shared::{Address, Digest, ItemId, Network, Profile};
use airlock_signer::approve::Readable;
use airlock_signer::familiar::Familiar;
use airlock_signer::review::{Counted, Evidence, Sheet, Weight};
use airlock_signer::session::RECEIPT_BYTES_MAX;
use airlock_signer::vault::MAX_SEEN;
use world::{World, approvals, bundle, key, person, units};

/// Everything that stands out in a batch, as the review says it.
fn warnings(world: &World, content: &Content) -> Vec<String> {
    warnings_at(world, content, world.now + 100_000)
}

fn warnings_at(world: &World, content: &Content, now: u64) -> Vec<String> {
    let signer = world.signer();
    let familiar = Familiar::of(signer.journal(), signer.policy(), content, now);
    let sheet = Sheet::of(&Evidence { familiar: Some(&familiar), ..Evidence::of(content, &[], now) });
    sheet.exceptions.iter().map(|exception| exception.line(content)).collect()
}

#[test]
fn addresses_never_paid_before_are_pointed_out_and_listed_ones_are_known() {
    let world = World::new();
    let first = world.content(Network::TRON_DEV, 3);
    let expected = "3 of 3 items pay an address for the first time, 478.14 USDT together: #0-2";
    assert_eq!(warnings(&world, &first), [expected]);
    world.sign(&world.bundle(first.clone())).unwrap();
    let mut second = world.content(Network::TRON_DEV, 3);
    for (number, item) in (1_010..).zip(&mut second.items) {
        item.id = ItemId::new(number);
        item.amount = units(1);
    }
    assert_eq!(warnings(&world, &second), [""; 0]);
    let expected = "3 of 3 items pay an address first seen less than 1 d ago: #0-2";
    assert_eq!(warnings_at(&world, &second, world.now + 80_000), [expected], "the policy's delay is a day");
    second.items[1].destination = world.hot(Network::TRON_DEV).address;
    assert_eq!(warnings(&world, &second), [""; 0], "a listed address is known");
    second.items[2].destination = Address::new(Network::TRON_DEV, [0x77; 20]);
    let expected = "1 of 3 items pays an address for the first time, 1 USDT together: #2";
    assert_eq!(warnings(&world, &second), [expected]);
}

#[test]
fn an_address_with_the_ends_of_a_known_one_is_called_a_look_alike() {
    let world = World::new();
    let mut content = world.content(Network::EVM_DEV, 2);
    let mut known = [0x11; 20];
    content.items[0].destination = Address::new(Network::EVM_DEV, known);
    let twins = {
        let mut content = content.clone();
        known[9] = 0x77;
        content.items[1].destination = Address::new(Network::EVM_DEV, known);
        warnings(&world, &content)
    };
    assert!(twins[0].starts_with("#0 and #1 pay different addresses that look alike"), "{twins:?}");
    world.sign(&world.bundle(content.clone())).unwrap();
    known[7] = 0x99;
    content.items[1].id = ItemId::new(1_007);
    content.items[1].destination = Address::new(Network::EVM_DEV, known);
    let found = warnings(&world, &content);
    let whole = "pays 0x 1111 1111 1111 1199 1177 1111 1111 1111 1111 1111; paid before 0x 1111";
    assert!(found[0].starts_with("#1 pays an address that only looks like one paid before"), "{found:?}");
    assert!(found[0].contains(whole), "{found:?}");
}

#[test]
fn an_amount_far_above_the_usual_is_pointed_out() {
    let world = World::new();
    let mut content = world.content(Network::TRON_DEV, 9);
    content.items.iter_mut().for_each(|item| item.amount = units(20));
    content.items[4].amount = units(200);
    assert_eq!(warnings(&world, &content).len(), 1);
    content.items[4].amount = units(201);
    let expected = "#4 pays 201 USDT, more than 10 times the usual 20 USDT";
    assert_eq!(warnings(&world, &content)[0], expected);
}

#[test]
fn the_same_sum_to_the_same_address_and_disguised_labels_are_pointed_out() {
    let world = World::new();
    let mut content = world.content(Network::TRON_DEV, 3);
    content.items[2] = Item { id: content.items[2].id, ..content.items[0].clone() };
    content.items[1].label = "c\u{43e}py\u{202e}".to_owned();
    let found = warnings(&world, &content);
    assert!(found[0].starts_with("2 payments of 80.19 USDT to one address: #0, 2; pays T"), "{found:?}");
    let expected = "the label of #1 holds marks that turn the reading direction around, a word of several \
                    alphabets, a foreign letter that looks like o: \"c\\u{43e}py\\u{202e}\"";
    assert_eq!(found[1], expected);
}

#[test]
fn an_approval_that_the_policy_does_not_count_says_why() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 1);
    let by = |name, seed| approver::approve(&content, person(name), None, &key(seed));
    let given = [by("carol", 3), by("dave", 5), by("mallory", 6), by("olga", 7)];
    let sheet =
        Sheet::of(&Evidence { policy: Some(&world.policy), ..Evidence::of(&content, &given, world.now) });
    let counts: Vec<_> = sheet.approvals.iter().map(|one| one.counted == Counted::Yes).collect();
    assert_eq!(counts, [true, false, false, false]);
    assert_eq!(sheet.exceptions.iter().filter(|one| one.weight() == Weight::Look).count(), 3);
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
