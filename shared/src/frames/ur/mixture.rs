//! Which fragments a part of a multi-part Uniform Resource mixes (BCR-2024-001).
//!
//! The first `count` parts are the fragments themselves; later ones are exclusive-ors of a set that both
//! ends draw from the part's number and the message's checksum. What must stay true: the same set as
//! everybody else's on every machine, so the standard's floating-point steps are kept exactly as written.

#![allow(
    clippy::float_arithmetic,
    reason = "the standard defines the draw in IEEE 754 doubles; no money here"
)]

use sha2::{Digest as _, Sha256};

/// A set of fragment numbers below 256, one bit each.
pub(super) type Mask = [u64; 4];

/// The fragments of part `number` (from 1) of a message of `count` (1 to 256) fragments.
pub(super) fn fragments(number: u32, count: usize, checksum: u32) -> Mask {
    let mut mask = [0; 4];
    let first = number as usize;
    if first <= count {
        set(&mut mask, first.saturating_sub(1));
        return mask;
    }
    let mut seed = number.to_be_bytes().to_vec();
    seed.extend(checksum.to_be_bytes());
    let mut draw = Draw::from_seed(&seed);
    let degree = draw.degree(count);
    let mut left: Vec<usize> = (0..count).collect();
    for _ in 0..degree {
        let at = draw.below(left.len());
        set(&mut mask, left.remove(at));
    }
    mask
}

/// Whether fragment `at` is in the set.
pub(super) fn has(mask: &Mask, at: usize) -> bool {
    mask.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

fn set(mask: &mut Mask, at: usize) {
    if let Some(word) = mask.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// xoshiro256**, seeded with the SHA-256 of a seed.
struct Draw([u64; 4]);

impl Draw {
    fn from_seed(seed: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(seed).into();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(hash.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// From 0 up to, not including, 1; the upper 53 bits of a draw.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 up to, not including, `limit`.
    fn below(&mut self, limit: usize) -> usize {
        (self.unit() * limit as f64) as usize
    }

    /// How many fragments are mixed: 1 to `count`, degree d with weight 1/d.
    fn degree(&mut self, count: usize) -> usize {
        let (odds, aliases) = alias_table(count);
        let at = self.below(count);
        let keep = self.unit() < odds[at];
        1 + if keep { at } else { aliases[at] }
    }
}

/// The alias method (Walker, Vose) for weights 1/1, 1/2 … 1/count, in the order in which the standard fills it.
fn alias_table(count: usize) -> (Vec<f64>, Vec<usize>) {
    let mut weights: Vec<f64> = (1..=count).map(|degree| 1.0 / degree as f64).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight *= count as f64 / sum);
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..count).rev().partition(|at| weights[*at] < 1.0);
    let mut odds = vec![1.0; count];
    let mut aliases = vec![0; count];
    while let (Some(less), Some(more)) = (small.last().copied(), large.last().copied()) {
        small.pop();
        large.pop();
        odds[less] = weights[less];
        aliases[less] = more;
        weights[more] += weights[less] - 1.0;
        if weights[more] < 1.0 { small.push(more) } else { large.push(more) }
    }
    (odds, aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_those_of_the_published_tests() {
        // The message "Wolf" of 1,024 bytes in eleven fragments, nonces 1 to 20.
        let expected = [11, 3, 6, 5, 2, 1, 2, 11, 1, 3, 9, 10, 10, 4, 2, 1, 1, 2, 1, 1];
        let found: Vec<usize> =
            (1..=20).map(|nonce| Draw::from_seed(format!("Wolf-{nonce}").as_bytes()).degree(11)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_mixture_names_at_least_one_fragment_of_the_message() {
        for count in [1, 2, 9, 63, 64, 65, 256] {
            for number in (1..400).chain([u32::MAX]) {
                let mask = fragments(number, count, 0x1234_5678);
                let named = (0..256).filter(|at| has(&mask, *at)).collect::<Vec<_>>();
                assert!(!named.is_empty() && named.iter().all(|at| *at < count), "{number} of {count}");
            }
        }
    }
}
