//! One altered batch per rule: each is refused by that rule's name, the item and the value.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::batch::{Context, Kind};
use airlock_shared::policy::{Rule, Window};
use airlock_shared::roles::approver;
use airlock_shared::{Address, BaseUnits, Digest, Network};
use sample::case::{Case, judged, refused};
use sample::{NOW, approvals, identity_key, person};

const TRON: Network = Network::TRON_DEV;
const EVM: Network = Network::EVM_DEV;

#[test]
fn a_batch_within_the_policy_passes_every_rule() {
    assert_eq!(judged(TRON, |_| ()), Ok(()));
    assert_eq!(judged(EVM, |_| ()), Ok(()));
}

#[test]
fn a_policy_that_is_not_in_force_is_refused() {
    assert_eq!(refused(TRON, |c| c.content.policy.version = 2).0, Rule::PolicyInForce);
    assert_eq!(refused(TRON, |c| c.content.policy.digest = Digest::ZERO).0, Rule::PolicyInForce);
}

#[test]
fn a_network_that_is_not_listed_is_refused() {
    let rule = refused(TRON, |c| c.with_policy(|p| p.networks.retain(|n| n.network != TRON)));
    assert_eq!(rule.0, Rule::Network);
}

#[test]
fn a_kind_that_is_not_listed_is_refused() {
    assert_eq!(refused(TRON, |c| c.content.kind = Kind::TreasurySend).0, Rule::Kind);
}

#[test]
fn a_wallet_that_is_not_listed_or_has_the_wrong_role_is_refused() {
    let other = |c: &mut Case| c.content.source.as_mut().unwrap().index = 9;
    assert_eq!(refused(TRON, other).0, Rule::SourceWallet);
    let cold = |c: &mut Case| c.content.source = Some(sample::cold(TRON));
    assert_eq!(refused(TRON, cold).0, Rule::SourceWallet);
}

#[test]
fn a_tron_permission_other_than_the_paying_wallets_is_refused() {
    let ask = |c: &mut Case, permission| match &mut c.content.context {
        Context::Tron(tron) => tron.permission_id = permission,
        Context::Evm(_) => {}
    };
    assert_eq!(refused(TRON, |c| ask(c, 2)).0, Rule::Permission);
    let pinned = |c: &mut Case, permission| {
        ask(c, permission);
        c.with_policy(|p| p.networks[1].wallets[0].permission_id = 2);
    };
    assert_eq!(judged(TRON, |c| pinned(c, 2)), Ok(()));
    for other in [0, 3] {
        assert_eq!(refused(TRON, |c| pinned(c, other)).0, Rule::Permission);
    }
}

#[test]
fn signing_outside_the_hours_of_the_policy_is_refused() {
    // A Thursday, 12:01 UTC.
    let open = |day, from_minute, to_minute| {
        judged(TRON, |c| c.with_policy(|p| p.windows = vec![Window { day, from_minute, to_minute }]))
    };
    assert_eq!(open(3, 721, 722), Ok(()));
    for (day, from, to) in [(3, 0, 721), (3, 722, 1_440), (2, 0, 1_440), (4, 0, 1_440)] {
        assert_eq!(open(day, from, to).unwrap_err().rule, Rule::TimeWindow);
    }
    assert_eq!(refused(TRON, |c| c.with_policy(|p| p.windows.clear())).0, Rule::TimeWindow);
}

#[test]
fn a_foreign_token_or_a_false_claim_about_a_token_is_refused() {
    let fake = |c: &mut Case| c.content.asset.contract = Some(Address::new(TRON, [0xfa; 20]));
    assert_eq!(refused(TRON, fake).0, Rule::Asset);
    assert_eq!(refused(TRON, |c| c.content.asset.decimals = 18).0, Rule::Asset);
    assert_eq!(refused(TRON, |c| c.content.asset.symbol = "USDC".to_owned()).0, Rule::Asset);
}

#[test]
fn too_many_items_or_batches_are_refused() {
    assert_eq!(refused(TRON, |c| c.with_policy(|p| p.bounds.items_max = 2)).0, Rule::Items);
    assert_eq!(refused(TRON, |c| c.bundle_len = 5).0, Rule::BundleSize);
}

#[test]
fn an_item_a_batch_or_a_day_above_its_limit_is_refused() {
    let item = |c: &mut Case| c.content.items[1].amount = BaseUnits::from(50_000_000_001u64);
    assert_eq!(refused(TRON, item), (Rule::PerItemLimit, Some(1)));
    let batch = |c: &mut Case| {
        c.with_policy(|p| p.networks[1].assets[0].per_batch_max = BaseUnits::from(1u64));
    };
    assert_eq!(refused(TRON, batch).0, Rule::PerBatchLimit);
}

#[test]
fn a_cold_wallet_pays_listed_hot_wallets_only() {
    let theft = |c: &mut Case| {
        c.content.kind = Kind::ColdToHot;
        c.content.source = Some(sample::cold(EVM));
        c.content.items.iter_mut().for_each(|item| item.destination = sample::hot(EVM).address);
        c.content.items[2].destination = Address::new(EVM, [0x66; 20]);
    };
    assert_eq!(refused(EVM, theft), (Rule::ColdToHot, Some(2)));
    let transfer = |c: &mut Case| {
        theft(c);
        c.content.items[2].destination = sample::hot(EVM).address;
    };
    assert_eq!(judged(EVM, transfer), Ok(()));
}

