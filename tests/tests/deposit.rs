//! Deposits on both chain families, from the transaction on the development chain to the user's balance.
//!
//! Every story runs on SQLite, and on PostgreSQL when `AIRLOCK_TEST_POSTGRES` names a server. Rounds are called, never waited
//! for. After each story the books are replayed and compared with the chains to the last base unit.

#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{Database, random_id};
use airlock_coordinator::deposits::{self, FollowError, address, store};
use airlock_coordinator::ledger::{self, verify};
use airlock_coordinator::people::create;
use airlock_coordinator::treasury::reconcile::reconcile;
use airlock_devnet::{ChainHandle, Devnet, DevnetConfig, Faults, ReorgTransactions};
use airlock_shared::hd::{AccountPath, MasterKey};
use airlock_shared::{Address, Network};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use std::collections::BTreeMap;

/// Selector of the router contract's `payTokenTwice(address,address,uint256,uint256)`.
const PAY_TOKEN_TWICE: &str = "80ba6ff3";

/// Selector of the router contract's `tryPayThenRevert(address,address,uint256)`.
const TRY_PAY_THEN_REVERT: &str = "502782df";

/// A coordinator that follows two chains, and one user with an address on each.
struct Scene {
    devnet: Devnet,
    app: App,
    config: String,
    user: String,
    tron_usdt: String,
    evm_usdt: String,
    tron_address: String,
    evm_address: String,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open(server: Option<&str>, providers: usize) -> Self {
        let mut chains = DevnetConfig::default();
        chains.tron.iter_mut().for_each(|chain| chain.providers = providers);
        chains.evm.iter_mut().for_each(|chain| chain.providers = providers);
        let devnet = Devnet::start(chains).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let url = match server {
            None => format!("sqlite:{}", dir.path().join("airlock.db").display()),
            Some(server) => fresh_postgres(server).await,
        };
        let tron_usdt = devnet.tron().deploy("TronUsdt", "1000000000000").unwrap();
        let evm_usdt = devnet.evm(0).deploy("UsdtLike", "1000000000000").unwrap();
        let config = settings(&devnet, &url, (&tron_usdt, 6), (&evm_usdt, 6));
        Database::open(&url, 1).await.unwrap().migrate(1).await.unwrap();
        let app = open_app(&config).await;
        app.chains.prove().await.unwrap();
        let partner = create::partner(&app.writer, "partner").await.unwrap();
        let user = create::user(&app.writer, &partner.id, "ann").await.unwrap().id;
        for (network, account) in [(Network::TRON_DEV, 24), (Network::EVM_DEV, 16)] {
            address::import(&app, export(network, account), &By::command_line()).await.unwrap();
        }
        let tron = address::give(&app, Network::TRON_DEV, &user, &By::command_line())
            .await
            .unwrap()
            .address
            .to_string();
        let evm = address::give(&app, Network::EVM_DEV, &user, &By::command_line())
            .await
            .unwrap()
            .address
            .to_string();
        let scene = Self {
            devnet,
            app,
            config,
            user,
            tron_usdt,
            evm_usdt,
            tron_address: tron,
            evm_address: evm,
            _dir: dir,
        };
        scene.follow().await;
        scene
    }

    fn tron(&self) -> &ChainHandle {
        self.devnet.tron()
    }

    fn evm(&self) -> &ChainHandle {
        self.devnet.evm(0)
    }

    async fn follow(&self) {
        deposits::run_pending(&self.app).await.unwrap();
    }

    /// The user's deposits as `asset amount state`, oldest block first.
    async fn deposits(&self) -> Vec<String> {
        self.deposits_if(|_| true).await
    }

    /// Those on one chain.
    async fn deposits_on(&self, chain: &ChainHandle) -> Vec<String> {
        self.deposits_if(|row| row.transfer.to.network().to_string() == chain.chain()).await
    }

    async fn deposits_if(&self, wanted: impl Fn(&store::DepositRow) -> bool) -> Vec<String> {
        let mut rows = store::newest_before(
            &mut self.app.db.reader().await.unwrap(),
            Some(&self.user),
            (i64::MAX, ""),
            100,
        )
        .await
        .unwrap();
        rows.retain(wanted);
        rows.sort_by_key(|row| (row.height, row.transfer.tx_id, row.transfer.ordinal));
        rows.iter().map(|row| format!("{} {} {}", row.asset, row.transfer.amount, row.state)).collect()
    }

