//! Act 3, its end: the signer vouches for deposit addresses, and a partner checks the user's with the signer's key alone.
//!
//! The demo plays it; the tests of attestation (`tests/attestation.rs`) go much further. From here on the coordinator hands
//! out attested TRON addresses only.

use crate::device::path;
use crate::process;
use crate::world::{World, text};
use airlock_shared::Network;
use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::json;

/// How many addresses the signer vouches for.
const COUNT: &str = "100";

/// Attests the first TRON deposit addresses and has the user's one checked.
///
/// # Errors
/// A program refuses.
pub async fn vouch(world: &World) -> anyhow::Result<()> {
    let (network, operator) = (Network::TRON_DEV.to_string(), &world.people.operator);
    let shown = world.see(&format!("/v1/attestations/words?network={network}&first=0&count={COUNT}")).await?;
    let out = world.stage.directory.join("attestation");
    let line = ["attest", "--network", &network, "--count", COUNT, "--out", path(&out)?, "--confirm"];
    let alice = &world.devices.alice;
    alice.run(&[&line[..], &[text(&shown, "words")?]].concat()).await?.success().context("attest")?;
    let file = std::fs::read(out.join("attestation.json"))?;
    let body = Some(("application/json", file));
    let taken = world.coordinator.request(Method::POST, "/v1/attestations", operator, None, body).await?;
    taken.success().context("the attestation")?;

    let wanted = json!({ "network": network });
    let given = world.coordinator.post("/v1/deposit-addresses", &world.people.user, &wanted).await?;
    let (proof, address) = (world.stage.directory.join("proof-of-an-address.json"), text(&given, "address")?);
    std::fs::write(&proof, given["proof"].to_string())?;
    let line = ["attest", "verify", path(&proof)?, "--address", address, "--signer", &alice.identity];
    let checked = process::run(&world.stage.binaries.signer, &world.stage.directory, &line).await?;
    ensure!(checked.code == Some(0), "a partner checks the proof: {checked:?}");
    let tell = world.stage.narrator;
    tell.tell(format_args!("The signer vouches for the first {COUNT} addresses. A partner who holds alice's key checks the user's:"));
    tell.screen("partner", &checked.stdout);
    Ok(())
}
