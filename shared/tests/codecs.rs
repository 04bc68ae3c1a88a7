//! Any policy, genesis, journal entry and record comes back from both spellings, and no altered byte of one is
//! read as another spelling of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{FeeLevel, Kind, ReissueReason, Wallet};
use airlock_shared::document::{self, Document};
use airlock_shared::form::{Form, from_cbor, to_cbor};
use airlock_shared::genesis::{AccountNonce, Genesis, PolicyVersion, Reason, SignedGenesis, Spent};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Ceremony, Chain, Entry, Event, FirstSeen, Record, RecordItem, Terms};
use airlock_shared::policy::{
    Allowance, HardwareKey, Machine, Passkey, PasskeyTerms, PayingWallet, Policy, SignedPolicy,
    UserVerification, Window,
};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, Digest, ItemId, Network, Profile};
use proptest::prelude::*;
use sample::identity_key;

const NETWORKS: [Network; 2] = [Network::EVM_DEV, Network::TRON_DEV];

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn network() -> impl Strategy<Value = Network> {
    prop::sample::select(NETWORKS.to_vec())
}

fn address(network: Network) -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(move |payload| Address::new(network, payload))
}

fn amount() -> impl Strategy<Value = BaseUnits> {
    prop_oneof![any::<u64>().prop_map(BaseUnits::from), any::<[u8; 32]>().prop_map(BaseUnits::from_be_bytes)]
}

fn passkey() -> impl Strategy<Value = Passkey> {
    (prop::collection::vec(any::<u8>(), 1..40), 1u8..=200).prop_map(|(credential, seed)| {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        Passkey { credential, public_key: point.as_bytes().try_into().unwrap() }
    })
}

fn passkey_terms() -> impl Strategy<Value = PasskeyTerms> {
    (
        "[a-z0-9][a-z0-9.-]{0,30}",
        prop::collection::btree_set("https://[!-~]{1,30}", 1..4),
        prop::sample::select(UserVerification::ALL.to_vec()),
    )
        .prop_map(|(rp_id, origins, user_verification)| PasskeyTerms {
            rp_id,
            origins: origins.into_iter().collect(),
            user_verification,
        })
}

fn windows() -> impl Strategy<Value = Vec<Window>> {
    // Cuts of the week, taken in pairs, are windows apart from each other.
    prop::collection::btree_set((0u8..7, 0u64..=1_440), 0..20).prop_map(|cuts| {
        let cuts: Vec<_> = cuts.into_iter().collect();
        let (pairs, _) = cuts.as_chunks::<2>();
        let same_day = pairs.iter().filter(|[from, to]| from.0 == to.0);
        same_day.map(|[from, to]| Window { day: from.0, from_minute: from.1, to_minute: to.1 }).collect()
    })
}

fn paying(network: Network) -> impl Strategy<Value = PayingWallet> {
    let permission = match network {
        Network::Tron { .. } => prop::sample::select(vec![0u8, 2, 3, 9]),
        Network::Evm { .. } => prop::sample::select(vec![0u8]),
    };
    let path = prop::collection::vec((0u32..=i32::MAX as u32, any::<bool>()), 1..5);
    let role = prop::sample::select(Role::ALL.to_vec());
    (role, any::<u32>(), address(network), permission, any::<[u8; 4]>(), path).prop_map(
        |(role, index, address, permission_id, fingerprint, path)| {
            let step = |(number, hard): (u32, bool)| format!("/{number}{}", if hard { "'" } else { "" });
            let path = format!("m{}", path.into_iter().map(step).collect::<String>());
            let hardware = (role == Role::Hardware).then_some(HardwareKey { fingerprint, path });
            PayingWallet { wallet: Wallet { role, index, address }, permission_id, hardware }
        },
    )
}

/// The sample policy with every field of this version drawn at random.
fn policy() -> impl Strategy<Value = Policy> {
    let allowance = || prop::sample::select(Allowance::ALL.to_vec());
    let wallets = NETWORKS.map(|network| prop::collection::vec(paying(network), 0..4));
    let numbers = prop::collection::vec(0u64..1 << 50, 7);
    let amounts = prop::collection::vec(amount(), 4);
    (
        (prop::collection::vec(passkey(), 0..3), any::<bool>(), prop::option::of(passkey_terms())),
        (allowance(), allowance(), windows()),
        (wallets, numbers, amounts),
    )
        .prop_map(
            |((passkeys, device, terms), (interfaces, sandbox, windows), (wallets, numbers, amounts))| {
                let mut policy = sample::policy();
                let approver = &mut policy.approvers[1];
                approver.passkeys = passkeys;
                approver.passkeys.sort_by(|a, b| a.credential.cmp(&b.credential));
                approver.passkeys.dedup_by(|a, b| a.credential == b.credential);
                if device && !approver.passkeys.is_empty() {
                    approver.device = None;
                }
                (policy.passkeys, policy.windows) = (terms, windows);
                policy.machine = Machine { network_interfaces: interfaces, partial_sandbox: sandbox };
                policy.approvals.reissue_independent = 2 + numbers[0];
                policy.bounds.clock_jump_max_seconds = numbers[1];
                policy.bounds.item_behind_max = numbers[2];
                policy.bounds.item_ahead_max = numbers[3];
                policy.bounds.nonce_ahead_max = numbers[4];
                for (network, wallets) in policy.networks.iter_mut().zip(wallets) {
                    network.wallets = wallets;
                    network.first_seen_delay_seconds = numbers[5];
                    let asset = &mut network.assets[0];
                    (asset.passkeys_alone_max, asset.first_seen_max) = (amounts[0], amounts[1]);
                    (asset.reissue_per_item_max, asset.reissue_per_day_max) = (amounts[2], amounts[3]);
                }
                policy
            },
        )
}

