//! Reads what watched wallets hold: every coin of their network at one final block, and on TRON the energy left.
//!
//! [`step`] is one round, [`run`] the dull loop. What must stay true: no database transaction is open while a provider is asked;
//! a provider that fails costs a round, not the wallets' turn for ever.

use super::{Reading, Watched, store};
use crate::app::App;
use crate::chain::{ChainError, Coin};
use crate::config::NetworkConfig;
use crate::ledger::LedgerError;
use airlock_shared::Family;
use std::time::Duration;

/// How old a reading may become before it is read again.
const EVERY: Duration = Duration::from_secs(600);
/// Wallets asked about in one round of one network.
const WALLETS_AT_ONCE: i64 = 50;
/// Pause between rounds.
const PAUSE: Duration = Duration::from_secs(30);

/// Why a round of a network did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The providers.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database or the writer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for WatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// One round of one network; answers how many wallets were read.
pub async fn step(app: &App, network: &NetworkConfig) -> Result<usize, WatchError> {
    let every_ms = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
    let now = app.clock.now();
    let wallets = {
        let mut db = app.db.reader().await?;
        store::waiting(&mut db, network.network, now.saturating_sub(every_ms), WALLETS_AT_ONCE).await?
    };
    if wallets.is_empty() {
        return Ok(0);
    }
    let asked = ask(app, network, &wallets).await;
    let told = asked.as_ref().ok().cloned().unwrap_or_default();
    let count = wallets.len();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                for wallet in &wallets {
                    store::set_asked(unit.db(), &wallet.id, now).await?;
                }
                for (wallet, reading) in &told {
                    store::put_reading(unit.db(), wallet, reading).await?;
                }
                Ok::<_, WatchError>(())
            })
        })
        .await?;
    asked.map(|_| count)
}

/// What the wallets hold, as pairs of wallet id and reading.
async fn ask(
    app: &App,
    network: &NetworkConfig,
    wallets: &[Watched],
) -> Result<Vec<(String, Reading)>, WatchError> {
    let missing = || ChainError::NoProvider { network: network.network, last: "not configured".to_owned() };
    let providers = app.chains.of(network.network).ok_or_else(missing)?;
    let tokens: Vec<_> = std::iter::once(&network.native).chain(&network.tokens).collect();
    let questions: Vec<_> = wallets
        .iter()
        .flat_map(|wallet| tokens.iter().map(move |token| (wallet, *token)))
        .map(|(wallet, token)| (wallet, token, token.contract.map_or(Coin::Native, Coin::Token)))
        .collect();
    let of: Vec<_> = questions.iter().map(|(wallet, _, coin)| (wallet.address, *coin)).collect();
    let told = providers
        .ask(|node| {
            let of = of.clone();
            async move { node.balances(&of).await }
        })
        .await?;
    let (at, balances) = told.answer;
    let at_ms = i64::try_from(at.time_ms).unwrap_or(i64::MAX);
    let mut readings: Vec<(String, Reading)> = questions
        .iter()
        .zip(balances)
        .map(|((wallet, token, _), amount)| {
            let (what, amount) = (token.asset.to_string(), amount.to_string());
            (wallet.id.clone(), Reading { what, amount, at_ms })
        })
        .collect();
    if network.network.family() == Family::Tron {
        for wallet in wallets {
            let address = wallet.address;
            let told = providers
                .ask(|node| async move {
                    let tron = node.tron().ok_or_else(|| ChainError::NoProvider {
                        network: address.network(),
                        last: "no TRON node".to_owned(),
                    })?;
                    tron.resources(address).await
                })
                .await?;
            let left = told.answer.energy_limit.saturating_sub(told.answer.energy_used);
            let reading = Reading { what: "energy".to_owned(), amount: left.to_string(), at_ms };
            readings.push((wallet.id.clone(), reading));
        }
    }
    Ok(readings)
}

/// Rounds for every network until `stopped` turns true.
pub async fn run(app: App, mut stopped: tokio::sync::watch::Receiver<bool>) {
    while !*stopped.borrow() {
        for network in &app.config.networks {
            if let Err(error) = step(&app, network).await {
                tracing::warn!(network = %network.network, %error, "watched wallets were not read");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            changed = stopped.changed() => if changed.is_err() { return },
        }
    }
}
