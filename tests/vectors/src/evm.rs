//! EVM cases: transactions that must come out byte for byte, foreign ones, addresses, loose RLP.
//!
//! What Airlock builds is decided by the case's own fields (type 2, a native or plain token transfer), not by the
//! group's name; everything else must be refused by the strict decoder.

use crate::case::{Case, Outcome, Result};
use crate::keys::signing_key;
use airlock_shared::chain::evm::{self, Fields, Payment, Refusal, Signed, Unsigned};
use airlock_shared::chain::rlp;
use airlock_shared::chain::signature::{self, Signature};
use airlock_shared::{Address, BaseUnits, Network};

pub(crate) fn transaction(case: &Case<'_>) -> Result<Outcome> {
    let Some(payment) = payment_that_is_built(case)? else {
        let kind =
            must_refuse(case, "unsigned_rlp", evm::decode_unsigned(&case.bytes("unsigned_rlp")?).err())?;
        must_refuse(case, "signed_raw", evm::decode_signed(&case.bytes("signed_raw")?).err())?;
        return Ok(Outcome::Skipped(kind));
    };
    let unsigned = Unsigned::new(Fields {
        chain_id: case.number("chain_id")?,
        account_nonce: case.number("nonce")?,
        max_priority_fee_per_gas: case.number("max_priority_fee_per_gas")?,
        max_fee_per_gas: case.number("max_fee_per_gas")?,
        gas_limit: case.number("gas_limit")?,
        payment,
    })
    .map_err(|refusal| case.fail("fields", "a transaction", refusal))?;
    case.same_bytes("unsigned_rlp", unsigned.encode())?;
    case.same_bytes("signing_hash", unsigned.signing_hash())?;
    let signed = unsigned.attach(signature_of(case, &unsigned)?);
    signed_as_expected(case, &signed)?;

    let read = evm::decode_unsigned(&unsigned.encode());
    let read = read.map_err(|refusal| case.fail("unsigned_rlp", "to be read back", refusal))?;
    let read_signed = evm::decode_signed(&signed.bytes());
    let read_signed = read_signed.map_err(|refusal| case.fail("signed_raw", "to be read back", refusal))?;
    if read != unsigned || read_signed != signed {
        return Err(case.fail("decoding", "the same transaction", "another"));
    }
    Ok(Outcome::Passed)
}

/// The payment of a type-2 transfer without access list; `None` for what Airlock does not build.
fn payment_that_is_built(case: &Case<'_>) -> Result<Option<Payment>> {
    let is_type_2 = case.number::<u64>("type")? == 2;
    let to = case.text("to").unwrap_or_default();
    if !is_type_2 || to.is_empty() || to == "0x" || !case.entries("access_list").is_empty() {
        return Ok(None);
    }
    let data = case.bytes("data")?;
    let payment = Payment::from_parts(case.array("to")?, case.number("value")?, &data).ok();
    if let (Some(Payment::Token { contract, to, amount }), Ok(transfer)) =
        (payment, case.nested("erc20_transfer"))
    {
        transfer.same_bytes("token", contract)?;
        transfer.same_bytes("recipient", to)?;
        transfer.same("amount", transfer.number::<BaseUnits>("amount")?, amount)?;
    }
    Ok(payment)
}

/// Signed with the case's key and compared with its r, s and parity; without a key, taken from them.
fn signature_of(case: &Case<'_>, unsigned: &Unsigned) -> Result<Signature> {
    if !case.has("private_key") {
        let parity = case.number("y_parity")?;
        return Signature::from_parts(case.array("r")?, case.array("s")?, parity)
            .map_err(|error| case.fail("r, s", "a canonical signature", error));
    }
    let key = signing_key(case, "private_key")?;
    let made = signature::sign(&key, &unsigned.signing_hash());
    let made = made.map_err(|error| case.fail("r, s", "a signature", error))?;
    case.same_bytes("r", made.r())?;
    case.same_bytes("s", made.s())?;
    case.same("y_parity", case.number::<u8>("y_parity")?, made.y_parity())?;
    Ok(made)
}

