//! SQL of withdrawals, their transitions and approvals.
//!
//! Functions take the open connection. States change only through `withdrawals::transition`, which calls
//! `change_state`; that updates `where state = expected` and says whether a row changed.

use super::WithdrawalError;
use super::state::State;
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::{AssetCode, LedgerError};
use airlock_shared::{Address, BaseUnits, ItemId, MinorUnits, Network};
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// A withdrawal's row, in types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Withdrawal {
    /// Public id; also the id of its hold.
    pub id: String,
    /// Its number in batches and in the signer's journal.
    pub item_id: ItemId,
    /// The user's partner.
    pub partner: String,
    /// Whose money.
    pub user: String,
    /// `user:…`, `key:…` or `person:…`.
    pub requested_by: String,
    /// The request that asked for it, empty if none did; it goes with it through batch, outbox and broadcast.
    pub request_id: String,
    /// Where it is paid.
    pub network: Network,
    /// In what.
    pub asset: AssetCode,
    /// To whom.
    pub destination: Address,
    /// What the recipient gets, ledger units.
    pub amount: MinorUnits,
    /// The same in the contract's units.
    pub amount_base: BaseUnits,
    /// Charged on top, ledger units.
    pub fee: MinorUnits,
    /// On-chain memo (TRON).
    pub memo: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Raised when amount, destination or fee change; approvals name it.
    pub revision: i64,
    /// The batch it is in, if any.
    pub batch_id: Option<String>,
    /// When it was requested.
    pub made_at: UnixMillis,
    /// When its state last changed.
    pub changed_at: UnixMillis,
}

/// One recorded transition.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Transition {
    /// 1, 2, 3 …
    pub number: i64,
    /// State before; empty for the first.
    pub from: String,
    /// State after.
    pub to: String,
    /// What happened.
    pub event: String,
    /// Who did it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When, Unix milliseconds.
    pub at_ms: UnixMillis,
}

/// A transition about to be recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) event: &'a str,
    pub(super) who: &'a str,
    pub(super) why: &'a str,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, item_id, partner_id, user_id, requested_by, request_id, network, asset, destination, amount_minor, \
             amount_base, fee_minor, memo, state, revision, batch_id, made_at, changed_at from withdrawals ",
            $rest
        )
    };
}

/// Writes a new withdrawal.
pub async fn insert(db: &mut Db, row: &Withdrawal) -> Result<(), WithdrawalError> {
    let item = i64::try_from(row.item_id.number())
        .map_err(|_| LedgerError::Corrupt { what: format!("item id {}", row.item_id) })?;
    sqlx::query(
        "insert into withdrawals (id, item_id, partner_id, user_id, requested_by, request_id, network, asset, \
         destination, amount_minor, amount_base, fee_minor, memo, state, revision, batch_id, made_at, changed_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(&row.id)
    .bind(item)
    .bind(&row.partner)
    .bind(&row.user)
    .bind(&row.requested_by)
    .bind(&row.request_id)
    .bind(row.network.to_string())
    .bind(row.asset.as_str())
    .bind(row.destination.to_string())
    .bind(row.amount.get())
    .bind(row.amount_base.to_string())
    .bind(row.fee.get())
    .bind(row.memo.as_deref())
    .bind(row.state.name())
    .bind(row.revision)
    .bind(row.batch_id.as_deref())
    .bind(row.made_at)
    .bind(row.changed_at)
    .execute(db)
    .await?;
    Ok(())
}

/// One withdrawal.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Withdrawal>, WithdrawalError> {
    let row = sqlx::query(columns!("where id = $1")).bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// How many withdrawals are in each state that is not an end. The index by state answers it, however long the history is.
pub async fn open_by_state(db: &mut Db) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select state, count(*) from withdrawals where state in ('pending', 'approved', 'queued', 'wallet_funded', \
         'processing', 'signing', 'signed', 'energy_requested', 'energy_received', 'broadcasting', 'broadcasted', \
         'confirming') group by state order by state",
    )
    .fetch_all(db)
    .await
}

