//! Batches on both chain families: from queued withdrawals over a signer's reply to the chain's last word.
//!
//! The signer is played with real keys through shared's roles, so that the coordinator meets every kind of answer, honest or not.
//! Every story runs on SQLite, and on PostgreSQL when `AIRLOCK_TEST_POSTGRES` names a server. Rounds are called, never
//! waited for; after each story the books are replayed and compared with the chains to the last base unit.

#![allow(clippy::unwrap_used, clippy::panic)]

use airlock_coordinator::alerts;
use airlock_coordinator::app::App;
use airlock_coordinator::audit::By;
use airlock_coordinator::batches::accept::{self, Judged, Verdict};
use airlock_coordinator::batches::create::{self, Made};
use airlock_coordinator::batches::store::{self, Batch};
use airlock_coordinator::batches::{self, BatchError, approve, close, exchange, file, passkey};
use airlock_coordinator::clock::Clock;
use airlock_coordinator::config::Config;
use airlock_coordinator::db::{Database, random_id};
use airlock_coordinator::ledger::{Account, AssetCode, LedgerError, Posting, verify};
use airlock_coordinator::pairing;
use airlock_coordinator::partners::wallets;
use airlock_coordinator::people::{self as access, HOUSE, Reach, create as people};
use airlock_coordinator::treasury::reconcile::reconcile;
use airlock_coordinator::withdrawals::request::{self, Asked, Requester};
use airlock_coordinator::withdrawals::{self, WithdrawalError, approval, attempts};
use airlock_devnet::{ChainHandle, Devnet, DevnetConfig, Faults};
use airlock_shared::approval::digest_of;
use airlock_shared::approval::passkey::base64url;
use airlock_shared::batch::{Asset, Content, Context, Kind, Wallet};
use airlock_shared::document::{self, Document as _};
use airlock_shared::envelope::{
    ApprovalReply, Bundle, Introduction, Outcome, Receipt, Replies, Reply, pairing_digest, signatures_digest,
};
use airlock_shared::hd::MasterKey;
use airlock_shared::identity::{Custodian, CustodianSignature, Identity, IdentitySignature, Roster};
use airlock_shared::journal::{Chain, Entry, Event, Record};
use airlock_shared::policy::{
    Allowance, Approver, AssetPolicy, Bounds, FeeCaps, Machine, NetworkPolicy, Passkey, PasskeyTerms,
    PayingWallet, Policy, Quorum, SignedPolicy, UserVerification, Window, WithdrawalsTo,
};
use airlock_shared::roles::{approver, auditor, creator, signer};
use airlock_shared::wallet::{Role, key_path};
use airlock_shared::{Address, BaseUnits, Digest, MinorUnits, Network, PersonId, Profile, words};
use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde_json::{Value, json};
use sha2::Digest as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Selector of the tokens' `pause()`.
const PAUSE: &str = "8456cb59";
/// Every entry of a story's journal is of this second.
const JOURNAL_TIME: u64 = 1_000;

/// A signer with real keys and as much honesty as a story wants.
struct Signer {
    key: SigningKey,
    master: MasterKey,
    journal: Vec<Entry>,
}

impl Signer {
    fn new() -> Self {
        Self::of(9)
    }

    /// Another one for another byte.
    fn of(byte: u8) -> Self {
        let mut new = Self {
            key: SigningKey::from_bytes(&[byte; 32]),
            master: MasterKey::from_seed(&[byte - 2; 64]).unwrap(),
            journal: Vec::new(),
        };
        new.write(Event::Genesis { profile: Profile::Dev, roster: new.roster().digest(), terms: None });
        new
    }

    fn identity(&self) -> Identity {
        Identity::of(&self.key)
    }

    fn roster(&self) -> Roster {
        let custodian = Custodian { name: person("alice"), identity: self.identity() };
        Roster::new(vec![custodian], 1).unwrap()
    }

    fn hot(&self, network: Network) -> Address {
        let key = self.master.signing_key(key_path(network, Role::Hot, 0).unwrap()).unwrap();
        let public = airlock_shared::chain::signature::public_key(&key);
        Address::from_public_key(network, &public)
    }

    fn write(&mut self, event: Event) -> Entry {
        let entry = Entry::next(Chain::Journal, self.journal.last(), JOURNAL_TIME, event, &self.key);
        self.journal.push(entry.clone());
        entry
    }

    fn sign(&mut self, bundle: &Bundle) -> Replies {
        let replies = bundle.envelopes.iter().map(|envelope| {
            let content = &envelope.content;
            let (digest, approvals) = (content.digest(), digest_of(&envelope.approvals));
            let transactions = creator::transactions(content).unwrap();
            let ids = |item: usize| transactions[item].iter().filter_map(|one| one.tx_id()).collect();
            let record = Record::of(content, JOURNAL_TIME, ids).unwrap().digest();
            self.write(Event::Intent { content: digest, approvals, record });
            let source = content.source.unwrap();
            let path = key_path(content.network, source.role, source.index).unwrap();
            let key = self.master.signing_key(path).unwrap();
            let signatures: Vec<_> = transactions
                .iter()
                .flat_map(|levels| signer::sign_item(levels, source.address, &key).unwrap())
                .collect();
            let signed = signatures_digest(&signatures);
            let entry = self.write(Event::Signed { content: digest, signatures: signed });
            let known = envelope.heads.first().map_or(0, |head| head.sequence);
            let outcome = Outcome::Signed { signatures: signed };
            Reply { receipt: self.receipt(digest, approvals, outcome, entry, known), signatures }
        });
        Replies { replies: replies.collect() }
    }

    fn refuse(&mut self, bundle: &Bundle) -> Replies {
        let refuse = |envelope: &airlock_shared::envelope::Envelope| {
            let outcome = Outcome::Refused { code: "policy.kind".to_owned(), why: "not today".to_owned() };
            let entry = self.journal.last().unwrap().clone();
            let known = envelope.heads.first().map_or(0, |head| head.sequence);
            let digest = envelope.content.digest();
            let receipt = self.receipt(digest, digest_of(&envelope.approvals), outcome, entry, known);
            Reply { receipt, signatures: Vec::new() }
        };
        Replies { replies: bundle.envelopes.iter().map(refuse).collect() }
    }

    fn receipt(
        &self,
        content: Digest,
        approvals: Digest,
        outcome: Outcome,
        entry: Entry,
        known: u64,
    ) -> Receipt {
        let newer = self.journal.iter().filter(|one| one.sequence > known && one.sequence < entry.sequence);
        Receipt {
            content,
            approvals,
            outcome,
            highest_item: 0,
            highest_nonce: 0,
            time: 2_000,
            unacknowledged: newer.cloned().collect(),
            entry,
            signature: IdentitySignature::from_bytes([0; 64]),
        }
        .sign(&self.key)
    }
}

