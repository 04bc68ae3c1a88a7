//! The auditor trusts nobody: files, pinned fingerprints, every signature checked again (X1 to X3).
//!
//! ```text
//! file.rs     one file: origin, approvals, policy, receipts, every signature of every payment
//! journals.rs the journals behind many files: one unbroken chain for each signer, or named gaps and forks
//! folder.rs   many files in the order of the journal: what may not happen twice, and every rule that needs a past
//! ledger.rs   the coordinator's books: every signed item has its line, and every line its signed item
//! ```
//! What must stay true: nothing in a file is believed but the pins; what could not be checked is said; a
//! finding names the file, the field and the value. There is no I/O here: callers bring bytes in, in an order
//! that they take from the journal, and may check single files in parallel.

mod file;
mod folder;
mod journals;
mod ledger;

pub use file::{Finding, Report, Transaction, Verdict, audit, check_receipt};
pub use folder::{Added, Contradiction, Folder, Note};
pub use journals::{Break, Chained, Gap, Journals, Origin, Terms};
pub use ledger::{Books, Mismatch};

use crate::digest::Digest;
use crate::document::Document;
use crate::form::{Form, FormError, Reader, Writer};
use crate::identity::{Identity, Roster};

/// What an auditor pins on the first day and compares everything with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pins {
    /// Digest of the roster.
    pub roster: Digest,
    /// The coordinators that have been paired; a new one may follow an old one.
    pub coordinators: Vec<Identity>,
}

/// A roster in a file of its own, to be pinned on a machine that has no vault. Its digest is read aloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosterFile {
    /// The custodians and their threshold.
    pub roster: Roster,
}

impl Form for RosterFile {
    fn write(&self, to: &mut Writer) {
        to.part(0, "roster", &self.roster);
        to.digest(1, "digest", &self.roster.digest());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let roster: Roster = from.part(0, "roster")?;
        let digest = from.digest(1, "digest")?;
        if roster.digest() == digest {
            return Ok(Self { roster });
        }
        Err(from.refused("digest", format!("the custodians above it have the digest {}", roster.digest())))
    }
}

impl Document for RosterFile {
    const KIND: u8 = 11;
    const NAME: &'static str = "airlock roster";
}
