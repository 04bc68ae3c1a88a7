//! The accounts of one run of orders while it is worked out in memory: what each holds now, order by order.
//!
//! Called by `run.rs` between reading the balances and writing the changes. Pure. What must stay true: the
//! checks are those of `Unit::post`, move by move in the same order; an order that is refused leaves every balance as
//! it was; nothing here outlives the transaction in which it was read.

use super::LedgerError;
use super::account::{Account, Side};
use super::posting::{Amount, Posting};
use airlock_shared::MinorUnits;
use std::collections::HashMap;

/// One account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// Its row, if it has one.
    pub(super) id: Option<i64>,
    /// What the row holds.
    pub(super) before: i64,
    /// What it will hold.
    pub(super) now: i64,
    /// Does an accepted order name it?
    pub(super) used: bool,
}

/// The accounts that a run's orders name.
#[derive(Default)]
pub(super) struct Standings<'a> {
    places: HashMap<&'a Account, usize>,
    rows: Vec<(&'a Account, Standing)>,
}

impl<'a> Standings<'a> {
    /// Makes room for every account of the posting.
    pub(super) fn name(&mut self, posting: &'a Posting) {
        for account in posting.moves.iter().flat_map(|step| [&step.debit, &step.credit]) {
            let next = self.rows.len();
            if *self.places.entry(account).or_insert(next) == next {
                self.rows.push((account, Standing::default()));
            }
        }
    }

    /// Every account, in the order in which they were named.
    pub(super) fn rows(&self) -> &[(&'a Account, Standing)] {
        &self.rows
    }

    /// The same, to be filled in.
    pub(super) fn rows_mut(&mut self) -> &mut [(&'a Account, Standing)] {
        &mut self.rows
    }

    /// The row of an account that was named and has one.
    pub(super) fn id(&self, account: &Account) -> Option<i64> {
        self.places.get(account).and_then(|place| self.rows[*place].1.id)
    }

    /// Carries out a posting's moves in memory, or none of them.
    pub(super) fn apply(&mut self, posting: &Posting) -> Result<(), LedgerError> {
        let mut changed = Vec::with_capacity(posting.moves.len() * 2);
        for step in &posting.moves {
            // `run.rs` refuses base units before it comes here.
            let Amount::Minor(amount) = step.amount else { continue };
            for (account, side) in [(&step.debit, Side::Debit), (&step.credit, Side::Credit)] {
                let Some(place) = self.places.get(account).copied() else { continue };
                let before = self.rows[place].1;
                match change(account, side, before.now, amount) {
                    Ok(now) => {
                        changed.push((place, before));
                        self.rows[place].1 = Standing { now, used: true, ..before };
                    }
                    Err(error) => {
                        for (place, before) in changed.into_iter().rev() {
                            self.rows[place].1 = before;
                        }
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }
}

/// An account's balance after a change, or why it is refused.
fn change(account: &Account, side: Side, balance: i64, amount: MinorUnits) -> Result<i64, LedgerError> {
    let grows = side == account.side();
    let lowest = if account.may_be_negative() { -i64::MAX } else { 0 };
    let after = if grows { balance.checked_add(amount.get()) } else { balance.checked_sub(amount.get()) };
    after.filter(|after| *after >= lowest).ok_or_else(|| refusal(account, grows, balance, amount))
}

/// Why a balance cannot change by this amount.
pub(super) fn refusal(account: &Account, grows: bool, balance: i64, needed: MinorUnits) -> LedgerError {
    let asset = account.asset().clone();
    if grows || account.may_be_negative() {
        return LedgerError::Overflow { account: account.kind(), asset };
    }
    let (owner, available) = (account.owner().to_owned(), MinorUnits::new(balance));
    LedgerError::Insufficient { account: account.kind(), owner, asset, available, needed }
}
