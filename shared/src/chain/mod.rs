//! What the chains define: transactions, signatures and calls, one folder per chain family.
//!
//! Everything here is bytes and rules, nothing is I/O. Both sides of the gap build transactions from a batch's
//! fields with this same code ([`Codec::build`]); nobody signs bytes that somebody else made (S4). A family is
//! one folder, one [`Codec`] and one variant in [`Unsigned`] and [`Signed`]; [`codec`] is the only match from
//! family to code.

pub mod erc20;
pub mod evm;
pub mod rlp;
pub mod signature;
pub mod tron;

use crate::batch::Content;
use crate::network::Family;
pub use signature::Signature;

/// What one chain family does with a batch.
pub trait Codec {
    /// The unsigned transactions of item `index`: one on TRON; on EVM one a fee level, then the cancel.
    /// A checked content builds; the error names the field that does not fit the chain.
    fn build(&self, content: &Content, index: usize) -> Result<Vec<Unsigned>, BuildError>;
}

/// The code of a family.
pub fn codec(family: Family) -> &'static dyn Codec {
    match family {
        Family::Evm => &evm::Evm,
        Family::Tron => &tron::Tron,
    }
}

/// An item that does not make a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {item} makes no transaction: {why}")]
pub struct BuildError {
    /// The item, counted from 0.
    pub item: usize,
    /// What does not fit.
    pub why: String,
}

impl BuildError {
    fn new(item: usize, why: impl ToString) -> Self {
        Self { item, why: why.to_string() }
    }
}

/// A transaction to be signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unsigned {
    /// On TRON.
    Tron(tron::Unsigned),
    /// On an EVM network.
    Evm(evm::Unsigned),
}

impl Unsigned {
    /// The bytes whose hash is signed: TRON's raw_data, or the EIP-1559 preimage.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Tron(unsigned) => unsigned.encode(),
            Self::Evm(unsigned) => unsigned.encode(),
        }
    }

    /// The hash that is signed.
    pub fn signing_hash(&self) -> [u8; 32] {
        match self {
            Self::Tron(unsigned) => unsigned.signing_hash(),
            Self::Evm(unsigned) => unsigned.signing_hash(),
        }
    }

    /// The transaction id, where it is known before the signature: on TRON.
    pub fn tx_id(&self) -> Option<[u8; 32]> {
        match self {
            Self::Tron(unsigned) => Some(unsigned.tx_id()),
            Self::Evm(_) => None,
        }
    }

    /// Joins one signature.
    pub fn attach(self, signature: Signature) -> Result<Signed, tron::Refusal> {
        match self {
            Self::Tron(unsigned) => unsigned.attach(vec![signature]).map(Signed::Tron),
            Self::Evm(unsigned) => Ok(Signed::Evm(unsigned.attach(signature))),
        }
    }
}

/// A signed transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signed {
    /// On TRON.
    Tron(tron::Signed),
    /// On an EVM network.
    Evm(evm::Signed),
}

impl Signed {
    /// The bytes to broadcast.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Tron(signed) => signed.bytes(),
            Self::Evm(signed) => signed.bytes(),
        }
    }

    /// The transaction id.
    pub fn tx_id(&self) -> [u8; 32] {
        match self {
            Self::Tron(signed) => signed.tx_id(),
            Self::Evm(signed) => signed.tx_id(),
        }
    }
}
