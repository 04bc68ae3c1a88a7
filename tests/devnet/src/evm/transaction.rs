//! Signed Ethereum transactions: legacy with EIP-155, EIP-2930 and EIP-1559.
//!
//! Decoded from raw bytes by `pool.rs`; errors are geth's words. Blob and delegation transactions are "not supported" here.

use revm::context::TxEnv;
use revm::context::transaction::{AccessList, AccessListItem};
use revm::primitives::{Address, B256, Bytes, TxKind, U256, keccak256};

use super::rlp::{self, Item};
use crate::keys::{DevKey, recover};

/// A transaction whose bytes were well formed and whose sender was recovered.
#[derive(Debug, Clone)]
pub(crate) struct SignedTx {
    /// 0, 1 or 2.
    pub(crate) kind: u8,
    /// The chain it is for.
    pub(crate) chain_id: u64,
    /// Account nonce.
    pub(crate) nonce: u64,
    /// Most wei per gas for the block producer.
    pub(crate) max_priority_fee: u128,
    /// Most wei per gas in all.
    pub(crate) max_fee: u128,
    /// Gas limit.
    pub(crate) gas_limit: u64,
    /// `None` creates a contract.
    pub(crate) to: Option<Address>,
    /// wei.
    pub(crate) value: U256,
    /// Calldata or creation code.
    pub(crate) data: Vec<u8>,
    /// EIP-2930.
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    /// v of a legacy transaction, y parity of the others.
    pub(crate) v: u64,
    /// Signature.
    pub(crate) r: U256,
    /// Signature.
    pub(crate) s: U256,
    /// Who signed.
    pub(crate) from: Address,
    /// keccak-256 of `raw`.
    pub(crate) hash: B256,
    /// The bytes as sent.
    pub(crate) raw: Vec<u8>,
}

impl SignedTx {
    /// What the sender may have to pay: gas × max fee + value.
    pub(crate) fn cost(&self) -> U256 {
        U256::from(self.max_fee).saturating_mul(U256::from(self.gas_limit)).saturating_add(self.value)
    }

    /// wei per gas paid at a base fee, and the producer's part of it.
    pub(crate) fn prices(&self, base_fee: u64) -> (u128, u128) {
        let base = u128::from(base_fee);
        let tip = self.max_priority_fee.min(self.max_fee.saturating_sub(base));
        (base.saturating_add(tip), tip)
    }

    /// What the engine runs.
    pub(crate) fn env(&self) -> TxEnv {
        let list = self
            .access_list
            .iter()
            .map(|(address, storage_keys)| AccessListItem {
                address: *address,
                storage_keys: storage_keys.clone(),
            })
            .collect();
        TxEnv {
            tx_type: self.kind,
            caller: self.from,
            gas_limit: self.gas_limit,
            gas_price: self.max_fee,
            gas_priority_fee: (self.kind == 2).then_some(self.max_priority_fee),
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            data: Bytes::from(self.data.clone()),
            nonce: self.nonce,
            chain_id: Some(self.chain_id),
            access_list: AccessList(list),
            ..TxEnv::default()
        }
    }
}

/// Decodes raw bytes for a chain.
pub(crate) fn decode(raw: &[u8], chain_id: u64) -> Result<SignedTx, String> {
    let first = *raw.first().ok_or("typed transaction too short")?;
    match first {
        0xc0.. => {
            let item = rlp::decode(raw).ok_or("rlp: invalid legacy transaction")?;
            legacy(raw, item.list().unwrap_or_default(), chain_id)
        }
        1 | 2 => {
            let item = rlp::decode(&raw[1..]).ok_or("rlp: invalid typed transaction")?;
            typed(raw, first, item.list().unwrap_or_default(), chain_id)
        }
        0x80..=0xbf => Err("rlp: expected input list for types.LegacyTx".to_owned()),
        _ => Err("transaction type not supported".to_owned()),
    }
}

const FIELD: &str = "rlp: invalid field";

fn small(item: Option<&Item>) -> Result<u64, String> {
    item.and_then(Item::integer)
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| format!("{FIELD}, expected uint64"))
}

fn wide(item: Option<&Item>) -> Result<u128, String> {
    item.and_then(Item::integer)
        .and_then(|value| u128::try_from(value).ok())
        .ok_or_else(|| format!("{FIELD}, expected uint128"))
}

fn word(item: Option<&Item>) -> Result<U256, String> {
    item.and_then(Item::integer).ok_or_else(|| format!("{FIELD}, expected uint256"))
}

fn data(item: Option<&Item>) -> Result<Vec<u8>, String> {
    item.and_then(Item::bytes).map(<[u8]>::to_vec).ok_or_else(|| format!("{FIELD}, expected bytes"))
}

fn recipient(item: Option<&Item>) -> Result<Option<Address>, String> {
    match item.and_then(Item::bytes) {
        Some([]) => Ok(None),
        Some(bytes) if bytes.len() == 20 => Ok(Some(Address::from_slice(bytes))),
        _ => Err("rlp: input string too short for common.Address".to_owned()),
    }
}

fn access_list(item: Option<&Item>) -> Result<Vec<(Address, Vec<B256>)>, String> {
    let bad = || format!("{FIELD}, expected access list");
    let mut list = Vec::new();
    for entry in item.and_then(Item::list).ok_or_else(bad)? {
        let [address, keys] = entry.list().ok_or_else(bad)? else {
            return Err(bad());
        };
        let address = recipient(Some(address))?.ok_or_else(bad)?;
        let mut slots = Vec::new();
        for key in keys.list().ok_or_else(bad)? {
            let key = key.bytes().filter(|key| key.len() == 32).ok_or_else(bad)?;
            slots.push(B256::from_slice(key));
        }
        list.push((address, slots));
    }
    Ok(list)
}

