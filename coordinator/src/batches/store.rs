//! SQL of batches, their transitions, approvals, bundles, replies, timestamp ranges and sends.
//!
//! Only `batches` names these tables. Functions take the open connection; those that write run inside the writer's commit.
//! Contents are kept as canonical CBOR, documents as their binary spelling, both in hex: what is read back is what was
//! frozen. What must stay true: a state changes `where state = expected`, and is recorded.

use super::BatchError;
use super::state::{Event, State};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::{AssetCode, LedgerError, Unit};
use crate::pairing::store::{from_stored, to_stored};
use crate::people::Reach;
use airlock_shared::approval::Approval;
use airlock_shared::batch::{Content, Kind};
use airlock_shared::envelope::{Bundle, Replies, Reply};
use airlock_shared::form;
use airlock_shared::identity::Identity;
use airlock_shared::{Address, BaseUnits, Digest, Network};
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// One batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Its id, 32 hex digits; the same as in its content.
    pub id: String,
    /// Its signer's partner: whose withdrawals it pays and whose people see it.
    pub partner: String,
    /// What it does.
    pub kind: Kind,
    /// Where.
    pub network: Network,
    /// What moves.
    pub asset: AssetCode,
    /// The wallet that pays.
    pub source: Address,
    /// Whose key that is.
    pub signer: Identity,
    /// Digest of the policy it refers to.
    pub policy: Digest,
    /// Where it stands.
    pub state: State,
    /// Digest of its content.
    pub content_digest: Digest,
    /// How many items.
    pub item_count: i64,
    /// Sum of the amounts.
    pub amount_base: BaseUnits,
    /// After this nothing is signed.
    pub expires_at_ms: UnixMillis,
    /// The bundle it left in, and its place there.
    pub bundle: Option<(String, i64)>,
    /// Why it stands where it stands.
    pub why: String,
    /// Who made it.
    pub made_by: String,
    /// The request that made it, empty if none is known.
    pub request_id: String,
    /// When.
    pub made_at: UnixMillis,
    /// When its state last changed.
    pub changed_at: UnixMillis,
}

/// One recorded transition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transition {
    /// 1, 2, 3 …
    pub number: i64,
    /// State before.
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

/// A sealed bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedBundle {
    /// Random id.
    pub id: String,
    /// What crosses the gap.
    pub bundle: Bundle,
    /// The eight words of its review.
    pub words: String,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, partner_id, kind, network, asset, source, signer, policy, state, content_digest, item_count, amount_base, \
             expires_at_ms, bundle_id, bundle_place, why, made_by, request_id, made_at, changed_at from batches ",
            $rest
        )
    };
}

fn corrupt(what: impl Into<String>) -> BatchError {
    LedgerError::Corrupt { what: what.into() }.into()
}

/// Writes a new batch in state `draft`.
pub async fn insert(db: &mut Db, row: &Batch, content: &Content) -> Result<(), BatchError> {
    sqlx::query(
        "insert into batches (id, kind, network, asset, source, signer, policy, state, content_digest, content, \
         item_count, amount_base, expires_at_ms, why, made_by, request_id, made_at, changed_at, partner_id) \
         values ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17)",
    )
    .bind(&row.id)
    .bind(row.kind.word())
    .bind(row.network.to_string())
    .bind(row.asset.as_str())
    .bind(row.source.to_string())
    .bind(row.signer.to_string())
    .bind(row.policy.to_string())
    .bind(row.content_digest.to_string())
    .bind(hex::encode(form::to_cbor(content)))
    .bind(row.item_count)
    .bind(row.amount_base.to_string())
    .bind(row.expires_at_ms)
    .bind(&row.why)
    .bind(&row.made_by)
    .bind(&row.request_id)
    .bind(row.made_at)
    .bind(&row.partner)
    .execute(db)
    .await?;
    Ok(())
}

