//! A signer's disk comes back from an old image: it locks itself at the first head that it does not know, two
//! custodians re-anchor its journal with what the coordinator's files prove, and the coordinator takes the chain that
//! continues. Nothing is paid twice, and nobody is left out (S8).
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_shared::document;
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::words;
use airlock_tests::acts::proposal::{Exported, Wish, out_folder, wishes};
use airlock_tests::acts::{audit, books, deposits, gap, proposal, settlement};
use airlock_tests::device::{Device, path};
use airlock_tests::process::Finished;
use airlock_tests::{World, camera};
use std::path::Path;

async fn small(world: &World) -> Exported {
    let mut asked = Vec::new();
    for wish in wishes(world) {
        let one = proposal::ask(world, &Wish { micro: 5_000_000, ..wish }).await.unwrap();
        proposal::approve(world, &one).await.unwrap();
        asked.push(one);
    }
    proposal::send_out(world, asked).await.unwrap()
}

fn put_back(image: &Device, home: &Path) {
    for entry in std::fs::read_dir(&image.home).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, home.join(from.file_name().unwrap())).unwrap();
    }
}

async fn attempt(world: &World, exported: &Exported) -> Finished {
    let frames = proposal::bundle_frames(world, exported).await.unwrap();
    let folder = out_folder(world, exported);
    let scan = camera::scan(&frames, &folder.join("attempt-photographs"), 23).unwrap();
    let out = folder.join("attempt");
    world.devices.alice.sign(&scan.directory, &exported.words, &out).await.unwrap()
}

fn refused_by(finished: &Finished, code: &str) {
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert_eq!(finished.error().unwrap()["code"], code, "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_signer_is_re_anchored_by_its_custodians_and_goes_on() {
    let world = World::for_test().await.unwrap();
    let (alice, bob) = (&world.devices.alice, &world.devices.bob);
    deposits::arrive(&world).await.unwrap();
    let image = alice.copied_to(&world.stage.directory.join("old-image")).unwrap();
    let first = proposal::propose(&world).await.unwrap();
    let signed = gap::sign(&world, &first).await.unwrap();
    settlement::settle(&world, &first, &signed).await.unwrap();
    audit::keep(&world, &first).await.unwrap();

    put_back(&image, &alice.home);
    let second = small(&world).await;
    refused_by(&attempt(&world, &second).await, "head.unknown");
    let receipt = out_folder(&world, &second).join("attempt").join("reply.json");
    assert!(!receipt.exists(), "a signer that lost its newest history promises nothing");
    refused_by(&attempt(&world, &second).await, "signer.locked");
    let told = alice.run(&["journal", "verify"]).await.unwrap().json().unwrap();
    assert_eq!(told["locked"]["code"], "head.unknown", "{told}");

    let file = world.stage.directory.join("genesis.json");
    let batches = world.stage.directory.join("signed-batches");
    let propose = ["genesis", "propose", "--batches", path(&batches).unwrap(), "--out", path(&file).unwrap()];
    let proposed = alice.run(&propose).await.unwrap().json().unwrap();
    assert_eq!((&proposed["reason"], &proposed["changed"]), (&"reanchored".into(), &true.into()));
    let terms = || document::read::<SignedGenesis>(&std::fs::read(&file).unwrap()).unwrap();
    let said = words::words(&terms().genesis.digest());
    assert!(terms().genesis.spent.len() >= 2, "what the lost batches paid still counts in the day");
    let install = ["genesis", "install", path(&file).unwrap()];
    for custodian in [alice, bob] {
        refused_by(&alice.run(&install).await.unwrap(), "genesis.terms");
        let sign = ["genesis", "sign", path(&file).unwrap(), "--confirm", &said];
        custodian.run(&sign).await.unwrap().success().unwrap();
    }
    let installed = alice.run(&install).await.unwrap().json().unwrap();
    assert_eq!(installed["signatures"].as_array().unwrap().len(), 2);
    let told = alice.journal().await.unwrap();
    assert!(told["locked"].is_null());
    assert_eq!(told["journal"].as_array().unwrap().last().unwrap()["event"], "reanchored");

    // What was signed on the lost disk is not signed again, whatever a thief of the coordinator sends.
    // (Its head is from before the entries that were lost; the watermark behind that is tested in the signer.)
    refused_by(&attempt(&world, &first).await, "head.too_old");
    // The bundle from before is signed now, and its receipts continue the chain that the coordinator knows.
    let signed = gap::sign(&world, &second).await.unwrap();
    settlement::settle(&world, &second, &signed).await.unwrap();
    books::balance(&world).await.unwrap();
}
