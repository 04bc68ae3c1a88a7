//! The signer's home: one directory, its files, their modes, and the lock that keeps it to one writer.
//!
//! Called by every command. What must stay true: the directory is 0700 and ours; a file is 0600, ours,
//! regular and never reached through a symbolic link; a replaced file is the old one or the new one,
//! whatever fails (temporary file, fsync, rename, fsync of the directory); the lock is taken before a
//! mutating command reads anything, and dies with its process, so a killed holder leaves no deadlock.

#[cfg(test)]
pub(crate) mod power;

use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Why a file or directory of the home was refused.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The operating system said no.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such home.
    #[error("{path}: no signer lives here; `airlock-signer init` makes one, `--home` names another")]
    Nobody {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Readable or writable by others, or not a plain file or directory.
    #[error("{path}: mode {found:04o} lets others in; it must be {expected:04o} (chmod {expected:o} {path})")]
    Mode {
        /// What was touched.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
        /// What they must be.
        expected: u32,
    },
    /// It belongs to another user.
    #[error("{path}: belongs to user {found}, not to {expected}")]
    Owner {
        /// What was touched.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// Who runs this program.
        expected: u32,
    },
    /// A symbolic link, a device, or a directory where a file belongs.
    #[error("{path}: not a plain {expected}")]
    Kind {
        /// What was touched.
        path: PathBuf,
        /// `file` or `directory`.
        expected: &'static str,
    },
    /// Larger than anything this program writes there.
    #[error("{path}: {found} bytes, at most {limit} are read")]
    TooLarge {
        /// What was touched.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Something is where something new was to be made.
    #[error("{path}: exists already")]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// Another process works on this home.
    #[error("{path}: another airlock-signer is at work here")]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// Neither `--home`, `XDG_DATA_HOME` nor `HOME` says where the home is.
    #[error("no home directory: give --home DIR")]
    Unknown,
}

/// A checked home directory.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// The single-writer lock; held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Home {
    /// `$XDG_DATA_HOME/airlock-signer`, else `$HOME/.local/share/airlock-signer`.
    pub fn default_root() -> Result<PathBuf, HomeError> {
        let data = std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let under_home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        data.or_else(under_home).map(|path| path.join("airlock-signer")).ok_or(HomeError::Unknown)
    }

    /// Makes the directory (0700) where it is missing, and checks it.
    pub fn create(root: &Path) -> Result<Self, HomeError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(root).map_err(at(root))?;
        Self::open(root)
    }

    /// Checks mode and owner of an existing home.
    pub fn open(root: &Path) -> Result<Self, HomeError> {
        let seen = std::fs::symlink_metadata(root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HomeError::Nobody { path: root.into() },
            _ => at(root)(error),
        })?;
        if !seen.is_dir() {
            return Err(HomeError::Kind { path: root.into(), expected: "directory" });
        }
        check_private(root, &seen, 0o700)?;
        Ok(Self { root: root.into() })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The vault.
    pub fn vault(&self) -> PathBuf {
        self.root.join("vault.airlock")
    }

    /// The journal of intents and signatures.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.airlock")
    }

    /// The refusals, a chain of their own.
    pub fn refusals(&self) -> PathBuf {
        self.root.join("refusals.airlock")
    }

    /// The policy in force.
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy.json")
    }

    /// Takes the single-writer lock, or says at once that somebody else has it.
    pub fn lock(&self) -> Result<Lock, HomeError> {
        let path = self.root.join("lock");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(at(&path))?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: File::from(fd) }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HomeError::Busy { path }),
            Err(error) => Err(at(&path)(error)),
        }
    }
}

/// Opens a private file (0600, ours, regular, no link) with the given flags and checks it.
pub fn open_private(path: &Path, flags: OFlags) -> Result<File, HomeError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| {
        if error == rustix::io::Errno::LOOP {
            HomeError::Kind { path: path.into(), expected: "file" }
        } else {
            at(path)(error)
        }
    })?;
    let file = File::from(fd);
    let seen = file.metadata().map_err(at(path))?;
    if !seen.is_file() {
        return Err(HomeError::Kind { path: path.into(), expected: "file" });
    }
    check_private(path, &seen, 0o600)?;
    Ok(file)
}

/// Reads a private file of at most `limit` bytes.
pub fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, HomeError> {
    let file = open_private(path, OFlags::RDONLY)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(at(path))?;
    let found = bytes.len() as u64;
    if found > limit {
        return Err(HomeError::TooLarge { path: path.into(), found, limit });
    }
    Ok(bytes)
}

