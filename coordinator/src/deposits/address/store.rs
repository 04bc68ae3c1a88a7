//! The SQL of deposit addresses: xpubs, the indexes taken from them, and the addresses given out. Nobody else names these tables.
//!
//! Functions take the open connection; those that write are called inside the writer's transaction. What must stay true: an
//! index is taken once and never given back, and one address belongs to one user.

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::deposits::store::{address_of, network_of};
use airlock_shared::{Address, Network};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

/// The deposit account of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XpubRow {
    /// `m/44'/coin'/account'`.
    pub path: String,
    /// The extended public key.
    pub xpub: String,
    /// Identity of the signer that exported it, 64 hex digits.
    pub signer: String,
}

/// A deposit address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressRow {
    /// Its number in the order in which addresses were given out.
    pub number: i64,
    /// The address.
    pub address: Address,
    /// Whose it is.
    pub user_id: String,
    /// The derivation path.
    pub path: String,
    /// When it was given out.
    pub made_at: UnixMillis,
}

/// The deposit account of a network.
pub async fn xpub(db: &mut Db, network: Network) -> Result<Option<XpubRow>, sqlx::Error> {
    let row: Option<(String, String, String)> =
        sqlx::query_as("select path, xpub, signer from deposit_xpubs where network = $1")
            .bind(network.to_string())
            .fetch_optional(&mut *db)
            .await?;
    Ok(row.map(|(path, xpub, signer)| XpubRow { path, xpub, signer }))
}

/// Records an export; says whether the network had none yet.
pub async fn insert_xpub(
    db: &mut Db,
    export: &super::XpubExport,
    by: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "insert into deposit_sequences (xpub, next_index) values ($1, 0) on conflict (xpub) do nothing",
    )
    .bind(&export.xpub)
    .execute(&mut *db)
    .await?;
    let done = sqlx::query(
        "insert into deposit_xpubs (network, path, xpub, fingerprint, signer, imported_by, made_at) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (network) do nothing",
    )
    .bind(export.network.to_string())
    .bind(&export.path)
    .bind(&export.xpub)
    .bind(&export.fingerprint)
    .bind(&export.identity)
    .bind(by)
    .bind(now)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The index that a user already has under an xpub and label, on whichever network.
pub async fn index_of_user(
    db: &mut Db,
    xpub: &str,
    user: &str,
    label: &str,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select path_index from deposit_addresses where user_id = $1 and xpub = $2 and label = $3 order by number",
    )
    .bind(user)
    .bind(xpub)
    .bind(label)
    .fetch_optional(&mut *db)
    .await
}

/// Takes the next index of an xpub; it is never given again.
pub async fn take_index(db: &mut Db, xpub: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "update deposit_sequences set next_index = next_index + 1 where xpub = $1 returning next_index - 1",
    )
    .bind(xpub)
    .fetch_one(&mut *db)
    .await
}

/// Records a new address.
pub async fn insert_address(
    db: &mut Db,
    row: &AddressRow,
    xpub: &str,
    index: i64,
    label: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into deposit_addresses (number, network, address, user_id, label, xpub, path, path_index, made_at) \
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 from deposit_addresses",
    )
    .bind(row.address.network().to_string())
    .bind(row.address.to_string())
    .bind(&row.user_id)
    .bind(label)
    .bind(xpub)
    .bind(&row.path)
    .bind(index)
    .bind(row.made_at)
    .execute(&mut *db)
    .await
    .map(|_| ())
}

impl<'r> FromRow<'r, AnyRow> for AddressRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let network = network_of(row)?;
        Ok(Self {
            number: row.try_get("number")?,
            address: address_of(network, &row.try_get::<String, _>("address")?)?,
            user_id: row.try_get("user_id")?,
            path: row.try_get("path")?,
            made_at: row.try_get("made_at")?,
        })
    }
}

/// A user's address on a network.
pub async fn address_of_user(
    db: &mut Db,
    network: Network,
    user: &str,
    label: &str,
) -> Result<Option<AddressRow>, sqlx::Error> {
    sqlx::query_as(
        "select number, network, address, user_id, path, made_at from deposit_addresses \
         where network = $1 and user_id = $2 and label = $3",
    )
    .bind(network.to_string())
    .bind(user)
    .bind(label)
    .fetch_optional(&mut *db)
    .await
}

/// A user's addresses, oldest first.
pub async fn addresses_of_user(db: &mut Db, user: &str) -> Result<Vec<AddressRow>, sqlx::Error> {
    sqlx::query_as(
        "select number, network, address, user_id, path, made_at from deposit_addresses \
         where user_id = $1 order by number",
    )
    .bind(user)
    .fetch_all(&mut *db)
    .await
}

/// The addresses of a network given out after number `after`.
pub async fn addresses_after(
    db: &mut Db,
    network: Network,
    after: i64,
) -> Result<Vec<AddressRow>, sqlx::Error> {
    sqlx::query_as(
        "select number, network, address, user_id, path, made_at from deposit_addresses \
         where network = $1 and number > $2 order by number",
    )
    .bind(network.to_string())
    .bind(after)
    .fetch_all(&mut *db)
    .await
}

/// Was this address given out, on whichever network? A user has one address on all networks that share an xpub, so money sent
/// to it on another one would come back as a deposit, now or once it is given out there.
pub async fn is_given_out(db: &mut Db, address: Address) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar("select count(*) from deposit_addresses where address = $1")
        .bind(address.to_string())
        .fetch_one(&mut *db)
        .await?;
    Ok(found > 0)
}
