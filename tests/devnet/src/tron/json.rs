//! Printing: java-tron's JSON, with its omissions.
//!
//! Used by `http.rs` only. Defaults are left out; `visible` decides whether addresses are base58 and a few texts plain.

use prost::Message;
use revm::primitives::Address;
use serde_json::{Map, Value, json};

use super::address;
use super::chain::{Block, Included};
use super::execute::Info;
use super::ledger::{Account, ContractMeta, Ledger, Resource, TRX};
use super::message::{Contract, Operation, Permission, Raw, Transaction, transaction_id};
use super::params::Params;
use super::tvm::Verdict;

/// An object under construction that leaves out defaults.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Always present.
    pub(crate) fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Left out when 0.
    pub(crate) fn number(self, key: &str, value: i64) -> Self {
        if value == 0 { self } else { self.put(key, value) }
    }

    /// Left out when empty.
    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.put(key, value) }
    }

    /// Left out when empty.
    pub(crate) fn list(self, key: &str, value: Vec<Value>) -> Self {
        if value.is_empty() { self } else { self.put(key, value) }
    }

    /// Bytes as hex, left out when empty.
    pub(crate) fn hex(self, key: &str, value: &[u8]) -> Self {
        self.text(key, &hex::encode(value))
    }

    /// The object.
    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// An address field.
pub(crate) fn address_text(bytes: &[u8], visible: bool) -> String {
    if visible && !bytes.is_empty() { address::base58(bytes) } else { hex::encode(bytes) }
}

/// A text field that is hex unless `visible`.
pub(crate) fn self_text(text: &str, visible: bool) -> String {
    if visible { text.to_owned() } else { hex::encode(text) }
}

/// A block; `detail` is false for the header alone.
pub(crate) fn block(block: &Block, visible: bool, detail: bool) -> Value {
    let header = &block.header;
    let raw = Fields::default()
        .number("number", header.number)
        .hex("txTrieRoot", &header.tx_trie_root)
        .text("witness_address", &address_text(&header.witness_address, visible))
        .hex("parentHash", &header.parent_hash)
        .number("version", i64::from(header.version))
        .number("timestamp", header.timestamp)
        .done();
    let mut head = Fields::default().put("raw_data", raw);
    if header.number > 0 {
        // Nobody checks it: the devnet's witnesses have no keys.
        head = head.hex("witness_signature", &[block.id, block.id].concat());
    }
    let mut fields = Fields::default().hex("blockID", &block.id).put("block_header", head.done());
    if detail {
        let transactions =
            block.transactions.iter().map(|included| transaction(&included.transaction, visible)).collect();
        fields = fields.list("transactions", transactions);
    }
    fields.done()
}

/// A transaction with its `txID` and `raw_data_hex`.
pub(crate) fn transaction(tx: &Transaction, visible: bool) -> Value {
    let raw = tx.raw_data.clone().unwrap_or_default();
    let ret = tx.ret.iter().map(|r| json!({ "contractRet": contract_ret(r.contract_ret) })).collect();
    let signatures = tx.signature.iter().map(|s| Value::from(hex::encode(s))).collect();
    Fields::default()
        .list("ret", ret)
        .list("signature", signatures)
        .put("visible", visible)
        .hex("txID", &transaction_id(&raw))
        .put("raw_data", raw_data(&raw, visible))
        .hex("raw_data_hex", &raw.encode_to_vec())
        .done()
}

fn contract_ret(number: i32) -> &'static str {
    [
        Verdict::Success,
        Verdict::Revert,
        Verdict::BadJumpDestination,
        Verdict::StackTooSmall,
        Verdict::IllegalOperation,
        Verdict::StackOverflow,
        Verdict::OutOfEnergy,
        Verdict::TransferFailed,
    ]
    .into_iter()
    .find(|verdict| *verdict as i32 == number)
    .unwrap_or(Verdict::Unknown)
    .name()
}

fn raw_data(raw: &Raw, visible: bool) -> Value {
    let contracts = raw.contract.iter().map(|c| contract(c, visible)).collect();
    Fields::default()
        .list("contract", contracts)
        .hex("ref_block_bytes", &raw.ref_block_bytes)
        .number("ref_block_num", raw.ref_block_num)
        .hex("ref_block_hash", &raw.ref_block_hash)
        .number("expiration", raw.expiration)
        .hex("data", &raw.data)
        .hex("scripts", &raw.scripts)
        .number("fee_limit", raw.fee_limit)
        .number("timestamp", raw.timestamp)
        .done()
}

