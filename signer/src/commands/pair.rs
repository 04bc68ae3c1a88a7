//! `pair`: this signer and a coordinator pin each other's identity, by eight words compared aloud.
//!
//! What must stay true: the words cover both keys, so a key exchanged on the way shows; pairing is
//! journalled and touches nothing else; a second coordinator, or another one, takes the custodians of the
//! roster, so this command does it alone only where one custodian decides alone.

use super::{Place, ceremony, now};
use crate::args::Pair;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::Beside;
use crate::qr::{Document, Inputs, Output, Wanted};
use crate::vault::{Coordinator, Device, MAX_COORDINATORS, Vault, is_sound};
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{Introduction, pairing_digest};
use airlock_shared::frames::FrameSize;
use airlock_shared::journal::Event;
use airlock_shared::words;

/// Introduces this signer, and pairs when a coordinator's introduction was given.
pub fn run(place: &Place, args: &Pair) -> Result<(), Failure> {
    let (home, _lock) = place.locked_home()?;
    let inputs = if args.inputs.is_empty() { None } else { Some(Inputs::open_all(&args.inputs)?) };
    let output = args.out.as_deref().map(Output::open).transpose()?;
    let mut vault = place.vault(&home)?;
    // Pictures from outside are decoded beside the identity key.
    place.enter_sandbox(&home, args.out.as_deref())?;
    let own = introduction(vault.device());
    if let Some(output) = output {
        let size = FrameSize::default();
        output.write("introduction", &own.to_json(), &own.to_binary(), Introduction::KIND, size)?;
    }
    if let Some(inputs) = inputs {
        let other =
            coordinator(inputs.wanted(&place.console, Wanted::one(Introduction::KIND))?, vault.device())?;
        let digest = pairing_digest(&other.identity, &own.identity);
        place.console.note(format_args!(
            "Pairing with coordinator {} ({})\nidentity {}\n\n    {}\n\nThe coordinator's screen must show the same words.",
            other.name,
            other.profile.name(),
            other.identity,
            words::words(&digest)
        ));
        place.console.confirm(args.confirm.as_deref(), &digest)?;
        pin(&home, &mut vault, &other)?;
        place.console.note("Paired.");
    }
    place.console.print(own.to_json().trim_end())
}

/// What this signer shows a coordinator.
fn introduction(device: &Device) -> Introduction {
    Introduction {
        name: device.name.clone(),
        profile: device.profile,
        identity: device.identity(),
        roster: device.roster.clone(),
    }
}

fn coordinator(documents: Vec<Document>, device: &Device) -> Result<Introduction, Failure> {
    let [one] = &documents[..] else {
        return Err(Failure::usage(format!("{} documents; one introduction is needed", documents.len())));
    };
    let other: Introduction =
        document::read(&one.bytes).map_err(|error| Failure::new(Exit::Transfer, "document", error))?;
    let refused = |code: &str, why: String| Err(Failure::new(Exit::Refused, code, why));
    if other.profile != device.profile {
        let (found, own) = (other.profile.name(), device.profile.name());
        return refused("pair.profile", format!("a coordinator of profile {found}, this vault is for {own}"));
    }
    if other.roster.is_some() || !is_sound(&other.identity) || other.identity == device.identity() {
        return refused("pair.identity", "this is not the introduction of a coordinator".to_owned());
    }
    Ok(other)
}

fn pin(home: &Home, vault: &mut Vault, other: &Introduction) -> Result<(), Failure> {
    let device = vault.device();
    if device.coordinator(&other.identity).is_some() {
        return Ok(());
    }
    let alone = device.roster.as_ref().is_none_or(|roster| roster.threshold == 1);
    let may_add = device.coordinators.is_empty() || (alone && device.coordinators.len() < MAX_COORDINATORS);
    if !may_add {
        let why = "another coordinator is paired; pairing again takes the custodians of the roster";
        return Err(Failure::new(Exit::Refused, "pair.again", why));
    }
    let now = now()?;
    let mut journal = ceremony::open(home, device, now)?;
    let event = Event::Paired { coordinator: other.identity };
    let entry = journal.append(now, event, Beside::Nothing, device)?;
    let device = vault.device_mut();
    device.journal = journal.anchor();
    device.coordinators.push(Coordinator {
        name: other.name.clone(),
        identity: other.identity,
        paired_at: entry.time,
    });
    Ok(vault.store(home)?)
}
