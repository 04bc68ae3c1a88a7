//! A small world for tests: two signers' keys, a roster, approvers, a policy and batches that it allows.
//! Everything is derived from fixed seeds, so bytes and digests are the same in every run.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses the part it needs, and sound values")]

pub mod case;

use airlock_shared::approval::Approval;
use airlock_shared::batch::{
    Asset, Content, Context, EvmContext, FeeLevel, Item, Kind, PolicyRef, TronContext, Wallet,
};
use airlock_shared::chain::signature;
use airlock_shared::envelope::{Envelope, Outcome, Receipt, Reply, SignedBatch, signatures_digest};
use airlock_shared::identity::{Custodian, CustodianSignature, Identity, IdentitySignature, Roster};
use airlock_shared::journal::{Chain, Entry, Event, Record};
use airlock_shared::policy::{
    Allowance, Approver, AssetPolicy, Bounds, FeeCaps, KindDestinations, Machine, NetworkPolicy,
    PayingWallet, Policy, Quorum, SignedPolicy, Window, WithdrawalsTo,
};
use airlock_shared::roles::{approver, creator, signer};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, BatchId, Digest, ItemId, Network, PersonId, Profile, approval};
use ed25519_dalek::SigningKey;
use k256::ecdsa::SigningKey as ChainKey;
use std::collections::BTreeMap;

pub const NOW: u64 = 1_763_640_000;

pub fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub fn identity_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn chain_key(seed: u8) -> ChainKey {
    ChainKey::from_slice(&[seed; 32]).unwrap()
}

pub fn address(network: Network, seed: u8) -> Address {
    Address::from_public_key(network, &signature::public_key(&chain_key(seed)))
}

pub fn hot(network: Network) -> Wallet {
    Wallet { role: Role::Hot, index: 0, address: address(network, 7) }
}

pub fn cold(network: Network) -> Wallet {
    Wallet { role: Role::Cold, index: 0, address: address(network, 8) }
}

pub fn usdt(network: Network) -> Asset {
    Asset { contract: Some(Address::new(network, [0xd0; 20])), decimals: 6, symbol: "USDT".to_owned() }
}

pub fn paying(wallet: Wallet) -> PayingWallet {
    PayingWallet { wallet, permission_id: 0, hardware: None }
}

pub fn roster() -> Roster {
    let custodian =
        |name, seed| Custodian { name: person(name), identity: Identity::of(&identity_key(seed)) };
    Roster::new(vec![custodian("alice", 1), custodian("bob", 2)], 2).unwrap()
}

pub fn policy() -> Policy {
    let approver = |name, seed| Approver {
        person: person(name),
        device: Some(Identity::of(&identity_key(seed))),
        passkeys: Vec::new(),
    };
    Policy {
        name: person("payments"),
        version: 3,
        profile: Profile::Dev,
        approvers: vec![approver("carol", 3), approver("dave", 4), approver("erin", 5)],
        approvals: Quorum { required: 2, independent: 2, reissue_independent: 3 },
        passkeys: None,
        bounds: Bounds {
            items_max: 1_000,
            bundle_max: 4,
            lifetime_max_seconds: 86_400,
            clock_ahead_max_seconds: 300,
            clock_jump_max_seconds: 90 * 86_400,
            item_behind_max: 10_000,
            item_ahead_max: 100_000,
            nonce_ahead_max: 1_000,
        },
        machine: Machine { network_interfaces: Allowance::Refused, partial_sandbox: Allowance::Refused },
        windows: Window::ALWAYS.to_vec(),
        networks: vec![network_policy(Network::EVM_DEV), network_policy(Network::TRON_DEV)],
    }
}

fn network_policy(network: Network) -> NetworkPolicy {
    let fees = match network {
        Network::Tron { .. } => FeeCaps::Tron { fee_limit_sun_max: 50_000_000 },
        Network::Evm { .. } => FeeCaps::Evm {
            gas_limit_max: 300_000,
            max_fee_per_gas_wei_max: 200_000_000_000,
            max_priority_fee_per_gas_wei_max: 5_000_000_000,
        },
    };
    let units = |usdt: u64| BaseUnits::from(usdt * 1_000_000);
    NetworkPolicy {
        network,
        kinds: vec![Kind::Withdrawal, Kind::ColdToHot],
        wallets: vec![paying(hot(network)), paying(cold(network))],
        assets: vec![AssetPolicy {
            asset: usdt(network),
            per_item_max: units(50_000),
            per_batch_max: units(1_000_000),
            per_day_max: units(2_000_000),
            passkeys_alone_max: BaseUnits::ZERO,
            first_seen_max: units(20_000),
            reissue_per_item_max: units(10_000),
            reissue_per_day_max: units(15_000),
        }],
        fees,
        withdrawals_to: WithdrawalsTo::Any,
        first_seen_delay_seconds: 86_400,
        destinations: vec![KindDestinations { kind: Kind::ColdToHot, addresses: vec![hot(network).address] }],
        denied: vec![Address::new(network, [0; 20])],
    }
}

pub fn signed_policy() -> SignedPolicy {
    let policy = policy();
    let signatures = by_custodians(&policy.digest());
    SignedPolicy { policy, signatures }
}

