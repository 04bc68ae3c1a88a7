//! `liabilities verify`: checks a statement, and a proof in it, with nothing but the files and the coordinator's public key.
//!
//! Called by `main` without settings or database, so a user or an auditor runs it anywhere. What must stay true: without the key from
//! elsewhere nothing is called verified.

use airlock_shared::document::{Document, MAGIC, read};
use airlock_shared::form::{FormError, from_foreign_json};
use airlock_shared::identity::Identity;
use airlock_shared::liabilities::tree::Sums;
use airlock_shared::liabilities::{CountedAsset, InclusionProof, LiabilityError, SignedStatement};
use airlock_shared::{MinorUnits, Scale};
use serde_json::{Map, Value, json};

/// Why it is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Not such a document.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A lie.
    #[error(transparent)]
    Liability(#[from] LiabilityError),
    /// The file has neither of the two.
    #[error("neither {} nor {}", SignedStatement::NAME, InclusionProof::NAME)]
    Other,
}

/// Takes `statement` and perhaps `proof` (documents, or the answer of `GET /v1/liabilities/proof` as the first) and says what they prove.
pub fn check(statement: &[u8], proof: Option<&[u8]>, coordinator: &Identity) -> Result<Value, CheckError> {
    let (statement, carried) = taken_apart(statement)?;
    let signed: SignedStatement = read_relayed(&statement)?;
    signed.check(coordinator)?;
    let mut shown = summary(&signed)?;
    if let Some(bytes) = proof.map(<[u8]>::to_vec).or(carried) {
        let proof: InclusionProof = read_relayed(&bytes)?;
        proof.check(&signed.statement)?;
        shown["included"] = json!({
            "owner": proof.creditor.owner,
            "owed": amounts(&signed.statement.assets, &proof.creditor.sums),
        });
    }
    Ok(shown)
}

/// Either spelling; JSON also as other programs pass it on (other spaces, other order), since the digests are over the fields.
fn read_relayed<D: Document>(bytes: &[u8]) -> Result<D, FormError> {
    if bytes.starts_with(&MAGIC) {
        read(bytes)
    } else {
        from_foreign_json(D::NAME, u64::from(D::VERSION), bytes)
    }
}

/// An answer of the API holds both documents; a document stands alone.
fn taken_apart(bytes: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), CheckError> {
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(bytes) else {
        return Ok((bytes.to_vec(), None));
    };
    match (fields.get("statement"), fields.get("proof"), fields.get("format")) {
        (_, _, Some(_)) => Ok((bytes.to_vec(), None)),
        (Some(statement), Some(proof), None) => {
            Ok((statement.to_string().into_bytes(), Some(proof.to_string().into_bytes())))
        }
        _ => Err(CheckError::Other),
    }
}

fn amounts(assets: &[CountedAsset], sums: &Sums) -> Value {
    let text = |(asset, minor): (&CountedAsset, &u64)| {
        // `Sums` holds nothing above 63 bits.
        let minor = MinorUnits::new(i64::try_from(*minor).unwrap_or(i64::MAX));
        (asset.code.clone(), json!(minor.to_decimal(asset.decimals)))
    };
    Value::Object(assets.iter().zip(sums.minor()).map(text).collect())
}

/// Owed, there, and the rest, per asset.
fn summary(signed: &SignedStatement) -> Result<Value, CheckError> {
    let statement = &signed.statement;
    let owed = statement.owed()?;
    let mut assets = Map::new();
    for (place, asset) in statement.assets.iter().enumerate() {
        let minor = owed.minor().get(place).copied().unwrap_or(0);
        let owed = MinorUnits::new(i64::try_from(minor).unwrap_or(i64::MAX));
        let (mut booked, mut found, mut unanswered) = (MinorUnits::ZERO, MinorUnits::ZERO, false);
        for reserve in statement.reserves.iter().filter(|reserve| reserve.asset == asset.code) {
            let scale = Scale::new(reserve.decimals, asset.decimals).ok_or(LiabilityError::Overflow)?;
            let minor =
                |base| scale.to_minor(base).map(|(minor, _)| minor).map_err(|_| LiabilityError::Overflow);
            let add = |sum: MinorUnits, more| sum.checked_add(more).ok_or(LiabilityError::Overflow);
            booked = add(booked, minor(reserve.booked)?)?;
            match &reserve.found {
                Some(balance) => found = add(found, minor(balance.amount)?)?,
                None => unanswered = true,
            }
        }
        let text = |amount: MinorUnits| amount.to_decimal(asset.decimals);
        assets.insert(
            asset.code.clone(),
            json!({
                "owed": text(owed), "reserves_booked": text(booked), "reserves_final": text(found),
                "reserves_unanswered": unanswered, "covered": !unanswered && found >= owed,
            }),
        );
    }
    Ok(json!({
        "verified": true, "statement": statement.digest().to_string(), "signer": signed.signer.to_string(),
        "taken_at": statement.taken_at, "creditors": statement.creditors, "assets": assets,
    }))
}
