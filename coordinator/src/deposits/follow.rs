//! Following one chain: final blocks in order from the cursor, then pending blocks up to the head.
//!
//! Called through [`step`] by the loop and by tests. What must stay true: a block and the cursor commit together, and only if the
//! cursor still stands at the block before; a block that does not continue the final chain is never read, and when two providers
//! agree on such a block the network is halted; what one provider alone said is compared later (see `compare`); pending blocks change nothing but what is shown.

use super::compare::Heard;
use super::credit;
use super::state::{Event, State};
use super::store::{self, Cursor, Sighting};
use super::watch::Watched;
use crate::alerts;
use crate::app::App;
use crate::chain::{Block, BlockId, ChainError, Header, OddLog, Providers, Told, View};
use crate::clock::UnixMillis;
use crate::config::NetworkConfig;
use crate::db::{Db, random_id};
use crate::ledger::LedgerError;
use airlock_shared::Network;
use std::sync::Arc;

/// Final blocks read in one round, so that crediting is never far behind.
pub(super) const FINAL_PER_STEP: u64 = 500;
/// Final blocks asked for at the same time while catching up.
pub(super) const READ_AHEAD: u64 = 8;
/// Pending blocks read or undone in one round.
const PENDING_PER_STEP: usize = 256;

/// Why a round ended early. Everything committed before stands.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The network is not configured.
    #[error("network {0} is not configured")]
    NotConfigured(Network),
    /// The providers.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger's writer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The operating system gave no randomness.
    #[error("random id: {0}")]
    Random(#[from] getrandom::Error),
    /// A person must look first.
    #[error("{network} is halted: {reason}")]
    Halted {
        /// The network.
        network: Network,
        /// What was seen.
        reason: String,
    },
    /// Another coordinator read this block.
    #[error("{network}: the cursor is not at {height} any more")]
    CursorMoved {
        /// The network.
        network: Network,
        /// Where it was thought to be.
        height: u64,
    },
    /// A block does not continue the final chain, and nobody else could be asked.
    #[error("{network}: block {height} does not continue the final chain; no second provider to ask")]
    Disputed {
        /// The network.
        network: Network,
        /// The height.
        height: u64,
    },
    /// Providers tell a final block differently, and no two of them alike.
    #[error("{network}: {providers} tell block {height} differently; it is read when two agree")]
    Contradicted {
        /// The network.
        network: Network,
        /// The height.
        height: u64,
        /// Who was asked.
        providers: String,
    },
}

/// What a round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Final blocks are read up to here.
    pub final_height: u64,
    /// The chain's newest final block.
    pub final_of_chain: u64,
    /// The chain's newest block.
    pub head: u64,
    /// Final deposits that wait for a second provider.
    pub waiting: usize,
    /// Is there more to read at once?
    pub more: bool,
}

/// One round for one network: reads what is new and credits what a second provider confirms.
pub async fn step(app: &App, network: Network, watched: &mut Watched) -> Result<Progress, FollowError> {
    let config = app.config.network(network).ok_or(FollowError::NotConfigured(network))?;
    let providers = app.chains.of(network).ok_or(FollowError::NotConfigured(network))?;
    let follower = Follower { app, config, providers, network };
    // Heights first, addresses afterwards: see `watch`.
    let finalized = providers.ask(|node| async move { node.finalized().await }).await?.answer;
    let head = providers.ask(|node| async move { node.head().await }).await?.answer;
    let cursor = follower.cursor(&finalized).await?;
    watched.refresh(&mut *app.db.reader().await?).await?;
    let (cursor, uncompared) = follower.compare_missed(cursor, watched).await?;
    let cursor = follower.read_final(cursor, &finalized, watched).await?;
    let caught_up = cursor.height >= finalized.height;
    let pending_left = caught_up && follower.read_pending(&cursor, &head, watched).await?;
    let waiting = credit::confirm(app, providers).await?;
    Ok(Progress {
        final_height: cursor.height,
        final_of_chain: finalized.height,
        head: head.height,
        waiting,
        more: !caught_up || pending_left || uncompared,
    })
}

pub(super) struct Follower<'a> {
    pub(super) app: &'a App,
    config: &'a Arc<NetworkConfig>,
    pub(super) providers: &'a Providers,
    pub(super) network: Network,
}

