//! What every part of the running coordinator shares: settings, database, writer, clock.
//!
//! `main.rs` opens it, the API and the workers hold clones of it. A capability's router is
//! `fn router() -> Router<App>`, merged in `api/mod.rs`; a worker is a callable step plus a dull loop that [`serve`]
//! starts and stops. What must stay true: state that outlives a request is in the database, not here.

use crate::api::limits::{self, Limits};
use crate::api::metrics;
use crate::api::serve as server;
use crate::api::tls::{Tls, TlsError};
use crate::audit;
use crate::batches;
use crate::chain::{ChainError, Chains};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Database, DbError};
use crate::deposits;
use crate::freeze;
use crate::keys::Ring;
use crate::ledger::{self, LedgerError, Writer};
use crate::pairing::{CoordinatorKey, IdentityError};
use crate::partners;
use crate::people::{Access, AccessError, Directory};
use crate::transactions;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How much longer than a request may take the server waits for its connections at the end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long workers may take to end their round. What they leave undone is in the database and done at the next start.
const WORKERS_PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks for a database that is not there yet.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

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
    /// Whose users are whose, remembered.
    pub directory: Directory,
    /// Keys of access tokens and second factors, and the places where passwords are hashed.
    pub access: Access,
    /// Places for exports of transactions; each holds a read connection while it streams.
    pub exports: Arc<Semaphore>,
    /// Partners' API keys, and which signed requests were taken.
    pub keys: Ring,
    /// How often one address, key or person may ask.
    pub limits: Limits,
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
        let db = Database::open_with(config.database_url.reveal(), config.database.pools).await?;
        db.expect_current().await?;
        let writer = Writer::start(db.clone(), config.assets.clone(), clock.clone(), config.writer);
        let assets = config.assets.clone();
        writer
            .commit(move |unit| Box::pin(async move { ledger::store::pin_assets(unit.db(), &assets).await }))
            .await?;
        let chains = Chains::new(config.networks.iter().map(|network| network.chain_settings()))?;
        let directory = Directory::new(db.clone());
        let access = Access::new(&config);
        let exports = Arc::new(Semaphore::new(transactions::export::AT_ONCE));
        let keys = Ring::new(db.clone(), writer.clone(), &config.home, config.signed_requests, clock.now());
        let limits = Limits::new(&config.limits);
        Ok(Self(Arc::new(Shared {
            limits,
            config,
            db,
            writer,
            clock,
            directory,
            access,
            exports,
            keys,
            chains,
        })))
    }
}

/// Why serving ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It could not start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The coordinator's identity key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The keys of log-in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The system does not tell us its signals.
    #[error("signals: {0}")]
    Signals(std::io::Error),
    /// The certificate or its key.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The address cannot be bound, or the server failed.
    #[error("listening on {listen}: {source}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A commit failed and the writer stopped: restart after checking the database.
    #[error("the ledger's writer has stopped")]
    WriterStopped,
}

/// Waits for a database that is not there yet, at most as long as the settings say, and brings it up to date if wanted.
///
/// # Errors
/// It does not come, refuses us, or cannot be migrated.
pub async fn prepare(config: &Config, clock: &Clock, migrate: bool) -> Result<(), OpenError> {
    let begun = tokio::time::Instant::now();
    let db = loop {
        match Database::open_with(config.database_url.reveal(), config.database.pools).await {
            Err(error) if error.is_absence() && begun.elapsed() < config.database.wait => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            opened => break opened?,
        }
    };
    if migrate {
        for name in db.migrate(clock.now()).await? {
            tracing::info!(name, "migrated");
        }
    }
    Ok(())
}

