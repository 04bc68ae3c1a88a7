//! A signer with roster, pairing and policy, and a coordinator and approvers to send it batches.
//!
//! Used by every test of the signer. Keys come from fixed seeds; the vault's key derivation is at its
//! floor. A good bundle is one line; a test alters one thing in it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses the part it needs, and sound values")]

use airlock_shared::approval::Approval;
use airlock_shared::batch::{
    Asset, Content, Context, EvmContext, FeeLevel, Item, Kind, PolicyRef, TronContext, Wallet,
};
use airlock_shared::document::Document as _;
use airlock_shared::envelope::{Bundle, Envelope, Replies};
use airlock_shared::identity::{Custodian, Identity, Roster};
use airlock_shared::journal::Event;
use airlock_shared::policy::{
    Allowance, Approver, AssetPolicy, Bounds, FeeCaps, KindDestinations, Machine, NetworkPolicy,
    PayingWallet, Policy, Quorum, SignedPolicy, Window, WithdrawalsTo,
};
use airlock_shared::roles::approver;
use airlock_shared::wallet::Role;
use airlock_shared::{Address, BaseUnits, BatchId, ItemId, Network, PersonId, Profile};
use airlock_signer::home::Home;
use airlock_signer::journal::{Beside, Journal};
use airlock_signer::keys::Keyring;
use airlock_signer::policy;
use airlock_signer::records::Access;
use airlock_signer::secret::{Bip39Passphrase, Entropy, Passphrase};
use airlock_signer::session::{Ended, Refusal, Signer};
use airlock_signer::vault::{Coordinator, Device, KdfCost, PolicyPin, Root, Spending, Vault};
use ed25519_dalek::SigningKey;
use std::collections::BTreeMap;
use tempfile::TempDir;

pub const PASSPHRASE: &str = "a passphrase for tests";
pub const NOW: u64 = 1_763_640_000;

pub struct World {
    pub folder: TempDir,
    pub home: Home,
    pub now: u64,
    pub identity: Identity,
    pub keyring: Keyring,
    pub policy: Policy,
}

pub fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE.into()).ok().unwrap()
}

pub fn usdt(network: Network) -> Asset {
    Asset { contract: Some(Address::new(network, [0xd0; 20])), decimals: 6, symbol: "USDT".to_owned() }
}

pub fn units(usdt: u64) -> BaseUnits {
    BaseUnits::from(usdt * 1_000_000)
}

impl World {
    /// Everything at [`NOW`].
    pub fn new() -> Self {
        Self::at(NOW)
    }

    /// Everything made at `now`.
    pub fn at(now: u64) -> Self {
        Self::of(now, &[7; 32])
    }

    /// The same with the keys of another seed.
    pub fn of(now: u64, entropy: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::create(&folder.path().join("home")).unwrap();
        let entropy = Entropy::from_slice(entropy).unwrap();
        let spending = Spending::new(Root::mnemonic(entropy, Bip39Passphrase::none()));
        let keyring = Keyring::open(&spending).ok().unwrap();
        let mut device = Device::generate(person("alice"), Profile::Dev, now).unwrap();
        let identity = device.identity();
        device.roster = Roster::new(vec![Custodian { name: person("alice"), identity }], 1);
        device.fingerprint = Some(keyring.fingerprint());
        device.seed_digest = Some(keyring.seed_digest());
        let cost = KdfCost::new(KdfCost::MIN_MEMORY_KIB, 1).unwrap();
        let vault = Vault::create(device, &passphrase(), Some((&spending, &passphrase())), cost);
        let mut vault = vault.ok().unwrap();
        vault.device_mut().journal = Journal::begin(&home, vault.device()).unwrap();
        let policy = policy_of(&keyring);
        let world = Self { folder, home, now, identity, keyring, policy };
        world.pair(&mut vault);
        vault.store(&world.home).unwrap();
        world.install(&world.policy);
        world
    }

    fn pair(&self, vault: &mut Vault) {
        let coordinator = Identity::of(&key(9));
        let mut journal = Journal::open(&self.home, vault.device(), Access::Append).ok().unwrap();
        let event = Event::Paired { coordinator };
        journal.append(self.now, event, Beside::Nothing, vault.device()).unwrap();
        let paired = Coordinator { name: person("acme"), identity: coordinator, paired_at: self.now };
        vault.device_mut().journal = journal.anchor();
        vault.device_mut().coordinators.push(paired);
    }

    /// Puts a policy in force, as the command does.
    pub fn install(&self, policy: &Policy) {
        let mut vault = self.vault();
        let mut signed = SignedPolicy { policy: policy.clone(), signatures: Vec::new() };
        policy::sign(vault.device(), &mut signed).unwrap();
        let pin: PolicyPin = policy::accept(&self.home, vault.device(), &signed).unwrap();
        let mut journal = Journal::open(&self.home, vault.device(), Access::Append).ok().unwrap();
        let event = Event::PolicyInstalled { version: pin.version, digest: pin.digest };
        journal.append(self.now, event, Beside::Nothing, vault.device()).unwrap();
        vault.device_mut().journal = journal.anchor();
        vault.device_mut().policy = Some(pin);
        vault.store(&self.home).unwrap();
        policy::store(&self.home, &signed).unwrap();
    }

