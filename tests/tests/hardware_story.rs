//! Withdrawals that a hardware wallet pays, on TRON and on an EVM chain, with real processes on both sides (S12).
//!
//! The device is made of Keystone's packages (`tests/foreign/hardware_wallet.mjs`, see `hardware_wallets.rs`); the wallets
//! are marked by a second policy that both custodians sign. What the story shows: nothing leaves before the quorum, an answer
//! counts for its own request and once, the chain pays each withdrawal once, and an auditor who was told nothing sees that
//! no journal stands behind it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use airlock_shared::batch::Wallet;
use airlock_shared::chain::signature;
use airlock_shared::document::{self, Document as _};
use airlock_shared::frames::ur::{Message, Ur};
use airlock_shared::frames::{FrameSize, Level, QrImage, frames_of_picture};
use airlock_shared::policy::{HardwareKey, PayingWallet, SignedPolicy};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, Family, Network, words};
use airlock_tests::acts::proposal::{self, Asked, Exported, Wish};
use airlock_tests::acts::{audit, books, deposits, settlement};
use airlock_tests::coordinator::Answer;
use airlock_tests::device::path;
use airlock_tests::process;
use airlock_tests::world::{list, text};
use airlock_tests::{Database, Stage, World};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const FINGERPRINT: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
const KEY: [u8; 32] = [0x42; 32];

/// Where the device's packages are; nothing where they are missing and may be.
fn device_directory() -> Option<PathBuf> {
    let found = std::env::var_os("AIRLOCK_FOREIGN_DIR").map(PathBuf::from);
    if found.is_none() {
        assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "AIRLOCK_FOREIGN_DIR is not set");
        println!("skipped: AIRLOCK_FOREIGN_DIR is not set; scripts/test.sh sets it");
    }
    found
}

/// The device's account on a network.
fn wallet(network: Network) -> (Address, &'static str) {
    let key = k256::ecdsa::SigningKey::from_slice(&KEY).unwrap();
    let address = Address::from_public_key(network, &signature::public_key(&key));
    (address, if network.family() == Family::Tron { "m/44'/195'/0'/0/0" } else { "m/44'/60'/0'/0/0" })
}

