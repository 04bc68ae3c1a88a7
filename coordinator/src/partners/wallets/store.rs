//! SQL of watched wallets and what was last read of them. Only `partners/wallets` names these tables.
//!
//! Functions take the open connection; those that write run inside the writer's commit.

use super::{Reading, Role, Switches, Watched};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use airlock_shared::{Address, MinorUnits, Network};
use sqlx::Row as _;
use sqlx::any::AnyRow;

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, partner_id, network, address, role, label, active, sweep, sweep_asset, \
             sweep_threshold_minor, energy, energy_threshold, made_at, changed_at from partner_wallets ",
            $rest
        )
    };
}

/// How many wallets a partner watches.
pub async fn count(db: &mut Db, partner: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from partner_wallets where partner_id = $1")
        .bind(partner)
        .fetch_one(db)
        .await
}

/// Adds a wallet; false if the partner watches that address.
pub async fn insert(db: &mut Db, wallet: &Watched, by: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into partner_wallets (id, partner_id, network, address, role, label, active, sweep, sweep_asset, \
         sweep_threshold_minor, energy, energy_threshold, asked_at, made_by, made_at, changed_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $14) \
         on conflict (partner_id, network, address) do nothing",
    )
    .bind(&wallet.id)
    .bind(&wallet.partner)
    .bind(wallet.address.network().to_string())
    .bind(wallet.address.to_string())
    .bind(wallet.role.name())
    .bind(&wallet.label)
    .bind(i64::from(wallet.active))
    .bind(i64::from(wallet.switches.sweep))
    .bind(wallet.switches.sweep_asset.as_str())
    .bind(wallet.switches.sweep_threshold.get())
    .bind(i64::from(wallet.switches.energy))
    .bind(i64::from(wallet.switches.energy_threshold))
    .bind(by)
    .bind(wallet.made_at)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes what may change of a wallet.
pub async fn update(db: &mut Db, wallet: &Watched) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update partner_wallets set label = $2, active = $3, sweep = $4, sweep_threshold_minor = $5, energy = $6, \
         energy_threshold = $7, changed_at = $8 where id = $1",
    )
    .bind(&wallet.id)
    .bind(&wallet.label)
    .bind(i64::from(wallet.active))
    .bind(i64::from(wallet.switches.sweep))
    .bind(wallet.switches.sweep_threshold.get())
    .bind(i64::from(wallet.switches.energy))
    .bind(i64::from(wallet.switches.energy_threshold))
    .bind(wallet.changed_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// One wallet.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Watched>, LedgerError> {
    let row = sqlx::query(columns!("where id = $1")).bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// A partner's wallets before a place, newest first.
pub async fn page(
    db: &mut Db,
    partner: &str,
    before: (UnixMillis, &str),
    limit: i64,
) -> Result<Vec<Watched>, LedgerError> {
    let rows = sqlx::query(columns!(
        "where partner_id = $1 and (made_at < $2 or (made_at = $2 and id < $3)) \
         order by made_at desc, id desc limit $4"
    ))
    .bind(partner)
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Active wallets of a network that were not asked about since `since`, the longest waiting first.
pub async fn waiting(
    db: &mut Db,
    network: Network,
    since: UnixMillis,
    limit: i64,
) -> Result<Vec<Watched>, LedgerError> {
    let rows = sqlx::query(columns!(
        "where network = $1 and active = 1 and asked_at <= $2 order by asked_at, id limit $3"
    ))
    .bind(network.to_string())
    .bind(since)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Notes that a wallet was asked about.
pub async fn set_asked(db: &mut Db, id: &str, now: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query("update partner_wallets set asked_at = $2 where id = $1")
        .bind(id)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Keeps what was read; an older block's word does not replace a newer one's.
pub async fn put_reading(db: &mut Db, wallet: &str, reading: &Reading) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into partner_wallet_readings (wallet_id, what, amount, at_ms) values ($1, $2, $3, $4) \
         on conflict (wallet_id, what) do update set amount = excluded.amount, at_ms = excluded.at_ms \
         where partner_wallet_readings.at_ms <= excluded.at_ms",
    )
    .bind(wallet)
    .bind(&reading.what)
    .bind(&reading.amount)
    .bind(reading.at_ms)
    .execute(db)
    .await
    .map(|_| ())
}

/// What was last read of a wallet, by its name.
pub async fn readings(db: &mut Db, wallet: &str) -> Result<Vec<Reading>, sqlx::Error> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select what, amount, at_ms from partner_wallet_readings where wallet_id = $1 order by what",
    )
    .bind(wallet)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(what, amount, at_ms)| Reading { what, amount, at_ms }).collect())
}

fn read(row: &AnyRow) -> Result<Watched, LedgerError> {
    let id: String = row.try_get("id")?;
    let corrupt = || LedgerError::Corrupt { what: format!("watched wallet {id}") };
    let (network, address, role): (String, String, String) =
        (row.try_get("network")?, row.try_get("address")?, row.try_get("role")?);
    let network: Network = network.parse().map_err(|_| corrupt())?;
    let asset: String = row.try_get("sweep_asset")?;
    let flag = |name: &str| row.try_get::<i64, _>(name).map(|flag| flag == 1);
    let switches = Switches {
        sweep: flag("sweep")?,
        sweep_asset: asset.parse().map_err(|_| corrupt())?,
        sweep_threshold: MinorUnits::new(row.try_get("sweep_threshold_minor")?),
        energy: flag("energy")?,
        energy_threshold: u32::try_from(row.try_get::<i64, _>("energy_threshold")?).map_err(|_| corrupt())?,
    };
    Ok(Watched {
        partner: row.try_get("partner_id")?,
        address: Address::parse(network, &address).map_err(|_| corrupt())?,
        role: if role == "hot" { Role::Hot } else { Role::Cold },
        label: row.try_get("label")?,
        active: flag("active")?,
        switches,
        made_at: row.try_get("made_at")?,
        changed_at: row.try_get("changed_at")?,
        id,
    })
}
