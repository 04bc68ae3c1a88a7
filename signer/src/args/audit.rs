//! The command line of `audit`.

use clap::Args;
use std::path::PathBuf;

/// `audit`.
#[derive(Args, Debug)]
pub struct Audit {
    /// Signed-batch files, receipts and custodians' terms in JSON or binary, or folders of them.
    #[arg(required_unless_present = "save_roster")]
    pub input: Vec<PathBuf>,
    /// Pin the custodians of this file (`airlock roster`, or a signer's introduction); no home is opened
    /// [default: the home's].
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// Pin a coordinator by its identity, 64 hex digits; repeat for earlier ones [default: the home's].
    #[arg(long, value_name = "HEX")]
    pub coordinator: Vec<String>,
    /// Match the files with this ledger export of the coordinator.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Also write the report as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the home's pinned custodians to this file, for --roster on a machine without a home.
    #[arg(long, value_name = "FILE")]
    pub save_roster: Option<PathBuf>,
}
