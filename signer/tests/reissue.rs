//! Signing an item a second time (S8): each of the four reasons, signed end to end, and everything that may
//! be wrong with it. Item ids, nonces and sums of the first time are in the journal of a real signer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::batch::{CancelTerms, Content, Context, EvmContext, FeeLevel, Reissue, ReissueReason};
use airlock_shared::envelope::Envelope;
use airlock_shared::roles::finalizer::finalize;
use airlock_shared::{BatchId, ItemId, Network};
use world::{World, all_approvals, bundle, key, tx_ids, units};

const EVM: Network = Network::EVM_DEV;
const TRON: Network = Network::TRON_DEV;

fn fees(content: &mut Content, max_gwei: u64, tip_mwei: u64) {
    evm(content).levels = vec![FeeLevel {
        max_fee_per_gas_wei: max_gwei * 1_000_000_000,
        max_priority_fee_per_gas_wei: tip_mwei * 1_000_000,
    }];
}

fn evm(content: &mut Content) -> &mut EvmContext {
    match &mut content.context {
        Context::Evm(evm) => evm,
        Context::Tron(_) => panic!("not an EVM batch"),
    }
}

/// Signs two small items and gives them back.
fn signed(world: &World, network: Network, alter: impl FnOnce(&mut Content)) -> Content {
    let mut content = world.content(network, 2);
    content.items.iter_mut().for_each(|item| item.amount = units(10));
    alter(&mut content);
    world.sign(&world.bundle(content.clone())).unwrap();
    content
}

/// Another batch with the first item once more, made at `now`.
fn again(world: &World, before: &Content, reason: ReissueReason, dead: Vec<[u8; 32]>, now: u64) -> Content {
    let mut content = Content { batch_id: BatchId::from_bytes([0x22; 16]), ..before.clone() };
    content.items.truncate(1);
    content.items[0].reissue = Some(Reissue { reason, dead });
    (content.created_at, content.expires_at) = (now, now + 3_600);
    content.policy.version = world.policy.version;
    content.policy.digest = world.policy.digest();
    match &mut content.context {
        Context::Tron(tron) => {
            (tron.timestamp_ms, tron.expiration_ms) = (now * 1_000, (now + 3_000) * 1_000);
        }
        Context::Evm(evm) => evm.cancel = None,
    }
    content
}

/// Sealed with everybody's approval.
fn sealed(world: &World, content: &Content) -> Vec<u8> {
    let approvals = all_approvals(content);
    bundle(vec![Envelope::seal(content.clone(), approvals, vec![world.head()], &key(9))])
}

fn code(world: &World, content: &Content, now: u64) -> String {
    let examined = world.signer().examine(&sealed(world, content), now);
    examined.err().map_or_else(|| "accepted".to_owned(), |examined| examined.refusal.code)
}

#[test]
fn a_stuck_transaction_is_signed_again_at_higher_fees_by_the_usual_quorum_and_counts_once() {
    let mut world = World::new();
    world.with_policy(|policy| policy.networks[0].assets[0].per_day_max = units(20));
    let before = signed(&world, EVM, |_| {});
    let mut content = again(&world, &before, ReissueReason::Stuck, Vec::new(), world.now);
    fees(&mut content, 44, 1_100);
    // Two approvals suffice: at most one of the two transactions can be mined.
    let replies = world.sign(&world.bundle(content.clone())).unwrap();
    assert_eq!(finalize(&content, &replies.replies[0]).unwrap().len(), 1);
    let mut third = Content { batch_id: BatchId::from_bytes([0x33; 16]), ..content };
    assert_eq!(code(&world, &third, world.now), "policy.reissue_reason", "the same fees again");
    fees(&mut third, 49, 1_300);
    world.sign(&world.bundle(third)).unwrap();
}

