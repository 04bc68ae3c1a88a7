//! Proof of liabilities over real books: the signed total is what everybody is owed, and each creditor can check their part.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod stage;

use airlock_coordinator::audit::By;
use airlock_coordinator::ledger::{Account, LedgerError, Posting};
use airlock_coordinator::liabilities::{check, proof_of, prove};
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_shared::Address;
use airlock_shared::Network;
use airlock_shared::document::Document as _;
use airlock_shared::liabilities::SignedStatement;
use serde_json::json;
use stage::{Stage, asset, minor, on_each_database};

async fn post(stage: &Stage, posting: Posting) {
    stage.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await.unwrap();
}

/// Users and a partner with money, all of it lying in one reserve, and something nobody owns yet.
async fn books(stage: &Stage, users: u32) {
    let (usdt, wallet) = (asset("USDT"), Address::new(Network::TRON_DEV, [9; 20]));
    let reserve = || Account::reserve(wallet, &usdt);
    for number in 0..users {
        let user = Account::available(&format!("user{number}"), &usdt);
        post(
            stage,
            Posting::new("deposit", format!("d{number}")).minor(
                reserve(),
                user,
                minor(1_000_000 + i64::from(number)),
            ),
        )
        .await;
    }
    let partner = Account::Partner { partner: "acme".to_owned(), asset: usdt.clone() };
    post(stage, Posting::new("deposit", "p").minor(reserve(), partner, minor(5_000_000))).await;
    post(stage, Posting::new("deposit", "s").minor(reserve(), Account::Suspense(usdt.clone()), minor(7)))
        .await;
}

async fn proven(stage: &Stage) -> (SignedStatement, CoordinatorKey) {
    let home = tempfile::tempdir().unwrap();
    let key = CoordinatorKey::open(home.path()).unwrap();
    (prove(&stage.app, &key, &By::command_line()).await.unwrap(), key)
}

#[test]
fn the_total_is_what_everybody_is_owed_and_each_finds_their_own() {
    on_each_database(async |stage: Stage| {
        books(&stage, 300).await;
        let (signed, key) = proven(&stage).await;
        let shown = check::check(signed.to_json().as_bytes(), None, &key.identity()).unwrap();
        assert_eq!(shown["creditors"], 301);
        let usdt = &shown["assets"]["USDT"];
        // 300 users, 1 USDT each and 0, 1, … 299 minor units more; 5 of the partner; 7 minor units of nobody.
        assert_eq!((&usdt["owed"], &usdt["reserves_booked"]), (&json!("305.044857"), &json!("305.044857")));
        // No provider answers on this stage, and the statement says so instead of calling it covered.
        assert_eq!((&usdt["reserves_unanswered"], &usdt["covered"]), (&json!(true), &json!(false)));
        let mut db = stage.app.db.reader().await.unwrap();
        for owner in ["user:user0", "user:user299", "partner:acme"] {
            let (statement, proof) = proof_of(&mut db, owner).await.unwrap().unwrap();
            let answer = json!({ "statement": serde_json::from_str::<serde_json::Value>(&statement.to_json()).unwrap(),
                "proof": serde_json::from_str::<serde_json::Value>(&proof.to_json()).unwrap() });
            let shown = check::check(answer.to_string().as_bytes(), None, &key.identity()).unwrap();
            assert_eq!(shown["included"]["owner"], owner);
        }
        assert!(proof_of(&mut db, "user:nobody").await.unwrap().is_none());
    });
}

#[test]
fn a_loss_that_is_not_explained_yet_is_owed_to_nobody_and_stops_no_statement() {
    on_each_database(async |stage: Stage| {
        books(&stage, 2).await;
        let usdt = asset("USDT");
        let lost = Posting::new("adjustment", "lost").minor(
            Account::Suspense(usdt.clone()),
            Account::Capital(usdt.clone()),
            minor(9),
        );
        post(&stage, lost).await;
        let (signed, key) = proven(&stage).await;
        let shown = check::check(signed.to_json().as_bytes(), None, &key.identity()).unwrap();
        assert_eq!(
            shown["assets"]["USDT"]["owed"], "7.000001",
            "two users and the partner, nothing of the loss"
        );
    });
}

