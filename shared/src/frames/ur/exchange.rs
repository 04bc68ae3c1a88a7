//! One transaction of a batch out to a hardware wallet, and its signature back.
//!
//! [`HardwareRequest`] is made from a checked content, by the code that both sides of the gap build transactions
//! with; the device is one more signer of the same bytes. What must stay true: a reply counts only for the request
//! that it answers, while the batch lives, and only if the paying address is recovered from its signature; nothing
//! that the reply says of itself is believed, not even the parity.

use super::keypath::Keypath;
use super::sign_request::{DataType, SignRequest};
use super::signature::DeviceSignature;
use super::{CborError, Message, RequestId, Ur, UrError};
use crate::address::Address;
use crate::batch::Content;
use crate::chain::signature::SignatureError;
use crate::chain::{self, BuildError, Signature, Signed, Unsigned};
use crate::digest::Digest;
use crate::network::{Family, Network};
use crate::policy::HardwareKey;
use crate::wallet::{self, Role};

/// What the device shows as the sender.
const ORIGIN: &str = "airlock";

/// Why there is no request for a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The batch has fewer items.
    #[error("there is no item {item}: the batch has {count}, counted from 0")]
    NoItem {
        /// The item asked for.
        item: usize,
        /// How many there are.
        count: usize,
    },
    /// The item has fewer transactions.
    #[error("there is no transaction {transaction}: the item has {count}, counted from 0")]
    NoTransaction {
        /// The transaction asked for.
        transaction: usize,
        /// How many there are.
        count: usize,
    },
    /// The item makes no transaction.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no path for wallets of this role on this network.
    #[error("{network} has no account path for {} wallets", role.name())]
    NoPath {
        /// The network.
        network: Network,
        /// The role of the paying wallet.
        role: Role,
    },
    /// The policy's path names no key that a request can carry.
    #[error("path {path:?} has more than 10 steps or a number of 2^31 and more")]
    Path {
        /// The path.
        path: String,
    },
    /// The request does not fit into a Uniform Resource.
    #[error(transparent)]
    Ur(#[from] UrError),
}

/// Why a reply is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The batch has expired: what was asked for may not be signed any more.
    #[error("the batch expired at {expires_at}, it is {now}: replies come too late")]
    Expired {
        /// UTC seconds.
        expires_at: u64,
        /// UTC seconds.
        now: u64,
    },
    /// Another type than the device of this family answers with.
    #[error("a reply of type {found:?} where {expected} was expected")]
    OtherType {
        /// The type asked for.
        expected: &'static str,
        /// The type that came.
        found: String,
    },
    /// Malformed.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// It does not say which request it answers.
    #[error("the reply names no request; expected {expected}")]
    NoRequestId {
        /// The request that waits.
        expected: RequestId,
    },
    /// It answers another request about the same batch: an earlier one that was shown again.
    #[error("stale: the reply answers item {item}, transaction {transaction} of this batch")]
    Stale {
        /// The item, counted from 0.
        item: usize,
        /// The transaction within it, counted from 0.
        transaction: usize,
    },
    /// It answers a request that this batch never made.
    #[error("the reply answers request {found}, not {expected}")]
    OtherRequest {
        /// The request that waits.
        expected: RequestId,
        /// The request in the reply.
        found: RequestId,
    },
    /// r or s are out of range.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Another key signed, or other bytes were signed.
    #[error("signed by none of the source's keys: expected {expected}, recovered {recovered:?}")]
    WrongSigner {
        /// The account that pays.
        expected: Address,
        /// Whom the signature could be of, by parity.
        recovered: Vec<Address>,
    },
    /// The signature does not fit the transaction.
    #[error(transparent)]
    Attach(#[from] chain::tron::Refusal),
}

/// One transaction that waits for a hardware wallet's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HardwareRequest {
    unsigned: Unsigned,
    source: Address,
    path: Keypath,
    content: Digest,
    expires_at: u64,
    /// Its place in the batch: item and transaction.
    place: (usize, usize),
    /// How many items the batch has, and transactions each.
    size: (usize, usize),
}

impl HardwareRequest {
    /// The request for a wallet of our own roles whose seed is on a device too. `fingerprint` is that of the device's
    /// master key; devices look for the right seed by it, and some refuse a request without one.
    pub fn new(
        content: &Content,
        item: usize,
        transaction: usize,
        fingerprint: Option<[u8; 4]>,
    ) -> Result<Self, RequestError> {
        let role = content.source_of(item).map_or(Role::Hardware, |wallet| wallet.role);
        let path = |index| wallet::key_path(content.network, role, index);
        let path = content.source_of(item).and_then(|wallet| path(wallet.index));
        let path = path.map(|path| Keypath::of(path, fingerprint));
        Self::at(content, (item, transaction), path, RequestError::NoPath { network: content.network, role })
    }

    /// The request for transaction `transaction` of item `item`, both counted from 0, to the hardware wallet whose key
    /// the policy lists: the only one on TRON; on EVM one a fee level, then the cancel.
    pub fn listed(
        content: &Content,
        item: usize,
        transaction: usize,
        key: &HardwareKey,
    ) -> Result<Self, RequestError> {
        let path = Keypath::parse(&key.path, Some(key.fingerprint));
        Self::at(content, (item, transaction), path, RequestError::Path { path: key.path.clone() })
    }

