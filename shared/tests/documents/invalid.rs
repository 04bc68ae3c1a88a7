//! One document for every way of being wrong; each differs from a valid one in exactly that way.

use crate::sample::{content, envelope, identity_key, reply, roster, signed_batch, signed_policy};
use crate::valid::{full_policy, genesis, sweep, worked};
use airlock_shared::batch::{CancelTerms, Content, Context, Kind, Reissue, ReissueReason};
use airlock_shared::document::{Document, MAGIC};
use airlock_shared::envelope::{ApprovalRequest, Bundle, Envelope, Introduction, Replies, SignedBatch};
use airlock_shared::form::{Form, FormError, Name, Node, Reader, Spelling, Writer, to_cbor};
use airlock_shared::genesis::{Genesis, Reason, SignedGenesis};
use airlock_shared::identity::Identity;
use airlock_shared::policy::{PayingWallet, Policy, SignedPolicy};
use airlock_shared::wallet::Role;
use airlock_shared::{Address, Network, Profile};

/// A document that is wrong in one way.
pub struct Case {
    pub name: &'static str,
    pub document: &'static str,
    pub bytes: Vec<u8>,
    /// What the refusal must say.
    pub says: &'static str,
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let groups = [
        heads(),
        cbor(),
        json(),
        columns(),
        contents(),
        envelopes(),
        replies(),
        policies(),
        open_policies(),
        geneses(),
    ];
    groups.into_iter().flatten().collect()
}

/// A tree of nodes as it stands, right or wrong.
struct Raw(Vec<(u64, Name, Node)>);

impl Form for Raw {
    fn write(&self, to: &mut Writer) {
        self.0.iter().for_each(|(key, name, node)| to.put(*key, name.clone(), node.clone()));
    }

    fn read(from: &mut Reader) -> Result<Self, FormError> {
        Err(from.refused("raw", "is never read"))
    }
}

/// The binary spelling with the node at `path` altered; a step is a key of a map or an index of a list.
fn altered<D: Document>(document: &D, path: &[u64], alter: impl FnOnce(&mut Node)) -> Vec<u8> {
    let mut tree = Writer::node(document, Spelling::Cbor);
    alter(node_at(&mut tree, path));
    let Node::Map(fields) = tree else { panic!("a document is a map") };
    [MAGIC.as_slice(), &[D::KIND, D::VERSION], &to_cbor(&Raw(fields))].concat()
}

fn node_at<'a>(node: &'a mut Node, path: &[u64]) -> &'a mut Node {
    let [step, rest @ ..] = path else { return node };
    match node {
        Node::List(nodes) => node_at(&mut nodes[*step as usize], rest),
        Node::Map(fields) => {
            let field = fields.iter_mut().find(|(key, _, _)| key == step);
            node_at(&mut field.unwrap_or_else(|| panic!("there is no key {step}")).2, rest)
        }
        leaf => panic!("{leaf:?} has no parts"),
    }
}

fn fields(node: &mut Node) -> &mut Vec<(u64, Name, Node)> {
    match node {
        Node::Map(fields) => fields,
        other => panic!("{other:?} is no map"),
    }
}

fn bytes(node: &mut Node) -> &mut Vec<u8> {
    match node {
        Node::Bytes(bytes) => bytes,
        other => panic!("{other:?} is no byte string"),
    }
}

fn shorten(node: &mut Node) {
    bytes(node).pop();
}

/// The JSON spelling with one text replaced once.
fn replaced<D: Document>(document: &D, from: &str, to: &str) -> Vec<u8> {
    let json = document.to_json();
    let other = json.replacen(from, to, 1);
    assert_ne!(json, other, "{from} stands nowhere");
    other.into_bytes()
}

fn case<D: Document>(name: &'static str, says: &'static str, bytes: Vec<u8>) -> Case {
    Case { name, document: D::NAME, bytes, says }
}

