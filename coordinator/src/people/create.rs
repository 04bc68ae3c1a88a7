//! Making people: one function per kind, each committing the person and a first token together.
//!
//! Called by the command line. The token leaves in the answer, once, and is nowhere else.

use super::store;
use crate::db;
use crate::ledger::{LedgerError, Writer};
use airlock_shared::PersonId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Why a person was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The name cannot be used.
    #[error("{what} {found:?} cannot be used: {expected}")]
    Name {
        /// Which name.
        what: &'static str,
        /// What was there.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// It exists already.
    #[error("{what} {name} exists already")]
    Exists {
        /// Partner, user or operator.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The user's partner does not exist.
    #[error("no partner {partner}")]
    NoPartner {
        /// Its id or name.
        partner: String,
    },
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Nothing was written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for CreateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// Answer to a creation: printed as JSON, once.
#[derive(Serialize)]
pub struct Created {
    /// The new person's id.
    pub id: String,
    /// The bearer token. It is not stored and cannot be shown again.
    pub token: String,
}

/// The digest under which a token is kept.
pub fn token_digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn fresh_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("alk_{}", hex::encode(bytes)))
}

fn plain(what: &'static str, text: &str) -> Result<String, CreateError> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits && text.trim() == text {
        return Ok(text.to_owned());
    }
    let expected = "1 to 64 characters, no control characters, no outer spaces";
    Err(CreateError::Name { what, found: text.chars().take(64).collect(), expected })
}

/// Makes an operator whose id is `name`.
pub async fn operator(writer: &Writer, name: &str) -> Result<Created, CreateError> {
    let expected = "1 to 64 of a-z 0-9 . _ @ -";
    let id = PersonId::new(name)
        .ok_or_else(|| CreateError::Name {
            what: "operator",
            found: name.chars().take(64).collect(),
            expected,
        })?
        .to_string();
    let token = fresh_token()?;
    let (row, digest) = (id.clone(), token_digest(&token));
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !store::insert_operator(unit.db(), &row, now).await? {
                    return Err(CreateError::Exists { what: "operator", name: row });
                }
                Ok(store::insert_credential(unit.db(), &digest, "operator", &row, now).await?)
            })
        })
        .await?;
    Ok(Created { id, token })
}

/// Makes a partner with a name of its own.
pub async fn partner(writer: &Writer, name: &str) -> Result<Created, CreateError> {
    let (name, id, token) = (plain("partner", name)?, db::random_id()?, fresh_token()?);
    let (row, digest) = (id.clone(), token_digest(&token));
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !store::insert_partner(unit.db(), &row, &name, now).await? {
                    return Err(CreateError::Exists { what: "partner", name });
                }
                Ok(store::insert_credential(unit.db(), &digest, "partner", &row, now).await?)
            })
        })
        .await?;
    Ok(Created { id, token })
}

/// Makes a user of `partner` (id or name), known to the partner as `external_id`.
pub async fn user(writer: &Writer, partner: &str, external_id: &str) -> Result<Created, CreateError> {
    let (external_id, id, token) = (plain("user", external_id)?, db::random_id()?, fresh_token()?);
    let (row, digest, partner) = (id.clone(), token_digest(&token), partner.to_owned());
    writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let Some(partner) = store::partner_named(unit.db(), &partner).await? else {
                    return Err(CreateError::NoPartner { partner });
                };
                if !store::insert_user(unit.db(), &row, &partner, &external_id, now).await? {
                    return Err(CreateError::Exists { what: "user", name: external_id });
                }
                Ok(store::insert_credential(unit.db(), &digest, "user", &row, now).await?)
            })
        })
        .await?;
    Ok(Created { id, token })
}
