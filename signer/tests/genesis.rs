//! A journal that is not the newest: the signer locks itself, and custodians let it go on or begin (K2, S8).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::Content;
use airlock_shared::envelope::{Envelope, SignedBatch};
use airlock_shared::genesis::{Genesis, GenesisError, Reason, SignedGenesis};
use airlock_shared::journal::{Chain, Entry, Event};
use airlock_shared::policy::PolicyError;
use airlock_shared::{BatchId, Digest, ItemId, Network};
use airlock_signer::genesis::{self, CeremonyError, Gathered};
use airlock_signer::journal::{Journal, JournalError};
use airlock_signer::policy::{self, StoreError};
use airlock_signer::records::Access;
use airlock_signer::session::{Signer, StateError};
use airlock_signer::vault::{Anchor, PolicyPin};
use world::{World, approvals, bundle, key, units};

const EVM: Network = Network::EVM_DEV;

/// A batch of one item with this id and nonce.
fn content(world: &World, number: u64) -> Content {
    let mut content = world.content(EVM, 1);
    content.batch_id = BatchId::from_bytes([number as u8; 16]);
    content.items[0].id = ItemId::new(1_000 + number);
    content.items[0].account_nonce = Some(70 + number);
    content.items[0].amount = units(10);
    content
}

/// What an honest coordinator keeps of a signed batch.
fn kept(world: &World, number: u64) -> SignedBatch {
    let content = content(world, number);
    let envelope = world.envelope(content);
    let replies = world.sign(&bundle(vec![envelope.clone()])).unwrap().replies;
    let vault = world.vault();
    SignedBatch {
        envelope,
        roster: vault.device().roster.clone().unwrap(),
        policy: policy::load(&world.home, vault.device()).unwrap(),
        replies,
        transactions: Vec::new(),
        hardware: None,
    }
}

/// A world whose disk was rolled back by two batches; with what the coordinator has of them.
fn rolled_back() -> (World, [SignedBatch; 2], SeenHead) {
    let world = World::new();
    let disk = world.disk();
    let files = [kept(&world, 1), kept(&world, 2)];
    let head = world.head();
    world.roll_back(&disk);
    (world, files, head)
}

fn sealed(content: &Content, head: SeenHead) -> Vec<u8> {
    bundle(vec![Envelope::seal(content.clone(), approvals(content), vec![head], &key(9))])
}

/// The terms that follow from this home and these files, signed by the one custodian of the roster.
fn terms(world: &World, files: &[SignedBatch]) -> SignedGenesis {
    let vault = world.vault();
    let mut gathered = Gathered::default();
    gathered
        .journal(&Journal::open_unanchored(&world.home, vault.device(), Access::Read).ok().unwrap())
        .unwrap();
    files.iter().for_each(|file| gathered.batch("file", file).unwrap());
    let genesis = gathered.propose(vault.device(), world.now).unwrap();
    let mut signed = SignedGenesis { genesis, signatures: Vec::new() };
    genesis::sign(vault.device(), &mut signed).unwrap();
    signed
}

fn install(world: &World, signed: &SignedGenesis) -> Result<bool, CeremonyError> {
    let (lock, mut vault) = (world.home.lock().unwrap(), world.vault());
    genesis::install(&world.home, &lock, &mut vault, signed.clone(), world.now)
}

#[test]
fn a_head_that_the_journal_does_not_know_locks_the_signer_and_promises_nothing() {
    let (world, _, head) = rolled_back();
    let next = content(&world, 3);
    let bytes = sealed(&next, head);
    let (refusal, replies) = world.refuse_at(&bytes, world.now);
    // What it refuses it may have signed: no receipt, which the coordinator would take for a proof.
    assert_eq!((refusal.code.as_str(), replies.is_none()), ("head.unknown", true));
    let lock = world.vault().device().lock.clone().unwrap();
    assert_eq!((lock.code.as_str(), lock.claimed, lock.at), ("head.unknown", head, world.now));
    // From now on nothing at all, whatever head comes with it.
    let own = world.bundle(content(&world, 4));
    let (refusal, replies) = world.refuse_at(&own, world.now);
    assert_eq!((refusal.code.as_str(), replies.is_none()), ("signer.locked", true));
    assert_eq!(world.sign(&own).unwrap_err(), "signer.locked");
}

