//! One altered batch per refusal: each test takes a batch that is signed as it stands, and alters one thing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod world;

use airlock_shared::approval::SeenHead;
use airlock_shared::batch::{CancelTerms, Context, FeeLevel, Kind, Reissue, ReissueReason};
use airlock_shared::envelope::{Envelope, Outcome};
use airlock_shared::policy::{PayingWallet, WithdrawalsTo};
use airlock_shared::roles::approver;
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, Digest, ItemId, Network, Profile};
use airlock_signer::session::{Examined, Refusal};
use airlock_signer::vault::WalletRef;
use world::{World, approvals, bundle, key, person, units};

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];

fn code(refusal: &Refusal) -> &str {
    &refusal.code
}

#[test]
fn the_batch_that_the_others_alter_is_signed() {
    for network in BOTH {
        let world = World::new();
        let replies = world.sign(&world.bundle(world.content(network, 3))).unwrap();
        assert_eq!(replies.replies[0].signatures.len(), 3);
        assert!(replies.replies[0].receipt.is_authentic());
    }
}

#[test]
fn bytes_that_are_not_a_canonical_bundle_are_refused() {
    let world = World::new();
    let good = world.bundle(world.content(Network::TRON_DEV, 3));
    let longer = [&good[..], &[0]].concat();
    for bytes in [&b""[..], b"AIRL", b"{}", &good[..good.len() - 1], &longer] {
        assert_eq!(code(&world.refusal(bytes)), "decode");
    }
}

#[test]
fn a_stranger_or_a_broken_seal_is_refused() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 3);
    let stranger = Envelope::seal(content.clone(), approvals(&content), Vec::new(), &key(10));
    assert_eq!(code(&world.refusal(&bundle(vec![stranger]))), "authentic.coordinator");
    let mut altered = world.envelope(content);
    altered.content.items[0].amount = units(2);
    assert_eq!(code(&world.refusal(&bundle(vec![altered]))), "authentic.signature");
}

#[test]
fn another_vault_and_another_time_are_refused() {
    let world = World::new();
    let refusal = world.refusal_of(Network::TRON_DEV, |content| content.vault = [1, 2, 3, 4]);
    assert_eq!((code(&refusal), refusal.found.as_str()), ("fresh.vault", "01020304"));
    let bytes = world.bundle(world.content(Network::TRON_DEV, 3));
    let refused = |now| world.signer().examine(&bytes, now).err().unwrap().refusal.code;
    assert_eq!(refused(world.now - 1), "clock.behind_journal");
    assert_eq!(refused(world.now + 3_600), "policy.expired");
    let early = world.refusal_of(Network::TRON_DEV, |content| content.created_at += 301);
    assert_eq!(code(&early), "policy.clock");
    let long = world.refusal_of(Network::EVM_DEV, |content| content.expires_at += 86_400);
    assert_eq!(code(&long), "policy.lifetime");
}

#[test]
fn another_profile_is_refused_before_anything_is_judged() {
    let world = World::new();
    let mut content = world.content(Network::ETHEREUM, 1);
    content.profile = Profile::Main;
    assert_eq!(code(&world.refusal(&world.bundle(content))), "fresh.profile");
}

#[test]
fn a_head_that_is_ahead_or_unknown_is_refused() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 3);
    let own = world.head();
    let heads = [
        SeenHead { sequence: own.sequence + 1, ..own },
        SeenHead { head: Digest::of("other", b""), ..own },
        SeenHead { sequence: u64::MAX, ..own },
    ];
    for head in heads {
        let envelope = Envelope::seal(content.clone(), approvals(&content), vec![head], &key(9));
        assert_eq!(code(&world.refusal(&bundle(vec![envelope]))), "head.unknown");
        let seen = [("carol", 3), ("dave", 4)]
            .map(|(name, seed)| approver::approve(&content, person(name), Some(head), &key(seed)));
        let envelope = Envelope::seal(content.clone(), seen.to_vec(), vec![own], &key(9));
        assert_eq!(code(&world.refusal(&bundle(vec![envelope]))), "head.unknown_to_approver");
    }
}

