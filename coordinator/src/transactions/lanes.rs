//! One ordered source of transactions each: everybody's events, one account's events, deposits, withdrawals.
//!
//! `merge.rs` opens the lanes that a filter needs and takes from the one whose next row is the newest. A lane reads rows in
//! chunks, newest first. What must stay true: a row that does not match is still met, as a place without a transaction,
//! so that a page may end behind it; tenancy is decided here, row by row.

use super::cursor::{Key, Position, Source};
use super::{Filter, Scope, Transaction, of_deposit, of_event, of_withdrawal};
use crate::api::ApiError;
use crate::app::App;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::deposits::store as deposits;
use crate::ledger::statement::{Event, store as events};
use crate::withdrawals::attempts;
use crate::withdrawals::store::{self as withdrawals, Whose};
use std::collections::VecDeque;

/// Above every id: they are lower-case hex, and every collation puts letters in their order.
const ABOVE_IDS: &str = "g";

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Settings, and whose users are whose.
    pub app: &'a App,
    /// Whose transactions.
    pub scope: &'a Scope,
    /// Which of them.
    pub filter: &'a Filter,
}

/// A place in a lane, and what is there for this reader.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) row: Option<Transaction>,
}

/// Where a lane reads on.
#[derive(Debug)]
enum Behind {
    /// Events below this number: everybody's, or one account's.
    Events { account: Option<i64>, below: i64 },
    /// Deposits behind this place.
    Deposits(UnixMillis, String),
    /// Withdrawals behind this place.
    Withdrawals(UnixMillis, String),
}

/// One ordered source.
#[derive(Debug)]
pub(super) struct Lane {
    behind: Behind,
    buffer: VecDeque<Found>,
    ended: bool,
}

/// The lanes that can have matching rows, each at its beginning or behind `position`.
pub(super) async fn open(
    db: &mut Db,
    asked: &Asked<'_>,
    position: Option<&Position>,
) -> Result<Vec<Lane>, ApiError> {
    let mut lanes = Vec::new();
    if asked.filter.takes_events() {
        let mut below = match position {
            None => i64::MAX,
            Some(Position(last)) if last.source == Source::Ledger => last.number,
            // Of one moment the ledger's events come first: those of the last row's have been read.
            Some(Position(last)) => events::first_at_or_after(db, last.at).await?,
        };
        if let Some(to) = asked.filter.to {
            below = below.min(events::first_at_or_after(db, to).await?);
        }
        match asked.scope {
            Scope::All | Scope::Partner(_) => lanes.push(Behind::Events { account: None, below }),
            Scope::User(user) => {
                for account in events::owned(db, "user_available", user).await? {
                    if asked.filter.asset.as_ref().is_none_or(|asset| *asset == account.asset) {
                        lanes.push(Behind::Events { account: Some(account.id), below });
                    }
                }
            }
        }
    }
    if asked.filter.takes_deposits() {
        let (at, id) = behind(Source::Deposits, asked.filter, position);
        lanes.push(Behind::Deposits(at, id));
    }
    if asked.filter.takes_withdrawals() {
        let (at, id) = behind(Source::Withdrawals, asked.filter, position);
        lanes.push(Behind::Withdrawals(at, id));
    }
    Ok(lanes.into_iter().map(|behind| Lane { behind, buffer: VecDeque::new(), ended: false }).collect())
}

/// Where deposits or withdrawals go on: rows of the same moment have been read if their source comes before that of the
/// last row read.
fn behind(source: Source, filter: &Filter, position: Option<&Position>) -> (UnixMillis, String) {
    let place = match position.map(|Position(last)| last) {
        None => (UnixMillis::MAX, ABOVE_IDS.to_owned()),
        Some(last) if last.source == source => (last.at, last.id.clone()),
        Some(last) if last.source > source => (last.at, ABOVE_IDS.to_owned()),
        Some(last) => (last.at, String::new()),
    };
    match filter.to {
        Some(to) if to <= place.0 => (to, String::new()),
        _ => place,
    }
}

impl Lane {
    /// The next place, read if need be; `None` at the end.
    pub(super) async fn peek(
        &mut self,
        db: &mut Db,
        asked: &Asked<'_>,
        chunk: i64,
    ) -> Result<Option<&Key>, ApiError> {
        if self.buffer.is_empty() && !self.ended {
            self.read(db, asked, chunk).await?;
        }
        Ok(self.buffer.front().map(|found| &found.key))
    }

    /// The place that `peek` showed.
    pub(super) fn take(&mut self) -> Option<Found> {
        self.buffer.pop_front()
    }

