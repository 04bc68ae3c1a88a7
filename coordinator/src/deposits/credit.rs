//! Crediting: a final deposit becomes its owner's money once a second provider has the same event in the same block.
//!
//! Called at the end of every round of `follow`. What must stay true: state and posting change in one commit; the posting's
//! reference is the event's key, which the ledger takes once for ever; two providers that disagree on a final block halt the
//! network; a deposit that only one provider knows waits, visibly, and nothing else stops.

use super::follow::{FollowError, halt};
use super::state::{Event, State};
use super::store::{self, DepositRow};
use crate::app::App;
use crate::chain::{Opinion, Providers};
use crate::ledger::{Account, Posting};

/// Deposits taken up in one round.
const AT_MOST: i64 = 1000;

/// Beside a deposit that nobody else could be asked about yet.
const NO_SECOND: &str = "waits for a second provider";
/// Beside a deposit that the second provider does not have in the same block.
const NOT_THERE: &str = "the second provider does not have it";

/// Asks a second provider about every confirming deposit of the network, block by block, and books what it confirms.
/// Returns how many still wait.
pub async fn confirm(app: &App, providers: &Providers) -> Result<usize, FollowError> {
    let network = providers.network();
    let rows = store::confirming(&mut *app.db.reader().await?, network, AT_MOST).await?;
    let mut waiting = 0;
    for group in rows.chunk_by(|a, b| a.block_id == b.block_id && a.told_by == b.told_by) {
        let [first, ..] = group else { continue };
        let events: Vec<_> = group.iter().map(|row| row.transfer).collect();
        // A provider that is not configured any more cannot be asked again, so any answer is a second one.
        let told_by = providers.place_of(&first.told_by).unwrap_or(usize::MAX);
        match providers.second_opinion(told_by, first.height, first.block_id, &events).await {
            Opinion::SameBlock { provider, missing } => {
                let by = providers.label(provider);
                for (place, row) in group.iter().enumerate() {
                    if missing.contains(&place) {
                        tracing::error!(%network, deposit = row.id, provider = by, "{NOT_THERE}");
                        wait(app, row, NOT_THERE).await?;
                        waiting += 1;
                    } else {
                        book(app, row, by).await?;
                    }
                }
            }
            Opinion::OtherBlock { provider, id } => {
                let reason = format!(
                    "final block {} is {} at {} and {id} at {}",
                    first.height,
                    first.block_id,
                    first.told_by,
                    providers.label(provider)
                );
                return Err(halt(app, network, reason).await);
            }
            Opinion::Unavailable { why } => {
                tracing::warn!(%network, height = first.height, why, "credits wait for a second provider");
                for row in group {
                    wait(app, row, NO_SECOND).await?;
                }
                waiting += group.len();
            }
        }
    }
    Ok(waiting)
}

async fn wait(app: &App, row: &DepositRow, reason: &'static str) -> Result<(), FollowError> {
    if row.reason == reason {
        return Ok(());
    }
    let id = row.id.clone();
    app.writer
        .commit(move |unit| Box::pin(async move { Ok(store::note_waiting(unit.db(), &id, reason).await?) }))
        .await
}

/// Books one deposit: the reserve of its address against its owner, exact to the base unit.
async fn book(app: &App, row: &DepositRow, confirmed_by: &str) -> Result<(), FollowError> {
    let (row, confirmed_by) = (row.clone(), confirmed_by.to_owned());
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let (event, reason) = match row.amount {
                    Some(_) => (Event::ConfirmedBySecond, ""),
                    None => (Event::Unbookable, "more than the ledger can hold"),
                };
                let Ok(to) = row.state.next(event) else { return Ok(()) };
                let now = unit.now();
                let by = Some(confirmed_by.as_str());
                if !store::leave_confirming(unit.db(), &row.id, to, reason, by, now).await? {
                    // Another coordinator was faster.
                    return Ok(());
                }
                if to == State::Credited {
                    unit.post(posting(&row)).await?;
                }
                Ok(())
            })
        })
        .await
}

fn posting(row: &DepositRow) -> Posting {
    let transfer = &row.transfer;
    let reference = format!("{}/{}/{}", transfer.to.network(), transfer.tx_id, transfer.ordinal);
    Posting::new("deposit", reference).base(
        Account::reserve(transfer.to, &row.asset),
        Account::available(&row.user_id, &row.asset),
        transfer.amount,
    )
}