/// The head of a binary document.
fn heads() -> Vec<Case> {
    let binary = worked().to_binary();
    let with = |at: usize, byte: u8| {
        let mut bytes = binary.clone();
        bytes[at] = byte;
        bytes
    };
    vec![
        case::<Bundle>("head-of-another-document", "expected \"airlock bundle\"", with(4, Replies::KIND)),
        case::<Bundle>("head-of-an-unknown-kind", "expected \"airlock bundle\"", with(4, 99)),
        case::<Bundle>("head-of-version-2", "version 2 is not known", with(5, 2)),
        case::<Bundle>("head-of-version-0", "version 0 is not known", with(5, 0)),
        case::<Bundle>("head-cut", "malformed", b"AIRL\x01".to_vec()),
        case::<Bundle>("head-alone", "malformed", b"AIRL\x01\x01".to_vec()),
        case::<Bundle>("head-with-other-magic", "malformed", with(0, b'B')),
    ]
}

/// Binary documents that are not the one deterministic CBOR.
fn cbor() -> Vec<Case> {
    let bundle = worked();
    let binary = bundle.to_binary();
    let body = |head: &[u8], rest: &[u8]| [b"AIRL\x01\x01".as_slice(), head, rest].concat();
    let envelope = [0, 0];
    let item = |name, says, bytes| case::<Bundle>(name, says, bytes);
    let claim = |major: u8| body(&[0xa1, 0x00, major | 27, 0x40, 0, 0, 0, 0, 0, 0, 0], &[]);
    vec![
        item("cbor-cut", "end of input", binary[..binary.len() - 1].to_vec()),
        item("cbor-with-a-byte-too-many", "not the canonical spelling", [&binary[..], &[0]].concat()),
        item("cbor-with-an-overlong-head", "not the canonical spelling", body(&[0xb8, 0x01], &binary[7..])),
        item(
            "cbor-with-an-overlong-key",
            "not the canonical spelling",
            body(&[0xa1, 0x18, 0x00], &binary[8..]),
        ),
        item(
            "cbor-with-a-map-of-indefinite-length",
            "indefinite",
            body(&[0xbf], &[&binary[7..], &[0xff]].concat()),
        ),
        item("cbor-with-a-text-as-key", "unexpected type", body(&[0xa1, 0x61, b'0'], &binary[8..])),
        item("cbor-with-a-negative-key", "unexpected type", body(&[0xa1, 0x20], &binary[8..])),
        item("cbor-with-a-tag", "has no place here", body(&[0xa1, 0x00, 0xc0], &binary[8..])),
        item("cbor-with-a-float", "has no place here", body(&[0xa1, 0x00, 0xf9, 0x3c, 0x00], &[])),
        item("cbor-with-null", "has no place here", body(&[0xa1, 0x00, 0xf6], &[])),
        item("cbor-with-a-negative-number", "has no place here", body(&[0xa1, 0x00, 0x20], &[])),
        item("cbor-with-broken-utf-8", "malformed", body(&[0xa1, 0x00, 0x61, 0xff], &[])),
        item("cbor-nested-too-deep", "nested deeper than 12", body(&[0xa1, 0x00], &[0x81; 40])),
        item("cbor-claiming-a-list-of-2-62", "above the limit", claim(0x80)),
        item("cbor-claiming-a-map-of-2-62", "above the limit", claim(0xa0)),
        item("cbor-claiming-2-62-bytes", "malformed", claim(0x40)),
        item("cbor-list-instead-of-a-map", "expected a map", body(&[0x80], &[])),
        item(
            "cbor-with-an-unknown-field",
            "unknown field 9",
            altered(&bundle, &envelope, |node| {
                fields(node).push((9, Name::default(), Node::Uint(0)));
            }),
        ),
        item(
            "cbor-with-a-field-twice",
            "unknown field 4",
            altered(&bundle, &envelope, |node| {
                let last = fields(node)[4].clone();
                fields(node).push(last);
            }),
        ),
        item(
            "cbor-with-fields-out-of-order",
            "not the canonical spelling",
            altered(&bundle, &envelope, |node| {
                fields(node).swap(1, 2);
            }),
        ),
        item(
            "cbor-without-a-field",
            "signature: missing",
            altered(&bundle, &envelope, |node| {
                fields(node).truncate(4);
            }),
        ),
        item(
            "cbor-with-a-number-for-bytes",
            "expected bytes",
            altered(&bundle, &[0, 0, 3], |node| {
                *node = Node::Uint(1);
            }),
        ),
        item(
            "cbor-with-a-signature-of-63-bytes",
            "fixed length",
            altered(&bundle, &[0, 0, 4], |node| {
                shorten(node);
            }),
        ),
        item(
            "cbor-with-a-signature-of-65-bytes",
            "65 is above the limit 64",
            altered(&bundle, &[0, 0, 4], |node| {
                bytes(node).push(0);
            }),
        ),
    ]
}

