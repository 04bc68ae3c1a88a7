//! The rules that look at what was signed before, each on both sides of its bound: clock, gaps, rolling sums,
//! reissues, strangers; and the journal's own checks for repeats.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel, Kind, Reissue, ReissueReason};
use airlock_shared::genesis::{AccountNonce, Genesis, Reason, Spent};
use airlock_shared::identity::Identity;
use airlock_shared::memory::{Memory, Past, RepeatCode};
use airlock_shared::policy::rules::first_seen_of;
use airlock_shared::policy::{Facts, Rule};
use airlock_shared::roles::approver;
use airlock_shared::{Address, BaseUnits, Digest, ItemId, Network, Profile};
use sample::case::{Case, judged, record, refused, tx_ids};
use sample::{NOW, hot, identity_key, person};

const TRON: Network = Network::TRON_DEV;
const EVM: Network = Network::EVM_DEV;
const DAY: u64 = 86_400;

fn usdt(whole: u64) -> BaseUnits {
    BaseUnits::from(whole * 1_000_000)
}

/// Gives a content other items than the sample's: ids, nonces and TRON times from `by` on.
fn shift(content: &mut Content, by: u64) {
    for item in &mut content.items {
        item.id = ItemId::new(item.id.number() + by);
        item.account_nonce = item.account_nonce.map(|nonce| nonce + by);
    }
    if let Context::Tron(tron) = &mut content.context {
        tron.timestamp_ms += by;
    }
}

#[test]
fn a_clock_far_ahead_of_the_journal_is_refused() {
    let ahead = |seconds| {
        judged(TRON, |c| {
            c.with_policy(|p| p.bounds.clock_jump_max_seconds = 600);
            c.now = NOW + seconds;
        })
    };
    assert_eq!(ahead(600), Ok(()));
    assert_eq!(ahead(601).unwrap_err().rule, Rule::ClockJump);
}

#[test]
fn an_item_id_far_below_the_signed_ones_of_its_epoch_is_refused() {
    let behind = |highest: u64| {
        judged(TRON, |c| {
            c.with_policy(|p| p.bounds.item_behind_max = 100);
            c.signed_before(NOW, |before| {
                shift(before, 5_000);
                before.items.truncate(1);
                before.items[0].id = ItemId::new(highest);
            });
        })
    };
    // The batch holds the ids 1000 to 1002.
    assert_eq!(behind(1_100), Ok(()));
    let refusal = behind(1_101).unwrap_err();
    assert_eq!((refusal.rule, refusal.item), (Rule::ItemBehind, Some(0)));
    // The next epoch has ids of its own; those of an epoch before the first are nobody's.
    assert_eq!(behind((1 << 48) + 7).unwrap_err().rule, Rule::ItemBehind);
}

#[test]
fn an_item_id_far_above_the_one_before_it_is_refused() {
    let ahead = |highest: u64, first: u64, last: u64| {
        judged(TRON, |c| {
            c.with_policy(|p| p.bounds.item_ahead_max = 100);
            c.signed_before(NOW, |before| {
                shift(before, 5_000);
                before.items.truncate(1);
                before.items[0].id = ItemId::new(highest);
            });
            c.content.items[0].id = ItemId::new(first);
            c.content.items[1].id = ItemId::new(first + 1);
            c.content.items[2].id = ItemId::new(last);
        })
    };
    let item = |result: Result<(), airlock_shared::policy::Refusal>| {
        let refusal = result.unwrap_err();
        assert_eq!(refusal.rule, Rule::ItemAhead);
        refusal.item
    };
    assert_eq!(ahead(900, 1_000, 1_101), Ok(()));
    assert_eq!(item(ahead(900, 1_001, 1_003)), Some(0));
    assert_eq!(item(ahead(900, 1_000, 1_102)), Some(2));
    // A restored coordinator begins the next epoch, at its beginning, and no later one.
    let epoch = |number: u64| number << 48;
    assert_eq!(ahead(900, epoch(1) + 100, epoch(1) + 102), Ok(()));
    assert_eq!(item(ahead(900, epoch(1) + 101, epoch(1) + 103)), Some(0));
    assert_eq!(item(ahead(900, epoch(2) + 1, epoch(2) + 3)), Some(0));
    // The first id of all leaves room for those that follow.
    let first = |number: u64| {
        judged(TRON, |c| {
            (0..).zip(&mut c.content.items).for_each(|(n, item)| item.id = ItemId::new(epoch(number) + n))
        })
    };
    assert_eq!(first(0x7fff), Ok(()));
    assert_eq!(item(first(0x8000)), Some(0));
    // What was drawn up before the restore may still come.
    assert_eq!(ahead(epoch(1) + 1, epoch(1) + 2, epoch(1) + 4), Ok(()));
}

