//! Final blocks as two providers tell them: one alone can leave a deposit out of a block that looks complete, since no header binds
//! TRON's infos and a bloom filter only bounds the logs of an EVM block.
//!
//! Called by `follow` before a final block is written, and for blocks that one provider alone told while the others were away.
//! What must stay true: blocks that were told differently are not written and not called compared; who is right is decided by
//! two that agree and never by us; `compared_height` moves only over blocks that two providers told alike.

use super::follow::{FINAL_PER_STEP, FollowError, Follower, READ_AHEAD, see_final};
use super::store::{self, Cursor};
use super::watch::Watched;
use crate::alerts;
use crate::chain::{Block, Told, View};

/// A final block, and whether a second provider told the same.
pub(super) struct Heard {
    pub told: Told<Block>,
    pub compared: bool,
}

impl Follower<'_> {
    /// A final block as two providers tell it, a third decides where two differ; or as the only one that answers tells it.
    /// `alone` spares the others.
    pub(super) async fn ask_compared(&self, height: u64, alone: bool) -> Result<Heard, FollowError> {
        let first = self.ask_block(&[], height, View::Final).await?;
        if alone {
            return Ok(Heard { told: first, compared: false });
        }
        let mut heard = vec![first];
        loop {
            let asked: Vec<usize> = heard.iter().map(|told| told.provider).collect();
            let Ok(next) = self.ask_block(&asked, height, View::Final).await else { break };
            if heard.iter().any(|told| told.answer == next.answer) {
                return Ok(Heard { told: next, compared: true });
            }
            heard.push(next);
        }
        match <[Told<Block>; 1]>::try_from(heard) {
            Ok([told]) => Ok(Heard { told, compared: false }),
            Err(heard) => Err(self.contradicted(height, &heard).await),
        }
    }

    /// Shows a dispute and returns the error that ends the round.
    async fn contradicted(&self, height: u64, heard: &[Told<Block>]) -> FollowError {
        let network = self.network;
        let labels: Vec<&str> = heard.iter().map(|told| self.providers.label(told.provider)).collect();
        let error = FollowError::Contradicted { network, height, providers: labels.join(", ") };
        let what = error.to_string();
        let written = self
            .app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let subject = network.to_string();
                    Ok::<_, FollowError>(
                        alerts::raise(unit.db(), "chain.disputed", &subject, &what, now).await?,
                    )
                })
            })
            .await;
        written.err().unwrap_or(error)
    }

    /// Reads again what one provider alone told, as soon as a second one can tell it too, and records what was missing.
    /// Says whether more can be compared at once.
    pub(super) async fn compare_missed(
        &self,
        mut cursor: Cursor,
        watched: &Watched,
    ) -> Result<(Cursor, bool), FollowError> {
        if self.providers.usable() < 2 {
            return Ok((cursor, false));
        }
        let last = cursor.height.min(cursor.compared_height.saturating_add(FINAL_PER_STEP));
        // One block shows whether a second provider is back.
        let mut ahead = 1;
        while cursor.compared_height < last {
            let until = last.min(cursor.compared_height + ahead);
            let asked = (cursor.compared_height + 1..=until).map(|height| self.ask_compared(height, false));
            for heard in futures::future::join_all(asked).await {
                match heard {
                    Ok(Heard { told, compared: true }) => {
                        cursor = self.write_compared(cursor, told, watched).await?;
                    }
                    // Nobody to compare with, or nobody keeps blocks as old as this one: new blocks must not wait for it.
                    Ok(_) | Err(FollowError::Chain(_)) => return Ok((cursor, false)),
                    Err(error) => return Err(error),
                }
            }
            ahead = READ_AHEAD;
        }
        let more = cursor.compared_height < cursor.height;
        Ok((cursor, more))
    }

    async fn write_compared(
        &self,
        cursor: Cursor,
        told: Told<Block>,
        watched: &Watched,
    ) -> Result<Cursor, FollowError> {
        let (network, from) = (self.network, cursor.compared_height);
        let sightings = self.sightings(&told, watched)?;
        let Block { header, odd, .. } = told.answer;
        self.app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let db = unit.db();
                    if !store::move_compared(db, network, from, header.height, now).await? {
                        return Err(FollowError::CursorMoved { network, height: from });
                    }
                    see_final(db, &header, &sightings, &odd, now).await
                })
            })
            .await?;
        Ok(Cursor { compared_height: header.height, ..cursor })
    }
}
