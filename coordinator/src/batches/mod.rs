//! Batches: withdrawals that cross the gap together, from draft to the chain's last word.
//!
//! Files in the order of a batch's life: `create` (with `terms` from the chain), `approve`, `exchange` (out, over the gap),
//! `intake` and `accept` (back), `broadcast`, `confirm`, `settle`; `close` for those that never left; `file` for auditors;
//! `hardware` for those that a hardware wallet signs. `state` is the pure machine, `store` the SQL, `http` the routes. [`step`] is one round of the workers, [`run`] the loop.
//! What must stay true: bytes are stored before they are first sent; what nodes answer is a hint; a withdrawal ends paid
//! only by a final, successful transaction that two providers tell alike; nothing is signed here.

pub mod accept;
pub mod approve;
pub mod broadcast;
pub mod close;
pub mod confirm;
pub mod create;
pub mod exchange;
pub mod file;
pub mod hardware;
pub mod http;
pub mod intake;
pub mod passkey;
mod settle;
pub mod state;
pub mod store;
pub mod terms;

pub use state::{Event, State};
pub use store::Batch;

use crate::app::App;
use crate::chain::ChainError;
use crate::ledger::{AssetCode, AssetError, LedgerError};
use crate::pairing::{IdentityError, PairingError};
use crate::withdrawals::WithdrawalError;
use airlock_shared::form::FormError;
use airlock_shared::frames::{FrameError, PictureError};
use airlock_shared::policy::Refusal;
use airlock_shared::roles::approver::ApprovalError;
use airlock_shared::roles::creator::CreateError;
use airlock_shared::{BaseUnits, Network};
use std::time::Duration;

/// The longest pause of the loop after errors.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A withdrawal that was due and not taken.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct LeftOut {
    /// Which.
    pub withdrawal: String,
    /// Why.
    pub why: String,
}