#[test]
fn a_gap_in_the_account_nonces_is_refused() {
    let gap = |highest: u64, last: u64| {
        judged(EVM, |c| {
            c.with_policy(|p| p.bounds.nonce_ahead_max = 2);
            c.signed_before(NOW, |before| {
                shift(before, 50);
                before.items.truncate(1);
                before.items[0].account_nonce = Some(highest);
            });
            c.content.items[2].account_nonce = Some(last);
        })
    };
    // The batch uses the nonces 70, 71 and one more.
    assert_eq!(gap(67, 72), Ok(()));
    let refusal = gap(66, 72).unwrap_err();
    assert_eq!((refusal.rule, refusal.item), (Rule::NonceGap, Some(0)));
    assert_eq!(gap(69, 74), Ok(()));
    assert_eq!(gap(69, 75).unwrap_err().item, Some(2));
    // An account that never paid may begin anywhere.
    assert_eq!(judged(EVM, |c| c.with_policy(|p| p.bounds.nonce_ahead_max = 0)), Ok(()));
}

#[test]
fn what_was_signed_in_the_last_day_counts_against_the_day() {
    let day = |spent: u64, time: u64| {
        judged(TRON, |c| {
            c.content.items.truncate(1);
            c.content.items[0].amount = usdt(100);
            c.with_policy(|p| p.networks[1].assets[0].per_day_max = usdt(300));
            c.signed_before(time, |before| {
                shift(before, 10);
                before.items[0].amount = usdt(spent);
            });
        })
    };
    // Now is NOW + 60.
    assert_eq!(day(200, NOW), Ok(()));
    assert_eq!(day(201, NOW).unwrap_err().rule, Rule::PerDayLimit);
    assert_eq!(day(201, NOW + 60 - DAY).unwrap_err().rule, Rule::PerDayLimit);
    assert_eq!(day(201, NOW + 59 - DAY), Ok(()));
}

#[test]
fn the_batches_before_it_in_a_bundle_count_as_signed() {
    let mut case = Case::new(TRON);
    let mut before = case.content.clone();
    shift(&mut before, 10);
    case.with_policy(|p| p.networks[1].assets[0].per_day_max = p.networks[1].assets[0].per_item_max);
    let mut bundle = Memory::default();
    bundle.take_in(&record(&before, case.now));
    let approvals = sample::approvals(&case.content);
    let judge = |past| {
        airlock_shared::policy::judge(&Facts {
            content: &case.content,
            digest: case.content.digest(),
            approvals: &approvals,
            bundle_len: 2,
            policy: &case.policy,
            now: case.now,
            past,
        })
    };
    let alone = Past::of(&case.memory);
    assert_eq!(judge(alone), Ok(()));
    assert_eq!(judge(Past::unknown()), Ok(()));
    before.items.iter_mut().for_each(|item| item.amount = usdt(20_000));
    bundle.take_in(&record(&before, case.now));
    assert_eq!(judge(alone.with_bundle(&bundle)).unwrap_err().rule, Rule::PerDayLimit);
    assert_eq!(alone.with_bundle(&bundle).signings_of(before.items[0].id).count(), 2);
}

// ---- strangers

#[test]
fn a_stranger_gets_little_until_the_delay_is_over() {
    let first = |amount: u64, known: Option<u64>| {
        judged(TRON, |c| {
            c.content.items[1].amount = usdt(amount);
            let stranger = c.content.items[1].destination;
            known.into_iter().for_each(|time| c.memory.first_seen_refused(TRON, &[stranger], time));
        })
    };
    assert_eq!(first(20_000, None), Ok(()));
    let refusal = first(20_001, None).unwrap_err();
    assert_eq!((refusal.rule, refusal.item), (Rule::FirstSeen, Some(1)));
    // Now is NOW + 60, the delay a day.
    assert_eq!(first(20_001, Some(NOW + 60 - DAY)), Ok(()));
    assert_eq!(first(20_001, Some(NOW + 61 - DAY)).unwrap_err().rule, Rule::FirstSeen);
}

