//! `identity`: the public key of this device, for rosters and for the coordinator.

use super::Place;
use crate::failure::Failure;
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    name: String,
    profile: &'static str,
    key: String,
    spending: bool,
}

/// Opens the identity compartment and prints the public half.
pub fn run(place: &Place) -> Result<(), Failure> {
    let vault = place.vault(&place.home()?)?;
    let identity = vault.identity();
    let answer = Answer {
        format: "airlock identity",
        version: 1,
        name: identity.name.to_string(),
        profile: identity.profile.name(),
        key: hex::encode(identity.public_key()),
        spending: vault.can_spend(),
    };
    let text = format!("{}={}", answer.name, answer.key);
    place.console.answer(&answer, text)
}