/// Replaces (or makes) a private file: after a crash at any point the old or the new content is there.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let temporary = temporary_of(path);
    // What a crash left behind is no one's: nothing ever reads a temporary file.
    step(Step::Remove(&temporary)).map_err(at(&temporary))?;
    match std::fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&temporary)(error)),
    }
    step(Step::Create(&temporary)).map_err(at(&temporary))?;
    let mut file = open_private(&temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    step(Step::Write(&temporary, bytes)).and_then(|()| file.write_all(bytes)).map_err(at(&temporary))?;
    step(Step::SyncFile(&temporary)).and_then(|()| file.sync_all()).map_err(at(&temporary))?;
    step(Step::Rename(&temporary, path))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(at(path))?;
    step(Step::SyncDirectory).map_err(at(path))?;
    sync_directory(path)
}

/// What [`replace_private`] is about to do. Tests record the steps and cut the power at any of them.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look inside"))]
enum Step<'a> {
    Remove(&'a Path),
    Create(&'a Path),
    Write(&'a Path, &'a [u8]),
    SyncFile(&'a Path),
    Rename(&'a Path, &'a Path),
    SyncDirectory,
}

/// In tests the power may go.
#[cfg(not(test))]
fn step(_: Step<'_>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
fn step(about_to: Step<'_>) -> io::Result<()> {
    power::step(about_to)
}

/// Makes the directory entry of `path` durable.
pub fn sync_directory(path: &Path) -> Result<(), HomeError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(at(directory))
}

/// Where [`replace_private`] writes before it renames.
pub fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn check_private(path: &Path, seen: &std::fs::Metadata, expected: u32) -> Result<(), HomeError> {
    let us = rustix::process::geteuid().as_raw();
    if seen.uid() != us {
        return Err(HomeError::Owner { path: path.into(), found: seen.uid(), expected: us });
    }
    let found = seen.mode() & 0o7777;
    if found & 0o077 != 0 {
        return Err(HomeError::Mode { path: path.into(), found, expected });
    }
    Ok(())
}

fn at<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> HomeError + '_ {
    move |error| HomeError::Io { path: path.into(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::create(&folder.path().join("home")).unwrap();
        (folder, home)
    }

    #[test]
    fn a_second_writer_is_told_so_and_may_work_once_the_first_is_gone() {
        let (_folder, home) = home();
        let first = home.lock().unwrap();
        assert!(matches!(home.lock(), Err(HomeError::Busy { .. })));
        drop(first);
        assert!(home.lock().is_ok());
    }

    #[test]
    fn modes_links_and_sizes_are_checked() {
        let (folder, home) = home();
        replace_private(&home.policy(), b"{}").unwrap();
        assert!(matches!(
            read_private(&home.policy(), 1),
            Err(HomeError::TooLarge { found: 2, limit: 1, .. })
        ));
        let link = home.root().join("link");
        std::os::unix::fs::symlink(home.policy(), &link).unwrap();
        assert!(matches!(read_private(&link, 9), Err(HomeError::Kind { .. })));
        std::fs::set_permissions(home.policy(), PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(read_private(&home.policy(), 9), Err(HomeError::Mode { found: 0o644, .. })));
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(matches!(Home::open(&open), Err(HomeError::Mode { found: 0o755, .. })));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        if !rustix::process::geteuid().is_root() {
            // Only root can give a file away.
            return;
        }
        let (_folder, home) = home();
        replace_private(&home.policy(), b"{}").unwrap();
        std::os::unix::fs::chown(home.policy(), Some(1_234), None).unwrap();
        assert!(matches!(
            read_private(&home.policy(), 9),
            Err(HomeError::Owner { found: 1_234, expected: 0, .. })
        ));
        // Root reads whatever the mode says, so nothing else would have stopped it.
        std::os::unix::fs::chown(home.root(), Some(1_234), None).unwrap();
        let refused = Home::open(home.root()).unwrap_err();
        assert!(matches!(refused, HomeError::Owner { found: 1_234, .. }));
        assert!(refused.to_string().ends_with("belongs to user 1234, not to 0"), "{refused}");
    }

    #[test]
    fn a_crash_between_temporary_file_and_rename_leaves_the_old_content() {
        let (_folder, home) = home();
        replace_private(&home.policy(), b"old").unwrap();
        std::fs::write(temporary_of(&home.policy()), b"ne").unwrap();
        assert_eq!(read_private(&home.policy(), 9).unwrap(), b"old");
        replace_private(&home.policy(), b"new").unwrap();
        assert_eq!(read_private(&home.policy(), 9).unwrap(), b"new");
        assert!(!temporary_of(&home.policy()).exists());
    }
}