/// Moves a batch through `event` and records who and why.
pub async fn transition(
    unit: &mut Unit,
    batch: &Batch,
    event: Event,
    who: &str,
    why: &str,
) -> Result<Batch, BatchError> {
    let (to, now) = (batch.state.next(event)?, unit.now());
    let done =
        sqlx::query("update batches set state = $3, why = $4, changed_at = $5 where id = $1 and state = $2")
            .bind(&batch.id)
            .bind(batch.state.name())
            .bind(to.name())
            .bind(why)
            .bind(now)
            .execute(unit.db())
            .await?;
    if done.rows_affected() != 1 {
        return Err(BatchError::Raced { batch: batch.id.clone(), expected: batch.state });
    }
    sqlx::query(
        "insert into batch_transitions (batch_id, number, from_state, to_state, event, who, why, made_at) \
         select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 from batch_transitions where batch_id = $1",
    )
    .bind(&batch.id)
    .bind(batch.state.name())
    .bind(to.name())
    .bind(event.name())
    .bind(who)
    .bind(why)
    .bind(now)
    .execute(unit.db())
    .await?;
    Ok(Batch { state: to, why: why.to_owned(), changed_at: now, ..batch.clone() })
}

/// One batch.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Batch>, BatchError> {
    let row = sqlx::query(columns!("where id = $1")).bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// One batch, or the error that there is none.
pub async fn get(db: &mut Db, id: &str) -> Result<Batch, BatchError> {
    find(db, id).await?.ok_or_else(|| BatchError::NotFound { batch: id.to_owned() })
}

/// One batch within reach; a foreign one is a missing one.
pub async fn within(db: &mut Db, reach: &Reach, id: &str) -> Result<Batch, BatchError> {
    let found = find(db, id).await?.filter(|batch| reach.covers_partner(&batch.partner));
    found.ok_or_else(|| BatchError::NotFound { batch: id.to_owned() })
}

