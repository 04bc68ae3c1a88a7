//! The demo: one withdrawal crosses the gap, told act by act with real figures.
//!
//! `scripts/demo.sh` builds and runs it. It needs no network and no accounts, leaves its files in the directory
//! given as its only argument (`demo-out` by default), and ends every process it started.

use airlock_tests::acts::{audit, books, deposits, gap, proposal, settlement, vouching};
use airlock_tests::{Database, Stage, World};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("demo-out"), PathBuf::from);
    // An interrupted demo drops its world, and with it every process.
    let played = tokio::select! {
        played = play(&directory) => played,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

async fn play(directory: &Path) -> anyhow::Result<()> {
    println!("Airlock: one withdrawal crosses the gap, on TRON and on an EVM chain.");
    println!("Everything below happens now, on this machine alone.");
    let mut world = World::open(Stage::for_people(directory)?, Database::Sqlite).await?;
    vouching::vouch(&world).await?;
    deposits::arrive(&world).await?;
    let exported = proposal::propose(&world).await?;
    let signed = gap::sign(&world, &exported).await?;
    settlement::settle(&world, &exported, &signed).await?;
    let files = audit::audit(&world, &exported).await?;
    books::balance(&world).await?;
    world.coordinator.stop().await?;
    where_to_look(&world, &exported, &files);
    world.stage.narrator.end("Every process has ended; run it again for the same story with other keys.");
    Ok(())
}

fn where_to_look(world: &World, exported: &proposal::Exported, files: &[PathBuf]) {
    let directory = &world.stage.directory;
    let bundle = proposal::out_folder(world, exported);
    let shown = |path: &Path| path.strip_prefix(directory).unwrap_or(path).display().to_string();
    println!("\n─── Where to look ─── everything is in {}", directory.display());
    let rows = [
        ("the bundle as QR pictures", format!("{}/frames/*.png and bundle.gif", shown(&bundle))),
        ("what the camera saw of it", format!("{}/photographs/*.png", shown(&bundle))),
        ("the signer's reply", format!("{}/reply/reply.json, frames/*.png, reply.gif", shown(&bundle))),
        ("approvals", "approvals/<who>/<batch>/approval/frames/*.png".to_owned()),
        ("the policy", "policy.json".to_owned()),
        ("the auditor's report", "audit.html".to_owned()),
        ("the database", "airlock.db (SQLite)".to_owned()),
        ("the coordinator's log", shown(&world.coordinator.log())),
    ];
    for (what, place) in rows {
        println!("    {what:<34} {place}");
    }
    for file in files {
        println!("    {:<34} {}", "a signed-batch file", shown(file));
    }
    let (alice, coordinator) = (&world.devices.alice, &world.coordinator);
    println!("\n  Try (the first says 2 passed, 1 failed: it takes the flipped copy along):");
    println!("    cd {}", directory.display());
    println!("    {}", alice.shell(directory, "audit signed-batches one-byte-flipped.json"));
    println!("    {}", alice.shell(directory, "journal show"));
    println!("    {}", alice.shell(directory, &format!("inspect {}/bundle.json", shown(&bundle))));
    println!("    {}", coordinator.shell(directory, "ledger verify"));
    println!("    sqlite3 airlock.db 'select item_id, state, amount_minor, fee_minor from withdrawals'");
}
