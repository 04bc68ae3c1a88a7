//! Which transactions are asked for; read once from a query, asked for every row.
//!
//! Amounts are compared exactly over all assets, at 18 decimals as integers. What must stay true: what cannot be read is refused
//! with its name, never taken for something else.

use super::{Transaction, Type};
use crate::clock::UnixMillis;
use crate::deposits::state::State as DepositState;
use crate::ledger::{AssetCode, Assets};
use crate::withdrawals::State as WithdrawalState;
use airlock_shared::{BaseUnits, MinorUnits};

/// Decimals at which amounts of all assets are compared: the most that a ledger's asset may have.
const DECIMALS: u8 = 18;

/// Which rows; `None` matches all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Of this type.
    pub kind: Option<Type>,
    /// In this state.
    pub status: Option<String>,
    /// In this asset.
    pub asset: Option<AssetCode>,
    /// Made at or after.
    pub from: Option<UnixMillis>,
    /// Made before.
    pub to: Option<UnixMillis>,
    /// At least so much.
    pub amount_min: Option<BaseUnits>,
    /// At most so much.
    pub amount_max: Option<BaseUnits>,
    /// With this user, partner or address.
    pub counterparty: Option<String>,
}

impl Filter {
    /// Does the row match? Time is the lanes' business, because they are in its order.
    pub fn takes(&self, row: &Transaction, assets: &Assets) -> bool {
        self.kind.is_none_or(|kind| kind == row.kind)
            && self.status.as_deref().is_none_or(|status| status == row.status)
            && self.asset.as_ref().is_none_or(|asset| *asset == row.asset)
            && self.counterparty.as_deref().is_none_or(|other| other == row.counterparty)
            && self.takes_amount(row, assets)
    }

    fn takes_amount(&self, row: &Transaction, assets: &Assets) -> bool {
        if self.amount_min.is_none() && self.amount_max.is_none() {
            return true;
        }
        let Some(amount) = row.amount.and_then(|amount| fine(amount, assets.decimals(&row.asset).ok()?))
        else {
            return false;
        };
        self.amount_min.is_none_or(|least| amount >= least)
            && self.amount_max.is_none_or(|most| amount <= most)
    }

    /// Can the ledger's events match at all?
    pub fn takes_events(&self) -> bool {
        !matches!(self.kind, Some(Type::Deposit | Type::Withdrawal))
            && self.status.as_deref().is_none_or(|status| status == "completed")
    }

    /// Can deposits match at all?
    pub fn takes_deposits(&self) -> bool {
        self.kind.is_none_or(|kind| kind == Type::Deposit)
            && self.status.as_deref().is_none_or(|status| DepositState::from_name(status).is_some())
    }

    /// Can withdrawals match at all?
    pub fn takes_withdrawals(&self) -> bool {
        self.kind.is_none_or(|kind| kind == Type::Withdrawal)
            && self.status.as_deref().is_none_or(|status| WithdrawalState::from_name(status).is_some())
    }
}

/// The names of all states that some transaction can have.
pub fn statuses() -> std::collections::BTreeSet<&'static str> {
    let deposits = DepositState::ALL.into_iter().map(DepositState::name);
    deposits.chain(WithdrawalState::ALL.into_iter().map(WithdrawalState::name)).collect()
}

/// Is it the name of a state that some transaction can have?
pub fn is_status(name: &str) -> bool {
    statuses().contains(name)
}

/// A bound of amounts, as a query spells it.
pub fn bound(text: &str) -> Option<BaseUnits> {
    BaseUnits::from_decimal(text, DECIMALS).ok()
}

/// An amount at [`DECIMALS`]; it fits, because 63 bits and 18 digits do.
fn fine(amount: MinorUnits, decimals: u8) -> Option<BaseUnits> {
    let factor = BaseUnits::power_of_ten(DECIMALS.checked_sub(decimals)?)?;
    BaseUnits::from(u64::try_from(amount.get()).ok()?).checked_mul(factor)
}