/// JSON documents that are not the one canonical text.
fn json() -> Vec<Case> {
    let bundle = worked();
    let text = bundle.to_json();
    let item = |name, says, bytes| case::<Bundle>(name, says, bytes);
    let other = |from: &str, to: &str| replaced(&bundle, from, to);
    vec![
        item("json-cut", "malformed", text.as_bytes()[..text.len() - 4].to_vec()),
        item("json-without-the-last-newline", "not the canonical spelling", text.trim_end().into()),
        item("json-with-two-newlines", "not the canonical spelling", format!("{text}\n").into()),
        item("json-with-a-byte-order-mark", "malformed", format!("\u{feff}{text}").into()),
        item("json-with-carriage-returns", "not the canonical spelling", text.replace('\n', "\r\n").into()),
        item("json-indented-by-four", "not the canonical spelling", text.replace("  ", "    ").into()),
        item("json-on-one-line", "not the canonical spelling", text.replace('\n', "").into()),
        item(
            "json-with-an-escaped-letter",
            "not the canonical spelling",
            other("withdrawal", "withdrawa\\u006c"),
        ),
        item(
            "json-of-another-document",
            "expected \"airlock bundle\"",
            other("airlock bundle", "airlock reply"),
        ),
        item("json-of-version-2", "version 2 is not known", other("\"version\": 1", "\"version\": 2")),
        item("json-without-format", "format: missing", other("\"format\": \"airlock bundle\",", "")),
        item(
            "json-with-content-version-2",
            "version 2 is not known",
            other("\"content_version\": 1", "\"content_version\": 2"),
        ),
        item(
            "json-with-an-unknown-field",
            "unknown field note",
            other("\"content\":", "\"note\": 1, \"content\":"),
        ),
        item(
            "json-with-a-field-twice",
            "not the canonical spelling",
            other("\"kind\":", "\"kind\": \"sweep\", \"kind\":"),
        ),
        item("json-with-null", "null has no place here", other("\"index\": 0", "\"index\": null")),
        item("json-with-a-float", "not an unsigned integer", other("\"index\": 0", "\"index\": 0.0")),
        item(
            "json-with-a-negative-number",
            "not an unsigned integer",
            other("\"index\": 0", "\"index\": -1"),
        ),
        item("json-with-an-exponent", "not an unsigned integer", other("\"index\": 0", "\"index\": 1e1")),
        item(
            "json-with-a-number-for-a-decimal-string",
            "a 64-bit number",
            other("\"id\": \"1000\"", "\"id\": 1000"),
        ),
        item(
            "json-with-a-leading-zero",
            "not the canonical spelling",
            other("\"id\": \"1000\"", "\"id\": \"01000\""),
        ),
        item(
            "json-with-a-plus-sign",
            "not the canonical spelling",
            other("\"id\": \"1000\"", "\"id\": \"+1000\""),
        ),
        item(
            "json-with-an-amount-in-hex",
            "not a decimal amount",
            other("\"amount\": \"", "\"amount\": \"0x"),
        ),
        item(
            "json-with-upper-case-hex",
            "not the canonical spelling",
            other("\"ref_block_hash\": \"ab", "\"ref_block_hash\": \"AB"),
        ),
        item(
            "json-with-an-odd-hex-digit",
            "lower-case hex",
            other("\"ref_block_hash\": \"ab", "\"ref_block_hash\": \"b"),
        ),
        item(
            "json-with-an-unknown-word",
            "one of the known values",
            other("\"kind\": \"withdrawal\"", "\"kind\": \"payout\""),
        ),
        item(
            "json-with-a-broken-address-checksum",
            "checksum does not fit",
            other("\"destination\": \"TQP", "\"destination\": \"TQQ"),
        ),
    ]
}

