//! The ledger's events as histories read them: one event with all its lines, newest first.
//!
//! Called by `transfers` (one event) and `transactions` (pages and exports). What must stay true: ids grow with the
//! moment of the event (the writer's clock never goes back), so that reading by id is reading by time; every function asks for a
//! bounded number of rows and finds them by an index.

pub mod store;

use super::LedgerError;
use super::asset::AssetCode;
use crate::clock::UnixMillis;
use airlock_shared::MinorUnits;

/// One business event of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// What happened.
    pub kind: String,
    /// Which one; unique together with the kind.
    pub reference: String,
    /// When, Unix milliseconds.
    pub made_at: UnixMillis,
    /// A person's words about it.
    pub note: Option<String>,
    /// Its entries, in their order.
    pub lines: Vec<Line>,
}

/// One entry of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The account's kind.
    pub account: String,
    /// The account's owner, or empty.
    pub owner: String,
    /// The account's asset.
    pub asset: AssetCode,
    /// Did the account grow? Claims grow by credits.
    pub credited: bool,
    /// How much.
    pub amount: MinorUnits,
}

impl Line {
    /// Is it what a user may use, or a partner's own money: a line that its owner sees?
    pub fn is_claim(&self) -> bool {
        matches!(self.account.as_str(), "user_available" | "partner")
    }
}

/// An account that belongs to somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    /// The account's number.
    pub id: i64,
    /// Its asset.
    pub asset: AssetCode,
}

/// Rows of one join, an event repeated for each of its lines, as events.
fn gather(rows: Vec<store::Row>) -> Result<Vec<Event>, LedgerError> {
    let mut events: Vec<Event> = Vec::new();
    for row in rows {
        let line = Line {
            account: row.account,
            owner: row.owner,
            asset: super::store::asset_code(&row.asset)?,
            credited: row.side == "credit",
            amount: MinorUnits::new(row.amount_minor),
        };
        match events.last_mut().filter(|event| event.id == row.id) {
            Some(event) => event.lines.push(line),
            None => events.push(Event {
                id: row.id,
                kind: row.kind,
                reference: row.reference,
                made_at: row.made_at,
                note: row.note,
                lines: vec![line],
            }),
        }
    }
    Ok(events)
}
