//! How one policy differs from another, in words, and whether it permits more or less.
//!
//! Called by `policy diff`. What must stay true: policies with different digests never have an empty
//! difference; structures are taken apart by name, so that a new field does not compile until it is told
//! here; whatever is not plainly stricter is not called so.

use crate::review::grouped;
use airlock_shared::policy::{AssetPolicy, Bounds, FeeCaps, NetworkPolicy, Policy, Quorum, WithdrawalsTo};
use airlock_shared::{Address, BaseUnits};
use serde::Serialize;

/// What a difference does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Permits something that was refused.
    Looser,
    /// Refuses something that was permitted.
    Tighter,
    /// Neither, or not to be told by comparing.
    Other,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// What it does.
    pub effect: Effect,
    /// In words.
    pub text: String,
}

/// Collects differences.
struct Differences(Vec<Difference>);

/// Everything in which `new` differs from `old`, in the order of the file.
pub fn differences(old: &Policy, new: &Policy) -> Vec<Difference> {
    let Policy { name, version, profile, approvers, approvals, bounds, networks } = old;
    let mut all = Differences(Vec::new());
    all.other("name", name, &new.name);
    all.other("version", version, &new.version);
    all.other("profile", profile.name(), new.profile.name());
    let person =
        |one: &airlock_shared::policy::Approver| format!("{} with device {}", one.person, one.device);
    all.listed("approver", approvers, &new.approvers, person, Effect::Looser);
    all.quorum(approvals, &new.approvals);
    all.bounds(bounds, &new.bounds);
    let one = |network: &NetworkPolicy| network.network.to_string();
    for gone in networks.iter().filter(|network| new.network(network.network).is_none()) {
        all.say(Effect::Tighter, format!("network {} is taken out", one(gone)));
    }
    for network in &new.networks {
        match old.network(network.network) {
            Some(before) => all.network(before, network),
            None => all.say(Effect::Looser, format!("network {} is new; read all of it", one(network))),
        }
    }
    if all.0.is_empty() && old.digest() != new.digest() {
        all.say(Effect::Other, "the same entries stand in another order".to_owned());
    }
    all.0
}

impl Differences {
    fn say(&mut self, effect: Effect, text: String) {
        self.0.push(Difference { effect, text });
    }

    fn other<T: PartialEq + std::fmt::Display>(&mut self, what: &str, old: T, new: T) {
        if old != new {
            self.say(Effect::Other, format!("{what}: {old} becomes {new}"));
        }
    }

    /// A bound above which something is refused.
    fn most<T: PartialOrd>(&mut self, what: &str, old: T, new: T, shown: impl Fn(&T) -> String) {
        if old != new {
            let (effect, verb) =
                if new > old { (Effect::Looser, "rises") } else { (Effect::Tighter, "falls") };
            self.say(effect, format!("{what} {verb} from {} to {}", shown(&old), shown(&new)));
        }
    }

    /// A number below which something is refused.
    fn least(&mut self, what: &str, old: u64, new: u64) {
        if old != new {
            let (effect, verb) =
                if new < old { (Effect::Looser, "falls") } else { (Effect::Tighter, "rises") };
            self.say(effect, format!("{what} {verb} from {old} to {new}"));
        }
    }

    /// A list of which each entry permits (`added` is looser) or forbids (tighter).
    fn listed<T: PartialEq>(
        &mut self,
        what: &str,
        old: &[T],
        new: &[T],
        shown: impl Fn(&T) -> String,
        added: Effect,
    ) {
        let removed = if added == Effect::Looser { Effect::Tighter } else { Effect::Looser };
        for gone in old.iter().filter(|one| !new.contains(one)) {
            self.say(removed, format!("{what} {} is taken out", shown(gone)));
        }
        for come in new.iter().filter(|one| !old.contains(one)) {
            self.say(added, format!("{what} {} is put in", shown(come)));
        }
    }

    fn quorum(&mut self, old: &Quorum, new: &Quorum) {
        let Quorum { required, independent } = *old;
        self.least("approvals required", required, new.required);
        self.least("approvals on independent devices", independent, new.independent);
    }

    fn bounds(&mut self, old: &Bounds, new: &Bounds) {
        let Bounds { items_max, bundle_max, lifetime_max_seconds, clock_ahead_max_seconds } = *old;
        self.most("items in a batch", items_max, new.items_max, u64::to_string);
        self.most("batches in a bundle", bundle_max, new.bundle_max, u64::to_string);
        let seconds = |n: &u64| format!("{n} s");
        self.most("lifetime of a batch", lifetime_max_seconds, new.lifetime_max_seconds, seconds);
        self.most("clock difference", clock_ahead_max_seconds, new.clock_ahead_max_seconds, seconds);
    }

