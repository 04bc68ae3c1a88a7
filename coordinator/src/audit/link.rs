//! The worker that chains audit rows off the hot path: reads what is new, signs a link over it, adds the link.
//!
//! `app.rs` runs [`run`], [`all`] at the end of serving and before an export. Hashing and signing happen outside the writer;
//! what it gets is one row for up to 1,000 audit rows. What must stay true: links follow each other without a gap
//! between them, whichever coordinator made them (the end of the chain is compared inside the commit, and whoever was slower starts
//! again); a stop at any moment leaves rows that wait, never a link that is half.

use super::chain::{LINK_ROWS_MAX, Link};
use super::store;
use crate::alerts;
use crate::app::App;
use crate::ledger::LedgerError;
use crate::pairing::CoordinatorKey;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long rows may wait for their link when little happens.
const PAUSE: Duration = Duration::from_secs(1);

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Every row is chained.
    Nothing,
    /// A link was added over this many rows.
    Linked(usize),
    /// Another coordinator was faster.
    Outrun,
}

/// Adds the next link, if there are rows for one.
pub async fn step(app: &App, key: &Arc<CoordinatorKey>) -> Result<Step, LedgerError> {
    let ((last, digest), rows) = {
        let mut db = app.db.reader().await?;
        let head = store::head(&mut db).await?;
        (head, store::rows_after(&mut db, head.0, i64::try_from(LINK_ROWS_MAX).unwrap_or(i64::MAX)).await?)
    };
    if rows.is_empty() {
        watch_the_end(app, last).await?;
        return Ok(Step::Nothing);
    }
    let expected = last.saturating_add(1);
    let (key, made_at) = (key.clone(), app.clock.now());
    let made = tokio::task::spawn_blocking(move || {
        let numbers = rows.iter().zip(expected..).take_while(|(row, number)| row.number == *number);
        let (whole, first) = (numbers.count(), rows[0].number);
        // Rows were taken away before they could be chained: the chain goes on behind the hole, which stays visible.
        let count = if whole == 0 { following(&rows) } else { whole };
        (Link::over(&digest, &rows[..count], made_at, key.signing_key()), first)
    });
    let (link, first) =
        made.await.map_err(|error| LedgerError::Corrupt { what: format!("an audit link: {error}") })?;
    let Some(link) = link else { return Ok(Step::Nothing) };
    if first != expected {
        raise(app, "audit.hole", expected, "rows were removed before they were chained").await?;
    }
    add(app, last, digest, link).await
}

fn following(rows: &[super::chain::Entry]) -> usize {
    let first = rows.first().map_or(0, |row| row.number);
    rows.iter().zip(first..).take_while(|(row, number)| row.number == *number).count()
}

async fn add(app: &App, last: i64, digest: airlock_shared::Digest, link: Link) -> Result<Step, LedgerError> {
    let (count, end, head) = (link.digests.len(), link.last, link.digest);
    let added = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                if store::head(unit.db()).await? != (last, digest) {
                    return Ok(false);
                }
                store::insert_link(unit.db(), &link).await?;
                Ok::<_, LedgerError>(true)
            })
        })
        .await?;
    if !added {
        return Ok(Step::Outrun);
    }
    metrics::counter!("airlock_audit_links_total").increment(1);
    // Kept wherever logs are kept: a head that the database's owner cannot take back.
    tracing::info!(number = end, %head, "audit head");
    Ok(Step::Linked(count))
}

/// Rows only ever become more; a last row below the chain's end was not the last one.
async fn watch_the_end(app: &App, last: i64) -> Result<(), LedgerError> {
    let highest = store::highest(&mut *app.db.reader().await?).await?;
    if highest < last {
        raise(app, "audit.cut", last, "rows at the end of the audit log are gone").await?;
    }
    Ok(())
}

async fn raise(app: &App, kind: &'static str, number: i64, what: &'static str) -> Result<(), LedgerError> {
    let subject = number.to_string();
    if alerts::is_open(&mut *app.db.reader().await?, kind, &subject).await? {
        return Ok(());
    }
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                alerts::raise(unit.db(), kind, &subject, what, now).await
            })
        })
        .await
}

/// Chains every row there is.
pub async fn all(app: &App, key: &Arc<CoordinatorKey>) -> Result<(), LedgerError> {
    while step(app, key).await? != Step::Nothing {}
    Ok(())
}

/// Chains rows as they come, until told to stop.
pub async fn run(app: App, key: Arc<CoordinatorKey>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        match step(&app, &key).await {
            Ok(Step::Linked(LINK_ROWS_MAX) | Step::Outrun) => continue,
            Ok(Step::Linked(_) | Step::Nothing) => {}
            Err(error) => tracing::error!(%error, "audit: chaining rows"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            changed = stopped.changed() => if changed.is_err() { return },
        }
    }
}
