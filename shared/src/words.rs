//! Eight words that stand for a digest, to be compared by people on two screens.
//!
//! The first 88 bits of the digest, eleven bits a word, most significant first, index the 2,048 words of
//! BIP-39's English list. Two documents agree in all eight by chance once in 2^88. They are spelled in
//! lower case with one space between.

use crate::digest::Digest;

/// The eight words of `digest`.
pub fn words(digest: &Digest) -> String {
    let list = bip39::Language::English.word_list();
    let bits = digest.as_bytes()[..11].iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let word = |i: u32| list[usize::from((bits >> (11 * (7 - i))) as u16 & 0x7ff)];
    (0..8).map(word).collect::<Vec<_>>().join(" ")
}

/// Did a person type the eight words of `digest`? Case and the amount of white space do not matter.
pub fn confirms(typed: &str, digest: &Digest) -> bool {
    let typed = typed.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    typed == words(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_first_88_bits_of_the_digest() {
        assert_eq!(words(&Digest::ZERO), ["abandon"; 8].join(" "));
        let mut bytes = [0; 32];
        bytes[0] = 0xff;
        bytes[1] = 0xe0;
        bytes[10] = 0x01;
        let digest = Digest::from_bytes(bytes);
        assert_eq!(words(&digest), "zoo abandon abandon abandon abandon abandon abandon ability");
        assert!(confirms("  ZOO abandon abandon abandon abandon\nabandon abandon ability ", &digest));
        assert!(!confirms("zoo", &digest));
    }
}