    /// Changes the policy's content and puts it in force under the next version.
    pub fn with_policy(&mut self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.policy);
        self.policy.version += 1;
        self.install(&self.policy);
    }

    pub fn vault(&self) -> Vault {
        Vault::load(&self.home, &passphrase()).ok().unwrap()
    }

    pub fn signer(&self) -> Signer {
        let lock = self.home.lock().unwrap();
        Signer::open(self.home.clone(), Some(lock), self.vault()).ok().unwrap()
    }

    pub fn hot(&self, network: Network) -> Wallet {
        wallet(&self.keyring, network, Role::Hot)
    }

    /// `count` withdrawals that the policy allows.
    pub fn content(&self, network: Network, count: usize) -> Content {
        let context = match network {
            Network::Tron { .. } => Context::Tron(TronContext {
                ref_block_bytes: [0x12, 0x34],
                ref_block_hash: [0xab; 8],
                expiration_ms: (self.now + 3_000) * 1_000,
                timestamp_ms: self.now * 1_000,
                fee_limit_sun: 30_000_000,
                permission_id: 0,
                lock_blocks: 0,
            }),
            Network::Evm { .. } => Context::Evm(EvmContext {
                gas_limit: 120_000,
                levels: vec![FeeLevel {
                    max_fee_per_gas_wei: 40_000_000_000,
                    max_priority_fee_per_gas_wei: 1_000_000_000,
                }],
                cancel: None,
            }),
        };
        Content {
            profile: Profile::Dev,
            batch_id: BatchId::from_bytes([0x11; 16]),
            kind: Kind::Withdrawal,
            network,
            created_at: self.now,
            expires_at: self.now + 3_600,
            creator: person("olga"),
            vault: self.identity.fingerprint(),
            source: Some(self.hot(network)),
            asset: usdt(network),
            context,
            items: items(network, count),
            policy: PolicyRef {
                name: self.policy.name.clone(),
                version: self.policy.version,
                digest: self.policy.digest(),
            },
            extensions: BTreeMap::new(),
        }
    }

    /// Sealed, with two approvals and the signer's head as it is.
    pub fn envelope(&self, content: Content) -> Envelope {
        let head = self.head();
        Envelope::seal(content.clone(), approvals(&content), vec![head], &key(9))
    }

    /// The same, sealed by a coordinator that has heard nothing of this journal yet: the receipts tell it all.
    pub fn first_envelope(&self, content: Content) -> Envelope {
        Envelope::seal(content.clone(), approvals(&content), Vec::new(), &key(9))
    }

    /// The journal head as an honest coordinator knows it.
    pub fn head(&self) -> airlock_shared::approval::SeenHead {
        let vault = self.vault();
        Journal::open(&self.home, vault.device(), Access::Read).ok().unwrap().seen_head(self.identity)
    }

    /// The newest entry of the journal, as the signer signed it.
    pub fn newest_entry(&self) -> airlock_shared::journal::Entry {
        let vault = self.vault();
        let journal = Journal::open(&self.home, vault.device(), Access::Read).ok().unwrap();
        journal.entries().last().unwrap().clone()
    }

    /// One batch in a bundle, in binary.
    pub fn bundle(&self, content: Content) -> Vec<u8> {
        bundle(vec![self.envelope(content)])
    }

    /// Examines, confirms, signs.
    pub fn sign(&self, bytes: &[u8]) -> Result<Replies, String> {
        self.sign_at(bytes, self.now)
    }

    /// The same at another time.
    pub fn sign_at(&self, bytes: &[u8], now: u64) -> Result<Replies, String> {
        let mut signer = self.signer();
        let accountable = signer.examine(bytes, now).map_err(|examined| examined.refusal.code)?;
        let typed = airlock_shared::words::words(&accountable.words_digest());
        let reviewed = accountable.confirm(&typed).unwrap();
        signer.sign(reviewed, &self.keyring, now).map_err(|ended| match ended {
            Ended::Refused(refusal) => refusal.code,
            other => other.to_string(),
        })
    }

    /// What the disk holds; put it back with [`Self::roll_back`].
    pub fn disk(&self) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(self.home.root()).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    /// An old copy of the disk comes back.
    pub fn roll_back(&self, disk: &[(std::path::PathBuf, Vec<u8>)]) {
        disk.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    }

    /// Examines and refuses, as the command `sign` does; the refusal and the receipts.
    pub fn refuse_at(&self, bytes: &[u8], now: u64) -> (Refusal, Option<Replies>) {
        let mut signer = self.signer();
        let examined = signer.examine(bytes, now).err().unwrap();
        let refused = signer.refuse(*examined, now).ok().unwrap();
        (refused.refusal, refused.replies)
    }

    /// The refusal before review that these bytes meet.
    pub fn refusal(&self, bytes: &[u8]) -> Refusal {
        self.signer().examine(bytes, self.now).err().unwrap().refusal
    }

    /// The refusal of a good batch with one thing altered before it was approved and sealed.
    pub fn refusal_of(&self, network: Network, alter: impl FnOnce(&mut Content)) -> Refusal {
        let mut content = self.content(network, 3);
        alter(&mut content);
        self.refusal(&self.bundle(content))
    }
}

