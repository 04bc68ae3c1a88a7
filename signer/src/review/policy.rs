//! A policy in words, for the custodians who sign it.
//!
//! Called by `policy sign`, `policy show` and `inspect`. What must stay true: every field of the policy is
//! on the page, addresses whole, and the words at its end stand for all of it.

use super::text::{grouped, wallet as shown_wallet};
use airlock_shared::policy::{FeeCaps, NetworkPolicy, Policy};
use airlock_shared::{BaseUnits, Digest, words};
use std::fmt::Write as _;

/// Writing to a `String` cannot fail.
macro_rules! line {
    ($to:expr, $($text:tt)*) => {{ let _infallible = writeln!($to, $($text)*); }};
}

/// The eight words of a digest, set apart.
pub fn eight_words(digest: &Digest) -> String {
    format!("\n    {}\n", words::words(digest))
}

fn gwei(wei: u64) -> String {
    BaseUnits::from(wei).to_decimal(9)
}

/// A policy, for the custodians who sign it.
pub fn policy(policy: &Policy) -> String {
    let mut page = String::new();
    let digest = policy.digest();
    line!(page, "policy       {} version {} ({})", policy.name, policy.version, policy.profile.name());
    line!(page, "digest       {digest}");
    let quorum = &policy.approvals;
    line!(page, "approvals    {} people, {} on independent devices", quorum.required, quorum.independent);
    for approver in &policy.approvers {
        for device in &approver.device {
            line!(page, "  approver   {}  device {device}", approver.person);
        }
        for passkey in &approver.passkeys {
            line!(page, "  approver   {}  passkey {}", approver.person, hex::encode(&passkey.credential));
        }
    }
    let bounds = &policy.bounds;
    line!(
        page,
        "bounds       {} items a batch, {} batches a bundle, {} s lifetime, {} s of clock difference",
        bounds.items_max,
        bounds.bundle_max,
        bounds.lifetime_max_seconds,
        bounds.clock_ahead_max_seconds
    );
    for network in &policy.networks {
        network_policy(&mut page, network);
    }
    page + &eight_words(&digest)
}

fn network_policy(page: &mut String, network: &NetworkPolicy) {
    let kinds: Vec<_> = network.kinds.iter().map(|kind| kind.word()).collect();
    line!(page, "network      {}: {}", network.network, kinds.join(", "));
    for entry in &network.wallets {
        line!(page, "  pays       {}", shown_wallet(&entry.wallet));
    }
    for one in &network.assets {
        let shown = |base: BaseUnits| base.to_decimal(one.asset.decimals);
        let contract = one.asset.contract.as_ref().map_or("native coin".to_owned(), grouped);
        line!(page, "  asset      {} {contract}", one.asset.symbol);
        line!(
            page,
            "             at most {} an item, {} a batch, {} in 24 hours",
            shown(one.per_item_max),
            shown(one.per_batch_max),
            shown(one.per_day_max)
        );
    }
    match network.fees {
        FeeCaps::Tron { fee_limit_sun_max } => {
            let trx = BaseUnits::from(fee_limit_sun_max).to_decimal(6);
            line!(page, "  fees       at most {trx} TRX a transaction");
        }
        FeeCaps::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max } => line!(
            page,
            "  fees       gas {gas_limit_max}, {} gwei per gas, tip {} gwei",
            gwei(max_fee_per_gas_wei_max),
            gwei(max_priority_fee_per_gas_wei_max)
        ),
    }
    line!(page, "  withdrawals to {} addresses", network.withdrawals_to);
    for entry in &network.destinations {
        for address in &entry.addresses {
            line!(page, "  {} to {}", entry.kind, grouped(address));
        }
    }
    for address in &network.denied {
        line!(page, "  never to   {}", grouped(address));
    }
}