/// An operator, as rows name her.
fn olga() -> By {
    By { who: "operator:olga".to_owned(), ..By::command_line() }
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

fn asset(code: &str) -> AssetCode {
    code.parse().unwrap()
}

/// A coordinator on two chains with funded hot wallets, a paired signer, a policy, and a user with money.
struct Scene {
    devnet: Devnet,
    app: App,
    signer: Signer,
    approver: SigningKey,
    partner: String,
    user: String,
    tron_usdt: String,
    evm_usdt: String,
    config: String,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open(server: Option<&str>) -> Self {
        let devnet = Devnet::start(DevnetConfig::default()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let url = match server {
            None => format!("sqlite:{}", dir.path().join("airlock.db").display()),
            Some(server) => fresh_postgres(server).await,
        };
        let tron_usdt = devnet.tron().deploy("TronUsdt", "1000000000000").unwrap();
        let evm_usdt = devnet.evm(0).deploy("UsdtLike", "1000000000000").unwrap();
        let signer = Signer::new();
        let home = dir.path().join("home");
        let config = settings(&devnet, &url, home.to_str().unwrap(), &tron_usdt, &evm_usdt);
        Database::open(&url, 1).await.unwrap().migrate(1).await.unwrap();
        let app = open_app(&config).await;
        app.chains.prove().await.unwrap();
        let partner = people::partner(&app.writer, "partner").await.unwrap().id;
        people::person(&app.writer, "house", "olga", &access::Role::ALL.into_iter().collect()).await.unwrap();
        let user = people::user(&app.writer, &partner, "ann").await.unwrap().id;
        let approver = SigningKey::from_bytes(&[11; 32]);
        let scene =
            Self { devnet, app, signer, approver, partner, user, tron_usdt, evm_usdt, config, _dir: dir };
        scene.pair().await;
        scene.fund(Network::TRON_DEV, "TRX", "5000000000").await;
        scene.fund(Network::EVM_DEV, "ETH", "3000000000000000007").await;
        scene.give_user("first", 500_000_000).await;
        scene
    }

    fn chain(&self, network: Network) -> &ChainHandle {
        if network == Network::TRON_DEV { self.devnet.tron() } else { self.devnet.evm(0) }
    }

    fn usdt(&self, network: Network) -> &str {
        if network == Network::TRON_DEV { &self.tron_usdt } else { &self.evm_usdt }
    }

    async fn pair(&self) {
        self.admit(&self.signer, HOUSE).await;
    }

    /// Pairs a signer for a partner, with its policy and wallets.
    async fn admit(&self, signer: &Signer, partner: &str) {
        let introduction = Introduction {
            name: person("vault-1"),
            profile: Profile::Dev,
            identity: signer.identity(),
            roster: Some(signer.roster()),
        };
        let document = introduction.to_json().into_bytes();
        let wrong = pairing::pair(&self.app, &document, "eight other words", HOUSE, &olga()).await;
        assert!(matches!(wrong, Err(pairing::PairingError::Words { .. })));
        let ours = pairing::introduction(&self.app).unwrap().identity;
        let digest = pairing_digest(&ours, &signer.identity());
        for _ in 0..2 {
            pairing::pair(&self.app, &document, &words::words(&digest), partner, &olga()).await.unwrap();
        }
        let policy = self.policy_of(signer);
        let unsigned = SignedPolicy { signatures: Vec::new(), ..policy.clone() };
        let refused = pairing::import_policy(&self.app, &unsigned.to_binary(), &Reach::All, &olga()).await;
        assert!(matches!(refused, Err(pairing::PairingError::PolicyOfNobody { .. })));
        pairing::import_policy(&self.app, &policy.to_binary(), &Reach::All, &olga()).await.unwrap();
        let wallet = |network: Network| {
            json!({"network": network, "role": "hot", "index": 0,
                "path": key_path(network, Role::Hot, 0).unwrap().to_string(),
                "address": signer.hot(network).to_string()})
        };
        let wallets = json!({"format": "airlock addresses", "version": 1, "profile": "dev",
            "identity": signer.identity().to_string(), "wallets": BOTH.map(wallet)})
        .to_string();
        for _ in 0..2 {
            let by = olga();
            let known = pairing::import_wallets(&self.app, wallets.as_bytes(), &Reach::All, &by);
            assert_eq!(known.await.unwrap().len(), 2);
        }
    }

    fn policy_of(&self, signer: &Signer) -> SignedPolicy {
        let rules = |network: Network, fees: FeeCaps| NetworkPolicy {
            network,
            kinds: vec![Kind::Withdrawal],
            wallets: vec![PayingWallet {
                wallet: Wallet { role: Role::Hot, index: 0, address: signer.hot(network) },
                permission_id: 0,
                hardware: None,
            }],
            assets: vec![AssetPolicy {
                asset: Asset {
                    contract: Some(Address::parse(network, self.usdt(network)).unwrap()),
                    decimals: 6,
                    symbol: "USDT".to_owned(),
                },
                per_item_max: BaseUnits::from(100_000_000u64),
                per_batch_max: BaseUnits::from(1_000_000_000u64),
                per_day_max: BaseUnits::from(1_000_000_000u64),
                passkeys_alone_max: BaseUnits::ZERO,
                first_seen_max: BaseUnits::from(1_000_000_000u64),
                reissue_per_item_max: BaseUnits::from(100_000_000u64),
                reissue_per_day_max: BaseUnits::from(100_000_000u64),
            }],
            fees,
            withdrawals_to: WithdrawalsTo::Any,
            first_seen_delay_seconds: 0,
            destinations: Vec::new(),
            denied: Vec::new(),
        };
        let evm = FeeCaps::Evm {
            gas_limit_max: 300_000,
            max_fee_per_gas_wei_max: 500_000_000_000,
            max_priority_fee_per_gas_wei_max: 10_000_000_000,
        };
        let policy = Policy {
            name: person("payments"),
            version: 1,
            profile: Profile::Dev,
            approvers: vec![Approver {
                person: person("carol"),
                device: Some(Identity::of(&self.approver)),
                passkeys: vec![carols_passkey()],
            }],
            approvals: Quorum { required: 1, independent: 1, reissue_independent: 1 },
            passkeys: Some(PasskeyTerms {
                rp_id: "localhost".to_owned(),
                origins: vec![ORIGIN.to_owned()],
                user_verification: UserVerification::Required,
            }),
            bounds: Bounds {
                items_max: 100,
                bundle_max: 4,
                lifetime_max_seconds: 43_200,
                clock_ahead_max_seconds: 300,
                clock_jump_max_seconds: 90 * 86_400,
                item_behind_max: 10_000,
                item_ahead_max: 100_000,
                nonce_ahead_max: 1_000,
            },
            machine: Machine { network_interfaces: Allowance::Allowed, partial_sandbox: Allowance::Allowed },
            windows: Window::ALWAYS.to_vec(),
            networks: vec![
                rules(Network::EVM_DEV, evm),
                rules(Network::TRON_DEV, FeeCaps::Tron { fee_limit_sun_max: 100_000_000 }),
            ],
        };
        let signature = IdentitySignature::by(&signer.key, &policy.digest());
        let mut signed = SignedPolicy { policy, signatures: Vec::new() };
        signed.add(CustodianSignature { custodian: signer.identity(), signature });
        signed
    }

    /// Native coin and 1,000 USDT for a hot wallet, on chain and as capital in the books.
    async fn fund(&self, network: Network, native: &str, amount: &str) {
        self.fund_wallet(self.signer.hot(network), native, amount).await;
    }

    async fn fund_wallet(&self, wallet: Address, native: &str, amount: &str) {
        let network = wallet.network();
        let chain = self.chain(network);
        chain.fund(&wallet.to_string(), amount).unwrap();
        chain.transfer(Some(self.usdt(network)), &wallet.to_string(), "1000000000").unwrap();
        chain.mine_to_finality().unwrap();
        for (code, amount) in [(native, amount), ("USDT", "1000000000")] {
            let (code, amount) = (asset(code), amount.parse::<BaseUnits>().unwrap());
            let reference = format!("{wallet}/{network}/{code}");
            self.post(Posting::new("opening_capital", reference).base(
                Account::reserve(wallet, &code),
                Account::Capital(code.clone()),
                amount,
            ))
            .await;
        }
    }

    async fn give_user(&self, reference: &str, amount: i64) {
        let to = Account::available(&self.user, &asset("USDT"));
        let from = Account::Capital(asset("USDT"));
        self.post(Posting::new("gift", reference).minor(from, to, MinorUnits::new(amount))).await;
    }

    async fn post(&self, posting: Posting) {
        let posted: Result<(), LedgerError> =
            self.app.writer.commit(move |unit| Box::pin(async move { unit.post(posting).await })).await;
        posted.unwrap();
    }

    /// Requests and approves a withdrawal; its id.
    async fn withdraw(&self, network: Network, last: u8, amount: &str) -> String {
        let to = Address::new(network, [last; 20]);
        let asked = Asked {
            network: network.to_string(),
            asset: "USDT".to_owned(),
            to: to.to_string(),
            amount: amount.to_owned(),
            memo: None,
            quote: None,
        };
        let terms = request::check(&self.app.config, &asked).unwrap();
        let by = self.user_acts();
        let asks = Requester { partner: self.partner.clone(), user: self.user.clone(), by };
        let work = async move |unit: &mut airlock_coordinator::ledger::Unit| {
            let made = request::request(unit, &asks, terms).await?;
            approval::approve(unit, &made, 1, "olga", &olga()).await?;
            Ok::<_, withdrawals::WithdrawalError>(made.id)
        };
        self.app.writer.commit(move |unit| Box::pin(async move { work(unit).await })).await.unwrap()
    }

    fn user_acts(&self) -> By {
        By { who: format!("user:{}", self.user), tenant: self.partner.clone(), ..By::command_line() }
    }

    async fn try_batch(&self, network: Network) -> Result<Made, BatchError> {
        self.try_batch_of(network, HOUSE).await
    }

    async fn try_batch_of(&self, network: Network, partner: &str) -> Result<Made, BatchError> {
        let (asset, partner) = (asset("USDT"), partner.to_owned());
        let request = create::Request { network, asset, items_max: None, partner, hardware: None };
        create::create(&self.app, &request, "olga", &olga()).await
    }

    async fn batch(&self, network: Network) -> Batch {
        self.try_batch(network).await.unwrap().batch
    }

    async fn approve(&self, batch: &Batch) {
        let request = approve::request(&mut self.app.db.reader().await.unwrap(), batch).await.unwrap();
        let approval = approver::approve(&request.content, person("carol"), None, &self.approver);
        let reply = ApprovalReply { content: request.content.digest(), approval };
        for _ in 0..2 {
            let given =
                approve::accept(&self.app, &batch.id, vec![reply.to_binary()], &olga()).await.unwrap();
            assert_eq!(given.len(), 1);
        }
    }

    /// Batches of what is queued on these networks, approved and sealed together.
    async fn export(&self, networks: &[Network]) -> Bundle {
        let mut ids = Vec::new();
        for network in networks {
            let batch = self.batch(*network).await;
            self.approve(&batch).await;
            ids.push(batch.id);
        }
        let sealed = exchange::seal(&self.app, ids.clone(), &olga()).await.unwrap();
        let again = exchange::seal(&self.app, ids, &olga()).await.unwrap();
        assert_eq!(sealed.bundle.to_binary(), again.bundle.to_binary());
        sealed.bundle
    }

    async fn accept(&self, replies: &Replies) -> Vec<Judged> {
        accept::accept(&self.app, vec![replies.to_binary()], &Reach::All, &olga()).await.unwrap()
    }

    async fn accept_one(&self, reply: Reply) -> Judged {
        self.accept(&Replies { replies: vec![reply] }).await.remove(0)
    }

    /// Lets an exported bundle's time run out and drops its batches.
    async fn drop_expired(&mut self, bundle: &Bundle) {
        let content = &bundle.envelopes[0].content;
        let end = i64::try_from(content.expires_at).unwrap() * 1_000;
        let config = Config::from_toml(&self.config).unwrap();
        let now = std::mem::replace(&mut self.app, App::open(config, Clock::set_at(end)).await.unwrap());
        for envelope in &bundle.envelopes {
            let id = envelope.content.batch_id.to_string();
            close::abandon(&self.app, &id, &olga(), "no answer came").await.unwrap();
        }
        self.app = now;
    }

    async fn cancel(&self, id: &str) -> Result<(), WithdrawalError> {
        let (id, by) = (id.to_owned(), self.user_acts());
        let work = async move |unit: &mut airlock_coordinator::ledger::Unit| {
            let found = withdrawals::store::find(unit.db(), &id).await?.unwrap();
            approval::cancel(unit, &found, &by).await
        };
        self.app.writer.commit(move |unit| Box::pin(async move { work(unit).await })).await
    }

    async fn rounds(&self) {
        for _ in 0..2 {
            batches::run_pending(&self.app).await.unwrap();
        }
    }

    /// Sends, mines to finality and settles.
    async fn finish(&self) {
        self.rounds().await;
        for network in [Network::TRON_DEV, Network::EVM_DEV] {
            self.chain(network).mine(1).unwrap();
        }
        self.rounds().await;
        for network in [Network::TRON_DEV, Network::EVM_DEV] {
            self.chain(network).mine_to_finality().unwrap();
        }
        self.rounds().await;
    }

    async fn state(&self, withdrawal: &str) -> &'static str {
        let mut db = self.app.db.reader().await.unwrap();
        withdrawals::store::find(&mut db, withdrawal).await.unwrap().unwrap().state.name()
    }

    async fn batch_state(&self, content: &Content) -> &'static str {
        let mut db = self.app.db.reader().await.unwrap();
        store::of_content(&mut db, &content.digest()).await.unwrap().unwrap().state.name()
    }

    async fn alerts(&self) -> Vec<String> {
        let mut db = self.app.db.reader().await.unwrap();
        alerts::open_of(&mut db, "", None, 10).await.unwrap().into_iter().map(|alert| alert.kind).collect()
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

fn settings(devnet: &Devnet, url: &str, home: &str, tron: &str, evm: &str) -> String {
    let network = |id: &str, urls: &[String], native: &str, decimals: u8, usdt: &str| {
        format!(
            "[[network]]\nid = {id:?}\nproviders = {urls:?}\nprovider_timeout_ms = 3000\n\
             [network.native]\nasset = {native:?}\ndecimals = {decimals}\n\
             [[network.token]]\nasset = \"USDT\"\ncontract = {usdt:?}\ndecimals = 6\n\
             [network.token.withdrawal]\nfee = \"1\"\namount_min = \"2\"\namount_max = \"200\"\n"
        )
    };
    // Every EVM story signs a ladder of three fee levels at each nonce.
    format!(
        "home = {home:?}\n[database]\nurl = {url:?}\n{}{}[network.fees]\nfee_levels = 3\n",
        network("tron:0xa1710c4b", devnet.tron().urls(), "TRX", 6, tron),
        network("eip155:31337", devnet.evm(0).urls(), "ETH", 18, evm),
    )
}

async fn open_app(config: &str) -> App {
    App::open(Config::from_toml(config).unwrap(), Clock::System).await.unwrap()
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

/// Tells one story on each database.
fn on_each_database<S, F>(story: S)
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
        story(Scene::open(None).await).await;
        if let Some(server) = server {
            story(Scene::open(Some(&server)).await).await;
        }
    });
}

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];

