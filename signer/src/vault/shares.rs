//! Backups of the spending keys as words: SLIP-39 shares of the entropy, or the 24 words of BIP-39.
//!
//! Called by `backup`. What must stay true: the shares hold the 256 bits behind the 24 words, so either gives
//! the same keys; shares leave only after they have given the entropy back; errors name positions and never
//! quote a word.

use crate::secret::{Entropy, RandomError, fill_random};
use airlock_shared::slip39::{Share, ShareError, combine, randomness_for, split as split_secret};
use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

/// Words of a mnemonic that this program makes.
pub const MNEMONIC_WORDS: usize = 24;
/// Words of a share of 256 bits.
pub const SHARE_WORDS: usize = 33;
/// Bytes of the longest share or mnemonic, with room for spaces.
pub const MAX_TEXT_BYTES: usize = 1_024;

/// Why words do not give keys, or keys no shares. Words and shares are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Neither a mnemonic nor a share.
    #[error("{found} words; a mnemonic has {MNEMONIC_WORDS}, a share {SHARE_WORDS}")]
    WordCount {
        /// How many.
        found: usize,
    },
    /// A mnemonic, and something beside it.
    #[error("give one mnemonic, or shares only")]
    Mixed,
    /// Not in BIP-39's English list.
    #[error("word {position} of the mnemonic is not in the list of BIP-39")]
    UnknownWord {
        /// Which.
        position: usize,
    },
    /// A wrong word, or two in each other's place.
    #[error("the words of the mnemonic do not fit together: one of them is wrong, or their order")]
    Checksum,
    /// One share does not read.
    #[error("share {number}: {error}")]
    Share {
        /// Which.
        number: usize,
        /// Why.
        error: ShareError,
    },
    /// The shares do not go together.
    #[error(transparent)]
    Shares(#[from] ShareError),
    /// They give a secret, but not 256 bits.
    #[error("these shares hold a secret of another kind than this program's")]
    OtherSecret,
    /// Some of the shares give another secret than the others.
    #[error("share {number} does not give the same keys as the others")]
    Differs {
        /// Which.
        number: usize,
    },
    /// The operating system's random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// What words turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Words {
    /// The 24 words.
    Mnemonic,
    /// Shares: how many were given, and how many it takes.
    Shares {
        /// How many were given.
        given: usize,
        /// How many it takes.
        needed: u8,
    },
}

/// What a single text is, as far as it can be told alone; a share says how many it takes.
pub fn recognise(text: &str) -> Result<Words, BackupError> {
    match text.split_whitespace().take(SHARE_WORDS + 1).count() {
        MNEMONIC_WORDS => mnemonic(text).map(|_| Words::Mnemonic),
        SHARE_WORDS => {
            let share = Share::parse(text).map_err(|error| BackupError::Share { number: 1, error })?;
            Ok(Words::Shares { given: 1, needed: share.header().member_threshold })
        }
        found => Err(BackupError::WordCount { found }),
    }
}

/// The entropy that these words hold. More shares than it takes must all give the same.
pub fn restore(texts: &[Zeroizing<String>]) -> Result<(Entropy, Words), BackupError> {
    let first = texts.first().ok_or(ShareError::Nothing)?;
    if first.split_whitespace().take(MNEMONIC_WORDS + 1).count() == MNEMONIC_WORDS {
        return match texts {
            [only] => mnemonic(only).map(|entropy| (entropy, Words::Mnemonic)),
            _ => Err(BackupError::Mixed),
        };
    }
    let mut shares = Vec::with_capacity(texts.len());
    for (number, text) in (1..).zip(texts) {
        let found = text.split_whitespace().take(SHARE_WORDS + 1).count();
        if found != SHARE_WORDS {
            let mixed = found == MNEMONIC_WORDS;
            return Err(if mixed { BackupError::Mixed } else { BackupError::WordCount { found } });
        }
        shares.push(Share::parse(text).map_err(|error| BackupError::Share { number, error })?);
    }
    // Among all of them: below, only so many at a time are looked at.
    for (place, share) in shares.iter().enumerate() {
        let repeats = |other: &Share| {
            let (one, other) = (share.header(), other.header());
            (one.group_index, one.member_index) == (other.group_index, other.member_index)
                && one.identifier == other.identifier
        };
        if shares[..place].iter().any(repeats) {
            return Err(ShareError::Repeated { number: place + 1 }.into());
        }
    }
    let needed = shares.first().map_or(0, |share| share.header().member_threshold);
    let take = usize::from(needed).min(shares.len());
    let entropy = whole(&shares[..take])?;
    // Each further share together with the ones before it.
    for last in take..shares.len() {
        let number = last + 1;
        // Those before it agree already, so it is this one that does not.
        let other = whole(&shares[number - take..number]).map_err(|error| match error {
            BackupError::Shares(ShareError::OtherSet { what, .. }) => {
                ShareError::OtherSet { number, what }.into()
            }
            BackupError::Shares(ShareError::Digest) => BackupError::Differs { number },
            other => other,
        })?;
        if other.as_bytes() != entropy.as_bytes() {
            return Err(BackupError::Differs { number });
        }
    }
    Ok((entropy, Words::Shares { given: shares.len(), needed }))
}

