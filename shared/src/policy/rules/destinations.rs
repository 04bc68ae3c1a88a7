//! Who may be paid.

use super::{Facts, Refusal, Rule};
use crate::batch::Kind;
use crate::policy::WithdrawalsTo;
use crate::unpayable;

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

/// Addresses that keep what they are sent, the batch's own token contract, and the paying wallet itself
/// (which only a cancel pays).
pub(super) fn unpayable(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.content.kind == Kind::Cancel {
        return Ok(());
    }
    for (i, item) in facts.content.items.iter().enumerate() {
        let source = facts.content.source_of(i).map(|wallet| wallet.address);
        let why = if facts.content.asset.contract == Some(item.destination) {
            Some("the token's own contract")
        } else if source == Some(item.destination) {
            Some("the paying wallet itself")
        } else {
            unpayable::reason(&item.destination)
        };
        if let Some(why) = why {
            let found = format!("{} ({why})", item.destination);
            return Err(Refusal::of(Rule::UnpayableDestination, found, "addresses that can be paid").at(i));
        }
    }
    Ok(())
}