fn signed_as_expected(case: &Case<'_>, signed: &Signed) -> Result<()> {
    case.same_bytes("signed_raw", signed.bytes())?;
    case.same_bytes("tx_hash", signed.tx_id())?;
    let sender = signed.sender().map_err(|error| case.fail("from", "a sender", error))?;
    case.same_bytes("from", sender.payload())
}

/// The name of the refusal; no refusal is a failure.
fn must_refuse(case: &Case<'_>, field: &str, refusal: Option<Refusal>) -> Result<String> {
    match refusal {
        Some(Refusal::Kind(kind)) => Ok(name_of(&kind)),
        Some(refusal) => Ok(refusal.to_string()),
        None => Err(case.fail(field, "a refusal by the strict decoder", "a transaction")),
    }
}

/// One name for all chain ids and lengths of a kind.
fn name_of(kind: &evm::Kind) -> String {
    match kind {
        evm::Kind::LegacyEip155 { .. } => "legacy transaction (EIP-155)".to_owned(),
        evm::Kind::OtherCall { .. } => "contract call other than a plain token transfer".to_owned(),
        evm::Kind::AccessList { .. } => "EIP-1559 transaction with an access list".to_owned(),
        kind => kind.to_string(),
    }
}

pub(crate) fn foreign(case: &Case<'_>) -> Result<Outcome> {
    let decoded = evm::decode_signed(&case.bytes("tx")?);
    if !case.flag("valid")? {
        must_refuse(case, "tx", decoded.err())?;
        return Ok(Outcome::Passed);
    }
    match decoded {
        Ok(signed) => {
            case.same_bytes("hash", signed.tx_id())?;
            let sender = signed.sender().map_err(|error| case.fail("sender", "a sender", error))?;
            case.same_bytes("sender", sender.payload())?;
            Ok(Outcome::Passed)
        }
        Err(Refusal::Kind(kind)) => Ok(Outcome::Skipped(name_of(&kind))),
        Err(refusal) => Err(case.fail("tx", "valid, or refused by its kind", refusal)),
    }
}

pub(crate) fn invalid_rlp(case: &Case<'_>) -> Result<Outcome> {
    match rlp::decode(&case.bytes("rlp")?) {
        Err(_) => Ok(Outcome::Passed),
        Ok(_) => Err(case.fail("rlp", "a refusal by the strict decoder", "an item")),
    }
}

pub(crate) fn address_accepted(case: &Case<'_>) -> Result<Outcome> {
    let text = case.text("input")?;
    let unchecked: airlock_shared::UncheckedAddress =
        text.parse().map_err(|error| case.fail("input", "an address", error))?;
    let address = unchecked.on(Network::ETHEREUM).map_err(|error| case.fail("input", "an address", error))?;
    if case.has("bytes") {
        case.same_bytes("bytes", address.payload())?;
    }
    if case.has("checksummed") {
        let checksummed = case.flag("checksummed")?;
        case.same("checksummed", checksummed, unchecked.checksummed())?;
        if checksummed {
            case.same("spelling", text, &address.to_string())?;
        }
    }
    Ok(Outcome::Passed)
}

pub(crate) fn address_rejected(case: &Case<'_>) -> Result<Outcome> {
    match Address::parse(Network::ETHEREUM, case.text("input")?) {
        Err(_) => Ok(Outcome::Passed),
        Ok(address) => Err(case.fail("input", "a refusal", address)),
    }
}

/// Well formed; that nobody withdraws to it is a rule of policy, not of spelling.
pub(crate) fn address_well_formed(case: &Case<'_>) -> Result<Outcome> {
    let parsed = Address::parse(Network::ETHEREUM, case.text("input")?);
    parsed.map_err(|error| case.fail("input", "a well-formed address", error))?;
    Ok(Outcome::Passed)
}
