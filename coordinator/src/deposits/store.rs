//! The SQL of deposits: what arrived, how far each chain has been read, quarantined logs. Nobody else names these tables; xpubs
//! and addresses are in `address/store.rs`.
//!
//! Functions take the open connection; those that write are called inside the writer's transaction. State changes say which
//! state they expect and answer whether a row changed.

use super::state::State;
use crate::chain::{BlockId, Coin, Header, OddLog, Transfer, TxId};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::AssetCode;
use airlock_shared::{Address, BaseUnits, MinorUnits, Network};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

/// How far the final chain has been read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The last block read.
    pub height: u64,
    /// Its id; `None` before the first block.
    pub id: Option<BlockId>,
    /// Every final block that was read at or below this height said the same at a second provider.
    pub compared_height: u64,
    /// Why nothing more is read or credited; empty while all is well.
    pub halted: String,
}

/// A deposit as the API and `credit` read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DepositRow {
    /// Public id.
    pub id: String,
    /// The event.
    pub transfer: Transfer,
    /// Whose.
    pub user_id: String,
    /// The ledger's asset.
    pub asset: AssetCode,
    /// In ledger units, where it fits.
    pub amount: Option<MinorUnits>,
    /// Its state.
    pub state: State,
    /// Why it is rejected, or waits.
    pub reason: String,
    /// The block's height.
    pub height: u64,
    /// The block.
    pub block_id: BlockId,
    /// The provider that told it first.
    pub told_by: String,
    /// When it was first seen.
    pub seen_at: UnixMillis,
    /// When it was credited.
    pub credited_at: Option<UnixMillis>,
}

/// What is known of a deposit when its block is read.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// A fresh public id, used when the deposit is new.
    pub id: String,
    /// The event.
    pub transfer: Transfer,
    /// Whose.
    pub user_id: String,
    /// The ledger's asset.
    pub asset: AssetCode,
    /// In ledger units, where it fits.
    pub amount: Option<MinorUnits>,
    /// The block.
    pub header: Header,
    /// The provider that told it.
    pub told_by: String,
}

pub(super) fn unreadable(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("deposits: {what} cannot be read back").into())
}

/// Heights and times fit 63 bits for longer than any chain will live; more is a lie that stays a large number.
fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn network_of(row: &AnyRow) -> Result<Network, sqlx::Error> {
    row.try_get::<String, _>("network")?.parse().map_err(|_| unreadable("network"))
}

pub(super) fn address_of(network: Network, text: &str) -> Result<Address, sqlx::Error> {
    Address::parse(network, text).map_err(|_| unreadable("address"))
}

/// How far a network has been read; `None` before the first start.
pub async fn cursor(db: &mut Db, network: Network) -> Result<Option<Cursor>, sqlx::Error> {
    let row: Option<(i64, String, i64, String)> = sqlx::query_as(
        "select height, block_id, compared_height, halted from chain_cursors where network = $1",
    )
    .bind(network.to_string())
    .fetch_optional(&mut *db)
    .await?;
    let Some((height, id, compared, halted)) = row else { return Ok(None) };
    let height = u64::try_from(height).map_err(|_| unreadable("height"))?;
    let compared_height = u64::try_from(compared).map_err(|_| unreadable("compared_height"))?;
    Ok(Some(Cursor { height, id: BlockId::parse(&id), compared_height, halted }))
}

/// How far one network has been read, as health and figures show it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Head {
    /// The network's CAIP-2 id.
    pub network: String,
    /// The last final block that was read.
    pub height: i64,
    /// Why nothing more is read, or empty.
    pub halted: String,
    /// When it moved last, Unix milliseconds.
    pub changed_at: UnixMillis,
}

/// How far every network has been read.
pub async fn heads(db: &mut Db) -> Result<Vec<Head>, sqlx::Error> {
    sqlx::query_as("select network, height, halted, changed_at from chain_cursors order by network")
        .fetch_all(db)
        .await
}

/// How many deposits of each network are in each state that waits for something or somebody.
pub async fn open_by_state(db: &mut Db) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select network, state, count(*) from deposits where state in ('seen', 'confirming', 'suspense') \
         group by network, state order by network, state",
    )
    .fetch_all(db)
    .await
}