    async fn read(&mut self, db: &mut Db, asked: &Asked<'_>, chunk: i64) -> Result<(), ApiError> {
        let found = match &mut self.behind {
            Behind::Events { account, below } => {
                let read = match account {
                    Some(account) => events::events_of_account(db, *account, *below, chunk).await?,
                    None => events::events_below(db, *below, chunk).await?,
                };
                *below = read.last().map_or(*below, |event| event.id);
                of_events(db, asked, read).await?
            }
            Behind::Deposits(at, id) => {
                let user = if let Scope::User(user) = asked.scope { Some(user.as_str()) } else { None };
                let read = deposits::newest_before(db, user, (*at, id.as_str()), chunk).await?;
                if let Some(last) = read.last() {
                    (*at, *id) = (last.seen_at, last.id.clone());
                }
                of_deposits(db, asked, read).await?
            }
            Behind::Withdrawals(at, id) => {
                let whose = match asked.scope {
                    Scope::All => Whose::All,
                    Scope::Partner(partner) => Whose::Partner(partner),
                    Scope::User(user) => Whose::User(user),
                };
                let read = withdrawals::newest_before(db, whose, ("", ""), (*at, id.as_str()), chunk).await?;
                if let Some(last) = read.last() {
                    (*at, *id) = (last.made_at, last.id.clone());
                }
                of_withdrawals(db, asked, read).await?
            }
        };
        self.ended = i64::try_from(found.len()).is_ok_and(|found| found < chunk);
        let from = asked.filter.from.unwrap_or(UnixMillis::MIN);
        for found in found {
            if found.key.at < from {
                self.ended = true;
                break;
            }
            self.buffer.push_back(found);
        }
        Ok(())
    }
}

fn matching(asked: &Asked<'_>, row: Transaction) -> Option<Transaction> {
    Some(row).filter(|row| asked.filter.takes(row, &asked.app.config.assets))
}

async fn of_events(db: &mut Db, asked: &Asked<'_>, read: Vec<Event>) -> Result<Vec<Found>, ApiError> {
    let mut found = Vec::with_capacity(read.len());
    for event in read {
        let mut row = of_event(&event, asked.scope).and_then(|row| matching(asked, row));
        if let (Scope::Partner(partner), Some(seen)) = (asked.scope, &row)
            && !is_partners(db, asked.app, partner, seen).await?
        {
            row = None;
        }
        let key = Key { at: event.made_at, source: Source::Ledger, number: event.id, id: String::new() };
        found.push(Found { key, row });
    }
    Ok(found)
}

async fn of_deposits(
    db: &mut Db,
    asked: &Asked<'_>,
    read: Vec<deposits::DepositRow>,
) -> Result<Vec<Found>, ApiError> {
    let mut found = Vec::with_capacity(read.len());
    for deposit in read {
        let key = Key { at: deposit.seen_at, source: Source::Deposits, number: 0, id: deposit.id.clone() };
        let mut row = matching(asked, of_deposit(deposit));
        if let (Scope::Partner(partner), Some(seen)) = (asked.scope, &row)
            && !is_partners(db, asked.app, partner, seen).await?
        {
            row = None;
        }
        found.push(Found { key, row });
    }
    Ok(found)
}

/// Tenancy was decided by the statement; transaction ids are looked up for the rows that match.
async fn of_withdrawals(
    db: &mut Db,
    asked: &Asked<'_>,
    read: Vec<withdrawals::Withdrawal>,
) -> Result<Vec<Found>, ApiError> {
    let mut found = Vec::with_capacity(read.len());
    for withdrawal in read {
        let (at, id) = (withdrawal.made_at, withdrawal.id.clone());
        let row = matching(asked, of_withdrawal(withdrawal, None));
        found.push(Found { key: Key { at, source: Source::Withdrawals, number: 0, id }, row });
    }
    let matched = || found.iter().filter_map(|found| found.row.as_ref()).map(|row| row.id.as_str());
    let mut tx_ids = attempts::live_tx_ids(db, asked.app.db.dialect(), matched()).await?;
    for row in found.iter_mut().filter_map(|found| found.row.as_mut()) {
        row.tx_id = tx_ids.remove(&row.id);
    }
    Ok(found)
}

/// Does a transaction belong to a partner: is it its own, or one of its users'?
pub(super) async fn is_partners(
    db: &mut Db,
    app: &App,
    partner: &str,
    row: &Transaction,
) -> Result<bool, ApiError> {
    Ok(match &row.user {
        Some(user) => app.directory.partner_of(db, user).await?.is_some_and(|own| *own == *partner),
        None => row.partner.as_deref() == Some(partner),
    })
}
