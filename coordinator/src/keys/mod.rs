//! Partners' API keys and the requests that are signed with them (P4).
//!
//! `sign` is the client's half and the text that is signed, `ring` knows keys and nonces while the program runs, `nonces`
//! remembers what was taken, `store` is the SQL, `http` the routes; `api/signed.rs` verifies requests. The command line calls [`create`]. What must
//! stay true: a secret is shown once and sealed in the database; an ended key takes nothing any more in this process at
//! once, in others within a second; a request is taken at most once by a process.

pub mod http;
pub mod nonces;
pub mod ring;
pub mod sign;
pub mod store;

pub use ring::Ring;
pub use sign::Credential;

use crate::app::App;
use crate::audit::{self, Action, By};
use crate::clock::UnixMillis;
use crate::db;
use crate::home::HomeError;
use crate::ledger::LedgerError;
use crate::people::{self, HOUSE, Reach, Scope, Scopes};
use airlock_shared::Profile;
use ipnet::IpNet;
use serde_json::json;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use zeroize::Zeroizing;

/// Networks that one key may be used from.
pub const NETWORKS_MAX: usize = 64;
/// Keys that one partner may have in force at once.
pub const KEYS_MAX: i64 = 100;
/// How long the old key lives beside its successor, at most.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// What sealed secrets are bound to, besides the key's id.
const PURPOSE: &str = "api key";

/// Settings of signed requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedRequests {
    /// A request stamped longer ago is refused, in seconds.
    pub window_s: u32,
    /// Nonces remembered; beyond that requests are refused until old ones leave the window.
    pub nonces_max: usize,
}

/// Why a key was not made, rotated or ended.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No such partner, or a foreign one.
    #[error("no partner {partner}")]
    NoPartner {
        /// Its id or name.
        partner: String,
    },
    /// The house's people log in.
    #[error("the house has no API keys: its people log in")]
    House,
    /// The partner is closed.
    #[error("partner {partner} is not active")]
    InactivePartner {
        /// Its id.
        partner: String,
    },
    /// A key for nothing.
    #[error("name at least one scope")]
    NoScopes,
    /// The label cannot be used.
    #[error("a label has 1 to 64 characters, no control characters and no outer spaces")]
    Label,
    /// Too many networks.
    #[error("a key may be used from at most {NETWORKS_MAX} networks")]
    Networks,
    /// Money could leave from anywhere.
    #[error("a key with the scope withdraw needs a list of networks from which it may be used")]
    WithdrawFromAnywhere,
    /// Too many keys.
    #[error("a partner may have {KEYS_MAX} keys in force")]
    TooMany,
    /// It would be born dead.
    #[error("the expiry is not in the future")]
    Expiry,
    /// The old key would live too long.
    #[error("the overlap is at most {} seconds", OVERLAP_MAX.as_secs())]
    Overlap,
    /// No such key, or a foreign one.
    #[error("no key {key}")]
    NotFound {
        /// Its id.
        key: String,
    },
    /// It is at its end already.
    #[error("key {key} was ended or rotated before")]
    Ended {
        /// Its id.
        key: String,
    },
    /// The secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] HomeError),
    /// Nothing was written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<getrandom::Error> for KeyError {
    fn from(error: getrandom::Error) -> Self {
        Self::Seal(error.into())
    }
}

/// One key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// `ak_` and 32 hex digits.
    pub id: String,
    /// Whose.
    pub partner: String,
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// From where; empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// The key whose place it took.
    pub replaces: Option<String>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: UnixMillis,
    /// Refused from then on.
    pub expires_at: Option<UnixMillis>,
    /// Refused from then on: ended, or rotated with an overlap.
    pub ends_at: Option<UnixMillis>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
}

impl ApiKey {
    /// The moment from which it is refused, if there is one.
    pub fn ends(&self) -> Option<UnixMillis> {
        self.ends_at.into_iter().chain(self.expires_at).min()
    }

    /// May it be used from this address? An unknown address is in no network.
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        let address = address.map(|address| address.to_canonical());
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
    }
}

/// What a key is wanted for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The partner's id or name.
    pub partner: String,
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// From where; empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// Until when.
    pub expires_at: Option<UnixMillis>,
}

impl Wanted {
    /// A key of `partner` for `scopes`, from anywhere, without an end.
    pub fn new(partner: &str, label: &str, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self {
            partner: partner.to_owned(),
            label: label.to_owned(),
            scopes: scopes.into_iter().collect(),
            networks: Vec::new(),
            expires_at: None,
        }
    }

    fn check(&self, profile: Profile, now: UnixMillis) -> Result<(), KeyError> {
        let fits = (1..=64).contains(&self.label.chars().count());
        if !fits || self.label.chars().any(char::is_control) || self.label.trim() != self.label {
            return Err(KeyError::Label);
        }
        if self.scopes.is_empty() {
            return Err(KeyError::NoScopes);
        }
        if self.networks.len() > NETWORKS_MAX {
            return Err(KeyError::Networks);
        }
        // A captured withdraw key must be worth nothing elsewhere. Development has no addresses worth naming.
        if self.scopes.contains(&Scope::Withdraw) && self.networks.is_empty() && profile != Profile::Dev {
            return Err(KeyError::WithdrawFromAnywhere);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(KeyError::Expiry);
        }
        Ok(())
    }
}

/// A new key with its secret, which is nowhere else in the clear.
#[derive(Clone)]
pub struct MadeKey {
    /// The key.
    pub key: ApiKey,
    /// 64 lower-case hex digits.
    pub secret: Zeroizing<String>,
}

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MadeKey({})", self.key.id)
    }
}

