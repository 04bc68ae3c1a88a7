//! Where a measurement stands: a migrated database of its own with 10,000 funded accounts, and a writer.

use airlock_coordinator::clock::Clock;
use airlock_coordinator::db::{self, Database, Dialect};
use airlock_coordinator::ledger::{
    Account, AssetCode, Assets, LedgerError, Order, Posting, Writer, WriterLimits, store,
};
use airlock_shared::MinorUnits;
use futures::future::join_all;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::sync::Arc;
use tempfile::TempDir;

/// How many accounts money moves between.
pub const ACCOUNTS: u64 = 10_000;

/// One database with a writer.
#[derive(Debug)]
pub struct Place {
    pub db: Database,
    pub url: String,
    pub writer: Writer,
    assets: Arc<Assets>,
    _dir: TempDir,
}

pub fn usdt() -> AssetCode {
    "USDT".parse().unwrap()
}

/// The available account of a user by number.
pub fn account(number: u64) -> Account {
    Account::available(&format!("{number:032x}"), &usdt())
}

impl Place {
    /// SQLite without a server, else a new database on it. Every account gets a million whole units.
    pub async fn open(server: Option<&str>) -> Self {
        let dir = TempDir::new_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into())).unwrap();
        let url = match server {
            None => format!("sqlite:{}", dir.path().join("airlock.db").display()),
            Some(server) => fresh(server).await,
        };
        let db = Database::open(&url, 4).await.unwrap();
        db.migrate(0).await.unwrap();
        let mut assets = Assets::default();
        assets.add(usdt(), 6).unwrap();
        let assets = Arc::new(assets);
        let writer = Writer::start(db.clone(), assets.clone(), Clock::System, limits());
        let pinned = assets.clone();
        let pin =
            writer.commit(move |unit| Box::pin(async move { store::pin_assets(unit.db(), &pinned).await }));
        pin.await.unwrap();
        let place = Self { db, url, writer, assets, _dir: dir };
        place.fund().await;
        place
    }

    pub fn suffix(&self) -> &'static str {
        match self.db.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    /// Another writer on the same database, one transaction for each command.
    pub fn writer_without_groups(&self) -> Writer {
        let limits = WriterLimits { group_max: 1, ..limits() };
        Writer::start(self.db.clone(), self.assets.clone(), Clock::System, limits)
    }

    async fn fund(&self) {
        let gifts = (0..ACCOUNTS).map(|number| async move {
            let amount = MinorUnits::new(1_000_000_000_000);
            let posting = Posting::new("gift", format!("{number}"));
            let posting = posting.minor(Account::Capital(usdt()), account(number), amount);
            self.writer.submit(Order::new(posting)).await.unwrap();
        });
        join_all(gifts).await;
        self.analyze().await;
    }

    /// What a server's own autovacuum does within a minute.
    pub async fn analyze(&self) {
        let done = self.writer.commit(|unit| {
            Box::pin(async move {
                sqlx::query("analyze").execute(unit.db()).await?;
                Ok::<(), LedgerError>(())
            })
        });
        done.await.unwrap();
    }
}

fn limits() -> WriterLimits {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let usual = WriterLimits::default();
    WriterLimits { group_max: number("GROUP_MAX").unwrap_or(usual.group_max), ..usual }
}

/// A new database on a server.
pub async fn fresh(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("bench_{}", db::random_id().unwrap());
    let mut admin = AnyConnection::connect(server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}
