//! The contracts the control route `deploy` knows, and the few ABI encodings the devnet itself needs.
//!
//! The bytecode comes from `fixtures/contracts`, where sources and compiler settings lie beside it.

use revm::primitives::{Address, U256};
use serde_json::Value;

/// Selector of `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// Selector of `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

const BUILDS: [(&str, &str); 6] = [
    ("TronUsdt", include_str!("../../../fixtures/contracts/TronUsdt.json")),
    ("UsdtLike", include_str!("../../../fixtures/contracts/UsdtLike.json")),
    ("BoolToken18", include_str!("../../../fixtures/contracts/BoolToken18.json")),
    ("FalseToken", include_str!("../../../fixtures/contracts/FalseToken.json")),
    ("FakeUsdt", include_str!("../../../fixtures/contracts/FakeUsdt.json")),
    ("Router", include_str!("../../../fixtures/contracts/Router.json")),
];

/// A compiled contract.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// Its ABI, as compiled.
    pub(crate) abi: Value,
    /// Creation code, constructor arguments not yet appended.
    pub(crate) creation: Vec<u8>,
    /// Whether the constructor takes one uint256, the supply.
    pub(crate) takes_supply: bool,
}

/// The build of that name.
pub(crate) fn build(name: &str) -> Option<Build> {
    let (_, text) = BUILDS.iter().find(|(known, _)| *known == name)?;
    let json: Value = serde_json::from_str(text).ok()?;
    let creation = hex::decode(json.get("bytecode")?.as_str()?.trim_start_matches("0x")).ok()?;
    let abi = json.get("abi")?.clone();
    let takes_supply = abi.as_array()?.iter().any(|entry| {
        entry.get("type").and_then(Value::as_str) == Some("constructor")
            && entry.get("inputs").and_then(Value::as_array).is_some_and(|inputs| inputs.len() == 1)
    });
    Some(Build { abi, creation, takes_supply })
}

/// Creation code with the supply appended where the constructor takes one.
pub(crate) fn creation_code(build: &Build, supply: U256) -> Vec<u8> {
    let mut code = build.creation.clone();
    if build.takes_supply {
        code.extend_from_slice(&supply.to_be_bytes::<32>());
    }
    code
}

/// Calldata of `transfer(to, amount)`.
pub(crate) fn transfer(to: &Address, amount: U256) -> Vec<u8> {
    let mut data = TRANSFER.to_vec();
    data.extend_from_slice(to.into_word().as_slice());
    data.extend_from_slice(&amount.to_be_bytes::<32>());
    data
}

/// Calldata of `balanceOf(holder)`.
pub(crate) fn balance_of(holder: &Address) -> Vec<u8> {
    let mut data = BALANCE_OF.to_vec();
    data.extend_from_slice(holder.into_word().as_slice());
    data
}
