//! One share and its words.
//!
//! ```text
//! id 15 | extendable 1 | iteration exponent 4 | group index 4 | group threshold-1 4 | groups-1 4 |
//! member index 4 | member threshold-1 4 | zero padding 0..8, value | checksum 30       (10 bits a word)
//! ```
//! What must stay true: a share that parses spells back to the same words; its value cannot be printed and
//! is overwritten when dropped; errors name positions, never words.

use super::ShareError;
use std::sync::OnceLock;
use zeroize::{Zeroize as _, Zeroizing};

/// Words of a share of 128 bits; no share has fewer.
pub const MIN_WORDS: usize = 20;
/// Words of a share of 512 bits; longer ones are refused.
pub const MAX_WORDS: usize = 59;
const HEADER_WORDS: usize = 4;
const CHECKSUM_WORDS: usize = 3;

/// What a share says about itself and its set. None of it is secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Names the set, 15 bits.
    pub identifier: u16,
    /// Does the secret's encryption leave the identifier out?
    pub extendable: bool,
    /// The passphrase is stretched 10,000 * 2^this times.
    pub iteration_exponent: u8,
    /// Which group, from 0.
    pub group_index: u8,
    /// How many groups it takes.
    pub group_threshold: u8,
    /// How many groups were made.
    pub group_count: u8,
    /// Which member of the group, from 0.
    pub member_index: u8,
    /// How many members of the group it takes.
    pub member_threshold: u8,
}

impl Header {
    /// Salts the encryption of the secret.
    pub(super) fn salt(&self) -> Vec<u8> {
        if self.extendable { Vec::new() } else { [b"shamir", &self.identifier.to_be_bytes()[..]].concat() }
    }

    fn customization(extendable: bool) -> &'static [u8] {
        if extendable { b"shamir_extendable" } else { b"shamir" }
    }

    fn words(&self) -> [u16; HEADER_WORDS] {
        let bits = [
            (u64::from(self.identifier), 15),
            (u64::from(self.extendable), 1),
            (u64::from(self.iteration_exponent), 4),
            (u64::from(self.group_index), 4),
            (u64::from(self.group_threshold - 1), 4),
            (u64::from(self.group_count - 1), 4),
            (u64::from(self.member_index), 4),
            (u64::from(self.member_threshold - 1), 4),
        ];
        let all = bits.into_iter().fold(0, |all, (value, width)| all << width | value);
        [30, 20, 10, 0].map(|shift| (all >> shift & 0x3ff) as u16)
    }

    fn of_words(words: &[u16]) -> Self {
        let all = words[..HEADER_WORDS].iter().fold(0u64, |all, word| all << 10 | u64::from(*word));
        let four = |shift: u32| (all >> shift & 0xf) as u8;
        Self {
            identifier: (all >> 25) as u16,
            extendable: all >> 24 & 1 == 1,
            iteration_exponent: four(20),
            group_index: four(16),
            group_threshold: four(12) + 1,
            group_count: four(8) + 1,
            member_index: four(4),
            member_threshold: four(0) + 1,
        }
    }
}

/// One share. Its value is as secret as the whole where fewer others are missing.
#[derive(Clone)]
pub struct Share {
    header: Header,
    value: Zeroizing<Vec<u8>>,
}

impl Share {
    pub(super) const fn new(header: Header, value: Zeroizing<Vec<u8>>) -> Self {
        Self { header, value }
    }

