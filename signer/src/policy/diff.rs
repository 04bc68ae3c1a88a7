//! How one policy differs from another, in words, and whether it permits more or less.
//!
//! Called by `policy diff`. What must stay true: policies with different digests never have an empty
//! difference; structures are taken apart by name, so that a new field does not compile until it is told
//! here; whatever is not plainly stricter is not called so.

use crate::review::grouped;
use airlock_shared::policy::{
    Allowance, Approver, AssetPolicy, Bounds, FeeCaps, Machine, NetworkPolicy, PasskeyTerms, PayingWallet,
    Policy, Quorum, UserVerification, Window, WithdrawalsTo,
};
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
    let Policy { name, version, profile, approvers, approvals, passkeys, bounds, machine, windows, networks } =
        old;
    let mut all = Differences(Vec::new());
    all.other("name", name, &new.name);
    all.other("version", version, &new.version);
    all.other("profile", profile.name(), new.profile.name());
    all.listed("approver", &proofs(approvers), &proofs(&new.approvers), String::clone, Effect::Looser);
    all.quorum(approvals, &new.approvals);
    all.passkeys(passkeys.as_ref(), new.passkeys.as_ref());
    all.bounds(bounds, &new.bounds);
    all.machine(machine, &new.machine);
    all.listed("signing hours", windows, &new.windows, hours, Effect::Looser);
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
        let Quorum { required, independent, reissue_independent } = *old;
        self.least("approvals required", required, new.required);
        self.least("approvals on independent devices", independent, new.independent);
        let again = "approvals on independent devices for what is signed again";
        self.least(again, reissue_independent, new.reissue_independent);
    }

    fn passkeys(&mut self, old: Option<&PasskeyTerms>, new: Option<&PasskeyTerms>) {
        let (old, new) = match (old, new) {
            (None, None) => return,
            (Some(_), None) => return self.say(Effect::Tighter, "passkeys no longer count".to_owned()),
            (None, Some(new)) => {
                let PasskeyTerms { rp_id, origins, user_verification } = new;
                let origins = origins.join(", ");
                let text = format!(
                    "passkeys count: for {rp_id}, asked by {origins}, user verification {user_verification}"
                );
                return self.say(Effect::Looser, text);
            }
            (Some(old), Some(new)) => (old, new),
        };
        let PasskeyTerms { rp_id, origins, user_verification } = old;
        self.other("passkeys are for", rp_id, &new.rp_id);
        self.listed("passkey origin", origins, &new.origins, String::clone, Effect::Looser);
        let looser = new.user_verification == UserVerification::Optional;
        self.choice("user verification of passkeys", user_verification, &new.user_verification, looser);
    }

    /// A choice of which `looser` says what the new one does.
    fn choice<T: PartialEq + std::fmt::Display>(&mut self, what: &str, old: &T, new: &T, looser: bool) {
        if old != new {
            let effect = if looser { Effect::Looser } else { Effect::Tighter };
            self.say(effect, format!("{what}: {old} becomes {new}"));
        }
    }

    fn machine(&mut self, old: &Machine, new: &Machine) {
        let Machine { network_interfaces, partial_sandbox } = old;
        let both = [
            ("signing with a network interface up", network_interfaces, &new.network_interfaces),
            ("signing in a partial sandbox", partial_sandbox, &new.partial_sandbox),
        ];
        for (what, old, new) in both {
            self.choice(what, old, new, *new == Allowance::Allowed);
        }
    }

    fn bounds(&mut self, old: &Bounds, new: &Bounds) {
        let Bounds {
            items_max,
            bundle_max,
            lifetime_max_seconds,
            clock_ahead_max_seconds,
            clock_jump_max_seconds,
            item_behind_max,
            item_ahead_max,
            nonce_ahead_max,
        } = *old;
        self.most("items in a batch", items_max, new.items_max, u64::to_string);
        self.most("batches in a bundle", bundle_max, new.bundle_max, u64::to_string);
        let seconds = |n: &u64| format!("{n} s");
        self.most("lifetime of a batch", lifetime_max_seconds, new.lifetime_max_seconds, seconds);
        self.most("clock difference", clock_ahead_max_seconds, new.clock_ahead_max_seconds, seconds);
        self.most("clock ahead of the journal", clock_jump_max_seconds, new.clock_jump_max_seconds, seconds);
        self.most("item ids behind", item_behind_max, new.item_behind_max, u64::to_string);
        self.most("item ids ahead", item_ahead_max, new.item_ahead_max, u64::to_string);
        self.most("account nonces left out", nonce_ahead_max, new.nonce_ahead_max, u64::to_string);
    }

    fn network(&mut self, old: &NetworkPolicy, new: &NetworkPolicy) {
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
        } = old;
        let on = |what: &str| format!("{network}: {what}");
        self.listed(&on("kind"), kinds, &new.kinds, |kind| kind.word().to_owned(), Effect::Looser);
        self.listed(&on("paying wallet"), wallets, &new.wallets, paying_wallet, Effect::Looser);
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
        self.delay(&on("delay of a first-seen destination"), *first_seen_delay_seconds, new);
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

    fn delay(&mut self, what: &str, old: u64, new: &NetworkPolicy) {
        let new = new.first_seen_delay_seconds;
        if old != new {
            let (effect, verb) =
                if new < old { (Effect::Looser, "falls") } else { (Effect::Tighter, "rises") };
            self.say(effect, format!("{what} {verb} from {old} s to {new} s"));
        }
    }

    fn asset(&mut self, on: &str, old: &AssetPolicy, new: &AssetPolicy) {
        let AssetPolicy {
            asset,
            per_item_max,
            per_batch_max,
            per_day_max,
            passkeys_alone_max,
            first_seen_max,
            reissue_per_item_max,
            reissue_per_day_max,
        } = old;
        self.other(&format!("{on} symbol"), &asset.symbol, &new.asset.symbol);
        self.other(&format!("{on} decimals"), asset.decimals, new.asset.decimals);
        let shown = |base: &BaseUnits| base.to_decimal(new.asset.decimals);
        self.most(&format!("{on} per item"), *per_item_max, new.per_item_max, shown);
        self.most(&format!("{on} per batch"), *per_batch_max, new.per_batch_max, shown);
        self.most(&format!("{on} in 24 hours"), *per_day_max, new.per_day_max, shown);
        self.most(
            &format!("{on} in 24 hours by passkeys alone"),
            *passkeys_alone_max,
            new.passkeys_alone_max,
            shown,
        );
        let first = format!("{on} to a first-seen destination");
        self.most(&first, *first_seen_max, new.first_seen_max, shown);
        let again = format!("{on} per item signed again");
        self.most(&again, *reissue_per_item_max, new.reissue_per_item_max, shown);
        let again = format!("{on} signed again in 24 hours");
        self.most(&again, *reissue_per_day_max, new.reissue_per_day_max, shown);
    }

    fn new_asset(&mut self, on: &str, asset: &AssetPolicy) {
        let shown = |base: BaseUnits| base.to_decimal(asset.asset.decimals);
        let (item, batch) = (shown(asset.per_item_max), shown(asset.per_batch_max));
        let (day, alone) = (shown(asset.per_day_max), shown(asset.passkeys_alone_max));
        let first = shown(asset.first_seen_max);
        let (again, again_day) = (shown(asset.reissue_per_item_max), shown(asset.reissue_per_day_max));
        let text = format!(
            "{on} is put in: {item} an item, {batch} a batch, {day} in 24 hours, {alone} in 24 hours by passkeys alone, {first} to a first-seen destination, signed again {again} an item and {again_day} in 24 hours"
        );
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

/// What each person proves approvals with, one entry a device or passkey.
fn proofs(approvers: &[Approver]) -> Vec<String> {
    let of = |Approver { person, device, passkeys }: &Approver| {
        let device = device.iter().map(|device| format!("{person} with device {device}"));
        let passkey = |passkey: &airlock_shared::policy::Passkey| {
            let (credential, key) = (hex::encode(&passkey.credential), hex::encode(passkey.public_key));
            format!("{person} with passkey {credential} of key {key}")
        };
        device.chain(passkeys.iter().map(passkey)).collect::<Vec<_>>()
    };
    approvers.iter().flat_map(of).collect()
}

fn paying_wallet(entry: &PayingWallet) -> String {
    let PayingWallet { wallet, permission_id, hardware } = entry;
    let mut text = format!("{} {} {}", wallet.role.name(), wallet.index, grouped(&wallet.address));
    if *permission_id != 0 {
        text += &format!(" by permission {permission_id}");
    }
    if let Some(key) = hardware {
        text += &format!(" in hardware wallet {} at {}", hex::encode(key.fingerprint), key.path);
    }
    text
}

/// Signing hours of one day, such as `Monday 08:00 to 18:00 UTC`.
pub fn hours(window: &Window) -> String {
    let Window { day, from_minute, to_minute } = window;
    let day = DAYS.get(usize::from(*day)).copied().unwrap_or("?");
    let time = |minute: &u64| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{day} {} to {} UTC", time(from_minute), time(to_minute))
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn asset_like<'a>(among: &'a [AssetPolicy], like: &AssetPolicy) -> Option<&'a AssetPolicy> {
    among.iter().find(|one| one.asset.contract == like.asset.contract)
}

fn asset_name(policy: &AssetPolicy) -> String {
    let contract = policy.asset.contract.as_ref().map_or("native coin".to_owned(), grouped);
    format!("{} ({contract})", policy.asset.symbol)
}