/// The withdrawals of a batch, by item id.
pub async fn of_batch(db: &mut Db, batch_id: &str) -> Result<Vec<Withdrawal>, WithdrawalError> {
    let rows =
        sqlx::query(columns!("where batch_id = $1 order by item_id")).bind(batch_id).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Queued on a network (wallet_funded included), oldest first.
pub async fn queued_on(
    db: &mut Db,
    network: Network,
    limit: i64,
    offset: i64,
) -> Result<Vec<Withdrawal>, WithdrawalError> {
    let rows = sqlx::query(columns!(
        "where state in ('queued', 'wallet_funded') and network = $1 order by made_at, item_id limit $2 offset $3"
    ))
    .bind(network.to_string())
    .bind(limit)
    .bind(offset)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Whose withdrawals a history shows.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Everybody's.
    All,
    /// Those of a partner's users.
    Partner(&'a str),
    /// One user's.
    User(&'a str),
}

/// The newest withdrawals behind a place (moment, id), in the order of `made_at` and id; in one state and on one network where
/// those are not empty.
pub async fn newest_before(
    db: &mut Db,
    whose: Whose<'_>,
    (state, network): (&str, &str),
    before: (UnixMillis, &str),
    limit: i64,
) -> Result<Vec<Withdrawal>, WithdrawalError> {
    let (query, owner) = match whose {
        Whose::All => (
            sqlx::query(columns!(
                "where made_at <= $1 and (made_at < $1 or id < $2) and ($4 = '' or state = $4) \
                 and ($5 = '' or network = $5) order by made_at desc, id desc limit $3"
            )),
            None,
        ),
        Whose::Partner(partner) => (
            sqlx::query(columns!(
                "where made_at <= $1 and (made_at < $1 or id < $2) and ($4 = '' or state = $4) \
                 and ($5 = '' or network = $5) and partner_id = $6 order by made_at desc, id desc limit $3"
            )),
            Some(partner),
        ),
        Whose::User(user) => (
            sqlx::query(columns!(
                "where made_at <= $1 and (made_at < $1 or id < $2) and ($4 = '' or state = $4) \
                 and ($5 = '' or network = $5) and user_id = $6 order by made_at desc, id desc limit $3"
            )),
            Some(user),
        ),
    };
    let query = query.bind(before.0).bind(before.1).bind(limit).bind(state).bind(network);
    let query = match owner {
        Some(owner) => query.bind(owner),
        None => query,
    };
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// The next withdrawals above an item id, in the order of item ids, for the export.
pub async fn page_after(db: &mut Db, item: i64, limit: i64) -> Result<Vec<Withdrawal>, WithdrawalError> {
    let rows = sqlx::query(columns!("where item_id > $1 order by item_id limit $2"))
        .bind(item)
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn change_state(
    db: &mut Db,
    id: &str,
    expected: State,
    to: State,
    now: UnixMillis,
) -> Result<bool, WithdrawalError> {
    let done = sqlx::query("update withdrawals set state = $3, changed_at = $4 where id = $1 and state = $2")
        .bind(id)
        .bind(expected.name())
        .bind(to.name())
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a withdrawal into a batch, or takes it out.
pub async fn set_batch(db: &mut Db, id: &str, batch_id: Option<&str>) -> Result<(), WithdrawalError> {
    sqlx::query("update withdrawals set batch_id = $2 where id = $1")
        .bind(id)
        .bind(batch_id)
        .execute(db)
        .await?;
    Ok(())
}

/// Records a transition; its number.
pub(super) async fn insert_transition(
    db: &mut Db,
    id: &str,
    step: &Step<'_>,
    now: UnixMillis,
) -> Result<i64, WithdrawalError> {
    Ok(sqlx::query_scalar(
        "insert into withdrawal_transitions (withdrawal_id, number, from_state, to_state, event, who, why, made_at) \
         select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 from withdrawal_transitions \
         where withdrawal_id = $1 returning number",
    )
    .bind(id)
    .bind(step.from)
    .bind(step.to)
    .bind(step.event)
    .bind(step.who)
    .bind(step.why)
    .bind(now)
    .fetch_one(db)
    .await?)
}

/// Every transition of a withdrawal, in order.
pub async fn history(db: &mut Db, id: &str) -> Result<Vec<Transition>, WithdrawalError> {
    let rows: Vec<(i64, String, String, String, String, String, i64)> = sqlx::query_as(
        "select number, from_state, to_state, event, who, why, made_at from withdrawal_transitions \
         where withdrawal_id = $1 order by number",
    )
    .bind(id)
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(number, from, to, event, who, why, at_ms)| Transition {
            number,
            from,
            to,
            event,
            who,
            why,
            at_ms,
        })
        .collect())
}

/// Records an operator's approval of a revision; false if it was there.
pub(super) async fn insert_approval(
    db: &mut Db,
    id: &str,
    operator: &str,
    revision: i64,
    now: UnixMillis,
) -> Result<bool, WithdrawalError> {
    let done = sqlx::query(
        "insert into withdrawal_approvals (withdrawal_id, operator_id, revision, made_at) values ($1, $2, $3, $4) \
         on conflict (withdrawal_id, operator_id, revision) do nothing",
    )
    .bind(id)
    .bind(operator)
    .bind(revision)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Withdrawal, WithdrawalError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let id = text("id")?;
    let corrupt = |column: &str| LedgerError::Corrupt { what: format!("{column} of withdrawal {id}") };
    let network: Network = text("network")?.parse().map_err(|_| corrupt("network"))?;
    Ok(Withdrawal {
        item_id: ItemId::new(u64::try_from(number("item_id")?).map_err(|_| corrupt("item_id"))?),
        partner: text("partner_id")?,
        user: text("user_id")?,
        requested_by: text("requested_by")?,
        request_id: text("request_id")?,
        network,
        asset: text("asset")?.parse().map_err(|_| corrupt("asset"))?,
        destination: Address::parse(network, &text("destination")?).map_err(|_| corrupt("destination"))?,
        amount: MinorUnits::new(number("amount_minor")?),
        amount_base: text("amount_base")?.parse().map_err(|_| corrupt("amount_base"))?,
        fee: MinorUnits::new(number("fee_minor")?),
        memo: row.try_get("memo")?,
        state: State::from_name(&text("state")?).ok_or_else(|| corrupt("state"))?,
        revision: number("revision")?,
        batch_id: row.try_get("batch_id")?,
        made_at: number("made_at")?,
        changed_at: number("changed_at")?,
        id,
    })
}