/// Records where reading begins; says whether nobody did before.
pub async fn insert_cursor(
    db: &mut Db,
    network: Network,
    cursor: &Cursor,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into chain_cursors (network, height, block_id, compared_height, halted, changed_at) \
         values ($1, $2, $3, $5, '', $4) on conflict (network) do nothing",
    )
    .bind(network.to_string())
    .bind(bigint(cursor.height))
    .bind(cursor.id.map(|id| id.to_string()).unwrap_or_default())
    .bind(now)
    .bind(bigint(cursor.compared_height))
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves the cursor by one block; says whether it stood where the caller thought and nothing is halted. `compared` moves what is
/// compared along with it, unless older blocks still have to be.
pub async fn move_cursor(
    db: &mut Db,
    network: Network,
    from: u64,
    to: &Header,
    compared: bool,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update chain_cursors set height = $3, block_id = $4, changed_at = $5, \
         compared_height = case when $6 = 1 and compared_height = $2 then $3 else compared_height end \
         where network = $1 and height = $2 and halted = ''",
    )
    .bind(network.to_string())
    .bind(bigint(from))
    .bind(bigint(to.height))
    .bind(to.id.to_string())
    .bind(now)
    .bind(i64::from(compared))
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves what is compared by one block that was read before; says whether it stood where the caller thought and nothing is halted.
pub async fn move_compared(
    db: &mut Db,
    network: Network,
    from: u64,
    to: u64,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update chain_cursors set compared_height = $3, changed_at = $4 \
         where network = $1 and compared_height = $2 and height >= $3 and halted = ''",
    )
    .bind(network.to_string())
    .bind(bigint(from))
    .bind(bigint(to))
    .bind(now)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stops reading and crediting on a network until a person clears it. An empty reason clears it.
pub async fn set_halted(
    db: &mut Db,
    network: Network,
    reason: &str,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query("update chain_cursors set halted = $2, changed_at = $3 where network = $1")
        .bind(network.to_string())
        .bind(reason)
        .bind(now)
        .execute(&mut *db)
        .await
        .map(|_| ())
}

/// The newest pending block that was read.
pub async fn newest_pending(db: &mut Db, network: Network) -> Result<Option<(u64, BlockId)>, sqlx::Error> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "select height, block_id from chain_pending_blocks where network = $1 order by height desc limit 1",
    )
    .bind(network.to_string())
    .fetch_optional(&mut *db)
    .await?;
    let Some((height, id)) = row else { return Ok(None) };
    let id = BlockId::parse(&id).ok_or_else(|| unreadable("block id"))?;
    Ok(Some((u64::try_from(height).map_err(|_| unreadable("height"))?, id)))
}

/// Records a pending block.
pub async fn insert_pending(db: &mut Db, network: Network, header: &Header) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into chain_pending_blocks (network, height, block_id) values ($1, $2, $3) \
         on conflict (network, height) do update set block_id = excluded.block_id",
    )
    .bind(network.to_string())
    .bind(bigint(header.height))
    .bind(header.id.to_string())
    .execute(&mut *db)
    .await
    .map(|_| ())
}

/// Forgets a pending block that left the chain.
pub async fn delete_pending(db: &mut Db, network: Network, height: u64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from chain_pending_blocks where network = $1 and height = $2")
        .bind(network.to_string())
        .bind(bigint(height))
        .execute(&mut *db)
        .await
        .map(|_| ())
}

/// Forgets pending blocks at or below what is final now.
pub async fn delete_pending_through(db: &mut Db, network: Network, height: u64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from chain_pending_blocks where network = $1 and height <= $2")
        .bind(network.to_string())
        .bind(bigint(height))
        .execute(&mut *db)
        .await
        .map(|_| ())
}

/// The state of a deposit by its key.
pub async fn state_of(
    db: &mut Db,
    network: Network,
    transfer: &Transfer,
) -> Result<Option<State>, sqlx::Error> {
    let name: Option<String> =
        sqlx::query_scalar("select state from deposits where network = $1 and tx_id = $2 and ordinal = $3")
            .bind(network.to_string())
            .bind(transfer.tx_id.to_string())
            .bind(transfer.ordinal)
            .fetch_optional(&mut *db)
            .await?;
    name.map(|name| State::from_name(&name).ok_or_else(|| unreadable("state"))).transpose()
}

