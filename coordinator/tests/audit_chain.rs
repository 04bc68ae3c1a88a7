//! The audit log against somebody who holds the database: rows are numbered without a gap, chained off the hot path, and whatever
//! is changed, removed, moved, put in or written anew is found and named (P6, case 82). On both databases.

// A test that cannot set its stage has failed; saying so by a panic is its job.
#![allow(clippy::unwrap_used, clippy::panic)]

mod stage;

use airlock_coordinator::app::App;
use airlock_coordinator::audit::chain::{Entry, Link, Wrong};
use airlock_coordinator::audit::link::{self, Step};
use airlock_coordinator::audit::verify::{self, Asked, Verified};
use airlock_coordinator::audit::{self, Action, By, Row, export, store};
use airlock_coordinator::db::{Db, Dialect};
use airlock_coordinator::ledger::{Account, LedgerError, Order, Posting};
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_shared::Digest;
use ed25519_dalek::SigningKey;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use stage::{Stage, asset, minor, on_each_database, open_app};
use std::sync::Arc;
use tempfile::TempDir;

/// The coordinator's identity in a home of its own.
fn key(home: &TempDir) -> Arc<CoordinatorKey> {
    Arc::new(CoordinatorKey::open(home.path()).unwrap())
}

fn asked(key: &CoordinatorKey) -> Asked {
    Asked { keys: vec![key.identity()], since: None, head: None }
}

async fn act(app: &App, subject: String) -> Result<(), LedgerError> {
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let by = By::system("test").of_request("r-1");
                let after = json!({ "subject": subject });
                audit::record(unit, &by, Action::AlertClose, &subject, json!(null), after).await
            })
        })
        .await
}

async fn act_often(app: &App, times: usize) {
    for _ in 0..times {
        act(app, airlock_coordinator::db::random_id().unwrap()).await.unwrap();
    }
}

/// Three links over twelve rows, and two rows that wait.
async fn written(stage: &Stage, key: &Arc<CoordinatorKey>) {
    for _ in 0..3 {
        act_often(&stage.app, 4).await;
        assert_eq!(link::step(&stage.app, key).await.unwrap(), Step::Linked(4));
    }
    act_often(&stage.app, 2).await;
}

async fn rows(app: &App) -> Vec<Entry> {
    store::rows_after(&mut app.db.reader().await.unwrap(), 0, 100_000).await.unwrap()
}

#[test]
fn a_hundred_actions_at_once_are_a_hundred_rows_without_a_gap() {
    on_each_database(|stage| async move {
        let acts = (0..100).map(|number| act(&stage.app, format!("subject-{number}")));
        for done in futures::future::join_all(acts).await {
            done.unwrap();
        }
        // One that is undone takes no number.
        let undone = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                audit::record(unit, &By::system("test"), Action::AlertClose, "x", json!(null), json!(null))
                    .await?;
                Err::<(), _>(LedgerError::Stopped)
            })
        });
        undone.await.unwrap_err();
        act(&stage.app, "last".to_owned()).await.unwrap();
        let rows = rows(&stage.app).await;
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), (1..=101).collect::<Vec<_>>());
        assert!(rows.is_sorted_by_key(|row| row.made_at));
        assert_eq!(rows[100].subject, "last");
        assert_eq!((rows[0].who.as_str(), rows[0].request_id.as_str()), ("system:test", "r-1"));
        stage.prove().await;
    });
}

#[test]
fn an_orders_row_is_written_if_the_order_is_carried_out_and_only_then() {
    on_each_database(|stage| async move {
        stage.give("ann", "USDT", 50).await;
        let order = |reference: String, amount: i64| {
            let usdt = asset("USDT");
            let (from, to) = (Account::available("ann", &usdt), Account::available("bob", &usdt));
            let row = Row::made(&By::system("test"), Action::TransferMake, &reference, String::new());
            Order::new(Posting::new("transfer", reference).minor(from, to, minor(amount))).audited(row)
        };
        let orders = (0..60).map(|number| stage.app.writer.submit(order(format!("t{number}"), 1)));
        let done = futures::future::join_all(orders).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(done, 50);
        let rows = rows(&stage.app).await;
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
        stage.prove().await;
    });
}

