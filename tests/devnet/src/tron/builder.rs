//! The routes that run or build transactions without sending them: simulations, unsigned transactions, signature weights.
//!
//! Called by `http.rs` with a view of the chain; nothing here changes the chain. Whoever signs should build by itself, so the product
//! uses only the simulations; the rest is what foreign clients expect of a node.

use revm::primitives::Address;
use serde_json::{Value, json};

use super::http::{View, error};
use super::json::{self, Fields, self_text};
use super::message::{Operation, Raw, Transaction, TriggerSmartContract, transaction_id};
use super::request::{self, Request, Unreadable};
use super::steer::simulation;
use super::tvm::{Call, Ran, Verdict};
use super::{actuator, address, permission};

/// Lifetime of transactions the node builds.
const BUILT_LIFE_MS: i64 = 60_000;

impl View<'_> {
    /// Calldata from `data` or from `function_selector` and `parameter`.
    fn calldata(request: &Request<'_>) -> Result<Vec<u8>, Unreadable> {
        let selector = request.text("function_selector");
        if selector.is_empty() {
            return request.hex("data");
        }
        let mut data = revm::primitives::keccak256(selector.as_bytes())[..4].to_vec();
        data.extend(request.hex("parameter")?);
        Ok(data)
    }

    fn call(&self, request: &Request<'_>) -> Result<(Address, Call), Unreadable> {
        let owner = request.address("owner_address")?;
        let contract = request.address("contract_address")?;
        let mut call = simulation(owner, Some(contract), Self::calldata(request)?);
        call.value =
            u64::try_from(request.number("call_value")?).map_err(|_| "call_value must be >= 0".to_owned())?;
        Ok((contract, call))
    }

    fn simulate(&self, request: &Request<'_>) -> Result<Result<(Ran, Call), Value>, Unreadable> {
        let (contract, call) = self.call(request)?;
        if self.ledger().contract(&contract).is_none() {
            let text = "Smart contract is not exist.";
            return Ok(Err(json!({ "result": {
                "code": "CONTRACT_VALIDATE_ERROR", "message": self_text(text, request.visible),
            }})));
        }
        let ran = self.chain.simulate(self.head, self.ledger(), call.clone());
        Ok(Ok((ran, call)))
    }

    pub(super) fn constant(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let (ran, call) = match self.simulate(request)? {
            Ok(done) => done,
            Err(refused) => return Ok(refused),
        };
        let used = i64::try_from(ran.energy_used).unwrap_or(i64::MAX);
        let penalty = i64::try_from(ran.energy_penalty).unwrap_or(i64::MAX);
        let message = self_text(&ran.message, request.visible);
        let result = match ran.verdict {
            Verdict::Success => json!({ "result": true }),
            Verdict::Revert => json!({ "result": true, "message": message }),
            _ => json!({ "code": "OTHER_ERROR", "message": message }),
        };
        let mut printed = self.unsigned(trigger_of(&call), 0, request);
        if let Some(object) = printed.as_object_mut() {
            let ret =
                if ran.verdict == Verdict::Success { json!([{}]) } else { json!([{ "ret": "FAILED" }]) };
            object.insert("ret".to_owned(), ret);
        }
        let logs = ran.logs.iter().map(|l| json::log(l, request.visible)).collect();
        Ok(Fields::default()
            .put("result", result)
            .number("energy_used", used)
            .number("energy_penalty", penalty)
            .put("constant_result", json!([hex::encode(&ran.output)]))
            .list("logs", logs)
            .put("transaction", printed)
            .done())
    }

    pub(super) fn estimate(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        if !self.estimates {
            let text = "this node does not support estimate energy";
            return Ok(json!({ "result": {
                "code": "CONTRACT_VALIDATE_ERROR", "message": self_text(text, request.visible),
            }}));
        }
        let (ran, _) = match self.simulate(request)? {
            Ok(done) => done,
            Err(refused) => return Ok(refused),
        };
        Ok(if ran.verdict == Verdict::Success {
            json!({ "result": { "result": true }, "energy_required": ran.energy_used })
        } else {
            json!({ "result": {
                "code": "CONTRACT_EXE_ERROR", "message": self_text(&ran.message, request.visible),
            }})
        })
    }

    pub(super) fn trigger(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let (contract, call) = self.call(request)?;
        if self.ledger().contract(&contract).is_none() {
            let text = "Contract validate error : No contract or not a valid smart contract";
            return Ok(json!({ "result": {
                "code": "CONTRACT_VALIDATE_ERROR", "message": self_text(text, request.visible),
            }}));
        }
        let fee_limit = request.number("fee_limit")?;
        let printed = self.unsigned(trigger_of(&call), fee_limit, request);
        Ok(json!({ "result": { "result": true }, "transaction": printed }))
    }

    /// An unsigned transaction as the node builds it: solid reference block, head + 60 s.
    fn unsigned(&self, operation: Operation, fee_limit: i64, request: &Request<'_>) -> Value {
        let reference = self.chain.block(self.solid_number).unwrap_or(self.head);
        let head_ms = self.head.header.timestamp;
        let mut contract = operation.pack();
        let permission_id = request.number("Permission_id").unwrap_or(0);
        contract.permission_id = i32::try_from(permission_id).unwrap_or(0);
        let transaction = Transaction {
            raw_data: Some(Raw {
                ref_block_bytes: reference.id[6..8].to_vec(),
                ref_block_hash: reference.id[8..16].to_vec(),
                expiration: head_ms + BUILT_LIFE_MS,
                data: request.hex("extra_data").unwrap_or_default(),
                contract: vec![contract],
                timestamp: self.chain.clock.now_ms(),
                fee_limit,
                ..Raw::default()
            }),
            ..Transaction::default()
        };
        json::transaction(&transaction, request.visible)
    }

    /// The routes that build a system-contract transaction validate first.
    pub(super) fn build(&self, kind: &str, request: &Request<'_>) -> Result<Value, Unreadable> {
        let operation = request::operation(kind, request)?;
        let context = self.chain.next_context();
        match actuator::validate(self.ledger(), &self.chain.params, context, &operation) {
            Ok(_) => Ok(self.unsigned(operation, 0, request)),
            Err(refusal) => Ok(error(
                "org.tron.core.exception.ContractValidateException",
                refusal.message.trim_start_matches("Contract validate error : "),
            )),
        }
    }

    pub(super) fn sign_weight(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let transaction = request::transaction(request)?;
        let raw = transaction.raw_data.clone().unwrap_or_default();
        let Some(contract) = raw.contract.first() else {
            return Ok(
                json!({ "result": { "code": "OTHER_ERROR", "message": "Invalid transaction: no valid contract" } }),
            );
        };
        let owner = Operation::unpack(contract).and_then(|op| address::from_bytes(op.owner_address()));
        let found = owner.and_then(|at| self.ledger().permission(&at, contract.permission_id));
        let Some(granted) = found else {
            return Ok(
                json!({ "result": { "code": "PERMISSION_ERROR", "message": "Permission for this, does not exist!" } }),
            );
        };
        let id = transaction_id(&raw);
        let fields = Fields::default().put("permission", json::permission(&granted, request.visible));
        let (fields, result) = match permission::weigh(&granted, &transaction.signature, &id) {
            Ok((weight, signers)) => {
                let result = if weight >= granted.threshold {
                    json!({})
                } else {
                    json!({ "code": "NOT_ENOUGH_PERMISSION" })
                };
                let list = self.addresses(&signers, request.visible);
                (fields.list("approved_list", list).number("current_weight", weight), result)
            }
            Err(text) => (fields, json!({ "code": "SIGNATURE_FORMAT_ERROR", "message": text })),
        };
        Ok(fields
            .put("result", result)
            .put("transaction", wrapped(&transaction, &id, request.visible))
            .done())
    }

    pub(super) fn approved(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let transaction = request::transaction(request)?;
        let raw = transaction.raw_data.clone().unwrap_or_default();
        let id = transaction_id(&raw);
        let mut signers = Vec::new();
        for signature in &transaction.signature {
            match permission::signer(signature, &id) {
                Ok(signer) => signers.push(signer),
                Err(text) => {
                    return Ok(json!({ "result": { "code": "SIGNATURE_FORMAT_ERROR", "message": text } }));
                }
            }
        }
        Ok(Fields::default()
            .put("result", json!({}))
            .list("approved_list", self.addresses(&signers, request.visible))
            .put("transaction", wrapped(&transaction, &id, request.visible))
            .done())
    }

    fn addresses(&self, list: &[Address], visible: bool) -> Vec<Value> {
        list.iter().map(|at| Value::from(json::address_text(&address::to_bytes(at), visible))).collect()
    }
}

fn trigger_of(call: &Call) -> Operation {
    Operation::Trigger(TriggerSmartContract {
        owner_address: address::to_bytes(&call.caller),
        contract_address: call.to.as_ref().map(address::to_bytes).unwrap_or_default(),
        call_value: i64::try_from(call.value).unwrap_or(i64::MAX),
        data: call.data.clone(),
        ..TriggerSmartContract::default()
    })
}

/// A transaction as the signature routes wrap it.
fn wrapped(transaction: &Transaction, id: &[u8; 32], visible: bool) -> Value {
    json!({
        "result": { "result": true },
        "txid": hex::encode(id),
        "transaction": json::transaction(transaction, visible),
    })
}