/// The batch with this content.
pub async fn of_content(db: &mut Db, digest: &Digest) -> Result<Option<Batch>, BatchError> {
    let row = sqlx::query(columns!("where content_digest = $1"))
        .bind(digest.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(read).transpose()
}

/// A partner's batches (empty: everybody's) in a state (empty: all), newest first, those behind `before`.
pub async fn list(
    db: &mut Db,
    partner: &str,
    state: &str,
    before: Option<(UnixMillis, &str)>,
    limit: i64,
) -> Result<Vec<Batch>, BatchError> {
    let (at, id) = before.unwrap_or((UnixMillis::MAX, ""));
    let rows = sqlx::query(columns!(
        "where ($1 = '' or state = $1) and ($2 = '' or partner_id = $2) \
         and (made_at < $3 or (made_at = $3 and id < $4)) order by made_at desc, id desc limit $5"
    ))
    .bind(state)
    .bind(partner)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// Signed and broadcasting batches of a network, in the order in which they must be sent.
pub async fn under_way(db: &mut Db, network: Network) -> Result<Vec<Batch>, BatchError> {
    let rows = sqlx::query(columns!(
        "where network = $1 and state in ('signed', 'broadcasting') order by made_at, bundle_place, id"
    ))
    .bind(network.to_string())
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// The batches of a bundle, in its order.
pub async fn of_bundle(db: &mut Db, bundle: &str) -> Result<Vec<Batch>, BatchError> {
    let rows = sqlx::query(columns!("where bundle_id = $1 order by bundle_place"))
        .bind(bundle)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Batches that nobody has seen outside and whose time has run out.
pub async fn overdue(db: &mut Db, now: UnixMillis) -> Result<Vec<Batch>, BatchError> {
    let rows = sqlx::query(columns!(
        "where state in ('draft', 'awaiting_approval') and expires_at_ms <= $1 order by made_at limit 100"
    ))
    .bind(now)
    .fetch_all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// The frozen content of a batch.
pub async fn content(db: &mut Db, id: &str) -> Result<Content, BatchError> {
    let stored: String =
        sqlx::query_scalar("select content from batches where id = $1").bind(id).fetch_one(db).await?;
    let bytes = hex::decode(stored).map_err(|_| corrupt(format!("content of batch {id}")))?;
    form::from_cbor("content", &bytes).map_err(|error| corrupt(format!("content of batch {id}: {error}")))
}

/// Every transition of a batch, in order.
pub async fn history(db: &mut Db, id: &str) -> Result<Vec<Transition>, BatchError> {
    let rows: Vec<(i64, String, String, String, String, String, i64)> = sqlx::query_as(
        "select number, from_state, to_state, event, who, why, made_at from batch_transitions \
         where batch_id = $1 order by number",
    )
    .bind(id)
    .fetch_all(db)
    .await?;
    let read =
        |(number, from, to, event, who, why, at_ms)| Transition { number, from, to, event, who, why, at_ms };
    Ok(rows.into_iter().map(read).collect())
}

/// The next batches above an id, in the order of ids, for the export.
pub async fn page_after(db: &mut Db, id: &str, limit: i64) -> Result<Vec<Batch>, BatchError> {
    let rows = sqlx::query(columns!("where id > $1 order by id limit $2"))
        .bind(id)
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Adds a person's approval; false if they approved before by the same method.
pub async fn insert_approval(
    db: &mut Db,
    batch: &str,
    approval: &Approval,
    by: &str,
    now: UnixMillis,
) -> Result<bool, BatchError> {
    let done = sqlx::query(
        "insert into batch_approvals (batch_id, person, method, approval, brought_by, made_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(batch)
    .bind(approval.person.as_str())
    .bind(approval.proof.method())
    .bind(hex::encode(form::to_cbor(approval)))
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The approvals of a batch, by person; who approved by a passkey and by a device counts by the device.
pub async fn approvals(db: &mut Db, batch: &str) -> Result<Vec<Approval>, BatchError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "select approval from batch_approvals where batch_id = $1 order by person, method",
    )
    .bind(batch)
    .fetch_all(db)
    .await?;
    let read = |stored: String| {
        let bytes = hex::decode(stored).map_err(|_| corrupt(format!("approval of batch {batch}")))?;
        form::from_cbor("approval", &bytes)
            .map_err(|error| corrupt(format!("approval of batch {batch}: {error}")))
    };
    let mut approvals: Vec<Approval> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    // The database's collation may differ from byte order.
    approvals.sort_by(|a, b| (&a.person, a.proof.method()).cmp(&(&b.person, b.proof.method())));
    approvals.dedup_by(|second, first| second.person == first.person);
    Ok(approvals)
}

/// Writes a sealed bundle.
pub async fn insert_bundle(
    db: &mut Db,
    row: &SealedBundle,
    by: &str,
    now: UnixMillis,
) -> Result<(), BatchError> {
    sqlx::query("insert into bundles (id, sealed, words, made_by, made_at) values ($1, $2, $3, $4, $5)")
        .bind(&row.id)
        .bind(to_stored(&row.bundle))
        .bind(&row.words)
        .bind(by)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Puts a batch into a bundle.
pub async fn set_bundle(db: &mut Db, batch: &str, bundle: &str, place: i64) -> Result<(), BatchError> {
    sqlx::query("update batches set bundle_id = $2, bundle_place = $3 where id = $1 and bundle_id is null")
        .bind(batch)
        .bind(bundle)
        .bind(place)
        .execute(db)
        .await?;
    Ok(())
}

/// A sealed bundle.
pub async fn bundle(db: &mut Db, id: &str) -> Result<Option<SealedBundle>, BatchError> {
    let row: Option<(String, String)> =
        sqlx::query_as("select sealed, words from bundles where id = $1").bind(id).fetch_optional(db).await?;
    let Some((sealed, words)) = row else { return Ok(None) };
    Ok(Some(SealedBundle { id: id.to_owned(), bundle: from_stored(&sealed)?, words }))
}

/// Keeps a signer's answer to a batch.
pub async fn insert_reply(
    db: &mut Db,
    batch: &str,
    reply: &Reply,
    by: &str,
    now: UnixMillis,
) -> Result<(), BatchError> {
    let signer = reply.receipt.signer().to_string();
    sqlx::query(
        "insert into batch_replies (batch_id, signer, reply, brought_by, made_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(batch)
    .bind(signer)
    .bind(to_stored(&Replies { replies: vec![reply.clone()] }))
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// What the signers answered to a batch, by signer.
pub async fn replies(db: &mut Db, batch: &str) -> Result<Vec<Reply>, BatchError> {
    let rows: Vec<String> =
        sqlx::query_scalar("select reply from batch_replies where batch_id = $1 order by signer")
            .bind(batch)
            .fetch_all(db)
            .await?;
    let mut replies = Vec::with_capacity(rows.len());
    for stored in rows {
        replies.extend(from_stored::<Replies>(&stored)?.replies);
    }
    Ok(replies)
}

/// Where the newest timestamp range of a TRON source ends, Unix milliseconds.
pub async fn timestamps_end(db: &mut Db, source: Address) -> Result<Option<UnixMillis>, BatchError> {
    Ok(sqlx::query_scalar("select max(end_ms) from timestamp_ranges where network = $1 and source = $2")
        .bind(source.network().to_string())
        .bind(source.to_string())
        .fetch_one(db)
        .await?)
}

/// Gives the timestamps `first_ms .. end_ms` to a batch; `previous_end_ms` is what [`timestamps_end`] said. A range that
/// overlaps another breaks a constraint.
pub async fn insert_timestamps(
    db: &mut Db,
    source: Address,
    first_ms: UnixMillis,
    end_ms: UnixMillis,
    previous_end_ms: Option<UnixMillis>,
    batch: &str,
) -> Result<(), BatchError> {
    sqlx::query(
        "insert into timestamp_ranges (network, source, first_ms, end_ms, previous_end_ms, batch_id) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(source.network().to_string())
    .bind(source.to_string())
    .bind(first_ms)
    .bind(end_ms)
    .bind(previous_end_ms)
    .bind(batch)
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that an attempt's bytes were sent and what was answered.
pub async fn note_sent(db: &mut Db, attempt: &str, answer: &str, now: UnixMillis) -> Result<(), BatchError> {
    sqlx::query(
        "insert into sends (attempt_id, sends, last_sent_at, last_answer) values ($1, 1, $2, $3) \
         on conflict (attempt_id) do update set sends = sends.sends + 1, last_sent_at = excluded.last_sent_at, \
         last_answer = excluded.last_answer",
    )
    .bind(attempt)
    .bind(now)
    .bind(answer)
    .execute(db)
    .await?;
    Ok(())
}

/// When and with which answer the attempts of a batch were last sent.
pub async fn sends(db: &mut Db, batch: &str) -> Result<Vec<(String, i64, UnixMillis, String)>, BatchError> {
    Ok(sqlx::query_as(
        "select s.attempt_id, s.sends, s.last_sent_at, s.last_answer from sends s \
         join attempts a on a.id = s.attempt_id where a.batch_id = $1",
    )
    .bind(batch)
    .fetch_all(db)
    .await?)
}

fn read(row: &AnyRow) -> Result<Batch, BatchError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let id = text("id")?;
    let bad = |column: &str| corrupt(format!("{column} of batch {id}"));
    let network: Network = text("network")?.parse().map_err(|_| bad("network"))?;
    let bundle: Option<String> = row.try_get("bundle_id")?;
    let place: Option<i64> = row.try_get("bundle_place")?;
    Ok(Batch {
        partner: text("partner_id")?,
        kind: Kind::from_word(&text("kind")?).ok_or_else(|| bad("kind"))?,
        network,
        asset: text("asset")?.parse().map_err(|_| bad("asset"))?,
        source: Address::parse(network, &text("source")?).map_err(|_| bad("source"))?,
        signer: Identity::from_hex(&text("signer")?).ok_or_else(|| bad("signer"))?,
        policy: Digest::from_hex(&text("policy")?).ok_or_else(|| bad("policy"))?,
        state: State::from_name(&text("state")?).ok_or_else(|| bad("state"))?,
        content_digest: Digest::from_hex(&text("content_digest")?).ok_or_else(|| bad("content_digest"))?,
        item_count: number("item_count")?,
        amount_base: text("amount_base")?.parse().map_err(|_| bad("amount_base"))?,
        expires_at_ms: number("expires_at_ms")?,
        bundle: bundle.zip(place),
        why: text("why")?,
        made_by: text("made_by")?,
        request_id: text("request_id")?,
        made_at: number("made_at")?,
        changed_at: number("changed_at")?,
        id,
    })
}
