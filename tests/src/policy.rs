//! The first policy of every story: what the signer may sign on the development chains.
//!
//! Two approvals, both on independent devices; hot wallets pay withdrawals of USDT to anyone but the zero address.

use crate::chain::{Chain, Chains};
use crate::device::Device;
use airlock_shared::batch::{Asset, Kind, Wallet};
use airlock_shared::identity::Identity;
use airlock_shared::policy::{
    Allowance, Approver, AssetPolicy, Bounds, FeeCaps, Machine, NetworkPolicy, PayingWallet, Policy, Quorum,
    SignedPolicy, Window, WithdrawalsTo,
};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, Family, PersonId, Profile};
use anyhow::Context as _;

/// Most USDT in one item, in one batch, in a day.
pub const LIMITS_USDT: [u64; 3] = [5_000, 20_000, 50_000];

/// The policy, not yet signed by anyone. `hot` is the address of each chain's hot wallet.
///
/// # Errors
/// An address or a name that is none.
pub fn first(chains: &Chains, hot: &[Address], approvers: &[&Device]) -> anyhow::Result<SignedPolicy> {
    let person = |name: &str| PersonId::new(name).with_context(|| format!("{name} is no person id"));
    let mut people = approvers
        .iter()
        .map(|device| {
            let identity = Identity::from_hex(&device.identity).context("an identity")?;
            Ok(Approver { person: person(&device.name)?, device: Some(identity), passkeys: Vec::new() })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    people.sort_by(|a, b| a.person.cmp(&b.person));
    let mut networks = chains
        .all
        .iter()
        .zip(hot)
        .map(|(chain, hot)| network(chain, *hot))
        .collect::<anyhow::Result<Vec<_>>>()?;
    networks.sort_by_key(|rules| rules.network);
    let policy = Policy {
        name: person("payments")?,
        version: 1,
        profile: Profile::Dev,
        approvers: people,
        approvals: Quorum { required: 2, independent: 2, reissue_independent: 2 },
        passkeys: None,
        bounds: Bounds {
            items_max: 100,
            bundle_max: 4,
            lifetime_max_seconds: 86_400,
            clock_ahead_max_seconds: 300,
            clock_jump_max_seconds: 90 * 86_400,
            item_behind_max: 10_000,
            item_ahead_max: 100_000,
            nonce_ahead_max: 1_000,
        },
        machine: Machine { network_interfaces: Allowance::Allowed, partial_sandbox: Allowance::Allowed },
        windows: Window::ALWAYS.to_vec(),
        networks,
    };
    Ok(SignedPolicy { policy, signatures: Vec::new() })
}

fn network(chain: &Chain, hot: Address) -> anyhow::Result<NetworkPolicy> {
    let network = chain.network;
    let [per_item_max, per_batch_max, per_day_max] =
        LIMITS_USDT.map(|usdt| BaseUnits::from(usdt * 1_000_000));
    let contract = Some(Address::parse(network, &chain.usdt)?);
    let asset = Asset { contract, decimals: 6, symbol: "USDT".to_owned() };
    Ok(NetworkPolicy {
        network,
        kinds: vec![Kind::Withdrawal],
        wallets: vec![PayingWallet {
            wallet: Wallet { role: Role::Hot, index: 0, address: hot },
            permission_id: 0,
            hardware: None,
        }],
        assets: vec![AssetPolicy {
            asset,
            per_item_max,
            per_batch_max,
            per_day_max,
            passkeys_alone_max: BaseUnits::ZERO,
            first_seen_max: per_item_max,
            reissue_per_item_max: per_item_max,
            reissue_per_day_max: per_batch_max,
        }],
        fees: match network.family() {
            Family::Tron => FeeCaps::Tron { fee_limit_sun_max: 100_000_000 },
            Family::Evm => FeeCaps::Evm {
                gas_limit_max: 300_000,
                max_fee_per_gas_wei_max: 500_000_000_000,
                max_priority_fee_per_gas_wei_max: 10_000_000_000,
            },
        },
        withdrawals_to: WithdrawalsTo::Any,
        first_seen_delay_seconds: 3_600,
        destinations: Vec::new(),
        denied: vec![Address::new(network, [0; 20])],
    })
}
