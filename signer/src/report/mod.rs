//! What an audit found, in one shape for people, programs and paper.
//!
//! Filled by `audit`, printed by the command `audit` as text, JSON or one HTML page. What must stay true: the
//! verdict comes first and is never better than the worst finding; what was not pinned and what was not checked
//! is said as loudly as what was found; every text in it is plain already, so no file can write on the page.

mod html;
mod shown;
mod text;

pub use html::page;
pub use shown::{Audited, EntryShown, GapShown, JournalShown, LedgerShown, PinsShown, Total};
pub use text::text;

use crate::audit::Anchors;
use crate::audit::intake::Listed;
use crate::failure::plain;
use crate::review::utc;
use airlock_shared::ledger::Counts;
use airlock_shared::roles::auditor::{Books, Folder, Mismatch, Origin};
use serde::Serialize;
use shown::Sums;
use std::collections::BTreeSet;

/// The most files whose findings stand at the top of a page.
const MAX_AT_TOP: usize = 100;

/// How an audit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was looked at is right.
    Passed,
    /// Something is wrong.
    Failed,
    /// Nothing was pinned, so nothing is proven.
    Unanchored,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    format: &'static str,
    version: u8,
    /// How it ended.
    pub verdict: Verdict,
    /// Did everything pass that was looked at, pinned or not?
    pub sound: bool,
    /// What was compared with.
    pub pins: PinsShown,
    /// Files that passed.
    pub passed: usize,
    /// Files that did not.
    pub failed: usize,
    /// What is wrong with no single file.
    pub findings: Vec<String>,
    /// Sums by day, network and asset.
    pub totals: Vec<Total>,
    /// The signers' journals.
    pub journals: Vec<JournalShown>,
    /// The coordinator's books.
    pub ledger: Option<LedgerShown>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
    /// Every file, in the order of the journal.
    pub files: Vec<Audited>,
    #[serde(skip)]
    names: Vec<String>,
    #[serde(skip)]
    sums: Sums,
    #[serde(skip)]
    notes: BTreeSet<String>,
}

impl Report {
    /// A report about files of these names, with nothing in it yet.
    pub fn new(anchors: &Anchors, names: Vec<String>) -> Self {
        Self {
            format: "airlock audit",
            version: 2,
            verdict: Verdict::Failed,
            sound: false,
            pins: PinsShown::of(anchors),
            passed: 0,
            failed: 0,
            findings: Vec::new(),
            totals: Vec::new(),
            journals: Vec::new(),
            ledger: None,
            not_checked: Vec::new(),
            files: Vec::new(),
            names,
            sums: Sums::default(),
            notes: BTreeSet::new(),
        }
    }

