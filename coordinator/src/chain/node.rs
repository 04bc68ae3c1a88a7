//! One provider's view of one network: the closed set of chain families, matched in one place.
//!
//! Callers use [`Node`] for what both families have; what only one has (account nonces, gas; energy, reference blocks) they get
//! from [`Node::evm`] or [`Node::tron`]. A new family is one variant here, and the compiler lists what is left to write.

use super::evm::EvmNode;
use super::http::{Endpoint, client};
use super::tron::TronNode;
use super::{Block, BroadcastAnswer, ChainError, Coin, Header, Inclusion, Settings, TxId, View};
use airlock_shared::{Address, BaseUnits, Family};
use std::sync::Arc;

/// One provider of one network.
pub enum Node {
    /// Ethereum JSON-RPC.
    Evm(EvmNode),
    /// TRON's HTTP API.
    Tron(TronNode),
}

impl Node {
    /// One node for each configured provider, in order. Nothing is asked yet.
    pub fn all(settings: &Arc<Settings>) -> Result<Vec<Self>, ChainError> {
        let client = client(settings.timeout)?;
        let mut nodes = Vec::with_capacity(settings.providers.len());
        for (place, url) in settings.providers.iter().enumerate() {
            let endpoint = Endpoint::new(client.clone(), place, url)?;
            nodes.push(match settings.network.family() {
                Family::Evm => Self::Evm(EvmNode::new(endpoint, Arc::clone(settings))),
                Family::Tron => Self::Tron(TronNode::new(endpoint, Arc::clone(settings))),
            });
        }
        Ok(nodes)
    }

    /// Its name in logs: place and host, never the URL.
    pub fn label(&self) -> &str {
        match self {
            Self::Evm(node) => node.label(),
            Self::Tron(node) => node.label(),
        }
    }

    /// The EVM client, if this is one.
    pub const fn evm(&self) -> Option<&EvmNode> {
        match self {
            Self::Evm(node) => Some(node),
            Self::Tron(_) => None,
        }
    }

    /// The TRON client, if this is one.
    pub const fn tron(&self) -> Option<&TronNode> {
        match self {
            Self::Tron(node) => Some(node),
            Self::Evm(_) => None,
        }
    }

    /// Compares chain id or genesis, code presence and `decimals()` with the settings; a difference is an error.
    pub async fn check_identity(&self) -> Result<(), ChainError> {
        match self {
            Self::Evm(node) => node.check_identity().await,
            Self::Tron(node) => node.check_identity().await,
        }
    }

    /// The newest block in that view.
    pub async fn newest(&self, view: View) -> Result<Header, ChainError> {
        match self {
            Self::Evm(node) => node.newest(view).await,
            Self::Tron(node) => node.newest(view).await,
        }
    }

    /// The newest block.
    pub async fn head(&self) -> Result<Header, ChainError> {
        self.newest(View::Head).await
    }

    /// The newest block that can no longer change.
    pub async fn finalized(&self) -> Result<Header, ChainError> {
        self.newest(View::Final).await
    }

    /// A block's header alone. In the final view a height above the final block is [`ChainError::NotYet`].
    pub async fn header(&self, height: u64, view: View) -> Result<Header, ChainError> {
        match self {
            Self::Evm(node) => node.header(height, view).await,
            Self::Tron(node) => node.header(height, view).await,
        }
    }

    /// The block with all its transfers, or an error; never a part of it.
    pub async fn block(&self, height: u64, view: View) -> Result<Block, ChainError> {
        match self {
            Self::Evm(node) => node.block(height, view).await,
            Self::Tron(node) => node.block(height, view).await,
        }
    }

    /// Where a transaction is and what it did.
    pub async fn inclusion(&self, tx_id: TxId) -> Result<Inclusion, ChainError> {
        match self {
            Self::Evm(node) => node.inclusion(tx_id).await,
            Self::Tron(node) => node.inclusion(tx_id).await,
        }
    }

    /// Sends signed bytes. There is no error: whatever happens is a hint.
    pub async fn broadcast(&self, bytes: &[u8]) -> BroadcastAnswer {
        match self {
            Self::Evm(node) => node.broadcast(bytes).await,
            Self::Tron(node) => node.broadcast(bytes).await,
        }
    }

    /// What each holder has of each coin, all at one final block, whose header is returned.
    pub async fn balances(&self, of: &[(Address, Coin)]) -> Result<(Header, Vec<BaseUnits>), ChainError> {
        match self {
            Self::Evm(node) => node.balances(of).await,
            Self::Tron(node) => node.balances(of).await,
        }
    }
}
