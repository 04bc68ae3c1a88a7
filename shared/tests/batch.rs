//! The batch in both spellings: what goes in comes out, its size, and every rule that it holds by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod sample;

use airlock_shared::batch::{Content, Context, Kind, MAX_ITEMS, Reissue, ReissueReason, Wallet};
use airlock_shared::document::{self, Document};
use airlock_shared::envelope::{ApprovalRequest, Bundle, Replies, SignedBatch};
use airlock_shared::form::{self, Fault};
use airlock_shared::policy::SignedPolicy;
use airlock_shared::wallet::Role;
use airlock_shared::{BaseUnits, ItemId, Network};
use proptest::prelude::*;
use sample::{address, content, envelope, reply, signed_batch, signed_policy};

const BOTH: [Network; 2] = [Network::TRON_DEV, Network::EVM_DEV];

fn comes_back<D: Document + PartialEq + std::fmt::Debug>(document: &D) {
    assert_eq!(document::read::<D>(&document.to_binary()).as_ref(), Ok(document));
    assert_eq!(document::read::<D>(document.to_json().as_bytes()).as_ref(), Ok(document));
}

#[test]
fn every_document_comes_back_from_both_spellings() {
    for network in BOTH {
        let envelope = envelope(content(network, 5));
        comes_back(&Replies { replies: vec![reply(&envelope, 1)] });
        comes_back(&ApprovalRequest { content: envelope.content.clone(), heads: Vec::new() });
        comes_back(&Bundle { envelopes: vec![envelope] });
        comes_back::<SignedBatch>(&signed_batch(network, 5));
    }
    comes_back::<SignedPolicy>(&signed_policy());
}

/// A content with every optional field that its network allows.
fn full(network: Network) -> Content {
    let mut full = content(network, 4);
    full.items[1].label = "Zoë & co \"quoted\"".to_owned();
    full.items[3].reissue = Some(Reissue { reason: ReissueReason::FailedOnChain, dead: vec![[9; 32]; 2] });
    full.items[2].amount = BaseUnits::MAX.checked_div_rem(BaseUnits::from(16u64)).unwrap().0;
    full.extensions.insert(7, vec![1, 2, 3]);
    match &mut full.context {
        Context::Tron(_) => full.items[2].memo = b"invoice 7".to_vec(),
        Context::Evm(evm) => {
            let fee = evm.levels[0];
            evm.cancel = Some(airlock_shared::batch::CancelTerms { gas_limit: 21_000, fee });
        }
    }
    full
}

#[test]
fn the_digest_is_the_same_whichever_way_a_content_travelled() {
    for network in BOTH {
        let content = full(network);
        content.check().unwrap();
        let request = ApprovalRequest { content: content.clone(), heads: Vec::new() };
        let through_json: ApprovalRequest = document::read(request.to_json().as_bytes()).unwrap();
        let through_cbor: ApprovalRequest = document::read(&request.to_binary()).unwrap();
        assert_eq!(through_json.content.digest(), content.digest());
        assert_eq!(through_cbor.content.digest(), content.digest());
    }
}

#[test]
fn a_sweep_keeps_the_source_of_every_item() {
    let mut sweep = content(Network::TRON_DEV, 3);
    sweep.kind = Kind::Sweep;
    sweep.source = None;
    for (i, item) in sweep.items.iter_mut().enumerate() {
        let address = address(Network::TRON_DEV, 20 + i as u8);
        item.source = Some(Wallet { role: Role::Deposit, index: 5 + i as u32, address });
        item.own = Some((Role::Hot, 0));
    }
    comes_back(&ApprovalRequest { content: sweep, heads: Vec::new() });
}

#[test]
fn a_thousand_withdrawals_take_at_most_28_bytes_each() {
    for network in BOTH {
        let bundle = Bundle { envelopes: vec![envelope(content(network, 1_000))] };
        let bytes = bundle.to_binary().len();
        assert!(bytes <= 28_000, "{network}: {bytes} bytes");
    }
}

#[test]
fn white_space_and_other_spellings_are_refused() {
    let json = Bundle { envelopes: vec![envelope(content(Network::TRON_DEV, 1))] }.to_json();
    for other in [
        json.replace(": ", ":"),
        json.trim_end().to_owned(),
        format!("{json}\n"),
        json.replace("\"withdrawal\"", "\"withdrawa\\u006c\""),
    ] {
        let refused = document::read::<Bundle>(other.as_bytes()).unwrap_err();
        assert!(matches!(refused.fault, Fault::NotCanonical { .. }), "{refused}");
    }
}

