//! `addresses`: wallet addresses, derived afresh, for the coordinator's configuration and for policies.

use super::founding::usual_networks;
use super::{Place, network_of, unlock};
use crate::args::Addresses;
use crate::failure::Failure;
use crate::keys::Keyring;
use crate::vault::{Device, WalletRef};
use airlock_shared::Network;
use airlock_shared::wallet::Role;
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    format: &'static str,
    version: u8,
    profile: &'static str,
    identity: String,
    wallets: Vec<Wallet>,
}

#[derive(Serialize)]
struct Wallet {
    network: Network,
    role: &'static str,
    index: u32,
    path: String,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retired: bool,
}

/// Derives and prints.
pub fn run(place: &Place, args: &Addresses) -> Result<(), Failure> {
    let home = place.home()?;
    let (vault, answer) = place.spending_vault(&home)?;
    let profile = vault.device().profile;
    let networks = if args.network.is_empty() {
        usual_networks(profile).to_vec()
    } else {
        args.network.iter().map(|text| network_of(text, profile)).collect::<Result<_, _>>()?
    };
    let all_roles = args.role.is_empty();
    let roles = if all_roles {
        Role::DERIVED.to_vec()
    } else {
        args.role.iter().map(|text| role(text)).collect::<Result<_, _>>()?
    };
    place.enter_sandbox(&home, None)?;
    let keyring = unlock(&vault, answer)?;
    let device = vault.device();
    let mut wallets = Vec::new();
    for network in networks {
        for role in &roles {
            wallets.extend(wallets_of(&keyring, device, network, *role, args.count)?);
        }
        if all_roles {
            wallets.extend(wallets_of(&keyring, device, network, Role::Imported, args.count)?);
        }
    }
    let lines: Vec<_> = wallets.iter().map(line).collect();
    let answer = Answer {
        format: "airlock addresses",
        version: 1,
        profile: profile.name(),
        identity: hex::encode(vault.device().identity().as_bytes()),
        wallets,
    };
    place.console.answer(&answer, lines.join("\n"))
}

fn line(wallet: &Wallet) -> String {
    let Wallet { network, role, path, address, label, retired, .. } = wallet;
    let label = label.as_deref().map_or(String::new(), |label| format!("  {label}"));
    let retired = if *retired { "  RETIRED" } else { "" };
    format!("{:<18} {role:<8} {path:<24} {address}{label}{retired}", network.to_string())
}

fn role(text: &str) -> Result<Role, Failure> {
    Role::from_name(text)
        .filter(|role| *role != Role::Hardware)
        .ok_or_else(|| Failure::usage(format!("role {text:?} is not deposit, hot, cold, energy or imported")))
}

/// The first `count` of an account, or every imported key that may sign there.
fn wallets_of(
    keyring: &Keyring,
    device: &Device,
    network: Network,
    role: Role,
    count: u32,
) -> Result<Vec<Wallet>, Failure> {
    let wallets = keyring.wallets(network, role)?;
    let slots = u32::try_from(device.imported.len()).unwrap_or(u32::MAX);
    let indices = 0..if role == Role::Imported { slots } else { count };
    let covered = |index: &u32| match device.imported.get(*index as usize) {
        Some(one) if role == Role::Imported => one.reach.covers(network),
        _ => true,
    };
    let wallet = |index| {
        let address = wallets.address(index)?;
        let own = device.imported.get(index as usize).filter(|_| role == Role::Imported);
        let label = device.label_of(&address).or(own.map(|one| &one.label));
        Ok(Wallet {
            network,
            role: role.name(),
            index,
            path: wallets.path(index),
            address: address.to_string(),
            label: label.map(|label| label.as_str().to_owned()),
            retired: device.is_retired(&WalletRef { network, role, index }),
        })
    };
    indices.filter(covered).map(wallet).collect()
}