/// Serves the API and runs the workers until SIGINT or SIGTERM. Then: nothing more is accepted, requests in flight finish,
/// workers end their round, and the last rows get their signed head.
pub async fn serve(config: Config, clock: Clock) -> Result<(), ServeError> {
    let app = App::open(config, clock).await?;
    // Made at the first start; one that others may read refuses the start.
    let key = Arc::new(CoordinatorKey::open(&app.config.home)?);
    tracing::info!(identity = %key.identity(), "coordinator identity");
    app.access.ready().await?;
    // A provider of another network, or a token that is not the configured one, refuses the start.
    app.chains.prove().await.map_err(OpenError::from)?;
    let tls = app.config.server.tls.as_ref().map(Tls::open).transpose()?.map(Arc::new);
    // Before anybody can know that it runs: a signal that comes early must not end it in the middle.
    let signals = Signals::take().map_err(ServeError::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let listen = app.config.server.listen;
    let refused = |source| ServeError::Listen { listen, source };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    // Scripts wait for this line; the port is the system's choice when 0 was asked for.
    println!("{}", serde_json::json!({ "listening": bound.to_string() }));
    tracing::info!(%bound, tls = tls.is_some(), "serving");
    let (stop, stopped) = watch::channel(false);
    let (stop_workers, workers_stopped) = watch::channel(false);
    let workers = start_workers(&app, &key, &workers_stopped);
    let reloads = tokio::spawn(reload(hangup, tls.clone()));
    let router = crate::api::router(app.clone());
    let served = server::serve(listener, app.clone(), router, tls, stopped.clone());
    let watched = app.clone();
    let watching = tokio::spawn(async move {
        ended(watched, signals).await;
        // The receivers may be gone already; then there is nobody to tell.
        let _ = stop.send(true);
    });
    tokio::select! {
        () = served => {}
        () = out_of_patience(&app, stopped) => tracing::warn!("connections that never ended are cut"),
    }
    watching.abort();
    reloads.abort();
    let _ = stop_workers.send(true);
    end_workers(workers).await;
    if app.writer.has_stopped() {
        return Err(ServeError::WriterStopped);
    }
    // The last requests' rows are under a signed head too.
    audit::link::all(&app, &key).await.map_err(OpenError::from)?;
    tracing::info!("ended");
    Ok(())
}

/// Waits for the workers' rounds to end; one that takes too long is left: its work is in the database.
async fn end_workers(workers: Vec<JoinHandle<()>>) {
    let all = async {
        for worker in workers {
            if let Err(error) = worker.await {
                tracing::error!(%error, "a worker ended badly");
            }
        }
    };
    if tokio::time::timeout(WORKERS_PATIENCE, all).await.is_err() {
        tracing::warn!("workers that never ended are cut; the next start goes on with what they did");
    }
}

/// Reads certificate and key again at every SIGHUP. Without TLS the signal is taken too: it must not end the program.
async fn reload(mut hangup: Signal, tls: Option<Arc<Tls>>) {
    while hangup.recv().await.is_some() {
        match tls.as_ref().map(|tls| tls.reload()) {
            None => tracing::info!("SIGHUP: nothing to read again"),
            Some(Ok(())) => tracing::info!("SIGHUP: certificate and key were read again"),
            Some(Err(error)) => tracing::error!(%error, "SIGHUP: the certificate stays as it was"),
        }
    }
}

/// Starts every worker's loop; each ends when `stopped` turns true.
fn start_workers(
    app: &App,
    key: &Arc<CoordinatorKey>,
    stopped: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(deposits::run(app.clone(), stopped.clone())),
        tokio::spawn(batches::run(app.clone(), stopped.clone())),
        tokio::spawn(partners::wallets::watch::run(app.clone(), stopped.clone())),
        tokio::spawn(audit::link::run(app.clone(), key.clone(), stopped.clone())),
        tokio::spawn(freeze::run(app.clone(), stopped.clone())),
        tokio::spawn(limits::run(app.clone(), stopped.clone())),
        tokio::spawn(metrics::run(stopped.clone())),
    ]
}

/// Requests in flight have their own time limit; a client that never finishes sending one must not hold up the end.
async fn out_of_patience(app: &App, mut stopped: watch::Receiver<bool>) {
    // An error means that the server has ended and dropped the sender.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tokio::time::sleep(app.config.server.request_timeout.saturating_add(PATIENCE)).await;
}

/// The signals that end the program in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }
}

/// Waits for a signal, or for the writer to stop by itself.
async fn ended(app: App, mut signals: Signals) {
    let writer = async {
        while !app.writer.has_stopped() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        _ = signals.interrupt.recv() => tracing::info!("interrupted, stopping"),
        _ = signals.terminate.recv() => tracing::info!("told to end, stopping"),
        () = writer => tracing::error!("the writer has stopped, stopping"),
    }
}
