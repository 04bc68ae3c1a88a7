//! Signatures against permissions: java-tron's `TransactionCapsule.validateSignature` and `checkWeight`.
//!
//! Called at broadcast and again at inclusion. Low s is not required and several v values are usable, as on the real chain.

use std::collections::BTreeSet;

use revm::primitives::Address;

use super::address;
use super::ledger::Ledger;
use super::message::{Operation, Permission, Transaction, transaction_id};
use super::refusal::Refusal;
use crate::keys::recover;

/// Most signatures a transaction may carry.
const TOTAL_SIGN_NUM: usize = 5;
/// r, s and v.
const SIGNATURE_BYTES: usize = 65;

/// Checks every signature of a transaction.
pub(crate) fn check(ledger: &Ledger, transaction: &Transaction) -> Result<(), Refusal> {
    let Some(raw) = &transaction.raw_data else {
        return Err(Refusal::signature("miss sig or contract"));
    };
    let Some(contract) = raw.contract.first() else {
        return Err(Refusal::signature("miss sig or contract"));
    };
    if transaction.signature.is_empty() {
        return Err(Refusal::signature("miss sig or contract"));
    }
    if transaction.signature.len() > TOTAL_SIGN_NUM {
        return Err(Refusal::signature("too many signatures"));
    }
    let owner =
        Operation::unpack(contract).and_then(|op| address::from_bytes(op.owner_address())).ok_or_else(
            || Refusal::validate(format!("contract type {} is not executed here", contract.r#type)),
        )?;
    let permission = ledger
        .permission(&owner, contract.permission_id)
        .ok_or_else(|| Refusal::signature("permission isn't exit"))?;
    if contract.permission_id != 0 {
        if permission.r#type != 2 {
            return Err(Refusal::signature("Permission type is error"));
        }
        if !allows(&permission, contract.r#type) {
            return Err(Refusal::signature("Permission denied"));
        }
    }
    let (weight, _) =
        weigh(&permission, &transaction.signature, &transaction_id(raw)).map_err(Refusal::signature)?;
    if weight < permission.threshold {
        return Err(Refusal::signature("sig error"));
    }
    Ok(())
}

/// Whether the operations bitmap allows a contract type.
pub(crate) fn allows(permission: &Permission, kind: i32) -> bool {
    usize::try_from(kind).is_ok_and(|kind| {
        permission.operations.get(kind / 8).is_some_and(|byte| byte & (1 << (kind % 8)) != 0)
    })
}

/// The summed weight of the signatures and who made them; the text of the first failure otherwise.
pub(crate) fn weigh(
    permission: &Permission,
    signatures: &[Vec<u8>],
    id: &[u8; 32],
) -> Result<(i64, Vec<Address>), String> {
    if signatures.len() > permission.keys.len() {
        return Err(format!(
            "Signature count is {} more than key counts of permission : {}",
            signatures.len(),
            permission.keys.len()
        ));
    }
    let mut seen = BTreeSet::new();
    let mut signers = Vec::new();
    let mut weight: i64 = 0;
    for signature in signatures {
        let signer = signer(signature, id)?;
        let key = permission.keys.iter().find(|key| key.address == address::to_bytes(&signer));
        let Some(key) = key.filter(|key| key.weight != 0) else {
            return Err(format!(
                "{} is signed by {} but it is not contained of permission.",
                hex::encode(signature),
                address::to_text(&signer)
            ));
        };
        if !seen.insert(signer) {
            return Err(format!("{} has signed twice!", address::to_text(&signer)));
        }
        weight = weight.saturating_add(key.weight);
        signers.push(signer);
    }
    Ok((weight, signers))
}

/// Who made a signature; the failure in words.
pub(crate) fn signer(signature: &[u8], id: &[u8; 32]) -> Result<Address, String> {
    let Some((r_and_s, v)) = signature.get(..SIGNATURE_BYTES).and_then(|whole| whole.split_at_checked(64))
    else {
        return Err(format!("Signature size is {}", signature.len()));
    };
    // v is a signed byte in Java: values below 27, negative ones included, get 27 added.
    let v = i16::from(v.first().copied().unwrap_or(0) as i8);
    let header = if v < 27 { v + 27 } else { v };
    if !(27..=34).contains(&header) {
        return Err(format!("Header byte out of range: {header}"));
    }
    let recovery = if header >= 31 { header - 31 } else { header - 27 };
    u8::try_from(recovery)
        .ok()
        .and_then(|recovery| recover(id, r_and_s, recovery))
        .ok_or_else(|| "Could not recover public key from signature".to_owned())
}