#[test]
fn each_rule_of_the_policy_refuses_its_own_alteration() {
    let world = World::new();
    let tron = Network::TRON_DEV;
    let stray = Address::new(tron, [0x77; 20]);
    type Alteration = Box<dyn Fn(&mut airlock_shared::batch::Content)>;
    let cases: Vec<(&str, Option<usize>, Alteration)> = vec![
        ("policy.in_force", None, Box::new(|content| content.policy.version = 9)),
        ("policy.kind", None, Box::new(|content| content.kind = Kind::TreasurySend)),
        (
            "policy.source_wallet",
            None,
            Box::new(|content| content.source = content.source.map(|wallet| wallet_of(wallet, 1))),
        ),
        ("policy.asset", None, Box::new(|content| content.asset.decimals = 18)),
        ("policy.per_item_limit", Some(1), Box::new(|content| content.items[1].amount = units(50_001))),
        (
            "policy.per_batch_limit",
            None,
            Box::new(|content| content.items.iter_mut().for_each(|item| item.amount = units(40_000))),
        ),
        (
            "policy.denied_destination",
            Some(2),
            Box::new(move |content| content.items[2].destination = Address::new(tron, [0xee; 20])),
        ),
        (
            "policy.fee_cap",
            None,
            Box::new(|content| {
                if let Context::Tron(tron) = &mut content.context {
                    tron.fee_limit_sun = 50_000_001;
                }
            }),
        ),
        (
            "policy.reissue_reason",
            Some(0),
            Box::new(|content| {
                let dead = vec![[1; 32]];
                content.items[0].reissue = Some(Reissue { reason: ReissueReason::Expired, dead });
            }),
        ),
    ];
    for (expected, item, alter) in cases {
        let refusal = world.refusal_of(tron, alter);
        assert_eq!((code(&refusal), refusal.item), (expected, item), "{refusal}");
        assert!(!refusal.found.is_empty());
    }
    let mut cold = world.content(tron, 1);
    cold.kind = Kind::ColdToHot;
    cold.source = Some(world::wallet(&world.keyring, tron, Role::Cold));
    cold.items[0].destination = stray;
    assert_eq!(code(&world.refusal(&world.bundle(cold))), "policy.cold_to_hot");
}

/// A good batch of three items on the network, refused only because of what the policy says.
#[test]
fn each_rule_that_a_policy_can_tighten_refuses_the_good_batch() {
    let (tron, evm) = (Network::TRON_DEV, Network::EVM_DEV);
    type Tightening = fn(&mut airlock_shared::policy::Policy);
    let cases: [(&str, Network, Tightening); 8] = [
        ("policy.network", tron, |policy| drop(policy.networks.pop())),
        ("policy.time_window", tron, |policy| policy.windows.clear()),
        // NOW is a Thursday at noon.
        ("policy.time_window", evm, |policy| policy.windows.retain(|window| window.day != 3)),
        ("policy.permission", tron, |policy| policy.networks[1].wallets[0].permission_id = 2),
        ("policy.listed_destination", evm, |policy| {
            policy.networks[0].withdrawals_to = WithdrawalsTo::Listed;
        }),
        ("policy.first_seen", evm, |policy| {
            policy.networks[0].assets[0].first_seen_max = BaseUnits::from(1u64)
        }),
        ("policy.per_day_limit", evm, |policy| {
            policy.networks[0].assets[0].per_day_max = BaseUnits::from(1u64)
        }),
        ("policy.approvals", evm, |policy| policy.approvals.required = 3),
    ];
    for (expected, network, tighten) in cases {
        let mut world = World::new();
        world.with_policy(tighten);
        let refusal = world.refusal_of(network, |_| {});
        assert_eq!(code(&refusal), expected, "{refusal}");
    }
}

