//! Where new keys come from: the operating system, tested, and what people throw, mixed in.
//!
//! Called by `init` alone. What must stay true: the operating system's source is always in it and there is no
//! other one to fall back to; a source that fails, stands still, leans or runs in a circle ends in an error
//! before a key is made; dice and coins only ever add (HKDF over both), so that either source alone suffices;
//! neither sample, throws nor result can be printed.

mod throws;

pub use throws::{Kind, Throws, ThrowsError};

use crate::secret::{Entropy, RandomError};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of the source that are tested before a key is made.
pub const SAMPLE_BYTES: usize = 64 * 1024;
/// Bytes of entropy of a new vault: 24 words.
const NEW_BYTES: usize = 32;
/// NIST SP 800-90B, 4.4.1, for a full-entropy byte (H = 8) and a false alarm of 2^-40: 1 + 40/8.
const REPETITION_CUTOFF: usize = 6;
/// NIST SP 800-90B, 4.4.2: the window for a source that is not binary.
const PROPORTION_WINDOW: usize = 512;
/// The same with H = 8 and a false alarm of 2^-40: 1 + critbinom(512, 2^-8, 1 - 2^-40).
const PROPORTION_CUTOFF: usize = 19;
/// Bytes that no honest source gives twice in one sample: the chance is below 2^-96.
const PATTERN_BYTES: usize = 16;

/// The operating system's random source. There is no other.
pub fn operating_system(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|_| RandomError::Unavailable)
}

/// New entropy: tested bytes of `source`, mixed with what people threw. The bytes that are kept were tested
/// together with the sample.
pub fn birth(
    source: &mut impl FnMut(&mut [u8]) -> Result<(), RandomError>,
    thrown: Option<&Throws>,
) -> Result<Entropy, RandomError> {
    let mut drawn = Zeroizing::new(vec![0; SAMPLE_BYTES + NEW_BYTES]);
    let (sample, kept) = drawn.split_at_mut(SAMPLE_BYTES);
    source(sample)?;
    source(kept)?;
    test(&drawn)?;
    let kept = &drawn[SAMPLE_BYTES..];
    let mut bytes = Zeroizing::new([0; NEW_BYTES]);
    match thrown {
        Some(thrown) => mix(kept, thrown, &mut bytes)?,
        None => bytes.copy_from_slice(kept),
    }
    Entropy::from_slice(&bytes[..]).ok_or(RandomError::Unavailable)
}

/// HKDF-SHA256 (RFC 5869): whoever knows only one of the two inputs knows nothing of the output.
fn mix(drawn: &[u8], thrown: &Throws, bytes: &mut [u8; NEW_BYTES]) -> Result<(), RandomError> {
    let throws = thrown.as_bytes();
    let mut both = Zeroizing::new(Vec::with_capacity(drawn.len() + throws.len()));
    // The first part has a fixed length, so no two pairs of inputs are joined alike.
    both.extend_from_slice(drawn);
    both.extend_from_slice(throws);
    let extracted = Hkdf::<Sha256>::new(Some(b"airlock:birth:1"), &both);
    // 32 bytes are far below HKDF's limit, so this does not fail; if it did, zeros would be no key.
    extracted.expand(b"spending entropy", bytes).map_err(|_| RandomError::Unavailable)
}

/// The health tests, over a sample from the start of the source.
pub fn test(sample: &[u8]) -> Result<(), RandomError> {
    repetition_count(sample)?;
    adaptive_proportion(sample)?;
    no_pattern_twice(sample)
}

fn repetition_count(sample: &[u8]) -> Result<(), RandomError> {
    let alike = |run: &[u8]| run.iter().all(|byte| *byte == run[0]);
    match sample.windows(REPETITION_CUTOFF).any(alike) {
        true => Err(RandomError::Stuck),
        false => Ok(()),
    }
}

fn adaptive_proportion(sample: &[u8]) -> Result<(), RandomError> {
    let leans = |window: &[u8]| window.iter().filter(|byte| **byte == window[0]).count() >= PROPORTION_CUTOFF;
    match sample.chunks_exact(PROPORTION_WINDOW).any(leans) {
        true => Err(RandomError::Leaning),
        false => Ok(()),
    }
}

