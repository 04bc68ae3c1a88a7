//! One example of every document, and of every field that a document may have.

use crate::sample::{
    NOW, address, approvals, by_custodians, content, envelope, identity_key, person, policy, reply, roster,
    signed_batch, signed_policy,
};
use airlock_shared::approval::{self, SeenHead};
use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel, Kind, Reissue, ReissueReason, Wallet};
use airlock_shared::document::Document;
use airlock_shared::envelope::{
    ApprovalReply, ApprovalRequest, Bundle, Envelope, Introduction, Outcome, Replies, Reply, pairing_digest,
};
use airlock_shared::genesis::{AccountNonce, Genesis, PolicyVersion, Reason, SignedGenesis, Spent};
use airlock_shared::identity::Identity;
use airlock_shared::journal::{Ceremony, Chain, Entry, Event};
use airlock_shared::policy::{
    Allowance, HardwareKey, Passkey, PasskeyTerms, PayingWallet, SignedPolicy, UserVerification, Window,
};
use airlock_shared::wallet::Role;
use airlock_shared::words::words;
use airlock_shared::{BaseUnits, Digest, Network, Profile};
use serde_json::{Value, json};

/// A document in both spellings and what follows from it.
pub struct Example {
    pub name: &'static str,
    pub document: &'static str,
    pub json: String,
    pub binary: Vec<u8>,
    pub digests: Value,
}

fn example<D: Document>(name: &'static str, document: &D, digests: Value) -> Example {
    Example { name, document: D::NAME, json: document.to_json(), binary: document.to_binary(), digests }
}

/// The worked example of `docs/batch-format.md`: two TRC-20 withdrawals, one with a memo and a label.
pub fn worked() -> Bundle {
    let mut content = content(Network::TRON_DEV, 2);
    content.items[1].memo = b"invoice 7".to_vec();
    content.items[1].label = "Zoë".to_owned();
    let approvals = approvals(&content);
    Bundle { envelopes: vec![Envelope::seal(content, approvals, vec![seen()], &identity_key(9))] }
}

fn seen() -> SeenHead {
    reply(&envelope(content(Network::EVM_DEV, 1)), 1).receipt.head()
}

/// Two fee levels and a cancel at each account nonce.
fn laddered() -> Content {
    let mut content = content(Network::EVM_DEV, 2);
    if let Context::Evm(evm) = &mut content.context {
        let dear =
            FeeLevel { max_fee_per_gas_wei: 80_000_000_000, max_priority_fee_per_gas_wei: 2_000_000_000 };
        evm.levels.push(dear);
        evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: dear });
    }
    content
}

/// Every item has its own source, and all go to one own wallet.
pub fn sweep() -> Content {
    let mut content = content(Network::TRON_DEV, 3);
    (content.kind, content.source) = (Kind::Sweep, None);
    for (i, item) in content.items.iter_mut().enumerate() {
        let address = address(Network::TRON_DEV, 20 + i as u8);
        item.source = Some(Wallet { role: Role::Deposit, index: 5 + i as u32, address });
        item.own = Some((Role::Hot, 0));
        item.destination = crate::sample::hot(Network::TRON_DEV).address;
    }
    content
}

/// Amounts above 64 and above 128 bits, and an extension that may be ignored.
fn wide() -> Content {
    let mut content = content(Network::EVM_DEV, 3);
    content.items[1].amount = BaseUnits::power_of_ten(25).unwrap();
    content.items[2].amount = BaseUnits::power_of_ten(60).unwrap();
    content.extensions.insert(7, vec![1, 2, 3]);
    content
}

/// Two items that were signed before, for reasons that rest on claims.
fn signed_again() -> Content {
    let mut content = content(Network::EVM_DEV, 3);
    let again = |reason, dead| Some(Reissue { reason, dead });
    content.items[0].reissue = again(ReissueReason::FailedOnChain, vec![[0xdd; 32], [0xde; 32]]);
    content.items[2].reissue = again(ReissueReason::Cancelled, Vec::new());
    content
}

fn refusal(content: &Content) -> Reply {
    let mut reply = reply(&envelope(content.clone()), 1);
    reply.receipt.entry = reply.receipt.unacknowledged[0].clone();
    reply.receipt.unacknowledged.clear();
    let why = "policy.per_item_limit, item 1: 60000 USDT is against at most 50000 USDT".to_owned();
    reply.receipt.outcome = Outcome::Refused { code: "policy.per_item_limit".to_owned(), why };
    reply.signatures.clear();
    reply.receipt = reply.receipt.sign(&identity_key(1));
    reply
}

