//! One file of an audit, decoded and verified by itself. Runs on many cores at once, so it remembers nothing.

use super::intake::{self, Indexed};
use crate::failure::plain;
use airlock_shared::document::{self, Document as _, kind_of};
use airlock_shared::envelope::{Receipt, Replies, SignedBatch};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::roles::auditor::{Pins, Report, audit, check_receipt};
use std::path::Path;

/// A file with what it turned out to be.
pub struct Checked {
    /// Its place in the list.
    pub place: usize,
    /// What it is.
    pub document: Document,
}

/// What may stand in a folder that is audited.
pub enum Document {
    /// A signed batch that passed by itself.
    Batch(Box<Batch>),
    /// Receipts of refusals, or of batches whose files are elsewhere.
    Receipts(Vec<Receipt>),
    /// Custodians' terms on which a journal began again.
    Terms(Box<SignedGenesis>),
    /// Nothing that passes; with the reason.
    Unreadable(String),
}

/// A signed batch and its report.
pub struct Batch {
    /// The file.
    pub file: SignedBatch,
    /// What it proved.
    pub report: Report,
}

/// Reads, decodes and verifies one file.
pub fn check(one: &Indexed, path: &Path, pins: &Pins) -> Checked {
    let document = verify(one, path, pins).unwrap_or_else(Document::Unreadable);
    Checked { place: one.place, document }
}

fn verify(one: &Indexed, path: &Path, pins: &Pins) -> Result<Document, String> {
    let bytes = intake::read(path).map_err(|error| plain(&error.to_string()))?;
    let said = |error: &dyn std::fmt::Display| plain(&error.to_string());
    match kind(&bytes) {
        Some(Replies::NAME) => {
            let replies: Replies = document::read(&bytes).map_err(|error| said(&error))?;
            let receipts: Vec<_> = replies.replies.into_iter().map(|reply| reply.receipt).collect();
            for receipt in &receipts {
                check_receipt(receipt).map_err(|error| said(&error))?;
            }
            Ok(Document::Receipts(receipts))
        }
        Some(SignedGenesis::NAME) => {
            document::read(&bytes).map(Box::new).map(Document::Terms).map_err(|error| said(&error))
        }
        _ => {
            let file: SignedBatch = document::read(&bytes).map_err(|error| said(&error))?;
            let report = audit(&file, pins).map_err(|finding| said(&finding))?;
            if report.order().is_some_and(|(signer, sequence)| {
                (&signer.as_bytes()[..], sequence) != (&one.order.0[..], one.order.1)
            }) {
                return Err("its place in the journal changed while it was read".to_owned());
            }
            Ok(Document::Batch(Box::new(Batch { file, report })))
        }
    }
}

/// Which of the documents besides a signed batch it says it is. JSON opens with its format.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    let others = [(Replies::KIND, Replies::NAME), (SignedGenesis::KIND, SignedGenesis::NAME)];
    let says = |name: &str| bytes.starts_with(format!("{{\n  \"format\": \"{name}\"").as_bytes());
    let found = match kind_of(bytes) {
        Some(kind) => others.iter().find(|(number, _)| *number == kind),
        None => others.iter().find(|(_, name)| says(name)),
    };
    found.map(|(_, name)| *name)
}
