//! Passwords: what may be chosen (NIST SP 800-63B-4 section 3.1.1) and how they are kept (Argon2id).
//!
//! Log-in, sign-up, invitations and password changes come here. A password is normalised (NFC), never shortened, and
//! measured in characters; there are no rules of composition. What must stay true: hashing runs on blocking threads, a
//! bounded number at once; an unknown account costs the same hash as a known one; no password reaches `Debug` or logs.

use super::AccessError;
use crate::config::auth::HashCost;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The longest password, in characters.
pub const CHARACTERS_MAX: usize = 128;
/// The least where a second factor is required as well, in characters.
pub const CHARACTERS_MIN_WITH_FACTOR: usize = 8;
/// The least where the password stands alone.
pub const CHARACTERS_MIN_ALONE: usize = 15;
/// No character takes more than four bytes; anything longer is not even normalised.
const BYTES_MAX: usize = CHARACTERS_MAX * 4 * 2;
/// How long one waits for a place to hash in.
const PATIENCE: Duration = Duration::from_secs(10);
/// Passwords that everybody tries first, sorted, lower case, eight characters and more. Origin: `common.md` beside it.
const COMMON: &str = include_str!("password/common.txt");

/// Why a password cannot be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has {found} characters; at least {least} are needed")]
    TooShort {
        /// Its length.
        found: usize,
        /// What is needed.
        least: usize,
    },
    /// Too long.
    #[error("the password has more than 128 characters")]
    TooLong,
    /// One that everybody tries first.
    #[error("this password is among the most common ones")]
    Common,
    /// The e-mail address, its first part, or our own name.
    #[error("the password repeats what anybody knows: the e-mail address or the service's name")]
    Known,
}

/// A password as it is hashed: normalised.
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// Takes what somebody typed; the same characters typed on another keyboard are the same password.
    pub fn typed(text: String) -> Result<Self, PasswordError> {
        let text = Zeroizing::new(text);
        if text.len() > BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let mut normal = Zeroizing::new(String::with_capacity(BYTES_MAX * 3));
        normal.extend(text.nfc());
        if normal.chars().count() > CHARACTERS_MAX { Err(PasswordError::TooLong) } else { Ok(Self(normal)) }
    }

    /// May it be chosen by the holder of this e-mail address, where at least `least` characters are asked for?
    pub fn may_be_chosen(&self, least: usize, email: &str) -> Result<(), PasswordError> {
        let found = self.0.chars().count();
        if found < least {
            return Err(PasswordError::TooShort { found, least });
        }
        let lower = Zeroizing::new(self.0.to_lowercase());
        if COMMON.lines().any(|common| common == lower.as_str()) {
            return Err(PasswordError::Common);
        }
        let email = email.to_lowercase();
        let local = email.split('@').next().unwrap_or_default();
        // Doubling or a digit behind it does not make a known word unknown.
        let bare = lower.trim_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
        if [email.as_str(), local, "airlock", "airlockairlock"]
            .iter()
            .any(|known| bare == *known || *lower == **known)
        {
            return Err(PasswordError::Known);
        }
        Ok(())
    }
}

/// What a comparison said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Another password, or nobody's.
    Wrong,
    /// The password.
    Right,
    /// The password, and its hash is weaker than today's settings.
    RightButWeak,
}

/// Hashes passwords, so many at once.
#[derive(Debug)]
pub struct Hasher {
    cost: HashCost,
    places: Arc<Semaphore>,
    /// The hash of a password that nobody has: unknown accounts are compared with it.
    decoy: OnceCell<String>,
}

impl Hasher {
    /// At this cost, at most `at_once` together.
    pub fn new(cost: HashCost, at_once: usize) -> Self {
        Self { cost, places: Arc::new(Semaphore::new(at_once)), decoy: OnceCell::new() }
    }

    /// Makes the decoy.
    pub async fn ready(&self) -> Result<(), AccessError> {
        self.decoy().await.map(|_| ())
    }