/// Why a step of a batch did not happen.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// No such batch.
    #[error("no batch {batch}")]
    NotFound {
        /// Its id.
        batch: String,
    },
    /// No such bundle.
    #[error("no bundle {bundle}")]
    NoBundle {
        /// Its id.
        bundle: String,
    },
    /// The network is not configured.
    #[error("network {0} is not configured")]
    Network(Network),
    /// The asset is not configured there.
    #[error("asset {asset} is not configured on {network}")]
    Asset {
        /// Which.
        asset: AssetCode,
        /// Where.
        network: Network,
    },
    /// The person cannot be named in a batch.
    #[error("{found:?} is no person id")]
    Person {
        /// Who.
        found: String,
    },
    /// A part of a passkey's assertion cannot be read.
    #[error("credential: {field} is base64url without padding of at most {limit} bytes")]
    Passkey {
        /// Which member.
        field: &'static str,
        /// The most bytes it may have.
        limit: usize,
    },
    /// No hot wallet is known.
    #[error("{network} has no hot wallet of a paired signer: pair it and import its wallets")]
    NoWallet {
        /// Where.
        network: Network,
    },
    /// Not a hardware wallet of ours.
    #[error("{wallet} is no hardware wallet that a paired signer's newest policy and the settings both name")]
    NoHardware {
        /// What was asked for.
        wallet: airlock_shared::Address,
    },
    /// A wallet pays its own partner's withdrawals and nobody else's (P8).
    #[error("{wallet} belongs to partner {owner} and pays its withdrawals only, not those of {partner}")]
    ForeignWallet {
        /// What was asked for.
        wallet: airlock_shared::Address,
        /// Whose it is.
        owner: String,
        /// Whose withdrawals were to be paid.
        partner: String,
    },
    /// Nothing may go to this signer or come from it.
    #[error("signer {signer} is suspended")]
    Suspended {
        /// Which.
        signer: String,
    },
    /// No policy has been imported.
    #[error("no policy of signer {signer} is known: import it")]
    NoPolicy {
        /// Which.
        signer: String,
    },
    /// Nothing can be paid now.
    #[error("nothing is due that can be paid now")]
    NothingDue {
        /// What was due and why it was left out.
        left_out: Vec<LeftOut>,
    },
    /// A fee above its limit.
    #[error("{what} would have to be {needed}, allowed is {allowed}")]
    FeeCap {
        /// Which fee.
        what: &'static str,
        /// What is needed.
        needed: String,
        /// The limit.
        allowed: String,
    },
    /// This clock and the chain's do not agree.
    #[error("the chain's clock says {chain_ms} ms, this one {ours_ms} ms: the batch would be born dead")]
    Clock {
        /// The head block's time.
        chain_ms: u64,
        /// Ours.
        ours_ms: u64,
    },
    /// The signer's policy would refuse it.
    #[error(transparent)]
    Policy(#[from] Refusal),
    /// The batch cannot be frozen.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The state does not know the event.
    #[error(transparent)]
    Illegal(#[from] state::Illegal),
    /// Another step came first.
    #[error("batch {batch} is no longer {expected}")]
    Raced {
        /// Its id.
        batch: String,
        /// What it was thought to be.
        expected: State,
    },
    /// The approval does not count.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The approval is for another batch.
    #[error("the approval is over content {found}, this batch's is {expected}")]
    OtherContent {
        /// This batch's.
        expected: String,
        /// The approval's.
        found: String,
    },
    /// The batches cannot be one bundle.
    #[error("these batches cannot be one bundle: {why}")]
    Bundle {
        /// Why.
        why: String,
    },
    /// It may still be signed.
    #[error(
        "batch {batch} has been exported and may be signed until it expires; it can be abandoned after that"
    )]
    MayBeSigned {
        /// Its id.
        batch: String,
    },
    /// Good signatures for a batch that cannot take them now.
    #[error("{why}")]
    TooLate {
        /// Its id.
        batch: String,
        /// What is in the way.
        why: String,
    },
    /// A hardware wallet cannot be asked, or its answers cannot be taken.
    #[error("{why}")]
    Hardware {
        /// Why.
        why: String,
    },
    /// There is nothing to show yet.
    #[error("batch {batch} is {state}: there is no signed-batch file yet")]
    NotSigned {
        /// Its id.
        batch: String,
        /// Where it stands.
        state: State,
    },
    /// What came in is not the document it should be.
    #[error("not a document of that kind: {0}")]
    Document(#[from] FormError),
    /// What came in cannot be read at all.
    #[error("{0}")]
    Intake(#[from] intake::IntakeError),
    /// Frames cannot be made of it.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// Pictures cannot be drawn of it.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A sum above 256 bits.
    #[error("a sum of amounts is above 256 bits")]
    Overflow,
    /// The operating system gave no randomness, or a task was lost.
    #[error("{0}")]
    System(String),
    /// The withdrawal's step.
    #[error(transparent)]
    Withdrawal(#[from] WithdrawalError),
    /// Signers, policies, wallets.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The providers.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nothing leaves now.
    #[error(transparent)]
    Freeze(#[from] crate::freeze::FreezeError),
    /// The database or the writer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<AssetError> for BatchError {
    fn from(error: AssetError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<IdentityError> for BatchError {
    fn from(error: IdentityError) -> Self {
        Self::Pairing(error.into())
    }
}

impl From<getrandom::Error> for BatchError {
    fn from(error: getrandom::Error) -> Self {
        Self::System(format!("randomness: {error}"))
    }
}

impl From<tokio::task::JoinError> for BatchError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::System(format!("a task was lost: {error}"))
    }
}

fn sum(amounts: impl IntoIterator<Item = BaseUnits>) -> Result<BaseUnits, BatchError> {
    BaseUnits::checked_sum(amounts).ok_or(BatchError::Overflow)
}

/// What one round did on one network.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct Progress {
    /// Transactions sent, repeats included.
    pub sent: usize,
    /// Attempts that changed their state.
    pub changed: usize,
    /// Attempts that wait for the chain or for a second provider.
    pub waiting: usize,
}

/// One round for one network: closes what is overdue, sends what is signed, follows what was sent.
pub async fn step(app: &App, network: Network) -> Result<Progress, BatchError> {
    close::expire(app).await?;
    let sent = broadcast::step(app, network).await?;
    let followed = confirm::step(app, network).await?;
    Ok(Progress { sent, ..followed })
}

/// One round of every network: what tests call instead of waiting.
pub async fn run_pending(app: &App) -> Result<(), BatchError> {
    for network in &app.config.networks {
        step(app, network.network).await?;
    }
    Ok(())
}

/// Works for every configured network until `stop` becomes true.
pub async fn run(app: App, stop: tokio::sync::watch::Receiver<bool>) {
    let loops = app.config.networks.iter().map(|network| {
        let (app, stop, poll) = (app.clone(), stop.clone(), network.poll_interval);
        let network = network.network;
        tokio::spawn(async move { work_network(app, network, poll, stop).await })
    });
    for ended in futures::future::join_all(loops).await {
        if let Err(error) = ended {
            tracing::error!(%error, "sending and confirming ended badly on a network");
        }
    }
}

/// A dull loop around [`step`].
async fn work_network(
    app: App,
    network: Network,
    poll: Duration,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    let mut pause = poll;
    while !*stop.borrow() {
        pause = match step(&app, network).await {
            Ok(_) => poll,
            Err(error) => {
                tracing::warn!(%network, %error, "sending and confirming stopped for a moment");
                pause.max(poll).saturating_mul(2).min(LONGEST_PAUSE)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}
