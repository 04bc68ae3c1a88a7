//! The memory answers as a reader who scans every record would, for any history.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use airlock_shared::batch::{FeeLevel, Kind, ReissueReason};
use airlock_shared::journal::{Record, RecordItem, Terms};
use airlock_shared::memory::{Memory, Past};
use airlock_shared::{Address, BaseUnits, ItemId, Network};
use proptest::prelude::*;

const NETWORKS: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];
const KINDS: [Kind; 4] = [Kind::Withdrawal, Kind::Sweep, Kind::Delegate, Kind::Cancel];
const FEE: FeeLevel = FeeLevel { max_fee_per_gas_wei: 2, max_priority_fee_per_gas_wei: 1 };

fn address(network: Network, seed: u8) -> Address {
    Address::new(network, [seed; 20])
}

/// Few distinct ids, accounts and nonces, so that they meet; ids of three epochs.
fn item(network: Network) -> impl Strategy<Value = RecordItem> {
    let reason = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            ReissueReason::Stuck,
            ReissueReason::Expired,
            ReissueReason::FailedOnChain,
            ReissueReason::Cancelled,
        ]),
    );
    let id = (0u64..3, 0u64..12).prop_map(|(epoch, low)| ItemId::new((epoch << 48) | low));
    let amount = prop_oneof![9 => (0u64..1_000).prop_map(BaseUnits::from), 1 => Just(BaseUnits::MAX)];
    let numbers = (0u8..3, 0u8..4, 0u64..8, any::<[u8; 1]>());
    (id, numbers, amount, reason).prop_map(move |(id, (source, to, nonce, tx), amount, reissue)| {
        let evm = network == Network::EVM_DEV;
        RecordItem {
            id,
            source: address(network, source),
            destination: address(network, 100 + to),
            amount,
            account_nonce: evm.then_some(nonce),
            tx_ids: if evm { Vec::new() } else { vec![[tx[0]; 32]] },
            reissue,
        }
    })
}

fn record() -> impl Strategy<Value = Record> {
    let choices = (prop::sample::select(NETWORKS.to_vec()), prop::sample::select(KINDS.to_vec()));
    (choices, any::<bool>(), any::<bool>(), 0u64..50).prop_flat_map(
        |((network, kind), token, cancels, step)| {
            prop::collection::vec(item(network), 1..6).prop_map(move |items| Record {
                network,
                kind,
                contract: token.then(|| address(network, 7)),
                time: step,
                terms: match network {
                    Network::Tron { .. } => Terms::Tron { dead_after: 9 },
                    Network::Evm { .. } => Terms::Evm { highest: FEE, cancels },
                },
                items,
            })
        },
    )
}

/// A history in which time never falls.
fn history() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 0..20).prop_map(|mut records| {
        let mut now = 1_000;
        for record in &mut records {
            now += record.time;
            record.time = now;
        }
        records
    })
}

fn remember(records: &[Record]) -> Memory {
    let mut memory = Memory::default();
    records.iter().for_each(|record| memory.take_in(record));
    memory
}

type Each<'a> = Vec<(&'a Record, &'a RecordItem)>;

fn each(records: &[Record]) -> Each<'_> {
    records.iter().flat_map(|record| record.items.iter().map(move |item| (record, item))).collect()
}

fn sum(amounts: impl Iterator<Item = BaseUnits>) -> BaseUnits {
    BaseUnits::checked_sum(amounts).unwrap_or(BaseUnits::MAX)
}

fn stuck(item: &RecordItem) -> bool {
    item.reissue == Some(ReissueReason::Stuck)
}