#[test]
fn withdrawals_on_both_chains_are_paid_once_and_the_books_agree() {
    on_each_database(|mut scene| async move {
        let one = scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let two = scene.withdraw(Network::TRON_DEV, 0x22, "20.5").await;
        let three = scene.withdraw(Network::EVM_DEV, 0x23, "30").await;
        let bundle = scene.export(&BOTH).await;
        assert_eq!(scene.state(&one).await, "signing");
        let replies = scene.signer.sign(&bundle);
        let judged = scene.accept(&replies).await;
        assert!(judged.iter().all(|one| one.verdict == Verdict::Signed), "{judged:?}");
        let judged = scene.accept(&replies).await;
        assert!(judged.iter().all(|one| one.verdict == Verdict::Repeated), "{judged:?}");
        assert_eq!(scene.state(&three).await, "signed");
        scene.rounds().await;
        assert_eq!(scene.state(&three).await, "broadcasted");
        scene.finish().await;
        for (id, network, last, amount) in [
            (&one, Network::TRON_DEV, 0x21, "10000000"),
            (&two, Network::TRON_DEV, 0x22, "20500000"),
            (&three, Network::EVM_DEV, 0x23, "30000000"),
        ] {
            assert_eq!(scene.state(id).await, "completed");
            let to = Address::new(network, [last; 20]).to_string();
            let held = scene.chain(network).final_balance(&to, Some(scene.usdt(network))).unwrap();
            assert_eq!(held, amount);
        }
        scene.finish().await;
        scene.prove().await;
        assert_eq!(scene.alerts().await, Vec::<String>::new());
        for envelope in &bundle.envelopes {
            assert_eq!(scene.batch_state(&envelope.content).await, "completed");
        }
    });
}