#[test]
fn a_denied_address_is_never_paid() {
    let denied = |c: &mut Case| c.content.items[2].destination = Address::new(TRON, [0; 20]);
    assert_eq!(refused(TRON, denied), (Rule::DeniedDestination, Some(2)));
}

#[test]
fn an_address_that_keeps_what_it_is_sent_is_never_paid() {
    let lost = [Address::new(EVM, [0xee; 20]), sample::usdt(EVM).contract.unwrap(), sample::hot(EVM).address];
    for address in lost {
        let pay = |c: &mut Case| c.content.items[1].destination = address;
        assert_eq!(refused(EVM, pay), (Rule::UnpayableDestination, Some(1)));
    }
}

#[test]
fn where_withdrawals_are_listed_others_are_refused() {
    let listed = |c: &mut Case| {
        c.with_policy(|p| {
            p.networks[1].withdrawals_to = airlock_shared::policy::WithdrawalsTo::Listed;
        });
    };
    assert_eq!(refused(TRON, listed), (Rule::ListedDestination, Some(0)));
}

#[test]
fn a_transaction_that_may_cost_too_much_is_refused() {
    let tron = |c: &mut Case| match &mut c.content.context {
        Context::Tron(tron) => tron.fee_limit_sun = 50_000_001,
        Context::Evm(_) => {}
    };
    assert_eq!(refused(TRON, tron).0, Rule::FeeCap);
    let fee: [fn(&mut airlock_shared::batch::EvmContext); 3] = [
        |evm| evm.gas_limit = 300_001,
        |evm| evm.levels[0].max_fee_per_gas_wei = 200_000_000_001,
        |evm| evm.levels[0].max_priority_fee_per_gas_wei = 5_000_000_001,
    ];
    for raise in fee {
        let evm = |c: &mut Case| match &mut c.content.context {
            Context::Evm(evm) => raise(evm),
            Context::Tron(_) => {}
        };
        assert_eq!(refused(EVM, evm).0, Rule::FeeCap);
    }
}

#[test]
fn a_batch_that_lives_too_long_has_expired_or_is_from_the_future_is_refused() {
    assert_eq!(refused(TRON, |c| c.content.expires_at = NOW + 86_401).0, Rule::Lifetime);
    assert_eq!(refused(TRON, |c| c.now = NOW + 43_200).0, Rule::Expired);
    assert_eq!(refused(TRON, |c| c.now = NOW - 301).0, Rule::Clock);
    assert_eq!(judged(TRON, |c| c.now = NOW - 300), Ok(()));
}

#[test]
fn approvals_must_be_enough_distinct_listed_people_other_than_the_creator() {
    let by =
        |c: &Case, name: &str, seed| approver::approve(&c.content, person(name), None, &identity_key(seed));
    let one = |c: &mut Case| c.approvals = Some(vec![by(c, "carol", 3)]);
    assert_eq!(refused(TRON, one).0, Rule::Approvals);
    let twice = |c: &mut Case| c.approvals = Some(vec![by(c, "carol", 3), by(c, "carol", 3)]);
    assert_eq!(refused(TRON, twice).0, Rule::Approvals);
    let stranger = |c: &mut Case| c.approvals = Some(vec![by(c, "carol", 3), by(c, "mallory", 6)]);
    assert_eq!(refused(TRON, stranger).0, Rule::Approvals);
    let borrowed = |c: &mut Case| c.approvals = Some(vec![by(c, "carol", 3), by(c, "dave", 3)]);
    assert_eq!(refused(TRON, borrowed).0, Rule::Approvals);
    let creator = |c: &mut Case| c.content.creator = person("carol");
    assert_eq!(refused(TRON, creator).0, Rule::Approvals);
}

#[test]
fn approvals_of_another_content_do_not_count() {
    let stale = |c: &mut Case| {
        c.approvals = Some(approvals(&c.content));
        c.content.items[0].amount = BaseUnits::from(1u64);
    };
    assert_eq!(refused(TRON, stale).0, Rule::Approvals);
}

#[test]
fn one_device_under_two_names_is_one_person() {
    let doubled = |c: &mut Case| {
        c.with_policy(|p| p.approvers[1].device = p.approvers[0].device);
        let by = |name| approver::approve(&c.content, person(name), None, &identity_key(3));
        c.approvals = Some(vec![by("carol"), by("dave")]);
    };
    assert_eq!(refused(TRON, doubled).0, Rule::Approvals);
}

#[test]
fn a_policy_with_two_answers_to_one_question_is_refused() {
    use airlock_shared::document::{Document as _, read};
    use airlock_shared::policy::SignedPolicy;
    let good = sample::signed_policy();
    let refusal = |alter: fn(&mut airlock_shared::policy::NetworkPolicy)| {
        let mut signed = good.clone();
        alter(&mut signed.policy.networks[0]);
        read::<SignedPolicy>(&signed.to_binary()).unwrap_err().to_string()
    };
    let assets = refusal(|network| {
        let mut generous = network.assets[0].clone();
        generous.per_day_max = BaseUnits::MAX;
        network.assets.push(generous);
    });
    assert!(assets.ends_with("assets: each contract once"), "{assets}");
    let kinds = refusal(|network| network.destinations.push(network.destinations[0].clone()));
    assert!(kinds.ends_with("destinations: each kind once"), "{kinds}");
}
