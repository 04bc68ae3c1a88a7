//! `addresses`: wallet addresses, derived afresh, for the coordinator's configuration and for policies.

use super::{Place, network_of, unlock};
use crate::args::Addresses;
use crate::failure::Failure;
use crate::keys::Master;
use airlock_shared::wallet::Role;
use airlock_shared::{Network, Profile};
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
    let roles = if args.role.is_empty() {
        Role::DERIVED.to_vec()
    } else {
        args.role.iter().map(|text| role(text)).collect::<Result<_, _>>()?
    };
    place.enter_sandbox(&home, None)?;
    let master = unlock(&vault, answer)?;
    let mut wallets = Vec::new();
    for network in networks {
        for role in &roles {
            wallets.extend(wallets_of(&master, network, *role, args.count)?);
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
    format!("{:<18} {:<8} {:<24} {}", wallet.network.to_string(), wallet.role, wallet.path, wallet.address)
}

fn role(text: &str) -> Result<Role, Failure> {
    Role::from_name(text)
        .ok_or_else(|| Failure::usage(format!("role {text:?} is not deposit, hot, cold or energy")))
}

fn wallets_of(master: &Master, network: Network, role: Role, count: u32) -> Result<Vec<Wallet>, Failure> {
    let account = master.account(network, role)?;
    (0..count)
        .map(|index| {
            Ok(Wallet {
                network,
                role: role.name(),
                index,
                path: account.key_path(index),
                address: account.address(index)?.to_string(),
            })
        })
        .collect()
}

/// The networks of D1, by profile.
fn usual_networks(profile: Profile) -> &'static [Network] {
    match profile {
        Profile::Main => {
            &[Network::TRON, Network::ETHEREUM, Network::POLYGON, Network::BSC, Network::ARBITRUM]
        }
        Profile::Test => &[Network::NILE, Network::SHASTA, Network::Evm { chain_id: 80_002 }],
        Profile::Dev => &[Network::TRON_DEV, Network::EVM_DEV],
    }
}