    async fn balances(&self) -> BTreeMap<String, i64> {
        let mut db = self.app.db.reader().await.unwrap();
        let balances = ledger::store::balances_of(&mut db, &self.user).await.unwrap();
        balances.iter().map(|balance| (balance.asset.to_string(), balance.available.get())).collect()
    }

    async fn usdt(&self) -> i64 {
        self.balances().await.get("USDT").copied().unwrap_or(0)
    }

    /// Both chains: its handle, its network, its USDT and the user's address.
    fn parties(&self) -> [(&ChainHandle, Network, &String, &String); 2] {
        [
            (self.tron(), Network::TRON_DEV, &self.tron_usdt, &self.tron_address),
            (self.evm(), Network::EVM_DEV, &self.evm_usdt, &self.evm_address),
        ]
    }

    async fn cursor(&self, network: Network) -> store::Cursor {
        store::cursor(&mut self.app.db.reader().await.unwrap(), network).await.unwrap().unwrap()
    }

    async fn heights_credited_on(&self, network: Network) -> Vec<u64> {
        let rows = store::newest_before(
            &mut self.app.db.reader().await.unwrap(),
            Some(&self.user),
            (i64::MAX, ""),
            100,
        )
        .await
        .unwrap();
        let credited =
            rows.iter().filter(|row| row.transfer.to.network() == network && row.state.name() == "credited");
        credited.map(|row| row.height).collect()
    }

    /// The ledger agrees with itself and with the chains.
    async fn prove(&self) {
        let verified = verify::verify(&mut self.app.db.reader().await.unwrap()).await.unwrap();
        assert_eq!(verified.faults, Vec::<String>::new());
        for report in reconcile(&self.app).await.unwrap() {
            assert!(report.agrees(), "{report:#?}");
        }
    }
}

fn settings(devnet: &Devnet, url: &str, tron: (&str, u8), evm: (&str, u8)) -> String {
    format!(
        r#"
        [database]
        url = {url:?}
        [[network]]
        id = "tron:0xa1710c4b"
        providers = {tron_urls:?}
        provider_timeout_ms = 3000
        [network.native]
        asset = "TRX"
        decimals = 6
        [[network.token]]
        asset = "USDT"
        contract = "{tron}"
        decimals = {tron_decimals}
        [[network]]
        id = "eip155:31337"
        providers = {evm_urls:?}
        provider_timeout_ms = 3000
        [network.native]
        asset = "ETH"
        decimals = 18
        [[network.token]]
        asset = "USDT"
        contract = "{evm}"
        decimals = {evm_decimals}
        "#,
        tron_urls = devnet.tron().urls(),
        evm_urls = devnet.evm(0).urls(),
        tron = tron.0,
        tron_decimals = tron.1,
        evm = evm.0,
        evm_decimals = evm.1,
    )
}

async fn open_app(config: &str) -> App {
    App::open(Config::from_toml(config).unwrap(), Clock::System).await.unwrap()
}

fn export(network: Network, account: u32) -> address::XpubExport {
    let master = MasterKey::from_seed(&[7; 64]).unwrap();
    let path = AccountPath::on(network, account).unwrap();
    let key = master.account(path).unwrap().public();
    let json = json!({"format": "airlock xpub", "version": 1, "profile": "dev", "network": network,
        "path": path.to_string(), "xpub": key.to_string(), "fingerprint": "00112233", "identity": "ab".repeat(32),
        "first_address": key.address(network, 0, 0).unwrap().to_string()});
    address::XpubExport::read(json.to_string().as_bytes()).unwrap()
}

async fn fresh_postgres(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("airlock_{}", random_id().unwrap());
    let mut admin = sqlx::AnyConnection::connect(server).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let base = server.split('?').next().unwrap();
    let host = base.rfind('/').filter(|at| *at > base.find("//").unwrap() + 1).unwrap_or(base.len());
    format!("{}/{name}", &base[..host])
}

/// Tells one story on each database, with two providers of each chain.
fn on_each_database<S, F>(story: S)
where
    S: Fn(Scene) -> F,
    F: Future<Output = ()>,
{
    on_each_database_with(2, story);
}