/// The journal lost its end and was re-anchored at a head that the coordinator holds; then the batch was signed.
fn reanchored(content: &Content) -> Reply {
    let mut reply = reply(&envelope(content.clone()), 1);
    let (key, signed) = (identity_key(1), reply.receipt.unacknowledged.clone());
    let intent = signed[1].event.clone();
    let continues = SeenHead { sequence: 41, ..seen() };
    let terms = Event::Reanchored { terms: genesis(Reason::Reanchored).genesis.digest() };
    let mut entries = vec![Entry::reanchored(&continues, Some(&signed[0]), NOW + 60, terms, &key)];
    let ceremony = Event::Ceremony { kind: Ceremony::BackupMade, detail: "to folder august".to_owned() };
    for event in [ceremony, intent, reply.receipt.entry.event.clone()] {
        entries.push(Entry::next(Chain::Journal, entries.last(), NOW + 60, event, &key));
    }
    reply.receipt.entry = entries.pop().unwrap();
    reply.receipt.unacknowledged = entries;
    reply.receipt = reply.receipt.sign(&key);
    reply
}

/// Every field that a policy may have.
pub fn full_policy() -> SignedPolicy {
    let mut policy = policy();
    let passkey = |seed: u8| {
        let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        Passkey { credential: vec![seed; 20], public_key: point.as_bytes().try_into().unwrap() }
    };
    policy.approvers[1].passkeys = vec![passkey(30), passkey(31)];
    (policy.approvers[2].device, policy.approvers[2].passkeys) = (None, vec![passkey(32)]);
    policy.passkeys = Some(PasskeyTerms {
        rp_id: "approve.example".to_owned(),
        origins: vec!["https://approve.example".to_owned(), "https://spare.example:8443".to_owned()],
        user_verification: UserVerification::Required,
    });
    policy.machine.partial_sandbox = Allowance::Allowed;
    policy.windows = vec![
        Window { day: 0, from_minute: 480, to_minute: 720 },
        Window { day: 0, from_minute: 780, to_minute: 1_080 },
        Window { day: 6, from_minute: 0, to_minute: 1_440 },
    ];
    let hardware = HardwareKey { fingerprint: [0xd3, 0x4d, 0xb3, 0x3f], path: "m/44'/60'/0'/0/0".to_owned() };
    let wallet = Wallet { role: Role::Hardware, index: 0, address: address(Network::EVM_DEV, 40) };
    policy.networks[0].wallets.push(PayingWallet { wallet, permission_id: 0, hardware: Some(hardware) });
    policy.networks[1].wallets[0].permission_id = 2;
    policy.networks[1].assets[0].passkeys_alone_max = BaseUnits::from(500_000_000u64);
    let signatures = by_custodians(&policy.digest());
    SignedPolicy { policy, signatures }
}

/// What custodians sign so that a journal goes on.
pub fn genesis(reason: Reason) -> SignedGenesis {
    let account = |seed| AccountNonce { account: address(Network::EVM_DEV, seed), highest: 70 };
    let mut nonces = vec![account(7), account(8)];
    nonces.sort_unstable();
    let spent = |network, contract, time, usdt: u64| {
        let amount = BaseUnits::from(usdt * 1_000_000);
        Spent { network, contract, time, amount }
    };
    let usdt = crate::sample::usdt(Network::TRON_DEV).contract;
    let continues = match reason {
        Reason::Restored => None,
        Reason::Reanchored => Some(SeenHead { sequence: 41, ..seen() }),
    };
    let genesis = Genesis {
        profile: Profile::Dev,
        signer: Identity::of(&identity_key(1)),
        roster: roster().digest(),
        reason,
        continues,
        highest_item: 1_002,
        nonces,
        spent: vec![
            spent(Network::EVM_DEV, None, NOW - 3_600, 3),
            spent(Network::TRON_DEV, usdt, NOW - 7_200, 25_000),
            spent(Network::TRON_DEV, usdt, NOW - 3_600, 40),
        ],
        made_at: NOW,
        policy: match reason {
            Reason::Restored => None,
            Reason::Reanchored => Some(PolicyVersion { version: 3, digest: Digest::from_bytes([0x33; 32]) }),
        },
    };
    let signatures = by_custodians(&genesis.digest());
    SignedGenesis { genesis, signatures }
}

