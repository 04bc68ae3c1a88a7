//! Reading what clients send: java-tron's JSON into protobuf, request fields with their defaults.
//!
//! Used by `http.rs`. As on the real node, `broadcasttransaction` rebuilds the bytes from `raw_data` and ignores `raw_data_hex`.

use revm::primitives::Address;
use serde_json::Value;

use super::address;
use super::message::{
    AccountPermissionUpdateContract, DelegateResourceContract, FreezeBalanceV2Contract, KINDS, Key,
    Operation, Permission, Raw, Transaction, TransferContract, TriggerSmartContract,
    UnDelegateResourceContract, UnfreezeBalanceV2Contract,
};

/// A request body that cannot be read, in words.
pub(crate) type Unreadable = String;

/// A request's fields.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    body: &'a Value,
    /// Whether addresses are base58.
    pub(crate) visible: bool,
}

impl<'a> Request<'a> {
    /// Reads `visible` and keeps the rest.
    pub(crate) fn new(body: &'a Value) -> Self {
        let visible = match body.get("visible") {
            Some(Value::Bool(visible)) => *visible,
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        Self { body, visible }
    }

    /// A part of the request with the same `visible`.
    pub(crate) fn part(&self, body: &'a Value) -> Self {
        Self { body, visible: self.visible }
    }

    /// The field as it is.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.body.get(key)
    }

    /// A number, also when spelled as a string; 0 when absent.
    pub(crate) fn number(&self, key: &str) -> Result<i64, Unreadable> {
        match self.body.get(key) {
            None | Some(Value::Null) => Ok(0),
            Some(Value::Number(number)) => number.as_i64().ok_or_else(|| format!("{key} is not an int64")),
            Some(Value::String(text)) => text.parse().map_err(|_| format!("For input string: \"{text}\"")),
            Some(_) => Err(format!("{key} is not a number")),
        }
    }

    /// A text; empty when absent.
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Hex bytes; empty when absent.
    pub(crate) fn hex(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        let text = self.text(key);
        hex::decode(text.strip_prefix("0x").unwrap_or(text))
            .map_err(|_| format!("INVALID hex String in {key}"))
    }

    /// A transaction or block id.
    pub(crate) fn id(&self, key: &str) -> Option<[u8; 32]> {
        self.hex(key).ok()?.try_into().ok()
    }

    /// Address bytes as given (21 bytes if it is one).
    pub(crate) fn address_bytes(&self, key: &str) -> Result<Vec<u8>, Unreadable> {
        let text = self.text(key);
        if !self.visible {
            return self.hex(key);
        }
        if text.is_empty() {
            return Ok(Vec::new());
        }
        address::from_base58(text).ok_or_else(|| format!("INVALID base58 String, {text}"))
    }

    /// A valid address.
    pub(crate) fn address(&self, key: &str) -> Result<Address, Unreadable> {
        let bytes = self.address_bytes(key)?;
        address::from_bytes(&bytes).ok_or_else(|| format!("Invalid address in {key}"))
    }