#[test]
fn small_payments_to_a_stranger_add_up() {
    let paid = |before: u64, now: u64, time: u64| {
        judged(TRON, |c| {
            c.content.items[0].amount = usdt(now);
            c.signed_before(time, |batch| {
                shift(batch, 10);
                batch.items.truncate(1);
                batch.items[0].amount = usdt(before);
            });
        })
    };
    assert_eq!(paid(15_000, 5_000, NOW), Ok(()));
    assert_eq!(paid(15_000, 5_001, NOW).unwrap_err().rule, Rule::FirstSeen);
    assert_eq!(paid(15_000, 5_001, NOW + 60 - DAY), Ok(()));
    let twice = |c: &mut Case| {
        c.content.items[2].destination = c.content.items[0].destination;
        (c.content.items[0].amount, c.content.items[2].amount) = (usdt(10_000), usdt(10_001));
    };
    assert_eq!(refused(TRON, twice), (Rule::FirstSeen, Some(2)));
}

#[test]
fn listed_destinations_and_other_kinds_are_no_strangers() {
    let listed = |c: &mut Case| {
        let known = c.content.items[1].destination;
        c.content.items[1].amount = usdt(50_000);
        c.with_policy(|p| {
            let addresses = vec![known];
            p.networks[1]
                .destinations
                .push(airlock_shared::policy::KindDestinations { kind: Kind::Withdrawal, addresses });
        });
    };
    assert_eq!(judged(TRON, listed), Ok(()));
    let funding = |c: &mut Case| {
        c.content.kind = Kind::ColdToHot;
        c.content.source = Some(sample::cold(TRON));
        c.content.items.truncate(1);
        c.content.items[0].destination = hot(TRON).address;
        c.content.items[0].amount = usdt(50_000);
    };
    assert_eq!(judged(TRON, funding), Ok(()));
}

#[test]
fn the_destinations_whose_delay_begins_are_the_unknown_ones() {
    let mut case = Case::new(TRON);
    let known = case.content.items[0].destination;
    case.memory.first_seen_refused(TRON, &[known], NOW);
    let facts = Facts {
        content: &case.content,
        digest: case.content.digest(),
        approvals: &[],
        bundle_len: 1,
        policy: &case.policy,
        now: case.now,
        past: Past::of(&case.memory),
    };
    let mut expected: Vec<Address> = case.content.items[1..].iter().map(|item| item.destination).collect();
    expected.sort_unstable();
    assert_eq!(first_seen_of(&facts).destinations, expected);
}

// ---- signing again

/// The sample batch was signed an hour ago with everything it holds; its second item is signed again.
fn again(case: &mut Case, reason: ReissueReason, dead: Vec<[u8; 32]>) {
    case.signed_before(NOW - 3_600, |_| ());
    case.content.items = vec![case.content.items.swap_remove(1)];
    case.content.items[0].reissue = Some(Reissue { reason, dead });
    match &mut case.content.context {
        Context::Tron(tron) => {
            tron.timestamp_ms += 1_000;
            tron.expiration_ms += 7_200_000;
            (case.now, case.content.created_at) = (NOW + 43_600, NOW + 43_500);
            case.content.expires_at = NOW + 50_000;
        }
        Context::Evm(evm) => {
            let FeeLevel { max_fee_per_gas_wei: fee, max_priority_fee_per_gas_wei: tip } = evm.levels[0];
            evm.levels = vec![FeeLevel {
                max_fee_per_gas_wei: fee + fee / 10,
                max_priority_fee_per_gas_wei: tip + tip / 10,
            }];
        }
    }
    if reason != ReissueReason::Stuck {
        case.content.items[0].account_nonce = case.content.items[0].account_nonce.map(|_| 90);
        let everyone = [("carol", 3), ("dave", 4), ("erin", 5)];
        case.approvals = Some(Vec::new());
        case.policy.approvals.reissue_independent = 3;
        let by = |(name, seed)| approver::approve(&case.content, person(name), None, &identity_key(seed));
        case.approvals = Some(everyone.into_iter().map(by).collect());
    }
}

