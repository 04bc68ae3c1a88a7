//! Secrets as types: what they are is in the name, and none of them can be printed, compared or cloned.
//!
//! Called by the vault (passphrases, entropy, sealing keys), by `keys` and by the command line that
//! reads passphrases. What must stay true: no `Debug`, no `Display`, no `Serialize`; every secret is
//! overwritten when it is dropped; none comes from an argument or an environment variable.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What opens a compartment: 12 to 1,024 bytes of UTF-8, taken byte for byte.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

/// Why a text cannot be a passphrase. The text itself is never carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Shorter than [`Passphrase::MIN_BYTES`].
    #[error("the passphrase has {found} bytes, at least {} are needed", Passphrase::MIN_BYTES)]
    TooShort {
        /// Its length in bytes.
        found: usize,
    },
    /// Longer than [`Passphrase::MAX_BYTES`].
    #[error("the passphrase has {found} bytes, at most {} are allowed", Passphrase::MAX_BYTES)]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("the passphrase is not UTF-8")]
    NotText,
}

impl Passphrase {
    /// Fewer bytes than this are refused; the KDF cannot make up for a short word.
    pub const MIN_BYTES: usize = 12;
    /// More bytes than this are refused before anything is derived from them.
    pub const MAX_BYTES: usize = 1_024;

    /// Checks the length. One trailing line end, as files and pipes carry it, is not part of it.
    pub fn new(mut text: String) -> Result<Self, PassphraseError> {
        let kept = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).len());
        let found = kept.unwrap_or(text.len());
        if found < Self::MIN_BYTES {
            text.zeroize();
            return Err(PassphraseError::TooShort { found });
        }
        if found > Self::MAX_BYTES {
            text.zeroize();
            return Err(PassphraseError::TooLong { found });
        }
        text.truncate(found);
        Ok(Self(text))
    }

    /// The same, from bytes that a file or pipe gave.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, PassphraseError> {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(text),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(PassphraseError::NotText)
            }
        }
    }

    /// Its bytes, for the key derivation only.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The same once more, for the other compartment; each is overwritten by itself.
    pub fn again(&self) -> Self {
        Self(self.0.clone())
    }

    /// Were the same words typed twice?
    pub fn matches(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// 256 bits from which every spending key comes (BIP-39, 24 words).
pub struct Entropy(Zeroizing<[u8; 32]>);

impl Entropy {
    /// From bytes that an opened compartment holds; anything but 32 bytes is `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut entropy = Zeroizing::new([0; 32]);
        if bytes.len() != entropy.len() {
            return None;
        }
        entropy.copy_from_slice(bytes);
        Some(Self(entropy))
    }

    /// Fresh from the operating system; there is no other source and no fallback.
    pub fn generate() -> Result<Self, RandomError> {
        let mut entropy = Zeroizing::new([0; 32]);
        fill_random(&mut entropy[..])?;
        Ok(Self(entropy))
    }

    /// Its bytes, for the vault and the key derivation only.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The operating system gave no randomness, or gave what no random source gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RandomError {
    /// The system call failed.
    #[error("the operating system's random source failed")]
    Unavailable,
    /// All bytes equal, or two draws in a row alike.
    #[error("the operating system's random source repeats itself")]
    Stuck,
}

/// Fills `bytes` (12 or more) from the operating system, twice, and refuses a source that repeats itself.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    let mut first = Zeroizing::new(vec![0; bytes.len()]);
    getrandom::fill(&mut first).map_err(|_| RandomError::Unavailable)?;
    getrandom::fill(bytes).map_err(|_| RandomError::Unavailable)?;
    let constant = bytes.windows(2).all(|pair| pair[0] == pair[1]);
    if constant || *bytes == first[..] {
        return Err(RandomError::Stuck);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_passphrase() {
        let typed = Passphrase::new("correct horse battery".into()).ok().unwrap();
        for text in ["correct horse battery\n", "correct horse battery\r\n"] {
            assert!(Passphrase::new(text.into()).ok().unwrap().matches(&typed));
        }
        let spaced = Passphrase::new("correct horse battery \n".into()).ok().unwrap();
        assert!(!spaced.matches(&typed));
    }

    #[test]
    fn short_long_and_binary_passphrases_are_refused() {
        assert_eq!(Passphrase::new("short\n".into()).err(), Some(PassphraseError::TooShort { found: 5 }));
        let long = "x".repeat(1_025);
        assert_eq!(Passphrase::new(long).err(), Some(PassphraseError::TooLong { found: 1_025 }));
        assert_eq!(Passphrase::from_bytes(vec![0xff; 20]).err(), Some(PassphraseError::NotText));
    }
}