fn contract(contract: &Contract, visible: bool) -> Value {
    let type_url = contract.parameter.as_ref().map_or("", |any| any.type_url.as_str());
    let value = Operation::unpack(contract).map_or_else(|| json!({}), |op| operation(&op, visible));
    Fields::default()
        .put("parameter", json!({ "value": value, "type_url": type_url }))
        .put("type", super::message::kind_name(contract.r#type).unwrap_or("UNKNOWN"))
        .number("Permission_id", i64::from(contract.permission_id))
        .done()
}

fn operation(operation: &Operation, visible: bool) -> Value {
    let start = Fields::default().text("owner_address", &address_text(operation.owner_address(), visible));
    match operation {
        Operation::Transfer(m) => {
            start.text("to_address", &address_text(&m.to_address, visible)).number("amount", m.amount).done()
        }
        Operation::Trigger(m) => start
            .text("contract_address", &address_text(&m.contract_address, visible))
            .number("call_value", m.call_value)
            .hex("data", &m.data)
            .number("call_token_value", m.call_token_value)
            .number("token_id", m.token_id)
            .done(),
        Operation::Freeze(m) => start
            .number("frozen_balance", m.frozen_balance)
            .text("resource", resource_name(m.resource))
            .done(),
        Operation::Unfreeze(m) => start
            .number("unfreeze_balance", m.unfreeze_balance)
            .text("resource", resource_name(m.resource))
            .done(),
        Operation::Delegate(m) => {
            let fields = start
                .text("resource", resource_name(m.resource))
                .number("balance", m.balance)
                .text("receiver_address", &address_text(&m.receiver_address, visible))
                .number("lock_period", m.lock_period);
            if m.lock { fields.put("lock", true) } else { fields }.done()
        }
        Operation::UnDelegate(m) => start
            .text("resource", resource_name(m.resource))
            .number("balance", m.balance)
            .text("receiver_address", &address_text(&m.receiver_address, visible))
            .done(),
        Operation::PermissionUpdate(m) => {
            let mut fields = start;
            if let Some(owner) = &m.owner {
                fields = fields.put("owner", permission(owner, visible));
            }
            let actives = m.actives.iter().map(|p| permission(p, visible)).collect();
            fields.list("actives", actives).done()
        }
    }
}

/// The enum name; BANDWIDTH is 0 and left out.
fn resource_name(code: i32) -> &'static str {
    match code {
        1 => "ENERGY",
        2 => "TRON_POWER",
        _ => "",
    }
}

/// A permission.
pub(crate) fn permission(permission: &Permission, visible: bool) -> Value {
    let keys = permission
        .keys
        .iter()
        .map(|key| {
            Fields::default()
                .text("address", &address_text(&key.address, visible))
                .number("weight", key.weight)
                .done()
        })
        .collect();
    Fields::default()
        .text(
            "type",
            match permission.r#type {
                1 => "Witness",
                2 => "Active",
                _ => "",
            },
        )
        .number("id", i64::from(permission.id))
        .text("permission_name", &permission.permission_name)
        .number("threshold", permission.threshold)
        .number("parent_id", i64::from(permission.parent_id))
        .hex("operations", &permission.operations)
        .list("keys", keys)
        .done()
}

/// `TransactionInfo` of an included transaction.
pub(crate) fn info(block: &Block, included: &Included, visible: bool) -> Value {
    let info = &included.info;
    let failed = info.verdict.is_some_and(|v| v != Verdict::Success);
    let mut fields = Fields::default()
        .hex("id", &info.id)
        .number("fee", info.fee)
        .number("blockNumber", block.header.number)
        .number("blockTimeStamp", block.header.timestamp)
        .put("contractResult", json!([hex::encode(&info.output)]));
    if let Some(contract) = &info.contract {
        fields = fields.put("contract_address", address_text(&address::to_bytes(contract), visible));
    }
    fields = fields.put("receipt", receipt(info)).list("log", logs(info, visible));
    if failed {
        fields = fields.put("result", "FAILED").text("resMessage", &self_text(&info.message, visible));
    }
    fields.done()
}

fn receipt(info: &Info) -> Value {
    Fields::default()
        .number("energy_usage", info.energy_usage)
        .number("energy_fee", info.energy_fee)
        .number("energy_usage_total", info.energy_total)
        .number("net_usage", info.net_usage)
        .number("net_fee", info.net_fee)
        .text("result", info.verdict.map_or("", Verdict::name))
        .number("energy_penalty_total", info.energy_penalty)
        .done()
}

fn logs(info: &Info, visible: bool) -> Vec<Value> {
    info.logs.iter().map(|log| self::log(log, visible)).collect()
}

/// A log; the address has no prefix byte unless `visible` makes it base58.
pub(crate) fn log(log: &revm::primitives::Log, visible: bool) -> Value {
    let at = if visible { address::to_text(&log.address) } else { hex::encode(log.address) };
    let topics = log.data.topics().iter().map(|topic| Value::from(hex::encode(topic))).collect();
    Fields::default().put("address", at).list("topics", topics).hex("data", &log.data.data).done()
}

