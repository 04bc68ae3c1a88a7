//! `audit PATH…`: signed-batch files, or folders of them, verified offline against pinned keys.
//!
//! What must stay true: nothing in a file is believed but the pins; with pins from files or flags no home and no
//! passphrase is needed; without pins the answer is UNANCHORED and never success; every file is judged even
//! after one has failed; one finding fails the command.

use super::{Place, now};
use crate::args::Audit as Args;
use crate::audit::{Anchors, Asked, audit, intake};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::report::{self, Report, Verdict};
use crate::sandbox;
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::Introduction;
use airlock_shared::identity::{Identity, Roster};
use airlock_shared::roles::auditor::RosterFile;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Reads and judges every file.
pub fn run(place: &Place, args: &Args) -> Result<(), Failure> {
    let from_flags = args.roster.is_some() || !args.coordinator.is_empty();
    let anchors = if from_flags { anchors_of(args)? } else { anchors_of_home(place)? };
    if let Some(path) = &args.save_roster {
        return save_roster(place, &anchors, path);
    }
    let listed = intake::list(&args.input)?;
    let html = args.html.as_deref().map(create).transpose()?;
    enter_sandbox(place, &listed.files, args.ledger.as_deref())?;
    let asked = Asked { listed: &listed, anchors: &anchors, ledger: args.ledger.as_deref() };
    let report = audit(&asked);
    if let (Some(mut file), Some(path)) = (html, &args.html) {
        let page = report::page(&report, now()?);
        file.write_all(page.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| io(path, error))?;
    }
    place.console.answer(&report, report::text(&report))?;
    ended(&report)
}

fn ended(report: &Report) -> Result<(), Failure> {
    let (code, why) = match report.verdict {
        Verdict::Passed => return Ok(()),
        Verdict::Unanchored => ("unanchored", "UNANCHORED: nothing is pinned, so nothing is proven"),
        Verdict::Failed => ("audit", "the audit failed"),
    };
    let about = report.findings.len();
    let total = report.passed + report.failed;
    let message =
        format!("{why}: {} of {total} files failed, {about} findings about all of them", report.failed);
    Err(Failure::new(Exit::Refused, code, message))
}

fn io(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Transfer, "transfer", format!("{}: {error}", path.display()))
}

fn anchors_of(args: &Args) -> Result<Anchors, Failure> {
    let roster = args.roster.as_deref().map(read_roster).transpose()?;
    let coordinator = |text: &String| {
        let wrong = || Failure::usage(format!("--coordinator {text:?}: not 64 lower-case hex digits"));
        Identity::from_hex(text).ok_or_else(wrong)
    };
    let coordinators = args.coordinator.iter().map(coordinator).collect::<Result<_, _>>()?;
    Ok(Anchors { roster, coordinators })
}

/// What this home has pinned; nothing if there is no home.
fn anchors_of_home(place: &Place) -> Result<Anchors, Failure> {
    if !place.root.exists() {
        return Ok(Anchors::default());
    }
    let home = Home::open(&place.root)?;
    let vault = place.vault(&home)?;
    let device = vault.device();
    let coordinators = device.coordinators.iter().map(|coordinator| coordinator.identity).collect();
    Ok(Anchors { roster: device.roster.clone(), coordinators })
}

/// A roster that an auditor keeps: a roster file, or a signer's introduction.
fn read_roster(path: &Path) -> Result<Roster, Failure> {
    let bytes = intake::read(path)?;
    let as_roster = match document::read::<RosterFile>(&bytes) {
        Ok(file) => return Ok(file.roster),
        Err(error) => error,
    };
    let introduced = document::read::<Introduction>(&bytes).ok().and_then(|introduction| introduction.roster);
    introduced
        .ok_or_else(|| Failure::new(Exit::Transfer, "document", format!("{}: {as_roster}", path.display())))
}

fn save_roster(place: &Place, anchors: &Anchors, path: &Path) -> Result<(), Failure> {
    let none = || Failure::new(Exit::State, "no_roster", "this home has pinned no roster");
    let roster = anchors.roster.clone().ok_or_else(none)?;
    let digest = roster.digest();
    let mut file = create(path)?;
    file.write_all(RosterFile { roster }.to_json().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| io(path, error))?;
    let text = format!("{}\nroster  {digest}", path.display());
    place.console.answer(&serde_json::json!({ "file": path, "roster": digest.to_string() }), text)
}

/// Nothing is overwritten but an earlier report's file, which is emptied.
fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| io(path, error))
}

/// Other people's files are read inside the sandbox, and nothing else can be.
fn enter_sandbox(place: &Place, files: &[PathBuf], ledger: Option<&Path>) -> Result<(), Failure> {
    let mut readable: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    readable.extend(ledger);
    // A folder is one rule; ten thousand files would be as many.
    let mut folders: Vec<&Path> = readable
        .iter()
        .map(|path| path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")))
        .collect();
    folders.sort_unstable();
    folders.dedup();
    let enforced = sandbox::enter_reading(&[], &folders)?;
    let version = env!("CARGO_PKG_VERSION");
    place.console.note(format_args!("airlock-signer {version}: {enforced}; {}", place.protection));
    Ok(())
}
