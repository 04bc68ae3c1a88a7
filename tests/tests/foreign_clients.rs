//! The development chain before clients that other people wrote: tronpy, tronweb and ethers build, sign, broadcast and read back.
//!
//! Each client has a script in `tests/foreign`; `scripts/test.sh` installs them and says where they are through `AIRLOCK_FOREIGN_DIR`
//! (with `node_modules`) and `AIRLOCK_PYTHON`. Without these the tests say so and pass, unless `AIRLOCK_REQUIRE_FOREIGN` is set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::path::PathBuf;
use std::time::Duration;

use airlock_devnet::{ChainHandle, Devnet, DevnetConfig};
use tokio::process::Command;

/// A client that hangs is a failure too.
const CLIENT_LIMIT: Duration = Duration::from_secs(120);

fn directory() -> Option<PathBuf> {
    let found = std::env::var_os("AIRLOCK_FOREIGN_DIR").map(PathBuf::from);
    if found.is_none() {
        assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "AIRLOCK_FOREIGN_DIR is not set");
        println!("skipped: AIRLOCK_FOREIGN_DIR is not set; scripts/test.sh sets it");
    }
    found
}

async fn agrees(program: &str, script: &str, chain: &ChainHandle, token: &str) {
    let Some(directory) = directory() else {
        return;
    };
    let running = Command::new(program)
        .arg(directory.join(script))
        .args([chain.urls()[0].as_str(), token])
        .current_dir(&directory)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(CLIENT_LIMIT, running).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim_end().ends_with("OK"), "{script}: {said}\n{complained}");
}

async fn devnet() -> Devnet {
    Devnet::start(DevnetConfig::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tronpy_pays_and_reads_back() {
    let devnet = devnet().await;
    let token = devnet.tron().deploy("TronUsdt", "1000000000000").unwrap();
    let python = std::env::var("AIRLOCK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    agrees(&python, "tronpy_client.py", devnet.tron(), &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tronweb_pays_and_reads_back() {
    let devnet = devnet().await;
    let token = devnet.tron().deploy("TronUsdt", "1000000000000").unwrap();
    agrees("node", "tronweb_client.mjs", devnet.tron(), &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ethers_pays_and_reads_back() {
    let devnet = devnet().await;
    let token = devnet.evm(0).deploy("UsdtLike", "1000000000000").unwrap();
    agrees("node", "ethers_client.mjs", devnet.evm(0), &token).await;
}
