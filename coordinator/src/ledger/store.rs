//! The ledger's SQL: accounts, transfers, entries, holds, idempotency records, the item sequence.
//!
//! Only `ledger` names these tables. Functions take the open connection; those that write are called by
//! `unit.rs` inside the writer's transaction, those that read serve anyone. One statement each.

use super::LedgerError;
use super::account::Account;
use super::asset::{AssetCode, Assets};
use super::order::Answer;
use super::posting::Posting;
use super::unit::{Entry, Hold};
use crate::clock::UnixMillis;
use crate::db::Db;
use airlock_shared::{BaseUnits, MinorUnits};

/// The changing part of an account's row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountRow {
    /// Minor units, on the account's own side.
    pub balance_minor: i64,
    /// Base units below one minor unit; zero except on exact accounts.
    pub dust_base: BaseUnits,
}

/// A user's money in one asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balance {
    /// The asset.
    pub asset: AssetCode,
    /// May be used now.
    pub available: MinorUnits,
    /// Bound by holds.
    pub held: MinorUnits,
}

/// What a reserve account says about one of our addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReserveBalance {
    /// The network's CAIP-2 name.
    pub network: String,
    /// The address in its network's spelling.
    pub wallet: String,
    /// The asset's code.
    pub asset: String,
    /// Minor units (may be negative when a payment was booked before its funding).
    pub balance_minor: i64,
    /// Base units below one minor unit.
    pub dust_base: BaseUnits,
}

/// Records the configured scales, or refuses when one differs from what money has moved under.
pub async fn pin_assets(db: &mut Db, assets: &Assets) -> Result<(), LedgerError> {
    for (asset, decimals) in assets.codes() {
        sqlx::query("insert into assets (code, decimals) values ($1, $2) on conflict (code) do nothing")
            .bind(asset.as_str())
            .bind(i64::from(decimals))
            .execute(&mut *db)
            .await?;
        let pinned: i64 = sqlx::query_scalar("select decimals from assets where code = $1")
            .bind(asset.as_str())
            .fetch_one(&mut *db)
            .await?;
        if pinned != i64::from(decimals) {
            return Err(super::AssetError::Scale { asset: asset.clone(), decimals }.into());
        }
    }
    for (asset, network, scale) in assets.on_networks() {
        let decimals = scale.base_decimals();
        sqlx::query(
            "insert into asset_networks (asset, network, base_decimals) values ($1, $2, $3) \
             on conflict (asset, network) do nothing",
        )
        .bind(asset.as_str())
        .bind(network.to_string())
        .bind(i64::from(decimals))
        .execute(&mut *db)
        .await?;
        let pinned: i64 =
            sqlx::query_scalar("select base_decimals from asset_networks where asset = $1 and network = $2")
                .bind(asset.as_str())
                .bind(network.to_string())
                .fetch_one(&mut *db)
                .await?;
        if pinned != i64::from(decimals) {
            return Err(super::AssetError::Scale { asset: asset.clone(), decimals }.into());
        }
    }
    Ok(())
}

/// The id of an account's row; makes the row, with nothing on it, at first use.
pub(super) async fn open_account(db: &mut Db, account: &Account) -> Result<i64, LedgerError> {
    let network = account.network().map(|network| network.to_string()).unwrap_or_default();
    let wallet = account.wallet().map(|wallet| wallet.to_string()).unwrap_or_default();
    let found: Option<i64> = sqlx::query_scalar(
        "select id from accounts where kind = $1 and owner = $2 and network = $3 and wallet = $4 and asset = $5",
    )
    .bind(account.kind())
    .bind(account.owner())
    .bind(&network)
    .bind(&wallet)
    .bind(account.asset().as_str())
    .fetch_optional(&mut *db)
    .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    let id: i64 = sqlx::query_scalar(
        "insert into accounts (id, kind, owner, network, wallet, asset, side, balance_minor, dust_base) \
         select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, 0, '0' from accounts returning id",
    )
    .bind(account.kind())
    .bind(account.owner())
    .bind(network)
    .bind(wallet)
    .bind(account.asset().as_str())
    .bind(account.side().name())
    .fetch_one(&mut *db)
    .await?;
    Ok(id)
}

