//! Partners and their end users as rows: what `partners` shows and changes of the tables that log-in stands on.
//!
//! Only rows and their SQL; who may do what is decided by `partners`. What must stay true: lists are in the order of
//! (moment, id), newest first; the house is a partner like any other here, and its callers see to it that it is never closed.

pub mod store;

use crate::clock::UnixMillis;

/// A tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartnerRow {
    /// Its id.
    pub id: String,
    /// Its name, of its own.
    pub name: String,
    /// Do its keys, people and users get in?
    pub active: bool,
    /// When it came.
    pub made_at: UnixMillis,
}

/// An end user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub partner: String,
    /// How the partner calls it; who signed up has none.
    pub external_id: Option<String>,
    /// Does it get in, and may money be moved for it?
    pub active: bool,
    /// When it came.
    pub made_at: UnixMillis,
}

/// Which users are looked for.
#[derive(Clone, Default, Debug)]
pub struct UsersAsked {
    /// Only this partner's.
    pub partner: Option<String>,
    /// Only this one.
    pub external_id: Option<String>,
    /// Only those that are active, or that are not.
    pub active: Option<bool>,
}
