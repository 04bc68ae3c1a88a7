//! Dice and coins: what people throw to add to the operating system's randomness.
//!
//! Called by `init`. What must stay true: too few throws and sequences that no fair die or coin gives are refused
//! (a chance below one in a million each), because a person who invents numbers must not believe that dice were
//! thrown; spacing is free; the throws are never shown, carried in an error or kept.

use zeroize::Zeroizing;

/// The most throws that are read.
const MAX_THROWS: usize = 2_048;

/// Accepted throws, as digits from 0.
pub struct Throws {
    kind: Kind,
    bytes: Zeroizing<Vec<u8>>,
}

/// What was thrown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Six-sided dice, 1 to 6.
    Dice,
    /// Coins: h and t, or 0 and 1.
    Coins,
}

/// Why throws are not taken. Positions count from 1; the throws themselves are never carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ThrowsError {
    /// Fewer than 128 bits.
    #[error("{found} throws; at least {needed} are needed")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// More than anyone throws.
    #[error("more than {MAX_THROWS} throws")]
    TooMany,
    /// Something else than the sides.
    #[error("throw {position} is not one of {expected}")]
    NotASide {
        /// Which.
        position: usize,
        /// The sides.
        expected: &'static str,
    },
    /// One side many times in a row.
    #[error("one side {found} times in a row: no fair throws look like that")]
    Run {
        /// How often.
        found: usize,
    },
    /// Sides, or steps from one throw to the next, far from equally frequent.
    #[error("the sides are too unevenly spread: no fair throws look like that")]
    Uneven,
    /// The same again and again.
    #[error("the throws repeat every {every}: no fair throws look like that")]
    Repeating {
        /// The period.
        every: usize,
    },
}

impl Kind {
    /// How many different sides.
    const fn sides(self) -> u8 {
        match self {
            Self::Dice => 6,
            Self::Coins => 2,
        }
    }

    /// 128 bits: 50 throws of a die (129 bits), 128 of a coin.
    pub const fn needed(self) -> usize {
        match self {
            Self::Dice => 50,
            Self::Coins => 128,
        }
    }

    /// As transcript and prompts name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dice => "dice",
            Self::Coins => "coins",
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Dice => "1 to 6",
            Self::Coins => "h, t, 0, 1",
        }
    }

    /// The longest run that is believed: 2^-30 for a longer one, as SP 800-90B's repetition count test.
    const fn longest_run(self) -> usize {
        match self {
            Self::Dice => 12,
            Self::Coins => 30,
        }
    }

    /// Chi-square for which a fair source has a chance of about 10^-7: five degrees of freedom, or one.
    const fn chi_square(self) -> u64 {
        match self {
            Self::Dice => 41,
            Self::Coins => 29,
        }
    }

    const fn side(self, character: char) -> Option<u8> {
        match (self, character) {
            (Self::Dice, '1'..='6') => Some(character as u8 - b'1'),
            (Self::Coins, 'h' | 'H' | '0') => Some(0),
            (Self::Coins, 't' | 'T' | '1') => Some(1),
            _ => None,
        }
    }
}

impl Throws {
    /// At least 50 throws of six-sided dice.
    pub fn dice(text: &str) -> Result<Self, ThrowsError> {
        Self::read(Kind::Dice, text)
    }

    /// At least 128 throws of a coin.
    pub fn coins(text: &str) -> Result<Self, ThrowsError> {
        Self::read(Kind::Coins, text)
    }

    /// Reads and judges; spaces, commas and line ends count for nothing.
    pub fn read(kind: Kind, text: &str) -> Result<Self, ThrowsError> {
        // The first byte says what was thrown, so that dice and coins never mix alike.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_THROWS + 1));
        bytes.push(kind.sides());
        for character in text.chars().filter(|c| !(c.is_ascii_whitespace() || *c == ',')) {
            if bytes.len() > MAX_THROWS {
                return Err(ThrowsError::TooMany);
            }
            let (position, expected) = (bytes.len(), kind.expected());
            bytes.push(kind.side(character).ok_or(ThrowsError::NotASide { position, expected })?);
        }
        let throws = Self { kind, bytes };
        throws.judge()?;
        Ok(throws)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.bytes.len() - 1
    }