    fn network(&mut self, old: &NetworkPolicy, new: &NetworkPolicy) {
        let NetworkPolicy { network, kinds, wallets, assets, fees, withdrawals_to, destinations, denied } =
            old;
        let on = |what: &str| format!("{network}: {what}");
        self.listed(&on("kind"), kinds, &new.kinds, |kind| kind.word().to_owned(), Effect::Looser);
        let wallet = |one: &airlock_shared::batch::Wallet| {
            format!("{} {} {}", one.role.name(), one.index, grouped(&one.address))
        };
        self.listed(&on("paying wallet"), wallets, &new.wallets, wallet, Effect::Looser);
        for gone in assets.iter().filter(|asset| asset_like(&new.assets, asset).is_none()) {
            self.say(Effect::Tighter, on(&format!("asset {} is taken out", asset_name(gone))));
        }
        for asset in &new.assets {
            match asset_like(assets, asset) {
                Some(before) => self.asset(&on(&asset_name(asset)), before, asset),
                None => self.new_asset(&on(&asset_name(asset)), asset),
            }
        }
        self.fees(&on(""), fees, &new.fees);
        if *withdrawals_to != new.withdrawals_to {
            let effect = match new.withdrawals_to {
                WithdrawalsTo::Any => Effect::Looser,
                WithdrawalsTo::Listed => Effect::Tighter,
            };
            let text = format!("withdrawals to {withdrawals_to} addresses become to {}", new.withdrawals_to);
            self.say(effect, on(&text));
        }
        let kinds = destinations.iter().chain(&new.destinations).map(|entry| entry.kind);
        for kind in kinds.collect::<std::collections::BTreeSet<_>>() {
            let what = on(&format!("{kind} destination"));
            self.listed(&what, old.listed(kind), new.listed(kind), grouped, Effect::Looser);
        }
        self.listed(
            &on("denied address"),
            denied,
            &new.denied,
            |one: &Address| grouped(one),
            Effect::Tighter,
        );
    }

    fn asset(&mut self, on: &str, old: &AssetPolicy, new: &AssetPolicy) {
        let AssetPolicy { asset, per_item_max, per_batch_max, per_day_max } = old;
        self.other(&format!("{on} symbol"), &asset.symbol, &new.asset.symbol);
        self.other(&format!("{on} decimals"), asset.decimals, new.asset.decimals);
        let shown = |base: &BaseUnits| base.to_decimal(new.asset.decimals);
        self.most(&format!("{on} per item"), *per_item_max, new.per_item_max, shown);
        self.most(&format!("{on} per batch"), *per_batch_max, new.per_batch_max, shown);
        self.most(&format!("{on} in 24 hours"), *per_day_max, new.per_day_max, shown);
    }

    fn new_asset(&mut self, on: &str, asset: &AssetPolicy) {
        let shown = |base: BaseUnits| base.to_decimal(asset.asset.decimals);
        let (item, batch) = (shown(asset.per_item_max), shown(asset.per_batch_max));
        let day = shown(asset.per_day_max);
        let text = format!("{on} is put in: {item} an item, {batch} a batch, {day} in 24 hours");
        self.say(Effect::Looser, text);
    }

    fn fees(&mut self, on: &str, old: &FeeCaps, new: &FeeCaps) {
        match (old, new) {
            (FeeCaps::Tron { fee_limit_sun_max }, FeeCaps::Tron { fee_limit_sun_max: after }) => {
                let trx = |sun: &u64| format!("{} TRX", BaseUnits::from(*sun).to_decimal(6));
                self.most(&format!("{on}fee of a transaction"), *fee_limit_sun_max, *after, trx);
            }
            (
                FeeCaps::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max },
                FeeCaps::Evm {
                    gas_limit_max: gas,
                    max_fee_per_gas_wei_max: price,
                    max_priority_fee_per_gas_wei_max: tip,
                },
            ) => {
                let gwei = |wei: &u64| format!("{} gwei", BaseUnits::from(*wei).to_decimal(9));
                self.most(&format!("{on}gas limit"), *gas_limit_max, *gas, u64::to_string);
                self.most(&format!("{on}price of gas"), *max_fee_per_gas_wei_max, *price, gwei);
                self.most(&format!("{on}tip per gas"), *max_priority_fee_per_gas_wei_max, *tip, gwei);
            }
            _ => self.say(Effect::Other, format!("{on}fee caps are of another family of chains")),
        }
    }
}

fn asset_like<'a>(among: &'a [AssetPolicy], like: &AssetPolicy) -> Option<&'a AssetPolicy> {
    among.iter().find(|one| one.asset.contract == like.asset.contract)
}

fn asset_name(policy: &AssetPolicy) -> String {
    let contract = policy.asset.contract.as_ref().map_or("native coin".to_owned(), grouped);
    format!("{} ({contract})", policy.asset.symbol)
}
