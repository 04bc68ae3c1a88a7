//! `airlock-coordinator audit`: verify, export, head.
//!
//! `main.rs` calls [`without_settings`] before it reads the settings (a file is checked without any) and [`run`] after. Each answers with
//! one line of JSON and an exit code: 0 sound, 3 a fault. What must stay true: verifying writes nothing.

use super::chain::Link;
use super::verify::{Asked, Verified};
use super::{Action, By, export, link, store, verify};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Database;
use crate::pairing::CoordinatorKey;
use airlock_shared::Digest;
use airlock_shared::identity::Identity;
use anyhow::Context as _;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// What to do with the audit log.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Compares every row with the signed chain; names the first one that was changed, removed, moved or put in.
    Verify {
        /// An exported file, checked without settings and database; without it, the database.
        file: Option<PathBuf>,
        /// Begin with the link that holds this row; the signed link before it is believed.
        #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
        since: Option<i64>,
        /// A head noted earlier, which the chain must contain: what shows that its end was cut off.
        #[arg(long, value_name = "DIGEST")]
        head: Option<String>,
        /// Public keys that sign the chain, known from elsewhere; by default the key in the coordinator's home.
        #[arg(long, value_name = "HEX")]
        coordinator: Vec<String>,
    },
    /// Chains what waits and writes the whole log as one signed file.
    Export {
        /// Where; nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Prints the head of the chain: note it elsewhere, and give it to `verify --head` later.
    Head,
}

/// Checks an exported file. `None` if the command needs the settings.
pub fn without_settings(command: &Command) -> anyhow::Result<Option<ExitCode>> {
    let Command::Verify { file: Some(file), head, coordinator, .. } = command else { return Ok(None) };
    anyhow::ensure!(!coordinator.is_empty(), "--coordinator is needed: whose signature shall count?");
    let asked = Asked { keys: keys(coordinator)?, since: None, head: digest(head.as_deref())? };
    Ok(Some(told(&export::verify(file, &asked)?)?))
}

/// Runs the command.
pub async fn run(config: Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify { since, head, coordinator, .. } => {
            let mut keys = keys(&coordinator)?;
            if keys.is_empty() {
                keys.push(CoordinatorKey::open(&config.home)?.identity());
            }
            let db = Database::open(config.database_url.reveal(), 1).await?;
            db.expect_current().await?;
            let asked = Asked { keys, since, head: digest(head.as_deref())? };
            told(&verify::snapshot(&db, &asked).await?)
        }
        Command::Export { out } => write(config, &out).await,
        Command::Head => {
            let db = Database::open(config.database_url.reveal(), 1).await?;
            db.expect_current().await?;
            let (last, _) = store::head(&mut *db.reader().await?).await?;
            let link = store::link_below(&mut *db.reader().await?, last.saturating_add(1)).await?;
            let link = link
                .transpose()
                .map_err(|first| anyhow::anyhow!("the link at row {first} cannot be read"))?;
            println!("{}", shown_head(link.as_ref()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn write(config: Config, out: &Path) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!out.exists(), "{} exists; nothing is overwritten", out.display());
    let key = Arc::new(CoordinatorKey::open(&config.home)?);
    let app = App::open(config, Clock::System).await?;
    super::read(&app, &By::command_line(), Action::AuditExport, "", json!({ "file": out })).await?;
    link::all(&app, &key).await?;
    let counts = export::export(&app.db, key.signing_key(), app.clock.now(), out).await?;
    println!("{}", json!({ "file": out, "rows": counts.rows, "links": counts.links }));
    Ok(ExitCode::SUCCESS)
}

fn shown_head(link: Option<&Link>) -> serde_json::Value {
    match link {
        None => json!({ "number": 0, "head": Digest::ZERO.to_string() }),
        Some(link) => json!({
            "number": link.last, "head": link.digest.to_string(), "signed_at_ms": link.made_at,
            "coordinator": link.signer.to_string(), "signature": hex::encode(link.signature.as_bytes()),
        }),
    }
}

fn told(verified: &Verified) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string(verified)?);
    Ok(if verified.sound { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn keys(texts: &[String]) -> anyhow::Result<Vec<Identity>> {
    let read =
        |text: &String| Identity::from_hex(text).context("--coordinator: expected 64 lower-case hex digits");
    texts.iter().map(read).collect()
}

fn digest(text: Option<&str>) -> anyhow::Result<Option<Digest>> {
    let read = |text| Digest::from_hex(text).context("--head: expected 64 lower-case hex digits");
    text.map(read).transpose()
}
