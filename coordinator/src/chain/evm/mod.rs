//! One provider of an EVM network: Ethereum JSON-RPC over HTTP.
//!
//! `rpc` speaks it, `block` proves a block complete, `fees` asks what sending costs, `answers` sorts what a node says to a
//! broadcast. Reached through [`super::Node`]; fee and nonce calls directly.
//! What must stay true: near the head everything is read by block hash, so that a load balancer cannot mix two forks; "final"
//! is the `finalized` tag and nothing derived from a depth.

mod answers;
mod block;
mod fees;
mod rpc;

pub use fees::EvmFees;

use super::http::{BLOCK_LIMIT, Endpoint, SMALL_LIMIT};
use super::{
    Block, BlockId, BroadcastAnswer, ChainError, Coin, Header, Included, Inclusion, Settings, TxId, View,
};
use airlock_shared::chain::erc20;
use airlock_shared::{Address, BaseUnits, Network};
use rpc::{Bytes, Fixed, Quantity, Rpc, RpcBlock, RpcReceipt, RpcTransaction, Wide};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// JSON-RPC's code for a method that does not exist.
const NO_SUCH_METHOD: i64 = -32_601;
/// Receipts asked for at the same time where there is no call for all of them.
const RECEIPTS_AT_ONCE: usize = 16;

/// One provider of an EVM network.
pub struct EvmNode {
    rpc: Rpc,
    settings: Arc<Settings>,
    /// The highest final block seen here; it only grows and saves a call per block while catching up.
    final_seen: AtomicU64,
}

impl EvmNode {
    pub(super) fn new(endpoint: Endpoint, settings: Arc<Settings>) -> Self {
        Self { rpc: Rpc { endpoint }, settings, final_seen: AtomicU64::new(0) }
    }

    pub(super) fn label(&self) -> &str {
        self.rpc.endpoint.label()
    }

    pub(super) async fn check_identity(&self) -> Result<(), ChainError> {
        let Quantity(found) = self.rpc.expect("eth_chainId", json!([]), SMALL_LIMIT).await?;
        if (Network::Evm { chain_id: found }) != self.settings.network {
            return Err(ChainError::WrongNetwork {
                provider: self.label().to_owned(),
                expected: self.settings.network,
                found: format!("chain id {found}"),
            });
        }
        for token in &self.settings.tokens {
            self.check_token(token.contract, token.decimals).await?;
        }
        Ok(())
    }

    async fn check_token(&self, contract: Address, decimals: u8) -> Result<(), ChainError> {
        let wrong = |what: String| ChainError::WrongToken {
            provider: self.label().to_owned(),
            contract: contract.to_string(),
            what,
        };
        let Bytes(code) =
            self.rpc.expect("eth_getCode", json!([contract.to_string(), "latest"]), SMALL_LIMIT).await?;
        if code.is_empty() {
            return Err(wrong("no contract at this address".to_owned()));
        }
        let found = self.call_for_word(contract, &erc20::DECIMALS, json!("latest")).await?;
        if found != BaseUnits::from(u64::from(decimals)) {
            return Err(wrong(format!("decimals() is {found}, configured is {decimals}")));
        }
        Ok(())
    }

    async fn call_for_word(&self, to: Address, data: &[u8], at: Value) -> Result<BaseUnits, ChainError> {
        let call = json!({"to": to.to_string(), "data": format!("0x{}", hex::encode(data))});
        let Bytes(word) = self.rpc.expect("eth_call", json!([call, at]), SMALL_LIMIT).await?;
        let word: [u8; 32] = word
            .try_into()
            .map_err(|word: Vec<u8>| self.rpc.endpoint.malformed("eth_call", "result", &hex::encode(word)))?;
        Ok(BaseUnits::from_be_bytes(word))
    }