fn pays(record: &Record) -> bool {
    !matches!(record.kind, Kind::Cancel | Kind::Delegate | Kind::Undelegate)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_number_is_remembered_as_a_scan_finds_it(records in history()) {
        let memory = remember(&records);
        let all = each(&records);
        let highest = all.iter().map(|(_, item)| item.id.number()).max().unwrap_or(0);
        prop_assert_eq!(memory.highest_item(), highest);
        prop_assert_eq!(memory.time(), records.last().map_or(0, |record| record.time));
        for epoch in 0..4u16 {
            let of = all.iter().map(|(_, item)| item.id).filter(|id| id.epoch() == epoch);
            prop_assert_eq!(memory.highest_item_of(epoch), of.map(|id| id.number()).max());
            for low in 0..12 {
                let id = ItemId::new((u64::from(epoch) << 48) | low);
                let scanned: Vec<_> = all.iter().filter(|(_, item)| item.id == id).collect();
                let found: Vec<_> = memory.signings_of(id).collect();
                prop_assert_eq!(found.len(), scanned.len());
                for (found, (record, item)) in found.iter().zip(scanned) {
                    prop_assert_eq!((found.record, found.item), (*record, *item));
                    prop_assert_eq!(&records[found.place], *record);
                }
            }
        }
        for tx in 0..=255u8 {
            let scanned = all.iter().any(|(_, item)| item.tx_ids.contains(&[tx; 32]));
            prop_assert_eq!(memory.has_tx_id(&[tx; 32]), scanned);
        }
    }

    #[test]
    fn every_account_nonce_is_remembered_as_a_scan_finds_it(records in history()) {
        let memory = remember(&records);
        let all = each(&records);
        for account in (0..3).map(|seed| address(Network::EVM_DEV, seed)) {
            let own: Vec<_> = all.iter().filter(|(_, item)| item.source == account).collect();
            let highest = own.iter().filter_map(|(_, item)| item.account_nonce).max();
            prop_assert_eq!(memory.highest_nonce(&account), highest);
            for nonce in 0..8 {
                let used: Vec<_> =
                    own.iter().filter(|(_, item)| item.account_nonce == Some(nonce)).collect();
                let at = memory.at_nonce(&account, nonce);
                prop_assert_eq!(at.map(|at| at.item), used.first().map(|(_, item)| item.id));
                let cancels = |record: &Record| {
                    record.kind == Kind::Cancel || matches!(record.terms, Terms::Evm { cancels: true, .. })
                };
                let cancel = used.iter().find(|(record, _)| cancels(record)).map(|(_, item)| item.id);
                prop_assert_eq!(at.and_then(|at| at.cancel), cancel);
            }
        }
    }

    #[test]
    fn every_sum_is_what_a_scan_adds_up(records in history(), since in 990u64..2_000) {
        let memory = remember(&records);
        for network in NETWORKS {
            for contract in [None, Some(address(network, 7))] {
                let own: Vec<_> = records
                    .iter()
                    .filter(|record| (record.network, record.contract) == (network, contract))
                    .cloned()
                    .collect();
                let counted = |from: u64| {
                    let all = each(&own).into_iter().filter(move |(record, item)| record.time >= from && !stuck(item));
                    all.map(|(_, item)| item.clone()).collect::<Vec<_>>()
                };
                let spent = sum(counted(since).iter().map(|item| item.amount));
                let again = counted(since);
                let again = sum(again.iter().filter(|item| item.reissue.is_some()).map(|item| item.amount));
                // Once all that was ever signed is above 256 bits, every window is said to be.
                let over = |items: Vec<RecordItem>| sum(items.iter().map(|item| item.amount)) == BaseUnits::MAX;
                let ever = counted(0);
                let ever_again = ever.iter().filter(|item| item.reissue.is_some()).cloned().collect();
                let expected = |sum, over| if over { BaseUnits::MAX } else { sum };
                prop_assert_eq!(memory.spent_since(network, contract, since), expected(spent, over(ever)));
                let found = memory.reissued_since(network, contract, since);
                prop_assert_eq!(found, expected(again, over(ever_again)));
            }
        }
    }

    #[test]
    fn every_destination_is_known_as_a_scan_finds_it(records in history()) {
        let memory = remember(&records);
        let all = each(&records);
        for network in NETWORKS {
            for to in (100..104).map(|seed| address(network, seed)) {
                let mut paid = all.iter().filter(|(record, item)| {
                    item.destination == to && pays(record) && !stuck(item)
                });
                prop_assert_eq!(memory.first_seen(&to), paid.clone().map(|(record, _)| record.time).min());
                let token = Some(address(network, 7));
                let of_token = paid.by_ref().filter(|(record, _)| record.contract == token);
                prop_assert_eq!(memory.paid(token, &to), sum(of_token.map(|(_, item)| item.amount)));
            }
        }
    }

    #[test]
    fn a_bundle_before_it_is_a_past_like_any_other(records in history(), cut in 0usize..20, since in 990u64..2_000) {
        let (journal, bundle) = records.split_at(cut.min(records.len()));
        let (whole, journal, bundle) = (remember(&records), remember(journal), remember(bundle));
        let (whole, split) = (Past::of(&whole), Past::of(&journal).with_bundle(&bundle));
        for network in NETWORKS {
            for seed in 0..3 {
                let account = address(network, seed);
                prop_assert_eq!(split.highest_nonce(&account), whole.highest_nonce(&account));
                for nonce in 0..8 {
                    prop_assert_eq!(split.at_nonce(&account, nonce), whole.at_nonce(&account, nonce));
                }
            }
            for to in (100..104).map(|seed| address(network, seed)) {
                prop_assert_eq!(split.first_seen(&to), whole.first_seen(&to));
                prop_assert_eq!(split.paid(None, &to), whole.paid(None, &to));
            }
            // Above 256 bits the two may be told apart, never below.
            let (one, both) = (whole.spent_since(network, None, since), split.spent_since(network, None, since));
            prop_assert!(one == both || one == BaseUnits::MAX);
        }
        for id in (0..4u64).flat_map(|epoch| (0..12).map(move |low| ItemId::new((epoch << 48) | low))) {
            prop_assert_eq!(split.signings_of(id).count(), whole.signings_of(id).count());
            prop_assert_eq!(split.highest_item_of(id.epoch()), whole.highest_item_of(id.epoch()));
        }
        prop_assert_eq!(split.newest_epoch(), whole.newest_epoch());
    }
}
