//! Reading EVM transactions strictly: decode, rebuild, compare bytes.
//!
//! The auditor, the signed-batch reader and the vectors call these; the signer builds and never needs to
//! believe bytes. What decodes is exactly what Airlock could have built; anything else is a [`Refusal`], with
//! [`Kind`] for transactions that a chain may accept but Airlock does not build.

use super::transaction::TYPE_BYTE;
use super::{Fields, Kind, Payment, Refusal, Signed, Unsigned};
use crate::amount::BaseUnits;
use crate::chain::rlp::{self, Item};
use crate::chain::signature::{Signature, SignatureError};

/// Fields of an unsigned EIP-1559 transaction.
const UNSIGNED_FIELDS: usize = 9;
/// Fields of a signed one.
const SIGNED_FIELDS: usize = 12;
/// Fields of a legacy transaction: signed, or EIP-155's signing preimage.
const LEGACY_FIELDS: usize = 9;
/// Fields of a legacy signing preimage without chain id.
const LEGACY_BARE_FIELDS: usize = 6;

/// Reads a signing preimage that Airlock could have built.
pub fn decode_unsigned(bytes: &[u8]) -> Result<Unsigned, Refusal> {
    let payload = payload(bytes, Form::Unsigned)?;
    let items = list(payload, UNSIGNED_FIELDS)?;
    let unsigned = unsigned(&items)?;
    if unsigned.encode() == bytes { Ok(unsigned) } else { Err(Refusal::NotCanonical) }
}

/// Reads a signed transaction that Airlock could have built. The signature is canonical and recovers to an
/// account; which account is for the caller to compare.
pub fn decode_signed(bytes: &[u8]) -> Result<Signed, Refusal> {
    let payload = payload(bytes, Form::Signed)?;
    let items = list(payload, SIGNED_FIELDS)?;
    let unsigned = unsigned(&items)?;
    let signed = unsigned.attach(signature(&items[UNSIGNED_FIELDS..])?);
    signed.sender()?;
    if signed.bytes() == bytes { Ok(signed) } else { Err(Refusal::NotCanonical) }
}

#[derive(Clone, Copy)]
enum Form {
    Unsigned,
    Signed,
}

/// The RLP behind the type byte of an EIP-1559 transaction; other types are refused by name (EIP-2718).
fn payload(bytes: &[u8], form: Form) -> Result<&[u8], Refusal> {
    match bytes.split_first() {
        None => Err(Refusal::Empty),
        Some((&TYPE_BYTE, rest)) => Ok(rest),
        Some((0x01, _)) => Err(Kind::Eip2930.into()),
        Some((0x03, _)) => Err(Kind::Eip4844.into()),
        Some((0x04, _)) => Err(Kind::Eip7702.into()),
        Some((&type_byte @ 0x00..0x80, _)) => Err(Kind::UnknownType { type_byte }.into()),
        Some(_) => Err(legacy(bytes, form)),
    }
}

/// Legacy transactions are never accepted; this only finds the best name for the refusal.
fn legacy(bytes: &[u8], form: Form) -> Refusal {
    let items = match rlp::decode(bytes) {
        Ok(Item::List(items)) => items,
        Ok(Item::Bytes(_)) => return Refusal::FieldCount { expected: LEGACY_FIELDS, found: 0 },
        Err(error) => return error.into(),
    };
    let outcome = match (form, items.len()) {
        (Form::Unsigned, LEGACY_BARE_FIELDS) => Ok(Kind::LegacyUnprotected),
        (Form::Unsigned, LEGACY_FIELDS) => {
            number(&items[6], "chain id", 8).map(|id| Kind::LegacyEip155 { chain_id: to_u64(id) })
        }
        (Form::Signed, LEGACY_FIELDS) => legacy_signed(&items),
        (_, found) => Err(Refusal::FieldCount { expected: LEGACY_FIELDS, found }),
    };
    outcome.map_or_else(|refusal| refusal, Refusal::Kind)
}

