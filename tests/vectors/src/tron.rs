//! TRON cases: transactions that must come out byte for byte, transactions of real nodes, signature spellings,
//! address texts.
//!
//! What Airlock builds is decided by the case's contract type and fields; everything else must be refused by the
//! strict decoder.

use crate::case::{Case, Outcome, Result, decode_hex};
use crate::keys::signing_key;
use airlock_shared::chain::erc20::TransferCall;
use airlock_shared::chain::signature::{self, Signature};
use airlock_shared::chain::tron::{
    self, Contract, Fields, Kind, RecoveryForm, Refusal, Resource, Signed, Unsigned, recover_as_node,
};
use airlock_shared::{Address, Network};

pub(crate) fn transaction(case: &Case<'_>) -> Result<Outcome> {
    let (input, output) = (case.nested("input")?, case.nested("output")?);
    let Some(contract) = contract_that_is_built(&input)? else {
        let raw_data = output.bytes("raw_data_hex")?;
        let kind = must_refuse(&output, "raw_data_hex", tron::decode_unsigned(&raw_data).err())?;
        for field in ["signed_tx_hex_v27", "signed_tx_hex_v0"] {
            must_refuse(&output, field, tron::decode_signed(&output.bytes(field)?).err())?;
        }
        return Ok(Outcome::Skipped(kind));
    };
    let unsigned = Unsigned::new(fields(&input, contract)?)
        .map_err(|refusal| input.fail("fields", "a transaction", refusal))?;
    addresses_as_expected(&input, &unsigned)?;
    if let (Contract::Token { to, amount, .. }, true) = (contract, output.has("calldata_hex")) {
        output.same_bytes("calldata_hex", TransferCall { to, amount }.encode())?;
    }
    output.same_bytes("raw_data_hex", unsigned.encode())?;
    output.same_bytes("tx_id", unsigned.tx_id())?;
    let read = tron::decode_unsigned(&unsigned.encode());
    let read = read.map_err(|refusal| output.fail("raw_data_hex", "to be read back", refusal))?;
    if read != unsigned {
        return Err(output.fail("raw_data_hex", "the same transaction read back", "another"));
    }
    signed_as_expected(&output, unsigned)?;
    Ok(Outcome::Passed)
}

/// The contract, if it is of a kind that Airlock builds.
fn contract_that_is_built(input: &Case<'_>) -> Result<Option<Contract>> {
    let resource = || match input.text("resource")? {
        "ENERGY" => Ok(Some(Resource::Energy)),
        "BANDWIDTH" => Ok(Some(Resource::Bandwidth)),
        _ => Ok(None),
    };
    Ok(match input.text("contract_type")? {
        "TransferContract" => {
            Some(Contract::Trx { to: payload(input, "to_hex")?, amount_sun: input.number("amount")? })
        }
        "TriggerSmartContract"
            if input.number_or_zero::<u64>("call_value")? == 0
                && input.has("to_hex")
                && input.has("amount") =>
        {
            Some(Contract::Token {
                contract: payload(input, "contract_hex")?,
                to: payload(input, "to_hex")?,
                amount: input.number("amount")?,
            })
        }
        // A period without a lock is a field that the chain ignores.
        "DelegateResourceContract"
            if input.number_or_zero::<u64>("lock_period")? == 0 || input.flag("lock")? =>
        {
            let lock_period = input.number_or_zero("lock_period")?;
            let locked = input.has("lock") && input.flag("lock")?;
            resource()?
                .map(|resource| -> Result<Contract> {
                    Ok(Contract::Delegate {
                        receiver: payload(input, "to_hex")?,
                        resource,
                        balance_sun: input.number("balance")?,
                        lock_blocks: locked.then_some(lock_period),
                    })
                })
                .transpose()?
        }
        "UnDelegateResourceContract" => resource()?
            .map(|resource| -> Result<Contract> {
                Ok(Contract::Undelegate {
                    receiver: payload(input, "to_hex")?,
                    resource,
                    balance_sun: input.number("balance")?,
                })
            })
            .transpose()?,
        _ => None,
    })
}

fn fields(input: &Case<'_>, contract: Contract) -> Result<Fields> {
    Ok(Fields {
        ref_block_bytes: input.array("ref_block_bytes")?,
        ref_block_hash: input.array("ref_block_hash")?,
        expiration_ms: input.number("expiration")?,
        timestamp_ms: input.number_or_zero("timestamp")?,
        fee_limit_sun: input.number_or_zero("fee_limit")?,
        memo: if input.has("memo_hex") { input.bytes("memo_hex")? } else { Vec::new() },
        permission_id: input.number_or_zero("permission_id")?,
        owner: payload(input, "owner_hex")?,
        contract,
    })
}