/// Columns that do not decode, or decode but are written another way.
fn columns() -> Vec<Case> {
    let bundle = worked();
    let evm = ApprovalRequest { content: content(Network::EVM_DEV, 3), heads: Vec::new() };
    let sweep = ApprovalRequest { content: sweep(), heads: Vec::new() };
    let tron = |name, says, key, alter: fn(&mut Node)| {
        case::<Bundle>(name, says, altered(&bundle, &[0, 0, 0, key], alter))
    };
    let evm = |name, says, key, alter: fn(&mut Node)| {
        case::<ApprovalRequest>(name, says, altered(&evm, &[0, key], alter))
    };
    let swept = |name, says, key, alter: fn(&mut Node)| {
        case::<ApprovalRequest>(name, says, altered(&sweep, &[0, key], alter))
    };
    const LENGTH: &str = "is not a column of this batch's length";
    const CANONICAL: &str = "not the canonical spelling";
    vec![
        tron("column-of-ids-too-short", LENGTH, 16, shorten),
        tron("column-of-ids-too-long", LENGTH, 16, |node| bytes(node).push(1)),
        tron("column-of-ids-with-a-long-varint", CANONICAL, 16, |node| {
            let last = bytes(node).pop().unwrap();
            bytes(node).extend([last | 0x80, 0]);
        }),
        tron("column-of-destinations-too-short", LENGTH, 17, shorten),
        tron("column-of-amounts-with-a-smaller-power", CANONICAL, 18, |node| {
            *node = Node::Bytes(vec![3, 0xbe, 0xf2, 0x04, 0x94, 0xdd, 0x09]);
        }),
        tron("column-of-amounts-with-power-78", LENGTH, 18, |node| bytes(node)[0] = 78),
        tron("column-of-amounts-above-256-bits", LENGTH, 18, |node| bytes(node)[0] = 77),
        tron("count-of-zero", "count", 15, |node| *node = Node::Uint(0)),
        tron("count-above-5000", "5001 is above the limit 5000", 15, |node| *node = Node::Uint(5_001)),
        tron("count-that-is-false", LENGTH, 15, |node| *node = Node::Uint(3)),
        tron("memo-of-an-item-beyond-the-batch", "beyond the batch", 24, |node| {
            *node_at(node, &[0, 0]) = Node::Uint(2);
        }),
        tron("memo-of-256-bytes", "256 is above the limit 255", 24, |node| {
            *node_at(node, &[0, 1]) = Node::Bytes(vec![0x61; 256]);
        }),
        tron("memo-column-that-is-empty", CANONICAL, 24, |node| *node = Node::List(Vec::new())),
        tron("label-that-is-bytes", "not a text of at most 64 bytes", 25, |node| {
            *node_at(node, &[0, 1]) = Node::Bytes(b"Zoe".to_vec());
        }),
        evm("column-of-nonces-with-split-runs", CANONICAL, 19, |node| {
            *node = Node::Bytes(vec![70, 1, 71, 2])
        }),
        evm("column-of-nonces-with-an-empty-run", LENGTH, 19, |node| *node = Node::Bytes(vec![70, 3, 90, 0])),
        evm("column-of-nonces-too-long", LENGTH, 19, |node| *node = Node::Bytes(vec![70, 4])),
        evm("column-of-nonces-for-one-item", LENGTH, 19, |node| *node = Node::Bytes(vec![70, 1])),
        swept("column-of-equal-addresses-written-out", CANONICAL, 17, |node| {
            *node = Node::Bytes(bytes(node).repeat(3))
        }),
        swept("column-of-indexes-above-32-bits", LENGTH, 20, |node| {
            *node = Node::Bytes(vec![5, 6, 0x80, 0x80, 0x80, 0x80, 0x10]);
        }),
        swept("column-of-roles-with-an-unknown-one", LENGTH, 22, |node| bytes(node)[1] = 6),
    ]
}

