//! The offline signer: holds the keys, trusts nothing that comes across the gap, and signs only what
//! policy and people have accepted.
//!
//! The binary is a thin face over this library, so that tests run the same session without a terminal.
//! What must stay true: no networking crate in the tree, one writer per home, and only `sign` touches a
//! private key of a spending account.

pub mod approve;
pub mod args;
pub mod audit;
pub mod camera;
pub mod commands;
pub mod console;
pub mod doctor;
pub mod entropy;
pub mod failure;
pub mod familiar;
pub mod genesis;
pub mod home;
pub mod journal;
pub mod keys;
pub mod machine;
pub mod memory;
pub mod passkeys;
pub mod policy;
pub mod qr;
pub mod records;
pub mod report;
pub mod review;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod sign;
pub mod stage;
pub mod state;
pub mod terminal;
pub mod vault;
