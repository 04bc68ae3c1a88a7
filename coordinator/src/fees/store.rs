//! SQL of fee schedules and quotes. Nobody else names these tables.

use super::Schedule;
use crate::clock::UnixMillis;
use crate::db::Db;
use airlock_shared::MinorUnits;

/// A schedule as it was set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// CAIP-2.
    pub network: String,
    /// Asset code.
    pub asset: String,
    /// 1, 2 …
    pub version: i64,
    /// What it says.
    pub schedule: Schedule,
    /// Who set it.
    pub made_by: String,
    /// When.
    pub made_at: UnixMillis,
}

/// A quote that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    /// Its id.
    pub id: String,
    /// To whom.
    pub user: String,
    /// CAIP-2.
    pub network: String,
    /// Asset code.
    pub asset: String,
    /// How much the recipient gets.
    pub amount: MinorUnits,
    /// What it costs.
    pub fee: MinorUnits,
    /// From when on it holds no longer.
    pub expires_at: UnixMillis,
}

type Row = (String, String, i64, i64, i64, i64, Option<i64>, String, i64);

const COLUMNS: &str =
    "network, asset, version, flat_minor, basis_points, least_minor, most_minor, made_by, made_at";

fn version(row: Row) -> Version {
    let (network, asset, version, flat, basis_points, least, most, made_by, made_at) = row;
    // The table's checks keep it within 0 and 10,000.
    let basis_points = u16::try_from(basis_points).unwrap_or(u16::MAX);
    let schedule = Schedule {
        flat: MinorUnits::new(flat),
        basis_points,
        least: MinorUnits::new(least),
        most: most.map(MinorUnits::new),
    };
    Version { network, asset, version, schedule, made_by, made_at }
}

/// The schedule in force.
pub async fn newest(
    db: &mut Db,
    partner: &str,
    network: &str,
    asset: &str,
) -> Result<Option<Version>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from fee_schedules where partner_id = $1 and network = $2 and asset = $3 \
         order by version desc limit 1"
    )))
    .bind(partner)
    .bind(network)
    .bind(asset)
    .fetch_optional(db)
    .await?;
    Ok(row.map(version))
}

/// Every version of a partner's schedules, the newest first within each network and asset.
pub async fn versions(db: &mut Db, partner: &str) -> Result<Vec<Version>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from fee_schedules where partner_id = $1 order by network, asset, version desc limit 500"
    )))
    .bind(partner)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(version).collect())
}

/// Adds a version.
pub async fn insert(db: &mut Db, partner: &str, row: &Version) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into fee_schedules (partner_id, network, asset, version, flat_minor, basis_points, least_minor, \
         most_minor, made_by, made_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(partner)
    .bind(&row.network)
    .bind(&row.asset)
    .bind(row.version)
    .bind(row.schedule.flat.get())
    .bind(i64::from(row.schedule.basis_points))
    .bind(row.schedule.least.get())
    .bind(row.schedule.most.map(MinorUnits::get))
    .bind(&row.made_by)
    .bind(row.made_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// Keeps a quote.
pub async fn insert_quote(db: &mut Db, quote: &Quote, now: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into withdrawal_quotes (id, user_id, network, asset, amount_minor, fee_minor, made_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&quote.id)
    .bind(&quote.user)
    .bind(&quote.network)
    .bind(&quote.asset)
    .bind(quote.amount.get())
    .bind(quote.fee.get())
    .bind(now)
    .bind(quote.expires_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// A quote.
pub async fn quote(db: &mut Db, id: &str) -> Result<Option<Quote>, sqlx::Error> {
    let row: Option<(String, String, String, i64, i64, i64)> = sqlx::query_as(
        "select user_id, network, asset, amount_minor, fee_minor, expires_at from withdrawal_quotes where id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(user, network, asset, amount, fee, expires_at)| Quote {
        id: id.to_owned(),
        user,
        network,
        asset,
        amount: MinorUnits::new(amount),
        fee: MinorUnits::new(fee),
        expires_at,
    }))
}