/// Contents that are spelled rightly and break a rule of the batch itself.
fn contents() -> Vec<Case> {
    fn of(name: &'static str, says: &'static str, network: Network, alter: fn(&mut Content)) -> Case {
        let mut content = content(network, 3);
        alter(&mut content);
        let request = ApprovalRequest { content, heads: Vec::new() };
        case::<ApprovalRequest>(name, says, request.to_json().into_bytes())
    }
    let tron = |name, says, alter| of(name, says, Network::TRON_DEV, alter);
    let evm = |name, says, alter| of(name, says, Network::EVM_DEV, alter);
    let request = ApprovalRequest { content: content(Network::TRON_DEV, 3), heads: Vec::new() };
    vec![
        tron("content-of-another-profile", "profile", |c| c.profile = Profile::Main),
        tron("content-that-expires-before-it-is-made", "expires_at", |c| c.expires_at = c.created_at),
        tron("content-without-a-source", "source", |c| c.source = None),
        tron("content-with-a-critical-extension", "critical extension 8", |c| {
            drop(c.extensions.insert(8, vec![]))
        }),
        tron("content-with-an-extension-too-long", "1025 is above the limit 1024", |c| {
            drop(c.extensions.insert(7, vec![0; 1_025]))
        }),
        tron("content-with-the-permission-of-witnesses", "permission_id", |c| {
            if let Context::Tron(tron) = &mut c.context {
                tron.permission_id = 1;
            }
        }),
        tron("content-whose-transactions-outlive-it", "would outlive the batch", |c| {
            if let Context::Tron(tron) = &mut c.context {
                tron.expiration_ms = (c.expires_at + 1) * 1_000;
            }
        }),
        tron("content-with-an-item-twice", "stands in the batch twice", |c| c.items[1].id = c.items[0].id),
        tron("content-paying-nothing", "must be above zero", |c| c.items[2].amount = Default::default()),
        tron("content-with-a-control-character", "no control characters", |c| {
            c.items[0].label = "a\u{1b}b".to_owned()
        }),
        tron("content-with-a-nonce-on-tron", "account_nonce", |c| c.items[0].account_nonce = Some(7)),
        evm("content-with-a-nonce-twice", "account_nonce of item 1", |c| {
            c.items[1].account_nonce = c.items[0].account_nonce
        }),
        evm("content-without-a-nonce", "account_nonce", |c| c.items[0].account_nonce = None),
        evm("content-with-a-memo-on-evm", "memo", |c| c.items[0].memo = vec![1]),
        evm("content-with-fee-levels-too-close", "more than 10 %", |c| {
            if let Context::Evm(evm) = &mut c.context {
                let mut dearer = evm.levels[0];
                dearer.max_fee_per_gas_wei += 1;
                evm.levels.push(dearer);
            }
        }),
        tron("content-stuck-on-tron", "for EVM networks", |c| {
            c.items[0].reissue = Some(Reissue { reason: ReissueReason::Stuck, dead: Vec::new() })
        }),
        evm("content-expired-on-evm", "expired is for TRON", |c| {
            c.items[0].reissue = Some(Reissue { reason: ReissueReason::Expired, dead: vec![[1; 32]] })
        }),
        evm("content-stuck-that-names-the-dead", "names no dead transaction", |c| {
            c.items[0].reissue = Some(Reissue { reason: ReissueReason::Stuck, dead: vec![[1; 32]] })
        }),
        evm("content-failed-that-names-none", "names the dead transactions", |c| {
            c.items[0].reissue = Some(Reissue { reason: ReissueReason::FailedOnChain, dead: Vec::new() })
        }),
        evm("content-cancelling-a-cancel", "has none of its own", |c| {
            let own = c.source.map(|wallet| wallet.address);
            (c.kind, c.asset.contract) = (Kind::Cancel, None);
            for item in &mut c.items {
                (item.destination, item.amount) = (own.unwrap(), Default::default());
            }
            if let Context::Evm(evm) = &mut c.context {
                evm.cancel = Some(CancelTerms { gas_limit: 21_000, fee: evm.levels[0] });
            }
        }),
        case::<ApprovalRequest>(
            "content-with-a-false-count",
            "do not agree with the items",
            replaced(&request, "\"count\": 3", "\"count\": 4"),
        ),
        case::<ApprovalRequest>(
            "content-with-a-false-total",
            "do not agree with the items",
            altered(&request, &[0, 14, 1], |node| *bytes(node).last_mut().unwrap() ^= 1),
        ),
    ]
}

