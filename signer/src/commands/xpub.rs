//! `xpub`: the extended public key of one deposit account, from which the coordinator derives deposit
//! addresses without any private key. No other account's leaves (see `keys`).

use super::{Place, network_of, unlock};
use crate::args::Xpub;
use crate::failure::Failure;
use crate::qr::Output;
use airlock_shared::Network;
use airlock_shared::frames::FrameSize;
use airlock_shared::wallet::Role;
use serde::Serialize;

/// What the frames of this document say it is.
const FRAME_KIND: u8 = 32;

#[derive(Serialize)]
struct Export {
    format: &'static str,
    version: u8,
    profile: &'static str,
    network: Network,
    path: String,
    xpub: String,
    fingerprint: String,
    first_address: String,
    identity: String,
}

/// Derives, prints, and writes the files.
pub fn run(place: &Place, args: &Xpub) -> Result<(), Failure> {
    let home = place.home()?;
    let (vault, answer) = place.spending_vault(&home)?;
    let device = vault.device();
    let network = network_of(&args.network, device.profile)?;
    let output = args.out.as_deref().map(Output::open).transpose()?;
    place.enter_sandbox(&home, args.out.as_deref())?;
    let keyring = unlock(&vault, answer)?;
    let account = keyring.account(network, Role::Deposit)?;
    let export = Export {
        format: "airlock xpub",
        version: 1,
        profile: device.profile.name(),
        network,
        path: account.path(),
        xpub: account.xpub()?.to_string(),
        fingerprint: hex::encode(keyring.fingerprint()),
        first_address: account.address(0)?.to_string(),
        identity: hex::encode(device.identity().as_bytes()),
    };
    if let Some(output) = output {
        let json = serde_json::to_string_pretty(&export)
            .map_err(|error| Failure::new(crate::failure::Exit::Transfer, "output", error))?;
        output.write("xpub", &(json.clone() + "\n"), json.as_bytes(), FRAME_KIND, FrameSize::default())?;
    }
    let text = format!(
        "{} {}\n{}\nfirst address {}",
        export.network, export.path, export.xpub, export.first_address
    );
    place.console.answer(&export, text)
}
