//! Reading TRON transactions strictly: decode, rebuild, compare bytes.
//!
//! The auditor, the signed-batch reader and the vectors call these; the signer builds and never needs to
//! believe bytes. What decodes is exactly what Airlock could have built: exact type_url, type equal to the
//! message, one contract, no unknown, repeated or unused field, no value beside a call. Anything else is a
//! [`Refusal`], with [`Kind`] for transactions that the chain may accept but Airlock does not build.

use super::signature::read_all;
use super::transaction::{MAX_RAW_BYTES, MAX_SIGNATURES};
use super::wire::Message;
use super::{Contract, Fields, Kind, Refusal, Resource, Signed, Unsigned};
use crate::chain::erc20::TransferCall;
use crate::chain::signature::Signature;

/// First byte of every address on TRON's networks.
pub(super) const ADDRESS_PREFIX: u8 = 0x41;

/// Room for raw_data and every signature with their headers.
const MAX_SIGNED_BYTES: usize = MAX_RAW_BYTES + 8 + MAX_SIGNATURES * (Signature::BYTES + 2);

/// Names of java-tron's ContractType (Tron.proto), for refusals.
const CONTRACT_TYPES: [(u64, &str); 36] = [
    (0, "AccountCreateContract"),
    (1, "TransferContract"),
    (2, "TransferAssetContract"),
    (3, "VoteAssetContract"),
    (4, "VoteWitnessContract"),
    (5, "WitnessCreateContract"),
    (6, "AssetIssueContract"),
    (8, "WitnessUpdateContract"),
    (9, "ParticipateAssetIssueContract"),
    (10, "AccountUpdateContract"),
    (11, "FreezeBalanceContract"),
    (12, "UnfreezeBalanceContract"),
    (13, "WithdrawBalanceContract"),
    (14, "UnfreezeAssetContract"),
    (15, "UpdateAssetContract"),
    (16, "ProposalCreateContract"),
    (17, "ProposalApproveContract"),
    (18, "ProposalDeleteContract"),
    (19, "SetAccountIdContract"),
    (30, "CreateSmartContract"),
    (31, "TriggerSmartContract"),
    (33, "UpdateSettingContract"),
    (41, "ExchangeCreateContract"),
    (42, "ExchangeInjectContract"),
    (43, "ExchangeWithdrawContract"),
    (44, "ExchangeTransactionContract"),
    (45, "UpdateEnergyLimitContract"),
    (46, "AccountPermissionUpdateContract"),
    (48, "ClearABIContract"),
    (49, "UpdateBrokerageContract"),
    (54, "FreezeBalanceV2Contract"),
    (55, "UnfreezeBalanceV2Contract"),
    (56, "WithdrawExpireUnfreezeContract"),
    (57, "DelegateResourceContract"),
    (58, "UnDelegateResourceContract"),
    (59, "CancelAllUnfreezeV2Contract"),
];

/// Reads a raw_data that Airlock could have built.
pub fn decode_unsigned(raw_data: &[u8]) -> Result<Unsigned, Refusal> {
    bounded(raw_data, MAX_RAW_BYTES)?;
    let mut raw = Message::read("raw_data", raw_data)?;
    let contracts = raw.elements(11)?;
    let [contract] = contracts[..] else {
        return Err(Refusal::Repeated { message: "raw_data", field: 11, found: contracts.len() });
    };
    let (permission_id, owner, contract) = self::contract(contract)?;
    let fields = Fields {
        ref_block_bytes: raw.array(1)?,
        ref_block_hash: raw.array(4)?,
        expiration_ms: raw.integer(8)?,
        timestamp_ms: raw.integer(14)?,
        fee_limit_sun: raw.integer(18)?,
        memo: raw.bytes(10)?.to_vec(),
        permission_id,
        owner,
        contract,
    };
    raw.finish()?;
    let unsigned = Unsigned::new(fields)?;
    if unsigned.encode() == raw_data { Ok(unsigned) } else { Err(Refusal::NotCanonical) }
}

/// Reads a signed transaction that Airlock could have built: canonical signatures, all in one of the two normal
/// forms, each recovering to an account; which accounts is for the caller to compare.
pub fn decode_signed(bytes: &[u8]) -> Result<Signed, Refusal> {
    bounded(bytes, MAX_SIGNED_BYTES)?;
    let mut transaction = Message::read("transaction", bytes)?;
    let raw_data = transaction.bytes(1)?;
    let signatures = transaction.elements(2)?;
    transaction.finish()?;
    if !(1..=MAX_SIGNATURES).contains(&signatures.len()) {
        return Err(Refusal::SignatureCount { found: signatures.len() });
    }
    let unsigned = decode_unsigned(raw_data)?;
    let (signatures, form) = read_all(&signatures)?;
    let signed = Signed::new(unsigned, signatures, form)?;
    let hash = signed.tx_id();
    for signature in signed.signatures() {
        signature.recover(&hash)?;
    }
    if signed.bytes() == bytes { Ok(signed) } else { Err(Refusal::NotCanonical) }
}

