//! The coordinator's identity: an Ed25519 key in a file, which signs envelopes and nothing else.
//!
//! Made at the first start (or by `identity init`), read when a bundle is sealed or an introduction is printed. It
//! is never a spending key; whoever steals it can propose batches, not pay. What must stay true: the file belongs
//! to one user alone (mode 0600, no link), the key never reaches a log, an error or `Debug`.

use airlock_shared::envelope::Introduction;
use airlock_shared::identity::Identity;
use airlock_shared::{PersonId, Profile};
use ed25519_dalek::SigningKey;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize as _, Zeroizing};

/// Its name in the coordinator's home.
const FILE: &str = "identity.key";
/// 64 hex digits and a line feed.
const FILE_BYTES: usize = 65;

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The operating system said no.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read or replace the file.
    #[error("{path}: {found}; it must be a plain file with mode 0600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// Not a key.
    #[error("{path}: not 64 lower-case hex digits and a line feed")]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error("randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// The coordinator's identity key.
pub struct CoordinatorKey(SigningKey);

impl fmt::Debug for CoordinatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoordinatorKey({})", self.identity())
    }
}

impl CoordinatorKey {
    /// Reads the key in `home`; makes one if there is none.
    pub fn open(home: &Path) -> Result<Self, IdentityError> {
        let path = home.join(FILE);
        match fs::symlink_metadata(&path) {
            Ok(_) => Self::read(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(home, &path),
            Err(source) => Err(IdentityError::Io { path, source }),
        }
    }

    /// The public half.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.0)
    }

    /// The key that seals envelopes.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// What a signer is shown to be paired.
    pub fn introduction(&self, name: PersonId, profile: Profile) -> Introduction {
        Introduction { name, profile, identity: self.identity(), roster: None }
    }

    fn read(path: &Path) -> Result<Self, IdentityError> {
        let io = |source| IdentityError::Io { path: path.into(), source };
        let found = fs::symlink_metadata(path).map_err(io)?;
        let mode = found.mode() & 0o7777;
        if !found.is_file() || mode & 0o177 != 0 {
            let found =
                if found.is_file() { format!("mode {mode:04o}") } else { "not a plain file".to_owned() };
            return Err(IdentityError::Exposed { path: path.into(), found });
        }
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES + 1));
        let file = fs::File::open(path).map_err(io)?;
        file.take(FILE_BYTES as u64 + 1).read_to_string(&mut text).map_err(io)?;
        let digits = text.strip_suffix('\n').unwrap_or(&text);
        let mut bytes = airlock_shared::digest::bytes_from_lower_hex::<32>(digits)
            .ok_or_else(|| IdentityError::Content { path: path.into() })?;
        let key = SigningKey::from_bytes(&bytes);
        bytes.zeroize();
        Ok(Self(key))
    }

    fn make(home: &Path, path: &Path) -> Result<Self, IdentityError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(home)
            .map_err(|source| IdentityError::Io { path: home.into(), source })?;
        let io = |source| IdentityError::Io { path: path.into(), source };
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        let text = Zeroizing::new(format!("{}\n", hex::encode(*bytes)));
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = match opened {
            // Another process of ours was faster: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Self::read(path),
            opened => opened.map_err(io)?,
        };
        file.write_all(text.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        fs::File::open(home).and_then(|dir| dir.sync_all()).map_err(io)?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_identity_survives_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let first = CoordinatorKey::open(&home.path().join("new")).unwrap();
        let again = CoordinatorKey::open(&home.path().join("new")).unwrap();
        assert_eq!(first.identity(), again.identity());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        CoordinatorKey::open(home.path()).unwrap();
        let path = home.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(CoordinatorKey::open(home.path()), Err(IdentityError::Exposed { .. })));
    }

    #[test]
    fn a_link_or_another_content_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(matches!(CoordinatorKey::open(home.path()), Err(IdentityError::Exposed { .. })));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "00").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(CoordinatorKey::open(home.path()), Err(IdentityError::Content { .. })));
    }
}