#[test]
fn numbers_far_from_those_that_were_signed_are_refused() {
    let mut world = World::new();
    world.with_policy(|policy| {
        let bounds = &mut policy.bounds;
        (bounds.item_behind_max, bounds.item_ahead_max, bounds.nonce_ahead_max) = (5, 10, 2);
    });
    // Items 1000 to 1002 with nonces 70 to 72.
    world.sign(&world.bundle(world.content(Network::EVM_DEV, 3))).unwrap();
    let next = |id: u64, nonce: u64| {
        let mut content = world.content(Network::EVM_DEV, 1);
        (content.items[0].id, content.items[0].account_nonce) = (ItemId::new(id), Some(nonce));
        world.signer().examine(&world.bundle(content), world.now).err().map(|it| it.refusal.code)
    };
    let refused = |code: &str| Some(code.to_owned());
    let epoch = 1 << 48;
    assert_eq!(next(997, 73), None);
    assert_eq!(next(996, 73), refused("policy.item_behind"));
    assert_eq!(next(1_012, 73), None);
    assert_eq!(next(1_013, 73), refused("policy.item_ahead"));
    assert_eq!(next(epoch + 1, 73), None, "a restored coordinator begins the next epoch");
    assert_eq!(next(epoch + 11, 73), refused("policy.item_ahead"));
    assert_eq!(next(2 * epoch + 1, 73), refused("policy.item_ahead"));
    assert_eq!(next(1_003, 75), None);
    assert_eq!(next(1_003, 76), refused("policy.nonce_gap"));
}

#[test]
fn a_clock_far_ahead_of_the_journal_is_refused() {
    let mut world = World::new();
    world.with_policy(|policy| policy.bounds.clock_jump_max_seconds = 3_600);
    let at = |now: u64| {
        let mut content = world.content(Network::EVM_DEV, 1);
        (content.created_at, content.expires_at) = (now, now + 60);
        world.signer().examine(&world.bundle(content), now).err().map(|it| it.refusal.code)
    };
    assert_eq!(at(world.now + 3_600), None);
    assert_eq!(at(world.now + 3_601), Some("policy.clock_jump".to_owned()));
}

#[test]
fn a_large_first_payment_is_refused_once_and_signed_after_the_delay() {
    let mut world = World::new();
    world.with_policy(|policy| policy.networks[0].assets[0].first_seen_max = units(100));
    let content = |id: u64, amount: u64, now: u64| {
        let mut content = world.content(Network::EVM_DEV, 1);
        content.batch_id = airlock_shared::BatchId::from_bytes([id as u8; 16]);
        (content.created_at, content.expires_at) = (now, now + 3_600);
        let item = &mut content.items[0];
        (item.id, item.account_nonce, item.amount) = (ItemId::new(id), Some(id), units(amount));
        content
    };
    let refused = |content: &airlock_shared::batch::Content, now: u64| {
        code(&world.refuse_at(&world.bundle(content.clone()), now).0).to_owned()
    };
    // A refusal about anything else begins no delay: here there are too few approvals.
    let first = content(1, 1_000, world.now);
    let alone = Envelope::seal(first.clone(), approvals(&first)[..1].to_vec(), vec![world.head()], &key(9));
    assert_eq!(code(&world.refuse_at(&bundle(vec![alone]), world.now).0), "policy.approvals");
    let began = world.now + 10;
    assert_eq!(refused(&content(2, 1_000, began), began), "policy.first_seen");
    let entry = world.vault().device().refusals;
    assert_eq!(entry.sequence, 2);
    // Less than the cap may go out meanwhile, and counts.
    world.sign_at(&world.bundle(content(3, 60, began)), began).unwrap();
    assert_eq!(refused(&content(4, 60, began), began), "policy.first_seen");
    let ends = began + 86_400;
    assert_eq!(refused(&content(5, 1_000, ends - 1), ends - 1), "policy.first_seen");
    // A refusal is final, so it is asked for again in a new batch.
    assert_eq!(refused(&content(2, 1_000, began), began + 20), "policy.first_seen");
    assert!(world.sign_at(&world.bundle(content(6, 1_000, ends)), ends).is_ok());
}