fn legacy(raw: &[u8], fields: &[Item], chain_id: u64) -> Result<SignedTx, String> {
    if fields.len() != 9 {
        return Err("rlp: wrong number of elements for types.LegacyTx".to_owned());
    }
    let v = small(fields.get(6))?;
    if v == 27 || v == 28 {
        return Err("only replay-protected (EIP-155) transactions allowed over RPC".to_owned());
    }
    let seen = v.checked_sub(35).ok_or("invalid sender: invalid transaction v, r, s values")? / 2;
    if seen != chain_id {
        return Err(format!("invalid sender: invalid chain id for signer: have {seen} want {chain_id}"));
    }
    let parity = u8::try_from((v - 35) % 2).unwrap_or(0);
    let mut signed = fields.get(..6).unwrap_or_default().to_vec();
    signed.extend([rlp::integer(U256::from(chain_id)), rlp::integer(U256::ZERO), rlp::integer(U256::ZERO)]);
    let digest = keccak256(Item::List(signed).encode());
    let (r, s) = (word(fields.get(7))?, word(fields.get(8))?);
    let gas_price = wide(fields.get(1))?;
    Ok(SignedTx {
        kind: 0,
        chain_id,
        nonce: small(fields.first())?,
        max_priority_fee: gas_price,
        max_fee: gas_price,
        gas_limit: small(fields.get(2))?,
        to: recipient(fields.get(3))?,
        value: word(fields.get(4))?,
        data: data(fields.get(5))?,
        access_list: Vec::new(),
        v,
        r,
        s,
        from: sender(&digest, r, s, parity)?,
        hash: keccak256(raw),
        raw: raw.to_vec(),
    })
}

fn typed(raw: &[u8], kind: u8, fields: &[Item], chain_id: u64) -> Result<SignedTx, String> {
    // Type 1 has one price where type 2 has two.
    let prices = usize::from(kind);
    if fields.len() != 10 + prices {
        return Err("rlp: wrong number of elements for typed transaction".to_owned());
    }
    let seen = small(fields.first())?;
    if seen != chain_id {
        return Err(format!("invalid sender: invalid chain id for signer: have {seen} want {chain_id}"));
    }
    let unsigned = fields.len() - 3;
    let parity = small(fields.get(unsigned))?;
    let (r, s) = (word(fields.get(unsigned + 1))?, word(fields.get(unsigned + 2))?);
    let mut preimage = vec![kind];
    preimage.extend(Item::List(fields.get(..unsigned).unwrap_or_default().to_vec()).encode());
    let digest = keccak256(&preimage);
    let parity_bit = u8::try_from(parity).unwrap_or(u8::MAX);
    Ok(SignedTx {
        kind,
        chain_id,
        nonce: small(fields.get(1))?,
        max_priority_fee: wide(fields.get(2))?,
        max_fee: wide(fields.get(1 + prices))?,
        gas_limit: small(fields.get(2 + prices))?,
        to: recipient(fields.get(3 + prices))?,
        value: word(fields.get(4 + prices))?,
        data: data(fields.get(5 + prices))?,
        access_list: access_list(fields.get(6 + prices))?,
        v: parity,
        r,
        s,
        from: sender(&digest, r, s, parity_bit)?,
        hash: keccak256(raw),
        raw: raw.to_vec(),
    })
}

fn sender(digest: &B256, r: U256, s: U256, parity: u8) -> Result<Address, String> {
    let invalid = || "invalid sender: invalid transaction v, r, s values".to_owned();
    // Half the curve's order: EIP-2 refuses the upper half.
    let half = U256::from_be_bytes(HALF_ORDER);
    if parity > 1 || s > half || s.is_zero() || r.is_zero() {
        return Err(invalid());
    }
    let signature = [r.to_be_bytes::<32>(), s.to_be_bytes::<32>()].concat();
    recover(digest, &signature, parity).ok_or_else(invalid)
}

const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// What the devnet's own account sends.
pub(crate) struct Own {
    /// Chain id.
    pub(crate) chain_id: u64,
    /// Account nonce.
    pub(crate) nonce: u64,
    /// wei per gas for the producer.
    pub(crate) max_priority_fee: u128,
    /// wei per gas in all.
    pub(crate) max_fee: u128,
    /// Gas limit.
    pub(crate) gas_limit: u64,
    /// Recipient.
    pub(crate) to: Address,
    /// wei.
    pub(crate) value: U256,
    /// Calldata.
    pub(crate) data: Vec<u8>,
}

/// Signs an EIP-1559 transaction with the devnet's own key.
pub(crate) fn sign(own: &Own, key: &DevKey) -> Vec<u8> {
    let mut fields = vec![
        rlp::integer(U256::from(own.chain_id)),
        rlp::integer(U256::from(own.nonce)),
        rlp::integer(U256::from(own.max_priority_fee)),
        rlp::integer(U256::from(own.max_fee)),
        rlp::integer(U256::from(own.gas_limit)),
        rlp::bytes(own.to),
        rlp::integer(own.value),
        rlp::bytes(&own.data),
        Item::List(Vec::new()),
    ];
    let mut preimage = vec![2];
    preimage.extend(Item::List(fields.clone()).encode());
    let (r_and_s, parity) = key.sign(&keccak256(&preimage));
    let (r, s) = r_and_s.split_at(32);
    fields.extend([
        rlp::integer(U256::from(parity)),
        rlp::integer(U256::from_be_slice(r)),
        rlp::integer(U256::from_be_slice(s)),
    ]);
    let mut raw = vec![2];
    raw.extend(Item::List(fields).encode());
    raw
}
