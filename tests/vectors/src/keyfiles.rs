//! Key files of other wallets: the private key comes out under the password.
//!
//! The document maps names to entries with `json` (the key file), `password` and `priv` (the key in hex). An address
//! that the file names must be the key's.

use crate::case::{Case, Outcome, Result};
use crate::keys::signing_key;
use crate::report::Report;
use airlock_shared::chain::signature;
use airlock_shared::{Address, Network};
use airlock_signer::vault::keystore;
use serde_json::Value;

pub(crate) fn key_files(document: &Value, report: &mut Report) {
    for (name, entry) in document.as_object().into_iter().flatten() {
        let case = Case::new(entry, name.clone());
        report.record(name.clone(), key_file(&case));
    }
}

fn key_file(case: &Case<'_>) -> Result<Outcome> {
    let file = case.nested("json")?.value().to_string();
    let password = case.text("password")?.as_bytes();
    let opened = keystore::open(file.as_bytes(), password);
    let key = opened.map_err(|error| case.fail("priv", "a key", error))?;
    case.same_bytes("priv", &key[..])?;
    let public = signature::public_key(&signing_key(case, "priv")?);
    let address = Address::from_public_key(Network::ETHEREUM, &public);
    keystore::check_address(file.as_bytes(), address.payload())
        .map_err(|error| case.fail("address", "the key's", error))?;
    Ok(Outcome::Passed)
}