fn genesis() -> impl Strategy<Value = Genesis> {
    let account = network().prop_flat_map(|network| (address(network), any::<u64>()));
    let spent = network().prop_flat_map(|network| {
        (Just(network), prop::option::of(address(network)), 0u64..1 << 40, amount())
    });
    let reanchored = prop::option::of((any::<u64>(), digest()));
    let accounts = prop::collection::vec(account, 0..6);
    let policy = prop::option::of((any::<u64>(), digest()));
    (digest(), reanchored, any::<u64>(), accounts, prop::collection::vec(spent, 0..6), policy).prop_map(
        |(roster, head, highest_item, accounts, spent, policy)| {
            let signer = Identity::of(&identity_key(1));
            let nonce = |(account, highest)| AccountNonce { account, highest };
            let mut nonces: Vec<_> = accounts.into_iter().map(nonce).collect();
            nonces.sort_unstable();
            nonces.dedup_by_key(|entry| entry.account);
            let sum = |(network, contract, time, amount)| Spent { network, contract, time, amount };
            let mut spent: Vec<_> = spent.into_iter().map(sum).collect();
            spent.sort_unstable();
            spent.dedup_by_key(|one| (one.network, one.contract, one.time));
            Genesis {
                profile: Profile::Dev,
                signer,
                roster,
                reason: if head.is_some() { Reason::Reanchored } else { Reason::Restored },
                continues: head.map(|(sequence, head)| SeenHead { signer, sequence, head }),
                highest_item,
                nonces,
                spent,
                made_at: 1 << 40,
                policy: policy.map(|(version, digest)| PolicyVersion { version, digest }),
            }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let code = "[a-z._]{1,30}";
    let ceremony = prop::sample::select(Ceremony::ALL.to_vec());
    prop_oneof![
        (digest(), prop::option::of(digest())).prop_map(|(roster, terms)| Event::Genesis {
            profile: Profile::Dev,
            roster,
            terms
        }),
        any::<[u8; 32]>().prop_map(|key| Event::Paired { coordinator: Identity::from_bytes(key) }),
        (any::<u64>(), digest()).prop_map(|(version, digest)| Event::PolicyInstalled { version, digest }),
        (digest(), digest(), digest()).prop_map(|(content, approvals, record)| Event::Intent {
            content,
            approvals,
            record
        }),
        (digest(), digest()).prop_map(|(content, signatures)| Event::Signed { content, signatures }),
        (digest(), code, prop::option::of(digest())).prop_map(|(content, code, first_seen)| Event::Refused {
            content,
            code,
            first_seen
        }),
        digest().prop_map(|terms| Event::Reanchored { terms }),
        (ceremony, "[ -~é]{0,80}").prop_map(|(kind, detail)| Event::Ceremony { kind, detail }),
    ]
}

fn record_item(network: Network) -> impl Strategy<Value = RecordItem> {
    let ids = prop::collection::vec(any::<[u8; 32]>(), 0..3);
    let reason = prop::option::of(prop::sample::select(ReissueReason::ALL.to_vec()));
    (any::<u64>(), address(network), address(network), amount(), prop::option::of(any::<u64>()), ids, reason)
        .prop_map(|(id, source, destination, amount, account_nonce, tx_ids, reissue)| RecordItem {
            id: ItemId::new(id),
            source,
            destination,
            amount,
            account_nonce,
            tx_ids,
            reissue,
        })
}

fn record() -> impl Strategy<Value = Record> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    (network(), kind, any::<[u64; 4]>(), any::<bool>()).prop_flat_map(|(network, kind, numbers, cancels)| {
        let items = prop::collection::vec(record_item(network), 0..5);
        let contract = prop::option::of(address(network));
        let [time, dead_after, max_fee_per_gas_wei, max_priority_fee_per_gas_wei] = numbers;
        let highest = FeeLevel { max_fee_per_gas_wei, max_priority_fee_per_gas_wei };
        (items, contract).prop_map(move |(items, contract)| Record {
            network,
            kind,
            contract,
            time,
            terms: match network {
                Network::Tron { .. } => Terms::Tron { dead_after },
                Network::Evm { .. } => Terms::Evm { highest, cancels },
            },
            items,
        })
    })
}

/// Both spellings give the document back.
fn comes_back<D: Document + PartialEq + std::fmt::Debug>(document: &D) {
    assert_eq!(&document::read::<D>(&document.to_binary()).unwrap(), document);
    assert_eq!(&document::read::<D>(document.to_json().as_bytes()).unwrap(), document);
}

/// Its bytes give the part back, and with a byte altered, added or cut off they are refused or are the bytes
/// of another part.
fn is_one_spelling<F: Form + PartialEq + std::fmt::Debug>(part: &F, place: prop::sample::Index, with: u8) {
    let bytes = to_cbor(part);
    assert_eq!(&from_cbor::<F>("part", &bytes).unwrap(), part);
    let mut altered = bytes.clone();
    altered[place.index(bytes.len())] ^= with;
    for other in [altered, [&bytes[..], &[with]].concat(), bytes[..place.index(bytes.len())].to_vec()] {
        if let Ok(read) = from_cbor::<F>("part", &other) {
            assert_ne!(&read, part);
            assert_eq!(to_cbor(&read), other);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_policy_comes_back(policy in policy(), place in any::<prop::sample::Index>(), with in 1u8..) {
        let signatures = sample::by_custodians(&policy.digest());
        comes_back(&SignedPolicy { policy: policy.clone(), signatures });
        is_one_spelling(&policy, place, with);
    }

    #[test]
    fn any_genesis_comes_back(genesis in genesis(), place in any::<prop::sample::Index>(), with in 1u8..) {
        let signatures = sample::by_custodians(&genesis.digest());
        comes_back(&SignedGenesis { genesis: genesis.clone(), signatures });
        is_one_spelling(&genesis, place, with);
    }

    #[test]
    fn any_entry_comes_back_and_stands_in_its_place(
        events in prop::collection::vec(event(), 2),
        times in any::<[u32; 2]>(),
        place in any::<prop::sample::Index>(),
        with in 1u8..,
    ) {
        let [first, second] = <[Event; 2]>::try_from(events).unwrap();
        let first = Entry::next(Chain::Journal, None, u64::from(times[0]), first, &identity_key(1));
        let second = Entry::next(Chain::Journal, Some(&first), u64::from(times[1]), second, &identity_key(1));
        is_one_spelling(&second, place, with);
        prop_assert_eq!(first.follows(Chain::Journal, None), Ok(()));
        prop_assert_eq!(second.follows(Chain::Journal, Some(&first)), Ok(()));
        prop_assert!(second.follows(Chain::Refusals, Some(&first)).is_err());
        prop_assert!(second.follows(Chain::Journal, None).is_err());
    }

    #[test]
    fn a_reanchored_entry_stands_at_the_head_it_names_and_nowhere_else(
        sequence in 1..u64::MAX - 1,
        head in digest(),
        other in digest(),
        time in any::<u32>(),
    ) {
        let key = identity_key(1);
        let own = Entry::next(Chain::Journal, None, u64::from(time), Event::Reanchored { terms: other }, &key);
        let continues = SeenHead { signer: Identity::of(&key), sequence, head };
        let event = Event::Reanchored { terms: other };
        let entry = Entry::reanchored(&continues, Some(&own), 0, event.clone(), &key);
        prop_assert_eq!((entry.sequence, entry.previous, entry.time), (sequence + 1, head, own.time));
        prop_assert_eq!(entry.reanchors(&continues, Some(&own)), Ok(()));
        let elsewhere =
            [SeenHead { head: other, ..continues }, SeenHead { sequence: sequence - 1, ..continues }];
        prop_assert!(elsewhere.iter().all(|head| entry.reanchors(head, Some(&own)).is_err()));
        let stranger = Entry::reanchored(&continues, Some(&own), 0, event, &identity_key(2));
        prop_assert!(stranger.reanchors(&continues, Some(&own)).is_err());
        prop_assert!(entry.follows(Chain::Journal, Some(&own)).is_err());
    }

    #[test]
    fn any_record_comes_back(record in record(), place in any::<prop::sample::Index>(), with in 1u8..) {
        is_one_spelling(&record, place, with);
        let destinations = record.items.iter().map(|item| item.destination).collect();
        is_one_spelling(&FirstSeen::new(record.network, destinations), place, with);
    }

    #[test]
    fn windows_hold_the_minutes_that_they_name(windows in windows(), time in 0u64..1 << 40) {
        let minute_of_week = (time / 60 + 3 * 1_440) % (7 * 1_440);
        let named = windows.iter().any(|window| {
            let day = u64::from(window.day) * 1_440;
            (day + window.from_minute..day + window.to_minute).contains(&minute_of_week)
        });
        prop_assert_eq!(windows.iter().any(|window| window.holds(time)), named);
    }
}
