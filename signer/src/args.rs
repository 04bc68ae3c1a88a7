//! The command line, as types.
//!
//! Read by `main`, carried out by `commands`. What must stay true: no secret is an argument or an
//! environment variable; passphrases come from a terminal, a 0600 file or a file descriptor. Exit codes:
//! 0 done, 2 usage, 3 refused by policy or check, 4 vault or passphrase, 5 journal or state, 6 input or output.

mod attest;
mod audit;
mod backup;
mod birth;
mod genesis;
mod inputs;
mod wallet;

pub use attest::{Attest, AttestAction, AttestVerify};
pub use audit::Audit;
pub use backup::BackupAction;
pub use birth::{BesideWords, Founding, Init, Restore};
use clap::{Args, Parser, Subcommand};
pub use genesis::GenesisAction;
pub use inputs::{Descriptor, Inputs};
use std::path::PathBuf;
pub use wallet::{Import, LabelOf, Retire, WalletAction};

/// The offline signer of Airlock.
///
/// Exit codes: 0 done; 2 usage; 3 refused by policy or check; 4 vault or passphrase; 5 journal or state;
/// 6 input or output. With --json an error is one JSON object on standard error.
#[derive(Parser, Debug)]
#[command(name = "airlock-signer", version)]
pub struct CommandLine {
    /// Options of every command.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Options {
    /// Directory of vault, journal and policy [default: $XDG_DATA_HOME/airlock-signer or ~/.local/share/airlock-signer].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Read the passphrase from this file (mode 0600).
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "passphrase_fd")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the passphrase from this file descriptor.
    #[arg(long, global = true, value_name = "N")]
    pub passphrase_fd: Option<u32>,
    /// The same for the spending compartment [default: the passphrase above].
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "spending_passphrase_fd")]
    pub spending_passphrase_file: Option<PathBuf>,
    /// The same for the spending compartment.
    #[arg(long, global = true, value_name = "N")]
    pub spending_passphrase_fd: Option<u32>,
    /// Before a policy is in force, unseal keys although a network interface is up; journalled. SENTENCE is
    /// "I ACCEPT A NETWORKED MACHINE".
    #[arg(long, global = true, value_name = "SENTENCE")]
    pub accept_network: Option<String>,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make the vault, pin the roster, start the journal.
    Init(Init),
    /// Make the vault again from its words; nothing is signed until the custodians sign a journal genesis.
    Restore(Restore),
    /// Print this device's public identity key.
    Identity,
    /// Print wallet addresses.
    Addresses(Addresses),
    /// Import a single key; list, label and retire wallets.
    Wallet {
        /// What about them.
        #[command(subcommand)]
        action: WalletAction,
    },
    /// Export the extended public key of a deposit account.
    Xpub(Xpub),
    /// Vouch for deposit addresses, or check such a proof.
    Attest(Attest),
    /// Pair with a coordinator by words compared aloud.
    Pair(Pair),
    /// Change passphrases, or how long guessing one takes.
    Passphrase {
        /// What about them.
        #[command(subcommand)]
        action: PassphraseAction,
    },
    /// Back the spending keys up as shares, or prove a backup.
    Backup {
        /// Which.
        #[command(subcommand)]
        action: BackupAction,
    },
    /// Sign, install or show a policy.
    Policy {
        /// Which.
        #[command(subcommand)]
        action: PolicyAction,
    },
    /// Show a batch and every check's verdict; nothing is signed, nothing is journalled.
    Inspect(Inputs),
    /// Review and sign batches.
    Sign(Exchange),
    /// Review batches on an approver's device and approve them.
    Approve(Exchange),
    /// Show or verify the journal.
    Journal {
        /// Which.
        #[command(subcommand)]
        action: JournalAction,
    },
    /// Let the custodians begin or re-anchor the journal, after a restore or a rollback.
    Genesis {
        /// Which step.
        #[command(subcommand)]
        action: GenesisAction,
    },
    /// Look for what endangers keys on this machine, and say what to do about it.
    Doctor,
    /// Verify signed-batch files, or folders of them, against pinned keys: this home's, or given as files.
    Audit(Audit),
}

/// What stretching a passphrase costs, and so what guessing it costs.
#[derive(Args, Debug)]
pub struct Kdf {
    /// Memory for the key derivation, in KiB (47104 to 1048576).
    #[arg(long, value_name = "KIB")]
    pub kdf_memory_kib: Option<u32>,
    /// Passes over that memory (1 to 16).
    #[arg(long, value_name = "N")]
    pub kdf_passes: Option<u32>,
    /// Measure this machine and take what costs about so many milliseconds, 1500 for example.
    #[arg(long, value_name = "MS", conflicts_with_all = ["kdf_memory_kib", "kdf_passes"], value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub kdf_target_ms: Option<u64>,
}

/// `passphrase`.
#[derive(Subcommand, Debug)]
pub enum PassphraseAction {
    /// Seal the vault again under new passphrases, or under the same ones and a dearer key derivation.
    Change(PassphraseChange),
}