    /// Reads the words of one share; case and spacing are free.
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let count = text.split_ascii_whitespace().take(MAX_WORDS + 1).count();
        let value_bits = 10 * count.saturating_sub(HEADER_WORDS + CHECKSUM_WORDS);
        let padding = value_bits % 16;
        if !(MIN_WORDS..=MAX_WORDS).contains(&count) || padding > 8 {
            return Err(ShareError::Length { words: count });
        }
        let mut words = Zeroizing::new(Vec::with_capacity(count));
        for (position, word) in (1..).zip(text.split_ascii_whitespace()) {
            words.push(index_of(word).ok_or(ShareError::UnknownWord { position })?);
        }
        let header = Header::of_words(&words);
        if checksum(Header::customization(header.extendable), &words) != 1 {
            return Err(ShareError::Checksum);
        }
        if header.group_threshold > header.group_count {
            let (threshold, count) = (header.group_threshold, header.group_count);
            return Err(ShareError::GroupThreshold { threshold, count });
        }
        let value = bytes_of(&words[HEADER_WORDS..count - CHECKSUM_WORDS], padding)?;
        Ok(Self { header, value })
    }

    /// Its words, as they are written down.
    pub fn words(&self) -> Zeroizing<String> {
        let padding = (10 - self.value.len() * 8 % 10) % 10;
        let mut words = Zeroizing::new(Vec::with_capacity(MAX_WORDS));
        words.extend(self.header.words());
        let (mut bits, mut held) = (0u32, padding);
        for byte in self.value.iter() {
            (bits, held) = (bits << 8 | u32::from(*byte), held + 8);
            if held >= 10 {
                held -= 10;
                words.push((bits >> held & 0x3ff) as u16);
                bits &= (1 << held) - 1;
            }
        }
        bits.zeroize();
        let rest = words.len();
        words.extend([0; CHECKSUM_WORDS]);
        let sum = checksum(Header::customization(self.header.extendable), &words) ^ 1;
        for (place, shift) in [20, 10, 0].into_iter().enumerate() {
            words[rest + place] = (sum >> shift & 0x3ff) as u16;
        }
        // Eight letters and a space at most, so that the text never grows and leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(9 * MAX_WORDS));
        for index in words.iter() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(list()[usize::from(*index)]);
        }
        text
    }

    /// What it says about itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }

    /// In what `other` is not of the same set, if it is not.
    pub fn differs(&self, other: &Self) -> Option<&'static str> {
        let (a, b) = (&self.header, &other.header);
        let same = [
            (a.identifier == b.identifier, "identifier"),
            (a.extendable == b.extendable, "extendable flag"),
            (a.iteration_exponent == b.iteration_exponent, "iteration exponent"),
            (a.group_threshold == b.group_threshold, "group threshold"),
            (a.group_count == b.group_count, "group count"),
            (self.value.len() == other.value.len(), "length"),
        ];
        same.into_iter().find_map(|(same, what)| (!same).then_some(what))
    }
}

/// The bits of `words` behind `padding` zero bits, as bytes.
fn bytes_of(words: &[u16], padding: usize) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * words.len()));
    // The padding is at most 8 bits, so all of it stands in the first word.
    if words.first().is_some_and(|first| u32::from(*first) >> (10 - padding) != 0) {
        return Err(ShareError::Padding);
    }
    let (mut bits, mut held) = (0u32, 0);
    for (number, word) in words.iter().enumerate() {
        bits = bits << 10 | u32::from(*word);
        held += if number == 0 { 10 - padding } else { 10 };
        while held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bits.zeroize();
    Ok(bytes)
}

/// Reed-Solomon over 1024 elements: finds up to three wrong words. 1 where the words are whole.
fn checksum(customization: &[u8], words: &[u16]) -> u32 {
    const GENERATOR: [u32; 10] = [
        0x00e0_e040,
        0x01c1_c080,
        0x0383_8100,
        0x0707_0200,
        0x0e0e_0009,
        0x1c0c_2412,
        0x3808_6c24,
        0x3090_fc48,
        0x21b1_f890,
        0x03f3_f120,
    ];
    let values = customization.iter().map(|byte| u32::from(*byte)).chain(words.iter().map(|w| u32::from(*w)));
    values.fold(1, |sum, value| {
        let high = sum >> 20;
        let shifted = (sum & 0xf_ffff) << 10 ^ value;
        let turned = GENERATOR.iter().enumerate().filter(|(bit, _)| high >> bit & 1 == 1);
        turned.fold(shifted, |sum, (_, generator)| sum ^ generator)
    })
}

/// SLIP-0039's list: 1,024 words in alphabetical order, told apart by their first four letters.
fn list() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    LIST.get_or_init(|| include_str!("words.txt").split_ascii_whitespace().collect())
}

fn index_of(word: &str) -> Option<u16> {
    if word.len() > 8 {
        return None;
    }
    let lower = Zeroizing::new(word.to_ascii_lowercase());
    list().binary_search(&lower.as_str()).ok().and_then(|index| u16::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_sorted_and_four_letters_tell_its_words_apart() {
        assert_eq!(list().len(), 1_024);
        assert!(list().is_sorted_by(|a, b| a < b));
        assert!(list().iter().all(|word| (4..=8).contains(&word.len())));
        assert_eq!(list().iter().map(|word| &word[..4]).collect::<BTreeSet<_>>().len(), 1_024);
    }
}
