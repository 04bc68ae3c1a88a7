//! The one writer: gathers concurrent commands into one database transaction and answers after its commit.
//!
//! Called through [`Writer::commit`] by everything that changes state. Group commit: while one group is at the
//! disk, the next gathers; each command runs under a savepoint, so one that fails leaves no trace and its
//! neighbours stand. What must stay true: nobody is answered `Ok` before the commit; a failed commit is never
//! repeated blindly (its outcome is unknown) but stops the writer, visibly; no balance lives only in memory.

use super::LedgerError;
use super::asset::Assets;
use super::unit::{KnownAccounts, Unit};
use crate::clock::Clock;
use crate::db::Database;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// How much the writer gathers and queues.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// Commands in one transaction.
    pub group_max: usize,
    /// Commands waiting before callers have to wait for a place.
    pub queue_max: usize,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self { group_max: 1000, queue_max: 4096 }
    }
}

/// Accounts whose row ids are remembered between groups; beyond that the memory starts afresh.
const KNOWN_ACCOUNTS_MAX: usize = 1_000_000;

/// What the group's commit came to, told to each command's caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Committed {
    Yes,
    RolledBack,
    Unknown,
}

/// Tells one caller its answer once the group's fate is known.
type Answer = Box<dyn FnOnce(Committed) + Send>;

/// One command: `Ok` keeps its changes, `Err` undoes them; either way the caller is answered afterwards.
type Command = Box<dyn for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<Answer, Answer>> + Send>;

/// A handle to the writer task; clones share it.
#[derive(Clone, Debug)]
pub struct Writer {
    commands: mpsc::Sender<Command>,
    gauges: Arc<Gauges>,
}

#[derive(Debug, Default)]
struct Gauges {
    stopped: AtomicBool,
    groups: AtomicU64,
    commands: AtomicU64,
}

impl Writer {
    /// Starts the writer task on the current runtime. It ends when every handle is dropped or a commit fails.
    pub fn start(db: Database, assets: Arc<Assets>, clock: Clock, limits: WriterLimits) -> Self {
        let (commands, queue) = mpsc::channel(limits.queue_max.max(1));
        let gauges = Arc::new(Gauges::default());
        let group_max = limits.group_max.max(1);
        let task = Task { db, assets, clock, group_max, gauges: gauges.clone(), known: KnownAccounts::new() };
        tokio::spawn(task.run(queue));
        Self { commands, gauges }
    }

    /// Runs `work` inside the next group's transaction; answers after the commit. On `Err` all that
    /// `work` did is undone. See the opening doc of `ledger` for the call's shape.
    pub async fn commit<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel::<Result<T, E>>();
        let command: Command =
            Box::new(move |unit| Box::pin(async move { answer_later(work(unit).await, sender) }));
        if self.commands.send(command).await.is_err() {
            return Err(LedgerError::Stopped.into());
        }
        // Unanswered means: dropped before it ran, or panicked and undone. Nothing was changed.
        answer.await.unwrap_or_else(|_| {
            Err(if self.has_stopped() { LedgerError::Stopped } else { LedgerError::Unavailable }.into())
        })
    }

    /// Has a failed commit stopped the writer? Then nothing is accepted any more; health reports it.
    pub fn has_stopped(&self) -> bool {
        self.gauges.stopped.load(Ordering::SeqCst) || self.commands.is_closed()
    }

    /// Groups and commands committed since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.gauges.groups.load(Ordering::Relaxed), self.gauges.commands.load(Ordering::Relaxed))
    }
}

fn answer_later<T, E>(result: Result<T, E>, sender: oneshot::Sender<Result<T, E>>) -> Result<Answer, Answer>
where
    T: Send + 'static,
    E: From<LedgerError> + Send + 'static,
{
    // A caller that went away is no error: the command stands on its own.
    match result {
        Ok(value) => Ok(Box::new(move |committed| {
            let _ = sender.send(match committed {
                Committed::Yes => Ok(value),
                Committed::RolledBack => Err(LedgerError::Unavailable.into()),
                Committed::Unknown => Err(LedgerError::CommitFailed.into()),
            });
        })),
        Err(error) => Err(Box::new(move |_| {
            let _ = sender.send(Err(error));
        })),
    }
}

struct Task {
    db: Database,
    assets: Arc<Assets>,
    clock: Clock,
    group_max: usize,
    gauges: Arc<Gauges>,
    known: KnownAccounts,
}

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut group = Vec::new();
        while queue.recv_many(&mut group, self.group_max).await > 0 {
            if self.commit_group(&mut group).await == Committed::Unknown {
                tracing::error!(
                    "a commit failed: the ledger's writer stops, restart after checking the database"
                );
                self.gauges.stopped.store(true, Ordering::SeqCst);
                return;
            }
        }
    }

    async fn commit_group(&mut self, group: &mut Vec<Command>) -> Committed {
        let mut answers = Vec::with_capacity(group.len());
        let committed = self.run_group(group, &mut answers).await;
        if committed == Committed::Yes {
            self.gauges.groups.fetch_add(1, Ordering::Relaxed);
            self.gauges.commands.fetch_add(answers.len() as u64, Ordering::Relaxed);
        } else if committed == Committed::Unknown {
            self.gauges.stopped.store(true, Ordering::SeqCst);
        }
        for answer in answers {
            answer(committed);
        }
        committed
    }

    async fn run_group(&mut self, group: &mut Vec<Command>, answers: &mut Vec<Answer>) -> Committed {
        let db = match self.db.begin_write().await {
            Ok(db) => db,
            Err(error) => {
                tracing::error!(%error, "the writer cannot begin a transaction");
                // Dropping a command tells its caller that nothing was changed.
                group.clear();
                return Committed::RolledBack;
            }
        };
        // If the group is undone, what it learnt is forgotten with it.
        let known = std::mem::take(&mut self.known);
        let mut unit = Unit::begin(db, self.assets.clone(), self.clock.now(), known);
        for command in group.drain(..) {
            if let Err(error) = run_one(command, &mut unit, answers).await {
                tracing::error!(%error, "the writer lost its transaction, the whole group is undone");
                return Committed::RolledBack;
            }
        }
        let (db, known) = unit.into_parts();
        match db.commit().await {
            Ok(()) => {
                self.known = known;
                if self.known.len() > KNOWN_ACCOUNTS_MAX {
                    self.known.clear();
                }
                Committed::Yes
            }
            Err(error) => {
                tracing::error!(%error, "commit failed");
                Committed::Unknown
            }
        }
    }
}

/// One command under its savepoint. An error means that the transaction itself is lost.
async fn run_one(command: Command, unit: &mut Unit, answers: &mut Vec<Answer>) -> Result<(), sqlx::Error> {
    unit.open_savepoint().await?;
    let outcome = AssertUnwindSafe(async { command(unit).await }).catch_unwind().await;
    match outcome {
        Ok(Ok(answer)) => {
            if unit.keep().await? {
                answers.push(answer);
            } else {
                answer(Committed::RolledBack);
            }
            Ok(())
        }
        Ok(Err(answer)) => {
            answers.push(answer);
            unit.undo().await
        }
        // The panic was reported by the panic hook; the caller sees that nothing was changed.
        Err(_) => unit.undo().await,
    }
}
