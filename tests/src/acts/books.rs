//! Act 9: the trial balance is zero, and the reserves equal the chains to the last base unit.
//!
//! The chains are read directly here; what the coordinator says of them is compared, not believed.

use crate::chain::Chain;
use crate::world::{World, list, text};
use airlock_shared::Address;
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Checks the books as they stand. The chains' heads must be final.
///
/// # Errors
/// Anything differs.
pub async fn balance(world: &World) -> anyhow::Result<()> {
    let tell = world.stage.narrator;
    tell.act(9, "the books");
    let trial = world.see("/v1/ledger/trial-balance").await?;
    ensure!(trial["balanced"] == true, "the trial balance: {trial}");
    for line in list(&trial, "assets")? {
        ensure!(text(line, "difference")? == "0", "the trial balance: {line}");
        tell.figure(
            &format!("trial balance {}", text(line, "asset")?),
            format_args!("debit {} = credit {}, difference 0", text(line, "debit")?, text(line, "credit")?),
        );
    }
    let replayed = world.coordinator.run(&["ledger", "verify"]).await?.json().context("ledger verify")?;
    ensure!(replayed["sound"] == true, "ledger verify: {replayed}");
    tell.figure(
        "replayed",
        format_args!("{} entries over {} accounts, sound", replayed["entries"], replayed["accounts"]),
    );

    let report = world.see("/v1/reconciliation").await?;
    ensure!(report["agrees"] == true, "the reconciliation: {report}");
    let networks = list(&report, "networks")?;
    ensure!(networks.len() == world.chains.all.len(), "every network is compared: {report}");
    for (chain, wallets) in world.chains.all.iter().zip(&world.wallets) {
        let named = chain.network.to_string();
        let lines = networks.iter().find(|network| network["network"] == named).context("the network")?;
        for wallet in [Some(wallets.hot), wallets.deposit].into_iter().flatten() {
            compare(world, chain, wallet, list(lines, "wallets")?).await?;
        }
    }
    tell.tell("Every reserve in the ledger equals its wallet on chain to the last base unit, native coins included.");
    Ok(())
}

/// One wallet: both of its coins, ledger against chain. A line that is missing counts as zero.
async fn compare(world: &World, chain: &Chain, wallet: Address, lines: &[Value]) -> anyhow::Result<()> {
    let shown = wallet.to_string();
    let on_chain = [("USDT", chain.usdt_of(&shown).await?), (chain.native(), chain.native_of(&shown).await?)];
    for (asset, amount_base) in on_chain {
        let line = lines.iter().find(|line| line["wallet"] == shown && line["asset"] == asset);
        let ledger = line.map_or(Ok("0"), |line| text(line, "ledger_base"))?;
        ensure!(ledger == amount_base.to_string(), "{shown} {asset}: ledger {ledger}, chain {amount_base}");
        world
            .stage
            .narrator
            .figure(&format!("{shown:.14}… {asset}"), format_args!("ledger {ledger} = chain {amount_base}"));
    }
    Ok(())
}
