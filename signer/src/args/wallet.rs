//! `wallet` on the command line.
//!
//! Part of `args`. What must stay true: a private key and the password of a key file come through hidden prompts
//! and file descriptors, never through arguments.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `wallet`.
#[derive(Subcommand, Debug)]
pub enum WalletAction {
    /// Bring in a single private key. It signs for one TRON network, or for the EVM networks of this profile.
    Import(Import),
    /// Print imported keys, labels and retired wallets.
    List,
    /// Give an address a name of your own, or take it back.
    Label(LabelOf),
    /// Take a wallet out of use for ever: nothing is signed from it or paid to it as our own any more.
    Retire(Retire),
}

/// `wallet import`.
#[derive(Args, Debug)]
pub struct Import {
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc.
    #[arg(long)]
    pub network: String,
    /// What you call it.
    #[arg(long)]
    pub label: String,
    /// Read the key, 64 hex digits, from this file descriptor [default: a hidden prompt].
    #[arg(long, value_name = "N", conflicts_with = "keystore")]
    pub key_fd: Option<u32>,
    /// Take the key from a key file of another wallet (Web3 Secret Storage, version 3).
    #[arg(long, value_name = "FILE")]
    pub keystore: Option<PathBuf>,
    /// Read the key file's password from this file descriptor [default: a hidden prompt].
    #[arg(long, value_name = "N", requires = "keystore")]
    pub keystore_password_fd: Option<u32>,
}

/// `wallet label`.
#[derive(Args, Debug)]
pub struct LabelOf {
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc.
    #[arg(long)]
    pub network: String,
    /// The address, on that network.
    #[arg(long)]
    pub address: String,
    /// Its name from now on.
    #[arg(long, required_unless_present = "remove", conflicts_with = "remove")]
    pub label: Option<String>,
    /// It has no name from now on.
    #[arg(long)]
    pub remove: bool,
}

/// `wallet retire`.
#[derive(Args, Debug)]
pub struct Retire {
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc.
    #[arg(long)]
    pub network: String,
    /// deposit, hot, cold, energy or imported.
    #[arg(long)]
    pub role: String,
    /// Index of the derived key, or slot of the imported one.
    #[arg(long)]
    pub index: u32,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}