#[test]
fn an_unknown_field_is_named_in_both_spellings() {
    let bundle = Bundle { envelopes: vec![envelope(content(Network::TRON_DEV, 1))] };
    let json = bundle.to_json().replace("\"approvals\": [", "\"note\": 1,\n      \"approvals\": [");
    let refused = document::read::<Bundle>(json.as_bytes()).unwrap_err();
    assert_eq!(refused.fault, Fault::Unknown { name: "note".to_owned() });
    assert_eq!(refused.at, "airlock bundle.envelopes[0]");
    // One more field in the outer map, with key 9.
    let mut cbor = bundle.to_binary();
    cbor[6] += 1;
    cbor.extend([9, 0]);
    let refused = document::read::<Bundle>(&cbor).unwrap_err();
    assert_eq!(refused.fault, Fault::Unknown { name: "9".to_owned() });
}

#[test]
fn a_document_of_another_kind_or_version_is_refused() {
    let replies = Replies { replies: vec![reply(&envelope(content(Network::TRON_DEV, 1)), 1)] };
    let refused = document::read::<Bundle>(&replies.to_binary()).unwrap_err();
    assert!(matches!(refused.fault, Fault::OtherDocument { .. }), "{refused}");
    let mut bytes = replies.to_binary();
    bytes[5] = 2;
    let refused = document::read::<Replies>(&bytes).unwrap_err();
    assert_eq!(refused.fault, Fault::UnknownVersion { found: 2 });
}

#[test]
fn false_totals_are_refused() {
    let request = ApprovalRequest { content: content(Network::TRON_DEV, 2), heads: Vec::new() };
    let json = request.to_json().replace("\"count\": 2", "\"count\": 3");
    let refused = document::read::<ApprovalRequest>(json.as_bytes()).unwrap_err();
    assert_eq!(refused.at, "airlock approval request.content.totals");
}

#[test]
fn declared_counts_do_not_make_a_reader_allocate() {
    // A list of 2^62 elements, a map of 2^62 fields, a byte string of 2^62 bytes; nothing behind them.
    for head in [0x9b, 0xbb, 0x5b] {
        let mut bytes = b"AIRL\x01\x01\xa1\x00".to_vec();
        bytes.extend([head, 0x40, 0, 0, 0, 0, 0, 0, 0]);
        assert!(document::read::<Bundle>(&bytes).is_err());
    }
    let deep = [b"AIRL\x01\x01\xa1\x00".as_slice(), &[0x81; 10_000]].concat();
    let refused = document::read::<Bundle>(&deep).unwrap_err();
    assert!(matches!(refused.fault, Fault::Malformed { .. }), "{refused}");
}

