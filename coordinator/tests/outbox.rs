//! The outbox: claimed once, done once, and nobody reports without the lease. On both databases.

// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::ledger::LedgerError;
use airlock_coordinator::outbox;
use stage::{MOMENT, on_each_database};

#[test]
fn an_effect_is_claimed_by_one_worker_at_a_time_and_a_lost_lease_cannot_report() {
    on_each_database(|stage| async move {
        let story = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let db = unit.db();
                outbox::put(db, "mail", "w1", "{}", "request-1", MOMENT).await?;
                outbox::put(db, "mail", "w1", "{\"again\":1}", "request-2", MOMENT).await?;
                assert_eq!(outbox::claim(db, "other", 10, 1_000, MOMENT).await?.len(), 0);
                let first = outbox::claim(db, "mail", 10, 1_000, MOMENT).await?;
                assert_eq!((first.len(), first[0].body.as_str(), first[0].attempts), (1, "{}", 1));
                assert_eq!(first[0].request_id, "request-1");
                assert_eq!(outbox::claim(db, "mail", 10, 1_000, MOMENT + 999).await?.len(), 0);
                // The lease ran out: another worker has it now, and the first may not report any more.
                let second = outbox::claim(db, "mail", 10, 1_000, MOMENT + 1_000).await?;
                assert_eq!((second.len(), second[0].attempts), (1, 2));
                assert!(!outbox::done(db, &first[0]).await?);
                assert!(outbox::retry(db, &second[0], "busy", MOMENT + 5_000).await?);
                assert_eq!(outbox::claim(db, "mail", 10, 1_000, MOMENT + 4_999).await?.len(), 0);
                let third = outbox::claim(db, "mail", 10, 1_000, MOMENT + 5_000).await?;
                assert!(outbox::done(db, &third[0]).await?);
                assert!(!outbox::give_up(db, &third[0], "late").await?);
                assert_eq!(outbox::claim(db, "mail", 10, 1_000, i64::MAX).await?.len(), 0);
                Ok::<_, LedgerError>(())
            })
        });
        story.await.unwrap();
    });
}
