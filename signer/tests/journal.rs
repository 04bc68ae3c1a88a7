//! Exactly once: the journal across crashes, repeats, torn records, alterations and rollbacks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::journal::Event;
use airlock_shared::{Digest, Network};
use airlock_signer::journal::{Beside, Journal, JournalError};
use airlock_signer::policy::{self, StoreError};
use airlock_signer::records::Access;
use airlock_signer::session::{Signer, StateError};
use airlock_signer::vault::PolicyPin;
use world::World;

fn open(world: &World) -> Result<Journal, JournalError> {
    Journal::open(&world.home, world.vault().device(), Access::Append)
}

#[test]
fn signing_the_same_bundle_again_gives_the_same_bytes_and_no_second_entry() {
    for network in [Network::TRON_DEV, Network::EVM_DEV] {
        let world = World::new();
        let bytes = world.bundle(world.content(network, 3));
        let first = world.sign(&bytes).unwrap();
        let head = world.head();
        let later = world.sign_at(&bytes, world.now + 100_000).unwrap();
        assert_eq!(later, first);
        assert_eq!(world.head(), head);
    }
}

#[test]
fn an_interrupted_batch_is_completed_with_the_same_signatures_and_counts_as_signed_meanwhile() {
    let world = World::new();
    let bytes = world.bundle(world.content(Network::TRON_DEV, 3));
    let whole = std::fs::read(world.home.journal()).unwrap();
    let vault = std::fs::read(world.home.vault()).unwrap();
    let first = world.sign(&bytes).unwrap();
    let after = std::fs::read(world.home.journal()).unwrap();
    // A crash after the intent: its record is there, the one with the signatures is not, and the vault
    // remembers the journal from before.
    let intent = u32::from_be_bytes(after[whole.len()..whole.len() + 4].try_into().unwrap()) as usize;
    std::fs::write(world.home.journal(), &after[..whole.len() + 12 + intent]).unwrap();
    std::fs::write(world.home.vault(), &vault).unwrap();
    let other = world.refusal_of(Network::TRON_DEV, |content| content.items.truncate(1));
    assert_eq!(other.code, "journal.item_repeated");
    let second = world.sign(&bytes).unwrap();
    assert_eq!(second.replies[0].signatures, first.replies[0].signatures);
    assert_eq!(open(&world).ok().unwrap().intents().len(), 1);
}

#[test]
fn a_journal_that_ends_before_the_vaults_anchor_was_rolled_back() {
    let world = World::new();
    let before = std::fs::read(world.home.journal()).unwrap();
    world.sign(&world.bundle(world.content(Network::TRON_DEV, 1))).unwrap();
    std::fs::write(world.home.journal(), before).unwrap();
    assert!(matches!(open(&world).err(), Some(JournalError::RolledBack { .. })));
}

#[test]
fn a_whole_home_rolled_back_is_noticed_by_the_coordinators_head() {
    let world = World::new();
    let journal = std::fs::read(world.home.journal()).unwrap();
    let vault = std::fs::read(world.home.vault()).unwrap();
    world.sign(&world.bundle(world.content(Network::TRON_DEV, 1))).unwrap();
    let next = world.bundle(world.content(Network::EVM_DEV, 1));
    std::fs::write(world.home.journal(), journal).unwrap();
    std::fs::write(world.home.vault(), vault).unwrap();
    assert_eq!(world.refusal(&next).code, "head.unknown");
}

#[test]
fn an_old_copy_of_the_vault_does_not_bring_an_old_policy_back() {
    let mut world = World::new();
    let vault = std::fs::read(world.home.vault()).unwrap();
    let file = std::fs::read(world.home.policy()).unwrap();
    world.with_policy(|policy| policy.bounds.items_max = 1);
    std::fs::write(world.home.vault(), vault).unwrap();
    std::fs::write(world.home.policy(), file).unwrap();
    let old = world.vault();
    let opened = Signer::open(world.home.clone(), Some(world.home.lock().unwrap()), old);
    let refused =
        matches!(opened.err(), Some(StateError::Policy(StoreError::BehindJournal { newest: 2, .. })));
    assert!(refused);
    let journal = open(&world).ok().unwrap();
    let between = PolicyPin { version: 1, digest: Digest::ZERO };
    assert!(policy::check_rises(journal.policy(), &between).is_err());
    let other = PolicyPin { version: 2, digest: Digest::ZERO };
    assert!(policy::check_rises(journal.policy(), &other).is_err());
    drop(journal);
    world.install(&world.policy);
    assert_eq!(world.signer().policy().version, 2);
}

#[test]
fn an_altered_record_a_foreign_journal_and_an_empty_one_are_refused() {
    let world = World::new();
    let whole = std::fs::read(world.home.journal()).unwrap();
    let mut altered = whole.clone();
    altered[60] ^= 1;
    std::fs::write(world.home.journal(), &altered).unwrap();
    assert!(matches!(open(&world).err(), Some(JournalError::File(_))));
    let other = World::new();
    std::fs::write(world.home.journal(), std::fs::read(other.home.journal()).unwrap()).unwrap();
    assert!(matches!(open(&world).err(), Some(JournalError::Foreign { .. })));
    std::fs::write(world.home.journal(), &whole[..10]).unwrap();
    assert!(matches!(open(&world).err(), Some(JournalError::RolledBack { .. })));
}

#[test]
fn a_torn_last_entry_is_cut_and_signing_goes_on() {
    let world = World::new();
    let bytes = world.bundle(world.content(Network::TRON_DEV, 1));
    let mut torn = std::fs::read(world.home.journal()).unwrap();
    torn.extend_from_slice(&[0, 0, 1, 0, 9, 9, 9]);
    std::fs::write(world.home.journal(), torn).unwrap();
    assert_eq!(open(&world).ok().unwrap().torn_bytes, 7);
    world.sign(&bytes).unwrap();
    assert_eq!(open(&world).ok().unwrap().torn_bytes, 0);
}

#[test]
fn an_intent_without_its_record_is_never_written_or_read() {
    let world = World::new();
    let mut journal = open(&world).ok().unwrap();
    let event = Event::Intent { content: Digest::ZERO, approvals: Digest::ZERO, record: Digest::ZERO };
    let vault = world.vault();
    let refused = journal.append(world.now, event, Beside::Nothing, vault.device());
    assert!(matches!(refused.err(), Some(JournalError::Parts { .. })));
    drop(journal);
    assert!(open(&world).is_ok());
}

#[test]
fn two_signers_on_one_home_exclude_each_other() {
    let world = World::new();
    let _first: Signer = world.signer();
    assert!(world.home.lock().is_err());
}

#[test]
fn of_two_bundles_examined_side_by_side_only_one_pays_an_item() {
    let world = World::new();
    let first = world.content(Network::EVM_DEV, 1);
    let mut second = first.clone();
    second.batch_id = airlock_shared::BatchId::from_bytes([0x99; 16]);
    let mut signer = world.signer();
    let mut reviewed = Vec::new();
    for content in [first, second] {
        let accountable = signer.examine(&world.bundle(content), world.now).ok().unwrap();
        let typed = airlock_shared::words::words(&accountable.words_digest());
        reviewed.push(accountable.confirm(&typed).unwrap());
    }
    let mut outcomes = reviewed.into_iter().map(|one| signer.sign(one, &world.keyring, world.now));
    assert!(outcomes.next().unwrap().is_ok());
    match outcomes.next().unwrap().unwrap_err() {
        airlock_signer::session::Ended::Refused(refusal) => assert_eq!(refusal.code, "journal.item_repeated"),
        other => panic!("{other}"),
    }
}
