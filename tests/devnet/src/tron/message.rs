//! TRON's protobuf messages, declared here a second time on purpose: the devnet must not share the product's codec.
//!
//! Field numbers are java-tron's `protocol/src/main/protos/core/*.proto`. Read by `broadcast.rs` (from bytes), `json.rs` (from and to
//! JSON) and `actuator.rs`. Re-encoding a decoded message gives java-tron's canonical bytes, whose hash is the transaction id.

use prost::Message;

/// A whole transaction.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Transaction {
    #[prost(message, optional, tag = "1")]
    pub(crate) raw_data: Option<Raw>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) signature: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) ret: Vec<TransactionResult>,
}

/// What is signed.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Raw {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) ref_block_bytes: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(crate) ref_block_num: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) ref_block_hash: Vec<u8>,
    #[prost(int64, tag = "8")]
    pub(crate) expiration: i64,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(crate) auths: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) data: Vec<u8>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) contract: Vec<Contract>,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) scripts: Vec<u8>,
    #[prost(int64, tag = "14")]
    pub(crate) timestamp: i64,
    #[prost(int64, tag = "18")]
    pub(crate) fee_limit: i64,
}

/// One operation; a transaction carries exactly one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contract {
    #[prost(int32, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) parameter: Option<Any>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) provider: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) contract_name: Vec<u8>,
    #[prost(int32, tag = "5")]
    pub(crate) permission_id: i32,
}

/// google.protobuf.Any; `value` stays opaque.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `ret` of a transaction inside a block.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TransactionResult {
    #[prost(int64, tag = "1")]
    pub(crate) fee: i64,
    #[prost(int32, tag = "2")]
    pub(crate) ret: i32,
    #[prost(int32, tag = "3")]
    pub(crate) contract_ret: i32,
}

/// Native coin transfer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TransferContract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) to_address: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(crate) amount: i64,
}

/// Contract call.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TriggerSmartContract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) contract_address: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(crate) call_value: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
    #[prost(int64, tag = "5")]
    pub(crate) call_token_value: i64,
    #[prost(int64, tag = "6")]
    pub(crate) token_id: i64,
}

/// Stake 2.0: freeze.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FreezeBalanceV2Contract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) frozen_balance: i64,
    #[prost(int32, tag = "3")]
    pub(crate) resource: i32,
}

/// Stake 2.0: unfreeze.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnfreezeBalanceV2Contract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) unfreeze_balance: i64,
    #[prost(int32, tag = "3")]
    pub(crate) resource: i32,
}

/// Stake 2.0: lend staked resource.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DelegateResourceContract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(int32, tag = "2")]
    pub(crate) resource: i32,
    #[prost(int64, tag = "3")]
    pub(crate) balance: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) receiver_address: Vec<u8>,
    #[prost(bool, tag = "5")]
    pub(crate) lock: bool,
    #[prost(int64, tag = "6")]
    pub(crate) lock_period: i64,
}

/// Stake 2.0: take lent resource back.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnDelegateResourceContract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(int32, tag = "2")]
    pub(crate) resource: i32,
    #[prost(int64, tag = "3")]
    pub(crate) balance: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) receiver_address: Vec<u8>,
}

/// Replaces all permissions of an account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccountPermissionUpdateContract {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) owner_address: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub(crate) owner: Option<Permission>,
    #[prost(message, optional, tag = "3")]
    pub(crate) witness: Option<Permission>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) actives: Vec<Permission>,
}

/// Who may sign for what.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Permission {
    #[prost(int32, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(int32, tag = "2")]
    pub(crate) id: i32,
    #[prost(string, tag = "3")]
    pub(crate) permission_name: String,
    #[prost(int64, tag = "4")]
    pub(crate) threshold: i64,
    #[prost(int32, tag = "5")]
    pub(crate) parent_id: i32,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) operations: Vec<u8>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) keys: Vec<Key>,
}

/// One key of a permission.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Key {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) address: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) weight: i64,
}

