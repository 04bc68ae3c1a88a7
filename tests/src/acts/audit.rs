//! Act 8: an auditor verifies the signed-batch files offline against pinned fingerprints, the whole folder matched with the
//! coordinator's books; one flipped byte is refused.
//!
//! The pins (custodians' roster and coordinator) are in alice's vault since the first day. The auditor has no vault: a roster
//! file and a coordinator's identity are all it needs. Nothing in a file is believed.

use super::proposal::Exported;
use crate::device::path;
use crate::process::{self, Finished};
use crate::world::{World, list};
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};

/// Keeps the signed-batch files, audits them, and audits a copy with one byte changed.
///
/// # Errors
/// A good file is refused or a bad one passes.
pub async fn audit(world: &World, exported: &Exported) -> anyhow::Result<Vec<PathBuf>> {
    let tell = world.stage.narrator;
    tell.act(8, "the auditor");
    let files = keep(world, exported).await?;
    let alice = &world.devices.alice;
    for file in &files {
        let report = alice.audit(file).await?.json().context("audit")?;
        let audited = list(&report, "files")?.first().context("one file")?;
        ensure!(audited["passed"] == true, "the audit: {report}");
        tell.figure(
            &format!("{:.8}….json", file.file_stem().unwrap_or_default().to_string_lossy()),
            format_args!(
                "verified offline: signatures {}, approved by {}",
                audited["signatures"],
                list(audited, "approvers")?
                    .iter()
                    .filter_map(|one| one.as_str())
                    .collect::<Vec<_>>()
                    .join(" and ")
            ),
        );
    }
    audit_folder(world, files.first().and_then(|file| file.parent()).context("a folder")?).await?;
    let original = files.first().context("a signed batch")?;
    let mut bytes = std::fs::read(original)?;
    let place = flip(&mut bytes)?;
    let copy = world.stage.directory.join("one-byte-flipped.json");
    std::fs::write(&copy, &bytes)?;
    let refused = alice.run_as_person(&["audit", path(&copy)?]).await?;
    ensure!(refused.code == Some(3), "a flipped byte must be refused with exit code 3: {refused:?}");
    tell.tell(format_args!("One byte of a copy is flipped (byte {place}, a digit of an amount). The auditor says, with exit code 3:"));
    tell.screen("auditor", &refused.stdout);
    Ok(files)
}

/// Audits the whole folder on a machine without a vault, against a roster file, the coordinator's identity and its books.
async fn audit_folder(world: &World, folder: &Path) -> anyhow::Result<()> {
    let (tell, directory) = (world.stage.narrator, &world.stage.directory);
    let (roster, ledger, page) =
        (directory.join("roster.json"), directory.join("ledger.jsonl"), directory.join("audit.html"));
    let alice = &world.devices.alice;
    alice.run(&["audit", "--save-roster", path(&roster)?]).await?.success()?;
    let exported = world.coordinator.run(&["ledger", "export", "--out", path(&ledger)?]).await?.json()?;
    let introduction = world.coordinator.run(&["introduction"]).await?.json()?;
    let coordinator = introduction["identity"].as_str().context("the coordinator's identity")?.to_owned();
    let nobody = directory.join("nobody");
    let audit = |more: &[&str]| {
        let mut line: Vec<String> = ["--home", "nobody-lives-here", "audit"].map(str::to_owned).to_vec();
        line.push(folder.display().to_string());
        line.extend(more.iter().map(|word| (*word).to_owned()));
        line
    };
    std::fs::create_dir_all(&nobody)?;
    let pinned = audit(&[
        "--roster",
        path(&roster)?,
        "--coordinator",
        &coordinator,
        "--ledger",
        path(&ledger)?,
        "--html",
        path(&page)?,
    ]);
    let signer = &world.stage.binaries.signer;
    let passed: Finished = process::run(signer, &nobody, &pinned).await?;
    ensure!(passed.code == Some(0), "the folder's audit: {passed:?}");
    let count = |what: &str| exported["counts"][what].to_string();
    tell.figure(
        "the coordinator's books",
        format_args!(
            "{} transfers, {} entries, {} accounts",
            count("transfers"),
            count("entries"),
            count("accounts")
        ),
    );
    tell.tell("The whole folder on a machine without a vault, matched with the books. The auditor says, with exit code 0:");
    tell.screen("auditor", &passed.stdout);
    let unpinned = process::run(signer, &nobody, &audit(&[])).await?;
    ensure!(unpinned.code == Some(3), "without pins nothing is proven: {unpinned:?}");
    ensure!(unpinned.stdout.contains("U N A N C H O R E D"), "it says so: {}", unpinned.stdout);
    Ok(())
}

/// Fetches every batch's signed-batch file.
///
/// # Errors
/// The coordinator has none.
pub async fn keep(world: &World, exported: &Exported) -> anyhow::Result<Vec<PathBuf>> {
    let folder = world.stage.directory.join("signed-batches");
    std::fs::create_dir_all(&folder)?;
    let mut files = Vec::new();
    for batch in &exported.batches {
        let route = format!("/v1/batches/{batch}/signed-batch.json");
        let bytes = world.coordinator.get_bytes(&route, &world.people.operator).await?;
        let file = folder.join(format!("{batch}.json"));
        std::fs::write(&file, bytes)?;
        files.push(file);
    }
    Ok(files)
}

/// Makes the first digit of the last amount another digit; its place. The last amount is an item's.
fn flip(bytes: &mut [u8]) -> anyhow::Result<usize> {
    let key = b"\"amount\": \"";
    let at = bytes.windows(key.len()).rposition(|window| window == key).context("an amount in the file")?;
    let place = at + key.len();
    let digit = bytes.get_mut(place).context("a digit")?;
    *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
    Ok(place)
}
