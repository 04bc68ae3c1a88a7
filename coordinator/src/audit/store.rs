//! SQL of the audit log and its links.
//!
//! Rows are written in the writer's transaction, which lets nobody else write; so the next number is the highest plus
//! one and there is never a gap. What must stay true: rows and links are inserted and read, never anything else.

use super::chain::{Entry, Link};
use super::{Action, Row};
use crate::clock::UnixMillis;
use crate::db::rows::{Cell, Kind, Rows};
use crate::db::{Db, Dialect};
use crate::ledger::LedgerError;
use airlock_shared::Digest;
use airlock_shared::digest::bytes_from_lower_hex;
use airlock_shared::identity::{Identity, IdentitySignature};
use sqlx::AssertSqlSafe;

/// Writes one row under the next number.
pub(super) async fn insert(db: &mut Db, row: &Row, now: UnixMillis) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into audit_rows (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 from audit_rows",
    )
    .bind(now)
    .bind(&row.by.who)
    .bind(&row.by.tenant)
    .bind(&row.by.address)
    .bind(&row.by.request_id)
    .bind(row.action.name())
    .bind(&row.subject)
    .bind(&row.before)
    .bind(&row.after)
    .execute(db)
    .await?;
    Ok(())
}

const COLUMNS: &[(&str, Kind)] = &[
    ("number", Kind::Int),
    ("made_at", Kind::Int),
    ("who", Kind::Text),
    ("tenant", Kind::Text),
    ("address", Kind::Text),
    ("request_id", Kind::Text),
    ("action", Kind::Text),
    ("subject", Kind::Text),
    ("before", Kind::Text),
    ("after", Kind::Text),
];

const INSERT_NUMBERED: &str = "insert into audit_rows \
    (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
    select v.number, v.made_at, v.who, v.tenant, v.address, v.request_id, v.action, v.subject, v.before, v.after from {rows}";

const INSERT_AFTER_LAST: &str = "insert into audit_rows \
    (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
    select (select coalesce(max(number), 0) from audit_rows) + v.number, v.made_at, v.who, v.tenant, v.address, v.request_id, \
    v.action, v.subject, v.before, v.after from {rows}";

/// Writes rows in their order under the next numbers, as a set: for orders, of which a group has many.
pub async fn write(db: &mut Db, dialect: Dialect, rows: &[&Row], now: UnixMillis) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    // PostgreSQL gets all rows in one statement, which can find the last number itself.
    let (last, sql) = match dialect {
        Dialect::Sqlite => (highest(db).await?, INSERT_NUMBERED),
        Dialect::Postgres => (0, INSERT_AFTER_LAST),
    };
    let mut set = Rows::new(dialect, COLUMNS);
    for (number, row) in (last.saturating_add(1)..).zip(rows) {
        set.push(&[
            Cell::Int(number),
            Cell::Int(now),
            Cell::Text(&row.by.who),
            Cell::Text(&row.by.tenant),
            Cell::Text(&row.by.address),
            Cell::Text(&row.by.request_id),
            Cell::Text(row.action.name()),
            Cell::Text(&row.subject),
            Cell::Text(&row.before),
            Cell::Text(&row.after),
        ]);
    }
    let (wanted, written) = (set.len(), set.execute(db, sql).await?);
    if u64::try_from(wanted) == Ok(written) {
        return Ok(());
    }
    Err(LedgerError::Corrupt { what: format!("{written} of {wanted} audit rows were written") })
}

/// Which rows to show; `None` matches all.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// By this one.
    pub who: Option<String>,
    /// Of this kind. Rows of transfers are shown only if they are asked for.
    pub action: Option<Action>,
    /// About this.
    pub subject: Option<String>,
    /// Made at or after this moment.
    pub from: Option<UnixMillis>,
    /// Made before this moment.
    pub to: Option<UnixMillis>,
    /// Numbers below this one.
    pub below: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

const SELECT: &str = "select number, made_at, who, tenant, address, request_id, action, subject, before, after \
                      from audit_rows where ";

/// Rows that match, newest first.
pub async fn list(db: &mut Db, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
    let mut sql = SELECT.to_owned();
    // Said as a constant, so that the indexes without transfers can be used.
    sql.push_str(match filter.action {
        Some(Action::TransferMake) => "action = 'transfer.make'",
        _ => "action <> 'transfer.make'",
    });
    let action = filter.action.filter(|action| *action != Action::TransferMake).map(Action::name);
    let texts = [
        ("tenant", filter.tenant.as_deref()),
        ("who", filter.who.as_deref()),
        ("action", action),
        ("subject", filter.subject.as_deref()),
    ];
    let numbers = [("made_at >=", filter.from), ("made_at <", filter.to), ("number <", filter.below)];
    let mut place = 0;
    for (column, text) in texts {
        if text.is_some() {
            place += 1;
            sql.push_str(&format!(" and {column} = ${place}"));
        }
    }
    for (condition, number) in numbers {
        if number.is_some() {
            place += 1;
            sql.push_str(&format!(" and {condition} ${place}"));
        }
    }
    sql.push_str(&format!(" order by number desc limit ${}", place + 1));
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for (_, text) in texts {
        if let Some(text) = text {
            query = query.bind(text.to_owned());
        }
    }
    for (_, number) in numbers {
        if let Some(number) = number {
            query = query.bind(number);
        }
    }
    let rows: Vec<Stored> = query.bind(filter.limit).fetch_all(db).await?;
    Ok(rows.into_iter().map(entry).collect())
}

