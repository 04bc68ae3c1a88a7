//! Comparing what a reserve account says with what the chain says, to the last base unit.
//!
//! Pure: `treasury/reconcile.rs` fetches both sides at one final block and calls this. A difference is reported and never
//! absorbed; a reserve below zero (a payment booked before its funding) is a difference like any other.

use super::LedgerError;
use super::store::ReserveBalance;
use airlock_shared::{BaseUnits, Scale};
use std::fmt;

/// An exact number of base units with a sign. Zero is never negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedBase {
    negative: bool,
    magnitude: BaseUnits,
}

impl SignedBase {
    /// Nothing.
    pub const ZERO: Self = Self { negative: false, magnitude: BaseUnits::ZERO };

    /// Is it nothing?
    pub fn is_zero(self) -> bool {
        self.magnitude.is_zero()
    }

    /// The amount, unless it is below zero.
    pub fn non_negative(self) -> Option<BaseUnits> {
        (!self.negative).then_some(self.magnitude)
    }

    /// `self - other`, or `None` beyond 256 bits.
    fn checked_sub(self, other: Self) -> Option<Self> {
        if self.negative != other.negative {
            let magnitude = self.magnitude.checked_add(other.magnitude)?;
            return Some(Self { negative: self.negative && !magnitude.is_zero(), magnitude });
        }
        match self.magnitude.checked_sub(other.magnitude) {
            Some(magnitude) => Some(Self { negative: self.negative && !magnitude.is_zero(), magnitude }),
            None => {
                let magnitude = other.magnitude.checked_sub(self.magnitude)?;
                Some(Self { negative: !self.negative, magnitude })
            }
        }
    }
}

impl From<BaseUnits> for SignedBase {
    fn from(magnitude: BaseUnits) -> Self {
        Self { negative: false, magnitude }
    }
}

impl fmt::Display for SignedBase {
    /// A decimal integer with `-` in front of negative ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.magnitude)
    }
}

/// What a reserve account says in base units: minor units times the scale, plus the dust.
pub fn reserve_base(row: &ReserveBalance, scale: Scale) -> Result<SignedBase, LedgerError> {
    let corrupt =
        || LedgerError::Corrupt { what: format!("reserve {} {} {}", row.network, row.wallet, row.asset) };
    let whole = BaseUnits::from(row.balance_minor.unsigned_abs())
        .checked_mul(scale.base_per_minor())
        .ok_or_else(corrupt)?;
    let whole = SignedBase { negative: row.balance_minor < 0, magnitude: whole };
    let dust = SignedBase { negative: !row.dust_base.is_zero(), magnitude: row.dust_base };
    whole.checked_sub(dust).ok_or_else(corrupt)
}

/// How much more the chain has than the ledger; negative when it has less.
pub fn difference(on_chain: BaseUnits, in_ledger: SignedBase) -> Option<SignedBase> {
    SignedBase::from(on_chain).checked_sub(in_ledger)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(balance_minor: i64, dust: u64) -> ReserveBalance {
        ReserveBalance {
            network: "eip155:31337".to_owned(),
            wallet: String::new(),
            asset: "ETH".to_owned(),
            balance_minor,
            dust_base: BaseUnits::from(dust),
        }
    }

    fn difference_of(on_chain: u64, balance_minor: i64, dust: u64) -> String {
        let scale = Scale::new(18, 9).unwrap();
        let ledger = reserve_base(&row(balance_minor, dust), scale).unwrap();
        difference(BaseUnits::from(on_chain), ledger).unwrap().to_string()
    }

    #[test]
    fn equal_sides_differ_by_nothing() {
        assert_eq!(difference_of(5_000_000_007, 5, 7), "0");
        assert_eq!(difference_of(0, 0, 0), "0");
    }

    #[test]
    fn one_base_unit_shows_on_either_side() {
        assert_eq!(difference_of(5_000_000_008, 5, 7), "1");
        assert_eq!(difference_of(5_000_000_006, 5, 7), "-1");
    }

    #[test]
    fn a_reserve_below_zero_counts_with_its_dust() {
        // -1 minor unit and 7 base units of dust are -999,999,993 base units.
        assert_eq!(difference_of(0, -1, 7), "999999993");
        assert_eq!(reserve_base(&row(-1, 7), Scale::new(18, 9).unwrap()).unwrap().to_string(), "-999999993");
    }
}