#[test]
fn hardware_wallets_and_retired_ones_are_refused_by_name_before_review() {
    let mut world = World::new();
    let tron = Network::TRON_DEV;
    let hot = world.hot(tron);
    let address = Address::new(tron, [0x4a; 20]);
    let hardware = airlock_shared::batch::Wallet { role: Role::Hardware, index: 0, address };
    world.with_policy(|policy| {
        let path = "m/44'/195'/0'/0/0".to_owned();
        let key = airlock_shared::policy::HardwareKey { fingerprint: [1; 4], path };
        let listed = PayingWallet { wallet: hardware, permission_id: 0, hardware: Some(key) };
        policy.networks[1].wallets.push(listed);
        policy.networks[1].kinds.push(Kind::Sweep);
    });
    let refusal = world.refusal_of(tron, |content| content.source = Some(hardware));
    assert_eq!(code(&refusal), "source.hardware");
    let signed = world.bundle(world.content(tron, 1));
    let replies = world.sign(&signed).unwrap();
    let mut vault = world.vault();
    vault.device_mut().retired = vec![WalletRef { network: tron, role: Role::Hot, index: 0 }];
    vault.store(&world.home).unwrap();
    let refusal = world.refusal_of(tron, |_| {});
    assert_eq!((code(&refusal), &refusal.found), ("source.retired", &hot.address.to_string()));
    let sweep = world.refusal_of(tron, |content| {
        (content.kind, content.source) = (Kind::Sweep, None);
        for (index, item) in (0..).zip(&mut content.items) {
            let address = world.keyring.address(tron, Role::Deposit, index).unwrap();
            item.source = Some(airlock_shared::batch::Wallet { role: Role::Deposit, index, address });
            (item.destination, item.own) = (hot.address, Some((Role::Hot, 0)));
        }
    });
    assert_eq!(code(&sweep), "own.retired");
    // On another network the same role goes on, and what was signed before may leave again.
    assert!(world.signer().examine(&world.bundle(evm_alone(&world)), world.now).is_ok());
    assert_eq!(world.sign(&signed).unwrap(), replies);
}

fn evm_alone(world: &World) -> airlock_shared::batch::Content {
    let mut content = world.content(Network::EVM_DEV, 1);
    content.items[0].id = ItemId::new(1_500);
    content
}

#[test]
fn an_interrupted_batch_is_completed_only_with_the_approvals_it_was_begun_with() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 1);
    let (journal, vault) =
        (std::fs::read(world.home.journal()).unwrap(), std::fs::read(world.home.vault()).unwrap());
    let good = world.bundle(content.clone());
    world.sign(&good).unwrap();
    let whole = std::fs::read(world.home.journal()).unwrap();
    let intent = u32::from_be_bytes(whole[journal.len()..journal.len() + 4].try_into().unwrap()) as usize;
    std::fs::write(world.home.journal(), &whole[..journal.len() + 12 + intent]).unwrap();
    std::fs::write(world.home.vault(), vault).unwrap();
    let other = Envelope::seal(content.clone(), world::all_approvals(&content), vec![world.head()], &key(9));
    assert_eq!(code(&world.refusal(&bundle(vec![other]))), "journal.approvals_changed");
    assert!(world.sign(&good).is_ok());
}

fn wallet_of(wallet: airlock_shared::batch::Wallet, index: u32) -> airlock_shared::batch::Wallet {
    airlock_shared::batch::Wallet { index, ..wallet }
}

