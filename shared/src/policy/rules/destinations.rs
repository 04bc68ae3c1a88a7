//! Who may be paid.

use super::{Facts, Refusal, Rule};
use crate::batch::Kind;
use crate::policy::WithdrawalsTo;

pub(super) fn denied(facts: &Facts<'_>) -> Result<(), Refusal> {
    let denied = &facts.network()?.denied;
    match facts.content.items.iter().position(|item| denied.contains(&item.destination)) {
        Some(i) => {
            let found = facts.content.items[i].destination;
            Err(Refusal::of(Rule::DeniedDestination, found, "any address that is not denied").at(i))
        }
        None => Ok(()),
    }
}

/// Withdrawals go anywhere if the policy says so. Everything else goes to addresses listed for its kind,
/// or to own wallets, whose keys the signer derives before it signs; a cancel goes to oneself.
pub(super) fn listed(facts: &Facts<'_>) -> Result<(), Refusal> {
    let network = facts.network()?;
    let kind = facts.content.kind;
    let anywhere = kind == Kind::Withdrawal && network.withdrawals_to == WithdrawalsTo::Any;
    if anywhere || kind == Kind::Cancel {
        return Ok(());
    }
    let own_may = matches!(kind, Kind::GasTopUp | Kind::Delegate | Kind::Undelegate | Kind::Sweep);
    let listed = network.listed(kind);
    let stray = facts
        .content
        .items
        .iter()
        .position(|item| !(listed.contains(&item.destination) || (own_may && item.own.is_some())));
    match stray {
        Some(i) => {
            let found = facts.content.items[i].destination;
            Err(Refusal::of(Rule::ListedDestination, found, format!("the addresses listed for {kind}")).at(i))
        }
        None => Ok(()),
    }
}
