//! The databases that every end-to-end test runs on: a SQLite file, and a fresh PostgreSQL database.
//!
//! `AIRLOCK_TEST_POSTGRES` is the URL of a server where databases may be created; `scripts/test.sh` starts
//! one and sets `AIRLOCK_REQUIRE_POSTGRES=1`. What must stay true: a required database is never skipped in silence.

use anyhow::{Context as _, ensure};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::path::Path;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Database {
    /// A file in the world's own directory.
    Sqlite,
    /// A new database on the test server.
    Postgres,
}

impl Database {
    /// The databases that this run has: SQLite always.
    ///
    /// # Errors
    /// PostgreSQL is required and no server is named.
    pub fn available() -> anyhow::Result<Vec<Self>> {
        let required = std::env::var("AIRLOCK_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
        let server = server();
        ensure!(
            server.is_some() || !required,
            "AIRLOCK_REQUIRE_POSTGRES=1 but AIRLOCK_TEST_POSTGRES names no server"
        );
        Ok(if server.is_some() { vec![Self::Sqlite, Self::Postgres] } else { vec![Self::Sqlite] })
    }

    /// The URL of a new, empty database of this kind.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn create(self, directory: &Path) -> anyhow::Result<String> {
        match self {
            Self::Sqlite => Ok(format!("sqlite:{}", directory.join("airlock.db").display())),
            Self::Postgres => create_on(&server().context("AIRLOCK_TEST_POSTGRES names no server")?).await,
        }
    }
}

fn server() -> Option<String> {
    std::env::var("AIRLOCK_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

async fn create_on(server: &str) -> anyhow::Result<String> {
    sqlx::any::install_default_drivers();
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    let name = format!("airlock_{}", hex::encode(random));
    let mut admin = AnyConnection::connect(server).await.context("the PostgreSQL server of the tests")?;
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await?;
    admin.close().await?;
    let base = server.split('?').next().unwrap_or(server);
    let scheme_end = base.find("//").map_or(0, |at| at + 2);
    let host_end = base[scheme_end..].find('/').map_or(base.len(), |at| scheme_end + at);
    Ok(format!("{}/{name}", &base[..host_end]))
}