#[test]
fn the_signed_batch_file_satisfies_an_auditor_who_has_only_two_fingerprints() {
    on_each_database(|mut scene| async move {
        scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let bundle = scene.export(&[Network::TRON_DEV]).await;
        let content = &bundle.envelopes[0].content;
        let mut db = scene.app.db.reader().await.unwrap();
        let batch = store::of_content(&mut db, &content.digest()).await.unwrap().unwrap();
        let early = file::signed_batch(&mut db, &batch).await;
        assert!(matches!(early, Err(BatchError::NotSigned { .. })));
        let mut replies = scene.signer.sign(&bundle);
        let reply = &mut replies.replies[0];
        // The auditor judges the batch at the time of the receipt, which the played signer leaves at the epoch.
        reply.receipt.time = content.created_at + 1;
        reply.receipt = reply.receipt.clone().sign(&scene.signer.key);
        scene.accept(&replies).await;
        let signed = file::signed_batch(&mut db, &batch).await.unwrap();
        let coordinator = pairing::introduction(&scene.app).unwrap().identity;
        let pins = auditor::Pins { roster: scene.signer.roster().digest(), coordinators: vec![coordinator] };
        let read = document::read(signed.to_json().as_bytes()).unwrap();
        let report = auditor::audit(&read, &pins).unwrap();
        assert_eq!((report.signatures, report.approvers.len()), (1, 1));
    });
}

#[test]
fn what_is_foreign_altered_or_by_another_is_rejected_item_by_item_and_changes_nothing() {
    on_each_database(|mut scene| async move {
        scene.withdraw(Network::EVM_DEV, 0x23, "30").await;
        scene.withdraw(Network::EVM_DEV, 0x24, "31").await;
        let bundle = scene.export(&[Network::EVM_DEV]).await;
        let content = &bundle.envelopes[0].content;
        let good = scene.signer.sign(&bundle).replies.remove(0);
        let resigned = |reply: Reply| Reply { receipt: reply.receipt.sign(&scene.signer.key), ..reply };
        let with_signatures = |signatures: Vec<_>| {
            let mut reply = Reply { signatures, ..good.clone() };
            reply.receipt.outcome = Outcome::Signed { signatures: signatures_digest(&reply.signatures) };
            resigned(reply)
        };

        let mut foreign = good.clone();
        foreign.receipt.content = Digest::ZERO;
        let mut unsigned = good.clone();
        unsigned.receipt.highest_item += 1;
        let mut other_approvals = good.clone();
        other_approvals.receipt.approvals = Digest::ZERO;
        let mut stranger = good.clone();
        let other_key = SigningKey::from_bytes(&[13; 32]);
        stranger.receipt.entry =
            Entry::next(Chain::Journal, None, 1, good.receipt.entry.event.clone(), &other_key);
        stranger.receipt = stranger.receipt.sign(&other_key);
        let cases = [
            ("no batch", resigned(foreign)),
            ("not signed by the signer", unsigned),
            ("other approvals", resigned(other_approvals)),
            ("is not paired", stranger),
            ("not those of the receipt", Reply { signatures: good.signatures[..1].to_vec(), ..good.clone() }),
            ("journal entry", with_signatures(good.signatures[..1].to_vec())),
            ("journal entry", with_signatures(good.signatures.iter().rev().copied().collect())),
        ];
        for (why, reply) in cases {
            let judged = scene.accept_one(reply).await;
            assert!(judged.verdict == Verdict::Rejected && judged.why.contains(why), "{why}: {judged:?}");
            assert_eq!(scene.batch_state(content).await, "exported");
        }
        assert_eq!(scene.accept_one(good).await.verdict, Verdict::Signed);
        scene.finish().await;
        scene.prove().await;
    });
}

