//! SQL of adjustments. Nobody else names this table.

use super::{Against, Direction, Proposal};
use crate::clock::UnixMillis;
use crate::db::Db;
use crate::ledger::LedgerError;
use airlock_shared::MinorUnits;
use sqlx::AssertSqlSafe;

/// Where an adjustment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for another person.
    Proposed,
    /// Booked.
    Approved,
    /// Will never be booked.
    Rejected,
}

impl State {
    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Proposed, Self::Approved, Self::Rejected].into_iter().find(|state| state.name() == name)
    }
}

/// Who decided, when, with which words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// Who.
    pub by: String,
    /// When.
    pub at: UnixMillis,
    /// Their words, or empty.
    pub words: String,
}

/// An adjustment.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Its id.
    pub id: String,
    /// What was proposed.
    pub proposal: Proposal,
    /// Where it stands.
    pub state: State,
    /// By whom.
    pub proposed_by: String,
    /// When.
    pub made_at: UnixMillis,
    /// The decision, once there is one.
    pub decided: Option<Decided>,
}

/// Adds a proposal.
pub async fn insert(db: &mut Db, row: &Adjustment) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into adjustments (id, partner_id, user_id, asset, direction, against, amount_minor, reason, state, \
         proposed_by, made_at) values ($1, $2, $3, $4, $5, $6, $7, $8, 'proposed', $9, $10)",
    )
    .bind(&row.id)
    .bind(&row.proposal.partner)
    .bind(&row.proposal.user)
    .bind(row.proposal.asset.as_str())
    .bind(row.proposal.direction.name())
    .bind(row.proposal.against.name())
    .bind(row.proposal.amount.get())
    .bind(&row.proposal.reason)
    .bind(&row.proposed_by)
    .bind(row.made_at)
    .execute(db)
    .await
    .map(|_| ())
}

/// Decides what is still proposed; says whether it was.
pub async fn decide(
    db: &mut Db,
    id: &str,
    state: State,
    by: &str,
    words: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update adjustments set state = $2, decided_by = $3, decided_at = $4, decision = $5 \
         where id = $1 and state = 'proposed'",
    )
    .bind(id)
    .bind(state.name())
    .bind(by)
    .bind(now)
    .bind(words)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

type Row = (
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    i64,
    String,
    String,
    String,
    i64,
    Option<String>,
    Option<i64>,
    Option<String>,
);

const COLUMNS: &str = "id, partner_id, user_id, asset, direction, against, amount_minor, reason, state, proposed_by, \
                       made_at, decided_by, decided_at, decision";

/// One adjustment.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Adjustment>, LedgerError> {
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(format!("select {COLUMNS} from adjustments where id = $1")))
            .bind(id)
            .fetch_optional(db)
            .await?;
    row.map(read).transpose()
}

/// Adjustments of a partner (empty: of all) in a state (empty: in any), the newest first, below a place.
pub async fn page(
    db: &mut Db,
    partner: &str,
    state: &str,
    before: Option<(UnixMillis, &str)>,
    limit: i64,
) -> Result<Vec<Adjustment>, LedgerError> {
    let (at, id) = before.unwrap_or((i64::MAX, ""));
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from adjustments where ($1 = '' or partner_id = $1) and ($2 = '' or state = $2) \
         and (made_at < $3 or (made_at = $3 and id < $4)) order by made_at desc, id desc limit $5"
    )))
    .bind(partner)
    .bind(state)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Adjustment, LedgerError> {
    let (
        id,
        partner,
        user,
        asset,
        direction,
        against,
        amount,
        reason,
        state,
        proposed_by,
        made_at,
        by,
        at,
        words,
    ) = row;
    let corrupt = |what: &str| LedgerError::Corrupt { what: format!("adjustment {id}: {what}") };
    let proposal = Proposal {
        partner,
        user,
        asset: asset.parse().map_err(|_| corrupt("its asset"))?,
        direction: Direction::from_name(&direction).ok_or_else(|| corrupt("its direction"))?,
        against: Against::from_name(&against).ok_or_else(|| corrupt("its other side"))?,
        amount: MinorUnits::new(amount),
        reason,
    };
    let state = State::from_name(&state).ok_or_else(|| corrupt("its state"))?;
    let decided = by.zip(at).map(|(by, at)| Decided { by, at, words: words.unwrap_or_default() });
    Ok(Adjustment { id, proposal, state, proposed_by, made_at, decided })
}
