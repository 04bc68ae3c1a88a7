//! What custodians read about policies: drafts that permit nothing, differences, every rule's verdict.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::batch::Kind;
use airlock_shared::document::Document as _;
use airlock_shared::policy::{
    Allowance, AssetPolicy, Bounds, FeeCaps, Passkey, PasskeyTerms, Policy, SignedPolicy, UserVerification,
    WithdrawalsTo,
};
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

#[test]
fn each_field_that_guards_against_the_past_is_told_with_what_it_does() {
    assert_eq!(
        said(|p| p.approvals.reissue_independent = 2),
        "looser: approvals on independent devices for what is signed again falls from 3 to 2"
    );
    let loosened: [fn(&mut Bounds); 4] = [
        |b| b.clock_jump_max_seconds += 1,
        |b| b.item_behind_max += 1,
        |b| b.item_ahead_max += 1,
        |b| b.nonce_ahead_max += 1,
    ];
    for loosen in loosened {
        assert!(said(|p| loosen(&mut p.bounds)).starts_with("looser"));
    }
    let caps: [fn(&mut AssetPolicy); 4] = [
        |asset| asset.passkeys_alone_max = units(1),
        |asset| asset.first_seen_max = units(100_001),
        |asset| asset.reissue_per_item_max = units(10_001),
        |asset| asset.reissue_per_day_max = units(15_001),
    ];
    for raise in caps {
        assert!(said(|p| raise(&mut p.networks[0].assets[0])).starts_with("looser"));
    }
    let delay = said(|p| p.networks[0].first_seen_delay_seconds = 60);
    assert!(delay.starts_with("looser") && delay.ends_with("falls from 86400 s to 60 s"), "{delay}");
    assert!(said(|p| p.networks[0].first_seen_delay_seconds = 90_000).starts_with("tighter"));
}

#[test]
fn hours_and_machines_and_passkeys_are_told_with_what_they_do() {
    let monday = said(|p| _ = p.windows.remove(0));
    assert_eq!(monday, "tighter: signing hours Monday 00:00 to 24:00 UTC is taken out");
    let refused = said(|p| p.machine.network_interfaces = Allowance::Refused);
    assert_eq!(refused, "tighter: signing with a network interface up: allowed becomes refused");
    assert!(said(|p| p.machine.partial_sandbox = Allowance::Refused).starts_with("tighter"));
    let terms = |user_verification| PasskeyTerms {
        rp_id: "approve.example".to_owned(),
        origins: vec!["https://approve.example".to_owned()],
        user_verification,
    };
    let passkeys = said(|p| p.passkeys = Some(terms(UserVerification::Optional)));
    assert!(passkeys.starts_with("looser: passkeys count: for approve.example"), "{passkeys}");
    let mut old = World::new().policy;
    old.passkeys = Some(terms(UserVerification::Required));
    let told = |alter: fn(&mut PasskeyTerms)| {
        let mut new = old.clone();
        new.passkeys.iter_mut().for_each(alter);
        let all = differences(&old, &new);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].effect
    };
    assert_eq!(told(|t| t.user_verification = UserVerification::Optional), Effect::Looser);
    assert_eq!(told(|t| t.origins.push("https://b.example".to_owned())), Effect::Looser);
    assert_eq!(told(|t| t.rp_id = "other.example".to_owned()), Effect::Other);
    let passkey = Passkey { credential: vec![7; 16], public_key: [4; 65] };
    let second = said(|p| p.approvers[0].passkeys.push(passkey));
    assert!(second.starts_with("looser: approver carol with passkey 0707"), "{second}");
    assert!(said(|p| p.approvers[0].device = None).starts_with("tighter: approver carol with device"));
}

#[test]
fn a_paying_wallet_with_another_permission_is_another_wallet() {
    let policy = World::new().policy;
    let mut other = policy.clone();
    other.networks[1].wallets[0].permission_id = 2;
    let all = differences(&policy, &other);
    assert_eq!(all.iter().map(|one| one.effect).collect::<Vec<_>>(), [Effect::Tighter, Effect::Looser]);
    assert!(all[1].text.ends_with("by permission 2 is put in"), "{}", all[1].text);
}

/// A policy in which every field has a value, as it is read from a file.
fn filled() -> SignedPolicy {
    let bytes = include_bytes!("../../fixtures/batch/valid/policy-with-every-field.json");
    airlock_shared::document::read(bytes).unwrap()
}

#[test]
fn a_custodian_reads_every_value_of_a_policy_before_signing() {
    let page = airlock_signer::review::policy(&filled().policy);
    for part in [
        "2 people, 2 on independent devices",
        "3 on independent devices for what is signed again",
        "for approve.example, user verification required",
        "asked by https://spare.example:8443",
        "passkey 1e1e1e1e",
        "network interfaces up: refused; partial sandbox: allowed",
        "Monday 08:00 to 12:00 UTC",
        "Sunday 00:00 to 24:00 UTC",
        "this clock at most 7776000 s (90 d) ahead of the journal",
        "new item ids at most 10000 behind and 100000 ahead",
        "at most 1000 account nonces left out",
        "by permission 2",
        "in hardware wallet d34db33f at m/44'/60'/0'/0/0",
        "passkeys alone suffice up to 500 in 24 hours",
        "at most 20000 to a first-seen destination",
        "signed again on a claim: at most 10000 an item, 15000 in 24 hours",
        "first seen for 86400 s (1 d)",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
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
    let signed = filled();
    let mut found = Vec::new();
    names(&serde_json::from_str(&signed.to_json()).unwrap(), &mut found);
    let explained = explanation();
    for name in found {
        assert!(
            ["policy", "custodian", "signature"].contains(&name.as_str()) || explained.contains(&name),
            "{name}"
        );
        // What stands inside an entry of a list is shown as JSON.
        let inside = [
            "person",
            "device",
            "credential",
            "public_key",
            "rp_id",
            "origins",
            "user_verification",
            "day",
            "from_minute",
            "to_minute",
            "wallet",
            "permission_id",
            "hardware",
            "fingerprint",
            "path",
            "role",
            "index",
            "address",
            "contract",
            "decimals",
            "symbol",
            "passkeys_alone_max",
            "first_seen_max",
            "reissue_per_item_max",
            "reissue_per_day_max",
        ];
        if inside.contains(&name.as_str()) {
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
            "time_window",
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
