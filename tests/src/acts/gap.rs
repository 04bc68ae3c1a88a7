//! Act 6: the signer, in a process of its own and with pictures only, scans the bundle, shows it, signs, and replies
//! as pictures.

use super::proposal::{Exported, bundle_frames, out_folder};
use crate::camera;
use crate::world::{World, list};
use anyhow::{Context as _, ensure};
use std::path::PathBuf;

/// What act 6 leaves behind.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The directory with `reply.json`, `reply.bin`, `reply.gif` and `frames/`.
    pub directory: PathBuf,
}

/// Carries the bundle over and signs it.
///
/// # Errors
/// The signer refuses.
pub async fn sign(world: &World, exported: &Exported) -> anyhow::Result<Signed> {
    let tell = world.stage.narrator;
    tell.act(6, "the signer");
    let folder = out_folder(world, exported);
    let frames = bundle_frames(world, exported).await?;
    let scan = camera::scan(&frames, &folder.join("photographs"), 23)?;
    tell.tell(format_args!(
        "A camera looked at {} frames: {} lost, {} seen twice, in any order.",
        scan.shown, scan.dropped, scan.repeated
    ));
    let alice = &world.devices.alice;
    let directory = folder.join("reply");
    let wrong = alice.sign(&scan.directory, &["abandon"; 8].join(" "), &directory).await?;
    ensure!(wrong.code == Some(3), "other words sign nothing: {wrong:?}");
    let done = alice.sign(&scan.directory, &exported.words, &directory).await?;
    let done = done.success().context("sign")?;
    tell.tell("The signer read the pictures, checked everything, and showed this; its words were typed:");
    tell.screen("the signer's screen", &done.stderr);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout)?;
    ensure!(answer["outcome"] == "signed", "signed: {answer}");
    let signatures: u64 =
        list(&answer, "batches")?.iter().filter_map(|batch| batch["signatures"].as_u64()).sum();
    ensure!(signatures == exported.withdrawals.len() as u64, "a signature each: {answer}");
    let reply = std::fs::read(directory.join("reply.bin"))?;
    tell.figure("signatures", signatures);
    tell.figure(
        "reply",
        format_args!(
            "{} bytes in {} QR frames: 65 a signature, and signed receipts with the journal's entries",
            reply.len(),
            answer["files"]["frames"]
        ),
    );
    Ok(Signed { directory })
}