/// What stands around a content.
fn envelopes() -> Vec<Case> {
    let mut reversed = worked();
    reversed.envelopes[0].approvals.reverse();
    let mut twice = worked();
    let again = twice.envelopes[0].approvals[0].clone();
    twice.envelopes[0].approvals.insert(0, again);
    let mut heads = worked();
    let head = heads.envelopes[0].heads[0];
    heads.envelopes[0].heads.push(head);
    let seventeen = Bundle { envelopes: vec![small(); 17] };
    let file = signed_batch(Network::TRON_DEV, 1);
    vec![
        case::<Bundle>("bundle-of-none", "at least one", Bundle { envelopes: vec![] }.to_binary()),
        case::<Bundle>("bundle-of-seventeen", "17 is above the limit 16", seventeen.to_binary()),
        case::<Bundle>("approvals-out-of-order", "sorted by person", reversed.to_json().into()),
        case::<Bundle>("approvals-of-one-person-twice", "each person once", twice.to_json().into()),
        case::<Bundle>("heads-of-one-signer-twice", "each signer once", heads.to_json().into()),
        case::<SignedBatch>(
            "signed-batch-with-a-threshold-above-its-roster",
            "a threshold within their number",
            replaced(&file, "\"threshold\": 2", "\"threshold\": 3"),
        ),
    ]
}

fn small() -> Envelope {
    envelope(content(Network::TRON_DEV, 1))
}

/// Signatures and receipts.
fn replies() -> Vec<Case> {
    let replies = Replies { replies: vec![reply(&small(), 1)] };
    let signatures =
        |name, says, alter: fn(&mut Node)| case::<Replies>(name, says, altered(&replies, &[0, 0, 1], alter));
    vec![
        case::<Replies>("reply-of-none", "at least one", Replies { replies: vec![] }.to_binary()),
        signatures("signature-of-64-bytes", "65 bytes each", shorten),
        signatures("signature-with-recovery-byte-29", "recovery byte 29", |node| bytes(node)[64] = 29),
        signatures("signature-with-recovery-byte-0", "recovery byte 0", |node| bytes(node)[64] = 0),
        signatures("signature-with-high-s", "above half the group order", |node| {
            bytes(node)[32..64].copy_from_slice(&[0x80; 32]);
        }),
        signatures("signature-with-r-of-zero", "between 1 and the group order", |node| {
            bytes(node)[..32].fill(0)
        }),
        case::<Replies>(
            "receipt-with-an-unknown-event",
            "one of the known values",
            altered(&replies, &[0, 0, 0, 5, 4, 0], |node| *node = Node::Uint(8)),
        ),
        case::<Replies>(
            "receipt-that-signed-and-refused",
            "unknown field code",
            replaced(&replies, "\"entry\":", "\"code\": \"a\", \"why\": \"b\", \"entry\":"),
        ),
    ]
}

/// Policies and rosters.
fn policies() -> Vec<Case> {
    let signed = signed_policy();
    let mut networks = signed.clone();
    networks.policy.networks.reverse();
    let mut approvers = signed.clone();
    let again = approvers.policy.approvers[0].clone();
    approvers.policy.approvers.insert(0, again);
    let mut signatures = signed.clone();
    signatures.signatures.reverse();
    let mut unsorted = roster();
    unsorted.custodians.reverse();
    let identity = Identity::of(&identity_key(1));
    let name = crate::sample::person("alice");
    let signer = Introduction { name, profile: Profile::Dev, identity, roster: Some(unsorted) };
    let policy = |name, says, bytes| case::<SignedPolicy>(name, says, bytes);
    vec![
        policy("policy-with-networks-out-of-order", "must be sorted", networks.to_json().into()),
        policy("policy-with-an-approver-twice", "each person once", approvers.to_json().into()),
        policy("policy-with-signatures-out-of-order", "sorted by custodian", signatures.to_json().into()),
        policy(
            "policy-with-more-independent-than-required",
            "cannot exceed the number required",
            replaced(&signed, "\"independent\": 2", "\"independent\": 3"),
        ),
        policy(
            "policy-of-another-profile",
            "a network of another profile",
            replaced(&signed, "\"profile\": \"dev\"", "\"profile\": \"main\""),
        ),
        policy("policy-without-a-limit", "per_day_max: missing", without_the_daily_limit(&signed)),
        case::<Introduction>("roster-out-of-order", "sorted by name", signer.to_json().into()),
    ]
}

fn without_the_daily_limit(signed: &SignedPolicy) -> Vec<u8> {
    altered(signed, &[0, 9, 0, 3, 0], |node| fields(node).retain(|(key, _, _)| *key != 3))
}

