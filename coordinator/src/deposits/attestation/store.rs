//! The SQL of attested ranges and of the leaves of their trees. Nobody else names these tables.
//!
//! Functions take the open connection; [`insert`] is called inside the writer's transaction. What must stay true: a range is
//! stored whole, every row of leaves with it, and never changes.

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::deposits::store::unreadable;
use airlock_shared::attestation::{Attestation, tree};
use airlock_shared::document::{self, Document as _};
use airlock_shared::{Digest, Network};

/// Leaves in a row: a power of two, so that a row is a subtree.
pub const CHUNK: usize = 256;

/// An attested range as operators see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestedRange {
    /// What the signer signed.
    pub attestation: Attestation,
    /// Who brought it.
    pub imported_by: String,
    /// When.
    pub made_at: UnixMillis,
}

/// Records a range with its leaves; false if it is here already.
pub async fn insert(
    db: &mut Db,
    attestation: &Attestation,
    leaves: &[Digest],
    by: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let (range, digest) = (&attestation.range, attestation.range.digest().to_string());
    let done = sqlx::query(
        "insert into deposit_attestations (digest, network, first_index, address_count, document, imported_by, made_at) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (digest) do nothing",
    )
    .bind(&digest)
    .bind(range.network.to_string())
    .bind(i64::from(range.first))
    .bind(i64::from(range.count))
    .bind(hex::encode(attestation.to_binary()))
    .bind(by)
    .bind(now)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for (number, chunk) in (0i64..).zip(leaves.chunks(CHUNK)) {
        let root = tree::root(chunk).ok_or_else(|| unreadable("an empty chunk of leaves"))?;
        sqlx::query("insert into attested_leaves (attestation, chunk, leaves, root) values ($1, $2, $3, $4)")
            .bind(&digest)
            .bind(number)
            .bind(chunk.iter().map(Digest::to_string).collect::<String>())
            .bind(root.to_string())
            .execute(&mut *db)
            .await?;
    }
    Ok(true)
}

/// Every range of a network, or of all, by network and first index.
pub async fn ranges(db: &mut Db, limit: i64) -> Result<Vec<AttestedRange>, sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select document, imported_by, made_at from deposit_attestations order by network, first_index, made_at limit $1",
    )
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    let range = |(document, imported_by, made_at): (String, String, i64)| {
        Ok(AttestedRange { attestation: read(&document)?, imported_by, made_at })
    };
    rows.into_iter().map(range).collect()
}

/// Has the network any attested range?
pub async fn has_any(db: &mut Db, network: Network) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar("select count(*) from deposit_attestations where network = $1")
        .bind(network.to_string())
        .fetch_one(&mut *db)
        .await?;
    Ok(found > 0)
}

/// The newest range of a network that has this index.
pub async fn range_of(db: &mut Db, network: Network, index: u32) -> Result<Option<Attestation>, sqlx::Error> {
    let document: Option<String> = sqlx::query_scalar(
        "select document from deposit_attestations where network = $1 and first_index <= $2 \
         and first_index + address_count > $2 order by made_at desc, digest limit 1",
    )
    .bind(network.to_string())
    .bind(i64::from(index))
    .fetch_optional(&mut *db)
    .await?;
    document.map(|document| read(&document)).transpose()
}

/// The path from the leaf at `place` of a range to its root; `None` where leaves are missing.
pub async fn audit_path(
    db: &mut Db,
    attestation: &Attestation,
    place: usize,
) -> Result<Option<Vec<Digest>>, sqlx::Error> {
    let digest = attestation.range.digest().to_string();
    let number = i64::try_from(place / CHUNK).map_err(|_| unreadable("a place in a range"))?;
    let leaves: Option<String> =
        sqlx::query_scalar("select leaves from attested_leaves where attestation = $1 and chunk = $2")
            .bind(&digest)
            .bind(number)
            .fetch_optional(&mut *db)
            .await?;
    let roots: Vec<String> =
        sqlx::query_scalar("select root from attested_leaves where attestation = $1 order by chunk")
            .bind(&digest)
            .fetch_all(&mut *db)
            .await?;
    let Some(leaves) = leaves else { return Ok(None) };
    let leaves = hashes(leaves.as_bytes().chunks(64))?;
    let roots = hashes(roots.iter().map(String::as_bytes))?;
    let within = tree::path(&leaves, place % CHUNK);
    let above = tree::path(&roots, place / CHUNK);
    Ok(within.zip(above).map(|(within, above)| [within, above].concat()))
}

fn hashes<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Digest>, sqlx::Error> {
    let hash = |text| std::str::from_utf8(text).ok().and_then(Digest::from_hex);
    texts.map(|text| hash(text).ok_or_else(|| unreadable("a leaf"))).collect()
}

fn read(document: &str) -> Result<Attestation, sqlx::Error> {
    let bytes = hex::decode(document).map_err(|_| unreadable("an attestation"))?;
    document::read(&bytes).map_err(|_| unreadable("an attestation"))
}
