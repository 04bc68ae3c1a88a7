//! Partners, their users and our operators, and the bearer tokens by which the API knows them.
//!
//! The command line makes them (`operator create` …); `api/auth.rs` asks [`store::caller_of`]. A token is 256 random
//! bits, shown once; only its SHA-256 is kept. What must stay true: a foreign object looks like a missing
//! one, an inactive person has no access from the next request on.

pub mod create;
pub mod store;

use std::fmt;

/// Whoever makes a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A partner's own system.
    Partner {
        /// The partner's id.
        id: String,
    },
    /// An end user of a partner.
    User {
        /// The user's id.
        id: String,
        /// Their partner's id.
        partner: String,
    },
    /// One of us.
    Operator {
        /// A person id.
        id: String,
    },
}

impl Caller {
    /// The id alone.
    pub fn id(&self) -> &str {
        match self {
            Self::Partner { id } | Self::User { id, .. } | Self::Operator { id } => id,
        }
    }

    /// May this caller see and move this user's money? Operators may see everyone's.
    pub fn may_act_for(&self, user: &str, partner: &str) -> bool {
        match self {
            Self::Partner { id } => id == partner,
            Self::User { id, .. } => id == user,
            Self::Operator { .. } => true,
        }
    }
}

impl fmt::Display for Caller {
    /// `operator:alice`, as transitions and audit rows name people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self {
            Self::Partner { .. } => "partner",
            Self::User { .. } => "user",
            Self::Operator { .. } => "operator",
        };
        write!(f, "{role}:{}", self.id())
    }
}