fn on_each_database_with<S, F>(providers: usize, story: S)
where
    S: Fn(Scene) -> F,
    F: Future<Output = ()>,
{
    let server = std::env::var("AIRLOCK_TEST_POSTGRES").ok().filter(|url| !url.is_empty());
    let required = std::env::var("AIRLOCK_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(
        server.is_some() || !required,
        "AIRLOCK_REQUIRE_POSTGRES=1 but AIRLOCK_TEST_POSTGRES names no server"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        story(Scene::open(None, providers).await).await;
        if let Some(server) = server {
            story(Scene::open(Some(&server), providers).await).await;
        }
    });
}

#[test]
fn a_token_deposit_is_seen_then_final_then_credited_once_on_both_chains() {
    on_each_database(|scene| async move {
        scene.tron().transfer(Some(&scene.tron_usdt), &scene.tron_address, "1500000").unwrap();
        scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "2500000").unwrap();
        scene.tron().mine(1).unwrap();
        scene.evm().mine(1).unwrap();
        scene.follow().await;
        let mut seen = scene.deposits().await;
        seen.sort();
        assert_eq!(seen, ["USDT 1500000 seen", "USDT 2500000 seen"]);
        assert_eq!(scene.usdt().await, 0);
        scene.tron().mine_to_finality().unwrap();
        scene.evm().mine_to_finality().unwrap();
        for _ in 0..3 {
            scene.follow().await;
            assert_eq!(scene.usdt().await, 4_000_000);
        }
        scene.prove().await;
    });
}

#[test]
fn native_coins_are_recorded_as_themselves_to_the_last_base_unit() {
    on_each_database(|scene| async move {
        scene.tron().transfer(None, &scene.tron_address, "7000001").unwrap();
        scene.evm().transfer(None, &scene.evm_address, "1000000000000000007").unwrap();
        scene.tron().mine_to_finality().unwrap();
        scene.evm().mine_to_finality().unwrap();
        scene.follow().await;
        let balances = scene.balances().await;
        assert_eq!((balances["TRX"], balances["ETH"]), (7_000_001, 1_000_000_000));
        assert_eq!(scene.usdt().await, 0);
        scene.prove().await;
    });
}

#[test]
fn a_deposit_that_a_reorganisation_removes_is_withdrawn_visibly_and_may_come_back() {
    on_each_database(|scene| async move {
        for (chain, token, to) in [
            (scene.tron(), &scene.tron_usdt, &scene.tron_address),
            (scene.evm(), &scene.evm_usdt, &scene.evm_address),
        ] {
            chain.transfer(Some(token), to, "5000000").unwrap();
            chain.mine(1).unwrap();
            scene.follow().await;
            assert_eq!(scene.deposits_on(chain).await, ["USDT 5000000 seen"]);
            chain.reorg_with(1, 2, ReorgTransactions::Pool).unwrap();
            scene.follow().await;
            assert_eq!(scene.deposits_on(chain).await, ["USDT 5000000 orphaned"]);
            assert_eq!(scene.usdt().await, 0);
            chain.mine(1).unwrap();
            scene.follow().await;
            assert_eq!(scene.deposits_on(chain).await, ["USDT 5000000 seen"]);
        }
        scene.tron().mine_to_finality().unwrap();
        scene.evm().mine_to_finality().unwrap();
        scene.follow().await;
        assert_eq!(scene.deposits().await, ["USDT 5000000 credited", "USDT 5000000 credited"]);
        assert_eq!(scene.usdt().await, 10_000_000);
        scene.prove().await;
    });
}

#[test]
fn with_one_provider_left_following_goes_on_and_the_credit_waits() {
    on_each_database(|scene| async move {
        scene.tron().set_faults(1, Faults { down: true, ..Faults::default() }).unwrap();
        scene.tron().transfer(Some(&scene.tron_usdt), &scene.tron_address, "1000000").unwrap();
        scene.tron().mine_to_finality().unwrap();
        scene.follow().await;
        assert_eq!(scene.deposits().await, ["USDT 1000000 confirming"]);
        assert_eq!(scene.usdt().await, 0);
        let mut db = scene.app.db.reader().await.unwrap();
        let cursor = store::cursor(&mut db, Network::TRON_DEV).await.unwrap().unwrap();
        assert_eq!(cursor.height, scene.tron().final_number());
        drop(db);
        scene.tron().set_faults(1, Faults::default()).unwrap();
        scene.follow().await;
        assert_eq!(scene.usdt().await, 1_000_000);
        scene.prove().await;
    });
}

