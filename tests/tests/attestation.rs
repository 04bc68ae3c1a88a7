//! The signer's word for deposit addresses, from the vault to a partner who believes nobody online (K9), with real processes.
//!
//! The Python that verifies is the one printed in `docs/integration-guide.md`: it is cut out of the page and run. It needs
//! `pycryptodome`, as the foreign clients do; without it the test says so, unless `AIRLOCK_REQUIRE_FOREIGN` is set.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use airlock_shared::Network;
use airlock_shared::attestation::{Attestation, AttestationError};
use airlock_shared::document::{self, Document as _};
use airlock_shared::identity::IdentitySignature;
use airlock_tests::attack;
use airlock_tests::coordinator::Answer;
use airlock_tests::device::path;
use airlock_tests::people::sign_up;
use airlock_tests::world::{list, text};
use airlock_tests::{Database, Stage, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const TRON: Network = Network::TRON_DEV;
/// Enough that a proof spans several rows of leaves.
const COUNT: u32 = 600;

/// The coordinator shows the words of a range, alice attests it with them; the file that crosses the gap.
async fn attested(world: &World, first: u32, count: u32) -> PathBuf {
    let out = world.stage.directory.join(format!("attested-{first}-{count}"));
    let route = format!("/v1/attestations/words?network={TRON}&first={first}&count={count}");
    let words = text(&world.see(&route).await.unwrap(), "words").unwrap().to_owned();
    let (network, first, count) = (TRON.to_string(), first.to_string(), count.to_string());
    let line = ["attest", "--network", &network, "--first", &first, "--count", &count];
    let line = [&line[..], &["--out", path(&out).unwrap(), "--confirm"]].concat();

    let before = world.devices.alice.journal().await.unwrap();
    let other = "zoo zoo zoo zoo zoo zoo zoo zoo";
    let unconfirmed = world.devices.alice.run(&[&line[..], &[other]].concat()).await.unwrap();
    assert_eq!(
        (unconfirmed.code, unconfirmed.error().unwrap()["code"].as_str()),
        (Some(3), Some("confirmation"))
    );
    assert!(unconfirmed.stderr.contains(&words), "the signer shows the words: {}", unconfirmed.stderr);
    assert_eq!(world.devices.alice.journal().await.unwrap(), before);

    let made = world.devices.alice.run(&[&line[..], &[&words]].concat()).await.unwrap().json().unwrap();
    assert_eq!(made["signer"], *world.devices.alice.identity);
    let journal = world.devices.alice.journal().await.unwrap();
    assert!(journal.to_string().contains("addresses_attested"), "{journal}");
    out.join("attestation.json")
}

async fn imported(world: &World, document: Vec<u8>) -> Answer {
    let (post, operator) = (reqwest::Method::POST, &world.people.operator);
    let body = Some(("application/json", document));
    world.coordinator.request(post, "/v1/attestations", operator, None, body).await.unwrap()
}

async fn asked(world: &World) -> Answer {
    let body = json!({ "network": TRON });
    world.coordinator.try_post("/v1/deposit-addresses", &world.people.user, &body).await.unwrap()
}

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.json["error"]["code"].as_str().unwrap())
}

/// `attest verify` as a partner runs it: no home, no passphrase.
fn verified(world: &World, answer: &Value, signer: &str, address: &str) -> Option<i32> {
    let file = world.stage.directory.join("proof.json");
    std::fs::write(&file, answer["proof"].to_string()).unwrap();
    let line = ["attest", "verify", path(&file).unwrap(), "--signer", signer, "--address", address];
    let program = &world.stage.binaries.signer;
    Command::new(program).args(line).env_clear().env("HOME", "/nonexistent").output().unwrap().status.code()
}

/// The program that the integration guide prints.
fn printed_program() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/integration-guide.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, from) = guide.split_once("```python\n").unwrap();
    from.split_once("```").unwrap().0.to_owned()
}

/// Runs it; `None` where pycryptodome is missing and may be.
fn by_python(world: &World, answer: &Value, signer: &str) -> Option<bool> {
    let python = std::env::var("AIRLOCK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import Crypto"]).output().unwrap();
    if !there.status.success() {
        assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "pycryptodome is missing");
        println!("skipped: pycryptodome is missing; scripts/test.sh installs it");
        return None;
    }
    let file = world.stage.directory.join("answer.json");
    std::fs::write(&file, answer.to_string()).unwrap();
    let output =
        Command::new(&python).args(["-c", &printed_program(), path(&file).unwrap(), signer]).output();
    Some(output.unwrap().status.success())
}

/// A partner holds the signer's key and believes neither the coordinator nor what it says of the signer.
fn a_partner_is_satisfied(world: &World, answer: &Value) {
    let (signer, address) = (world.devices.alice.identity.as_str(), text(answer, "address").unwrap());
    assert_eq!(verified(world, answer, signer, address), Some(0));
    assert_ne!(by_python(world, answer, signer), Some(false));
    let stranger = &world.devices.bob.identity;
    assert_eq!(verified(world, answer, stranger, address), Some(3));
    assert_ne!(by_python(world, answer, stranger), Some(true));
    let other = world.wallets_on(TRON).unwrap().hot.to_string();
    assert_eq!(verified(world, answer, signer, &other), Some(3), "the proof is for another address");
    let mut longer = answer.clone();
    longer["proof"]["audit_path"].as_array_mut().unwrap().push(json!("00".repeat(32)));
    assert_ne!(by_python(world, &longer, signer), Some(true), "a path that goes on above the root");
    assert_eq!(verified(world, &longer, signer, address), Some(3));
    for (place, value) in [
        ("/address", json!(other)),
        ("/proof/index", json!(1)),
        ("/proof/attestation/first", json!(1)),
        ("/proof/attestation/made_at", json!(1)),
        ("/proof/attestation/root", json!("00".repeat(32))),
        ("/proof/audit_path/0", json!("00".repeat(32))),
    ] {
        let mut altered = answer.clone();
        *altered.pointer_mut(place).unwrap() = value.clone();
        assert_ne!(by_python(world, &altered, signer), Some(true), "{place}");
        if place == "/address" {
            altered["proof"]["address"] = value;
        }
        let shown = text(&altered, "address").unwrap().to_owned();
        assert_eq!(verified(world, &altered, signer, &shown), Some(3), "{place}");
    }
}

