//! SQL of attempts and of every transaction id they have had.
//!
//! Called by batches inside the writer's commit. The unique indexes repeat the rules; inserts use `on conflict do
//! nothing`, so that a conflict is an answer ([`WithdrawalError::LiveAttempt`]) and not a failed statement.

use super::WithdrawalError;
use super::attempt::AttemptState;
use crate::chain::TxId;
use crate::clock::UnixMillis;
use crate::db::rows::{Cell, Kind, Rows};
use crate::db::{Db, Dialect};
use crate::ledger::LedgerError;
use airlock_shared::{Address, BaseUnits, Digest, Network};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use std::collections::HashMap;

/// What kills an attempt that was never mined: an account nonce (EVM) or an expiration (TRON).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// The EVM account nonce it uses.
    AccountNonce(u64),
    /// TRON's expiration, Unix milliseconds of chain time.
    ExpiresAt(UnixMillis),
}

/// One attempt's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Random id.
    pub id: String,
    /// The withdrawal it pays.
    pub withdrawal_id: String,
    /// The batch it is in.
    pub batch_id: String,
    /// The request that asked for the withdrawal, empty if none did.
    pub request_id: String,
    /// Its place in that batch.
    pub item_index: i64,
    /// Where.
    pub network: Network,
    /// From which of our wallets.
    pub source: Address,
    /// What bounds its life.
    pub bound: Bound,
    /// Digest of the unsigned transaction (what is signed): 32 bytes.
    pub unsigned_digest: Digest,
    /// Where it stands.
    pub state: AttemptState,
    /// The transaction id in force (of the level last sent or included).
    pub tx_id: Option<String>,
    /// Signed bytes of that transaction.
    pub signed_bytes: Option<Vec<u8>>,
    /// Block that has it.
    pub included_height: Option<u64>,
    /// Fee paid, in the native coin's base units.
    pub fee_base: Option<BaseUnits>,
    /// When it was built.
    pub made_at: UnixMillis,
    /// When it last changed.
    pub changed_at: UnixMillis,
}

impl Attempt {
    /// The transaction id as explorers of its network spell it, once there is one.
    pub fn shown_tx_id(&self) -> Option<String> {
        let tx_id = self.tx_id.as_deref()?;
        Some(TxId::parse(tx_id).map_or_else(|| tx_id.to_owned(), |id| id.shown_on(self.network)))
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, withdrawal_id, batch_id, request_id, item_index, network, source, account_nonce, expires_at_ms, \
             unsigned_digest, state, tx_id, signed_bytes, included_height, fee_base, made_at, changed_at from attempts ",
            $rest
        )
    };
}

/// Writes a new attempt in state `built`. Refused when the withdrawal has a live one or the nonce is taken.
pub async fn insert(db: &mut Db, row: &Attempt) -> Result<(), WithdrawalError> {
    let (nonce, expires) = match row.bound {
        Bound::AccountNonce(nonce) => (Some(stored(nonce, "account nonce")?), None),
        Bound::ExpiresAt(at) => (None, Some(at)),
    };
    let done = sqlx::query(
        "insert into attempts (id, withdrawal_id, batch_id, request_id, item_index, network, source, account_nonce, \
         expires_at_ms, unsigned_digest, state, may_be_signed, made_at, changed_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'built', 0, $11, $11) on conflict do nothing",
    )
    .bind(&row.id)
    .bind(&row.withdrawal_id)
    .bind(&row.batch_id)
    .bind(&row.request_id)
    .bind(row.item_index)
    .bind(row.network.to_string())
    .bind(row.source.to_string())
    .bind(nonce)
    .bind(expires)
    .bind(row.unsigned_digest.to_string())
    .bind(row.made_at)
    .execute(db)
    .await?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(WithdrawalError::LiveAttempt {
            what: "one live attempt per withdrawal and per account nonce",
        }),
    }
}

/// Moves an attempt on, `where state = from`.
pub async fn step(
    db: &mut Db,
    id: &str,
    from: AttemptState,
    to: AttemptState,
    now: UnixMillis,
) -> Result<(), WithdrawalError> {
    let to = from.step(to)?;
    let done = sqlx::query(
        "update attempts set state = $3, changed_at = $4, \
         may_be_signed = case when state = 'built' and $5 = 1 then 1 else may_be_signed end \
         where id = $1 and state = $2",
    )
    .bind(id)
    .bind(from.name())
    .bind(to.name())
    .bind(now)
    .bind(i64::from(to == AttemptState::Exported))
    .execute(db)
    .await?;
    changed_one(done.rows_affected(), id, from)
}