/// [nonce, gas price, gas limit, to, value, data, v, r, s]
fn legacy_signed(items: &[Item<'_>]) -> Result<Kind, Refusal> {
    for (item, field, max_bytes) in [
        (&items[0], "nonce", 8),
        (&items[1], "gas price", 32),
        (&items[2], "gas limit", 8),
        (&items[4], "value", 32),
        (&items[7], "r", 32),
        (&items[8], "s", 32),
    ] {
        number(item, field, max_bytes)?;
    }
    string(&items[5], "data")?;
    let kind = match to_u64(number(&items[6], "v", 8)?) {
        27 | 28 => Kind::LegacyUnprotected,
        v if v >= 37 => Kind::LegacyEip155 { chain_id: (v - 35) / 2 },
        _ => return Err(Refusal::ChainId),
    };
    match string(&items[3], "to")?.len() {
        0 => Ok(Kind::ContractCreation),
        20 => Ok(kind),
        found => Err(Refusal::Recipient { found }),
    }
}

fn list(payload: &[u8], expected: usize) -> Result<Vec<Item<'_>>, Refusal> {
    match rlp::decode(payload)? {
        Item::List(items) if items.len() == expected => Ok(items),
        Item::List(items) => Err(Refusal::FieldCount { expected, found: items.len() }),
        Item::Bytes(_) => Err(Refusal::FieldCount { expected, found: 0 }),
    }
}

/// The nine common fields; `items` has at least that many.
fn unsigned(items: &[Item<'_>]) -> Result<Unsigned, Refusal> {
    let chain_id = to_u64(number(&items[0], "chain id", 8)?);
    let account_nonce = to_u64(number(&items[1], "nonce", 8)?);
    let priority = number(&items[2], "max priority fee per gas", 32)?;
    let max = number(&items[3], "max fee per gas", 32)?;
    let gas_limit = to_u64(number(&items[4], "gas limit", 8)?);
    let to = string(&items[5], "to")?;
    let value = number(&items[6], "value", 32)?;
    let data = string(&items[7], "data")?;
    let Item::List(access_list) = &items[8] else {
        return Err(Refusal::Shape { field: "access list" });
    };
    let payment = match to.len() {
        0 => return Err(Kind::ContractCreation.into()),
        _ => to.try_into().map_err(|_| Refusal::Recipient { found: to.len() })?,
    };
    let payment = Payment::from_parts(payment, value, data)?;
    if !access_list.is_empty() {
        return Err(Kind::AccessList { entries: access_list.len() }.into());
    }
    let fields = Fields {
        chain_id,
        account_nonce,
        max_priority_fee_per_gas: priority.to_u128().ok_or(Kind::HugeFee)?,
        max_fee_per_gas: max.to_u128().ok_or(Kind::HugeFee)?,
        gas_limit,
        payment,
    };
    Unsigned::new(fields)
}

/// [y_parity, r, s]
fn signature(items: &[Item<'_>]) -> Result<Signature, Refusal> {
    let parity = number(&items[0], "y parity", 1)?;
    let r = number(&items[1], "r", 32)?;
    let s = number(&items[2], "s", 32)?;
    let parity = u8::try_from(to_u64(parity)).map_err(|_| SignatureError::RecoveryByte { found: u8::MAX })?;
    Ok(Signature::from_parts(r.to_be_bytes(), s.to_be_bytes(), parity)?)
}

fn string<'a>(item: &Item<'a>, field: &'static str) -> Result<&'a [u8], Refusal> {
    match item {
        Item::Bytes(bytes) => Ok(bytes),
        Item::List(_) => Err(Refusal::Shape { field }),
    }
}

/// An integer without leading zeros of at most `max_bytes` (never more than 32) bytes.
fn number(item: &Item<'_>, field: &'static str, max_bytes: usize) -> Result<BaseUnits, Refusal> {
    let bytes = string(item, field)?;
    if bytes.first() == Some(&0) || bytes.len() > max_bytes {
        return Err(Refusal::Integer { field, max_bytes });
    }
    BaseUnits::from_be_slice(bytes).ok_or(Refusal::Integer { field, max_bytes })
}

/// `number` bounded the bytes to eight, so this always fits.
fn to_u64(number: BaseUnits) -> u64 {
    number.to_u64().unwrap_or(u64::MAX)
}