    /// The name of a file by its place.
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("?", String::as_str)
    }

    /// What is wrong, the files that do not pass first, for the top of a page. Their list has the rest.
    pub fn all_findings(&self) -> Vec<String> {
        let wrong = self.files.iter().filter_map(|file| Some((file, file.finding.as_ref()?)));
        let mut all: Vec<_> =
            wrong.take(MAX_AT_TOP).map(|(file, finding)| format!("{}: {finding}", file.file)).collect();
        if self.failed > MAX_AT_TOP {
            all.push(format!("and {} files more", self.failed - MAX_AT_TOP));
        }
        all.extend(self.findings.iter().cloned());
        all
    }

    /// A file that cannot be read, or does not pass by itself.
    pub fn refused(&mut self, place: usize, finding: String) {
        self.file(Audited::refused(self.name(place).to_owned(), finding));
    }

    /// A file that was judged.
    pub fn file(&mut self, audited: Audited) {
        self.sums.add(&audited);
        self.files.push(audited);
    }

    /// Something that is wrong with no single file, or with the one that shows it.
    pub fn about(&mut self, origin: Origin, finding: &str) {
        let finding = plain(finding);
        let finding = match origin {
            Some(place) => format!("{finding} (shown by {})", self.name(place)),
            None => finding,
        };
        // What every entry of an export shows again is said once.
        if self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }

    /// Something that was not checked.
    pub fn not_checked(&mut self, what: &str) {
        self.notes.insert(plain(what));
    }

    /// Files of a whole folder about which not every rule could be asked.
    pub fn unjudged(&mut self, places: &[usize]) {
        let Some(first) = places.first() else { return };
        let others = match places.len() - 1 {
            0 => String::new(),
            more => format!(" and {} more", crate::review::counted(more, "file")),
        };
        let name = self.name(*first).to_owned();
        self.findings.push(format!(
            "not every rule could be asked about {name}{others}: what was signed before is not all here"
        ));
    }

    /// The books, once they were read.
    pub fn ledger(&mut self, file: String, books: &Books, counts: Counts) {
        self.ledger = Some(LedgerShown::of(file, books, counts));
    }

    /// Books that cannot be believed.
    pub fn ledger_refused(&mut self, file: &str, why: &str) {
        self.findings.push(format!("{file}: {}", plain(why)));
    }

    /// Where books and files disagree.
    pub fn mismatches(&mut self, mismatches: Vec<Mismatch>) {
        for mismatch in mismatches {
            let file = mismatch.file.map(|place| format!(" (file {})", self.name(place)));
            self.findings.push(plain(&mismatch.to_string()) + &file.unwrap_or_default());
        }
    }

    /// The journals. In a whole folder an entry that nobody brought is a finding; among chosen files it is a note.
    pub fn journals(&mut self, folder: &Folder, whole_folder: bool) {
        for (origin, found) in folder.breaks() {
            self.about(origin, &found.to_string());
        }
        let missing: Vec<_> = folder.missing().iter().map(|found| plain(&found.to_string())).collect();
        let name = |origin: Origin| origin.map(|place| self.name(place).to_owned());
        self.journals = JournalShown::all(folder, name);
        let gaps = self.journals.iter().flat_map(|journal| &journal.gaps).map(GapShown::sentence);
        let said: Vec<String> = gaps.chain(missing).collect();
        if whole_folder {
            self.findings.extend(said);
        } else {
            self.notes.extend(said);
        }
        for journal in &self.journals {
            self.notes.insert(format!(
                "whether anything was signed after journal entry {} of signer {} ({}); only the signer, the ledger \
                 export or later files can tell",
                journal.newest,
                journal.signer,
                utc(journal.newest_time)
            ));
        }
    }

    /// Counts, sums and the verdict.
    pub fn close(&mut self, listed: &Listed) {
        if self.ledger.is_none() {
            self.not_checked("the coordinator's books: no ledger export was matched (--ledger)");
        }
        self.not_checked("whether the transactions are on their chains: look their ids up");
        self.not_checked("which batches crossed the gap together (policy.bundle_size): no file says so");
        if !listed.left_out.is_empty() {
            let names: Vec<_> =
                listed.left_out.iter().take(3).map(|path| plain(&path.display().to_string())).collect();
            let more = if listed.left_out.len() > names.len() { ", ..." } else { "" };
            self.notes.insert(format!(
                "{} of the folder whose names end in neither .json nor .bin: {}{more}",
                crate::review::counted(listed.left_out.len(), "file"),
                names.join(", ")
            ));
        }
        self.not_checked.extend(std::mem::take(&mut self.notes));
        self.totals = std::mem::take(&mut self.sums).totals();
        self.passed = self.files.iter().filter(|file| file.passed).count();
        self.failed = self.files.len() - self.passed;
        if self.files.is_empty() {
            self.findings.push("there is no file to audit".to_owned());
        }
        self.sound = self.failed == 0 && self.findings.is_empty();
        self.verdict = match (self.pins.complete, self.sound) {
            (false, _) => Verdict::Unanchored,
            (true, false) => Verdict::Failed,
            (true, true) => Verdict::Passed,
        };
    }
}
