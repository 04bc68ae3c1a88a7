//! A policy in words, for the custodians who sign it.
//!
//! Called by `policy sign`, `policy show` and `inspect`. What must stay true: every field of the policy is
//! on the page, for which structures are taken apart by name; addresses stand whole, and the words at its end
//! stand for all of it.

use super::text::{grouped, wallet as shown_wallet};
use crate::policy::diff::hours;
use airlock_shared::policy::{
    Approver, AssetPolicy, Bounds, FeeCaps, Machine, NetworkPolicy, PasskeyTerms, PayingWallet, Policy,
    Quorum,
};
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
    let Policy { name, version, profile, approvers, approvals, passkeys, bounds, machine, windows, networks } =
        policy;
    let mut page = String::new();
    let digest = policy.digest();
    line!(page, "policy       {name} version {version} ({})", profile.name());
    line!(page, "digest       {digest}");
    let Quorum { required, independent, reissue_independent } = approvals;
    line!(page, "approvals    {required} people, {independent} on independent devices");
    line!(
        page,
        "             {reissue_independent} on independent devices for what is signed again on a claim"
    );
    approvers.iter().for_each(|one| approver(&mut page, one));
    match passkeys {
        None => line!(page, "passkeys     none counts"),
        Some(PasskeyTerms { rp_id, origins, user_verification }) => {
            line!(page, "passkeys     for {rp_id}, user verification {user_verification}");
            origins.iter().for_each(|origin| line!(page, "             asked by {origin}"));
        }
    }
    show_bounds(&mut page, bounds);
    let Machine { network_interfaces, partial_sandbox } = machine;
    line!(
        page,
        "machine      network interfaces up: {network_interfaces}; partial sandbox: {partial_sandbox}"
    );
    if windows.is_empty() {
        line!(page, "hours        never");
    }
    windows.iter().for_each(|window| line!(page, "hours        {}", hours(window)));
    networks.iter().for_each(|network| network_policy(&mut page, network));
    page + &eight_words(&digest)
}

fn approver(page: &mut String, approver: &Approver) {
    let Approver { person, device, passkeys } = approver;
    if let Some(device) = device {
        line!(page, "  approver   {person}  device {device}");
    }
    for passkey in passkeys {
        line!(page, "  approver   {person}  passkey {}", hex::encode(&passkey.credential));
        line!(page, "             with key {}", hex::encode(passkey.public_key));
    }
}

fn show_bounds(page: &mut String, bounds: &Bounds) {
    let Bounds {
        items_max,
        bundle_max,
        lifetime_max_seconds,
        clock_ahead_max_seconds,
        clock_jump_max_seconds,
        item_behind_max,
        item_ahead_max,
        nonce_ahead_max,
    } = bounds;
    line!(page, "bounds       {items_max} items a batch, {bundle_max} batches a bundle");
    line!(page, "             a batch lives at most {}", duration(*lifetime_max_seconds));
    line!(page, "             made at most {} ahead of this clock", duration(*clock_ahead_max_seconds));
    line!(page, "             this clock at most {} ahead of the journal", duration(*clock_jump_max_seconds));
    line!(page, "             new item ids at most {item_behind_max} behind and {item_ahead_max} ahead");
    line!(page, "             at most {nonce_ahead_max} account nonces left out");
}

/// Seconds, and days, hours and minutes where they come out even.
fn duration(seconds: u64) -> String {
    let unit = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let even = unit.into_iter().find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    even.map_or(format!("{seconds} s"), |(length, unit)| format!("{seconds} s ({} {unit})", seconds / length))
}

fn network_policy(page: &mut String, policy: &NetworkPolicy) {
    let NetworkPolicy {
        network,
        kinds,
        wallets,
        assets,
        fees,
        withdrawals_to,
        first_seen_delay_seconds,
        destinations,
        denied,
    } = policy;
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
    line!(page, "network      {network}: {}", kinds.join(", "));
    wallets.iter().for_each(|entry| paying_wallet(page, entry));
    assets.iter().for_each(|asset| asset_policy(page, asset));
    match *fees {
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
    line!(page, "  withdrawals to {withdrawals_to} addresses");
    line!(page, "  first seen for {}", duration(*first_seen_delay_seconds));
    for entry in destinations {
        for address in &entry.addresses {
            line!(page, "  {} to {}", entry.kind, grouped(address));
        }
    }
    for address in denied {
        line!(page, "  never to   {}", grouped(address));
    }
}

fn paying_wallet(page: &mut String, entry: &PayingWallet) {
    let PayingWallet { wallet, permission_id, hardware } = entry;
    line!(page, "  pays       {}", shown_wallet(wallet));
    if *permission_id != 0 {
        line!(page, "             by permission {permission_id}");
    }
    if let Some(key) = hardware {
        line!(page, "             in hardware wallet {} at {}", hex::encode(key.fingerprint), key.path);
    }
}

fn asset_policy(page: &mut String, policy: &AssetPolicy) {
    let AssetPolicy {
        asset,
        per_item_max,
        per_batch_max,
        per_day_max,
        passkeys_alone_max,
        first_seen_max,
        reissue_per_item_max,
        reissue_per_day_max,
    } = policy;
    let shown = |base: &BaseUnits| base.to_decimal(asset.decimals);
    let contract = asset.contract.as_ref().map_or("native coin".to_owned(), grouped);
    line!(page, "  asset      {} {contract}, {} decimals", asset.symbol, asset.decimals);
    let (item, batch, day) = (shown(per_item_max), shown(per_batch_max), shown(per_day_max));
    line!(page, "             at most {item} an item, {batch} a batch, {day} in 24 hours");
    line!(page, "             passkeys alone suffice up to {} in 24 hours", shown(passkeys_alone_max));
    line!(page, "             at most {} to a first-seen destination", shown(first_seen_max));
    let (item, day) = (shown(reissue_per_item_max), shown(reissue_per_day_max));
    line!(page, "             signed again on a claim: at most {item} an item, {day} in 24 hours");
}