#[test]
fn a_row_and_a_link_cannot_be_changed_or_deleted() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        written(&stage, &key(&home)).await;
        let mut attacker = AnyConnection::connect(&stage.url).await.unwrap();
        for statement in [
            "update audit_rows set who = 'person:bob' where number = 1",
            "delete from audit_rows where number = 1",
            "update audit_links set digest = '' where first = 1",
            "delete from audit_links where first = 1",
        ] {
            let refused = attacker.execute(statement).await.unwrap_err().to_string();
            assert!(refused.contains("append-only"), "{statement}: {refused}");
        }
        stage.prove().await;
    });
}

#[test]
fn a_sound_log_is_sound_from_its_beginning_from_a_row_and_up_to_a_head() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        let empty = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap();
        assert!(empty.sound && empty.rows == 0);
        written(&stage, &key).await;
        let whole = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap();
        assert_eq!(
            (whole.sound, whole.rows, whole.links, whole.unlinked, whole.number),
            (true, 12, 3, 2, 12)
        );
        let head = Digest::from_hex(&whole.head);
        act_often(&stage.app, 1).await;
        link::all(&stage.app, &key).await.unwrap();
        for since in [None, Some(1), Some(6), Some(13), Some(15), Some(999)] {
            let found = verify::snapshot(&stage.app.db, &Asked { since, head, ..asked(&key) }).await.unwrap();
            assert!(found.sound && found.unlinked == 0, "{since:?}: {found:?}");
        }
        let stranger = TempDir::new().unwrap();
        let other = asked(&CoordinatorKey::open(stranger.path()).unwrap());
        for since in [None, Some(6)] {
            let found = verify::snapshot(&stage.app.db, &Asked { since, ..other.clone() }).await.unwrap();
            assert_eq!(found.fault.unwrap().wrong, Wrong::NotSigned);
        }
        stage.prove().await;
    });
}

/// What the owner of the database does inside a transaction that is undone afterwards; then the log is checked.
struct Attacker {
    db: AnyConnection,
    dialect: Dialect,
}

impl Attacker {
    async fn try_and_verify(&mut self, attack: &[String], asked: &Asked) -> Verified {
        let mut db = self.db.begin().await.unwrap();
        disarm(&mut db, self.dialect).await;
        for statement in attack {
            sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *db).await.unwrap();
        }
        let found = verify::verify(&mut db, asked).await.unwrap();
        db.rollback().await.unwrap();
        found
    }
}

async fn disarm(db: &mut Db, dialect: Dialect) {
    for table in ["audit_rows", "audit_links"] {
        let triggers = match dialect {
            Dialect::Sqlite => vec![format!("{table}_no_update"), format!("{table}_no_delete")],
            Dialect::Postgres => vec![format!("{table}_no_change on {table}")],
        };
        for trigger in triggers {
            db.execute(AssertSqlSafe(format!("drop trigger {trigger}"))).await.unwrap();
        }
    }
}