#[test]
fn a_provider_that_answers_empty_hides_nothing() {
    on_each_database(|scene| async move {
        for chain in [scene.tron(), scene.evm()] {
            chain.set_faults(0, Faults { empty: true, ..Faults::default() }).unwrap();
        }
        scene.tron().transfer(Some(&scene.tron_usdt), &scene.tron_address, "1000000").unwrap();
        scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "1000000").unwrap();
        scene.tron().mine_to_finality().unwrap();
        scene.evm().mine_to_finality().unwrap();
        // With nobody to confirm, nothing is credited; whether it is read already depends on what the liar kept back.
        let _ = deposits::run_pending(&scene.app).await;
        assert_eq!(scene.usdt().await, 0);
        for chain in [scene.tron(), scene.evm()] {
            chain.set_faults(0, Faults::default()).unwrap();
        }
        scene.follow().await;
        assert_eq!(scene.usdt().await, 2_000_000);
        scene.prove().await;
    });
}

#[test]
fn a_deposit_that_the_first_provider_hides_is_disputed_and_credited_when_the_lie_ends() {
    on_each_database(|scene| async move {
        for (round, (chain, network, token, to)) in (1..).zip(scene.parties()) {
            chain.set_faults(0, Faults { hide_transfers: true, ..Faults::default() }).unwrap();
            chain.transfer(Some(token), to, "1000000").unwrap();
            chain.transfer(None, to, "5000000000").unwrap();
            chain.mine_to_finality().unwrap();
            for _ in 0..2 {
                let disputed = deposits::run_pending(&scene.app).await;
                assert!(
                    matches!(disputed, Err(FollowError::Contradicted { network: of, .. }) if of == network),
                    "{disputed:?}"
                );
            }
            let stopped = scene.cursor(network).await;
            let alerts =
                airlock_coordinator::alerts::open_of(&mut scene.app.db.reader().await.unwrap(), "", None, 10)
                    .await;
            let disputed: Vec<_> =
                alerts.unwrap().into_iter().filter(|alert| alert.kind == "chain.disputed").collect();
            assert_eq!(disputed.len(), round);
            assert!(disputed.iter().any(|alert| alert.subject == network.to_string()));
            chain.set_faults(0, Faults::default()).unwrap();
            scene.follow().await;
            let credited = scene.heights_credited_on(network).await;
            assert_eq!(credited.len(), 2);
            assert!(credited.iter().all(|height| *height > stopped.height));
            let cursor = scene.cursor(network).await;
            assert_eq!((cursor.height, cursor.compared_height), (chain.final_number(), cursor.height));
        }
        assert_eq!(scene.usdt().await, 2_000_000);
        scene.prove().await;
    });
}

#[test]
fn of_three_providers_the_two_that_agree_are_believed_and_nothing_waits() {
    on_each_database_with(3, |scene| async move {
        for (chain, network, token, to) in scene.parties() {
            for liar in 0..3 {
                let hide = |hide_transfers| Faults { hide_transfers, ..Faults::default() };
                chain.set_faults(liar, hide(true)).unwrap();
                chain.transfer(Some(token), to, "1000000").unwrap();
                chain.mine_to_finality().unwrap();
                scene.follow().await;
                assert_eq!(scene.heights_credited_on(network).await.len(), liar + 1);
                chain.set_faults(liar, hide(false)).unwrap();
            }
        }
        assert_eq!(scene.usdt().await, 6_000_000);
        scene.prove().await;
    });
}

#[test]
fn a_deposit_that_the_only_provider_left_hides_is_found_when_another_is_back() {
    on_each_database(|scene| async move {
        for (chain, network, token, to) in scene.parties() {
            let before = scene.cursor(network).await;
            chain.set_faults(0, Faults { down: true, ..Faults::default() }).unwrap();
            chain.set_faults(1, Faults { hide_transfers: true, ..Faults::default() }).unwrap();
            chain.transfer(Some(token), to, "1000000").unwrap();
            chain.transfer(None, to, "5000000000").unwrap();
            chain.mine_to_finality().unwrap();
            scene.follow().await;
            assert_eq!(scene.deposits_on(chain).await, Vec::<String>::new());
            let alone = scene.cursor(network).await;
            assert_eq!((alone.height, alone.compared_height), (chain.final_number(), before.compared_height));
            // The other is back: they differ, and nothing is called compared.
            chain.set_faults(0, Faults::default()).unwrap();
            let disputed = deposits::run_pending(&scene.app).await;
            assert!(matches!(disputed, Err(FollowError::Contradicted { .. })), "{disputed:?}");
            assert!(scene.cursor(network).await.compared_height < alone.height);
            // The lie ends, and the blocks that it hid something in are far below the cursor already.
            chain.set_faults(1, Faults::default()).unwrap();
            chain.mine(5).unwrap();
            scene.follow().await;
            assert_eq!(scene.heights_credited_on(network).await.len(), 2);
            let cursor = scene.cursor(network).await;
            assert_eq!((cursor.height, cursor.compared_height), (chain.final_number(), cursor.height));
        }
        assert_eq!(scene.usdt().await, 2_000_000);
        scene.prove().await;
    });
}

