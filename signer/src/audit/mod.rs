//! An audit from paths to a report: list, index, check in parallel, replay in the order of the journal.
//!
//! ```text
//! list -> index (every file, digest and place) -> ledger export, line by line
//!      -> a few files at a time: decode and verify on all cores | replay the ones before them in order
//!      -> gaps, breaks, missing files, mismatches -> report
//! ```
//! Called by the command `audit`, by its measurement and by tests. What must stay true: memory holds a few
//! files and what [`Folder`] must remember, however large the folder; a file's place in the order is taken from
//! the file only once it was verified; one finding anywhere fails the audit.

mod books;
mod checked;
pub mod intake;

use crate::failure::plain;
use crate::report::{Audited, Report};
use airlock_shared::digest::Digest;
use airlock_shared::document;
use airlock_shared::envelope::{Receipt, SignedBatch};
use airlock_shared::genesis::SignedGenesis;
use airlock_shared::identity::{Identity, Roster};
use airlock_shared::roles::auditor::{Added, Books, Contradiction, Folder, Note, Pins};
use checked::{Batch, Checked, Document};
use intake::{Indexed, Listed};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::path::{Path, PathBuf};

/// Files decoded at once, and their bytes.
const CHUNK_FILES: usize = 64;
const CHUNK_BYTES: u64 = 32 << 20;

/// What an auditor has pinned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Anchors {
    /// The custodians.
    pub roster: Option<Roster>,
    /// The coordinators.
    pub coordinators: Vec<Identity>,
}

impl Anchors {
    /// Is everything pinned that an audit compares with?
    pub const fn are_complete(&self) -> bool {
        self.roster.is_some() && !self.coordinators.is_empty()
    }
}

/// What is to be audited, and against what.
pub struct Asked<'a> {
    /// The files.
    pub listed: &'a Listed,
    /// The pins.
    pub anchors: &'a Anchors,
    /// A ledger export.
    pub ledger: Option<&'a Path>,
}

/// Carries out an audit.
pub fn audit(asked: &Asked<'_>) -> Report {
    let files = &asked.listed.files;
    let (indexed, unread) = intake::index(files);
    let names: Vec<String> = files.iter().map(|path| plain(&path.display().to_string())).collect();
    let mut report = Report::new(asked.anchors, names);
    for (place, error) in unread {
        report.refused(place, plain(&error.to_string()));
    }
    let Anchors { roster, coordinators } = stand_in(asked.anchors, files, &indexed);
    let pins = Pins { roster: roster.as_ref().map_or(Digest::ZERO, Roster::digest), coordinators };
    let custodians = roster.iter().flat_map(|roster| &roster.custodians).map(|custodian| custodian.identity);
    let folder = Folder::new(pins.clone(), custodians);
    let mut work = Work { files, roster, pins, folder, books: None, report, unjudged: Vec::new() };
    if let Some(path) = asked.ledger {
        work.books = books::open(path, &work.pins.coordinators, &mut work.folder, &mut work.report);
    }
    work.check_all(&indexed);
    work.finish(asked.listed)
}

/// Without pins the first file's own roster and coordinator stand in, so that the rest can be judged at all;
/// the report says that nothing was proven by them.
fn stand_in(anchors: &Anchors, files: &[PathBuf], indexed: &[Indexed]) -> Anchors {
    let mut stand_in = anchors.clone();
    if stand_in.are_complete() {
        return stand_in;
    }
    let read = |one: &Indexed| {
        let bytes = intake::read(files.get(one.place)?).ok()?;
        document::read::<SignedBatch>(&bytes).ok()
    };
    if let Some(first) = indexed.iter().filter(|one| !one.order.0.is_empty()).find_map(read) {
        stand_in.roster.get_or_insert(first.roster);
        if stand_in.coordinators.is_empty() {
            stand_in.coordinators.push(first.envelope.coordinator);
        }
    }
    stand_in
}

/// An audit under way.
struct Work<'a> {
    files: &'a [PathBuf],
    roster: Option<Roster>,
    pins: Pins,
    folder: Folder,
    books: Option<Books>,
    report: Report,
    /// Files whose journal or past is not all here.
    unjudged: Vec<usize>,
}