/// Stores signed bytes and transaction id before anything is sent: exported becomes signed.
pub async fn store_signed(
    db: &mut Db,
    id: &str,
    tx_id: &str,
    signed_bytes: &[u8],
    now: UnixMillis,
) -> Result<(), WithdrawalError> {
    let (from, to) = (AttemptState::Exported, AttemptState::Exported.step(AttemptState::Signed)?);
    let done = sqlx::query(
        "update attempts set state = $3, tx_id = $4, signed_bytes = $5, changed_at = $6 where id = $1 and state = $2",
    )
    .bind(id)
    .bind(from.name())
    .bind(to.name())
    .bind(tx_id)
    .bind(hex::encode(signed_bytes))
    .bind(now)
    .execute(db)
    .await?;
    changed_one(done.rows_affected(), id, from)
}

/// Records one of an attempt's transactions (a fee level, a reissue). A transaction id belongs to one attempt for ever.
pub async fn insert_transaction(
    db: &mut Db,
    attempt: &Attempt,
    level: i64,
    tx_id: &str,
    signed_bytes: &[u8],
    now: UnixMillis,
) -> Result<(), WithdrawalError> {
    let done = sqlx::query(
        "insert into attempt_transactions (network, tx_id, attempt_id, level, signed_bytes, made_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (network, tx_id) do nothing",
    )
    .bind(attempt.network.to_string())
    .bind(tx_id)
    .bind(&attempt.id)
    .bind(level)
    .bind(hex::encode(signed_bytes))
    .bind(now)
    .execute(db)
    .await?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(WithdrawalError::LiveAttempt { what: "a transaction id belongs to one attempt" }),
    }
}

/// Sent or signed becomes included at `height`, by the transaction `tx_id`, with the fee it paid.
pub async fn set_included(
    db: &mut Db,
    attempt: &Attempt,
    tx_id: &str,
    height: u64,
    fee_base: BaseUnits,
    now: UnixMillis,
) -> Result<(), WithdrawalError> {
    let to = attempt.state.step(AttemptState::Included)?;
    let done = sqlx::query(
        "update attempts set state = $3, tx_id = $4, included_height = $5, fee_base = $6, changed_at = $7 \
         where id = $1 and state = $2",
    )
    .bind(&attempt.id)
    .bind(attempt.state.name())
    .bind(to.name())
    .bind(tx_id)
    .bind(stored(height, "height")?)
    .bind(fee_base.to_string())
    .bind(now)
    .execute(db)
    .await?;
    changed_one(done.rows_affected(), &attempt.id, attempt.state)
}

/// One attempt.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Attempt>, WithdrawalError> {
    let row = sqlx::query(columns!("where id = $1")).bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// The attempts of a withdrawal, oldest first.
pub async fn of_withdrawal(db: &mut Db, withdrawal: &str) -> Result<Vec<Attempt>, WithdrawalError> {
    let rows = sqlx::query(columns!("where withdrawal_id = $1 order by made_at, id"))
        .bind(withdrawal)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Transaction ids in force of many withdrawals, as explorers spell them: those of their live attempts.
pub async fn live_tx_ids(
    db: &mut Db,
    dialect: Dialect,
    withdrawals: impl Iterator<Item = &str>,
) -> Result<HashMap<String, String>, WithdrawalError> {
    let mut rows = Rows::new(dialect, &[("id", Kind::Text)]);
    withdrawals.for_each(|id| rows.push(&[Cell::Text(id)]));
    // The states are those of the index, word by word, so that SQLite uses it.
    let found: Vec<(String, String, String)> = rows
        .fetch(
            db,
            "select a.withdrawal_id, a.network, a.tx_id from {rows} join attempts a on a.withdrawal_id = v.id \
             where a.state in ('built', 'exported', 'signed', 'sent', 'included', 'final') and a.tx_id is not null",
        )
        .await?;
    let shown =
        |network: &str, tx_id: &str| Some(TxId::parse(tx_id)?.shown_on(network.parse::<Network>().ok()?));
    Ok(found
        .into_iter()
        .map(|(id, network, tx_id)| {
            let shown = shown(&network, &tx_id);
            (id, shown.unwrap_or(tx_id))
        })
        .collect())
}

/// The attempts of every withdrawal from one item id to another, oldest first, for the export.
pub async fn of_items(db: &mut Db, (first, last): (i64, i64)) -> Result<Vec<Attempt>, WithdrawalError> {
    let rows = sqlx::query(columns!(
        "where withdrawal_id in (select id from withdrawals where item_id between $1 and $2) \
         order by made_at, id"
    ))
    .bind(first)
    .bind(last)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Attempt, level and transaction id of everything signed for those items, lowest level first.
pub async fn transactions_of_items(
    db: &mut Db,
    (first, last): (i64, i64),
) -> Result<Vec<(String, i64, String)>, WithdrawalError> {
    Ok(sqlx::query_as(
        "select t.attempt_id, t.level, t.tx_id from attempt_transactions t \
         join attempts a on a.id = t.attempt_id join withdrawals w on w.id = a.withdrawal_id \
         where w.item_id between $1 and $2 order by t.attempt_id, t.level, t.tx_id",
    )
    .bind(first)
    .bind(last)
    .fetch_all(db)
    .await?)
}

/// The attempts of a batch, in item order.
pub async fn of_batch(db: &mut Db, batch: &str) -> Result<Vec<Attempt>, WithdrawalError> {
    let rows = sqlx::query(columns!("where batch_id = $1 order by item_index, made_at"))
        .bind(batch)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// The attempts of a network in one state, oldest change first.
pub async fn in_state(
    db: &mut Db,
    network: Network,
    state: AttemptState,
    limit: i64,
) -> Result<Vec<Attempt>, WithdrawalError> {
    let rows = sqlx::query(columns!("where network = $1 and state = $2 order by changed_at, id limit $3"))
        .bind(network.to_string())
        .bind(state.name())
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// The highest account nonce that an attempt of this wallet uses or used, dead ones left out.
pub async fn highest_nonce(db: &mut Db, source: Address) -> Result<Option<u64>, WithdrawalError> {
    let highest: Option<i64> = sqlx::query_scalar(
        "select max(account_nonce) from attempts where network = $1 and source = $2 and state <> 'dead'",
    )
    .bind(source.network().to_string())
    .bind(source.to_string())
    .fetch_one(db)
    .await?;
    Ok(highest.and_then(|nonce| u64::try_from(nonce).ok()))
}

/// Account nonces at or above `from` that attempts of this wallet use or used, dead ones left out, ascending. A nonce that a
/// refused batch has given back is free again, or everything behind it would wait for ever.
pub async fn nonces_used(db: &mut Db, source: Address, from: u64) -> Result<Vec<u64>, WithdrawalError> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "select account_nonce from attempts where network = $1 and source = $2 and account_nonce >= $3 \
         and state <> 'dead' order by account_nonce",
    )
    .bind(source.network().to_string())
    .bind(source.to_string())
    .bind(stored(from, "account nonce")?)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|nonce| u64::try_from(nonce).ok()).collect())
}