/// The part of a block header that is hashed into the block id.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlockHeaderRaw {
    #[prost(int64, tag = "1")]
    pub(crate) timestamp: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) tx_trie_root: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) parent_hash: Vec<u8>,
    #[prost(int64, tag = "7")]
    pub(crate) number: i64,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) witness_address: Vec<u8>,
    #[prost(int32, tag = "10")]
    pub(crate) version: i32,
}

/// The kinds of operation this chain executes; others are refused at validation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    Transfer(TransferContract),
    Trigger(TriggerSmartContract),
    Freeze(FreezeBalanceV2Contract),
    Unfreeze(UnfreezeBalanceV2Contract),
    Delegate(DelegateResourceContract),
    UnDelegate(UnDelegateResourceContract),
    PermissionUpdate(AccountPermissionUpdateContract),
}

/// ContractType numbers and names of the operations above.
pub(crate) const KINDS: [(i32, &str); 7] = [
    (1, "TransferContract"),
    (31, "TriggerSmartContract"),
    (46, "AccountPermissionUpdateContract"),
    (54, "FreezeBalanceV2Contract"),
    (55, "UnfreezeBalanceV2Contract"),
    (57, "DelegateResourceContract"),
    (58, "UnDelegateResourceContract"),
];

/// The name of a ContractType number, if this chain executes it.
pub(crate) fn kind_name(kind: i32) -> Option<&'static str> {
    KINDS.iter().find(|(n, _)| *n == kind).map(|(_, name)| *name)
}

impl Operation {
    /// Unpacks the parameter as java-tron does: by the type number, comparing only the part of type_url after the last slash.
    pub(crate) fn unpack(contract: &Contract) -> Option<Self> {
        let any = contract.parameter.as_ref()?;
        let name = kind_name(contract.r#type)?;
        let named = any.type_url.rsplit('/').next().unwrap_or_default();
        if named != format!("protocol.{name}") {
            return None;
        }
        let bytes = any.value.as_slice();
        Some(match contract.r#type {
            1 => Self::Transfer(Message::decode(bytes).ok()?),
            31 => Self::Trigger(Message::decode(bytes).ok()?),
            46 => Self::PermissionUpdate(Message::decode(bytes).ok()?),
            54 => Self::Freeze(Message::decode(bytes).ok()?),
            55 => Self::Unfreeze(Message::decode(bytes).ok()?),
            57 => Self::Delegate(Message::decode(bytes).ok()?),
            58 => Self::UnDelegate(Message::decode(bytes).ok()?),
            _ => return None,
        })
    }

    /// Packs an operation into the contract of a transaction.
    pub(crate) fn pack(&self) -> Contract {
        let (kind, value) = match self {
            Self::Transfer(m) => (1, m.encode_to_vec()),
            Self::Trigger(m) => (31, m.encode_to_vec()),
            Self::PermissionUpdate(m) => (46, m.encode_to_vec()),
            Self::Freeze(m) => (54, m.encode_to_vec()),
            Self::Unfreeze(m) => (55, m.encode_to_vec()),
            Self::Delegate(m) => (57, m.encode_to_vec()),
            Self::UnDelegate(m) => (58, m.encode_to_vec()),
        };
        Contract {
            r#type: kind,
            parameter: Some(Any {
                type_url: format!("type.googleapis.com/protocol.{}", kind_name(kind).unwrap_or_default()),
                value,
            }),
            ..Contract::default()
        }
    }

    /// The account that pays and signs.
    pub(crate) fn owner_address(&self) -> &[u8] {
        match self {
            Self::Transfer(m) => &m.owner_address,
            Self::Trigger(m) => &m.owner_address,
            Self::PermissionUpdate(m) => &m.owner_address,
            Self::Freeze(m) => &m.owner_address,
            Self::Unfreeze(m) => &m.owner_address,
            Self::Delegate(m) => &m.owner_address,
            Self::UnDelegate(m) => &m.owner_address,
        }
    }
}

/// The txID: SHA-256 of the re-encoded raw data.
pub(crate) fn transaction_id(raw: &Raw) -> [u8; 32] {
    crate::keys::sha256(&raw.encode_to_vec())
}