/// What the device shows after it was shown `request`: its answer as text. `altered` changes what it knows or does.
fn device(request: &Value, altered: Value) -> String {
    let ur = text(request, "ur").unwrap();
    let Ok(Message::SignRequest(asked)) = Message::read(&Ur::parse(ur).unwrap()) else { panic!("{ur}") };
    let shows = &request["device_shows"];
    let network: Network = text(shows, "network").unwrap().parse().unwrap();
    let mut wanted = json!({
        "texts": [ur], "type": Ur::parse(ur).unwrap().ur_type(), "chain_id": shows["chain_id"],
        "request_id": text(request, "request_id").unwrap().replace('-', ""),
        "sign_data": hex::encode(&asked.sign_data), "path": shows["path"], "fingerprint": shows["fingerprint"],
        "address": hex::encode(wallet(network).0.payload()), "private_key": format!("0x{}", hex::encode(KEY)),
    });
    for (field, value) in altered.as_object().unwrap() {
        wanted[field] = value.clone();
    }
    let mut node = Command::new("node")
        .arg("hardware_wallet.mjs")
        .current_dir(device_directory().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(wanted.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

/// Both custodians sign a second policy that marks the wallets; the settings name them; money arrives there.
async fn add_hardware_wallets(world: &mut World) -> anyhow::Result<()> {
    let file = world.stage.directory.join("policy.json");
    let mut policy: SignedPolicy = document::read(&std::fs::read(&file)?)?;
    policy.policy.version = 2;
    policy.signatures.clear();
    for rules in &mut policy.policy.networks {
        let (address, path) = wallet(rules.network);
        rules.wallets.push(PayingWallet {
            wallet: Wallet { role: Role::Hardware, index: 0, address },
            permission_id: 0,
            hardware: Some(HardwareKey { fingerprint: FINGERPRINT, path: path.to_owned() }),
        });
    }
    std::fs::write(&file, policy.to_json())?;
    let shown = words::words(&policy.policy.digest());
    for custodian in [&world.devices.alice, &world.devices.bob] {
        custodian.run(&["policy", "sign", path(&file)?, "--confirm", &shown]).await?.success()?;
    }
    world.devices.alice.run(&["policy", "install", path(&file)?]).await?.success()?;
    world.coordinator.run(&["policy", "import", path(&file)?]).await?.success()?;

    world.coordinator.stop().await?;
    let mut settings = std::fs::read_to_string(world.coordinator.settings())?;
    for chain in &world.chains.all {
        let (address, path) = wallet(chain.network);
        let block = format!(
            "[[network.wallet]]\nrole = \"hardware\"\naddress = \"{address}\"\npath = \"{path}\"\nfingerprint = \"{}\"\n\n",
            hex::encode(FINGERPRINT)
        );
        let begins = settings.find(&format!("id = \"{}\"", chain.network)).unwrap();
        let place = settings[begins..].find("[[network.wallet]]").unwrap() + begins;
        settings.insert_str(place, &block);
    }
    std::fs::write(world.coordinator.settings(), settings)?;
    world.coordinator.start().await?;
    for chain in &world.chains.all {
        let wallet = wallet(chain.network).0.to_string();
        let native = if chain.network.family() == Family::Tron { 500_000_000 } else { 10u64.pow(18) };
        let held = [("USDT", BaseUnits::from(1_000_000_000u64)), (chain.native(), BaseUnits::from(native))];
        chain.fund(&wallet, held[1].1).await?;
        chain.pay_usdt(&wallet, held[0].1).await?;
        chain.mine(4).await?;
        for (asset, amount_base) in held {
            let body = json!({
                "network": chain.network, "wallet": wallet, "asset": asset, "amount_base": amount_base,
            });
            world.order("/v1/treasury/opening-capital", &body).await?;
        }
    }
    Ok(())
}

/// Withdrawals that are approved and queued.
async fn asked(world: &World) -> anyhow::Result<Vec<Asked>> {
    let wish =
        |network, payload: u8, micro| Wish { network, to: Address::new(network, [payload; 20]), micro };
    let mut asked = Vec::new();
    for wish in [
        wish(Network::EVM_DEV, 0xd1, 42_250_000),
        wish(Network::EVM_DEV, 0xd2, 7_000_001),
        wish(Network::TRON_DEV, 0xd3, 80_000_001),
    ] {
        let one = proposal::ask(world, &wish).await?;
        proposal::approve(world, &one).await?;
        asked.push(one);
    }
    Ok(asked)
}

async fn batch(world: &World, network: Network, hardware: &str) -> anyhow::Result<Answer> {
    let body = json!({ "network": network, "asset": "USDT", "kind": "withdrawal", "hardware": hardware });
    world.coordinator.try_post("/v1/batches", &world.people.operator, &body).await
}

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.json["error"]["code"].as_str().unwrap())
}

async fn sealed(world: &World, batches: &[&str]) -> anyhow::Result<Answer> {
    world.coordinator.try_post("/v1/bundles", &world.people.operator, &json!({ "batches": batches })).await
}

/// Nothing leaves before both approvals, and then alone.
async fn approved_and_sealed(world: &World, batch: &str, other: Option<&str>) -> anyhow::Result<()> {
    let requests = format!("/v1/batches/{batch}/hardware");
    let (get, operator) = (reqwest::Method::GET, &world.people.operator);
    let early = async || world.coordinator.request(get.clone(), &requests, operator, None, None).await;
    assert_eq!(refused(&sealed(world, &[batch]).await?), (422, "policy"));
    assert_eq!(refused(&early().await?), (409, "hardware"));
    proposal::approve_on_device(world, &world.devices.carol, batch).await?;
    let one = sealed(world, &[batch]).await?;
    assert_eq!(refused(&one), (422, "policy"));
    assert!(one.json.to_string().contains("policy.approvals"), "{:?}", one.json);
    proposal::approve_on_device(world, &world.devices.dave, batch).await?;
    assert_eq!(refused(&early().await?), (409, "hardware"), "approved is not exported");
    if let Some(other) = other {
        assert_eq!(refused(&sealed(world, &[batch, other]).await?), (409, "bundle"));
    }
    let made = sealed(world, &[batch]).await?.success()?;
    assert_eq!(sealed(world, &[batch]).await?.success()?["id"], made["id"], "the same again");
    Ok(())
}

/// The signer refuses a hardware wallet's batch by name, and that refusal ends nothing: the device may sign.
async fn no_signer_answers_for_it(world: &World, batch: &str) -> anyhow::Result<()> {
    let shown = world.see(&format!("/v1/batches/{batch}")).await?;
    let route = format!("/v1/bundles/{}/export.json", text(&shown, "bundle")?);
    let (file, out) = (world.stage.directory.join("for-nobody.json"), world.stage.directory.join("refusal"));
    std::fs::write(&file, world.coordinator.get_bytes(&route, &world.people.operator).await?)?;
    let refused = world.devices.alice.sign(&file, text(&shown, "words")?, &out).await?;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("source.hardware"), "{}", refused.stderr);
    let body = Some(("application/json", std::fs::read(out.join("reply.json"))?));
    let (post, operator) = (reqwest::Method::POST, &world.people.operator);
    let judged = world.coordinator.request(post, "/v1/replies", operator, None, body).await?.success()?;
    assert_eq!(judged["replies"][0]["verdict"], "rejected", "{judged}");
    assert_eq!(text(&world.see(&format!("/v1/batches/{batch}")).await?, "state")?, "exported");
    Ok(())
}

