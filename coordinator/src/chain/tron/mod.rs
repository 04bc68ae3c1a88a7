//! One provider of a TRON network: java-tron's HTTP API, `wallet` for the head and `walletsolidity` for what is final.
//!
//! `rpc` speaks it, `block` proves a block complete, `resources` asks for energy, parameters and reference blocks, `answers`
//! sorts what a node says to a broadcast. Reached through [`super::Node`]; energy and reference blocks directly.
//! What must stay true: "final" is only what the solidified face says; a block is read from one face and checked against itself.

mod answers;
mod block;
mod resources;
mod rpc;

pub use resources::{AccountResources, ChainParameters, RefBlock};

use super::http::{BLOCK_LIMIT, Endpoint, SMALL_LIMIT};
use super::{
    Block, BlockId, BroadcastAnswer, ChainError, Coin, Header, Included, Inclusion, Settings, TxId, View,
    bytes_of,
};
use airlock_shared::chain::erc20;
use airlock_shared::{Address, BaseUnits, Network};
use rpc::{Rpc, TronBlock, TronBroadcast, TronConstant, TronInfo, TronTransaction, hex_of};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a set of balances is read again when a new solid block arrived meanwhile.
const BALANCE_ATTEMPTS: usize = 5;

/// One provider of a TRON network.
pub struct TronNode {
    rpc: Rpc,
    settings: Arc<Settings>,
    /// The highest solid block seen here; it only grows and saves a call per block while catching up.
    final_seen: AtomicU64,
}

impl TronNode {
    pub(super) fn new(endpoint: Endpoint, settings: Arc<Settings>) -> Self {
        Self { rpc: Rpc { endpoint }, settings, final_seen: AtomicU64::new(0) }
    }

    pub(super) fn label(&self) -> &str {
        self.rpc.endpoint.label()
    }

