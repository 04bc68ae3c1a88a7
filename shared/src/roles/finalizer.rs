//! The finalizer turns a content and a reply into signed transactions, and believes nothing on the way: the
//! receipt must be the signer's own and over this content, and every signature must recover to the wallet that
//! pays. The coordinator calls it on acceptance (S9), the auditor years later.

use super::creator;
use crate::address::Address;
use crate::batch::Content;
use crate::chain::signature::SignatureError;
use crate::chain::{BuildError, Signature, Signed, Unsigned};
use crate::digest::Digest;
use crate::envelope::{Outcome, Reply, signatures_digest};
use crate::journal::Event;

/// Why a reply makes no signed transactions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalizeError {
    /// An item makes no transaction.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The receipt is not signed by the signer it names.
    #[error("the receipt is not signed by the signer it names")]
    ReceiptSignature,
    /// The receipt is for another batch.
    #[error("the receipt is for batch content {found}, not {expected}")]
    OtherContent {
        /// The digest of this content.
        expected: Digest,
        /// The digest in the receipt.
        found: Digest,
    },
    /// The signer refused the batch.
    #[error("the signer refused: {code}: {why}")]
    Refused {
        /// The refusal code.
        code: String,
        /// The sentence.
        why: String,
    },
    /// The receipt's digest is not that of the signatures.
    #[error("the signatures are not those of the receipt")]
    SignaturesDigest,
    /// The receipt's journal entry does not record these signatures.
    #[error("the journal entry in the receipt does not record these signatures")]
    JournalEntry,
    /// Another number of signatures than transactions.
    #[error("{found} signatures for {expected} transactions")]
    Count {
        /// Transactions.
        expected: usize,
        /// Signatures.
        found: usize,
    },
    /// A signature that recovers to nobody.
    #[error("item {item}, signature {level}: {error}")]
    Signature {
        /// The item, counted from 0.
        item: usize,
        /// The transaction within the item, counted from 0.
        level: usize,
        /// What is wrong.
        error: SignatureError,
    },
    /// A signature by another account than the one that pays.
    #[error("item {item}, signature {level} is by {found}, the source is {expected}")]
    WrongSigner {
        /// The item, counted from 0.
        item: usize,
        /// The transaction within the item, counted from 0.
        level: usize,
        /// The account that pays.
        expected: Address,
        /// The account that signed.
        found: Address,
    },
}

/// Checks a reply against its content and makes the signed transactions, item by item.
pub fn finalize(content: &Content, reply: &Reply) -> Result<Vec<Vec<Signed>>, FinalizeError> {
    check_receipt(content, reply)?;
    let transactions = creator::transactions(content)?;
    attach_all(content, &transactions, &reply.signatures)
}

/// The same for transactions that [`creator::transactions`] has built from this content, whose digest is known.
pub fn finalize_built(
    content: &Content,
    digest: &Digest,
    transactions: &[Vec<Unsigned>],
    reply: &Reply,
) -> Result<Vec<Vec<Signed>>, FinalizeError> {
    check_receipt_of(digest, reply)?;
    attach_all(content, transactions, &reply.signatures)
}

/// Signed transactions from signatures alone, item by item, level by level, then the cancel: every one must recover to
/// the wallet that pays. A hardware wallet gives no receipt.
pub fn attach_all(
    content: &Content,
    transactions: &[Vec<Unsigned>],
    signatures: &[Signature],
) -> Result<Vec<Vec<Signed>>, FinalizeError> {
    let expected = transactions.iter().map(Vec::len).sum();
    if signatures.len() != expected {
        return Err(FinalizeError::Count { expected, found: signatures.len() });
    }
    let mut signatures = signatures.iter();
    let mut items = Vec::with_capacity(transactions.len());
    for (item, levels) in transactions.iter().enumerate() {
        let source = content.source_of(item).map(|wallet| wallet.address);
        let signed = levels.iter().zip(signatures.by_ref()).enumerate();
        let attach = |(level, (unsigned, signature)): (usize, (&Unsigned, &Signature))| {
            attach(item, level, source, unsigned.clone(), *signature)
        };
        items.push(signed.map(attach).collect::<Result<_, _>>()?);
    }
    Ok(items)
}

/// The receipt must be authentic, over this content, and its journal entry must record these signatures.
pub fn check_receipt(content: &Content, reply: &Reply) -> Result<(), FinalizeError> {
    check_receipt_of(&content.digest(), reply)
}

fn check_receipt_of(expected: &Digest, reply: &Reply) -> Result<(), FinalizeError> {
    let receipt = &reply.receipt;
    if !receipt.is_authentic() {
        return Err(FinalizeError::ReceiptSignature);
    }
    if receipt.content != *expected {
        return Err(FinalizeError::OtherContent { expected: *expected, found: receipt.content });
    }
    let recorded = match &receipt.outcome {
        Outcome::Refused { code, why } => {
            return Err(FinalizeError::Refused { code: code.clone(), why: why.clone() });
        }
        Outcome::Signed { signatures } => *signatures,
    };
    if recorded != signatures_digest(&reply.signatures) {
        return Err(FinalizeError::SignaturesDigest);
    }
    match receipt.entry.event {
        Event::Signed { content, signatures } if content == *expected && signatures == recorded => Ok(()),
        _ => Err(FinalizeError::JournalEntry),
    }
}

fn attach(
    item: usize,
    level: usize,
    source: Option<Address>,
    unsigned: Unsigned,
    signature: Signature,
) -> Result<Signed, FinalizeError> {
    let no_source = || BuildError { item, why: "it has no source".to_owned() };
    let expected = source.ok_or_else(no_source)?;
    let found = signature
        .recover_address(expected.network(), &unsigned.signing_hash())
        .map_err(|error| FinalizeError::Signature { item, level, error })?;
    if found != expected {
        return Err(FinalizeError::WrongSigner { item, level, expected, found });
    }
    unsigned
        .attach(signature)
        .map_err(|error| FinalizeError::Build(BuildError { item, why: error.to_string() }))
}