/// Splits the entropy into `count` shares, any `threshold` of which give it back, under a new random name.
pub fn split(entropy: &Entropy, threshold: u8, count: u8) -> Result<Vec<Share>, BackupError> {
    let mut name = [0; 16];
    fill_random(&mut name)?;
    let mut random = Zeroizing::new(vec![0; randomness_for(threshold, entropy.as_bytes().len())]);
    fill_random(&mut random)?;
    let identifier = u16::from_be_bytes([name[0], name[1]]);
    let shares = split_secret(entropy.as_bytes(), b"", (threshold, count), identifier, &random)?;
    let texts: Vec<_> = shares.iter().map(Share::words).collect();
    let (back, _) = restore(&texts)?;
    if back.as_bytes() == entropy.as_bytes() { Ok(shares) } else { Err(BackupError::OtherSecret) }
}

fn whole(shares: &[Share]) -> Result<Entropy, BackupError> {
    Entropy::from_slice(&combine(shares, b"")?).ok_or(BackupError::OtherSecret)
}

fn mnemonic(text: &str) -> Result<Entropy, BackupError> {
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &lower).map_err(|error| match error {
        bip39::Error::UnknownWord(place) => BackupError::UnknownWord { position: place + 1 },
        _ => BackupError::Checksum,
    })?;
    let entropy = Zeroizing::new(mnemonic.to_entropy());
    Entropy::from_slice(&entropy).ok_or(BackupError::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entropy(byte: u8) -> Entropy {
        Entropy::from_slice(&[byte; 32]).unwrap()
    }

    fn texts(shares: &[Share]) -> Vec<Zeroizing<String>> {
        shares.iter().map(Share::words).collect()
    }

    #[test]
    fn shares_and_mnemonic_give_the_same_entropy() {
        let words = Mnemonic::from_entropy(&[7; 32]).unwrap().to_string();
        let (back, kind) = restore(&[Zeroizing::new(words.to_uppercase())]).ok().unwrap();
        assert_eq!((back.as_bytes(), kind), (&[7; 32], Words::Mnemonic));
        let all = texts(&split(&entropy(7), 2, 3).unwrap());
        let (back, kind) = restore(&all[1..]).ok().unwrap();
        assert_eq!((back.as_bytes(), kind), (&[7; 32], Words::Shares { given: 2, needed: 2 }));
        assert_eq!(restore(&all).ok().unwrap().1, Words::Shares { given: 3, needed: 2 });
        let copied = [all.clone(), all[..1].to_vec()].concat();
        let repeated = BackupError::Shares(ShareError::Repeated { number: 4 });
        assert_eq!(restore(&copied).err(), Some(repeated));
    }

    #[test]
    fn two_splittings_of_one_seed_do_not_mix_and_are_never_alike() {
        let (one, two) = (split(&entropy(7), 2, 3).unwrap(), split(&entropy(7), 2, 3).unwrap());
        assert!(texts(&one)[0] != texts(&two)[0]);
        let mixed = vec![one[0].words(), two[1].words()];
        assert!(restore(&mixed).is_err());
    }

    #[test]
    fn a_foreign_share_behind_good_ones_is_the_one_that_is_named() {
        let (one, two) = (split(&entropy(7), 2, 3).unwrap(), split(&entropy(8), 2, 3).unwrap());
        let error = |foreign: &Share| {
            let given = [texts(&one), vec![foreign.words()]].concat();
            restore(&given[1..]).err().unwrap()
        };
        if one[0].header().identifier != two[0].header().identifier {
            let what = "identifier";
            assert_eq!(error(&two[0]), BackupError::Shares(ShareError::OtherSet { number: 3, what }));
        }
        // The same name by chance: only the content can tell.
        let random = vec![5; randomness_for(2, 32)];
        let name = one[0].header().identifier;
        let twins = split_secret(&[8; 32], b"", (2, 3), name, &random).unwrap();
        assert_eq!(error(&twins[0]), BackupError::Differs { number: 3 });
    }

    #[test]
    fn every_way_of_being_wrong_is_named_without_a_word() {
        let words = Mnemonic::from_entropy(&[7; 32]).unwrap().to_string();
        let share = split(&entropy(7), 2, 3).unwrap()[0].words();
        let error = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| Zeroizing::new((*text).to_owned())).collect();
            restore(&texts).err().unwrap()
        };
        assert_eq!(error(&[]), BackupError::Shares(ShareError::Nothing));
        assert_eq!(error(&["one two"]), BackupError::WordCount { found: 2 });
        assert_eq!(error(&[&words, &words]), BackupError::Mixed);
        assert_eq!(error(&[&share, &words]), BackupError::Mixed);
        assert_eq!(error(&[&share]), BackupError::Shares(ShareError::Members { needed: 2, given: 1 }));
        assert_eq!(error(&[&share, &share]), BackupError::Shares(ShareError::Repeated { number: 2 }));
        let mut wrong: Vec<&str> = words.split(' ').collect();
        wrong[4] = "xylophone";
        assert_eq!(error(&[&wrong.join(" ")]), BackupError::UnknownWord { position: 5 });
        wrong[4] = if words.split(' ').nth(4) == Some("zoo") { "abandon" } else { "zoo" };
        assert_eq!(error(&[&wrong.join(" ")]), BackupError::Checksum);
        let mut wrong: Vec<&str> = share.split(' ').collect();
        wrong[9] = "xylophone";
        let unknown = ShareError::UnknownWord { position: 10 };
        assert_eq!(error(&[&share, &wrong.join(" ")]), BackupError::Share { number: 2, error: unknown });
    }
}
