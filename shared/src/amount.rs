//! Money as integers with a type.
//!
//! `BaseUnits` is what a token contract counts (256 bits); `MinorUnits` is what the ledger counts (`i64`
//! at a fixed scale per asset: USDT 6, TRX 6, ETH/POL/BNB 9). `Scale` converts between them for one asset
//! on one network and keeps the remainder below one minor unit, so ledger and chain agree to the last
//! base unit. Arithmetic is checked only; there is no float, no rounding, and no way to add by accident.

use ruint::aliases::U256;
use std::fmt;
use std::str::FromStr;

/// Why an amount was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not a plain decimal number.
    #[error("not a decimal amount: {found:?}")]
    NotDecimal {
        /// What was there, cut to 64 characters.
        found: String,
    },
    /// More decimal places than the asset has.
    #[error("{found:?} has more than {allowed} decimal places")]
    TooManyDecimals {
        /// What was there, cut to 64 characters.
        found: String,
        /// Decimal places of the asset.
        allowed: u8,
    },
    /// The value does not fit the type.
    #[error("amount out of range: {what}")]
    OutOfRange {
        /// Which value or operation.
        what: &'static str,
    },
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// An amount in the smallest unit of a token contract or native coin, 0 to 2^256-1.
/// Spelled as a decimal integer without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BaseUnits(U256);

impl BaseUnits {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// 2^256-1.
    pub const MAX: Self = Self(U256::MAX);

    /// From 32 big-endian bytes, as an ABI word holds it.
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }

    /// From at most 32 big-endian bytes; `None` if longer.
    pub fn from_be_slice(bytes: &[u8]) -> Option<Self> {
        U256::try_from_be_slice(bytes).map(Self)
    }

    /// 32 big-endian bytes.
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// Big-endian bytes without leading zeros; empty for zero (RLP's integer).
    pub fn to_be_bytes_trimmed(self) -> Vec<u8> {
        self.0.to_be_bytes_trimmed_vec()
    }

    /// The amount as u64, if it fits.
    pub fn to_u64(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// The amount as u128, if it fits.
    pub fn to_u128(self) -> Option<u128> {
        u128::try_from(self.0).ok()
    }

    /// Is it nothing?
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Sum, or `None` above 2^256-1.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Product, or `None` above 2^256-1.
    pub fn checked_mul(self, factor: Self) -> Option<Self> {
        self.0.checked_mul(factor.0).map(Self)
    }

    /// Quotient and remainder, or `None` when dividing by zero.
    pub fn checked_div_rem(self, divisor: Self) -> Option<(Self, Self)> {
        let quotient = self.0.checked_div(divisor.0)?;
        let remainder = self.0.checked_rem(divisor.0)?;
        Some((Self(quotient), Self(remainder)))
    }

    /// Ten to the power of `exponent`, or `None` above 77.
    pub fn power_of_ten(exponent: u8) -> Option<Self> {
        U256::from(10).checked_pow(U256::from(exponent)).map(Self)
    }

    /// Sum of many, or `None` above 2^256-1.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, |sum, amount| sum.checked_add(amount))
    }

    /// For people: the amount with `decimals` decimal places, trailing zeros cut (`1250.5`).
    pub fn to_decimal(self, decimals: u8) -> String {
        place_point(&self.0.to_string(), decimals)
    }

    /// Reads a decimal text such as `1250.5` at `decimals` places. Signs, exponents, spaces, separators,
    /// leading zeros, a bare point and superfluous places are refused.
    pub fn from_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        digits_of(text, decimals)?
            .parse::<U256>()
            .map(Self)
            .map_err(|_| AmountError::OutOfRange { what: "above 2^256-1" })
    }
}

impl From<u64> for BaseUnits {
    fn from(amount: u64) -> Self {
        Self(U256::from(amount))
    }
}

impl From<u128> for BaseUnits {
    fn from(amount: u128) -> Self {
        Self(U256::from(amount))
    }
}

impl fmt::Display for BaseUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for BaseUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} base units", self.0)
    }
}

impl FromStr for BaseUnits {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::from_decimal(text, 0)
    }
}

impl serde::Serialize for BaseUnits {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for BaseUnits {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in the ledger's smallest unit of an asset. Signed: entries have a direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MinorUnits(i64);

impl MinorUnits {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount with this many minor units.
    pub const fn new(minor: i64) -> Self {
        Self(minor)
    }

    /// Its number of minor units.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` on overflow.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same amount in the other direction, or `None` for `i64::MIN`.
    pub fn checked_neg(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }

    /// Greater than zero?
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// For people and the API: exact decimal text at `decimals` places (`-1250.5`).
    pub fn to_decimal(self, decimals: u8) -> String {
        let digits = place_point(&self.0.unsigned_abs().to_string(), decimals);
        if self.0 < 0 { format!("-{digits}") } else { digits }
    }

    /// Reads a non-negative decimal text; the same strictness as [`BaseUnits::from_decimal`].
    pub fn from_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        digits_of(text, decimals)?
            .parse::<i64>()
            .map(Self)
            .map_err(|_| AmountError::OutOfRange { what: "above the ledger's 63 bits" })
    }
}

impl fmt::Display for MinorUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MinorUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} minor units", self.0)
    }
}

