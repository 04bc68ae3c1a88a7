//! The history of money: transfers, payments, rewards, adjustments, deposits and withdrawals as one list, newest first (L5).
//!
//! `http.rs` answers pages and single transactions, `export.rs` streams everything; both read through `merge.rs`, which merges
//! `lanes.rs` (one ordered source each: the ledger's events, deposits, withdrawals). No table of its own. What must stay true: a
//! transaction appears once, on whatever page; holds and settlements of a withdrawal are the withdrawal; nobody sees what
//! is not theirs; memory does not grow with the history.

pub mod cursor;
pub mod export;
pub mod filter;
pub mod http;
pub mod lanes;
pub mod merge;

pub use cursor::Position;
pub use filter::Filter;

use crate::clock::UnixMillis;
use crate::deposits::store::DepositRow;
use crate::ledger::AssetCode;
use crate::ledger::statement::{Event, Line};
use crate::withdrawals::Withdrawal;
use airlock_shared::{MinorUnits, Network};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who stands on the other side when it is neither a user, a partner nor an address: the company's own accounts.
pub const HOUSE_SIDE: &str = "house";

/// Whose transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everybody's.
    All,
    /// One partner's: its own and its users'.
    Partner(String),
    /// One user's.
    User(String),
}

/// What kind of transaction it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransactionType)]
pub enum Type {
    /// Arrived from a chain.
    Deposit,
    /// Leaves to a chain.
    Withdrawal,
    /// From user to user.
    Transfer,
    /// From a user to their partner.
    Payment,
    /// From a partner to its user.
    Reward,
    /// Corrected by hand, by two people.
    Adjustment,
    /// Anything else that the books say about this account.
    Other,
}

impl Type {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Transfer => "transfer",
            Self::Payment => "payment",
            Self::Reward => "reward",
            Self::Adjustment => "adjustment",
            Self::Other => "other",
        }
    }

    /// What the ledger's event of this kind is; `None` for the steps of deposits and withdrawals, which have rows of their own.
    fn of_event(kind: &str) -> Option<Self> {
        match kind {
            "deposit" | "hold" | "settle" | "release" => None,
            "transfer" => Some(Self::Transfer),
            "payment" => Some(Self::Payment),
            "reward" => Some(Self::Reward),
            "adjustment" => Some(Self::Adjustment),
            _ => Some(Self::Other),
        }
    }
}

/// Which way the money went, seen from the account that the transaction is shown for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It received.
    In,
    /// It paid.
    Out,
}

impl Direction {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One transaction, seen from one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Its id; of rarer events kind and reference.
    pub id: String,
    /// What it is.
    pub kind: Type,
    /// Where it stands: the state of a deposit or withdrawal, else `completed`.
    pub status: &'static str,
    /// Which way.
    pub direction: Direction,
    /// The user it is shown for; `None` if it is a partner's own.
    pub user: Option<String>,
    /// The partner, if it is its own account.
    pub partner: Option<String>,
    /// In what.
    pub asset: AssetCode,
    /// How much, above zero; `None` while a deposit does not fit the ledger.
    pub amount: Option<MinorUnits>,
    /// A withdrawal's fee, charged on top.
    pub fee: Option<MinorUnits>,
    /// A user, a partner, an address on chain, or [`HOUSE_SIDE`].
    pub counterparty: String,
    /// The chain, where there is one.
    pub network: Option<Network>,
    /// The transaction on chain, once there is one.
    pub tx_id: Option<String>,
    /// Words about it: a transfer's note, an adjustment's reason, a withdrawal's memo.
    pub note: Option<String>,
    /// When it was made, requested or first seen.
    pub made_at: UnixMillis,
}

/// An event as `scope` sees it; `None` if it is no transaction, or touches nobody's account.
///
/// Shown from the user's side, if one is asked for, else from the payer's.
pub fn of_event(event: &Event, scope: &Scope) -> Option<Transaction> {
    let kind = Type::of_event(&event.kind)?;
    let claims = || event.lines.iter().filter(|line| line.is_claim());
    let is_user = |line: &&Line| line.account == "user_available";
    let own = match scope {
        Scope::User(user) => claims().find(|line| is_user(line) && line.owner == *user)?,
        Scope::All | Scope::Partner(_) => claims()
            .find(|line| is_user(line) && !line.credited)
            .or_else(|| claims().find(is_user))
            .or_else(|| claims().next())?,
    };
    let mine =
        |line: &&Line| line.owner == own.owner && line.account == own.account && line.asset == own.asset;
    let signed = |line: &Line| i128::from(line.amount.get()) * if line.credited { 1 } else { -1 };
    let net: i128 = claims().filter(mine).map(signed).sum();
    let amount = i64::try_from(net.checked_abs()?).ok().filter(|amount| *amount > 0).map(MinorUnits::new)?;
    let other = claims().find(|line| !mine(line)).map_or(HOUSE_SIDE, |line| line.owner.as_str());
    let (owner, user_owned) = (own.owner.clone(), is_user(&own));
    Some(Transaction {
        id: id_of(&event.kind, kind, &event.reference),
        kind,
        status: "completed",
        direction: if net < 0 { Direction::Out } else { Direction::In },
        user: user_owned.then(|| owner.clone()),
        partner: (!user_owned).then_some(owner),
        asset: own.asset.clone(),
        amount: Some(amount),
        fee: None,
        counterparty: other.to_owned(),
        network: None,
        tx_id: None,
        note: event.note.clone(),
        made_at: event.made_at,
    })
}

/// References of the kinds that people name are random ids; others need their kind beside them.
fn id_of(kind: &str, known: Type, reference: &str) -> String {
    if known == Type::Other { format!("{kind}:{reference}") } else { reference.to_owned() }
}

/// A deposit.
pub fn of_deposit(row: DepositRow) -> Transaction {
    let network = row.transfer.to.network();
    Transaction {
        id: row.id,
        kind: Type::Deposit,
        status: row.state.name(),
        direction: Direction::In,
        user: Some(row.user_id),
        partner: None,
        asset: row.asset,
        amount: row.amount,
        fee: None,
        counterparty: row.transfer.from.to_string(),
        network: Some(network),
        tx_id: Some(row.transfer.tx_id.shown_on(network)),
        note: None,
        made_at: row.seen_at,
    }
}

/// A withdrawal, with its transaction id in force.
pub fn of_withdrawal(row: Withdrawal, tx_id: Option<String>) -> Transaction {
    Transaction {
        id: row.id,
        kind: Type::Withdrawal,
        status: row.state.name(),
        direction: Direction::Out,
        user: Some(row.user),
        partner: None,
        asset: row.asset,
        amount: Some(row.amount),
        fee: Some(row.fee),
        counterparty: row.destination.to_string(),
        network: Some(row.network),
        tx_id,
        note: row.memo,
        made_at: row.made_at,
    }
}
