//! `init` and `restore` on the command line.
//!
//! Part of `args`. What must stay true: words, throws and passphrases come and go through the terminal, 0600
//! files and file descriptors, never through arguments.

use super::Kdf;
use clap::Args;
use std::path::PathBuf;

/// What `init` and `restore` both ask for.
#[derive(Args, Debug)]
pub struct Founding {
    /// Whose device this is: a-z 0-9 . _ @ -
    #[arg(long)]
    pub name: String,
    /// main, test or dev.
    #[arg(long)]
    pub profile: String,
    /// A custodian, NAME=HEXKEY; repeat. A device with spending keys adds itself.
    #[arg(long, value_name = "NAME=HEXKEY")]
    pub roster: Vec<String>,
    /// How many custodians it takes [default: all of them].
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// What opening the vault costs [default: about 1.5 seconds on this machine].
    #[command(flatten)]
    pub kdf: Kdf,
    /// Write a transcript of the ceremony there, without secrets, for two people to sign; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
}

/// `init`.
#[derive(Args, Debug)]
pub struct Init {
    /// What every new device needs.
    #[command(flatten)]
    pub founding: Founding,
    /// An approver's or further custodian's device: no spending keys.
    #[arg(long, conflicts_with_all = ["dice", "dice_fd", "coins", "coins_fd", "mnemonic_fd", "no_mnemonic_display"])]
    pub identity_only: bool,
    /// Mix in at least 50 throws of a six-sided die, typed at the terminal.
    #[arg(long, conflicts_with_all = ["dice_fd", "coins", "coins_fd"])]
    pub dice: bool,
    /// The same from a file descriptor: digits 1 to 6, spaces and lines are free.
    #[arg(long, value_name = "N", conflicts_with_all = ["coins", "coins_fd"])]
    pub dice_fd: Option<u32>,
    /// Mix in at least 128 throws of a coin, typed at the terminal.
    #[arg(long, conflicts_with = "coins_fd")]
    pub coins: bool,
    /// The same from a file descriptor: h and t, or 0 and 1.
    #[arg(long, value_name = "N")]
    pub coins_fd: Option<u32>,
    /// Write the mnemonic to this file descriptor instead of the terminal.
    #[arg(long, value_name = "N", conflicts_with = "no_mnemonic_display")]
    pub mnemonic_fd: Option<u32>,
    /// Show the mnemonic to nobody: without a backup the keys die with the vault. For demonstrations.
    #[arg(long)]
    pub no_mnemonic_display: bool,
}

/// `restore`.
#[derive(Args, Debug)]
pub struct Restore {
    /// What every new device needs.
    #[command(flatten)]
    pub founding: Founding,
    /// Read the 12 to 24 words from this file descriptor [default: hidden prompts].
    #[arg(long, value_name = "N", conflicts_with = "share_fd")]
    pub mnemonic_fd: Option<u32>,
    /// Read one SLIP-39 share from this file descriptor; repeat.
    #[arg(long, value_name = "N")]
    pub share_fd: Vec<u32>,
    /// What was set beside the words.
    #[command(flatten)]
    pub beside: BesideWords,
}

/// What may have been set beside the words of a backup.
#[derive(Args, Debug)]
pub struct BesideWords {
    /// A passphrase of BIP-39 (a "25th word") belongs to it; ask for it.
    #[arg(long, conflicts_with = "bip39_passphrase_fd")]
    pub bip39_passphrase: bool,
    /// The same from a file descriptor.
    #[arg(long, value_name = "N")]
    pub bip39_passphrase_fd: Option<u32>,
    /// The shares were encrypted with a passphrase of SLIP-39; ask for it. Shares made here never are.
    #[arg(long, conflicts_with = "slip39_passphrase_fd")]
    pub slip39_passphrase: bool,
    /// The same from a file descriptor.
    #[arg(long, value_name = "N")]
    pub slip39_passphrase_fd: Option<u32>,
    /// The shares are of a hardware wallet that has no mnemonic: what they hold is the BIP-32 seed itself.
    #[arg(long, conflicts_with_all = ["bip39_passphrase", "bip39_passphrase_fd"])]
    pub slip39_seed: bool,
}
