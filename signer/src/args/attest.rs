//! The command line of `attest`. Read by [`super`], carried out by `commands::attest`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `attest`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Attest {
    /// Instead of attesting.
    #[command(subcommand)]
    pub action: Option<AttestAction>,
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc.
    #[arg(long, required = true)]
    pub network: Option<String>,
    /// Index of the first deposit address.
    #[arg(long, value_name = "I", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..1 << 31))]
    pub first: u32,
    /// How many, 1 to 100000.
    #[arg(long, value_name = "N", required = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: Option<u32>,
    /// Where the attestation goes, as JSON, binary, QR frames and an animation.
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// The eight words of the attestation.
    #[arg(long, value_name = "WORDS")]
    pub confirm: Option<String>,
}

/// What else `attest` does.
#[derive(Subcommand, Debug)]
pub enum AttestAction {
    /// Check the proof of one address with a signer's key that you got elsewhere. Needs no home and no passphrase.
    Verify(AttestVerify),
}

/// `attest verify`.
#[derive(Args, Debug)]
pub struct AttestVerify {
    /// The proof: JSON as the coordinator's answer has it, or binary.
    pub proof: PathBuf,
    /// The signer's public identity key, 64 hex digits, from somebody other than the coordinator.
    #[arg(long, value_name = "HEXKEY")]
    pub signer: String,
    /// The address that you were given; the proof must be for this one.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
}
