//! The rules, one function each, in the order in which they are asked.
//!
//! A rule looks at [`Facts`] and passes or returns a [`Refusal`] that names the rule, the item and the value.
//! [`judge`] stops at the first refusal; [`explain`] asks every rule. Adding a rule is one function and
//! one line in [`RULES`]; a test with one altered batch belongs to each.

mod approvals;
mod assets;
mod cold_to_hot;
mod destinations;
mod fees;
mod first_seen;
mod gaps;
mod limits;
mod reissue;
mod scope;
mod time;

use super::{NetworkPolicy, Policy};
use crate::approval::Approval;
use crate::batch::Content;
use crate::digest::Digest;
use crate::memory::Past;

pub use first_seen::first_seen_of;

/// The rolling window of the daily limits, seconds of journal time.
pub const DAY_SECONDS: u64 = 86_400;

/// Everything a rule may look at.
pub struct Facts<'a> {
    /// The batch.
    pub content: &'a Content,
    /// Its digest.
    pub digest: Digest,
    /// Who approved it.
    pub approvals: &'a [Approval],
    /// How many batches cross together.
    pub bundle_len: usize,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Now, UTC seconds, never before the journal's newest entry.
    pub now: u64,
    /// What was signed before, the batches before this one in the bundle included.
    pub past: Past<'a>,
}

impl<'a> Facts<'a> {
    /// The rules of the batch's network; the `network` rule comes first, so later ones find it.
    fn network(&self) -> Result<&'a NetworkPolicy, Refusal> {
        self.policy
            .network(self.content.network)
            .ok_or_else(|| Refusal::of(Rule::Network, self.content.network, "the networks of the policy"))
    }
}

crate::form::closed_list! {
    /// The rules by name. The word is the refusal code.
    Rule {
        /// The batch refers to the policy in force.
        PolicyInForce = 1 "policy.in_force",
        /// The network is listed.
        Network = 2 "policy.network",
        /// The kind is listed for the network.
        Kind = 3 "policy.kind",
        /// The paying wallet is listed.
        SourceWallet = 4 "policy.source_wallet",
        /// The asset is listed, and the batch's claims about it are right.
        Asset = 5 "policy.asset",
        /// No more items than allowed.
        Items = 6 "policy.items",
        /// No more batches together than allowed.
        BundleSize = 7 "policy.bundle_size",
        /// No item above its limit.
        PerItemLimit = 8 "policy.per_item_limit",
        /// The batch is not above its limit.
        PerBatchLimit = 9 "policy.per_batch_limit",
        /// The rolling day is not above its limit.
        PerDayLimit = 10 "policy.per_day_limit",
        /// Cold wallets pay listed hot wallets only.
        ColdToHot = 11 "policy.cold_to_hot",
        /// No denied address is paid.
        DeniedDestination = 12 "policy.denied_destination",
        /// Listed kinds pay listed addresses only.
        ListedDestination = 13 "policy.listed_destination",
        /// No transaction may cost more than allowed.
        FeeCap = 14 "policy.fee_cap",
        /// The batch does not live longer than allowed.
        Lifetime = 15 "policy.lifetime",
        /// It has not expired.
        Expired = 16 "policy.expired",
        /// It was not made in the future.
        Clock = 17 "policy.clock",
        /// Enough distinct people approved.
        Approvals = 18 "policy.approvals",
        /// Enough of them on independent devices.
        IndependentApprovals = 19 "policy.independent_approvals",
        /// A second signature for an item has a reason that fits what was signed before.
        ReissueReason = 20 "policy.reissue_reason",
        /// Nobody pays an address that keeps what it is sent: zero, burn, a contract, oneself.
        UnpayableDestination = 21 "policy.unpayable_destination",
        /// Signing is allowed at this hour.
        TimeWindow = 22 "policy.time_window",
        /// TRON: the paying wallet's pinned permission signs.
        Permission = 23 "policy.permission",
        /// The signer's clock is not far ahead of its journal.
        ClockJump = 24 "policy.clock_jump",
        /// No new item id is far below the signed ones of its epoch.
        ItemBehind = 25 "policy.item_behind",
        /// No new item id is far above them.
        ItemAhead = 26 "policy.item_ahead",
        /// No account nonces are left out.
        NonceGap = 27 "policy.nonce_gap",
        /// Enough people on independent devices approved what is signed again on a claim.
        ReissueApprovals = 28 "policy.reissue_approvals",
        /// Not too much is signed again on a claim.
        ReissueLimit = 29 "policy.reissue_limit",
        /// A destination that was not known gets little at first.
        FirstSeen = 30 "policy.first_seen",
    }
}

/// A rule that a batch breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}{}: {found} is against {allowed}", item.map_or(String::new(), |i| format!(", item {i}")))]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The item, counted from 0, if it is one item's.
    pub item: Option<usize>,
    /// What was seen.
    pub found: String,
    /// What would have been allowed.
    pub allowed: String,
}

impl Refusal {
    fn of(rule: Rule, found: impl ToString, allowed: impl ToString) -> Self {
        Self { rule, item: None, found: found.to_string(), allowed: allowed.to_string() }
    }

    fn at(mut self, item: usize) -> Self {
        self.item = Some(item);
        self
    }
}

type Check = fn(&Facts<'_>) -> Result<(), Refusal>;

/// Every rule, in the order in which it is asked.
pub const RULES: &[(Rule, Check)] = &[
    (Rule::PolicyInForce, scope::policy_in_force),
    (Rule::Network, scope::network),
    (Rule::Kind, scope::kind),
    (Rule::SourceWallet, scope::source_wallet),
    (Rule::Permission, scope::permission),
    (Rule::Asset, assets::asset),
    (Rule::Items, limits::items),
    (Rule::BundleSize, limits::bundle_size),
    (Rule::PerItemLimit, limits::per_item),
    (Rule::PerBatchLimit, limits::per_batch),
    (Rule::PerDayLimit, limits::per_day),
    (Rule::ColdToHot, cold_to_hot::cold_to_hot),
    (Rule::DeniedDestination, destinations::denied),
    (Rule::UnpayableDestination, destinations::unpayable),
    (Rule::ListedDestination, destinations::listed),
    (Rule::FeeCap, fees::fee_cap),
    (Rule::Lifetime, time::lifetime),
    (Rule::Expired, time::expired),
    (Rule::Clock, time::clock),
    (Rule::ClockJump, time::clock_jump),
    (Rule::TimeWindow, time::time_window),
    (Rule::ItemBehind, gaps::item_behind),
    (Rule::ItemAhead, gaps::item_ahead),
    (Rule::NonceGap, gaps::nonce_gap),
    (Rule::Approvals, approvals::approvals),
    (Rule::IndependentApprovals, approvals::independent),
    (Rule::ReissueReason, reissue::reissue_reason),
    (Rule::ReissueApprovals, reissue::reissue_approvals),
    (Rule::ReissueLimit, reissue::reissue_limit),
    // Last: its refusal begins a delay, and must not for a batch that something else is wrong with.
    (Rule::FirstSeen, first_seen::first_seen),
];

/// Runs every rule; the first that is broken refuses the whole batch.
pub fn judge(facts: &Facts<'_>) -> Result<(), Refusal> {
    RULES.iter().try_for_each(|(_, check)| check(facts))
}

/// Runs every rule and tells each verdict, for `policy explain` and for review.
pub fn explain(facts: &Facts<'_>) -> Vec<(Rule, Result<(), Refusal>)> {
    RULES.iter().map(|(rule, check)| (*rule, check(facts))).collect()
}
