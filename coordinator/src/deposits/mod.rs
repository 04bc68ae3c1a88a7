//! Deposits: what arrives at the addresses that we gave out, and when it becomes somebody's money.
//!
//! `address` derives addresses from xpubs; `attestation` keeps the signer's word for them; `follow` walks each chain, block by block, and writes what it saw together with how
//! far it got; `compare` has a second provider tell the same blocks; `credit` asks a second provider and books; `state` is the table of states; `store` is the SQL; `http` the routes.
//! [`step`] is one round for one network, for tests and the loop alike; [`run`] is the loop.
//! What must stay true: the cursor moves only past blocks that were read completely; a credit needs finality and two providers,
//! and happens once per (network, transaction, ordinal), whatever crashes or repeats; no money moves outside `credit`.
//!
//! ```text
//! seen (in a block at the head) -> confirming (its block is final) -> credited (a second provider has it too)
//!   |  ^                             |-> rejected (cannot be booked)
//!   v  |                             `-> suspense (arrived, owner unknown) -> credited
//! orphaned (its block is gone)
//! ```

pub mod address;
pub mod attestation;
mod compare;
pub mod credit;
pub mod follow;
pub mod http;
pub mod state;
pub mod store;
pub mod watch;

pub use follow::{FollowError, Progress, step};
pub use http::router;

use crate::app::App;
use airlock_shared::Network;
use std::time::Duration;

/// The longest pause of the loop after errors.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Follows every configured network until `stop` resolves to anything.
pub async fn run(app: App, stop: tokio::sync::watch::Receiver<bool>) {
    let loops = app.config.networks.iter().map(|network| {
        let (app, stop, poll) = (app.clone(), stop.clone(), network.poll_interval);
        let network = network.network;
        tokio::spawn(async move { follow_network(app, network, poll, stop).await })
    });
    for ended in futures::future::join_all(loops).await {
        if let Err(error) = ended {
            tracing::error!(%error, "a follower ended badly");
        }
    }
}

/// A dull loop around [`step`]: pauses when there is nothing new, longer while there are errors.
async fn follow_network(
    app: App,
    network: Network,
    poll: Duration,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    let mut watched = watch::Watched::new(&app, network);
    let mut pause = poll;
    while !*stop.borrow() {
        pause = match step(&app, network, &mut watched).await {
            Ok(progress) if progress.more => Duration::ZERO,
            Ok(_) => poll,
            Err(error) => {
                tracing::warn!(%network, %error, "following stopped for a moment");
                pause.max(poll).saturating_mul(2).min(LONGEST_PAUSE)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// One round of every network, until nothing more is left to read: what tests call instead of waiting.
pub async fn run_pending(app: &App) -> Result<(), FollowError> {
    for network in &app.config.networks {
        let mut watched = watch::Watched::new(app, network.network);
        while step(app, network.network, &mut watched).await?.more {}
    }
    Ok(())
}