    fn at(
        content: &Content,
        (item, transaction): (usize, usize),
        path: Option<Keypath>,
        no_path: RequestError,
    ) -> Result<Self, RequestError> {
        let count = content.items.len();
        let wallet = content.source_of(item).filter(|_| item < count);
        let wallet = wallet.ok_or(RequestError::NoItem { item, count })?;
        let mut transactions = chain::codec(content.network.family()).build(content, item)?;
        if transaction >= transactions.len() {
            return Err(RequestError::NoTransaction { transaction, count: transactions.len() });
        }
        let path = path.ok_or(no_path)?;
        let size = (count, transactions.len());
        Ok(Self {
            unsigned: transactions.swap_remove(transaction),
            source: wallet.address,
            path,
            content: content.digest(),
            expires_at: content.expires_at,
            place: (item, transaction),
            size,
        })
    }

    /// What the reply has to repeat.
    pub fn request_id(&self) -> RequestId {
        RequestId::of(&self.content, self.place.0, self.place.1)
    }

    /// The account that pays and whose key has to sign.
    pub const fn source(&self) -> Address {
        self.source
    }

    /// The path of that key.
    pub const fn path(&self) -> &Keypath {
        &self.path
    }

    /// What is to be signed.
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// The type in which the device answers.
    pub const fn reply_type(&self) -> &'static str {
        DeviceSignature::type_of(self.source.network().family())
    }

    /// The message. On EVM it names chain and address; the published TRON requests carry no address, so ours do not
    /// either: the reply is checked against it all the same.
    pub fn message(&self) -> SignRequest {
        let (data_type, chain_id, address) = match self.source.network() {
            Network::Evm { chain_id } => {
                (DataType::TypedTransaction, Some(chain_id), Some(*self.source.payload()))
            }
            Network::Tron { .. } => (DataType::Transaction, None, None),
        };
        SignRequest {
            family: self.source.network().family(),
            request_id: Some(self.request_id()),
            sign_data: self.unsigned.bytes(),
            data_type,
            chain_id,
            path: self.path.clone(),
            address,
            origin: Some(ORIGIN.to_owned()),
        }
    }

    /// The message as a Uniform Resource.
    pub fn ur(&self) -> Result<Ur, RequestError> {
        Ok(Message::SignRequest(self.message()).to_ur()?)
    }

    /// Checks a reply that came at `now` (UTC seconds) and joins its signature to the transaction.
    pub fn accept(&self, reply: &Ur, now: u64) -> Result<Signed, ReplyError> {
        Ok(self.unsigned.clone().attach(self.signature(reply, now)?)?)
    }

    /// The signature of a reply that came at `now` (UTC seconds), in its one canonical form.
    pub fn signature(&self, reply: &Ur, now: u64) -> Result<Signature, ReplyError> {
        if now >= self.expires_at {
            return Err(ReplyError::Expired { expires_at: self.expires_at, now });
        }
        let family = self.source.network().family();
        let signature = self.signature_for(family, reply)?;
        self.answers(signature.request_id)?;
        self.normalised(&signature.signature)
    }

    fn signature_for(&self, family: Family, reply: &Ur) -> Result<DeviceSignature, ReplyError> {
        if reply.ur_type() != self.reply_type() {
            let found = reply.ur_type().to_owned();
            return Err(ReplyError::OtherType { expected: self.reply_type(), found });
        }
        Ok(DeviceSignature::decode(family, reply.cbor())?)
    }

    fn answers(&self, found: Option<RequestId>) -> Result<(), ReplyError> {
        let expected = self.request_id();
        let found = found.ok_or(ReplyError::NoRequestId { expected })?;
        if found == expected {
            return Ok(());
        }
        let (items, transactions) = self.size;
        let mut places = (0..items).flat_map(|item| (0..transactions).map(move |level| (item, level)));
        match places.find(|(item, level)| RequestId::of(&self.content, *item, *level) == found) {
            Some((item, transaction)) => Err(ReplyError::Stale { item, transaction }),
            None => Err(ReplyError::OtherRequest { expected, found }),
        }
    }

    /// The canonical signature of the source in r ‖ s ‖ v: low s (EIP-2), and whichever parity recovers the source.
    fn normalised(&self, bytes: &[u8]) -> Result<Signature, ReplyError> {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        let parts = bytes.get(..32).zip(bytes.get(32..64));
        let (from_r, from_s) = parts.ok_or(SignatureError::Length { found: bytes.len() })?;
        r.copy_from_slice(from_r);
        s.copy_from_slice(from_s);
        let signature = k256::ecdsa::Signature::from_scalars(r, s).map_err(|_| SignatureError::OutOfRange)?;
        let (r, s) = signature.normalize_s().split_bytes();
        let hash = self.unsigned.signing_hash();
        let mut recovered = Vec::new();
        for parity in 0..=1 {
            let signature = Signature::from_parts(r.into(), s.into(), parity)?;
            match signature.recover_address(self.source.network(), &hash) {
                Ok(address) if address == self.source => return Ok(signature),
                Ok(address) => recovered.push(address),
                Err(_) => {} // this parity is of no point on the curve
            }
        }
        Err(ReplyError::WrongSigner { expected: self.source, recovered })
    }
}
