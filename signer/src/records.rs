//! An append-only file of records: the mechanics under the journal and under the refusals.
//!
//! ```text
//! file:   magic "AIRLOCKR" | version u8 = 1 | chain u8 (1 journal, 2 refusals) | records
//! record: length u32 | first 8 bytes of SHA-256(length | bytes) | bytes (length, 1 to 8 MiB)
//! ```
//! Called by `journal`, which knows what the bytes mean and checks hash chain and signatures. What must
//! stay true: [`Records::append`] returns only after fsync; the records that the vault remembers are whole,
//! or opening is an error that changes nothing; what a crash left broken behind them is cut off, because
//! nothing that it would have permitted was released.

use crate::home::{HomeError, open_private, sync_directory};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"AIRLOCKR";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 10;
const FRAME_BYTES: usize = 12;
/// The longest record: an intent of a full bundle fits many times over.
pub const MAX_RECORD_BYTES: usize = 8 << 20;
/// The longest file; about ten years of daily batches of a thousand.
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// Which chain a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// Intents and signatures.
    Journal,
    /// Refusals, so that a hostile QR code cannot move the journal's head.
    Refusals,
}

impl Chain {
    const fn code(self) -> u8 {
        match self {
            Self::Journal => 1,
            Self::Refusals => 2,
        }
    }
}

/// What is wrong with a file of records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The file could not be opened, read or written.
    #[error(transparent)]
    File(#[from] HomeError),
    /// Another kind of file, or another version.
    #[error("{path}: not a file of records of this chain and version")]
    WrongHeader {
        /// Which file.
        path: PathBuf,
    },
    /// One of the records that the vault remembers was changed or cut short.
    #[error("{path}: record {number} at byte {offset} was altered or cut short")]
    Altered {
        /// Which file.
        path: PathBuf,
        /// Which record, from 0.
        number: usize,
        /// Where it begins.
        offset: u64,
    },
    /// A record that is too long, or empty.
    #[error("a record of {found} bytes; 1 to {MAX_RECORD_BYTES} are allowed")]
    Length {
        /// Its length.
        found: usize,
    },
    /// An earlier append failed: what is on the disk is unknown, so nothing more is written.
    #[error("{path}: an earlier write failed; start again")]
    Broken {
        /// Which file.
        path: PathBuf,
    },
}

/// An open file of records.
pub struct Records {
    path: PathBuf,
    file: File,
    end: u64,
    broken: bool,
}

/// What opening found.
pub struct Opened {
    /// The file, ready to be appended to.
    pub records: Records,
    /// Every whole record, in order.
    pub entries: Vec<Vec<u8>>,
    /// Bytes behind the last whole record, left by a crash; they are gone now.
    pub torn_bytes: u64,
}

/// May the file be changed?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Made where missing; a torn end is cut off. Needs the single-writer lock.
    Append,
    /// Nothing is changed; a torn end is reported only.
    Read,
}

impl Records {
    /// Opens (with [`Access::Append`]: or makes) the file and reads every record. `holds` says whether the
    /// whole ones are all that may have permitted something to leave; if not, what does not fit behind them is
    /// no crash, and nothing is cut off.
    pub fn open(
        path: &Path,
        chain: Chain,
        access: Access,
        holds: impl FnOnce(&[Vec<u8>]) -> bool,
    ) -> Result<Opened, RecordsError> {
        let flags = match access {
            Access::Append => OFlags::RDWR | OFlags::CREATE,
            Access::Read => OFlags::RDONLY,
        };
        let mut file = open_private(path, flags)?;
        let length = file.metadata().map_err(at(path))?.len();
        if length > MAX_FILE_BYTES {
            return Err(
                HomeError::TooLarge { path: path.into(), found: length, limit: MAX_FILE_BYTES }.into()
            );
        }
        let mut bytes = Vec::new();
        (&file).take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(at(path))?;
        let header = header(chain);
        if access == Access::Append && bytes.len() < HEADER_BYTES && header.starts_with(&bytes) {
            // New, or a crash while it was being made.
            file.seek(SeekFrom::Start(0)).map_err(at(path))?;
            file.write_all(&header).and_then(|()| file.sync_all()).map_err(at(path))?;
            sync_directory(path)?;
            bytes = header.to_vec();
        }
        let body =
            bytes.strip_prefix(&header[..]).ok_or_else(|| RecordsError::WrongHeader { path: path.into() })?;
        let (entries, kept) = split(body);
        if kept < body.len() && !holds(&entries) {
            let (number, offset) = (entries.len(), (HEADER_BYTES + kept) as u64);
            return Err(RecordsError::Altered { path: path.into(), number, offset });
        }
        let end = (HEADER_BYTES + kept) as u64;
        let torn_bytes = (body.len() - kept) as u64;
        if torn_bytes > 0 && access == Access::Append {
            file.set_len(end).and_then(|()| file.sync_all()).map_err(at(path))?;
        }
        let records = Self { path: path.into(), file, end, broken: false };
        Ok(Opened { records, entries, torn_bytes })
    }

    /// The whole records in the bytes of a file, and how many bytes of a torn end are behind them.
    pub fn parse(bytes: &[u8], chain: Chain) -> Result<(Vec<Vec<u8>>, usize), RecordsError> {
        let body = bytes.strip_prefix(&header(chain)[..]);
        let body = body.ok_or_else(|| RecordsError::WrongHeader { path: "a copy".into() })?;
        let (entries, kept) = split(body);
        Ok((entries, body.len() - kept))
    }

