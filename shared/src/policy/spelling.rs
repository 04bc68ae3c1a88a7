//! The two spellings of a policy. Every list is bounded and every field is needed: there are no defaults.

use super::{
    AssetPolicy, FeeCaps, HardwareKey, KindDestinations, NetworkPolicy, PayingWallet, Policy, Window,
};
use crate::address::Address;
use crate::batch::{Kind, Wallet};
use crate::form::{Form, FormError, Node, Reader, Spelling, Writer};
use crate::id::PersonId;
use crate::network::{Family, Network};
use crate::wallet::Role;

const MAX_APPROVERS: usize = 64;
const MAX_WINDOWS: usize = 64;
const MAX_NETWORKS: usize = 32;
const MAX_WALLETS: usize = 256;
const MAX_ASSETS: usize = 64;
const MAX_ADDRESSES: usize = 10_000;
/// `m` and five steps of ten digits with their marks.
const MAX_PATH_BYTES: usize = 64;

impl Form for Policy {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.uint(1, "policy_version", self.version);
        to.choice(2, "profile", self.profile);
        to.parts(3, "approvers", &self.approvers);
        to.part(4, "approvals", &self.approvals);
        if let Some(passkeys) = &self.passkeys {
            to.part(5, "passkeys", passkeys);
        }
        to.part(6, "bounds", &self.bounds);
        to.part(7, "machine", &self.machine);
        to.parts(8, "windows", &self.windows);
        to.parts(9, "networks", &self.networks);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let policy = Self {
            name: from.parsed(0, "name", PersonId::MAX_BYTES, "a policy name", PersonId::new)?,
            version: from.uint(1, "policy_version")?,
            profile: from.choice(2, "profile")?,
            approvers: from.parts(3, "approvers", MAX_APPROVERS)?,
            approvals: from.part(4, "approvals")?,
            passkeys: if from.has(5, "passkeys") { Some(from.part(5, "passkeys")?) } else { None },
            bounds: from.part(6, "bounds")?,
            machine: from.part(7, "machine")?,
            windows: from.parts(8, "windows", MAX_WINDOWS)?,
            networks: from.parts(9, "networks", MAX_NETWORKS)?,
        };
        if !policy.approvers.is_sorted_by(|a, b| a.person < b.person) {
            return Err(from.refused("approvers", "must be sorted by person, each person once"));
        }
        let apart =
            |a: &Window, b: &Window| a.day < b.day || (a.day == b.day && a.to_minute <= b.from_minute);
        if !policy.windows.is_sorted_by(apart) {
            return Err(from.refused("windows", "must be sorted by day and minute, without overlap"));
        }
        if !policy.networks.is_sorted_by(|a, b| a.network < b.network) {
            return Err(from.refused("networks", "must be sorted (EVM by chain id, then TRON), each once"));
        }
        if policy.networks.iter().any(|network| network.network.profile() != policy.profile) {
            return Err(from.refused("networks", "a network of another profile"));
        }
        Ok(policy)
    }
}

