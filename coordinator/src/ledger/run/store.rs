//! The ledger's SQL over many rows at once: what `ledger/store.rs` says for one row, said for a run of orders.
//!
//! Called by `run.rs` inside the writer's transaction. Look-ups are scalar subqueries on a unique index, row by row:
//! a join leaves the choice to the planner, which on PostgreSQL reads a whole partner's keys when statistics are
//! thin. What must stay true: one statement each, values bound, every insert's row count compared by the caller.

use crate::clock::UnixMillis;
use crate::db::rows::{Cell, Kind, Rows};
use crate::db::{Db, Dialect};
use crate::ledger::LedgerError;
use crate::ledger::account::Account;
use crate::ledger::store::OnceLine;

/// A new transfer's row.
pub(super) struct TransferRow<'a> {
    pub(super) id: i64,
    pub(super) kind: &'a str,
    pub(super) reference: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) made_by: Option<&'a str>,
}

/// A new entry's row.
pub(super) struct EntryRow {
    pub(super) transfer: i64,
    pub(super) line: i64,
    pub(super) account: i64,
    pub(super) side: &'static str,
    pub(super) amount_minor: i64,
}

/// An order's place in its run, its event, and the owner and key of its idempotency record.
pub(super) struct Named<'a> {
    pub(super) place: usize,
    pub(super) kind: &'a str,
    pub(super) reference: &'a str,
    pub(super) owner: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// The place of an order of which the database knows something.
pub(super) struct Seen {
    pub(super) place: usize,
    /// Its key is stored.
    pub(super) used: bool,
    /// Its event was posted.
    pub(super) posted: bool,
}

