//! A ledger export, read line by line into the auditor's [`Books`]. Called once, before the files are replayed.
//!
//! What must stay true: a line is bounded before it is read; a wrong line ends the reading and is named; the
//! journal entries that the export carries go where those of the receipts go.

use crate::failure::plain;
use crate::report::Report;
use airlock_shared::identity::Identity;
use airlock_shared::ledger::MAX_LINE_BYTES;
use airlock_shared::roles::auditor::{Books, Folder};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// Reads an export. What is wrong with it goes into the report, and then there are no books to match.
pub fn open(
    path: &Path,
    coordinators: &[Identity],
    folder: &mut Folder,
    report: &mut Report,
) -> Option<Books> {
    let name = plain(&path.display().to_string());
    match read(path, coordinators, folder, report) {
        Ok(books) => Some(books),
        Err(why) => {
            report.ledger_refused(&name, &why);
            None
        }
    }
}

fn read(
    path: &Path,
    coordinators: &[Identity],
    folder: &mut Folder,
    report: &mut Report,
) -> Result<Books, String> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(|error| error.to_string())?);
    let mut books = Books::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = MAX_LINE_BYTES as u64 + 2;
        let read = (&mut file).take(most).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if read == 0 {
            break;
        }
        // A last line without its line feed is not the canonical spelling; the reader sees it as too short.
        let body =
            line.strip_suffix(b"\n").ok_or("the last line does not end in a line feed, or is too long")?;
        let shown = books.take(body).map_err(|error| error.to_string())?;
        if let Some(Err(found)) = shown.map(|entry| folder.add_entry(&entry)) {
            report.about(None, &found.to_string());
        }
    }
    let counts = books.close(coordinators).map_err(|error| error.to_string())?;
    report.ledger(plain(&path.display().to_string()), &books, counts);
    Ok(books)
}