fn texts(statements: &[&str]) -> Vec<String> {
    statements.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn what_the_owner_of_the_database_does_to_the_log_is_found_and_named() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        written(&stage, &key).await;
        let sound = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap();
        let head = Digest::from_hex(&sound.head);
        let db = AnyConnection::connect(&stage.url).await.unwrap();
        let mut attacker = Attacker { db, dialect: stage.app.db.dialect() };
        let insert = |number: i64| {
            format!(
                "insert into audit_rows (number, made_at, who, tenant, address, request_id, action, subject, before, after) \
                 values ({number}, 1, 'person:mallory', 'house', '', '', 'alert.close', 'x', '', '')"
            )
        };
        let shift_down = [
            "update audit_rows set number = number + 100000 where number > 6",
            "update audit_rows set number = number - 100001 where number > 100000",
        ];
        let table: Vec<(&str, Vec<String>, i64, Wrong)> = vec![
            (
                "changed",
                texts(&["update audit_rows set who = 'person:bob' where number = 6"]),
                6,
                Wrong::Changed,
            ),
            (
                "moved text",
                texts(&["update audit_rows set before = after, after = before where number = 6"]),
                6,
                Wrong::Changed,
            ),
            (
                "dated back",
                texts(&["update audit_rows set made_at = made_at - 1 where number = 12"]),
                12,
                Wrong::Changed,
            ),
            ("deleted", texts(&["delete from audit_rows where number = 6"]), 6, Wrong::Missing),
            ("first deleted", texts(&["delete from audit_rows where number = 1"]), 1, Wrong::Missing),
            (
                "deleted, the others moved up",
                texts(&["delete from audit_rows where number = 6", shift_down[0], shift_down[1]]),
                6,
                Wrong::Missing,
            ),
            (
                "two swapped",
                texts(&[
                    "update audit_rows set number = 100006 where number = 6",
                    "update audit_rows set number = 6 where number = 10",
                    "update audit_rows set number = 10 where number = 100006",
                ]),
                6,
                Wrong::Reordered,
            ),
            (
                "one put in, the others moved down",
                vec![
                    "update audit_rows set number = number + 100000 where number >= 6".to_owned(),
                    "update audit_rows set number = number - 99999 where number > 100000".to_owned(),
                    insert(6),
                ],
                6,
                Wrong::Inserted,
            ),
            (
                "a link's digests",
                texts(&[
                    "update audit_links set digests = (select digests from audit_links where first = 1) where first = 5",
                ]),
                5,
                Wrong::LinkAltered,
            ),
            (
                "a link's end",
                texts(&["update audit_links set last = 15 where first = 9"]),
                9,
                Wrong::LinkAltered,
            ),
            (
                "a link's text",
                texts(&["update audit_links set digest = 'zz' where first = 5"]),
                5,
                Wrong::LinkAltered,
            ),
            (
                "a link's signature",
                texts(&[
                    "update audit_links set signature = (select signature from audit_links where first = 1) where first = 5",
                ]),
                5,
                Wrong::NotSigned,
            ),
            ("a link gone", texts(&["delete from audit_links where first = 5"]), 5, Wrong::LinkMissing),
            (
                "a link and its rows gone",
                texts(&[
                    "delete from audit_links where first = 5",
                    "delete from audit_rows where number between 5 and 8",
                ]),
                5,
                Wrong::Missing,
            ),
            ("the end's rows gone", texts(&["delete from audit_rows where number > 10"]), 11, Wrong::Missing),
            ("a waiting row gone", texts(&["delete from audit_rows where number = 13"]), 13, Wrong::Missing),
        ];
        for (attack, statements, number, wrong) in table {
            let found = attacker.try_and_verify(&statements, &asked(&key)).await;
            let fault = found.fault.unwrap_or_else(|| panic!("{attack} on {}", stage.name));
            assert_eq!(
                (fault.number, fault.wrong),
                (number, wrong),
                "{attack} on {}: {}",
                stage.name,
                fault.why
            );
        }
        // Rows and links of the end, cut off together, leave a shorter log that is sound in itself: only a head that somebody
        // noted shows it.
        let cut =
            texts(&["delete from audit_links where first = 9", "delete from audit_rows where number > 8"]);
        let unseen = attacker.try_and_verify(&cut, &asked(&key)).await;
        assert_eq!((unseen.sound, unseen.number), (true, 8));
        for since in [None, Some(6)] {
            let seen = attacker.try_and_verify(&cut, &Asked { head, since, ..asked(&key) }).await;
            let fault = seen.fault.unwrap();
            assert_eq!((fault.number, fault.wrong), (9, Wrong::HeadUnknown));
        }
        // The undone attacks left nothing behind.
        assert!(verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap().sound);
        stage.prove().await;
    });
}