/// The 20 bytes after the prefix of an address in hex.
fn payload(case: &Case<'_>, field: &str) -> Result<[u8; 20]> {
    match case.array::<21>(field)? {
        [0x41, payload @ ..] => Ok(payload),
        [prefix, ..] => Err(case.fail(field, "prefix 41", format!("{prefix:02x}"))),
    }
}

/// The base58 texts of the input belong to its hex addresses.
fn addresses_as_expected(input: &Case<'_>, unsigned: &Unsigned) -> Result<()> {
    let base58 = |payload| Address::new(Network::TRON, payload).to_string();
    let fields = unsigned.fields();
    if input.has("owner_base58") {
        input.same_text("owner_base58", &base58(fields.owner))?;
    }
    let to = match fields.contract {
        Contract::Trx { to, .. } | Contract::Token { to, .. } => to,
        Contract::Delegate { receiver, .. } | Contract::Undelegate { receiver, .. } => receiver,
    };
    if input.has("to_base58") {
        input.same_text("to_base58", &base58(to))?;
    }
    match fields.contract {
        Contract::Token { contract, .. } if input.has("contract_base58") => {
            input.same_text("contract_base58", &base58(contract))
        }
        _ => Ok(()),
    }
}

fn signed_as_expected(output: &Case<'_>, unsigned: Unsigned) -> Result<()> {
    let hash = unsigned.signing_hash();
    let mut signatures = Vec::new();
    for expected in output.entries("signatures") {
        signatures.push(signature_as_expected(&expected, &hash)?);
    }
    if signatures.is_empty() {
        return Ok(());
    }
    let signed = unsigned.attach(signatures);
    let signed = signed.map_err(|refusal| output.fail("signatures", "a signed transaction", refusal))?;
    for (field, form) in
        [("signed_tx_hex_v27", RecoveryForm::Plus27), ("signed_tx_hex_v0", RecoveryForm::Plain)]
    {
        let signed: Signed = signed.clone().with_form(form);
        output.same_bytes(field, signed.bytes())?;
        let read = tron::decode_signed(&signed.bytes());
        if read.map_err(|refusal| output.fail(field, "to be read back", refusal))? != signed {
            return Err(output.fail(field, "the same transaction read back", "another"));
        }
    }
    if output.has("bandwidth_bytes") {
        output.same("bandwidth_bytes", output.number("bandwidth_bytes")?, signed.bandwidth_bytes())?;
    }
    Ok(())
}

fn signature_as_expected(case: &Case<'_>, hash: &[u8; 32]) -> Result<Signature> {
    let key = signing_key(case, "private_key")?;
    let made = signature::sign(&key, hash).map_err(|error| case.fail("r, s", "a signature", error))?;
    case.same_bytes("r", made.r())?;
    case.same_bytes("s", made.s())?;
    case.same("recovery_id", case.number::<u8>("recovery_id")?, made.y_parity())?;
    case.same_bytes("signature_v27", RecoveryForm::Plus27.write(&made))?;
    case.same_bytes("signature_v0", RecoveryForm::Plain.write(&made))?;
    let signer = made.recover_address(Network::TRON, hash);
    let signer = signer.map_err(|error| case.fail("address_hex", "a signer", error))?;
    case.same_bytes("address_hex", signer.tron_bytes())?;
    if case.has("address_base58") {
        case.same_text("address_base58", &signer.to_string())?;
    }
    Ok(made)
}

/// The name of the refusal; no refusal is a failure.
fn must_refuse(case: &Case<'_>, field: &str, refusal: Option<Refusal>) -> Result<String> {
    match refusal {
        Some(Refusal::Kind(Kind::OtherCall { .. })) => {
            Ok("contract call other than a plain token transfer".to_owned())
        }
        Some(Refusal::Kind(kind)) => Ok(kind.to_string()),
        Some(refusal) => Ok(refusal.to_string()),
        None => Err(case.fail(field, "a refusal by the strict decoder", "a transaction")),
    }
}