/// Policies that permit by leaving something open, or say one thing twice.
fn open_policies() -> Vec<Case> {
    let good = full_policy();
    let with = |name, says, alter: fn(&mut Policy)| {
        let mut signed = good.clone();
        alter(&mut signed.policy);
        case::<SignedPolicy>(name, says, signed.to_json().into())
    };
    let without = |name, says, key: u64| {
        let bytes = altered(&good, &[0], |node| fields(node).retain(|(found, _, _)| *found != key));
        case::<SignedPolicy>(name, says, bytes)
    };
    let unknown = |node: &mut Node| fields(node).push((10, Name::default(), Node::Flag(true)));
    vec![
        without("policy-without-machine", "machine: missing", 7),
        without("policy-without-signing-hours", "windows: missing", 8),
        case::<SignedPolicy>(
            "policy-with-an-unknown-field",
            "unknown field 10",
            altered(&good, &[0], unknown),
        ),
        with("policy-with-signing-hours-that-overlap", "without overlap", |p| {
            p.windows[1].from_minute = 719;
        }),
        with("policy-with-signing-hours-past-midnight", "at most 1440", |p| p.windows[2].to_minute = 1_441),
        with("policy-with-signing-hours-on-an-eighth-day", "is 0 (Monday)", |p| p.windows[2].day = 7),
        with("policy-with-an-approver-who-can-prove-nothing", "a device or a passkey", |p| {
            p.approvers[2].passkeys.clear();
        }),
        with("policy-with-a-passkey-that-is-no-point", "not an uncompressed point", |p| {
            p.approvers[1].passkeys[0].public_key[64] ^= 1;
        }),
        with("policy-with-a-passkey-twice", "each once", |p| {
            p.approvers[1].passkeys[1] = p.approvers[1].passkeys[0].clone();
        }),
        with("policy-without-an-origin", "at least one", |p| {
            p.passkeys.as_mut().unwrap().origins.clear();
        }),
        with("policy-with-a-smaller-quorum-for-reissues", "cannot be below independent", |p| {
            p.approvals.reissue_independent = 1;
        }),
        with("policy-with-a-wallet-twice", "each address once", |p| {
            let again = p.networks[1].wallets[0].clone();
            p.networks[1].wallets.push(PayingWallet { permission_id: 3, ..again });
        }),
        with("policy-with-a-permission-on-evm", "2 to 9 on TRON", |p| {
            p.networks[0].wallets[0].permission_id = 2;
        }),
        with("policy-with-the-permission-of-witnesses", "2 to 9 on TRON", |p| {
            p.networks[1].wallets[0].permission_id = 1;
        }),
        with("policy-with-a-hot-wallet-in-hardware", "for the role hardware and no other", |p| {
            p.networks[0].wallets[2].wallet.role = Role::Hot;
        }),
        with("policy-with-a-hardware-path-spelled-otherwise", "is m and numbers", |p| {
            let wallet = &mut p.networks[0].wallets[2];
            wallet.hardware.as_mut().unwrap().path = "m/044'/60'/0'/0/0".to_owned();
        }),
    ]
}

/// The custodians' terms of a journal.
fn geneses() -> Vec<Case> {
    let with = |name, says, reason, alter: fn(&mut Genesis)| {
        let mut signed = genesis(reason);
        alter(&mut signed.genesis);
        case::<SignedGenesis>(name, says, signed.to_json().into())
    };
    let other = "continues its own signer's head";
    vec![
        with("genesis-reanchored-at-nothing", other, Reason::Reanchored, |g| g.continues = None),
        with("genesis-reanchored-at-anothers-head", other, Reason::Reanchored, |g| {
            g.signer = Identity::of(&identity_key(2));
        }),
        with("genesis-with-an-account-twice", "each once", Reason::Restored, |g| g.nonces[1] = g.nonces[0]),
        with("genesis-with-sums-out-of-order", "must be sorted", Reason::Restored, |g| g.spent.reverse()),
        with("genesis-with-a-sum-of-the-future", "of the future", Reason::Restored, |g| g.made_at -= 3_601),
        with("genesis-with-an-account-of-another-profile", "another profile", Reason::Restored, |g| {
            g.nonces[1].account = Address::new(Network::ETHEREUM, *g.nonces[1].account.payload());
            g.nonces.sort_unstable();
        }),
    ]
}
