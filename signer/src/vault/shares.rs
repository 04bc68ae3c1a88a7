//! Backups of the spending keys as words: SLIP-39 shares, or the words of BIP-39.
//!
//! Called by `backup` and `restore`. What must stay true: the shares that are made here hold the bits behind the
//! mnemonic, so either gives the same keys; shares leave only after they have given those bits back; errors name
//! positions and broken rules and never quote a word; more shares than it takes must all give the same.

use crate::secret::{Entropy, RandomError, fill_random};
use airlock_shared::slip39::{Share, ShareError, combine, randomness_for, split as split_secret};
use bip39::{Language, Mnemonic};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the longest share or mnemonic, with room for spaces.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Words of the longest mnemonic or share.
const MAX_WORDS: usize = 59;

/// Why words do not give keys, or keys no shares. Words and shares are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Neither a mnemonic nor a share.
    #[error("{found} words; a mnemonic has 12, 15, 18, 21 or 24, a share 20, 23, 27, 30 or 33")]
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
    #[error("the checksum in the last word of the mnemonic does not fit: a word is wrong, or their order")]
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
    /// They give a secret, but not one that a mnemonic of 12 to 24 words has.
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
    /// A mnemonic.
    Mnemonic,
    /// Shares: how many were given, and how many it takes.
    Shares {
        /// How many were given.
        given: usize,
        /// How many it takes.
        needed: usize,
    },
}

/// Words given one after the other, until they are enough.
#[derive(Default)]
pub struct Gathered {
    mnemonic: Option<Entropy>,
    shares: Vec<Share>,
}

/// What is still missing of a set of shares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Groups that were begun: their number from 1, how many shares are given, how many it takes.
    pub groups: Vec<(u8, usize, u8)>,
    /// How many groups it takes.
    pub groups_needed: u8,
    /// How many groups there are.
    pub groups_made: u8,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (group, given, needed) in &self.groups {
            let more = usize::from(*needed).saturating_sub(*given);
            let of = if self.groups_made > 1 { format!(" of group {group}") } else { String::new() };
            match more {
                0 => {}
                1 => parts.push(format!("1 more share{of}")),
                _ => parts.push(format!("{more} more shares{of}")),
            }
        }
        let other = usize::from(self.groups_needed).saturating_sub(self.groups.len());
        if other > 0 {
            let groups = if other == 1 { "group" } else { "groups" };
            parts.push(format!("shares of {other} other {groups}"));
        }
        f.write_str(&parts.join(", "))
    }
}

impl Gathered {
    /// Takes one mnemonic or one share more.
    pub fn add(&mut self, text: &str) -> Result<(), BackupError> {
        let number = self.shares.len() + 1;
        match text.split_whitespace().take(MAX_WORDS + 1).count() {
            12 | 15 | 18 | 21 | 24 => {
                if self.mnemonic.is_some() || number > 1 {
                    return Err(BackupError::Mixed);
                }
                self.mnemonic = Some(mnemonic(text)?);
                Ok(())
            }
            20 | 23 | 27 | 30 | 33 => {
                if self.mnemonic.is_some() {
                    return Err(BackupError::Mixed);
                }
                let share = Share::parse(text).map_err(|error| unread(text, number, error))?;
                self.check_belongs(&share)?;
                self.shares.push(share);
                Ok(())
            }
            found => Err(BackupError::WordCount { found }),
        }
    }

    fn check_belongs(&self, share: &Share) -> Result<(), BackupError> {
        let number = self.shares.len() + 1;
        let Some(first) = self.shares.first() else { return Ok(()) };
        if let Some(what) = first.differs(share) {
            return Err(ShareError::OtherSet { number, what }.into());
        }
        let group = self.shares.iter().filter(|other| group_of(other) == group_of(share));
        for other in group {
            if other.header().member_index == share.header().member_index {
                return Err(ShareError::Repeated { number }.into());
            }
            if other.header().member_threshold != share.header().member_threshold {
                return Err(ShareError::OtherSet { number, what: "member threshold" }.into());
            }
        }
        Ok(())
    }

    /// How many shares were given.
    pub fn shares(&self) -> usize {
        self.shares.len()
    }

    /// Is it a mnemonic?
    pub const fn is_mnemonic(&self) -> bool {
        self.mnemonic.is_some()
    }

    /// What it still takes; `None` when it is enough. Before the first word nothing is known.
    pub fn missing(&self) -> Option<Missing> {
        let first = self.shares.first()?.header();
        if self.choose(self.shares.len() - 1).is_some() {
            return None;
        }
        let mut groups: Vec<(u8, usize, u8)> = Vec::new();
        for share in &self.shares {
            let number = group_of(share) + 1;
            match groups.iter_mut().find(|(group, ..)| *group == number) {
                Some((_, given, _)) => *given += 1,
                None => groups.push((number, 1, share.header().member_threshold)),
            }
        }
        let (groups_needed, groups_made) = (first.group_threshold, first.group_count);
        Some(Missing { groups, groups_needed, groups_made })
    }

    /// Exactly as many of the shares up to `last` as it takes, that one among them; `None` if they do not suffice.
    fn choose(&self, last: usize) -> Option<Vec<Share>> {
        let newest = self.shares.get(last)?;
        let groups_needed = usize::from(newest.header().group_threshold);
        let mut chosen = Vec::with_capacity(MAX_WORDS);
        let mut groups = 0;
        // The newest share's group first, and it before the others of its group.
        let mut order: Vec<&Share> = self.shares[..=last].iter().rev().collect();
        while let (Some(share), true) = (order.first().copied(), groups < groups_needed) {
            let needed = usize::from(share.header().member_threshold);
            let (group, rest): (Vec<_>, Vec<_>) =
                order.into_iter().partition(|other| group_of(other) == group_of(share));
            if group.len() >= needed {
                chosen.extend(group.into_iter().take(needed).cloned());
                groups += 1;
            } else if group_of(share) == group_of(newest) {
                return None;
            }
            order = rest;
        }
        (groups == groups_needed).then_some(chosen)
    }