/// A transaction of a real node: what Airlock could have built is read, compared and written again.
pub(crate) fn node_sample(case: &Case<'_>) -> Result<Outcome> {
    let raw_data = case.bytes("raw_data_hex")?;
    let unsigned = match tron::decode_unsigned(&raw_data) {
        Ok(unsigned) => unsigned,
        Err(refusal @ Refusal::Kind(_)) => {
            return Ok(Outcome::Skipped(must_refuse(case, "raw_data_hex", Some(refusal))?));
        }
        Err(refusal) => return Err(case.fail("raw_data_hex", "to be read, or refused by its kind", refusal)),
    };
    case.same_bytes("raw_data_hex", unsigned.encode())?;
    case.same_bytes("tx_id", unsigned.tx_id())?;
    let raw = case.nested("raw_data")?;
    let fields = unsigned.fields();
    raw.same_bytes("ref_block_bytes", fields.ref_block_bytes)?;
    raw.same_bytes("ref_block_hash", fields.ref_block_hash)?;
    raw.same("expiration", raw.number("expiration")?, fields.expiration_ms)?;
    raw.same("timestamp", raw.number_or_zero("timestamp")?, fields.timestamp_ms)?;
    raw.same("fee_limit", raw.number_or_zero("fee_limit")?, fields.fee_limit_sun)?;
    for contract in raw.entries("contract") {
        node_contract(&contract.nested("parameter")?.nested("value")?, fields)?;
    }
    node_signatures(case, &unsigned)?;
    Ok(Outcome::Passed)
}

/// The JSON beside the bytes. Calldata is not compared: pages print it shortened or edited by hand.
fn node_contract(value: &Case<'_>, fields: &Fields) -> Result<()> {
    let tron = |payload| Address::new(Network::TRON, payload).tron_bytes();
    value.same_bytes("owner_address", tron(fields.owner))?;
    match fields.contract {
        Contract::Trx { to, amount_sun } => {
            value.same_bytes("to_address", tron(to))?;
            value.same("amount", value.number("amount")?, amount_sun)
        }
        Contract::Token { contract, .. } => value.same_bytes("contract_address", tron(contract)),
        Contract::Delegate { receiver, balance_sun, .. }
        | Contract::Undelegate { receiver, balance_sun, .. } => {
            value.same_bytes("receiver_address", tron(receiver))?;
            value.same("balance", value.number("balance")?, balance_sun)
        }
    }
}

fn node_signatures(case: &Case<'_>, unsigned: &Unsigned) -> Result<()> {
    let owner = Address::new(Network::TRON, unsigned.fields().owner);
    for entry in case.entries("signature") {
        let bytes = entry.value().as_str().and_then(decode_hex).unwrap_or_default();
        let signer = recover_as_node(Network::TRON, &unsigned.signing_hash(), &bytes);
        let signer = signer.map_err(|error| entry.fail("", "a signature", error))?;
        // Another permission's keys sign for the owner; only the default one is known here.
        if unsigned.fields().permission_id == 0 {
            entry.same("signer", owner.to_string(), signer.to_string())?;
        }
    }
    Ok(())
}

/// One spelling of a signature: what a node recovers, and whether it is a spelling of ours.
pub(crate) fn signature_variant(parent: &Case<'_>, case: &Case<'_>) -> Result<Outcome> {
    let hash = parent.array("tx_id")?;
    let signer = Address::new(Network::TRON, payload(parent, "address_hex")?);
    if parent.has("private_key") {
        let key = signature::public_key(&signing_key(parent, "private_key")?);
        let address = Address::from_public_key(Network::TRON, &key);
        parent.same_bytes("address_hex", address.tron_bytes())?;
    }
    let bytes = case.bytes("signature")?;
    let recovered = recover_as_node(Network::TRON, &hash, &bytes).ok();
    let shown = |address: Option<Address>| address.map_or("nobody".to_owned(), |address| address.to_string());
    let expected = match case.has("java_tron_recovers") {
        true => Some(Address::new(Network::TRON, payload(case, "java_tron_recovers")?)),
        false => None,
    };
    case.same("java_tron_recovers", shown(expected), shown(recovered))?;
    let accepted = case.flag("java_tron_accepts_for_signer")?;
    case.same("java_tron_accepts_for_signer", accepted, recovered == Some(signer))?;
    let ours = RecoveryForm::read(&bytes).ok();
    let ours = ours.and_then(|(signature, _)| signature.recover_address(Network::TRON, &hash).ok());
    case.same("canonical_for_us", case.flag("canonical_for_us")?, ours == Some(signer))?;
    Ok(Outcome::Passed)
}

pub(crate) fn address_text(case: &Case<'_>) -> Result<Outcome> {
    let text = case.text("text")?;
    let parsed = Address::parse(Network::TRON, text);
    case.same("valid", case.flag("valid")?, parsed.is_ok())?;
    if let Ok(address) = parsed {
        case.same("spelling", text, &address.to_string())?;
    }
    Ok(Outcome::Passed)
}
