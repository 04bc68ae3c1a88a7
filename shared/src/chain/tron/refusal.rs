//! Why the TRON codec refuses fields or bytes, by cause.
//!
//! Two groups that callers tell apart: [`Refusal::Kind`] is something the chain may well accept but Airlock does
//! not build; everything else is wrong or not canonical. The vectors runner, the auditor and the signer's
//! messages rely on the names.

use crate::chain::signature::SignatureError;

/// A kind of transaction that Airlock does not build and therefore never signs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// Another ContractType of java-tron's protocol.
    #[error("contract type {name} ({number})")]
    ContractType {
        /// Its number in the protocol.
        number: u64,
        /// Its name in the protocol, `unknown` if it has none.
        name: &'static str,
    },
    /// Calldata that is not one exact `transfer(address,uint256)`.
    #[error("contract call other than a plain token transfer ({bytes} bytes)")]
    OtherCall {
        /// Length of the calldata.
        bytes: usize,
    },
    /// A contract call that also sends TRX or a TRC-10 token.
    #[error("contract call that also carries {what}")]
    CallWithValue {
        /// `call_value`, `call_token_value` or `token_id`.
        what: &'static str,
    },
}

/// Why fields or bytes are no transaction of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Well formed as far as read, but of a kind that is not built.
    #[error("not a kind that is built: {0}")]
    Kind(#[from] Kind),
    /// Larger than anything Airlock builds.
    #[error("{found} bytes are more than {max}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Most allowed.
        max: usize,
    },
    /// A message ends in the middle of a field.
    #[error("{message} ends inside a field")]
    Truncated {
        /// Which message.
        message: &'static str,
    },
    /// A varint that is longer than needed or above 64 bits, or a field number of zero.
    #[error("{message} has a varint that is not in its shortest form")]
    Varint {
        /// Which message.
        message: &'static str,
    },
    /// Fields are not in ascending order.
    #[error("{message} has field {field} out of order")]
    Order {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
    },
    /// More fields than any message of ours has.
    #[error("{message} has too many fields")]
    TooManyFields {
        /// Which message.
        message: &'static str,
    },
    /// A field that occurs more often than allowed.
    #[error("{message} has field {field} {found} times")]
    Repeated {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
        /// How often it occurs.
        found: usize,
    },
    /// A field that is unknown, or known and never used by us.
    #[error("{message} has field {field}, which is not used")]
    UnusedField {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
    },
    /// A wire type that does not belong to the field.
    #[error("{message} has field {field} with another wire type")]
    WireType {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
    },
    /// A default value written out, which proto3 leaves away.
    #[error("{message} writes out the default value of field {field}")]
    DefaultWritten {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
    },
    /// A required field is absent, or has the wrong length.
    #[error("{message} needs {expected} bytes in field {field}, found {found}")]
    Length {
        /// Which message.
        message: &'static str,
        /// Field number.
        field: u64,
        /// Bytes it must have.
        expected: usize,
        /// Bytes found, 0 if absent.
        found: usize,
    },
    /// A number outside its range (negative numbers included).
    #[error("{field} {found} is out of range")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// The value found, as an unsigned number.
        found: u64,
    },
    /// An address that does not start with 0x41.
    #[error("address prefix {found:#04x} instead of 0x41")]
    AddressPrefix {
        /// The first byte found.
        found: u8,
    },
    /// The Any's type_url is not exactly the one of the contract's type.
    #[error("type_url does not belong to contract type {number}")]
    TypeUrl {
        /// The contract's type number.
        number: u64,
    },
    /// A fee limit on something that is no contract call, where the chain ignores it.
    #[error("fee limit {found} on a transaction that uses none")]
    FeeLimitUnused {
        /// The fee limit, sun.
        found: u64,
    },
    /// No signature, or more than the chain's five.
    #[error("{found} signatures; between 1 and 5 are possible")]
    SignatureCount {
        /// How many.
        found: usize,
    },
    /// Signatures that mix the two spellings of the last byte.
    #[error("signatures mix two spellings of the recovery byte")]
    MixedRecoveryForms,
    /// Not a canonical signature, or none that recovers to an account.
    #[error("signature: {0}")]
    Signature(#[from] SignatureError),
    /// Re-encoding what was read gives other bytes.
    #[error("the bytes are not the canonical encoding of what they say")]
    NotCanonical,
}
