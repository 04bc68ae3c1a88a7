//! Keys: private to public to address on both families, BIP-39 mnemonics, BIP-32 derivation.
//!
//! Extended private keys are compared here with the `bip32` crate directly: Airlock itself never exports one.

use crate::case::{Case, Failed, Outcome, Result};
use crate::report::Report;
use airlock_shared::chain::signature;
use airlock_shared::hd::{AccountKey, AccountPath, KeyPath, MasterKey};
use airlock_shared::{Address, Family, Network};
use bip32::{DerivationPath, Prefix, XPrv};
use bip39::{Language, Mnemonic};
use k256::ecdsa::SigningKey;
use serde_json::Value;

/// The passphrase of python-mnemonic's vectors.
const BIP39_PASSPHRASE: &str = "TREZOR";

pub(crate) fn signing_key(case: &Case<'_>, field: &str) -> Result<SigningKey> {
    SigningKey::from_slice(&case.bytes(field)?).map_err(|error| case.fail(field, "a private key", error))
}

fn sec1(xy: &[u8; 64]) -> Vec<u8> {
    [&[4][..], xy].concat()
}

fn compressed(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_sec1_point(true).as_bytes().to_vec()
}

pub(crate) fn tron_key(case: &Case<'_>) -> Result<Outcome> {
    let key = signing_key(case, "private_key")?;
    let xy = signature::public_key(&key);
    let address = Address::from_public_key(Network::TRON, &xy);
    case.same_bytes("public_key_uncompressed", sec1(&xy))?;
    case.same_bytes("public_key_compressed", compressed(&key))?;
    case.same_bytes("tron_address_hex", address.tron_bytes())?;
    case.same_text("tron_address_base58", &address.to_string())?;
    case.same_text("evm_address", &Address::from_public_key(Network::ETHEREUM, &xy).to_string())?;
    Ok(Outcome::Passed)
}

pub(crate) fn evm_key(case: &Case<'_>) -> Result<Outcome> {
    let key = signing_key(case, "private_key")?;
    let xy = signature::public_key(&key);
    case.same_bytes("public_key_uncompressed", sec1(&xy))?;
    case.same_bytes("public_key_compressed", compressed(&key))?;
    case.same_text("address", &Address::from_public_key(Network::ETHEREUM, &xy).to_string())?;
    Ok(Outcome::Passed)
}

pub(crate) fn hierarchical(case: &Case<'_>) -> Result<Outcome> {
    let mnemonic = mnemonic(case, case.text("mnemonic")?)?;
    if case.has("entropy") {
        case.same_bytes("entropy", mnemonic.to_entropy())?;
    }
    let seed = mnemonic.to_seed(if case.has("passphrase") { case.text("passphrase")? } else { "" });
    case.same_bytes("seed", seed)?;
    let xprv = XPrv::new(&seed).map_err(|error| case.fail("seed", "a seed", error))?;
    if case.has("master_xprv") {
        case.same_text("master_xprv", &xprv.to_string(Prefix::XPRV))?;
    }
    let master = MasterKey::from_seed(&seed).map_err(|error| case.fail("seed", "a seed", error))?;
    for (list, network) in [("tron", Network::TRON), ("evm", Network::ETHEREUM)] {
        for key in case.entries(list) {
            derived_key(&key, &master, network)?;
        }
    }
    for account in case.entries("accounts") {
        derived_account(&account, &master, &xprv)?;
    }
    Ok(Outcome::Passed)
}

fn mnemonic(case: &Case<'_>, words: &str) -> Result<Mnemonic> {
    Mnemonic::parse_in(Language::English, words)
        .map_err(|error| case.fail("mnemonic", "an English mnemonic", error))
}

/// One key below the seed, and the same address from its account's xpub.
fn derived_key(case: &Case<'_>, master: &MasterKey, network: Network) -> Result<()> {
    let path: KeyPath = parsed(case, "path")?;
    let refused = |error| case.fail("path", "a derivable key", error);
    let account = master.account(path.account()).map_err(refused)?;
    let key = account.signing_key(path.change(), path.index()).map_err(refused)?;
    let address = Address::from_public_key(network, &signature::public_key(&key));
    case.same_bytes("private_key", key.to_bytes())?;
    case.same_bytes("public_key", compressed(&key))?;
    case.same_text("address", &address.to_string())?;
    if case.has("address_hex") && network.family() == Family::Tron {
        case.same_bytes("address_hex", address.tron_bytes())?;
    }
    let public = account.public().address(network, path.change(), path.index()).map_err(refused)?;
    case.same("address from the xpub", address.to_string(), public.to_string())
}