/// Records a deposit for the first time.
pub async fn insert(
    db: &mut Db,
    seen: &Sighting,
    state: State,
    final_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let transfer = &seen.transfer;
    sqlx::query(
        "insert into deposits (id, network, tx_id, ordinal, user_id, address, sender, coin, asset, amount_base, \
         amount_minor, state, reason, height, block_id, block_time, told_by, seen_at, final_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14, $15, $16, $17, $18)",
    )
    .bind(&seen.id)
    .bind(transfer.to.network().to_string())
    .bind(transfer.tx_id.to_string())
    .bind(transfer.ordinal)
    .bind(&seen.user_id)
    .bind(transfer.to.to_string())
    .bind(transfer.from.to_string())
    .bind(transfer.coin.to_string())
    .bind(seen.asset.as_str())
    .bind(transfer.amount.to_string())
    .bind(seen.amount.map(MinorUnits::get))
    .bind(state.name())
    .bind(bigint(seen.header.height))
    .bind(seen.header.id.to_string())
    .bind(bigint(seen.header.time_ms))
    .bind(&seen.told_by)
    .bind(now)
    .bind(final_at)
    .execute(&mut *db)
    .await
    .map(|_| ())
}

/// Writes what the newer sighting says over an older one that is in state `from`; says whether it was.
pub async fn see_again(
    db: &mut Db,
    seen: &Sighting,
    from: State,
    to: State,
    final_at: Option<UnixMillis>,
) -> Result<bool, sqlx::Error> {
    let transfer = &seen.transfer;
    let done = sqlx::query(
        "update deposits set state = $5, user_id = $6, address = $7, sender = $8, coin = $9, asset = $10, \
         amount_base = $11, amount_minor = $12, height = $13, block_id = $14, block_time = $15, told_by = $16, \
         final_at = $17 where network = $1 and tx_id = $2 and ordinal = $3 and state = $4",
    )
    .bind(transfer.to.network().to_string())
    .bind(transfer.tx_id.to_string())
    .bind(transfer.ordinal)
    .bind(from.name())
    .bind(to.name())
    .bind(&seen.user_id)
    .bind(transfer.to.to_string())
    .bind(transfer.from.to_string())
    .bind(transfer.coin.to_string())
    .bind(seen.asset.as_str())
    .bind(transfer.amount.to_string())
    .bind(seen.amount.map(MinorUnits::get))
    .bind(bigint(seen.header.height))
    .bind(seen.header.id.to_string())
    .bind(bigint(seen.header.time_ms))
    .bind(&seen.told_by)
    .bind(final_at)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every deposit still only `seen` at a height from `from` to `through` is orphaned; says how many were.
pub async fn orphan(db: &mut Db, network: Network, from: u64, through: u64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update deposits set state = 'orphaned' \
         where network = $1 and state = 'seen' and height >= $2 and height <= $3",
    )
    .bind(network.to_string())
    .bind(bigint(from))
    .bind(bigint(through))
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected())
}

/// Changes a confirming deposit to `to`; says whether it was confirming.
pub async fn leave_confirming(
    db: &mut Db,
    id: &str,
    to: State,
    reason: &str,
    confirmed_by: Option<&str>,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let credited_at = (to == State::Credited).then_some(now);
    let done = sqlx::query(
        "update deposits set state = $2, reason = $3, confirmed_by = $4, credited_at = $5 \
         where id = $1 and state = 'confirming'",
    )
    .bind(id)
    .bind(to.name())
    .bind(reason)
    .bind(confirmed_by)
    .bind(credited_at)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes beside a confirming deposit why it waits.
pub async fn note_waiting(db: &mut Db, id: &str, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update deposits set reason = $2 where id = $1 and state = 'confirming' and reason <> $2")
        .bind(id)
        .bind(reason)
        .execute(&mut *db)
        .await
        .map(|_| ())
}

impl<'r> FromRow<'r, AnyRow> for DepositRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let network = network_of(row)?;
        let text = |column: &str| row.try_get::<String, _>(column);
        let coin = match text("coin")?.as_str() {
            "native" => Coin::Native,
            contract => Coin::Token(address_of(network, contract)?),
        };
        let transfer = Transfer {
            tx_id: TxId::parse(&text("tx_id")?).ok_or_else(|| unreadable("tx_id"))?,
            ordinal: row.try_get("ordinal")?,
            coin,
            from: address_of(network, &text("sender")?)?,
            to: address_of(network, &text("address")?)?,
            amount: text("amount_base")?.parse::<BaseUnits>().map_err(|_| unreadable("amount_base"))?,
        };
        Ok(Self {
            id: text("id")?,
            transfer,
            user_id: text("user_id")?,
            asset: text("asset")?.parse().map_err(|_| unreadable("asset"))?,
            amount: row.try_get::<Option<i64>, _>("amount_minor")?.map(MinorUnits::new),
            state: State::from_name(&text("state")?).ok_or_else(|| unreadable("state"))?,
            reason: text("reason")?,
            height: u64::try_from(row.try_get::<i64, _>("height")?).map_err(|_| unreadable("height"))?,
            block_id: BlockId::parse(&text("block_id")?).ok_or_else(|| unreadable("block_id"))?,
            told_by: text("told_by")?,
            seen_at: row.try_get("seen_at")?,
            credited_at: row.try_get("credited_at")?,
        })
    }
}