pub(super) async fn account_row(db: &mut Db, id: i64) -> Result<AccountRow, LedgerError> {
    let (balance_minor, dust): (i64, String) =
        sqlx::query_as("select balance_minor, dust_base from accounts where id = $1")
            .bind(id)
            .fetch_one(&mut *db)
            .await?;
    Ok(AccountRow { balance_minor, dust_base: base(&dust)? })
}

/// Adds `delta` if the balance is within `from..=to`; says whether it did.
pub(super) async fn add_to_balance(
    db: &mut Db,
    id: i64,
    delta: i64,
    from: i64,
    to: i64,
) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "update accounts set balance_minor = balance_minor + $2 \
         where id = $1 and balance_minor >= $3 and balance_minor <= $4",
    )
    .bind(id)
    .bind(delta)
    .bind(from)
    .bind(to)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_exact_balance(db: &mut Db, id: i64, row: AccountRow) -> Result<(), LedgerError> {
    sqlx::query("update accounts set balance_minor = $2, dust_base = $3 where id = $1")
        .bind(id)
        .bind(row.balance_minor)
        .bind(row.dust_base.to_string())
        .execute(&mut *db)
        .await?;
    Ok(())
}

pub(super) async fn last_transfer(db: &mut Db) -> Result<i64, LedgerError> {
    Ok(sqlx::query_scalar("select coalesce(max(id), 0) from transfers").fetch_one(&mut *db).await?)
}

/// Number and moment of the newest event; zeros before the first.
pub(super) async fn newest_transfer(db: &mut Db) -> Result<(i64, UnixMillis), sqlx::Error> {
    let row = sqlx::query_as("select id, made_at from transfers order by id desc limit 1");
    Ok(row.fetch_optional(&mut *db).await?.unwrap_or_default())
}

/// Says whether the event is new.
pub(super) async fn insert_transfer(
    db: &mut Db,
    id: i64,
    posting: &Posting,
    now: UnixMillis,
) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "insert into transfers (id, kind, reference, made_at, note, made_by) values ($1, $2, $3, $4, $5, $6) \
         on conflict (kind, reference) do nothing",
    )
    .bind(id)
    .bind(posting.kind)
    .bind(&posting.reference)
    .bind(now)
    .bind(posting.note.as_deref())
    .bind(posting.made_by.as_deref())
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn insert_entry(
    db: &mut Db,
    transfer: i64,
    line: i64,
    account: i64,
    entry: &Entry,
) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into entries (transfer_id, line, account_id, side, amount_minor, amount_base) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(transfer)
    .bind(line)
    .bind(account)
    .bind(entry.side.name())
    .bind(entry.amount.get())
    .bind(entry.amount_base.map(|base| base.to_string()))
    .execute(&mut *db)
    .await?;
    Ok(())
}

pub(super) async fn insert_hold(db: &mut Db, hold: &Hold, now: UnixMillis) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into holds (id, owner, asset, amount_minor, state, made_at) values ($1, $2, $3, $4, 'held', $5)",
    )
    .bind(&hold.id)
    .bind(&hold.user)
    .bind(hold.asset.as_str())
    .bind(hold.amount.get())
    .bind(now)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// A hold and its state.
pub async fn hold(db: &mut Db, id: &str) -> Result<Option<(Hold, String)>, LedgerError> {
    let row: Option<(String, String, i64, String)> =
        sqlx::query_as("select owner, asset, amount_minor, state from holds where id = $1")
            .bind(id)
            .fetch_optional(&mut *db)
            .await?;
    let Some((user, asset, amount, state)) = row else { return Ok(None) };
    let hold = Hold { id: id.to_owned(), user, asset: asset_code(&asset)?, amount: MinorUnits::new(amount) };
    Ok(Some((hold, state)))
}

