//! The keys in use and the requests they have signed, while the program runs.
//!
//! `api/signed.rs` asks [`Ring::key`] for the key of a request and [`Ring::take`] to take it. What must stay true: the
//! database is read at most once per key and second; after [`Ring::forget_all`] nothing that was read before counts; what
//! an earlier run of this program may have taken is not taken again: a key that is older than this run takes nothing
//! stamped before its start, and nothing is ever taken before its stamp has come.

use super::nonces::{Nonces, NotTaken};
use super::{ApiKey, KeyError, SignedRequests, place, sign, store};
use crate::clock::UnixMillis;
use crate::db::Database;
use crate::home::{HomeError, SealKey};
use crate::ledger::{LedgerError, Writer};
use crate::people::{self, Caller};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// How long what was read of a key is believed.
pub const LIFE: Duration = Duration::from_secs(1);
/// How often a key's last use is written down.
const NOTED_EVERY_MS: i64 = 60_000;
/// Look-ups at once for ids that were never seen: strangers do not get all the read connections.
const STRANGERS: usize = 2;

/// A key as it was read, ready to verify.
pub struct Known {
    /// The key.
    pub key: ApiKey,
    /// Who a good request is by.
    pub caller: Caller,
    /// Is its partner active?
    pub partner_active: bool,
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({})", self.key.id)
    }
}

impl Known {
    /// Is this the signature of `text`? In constant time.
    pub fn verifies(&self, text: &str, signature: &[u8; 32]) -> bool {
        self.mac.clone().chain_update(text).verify_slice(signature).is_ok()
    }
}

/// Why a request with a good signature is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Untaken {
    /// It may have been taken before this program started.
    BeforeStart,
    /// See [`NotTaken`].
    Nonce(NotTaken),
}

/// The keys of this process.
#[derive(Debug)]
pub struct Ring {
    db: Database,
    writer: Writer,
    home: PathBuf,
    seal_key: OnceLock<SealKey>,
    started_at: UnixMillis,
    /// Settings.
    pub settings: SignedRequests,
    nonces: Nonces,
    slots: RwLock<HashMap<String, Arc<Slot>>>,
    strangers: Semaphore,
    epoch: AtomicU64,
}

/// One key's place.
#[derive(Debug)]
struct Slot {
    read: RwLock<Option<Reading>>,
    turn: Mutex<()>,
    noted_at: AtomicI64,
}

#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    epoch: u64,
    known: Arc<Known>,
}

impl Ring {
    /// Knows nothing yet. `now` is this run's start.
    pub fn new(db: Database, writer: Writer, home: &Path, settings: SignedRequests, now: UnixMillis) -> Self {
        Self {
            db,
            writer,
            home: home.to_owned(),
            seal_key: OnceLock::new(),
            started_at: now,
            settings,
            nonces: Nonces::new(i64::from(settings.window_s), settings.nonces_max),
            slots: RwLock::default(),
            strangers: Semaphore::new(STRANGERS),
            epoch: AtomicU64::new(0),
        }
    }

    /// The key under which secrets are sealed, read or made at its first use.
    pub fn seal_key(&self) -> Result<&SealKey, HomeError> {
        if let Some(key) = self.seal_key.get() {
            return Ok(key);
        }
        let key = SealKey::open(&self.home)?;
        Ok(self.seal_key.get_or_init(|| key))
    }

    /// Nothing that was read so far counts any more: a key or a partner has changed.
    pub fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// The key of this id, as it was at most [`LIFE`] ago.
    pub async fn key(&self, id: &str) -> Result<Option<Arc<Known>>, KeyError> {
        let slot = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let Some(slot) = slot else { return self.stranger(id).await };
        if let Some(known) = self.fresh(&slot) {
            return Ok(Some(known));
        }
        // One reads, the others wait for it.
        let _turn = slot.turn.lock().await;
        if let Some(known) = self.fresh(&slot) {
            return Ok(Some(known));
        }
        let reading = self.read(id).await?;
        let known = reading.as_ref().map(|reading| reading.known.clone());
        *slot.read.write().unwrap_or_else(PoisonError::into_inner) = reading;
        Ok(known)
    }

    async fn stranger(&self, id: &str) -> Result<Option<Arc<Known>>, KeyError> {
        let reading = {
            // A closed semaphore is impossible: nobody closes it.
            let _place = self.strangers.acquire().await;
            self.read(id).await?
        };
        let Some(reading) = reading else { return Ok(None) };
        let known = reading.known.clone();
        let slot = Slot {
            read: RwLock::new(Some(reading)),
            turn: Mutex::new(()),
            noted_at: AtomicI64::new(i64::MIN),
        };
        // Only keys that exist have a place, so there are as many places as keys.
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.entry(id.to_owned()).or_insert_with(|| Arc::new(slot));
        Ok(Some(known))
    }

    fn fresh(&self, slot: &Slot) -> Option<Arc<Known>> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let read = slot.read.read().unwrap_or_else(PoisonError::into_inner);
        let reading = read.as_ref().filter(|read| read.epoch == epoch && read.at.elapsed() < LIFE)?;
        Some(reading.known.clone())
    }

    async fn read(&self, id: &str) -> Result<Option<Reading>, KeyError> {
        // Both taken before the read: what changes meanwhile makes the reading stale at once.
        let (at, epoch) = (Instant::now(), self.epoch.load(Ordering::SeqCst));
        let (stored, partner_active) = {
            let mut db = self.db.reader().await?;
            let Some(stored) = store::stored(&mut db, id).await? else { return Ok(None) };
            let active = people::store::partner_is_active(&mut db, &stored.key.partner).await?;
            (stored, active)
        };
        let secret = self.seal_key()?.open_sealed(&place(id), &stored.sealed_secret)?;
        let corrupt = || LedgerError::Corrupt { what: format!("secret of API key {id}") };
        let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| corrupt())?;
        let caller = Caller::Key {
            id: stored.key.id.clone(),
            partner: stored.key.partner.clone(),
            scopes: stored.key.scopes.clone(),
        };
        let known = Known { mac: sign::mac_of(secret), key: stored.key, caller, partner_active };
        Ok(Some(Reading { at, epoch, known: Arc::new(known) }))
    }

    /// Takes a request with a good signature, once; `timestamp` and `now` in their units. The stamp has come already.
    pub fn take(&self, key: &ApiKey, nonce: &str, timestamp: i64, now: UnixMillis) -> Result<(), Untaken> {
        let older = key.made_at < self.started_at;
        if older && timestamp.saturating_mul(1000) <= self.started_at {
            return Err(Untaken::BeforeStart);
        }
        self.nonces.take(&key.id, nonce, timestamp, now.div_euclid(1000)).map_err(Untaken::Nonce)?;
        self.note_used(&key.id, now);
        Ok(())
    }

    /// Nonces remembered now.
    pub fn nonces(&self) -> usize {
        self.nonces.count()
    }

    /// Writes down, off the path of requests and now and then, that a key is in use.
    fn note_used(&self, id: &str, now: UnixMillis) {
        let slot = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let Some(slot) = slot else { return };
        let noted = slot.noted_at.load(Ordering::Relaxed);
        if now < noted.saturating_add(NOTED_EVERY_MS)
            || slot.noted_at.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let (writer, id) = (self.writer.clone(), id.to_owned());
        tokio::spawn(async move {
            let noted = writer.commit(move |unit| {
                Box::pin(async move { Ok::<_, LedgerError>(store::note_used(unit.db(), &id, now).await?) })
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the last use of an API key was not written down");
            }
        });
    }
}
