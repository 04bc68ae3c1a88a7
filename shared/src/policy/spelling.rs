//! The two spellings of a policy. Every list is bounded and every field is needed: there are no defaults.

use super::{
    Approver, AssetPolicy, Bounds, FeeCaps, KindDestinations, NetworkPolicy, Policy, Quorum, WithdrawalsTo,
};
use crate::address::Address;
use crate::batch::Kind;
use crate::form::{Form, FormError, Node, Reader, Spelling, Writer};
use crate::id::PersonId;
use crate::identity::Identity;
use crate::network::{Network, Profile};

const MAX_APPROVERS: usize = 64;
const MAX_NETWORKS: usize = 32;
const MAX_WALLETS: usize = 256;
const MAX_ASSETS: usize = 64;
const MAX_ADDRESSES: usize = 10_000;

impl Form for Policy {
    fn write(&self, to: &mut Writer) {
        to.text(0, "name", &self.name);
        to.uint(1, "policy_version", self.version);
        to.choice(2, "profile", u64::from(self.profile.code()), self.profile.name());
        to.parts(3, "approvers", &self.approvers);
        to.part(4, "approvals", &self.approvals);
        to.part(5, "bounds", &self.bounds);
        to.parts(6, "networks", &self.networks);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let of_code = |code| u8::try_from(code).ok().and_then(Profile::from_code);
        let policy = Self {
            name: from.parsed(0, "name", PersonId::MAX_BYTES, "a policy name", PersonId::new)?,
            version: from.uint(1, "policy_version")?,
            profile: from.choice(2, "profile", of_code, Profile::from_name)?,
            approvers: from.parts(3, "approvers", MAX_APPROVERS)?,
            approvals: from.part(4, "approvals")?,
            bounds: from.part(5, "bounds")?,
            networks: from.parts(6, "networks", MAX_NETWORKS)?,
        };
        if !policy.approvers.is_sorted_by(|a, b| a.person < b.person) {
            return Err(from.refused("approvers", "must be sorted by person, each person once"));
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

impl Form for Approver {
    fn write(&self, to: &mut Writer) {
        to.text(0, "person", &self.person);
        to.bytes(1, "device", self.device.as_bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let person = from.parsed(0, "person", PersonId::MAX_BYTES, "a person id", PersonId::new)?;
        Ok(Self { person, device: Identity::from_bytes(from.exact(1, "device")?) })
    }
}

impl Form for Quorum {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "required", self.required);
        to.uint(1, "independent", self.independent);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        let quorum = Self { required: from.uint(0, "required")?, independent: from.uint(1, "independent")? };
        if quorum.independent > quorum.required {
            return Err(from.refused("independent", "cannot exceed the number required"));
        }
        Ok(quorum)
    }
}

impl Form for Bounds {
    fn write(&self, to: &mut Writer) {
        to.uint(0, "items_max", self.items_max);
        to.uint(1, "bundle_max", self.bundle_max);
        to.uint(2, "lifetime_max_seconds", self.lifetime_max_seconds);
        to.uint(3, "clock_ahead_max_seconds", self.clock_ahead_max_seconds);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            items_max: from.uint(0, "items_max")?,
            bundle_max: from.uint(1, "bundle_max")?,
            lifetime_max_seconds: from.uint(2, "lifetime_max_seconds")?,
            clock_ahead_max_seconds: from.uint(3, "clock_ahead_max_seconds")?,
        })
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
        to.choice(5, "withdrawals_to", self.withdrawals_to.code(), self.withdrawals_to.word());
        let entry = |entry: &KindDestinations| destinations_node(entry, to);
        to.put(6, "destinations", Node::List(self.destinations.iter().map(entry).collect()));
        to.put(7, "denied", addresses_node(&self.denied, to));
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
            withdrawals_to: from.choice(
                5,
                "withdrawals_to",
                WithdrawalsTo::from_code,
                WithdrawalsTo::from_word,
            )?,
            destinations: read_destinations(from, network)?,
            denied: {
                let nodes = from.list(7, "denied", MAX_ADDRESSES)?;
                read_addresses(from, "denied", nodes, network)?
            },
        };
        let same = |address: &Address| address.network() == network;
        let contracts = policy.assets.iter().filter_map(|policy| policy.asset.contract.as_ref());
        let wallets = policy.wallets.iter().map(|wallet| &wallet.address);
        if !contracts.chain(wallets).all(same) {
            return Err(from.refused("network", "an address of another network stands under it"));
        }
        // With two entries for one thing a reader could believe the other one.
        let contracts: Vec<_> = policy.assets.iter().map(|entry| entry.asset.contract).collect();
        if stands_twice(&contracts) {
            return Err(from.refused("assets", "each contract once"));
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
    let entries = from.list(6, "destinations", Kind::ALL.len())?;
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

impl Form for AssetPolicy {
    fn write(&self, to: &mut Writer) {
        to.part(0, "asset", &self.asset);
        to.amount(1, "per_item_max", self.per_item_max);
        to.amount(2, "per_batch_max", self.per_batch_max);
        to.amount(3, "per_day_max", self.per_day_max);
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Ok(Self {
            asset: from.part(0, "asset")?,
            per_item_max: from.amount(1, "per_item_max")?,
            per_batch_max: from.amount(2, "per_batch_max")?,
            per_day_max: from.amount(3, "per_day_max")?,
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
