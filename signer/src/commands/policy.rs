//! `policy sign`, `policy install`, `policy show`, and by `draft` the others: what this signer may sign, under the custodians' hands.
//!
//! What must stay true: a custodian types the eight words of what they sign; installing journals first,
//! pins in the vault second and writes the file last, and after a crash in between the same file may be
//! installed again.

mod draft;

use super::{Place, ceremony, now};
use crate::args::{self, PolicyAction};
use crate::failure::{Exit, Failure};
use crate::home::{Home, temporary_of};
use crate::journal::Beside;
use crate::policy;
use crate::qr::{Inputs, Wanted};
use crate::review;
use airlock_shared::document::{self, Document as _};
use airlock_shared::form::MAX_JSON_BYTES;
use airlock_shared::journal::Event;
use airlock_shared::policy::SignedPolicy;
use airlock_shared::words;
use serde::Serialize;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    name: String,
    policy_version: u64,
    digest: String,
    words: String,
    signatures: Vec<String>,
}

/// Carries out one of them.
pub fn run(place: &Place, action: PolicyAction) -> Result<(), Failure> {
    match action {
        PolicyAction::Sign { policy, out, confirm } => {
            sign(place, &policy, out.as_deref(), confirm.as_deref())
        }
        PolicyAction::Install { policy } => install(place, &policy),
        PolicyAction::Show => show(place, &place.home()?),
        PolicyAction::New { name, profile, network, out } => {
            draft::new(place, &name, &profile, &network, out.as_deref())
        }
        PolicyAction::Diff { old, new } => draft::diff(place, &read(&old)?.policy, &read(&new)?.policy),
        PolicyAction::Explain { policy, bundle } => {
            let under = policy.as_deref().map(read).transpose()?;
            draft::explain(place, under.map(|signed| signed.policy), &bundle)
        }
    }
}

fn read(file: &Path) -> Result<SignedPolicy, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Transfer, "input", format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(MAX_JSON_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    document::read(&bytes).map_err(|error| Failure::new(Exit::Transfer, "document", error))
}

/// The one policy among what came in, and whether it came as a file.
fn wanted(place: &Place, inputs: Inputs) -> Result<(SignedPolicy, bool), Failure> {
    let documents = inputs.wanted(&place.console, Wanted::one(SignedPolicy::KIND))?;
    let [one] = &documents[..] else {
        return Err(Failure::usage(format!("{} documents; one policy at a time", documents.len())));
    };
    let signed =
        document::read(&one.bytes).map_err(|error| Failure::new(Exit::Transfer, "document", error))?;
    Ok((signed, one.kind.is_none()))
}

fn sign(
    place: &Place,
    given: &args::Inputs,
    out: Option<&Path>,
    confirm: Option<&str>,
) -> Result<(), Failure> {
    let home = place.home()?;
    let inputs = Inputs::open_all(given)?;
    let vault = place.vault(&home)?;
    let Some(out) = out.or(given.input.first().map(PathBuf::as_path)) else {
        return Err(Failure::usage("--out FILE: what comes from a camera cannot be signed in place"));
    };
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Pictures from outside are decoded beside the identity key.
    place.enter_sandbox(&home, Some(folder))?;
    let (mut signed, is_file) = wanted(place, inputs)?;
    if !is_file && given.input.iter().any(|input| input == out) {
        return Err(Failure::usage("--out FILE: a picture cannot be signed in place"));
    }
    let digest = signed.policy.digest();
    place.console.note(review::policy(&signed.policy));
    place.console.confirm(confirm, &digest)?;
    policy::sign(vault.device(), &mut signed)?;
    replace(out, signed.to_json().as_bytes())
        .map_err(|error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", out.display())))?;
    answer(place, &signed)
}

/// The file carries other custodians' signatures: after a crash the old or the new one is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = temporary_of(path);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    std::fs::rename(&temporary, path)
}

fn install(place: &Place, given: &args::Inputs) -> Result<(), Failure> {
    let (home, _lock) = place.locked_home()?;
    let inputs = Inputs::open_all(given)?;
    let mut vault = place.vault(&home)?;
    place.enter_sandbox(&home, None)?;
    let (signed, _) = wanted(place, inputs)?;
    let pin = policy::accept(&home, vault.device(), &signed)?;
    // A clock's jump is no hindrance here: this is how people vouch for the clock.
    let (mut journal, now) = (ceremony::open_unlocked(&home, vault.device())?, now()?);
    policy::check_rises(journal.newest_policy(), &pin)?;
    // After a rest that the policy calls a clock's jump, installing it again is how people vouch for the clock.
    let rested = now.saturating_sub(journal.time()) > signed.policy.bounds.clock_jump_max_seconds;
    if journal.policy() != Some(pin) || rested {
        let event = Event::PolicyInstalled { version: pin.version, digest: pin.digest };
        journal.append(now, event, Beside::Nothing, vault.device())?;
    }
    if vault.device().policy != Some(pin) || rested {
        vault.device_mut().journal = journal.anchor();
        vault.device_mut().policy = Some(pin);
        vault.store(&home)?;
    }
    policy::store(&home, &signed)?;
    place.console.note("In force from now on.");
    answer(place, &signed)
}

fn show(place: &Place, home: &Home) -> Result<(), Failure> {
    let vault = place.vault(home)?;
    let signed = policy::load(home, vault.device())?;
    if place.console.json() {
        return place.console.print(signed.to_json().trim_end());
    }
    place.console.print(&review::policy(&signed.policy))
}

fn answer(place: &Place, signed: &SignedPolicy) -> Result<(), Failure> {
    let digest = signed.policy.digest();
    let answer = Answer {
        format: "airlock policy state",
        version: 1,
        name: signed.policy.name.to_string(),
        policy_version: signed.policy.version,
        digest: digest.to_string(),
        words: words::words(&digest),
        signatures: signed.signatures.iter().map(|given| given.custodian.to_string()).collect(),
    };
    let text = format!(
        "policy {} version {}: signatures {}\ndigest {}\n{}",
        answer.name,
        answer.policy_version,
        answer.signatures.len(),
        answer.digest,
        answer.words
    );
    place.console.answer(&answer, text)
}