fn derived_account(case: &Case<'_>, master: &MasterKey, root: &XPrv) -> Result<()> {
    let path: AccountPath = parsed(case, "path")?;
    let public =
        master.account(path).map_err(|error| case.fail("path", "a derivable account", error))?.public();
    case.same_text("xpub", &public.to_string())?;
    let imported: AccountKey = parsed(case, "xpub")?;
    case.same("account number", path.account(), imported.account())?;
    if case.has("fingerprint") {
        case.same_bytes("fingerprint", imported.fingerprint())?;
    }
    if case.has("parent_fingerprint") {
        case.same_bytes("parent_fingerprint", imported.parent_fingerprint())?;
    }
    if case.has("xprv") {
        let levels: DerivationPath = parsed(case, "path")?;
        let private = levels
            .iter()
            .try_fold(root.clone(), |key, level| key.derive_child(level))
            .map_err(|error| case.fail("path", "a derivable account", error))?;
        case.same_text("xprv", &private.to_string(Prefix::XPRV))?;
    }
    account_children(case, &imported)
}

/// `children_public_keys`: change level to the public keys of index 0, 1, 2 and so on.
fn account_children(case: &Case<'_>, account: &AccountKey) -> Result<()> {
    let Some(levels) = case.optional("children_public_keys").and_then(Value::as_object) else {
        return Ok(());
    };
    for (change, keys) in levels {
        let field = format!("children_public_keys.{change}");
        let change = change.parse().map_err(|_| case.fail(&field, "a change number", change))?;
        for (index, expected) in (0u32..).zip(keys.as_array().into_iter().flatten()) {
            let found =
                account.public_key(change, index).map_err(|error| case.fail(&field, "a key", error))?;
            let expected = expected.as_str().unwrap_or_default();
            case.same(&format!("{field}[{index}]"), expected, &hex::encode(found))?;
        }
    }
    Ok(())
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(case: &Case<'_>, field: &str) -> Result<T> {
    let text = case.text(field)?;
    text.parse().map_err(|error| case.fail(field, text, error))
}

/// python-mnemonic's file: language to rows of entropy, mnemonic, seed and, if present, master key.
pub(crate) fn bip39_file(document: &Value, report: &mut Report) {
    for (language, rows) in document.as_object().into_iter().flatten() {
        for (index, row) in rows.as_array().into_iter().flatten().enumerate() {
            let outcome = if language == "english" {
                bip39_row(&Case::new(row, String::new()))
            } else {
                Ok(Outcome::Skipped(format!("mnemonics in {language}")))
            };
            report.record(format!("{language}[{index}]"), outcome);
        }
    }
}

fn bip39_row(case: &Case<'_>) -> Result<Outcome> {
    let column = |index: usize, name: &str| {
        let text = case.value().get(index).and_then(Value::as_str);
        text.ok_or_else(|| Failed::new(name, "a text", "nothing"))
    };
    let entropy = column(0, "entropy")?;
    let words = column(1, "mnemonic")?;
    let mnemonic = mnemonic(case, words)?;
    case.same("entropy", entropy, &hex::encode(mnemonic.to_entropy()))?;
    let made = Mnemonic::from_entropy_in(Language::English, &mnemonic.to_entropy());
    let made = made.map_err(|error| case.fail("entropy", "a mnemonic", error))?;
    case.same("mnemonic", words, &made.to_string())?;
    let seed = mnemonic.to_seed(BIP39_PASSPHRASE);
    case.same("seed", column(2, "seed")?, &hex::encode(seed))?;
    if case.value().get(3).is_some() {
        let master = XPrv::new(&seed).map_err(|error| case.fail("seed", "a seed", error))?;
        case.same("xprv", column(3, "xprv")?, master.to_string(Prefix::XPRV).as_str())?;
    }
    Ok(Outcome::Passed)
}