#[test]
fn stuck_is_the_same_payment_at_the_same_nonce_with_fees_that_replace() {
    let world = World::new();
    let before = signed(&world, EVM, |_| {});
    type Alteration = fn(&mut Content);
    let cases: [(&str, Alteration); 8] = [
        ("accepted", |_| {}),
        ("policy.reissue_reason", |content| fees(content, 43, 1_100)),
        ("policy.reissue_reason", |content| fees(content, 44, 1_099)),
        ("policy.reissue_reason", |content| content.items[0].account_nonce = Some(72)),
        ("policy.reissue_reason", |content| content.items[0].amount = units(9)),
        ("policy.reissue_reason", |content| content.items[0].destination = content.source.unwrap().address),
        ("policy.reissue_reason", |content| content.items[0].id = ItemId::new(1_002)),
        // The other item's nonce: a second intent there, whatever the reason says.
        ("policy.reissue_reason", |content| content.items[0].account_nonce = Some(71)),
    ];
    for (number, (expected, alter)) in cases.into_iter().enumerate() {
        let mut content = again(&world, &before, ReissueReason::Stuck, Vec::new(), world.now);
        fees(&mut content, 44, 1_100);
        alter(&mut content);
        let found = code(&world, &content, world.now);
        let unpayable = found == "policy.unpayable_destination";
        assert!(found == expected || unpayable, "case {number}: {found}");
    }
    let mut silent = again(&world, &before, ReissueReason::Stuck, Vec::new(), world.now);
    fees(&mut silent, 44, 1_100);
    silent.items[0].reissue = None;
    assert_eq!(code(&world, &silent, world.now), "journal.item_repeated");
}

#[test]
fn an_expired_tron_transaction_is_signed_again_an_hour_after_it_died_by_a_higher_quorum_below_its_caps() {
    let mut world = World::new();
    let before = signed(&world, TRON, |_| {});
    let ids = tx_ids(&before);
    let later = world.now + 3_000 + 3_600;
    let expired =
        |world: &World, dead: Vec<[u8; 32]>, now| again(world, &before, ReissueReason::Expired, dead, now);
    let good = expired(&world, vec![ids[0]], later);
    assert_eq!(code(&world, &expired(&world, vec![ids[0]], later - 1), later - 1), "policy.reissue_reason");
    assert_eq!(code(&world, &expired(&world, vec![ids[1]], later), later), "policy.reissue_reason");
    assert_eq!(code(&world, &expired(&world, ids.clone(), later), later), "policy.reissue_reason");
    let mut dearer = good.clone();
    dearer.items[0].amount = units(11);
    assert_eq!(code(&world, &dearer, later), "policy.reissue_reason");
    // Two approvals are enough for a first signature, not for this.
    let usual = world.signer().examine(&world.bundle(good.clone()), later).err().unwrap().refusal.code;
    assert_eq!(usual, "policy.reissue_approvals");
    world.with_policy(|policy| policy.networks[1].assets[0].reissue_per_item_max = units(9));
    let capped = expired(&world, vec![ids[0]], later);
    assert_eq!(code(&world, &capped, later), "policy.reissue_limit");
    world.with_policy(|policy| {
        let asset = &mut policy.networks[1].assets[0];
        (asset.reissue_per_item_max, asset.per_day_max) = (units(10), units(29));
    });
    // It counts again: 20 before, and 10 once more.
    assert_eq!(code(&world, &expired(&world, vec![ids[0]], later), later), "policy.per_day_limit");
    world.with_policy(|policy| policy.networks[1].assets[0].per_day_max = units(30));
    let content = expired(&world, vec![ids[0]], later);
    let replies = world.sign_at(&sealed(&world, &content), later).unwrap();
    assert_eq!(finalize(&content, &replies.replies[0]).unwrap().len(), 1);
}

#[test]
fn reissues_of_a_day_stay_below_their_own_cap() {
    let mut world = World::new();
    let before = signed(&world, TRON, |_| {});
    world.with_policy(|policy| policy.networks[1].assets[0].reissue_per_day_max = units(15));
    let ids = tx_ids(&before);
    let later = world.now + 3_000 + 3_600;
    let first = again(&world, &before, ReissueReason::Expired, vec![ids[0]], later);
    world.sign_at(&sealed(&world, &first), later).unwrap();
    let mut second = Content { batch_id: BatchId::from_bytes([0x44; 16]), ..first };
    second.items[0] = before.items[1].clone();
    second.items[0].reissue = Some(Reissue { reason: ReissueReason::Expired, dead: vec![ids[1]] });
    assert_eq!(code(&world, &second, later), "policy.reissue_limit");
}

