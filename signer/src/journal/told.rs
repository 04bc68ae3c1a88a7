//! What the two chains say to who has no passphrase: unverified, and so for advice only.
//!
//! Called by `doctor` and at the start of commands that look at the clock before the vault is open.

use super::beside::decode;
use super::{HEAD_UNKNOWN, JournalError};
use crate::home::Home;
use crate::records::{Access, Chain as File, Records};
use airlock_shared::journal::{Entry, Event};
use std::path::Path;

/// Time of the last whole entry of `home`'s journal, readable without a passphrase and so not to be
/// trusted; UTC seconds.
pub fn last_time(home: &Home) -> Result<Option<u64>, JournalError> {
    let opened = Records::open(&home.journal(), File::Journal, Access::Read, |_| true)?;
    let number = opened.entries.len();
    let last = opened.entries.last().map(|bytes| decode(number, bytes)).transpose()?;
    Ok(last.map(|(entry, _)| entry.time))
}

/// What both chains say without a passphrase, unverified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Has the journal an entry? Beside an empty one nothing is signed.
    pub begun: bool,
    /// Was a head refused that the journal does not hold, since custodians last decided where it goes on?
    pub unknown_head: bool,
}

/// For the doctor, who asks for no passphrase: only the vault knows whether the signer is locked.
pub fn told(home: &Home) -> Result<Told, JournalError> {
    let entries = |path: &Path, file| -> Result<Vec<Entry>, JournalError> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let opened = Records::open(path, file, Access::Read, |_| true)?;
        (1..)
            .zip(&opened.entries)
            .map(|(number, bytes)| decode(number, bytes).map(|(entry, _)| entry))
            .collect()
    };
    let journal = entries(&home.journal(), File::Journal)?;
    let refusals = entries(&home.refusals(), File::Refusals)?;
    let decided = |event: &Event| matches!(event, Event::Reanchored { .. } | Event::Genesis { .. });
    let decided = journal.iter().rev().find(|entry| decided(&entry.event)).map_or(0, |entry| entry.time);
    let unknown = |event: &Event| matches!(event, Event::Refused { code, .. } if code == HEAD_UNKNOWN);
    let unknown_head = refusals.iter().any(|entry| entry.time >= decided && unknown(&entry.event));
    Ok(Told { begun: !journal.is_empty(), unknown_head })
}
