//! Starting and holding the chains: ports, mining tasks, and the Rust face of the control routes.
//!
//! [`Devnet::start`] binds every port before it returns, so the URLs work at once. Each chain sits behind one mutex that is never held
//! across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::chain::{Chain, ControlError, ReorgTransactions};
use crate::config::{DevnetConfig, Mining};
use crate::control::{self, Contents};
use crate::evm::EvmChain;
use crate::faults::Faults;
use crate::serve;
use crate::tron::TronChain;

/// Shortest mining interval.
const INTERVAL_MIN_MS: u64 = 10;
/// How often a chain without interval looks whether it was given one.
const IDLE_MS: u64 = 50;

/// The two families.
pub(crate) enum Family {
    /// TRON.
    Tron(Box<TronChain>),
    /// Ethereum-style.
    Evm(Box<EvmChain>),
}

impl Family {
    /// The control routes' view.
    pub(crate) fn chain(&mut self) -> &mut dyn Chain {
        match self {
            Self::Tron(chain) => chain.as_mut(),
            Self::Evm(chain) => chain.as_mut(),
        }
    }
}

/// One chain, its providers and their faults.
pub(crate) struct Shared {
    family: Mutex<Family>,
    providers: Mutex<Vec<Provider>>,
    interval_ms: Mutex<u64>,
}

struct Provider {
    url: String,
    faults: Faults,
}

/// A poisoned mutex means a request panicked half way; the state is still the devnet's best knowledge.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The chain, locked.
    pub(crate) fn family(&self) -> MutexGuard<'_, Family> {
        lock(&self.family)
    }

    /// The faults a request to this provider meets; counts down those that last for some requests only.
    pub(crate) fn meet_faults(&self, provider: usize) -> Faults {
        let mut providers = lock(&self.providers);
        let Some(entry) = providers.get_mut(provider) else {
            return Faults::default();
        };
        match entry.faults.for_requests {
            Some(0) => entry.faults = Faults::default(),
            Some(left) => entry.faults.for_requests = Some(left - 1),
            None => {}
        }
        entry.faults.clone()
    }

    /// Any control route.
    pub(crate) fn control(&self, route: &str, body: &Value) -> Result<Value, ControlError> {
        match route {
            "state" => Ok(self.state()),
            "faults" => {
                let provider = body.get("provider").and_then(Value::as_u64).unwrap_or(0);
                let faults = body.get("faults").cloned().unwrap_or_else(|| json!({}));
                let faults = serde_json::from_value(faults)
                    .map_err(|error| ControlError::Request(error.to_string()))?;
                self.set_faults(usize::try_from(provider).unwrap_or(usize::MAX), faults)?;
                Ok(json!({}))
            }
            "mining" => {
                let interval_ms = body.get("interval_ms").and_then(Value::as_u64);
                *lock(&self.interval_ms) =
                    interval_ms.ok_or_else(|| ControlError::Request("interval_ms is missing".to_owned()))?;
                Ok(json!({}))
            }
            other => control::run(self.family().chain(), other, body),
        }
    }

    fn state(&self) -> Value {
        let mut state = control::state(self.family().chain());
        let providers: Vec<Value> =
            lock(&self.providers).iter().map(|p| json!({ "url": p.url, "faults": p.faults })).collect();
        state.insert("providers".to_owned(), Value::Array(providers));
        state.insert("interval_ms".to_owned(), json!(*lock(&self.interval_ms)));
        Value::Object(state)
    }

    fn set_faults(&self, provider: usize, faults: Faults) -> Result<(), ControlError> {
        lock(&self.providers)
            .get_mut(provider)
            .map(|entry| entry.faults = faults)
            .ok_or(ControlError::Provider(provider))
    }

    async fn mine_by_interval(self: Arc<Self>) {
        loop {
            let interval_ms = *lock(&self.interval_ms);
            if interval_ms == 0 {
                tokio::time::sleep(Duration::from_millis(IDLE_MS)).await;
                continue;
            }
            tokio::time::sleep(Duration::from_millis(interval_ms.max(INTERVAL_MIN_MS))).await;
            self.family().chain().mine_one();
        }
    }
}

/// A running chain: its URLs and everything the control routes can do to it.
#[derive(Clone)]
pub struct ChainHandle {
    shared: Arc<Shared>,
    urls: Vec<String>,
}

