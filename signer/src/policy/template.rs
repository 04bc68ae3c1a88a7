//! A policy to begin with: complete, valid, and permitting nothing; and what each of its fields means.
//!
//! Called by `policy new`. What must stay true: every list is empty, every limit zero, and nothing in it can
//! be signed by; every field that the JSON has is explained here, which a test checks.

use airlock_shared::policy::{Bounds, FeeCaps, NetworkPolicy, Policy, Quorum, WithdrawalsTo};
use airlock_shared::{Family, Network, PersonId, Profile};

/// A closed draft, version 1. `networks` are sorted here and must be of the profile.
pub fn closed(name: PersonId, profile: Profile, mut networks: Vec<Network>) -> Policy {
    networks.sort_unstable();
    networks.dedup();
    Policy {
        name,
        version: 1,
        profile,
        approvers: Vec::new(),
        approvals: Quorum { required: 2, independent: 2 },
        bounds: Bounds { items_max: 0, bundle_max: 1, lifetime_max_seconds: 0, clock_ahead_max_seconds: 0 },
        networks: networks.into_iter().map(closed_network).collect(),
    }
}

fn closed_network(network: Network) -> NetworkPolicy {
    let fees = match network.family() {
        Family::Tron => FeeCaps::Tron { fee_limit_sun_max: 0 },
        Family::Evm => {
            FeeCaps::Evm { gas_limit_max: 0, max_fee_per_gas_wei_max: 0, max_priority_fee_per_gas_wei_max: 0 }
        }
    };
    NetworkPolicy {
        network,
        kinds: Vec::new(),
        wallets: Vec::new(),
        assets: Vec::new(),
        fees,
        withdrawals_to: WithdrawalsTo::Listed,
        destinations: Vec::new(),
        denied: Vec::new(),
    }
}

/// Every field with what it means, in the order in which it stands in the file.
pub const FIELDS: &[(&str, &str)] = &[
    ("format, version", "what this file is; leave as they are"),
    ("name", "the policy's name; a policy succeeds one of the same name only"),
    ("policy_version", "a whole number; every change needs a higher one"),
    ("profile", "main, test or dev; must be the vault's"),
    (
        "approvers",
        "who may approve, sorted by person: [{\"person\": \"carol\", \"device\": \"<64 hex digits: the key that identity prints>\"}]",
    ),
    ("approvals.required", "how many distinct people, the creator not counted, must approve a batch"),
    (
        "approvals.independent",
        "how many of them on a device of their own that decodes the batch (`approve`); at most `required`",
    ),
    ("bounds.items_max", "most items in one batch"),
    ("bounds.bundle_max", "most batches signed in one sitting"),
    ("bounds.lifetime_max_seconds", "longest time from a batch's creation to its expiry"),
    (
        "bounds.clock_ahead_max_seconds",
        "how far this signer's clock may lag behind a batch's creation, or run ahead of the journal",
    ),
    ("networks", "one entry a network, EVM by chain id first, then TRON; what is not listed is refused"),
    ("network", "its CAIP-2 name, such as eip155:1 or tron:0x2b6653dc"),
    (
        "kinds",
        "what batches may do here: withdrawal, cold_to_hot, hot_to_cold, sweep, gas_top_up, energy_payment, delegate, undelegate, treasury_send, cancel",
    ),
    (
        "wallets",
        "which wallets may pay: [{\"role\": \"hot\", \"index\": 0, \"network\": \"<this network>\", \"address\": \"<as addresses prints it>\"}]; deposit wallets need no entry for sweeps",
    ),
    (
        "assets",
        "what may move: [{\"asset\": {\"network\": \"<this network>\", \"contract\": \"<address; leave out network and contract for the native coin>\", \"decimals\": 6, \"symbol\": \"USDT\"}, \"per_item_max\": \"1000000\", \"per_batch_max\": \"1000000\", \"per_day_max\": \"1000000\"}]; limits are texts in base units (1000000 is 1 USDT)",
    ),
    ("fees.fee_limit_sun_max", "TRON: most that one transaction may burn, in sun (1000000 is 1 TRX)"),
    ("fees.gas_limit_max", "EVM: highest gas limit of one transaction"),
    ("fees.max_fee_per_gas_wei_max", "EVM: highest price of one gas, in wei (1000000000 is 1 gwei)"),
    ("fees.max_priority_fee_per_gas_wei_max", "EVM: highest tip per gas, in wei"),
    (
        "withdrawals_to",
        "listed: withdrawals go to addresses under `destinations` only; any: to every address that is not denied",
    ),
    (
        "destinations",
        "where each kind may go: [[\"cold_to_hot\", [\"<address>\"]]]; every kind but withdrawal goes to listed addresses, or to own wallets that the signer derives",
    ),
    ("denied", "addresses that nobody pays, in any kind"),
    ("signatures", "custodians' signatures; `policy sign` adds them"),
];

/// The same for people.
pub fn explanation() -> String {
    let mut page = String::from(
        "This draft permits nothing. Fill it in: keep every field, their order and the layout (two spaces, one entry\na line), because one content has one spelling. Then `policy sign`, `policy install`.\n\n",
    );
    for (field, meaning) in FIELDS {
        page += &format!("{field}\n    {meaning}\n");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::document::{self, Document as _};
    use airlock_shared::policy::SignedPolicy;
    use serde_json::Value;

    fn draft() -> SignedPolicy {
        let name = PersonId::new("payments").unwrap();
        let policy = closed(name, Profile::Dev, vec![Network::TRON_DEV, Network::EVM_DEV, Network::TRON_DEV]);
        SignedPolicy { policy, signatures: Vec::new() }
    }

    fn names(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                into.push(name.clone());
                names(value, into);
            }),
            Value::Array(values) => values.iter().for_each(|value| names(value, into)),
            _ => {}
        }
    }

    #[test]
    fn the_draft_is_a_valid_policy_file() {
        assert_eq!(document::read::<SignedPolicy>(draft().to_json().as_bytes()).unwrap(), draft());
    }

    #[test]
    fn every_field_of_the_draft_is_explained() {
        let mut found = Vec::new();
        names(&serde_json::from_str(&draft().to_json()).unwrap(), &mut found);
        for name in found {
            let named = |field: &str| field.split(['.', ',', ' ']).any(|part| part == name);
            let parent = ["policy", "approvals", "bounds", "fees"].contains(&name.as_str());
            assert!(parent || FIELDS.iter().any(|(field, _)| named(field)), "{name}");
        }
    }
}