/// Judges a reissue that is good but for what `alter` changes; approvals are made again after it.
fn reissued(
    network: Network,
    reason: ReissueReason,
    dead: impl Fn(&Content) -> Vec<[u8; 32]>,
    alter: impl FnOnce(&mut Case),
) -> Result<(), (Rule, Option<usize>)> {
    let mut case = Case::new(network);
    let dead = dead(&case.content);
    again(&mut case, reason, dead);
    alter(&mut case);
    if let Some(given) = case.approvals.take() {
        let by = |approval: &airlock_shared::approval::Approval| {
            let seed = match approval.person.as_str() {
                "carol" => 3,
                "dave" => 4,
                _ => 5,
            };
            approver::approve(&case.content, approval.person.clone(), None, &identity_key(seed))
        };
        case.approvals = Some(given.iter().map(by).collect());
    }
    assert_eq!(case.content.check(), Ok(()));
    case.judge().map_err(|refusal| (refusal.rule, refusal.item))?;
    assert_eq!(case.repeats(), Ok(()), "what the rules let through repeats nothing");
    Ok(())
}

const REASON: Result<(), (Rule, Option<usize>)> = Err((Rule::ReissueReason, Some(0)));

fn none(_: &Content) -> Vec<[u8; 32]> {
    Vec::new()
}

fn second_of(content: &Content) -> Vec<[u8; 32]> {
    tx_ids(content)[1].clone()
}

#[test]
fn a_stuck_payment_is_signed_again_at_higher_fees_and_nothing_else_of_it_changes() {
    let stuck = |alter: fn(&mut Case)| reissued(EVM, ReissueReason::Stuck, none, alter);
    assert_eq!(stuck(|_| ()), Ok(()));
    assert_eq!(stuck(|c| c.content.items[0].amount = usdt(1)), REASON);
    assert_eq!(stuck(|c| c.content.items[0].destination = Address::new(EVM, [0x42; 20])), REASON);
    assert_eq!(stuck(|c| c.content.items[0].account_nonce = Some(72)), REASON);
    assert_eq!(stuck(|c| c.content.items[0].id = ItemId::new(1_500)), REASON);
    let low: [fn(&mut FeeLevel); 2] =
        [|fee| fee.max_fee_per_gas_wei -= 1, |fee| fee.max_priority_fee_per_gas_wei -= 1];
    for lower in low {
        let refused = reissued(EVM, ReissueReason::Stuck, none, |c| match &mut c.content.context {
            Context::Evm(evm) => lower(&mut evm.levels[0]),
            Context::Tron(_) => {}
        });
        assert_eq!(refused, REASON);
    }
}

#[test]
fn a_stuck_payment_from_another_wallet_is_refused() {
    let other = |c: &mut Case| {
        let wallet =
            airlock_shared::batch::Wallet { index: 1, address: sample::address(EVM, 17), ..hot(EVM) };
        c.content.source = Some(wallet);
        c.with_policy(|p| p.networks[0].wallets.push(sample::paying(wallet)));
    };
    assert_eq!(reissued(EVM, ReissueReason::Stuck, none, other), REASON);
}

#[test]
fn a_stuck_payment_counts_once_and_needs_no_higher_quorum() {
    let tight = |c: &mut Case| {
        let assets = |p: &mut airlock_shared::policy::Policy| {
            let asset = &mut p.networks[0].assets[0];
            let sum = c.memory.spent_since(EVM, asset.asset.contract, 0);
            (asset.per_day_max, asset.reissue_per_item_max) = (sum, BaseUnits::ZERO);
        };
        let mut policy = c.policy.clone();
        assets(&mut policy);
        c.with_policy(|p| *p = policy);
    };
    assert_eq!(reissued(EVM, ReissueReason::Stuck, none, tight), Ok(()));
    let mut case = Case::new(EVM);
    again(&mut case, ReissueReason::Stuck, Vec::new());
    let contract = case.content.asset.contract;
    let before = case.memory.spent_since(EVM, contract, 0);
    case.memory.take_in(&record(&case.content, case.now));
    assert_eq!(case.memory.spent_since(EVM, contract, 0), before);
    assert_eq!(case.memory.signings_of(case.content.items[0].id).count(), 2);
}

#[test]
fn an_expired_payment_is_signed_again_an_hour_after_its_death() {
    let expired = |alter: fn(&mut Case)| reissued(TRON, ReissueReason::Expired, second_of, alter);
    // The transactions of the sample expire at NOW + 40,000.
    assert_eq!(expired(|_| ()), Ok(()));
    assert_eq!(expired(|c| c.now -= 1), REASON);
    assert_eq!(expired(|c| c.content.items[0].amount = usdt(1)), REASON);
    let other = |dead: fn(&Content) -> Vec<[u8; 32]>| reissued(TRON, ReissueReason::Expired, dead, |_| ());
    assert_eq!(other(|_| vec![[1; 32]]), REASON);
    assert_eq!(other(|content| tx_ids(content)[2].clone()), REASON);
    assert_eq!(other(|content| tx_ids(content)[1..].concat()), REASON);
}