impl Form for NetworkPolicy {
    fn write(&self, to: &mut Writer) {
        to.text(0, "network", self.network);
        let kind = |kind: &Kind| match to.spelling() {
            Spelling::Cbor => Node::Uint(kind.code()),
            Spelling::Json => Node::Text(kind.word().to_owned()),
        };
        to.put(1, "kinds", Node::List(self.kinds.iter().map(kind).collect()));
        to.parts(2, "wallets", &self.wallets);
        to.parts(3, "assets", &self.assets);
        to.part(4, "fees", &self.fees);
        to.choice(5, "withdrawals_to", self.withdrawals_to);
        to.uint(6, "first_seen_delay_seconds", self.first_seen_delay_seconds);
        let entry = |entry: &KindDestinations| destinations_node(entry, to);
        to.put(7, "destinations", Node::List(self.destinations.iter().map(entry).collect()));
        to.put(8, "denied", addresses_node(&self.denied, to));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let network: Network = from.parsed(0, "network", 64, "a CAIP-2 network", |text| text.parse().ok())?;
        let kinds = from.list(1, "kinds", Kind::ALL.len())?;
        let policy = Self {
            network,
            kinds: kinds.into_iter().map(|node| read_kind(from, node)).collect::<Result<_, _>>()?,
            wallets: from.parts(2, "wallets", MAX_WALLETS)?,
            assets: from.parts(3, "assets", MAX_ASSETS)?,
            fees: from.part(4, "fees")?,
            withdrawals_to: from.choice(5, "withdrawals_to")?,
            first_seen_delay_seconds: from.uint(6, "first_seen_delay_seconds")?,
            destinations: read_destinations(from, network)?,
            denied: {
                let nodes = from.list(8, "denied", MAX_ADDRESSES)?;
                read_addresses(from, "denied", nodes, network)?
            },
        };
        let same = |address: &Address| address.network() == network;
        let contracts = policy.assets.iter().filter_map(|policy| policy.asset.contract.as_ref());
        let wallets = policy.wallets.iter().map(|entry| &entry.wallet.address);
        if !contracts.chain(wallets).all(same) {
            return Err(from.refused("network", "an address of another network stands under it"));
        }
        // With two entries for one thing a reader could believe the other one.
        let contracts: Vec<_> = policy.assets.iter().map(|entry| entry.asset.contract).collect();
        if stands_twice(&contracts) {
            return Err(from.refused("assets", "each contract once"));
        }
        let wallets: Vec<_> = policy.wallets.iter().map(|entry| entry.wallet.address).collect();
        if stands_twice(&wallets) {
            return Err(from.refused("wallets", "each address once"));
        }
        let kinds: Vec<_> = policy.destinations.iter().map(|entry| entry.kind).collect();
        if stands_twice(&kinds) {
            return Err(from.refused("destinations", "each kind once"));
        }
        Ok(policy)
    }
}

fn stands_twice<T: PartialEq>(entries: &[T]) -> bool {
    (1..entries.len()).any(|place| entries[..place].contains(&entries[place]))
}

fn read_kind(from: &Reader, node: Node) -> Result<Kind, FormError> {
    let kind = match (from.spelling(), node) {
        (Spelling::Cbor, Node::Uint(code)) => Kind::from_code(code),
        (Spelling::Json, Node::Text(word)) => Kind::from_word(&word),
        _ => None,
    };
    kind.ok_or_else(|| from.refused("kinds", "not a known kind"))
}

fn addresses_node(addresses: &[Address], to: &Writer) -> Node {
    let node = |address: &Address| match to.spelling() {
        Spelling::Cbor => Node::Bytes(address.payload().to_vec()),
        Spelling::Json => Node::Text(address.to_string()),
    };
    Node::List(addresses.iter().map(node).collect())
}

fn read_addresses(
    from: &Reader,
    name: &str,
    nodes: Vec<Node>,
    network: Network,
) -> Result<Vec<Address>, FormError> {
    let read = |node| match (from.spelling(), node) {
        (Spelling::Json, Node::Text(text)) => {
            Address::parse(network, &text).map_err(|error| from.refused(name, error))
        }
        (_, node) => from.exact_from(name, node).map(|payload| Address::new(network, payload)),
    };
    nodes.into_iter().map(read).collect()
}

/// A list of two: the kind, and its addresses.
fn destinations_node(entry: &KindDestinations, to: &Writer) -> Node {
    let kind = match to.spelling() {
        Spelling::Cbor => Node::Uint(entry.kind.code()),
        Spelling::Json => Node::Text(entry.kind.word().to_owned()),
    };
    Node::List(vec![kind, addresses_node(&entry.addresses, to)])
}

fn read_destinations(from: &mut Reader, network: Network) -> Result<Vec<KindDestinations>, FormError> {
    let entries = from.list(7, "destinations", Kind::ALL.len())?;
    let read = |node| {
        let wrong = || from.refused("destinations", "each entry is a kind and a list of addresses");
        let Node::List(pair) = node else { return Err(wrong()) };
        let [kind, Node::List(addresses)] = <[Node; 2]>::try_from(pair).map_err(|_| wrong())? else {
            return Err(wrong());
        };
        if addresses.len() > MAX_ADDRESSES {
            return Err(from.refused("destinations", "at most 10000 addresses a kind"));
        }
        let addresses = read_addresses(from, "destinations", addresses, network)?;
        Ok(KindDestinations { kind: read_kind(from, kind)?, addresses })
    };
    entries.into_iter().map(read).collect()
}

