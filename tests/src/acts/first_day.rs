//! Act 2: a signer, its custodians and approvers; the first policy; pairing; wallets with money on them.
//!
//! Four homes of `airlock-signer`: alice holds the vault, bob is the second custodian, carol and dave approve. Policy
//! and pairing are confirmed by the eight words, computed here independently and compared with what the programs show.

use crate::chain::{Chain, Chains};
use crate::coordinator::Coordinator;
use crate::database::Database;
use crate::device::{Device, KDF_MEMORY_KIB, Kind, path};
use crate::policy;
use crate::stage::Stage;
use crate::world::{Devices, Wallets, list, text};
use airlock_shared::document::Document as _;
use airlock_shared::identity::Identity;
use airlock_shared::{Address, BaseUnits, Network, words};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::PathBuf;

/// What a hot wallet begins with: whole USDT, then native base units. The crooked numbers show that the books
/// keep what is below one unit of the ledger.
const HOT_USDT: u64 = 10_000;
const HOT_SUN: u64 = 2_000_000_123;
const HOT_WEI: u64 = 1_234_567_890_123_456_789;

/// What act 2 leaves behind.
pub struct Founded {
    /// The devices.
    pub devices: Devices,
    /// A coordinator that knows its signer and serves nobody yet.
    pub coordinator: Coordinator,
    /// Hot wallets, chain by chain.
    pub wallets: Vec<Wallets>,
}

/// Makes all of it.
///
/// # Errors
/// A program refuses.
pub async fn found(stage: &Stage, chains: &Chains, database: Database) -> anyhow::Result<Founded> {
    stage.narrator.act(2, "the first day: keys, people, policy, pairing");
    let devices = make_devices(stage).await?;
    let addresses = addresses(&devices.alice, chains).await?;
    let hot = hot_wallets(&addresses, chains)?;
    for (chain, wallet) in chains.all.iter().zip(&hot) {
        stage.narrator.figure(&format!("hot wallet on {}", chain.network), wallet);
    }
    let url = database.create(&stage.directory).await?;
    let settings = settings(chains, &addresses, &devices.alice).await?;
    let coordinator = Coordinator::prepare(stage, url, &settings).await?;
    pair(stage, &devices.alice, &coordinator).await?;
    install_policy(stage, chains, &hot, &devices, &coordinator).await?;
    import(stage, chains, &devices.alice, &addresses, &coordinator).await?;
    fund(stage, chains, &hot).await?;
    let wallets = chains.all.iter().zip(hot);
    let wallets =
        wallets.map(|(chain, hot)| Wallets { network: chain.network, hot, deposit: None }).collect();
    Ok(Founded { devices, coordinator, wallets })
}

async fn make_devices(stage: &Stage) -> anyhow::Result<Devices> {
    let nobody = || Kind::IdentityOnly { roster: Vec::new(), threshold: None };
    let bob = Device::init(stage, "bob", nobody()).await?;
    let alice =
        Device::init(stage, "alice", Kind::Vault { roster: vec![bob.custodian()], threshold: 2 }).await?;
    let custodians = vec![alice.custodian(), bob.custodian()];
    let approver = || Kind::IdentityOnly { roster: custodians.clone(), threshold: Some(2) };
    let carol = Device::init(stage, "carol", approver()).await?;
    let dave = Device::init(stage, "dave", approver()).await?;
    let tell = stage.narrator;
    tell.tell("Four devices: alice's holds the vault, bob is the second custodian, carol and dave approve.");
    tell.figure("roster", "alice and bob, both needed, pinned in the vault at its making");
    tell.figure(
        "key stretching",
        format_args!("Argon2id, {KDF_MEMORY_KIB} KiB, 1 pass: the least allowed, for speed here"),
    );
    for device in [&alice, &bob, &carol, &dave] {
        tell.figure(&format!("{}'s identity", device.name), &device.identity);
    }
    Ok(Devices { alice, bob, carol, dave })
}

/// What `addresses --json` prints for these networks.
async fn addresses(alice: &Device, chains: &Chains) -> anyhow::Result<Value> {
    let mut arguments = vec!["addresses".to_owned()];
    for chain in &chains.all {
        arguments.extend(["--network".to_owned(), chain.network.to_string()]);
    }
    arguments.extend(["--role".to_owned(), "hot".to_owned()]);
    alice.run(&arguments).await?.json().context("addresses")
}

fn wallet_on(addresses: &Value, network: Network) -> anyhow::Result<&Value> {
    let named = network.to_string();
    let found = list(addresses, "wallets")?.iter().find(|wallet| wallet["network"] == named);
    found.with_context(|| format!("no wallet on {named}"))
}

fn hot_wallets(addresses: &Value, chains: &Chains) -> anyhow::Result<Vec<Address>> {
    let of = |chain: &Chain| {
        let wallet = wallet_on(addresses, chain.network)?;
        Ok(Address::parse(chain.network, text(wallet, "address")?)?)
    };
    chains.all.iter().map(of).collect()
}

/// The coordinator's `[[network]]` blocks.
async fn settings(chains: &Chains, addresses: &Value, alice: &Device) -> anyhow::Result<String> {
    let identity = alice.run(&["identity"]).await?.json()?;
    let fingerprint = text(&identity, "vault")?;
    let mut blocks = String::new();
    for chain in &chains.all {
        let wallet = wallet_on(addresses, chain.network)?;
        blocks += &format!(
            "[[network]]\nid = \"{}\"\nproviders = {:?}\npoll_interval_ms = 50\n\n\
             [network.native]\nasset = \"{}\"\ndecimals = {}\n\n\
             [[network.token]]\nasset = \"USDT\"\ncontract = \"{}\"\ndecimals = 6\n\n\
             [network.token.withdrawal]\nfee = \"1\"\namount_min = \"2\"\namount_max = \"5000\"\n\n\
             [[network.wallet]]\nrole = \"hot\"\naddress = \"{}\"\npath = \"{}\"\nfingerprint = \"{fingerprint}\"\n\n",
            chain.network,
            chain.urls,
            chain.native(),
            chain.native_decimals(),
            chain.usdt,
            text(wallet, "address")?,
            text(wallet, "path")?,
        );
    }
    Ok(blocks)
}

