//! SLIP-0039: a secret split into shares of words, any t of n of which give it back.
//!
//! Called by the signer's backups and by the runner of vectors. Groups of shares made elsewhere are combined;
//! [`split`] makes one group, extendable, t of n. What must stay true: randomness is passed in; nothing here
//! prints or quotes a share; a share of another set, a changed word or a missing share is an error that says
//! which, never a wrong secret; work and memory are bounded whatever is typed.

mod cipher;
mod polynomial;
mod share;

use polynomial::Point;
pub use share::{Header, MAX_WORDS, MIN_WORDS, Share};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The highest exponent that is worked on: 10,000 * 2^8 iterations take seconds, 2^15 would take minutes.
pub const MAX_ITERATION_EXPONENT: u8 = 8;
/// Most shares of a group.
pub const MAX_SHARES: u8 = 16;
/// What [`split`] stretches with: 20,000 iterations in all, as the reference implementation does.
const ITERATION_EXPONENT: u8 = 1;
const SECRET_AT: u8 = 255;
const DIGEST_AT: u8 = 254;
const DIGEST_BYTES: usize = 4;

/// Why shares do not give a secret. Shares are numbered from 1 in the order given, words from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Too few or too many words, or a number of words that no secret has.
    #[error("{words} words cannot be a share")]
    Length {
        /// How many.
        words: usize,
    },
    /// Not a word of the list. The word itself is not quoted.
    #[error("word {position} is not in the list of SLIP-39")]
    UnknownWord {
        /// Which word.
        position: usize,
    },
    /// A word is wrong, or stands in another place.
    #[error("the words do not fit together: one of them is wrong, or their order")]
    Checksum,
    /// Bits that must be zero are not.
    #[error("the share does not decode: its padding is not zero")]
    Padding,
    /// More groups needed than there are.
    #[error("a share that needs {threshold} of {count} groups")]
    GroupThreshold {
        /// Groups needed.
        threshold: u8,
        /// Groups made.
        count: u8,
    },
    /// It would take minutes.
    #[error("a share with iteration exponent {found}; at most {MAX_ITERATION_EXPONENT} is worked on")]
    IterationExponent {
        /// Its exponent.
        found: u8,
    },
    /// No share at all.
    #[error("no share was given")]
    Nothing,
    /// Shares of two sets.
    #[error("share {number} is not of the same set as the first: its {what} differs")]
    OtherSet {
        /// Which share.
        number: usize,
        /// What differs.
        what: &'static str,
    },
    /// The same member of one group twice.
    #[error("share {number} has the number of another one")]
    Repeated {
        /// Which share.
        number: usize,
    },
    /// Not as many groups as it takes.
    #[error("shares of {given} groups were given; exactly {needed} are needed")]
    Groups {
        /// How many it takes.
        needed: u8,
        /// How many there are.
        given: usize,
    },
    /// Not as many shares of a group as it takes.
    #[error("{given} shares were given; exactly {needed} are needed")]
    Members {
        /// How many it takes.
        needed: u8,
        /// How many there are.
        given: usize,
    },
    /// The shares belong together by their numbers, but not by their content.
    #[error("the shares do not give back what was split: one of them is of another backup")]
    Digest,
    /// No such splitting.
    #[error("{threshold} of {count} shares cannot be made: 2 to 16 needed, at least as many made")]
    Plan {
        /// How many it should take.
        threshold: u8,
        /// How many should be made.
        count: u8,
    },
    /// A secret of odd length, or shorter than 128 or longer than 512 bits.
    #[error("a secret of {bytes} bytes cannot be split")]
    Secret {
        /// Its length.
        bytes: usize,
    },
    /// The caller passed more or less than [`randomness_for`] says.
    #[error("{given} bytes of randomness for splitting; exactly {needed} are needed")]
    Randomness {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        given: usize,
    },
}

