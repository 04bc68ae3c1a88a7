//! Which signed requests have been taken: each pair of timestamp and nonce of a key once, within the window.
//!
//! `ring.rs` asks for every request whose signature is good. What must stay true: nothing is forgotten before its
//! timestamp has left the window, not even when the memory is full: then requests are refused. A request is judged and
//! remembered under one lock and against one moment, so neither parallel copies nor a slow one slip through.

use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Why a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// It, or another with its timestamp and nonce, was taken before.
    Used,
    /// Its timestamp left the window while it was on its way.
    TooOld,
    /// The memory is full.
    Full,
}

/// The memory, by second of the timestamp, so that a second is forgotten whole.
#[derive(Debug)]
pub struct Nonces {
    window_s: i64,
    max: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// First 128 bits of SHA-256 over key id and nonce.
    by_second: BTreeMap<i64, HashSet<u128>>,
    count: usize,
    /// Seconds below are forgotten and refused, even if the clock went back since.
    floor: i64,
}

impl Nonces {
    /// A memory of `max` nonces over `window_s` seconds.
    pub fn new(window_s: i64, max: usize) -> Self {
        Self { window_s, max, seen: Mutex::new(Seen { floor: i64::MIN, ..Seen::default() }) }
    }

    /// Takes the request, once. `now_s` is the present second.
    pub fn take(&self, key: &str, nonce: &str, timestamp: i64, now_s: i64) -> Result<(), NotTaken> {
        let digest = digest_of(key, nonce);
        // A panic elsewhere leaves the memory whole: it only ever grows by one or loses old seconds.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_below(now_s.saturating_sub(self.window_s));
        if timestamp < seen.floor {
            return Err(NotTaken::TooOld);
        }
        let full = seen.count >= self.max;
        let second = seen.by_second.entry(timestamp).or_default();
        if second.contains(&digest) {
            return Err(NotTaken::Used);
        }
        if full {
            return Err(NotTaken::Full);
        }
        second.insert(digest);
        seen.count += 1;
        Ok(())
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

impl Seen {
    fn forget_below(&mut self, floor: i64) {
        self.floor = self.floor.max(floor);
        while let Some(second) = self.by_second.first_entry().filter(|second| *second.key() < self.floor) {
            self.count = self.count.saturating_sub(second.remove().len());
        }
    }
}

fn digest_of(key: &str, nonce: &str) -> u128 {
    let digest: [u8; 32] =
        Sha256::new().chain_update(key).chain_update([0]).chain_update(nonce).finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_timestamp_and_nonce_is_taken_once_per_key() {
        let nonces = Nonces::new(300, 10);
        assert_eq!(nonces.take("k", "aa", 1000, 1000), Ok(()));
        assert_eq!(nonces.take("k", "aa", 1000, 1299), Err(NotTaken::Used));
        assert_eq!(nonces.take("other", "aa", 1000, 1000), Ok(()));
        assert_eq!(nonces.take("k", "ab", 1000, 1000), Ok(()));
    }

    #[test]
    fn what_was_forgotten_is_too_old_even_when_the_clock_goes_back() {
        let nonces = Nonces::new(300, 10);
        assert_eq!(nonces.take("k", "aa", 1000, 1000), Ok(()));
        assert_eq!(nonces.take("k", "aa", 1000, 1301), Err(NotTaken::TooOld));
        assert_eq!(nonces.take("k", "aa", 1000, 1000), Err(NotTaken::TooOld));
        assert_eq!(nonces.count(), 0);
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nothing() {
        let nonces = Nonces::new(300, 2);
        assert_eq!(nonces.take("k", "aa", 1000, 1000), Ok(()));
        assert_eq!(nonces.take("k", "ab", 1001, 1001), Ok(()));
        assert_eq!(nonces.take("k", "ac", 1001, 1001), Err(NotTaken::Full));
        assert_eq!(nonces.take("k", "aa", 1000, 1001), Err(NotTaken::Used));
        assert_eq!(nonces.take("k", "ac", 1301, 1301), Ok(()));
        assert_eq!(nonces.take("k", "ab", 1001, 1301), Err(NotTaken::Used));
    }
}
