//! Act 4: two USDT deposits arrive on chain and are credited, each exactly once.
//!
//! Seen, final, confirmed by a second provider, credited: the order is the coordinator's, the blocks are ours.

use crate::wait::Look;
use crate::world::{World, list, text};
use airlock_shared::{BaseUnits, MinorUnits, Network};
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What the user sends to each of their addresses, in millionths of USDT.
pub const DEPOSIT_MICRO: [(Network, u64); 2] =
    [(Network::TRON_DEV, 500_000_000), (Network::EVM_DEV, 300_250_000)];

/// Pays the deposits and follows them until they are credited.
///
/// # Errors
/// A deposit is not credited in time, or with another amount.
pub async fn arrive(world: &World) -> anyhow::Result<()> {
    let tell = world.stage.narrator;
    tell.act(4, "two deposits arrive");
    let mut sent = Vec::new();
    for (network, micro) in DEPOSIT_MICRO {
        let Ok(chain) = world.chain(network) else { continue };
        let to = world.wallets_on(network)?.deposit.context("the user has an address")?;
        let tx_id = chain.pay_usdt(&to.to_string(), BaseUnits::from(micro)).await?;
        tell.tell(format_args!(
            "{} USDT are sent to {to} on {network}",
            BaseUnits::from(micro).to_decimal(6)
        ));
        tell.figure("transaction", &tx_id);
        sent.push((network, micro));
    }
    world.chains.mine(1).await?;
    let count = sent.len();
    let seen = world.wait_until("the deposits are seen", async || {
        let deposits = deposits(world).await?;
        Ok(if deposits.len() == count { Look::Done(deposits) } else { Look::NotYet(format!("{deposits:?}")) })
    });
    for deposit in seen.await? {
        let state = text(&deposit, "state")?;
        ensure!(state != "credited", "one block is not final: {deposit}");
        tell.figure(
            &format!("seen on {}", text(&deposit, "network")?),
            format_args!("height {}, {state}", deposit["height"]),
        );
    }
    let credited = world.mine_until("the deposits are credited", async || {
        let deposits = deposits(world).await?;
        let done = deposits.iter().all(|deposit| deposit["state"] == "credited");
        Ok(if done { Look::Done(deposits) } else { Look::NotYet(format!("{deposits:?}")) })
    });
    for deposit in credited.await? {
        let sum = BaseUnits::from_decimal(text(&deposit, "amount")?, 6)?;
        ensure!(
            sent.iter().any(|(network, micro)| deposit["network"] == network.to_string()
                && sum == BaseUnits::from(*micro)),
            "the amount that was sent: {deposit}"
        );
        tell.figure(
            &format!("credited from {}", text(&deposit, "network")?),
            format_args!("{} USDT after finality, confirmed by a second provider", text(&deposit, "amount")?),
        );
    }
    let (available, held) = balance(world).await?;
    let total: u64 = sent.iter().map(|(_, micro)| micro).sum();
    ensure!(
        available.get() == i64::try_from(total)? && held.get() == 0,
        "one balance over both networks: {available}"
    );
    tell.figure(
        "the user's balance",
        format_args!("{} USDT, one balance over all networks", available.to_decimal(6)),
    );
    Ok(())
}

async fn deposits(world: &World) -> anyhow::Result<Vec<Value>> {
    let answer = world.coordinator.get("/v1/deposits", &world.people.user).await?;
    Ok(list(&answer, "deposits")?.to_vec())
}

/// Available and held USDT of the user.
///
/// # Errors
/// The coordinator does not say.
pub async fn balance(world: &World) -> anyhow::Result<(MinorUnits, MinorUnits)> {
    let answer = world.coordinator.get("/v1/balances", &world.people.user).await?;
    let Some(usdt) = list(&answer, "balances")?.iter().find(|line| line["asset"] == "USDT") else {
        return Ok((MinorUnits::ZERO, MinorUnits::ZERO));
    };
    let amount = |field| anyhow::Ok(MinorUnits::from_decimal(text(usdt, field)?, 6)?);
    Ok((amount("available")?, amount("held")?))
}