#[test]
fn fake_tokens_zero_values_and_failed_transfers_credit_nothing() {
    on_each_database(|scene| async move {
        for (chain, token, to) in [
            (scene.tron(), &scene.tron_usdt, &scene.tron_address),
            (scene.evm(), &scene.evm_usdt, &scene.evm_address),
        ] {
            let fake = chain.deploy("FakeUsdt", "1000000000000").unwrap();
            chain.transfer(Some(&fake), to, "9000000").unwrap();
            chain.transfer(Some(token), to, "0").unwrap();
            chain.mine(1).unwrap();
            // pause(): the next transfer is included and reverts.
            chain.call(token, "8456cb59", "0").unwrap();
            chain.mine(1).unwrap();
            chain.transfer(Some(token), to, "8000000").unwrap();
            chain.mine_to_finality().unwrap();
        }
        scene.follow().await;
        assert_eq!(scene.deposits().await, Vec::<String>::new());
        assert_eq!(scene.usdt().await, 0);
        scene.prove().await;
    });
}

#[test]
fn transfers_inside_a_foreign_call_count_by_their_logs() {
    on_each_database(|scene| async move {
        let chain = scene.evm();
        let router = chain.deploy("Router", "0").unwrap();
        chain.transfer(Some(&scene.evm_usdt), &router, "5000000").unwrap();
        chain.mine(1).unwrap();
        let word = |text: &str| {
            format!("{:0>64}", hex::encode(Address::parse(Network::EVM_DEV, text).unwrap().payload()))
        };
        let parties = format!("{}{}", word(&scene.evm_usdt), word(&scene.evm_address));
        chain
            .call(&router, &format!("{PAY_TOKEN_TWICE}{parties}{:064x}{:064x}", 1_000_000, 2_000_000), "0")
            .unwrap();
        chain.mine(1).unwrap();
        // The inner transfer is rolled back while the transaction succeeds: no log, no deposit.
        chain.call(&router, &format!("{TRY_PAY_THEN_REVERT}{parties}{:064x}", 500_000), "0").unwrap();
        chain.mine_to_finality().unwrap();
        scene.follow().await;
        assert_eq!(scene.deposits().await, ["USDT 1000000 credited", "USDT 2000000 credited"]);
        scene.prove().await;
    });
}

#[test]
fn whatever_is_wrong_with_the_first_provider_the_deposit_is_credited_once_it_heals() {
    on_each_database(|scene| async move {
        let faults = [
            Faults { down: true, ..Faults::default() },
            Faults { lag_blocks: 30, ..Faults::default() },
            Faults { rate_limited: true, ..Faults::default() },
            Faults { lite: true, ..Faults::default() },
            Faults { empty: true, for_requests: Some(5), ..Faults::default() },
        ];
        for (round, fault) in (1..).zip(faults) {
            scene.tron().set_faults(0, fault.clone()).unwrap();
            scene.evm().set_faults(0, fault).unwrap();
            scene.tron().transfer(Some(&scene.tron_usdt), &scene.tron_address, "1000000").unwrap();
            scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "1000000").unwrap();
            scene.tron().mine_to_finality().unwrap();
            scene.evm().mine_to_finality().unwrap();
            // It may fail and must not credit twice or falsely; healed, it must credit.
            let _ = deposits::run_pending(&scene.app).await;
            scene.tron().set_faults(0, Faults::default()).unwrap();
            scene.evm().set_faults(0, Faults::default()).unwrap();
            scene.follow().await;
            assert_eq!(scene.usdt().await, round * 2_000_000);
        }
        scene.prove().await;
    });
}

