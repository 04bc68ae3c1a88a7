//! What people do with a signer besides signing, on record in its journal.
//!
//! Called by `backup`, `passphrase` and `wallet`; every other command that adds to the journal opens it here too.
//! What must stay true: the entry is on the disk before what it is about leaves or takes effect, as an intent is;
//! a locked signer's journal takes none, because its custodians are about to say where it goes on; none moves
//! journal time further than the policy lets a clock jump, or delays and the rolling day would end by it; a
//! restored vault has no journal before its custodians say where it begins, and then nothing can be put on
//! record, which is said.

use super::{Place, now};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::{Beside, Journal, JournalError, LOCKED};
use crate::policy;
use crate::records::Access;
use crate::vault::{Device, Vault};
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
    let now = now()?;
    if before == BeforeGenesis::Allow && !has_begun(home, vault.device())? {
        place.console.note("The journal has not begun again yet, so this is not on record.");
        return Ok(());
    }
    let mut journal = open(home, vault.device(), now)?;
    journal.append(now, Event::Ceremony { kind, detail }, Beside::Nothing, vault.device())?;
    vault.device_mut().journal = journal.anchor();
    Ok(())
}

/// The journal, if an entry may be added to it now.
pub fn open(home: &Home, device: &Device, now: u64) -> Result<Journal, Failure> {
    let journal = open_unlocked(home, device)?;
    if device.policy.is_some() {
        let allowed = policy::load(home, device)?.policy.bounds.clock_jump_max_seconds;
        let ahead = now.saturating_sub(journal.time());
        if ahead > allowed {
            let why = format!(
                "this clock is {ahead} seconds ahead of the journal, the policy allows {allowed}; check it, then \
                 install the policy again to vouch for it"
            );
            return Err(Failure::new(Exit::State, "clock", why));
        }
    }
    Ok(journal)
}

/// The journal, if it takes entries at all.
pub fn open_unlocked(home: &Home, device: &Device) -> Result<Journal, Failure> {
    if device.lock.is_some() {
        let why =
            "this signer is locked until its custodians re-anchor it; its journal takes no entry but theirs";
        return Err(Failure::new(Exit::Refused, LOCKED, why));
    }
    Ok(Journal::open(home, device, Access::Append)?)
}

/// Has the journal begun? That of a restored vault has not, before its custodians say where.
pub fn has_begun(home: &Home, device: &Device) -> Result<bool, Failure> {
    match Journal::open(home, device, Access::Append) {
        Ok(_) => Ok(true),
        Err(JournalError::Empty) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