impl ChainHandle {
    /// One base URL for each provider, without a trailing slash.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// URL of the control routes, without a trailing slash.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("{}/control", self.urls.first().map_or("", String::as_str))
    }

    /// CAIP-2 name.
    #[must_use]
    pub fn chain(&self) -> String {
        self.shared.family().chain().caip2()
    }

    /// EIP-155 chain id; for TRON the number its EVM-style APIs report.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.shared.family().chain().chain_id()
    }

    /// The devnet's own account, which owns every token's supply.
    #[must_use]
    pub fn deployer(&self) -> String {
        self.shared.family().chain().deployer()
    }

    /// Number of the last block.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.shared.family().chain().head().number
    }

    /// Number of the last final block.
    #[must_use]
    pub fn final_number(&self) -> u64 {
        self.shared.family().chain().head().final_number
    }

    /// Time of the last block, ms since 1970.
    #[must_use]
    pub fn head_time_ms(&self) -> i64 {
        self.shared.family().chain().head().time_ms
    }

    /// Ids of the pool's transactions.
    #[must_use]
    pub fn pool(&self) -> Vec<String> {
        self.shared.family().chain().pool()
    }

    /// Makes blocks of what the pool holds; the head afterwards.
    ///
    /// # Errors
    /// More than 100 000 blocks.
    pub fn mine(&self, blocks: u64) -> Result<u64, ControlError> {
        control::mine(self.shared.family().chain(), blocks, Contents::Pool)?;
        Ok(self.head())
    }

    /// Makes blocks without any transaction, as if no producer took what the pool holds; the head afterwards.
    ///
    /// # Errors
    /// More than 100 000 blocks.
    pub fn mine_empty(&self, blocks: u64) -> Result<u64, ControlError> {
        control::mine(self.shared.family().chain(), blocks, Contents::Nothing)?;
        Ok(self.head())
    }

    /// Makes as many blocks as bring everything mined so far to finality, and one.
    ///
    /// # Errors
    /// A finality depth above 100 000.
    pub fn mine_to_finality(&self) -> Result<u64, ControlError> {
        let depth = self.shared.family().chain().finality_depth();
        self.mine(depth.saturating_add(1))
    }

    /// Changes the mining mode.
    pub fn set_mining(&self, mining: Mining) {
        *lock(&self.shared.interval_ms) = interval(mining);
    }

    /// Stops the clock at this moment.
    pub fn set_time_ms(&self, at_ms: i64) {
        self.shared.family().chain().clock().set(at_ms);
    }

    /// Moves the clock.
    pub fn add_time_ms(&self, by_ms: i64) {
        self.shared.family().chain().clock().add(by_ms);
    }

    /// Changes how many blocks lie between head and final.
    pub fn set_finality_depth(&self, depth: u64) {
        self.shared.family().chain().set_finality_depth(depth);
    }

    /// Adds native coin at once, in every kept state; the new balance.
    ///
    /// # Errors
    /// A bad address or amount.
    pub fn fund(&self, address: &str, amount: &str) -> Result<String, ControlError> {
        let amount = control::amount(amount)?;
        self.shared.family().chain().fund(address, amount)
    }

    /// Deploys one of the known contracts at once, in every kept state; its address.
    ///
    /// # Errors
    /// An unknown contract or a failing constructor.
    pub fn deploy(&self, contract: &str, supply: &str) -> Result<String, ControlError> {
        let supply = control::amount(supply)?;
        self.shared.family().chain().deploy(contract, supply)
    }

    /// Puts a transfer by the deployer into the pool (no token: native coin); its id.
    ///
    /// # Errors
    /// A bad address or amount, or a transaction the node refuses.
    pub fn transfer(&self, token: Option<&str>, to: &str, amount: &str) -> Result<String, ControlError> {
        let amount = control::amount(amount)?;
        self.shared.family().chain().transfer(token, to, amount)
    }

    /// Puts a call by the deployer into the pool; its id. `data` is hex, `value` native base units.
    ///
    /// # Errors
    /// A bad address, hex or amount, or a transaction the node refuses.
    pub fn call(&self, contract: &str, data: &str, value: &str) -> Result<String, ControlError> {
        let (data, value) = (control::bytes(data)?, control::amount(value)?);
        self.shared.family().chain().call(contract, data, value)
    }

    /// Balance at the head (without the pool), native or of a token, in decimal base units.
    ///
    /// # Errors
    /// A bad address.
    pub fn balance(&self, address: &str, token: Option<&str>) -> Result<String, ControlError> {
        Ok(self.shared.family().chain().balance(address, token)?.0)
    }

    /// The same at the final block.
    ///
    /// # Errors
    /// A bad address.
    pub fn final_balance(&self, address: &str, token: Option<&str>) -> Result<String, ControlError> {
        Ok(self.shared.family().chain().balance(address, token)?.1)
    }

    /// Replaces the last `depth` blocks by as many empty ones.
    ///
    /// # Errors
    /// A depth of 0 or beyond the genesis.
    pub fn reorg(&self, depth: u64, transactions: ReorgTransactions) -> Result<(), ControlError> {
        self.reorg_with(depth, depth, transactions)
    }

    /// Replaces the last `depth` blocks by `replacement` empty ones.
    ///
    /// # Errors
    /// A depth of 0 or beyond the genesis.
    pub fn reorg_with(
        &self,
        depth: u64,
        replacement: u64,
        transactions: ReorgTransactions,
    ) -> Result<(), ControlError> {
        let mut family = self.shared.family();
        family.chain().reorg(depth, replacement, transactions)
    }

    /// Forgets one or all pool transactions; how many there were.
    pub fn drop_from_pool(&self, id: Option<&str>) -> usize {
        self.shared.family().chain().forget(id)
    }

    /// Replaces the faults of a provider.
    ///
    /// # Errors
    /// No such provider.
    pub fn set_faults(&self, provider: usize, faults: Faults) -> Result<(), ControlError> {
        self.shared.set_faults(provider, faults)
    }

    /// Changes a chain parameter (TRON: a `getchainparameters` key or `dynamicEnergyFactor`; EVM: `base_fee_wei` of the next block).
    ///
    /// # Errors
    /// No such parameter, or a value it cannot have.
    pub fn set_parameter(&self, key: &str, value: u64) -> Result<(), ControlError> {
        let mut family = self.shared.family();
        family.chain().change_parameter(key, &json!(value))
    }

    /// TRON: adds stake (sun) for `ENERGY` or `BANDWIDTH` at once, in every kept state.
    ///
    /// # Errors
    /// Not a TRON chain, a bad address, resource or amount.
    pub fn stake(&self, address: &str, resource: &str, amount: &str) -> Result<(), ControlError> {
        let amount = control::amount(amount)?;
        self.shared.family().chain().stake(address, resource, amount)
    }

    /// What the control route `state` answers.
    #[must_use]
    pub fn state(&self) -> Value {
        self.shared.state()
    }
}