#[test]
fn a_chain_written_anew_is_not_ours() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        written(&stage, &key).await;
        let mut forged = rows(&stage.app).await;
        forged[5].who = "person:bob".to_owned();
        // The attacker has no key of ours: one of its own, or one under our name with a signature that is none.
        let theirs = SigningKey::from_bytes(&[9; 32]);
        let link = Link::over(&Digest::ZERO, &forged[..12], 1, &theirs).unwrap();
        let digests: String = link.digests.iter().map(Digest::to_string).collect();
        for signer in [link.signer.to_string(), key.identity().to_string()] {
            let attack = vec![
                "update audit_rows set who = 'person:bob' where number = 6".to_owned(),
                "delete from audit_links".to_owned(),
                format!(
                    "insert into audit_links (first, last, made_at, digests, digest, signer, signature) \
                     values (1, 12, 1, '{digests}', '{}', '{signer}', '{}')",
                    link.digest,
                    hex::encode(link.signature.as_bytes())
                ),
            ];
            let db = AnyConnection::connect(&stage.url).await.unwrap();
            let mut attacker = Attacker { db, dialect: stage.app.db.dialect() };
            let fault = attacker.try_and_verify(&attack, &asked(&key)).await.fault.unwrap();
            assert_eq!((fault.number, fault.wrong), (1, Wrong::NotSigned), "{}", fault.why);
        }
        stage.prove().await;
    });
}

#[test]
fn rows_without_a_link_after_a_sudden_end_are_chained_by_the_next_start() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        act_often(&stage.app, 40).await;
        // Stopped at any moment: what was begun is dropped wherever it happens to be.
        for wait in 0..30 {
            let (app, key) = (stage.app.clone(), key.clone());
            let step = tokio::spawn(async move { link::step(&app, &key).await });
            tokio::time::sleep(std::time::Duration::from_micros(wait * 150)).await;
            step.abort();
            act_often(&stage.app, 1).await;
        }
        let restarted = open_app(&stage.url).await;
        link::all(&restarted, &key).await.unwrap();
        let found = verify::snapshot(&restarted.db, &asked(&key)).await.unwrap();
        assert_eq!((found.sound, found.rows, found.unlinked), (true, 70, 0), "{found:?}");
        stage.prove().await;
    });
}

#[test]
fn two_coordinators_chain_side_by_side_and_no_row_twice() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        let second = open_app(&stage.url).await;
        let worker = |app: App, key: Arc<CoordinatorKey>| async move {
            let mut linked = 0;
            for _ in 0..20 {
                act_often(&app, 1).await;
                if let Step::Linked(rows) = link::step(&app, &key).await.unwrap() {
                    linked += rows;
                }
            }
            linked
        };
        let one = tokio::spawn(worker(stage.app.clone(), key.clone()));
        let other = tokio::spawn(worker(second.clone(), key.clone()));
        let linked = one.await.unwrap() + other.await.unwrap();
        let found = verify::snapshot(&second.db, &asked(&key)).await.unwrap();
        assert!(found.sound, "{found:?}");
        assert_eq!((usize::try_from(found.rows).unwrap(), found.rows + found.unlinked), (linked, 40));
        stage.prove().await;
    });
}

#[test]
fn chaining_asks_the_writer_for_one_row_per_thousand() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        let rows: Vec<Row> = (0..4_500)
            .map(|number| {
                Row::made(&By::system("test"), Action::TransferMake, &format!("t{number}"), String::new())
            })
            .collect();
        let dialect = stage.app.db.dialect();
        let written = stage.app.writer.commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let rows: Vec<&Row> = rows.iter().collect();
                audit::write(unit.db(), dialect, &rows, now).await
            })
        });
        written.await.unwrap();
        let before = stage.app.writer.counts().1;
        link::all(&stage.app, &key).await.unwrap();
        assert_eq!(stage.app.writer.counts().1 - before, 5);
        let found = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap();
        assert_eq!((found.sound, found.rows, found.links), (true, 4_500, 5));
        stage.prove().await;
    });
}

#[test]
fn a_hole_before_the_chain_and_a_lost_end_raise_alerts_and_stay_visible() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        written(&stage, &key).await;
        let mut attacker = AnyConnection::connect(&stage.url).await.unwrap();
        disarm(&mut attacker, stage.app.db.dialect()).await;
        attacker.execute("delete from audit_rows where number = 13").await.unwrap();
        link::all(&stage.app, &key).await.unwrap();
        let fault = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap().fault.unwrap();
        assert_eq!((fault.number, fault.wrong), (13, Wrong::Missing));
        attacker.execute("delete from audit_rows where number > 11").await.unwrap();
        link::all(&stage.app, &key).await.unwrap();
        link::all(&stage.app, &key).await.unwrap();
        let open =
            airlock_coordinator::alerts::open_of(&mut stage.app.db.reader().await.unwrap(), "", None, 10)
                .await
                .unwrap();
        let mut kinds: Vec<_> =
            open.iter().map(|alert| (alert.kind.as_str(), alert.subject.as_str())).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, [("audit.cut", "14"), ("audit.hole", "13")]);
        stage.prove().await;
    });
}