/// Both custodians' signatures over a digest, sorted.
pub fn by_custodians(digest: &Digest) -> Vec<CustodianSignature> {
    let by = |seed| {
        let key = identity_key(seed);
        CustodianSignature { custodian: Identity::of(&key), signature: IdentitySignature::by(&key, digest) }
    };
    let mut signatures = vec![by(1), by(2)];
    signatures.sort_by_key(|given| given.custodian);
    signatures
}

/// `count` withdrawals of round and crooked amounts to distinct addresses.
pub fn items(network: Network, count: usize) -> Vec<Item> {
    let item = |i: usize| {
        let mut payload = [0x5a; 20];
        payload[..8].copy_from_slice(&(i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        Item {
            id: ItemId::new(1_000 + i as u64),
            destination: Address::new(network, payload),
            own: None,
            amount: BaseUnits::from((100 + 7_919 * (i as u64 + 1) % 900_000) * 10_000),
            account_nonce: matches!(network, Network::Evm { .. }).then_some(70 + i as u64),
            source: None,
            memo: Vec::new(),
            label: String::new(),
            reissue: None,
        }
    };
    (0..count).map(item).collect()
}

pub fn content(network: Network, count: usize) -> Content {
    let context = match network {
        Network::Tron { .. } => Context::Tron(TronContext {
            ref_block_bytes: [0x12, 0x34],
            ref_block_hash: [0xab; 8],
            expiration_ms: (NOW + 40_000) * 1_000,
            timestamp_ms: NOW * 1_000,
            fee_limit_sun: 30_000_000,
            permission_id: 0,
            lock_blocks: 0,
        }),
        Network::Evm { .. } => Context::Evm(EvmContext {
            gas_limit: 120_000,
            levels: vec![FeeLevel {
                max_fee_per_gas_wei: 40_000_000_000,
                max_priority_fee_per_gas_wei: 1_000_000_000,
            }],
            cancel: None,
        }),
    };
    let policy = policy();
    Content {
        profile: Profile::Dev,
        batch_id: BatchId::from_bytes([0x11; 16]),
        kind: Kind::Withdrawal,
        network,
        created_at: NOW,
        expires_at: NOW + 43_200,
        creator: person("olga"),
        vault: Identity::of(&identity_key(1)).fingerprint(),
        source: Some(hot(network)),
        asset: usdt(network),
        context,
        items: items(network, count),
        policy: PolicyRef { name: policy.name.clone(), version: policy.version, digest: policy.digest() },
        extensions: BTreeMap::new(),
    }
}

pub fn approvals(content: &Content) -> Vec<Approval> {
    let approve = |(name, seed)| approver::approve(content, person(name), None, &identity_key(seed));
    [("carol", 3), ("dave", 4)].into_iter().map(approve).collect()
}

pub fn envelope(content: Content) -> Envelope {
    let approvals = approvals(&content);
    Envelope::seal(content, approvals, Vec::new(), &identity_key(9))
}

/// What the signer with identity `seed` answers, its journal holding nothing but a genesis before.
pub fn reply(envelope: &Envelope, seed: u8) -> Reply {
    let key = identity_key(seed);
    let content = &envelope.content;
    let transactions = creator::transactions(content).unwrap();
    let sign = |(i, levels): (usize, &Vec<_>)| {
        signer::sign_item(levels, content.source_of(i).unwrap().address, &chain_key(7)).unwrap()
    };
    let signatures: Vec<_> = transactions.iter().enumerate().flat_map(sign).collect();
    let record =
        Record::of(content, NOW + 60, |i| transactions[i].iter().filter_map(|t| t.tx_id()).collect());
    let events = [
        Event::Genesis { profile: Profile::Dev, roster: roster().digest(), terms: None },
        Event::Intent {
            content: content.digest(),
            approvals: approval::digest_of(&envelope.approvals),
            record: record.unwrap().digest(),
        },
        Event::Signed { content: content.digest(), signatures: signatures_digest(&signatures) },
    ];
    let chain = events.into_iter().scan(None::<Entry>, |last, event| {
        *last = Some(Entry::next(Chain::Journal, last.as_ref(), NOW + 60, event, &key));
        last.clone()
    });
    let mut entries: Vec<_> = chain.collect();
    let entry = entries.pop().unwrap();
    let receipt = Receipt {
        content: content.digest(),
        approvals: approval::digest_of(&envelope.approvals),
        outcome: Outcome::Signed { signatures: signatures_digest(&signatures) },
        entry,
        highest_item: content.items.iter().map(|item| item.id.number()).max().unwrap(),
        highest_nonce: content.items.iter().filter_map(|item| item.account_nonce).max().unwrap_or(0),
        time: NOW + 60,
        unacknowledged: entries,
        signature: IdentitySignature::from_bytes([0; 64]),
    };
    Reply { receipt: receipt.sign(&key), signatures }
}

pub fn signed_batch(network: Network, count: usize) -> SignedBatch {
    let envelope = envelope(content(network, count));
    let replies = vec![reply(&envelope, 1)];
    let transactions = creator::transactions(&envelope.content).unwrap();
    let transactions = transactions.into_iter().flatten().map(|t| t.bytes()).collect();
    SignedBatch { envelope, roster: roster(), policy: signed_policy(), replies, transactions, hardware: None }
}
