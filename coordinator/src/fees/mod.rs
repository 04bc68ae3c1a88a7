//! What a withdrawal costs (L11): a schedule per partner, network and asset, and quotes that hold for a while.
//!
//! `withdrawals/request.rs` asks [`charge`] inside the writer's commit; `http.rs` gives quotes and lets the house change schedules.
//! What must stay true: the recipient gets the amount asked, the fee comes on top; a quote that was given is honoured until it expires,
//! whatever the schedule says by then; a schedule is never changed, a new version stands above it; without one, the settings' flat fee holds.

pub mod http;
pub mod store;

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::AssetCode;
use airlock_shared::{MinorUnits, Network};

/// How long a quote holds.
pub const QUOTE_LIFETIME_MS: i64 = 120_000;

/// Hundredths of a percent in a whole.
const BASIS: i128 = 10_000;

/// How a fee follows from an amount: flat plus a share, within bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Charged on every withdrawal.
    pub flat: MinorUnits,
    /// Share of the amount in hundredths of a percent, 0 to 10,000; rounded up to the minor unit.
    pub basis_points: u16,
    /// Never less than this.
    pub least: MinorUnits,
    /// Never more than this, if there is a limit.
    pub most: Option<MinorUnits>,
}

impl Schedule {
    /// The same for every amount.
    pub const fn flat(flat: MinorUnits) -> Self {
        Self { flat, basis_points: 0, least: MinorUnits::ZERO, most: None }
    }

    /// The fee of an amount; `None` if it leaves 63 bits.
    pub fn fee(&self, amount: MinorUnits) -> Option<MinorUnits> {
        // Within 127 bits: 63 of the amount and 14 of the share.
        let share = i128::from(amount.get()) * i128::from(self.basis_points);
        let share = (share + BASIS - 1).div_euclid(BASIS);
        let sum = i128::from(self.flat.get()) + share;
        let most = self.most.map_or(i128::from(i64::MAX), |most| i128::from(most.get()));
        i64::try_from(sum.max(i128::from(self.least.get())).min(most)).ok().map(MinorUnits::new)
    }
}

/// What is to be charged for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Charge<'a> {
    /// Whose schedule.
    pub partner: &'a str,
    /// Whose quote.
    pub user: &'a str,
    /// Where.
    pub network: Network,
    /// In what.
    pub asset: &'a AssetCode,
    /// How much the recipient gets.
    pub amount: MinorUnits,
    /// The flat fee of the settings.
    pub settings: MinorUnits,
}

/// Why a fee cannot be charged.
#[derive(Debug, thiserror::Error)]
pub enum FeeError {
    /// No such quote of this user.
    #[error("no quote {quote:?}")]
    NoQuote {
        /// Its id, cut to 64 characters.
        quote: String,
    },
    /// It held until then.
    #[error("the quote expired; ask for another")]
    Expired,
    /// It was given for something else.
    #[error("the quote was given for another {what}")]
    Differs {
        /// Network, asset or amount.
        what: &'static str,
    },
    /// Beyond 63 bits.
    #[error("the fee leaves the ledger's 63 bits")]
    Overflow,
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The fee: the quote's if one is named, else what is in force now.
pub async fn charge(
    db: &mut Db,
    of: &Charge<'_>,
    quote: Option<&str>,
    now: UnixMillis,
) -> Result<MinorUnits, FeeError> {
    let Some(id) = quote else { return in_force(db, of).await };
    let cut = || FeeError::NoQuote { quote: id.chars().take(64).collect() };
    let quote = store::quote(db, id).await?.filter(|quote| quote.user == of.user).ok_or_else(cut)?;
    let differs = [
        ("network", quote.network != of.network.to_string()),
        ("asset", quote.asset != of.asset.as_str()),
        ("amount", quote.amount != of.amount),
    ];
    if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        return Err(FeeError::Differs { what });
    }
    if now >= quote.expires_at { Err(FeeError::Expired) } else { Ok(quote.fee) }
}

/// The fee that is in force now.
pub async fn in_force(db: &mut Db, of: &Charge<'_>) -> Result<MinorUnits, FeeError> {
    let found = store::newest(db, of.partner, &of.network.to_string(), of.asset.as_str()).await?;
    let schedule = found.map_or(Schedule::flat(of.settings), |version| version.schedule);
    schedule.fee(of.amount).ok_or(FeeError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fee(flat: i64, basis_points: u16, least: i64, most: Option<i64>, amount: i64) -> Option<i64> {
        let schedule = Schedule {
            flat: MinorUnits::new(flat),
            basis_points,
            least: MinorUnits::new(least),
            most: most.map(MinorUnits::new),
        };
        schedule.fee(MinorUnits::new(amount)).map(MinorUnits::get)
    }

    #[test]
    fn a_share_is_rounded_up_to_the_minor_unit() {
        assert_eq!(fee(0, 10, 0, None, 1_000_000), Some(1_000));
        assert_eq!(fee(0, 10, 0, None, 1_000_001), Some(1_001));
        assert_eq!(fee(0, 1, 0, None, 1), Some(1));
        assert_eq!(fee(500_000, 25, 0, None, 100_000_000), Some(750_000));
    }

    #[test]
    fn bounds_hold_and_the_upper_one_wins_over_the_flat_part() {
        assert_eq!(fee(0, 10, 2_000, None, 1_000_000), Some(2_000));
        assert_eq!(fee(0, 1_000, 0, Some(5_000), 1_000_000), Some(5_000));
        assert_eq!(fee(9_000, 0, 0, Some(5_000), 1), Some(5_000));
    }

    #[test]
    fn the_whole_ledger_as_amount_overflows_nothing() {
        assert_eq!(fee(0, 10_000, 0, None, i64::MAX), Some(i64::MAX));
        assert_eq!(fee(1, 10_000, 0, None, i64::MAX), Some(i64::MAX), "cut to what the ledger holds");
    }
}
