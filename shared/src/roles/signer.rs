//! The signer's arithmetic: from transactions and keys to verified signatures. Pure; the order of work, the
//! policy, the journal and the review around it are the signer program's.
//!
//! A signature is believed only after the source address has been recovered from it, so a wrong key or a
//! fault in the arithmetic is caught before anything leaves.

use crate::address::Address;
use crate::chain::signature::{self, SignatureError};
use crate::chain::{Signature, Unsigned};
use k256::ecdsa::SigningKey;

/// Why an item was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signature could not be made or recovered.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key is not the source's.
    #[error("the signature is by {found}, the source is {expected}")]
    WrongKey {
        /// The item's source.
        expected: Address,
        /// Whose key it was.
        found: Address,
    },
}

/// Signs the transactions of one item: one signature each, in their order, verified against `source`.
pub fn sign_item(
    transactions: &[Unsigned],
    source: Address,
    key: &SigningKey,
) -> Result<Vec<Signature>, SignError> {
    let sign = |unsigned: &Unsigned| {
        let hash = unsigned.signing_hash();
        let signature = signature::sign(key, &hash)?;
        let found = signature.recover_address(source.network(), &hash)?;
        if found == source { Ok(signature) } else { Err(SignError::WrongKey { expected: source, found }) }
    };
    transactions.iter().map(sign).collect()
}