#[test]
fn a_failed_payment_on_tron_names_the_transaction_that_was_signed_last() {
    let failed = |dead: fn(&Content) -> Vec<[u8; 32]>| {
        reissued(TRON, ReissueReason::FailedOnChain, dead, |c| c.now = NOW + 43_600)
    };
    assert_eq!(failed(second_of), Ok(()));
    assert_eq!(failed(|_| vec![[1; 32]]), REASON);
    assert_eq!(failed(|content| [second_of(content), vec![[1; 32]]].concat()), REASON);
    // It was signed twice; the first is dead, the second is not said to be.
    let twice = |c: &mut Case| {
        let time = c.now - 100;
        c.signed_before(time, |batch| {
            if let Context::Tron(tron) = &mut batch.context {
                tron.timestamp_ms += 5;
            }
        });
    };
    assert_eq!(reissued(TRON, ReissueReason::FailedOnChain, second_of, twice), REASON);
}

#[test]
fn a_failed_payment_on_evm_needs_another_nonce() {
    let dead = |_: &Content| vec![[1; 32]];
    let failed = |alter: fn(&mut Case)| reissued(EVM, ReissueReason::FailedOnChain, dead, alter);
    assert_eq!(failed(|_| ()), Ok(()));
    assert_eq!(failed(|c| c.content.items[0].account_nonce = Some(71)), REASON);
    assert_eq!(failed(|c| c.content.items[0].amount = usdt(1)), REASON);
}

#[test]
fn a_cancelled_payment_had_a_cancel_or_names_the_dead_transaction() {
    let cancelled = |dead: fn(&Content) -> Vec<[u8; 32]>, alter: fn(&mut Case)| {
        reissued(EVM, ReissueReason::Cancelled, dead, alter)
    };
    assert_eq!(cancelled(none, |_| ()), REASON);
    assert_eq!(cancelled(|_| vec![[1; 32]], |_| ()), Ok(()));
    assert_eq!(cancelled(|_| vec![[1; 32]], |c| c.content.items[0].account_nonce = Some(71)), REASON);
    let cancel = |c: &mut Case| {
        let time = c.now;
        let second = c.content.items[0].destination;
        c.signed_before(time, |batch| {
            let own = hot(EVM).address;
            (batch.kind, batch.asset.contract) = (Kind::Cancel, None);
            batch.items[0].account_nonce = Some(71);
            (batch.items[0].destination, batch.items[0].amount) = (own, BaseUnits::ZERO);
            (batch.items[0].id, batch.items[0].reissue) = (ItemId::new(1_200), None);
            assert_ne!(second, own);
        });
    };
    assert_eq!(cancelled(none, cancel), Ok(()));
}

#[test]
fn what_rests_on_a_claim_needs_more_people_on_independent_devices() {
    let fewer = |c: &mut Case| c.approvals.as_mut().unwrap().truncate(2);
    let refused = reissued(TRON, ReissueReason::Expired, second_of, fewer);
    assert_eq!(refused, Err((Rule::ReissueApprovals, None)));
    let of_two = |c: &mut Case| {
        fewer(c);
        c.with_policy(|p| p.approvals.reissue_independent = 2);
    };
    assert_eq!(reissued(TRON, ReissueReason::Expired, second_of, of_two), Ok(()));
}