#[test]
fn a_signature_for_another_transaction_is_found_by_recovering_its_address() {
    on_each_database(|mut scene| async move {
        scene.withdraw(Network::EVM_DEV, 0x23, "30").await;
        scene.withdraw(Network::EVM_DEV, 0x24, "31").await;
        let bundle = scene.export(&[Network::EVM_DEV]).await;
        let mut good = scene.signer.sign(&bundle).replies.remove(0);
        // The signer's own journal says so, but the signatures stand at each other's items.
        good.signatures.reverse();
        let signatures = signatures_digest(&good.signatures);
        let content = good.receipt.content;
        scene.signer.journal.pop();
        let entry = scene.signer.write(Event::Signed { content, signatures });
        let outcome = Outcome::Signed { signatures };
        let receipt = scene.signer.receipt(content, good.receipt.approvals, outcome, entry, 0);
        let judged = scene.accept_one(Reply { receipt, signatures: good.signatures }).await;
        assert!(judged.verdict == Verdict::Rejected && judged.why.contains("item 0"), "{judged:?}");
    });
}

#[test]
fn a_forked_journal_suspends_its_signer_and_raises_an_alert() {
    on_each_database(|mut scene| async move {
        scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let first = scene.export(&[Network::TRON_DEV]).await;
        let replies = scene.signer.sign(&first);
        scene.accept(&replies).await;
        scene.withdraw(Network::TRON_DEV, 0x22, "20").await;
        let second = scene.export(&[Network::TRON_DEV]).await;
        assert_eq!(second.envelopes[0].heads.len(), 1);
        // A vault restored from an old image: its journal lacks the first batch.
        scene.signer.journal.truncate(1);
        let replies = scene.signer.sign(&second);
        let judged = scene.accept(&replies).await.remove(0);
        assert_eq!(judged.verdict, Verdict::SignerSuspended, "{judged:?}");
        assert_eq!(scene.alerts().await, ["signer.suspended"]);
        assert_eq!(scene.batch_state(&second.envelopes[0].content).await, "exported");
        scene.withdraw(Network::TRON_DEV, 0x23, "20").await;
        let next = scene.try_batch(Network::TRON_DEV).await;
        assert!(matches!(next, Err(BatchError::Suspended { .. })));
    });
}

#[test]
fn a_signed_refusal_queues_its_withdrawals_again_and_gives_their_nonces_back() {
    on_each_database(|mut scene| async move {
        let one = scene.withdraw(Network::EVM_DEV, 0x23, "30").await;
        let first = scene.export(&[Network::EVM_DEV]).await;
        let refusal = scene.signer.refuse(&first);
        let judged = scene.accept(&refusal).await.remove(0);
        assert_eq!(judged.verdict, Verdict::RefusedBySigner);
        assert!(judged.why.contains("policy.kind: not today"), "{judged:?}");
        assert_eq!(scene.state(&one).await, "queued");
        assert_eq!(scene.accept(&refusal).await[0].verdict, Verdict::Repeated);
        let second = scene.export(&[Network::EVM_DEV]).await;
        let nonce = |bundle: &Bundle| bundle.envelopes[0].content.items[0].account_nonce;
        assert_eq!(nonce(&first), nonce(&second));
        // Signatures for a batch that was refused come too late.
        let late = scene.signer.sign(&first);
        assert_eq!(scene.accept(&late).await[0].verdict, Verdict::Rejected);
        let replies = scene.signer.sign(&second);
        assert_eq!(scene.accept(&replies).await[0].verdict, Verdict::Signed);
        scene.finish().await;
        assert_eq!(scene.state(&one).await, "completed");
        scene.prove().await;
    });
}

#[test]
fn nonces_and_timestamps_of_batches_never_overlap() {
    on_each_database(|scene| async move {
        let mut nonces = Vec::new();
        let mut ranges = Vec::new();
        for last in 0x21..0x24 {
            for network in BOTH {
                scene.withdraw(network, last, "10").await;
                let batch = scene.batch(network).await;
                let mut db = scene.app.db.reader().await.unwrap();
                let content = store::content(&mut db, &batch.id).await.unwrap();
                nonces.extend(content.items.iter().filter_map(|item| item.account_nonce));
                if let Context::Tron(tron) = &content.context {
                    ranges.push((tron.timestamp_ms, tron.timestamp_ms + content.items.len() as u64));
                }
            }
        }
        assert_eq!(nonces, [0, 1, 2]);
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ranges:?}");
        // The database itself forbids what the code above never does.
        let source = scene.signer.hot(Network::TRON_DEV);
        let (first, end) = (ranges[2].0 as i64, ranges[2].1 as i64);
        for (from, to, previous) in [
            (first, end, Some(ranges[1].1 as i64)),
            (first - 1, end + 1, None),
            (end - 1, end + 5, Some(end)),
            (end, end, Some(end)),
            (end + 9, end + 10, Some(end + 1)),
        ] {
            let refused: Result<(), BatchError> = scene
                .app
                .writer
                .commit(move |unit| {
                    Box::pin(async move {
                        store::insert_timestamps(unit.db(), source, from, to, previous, "x").await
                    })
                })
                .await;
            assert!(refused.is_err(), "{from}..{to} after {previous:?}");
        }
    });
}

#[test]
fn a_withdrawal_that_fails_on_chain_waits_for_a_person_and_its_fee_is_booked() {
    on_each_database(|mut scene| async move {
        let ids = [
            scene.withdraw(Network::TRON_DEV, 0x21, "10").await,
            scene.withdraw(Network::EVM_DEV, 0x23, "30").await,
        ];
        let bundle = scene.export(&BOTH).await;
        let replies = scene.signer.sign(&bundle);
        scene.accept(&replies).await;
        for network in BOTH {
            scene.chain(network).call(scene.usdt(network), PAUSE, "0").unwrap();
            scene.chain(network).mine(1).unwrap();
        }
        scene.finish().await;
        for (id, envelope) in ids.iter().zip(&bundle.envelopes) {
            assert_eq!(scene.state(id).await, "queued");
            assert_eq!(scene.batch_state(&envelope.content).await, "failed");
            let left = scene.try_batch(envelope.content.network).await.unwrap_err();
            let BatchError::NothingDue { left_out } = left else { panic!("{left}") };
            assert!(left_out[0].why.contains("waits for a person"), "{left_out:?}");
            let mut db = scene.app.db.reader().await.unwrap();
            let tried = attempts::of_withdrawal(&mut db, id).await.unwrap();
            assert!(tried[0].state.name() == "failed_on_chain" && tried[0].fee_base.is_some());
        }
        scene.prove().await;
    });
}

#[test]
fn a_tron_transaction_that_expires_unseen_is_dead_only_by_the_final_chain() {
    on_each_database(|mut scene| async move {
        let id = scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let bundle = scene.export(&[Network::TRON_DEV]).await;
        let replies = scene.signer.sign(&bundle);
        scene.accept(&replies).await;
        let Context::Tron(tron) = &bundle.envelopes[0].content.context else { panic!("not TRON") };
        scene.rounds().await;
        let chain = scene.devnet.tron();
        chain.drop_from_pool(None);
        chain.set_time_ms(tron.expiration_ms as i64 + 3_000);
        chain.mine_empty(1).unwrap();
        scene.rounds().await;
        assert_eq!(scene.state(&id).await, "broadcasted");
        chain.mine_empty(30).unwrap();
        scene.rounds().await;
        assert_eq!(scene.state(&id).await, "queued");
        assert_eq!(scene.batch_state(&bundle.envelopes[0].content).await, "failed");
        scene.prove().await;
    });
}

