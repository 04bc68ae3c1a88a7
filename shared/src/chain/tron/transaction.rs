//! TRON transactions: the fields, the exact raw_data bytes, the transaction id and the signed form.
//!
//! Both sides of the gap build [`Unsigned`] from the same [`Fields`] and so compute the same id; bytes to sign
//! are never taken from anybody. An [`Unsigned`] has exactly one contract and no field that its kind does not
//! use. Its bytes name no network: only the reference block ties it to a chain.
//!
//! ```text
//! raw_data     1 ref_block_bytes, 4 ref_block_hash, 8 expiration, 10 data (memo), 11 contract, 14 timestamp, 18 fee_limit
//! contract     1 type, 2 parameter (1 type_url, 2 message), 5 Permission_id
//! transaction  1 raw_data, 2 signature (repeated)                                     id: sha-256 of raw_data, which is what is signed
//! ```

use super::Refusal;
use super::signature::RecoveryForm;
use super::wire::Writer;
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::chain::erc20::TransferCall;
use crate::chain::signature::{Signature, SignatureError};
use crate::network::Network;
use sha2::{Digest as _, Sha256};

/// Most bytes of a raw_data: what a transaction that creates an account may have at most (java-tron's
/// `getMaxCreateAccountTxSize` never exceeds 10,000). Only a memo could make one of ours longer.
pub(super) const MAX_RAW_BYTES: usize = 10_000;
/// Most signatures of one transaction (java-tron's `TOTAL_SIGN_NUM`).
pub(super) const MAX_SIGNATURES: usize = 5;
/// Bytes that the chain counts for a transaction's result when it charges bandwidth.
const RESULT_BYTES: usize = 64;
const TYPE_URL_PREFIX: &str = "type.googleapis.com/protocol.";

/// What staked TRX yields (protocol enum ResourceCode; TRON_POWER is never delegated).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Pays for bytes.
    Bandwidth,
    /// Pays for contract execution.
    Energy,
}

impl Resource {
    /// Its number in the protocol.
    pub const fn number(self) -> u64 {
        match self {
            Self::Bandwidth => 0,
            Self::Energy => 1,
        }
    }
}

/// What a transaction does. Addresses are 20 bytes without the prefix 0x41; sun amounts are 0 to 2^63-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contract {
    /// TransferContract: TRX.
    Trx {
        /// Who receives.
        to: [u8; 20],
        /// Sun (10^-6 TRX).
        amount_sun: u64,
    },
    /// TriggerSmartContract with `transfer(to, amount)` of a TRC-20 contract and no TRX.
    Token {
        /// The token's contract.
        contract: [u8; 20],
        /// Who receives.
        to: [u8; 20],
        /// Base units of the token.
        amount: BaseUnits,
    },
    /// DelegateResourceContract.
    Delegate {
        /// Who may use the resource.
        receiver: [u8; 20],
        /// Which resource.
        resource: Resource,
        /// Staked sun whose yield is lent.
        balance_sun: u64,
        /// `Some` if it cannot be taken back for that many blocks (0: the chain's default of three days).
        lock_blocks: Option<u64>,
    },
    /// UnDelegateResourceContract.
    Undelegate {
        /// Who used the resource.
        receiver: [u8; 20],
        /// Which resource.
        resource: Resource,
        /// Staked sun whose yield is taken back.
        balance_sun: u64,
    },
}

impl Contract {
    /// Its ContractType number in the protocol.
    pub const fn type_number(&self) -> u64 {
        match self {
            Self::Trx { .. } => 1,
            Self::Token { .. } => 31,
            Self::Delegate { .. } => 57,
            Self::Undelegate { .. } => 58,
        }
    }

    const fn message_name(&self) -> &'static str {
        match self {
            Self::Trx { .. } => "TransferContract",
            Self::Token { .. } => "TriggerSmartContract",
            Self::Delegate { .. } => "DelegateResourceContract",
            Self::Undelegate { .. } => "UnDelegateResourceContract",
        }
    }

    /// The exact type_url of its Any.
    pub fn type_url(&self) -> String {
        format!("{TYPE_URL_PREFIX}{}", self.message_name())
    }

    /// The contract's own message.
    fn message(&self, owner: &[u8; 20]) -> Vec<u8> {
        let writer = Writer::new().bytes(1, &prefixed(owner));
        let writer = match self {
            Self::Trx { to, amount_sun } => writer.bytes(2, &prefixed(to)).integer(3, *amount_sun),
            Self::Token { contract, to, amount } => {
                let call = TransferCall { to: *to, amount: *amount };
                writer.bytes(2, &prefixed(contract)).bytes(4, &call.encode())
            }
            Self::Delegate { receiver, resource, balance_sun, lock_blocks } => writer
                .integer(2, resource.number())
                .integer(3, *balance_sun)
                .bytes(4, &prefixed(receiver))
                .integer(5, u64::from(lock_blocks.is_some()))
                .integer(6, lock_blocks.unwrap_or(0)),
            Self::Undelegate { receiver, resource, balance_sun } => {
                writer.integer(2, resource.number()).integer(3, *balance_sun).bytes(4, &prefixed(receiver))
            }
        };
        writer.finish()
    }

    /// Every int64 of the message, for the range check.
    fn numbers(&self) -> [(&'static str, u64); 2] {
        match *self {
            Self::Trx { amount_sun, .. } => [("amount", amount_sun), ("", 0)],
            Self::Token { .. } => [("", 0), ("", 0)],
            Self::Delegate { balance_sun, lock_blocks, .. } => {
                [("balance", balance_sun), ("lock period", lock_blocks.unwrap_or(0))]
            }
            Self::Undelegate { balance_sun, .. } => [("balance", balance_sun), ("", 0)],
        }
    }
}