impl std::fmt::Debug for ChainHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainHandle").field("urls", &self.urls).finish()
    }
}

/// The running chains. Dropping it closes their ports.
#[derive(Debug)]
pub struct Devnet {
    tron: Option<ChainHandle>,
    evm: Vec<ChainHandle>,
    tasks: Vec<JoinHandle<()>>,
}

impl Devnet {
    /// Starts the chains; every port answers when this returns.
    ///
    /// # Errors
    /// A port that cannot be bound.
    pub async fn start(config: DevnetConfig) -> anyhow::Result<Self> {
        let mut devnet = Self { tron: None, evm: Vec::new(), tasks: Vec::new() };
        if let Some(tron) = &config.tron {
            let family = Family::Tron(Box::new(TronChain::new(tron)?));
            let ports = (tron.providers, tron.first_port);
            let handle = devnet.open(&config, family, tron.mining, ports).await?;
            devnet.tron = Some(handle);
        }
        for evm in &config.evm {
            let family = Family::Evm(Box::new(EvmChain::new(evm)?));
            let ports = (evm.providers, evm.first_port);
            let handle = devnet.open(&config, family, evm.mining, ports).await?;
            devnet.evm.push(handle);
        }
        Ok(devnet)
    }

    async fn open(
        &mut self,
        config: &DevnetConfig,
        family: Family,
        mining: Mining,
        (providers, first_port): (usize, u16),
    ) -> anyhow::Result<ChainHandle> {
        let shared = Arc::new(Shared {
            family: Mutex::new(family),
            providers: Mutex::new(Vec::new()),
            interval_ms: Mutex::new(interval(mining)),
        });
        let mut urls = Vec::new();
        for number in 0..providers.max(1) {
            let port = match first_port {
                0 => 0,
                first => first.saturating_add(u16::try_from(number)?),
            };
            let listener = tokio::net::TcpListener::bind((config.host, port)).await?;
            let url = format!("http://{}", listener.local_addr()?);
            lock(&shared.providers).push(Provider { url: url.clone(), faults: Faults::default() });
            urls.push(url);
            self.tasks.push(tokio::spawn(serve::provider(listener, Arc::clone(&shared), number)));
        }
        self.tasks.push(tokio::spawn(Arc::clone(&shared).mine_by_interval()));
        Ok(ChainHandle { shared, urls })
    }

    /// The TRON chain.
    ///
    /// # Panics
    /// If the configuration had none.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn tron(&self) -> &ChainHandle {
        self.tron.as_ref().expect("configured with a TRON chain")
    }

    /// The EVM chain of that position in the configuration.
    ///
    /// # Panics
    /// If the configuration had fewer.
    #[must_use]
    pub fn evm(&self, position: usize) -> &ChainHandle {
        &self.evm[position]
    }

    /// How many EVM chains there are.
    #[must_use]
    pub fn evm_count(&self) -> usize {
        self.evm.len()
    }

    /// The line the binary prints: URLs, names and the first token of every chain.
    #[must_use]
    pub fn ready(&self) -> Value {
        json!({
            "tron": self.tron.as_ref().map(describe),
            "evm": self.evm.iter().map(describe).collect::<Vec<_>>(),
        })
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn describe(handle: &ChainHandle) -> Value {
    let tokens = handle.shared.family().chain().tokens();
    json!({
        "urls": handle.urls(),
        "control": handle.control_url(),
        "chain": handle.chain(),
        "chain_id": handle.chain_id(),
        "usdt": tokens.first().map(|(_, address)| address),
        "deployer": handle.deployer(),
    })
}

fn interval(mining: Mining) -> u64 {
    match mining {
        Mining::Manual => 0,
        Mining::Interval(ms) => ms.max(INTERVAL_MIN_MS),
    }
}