impl Form for PayingWallet {
    fn write(&self, to: &mut Writer) {
        to.part(0, "wallet", &self.wallet);
        to.uint(1, "permission_id", u64::from(self.permission_id));
        if let Some(hardware) = &self.hardware {
            to.part(2, "hardware", hardware);
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let wallet: Wallet = from.part(0, "wallet")?;
        let permission_id = from.byte(1, "permission_id")?;
        let active = wallet.address.network().family() == Family::Tron && (2..=9).contains(&permission_id);
        if permission_id != 0 && !active {
            return Err(from.refused("permission_id", "is 0, or 2 to 9 on TRON"));
        }
        let hardware = if from.has(2, "hardware") { Some(from.part(2, "hardware")?) } else { None };
        if hardware.is_some() != (wallet.role == Role::Hardware) {
            return Err(from.refused("hardware", "is there for the role hardware and no other"));
        }
        Ok(Self { wallet, permission_id, hardware })
    }
}

impl Form for HardwareKey {
    fn write(&self, to: &mut Writer) {
        to.bytes(0, "fingerprint", &self.fingerprint);
        to.text(1, "path", &self.path);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let fingerprint = from.exact(0, "fingerprint")?;
        let path = from.text(1, "path", MAX_PATH_BYTES)?;
        let number = |step: &str| step.parse::<u32>().is_ok_and(|number| number.to_string() == step);
        let is_step = |step: &str| number(step.strip_suffix('\'').unwrap_or(step));
        if !path.strip_prefix("m/").is_some_and(|steps| steps.split('/').all(is_step)) {
            return Err(from.refused("path", "is m and numbers, such as m/44'/60'/0'/0/0"));
        }
        Ok(Self { fingerprint, path })
    }
}

impl Form for AssetPolicy {
    fn write(&self, to: &mut Writer) {
        to.part(0, "asset", &self.asset);
        to.amount(1, "per_item_max", self.per_item_max);
        to.amount(2, "per_batch_max", self.per_batch_max);
        to.amount(3, "per_day_max", self.per_day_max);
        to.amount(4, "passkeys_alone_max", self.passkeys_alone_max);
        to.amount(5, "first_seen_max", self.first_seen_max);
        to.amount(6, "reissue_per_item_max", self.reissue_per_item_max);
        to.amount(7, "reissue_per_day_max", self.reissue_per_day_max);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            asset: from.part(0, "asset")?,
            per_item_max: from.amount(1, "per_item_max")?,
            per_batch_max: from.amount(2, "per_batch_max")?,
            per_day_max: from.amount(3, "per_day_max")?,
            passkeys_alone_max: from.amount(4, "passkeys_alone_max")?,
            first_seen_max: from.amount(5, "first_seen_max")?,
            reissue_per_item_max: from.amount(6, "reissue_per_item_max")?,
            reissue_per_day_max: from.amount(7, "reissue_per_day_max")?,
        })
    }
}

impl Form for FeeCaps {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Tron { fee_limit_sun_max } => to.wide(0, "fee_limit_sun_max", *fee_limit_sun_max),
            Self::Evm { gas_limit_max, max_fee_per_gas_wei_max, max_priority_fee_per_gas_wei_max } => {
                to.wide(1, "gas_limit_max", *gas_limit_max);
                to.wide(2, "max_fee_per_gas_wei_max", *max_fee_per_gas_wei_max);
                to.wide(3, "max_priority_fee_per_gas_wei_max", *max_priority_fee_per_gas_wei_max);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        if from.has(0, "fee_limit_sun_max") {
            return Ok(Self::Tron { fee_limit_sun_max: from.wide(0, "fee_limit_sun_max")? });
        }
        Ok(Self::Evm {
            gas_limit_max: from.wide(1, "gas_limit_max")?,
            max_fee_per_gas_wei_max: from.wide(2, "max_fee_per_gas_wei_max")?,
            max_priority_fee_per_gas_wei_max: from.wide(3, "max_priority_fee_per_gas_wei_max")?,
        })
    }
}
