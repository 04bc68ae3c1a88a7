//! The roles of a batch, in the order in which it meets them; each takes it, does one job and gives it back.
//!
//! ```text
//! creator -> approver -> signer -> combiner -> finalizer -> extractor          and, years later, auditor
//! ```
//! PSBT (BIP-174, BIP-370) is the model: each role adds only its part, and merging copies is commutative,
//! associative and idempotent.

pub mod approver;
pub mod auditor;
pub mod combiner;
pub mod creator;
pub mod extractor;
pub mod finalizer;
pub mod signer;
