//! Sign requests before a hardware wallet that other people wrote: Keystone's npm packages read them, sign and answer.
//!
//! `tests/foreign/hardware_wallet.mjs` is the device. `scripts/test.sh` installs it and sets `AIRLOCK_FOREIGN_DIR`; without that the
//! test says so and passes, unless `AIRLOCK_REQUIRE_FOREIGN` is set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

#[path = "../../shared/tests/sample/mod.rs"]
mod sample;

use airlock_shared::Network;
use airlock_shared::chain::signature;
use airlock_shared::frames::ur::{Decoder, HardwareRequest, Parts, Progress, Ur};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const FINGERPRINT: [u8; 4] = [0x00, 0x34, 0x56, 0x78];
/// Of the wallet that pays in the sample world.
const SEED: u8 = 7;

#[test]
fn keystones_packages_sign_an_evm_request() {
    signed_by_a_device(Network::EVM_DEV);
}

#[test]
fn keystones_packages_sign_a_tron_request() {
    signed_by_a_device(Network::TRON_DEV);
}

fn signed_by_a_device(network: Network) {
    let Some(directory) = std::env::var_os("AIRLOCK_FOREIGN_DIR").map(PathBuf::from) else {
        assert!(std::env::var_os("AIRLOCK_REQUIRE_FOREIGN").is_none(), "AIRLOCK_FOREIGN_DIR is not set");
        println!("skipped: AIRLOCK_FOREIGN_DIR is not set; scripts/test.sh sets it");
        return;
    };
    let request = HardwareRequest::new(&sample::content(network, 3), 1, 0, Some(FINGERPRINT)).unwrap();
    let hash = request.unsigned().signing_hash();
    let signed = signature::sign(&sample::chain_key(SEED), &hash).unwrap();
    let expected = request.unsigned().clone().attach(signed).unwrap();

    // A camera that came late, so that mixed parts are needed; then the whole text.
    let ur = request.ur().unwrap();
    let parts = Parts::of_fragments(ur.clone(), 60).unwrap();
    let late: Vec<_> = (parts.total() as u32..60).map(|number| parts.text(number)).collect();
    for texts in [late, vec![ur.text()]] {
        let answered = answer_of(&directory, &request, &ur, &texts);
        let (whole, shown) = answered.split_first().unwrap();
        assert_eq!(request.accept(&Ur::parse(whole).unwrap(), sample::NOW), Ok(expected.clone()));
        let mut decoder = Decoder::new(request.reply_type());
        let reply = shown.iter().rev().find_map(|text| match decoder.receive(text).unwrap() {
            Progress::Complete(ur) => Some(ur),
            _ => None,
        });
        assert_eq!(request.accept(&reply.unwrap(), sample::NOW), Ok(expected.clone()));
    }
}

/// What the device shows: the reply in one piece, then in parts.
fn answer_of(directory: &PathBuf, request: &HardwareRequest, ur: &Ur, texts: &[String]) -> Vec<String> {
    let message = request.message();
    let wanted = serde_json::json!({
        "texts": texts,
        "type": ur.ur_type(),
        "request_id": hex::encode(request.request_id().as_bytes()),
        "sign_data": hex::encode(&message.sign_data),
        "chain_id": message.chain_id,
        "path": request.path().to_string(),
        "fingerprint": hex::encode(FINGERPRINT),
        "address": hex::encode(request.source().payload()),
        "private_key": format!("0x{}", hex::encode([SEED; 32])),
    });
    let mut device = Command::new("node")
        .arg("hardware_wallet.mjs")
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    device.stdin.take().unwrap().write_all(wanted.to_string().as_bytes()).unwrap();
    let output = device.wait_with_output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
