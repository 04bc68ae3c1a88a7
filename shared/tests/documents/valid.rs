//! One example of every document, and of every field that a document may have.

use crate::sample::{
    address, approvals, content, envelope, identity_key, person, reply, roster, signed_batch, signed_policy,
};
use airlock_shared::approval::{self, SeenHead};
use airlock_shared::batch::{CancelTerms, Content, Context, FeeLevel, Kind, Wallet};
use airlock_shared::document::Document;
use airlock_shared::envelope::{
    ApprovalReply, ApprovalRequest, Bundle, Envelope, Introduction, Outcome, Replies, Reply, pairing_digest,
};
use airlock_shared::identity::Identity;
use airlock_shared::journal::Chain;
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
    let signed = signed_policy();
    let policy = json!({ "policy": of_digest(&signed.policy.digest()) });
    vec![
        example("approval", &approval, json!({ "statement": of_digest(&statement) })),
        example("introduction-of-a-coordinator", &coordinator, pairing.clone()),
        example("introduction-of-a-signer", &signer, pairing),
        example("policy", &signed, policy),
    ]
}