#[test]
fn what_rests_on_a_claim_has_caps_of_its_own_and_counts_again() {
    let capped = |item: u64, day: u64, before: u64| {
        reissued(TRON, ReissueReason::Expired, second_of, |c| {
            let amount = c.content.items[0].amount;
            let units = |n: u64| amount.checked_mul(BaseUnits::from(n)).unwrap();
            c.with_policy(|p| {
                let asset = &mut p.networks[1].assets[0];
                asset.reissue_per_item_max = units(item);
                asset.reissue_per_day_max = units(day);
            });
            for number in 0..before {
                let time = c.now - 100;
                c.signed_before(time, |batch| {
                    batch.items[0].id = ItemId::new(1_100 + number);
                    if let Context::Tron(tron) = &mut batch.context {
                        tron.timestamp_ms += 100 + number;
                    }
                });
            }
        })
    };
    assert_eq!(capped(1, 2, 1), Ok(()));
    assert_eq!(capped(0, 2, 1), Err((Rule::ReissueLimit, Some(0))));
    assert_eq!(capped(1, 2, 2), Err((Rule::ReissueLimit, None)));
    let mut case = Case::new(TRON);
    let dead = second_of(&case.content);
    again(&mut case, ReissueReason::Expired, dead);
    let (contract, amount) = (case.content.asset.contract, case.content.items[0].amount);
    let before = case.memory.spent_since(TRON, contract, 0);
    case.memory.take_in(&record(&case.content, case.now));
    assert_eq!(case.memory.spent_since(TRON, contract, 0), before.checked_add(amount).unwrap());
    assert_eq!(case.memory.reissued_since(TRON, contract, 0), amount);
}

// ---- repeats

fn repeated(network: Network, alter: impl FnOnce(&mut Case)) -> Option<(RepeatCode, usize)> {
    let mut case = Case::new(network);
    case.signed_before(NOW, |_| ());
    alter(&mut case);
    case.repeats().err().map(|repeat| (repeat.code, repeat.item))
}

#[test]
fn an_item_a_nonce_or_a_transaction_that_was_signed_is_not_signed_again() {
    for network in [TRON, EVM] {
        assert_eq!(repeated(network, |_| ()), Some((RepeatCode::Item, 0)));
        assert_eq!(repeated(network, |c| shift(&mut c.content, 10)), None);
    }
    let nonce = |c: &mut Case| {
        shift(&mut c.content, 10);
        c.content.items[2].account_nonce = Some(70);
    };
    assert_eq!(repeated(EVM, nonce), Some((RepeatCode::Nonce, 2)));
    let ids_only = |c: &mut Case| {
        c.content.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 10));
    };
    assert_eq!(repeated(TRON, ids_only), Some((RepeatCode::Tx, 0)));
}

#[test]
fn one_cancel_may_follow_a_payment_and_a_second_may_not() {
    let cancel = |c: &mut Case, id: u64| {
        let own = hot(EVM).address;
        (c.content.kind, c.content.asset.contract) = (Kind::Cancel, None);
        c.content.items.truncate(1);
        let item = &mut c.content.items[0];
        (item.id, item.destination, item.amount) = (ItemId::new(id), own, BaseUnits::ZERO);
    };
    assert_eq!(repeated(EVM, |c| cancel(c, 2_000)), None);
    let second = |c: &mut Case| {
        cancel(c, 2_000);
        c.signed_before(NOW, |_| ());
        cancel(c, 2_001);
    };
    assert_eq!(repeated(EVM, second), Some((RepeatCode::Nonce, 0)));
    let dearer = |c: &mut Case| {
        cancel(c, 2_000);
        c.signed_before(NOW, |_| ());
        c.content.items[0].reissue = Some(Reissue { reason: ReissueReason::Stuck, dead: Vec::new() });
    };
    assert_eq!(repeated(EVM, dearer), None);
    // Nor does a payment follow a cancel, nor a second cancel a payment that had one.
    let pay = |c: &mut Case| {
        let good = c.content.clone();
        cancel(c, 2_000);
        c.content.items[0].account_nonce = Some(99);
        c.signed_before(NOW, |_| ());
        c.content = good;
        shift(&mut c.content, 29);
    };
    assert_eq!(repeated(EVM, pay), Some((RepeatCode::Nonce, 0)));
    let with_terms = |c: &mut Case| {
        shift(&mut c.content, 10);
        if let Context::Evm(evm) = &mut c.content.context {
            evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: evm.levels[0] });
        }
        c.signed_before(NOW, |_| ());
        cancel(c, 2_000);
        if let Context::Evm(evm) = &mut c.content.context {
            evm.cancel = None;
        }
    };
    assert_eq!(repeated(EVM, with_terms), Some((RepeatCode::Nonce, 0)));
}

fn genesis() -> Genesis {
    Genesis {
        profile: Profile::Dev,
        signer: Identity::of(&identity_key(1)),
        roster: Digest::ZERO,
        reason: Reason::Restored,
        continues: None,
        highest_item: 1_000,
        nonces: vec![AccountNonce { account: hot(EVM).address, highest: 71 }],
        spent: vec![Spent {
            network: TRON,
            contract: sample::usdt(TRON).contract,
            time: NOW - 60,
            amount: usdt(1_900_000),
        }],
        made_at: NOW,
        policy: None,
    }
}