async fn requests(world: &World, batch: &str) -> anyhow::Result<Vec<Value>> {
    let listed = world.see(&format!("/v1/batches/{batch}/hardware")).await?;
    Ok(list(&listed, "requests")?.to_vec())
}

async fn give(world: &World, batch: &str, answers: &[&str]) -> anyhow::Result<Value> {
    let body = Some(("text/plain", answers.join("\n").into_bytes()));
    let path = format!("/v1/batches/{batch}/hardware");
    let post = reqwest::Method::POST;
    world.coordinator.request(post, &path, &world.people.operator, None, body).await?.success()
}

fn verdicts(came: &Value) -> Vec<&str> {
    list(came, "answers").unwrap().iter().map(|one| text(one, "verdict").unwrap()).collect()
}

/// The pictures carry the text: one code, and a loop of several where the code is small.
async fn pictures_carry_the_request(world: &World, batch: &str, request: &Value) -> anyhow::Result<()> {
    let base = format!("/v1/batches/{batch}/hardware/{}/{}", request["item"], request["transaction"]);
    let get = async |path: String| world.coordinator.get_bytes(&path, &world.people.operator).await;
    let texts = frames_of_picture(&get(format!("{base}.png")).await?)?;
    assert_eq!(texts, [text(request, "ur")?]);
    let parts = frames_of_picture(&get(format!("{base}.gif?version=10")).await?)?;
    assert!(parts.len() > 1, "{parts:?}");
    assert!(get(format!("{base}.png?version=10")).await.is_err(), "one small code has no room for it");
    Ok(())
}

/// Two items: the first as text, then again, then another signature for it, a stranger's, and the second as a picture.
async fn the_device_signs_two(world: &World, batch: &str) -> anyhow::Result<()> {
    let asked = requests(world, batch).await?;
    assert_eq!(asked.len(), 2);
    pictures_carry_the_request(world, batch, &asked[0]).await?;
    let first = device(&asked[0], json!({}));
    let came = give(world, batch, &[&first]).await?;
    assert_eq!((verdicts(&came), text(&came, "state")?), (vec!["stored"], "exported"));
    let missing = list(&came, "missing")?;
    assert_eq!((missing.len(), &missing[0]["request_id"]), (1, &asked[1]["request_id"]));
    assert_eq!(requests(world, batch).await?[0]["signed"], true);

    assert_eq!(verdicts(&give(world, batch, &[&first]).await?), ["repeated"]);
    let another = device(&asked[0], json!({ "another": true }));
    let came = give(world, batch, &[&another]).await?;
    assert_eq!((verdicts(&came), &came["accepted"]), (vec!["rejected"], &json!(false)));
    let stranger = device(&asked[1], json!({ "private_key": format!("0x{}", "43".repeat(32)) }));
    let came = give(world, batch, &[&stranger]).await?;
    assert_eq!(verdicts(&came), ["rejected"], "{came}");
    assert!(came.to_string().contains("none of the source's keys"), "{came}");

    let second = device(&asked[1], json!({}));
    let picture = QrImage::encode(&second.to_uppercase(), FrameSize::new(20, Level::L)?)?.png(4)?;
    let path = format!("/v1/batches/{batch}/hardware");
    let operator = &world.people.operator;
    let came = world.coordinator.post_pictures(&path, operator, &[picture]).await?.success()?;
    assert_eq!((verdicts(&came), &came["missing"]), (vec!["stored"], &json!([])));
    assert_eq!(text(&came, "state")?, "signed");
    let came = give(world, batch, &[&first, &second]).await?;
    assert_eq!(verdicts(&came), ["repeated", "repeated"]);
    Ok(())
}