impl Follower<'_> {
    /// The persisted cursor; at the first start, the block before the configured one, or the final block of now.
    async fn cursor(&self, finalized: &Header) -> Result<Cursor, FollowError> {
        let network = self.network;
        let known = store::cursor(&mut *self.app.db.reader().await?, network).await?;
        let cursor = match known {
            Some(cursor) => cursor,
            None => {
                let (height, id) = match self.config.start_block {
                    Some(start) => (start.saturating_sub(1), None),
                    None => (finalized.height, Some(finalized.id)),
                };
                let first = Cursor { height, id, compared_height: height, halted: String::new() };
                let row = first.clone();
                self.app
                    .writer
                    .commit(move |unit| {
                        Box::pin(async move {
                            let now = unit.now();
                            Ok::<_, FollowError>(store::insert_cursor(unit.db(), network, &row, now).await?)
                        })
                    })
                    .await?;
                first
            }
        };
        if cursor.halted.is_empty() {
            Ok(cursor)
        } else {
            Err(FollowError::Halted { network, reason: cursor.halted })
        }
    }

    /// Reads final blocks from the cursor on, several asked for at once, written strictly in order.
    async fn read_final(
        &self,
        mut cursor: Cursor,
        finalized: &Header,
        watched: &Watched,
    ) -> Result<Cursor, FollowError> {
        let last = finalized.height.min(cursor.height.saturating_add(FINAL_PER_STEP));
        // Whoever was missing once is left alone for the rest of the round: a provider that hangs must not slow down the other.
        let mut alone = false;
        while cursor.height < last {
            let until = last.min(cursor.height + READ_AHEAD);
            let asked = (cursor.height + 1..=until).map(|height| self.ask_compared(height, alone));
            for heard in futures::future::join_all(asked).await {
                let heard = self.continuing(heard?, &cursor).await?;
                alone |= !heard.compared;
                cursor = self.write_final(&cursor, heard, watched).await?;
            }
        }
        Ok(cursor)
    }

    pub(super) async fn ask_block(
        &self,
        asked: &[usize],
        height: u64,
        view: View,
    ) -> Result<Told<Block>, ChainError> {
        self.providers.ask_others(asked, |node| async move { node.block(height, view).await }).await
    }

    /// A block that continues the final chain: this one, or another provider's. Two that agree on one that does not halt the
    /// network: then either what was read before or both of them are wrong.
    async fn continuing(&self, heard: Heard, cursor: &Cursor) -> Result<Heard, FollowError> {
        let fits = |block: &Block| cursor.id.is_none_or(|id| id == block.header.parent);
        if fits(&heard.told.answer) {
            return Ok(heard);
        }
        let told = heard.told;
        let (network, height) = (self.network, told.answer.header.height);
        let label = self.providers.label(told.provider);
        tracing::error!(%network, height, provider = label, "a final block does not continue the chain");
        match self.ask_block(&[told.provider], height, View::Final).await {
            Ok(other) if fits(&other.answer) => Ok(Heard { told: other, compared: false }),
            Ok(_) => {
                let reason =
                    format!("block {height} does not continue block {} at two providers", cursor.height);
                Err(halt(self.app, network, reason).await)
            }
            Err(_) => Err(FollowError::Disputed { network, height }),
        }
    }

    async fn write_final(
        &self,
        cursor: &Cursor,
        heard: Heard,
        watched: &Watched,
    ) -> Result<Cursor, FollowError> {
        let (network, from) = (self.network, cursor.height);
        let Heard { told, compared } = heard;
        let header = told.answer.header;
        let sightings = self.sightings(&told, watched)?;
        let odd = told.answer.odd;
        self.app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let db = unit.db();
                    if !store::move_cursor(db, network, from, &header, compared, now).await? {
                        return Err(FollowError::CursorMoved { network, height: from });
                    }
                    see_final(db, &header, &sightings, &odd, now).await?;
                    // What is only `seen` at a height that is final now was in a block that is gone.
                    store::orphan(db, network, 0, header.height).await?;
                    store::delete_pending_through(db, network, header.height).await?;
                    Ok(())
                })
            })
            .await?;
        let compared_height =
            if compared && cursor.compared_height == from { header.height } else { cursor.compared_height };
        Ok(Cursor { height: header.height, id: Some(header.id), compared_height, halted: String::new() })
    }

    /// The deposits in a block.
    pub(super) fn sightings(
        &self,
        told: &Told<Block>,
        watched: &Watched,
    ) -> Result<Vec<Sighting>, FollowError> {
        let mut sightings = Vec::new();
        for transfer in &told.answer.transfers {
            let Some(user) = watched.owner_of(transfer) else { continue };
            let Some(token) = self.config.token_of(transfer.coin) else { continue };
            sightings.push(Sighting {
                id: random_id()?,
                transfer: *transfer,
                user_id: user.to_string(),
                asset: token.asset.clone(),
                amount: token.scale.to_minor(transfer.amount).ok().map(|(minor, _)| minor),
                header: told.answer.header,
                told_by: self.providers.label(told.provider).to_owned(),
            });
        }
        Ok(sightings)
    }

    /// Reads pending blocks up to the head, undoing those that left the chain. Says whether there is more to do at once.
    async fn read_pending(
        &self,
        cursor: &Cursor,
        head: &Header,
        watched: &Watched,
    ) -> Result<bool, FollowError> {
        for _ in 0..PENDING_PER_STEP {
            let pending = store::newest_pending(&mut *self.app.db.reader().await?, self.network).await?;
            let pending = pending.filter(|(height, _)| *height > cursor.height);
            let (height, id) = pending.map_or((cursor.height, cursor.id), |(height, id)| (height, Some(id)));
            let replaced = head.height == height && id.is_some_and(|id| id != head.id);
            if replaced && pending.is_some() {
                self.undo_pending(height).await?;
                continue;
            }
            if head.height <= height {
                return Ok(false);
            }
            let told = match self.ask_block(&[], height + 1, View::Head).await {
                // The block that answered `head` may be another provider's; the next round will see.
                Err(ChainError::NotYet { .. }) => return Ok(false),
                told => told?,
            };
            if fits(id, &told.answer.header) {
                self.write_pending(told, watched).await?;
            } else if pending.is_some() {
                self.undo_pending(height).await?;
            } else {
                // The head is on a fork that does not contain the final block: nothing of it is shown.
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn write_pending(&self, told: Told<Block>, watched: &Watched) -> Result<(), FollowError> {
        let (network, header) = (self.network, told.answer.header);
        let sightings = self.sightings(&told, watched)?;
        self.app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let db = unit.db();
                    store::insert_pending(db, network, &header).await?;
                    for seen in &sightings {
                        record(db, seen, Event::SeenAtHead, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn undo_pending(&self, height: u64) -> Result<(), FollowError> {
        let network = self.network;
        self.app
            .writer
            .commit(move |unit| {
                Box::pin(async move {
                    let db = unit.db();
                    store::delete_pending(db, network, height).await?;
                    let orphaned = store::orphan(db, network, height, u64::MAX).await?;
                    if orphaned > 0 {
                        tracing::warn!(%network, height, orphaned, "pending deposits left the chain");
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn fits(id: Option<BlockId>, header: &Header) -> bool {
    id.is_none_or(|id| id == header.parent)
}

/// Records what a final block holds for us; what is recorded already stays.
pub(super) async fn see_final(
    db: &mut Db,
    header: &Header,
    sightings: &[Sighting],
    odd: &[OddLog],
    now: UnixMillis,
) -> Result<(), FollowError> {
    for seen in sightings {
        record(db, seen, Event::SeenFinal, now).await?;
    }
    for log in odd {
        let network = log.contract.network();
        store::quarantine(db, network, header.height, log, now).await?;
        let subject = format!("{network}/{}/{}", log.tx_id, log.ordinal);
        let what = format!("a log of token {} in block {}: {}", log.contract, header.height, log.what);
        alerts::raise(db, "deposit.odd_log", &subject, &what, now).await?;
    }
    Ok(())
}

/// Records a sighting as the table of states allows. What is credited, rejected or in suspense already is left as it is.
async fn record(db: &mut Db, seen: &Sighting, event: Event, now: UnixMillis) -> Result<(), FollowError> {
    let network = seen.transfer.to.network();
    let final_at = (event == Event::SeenFinal).then_some(now);
    match store::state_of(db, network, &seen.transfer).await? {
        None => {
            let state = if final_at.is_some() { State::Confirming } else { State::Seen };
            store::insert(db, seen, state, final_at, now).await?;
        }
        Some(from) => {
            if let Ok(to) = from.next(event) {
                store::see_again(db, seen, from, to, final_at).await?;
            }
        }
    }
    Ok(())
}

/// Halts a network and returns the error that says so.
pub(super) async fn halt(app: &App, network: Network, reason: String) -> FollowError {
    let row = reason.clone();
    let written = app
        .writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                store::set_halted(unit.db(), network, &row, now).await?;
                let subject = network.to_string();
                Ok::<_, FollowError>(alerts::raise(unit.db(), "chain.halted", &subject, &row, now).await?)
            })
        })
        .await;
    written.err().unwrap_or(FollowError::Halted { network, reason })
}
