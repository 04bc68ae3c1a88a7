//! When chains and providers do not do what was hoped: transactions that fail on chain, providers that say "already
//! known" of what they threw away, providers that are gone. Money is never lost track of.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_devnet::Faults;
use airlock_tests::World;
use airlock_tests::acts::proposal::Exported;
use airlock_tests::acts::{books, deposits, gap, proposal, settlement};
use airlock_tests::wait::Look;
use airlock_tests::world::{list, text};

/// Selector of `pause()`.
const PAUSE: &str = "8456cb59";

async fn signed() -> (World, Exported, gap::Signed) {
    let world = World::for_test().await.unwrap();
    deposits::arrive(&world).await.unwrap();
    let exported = proposal::propose(&world).await.unwrap();
    let signed = gap::sign(&world, &exported).await.unwrap();
    (world, exported, signed)
}

fn set_faults(world: &World, provider: usize, faults: &Faults) {
    for chain in &world.chains.all {
        chain.devnet().unwrap().set_faults(provider, faults.clone()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_on_chain_costs_its_fee_and_waits_for_a_person() {
    let (world, exported, signed) = signed().await;
    let before = settlement::received(&world, &exported.withdrawals).await.unwrap();
    let held = deposits::balance(&world).await.unwrap();
    for chain in &world.chains.all {
        chain.devnet().unwrap().call(&chain.usdt, PAUSE, "0").unwrap();
        chain.mine(1).await.unwrap();
    }
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    world
        .mine_until("every withdrawal is back in the queue", async || {
            let mut states = Vec::new();
            for asked in &exported.withdrawals {
                states.push(world.state_of(&asked.id).await?);
            }
            let done = states.iter().all(|state| state == "queued");
            Ok(if done { Look::Done(()) } else { Look::NotYet(states.join(", ")) })
        })
        .await
        .unwrap();
    for asked in &exported.withdrawals {
        let shown = world.see(&format!("/v1/withdrawals/{}", asked.id)).await.unwrap();
        let attempt = list(&shown, "attempts").unwrap().last().unwrap();
        assert_eq!(text(attempt, "state").unwrap(), "failed_on_chain");
        assert_ne!(text(attempt, "fee_base").unwrap(), "0", "failing costs a fee");
    }
    assert_eq!(settlement::received(&world, &exported.withdrawals).await.unwrap(), before);
    assert_eq!(deposits::balance(&world).await.unwrap(), held, "the hold stays until a person decides");
    books::balance(&world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies_about_knowing_a_transaction_only_delays_it() {
    let (world, exported, signed) = signed().await;
    let before = settlement::received(&world, &exported.withdrawals).await.unwrap();
    for provider in [0, 1] {
        set_faults(&world, provider, &Faults { dup: true, ..Faults::default() });
    }
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    world
        .wait_until("the providers were told", async || {
            let mut sends = 0;
            for batch in &exported.batches {
                let shown = world.see(&format!("/v1/batches/{batch}")).await?;
                let items = list(&shown, "items")?;
                sends += items.iter().filter(|item| item["sends"].as_u64() > Some(0)).count();
            }
            let all = sends == exported.withdrawals.len();
            Ok(if all { Look::Done(()) } else { Look::NotYet(format!("{sends} sent")) })
        })
        .await
        .unwrap();
    for chain in &world.chains.all {
        assert_eq!(chain.pool().await.unwrap(), Vec::<String>::new(), "nobody took it on {}", chain.network);
    }
    for provider in [0, 1] {
        set_faults(&world, provider, &Faults::default());
    }
    settlement::complete(&world, &exported.withdrawals).await.unwrap();
    for (asked, had) in exported.withdrawals.iter().zip(before) {
        settlement::paid_once(&world, asked, had).await.unwrap();
    }
    books::balance(&world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_provider_gone_payments_are_sent_and_wait_visibly_for_a_second_opinion() {
    let (world, exported, signed) = signed().await;
    set_faults(&world, 0, &Faults { down: true, ..Faults::default() });
    settlement::accept(&world, &signed).await.unwrap().success().unwrap();
    world
        .wait_until("every withdrawal is sent through the other provider", async || {
            let mut states = Vec::new();
            for asked in &exported.withdrawals {
                states.push(world.state_of(&asked.id).await?);
            }
            let done = states.iter().all(|state| state == "broadcasted");
            Ok(if done { Look::Done(()) } else { Look::NotYet(states.join(", ")) })
        })
        .await
        .unwrap();
    world.chains.mine(5).await.unwrap();
    world
        .wait_until("every withdrawal is seen", async || {
            let mut states = Vec::new();
            for asked in &exported.withdrawals {
                states.push(world.state_of(&asked.id).await?);
            }
            anyhow::ensure!(
                !states.iter().any(|state| state == "completed"),
                "one provider's word is not enough"
            );
            let done = states.iter().all(|state| state == "confirming");
            Ok(if done { Look::Done(()) } else { Look::NotYet(states.join(", ")) })
        })
        .await
        .unwrap();
    set_faults(&world, 0, &Faults::default());
    settlement::complete(&world, &exported.withdrawals).await.unwrap();
    books::balance(&world).await.unwrap();
}