#[test]
fn a_stranger_an_approver_and_a_forged_seal_do_not_lock_the_signer() {
    let world = World::new();
    let next = content(&world, 1);
    let ahead = SeenHead { sequence: 99, ..world.head() };
    let stranger = bundle(vec![Envelope::seal(next.clone(), approvals(&next), vec![ahead], &key(10))]);
    assert_eq!(world.refuse_at(&stranger, world.now).0.code, "authentic.coordinator");
    let mut forged = Envelope::seal(next.clone(), approvals(&next), vec![world.head()], &key(9));
    forged.heads = vec![ahead];
    assert_eq!(world.refuse_at(&bundle(vec![forged]), world.now).0.code, "authentic.signature");
    assert!(world.vault().device().lock.is_none());
    assert!(world.sign(&world.bundle(next)).is_ok());
}

#[test]
fn custodians_re_anchor_a_rolled_back_journal_and_its_chain_is_unbroken_for_the_coordinator() {
    let (world, files, head) = rolled_back();
    let fifth = content(&world, 5);
    world.refuse_at(&sealed(&fifth, head), world.now);
    let signed = terms(&world, &files);
    let stated = &signed.genesis;
    assert_eq!((stated.reason, stated.continues), (Reason::Reanchored, Some(head)));
    assert_eq!(stated.highest_item, 1_002);
    assert_eq!(stated.nonces[0].highest, 72);
    assert_eq!(stated.spent.iter().map(|spent| spent.amount).collect::<Vec<_>>(), [units(20)]);
    assert!(install(&world, &signed).unwrap());
    assert!(world.vault().device().lock.is_none());
    let entry = world.newest_entry();
    assert_eq!((entry.sequence, entry.previous), (head.sequence + 1, head.head));
    assert_eq!(entry.event, Event::Reanchored { terms: stated.digest() });
    // The refusal before was no promise, so the very same batch is signed now, with the old head: it is ours again.
    let replies = world.sign(&sealed(&fifth, head)).unwrap().replies;
    let chain: Vec<Entry> =
        replies[0].receipt.unacknowledged.iter().chain([&replies[0].receipt.entry]).cloned().collect();
    assert_eq!(chain[0], entry, "the coordinator is shown the entry that continues its head");
    assert!(chain.windows(2).all(|pair| pair[1].follows(Chain::Journal, Some(&pair[0])).is_ok()));
    // Open and shut: the jump is explained by what stands beside it.
    let vault = world.vault();
    let journal = Journal::open(&world.home, vault.device(), Access::Read).ok().unwrap();
    assert_eq!(journal.terms().collect::<Vec<_>>(), [stated]);
    assert_eq!(journal.anchor().sequence, head.sequence + 3);
}

#[test]
fn what_the_terms_count_as_signed_is_not_signed_again() {
    let (world, files, head) = rolled_back();
    install(&world, &terms(&world, &files)).unwrap();
    let code = |content: &Content| world.refusal(&sealed(content, head)).code;
    assert_eq!(code(&content(&world, 2)), "journal.below_watermark");
    let mut low = content(&world, 3);
    low.items[0].account_nonce = Some(72);
    assert_eq!(code(&low), "journal.below_watermark");
    assert!(world.sign(&sealed(&content(&world, 3), head)).is_ok());
}

#[test]
fn a_refusal_of_a_batch_from_before_the_terms_is_no_promise() {
    let (world, files, head) = rolled_back();
    install(&world, &terms(&world, &files)).unwrap();
    // Its signatures may be on the lost disk: a receipt would let the coordinator pay again.
    let (refusal, replies) = world.refuse_at(&sealed(&content(&world, 2), head), world.now);
    assert_eq!((refusal.code.as_str(), replies.is_none()), ("journal.below_watermark", true));
    let mut new = content(&world, 2);
    new.created_at += 1;
    let (_, replies) = world.refuse_at(&sealed(&new, head), world.now + 1);
    assert!(replies.unwrap().replies[0].receipt.is_authentic());
}