#[test]
fn a_provider_that_lags_behind_hides_no_payment_and_settles_none_alone() {
    on_each_database(|mut scene| async move {
        let ids = [
            scene.withdraw(Network::TRON_DEV, 0x21, "10").await,
            scene.withdraw(Network::EVM_DEV, 0x23, "30").await,
        ];
        let bundle = scene.export(&BOTH).await;
        let replies = scene.signer.sign(&bundle);
        scene.accept(&replies).await;
        scene.rounds().await;
        for network in BOTH {
            let lags = Faults { lag_blocks: 30, ..Faults::default() };
            scene.chain(network).set_faults(0, lags).unwrap();
            scene.chain(network).mine_to_finality().unwrap();
        }
        // A while later, when nobody should still not know it.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let later = Clock::set_at(i64::try_from(now).unwrap() + 20_000);
        scene.app = App::open(Config::from_toml(&scene.config).unwrap(), later).await.unwrap();
        scene.rounds().await;
        for id in &ids {
            assert_eq!(scene.state(id).await, "confirming");
        }
        for network in BOTH {
            scene.chain(network).set_faults(0, Faults::default()).unwrap();
        }
        scene.finish().await;
        for id in &ids {
            assert_eq!(scene.state(id).await, "completed");
        }
        scene.prove().await;
    });
}

#[test]
fn drafts_expire_once_though_every_network_and_coordinator_sees_to_it() {
    on_each_database(|scene| async move {
        let mut ids = Vec::new();
        for network in BOTH {
            ids.push(scene.withdraw(network, 0x21, "10").await);
            scene.batch(network).await;
        }
        let config = || Config::from_toml(&scene.config).unwrap();
        let end = Clock::set_at(4_000_000_000_000);
        let one = App::open(config(), end.clone()).await.unwrap();
        let two = App::open(config(), end).await.unwrap();
        let rounds =
            tokio::join!(close::expire(&one), close::expire(&one), close::expire(&two), close::expire(&two));
        assert!(rounds.0.is_ok() && rounds.1.is_ok() && rounds.2.is_ok() && rounds.3.is_ok(), "{rounds:?}");
        for id in &ids {
            assert_eq!(scene.state(id).await, "queued");
        }
        scene.prove().await;
    });
}

#[test]
fn a_restart_between_any_two_steps_sends_the_same_bytes_again() {
    on_each_database(|mut scene| async move {
        let ids = [
            scene.withdraw(Network::TRON_DEV, 0x21, "10").await,
            scene.withdraw(Network::EVM_DEV, 0x23, "30").await,
        ];
        let bundle = scene.export(&BOTH).await;
        let replies = scene.signer.sign(&bundle);
        scene.accept(&replies).await;
        scene.rounds().await;
        for network in BOTH {
            scene.chain(network).drop_from_pool(None);
        }
        scene.app = open_app(&scene.config).await;
        // It was sent moments ago: forget that, as a long outage would.
        let mut db = scene.app.db.reader().await.unwrap();
        for envelope in &bundle.envelopes {
            let batch = store::of_content(&mut db, &envelope.content.digest()).await.unwrap().unwrap();
            for attempt in attempts::of_batch(&mut db, &batch.id).await.unwrap() {
                let noted: Result<(), BatchError> = scene
                    .app
                    .writer
                    .commit(move |unit| {
                        Box::pin(async move { store::note_sent(unit.db(), &attempt.id, "outage", 0).await })
                    })
                    .await;
                noted.unwrap();
            }
        }
        scene.finish().await;
        for id in ids {
            assert_eq!(scene.state(&id).await, "completed");
        }
        scene.prove().await;
    });
}

#[test]
fn an_exported_batch_is_abandoned_only_after_it_expired_and_a_draft_at_any_time() {
    on_each_database(|scene| async move {
        let one = scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let batch = scene.batch(Network::TRON_DEV).await;
        let ended = close::abandon(&scene.app, &batch.id, &olga(), "a mistake").await.unwrap();
        assert_eq!((ended.state.name(), scene.state(&one).await), ("abandoned", "queued"));
        let bundle = scene.export(&[Network::TRON_DEV]).await;
        let id = bundle.envelopes[0].content.batch_id.to_string();
        let early = close::abandon(&scene.app, &id, &olga(), "impatience").await;
        assert!(matches!(early, Err(BatchError::MayBeSigned { .. })));
        assert_eq!(scene.state(&one).await, "signing");
    });
}

#[test]
fn what_was_dropped_unanswered_is_not_given_back_and_late_signatures_are_taken_and_paid_once() {
    on_each_database(|mut scene| async move {
        let ids = [
            scene.withdraw(Network::EVM_DEV, 0x23, "30").await,
            scene.withdraw(Network::EVM_DEV, 0x24, "31").await,
        ];
        let bundle = scene.export(&[Network::EVM_DEV]).await;
        let replies = scene.signer.sign(&bundle);
        scene.drop_expired(&bundle).await;
        assert_eq!((scene.state(&ids[0]).await, scene.state(&ids[1]).await), ("queued", "queued"));
        // The signer has signed it: whoever has the signatures could pay what is given back here.
        let cancelled = scene.cancel(&ids[0]).await;
        assert!(matches!(cancelled, Err(WithdrawalError::MayBeSigned { .. })), "{cancelled:?}");
        // While another batch has its withdrawals, the answer has to wait, and people are told.
        let other = scene.batch(Network::EVM_DEV).await;
        let judged = scene.accept(&replies).await.remove(0);
        assert!(judged.verdict == Verdict::Rejected && judged.why.contains("not in the queue"), "{judged:?}");
        assert_eq!(scene.alerts().await, ["batch.late_signatures"]);
        close::abandon(&scene.app, &other.id, &olga(), "its items were signed before").await.unwrap();
        assert_eq!(scene.accept(&replies).await[0].verdict, Verdict::Signed);
        assert_eq!(scene.accept(&replies).await[0].verdict, Verdict::Repeated);
        assert_eq!(scene.state(&ids[1]).await, "signed");
        scene.finish().await;
        for id in &ids {
            assert_eq!(scene.state(id).await, "completed");
        }
        assert_eq!(scene.batch_state(&bundle.envelopes[0].content).await, "completed");
        scene.prove().await;
    });
}

#[test]
fn what_was_dropped_unanswered_is_given_back_once_the_signer_has_refused_it() {
    on_each_database(|mut scene| async move {
        for network in BOTH {
            let id = scene.withdraw(network, 0x23, "30").await;
            let bundle = scene.export(&[network]).await;
            scene.drop_expired(&bundle).await;
            assert!(matches!(scene.cancel(&id).await, Err(WithdrawalError::MayBeSigned { .. })));
            let refusal = scene.signer.refuse(&bundle);
            assert_eq!(scene.accept(&refusal).await[0].verdict, Verdict::RefusedBySigner);
            assert_eq!(scene.accept(&refusal).await[0].verdict, Verdict::Repeated);
            scene.cancel(&id).await.unwrap();
            assert_eq!(scene.state(&id).await, "cancelled");
            assert_eq!(scene.batch_state(&bundle.envelopes[0].content).await, "abandoned");
            // A refusal is final: signatures after it contradict it.
            let late = scene.signer.sign(&bundle);
            assert_eq!(scene.accept(&late).await[0].verdict, Verdict::Rejected);
        }
        scene.prove().await;
    });
}

