//! TRON's HTTP API: `/wallet/*` shows the head with the pool on top, `/walletsolidity/*` the solid state.
//!
//! Called by `serve.rs` for every request to a TRON provider, under the chain's mutex. Paths, fields and errors are those of
//! java-tron's servlets; status is 200 even for errors.

use serde_json::{Value, json};

use super::actuator;
use super::address;
use super::broadcast;
use super::chain::{Block, Included, TronChain};
use super::json::{self, Fields, self_text};
use super::ledger::{Ledger, Resource};
use super::message::{kind_name, transaction_id};
use super::refusal::{Code, Refusal};
use super::request::{self, Request, Unreadable};
use crate::faults::Faults;

/// Most blocks one range answers.
const RANGE_MAX: i64 = 100;
const LITE_TEXT: &str = "this API is closed because this node is a lite fullnode";
const CLOSED_ON_LITE: [&str; 9] = [
    "getblockbyid",
    "getblockbynum",
    "getblockbylimitnext",
    "getblockbylatestnum",
    "gettransactionbyid",
    "gettransactioninfobyid",
    "gettransactioninfobyblocknum",
    "getblock",
    "gettransactioncountbyblocknum",
];

/// What a provider answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// JSON, status 200.
    Json(Value),
    /// Bare text, status 200.
    Text(&'static str),
    /// No such path: status 404.
    NotFound,
}

/// Answers one request.
pub(crate) fn answer(chain: &mut TronChain, faults: &Faults, path: &str, body: &Value) -> Answer {
    if faults.rate_limited {
        return Answer::Json(error("java.lang.IllegalAccessException", "lack of computing resources"));
    }
    let (solid, name) = match path.strip_prefix("/walletsolidity/") {
        Some(name) => (true, name),
        None => match path.strip_prefix("/wallet/") {
            Some(name) => (false, name),
            None => return Answer::NotFound,
        },
    };
    if faults.lite && CLOSED_ON_LITE.contains(&name) {
        return Answer::Text(LITE_TEXT);
    }
    let request = Request::new(body);
    if !solid && matches!(name, "broadcasthex" | "broadcasttransaction") {
        return Answer::Json(broadcast_route(chain, faults, name, &request));
    }
    let view = View::new(chain, faults, solid);
    match view.read(name, &request) {
        Some(Ok(value)) => Answer::Json(value),
        Some(Err(text)) => Answer::Json(error("java.lang.IllegalArgumentException", &text)),
        None => Answer::NotFound,
    }
}

pub(super) fn error(class: &str, text: &str) -> Value {
    json!({ "Error": format!("class {class} : {text}") })
}

fn broadcast_route(chain: &mut TronChain, faults: &Faults, name: &str, request: &Request<'_>) -> Value {
    let decoded = match name {
        "broadcasthex" => request.hex("transaction").and_then(|bytes| {
            broadcast::decode(&bytes)
                .ok_or_else(|| "Protocol message contained an invalid tag (zero).".to_owned())
        }),
        _ => request::transaction(request),
    };
    let transaction = match decoded {
        Ok(transaction) => transaction,
        Err(text) => return error("com.google.protobuf.InvalidProtocolBufferException", &text),
    };
    let id = hex::encode(transaction_id(&transaction.raw_data.clone().unwrap_or_default()));
    let printed = json::transaction(&transaction, request.visible);
    let outcome = if faults.server_busy {
        Err(Refusal::new(Code::ServerBusy, "Server busy."))
    } else if faults.dup {
        Err(Refusal::new(Code::DupTransactionError, "Dup transaction."))
    } else {
        broadcast::broadcast(chain, transaction).map(|_| ())
    };
    if name == "broadcasthex" {
        let (result, code, message) = match &outcome {
            Ok(()) => (true, "SUCCESS", ""),
            Err(refusal) => (false, refusal.code.name(), refusal.message.as_str()),
        };
        return json!({
            "result": result, "code": code, "message": message,
            "transaction": printed.to_string(), "txid": id,
        });
    }
    match outcome {
        Ok(()) => json!({ "result": true, "txid": id }),
        Err(refusal) => json!({
            "code": refusal.code.name(),
            "txid": id,
            "message": self_text(&refusal.message, request.visible),
        }),
    }
}