#[test]
fn too_few_forged_repeated_or_own_approvals_are_refused() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 3);
    let good = approvals(&content);
    let seal = |approvals| bundle(vec![Envelope::seal(content.clone(), approvals, vec![], &key(9))]);
    assert_eq!(code(&world.refusal(&seal(Vec::new()))), "policy.approvals");
    assert_eq!(code(&world.refusal(&seal(good[..1].to_vec()))), "policy.approvals");
    let mut forged = good.clone();
    forged[1] = approver::approve(&content, person("dave"), None, &key(3));
    assert_eq!(code(&world.refusal(&seal(forged))), "policy.approvals");
    let mut other = content.clone();
    other.items[0].amount = units(3);
    assert_eq!(code(&world.refusal(&seal(approvals(&other)))), "policy.approvals");
    let creator = world.refusal_of(Network::TRON_DEV, |content| content.creator = person("carol"));
    assert_eq!(code(&creator), "policy.approvals");
}

#[test]
fn a_batch_over_the_items_or_a_bundle_over_its_size_is_refused() {
    let mut world = World::new();
    world.with_policy(|policy| (policy.bounds.items_max, policy.bounds.bundle_max) = (2, 1));
    let refusal = world.refusal_of(Network::TRON_DEV, |_| {});
    assert_eq!(code(&refusal), "policy.items");
    let one = world.envelope(world.content(Network::TRON_DEV, 1));
    let two = world.envelope(world.content(Network::EVM_DEV, 1));
    assert_eq!(code(&world.refusal(&bundle(vec![one, two]))), "policy.bundle_size");
}

#[test]
fn the_rolling_day_counts_what_was_signed_and_the_bundle_and_forgets_after_a_day() {
    let world = World::new();
    let at = |first: u64, now: u64| {
        let mut content = World::content(&world, Network::TRON_DEV, 2);
        content.items.iter_mut().zip(first..).for_each(|(item, id)| {
            (item.id, item.amount) = (ItemId::new(id), units(40_000));
        });
        if let Context::Tron(tron) = &mut content.context {
            tron.timestamp_ms += first;
            tron.expiration_ms += (now - world.now) * 1_000;
        }
        (content.created_at, content.expires_at) = (now, now + 3_600);
        content
    };
    let together = bundle(vec![world.envelope(at(1, world.now)), world.envelope(at(11, world.now))]);
    let refusal = world.refusal(&together);
    assert_eq!((code(&refusal), refusal.batch), ("policy.per_day_limit", Some(1)));
    world.sign(&world.bundle(at(1, world.now))).unwrap();
    assert_eq!(code(&world.refusal(&world.bundle(at(11, world.now)))), "policy.per_day_limit");
    let tomorrow = world.now + 86_401;
    world.sign_at(&world.bundle(at(11, tomorrow)), tomorrow).unwrap();
}

#[test]
fn an_item_id_is_never_signed_twice_under_any_batch_network_or_kind() {
    let world = World::new();
    world.sign(&world.bundle(world.content(Network::TRON_DEV, 3))).unwrap();
    let again = world.refusal_of(Network::TRON_DEV, |content| {
        content.batch_id = airlock_shared::BatchId::from_bytes([2; 16]);
        content.items.remove(0);
    });
    assert_eq!((code(&again), again.item), ("journal.item_repeated", Some(0)));
    let elsewhere = world.refusal_of(Network::EVM_DEV, |content| content.items.truncate(1));
    assert_eq!(code(&elsewhere), "journal.item_repeated");
}

#[test]
fn an_account_nonce_is_never_signed_twice() {
    let world = World::new();
    world.sign(&world.bundle(world.content(Network::EVM_DEV, 3))).unwrap();
    let again = world.refusal_of(Network::EVM_DEV, |content| {
        content.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 100));
        content.items.iter_mut().skip(1).for_each(|item| {
            item.account_nonce = item.account_nonce.map(|nonce| nonce + 100);
        });
    });
    assert_eq!((code(&again), again.item), ("journal.nonce_repeated", Some(0)));
}