/// A file that somebody changed, or made, on its way is not taken.
async fn only_the_signers_own_is_taken(world: &World, file: &Path) {
    let true_one: Attestation = document::read(&std::fs::read(file).unwrap()).unwrap();
    let refused_as = async |changed: Attestation| {
        let answer = imported(world, changed.to_json().into_bytes()).await;
        assert_eq!(refused(&answer), (422, "bad_attestation"), "{answer:?}");
        answer.json["error"]["message"].as_str().unwrap().to_owned()
    };
    let mut longer = true_one.clone();
    longer.range.count += 1;
    assert!(refused_as(longer).await.contains(&AttestationError::Signature.to_string()));
    let key = ed25519_dalek::SigningKey::from_bytes(&[66; 32]);
    let strangers = true_one.range.clone().sign(&key);
    assert!(refused_as(strangers.clone()).await.contains("not by"));
    let pretended = Attestation { signer: true_one.signer, ..strangers };
    assert!(refused_as(pretended).await.contains(&AttestationError::Signature.to_string()));
    let unsigned = Attestation { signature: IdentitySignature::from_bytes([0; 64]), ..true_one };
    refused_as(unsigned).await;
    let by_partner = world
        .coordinator
        .request(
            reqwest::Method::POST,
            "/v1/attestations",
            &world.people.partner,
            None,
            Some(("application/json", std::fs::read(file).unwrap())),
        )
        .await
        .unwrap();
    assert_eq!(by_partner.status.as_u16(), 403, "{by_partner:?}");
}

async fn story(database: Database) -> anyhow::Result<()> {
    let mut world = World::open(Stage::for_test()?, database).await?;
    let before = asked(&world).await.success()?;
    assert_eq!(before["proof"], Value::Null, "nothing is attested yet");

    let file = attested(&world, 0, COUNT).await;
    only_the_signers_own_is_taken(&world, &file).await;
    let taken = imported(&world, std::fs::read(&file)?).await.success()?;
    assert_eq!(list(&taken, "attestations")?[0]["count"], COUNT);
    assert_eq!(
        imported(&world, std::fs::read(&file)?).await.success()?,
        taken,
        "the same again changes nothing"
    );
    let known = world.see("/v1/attestations").await?;
    assert_eq!(list(&known, "attestations")?.len(), 1);

    let answer = asked(&world).await.success()?;
    assert_eq!(answer["address"], before["address"]);
    assert_eq!(answer["proof"]["attestation"]["signer"], *world.devices.alice.identity);
    a_partner_is_satisfied(&world, &answer);
    let listed = world.coordinator.get("/v1/deposit-addresses", &world.people.user).await?;
    let listed = list(&listed, "deposit_addresses")?;
    assert!(listed.contains(&answer), "{listed:?}");

    an_altered_row_reaches_nobody(&world, &answer).await?;
    no_address_beyond_the_range(&mut world).await?;
    world.coordinator.stop().await
}

/// Whoever owns the database puts an address of their own in the user's row: it is refused, and operators hear of it.
async fn an_altered_row_reaches_nobody(world: &World, answer: &Value) -> anyhow::Result<()> {
    let (own, theirs) = (text(answer, "address")?, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t");
    attack::rewrite_address(world, own, theirs).await?;
    assert_eq!(refused(&asked(world).await), (409, "address_altered"));
    let get = reqwest::Method::GET;
    let listed =
        world.coordinator.request(get, "/v1/deposit-addresses", &world.people.user, None, None).await?;
    assert_eq!(refused(&listed), (409, "address_altered"));
    let alerts = world.see("/v1/alerts").await?;
    let about = |alert: &&Value| alert["kind"] == "deposit_address.altered";
    assert_eq!(list(&alerts, "alerts")?.iter().filter(about).count(), 1, "{alerts}");
    attack::rewrite_address(world, theirs, own).await?;
    assert_eq!(asked(world).await.success()?, *answer);
    Ok(())
}

/// The range ends, and so do the addresses, until a further one is attested.
async fn no_address_beyond_the_range(world: &mut World) -> anyhow::Result<()> {
    attack::use_up_indexes(world, i64::from(COUNT)).await?;
    world.people.user = sign_up(&world.coordinator, &world.people.operator, "ursula").await?.0;
    assert_eq!(refused(&asked(world).await), (409, "not_attested"));
    let further = attested(world, COUNT, 3).await;
    imported(world, std::fs::read(further)?).await.success()?;
    let answer = asked(world).await.success()?;
    assert_eq!(answer["proof"]["index"], COUNT);
    a_partner_is_satisfied(world, &answer);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_verifies_a_deposit_address_on_sqlite() {
    story(Database::Sqlite).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_verifies_a_deposit_address_on_postgresql() {
    if Database::available().unwrap().contains(&Database::Postgres) {
        story(Database::Postgres).await.unwrap();
    }
}
