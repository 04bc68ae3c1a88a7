//! The SQL of histories: events below a number, of everybody or of one account, and single ones. Reads only.
//!
//! Limits sit in inner selects, so that both databases walk an index backwards and stop, whatever they think of the table's
//! size.

use super::{Event, Owned, gather};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use crate::ledger::store::asset_code;

/// One line of an event with what is known of the event.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) reference: String,
    pub(super) made_at: UnixMillis,
    pub(super) note: Option<String>,
    pub(super) account: String,
    pub(super) owner: String,
    pub(super) asset: String,
    pub(super) side: String,
    pub(super) amount_minor: i64,
}

macro_rules! lines_of {
    ($events:literal) => {
        concat!(
            "select t.id as id, t.kind as kind, t.reference as reference, t.made_at as made_at, t.note as note, \
             a.kind as account, a.owner as owner, a.asset as asset, e.side as side, e.amount_minor as amount_minor \
             from (",
            $events,
            ") t join entries e on e.transfer_id = t.id join accounts a on a.id = e.account_id \
             order by t.id desc, e.line"
        )
    };
}

/// The newest events below a number, whoever they belong to.
pub async fn events_below(db: &mut Db, below: i64, limit: i64) -> Result<Vec<Event>, LedgerError> {
    let rows = sqlx::query_as(lines_of!("select * from transfers where id < $1 order by id desc limit $2"))
        .bind(below)
        .bind(limit)
        .fetch_all(db)
        .await?;
    gather(rows)
}

/// The newest events below a number that touch an account.
pub async fn events_of_account(
    db: &mut Db,
    account: i64,
    below: i64,
    limit: i64,
) -> Result<Vec<Event>, LedgerError> {
    let rows = sqlx::query_as(lines_of!(
        "select w.* from (select distinct transfer_id from entries where account_id = $1 and transfer_id < $2 \
         order by transfer_id desc limit $3) p join transfers w on w.id = p.transfer_id"
    ))
    .bind(account)
    .bind(below)
    .bind(limit)
    .fetch_all(db)
    .await?;
    gather(rows)
}

/// One event.
pub async fn event(db: &mut Db, kind: &str, reference: &str) -> Result<Option<Event>, LedgerError> {
    let rows = sqlx::query_as(lines_of!("select * from transfers where kind = $1 and reference = $2"))
        .bind(kind)
        .bind(reference)
        .fetch_all(db)
        .await?;
    Ok(gather(rows)?.pop())
}

/// What a user may use, or a partner's own: one account per asset.
pub async fn owned(db: &mut Db, kind: &str, owner: &str) -> Result<Vec<Owned>, LedgerError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("select id, asset from accounts where owner = $1 and kind = $2 order by id")
            .bind(owner)
            .bind(kind)
            .fetch_all(db)
            .await?;
    rows.into_iter().map(|(id, asset)| Ok(Owned { id, asset: asset_code(&asset)? })).collect()
}

/// The first number above every event made before a moment, found by halving: no index by time burdens the writer for it.
pub async fn first_at_or_after(db: &mut Db, moment: UnixMillis) -> Result<i64, LedgerError> {
    let last: i64 =
        sqlx::query_scalar("select coalesce(max(id), 0) from transfers").fetch_one(&mut *db).await?;
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        // Numbers have no gaps; should one be missing, the next event above it stands for it.
        let made_at: Option<i64> =
            sqlx::query_scalar("select made_at from transfers where id >= $1 order by id limit 1")
                .bind(middle)
                .fetch_optional(&mut *db)
                .await?;
        match made_at {
            Some(made_at) if made_at < moment => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