/// Alters a good content and names the field whose rule it must break.
type Alteration = (&'static str, fn(&mut Content));

#[test]
fn every_rule_of_the_batch_itself_names_its_field() {
    let tron: &[Alteration] = &[
        ("profile", |c| c.profile = airlock_shared::Profile::Main),
        ("expires_at", |c| c.expires_at = c.created_at),
        ("expires_at", |c| c.expires_at = u64::MAX),
        ("items", |c| c.items.clear()),
        ("items", |c| c.items = sample::items(Network::TRON_DEV, MAX_ITEMS + 1)),
        ("source", |c| c.source = None),
        ("source", |c| c.source = Some(sample::hot(Network::NILE))),
        ("asset", |c| c.asset = sample::usdt(Network::EVM_DEV)),
        ("asset", |c| c.asset.symbol = "US\u{202e}DT".to_owned()),
        ("context", |c| c.context = content(Network::EVM_DEV, 1).context),
        ("kind", |c| c.kind = Kind::Cancel),
        ("asset", |c| c.kind = Kind::Delegate),
        ("expiration_ms", |c| tron(c).expiration_ms = (c.expires_at + 1) * 1_000),
        ("expiration_ms", |c| tron(c).expiration_ms = 0),
        ("timestamp_ms", |c| tron(c).timestamp_ms = 0),
        ("fee_limit_sun", |c| tron(c).fee_limit_sun = 0),
        ("permission_id", |c| tron(c).permission_id = 1),
        ("lock_blocks", |c| tron(c).lock_blocks = 5),
        ("destination", |c| c.items[0].destination = address(Network::EVM_DEV, 1)),
        ("amount", |c| c.items[0].amount = BaseUnits::ZERO),
        ("account_nonce", |c| c.items[0].account_nonce = Some(1)),
        ("source", |c| c.items[0].source = Some(sample::hot(Network::TRON_DEV))),
        ("memo", |c| c.items[0].memo = vec![0; 256]),
        ("label", |c| c.items[0].label = "a\nb".to_owned()),
        ("reissue", |c| {
            c.items[0].reissue = Some(Reissue { reason: ReissueReason::Expired, dead: Vec::new() });
        }),
        ("id", |c| c.items[1].id = c.items[0].id),
        ("own", |c| c.items[0].own = Some((Role::Hot, 0))),
        ("extensions", |c| _ = c.extensions.insert(8, Vec::new())),
        ("extensions", |c| _ = c.extensions.insert(7, vec![0; 1_025])),
        ("totals", |c| c.items.iter_mut().for_each(|item| item.amount = BaseUnits::MAX)),
    ];
    let evm: &[Alteration] = &[
        ("kind", |c| c.kind = Kind::EnergyPayment),
        ("levels", |c| evm(c).levels.clear()),
        ("levels", |c| evm(c).levels[0].max_fee_per_gas_wei = 1),
        ("levels", |c| {
            let mut dearer = evm(c).levels[0];
            dearer.max_fee_per_gas_wei += dearer.max_fee_per_gas_wei / 11;
            evm(c).levels.push(dearer);
        }),
        ("gas_limit", |c| evm(c).gas_limit = 100),
        ("account_nonce", |c| c.items[0].account_nonce = None),
        ("account_nonce", |c| c.items[0].account_nonce = Some(u64::MAX)),
        ("account_nonce", |c| c.items[1].account_nonce = c.items[0].account_nonce),
        ("memo", |c| c.items[0].memo = vec![1]),
    ];
    for (network, alterations) in [(Network::TRON_DEV, tron), (Network::EVM_DEV, evm)] {
        for (i, (field, alter)) in alterations.iter().enumerate() {
            let mut content = content(network, 3);
            content.check().unwrap();
            alter(&mut content);
            let refused = content.check().unwrap_err();
            assert_eq!(refused.field, *field, "{network}, alteration {i}: {refused}");
        }
    }
}

fn tron(content: &mut Content) -> &mut airlock_shared::batch::TronContext {
    match &mut content.context {
        Context::Tron(tron) => tron,
        Context::Evm(_) => panic!("a TRON batch was expected"),
    }
}

fn evm(content: &mut Content) -> &mut airlock_shared::batch::EvmContext {
    match &mut content.context {
        Context::Evm(evm) => evm,
        Context::Tron(_) => panic!("an EVM batch was expected"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_ids_amounts_and_nonces_come_back(
        rows in prop::collection::vec((any::<u64>(), any::<[u8; 20]>(), 1..u128::MAX, 0..u64::MAX), 1..60),
    ) {
        let mut content = content(Network::EVM_DEV, rows.len());
        for (item, (id, to, amount, nonce)) in content.items.iter_mut().zip(&rows) {
            item.id = ItemId::new(*id);
            item.destination = airlock_shared::Address::new(Network::EVM_DEV, *to);
            item.amount = BaseUnits::from(*amount);
            item.account_nonce = Some(*nonce);
        }
        prop_assume!(content.check().is_ok());
        let bytes = form::to_cbor(&content);
        prop_assert_eq!(form::from_cbor::<Content>("content", &bytes).unwrap(), content);
    }

    #[test]
    fn a_changed_byte_is_refused_or_changes_the_digest(at in any::<prop::sample::Index>(), by in 1u8..) {
        let request = ApprovalRequest { content: full(Network::TRON_DEV), heads: Vec::new() };
        let mut bytes = request.to_binary();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        if let Ok(other) = document::read::<ApprovalRequest>(&bytes) {
            prop_assert_ne!(other.content.digest(), request.content.digest());
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let headed = [b"AIRL\x01\x01".as_slice(), &bytes].concat();
        let _ = (document::read::<Bundle>(&headed), document::read::<Bundle>(&bytes));
    }
}
