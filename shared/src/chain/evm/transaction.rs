//! EIP-1559 transactions: the fields, the exact bytes to hash, and the signed form.
//!
//! Both sides of the gap build [`Unsigned`] from the same [`Fields`] and so compute the same hash; bytes to
//! sign are never taken from anybody. An [`Unsigned`] always satisfies EIP-1559 and EIP-2681 (chain id, nonce
//! and fee order); whether its fees and gas are sensible is policy's business.
//!
//! ```text
//! 0x02 ‖ rlp([chain_id, nonce, priority fee, max fee, gas limit, to, value, data, []])            keccak-256: hash to sign
//! 0x02 ‖ rlp([the same nine, y_parity, r, s])                                                     keccak-256: transaction id
//! ```

use super::{Kind, Refusal};
use crate::address::Address;
use crate::amount::BaseUnits;
use crate::chain::erc20::TransferCall;
use crate::chain::rlp::ListWriter;
use crate::chain::signature::{Signature, SignatureError};
use crate::network::Network;
use sha3::{Digest as _, Keccak256};

/// EIP-2718 type byte of EIP-1559 transactions.
pub(super) const TYPE_BYTE: u8 = 2;

/// What a transaction pays: native coin, or a token. A payment never does both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payment {
    /// Native coin, no calldata. Zero to oneself cancels an account nonce.
    Native {
        /// Who receives.
        to: [u8; 20],
        /// Wei.
        amount: BaseUnits,
    },
    /// `transfer(to, amount)` of an ERC-20 contract, no native coin.
    Token {
        /// The token's contract.
        contract: [u8; 20],
        /// Who receives.
        to: [u8; 20],
        /// Base units of the token.
        amount: BaseUnits,
    },
}

impl Payment {
    /// The payment of a transaction's `to`, `value` and `data`.
    pub fn from_parts(to: [u8; 20], value: BaseUnits, data: &[u8]) -> Result<Self, Kind> {
        if data.is_empty() {
            return Ok(Self::Native { to, amount: value });
        }
        let call = TransferCall::decode(data).map_err(|_| Kind::OtherCall { bytes: data.len() })?;
        if !value.is_zero() {
            return Err(Kind::CallWithValue);
        }
        Ok(Self::Token { contract: to, to: call.to, amount: call.amount })
    }

    /// The account or contract that the transaction addresses.
    pub const fn transaction_to(&self) -> &[u8; 20] {
        match self {
            Self::Native { to, .. } => to,
            Self::Token { contract, .. } => contract,
        }
    }

    /// Native coin carried, wei.
    pub const fn value(&self) -> BaseUnits {
        match self {
            Self::Native { amount, .. } => *amount,
            Self::Token { .. } => BaseUnits::ZERO,
        }
    }

    /// Calldata: empty, or the exact transfer call.
    pub fn data(&self) -> Vec<u8> {
        match *self {
            Self::Native { .. } => Vec::new(),
            Self::Token { to, amount, .. } => TransferCall { to, amount }.encode().to_vec(),
        }
    }
}

/// The fields of an EIP-1559 transaction of ours. Fees are wei per unit of gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields {
    /// EIP-155 chain id, 1 to 2^63-1.
    pub chain_id: u64,
    /// The sender's nonce, 0 to 2^64-2.
    pub account_nonce: u64,
    /// Most that goes to the block producer; at most `max_fee_per_gas`.
    pub max_priority_fee_per_gas: u128,
    /// Most that is paid in all.
    pub max_fee_per_gas: u128,
    /// Gas units.
    pub gas_limit: u64,
    /// What is paid to whom.
    pub payment: Payment,
}

/// A transaction ready to be signed; its fields hold every rule of EIP-1559 that needs no chain state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsigned(Fields);

impl Unsigned {
    /// Checks the ranges of `fields`.
    pub fn new(fields: Fields) -> Result<Self, Refusal> {
        if fields.chain_id == 0 || i64::try_from(fields.chain_id).is_err() {
            return Err(Refusal::ChainId);
        }
        if fields.account_nonce == u64::MAX {
            return Err(Refusal::AccountNonce);
        }
        if fields.max_priority_fee_per_gas > fields.max_fee_per_gas {
            return Err(Refusal::PriorityAboveMax {
                priority: fields.max_priority_fee_per_gas,
                max: fields.max_fee_per_gas,
            });
        }
        Ok(Self(fields))
    }

    /// Its fields.
    pub const fn fields(&self) -> &Fields {
        &self.0
    }

    /// The network of its chain id.
    pub const fn network(&self) -> Network {
        Network::Evm { chain_id: self.0.chain_id }
    }

    /// The most it can cost in gas, wei: gas limit times maximum fee.
    pub fn fee_max_base(&self) -> BaseUnits {
        // 64 bits times 128 bits never exceed 256.
        BaseUnits::from(self.0.gas_limit)
            .checked_mul(BaseUnits::from(self.0.max_fee_per_gas))
            .unwrap_or(BaseUnits::MAX)
    }

    /// The signing preimage, type byte included.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![TYPE_BYTE];
        self.list().finish(&mut bytes);
        bytes
    }

    /// keccak-256 of the preimage: what is signed.
    pub fn signing_hash(&self) -> [u8; 32] {
        Keccak256::digest(self.encode()).into()
    }

    /// Joins a signature. Who signed is for [`Signed::sender`] to say.
    pub const fn attach(self, signature: Signature) -> Signed {
        Signed { unsigned: self, signature }
    }

    /// The nine fields both forms start with.
    fn list(&self) -> ListWriter {
        let fields = &self.0;
        ListWriter::new()
            .integer(&fields.chain_id.to_be_bytes())
            .integer(&fields.account_nonce.to_be_bytes())
            .integer(&fields.max_priority_fee_per_gas.to_be_bytes())
            .integer(&fields.max_fee_per_gas.to_be_bytes())
            .integer(&fields.gas_limit.to_be_bytes())
            .bytes(fields.payment.transaction_to())
            .integer(&fields.payment.value().to_be_bytes())
            .bytes(&fields.payment.data())
            .empty_list()
    }
}

/// A transaction with its signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    unsigned: Unsigned,
    signature: Signature,
}

impl Signed {
    /// What was signed.
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The bytes to broadcast.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![TYPE_BYTE];
        self.unsigned
            .list()
            .integer(&[self.signature.y_parity()])
            .integer(self.signature.r())
            .integer(self.signature.s())
            .finish(&mut bytes);
        bytes
    }

    /// The transaction id: keccak-256 of the signed bytes.
    pub fn tx_id(&self) -> [u8; 32] {
        Keccak256::digest(self.bytes()).into()
    }

    /// The account that signed and will pay.
    pub fn sender(&self) -> Result<Address, SignatureError> {
        self.signature.recover_address(self.unsigned.network(), &self.unsigned.signing_hash())
    }
}
