//! What stops money from leaving: while the books are in doubt, no withdrawal is taken and no batch leaves.
//!
//! [`run`] watches the books for as long as the coordinator serves: the trial balance twice a minute, a replay of every entry once an
//! hour. What disagrees raises an alert `books.unbalanced`, and while one is open [`ensure_none`] refuses. What must stay true: the freeze is in the
//! database, so every coordinator sees it and a restart does not lift it; a person lifts it by closing the alert, and it comes back with
//! the next look if the books still disagree.

use crate::alerts;
use crate::app::App;
use crate::db::Db;
use crate::ledger::{LedgerError, verify};
use std::time::Duration;
use tokio::sync::watch;

/// The kind of alert that freezes.
pub const KIND: &str = "books.unbalanced";

/// Between two looks at the trial balance.
const PAUSE: Duration = Duration::from_secs(30);

/// Looks between two replays.
const LOOKS_TO_A_REPLAY: u32 = 120;

/// Why nothing leaves.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The books disagree, or did and nobody has said that it is explained.
    #[error("withdrawals are frozen: the books are in doubt until a person has looked")]
    Frozen,
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Refuses while the books are in doubt. Asked inside the commit that would take or let out money.
pub async fn ensure_none(db: &mut Db) -> Result<(), FreezeError> {
    if alerts::any_open(db, KIND).await? { Err(FreezeError::Frozen) } else { Ok(()) }
}

/// How closely the books are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Debits against credits per asset.
    TrialBalance,
    /// Every entry again, against every balance.
    Replay,
}

/// Looks once; raises an alert about what disagrees, and says whether anything did. Books that cannot be added up or read back are
/// in doubt too; a database that does not answer is no reason to freeze.
pub async fn step(app: &App, look: Look) -> Result<bool, LedgerError> {
    let faults = match faults(app, look).await {
        Err(error) if is_about_the_books(&error) => vec![format!("the books cannot be read: {error}")],
        looked => looked?,
    };
    metrics::gauge!("airlock_books_sound").set(if faults.is_empty() { 1 } else { 0 });
    let Some(first) = faults.first() else { return Ok(false) };
    let what = format!("{first} ({} disagree); run `ledger verify`", faults.len());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                alerts::raise(unit.db(), KIND, "ledger", &what, now).await
            })
        })
        .await?;
    Ok(true)
}

async fn faults(app: &App, look: Look) -> Result<Vec<String>, LedgerError> {
    match look {
        Look::TrialBalance => {
            let mut db = app.db.reader().await?;
            let totals = verify::trial_balance(&mut db).await?;
            let off = totals.into_iter().filter(|total| total.difference_minor() != 0);
            Ok(off
                .map(|total| {
                    format!("{}: debits exceed credits by {}", total.asset, total.difference_minor())
                })
                .collect())
        }
        Look::Replay => Ok(verify::snapshot(&app.db).await?.faults),
    }
}

/// Is it what stands in the rows, and not the database's being away? A sum beyond 63 bits is: no sound books have one.
fn is_about_the_books(error: &LedgerError) -> bool {
    match error {
        LedgerError::Corrupt { .. } | LedgerError::Asset(_) => true,
        LedgerError::Database(sqlx::Error::Database(error)) => {
            // PostgreSQL: numeric_value_out_of_range. SQLite has no code of its own for it.
            error.code().as_deref() == Some("22003") || error.message().contains("integer overflow")
        }
        _ => false,
    }
}

/// Looks until `stopped` turns true.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    for number in (0..LOOKS_TO_A_REPLAY).cycle() {
        let look = if number == 0 { Look::Replay } else { Look::TrialBalance };
        if let Err(error) = step(&app, look).await {
            tracing::error!(%error, "the books could not be looked at");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}