type Stored = (i64, i64, String, String, String, String, String, String, String, String);

fn entry(row: Stored) -> Entry {
    let (number, made_at, who, tenant, address, request_id, action, subject, before, after) = row;
    Entry { number, made_at, who, tenant, address, request_id, action, subject, before, after }
}

/// The next rows above a number, in order.
pub async fn rows_after(db: &mut Db, number: i64, limit: i64) -> Result<Vec<Entry>, LedgerError> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select number, made_at, who, tenant, address, request_id, action, subject, before, after \
         from audit_rows where number > $1 order by number limit $2",
    )
    .bind(number)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// The lowest and the highest number, and how many rows there are above `number`.
pub async fn extent(db: &mut Db, number: i64) -> Result<(i64, i64, i64), LedgerError> {
    let ends: (i64, i64) =
        sqlx::query_as("select coalesce(min(number), 1), coalesce(max(number), 0) from audit_rows")
            .fetch_one(&mut *db)
            .await?;
    let above: i64 = sqlx::query_scalar("select count(*) from audit_rows where number > $1")
        .bind(number)
        .fetch_one(db)
        .await?;
    Ok((ends.0, ends.1, above))
}

/// The highest number, 0 if there are no rows.
pub async fn highest(db: &mut Db) -> Result<i64, LedgerError> {
    Ok(sqlx::query_scalar("select coalesce(max(number), 0) from audit_rows").fetch_one(db).await?)
}

/// Rows that no link covers yet.
pub async fn unlinked(db: &mut Db) -> Result<i64, LedgerError> {
    let highest = highest(db).await?;
    Ok(highest.saturating_sub(head(db).await?.0))
}

/// Where the chain ends: the last row that is chained, and the digest of its link.
pub async fn head(db: &mut Db) -> Result<(i64, Digest), LedgerError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("select last, digest from audit_links order by first desc limit 1")
            .fetch_optional(db)
            .await?;
    match row {
        None => Ok((0, Digest::ZERO)),
        Some((last, digest)) => Ok((last, read_digest(&digest, last)?)),
    }
}

/// Adds a link.
pub(super) async fn insert_link(db: &mut Db, link: &Link) -> Result<(), LedgerError> {
    let digests: String = link.digests.iter().map(Digest::to_string).collect();
    sqlx::query(
        "insert into audit_links (first, last, made_at, digests, digest, signer, signature) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(link.first)
    .bind(link.last)
    .bind(link.made_at)
    .bind(digests)
    .bind(link.digest.to_string())
    .bind(link.signer.to_string())
    .bind(hex::encode(link.signature.as_bytes()))
    .execute(db)
    .await?;
    Ok(())
}

type StoredLink = (i64, i64, i64, String, String, String, String);

/// The next links whose first row is at or above `first`, in order. One that cannot be read is `Err` with its first row.
pub async fn links_from(db: &mut Db, first: i64, limit: i64) -> Result<Vec<Result<Link, i64>>, LedgerError> {
    let rows: Vec<StoredLink> = sqlx::query_as(
        "select first, last, made_at, digests, digest, signer, signature from audit_links \
         where first >= $1 order by first limit $2",
    )
    .bind(first)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| link(&row).ok_or(row.0)).collect())
}

/// The last link whose rows all stand below `number`.
pub async fn link_below(db: &mut Db, number: i64) -> Result<Option<Result<Link, i64>>, LedgerError> {
    let row: Option<StoredLink> = sqlx::query_as(
        "select first, last, made_at, digests, digest, signer, signature from audit_links \
         where last < $1 order by first desc limit 1",
    )
    .bind(number)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| link(&row).ok_or(row.0)))
}

/// The last row of the link with this digest.
pub async fn link_named(db: &mut Db, digest: &Digest) -> Result<Option<i64>, LedgerError> {
    Ok(sqlx::query_scalar("select last from audit_links where digest = $1")
        .bind(digest.to_string())
        .fetch_optional(db)
        .await?)
}

/// The number at or above `from` under which the chain has a row of this digest.
pub async fn chained_as(db: &mut Db, digest: &Digest, from: i64) -> Result<Option<i64>, LedgerError> {
    let rows: Vec<StoredLink> = sqlx::query_as(
        "select first, last, made_at, digests, digest, signer, signature from audit_links \
         where last >= $1 and digests like $2 order by first",
    )
    .bind(from)
    .bind(format!("%{digest}%"))
    .fetch_all(db)
    .await?;
    for link in rows.iter().filter_map(link) {
        let numbers = link.first..;
        let found = numbers.zip(&link.digests).find(|(number, one)| *number >= from && *one == digest);
        if let Some((number, _)) = found {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn link(row: &StoredLink) -> Option<Link> {
    let (first, last, made_at, digests, digest, signer, signature) = row;
    let digests = digests.as_bytes().chunks(64).map(|one| Digest::from_hex(std::str::from_utf8(one).ok()?));
    Some(Link {
        first: *first,
        last: *last,
        made_at: *made_at,
        digests: digests.collect::<Option<_>>()?,
        digest: Digest::from_hex(digest)?,
        signer: Identity::from_hex(signer)?,
        signature: IdentitySignature::from_bytes(bytes_from_lower_hex::<64>(signature)?),
    })
}

fn read_digest(text: &str, last: i64) -> Result<Digest, LedgerError> {
    Digest::from_hex(text)
        .ok_or_else(|| LedgerError::Corrupt { what: format!("digest of the audit link that ends at {last}") })
}