    /// The secret that all this gives; `passphrase` is SLIP-39's, empty where none was set.
    pub fn open(mut self, passphrase: &[u8]) -> Result<(Entropy, Words), BackupError> {
        if let Some(entropy) = self.mnemonic.take() {
            return Ok((entropy, Words::Mnemonic));
        }
        let mut found: Option<(Entropy, usize)> = None;
        for last in 0..self.shares.len() {
            let Some(chosen) = self.choose(last) else { continue };
            let number = last + 1;
            let secret = match (whole(&chosen, passphrase), &found) {
                // Those before it agree already, so it is this one that does not.
                (Err(BackupError::Shares(ShareError::Digest)), Some(_)) => {
                    return Err(BackupError::Differs { number });
                }
                (opened, _) => opened?,
            };
            match &found {
                Some((before, _)) if before.as_bytes() != secret.as_bytes() => {
                    return Err(BackupError::Differs { number });
                }
                Some(_) => {}
                None => found = Some((secret, chosen.len())),
            }
        }
        match found {
            Some((secret, needed)) => Ok((secret, Words::Shares { given: self.shares.len(), needed })),
            // Too few: the shared code says how many there should be.
            None => Err(whole(&self.shares, passphrase).err().unwrap_or(BackupError::OtherSecret)),
        }
    }
}

/// A mnemonic that lacks a word may have as many words as a share.
fn unread(text: &str, number: usize, error: ShareError) -> BackupError {
    let in_list = |word: &str| {
        let lower = Zeroizing::new(word.to_ascii_lowercase());
        Language::English.find_word(&lower).is_some()
    };
    match error {
        ShareError::UnknownWord { .. } if text.split_whitespace().all(in_list) => {
            BackupError::WordCount { found: text.split_whitespace().count() }
        }
        error => BackupError::Share { number, error },
    }
}

const fn group_of(share: &Share) -> u8 {
    share.header().group_index
}

/// The secret that these words hold.
pub fn restore(texts: &[Zeroizing<String>], passphrase: &[u8]) -> Result<(Entropy, Words), BackupError> {
    let mut gathered = Gathered::default();
    texts.iter().try_for_each(|text| gathered.add(text))?;
    gathered.open(passphrase)
}

/// Splits a secret into `count` shares, any `threshold` of which give it back, under a new random name.
pub fn split(secret: &Entropy, threshold: u8, count: u8) -> Result<Vec<Share>, BackupError> {
    let mut name = [0; 16];
    fill_random(&mut name)?;
    let mut random = Zeroizing::new(vec![0; randomness_for(threshold, secret.as_bytes().len())]);
    fill_random(&mut random)?;
    let identifier = u16::from_be_bytes([name[0], name[1]]);
    let shares = split_secret(secret.as_bytes(), b"", (threshold, count), identifier, &random)?;
    let texts: Vec<_> = shares.iter().map(Share::words).collect();
    let (back, _) = restore(&texts, b"")?;
    if back.as_bytes() == secret.as_bytes() { Ok(shares) } else { Err(BackupError::OtherSecret) }
}

fn whole(shares: &[Share], passphrase: &[u8]) -> Result<Entropy, BackupError> {
    Entropy::from_slice(&combine(shares, passphrase)?).ok_or(BackupError::OtherSecret)
}

fn mnemonic(text: &str) -> Result<Entropy, BackupError> {
    // One space between words and lower case; never longer than what was typed.
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    for (place, word) in text.split_whitespace().enumerate() {
        plain.push_str(if place == 0 { "" } else { " " });
        plain.push_str(word);
    }
    plain.make_ascii_lowercase();
    let mnemonic = Mnemonic::parse_in_normalized(Language::English, &plain).map_err(|error| match error {
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
        let (back, kind) = restore(&[Zeroizing::new(words.to_uppercase())], b"").ok().unwrap();
        assert_eq!((back.as_bytes(), kind), (&[7; 32][..], Words::Mnemonic));
        let all = texts(&split(&entropy(7), 2, 3).unwrap());
        let (back, kind) = restore(&all[1..], b"").ok().unwrap();
        assert_eq!((back.as_bytes(), kind), (&[7; 32][..], Words::Shares { given: 2, needed: 2 }));
        assert_eq!(restore(&all, b"").ok().unwrap().1, Words::Shares { given: 3, needed: 2 });
        let copied = [all.clone(), all[..1].to_vec()].concat();
        let repeated = BackupError::Shares(ShareError::Repeated { number: 4 });
        assert_eq!(restore(&copied, b"").err(), Some(repeated));
    }

    #[test]
    fn two_splittings_of_one_seed_do_not_mix_and_are_never_alike() {
        let (one, two) = (split(&entropy(7), 2, 3).unwrap(), split(&entropy(7), 2, 3).unwrap());
        assert!(texts(&one)[0] != texts(&two)[0]);
        let mixed = vec![one[0].words(), two[1].words()];
        assert!(restore(&mixed, b"").is_err());
    }

    #[test]
    fn a_foreign_share_behind_good_ones_is_the_one_that_is_named() {
        let (one, two) = (split(&entropy(7), 2, 3).unwrap(), split(&entropy(8), 2, 3).unwrap());
        let error = |foreign: &Share| {
            let given = [texts(&one), vec![foreign.words()]].concat();
            restore(&given[1..], b"").err().unwrap()
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
            restore(&texts, b"").err().unwrap()
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
