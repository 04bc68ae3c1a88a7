//! `[auth]`: sessions, passwords, lock-out, sign-up, passkeys.
//!
//! `config.rs` reads it from the settings; `people` and `api/auth.rs` go by it. What must stay true: no setting makes
//! password hashing weaker than OWASP's least for Argon2id (19 MiB, 2 passes), or a step-up or access token long-lived.

use super::mistake::{Mistake, refused};
use serde::Deserialize;
use std::time::Duration;

/// Who may sign up without an invitation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Nobody.
    Off,
    /// Anybody, as a user of the house; one of the house's people lets each of them in.
    House,
    /// Anybody, at once. Whoever signs up and then logs in learns whether the e-mail was taken.
    Open,
}

/// What one hash of a password costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

/// How guessing is slowed down and stopped.
#[derive(Clone, Copy, Debug)]
pub struct LockOut {
    /// Failures in a row before the first delay.
    pub free: u32,
    /// The first delay; it doubles with each further failure.
    pub delay: Duration,
    /// Failures in a row after which the account is locked.
    pub failures_max: u32,
    /// The same from one address, over all accounts.
    pub address_failures_max: u32,
    /// For how long it is locked; failures older than this are forgotten.
    pub locked: Duration,
}

/// The checked settings.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// `iss` and `aud` of access tokens.
    pub issuer: String,
    /// How long an access token is good for.
    pub access: Duration,
    /// How long a refresh token is good for, from its issue.
    pub refresh: Duration,
    /// The longest session, refreshed or not.
    pub session: Duration,
    /// How long a second factor counts as fresh.
    pub step_up: Duration,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// How long an invitation is good for.
    pub invitation: Duration,
    /// What one hash costs.
    pub hash: HashCost,
    /// Hashes computed at once; others wait.
    pub hashes_at_once: usize,
    /// Guessing.
    pub lock_out: LockOut,
    /// The relying party of passkeys, such as `airlock.example`; empty: none can be registered.
    pub passkey_rp_id: String,
    /// The pages on which they may be registered.
    pub passkey_origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    issuer: String,
    access_s: u64,
    refresh_s: u64,
    session_s: u64,
    step_up_s: u64,
    sign_up: SignUp,
    invitation_s: u64,
    argon2_memory_kib: u32,
    argon2_passes: u32,
    hashes_at_once: usize,
    failures_free: u32,
    failure_delay_ms: u64,
    failures_max: u32,
    address_failures_max: u32,
    lock_out_s: u64,
    passkey_rp_id: String,
    passkey_origins: Vec<String>,
}

impl Auth {
    pub(super) fn checked(self) -> Result<AuthConfig, Mistake> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:-/".contains(c);
        if !(1..=64).contains(&self.issuer.len()) || !self.issuer.chars().all(plain) {
            return Err(refused("auth.issuer", &self.issuer, "1 to 64 letters, digits and ._:-/"));
        }
        let access = within("auth.access_s", self.access_s, 60, 3_600)?;
        let session = within("auth.session_s", self.session_s, 600, 31_536_000)?;
        let refresh = within("auth.refresh_s", self.refresh_s, 300, self.session_s)?;
        let memory_kib =
            within("auth.argon2_memory_kib", u64::from(self.argon2_memory_kib), 19_456, 1_048_576)?;
        let passes = within("auth.argon2_passes", u64::from(self.argon2_passes), 2, 64)?;
        let at_once = within("auth.hashes_at_once", self.hashes_at_once as u64, 1, 64)?;
        let free = within("auth.failures_free", u64::from(self.failures_free), 1, 10)?;
        let most = within("auth.failures_max", u64::from(self.failures_max), free + 1, 100)?;
        let of_address =
            within("auth.address_failures_max", u64::from(self.address_failures_max), most, 100_000)?;
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        if let Some(origin) = self.passkey_origins.iter().find(|origin| !is_origin(origin)) {
            let expected = "https://HOST, or http://localhost, without a path";
            return Err(refused("auth.passkey_origins", origin, expected));
        }
        Ok(AuthConfig {
            issuer: self.issuer,
            access: Duration::from_secs(access),
            refresh: Duration::from_secs(refresh),
            session: Duration::from_secs(session),
            step_up: Duration::from_secs(within("auth.step_up_s", self.step_up_s, 30, 3_600)?),
            sign_up: self.sign_up,
            invitation: Duration::from_secs(within("auth.invitation_s", self.invitation_s, 60, 2_592_000)?),
            hash: HashCost { memory_kib: narrow(memory_kib), passes: narrow(passes) },
            hashes_at_once: at_once as usize,
            lock_out: LockOut {
                free: narrow(free),
                delay: Duration::from_millis(within(
                    "auth.failure_delay_ms",
                    self.failure_delay_ms,
                    100,
                    60_000,
                )?),
                failures_max: narrow(most),
                address_failures_max: narrow(of_address),
                locked: Duration::from_secs(within("auth.lock_out_s", self.lock_out_s, 60, 86_400)?),
            },
            passkey_rp_id: self.passkey_rp_id,
            passkey_origins: self.passkey_origins,
        })
    }
}

fn within(key: &str, found: u64, least: u64, most: u64) -> Result<u64, Mistake> {
    if (least..=most).contains(&found) {
        return Ok(found);
    }
    Err(refused(key, found, format!("{least} to {most}")))
}

fn is_origin(text: &str) -> bool {
    let local = text.strip_prefix("http://").filter(|host| host.split(':').next() == Some("localhost"));
    let host = text.strip_prefix("https://").or(local).unwrap_or_default();
    !host.is_empty() && !host.contains(['/', '?', '#', '@']) && host.is_ascii()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn settings_that_weaken_passwords_or_tokens_are_refused_by_name() {
        for (line, key) in [
            ("argon2_memory_kib = 19455", "auth.argon2_memory_kib"),
            ("argon2_passes = 1", "auth.argon2_passes"),
            ("access_s = 3601", "auth.access_s"),
            ("step_up_s = 86400", "auth.step_up_s"),
            ("failures_max = 1000", "auth.failures_max"),
            ("refresh_s = 31536001", "auth.refresh_s"),
            ("issuer = \"\"", "auth.issuer"),
            ("passkey_origins = [\"http://airlock.example\"]", "auth.passkey_origins"),
            ("hashes_at_once = 0", "auth.hashes_at_once"),
            ("sign_up = \"everybody\"", "sign_up"),
        ] {
            let error = Config::from_toml(&format!("[auth]\n{line}\n")).unwrap_err().to_string();
            assert!(error.contains(key), "{line}: {error}");
        }
        assert!(Config::from_toml("").is_ok());
    }
}