#[test]
fn the_sums_of_the_lost_day_still_count() {
    let (mut world, files, _) = rolled_back();
    install(&world, &terms(&world, &files)).unwrap();
    world.with_policy(|policy| policy.networks[0].assets[0].per_day_max = units(29));
    assert_eq!(world.refusal(&world.bundle(content(&world, 3))).code, "policy.per_day_limit");
}

#[test]
fn terms_are_for_this_signer_by_enough_custodians_and_never_go_back() {
    let (world, files, head) = rolled_back();
    let good = terms(&world, &files);
    let altered = |alter: fn(&mut Genesis)| {
        let mut signed = SignedGenesis { signatures: Vec::new(), ..good.clone() };
        alter(&mut signed.genesis);
        let vault = world.vault();
        if genesis::sign(vault.device(), &mut signed).is_err() {
            // Another custodian's device signs what this one would not.
            let signature = airlock_shared::identity::IdentitySignature::by(
                &vault.device().key,
                &signed.genesis.digest(),
            );
            signed.add(airlock_shared::identity::CustodianSignature { custodian: world.identity, signature });
        }
        install(&world, &signed).unwrap_err()
    };
    let unsigned = SignedGenesis { signatures: Vec::new(), ..good.clone() };
    let error = install(&world, &unsigned).unwrap_err();
    assert!(matches!(error, CeremonyError::Terms(GenesisError::TooFewCustodians { found: 0, needed: 1 })));
    let error = altered(|genesis| genesis.profile = airlock_shared::Profile::Main);
    assert!(matches!(error, CeremonyError::Terms(GenesisError::OtherProfile { .. })), "{error}");
    let error = altered(|genesis| genesis.signer = airlock_shared::identity::Identity::of(&key(1)));
    assert!(matches!(error, CeremonyError::Terms(GenesisError::OtherSigner { .. })), "{error}");
    let error = altered(|genesis| genesis.roster = Digest::ZERO);
    assert!(matches!(error, CeremonyError::Terms(GenesisError::OtherRoster { .. })), "{error}");
    let error = altered(|genesis| genesis.made_at += 1_000);
    assert!(matches!(error, CeremonyError::Clock { .. }), "{error}");
    let error = altered(|genesis| {
        (genesis.reason, genesis.continues) = (Reason::Restored, None);
    });
    assert!(matches!(error, CeremonyError::HasBegun { .. }), "{error}");
    let error = altered(|genesis| genesis.continues.as_mut().unwrap().sequence = 1);
    assert!(matches!(error, CeremonyError::GoesBack { found: 1, .. }), "{error}");
    assert!(world.head().sequence < head.sequence, "nothing was written");
    assert!(install(&world, &good).unwrap());
    assert!(!install(&world, &good).unwrap(), "a second time changes nothing");
}

#[test]
fn of_two_entries_with_one_number_the_custodians_decide_which_is_continued() {
    let mut world = World::new();
    let disk = world.disk();
    world.with_policy(|policy| policy.bounds.items_max = 999);
    let theirs = world.head();
    world.roll_back(&disk);
    world.with_policy(|policy| policy.bounds.items_max = 998);
    let (ours, bytes) = (world.head(), sealed(&content(&world, 1), theirs));
    assert_eq!(ours.sequence, theirs.sequence);
    assert_eq!(world.refuse_at(&bytes, world.now).0.code, "head.unknown");
    let mut signed = terms(&world, &[]);
    assert_eq!(signed.genesis.continues, Some(ours));
    (signed.genesis.continues, signed.signatures) = (Some(theirs), Vec::new());
    genesis::sign(world.vault().device(), &mut signed).unwrap();
    install(&world, &signed).unwrap();
    assert!(world.sign(&bytes).is_ok());
    assert_eq!(world.newest_entry().sequence, theirs.sequence + 3);
}

#[test]
fn terms_from_before_do_not_unlock_a_signer_that_was_locked_since() {
    let (world, files, head) = rolled_back();
    let signed = terms(&world, &files);
    install(&world, &signed).unwrap();
    let ahead = SeenHead { sequence: head.sequence + 9, ..head };
    world.refuse_at(&sealed(&content(&world, 3), ahead), world.now);
    assert!(world.vault().device().lock.is_some());
    assert!(matches!(install(&world, &signed).unwrap_err(), CeremonyError::Before { .. }));
}

