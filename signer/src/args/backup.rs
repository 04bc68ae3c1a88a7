//! `backup` on the command line.
//!
//! Part of `args`. What must stay true: words come and go through hidden prompts, 0600 files and file
//! descriptors, never through arguments.

use super::BesideWords;
use clap::Subcommand;
use std::path::PathBuf;

/// `backup`.
#[derive(Subcommand, Debug)]
pub enum BackupAction {
    /// Copy journal, refusals and policy with a signed manifest; no secret is in it.
    State {
        /// A new or empty folder.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Split the spending keys into SLIP-39 shares, any THRESHOLD of which give them back.
    Shares {
        /// How many shares it takes to restore (2 to 16).
        #[arg(long, value_name = "T", value_parser = clap::value_parser!(u8).range(2..=16))]
        threshold: u8,
        /// How many shares are made (up to 16).
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=16))]
        of: u8,
        /// Write a share to this file descriptor instead of the terminal; repeat, one for each share.
        #[arg(long, value_name = "N")]
        share_fd: Vec<u32>,
    },
    /// A drill: do these words restore this vault? Nothing is changed, no passphrase of the spending keys is needed.
    Verify {
        /// Read the 12 to 24 words, or one share, from this file (mode 0600); repeat for shares [default: hidden prompts].
        #[arg(long, value_name = "PATH")]
        words_file: Vec<PathBuf>,
        /// The same from a file descriptor.
        #[arg(long, value_name = "N")]
        words_fd: Vec<u32>,
        /// What was set beside the words.
        #[command(flatten)]
        beside: BesideWords,
    },
}
