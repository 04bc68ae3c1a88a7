//! Act 7: the coordinator reads the reply, verifies every signature and receipt, sends, follows to finality, settles.

use super::deposits::balance;
use super::gap::Signed;
use super::proposal::{Asked, Exported, tx_ids};
use crate::camera;
use crate::coordinator::Answer;
use crate::wait::Look;
use crate::world::{World, list, text};
use airlock_shared::BaseUnits;
use anyhow::{Context as _, ensure};
use std::collections::BTreeSet;

/// The whole act.
///
/// # Errors
/// The coordinator refuses the reply, or a withdrawal does not complete.
pub async fn settle(world: &World, exported: &Exported, signed: &Signed) -> anyhow::Result<()> {
    let tell = world.stage.narrator;
    tell.act(7, "out, final, settled");
    let (_, held_before) = balance(world).await?;
    let before = received(world, &exported.withdrawals).await?;
    let judged = accept(world, signed).await?.success().context("the reply")?;
    ensure!(judged["accepted"] == true, "the reply: {judged}");
    tell.tell("The coordinator read the reply's frames and verified every signature and both receipts.");
    complete(world, &exported.withdrawals).await?;
    let mut ways = BTreeSet::new();
    for ((asked, tx_id), had) in
        exported.withdrawals.iter().zip(tx_ids(world, &exported.withdrawals).await?).zip(before)
    {
        paid_once(world, asked, had).await?;
        let shown = world.see(&format!("/v1/withdrawals/{}", asked.id)).await?;
        let attempt = list(&shown, "attempts")?.last().context("an attempt")?.clone();
        let chain = world.chain(asked.wish.network)?;
        let fee: BaseUnits = text(&attempt, "fee_base")?.parse()?;
        tell.figure(
            &format!("paid on {}", asked.wish.network),
            format_args!("{} USDT to {}", BaseUnits::from(asked.wish.micro).to_decimal(6), asked.wish.to),
        );
        tell.figure("  transaction", format_args!("{tx_id} at height {}", attempt["included_height"]));
        tell.figure(
            "  network fee",
            format_args!("{} {}", fee.to_decimal(chain.native_decimals()), chain.native()),
        );
        let states: Vec<&str> =
            list(&shown, "history")?.iter().filter_map(|step| step["to"].as_str()).collect();
        ways.insert(states.join(" → "));
    }
    for way in ways {
        tell.figure("their way", way);
    }
    let (available, held) = balance(world).await?;
    ensure!(
        held.is_positive() <= held_before.is_positive() && held.get() == 0,
        "nothing is held any more: {held}"
    );
    tell.figure("the user's balance", format_args!("{} USDT, nothing held", available.to_decimal(6)));
    Ok(())
}

/// The reply goes in as photographs of its frames.
///
/// # Errors
/// No answer.
pub async fn accept(world: &World, signed: &Signed) -> anyhow::Result<Answer> {
    let frames = camera::pictures(&signed.directory.join("frames"))?;
    let scan = camera::scan(&frames, &signed.directory.join("photographs"), 37)?;
    let pictures = camera::pictures(&scan.directory)?;
    world.coordinator.post_pictures("/v1/replies", &world.people.operator, &pictures).await
}

/// Makes blocks until every withdrawal is completed.
///
/// # Errors
/// One is not in time.
pub async fn complete(world: &World, withdrawals: &[Asked]) -> anyhow::Result<()> {
    world
        .mine_until("every withdrawal is completed", async || {
            let mut states = Vec::new();
            for asked in withdrawals {
                states.push(world.state_of(&asked.id).await?);
            }
            let done = states.iter().all(|state| state == "completed");
            Ok(if done { Look::Done(()) } else { Look::NotYet(states.join(", ")) })
        })
        .await
}

/// What each recipient holds on chain, in base units.
///
/// # Errors
/// A chain does not say.
pub async fn received(world: &World, withdrawals: &[Asked]) -> anyhow::Result<Vec<BaseUnits>> {
    let mut held = Vec::new();
    for asked in withdrawals {
        held.push(world.chain(asked.wish.network)?.usdt_of(&asked.wish.to.to_string()).await?);
    }
    Ok(held)
}

/// The recipient got the amount exactly once, as the chain says.
///
/// # Errors
/// They got another amount.
pub async fn paid_once(world: &World, asked: &Asked, had: BaseUnits) -> anyhow::Result<()> {
    let chain = world.chain(asked.wish.network)?;
    let has = chain.usdt_of(&asked.wish.to.to_string()).await?;
    let expected = had.checked_add(BaseUnits::from(asked.wish.micro)).context("a sum")?;
    ensure!(has == expected, "{} should have {expected} and has {has}", asked.wish.to);
    Ok(())
}