fn of_digest(digest: &Digest) -> Value {
    json!(digest.to_string())
}

fn of_bundle(bundle: &Bundle) -> Value {
    json!({
        "content": bundle.envelopes.iter().map(|e| of_digest(&e.content.digest())).collect::<Vec<_>>(),
        "approvals": bundle.envelopes.iter().map(|e| of_digest(&approval::digest_of(&e.approvals))).collect::<Vec<_>>(),
        "envelope": bundle.envelopes.iter().map(|e| of_digest(&e.digest())).collect::<Vec<_>>(),
        "bundle": of_digest(&bundle.words_digest()),
        "words": words(&bundle.words_digest()),
    })
}

fn of_content(content: &Content) -> Value {
    json!({ "content": of_digest(&content.digest()), "words": words(&content.digest()) })
}

fn of_reply(reply: &Reply) -> Value {
    json!({
        "receipt": of_digest(&reply.receipt.digest()),
        "head": of_digest(&reply.receipt.entry.head(Chain::Journal)),
    })
}

/// All of them.
pub fn examples() -> Vec<Example> {
    let bundle = |name, envelopes| {
        let bundle = Bundle { envelopes };
        example(name, &bundle, of_bundle(&bundle))
    };
    let replied = |name, reply: Reply| {
        let digests = of_reply(&reply);
        example(name, &Replies { replies: vec![reply] }, digests)
    };
    let request = |name, content: Content| {
        let digests = of_content(&content);
        let entry = reply(&envelope(self::content(Network::EVM_DEV, 1)), 1).receipt.entry;
        example(name, &ApprovalRequest { content, heads: vec![entry] }, digests)
    };
    let mut examples = vec![
        bundle("bundle-worked-example", worked().envelopes),
        bundle("bundle-evm-fee-levels-and-cancel", vec![envelope(laddered())]),
        bundle(
            "bundle-of-two-batches",
            vec![envelope(content(Network::TRON_DEV, 1)), envelope(content(Network::EVM_DEV, 1))],
        ),
        replied("reply-to-worked-example", reply(&worked().envelopes[0], 1)),
        replied("reply-refused", refusal(&content(Network::TRON_DEV, 2))),
        replied("reply-of-a-reanchored-journal", reanchored(&content(Network::TRON_DEV, 2))),
        request("approval-request-signed-again", signed_again()),
        request("approval-request-sweep", sweep()),
        request("approval-request-wide-amounts-and-extension", wide()),
    ];
    examples.extend(of_one_person());
    examples.push({
        let file = signed_batch(Network::EVM_DEV, 2);
        let content = of_digest(&file.envelope.content.digest());
        let digests = json!({ "roster": of_digest(&file.roster.digest()), "content": content });
        example("signed-batch", &file, digests)
    });
    examples
}

fn of_policy(name: &'static str, signed: &SignedPolicy) -> Example {
    example(name, signed, json!({ "policy": of_digest(&signed.policy.digest()) }))
}

fn of_genesis(name: &'static str, signed: &SignedGenesis) -> Example {
    let digest = signed.genesis.digest();
    example(name, signed, json!({ "genesis": of_digest(&digest), "words": words(&digest) }))
}

fn of_one_person() -> Vec<Example> {
    let content = worked().envelopes.remove(0).content;
    let approval = approvals(&content).remove(0);
    let statement = approval::statement(&content.digest(), &approval.person, approval.seen.as_ref());
    let approval = ApprovalReply { content: content.digest(), approval };
    let introduction = |name, seed, roster| {
        let identity = Identity::of(&identity_key(seed));
        Introduction { name: person(name), profile: Profile::Dev, identity, roster }
    };
    let coordinator = introduction("house", 9, None);
    let signer = introduction("alice", 1, Some(roster()));
    let paired = pairing_digest(&coordinator.identity, &signer.identity);
    let pairing = json!({ "pairing": of_digest(&paired), "words": words(&paired) });
    vec![
        example("approval", &approval, json!({ "statement": of_digest(&statement) })),
        example("introduction-of-a-coordinator", &coordinator, pairing.clone()),
        example("introduction-of-a-signer", &signer, pairing),
        of_policy("policy", &signed_policy()),
        of_policy("policy-with-every-field", &full_policy()),
        of_genesis("genesis-of-a-restored-vault", &genesis(Reason::Restored)),
        of_genesis("genesis-of-a-reanchored-journal", &genesis(Reason::Reanchored)),
    ]
}
