//! `backup state`: journal, refusals and policy, copied with a signed manifest (K2).
//!
//! What must stay true: it holds the single-writer lock, so the copy is of one moment; the journal verifies
//! before it is copied; an earlier copy is never overwritten; no secret leaves.

use super::{Place, now};
use crate::failure::{Exit, Failure};
use crate::journal::Journal;
use crate::records::Access;
use crate::state;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    signer: String,
    sequence: u64,
    head: String,
    files: Vec<String>,
}

/// Makes the copy in a new or empty folder.
pub fn run(place: &Place, out: &Path) -> Result<(), Failure> {
    let (home, _lock) = place.locked_home()?;
    std::fs::create_dir_all(out)
        .map_err(|error| Failure::new(Exit::Transfer, "output", format!("{}: {error}", out.display())))?;
    let vault = place.vault(&home)?;
    place.enter_sandbox(&home, Some(out))?;
    let journal = Journal::open(&home, vault.device(), Access::Append)?;
    Journal::open_refusals(&home, vault.device(), Access::Append)?;
    let manifest = state::save(&home, vault.device(), &journal, out, now()?)?;
    let answer = Answer {
        format: "airlock state backup result",
        version: 1,
        signer: manifest.signer.to_string(),
        sequence: manifest.sequence,
        head: manifest.head.to_string(),
        files: manifest.files.iter().map(|file| file.name.clone()).collect(),
    };
    let text = format!(
        "{}: {}\nThe journal stands at entry {}. A copy is as good as it is new: make one after every day of signing.",
        out.display(),
        answer.files.join(", "),
        answer.sequence
    );
    place.console.answer(&answer, text)
}
