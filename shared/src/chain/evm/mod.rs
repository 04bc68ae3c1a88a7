//! The codec of EVM networks: one transaction type (EIP-1559) with two payments (native and ERC-20).
//!
//! The batch's roles build [`Unsigned`] from a batch's fields, the signer signs its hash, the finalizer
//! attaches the signature; the auditor reads the bytes back. What Airlock does not build is refused by name.

mod build;
mod decode;
mod refusal;
mod transaction;

pub use build::Evm;
pub use decode::{decode_signed, decode_unsigned};
pub use refusal::{Kind, Refusal};
pub use transaction::{Fields, Payment, Signed, Unsigned};