#[test]
fn an_installation_that_crashed_before_the_vault_was_written_is_finished_by_the_same_terms() {
    let (world, files, head) = rolled_back();
    world.refuse_at(&sealed(&content(&world, 3), head), world.now);
    let vault = std::fs::read(world.home.vault()).unwrap();
    let signed = terms(&world, &files);
    install(&world, &signed).unwrap();
    let whole = std::fs::read(world.home.journal()).unwrap();
    std::fs::write(world.home.vault(), vault).unwrap();
    assert_eq!(world.sign(&world.bundle(content(&world, 3))).unwrap_err(), "signer.locked");
    assert!(install(&world, &signed).unwrap());
    assert_eq!(std::fs::read(world.home.journal()).unwrap(), whole, "no second entry");
    assert!(world.sign(&world.bundle(content(&world, 3))).is_ok());
}

#[test]
fn a_torn_entry_behind_a_jump_is_still_only_a_crash() {
    let (world, files, _) = rolled_back();
    install(&world, &terms(&world, &files)).unwrap();
    let mut torn = std::fs::read(world.home.journal()).unwrap();
    torn.extend_from_slice(&[0, 0, 1, 0, 9, 9, 9]);
    std::fs::write(world.home.journal(), torn).unwrap();
    assert!(world.sign(&world.bundle(content(&world, 3))).is_ok());
}

#[test]
fn beside_an_empty_journal_nothing_is_signed_until_custodians_begin_or_continue_it() {
    // The vault remembers entries that the disk has lost.
    let world = World::new();
    let files = [kept(&world, 1)];
    let head = world.head();
    std::fs::remove_file(world.home.journal()).unwrap();
    let open = || Signer::open(world.home.clone(), Some(world.home.lock().unwrap()), world.vault());
    assert!(open().is_err());
    let signed = terms(&world, &files);
    assert_eq!(signed.genesis.continues, Some(head));
    install(&world, &signed).unwrap();
    assert_eq!(world.newest_entry().sequence, head.sequence + 1);

    // A vault that was restored from its seed remembers none: its chain begins, the old one is named.
    let (old, new) = (World::new(), World::new());
    let files = [kept(&old, 1)];
    let mut vault = new.vault();
    (vault.device_mut().journal, vault.device_mut().refusals) = (Anchor::START, Anchor::START);
    vault.device_mut().policy = None;
    vault.store(&new.home).unwrap();
    std::fs::remove_file(new.home.journal()).unwrap();
    std::fs::remove_file(new.home.refusals()).unwrap();
    let empty = Journal::open(&new.home, new.vault().device(), Access::Append).err();
    assert!(matches!(empty, Some(JournalError::Empty)));
    let signed = terms(&new, &files);
    assert_eq!((signed.genesis.reason, signed.genesis.continues), (Reason::Restored, Some(old.head())));
    install(&new, &signed).unwrap();
    assert_eq!(new.newest_entry().sequence, 1);
    new.install(&new.policy);
    let code = new.refusal(&new.bundle(content(&new, 1))).code;
    assert_eq!(code, "journal.below_watermark");
    assert!(new.sign(&new.bundle(content(&new, 2))).is_ok());
}

#[test]
fn an_older_policy_than_the_terms_name_does_not_come_back_with_an_old_disk() {
    let mut world = World::new();
    let (disk, old) = (world.disk(), world.policy.clone());
    world.with_policy(|policy| policy.bounds.items_max = 999);
    let (files, newest) = ([kept(&world, 1)], world.policy.digest());
    world.roll_back(&disk);
    let signed = terms(&world, &files);
    let stated = signed.genesis.policy.unwrap();
    assert_eq!((stated.version, stated.digest), (old.version + 1, newest));
    install(&world, &signed).unwrap();
    let opened = Signer::open(world.home.clone(), Some(world.home.lock().unwrap()), world.vault());
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("install that one again"), "{error}");
    let journal = Journal::open(&world.home, world.vault().device(), Access::Read).ok().unwrap();
    let check =
        |version, digest| policy::check_rises(journal.newest_policy(), &PolicyPin { version, digest });
    let error = check(old.version, old.digest()).unwrap_err();
    assert!(matches!(error, StoreError::Policy(PolicyError::VersionDoesNotRise { .. })), "{error}");
    assert!(matches!(check(stated.version, Digest::ZERO), Err(StoreError::SameVersion { .. })));
    assert!(check(stated.version, newest).is_ok());
    world.install(&world.policy);
    assert!(world.sign(&world.bundle(content(&world, 2))).is_ok());
}

