//! The coordinator's identity: an Ed25519 key in a file, which signs envelopes and nothing else.
//!
//! Made at the first start (or by `identity init`), read when a bundle is sealed or an introduction is printed. It
//! is never a spending key; whoever steals it can propose batches, not pay. What must stay true: the file belongs
//! to one user alone (mode 0600, no link), the key never reaches a log, an error or `Debug`.

use crate::home;
use airlock_shared::envelope::Introduction;
use airlock_shared::identity::Identity;
use airlock_shared::{PersonId, Profile};
use ed25519_dalek::SigningKey;
use std::fmt;
use std::path::Path;

/// Its name in the coordinator's home.
const FILE: &str = "identity.key";

/// Why the identity cannot be used.
pub use crate::home::HomeError as IdentityError;

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
        Ok(Self(SigningKey::from_bytes(&*home::secret(home, FILE)?)))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
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