    pub(super) async fn check_identity(&self) -> Result<(), ChainError> {
        let genesis: TronBlock =
            self.rpc.ask(View::Head, "getblockbynum", &json!({"num": 0}), BLOCK_LIMIT).await?;
        let id = BlockId::parse(&genesis.block_id)
            .ok_or_else(|| self.rpc.endpoint.malformed("getblockbynum", "blockID", &genesis.block_id))?;
        let [.., a, b, c, d] = id.0;
        if (Network::Tron { chain_id: u32::from_be_bytes([a, b, c, d]) }) != self.settings.network {
            return Err(ChainError::WrongNetwork {
                provider: self.label().to_owned(),
                expected: self.settings.network,
                found: format!("genesis {id}"),
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
        // The node answers a call to an address without code with "Smart contract is not exist.".
        let found = match self.call_for_word(View::Head, contract, &erc20::DECIMALS).await {
            Err(ChainError::Reported { message, .. }) if message.contains("not exist") => {
                return Err(wrong("no contract at this address".to_owned()));
            }
            other => other?,
        };
        if found != BaseUnits::from(u64::from(decimals)) {
            return Err(wrong(format!("decimals() is {found}, configured is {decimals}")));
        }
        Ok(())
    }

    /// A constant call's answer, or the reason why it failed.
    async fn call(
        &self,
        view: View,
        from: Address,
        contract: Address,
        data: &[u8],
    ) -> Result<TronConstant, ChainError> {
        const NAME: &str = "triggerconstantcontract";
        let body = json!({"owner_address": hex_of(&from), "contract_address": hex_of(&contract),
            "data": hex::encode(data)});
        let answer: TronConstant = self.rpc.ask(view, NAME, &body, SMALL_LIMIT).await?;
        match answer.failure() {
            Some(reason) => Err(self.rpc.endpoint.reported(NAME, 0, &reason)),
            None => Ok(answer),
        }
    }

    async fn call_for_word(
        &self,
        view: View,
        contract: Address,
        data: &[u8],
    ) -> Result<BaseUnits, ChainError> {
        let answer = self.call(view, contract, contract, data).await?;
        let word = answer.constant_result.first().map_or("", String::as_str);
        let bytes = bytes_of(word)
            .ok_or_else(|| self.rpc.endpoint.malformed("triggerconstantcontract", "constant_result", word))?;
        Ok(BaseUnits::from_be_bytes(bytes))
    }

    pub(super) async fn newest(&self, view: View) -> Result<Header, ChainError> {
        let block: TronBlock = self.rpc.ask(view, "getnowblock", &json!({}), BLOCK_LIMIT).await?;
        let header = self.header_of("getnowblock", &block)?;
        if view == View::Final {
            self.final_seen.fetch_max(header.height, Ordering::Relaxed);
        }
        Ok(header)
    }

    fn header_of(&self, call: &'static str, block: &TronBlock) -> Result<Header, ChainError> {
        block.header().map_err(|(field, found)| self.rpc.endpoint.malformed(call, field, &found))
    }

    async fn must_reach(&self, height: u64, view: View) -> Result<(), ChainError> {
        if view == View::Head || height <= self.final_seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let has = self.newest(View::Final).await?.height;
        if height <= has { Ok(()) } else { Err(self.not_yet(height, has)) }
    }

    fn not_yet(&self, height: u64, has: u64) -> ChainError {
        ChainError::NotYet { provider: self.label().to_owned(), height, has }
    }

    async fn block_at(&self, height: u64, view: View) -> Result<(Header, TronBlock), ChainError> {
        const NAME: &str = "getblockbynum";
        self.must_reach(height, view).await?;
        let block: TronBlock = self.rpc.ask(view, NAME, &json!({"num": height}), BLOCK_LIMIT).await?;
        if block.block_id.is_empty() {
            // Below its own final block an empty answer is a lie or a gap; near the head it only lags.
            return Err(match view {
                View::Final => self.rpc.endpoint.incomplete(NAME, format!("no block at {height}")),
                View::Head => self.not_yet(height, height.saturating_sub(1)),
            });
        }
        let header = self.header_of(NAME, &block)?;
        if header.height != height {
            let found = format!("{} instead of {height}", header.height);
            return Err(self.rpc.endpoint.malformed(NAME, "number", &found));
        }
        Ok((header, block))
    }

    pub(super) async fn header(&self, height: u64, view: View) -> Result<Header, ChainError> {
        Ok(self.block_at(height, view).await?.0)
    }

    pub(super) async fn block(&self, height: u64, view: View) -> Result<Block, ChainError> {
        const NAME: &str = "gettransactioninfobyblocknum";
        let (header, found) = self.block_at(height, view).await?;
        let infos: Vec<TronInfo> = if found.transactions.is_empty() {
            Vec::new()
        } else {
            self.rpc.ask(view, NAME, &json!({"num": height}), BLOCK_LIMIT).await?
        };
        block::assemble(&self.settings, header, &found, &infos)
            .map_err(|what| self.rpc.endpoint.incomplete(NAME, what))
    }

    pub(super) async fn inclusion(&self, tx_id: TxId) -> Result<Inclusion, ChainError> {
        if let Some(included) = self.inclusion_in(tx_id, View::Final).await? {
            return Ok(Inclusion::Included(included));
        }
        let included = self.inclusion_in(tx_id, View::Head).await?;
        Ok(included.map_or(Inclusion::NotFound, Inclusion::Included))
    }

    async fn inclusion_in(&self, tx_id: TxId, view: View) -> Result<Option<Included>, ChainError> {
        const NAME: &str = "gettransactioninfobyid";
        let asked = tx_id.to_string();
        let body = json!({"value": asked});
        let info: TronInfo = self.rpc.ask(view, NAME, &body, BLOCK_LIMIT).await?;
        if info.id.is_empty() {
            return Ok(None);
        }
        if info.id != asked {
            return Err(self.rpc.endpoint.malformed(NAME, "id", &info.id));
        }
        let transaction: TronTransaction =
            self.rpc.ask(view, "gettransactionbyid", &body, SMALL_LIMIT).await?;
        if transaction.tx_id != asked {
            return Err(self.rpc.endpoint.malformed("gettransactionbyid", "txID", &transaction.tx_id));
        }
        let (transfers, _) = block::transfers_of(&self.settings, &transaction, &info)
            .map_err(|what| self.rpc.endpoint.incomplete(NAME, what))?;
        Ok(Some(Included {
            height: info.block_number,
            block_id: None,
            is_final: view == View::Final,
            outcome: block::outcome(&transaction, &info),
            fee_base: BaseUnits::from(info.fee),
            work_used: info.receipt.energy_usage_total,
            transfers,
        }))
    }

    pub(super) async fn broadcast(&self, bytes: &[u8]) -> BroadcastAnswer {
        let body = json!({"transaction": hex::encode(bytes)});
        let answer: Result<TronBroadcast, ChainError> =
            self.rpc.ask(View::Head, "broadcasthex", &body, SMALL_LIMIT).await;
        match answer {
            Ok(answer) => answers::sort(&answer),
            Err(error) => BroadcastAnswer::Unknown { text: error.to_string() },
        }
    }

    /// The solidified face cannot be asked at a height, so the solid head is compared before and after.
    pub(super) async fn balances(
        &self,
        of: &[(Address, Coin)],
    ) -> Result<(Header, Vec<BaseUnits>), ChainError> {
        for _ in 0..BALANCE_ATTEMPTS {
            let before = self.newest(View::Final).await?;
            let mut amounts = Vec::with_capacity(of.len());
            for (holder, coin) in of {
                amounts.push(match coin {
                    Coin::Native => self.trx_balance(*holder).await?,
                    Coin::Token(contract) => {
                        self.call_for_word(View::Final, *contract, &erc20::balance_of_call(holder.payload()))
                            .await?
                    }
                });
            }
            if self.newest(View::Final).await?.id == before.id {
                return Ok((before, amounts));
            }
        }
        Err(self.rpc.endpoint.incomplete("getaccount", "the solid block moved during every attempt"))
    }
}
