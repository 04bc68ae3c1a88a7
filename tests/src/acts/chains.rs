//! Act 1: the development chains start, and the USDT-like tokens are on them.

use crate::chain::Chains;
use crate::stage::Stage;

/// Starts a TRON chain and an EVM chain in this process.
///
/// # Errors
/// A port or a contract fails.
pub async fn start(stage: &Stage) -> anyhow::Result<Chains> {
    let tell = stage.narrator;
    tell.act(1, "the development chains start");
    let chains = Chains::devnet().await?;
    for chain in &chains.all {
        tell.tell(format_args!("{} runs, with two providers: {}", chain.network, chain.urls.join(", ")));
        tell.figure("USDT-like token", &chain.usdt);
    }
    tell.tell("Both execute real contracts, check every signature and know final blocks. Nothing leaves this machine.");
    Ok(chains)
}
