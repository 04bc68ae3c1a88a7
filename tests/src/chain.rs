//! The chains that a test runs against, and what a test may do to them: pay, mine, look.
//!
//! A TRON chain and an EVM chain come from the development chain in this process; the EVM chain may be a real
//! anvil instead. What must stay true: balances are read here from the chain itself and never from the
//! coordinator, so that act 9 compares two independent witnesses.

use crate::anvil::Anvil;
use airlock_devnet::{ChainHandle, Devnet, DevnetConfig, EvmConfig, TronConfig};
use airlock_shared::{BaseUnits, Family, Network};
use anyhow::Context as _;

/// Supply of each token: a billion USDT.
const SUPPLY: &str = "1000000000000000";

/// One chain with its USDT-like token.
pub struct Chain {
    /// Its CAIP-2 name.
    pub network: Network,
    /// The token's contract.
    pub usdt: String,
    /// Base URLs of two providers.
    pub urls: Vec<String>,
    node: Node,
}

enum Node {
    Devnet(ChainHandle),
    Anvil(Box<Anvil>),
}

/// What the chains are.
pub struct Chains {
    /// Each chain, EVM last.
    pub all: Vec<Chain>,
    _devnet: Option<Devnet>,
}

impl Chains {
    /// A TRON chain and an EVM chain in this process, mined on request, final after three blocks.
    ///
    /// # Errors
    /// A port that cannot be bound, or a token that does not deploy.
    pub async fn devnet() -> anyhow::Result<Self> {
        let devnet = Devnet::start(DevnetConfig {
            // Short slots keep chain time beside the clock of the signer although blocks come quickly.
            tron: Some(TronConfig { witnesses: 3, slot_ms: 40, ..TronConfig::default() }),
            evm: vec![EvmConfig { finality_depth: 2, ..EvmConfig::default() }],
            ..DevnetConfig::default()
        })
        .await?;
        let of = |network, handle: &ChainHandle, token| {
            anyhow::Ok(Chain {
                network,
                usdt: handle.deploy(token, SUPPLY)?,
                urls: handle.urls().to_vec(),
                node: Node::Devnet(handle.clone()),
            })
        };
        let all = vec![
            of(Network::TRON_DEV, devnet.tron(), "TronUsdt")?,
            of(Network::EVM_DEV, devnet.evm(0), "UsdtLike")?,
        ];
        let chains = Self { all, _devnet: Some(devnet) };
        chains.mine(4).await?;
        Ok(chains)
    }

    /// A real anvil alone.
    ///
    /// # Errors
    /// It does not start.
    pub async fn anvil() -> anyhow::Result<Self> {
        let anvil = Anvil::start().await?;
        let usdt = anvil.deploy_usdt(SUPPLY).await?;
        let urls = anvil.urls();
        let chain = Chain { network: Network::EVM_DEV, usdt, urls, node: Node::Anvil(Box::new(anvil)) };
        let chains = Self { all: vec![chain], _devnet: None };
        chains.mine(8).await?;
        Ok(chains)
    }

    /// The chain of a network.
    ///
    /// # Errors
    /// There is none.
    pub fn on(&self, network: Network) -> anyhow::Result<&Chain> {
        self.all.iter().find(|chain| chain.network == network).with_context(|| format!("no chain {network}"))
    }

    /// The TRON chain of the development network.
    ///
    /// # Errors
    /// There is none.
    pub fn tron(&self) -> anyhow::Result<&Chain> {
        self.on(Network::TRON_DEV)
    }

    /// The EVM chain.
    ///
    /// # Errors
    /// There is none.
    pub fn evm(&self) -> anyhow::Result<&Chain> {
        self.on(Network::EVM_DEV)
    }

    /// Makes blocks on every chain.
    ///
    /// # Errors
    /// A chain refuses.
    pub async fn mine(&self, blocks: u64) -> anyhow::Result<()> {
        for chain in &self.all {
            chain.mine(blocks).await?;
        }
        Ok(())
    }
}

impl Chain {
    /// Makes blocks.
    ///
    /// # Errors
    /// The chain refuses.
    pub async fn mine(&self, blocks: u64) -> anyhow::Result<()> {
        match &self.node {
            Node::Devnet(handle) => handle.mine(blocks).map(|_| ()).map_err(Into::into),
            Node::Anvil(anvil) => anvil.mine(blocks).await,
        }
    }

    /// Gives native coin to an address out of nothing, as a faucet does.
    ///
    /// # Errors
    /// A bad address.
    pub async fn fund(&self, address: &str, amount_base: BaseUnits) -> anyhow::Result<()> {
        match &self.node {
            Node::Devnet(handle) => {
                handle.fund(address, &amount_base.to_string()).map(|_| ()).map_err(Into::into)
            }
            Node::Anvil(anvil) => anvil.fund(address, amount_base).await,
        }
    }

    /// A stranger pays USDT to an address; the transaction is in the pool afterwards.
    ///
    /// # Errors
    /// The node refuses it.
    pub async fn pay_usdt(&self, address: &str, amount_base: BaseUnits) -> anyhow::Result<String> {
        match &self.node {
            Node::Devnet(handle) => {
                Ok(handle.transfer(Some(&self.usdt), address, &amount_base.to_string())?)
            }
            Node::Anvil(anvil) => anvil.pay(&self.usdt, address, amount_base).await,
        }
    }

    /// What an address holds at the head, USDT.
    ///
    /// # Errors
    /// A bad address.
    pub async fn usdt_of(&self, address: &str) -> anyhow::Result<BaseUnits> {
        match &self.node {
            Node::Devnet(handle) => Ok(handle.balance(address, Some(&self.usdt))?.parse()?),
            Node::Anvil(anvil) => anvil.token_balance(&self.usdt, address).await,
        }
    }

    /// What an address holds at the head, native coin.
    ///
    /// # Errors
    /// A bad address.
    pub async fn native_of(&self, address: &str) -> anyhow::Result<BaseUnits> {
        match &self.node {
            Node::Devnet(handle) => Ok(handle.balance(address, None)?.parse()?),
            Node::Anvil(anvil) => anvil.balance(address).await,
        }
    }

    /// Ids of the transactions that wait to be mined.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn pool(&self) -> anyhow::Result<Vec<String>> {
        match &self.node {
            Node::Devnet(handle) => Ok(handle.pool()),
            Node::Anvil(anvil) => anvil.pool().await,
        }
    }

    /// The development chain behind it, to give its providers faults.
    ///
    /// # Errors
    /// It is an anvil.
    pub fn devnet(&self) -> anyhow::Result<&ChainHandle> {
        match &self.node {
            Node::Devnet(handle) => Ok(handle),
            Node::Anvil(_) => anyhow::bail!("an anvil has no faults to set"),
        }
    }

    /// Code of the native coin.
    #[must_use]
    pub fn native(&self) -> &'static str {
        match self.network.family() {
            Family::Tron => "TRX",
            Family::Evm => "ETH",
        }
    }

    /// Decimal places of the native coin.
    #[must_use]
    pub fn native_decimals(&self) -> u8 {
        match self.network.family() {
            Family::Tron => 6,
            Family::Evm => 18,
        }
    }
}
