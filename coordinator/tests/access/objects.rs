//! One of every object for four owners, and ids that nobody ever gave out.
//!
//! Made by real requests where there are some. `ann` and `bob` are users of the partner whose people ask, `gina` of another
//! partner, `hugo` of the house.

use super::super::stage::{Served, Stage, Who};
use super::batch;
use airlock_coordinator::audit::By;
use airlock_coordinator::keys::{self, Wanted};
use airlock_coordinator::liabilities;
use airlock_coordinator::pairing::CoordinatorKey;
use airlock_coordinator::people::session::{self, Origin, Standing};
use airlock_coordinator::people::{Reach, Role, Scope, Subject, create};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whose an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    Ann,
    Bob,
    Gina,
    Hugo,
    /// There is no such object.
    Nobody,
    /// The caller's own: sessions only.
    Caller,
}

/// Every object's id, by owner and by the name that `table.rs` has for it.
pub struct Objects(BTreeMap<Owner, BTreeMap<&'static str, String>>);

const NAMES: [&str; 21] = [
    "withdrawal",
    "transfer",
    "adjustment2",
    "adjustment",
    "partner",
    "wallet",
    "user",
    "other",
    "victim",
    "key2",
    "key",
    "person",
    "leaver",
    "change2",
    "change",
    "session",
    "passkey",
    "missing",
    "alert",
    "batch",
    "bundle",
];

impl Objects {
    /// Makes them all; a statement of liabilities is made last.
    pub async fn make(served: &Served) -> Self {
        let acme = served.partner.id.clone();
        let writer = served.stage.app.writer.clone();
        let globex = create::partner(&writer, "globex").await.unwrap().id;
        let (gina, gus) = (served.user("globex", "gina").await, served.user("globex", "gus").await);
        let carl = served.user("acme", "carl").await;
        let (hugo, hedy) = (served.user("house", "hugo").await, served.user("house", "hedy").await);
        let mut owners: BTreeMap<Owner, BTreeMap<&'static str, String>> = BTreeMap::new();
        let parts: [(Owner, &str, &Who, &Who); 4] = [
            (Owner::Ann, &acme, &served.ann, &served.bob),
            (Owner::Bob, &acme, &served.bob, &carl),
            (Owner::Gina, &globex, &gina, &gus),
            (Owner::Hugo, "house", &hugo, &hedy),
        ];
        for (_, _, user, _) in parts {
            served.stage.give(&user.id, "USDT", 1_000_000_000).await;
        }
        for (owner, partner, user, other) in parts {
            let mut things = things(served, partner, user, other).await;
            // One batch and one alert a tenant.
            match owners.get(&Owner::Ann).filter(|_| owner == Owner::Bob) {
                Some(anns) => {
                    for name in ["batch", "bundle", "alert"] {
                        things.insert(name, anns[name].clone());
                    }
                }
                None => things.extend(batch::make(&served.stage.app, partner).await),
            }
            owners.insert(owner, things);
        }
        let missing = "0123456789abcdef0123456789abcdef".to_owned();
        owners.insert(Owner::Nobody, NAMES.iter().map(|name| (*name, missing.clone())).collect());
        let home = tempfile::tempdir().unwrap();
        let key = CoordinatorKey::open(home.path()).unwrap();
        liabilities::prove(&served.stage.app, &key, &By::command_line()).await.unwrap();
        Self(owners)
    }

    /// Closed alerts are open again.
    pub async fn open_alerts(&self, stage: &Stage) {
        let done = stage.app.writer.commit(|unit| {
            Box::pin(async move {
                let open = sqlx::query("update alerts set state = 'open' where kind = 'test'");
                Ok::<_, airlock_coordinator::ledger::LedgerError>(
                    open.execute(unit.db()).await?.rows_affected(),
                )
            })
        });
        assert!(done.await.unwrap() > 0);
    }

    /// The template with this owner's objects; nothing if the owner has none of a kind that it names.
    pub fn fill(&self, template: &str, owner: Owner) -> Option<String> {
        let things = self.0.get(&owner)?;
        let mut text = template.replace("$missing", "0123456789abcdef0123456789abcdef");
        for name in NAMES {
            let place = format!("${name}");
            if text.contains(&place) {
                text = text.replace(&place, things.get(name)?);
            }
        }
        Some(text)
    }
}

async fn made(served: &Served, who: &Who, path: &str, body: Value) -> String {
    let key = airlock_coordinator::db::random_id().unwrap();
    let (status, answer) = served.post_once(who, path, &key, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer["id"].as_str().unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
}

async fn things(served: &Served, partner: &str, user: &Who, other: &Who) -> BTreeMap<&'static str, String> {
    let (app, house) = (&served.stage.app, &served.operator);
    let mut things = BTreeMap::new();
    let mut put = |name: &'static str, id: String| things.insert(name, id);
    put("partner", partner.to_owned());
    put("user", user.id.clone());
    put("other", other.id.clone());
    let word = airlock_coordinator::db::random_id().unwrap();
    put("victim", create::user(&app.writer, partner, &word).await.unwrap().id);
    let withdrawal = json!({ "network": "tron:0xa1710c4b", "asset": "USDT", "amount": "5",
        "to": "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb" });
    put("withdrawal", made(served, user, "/v1/withdrawals", withdrawal).await);
    let transfer = json!({ "kind": "transfer", "to": other.id, "asset": "USDT", "amount": "1" });
    put("transfer", made(served, user, "/v1/transfers", transfer).await);
    for name in ["adjustment", "adjustment2"] {
        let body = json!({ "user": user.id, "asset": "USDT", "amount": "1", "direction": "debit",
            "against": "partner", "reason": "a test" });
        put(name, made(served, house, "/v1/adjustments", body).await);
    }
    let address = format!("0x{word}{}", &word[..8]);
    let wallet = json!({ "network": "eip155:31337", "address": address, "role": "cold", "label": "theirs" });
    put("wallet", made(served, house, &format!("/v1/partners/{partner}/wallets"), wallet).await);
    let short = &word[..8];
    for name in ["person", "leaver", "mover", "mover2"] {
        let roles = [Role::Operator].into_iter().collect();
        let person =
            create::person(&app.writer, partner, &format!("{name}-{short}"), &roles).await.unwrap().id;
        match name {
            "mover" | "mover2" => {
                let path = format!("/v1/people/{person}/roles");
                let change = made(served, house, &path, json!({ "roles": ["approver"] })).await;
                put(if name == "mover" { "change" } else { "change2" }, change);
            }
            name => drop(put(name, person)),
        }
    }
    let subject = Subject::User(user.id.clone());
    let open = Standing::Open { stepped_up: true };
    put("session", session::open(app, &subject, open, &Origin::default()).await.unwrap().session);
    put("passkey", super::askers::passkey(app, &subject).await);
    if partner != "house" {
        for name in ["key", "key2"] {
            let wanted = Wanted::new(partner, "theirs", [Scope::Read]);
            let key = keys::create(app, wanted, &Reach::All, &By::command_line()).await.unwrap().key;
            put(name, key.id.clone());
        }
    }
    things
}
