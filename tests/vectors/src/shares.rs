//! SLIP-39: sets of shares that give a secret, and sets that must be refused.
//!
//! Each entry is a list: description, shares, master secret in hex and the BIP-32 master key of that secret; the
//! last two are empty where the set is invalid. The set must come back from its own words as well.

use crate::case::{Failed, Outcome, Result};
use crate::report::Report;
use airlock_shared::slip39::{Share, combine};
use bip32::{Prefix, XPrv};
use serde_json::Value;

/// The passphrase of python-shamir-mnemonic's vectors.
const PASSPHRASE: &[u8] = b"TREZOR";

pub(crate) fn slip39_file(document: &Value, report: &mut Report) {
    for (index, entry) in document.as_array().into_iter().flatten().enumerate() {
        let name = entry.get(0).and_then(Value::as_str).map_or_else(|| format!("[{index}]"), str::to_owned);
        report.record(name, set(entry));
    }
}

fn set(entry: &Value) -> Result<Outcome> {
    let column = |index: usize, name: &str| {
        let text = entry.get(index).and_then(Value::as_str);
        text.ok_or_else(|| Failed::new(name, "a text", "nothing"))
    };
    let mnemonics = entry.get(1).and_then(Value::as_array);
    let mnemonics = mnemonics.ok_or_else(|| Failed::new("shares", "a list", "nothing"))?;
    let texts: Vec<&str> = mnemonics.iter().filter_map(Value::as_str).collect();
    if texts.len() != mnemonics.len() {
        return Err(Failed::new("shares", "a list of texts", "something else"));
    }
    let expected = column(2, "master secret")?;
    let shares = texts.iter().map(|text| Share::parse(text)).collect::<std::result::Result<Vec<_>, _>>();
    let combined = shares.and_then(|shares| {
        let spelled: Vec<_> = shares.iter().map(Share::words).collect();
        combine(&shares, PASSPHRASE).map(|secret| (secret, spelled))
    });
    match combined {
        Err(_) if expected.is_empty() => Ok(Outcome::Passed),
        Err(error) => Err(Failed::new("master secret", expected, error)),
        Ok(_) if expected.is_empty() => Err(Failed::new("master secret", "a refusal", "a secret")),
        Ok((secret, spelled)) => {
            same("master secret", expected, &hex::encode(&secret[..]))?;
            for (text, spelled) in texts.iter().zip(&spelled) {
                same("words", text, spelled)?;
            }
            let master =
                XPrv::new(&secret[..]).map_err(|error| Failed::new("xprv", "a master key", error))?;
            same("xprv", column(3, "xprv")?, master.to_string(Prefix::XPRV).as_str())?;
            Ok(Outcome::Passed)
        }
    }
}

fn same(field: &str, expected: &str, found: &str) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Failed::new(field, expected, found)) }
}
