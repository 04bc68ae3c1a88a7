//! Secrets of 32 bytes in files of the coordinator's home, and sealing with one of them.
//!
//! `token.key` signs access tokens, `seal.key` seals what the database keeps but must not show (second factors, secrets
//! of API keys). Several coordinators on one database share copies of both. What must stay true: a file belongs to one
//! user alone (mode 0600, no link) and is never overwritten; no secret reaches a log, an error or `Debug`; what was
//! sealed for one place opens in no other.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize as _, Zeroizing};

/// 64 hex digits and a line feed.
const FILE_BYTES: usize = 65;
/// 96 bits, random for each sealing (NIST SP 800-38D section 8.2.2).
const SEAL_NONCE_BYTES: usize = 12;

/// Why a secret of the home cannot be used.
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
    /// Others could read or replace the file.
    #[error("{path}: {found}; it must be a plain file with mode 0600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// Not a secret.
    #[error("{path}: not 64 lower-case hex digits and a line feed")]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error("randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// Sealed with another key, for another place, or changed since.
    #[error("what was sealed for {place} cannot be opened")]
    Sealed {
        /// For what.
        place: String,
    },
}

/// The secret in `home/file`; makes a random one if there is none.
pub fn secret(home: &Path, file: &str) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let path = home.join(file);
    match fs::symlink_metadata(&path) {
        Ok(_) => read(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(home, &path),
        Err(source) => Err(HomeError::Io { path, source }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    let io = |source| HomeError::Io { path: path.into(), source };
    let found = fs::symlink_metadata(path).map_err(io)?;
    let mode = found.mode() & 0o7777;
    if !found.is_file() || mode & 0o177 != 0 {
        let found = if found.is_file() { format!("mode {mode:04o}") } else { "not a plain file".to_owned() };
        return Err(HomeError::Exposed { path: path.into(), found });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES + 1));
    let file = fs::File::open(path).map_err(io)?;
    file.take(FILE_BYTES as u64 + 1).read_to_string(&mut text).map_err(io)?;
    let digits = text.strip_suffix('\n').unwrap_or(&text);
    let mut bytes = airlock_shared::digest::bytes_from_lower_hex::<32>(digits)
        .ok_or_else(|| HomeError::Content { path: path.into() })?;
    let secret = Zeroizing::new(bytes);
    bytes.zeroize();
    Ok(secret)
}

fn make(home: &Path, path: &Path) -> Result<Zeroizing<[u8; 32]>, HomeError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home)
        .map_err(|source| HomeError::Io { path: home.into(), source })?;
    let io = |source| HomeError::Io { path: path.into(), source };
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(*bytes)));
    // Written beside and linked into place: nobody ever reads half a secret, and the first to finish wins.
    let draft = path.with_extension(format!("{}.new", crate::db::random_id()?));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&draft, path)
        });
    // The draft is ours alone; if it cannot be removed, the next start is refused nothing by it.
    let _ = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(path),
        written => written.map_err(io)?,
    }
    fs::File::open(home).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(bytes)
}

/// A key that seals what the database keeps.
pub struct SealKey(Aes256Gcm);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// Reads `home/seal.key`; makes it if there is none.
    pub fn open(home: &Path) -> Result<Self, HomeError> {
        Ok(Self::of(&*secret(home, "seal.key")?))
    }

    fn of(secret: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(secret.into()))
    }

    /// Seals `plain` for `place` (such as `totp person:alice`): hex of seal nonce and sealed bytes.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<String, HomeError> {
        let mut seal_nonce = [0; SEAL_NONCE_BYTES];
        getrandom::fill(&mut seal_nonce)?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = self
            .0
            .encrypt(&Nonce::from(seal_nonce), payload)
            .map_err(|_| HomeError::Sealed { place: place.to_owned() })?;
        Ok(format!("{}{}", hex::encode(seal_nonce), hex::encode(sealed)))
    }

    /// What was sealed for `place`.
    pub fn open_sealed(&self, place: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        let refused = || HomeError::Sealed { place: place.to_owned() };
        let bytes = hex::decode(sealed).map_err(|_| refused())?;
        let (seal_nonce, sealed) = bytes.split_first_chunk::<SEAL_NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        self.0.decrypt(&Nonce::from(*seal_nonce), payload).map(Zeroizing::new).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_survives_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new");
        assert_eq!(*secret(&folder, "token.key").unwrap(), *secret(&folder, "token.key").unwrap());
        assert_ne!(*secret(&folder, "token.key").unwrap(), *secret(&folder, "seal.key").unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft stays behind");
    }

    #[test]
    fn a_secret_that_others_may_read_or_that_is_none_is_refused() {
        let home = tempfile::tempdir().unwrap();
        secret(home.path(), "token.key").unwrap();
        let path = home.path().join("token.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(secret(home.path(), "token.key"), Err(HomeError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "00\n").unwrap();
        assert!(matches!(secret(home.path(), "token.key"), Err(HomeError::Content { .. })));
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_for_its_place_only() {
        let (key, other) = (SealKey::of(&[1; 32]), SealKey::of(&[2; 32]));
        let sealed = key.seal("totp person:alice", b"secret").unwrap();
        assert_eq!(**key.open_sealed("totp person:alice", &sealed).unwrap(), *b"secret");
        assert!(key.open_sealed("totp person:bob", &sealed).is_err());
        assert!(other.open_sealed("totp person:alice", &sealed).is_err());
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
        assert!(key.open_sealed("totp person:alice", &String::from_utf8(changed).unwrap()).is_err());
        assert!(key.open_sealed("totp person:alice", "00").is_err());
        assert_ne!(sealed, key.seal("totp person:alice", b"secret").unwrap());
    }
}