/// A folder of both files, on a machine without a vault, matched with the books.
async fn audited(world: &World, files: &[PathBuf]) -> anyhow::Result<()> {
    let directory = &world.stage.directory;
    let (roster, ledger) = (directory.join("roster.json"), directory.join("ledger.jsonl"));
    world.devices.alice.run(&["audit", "--save-roster", path(&roster)?]).await?.success()?;
    world.coordinator.run(&["ledger", "export", "--out", path(&ledger)?]).await?.success()?;
    let introduction = world.coordinator.run(&["introduction"]).await?.json()?;
    let folder = path(files[0].parent().unwrap())?.to_owned();
    let line = [
        "--home",
        "nobody",
        "audit",
        &folder,
        "--roster",
        path(&roster)?,
        "--coordinator",
        text(&introduction, "identity")?,
        "--ledger",
        path(&ledger)?,
    ];
    let line = line.map(str::to_owned);
    let report = process::run(&world.stage.binaries.signer, directory, &line).await?;
    println!("{}", report.stdout);
    assert_eq!(report.code, Some(0), "{report:?}");
    assert!(report.stdout.contains("hardware wallet 1a2b3c4d at m/44'/60'/0'/0/0"), "{}", report.stdout);
    assert!(report.stdout.contains("no journal stands behind it"), "{}", report.stdout);
    for changed in ["exported_at", "signatures", "signature"] {
        let text = std::fs::read_to_string(&files[0])?;
        let place = text.rfind("\"hardware\": ").unwrap();
        let place = text[place..].find(&format!("\"{changed}\": ")).unwrap() + place + changed.len() + 4;
        let mut bytes = text.into_bytes();
        let digit = bytes[place..].iter().position(u8::is_ascii_digit).unwrap() + place;
        bytes[digit] = if bytes[digit] == b'1' { b'2' } else { b'1' };
        let copy = directory.join("altered.json");
        std::fs::write(&copy, bytes)?;
        let refused = world.devices.alice.run_as_person(&["audit", path(&copy)?]).await?;
        assert_eq!(refused.code, Some(3), "{changed}: {refused:?}");
        assert!(refused.stdout.contains("hardware"), "{changed}: {}", refused.stdout);
    }
    Ok(())
}

async fn story(database: Database) -> anyhow::Result<()> {
    let mut world = World::open(Stage::for_test()?, database).await?;
    deposits::arrive(&world).await?;
    add_hardware_wallets(&mut world).await?;
    let asked = asked(&world).await?;
    let hot = world.wallets_on(Network::EVM_DEV)?.hot.to_string();
    let stranger = batch(&world, Network::EVM_DEV, &hot).await?;
    assert_eq!(refused(&stranger), (422, "no_hardware_wallet"));
    let mut batches = Vec::new();
    for network in [Network::EVM_DEV, Network::TRON_DEV] {
        let made = batch(&world, network, &wallet(network).0.to_string()).await?.success()?;
        assert_eq!(text(&made, "source")?, wallet(network).0.to_string());
        batches.push(text(&made, "id")?.to_owned());
    }
    approved_and_sealed(&world, &batches[0], Some(&batches[1])).await?;
    no_signer_answers_for_it(&world, &batches[0]).await?;
    the_device_signs_two(&world, &batches[0]).await?;
    approved_and_sealed(&world, &batches[1], None).await?;
    let tron = requests(&world, &batches[1]).await?;
    let came = give(&world, &batches[1], &[&device(&tron[0], json!({}))]).await?;
    assert_eq!(text(&came, "state")?, "signed", "{came}");

    let before = vec![BaseUnits::ZERO; asked.len()];
    settlement::complete(&world, &asked).await?;
    for (one, had) in asked.iter().zip(before) {
        settlement::paid_once(&world, one, had).await?;
    }
    let exported = Exported { withdrawals: asked, batches, bundle: String::new(), words: String::new() };
    audited(&world, &audit::keep(&world, &exported).await?).await?;
    books::balance(&world).await?;
    world.coordinator.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardware_wallet_pays_on_sqlite() {
    if device_directory().is_some() {
        story(Database::Sqlite).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardware_wallet_pays_on_postgresql() {
    if device_directory().is_some() && Database::available().unwrap().contains(&Database::Postgres) {
        story(Database::Postgres).await.unwrap();
    }
}