/// Which of these orders' keys are stored and which events were posted before; one question for both.
pub(super) async fn seen(
    db: &mut Db,
    dialect: Dialect,
    orders: &[Named<'_>],
) -> Result<Vec<Seen>, LedgerError> {
    let columns = &[
        ("place", Kind::Int),
        ("kind", Kind::Text),
        ("reference", Kind::Text),
        ("owner", Kind::Text),
        ("idempotency_key", Kind::Text),
    ];
    let mut rows = Rows::new(dialect, columns);
    for Named { place, kind, reference, owner, key } in orders {
        let (kind, reference) = (Cell::Text(kind), Cell::Text(reference));
        rows.push(&[int(*place), kind, reference, (*owner).into(), (*key).into()]);
    }
    let sql = "select place, used, posted from (select v.place as place, (select k.made_at from idempotency_keys k \
               where k.owner = v.owner and k.idempotency_key = v.idempotency_key) as used, (select t.id from transfers t \
               where t.kind = v.kind and t.reference = v.reference) as posted from {rows}) as f \
               where used is not null or posted is not null";
    let found: Vec<(i64, Option<i64>, Option<i64>)> = rows.fetch(db, sql).await?;
    let read = |(place, used, posted): (i64, Option<i64>, Option<i64>)| {
        Ok(Seen { place: to_place(place)?, used: used.is_some(), posted: posted.is_some() })
    };
    found.into_iter().map(read).collect()
}

/// The row ids of those accounts that have one, with their places in the list.
pub(super) async fn account_ids(
    db: &mut Db,
    dialect: Dialect,
    accounts: &[(usize, &Account)],
) -> Result<Vec<(usize, i64)>, LedgerError> {
    let columns = &[
        ("place", Kind::Int),
        ("kind", Kind::Text),
        ("owner", Kind::Text),
        ("network", Kind::Text),
        ("wallet", Kind::Text),
        ("asset", Kind::Text),
    ];
    let mut rows = Rows::new(dialect, columns);
    for (place, account) in accounts {
        let (network, wallet) = whereabouts(account);
        rows.push(&[
            int(*place),
            Cell::Text(account.kind()),
            Cell::Text(account.owner()),
            Cell::Text(&network),
            Cell::Text(&wallet),
            Cell::Text(account.asset().as_str()),
        ]);
    }
    let sql = "select place, id from (select v.place as place, (select a.id from accounts a where a.kind = v.kind \
               and a.owner = v.owner and a.network = v.network and a.wallet = v.wallet and a.asset = v.asset) as id \
               from {rows}) as f where id is not null";
    let found: Vec<(i64, i64)> = rows.fetch(db, sql).await?;
    found.into_iter().map(|(place, id)| Ok((to_place(place)?, id))).collect()
}

/// The highest id of an account, 0 if there is none.
pub(super) async fn last_account(db: &mut Db) -> Result<i64, LedgerError> {
    Ok(sqlx::query_scalar("select coalesce(max(id), 0) from accounts").fetch_one(db).await?)
}

/// Makes accounts' rows with what they hold at the end of the run.
pub(super) async fn insert_accounts(
    db: &mut Db,
    dialect: Dialect,
    accounts: &[(i64, &Account, i64)],
) -> Result<(), LedgerError> {
    let columns = &[
        ("id", Kind::Int),
        ("kind", Kind::Text),
        ("owner", Kind::Text),
        ("network", Kind::Text),
        ("wallet", Kind::Text),
        ("asset", Kind::Text),
        ("side", Kind::Text),
        ("balance_minor", Kind::Int),
    ];
    let mut rows = Rows::new(dialect, columns);
    for (id, account, balance) in accounts {
        let (network, wallet) = whereabouts(account);
        rows.push(&[
            Cell::Int(*id),
            Cell::Text(account.kind()),
            Cell::Text(account.owner()),
            Cell::Text(&network),
            Cell::Text(&wallet),
            Cell::Text(account.asset().as_str()),
            Cell::Text(account.side().name()),
            Cell::Int(*balance),
        ]);
    }
    let sql = "insert into accounts (id, kind, owner, network, wallet, asset, side, balance_minor, dust_base) \
               select v.id, v.kind, v.owner, v.network, v.wallet, v.asset, v.side, v.balance_minor, '0' \
               from {rows}";
    whole(rows, db, sql, "accounts").await
}

/// The balances of these rows, in the order of the list.
pub(super) async fn balances(
    db: &mut Db,
    dialect: Dialect,
    ids: &[(usize, i64)],
) -> Result<Vec<(usize, i64)>, LedgerError> {
    let mut rows = Rows::new(dialect, &[("place", Kind::Int), ("id", Kind::Int)]);
    for (place, id) in ids {
        rows.push(&[int(*place), Cell::Int(*id)]);
    }
    let wanted = rows.len();
    let sql = "select v.place, (select a.balance_minor from accounts a where a.id = v.id) from {rows}";
    let found: Vec<(i64, Option<i64>)> = rows.fetch(db, sql).await?;
    let missing = || LedgerError::Corrupt { what: "an account that was there is gone".to_owned() };
    if found.len() != wanted {
        return Err(missing());
    }
    let read = |(place, balance): (i64, Option<i64>)| Ok((to_place(place)?, balance.ok_or_else(missing)?));
    found.into_iter().map(read).collect()
}

/// Adds to balances; (row, by how much).
pub(super) async fn add_to_balances(
    db: &mut Db,
    dialect: Dialect,
    deltas: &[(i64, i64)],
) -> Result<(), LedgerError> {
    let mut rows = Rows::new(dialect, &[("id", Kind::Int), ("delta", Kind::Int)]);
    for (id, delta) in deltas {
        rows.push(&[Cell::Int(*id), Cell::Int(*delta)]);
    }
    let sql =
        "update accounts set balance_minor = balance_minor + v.delta from {rows} where v.id = accounts.id";
    whole(rows, db, sql, "balances").await
}

pub(super) async fn insert_transfers(
    db: &mut Db,
    dialect: Dialect,
    transfers: &[TransferRow<'_>],
    now: UnixMillis,
) -> Result<(), LedgerError> {
    let columns = &[
        ("id", Kind::Int),
        ("kind", Kind::Text),
        ("reference", Kind::Text),
        ("made_at", Kind::Int),
        ("note", Kind::Text),
        ("made_by", Kind::Text),
    ];
    let mut rows = Rows::new(dialect, columns);
    for row in transfers {
        rows.push(&[
            Cell::Int(row.id),
            Cell::Text(row.kind),
            Cell::Text(row.reference),
            Cell::Int(now),
            row.note.into(),
            row.made_by.into(),
        ]);
    }
    let sql = "insert into transfers (id, kind, reference, made_at, note, made_by) \
               select v.id, v.kind, v.reference, v.made_at, v.note, v.made_by from {rows}";
    whole(rows, db, sql, "transfers").await
}

pub(super) async fn insert_entries(
    db: &mut Db,
    dialect: Dialect,
    entries: &[EntryRow],
) -> Result<(), LedgerError> {
    let columns = &[
        ("transfer_id", Kind::Int),
        ("line", Kind::Int),
        ("account_id", Kind::Int),
        ("side", Kind::Text),
        ("amount_minor", Kind::Int),
    ];
    let mut rows = Rows::new(dialect, columns);
    for row in entries {
        rows.push(&[
            Cell::Int(row.transfer),
            Cell::Int(row.line),
            Cell::Int(row.account),
            Cell::Text(row.side),
            Cell::Int(row.amount_minor),
        ]);
    }
    let sql = "insert into entries (transfer_id, line, account_id, side, amount_minor) \
               select v.transfer_id, v.line, v.account_id, v.side, v.amount_minor from {rows}";
    whole(rows, db, sql, "entries").await
}

pub(super) async fn insert_once(
    db: &mut Db,
    dialect: Dialect,
    records: &[OnceLine<'_>],
    now: UnixMillis,
) -> Result<(), LedgerError> {
    let columns = &[
        ("owner", Kind::Text),
        ("idempotency_key", Kind::Text),
        ("request_digest", Kind::Text),
        ("status", Kind::Int),
        ("body", Kind::Text),
        ("made_at", Kind::Int),
    ];
    let mut rows = Rows::new(dialect, columns);
    for row in records {
        rows.push(&[
            Cell::Text(row.owner),
            Cell::Text(row.key),
            Cell::Text(row.request_digest),
            Cell::Int(i64::from(row.status)),
            Cell::Text(row.body),
            Cell::Int(now),
        ]);
    }
    let sql = "insert into idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) \
               select v.owner, v.idempotency_key, v.request_digest, v.status, v.body, v.made_at from {rows}";
    whole(rows, db, sql, "idempotency_keys").await
}

/// Every row of the set must have been written.
async fn whole(rows: Rows, db: &mut Db, sql: &'static str, what: &'static str) -> Result<(), LedgerError> {
    let wanted = rows.len();
    let changed = rows.execute(db, sql).await?;
    if u64::try_from(wanted) == Ok(changed) {
        return Ok(());
    }
    Err(LedgerError::Corrupt { what: format!("{changed} of {wanted} rows of {what} were written") })
}

fn whereabouts(account: &Account) -> (String, String) {
    let network = account.network().map(|network| network.to_string()).unwrap_or_default();
    let wallet = account.wallet().map(|wallet| wallet.to_string()).unwrap_or_default();
    (network, wallet)
}

fn int(place: usize) -> Cell<'static> {
    // A group holds fewer orders than 63 bits count.
    Cell::Int(i64::try_from(place).unwrap_or(i64::MAX))
}

fn to_place(place: i64) -> Result<usize, LedgerError> {
    usize::try_from(place).map_err(|_| LedgerError::Corrupt { what: format!("place {place} in a set") })
}
