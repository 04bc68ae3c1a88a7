//! Who did what: one row per action and per sensitive read, in the commit of what it records, never changed (P6).
//!
//! ```text
//! audit::record(unit, &by, Action::WithdrawalApprove, &id, json!({ "state": "pending" }), json!({ "state": "queued" })).await?;
//! ```
//! Capabilities call [`record`] inside the writer's commit, [`read`] before a sensitive answer leaves, `refused` after
//! a refusal; an `Order` carries a [`Row`]. [`By`] is an extractor. Files: `action` (the closed list), `store` (SQL),
//! `chain` (digests), `link` (the worker that chains the rows off the hot path), `verify`, `export`, `http`.
//! What must stay true: no secret, credential, token or password hash in `before` or `after`; numbers have no gap.

pub mod action;
pub mod chain;
pub mod command;
pub mod export;
pub mod http;
pub mod link;
pub mod store;
pub mod verify;

pub use action::Action;
pub use store::write;

use crate::app::App;
use crate::ledger::{LedgerError, Unit};
use crate::people::{Caller, HOUSE};
use serde_json::Value;
use std::net::IpAddr;

/// The longest text of a `before` or `after`, in bytes; anything longer is left out, visibly.
pub const DETAIL_BYTES_MAX: usize = 4096;
/// The longest `who`, `subject` and `address`, in bytes; anything longer is cut.
const NAME_BYTES_MAX: usize = 200;

/// Who acts, from where, in which request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct By {
    /// `person:alice`, `user:ID`, `key:ID`, `system:broadcast`, `command line`, or `nobody`.
    pub who: String,
    /// The partner whose they are; [`HOUSE`] for the house's people and for the program itself.
    pub tenant: String,
    /// The address they came from, empty if they came over no network.
    pub address: String,
    /// The request's id, empty if there was no request.
    pub request_id: String,
}

impl By {
    /// A caller of the API.
    pub fn caller(caller: &Caller, address: Option<IpAddr>, request_id: &str) -> Self {
        let tenant = match caller {
            Caller::Key { partner, .. } | Caller::User { partner, .. } => partner.clone(),
            Caller::Person { tenant, .. } => tenant.partner().to_owned(),
        };
        Self { who: caller.to_string(), tenant, address: shown(address), request_id: request_id.to_owned() }
    }

    /// Somebody who has not shown who they are.
    pub fn nobody(address: Option<IpAddr>, request_id: &str) -> Self {
        Self {
            who: "nobody".to_owned(),
            tenant: HOUSE.to_owned(),
            address: shown(address),
            request_id: request_id.to_owned(),
        }
    }

    /// A worker of this program, such as `broadcast`.
    pub fn system(worker: &str) -> Self {
        Self {
            who: format!("system:{worker}"),
            tenant: HOUSE.to_owned(),
            address: String::new(),
            request_id: String::new(),
        }
    }

    /// Whoever has a shell on the coordinator's host.
    pub fn command_line() -> Self {
        Self { who: "command line".to_owned(), ..Self::system("") }
    }

    /// The same, for a request that a worker acts on now.
    #[must_use]
    pub fn of_request(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.request_id);
        self
    }
}

fn shown(address: Option<IpAddr>) -> String {
    // An IPv4 client of an IPv6 socket is the IPv4 client.
    address.map(|address| address.to_canonical().to_string()).unwrap_or_default()
}

/// One row to be written; the writer gives it its number and moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Who, from where.
    pub by: By,
    /// What.
    pub action: Action,
    /// The id of what it was done to.
    pub subject: String,
    /// What it was before, a small JSON text; empty if there is nothing to say.
    pub before: String,
    /// What it is now.
    pub after: String,
}

impl Row {
    /// A row; `Value::Null` says that there is nothing to say.
    pub fn new(by: &By, action: Action, subject: &str, before: &Value, after: &Value) -> Self {
        let mut by = by.clone();
        cut(&mut by.who);
        let mut subject = subject.to_owned();
        cut(&mut subject);
        Self { by, action, subject, before: detail(before), after: detail(after) }
    }
}

impl Row {
    /// A row of something new whose JSON text the caller has already, no longer than [`DETAIL_BYTES_MAX`].
    pub fn made(by: &By, action: Action, subject: &str, after: String) -> Self {
        Self { by: by.clone(), action, subject: subject.to_owned(), before: String::new(), after }
    }
}

fn cut(text: &mut String) {
    let end = (0..=NAME_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    // PostgreSQL's text holds no zero byte, and a failed statement would undo the action itself.
    text.retain(|c| c != '\0');
}

fn detail(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    let text = value.to_string();
    if text.len() <= DETAIL_BYTES_MAX { text } else { format!(r#"{{"left_out_bytes":{}}}"#, text.len()) }
}

/// Writes the row of an action in the action's own commit.
pub async fn record(
    unit: &mut Unit,
    by: &By,
    action: Action,
    subject: &str,
    before: Value,
    after: Value,
) -> Result<(), LedgerError> {
    let row = Row::new(by, action, subject, &before, &after);
    let now = unit.now();
    store::insert(unit.db(), &row, now).await
}

/// Writes the row of a sensitive read; the answer may leave once this has answered. `asked` says what was looked for.
pub async fn read(
    app: &App,
    by: &By,
    action: Action,
    subject: &str,
    asked: Value,
) -> Result<(), LedgerError> {
    let row = Row::new(by, action, subject, &Value::Null, &asked);
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::insert(unit.db(), &row, now).await
            })
        })
        .await
}