/// Gives back the secret of exactly as many shares as it takes. `passphrase` is empty where none was set;
/// another passphrase gives another secret, not an error.
pub fn combine(shares: &[Share], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let first = &shares.first().ok_or(ShareError::Nothing)?;
    let mut groups: BTreeMap<u8, Vec<&Share>> = BTreeMap::new();
    for (number, share) in (1..).zip(shares) {
        if let Some(what) = first.differs(share) {
            return Err(ShareError::OtherSet { number, what });
        }
        let group = groups.entry(share.header().group_index).or_default();
        if group.iter().any(|other| other.header().member_index == share.header().member_index) {
            return Err(ShareError::Repeated { number });
        }
        if group.first().is_some_and(|of| of.header().member_threshold != share.header().member_threshold) {
            return Err(ShareError::OtherSet { number, what: "member threshold" });
        }
        group.push(share);
    }
    let Header { group_threshold, iteration_exponent, .. } = *first.header();
    if groups.len() != usize::from(group_threshold) {
        return Err(ShareError::Groups { needed: group_threshold, given: groups.len() });
    }
    // Before anything is computed: the numbers must be right everywhere.
    for group in groups.values() {
        let needed = group[0].header().member_threshold;
        if group.len() != usize::from(needed) {
            return Err(ShareError::Members { needed, given: group.len() });
        }
    }
    if iteration_exponent > MAX_ITERATION_EXPONENT {
        return Err(ShareError::IterationExponent { found: iteration_exponent });
    }
    let mut points = Vec::with_capacity(groups.len());
    for (index, group) in &groups {
        let members: Vec<_> = group
            .iter()
            .map(|share| Point { at: share.header().member_index, value: share.value() })
            .collect();
        points.push((*index, recover(&members)?));
    }
    let points: Vec<_> = points.iter().map(|(at, value)| Point { at: *at, value }).collect();
    Ok(cipher::decrypt(&recover(&points)?, passphrase, first.header()))
}

/// The value at 255, checked against the digest at 254. A single point is the value itself.
fn recover(points: &[Point<'_>]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    if let [only] = points {
        return Ok(Zeroizing::new(only.value.to_vec()));
    }
    let secret = polynomial::interpolate(points, SECRET_AT);
    let digest = polynomial::interpolate(points, DIGEST_AT);
    let (digest, random) = digest.split_at(DIGEST_BYTES);
    if cipher::digest(random, &secret)[..DIGEST_BYTES] == *digest {
        Ok(secret)
    } else {
        Err(ShareError::Digest)
    }
}

/// How many bytes of randomness [`split`] takes.
pub const fn randomness_for(threshold: u8, secret_bytes: usize) -> usize {
    ((threshold as usize).saturating_sub(1) * secret_bytes).saturating_sub(DIGEST_BYTES)
}

/// Splits `secret` into `count` shares, any `threshold` (2 to 16) of which give it back. `identifier` (15
/// bits, random) names the set; `random` is [`randomness_for`] bytes from a source fit for keys.
pub fn split(
    secret: &[u8],
    passphrase: &[u8],
    (threshold, count): (u8, u8),
    identifier: u16,
    random: &[u8],
) -> Result<Vec<Share>, ShareError> {
    if threshold < 2 || threshold > count || count > MAX_SHARES {
        return Err(ShareError::Plan { threshold, count });
    }
    let length = secret.len();
    if !(16..=64).contains(&length) || !length.is_multiple_of(2) {
        return Err(ShareError::Secret { bytes: length });
    }
    let needed = randomness_for(threshold, length);
    if random.len() != needed {
        return Err(ShareError::Randomness { needed, given: random.len() });
    }
    let header = |member_index| Header {
        identifier: identifier & 0x7fff,
        extendable: true,
        iteration_exponent: ITERATION_EXPONENT,
        group_index: 0,
        group_threshold: 1,
        group_count: 1,
        member_index,
        member_threshold: threshold,
    };
    let sealed = cipher::encrypt(secret, passphrase, &header(0));
    let (pad, chosen) = random.split_at(length - DIGEST_BYTES);
    let digest = Zeroizing::new([&cipher::digest(pad, &sealed)[..DIGEST_BYTES], pad].concat());
    let mut points: Vec<_> =
        (0..).zip(chosen.chunks(length)).map(|(at, value)| Point { at, value }).collect();
    points.extend([Point { at: DIGEST_AT, value: &digest }, Point { at: SECRET_AT, value: &sealed }]);
    let share = |at| Share::new(header(at), polynomial::interpolate(&points, at));
    Ok((0..count).map(share).collect())
}
