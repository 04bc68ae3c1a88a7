//! What custodians read about policies: drafts that permit nothing, differences, every rule's verdict.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::batch::Kind;
use airlock_shared::document::Document as _;
use airlock_shared::policy::{FeeCaps, Policy, SignedPolicy, WithdrawalsTo};
use airlock_shared::{Network, Profile};
use airlock_signer::policy::diff::{Effect, differences};
use airlock_signer::policy::template::{closed, explanation};
use world::{NOW, World, person, units};

/// What is said of a good policy with one thing altered, as `effect: text`.
fn said(alter: impl FnOnce(&mut Policy)) -> String {
    let old = World::new().policy;
    let mut new = old.clone();
    alter(&mut new);
    let all = differences(&old, &new);
    assert_eq!(all.len(), 1, "{all:?}");
    let word = match all[0].effect {
        Effect::Looser => "looser",
        Effect::Tighter => "tighter",
        Effect::Other => "other",
    };
    format!("{word}: {}", all[0].text)
}

#[test]
fn each_altered_field_is_told_with_what_it_does() {
    let policy = World::new().policy;
    assert!(differences(&policy, &policy).is_empty());
    assert_eq!(said(|p| p.version = 7), "other: version: 1 becomes 7");
    assert_eq!(said(|p| p.approvals.required = 1), "looser: approvals required falls from 2 to 1");
    assert_eq!(
        said(|p| p.approvals.independent = 3),
        "tighter: approvals on independent devices rises from 2 to 3"
    );
    assert_eq!(said(|p| p.bounds.items_max = 9), "tighter: items in a batch falls from 1000 to 9");
    assert_eq!(said(|p| p.bounds.bundle_max = 9), "looser: batches in a bundle rises from 4 to 9");
    assert!(said(|p| p.bounds.lifetime_max_seconds = 1).starts_with("tighter: lifetime"));
    assert!(said(|p| p.bounds.clock_ahead_max_seconds = 999).starts_with("looser: clock"));
    assert!(said(|p| drop(p.approvers.pop())).starts_with("tighter: approver erin"));
    assert!(said(|p| drop(p.networks.pop())).starts_with("tighter: network tron:"));
    assert_eq!(
        said(|p| p.networks[1].assets[0].per_day_max = units(150_001)).split(" in 24").nth(1),
        Some(" hours rises from 150000 to 150001")
    );
    assert!(said(|p| p.networks[1].assets[0].per_item_max = units(1)).contains("per item falls"));
    assert!(said(|p| p.networks[1].assets[0].per_batch_max = units(1)).contains("per batch falls"));
    assert!(said(|p| p.networks[0].assets[0].asset.symbol = "USDX".into()).starts_with("other"));
    assert!(said(|p| p.networks[0].assets.clear()).starts_with("tighter"));
    assert!(said(|p| p.networks[0].kinds.push(Kind::Sweep)).ends_with("kind sweep is put in"));
    assert!(said(|p| p.networks[0].wallets.truncate(1)).starts_with("tighter"));
    assert!(said(|p| p.networks[0].denied.clear()).starts_with("looser"));
    assert!(said(|p| p.networks[0].destinations.clear()).starts_with("tighter"));
    assert!(said(|p| p.networks[0].withdrawals_to = WithdrawalsTo::Listed).starts_with("tighter"));
    let tron = FeeCaps::Tron { fee_limit_sun_max: 51_000_000 };
    assert!(said(|p| p.networks[1].fees = tron).ends_with("rises from 50 TRX to 51 TRX"));
    let reordered = said(|p| p.networks[0].wallets.reverse());
    assert_eq!(reordered, "other: the same entries stand in another order");
}

fn names(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            into.push(name.clone());
            names(value, into);
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, into)),
        _ => {}
    }
}

#[test]
fn every_field_that_a_filled_policy_has_is_in_the_explanation() {
    let signed = SignedPolicy { policy: World::new().policy, signatures: Vec::new() };
    let mut found = Vec::new();
    names(&serde_json::from_str(&signed.to_json()).unwrap(), &mut found);
    let explained = explanation();
    for name in found {
        assert!(name == "policy" || explained.contains(&name), "{name}");
        // What stands inside an entry of a list is shown as JSON.
        if ["person", "device", "role", "index", "address", "contract", "decimals", "symbol"]
            .contains(&name.as_str())
        {
            assert!(explained.contains(&format!("\"{name}\": ")), "{name}");
        }
    }
}

#[test]
fn a_draft_permits_nothing() {
    let world = World::new();
    for network in [Network::EVM_DEV, Network::TRON_DEV] {
        let draft = closed(person("payments"), Profile::Dev, vec![network]);
        let bytes = world.bundle(world.content(network, 1));
        let explained = world.signer().explain_bundle(&bytes, Some(&draft), NOW).unwrap();
        let refused: Vec<_> = explained.batches[0]
            .1
            .iter()
            .filter(|(_, verdict)| verdict.is_err())
            .map(|(rule, _)| rule.word())
            .collect();
        for rule in [
            "kind",
            "source_wallet",
            "asset",
            "items",
            "fee_cap",
            "lifetime",
            "approvals",
            "listed_destination",
        ] {
            assert!(refused.contains(&format!("policy.{rule}").as_str()), "{rule}: {refused:?}");
        }
    }
}

#[test]
fn every_rule_is_asked_also_where_an_earlier_one_refuses() {
    let world = World::new();
    let mut content = world.content(Network::TRON_DEV, 3);
    content.items[1].amount = units(60_000);
    content.expires_at = content.created_at + 90_000;
    let explained = world.signer().explain_bundle(&world.bundle(content), None, NOW).unwrap();
    let refused: Vec<_> = explained.batches[0]
        .1
        .iter()
        .filter(|(_, verdict)| verdict.is_err())
        .map(|(rule, _)| rule.word())
        .collect();
    assert_eq!(refused, ["policy.per_item_limit", "policy.lifetime"]);
    assert_eq!(explained.refusal.unwrap().code, "policy.per_item_limit");
    let good = world.bundle(world.content(Network::TRON_DEV, 3));
    let explained = world.signer().explain_bundle(&good, None, NOW).unwrap();
    assert!(explained.refusal.is_none() && explained.batches[0].1.iter().all(|(_, verdict)| verdict.is_ok()));
}

#[test]
fn explaining_changes_nothing_and_a_signed_batch_counts_once() {
    let world = World::new();
    let bytes = world.bundle(world.content(Network::EVM_DEV, 3));
    world.sign(&bytes).unwrap();
    let journal = std::fs::read(world.home.journal()).unwrap();
    let refusals = std::fs::read(world.home.refusals()).unwrap();
    let explained = world.signer().explain_bundle(&bytes, None, NOW).unwrap();
    assert!(explained.batches[0].1.iter().all(|(_, verdict)| verdict.is_ok()));
    assert_eq!(std::fs::read(world.home.journal()).unwrap(), journal);
    assert_eq!(std::fs::read(world.home.refusals()).unwrap(), refusals);
}
