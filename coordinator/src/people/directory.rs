//! Which partner a user belongs to and whether it is active, remembered, so that the hottest routes ask no database.
//!
//! Transfers, histories and withdrawals look people up here. To whom a user belongs never changes and is kept; whether it is
//! active is believed for [`LIFE`] only. What must stay true: whoever deactivates a user or a partner calls [`Directory::forget`]
//! or [`Directory::forget_all`] after the commit, so that in this process it ends at once; the memory is bounded; a
//! name that nobody has is never remembered.

mod store;

use super::Reach;
use crate::api::{ApiError, Code};
use crate::db::{Database, Db};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long an active flag is believed: as late may another coordinator on the same database notice a deactivation.
pub const LIFE: Duration = Duration::from_secs(10);

/// Users remembered; beyond that the memory starts afresh.
const MEMBERS_MAX: usize = 250_000;

/// What is known of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its partner's id.
    pub partner: Arc<str>,
    /// Are both the user and its partner active?
    pub active: bool,
}

/// The memory, and the database behind it.
#[derive(Debug)]
pub struct Directory {
    db: Database,
    life: Duration,
    known: RwLock<Known>,
}

#[derive(Default, Debug)]
struct Known {
    members: HashMap<Box<str>, (Member, Instant)>,
    /// By partner and external id.
    externals: HashMap<(Box<str>, Box<str>), Box<str>>,
    /// Raised whenever something is forgotten: what was read before is not remembered after.
    epoch: u64,
}

impl Directory {
    /// Knows nobody yet.
    pub fn new(db: Database) -> Self {
        Self::with_life(db, LIFE)
    }

    /// The same with another life of active flags.
    pub fn with_life(db: Database, life: Duration) -> Self {
        Self { db, life, known: RwLock::default() }
    }

    /// The user, if there is one.
    pub async fn member(&self, user: &str) -> Result<Option<Member>, sqlx::Error> {
        if let Some((member, _)) = self.read().members.get(user).filter(|(_, at)| at.elapsed() < self.life) {
            return Ok(Some(member.clone()));
        }
        self.ask(&mut *self.db.reader().await?, user).await
    }

    /// The user's partner, whether or not they are active. Takes a connection, because callers hold one.
    pub async fn partner_of(&self, db: &mut Db, user: &str) -> Result<Option<Arc<str>>, sqlx::Error> {
        if let Some((member, _)) = self.read().members.get(user) {
            return Ok(Some(member.partner.clone()));
        }
        Ok(self.ask(db, user).await?.map(|member| member.partner))
    }

    /// The user, if there is one within reach: a foreign user is a missing one.
    pub async fn within(&self, reach: &Reach, user: &str) -> Result<Option<Member>, sqlx::Error> {
        Ok(self.member(user).await?.filter(|member| reach.covers(user, &member.partner)))
    }

    /// The user that a request is about, with its partner: a user's own self, or the one that a key or staff name.
    pub async fn named(&self, reach: &Reach, named: Option<String>) -> Result<(String, String), ApiError> {
        let user = match (reach, named) {
            (Reach::User { id, partner }, None) => return Ok((id.clone(), partner.clone())),
            (_, Some(named)) => named,
            (_, None) => return Err(ApiError::new(Code::UserNeeded, "name the user")),
        };
        match self.within(reach, &user).await? {
            Some(member) => Ok((user, member.partner.to_string())),
            None => Err(ApiError::not_found("user")),
        }
    }

    /// The id of a partner's user by the partner's own name for it.
    pub async fn by_external_id(
        &self,
        partner: &str,
        external_id: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        let key = (Box::from(partner), Box::from(external_id));
        if let Some(user) = self.read().externals.get(&key) {
            return Ok(Some(user.to_string()));
        }
        let epoch = self.read().epoch;
        let found = store::by_external_id(&mut *self.db.reader().await?, partner, external_id).await?;
        if let Some(user) = &found {
            let mut known = self.write();
            if known.epoch == epoch {
                if known.externals.len() >= MEMBERS_MAX {
                    known.externals.clear();
                }
                known.externals.insert(key, Box::from(user.as_str()));
            }
        }
        Ok(found)
    }

    /// The user has changed: the next question goes to the database.
    pub fn forget(&self, user: &str) {
        let mut known = self.write();
        known.epoch += 1;
        known.members.remove(user);
    }

    /// A partner has changed, or many users.
    pub fn forget_all(&self) {
        let mut known = self.write();
        *known = Known { epoch: known.epoch + 1, ..Known::default() };
    }

    async fn ask(&self, db: &mut Db, user: &str) -> Result<Option<Member>, sqlx::Error> {
        let epoch = self.read().epoch;
        let Some((partner, active)) = store::member(db, user).await? else {
            return Ok(None);
        };
        let member = Member { partner: Arc::from(partner), active: active != 0 };
        let mut known = self.write();
        if known.epoch == epoch {
            if known.members.len() >= MEMBERS_MAX {
                known.members.clear();
            }
            known.members.insert(Box::from(user), (member.clone(), Instant::now()));
        }
        Ok(Some(member))
    }

    /// Nobody panics while holding the lock; if somebody did, the maps are whole all the same.
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