fn prefixed(payload: &[u8; 20]) -> [u8; 21] {
    let mut bytes = [super::decode::ADDRESS_PREFIX; 21];
    bytes[1..].copy_from_slice(payload);
    bytes
}

/// The fields of a transaction of ours. Times are milliseconds since 1970, numbers 0 to 2^63-1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fields {
    /// Low 16 bits of the reference block's number, big endian.
    pub ref_block_bytes: [u8; 2],
    /// Bytes 8 to 16 of the reference block's id.
    pub ref_block_hash: [u8; 8],
    /// The last moment at which it may be included.
    pub expiration_ms: u64,
    /// Not validated by the chain; makes the ids of equal payments differ.
    pub timestamp_ms: u64,
    /// The most energy may cost, sun; only contract calls have one.
    pub fee_limit_sun: u64,
    /// The memo on chain, usually UTF-8; empty for none. The batch has its own, lower limit.
    pub memo: Vec<u8>,
    /// 0: the owner permission; 2 and up: an active permission of the account.
    pub permission_id: u32,
    /// Whose funds move and who pays the fees: 20 bytes without prefix.
    pub owner: [u8; 20],
    /// What it does.
    pub contract: Contract,
}

/// A transaction ready to be signed; its fields are in range and all of them are used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsigned(Fields);

impl Unsigned {
    /// Checks the ranges of `fields`.
    pub fn new(fields: Fields) -> Result<Self, Refusal> {
        let own = [
            ("expiration", fields.expiration_ms),
            ("timestamp", fields.timestamp_ms),
            ("fee limit", fields.fee_limit_sun),
        ];
        for (field, found) in own.into_iter().chain(fields.contract.numbers()) {
            if i64::try_from(found).is_err() {
                return Err(Refusal::OutOfRange { field, found });
            }
        }
        if i32::try_from(fields.permission_id).is_err() {
            return Err(Refusal::OutOfRange { field: "permission id", found: fields.permission_id.into() });
        }
        let is_call = matches!(fields.contract, Contract::Token { .. });
        if !is_call && fields.fee_limit_sun != 0 {
            return Err(Refusal::FeeLimitUnused { found: fields.fee_limit_sun });
        }
        let unsigned = Self(fields);
        match unsigned.encode().len() {
            found if found > MAX_RAW_BYTES => Err(Refusal::TooLong { found, max: MAX_RAW_BYTES }),
            _ => Ok(unsigned),
        }
    }

    /// Its fields.
    pub const fn fields(&self) -> &Fields {
        &self.0
    }

    /// The exact raw_data bytes.
    pub fn encode(&self) -> Vec<u8> {
        let fields = &self.0;
        let parameter = Writer::new()
            .bytes(1, fields.contract.type_url().as_bytes())
            .bytes(2, &fields.contract.message(&fields.owner))
            .finish();
        let contract = Writer::new()
            .integer(1, fields.contract.type_number())
            .bytes(2, &parameter)
            .integer(5, fields.permission_id.into())
            .finish();
        Writer::new()
            .bytes(1, &fields.ref_block_bytes)
            .bytes(4, &fields.ref_block_hash)
            .integer(8, fields.expiration_ms)
            .bytes(10, &fields.memo)
            .bytes(11, &contract)
            .integer(14, fields.timestamp_ms)
            .integer(18, fields.fee_limit_sun)
            .finish()
    }

    /// The transaction id: sha-256 of raw_data. It is also the hash that is signed.
    pub fn tx_id(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// The hash that is signed: the transaction id.
    pub fn signing_hash(&self) -> [u8; 32] {
        self.tx_id()
    }

    /// Joins one to five signatures. Who signed is for [`Signed::signers`] to say.
    pub fn attach(self, signatures: Vec<Signature>) -> Result<Signed, Refusal> {
        Signed::new(self, signatures, RecoveryForm::default())
    }
}

/// A transaction with its signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    unsigned: Unsigned,
    signatures: Vec<Signature>,
    form: RecoveryForm,
}

impl Signed {
    pub(super) fn new(
        unsigned: Unsigned,
        signatures: Vec<Signature>,
        form: RecoveryForm,
    ) -> Result<Self, Refusal> {
        match signatures.len() {
            1..=MAX_SIGNATURES => Ok(Self { unsigned, signatures, form }),
            found => Err(Refusal::SignatureCount { found }),
        }
    }

    /// What was signed.
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// The signatures in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The same transaction with its signatures' last bytes in another form; the id stays.
    #[must_use]
    pub fn with_form(mut self, form: RecoveryForm) -> Self {
        self.form = form;
        self
    }

    /// The bytes to broadcast.
    pub fn bytes(&self) -> Vec<u8> {
        let writer = Writer::new().bytes(1, &self.unsigned.encode());
        self.signatures
            .iter()
            .fold(writer, |writer, signature| writer.element(2, &self.form.write(signature)))
            .finish()
    }

    /// The transaction id; signatures are no part of it.
    pub fn tx_id(&self) -> [u8; 32] {
        self.unsigned.tx_id()
    }

    /// Bytes for which the chain charges bandwidth.
    pub fn bandwidth_bytes(&self) -> usize {
        self.bytes().len() + RESULT_BYTES
    }

    /// Who signed, in the signatures' order, as accounts of `network`.
    pub fn signers(&self, network: Network) -> Result<Vec<Address>, SignatureError> {
        let hash = self.unsigned.signing_hash();
        self.signatures.iter().map(|signature| signature.recover_address(network, &hash)).collect()
    }
}