#[test]
fn an_export_is_checked_without_a_database_and_every_change_in_it_is_found() {
    on_each_database(|stage| async move {
        let home = TempDir::new().unwrap();
        let key = key(&home);
        written(&stage, &key).await;
        link::all(&stage.app, &key).await.unwrap();
        let file = home.path().join("audit.jsonl");
        let counts = export::export(&stage.app.db, key.signing_key(), 7, &file).await.unwrap();
        assert_eq!((counts.rows, counts.links), (14, 4));
        assert!(
            export::export(&stage.app.db, key.signing_key(), 7, &file).await.is_err(),
            "nothing is overwritten"
        );
        let sound = export::verify(&file, &asked(&key)).unwrap();
        let in_database = verify::snapshot(&stage.app.db, &asked(&key)).await.unwrap();
        assert_eq!(sound, in_database);
        let head = Digest::from_hex(&sound.head);
        assert!(export::verify(&file, &Asked { head, ..asked(&key) }).unwrap().sound);
        let lines: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
        // header, rows 1 to 4, link, rows 5 to 8, link …: row 6 is the eighth line.
        let check = |name: &str, altered: Vec<String>| {
            let path = home.path().join("altered.jsonl");
            std::fs::write(&path, altered.join("\n") + "\n").unwrap();
            export::verify(&path, &asked(&key)).map_err(|error| format!("{name}: {error}"))
        };
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut altered = lines.clone();
            change(&mut altered);
            altered
        };
        let table: Vec<(&str, Vec<String>, i64, Wrong)> = vec![
            ("changed", with(&|l| l[7] = l[7].replace("system:test", "person:bob")), 6, Wrong::Changed),
            ("deleted", with(&|l| drop(l.remove(7))), 6, Wrong::Missing),
            ("a link gone", with(&|l| drop(l.remove(10))), 5, Wrong::LinkMissing),
            ("the last link gone", with(&|l| drop(l.remove(18))), 13, Wrong::LinkMissing),
            (
                "two swapped",
                with(&|l| {
                    (l[7], l[8]) = (
                        l[8].replace("\"number\":7", "\"number\":6"),
                        l[7].replace("\"number\":6", "\"number\":7"),
                    );
                }),
                6,
                Wrong::Reordered,
            ),
            (
                "the header's time",
                with(&|l| l[0] = l[0].replace("\"made_at_ms\":7", "\"made_at_ms\":8")),
                15,
                Wrong::NotSigned,
            ),
            (
                "the end cut off and the counts mended",
                with(&|l| {
                    drop(l.drain(16..19));
                    l[16] = l[16].replace("\"rows\":14,\"links\":4", "\"rows\":12,\"links\":3");
                }),
                13,
                Wrong::NotSigned,
            ),
        ];
        for (name, altered, number, wrong) in table {
            let fault = check(name, altered).unwrap().fault.unwrap_or_else(|| panic!("{name}"));
            assert_eq!((fault.number, fault.wrong), (number, wrong), "{name}: {}", fault.why);
        }
        for (name, altered) in [
            ("no end", with(&|l| drop(l.pop()))),
            ("a line after the end", with(&|l| l.push(l[1].clone()))),
            ("no header", with(&|l| drop(l.remove(0)))),
            ("an unknown field", with(&|l| l[1] = l[1].replace("\"number\"", "\"more\":1,\"number\""))),
            ("a line too long", with(&|l| l[1] = l[1].replace("system:test", &"x".repeat(200_000)))),
        ] {
            assert!(check(name, altered).is_err(), "{name}");
        }
        let stranger = TempDir::new().unwrap();
        let other = export::verify(&file, &asked(&CoordinatorKey::open(stranger.path()).unwrap())).unwrap();
        assert_eq!(other.fault.unwrap().wrong, Wrong::NotSigned);
        stage.prove().await;
    });
}