/// `passphrase change`.
#[derive(Args, Debug)]
pub struct PassphraseChange {
    /// Which part of the vault.
    #[arg(long, value_enum, default_value_t = Compartments::All)]
    pub compartment: Compartments,
    /// Keep the passphrases; only the key derivation changes.
    #[arg(long, conflicts_with_all = ["new_passphrase_file", "new_passphrase_fd", "new_spending_passphrase_file", "new_spending_passphrase_fd"])]
    pub keep: bool,
    /// Read the new passphrase from this file (mode 0600).
    #[arg(long, value_name = "PATH", conflicts_with = "new_passphrase_fd")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from this file descriptor.
    #[arg(long, value_name = "N")]
    pub new_passphrase_fd: Option<u32>,
    /// The same for the spending compartment [default: the new passphrase above].
    #[arg(long, value_name = "PATH", conflicts_with = "new_spending_passphrase_fd")]
    pub new_spending_passphrase_file: Option<PathBuf>,
    /// The same for the spending compartment.
    #[arg(long, value_name = "N")]
    pub new_spending_passphrase_fd: Option<u32>,
    /// What opening costs from now on; never less than before [default: as before].
    #[command(flatten)]
    pub kdf: Kdf,
}

/// Which part of a vault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Compartments {
    /// Identity, roster, pairings.
    Identity,
    /// The spending keys.
    Spending,
    /// All that the vault has.
    All,
}

impl Compartments {
    /// Is the identity compartment meant?
    pub const fn identity(self) -> bool {
        !matches!(self, Self::Spending)
    }
}

/// `addresses`.
#[derive(Args, Debug)]
pub struct Addresses {
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc; repeat [default: the profile's usual networks].
    #[arg(long)]
    pub network: Vec<String>,
    /// deposit, hot, cold or energy; repeat [default: all].
    #[arg(long)]
    pub role: Vec<String>,
    /// How many of each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
}

/// `xpub`.
#[derive(Args, Debug)]
pub struct Xpub {
    /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc.
    #[arg(long)]
    pub network: String,
    /// Also write xpub.json and QR frames there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `pair`.
#[derive(Args, Debug)]
pub struct Pair {
    /// The coordinator's introduction; without it this signer only introduces itself.
    #[command(flatten)]
    pub inputs: Inputs,
    /// The eight words that both sides show.
    #[arg(long, value_name = "WORDS")]
    pub confirm: Option<String>,
    /// Write this signer's pairing document there, as JSON and QR frames.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `policy`.
#[derive(Subcommand, Debug)]
pub enum PolicyAction {
    /// Add this custodian's signature to a policy file.
    Sign {
        /// The policy.
        #[command(flatten)]
        policy: Inputs,
        /// Where the signed file goes [default: in place, if it came as a file].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The eight words of the policy's digest.
        #[arg(long, value_name = "WORDS")]
        confirm: Option<String>,
    },
    /// Put a policy that enough custodians have signed in force.
    Install {
        /// The signed policy.
        #[command(flatten)]
        policy: Inputs,
    },
    /// Print the policy in force.
    Show,
    /// Draft a policy that permits nothing yet, with every field explained beside it.
    New {
        /// Its name; versions of one name succeed each other.
        #[arg(long)]
        name: String,
        /// main, test or dev.
        #[arg(long)]
        profile: String,
        /// CAIP-2 name such as eip155:1 or tron:0x2b6653dc; repeat.
        #[arg(long, required = true)]
        network: Vec<String>,
        /// Where the draft goes; nothing is overwritten [default: standard output].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say in words how one policy differs from another, and whether it permits more.
    Diff {
        /// The policy file before.
        old: PathBuf,
        /// The policy file after.
        new: PathBuf,
    },
    /// Say what every rule says about a bundle; nothing is signed, nothing is journalled.
    Explain {
        /// Judge by this policy file instead of the policy in force, whoever has signed it.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// The bundle.
        #[command(flatten)]
        bundle: Inputs,
    },
}

/// `sign` and `approve`.
#[derive(Args, Debug)]
pub struct Exchange {
    /// What comes in.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Where the answer goes, as JSON, binary, QR frames and an animation.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The eight words compared with the coordinator's screen; `approve` takes one --confirm for each batch, `sign`
    /// one for the whole bundle.
    #[arg(long, value_name = "WORDS")]
    pub confirm: Vec<String>,
    /// Print the review as plain text instead of turning pages: for screen readers and logs.
    #[arg(long)]
    pub plain: bool,
    /// Also write the answer's animation as SVG, which a browser shows at any size.
    #[arg(long)]
    pub svg: bool,
    /// Also show the answer's frames in this terminal.
    #[arg(long)]
    pub terminal: bool,
    /// The QR version of the answer's frames, 5 to 40.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub qr_version: u8,
}

/// `journal`.
#[derive(Subcommand, Debug)]
pub enum JournalAction {
    /// Print every entry.
    Show,
    /// Check framing, hash chain, signatures and the vault's anchor.
    Verify,
}