/// Ends a hold that is still held; says whether it was.
pub(super) async fn end_hold(
    db: &mut Db,
    id: &str,
    state: &str,
    now: UnixMillis,
) -> Result<bool, LedgerError> {
    let done = sqlx::query("update holds set state = $2, ended_at = $3 where id = $1 and state = 'held'")
        .bind(id)
        .bind(state)
        .bind(now)
        .execute(&mut *db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What is stored beside an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredOnce {
    /// Digest of the request that was carried out, lower-case hex.
    pub request_digest: String,
    /// What it was answered.
    pub answer: Answer,
}

/// A new idempotency record's row.
#[derive(Clone, Copy, Debug)]
pub struct OnceLine<'a> {
    /// Whose key.
    pub owner: &'a str,
    /// The key.
    pub key: &'a str,
    /// Digest of the whole request, lower-case hex.
    pub request_digest: &'a str,
    /// HTTP status of the answer.
    pub status: u16,
    /// The answer's JSON.
    pub body: &'a str,
}

/// What is stored beside a key, if it was used.
pub async fn once(db: &mut Db, owner: &str, key: &str) -> Result<Option<StoredOnce>, LedgerError> {
    let row: Option<(String, i64, String)> = sqlx::query_as(
        "select request_digest, status, body from idempotency_keys where owner = $1 and idempotency_key = $2",
    )
    .bind(owner)
    .bind(key)
    .fetch_optional(db)
    .await?;
    let Some((request_digest, status, body)) = row else { return Ok(None) };
    let status = u16::try_from(status)
        .map_err(|_| LedgerError::Corrupt { what: format!("stored status {status}") })?;
    Ok(Some(StoredOnce { request_digest, answer: Answer { status, body } }))
}

/// Stores an answer beside its key, for ever.
pub async fn insert_once(db: &mut Db, row: &OnceLine<'_>, now: UnixMillis) -> Result<(), LedgerError> {
    sqlx::query(
        "insert into idempotency_keys (owner, idempotency_key, request_digest, status, body, made_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(row.owner)
    .bind(row.key)
    .bind(row.request_digest)
    .bind(i64::from(row.status))
    .bind(row.body)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn next_item(db: &mut Db) -> Result<(i64, i64), LedgerError> {
    Ok(sqlx::query_as(
        "update item_sequence set last_number = last_number + 1 where only_row = 1 returning epoch, last_number",
    )
    .fetch_one(&mut *db)
    .await?)
}

/// A user's balances, one per asset that ever moved, by asset.
pub async fn balances_of(db: &mut Db, user: &str) -> Result<Vec<Balance>, LedgerError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select asset, cast(sum(case when kind = 'user_available' then balance_minor else 0 end) as bigint), \
         cast(sum(case when kind = 'user_held' then balance_minor else 0 end) as bigint) \
         from accounts where owner = $1 and kind in ('user_available', 'user_held') group by asset order by asset",
    )
    .bind(user)
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(asset, available, held)| {
            Ok(Balance {
                asset: asset_code(&asset)?,
                available: MinorUnits::new(available),
                held: MinorUnits::new(held),
            })
        })
        .collect()
}

/// Every reserve account, by network, wallet and asset.
pub async fn reserves(db: &mut Db) -> Result<Vec<ReserveBalance>, LedgerError> {
    let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(
        "select network, wallet, asset, balance_minor, dust_base from accounts \
         where kind = 'reserve' order by network, wallet, asset",
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(network, wallet, asset, balance_minor, dust)| {
            Ok(ReserveBalance { network, wallet, asset, balance_minor, dust_base: base(&dust)? })
        })
        .collect()
}

pub(super) fn base(text: &str) -> Result<BaseUnits, LedgerError> {
    text.parse().map_err(|_| LedgerError::Corrupt { what: format!("base units {text:?}") })
}

pub(super) fn asset_code(text: &str) -> Result<AssetCode, LedgerError> {
    text.parse().map_err(|_| LedgerError::Corrupt { what: format!("asset code {text:?}") })
}