    pub(super) async fn newest(&self, view: View) -> Result<Header, ChainError> {
        let at = self.newest_at(view).await?;
        // A node without finality answers null or an error and ends here. Height 0 is what a young development chain says.
        let missing = || self.rpc.endpoint.incomplete("eth_getBlockByNumber", format!("no block at {at}"));
        let header = self.header_at(at.clone()).await?.ok_or_else(missing)?;
        if view == View::Final {
            self.final_seen.fetch_max(header.height, Ordering::Relaxed);
        }
        Ok(header)
    }

    /// How the newest block of a view is named in a call: a tag, or a height where finality is a depth.
    async fn newest_at(&self, view: View) -> Result<Value, ChainError> {
        match (view, self.settings.final_depth) {
            (View::Head, _) => Ok(json!("latest")),
            (View::Final, None) => Ok(json!("finalized")),
            (View::Final, Some(depth)) => {
                let Quantity(head) = self.rpc.expect("eth_blockNumber", json!([]), SMALL_LIMIT).await?;
                Ok(json!(format!("0x{:x}", head.saturating_sub(depth))))
            }
        }
    }

    pub(super) async fn header(&self, height: u64, view: View) -> Result<Header, ChainError> {
        self.must_reach(height, view).await?;
        let header = self.header_at(json!(format!("0x{height:x}"))).await?;
        let header = header.ok_or_else(|| self.not_yet(height, height.saturating_sub(1)))?;
        self.must_be_at(height, header)
    }

    async fn header_at(&self, at: Value) -> Result<Option<Header>, ChainError> {
        let block: Option<RpcBlock<IgnoredAny>> =
            self.rpc.ask("eth_getBlockByNumber", json!([at, false]), BLOCK_LIMIT).await?;
        Ok(block.as_ref().map(block::header_of))
    }

    fn must_be_at(&self, height: u64, header: Header) -> Result<Header, ChainError> {
        if header.height == height {
            return Ok(header);
        }
        let found = format!("{} instead of {height}", header.height);
        Err(self.rpc.endpoint.malformed("eth_getBlockByNumber", "number", &found))
    }

    fn not_yet(&self, height: u64, has: u64) -> ChainError {
        ChainError::NotYet { provider: self.label().to_owned(), height, has }
    }

    /// In the final view a height is readable only at or below this provider's own final block.
    async fn must_reach(&self, height: u64, view: View) -> Result<(), ChainError> {
        if view == View::Head || height <= self.final_seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let has = self.newest(View::Final).await?.height;
        if height <= has { Ok(()) } else { Err(self.not_yet(height, has)) }
    }

    pub(super) async fn block(&self, height: u64, view: View) -> Result<Block, ChainError> {
        self.must_reach(height, view).await?;
        let params = json!([format!("0x{height:x}"), true]);
        let found: Option<RpcBlock<RpcTransaction>> =
            self.rpc.ask("eth_getBlockByNumber", params, BLOCK_LIMIT).await?;
        let found = found.ok_or_else(|| self.not_yet(height, height.saturating_sub(1)))?;
        self.must_be_at(height, block::header_of(&found))?;
        let receipts = if found.transactions.is_empty() { Vec::new() } else { self.receipts(&found).await? };
        block::assemble(&self.settings, &found, &receipts)
            .map_err(|what| self.rpc.endpoint.incomplete("eth_getBlockReceipts", what))
    }

    /// The block's receipts in one call, or one by one from a provider that has no such call.
    async fn receipts(&self, block: &RpcBlock<RpcTransaction>) -> Result<Vec<RpcReceipt>, ChainError> {
        let hash = format!("0x{}", hex::encode(block.hash.0));
        match self.rpc.expect("eth_getBlockReceipts", json!([hash]), BLOCK_LIMIT).await {
            Err(ChainError::Reported { code: NO_SUCH_METHOD, .. }) => {}
            answer => return answer,
        }
        let mut receipts = Vec::with_capacity(block.transactions.len());
        for some in block.transactions.chunks(RECEIPTS_AT_ONCE) {
            let asked = some.iter().map(|transaction| {
                let params = json!([format!("0x{}", hex::encode(transaction.hash.0))]);
                self.rpc.expect("eth_getTransactionReceipt", params, BLOCK_LIMIT)
            });
            receipts.extend(futures::future::try_join_all(asked).await?);
        }
        Ok(receipts)
    }