fn bounded(bytes: &[u8], max: usize) -> Result<(), Refusal> {
    if bytes.len() > max { Err(Refusal::TooLong { found: bytes.len(), max }) } else { Ok(()) }
}

/// Permission id, owner and contract of one Contract message.
fn contract(bytes: &[u8]) -> Result<(u32, [u8; 20], Contract), Refusal> {
    let mut message = Message::read("contract", bytes)?;
    let number = message.integer(1)?;
    let parameter = message.bytes(2)?;
    let permission_id = message.integer(5)?;
    message.finish()?;
    let permission_id = u32::try_from(permission_id)
        .map_err(|_| Refusal::OutOfRange { field: "permission id", found: permission_id })?;

    let mut any = Message::read("parameter", parameter)?;
    let type_url = any.bytes(1)?;
    let value = any.bytes(2)?;
    any.finish()?;
    let (owner, contract) = match number {
        1 => trx(value)?,
        31 => token(value)?,
        57 => delegate(value)?,
        58 => undelegate(value)?,
        _ => return Err(not_built(number).into()),
    };
    if contract.type_url().as_bytes() != type_url {
        return Err(Refusal::TypeUrl { number });
    }
    Ok((permission_id, owner, contract))
}

fn not_built(number: u64) -> Kind {
    let name = CONTRACT_TYPES.iter().find(|(known, _)| *known == number).map_or("unknown", |(_, name)| name);
    Kind::ContractType { number, name }
}

fn trx(bytes: &[u8]) -> Result<([u8; 20], Contract), Refusal> {
    let mut message = Message::read("TransferContract", bytes)?;
    let owner = address(&mut message, 1)?;
    let contract = Contract::Trx { to: address(&mut message, 2)?, amount_sun: message.integer(3)? };
    message.finish()?;
    Ok((owner, contract))
}

fn token(bytes: &[u8]) -> Result<([u8; 20], Contract), Refusal> {
    let mut message = Message::read("TriggerSmartContract", bytes)?;
    let owner = address(&mut message, 1)?;
    let contract = address(&mut message, 2)?;
    let data = message.bytes(4)?;
    for (field, what) in [(3, "call_value"), (5, "call_token_value"), (6, "token_id")] {
        if message.integer(field)? != 0 {
            return Err(Kind::CallWithValue { what }.into());
        }
    }
    message.finish()?;
    let call = TransferCall::decode(data).map_err(|_| Kind::OtherCall { bytes: data.len() })?;
    Ok((owner, Contract::Token { contract, to: call.to, amount: call.amount }))
}

fn delegate(bytes: &[u8]) -> Result<([u8; 20], Contract), Refusal> {
    let name = "DelegateResourceContract";
    let mut message = Message::read(name, bytes)?;
    let owner = address(&mut message, 1)?;
    let resource = resource(message.integer(2)?)?;
    let balance_sun = message.integer(3)?;
    let receiver = address(&mut message, 4)?;
    let (lock, period) = (message.integer(5)?, message.integer(6)?);
    message.finish()?;
    let lock_blocks = match (lock, period) {
        (0, 0) => None,
        (1, period) => Some(period),
        // Without a lock the chain ignores the period.
        (0, _) => return Err(Refusal::UnusedField { message: name, field: 6 }),
        (found, _) => return Err(Refusal::OutOfRange { field: "lock", found }),
    };
    Ok((owner, Contract::Delegate { receiver, resource, balance_sun, lock_blocks }))
}

fn undelegate(bytes: &[u8]) -> Result<([u8; 20], Contract), Refusal> {
    let mut message = Message::read("UnDelegateResourceContract", bytes)?;
    let owner = address(&mut message, 1)?;
    let resource = resource(message.integer(2)?)?;
    let balance_sun = message.integer(3)?;
    let receiver = address(&mut message, 4)?;
    message.finish()?;
    Ok((owner, Contract::Undelegate { receiver, resource, balance_sun }))
}

fn resource(number: u64) -> Result<Resource, Refusal> {
    match number {
        0 => Ok(Resource::Bandwidth),
        1 => Ok(Resource::Energy),
        found => Err(Refusal::OutOfRange { field: "resource", found }),
    }
}

fn address(message: &mut Message<'_>, field: u64) -> Result<[u8; 20], Refusal> {
    match message.array::<21>(field)? {
        [ADDRESS_PREFIX, payload @ ..] => Ok(payload),
        [found, ..] => Err(Refusal::AddressPrefix { found }),
    }
}
