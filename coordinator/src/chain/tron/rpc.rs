//! TRON's HTTP API as typed values: the two faces of a node, and the few objects that are read.
//!
//! Used by the TRON client only. java-tron omits every default, answers 200 to everything, `{}` for "not found" and
//! `{"Error": …}` for exceptions; so each field is optional here, and an error object is looked for before anything else.
//! What must stay true: an empty object is never taken for an empty block.

use crate::chain::bytes_of;
use crate::chain::error::ChainError;
use crate::chain::http::Endpoint;
use crate::chain::{Header, View};
use airlock_shared::{Address, Network};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The HTTP side of an endpoint.
pub(super) struct Rpc {
    pub endpoint: Endpoint,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "Error")]
    error: String,
}

impl Rpc {
    /// Calls `name` on the full node's face or the solidified one.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        view: View,
        name: &'static str,
        body: &Value,
        limit: usize,
    ) -> Result<T, ChainError> {
        let path = match view {
            View::Head => format!("wallet/{name}"),
            View::Final => format!("walletsolidity/{name}"),
        };
        let bytes = self.endpoint.post_for_bytes(name, &path, body, limit).await?;
        self.read(name, &bytes)
    }

    fn read<T: DeserializeOwned>(&self, name: &'static str, bytes: &[u8]) -> Result<T, ChainError> {
        // An exception is short; only short answers are read twice.
        if bytes.len() < 4096
            && let Ok(exception) = serde_json::from_slice::<Exception>(bytes)
        {
            return Err(self.endpoint.reported(name, 0, &exception.error));
        }
        self.endpoint.parse(name, bytes)
    }
}

/// A block, or `{}`.
#[derive(Deserialize, Default)]
pub(super) struct TronBlock {
    #[serde(rename = "blockID", default)]
    pub block_id: String,
    #[serde(default)]
    pub block_header: TronHeader,
    #[serde(default)]
    pub transactions: Vec<TronTransaction>,
}

#[derive(Deserialize, Default)]
pub(super) struct TronHeader {
    #[serde(default)]
    pub raw_data: TronHeaderRaw,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct TronHeaderRaw {
    #[serde(default)]
    pub number: u64,
    #[serde(default)]
    pub parent_hash: String,
    #[serde(default)]
    pub timestamp: u64,
}

impl TronBlock {
    /// The block's place; the error names the field. A block id begins with the height, so the two must agree.
    pub fn header(&self) -> Result<Header, (&'static str, String)> {
        let raw = &self.block_header.raw_data;
        let id = super::BlockId::parse(&self.block_id).ok_or_else(|| ("blockID", self.block_id.clone()))?;
        if id.0[..8] != raw.number.to_be_bytes() {
            return Err(("number", format!("{} in block {id}", raw.number)));
        }
        let parent = match raw.number {
            0 => super::BlockId([0; 32]),
            _ => super::BlockId::parse(&raw.parent_hash)
                .ok_or_else(|| ("parentHash", raw.parent_hash.clone()))?,
        };
        Ok(Header { height: raw.number, id, parent, time_ms: raw.timestamp })
    }
}

/// A transaction, or `{}`.
#[derive(Deserialize, Default)]
pub(super) struct TronTransaction {
    #[serde(rename = "txID", default)]
    pub tx_id: String,
    #[serde(default)]
    pub ret: Vec<TronRet>,
    #[serde(default)]
    pub raw_data: TronRaw,
    /// What was signed; its SHA-256 is the id.
    #[serde(default)]
    pub raw_data_hex: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct TronRet {
    #[serde(default)]
    pub contract_ret: String,
}

#[derive(Deserialize, Default)]
pub(super) struct TronRaw {
    #[serde(default)]
    pub contract: Vec<TronContract>,
}

#[derive(Deserialize)]
pub(super) struct TronContract {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub parameter: TronParameter,
}

#[derive(Deserialize, Default)]
pub(super) struct TronParameter {
    /// What it holds depends on the kind; only a `TransferContract` is looked into.
    #[serde(default)]
    pub value: Value,
}

/// The value of a `TransferContract`.
#[derive(Deserialize)]
pub(super) struct TronTransfer {
    pub owner_address: String,
    pub to_address: String,
    #[serde(default)]
    pub amount: u64,
}

/// A transaction's receipt, or `{}`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct TronInfo {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub fee: u64,
    #[serde(default)]
    pub block_number: u64,
    /// Absent means success.
    #[serde(default)]
    pub result: String,
    #[serde(default)]
    pub res_message: String,
    #[serde(default)]
    pub receipt: TronReceipt,
    #[serde(default)]
    pub log: Vec<TronLog>,
}

#[derive(Deserialize, Default)]
pub(super) struct TronReceipt {
    #[serde(default)]
    pub result: String,
    #[serde(default)]
    pub energy_usage_total: u64,
}

#[derive(Deserialize, Default)]
pub(super) struct TronLog {
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub topics: Vec<String>,
    #[serde(default)]
    pub data: String,
}

/// What `broadcasthex` answers.
#[derive(Deserialize, Default)]
pub(super) struct TronBroadcast {
    #[serde(default)]
    pub result: bool,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
}

/// What `triggerconstantcontract` answers.
#[derive(Deserialize, Default)]
pub(super) struct TronConstant {
    #[serde(default)]
    pub result: TronCallResult,
    #[serde(default)]
    pub energy_used: u64,
    #[serde(default)]
    pub constant_result: Vec<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct TronCallResult {
    #[serde(default)]
    pub result: bool,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
}

impl TronConstant {
    /// Why the call failed, if it did. On a revert `result.result` is still true: only the message tells.
    pub fn failure(&self) -> Option<String> {
        let text = text_of_hex(&self.result.message);
        match (self.result.result, text.is_empty()) {
            (true, true) => None,
            (_, false) => Some(text),
            (false, true) => Some(format!("no result, code {:?}", self.result.code)),
        }
    }
}

/// TRON spells most messages as hex of their text; some nodes send the text itself.
pub(super) fn text_of_hex(message: &str) -> String {
    match hex::decode(message) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => message.to_owned(),
    }
}

/// `41` and 40 hex digits, or 40 digits as logs have it.
pub(super) fn address_of(network: Network, text: &str) -> Option<Address> {
    let digits = if text.len() == 42 { text.strip_prefix("41")? } else { text };
    bytes_of(digits).map(|payload| Address::new(network, payload))
}

/// `41` and 40 hex digits.
pub(super) fn hex_of(address: &Address) -> String {
    hex::encode(address.tron_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_no_block() {
        assert!(serde_json::from_str::<TronBlock>("{}").unwrap().header().is_err());
    }

    #[test]
    fn a_block_id_that_disagrees_with_the_height_is_refused() {
        let block = |number: u64| TronBlock {
            block_id: format!("{:016x}{}", 7, "ab".repeat(24)),
            block_header: TronHeader {
                raw_data: TronHeaderRaw { number, parent_hash: "00".repeat(32), timestamp: 3000 },
            },
            transactions: Vec::new(),
        };
        assert_eq!(block(7).header().unwrap().height, 7);
        assert_eq!(block(8).header().unwrap_err().0, "number");
    }

    #[test]
    fn a_reverted_call_is_a_failure_though_its_result_is_true() {
        let answer = r#"{"result":{"result":true,"message":"524556455254206f70636f6465206578656375746564"},
            "energy_used":500,"constant_result":["08c379a0"]}"#;
        let call: TronConstant = serde_json::from_str(answer).unwrap();
        assert_eq!(call.failure().as_deref(), Some("REVERT opcode executed"));
    }
}