impl MadeKey {
    /// What signs requests with it.
    pub fn credential(&self) -> Option<Credential> {
        Credential::new(&self.key.id, &self.secret)
    }
}

/// A secret and what the row keeps of it.
struct Fresh {
    id: String,
    secret: Zeroizing<String>,
    sealed: String,
}

impl Fresh {
    fn make(app: &App) -> Result<Self, KeyError> {
        let id = format!("ak_{}", db::random_id()?);
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        let sealed = app.keys.seal_key()?.seal(&place(&id), bytes.as_ref())?;
        Ok(Self { id, secret: Zeroizing::new(hex::encode(*bytes)), sealed })
    }
}

/// What a key's sealed secret is bound to.
fn place(id: &str) -> String {
    format!("{PURPOSE} {id}")
}

/// Makes a key. `reach` says whose partners may be named.
pub async fn create(app: &App, wanted: Wanted, reach: &Reach, by: &By) -> Result<MadeKey, KeyError> {
    wanted.check(app.config.profile, app.clock.now())?;
    let Fresh { id, secret, sealed } = Fresh::make(app)?;
    let (reach, by) = (reach.clone(), by.clone());
    let key = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let missing = || KeyError::NoPartner { partner: wanted.partner.clone() };
                let partner = people::store::partner_named(unit.db(), &wanted.partner).await?;
                let partner = partner.ok_or_else(missing)?;
                if !reach.covers_partner(&partner) {
                    return Err(missing());
                }
                if partner == HOUSE {
                    return Err(KeyError::House);
                }
                if !people::store::partner_is_active(unit.db(), &partner).await? {
                    return Err(KeyError::InactivePartner { partner });
                }
                let now = unit.now();
                if store::in_force(unit.db(), &partner, now).await? >= KEYS_MAX {
                    return Err(KeyError::TooMany);
                }
                let key = ApiKey {
                    id,
                    partner,
                    label: wanted.label,
                    scopes: wanted.scopes,
                    networks: wanted.networks,
                    replaces: None,
                    made_by: by.who.clone(),
                    made_at: now,
                    expires_at: wanted.expires_at,
                    ends_at: None,
                    last_used_at: None,
                };
                store::insert(unit.db(), &key, &sealed).await?;
                let after = http::shown_in_audit(&key);
                audit::record(unit, &by, Action::KeyCreate, &key.id, json!(null), after).await?;
                Ok(key)
            })
        })
        .await?;
    Ok(MadeKey { key, secret })
}

/// Makes a successor with the same rights and a secret of its own; the old key lives for `overlap` beside it.
pub async fn rotate(
    app: &App,
    id: &str,
    overlap: Duration,
    reach: &Reach,
    by: &By,
) -> Result<MadeKey, KeyError> {
    if overlap > OVERLAP_MAX {
        return Err(KeyError::Overlap);
    }
    let overlap_ms = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    let Fresh { id: fresh, secret, sealed } = Fresh::make(app)?;
    let (old, reach, by) = (id.to_owned(), reach.clone(), by.clone());
    let made = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let old = in_reach(store::find(unit.db(), &old).await?, &reach, &old)?;
                let ends_at = now.saturating_add(overlap_ms);
                // In its overlap it has a successor already.
                if old.ends_at.is_some() || !store::end(unit.db(), &old.id, ends_at, &by.who, now).await? {
                    return Err(KeyError::Ended { key: old.id });
                }
                let life = old.expires_at.map(|at| at.saturating_sub(old.made_at));
                let key = ApiKey {
                    id: fresh,
                    replaces: Some(old.id.clone()),
                    made_by: by.who.clone(),
                    made_at: now,
                    expires_at: life.map(|life| now.saturating_add(life)),
                    ends_at: None,
                    last_used_at: None,
                    ..old.clone()
                };
                store::insert(unit.db(), &key, &sealed).await?;
                let (before, after) = (http::shown_in_audit(&old), http::shown_in_audit(&key));
                audit::record(unit, &by, Action::KeyRotate, &old.id, before, after).await?;
                Ok::<_, KeyError>(key)
            })
        })
        .await;
    app.keys.forget_all();
    Ok(MadeKey { key: made?, secret })
}

/// Ends a key now. In this process it takes nothing from then on.
pub async fn end(app: &App, id: &str, reach: &Reach, by: &By) -> Result<ApiKey, KeyError> {
    let (id, reach, by) = (id.to_owned(), reach.clone(), by.clone());
    let ended = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let old = in_reach(store::find(unit.db(), &id).await?, &reach, &id)?;
                if !store::end(unit.db(), &id, now, &by.who, now).await? {
                    return Err(KeyError::Ended { key: id });
                }
                let after = ApiKey { ends_at: Some(now), ..old.clone() };
                let shown = (http::shown_in_audit(&old), http::shown_in_audit(&after));
                audit::record(unit, &by, Action::KeyEnd, &id, shown.0, shown.1).await?;
                Ok::<_, KeyError>(after)
            })
        })
        .await;
    app.keys.forget_all();
    ended
}

fn in_reach(found: Option<ApiKey>, reach: &Reach, id: &str) -> Result<ApiKey, KeyError> {
    let missing = || KeyError::NotFound { key: id.chars().take(64).collect() };
    found.filter(|key| reach.covers_partner(&key.partner)).ok_or_else(missing)
}
