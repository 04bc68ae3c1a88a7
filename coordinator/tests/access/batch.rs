//! A batch, a bundle and an alert of a tenant: the documents of `fixtures/batch` under ids of their own.
//!
//! Enough to be found, shown and exported; nothing of it could be signed or sent.

use airlock_coordinator::alerts;
use airlock_coordinator::app::App;
use airlock_coordinator::batches::store::{self, Batch, SealedBundle};
use airlock_coordinator::batches::{BatchError, State};
use airlock_coordinator::db::random_id;
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_shared::batch::Kind;
use airlock_shared::document;
use airlock_shared::envelope::{Bundle, Introduction, SignedBatch};
use airlock_shared::{Address, Digest, Network};
use std::path::Path;

const INTRODUCTION: &str = include_str!("../../../fixtures/batch/valid/introduction-of-a-signer.hex");
const POLICY: &str = include_str!("../../../fixtures/batch/valid/policy.hex");

fn read<D: document::Document>(file: &str) -> D {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/batch/valid");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    document::read(&hex::decode(text.trim()).unwrap()).unwrap()
}

fn digest() -> Digest {
    let half = random_id().unwrap();
    Digest::from_hex(&format!("{half}{half}")).unwrap()
}

/// Makes them; answers their ids by name.
pub async fn make(app: &App, partner: &str) -> Vec<(&'static str, String)> {
    let home = tempfile::tempdir().unwrap();
    // The first has the identity of its introduction; later ones cannot, as nobody has it twice.
    let introduced = read::<Introduction>("introduction-of-a-signer.hex").identity;
    let known: Option<String> = sqlx::query_scalar("select name from signers where identity = $1")
        .bind(introduced.to_string())
        .fetch_optional(&mut *app.db.reader().await.unwrap())
        .await
        .unwrap();
    let signer = match known {
        None => introduced,
        Some(_) => CoordinatorKey::open(home.path()).unwrap().identity(),
    };
    let (id, bundle) = (random_id().unwrap(), random_id().unwrap());
    let content = read::<SignedBatch>("signed-batch.hex").envelope.content;
    let network = Network::EVM_DEV;
    let row = Batch {
        id: id.clone(),
        partner: partner.to_owned(),
        kind: Kind::Withdrawal,
        network,
        asset: "USDT".parse().unwrap(),
        source: Address::new(network, [9; 20]),
        signer,
        policy: digest(),
        state: State::Draft,
        content_digest: digest(),
        item_count: 1,
        amount_base: "1".parse().unwrap(),
        expires_at_ms: i64::MAX / 2,
        bundle: None,
        why: String::new(),
        made_by: "person:alice".to_owned(),
        request_id: String::new(),
        made_at: app.clock.now(),
        changed_at: app.clock.now(),
    };
    let sealed = SealedBundle {
        id: bundle.clone(),
        bundle: read::<Bundle>("bundle-worked-example.hex"),
        words: String::new(),
    };
    let (partner, batch) = (partner.to_owned(), id.clone());
    let done = app.writer.commit(move |unit| {
        Box::pin(async move {
            let now = unit.now();
            let db = unit.db();
            sqlx::query(
                "insert into signers (identity, partner_id, fingerprint, name, introduction, state, paired_by, \
                 made_at, changed_at) values ($1, $2, $3, 'theirs', $4, 'active', 'test', 0, 0)",
            )
            .bind(row.signer.to_string())
            .bind(&partner)
            .bind(&batch)
            .bind(INTRODUCTION.trim())
            .execute(&mut *db)
            .await?;
            sqlx::query(
                "insert into policies (digest, signer, name, version, document, imported_by, made_at) \
                 values ($1, $2, 'theirs', 1, $3, 'test', 0)",
            )
            .bind(row.policy.to_string())
            .bind(row.signer.to_string())
            .bind(POLICY.trim())
            .execute(&mut *db)
            .await?;
            store::insert(db, &row, &content).await?;
            store::insert_bundle(db, &sealed, "test", now).await?;
            store::set_bundle(db, &batch, &sealed.id, 0).await?;
            sqlx::query("update batches set state = 'exported' where id = $1").bind(&batch).execute(&mut *db).await?;
            alerts::raise_for(db, &partner, "test", &batch, "a test", now).await?;
            let alert: String =
                sqlx::query_scalar("select id from alerts where subject = $1").bind(&batch).fetch_one(&mut *db).await?;
            Ok::<_, BatchError>(alert)
        })
    });
    let alert = done.await.unwrap();
    vec![("batch", id), ("bundle", bundle), ("alert", alert)]
}