#[test]
fn two_statements_made_at_once_have_their_own_leaves() {
    on_each_database(async |stage: Stage| {
        books(&stage, 3).await;
        let home = tempfile::tempdir().unwrap();
        let key = CoordinatorKey::open(home.path()).unwrap();
        let by = By::command_line();
        let runs = futures::future::join_all((0..4).map(|_| prove(&stage.app, &key, &by))).await;
        let mut made: Vec<_> = runs.into_iter().map(|run| run.unwrap().statement.digest()).collect();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 4);
        let mut db = stage.app.db.reader().await.unwrap();
        let (statement, proof) = proof_of(&mut db, "user:user0").await.unwrap().unwrap();
        proof.check(&statement.statement).unwrap();
    });
}

#[test]
fn a_statement_of_another_key_and_one_with_a_changed_digit_are_no_proof() {
    on_each_database(async |stage: Stage| {
        books(&stage, 3).await;
        let (signed, key) = proven(&stage).await;
        let other = CoordinatorKey::open(tempfile::tempdir().unwrap().path()).unwrap();
        let refused =
            check::check(signed.to_json().as_bytes(), None, &other.identity()).unwrap_err().to_string();
        assert!(refused.contains("signed by"), "{refused}");
        let changed = signed.to_json().replace("\"8000010\"", "\"8000009\"");
        assert_ne!(changed, signed.to_json());
        let refused = check::check(changed.as_bytes(), None, &key.identity()).unwrap_err().to_string();
        assert!(refused.contains("does not fit"), "{refused}");
    });
}

/// The program that `docs/liabilities.md` prints, on an answer; `None` where pycryptodome is missing and may be.
fn by_python(answer: &serde_json::Value, key: &str) -> Option<bool> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/liabilities.md");
    let page = std::fs::read_to_string(page).unwrap();
    let program = page.split_once("```python\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    let python = std::env::var("AIRLOCK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = std::process::Command::new(&python).args(["-c", "import Crypto"]).output().unwrap();
    if !there.status.success() {
        assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "pycryptodome is missing");
        println!("skipped: pycryptodome is missing; scripts/test.sh installs it");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("answer.json");
    std::fs::write(&file, answer.to_string()).unwrap();
    let output =
        std::process::Command::new(&python).args(["-c", &program]).arg(&file).arg(key).output().unwrap();
    Some(output.status.success())
}

#[test]
fn the_python_of_the_page_agrees_and_sees_every_lie() {
    on_each_database(async |stage: Stage| {
        books(&stage, 6).await;
        let (_, key) = proven(&stage).await;
        let mut db = stage.app.db.reader().await.unwrap();
        for owner in ["user:user0", "user:user3", "user:user5", "partner:acme"] {
            let (statement, proof) = proof_of(&mut db, owner).await.unwrap().unwrap();
            let value = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
            let answer = json!({ "statement": value(statement.to_json()), "proof": value(proof.to_json()) });
            assert_ne!(by_python(&answer, &key.identity().to_string()), Some(false), "{owner}");
            let lies: [fn(&mut serde_json::Value); 4] = [
                |answer| answer["proof"]["sums"][0] = json!("1"),
                |answer| answer["proof"]["owner"] = json!("user:else"),
                |answer| answer["statement"]["root"]["sums"][0] = json!("1"),
                |answer| answer["statement"]["taken_at"] = json!(1),
            ];
            for lie in lies {
                let mut told = answer.clone();
                lie(&mut told);
                assert_ne!(by_python(&told, &key.identity().to_string()), Some(true), "{owner}");
                assert!(check::check(told.to_string().as_bytes(), None, &key.identity()).is_err());
            }
        }
    });
}

#[test]
fn a_run_that_was_cut_short_is_never_seen() {
    on_each_database(async |stage: Stage| {
        books(&stage, 3).await;
        let cut = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                sqlx::query(
                    "insert into liability_leaves (statement_id, chunk, first_salt, leaves, root_hash, root_sums) \
                     values (1, 0, '', '', '', '')",
                )
                .execute(unit.db())
                .await?;
                Ok::<_, LedgerError>(())
            })
        });
        cut.await.unwrap();
        let mut db = stage.app.db.reader().await.unwrap();
        assert!(proof_of(&mut db, "user:user0").await.unwrap().is_none());
        drop(db);
        proven(&stage).await;
        let mut db = stage.app.db.reader().await.unwrap();
        assert!(proof_of(&mut db, "user:user0").await.unwrap().is_some());
    });
}