/// Each side shows the same eight words before either believes the other.
async fn pair(stage: &Stage, alice: &Device, coordinator: &Coordinator) -> anyhow::Result<()> {
    let ours = coordinator.run(&["introduction"]).await?.success().context("introduction")?.stdout;
    let file = stage.directory.join("introduction-of-the-coordinator.json");
    std::fs::write(&file, format!("{}\n", ours.trim_end()))?;
    let introduced: Value = serde_json::from_str(&ours)?;
    let identity = |text: &str| Identity::from_hex(text).context("an identity");
    let digest = airlock_shared::envelope::pairing_digest(
        &identity(text(&introduced, "identity")?)?,
        &identity(&alice.identity)?,
    );
    let expected = words::words(&digest);

    let paired =
        alice.run(&["pair", path(&file)?, "--confirm", &expected]).await?.success().context("pair")?;
    ensure!(paired.stderr.contains(&expected), "the signer shows the words: {}", paired.stderr);
    let answer = stage.directory.join("introduction-of-the-signer.json");
    std::fs::write(&answer, format!("{}\n", paired.stdout.trim_end()))?;
    let known = coordinator.run(&["signer", "pair", path(&answer)?, "--confirm", &expected]).await?.json()?;
    ensure!(text(&known, "words")? == expected, "the coordinator shows the words: {known}");
    stage.narrator.tell("Signer and coordinator are paired; both screens showed, and people compared aloud:");
    stage.narrator.screen("both screens", &expected);
    Ok(())
}

/// Both custodians sign, the signer pins it, the coordinator learns it.
async fn install_policy(
    stage: &Stage,
    chains: &Chains,
    hot: &[Address],
    devices: &Devices,
    coordinator: &Coordinator,
) -> anyhow::Result<()> {
    let policy = policy::first(chains, hot, &[&devices.carol, &devices.dave])?;
    let file: PathBuf = stage.directory.join("policy.json");
    std::fs::write(&file, policy.to_json())?;
    let shown = words::words(&policy.policy.digest());

    let early = devices.alice.run(&["policy", "install", path(&file)?]).await?;
    ensure!(early.code != Some(0), "an unsigned policy must be refused: {early:?}");
    let mut screen = String::new();
    for custodian in [&devices.alice, &devices.bob] {
        let signing = custodian.run(&["policy", "sign", path(&file)?, "--confirm", &shown]).await?;
        screen = signing.success().with_context(|| format!("policy sign by {}", custodian.name))?.stderr;
    }
    devices.alice.run(&["policy", "install", path(&file)?]).await?.success().context("policy install")?;
    coordinator.run(&["policy", "import", path(&file)?]).await?.success().context("policy import")?;
    let tell = stage.narrator;
    tell.tell("The first policy, version 1, is signed by both custodians and in force. What they read:");
    tell.screen("custodian's screen", &screen);
    Ok(())
}

/// Deposit accounts as xpubs, and the wallets, to the coordinator.
async fn import(
    stage: &Stage,
    chains: &Chains,
    alice: &Device,
    addresses: &Value,
    coordinator: &Coordinator,
) -> anyhow::Result<()> {
    let file = stage.directory.join("wallets.json");
    std::fs::write(&file, addresses.to_string())?;
    coordinator.run(&["wallet", "import", path(&file)?]).await?.success().context("wallet import")?;
    for chain in &chains.all {
        let network = chain.network.to_string();
        let out = stage.directory.join(format!("xpub-{}", network.replace(':', "-")));
        alice.run(&["xpub", "--network", &network, "--out", path(&out)?]).await?.success().context("xpub")?;
        let exported = out.join("xpub.json");
        coordinator.run(&["xpub", "import", path(&exported)?]).await?.success().context("xpub import")?;
        let export: Value = serde_json::from_slice(&std::fs::read(&exported)?)?;
        stage.narrator.figure(&format!("deposit xpub {}", text(&export, "path")?), text(&export, "xpub")?);
    }
    stage
        .narrator
        .tell("Only deposit accounts leave as xpubs; hot wallets leave as addresses; no key ever leaves.");
    Ok(())
}

/// The company's money arrives at the hot wallets.
async fn fund(stage: &Stage, chains: &Chains, hot: &[Address]) -> anyhow::Result<()> {
    for (chain, wallet) in chains.all.iter().zip(hot) {
        let native = match chain.network {
            Network::Tron { .. } => BaseUnits::from(HOT_SUN),
            Network::Evm { .. } => BaseUnits::from(HOT_WEI),
        };
        let usdt = BaseUnits::from(HOT_USDT * 1_000_000);
        chain.fund(&wallet.to_string(), native).await?;
        chain.pay_usdt(&wallet.to_string(), usdt).await?;
        chain.mine(4).await?;
        ensure!(chain.usdt_of(&wallet.to_string()).await? == usdt, "the hot wallet has its USDT");
        stage.narrator.figure(
            &format!("funded on {}", chain.network),
            format_args!(
                "{} USDT, {} {}",
                usdt.to_decimal(6),
                native.to_decimal(chain.native_decimals()),
                chain.native()
            ),
        );
    }
    Ok(())
}