/// A source that runs in a circle passes the two tests above, but comes back to a pattern it gave before.
fn no_pattern_twice(sample: &[u8]) -> Result<(), RandomError> {
    let pattern = |at: usize| sample.get(at..at + PATTERN_BYTES);
    let mut places: Vec<usize> = (0..=sample.len().saturating_sub(PATTERN_BYTES)).collect();
    places.sort_unstable_by_key(|at| pattern(*at));
    match places.windows(2).any(|pair| pattern(pair[0]) == pattern(pair[1])) {
        true => Err(RandomError::Circle),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birth_of(mut next: impl FnMut(usize) -> u8) -> Option<RandomError> {
        let mut at = 0;
        let mut source = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next(at);
                at += 1;
            }
            Ok(())
        };
        birth(&mut source, None).err()
    }

    const COINS: &str = "ththhhthhhhtthhhthhhhthhhhtthhthhhthhhhttttttthhhhttttthhththtthh \
                         ttttthhtthhttttthtthhthhthhttthhttthttttthhhhhhhhthtthhttthhttttt";

    fn dice() -> Throws {
        Throws::dice("16325 41362 55142 63341 26451 34256 11642 53465 21334 66152").ok().unwrap()
    }

    #[test]
    fn a_source_that_stands_still_leans_or_runs_in_a_circle_makes_no_key() {
        assert_eq!(birth_of(|_| 0), Some(RandomError::Stuck));
        assert_eq!(birth_of(|_| 0xa5), Some(RandomError::Stuck));
        assert_eq!(birth_of(|at| (at % 2) as u8), Some(RandomError::Leaning));
        assert_eq!(birth_of(|at| (at % 25) as u8), Some(RandomError::Leaning));
        assert_eq!(birth_of(|at| (at % 256) as u8), Some(RandomError::Circle));
        let mut page = [0; 4_096];
        operating_system(&mut page).unwrap();
        assert_eq!(birth_of(|at| page[at % page.len()]), Some(RandomError::Circle));
        // It works at first and then stands still.
        let mut long = vec![0; SAMPLE_BYTES];
        operating_system(&mut long).unwrap();
        assert_eq!(birth_of(|at| if at < 60_000 { long[at] } else { 7 }), Some(RandomError::Stuck));
        assert_eq!(birth_of(|at| long.get(at).copied().unwrap_or(9)), Some(RandomError::Stuck));
        // The kept bytes are those that were shown before.
        assert_eq!(birth_of(|at| long[at % long.len()]), Some(RandomError::Circle));
    }

    #[test]
    fn a_source_that_fails_makes_no_key_and_nothing_takes_its_place() {
        let mut broken = |_: &mut [u8]| Err(RandomError::Unavailable);
        assert_eq!(birth(&mut broken, Some(&dice())).err(), Some(RandomError::Unavailable));
        let mut draws = 0;
        let mut dies = |bytes: &mut [u8]| {
            draws += 1;
            if draws == 1 { operating_system(bytes) } else { Err(RandomError::Unavailable) }
        };
        assert_eq!(birth(&mut dies, Some(&dice())).err(), Some(RandomError::Unavailable));
    }

    #[test]
    fn two_births_with_the_same_throws_differ_and_so_do_two_with_the_same_source() {
        let born = |thrown: Option<&Throws>| birth(&mut operating_system, thrown).ok().unwrap();
        let (one, two) = (born(Some(&dice())), born(Some(&dice())));
        assert_ne!(one.as_bytes(), two.as_bytes());
        assert_eq!(one.words(), 24);
        let mut fixed = vec![0; SAMPLE_BYTES + NEW_BYTES];
        operating_system(&mut fixed).unwrap();
        let replay = |thrown: Option<&Throws>| {
            let mut at = 0;
            let mut source = |bytes: &mut [u8]| {
                bytes.copy_from_slice(&fixed[at..at + bytes.len()]);
                at += bytes.len();
                Ok(())
            };
            birth(&mut source, thrown).ok().unwrap().as_bytes().to_vec()
        };
        let plain = replay(None);
        let with_dice = replay(Some(&dice()));
        let with_coins = replay(Some(&Throws::coins(COINS).ok().unwrap()));
        assert!(plain != with_dice && plain != with_coins && with_dice != with_coins);
        assert_eq!(with_dice, replay(Some(&dice())));
        assert_eq!(plain, fixed[SAMPLE_BYTES..]);
    }

    #[test]
    fn the_operating_system_passes() {
        for _ in 0..20 {
            assert!(birth(&mut operating_system, None).is_ok());
        }
    }
}