    /// What was thrown.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Their bytes, to be mixed and for nothing else.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn judge(&self) -> Result<(), ThrowsError> {
        let (sides, found, needed) = (&self.bytes[1..], self.count(), self.kind.needed());
        if found < needed {
            return Err(ThrowsError::TooFew { found, needed });
        }
        let run = sides.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0);
        if run > self.kind.longest_run() {
            return Err(ThrowsError::Run { found: run });
        }
        let repeats = |every: &usize| sides.iter().zip(&sides[*every..]).all(|(a, b)| a == b);
        if let Some(every) = (1..=found / 3).find(repeats) {
            return Err(ThrowsError::Repeating { every });
        }
        let count = self.kind.sides();
        let steps = sides.windows(2).map(|pair| (pair[1] + count - pair[0]) % count);
        if self.is_uneven(sides.iter().copied()) || self.is_uneven(steps) {
            return Err(ThrowsError::Uneven);
        }
        Ok(())
    }

    /// Chi-square in integers: the sum of (k * seen - n)^2 over k * n, k the number of sides.
    fn is_uneven(&self, values: impl Iterator<Item = u8>) -> bool {
        let mut seen = Zeroizing::new([0u64; 6]);
        values.for_each(|value| seen[usize::from(value)] += 1);
        let sides = u64::from(self.kind.sides());
        let all: u64 = seen.iter().sum();
        let square = |seen: &u64| (sides * seen).abs_diff(all).pow(2);
        let sum: u64 = seen.iter().take(usize::from(self.kind.sides())).map(square).sum();
        sum > self.kind.chi_square() * sides * all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIR: &str = "16325 41362 55142 63341 26451 34256 11642 53465 21334 66152";

    fn dice(text: &str) -> Option<ThrowsError> {
        Throws::dice(text).err()
    }

    #[test]
    fn fifty_fair_dice_are_taken_and_forty_nine_are_not() {
        assert_eq!(dice(FAIR), None);
        assert_eq!(dice(&FAIR[..58]), Some(ThrowsError::TooFew { found: 49, needed: 50 }));
        let coins = |n: usize| Throws::coins(&"hthhtthththhttht0110".repeat(7).replace(' ', "")[..n]).err();
        assert_eq!(coins(127), Some(ThrowsError::TooFew { found: 127, needed: 128 }));
        assert_eq!(dice(""), Some(ThrowsError::TooFew { found: 0, needed: 50 }));
        assert_eq!(dice(&"1".repeat(3_000)), Some(ThrowsError::TooMany));
    }

    #[test]
    fn what_a_person_invents_is_refused() {
        assert_eq!(dice(&"1".repeat(50)), Some(ThrowsError::Run { found: 50 }));
        assert_eq!(dice(&"123456".repeat(9)), Some(ThrowsError::Repeating { every: 6 }));
        assert_eq!(dice(&FAIR.replace(' ', "")[..17].repeat(3)), Some(ThrowsError::Repeating { every: 17 }));
        // Ones and sixes only, in no order.
        let two: String = FAIR.chars().map(|c| if ('1'..='3').contains(&c) { '1' } else { c }).collect();
        let two = two.replace(['4', '5'], "6");
        assert_eq!(dice(&two), Some(ThrowsError::Uneven));
        // Never the same side twice, always one step up but for two places.
        let steps = "123456".repeat(4) + "3" + &"456123".repeat(5);
        assert_eq!(dice(&steps), Some(ThrowsError::Uneven));
        let heads = "h".repeat(110) + &"t".repeat(18);
        assert_eq!(Throws::coins(&heads).err(), Some(ThrowsError::Run { found: 110 }));
        let alternating = "ht".repeat(40) + "tt" + &"ht".repeat(40);
        assert_eq!(Throws::coins(&alternating).err(), Some(ThrowsError::Uneven));
    }

    #[test]
    fn what_is_no_side_is_named_by_its_place() {
        let wrong = FAIR.replacen('5', "7", 1);
        assert_eq!(dice(&wrong), Some(ThrowsError::NotASide { position: 5, expected: "1 to 6" }));
        assert!(matches!(Throws::coins("hx").err(), Some(ThrowsError::NotASide { position: 2, .. })));
    }
}
