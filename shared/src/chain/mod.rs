//! What the chains define: transactions, signatures and calls, one folder per chain family.
//!
//! Everything here is bytes and rules, nothing is I/O. Both sides of the gap build transactions with this same
//! code from the same fields; decoders accept exactly what it could have built.

pub mod erc20;
pub mod evm;
pub mod rlp;
pub mod signature;
pub mod tron;

pub use signature::Signature;
