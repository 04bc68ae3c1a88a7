//! The only function that touches a private key of a spending account.
//!
//! It takes a bundle whose intents are on the disk ([`Intended`], which comes only from a reviewed one) and
//! nothing less. Items are signed in parallel; every signature is believed only after the source address
//! has been recovered from it; signatures are deterministic (RFC 6979), so signing again gives the same bytes.

use crate::keys::{KeyError, Keyring};
use crate::session::{Batch, Intended};
use airlock_shared::chain::Signature;
use airlock_shared::roles::signer::{self, sign_item};
use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};

/// Why a batch could not be signed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// A key could not be derived.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signature could not be made, or is not by the source.
    #[error("item {item}: {error}")]
    Item {
        /// The item, counted from 0.
        item: usize,
        /// What went wrong.
        error: signer::SignError,
    },
    /// An item without a source, which a checked batch never has.
    #[error("item {item} has no source")]
    NoSource {
        /// The item, counted from 0.
        item: usize,
    },
}

/// Signs every item of every batch: item by item, level by level, in order.
pub fn sign(bundle: &Intended, keyring: &Keyring) -> Result<Vec<Vec<Signature>>, SignError> {
    bundle.batches().iter().map(|batch| sign_batch(batch, keyring)).collect()
}

fn sign_batch(batch: &Batch, keyring: &Keyring) -> Result<Vec<Signature>, SignError> {
    let content = &batch.envelope().content;
    let source = |item| content.source_of(item).ok_or(SignError::NoSource { item });
    // All items of a batch pay from the same role; a sweep's sources differ in their index only.
    let first = source(0)?;
    let wallets = keyring.wallets(content.network, first.role)?;
    let shared_key = if content.source.is_some() { Some(wallets.key(first.index)?) } else { None };
    let each: Result<Vec<_>, SignError> = (0..content.items.len())
        .into_par_iter()
        .map(|item| {
            let wallet = source(item)?;
            let own;
            let key = match &shared_key {
                Some(key) => key,
                None => {
                    own = wallets.key(wallet.index)?;
                    &own
                }
            };
            sign_item(batch.transactions_of(item), wallet.address, key)
                .map_err(|error| SignError::Item { item, error })
        })
        .collect();
    Ok(each?.into_iter().flatten().collect())
}