    pub(super) async fn inclusion(&self, tx_id: TxId) -> Result<Inclusion, ChainError> {
        let params = json!([format!("0x{tx_id}")]);
        let receipt: Option<RpcReceipt> =
            self.rpc.ask("eth_getTransactionReceipt", params.clone(), BLOCK_LIMIT).await?;
        let Some(receipt) = receipt else { return Ok(Inclusion::NotFound) };
        let bad = |field: &str, found: String| {
            self.rpc.endpoint.malformed("eth_getTransactionReceipt", field, &found)
        };
        if receipt.transaction_hash.0 != tx_id.0 {
            return Err(bad("transactionHash", hex::encode(receipt.transaction_hash.0)));
        }
        let transaction: RpcTransaction =
            self.rpc.expect("eth_getTransactionByHash", params, SMALL_LIMIT).await?;
        if transaction.hash.0 != tx_id.0 {
            return Err(bad("hash", hex::encode(transaction.hash.0)));
        }
        let (transfers, _) = block::transfers_of(&self.settings, &transaction, &receipt)
            .map_err(|what| self.rpc.endpoint.incomplete("eth_getTransactionReceipt", what))?;
        let Some(Wide(price)) = receipt.effective_gas_price else {
            return Err(bad("effectiveGasPrice", "missing".to_owned()));
        };
        let fee_base = BaseUnits::from(receipt.gas_used.0)
            .checked_mul(price)
            .ok_or_else(|| bad("effectiveGasPrice", price.to_string()))?;
        Ok(Inclusion::Included(Included {
            height: receipt.block_number.0,
            block_id: Some(BlockId(receipt.block_hash.0)),
            is_final: self.is_final(receipt.block_number.0, receipt.block_hash).await?,
            outcome: if receipt.succeeded() { Ok(()) } else { Err("reverted".to_owned()) },
            fee_base,
            work_used: receipt.gas_used.0,
            transfers,
        }))
    }

    /// Final means: at or below the final block, and the canonical block at that height is the receipt's.
    async fn is_final(&self, height: u64, block: Fixed<32>) -> Result<bool, ChainError> {
        match self.header(height, View::Final).await {
            Ok(header) => Ok(header.id.0 == block.0),
            Err(ChainError::NotYet { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn broadcast(&self, bytes: &[u8]) -> BroadcastAnswer {
        let params = json!([format!("0x{}", hex::encode(bytes))]);
        let answer: Result<Value, ChainError> =
            self.rpc.expect("eth_sendRawTransaction", params, SMALL_LIMIT).await;
        match answer {
            Ok(_) => BroadcastAnswer::Accepted,
            Err(ChainError::Reported { message, .. }) => answers::sort(&message),
            Err(error) => BroadcastAnswer::Unknown { text: error.to_string() },
        }
    }

    pub(super) async fn balances(
        &self,
        of: &[(Address, Coin)],
    ) -> Result<(Header, Vec<BaseUnits>), ChainError> {
        let header = self.newest(View::Final).await?;
        let at = json!(format!("0x{:x}", header.height));
        let mut amounts = Vec::with_capacity(of.len());
        for (holder, coin) in of {
            amounts.push(match coin {
                Coin::Native => {
                    let params = json!([holder.to_string(), at]);
                    self.rpc.expect::<Wide>("eth_getBalance", params, SMALL_LIMIT).await?.0
                }
                Coin::Token(contract) => {
                    self.call_for_word(*contract, &erc20::balance_of_call(holder.payload()), at.clone())
                        .await?
                }
            });
        }
        Ok((header, amounts))
    }
}