/// What a live attempt that is not final will take from its wallet, fee not counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFlight {
    /// The attempt's id.
    pub id: String,
    /// What moves.
    pub asset: String,
    /// How much.
    pub amount: BaseUnits,
}

/// Live attempts that pay from this wallet and are not final, in every asset.
pub async fn in_flight(db: &mut Db, source: Address) -> Result<Vec<InFlight>, WithdrawalError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select a.id, w.asset, w.amount_base from attempts a join withdrawals w on w.id = a.withdrawal_id \
         where a.network = $1 and a.source = $2 \
         and a.state in ('built', 'exported', 'signed', 'sent', 'included')",
    )
    .bind(source.network().to_string())
    .bind(source.to_string())
    .fetch_all(db)
    .await?;
    let read = |(id, asset, text): (String, String, String)| {
        let amount =
            text.parse().map_err(|_| LedgerError::Corrupt { what: format!("amount_base {text}") })?;
        Ok(InFlight { id, asset, amount })
    };
    rows.into_iter().map(read).collect()
}

/// Withdrawals on a network that were signed for before and not paid: they wait for a person, because signing them again
/// is a reissue.
pub async fn signed_before(db: &mut Db, network: Network) -> Result<Vec<String>, WithdrawalError> {
    Ok(sqlx::query_scalar(
        "select distinct a.withdrawal_id from attempts a join withdrawals w on w.id = a.withdrawal_id \
         where a.network = $1 and a.tx_id is not null and w.state in ('queued', 'wallet_funded')",
    )
    .bind(network.to_string())
    .fetch_all(db)
    .await?)
}

/// The signer has refused this batch for ever: its attempts were never signed and never will be.
pub async fn never_signed(db: &mut Db, batch: &str) -> Result<(), WithdrawalError> {
    sqlx::query(
        "update attempts set may_be_signed = 0 where batch_id = $1 and state = 'dead' and tx_id is null",
    )
    .bind(batch)
    .execute(db)
    .await?;
    Ok(())
}

/// A batch of this withdrawal that left for the signer and was dropped without its answer, if there is one. Whoever has the
/// signatures could still pay it, unless another transaction at the same account nonce is final.
pub async fn unanswered(db: &mut Db, withdrawal: &str) -> Result<Option<String>, WithdrawalError> {
    Ok(sqlx::query_scalar(
        "select a.batch_id from attempts a where a.withdrawal_id = $1 and a.state = 'dead' and a.tx_id is null \
         and a.may_be_signed = 1 and not exists (select 1 from attempts b where b.network = a.network \
         and b.source = a.source and b.account_nonce = a.account_nonce and b.state in ('final', 'failed_on_chain')) \
         order by a.made_at, a.id limit 1",
    )
    .bind(withdrawal)
    .fetch_optional(db)
    .await?)
}

