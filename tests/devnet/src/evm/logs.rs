//! `eth_getLogs`: filters by block, address and topics.
//!
//! A range beyond the head is cut silently, as real nodes do; an unknown block hash is an error, as geth has it.

use revm::primitives::{Address, B256, Log};
use serde_json::Value;

use super::block::Block;
use super::json;

/// Which logs.
pub(crate) struct Filter {
    addresses: Vec<Address>,
    /// By position; an empty list is a wildcard.
    topics: Vec<Vec<B256>>,
}

impl Filter {
    /// Reads `address` and `topics` of the request.
    pub(crate) fn read(request: &Value) -> Option<Self> {
        let addresses = one_or_many(request.get("address"))?;
        let mut topics = Vec::new();
        match request.get("topics") {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => {
                for position in list {
                    topics.push(one_or_many(Some(position))?);
                }
            }
            Some(_) => return None,
        }
        Some(Self { addresses, topics })
    }

    fn takes(&self, log: &Log) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= log.data.topics().len()
            && self
                .topics
                .iter()
                .zip(log.data.topics())
                .all(|(wanted, topic)| wanted.is_empty() || wanted.contains(topic))
    }

    /// The matching logs of a block, in order.
    pub(crate) fn matches(&self, block: &Block) -> Vec<Value> {
        block
            .transactions
            .iter()
            .enumerate()
            .flat_map(|(position, (_, receipt))| {
                json::logs_of(block, position)
                    .into_iter()
                    .zip(&receipt.logs)
                    .filter(|(_, log)| self.takes(log))
                    .map(|(printed, _)| printed)
            })
            .collect()
    }
}

fn one_or_many<T: std::str::FromStr>(value: Option<&Value>) -> Option<Vec<T>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text.parse().ok()?]),
        Some(Value::Array(list)) => list.iter().map(|entry| entry.as_str()?.parse().ok()).collect(),
        Some(_) => None,
    }
}