#[test]
fn a_claimed_head_that_no_journal_can_have_got_to_is_not_continued() {
    let world = World::new();
    let next = content(&world, 1);
    let absurd = SeenHead { sequence: u64::MAX, ..world.head() };
    assert_eq!(world.refuse_at(&sealed(&next, absurd), world.now).0.code, "head.unknown");
    let vault = world.vault();
    let mut gathered = Gathered::default();
    let journal = Journal::open_unanchored(&world.home, vault.device(), Access::Read).ok().unwrap();
    gathered.journal(&journal).unwrap();
    assert!(!gathered.claimed(vault.device().lock.as_ref().unwrap().claimed), "it is left out");
    let genesis = gathered.propose(vault.device(), world.now).unwrap();
    assert_eq!(genesis.continues, Some(world.head()));
    let signed = |continues| {
        let genesis = Genesis { continues: Some(continues), ..genesis.clone() };
        let mut signed = SignedGenesis { genesis, signatures: Vec::new() };
        genesis::sign(vault.device(), &mut signed).unwrap();
        signed
    };
    let far = SeenHead { sequence: u64::MAX - 1, ..absurd };
    assert!(matches!(install(&world, &signed(far)).unwrap_err(), CeremonyError::TooFarAhead { .. }));
    assert!(install(&world, &signed(world.head())).unwrap());
    assert!(world.sign(&world.bundle(next)).is_ok());
}

#[test]
fn terms_that_are_older_than_the_journals_newest_entry_or_the_lock_are_stale() {
    let later = |world: &World, signed: &SignedGenesis| {
        let (lock, mut vault) = (world.home.lock().unwrap(), world.vault());
        genesis::install(&world.home, &lock, &mut vault, signed.clone(), world.now + 9)
    };
    // Signed in the meantime: the terms would hide its sums.
    let (world, files, _) = rolled_back();
    let signed = terms(&world, &files[..1]);
    world.sign_at(&world.bundle(content(&world, 9)), world.now + 5).unwrap();
    let ahead = SeenHead { sequence: world.head().sequence + 5, ..world.head() };
    let mut forward = SignedGenesis { signatures: Vec::new(), ..signed };
    forward.genesis.continues = Some(ahead);
    genesis::sign(world.vault().device(), &mut forward).unwrap();
    assert!(matches!(later(&world, &forward).unwrap_err(), CeremonyError::Stale { .. }));
    // Locked in the meantime: they were not about that.
    let (world, files, head) = rolled_back();
    let signed = terms(&world, &files);
    world.refuse_at(&sealed(&content(&world, 3), head), world.now + 5);
    assert!(matches!(later(&world, &signed).unwrap_err(), CeremonyError::Stale { .. }));
}

#[test]
fn an_old_vault_does_not_undo_the_lock() {
    let (world, files, head) = rolled_back();
    let unlocked = std::fs::read(world.home.vault()).unwrap();
    world.refuse_at(&sealed(&content(&world, 3), head), world.now + 1);
    std::fs::write(world.home.vault(), unlocked).unwrap();
    let open = || Signer::open(world.home.clone(), Some(world.home.lock().unwrap()), world.vault());
    assert!(matches!(open().err(), Some(StateError::LockUndone { at }) if at == world.now + 1));
    let mut signed = SignedGenesis { signatures: Vec::new(), ..terms(&world, &files) };
    signed.genesis.made_at = world.now + 2;
    genesis::sign(world.vault().device(), &mut signed).unwrap();
    let (lock, mut vault) = (world.home.lock().unwrap(), world.vault());
    assert!(genesis::install(&world.home, &lock, &mut vault, signed, world.now + 2).unwrap());
    drop(lock);
    assert!(open().is_ok());
}

#[test]
fn terms_drawn_up_twice_count_every_batch_once() {
    let (world, files, _) = rolled_back();
    let first = terms(&world, &files);
    install(&world, &first).unwrap();
    assert_eq!(terms(&world, &files).genesis.spent, first.genesis.spent);
}
