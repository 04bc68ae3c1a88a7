//! Why the EVM codec refuses fields or bytes, by cause.
//!
//! Two groups that callers tell apart: [`Refusal::Kind`] is something a chain may well accept but Airlock does
//! not build; everything else is wrong for any chain. The vectors runner, the auditor and the signer's
//! messages rely on the names.

use crate::chain::rlp::RlpError;
use crate::chain::signature::SignatureError;

/// A kind of transaction that Airlock does not build and therefore never signs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// A legacy transaction without chain id: it can be replayed on every chain.
    #[error("legacy transaction without a chain id")]
    LegacyUnprotected,
    /// A legacy transaction with EIP-155's chain id.
    #[error("legacy transaction (EIP-155) for chain {chain_id}")]
    LegacyEip155 {
        /// From v, or from the unsigned preimage.
        chain_id: u64,
    },
    /// Type 1 (EIP-2930).
    #[error("access-list transaction (EIP-2930)")]
    Eip2930,
    /// Type 3 (EIP-4844).
    #[error("blob transaction (EIP-4844)")]
    Eip4844,
    /// Type 4 (EIP-7702): hands the account to code.
    #[error("set-code transaction (EIP-7702)")]
    Eip7702,
    /// Another type byte (EIP-2718).
    #[error("unknown transaction type {type_byte:#04x}")]
    UnknownType {
        /// The first byte, 0x00 to 0x7f.
        type_byte: u8,
    },
    /// No recipient.
    #[error("contract creation")]
    ContractCreation,
    /// Type 2 with a non-empty access list.
    #[error("access list with {entries} entries")]
    AccessList {
        /// Its number of entries.
        entries: usize,
    },
    /// Calldata that is not one exact `transfer(address,uint256)`.
    #[error("contract call other than a plain token transfer ({bytes} bytes)")]
    OtherCall {
        /// Length of the calldata.
        bytes: usize,
    },
    /// A token transfer that also sends native coin.
    #[error("token transfer that also carries native value")]
    CallWithValue,
    /// A fee per gas of 2^128 wei or more.
    #[error("fee per gas above 128 bits")]
    HugeFee,
}

/// Why fields or bytes are no transaction of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Well formed as far as read, but of a kind that is not built.
    #[error("not a kind that is built: {0}")]
    Kind(#[from] Kind),
    /// No bytes.
    #[error("no bytes")]
    Empty,
    /// Not strict RLP.
    #[error("not strict RLP: {0}")]
    Rlp(#[from] RlpError),
    /// The outer item is no list, or has the wrong number of fields.
    #[error("expected a list of {expected} fields, found {found}")]
    FieldCount {
        /// Fields a transaction of this type has.
        expected: usize,
        /// Fields found; 0 if it is no list.
        found: usize,
    },
    /// A list where a byte string is due, or the reverse.
    #[error("{field} has the wrong shape")]
    Shape {
        /// Which field.
        field: &'static str,
    },
    /// An integer with leading zeros or too many bytes.
    #[error("{field} is not a minimal integer of at most {max_bytes} bytes")]
    Integer {
        /// Which field.
        field: &'static str,
        /// The most bytes it may have.
        max_bytes: usize,
    },
    /// A recipient that is not 20 bytes.
    #[error("recipient has {found} bytes instead of 20")]
    Recipient {
        /// Bytes found.
        found: usize,
    },
    /// Chain id 0 or above 2^63-1, or a v that names no chain id.
    #[error("chain id out of range")]
    ChainId,
    /// Account nonce 2^64-1 (EIP-2681).
    #[error("account nonce is above 2^64-2")]
    AccountNonce,
    /// The priority fee exceeds the maximum fee (EIP-1559).
    #[error("priority fee {priority} exceeds maximum fee {max}")]
    PriorityAboveMax {
        /// max_priority_fee_per_gas, wei.
        priority: u128,
        /// max_fee_per_gas, wei.
        max: u128,
    },
    /// Not a canonical signature, or none that recovers to an account.
    #[error("signature: {0}")]
    Signature(#[from] SignatureError),
    /// Re-encoding what was read gives other bytes.
    #[error("the bytes are not the canonical encoding of what they say")]
    NotCanonical,
}
