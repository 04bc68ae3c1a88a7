//! What the metrics page reads at the moment it is asked: queues, pools, and counts out of the database.
//!
//! `metrics.rs` calls [`gather`] for each page. What must stay true: it only reads, through the readers' pool, and counts only
//! rows that are not at their end, so that it stays cheap however long the history is.

use super::ApiError;
use crate::app::App;
use crate::db::Db;
use crate::{alerts, audit, deposits, outbox, withdrawals};
use metrics::{counter, gauge};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// The longest that the page waits for the database: whoever asks for it gives up soon after.
const DATABASE_MAX: Duration = Duration::from_secs(3);

/// Series that the last page showed: one that is empty now is shown as 0, not as what it was.
static SHOWN: LazyLock<Mutex<HashMap<&'static str, Vec<Labels>>>> = LazyLock::new(Mutex::default);

/// What tells one series from another.
type Labels = Vec<metrics::Label>;

/// Reads everything that the page shows beside what is counted as it happens.
pub(super) async fn gather(app: &App) {
    let (groups, commands) = app.writer.counts();
    counter!("airlock_writer_groups_total").absolute(groups);
    counter!("airlock_writer_commands_total").absolute(commands);
    gauge!("airlock_writer_waiting").set(app.writer.waiting() as f64);
    gauge!("airlock_writer_stopped").set(u8::from(app.writer.has_stopped()));
    gauge!("airlock_rate_limit_slots").set(app.limits.remembered() as f64);
    let (all, idle) = (app.db.readers().size() as usize, app.db.readers().num_idle());
    gauge!("airlock_db_readers", "state" => "idle").set(idle as f64);
    gauge!("airlock_db_readers", "state" => "busy").set(all.saturating_sub(idle) as f64);
    providers(app);
    let counted = tokio::time::timeout(DATABASE_MAX, async {
        let mut db = app.db.reader().await?;
        counts(app, &mut db).await
    });
    // Without the database the page says so, and still shows the rest: that is when it is needed most.
    let answered = counted.await.is_ok_and(|counted| counted.is_ok());
    gauge!("airlock_db_up").set(u8::from(answered));
}

async fn counts(app: &App, db: &mut Db) -> Result<(), ApiError> {
    let now = app.clock.now();
    let seconds = |since: i64| now.saturating_sub(since).max(0) / 1000;
    let tasks = outbox::open_tasks(db).await?;
    let ages = tasks.iter().filter(|task| task.state == "waiting");
    let ages = ages.map(|task| (vec![("topic", task.topic.clone())], seconds(task.oldest_due_at)));
    show("airlock_outbox_age_seconds", ages.collect());
    let tasks = tasks
        .iter()
        .map(|task| (vec![("topic", task.topic.clone()), ("state", task.state.clone())], task.count));
    show("airlock_outbox_tasks", tasks.collect());
    let states = withdrawals::store::open_by_state(db).await?;
    show(
        "airlock_withdrawals",
        states.into_iter().map(|(state, count)| (vec![("state", state)], count)).collect(),
    );
    let states = deposits::store::open_by_state(db).await?;
    let states = states
        .into_iter()
        .map(|(network, state, count)| (vec![("network", network), ("state", state)], count));
    show("airlock_deposits", states.collect());
    let kinds = alerts::open_by_kind(db).await?;
    show(
        "airlock_alerts_open",
        kinds.into_iter().map(|(kind, count)| (vec![("kind", kind)], count)).collect(),
    );
    let heads = deposits::store::heads(db).await?;
    let of = |network: &str| vec![("network", network.to_owned())];
    let heights = heads.iter().map(|head| (of(&head.network), head.height)).collect();
    show("airlock_chain_final_height", heights);
    let ages = heads.iter().map(|head| (of(&head.network), seconds(head.changed_at))).collect();
    show("airlock_chain_head_age_seconds", ages);
    let halted = heads.iter().map(|head| (of(&head.network), i64::from(!head.halted.is_empty())));
    show("airlock_chain_halted", halted.collect());
    gauge!("airlock_audit_unlinked_rows").set(audit::store::unlinked(db).await? as f64);
    Ok(())
}

fn providers(app: &App) {
    for providers in app.chains.all() {
        let network = providers.network().to_string();
        for health in providers.health() {
            let labels = [("network", network.clone()), ("provider", health.label.clone())];
            let up = health.proved && health.failures == 0;
            gauge!("airlock_provider_up", &labels).set(u8::from(up));
            gauge!("airlock_provider_failures", &labels).set(health.failures);
        }
    }
}

/// Sets every series of one name, and those of the last page that are gone to 0.
fn show(name: &'static str, found: Vec<(Vec<(&'static str, String)>, i64)>) {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = shown.entry(name).or_default();
    for labels in before.iter() {
        gauge!(name, labels.clone()).set(0);
    }
    for (labels, count) in found {
        let labels: Labels = labels.into_iter().map(|(key, value)| metrics::Label::new(key, value)).collect();
        gauge!(name, labels.clone()).set(count as f64);
        if !before.contains(&labels) {
            before.push(labels);
        }
    }
}
