//! Which money: the contract must be listed, and what the batch claims about it must be the policy's word.

use super::{Facts, Refusal, Rule};

/// A token is known by its contract alone; its symbol and decimals are claims, compared here so that what
/// the custodian reads on the screen is the policy's and not the coordinator's.
pub(super) fn asset(facts: &Facts<'_>) -> Result<(), Refusal> {
    let asset = &facts.content.asset;
    let shown = || match &asset.contract {
        Some(contract) => format!("{} with {} decimals at {contract}", asset.symbol, asset.decimals),
        None => format!("native {} with {} decimals", asset.symbol, asset.decimals),
    };
    match facts.network()?.asset_of(facts.content) {
        Some(listed) if listed.asset == *asset => Ok(()),
        Some(listed) => {
            let allowed = format!("{} with {} decimals", listed.asset.symbol, listed.asset.decimals);
            Err(Refusal::of(Rule::Asset, shown(), allowed))
        }
        None => Err(Refusal::of(Rule::Asset, shown(), "the listed assets")),
    }
}