/// The chain as one provider and one of its two paths sees it.
pub(super) struct View<'a> {
    pub(super) chain: &'a TronChain,
    pub(super) head: &'a Block,
    pub(super) solid_number: u64,
    solid: bool,
    sees_pool: bool,
    empty: bool,
    hides_transfers: bool,
    pub(super) estimates: bool,
}

type Read = Option<Result<Value, Unreadable>>;

impl<'a> View<'a> {
    fn new(chain: &'a TronChain, faults: &Faults, solid: bool) -> Self {
        let head_number = chain.head_number().saturating_sub(faults.lag_blocks);
        let solid_number = chain.solid.saturating_sub(faults.lag_blocks).min(head_number);
        let top = if solid { solid_number } else { head_number };
        Self {
            chain,
            head: chain.block(top).unwrap_or_else(|| chain.head()),
            solid_number,
            solid,
            sees_pool: !solid && faults.lag_blocks == 0,
            empty: faults.empty,
            hides_transfers: faults.hide_transfers,
            estimates: !faults.no_estimate_energy,
        }
    }

    pub(super) fn ledger(&self) -> &'a Ledger {
        if self.sees_pool { &self.chain.pending } else { &self.head.ledger }
    }

    fn read(&self, name: &str, request: &Request<'_>) -> Read {
        if self.empty {
            match name {
                "gettransactioninfobyblocknum" => return Some(Ok(json!([]))),
                name if CLOSED_ON_LITE.contains(&name) || name == "gettransactionfrompending" => {
                    return Some(Ok(json!({})));
                }
                _ => {}
            }
        }
        self.read_blocks(name, request)
            .or_else(|| self.read_state(name, request))
            .or_else(|| if self.solid { None } else { self.read_wallet(name, request) })
    }

    fn read_blocks(&self, name: &str, request: &Request<'_>) -> Read {
        Some(match name {
            "getnowblock" => Ok(self.told(self.head, request.visible, true)),
            "getblock" => self.block_by_text(request),
            "getblockbynum" => {
                request.number("num").map(|num| self.block_json(self.numbered(num), request.visible))
            }
            "getblockbyid" => {
                Ok(self.block_json(request.id("value").and_then(|id| self.with_id(&id)), request.visible))
            }
            "getblockbylimitnext" => self.range(request),
            "getblockbylatestnum" => request.number("num").map(|num| {
                let end = self.head.header.number + 1;
                self.blocks_json(end.saturating_sub(num.clamp(0, RANGE_MAX)), end, request.visible)
            }),
            "gettransactionbyid" => Ok(self.transaction(request)),
            "gettransactioninfobyid" => Ok(self.info(request)),
            "gettransactioninfobyblocknum" => self.infos(request),
            "gettransactioncountbyblocknum" => request.number("num").map(|num| {
                let count = self.numbered(num).map_or(0, |b| b.transactions.len());
                json!({ "count": count })
            }),
            "gettransactionfrompending" if !self.solid => Ok(self.pooled(request)),
            _ => return None,
        })
    }

    fn read_state(&self, name: &str, request: &Request<'_>) -> Read {
        Some(match name {
            "getaccount" => {
                request.address("address").map(|at| json::account(self.ledger(), &at, request.visible))
            }
            "triggerconstantcontract" => self.constant(request),
            "estimateenergy" => self.estimate(request),
            "getnodeinfo" => Ok(self.node_info()),
            _ => return None,
        })
    }

    fn read_wallet(&self, name: &str, request: &Request<'_>) -> Read {
        let now_ms = self.head.header.timestamp;
        Some(match name {
            "getchainparameters" => Ok(self.chain.params.json()),
            "getaccountresource" => request
                .address("address")
                .map(|at| json::account_resources(self.ledger(), &self.chain.params, &at, now_ms)),
            "getaccountnet" => request
                .address("address")
                .map(|at| json::account_resources(self.ledger(), &self.chain.params, &at, now_ms)),
            "getcontract" => {
                request.address_bytes("value").map(|bytes| self.contract(&bytes, request.visible))
            }
            "getcandelegatedmaxsize" => self.delegatable(request),
            "getdelegatedresourcev2" => self.delegated(request),
            "getsignweight" => self.sign_weight(request),
            "getapprovedlist" => self.approved(request),
            "triggersmartcontract" => self.trigger(request),
            "createtransaction" => self.build("TransferContract", request),
            "freezebalancev2" => self.build("FreezeBalanceV2Contract", request),
            "unfreezebalancev2" => self.build("UnfreezeBalanceV2Contract", request),
            "delegateresource" => self.build("DelegateResourceContract", request),
            "undelegateresource" => self.build("UnDelegateResourceContract", request),
            "accountpermissionupdate" => self.build("AccountPermissionUpdateContract", request),
            _ => return None,
        })
    }

    fn numbered(&self, number: i64) -> Option<&'a Block> {
        let number = u64::try_from(number).ok()?;
        (number <= self.head.number()).then(|| self.chain.block(number)).flatten()
    }

    fn with_id(&self, id: &[u8; 32]) -> Option<&'a Block> {
        let number = i64::from_be_bytes(id.get(..8)?.try_into().ok()?);
        self.numbered(number).filter(|block| block.id == *id)
    }

    fn block_json(&self, block: Option<&Block>, visible: bool) -> Value {
        block.map_or_else(|| json!({}), |block| self.told(block, visible, true))
    }

    /// A block as this provider tells it.
    fn told(&self, block: &Block, visible: bool, detail: bool) -> Value {
        let mut value = json::block(block, visible, detail);
        if let Some(listed) = value.get_mut("transactions").and_then(Value::as_array_mut) {
            let mut shown = block.transactions.iter().map(|included| self.shows(included));
            listed.retain(|_| shown.next().unwrap_or(true));
        }
        value
    }

    fn shows(&self, included: &Included) -> bool {
        let raw = included.transaction.raw_data.as_ref();
        let moves_coin = raw.is_some_and(|raw| {
            raw.contract.iter().any(|contract| kind_name(contract.r#type) == Some("TransferContract"))
        });
        !(self.hides_transfers && moves_coin)
    }

    /// An info as this provider tells it.
    fn told_info(&self, block: &Block, included: &Included, visible: bool) -> Value {
        let mut value = json::info(block, included, visible);
        if self.hides_transfers
            && let Some(fields) = value.as_object_mut()
        {
            fields.remove("log");
        }
        value
    }

    fn block_by_text(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let detail =
            request.value("detail").is_some_and(|d| d.as_bool() == Some(true) || d.as_str() == Some("true"));
        let text = request.text("id_or_num");
        let block = if text.is_empty() && request.value("id_or_num").is_none() {
            Some(self.head)
        } else if text.len() == 64 {
            request.id("id_or_num").and_then(|id| self.with_id(&id))
        } else {
            self.numbered(request.number("id_or_num")?)
        };
        Ok(block.map_or_else(|| json!({}), |b| self.told(b, request.visible, detail)))
    }

    fn range(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let start = request.number("startNum")?;
        let end = request.number("endNum")?;
        if start < 0 || end <= start || end - start > RANGE_MAX {
            return Ok(json!({}));
        }
        Ok(self.blocks_json(start, end, request.visible))
    }

    fn blocks_json(&self, start: i64, end: i64, visible: bool) -> Value {
        let blocks = (start.max(0)..end)
            .filter_map(|number| self.numbered(number))
            .map(|block| self.told(block, visible, true))
            .collect();
        Fields::default().list("block", blocks).done()
    }

    fn transaction(&self, request: &Request<'_>) -> Value {
        let Some(id) = request.id("value") else {
            return json!({});
        };
        match self.chain.find(&id) {
            Some((block, included)) if block.number() <= self.head.number() && self.shows(included) => {
                json::transaction(&included.transaction, request.visible)
            }
            Some(_) => json!({}),
            None => self.pooled(request),
        }
    }

    fn pooled(&self, request: &Request<'_>) -> Value {
        let id = request.id("value");
        self.chain
            .pool
            .iter()
            .find(|pending| self.sees_pool && Some(pending.id) == id)
            .map_or_else(|| json!({}), |pending| json::transaction(&pending.transaction, request.visible))
    }

    fn info(&self, request: &Request<'_>) -> Value {
        request
            .id("value")
            .and_then(|id| self.chain.find(&id))
            .filter(|(block, included)| block.number() <= self.head.number() && self.shows(included))
            .map_or_else(|| json!({}), |(block, included)| self.told_info(block, included, request.visible))
    }

    fn infos(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let number = request.number("num")?;
        if number <= 0 {
            return Ok(json!({}));
        }
        let infos: Vec<Value> = self.numbered(number).map_or_else(Vec::new, |block| {
            let shown = block.transactions.iter().filter(|included| self.shows(included));
            shown.map(|included| self.told_info(block, included, request.visible)).collect()
        });
        Ok(Value::Array(infos))
    }

    fn contract(&self, bytes: &[u8], visible: bool) -> Value {
        let ledger = self.ledger();
        address::from_bytes(bytes).and_then(|at| ledger.contract(&at).map(|meta| (at, meta))).map_or_else(
            || json!({}),
            |(at, meta)| json::contract_info(&at, meta, &ledger.world.code(&at), visible),
        )
    }

    fn delegatable(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let at = request.address("owner_address")?;
        let kind = match request.number("type")? {
            0 => Resource::Bandwidth,
            _ => Resource::Energy,
        };
        let now_ms = self.head.header.timestamp;
        let most = actuator::delegatable(self.ledger(), &self.chain.params, &at, kind, now_ms);
        Ok(Fields::default().number("max_size", most).done())
    }

    fn delegated(&self, request: &Request<'_>) -> Result<Value, Unreadable> {
        let from = request.address("fromAddress")?;
        let to = request.address("toAddress")?;
        let loan = |kind| {
            let loans = &self.ledger().delegations;
            loans.get(&(from, to, kind)).copied().unwrap_or_default()
        };
        let (bandwidth, energy) = (loan(Resource::Bandwidth), loan(Resource::Energy));
        if bandwidth.amount == 0 && energy.amount == 0 {
            return Ok(json!({}));
        }
        let entry = Fields::default()
            .put("from", json::address_text(&address::to_bytes(&from), request.visible))
            .put("to", json::address_text(&address::to_bytes(&to), request.visible))
            .number("frozen_balance_for_bandwidth", bandwidth.amount)
            .number("frozen_balance_for_energy", energy.amount)
            .number("expire_time_for_bandwidth", bandwidth.locked_until_ms)
            .number("expire_time_for_energy", energy.locked_until_ms)
            .done();
        Ok(json!({ "delegatedResource": [entry] }))
    }

    fn node_info(&self) -> Value {
        let solid = self.chain.block(self.solid_number).unwrap_or(self.head);
        let named = |block: &Block| format!("Num:{},ID:{}", block.number(), hex::encode(block.id));
        json!({
            "block": named(self.head),
            "solidityBlock": named(solid),
            "currentConnectCount": 2,
            "activeConnectCount": 2,
            "configNodeInfo": { "codeVersion": "4.8.0", "supportConstant": true },
        })
    }
}