/// `getaccount`.
pub(crate) fn account(ledger: &Ledger, at: &Address, visible: bool) -> Value {
    let Some(account) = ledger.account(at) else {
        return json!({});
    };
    let actives = ledger.active_permissions(at).iter().map(|p| permission(p, visible)).collect();
    let mut fields = Fields::default()
        .put("address", address_text(&address::to_bytes(at), visible))
        .text("type", if account.is_contract { "Contract" } else { "" })
        .number("balance", ledger.balance_sun(at))
        .number("create_time", account.created_ms)
        .number("delegated_frozenV2_balance_for_bandwidth", account.bandwidth.delegated)
        .number("acquired_delegated_frozenV2_balance_for_bandwidth", account.bandwidth.acquired)
        .put("account_resource", account_resource(account));
    if !account.is_contract {
        if let Some(owner) = ledger.permission(at, 0) {
            fields = fields.put("owner_permission", permission(&owner, visible));
        }
        fields = fields.list("active_permission", actives);
    }
    fields.put("frozenV2", frozen(account)).list("unfrozenV2", unfreezing(account)).done()
}

fn account_resource(account: &Account) -> Value {
    Fields::default()
        .number("delegated_frozenV2_balance_for_energy", account.energy.delegated)
        .number("acquired_delegated_frozenV2_balance_for_energy", account.energy.acquired)
        .done()
}

fn frozen(account: &Account) -> Value {
    json!([
        Fields::default().number("amount", account.bandwidth.frozen).done(),
        Fields::default().put("type", "ENERGY").number("amount", account.energy.frozen).done(),
        { "type": "TRON_POWER" },
    ])
}

fn unfreezing(account: &Account) -> Vec<Value> {
    account
        .unfreezing
        .iter()
        .map(|(kind, sun, ready_ms)| {
            Fields::default()
                .text(
                    "type",
                    match kind {
                        Resource::Bandwidth => "",
                        Resource::Energy => "ENERGY",
                    },
                )
                .number("unfreeze_amount", *sun)
                .number("unfreeze_expire_time", *ready_ms)
                .done()
        })
        .collect()
}

/// `getaccountresource`.
pub(crate) fn account_resources(ledger: &Ledger, params: &Params, at: &Address, now_ms: i64) -> Value {
    let Some(account) = ledger.account(at) else {
        return json!({});
    };
    let power = account
        .bandwidth
        .frozen
        .saturating_add(account.bandwidth.delegated)
        .saturating_add(account.energy.frozen)
        .saturating_add(account.energy.delegated);
    Fields::default()
        .number("freeNetUsed", account.free_used.at(now_ms))
        .number("freeNetLimit", params.value("getFreeNetLimit"))
        .number("NetUsed", account.bandwidth.used.at(now_ms))
        .number("NetLimit", ledger.limit(at, Resource::Bandwidth, params))
        .number("TotalNetLimit", params.value("getTotalNetLimit"))
        .number("TotalNetWeight", ledger.total_weight(Resource::Bandwidth))
        .number("tronPowerLimit", power / TRX)
        .number("EnergyUsed", account.energy.used.at(now_ms))
        .number("EnergyLimit", ledger.limit(at, Resource::Energy, params))
        .number("TotalEnergyLimit", params.value("getTotalEnergyCurrentLimit"))
        .number("TotalEnergyWeight", ledger.total_weight(Resource::Energy))
        .done()
}

/// `getcontract`.
pub(crate) fn contract_info(at: &Address, meta: &ContractMeta, code: &[u8], visible: bool) -> Value {
    let entries = meta.abi.as_array().map(|abi| abi.iter().map(abi_entry).collect()).unwrap_or_default();
    Fields::default()
        .hex("bytecode", code)
        .put("consume_user_resource_percent", 100)
        .put("name", meta.name.clone())
        .put("origin_address", address_text(&address::to_bytes(&meta.origin), visible))
        .put("abi", Fields::default().list("entrys", entries).done())
        .put("origin_energy_limit", 10_000_000)
        .put("contract_address", address_text(&address::to_bytes(at), visible))
        .hex("code_hash", revm::primitives::keccak256(code).as_slice())
        .done()
}

/// Solidity's ABI entry in TRON's spelling: enum names capitalised, false left out.
fn abi_entry(entry: &Value) -> Value {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    let arguments = |key: &str| -> Vec<Value> {
        entry
            .get(key)
            .and_then(Value::as_array)
            .map(|list| list.iter().map(abi_argument).collect())
            .unwrap_or_default()
    };
    Fields::default()
        .text("name", text("name"))
        .text("type", &capitalised(text("type")))
        .list("inputs", arguments("inputs"))
        .list("outputs", arguments("outputs"))
        .text("stateMutability", &capitalised(text("stateMutability")))
        .done()
}

fn abi_argument(argument: &Value) -> Value {
    let text = |key: &str| argument.get(key).and_then(Value::as_str).unwrap_or_default();
    let fields = Fields::default().text("name", text("name")).text("type", text("type"));
    if argument.get("indexed").and_then(Value::as_bool) == Some(true) {
        fields.put("indexed", true)
    } else {
        fields
    }
    .done()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
