//! Power cuts: the coordinator and the signer are killed at the worst moments. After the restart every withdrawal is
//! paid exactly once on chain, and the ledger agrees with it.
//!
//! The moments are made, not waited for: providers that are down hold the coordinator before a send, a provider that
//! swallows answers holds it in the middle, unmined blocks hold it before the end.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_devnet::Faults;
use airlock_shared::BaseUnits;
use airlock_tests::acts::proposal::{Exported, out_folder};
use airlock_tests::acts::{books, deposits, gap, proposal, settlement};
use airlock_tests::attack::{approved_by, resealed, stolen_key};
use airlock_tests::wait::Look;
use airlock_tests::{Database, Stage, World};

async fn exported() -> (World, Exported, Vec<BaseUnits>) {
    exported_on(Database::Sqlite).await
}

async fn exported_on(database: Database) -> (World, Exported, Vec<BaseUnits>) {
    let world = World::open(Stage::for_test().unwrap(), database).await.unwrap();
    deposits::arrive(&world).await.unwrap();
    let exported = proposal::propose(&world).await.unwrap();
    let before = settlement::received(&world, &exported.withdrawals).await.unwrap();
    (world, exported, before)
}

fn set_faults(world: &World, faults: &Faults) {
    for chain in &world.chains.all {
        for provider in 0..chain.urls.len() {
            chain.devnet().unwrap().set_faults(provider, faults.clone()).unwrap();
        }
    }
}

/// Starts again and lets the story end; nobody is paid twice, nobody is forgotten.
async fn restart_and_finish(world: &mut World, exported: &Exported, before: &[BaseUnits]) {
    world.coordinator.start().await.unwrap();
    settlement::complete(world, &exported.withdrawals).await.unwrap();
    world.chains.mine(4).await.unwrap();
    for (asked, had) in exported.withdrawals.iter().zip(before) {
        settlement::paid_once(world, asked, *had).await.unwrap();
    }
    assert_eq!(deposits::balance(world).await.unwrap().1.get(), 0, "nothing is held any more");
    books::balance(world).await.unwrap();
}