#[test]
fn a_final_block_that_changes_halts_the_network_and_nothing_is_credited() {
    on_each_database(|scene| async move {
        scene.evm().mine_to_finality().unwrap();
        scene.follow().await;
        let depth = scene.evm().head() - scene.evm().final_number() + 1;
        scene.evm().reorg(depth, ReorgTransactions::Drop).unwrap();
        scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "1000000").unwrap();
        scene.evm().mine_to_finality().unwrap();
        for _ in 0..2 {
            let halted = deposits::run_pending(&scene.app).await;
            assert!(
                matches!(halted, Err(FollowError::Halted { network: Network::EVM_DEV, .. })),
                "{halted:?}"
            );
        }
        let alerts =
            airlock_coordinator::alerts::open_of(&mut scene.app.db.reader().await.unwrap(), "", None, 10)
                .await;
        let alerts: Vec<_> = alerts.unwrap().into_iter().map(|alert| (alert.kind, alert.subject)).collect();
        assert_eq!(alerts, [("chain.halted".to_owned(), Network::EVM_DEV.to_string())]);
        assert_eq!(scene.usdt().await, 0);
    });
}

#[test]
fn reading_old_blocks_again_credits_nothing_twice() {
    on_each_database(|scene| async move {
        scene.tron().transfer(Some(&scene.tron_usdt), &scene.tron_address, "1000000").unwrap();
        scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "1000000").unwrap();
        scene.tron().mine_to_finality().unwrap();
        scene.evm().mine_to_finality().unwrap();
        scene.follow().await;
        let rewind = scene.app.writer.commit(|unit| {
            Box::pin(async move {
                sqlx::query("update chain_cursors set height = 0, block_id = ''").execute(unit.db()).await?;
                Ok::<_, ledger::LedgerError>(())
            })
        });
        rewind.await.unwrap();
        scene.follow().await;
        assert_eq!(scene.deposits().await, ["USDT 1000000 credited", "USDT 1000000 credited"]);
        assert_eq!(scene.usdt().await, 2_000_000);
        scene.prove().await;
    });
}

#[test]
fn two_coordinators_on_one_database_credit_once() {
    on_each_database(|scene| async move {
        let other = open_app(&scene.config).await;
        for round in 1..=3 {
            for _ in 0..4 {
                scene.evm().transfer(Some(&scene.evm_usdt), &scene.evm_address, "1000000").unwrap();
                scene.evm().mine(1).unwrap();
            }
            scene.evm().mine_to_finality().unwrap();
            // Whoever loses a race for a block says so and goes on next time.
            let _ = tokio::join!(deposits::run_pending(&scene.app), deposits::run_pending(&other));
            scene.follow().await;
            assert_eq!(scene.usdt().await, round * 4_000_000);
        }
        scene.prove().await;
    });
}

#[test]
fn a_hundred_requests_at_once_get_one_address() {
    on_each_database(|scene| async move {
        let partner = create::partner(&scene.app.writer, "another").await.unwrap();
        let user = create::user(&scene.app.writer, &partner.id, "bob").await.unwrap().id;
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (app, user) = (scene.app.clone(), user.clone());
            requests.spawn(async move {
                address::give(&app, Network::TRON_DEV, &user, &By::command_line()).await.unwrap().address
            });
        }
        let given = requests.join_all().await;
        assert!(given.iter().all(|address| *address == given[0]));
        assert_ne!(given[0].to_string(), scene.tron_address);
        scene.prove().await;
    });
}

#[tokio::test]
async fn decimals_that_differ_from_the_contracts_refuse_the_start() {
    let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("airlock.db").display());
    let tron = devnet.tron().deploy("TronUsdt", "1").unwrap();
    let evm = devnet.evm(0).deploy("UsdtLike", "1").unwrap();
    Database::open(&url, 1).await.unwrap().migrate(1).await.unwrap();
    for (tron_decimals, evm_decimals) in [(6, 18), (18, 6)] {
        let config = settings(&devnet, &url, (&tron, tron_decimals), (&evm, evm_decimals));
        let chains = airlock_coordinator::chain::Chains::new(
            Config::from_toml(&config).unwrap().networks.iter().map(|network| network.chain_settings()),
        );
        assert!(chains.unwrap().prove().await.unwrap_err().is_lie());
    }
}
