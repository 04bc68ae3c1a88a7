//! A policy to begin with: complete, valid, and permitting nothing; and what each of its fields means.
//!
//! Called by `policy new`. What must stay true: every list is empty, every limit zero, and nothing in it can
//! be signed by; every field that the JSON has is explained here, which a test checks.

use airlock_shared::policy::{
    Allowance, Bounds, FeeCaps, Machine, NetworkPolicy, Policy, Quorum, WithdrawalsTo,
};
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
        approvals: Quorum { required: 2, independent: 2, reissue_independent: 3 },
        passkeys: None,
        bounds: Bounds {
            items_max: 0,
            bundle_max: 1,
            lifetime_max_seconds: 0,
            clock_ahead_max_seconds: 0,
            clock_jump_max_seconds: 0,
            item_behind_max: 0,
            item_ahead_max: 0,
            nonce_ahead_max: 0,
        },
        machine: Machine { network_interfaces: Allowance::Refused, partial_sandbox: Allowance::Refused },
        windows: Vec::new(),
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
        first_seen_delay_seconds: 604_800,
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
        "who may approve, sorted by person: [{\"person\": \"carol\", \"device\": \"<64 hex digits: the key that identity prints; leave out for none>\", \"passkeys\": [{\"credential\": \"<hex>\", \"public_key\": \"<130 hex digits: 04, x, y on P-256>\"}]}]; a device or a passkey is needed, `passkeys` may be []",
    ),
    ("approvals.required", "how many distinct people, the creator not counted, must approve a batch"),
    (
        "approvals.independent",
        "how many of them on a device of their own that decodes the batch (`approve`); at most `required`",
    ),
    (
        "approvals.reissue_independent",
        "how many, on such devices, where an item is signed again because its first transaction is said to be dead; at least `independent`",
    ),
    (
        "passkeys",
        "leave out if no passkey counts; else {\"rp_id\": \"approve.example\", \"origins\": [\"https://approve.example\"], \"user_verification\": \"required\"} (or \"optional\": presence is enough); stands between approvals and bounds",
    ),
    ("bounds.items_max", "most items in one batch"),
    ("bounds.bundle_max", "most batches signed in one sitting"),
    ("bounds.lifetime_max_seconds", "longest time from a batch's creation to its expiry"),
    ("bounds.clock_ahead_max_seconds", "how far this signer's clock may lag behind a batch's creation"),
    (
        "bounds.clock_jump_max_seconds",
        "how far this signer's clock may be ahead of its journal's newest entry; after a longer rest, installing the policy again writes an entry",
    ),
    (
        "bounds.item_behind_max",
        "how far an item id that was never signed may be below the highest signed one of its epoch (the high 16 bits)",
    ),
    (
        "bounds.item_ahead_max",
        "how far it may be above the next lower id that was signed or stands in the same batch; the next epoch may begin",
    ),
    (
        "bounds.nonce_ahead_max",
        "EVM: how many account nonces may be left out above the highest signed one of an account",
    ),
    (
        "machine.network_interfaces",
        "refused: nothing is signed while a network interface other than loopback is up; or allowed",
    ),
    (
        "machine.partial_sandbox",
        "refused: nothing is signed where the kernel enforces the sandbox in part only; or allowed",
    ),
    (
        "windows",
        "when signing is allowed, UTC, sorted, without overlap: [{\"day\": 0, \"from_minute\": 480, \"to_minute\": 1080}] is Monday 08:00 to 18:00 (6 is Sunday; 1440 ends a day); [] is never",
    ),
    ("networks", "one entry a network, EVM by chain id first, then TRON; what is not listed is refused"),
    ("network", "its CAIP-2 name, such as eip155:1 or tron:0x2b6653dc"),
    (
        "kinds",
        "what batches may do here: withdrawal, cold_to_hot, hot_to_cold, sweep, gas_top_up, energy_payment, delegate, undelegate, treasury_send, cancel",
    ),
    (
        "wallets",
        "which wallets may pay: [{\"wallet\": {\"role\": \"hot\", \"index\": 0, \"network\": \"<this network>\", \"address\": \"<as addresses prints it>\"}, \"permission_id\": 0}]; permission_id is TRON's permission that signs (0 is the owner; 0 on EVM); a wallet of role hardware also has \"hardware\": {\"fingerprint\": \"<8 hex digits>\", \"path\": \"m/44'/60'/0'/0/0\"}; deposit wallets need no entry for sweeps",
    ),
    (
        "assets",
        "what may move: [{\"asset\": {\"network\": \"<this network>\", \"contract\": \"<address; leave out network and contract for the native coin>\", \"decimals\": 6, \"symbol\": \"USDT\"}, \"per_item_max\": \"1000000\", \"per_batch_max\": \"1000000\", \"per_day_max\": \"1000000\", \"passkeys_alone_max\": \"0\", \"first_seen_max\": \"1000000\", \"reissue_per_item_max\": \"0\", \"reissue_per_day_max\": \"0\"}]; limits are texts in base units (1000000 is 1 USDT): passkeys_alone_max is the amount in 24 hours up to which no independent device is asked (0 is never), first_seen_max the most that a first-seen destination gets in all, the last two bound what is signed again on a claim",
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
        "first_seen_delay_seconds",
        "how long the destination of a withdrawal counts as first seen, by journal time, after it was first paid or first refused for that reason alone; listed and own addresses never do",
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
            let parent = ["policy", "approvals", "bounds", "machine", "fees"].contains(&name.as_str());
            assert!(parent || FIELDS.iter().any(|(field, _)| named(field)), "{name}");
        }
    }
}
