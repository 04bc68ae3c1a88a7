//! Partners, their users and people, and how the API knows who asks.
//!
//! `api/auth.rs` turns a request's credential into a [`Caller`]; `permission.rs` says what it may do. The house is a
//! tenant like any partner, except that its people see everyone's data. What must stay true: a foreign object looks like a
//! missing one; an inactive person, user or partner has no access from the next request on.

pub mod access;
pub mod create;
pub mod directory;
pub mod error;
pub mod http;
pub mod invitation;
pub mod lock_out;
pub mod login;
pub mod passkey;
pub mod password;
pub mod permission;
pub mod role_change;
pub mod second_factor;
pub mod session;
pub mod store;
pub mod tenants;
pub mod token;

pub use access::Access;
pub use directory::{Directory, Member};
pub use error::AccessError;
pub use permission::{Permission, Reach, Role, Roles, Scope, Scopes};

use std::fmt;

/// The partner row that stands for the house itself: its users are those who signed up.
pub const HOUSE: &str = "house";

/// Whose people and data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tenant {
    /// Us: sees everyone's.
    House,
    /// A partner: sees its own only.
    Partner(String),
}

impl Tenant {
    /// The tenant whose partner row has this id.
    pub fn of(partner: &str) -> Self {
        if partner == HOUSE { Self::House } else { Self::Partner(partner.to_owned()) }
    }

    /// The id of its partner row.
    pub fn partner(&self) -> &str {
        match self {
            Self::House => HOUSE,
            Self::Partner(id) => id,
        }
    }
}

/// Whoever can log in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// An end user.
    User(String),
    /// One of the house's or a partner's people.
    Person(String),
}

impl Subject {
    /// As tables spell it.
    pub fn of(kind: &str, id: String) -> Option<Self> {
        match kind {
            "user" => Some(Self::User(id)),
            "person" => Some(Self::Person(id)),
            _ => None,
        }
    }

    /// `user` or `person`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Person(_) => "person",
        }
    }

    /// The id alone.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Person(id) => id,
        }
    }
}

impl fmt::Display for Subject {
    /// `person:alice`, as a [`Caller`] of theirs is spelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.id())
    }
}

/// Roles as tables keep them: names in alphabetical order, with commas.
pub fn role_words(roles: &Roles) -> String {
    let mut names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    names.sort_unstable();
    names.join(",")
}

/// Reads roles back; an unknown name is an error.
pub fn roles_of_words(words: &str) -> Result<Roles, AccessError> {
    let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
    let role = |word: &str| {
        Role::from_name(word).ok_or_else(|| AccessError::Role { found: word.chars().take(32).collect() })
    };
    words.map(role).collect()
}

/// Whoever makes a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A partner's own system, by an API key.
    Key {
        /// The key's id.
        id: String,
        /// The partner's id.
        partner: String,
        /// What the key was made for.
        scopes: Scopes,
    },
    /// An end user, logged in.
    User {
        /// The user's id.
        id: String,
        /// Their partner's id.
        partner: String,
        /// Was a second factor given within the last minutes?
        stepped_up: bool,
    },
    /// One of a partner's people, or of ours, logged in with a second factor.
    Person {
        /// A person id, as batches and policies spell it.
        id: String,
        /// Whose.
        tenant: Tenant,
        /// What they do here.
        roles: Roles,
        /// Was a second factor given within the last minutes?
        stepped_up: bool,
    },
}

impl Caller {
    /// The id alone.
    pub fn id(&self) -> &str {
        match self {
            Self::Key { id, .. } | Self::User { id, .. } | Self::Person { id, .. } => id,
        }
    }

    /// Whose idempotency keys it uses: a partner's survive the rotation of its API keys.
    pub fn idempotency_owner(&self) -> String {
        match self {
            Self::Key { partner, .. } => format!("partner:{partner}"),
            Self::User { .. } | Self::Person { .. } => self.to_string(),
        }
    }

    /// Is it one of the house's people?
    pub const fn is_house(&self) -> bool {
        matches!(self, Self::Person { tenant: Tenant::House, .. })
    }
}

impl fmt::Display for Caller {
    /// `person:alice`, as transitions and audit rows name whoever did something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Key { .. } => "key",
            Self::User { .. } => "user",
            Self::Person { .. } => "person",
        };
        write!(f, "{kind}:{}", self.id())
    }
}