    /// Writes one record and returns once it is on the disk. After a failure nothing more is written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), RecordsError> {
        if self.broken {
            return Err(RecordsError::Broken { path: self.path.clone() });
        }
        if bytes.is_empty() || bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordsError::Length { found: bytes.len() });
        }
        let mut record = frame(bytes).to_vec();
        record.extend_from_slice(bytes);
        self.broken = true;
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&record))
            .and_then(|()| self.file.sync_all())
            .map_err(at(&self.path))?;
        self.end += record.len() as u64;
        self.broken = false;
        Ok(())
    }
}

fn header(chain: Chain) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8] = VERSION;
    bytes[9] = chain.code();
    bytes
}

fn frame(bytes: &[u8]) -> [u8; FRAME_BYTES] {
    let length = (bytes.len() as u32).to_be_bytes();
    let check = Sha256::new().chain_update(length).chain_update(bytes).finalize();
    let mut frame = [0; FRAME_BYTES];
    frame[..4].copy_from_slice(&length);
    frame[4..].copy_from_slice(&check[..8]);
    frame
}

/// The whole records, and how many bytes they take. What does not fit behind those that were released is
/// what a crash left: a disk may write the pages of one record in any order.
fn split(body: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut entries = Vec::new();
    let mut offset = 0;
    while let Some(bytes) = body.get(offset..).and_then(first_whole) {
        entries.push(bytes.to_vec());
        offset += FRAME_BYTES + bytes.len();
    }
    (entries, offset)
}

fn first_whole(rest: &[u8]) -> Option<&[u8]> {
    let (head, behind) = rest.split_first_chunk::<FRAME_BYTES>()?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let bytes = behind.get(..length).filter(|_| (1..=MAX_RECORD_BYTES).contains(&length))?;
    (frame(bytes) == *head).then_some(bytes)
}

fn at(path: &Path) -> impl Fn(io::Error) -> HomeError + '_ {
    move |source| HomeError::Io { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_least(count: usize) -> impl Fn(&[Vec<u8>]) -> bool {
        move |entries| entries.len() >= count
    }

    fn filled(entries: &[&[u8]]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut opened = Records::open(&path, Chain::Journal, Access::Append, at_least(0)).ok().unwrap();
        for entry in entries {
            opened.records.append(entry).unwrap();
        }
        (folder, path)
    }

    fn open(path: &Path) -> Result<Opened, RecordsError> {
        Records::open(path, Chain::Journal, Access::Append, at_least(1))
    }

    #[test]
    fn what_was_appended_is_read_again_in_order() {
        let (_folder, path) = filled(&[b"one", b"two", b"three"]);
        let opened = open(&path).ok().unwrap();
        assert_eq!(opened.entries, [&b"one"[..], b"two", b"three"]);
        assert_eq!(opened.torn_bytes, 0);
    }

    #[test]
    fn a_last_record_torn_at_any_length_is_cut_and_the_file_goes_on() {
        let (_folder, path) = filled(&[b"one"]);
        let one = std::fs::read(&path).unwrap().len();
        let (_other, path) = filled(&[b"one", b"second"]);
        let whole = std::fs::read(&path).unwrap();
        for length in one..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut opened = open(&path).ok().unwrap();
            assert_eq!(opened.entries, [b"one"], "torn at {length}");
            assert_eq!(opened.torn_bytes, (length - one) as u64);
            opened.records.append(b"again").unwrap();
            assert_eq!(open(&path).ok().unwrap().entries, [&b"one"[..], b"again"]);
        }
    }

    #[test]
    fn a_torn_header_is_written_again() {
        let (_folder, path) = filled(&[]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(open(&path).ok().unwrap().entries.is_empty());
        }
    }

    #[test]
    fn every_flipped_byte_of_a_record_that_the_vault_remembers_is_found_and_nothing_is_cut() {
        let (_folder, path) = filled(&[b"one", b"two"]);
        let whole = std::fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(
                Records::open(&path, Chain::Journal, Access::Append, at_least(2)).is_err(),
                "byte {place}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn pages_of_a_last_record_that_reached_the_disk_out_of_order_do_not_lock_the_signer() {
        let (_folder, path) = filled(&[b"one"]);
        let one = std::fs::read(&path).unwrap();
        let (_other, path) = filled(&[b"one", &[7; 10_000]]);
        let mut torn = std::fs::read(&path).unwrap();
        torn[one.len()..one.len() + 4_096].fill(0);
        std::fs::write(&path, &torn).unwrap();
        let opened = open(&path).ok().unwrap();
        assert_eq!((opened.entries.len(), opened.torn_bytes), (1, (torn.len() - one.len()) as u64));
        assert_eq!(std::fs::read(&path).unwrap(), one);
    }

    #[test]
    fn another_chain_and_unsafe_modes_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = filled(&[b"one"]);
        let other = Records::open(&path, Chain::Refusals, Access::Read, at_least(0));
        assert!(matches!(other.err(), Some(RecordsError::WrongHeader { .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(open(&path).err(), Some(RecordsError::File(HomeError::Mode { .. }))));
    }
}
