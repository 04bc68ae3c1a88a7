//! A posting: one business event as a list of moves, each from one account to another.
//!
//! Built by the capabilities, given to `Unit::post`. A move debits one account and credits another with
//! the same asset and amount, so a posting balances by construction; the only way to write an entry is a move.

use super::account::Account;
use airlock_shared::{BaseUnits, MinorUnits};

/// How much a move moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// Whole minor units of the ledger.
    Minor(MinorUnits),
    /// Exact base units of the network of whichever side has one (a reserve, transit or cost account).
    Base(BaseUnits),
}

/// `debit` takes, `credit` gives: money flows from the credited to the debited account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// The debited account (a reserve that receives, a claim that shrinks).
    pub debit: Account,
    /// The credited account (a claim that grows, a reserve that pays).
    pub credit: Account,
    /// How much; zero moves are refused.
    pub amount: Amount,
}

/// One business event. `(kind, reference)` is unique for ever: posting the same event twice is an error
/// that the caller can tell apart ([`super::LedgerError::Repeated`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posting {
    /// What happened: `deposit`, `settle`, `opening_capital`, `network_fee` …
    pub kind: &'static str,
    /// Which one: a deposit's key, a withdrawal's id, a transaction id.
    pub reference: String,
    /// At least one.
    pub moves: Vec<Move>,
    /// A person's words about it, shown in histories.
    pub note: Option<String>,
    /// Who asked for it: `user:ID`, `partner:ID`, `person:ID`.
    pub made_by: Option<String>,
}

impl Posting {
    /// An event without moves yet.
    pub fn new(kind: &'static str, reference: impl Into<String>) -> Self {
        Self { kind, reference: reference.into(), moves: Vec::new(), note: None, made_by: None }
    }

    /// Adds a person's words, shown in histories. Its length and characters are the caller's to check.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says who asked for it.
    pub fn made_by(mut self, who: impl Into<String>) -> Self {
        self.made_by = Some(who.into());
        self
    }

    /// Adds a move of ledger units.
    pub fn minor(mut self, debit: Account, credit: Account, amount: MinorUnits) -> Self {
        self.moves.push(Move { debit, credit, amount: Amount::Minor(amount) });
        self
    }

    /// Adds a move of exact base units. A credited claim receives the whole minor units; what is below
    /// one stays as dust on the reserve, and when dust adds up to a minor unit it is booked to rounding.
    pub fn base(mut self, debit: Account, credit: Account, amount: BaseUnits) -> Self {
        self.moves.push(Move { debit, credit, amount: Amount::Base(amount) });
        self
    }
}
