//! The one source of time in the coordinator, so that tests can stand at any moment.
//!
//! `app.rs` holds it; the writer stamps every unit of work with it; the rim passes the moment on as an
//! argument. What must stay true: nothing below the rim asks the operating system for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds (UTC), the only form in which the coordinator stores a time.
pub type UnixMillis = i64;

/// The system's clock, or a moment that tests move by hand.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The operating system's time.
    #[default]
    System,
    /// A moment set by a test, shared by every clone.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `moment` until [`Clock::advance`] moves it.
    pub fn set_at(moment: UnixMillis) -> Self {
        Self::Set(Arc::new(AtomicI64::new(moment)))
    }

    /// Now. A system clock before 1970 reads as 0.
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_millis()).ok())
                .unwrap_or(0),
            Self::Set(moment) => moment.load(Ordering::SeqCst),
        }
    }

    /// Moves a set clock forward; the system's clock cannot be moved and stays as it is.
    pub fn advance(&self, by_ms: i64) {
        if let Self::Set(moment) = self {
            moment.fetch_add(by_ms, Ordering::SeqCst);
        }
    }
}
