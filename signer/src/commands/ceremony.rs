//! What people do with a signer besides signing, on record in its journal.
//!
//! Called by `backup`, `passphrase` and `wallet`. What must stay true: the entry is on the disk before what it is
//! about leaves or takes effect, as an intent is; a restored vault has no journal before its custodians say where
//! it begins, and then nothing can be put on record, which is said.

use super::{Place, now};
use crate::failure::Failure;
use crate::home::Home;
use crate::journal::{Beside, Journal, JournalError};
use crate::records::Access;
use crate::vault::Vault;
use airlock_shared::journal::{Ceremony, Event};

/// What to do where the journal has not begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BeforeGenesis {
    /// It cannot be done.
    Refuse,
    /// It can, and is not on record.
    Allow,
}

/// Puts it on record and moves the vault's anchor; the caller stores the vault. `detail` is at most 256 bytes
/// without control characters, and no secret.
pub fn record(
    place: &Place,
    home: &Home,
    vault: &mut Vault,
    (kind, detail): (Ceremony, String),
    before: BeforeGenesis,
) -> Result<(), Failure> {
    let mut journal = match Journal::open(home, vault.device(), Access::Append) {
        Err(JournalError::Empty) if before == BeforeGenesis::Allow => {
            place.console.note("The journal has not begun again yet, so this is not on record.");
            return Ok(());
        }
        opened => opened?,
    };
    let time = now()?.max(journal.time());
    journal.append(time, Event::Ceremony { kind, detail }, Beside::Nothing, vault.device())?;
    vault.device_mut().journal = journal.anchor();
    Ok(())
}
