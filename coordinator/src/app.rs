//! What every part of the running coordinator shares: settings, database, writer, clock.
//!
//! `main.rs` opens it, the API and the workers hold clones of it. A capability's router is
//! `fn router() -> Router<App>`, merged in `api/mod.rs`; a worker is a callable step plus a dull loop in
//! `app.rs`'s caller. What must stay true: state that outlives a request is in the database, not here.

use crate::chain::{ChainError, Chains};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Database, DbError};
use crate::ledger::{self, LedgerError, Writer};
use std::ops::Deref;
use std::sync::Arc;

/// A handle to everything shared; clones are cheap.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

/// What [`App`] points at.
#[derive(Debug)]
pub struct Shared {
    /// The checked settings.
    pub config: Config,
    /// The database; reads go through `db.reader()`.
    pub db: Database,
    /// The only way to write.
    pub writer: Writer,
    /// The only source of time.
    pub clock: Clock,
    /// The providers of every network; each is checked before its first answer counts.
    pub chains: Chains,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Why the coordinator could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The ledger refuses the configured assets.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A provider cannot be used.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl App {
    /// Opens the database, which must be migrated, pins the asset scales and starts the writer.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, OpenError> {
        let db = Database::open(config.database_url.reveal(), config.database_readers_max).await?;
        db.expect_current().await?;
        let writer = Writer::start(db.clone(), config.assets.clone(), clock.clone(), config.writer);
        let assets = config.assets.clone();
        writer
            .commit(move |unit| Box::pin(async move { ledger::store::pin_assets(unit.db(), &assets).await }))
            .await?;
        let chains = Chains::new(config.networks.iter().map(|network| network.chain_settings()))?;
        Ok(Self(Arc::new(Shared { config, db, writer, clock, chains })))
    }
}
