//! Manual adjustments (L9): a reasoned credit or debit, proposed by one person and approved by another.
//!
//! ```text
//! proposed -> approved (booked in the same commit) | rejected
//! ```
//! `http.rs` calls [`propose`] and [`decide`] inside the writer's commit. What must stay true: whoever proposed it never decides it, in
//! code and in the table; it is booked at most once, as one posting whose note is the reason, so every statement shows it; a
//! partner's people move only between their own users and their own partner account.

pub mod http;
pub mod store;

use crate::audit::{self, Action, By};
use crate::db::random_id;
use crate::ledger::{Account, AssetCode, LedgerError, Posting, Unit};
use airlock_shared::MinorUnits;
use serde_json::{Value, json};
use store::{Adjustment, State};

/// The posting's kind in the ledger.
pub const KIND: &str = "adjustment";

/// Which way it goes for the user or partner it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(as = AdjustmentDirection)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// They get it.
    Credit,
    /// It is taken from them.
    Debit,
}

/// What stands on the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The company's capital.
    Capital,
    /// Fees earned.
    FeesEarned,
    /// What arrived without an owner.
    Suspense,
    /// The user's own partner.
    Partner,
}

impl Direction {
    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
        }
    }

    /// The direction of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Credit, Self::Debit].into_iter().find(|direction| direction.name() == name)
    }
}

impl Against {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Capital, Self::FeesEarned, Self::Suspense, Self::Partner];

    /// As the table spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capital => "capital",
            Self::FeesEarned => "fees_earned",
            Self::Suspense => "suspense",
            Self::Partner => "partner",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|against| against.name() == name)
    }
}

/// What somebody proposes.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The partner it is about, or whose user it is about.
    pub partner: String,
    /// The user; `None`: the partner itself.
    pub user: Option<String>,
    /// In what.
    pub asset: AssetCode,
    /// Which way.
    pub direction: Direction,
    /// The other side.
    pub against: Against,
    /// How much, above zero.
    pub amount: MinorUnits,
    /// Why; everybody concerned reads it.
    pub reason: String,
}

/// Why a proposal or decision was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdjustmentError {
    /// No such adjustment, or not within reach.
    #[error("no adjustment {id}")]
    NotFound {
        /// Its id.
        id: String,
    },
    /// A partner's people decided about what is not their partner's alone.
    #[error("a partner's people decide only what stands between its users and its own account")]
    NotTheirs,
    /// Proposer and decider are one person.
    #[error("whoever proposed it does not decide it")]
    OwnProposal,
    /// Decided before, the other way.
    #[error("it is already {state}")]
    Decided {
        /// How.
        state: &'static str,
    },
    /// The ledger: not enough there, mostly.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Writes a proposal.
pub async fn propose(unit: &mut Unit, by: &By, proposal: Proposal) -> Result<Adjustment, AdjustmentError> {
    let id = random_id().map_err(|error| LedgerError::Corrupt { what: format!("randomness: {error}") })?;
    let row = Adjustment {
        id,
        proposal,
        state: State::Proposed,
        proposed_by: by.who.clone(),
        made_at: unit.now(),
        decided: None,
    };
    store::insert(unit.db(), &row).await?;
    audit::record(unit, by, Action::AdjustmentPropose, &row.id, Value::Null, in_words(&row)).await?;
    Ok(row)
}

/// Does it touch the house's own accounts? Then only the house's people propose and decide it: whoever gains by it
/// must not be the second person.
pub fn is_the_houses(against: Against) -> bool {
    against != Against::Partner
}

/// Approves (and books) or rejects a proposal. Deciding the same again by anybody changes nothing.
pub async fn decide(
    unit: &mut Unit,
    by: &By,
    found: Adjustment,
    state: State,
    words: &str,
) -> Result<Adjustment, AdjustmentError> {
    if found.state == state {
        return Ok(found);
    }
    if found.state != State::Proposed {
        return Err(AdjustmentError::Decided { state: found.state.name() });
    }
    if found.proposed_by == by.who {
        return Err(AdjustmentError::OwnProposal);
    }
    let before = in_words(&found);
    let now = unit.now();
    if !store::decide(unit.db(), &found.id, state, &by.who, words, now).await? {
        return Err(AdjustmentError::Decided { state: "decided" });
    }
    if state == State::Approved {
        unit.post(posting(&found, &by.who)).await?;
    }
    let decided = Some(store::Decided { by: by.who.clone(), at: now, words: words.to_owned() });
    let row = Adjustment { state, decided, ..found };
    let action = if state == State::Approved { Action::AdjustmentApprove } else { Action::AdjustmentReject };
    audit::record(unit, by, action, &row.id, before, in_words(&row)).await?;
    Ok(row)
}

/// The one posting of an approved adjustment.
fn posting(row: &Adjustment, approver: &str) -> Posting {
    let Proposal { partner, user, asset, direction, against, amount, reason } = &row.proposal;
    let partners = || Account::Partner { partner: partner.clone(), asset: asset.clone() };
    let subject = user.as_ref().map_or_else(partners, |user| Account::available(user, asset));
    let other = match against {
        Against::Capital => Account::Capital(asset.clone()),
        Against::FeesEarned => Account::FeesEarned(asset.clone()),
        Against::Suspense => Account::Suspense(asset.clone()),
        Against::Partner => partners(),
    };
    // All of these grow on the credit side.
    let (debit, credit) = match direction {
        Direction::Credit => (other, subject),
        Direction::Debit => (subject, other),
    };
    Posting::new(KIND, row.id.clone())
        .minor(debit, credit, *amount)
        .note(reason.clone())
        .made_by(format!("{} and {approver}", row.proposed_by))
}

fn in_words(row: &Adjustment) -> Value {
    let Proposal { partner, user, asset, direction, against, amount, reason } = &row.proposal;
    json!({
        "state": row.state.name(), "partner": partner, "user": user, "asset": asset, "direction": direction.name(),
        "against": against.name(), "amount_minor": amount.to_string(), "reason": reason,
    })
}
