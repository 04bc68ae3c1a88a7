//! `genesis` on the command line.
//!
//! Part of `args`. What must stay true: what custodians sign is a file that each of them has read in words.

use clap::Subcommand;
use std::path::PathBuf;

/// `genesis`.
#[derive(Subcommand, Debug)]
pub enum GenesisAction {
    /// Draw up the terms on which this signer's journal begins or goes on, from everything that is left of it.
    Propose {
        /// A folder that `backup state` made, or an old home; repeat. This home's own journal counts anyway.
        #[arg(long, value_name = "DIR")]
        state: Vec<PathBuf>,
        /// Signed-batch files of this signer, or folders of them; repeat.
        #[arg(long, value_name = "DIR")]
        batches: Vec<PathBuf>,
        /// Count every item id up to this one as signed, whatever the files say.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        highest_item: u64,
        /// Where the terms go; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Add this custodian's signature to the terms.
    Sign {
        /// The terms.
        file: PathBuf,
        /// Where the signed file goes [default: in place].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The eight words of the terms' digest.
        #[arg(long, value_name = "WORDS")]
        confirm: Option<String>,
    },
    /// Put terms that enough custodians have signed in force. It unlocks the signer.
    Install {
        /// The signed terms.
        file: PathBuf,
    },
}