/// Withdrawals on a network that left for a wallet and were dropped without an answer, as [`unanswered`] has it, each with
/// the batch in which it left.
pub async fn left_unanswered(
    db: &mut Db,
    network: Network,
) -> Result<Vec<(String, String)>, WithdrawalError> {
    Ok(sqlx::query_as(
        "select distinct a.withdrawal_id, a.batch_id from attempts a \
         join withdrawals w on w.id = a.withdrawal_id \
         where a.network = $1 and a.state = 'dead' and a.tx_id is null and a.may_be_signed = 1 \
         and w.state in ('queued', 'wallet_funded') \
         and not exists (select 1 from attempts b where b.network = a.network and b.source = a.source \
         and b.account_nonce = a.account_nonce and b.state in ('final', 'failed_on_chain'))",
    )
    .bind(network.to_string())
    .fetch_all(db)
    .await?)
}

/// Does another attempt that is not dead use this attempt's account nonce?
pub async fn nonce_is_taken(db: &mut Db, attempt: &Attempt) -> Result<bool, WithdrawalError> {
    let Bound::AccountNonce(nonce) = attempt.bound else { return Ok(false) };
    let others: i64 = sqlx::query_scalar(
        "select count(*) from attempts where network = $1 and source = $2 and account_nonce = $3 \
         and id <> $4 and state <> 'dead'",
    )
    .bind(attempt.network.to_string())
    .bind(attempt.source.to_string())
    .bind(stored(nonce, "account nonce")?)
    .bind(&attempt.id)
    .fetch_one(db)
    .await?;
    Ok(others > 0)
}

/// Every signed transaction of an attempt: level, transaction id, bytes; lowest level first.
pub async fn transactions_of(
    db: &mut Db,
    attempt: &str,
) -> Result<Vec<(i64, String, Vec<u8>)>, WithdrawalError> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "select level, tx_id, signed_bytes from attempt_transactions where attempt_id = $1 order by level",
    )
    .bind(attempt)
    .fetch_all(db)
    .await?;
    let read = |(level, tx_id, bytes): (i64, String, String)| {
        let bytes = hex::decode(bytes)
            .map_err(|_| LedgerError::Corrupt { what: format!("signed bytes of transaction {tx_id}") })?;
        Ok((level, tx_id, bytes))
    };
    rows.into_iter().map(read).collect()
}

fn stored(number: u64, what: &'static str) -> Result<i64, WithdrawalError> {
    i64::try_from(number).map_err(|_| LedgerError::Corrupt { what: format!("{what} {number}") }.into())
}

fn changed_one(rows: u64, id: &str, expected: AttemptState) -> Result<(), WithdrawalError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(WithdrawalError::Raced { id: id.to_owned(), expected: expected.name() })
    }
}

fn read(row: &AnyRow) -> Result<Attempt, WithdrawalError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<Option<i64>, _>(column);
    let id = text("id")?;
    let corrupt = |column: &str| LedgerError::Corrupt { what: format!("{column} of attempt {id}") };
    let unsigned = |found: Option<i64>, column: &str| {
        found.map(|number| u64::try_from(number).map_err(|_| corrupt(column))).transpose()
    };
    let network: Network = text("network")?.parse().map_err(|_| corrupt("network"))?;
    let bound = match (unsigned(number("account_nonce")?, "account_nonce")?, number("expires_at_ms")?) {
        (Some(nonce), _) => Bound::AccountNonce(nonce),
        (None, Some(at)) => Bound::ExpiresAt(at),
        (None, None) => return Err(corrupt("bound").into()),
    };
    let signed: Option<String> = row.try_get("signed_bytes")?;
    let fee: Option<String> = row.try_get("fee_base")?;
    Ok(Attempt {
        withdrawal_id: text("withdrawal_id")?,
        batch_id: text("batch_id")?,
        request_id: text("request_id")?,
        item_index: row.try_get("item_index")?,
        network,
        source: Address::parse(network, &text("source")?).map_err(|_| corrupt("source"))?,
        bound,
        unsigned_digest: Digest::from_hex(&text("unsigned_digest")?).ok_or_else(|| corrupt("digest"))?,
        state: AttemptState::from_name(&text("state")?).ok_or_else(|| corrupt("state"))?,
        tx_id: row.try_get("tx_id")?,
        signed_bytes: signed
            .map(|text| hex::decode(text).map_err(|_| corrupt("signed bytes")))
            .transpose()?,
        included_height: unsigned(number("included_height")?, "included_height")?,
        fee_base: fee.map(|text| text.parse().map_err(|_| corrupt("fee"))).transpose()?,
        made_at: row.try_get("made_at")?,
        changed_at: row.try_get("changed_at")?,
        id,
    })
}