#[test]
fn a_transaction_id_is_never_signed_twice() {
    let world = World::new();
    world.sign(&world.bundle(world.content(Network::TRON_DEV, 3))).unwrap();
    // Same fields, other item ids: the transactions, and so their ids, are equal.
    let again = world.refusal_of(Network::TRON_DEV, |content| {
        content.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 100));
    });
    assert_eq!((code(&again), again.item), ("journal.tx_repeated", Some(0)));
}

#[test]
fn repeats_inside_one_bundle_are_refused() {
    let world = World::new();
    let (first, mut second) = (world.content(Network::EVM_DEV, 2), world.content(Network::EVM_DEV, 2));
    second.batch_id = airlock_shared::BatchId::from_bytes([2; 16]);
    let sealed = |second: &_| {
        let second: &airlock_shared::batch::Content = second;
        bundle(vec![world.envelope(first.clone()), world.envelope(second.clone())])
    };
    assert_eq!(code(&world.refusal(&sealed(&first))), "bundle.repeated");
    let refusal = world.refusal(&sealed(&second));
    assert_eq!((code(&refusal), refusal.batch), ("journal.item_repeated", Some(1)));
    second.items.iter_mut().for_each(|item| item.id = ItemId::new(item.id.number() + 100));
    assert_eq!(code(&world.refusal(&sealed(&second))), "journal.nonce_repeated");
    second.items.iter_mut().for_each(|item| item.account_nonce = item.account_nonce.map(|nonce| nonce + 50));
    assert!(world.sign(&sealed(&second)).is_ok());
}

#[test]
fn a_source_that_this_vault_does_not_hold_is_refused_after_the_unlock() {
    let mut world = World::new();
    let tron = Network::TRON_DEV;
    let foreign =
        airlock_shared::batch::Wallet { address: Address::new(tron, [0x42; 20]), ..world.hot(tron) };
    world.with_policy(|policy| policy.networks[1].wallets.push(world::paying(foreign)));
    let mut content = world.content(tron, 1);
    content.source = Some(foreign);
    assert_eq!(world.sign(&world.bundle(content)).unwrap_err(), "source.not_ours");
    // Refused before the intent: the item may still be paid rightly.
    world.sign(&world.bundle(world.content(tron, 1))).unwrap();
}

#[test]
fn evm_fees_and_cancels_above_the_caps_are_refused() {
    let world = World::new();
    type Alteration = fn(&mut airlock_shared::batch::EvmContext);
    let cases: [Alteration; 4] = [
        |evm| evm.gas_limit = 300_001,
        |evm| evm.levels[0].max_fee_per_gas_wei = 200_000_000_001,
        |evm| evm.levels[0].max_priority_fee_per_gas_wei = 5_000_000_001,
        |evm| {
            let fee = FeeLevel {
                max_fee_per_gas_wei: 300_000_000_000,
                max_priority_fee_per_gas_wei: 2_000_000_000,
            };
            evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee });
        },
    ];
    for alter in cases {
        let refusal = world.refusal_of(Network::EVM_DEV, |content| {
            if let Context::Evm(evm) = &mut content.context {
                alter(evm);
            }
        });
        assert_eq!(code(&refusal), "policy.fee_cap", "{refusal}");
    }
}

#[test]
fn wrong_words_sign_nothing() {
    let world = World::new();
    let bytes = world.bundle(world.content(Network::TRON_DEV, 1));
    let accountable = world.signer().examine(&bytes, world.now).ok().unwrap();
    let refused = accountable.confirm("abandon abandon abandon abandon abandon abandon abandon about");
    assert_eq!(refused.err().unwrap().code, "confirmation");
}

