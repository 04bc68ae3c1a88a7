//! Which format a file of vectors has, by the keys it contains.
//!
//! Formats of features that Airlock does not have yet are known by name, so that such a file is skipped openly
//! and an unknown file is a failure.

use serde_json::Value;

/// The formats that are run, and those of later features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    TronKeys,
    TronHd,
    TronTransactions,
    TronSignatureVariants,
    TronAddressTexts,
    TronNodeSamples,
    EvmKeys,
    EvmTransactions,
    EvmAddresses,
    EvmForeign,
    InvalidRlp,
    Bip39,
    Slip39,
    Hardware,
    KeyFiles,
    /// Known, not run yet.
    Later(&'static str),
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TronKeys => "TRON keys",
            Self::TronHd => "hierarchical keys",
            Self::TronTransactions => "TRON transactions",
            Self::TronSignatureVariants => "TRON signature variants",
            Self::TronAddressTexts => "TRON address texts",
            Self::TronNodeSamples => "TRON node samples",
            Self::EvmKeys => "EVM keys",
            Self::EvmTransactions => "EVM transactions",
            Self::EvmAddresses => "EVM addresses",
            Self::EvmForeign => "EVM foreign transactions",
            Self::InvalidRlp => "invalid RLP",
            Self::Bip39 => "BIP-39",
            Self::Slip39 => "SLIP-39 shares",
            Self::Hardware => "messages of hardware wallets",
            Self::KeyFiles => "key files (Web3 Secret Storage)",
            Self::Later(kind) => kind,
        }
    }
}

/// The format whose keys some entry of the file's lists has.
pub(crate) fn detect(document: &Value) -> Option<Format> {
    let by_entry: [(&str, &[&str], Format); 14] = [
        ("vectors", &["tron_address_base58", "private_key"], Format::TronKeys),
        ("vectors", &["mnemonic", "seed"], Format::TronHd),
        ("vectors", &["input", "output"], Format::TronTransactions),
        ("vectors", &["cases", "tx_id"], Format::TronSignatureVariants),
        ("vectors", &["text", "valid"], Format::TronAddressTexts),
        ("vectors", &["raw_data_hex", "tx_id"], Format::TronNodeSamples),
        ("keys", &["private_key", "address"], Format::EvmKeys),
        ("cases", &["unsigned_rlp", "signed_raw"], Format::EvmTransactions),
        ("cases", &["tx", "valid"], Format::EvmForeign),
        ("cases", &["rlp"], Format::InvalidRlp),
        ("cases", &["safe_tx_hash"], Format::Later("Safe multisig")),
        ("cases", &["venue", "operation"], Format::Later("exchange venue signing")),
        ("cases", &["type", "cbor"], Format::Hardware),
        ("cases", &["type", "ur"], Format::Hardware),
    ];
    let has_entry = |list: &str, keys: &[&str]| {
        crate::list(document, list).iter().any(|entry| keys.iter().all(|key| entry.get(key).is_some()))
    };
    if let Some((_, _, format)) = by_entry.into_iter().find(|(list, keys, _)| has_entry(list, keys)) {
        return Some(format);
    }
    match document {
        Value::Object(_) if document.get("accept").is_some() || document.get("reject").is_some() => {
            Some(Format::EvmAddresses)
        }
        Value::Object(_) if is_mnemonic_list(document.get("english")) => Some(Format::Bip39),
        Value::Object(files)
            if files.values().any(|file| file.get("json").is_some() && file.get("password").is_some()) =>
        {
            Some(Format::KeyFiles)
        }
        Value::Array(entries) if entries.iter().any(|entry| entry.get(1).is_some_and(Value::is_array)) => {
            Some(Format::Slip39)
        }
        _ => None,
    }
}

fn is_mnemonic_list(value: Option<&Value>) -> bool {
    let first = value.and_then(Value::as_array).and_then(|list| list.first());
    first.and_then(Value::as_array).is_some_and(|row| row.len() >= 3 && row.iter().all(Value::is_string))
}