async fn every_state(world: &World, exported: &Exported, wanted: &[&str]) {
    world
        .wait_until("the withdrawals' states", async || {
            let mut states = Vec::new();
            for asked in &exported.withdrawals {
                states.push(world.state_of(&asked.id).await?);
            }
            let there = states.iter().all(|state| wanted.contains(&state.as_str()));
            Ok(if there { Look::Done(()) } else { Look::NotYet(states.join(", ")) })
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_export_and_reply_the_same_bundle_is_still_there() {
    let (mut world, exported, before) = exported().await;
    let frames = proposal::bundle_frames(&world, &exported).await.unwrap();
    world.coordinator.kill().await.unwrap();
    world.coordinator.start().await.unwrap();
    assert_eq!(
        proposal::bundle_frames(&world, &exported).await.unwrap(),
        frames,
        "the export is stored, not remade"
    );
    let signed = gap::sign(&world, &exported).await.unwrap();
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    world.coordinator.kill().await.unwrap();
    restart_and_finish(&mut world, &exported, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_reply_and_before_the_first_send_it_sends_once() {
    let (mut world, exported, before) = exported().await;
    let signed = gap::sign(&world, &exported).await.unwrap();
    set_faults(&world, &Faults { down: true, ..Faults::default() });
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    every_state(&world, &exported, &["signed", "energy_requested", "energy_received", "broadcasting"]).await;
    world.coordinator.kill().await.unwrap();
    set_faults(&world, &Faults::default());
    for chain in &world.chains.all {
        assert_eq!(
            chain.pool().await.unwrap(),
            Vec::<String>::new(),
            "nothing was sent on {}",
            chain.network
        );
    }
    restart_and_finish(&mut world, &exported, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_sending_it_sends_the_same_bytes_again() {
    for database in Database::available().unwrap() {
        killed_in_the_middle_of_sending(database).await;
    }
}

async fn killed_in_the_middle_of_sending(database: Database) {
    let (mut world, exported, before) = exported_on(database).await;
    let signed = gap::sign(&world, &exported).await.unwrap();
    // The nodes take what they are given, and their answers are lost.
    set_faults(&world, &Faults { lose_broadcast_answers: true, ..Faults::default() });
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    world
        .wait_until("a transaction is in a pool", async || {
            let mut waiting = 0;
            for chain in &world.chains.all {
                waiting += chain.pool().await?.len();
            }
            Ok(if waiting > 0 { Look::Done(()) } else { Look::NotYet("empty pools".to_owned()) })
        })
        .await
        .unwrap();
    world.coordinator.kill().await.unwrap();
    set_faults(&world, &Faults::default());
    restart_and_finish(&mut world, &exported, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_chain_confirms_it_books_once() {
    for database in Database::available().unwrap() {
        killed_while_the_chain_confirms(database).await;
    }
}

async fn killed_while_the_chain_confirms(database: Database) {
    let (mut world, exported, before) = exported_on(database).await;
    let signed = gap::sign(&world, &exported).await.unwrap();
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    every_state(&world, &exported, &["broadcasted"]).await;
    world.chains.mine(1).await.unwrap();
    every_state(&world, &exported, &["confirming"]).await;
    world.coordinator.kill().await.unwrap();
    // Everything becomes final while nobody looks.
    world.chains.mine(20).await.unwrap();
    restart_and_finish(&mut world, &exported, &before).await;
    world.coordinator.kill().await.unwrap();
    restart_and_finish(&mut world, &exported, &before).await;
}

/// The last record of the journal is cut short by the operating system (a file-size limit ends the process with a
/// signal), which is a power cut after the intent and before the signatures' entry.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_killed_after_its_intent_completes_only_the_identical_batch() {
    let (world, exported, before) = exported().await;
    let alice = &world.devices.alice;
    let bundle = out_folder(&world, &exported).join("bundle.json");
    let journal = alice.home.join("journal.airlock");

    // How long the journal would become, learnt from a copy of the device.
    let copy = alice.copied_to(&world.stage.directory.join("devices").join("copy")).unwrap();
    copy.sign(&bundle, &exported.words, &world.stage.directory.join("copy-out"))
        .await
        .unwrap()
        .success()
        .unwrap();
    let whole = std::fs::metadata(copy.home.join("journal.airlock")).unwrap().len();
    let killed = alice
        .sign_with_file_limit(whole - 1, &bundle, &exported.words, &world.stage.directory.join("killed"))
        .await
        .unwrap();
    assert_ne!(killed.code, Some(0), "{killed:?}");
    assert!(!world.stage.directory.join("killed/reply.bin").exists(), "no signature left");
    assert_eq!(std::fs::metadata(&journal).unwrap().len(), whole - 1, "torn in its last record");

    // The same items in another content, approved by deceived approvers, sealed with the stolen key.
    let mut content = airlock_tests::attack::bundle(&world, &exported).unwrap().envelopes.remove(0).content;
    content.items[0].amount = BaseUnits::from(3_000_000u64);
    let mut approvals = Vec::new();
    for device in [&world.devices.carol, &world.devices.dave] {
        approvals.push(approved_by(&world, device, &content).await.unwrap().approval);
    }
    let key = stolen_key(&world).unwrap();
    let (altered, words) = resealed(&world, &exported, &key, |envelope| {
        (envelope.content, envelope.approvals) = (content, approvals);
    })
    .unwrap();
    let refused = alice.sign(&altered, &words, &world.stage.directory.join("refused")).await.unwrap();
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert_eq!(refused.error().unwrap()["code"], "journal.item_repeated", "{refused:?}");

    let signed = gap::sign(&world, &exported).await.unwrap();
    let state = alice.run(&["journal", "verify"]).await.unwrap().json().unwrap();
    assert_eq!(state["unsigned_intents"], 0, "{state}");
    settlement::settle(&world, &exported, &signed).await.unwrap();
    for (asked, had) in exported.withdrawals.iter().zip(&before) {
        settlement::paid_once(&world, asked, *had).await.unwrap();
    }
    books::balance(&world).await.unwrap();
}
