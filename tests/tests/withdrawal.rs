//! The nine acts, asserted: one withdrawal crosses the gap on TRON and on an EVM chain, on both databases.
//!
//! The acts themselves hold most assertions, so that the demo cannot show what is not true; here are the rest.
#![allow(missing_docs, clippy::unwrap_used)]

use airlock_shared::MinorUnits;
use airlock_tests::acts::{audit, books, deposits, gap, proposal, settlement};
use airlock_tests::world::{list, text};
use airlock_tests::{Database, Stage, World};
use serde_json::{Value, json};

async fn nine_acts(database: Database) -> anyhow::Result<()> {
    let mut world = World::open(Stage::for_test()?, database).await?;
    books::balance(&world).await?;
    deposits::arrive(&world).await?;
    let before = deposits::balance(&world).await?.0;
    let exported = proposal::propose(&world).await?;
    assert_eq!(exported.withdrawals.len(), 3);
    assert_eq!(exported.batches.len(), 2);
    let signed = gap::sign(&world, &exported).await?;
    settlement::settle(&world, &exported, &signed).await?;
    let files = audit::audit(&world, &exported).await?;
    assert_eq!(files.len(), 2);
    books::balance(&world).await?;

    assert_eq!(before.get() - deposits::balance(&world).await?.0.get(), spent(&exported));
    every_step_is_recorded(&world, &exported).await?;
    the_same_reply_again_changes_nothing(&world, &exported, &signed).await?;
    one_id_leads_from_the_request_to_its_broadcast(&world, &exported).await?;
    every_step_that_people_took_is_in_the_audit_log(&world).await?;
    world.coordinator.stop().await?;
    the_audit_log_is_sound_and_a_changed_export_is_not(&world).await
}

/// Amounts and one USDT of fee each, in millionths.
fn spent(exported: &proposal::Exported) -> i64 {
    exported.withdrawals.iter().map(|asked| i64::try_from(asked.wish.micro).unwrap() + 1_000_000).sum()
}

/// Steps that do not apply are passed and still recorded.
async fn every_step_is_recorded(world: &World, exported: &proposal::Exported) -> anyhow::Result<()> {
    let way = [
        "pending",
        "approved",
        "queued",
        "wallet_funded",
        "processing",
        "signing",
        "signed",
        "energy_requested",
        "energy_received",
        "broadcasting",
        "broadcasted",
        "confirming",
        "completed",
    ];
    for asked in &exported.withdrawals {
        let shown = world.see(&format!("/v1/withdrawals/{}", asked.id)).await?;
        let steps: Vec<&str> =
            list(&shown, "history")?.iter().filter_map(|step| step["to"].as_str()).collect();
        assert_eq!(steps, way, "{}", asked.id);
    }
    for batch in &exported.batches {
        assert_eq!(text(&world.see(&format!("/v1/batches/{batch}")).await?, "state")?, "completed");
    }
    Ok(())
}

/// The request's id is in its audit row, in the withdrawal as the house sees it, and in the lines of the workers that paid it.
async fn one_id_leads_from_the_request_to_its_broadcast(
    world: &World,
    exported: &proposal::Exported,
) -> anyhow::Result<()> {
    let log = std::fs::read_to_string(world.coordinator.log())?;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for asked in &exported.withdrawals {
        let shown = world.see(&format!("/v1/withdrawals/{}", asked.id)).await?;
        let id = text(&shown, "request_id")?.to_owned();
        let rows = world.see(&format!("/v1/audit?action=withdrawal.request&subject={}", asked.id)).await?;
        assert_eq!(list(&rows, "rows")?[0]["request_id"], id.as_str());
        let mut said: Vec<&str> = lines
            .iter()
            .filter(|line| line["request_id"] == id.as_str() && line["withdrawal"] == asked.id.as_str())
            .filter_map(|line| line["message"].as_str())
            .collect();
        // What is not in a block soon is sent again.
        said.dedup();
        assert_eq!(said, ["transaction sent", "transaction is in a block", "transaction is final"], "{id}");
    }
    Ok(())
}

