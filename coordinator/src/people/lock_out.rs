//! Guessing, slowed down and stopped: what was tried under one key, in the database, so that a restart forgets nothing.
//!
//! `login.rs` and `second_factor.rs` count an attempt before they look at it, so that a thousand at once are a thousand.
//! Keys: `account:DIGEST` of an e-mail, known here or not; `factor:SUBJECT`; `address:IP`. What must stay true: an
//! account that does not exist is delayed and locked like one that does; a success under one key clears that key alone.

use super::AccessError;
use super::login::store;
use crate::api::address::household;
use crate::clock::UnixMillis;
use crate::config::auth::LockOut;
use crate::db::Db;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::time::Duration;

/// What is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tried {
    /// Passwords for one e-mail, in its folded spelling.
    Account(String),
    /// Codes of one subject, `person:alice`.
    Factor(String),
    /// Anything from one address.
    Address(String),
}

impl Tried {
    /// The key of an address: a whole IPv6 subnet is one household.
    pub fn address(address: Option<IpAddr>) -> Option<Self> {
        Some(Self::Address(household(address?).to_string()))
    }

    fn key(&self) -> String {
        match self {
            // No address of a stranger is kept for having been mistyped.
            Self::Account(email) => format!("account:{}", hex::encode(Sha256::digest(email.as_bytes()))),
            Self::Factor(subject) => format!("factor:{subject}"),
            Self::Address(address) => format!("address:{address}"),
        }
    }
}

/// Counts one attempt; refused while the delay or lock of earlier ones lasts.
pub async fn attempt(
    db: &mut Db,
    limits: &LockOut,
    tried: &Tried,
    now: UnixMillis,
) -> Result<(), AccessError> {
    let key = tried.key();
    let (failures, last_at, not_before) = store::failures_of(db, &key).await?.unwrap_or((0, now, 0));
    if now < not_before {
        return Err(AccessError::TooMany { wait_ms: not_before - now });
    }
    let forgotten = now - last_at >= ms(limits.locked);
    let failures = if forgotten { 1 } else { failures.saturating_add(1) };
    let delay = match tried {
        Tried::Address(_) if failures >= i64::from(limits.address_failures_max) => ms(limits.locked),
        Tried::Address(_) => 0,
        _ => delay_after(limits, failures),
    };
    Ok(store::set_failures(db, &key, failures, now, now.saturating_add(delay)).await?)
}

/// How long after so many failures in a row the next attempt waits.
fn delay_after(limits: &LockOut, failures: i64) -> i64 {
    if failures >= i64::from(limits.failures_max) {
        return ms(limits.locked);
    }
    match u32::try_from(failures - i64::from(limits.free)) {
        Ok(beyond) => ms(limits.delay).saturating_mul(1 << beyond.min(20)).min(ms(limits.locked)),
        Err(_) => 0,
    }
}

/// A success: the key starts afresh.
pub async fn forget(db: &mut Db, tried: &Tried) -> Result<(), AccessError> {
    Ok(store::forget_failures(db, &tried.key()).await?)
}

/// A success from an address takes back its own attempt, and nobody else's.
pub async fn give_back(db: &mut Db, tried: &Tried) -> Result<(), AccessError> {
    Ok(store::give_back_failure(db, &tried.key()).await?)
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_and_ends_in_the_lock() {
        let limits = LockOut {
            free: 3,
            delay: Duration::from_secs(1),
            failures_max: 10,
            address_failures_max: 100,
            locked: Duration::from_secs(900),
        };
        let delays: Vec<i64> = (1..=11).map(|failures| delay_after(&limits, failures) / 1_000).collect();
        assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 32, 64, 900, 900]);
    }

    #[test]
    fn an_ipv6_household_is_one_address_and_a_mapped_ipv4_is_its_ipv4() {
        let key = |text: &str| Tried::address(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2:3::4"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