/// Has this address ever been one of our wallets (a reserve account exists for it)?
pub async fn is_own_wallet(db: &mut Db, wallet: airlock_shared::Address) -> Result<bool, LedgerError> {
    let found: i64 = sqlx::query_scalar(
        "select count(*) from accounts where kind = 'reserve' and network = $1 and wallet = $2",
    )
    .bind(wallet.network().to_string())
    .bind(wallet.to_string())
    .fetch_one(&mut *db)
    .await?;
    Ok(found > 0)
}

/// An account's row, for the export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountLine {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// Owner's id, or empty.
    pub owner: String,
    /// CAIP-2 name, or empty.
    pub network: String,
    /// Address, or empty.
    pub wallet: String,
    /// The asset's code.
    pub asset: String,
    /// The side on which it grows.
    pub side: String,
    /// Minor units, on that side.
    pub balance_minor: i64,
    /// Base units below one minor unit.
    pub dust_base: BaseUnits,
}

/// A transfer's row, for the export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferLine {
    /// Its number.
    pub id: i64,
    /// What happened.
    pub kind: String,
    /// Which one.
    pub reference: String,
    /// When, Unix milliseconds.
    pub made_at: UnixMillis,
    /// A person's words about it.
    pub note: Option<String>,
}

/// An entry's row with its account's asset, for the export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryLine {
    /// Its transfer.
    pub transfer: i64,
    /// Its account.
    pub account: i64,
    /// That account's asset.
    pub asset: String,
    /// Debit or credit.
    pub side: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Base units, on accounts that count them.
    pub amount_base: Option<BaseUnits>,
}

/// Assets with the ledger's decimals, by code.
pub async fn asset_scales(db: &mut Db) -> Result<Vec<(String, i64)>, LedgerError> {
    Ok(sqlx::query_as("select code, decimals from assets order by code").fetch_all(db).await?)
}

/// Assets with the decimals of each network, by network and asset.
pub async fn network_scales(db: &mut Db) -> Result<Vec<(String, String, i64)>, LedgerError> {
    let rows =
        sqlx::query_as("select asset, network, base_decimals from asset_networks order by network, asset");
    Ok(rows.fetch_all(db).await?)
}

/// The next accounts above an id.
pub async fn accounts_after(db: &mut Db, id: i64, limit: i64) -> Result<Vec<AccountLine>, LedgerError> {
    type Row = (i64, String, String, String, String, String, String, i64, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select id, kind, owner, network, wallet, asset, side, balance_minor, dust_base from accounts \
         where id > $1 order by id limit $2",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let read = |(id, kind, owner, network, wallet, asset, side, balance_minor, dust): Row| {
        let dust_base = base(&dust)?;
        Ok(AccountLine { id, kind, owner, network, wallet, asset, side, balance_minor, dust_base })
    };
    rows.into_iter().map(read).collect()
}

/// The next transfers above an id.
pub async fn transfers_after(db: &mut Db, id: i64, limit: i64) -> Result<Vec<TransferLine>, LedgerError> {
    let rows: Vec<(i64, String, String, i64, Option<String>)> = sqlx::query_as(
        "select id, kind, reference, made_at, note from transfers where id > $1 order by id limit $2",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let read = |(id, kind, reference, made_at, note)| TransferLine { id, kind, reference, made_at, note };
    Ok(rows.into_iter().map(read).collect())
}

/// The entries of the transfers from one id to another, in their order.
pub async fn entries_between(db: &mut Db, first: i64, last: i64) -> Result<Vec<EntryLine>, LedgerError> {
    type Row = (i64, i64, String, String, i64, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select e.transfer_id, e.account_id, a.asset, e.side, e.amount_minor, e.amount_base from entries e \
         join accounts a on a.id = e.account_id where e.transfer_id between $1 and $2 \
         order by e.transfer_id, e.line",
    )
    .bind(first)
    .bind(last)
    .fetch_all(db)
    .await?;
    let read = |(transfer, account, asset, side, amount_minor, exact): Row| {
        let amount_base = exact.as_deref().map(base).transpose()?;
        Ok(EntryLine { transfer, account, asset, side, amount_minor, amount_base })
    };
    rows.into_iter().map(read).collect()
}