impl Work<'_> {
    /// While one chunk is replayed on this core, the next one is verified on the others.
    fn check_all(&mut self, indexed: &[Indexed]) {
        let (files, pins) = (self.files, self.pins.clone());
        let check = |chunk: &[Indexed]| -> Vec<Checked> {
            chunk.par_iter().map(|one| checked::check(one, &files[one.place], &pins)).collect()
        };
        let mut chunks = chunks(indexed);
        let mut ready = chunks.next().map(check);
        while let Some(current) = ready.take() {
            let next = chunks.next();
            let ((), checked) = rayon::join(|| self.replay(current), || next.map(check));
            ready = checked;
        }
    }

    fn replay(&mut self, chunk: Vec<Checked>) {
        for Checked { place, document } in chunk {
            match document {
                Document::Unreadable(finding) => self.report.refused(place, finding),
                Document::Terms(signed) => self.add_terms(place, *signed),
                Document::Receipts(receipts) => self.add_receipts(place, &receipts),
                Document::Batch(batch) => self.add_batch(place, &batch),
            }
        }
    }

    fn add_terms(&mut self, place: usize, signed: SignedGenesis) {
        let refused = self.roster.as_ref().map(|roster| self.folder.add_terms(signed, roster));
        let findings = refused.and_then(Result::err).map(|error| plain(&error.to_string()));
        let name = self.report.name(place).to_owned();
        self.report.file(Audited::document(name, "custodians' terms", findings.into_iter().collect()));
    }

    fn add_receipts(&mut self, place: usize, receipts: &[Receipt]) {
        let found = receipts.iter().flat_map(|receipt| self.folder.add_receipt(place, receipt));
        let findings = found.map(|found| plain(&found.to_string())).collect();
        let name = self.report.name(place).to_owned();
        self.report.file(Audited::document(name, "receipts", findings));
    }

    fn add_batch(&mut self, place: usize, batch: &Batch) {
        let Added { findings, notes } = self.folder.add(place, &batch.file, &batch.report);
        let repeated = findings.iter().any(|found| matches!(found, Contradiction::Duplicate { .. }));
        let findings = findings.iter().map(|found| self.told(found)).collect();
        let name = self.report.name(place).to_owned();
        let by_hardware = notes.iter().any(|note| matches!(note, Note::Hardware { .. }));
        if !notes.is_empty() && !by_hardware {
            self.unjudged.push(place);
        }
        for note in notes {
            self.report.not_checked(&format!("{name}: {note}"));
        }
        if repeated {
            self.report.file(Audited::document(name, "signed batch", findings));
            return;
        }
        if let Some(books) = self.books.as_mut() {
            books.match_file(place, &batch.file, &batch.report);
        }
        self.report.file(Audited::batch(name, &batch.file, &batch.report, findings));
    }

    /// A finding, with the names of the files that it mentions.
    fn told(&self, found: &Contradiction) -> String {
        match found {
            Contradiction::Duplicate { first } => {
                format!(
                    "the same batch as {}, which may not stand in the folder twice",
                    self.report.name(*first)
                )
            }
            Contradiction::Item { first, .. } => plain(&format!("{found}: {}", self.report.name(*first))),
            found => plain(&found.to_string()),
        }
    }

    fn finish(mut self, listed: &Listed) -> Report {
        self.report.journals(&self.folder, listed.folder);
        if listed.folder {
            // Gaps say why; this makes sure that nothing was left unasked for a reason that no gap shows.
            self.report.unjudged(&self.unjudged);
        }
        if let Some(books) = self.books.take() {
            self.report.mismatches(books.mismatches());
        }
        self.report.close(listed);
        self.report
    }
}

/// The files in order, a few at a time.
fn chunks(indexed: &[Indexed]) -> impl Iterator<Item = &[Indexed]> {
    let mut rest = indexed;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |one: &&Indexed| {
            bytes += one.bytes;
            bytes <= CHUNK_BYTES
        };
        let count = rest.iter().take(CHUNK_FILES).take_while(fits).count().max(1);
        let (chunk, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some(chunk)
    })
}