    /// The hash to keep, in the PHC string format, with a salt of its own.
    pub async fn hash(&self, password: Password) -> Result<String, AccessError> {
        let (cost, place) = (self.cost, self.place().await?);
        blocking(place, move || {
            let hash = argon2(cost)?.hash_password(password.0.as_bytes()).map_err(fault)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Is it the password behind this hash? Without a hash it is nobody's, after the same work.
    pub async fn compare(&self, password: Password, hash: Option<String>) -> Result<Verdict, AccessError> {
        let (known, cost) = (hash.is_some(), self.cost);
        let hash = match hash {
            Some(hash) => hash,
            None => self.decoy().await?.to_owned(),
        };
        let place = self.place().await?;
        let right = blocking(place, move || {
            let kept = PasswordHash::new(&hash).map_err(fault)?;
            // The parameters are those of the hash.
            let right = Argon2::default().verify_password(password.0.as_bytes(), &kept).is_ok();
            let params = Params::try_from(&kept).map_err(fault)?;
            let weak = params.m_cost() < cost.memory_kib || params.t_cost() < cost.passes;
            Ok((right, weak))
        })
        .await?;
        Ok(match (right, known) {
            ((true, true), true) => Verdict::RightButWeak,
            ((true, false), true) => Verdict::Right,
            _ => Verdict::Wrong,
        })
    }

    async fn decoy(&self) -> Result<&str, AccessError> {
        let made = self.decoy.get_or_try_init(async || {
            let nobodys = crate::db::random_id()?;
            self.hash(Password(Zeroizing::new(nobodys))).await
        });
        made.await.map(String::as_str)
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, AccessError> {
        match tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(AccessError::Busy),
        }
    }
}

fn argon2(cost: HashCost) -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(fault)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn fault(error: impl std::fmt::Display) -> AccessError {
    AccessError::Fault { what: format!("password hash: {error}") }
}

/// The place stays taken until the work is done, even if nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    place: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
) -> Result<T, AccessError> {
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    done.await.map_err(fault)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, least: usize) -> Option<PasswordError> {
        match Password::typed(text.to_owned()) {
            Err(error) => Some(error),
            Ok(password) => password.may_be_chosen(least, "Ann.Lee@airlock.example").err(),
        }
    }

    #[test]
    fn the_list_of_common_passwords_is_sorted_lower_case_and_long_enough_to_matter() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 5_000, "{}", lines.len());
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(lines.iter().all(|line| line.chars().count() >= 8 && *line == line.to_lowercase()));
    }

    #[test]
    fn length_is_what_counts_and_no_composition_is_asked_for() {
        assert_eq!(refusal("seven77", 8), Some(PasswordError::TooShort { found: 7, least: 8 }));
        assert_eq!(refusal("fourteen chars", 15), Some(PasswordError::TooShort { found: 14, least: 15 }));
        assert_eq!(refusal("only lower case words", 15), None);
        assert_eq!(refusal("                 x", 15), None);
        assert_eq!(refusal(&"p\u{e4}".repeat(64), 15), None);
        assert_eq!(refusal(&"p\u{e4}".repeat(65), 15), Some(PasswordError::TooLong));
        assert_eq!(refusal(&"x".repeat(1_000_000), 15), Some(PasswordError::TooLong));
    }

    #[test]
    fn what_everybody_tries_first_is_refused_in_any_case() {
        for common in ["password1", "PassWord1", "iloveyou", "qwertyuiop", "123456789"] {
            assert_eq!(refusal(common, 8), Some(PasswordError::Common), "{common}");
        }
        for known in ["ann.lee@airlock.example", "ANN.LEE@AIRLOCK.EXAMPLE1", "airlockairlock", "ann.lee2024!"]
        {
            assert_eq!(refusal(known, 8), Some(PasswordError::Known), "{known}");
        }
    }

    #[tokio::test]
    async fn one_password_in_two_spellings_of_unicode_is_the_same() {
        let hasher = Hasher::new(HashCost { memory_kib: 19_456, passes: 2 }, 1);
        let composed = Password::typed("caf\u{e9} au lait please".to_owned()).unwrap();
        let hash = hasher.hash(composed).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verdict = async |text: &str, hash: Option<&str>| {
            let typed = Password::typed(text.to_owned()).unwrap();
            hasher.compare(typed, hash.map(str::to_owned)).await.unwrap()
        };
        assert_eq!(verdict("cafe\u{301} au lait please", Some(&hash)).await, Verdict::Right);
        assert_eq!(verdict("cafe au lait please", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(verdict("caf\u{e9} au lait please", None).await, Verdict::Wrong);
        let stronger = Hasher::new(HashCost { memory_kib: 20_000, passes: 2 }, 1);
        let typed = Password::typed("caf\u{e9} au lait please".to_owned()).unwrap();
        assert_eq!(stronger.compare(typed, Some(hash)).await.unwrap(), Verdict::RightButWeak);
    }
}
