//! The power goes: what a replaced file may hold afterwards. Compiled for tests only, so it may stop at its own mistakes.
//!
//! `home::replace_private` announces each of its steps here. [`recorded`] keeps them, [`cut_at`] makes one
//! of them and everything after it fail, and [`may_remain`] is a disk that keeps only what was synced: an
//! unsynced file may be empty, torn or whole, an unsynced rename may or may not have happened.

use super::Step;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A step that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    Removed(PathBuf),
    Created(PathBuf),
    Wrote(PathBuf, Vec<u8>),
    SyncedFile(PathBuf),
    Renamed(PathBuf, PathBuf),
    SyncedDirectory,
}

thread_local! {
    static TAKEN: RefCell<Vec<Taken>> = const { RefCell::new(Vec::new()) };
    static STEPS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

pub(super) fn step(about_to: Step<'_>) -> io::Result<()> {
    let left = STEPS_LEFT.get();
    if left == Some(0) {
        return Err(io::Error::other("the power is gone"));
    }
    STEPS_LEFT.set(left.map(|left| left - 1));
    TAKEN.with_borrow_mut(|taken| taken.push(Taken::from(about_to)));
    Ok(())
}

impl From<Step<'_>> for Taken {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Remove(path) => Self::Removed(path.into()),
            Step::Create(path) => Self::Created(path.into()),
            Step::Write(path, bytes) => Self::Wrote(path.into(), bytes.into()),
            Step::SyncFile(path) => Self::SyncedFile(path.into()),
            Step::Rename(from, to) => Self::Renamed(from.into(), to.into()),
            Step::SyncDirectory => Self::SyncedDirectory,
        }
    }
}

/// The steps that `work` took.
pub fn recorded(work: impl FnOnce()) -> Vec<Taken> {
    TAKEN.take();
    work();
    TAKEN.take()
}

/// Does `work`, with step `number` (from 0) and all later ones failing.
pub fn cut_at<T>(number: usize, work: impl FnOnce() -> T) -> T {
    STEPS_LEFT.set(Some(number));
    let done = work();
    STEPS_LEFT.set(None);
    done
}

/// A file of the simulated disk: what was written, and whether it was synced.
struct Inode {
    bytes: Vec<u8>,
    synced: bool,
}

/// Everything that `path`, which held `before`, may hold after a power loss behind these steps.
pub fn may_remain(path: &Path, before: &[u8], steps: &[Taken]) -> Vec<Vec<u8>> {
    let mut inodes = vec![Inode { bytes: before.to_vec(), synced: true }];
    let mut names = BTreeMap::from([(path.to_owned(), 0)]);
    // What the directory may look like on the disk: the last synced one and each later one.
    let mut directories = vec![names.clone()];
    for taken in steps {
        match taken {
            Taken::Removed(name) => drop(names.remove(name)),
            Taken::Created(name) => {
                names.insert(name.clone(), inodes.len());
                inodes.push(Inode { bytes: Vec::new(), synced: false });
            }
            Taken::Wrote(name, bytes) => {
                inodes[names[name]] = Inode { bytes: bytes.clone(), synced: false };
            }
            Taken::SyncedFile(name) => inodes[names[name]].synced = true,
            Taken::Renamed(from, to) => {
                let inode = names.remove(from).unwrap();
                names.insert(to.clone(), inode);
            }
            Taken::SyncedDirectory => directories.clear(),
        }
        directories.push(names.clone());
    }
    let mut contents = Vec::new();
    for directory in directories {
        let Inode { bytes, synced } = &inodes[directory[path]];
        let lengths = if *synced { vec![bytes.len()] } else { vec![0, bytes.len() / 2, bytes.len()] };
        contents.extend(lengths.into_iter().map(|length| bytes[..length].to_vec()));
    }
    contents.sort();
    contents.dedup();
    contents
}

#[test]
fn the_simulated_disk_tears_a_file_that_was_renamed_before_it_was_synced() {
    let (path, temporary) = (Path::new("v"), PathBuf::from("v.new"));
    let hasty = [
        Taken::Created(temporary.clone()),
        Taken::Wrote(temporary.clone(), b"new!".to_vec()),
        Taken::Renamed(temporary, path.into()),
    ];
    let remains = may_remain(path, b"old", &hasty);
    assert_eq!(remains, [&b""[..], b"ne", b"new!", b"old"]);
}