#[test]
fn two_consoles_that_bring_the_same_reply_at_once_store_it_once() {
    on_each_database(|mut scene| async move {
        scene.withdraw(Network::EVM_DEV, 0x23, "30").await;
        let bundle = scene.export(&[Network::EVM_DEV]).await;
        let replies = scene.signer.sign(&bundle);
        let (one, two) = tokio::join!(scene.accept(&replies), scene.accept(&replies));
        let verdicts = [one[0].verdict, two[0].verdict];
        let expected = [Verdict::Signed, Verdict::Repeated];
        assert!(expected.iter().all(|verdict| verdicts.contains(verdict)), "{one:?} {two:?}");
        // A document that cannot be read refuses the upload before anything of it counts.
        let both = vec![replies.to_binary(), b"AIRL".to_vec()];
        assert!(accept::accept(&scene.app, both, &Reach::All, &olga()).await.is_err());
        scene.finish().await;
        scene.prove().await;
    });
}

#[test]
fn nothing_leaves_without_enough_approvals_and_the_creator_never_counts() {
    on_each_database(|scene| async move {
        scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let batch = scene.batch(Network::TRON_DEV).await;
        let early = exchange::seal(&scene.app, vec![batch.id.clone()], &olga()).await;
        assert!(matches!(early, Err(BatchError::Policy(_))));
        let request = approve::request(&mut scene.app.db.reader().await.unwrap(), &batch).await.unwrap();
        for name in ["olga", "mallory"] {
            let approval = approver::approve(&request.content, person(name), None, &scene.approver);
            let reply = ApprovalReply { content: batch.content_digest, approval };
            let refused = approve::accept(&scene.app, &batch.id, vec![reply.to_binary()], &olga()).await;
            assert!(matches!(refused, Err(BatchError::Approval(_))), "{name}");
        }
        scene.approve(&batch).await;
        exchange::seal(&scene.app, vec![batch.id], &olga()).await.unwrap();
    });
}

/// The page on which passkeys are used.
const ORIGIN: &str = "http://localhost:8380";

fn authenticator() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap()
}

fn carols_passkey() -> Passkey {
    let public_key = authenticator().verifying_key().to_sec1_point(false);
    Passkey { credential: vec![3; 16], public_key: public_key.as_bytes().try_into().unwrap() }
}

/// What a browser answers to `options`: the credential's `toJSON()`.
fn asserted(person: &str, options: &Value) -> passkey::PasskeyApproval {
    let client =
        json!({"type": "webauthn.get", "challenge": options["challenge"], "origin": ORIGIN}).to_string();
    let mut data = sha2::Sha256::digest(options["rpId"].as_str().unwrap()).to_vec();
    data.extend([5, 0, 0, 0, 1]);
    let signed = [&data[..], &sha2::Sha256::digest(&client)].concat();
    let signature: p256::ecdsa::Signature =
        authenticator().sign_prehash(&sha2::Sha256::digest(signed)).unwrap();
    let id = options["allowCredentials"][0]["id"].clone();
    serde_json::from_value(json!({"person": person, "credential": {
        "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
        "authenticatorAttachment": "platform",
        "response": {"clientDataJSON": base64url(client.as_bytes()), "authenticatorData": base64url(&data),
            "signature": base64url(signature.to_der().as_bytes()), "userHandle": null},
    }}))
    .unwrap()
}

#[test]
fn a_partner_with_a_signer_of_its_own_is_paid_from_its_own_wallets_only() {
    on_each_database(|mut scene| async move {
        let network = Network::TRON_DEV;
        let first = scene.withdraw(network, 0x21, "10").await;
        let mut own = Signer::of(19);
        scene.admit(&own, &scene.partner).await;
        // The house's wallets pay it no more, and say why.
        let Err(BatchError::NothingDue { left_out }) = scene.try_batch(network).await else { panic!() };
        assert_eq!(left_out.len(), 1);
        assert_eq!(left_out[0].withdrawal, first);
        assert!(left_out[0].why.contains("paid from its own wallets only"), "{left_out:?}");
        scene.fund_wallet(own.hot(network), "TRX", "5000000000").await;
        // A partner without a signer of its own is paid by the house, whatever stands before it in the queue.
        let other = people::partner(&scene.app.writer, "other").await.unwrap().id;
        let theirs = std::mem::replace(&mut scene.partner, other.clone());
        scene.user = people::user(&scene.app.writer, &other, "bob").await.unwrap().id;
        scene.give_user("second", 500_000_000).await;
        let second = scene.withdraw(network, 0x22, "11").await;
        let made = scene.try_batch(network).await.unwrap();
        assert_eq!((made.batch.partner.as_str(), made.batch.source), (HOUSE, scene.signer.hot(network)));
        assert_eq!(made.left_out.len(), 1);
        let mut db = scene.app.db.reader().await.unwrap();
        let paid = |db| attempts::of_batch(db, &made.batch.id);
        assert_eq!(paid(&mut db).await.unwrap()[0].withdrawal_id, second);
        // Its own batch pays it alone, from its own wallet, and tells nothing of others.
        let made = scene.try_batch_of(network, &theirs).await.unwrap();
        assert_eq!((made.batch.partner.as_str(), made.batch.source), (theirs.as_str(), own.hot(network)));
        assert_eq!((made.batch.signer, made.left_out), (own.identity(), vec![]));
        let items = attempts::of_batch(&mut db, &made.batch.id).await.unwrap();
        assert_eq!(items.iter().map(|item| &item.withdrawal_id).collect::<Vec<_>>(), [&first]);
        // A partner that has no signer has no wallet of its own to be paid from.
        let none = scene.try_batch_of(network, &other).await;
        assert!(matches!(none, Err(BatchError::NoWallet { .. })), "{none:?}");
        // What is its own is a missing thing for others.
        let foreign = Reach::Partner(other);
        for (reach, seen) in
            [(Reach::All, true), (Reach::Partner(theirs.clone()), true), (foreign.clone(), false)]
        {
            assert_eq!(store::within(&mut db, &reach, &made.batch.id).await.is_ok(), seen, "{reach:?}");
        }
        let listed = store::list(&mut db, &theirs, "", None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|batch| &batch.id).collect::<Vec<_>>(), [&made.batch.id]);
        drop(db);
        // Another partner's people bring an answer to it in vain; neither may they import its policy or wallets.
        scene.approve(&made.batch).await;
        let sealed = exchange::seal(&scene.app, vec![made.batch.id.clone()], &olga()).await.unwrap();
        let answer = own.sign(&sealed.bundle).to_binary();
        for (reach, batch, verdict) in [
            (&foreign, None, Verdict::Rejected),
            (&Reach::Partner(theirs.clone()), Some(&made.batch.id), Verdict::Signed),
        ] {
            let judged = accept::accept(&scene.app, vec![answer.clone()], reach, &olga()).await.unwrap();
            assert_eq!((judged[0].batch.as_ref(), judged[0].verdict), (batch, verdict), "{judged:?}");
        }
        let policy = scene.policy_of(&own).to_binary();
        let refused = pairing::import_policy(&scene.app, &policy, &foreign, &olga()).await;
        assert!(matches!(refused, Err(pairing::PairingError::PolicyOfNobody { .. })), "{refused:?}");
        // A signer never changes its partner.
        let introduction = Introduction {
            name: person("vault-1"),
            profile: Profile::Dev,
            identity: own.identity(),
            roster: Some(own.roster()),
        };
        let ours = pairing::introduction(&scene.app).unwrap().identity;
        let words = words::words(&pairing_digest(&ours, &own.identity()));
        let document = introduction.to_json().into_bytes();
        let moved = pairing::pair(&scene.app, &document, &words, HOUSE, &olga()).await;
        assert!(matches!(moved, Err(pairing::PairingError::Taken { .. })), "{moved:?}");
    });
}