#[test]
fn what_failed_on_chain_is_signed_again_naming_what_was_signed_or_at_another_nonce() {
    let world = World::new();
    let before = signed(&world, TRON, |_| {});
    let ids = tx_ids(&before);
    let failed = |dead| again(&world, &before, ReissueReason::FailedOnChain, dead, world.now + 60);
    assert_eq!(code(&world, &failed(vec![[7; 32]]), world.now + 60), "policy.reissue_reason");
    assert_eq!(code(&world, &failed(vec![ids[1]]), world.now + 60), "policy.reissue_reason");
    let content = failed(vec![ids[0]]);
    let replies = world.sign_at(&sealed(&world, &content), world.now + 60).unwrap();
    assert_eq!(finalize(&content, &replies.replies[0]).unwrap().len(), 1);

    let world = World::new();
    let before = signed(&world, EVM, |_| {});
    let mut content = again(&world, &before, ReissueReason::FailedOnChain, vec![[7; 32]], world.now);
    assert_eq!(code(&world, &content, world.now), "policy.reissue_reason", "the nonce is used up");
    content.items[0].account_nonce = Some(71);
    assert_eq!(code(&world, &content, world.now), "journal.nonce_repeated");
    content.items[0].account_nonce = Some(72);
    assert_eq!(world.refusal(&world.bundle(content.clone())).code, "policy.reissue_approvals");
    let replies = world.sign(&sealed(&world, &content)).unwrap();
    assert_eq!(finalize(&content, &replies.replies[0]).unwrap().len(), 1);
}

#[test]
fn what_was_cancelled_is_signed_again_at_another_nonce_if_a_cancel_was_signed_or_the_dead_are_named() {
    let cancel = |content: &mut Content| {
        let fee =
            FeeLevel { max_fee_per_gas_wei: 60_000_000_000, max_priority_fee_per_gas_wei: 2_000_000_000 };
        evm(content).cancel = Some(CancelTerms { gas_limit: 21_000, fee });
    };
    for (with_cancel, dead) in [(true, vec![]), (false, vec![[7; 32]])] {
        let world = World::new();
        let before = signed(&world, EVM, |content| {
            if with_cancel {
                cancel(content)
            }
        });
        let mut content = again(&world, &before, ReissueReason::Cancelled, dead, world.now);
        assert_eq!(code(&world, &content, world.now), "policy.reissue_reason", "the nonce is used up");
        content.items[0].account_nonce = Some(72);
        assert_eq!(world.refusal(&world.bundle(content.clone())).code, "policy.reissue_approvals");
        world.sign(&sealed(&world, &content)).unwrap();
    }
    let world = World::new();
    let before = signed(&world, EVM, |_| {});
    let mut content = again(&world, &before, ReissueReason::Cancelled, Vec::new(), world.now);
    content.items[0].account_nonce = Some(72);
    assert_eq!(code(&world, &content, world.now), "policy.reissue_reason", "no cancel was signed");
}

#[test]
fn an_interrupted_reissue_is_judged_as_it_was_before_its_own_intent() {
    let world = World::new();
    let before = signed(&world, EVM, |_| {});
    let mut content = again(&world, &before, ReissueReason::Stuck, Vec::new(), world.now);
    fees(&mut content, 44, 1_100);
    let bytes = world.bundle(content);
    let (journal, vault) =
        (std::fs::read(world.home.journal()).unwrap(), std::fs::read(world.home.vault()).unwrap());
    let first = world.sign(&bytes).unwrap();
    let whole = std::fs::read(world.home.journal()).unwrap();
    let start = journal.len();
    let intent = u32::from_be_bytes(whole[start..start + 4].try_into().unwrap()) as usize;
    std::fs::write(world.home.journal(), &whole[..start + 12 + intent]).unwrap();
    std::fs::write(world.home.vault(), vault).unwrap();
    let second = world.sign(&bytes).unwrap();
    assert_eq!(second.replies[0].signatures, first.replies[0].signatures);
}
