//! Secrets as types: what they are is in the name, and none of them can be printed, compared or cloned.
//!
//! Called by the vault (passphrases, entropy, sealing keys), by `keys` and by the command line that
//! reads passphrases. What must stay true: no `Debug`, no `Display`, no `Serialize`; every secret is
//! overwritten when it is dropped; what outlives a calculation lies on locked pages (`memory::Secret`); none
//! comes from an argument or an environment variable.

use crate::memory::Secret;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

/// A secret text as a file or a pipe carries it, without its one line end.
pub fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// What opens a compartment: 12 to 1,024 bytes of UTF-8, taken byte for byte.
pub struct Passphrase {
    bytes: Secret<[u8; Self::MAX_BYTES]>,
    length: usize,
}

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
        let found = without_line_end(&text).len();
        if found < Self::MIN_BYTES {
            text.zeroize();
            return Err(PassphraseError::TooShort { found });
        }
        if found > Self::MAX_BYTES {
            text.zeroize();
            return Err(PassphraseError::TooLong { found });
        }
        let mut bytes = Secret::new([0; Self::MAX_BYTES]);
        bytes[..found].copy_from_slice(&text.as_bytes()[..found]);
        text.zeroize();
        Ok(Self { bytes, length: found })
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
        &self.bytes[..self.length]
    }

    /// The same once more, for the other compartment; each is overwritten by itself.
    pub fn again(&self) -> Self {
        let mut bytes = Secret::new([0; Self::MAX_BYTES]);
        bytes.copy_from_slice(&self.bytes[..]);
        Self { bytes, length: self.length }
    }

    /// Were the same words typed twice?
    pub fn matches(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// BIP-39's passphrase: part of the seed, in NFKD, at most 1,024 bytes. Empty where none was set; another one
/// gives other keys, never an error.
pub struct Bip39Passphrase(Zeroizing<String>);

impl Bip39Passphrase {
    /// The longest, in bytes of NFKD.
    pub const MAX_BYTES: usize = 1_024;

    /// None was set.
    pub fn none() -> Self {
        Self(Zeroizing::new(String::new()))
    }

    /// Normalizes; one trailing line end, as files and pipes carry it, is not part of it.
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        let text = without_line_end(text);
        // Room for all of it at once: a text that grows leaves copies behind.
        let mut normal = Zeroizing::new(String::with_capacity(Self::MAX_BYTES));
        for character in text.nfkd() {
            if normal.len() + character.len_utf8() > Self::MAX_BYTES {
                return Err(PassphraseError::TooLong { found: text.len() });
            }
            normal.push(character);
        }
        Ok(Self(normal))
    }

    /// From an opened compartment, where it lies in NFKD already; anything else is `None`.
    pub fn of_normalized(text: &str) -> Option<Self> {
        Self::new(text).ok().filter(|normal| *normal.0 == *text)
    }

    /// Was none set?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its text, for the key derivation and the vault only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// From which every derived key comes: 128, 160, 192, 224 or 256 bits, which BIP-39 spells as 12 to 24 words.
pub struct Entropy {
    bytes: Secret<[u8; 32]>,
    length: usize,
}

impl Entropy {
    /// From bytes that an opened compartment or a backup holds; a length that no mnemonic has is `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if !matches!(bytes.len(), 16 | 20 | 24 | 28 | 32) {
            return None;
        }
        let mut entropy = Secret::new([0; 32]);
        entropy[..bytes.len()].copy_from_slice(bytes);
        Some(Self { bytes: entropy, length: bytes.len() })
    }

    /// Its bytes, for the vault, backups and the key derivation only.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// How many words its mnemonic has.
    pub const fn words(&self) -> usize {
        self.length * 3 / 4
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
    /// One byte far too often (NIST SP 800-90B, adaptive proportion test).
    #[error("the operating system's random source prefers some values")]
    Leaning,
    /// It gave the same long pattern twice.
    #[error("the operating system's random source runs in a circle")]
    Circle,
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
    fn a_bip39_passphrase_is_normalized_and_bounded() {
        let composed = Bip39Passphrase::new("\u{e9}\u{212b}\n").ok().unwrap();
        assert_eq!(composed.as_str(), "e\u{301}A\u{30a}");
        assert!(Bip39Passphrase::of_normalized("\u{e9}").is_none());
        assert!(Bip39Passphrase::of_normalized(composed.as_str()).is_some());
        let long = Bip39Passphrase::new(&"x".repeat(1_025)).err();
        assert_eq!(long, Some(PassphraseError::TooLong { found: 1_025 }));
    }

    #[test]
    fn short_long_and_binary_passphrases_are_refused() {
        assert_eq!(Passphrase::new("short\n".into()).err(), Some(PassphraseError::TooShort { found: 5 }));
        let long = "x".repeat(1_025);
        assert_eq!(Passphrase::new(long).err(), Some(PassphraseError::TooLong { found: 1_025 }));
        assert_eq!(Passphrase::from_bytes(vec![0xff; 20]).err(), Some(PassphraseError::NotText));
    }
}