/// From pairing to the reply: what the stories of the coordinator alone do not reach.
async fn every_step_that_people_took_is_in_the_audit_log(world: &World) -> anyhow::Result<()> {
    for action in [
        "signer.pair",
        "policy.import",
        "wallet.import",
        "xpub.import",
        "address.open",
        "treasury.opening_capital",
        "withdrawal.approve",
        "batch.make",
        "batch.approve",
        "bundle.seal",
        "batch.signed",
    ] {
        let page = world.see(&format!("/v1/audit?action={action}")).await?;
        let rows = list(&page, "rows")?;
        assert!(!rows.is_empty(), "{action}");
        for row in rows {
            let by_hand = row["who"] == "command line" && row["address"] == "";
            assert!(by_hand || (row["address"] == "127.0.0.1" && row["request_id"] != ""), "{row}");
        }
    }
    Ok(())
}

async fn the_audit_log_is_sound_and_a_changed_export_is_not(world: &World) -> anyhow::Result<()> {
    let run = async |line: &[&str]| world.coordinator.run(line).await;
    let verified = run(&["audit", "verify"]).await?.success()?.json()?;
    assert_eq!((&verified["sound"], &verified["unlinked"]), (&json!(true), &json!(0)), "{verified}");
    let head = run(&["audit", "head"]).await?.success()?.json()?;
    assert_eq!(head["head"], verified["head"]);
    let file = world.coordinator.home.join("audit.jsonl");
    let (path, key) = (file.to_str().unwrap(), text(&head, "coordinator")?);
    run(&["audit", "export", "--out", path]).await?.success()?;
    let noted = text(&head, "head")?;
    let line = ["audit", "verify", path, "--coordinator", key, "--head", noted];
    assert_eq!(run(&line).await?.success()?.json()?["sound"], true);
    assert_eq!(run(&["audit", "verify", "--since", "5", "--head", noted]).await?.code, Some(0));
    let bytes = std::fs::read_to_string(&file)?.replacen("withdrawal.approve", "withdrawal.cancel", 1);
    std::fs::write(&file, bytes)?;
    let refused = run(&line).await?;
    assert_eq!(refused.code, Some(3), "{}", refused.stdout);
    let fault: Value = serde_json::from_str(&refused.stdout)?;
    assert_eq!(fault["fault"]["wrong"], "changed");
    Ok(())
}

async fn the_same_reply_again_changes_nothing(
    world: &World,
    exported: &proposal::Exported,
    signed: &gap::Signed,
) -> anyhow::Result<()> {
    let paid = settlement::received(world, &exported.withdrawals).await?;
    let again = settlement::accept(world, signed).await?;
    assert!(again.status.is_success(), "a repeat is no error: {again:?}");
    world.chains.mine(4).await?;
    assert_eq!(settlement::received(world, &exported.withdrawals).await?, paid);
    books::balance(world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_withdrawals_cross_the_gap_on_sqlite() {
    nine_acts(Database::Sqlite).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_withdrawals_cross_the_gap_on_postgresql() {
    if Database::available().unwrap().contains(&Database::Postgres) {
        nine_acts(Database::Postgres).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_user_has_is_refused_and_nothing_is_held() {
    let world = World::for_test().await.unwrap();
    deposits::arrive(&world).await.unwrap();
    let before = deposits::balance(&world).await.unwrap();
    let wish = proposal::wishes(&world).remove(0);
    let amount = MinorUnits::new(before.0.get()).to_decimal(6);
    let body =
        json!({ "network": wish.network, "asset": "USDT", "to": wish.to.to_string(), "amount": amount });
    let refused = world.coordinator.try_post("/v1/withdrawals", &world.people.user, &body).await.unwrap();
    assert_eq!(refused.status.as_u16() / 100, 4, "amount and fee together are more: {refused:?}");
    assert_eq!(deposits::balance(&world).await.unwrap(), before);
    books::balance(&world).await.unwrap();
}
