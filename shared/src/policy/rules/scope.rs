//! What a batch may be at all: policy, network, kind, paying wallet.

use super::{Facts, Refusal, Rule};
use crate::batch::{Context, Kind};
use crate::wallet::Role;

pub(super) fn policy_in_force(facts: &Facts<'_>) -> Result<(), Refusal> {
    let (claimed, policy) = (&facts.content.policy, facts.policy);
    let in_force = claimed.name == policy.name
        && claimed.version == policy.version
        && claimed.digest == policy.digest()
        && facts.content.profile == policy.profile;
    if in_force {
        return Ok(());
    }
    let found = format!("policy {} version {} ({})", claimed.name, claimed.version, claimed.digest);
    let allowed = format!("policy {} version {} ({})", policy.name, policy.version, policy.digest());
    Err(Refusal::of(Rule::PolicyInForce, found, allowed))
}

pub(super) fn network(facts: &Facts<'_>) -> Result<(), Refusal> {
    facts.network().map(drop)
}

pub(super) fn kind(facts: &Facts<'_>) -> Result<(), Refusal> {
    let network = facts.network()?;
    if network.kinds.contains(&facts.content.kind) {
        return Ok(());
    }
    let allowed: Vec<_> = network.kinds.iter().map(|kind| kind.word()).collect();
    Err(Refusal::of(Rule::Kind, facts.content.kind, format!("the kinds {}", allowed.join(", "))))
}

/// A sweep's deposit wallets need no entry, because the signer derives each and proves its address.
/// Every other kind pays from a listed wallet, and from a role that fits the kind. An imported key stands for
/// a hot wallet, a hardware wallet for a hot or a cold one.
pub(super) fn source_wallet(facts: &Facts<'_>) -> Result<(), Refusal> {
    let Some(source) = facts.content.source else { return Ok(()) };
    let listed = facts.network()?.paying(&source).is_some();
    let fits = match facts.content.kind {
        Kind::ColdToHot => matches!(source.role, Role::Cold | Role::Hardware),
        Kind::EnergyPayment | Kind::Delegate | Kind::Undelegate => {
            matches!(source.role, Role::Energy | Role::Hot | Role::Imported | Role::Hardware)
        }
        Kind::Withdrawal | Kind::HotToCold | Kind::GasTopUp => {
            matches!(source.role, Role::Hot | Role::Imported | Role::Hardware)
        }
        Kind::TreasurySend | Kind::Cancel => source.role != Role::Deposit,
        Kind::Sweep => false,
    };
    if listed && fits {
        return Ok(());
    }
    let found = format!("{} wallet {} ({})", source.role.name(), source.index, source.address);
    Err(Refusal::of(Rule::SourceWallet, found, format!("the listed wallets for {}", facts.content.kind)))
}

/// On TRON the permission that signs is part of the transaction, and another one of the same account may ask
/// for other signers. A deposit wallet, which needs no entry, signs as its owner.
pub(super) fn permission(facts: &Facts<'_>) -> Result<(), Refusal> {
    let Context::Tron(tron) = &facts.content.context else { return Ok(()) };
    let entry = match &facts.content.source {
        Some(source) => facts.network()?.paying(source),
        None => None,
    };
    let pinned = entry.map_or(0, |entry| entry.permission_id);
    if tron.permission_id == pinned {
        return Ok(());
    }
    let found = format!("permission {}", tron.permission_id);
    Err(Refusal::of(Rule::Permission, found, format!("permission {pinned} of the paying wallet")))
}
