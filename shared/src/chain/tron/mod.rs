//! The codec of TRON networks: TRX and TRC-20 transfers, delegation and its end, each a single contract.
//!
//! The batch's roles build [`Unsigned`] from a batch's fields, the signer signs its transaction id, the
//! finalizer attaches the signatures; the auditor reads the bytes back. What Airlock does not build is refused
//! by name. java-tron hashes its own re-serialization, so only the canonical protobuf bytes are correct.

mod build;
mod decode;
mod refusal;
mod signature;
mod transaction;
mod wire;

pub use build::Tron;
pub use decode::{decode_signed, decode_unsigned};
pub use refusal::{Kind, Refusal};
pub use signature::{RecoveryForm, recover_as_node};
pub use transaction::{Contract, Fields, Resource, Signed, Unsigned};