/// Deposits of a network that wait for a second provider: those nobody was asked about first, then by block, so that
/// events only a lying provider knows cannot keep the others waiting.
pub async fn confirming(db: &mut Db, network: Network, at_most: i64) -> Result<Vec<DepositRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, network, tx_id, ordinal, user_id, address, sender, coin, asset, amount_base, amount_minor, state, \
         reason, height, block_id, told_by, seen_at, credited_at from deposits \
         where network = $1 and state = 'confirming' \
         order by case when reason = '' then 0 else 1 end, height, block_id, told_by, tx_id, ordinal limit $2",
    )
    .bind(network.to_string())
    .bind(at_most)
    .fetch_all(&mut *db)
    .await
}

/// The newest deposits behind a place (moment, id) in the order of `seen_at` and id; of one user, or everybody's.
pub async fn newest_before(
    db: &mut Db,
    user: Option<&str>,
    before: (UnixMillis, &str),
    at_most: i64,
) -> Result<Vec<DepositRow>, sqlx::Error> {
    let query = match user {
        Some(user) => sqlx::query_as(
            "select id, network, tx_id, ordinal, user_id, address, sender, coin, asset, amount_base, amount_minor, \
             state, reason, height, block_id, told_by, seen_at, credited_at from deposits \
             where seen_at <= $1 and (seen_at < $1 or id < $2) and user_id = $4 \
             order by seen_at desc, id desc limit $3",
        )
        .bind(before.0)
        .bind(before.1)
        .bind(at_most)
        .bind(user),
        None => sqlx::query_as(
            "select id, network, tx_id, ordinal, user_id, address, sender, coin, asset, amount_base, amount_minor, \
             state, reason, height, block_id, told_by, seen_at, credited_at from deposits \
             where seen_at <= $1 and (seen_at < $1 or id < $2) order by seen_at desc, id desc limit $3",
        )
        .bind(before.0)
        .bind(before.1)
        .bind(at_most),
    };
    query.fetch_all(&mut *db).await
}

/// One deposit.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<DepositRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, network, tx_id, ordinal, user_id, address, sender, coin, asset, amount_base, amount_minor, state, \
         reason, height, block_id, told_by, seen_at, credited_at from deposits where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *db)
    .await
}

/// Records a log that a person must look at; once.
pub async fn quarantine(
    db: &mut Db,
    network: Network,
    height: u64,
    log: &OddLog,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into quarantined_logs (network, tx_id, ordinal, contract, height, what, state, made_at) \
         values ($1, $2, $3, $4, $5, $6, 'open', $7) on conflict (network, tx_id, ordinal) do nothing",
    )
    .bind(network.to_string())
    .bind(log.tx_id.to_string())
    .bind(log.ordinal)
    .bind(log.contract.to_string())
    .bind(bigint(height))
    .bind(&log.what)
    .bind(now)
    .execute(&mut *db)
    .await
    .map(|_| ())
}

/// The highest block read in any view; `None` before the first start.
pub async fn read_through(db: &mut Db, network: Network) -> Result<Option<u64>, sqlx::Error> {
    let pending = newest_pending(db, network).await?.map(|(height, _)| height);
    let read = cursor(db, network).await?.map(|cursor| cursor.height);
    Ok(pending.max(read))
}

/// How many quarantined logs nobody has closed yet.
pub async fn quarantined(db: &mut Db, network: Network) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from quarantined_logs where network = $1 and state = 'open'")
        .bind(network.to_string())
        .fetch_one(&mut *db)
        .await
}