#[test]
fn a_refusal_is_journalled_apart_and_gives_a_signed_receipt_to_a_paired_coordinator_only() {
    let world = World::new();
    let head = world.head();
    let mut signer = world.signer();
    let mut content = world.content(Network::TRON_DEV, 2);
    content.items[0].amount = BaseUnits::from(u64::MAX);
    let other = world.envelope(world.content(Network::EVM_DEV, 1));
    let bytes = bundle(vec![world.envelope(content), other]);
    let examined: Box<Examined> = signer.examine(&bytes, world.now).err().unwrap();
    let replies = signer.refuse(*examined, world.now).unwrap().replies.unwrap().replies;
    let codes: Vec<_> = replies
        .iter()
        .map(|reply| match &reply.receipt.outcome {
            Outcome::Refused { code, .. } => code.as_str(),
            Outcome::Signed { .. } => "signed",
        })
        .collect();
    assert_eq!(codes, ["policy.per_item_limit", "bundle.refused"]);
    assert!(replies.iter().all(|reply| reply.receipt.is_authentic() && reply.signatures.is_empty()));
    let undecoded = signer.examine(b"not a bundle", world.now).err().unwrap();
    assert!(signer.refuse(*undecoded, world.now).unwrap().replies.is_none());
    drop(signer);
    assert_eq!(world.head(), head);
    assert_eq!(world.vault().device().refusals.sequence, 3);
}

/// Examines and refuses a bundle, as the command `sign` does.
fn refuse(world: &World, bytes: &[u8]) -> Vec<airlock_shared::Digest> {
    let mut signer = world.signer();
    let examined = signer.examine(bytes, world.now).err().unwrap();
    let replies = signer.refuse(*examined, world.now).unwrap().replies;
    let receipts = replies.into_iter().flat_map(|replies| replies.replies);
    receipts.map(|reply| reply.receipt.content).collect()
}

#[test]
fn a_signed_refusal_is_final() {
    let world = World::new();
    let mut content = world.content(Network::TRON_DEV, 2);
    content.items[0].amount = BaseUnits::from(u64::MAX);
    let good = world.content(Network::EVM_DEV, 1);
    let refused = refuse(&world, &bundle(vec![world.envelope(content), world.envelope(good.clone())]));
    assert_eq!(refused.len(), 2);
    assert_eq!(code(&world.refusal(&world.bundle(good))), "journal.refused_before");
}

#[test]
fn a_clock_that_runs_behind_costs_no_batch() {
    let world = World::new();
    let bytes = world.bundle(world.content(Network::TRON_DEV, 1));
    let mut signer = world.signer();
    let examined = signer.examine(&bytes, 86_400).err().unwrap();
    let refused = signer.refuse(*examined, 86_400).unwrap();
    assert_eq!((code(&refused.refusal), refused.replies.is_none()), ("clock.behind_journal", true));
    drop(signer);
    assert!(world.sign(&bytes).is_ok(), "it is signed once the clock is set");
}

#[test]
fn a_stranger_cannot_have_a_good_batch_refused_for_ever() {
    let world = World::new();
    let content = world.content(Network::TRON_DEV, 1);
    let copy = Envelope::seal(content.clone(), approvals(&content), Vec::new(), &key(10));
    assert!(refuse(&world, &bundle(vec![copy])).is_empty());
    assert!(world.sign(&world.bundle(content)).is_ok());
}

#[test]
fn a_batch_that_was_signed_is_not_refused_beside_a_bad_one() {
    let world = World::new();
    let signed = world.content(Network::TRON_DEV, 1);
    world.sign(&world.bundle(signed.clone())).unwrap();
    let mut bad = world.content(Network::EVM_DEV, 1);
    bad.items[0].amount = BaseUnits::from(u64::MAX);
    let refused = refuse(&world, &bundle(vec![world.envelope(signed.clone()), world.envelope(bad)]));
    assert!(!refused.contains(&signed.digest()));
    assert_eq!(refused.len(), 1);
}