    fn resource(&self, key: &str) -> i32 {
        match self.body.get(key) {
            Some(Value::String(name)) if name == "ENERGY" => 1,
            Some(Value::String(name)) if name == "TRON_POWER" => 2,
            Some(Value::Number(number)) => {
                number.as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn flag(&self, key: &str) -> bool {
        self.body.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// A whole transaction from its JSON. A contract that cannot be read is left out, as on the real node.
pub(crate) fn transaction(request: &Request<'_>) -> Result<Transaction, Unreadable> {
    let raw = request.value("raw_data").map(|raw| raw_data(&request.part(raw))).transpose()?;
    let mut signature = Vec::new();
    for text in list(request.value("signature")) {
        let text = text.as_str().unwrap_or_default();
        let text = text.strip_prefix("0x").unwrap_or(text);
        signature.push(hex::decode(text).map_err(|_| "INVALID hex String in signature".to_owned())?);
    }
    Ok(Transaction { raw_data: raw, signature, ret: Vec::new() })
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn raw_data(request: &Request<'_>) -> Result<Raw, Unreadable> {
    let mut contracts = Vec::new();
    for entry in list(request.value("contract")) {
        let entry = request.part(entry);
        let parameter = entry.value("parameter").and_then(|p| p.get("value"));
        let Some(parameter) = parameter else {
            continue;
        };
        let Ok(operation) = operation(entry.text("type"), &request.part(parameter)) else {
            continue;
        };
        let mut contract = operation.pack();
        contract.permission_id = i32::try_from(entry.number("Permission_id")?).unwrap_or(0);
        contracts.push(contract);
    }
    Ok(Raw {
        ref_block_bytes: request.hex("ref_block_bytes")?,
        ref_block_num: request.number("ref_block_num")?,
        ref_block_hash: request.hex("ref_block_hash")?,
        expiration: request.number("expiration")?,
        data: request.hex("data")?,
        scripts: request.hex("scripts")?,
        contract: contracts,
        timestamp: request.number("timestamp")?,
        fee_limit: request.number("fee_limit")?,
        auths: Vec::new(),
    })
}

/// An operation from the JSON of its message.
pub(crate) fn operation(kind: &str, value: &Request<'_>) -> Result<Operation, Unreadable> {
    if !KINDS.iter().any(|(_, name)| *name == kind) {
        return Err(format!("contract type {kind} is not executed here"));
    }
    let owner_address = value.address_bytes("owner_address")?;
    Ok(match kind {
        "TransferContract" => Operation::Transfer(TransferContract {
            owner_address,
            to_address: value.address_bytes("to_address")?,
            amount: value.number("amount")?,
        }),
        "TriggerSmartContract" => Operation::Trigger(TriggerSmartContract {
            owner_address,
            contract_address: value.address_bytes("contract_address")?,
            call_value: value.number("call_value")?,
            data: value.hex("data")?,
            call_token_value: value.number("call_token_value")?,
            token_id: value.number("token_id")?,
        }),
        "FreezeBalanceV2Contract" => Operation::Freeze(FreezeBalanceV2Contract {
            owner_address,
            frozen_balance: value.number("frozen_balance")?,
            resource: value.resource("resource"),
        }),
        "UnfreezeBalanceV2Contract" => Operation::Unfreeze(UnfreezeBalanceV2Contract {
            owner_address,
            unfreeze_balance: value.number("unfreeze_balance")?,
            resource: value.resource("resource"),
        }),
        "DelegateResourceContract" => Operation::Delegate(DelegateResourceContract {
            owner_address,
            resource: value.resource("resource"),
            balance: value.number("balance")?,
            receiver_address: value.address_bytes("receiver_address")?,
            lock: value.flag("lock"),
            lock_period: value.number("lock_period")?,
        }),
        "UnDelegateResourceContract" => Operation::UnDelegate(UnDelegateResourceContract {
            owner_address,
            resource: value.resource("resource"),
            balance: value.number("balance")?,
            receiver_address: value.address_bytes("receiver_address")?,
        }),
        _ => Operation::PermissionUpdate(permission_update(owner_address, value)?),
    })
}

fn permission_update(
    owner_address: Vec<u8>,
    value: &Request<'_>,
) -> Result<AccountPermissionUpdateContract, Unreadable> {
    let one = |part: &Value| permission(&value.part(part));
    let actives = list(value.value("actives"));
    Ok(AccountPermissionUpdateContract {
        owner_address,
        owner: value.value("owner").map(one).transpose()?,
        witness: value.value("witness").map(one).transpose()?,
        actives: actives.iter().map(one).collect::<Result<_, _>>()?,
    })
}

fn permission(value: &Request<'_>) -> Result<Permission, Unreadable> {
    let kind = match value.value("type") {
        Some(Value::String(name)) if name == "Witness" => 1,
        Some(Value::String(name)) if name == "Active" => 2,
        Some(Value::Number(number)) => number.as_i64().and_then(|kind| i32::try_from(kind).ok()).unwrap_or(0),
        _ => 0,
    };
    let mut keys = Vec::new();
    for key in list(value.value("keys")) {
        let key = value.part(key);
        keys.push(Key { address: key.address_bytes("address")?, weight: key.number("weight")? });
    }
    Ok(Permission {
        r#type: kind,
        id: i32::try_from(value.number("id")?).unwrap_or(0),
        permission_name: value.text("permission_name").to_owned(),
        threshold: value.number("threshold")?,
        parent_id: i32::try_from(value.number("parent_id")?).unwrap_or(0),
        operations: value.hex("operations")?,
        keys,
    })
}
