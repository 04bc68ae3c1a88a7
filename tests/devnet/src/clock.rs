//! The clock that stamps new blocks: the wall clock, shifted or stopped by the control route `time`.
//!
//! Each chain owns one. Chain time itself never goes back: the chains take the later of this clock and the slot after the head.

use std::time::{SystemTime, UNIX_EPOCH};

/// A wall clock with a shift, or a standing one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    shift_ms: i64,
    standing_ms: Option<i64>,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        match self.standing_ms {
            Some(at) => at,
            None => wall_ms().saturating_add(self.shift_ms),
        }
    }

    /// Stops the clock at this moment; only `add` and `set` move it from now on.
    pub(crate) fn set(&mut self, at_ms: i64) {
        self.standing_ms = Some(at_ms);
    }

    /// Moves the clock on (or back); a running clock keeps running.
    pub(crate) fn add(&mut self, by_ms: i64) {
        match &mut self.standing_ms {
            Some(at) => *at = at.saturating_add(by_ms),
            None => self.shift_ms = self.shift_ms.saturating_add(by_ms),
        }
    }

    /// Back to the wall clock.
    pub(crate) fn real(&mut self) {
        *self = Self::default();
    }
}

fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok())
        .unwrap_or(0)
}
