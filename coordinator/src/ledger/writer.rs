//! The one writer: gathers concurrent commands into one database transaction and answers after its commit.
//!
//! Called through [`Writer::commit`] by everything that changes state, and through [`Writer::submit`] by what many
//! ask for alike. Group commit: while one group is at the disk, the next gathers. A group's orders are carried out
//! as one run of sets, then its closures one by one, each under a savepoint, so one that fails leaves no trace and its
//! neighbours stand (nobody who waits for an answer can tell the order of those who wait beside them). What must stay true: nobody is answered `Ok` before the commit; a failed commit is never
//! repeated blindly (its outcome is unknown) but stops the writer, visibly; no balance lives only in memory.

use super::LedgerError;
use super::asset::Assets;
use super::order::{Order, OrderError, Receipt};
use super::run::Ready;
use super::store;
use super::unit::{KnownAccounts, Unit};
use crate::clock::{Clock, UnixMillis};
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
        Self { group_max: 4000, queue_max: 16_000 }
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

/// What the writer's queue holds.
enum Command {
    Closure(Closure),
    Order(Box<Submitted>),
}

/// An order and where its answer goes.
struct Submitted {
    order: Order,
    answer: oneshot::Sender<Result<Receipt, OrderError>>,
}

/// One command: `Ok` keeps its changes, `Err` undoes them; either way the caller is answered afterwards.
type Closure = Box<dyn for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<Answer, Answer>> + Send>;

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
    /// Starts the writer on a thread of its own: a group takes a dozen questions to the database, and on the runtime of the
    /// requests each answer waited for its turn behind them. It ends when every handle is dropped or a commit fails.
    pub fn start(db: Database, assets: Arc<Assets>, clock: Clock, limits: WriterLimits) -> Self {
        let (commands, queue) = mpsc::channel(limits.queue_max.max(1));
        let gauges = Arc::new(Gauges::default());
        let group_max = limits.group_max.max(1);
        let (known, latest) = (KnownAccounts::new(), UnixMillis::MIN);
        let task = Task { db, assets, clock, group_max, gauges: gauges.clone(), known, latest };
        let started = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(|| task.live(queue));
        if let Err(error) = started {
            // The queue is closed by now: the writer counts as stopped, which health reports.
            tracing::error!(%error, "the ledger's writer has no thread");
        }
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
        let closure: Closure =
            Box::new(move |unit| Box::pin(async move { answer_later(work(unit).await, sender) }));
        if self.commands.send(Command::Closure(closure)).await.is_err() {
            return Err(LedgerError::Stopped.into());
        }
        answer.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// Carries out an order in the next group's transaction; answers after the commit. Orders of one group are
    /// carried out together, with the same outcome as one after the other.
    pub async fn submit(&self, order: Order) -> Result<Receipt, OrderError> {
        let (sender, answer) = oneshot::channel();
        let submitted = Box::new(Submitted { order, answer: sender });
        if self.commands.send(Command::Order(submitted)).await.is_err() {
            return Err(LedgerError::Stopped.into());
        }
        answer.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// Unanswered means: dropped before it ran, or panicked and undone. Nothing was changed.
    fn unanswered(&self) -> LedgerError {
        if self.has_stopped() { LedgerError::Stopped } else { LedgerError::Unavailable }
    }

    /// Has a failed commit stopped the writer? Then nothing is accepted any more; health reports it.
    pub fn has_stopped(&self) -> bool {
        self.gauges.stopped.load(Ordering::SeqCst) || self.commands.is_closed()
    }

    /// Commands that wait for their group.
    pub fn waiting(&self) -> usize {
        self.commands.max_capacity().saturating_sub(self.commands.capacity())
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
        // A refusal may rest on what a neighbour did in the same group ("posted before"): it holds only if that stands.
        Err(error) => Err(Box::new(move |committed| {
            let _ = sender.send(Err(match committed {
                Committed::Yes => error,
                Committed::RolledBack => LedgerError::Unavailable.into(),
                Committed::Unknown => LedgerError::CommitFailed.into(),
            }));
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
    latest: UnixMillis,
}

impl Task {
    /// The writer's thread.
    fn live(self, queue: mpsc::Receiver<Command>) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(async move {
                if let Err(error) = self.db.release_writer().await {
                    tracing::warn!(%error, "the writer's connection is the one that was there");
                }
                self.run(queue).await;
            }),
            Err(error) => tracing::error!(%error, "the ledger's writer has no runtime"),
        }
    }

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
        let begun = std::time::Instant::now();
        let committed = self.run_group(group, &mut answers).await;
        metrics::histogram!("airlock_writer_group_seconds").record(begun.elapsed());
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
        let mut db = db;
        let (last, made_at) = match store::newest_transfer(&mut db).await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::error!(%error, "the writer cannot read where the ledger stands");
                group.clear();
                return Committed::RolledBack;
            }
        };
        self.latest = not_before(self.latest.max(self.clock.now()), made_at);
        // If the group is undone, what it learnt is forgotten with it.
        let known = std::mem::take(&mut self.known);
        let mut unit = Unit::begin(db, self.db.dialect(), self.assets.clone(), self.latest, known);
        unit.last_transfer = Some(last);
        if let Err(error) = run_all(group, &mut unit, answers).await {
            tracing::error!(%error, "the writer lost its transaction, the whole group is undone");
            return Committed::RolledBack;
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

/// How far behind the newest event a clock may be and still be led by it: what clocks of several coordinators differ by, or a
/// clock was set back by. One that is further off is believed, lest a moment in the far future hold for ever.
const CLOCK_BEHIND_MAX_MS: i64 = 10 * 60 * 1_000;

/// Events are numbered in the order of their moments, also across restarts and coordinators: histories rely on it.
pub(super) fn not_before(now: UnixMillis, newest: UnixMillis) -> UnixMillis {
    if newest.saturating_sub(now) <= CLOCK_BEHIND_MAX_MS { now.max(newest) } else { now }
}

/// A group's orders as one run, then its closures. An error means that the transaction itself is lost.
async fn run_all(
    group: &mut Vec<Command>,
    unit: &mut Unit,
    answers: &mut Vec<Answer>,
) -> Result<(), sqlx::Error> {
    let (mut orders, mut senders, mut closures) = (Vec::new(), Vec::new(), Vec::new());
    for command in group.drain(..) {
        match command {
            Command::Closure(closure) => closures.push(closure),
            Command::Order(submitted) => {
                // Without an answer to store the order is dropped, and its caller told that nothing was changed.
                if let Some(ready) = unit.ready(submitted.order) {
                    orders.push(ready);
                    senders.push(submitted.answer);
                }
            }
        }
    }
    if !orders.is_empty() {
        run_orders(&orders, senders, unit, answers).await?;
    }
    for closure in closures {
        run_one(closure, unit, answers).await?;
    }
    Ok(())
}

async fn run_orders(
    orders: &[Ready],
    senders: Vec<oneshot::Sender<Result<Receipt, OrderError>>>,
    unit: &mut Unit,
    answers: &mut Vec<Answer>,
) -> Result<(), sqlx::Error> {
    let outcomes = unit.run(orders).await?;
    for (outcome, sender) in outcomes.into_iter().zip(senders) {
        match answer_later(outcome, sender) {
            Ok(answer) | Err(answer) => answers.push(answer),
        }
    }
    Ok(())
}

/// One command under its savepoint. An error means that the transaction itself is lost.
async fn run_one(command: Closure, unit: &mut Unit, answers: &mut Vec<Answer>) -> Result<(), sqlx::Error> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(committed: Committed) -> LedgerError {
        let (sender, mut answer) = oneshot::channel::<Result<(), LedgerError>>();
        let refused = LedgerError::Repeated { kind: "deposit", reference: "d1".to_owned() };
        match answer_later(Err(refused), sender) {
            Ok(answer) | Err(answer) => answer(committed),
        }
        answer.try_recv().unwrap().unwrap_err()
    }

    #[test]
    fn a_refusal_that_rests_on_a_neighbour_is_told_only_if_the_neighbour_stands() {
        assert!(matches!(told(Committed::Yes), LedgerError::Repeated { .. }));
        assert!(matches!(told(Committed::RolledBack), LedgerError::Unavailable));
        assert!(matches!(told(Committed::Unknown), LedgerError::CommitFailed));
    }
}
