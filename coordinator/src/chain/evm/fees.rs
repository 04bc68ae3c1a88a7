//! What sending costs on an EVM network, and the next account nonce.
//!
//! Used when a batch is built. Figures are hints of one provider and a few seconds old; policy caps them, and unused gas or a
//! high fee ceiling cost nothing. The nonce at `latest` is a lower bound: allocation is the database's business.

use super::EvmNode;
use super::rpc::{Quantity, RpcBlock, Wide};
use crate::chain::http::{BLOCK_LIMIT, SMALL_LIMIT};
use crate::chain::{ChainError, View};
use airlock_shared::{Address, BaseUnits};
use serde::de::IgnoredAny;
use serde_json::json;

/// The fee market at one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvmFees {
    /// The block it was read at.
    pub height: u64,
    /// That block's time, UTC milliseconds.
    pub time_ms: u64,
    /// Base fee per gas, wei; 0 on chains without one.
    pub base_fee_wei: u128,
    /// Suggested priority fee per gas, wei.
    pub tip_wei: u128,
}

impl EvmNode {
    /// Base fee of the newest block and the suggested tip.
    pub async fn fees(&self) -> Result<EvmFees, ChainError> {
        let block: RpcBlock<IgnoredAny> =
            self.rpc.expect("eth_getBlockByNumber", json!(["latest", false]), BLOCK_LIMIT).await?;
        let tip: Wide = self.rpc.expect("eth_maxPriorityFeePerGas", json!([]), SMALL_LIMIT).await?;
        let too_high = |field: &str| self.rpc.endpoint.malformed("fees", field, "above 128 bits");
        let base_fee = block.base_fee_per_gas.map_or(BaseUnits::ZERO, |fee| fee.0);
        Ok(EvmFees {
            height: block.number.0,
            time_ms: block.timestamp.0.saturating_mul(1000),
            base_fee_wei: base_fee.to_u128().ok_or_else(|| too_high("baseFeePerGas"))?,
            tip_wei: tip.0.to_u128().ok_or_else(|| too_high("tip"))?,
        })
    }

    /// Gas that this call needs now. An error in the node's words when it would revert.
    pub async fn gas_needed(
        &self,
        from: Address,
        to: Address,
        value: BaseUnits,
        data: &[u8],
    ) -> Result<u64, ChainError> {
        let value = format!("0x{}", hex::encode(value.to_be_bytes()).trim_start_matches('0'));
        let value = if value == "0x" { "0x0".to_owned() } else { value };
        let call = json!({"from": from.to_string(), "to": to.to_string(), "value": value,
            "data": format!("0x{}", hex::encode(data))});
        Ok(self.rpc.expect::<Quantity>("eth_estimateGas", json!([call]), SMALL_LIMIT).await?.0)
    }

    /// The number of transactions that `account` has in blocks: the next account nonce as the chain sees it.
    pub async fn account_nonce(&self, account: Address, view: View) -> Result<u64, ChainError> {
        let params = json!([account.to_string(), self.newest_at(view).await?]);
        Ok(self.rpc.expect::<Quantity>("eth_getTransactionCount", params, SMALL_LIMIT).await?.0)
    }
}