/// How one asset's base units on one network relate to the ledger's minor units.
/// BSC's USDT has 18 decimals and 6 in the ledger: one minor unit is 10^12 base units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    base_decimals: u8,
    minor_decimals: u8,
}

impl Scale {
    /// `None` when the ledger would be finer than the contract, or above 77 decimals.
    pub fn new(base_decimals: u8, minor_decimals: u8) -> Option<Self> {
        (minor_decimals <= base_decimals && base_decimals <= 77)
            .then_some(Self { base_decimals, minor_decimals })
    }

    /// Decimal places of the contract.
    pub const fn base_decimals(self) -> u8 {
        self.base_decimals
    }

    /// Decimal places of the ledger.
    pub const fn minor_decimals(self) -> u8 {
        self.minor_decimals
    }

    /// Base units in one minor unit.
    pub fn base_per_minor(self) -> BaseUnits {
        // `new` keeps the difference at most 77, so the power fits 256 bits.
        BaseUnits::power_of_ten(self.base_decimals - self.minor_decimals).unwrap_or(BaseUnits::MAX)
    }

    /// Whole minor units and the remainder (dust) in base units, 0 <= dust < base units per minor unit.
    pub fn to_minor(self, amount: BaseUnits) -> Result<(MinorUnits, BaseUnits), AmountError> {
        let out_of_range = AmountError::OutOfRange { what: "base units above the ledger's 63 bits" };
        let (whole, dust) =
            amount.checked_div_rem(self.base_per_minor()).ok_or_else(|| out_of_range.clone())?;
        let minor = whole.to_u64().and_then(|n| i64::try_from(n).ok()).ok_or(out_of_range)?;
        Ok((MinorUnits(minor), dust))
    }

    /// Base units of a non-negative amount of minor units.
    pub fn to_base(self, amount: MinorUnits) -> Result<BaseUnits, AmountError> {
        let negative = AmountError::OutOfRange { what: "a negative amount has no base units" };
        let whole = u64::try_from(amount.0).map_err(|_| negative)?;
        BaseUnits::from(whole)
            .checked_mul(self.base_per_minor())
            .ok_or(AmountError::OutOfRange { what: "minor units above 256 bits" })
    }
}

/// `digits` with a decimal point `decimals` places from the right, trailing zeros cut.
fn place_point(digits: &str, decimals: u8) -> String {
    let places = usize::from(decimals);
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// The integer digits of a strict decimal text once the point is moved `decimals` places.
fn digits_of(text: &str, decimals: u8) -> Result<String, AmountError> {
    let not_decimal = || AmountError::NotDecimal { found: shown(text) };
    // 78 digits hold 2^256-1; the rest is room for the point and the places.
    if text.len() > 160 {
        return Err(not_decimal());
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(not_decimal()),
        Some(parts) => parts,
        None => (text, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
        return Err(not_decimal());
    }
    if fraction.len() > usize::from(decimals) {
        return Err(AmountError::TooManyDecimals { found: shown(text), allowed: decimals });
    }
    Ok(format!("{whole}{fraction:0<width$}", width = usize::from(decimals)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_that_are_not_plain_decimals_are_refused() {
        for text in
            ["", ".", "1.", ".5", "+1", "-1", "1e3", "1,000", " 1", "1 ", "NaN", "01", "0x1", "1.2.3", "١"]
        {
            let refused = BaseUnits::from_decimal(text, 6);
            assert!(matches!(refused, Err(AmountError::NotDecimal { .. })), "{text:?}: {refused:?}");
        }
        assert!(matches!(
            MinorUnits::from_decimal("0.0000001", 6),
            Err(AmountError::TooManyDecimals { allowed: 6, .. })
        ));
        assert!(matches!(
            MinorUnits::from_decimal("9223372036854.775808", 6),
            Err(AmountError::OutOfRange { .. })
        ));
    }

    #[test]
    fn eighteen_decimals_become_six_and_the_dust_is_kept() {
        let scale = Scale::new(18, 6).unwrap();
        let amount = BaseUnits::from_decimal("1.000000000000000001", 18).unwrap();
        let (minor, dust) = scale.to_minor(amount).unwrap();
        assert_eq!((minor.get(), dust), (1_000_000, BaseUnits::from(1u64)));
        assert!(Scale::new(6, 18).is_none());
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(minor in 0..i64::MAX, decimals in 0u8..19) {
            let text = MinorUnits::new(minor).to_decimal(decimals);
            prop_assert_eq!(MinorUnits::from_decimal(&text, decimals).unwrap().get(), minor);
        }

        #[test]
        fn base_and_minor_units_agree_to_the_last_unit(words in any::<[u64; 2]>(), extra in 0u8..13) {
            let scale = Scale::new(6 + extra, 6).unwrap();
            let amount = BaseUnits::from(u128::from(words[0] >> 1));
            let (minor, dust) = scale.to_minor(amount).unwrap();
            prop_assert!(dust < scale.base_per_minor());
            prop_assert_eq!(scale.to_base(minor).unwrap().checked_add(dust).unwrap(), amount);
        }
    }
}
