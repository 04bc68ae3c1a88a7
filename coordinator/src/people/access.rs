//! What log-in needs and `App` keeps: the token key, the seal key and the places for hashing.
//!
//! The keys are read at their first use, so that command lines which need none make no files; `serve` asks for both
//! at its start. What must stay true: nothing here outlives the program; no secret reaches `Debug`.

use super::AccessError;
use super::password::Hasher;
use super::token::TokenKey;
use crate::config::Config;
use crate::home::{HomeError, SealKey};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The keys and the hasher.
#[derive(Debug)]
pub struct Access {
    home: PathBuf,
    issuer: String,
    token_life: Duration,
    tokens: OnceLock<TokenKey>,
    seal: OnceLock<SealKey>,
    /// Hashes passwords.
    pub passwords: Hasher,
}

impl Access {
    /// Reads nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            home: config.home.clone(),
            issuer: config.auth.issuer.clone(),
            token_life: config.auth.access,
            tokens: OnceLock::new(),
            seal: OnceLock::new(),
            passwords: Hasher::new(config.auth.hash, config.auth.hashes_at_once),
        }
    }

    /// Reads or makes both keys, and hashes once so that the first stranger is not answered later than the second.
    pub async fn ready(&self) -> Result<(), AccessError> {
        self.tokens()?;
        self.seal()?;
        self.passwords.ready().await
    }

    /// The key of access tokens.
    pub fn tokens(&self) -> Result<&TokenKey, HomeError> {
        if let Some(key) = self.tokens.get() {
            return Ok(key);
        }
        let key = TokenKey::open(&self.home, &self.issuer, self.token_life)?;
        Ok(self.tokens.get_or_init(|| key))
    }

    /// The key that seals second factors.
    pub fn seal(&self) -> Result<&SealKey, HomeError> {
        if let Some(key) = self.seal.get() {
            return Ok(key);
        }
        let key = SealKey::open(&self.home)?;
        Ok(self.seal.get_or_init(|| key))
    }
}
