//! SQL of statements and leaves. Nobody else names these tables.
//!
//! Inserts are called inside the writer's commit. What must stay true: a row of leaves reads back to the very creditors
//! that were hashed; leaves without a statement are of a run that was cut short, and nobody sees them.

use crate::db::Db;
use airlock_shared::Digest;
use airlock_shared::liabilities::Creditor;
use airlock_shared::liabilities::tree::{Summed, Sums};

/// A published statement.
#[derive(Clone, Debug)]
pub struct StatementRow {
    /// Its number.
    pub id: i64,
    /// Its digest, hex.
    pub digest: String,
    /// What gives the salts. Never leaves the coordinator.
    pub secret: String,
    /// The signed document as JSON.
    pub document: String,
    /// When the picture was taken, Unix milliseconds.
    pub taken_at: i64,
    /// By whom.
    pub made_by: String,
}

/// The leaves of neighbours, with the root over them.
#[derive(Clone, Debug)]
pub struct LeafRow {
    chunk: i64,
    first_salt: String,
    leaves: String,
    root_hash: String,
    root_sums: String,
}

impl LeafRow {
    /// The row of one chunk.
    pub fn new(chunk: i64, creditors: &[Creditor], root: &Summed) -> Self {
        let line = |creditor: &Creditor| format!("{} {} {}", creditor.salt, creditor.owner, creditor.sums);
        Self {
            chunk,
            first_salt: creditors.first().map(|creditor| creditor.salt.to_string()).unwrap_or_default(),
            leaves: creditors.iter().map(line).collect::<Vec<_>>().join("\n"),
            root_hash: root.hash.to_string(),
            root_sums: root.sums.to_string(),
        }
    }
}

/// The creditors of a chunk's text; `None` if it is not such a text.
pub fn creditors(leaves: &str) -> Option<Vec<Creditor>> {
    let creditor = |line: &str| {
        let mut words = line.split(' ');
        let (salt, owner, sums) = (words.next()?, words.next()?, words.next()?);
        let plain = words.next().is_none();
        plain.then_some(Creditor {
            salt: Digest::from_hex(salt)?,
            owner: owner.to_owned(),
            sums: sums_of(sums)?,
        })
    };
    leaves.split('\n').map(creditor).collect()
}

fn sums_of(text: &str) -> Option<Sums> {
    text.split(',').map(|sum| sum.parse().ok()).collect::<Option<Vec<u64>>>().and_then(Sums::new)
}

/// The number of the next statement: above every row of leaves, published or not.
pub async fn next_id(db: &mut Db) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(max(id), 0) + 1 from (select max(id) as id from liability_statements \
         union all select max(statement_id) from liability_leaves) as ids",
    )
    .fetch_one(db)
    .await
}

/// Writes one row of leaves of a statement.
pub async fn insert_leaves(db: &mut Db, statement: i64, row: &LeafRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into liability_leaves (statement_id, chunk, first_salt, leaves, root_hash, root_sums) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(statement)
    .bind(row.chunk)
    .bind(&row.first_salt)
    .bind(&row.leaves)
    .bind(&row.root_hash)
    .bind(&row.root_sums)
    .execute(db)
    .await
    .map(|_| ())
}

/// Publishes a statement whose leaves are written.
pub async fn insert_statement(db: &mut Db, row: &StatementRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into liability_statements (id, digest, secret, document, taken_at, made_by) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(row.id)
    .bind(&row.digest)
    .bind(&row.secret)
    .bind(&row.document)
    .bind(row.taken_at)
    .bind(&row.made_by)
    .execute(db)
    .await
    .map(|_| ())
}

/// The newest statement.
pub async fn latest(db: &mut Db) -> Result<Option<StatementRow>, sqlx::Error> {
    let row: Option<(i64, String, String, String, i64, String)> = sqlx::query_as(
        "select id, digest, secret, document, taken_at, made_by from liability_statements order by id desc limit 1",
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(id, digest, secret, document, taken_at, made_by)| StatementRow {
        id,
        digest,
        secret,
        document,
        taken_at,
        made_by,
    }))
}

/// The chunk in which a leaf of this salt would be, with its number.
pub async fn chunk_of(db: &mut Db, statement: i64, salt: &str) -> Result<Option<(i64, String)>, sqlx::Error> {
    sqlx::query_as(
        "select chunk, leaves from liability_leaves where statement_id = $1 and first_salt <= $2 \
         order by first_salt desc limit 1",
    )
    .bind(statement)
    .bind(salt)
    .fetch_optional(db)
    .await
}

/// The roots of all chunks of a statement, in order; `None` if one does not read back.
pub async fn roots(db: &mut Db, statement: i64) -> Result<Option<Vec<Summed>>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select root_hash, root_sums from liability_leaves where statement_id = $1 order by chunk",
    )
    .bind(statement)
    .fetch_all(db)
    .await?;
    let root = |(hash, sums): &(String, String)| {
        Some(Summed { hash: Digest::from_hex(hash)?, sums: sums_of(sums)? })
    };
    Ok(rows.iter().map(root).collect())
}
