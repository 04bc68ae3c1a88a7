//! The EVM half of the story against a real anvil: another team's node mines, and judges, our transactions.
//!
//! `AIRLOCK_ANVIL` names its binary; `scripts/test.sh` installs one, and where PostgreSQL is required it is too.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_tests::acts::{audit, books, deposits, gap, proposal, settlement};
use airlock_tests::world::anvil_is_there;
use airlock_tests::{Database, Stage, World};

async fn on_anvil() -> anyhow::Result<()> {
    let mut world = World::open_on_anvil(Stage::for_test()?, Database::Sqlite).await?;
    deposits::arrive(&world).await?;
    let exported = proposal::propose(&world).await?;
    let signed = gap::sign(&world, &exported).await?;
    settlement::settle(&world, &exported, &signed).await?;
    audit::audit(&world, &exported).await?;
    books::balance(&world).await?;
    world.coordinator.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_crosses_the_gap_on_a_real_anvil() {
    if anvil_is_there().unwrap() {
        on_anvil().await.unwrap();
    }
}
