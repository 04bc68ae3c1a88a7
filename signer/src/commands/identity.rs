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
    vault: String,
    roster_digest: Option<String>,
    spending: bool,
}

/// Opens the identity compartment and prints the public half.
pub fn run(place: &Place) -> Result<(), Failure> {
    let vault = place.vault(&place.home()?)?;
    let device = vault.device();
    let answer = Answer {
        format: "airlock identity",
        version: 1,
        name: device.name.to_string(),
        profile: device.profile.name(),
        key: hex::encode(device.identity().as_bytes()),
        vault: hex::encode(device.identity().fingerprint()),
        roster_digest: device.roster.as_ref().map(|roster| roster.digest().to_string()),
        spending: vault.can_spend(),
    };
    let text = format!("{}={}", answer.name, answer.key);
    place.console.answer(&answer, text)
}
