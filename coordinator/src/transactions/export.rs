//! Everything that matches as one stream, CSV or JSON, from one still picture of the database (L5).
//!
//! A task reads rows in chunks and hands text to the connection; it stops when nobody takes it any more. What must stay true: no
//! lock is held and postings go on; memory is a few chunks however long the history is; a stream that breaks off ends the
//! connection, so that half a file is never taken for a whole one; no cell of the CSV begins like a formula.

use super::http::TransactionShown;
use super::lanes::Asked;
use super::merge::{Merge, Next};
use super::{Filter, Scope};
use crate::api::ApiError;
use crate::app::App;
use axum::body::{Body, Bytes};
use serde::Deserialize;
use std::io;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};
use utoipa::ToSchema;

/// Exports at the same time: each holds a read connection while it runs.
pub const AT_ONCE: usize = 2;

/// A client that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// Text is handed over in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// In which form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportFormat)]
pub enum Format {
    /// RFC 4180, with a line of names.
    Csv,
    /// One array.
    Json,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }

    /// As the answer's file is named.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"transactions.csv\"",
            Self::Json => "attachment; filename=\"transactions.json\"",
        }
    }

    const fn begin(self) -> &'static str {
        match self {
            Self::Csv => HEADER,
            Self::Json => "[",
        }
    }

    const fn end(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "]\n",
        }
    }
}

/// The names of the columns, in the order of [`push_csv`].
const HEADER: &str =
    "id,type,status,direction,user,partner,asset,amount,fee,counterparty,network,tx_id,note,made_at\r\n";

/// The stream. `permit` is given back when it ends.
pub fn stream(app: App, scope: Scope, filter: Filter, format: Format, permit: OwnedSemaphorePermit) -> Body {
    let (sender, mut pieces) = mpsc::channel::<Result<Bytes, io::Error>>(2);
    tokio::spawn(async move {
        let written = write(&app, &scope, &filter, format, &sender).await;
        if let Err(error) = written {
            // What went wrong inside was logged where it happened; whoever reads sees the connection break.
            tracing::warn!(%error, "an export of transactions ended early");
            let _ = sender.try_send(Err(io::Error::other("the export ended early")));
        }
        drop(permit);
    });
    Body::from_stream(futures::stream::poll_fn(move |context| pieces.poll_recv(context)))
}

async fn write(
    app: &App,
    scope: &Scope,
    filter: &Filter,
    format: Format,
    to: &Sender<Result<Bytes, io::Error>>,
) -> Result<(), ApiError> {
    let mut db = app.db.begin_read().await?;
    let mut merge = Merge::open(&mut db, Asked { app, scope, filter }, None, i64::MAX).await?;
    let mut piece = format.begin().to_owned();
    let mut first = true;
    loop {
        // Counted down per row; an export looks at everything.
        let mut budget = usize::MAX;
        let Next::Row(row, _) = merge.next(&mut db, &mut budget).await? else { break };
        let shown = TransactionShown::of(&app.config.assets, *row)?;
        match format {
            Format::Csv => push_csv(&mut piece, &shown),
            Format::Json => {
                piece.push_str(if first { "\n" } else { ",\n" });
                piece.push_str(&serde_json::to_string(&shown).map_err(ApiError::internal)?);
            }
        }
        first = false;
        if piece.len() >= PIECE_BYTES {
            hand_over(to, std::mem::take(&mut piece)).await?;
        }
    }
    piece.push_str(format.end());
    hand_over(to, piece).await
}

async fn hand_over(to: &Sender<Result<Bytes, io::Error>>, piece: String) -> Result<(), ApiError> {
    match tokio::time::timeout(STALLED, to.send(Ok(Bytes::from(piece)))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(ApiError::unavailable("the reader of an export went away")),
        Err(_) => Err(ApiError::unavailable("the reader of an export takes nothing")),
    }
}

/// One line of the CSV.
fn push_csv(text: &mut String, row: &TransactionShown) {
    let cells = [
        Some(row.id.as_str()),
        Some(row.kind.name()),
        Some(row.status),
        Some(row.direction.name()),
        row.user.as_deref(),
        row.partner.as_deref(),
        Some(row.asset.as_str()),
        row.amount.as_deref(),
        row.fee.as_deref(),
        Some(row.counterparty.as_str()),
        row.network.as_deref(),
        row.tx_id.as_deref(),
        row.note.as_deref(),
        Some(row.made_at.as_str()),
    ];
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        push_cell(text, cell.unwrap_or_default());
    }
    text.push_str("\r\n");
}

/// One cell: quoted where RFC 4180 asks for it, and with an apostrophe before what a spreadsheet would take for a formula
/// (`=`, `+`, `-`, `@`, tab, return, their full-width forms) or before an apostrophe, so that taking one away gives the text back.
pub fn push_cell(text: &mut String, cell: &str) {
    const BEGINNINGS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠'];
    let guard = cell.starts_with(BEGINNINGS);
    let quote = cell.contains(['"', ',', '\r', '\n', '\t', ';', ' ']);
    if quote {
        text.push('"');
    }
    if guard {
        text.push('\'');
    }
    for c in cell.chars() {
        if c == '"' {
            text.push('"');
        }
        text.push(c);
    }
    if quote {
        text.push('"');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a spreadsheet's own reader makes of one line.
    fn read(line: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let mut records = reader.records();
        let record = records.next().unwrap().unwrap();
        assert!(records.next().is_none(), "one line became several: {line:?}");
        record.iter().map(str::to_owned).collect()
    }

    #[test]
    fn formulas_are_only_text() {
        for formula in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "=HYPERLINK(\"http://x\",\"y\")"]
        {
            let mut line = String::new();
            push_cell(&mut line, formula);
            let [cell] = read(&line).try_into().unwrap();
            assert_eq!(cell, format!("'{formula}"));
        }
    }

    proptest! {
        #[test]
        fn cells_survive_a_csv_reader_and_never_begin_like_a_formula(cells in prop::collection::vec("[=+@'\",;\t\r\n a-z0-9＝-]{0,12}|\\PC{0,12}", 2..6)) {
            let mut line = String::new();
            for (place, cell) in cells.iter().enumerate() {
                if place > 0 {
                    line.push(',');
                }
                push_cell(&mut line, cell);
            }
            line.push_str("\r\n");
            let read = read(&line);
            prop_assert_eq!(read.len(), cells.len());
            for (read, cell) in read.iter().zip(&cells) {
                prop_assert!(!read.starts_with(['=', '+', '-', '@', '\t', '\r']));
                prop_assert_eq!(read.strip_prefix('\'').unwrap_or(read), cell.as_str());
            }
        }
    }
}
