//! `ledger export`: the books as one file that auditors' tools read (L10, docs/ledger.md).
//!
//! Called by `main`. What must stay true: everything comes from one still picture of the database, so lines agree with
//! each other while postings go on; rows are read in pages, so that memory does not grow with the books; the file
//! appears under its name only when it is whole and on the disk, and nothing is overwritten.

mod lines;

use crate::batches::BatchError;
use crate::chain::ChainError;
use crate::clock::UnixMillis;
use crate::config::Config;
use crate::db::{Database, Db};
use crate::ledger::LedgerError;
use crate::pairing::{CoordinatorKey, PairingError};
use crate::withdrawals::WithdrawalError;
use airlock_shared::ledger::{Book, Counts, Line};
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

/// Rows read at once.
pub const PAGE: i64 = 500;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be written, or is there already.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Money has moved on a network that the settings do not know any more; its contracts are needed.
    #[error(
        "money has moved on {network}, which is not in the settings: its contracts belong into the export"
    )]
    Network {
        /// Which.
        network: String,
    },
    /// A row that does not read back.
    #[error("a row cannot be exported: {what}")]
    Row {
        /// Which, and why.
        what: String,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The batches.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The withdrawals.
    #[error(transparent)]
    Withdrawal(#[from] WithdrawalError),
    /// The signers.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// A transaction id that is none.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Writes the whole ledger to `out` and says how much it was.
pub async fn export(
    database: &Database,
    config: &Config,
    key: &CoordinatorKey,
    now: UnixMillis,
    out: &Path,
) -> Result<Counts, ExportError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    if out.exists() {
        return Err(io(out)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = out.with_file_name(name);
    let file = File::create(&part).await.map_err(io(&part))?;
    let mut sink = Sink { book: Book::default(), file: BufWriter::with_capacity(1 << 16, file), part };
    let mut db = database.begin_read().await?;
    write_all(&mut db, config, key, now, &mut sink).await?;
    let Sink { book, mut file, part } = sink;
    let counts = book.counts();
    file.write_all(&book.end(key.signing_key())).await.map_err(io(&part))?;
    file.flush().await.map_err(io(&part))?;
    file.get_ref().sync_all().await.map_err(io(&part))?;
    tokio::fs::rename(&part, out).await.map_err(io(out))?;
    Ok(counts)
}

/// Where lines go.
struct Sink {
    book: Book,
    file: BufWriter<File>,
    part: PathBuf,
}

impl Sink {
    async fn put(&mut self, line: Line) -> Result<(), ExportError> {
        let bytes = self.book.line(&line);
        let io = |source| ExportError::Io { path: self.part.clone(), source };
        self.file.write_all(&bytes).await.map_err(io)
    }
}

async fn write_all(
    db: &mut Db,
    config: &Config,
    key: &CoordinatorKey,
    now: UnixMillis,
    sink: &mut Sink,
) -> Result<(), ExportError> {
    let units = lines::Units::read(db, config).await?;
    sink.put(Line::Header(units.header(config, key.identity(), now))).await?;
    write_accounts(db, &units, sink).await?;
    write_transfers(db, &units, sink).await?;
    write_batches(db, sink).await?;
    write_items(db, &units, sink).await?;
    write_journals(db, sink).await
}

async fn write_accounts(db: &mut Db, units: &lines::Units, sink: &mut Sink) -> Result<(), ExportError> {
    let mut last = 0;
    loop {
        let page = crate::ledger::store::accounts_after(db, last, PAGE).await?;
        let Some(newest) = page.last() else { return Ok(()) };
        last = newest.id;
        for row in page {
            sink.put(Line::Account(units.account(row)?)).await?;
        }
    }
}

async fn write_transfers(db: &mut Db, units: &lines::Units, sink: &mut Sink) -> Result<(), ExportError> {
    let mut last = 0;
    loop {
        let page = crate::ledger::store::transfers_after(db, last, PAGE).await?;
        let (Some(first), Some(newest)) = (page.first(), page.last()) else { return Ok(()) };
        let mut entries =
            crate::ledger::store::entries_between(db, first.id, newest.id).await?.into_iter().peekable();
        last = newest.id;
        for row in page {
            let mut own = Vec::new();
            while let Some(entry) = entries.next_if(|entry| entry.transfer <= row.id) {
                own.push(entry);
            }
            sink.put(Line::Transfer(units.transfer(row, own)?)).await?;
        }
    }
}

async fn write_batches(db: &mut Db, sink: &mut Sink) -> Result<(), ExportError> {
    let mut last = String::new();
    loop {
        let page = crate::batches::store::page_after(db, &last, PAGE).await?;
        let Some(newest) = page.last() else { return Ok(()) };
        last.clone_from(&newest.id);
        for row in page {
            sink.put(Line::Batch(lines::batch(row)?)).await?;
        }
    }
}

async fn write_items(db: &mut Db, units: &lines::Units, sink: &mut Sink) -> Result<(), ExportError> {
    let mut last = -1;
    loop {
        let page = crate::withdrawals::store::page_after(db, last, PAGE).await?;
        let (Some(first), Some(newest)) = (page.first(), page.last()) else { return Ok(()) };
        let range = (lines::stored(first.item_id)?, lines::stored(newest.item_id)?);
        let mut attempts = lines::Attempts::read(db, range).await?;
        last = range.1;
        for row in page {
            let own = attempts.of(&row.id)?;
            sink.put(Line::Item(Box::new(units.item(row, own)?))).await?;
        }
    }
}

async fn write_journals(db: &mut Db, sink: &mut Sink) -> Result<(), ExportError> {
    let (mut signer, mut sequence) = (String::new(), 0);
    loop {
        let page = crate::pairing::store::journal_after(db, &signer, sequence, PAGE).await?;
        let Some(newest) = page.last() else { return Ok(()) };
        (signer, sequence) = (newest.0.clone(), newest.1);
        for row in page {
            sink.put(Line::Journal(lines::journal(row)?)).await?;
        }
    }
}
