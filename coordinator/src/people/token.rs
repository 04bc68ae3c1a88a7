//! Access tokens: JSON Web Tokens of one form only, signed with Ed25519 by a key that never leaves the home.
//!
//! ```text
//! base64url({"alg":"EdDSA","typ":"JWT"}) . base64url({"iss","aud","sub","sid","iat","exp"}) . base64url(signature)
//! ```
//! `session.rs` makes them, `api/auth.rs` reads them; the session row decides whether they still count
//! (docs/decisions/0014-sessions.md says why there is no general JWT library). What must stay true: the first part is
//! compared, never interpreted, so no token chooses its algorithm; nothing is parsed before its signature was checked.

use super::Subject;
use crate::clock::UnixMillis;
use crate::home::{self, HomeError};
use airlock_shared::approval::passkey::{base64url, from_base64url};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// The longest token that is looked at: ours are about 400 bytes.
pub const TOKEN_BYTES_MAX: usize = 1_024;
/// What another coordinator's clock may be ahead of ours.
const AHEAD_S: i64 = 30;
/// The one header.
const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;

/// Why a token is none of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Too long, or not three parts of base64url with our header.
    #[error("not a token of the one form")]
    Form,
    /// Signed by another key, or changed since.
    #[error("not signed by our key")]
    Signature,
    /// Claims are missing, unknown or twice there.
    #[error("not our claims")]
    Claims,
    /// Of or for somebody else.
    #[error("of another issuer or for another audience")]
    Issuer,
    /// Its time has passed.
    #[error("expired")]
    Expired,
    /// Issued in the future, or for longer than tokens live.
    #[error("times that no token of ours has")]
    Times,
}

/// What a token says; times in Unix seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// `user:ID` or `person:ID`.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// Issued at.
    pub iat: i64,
    /// Good until.
    pub exp: i64,
}

/// The key behind access tokens.
pub struct TokenKey {
    signing: SigningKey,
    issuer: String,
    life_s: i64,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.issuer)
    }
}

impl TokenKey {
    /// Reads `home/token.key`; makes it if there is none.
    pub fn open(home: &Path, issuer: &str, life: Duration) -> Result<Self, HomeError> {
        Ok(Self::of(&*home::secret(home, "token.key")?, issuer, life))
    }

    /// A key from its secret bytes.
    pub fn of(secret: &[u8; 32], issuer: &str, life: Duration) -> Self {
        let life_s = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        Self { signing: SigningKey::from_bytes(secret), issuer: issuer.to_owned(), life_s }
    }

    /// The public half, which tests and other verifiers may know.
    pub fn public(&self) -> VerifyingKey {
        self.signing.verifying_key()
    }

    /// A fresh token of a session.
    pub fn mint(&self, subject: &Subject, session: &str, now: UnixMillis) -> String {
        let iat = now.div_euclid(1_000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: subject.to_string(),
            sid: session.to_owned(),
            iat,
            exp: iat.saturating_add(self.life_s),
        };
        // Texts and integers always serialise.
        self.sign(HEADER, &serde_json::to_string(&claims).unwrap_or_default())
    }

    /// Signs any header and payload: for `mint`, and for tests of what must be refused.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
        let signature = self.signing.sign(signed.as_bytes());
        format!("{signed}.{}", base64url(&signature.to_bytes()))
    }

    /// How many seconds a token lives.
    pub const fn life_s(&self) -> i64 {
        self.life_s
    }

    /// What a token says, if it is ours and its time has not passed.
    pub fn read(&self, token: &str, now: UnixMillis) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Form)?;
        if header != base64url(HEADER.as_bytes()) || payload.contains('.') {
            return Err(TokenError::Form);
        }
        let signature = from_base64url(signature, Signature::BYTE_SIZE).ok_or(TokenError::Form)?;
        let signature = Signature::from_slice(&signature).map_err(|_| TokenError::Form)?;
        self.public().verify_strict(signed.as_bytes(), &signature).map_err(|_| TokenError::Signature)?;
        let payload = from_base64url(payload, TOKEN_BYTES_MAX).ok_or(TokenError::Form)?;
        // A JSON list would do for a Rust struct as well.
        if payload.first() != Some(&b'{') {
            return Err(TokenError::Claims);
        }
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Claims)?;
        self.check(claims, now.div_euclid(1_000))
    }

    fn check(&self, claims: Claims, now_s: i64) -> Result<Claims, TokenError> {
        if claims.iss != self.issuer || claims.aud != self.issuer {
            return Err(TokenError::Issuer);
        }
        let life = claims.exp.checked_sub(claims.iat).ok_or(TokenError::Times)?;
        if claims.iat > now_s.saturating_add(AHEAD_S) || !(1..=self.life_s).contains(&life) {
            return Err(TokenError::Times);
        }
        if claims.exp <= now_s { Err(TokenError::Expired) } else { Ok(claims) }
    }
}