#[test]
fn what_the_custodians_terms_count_as_signed_is_not_signed() {
    let below = |network, item: u64, nonce: u64| {
        let mut case = Case::new(network);
        case.memory.take_in_genesis(&genesis());
        for (place, one) in (0..).zip(&mut case.content.items) {
            one.id = ItemId::new(item + place);
            one.account_nonce = one.account_nonce.map(|_| nonce + place);
        }
        case.repeats().err().map(|repeat| (repeat.code, repeat.item))
    };
    assert_eq!(below(TRON, 1_001, 0), None);
    assert_eq!(below(TRON, 999, 0), Some((RepeatCode::BelowWatermark, 0)));
    assert_eq!(below(TRON, 1_000, 0), Some((RepeatCode::BelowWatermark, 0)));
    assert_eq!(below(EVM, 1_001, 72), None);
    assert_eq!(below(EVM, 1_001, 71), Some((RepeatCode::BelowWatermark, 0)));
}

#[test]
fn what_the_terms_state_counts_in_the_day_and_never_hides_what_this_journal_knows() {
    let day = |c: &mut Case| {
        c.memory.take_in_genesis(&genesis());
        shift(&mut c.content, 1_000);
        c.content.items.iter_mut().for_each(|item| item.amount = usdt(15_000));
        c.content.items.extend(c.content.items.clone());
        c.content.items.extend(c.content.items.clone());
    };
    // 1,900,000 of the terms and 180,000 are above 2,000,000.
    assert_eq!(refused(TRON, day).0, Rule::PerDayLimit);
    let contract = sample::usdt(TRON).contract;
    let mut memory = Memory::default();
    let mut batch = sample::content(TRON, 1);
    batch.items[0].amount = usdt(3_000_000);
    memory.take_in(&record(&batch, NOW - 30));
    memory.take_in_genesis(&genesis());
    assert_eq!(memory.spent_since(TRON, contract, NOW - DAY), usdt(3_000_000));
    let mut memory = Memory::default();
    batch.items[0].amount = usdt(1_000);
    memory.take_in(&record(&batch, NOW - 90));
    memory.take_in_genesis(&genesis());
    assert_eq!(memory.spent_since(TRON, contract, NOW - DAY), usdt(1_901_000));
}

#[test]
fn terms_count_no_window_of_the_day_shorter_than_the_journal_did() {
    let contract = sample::usdt(TRON).contract;
    let mut memory = Memory::default();
    let mut batch = sample::content(TRON, 1);
    batch.items[0].amount = usdt(1_000);
    memory.take_in(&record(&batch, NOW - 30));
    memory.take_in_genesis(&genesis());
    // The terms' 1,900,000 of a minute ago are more; once they have left the window, our own are still in it.
    assert_eq!(memory.spent_since(TRON, contract, NOW - 60), usdt(1_900_000));
    assert_eq!(memory.spent_since(TRON, contract, NOW - 59), usdt(1_000));
    assert_eq!(memory.spent_since(TRON, contract, NOW - 29), BaseUnits::ZERO);
}

#[test]
fn no_claim_is_believed_about_an_item_from_before_the_custodians_terms() {
    let again = |reason, dead: Vec<[u8; 32]>| {
        let mut case = Case::new(EVM);
        case.signed_before(NOW - 90, |_| ());
        let mut terms = genesis();
        terms.highest_item = case.content.items.iter().map(|item| item.id.number()).max().unwrap();
        terms.nonces.clear();
        case.memory.take_in_genesis(&terms);
        case.content.items.truncate(1);
        if reason != ReissueReason::Stuck {
            case.content.items[0].account_nonce = Some(9_999);
        }
        case.content.items[0].reissue = Some(Reissue { reason, dead });
        case.repeats().err().map(|repeat| (repeat.code, repeat.item))
    };
    assert_eq!(again(ReissueReason::FailedOnChain, vec![[7; 32]]), Some((RepeatCode::BelowWatermark, 0)));
    assert_eq!(again(ReissueReason::Cancelled, vec![[7; 32]]), Some((RepeatCode::BelowWatermark, 0)));
    // At its own nonce at most one can be mined, whatever was lost.
    assert_eq!(again(ReissueReason::Stuck, Vec::new()), None);
}