#[test]
fn a_watched_wallet_shows_what_it_holds_at_a_final_block() {
    on_each_database(|scene| async move {
        let by = olga();
        for network in BOTH {
            let address = Address::new(network, [0x51; 20]);
            scene.chain(network).fund(&address.to_string(), "1500000").unwrap();
            scene
                .chain(network)
                .transfer(Some(scene.usdt(network)), &address.to_string(), "2500000")
                .unwrap();
            scene.chain(network).mine_to_finality().unwrap();
            let wanted = wallets::Wanted {
                network: network.to_string(),
                address: address.to_string(),
                role: wallets::Role::Cold,
                change: wallets::Change { label: Some("safe".to_owned()), ..wallets::Change::default() },
            };
            let wallet = wallets::add(&scene.app, &scene.partner, wanted, &by).await.unwrap();
            let settings = scene.app.config.network(network).unwrap();
            assert_eq!(wallets::watch::step(&scene.app, settings).await.unwrap(), 1);
            // Read just now: not again so soon.
            assert_eq!(wallets::watch::step(&scene.app, settings).await.unwrap(), 0);
            let mut db = scene.app.db.reader().await.unwrap();
            let read = wallets::store::readings(&mut db, &wallet.id).await.unwrap();
            let of = |what: &str| read.iter().find(|one| one.what == what).map(|one| one.amount.as_str());
            let native = settings.native.asset.to_string();
            assert_eq!((of("USDT"), of(&native)), (Some("2500000"), Some("1500000")), "{read:?}");
            assert_eq!(of("energy").is_some(), network == Network::TRON_DEV);
            assert!(read.iter().all(|one| one.at_ms > 0));
        }
    });
}

#[test]
fn a_passkey_approves_and_the_same_persons_device_counts_in_its_place() {
    on_each_database(|scene| async move {
        scene.withdraw(Network::TRON_DEV, 0x21, "10").await;
        let batch = scene.batch(Network::TRON_DEV).await;
        let accept = async |asserted: passkey::PasskeyApproval| {
            let reply = asserted.reply(&batch).unwrap();
            approve::accept_replies(&scene.app, &batch.id, vec![reply], &olga()).await
        };
        let mut reader = scene.app.db.reader().await.unwrap();
        let options = passkey::options(&mut reader, &batch, "carol").await.unwrap().unwrap();
        assert_eq!(options["challenge"], base64url(batch.content_digest.as_bytes()));
        assert!(passkey::options(&mut reader, &batch, "olga").await.unwrap().is_none());
        drop(reader);

        let mut elsewhere = options.clone();
        elsewhere["challenge"] = json!(base64url(&[7; 32]));
        for (person, options) in [("carol", &elsewhere), ("olga", &options), ("mallory", &options)] {
            let refused = accept(asserted(person, options)).await;
            assert!(matches!(refused, Err(BatchError::Approval(_))), "{person}: {refused:?}");
        }
        for _ in 0..2 {
            let given = accept(asserted("carol", &options)).await.unwrap();
            assert_eq!(given.iter().map(|one| one.proof.method()).collect::<Vec<_>>(), ["passkey"]);
        }
        // The policy asks for a device here; carol's own may still approve, and then counts.
        let early = exchange::seal(&scene.app, vec![batch.id.clone()], &olga()).await;
        assert!(matches!(early, Err(BatchError::Policy(_))));
        scene.approve(&batch).await;
        let given = accept(asserted("carol", &options)).await.unwrap();
        assert_eq!(given.iter().map(|one| one.proof.method()).collect::<Vec<_>>(), ["device"]);
        exchange::seal(&scene.app, vec![batch.id], &olga()).await.unwrap();
    });
}

#[test]
fn what_the_policy_would_refuse_is_left_out_and_holds_nobody_up() {
    on_each_database(|scene| async move {
        let one = scene.withdraw(Network::EVM_DEV, 0x21, "10").await;
        // The settings allow it, the policy's limit for one item is 100.
        let large = scene.withdraw(Network::EVM_DEV, 0x22, "150").await;
        let two = scene.withdraw(Network::EVM_DEV, 0x23, "20").await;
        let made = scene.try_batch(Network::EVM_DEV).await.unwrap();
        assert_eq!(made.batch.item_count, 2);
        assert_eq!(made.left_out[0].withdrawal, large);
        assert!(made.left_out[0].why.contains("policy.per_item_limit"), "{:?}", made.left_out);
        let states = [scene.state(&one).await, scene.state(&large).await, scene.state(&two).await];
        assert_eq!(states, ["processing", "queued", "processing"]);
        let mut db = scene.app.db.reader().await.unwrap();
        let content = store::content(&mut db, &made.batch.id).await.unwrap();
        let nonces: Vec<_> = content.items.iter().filter_map(|item| item.account_nonce).collect();
        assert_eq!(nonces, [0, 1]);
    });
}

#[test]
fn what_the_hot_wallet_cannot_pay_waits_in_order() {
    on_each_database(|scene| async move {
        scene.give_user("second", 1_000_000_000).await;
        let mut ids = Vec::new();
        for last in 0x21..0x2c {
            ids.push(scene.withdraw(Network::EVM_DEV, last, "100").await);
        }
        let made = scene.try_batch(Network::EVM_DEV).await.unwrap();
        assert_eq!(made.batch.item_count, 10);
        assert!(made.left_out[0].withdrawal == ids[10] && made.left_out[0].why.starts_with("hot_short"));
        // What the first batch will take is not there for a second one.
        let Err(BatchError::NothingDue { left_out }) = scene.try_batch(Network::EVM_DEV).await else {
            panic!("nothing is free");
        };
        assert_eq!(left_out[0].withdrawal, ids[10]);
        assert_eq!(scene.state(&ids[10]).await, "queued");
    });
}
