//! Cold wallets pay listed hot wallets, and nobody else: the rule that would have stopped the Bybit theft.
//!
//! In February 2025 three owners of a cold wallet signed what their screens called a routine transfer to a warm
//! wallet. The bytes were a delegatecall that handed the wallet over; 401,347 ETH left. Three things stop it
//! here, each alone: a batch carries fields, so there is no place for a delegatecall or foreign calldata
//! (docs/batch-format.md); the signer builds the transaction itself (S4); and this rule, in the offline
//! signer and over the decoded fields, knows the only addresses a cold wallet may ever pay.

use super::{Facts, Refusal, Rule};
use crate::batch::Kind;
use crate::wallet::Role;

pub(super) fn cold_to_hot(facts: &Facts<'_>) -> Result<(), Refusal> {
    let from_cold = facts.content.source.is_some_and(|source| source.role == Role::Cold);
    if !from_cold && facts.content.kind != Kind::ColdToHot {
        return Ok(());
    }
    if facts.content.kind == Kind::TreasurySend || facts.content.kind == Kind::Cancel {
        // Listed destinations and oneself; `listed_destination` and the batch's own check hold those.
        return Ok(());
    }
    let hot = facts.network()?.listed(Kind::ColdToHot);
    let stray = facts.content.items.iter().position(|item| !hot.contains(&item.destination));
    match stray {
        Some(i) => {
            let found = facts.content.items[i].destination;
            Err(Refusal::of(Rule::ColdToHot, found, "the hot wallets listed for cold_to_hot").at(i))
        }
        None => Ok(()),
    }
}
