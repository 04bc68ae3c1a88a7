//! Ethereum JSON-RPC as typed values: the envelope, and the few objects that are read.
//!
//! Used by the EVM client only. What must stay true: quantities and bytes are parsed strictly (`0x`, no sign, no other width),
//! unknown fields are ignored, and `null` is told apart from an answer, because `null` means "ask again", never "nothing".

use crate::chain::bytes_of;
use crate::chain::error::ChainError;
use crate::chain::http::Endpoint;
use airlock_shared::BaseUnits;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// The JSON-RPC side of an endpoint.
pub(super) struct Rpc {
    pub endpoint: Endpoint,
}

#[derive(Deserialize)]
struct Answer<T> {
    #[serde(default = "none")]
    result: Option<T>,
    error: Option<RpcError>,
}

const fn none<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct RpcError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

impl Rpc {
    /// Calls `method`; `None` is the node's `null`.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        limit: usize,
    ) -> Result<Option<T>, ChainError> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: Answer<T> = self.endpoint.post(method, "", &body, limit).await?;
        match answer.error {
            Some(error) => Err(self.endpoint.reported(method, error.code, &error.message)),
            None => Ok(answer.result),
        }
    }

    /// Calls `method` where `null` makes no sense.
    pub async fn expect<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        limit: usize,
    ) -> Result<T, ChainError> {
        let answer = self.ask(method, params, limit).await?;
        answer.ok_or_else(|| self.endpoint.malformed(method, "result", "null"))
    }
}

/// A 64-bit quantity, `0x0` to `0xffffffffffffffff`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quantity(pub u64);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wide = Wide::deserialize(from)?.0;
        wide.to_u64().map(Self).ok_or_else(|| D::Error::custom("quantity above 64 bits"))
    }
}

/// A 256-bit quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wide(pub BaseUnits);

impl<'de> Deserialize<'de> for Wide {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        parse_quantity(&text).map(Self).ok_or_else(|| D::Error::custom("not a quantity"))
    }
}

fn parse_quantity(text: &str) -> Option<BaseUnits> {
    let digits = text.strip_prefix("0x").filter(|digits| (1..=64).contains(&digits.len()))?;
    let padded = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
    BaseUnits::from_be_slice(&hex::decode(padded).ok()?)
}

/// Exactly `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fixed<const N: usize>(pub [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Fixed<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let bytes = text.starts_with("0x").then(|| bytes_of(&text)).flatten();
        bytes.map(Self).ok_or_else(|| D::Error::custom(format!("not {N} bytes of hex")))
    }
}

/// Any number of bytes; the answer's own limit bounds them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
        bytes.map(Self).ok_or_else(|| D::Error::custom("not bytes of hex"))
    }
}

/// A block; `T` is its transactions, whole or ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcBlock<T> {
    pub number: Quantity,
    pub hash: Fixed<32>,
    pub parent_hash: Fixed<32>,
    pub timestamp: Quantity,
    pub logs_bloom: Fixed<256>,
    pub base_fee_per_gas: Option<Wide>,
    pub transactions: Vec<T>,
}

/// A transaction inside a block.
#[derive(Deserialize)]
pub(super) struct RpcTransaction {
    pub hash: Fixed<32>,
    pub from: Fixed<20>,
    pub to: Option<Fixed<20>>,
    pub value: Wide,
}

/// A receipt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcReceipt {
    pub transaction_hash: Fixed<32>,
    pub block_hash: Fixed<32>,
    pub block_number: Quantity,
    /// Absent only before Byzantium.
    pub status: Option<Quantity>,
    pub gas_used: Quantity,
    pub effective_gas_price: Option<Wide>,
    pub logs: Vec<RpcLog>,
}

impl RpcReceipt {
    /// Status 1; anything else moved nothing.
    pub fn succeeded(&self) -> bool {
        self.status == Some(Quantity(1))
    }
}

/// A log inside a receipt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcLog {
    pub address: Fixed<20>,
    pub topics: Vec<Fixed<32>>,
    pub data: Bytes,
    pub log_index: Quantity,
    pub transaction_hash: Fixed<32>,
    pub block_hash: Fixed<32>,
    #[serde(default)]
    pub removed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_strictly() {
        let read = |text: &str| serde_json::from_str::<Quantity>(text).map(|quantity| quantity.0).ok();
        assert_eq!(read("\"0x0\""), Some(0));
        assert_eq!(read("\"0xffffffffffffffff\""), Some(u64::MAX));
        for text in
            ["\"0x\"", "\"10\"", "10", "\"0x10000000000000000\"", "\"0x-1\"", "\"0xg\"", "null", "1.5"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_null_result_is_not_an_answer() {
        let answer: Answer<Quantity> =
            serde_json::from_str(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).unwrap();
        assert!(answer.result.is_none() && answer.error.is_none());
    }
}
