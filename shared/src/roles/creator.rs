//! The creator freezes a content: the coordinator calls it once per batch.
//!
//! After this no field changes, so the digest that approvers see is the digest that is signed. Every rule of
//! the batch is checked and every transaction is built once, so that no later role meets a batch that cannot
//! be signed.

use crate::batch::{Content, ContentError};
use crate::chain::{self, BuildError, Unsigned};
use crate::digest::Digest;

/// A frozen content with what follows from it.
#[derive(Clone, Debug)]
pub struct Created {
    /// The content.
    pub content: Content,
    /// Its digest.
    pub digest: Digest,
    /// Its transactions, item by item.
    pub transactions: Vec<Vec<Unsigned>>,
}

/// Why a content cannot be frozen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// A rule of the batch is broken.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// An item makes no transaction.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Checks and freezes a content.
pub fn create(content: Content) -> Result<Created, CreateError> {
    content.check()?;
    let transactions = transactions(&content)?;
    Ok(Created { digest: content.digest(), content, transactions })
}

/// The transactions of a content, item by item; both sides of the gap call this.
pub fn transactions(content: &Content) -> Result<Vec<Vec<Unsigned>>, BuildError> {
    let codec = chain::codec(content.network.family());
    (0..content.items.len()).map(|index| codec.build(content, index)).collect()
}