pub fn bundle(envelopes: Vec<Envelope>) -> Vec<u8> {
    Bundle { envelopes }.to_binary()
}

pub fn approvals(content: &Content) -> Vec<Approval> {
    let approve = |(name, seed)| approver::approve(content, person(name), None, &key(seed));
    [("carol", 3), ("dave", 4)].into_iter().map(approve).collect()
}

/// The same by everybody whom the policy names, as a reissue on a claim needs them.
pub fn all_approvals(content: &Content) -> Vec<Approval> {
    let mut approvals = approvals(content);
    approvals.push(approver::approve(content, person("erin"), None, &key(5)));
    approvals
}

/// The transaction ids that are known before signing: TRON's, item by item.
pub fn tx_ids(content: &Content) -> Vec<[u8; 32]> {
    let transactions = airlock_shared::roles::creator::transactions(content).unwrap();
    transactions.iter().flatten().filter_map(|unsigned| unsigned.tx_id()).collect()
}

pub fn wallet(keyring: &Keyring, network: Network, role: Role) -> Wallet {
    let address = keyring.account(network, role).ok().unwrap().address(0).unwrap();
    Wallet { role, index: 0, address }
}

pub fn paying(wallet: Wallet) -> PayingWallet {
    PayingWallet { wallet, permission_id: 0, hardware: None }
}

fn policy_of(keyring: &Keyring) -> Policy {
    let approver = |name, seed| Approver {
        person: person(name),
        device: Some(Identity::of(&key(seed))),
        passkeys: Vec::new(),
    };
    Policy {
        name: person("payments"),
        version: 1,
        profile: Profile::Dev,
        approvers: vec![approver("carol", 3), approver("dave", 4), approver("erin", 5)],
        approvals: Quorum { required: 2, independent: 2, reissue_independent: 3 },
        passkeys: None,
        bounds: Bounds {
            items_max: 1_000,
            bundle_max: 4,
            lifetime_max_seconds: 86_400,
            clock_ahead_max_seconds: 300,
            clock_jump_max_seconds: 90 * 86_400,
            item_behind_max: 10_000,
            item_ahead_max: 100_000,
            nonce_ahead_max: 1_000,
        },
        machine: Machine { network_interfaces: Allowance::Allowed, partial_sandbox: Allowance::Allowed },
        windows: Window::ALWAYS.to_vec(),
        networks: vec![network_policy(keyring, Network::EVM_DEV), network_policy(keyring, Network::TRON_DEV)],
    }
}

fn network_policy(keyring: &Keyring, network: Network) -> NetworkPolicy {
    let fees = match network {
        Network::Tron { .. } => FeeCaps::Tron { fee_limit_sun_max: 50_000_000 },
        Network::Evm { .. } => FeeCaps::Evm {
            gas_limit_max: 300_000,
            max_fee_per_gas_wei_max: 200_000_000_000,
            max_priority_fee_per_gas_wei_max: 5_000_000_000,
        },
    };
    let (hot, cold) = (wallet(keyring, network, Role::Hot), wallet(keyring, network, Role::Cold));
    NetworkPolicy {
        network,
        kinds: vec![Kind::Withdrawal, Kind::ColdToHot],
        wallets: vec![paying(hot), paying(cold)],
        assets: vec![AssetPolicy {
            asset: usdt(network),
            per_item_max: units(50_000),
            per_batch_max: units(100_000),
            per_day_max: units(150_000),
            passkeys_alone_max: BaseUnits::ZERO,
            first_seen_max: units(100_000),
            reissue_per_item_max: units(10_000),
            reissue_per_day_max: units(15_000),
        }],
        fees,
        withdrawals_to: WithdrawalsTo::Any,
        first_seen_delay_seconds: 86_400,
        destinations: vec![KindDestinations { kind: Kind::ColdToHot, addresses: vec![hot.address] }],
        denied: vec![Address::new(network, [0xee; 20])],
    }
}

fn items(network: Network, count: usize) -> Vec<Item> {
    let item = |number: usize| {
        let mut payload = [0x5a; 20];
        payload[..8].copy_from_slice(&(number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        Item {
            id: ItemId::new(1_000 + number as u64),
            destination: Address::new(network, payload),
            own: None,
            amount: BaseUnits::from((100 + 7_919 * (number as u64 + 1) % 900_000) * 10_000),
            account_nonce: matches!(network, Network::Evm { .. }).then_some(70 + number as u64),
            source: None,
            memo: Vec::new(),
            label: String::new(),
            reissue: None,
        }
    };
    (0..count).map(item).collect()
}
